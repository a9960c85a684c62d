"""in_control: the ioctls that give interfaces their IPv4 addresses (NetBSD netinet/in.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from libnet.addr import AF_INET, Sockaddr, SockaddrIn, class_mask, mask_prefix, prefix_mask
from libnet.engine.inet.in_var import IFA_ROUTE, prefix
from libnet.engine.kern.log import DEBUG1
from libnet.engine.link.ifnet import Ifaddr, Ifnet
from libnet.engine.pfil.pfil import (
    IF_DELADDR,
    IF_DETACH,
    IF_FLAGS,
    IF_NEWADDR,
)
from libnet.errors import NetError
from libnet.ioctl import sockio as s
from libnet.ioctl.ifflags import (
    IFF_BROADCAST,
    IFF_LOOPBACK,
    IFF_MULTICAST,
    IFF_POINTOPOINT,
    IFF_RUNNING,
    IFF_UP,
    IFT_ETHER,
    IFT_IEEE80211,
)
from libnet.wire.igmp import INADDR_ALLHOSTS_GROUP
from libnet.wire.rtsock import RTF_HOST

if TYPE_CHECKING:
    from libnet.engine.inet.igmp import InMulti
    from libnet.engine.inet.inetstack import InetStack

IFLR_PREFIX: Final = 0x8000
_ARP_TYPES: Final = (IFT_ETHER, IFT_IEEE80211)


class InControl:
    """Handlers of one stack; `table()` gives them by name."""

    def __init__(self, stack: InetStack) -> None:
        self.stack = stack
        self._allhosts: dict[Ifaddr, InMulti] = {}

    def table(self) -> dict[str, Callable[[Any], Any]]:
        """Return handler by ioctl name."""
        return {
            "SIOCSIFADDR": self.sifaddr,
            "SIOCSIFDSTADDR": self.sifdstaddr,
            "SIOCSIFBRDADDR": self.sifbrdaddr,
            "SIOCSIFNETMASK": self.sifnetmask,
            "SIOCDIFADDR": self.difaddr,
            "SIOCAIFADDR": self.aifaddr,
            "SIOCGIFALIAS": self.gifalias,
            "SIOCALIFADDR": self.alifaddr,
            "SIOCGLIFADDR": self.glifaddr,
            "SIOCDLIFADDR": self.dlifaddr,
            "SIOCSIFADDRPREF": self.sifaddrpref,
            "SIOCGIFADDRPREF": self.gifaddrpref,
            "SIOCGIFADDR": self.gifaddr,
            "SIOCGIFDSTADDR": self.gifdstaddr,
            "SIOCGIFBRDADDR": self.gifbrdaddr,
            "SIOCGIFNETMASK": self.gifnetmask,
            "SIOCGIFCONF": self.gifconf,
        }

    # -- finding

    def _ifp(self, name: str) -> Ifnet:
        ifp = self.stack.ifunit(name)
        if ifp is None:
            raise NetError("ENXIO")
        return ifp

    def _first(self, name: str) -> tuple[Ifnet, Ifaddr]:
        ifp = self._ifp(name)
        ifa = self.stack.ip.addrs.first(ifp)
        if ifa is None:
            raise NetError("EADDRNOTAVAIL")
        return ifp, ifa

    def _of(self, ifp: Ifnet, addr: Sockaddr) -> Ifaddr:
        """Return the address of *ifp* that *addr* names, its first one when it names none."""
        if isinstance(addr, SockaddrIn):
            ifa = self.stack.ip.addrs.on(addr.addr, ifp)
        elif type(addr) is Sockaddr:
            ifa = self.stack.ip.addrs.first(ifp)
        else:
            raise NetError("EAFNOSUPPORT")
        if ifa is None:
            raise NetError("EADDRNOTAVAIL")
        return ifa

    # -- asking

    def gifaddr(self, req: s.IfReq) -> s.IfReq:
        """SIOCGIFADDR: the first address."""
        _ifp, ifa = self._first(req.name)
        return s.IfReq(req.name, addr=SockaddrIn(ifa.addr))

    def gifdstaddr(self, req: s.IfReq) -> s.IfReq:
        """SIOCGIFDSTADDR. Raises EINVAL off point-to-point links."""
        ifp, ifa = self._first(req.name)
        if not ifp.flags & IFF_POINTOPOINT:
            raise NetError("EINVAL")
        return s.IfReq(req.name, addr=SockaddrIn(ifa.dstaddr))

    def gifbrdaddr(self, req: s.IfReq) -> s.IfReq:
        """SIOCGIFBRDADDR. Raises EINVAL where nothing can be broadcast."""
        ifp, ifa = self._first(req.name)
        if not ifp.flags & IFF_BROADCAST:
            raise NetError("EINVAL")
        return s.IfReq(req.name, addr=SockaddrIn(ifa.broadaddr))

    def gifnetmask(self, req: s.IfReq) -> s.IfReq:
        """SIOCGIFNETMASK."""
        _ifp, ifa = self._first(req.name)
        return s.IfReq(req.name, addr=SockaddrIn(ifa.mask))

    def gifalias(self, req: s.IfAliasReq) -> s.IfAliasReq:
        """SIOCGIFALIAS: mask and peer or broadcast address of one address."""
        ifp = self._ifp(req.name)
        ifa = self._of(ifp, req.addr)
        other: Sockaddr = Sockaddr()
        if ifp.flags & IFF_POINTOPOINT:
            if ifa.dstaddr:
                other = SockaddrIn(ifa.dstaddr)
        elif ifp.flags & IFF_BROADCAST:
            other = SockaddrIn(ifa.broadaddr)
        return s.IfAliasReq(req.name, SockaddrIn(ifa.addr), other, SockaddrIn(ifa.mask))

    def gifconf(self, _req: s.IfConf) -> s.IfConf:
        """SIOCGIFCONF: every address; an interface that has none appears once, with none."""
        found: list[s.IfReq] = []
        for ifp in self.stack.ifnets.values():
            addrs = ifp.inet_addrs(AF_INET)
            found += [s.IfReq(ifp.name, addr=SockaddrIn(ifa.addr)) for ifa in addrs]
            if not addrs:
                found.append(s.IfReq(ifp.name))
        return s.IfConf(found)

    def gifaddrpref(self, req: s.IfAddrPrefReq) -> s.IfAddrPrefReq:
        """SIOCGIFADDRPREF."""
        ifa = self._pref(req)
        return s.IfAddrPrefReq(req.name, ifa.preference, SockaddrIn(ifa.addr))

    def _pref(self, req: s.IfAddrPrefReq) -> Ifaddr:
        ifp = self._ifp(req.name)
        if not isinstance(req.addr, SockaddrIn):
            raise NetError("EINVAL")
        return self._of(ifp, req.addr)

    # -- setting

    def sifaddrpref(self, req: s.IfAddrPrefReq) -> None:
        """SIOCSIFADDRPREF. Raises EINVAL outside a C short."""
        if not -32768 <= req.preference <= 32767:
            raise NetError("EINVAL")
        self._pref(req).preference = req.preference

    def sifaddr(self, req: s.IfReq) -> None:
        """SIOCSIFADDR: set the first address, under its classful mask if it has no other."""
        ifp = self._ifp(req.name)
        addr = _in(req.addr)
        ifa = self.stack.ip.addrs.first(ifp)
        if ifa is None:
            self._new(ifp, addr, 0, 0, None)
            return
        self._told_deleted(ifa)
        self._scrub(ifa)
        self._in_ifinit(ifp, ifa, addr)
        self.stack.pfil.event(IF_NEWADDR, ifp, ifa)

    def sifdstaddr(self, req: s.IfReq) -> None:
        """SIOCSIFDSTADDR."""
        addr = _in(req.addr)
        ifp, ifa = self._first(req.name)
        if not ifp.flags & IFF_POINTOPOINT:
            raise NetError("EINVAL")
        routed = bool(ifa.flags & IFA_ROUTE)
        if routed:
            self._rtinit_delete(ifa)
        ifa.dstaddr = addr
        self.stack.ip.addrs.rebuild()
        if routed:
            self.stack.route.rtinit(ifa, "add", RTF_HOST)
            ifa.flags |= IFA_ROUTE

    def sifbrdaddr(self, req: s.IfReq) -> None:
        """SIOCSIFBRDADDR."""
        addr = _in(req.addr)
        ifp, ifa = self._first(req.name)
        if not ifp.flags & IFF_BROADCAST:
            raise NetError("EINVAL")
        ifa.broadaddr = addr
        self._changed()

    def sifnetmask(self, req: s.IfReq) -> None:
        """SIOCSIFNETMASK. Raises EINVAL for a mask with holes."""
        ifp, ifa = self._first(req.name)
        mask = _mask(req.addr)
        self._scrub(ifa)
        ifa.mask = mask
        self._in_ifinit(ifp, ifa, ifa.addr)
        self.stack.pfil.event(IF_NEWADDR, ifp, ifa)

    def aifaddr(self, req: s.IfAliasReq) -> None:
        """SIOCAIFADDR: add an address, or change mask, peer or broadcast address of one."""
        ifp = self._ifp(req.name)
        mask = 0 if type(req.mask) is Sockaddr else _mask(req.mask)
        other = None if type(req.dstaddr) is Sockaddr else _in(req.dstaddr)
        if type(req.addr) is Sockaddr:
            ifa = self.stack.ip.addrs.first(ifp)
            if ifa is None:
                raise NetError("EAFNOSUPPORT")
            addr = ifa.addr
        else:
            addr = _in(req.addr)
            ifa = self.stack.ip.addrs.on(addr, ifp)
        if ifa is None:
            self._new(ifp, addr, mask, other or 0, other)
            return
        remade = False
        if mask:
            self._scrub(ifa)
            ifa.mask = mask
            remade = True
        if ifp.flags & IFF_POINTOPOINT and other is not None:
            self._scrub(ifa)
            ifa.dstaddr = other
            remade = True
        if remade:
            self._in_ifinit(ifp, ifa, addr)
        if ifp.flags & IFF_BROADCAST and other is not None:
            ifa.broadaddr = other
            self._changed()
        self.stack.pfil.event(IF_NEWADDR, ifp, ifa)

    def _new(self, ifp: Ifnet, addr: int, mask: int, dst: int, broad: int | None) -> None:
        ifa = Ifaddr(ifp, AF_INET, addr, mask)
        ifa.dstaddr = dst
        ifp.addrs.append(ifa)
        self.stack.ip.addrs.list.append(ifa)
        try:
            self._in_ifinit(ifp, ifa, addr)
        except NetError:
            self._in_purgeaddr(ifa)
            raise
        if ifp.flags & IFF_BROADCAST and broad is not None:
            ifa.broadaddr = broad
            self._changed()
        self.stack.pfil.event(IF_NEWADDR, ifp, ifa)

    def difaddr(self, req: s.IfReq) -> None:
        """SIOCDIFADDR: remove an address; without one the first. Raises EADDRNOTAVAIL."""
        ifp = self._ifp(req.name)
        self.remove(self._of(ifp, req.addr))

    def remove(self, ifa: Ifaddr) -> None:
        """Take *ifa* away and tell."""
        self._in_purgeaddr(ifa)
        self._told_deleted(ifa)

    def _told_deleted(self, ifa: Ifaddr) -> None:
        self.stack.pfil.event(IF_DELADDR, ifa.ifp, ifa)

    # -- with a prefix length

    def alifaddr(self, req: s.IfLaddrReq) -> None:
        """SIOCALIFADDR. Raises EINVAL for IFLR_PREFIX: no host part can be made up."""
        self._checked(req)
        if req.flags & IFLR_PREFIX:
            raise NetError("EINVAL")
        mask = SockaddrIn(prefix_mask(req.prefixlen))
        self.aifaddr(s.IfAliasReq(req.name, req.addr, req.dstaddr, mask))

    def glifaddr(self, req: s.IfLaddrReq) -> s.IfLaddrReq:
        """SIOCGLIFADDR: the first address, or with IFLR_PREFIX the first of that prefix."""
        ifp = self._ifp(req.name)
        if not 0 <= req.prefixlen <= 32:
            raise NetError("EINVAL")
        if req.flags & IFLR_PREFIX:
            ifa = self._matching(ifp, req)
        else:
            ifa = self.stack.ip.addrs.first(ifp)
        if ifa is None:
            raise NetError("EADDRNOTAVAIL")
        peer = SockaddrIn(ifa.dstaddr) if ifp.flags & IFF_POINTOPOINT else Sockaddr()
        return s.IfLaddrReq(req.name, 0, mask_prefix(ifa.mask) or 0, SockaddrIn(ifa.addr), peer)

    def dlifaddr(self, req: s.IfLaddrReq) -> None:
        """SIOCDLIFADDR: that address, or with IFLR_PREFIX the first of that prefix."""
        ifp = self._checked(req)
        if req.flags & IFLR_PREFIX:
            ifa = self._matching(ifp, req)
        else:
            ifa = self.stack.ip.addrs.on(_in(req.addr), ifp)
        if ifa is None:
            raise NetError("EADDRNOTAVAIL")
        self.remove(ifa)

    def _checked(self, req: s.IfLaddrReq) -> Ifnet:
        ifp = self._ifp(req.name)
        if not isinstance(req.addr, SockaddrIn) or not 0 <= req.prefixlen <= 32:
            raise NetError("EINVAL")
        if type(req.dstaddr) is not Sockaddr and not isinstance(req.dstaddr, SockaddrIn):
            raise NetError("EINVAL")
        return ifp

    def _matching(self, ifp: Ifnet, req: s.IfLaddrReq) -> Ifaddr | None:
        if not isinstance(req.addr, SockaddrIn):
            raise NetError("EINVAL")
        mask = prefix_mask(req.prefixlen)
        if req.addr.addr & ~mask:
            raise NetError("EINVAL")
        for ifa in ifp.inet_addrs(AF_INET):
            if ifa.addr & mask == req.addr.addr:
                return ifa
        return None

    # -- the work

    def _changed(self) -> None:
        self.stack.ip.addrs.rebuild()
        self.stack.ip.flow.invalidate_all()

    def _in_ifinit(self, ifp: Ifnet, ifa: Ifaddr, addr: int) -> None:
        """Give *ifa* its address: the interface is started, the route to its net made (in_ifinit)."""
        stack = self.stack
        ifp.setaddr()
        ifa.addr = addr
        ifa.mask = ifa.mask or class_mask(addr)
        ifa.metric = ifp.metric
        if ifp.flags & IFF_BROADCAST:
            ifa.broadaddr = (addr & ifa.mask) | (ifa.mask ^ 0xFFFFFFFF)
        elif ifp.flags & IFF_LOOPBACK:
            ifa.dstaddr = addr
        self._changed()
        stack.arp.ifaddr_changed(ifa)
        # As the driver's answer to SIOCSIFADDR: an interface with an address is up.
        if ifp.flags & (IFF_UP | IFF_RUNNING) != IFF_UP | IFF_RUNNING:
            ifp.up()
        if ifp.type in _ARP_TYPES and not ifp.flags & (IFF_LOOPBACK | IFF_POINTOPOINT):
            stack.arp.ifinit(ifp, ifa)
        if ifp.flags & IFF_POINTOPOINT and not ifa.dstaddr:
            return
        self._addprefix(ifa)
        if ifp.flags & IFF_MULTICAST and ifa not in self._allhosts:
            self._allhosts[ifa] = stack.igmp.in_addmulti(INADDR_ALLHOSTS_GROUP, ifp)

    def _addprefix(self, target: Ifaddr) -> None:
        """Make the route to the prefix unless another address has made it (in_addprefix)."""
        want = prefix(target)
        for ifa in self.stack.ip.addrs.list:
            if ifa.flags & IFA_ROUTE and prefix(ifa) == want:
                return
        if not target.addr and want[1] != 0xFFFFFFFF:
            return  # 0.0.0.0 is "this host, whoever it is": no net goes with it
        self.stack.route.rtinit(target, "add", _rtflags(target))
        target.flags |= IFA_ROUTE

    def _scrub(self, target: Ifaddr) -> None:
        """Remove the route to the prefix; another address of it takes over (in_scrubprefix)."""
        if not target.flags & IFA_ROUTE:
            return
        want = prefix(target)
        self._rtinit_delete(target)
        for ifa in self.stack.ip.addrs.list:
            if ifa is not target and not ifa.flags & IFA_ROUTE and prefix(ifa) == want:
                try:
                    self.stack.route.rtinit(ifa, "add", _rtflags(ifa))
                except NetError:
                    continue
                ifa.flags |= IFA_ROUTE
                return

    def _rtinit_delete(self, ifa: Ifaddr) -> None:
        ifa.flags &= ~IFA_ROUTE
        try:
            self.stack.route.rtinit(ifa, "delete", _rtflags(ifa))
        except NetError as exc:
            # It has gone already, by hand or with the interface: that is what we want.
            if exc.symbol != "ESRCH":
                self.stack.log(DEBUG1, f"in_scrubprefix: {ifa.ifp.name}: {exc.strerror}")

    def _in_purgeaddr(self, ifa: Ifaddr) -> None:
        """Forget an address and what went with it (in_purgeaddr)."""
        stack = self.stack
        if ifa in ifa.ifp.addrs:
            ifa.ifp.addrs.remove(ifa)
        if ifa in stack.ip.addrs.list:
            stack.ip.addrs.list.remove(ifa)
        self._changed()
        self._scrub(ifa)
        stack.arp.ifaddr_changed(ifa)
        inm = self._allhosts.pop(ifa, None)
        if inm is not None:
            stack.igmp.in_delmulti(inm)

    def ifnet_hook(self, event: str, ifp: Ifnet, _arg: Any) -> None:
        """Hear of interfaces: one that leaves takes its addresses along (in_purgeif)."""
        if event == IF_DETACH:
            for ifa in ifp.inet_addrs(AF_INET):
                self._in_purgeaddr(ifa)
            self.stack.arp.ifdetach(ifp)
            self.stack.rip.purgeif(ifp)
            self.stack.igmp.ifdetach(ifp)
        elif event == IF_FLAGS and not ifp.flags & IFF_UP:
            self.stack.arp.ifdetach(ifp)
        self.stack.ip.ifnet_hook(event, ifp, _arg)


def _rtflags(ifa: Ifaddr) -> int:
    return RTF_HOST if ifa.ifp.flags & (IFF_LOOPBACK | IFF_POINTOPOINT) else 0


def _in(addr: Sockaddr) -> int:
    if not isinstance(addr, SockaddrIn):
        raise NetError("EAFNOSUPPORT")
    if not 0 <= addr.addr <= 0xFFFFFFFF:
        raise NetError("EINVAL")
    return addr.addr


def _mask(addr: Sockaddr) -> int:
    mask = _in(addr)
    if mask_prefix(mask) is None:
        raise NetError("EINVAL")
    return mask
