"""Commands of bridge(4): sub-commands of SIOCSDRVSPEC and SIOCGDRVSPEC (NetBSD <net/if_bridgevar.h>).

Both ioctls carry an IfDrv: which bridge, which sub-command, its argument. The sub-commands have a
table of their own here, BRDG; one that returns something goes through SIOCGDRVSPEC, all others through
SIOCSDRVSPEC.
"""

from __future__ import annotations

from typing import Final

from libnet.ioctl.registry import IN, INOUT, Ioctl, declare
from libnet.ioctl.sockio import IfDrv
from libnet.record import Struct

# IfbReq.flags of BRDGGIFFLGS and BRDGSIFFLGS.
IFBIF_LEARNING: Final = 0x01
IFBIF_DISCOVER: Final = 0x02
IFBIF_STP: Final = 0x04
IFBIF_MASK: Final = IFBIF_LEARNING | IFBIF_DISCOVER | IFBIF_STP
IFBIF_BITS: Final = ((0x01, "LEARNING"), (0x02, "DISCOVER"), (0x04, "STP"))

# IfbReq.flags of BRDGFLUSH.
IFBF_FLUSHDYN: Final = 0
IFBF_FLUSHALL: Final = 1

# IfbaReq.flags.
IFBAF_DYNAMIC: Final = 0
IFBAF_STATIC: Final = 1
IFBAF_BITS: Final = ((0x01, "STATIC"),)

IFBF_FILT_USEIPF: Final = 1

# IfbReq.state.
BSTP_IFSTATE_DISABLED: Final = 0
BSTP_IFSTATE_LISTENING: Final = 1
BSTP_IFSTATE_LEARNING: Final = 2
BSTP_IFSTATE_FORWARDING: Final = 3
BSTP_IFSTATE_BLOCKING: Final = 4
BSTP_STATES: Final = ("disabled", "listening", "learning", "forwarding", "blocking")


class IfbReq(Struct):
    """struct ifbreq: a member.

    flags      IFBIF_*                 state   BSTP_IFSTATE_*
    priority, path_cost  0 to 255      portno  interface index, lower 8 bits
    """

    ifsname: str = ""
    flags: int = 0
    state: int = 0
    priority: int = 0
    path_cost: int = 0
    portno: int = 0


class IfbIfConf(Struct):
    """struct ifbifconf: all members, the last added first."""

    req: list[IfbReq] = []


class IfbaReq(Struct):
    """struct ifbareq: an address, 6 octets, and the member it is behind.

    expire  seconds it has left; 0 for a static one, or when nothing expires
    """

    ifsname: str = ""
    dst: bytes = b""
    expire: int = 0
    flags: int = 0


class IfbaConf(Struct):
    """struct ifbaconf: all addresses, the last learned first."""

    req: list[IfbaReq] = []


class IfbrParam(Struct):
    """struct ifbrparam: one number, in seconds where it is a time."""

    value: int = 0


class BrdgCmd:
    """One sub-command: symbol, number, argument, whether it comes back."""

    __slots__ = ("arg", "get", "name", "num")

    def __init__(self, name: str, num: int, arg: type[Struct], get: bool) -> None:
        self.name, self.num, self.arg, self.get = name, num, arg, get

    def __repr__(self) -> str:
        return self.name


BRDG: Final[dict[int, BrdgCmd]] = {}


def _brdg(name: str, num: int, arg: type[Struct], *, get: bool = False) -> BrdgCmd:
    row = BRDG[num] = BrdgCmd(name, num, arg, get)
    return row


BRDGADD = _brdg("BRDGADD", 0, IfbReq)
BRDGDEL = _brdg("BRDGDEL", 1, IfbReq)
BRDGGIFFLGS = _brdg("BRDGGIFFLGS", 2, IfbReq, get=True)
BRDGSIFFLGS = _brdg("BRDGSIFFLGS", 3, IfbReq)
BRDGSCACHE = _brdg("BRDGSCACHE", 4, IfbrParam)
BRDGGCACHE = _brdg("BRDGGCACHE", 5, IfbrParam, get=True)
BRDGGIFS = _brdg("BRDGGIFS", 6, IfbIfConf, get=True)
BRDGRTS = _brdg("BRDGRTS", 7, IfbaConf, get=True)
BRDGSADDR = _brdg("BRDGSADDR", 8, IfbaReq)
BRDGSTO = _brdg("BRDGSTO", 9, IfbrParam)
BRDGGTO = _brdg("BRDGGTO", 10, IfbrParam, get=True)
BRDGDADDR = _brdg("BRDGDADDR", 11, IfbaReq)
BRDGFLUSH = _brdg("BRDGFLUSH", 12, IfbReq)
BRDGGPRI = _brdg("BRDGGPRI", 13, IfbrParam, get=True)
BRDGSPRI = _brdg("BRDGSPRI", 14, IfbrParam)
BRDGGHT = _brdg("BRDGGHT", 15, IfbrParam, get=True)
BRDGSHT = _brdg("BRDGSHT", 16, IfbrParam)
BRDGGFD = _brdg("BRDGGFD", 17, IfbrParam, get=True)
BRDGSFD = _brdg("BRDGSFD", 18, IfbrParam)
BRDGGMA = _brdg("BRDGGMA", 19, IfbrParam, get=True)
BRDGSMA = _brdg("BRDGSMA", 20, IfbrParam)
BRDGSIFPRIO = _brdg("BRDGSIFPRIO", 21, IfbReq)
BRDGSIFCOST = _brdg("BRDGSIFCOST", 22, IfbReq)
BRDGGFILT = _brdg("BRDGGFILT", 23, IfbrParam, get=True)
BRDGSFILT = _brdg("BRDGSFILT", 24, IfbrParam)

SIOCSDRVSPEC = declare(
    Ioctl("SIOCSDRVSPEC", "i", 123, IN, IfDrv, size=28, suser=True, man="bridge.4")
)
SIOCGDRVSPEC = declare(Ioctl("SIOCGDRVSPEC", "i", 123, INOUT, IfDrv, size=28, man="bridge.4"))
