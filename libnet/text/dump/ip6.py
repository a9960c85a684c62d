"""IPv6 (RFC 8200), its options, routing (RFC 8754) and fragment headers, mobility (RFC 6275)."""

from __future__ import annotations

import struct
from typing import Final

from libnet.text.dump.ip import ip_demux_print
from libnet.text.dump.ndo import Ndo, lazy, u2, u4
from libnet.text.dump.numbers import IPPROTOS

_HDR: Final = struct.Struct("!IHBB").unpack_from
_WITH_PORTS: Final = frozenset((6, 17, 33, 132))
_HOPOPTS, _ROUTING, _FRAGMENT, _DSTOPTS = 0, 43, 44, 60
_MOBILITY: Final = (62, 135)
_mobility = lazy("mobility.mobility_print")


class _Bad(Exception):
    """An option cannot be."""


def ip6_print(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    """Print an IPv6 datagram of *length* octets."""
    ndo.protocol = "ip6"
    p = ndo.p
    if o + 40 > len(b):
        ndo.trunc()
        return
    if length < 40:
        p(f"truncated-ip6 {length}")
        return
    if not ndo.eflag:
        p("IP6 ")
    flow, payload, nh, hlim = _HDR(b, o)
    if flow >> 28 != 6:
        p(f"version error: {flow >> 28} != 6")
        return
    if payload:
        size = payload + 40
        if length < size:
            p(f"truncated-ip6 - {size - length} bytes missing!")
    else:
        # Perhaps a jumbogram: its option tells the length.
        size = length + 40
    if ndo.vflag:
        p("(")
        if flow & 0x0FF00000:
            p(f"class 0x{flow >> 20 & 0xFF:02x}, ")
        if flow & 0xFFFFF:
            p(f"flowlabel 0x{flow & 0xFFFFF:05x}, ")
        p(
            f"hlim {hlim}, next-header {IPPROTOS.get(nh, 'unknown')} ({nh}) "
            f"payload length: {payload}) "
        )
    whole = b
    if o + size < len(b):
        b = b[: o + size]
    at, advance, done = o, 40, 0
    extended, jumbo, before, fragmented = False, 0, 255, 0
    hbh = False
    while at < len(b) and advance > 0:
        if size < advance:
            ndo.trunc()
            return
        at += advance
        size -= advance
        done += advance
        if at == o + 40 and nh not in _WITH_PORTS:
            p(f"{ndo.ip6addr(b, o + 8)} > {ndo.ip6addr(b, o + 24)}: ")
        if nh == _HOPOPTS:
            if hbh:
                p("[The Hop-by-Hop Options header was already found]")
                ndo.invalid()
                return
            if before != 255:
                p("[The Hop-by-Hop Options header don't follow the IPv6 header]")
                ndo.invalid()
                return
            advance, jumbo = _options_header(ndo, b, at, "hbhopt", payload)
            if payload == 0 and jumbo == 0:
                p("[No valid Jumbo Payload Hop-by-Hop option found]")
                ndo.invalid()
                return
            if jumbo:
                payload = jumbo
            hbh = True
        elif nh == _DSTOPTS:
            advance, _none = _options_header(ndo, b, at, "dstopt", None)
        elif nh == _FRAGMENT:
            advance = _frag6_print(ndo, b, at, o)
            if advance < 0 or len(b) <= at + advance:
                return
            fragmented = 1
        elif nh == _ROUTING:
            if at >= len(b):
                ndo.trunc()
                return
            advance = _rt6_print(ndo, b, at)
        elif nh in _MOBILITY:
            _mobility(ndo, b, at, o)
            return
        else:
            if jumbo:
                size = payload + 40
                if size < done:
                    ndo.trunc()
                    return
                if length < size:
                    p(f"truncated-ip6 - {size - length} bytes missing!")
                b = whole[: o + size]
                size -= done
            elif payload == 0:
                if extended:
                    ndo.trunc()
                    return
                b = whole[: o + 40]
                size = 40 - done
            ip_demux_print(ndo, b, at, size, 6, fragmented, hlim, nh, o)
            return
        if advance < 0:
            return
        extended = True
        before = nh
        nh = b[at]
        ndo.protocol = "ip6"


def _options_header(ndo: Ndo, b: bytes, o: int, name: str, payload: int | None) -> tuple[int, int]:
    """Print a hop-by-hop or destination options header.

    payload  the length in the IPv6 header, None if a jumbo option has no business here
    Return its octets, negative after a complaint, and the length in a jumbo option.
    """
    ndo.protocol = name
    size = (b[o + 1] + 1) << 3
    if o + size > len(b):
        ndo.trunc()
        return -1, 0
    ndo.p("HBH " if payload is not None else "DSTOPT ")
    if payload is None and not ndo.vflag:
        return size, 0
    jumbo = [0]
    try:
        _options(ndo, b, o + 2, size - 2, payload, jumbo)
    except _Bad:
        ndo.trunc()
        return -1, jumbo[0]
    return size, jumbo[0]


def _options(
    ndo: Ndo, b: bytes, o: int, length: int, payload: int | None, jumbo: list[int]
) -> None:
    """Print options; the length that a valid jumbo option gives becomes that of *jumbo*."""
    p, v = ndo.p, ndo.vflag
    i, seen = 0, False
    while i < length:
        kind = b[o + i]
        if kind == 0:
            size = 1
        elif i + 1 < length:
            size = b[o + i + 1] + 2
        else:
            raise _Bad
        if i + size > length:
            raise _Bad
        left = length - i
        if kind == 0:
            if v:
                p("(pad1)")
        elif kind == 1:
            if v:
                p("(padn)")
        elif kind == 5:
            _exactly(ndo, "rtalert", left, size, 4)
            if v:
                p(f"(rtalert: 0x{u2(b, o + i + 2):04x}) ")
        elif kind == 0xC2:
            _exactly(ndo, "jumbo", left, size, 6)
            value = u4(b, o + i + 2)
            if seen:
                why = " - already seen"
            elif payload is None:
                why = " - not a hop-by-hop option"
            elif payload:
                why = " - payload len != 0"
            elif value < 65536:
                why = " - < 65536"
            else:
                why, jumbo[0] = "", value
            seen = True
            if v:
                p(f"(jumbo: {value}{why}) ")
        elif kind == 0xC9:
            if left < 18:
                p("(homeaddr: trunc)")
                raise _Bad
            if size < 18:
                p(f"(homeaddr: invalid len {size - 2})")
                raise _Bad
            if v:
                p(f"(homeaddr: {ndo.ip6addr(b, o + i + 2)}")
                if size > 18:
                    _suboptions(ndo, b, o + i + 18, size - 18)
                p(")")
        elif v:
            p(f"(opt_type 0x{kind:02x}: len={size - 2})")
        i += size
    if v:
        p(" ")


def _exactly(ndo: Ndo, name: str, left: int, size: int, want: int) -> None:
    if left < want:
        ndo.p(f"({name}: trunc)")
        raise _Bad
    if size != want:
        ndo.p(f"({name}: invalid len {size - 2})")
        raise _Bad


def _suboptions(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    i = 0
    while i < length:
        kind = b[o + i]
        if kind == 0:
            size = 1
        elif i + 1 < length:
            size = b[o + i + 1] + 2
        else:
            raise _Bad
        if i + size > length:
            raise _Bad
        if kind == 0:
            ndo.p(", pad1")
        elif kind == 1:
            ndo.p(", padn")
        else:
            ndo.p(f", sopt_type 0x{kind:02x}: len={size - 2}")
        i += size


def _frag6_print(ndo: Ndo, b: bytes, o: int, iph: int) -> int:
    ndo.protocol = "frag6"
    off = u2(b, o + 2)
    here = 40 + u2(b, iph + 4) - (o - iph) - 8 & 0xFFFFFFFFFFFFFFFF
    ident = f"0x{u4(b, o + 4):08x}:" if ndo.vflag else ""
    ndo.p(f"frag ({ident}{off & 0xFFF8}|{here})")
    if off & 0xFFF8:
        return -1
    ndo.p(" ")
    return 8


def _rt6_print(ndo: Ndo, b: bytes, o: int) -> int:
    ndo.protocol = "rt6"
    p = ndo.p
    p("RT6")
    size = b[o + 1]
    p(f" (len={size}")
    kind = b[o + 2]
    p(f", type={kind}")
    if kind == 0:
        p(" [Deprecated]")
    p(f", segleft={b[o + 3]}")
    if kind in (0, 2):
        reserved = u4(b, o + 4)
        if reserved or ndo.vflag:
            p(f", rsv=0x{reserved:x}")
    elif kind == 4:
        p(f", last-entry={b[o + 4]}")
        if b[o + 5] or ndo.vflag:
            p(f", flags=0x{b[o + 5]:x}")
        p(f", tag={u2(b, o + 6):x}")
    else:
        p(" (unknown type)")
        ndo.invalid()
        return -1
    if size % 2:
        p(f" (invalid length {size})")
        ndo.invalid()
        return -1
    for i in range(size // 2):
        p(f", [{i}]{ndo.ip6addr(b, o + 8 + 16 * i)}")
    p(") ")
    return (size + 1) << 3
