"""Ioctls of gre(4), and of the devices of tun(4) and tap(4) (NetBSD <net/if_gre.h>, if_tun.h, if_tap.h)."""

from __future__ import annotations

from libnet.ioctl.registry import IN, INOUT, OUT, Ioctl, declare
from libnet.ioctl.sockio import IfReq


def _gre(name: str, num: int, dir: int) -> Ioctl:
    return declare(Ioctl(name, "i", num, dir, IfReq, size=32, suser=dir == IN, man="gre.4"))


def _tun(name: str, num: int, dir: int) -> Ioctl:
    return declare(Ioctl(name, "t", num, dir, int, size=4, man="tun.4"))


# GRESPROTO and GREGPROTO: an IP protocol in IfReq.value; GRESSOCK: a descriptor there.
GRESADDRS = _gre("GRESADDRS", 101, IN)
GRESADDRD = _gre("GRESADDRD", 102, IN)
GREGADDRS = _gre("GREGADDRS", 103, INOUT)
GREGADDRD = _gre("GREGADDRD", 104, INOUT)
GRESPROTO = _gre("GRESPROTO", 105, IN)
GREGPROTO = _gre("GREGPROTO", 106, INOUT)
GRESSOCK = _gre("GRESSOCK", 107, IN)
GREDSOCK = _gre("GREDSOCK", 108, IN)

# TUNSIFMODE: IFF_POINTOPOINT or IFF_BROADCAST; TUNSLMODE, TUNSIFHEAD: what comes before a packet.
TUNSDEBUG = _tun("TUNSDEBUG", 90, IN)
TUNGDEBUG = _tun("TUNGDEBUG", 89, OUT)
TUNSIFMODE = _tun("TUNSIFMODE", 88, IN)
TUNSLMODE = _tun("TUNSLMODE", 87, IN)
TUNSIFHEAD = _tun("TUNSIFHEAD", 66, IN)
TUNGIFHEAD = _tun("TUNGIFHEAD", 65, OUT)

TAPGIFNAME = declare(Ioctl("TAPGIFNAME", "e", 0, OUT, IfReq, size=32, man="tap.4"))
