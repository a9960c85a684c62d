"""The box's IPv4 addresses: one list, and the dicts that ip_input looks them up in (in_var.h)."""

from __future__ import annotations

from typing import Final

from libnet.addr import AF_INET, INADDR_ANY, INADDR_BROADCAST, class_mask
from libnet.engine.link.ifnet import Ifaddr, Ifnet
from libnet.ioctl.ifflags import IFF_BROADCAST, IFF_LOOPBACK, IFF_POINTOPOINT

IFA_ROUTE: Final = 0x01  # the route to the prefix was made for this address
IN_LOOPBACKNET: Final = 127

_NONE: Final[frozenset[int]] = frozenset()


def in_canforward(addr: int) -> bool:
    """Tell whether a datagram to or from *addr* may cross a router.

    Classes D and E may not, nor nets 0 and 127 (RFC 1122 3.2.1.3).
    """
    net = addr >> 24
    return net < 0xE0 and net not in (0, IN_LOOPBACKNET)


def subnet(ifa: Ifaddr) -> int:
    """Return the network number of *ifa* under its mask."""
    return ifa.addr & ifa.mask


def classful(ifa: Ifaddr) -> int:
    """Return the classful netmask of *ifa*, shortened to its mask when it is a supernet's."""
    return class_mask(ifa.addr) & (ifa.mask or 0xFFFFFFFF)


def prefix(ifa: Ifaddr) -> tuple[int, int]:
    """Return (destination, mask) of the route that *ifa* stands for."""
    if ifa.ifp.flags & (IFF_LOOPBACK | IFF_POINTOPOINT):
        return ifa.dstaddr, 0xFFFFFFFF
    return ifa.addr & ifa.mask, ifa.mask


class InAddrs:
    """All addresses in order of entry (in_ifaddrhead), and what is found from them.

    local      addresses by value: several interfaces may bear one
    bcasts     destinations that mean "everybody here", by interface index
    hostzero   whether a zero host part counts when sending (net.inet.ip.hostzerobroadcast)
    """

    def __init__(self) -> None:
        self.list: list[Ifaddr] = []
        self.local: dict[int, tuple[Ifaddr, ...]] = {}
        self.bcasts: dict[int, frozenset[int]] = {}
        self.anyone: set[int] = set()
        self.hostzero = 1

    def rebuild(self) -> None:
        """Note that an address, a mask or a broadcast address changed."""
        local: dict[int, tuple[Ifaddr, ...]] = {}
        bcasts: dict[int, set[int]] = {}
        self.anyone = set()
        for ifa in self.list:
            local[ifa.addr] = (*local.get(ifa.addr, ()), ifa)
            if not ifa.ifp.flags & IFF_BROADCAST:
                continue
            net = classful(ifa)
            bcasts.setdefault(ifa.ifp.index, set()).update(
                (
                    ifa.broadaddr,
                    (ifa.addr & net) | (net ^ 0xFFFFFFFF),
                    ifa.addr & ifa.mask,
                    ifa.addr & net,
                )
            )
            if ifa.addr == INADDR_ANY:
                self.anyone.add(ifa.ifp.index)
        self.local = local
        self.bcasts = {index: frozenset(found - {0}) for index, found in bcasts.items()}

    def heard(self, ifp: Ifnet) -> frozenset[int]:
        """Return the broadcast addresses that *ifp* listens to."""
        return self.bcasts.get(ifp.index, _NONE)

    def first(self, ifp: Ifnet) -> Ifaddr | None:
        """Return the first IPv4 address of *ifp* (IFP_TO_IA)."""
        for ifa in ifp.addrs:
            if ifa.family == AF_INET:
                return ifa
        return None

    def on(self, addr: int, ifp: Ifnet) -> Ifaddr | None:
        """Return the address *addr* of *ifp*."""
        for ifa in self.local.get(addr, ()):
            if ifa.ifp is ifp:
                return ifa
        return None

    def ifwithaddr(self, addr: int) -> Ifaddr | None:
        """Return an address equal to *addr*, or one whose broadcast address it is."""
        found = self.local.get(addr)
        if found:
            return found[0]
        for ifa in self.list:
            if ifa.ifp.flags & IFF_BROADCAST and ifa.broadaddr == addr and addr:
                return ifa
        return None

    def ifwithdstaddr(self, addr: int) -> Ifaddr | None:
        """Return the address of the point-to-point interface whose peer is *addr*."""
        for ifa in self.list:
            if ifa.ifp.flags & IFF_POINTOPOINT and ifa.dstaddr == addr and addr:
                return ifa
        return None

    def ifwithnet(self, addr: int) -> Ifaddr | None:
        """Return the address whose network has *addr*, the longest mask first."""
        best = None
        for ifa in self.list:
            if (addr ^ ifa.addr) & ifa.mask == 0 and (best is None or ifa.mask > best.mask):
                best = ifa
        return best

    def ifwithladdr(self, addr: int) -> Ifaddr | None:
        """Return an address by which *addr* is reached without a router (ifa_ifwithladdr)."""
        return self.ifwithaddr(addr) or self.ifwithdstaddr(addr) or self.ifwithnet(addr)

    def ifaof_ifpforaddr(self, addr: int, ifp: Ifnet) -> Ifaddr | None:
        """Return the address of *ifp* that suits *addr* best, any address of it otherwise."""
        maybe = None
        for ifa in ifp.addrs:
            if ifa.family != AF_INET:
                continue
            maybe = maybe or ifa
            if ifp.flags & IFF_POINTOPOINT:
                if addr == ifa.dstaddr:
                    return ifa
            elif (addr ^ ifa.addr) & ifa.mask == 0:
                return ifa
        return maybe

    def in_broadcast(self, addr: int, ifp: Ifnet) -> bool:
        """Tell whether *addr* is a broadcast on *ifp*, as a sender sees it."""
        if addr in (INADDR_BROADCAST, INADDR_ANY):
            return True
        if not ifp.flags & IFF_BROADCAST:
            return False
        heard = self.bcasts.get(ifp.index)
        if heard is None or addr not in heard:
            return False
        for ifa in ifp.addrs:
            if ifa.family != AF_INET or addr == ifa.addr:
                continue
            net = classful(ifa)
            if addr in (ifa.broadaddr, (ifa.addr & net) | (net ^ 0xFFFFFFFF)):
                return True
            if self.hostzero and addr in (ifa.addr & ifa.mask, ifa.addr & net):
                return True
        return False

    def in_localaddr(self, addr: int, *, subnets: bool) -> bool:
        """Tell whether *addr* is on a network of ours; with *subnets*, on any subnet of one."""
        for ifa in self.list:
            mask = classful(ifa) if subnets else ifa.mask
            if (addr ^ ifa.addr) & mask == 0:
                return True
        return False
