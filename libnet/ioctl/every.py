"""All modules of the table: what decodes requests must know every struct that may come."""

from __future__ import annotations

from libnet.ioctl import (
    bpf,
    bridge,
    ieee80211,
    iftunnel,
    ifvlan,
    mroute,
    pf,
    sockio,
    sysctl,
    tunnel,
)

MODULES = (sockio, bpf, bridge, mroute, ifvlan, iftunnel, ieee80211, pf, sysctl, tunnel)
