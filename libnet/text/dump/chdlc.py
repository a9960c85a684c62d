"""Cisco HDLC and its SLARP keepalives (LINKTYPE_C_HDLC)."""

from __future__ import annotations

from typing import Final

from libnet.text.dump.ip import ip_print
from libnet.text.dump.ndo import Ndo, lazy, need, tok2str, u2, u4
from libnet.text.dump.numbers import ETHERTYPES

_ip6 = lazy("ip6.ip6_print")
_mpls = lazy("mpls.mpls_print")
_isoclns = lazy("isoclns.isoclns_print")
_SLARP: Final = 0x8035
_OSI: Final = 0xFEFE
_OSI_NLPIDS: Final = (0x81, 0x82, 0x83)
_CASTS: Final = {0x0F: "unicast", 0x8F: "bcast"}


def chdlc_if_print(ndo: Ndo, b: bytes, length: int) -> None:
    """Print a frame off the wire."""
    ndo.ll_hdr_len += chdlc_print(ndo, b, 0, length)


def chdlc_print(ndo: Ndo, b: bytes, o: int, length: int) -> int:
    """Print the frame at *o*; return the octets of its header."""
    ndo.protocol = "chdlc"
    if length < 4:
        ndo.trunc()
        return len(b) - o
    proto = u2(b, o + 2)
    if ndo.eflag:
        ndo.p(
            f"{tok2str(_CASTS, '0x%02x', b[o])}, ethertype {ETHERTYPES.get(proto, 'Unknown')} "
            f"(0x{proto:04x}), length {length}: "
        )
    if proto == 0x0800:
        ip_print(ndo, b, o + 4, length - 4)
    elif proto == 0x86DD:
        _ip6(ndo, b, o + 4, length - 4)
    elif proto == _SLARP:
        _slarp(ndo, b, o + 4, length - 4)
    elif proto in (0x8847, 0x8848):
        _mpls(ndo, b, o + 4, length - 4)
    elif proto == _OSI:
        if length < 6:
            ndo.trunc()
        # One octet of nothing may stand before what is OSI's.
        elif b[o + 5] in _OSI_NLPIDS:
            _isoclns(ndo, b, o + 5, length - 5)
        else:
            _isoclns(ndo, b, o + 4, length - 4)
    elif not ndo.eflag:
        ndo.p(f"unknown CHDLC protocol (0x{proto:04x})")
    return 4


def _slarp(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    ndo.protocol = "chdlc_slarp"
    p = ndo.p
    p(f"SLARP (length: {length}), ")
    if length < 14:
        ndo.trunc()
        return
    need(b, o, 14)
    code = u4(b, o)
    if code == 0:
        p("request")
    elif code == 1:
        p(f"reply {ndo.ipaddr(b, o + 4)}/{ndo.ipaddr(b, o + 8)}")
    elif code == 2:
        p(
            f"keepalive: mineseen=0x{u4(b, o + 4):08x}, yourseen=0x{u4(b, o + 8):08x}, "
            f"reliability=0x{u2(b, o + 12):04x}"
        )
        if length >= 18:
            # What is dumped below begins behind this.
            o += 14
            secs = u4(b, o) // 1000
            p(f", link uptime={secs // 86400}d{secs // 3600 % 24}h{secs // 60 % 60}m{secs % 60}s")
    else:
        p(f"0x{code:02x} unknown")
        if ndo.vflag <= 1:
            ndo.unknown_data(b, o + 4, "\n\t", length - 4)
    if length > 18 and ndo.vflag:
        p(f", (trailing junk: {length - 18} bytes)")
    if ndo.vflag > 1:
        ndo.unknown_data(b, o + 4, "\n\t", length - 4)
