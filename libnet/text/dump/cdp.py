"""The Cisco Discovery Protocol."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from libnet.text.dump.ndo import Ndo, bittok2str, need, shown, u2, u4

_CAPABILITIES: Final = (
    (0x01, "Router"), (0x02, "Transparent Bridge"), (0x04, "Source Route Bridge"),
    (0x08, "L2 Switch"), (0x10, "L3 capable"), (0x20, "IGMP snooping"), (0x40, "L1 capable"),
)  # fmt: skip
_DEVICE_ID: Final = 1
_IPV6: Final = bytes.fromhex("aaaa0300000086dd")
_Value = Callable[[Ndo, bytes, int, int], None]


def _string(ndo: Ndo, b: bytes, o: int, n: int) -> None:
    ndo.p("'")
    ndo.printjn(b, o, n)
    ndo.p("'")


def _version(ndo: Ndo, b: bytes, o: int, n: int) -> None:
    ndo.p("\n\t  ")
    ndo.p("\n\t  ".join([shown(line) for line in b[o : o + n].split(b"\n")]))
    need(b, o, n)


def _power(ndo: Ndo, b: bytes, o: int, n: int) -> None:
    need(b, o, n)
    ndo.p(f"{int.from_bytes(b[o : o + n], 'big') / 1000:1.2f}W")


def _ata186(ndo: Ndo, b: bytes, o: int, n: int) -> None:
    ndo.p(f"unknown 0x{u2(b, o):04x}" if n == 2 else f"app {b[o]}, vlan {u2(b, o + 1)}")


def _location(ndo: Ndo, b: bytes, o: int, n: int) -> None:
    ndo.p(f"0x{b[o]:02x}")
    if n > 1:
        ndo.p("/")
        ndo.printjn(b, o + 1, n - 1)


def _capability(ndo: Ndo, b: bytes, o: int, n: int) -> None:
    value = u4(b, o)
    ndo.p(f"(0x{value:08x}): {bittok2str(_CAPABILITIES, 'none', value)}")


def _prefixes(ndo: Ndo, b: bytes, o: int, n: int) -> None:
    if n % 5:
        ndo.p(f" [length {n} is not a multiple of 5]")
        need(b, o, n)
        return
    ndo.p(f" IPv4 Prefixes ({n // 5}):")
    for at in range(o, o + n, 5):
        ndo.p(f" {b[at]}.{b[at + 1]}.{b[at + 2]}.{b[at + 3]}/{b[at + 4]}")


def _addresses(ndo: Ndo, b: bytes, o: int, n: int) -> None:
    p = ndo.p

    def short(what: str, left: int) -> None:
        p(f" (not enough space for {what})")
        need(b, o, left)

    if n < 4:
        short("num", n)
        return
    count = u4(b, o)
    o += 4
    n -= 4
    while count:
        if n < 2:
            short("PT+PL", n)
            return
        kind, size = b[o], b[o + 1]
        o += 2
        n -= 2
        if n < size + 2:
            short("P+AL", n)
            return
        proto, length = b[o : o + size], u2(b, o + size)
        if kind == 1 and proto == b"\xcc" and length == 4:
            name, tell = "IPv4", ndo.ipaddr
        elif kind == 2 and proto == _IPV6 and length == 16:
            name, tell = "IPv6", ndo.ip6addr
        else:
            name, tell = "", ndo.ipaddr
            p(f"pt=0x{kind:02x}, pl={size}, pb=")
            p("".join([f" {c:02x}" for c in proto]))
            p(f", al={length}, a=")
        o += size + 2
        n -= size + 2
        if n < length:
            short("A", n)
            return
        if name:
            p(f"{name} ({count}) {tell(b, o)}")
        else:
            p("".join([f" {c:02x}" for c in b[o : o + length]]))
            need(b, o, length)
        o += length
        n -= length
        count -= 1
        if count:
            p(" ")
    if n:
        p(f" ({n} bytes of stray data)")


# By type: name, printer, least and most octets (-1: any).
_FIELDS: Final[dict[int, tuple[str, _Value | None, int, int]]] = {
    0x01: ("Device-ID", _string, -1, -1),
    0x02: ("Address", _addresses, -1, -1),
    0x03: ("Port-ID", _string, -1, -1),
    0x04: ("Capability", _capability, 4, 4),
    0x05: ("Version String", _version, -1, -1),
    0x06: ("Platform", _string, -1, -1),
    0x07: ("Prefixes", _prefixes, -1, -1),
    0x08: ("Protocol-Hello option", None, -1, -1),
    0x09: ("VTP Management Domain", _string, -1, -1),
    0x0A: ("Native VLAN ID", lambda ndo, b, o, n: ndo.p(str(u2(b, o))), 2, 2),
    0x0B: ("Duplex", lambda ndo, b, o, n: ndo.p("full" if b[o] else "half"), 1, 1),
    0x0E: ("ATA-186 VoIP VLAN assignment", _ata186, 3, 3),
    0x0F: ("ATA-186 VoIP VLAN request", _ata186, 2, 3),
    0x10: ("power consumption", _power, 1, 3),
    0x11: ("MTU", lambda ndo, b, o, n: ndo.p(f"{u4(b, o)} bytes"), 4, 4),
    0x12: ("AVVID trust bitmap", lambda ndo, b, o, n: ndo.p(f"0x{b[o]:02x}"), 1, 1),
    0x13: ("AVVID untrusted ports CoS", lambda ndo, b, o, n: ndo.p(f"0x{b[o]:02x}"), 1, 1),
    0x14: ("System Name", _string, -1, -1),
    0x15: ("System Object ID (not decoded)", None, -1, -1),
    0x16: ("Management Addresses", _addresses, 4, -1),
    0x17: ("Physical Location", _location, 1, -1),
}
_UNKNOWN: Final[tuple[str, _Value | None, int, int]] = ("unknown field type", None, -1, -1)
_MAX_TYPE: Final = 0x17


def cdp_print(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    """Print an announcement."""
    ndo.protocol = "cdp"
    p, whole = ndo.p, length

    def invalid() -> None:
        ndo.invalid()
        need(b, o, length)

    if length < 4:
        p(f" (packet length {length} < 4)")
        invalid()
        return
    p(f"CDPv{b[o]}, ttl: {b[o + 1]}s")
    cksum = u2(b, o + 2)
    if ndo.vflag:
        p(f", checksum: 0x{cksum:04x} (unverified), length {length}")
    o += 4
    length -= 4
    while length:
        if length < 4:
            p(f" (remaining packet length {length} < 4)")
            invalid()
            return
        kind, size = u2(b, o), u2(b, o + 2)
        name, printer, least, most = _FIELDS.get(kind, _UNKNOWN)
        if size < 4:
            if ndo.vflag:
                plural = "" if size == 1 else "s"
                p(f"\n\t{name} (0x{kind:02x}), TLV length: {size} byte{plural} (too short)")
            else:
                p(f", {name} TLV length {size} too short")
            invalid()
            return
        if size > length:
            p(f" (TLV length {size} > {length})")
            invalid()
            return
        o += 4
        length -= 4
        size -= 4
        if ndo.vflag:
            plural = "" if size == 1 else "s"
            p(f"\n\t{name} (0x{kind:02x}), value length: {size} byte{plural}: ")
        elif kind == _DEVICE_ID:
            p(", Device-ID ")
        covered = False
        if kind <= _MAX_TYPE:
            if size < least or size > most > 0:
                p(" (malformed TLV)")
            elif ndo.vflag or kind == _DEVICE_ID:
                if printer is None:
                    need(b, o, size)
                else:
                    printer(ndo, b, o, size)
                covered = True
        if not covered:
            need(b, o, size)
            ndo.unknown_data(b, o, "\n\t  ", size)
        o += size
        length -= size
    if not ndo.vflag:
        p(f", length {whole}")
