"""Routing messages as route -v, get and monitor print them; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from libnet.addr import Sockaddr, SockaddrDl, SockaddrIn, inet_ntoa
from libnet.ioctl.ifflags import LINK_STATE_DOWN, LINK_STATE_UNKNOWN, LINK_STATE_UP
from libnet.text.routes import link_ntoa, raw_text
from libnet.wire.rtsock import (
    IFAN_ARRIVAL,
    IFAN_DEPARTURE,
    RTF_GATEWAY,
    RTM_IEEE80211,
    RTV_EXPIRE,
    RTV_HOPCOUNT,
    RTV_MTU,
    RTV_RPIPE,
    RTV_RTT,
    RTV_RTTVAR,
    RTV_SPIPE,
    RTV_SSTHRESH,
    AnyMsg,
    IfaMsg,
    IfanMsg,
    IfMsg,
    RtAddrs,
    RtMsg,
    SockaddrRaw,
)

Bits = tuple[tuple[int, str], ...]

TYPES: Final = (
    "",
    "RTM_ADD: Add Route",
    "RTM_DELETE: Delete Route",
    "RTM_CHANGE: Change Metrics or flags",
    "RTM_GET: Report Metrics",
    "RTM_LOSING: Kernel Suspects Partitioning",
    "RTM_REDIRECT: Told to use different route",
    "RTM_MISS: Lookup failed on this address",
    "RTM_LOCK: fix specified metrics",
    "RTM_OLDADD: caused by SIOCADDRT",
    "RTM_OLDDEL: caused by SIOCDELRT",
    "RTM_RESOLVE: Route created by cloning",
    "RTM_NEWADDR: address being added to iface",
    "RTM_DELADDR: address being removed from iface",
    "RTM_OIFINFO: iface status change (pre-1.5)",
    "RTM_IFINFO: iface status change",
    "RTM_IFANNOUNCE: iface arrival/departure",
    "RTM_IEEE80211: IEEE80211 wireless event",
)


def _bits(names: str) -> Bits:
    return tuple((1 << at, name) for at, name in enumerate(names.split()))


ROUTE_FLAGS: Final = _bits(
    "UP GATEWAY HOST REJECT DYNAMIC MODIFIED DONE MASK_PRESENT CLONING XRESOLVE LLINFO STATIC "
    "BLACKHOLE CLONED PROTO2 PROTO1"
)
IFNET_FLAGS: Final = _bits(
    "UP BROADCAST DEBUG LOOPBACK PTP NOTRAILERS RUNNING NOARP PPROMISC ALLMULTI OACTIVE SIMPLEX "
    "LINK0 LINK1 LINK2 MULTICAST"
)
ADDR_NAMES: Final = _bits("DST GATEWAY NETMASK GENMASK IFP IFA AUTHOR BRD")
# Metrics are named from the last to the first.
METRIC_NAMES: Final = tuple(
    reversed(_bits("mtu hopcount expire recvpipe sendpipe ssthresh rtt rttvar pksent"))
)

_EVENTS: Final = {
    100: "associate",
    101: "re-associate",
    102: "disassociate",
    103: "join",
    104: "leave",
    105: "scan complete",
    106: "replay",
    107: "michael",
}
_JOIN, _LEAVE, _REPLAY, _MICHAEL = 103, 104, 106, 107
# Octets that an event carries after its header: an address; or source, destination, cipher and key
# index, and for a replay, after two octets of padding, two 64-bit sequence counters.
_EVENT_LEN: Final = {_JOIN: 6, _LEAVE: 6, _REPLAY: 32, _MICHAEL: 14}

_LINK: Final = {
    LINK_STATE_UNKNOWN: "unknown",
    LINK_STATE_DOWN: "no carrier",
    LINK_STATE_UP: "active",
}


def bprintf(value: int, names: Iterable[tuple[int, str]]) -> str:
    """Return '<NAME,NAME>', or nothing at all when no named bit is set.

    >>> bprintf(3, ROUTE_FLAGS), bprintf(0, ROUTE_FLAGS)
    ('<UP,GATEWAY>', '')
    """
    found = [name for bit, name in names if value & bit]
    return f"<{','.join(found)}>" if found else ""


class MessageText:
    """How messages are printed; *hosts* gives the name of an IPv4 address, or None."""

    def __init__(self, hosts: Callable[[int], str | None] | None = None) -> None:
        self._hosts = hosts

    def name(self, addr: Sockaddr | None) -> str:
        """Return one address (routename with RTF_HOST)."""
        if isinstance(addr, SockaddrIn):
            if not addr.addr:
                return "default"
            return (self._hosts(addr.addr) if self._hosts else None) or inet_ntoa(addr.addr)
        if isinstance(addr, SockaddrDl):
            return link_ntoa(addr)
        if isinstance(addr, SockaddrRaw):
            return raw_text(addr)
        return "default" if addr is None else "(0) 00"

    def sockaddrs(self, addrs: RtAddrs) -> str:
        """Return the 'sockaddrs:' line and the values below it, or what stands for none."""
        bits = addrs.bits()
        if not bits:
            return "\n"
        values = [
            _mask_text(value) if isinstance(value, int) else self.name(value)
            for value in (
                addrs.dst,
                addrs.gateway,
                addrs.netmask,
                addrs.genmask,
                addrs.ifp,
                addrs.ifa,
                addrs.author,
                addrs.brd,
            )
            if value is not None
        ]
        return (
            f"\nsockaddrs: {bprintf(bits, ADDR_NAMES)}\n" + "".join(f" {v}" for v in values) + "\n"
        )

    def common(self, msg: RtMsg) -> str:
        """Return the lines of locks, inits and addresses."""
        locks = bprintf(msg.rmx.locks, METRIC_NAMES)
        inits = bprintf(msg.inits, METRIC_NAMES)
        return f"\nlocks: {locks} inits: {inits}" + self.sockaddrs(msg.addrs)

    def message(self, msg: AnyMsg) -> str:
        """Return a whole message."""
        kind = TYPES[msg.type] if 0 < msg.type < len(TYPES) else f"#{msg.type}"
        head = f"{kind}: len {msg.size}, "
        if isinstance(msg, IfMsg):
            state = _LINK.get(msg.data.link_state, f"0x{msg.data.link_state:x}")
            flags = bprintf(msg.flags, IFNET_FLAGS)
            head += f"if# {msg.index}, carrier: {state}, flags: {flags}"
            return head + self.sockaddrs(msg.addrs)
        if isinstance(msg, IfaMsg):
            head += f"metric {msg.metric}, flags: {bprintf(msg.flags, ROUTE_FLAGS)}"
            return head + self.sockaddrs(msg.addrs)
        if isinstance(msg, IfanMsg):
            return head + f"if# {msg.index}, what: {_what(msg)}\n"
        flags = bprintf(msg.flags, ROUTE_FLAGS)
        head += f"pid {msg.pid}, seq {msg.seq}, errno {msg.errno}, flags: {flags}"
        return head + self.common(msg)

    def getmsg(self, asked: Sockaddr | None, msg: RtMsg, wall: float) -> str:
        """Return the answer to a GET for *asked*; *wall* is seconds since 1970."""
        addrs = msg.addrs
        out = f"   route to: {self.name(asked)}\n"
        if addrs.dst is not None:
            out += f"destination: {self.name(addrs.dst)}\n"
        if addrs.netmask is not None:
            out += f"       mask: {_mask_text(addrs.netmask)}\n"
        if addrs.gateway is not None and msg.flags & RTF_GATEWAY:
            out += f"    gateway: {self.name(addrs.gateway)}\n"
        if addrs.ifa is not None:
            out += f" local addr: {self.name(addrs.ifa)}\n"
        if isinstance(addrs.ifp, SockaddrDl) and addrs.ifp.name:
            out += f"  interface: {addrs.ifp.name}\n"
        out += f"      flags: {bprintf(msg.flags, ROUTE_FLAGS)}\n"
        return out + _metrics(msg, wall)


def _mask_text(mask: int) -> str:
    return inet_ntoa(mask) if mask else "default"


def _metrics(msg: RtMsg, wall: float) -> str:
    rmx = msg.rmx
    fields = (
        (rmx.recvpipe, RTV_RPIPE),
        (rmx.sendpipe, RTV_SPIPE),
        (rmx.ssthresh, RTV_SSTHRESH),
        ((rmx.rtt + 500) // 1000, RTV_RTT),
        ((rmx.rttvar + 500) // 1000, RTV_RTTVAR),
        (rmx.hopcount, RTV_HOPCOUNT),
        (rmx.mtu, RTV_MTU),
        (rmx.expire - int(wall) if rmx.expire else 0, RTV_EXPIRE),
    )
    cells = " ".join(f"{value:>8}{'L' if rmx.locks & bit else ' '}" for value, bit in fields)
    return (
        "\n recvpipe  sendpipe  ssthresh  rtt,msec    rttvar  hopcount      mtu     expire\n"
        f"{cells}\n"
    )


def _what(msg: IfanMsg) -> str:
    if msg.type != RTM_IEEE80211:
        known = {IFAN_ARRIVAL: "arrival", IFAN_DEPARTURE: "departure"}
        return known.get(msg.what, f"#{msg.what}")
    text = _EVENTS.get(msg.what, f"#{msg.what}")
    need = _EVENT_LEN.get(msg.what, 0)
    data = msg.data
    if len(data) < need:
        return f"{text} (truncated)"
    if msg.what in (_JOIN, _LEAVE):
        return f"{text} mac {data[:6].hex(':')}"
    if msg.what in (_REPLAY, _MICHAEL):
        text += f" src {data[:6].hex(':')} dst {data[6:12].hex(':')}"
        text += f" cipher {data[12]} keyix {data[13]}"
        if msg.what == _REPLAY:
            keyrsc = int.from_bytes(data[16:24], "little")
            rsc = int.from_bytes(data[24:32], "little")
            text += f" key rsc {_hex(keyrsc)} frame rsc {_hex(rsc)}"
    return text


def _hex(value: int) -> str:
    return f"0x{value:x}" if value else "0"


def sodump(which: str, addr: Sockaddr | int) -> str:
    """Return an address of the request, as -v shows it before the message.

    >>> sodump("so_dst", SockaddrIn(0x0a000001))
    'so_dst: inet 10.0.0.1; '
    """
    if isinstance(addr, int):
        return f"{which}: inet {inet_ntoa(addr)}; "
    if isinstance(addr, SockaddrIn):
        return f"{which}: inet {inet_ntoa(addr.addr)}; "
    if isinstance(addr, SockaddrDl):
        return f"{which}: link {link_ntoa(addr)}; "
    if isinstance(addr, SockaddrRaw) and addr.family == 24:
        return f"{which}: inet6 {raw_text(addr)}; "
    return f"{which}: {raw_text(addr) if isinstance(addr, SockaddrRaw) else '(0) 00'}; "
