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
    wi_ieee,
)

MODULES = (sockio, bpf, bridge, mroute, ifvlan, iftunnel, ieee80211, wi_ieee, pf, sysctl, tunnel)
