"""All modules of the table: what decodes requests must know every struct that may come."""

from __future__ import annotations

from libnet.ioctl import ieee80211, iftunnel, ifvlan, pf, sockio, sysctl

MODULES = (sockio, ifvlan, iftunnel, ieee80211, pf, sysctl)
