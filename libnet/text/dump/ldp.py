"""The Label Distribution Protocol (RFC 5036), with pseudowires (RFC 4447)."""

from __future__ import annotations

from typing import Final

from libnet.text.dump.ndo import Ndo, bittok2str, need, take, tok2str, u2, u4
from libnet.text.dump.numbers import FAMILIES
from libnet.text.dump.pseudowire import TYPES

_MESSAGES: Final = {
    0x0001: "Notification", 0x0100: "Hello", 0x0200: "Initialization", 0x0201: "Keepalive",
    0x0300: "Address", 0x0301: "Address Withdraw", 0x0400: "Label Mapping",
    0x0401: "Label Request", 0x0402: "Label Withdraw", 0x0403: "Label Release",
    0x0404: "Label Abort Request",
}  # fmt: skip
# Messages whose TLVs are told, in a dump are those that merely have a name.
_DECODED: Final = frozenset((0x0001, 0x0100, 0x0200, 0x0201, 0x0300, 0x0301, 0x0400, 0x0402))
_TLVS: Final = {
    0x0100: "FEC", 0x0101: "Address List", 0x0103: "Hop Count", 0x0104: "Path Vector",
    0x0200: "Generic Label", 0x0201: "ATM Label", 0x0202: "Frame-Relay Label",
    0x0300: "Status", 0x0301: "Extended Status", 0x0302: "Returned PDU",
    0x0303: "Returned Message", 0x0400: "Common Hello Parameters",
    0x0401: "IPv4 Transport Address", 0x0402: "Configuration Sequence Number",
    0x0403: "IPv6 Transport Address", 0x0500: "Common Session Parameters",
    0x0501: "ATM Session Parameters", 0x0502: "Frame-Relay Session Parameters",
    0x0503: "Fault-Tolerant Session Parameters", 0x0600: "Label Request Message ID",
    0x0601: "MTU",
}  # fmt: skip
# Octets that a value must at least have.
_LEAST: Final = {
    0x0400: 4, 0x0401: 4, 0x0402: 4, 0x0403: 16, 0x0101: 2, 0x0500: 8, 0x0100: 1, 0x0200: 4,
    0x0300: 8, 0x0503: 12, 0x0601: 2,
}  # fmt: skip
_FECS: Final = {1: "Wildcard", 2: "Prefix", 3: "Host address", 128: "Martini VC"}
_PARAMETERS: Final = {1: "MTU", 3: "Description", 12: "VCCV"}
_CHANNELS: Final = (
    (1, "PWE3 control word"), (2, "MPLS Router Alert Label"), (4, "MPLS inner label TTL = 1"),
)  # fmt: skip
_VERIFICATIONS: Final = ((1, "ICMP Ping"), (2, "LSP Ping"), (4, "BFD"))
_HEADER, _MESSAGE = 10, 8
_DONT: Final = "don't"


class _Short(Exception):
    """A TLV ends too early for what is in it."""


def ldp_print(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    """Print the PDUs in *length* octets."""
    ndo.protocol = "ldp"
    while length > _HEADER + _MESSAGE:
        took = _pdu(ndo, b, o)
        if took == 0 or length < took:
            return
        o += took
        length -= took


def _pdu(ndo: Ndo, b: bytes, o: int) -> int:
    """Print a PDU; return its octets, 0 if what follows is not looked at."""
    p = ndo.p
    before = "\n\t" if ndo.vflag else ""
    need(b, o, _HEADER)
    version, size = u2(b, o), u2(b, o + 2)
    if version != 1:
        p(f"{before}LDP version {version} packet not supported")
        return 0
    if size < _HEADER - 4:
        p(f"{before}LDP, pdu-length: {size} (too short, < {_HEADER})")
        return 0
    p(f"{before}LDP, Label-Space-ID: {ndo.ipaddr(b, o + 4)}:{u2(b, o + 8)}, pdu-length: {size}")
    if not ndo.vflag:
        return 0
    at, left = o + _HEADER, size - 6
    while left > 0:
        need(b, at, _MESSAGE)
        flags, length = u2(b, at), u2(b, at + 2)
        kind = flags & 0x7FFF
        name = _MESSAGES.get(kind, "Unknown")
        if length < _MESSAGE - 4:
            p(f"\n\t  {name} Message (0x{kind:04x}), length: {length} (too short, < 4)")
            return 0
        p(
            f"\n\t  {name} Message (0x{kind:04x}), length: {length}, "
            f"Message ID: 0x{u4(b, at + 4):08x}, Flags: "
            f"[{'continue processing' if flags & 0x8000 else 'ignore'} if unknown]"
        )
        need(b, at, length)
        body, rest = at + _MESSAGE, length - 4
        if kind in _DECODED:
            while rest >= 4:
                took = _tlv(ndo, b, body, rest)
                if took == 0:
                    break
                body += took
                rest -= took
        elif ndo.vflag <= 1:
            ndo.unknown_data(b, body, "\n\t  ", rest)
        if ndo.vflag > 1:
            ndo.unknown_data(b, at + _MESSAGE, "\n\t  ", length)
        at += length + 4
        left -= length + 4
    return size + 4


def _tlv(ndo: Ndo, b: bytes, o: int, left: int) -> int:
    """Print a TLV; return its octets, 0 if it cannot be."""
    p = ndo.p
    need(b, o, 4)
    flags, size = u2(b, o), u2(b, o + 2)
    kind = flags & 0x3FFF
    if size > left - 4:
        p("\n\t\t TLV contents go past end of message")
        return 0
    p(
        f"\n\t    {_TLVS.get(kind, 'Unknown')} TLV (0x{kind:04x}), length: {size}, Flags: "
        f"[{'continue processing' if flags & 0x8000 else 'ignore'} and "
        f"{'do' if flags & 0x4000 else _DONT} forward if unknown]"
    )
    o += 4
    try:
        least = _LEAST.get(kind)
        if least is None:
            if ndo.vflag <= 1:
                ndo.unknown_data(b, o, "\n\t      ", size)
        else:
            _enough(ndo, size, least)
            _value(ndo, b, o, kind, size)
    except _Short:
        ndo.invalid()
    return size + 4


def _enough(ndo: Ndo, size: int, least: int) -> None:
    if size < least:
        ndo.p(f" [tlv length {size} < {least}]")
        raise _Short


def _value(ndo: Ndo, b: bytes, o: int, kind: int, size: int) -> None:
    p = ndo.p
    need(b, o, _LEAST[kind])
    if kind == 0x0400:
        flags = u2(b, o + 2)
        asked = ", Request for targeted Hellos" if flags & 0x4000 else ""
        p(
            f"\n\t      Hold Time: {u2(b, o)}s, Flags: "
            f"[{'Targeted' if flags & 0x8000 else 'Link'} Hello{asked}]"
        )
    elif kind == 0x0401:
        p(f"\n\t      IPv4 Transport Address: {ndo.ipaddr(b, o)}")
    elif kind == 0x0403:
        p(f"\n\t      IPv6 Transport Address: {ndo.ip6addr(b, o)}")
    elif kind == 0x0402:
        p(f"\n\t      Sequence Number: {u4(b, o)}")
    elif kind == 0x0101:
        _addresses(ndo, b, o, size)
    elif kind == 0x0500:
        # The flags are looked for two octets behind where they are.
        flags = u2(b, o + 6)
        p(
            f"\n\t      Version: {u2(b, o)}, Keepalive: {u2(b, o + 2)}s, Flags: "
            f"[Downstream {'On Demand' if flags & 0x8000 else 'Unsolicited'}, "
            f"Loop Detection {'Enabled' if flags & 0x4000 else 'Disabled'}]"
        )
    elif kind == 0x0100:
        _fec(ndo, b, o, size)
    elif kind == 0x0200:
        p(f"\n\t      Label: {u4(b, o) & 0xFFFFF}")
    elif kind == 0x0300:
        status, cause = u4(b, o), u4(b, o + 4)
        p(
            f"\n\t      Status: 0x{status & 0x3FFFFFFF:02x}, Flags: "
            f"[{'Fatal error' if status & 0x80000000 else 'Advisory Notification'} and "
            f"{'do' if status & 0x40000000 else _DONT} forward]"
        )
        if cause:
            p(f", causing Message ID: 0x{cause:08x}")
    elif kind == 0x0503:
        _fault_tolerance(ndo, b, o)
    elif kind == 0x0601:
        p(f"\n\t      MTU: {u2(b, o)}")


def _addresses(ndo: Ndo, b: bytes, o: int, size: int) -> None:
    p = ndo.p
    family = u2(b, o)
    width = {1: 4, 2: 16}.get(family)
    if width is None:
        p(f"\n\t      Address Family: {tok2str(FAMILIES, 'Unknown (%u)', family)}, addresses")
        return
    p(f"\n\t      Address Family: IPv{4 if width == 4 else 6}, addresses")
    for at in range(o + 2, o + size - width + 1, width):
        p(f" {ndo.ipaddr(b, at) if width == 4 else ndo.ip6addr(b, at)}")


def _fec(ndo: Ndo, b: bytes, o: int, size: int) -> None:
    p = ndo.p
    kind = b[o]
    p(f"\n\t      {_FECS.get(kind, 'Unknown')} FEC (0x{kind:02x})")
    o += 1
    size -= 1
    if kind == 2:
        _enough(ndo, size, 2)
        _prefix(ndo, b, o + 2, size - 2, u2(b, o))
    elif kind == 128:
        _enough(ndo, size, 7)
        _pseudowire(ndo, b, o, size)


def _prefix(ndo: Ndo, b: bytes, o: int, left: int, family: int) -> None:
    p = ndo.p
    width = {1: 4, 2: 16}.get(family)
    if width is None:
        p(f": Address family {family} prefix")
        return
    name = f": IPv{4 if width == 4 else 6} prefix"
    if left < 1:
        p(f"{name} (goes past end of TLV)")
        return
    bits = b[o]
    if bits > width * 8:
        p(f"{name} (invalid length)")
        return
    octets = (bits + 7) // 8
    if left - 1 < octets:
        p(f"{name} (goes past end of TLV)")
        return
    addr = bytearray(take(b, o + 1, octets))
    if bits % 8:
        addr[-1] &= 0xFF00 >> bits % 8
    whole = bytes(addr.ljust(width, b"\0"))
    p(f"{name} {ndo.ipaddr(whole, 0) if width == 4 else ndo.ip6addr(whole, 0)}/{bits}")


def _pseudowire(ndo: Ndo, b: bytes, o: int, size: int) -> None:
    p = ndo.p
    kind, info = u2(b, o), b[o + 2]
    if info:
        _enough(ndo, size, 11)
    group = u4(b, o + 3)
    word = "" if kind & 0x8000 else "no "
    name = f": {TYPES.get(kind & 0x7FFF, 'Unknown')}, {word}control word, group-ID {group}"
    if info == 0:
        p(f"{name}, VC-info-length: {info}")
        return
    o += 7
    p(f"{name}, VC-ID {u4(b, o)}, VC-info-length: {info}")
    if info < 4:
        p(" (invalid, < 4")
        return
    o += 4
    info -= 4
    _enough(ndo, size - 11, info)
    while info > 1:
        parameter, length = b[o], b[o + 1]
        if length < 2 or info < length:
            return
        name = _PARAMETERS.get(parameter, "Unknown")
        p(f"\n\t\tInterface Parameter: {name} (0x{parameter:02x}), len {length}")
        if parameter == 1:
            p(f": {u2(b, o + 2)}")
        elif parameter == 3:
            p(": ")
            ndo.printjn(b, o + 2, length - 2)
        elif parameter == 12:
            p(f"\n\t\t  Control Channels (0x{b[o + 2]:02x}) = ")
            p(f"[{bittok2str(_CHANNELS, 'none', b[o + 2])}]")
            p(f"\n\t\t  CV Types (0x{b[o + 3]:02x}) = ")
            p(f"[{bittok2str(_VERIFICATIONS, 'none', b[o + 3])}]")
        info -= length
        o += length


def _fault_tolerance(ndo: Ndo, b: bytes, o: int) -> None:
    """Print how a session survives a restart (RFC 3479)."""
    p = ndo.p
    flags = u2(b, o)
    dont = "Don't "
    labels = "Sequence Numbered Label" if flags & 2 else "All Labels"
    p(
        f"\n\t      Flags: [{'' if flags & 0x8000 else 'No '}Reconnect, "
        f"{'' if flags & 8 else dont}Save State, {'' if flags & 4 else 'No '}"
        f"All-Label Protection, {labels} Checkpoint, {'' if flags & 1 else dont}Re-Learn State]"
    )
    if u4(b, o + 4):
        p(f", Reconnect Timeout: {u4(b, o + 4)}ms")
    if u4(b, o + 8):
        p(f", Recovery Time: {u4(b, o + 8)}ms")
