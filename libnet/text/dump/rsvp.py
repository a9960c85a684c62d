"""RSVP (RFC 2205) with traffic engineering (RFC 3209), GMPLS (RFC 3473) and its extensions."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from typing import Final

from libnet.text.dump import ospf
from libnet.text.dump.ndo import TRUNCATED, Ndo, bittok2str, need, shown, take, tok2str, u2, u3, u4
from libnet.text.dump.numbers import ETHERTYPES, FAMILIES

_MESSAGES: Final = {
    1: "Path", 2: "Resv", 3: "PathErr", 4: "ResvErr", 5: "PathTear", 6: "ResvTear",
    7: "ResvConf", 12: "Bundle", 13: "Acknowledgement", 14: "Hello (Old)", 15: "Refresh",
    20: "Hello",
}  # fmt: skip
_OBJECTS: Final = {
    1: "Session", 3: "RSVP Hop", 4: "Integrity", 5: "Time Values", 6: "Error Spec", 7: "Scope",
    8: "Style", 9: "Flowspec", 10: "FilterSpec", 11: "Sender Template", 12: "Sender TSpec",
    13: "Adspec", 14: "Policy Data", 15: "Confirm", 16: "Label", 19: "Label Request", 20: "ERO",
    21: "RRO", 22: "Hello", 23: "Message ID", 24: "Message ID Ack", 25: "Message ID List",
    34: "Recovery Label", 35: "Upstream Label", 36: "Label Set", 130: "Acceptable Label Set",
    63: "Detour", 66: "Class Type", 125: "Class Type (old)", 129: "Suggested Label",
    204: "Properties", 205: "Fast Re-Route", 207: "Session Attribute", 229: "Generalized UNI",
    230: "Call-ID", 236: "Call Capability", 131: "Restart Capability", 134: "Capability",
    195: "Notify Request", 37: "Protection", 196: "Administrative Status", 50: "Sub-LSP to LSP",
}  # fmt: skip
_CTYPES: Final = {
    769: "IPv4", 770: "IPv6", 771: "IPv4 plus opt. TLVs", 772: "IPv6 plus opt. TLVs",
    49921: "IPv4", 49922: "IPv6", 3841: "IPv4", 3842: "IPv6", 1281: "1", 2305: "obsolete",
    2306: "IntServ", 3074: "IntServ", 3330: "IntServ", 2561: "IPv4", 2562: "IPv6",
    2563: "IPv6 Flow-label", 2567: "Tunnel IPv4", 2572: "IPv4 P2MP LSP Tunnel",
    2573: "IPv6 P2MP LSP Tunnel", 257: "IPv4", 258: "IPv6", 263: "Tunnel IPv4", 267: "UNI IPv4",
    269: "IPv4 P2MP LSP Tunnel", 270: "IPv6 P2MP LSP Tunnel", 2817: "IPv4", 2818: "IPv6",
    2823: "Tunnel IPv4", 2828: "IPv4 P2MP LSP Tunnel", 2829: "IPv6 P2MP LSP Tunnel", 5889: "1",
    6145: "Message id ack", 6146: "Message id nack", 6401: "1", 2049: "1",
    5633: "Hello Request", 5634: "Hello Ack", 4865: "without label range",
    4866: "with ATM label range", 4867: "with FR label range", 4868: "Generalized Label",
    4097: "Label", 4098: "Generalized Label", 4099: "Waveband Switching", 33025: "Label",
    33026: "Generalized Label", 33027: "Waveband Switching", 8961: "Label",
    8962: "Generalized Label", 8963: "Waveband Switching", 8705: "Label",
    8706: "Generalized Label", 8707: "Waveband Switching", 5121: "IPv4", 5377: "IPv4",
    1537: "IPv4", 1538: "IPv6", 1539: "IPv4 plus opt. TLVs", 1540: "IPv6 plus opt. TLVs",
    33537: "IPv4", 34305: "1", 52999: "Tunnel IPv4", 52487: "Tunnel IPv4", 52481: "1",
    16135: "Tunnel IPv4", 52225: "1", 50177: "1", 16897: "1", 32001: "1", 9217: "1", 58625: "1",
    12801: "IPv4 sub-LSP", 12802: "IPv6 sub-LSP",
}  # fmt: skip
_ROUTE_KINDS: Final = {
    0: "Reserved", 1: "IPv4 prefix", 2: "IPv6 prefix", 3: "Label",
    32: "Autonomous system number", 64: "MPLS label switched path termination",
}  # fmt: skip
_ROUTE_FLAGS: Final = (
    (1, "Local protection available"), (2, "Local protection in use"),
    (4, "Bandwidth protection"), (8, "Node protection"),
)  # fmt: skip
_LABEL_FLAGS: Final = ((1, "Global"),)
_STYLES: Final = {
    17: "Wildcard Filter", 10: "Fixed Filter", 18: "Shared Explicit",
}  # fmt: skip
_SERVICES: Final = {
    1: "Default/Global Information", 2: "Guaranteed Service", 5: "Controlled Load",
}  # fmt: skip
_PARAMETERS: Final = {
    4: "IS hop cnt", 6: "Path b/w estimate", 8: "Minimum path latency", 10: "Composed MTU",
    127: "Token Bucket TSpec", 130: "Guaranteed Service RSpec",
    133: "End-to-end composed value for C", 134: "End-to-end composed value for D",
    135: "Since-last-reshaping point composed C", 136: "Since-last-reshaping point composed D",
}  # fmt: skip
_SESSION_FLAGS: Final = (
    (1, "Local Protection"), (2, "Label Recording"), (4, "SE Style"),
    (8, "Bandwidth protection"), (16, "Node protection"),
)  # fmt: skip
_PROPERTIES: Final = {
    1: "Cos", 2: "Metric 1", 4: "Metric 2", 8: "CCC Status", 16: "Path Type",
}  # fmt: skip
_ERRORS: Final = {
    24: "Routing Problem", 25: "Notify Error", 28: "Diffserv TE Error",
    125: "Diffserv TE Error (Old)",
}  # fmt: skip
_ROUTING_ERRORS: Final = {
    1: "Bad EXPLICIT_ROUTE object", 2: "Bad strict node", 3: "Bad loose node",
    4: "Bad initial subobject", 5: "No route available toward destination",
    6: "Unacceptable label value", 7: "RRO indicated routing loops",
    8: "non-RSVP-capable router in the path", 9: "MPLS label allocation failure",
    10: "Unsupported L3PID",
}  # fmt: skip
_DIFFSERV_ERRORS: Final = {
    1: "Unexpected CT object", 2: "Unsupported CT", 3: "Invalid CT value",
    4: "CT/setup priority do not form a configured TE-Class",
    5: "CT/holding priority do not form a configured TE-Class",
    6: "CT/setup priority and CT/holding priority do not form a configured TE-Class",
    7: "Inconsistency between signaled PSC and signaled CT",
    8: "Inconsistency between signaled PHBs and signaled CT",
}  # fmt: skip
_ADMIN_FLAGS: Final = (
    (0x80000000, "Reflect"), (0x4, "Testing"), (0x2, "Admin-down"), (0x1, "Delete-in-progress"),
)  # fmt: skip
_ACTIONS: Final = {
    0: "Inclusive list", 1: "Exclusive list", 2: "Inclusive range", 3: "Exclusive range",
}  # fmt: skip
_UNI_KINDS: Final = {
    1: "Source TNA address", 2: "Destination TNA address", 3: "Diversity", 4: "Egress label",
    5: "Service level",
}  # fmt: skip
_CAPABILITIES: Final = (
    (4, "RecoveryPath Transmit Enabled"), (2, "RecoveryPath Desired"),
    (1, "RecoveryPath Srefresh Capable"),
)  # fmt: skip
_PAYLOADS: Final = {
    0: "Unknown", 1: "Reserved", 2: "Reserved", 3: "Reserved", 4: "Reserved",
    5: "Asynchronous mapping of E4", 6: "Asynchronous mapping of DS3/T3",
    7: "Asynchronous mapping of E3", 8: "Bit synchronous mapping of E3",
    9: "Byte synchronous mapping of E3", 10: "Asynchronous mapping of DS2/T2",
    11: "Bit synchronous mapping of DS2/T2", 12: "Reserved", 13: "Asynchronous mapping of E1",
    14: "Byte synchronous mapping of E1", 15: "Byte synchronous mapping of 31 * DS0",
    16: "Asynchronous mapping of DS1/T1", 17: "Bit synchronous mapping of DS1/T1",
    18: "Byte synchronous mapping of DS1/T1", 19: "VC-11 in VC-12", 20: "Reserved",
    21: "Reserved", 22: "DS1 SF Asynchronous", 23: "DS1 ESF Asynchronous",
    24: "DS3 M23 Asynchronous", 25: "DS3 C-Bit Parity Asynchronous", 26: "VT/LOVC",
    27: "STS SPE/HOVC", 28: "POS - No Scrambling, 16 bit CRC",
    29: "POS - No Scrambling, 32 bit CRC", 30: "POS - Scrambling, 16 bit CRC",
    31: "POS - Scrambling, 32 bit CRC", 32: "ATM mapping", 33: "Ethernet PHY", 34: "SONET/SDH",
    35: "Reserved (SONET deprecated)", 36: "Digital Wrapper", 37: "Lambda", 38: "ANSI/ETSI PDH",
    39: "Reserved", 40: "Link Access Protocol SDH (X.85 and X.86)", 41: "FDDI",
    42: "DQDB (ETSI ETS 300 216)", 43: "FiberChannel-3 (Services)", 44: "HDLC",
    45: "Ethernet V2/DIX (only)", 46: "Ethernet 802.3 (only)", 47: "G.709 ODUj",
    48: "G.709 OTUk(v)", 49: "CBR/CBRa", 50: "CBRb", 51: "BSOT", 52: "BSNT", 53: "IP/PPP (GFP)",
    54: "Ethernet MAC (framed GFP)", 55: "Ethernet PHY (transparent GFP)", 56: "ESCON",
    57: "FICON", 58: "Fiber Channel",
}  # fmt: skip
_FLOAT: Final = struct.Struct("!f").unpack_from
_BUNDLE, _RRO = 12, 21


class _Short(Exception):
    """An object is too short for what is in it."""


class _Invalid(Exception):
    """An object makes no sense."""


def _real(value: float) -> str:
    """Return a number with up to ten digits, as C's %.10g."""
    return f"{value:.10g}"


def _mbps(b: bytes, o: int) -> str:
    """Return octets a second as megabits; each step in single precision, as C does it here."""
    value = _single(_FLOAT(b, o)[0] * 8)
    return _real(_single(value / 1000000))


def _single(value: float) -> float:
    """Return a number as near as four octets come to it."""
    try:
        single: float = _FLOAT(struct.pack("!f", value), 0)[0]
    except OverflowError:
        return math.copysign(math.inf, value)
    return single


def rsvp_print(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    """Print a message of *length* octets."""
    ndo.protocol = "rsvp"
    try:
        _packet(ndo, b, o, length)
    except TRUNCATED:
        ndo.trunc()


def _packet(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    p = ndo.p
    need(b, o, 8)
    if b[o] >> 4 != 1:
        p(f"ERROR: RSVP version {b[o] >> 4} packet not supported")
        return
    if not ndo.vflag:
        p(f"RSVPv1 {tok2str(_MESSAGES, 'unknown (%u)', b[o + 1])} Message, length: {length}")
        return
    size = u2(b, o + 6)
    p("\n\t")
    _head(ndo, b, o)
    if size < 8:
        p(f"ERROR: common header too short {size} < 8")
        return
    if b[o + 1] not in _MESSAGES:
        ndo.unknown_data(b, o + 8, "\n\t    ", size - 8)
        return
    if b[o + 1] != _BUNDLE:
        _objects(ndo, b, o + 8, size - 8, "\n\t  ")
        return
    # A bundle has messages in it (RFC 2961), each with a header of its own.
    at, left = o + 8, size - 8
    while left > 0:
        need(b, at, 8)
        if b[at] >> 4 != 1:
            p(f"ERROR: RSVP version {b[at] >> 4} packet not supported")
            return
        inner = u2(b, at + 6)
        p("\n\t  ")
        _head(ndo, b, at)
        if inner < 8:
            p(f"ERROR: common header too short {inner} < 8")
            return
        if left < inner:
            p(f"ERROR: common header too large {inner} > {left}")
            return
        if not _objects(ndo, b, at + 8, inner - 8, "\n\t    "):
            return
        at += inner
        left -= inner


def _head(ndo: Ndo, b: bytes, o: int) -> None:
    kind = b[o + 1]
    flags = "Refresh reduction capable" if b[o] & 1 else "none"
    ndo.p(
        f"RSVPv{b[o] >> 4} {tok2str(_MESSAGES, 'unknown, type: %u', kind)} Message ({kind}), "
        f"Flags: [{flags}], length: {u2(b, o + 6)}, ttl: {b[o + 4]}, "
        f"checksum: 0x{u2(b, o + 2):04x}"
    )


def _objects(ndo: Ndo, b: bytes, o: int, left: int, ident: str) -> bool:
    """Print objects; return False if one of them ended it."""
    p = ndo.p
    while left > 0:
        need(b, o, 4)
        size, kind, ctype = u2(b, o), b[o + 2], b[o + 3]
        if size % 4:
            p(f"{ident}ERROR: object header size {size} not a multiple of 4")
            return False
        if size < 4:
            p(f"{ident}ERROR: object header too short {size} < 4")
            return False
        unknown = "ignore" if kind & 0x80 else "reject"
        if kind & 0x80:
            unknown += " and forward" if kind & 0x40 else " silently"
        p(
            f"{ident}{tok2str(_OBJECTS, 'Unknown', kind)} Object ({kind}) Flags: [{unknown} "
            f"if unknown], Class-Type: {tok2str(_CTYPES, 'Unknown', kind << 8 | ctype)} "
            f"({ctype}), length: {size}"
        )
        if left < size:
            p(f"{ident}ERROR: object goes past end of objects TLV")
            return False
        need(b, o, size)
        try:
            printer = _PRINTERS.get(kind)
            known = printer is not None and printer(ndo, b, o + 4, size - 4, ctype, ident)
        except _Short:
            p(f"{ident}ERROR: object is too short")
            return False
        except _Invalid:
            ndo.invalid()
            return False
        if ndo.vflag > 1 or not known:
            ndo.unknown_data(b, o + 4, "\n\t    ", size - 4)
        o += size
        left -= size
    return True


def _enough(size: int, least: int) -> None:
    if size < least:
        raise _Short


Object = Callable[[Ndo, bytes, int, int, int, str], bool]


def _session(ndo: Ndo, b: bytes, o: int, size: int, ctype: int, ident: str) -> bool:
    p = ndo.p
    if ctype in (1, 2):
        width = 4 if ctype == 1 else 16
        _enough(size, width + 4)
        dest = ndo.ipaddr(b, o) if ctype == 1 else ndo.ip6addr(b, o)
        p(
            f"{ident}  IPv{4 if ctype == 1 else 6} DestAddress: {dest}, "
            f"Protocol ID: 0x{b[o + width]:02x}"
            f"{ident}  Flags: [0x{b[o + width + 1]:02x}], DestPort {u2(b, o + width + 2)}"
        )
    elif ctype == 8:
        _enough(size, 36)
        p(
            f"{ident}  IPv6 Tunnel EndPoint: {ndo.ip6addr(b, o)}, Tunnel ID: 0x{u2(b, o + 18):04x}, "
            f"Extended Tunnel ID: {ndo.ip6addr(b, o + 20)}"
        )
    elif ctype == 14:
        _enough(size, 26)
        p(
            f"{ident}  IPv6 P2MP LSP ID: 0x{u4(b, o):08x}, Tunnel ID: 0x{u2(b, o + 6):04x}, "
            f"Extended Tunnel ID: {ndo.ip6addr(b, o + 8)}"
        )
    elif ctype in (7, 11, 13):
        _enough(size, 12)
        word = "P2MP LSP ID" if ctype == 13 else "Tunnel EndPoint"
        p(
            f"{ident}  IPv4 {word}: {ndo.ipaddr(b, o)}, Tunnel ID: 0x{u2(b, o + 6):04x}, "
            f"Extended Tunnel ID: {ndo.ipaddr(b, o + 8)}"
        )
    else:
        return False
    return True


def _confirm(ndo: Ndo, b: bytes, o: int, size: int, ctype: int, ident: str) -> bool:
    if ctype == 1:
        _enough(size, 4)
        ndo.p(f"{ident}  IPv4 Receiver Address: {ndo.ipaddr(b, o)}")
    elif ctype == 2:
        _enough(size, 16)
        ndo.p(f"{ident}  IPv6 Receiver Address: {ndo.ip6addr(b, o)}")
    return ctype in (1, 2)


def _label(ndo: Ndo, b: bytes, o: int, size: int, ctype: int, ident: str) -> bool:
    if ctype == 1:
        for at in range(o, o + size - 3, 4):
            ndo.p(f"{ident}  Label: {u4(b, at)}")
        return True
    if ctype == 2:
        _enough(size, 4)
        ndo.p(f"{ident}  Generalized Label: {u4(b, o)}")
        return True
    return False


def _wave_label(ndo: Ndo, b: bytes, o: int, size: int, ctype: int, ident: str) -> bool:
    if ctype == 3:
        _enough(size, 12)
        ndo.p(
            f"{ident}  Waveband ID: {u4(b, o)}{ident}  Start Label: {u4(b, o + 4)}, "
            f"Stop Label: {u4(b, o + 8)}"
        )
        return True
    return _label(ndo, b, o, size, ctype, ident)


def _style(ndo: Ndo, b: bytes, o: int, size: int, ctype: int, ident: str) -> bool:
    if ctype != 1:
        return False
    _enough(size, 4)
    style = tok2str(_STYLES, "Unknown", u3(b, o + 1))
    ndo.p(f"{ident}  Reservation Style: {style}, Flags: [0x{b[o]:02x}]")
    return True


def _sender(ndo: Ndo, b: bytes, o: int, size: int, ctype: int, ident: str) -> bool:
    """Print who sends; a filter has it in nearly the same words."""
    p = ndo.p
    if ctype == 1:
        _enough(size, 8)
        p(f"{ident}  Source Address: {ndo.ipaddr(b, o)}, Source Port: {u2(b, o + 6)}")
    elif ctype == 2:
        _enough(size, 20)
        p(f"{ident}  Source Address: {ndo.ip6addr(b, o)}, Source Port: {u2(b, o + 18)}")
    elif ctype == 13:
        _enough(size, 40)
        p(
            f"{ident}  IPv6 Tunnel Sender Address: {ndo.ip6addr(b, o)}, LSP ID: 0x{u2(b, o + 18):04x}"
            f"{ident}  Sub-Group Originator ID: {ndo.ip6addr(b, o + 20)}, "
            f"Sub-Group ID: 0x{u2(b, o + 38):04x}"
        )
    elif ctype == 7:
        _enough(size, 8)
        p(f"{ident}  IPv4 Tunnel Sender Address: {ndo.ipaddr(b, o)}, LSP-ID: 0x{u2(b, o + 6):04x}")
    elif ctype == 12:
        _enough(size, 16)
        p(
            f"{ident}  IPv4 Tunnel Sender Address: {ndo.ipaddr(b, o)}, LSP ID: 0x{u2(b, o + 6):04x}"
            f"{ident}  Sub-Group Originator ID: {ndo.ipaddr(b, o + 8)}, "
            f"Sub-Group ID: 0x{u2(b, o + 12):04x}"
        )
    else:
        return False
    return True


def _filter(ndo: Ndo, b: bytes, o: int, size: int, ctype: int, ident: str) -> bool:
    p = ndo.p
    if ctype == 3:
        _enough(size, 20)
        p(f"{ident}  Source Address: {ndo.ip6addr(b, o)}, Flow Label: {u3(b, o + 17)}")
    elif ctype == 8:
        _enough(size, 20)
        # The address is one of IPv6, of which the original shows the first octets.
        p(f"{ident}  Source Address: {ndo.ipaddr(b, o)}, LSP-ID: 0x{u2(b, o + 18):04x}")
    elif ctype == 7:
        _enough(size, 8)
        p(f"{ident}  Source Address: {ndo.ipaddr(b, o)}, LSP-ID: 0x{u2(b, o + 6):04x}")
    else:
        return _sender(ndo, b, o, size, ctype, ident)
    return True


def _label_request(ndo: Ndo, b: bytes, o: int, size: int, ctype: int, ident: str) -> bool:
    p = ndo.p
    unknown = "Unknown Protocol (0x%04x)"
    if ctype == 1:
        for at in range(o, o + size - 3, 4):
            p(f"{ident}  L3 Protocol ID: {tok2str(ETHERTYPES, unknown, u2(b, at + 2))}")
    elif ctype == 2:
        _enough(size, 12)
        p(f"{ident}  L3 Protocol ID: {tok2str(ETHERTYPES, unknown, u2(b, o + 2))}")
        p(f",{'no' if b[o + 4] & 0x80 else ''} merge capability")
        for word, at in (("Minimum", o + 4), ("Maximum", o + 8)):
            p(f"{ident}  {word} VPI/VCI: {u2(b, at) & 0xFFF}/{u2(b, at + 2) & 0xFFF}")
    elif ctype == 3:
        _enough(size, 12)
        p(f"{ident}  L3 Protocol ID: {tok2str(ETHERTYPES, unknown, u2(b, o + 2))}")
        low, high = u4(b, o + 4), u4(b, o + 8)
        bits = {0: "10", 2: "23"}.get(low >> 23 & 3, "")
        p(f"{ident}  Minimum/Maximum DLCI: {low & 0x7FFFFF}/{high & 0x7FFFFF}, ")
        p(f"{bits} bit DLCI" if bits else " bit DLCI")
    elif ctype == 4:
        _enough(size, 4)
        p(f"{ident}  LSP Encoding Type: {tok2str(ospf.ENCODINGS, 'Unknown', b[o])} ({b[o]})")
        payload = u2(b, o + 2)
        p(
            f"{ident}  Switching Type: {tok2str(ospf.SWITCHING, 'Unknown', b[o + 1])} ({b[o + 1]}), "
            f"Payload ID: {tok2str(_PAYLOADS, 'Unknown', payload)} (0x{payload:04x})"
        )
    else:
        return False
    return True


def _route(ndo: Ndo, b: bytes, o: int, size: int, ctype: int, ident: str) -> bool:
    if ctype != 1:
        return False
    p = ndo.p
    end = o + size
    while o < end:
        need(b, o, 4)
        kind, length = b[o] & 0x7F, b[o + 1]
        p(f"{ident}  Subobject Type: {tok2str(_ROUTE_KINDS, 'Unknown %u', kind)}, length {length}")
        if length > end - o:
            p(f"{ident}  ERROR: ERO subobject length > object length")
            break
        if length == 0:
            p(f"{ident}  ERROR: zero length ERO subtype")
            break
        if kind in (1, 3) and length != 8:
            p(" ERROR: length != 8")
            raise _Invalid
        if kind == 1:
            need(b, o, 8)
            if b[o + 6] != 32:
                p(f" ERROR: Prefix length {b[o + 6]} != 32")
                raise _Invalid
            p(
                f", {'Loose' if b[o] & 0x80 else 'Strict'}, {ndo.ipaddr(b, o + 2)}/{b[o + 6]}, "
                f"Flags: [{bittok2str(_ROUTE_FLAGS, 'none', b[o + 7])}]"
            )
        elif kind == 3:
            need(b, o, 8)
            p(
                f", Flags: [{bittok2str(_LABEL_FLAGS, 'none', b[o + 2])}] ({_sharp(b[o + 2])}), "
                f"Class-Type: {tok2str(_CTYPES, 'Unknown', _RRO << 8 | b[o + 3])} ({b[o + 3]}), "
                f"{u4(b, o + 4)}"
            )
        o += length
    return True


def _sharp(value: int) -> str:
    """Return a number as C's %#x."""
    return f"0x{value:x}" if value else "0"


def _hello(ndo: Ndo, b: bytes, o: int, size: int, ctype: int, ident: str) -> bool:
    if ctype not in (1, 2):
        return False
    _enough(size, 8)
    ndo.p(f"{ident}  Source Instance: 0x{u4(b, o):08x}, Destination Instance: 0x{u4(b, o + 4):08x}")
    return True


def _restart(ndo: Ndo, b: bytes, o: int, size: int, ctype: int, ident: str) -> bool:
    if ctype != 1:
        return False
    _enough(size, 8)
    ndo.p(f"{ident}  Restart  Time: {u4(b, o)}ms, Recovery Time: {u4(b, o + 4)}ms")
    return True


def _capability(ndo: Ndo, b: bytes, o: int, size: int, ctype: int, ident: str) -> bool:
    if ctype != 1:
        return False
    _enough(size, 4)
    value = u4(b, o)
    if value & 0xFFFFFFF8:
        ndo.p(f"{ident}  [reserved=0x{value & 0xFFFFFFF8:08x} must be zero]")
    ndo.p(f"{ident}  Flags: [{bittok2str(_CAPABILITIES, 'none', value & 7)}]")
    return True


def _session_attribute(ndo: Ndo, b: bytes, o: int, size: int, ctype: int, ident: str) -> bool:
    if ctype != 7:
        return False
    _enough(size, 4)
    length = b[o + 3]
    _enough(size, 4 + length)
    ndo.p(f"{ident}  Session Name: {shown(take(b, o + 4, length))}")
    ndo.p(
        f"{ident}  Setup Priority: {b[o]}, Holding Priority: {b[o + 1]}, "
        f"Flags: [{bittok2str(_SESSION_FLAGS, 'none', b[o + 2])}] ({_sharp(b[o + 2])})"
    )
    return True


def _uni(ndo: Ndo, b: bytes, o: int, size: int, ctype: int, ident: str) -> bool:
    """Print what a client asks of an optical network (RFC 3476)."""
    if ctype != 1:
        return False
    p = ndo.p
    _enough(size, 4)
    while size > 0:
        _enough(size, 4)
        length, kind, family = u2(b, o), b[o + 2], b[o + 3]
        p(
            f"{ident}  Subobject Type: {tok2str(_UNI_KINDS, 'Unknown', kind)} ({kind}), "
            f"AF: {tok2str(FAMILIES, 'Unknown', family)} ({family}), length: {length}"
        )
        if length < 4 or length > size:
            raise _Invalid
        if kind in (1, 2):
            if family == 1:
                _within(length, 8)
                p(f"{ident}    UNI IPv4 TNA address: {ndo.ipaddr(b, o + 4)}")
            elif family == 2:
                _within(length, 20)
                p(f"{ident}    UNI IPv6 TNA address: {ndo.ip6addr(b, o + 4)}")
        elif kind == 4:
            _within(length, 16)
            value = u4(b, o + 4)
            p(
                f"{ident}    U-bit: {value >> 31:x}, Label type: {b[o + 7]}, "
                f"Logical port id: {u4(b, o + 8)}, Label: {u4(b, o + 12)}"
            )
        elif kind == 5:
            _within(length, 5)
            p(f"{ident}    Service level: {b[o + 4]}")
        o += length
        size -= length
    return True


def _within(length: int, least: int) -> None:
    if length < least:
        raise _Invalid


def _hop(ndo: Ndo, b: bytes, o: int, size: int, ctype: int, ident: str) -> bool:
    if ctype not in (1, 2, 3, 4):
        return False
    width = 4 if ctype in (1, 3) else 16
    _enough(size, width + 4)
    addr = ndo.ipaddr(b, o) if width == 4 else ndo.ip6addr(b, o)
    ndo.p(
        f"{ident}  Previous/Next Interface: {addr}, "
        f"Logical Interface Handle: 0x{u4(b, o + width):08x}"
    )
    # What follows is dumped; an IPv6 address counts as if it were one of IPv4.
    return size == 8


def _time_values(ndo: Ndo, b: bytes, o: int, size: int, ctype: int, ident: str) -> bool:
    if ctype != 1:
        return False
    _enough(size, 4)
    ndo.p(f"{ident}  Refresh Period: {u4(b, o)}ms")
    return True


def _traffic(ndo: Ndo, b: bytes, o: int, size: int, ctype: int, ident: str) -> bool:
    """Print what traffic there will be (RFC 2210)."""
    if ctype != 2:
        return False
    p = ndo.p
    _enough(size, 4)
    total = u2(b, o + 2) * 4
    p(f"{ident}  Msg-Version: {b[o] >> 4}, length: {total}")
    o += 4
    size -= 4
    while total > 0 and size >= 4:
        length = u2(b, o + 2) * 4
        p(
            f"{ident}  Service Type: {tok2str(_SERVICES, 'unknown', b[o])} ({b[o]}), "
            f"break bit {'' if b[o + 1] & 0x80 else 'not '}set, Service length: {length}"
        )
        o += 4
        size -= 4
        total -= 4
        while length > 0 and size >= 4:
            took = _parameter(ndo, b, o, size)
            if took == 0:
                break
            o += took
            size -= took
            total -= took
            length -= took
    return True


def _parameter(ndo: Ndo, b: bytes, o: int, size: int) -> int:
    """Print a parameter of a service; return its octets, 0 if it is not there whole."""
    p = ndo.p
    kind, length = b[o], u2(b, o + 2) * 4
    p(
        f"\n\t      Parameter ID: {tok2str(_PARAMETERS, 'unknown', kind)} ({kind}), "
        f"length: {length}, Flags: [0x{b[o + 1]:02x}]"
    )
    if size < length + 4:
        return 0
    need(b, o + 4, length)
    o += 4
    if kind == 4 and length == 4:
        p(f"\n\t\tIS hop count: {u4(b, o)}")
    elif kind == 6 and length == 4:
        p(f"\n\t\tPath b/w estimate: {_mbps(b, o)} Mbps")
    elif kind == 8 and length == 4:
        value = u4(b, o)
        p("\n\t\tMinimum path latency: ")
        p("don't care" if value == 0xFFFFFFFF else str(value))
    elif kind == 10 and length == 4:
        p(f"\n\t\tComposed MTU: {u4(b, o)} bytes")
    elif kind == 127 and length == 20:
        p(
            f"\n\t\tToken Bucket Rate: {_mbps(b, o)} Mbps"
            f"\n\t\tToken Bucket Size: {_real(_FLOAT(b, o + 4)[0])} bytes"
            f"\n\t\tPeak Data Rate: {_mbps(b, o + 8)} Mbps"
            f"\n\t\tMinimum Policed Unit: {u4(b, o + 12)} bytes"
            f"\n\t\tMaximum Packet Size: {u4(b, o + 16)} bytes"
        )
    elif kind == 130 and length == 8:
        p(f"\n\t\tRate: {_mbps(b, o)} Mbps\n\t\tSlack Term: {u4(b, o + 4)}")
    elif kind in (133, 134, 135, 136) and length == 4:
        p(f"\n\t\tValue: {u4(b, o)}")
    elif ndo.vflag <= 1:
        ndo.unknown_data(b, o, "\n\t\t", length)
    return length + 4


def _fast_reroute(ndo: Ndo, b: bytes, o: int, size: int, ctype: int, ident: str) -> bool:
    if ctype not in (1, 7):
        return False
    p = ndo.p
    _enough(size, 20 if ctype == 1 else 16)
    p(
        f"{ident}  Setup Priority: {b[o]}, Holding Priority: {b[o + 1]}, Hop-limit: {b[o + 2]}, "
        f"Bandwidth: {_mbps(b, o + 4)} Mbps"
    )
    if ctype == 1:
        p(
            f"{ident}  Include-any: 0x{u4(b, o + 8):08x}, Exclude-any: 0x{u4(b, o + 12):08x}, "
            f"Include-all: 0x{u4(b, o + 16):08x}"
        )
    else:
        p(f"{ident}  Include Colors: 0x{u4(b, o + 8):08x}, Exclude Colors: 0x{u4(b, o + 12):08x}")
    return True


def _detour(ndo: Ndo, b: bytes, o: int, size: int, ctype: int, ident: str) -> bool:
    if ctype != 7:
        return False
    for at in range(o, o + size - 7, 8):
        ndo.p(f"{ident}  PLR-ID: {ndo.ipaddr(b, at)}, Avoid-Node-ID: {ndo.ipaddr(b, at + 4)}")
    return True


def _class_type(ndo: Ndo, b: bytes, o: int, size: int, ctype: int, ident: str) -> bool:
    if ctype != 1:
        return False
    _enough(size, 4)
    ndo.p(f"{ident}  CT: {u4(b, o) & 7}")
    return True


def _error(ndo: Ndo, b: bytes, o: int, size: int, ctype: int, ident: str) -> bool:
    if ctype not in (1, 2, 3, 4):
        return False
    p = ndo.p
    width = 4 if ctype in (1, 3) else 16
    _enough(size, width + 4)
    addr = ndo.ipaddr(b, o) if width == 4 else ndo.ip6addr(b, o)
    code, value = b[o + width + 1], u2(b, o + width + 2)
    p(
        f"{ident}  Error Node Address: {addr}, Flags: [0x{b[o + width]:02x}]"
        f"{ident}  Error Code: {tok2str(_ERRORS, 'unknown', code)} ({code})"
    )
    words = {24: _ROUTING_ERRORS, 28: _DIFFSERV_ERRORS, 125: _DIFFSERV_ERRORS}.get(code)
    if words is not None:
        p(f", Error Value: {tok2str(words, 'Unknown', value)} ({value})")
    elif width == 4:
        p(f", Unknown Error Value ({value})")
    return True


def _properties(ndo: Ndo, b: bytes, o: int, size: int, ctype: int, ident: str) -> bool:
    if ctype != 1:
        return False
    p = ndo.p
    _enough(size, 4)
    count, padding = u2(b, o), u2(b, o + 2)
    p(f"{ident}  TLV count: {count}, padding bytes: {padding}")
    o += 4
    size -= 4
    while size >= 2 + padding:
        kind, length = b[o], b[o + 1]
        p(
            f"{ident}    {tok2str(_PROPERTIES, 'unknown', kind)} TLV (0x{kind:02x}), length: {length}"
        )
        if size < length:
            raise _Short
        if length < 2:
            p(f"{ident}ERROR: property TLV is too short")
            return True
        ndo.unknown_data(b, o + 2, "\n\t\t", length - 2)
        o += length
        size -= length
    return True


def _message_ids(ndo: Ndo, b: bytes, o: int, size: int, ctype: int, ident: str) -> bool:
    """Print the numbers of messages (RFC 2961)."""
    if ctype not in (1, 2):
        return False
    _enough(size, 4)
    ndo.p(f"{ident}  Flags [0x{b[o]:02x}], epoch: {u3(b, o + 1)}")
    for at in range(o + 4, o + size - 3, 4):
        ndo.p(f"{ident}    Message-ID 0x{u4(b, at):08x} ({u4(b, at)})")
    return True


def _integrity(ndo: Ndo, b: bytes, o: int, size: int, ctype: int, ident: str) -> bool:
    if ctype != 1:
        return False
    p = ndo.p
    _enough(size, 32)
    p(
        f"{ident}  Key-ID 0x{u2(b, o + 2):04x}{u4(b, o + 4):08x}, "
        f"Sequence 0x{u4(b, o + 8):08x}{u4(b, o + 12):08x}, "
        f"Flags [{'Handshake' if b[o] & 0x80 else 'none'}]"
    )
    p(f"{ident}  MD5-sum 0x{take(b, o + 16, 16).hex()}  (unchecked)")
    return True


def _admin_status(ndo: Ndo, b: bytes, o: int, size: int, ctype: int, ident: str) -> bool:
    if ctype != 1:
        return False
    _enough(size, 4)
    ndo.p(f"{ident}  Flags [{bittok2str(_ADMIN_FLAGS, 'none', u4(b, o))}]")
    return True


def _label_set(ndo: Ndo, b: bytes, o: int, size: int, ctype: int, ident: str) -> bool:
    if ctype != 1:
        return False
    p = ndo.p
    _enough(size, 4)
    action = u2(b, o) >> 8
    p(f"{ident}  Action: {tok2str(_ACTIONS, 'Unknown', action)} ({action}), Label type: {b[o + 3]}")
    if action in (2, 3):
        _enough(size, 12)
        p(f"{ident}  Start range: {u4(b, o + 4)}, End range: {u4(b, o + 8)}")
    else:
        for number, at in enumerate(range(o + 4, o + size - 3, 4), 1):
            p(f"{ident}  Subchannel #{number}: {u4(b, at)}")
    return True


def _sub_lsp(ndo: Ndo, b: bytes, o: int, size: int, ctype: int, ident: str) -> bool:
    if ctype == 1:
        _enough(size, 4)
        ndo.p(f"{ident}  Sub-LSP destination address: {ndo.ipaddr(b, o)}")
    elif ctype == 2:
        _enough(size, 16)
        ndo.p(f"{ident}  Sub-LSP destination address: {ndo.ip6addr(b, o)}")
    return ctype in (1, 2)


def _notify(ndo: Ndo, b: bytes, o: int, size: int, ctype: int, ident: str) -> bool:
    if ctype == 1:
        _enough(size, 4)
        ndo.p(f"{ident}  IPv4 Notify Node Address: {ndo.ipaddr(b, o)}")
    elif ctype == 2:
        _enough(size, 16)
        ndo.p(f"{ident}  IPv6 Notify Node Address: {ndo.ip6addr(b, o)}")
    return ctype in (1, 2)


# Those that are not here are dumped.
_PRINTERS: Final[dict[int, Object]] = {
    1: _session, 3: _hop, 4: _integrity, 5: _time_values, 6: _error, 8: _style, 9: _traffic,
    10: _filter, 11: _sender, 12: _traffic, 13: _traffic, 15: _confirm, 16: _wave_label,
    19: _label_request, 20: _route, 21: _route, 22: _hello, 23: _message_ids,
    24: _message_ids, 25: _message_ids, 34: _wave_label, 35: _wave_label, 36: _label_set,
    50: _sub_lsp, 63: _detour, 66: _class_type, 125: _class_type, 129: _wave_label,
    131: _restart, 134: _capability, 195: _notify, 196: _admin_status, 204: _properties,
    205: _fast_reroute, 207: _session_attribute, 229: _uni,
}  # fmt: skip
