"""MPLS label stacks (RFC 3032)."""

from __future__ import annotations

from typing import Final

from libnet.text.dump.ip import ip_print
from libnet.text.dump.ndo import Ndo, lazy, need, u4

_NAMES: Final = ("IPv4 explicit NULL", "router alert", "IPv6 explicit NULL", "implicit NULL")
_LABELS_WITH_NAMES: Final = 16
# What an OSI packet (CLNP, ES-IS, IS-IS) starts with.
_OSI: Final = (0x81, 0x82, 0x83)
_ip6 = lazy("ip6.ip6_print")
_isoclns = lazy("isoclns.isoclns_print")


def mpls_print(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    """Print a stack of labels and the packet under it."""
    ndo.protocol = "mpls"
    p = ndo.p
    p("MPLS")
    first = True
    while True:
        if length < 4:
            ndo.invalid()
            need(b, o, length)
            return
        entry = u4(b, o)
        label = entry >> 12
        p(f"{' ' if first or not ndo.vflag else chr(10) + chr(9)}(label {label}")
        first = False
        if ndo.vflag and label < _LABELS_WITH_NAMES:
            p(f" ({_NAMES[label] if label < len(_NAMES) else 'rsvd'})")
        last = entry & 0x100
        p(f", tc {entry >> 9 & 7}{', [S]' if last else ''}, ttl {entry & 0xFF})")
        o += 4
        length -= 4
        if last:
            break
    if label in (0, 3):
        version = 4
    elif label == 2:
        version = 6
    else:
        # Nothing says what is under other labels but its own first octet.
        if length < 1:
            return
        version = 4 if 0x45 <= b[o] <= 0x4F else 6 if 0x60 <= b[o] <= 0x6F else 0
        if b[o] in _OSI:
            p("\n\t" if ndo.vflag else " ")
            _isoclns(ndo, b, o, length)
            return
    if version == 0:
        if not ndo.suppress_default_print:
            ndo.default_print(b, o, length)
        return
    p("\n\t" if ndo.vflag else " ")
    (ip_print if version == 4 else _ip6)(ndo, b, o, length)
