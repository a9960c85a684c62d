"""Bits and words of <net/if.h> and <net/if_media.h>, with QNX's capability values."""

from __future__ import annotations

from typing import Final

IFF_UP: Final = 0x0001
IFF_BROADCAST: Final = 0x0002
IFF_DEBUG: Final = 0x0004
IFF_LOOPBACK: Final = 0x0008
IFF_POINTOPOINT: Final = 0x0010
IFF_NOTRAILERS: Final = 0x0020
IFF_RUNNING: Final = 0x0040
IFF_NOARP: Final = 0x0080
IFF_PROMISC: Final = 0x0100
IFF_ALLMULTI: Final = 0x0200
IFF_OACTIVE: Final = 0x0400
IFF_SIMPLEX: Final = 0x0800
IFF_LINK0: Final = 0x1000
IFF_LINK1: Final = 0x2000
IFF_LINK2: Final = 0x4000
IFF_MULTICAST: Final = 0x8000
IFF_CANTCHANGE: Final = (
    IFF_BROADCAST
    | IFF_POINTOPOINT
    | IFF_RUNNING
    | IFF_OACTIVE
    | IFF_SIMPLEX
    | IFF_MULTICAST
    | IFF_ALLMULTI
    | IFF_PROMISC
)
IFF_NAMES: Final = (
    (0x0001, "UP"),
    (0x0002, "BROADCAST"),
    (0x0004, "DEBUG"),
    (0x0008, "LOOPBACK"),
    (0x0010, "POINTOPOINT"),
    (0x0020, "NOTRAILERS"),
    (0x0040, "RUNNING"),
    (0x0080, "NOARP"),
    (0x0100, "PROMISC"),
    (0x0200, "ALLMULTI"),
    (0x0400, "OACTIVE"),
    (0x0800, "SIMPLEX"),
    (0x1000, "LINK0"),
    (0x2000, "LINK1"),
    (0x4000, "LINK2"),
    (0x8000, "MULTICAST"),
)

IFCAP_IP4CSUM: Final = 0x01
IFCAP_TCP4CSUM: Final = 0x02
IFCAP_UDP4CSUM: Final = 0x04
IFCAP_TCP6CSUM: Final = 0x08
IFCAP_UDP6CSUM: Final = 0x10
IFCAP_TSO4: Final = 0x20
IFCAP_TSO6: Final = 0x40
IFCAP_NAMES: Final = (
    (0x01, "IP4CSUM"),
    (0x02, "TCP4CSUM"),
    (0x04, "UDP4CSUM"),
    (0x08, "TCP6CSUM"),
    (0x10, "UDP6CSUM"),
    (0x20, "TSO4"),
    (0x40, "TSO6"),
)

IFT_OTHER: Final = 1
IFT_ETHER: Final = 6
IFT_PPP: Final = 23
IFT_LOOP: Final = 24
IFT_SLIP: Final = 28
IFT_IEEE80211: Final = 71
IFT_TUNNEL: Final = 131
IFT_L2VLAN: Final = 135
IFT_IEEE8023ADLAG: Final = 161
IFT_BRIDGE: Final = 209
IFT_GIF: Final = 240

LINK_STATE_UNKNOWN: Final = 0
LINK_STATE_DOWN: Final = 1
LINK_STATE_UP: Final = 2

IFNAMSIZ: Final = 16

IFM_ETHER: Final = 0x20
IFM_IEEE80211: Final = 0x80
IFM_TMASK: Final = 0x1F
IFM_NMASK: Final = 0xE0
IFM_OMASK: Final = 0xFF00
IFM_MMASK: Final = 0x70000
IFM_GMASK: Final = 0x0FF00000
IFM_IMASK: Final = 0xF0000000
IFM_AUTO: Final = 0
IFM_MANUAL: Final = 1
IFM_NONE: Final = 2
IFM_10_T: Final = 3
IFM_100_TX: Final = 6
IFM_1000_T: Final = 16
IFM_10G_SR: Final = 19
IFM_FDX: Final = 0x00100000
IFM_HDX: Final = 0x00200000
IFM_FLOW: Final = 0x00400000
IFM_LOOP: Final = 0x08000000
IFM_AVALID: Final = 1
IFM_ACTIVE: Final = 2

DLT_NULL: Final = 0
DLT_EN10MB: Final = 1
DLT_RAW: Final = 12
DLT_LOOP: Final = 108
