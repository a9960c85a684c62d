"""MACsec (IEEE 802.1AE): the tag before protected octets, which are seen only if not encrypted."""

from __future__ import annotations

from typing import Final, NamedTuple

from libnet.text.dump.ndo import Ndo, bittok2str, u4, u8

_FLAGS: Final = ((0x08, "E"), (0x04, "C"), (0x40, "S"), (0x10, "B"), (0x20, "I"))
_HAS_SCI, _ENCRYPTED = 0x20, 0x0C
# Bits of the first octet and of the short length that none may set.
_NEVER, _NEVER_SHORT = 0x80, 0xC0
_TAG, _TAG_WITH_SCI, _ICV = 6, 14, 16


class Secured(NamedTuple):
    """What is behind a tag.

    at      where it starts
    end     where what was captured of it ends
    length  its octets on the wire, without the check value if it can be read
    clear   whether it can be read
    """

    at: int
    end: int
    length: int
    clear: bool


def _header(ndo: Ndo, b: bytes, o: int) -> None:
    tci, short = b[o], b[o + 1] & 0x3F
    ndo.p(f"an {tci & 3}, pn {u4(b, o + 2)}, flags {bittok2str(_FLAGS, 'none', tci, '')}")
    if short:
        ndo.p(f", sl {short}")
    if tci & _HAS_SCI:
        ndo.p(f", sci {u8(b, o + 6):016x}")
    ndo.p(", ")


def macsec_print(ndo: Ndo, b: bytes, o: int, length: int, ends: str) -> Secured | None:
    """Print a tag of a frame with *length* octets from *o*; None if it is not there whole.

    ends  who sends to whom, told where the header is not printed but nothing else can be
    """
    saved = ndo.protocol
    ndo.protocol = "macsec"
    have = min(len(b) - o, length)
    size = _TAG
    if have >= _TAG and b[o] & _HAS_SCI:
        size = _TAG_WITH_SCI
    if have < size:
        ndo.trunc()
        return None
    if b[o] & _NEVER or b[o + 1] & _NEVER_SHORT:
        ndo.invalid()
        return None
    if ndo.eflag:
        _header(ndo, b, o)
    if b[o] & _ENCRYPTED:
        if not ndo.eflag:
            ndo.p(f"{ends} 802.1AE MACsec, ")
            _header(ndo, b, o)
        ndo.protocol = saved
        return Secured(o + size, len(b), length - size, clear=False)
    short = b[o + 1] & 0x3F
    left = length - size
    if min(have - size, left) < short + _ICV:
        ndo.trunc()
        return None
    ndo.protocol = saved
    if short:
        return Secured(o + size, len(b) - _ICV, short, clear=True)
    # What was captured is taken to have the check value at its end, cut or not.
    return Secured(o + size, len(b) - _ICV, left - _ICV, clear=True)
