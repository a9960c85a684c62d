"""The stack manager: options in, Stack and drivers up, resource paths served."""
