"""OSI's network layer: CLNP (ISO 8473), ES-IS (ISO 9542); IS-IS is a module of its own."""

from __future__ import annotations

from typing import Final

from libnet.text.dump.ndo import Ndo, bittok2str, lazy, need, take, tok2str, u2
from libnet.text.dump.numbers import NLPIDS

_CLNP, _ESIS, _ISIS = 0x81, 0x82, 0x83
_MAX_NSAP: Final = 20
_isis = lazy("isis.isis_print")
_ip = lazy("ip.ip_print")
_ip6 = lazy("ip6.ip6_print")
_ppp = lazy("ppp.ppp_print")


def isonsap(address: bytes) -> str:
    """Return an NSAP address as 49.0001.1921.6800.1001.00.

    >>> isonsap(bytes.fromhex("490001192168001001"))
    '49.0001.1921.6800.1001'
    """
    if not 1 <= len(address) <= _MAX_NSAP:
        return "isonsap_string: illegal length"
    out = [address[:1].hex()]
    out += [address[i : i + 2].hex() for i in range(1, len(address), 2)]
    return ".".join(out)


def system_id(octets: bytes) -> str:
    """Return the system of six octets, with its pseudonode and fragment if there are more.

    >>> system_id(bytes(7)), system_id(bytes(8))
    ('0000.0000.0000.00', '0000.0000.0000.00-00')
    """
    text = ".".join([octets[i : i + 2].hex() for i in range(0, min(6, len(octets)), 2)])
    if len(octets) > 6:
        text += f".{octets[6:7].hex()}"
    if len(octets) > 7:
        text += f"-{octets[7:8].hex()}"
    return text


def osi_cksum(b: bytes, o: int, offset: int, length: int) -> int:
    """Return the checksum of *length* octets from *o*, its own place being *offset* from there.

    ISO 8473 section 6.11: two sums modulo 255, in the two octets that make both zero.
    """
    c0 = c1 = 0
    for i in range(length):
        if i not in (offset, offset + 1):
            c0 = (c0 + b[o + i]) % 255
        c1 = (c1 + c0) % 255
    x = ((length - offset - 1) * c0 - c1) % 255 or 255
    y = (c1 - (length - offset) * c0) % 255 or 255
    return x << 8 | y


def cksum_verdict(b: bytes, o: int, cksum: int, offset: int, length: int) -> str:
    """Return what is to be said of a checksum."""
    if not cksum or not offset or offset > length or o + length > len(b):
        return " (unverified)"
    right = osi_cksum(b, o, offset, length)
    return " (correct)" if right == cksum else f" (incorrect should be 0x{right:04x})"


def isoclns_print(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    """Print a packet that starts with its network layer protocol."""
    ndo.protocol = "isoclns"
    p = ndo.p
    if o >= len(b):
        ndo.trunc()
        return
    kind = b[o]
    if ndo.eflag:
        p(f"OSI NLPID {NLPIDS.get(kind, 'Unknown')} (0x{kind:02x}): ")
    if kind == _CLNP:
        if not _clnp(ndo, b, o, length):
            ndo.unknown_data(b, o, "\n\t", length)
    elif kind == _ESIS:
        _es_is(ndo, b, o, length)
    elif kind == _ISIS:
        if not _isis(ndo, b, o, length):
            ndo.unknown_data(b, o, "\n\t", length)
    elif kind == 0x00:
        p(f"{'' if ndo.eflag else ', '}length: {length}")
    elif kind == 0x08:
        p("Q.933")
        ndo.unknown_data(b, o + 1, "\n\t", length - 1)
    elif kind == 0xCC:
        _ip(ndo, b, o + 1, length - 1)
    elif kind == 0x8E:
        _ip6(ndo, b, o + 1, length - 1)
    elif kind == 0xCF:
        _ppp(ndo, b, o + 1, length - 1)
    else:
        if not ndo.eflag:
            p(f"OSI NLPID 0x{kind:02x} unknown")
        p(f"{'' if ndo.eflag else ', '}length: {length}")
        if length > 1:
            ndo.unknown_data(b, o, "\n\t", length)


# -- CLNP

_PDUS: Final = {
    1: "Error Report", 29: "MD", 28: "Data", 30: "Echo Request", 31: "Echo Response",
}  # fmt: skip
_CLNP_FLAGS: Final = (
    (0x80, "Segmentation permitted"), (0x40, "more Segments"), (0x20, "request Error Report"),
)  # fmt: skip
_CLNP_OPTIONS: Final = {
    0xC1: "Discard Reason", 0xCD: "Priority", 0xC3: "QoS Maintenance", 0xC5: "Security",
    0xC8: "Source Routing", 0xCB: "Route Recording", 0xCC: "Padding",
}  # fmt: skip
_REASON_CLASSES: Final = {
    0: "General", 8: "Address", 9: "Source Routeing", 10: "Lifetime", 11: "PDU Discarded",
    12: "Reassembly",
}  # fmt: skip
_REASONS: Final = {
    0: {
        0: "Reason not specified", 1: "Protocol procedure error", 2: "Incorrect checksum",
        3: "PDU discarded due to congestion", 4: "Header syntax error (cannot be parsed)",
        5: "Segmentation needed but not permitted", 6: "Incomplete PDU received",
        7: "Duplicate option",
    },
    8: {0: "Destination address unreachable", 1: "Destination address unknown"},
    9: {
        0: "Unspecified source routeing error",
        1: "Syntax error in source routeing field",
        2: "Unknown address in source routeing field", 3: "Path not acceptable",
    },
    10: {
        0: "Lifetime expired while data unit in transit",
        1: "Lifetime expired during reassembly",
    },
    11: {
        0: "Unsupported option not specified", 1: "Unsupported protocol version",
        2: "Unsupported security option", 3: "Unsupported source routeing option",
        4: "Unsupported recording of route option",
    },
    12: {0: "Reassembly interference"},
}  # fmt: skip
_SCOPES: Final = {
    0x40: "Source Address Specific", 0x80: "Destination Address Specific",
    0xC0: "Globally unique",
}  # fmt: skip
_QOS: Final = (
    (0x20, "reserved"), (0x10, "sequencing vs. delay"), (0x08, "congested"),
    (0x04, "delay vs. cost"), (0x02, "error vs. delay"), (0x01, "error vs. cost"),
)  # fmt: skip
_ROUTE_KINDS: Final = {0: "partial", 1: "complete"}
_ERROR: Final = 1


def _clnp(ndo: Ndo, b: bytes, o: int, length: int) -> bool:
    """Print CLNP; return False if its octets are to be dumped."""
    ndo.protocol = "clnp"
    p = ndo.p
    start, whole = o, length
    li = b[o + 1]
    if not ndo.eflag:
        p("CLNP")
    if li < 9:
        p(f" length indicator {li} < min PDU size:")
        while o < len(b):
            p(f"{b[o]:02X}")
            o += 1
        return False
    if li > length:
        p(f" length indicator({li}) > PDU size ({length})!")
        return False
    if b[o + 2] != 1:
        p(f"version {b[o + 2]} packet not supported")
        return False
    kind, flags = b[o + 4] & 0x1F, b[o + 4] & 0xE0
    lifetime, segment, cksum = b[o + 3], u2(b, o + 5), u2(b, o + 7)
    at, li = o + 9, li - 9
    addresses = []
    for _ in range(2):
        if li < 1:
            p("li < size of fixed part of CLNP header and addresses")
            return False
        size = b[at]
        at += 1
        li -= 1
        if li < size:
            p("li < size of fixed part of CLNP header and addresses")
            return False
        addresses.append((at, size))
        at += size
        li -= size
    (to, to_size), (frm, frm_size) = addresses
    name = tok2str(_PDUS, "unknown (%u)", kind)
    if not ndo.vflag:
        p(
            f"{'' if ndo.eflag else ', '}{isonsap(take(b, frm, frm_size))} > "
            f"{isonsap(take(b, to, to_size))}, {name}, length {length}"
        )
        return True
    p(f"{'' if ndo.eflag else ', '}length {length}")
    verdict = cksum_verdict(b, start, cksum, 7, b[o + 1])
    p(
        f"\n\t{name} PDU, hlen: {b[o + 1]}, v: {b[o + 2]}, "
        f"lifetime: {lifetime // 2}.{lifetime % 2 * 5}s, "
        f"Segment PDU length: {segment}, checksum: 0x{cksum:04x}{verdict}"
    )
    p(f"\n\tFlags [{bittok2str(_CLNP_FLAGS, 'none', flags)}]")
    p(
        f"\n\tsource address (length {frm_size}): {isonsap(take(b, frm, frm_size))}"
        f"\n\tdest   address (length {to_size}): {isonsap(take(b, to, to_size))}"
    )
    if flags & 0x80:
        if li < 6:
            p("li < size of fixed part of CLNP header, addresses, and segment part")
            return False
        need(b, at, 6)
        p(
            f"\n\tData Unit ID: 0x{u2(b, at):04x}, Segment Offset: {u2(b, at + 2)}, "
            f"Total PDU Length: {u2(b, at + 4)}"
        )
        at += 6
        li -= 6
    if not _clnp_options(ndo, b, at, li):
        return False
    at += li
    _clnp_data(ndo, b, at, whole - (at - start), kind)
    return True


def _clnp_options(ndo: Ndo, b: bytes, at: int, li: int) -> bool:
    p = ndo.p
    while li >= 2:
        code, size = b[at], b[at + 1]
        at += 2
        li -= 2
        if size > li:
            p(f", opt ({code}) too long")
            break
        need(b, at, size)
        p(f"\n\t  {_CLNP_OPTIONS.get(code, 'Unknown')} Option #{code}, length {size}, value: ")
        # What the value must at least have.
        least = {0xC8: 2, 0xCB: 2, 0xCD: 1, 0xC3: 1, 0xC5: 2, 0xC1: 1}.get(code, 0)
        if size < least:
            p(", bad opt len")
            return False
        _clnp_option(ndo, b, at, code, size)
        at += size
        li -= size
    return True


def _clnp_option(ndo: Ndo, b: bytes, at: int, code: int, size: int) -> None:
    p = ndo.p
    if code in (0xC8, 0xCB):
        p(f"{_ROUTE_KINDS.get(b[at], 'Unknown')} ")
        p({0xC8: "source routing", 0xCB: "recording of route in progress"}[code])
        where = b[at + 1]
        if where == 0:
            p(" Bad NSAP offset (0)")
            return
        where -= 1
        if where > size:
            p(" Bad NSAP offset (past end of option)")
            return
        # The first is told again and again, as often as it would fit.
        length, left = b[at + where], size - where
        while left > 0:
            left -= 1
            if left < length:
                p("\n\t    NSAP address goes past end of option")
                break
            if length > 0:
                text = isonsap(take(b, at + where + 1, length))
                p(f"\n\t    NSAP address (length {length}): {text}")
            left -= length
    elif code == 0xCD:
        p(f"0x{b[at] & 0x0F:1x}")
    elif code == 0xC3:
        p(f"\n\t    Format Code: {_SCOPES.get(b[at] & 0xC0, 'Reserved')}")
        if b[at] & 0xC0 == 0xC0:
            p(f"\n\t    QoS Flags [{bittok2str(_QOS, 'none', b[at])}]")
    elif code == 0xC5:
        p(
            f"\n\t    Format Code: {_SCOPES.get(b[at] & 0xC0, 'Reserved')}, "
            f"Security-Level {b[at + 1]}"
        )
    elif code == 0xC1:
        group, reason = b[at] >> 4, b[at] & 0x0F
        words = _REASONS.get(group, {})
        p(
            f"\n\t    Class: {_REASON_CLASSES.get(group, 'Unknown')} Error (0x{group:1x}), "
            f"{words.get(reason, 'Unknown') if group in _REASONS else 'Unknown'} (0x{reason:1x})"
        )
    elif code == 0xCC:
        p("padding data")
    else:
        ndo.unknown_data(b, at, "\n\t  ", size)
    if ndo.vflag > 1:
        ndo.unknown_data(b, at, "\n\t  ", size)


def _clnp_data(ndo: Ndo, b: bytes, at: int, left: int, kind: int) -> None:
    p = ndo.p
    if kind == _ERROR and left > 0 and b[at] == _CLNP:
        p("\n\t-----original packet-----\n\t")
        _clnp(ndo, b, at, left)
    elif left > 0:
        p(f"\n\t  undecoded non-header data, length {left}")
        ndo.unknown_data(b, at, "\n\t  ", left)


# -- ES-IS

_ESIS_PDUS: Final = {6: "redirect", 2: "ESH", 4: "ISH"}
_ESIS_OPTIONS: Final = {
    0x81: "Protocols supported", 0xC3: "QoS Maintenance", 0xC5: "Security",
    0xC6: "ES Configuration Time", 0xCD: "Priority", 0xE1: "Addressk Mask", 0xE2: "SNPA Mask",
}  # fmt: skip
_REDIRECT, _ESH, _ISH = 6, 2, 4


def _es_is(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    """Print ES-IS."""
    ndo.protocol = "esis"
    p = ndo.p
    start = o
    if not ndo.eflag:
        p("ES-IS")
    if length <= 2:
        p("bad pkt!")
        return
    li = b[o + 1]
    if li > length:
        p(f" length indicator({li}) > PDU size ({length})!")
        return
    if b[o + 2] != 1:
        p(f" version {b[o + 2]} packet not supported")
        return
    if li < 9:
        p(f" length indicator {li} < min PDU size:")
        while o < len(b):
            p(f"{b[o]:02X}")
            o += 1
        return
    kind = b[o + 4] & 0x1F
    if ndo.vflag < 1:
        name = tok2str(_ESIS_PDUS, "unknown type (%u)", kind)
        p(f"{'' if ndo.eflag else ', '}{name}, length {length}")
        return
    name = tok2str(_ESIS_PDUS, "unknown type: %u", kind)
    p(f"{'' if ndo.eflag else ', '}length {length}\n\t{name} ({kind})")
    p(f", v: {b[o + 2]}{'' if b[o + 2] == 1 else ' unsupported'}")
    cksum = u2(b, o + 7)
    p(f", checksum: 0x{cksum:04x}{cksum_verdict(b, start, cksum, 7, li)}")
    p(f", holding time: {u2(b, o + 5)}s, length indicator: {b[o + 1]}")
    if ndo.vflag > 1:
        ndo.unknown_data(b, o, "\n\t", 9)
    at, left = o + 9, li - 9
    if kind == _REDIRECT:
        moved = _redirect(ndo, b, at, left)
    elif kind == _ESH:
        moved = _hello(ndo, b, at, left)
    elif kind == _ISH:
        moved = _is_hello(ndo, b, at, left)
    else:
        if ndo.vflag <= 1:
            ndo.unknown_data(b, at, "\n\t  ", len(b) - at)
        return
    if moved is None:
        return
    at, left = moved
    _esis_options(ndo, b, at, left)


def _redirect(ndo: Ndo, b: bytes, at: int, li: int) -> tuple[int, int] | None:
    p = ndo.p
    sizes: list[tuple[int, int]] = []
    for what in range(3):
        if li < 1:
            p(", bad redirect/li")
            return None
        size = b[at]
        at += 1
        li -= 1
        need(b, at, size)
        if li < size:
            p(", bad redirect/li")
            return None
        sizes.append((at, size))
        if what == 0:
            p(f"\n\t  {isonsap(b[at : at + size])}")
        elif what == 1:
            p(f"\n\t  SNPA (length: {size}): {ndo.linkaddr(b, at, size)}")
        elif size:
            p(f"\n\t  NET (length: {size}) {isonsap(b[at : at + size])}")
        at += size
        li -= size
    return at, li


def _net(ndo: Ndo, b: bytes, at: int, li: int, bad: str) -> tuple[int, int] | None:
    """Print a network entity title with its length; return what is behind it, None where it ends."""
    if li < 1:
        ndo.p(bad)
        return None
    size = b[at]
    at += 1
    li -= 1
    need(b, at, size)
    if li < size:
        ndo.p(bad)
        return None
    ndo.p(f"\n\t  NET (length: {size}): {isonsap(b[at : at + size])}")
    return at + size, li - size


def _hello(ndo: Ndo, b: bytes, at: int, li: int) -> tuple[int, int] | None:
    if li < 1:
        ndo.p(", bad esh/li")
        return None
    count = b[at]
    rest: tuple[int, int] | None = (at + 1, li - 1)
    ndo.p(f"\n\t  Number of Source Addresses: {count}")
    while count > 0 and rest is not None:
        rest = _net(ndo, b, *rest, ", bad esh/li")
        count -= 1
    return rest


def _is_hello(ndo: Ndo, b: bytes, at: int, li: int) -> tuple[int, int] | None:
    return _net(ndo, b, at, li, ", bad ish/li")


def _esis_options(ndo: Ndo, b: bytes, at: int, li: int) -> None:
    p = ndo.p
    while li != 0:
        if li < 2:
            p(", bad opts/li")
            return
        code, size = b[at], b[at + 1]
        at += 2
        li -= 2
        if size > li:
            p(f", opt ({code}) too long")
            return
        p(f"\n\t  {_ESIS_OPTIONS.get(code, 'Unknown')} Option #{code}, length {size}, value: ")
        if code == 0xC6:
            if size == 2:
                p(f"{u2(b, at)}s")
            else:
                p("(bad length)")
        elif code == 0x81:
            for i in range(size):
                p(f"{NLPIDS.get(b[at + i], 'Unknown')} (0x{b[at + i]:02x})")
                if i + 1 < size:
                    p(", ")
        else:
            if ndo.vflag <= 1:
                need(b, at, size)
                ndo.unknown_data(b, at, "\n\t  ", size)
        if ndo.vflag > 1:
            need(b, at, size)
            ndo.unknown_data(b, at, "\n\t  ", size)
        at += size
        li -= size
