"""Cisco's VLAN Query Protocol."""

from __future__ import annotations

from typing import Final

from libnet.text.dump.ndo import Ndo, need, tok2str, u2, u4

_CODES: Final = {
    1: "Request, Join Port", 2: "Response, VLAN", 3: "Request, Reconfirm",
    4: "Response, Reconfirm",
}  # fmt: skip
_ERRORS: Final = {0: "No error", 3: "Access denied", 4: "Shutdown port", 5: "Wrong VTP domain"}
_OBJECTS: Final = {
    0x0C01: "Client IP Address", 0x0C02: "Port Name", 0x0C03: "VLAN Name", 0x0C04: "VTP Domain",
    0x0C05: "Ethernet Packet", 0x0C06: "MAC Null", 0x0C08: "MAC Address",
}  # fmt: skip


def vqp_print(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    """Print a message of *length* octets."""
    ndo.protocol = "vqp"
    p = ndo.p
    if length < 8:
        ndo.longjmp()
    need(b, o, 8)
    if b[o] != 1:
        p(f"VQP version {b[o]} packet not supported")
        return
    what = (
        f"{tok2str(_CODES, 'unknown (%u)', b[o + 1])} Message, "
        f"error-code {tok2str(_ERRORS, 'unknown', b[o + 2])} ({b[o + 2]})"
    )
    if not ndo.vflag:
        p(f"VQPv{b[o]} {what}, length {length}")
        return
    count = b[o + 3]
    p(f"\n\tVQPv{b[o]}, {what}, seq 0x{u4(b, o + 4):08x}, items {count}, length {length}")
    o += 8
    left = length - 8
    while left and count:
        if left < 6:
            ndo.invalid_rest(b, o, left)
            return
        need(b, o, 6)
        kind, size = u4(b, o), u2(b, o + 4)
        o += 6
        left -= 6
        p(f"\n\t  {_OBJECTS.get(kind, 'Unknown')} Object (0x{kind:08x}), length {size}, value: ")
        if size == 0:
            return
        if left < size:
            ndo.longjmp()
        need(b, o, size)
        if kind == 0x0C01:
            if size != 4:
                ndo.invalid()
                return
            p(f"{ndo.ipaddr(b, o)} (0x{u4(b, o):08x})")
        elif kind in (0x0C02, 0x0C03, 0x0C04, 0x0C05):
            ndo.printjnp(b, o, size)
        elif kind in (0x0C06, 0x0C08):
            if size != 6:
                ndo.invalid()
                return
            p(ndo.etheraddr(b, o))
        elif ndo.vflag <= 1:
            ndo.unknown_data(b, o, "\n\t    ", size)
        o += size
        left -= size
        count -= 1
