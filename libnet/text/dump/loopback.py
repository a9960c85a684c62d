"""The Ethernet configuration testing protocol (Ethertype 0x9000)."""

from __future__ import annotations

from typing import Final

from libnet.text.dump.ndo import Ndo, le2, need

_REPLY: Final = 1
_FORWARD: Final = 2


def loopback_print(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    """Print a message of *length* octets."""
    ndo.protocol = "loopback"
    p = ndo.p
    p("Loopback")
    if length < 2:
        _invalid(ndo, b, o, length)
        return
    skip = le2(b, o)
    o += 2
    length -= 2
    p(f", skipCount {skip}")
    if skip % 8:
        p(" (bogus)")
    if skip > length:
        _invalid(ndo, b, o, length)
        return
    need(b, o, skip)
    _message(ndo, b, o + skip, length - skip)


def _message(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    p = ndo.p
    if length < 2:
        _invalid(ndo, b, o, length)
        return
    function = le2(b, o)
    o += 2
    length -= 2
    if function == _REPLY:
        p(", Reply")
        if length < 2:
            _invalid(ndo, b, o, length)
            return
        p(f", receipt number {le2(b, o)}")
        o += 2
        length -= 2
        p(f", data ({length} octets)")
    elif function == _FORWARD:
        p(", Forward Data")
        if length < 6:
            _invalid(ndo, b, o, length)
            return
        p(f", forwarding address {ndo.etheraddr(b, o)}")
        o += 6
        length -= 6
        p(f", data ({length} octets)")
    else:
        p(f",  invalid ({function})")
    need(b, o, length)


def _invalid(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    ndo.invalid()
    need(b, o, length)
