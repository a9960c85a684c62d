"""Framing and codec of open, read, write, ioctl and socket calls; pure."""
