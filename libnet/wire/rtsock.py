"""Routing socket messages, RTM_VERSION 3 (NetBSD 4 <net/route.h>, <net/if.h>; 32-bit, little-endian).

Offsets of the four headers, in octets; `long` is four, and a 64-bit counter is aligned to four:

    rt_msghdr          0 msglen 2 version 3 type 4 index 8 flags 12 addrs 16 pid 20 seq 24 errno
                       28 use 32 inits, then rt_metrics: 36 locks 40 mtu 44 hopcount 48 expire
                       52 recvpipe 56 sendpipe 60 ssthresh 64 rtt 68 rttvar 72 pksent; 76 in all
    if_msghdr          0 msglen 2 version 3 type 4 addrs 8 flags 12 index, then if_data: 16 type
                       17 addrlen 18 hdrlen 20 link_state 24 mtu 32 metric 40 baudrate 48 ipackets
                       56 ierrors 64 opackets 72 oerrors 80 collisions 88 ibytes 96 obytes
                       104 imcasts 112 omcasts 120 iqdrops 128 noproto 136 lastchange; 144 in all
    ifa_msghdr         0 msglen 2 version 3 type 4 addrs 8 flags 12 index 16 metric; 20 in all
    if_announcemsghdr  0 msglen 2 version 3 type 4 index 6 name[16] 22 what; 24 in all

Sockaddrs follow in the order of their RTA_ bits, each padded to a multiple of four; one of length 0
takes four octets and means "all zero" (the mask of a default route). A netmask is cut after its last
octet that is not zero.

Two fields carry what the C structures have no room for: in a dump (sysctl) `seq` is the route's
reference count, which netstat of the era read from kernel memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct as Layout
from typing import Any, Final

from libnet.addr import AF_INET, AF_LINK, AF_UNSPEC, Sockaddr, SockaddrDl, SockaddrIn

RTM_VERSION: Final = 3

RTM_ADD: Final = 1
RTM_DELETE: Final = 2
RTM_CHANGE: Final = 3
RTM_GET: Final = 4
RTM_LOSING: Final = 5
RTM_REDIRECT: Final = 6
RTM_MISS: Final = 7
RTM_LOCK: Final = 8
RTM_OLDADD: Final = 9
RTM_OLDDEL: Final = 10
RTM_RESOLVE: Final = 11
RTM_NEWADDR: Final = 12
RTM_DELADDR: Final = 13
RTM_OIFINFO: Final = 14
RTM_IFINFO: Final = 15
RTM_IFANNOUNCE: Final = 16
RTM_IEEE80211: Final = 17

IFAN_ARRIVAL: Final = 0
IFAN_DEPARTURE: Final = 1

RTF_UP: Final = 0x1
RTF_GATEWAY: Final = 0x2
RTF_HOST: Final = 0x4
RTF_REJECT: Final = 0x8
RTF_DYNAMIC: Final = 0x10
RTF_MODIFIED: Final = 0x20
RTF_DONE: Final = 0x40
RTF_MASK: Final = 0x80
RTF_CLONING: Final = 0x100
RTF_XRESOLVE: Final = 0x200
RTF_LLINFO: Final = 0x400
RTF_STATIC: Final = 0x800
RTF_BLACKHOLE: Final = 0x1000
RTF_CLONED: Final = 0x2000
RTF_PROTO2: Final = 0x4000
RTF_PROTO1: Final = 0x8000
RTF_SRC: Final = 0x10000
RTF_ANNOUNCE: Final = RTF_PROTO2  # an ARP entry that is published

RTA_DST: Final = 0x1
RTA_GATEWAY: Final = 0x2
RTA_NETMASK: Final = 0x4
RTA_GENMASK: Final = 0x8
RTA_IFP: Final = 0x10
RTA_IFA: Final = 0x20
RTA_AUTHOR: Final = 0x40
RTA_BRD: Final = 0x80

RTAX_MAX: Final = 8

RTV_MTU: Final = 0x1
RTV_HOPCOUNT: Final = 0x2
RTV_EXPIRE: Final = 0x4
RTV_RPIPE: Final = 0x8
RTV_SPIPE: Final = 0x10
RTV_SSTHRESH: Final = 0x20
RTV_RTT: Final = 0x40
RTV_RTTVAR: Final = 0x80

RTM_RTTUNIT: Final = 1000000

NET_RT_DUMP: Final = 1
NET_RT_FLAGS: Final = 2
NET_RT_OIFLIST: Final = 3
NET_RT_IFLIST: Final = 4

SIN_PROXY: Final = 1

# The metrics in the order of struct rt_metrics, each with the bit that initialises or locks it.
METRICS: Final = (
    ("mtu", RTV_MTU),
    ("hopcount", RTV_HOPCOUNT),
    ("expire", RTV_EXPIRE),
    ("recvpipe", RTV_RPIPE),
    ("sendpipe", RTV_SPIPE),
    ("ssthresh", RTV_SSTHRESH),
    ("rtt", RTV_RTT),
    ("rttvar", RTV_RTTVAR),
)

_RT: Final = Layout("<HBBHxxiiiiiiI10I")
_IF: Final = Layout("<HBBiIHxxBBBxi14QiI")
_IFA: Final = Layout("<HBBiiHxxi")
_IFAN: Final = Layout("<HBBH16sH")
_PREFIX: Final = Layout("<HBB")
RT_MSGHDR_LEN: Final = _RT.size
IF_MSGHDR_LEN: Final = _IF.size
IFA_MSGHDR_LEN: Final = _IFA.size
IFAN_MSGHDR_LEN: Final = _IFAN.size

_SIN_LEN: Final = 16
_SDL_HDR: Final = 8
_SDL_MIN: Final = 20
_U32: Final = 0xFFFFFFFF
_U64: Final = 0xFFFFFFFFFFFFFFFF

_IFDATA_COUNTERS: Final = (
    "mtu",
    "metric",
    "baudrate",
    "ipackets",
    "ierrors",
    "opackets",
    "oerrors",
    "collisions",
    "ibytes",
    "obytes",
    "imcasts",
    "omcasts",
    "iqdrops",
    "noproto",
)


class BadRtMessage(ValueError):
    """Octets that are no routing message; `symbol` is what the writer of them is told."""

    def __init__(self, what: str, symbol: str = "EINVAL") -> None:
        super().__init__(what)
        self.symbol = symbol


class SockaddrInarp(SockaddrIn):
    """struct sockaddr_inarp: a key of the ARP table. other: SIN_PROXY for a proxy-only entry."""

    srcaddr: int = 0
    tos: int = 0
    other: int = 0


class SockaddrRaw(Sockaddr):
    """A sockaddr of a family not known here: its number, and the octets after it."""

    family: int = 0
    data: bytes = b""


class RtAddrs:
    """The sockaddrs of a message (struct rt_addrinfo), None where there is none.

    netmask, genmask  host integers
    """

    __slots__ = ("author", "brd", "dst", "gateway", "genmask", "ifa", "ifp", "netmask")

    def __init__(
        self,
        dst: Sockaddr | None = None,
        gateway: Sockaddr | None = None,
        netmask: int | None = None,
        genmask: int | None = None,
        ifp: Sockaddr | None = None,
        ifa: Sockaddr | None = None,
        author: Sockaddr | None = None,
        brd: Sockaddr | None = None,
    ) -> None:
        self.dst, self.gateway, self.netmask, self.genmask = dst, gateway, netmask, genmask
        self.ifp, self.ifa, self.author, self.brd = ifp, ifa, author, brd

    def bits(self) -> int:
        """Return the RTA_ bits of what is there."""
        bits = 0
        for at, name in enumerate(_ORDER):
            if getattr(self, name) is not None:
                bits |= 1 << at
        return bits

    def build(self) -> bytes:
        """Return the sockaddrs, padded."""
        out = b""
        for name in _ORDER:
            value = getattr(self, name)
            if value is not None:
                out += pack_mask(value) if isinstance(value, int) else pack_sockaddr(value)
        return out

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RtAddrs):
            return NotImplemented
        return all(getattr(self, n) == getattr(other, n) for n in _ORDER)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        body = (f"{n}={getattr(self, n)!r}" for n in _ORDER if getattr(self, n) is not None)
        return f"RtAddrs({', '.join(body)})"


_ORDER: Final = ("dst", "gateway", "netmask", "genmask", "ifp", "ifa", "author", "brd")


class RtMetrics:
    """struct rt_metrics. locks: RTV_ bits; expire: seconds since 1970; rtt in microseconds."""

    __slots__ = (
        "expire",
        "hopcount",
        "locks",
        "mtu",
        "pksent",
        "recvpipe",
        "rtt",
        "rttvar",
        "sendpipe",
        "ssthresh",
    )

    def __init__(
        self,
        locks: int = 0,
        mtu: int = 0,
        hopcount: int = 0,
        expire: int = 0,
        recvpipe: int = 0,
        sendpipe: int = 0,
        ssthresh: int = 0,
        rtt: int = 0,
        rttvar: int = 0,
        pksent: int = 0,
    ) -> None:
        self.locks, self.mtu, self.hopcount, self.expire = locks, mtu, hopcount, expire
        self.recvpipe, self.sendpipe, self.ssthresh = recvpipe, sendpipe, ssthresh
        self.rtt, self.rttvar, self.pksent = rtt, rttvar, pksent

    def words(self) -> tuple[int, ...]:
        """Return the ten fields in order, cut to 32 bits."""
        return tuple(
            value & _U32
            for value in (
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
        )


class RtMsg:
    """struct rt_msghdr and its sockaddrs.

    type    RTM_*                          index  interface, 0 for none
    flags   RTF_*                          pid, seq  of who wrote it
    errno   number of `libnet.errors`      use    packets sent by the route
    inits   RTV_ bits of the metrics that are being set
    size    octets of the message as it came, 0 before that
    """

    __slots__ = (
        "addrs",
        "errno",
        "flags",
        "index",
        "inits",
        "pid",
        "rmx",
        "seq",
        "size",
        "type",
        "use",
    )

    def __init__(
        self,
        type: int,
        *,
        flags: int = 0,
        addrs: RtAddrs | None = None,
        index: int = 0,
        pid: int = 0,
        seq: int = 0,
        errno: int = 0,
        use: int = 0,
        inits: int = 0,
        rmx: RtMetrics | None = None,
        size: int = 0,
    ) -> None:
        self.type, self.flags, self.index = type, flags, index
        self.addrs = addrs or RtAddrs()
        self.pid, self.seq, self.errno, self.use, self.inits = pid, seq, errno, use, inits
        self.rmx = rmx or RtMetrics()
        self.size = size

    def build(self) -> bytes:
        """Return the octets."""
        tail = self.addrs.build()
        return (
            _RT.pack(
                RT_MSGHDR_LEN + len(tail),
                RTM_VERSION,
                self.type,
                self.index & 0xFFFF,
                _signed(self.flags),
                self.addrs.bits(),
                _signed(self.pid),
                _signed(self.seq),
                _signed(self.errno),
                _signed(self.use),
                self.inits & _U32,
                *self.rmx.words(),
            )
            + tail
        )


class IfStats:
    """struct if_data as it travels here. lastchange in seconds since 1970.

    The fields are those of the ioctl's IfData; this room is below that one.
    """

    __slots__ = ("addrlen", "hdrlen", "lastchange", "link_state", "type", *_IFDATA_COUNTERS)

    def __init__(self, like: Any = None) -> None:
        """Copy the fields of *like*, anything that has them; all zero without it."""
        self.lastchange: float = like.lastchange if like is not None else 0.0
        for name in ("type", "addrlen", "hdrlen", "link_state", *_IFDATA_COUNTERS):
            setattr(self, name, getattr(like, name) if like is not None else 0)

    type: int
    addrlen: int
    hdrlen: int
    link_state: int
    mtu: int
    metric: int
    baudrate: int
    ipackets: int
    ierrors: int
    opackets: int
    oerrors: int
    collisions: int
    ibytes: int
    obytes: int
    imcasts: int
    omcasts: int
    iqdrops: int
    noproto: int


class IfMsg:
    """struct if_msghdr: RTM_IFINFO."""

    __slots__ = ("addrs", "data", "flags", "index", "size", "type")

    def __init__(
        self,
        *,
        index: int,
        flags: int,
        data: IfStats,
        addrs: RtAddrs | None = None,
        type: int = RTM_IFINFO,
        size: int = 0,
    ) -> None:
        self.index, self.flags, self.data, self.type, self.size = index, flags, data, type, size
        self.addrs = addrs or RtAddrs()

    def build(self) -> bytes:
        """Return the octets."""
        data, tail = self.data, self.addrs.build()
        sec = int(data.lastchange)
        return (
            _IF.pack(
                IF_MSGHDR_LEN + len(tail),
                RTM_VERSION,
                self.type,
                self.addrs.bits(),
                self.flags & _U32,
                self.index & 0xFFFF,
                data.type & 0xFF,
                data.addrlen & 0xFF,
                data.hdrlen & 0xFF,
                _signed(data.link_state),
                *(getattr(data, name) & _U64 for name in _IFDATA_COUNTERS),
                _signed(sec),
                int((data.lastchange - sec) * 1000000) & _U32,
            )
            + tail
        )


class IfaMsg:
    """struct ifa_msghdr: RTM_NEWADDR, RTM_DELADDR."""

    __slots__ = ("addrs", "flags", "index", "metric", "size", "type")

    def __init__(
        self,
        type: int,
        *,
        index: int,
        flags: int = 0,
        metric: int = 0,
        addrs: RtAddrs | None = None,
        size: int = 0,
    ) -> None:
        self.type, self.index, self.flags, self.metric = type, index, flags, metric
        self.addrs, self.size = addrs or RtAddrs(), size

    def build(self) -> bytes:
        """Return the octets."""
        tail = self.addrs.build()
        return (
            _IFA.pack(
                IFA_MSGHDR_LEN + len(tail),
                RTM_VERSION,
                self.type,
                self.addrs.bits(),
                _signed(self.flags),
                self.index & 0xFFFF,
                _signed(self.metric),
            )
            + tail
        )


class IfanMsg:
    """struct if_announcemsghdr: RTM_IFANNOUNCE, and RTM_IEEE80211 with its own octets after it."""

    __slots__ = ("data", "index", "name", "size", "type", "what")

    def __init__(
        self,
        type: int,
        *,
        index: int,
        name: str,
        what: int,
        data: bytes = b"",
        size: int = 0,
    ) -> None:
        self.type, self.index, self.name, self.what = type, index, name, what
        self.data, self.size = data, size

    def build(self) -> bytes:
        """Return the octets."""
        name = self.name.encode("latin-1", "replace")[:15]
        return (
            _IFAN.pack(
                IFAN_MSGHDR_LEN + len(self.data),
                RTM_VERSION,
                self.type,
                self.index & 0xFFFF,
                name,
                self.what & 0xFFFF,
            )
            + self.data
        )


AnyMsg = RtMsg | IfMsg | IfaMsg | IfanMsg


def _signed(value: int) -> int:
    value &= _U32
    return value - (1 << 32) if value >> 31 else value


def _padded(octets: bytes) -> bytes:
    return octets + bytes(-len(octets) % 4)


def pack_sockaddr(addr: Sockaddr) -> bytes:
    """Return *addr* padded to a multiple of four octets.

    >>> pack_sockaddr(SockaddrIn(0x0a000001)).hex()
    '100200000a0000010000000000000000'
    """
    if isinstance(addr, SockaddrInarp):
        return (
            bytes((_SIN_LEN, AF_INET, 0, 0))
            + addr.addr.to_bytes(4, "big")
            + addr.srcaddr.to_bytes(4, "big")
            + addr.tos.to_bytes(2, "little")
            + addr.other.to_bytes(2, "little")
        )
    if isinstance(addr, SockaddrIn):
        return (
            bytes((_SIN_LEN, AF_INET))
            + addr.port.to_bytes(2, "big")
            + addr.addr.to_bytes(4, "big")
            + bytes(8)
        )
    if isinstance(addr, SockaddrDl):
        name = addr.name.encode("latin-1", "replace")[:15]
        lladdr = addr.lladdr[:200]
        body = name + lladdr
        size = max(_SDL_MIN, _SDL_HDR + len(body))
        head = bytes((size, AF_LINK)) + addr.index.to_bytes(2, "little")
        head += bytes((addr.type & 0xFF, len(name), len(lladdr), 0))
        return _padded((head + body).ljust(size, b"\0"))
    if isinstance(addr, SockaddrRaw):
        data = addr.data[:253]
        return _padded(bytes((2 + len(data), addr.family)) + data)
    return _padded(bytes((2, AF_UNSPEC)))


def pack_mask(mask: int) -> bytes:
    """Return a netmask as the routing table holds it: cut after its last octet that is not zero.

    >>> pack_mask(0xffffff00).hex(), pack_mask(0).hex()
    ('0702ffffffffff00', '00000000')
    """
    octets = mask.to_bytes(4, "big").rstrip(b"\0")
    if not octets:
        return bytes(4)
    return _padded(bytes((4 + len(octets), AF_INET, 0xFF, 0xFF)) + octets)


def _take(buf: bytes, at: int) -> tuple[bytes, int]:
    """Return the sockaddr at *at* without padding, and where the next one starts."""
    if at >= len(buf):
        raise BadRtMessage("a sockaddr is missing")
    size = buf[at]
    step = (size + 3) & ~3 if size else 4
    if at + size > len(buf):
        raise BadRtMessage("a sockaddr is cut off")
    # The last one may lack its padding: old programs send a netmask so.
    return buf[at : at + size], min(at + step, len(buf))


def unpack_sockaddr(octets: bytes) -> Sockaddr:
    """Return the sockaddr of exactly these octets. Raises BadRtMessage.

    >>> unpack_sockaddr(bytes.fromhex("100200000a0000010000000000000000"))
    SockaddrIn(addr=167772161, port=0)
    """
    if len(octets) < 2:
        return Sockaddr()
    family = octets[1]
    if family == AF_INET:
        body = octets[2:].ljust(14, b"\0")
        addr = int.from_bytes(body[2:6], "big")
        srcaddr = int.from_bytes(body[6:10], "big")
        tos = int.from_bytes(body[10:12], "little")
        other = int.from_bytes(body[12:14], "little")
        if srcaddr or tos or other:
            return SockaddrInarp(addr, 0, srcaddr, tos, other)
        return SockaddrIn(addr, int.from_bytes(body[:2], "big"))
    if family == AF_LINK:
        if len(octets) < _SDL_HDR:
            raise BadRtMessage("a link address is too short")
        nlen, alen = octets[5], octets[6]
        if _SDL_HDR + nlen + alen > len(octets):
            raise BadRtMessage("a link address is cut off")
        name = octets[_SDL_HDR : _SDL_HDR + nlen].decode("latin-1")
        lladdr = octets[_SDL_HDR + nlen : _SDL_HDR + nlen + alen]
        return SockaddrDl(int.from_bytes(octets[2:4], "little"), octets[4], name, lladdr)
    if family == AF_UNSPEC:
        return Sockaddr()
    return SockaddrRaw(family, octets[2:])


def unpack_mask(octets: bytes) -> int:
    """Return the netmask of a (possibly cut) sockaddr.

    >>> hex(unpack_mask(bytes.fromhex("0702ffffffffff")))
    '0xffffff00'
    """
    return int.from_bytes(octets[4:8].ljust(4, b"\0"), "big")


def unpack_addrs(bits: int, buf: bytes) -> RtAddrs:
    """Return the sockaddrs that fill *buf*. Raises BadRtMessage for a bit without one, or a rest."""
    addrs = RtAddrs()
    at = 0
    for number, name in enumerate(_ORDER):
        bit = 1 << number
        if not bits & bit:
            continue
        octets, at = _take(buf, at)
        if bit in (RTA_NETMASK, RTA_GENMASK):
            setattr(addrs, name, unpack_mask(octets))
        else:
            setattr(addrs, name, unpack_sockaddr(octets))
    if bits >> RTAX_MAX:
        raise BadRtMessage("sockaddrs of unknown kinds")
    if at != len(buf):
        raise BadRtMessage("octets after the last sockaddr")
    return addrs


def unpack(buf: bytes) -> AnyMsg:
    """Return the message that fills *buf*. Raises BadRtMessage, EPROTONOSUPPORT for its version."""
    if len(buf) < _PREFIX.size:
        raise BadRtMessage("shorter than its first four octets")
    msglen, version, kind = _PREFIX.unpack_from(buf)
    if msglen != len(buf):
        raise BadRtMessage("its length is not its length")
    if version != RTM_VERSION:
        raise BadRtMessage(f"version {version}", "EPROTONOSUPPORT")
    if kind == RTM_IFINFO:
        return _unpack_if(buf)
    if kind in (RTM_NEWADDR, RTM_DELADDR):
        if msglen < IFA_MSGHDR_LEN:
            raise BadRtMessage("cut off")
        _, _, _, bits, flags, index, metric = _IFA.unpack_from(buf)
        addrs = unpack_addrs(bits & _U32, buf[IFA_MSGHDR_LEN:])
        return IfaMsg(kind, index=index, flags=flags, metric=metric, addrs=addrs, size=msglen)
    if kind in (RTM_IFANNOUNCE, RTM_IEEE80211):
        if msglen < IFAN_MSGHDR_LEN:
            raise BadRtMessage("cut off")
        _, _, _, index, name, what = _IFAN.unpack_from(buf)
        text = name.partition(b"\0")[0].decode("latin-1")
        rest = buf[IFAN_MSGHDR_LEN:]
        return IfanMsg(kind, index=index, name=text, what=what, data=rest, size=msglen)
    return _unpack_rt(buf, kind)


def _unpack_rt(buf: bytes, kind: int) -> RtMsg:
    if len(buf) < RT_MSGHDR_LEN:
        raise BadRtMessage("cut off")
    _, _, _, index, flags, bits, pid, seq, errno, use, inits, *rmx = _RT.unpack_from(buf)
    bits &= _U32
    if kind == RTM_GET and len(buf) == RT_MSGHDR_LEN + _length(bits & ~0x30, buf):
        # A GET may ask for the interface by bits alone, without sending sockaddrs for them.
        bits &= ~(RTA_IFP | RTA_IFA)
    addrs = unpack_addrs(bits, buf[RT_MSGHDR_LEN:])
    return RtMsg(
        kind,
        flags=flags & _U32,
        addrs=addrs,
        index=index,
        pid=pid,
        seq=seq,
        errno=errno,
        use=use & _U32,
        inits=inits,
        rmx=RtMetrics(*rmx),
        size=len(buf),
    )


def _length(bits: int, buf: bytes) -> int:
    """Return the octets that the sockaddrs of *bits* take in a rt_msghdr message; -1 if cut off."""
    rest = buf[RT_MSGHDR_LEN:]
    at = 0
    for _ in range((bits & 0xFF).bit_count()):
        try:
            _octets, at = _take(rest, at)
        except BadRtMessage:
            return -1
    return at


def wants_interface(buf: bytes) -> bool:
    """Tell whether the writer of an RTM_GET asks for RTA_IFP or RTA_IFA."""
    return len(buf) >= RT_MSGHDR_LEN and bool(_RT.unpack_from(buf)[5] & (RTA_IFP | RTA_IFA))


def _unpack_if(buf: bytes) -> IfMsg:
    if len(buf) < IF_MSGHDR_LEN:
        raise BadRtMessage("cut off")
    fields = _IF.unpack_from(buf)
    _, _, kind, bits, flags, index, iftype, addrlen, hdrlen, link_state = fields[:10]
    data = IfStats()
    data.type, data.addrlen, data.hdrlen, data.link_state = iftype, addrlen, hdrlen, link_state
    for name, value in zip(_IFDATA_COUNTERS, fields[10:24], strict=True):
        setattr(data, name, value)
    data.lastchange = fields[24] + fields[25] / 1000000
    addrs = unpack_addrs(bits & _U32, buf[IF_MSGHDR_LEN:])
    return IfMsg(index=index, flags=flags, data=data, addrs=addrs, type=kind, size=len(buf))


def unpack_all(buf: bytes) -> Iterator[AnyMsg]:
    """Yield the messages of a dump. Raises BadRtMessage where one is wrong."""
    at = 0
    while at < len(buf):
        size = int.from_bytes(buf[at : at + 2], "little")
        if size < _PREFIX.size or at + size > len(buf):
            raise BadRtMessage("a message is cut off")
        yield unpack(buf[at : at + size])
        at += size
