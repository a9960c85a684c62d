"""What every program of the toolsuite shares, from addresses to the stack manager."""
