"""Broadcom's header of lawful interception, before packets in UDP."""

from __future__ import annotations

from typing import Final

from libnet.text.dump.ether import ether_print
from libnet.text.dump.ip import ip_print
from libnet.text.dump.ndo import Ndo, lazy, u4

_DIRECTIONS: Final = {1: "unused", 2: "egress", 3: "ingress"}
_UNDECIDED, _IPV4, _IPV6, _ETHERNET = 4, 5, 6, 7
_TYPES: Final = {_UNDECIDED: "undecided", _IPV4: "ipv4", _IPV6: "ipv6", _ETHERNET: "ethernet"}
_SUBTYPES: Final = {1: "single VLAN tag", 2: "double VLAN tag", 3: "untagged"}
_HEADER: Final = 4
_ip6 = lazy("ip6.ip6_print")


def bcm_li_print(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    """Print a header and, with -v, the packet behind it."""
    ndo.protocol = "bcm_li"
    p = ndo.p
    if length < _HEADER:
        p(f" (length {length} < {_HEADER})")
        ndo.invalid_rest(b, o, length)
        return
    head = u4(b, o)
    kind = head >> 25 & 0xF
    p(
        f"{chr(10) + '    ' if ndo.vflag else ''}BCM-LI-SHIM: "
        f"direction {_DIRECTIONS.get(head >> 29, 'unknown')}, "
        f"pkt-type {_TYPES.get(kind, 'unknown')}, "
        f"pkt-subtype {_SUBTYPES.get(head >> 22 & 7, 'unknown')}, li-id {head & 0x3FFFFF}"
    )
    if not ndo.vflag:
        return
    o += _HEADER
    length -= _HEADER
    p("\n    ")
    if kind == _UNDECIDED and length:
        kind = {4: _IPV4, 6: _IPV6}.get(b[o] >> 4, kind)
    if kind == _IPV4:
        ip_print(ndo, b, o, length)
    elif kind == _IPV6:
        _ip6(ndo, b, o, length)
    elif kind == _ETHERNET:
        ether_print(ndo, b, o, length)
    elif kind == _UNDECIDED:
        p("unknown payload")
    else:
        ndo.invalid_rest(b, o, length)
