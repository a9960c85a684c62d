"""Taps on interfaces; the filter machine and descriptors come with /dev/bpf."""
