"""pf.conf(5) and pf.os(5): text to rules, queues, tables and options, and rules back to text."""
