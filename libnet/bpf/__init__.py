"""The packet filter machine: checker, interpreter, and programs as Python functions; pure."""
