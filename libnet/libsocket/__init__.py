"""What a command links with: socket(), ioctl(), recv() against a box."""
