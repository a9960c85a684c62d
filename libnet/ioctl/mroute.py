"""Multicast routing (<netinet/ip_mroute.h>): arguments of MRT_* options, and what the tables tell."""

from __future__ import annotations

from typing import Final

from libnet.ioctl.registry import INOUT, Ioctl, declare
from libnet.record import Struct

# Options of level IPPROTO_IP on a raw socket of protocol IGMP.
MRT_INIT: Final = 100
MRT_DONE: Final = 101
MRT_ADD_VIF: Final = 102
MRT_DEL_VIF: Final = 103
MRT_ADD_MFC: Final = 104
MRT_DEL_MFC: Final = 105
MRT_VERSION: Final = 106
MRT_ASSERT: Final = 107
MRT_API_SUPPORT: Final = 109
MRT_API_CONFIG: Final = 110
MRT_ADD_BW_UPCALL: Final = 111
MRT_DEL_BW_UPCALL: Final = 112
MRT_ALL: Final = range(MRT_INIT, MRT_DEL_BW_UPCALL + 1)

MAXVIFS: Final = 32
VIFF_TUNNEL: Final = 0x1
VIFF_SRCRT: Final = 0x2
VIFF_REGISTER: Final = 0x4

# Octet 8 of an upcall, which is otherwise the IP header of the packet; octet 10 is the vif.
IGMPMSG_NOCACHE: Final = 1
IGMPMSG_WRONGVIF: Final = 2


class VifCtl(Struct):
    """struct vifctl, for MRT_ADD_VIF.

    vifi       0 to 31                     flags      VIFF_*
    threshold  lowest time to live         rate_limit kbit/s, 0 for none
    lcl_addr   of an interface             rmt_addr   other end of a tunnel
    """

    vifi: int
    flags: int = 0
    threshold: int = 1
    rate_limit: int = 0
    lcl_addr: int = 0
    rmt_addr: int = 0


class MfcCtl(Struct):
    """struct mfcctl, for MRT_ADD_MFC and MRT_DEL_MFC.

    parent  vif that packets come in by       ttls  by vif: above which they leave, 0 for not at all
    """

    origin: int
    mcastgrp: int
    parent: int = 0
    ttls: list[int] = []


class SiocVifReq(Struct):
    """struct sioc_vif_req: packets and octets of a vif."""

    vifi: int
    icount: int = 0
    ocount: int = 0
    ibytes: int = 0
    obytes: int = 0


class SiocSgReq(Struct):
    """struct sioc_sg_req: packets and octets of a source and group, and packets by a wrong vif."""

    src: int
    grp: int
    pktcnt: int = 0
    bytecnt: int = 0
    wrong_if: int = 0


class MrtVif(Struct):
    """A vif as net.inet.mroute.viftable tells it: VifCtl and counters."""

    vifi: int
    flags: int
    threshold: int
    rate_limit: int
    lcl_addr: int
    rmt_addr: int
    ifname: str
    pkt_in: int
    pkt_out: int


class MrtMfc(Struct):
    """An entry of the forwarding cache as net.inet.mroute.mfctable tells it.

    hash    its chain in the original's table
    parent  65535 while nobody has told it        stalled  packets that wait to hear it
    """

    hash: int
    origin: int
    mcastgrp: int
    parent: int
    ttls: list[int]
    pkt_cnt: int
    wrong_if: int
    stalled: int


SIOCGETVIFCNT = declare(
    Ioctl("SIOCGETVIFCNT", "u", 51, INOUT, SiocVifReq, size=20, man="multicast.4")
)
SIOCGETSGCNT = declare(Ioctl("SIOCGETSGCNT", "u", 52, INOUT, SiocSgReq, size=20, man="multicast.4"))
