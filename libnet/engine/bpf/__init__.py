"""Taps on interfaces, the filter machine, and the descriptors of /dev/bpf."""
