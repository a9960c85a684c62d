"""Routing table, rtentry, routing socket messages."""
