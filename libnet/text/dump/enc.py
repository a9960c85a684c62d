"""The packets of OpenBSD's enc(4), which IPsec has taken off or will put on (LINKTYPE_ENC)."""

from __future__ import annotations

from typing import Final

from libnet.text.dump.ip import ip_print
from libnet.text.dump.ndo import Ndo, lazy, u4

_HEADER: Final = 12
_CONF, _AUTH = 0x0400, 0x0800
_FAMILIES6: Final = (24, 28, 30)
_ip6 = lazy("ip6.ip6_print")


def enc_if_print(ndo: Ndo, b: bytes, length: int) -> None:
    """Print a packet behind its address family, its SPI and what protects it."""
    ndo.protocol = "enc"
    p = ndo.p
    if len(b) < _HEADER:
        ndo.ll_hdr_len += len(b)
        ndo.trunc()
        return
    ndo.ll_hdr_len += _HEADER
    family, flags = int.from_bytes(b[:4], "little"), int.from_bytes(b[8:12], "little")
    if family & 0xFFFF0000:
        # Written by a machine of the other byte order.
        family, flags = int.from_bytes(b[:4], "big"), int.from_bytes(b[8:12], "big")
    if not flags:
        p("(unprotected): ")
    else:
        p("(")
    for bit, word in ((_AUTH, "authentic"), (_CONF, "confidential")):
        if flags & bit:
            flags &= ~bit
            p(f"{word}{',' if flags else '): '}")
    p(f"SPI 0x{u4(b, 4):08x}: ")
    if family == 2:
        ip_print(ndo, b, _HEADER, length - _HEADER)
    elif family in _FAMILIES6:
        _ip6(ndo, b, _HEADER, length - _HEADER)
