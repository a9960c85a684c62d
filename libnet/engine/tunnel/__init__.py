"""Tunnels and the pseudo-devices that programs stand behind: gif, gre, tun, tap."""
