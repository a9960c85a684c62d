"""Ioctls of vlan(4), agr(4) and carp(4): requests about one interface behind or beside another.

SIOCSETVLAN and SIOCSETAGR are SIOCSIFGENERIC under another name, and so for the getters: what the
argument is, only the driver knows.
"""

from __future__ import annotations

from typing import Final

from libnet.ioctl.registry import IN, INOUT, Ioctl, declare
from libnet.ioctl.sockio import VlanReq
from libnet.record import Struct

AGRREQ_VERSION: Final = 2
AGRCMD_ADDPORT: Final = 1
AGRCMD_REMPORT: Final = 2
AGRCMD_PORTLIST: Final = 3
AGRPORTINFO_BITS: Final = ((1, "COLLECTING"), (2, "DISTRIBUTING"))

CARP_STATES: Final = ("INIT", "BACKUP", "MASTER")
CARP_KEY_LEN: Final = 20


class AgrPortInfo(Struct):
    """struct agrportinfo: a member; flags 1 collecting, 2 distributing."""

    ifname: str
    flags: int = 0


class AgrReq(Struct):
    """struct agrreq: add or remove member *port*, or list the members in *ports*."""

    name: str
    version: int = AGRREQ_VERSION
    cmd: int = 0
    port: str = ""
    ports: list[AgrPortInfo] = []


class CarpReq(Struct):
    """struct carpreq. state: index into CARP_STATES; carpdev: the physical interface, "" for none."""

    name: str
    state: int = 0
    carpdev: str = ""
    vhid: int = 0
    advskew: int = 0
    advbase: int = 0
    key: bytes = b""


def _row(name: str, num: int, dir: int, arg: type[Struct], man: str, su: bool = False) -> Ioctl:
    return declare(Ioctl(name, "i", num, dir, arg, size=32, suser=su, man=man))


SIOCSETVLAN = _row("SIOCSETVLAN", 57, IN, VlanReq, "vlan.4", True)
SIOCGETVLAN = _row("SIOCGETVLAN", 58, INOUT, VlanReq, "vlan.4")
SIOCSETAGR = _row("SIOCSETAGR", 57, IN, AgrReq, "agr.4", True)
SIOCGETAGR = _row("SIOCGETAGR", 58, INOUT, AgrReq, "agr.4")
SIOCSVH = _row("SIOCSVH", 130, INOUT, CarpReq, "carp.4", True)
SIOCGVH = _row("SIOCGVH", 131, INOUT, CarpReq, "carp.4")
