"""Mbufs, socket layer and sockbufs, sysctl tree, counters, log ring."""
