"""ifnet, ifaddr, if_clone, Ethernet, loopback, media state, send queue."""
