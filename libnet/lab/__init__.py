"""Several boxes, wires and air together; worlds on disk and in memory."""
