"""One module or package per program; parse argv, ask the stack, print."""
