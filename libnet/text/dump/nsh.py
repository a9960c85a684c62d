"""The Network Service Header (RFC 8300)."""

from __future__ import annotations

from typing import Final

from libnet.text.dump.ether import ether_print
from libnet.text.dump.ip import ip_print
from libnet.text.dump.ndo import Ndo, lazy, need, tok2str, u2, u3, u4

_NEXT: Final = {
    1: "IPv4", 2: "IPv6", 3: "Ethernet", 4: "NSH", 5: "MPLS", 254: "Experiment 1",
    255: "Experiment 2",
}  # fmt: skip
_MD_TYPES: Final = {0: "reserved", 1: "1", 2: "2", 15: "experimental"}
_FIXED, _VARIABLE = 1, 2
_ip6 = lazy("ip6.ip6_print")
_mpls = lazy("mpls.mpls_print")


def nsh_print(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    """Print a header, its metadata with -vvv, and the packet under it."""
    ndo.protocol = "nsh"
    p = ndo.p
    if length < 8:
        p(f" (packet length {length} < 8)")
        ndo.invalid_rest(b, o, length)
        return
    need(b, o, 4)
    p("NSH, ")
    head = u2(b, o)
    version, flags, ttl, words = head >> 14, head >> 12 & 3, head >> 6 & 0x3F, head & 0x3F
    kind, follows = b[o + 2] & 0x0F, b[o + 3]
    if ndo.vflag > 1:
        p(f"ver {version}, ")
    if version != 0:
        return
    p(f"flags [{'O' if flags & 2 else 'none'}], ")
    if ndo.vflag > 2:
        p(f"TTL {ttl}, length {words}, md type {tok2str(_MD_TYPES, 'unknown (0x%02x)', kind)}, ")
    if ndo.vflag > 1:
        p(f"next-protocol {tok2str(_NEXT, 'unknown (0x%02x)', follows)}, ")
    if words >= 2 and length < words * 4:
        p(f" (too many headers for packet length {length})")
        ndo.invalid_rest(b, o, length)
        return
    p(f"service-path-id 0x{u3(b, o + 4):06x}, ")
    p(f"service-index 0x{b[o + 7]:x}")
    if words < 2:
        p(" (less than two headers)")
        ndo.invalid()
        return
    if ndo.vflag <= 2:
        need(b, o, words * 4)
    elif not _metadata(ndo, b, o + 8, words - 2, kind):
        ndo.invalid_rest(b, o, length)
        return
    o += words * 4
    length -= words * 4
    p("\n    " if ndo.vflag else ": ")
    if follows == 1:
        ip_print(ndo, b, o, length)
    elif follows == 2:
        _ip6(ndo, b, o, length)
    elif follows == 3:
        ether_print(ndo, b, o, length)
    elif follows == 4:
        nsh_print(ndo, b, o, length)
    elif follows == 5:
        _mpls(ndo, b, o, length)
    else:
        p("ERROR: unknown-next-protocol")


def _metadata(ndo: Ndo, b: bytes, o: int, words: int, kind: int) -> bool:
    """Print what is between the header and the packet; return False if it makes no sense."""
    p = ndo.p
    if kind == _FIXED:
        if words != 4:
            p(" (invalid length for the MD type)")
            return False
        for i in range(words):
            p(f"\n        Context[{i:02d}]: 0x{u4(b, o + 4 * i):08x}")
    elif kind == _VARIABLE:
        while words > 0:
            size = b[o + 3] & 0x7F
            p(f"\n        TLV Class {u2(b, o)}, Type {b[o + 2]}, Len {size}")
            o += 4
            words -= 1
            whole = (size + 3) // 4
            if words < whole:
                p(" (length too big)")
                return False
            if size:
                p("\n            Value: ")
                if o < len(b):
                    p(f"0x{b[o : o + size].hex()}")
                need(b, o, whole * 4)
            o += whole * 4
            words -= whole
    return True
