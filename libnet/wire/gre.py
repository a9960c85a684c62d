"""Generic routing encapsulation (RFC 2784, with RFC 2890's key and sequence number; RFC 1701's order).

And minimal encapsulation (RFC 2004), which gre(4) can use instead.
"""

from __future__ import annotations

from struct import Struct
from typing import Final, NamedTuple

from libnet.wire import Malformed, Truncated
from libnet.wire.cksum import in_cksum

GRE_CP: Final = 0x8000  # checksum present
GRE_RP: Final = 0x4000  # routing present (RFC 1701 only)
GRE_KP: Final = 0x2000  # key present
GRE_SP: Final = 0x1000  # sequence number present
GRE_VERSION: Final = 0x0007
GRE_HLEN: Final = 4
PTYPE_IP: Final = 0x0800

MOB_SBIT: Final = 0x80
MOB_HLEN: Final = 8
MOB_HLEN_S: Final = 12  # with the original source

_HDR: Final = Struct("!HH")
_U32: Final = Struct("!I")
_MOB: Final = Struct("!BBHI")


class Gre(NamedTuple):
    """One GRE header and what it carries.

    flags  as sent              ptype  Ethertype of the payload
    key, seq  None when absent  payload  copy of the octets behind the header
    """

    flags: int
    ptype: int
    key: int | None
    seq: int | None
    payload: bytes

    @classmethod
    def parse(cls, buf: bytes) -> Gre:
        """Read a packet. Raises Truncated, and Malformed for another version, routing, a bad sum."""
        if len(buf) < GRE_HLEN:
            raise Truncated("gre", need=GRE_HLEN, have=len(buf))
        flags, ptype = _HDR.unpack_from(buf)
        if flags & GRE_VERSION:
            raise Malformed("gre", f"version {flags & GRE_VERSION}")
        if flags & GRE_RP:
            raise Malformed("gre", "routing")
        need = GRE_HLEN + 4 * (flags & (GRE_CP | GRE_KP | GRE_SP)).bit_count()
        if len(buf) < need:
            raise Truncated("gre", need=need, have=len(buf))
        if flags & GRE_CP and in_cksum(buf):
            raise Malformed("gre", "checksum")
        at = GRE_HLEN + (4 if flags & GRE_CP else 0)
        key = seq = None
        if flags & GRE_KP:
            key = _U32.unpack_from(buf, at)[0]
            at += 4
        if flags & GRE_SP:
            seq = _U32.unpack_from(buf, at)[0]
        return cls(flags, ptype, key, seq, bytes(buf[need:]))


def gre_build(ptype: int, payload: bytes) -> bytes:
    """Return a packet with the plainest header."""
    return _HDR.pack(0, ptype) + payload


def mobile_build(proto: int, dst: int, src: int | None) -> bytes:
    """Return the header that goes between IP header and payload; *src* None when it is the outer one.

    proto, dst, src  of the original packet
    """
    body = _MOB.pack(proto, 0 if src is None else MOB_SBIT, 0, dst)
    if src is not None:
        body += _U32.pack(src)
    return body[:2] + in_cksum(body).to_bytes(2, "big") + body[4:]


class Mobile(NamedTuple):
    """One minimal encapsulation header: original protocol, destination, source (None: the outer)."""

    proto: int
    dst: int
    src: int | None
    payload: bytes

    @classmethod
    def parse(cls, buf: bytes) -> Mobile:
        """Read what follows an IP header. Raises Truncated, Malformed for a bad sum."""
        if len(buf) < MOB_HLEN:
            raise Truncated("mobile", need=MOB_HLEN, have=len(buf))
        proto, flags, _sum, dst = _MOB.unpack_from(buf)
        size = MOB_HLEN_S if flags & MOB_SBIT else MOB_HLEN
        if len(buf) < size:
            raise Truncated("mobile", need=size, have=len(buf))
        if in_cksum(buf[:size]):
            raise Malformed("mobile", "checksum")
        src = _U32.unpack_from(buf, MOB_HLEN)[0] if flags & MOB_SBIT else None
        return cls(proto, dst, src, bytes(buf[size:]))
