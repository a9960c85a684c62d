"""Every ioctl declared once: SIOC*, BRDG*, BIOC*, DIOC*, 80211, devctl."""
