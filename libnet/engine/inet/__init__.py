"""ARP, IP input, output, forward and reassembly, ICMP, IGMP, raw, in_control."""
