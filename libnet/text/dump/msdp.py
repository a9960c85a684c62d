"""The Multicast Source Discovery Protocol (RFC 3618)."""

from __future__ import annotations

from typing import Final

from libnet.text.dump.ip import ip_print
from libnet.text.dump.ndo import Ndo, u2

_MAX_TYPE: Final = 7
_MAX_LENGTH: Final = 1400 + 3
_LONG: Final = 1400
_ENTRY: Final = 12


def msdp_print(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    """Print the messages in *length* octets of a connection."""
    ndo.protocol = "msdp"
    p = ndo.p
    p(": msdp")
    first = True
    while length:
        if length < 3:
            ndo.longjmp()
        kind, size = b[o], u2(b, o + 1)
        if size < 3 or (first and (size > _MAX_LENGTH or not 0 < kind <= _MAX_TYPE)):
            ndo.longjmp()
        first = False
        if size > _LONG or ndo.vflag:
            p(f" [len {size}]")
        if length < size:
            ndo.longjmp()
        o += 3
        length -= 3
        size -= 3
        if kind in (1, 3):
            p(" SA" if kind == 1 else " SA-Response")
            if length < 1 or size < 1:
                ndo.longjmp()
            count = b[o]
            p(f" {count} entries")
            used = 5 + count * _ENTRY
            if used < size:
                p(" [w/data]")
                if ndo.vflag > 1:
                    p(" ")
                    ip_print(ndo, b[: o + size], o + used, size - used)
        elif kind == 2:
            p(" SA-Request")
            p(f" for {ndo.ipaddr(b, o + 1)}")
        elif kind == 4:
            p(" Keepalive")
            if size:
                p(f"[len={size + 3}] ")
        elif kind == 5:
            p(" Notification")
        else:
            p(f" [type={kind} len={size + 3}]")
        o += size
        length -= size
