"""Packets as tcpdump prints them: one pure printer per protocol family."""
