"""The DHCP server: requests, leases and the configuration in, replies and log lines out."""
