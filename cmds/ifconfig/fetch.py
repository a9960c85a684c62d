"""What ifconfig asks of the stack before it prints an interface: one Status per interface."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from libnet.addr import AF_INET, AF_ROUTE, Sockaddr, SockaddrDl, SockaddrIn
from libnet.errors import NetError
from libnet.ioctl.ifflags import IFM_ACTIVE, IFM_AVALID
from libnet.ioctl.sockio import (
    SIOCGIFADDR,
    SIOCGIFADDRPREF,
    SIOCGIFALIAS,
    SIOCGIFCAP,
    SIOCGIFDATA,
    SIOCGIFFLAGS,
    SIOCGIFMEDIA,
    SIOCGIFMETRIC,
    SIOCGIFMTU,
    SIOCZIFDATA,
    IfAddrPrefReq,
    IfAliasReq,
    IfCapReq,
    IfData,
    IfDataReq,
    IfMediaReq,
    IfReq,
    VlanReq,
)
from libnet.libsocket.ctx import Ctx
from libnet.libsocket.sock import SOCK_DGRAM, Socket
from libnet.text.err import Err

CTL_NET: Final = 4


class Iface:
    """What is known of any interface: flags, metric, mtu (0 if it has none) and capabilities."""

    __slots__ = ("cap", "flags", "metric", "mtu", "name")

    def __init__(self, name: str, flags: int, metric: int, mtu: int, cap: IfCapReq) -> None:
        self.name, self.flags, self.metric, self.mtu, self.cap = name, flags, metric, mtu, cap


class InetAddr:
    """One IPv4 address of an interface, host integers.

    alias    whether it is another than the first
    dstaddr  peer or broadcast address
    """

    __slots__ = ("addr", "alias", "dstaddr", "mask", "preference")

    def __init__(self, addr: int, dstaddr: int, mask: int, preference: int, *, alias: bool) -> None:
        self.addr, self.dstaddr, self.mask, self.preference = addr, dstaddr, mask, preference
        self.alias = alias


class Status:
    """Everything one block of the listing shows; None or empty where the interface has none.

    ieee80211  lines about the radio, already laid out
    tunnel     (source, port, destination, port) as text, port "" for none
    """

    def __init__(self, iface: Iface) -> None:
        self.iface = iface
        self.lladdr = b""
        self.ieee80211: list[str] = []
        self.vlan: VlanReq | None = None
        self.carp: Any = None
        self.tunnel: tuple[str, str, str, str] | None = None
        self.agr: list[Any] = []
        self.media: IfMediaReq | None = None
        self.data: IfData | None = None
        self.ieee80211_stats: list[str] = []
        self.inet: list[InetAddr] = []


class Wanted:
    """Which options were given that matter for a block."""

    __slots__ = ("human", "media", "stats", "verbose", "zero")

    def __init__(self, *, human: bool, media: bool, stats: bool, verbose: bool, zero: bool) -> None:
        self.human, self.media, self.stats = human, media, stats
        self.verbose, self.zero = verbose, zero


def open_socket(ctx: Ctx, err: Err, family: int = AF_INET) -> Socket:
    """Return a datagram socket of *family* to put questions through, or exit."""
    try:
        sock = ctx.socket(family, SOCK_DGRAM)
    except NetError as exc:
        err.err(exc, "socket")
    if family != AF_INET:
        # There is no table of the IPv6 ioctls to go on with, whatever the stack can do.
        sock.close()
        err.err("EAFNOSUPPORT", "socket")
    return sock


def getinfo(sock: Socket, err: Err, name: str) -> Iface | None:
    """Return what is known of interface *name*; None, with a message, if there is none."""
    try:
        flags = sock.ioctl(SIOCGIFFLAGS, IfReq(name)).value & 0xFFFF
    except NetError as exc:
        err.warn(exc, f"SIOCGIFFLAGS {name}")
        return None
    try:
        metric = sock.ioctl(SIOCGIFMETRIC, IfReq(name)).value
    except NetError as exc:
        err.warn(exc, f"SIOCGIFMETRIC {name}")
        metric = 0
    try:
        mtu = sock.ioctl(SIOCGIFMTU, IfReq(name)).value
    except NetError:
        mtu = 0
    try:
        cap = sock.ioctl(SIOCGIFCAP, IfCapReq(name))
    except NetError:
        cap = IfCapReq(name)
    return Iface(name, flags, metric, mtu, cap)


def getifaddrs(sock: Socket, err: Err) -> dict[str, list[Sockaddr]]:
    """Return the addresses of every interface, its link address first, in the stack's order."""
    from libnet.wire.rtsock import NET_RT_IFLIST, BadRtMessage, IfaMsg, IfMsg, unpack_all

    names: dict[int, str] = {}
    table: dict[str, list[Sockaddr]] = {}
    try:
        dump = sock.call("sysctl", [CTL_NET, AF_ROUTE, 0, 0, NET_RT_IFLIST, 0], None)
        for msg in unpack_all(dump):
            if isinstance(msg, IfMsg) and isinstance(msg.addrs.ifp, SockaddrDl):
                names[msg.index] = msg.addrs.ifp.name
                table[msg.addrs.ifp.name] = [msg.addrs.ifp]
            elif isinstance(msg, IfaMsg) and msg.index in names and msg.addrs.ifa is not None:
                table[names[msg.index]].append(msg.addrs.ifa)
    except BadRtMessage:
        err.err("EINVAL", "getifaddrs")
    except NetError as exc:
        err.err(exc, "getifaddrs")
    return table


def carrier(sock: Socket, name: str) -> bool:
    """Tell whether there is a link; an interface that does not report it counts as linked."""
    try:
        status = sock.ioctl(SIOCGIFMEDIA, IfMediaReq(name)).status
    except NetError:
        return True
    return not status & IFM_AVALID or bool(status & IFM_ACTIVE)


def fetch(
    ctx: Ctx, sock: Socket, err: Err, iface: Iface, addrs: list[Sockaddr], wanted: Wanted
) -> Status:
    """Return all that the block of *iface* shows."""
    status = Status(iface)
    for addr in addrs:
        if isinstance(addr, SockaddrDl):
            status.lladdr = addr.lladdr
    _virtual(ctx, sock, err, status, wanted)
    status.media = _media(sock, err, iface.name)
    if wanted.stats:
        row = SIOCZIFDATA if wanted.zero else SIOCGIFDATA
        try:
            status.data = sock.ioctl(row, IfDataReq(iface.name)).data
        except NetError as exc:
            err.err(exc, row.name)
        if status.ieee80211:
            from cmds.ifconfig.wstatus import fetch_stats

            status.ieee80211_stats = fetch_stats(sock, iface.name, zero=wanted.zero)
    status.inet = _inet(sock, err, iface.name, addrs)
    return status


def _ask(call: Callable[[], Any]) -> Any:
    """Return what an ioctl gives, None if the interface does not know it."""
    try:
        return call()
    except NetError:
        return None


def _virtual(ctx: Ctx, sock: Socket, err: Err, status: Status, wanted: Wanted) -> None:
    """Ask for what only some kinds of interface have."""
    from libnet.ioctl.ieee80211 import SIOCG80211NWID, Ieee80211Nwid
    from libnet.ioctl.iftunnel import SIOCGLIFPHYADDR
    from libnet.ioctl.ifvlan import (
        AGRCMD_PORTLIST,
        SIOCGETAGR,
        SIOCGETVLAN,
        SIOCGVH,
        AgrReq,
        CarpReq,
    )
    from libnet.ioctl.sockio import IfLaddrReq

    name = status.iface.name
    nwid = _ask(lambda: sock.ioctl(SIOCG80211NWID, Ieee80211Nwid(name)))
    if nwid is not None:
        from cmds.ifconfig.wstatus import fetch_lines

        status.ieee80211 = fetch_lines(sock, nwid, verbose=wanted.verbose)
    if is_unit_of("vlan", name):
        status.vlan = _ask(lambda: sock.ioctl(SIOCGETVLAN, VlanReq(name)))
    status.carp = _ask(lambda: sock.ioctl(SIOCGVH, CarpReq(name)))
    ends = _ask(lambda: sock.ioctl(SIOCGLIFPHYADDR, IfLaddrReq(name)))
    if ends is not None:
        status.tunnel = (*_end(ctx, ends.addr), *_end(ctx, ends.dstaddr))
    if is_unit_of("agr", name):
        try:
            status.agr = sock.ioctl(SIOCGETAGR, AgrReq(name, cmd=AGRCMD_PORTLIST)).ports
        except NetError as exc:
            err.warn(exc, "SIOCGETAGR")


def is_unit_of(stem: str, name: str) -> bool:
    """Tell whether *name* is an interface of the cloner *stem*."""
    return name.startswith(stem) and name[len(stem) : len(stem) + 1].isdigit()


def _end(ctx: Ctx, addr: Sockaddr) -> tuple[str, str]:
    from cmds._names import getservbyport
    from libnet.addr import inet_ntoa

    if not isinstance(addr, SockaddrIn):
        return "", ""
    port = ""
    if addr.port:
        port = getservbyport(ctx, addr.port, "tcp") or str(addr.port)
    return inet_ntoa(addr.addr), port


def _media(sock: Socket, err: Err, name: str) -> IfMediaReq | None:
    try:
        req: IfMediaReq = sock.ioctl(SIOCGIFMEDIA, IfMediaReq(name))
    except NetError:
        return None
    if req.count == 0:
        err.warnx(f"{name}: no media types?")
        return None
    try:
        req = sock.ioctl(SIOCGIFMEDIA, IfMediaReq(name, count=req.count))
    except NetError as exc:
        err.err(exc, "SIOCGIFMEDIA")
    return req


def _inet(sock: Socket, err: Err, name: str, addrs: list[Sockaddr]) -> list[InetAddr]:
    got: list[InetAddr] = []
    mine = [addr for addr in addrs if isinstance(addr, SockaddrIn)]
    if not mine:
        return got
    try:
        first = in_addr(sock.ioctl(SIOCGIFADDR, IfReq(name)).addr)
    except NetError as exc:
        if exc.symbol in ("EADDRNOTAVAIL", "EAFNOSUPPORT"):
            return got  # the last one has just gone
        err.warn(exc, "SIOCGIFADDR")
        first = 0
    for addr in mine:
        try:
            alias: IfAliasReq = sock.ioctl(SIOCGIFALIAS, IfAliasReq(name, addr=addr))
        except NetError as exc:
            if exc.symbol in ("EADDRNOTAVAIL", "EAFNOSUPPORT"):
                continue
            err.warn(exc, "SIOCGIFALIAS")
            alias = IfAliasReq(name, addr=addr)
        pref = _ask(lambda a=addr: sock.ioctl(SIOCGIFADDRPREF, IfAddrPrefReq(name, addr=a)))  # type: ignore[misc]
        got.append(
            InetAddr(
                addr.addr,
                in_addr(alias.dstaddr),
                in_addr(alias.mask),
                pref.preference & 0xFFFF if pref is not None else 0,
                alias=addr.addr != first,
            )
        )
    return got


def in_addr(addr: Sockaddr) -> int:
    """Return the address in a sockaddr_in, 0 in any other."""
    return addr.addr if isinstance(addr, SockaddrIn) else 0
