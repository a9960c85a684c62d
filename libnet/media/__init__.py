"""Segments and air: delay, loss, rate; TAP and inter-process ports; pcap."""
