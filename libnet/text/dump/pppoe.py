"""PPP over Ethernet (RFC 2516)."""

from __future__ import annotations

from typing import Final

from libnet.text.dump.ndo import Ndo, need, tok2str, u2
from libnet.text.dump.ppp import ppp_print

_PADI: Final = 0x09
_CODES: Final = {0x09: "PADI", 0x07: "PADO", 0x19: "PADR", 0x65: "PADS", 0xA7: "PADT", 0: ""}
_TAGS: Final = {
    0: "EOL", 0x0101: "Service-Name", 0x0102: "AC-Name", 0x0103: "Host-Uniq",
    0x0104: "AC-Cookie", 0x0105: "Vendor-Specific", 0x0110: "Relay-Session-ID",
    0x0120: "PPP-Max-Payload", 0x0201: "Service-Name-Error", 0x0202: "AC-System-Error",
    0x0203: "Generic-Error",
}  # fmt: skip
_HDRLEN: Final = 6
_MAXTAGPRINT: Final = 79


def pppoe_print(ndo: Ndo, b: bytes, o: int, length: int) -> int:
    """Print a packet; return the length of its header."""
    ndo.protocol = "pppoe"
    p = ndo.p
    if length < _HDRLEN:
        p(f" (length {length} < {_HDRLEN})")
        ndo.invalid()
        return 0
    length -= _HDRLEN
    need(b, o, _HDRLEN)
    version, kind, code, session, size = b[o] >> 4, b[o] & 15, b[o + 1], u2(b, o + 2), u2(b, o + 4)
    if version != 1:
        p(f" [ver {version}]")
    if kind != 1:
        p(f" [type {kind}]")
    p(f"PPPoE {tok2str(_CODES, 'PAD-%x', code)}")
    if code == _PADI and size > 1484 - _HDRLEN:
        p(f" [len {size}!]")
    if size > length:
        p(f" [len {size} > {length}!]")
        size = length
    if session:
        p(f" [ses 0x{session:x}]")
    o += _HDRLEN
    if code:
        _tags(ndo, b, o, size)
        return _HDRLEN
    p(" ")
    return _HDRLEN + ppp_print(ndo, b, o, size)


def _tags(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    end = o + length
    while o < end:
        tag, size = u2(b, o), u2(b, o + 2)
        o += 4
        name = tok2str(_TAGS, "TAG-0x%x", tag)
        if size:
            need(b, o, size)
            data = b[o : o + size]
            text = "".join([chr(c) if 0x20 <= c < 0x7F else "." for c in data[:_MAXTAGPRINT]])
            good = sum(0x20 <= c < 0x7F for c in data[:_MAXTAGPRINT])
            if good > len(text) - good:
                ndo.p(f' [{name} "{text}"]')
            else:
                ndo.p(f" [{name} 0x{data.hex().upper()}]")
        else:
            ndo.p(f" [{name}]")
        o += size
        if tag == 0:
            return


def pppoe_if_print(ndo: Ndo, b: bytes, length: int) -> None:
    """Print a packet without Ethernet header (DLT_PPP_ETHER)."""
    ndo.protocol = "pppoe"
    ndo.ll_hdr_len += pppoe_print(ndo, b, 0, length)
