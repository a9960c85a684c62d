"""IPv4 header and options (RFC 791; router alert RFC 2113; DS field RFC 2474, ECN RFC 3168).

Parses and builds; verifies nothing but what is needed to find the parts. Addresses are host
integers, *off* is the 16-bit word of flags and fragment offset in units of 8 octets.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from struct import Struct
from typing import Final, NamedTuple

from libnet.wire import Malformed, Truncated
from libnet.wire.cksum import Octets, in_cksum

_HDR = Struct("!BBHHHBBHII")
HDRLEN: Final = _HDR.size
MAXHDRLEN: Final = 60
MAX_IPOPTLEN: Final = 40
IPVERSION: Final = 4
IP_MAXPACKET: Final = 65535

IP_RF: Final = 0x8000
IP_DF: Final = 0x4000
IP_MF: Final = 0x2000
IP_OFFMASK: Final = 0x1FFF

MAXTTL: Final = 255
IPDEFTTL: Final = 64
IPFRAGTTL: Final = 60
IPTTLDEC: Final = 1
IP_MSS: Final = 576

IPTOS_LOWDELAY: Final = 0x10
IPTOS_THROUGHPUT: Final = 0x08
IPTOS_RELIABILITY: Final = 0x04
IPTOS_ECN_MASK: Final = 0x03
IPTOS_ECN_CE: Final = 0x03

IPPROTO_ICMP: Final = 1
IPPROTO_IGMP: Final = 2
IPPROTO_IPV4: Final = 4
IPPROTO_TCP: Final = 6
IPPROTO_UDP: Final = 17
IPPROTO_RAW: Final = 255

IPOPT_EOL: Final = 0
IPOPT_NOP: Final = 1
IPOPT_RR: Final = 7
IPOPT_TS: Final = 68
IPOPT_SECURITY: Final = 130
IPOPT_LSRR: Final = 131
IPOPT_SATID: Final = 136
IPOPT_SSRR: Final = 137
IPOPT_RA: Final = 148

# Where things stand in an option: the octet of its kind is at IPOPT_OPTVAL.
IPOPT_OPTVAL: Final = 0
IPOPT_OLEN: Final = 1
IPOPT_OFFSET: Final = 2
IPOPT_MINOFF: Final = 4

IPOPT_TS_TSONLY: Final = 0
IPOPT_TS_TSANDADDR: Final = 1
IPOPT_TS_PRESPEC: Final = 3


class Ipv4(NamedTuple):
    """One IPv4 header and a view of its payload.

    tos      type of service, all eight bits
    len      octets of header, options and payload, as sent
    id       identification
    off      IP_RF, IP_DF, IP_MF and the offset (IP_OFFMASK, units of 8 octets)
    ttl, p   time to live, protocol
    sum      header checksum, as sent
    src, dst host integers
    options  octets between the fixed header and the payload, a multiple of 4
    payload  view into the caller's buffer
    """

    tos: int
    len: int
    id: int
    off: int
    ttl: int
    p: int
    sum: int
    src: int
    dst: int
    options: bytes
    payload: Octets

    @property
    def hlen(self) -> int:
        """Octets of header with options."""
        return HDRLEN + len(self.options)

    @classmethod
    def parse(cls, buf: Octets) -> Ipv4:
        """Read the header at the front of *buf*.

        Raises Truncated if the header or the length it declares exceeds *buf*, Malformed for
        another version or a header length that is impossible. Octets past the declared length are
        link padding and are not in the view.
        """
        found = cls.quoted(buf)
        if found.len < found.hlen:
            raise Malformed("ip", f"length {found.len} below header length {found.hlen}")
        if found.len > len(buf):
            raise Truncated("ip", need=found.len, have=len(buf))
        return found._replace(payload=memoryview(buf)[found.hlen : found.len])

    @classmethod
    def quoted(cls, buf: Octets) -> Ipv4:
        """Read a header whose payload may be cut short, as an ICMP error quotes it.

        The payload is all that follows. Raises Truncated if the header with its options exceeds
        *buf*, and Malformed.
        """
        if len(buf) < HDRLEN:
            raise Truncated("ip", need=HDRLEN, have=len(buf))
        vhl, tos, length, ident, off, ttl, proto, cksum, src, dst = _HDR.unpack_from(buf)
        if vhl >> 4 != IPVERSION:
            raise Malformed("ip", f"version {vhl >> 4}")
        hlen = (vhl & 15) << 2
        if hlen < HDRLEN:
            raise Malformed("ip", f"header length {hlen}")
        if len(buf) < hlen:
            raise Truncated("ip", need=hlen, have=len(buf))
        options = bytes(buf[HDRLEN:hlen])
        view = memoryview(buf)[hlen:]
        return cls(tos, length, ident, off, ttl, proto, cksum, src, dst, options, view)

    def header(self) -> bytes:
        """Return the octets of the header and options, checksum as it stands."""
        return (
            _HDR.pack(
                IPVERSION << 4 | self.hlen >> 2,
                self.tos,
                self.len,
                self.id,
                self.off,
                self.ttl,
                self.p,
                self.sum,
                self.src,
                self.dst,
            )
            + self.options
        )

    def build(self) -> bytes:
        """Return the octets that parse() would read back as this value."""
        return self.header() + bytes(self.payload)


def ip_build(
    payload: Octets,
    *,
    src: int,
    dst: int,
    proto: int,
    ttl: int = IPDEFTTL,
    tos: int = 0,
    ident: int = 0,
    off: int = 0,
    options: bytes = b"",
) -> bytes:
    """Return a whole packet: length and checksum filled in, *options* padded with IPOPT_EOL.

    Raises ValueError when the options are over 40 octets or the packet over 65535.
    """
    options += bytes(-len(options) & 3)
    if len(options) > MAX_IPOPTLEN:
        raise ValueError("ip options too long")
    hlen = HDRLEN + len(options)
    length = hlen + len(payload)
    if length > IP_MAXPACKET:
        raise ValueError("ip packet too long")
    vhl = IPVERSION << 4 | hlen >> 2
    head = _HDR.pack(vhl, tos, length, ident, off, ttl, proto, 0, src, dst) + options
    cksum = in_cksum(head)
    return head[:10] + cksum.to_bytes(2, "big") + head[12:] + bytes(payload)


# Options


class BadOption(Malformed):
    """An option runs past the header or is too short for its kind.

    offset  octets from the start of the IP header to the octet at fault: what an ICMP parameter
            problem message points at
    """

    def __init__(self, why: str, offset: int) -> None:
        super().__init__("ip option", why)
        self.offset = offset


class Option(NamedTuple):
    """One option as it stands.

    kind    IPOPT_*
    offset  octets from the start of the options
    data    the option whole, from its kind; one octet for IPOPT_NOP
    """

    kind: int
    offset: int
    data: bytes

    @property
    def copied(self) -> bool:
        """Whether the option goes into every fragment (RFC 791 section 3.1)."""
        return self.kind & 0x80 != 0

    @property
    def pointer(self) -> int:
        """The pointer octet of a route or timestamp option, 4 (5) when nothing is recorded."""
        return self.data[IPOPT_OFFSET]


_LEAST: Final = {IPOPT_RR: 3, IPOPT_LSRR: 3, IPOPT_SSRR: 3, IPOPT_TS: 4, IPOPT_RA: 4}


def walk_options(options: bytes) -> Iterator[Option]:
    """Yield the options up to IPOPT_EOL or the end.

    Raises BadOption at the one that is wrong, after those before it were yielded.
    """
    pos, end = 0, len(options)
    while pos < end:
        kind = options[pos]
        if kind == IPOPT_EOL:
            return
        if kind == IPOPT_NOP:
            yield Option(kind, pos, options[pos : pos + 1])
            pos += 1
            continue
        if pos + 1 >= end:
            raise BadOption("no length", HDRLEN + pos + IPOPT_OLEN)
        size = options[pos + 1]
        if size < _LEAST.get(kind, 2) or pos + size > end:
            raise BadOption(f"length {size}", HDRLEN + pos + IPOPT_OLEN)
        yield Option(kind, pos, options[pos : pos + size])
        pos += size


def copied_options(options: bytes) -> bytes:
    """Return what fragments after the first carry of *options*, padded to a multiple of 4.

    Raises BadOption.
    """
    kept = b"".join(opt.data for opt in walk_options(options) if opt.copied)
    return kept + bytes(-len(kept) & 3)


def route_addrs(option: Option) -> tuple[list[int], list[int]]:
    """Return the addresses of an RR, LSRR or SSRR option before and from its pointer on.

    For a record route the first list is what was recorded; for a source route it is the hops that
    were passed, the second those to go. A pointer past the end means the list is full; what does
    not fill four octets is left out.
    """
    body = option.data[3:]
    addrs = [int.from_bytes(body[i : i + 4], "big") for i in range(0, len(body) - 3, 4)]
    passed = max(0, (option.pointer - IPOPT_MINOFF) // 4)
    return addrs[:passed], addrs[passed:]


def record_route(slots: int) -> bytes:
    """Return an empty record route option with room for *slots* addresses, at most 9."""
    assert 0 <= slots <= 9
    return bytes((IPOPT_RR, 3 + 4 * slots, IPOPT_MINOFF)) + bytes(4 * slots)


def source_route(hops: Sequence[int], *, strict: bool = False) -> bytes:
    """Return a loose or strict source route through *hops*, the destination last, at most 9."""
    assert len(hops) <= 9
    kind = IPOPT_SSRR if strict else IPOPT_LSRR
    body = b"".join(hop.to_bytes(4, "big") for hop in hops)
    return bytes((kind, 3 + len(body), IPOPT_MINOFF)) + body


def timestamp(flag: int, slots: int, addrs: Sequence[int] = ()) -> bytes:
    """Return an empty timestamp option (RFC 791 page 22).

    flag   IPOPT_TS_TSONLY, IPOPT_TS_TSANDADDR or IPOPT_TS_PRESPEC
    slots  entries to leave room for; with IPOPT_TS_PRESPEC the number of *addrs*
    """
    if flag == IPOPT_TS_PRESPEC:
        body = b"".join(addr.to_bytes(4, "big") + bytes(4) for addr in addrs)
    else:
        body = bytes((4 if flag == IPOPT_TS_TSONLY else 8) * slots)
    assert len(body) + 4 <= MAX_IPOPTLEN
    return bytes((IPOPT_TS, 4 + len(body), IPOPT_MINOFF + 1, flag)) + body


class Timestamps(NamedTuple):
    """What a timestamp option holds.

    flag      IPOPT_TS_*
    overflow  hosts that found no room, at most 15
    entries   (address or None, milliseconds since midnight UT) as recorded so far
    room      whether another entry would fit
    """

    flag: int
    overflow: int
    entries: list[tuple[int | None, int]]
    room: bool


def timestamps(option: Option) -> Timestamps:
    """Read a timestamp option; entries that are not whole are left out."""
    data = option.data
    flag, overflow = data[3] & 15, data[3] >> 4
    size = 4 if flag == IPOPT_TS_TSONLY else 8
    end = min(option.pointer - 1, len(data))
    entries: list[tuple[int | None, int]] = []
    for pos in range(4, end - size + 1, size):
        when = int.from_bytes(data[pos + size - 4 : pos + size], "big")
        addr = None if size == 4 else int.from_bytes(data[pos : pos + 4], "big")
        entries.append((addr, when))
    return Timestamps(flag, overflow, entries, option.pointer - 1 + size <= len(data))


def router_alert(value: int = 0) -> bytes:
    """Return the router alert option (RFC 2113); 0 asks every router to look."""
    return bytes((IPOPT_RA, 4)) + value.to_bytes(2, "big")
