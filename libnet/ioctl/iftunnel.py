"""Ioctls of tunnels: the outer addresses of gif(4) and gre(4)."""

from __future__ import annotations

from libnet.ioctl.registry import IN, INOUT, Ioctl, declare
from libnet.ioctl.sockio import IfAliasReq, IfLaddrReq, IfReq
from libnet.record import Struct


def _t(name: str, num: int, dir: int, arg: type[Struct], size: int, su: bool = False) -> Ioctl:
    return declare(Ioctl(name, "i", num, dir, arg, size=size, suser=su, man="gif.4"))


SIOCSIFPHYADDR = _t("SIOCSIFPHYADDR", 70, IN, IfAliasReq, 64, True)
SIOCGIFPSRCADDR = _t("SIOCGIFPSRCADDR", 71, INOUT, IfReq, 32)
SIOCGIFPDSTADDR = _t("SIOCGIFPDSTADDR", 72, INOUT, IfReq, 32)
SIOCDIFPHYADDR = _t("SIOCDIFPHYADDR", 73, IN, IfReq, 32, True)
SIOCSLIFPHYADDR = _t("SIOCSLIFPHYADDR", 74, IN, IfLaddrReq, 280, True)
SIOCGLIFPHYADDR = _t("SIOCGLIFPHYADDR", 75, INOUT, IfLaddrReq, 280)
