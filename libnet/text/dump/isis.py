"""IS-IS (ISO 10589), with IP (RFC 1195), traffic engineering (RFC 5305) and more topologies."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Final

from libnet.text.dump import ospf
from libnet.text.dump.isoclns import cksum_verdict, isonsap, system_id
from libnet.text.dump.ndo import Ndo, bittok2str, mask2plen, need, take, tok2str, u2, u3, u4
from libnet.text.dump.numbers import NLPIDS, OUI

_PDUS: Final = {
    15: "L1 Lan IIH", 16: "L2 Lan IIH", 17: "p2p IIH", 18: "L1 LSP", 20: "L2 LSP",
    24: "L1 CSNP", 25: "L2 CSNP", 26: "L1 PSNP", 27: "L2 PSNP",
}  # fmt: skip
_LAN_IIH, _P2P_IIH, _LSP, _CSNP, _PSNP = (15, 16), (17,), (18, 20), (24, 25), (26, 27)
# Octets of the header that all have with the one after it.
_SIZES: Final = {
    15: 27, 16: 27, 17: 20, 18: 27, 20: 27, 24: 33, 25: 33, 26: 17, 27: 17,
}  # fmt: skip
_COMMON: Final = 8
_TLVS: Final = {
    1: "Area address(es)", 2: "IS Reachability", 3: "ES Neighbor(s)", 4: "Partition DIS",
    5: "Prefix Neighbors", 6: "IS Neighbor(s)", 7: "Instance Identifier", 8: "Padding",
    9: "LSP entries", 10: "Authentication", 12: "Checksum", 13: "Purge Originator Identifier",
    14: "LSP Buffersize", 22: "Extended IS Reachability", 24: "IS Alias ID",
    42: "DECnet Phase IV", 66: "Lucent Proprietary", 128: "IPv4 Internal Reachability",
    129: "Protocols supported", 130: "IPv4 External Reachability",
    131: "Inter-Domain Information Type", 132: "IPv4 Interface address(es)",
    133: "IPv4 authentication (deprecated)", 134: "Traffic Engineering Router ID",
    135: "Extended IPv4 Reachability", 138: "Shared Risk Link Group",
    143: "Multi-Topology-Aware Port Capability", 144: "Multi-Topology Capability",
    176: "Nortel Proprietary", 177: "Nortel Proprietary", 137: "Hostname",
    211: "Restart Signaling", 222: "Multi Topology IS Reachability", 229: "Multi Topology",
    232: "IPv6 Interface address(es)", 235: "Multi-Topology IPv4 Reachability",
    236: "IPv6 reachability", 237: "Multi-Topology IP6 Reachability",
    240: "Point-to-point Adjacency State", 241: "Hello PDU Sequence Number",
    242: "IS-IS Router Capability", 250: "Vendor Private",
}  # fmt: skip
_CIRCUITS: Final = {1: "Level 1 only", 2: "Level 2 only", 3: "Level 1, Level 2"}
_IS_TYPES: Final = {
    0: "Unused 0x0 (invalid)", 1: "L1 IS", 2: "Unused 0x2 (invalid)", 3: "L2 IS",
}  # fmt: skip
_ATTACHED: Final = ((0x40, "error "), (0x20, "expense "), (0x10, "delay "), (0x08, "default "))
_VIRTUAL: Final = {0: "IsNotVirtual", 1: "IsVirtual"}
_ADJACENCIES: Final = {0: "Up", 1: "Initializing", 2: "Down"}
_RESTART: Final = (
    (1, "Restart Request"), (2, "Restart Acknowledgement"),
    (4, "Suppress adjacency advertisement"),
)  # fmt: skip
_TOPOLOGIES: Final = {
    0: "IPv4 unicast", 1: "In-Band Management", 2: "IPv6 unicast", 3: "Multicast",
    4095: "Development, Experimental or Proprietary",
}  # fmt: skip
_TOPOLOGY_FLAGS: Final = ((0x4000, "ATT bit set"), (0x8000, "Overload bit set"))
_INTER_DOMAIN: Final = {0: "Reserved", 1: "Routing-Domain Specific", 2: "AS Number Tag"}
_AUTHS: Final = {
    1: "simple text password", 3: "Generic Crypto key-id", 54: "HMAC-MD5 password",
    255: "Routing Domain private password",
}  # fmt: skip
_ADJ_SID: Final = (
    (0x80, "Address family IPv6"), (0x40, "Backup"), (0x20, "Value"),
    (0x10, "Local significance"), (0x08, "Set of adjacencies"), (0x04, "Persistent"),
)  # fmt: skip
_LINK_ATTRIBUTES: Final = (
    (1, "Local Protection Available"), (2, "Link excluded from local protection path"),
    (4, "Local maintenance required"),
)  # fmt: skip
_ALGORITHMS: Final = {0: "SPF", 1: "strict-SPF"}
_PREFIX_SID: Final = (
    (0x80, "Readvertisement"), (0x40, "Node"), (0x20, "No-PHP"), (0x10, "Explicit NULL"),
    (0x08, "Value"), (0x04, "Local"),
)  # fmt: skip
_PREFIX_SUBTLVS: Final = {
    1: "32-Bit Administrative tag", 2: "64-Bit Administrative tag", 3: "Prefix SID",
    117: "Management Prefix Color",
}  # fmt: skip
_LINK_SUBTLVS: Final = {
    3: "Administrative groups", 4: "Link Local/Remote Identifier", 5: "Link Remote Identifier",
    6: "IPv4 interface address", 8: "IPv4 neighbor address", 9: "Maximum link bandwidth",
    10: "Reservable link bandwidth", 11: "Unreserved bandwidth",
    18: "Traffic Engineering Metric", 19: "Link Attribute", 20: "Link Protection Type",
    21: "Interface Switching Capability", 12: "Bandwidth Constraints (old)",
    22: "Bandwidth Constraints", 32: "LAN Adjacency Segment Identifier", 29: "SPB Metric",
    **dict.fromkeys(range(250, 255), "Reserved for cisco specific extensions"),
    255: "Reserved for future expansion",
}  # fmt: skip
_PORT_SUBTLVS: Final = {4: "SPB MCID", 5: "SPB Digest", 6: "SPB BVID"}
_TOPOLOGY_SUBTLVS: Final = {1: "SPB Instance", 3: "SPBM Service Identifier and Unicast Address"}
_ROUTER_SUBTLVS: Final = {2: "SR-Capabilities"}
_ROUTER_FLAGS: Final = ((1, "S bit"), (2, "D bit"))
_SR_FLAGS: Final = ((0x80, "ipv4"), (0x40, "ipv6"))
_SONET: Final = {0: "Standard SONET/SDH", 1: "Arbitrary SONET/SDH"}
_FLOAT: Final = struct.Struct("!f")


class _Silent(Exception):
    """The packet ended where that is not worth a marker."""


Tlv = Callable[[Ndo, bytes, int, int], None]


class _Short(Exception):
    """A TLV ends too early for what is in it."""


class _Over(Exception):
    """What is in a TLV is longer than the TLV."""

    def __init__(self, left: int, took: int) -> None:
        super().__init__(left, took)
        self.left, self.took = left, took


def isis_print(ndo: Ndo, b: bytes, o: int, length: int) -> bool:
    """Print a packet; return False if its octets are to be dumped."""
    ndo.protocol = "isis"
    p = ndo.p
    if length < _COMMON:
        ndo.trunc()
        return True
    need(b, o, _COMMON)
    if not ndo.eflag:
        p("IS-IS")
    if b[o + 2] != 1:
        p(f"version {b[o + 2]} packet not supported")
        return False
    if b[o + 3] not in (0, 6):
        p(f"system ID length of {b[o + 3]} is not supported")
        return False
    if b[o + 5] != 1:
        p(f"version {b[o + 5]} packet not supported")
        return False
    if length < b[o + 1]:
        p(f"fixed header length {b[o + 1]} > packet length {length}")
        return False
    if b[o + 1] < _COMMON:
        p(f"fixed header length {b[o + 1]} < minimum header size {_COMMON}")
        return False
    areas = b[o + 7]
    if areas == 255:
        p("bad packet -- 255 areas")
        return False
    kind = b[o + 4]
    sep = "" if ndo.eflag else ", "
    if not ndo.vflag:
        p(f"{sep}{tok2str(_PDUS, 'unknown PDU-Type %u', kind)}")
        _brief(ndo, b, o, kind)
        p(f", length {length}")
        return True
    p(f"{sep}length {length}")
    p(
        f"\n\t{tok2str(_PDUS, 'unknown, type %u', kind)}, hlen: {b[o + 1]}, v: {b[o + 2]}, "
        f"pdu-v: {b[o + 5]}, sys-id-len: 6 ({b[o + 3]}), max-area: {areas or 3} ({areas})"
    )
    if ndo.vflag > 1:
        ndo.unknown_data(b, o, "\n\t", _COMMON)
    size = _SIZES.get(kind)
    if size is None:
        ndo.unknown_data(b, o + _COMMON, "\n\t  ", length - _COMMON)
        return False
    if b[o + 1] != size:
        dash = "- " if kind in _CSNP + _PSNP else ", "
        p(f"{dash}bogus fixed header length {b[o + 1]} should be {size}")
        return True
    need(b, o, size)
    told = u2(b, o + (17 if kind in _LAN_IIH + _P2P_IIH else 8))
    if told < length:
        length = told
    _header(ndo, b, o, kind, told, length)
    if ndo.vflag > 1:
        ndo.unknown_data(b, o + _COMMON, "\n\t  ", size - _COMMON)
    if length < size:
        p(f" [packet length {length} < {size}]")
        ndo.invalid()
        return True
    try:
        _tlvs(ndo, b, o + size, length - size, o, length)
    except _Silent:
        return True
    return True


def _brief(ndo: Ndo, b: bytes, o: int, kind: int) -> None:
    p = ndo.p
    need(b, o, _SIZES.get(kind, 0))
    if kind in _LAN_IIH:
        p(f", src-id {system_id(take(b, o + 9, 6))}")
        p(f", lan-id {system_id(take(b, o + 20, 7))}, prio {b[o + 19]}")
    elif kind in _P2P_IIH:
        p(f", src-id {system_id(take(b, o + 9, 6))}")
    elif kind in _LSP:
        lsp = system_id(take(b, o + 12, 8))
        p(f", lsp-id {lsp}, seq 0x{u4(b, o + 20):08x}, lifetime {u2(b, o + 10):5d}s")
    elif kind in _CSNP + _PSNP:
        p(f", src-id {system_id(take(b, o + 10, 7))}")


def _header(ndo: Ndo, b: bytes, o: int, kind: int, told: int, length: int) -> None:
    p = ndo.p
    if kind in _LAN_IIH + _P2P_IIH:
        circuit = tok2str(_CIRCUITS, "unknown circuit type 0x%02x", b[o + 8])
        space = "  " if kind in _LAN_IIH else " "
        p(
            f"\n\t  source-id: {system_id(b[o + 9 : o + 15])},{space}"
            f"holding time: {u2(b, o + 15)}s, Flags: [{circuit}]"
        )
        if kind in _LAN_IIH:
            p(
                f"\n\t  lan-id:    {system_id(b[o + 20 : o + 27])}, "
                f"Priority: {b[o + 19] & 0x7F}, PDU length: {told}"
            )
        else:
            p(f"\n\t  circuit-id: 0x{b[o + 19]:02x}, PDU length: {told}")
    elif kind in _LSP:
        cksum, block = u2(b, o + 24), b[o + 26]
        p(
            f"\n\t  lsp-id: {system_id(b[o + 12 : o + 20])}, seq: 0x{u4(b, o + 20):08x}, "
            f"lifetime: {u2(b, o + 10):5d}s\n\t  chksum: 0x{cksum:04x}"
        )
        if u2(b, o + 10) == 0:
            p(" (unverified)" if not cksum else " (purged)")
        else:
            p(cksum_verdict(b, o + 12, cksum, 12, length - 12))
        p(f", PDU length: {told}, Flags: [ {'Overload bit set, ' if block & 4 else ''}")
        if block & 0x78:
            p("".join([word for bit, word in reversed(_ATTACHED) if block & bit]))
            p("ATT bit set, ")
        p("P bit set, " if block & 0x80 else "")
        p(f"{tok2str(_IS_TYPES, 'Unknown(0x%x)', block & 3)} ]")
    else:
        p(f"\n\t  source-id:    {system_id(b[o + 10 : o + 17])}, PDU length: {told}")
        if kind in _CSNP:
            p(f"\n\t  start lsp-id: {system_id(b[o + 17 : o + 25])}")
            p(f"\n\t  end lsp-id:   {system_id(b[o + 25 : o + 33])}")


def _tlvs(ndo: Ndo, b: bytes, at: int, left: int, start: int, length: int) -> None:
    p = ndo.p
    while left > 0:
        if left < 2:
            ndo.trunc()
            return
        need(b, at, 2)
        kind, size = b[at], b[at + 1]
        at += 2
        left -= 2
        p(f"\n\t    {_TLVS.get(kind, 'unknown')} TLV #{kind}, length: {size}")
        if size == 0:
            continue
        if left < size:
            ndo.trunc()
            return
        try:
            if kind == 12:
                _checksum(ndo, b, at, size, start, length)
            elif kind in _PRINTERS:
                _PRINTERS[kind](ndo, b, at, size)
            elif kind != 8 and ndo.vflag <= 1:
                ndo.unknown_data(b, at, "\n\t\t", size)
        except _Short:
            pass
        except _Over as over:
            p(f" [remaining tlv length {over.left} < {over.took}]")
            ndo.invalid()
        if ndo.vflag > 1:
            ndo.unknown_data(b, at, "\n\t      ", size)
        at += size
        left -= size


# -- the TLVs


def _enough(left: int, wanted: int) -> None:
    if left < wanted:
        raise _Short


def _areas(ndo: Ndo, b: bytes, at: int, left: int) -> None:
    while left > 0:
        size = b[at]
        at += 1
        left -= 1
        if left < size:
            return
        ndo.p(f"\n\t      Area address (length: {size}): {isonsap(take(b, at, size))}")
        at += size
        left -= size


def _is_neighbors(ndo: Ndo, b: bytes, at: int, left: int) -> None:
    while left >= 6:
        ndo.p(f"\n\t      SNPA: {system_id(take(b, at, 6))}")
        at += 6
        left -= 6


def _instance(ndo: Ndo, b: bytes, at: int, left: int) -> None:
    _enough(left, 4)
    count = (left - 2) // 2
    ndo.p(f"\n\t      Instance ID: {u2(b, at)}, ITIDs({count}){':' if count else ''} ")
    ndo.p(", ".join([str(u2(b, at + 2 + 2 * i)) for i in range(count)]))


def _metric_block(ndo: Ndo, b: bytes, at: int) -> None:
    p = ndo.p
    need(b, at, 4)
    p(f", Default Metric: {b[at] & 0x3F}, {'External' if b[at] & 0x40 else 'Internal'}")
    for i, word in ((1, "Delay"), (2, "Expense"), (3, "Error")):
        if not b[at + i] & 0x80:
            kind = "External" if b[at + i] & 0x40 else "Internal"
            p(f"\n\t\t  {word} Metric: {b[at + i] & 0x3F}, {kind}")


def _is_reach(ndo: Ndo, b: bytes, at: int, left: int) -> None:
    _enough(left, 1)
    ndo.p(f"\n\t      {tok2str(_VIRTUAL, 'bogus virtual flag 0x%02x', b[at])}")
    at += 1
    left -= 1
    while left >= 11:
        ndo.p(f"\n\t      IS Neighbor: {system_id(take(b, at + 4, 7))}")
        _metric_block(ndo, b, at)
        at += 11
        left -= 11


def _es_neighbors(ndo: Ndo, b: bytes, at: int, left: int) -> None:
    while left >= 10:
        ndo.p(f"\n\t      ES Neighbor: {system_id(take(b, at + 4, 6))}")
        _metric_block(ndo, b, at)
        at += 10
        left -= 10


def _ip_reach(ndo: Ndo, b: bytes, at: int, left: int) -> None:
    """Print IPv4 prefixes with narrow metrics (RFC 1195)."""
    p = ndo.p
    while left:
        if left < 12:
            p(f"short IPv4 Reachability ({left} vs 12)")
            raise _Silent
        if at + 12 > len(b):
            raise _Silent
        bits = mask2plen(u4(b, at + 8))
        if bits < 0:
            p(f"\n\t      IPv4 prefix: {ndo.ipaddr(b, at + 4)} mask {ndo.ipaddr(b, at + 8)}")
        else:
            p(f"\n\t      IPv4 prefix: {ndo.ipaddr(b, at + 4):>15}/{bits}")
        way = "down" if b[at] & 0x80 else "up"
        kind = "External" if b[at] & 0x40 else "Internal"
        p(f", Distribution: {way}, Metric: {b[at] & 0x3F}, {kind}")
        for i, word in ((1, "Delay"), (2, "Expense"), (3, "Error")):
            if not b[at + i] & 0x80:
                kind = "External" if b[at + i] & 0x40 else "Internal"
                p(f"\n\t        {word} Metric: {b[at + i] & 0x3F}, {kind}")
        at += 12
        left -= 12


def _topology(ndo: Ndo, b: bytes, at: int, left: int) -> bool:
    """Print which topology is meant; return False if there is no room for it."""
    if left < 2:
        return False
    value = u2(b, at)
    mtid = value & 0xFFF
    ndo.p(
        f"\n\t      {tok2str(_TOPOLOGIES, 'Reserved for IETF Consensus', mtid)} "
        f"Topology (0x{mtid:03x}), Flags: "
        f"[{bittok2str(_TOPOLOGY_FLAGS, 'none', value & 0xF000)}]"
    )
    return True


def _topologies(ndo: Ndo, b: bytes, at: int, left: int) -> None:
    while left > 1:
        if not _topology(ndo, b, at, left):
            break
        at += 2
        left -= 2
    if left:
        ndo.p("\n\t      invalid MT-ID")


def _extended_is_reach(ndo: Ndo, b: bytes, at: int, left: int) -> None:
    _links(ndo, b, at, left, alias=False)


def _alias(ndo: Ndo, b: bytes, at: int, left: int) -> None:
    _links(ndo, b, at, left, alias=True)


def _topology_is_reach(ndo: Ndo, b: bytes, at: int, left: int) -> None:
    if not _topology(ndo, b, at, left):
        ndo.longjmp()
    _links(ndo, b, at + 2, left - 2, alias=False)


def _links(ndo: Ndo, b: bytes, at: int, left: int, *, alias: bool) -> None:
    while left > 0:
        took = _link(ndo, b, at, left, "\n\t      ", alias=alias)
        if took == 0:
            ndo.longjmp()
        if took > left:
            raise _Over(left, took)
        at += took
        left -= took


def _link(ndo: Ndo, b: bytes, at: int, left: int, ident: str, *, alias: bool) -> int:
    """Print a neighbour and what is told of the link to it; return the octets it took."""
    p = ndo.p
    start = at
    if left < 7:
        return 0
    p(f"{ident}IS Neighbor: {system_id(take(b, at, 7))}")
    at += 7
    left -= 7
    if not alias:
        if left < 3:
            return 0
        p(f", Metric: {u3(b, at)}")
        at += 3
        left -= 3
    if left < 1:
        return 0
    total = b[at]
    at += 1
    left -= 1
    p(f", {'' if total else 'no '}sub-TLVs present")
    if total:
        p(f" ({total})")
        deeper = f"{ident}  "
        while total > 0:
            need(b, at, 2)
            if left < 2:
                p(f"{deeper}Remaining data in TLV shorter than a subTLV header")
                at += left
                break
            if total < 2:
                p(f"{deeper}Remaining data in subTLVs shorter than a subTLV header")
                at += total
                break
            kind, size = b[at], b[at + 1]
            at += 2
            left -= 2
            total -= 2
            p(f"{deeper}{_LINK_SUBTLVS.get(kind, 'unknown')} subTLV #{kind}, length: {size}")
            if total < size:
                p(" (remaining data in subTLVs shorter than the current subTLV)")
                at += total
                break
            if left < size:
                p(" (> remaining tlv length)")
                at += left
                break
            need(b, at, size)
            _link_value(ndo, b, at, kind, size, deeper)
            at += size
            left -= size
            total -= size
    return at - start


def _mbps(b: bytes, o: int) -> str:
    return ospf.mbps(b, o)


def _link_value(ndo: Ndo, b: bytes, at: int, kind: int, size: int, ident: str) -> None:
    p = ndo.p
    if kind in (3, 4, 5):
        if size >= 4:
            p(f", 0x{u4(b, at):08x}")
            if size == 8 and kind != 3:
                p(f", 0x{u4(b, at + 4):08x}")
    elif kind in (6, 8):
        if size >= 4:
            p(f", {ndo.ipaddr(b, at)}")
    elif kind in (9, 10):
        if size >= 4:
            p(f", {_mbps(b, at)}")
    elif kind == 11:
        if size >= 32:
            for i in range(8):
                p(f"{ident}  TE-Class {i}: {_mbps(b, at + 4 * i)}")
    elif kind in (12, 22):
        if size == 0:
            return
        p(
            f"{ident}Bandwidth Constraints Model ID: "
            f"{tok2str(ospf.BC_MODELS, 'unknown', b[at])} ({b[at]})"
        )
        if (size - 1) % 4:
            p(" (invalid)")
            return
        for i in range((size - 1) // 4):
            if i >= 8:
                p(" (invalid)")
                return
            p(f"{ident}  Bandwidth constraint CT{i}: {_mbps(b, at + 1 + 4 * i)}")
    elif kind == 18:
        if size >= 3:
            p(f", {u3(b, at)}")
    elif kind == 19:
        if size == 2:
            value = u2(b, at)
            p(f", [ {bittok2str(_LINK_ATTRIBUTES, 'none', value)} ] (0x{value:04x})")
    elif kind == 20:
        if size >= 2:
            p(f", {bittok2str(ospf.PROTECTION, 'none', b[at])}, Priority {b[at + 1]}")
    elif kind == 29:
        if size >= 6:
            p(f", LM: {u3(b, at)}, P: {b[at + 3]}, P-ID: {u2(b, at + 4)}")
    elif kind == 21:
        _switching(ndo, b, at, size, ident)
    elif kind == 32:
        _adjacency_sid(ndo, b, at, size, ident)
    else:
        ndo.unknown_data(b, at, "\n\t\t    ", size)


def _switching(ndo: Ndo, b: bytes, at: int, size: int, ident: str) -> None:
    """Print what a GMPLS link can switch (RFC 5307)."""
    p = ndo.p
    if size < 36:
        return
    kind = b[at]
    p(f"{ident}  Interface Switching Capability:{ospf.SWITCHING.get(kind, 'Unknown')}")
    p(f", LSP Encoding: {ospf.ENCODINGS.get(b[at + 1], 'Unknown')}")
    p(f"{ident}  Max LSP Bandwidth:")
    for i in range(8):
        p(f"{ident}    priority level {i}: {_mbps(b, at + 4 + 4 * i)}")
    at += 36
    size -= 36
    if kind in (1, 2, 3, 4):
        if size < 6:
            return
        p(f"{ident}  Min LSP Bandwidth: {_mbps(b, at)}{ident}  Interface MTU: {u2(b, at + 4)}")
    elif kind == 100:
        if size < 8:
            return
        p(f"{ident}  Min LSP Bandwidth: {_mbps(b, at)}")
        p(f"{ident}  Indication {tok2str(_SONET, 'Unknown (%u)', b[at + 4])}")
    elif size > 0:
        ndo.unknown_data(b, at, "\n\t\t    ", size)


def _adjacency_sid(ndo: Ndo, b: bytes, at: int, size: int, ident: str) -> None:
    """Print a label for a neighbour on a LAN (RFC 8667)."""
    p = ndo.p
    if size < 8:
        return
    flags = b[at]
    p(f"{ident}  Flags: [{bittok2str(_ADJ_SID, 'none', flags)}]")
    p(f"{ident}  Weight: {b[at + 1]}")
    p(f"{ident}  Neighbor System-ID: {system_id(b[at + 2 : at + 8])}")
    if flags & 0x30 == 0x30:
        if size >= 11:
            p(f"{ident}  Label: {u3(b, at + 8)}")
    elif size >= 12:
        p(f"{ident}  Index: {u4(b, at + 8)}")
    else:
        ndo.invalid()


def _prefixes(ndo: Ndo, b: bytes, at: int, left: int, *, v6: bool) -> None:
    while left > 0:
        took = _prefix(ndo, b, at, left, "\n\t      ", v6=v6)
        if took == 0:
            ndo.longjmp()
        if took > left:
            raise _Over(left, took)
        at += took
        left -= took


def _prefixes4(ndo: Ndo, b: bytes, at: int, left: int) -> None:
    _prefixes(ndo, b, at, left, v6=False)


def _prefixes6(ndo: Ndo, b: bytes, at: int, left: int) -> None:
    _prefixes(ndo, b, at, left, v6=True)


def _topology_prefixes4(ndo: Ndo, b: bytes, at: int, left: int) -> None:
    if not _topology(ndo, b, at, left):
        ndo.longjmp()
    _prefixes(ndo, b, at + 2, left - 2, v6=False)


def _topology_prefixes6(ndo: Ndo, b: bytes, at: int, left: int) -> None:
    if not _topology(ndo, b, at, left):
        ndo.longjmp()
    _prefixes(ndo, b, at + 2, left - 2, v6=True)


def _prefix(ndo: Ndo, b: bytes, at: int, left: int, ident: str, *, v6: bool) -> int:
    """Print a prefix with a wide metric; return the octets it took, 0 if it cannot be."""
    p = ndo.p
    start = at
    need(b, at, 6 if v6 else 5)
    metric = u4(b, at)
    status = b[at + 4]
    at += 5
    bits = status & 0x3F
    if v6:
        bits = b[at]
        at += 1
    if bits > (128 if v6 else 32):
        p(f"{ident}IPv{6 if v6 else 4} prefix: bad bit length {bits}")
        return 0
    size = (bits + 7) // 8
    addr = take(b, at, size).ljust(16, b"\0")
    at += size
    if v6:
        p(f"{ident}IPv6 prefix: {ndo.ip6addr(addr, 0)}/{bits}")
    else:
        p(f"{ident}IPv4 prefix: {ndo.ipaddr(addr, 0):>15}/{bits}")
    p(f", Distribution: {'down' if status & 0x80 else 'up'}, Metric: {metric}")
    if v6:
        p(", External" if status & 0x40 else ", Internal")
    if status & (0x20 if v6 else 0x40):
        p(", sub-TLVs present")
        total = b[at]
        at += 1
        p(f" ({total})")
        # One that is too long for its room does not end the list: the packet's end does.
        while total:
            kind, length = b[at], b[at + 1]
            if not _prefix_value(ndo, b, at + 2, kind, length, f"{ident}  "):
                ndo.trunc()
                return 0
            at += 2 + length
            total -= 2 + length
    return at - start


def _prefix_value(ndo: Ndo, b: bytes, at: int, kind: int, size: int, ident: str) -> bool:
    """Print what more is told of a prefix; return False if it cannot be."""
    p = ndo.p
    p(f"{ident}{_PREFIX_SUBTLVS.get(kind, 'unknown')} subTLV #{kind}, length: {size}")
    if at + size > len(b):
        return False
    if kind in (1, 117):
        while size >= 4:
            p(f", 0x{u4(b, at):08x} (={u4(b, at)})")
            at += 4
            size -= 4
    elif kind == 2:
        while size >= 8:
            p(f", 0x{u4(b, at):08x}{u4(b, at + 4):08x}")
            at += 8
            size -= 8
    elif kind == 3:
        if size < 5:
            return False
        flags, algorithm = b[at], b[at + 1]
        label = flags & 0x08
        value = u3(b, at + 2) if label else u4(b, at + 2)
        p(
            f", Flags [{bittok2str(_PREFIX_SID, 'None', flags)}], "
            f"Algo {_ALGORITHMS.get(algorithm, 'Unknown')} ({algorithm}), "
            f"{'label' if label else 'index'} {value}"
        )
    else:
        ndo.unknown_data(b, at, "\n\t\t    ", size)
    return True


def _addresses6(ndo: Ndo, b: bytes, at: int, left: int) -> None:
    while left:
        _enough(left, 16)
        ndo.p(f"\n\t      IPv6 interface address: {ndo.ip6addr(b, at)}")
        at += 16
        left -= 16


def _addresses4(ndo: Ndo, b: bytes, at: int, left: int) -> None:
    while left:
        _enough(left, 4)
        ndo.p(f"\n\t      IPv4 interface address: {ndo.ipaddr(b, at)}")
        at += 4
        left -= 4


def _authentication(ndo: Ndo, b: bytes, at: int, left: int) -> None:
    p = ndo.p
    _enough(left, 1)
    kind = b[at]
    p(f"\n\t      {tok2str(_AUTHS, 'unknown Authentication type 0x%02x', kind)}: ")
    if kind == 1:
        ndo.printjnp(b, at + 1, left - 1)
    elif kind == 54:
        p(take(b, at + 1, left - 1).hex())
        if left != 17:
            p(", (invalid subTLV) ")
    elif kind == 3:
        _enough(left, 3)
        p(f"{u2(b, at + 1)}, password: ")
        p(take(b, at + 3, left - 3).hex())
    else:
        ndo.unknown_data(b, at + 1, "\n\t\t  ", left - 1)


def _adjacency(ndo: Ndo, b: bytes, at: int, left: int) -> None:
    """Print how far two ends of a line see each other (RFC 5303).

    Each field stands where it would if all were there, also behind one that is not.
    """
    p = ndo.p
    p(f"\n\t      Adjacency State: {tok2str(_ADJACENCIES, 'unknown', b[at])} ({b[at]})")
    left -= 1
    if left > 4:
        p(f"\n\t      Extended Local circuit-ID: 0x{u4(b, at + 1):08x}")
        left -= 4
    if left >= 6:
        p(f"\n\t      Neighbor System-ID: {system_id(take(b, at + 5, 6))}")
        left -= 6
    if left >= 4:
        p(f"\n\t      Neighbor Extended Local circuit-ID: 0x{u4(b, at + 11):08x}")


def _protocols(ndo: Ndo, b: bytes, at: int, left: int) -> None:
    ndo.p("\n\t      NLPID(s): ")
    need(b, at, left)
    ndo.p(", ".join([f"{NLPIDS.get(c, 'unknown')} (0x{c:02x})" for c in b[at : at + left]]))


def _spb_subtlvs(
    ndo: Ndo, b: bytes, at: int, left: int, names: dict[int, str], pad: str
) -> Iterator[tuple[int, int, int]]:
    """Print the head of each sub-TLV (RFC 6329) and yield its kind, where it begins, and its length."""
    while left > 2:
        kind, size = b[at], b[at + 1]
        ndo.p(f"\n\t{pad}{names.get(kind, 'unknown')} subTLV #{kind}, length: {size}")
        at += 2
        left -= 2
        if left < size:
            ndo.p(" (> containing TLV length)")
            return
        yield kind, at, size
        at += size
        left -= size


def _port_capability(ndo: Ndo, b: bytes, at: int, left: int) -> None:
    """Print what an edge bridge can do (RFC 6329)."""
    p = ndo.p
    if left < 2:
        return
    value = u2(b, at)
    p(f"\n\t       RES: {value >> 12}, MTID(s): {value & 0xFFF}")
    subtlvs = _spb_subtlvs(ndo, b, at + 2, left - 2, _PORT_SUBTLVS, " " * 7)
    for kind, at, size in subtlvs:
        if kind == 4:
            if size < 102:
                p(" (too short)")
                return
            if at + 102 > len(b):
                ndo.trunc()
                ndo.longjmp()
            else:
                for word, where in (("MCID", at), ("AUX-MCID", at + 51)):
                    p(f"\n\t         {word}: ID: {b[where]}, Name: ")
                    ndo.printjnp(b, where + 1, 32)
                    p(f"\n\t              Lvl: {u2(b, where + 33)}, Digest: ")
                    p("".join([f"{c:02x} " for c in take(b, where + 35, 16)]))
        elif kind == 5:
            if size < 33:
                p(" (too short)")
                return
            if at + 33 > len(b):
                ndo.trunc()
                ndo.longjmp()
            else:
                c = b[at]
                p(f"\n\t        RES: {c >> 5} V: {c >> 4 & 1} A: {c >> 2 & 3} D: {c & 3}")
                p("\n\t         Digest: ")
                for i in range(8):
                    p(f"{u4(b, at + 1 + 4 * i):08x} ")
                    if i == 3:
                        p("\n\t                 ")
        elif kind == 6:
            for where in range(at, at + size - 5, 6):
                vid = u2(b, where + 4)
                p(
                    f"\n\t           ECT: {u4(b, where):08x} BVID: {vid >> 4}, "
                    f"U:{vid >> 3 & 1:01x} M:{vid >> 2 & 1:01x} "
                )


def _topology_capability(ndo: Ndo, b: bytes, at: int, left: int) -> None:
    """Print shortest path bridging (RFC 6329)."""
    p = ndo.p
    if left < 2:
        return
    value = u2(b, at)
    p(f"\n\t      O: {value >> 15}, RES: {value >> 12 & 7}, MTID(s): {value & 0xFFF}")
    subtlvs = _spb_subtlvs(ndo, b, at + 2, left - 2, _TOPOLOGY_SUBTLVS, " " * 6)
    for kind, at, size in subtlvs:
        if kind == 1:
            if size < 19:
                p(" (too short)")
                return
            _spb_instance(ndo, b, at, size)
        elif kind == 3:
            if size < 8:
                ndo.trunc()
                return
            else:
                p(f"\n\t        BMAC: {u4(b, at):08x}{u2(b, at + 4):04x}")
                value = u2(b, at + 6)
                p(f", RES: {value >> 12}, VID: {value & 0xFFF}")
                for where in range(at + 8, at + size - 3, 4):
                    value = u4(b, where)
                    p(
                        f"\n\t        T: {value >> 31}, R: {value >> 30 & 1}, "
                        f"RES: {value >> 24 & 0x3F}, ISID: {value & 0xFFFFFF}"
                    )


def _spb_instance(ndo: Ndo, b: bytes, at: int, size: int) -> None:
    p = ndo.p
    p(f"\n\t        CIST Root-ID: {u4(b, at):08x} {u4(b, at + 4):08x}")
    p(f", Path Cost: {u4(b, at + 8):08x}")
    p(f", Prio: {u2(b, at + 12)}")
    value = u4(b, at + 14)
    p(f"\n\t        RES: {value >> 21}, V: {value >> 20 & 1}, SPSource-ID: {value & 0xFFFFF}")
    count = b[at + 18]
    p(f", No of Trees: {count:x}")
    at += 19
    size -= 19
    for _ in range(count):
        if size < 8:
            p(" (too short)")
            return
        c = b[at]
        p(f"\n\t         U:{c >> 7}, M:{c >> 6 & 1}, A:{c >> 5 & 1}, RES:{c & 0x1F}")
        p(f", ECT: {u4(b, at + 1):08x}")
        vids = u3(b, at + 5)
        p(f", BVID: {vids >> 12}, SPVID: {vids & 0xFFF}")
        at += 8
        size -= 8


def _te_router(ndo: Ndo, b: bytes, at: int, left: int) -> None:
    _enough(left, 4)
    ndo.p(f"\n\t      Traffic Engineering Router ID: {ndo.ipaddr(b, at)}")


def _hostname(ndo: Ndo, b: bytes, at: int, left: int) -> None:
    ndo.p("\n\t      Hostname: ")
    ndo.printjnp(b, at, left)


def _shared_risk(ndo: Ndo, b: bytes, at: int, left: int) -> None:
    p = ndo.p
    _enough(left, 7)
    p(f"\n\t      IS Neighbor: {system_id(take(b, at, 7))}")
    at += 7
    left -= 7
    _enough(left, 1)
    p(f", Flags: [{'numbered' if b[at] & 1 else 'unnumbered'}]")
    at += 1
    left -= 1
    for word in ("interface", "neighbor"):
        _enough(left, 4)
        p(f"\n\t      IPv4 {word} address: {ndo.ipaddr(b, at)}")
        at += 4
        left -= 4
    while left:
        _enough(left, 4)
        p(f"\n\t      Link-ID: 0x{u4(b, at):08x}")
        at += 4
        left -= 4


def _lsp_entries(ndo: Ndo, b: bytes, at: int, left: int) -> None:
    while left >= 16:
        ndo.p(f"\n\t      lsp-id: {system_id(take(b, at + 2, 8))}")
        ndo.p(f", seq: 0x{u4(b, at + 10):08x}")
        ndo.p(f", lifetime: {u2(b, at):5d}s")
        ndo.p(f", chksum: 0x{u2(b, at + 14):04x}")
        at += 16
        left -= 16


def _checksum(ndo: Ndo, b: bytes, at: int, left: int, start: int, length: int) -> None:
    _enough(left, 2)
    cksum = u2(b, at)
    ndo.p(f"\n\t      checksum: 0x{cksum:04x} ")
    ndo.p(cksum_verdict(b, start, cksum, at - start, length))


def _purge_originator(ndo: Ndo, b: bytes, at: int, left: int) -> None:
    _enough(left, 7)
    count = b[at]
    if count == 0:
        ndo.p(" No system IDs supplied")
        return
    ndo.p(f"\n\t      Purge Originator System-ID: {system_id(take(b, at + 1, 6))}")
    if count > 1:
        _enough(left, 13)
        ndo.p(f"\n\t      Received from System-ID: {system_id(take(b, at + 7, 6))}")


def _restart(ndo: Ndo, b: bytes, at: int, left: int) -> None:
    p = ndo.p
    _enough(left, 1)
    p(f"\n\t      Flags [{bittok2str(_RESTART, 'none', b[at])}]")
    if left == 1:
        return
    _enough(left - 1, 2)
    p(f", Remaining holding time {u2(b, at + 1)}s")
    if left - 3 == 6:
        p(f", for {system_id(take(b, at + 3, 6))}")


def _inter_domain(ndo: Ndo, b: bytes, at: int, left: int) -> None:
    p = ndo.p
    _enough(left, 1)
    kind = b[at]
    word = tok2str(_INTER_DOMAIN, "Unknown (0x%02x)", kind)
    p(f"\n\t      Inter-Domain Information Type: {word}")
    if kind == 2:
        _enough(left - 1, 2)
        p(f"AS Number: {u2(b, at + 1)}")
    else:
        ndo.unknown_data(b, at + 1, "\n\t      ", left - 1)


def _buffer_size(ndo: Ndo, b: bytes, at: int, left: int) -> None:
    if left >= 2:
        ndo.p(f"\n\t      LSP Buffersize: {u2(b, at)}")


def _partition(ndo: Ndo, b: bytes, at: int, left: int) -> None:
    while left >= 6:
        ndo.p(f"\n\t      {system_id(take(b, at, 6))}")
        at += 6
        left -= 6


def _prefix_neighbors(ndo: Ndo, b: bytes, at: int, left: int) -> None:
    p = ndo.p
    _enough(left, 4)
    p("\n\t      Metric Block")
    _metric_block(ndo, b, at)
    at += 4
    left -= 4
    while left > 0:
        size = b[at]
        at += 1
        left -= 1
        if size < 2:
            p(f"\n\t\tAddress: prefix length {size} < 2")
            return
        _enough(left, size // 2)
        p(f"\n\t\tAddress: {isonsap(take(b, at, size // 2))}/{size * 4}")
        at += size // 2
        left -= size // 2


def _sequence(ndo: Ndo, b: bytes, at: int, left: int) -> None:
    _enough(left, 4)
    ndo.p(f"\n\t      Sequence number: {u4(b, at)}")


def _router_capability(ndo: Ndo, b: bytes, at: int, left: int) -> None:
    p = ndo.p
    if left < 5:
        p(f" [object length {left} < 5]")
        ndo.invalid()
        return
    p(f"\n\t      Router-ID {ndo.ipaddr(b, at)}")
    p(f", Flags [{bittok2str(_ROUTER_FLAGS, 'none', b[at + 4])}]")
    at += 5
    left -= 5
    while left >= 2:
        kind, size = b[at], b[at + 1]
        p(f"\n\t\t{_ROUTER_SUBTLVS.get(kind, 'unknown')} subTLV #{kind}, length: {size}")
        at += 2
        left -= 2
        if size > left:
            return
        if at + size > len(b):
            raise _Silent
        if kind == 2:
            p(f", Flags [{bittok2str(_SR_FLAGS, 'None', b[at])}], Range {u3(b, at + 1)}")
            if size >= 8 and b[at + 4] == 1:
                width = b[at + 5]
                if width == 3:
                    p(f", SID value {u3(b, at + 6)}")
                elif width == 4:
                    p(f", SID value {u4(b, at + 6)}")
        else:
            ndo.unknown_data(b, at, "\n\t\t", size)
        at += size
        left -= size


def _vendor(ndo: Ndo, b: bytes, at: int, left: int) -> None:
    _enough(left, 3)
    oui = u3(b, at)
    ndo.p(f"\n\t      Vendor: {OUI.get(oui, 'Unknown')} ({oui})")
    if left > 3:
        ndo.unknown_data(b, at + 3, "\n\t\t", left - 3)


_PRINTERS: Final[dict[int, Tlv]] = {
    1: _areas, 2: _is_reach, 3: _es_neighbors, 4: _partition, 5: _prefix_neighbors,
    6: _is_neighbors, 7: _instance, 9: _lsp_entries, 10: _authentication,
    13: _purge_originator, 14: _buffer_size, 22: _extended_is_reach, 24: _alias,
    128: _ip_reach, 129: _protocols, 130: _ip_reach, 131: _inter_domain, 132: _addresses4,
    134: _te_router, 135: _prefixes4, 137: _hostname, 138: _shared_risk,
    143: _port_capability, 144: _topology_capability, 211: _restart, 222: _topology_is_reach,
    229: _topologies, 232: _addresses6, 235: _topology_prefixes4, 236: _prefixes6,
    237: _topology_prefixes6, 240: _adjacency, 241: _sequence, 242: _router_capability,
    250: _vendor,
}  # fmt: skip
