"""The protocol between routers and the caches of the RPKI (RFC 6810)."""

from __future__ import annotations

from typing import Final

from libnet.text.dump.ndo import Ndo, need, tok2str, u2, u4

_PDUS: Final = {
    0: "Serial Notify", 1: "Serial Query", 2: "Reset Query", 3: "Cache Response",
    4: "IPV4 Prefix", 6: "IPV6 Prefix", 7: "End of Data", 8: "Cache Reset", 10: "Error Report",
}  # fmt: skip
_ERRORS: Final = {
    0: "Corrupt Data", 1: "Internal Error", 2: "No Data Available", 3: "Invalid Request",
    4: "Unsupported Protocol Version", 5: "Unsupported PDU Type",
    6: "Withdrawal of Unknown Record", 7: "Duplicate Announcement Received",
}  # fmt: skip
_HEADER: Final = 8
_SIZES: Final = {0: 12, 1: 12, 2: 8, 3: 8, 4: 20, 6: 32, 7: 12, 8: 8}


def rpki_rtr_print(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    """Print the PDUs in *length* octets of a connection."""
    ndo.protocol = "rpki_rtr"
    if not ndo.vflag:
        ndo.p(", RPKI-RTR")
        return
    while length:
        took = _pdu(ndo, b, o, length, outermost=True, indent=8)
        o += took
        length -= took


def _pdu(ndo: Ndo, b: bytes, o: int, length: int, *, outermost: bool, indent: int) -> int:
    """Print a PDU; return the octets it took, all *length* if it makes no sense."""
    p = ndo.p
    if length < _HEADER:
        p(f"({length} bytes is too few to decode)")
        ndo.invalid_rest(b, o, length)
        return length
    version = b[o]
    margin = "\n" + "\t" * (indent // 8) + " " * (indent % 8)
    inner = margin + "  "
    if version != 0:
        p(f"{margin}RPKI-RTRv{version} (unknown)")
        return length
    need(b, o, _HEADER)
    kind, size = b[o + 1], u4(b, o + 4)
    name = tok2str(_PDUS, "Unknown", kind)
    p(f"{margin}RPKI-RTRv{version}, {name} PDU ({kind}), length: {size}")
    if size < _HEADER or size > length:
        ndo.invalid_rest(b, o, length)
        return length
    if kind in _SIZES and size != _SIZES[kind]:
        ndo.invalid_rest(b, o, length)
        return length
    if kind != 10:  # the report of an error says its code before its rest is looked at
        need(b, o, size)
    if kind in (0, 1, 7):
        p(f"{inner}Session ID: 0x{u2(b, o + 2):04x}, Serial: {u4(b, o + 8)}")
    elif kind == 3:
        p(f"{inner}Session ID: 0x{u2(b, o + 2):04x}")
    elif kind in (4, 6):
        four = kind == 4
        prefix = ndo.ipaddr(b, o + 12) if four else ndo.ip6addr(b, o + 12)
        p(
            f"{inner}IPv{4 if four else 6} Prefix {prefix}/{b[o + 9]}-{b[o + 10]}, "
            f"origin-as {u4(b, o + (16 if four else 28))}, flags 0x{b[o + 8]:02x}"
        )
    elif kind == 10 and not _error(ndo, b, o, size, outermost, indent, inner):
        ndo.invalid_rest(b, o, length)
        return length
    elif kind not in _PDUS:
        ndo.unknown_data(b, o, inner, size)
        return size
    if ndo.vflag > 1:
        ndo.unknown_data(b, o, inner, size)
    return size


def _error(ndo: Ndo, b: bytes, o: int, size: int, outermost: bool, indent: int, inner: str) -> bool:
    """Print what went wrong, and with which PDU; return False if that makes no sense."""
    p = ndo.p
    if size < 16:
        return False
    code, length = u2(b, o + 2), u4(b, o + 8)
    p(
        f"{inner}Error code: {tok2str(_ERRORS, 'Unknown', code)} ({code}), "
        f"Encapsulated PDU length: {length}"
    )
    used = 12
    if length > size - used - 4:
        return False
    if length and outermost:
        p(f"{inner}  -----encapsulated PDU-----")
        _pdu(ndo, b, o + used, length, outermost=False, indent=indent)
    elif length:
        return False
    used += length
    text = u4(b, o + used)
    used += 4
    if text > size - used:
        return False
    if text:
        p(f"{inner}Error text: ")
        ndo.printjn(b, o + used, text)
    return True
