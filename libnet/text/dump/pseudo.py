"""Checksums under the pseudo headers of IPv4 and IPv6, as a printer verifies them."""

from __future__ import annotations

from libnet.wire.cksum import in_cksum


def nextproto_cksum(b: bytes, iph: int, o: int, length: int, proto: int) -> int:
    """Return 0 if *length* octets at *o* carry the right checksum, else what the sum gives.

    iph  where the IP header, of either version, is
    """
    data = b[o : o + length]
    if b[iph] >> 4 == 4:
        dst = iph + 16 if b[iph] & 15 == 5 else _finddst4(b, iph)
        pseudo = b[iph + 12 : iph + 16] + b[dst : dst + 4]
    else:
        dst = iph + 24
        if b[iph + 6] in (0, 60, 62, 135, 44, 43):
            dst = _finddst6(b, iph)
        pseudo = b[iph + 8 : iph + 24] + b[dst : dst + 16]
    return in_cksum(data, int.from_bytes(pseudo, "big") + length + proto)


def _finddst4(b: bytes, iph: int) -> int:
    """Return where the final destination is: the end of a source route, if there is one."""
    at, length = iph + 20, (b[iph] & 15) * 4 - 20
    while length > 0:
        code = b[at]
        if code == 0:
            break
        size = 1
        if code != 1:
            size = b[at + 1]
            if size < 2:
                break
        if length < size or at + size > len(b):
            break
        if code in (137, 131) and size >= 7:
            return at + size - 4
        at += size
        length -= size
    return iph + 16


def _finddst6(b: bytes, iph: int) -> int:
    """Return where the final destination is: in a routing header, if there is one."""
    at, advance, nh = iph, 40, b[iph + 6]
    dst = iph + 24
    while at < len(b):
        at += advance
        if nh in (0, 60, 62, 135):
            advance = (b[at + 1] + 1) << 3
        elif nh == 44:
            advance = 8
        elif nh == 43:
            if at + 4 > len(b):
                return dst
            size, kind = b[at + 1], b[at + 2]
            if size % 2:
                return dst
            if kind in (0, 2):
                for i in range(size // 2):
                    if at + 24 + 16 * i > len(b):
                        return dst
                    dst = at + 8 + 16 * i
            elif kind == 4 and at + 24 <= len(b):
                dst = at + 8
            return dst
        else:
            return dst
        nh = b[at]
    return dst
