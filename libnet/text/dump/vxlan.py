"""Ethernet in UDP: VXLAN (RFC 7348), VXLAN-GPE, Geneve (RFC 8926) and OTV."""

from __future__ import annotations

from typing import Final

from libnet.text.dump.ether import ether_print, ethertype_print
from libnet.text.dump.ip import ip_print
from libnet.text.dump.ndo import Ndo, bittok2str, lazy, need, tok2str, u2, u3, u4
from libnet.text.dump.numbers import ETHERTYPES

_nsh = lazy("nsh.nsh_print")
_ip6 = lazy("ip6.ip6_print")
_TEB: Final = 0x6558
_GPE_FLAGS: Final = ((8, "I"), (4, "P"), (2, "B"), (1, "O"))
_GENEVE_FLAGS: Final = (
    (0x80, "O"), (0x40, "C"), (0x20, "R1"), (0x10, "R2"), (8, "R3"), (4, "R4"), (2, "R5"), (1, "R6"),
)  # fmt: skip
_CLASSES: Final = {
    0x100: "Linux", 0x101: "Open vSwitch", 0x102: "Open Virtual Networking (OVN)",
    0x103: "In-band Network Telemetry (INT)", 0x104: "VMware",
}  # fmt: skip


def vxlan_print(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    """Print a VXLAN header and its frame."""
    ndo.protocol = "vxlan"
    ndo.p("VXLAN")
    if length < 8:
        ndo.invalid()
        return
    flags = b[o]
    ndo.p(f", flags [{'I' if flags & 8 else 'invalid'}] (0x{flags:02x}), ")
    ndo.p(f"vni {u3(b, o + 4)}\n")
    need(b, o, 8)
    ether_print(ndo, b, o + 8, length - 8)


def otv_print(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    """Print an OTV header and its frame."""
    ndo.protocol = "otv"
    p = ndo.p
    p("OTV, ")
    if length < 8:
        p(f"[length {length} < 8]")
        ndo.invalid()
        need(b, o, length)
        return
    flags = b[o]
    p(f"flags [{'I' if flags & 8 else '.'}] (0x{flags:02x}), ")
    p(f"overlay {u3(b, o + 1)}, ")
    p(f"instance {u3(b, o + 4)}\n")
    need(b, o, 8)
    ether_print(ndo, b, o + 8, length - 8)


def vxlan_gpe_print(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    """Print a VXLAN-GPE header and the packet or frame behind it."""
    ndo.protocol = "vxlan_gpe"
    p = ndo.p
    p("VXLAN-GPE, ")
    if length < 8:
        p(f" (len {length} < 8)")
        ndo.invalid()
        return
    p(f"flags [{bittok2str(_GPE_FLAGS, 'none', b[o], '')}], ")
    kind, vni = b[o + 3], u3(b, o + 4)
    need(b, o, 8)
    p(f"vni {vni}")
    p("\n    " if ndo.vflag else ": ")
    o += 8
    length -= 8
    if kind == 1:
        ip_print(ndo, b, o, length)
    elif kind == 2:
        _ip6(ndo, b, o, length)
    elif kind == 3:
        ether_print(ndo, b, o, length)
    elif kind == 4:
        _nsh(ndo, b, o, length)
    else:
        p("ERROR: unknown-next-protocol")
        ndo.invalid()


def _class(number: int) -> str:
    if number in _CLASSES:
        return _CLASSES[number]
    if number <= 0xFF:
        return "Standard"
    return "Experimental" if number >= 0xFFF0 else "Unknown"


def _options(ndo: Ndo, b: bytes, o: int, left: int) -> None:
    p, sep = ndo.p, ""
    while left > 0:
        p(sep)
        sep = ", "
        number, kind, size = u2(b, o), b[o + 2], 4 + (b[o + 3] & 0x1F) * 4
        critical = "(C)" if kind & 0x80 else ""
        p(f"class {_class(number)} (0x{number:x}) type 0x{kind:x}{critical} len {size}")
        if size > left:
            p(" [bad length]")
            return
        if ndo.vflag > 1 and size > 4:
            p(" data" + "".join([f" {u4(b, i):08x}" for i in range(o + 4, o + size, 4)]))
        o += size
        left -= size


def geneve_print(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    """Print a Geneve header, its options and what is behind."""
    ndo.protocol = "geneve"
    p = ndo.p
    p("Geneve")
    if length < 8:
        p(f" [length {length} < 8]")
        ndo.invalid()
        return
    need(b, o, 8)
    if b[o] >> 6:
        p(f" ERROR: unknown-version {b[o] >> 6}")
        return
    proto, reserved = u2(b, o + 2), b[o + 7]
    p(f", Flags [{bittok2str(_GENEVE_FLAGS, 'none', b[o + 1], '')}], vni 0x{u3(b, o + 4):x}")
    if reserved:
        p(f", rsvd 0x{reserved:x}")
    if ndo.eflag:
        p(f", proto {tok2str(ETHERTYPES, 'unknown', proto)} (0x{proto:04x})")
    size = (b[o] & 0x3F) * 4
    o += 8
    length -= 8
    if length < size:
        p(f" truncated-geneve - {size - length} bytes missing")
        return
    need(b, o, size)
    if size:
        p(", options [")
        if ndo.vflag:
            _options(ndo, b, o, size)
        else:
            p(f"{size} bytes")
        p("]")
    o += size
    length -= size
    p("\n\t" if ndo.vflag else ": ")
    if not ethertype_print(ndo, proto, b, o, length):
        if proto == _TEB:
            ether_print(ndo, b, o, length)
        else:
            p(f"geneve-proto-0x{proto:x}")
