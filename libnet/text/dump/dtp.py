"""Cisco's Dynamic Trunking Protocol."""

from __future__ import annotations

from typing import Final

from libnet.text.dump.ndo import Ndo, need, u2

_TLVS: Final = {1: "Domain", 2: "Status", 3: "DTP type", 4: "Neighbor"}


def dtp_print(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    """Print a frame of *length* octets."""
    ndo.protocol = "dtp"
    p = ndo.p
    if length < 1:
        p("[zero packet length]")
        ndo.invalid_rest(b, o, length)
        return
    p(f"DTPv{b[o]}, length {length}")
    if not ndo.vflag:
        return
    o += 1
    length -= 1
    while length:
        if length < 4:
            p(f"[{length} bytes remaining]")
            ndo.invalid_rest(b, o, length)
            return
        kind, size = u2(b, o), u2(b, o + 2)
        if kind == 0:
            return
        p(f"\n\t{_TLVS.get(kind, 'Unknown')} (0x{kind:04x}) TLV, length {size}")
        if not 4 <= size <= length:
            p(f"[invalid TLV length {size}]")
            ndo.invalid_rest(b, o, length)
            return
        want = {2: 5, 3: 5, 4: 10}.get(kind, size)
        if size != want:
            ndo.invalid_rest(b, o, length)
            return
        if kind == 1:
            p(", ")
            ndo.printjnp(b, o + 4, size - 4)
        elif kind in (2, 3):
            p(f", 0x{b[o + 4]:x}")
        elif kind == 4:
            p(f", {ndo.etheraddr(b, o + 4)}")
        else:
            need(b, o, size)
        o += size
        length -= size
