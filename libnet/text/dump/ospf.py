"""OSPF version 2 (RFC 2328), its opaque LSAs (RFC 3630, RFC 3623) and link-local signalling."""

from __future__ import annotations

import math
import struct
from typing import Final

from libnet.text.dump.ndo import Ndo, bittok2str, tok2str, u2, u3, u4

_TYPES: Final = {
    1: "Hello", 2: "Database Description", 3: "LS-Request", 4: "LS-Update", 5: "LS-Ack",
}  # fmt: skip
_OPTIONS: Final = (
    (0x01, "MultiTopology"), (0x02, "External"), (0x04, "Multicast"), (0x08, "NSSA"),
    (0x10, "LLS"), (0x20, "Demand Circuit"), (0x40, "Opaque"), (0x80, "Up/Down"),
)  # fmt: skip
_AUTHS: Final = {0: "none", 1: "simple", 2: "MD5"}
_ROUTER_FLAGS: Final = (
    (1, "ABR"), (2, "ASBR"), (4, "Virtual"), (8, "Wildcard"), (0x10, "Nt"), (0x80, "Host"),
)  # fmt: skip
_LSAS: Final = {
    1: "Router", 2: "Network", 3: "Summary", 4: "ASBR Summary", 5: "External",
    6: "Multicast Group", 7: "NSSA", 9: "Link Local Opaque", 10: "Area Local Opaque",
    11: "Domain Wide Opaque",
}  # fmt: skip
_OPAQUE: Final = (9, 10, 11)
_DD_FLAGS: Final = ((4, "Init"), (2, "More"), (1, "Master"), (8, "OOBResync"))
_OPAQUE_TYPES: Final = {
    1: "Traffic Engineering", 3: "Graceful restart", 4: "Router Information",
}  # fmt: skip
_TE_TLVS: Final = {1: "Router Address", 2: "Link"}
_TE_LINK: Final = {
    1: "Link Type", 2: "Link ID", 3: "Local Interface IP address",
    4: "Remote Interface IP address", 5: "Traffic Engineering Metric", 6: "Maximum Bandwidth",
    7: "Maximum Reservable Bandwidth", 8: "Unreserved Bandwidth", 9: "Administrative Group",
    11: "Link Local/Remote Identifier", 14: "Link Protection Type",
    15: "Interface Switching Capability", 16: "Shared Risk Link Group",
    17: "Bandwidth Constraints",
}  # fmt: skip
_GRACE_TLVS: Final = {
    1: "Grace Period", 2: "Graceful restart Reason", 3: "IPv4 interface address",
}  # fmt: skip
_GRACE_REASONS: Final = {
    0: "Unknown", 1: "Software Restart", 2: "Software Reload/Upgrade",
    3: "Control Processor Switch",
}  # fmt: skip
_LINK_TYPES: Final = {1: "Point-to-point", 2: "Multi-Access"}
_RI_CAPABILITIES: Final = (
    (1, "Reserved"), (2, "Reserved"), (4, "Reserved"), (8, "Reserved"),
    (16, "graceful restart capable"), (32, "graceful restart helper"),
    (64, "Stub router support"), (128, "Traffic engineering"), (256, "p2p over LAN"),
    (512, "path computation server"),
)  # fmt: skip
_LLS_TLVS: Final = {1: "Extended Options", 2: "MD5 Authentication"}
_TOPOLOGIES: Final = {0: "default", 1: "multicast", 2: "management"}
BC_MODELS: Final = {
    0: "Russian dolls",
    1: "Maximum allocation",
    254: "Maximum allocation with E-LSP support",
}
PROTECTION: Final = (
    (1, "Extra Traffic"), (2, "Unprotected"), (4, "Shared"), (8, "Dedicated 1:1"),
    (16, "Dedicated 1+1"), (32, "Enhanced"), (64, "Reserved"), (128, "Reserved"),
)  # fmt: skip
SWITCHING: Final = {
    1: "Packet-Switch Capable-1", 2: "Packet-Switch Capable-2", 3: "Packet-Switch Capable-3",
    4: "Packet-Switch Capable-4", 51: "Layer-2 Switch Capable",
    100: "Time-Division-Multiplex", 150: "Lambda-Switch Capable", 200: "Fiber-Switch Capable",
}  # fmt: skip
ENCODINGS: Final = {
    1: "Packet", 2: "Ethernet V2/DIX", 3: "ANSI/ETSI PDH", 4: "Reserved",
    5: "SDH ITU-T G.707/SONET ANSI T1.105", 6: "Reserved", 7: "Digital Wrapper",
    8: "Lambda (photonic)", 9: "Fiber", 10: "Reserved", 11: "FiberChannel",
}  # fmt: skip
_FLOAT: Final = struct.Struct("!f")
_LARGEST: Final = 3.4028234663852886e38  # of a single


class _Cut(Exception):
    """An LSA is not there whole, or makes no sense."""


class _Stop(Exception):
    """What is wrong with a TLV is told: the next LSA is looked at."""


def ospf_print(ndo: Ndo, b: bytes, o: int, length: int, iph: int) -> None:
    """Print a packet."""
    ndo.protocol = "ospf2"
    p = ndo.p
    auth = u2(b, o + 14)
    if auth == 2:
        # The digest stands behind the packet and is no part of it.
        length = length - 16 & 0xFFFFFFFF
        b = b[: max(0, len(b) - 16)]
    version, kind = b[o], b[o + 1]
    name = tok2str(_TYPES, "unknown LS-type %u", kind)
    p(f"OSPFv{version}, {name}, length {length}")
    if kind not in _TYPES or not ndo.vflag:
        return
    told = u2(b, o + 2)
    if length != told:
        p(f" [len {told}]")
    end = o + min(length, told)
    p(f"\n\tRouter-ID {ndo.ipaddr(b, o + 4)}")
    p(f", Area {ndo.ipaddr(b, o + 8)}" if u4(b, o + 8) else ", Backbone Area")
    if o + 24 > len(b):
        ndo.longjmp()
    p(f", Authentication Type: {_AUTHS.get(auth, 'unknown')} ({auth})")
    if auth == 1:
        p("\n\tSimple text password: ")
        ndo.printjnp(b, o + 16, 8)
    elif auth == 2:
        p(
            f"\n\tKey-ID: {b[o + 18]}, Auth-Length: {b[o + 19]}, "
            f"Crypto Sequence Number: 0x{u4(b, o + 20):08x}"
        )
    elif auth:
        return
    if version != 2:
        p(f" ospf [version {version}]")
        return
    try:
        _body(ndo, b, o, end, kind)
    except _Cut:
        ndo.longjmp()
    if length > told:
        _lls(ndo, b, o, length, told, auth, kind)


def _body(ndo: Ndo, b: bytes, o: int, end: int, kind: int) -> None:
    p = ndo.p
    at = o + 24
    if kind == 1:
        p(f"\n\tOptions [{bittok2str(_OPTIONS, 'none', b[at + 6])}]")
        p(
            f"\n\t  Hello Timer {u2(b, at + 4)}s, Dead Timer {u4(b, at + 8)}s, "
            f"Mask {ndo.ipaddr(b, at)}, Priority {b[at + 7]}"
        )
        if u4(b, at + 12):
            p(f"\n\t  Designated Router {ndo.ipaddr(b, at + 12)}")
        if u4(b, at + 16):
            p(f", Backup Designated Router {ndo.ipaddr(b, at + 16)}")
        at += 20
        if at < end:
            p("\n\t  Neighbor List:")
        while at < end:
            p(f"\n\t    {ndo.ipaddr(b, at)}")
            at += 4
    elif kind == 2:
        p(f"\n\tOptions [{bittok2str(_OPTIONS, 'none', b[at + 2])}]")
        p(f", DD Flags [{bittok2str(_DD_FLAGS, 'none', b[at + 3])}]")
        if u2(b, at):
            p(f", MTU: {u2(b, at)}")
        p(f", Sequence: 0x{u4(b, at + 4):08x}")
        at += 8
        while at < end and _lsa_header(ndo, b, at) >= 0:
            at += 20
    elif kind == 3:
        while at < end:
            if at + 12 > len(b):
                raise _Cut
            what = u4(b, at)
            p(
                f"\n\t  Advertising Router: {ndo.ipaddr(b, at + 8)}, "
                f"{_LSAS.get(what, 'unknown')} LSA ({what})"
            )
            if what in _OPAQUE:
                p(
                    f", Opaque-Type: {_OPAQUE_TYPES.get(b[at + 4], 'unknown')} LSA ({b[at + 4]}), "
                    f"Opaque-ID: {u3(b, at + 5)}"
                )
            else:
                p(f", LSA-ID: {ndo.ipaddr(b, at + 4)}")
            at += 12
    elif kind == 4:
        count = u4(b, at)
        p(f", {count} LSA{'' if count == 1 else 's'}")
        at += 4
        for number in range(1, count + 1):
            p(f"\n\t  LSA #{number}")
            at = _lsa(ndo, b, at)
    else:
        while _lsa_header(ndo, b, at) >= 0:
            at += 20


def _lsa_header(ndo: Ndo, b: bytes, o: int) -> int:
    """Print the header of an LSA; return its length, negative if that cannot be."""
    p = ndo.p
    length = u2(b, o + 18)
    if length < 20:
        p(f"\n\t    Bogus length {length} < header (20)")
        return -1
    p(
        f"\n\t  Advertising Router {ndo.ipaddr(b, o + 8)}, seq 0x{u4(b, o + 12):08x}, "
        f"age {u2(b, o)}s, length {length - 20}"
    )
    kind = b[o + 3]
    name = _LSAS.get(kind, "unknown")
    if kind in _OPAQUE:
        p(
            f"\n\t    {name} LSA ({kind}), Opaque-Type "
            f"{_OPAQUE_TYPES.get(b[o + 4], 'unknown')} LSA ({b[o + 4]}), Opaque-ID {u3(b, o + 5)}"
        )
    else:
        p(f"\n\t    {name} LSA ({kind}), LSA-ID: {ndo.ipaddr(b, o + 4)}")
    p(f"\n\t    Options: [{bittok2str(_OPTIONS, 'none', b[o + 2])}]")
    return length


def _lsa(ndo: Ndo, b: bytes, o: int) -> int:
    """Print an LSA; return where it ends. Raises _Cut."""
    p = ndo.p
    length = _lsa_header(ndo, b, o)
    if length < 0:
        raise _Cut
    end, kind, at = o + length, b[o + 3], o + 20
    try:
        if kind == 1:
            _router_lsa(ndo, b, at)
        elif kind == 2:
            p(f"\n\t    Mask {ndo.ipaddr(b, at)}\n\t    Connected Routers:")
            for router in range(at + 4, end, 4):
                p(f"\n\t      {ndo.ipaddr(b, router)}")
        elif kind in (3, 4):
            if kind == 3:
                if at + 4 > len(b):
                    raise _Cut
                p(f"\n\t    Mask {ndo.ipaddr(b, at)}")
            if at + 8 > len(b):
                raise _Cut
            for where in range(at + 4, end, 4):
                value = u4(b, where)
                topology = value >> 24 & 0x7F
                name = _TOPOLOGIES.get(topology, "Unknown")
                p(f"\n\t\ttopology {name} ({topology}) metric {value & 0xFFFFFF}")
        elif kind in (5, 7):
            _external_lsa(ndo, b, at, end)
        elif kind == 6:
            for where in range(at, end, 8):
                vertex = u4(b, where)
                if vertex == 1:
                    p(f"\n\t    Router Router-ID {ndo.ipaddr(b, where + 4)}")
                elif vertex == 2:
                    p(f"\n\t    Network Designated Router {ndo.ipaddr(b, where + 4)}")
                else:
                    p(f"\n\t    unknown VertexType ({vertex})")
        elif kind in _OPAQUE:
            _opaque_lsa(ndo, b, at, length - 20, b[o + 4])
    except _Stop:
        return end
    if ndo.vflag > 1:
        ndo.unknown_data(b, at, "\n\t    ", length - 20)
    return end


def _router_lsa(ndo: Ndo, b: bytes, at: int) -> None:
    p = ndo.p
    p(f"\n\t    Router LSA Options: [{bittok2str(_ROUTER_FLAGS, 'none', b[at])}]")
    count = u2(b, at + 2)
    at += 4
    if at + 12 > len(b):
        raise _Cut
    for _ in range(count):
        if at + 12 > len(b):
            raise _Cut
        kind, tos = b[at + 8], b[at + 9]
        if not 1 <= kind <= 4:
            p(f"\n\t      Unknown Router Link Type ({kind})")
            raise _Stop
        ident, data = ndo.ipaddr(b, at), ndo.ipaddr(b, at + 4)
        if kind == 3:
            p(f"\n\t      Stub Network: {ident}, Mask: {data}")
        else:
            who = {1: "Neighbor Router-ID", 2: "Neighbor Network-ID"}.get(
                kind, "Virtual Link: Neighbor Router-ID"
            )
            p(f"\n\t      {who}: {ident}, Interface Address: {data}")
        for i in range(tos + 1):
            # The first metric is the plain one: where the others have a number it has its type.
            topology = b[at + 8 + 4 * i]
            topology = topology if i else 0
            p(
                f"\n\t\ttopology {_TOPOLOGIES.get(topology, 'Unknown')} ({topology}), "
                f"metric {u2(b, at + 10 + 4 * i)}"
            )
        at += 12 + tos * 4


def _external_lsa(ndo: Ndo, b: bytes, at: int, end: int) -> None:
    p = ndo.p
    if at + 4 > len(b):
        raise _Cut
    p(f"\n\t    Mask {ndo.ipaddr(b, at)}")
    if at + 8 > len(b):
        raise _Cut
    for where in range(at + 4, end, 12):
        value = u4(b, where)
        topology = value >> 24 & 0x7F
        p(
            f"\n\t\ttopology {_TOPOLOGIES.get(topology, 'Unknown')} ({topology}), "
            f"type {2 if value & 0x80000000 else 1}, metric"
        )
        metric = value & 0xFFFFFF
        p(" infinite" if metric == 0xFFFFFF else f" {metric}")
        if u4(b, where + 4):
            p(f", forward {ndo.ipaddr(b, where + 4)}")
        if u4(b, where + 8):
            p(f", tag {ndo.ipaddr(b, where + 8)}")


def _opaque_lsa(ndo: Ndo, b: bytes, at: int, left: int, kind: int) -> None:
    if kind == 4:
        _router_information(ndo, b, at, left)
    elif kind == 3:
        _grace(ndo, b, at, left)
    elif kind == 1:
        _traffic_engineering(ndo, b, at, left)
    elif ndo.vflag <= 1:
        ndo.unknown_data(b, at, "\n\t    ", left)


def _tlv(ndo: Ndo, b: bytes, at: int, left: int, cut: type[Exception]) -> tuple[int, int]:
    """Return the type and the length of a TLV, of whose list *left* octets are left.

    Raises *cut* if it was not captured, _Stop if it cannot be.
    """
    if at + 4 > len(b):
        raise cut
    if left < 4:
        ndo.p(f"\n\t    Remaining LS length {left} < 4")
        raise _Stop
    return u2(b, at), u2(b, at + 2)


def _router_information(ndo: Ndo, b: bytes, at: int, left: int) -> None:
    p = ndo.p
    while left:
        kind, size = _tlv(ndo, b, at, left, _Cut)
        at += 4
        left -= 4
        name = "Router Capabilities" if kind == 1 else "unknown"
        p(f"\n\t    {name} TLV ({kind}), length: {size}, value: ")
        if size > left:
            p(f"\n\t    Bogus length {size} > remaining LS length {left}")
            raise _Stop
        if at + size > len(b):
            raise _Cut
        if kind == 1:
            if size != 4:
                p(f"\n\t    Bogus length {size} != 4")
                raise _Stop
            p(f"Capabilities: {bittok2str(_RI_CAPABILITIES, 'Unknown', u4(b, at))}")
        elif ndo.vflag <= 1:
            ndo.unknown_data(b, at, "\n\t      ", size)
        at += size
        left -= size


def _grace(ndo: Ndo, b: bytes, at: int, left: int) -> None:
    p = ndo.p
    while left > 0:
        kind, size = _tlv(ndo, b, at, left, _Stop)
        at += 4
        left -= 4
        p(f"\n\t    {_GRACE_TLVS.get(kind, 'unknown')} TLV ({kind}), length {size}, value: ")
        if size > left:
            p(f"\n\t    Bogus length {size} > {left}")
            raise _Stop
        if kind == 0 or size == 0 or at + size > len(b):
            raise _Stop
        want = {1: 4, 2: 1, 3: 4}.get(kind)
        if want is not None and size != want:
            p(f"\n\t    Bogus length {size} != {want}")
            raise _Stop
        if kind == 1:
            p(f"{u4(b, at)}s")
        elif kind == 2:
            p(f"{_GRACE_REASONS.get(b[at], 'Unknown')} ({b[at]})")
        elif kind == 3:
            p(ndo.ipaddr(b, at))
        elif ndo.vflag <= 1:
            ndo.unknown_data(b, at, "\n\t      ", size)
        size = size + 3 & ~3
        at += size
        left -= size


def _traffic_engineering(ndo: Ndo, b: bytes, at: int, left: int) -> None:
    p = ndo.p
    while left:
        kind, size = _tlv(ndo, b, at, left, _Stop)
        at += 4
        left -= 4
        p(f"\n\t    {_TE_TLVS.get(kind, 'unknown')} TLV ({kind}), length: {size}")
        if size > left:
            p(f"\n\t    Bogus length {size} > {left}")
            raise _Stop
        if kind == 0 or size == 0:
            raise _Stop
        if kind == 2:
            # The octets of a link are not taken off: what follows it is read as one more.
            at = _te_link(ndo, b, at, size)
            continue
        if kind == 1:
            if size < 4:
                p(f"\n\t    TLV length {size} < 4")
                raise _Stop
            p(f", {ndo.ipaddr(b, at)}")
        elif ndo.vflag <= 1:
            ndo.unknown_data(b, at, "\n\t      ", size)
        size = size + 3 & ~3
        if size > left:
            p(f"\n\t    Bogus padded length {size} > {left}")
            raise _Stop
        left -= size
        at += size


def _invalid(ndo: Ndo, why: str) -> None:
    ndo.p(why)
    ndo.invalid()
    raise _Stop


def mbps(b: bytes, o: int) -> str:
    """Return octets a second, an IEEE 754 single, as megabits; each step in single precision."""
    value = _FLOAT.unpack_from(b, o)[0] * 8
    if abs(value) > _LARGEST:
        value = math.copysign(math.inf, value)
    (value,) = _FLOAT.unpack(_FLOAT.pack(value))
    (value,) = _FLOAT.unpack(_FLOAT.pack(value / 1000000))
    if math.isnan(value) and b[o] & 0x80:
        return "-nan Mbps"
    return f"{value:.3f} Mbps"


def _te_link(ndo: Ndo, b: bytes, at: int, left: int) -> int:
    """Print the sub-TLVs of a link; return where they end."""
    p = ndo.p
    while left:
        if left < 4:
            p(f"\n\t    Remaining TLV length {left} < 4")
            raise _Stop
        kind, size = u2(b, at), u2(b, at + 2)
        at += 4
        left -= 4
        if kind == 0 or size == 0:
            _invalid(ndo, "")
        p(f"\n\t      {_TE_LINK.get(kind, 'unknown')} subTLV ({kind}), length: {size}")
        if left < size:
            p(f"\n\t    Remaining TLV length {left + 4} < {size + 4}")
            raise _Stop
        if at + size > len(b):
            raise _Stop
        at += _te_value(ndo, b, at, kind, size)
        size = size + 3 & ~3
        if left < size:
            p(f"\n\t    Remaining TLV length {left + 4} < {size + 4}")
            raise _Stop
        left -= size
        at += size
    return at


def _te_value(ndo: Ndo, b: bytes, at: int, kind: int, size: int) -> int:
    """Print the value of a sub-TLV; return what the original skips besides it."""
    p = ndo.p
    if kind in (3, 4, 5, 6, 7, 9, 14) and size != 4:
        _invalid(ndo, " != 4")
    if kind == 9:
        p(f", 0x{u4(b, at):08x}")
    elif kind in (2, 11):
        if size not in (4, 8):
            _invalid(ndo, " != 4 && != 8")
        p(f", {ndo.ipaddr(b, at)} (0x{u4(b, at):08x})")
        if size == 8:
            p(f", {ndo.ipaddr(b, at + 4)} (0x{u4(b, at + 4):08x})")
    elif kind in (3, 4):
        p(f", {ndo.ipaddr(b, at)}")
    elif kind in (6, 7):
        p(f", {mbps(b, at)}")
    elif kind == 8:
        if size != 32:
            _invalid(ndo, " != 32")
        for i in range(8):
            p(f"\n\t\tTE-Class {i}: {mbps(b, at + 4 * i)}")
    elif kind == 17:
        if size < 4:
            _invalid(ndo, " < 4")
        p(f"\n\t\tBandwidth Constraints Model ID: {BC_MODELS.get(b[at], 'unknown')} ({b[at]})")
        if size % 4:
            _invalid(ndo, f"\n\t\tlength {size} != N x 4")
        if size > 36:
            _invalid(ndo, f"\n\t\tlength {size} > 36")
        for i in range((size - 4) // 4):
            p(f"\n\t\t  Bandwidth constraint CT{i}: {mbps(b, at + 4 + 4 * i)}")
    elif kind == 5:
        p(f", Metric {u4(b, at)}")
    elif kind == 14:
        p(f", {bittok2str(PROTECTION, 'none', b[at])}")
    elif kind == 15:
        if size < 36:
            _invalid(ndo, " < 36")
        p(f"\n\t\tInterface Switching Capability: {SWITCHING.get(b[at], 'Unknown')}")
        p(f"\n\t\tLSP Encoding: {ENCODINGS.get(b[at + 1], 'Unknown')}\n\t\tMax LSP Bandwidth:")
        for i in range(8):
            p(f"\n\t\t  priority level {i}: {mbps(b, at + 4 + 4 * i)}")
    elif kind == 1:
        if size != 1:
            _invalid(ndo, " != 1")
        p(f", {_LINK_TYPES.get(b[at], 'unknown')} ({b[at]})")
    elif kind == 16:
        if size % 4:
            _invalid(ndo, " != N x 4")
        groups = [str(u4(b, at + i)) for i in range(0, size, 4)]
        p(f"\n\t\t  Shared risk group: {', '.join(groups)}")
        return size
    elif ndo.vflag <= 1:
        ndo.unknown_data(b, at, "\n\t\t", size)
    return 0


def _lls(ndo: Ndo, b: bytes, o: int, length: int, told: int, auth: int, kind: int) -> None:
    """Print the link-local signalling block (RFC 5613) behind a packet."""
    p = ndo.p
    options = b[o + 30] if kind == 1 else b[o + 26] if kind == 2 else 0
    if not options & 0x10:
        return
    at, end = o + told, o + length
    if auth == 2:
        at += b[o + 19]
        told += b[o + 19]
    if told >= length:
        p("\n\t[LLS truncated]")
        return
    p(f"\n\t  LLS: checksum: 0x{u2(b, at):04x}")
    p(f", length: {u2(b, at + 2)}")
    at += 4
    while at < end:
        tlv = u2(b, at)
        p(f"\n\t    {_LLS_TLVS.get(tlv, 'Unknown TLV')} ({tlv})")
        size = u2(b, at + 2)
        p(f", length: {size}")
        at += 4
        want = {1: 4, 2: 20}.get(tlv)
        if want is not None and size != want:
            p(f" [should be {want}]")
            size = want
        if tlv == 1:
            flags = u4(b, at)
            words = bittok2str(((1, "LSDB resync"), (2, "Restart")), "?", flags)
            p(f"\n\t      Options: 0x{flags:08x} [{words}]")
        elif tlv == 2:
            p(f"\n\t      Sequence number: 0x{u4(b, at):08x}")
        at += size
