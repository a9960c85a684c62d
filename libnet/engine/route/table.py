"""The IPv4 routing table (NetBSD <net/route.c>; several routes to one destination as QNX 6.6 has them).

Instead of a radix tree there is one dict for each prefix length, and one for host routes, which come
before all prefixes. A value is the list of routes to that destination in order of entry; the first
that is up is used. What a lookup found is remembered by destination until something changes, so that
looking up again is one dict get.

Cloning. A connected network's route is RTF_CLONING and its gateway is a link address without octets
("link#2"). Looking up a host of it makes a host route, RTF_CLONED, whose gateway ARP fills in.

Hooks. `rtrequest_hook[AF_INET](cmd, rt)` hears "add", "resolve" (a clone) and "delete" of routes
over interfaces with link addresses; that is ARP (arp_rtrequest).

Proxy-only ARP entries (SIN_PROXY) are routes that no packet follows: they have a dict of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

from libnet.addr import AF_INET, Sockaddr, SockaddrDl, SockaddrIn, mask_prefix, prefix_mask
from libnet.clock import Callout
from libnet.engine.pfil.pfil import IF_DELADDR, IF_DETACH, IF_NEWADDR
from libnet.engine.route import ifa as ifalib
from libnet.errors import NetError
from libnet.ioctl.ifflags import IFF_LOOPBACK, IFF_POINTOPOINT, IFT_ETHER, IFT_IEEE80211
from libnet.wire.rtsock import (
    RTF_CLONED,
    RTF_CLONING,
    RTF_DONE,
    RTF_DYNAMIC,
    RTF_GATEWAY,
    RTF_HOST,
    RTF_MODIFIED,
    RTF_STATIC,
    RTF_UP,
    RTF_XRESOLVE,
    RTM_ADD,
    RTM_DELETE,
    RTM_LOSING,
    RTM_MISS,
    RTM_REDIRECT,
    RTM_RESOLVE,
    RTV_MTU,
    RtAddrs,
    RtMetrics,
    RtMsg,
)

if TYPE_CHECKING:
    from libnet.engine.kern.base import StackBase
    from libnet.engine.link.ifnet import Ifaddr, Ifnet
    from libnet.engine.route.rtsock import RouteSockets

MAXROUTES: Final = 65536  # entries of one table; more are ENOBUFS
MAXCACHE: Final = 4096  # destinations remembered; then the memory starts afresh

_HOST: Final = 33  # rank of host routes, above every prefix length
_ALL: Final = 0xFFFFFFFF

Gateway = SockaddrIn | SockaddrDl


class Rtentry:
    """struct rtentry.

    dst, mask    host integers; mask is all ones for a host route
    plen         prefix length
    gateway      next hop (SockaddrIn), link address (SockaddrDl), or None
    flags        RTF_*
    ifp, ifa     interface to use, and the source address that goes with it
    mtu, hopcount, recvpipe, sendpipe, ssthresh, rtt, rttvar, pksent   metrics, 0 for not set
    expire       seconds since 1970, 0 for never     locks  RTV_* bits of metrics that must stay
    use          packets sent by it                  refs   holders: clones, gateway routes, pcbs
    llinfo       ARP's state                         parent the route it was cloned from
    genmask      mask of the clones it makes         gwroute  route to the gateway, see gateroute()
    proxy        whether it is a proxy-only ARP entry
    timers       callouts by name, stopped when the route goes
    """

    __slots__ = (
        "dst",
        "expire",
        "flags",
        "gateway",
        "genmask",
        "gwroute",
        "hopcount",
        "ifa",
        "ifp",
        "llinfo",
        "locks",
        "mask",
        "mtu",
        "parent",
        "pksent",
        "plen",
        "proxy",
        "rank",
        "recvpipe",
        "refs",
        "rtt",
        "rttvar",
        "sendpipe",
        "ssthresh",
        "timers",
        "use",
    )

    def __init__(self, dst: int, mask: int, rank: int, flags: int, ifa: Ifaddr) -> None:
        self.dst, self.mask, self.rank, self.flags = dst, mask, rank, flags
        self.plen = min(rank, 32)
        self.ifa = ifa
        self.ifp: Ifnet = ifa.ifp
        self.gateway: Gateway | None = None
        self.genmask: int | None = None
        self.gwroute: Rtentry | None = None
        self.parent: Rtentry | None = None
        self.llinfo: Any = None
        self.proxy = False
        self.timers: dict[str, Callout] | None = None
        self.use = self.refs = self.pksent = 0
        self.mtu = self.hopcount = self.expire = self.recvpipe = self.sendpipe = 0
        self.ssthresh = self.rtt = self.rttvar = self.locks = 0

    @property
    def netmask(self) -> int | None:
        """The mask of a network route, None for a host route."""
        return None if self.rank == _HOST else self.mask

    def metrics(self) -> RtMetrics:
        """Return struct rt_metrics."""
        return RtMetrics(
            self.locks,
            self.mtu,
            self.hopcount,
            self.expire,
            self.recvpipe,
            self.sendpipe,
            self.ssthresh,
            self.rtt,
            self.rttvar,
            self.pksent,
        )

    def __repr__(self) -> str:
        return f"<rt {self.dst:08x}/{self.plen} flags {self.flags:x} via {self.gateway!r}>"


class RouteTable:
    """The table of one stack, `stack.route`.

    generation      bumped at every change; whoever keeps what a lookup gave compares it
    rtrequest_hook  called (cmd, rt) by family, see the module
    sockets         who tells the routing sockets; None until there are any
    """

    def __init__(self, stack: StackBase) -> None:
        self.stack = stack
        self.stat = stack.stat("route")
        self.generation = 0
        self.rtrequest_hook: dict[int, Callable[[str, Rtentry], None]] = {}
        self.sockets: RouteSockets | None = None
        self._nets: list[dict[int, list[Rtentry]]] = [{} for _ in range(_HOST + 1)]
        # (mask, dict) of the prefix lengths in use, longest first.
        self._order: tuple[tuple[int, dict[int, list[Rtentry]]], ...] = ()
        self._cache: dict[int, Rtentry] = {}
        self._proxies: dict[int, Rtentry] = {}
        self._count = 0
        stack.pfil.add_ifnet(self._ifnet_event)

    # -- looking up

    def rtalloc(self, dst: int, report: bool = True) -> Rtentry | None:
        """Return the most specific route to *dst*; a cloning route makes a host route of itself.

        report  whether routing sockets hear of a miss or a clone
        """
        rt = self._cache.get(dst)
        return rt if rt is not None else self._rtalloc(dst, report)

    def _rtalloc(self, dst: int, report: bool) -> Rtentry | None:
        rt = self.rtlookup(dst)
        if rt is None:
            self.stat["unreach"] += 1
            if report:
                self.rt_missmsg(RTM_MISS, RtAddrs(SockaddrIn(dst)))
            return None
        if rt.flags & RTF_CLONING:
            try:
                rt = self._clone(rt, dst)
            except NetError as exc:
                # The table is full: the packet may still leave by the network's own route.
                if report:
                    self.rt_missmsg(RTM_MISS, RtAddrs(SockaddrIn(dst)), error=exc.symbol)
                return rt
            if report:
                if rt.flags & RTF_XRESOLVE:
                    self.rt_missmsg(RTM_RESOLVE, RtAddrs(SockaddrIn(dst)))
                else:
                    addrs = RtAddrs(
                        SockaddrIn(rt.dst),
                        rt.gateway,
                        rt.netmask,
                        ifp=rt.ifp.sockaddr_dl(),
                        ifa=SockaddrIn(rt.ifa.addr),
                    )
                    self.rt_missmsg(RTM_ADD, addrs, rt.flags)
        if len(self._cache) >= MAXCACHE:
            self._cache.clear()
        self._cache[dst] = rt
        return rt

    def rtlookup(self, dst: int) -> Rtentry | None:
        """Return the most specific route to *dst*; nothing is cloned, counted or told."""
        for mask, routes in self._order:
            found = routes.get(dst & mask)
            if found is not None:
                for rt in found:
                    if rt.flags & RTF_UP:
                        return rt
        return None

    def exact(self, dst: int, mask: int | None, *, proxy: bool = False) -> list[Rtentry]:
        """Return the routes to exactly this destination, in order of entry."""
        if proxy:
            one = self._proxies.get(dst)
            return [one] if one is not None else []
        rank = _rank(mask)
        return list(self._nets[rank].get(dst & (_ALL if mask is None else mask), ()))

    def proxy(self, dst: int) -> Rtentry | None:
        """Return the proxy-only ARP entry for *dst* (arplookup with SIN_PROXY), or None."""
        return self._proxies.get(dst)

    def gateroute(self, rt: Rtentry) -> Rtentry | None:
        """Return the route to the gateway of *rt*, kept in rt.gwroute while it is up.

        None when the gateway cannot be reached, or only through a gateway.
        """
        gw = rt.gwroute
        if gw is not None and gw.flags & RTF_UP:
            return gw
        self._setgwroute(rt)
        return rt.gwroute

    def routes(self) -> Iterator[Rtentry]:
        """Yield all routes in the order a radix tree is walked: by destination, the longer mask first.

        A host route comes before every mask; routes that share both come in order of entry.
        """
        found = [rt for nets in self._nets for same in nets.values() for rt in same]
        found += self._proxies.values()
        found.sort(key=lambda rt: (rt.dst, -rt.rank))
        yield from found

    def __len__(self) -> int:
        return self._count

    # -- changing

    def rtrequest(
        self,
        cmd: str,
        dst: int,
        mask: int | None,
        gateway: Gateway | None = None,
        flags: int = 0,
        ifa: Ifaddr | None = None,
        ifp: Ifnet | None = None,
        *,
        genmask: int | None = None,
        proxy: bool = False,
        **metrics: int,
    ) -> Rtentry:
        """Do *cmd*, "add", "delete" or "change"; return the route. Sends no message.

        dst       host integer; bits outside *mask* are cleared
        mask      host integer, None (or RTF_HOST in *flags*) for a host route
        gateway   among several routes to one destination, tells which to delete
        metrics   mtu, hopcount, expire, recvpipe, sendpipe, ssthresh, rtt, rttvar, locks
        Raises    EINVAL a mask with holes; ENETUNREACH no interface leads to the gateway;
                  EEXIST that (destination, mask, gateway) is there; ESRCH it is not, or there are
                  several and no gateway was given; ENOBUFS MAXROUTES; EINVAL an unknown metric
        """
        if flags & RTF_HOST:
            mask = None
        if mask is not None and mask_prefix(mask) is None:
            raise NetError("EINVAL")
        if not _METRIC_NAMES.issuperset(metrics):
            raise NetError("EINVAL")
        if cmd == "add":
            ifa, ifp = self.rt_getifa(flags, dst, gateway, ifa, ifp)
            return self._add(dst, mask, gateway, flags, ifa, genmask, proxy, metrics, ifp)
        if cmd == "delete":
            rt = self._find(dst, mask, gateway, proxy)
            self._delete(rt)
            return rt
        if cmd == "change":
            rt = self._find(dst, mask, None, proxy, several=True)
            self.change(rt, gateway, flags, ifa, ifp, genmask, **metrics)
            return rt
        raise NetError("EINVAL")

    def _find(
        self,
        dst: int,
        mask: int | None,
        gateway: Gateway | None,
        proxy: bool,
        *,
        several: bool = False,
    ) -> Rtentry:
        found = self.exact(dst, mask, proxy=proxy)
        if not found:
            raise NetError("ESRCH")
        if several:
            return found[0]
        for rt in found:
            if gateway is not None and _same_gateway(rt.gateway, gateway):
                return rt
        # Where there is no choice the gateway need not be given, but must not be another one.
        if len(found) == 1 and (gateway is None or not found[0].flags & RTF_GATEWAY):
            return found[0]
        raise NetError("ESRCH")

    def rt_getifa(
        self,
        flags: int,
        dst: int,
        gateway: Sockaddr | None,
        ifa: Ifaddr | None,
        ifp: Ifnet | None,
    ) -> tuple[Ifaddr, Ifnet]:
        """Return the address and interface of a route that is being made. Raises ENETUNREACH."""
        if ifa is None:
            hop = ifalib.inet_of(gateway)
            if ifp is not None:
                ifa = ifalib.ifaof_ifpforaddr(ifp, dst if hop is None else hop)
            else:
                ifa = self._ifwithroute(flags, dst, gateway)
        if ifa is None:
            raise NetError("ENETUNREACH")
        return ifa, ifp or ifa.ifp

    def _ifwithroute(self, flags: int, dst: int, gateway: Sockaddr | None) -> Ifaddr | None:
        """Return the interface address a route goes by (ifa_ifwithroute)."""
        stack = self.stack
        ifp = ifalib.ifp_ofsockaddr(stack, gateway)
        if ifp is not None:
            return ifalib.ifaof_ifpforaddr(ifp, dst)
        hop = ifalib.inet_of(gateway)
        ifa = None
        if hop is None:
            hop = dst
        if flags & RTF_GATEWAY:
            ifa = ifalib.ifa_ifwithdstaddr(stack, hop)
        else:
            if flags & RTF_HOST:
                ifa = ifalib.ifa_ifwithdstaddr(stack, dst)
            if ifa is None:
                ifa = ifalib.ifa_ifwithaddr(stack, hop)
        if ifa is None:
            ifa = ifalib.ifa_ifwithnet(stack, hop)
        if ifa is None:
            # Somebody may have said that this gateway is on a wire which has no address in its net.
            rt = self.rtlookup(hop)
            if rt is not None and not rt.flags & RTF_GATEWAY:
                ifa = rt.ifa
        return ifa

    def _add(
        self,
        dst: int,
        mask: int | None,
        gateway: Gateway | None,
        flags: int,
        ifa: Ifaddr,
        genmask: int | None,
        proxy: bool,
        metrics: dict[str, int],
        ifp: Ifnet | None = None,
        parent: Rtentry | None = None,
    ) -> Rtentry:
        if self._count >= MAXROUTES:
            raise NetError("ENOBUFS")
        rank = _rank(mask)
        full = _ALL if mask is None else mask
        rt = Rtentry(
            dst & full, full, rank, flags | RTF_UP | (RTF_HOST if rank == _HOST else 0), ifa
        )
        if ifp is not None:
            rt.ifp = ifp
        rt.genmask = genmask
        rt.proxy = proxy
        rt.gateway = gateway
        self._onlink(rt)
        same = self.exact(dst, mask, proxy=proxy)
        for old in same:
            if old.flags & RTF_CLONED:
                self._delete_told(old)  # what was learned gives way to what is told
            elif proxy or _same_gateway(old.gateway, rt.gateway):
                raise NetError("EEXIST")
        if parent is not None:
            rt.parent = parent
            parent.refs += 1
            for name in _METRIC_SLOTS:
                setattr(rt, name, getattr(parent, name))
        if proxy:
            self._proxies[rt.dst] = rt
        else:
            nets = self._nets[rank]
            nets.setdefault(rt.dst, []).append(rt)
            if len(nets) == 1:
                self._reorder()
        self._count += 1
        self._changed()
        self._setgwroute(rt)
        self._setmetrics(rt, metrics)
        self._hook("add" if parent is None else "resolve", rt)
        if rt.flags & RTF_CLONING:
            self._flushclones(rt)
        return rt

    def _onlink(self, rt: Rtentry) -> None:
        """Give a connected network its cloning flag and link gateway (arp_rtrequest, RTM_ADD)."""
        if rt.rank >= 32 or rt.flags & (RTF_GATEWAY | RTF_CLONED) or not _has_link(rt.ifp):
            return
        rt.flags |= RTF_CLONING
        rt.gateway = SockaddrDl(rt.ifp.index, rt.ifp.type)

    def _clone(self, parent: Rtentry, dst: int) -> Rtentry:
        """Make the host route (or the route of genmask) that a cloning route stands for."""
        flags = (parent.flags & ~(RTF_CLONING | RTF_STATIC | RTF_UP)) | RTF_CLONED
        gateway = parent.gateway
        if isinstance(gateway, SockaddrDl):
            gateway = SockaddrDl(gateway.index, gateway.type)
        return self._add(
            dst, parent.genmask, gateway, flags, parent.ifa, None, False, {}, parent.ifp, parent
        )

    def _delete(self, rt: Rtentry) -> None:
        if rt.flags & RTF_CLONING:
            self._flushclones(rt)
        if rt.proxy:
            if self._proxies.pop(rt.dst, None) is None:
                return
        else:
            nets = self._nets[rt.rank]
            same = nets.get(rt.dst, [])
            if rt not in same:
                return
            same.remove(rt)
            if not same:
                del nets[rt.dst]
                if not nets:
                    self._reorder()
        self._count -= 1
        rt.flags &= ~RTF_UP
        if rt.gwroute is not None:
            rt.gwroute.refs -= 1
            rt.gwroute = None
        if rt.parent is not None:
            rt.parent.refs -= 1
            rt.parent = None
        for callout in (rt.timers or {}).values():
            callout.stop()
        rt.timers = None
        self._changed()
        self._hook("delete", rt)

    def _delete_told(self, rt: Rtentry) -> None:
        """Delete *rt* and tell the routing sockets (rtdeletemsg)."""
        flags = rt.flags
        addrs = RtAddrs(SockaddrIn(rt.dst), rt.gateway, rt.netmask)
        self._delete(rt)
        self.rt_missmsg(RTM_DELETE, addrs, flags & ~RTF_UP)

    def delete(self, rt: Rtentry) -> None:
        """Delete exactly this route and tell the routing sockets; nothing if it is gone already."""
        if rt.flags & RTF_UP:
            self._delete_told(rt)

    def _flushclones(self, parent: Rtentry) -> None:
        if not parent.refs:
            return
        for rt in list(self.routes()):
            if rt.parent is parent:
                self._delete_told(rt)

    def change(
        self,
        rt: Rtentry,
        gateway: Gateway | None = None,
        flags: int = 0,
        ifa: Ifaddr | None = None,
        ifp: Ifnet | None = None,
        genmask: int | None = None,
        **metrics: int,
    ) -> None:
        """Give *rt* another gateway, interface, genmask or metrics; None leaves what is.

        Raises ENETUNREACH, or EEXIST when the destination has a route by that gateway already.
        """
        if gateway is not None or ifa is not None or ifp is not None:
            want = flags | (rt.flags & RTF_HOST)
            hop = gateway if gateway is not None else rt.gateway
            new, new_ifp = self.rt_getifa(want, rt.dst, hop, ifa, ifp)
            if gateway is not None:
                for other in self.exact(rt.dst, rt.netmask, proxy=rt.proxy):
                    if other is not rt and _same_gateway(other.gateway, gateway):
                        raise NetError("EEXIST")
            if new is not rt.ifa:
                self._hook("delete", rt)
                rt.ifa = new
            rt.ifp = new_ifp
            if gateway is not None:
                rt.gateway = gateway
                if isinstance(gateway, SockaddrIn):
                    rt.flags = (rt.flags & ~RTF_GATEWAY) | (flags & RTF_GATEWAY)
                self._setgwroute(rt)
            self._hook("add", rt)
        self._setmetrics(rt, metrics)
        if genmask is not None:
            rt.genmask = genmask
        self._changed()

    @staticmethod
    def _setmetrics(rt: Rtentry, metrics: dict[str, int]) -> None:
        for name, value in metrics.items():
            setattr(rt, name, value)

    def setgate(self, rt: Rtentry, gateway: Gateway) -> None:
        """Send what follows *rt* to another gateway (rt_setgate)."""
        rt.gateway = gateway
        self._setgwroute(rt)
        self._changed()

    def _setgwroute(self, rt: Rtentry) -> None:
        if rt.gwroute is not None:
            rt.gwroute.refs -= 1
            rt.gwroute = None
        if not rt.flags & RTF_GATEWAY or not isinstance(rt.gateway, SockaddrIn):
            return
        gw = self.rtalloc(rt.gateway.addr)
        # A gateway beyond a gateway, or beyond the route itself, leads nowhere.
        if gw is None or gw is rt or gw.flags & RTF_GATEWAY:
            return
        rt.gwroute = gw
        gw.refs += 1
        if not rt.locks & RTV_MTU and rt.mtu > gw.mtu:
            rt.mtu = gw.mtu

    def _changed(self) -> None:
        self.generation += 1
        self._cache.clear()

    def _reorder(self) -> None:
        self._order = tuple(
            (_ALL if rank == _HOST else prefix_mask(rank), self._nets[rank])
            for rank in range(_HOST, -1, -1)
            if self._nets[rank]
        )

    def _hook(self, cmd: str, rt: Rtentry) -> None:
        if rt.ifp.flags & IFF_LOOPBACK:
            # lortrequest: packets to ourselves may be as large as the loopback takes.
            if cmd != "delete" and not rt.locks & RTV_MTU:
                rt.mtu = rt.ifp.mtu
            if rt.llinfo is None:
                return
        elif not _has_link(rt.ifp):
            return
        hook = self.rtrequest_hook.get(AF_INET)
        if hook is not None:
            hook(cmd, rt)

    # -- what interfaces do

    def rtinit(self, ifa: Ifaddr, cmd: str, flags: int = 0) -> Rtentry:
        """Add or delete the route that an interface address brings (rtinit), and tell.

        flags   RTF_HOST for the route to the other end (dstaddr), else the network's
        Raises  EEXIST, ENOBUFS; ENETUNREACH or EHOSTUNREACH when the route belongs to another address
        """
        host = bool(flags & RTF_HOST)
        dst = ifa.dstaddr if host else ifa.addr & ifa.mask
        mask = None if host else ifa.mask
        gateway = SockaddrIn(ifa.addr)
        if cmd == "add":
            rt = self.rtrequest("add", dst, mask, gateway, flags, ifa=ifa, ifp=ifa.ifp)
            self._tell(RTM_ADD, rt, rt.flags)
            return rt
        if cmd != "delete":
            raise NetError("EINVAL")
        found = self.exact(dst, mask)
        for rt in found:
            if rt.ifa is ifa and not rt.flags & RTF_GATEWAY:
                was = rt.flags
                self._delete(rt)
                self._tell(RTM_DELETE, rt, was & ~RTF_UP)
                return rt
        if found:
            raise NetError("EHOSTUNREACH" if host else "ENETUNREACH")
        raise NetError("ESRCH")

    def purge(self, ifp: Ifnet) -> None:
        """Delete every route by *ifp*, which is leaving (if_detach)."""
        for rt in list(self.routes()):
            if rt.flags & RTF_UP and (rt.ifp is ifp or rt.ifa.ifp is ifp):
                self._delete_told(rt)

    def _ifnet_event(self, event: str, ifp: Ifnet, arg: Any) -> None:
        if event == IF_DETACH:
            self.purge(ifp)
        elif event in (IF_NEWADDR, IF_DELADDR) and arg.family == AF_INET:
            self._refresh_ifa(ifp)

    def _refresh_ifa(self, ifp: Ifnet) -> None:
        """Give routes by an address that has gone from *ifp* another one of it.

        While there is none they stay: a route entered by hand outlives a change of address. Nothing
        leaves by it meanwhile, since the way to its gateway went with the address.
        """
        for rt in list(self.routes()):
            if rt.ifa.ifp is not ifp or rt.ifa in ifp.addrs or not rt.flags & RTF_UP:
                continue
            hop = ifalib.inet_of(rt.gateway)
            other = ifalib.ifaof_ifpforaddr(ifp, rt.dst if hop is None else hop)
            if other is not None:
                rt.ifa = other
                self._changed()

    # -- redirects, losses, timers

    def rtredirect(
        self, dst: int, gateway: int, flags: int, src: int, ifp: Ifnet | None = None
    ) -> Rtentry | None:
        """Believe, or not, router *src* that *dst* is better reached by *gateway* (rtredirect).

        flags   RTF_GATEWAY | RTF_HOST from ICMP; RTF_DONE skips the check of *src*
        ifp     where it came in, if that is known
        Returns the route made or changed, for a timer to be set on it; None when refused (counted)
        """
        rt = None
        counter = ""
        error = ""
        ifa = ifalib.ifa_ifwithnet(self.stack, gateway)
        if ifa is None or (ifp is not None and ifa.ifp is not ifp):
            error = "ENETUNREACH"  # the new gateway must be on a wire of ours
        else:
            rt = self.rtlookup(dst)
            error = self._redirect_wrong(rt, gateway, flags, src, ifa)
        if not error:
            assert ifa is not None
            try:
                rt, counter = self._redirected(rt, dst, gateway, flags, ifa)
                flags = rt.flags
            except NetError as exc:
                error = exc.symbol
        if error:
            self.stat["badredirect"] += 1
        else:
            self.stat[counter] += 1
        addrs = RtAddrs(SockaddrIn(dst), SockaddrIn(gateway), author=SockaddrIn(src))
        self.rt_missmsg(RTM_REDIRECT, addrs, flags, error)
        return None if error else rt

    def _redirect_wrong(
        self, rt: Rtentry | None, gateway: int, flags: int, src: int, ifa: Ifaddr
    ) -> str:
        """Return the error a redirect earns, "" for none."""
        if (
            not flags & RTF_DONE
            and rt is not None
            and (ifalib.inet_of(rt.gateway) != src or rt.ifp is not ifa.ifp)
        ):
            return "EINVAL"  # not from the router we use: old, or forged
        if ifalib.ifa_ifwithaddr(self.stack, gateway) is not None:
            return "EHOSTUNREACH"  # to ourselves: a loop
        if rt is not None and rt.plen and not rt.flags & RTF_GATEWAY:
            return "EHOSTUNREACH"  # an interface's own route is not for routers to change
        return ""

    def _redirected(
        self, rt: Rtentry | None, dst: int, gateway: int, flags: int, ifa: Ifaddr
    ) -> tuple[Rtentry, str]:
        """Make or change the route; return it and the counter that notes it."""
        smash = rt is not None and rt.plen and (rt.flags & RTF_HOST or not flags & RTF_HOST)
        if rt is None or not smash:
            flags = (flags & ~RTF_DONE) | RTF_GATEWAY | RTF_DYNAMIC
            mask = None if flags & RTF_HOST else ifa.mask
            new = self.rtrequest("add", dst, mask, SockaddrIn(gateway), flags, ifa=ifa)
            return new, "dynamic"
        rt.flags |= RTF_MODIFIED
        self.setgate(rt, SockaddrIn(gateway))
        return rt, "newgateway"

    def rtlosing(self, dst: int) -> None:
        """Tell that packets to *dst* seem to get lost; forget a route that a redirect made."""
        rt = self.rtlookup(dst)
        if rt is None:
            return
        addrs = RtAddrs(SockaddrIn(rt.dst), rt.gateway, rt.netmask)
        self.rt_missmsg(RTM_LOSING, addrs, rt.flags)
        if rt.flags & RTF_DYNAMIC:
            self._delete_told(rt)

    def timer(
        self,
        rt: Rtentry,
        name: str,
        seconds: float,
        func: Callable[[Rtentry], None] | None = None,
    ) -> None:
        """Have *func(rt)* called in *seconds* unless the route goes before (rt_timer_add).

        name  one timer of a name: setting it again starts it anew
        func  None deletes the route
        """
        if not rt.flags & RTF_UP:
            return
        if rt.timers is None:
            rt.timers = {}
        old = rt.timers.get(name)
        if old is not None:
            old.stop()

        def due() -> None:
            if rt.timers is not None:
                rt.timers.pop(name, None)
            if not rt.flags & RTF_UP:
                return
            if func is None:
                self._delete_told(rt)
            else:
                func(rt)

        rt.timers[name] = self.stack.clock.after(seconds, due)

    def untimer(self, rt: Rtentry, name: str) -> None:
        """Forget the timer *name* of *rt*."""
        callout = (rt.timers or {}).pop(name, None)
        if callout is not None:
            callout.stop()

    # -- telling

    def rt_missmsg(self, kind: int, addrs: RtAddrs, flags: int = 0, error: str = "") -> None:
        """Tell the routing sockets of something that happened by itself (rt_missmsg)."""
        if self.sockets is not None:
            self.sockets.missmsg(kind, addrs, flags, error)

    def _tell(self, kind: int, rt: Rtentry, flags: int) -> None:
        if self.sockets is not None:
            addrs = RtAddrs(SockaddrIn(rt.dst), rt.gateway, rt.netmask)
            self.sockets.tell(RtMsg(kind, flags=flags, addrs=addrs, index=rt.ifp.index), AF_INET)


_METRIC_SLOTS: Final = (
    "mtu",
    "hopcount",
    "expire",
    "recvpipe",
    "sendpipe",
    "ssthresh",
    "rtt",
    "rttvar",
)
_METRIC_NAMES: Final = frozenset((*_METRIC_SLOTS, "locks"))


def _rank(mask: int | None) -> int:
    return _HOST if mask is None else mask.bit_count()


def _has_link(ifp: Ifnet) -> bool:
    """Tell whether *ifp* resolves next hops to link addresses."""
    return ifp.type in (IFT_ETHER, IFT_IEEE80211) and not ifp.flags & (
        IFF_LOOPBACK | IFF_POINTOPOINT
    )


def _same_gateway(one: Gateway | None, two: Gateway | None) -> bool:
    if isinstance(one, SockaddrDl) and isinstance(two, SockaddrDl):
        return one.index == two.index
    return type(one) is type(two) and one == two
