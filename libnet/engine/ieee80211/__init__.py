"""Nodes, scan, STA/AP/IBSS state machines, ciphers, power save."""
