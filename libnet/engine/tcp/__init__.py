"""TCP pcbs, input, output, timers, SYN cache, congestion control."""
