"""Real-time media: RTP and RTCP (RFC 3550) and vat, as -T asks for them."""

from __future__ import annotations

from typing import Final

from libnet.text.dump.ndo import Ndo, u2, u4

_SR, _RR, _SDES, _BYE = 200, 201, 202, 203
_TWO32: Final = 4294967295.0


def vat_print(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    """Print a packet of vat."""
    ndo.protocol = "vat"
    p = ndo.p
    if length < 2:
        p(f"udp/va/vat, length {length} < 2")
        return
    stamp = u2(b, o)
    if stamp & 0xF060:
        p(f"udp/vt {length} {stamp & 0x3FF} / {stamp >> 10}")
        return
    if length < 8:
        p(f"udp/vat, length {length} < 8")
        return
    first, second = u4(b, o), u4(b, o + 4)
    p(f"udp/vat {length - 8} c{first & 0xFFFF} {second}{'*' if first & 0x800000 else ''}")
    if first & 0x1F0000:
        p(f" f{first >> 16 & 0x1F}")
    if first & 0x3F000000:
        p(f" s{first >> 24 & 0x3F}")


def rtp_print(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    """Print an RTP packet of *length* octets."""
    ndo.protocol = "rtp"
    p = ndo.p
    if length < 8:
        p(f"udp/rtp, length {length} < 8")
        return
    first, second = u4(b, o), u4(b, o + 4)
    data, words, at = length - 8, (length >> 2) - 2, o + 8
    has_options = has_extension = 0
    if first >> 30 == 1:
        has_options, marker = first & 0x800000, first & 0x400000
        kind, name = first >> 16 & 0x3F, "rtpv1"
    else:
        if data < 4:
            p(f"udp/rtp, length {length} < 12")
            return
        has_extension, marker = first & 0x10000000, first & 0x800000
        kind, name = first >> 16 & 0x7F, "rtp"
        data -= 4
        at += 4
        words -= 1
    more = "+" if has_options or has_extension else ""
    p(f"udp/{name} {data} c{kind} {more}{'*' if marker else ''} {first & 0xFFFF} {second}")
    if not ndo.vflag:
        return
    p(f" {u4(b, o + 8)}")
    while has_options:
        option = u4(b, at)
        size = option >> 16 & 0xFF
        if size == 0 or size > words:
            p(" !opt")
            return
        at += size * 4
        words -= size
        has_options = ~option & 0x80000000
    if has_extension:
        size = (u4(b, at) & 0xFFFF) + 1
        if size > words:
            p(" !ext")
            return
        at += size * 4
    if kind == 0x1F:
        p(f" 0x{u4(b, at) >> 16:04x}")


def rtcp_print(ndo: Ndo, b: bytes, o: int) -> int:
    """Print the RTCP packet at *o*; return where the next one is."""
    ndo.protocol = "rtcp"
    p = ndo.p
    end = len(b)
    if o + 8 > end:
        ndo.trunc()
        return end
    size = (u2(b, o + 2) + 1) * 4
    count, kind = b[o] & 0x1F, b[o + 1]
    at = o + 8
    if kind == _SR:
        p(" sr")
        if size != count * 24 + 28:
            p(f" [{size}]")
        if ndo.vflag:
            p(f" {u4(b, o + 4)}")
        if at + 20 > end:
            ndo.trunc()
            return end
        time = u4(b, at) + u4(b, at + 4) / _TWO32
        p(f" @{time:.2f} {u4(b, at + 8)} {u4(b, at + 12)}p {u4(b, at + 16)}b")
        at += 20
    elif kind == _RR:
        p(" rr")
        if size != count * 24 + 8:
            p(f" [{size}]")
        if ndo.vflag:
            p(f" {u4(b, o + 4)}")
    else:
        count = 0
        if kind in (_SDES, _BYE):
            p(f" {'sdes' if kind == _SDES else 'bye'} {size}")
            if ndo.vflag:
                p(f" {u4(b, o + 4)}")
        else:
            p(f" type-0x{kind:x} {size}")
    if count > 1:
        p(f" c{count}")
    for _ in range(count):
        if at + 24 > end:
            ndo.trunc()
            return end
        if ndo.vflag:
            p(f" {u4(b, at)}")
        p(
            f" {u4(b, at + 4) & 0xFFFFFF}l {u4(b, at + 8)}s {u4(b, at + 12)}j "
            f"@{u4(b, at + 16) / 65536:.2f}+{u4(b, at + 20) / 65536:.2f}"
        )
        at += 24
    return o + size
