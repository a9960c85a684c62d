"""The routing table as netstat -r and route show print it; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from libnet.addr import (
    AF_INET,
    AF_INET6,
    AF_LINK,
    Sockaddr,
    SockaddrDl,
    SockaddrIn,
    ether_ntoa,
    inet_ntoa,
)
from libnet.ioctl.ifflags import IFT_ETHER, IFT_IEEE80211
from libnet.wire.rtsock import (
    RTF_HOST,
    RTF_LLINFO,
    RTV_EXPIRE,
    RTV_HOPCOUNT,
    RTV_MTU,
    RTV_RPIPE,
    RTV_RTT,
    RTV_RTTVAR,
    RTV_SPIPE,
    RTV_SSTHRESH,
    RtMsg,
    SockaddrRaw,
)

FLAGS: Final = (
    (0x1, "U"),
    (0x2, "G"),
    (0x4, "H"),
    (0x8, "R"),
    (0x1000, "B"),
    (0x10, "D"),
    (0x20, "M"),
    (0x40, "d"),
    (0x80, "m"),
    (0x100, "C"),
    (0x200, "X"),
    (0x400, "L"),
    (0x800, "S"),
    (0x8000, "1"),
    (0x4000, "2"),
    (0x2000, "c"),
)

_FAMILIES: Final = {AF_INET: "Internet", AF_INET6: "Internet6", 16: "AppleTalk", 29: "Encap"}
_WIDTH: Final = 18
_FLAGS_WIDTH: Final = 6


def flag_letters(flags: int, *, spaced: bool = False) -> str:
    """Return the letters of a route's flags; *spaced* leaves a blank for each that is not set.

    >>> flag_letters(0x803), flag_letters(0x2405)
    ('UGS', 'UHLc')
    """
    return "".join(c if flags & bit else " " * spaced for bit, c in FLAGS)


def link_ntoa(addr: SockaddrDl) -> str:
    """Return link_ntoa(3) text: name, colon, octets in hexadecimal joined by dots.

    >>> link_ntoa(SockaddrDl(2, 6, "wm0", bytes.fromhex("000c293a41b7")))
    'wm0:0.c.29.3a.41.b7'
    """
    octets = ".".join(f"{octet:x}" for octet in addr.lladdr)
    return f"{addr.name}:{octets}" if addr.name and octets else addr.name or octets


def link_text(addr: SockaddrDl) -> str:
    """Return a link address as the tables show it: link#N for none, colons on Ethernet.

    >>> link_text(SockaddrDl(2, 6)), link_text(SockaddrDl(2, 6, "", bytes.fromhex("005056aa0102")))
    ('link#2', '00:50:56:aa:01:02')
    """
    if not addr.name and not addr.lladdr:
        return f"link#{addr.index}"
    if addr.type in (IFT_ETHER, IFT_IEEE80211) and len(addr.lladdr) == 6:
        return ether_ntoa(addr.lladdr)
    return link_ntoa(addr)


def any_ntoa(octets: bytes) -> str:
    """Return octets in hexadecimal joined by dots, as an unknown sockaddr prints.

    >>> any_ntoa(bytes((10, 255)))
    '0a.ff'
    """
    return octets.hex(".")


def raw_text(addr: SockaddrRaw) -> str:
    """Return the text of a sockaddr whose family has no tables here, IPv6 included."""
    if addr.family == AF_INET6 and len(addr.data) >= 22:
        from ipaddress import IPv6Address

        return str(IPv6Address(addr.data[6:22]))
    return f"({addr.family}) {any_ntoa(addr.data)}"


def network_text(net: int, mask: int) -> str:
    """Return a network shortened to the octets its mask reaches into.

    >>> network_text(0x0a2a0700, 0xffffff00), network_text(0x7f000000, 0xff000000)
    ('10.42.7/24', '127/8')
    >>> network_text(0, 0)
    'default'
    """
    bits = 33 - (mask & -mask).bit_length() if mask else 0
    if not net and not bits:
        return "default"
    shown = 1 if bits < 9 else (bits + 7) // 8
    octets = inet_ntoa(net).split(".")[:shown]
    return f"{'.'.join(octets)}/{bits}"


def trailing_zeros_off(net: int) -> int:
    """Return a network as getnetbyaddr(3) keys it, without trailing zero octets.

    >>> hex(trailing_zeros_off(0x0a2a0000))
    '0xa2a'
    """
    while net and not net & 0xFF:
        net >>= 8
    return net


class RouteText:
    """How addresses of routes are printed.

    nflag    numbers only, and columns are not cut
    hosts    name of an IPv4 address, or None       nets  name of a network number, or None
    ifname   interface name of an index, "" for none, asked where a message does not tell itself
    """

    def __init__(
        self,
        ifname: Callable[[int], str] | None = None,
        *,
        nflag: bool = False,
        hosts: Callable[[int], str | None] | None = None,
        nets: Callable[[int], str | None] | None = None,
    ) -> None:
        self._ifname = ifname
        self.nflag = nflag
        self._hosts = None if nflag else hosts
        self._nets = None if nflag else nets

    def routename(self, addr: Sockaddr | None) -> str:
        """Return a host, or link, address."""
        if isinstance(addr, SockaddrIn):
            if not addr.addr:
                return "default"
            name = self._hosts(addr.addr) if self._hosts else None
            return name or inet_ntoa(addr.addr)
        if isinstance(addr, SockaddrDl):
            return link_text(addr)
        if isinstance(addr, SockaddrRaw):
            return raw_text(addr)
        return "default"

    def netname(self, net: int, mask: int) -> str:
        """Return a network."""
        if net and self._nets is not None:
            name = self._nets(trailing_zeros_off(net))
            if name:
                return name
        return network_text(net, mask)

    def destination(self, msg: RtMsg) -> str:
        """Return the destination of a route."""
        dst, mask = msg.addrs.dst, msg.addrs.netmask
        if isinstance(dst, SockaddrIn) and mask is not None and not msg.flags & RTF_HOST:
            return self.netname(dst.addr, mask)
        return self.routename(dst)

    def destination_long(self, msg: RtMsg) -> str:
        """Return the destination network with all four octets, as route flush names it."""
        dst = msg.addrs.dst
        if not isinstance(dst, SockaddrIn):
            return self.routename(dst)
        if dst.addr and self._nets is not None:
            name = self._nets(trailing_zeros_off(dst.addr))
            if name:
                return name
        return inet_ntoa(dst.addr) if dst.addr else "default"

    def ifname(self, msg: RtMsg) -> str:
        """Return the name of the interface of a route."""
        ifp = msg.addrs.ifp
        if isinstance(ifp, SockaddrDl) and ifp.name:
            return ifp.name
        return self._ifname(msg.index) if self._ifname is not None else ""

    def _column(self, text: str, width: int) -> str:
        return f"{text:<{width}} " if self.nflag else f"{text[:width]:<{width}} "

    def widths(self, family: int) -> tuple[int, int]:
        """Return the widths of the destination and gateway columns."""
        if family == AF_INET6 and self.nflag:
            return 34, 30
        return _WIDTH, _WIDTH

    def header(self, family: int, *, spaced: bool = False) -> str:
        """Return the heading of a family: an empty line, its name, the columns."""
        flags = len(FLAGS) if spaced else _FLAGS_WIDTH
        dst, gate = self.widths(family)
        name = _FAMILIES.get(family)
        title = f"{name}:" if name else f"Protocol Family {family}:"
        return (
            f"\n{title}\n{'Destination':<{dst}} {'Gateway':<{gate}} {'Flags':<{flags}} {'Refs':>6} "
            f"{'Use':>8} {'Mtu':>6}  Interface\n"
        )

    def entry(self, msg: RtMsg, *, spaced: bool = False) -> str:
        """Return the line of one route, from a sysctl dump."""
        dst, gate = self.widths(family_of(msg.addrs.dst))
        # Blanks for what is not set make the column as wide as there are flags.
        width = len(FLAGS) if spaced else _FLAGS_WIDTH
        flags = flag_letters(msg.flags, spaced=spaced)[:width]
        mtu = str(msg.rmx.mtu) if msg.rmx.mtu else "-"
        lock = "L" if msg.rmx.locks & RTV_MTU else " "
        return (
            self._column(self.destination(msg), dst)
            + self._column(self.routename(msg.addrs.gateway), gate)
            + f"{flags:<{width}} {msg.seq:>6} {msg.use:>8} {mtu:>6}{lock} {self.ifname(msg)}\n"
        )


def family_of(addr: Sockaddr | None) -> int:
    """Return the address family number of a sockaddr, 0 for none."""
    if isinstance(addr, SockaddrIn):
        return AF_INET
    if isinstance(addr, SockaddrDl):
        return AF_LINK
    return addr.family if isinstance(addr, SockaddrRaw) else 0


def metrics_lines(msg: RtMsg) -> str:
    """Return the three lines that netstat -v adds below a route."""
    rmx = msg.rmx

    def lock(bit: int) -> str:
        return "L" if rmx.locks & bit else " "

    return (
        f"\texpire   {rmx.expire:>10}{lock(RTV_EXPIRE)}  "
        f"recvpipe {rmx.recvpipe:>10}{lock(RTV_RPIPE)}  "
        f"sendpipe {rmx.sendpipe:>10}{lock(RTV_SPIPE)}\n"
        f"\tssthresh {rmx.ssthresh:>10}{lock(RTV_SSTHRESH)}  "
        f"rtt      {rmx.rtt:>10}{lock(RTV_RTT)}  "
        f"rttvar   {rmx.rttvar:>10}{lock(RTV_RTTVAR)}\n"
        f"\thopcount {rmx.hopcount:>10}{lock(RTV_HOPCOUNT)}\n"
    )


def routes_text(
    messages: Iterable[RtMsg],
    how: RouteText,
    *,
    family: int = 0,
    flags: int = 0,
    spaced: bool = False,
    no_llinfo: bool = False,
    verbose: bool = False,
    prefix: Callable[[RtMsg], str] | None = None,
) -> str:
    """Return the tables of the routes of a dump, without the "Routing tables" above them.

    family     only routes of this address family, 0 for all
    flags      only routes that have all these RTF_* bits
    spaced     route -S: a blank for each flag that is not set
    no_llinfo  netstat -L: leave entries with link addresses out
    verbose    netstat -v: the metrics below each route
    prefix     what goes before each line (netstat -A)
    """
    out = []
    last = -1
    for msg in messages:
        of = family_of(msg.addrs.dst)
        if (
            (family and of != family)
            or msg.flags & flags != flags
            or (no_llinfo and msg.flags & RTF_LLINFO)
        ):
            continue
        if of != last:
            last = of
            out.append(how.header(of, spaced=spaced))
        out.append((prefix(msg) if prefix else "") + how.entry(msg, spaced=spaced))
        if verbose:
            out.append(metrics_lines(msg))
    return "".join(out)
