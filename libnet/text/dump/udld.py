"""Cisco's Unidirectional Link Detection (RFC 5171)."""

from __future__ import annotations

from typing import Final

from libnet.text.dump.ndo import Ndo, bittok2str, need, tok2str, u2, u4

_TLVS: Final = {
    1: "Device-ID TLV", 2: "Port-ID TLV", 3: "Echo TLV", 4: "Message Interval TLV",
    5: "Timeout Interval TLV", 6: "Device Name TLV", 7: "Sequence Number TLV",
}  # fmt: skip
_CODES: Final = {0: "Reserved", 1: "Probe message", 2: "Echo message", 3: "Flush message"}
_FLAGS: Final = (
    (0x01, "RT"), (0x02, "RSY"), (0x04, "MBZ-2"), (0x08, "MBZ-3"), (0x10, "MBZ-4"),
    (0x20, "MBZ-5"), (0x40, "MBZ-6"), (0x80, "MBZ-7"),
)  # fmt: skip


def udld_print(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    """Print a frame of *length* octets."""
    ndo.protocol = "udld"
    p = ndo.p
    if length < 4:
        ndo.invalid_rest(b, o, length)
        return
    code, flags = b[o] & 0x1F, b[o + 1]
    p(
        f"UDLDv{b[o] >> 5}, Code {tok2str(_CODES, 'Reserved', code)} ({code:x}), "
        f"Flags [{bittok2str(_FLAGS, 'none', flags)}] (0x{flags:02x}), length {length}"
    )
    if not ndo.vflag:
        need(b, o + 2, length - 2)
        return
    p(f"\n\tChecksum 0x{u2(b, o + 2):04x} (unverified)")
    o += 4
    length -= 4
    while length:
        if length < 4:
            ndo.invalid_rest(b, o, length)
            return
        kind, size = u2(b, o), u2(b, o + 2)
        p(f"\n\t{_TLVS.get(kind, 'Unknown')} (0x{kind:04x}) TLV, length {size}")
        # A length of nothing would be read for ever.
        if not 4 < size <= length or size != {4: 5, 5: 5, 7: 8}.get(kind, size):
            ndo.invalid_rest(b, o, length)
            return
        if kind in (1, 2, 6):
            p(", ")
            ndo.printjnp(b, o + 4, size - 4)
        elif kind == 3:
            p(", ")
            ndo.printjn(b, o + 4, size - 4)
        elif kind in (4, 5):
            p(f", {b[o + 4]}s")
        elif kind == 7:
            p(f", {u4(b, o + 4)}")
        else:
            need(b, o, size)
        o += size
        length -= size
