"""Routing sockets, and the dumps that sysctl gives (route(4), NetBSD <net/rtsock.c>).

A socket of AF_ROUTE reads what happens to routes, interfaces and addresses as rt_msghdr messages, and
may write RTM_ADD, DELETE, CHANGE, LOCK (the superuser) and GET (anybody). What is written is done at
once; the message goes back to the writer and to every other listener with RTF_DONE, or with its error
in rtm_errno, and the write itself fails with that error.

A socket's protocol is the address family it wants to hear of; 0 is all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from libnet.addr import AF_INET, AF_ROUTE, Sockaddr, SockaddrDl, SockaddrIn
from libnet.engine.kern.socket import SO_USELOOPBACK, Socket
from libnet.engine.pfil.pfil import (
    IF_ATTACH,
    IF_DELADDR,
    IF_DETACH,
    IF_FLAGS,
    IF_LINK,
    IF_NEWADDR,
)
from libnet.engine.route import ifa as ifalib
from libnet.engine.route.table import Gateway, RouteTable, Rtentry
from libnet.errors import ERRNO, NetError
from libnet.ioctl.ifflags import IFF_POINTOPOINT
from libnet.wire.rtsock import (
    IFAN_ARRIVAL,
    IFAN_DEPARTURE,
    METRICS,
    NET_RT_DUMP,
    NET_RT_FLAGS,
    NET_RT_IFLIST,
    RTF_DONE,
    RTM_ADD,
    RTM_CHANGE,
    RTM_DELADDR,
    RTM_DELETE,
    RTM_GET,
    RTM_IEEE80211,
    RTM_IFANNOUNCE,
    RTM_LOCK,
    RTM_NEWADDR,
    SIN_PROXY,
    AnyMsg,
    BadRtMessage,
    IfaMsg,
    IfanMsg,
    IfMsg,
    IfStats,
    RtAddrs,
    RtMetrics,
    RtMsg,
    SockaddrInarp,
    unpack,
    wants_interface,
)

if TYPE_CHECKING:
    from libnet.engine.kern.base import StackBase
    from libnet.engine.kern.sysctl import SysctlTree
    from libnet.engine.link.ifnet import Ifaddr, Ifnet

PF_ROUTE: Final = AF_ROUTE
RAWSNDQ: Final = 8192
RAWRCVQ: Final = 8192


class RouteSockets:
    """The routing sockets of one stack: a Usrreq for (AF_ROUTE, SOCK_RAW).

    table  None for the stack's own, `stack.route`
    """

    def __init__(self, stack: StackBase, table: RouteTable | None = None) -> None:
        self.stack = stack
        own: RouteTable | None = getattr(stack, "route", None) if table is None else table
        assert own is not None, "a stack has its routing table before its routing sockets"
        self.table = own
        self._listeners: list[Socket] = []
        self.table.sockets = self
        stack.pfil.add_ifnet(self._ifnet_event)

    def sysctl_setup(self, tree: SysctlTree) -> None:
        """Plant net.route: the dumps below number 0, and the counters."""

        def rtable(tail: list[int], new: Any, _cred: Any) -> bytes:
            if new is not None:
                raise NetError("EPERM")
            return route_sysctl(self.stack, tail)

        tree.node("net.route", PF_ROUTE, "PF_ROUTE information")
        tree.func_node("net.route.rtable", 0, rtable, "Routing table information")
        stats = self.table.stat
        tree.struct_node("net.route.stats", None, lambda: dict(stats), "Routing statistics")

    # -- the socket's side

    def attach(self, so: Socket) -> None:
        """Start to listen."""
        so.snd.hiwat, so.rcv.hiwat = RAWSNDQ, RAWRCVQ
        so.options |= SO_USELOOPBACK
        self._listeners.append(so)

    def detach(self, so: Socket) -> None:
        """Stop listening."""
        if so in self._listeners:
            self._listeners.remove(so)

    def bind(self, so: Socket, addr: Sockaddr) -> None:
        """Routing sockets have no address. Raises EOPNOTSUPP."""
        raise NetError("EOPNOTSUPP")

    def connect(self, so: Socket, addr: Sockaddr) -> None:
        """They are born connected. Raises EISCONN."""
        raise NetError("EISCONN")

    def shutdown(self, so: Socket, how: int) -> None:
        """There is no peer to tell."""
        return

    def sockaddr(self, so: Socket) -> Sockaddr:
        """Return the empty address."""
        return Sockaddr()

    def peeraddr(self, so: Socket) -> Sockaddr:
        """Return the empty address."""
        return Sockaddr()

    def getopt(self, so: Socket, level: int, name: int) -> Any:
        """No options of its own. Raises ENOPROTOOPT."""
        raise NetError("ENOPROTOOPT")

    def setopt(self, so: Socket, level: int, name: int, value: Any) -> None:
        """No options of its own. Raises ENOPROTOOPT."""
        raise NetError("ENOPROTOOPT")

    def send(self, so: Socket, data: bytes, addr: Sockaddr | None, flags: int) -> int:
        """Do what a message asks for (route_output); return its length.

        Raises EINVAL for a malformed message, EPROTONOSUPPORT for another version, EACCES without
        the right, EOPNOTSUPP for a type that is only ever read, EISCONN with an address, and what
        the operation raises: EEXIST, ESRCH, ENETUNREACH, EAFNOSUPPORT, ENOBUFS.
        """
        if addr is not None:
            raise NetError("EISCONN")
        try:
            msg = unpack(data)
        except BadRtMessage as exc:
            raise NetError(exc.symbol) from None
        if not isinstance(msg, RtMsg):
            raise NetError("EOPNOTSUPP")
        msg.pid = so.cred.pid
        error = ""
        family = _family(msg.addrs.dst)
        try:
            self._output(so, msg, wants_interface(data))
        except NetError as exc:
            error = exc.symbol
        if error:
            msg.errno = ERRNO[error][0]
        else:
            msg.flags |= RTF_DONE
        self.tell(msg, family, None if so.options & SO_USELOOPBACK else so)
        if error:
            raise NetError(error)
        return len(data)

    def _output(self, so: Socket, msg: RtMsg, interface: bool) -> None:
        if not isinstance(msg.addrs.dst, Sockaddr) or type(msg.addrs.dst) is Sockaddr:
            raise NetError("EINVAL")
        if msg.type != RTM_GET and not so.cred.suser:
            raise NetError("EACCES")
        do = {
            RTM_ADD: self._do_add,
            RTM_DELETE: self._do_delete,
            RTM_GET: self._do_get,
            RTM_CHANGE: self._do_change,
            RTM_LOCK: self._do_lock,
        }.get(msg.type)
        if do is None:
            raise NetError("EOPNOTSUPP")
        dst = msg.addrs.dst
        if not isinstance(dst, SockaddrIn):
            # A family without a table has no entries.
            raise NetError("ESRCH" if msg.type in (RTM_ADD, RTM_DELETE) else "EAFNOSUPPORT")
        do(msg, dst, interface)

    def _do_add(self, msg: RtMsg, dst: SockaddrIn, _interface: bool) -> None:
        addrs = msg.addrs
        if addrs.gateway is None:
            raise NetError("EINVAL")
        ifp, ifa = self._asked_interface(addrs)
        metrics = _metrics(msg)
        metrics["locks"] = msg.inits & msg.rmx.locks
        self.table.rtrequest(
            "add",
            dst.addr,
            addrs.netmask,
            self._gateway(addrs.gateway),
            msg.flags & ~RTF_DONE,
            ifa=ifa,
            ifp=ifp,
            genmask=addrs.genmask,
            proxy=_is_proxy(dst),
            **metrics,
        )

    def _do_delete(self, msg: RtMsg, dst: SockaddrIn, interface: bool) -> None:
        gateway = None if msg.addrs.gateway is None else self._gateway(msg.addrs.gateway)
        rt = self.table.rtrequest(
            "delete",
            dst.addr,
            msg.addrs.netmask,
            gateway,
            msg.flags,
            proxy=_is_proxy(dst),
        )
        self._report(msg, rt, interface)

    def _do_get(self, msg: RtMsg, dst: SockaddrIn, interface: bool) -> None:
        rt = None
        if msg.addrs.netmask is not None:
            rt = next(iter(self.table.exact(dst.addr, msg.addrs.netmask)), None)
        elif _is_proxy(dst):
            rt = self.table.proxy(dst.addr)
        if rt is None and msg.addrs.netmask is None:
            rt = self.table.rtlookup(dst.addr)
        if rt is None:
            raise NetError("ESRCH")
        self._report(msg, rt, interface)
        if not msg.rmx.mtu:
            msg.rmx.mtu = rt.ifp.mtu  # what packets by this route are held to all the same

    def _do_change(self, msg: RtMsg, dst: SockaddrIn, _interface: bool) -> None:
        rt = self._exactly(msg, dst)
        addrs = msg.addrs
        ifp, ifa = self._asked_interface(addrs)
        gateway = None if addrs.gateway is None else self._gateway(addrs.gateway)
        self.table.change(rt, gateway, msg.flags, ifa, ifp, addrs.genmask, **_metrics(msg))
        self._lock(msg, rt)

    def _do_lock(self, msg: RtMsg, dst: SockaddrIn, _interface: bool) -> None:
        self._lock(msg, self._exactly(msg, dst))

    @staticmethod
    def _lock(msg: RtMsg, rt: Rtentry) -> None:
        rt.locks = (rt.locks & ~msg.inits) | (msg.inits & msg.rmx.locks)

    def _exactly(self, msg: RtMsg, dst: SockaddrIn) -> Rtentry:
        """Return the route that the destination (and mask, if given) is the key of."""
        if _is_proxy(dst) or msg.addrs.netmask is not None:
            found = self.table.exact(dst.addr, msg.addrs.netmask, proxy=_is_proxy(dst))
            rt = found[0] if found else None
        else:
            rt = self.table.rtlookup(dst.addr)
        if rt is None or rt.dst != dst.addr & (rt.mask if msg.addrs.netmask is not None else -1):
            raise NetError("ESRCH")
        return rt

    def _gateway(self, addr: Sockaddr) -> Gateway:
        """Return a gateway as the table holds it. Raises EINVAL, ENETUNREACH for no such interface."""
        if isinstance(addr, SockaddrIn):
            return SockaddrIn(addr.addr)
        if not isinstance(addr, SockaddrDl):
            raise NetError("EINVAL")
        if not addr.index:
            ifp = ifalib.ifp_ofsockaddr(self.stack, addr)
            if ifp is None:
                raise NetError("ENETUNREACH")
            return SockaddrDl(ifp.index, ifp.type, "", addr.lladdr)
        return SockaddrDl(addr.index, addr.type, "", addr.lladdr)

    def _asked_interface(self, addrs: RtAddrs) -> tuple[Ifnet | None, Ifaddr | None]:
        """Return what RTA_IFP and RTA_IFA name. Raises ENETUNREACH for what is not there."""
        ifp: Ifnet | None = None
        ifa: Ifaddr | None = None
        asked = addrs.ifp
        if isinstance(asked, SockaddrDl) and (asked.index or asked.name):
            ifp = ifalib.ifp_ofsockaddr(self.stack, asked)
            if ifp is None:
                raise NetError("ENETUNREACH")
        addr = ifalib.inet_of(addrs.ifa)
        if addr:
            ifa = ifalib.ifa_ifwithaddr(self.stack, addr)
            if ifa is None:
                raise NetError("ENETUNREACH")
        return ifp, ifa

    def _report(self, msg: RtMsg, rt: Rtentry, interface: bool) -> None:
        """Put what is known of *rt* into the answer."""
        msg.addrs = self._addrs(rt, interface=interface)
        if interface:
            msg.index = rt.ifp.index
        msg.flags = rt.flags
        msg.rmx = rt.metrics()
        msg.use = rt.use

    @staticmethod
    def _addrs(rt: Rtentry, *, interface: bool) -> RtAddrs:
        dst = SockaddrInarp(rt.dst, other=SIN_PROXY) if rt.proxy else SockaddrIn(rt.dst)
        addrs = RtAddrs(dst, rt.gateway or Sockaddr(), rt.netmask, rt.genmask)
        if interface:
            addrs.ifp = rt.ifp.sockaddr_dl()
            addrs.ifa = SockaddrIn(rt.ifa.addr)
            if rt.ifp.flags & IFF_POINTOPOINT:
                addrs.brd = SockaddrIn(rt.ifa.dstaddr)
        return addrs

    # -- telling

    def tell(self, msg: AnyMsg, family: int, but: Socket | None = None) -> None:
        """Give *msg* to every listener that wants *family*, except *but* (raw_input)."""
        if not self._listeners:
            return
        octets = msg.build()
        for so in list(self._listeners):
            if so is but or so.cantrcv or (so.protocol and so.protocol != family):
                continue
            if not so.sbappendaddr(Sockaddr(), octets):
                self.stack.drop(None, "route", "fullsock", "a routing socket is not being read")

    def missmsg(self, kind: int, addrs: RtAddrs, flags: int, error: str) -> None:
        """Tell of a miss, a redirect, a loss, a clone, a route gone by itself (rt_missmsg)."""
        if self._listeners:
            errno = ERRNO[error][0] if error else 0
            msg = RtMsg(kind, flags=RTF_DONE | flags, addrs=addrs, errno=errno)
            self.tell(msg, _family(addrs.dst))

    def ifmsg(self, ifp: Ifnet) -> None:
        """Tell that flags, link or statistics of *ifp* changed (rt_ifmsg)."""
        if self._listeners:
            data = IfStats(ifp.data())
            self.tell(IfMsg(index=ifp.index, flags=ifp.flags, data=data), 0)

    def ieee80211msg(self, ifp: Ifnet, what: int, data: bytes = b"") -> None:
        """Tell of a wireless event, RTM_IEEE80211_* (rt_ieee80211msg)."""
        msg = IfanMsg(RTM_IEEE80211, index=ifp.index, name=ifp.name, what=what, data=data)
        self.tell(msg, 0)

    def _ifnet_event(self, event: str, ifp: Ifnet, arg: Any) -> None:
        if event in (IF_ATTACH, IF_DETACH):
            what = IFAN_ARRIVAL if event == IF_ATTACH else IFAN_DEPARTURE
            self.tell(IfanMsg(RTM_IFANNOUNCE, index=ifp.index, name=ifp.name, what=what), 0)
        elif event in (IF_FLAGS, IF_LINK):
            self.ifmsg(ifp)
        elif event in (IF_NEWADDR, IF_DELADDR) and arg.family == AF_INET:
            self.tell(_ifamsg(RTM_NEWADDR if event == IF_NEWADDR else RTM_DELADDR, arg), AF_INET)

    # -- dumps

    def dump(self, af: int, op: int, arg: int) -> bytes:
        """Return the messages of a NET_RT_* request. Raises EINVAL.

        af   address family, 0 for all     arg  RTF_* of NET_RT_FLAGS, interface of NET_RT_IFLIST
        """
        if op in (NET_RT_DUMP, NET_RT_FLAGS):
            if af not in (0, AF_INET):
                return b""
            want = arg if op == NET_RT_FLAGS else -1
            return b"".join(self._dumpentry(rt) for rt in self.table.routes() if rt.flags & want)
        if op == NET_RT_IFLIST:
            return b"".join(self._iflist(af, arg))
        raise NetError("EINVAL")

    def _dumpentry(self, rt: Rtentry) -> bytes:
        return RtMsg(
            RTM_GET,
            flags=rt.flags,
            addrs=self._addrs(rt, interface=True),
            index=rt.ifp.index,
            use=rt.use,
            seq=rt.refs,
            rmx=rt.metrics(),
        ).build()

    def _iflist(self, af: int, index: int) -> list[bytes]:
        out = []
        for ifp in self.stack.ifnets.values():
            if index not in (0, ifp.index):
                continue
            addrs = RtAddrs(ifp=ifp.sockaddr_dl())
            data = IfStats(ifp.data())
            out.append(IfMsg(index=ifp.index, flags=ifp.flags, data=data, addrs=addrs).build())
            if af in (0, AF_INET):
                out += [_ifamsg(RTM_NEWADDR, ifa).build() for ifa in ifp.inet_addrs(AF_INET)]
        return out


def route_sysctl(stack: StackBase, tail: list[int]) -> bytes:
    """Return what sysctl net.route.0.* gives: *tail* is [family, NET_RT_*, argument].

    Raises EINVAL for another length or operation, ENOENT without a routing table.
    """
    if len(tail) != 3:
        raise NetError("EINVAL")
    table: RouteTable | None = getattr(stack, "route", None)
    if table is None or table.sockets is None:
        raise NetError("ENOENT")
    return table.sockets.dump(*tail)


def _ifamsg(kind: int, ifa: Ifaddr) -> IfaMsg:
    brd = ifa.dstaddr if ifa.ifp.flags & IFF_POINTOPOINT else ifa.broadaddr
    addrs = RtAddrs(
        netmask=ifa.mask,
        ifp=ifa.ifp.sockaddr_dl(),
        ifa=SockaddrIn(ifa.addr),
        brd=SockaddrIn(brd) if brd else None,
    )
    return IfaMsg(kind, index=ifa.ifp.index, flags=ifa.flags, metric=ifa.metric, addrs=addrs)


def _family(addr: Sockaddr | None) -> int:
    return AF_INET if isinstance(addr, SockaddrIn) else 0


def _is_proxy(dst: SockaddrIn) -> bool:
    return isinstance(dst, SockaddrInarp) and bool(dst.other & SIN_PROXY)


def _metrics(msg: RtMsg) -> dict[str, int]:
    rmx: RtMetrics = msg.rmx
    return {name: getattr(rmx, name) for name, bit in METRICS if msg.inits & bit}
