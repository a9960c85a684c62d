"""UDP pcbs and input/output."""
