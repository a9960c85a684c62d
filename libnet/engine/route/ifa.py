"""Which interface address belongs to a sockaddr (ifa_ifwith*() of NetBSD <net/if.c>, IPv4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from libnet.addr import AF_INET, Sockaddr, SockaddrDl, SockaddrIn
from libnet.ioctl.ifflags import IFF_POINTOPOINT

if TYPE_CHECKING:
    from libnet.engine.kern.base import StackBase
    from libnet.engine.link.ifnet import Ifaddr, Ifnet


def ifa_ifwithaddr(stack: StackBase, addr: int) -> Ifaddr | None:
    """Return the interface address that is *addr*, or has it for its broadcast address."""
    for ifp in stack.ifnets.values():
        for ifa in ifp.addrs:
            if ifa.family == AF_INET and (
                ifa.addr == addr or (ifa.broadaddr and ifa.broadaddr == addr)
            ):
                return ifa
    return None


def ifa_ifwithdstaddr(stack: StackBase, addr: int) -> Ifaddr | None:
    """Return the address of the point-to-point interface whose other end is *addr*."""
    for ifp in stack.ifnets.values():
        if ifp.flags & IFF_POINTOPOINT:
            for ifa in ifp.addrs:
                if ifa.family == AF_INET and ifa.dstaddr == addr:
                    return ifa
    return None


def ifa_ifwithnet(stack: StackBase, addr: int) -> Ifaddr | None:
    """Return the address whose network holds *addr*, the longest mask first."""
    best: Ifaddr | None = None
    for ifp in stack.ifnets.values():
        for ifa in ifp.addrs:
            if (
                ifa.family == AF_INET
                and not (ifa.addr ^ addr) & ifa.mask
                and (best is None or ifa.mask > best.mask)
            ):
                best = ifa
    return best


def ifaof_ifpforaddr(ifp: Ifnet, addr: int) -> Ifaddr | None:
    """Return the address of *ifp* that suits *addr* best; its first one when none does."""
    first: Ifaddr | None = None
    for ifa in ifp.addrs:
        if ifa.family != AF_INET:
            continue
        if first is None:
            first = ifa
        if addr in (ifa.addr, ifa.dstaddr) or not (ifa.addr ^ addr) & ifa.mask:
            return ifa
    return first


def ifp_ofsockaddr(stack: StackBase, addr: Sockaddr | None) -> Ifnet | None:
    """Return the interface that a link-level sockaddr names, by index, else by name."""
    if not isinstance(addr, SockaddrDl):
        return None
    if addr.index:
        return stack.ifnets.get(addr.index)
    return stack.ifunit(addr.name) if addr.name else None


def inet_of(addr: Sockaddr | None) -> int | None:
    """Return the IPv4 address of a sockaddr, None for another kind."""
    return addr.addr if isinstance(addr, SockaddrIn) else None
