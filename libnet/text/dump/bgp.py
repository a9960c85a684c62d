"""BGP-4 (RFC 4271) with multiprotocol routes (RFC 4760), VPNs (RFC 4364), add-path (RFC 7911)."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final, NamedTuple

from libnet.text.dump.ndo import Ndo, bittok2str, need, shown, take, tok2str, u2, u3, u4
from libnet.text.dump.numbers import FAMILIES
from libnet.text.dump.pseudowire import ENCAPSULATIONS

_HEADER: Final = 19
_MARKER: Final = b"\xff" * 16
_MESSAGES: Final = {
    1: "Open", 2: "Update", 3: "Notification", 4: "Keepalive", 5: "Route Refresh",
}  # fmt: skip
_ATTRIBUTES: Final = {
    1: "Origin", 2: "AS Path", 17: "AS4 Path", 3: "Next Hop", 4: "Multi Exit Discriminator",
    5: "Local Preference", 6: "Atomic Aggregate", 7: "Aggregator", 18: "Aggregator4",
    8: "Community", 9: "Originator ID", 10: "Cluster List", 11: "DPA", 12: "Advertisers",
    13: "RCID Path / Cluster ID", 14: "Multi-Protocol Reach NLRI",
    15: "Multi-Protocol Unreach NLRI", 16: "Extended Community", 22: "PMSI Tunnel",
    23: "Tunnel Encapsulation", 24: "Traffic Engineering", 25: "IPv6 Extended Community",
    26: "Accumulated IGP Metric", 27: "PE Distinguisher Label", 28: "Entropy Label",
    32: "Large Community", 128: "Attribute Set", 255: "Reserved for development",
}  # fmt: skip
_OPTIONS: Final = {1: "Authentication Information", 2: "Capabilities Advertisement"}
_CAPABILITIES: Final = {
    1: "Multiprotocol Extensions", 2: "Route Refresh", 3: "Cooperative Route Filtering",
    4: "Multiple Routes to a Destination", 5: "Extended Next Hop Encoding", 8: "Multiple Labels",
    64: "Graceful Restart", 65: "32-Bit AS Number", 67: "Dynamic Capability",
    68: "Multisession BGP", 69: "Multiple Paths", 70: "Enhanced Route Refresh",
    71: "Long-lived Graceful Restart", 128: "Route Refresh (Cisco)",
}  # fmt: skip
_ADD_PATH: Final = {1: "Receive", 2: "Send", 3: "Both"}
_ERRORS: Final = {
    1: "Message Header Error", 2: "OPEN Message Error", 3: "UPDATE Message Error",
    4: "Hold Timer Expired", 5: "Finite State Machine Error", 6: "Cease",
    7: "Capability Message Error",
}  # fmt: skip
_CEASE: Final = 6
# After these errors no comma comes before the subcode.
_NO_COMMA: Final = (5, 7)
_SUBCODES: Final = {
    1: {1: "Connection Not Synchronized", 2: "Bad Message Length", 3: "Bad Message Type"},
    2: {
        1: "Unsupported Version Number", 2: "Bad Peer AS", 3: "Bad BGP Identifier",
        4: "Unsupported Optional Parameter", 5: "Authentication Failure",
        6: "Unacceptable Hold Time", 7: "Capability Message Error",
    },
    3: {
        1: "Malformed Attribute List", 2: "Unrecognized Well-known Attribute",
        3: "Missing Well-known Attribute", 4: "Attribute Flags Error",
        5: "Attribute Length Error", 6: "Invalid ORIGIN Attribute", 7: "AS Routing Loop",
        8: "Invalid NEXT_HOP Attribute", 9: "Optional Attribute Error",
        10: "Invalid Network Field", 11: "Malformed AS_PATH",
    },
    5: {
        0: "Unspecified Error", 1: "In OpenSent State", 2: "In OpenConfirm State",
        3: "In Established State",
    },
    6: {
        1: "Maximum Number of Prefixes Reached", 2: "Administrative Shutdown",
        3: "Peer Unconfigured", 4: "Administrative Reset", 5: "Connection Rejected",
        6: "Other Configuration Change", 7: "Connection Collision Resolution",
    },
    7: {
        1: "Invalid Action Value", 2: "Invalid Capability Length",
        3: "Malformed Capability Value", 4: "Unsupported Capability Code",
    },
}  # fmt: skip
_SAFIS: Final = {
    0: "Reserved", 1: "Unicast", 2: "Multicast", 3: "Unicast+Multicast", 4: "labeled Unicast",
    64: "Tunnel", 65: "VPLS", 66: "MDT", 70: "EVPN", 128: "labeled VPN Unicast",
    129: "labeled VPN Multicast", 130: "labeled VPN Unicast+Multicast",
    132: "Route Target Routing Information", 5: "Multicast VPN",
}  # fmt: skip
_ORIGINS: Final = {0: "IGP", 1: "EGP", 2: "Incomplete"}
_OPENING: Final = {2: "", 1: "{ ", 3: "( ", 4: "({ "}
_CLOSING: Final = {2: "", 1: "}", 3: ")", 4: "})"}
_COMMUNITIES: Final = {
    0: "0", 0xFFFFFF01: " NO_EXPORT", 0xFFFFFF02: " NO_ADVERTISE",
    0xFFFFFF03: " NO_EXPORT_SUBCONFED", 0xFFFF0000: " gshut",
}  # fmt: skip
_EXTENDED: Final = {
    0x0002: "target", 0x0102: "target", 0x0202: "target", 0x0003: "origin", 0x0103: "origin",
    0x0203: "origin", 0x4004: "link-BW", 0x0005: "ospf-domain", 0x0105: "ospf-domain",
    0x0205: "ospf-domain", 0x8005: "ospf-domain", 0x0306: "ospf-route-type",
    0x8000: "ospf-route-type", 0x030C: "encapsulation", 0x0107: "ospf-router-id",
    0x8001: "ospf-router-id", 0x800A: "layer2-info",
    0x8800: "eigrp-general-route (flag, tag)", 0x8801: "eigrp-route-metric (AS, delay)",
    0x8802: "eigrp-route-metric (reliability, nexthop, bandwidth)",
    0x8803: "eigrp-route-metric (load, MTU)",
    0x8804: "eigrp-external-route (remote-AS, remote-ID)",
    0x8805: "eigrp-external-route (remote-proto, remote-metric)", 0x0009: "source-AS",
    0x010B: "vrf-route-import", 0x000A: "l2vpn-id", 0xF10A: "l2vpn-id",
}  # fmt: skip
_EXTENDED_FLAGS: Final = ((0x8000, "vendor-specific"), (0x4000, "non-transitive"))
_OSPF_ROUTES: Final = {
    1: "Router", 2: "Network", 3: "Summary", 5: "External", 7: "NSSA External",
    129: "MPLS-VPN Sham",
}  # fmt: skip
_TUNNELS: Final = {
    1: "L2TPv3 over IP", 2: "GRE", 3: "Transmit Tunnel", 4: "IPsec",
    5: "IP in IP with IPsec", 6: "MPLS in IP with IPsec", 7: "IP in IP", 8: "VXLAN",
    9: "NVGRE", 10: "MPLS", 11: "MPLS in GRE", 12: "VXLAN GPE", 13: "MPLS in UDP", 14: "IPv6",
    15: "SR TE", 16: "Bare", 17: "SR",
}  # fmt: skip
_PMSI: Final = {
    1: "RSVP-TE P2MP LSP", 2: "LDP P2MP LSP", 3: "PIM-SSM Tree", 4: "PIM-SM Tree",
    5: "PIM-Bidir Tree", 6: "Ingress Replication", 7: "LDP MP2MP LSP",
}  # fmt: skip
_MVPN: Final = {
    1: "Intra-AS I-PMSI", 2: "Inter-AS I-PMSI", 3: "S-PMSI", 4: "Intra-AS Segment-Leaf",
    5: "Source-Active", 6: "Shared Tree Join", 7: "Source Tree Join",
}  # fmt: skip
_IPV4, _IPV6, _NSAP, _L2VPN, _VPLS = 1, 2, 3, 196, 25
_PLAIN, _LABELED, _VPN = (1, 2, 3), (4,), (128, 129, 130)
_MVPN_SAFI, _VPLS_SAFI, _MDT_SAFI, _RT_SAFI = 5, 65, 66, 132
_LABEL_BITS, _RD_BITS = 24, 64
_FLOAT: Final = struct.Struct("!f")


class _Cut(Exception):
    """A message ends too early: its marker is printed and the next one looked for."""


class _Illegal(Exception):
    """A prefix is longer than its family has bits, or too short for what is before it."""


class _Short(Exception):
    """A prefix needs more octets than its field has left."""


class Route(NamedTuple):
    """A route as text, and the octets it took."""

    text: str
    took: int


Decoder = Callable[[Ndo, bytes, int, int], Route]


def bgp_print(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    """Print the messages in *length* octets of a connection."""
    ndo.protocol = "bgp"
    p = ndo.p
    p(": BGP")
    if ndo.vflag < 1:
        return
    end = min(o + length, len(b))
    at = start = o
    while at < end:
        if b[at] != 0xFF:
            at += 1
            continue
        if at + 16 > len(b):
            break
        if b[at : at + 16] != _MARKER:
            at += 1
            continue
        need(b, at, _HEADER)
        size = u2(b, at + 16)
        if size < _HEADER:
            p(f"\nmessage length {size} < {_HEADER}")
            ndo.invalid()
            return
        if start != at:
            ndo.trunc()
        if at + size > len(b):
            p(f"\n[|BGP {_MESSAGES.get(b[at + 18], 'Unknown Message Type')}]")
            return
        _message(ndo, b, at, size)
        at += size
        start = at


def _message(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    p = ndo.p
    kind = b[o + 18]
    p(f"\n\t{_MESSAGES.get(kind, 'Unknown')} Message ({kind}), length: {length}")
    try:
        if kind == 1:
            _open(ndo, b, o)
        elif kind == 2:
            _update(ndo, b, o + _HEADER, length - _HEADER)
        elif kind == 3:
            _notification(ndo, b, o, length)
        elif kind == 5:
            need(b, o, 23)
            p(f"\n\t  {_family(u2(b, o + 19), b[o + 22])}")
            if ndo.vflag > 1:
                ndo.unknown_data(b, o, "\n\t  ", length)
        elif kind != 4:
            p(f"\n\t  no Message {kind} decoder")
            ndo.unknown_data(b, o, "\n\t  ", length)
    except _Cut:
        ndo.trunc()


def _family(afi: int, safi: int, sep: str = " ") -> str:
    return (
        f"AFI{sep}{FAMILIES.get(afi, 'Unknown')} ({afi}), "
        f"SAFI{sep}{_SAFIS.get(safi, 'Unknown')} ({safi})"
    )


def _as(ndo: Ndo, number: int) -> str:
    """Return an AS number, with -b those of four octets as RFC 5396 wants."""
    if ndo.bflag and number > 0xFFFF:
        return f"{number >> 16}.{number & 0xFFFF}"
    return str(number)


# -- OPEN


def _open(ndo: Ndo, b: bytes, o: int) -> None:
    p = ndo.p
    need(b, o, 29)
    p(f"\n\t  Version {b[o + 19]}, my AS {_as(ndo, u2(b, o + 20))}, ")
    p(f"Holdtime {u2(b, o + 22)}s, ID {ndo.ipaddr(b, o + 24)}")
    total = b[o + 28]
    p(f"\n\t  Optional parameters, length: {total}")
    # They are not held against the length of the message, only against what was captured.
    at, done = o + 29, 0
    while done < total:
        if at + done + 2 > len(b):
            raise _Cut
        kind, size = b[at + done], b[at + done + 1]
        if done + 2 + size > total:
            p(f"\n\t     Option {kind}, length: {size}, goes past the end of the options")
            return
        p(f"\n\t    Option {_OPTIONS.get(kind, 'Unknown')} ({kind}), length: {size}")
        if kind == 2:
            _capabilities(ndo, b, at + done + 2, size)
        else:
            p(f"\n\t      no decoder for option {kind}")
        done += 2 + size


def _capabilities(ndo: Ndo, b: bytes, o: int, left: int) -> None:
    p = ndo.p
    while left > 0:
        if o + 2 > len(b):
            ndo.trunc()
            return
        kind, size = b[o], b[o + 1]
        o += 2
        left -= 2
        p(f"\n\t      {_CAPABILITIES.get(kind, 'Unknown')} ({kind}), length: {size}")
        if o + size > len(b):
            ndo.trunc()
            return
        if not _capability(ndo, b, o, kind, size):
            return
        if ndo.vflag > 1 and size > 0:
            ndo.unknown_data(b, o, "\n\t\t", size)
        o += size
        left -= size


def _capability(ndo: Ndo, b: bytes, o: int, kind: int, size: int) -> bool:
    """Print the value of a capability; return False if it is too short."""
    p = ndo.p
    least = {1: 4, 64: 2, 65: 4}.get(kind, 0)
    if size < least:
        p(f" (too short, < {least})")
        return False
    if kind == 1:
        p(f"\n\t\t{_family(u2(b, o), b[o + 3])}")
    elif kind == 8:
        for at in range(o, o + size - 3, 4):
            p(f"\n\t\t{_family(u2(b, at), b[at + 2])}, Count: {b[at + 3]}")
    elif kind == 64:
        restarting = "R" if b[o] & 0x80 else "none"
        p(f"\n\t\tRestart Flags: [{restarting}], Restart Time {u2(b, o) & 0xFFF}s")
        for at in range(o + 2, o + size - 3, 4):
            kept = "yes" if b[at + 3] & 0x80 else "no"
            p(f"\n\t\t  {_family(u2(b, at), b[at + 2])}, Forwarding state preserved: {kept}")
    elif kind == 65:
        p(f"\n\t\t 4 Byte AS {_as(ndo, u4(b, o))}")
    elif kind == 69:
        if size == 0:
            p(" (bogus)")
        for at in range(o, o + size - 3, 4):
            way = tok2str(_ADD_PATH, "Bogus (0x%02x)", b[at + 3])
            p(f"\n\t\t{_family(u2(b, at), b[at + 2])}, Send/Receive: {way}")
        if size % 4:
            ndo.invalid()
    elif kind not in (2, 71, 128):
        p(f"\n\t\tno decoder for Capability {kind}")
        if ndo.vflag <= 1:
            ndo.unknown_data(b, o, "\n\t\t", size)
    return True


# -- NOTIFICATION


def _notification(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    p = ndo.p
    need(b, o, 21)
    major, minor = b[o + 19], b[o + 20]
    if length < 21:
        raise _Cut
    p(f", {tok2str(_ERRORS, 'Unknown Error', major)} ({major})")
    if major in _SUBCODES:
        subcode = _SUBCODES[major].get(minor, "Unknown")
        p(f"{'' if major in _NO_COMMA else ','} subcode {subcode} ({minor})")
    if major != _CEASE:
        return
    at, left = o + 21, length - 21
    if minor == 1 and left >= 7:
        p(f", {_family(u2(b, at), b[at + 2])}, Max Prefixes: {u4(b, at + 3)}")
    if minor in (2, 4) and left >= 1:
        said = b[at]
        if said == 0:
            p(", empty Shutdown Communication")
            used = 1
        elif said > left - 1:
            p(", invalid Shutdown Communication length")
            used = 0
        else:
            p(f', Shutdown Communication (length: {said}): "')
            text = take(b, at + 1, said)
            p(shown(text))
            p('"')
            used = 1 + said
        if left > used:
            p(f", Data: (length: {left - used})")
            ndo.unknown_data(b, at + used, "\n\t\t", left - used)


# -- UPDATE


def _update(ndo: Ndo, b: bytes, at: int, left: int) -> None:
    p = ndo.p
    if left < 2:
        raise _Cut
    withdrawn = u2(b, at)
    at += 2
    left -= 2
    if withdrawn:
        if left < withdrawn:
            raise _Cut
        p("\n\t  Withdrawn routes:")
        took = _routes(ndo, b, at, withdrawn) - at
        at += took
        left -= took
    if left < 2:
        raise _Cut
    size = u2(b, at)
    at += 2
    left -= 2
    if not size and not left:
        p("\n\t  End-of-Rib Marker (empty NLRI)")
        return
    if size:
        if left < size:
            raise _Cut
        _attributes(ndo, b, at, size, left)
        at += size
        left -= size
    if left > 0:
        p("\n\t  Updated routes:")
        _routes(ndo, b, at, left)


def _routes(ndo: Ndo, b: bytes, at: int, left: int) -> int:
    """Print IPv4 prefixes one a line; return where they end."""
    return _list(ndo, b, at, left, _prefix4, 32, "\n\t    ")


def _list(ndo: Ndo, b: bytes, at: int, left: int, decode: Decoder, bits: int, before: str) -> int:
    """Print routes; return where the first is that makes no sense, or their end.

    bits  the longest prefix where paths may have numbers, else 0
    """
    p = ndo.p
    paths = bits > 0 and _has_paths(b, at, left, bits)
    while left > 0:
        path = 0
        if paths:
            if left < 4:
                raise _Cut
            path = u4(b, at)
            at += 4
            left -= 4
        try:
            route = decode(ndo, b, at, left)
        except _Illegal:
            p("\n\t    (illegal prefix length)")
            return at
        except _Short:
            raise _Cut from None
        p(before + route.text)
        if paths:
            p(f"   Path Id: {path}")
        at += route.took
        left -= route.took
    return at


def _has_paths(b: bytes, at: int, length: int, bits: int) -> bool:
    """Guess whether prefixes have path numbers before them: nothing in the message says so."""
    if length == 0:
        return False
    done = 0
    while done < length:
        done += 4
        if at + done >= len(b):
            break
        if b[at + done] > bits:
            return False
        done += 1 + (b[at + done] + 7) // 8
    if done > length:
        return False
    done = 0
    while done < length:
        if at + done >= len(b):
            return False
        if not 1 <= b[at + done] <= bits:
            return True
        done += 1 + (b[at + done] + 7) // 8
    return done > length


def _attributes(ndo: Ndo, b: bytes, at: int, size: int, left: int, indent: str = "\n\t  ") -> int:
    """Print path attributes that are told to have *size* octets; *left* are there.

    Return how many octets were not understood.
    """
    p = ndo.p
    level = 1 if indent != "\n\t  " else 0
    end = at + size
    while at < end:
        if left < 2:
            raise _Cut
        flags, kind = b[at], b[at + 1]
        wide = 2 if flags & 0x10 else 1
        if left < 2 + wide:
            raise _Cut
        length = u2(b, at + 2) if wide == 2 else b[at + 2]
        at += 2 + wide
        left -= 2 + wide
        p(f"{indent}{_ATTRIBUTES.get(kind, 'Unknown Attribute')} ({kind}), length: {length}")
        if flags:
            letters = "".join([c for i, c in enumerate("OTPE") if flags & 0x80 >> i])
            p(f", Flags [{letters}")
            if flags & 0xF:
                p(f"+{flags & 0xF:x}")
            p("]: ")
        elif level:
            p(": ")
        if end - at < length:
            p(" [path attrs too short]" if not level else " [path attr too short]")
            return end - at
        if left < length:
            raise _Cut
        _attribute(ndo, b, at, kind, length, level)
        at += length
        left -= length
    return 0


def _attribute(ndo: Ndo, b: bytes, o: int, kind: int, size: int, level: int) -> None:
    p = ndo.p
    printer = _ATTRIBUTE_PRINTERS.get(kind)
    if kind == 128:
        size = _attribute_set(ndo, b, o, size, level)
    elif printer is not None:
        printer(ndo, b, o, size)
    else:
        p(f"\n\t    no Attribute {kind} decoder")
        if ndo.vflag <= 1:
            ndo.unknown_data(b, o, "\n\t    ", size)
    if kind == 32 and size % 12 == 0:
        return  # who counted these has none left to dump
    if ndo.vflag > 1 and size:
        ndo.unknown_data(b, o, "\n\t    ", size)


def _attribute_set(ndo: Ndo, b: bytes, o: int, size: int, level: int) -> int:
    """Print a customer's attributes carried through a VPN (RFC 6368).

    Return how many octets were not understood.
    """
    if size < 4:
        raise _Cut
    ndo.p(f"\n\t    Origin AS: {_as(ndo, u4(b, o))}")
    if level:
        ndo.p("(too many nested levels, not recursing)")
        return size - 4
    return _attributes(ndo, b, o + 4, size - 4, size - 4, "\n\t      ")


def _origin(ndo: Ndo, b: bytes, o: int, size: int) -> None:
    ndo.p("invalid len" if size != 1 else tok2str(_ORIGINS, "Unknown Origin Typecode", b[o]))


def _as_width(b: bytes, o: int, size: int) -> int:
    """Guess how many octets the AS numbers of a path have: no field says so."""
    at, end = o, o + size
    while at < end:
        if not 1 <= b[at] <= 4:
            return 4
        if b[at + 1] == 0:
            return 4
        at += 2 + b[at + 1] * 2
        if at > end:
            return 4
    return 2


def _as_path(ndo: Ndo, b: bytes, o: int, size: int, width: int = 0) -> None:
    p = ndo.p
    if size % 2:
        p("invalid len")
        return
    if size == 0:
        p("empty")
        return
    width = width or _as_width(b, o, size)
    at = o
    while at < o + size:
        p(_OPENING.get(b[at], "?"))
        count = b[at + 1]
        for i in range(count):
            where = at + 2 + i * width
            number = u2(b, where) if width == 2 else u4(b, where)
            p(f"{_as(ndo, number)} ")
        p(_CLOSING.get(b[at], "?"))
        at += 2 + count * width


def _as4_path(ndo: Ndo, b: bytes, o: int, size: int) -> None:
    _as_path(ndo, b, o, size, 4)


def _address(ndo: Ndo, b: bytes, o: int, size: int) -> None:
    ndo.p("invalid len" if size != 4 else ndo.ipaddr(b, o))


def _number(ndo: Ndo, b: bytes, o: int, size: int) -> None:
    ndo.p("invalid len" if size != 4 else str(u4(b, o)))


def _nothing(ndo: Ndo, b: bytes, o: int, size: int) -> None:
    if size:
        ndo.p("invalid len")


def _aggregator(ndo: Ndo, b: bytes, o: int, size: int) -> None:
    if size not in (6, 8):
        ndo.p("invalid len")
        return
    number = u2(b, o) if size == 6 else u4(b, o)
    ndo.p(f" AS #{_as(ndo, number)}, origin {ndo.ipaddr(b, o + size - 4)}")


def _aggregator4(ndo: Ndo, b: bytes, o: int, size: int) -> None:
    if size != 8:
        ndo.p("invalid len")
        return
    _aggregator(ndo, b, o, size)


def _communities(ndo: Ndo, b: bytes, o: int, size: int) -> None:
    if size % 4:
        ndo.p("invalid len")
        return
    for at in range(o, o + size, 4):
        value = u4(b, at)
        if value in _COMMUNITIES:
            ndo.p(_COMMUNITIES[value])
        else:
            sep = ", " if at + 4 < o + size else ""
            ndo.p(f"{value >> 16}:{value & 0xFFFF}{sep}")


def _clusters(ndo: Ndo, b: bytes, o: int, size: int) -> None:
    if size % 4:
        ndo.p("invalid len")
        return
    ndo.p(", ".join([ndo.ipaddr(b, at) for at in range(o, o + size, 4)]))


def _large_communities(ndo: Ndo, b: bytes, o: int, size: int) -> None:
    if size == 0 or size % 12:
        ndo.p("invalid len")
        return
    texts = [f"{u4(b, i)}:{u4(b, i + 4)}:{u4(b, i + 8)}" for i in range(o, o + size, 12)]
    ndo.p("\n\t    " + ", ".join(texts))


def _mbps(b: bytes, o: int) -> str:
    value = _FLOAT.unpack_from(b, o)[0]
    return f"{value * 8 / 1000000:.3f}"


def _extended_communities(ndo: Ndo, b: bytes, o: int, size: int) -> None:
    p = ndo.p
    if size % 8:
        p("invalid len")
        return
    for at in range(o, o + size, 8):
        kind = u2(b, at)
        p(
            f"\n\t    {tok2str(_EXTENDED, 'unknown extd community typecode', kind)} "
            f"(0x{kind:04x}), Flags [{bittok2str(_EXTENDED_FLAGS, 'none', kind)}]: "
        )
        need(b, at + 2, 6)
        if kind in (0x0002, 0x0003, 0x000A):
            p(f"{u2(b, at + 2)}:{u4(b, at + 4)} (= {ndo.ipaddr(b, at + 4)})")
        elif kind in (0x0102, 0x0103, 0xF10A, 0x010B):
            p(f"{ndo.ipaddr(b, at + 2)}:{u2(b, at + 6)}")
        elif kind in (0x0202, 0x0203):
            p(f"{_as(ndo, u4(b, at + 2))}:{u2(b, at + 6)}")
        elif kind == 0x4004:
            p(f"bandwidth: {_mbps(b, at + 4)} Mbps")
        elif kind in (0x0005, 0x0105, 0x0205, 0x8005, 0x0107, 0x8001):
            p(ndo.ipaddr(b, at + 2))
        elif kind in (0x0306, 0x8000):
            route, metric = b[at + 6], b[at + 7]
            p(
                f"area:{ndo.ipaddr(b, at + 2)}, "
                f"router-type:{tok2str(_OSPF_ROUTES, 'unknown (0x%02x)', route)}, "
                f"metric-type:{'E2' if metric == 1 else ''}{'E1' if route in (5, 7) else ''}"
            )
        elif kind == 0x800A:
            encaps = tok2str(ENCAPSULATIONS, "unknown encaps", b[at + 2])
            p(f"{encaps} Control Flags [0x{b[at + 3]:02x}]:MTU {u2(b, at + 4)}")
        elif kind == 0x0009:
            p(f"AS {u2(b, at + 2)}")
        elif kind == 0x030C:
            p(f"Tunnel type: {tok2str(_TUNNELS, 'unknown encaps', u2(b, at + 6))}")
        else:
            p(b[at + 2 : at + 8].hex())


def _pmsi(ndo: Ndo, b: bytes, o: int, size: int) -> None:
    """Print the tunnel of a multicast VPN (RFC 6514)."""
    p = ndo.p
    if size < 5:
        raise _Cut
    flags, kind = b[o], b[o + 1]
    p(
        f"\n\t    Tunnel-type {_PMSI.get(kind, 'Unknown')} ({kind}), Flags "
        f"[{'Leaf Information required' if flags & 1 else 'none'}], "
        f"MPLS Label {u3(b, o + 2) >> 4}"
    )
    at = o + 5
    if kind in (4, 5):
        p(f"\n\t      Sender {ndo.ipaddr(b, at)}, P-Group {ndo.ipaddr(b, at + 4)}")
    elif kind == 6:
        p(f"\n\t      Tunnel-Endpoint {ndo.ipaddr(b, at)}")
    elif kind in (2, 7):
        p(f"\n\t      Root-Node {ndo.ipaddr(b, at)}, LSP-ID 0x{u4(b, at + 4):08x}")
    elif kind == 1:
        p(f"\n\t      Extended-Tunnel-ID {ndo.ipaddr(b, at)}, P2MP-ID 0x{u4(b, at + 4):08x}")
    elif kind == 3:
        p(f"\n\t      Root-Node {ndo.ipaddr(b, at)}, P-Group {ndo.ipaddr(b, at + 4)}")
    elif ndo.vflag <= 1:
        ndo.unknown_data(b, at, "\n\t      ", size - 5)


def _aigp(ndo: Ndo, b: bytes, o: int, size: int) -> None:
    p = ndo.p
    while size > 0:
        if size < 3:
            return
        kind, length = b[o], u2(b, o + 1)
        p(f"\n\t    {'AIGP' if kind == 1 else 'Unknown'} TLV ({kind}), length {length}")
        if length < 3 or length > size:
            raise _Cut
        if kind == 1:
            if length < 11:
                raise _Cut
            p(f", metric {int.from_bytes(take(b, o + 3, 8), 'big')}")
        elif ndo.vflag <= 1:
            ndo.unknown_data(b, o + 3, "\n\t      ", length - 3)
        o += length
        size -= length


# -- routes of many families


def _reach(ndo: Ndo, b: bytes, o: int, size: int) -> None:
    p = ndo.p
    if size < 3:
        raise _Cut
    afi, safi = _heading(ndo, b, o)
    if _decoder(afi, safi) is None:
        p(f"\n\t    no AFI {afi} / SAFI {safi} decoder")
        if ndo.vflag <= 1:
            ndo.unknown_data(b, o, "\n\t    ", size)
        return
    if size < 4:
        raise _Cut
    hop_size = b[o + 3]
    at, left = o + 4, size - 4
    if hop_size:
        if left < hop_size:
            raise _Cut
        _next_hops(ndo, b, at, hop_size, afi, safi)
        at += hop_size
        left -= hop_size
    p(f", nh-length: {hop_size}")
    if left < 1:
        raise _Cut
    count = b[at]
    at += 1
    left -= 1
    if count:
        p(f"\n\t    {count} SNPA")
        for _ in range(count):
            if left < 1:
                raise _Cut
            took = b[at] + 1
            p(f"\n\t      {b[at]} bytes")
            if left < took:
                raise _Cut
            at += took
            left -= took
    else:
        p(", no SNPA")
    _nlri(ndo, b, at, left, afi, safi)


def _unreach(ndo: Ndo, b: bytes, o: int, size: int) -> None:
    if size < 3:
        raise _Cut
    afi, safi = _heading(ndo, b, o)
    if size == 3 and _decoder(afi, safi) is not None:
        ndo.p("\n\t      End-of-Rib Marker (empty NLRI)")
        return
    _nlri(ndo, b, o + 3, size - 3, afi, safi)


def _heading(ndo: Ndo, b: bytes, o: int) -> tuple[int, int]:
    afi, safi = u2(b, o), b[o + 2]
    vendor = "vendor specific " if safi > 128 else ""
    ndo.p(
        f"\n\t    AFI: {FAMILIES.get(afi, 'Unknown AFI')} ({afi}), "
        f"{vendor}SAFI: {_SAFIS.get(safi, 'Unknown SAFI')} ({safi})"
    )
    return afi, safi


def _next_hops(ndo: Ndo, b: bytes, at: int, left: int, afi: int, safi: int) -> None:
    p = ndo.p
    before = "\n\t    nexthop: "
    vpn = safi in _VPN
    while left > 0:
        p(before)
        before = ", "
        if afi in (_IPV4, _VPLS, _L2VPN) and not (vpn and afi != _IPV4):
            width = 4
        elif afi == _IPV6:
            width = 16
        elif afi == _L2VPN:
            width, vpn = 4, False
        else:
            width = left - 8 if vpn else left
        need_octets = width + (8 if vpn else 0)
        if left < need_octets or width <= 0:
            p("invalid len")
            return
        if vpn:
            p(f"RD: {_rd(ndo, b, at)}, ")
            at += 8
            left -= 8
        if width == 4 and afi != _NSAP:
            p(ndo.ipaddr(b, at))
        elif afi == _IPV6:
            p(ndo.ip6addr(b, at))
        else:
            from libnet.text.dump.isoclns import isonsap

            p(isonsap(take(b, at, width)))
        at += width
        left -= width


def _nlri(ndo: Ndo, b: bytes, at: int, left: int, afi: int, safi: int) -> None:
    known = _decoder(afi, safi)
    if known is None:
        ndo.p(f"\n\t    no AFI {afi} / SAFI {safi} decoder")
        if ndo.vflag <= 1:
            ndo.unknown_data(b, at - 3, "\n\t    ", left)
        return
    decode, bits = known
    _list(ndo, b, at, left, decode, bits, "\n\t      ")


def _decoder(afi: int, safi: int) -> tuple[Decoder, int] | None:
    """Return what reads routes of a family, and their longest prefix if they may have numbers."""
    if afi == _IPV4:
        if safi in _PLAIN:
            return _prefix4, 32
        if safi in _LABELED:
            return _labeled4, 32
        if safi in _VPN:
            return _vpn4, 0
        return {
            _RT_SAFI: (_route_target, 0), _MVPN_SAFI: (_multicast_vpn, 0), _MDT_SAFI: (_mdt, 0),
        }.get(safi)  # fmt: skip
    if afi == _IPV6:
        if safi in _PLAIN:
            return _prefix6, 128
        if safi in _LABELED:
            return _labeled6, 128
        if safi in _VPN:
            return _vpn6, 0
    if afi == _NSAP:
        if safi in _PLAIN:
            return _nsap, 0
        if safi in _VPN:
            return _vpn_nsap, 0
    if (afi == _L2VPN and safi in _VPN) or (afi == _VPLS and safi == _VPLS_SAFI):
        return _l2vpn, 0
    return None


def _octets(b: bytes, at: int, left: int, bits: int, width: int) -> bytes:
    """Return a prefix of *bits* as an address of *width* octets, what is behind it zero.

    Raises _Illegal, _Short, Trunc.
    """
    if not 0 <= bits <= width * 8:
        raise _Illegal
    size = (bits + 7) // 8
    if left < size:
        raise _Short
    data = bytearray(take(b, at, size))
    if bits % 8:
        data[-1] &= 0xFF00 >> bits % 8
    return bytes(data.ljust(width, b"\0"))


def _first(b: bytes, at: int, left: int) -> int:
    if left < 1:
        raise _Short
    return b[at]


def _prefix4(ndo: Ndo, b: bytes, at: int, left: int) -> Route:
    bits = _first(b, at, left)
    addr = _octets(b, at + 1, left - 1, bits, 4)
    return Route(f"{ndo.ipaddr(addr, 0)}/{bits}", 1 + (bits + 7) // 8)


def _prefix6(ndo: Ndo, b: bytes, at: int, left: int) -> Route:
    bits = _first(b, at, left)
    addr = _octets(b, at + 1, left - 1, bits, 16)
    return Route(f"{ndo.ip6addr(addr, 0)}/{bits}", 1 + (bits + 7) // 8)


def _label(b: bytes, at: int) -> str:
    mark = "(bottom)" if b[at + 2] & 1 else "(BOGUS: Bottom of Stack NOT set!)"
    return f"label:{u3(b, at) >> 4} {mark}"


def _labeled(ndo: Ndo, b: bytes, at: int, left: int, width: int, rd: bool) -> Route:
    """Return a prefix behind an MPLS label and, with *rd*, a route distinguisher."""
    bits = _first(b, at, left)
    before = _LABEL_BITS + (_RD_BITS if rd else 0)
    if left < 4 and not rd:
        raise _Short
    if bits < before:
        raise _Illegal
    bits -= before
    if bits > width * 8:
        raise _Illegal
    if left - 1 < before // 8:
        raise _Short
    where = at + 1 + before // 8
    need(b, at + 1, before // 8)
    addr = _octets(b, where, left - 1 - before // 8, bits, width)
    text = ndo.ipaddr(addr, 0) if width == 4 else ndo.ip6addr(addr, 0)
    text = f"{text}/{bits}, {_label(b, at + 1)}"
    if rd:
        text = f"RD: {_rd(ndo, b, at + 4)}, {text}"
    return Route(text, 1 + before // 8 + (bits + 7) // 8)


def _labeled4(ndo: Ndo, b: bytes, at: int, left: int) -> Route:
    return _labeled(ndo, b, at, left, 4, rd=False)


def _labeled6(ndo: Ndo, b: bytes, at: int, left: int) -> Route:
    return _labeled(ndo, b, at, left, 16, rd=False)


def _vpn4(ndo: Ndo, b: bytes, at: int, left: int) -> Route:
    return _labeled(ndo, b, at, left, 4, rd=True)


def _vpn6(ndo: Ndo, b: bytes, at: int, left: int) -> Route:
    return _labeled(ndo, b, at, left, 16, rd=True)


def _rd(ndo: Ndo, b: bytes, o: int) -> str:
    """Return a route distinguisher (RFC 4364)."""
    kind = u2(b, o)
    need(b, o, 8)
    if kind == 0:
        dotted = ".".join(map(str, b[o + 4 : o + 8]))
        return f"{u2(b, o + 2)}:{u4(b, o + 4)} (= {dotted})"
    dotted = ".".join(map(str, b[o + 2 : o + 6]))
    if kind == 1:
        return f"{dotted}:{u2(b, o + 6)}"
    if kind == 2:
        return f"{_as(ndo, u4(b, o + 2))}:{u2(b, o + 6)} ({dotted}:{u2(b, o + 6)})"
    return "unknown RD format"


def _route_target(ndo: Ndo, b: bytes, at: int, left: int) -> Route:
    """Return a route target that is wanted (RFC 4684)."""
    bits = _first(b, at, left)
    if bits == 0:
        return Route("default route target", 1)
    if left < 5:
        raise _Short
    if bits < 32 or bits > 96:
        return Route("(illegal prefix length)", left)
    origin = _as(ndo, u4(b, at + 1))
    target = _octets(b, at + 5, left - 5, bits - 32, 8)
    return Route(f"origin AS: {origin}, {_target(ndo, target, bits - 32)}", 1 + (bits + 7) // 8)


def _target(ndo: Ndo, data: bytes, bits: int) -> str:
    if bits == 0:
        return "route-target: 0:0/0"
    octets = data[: (bits + 7) // 8].hex(" ", -2)
    if bits < 16:
        return f"route-target: partial-type: ({octets}/{bits})"
    kind = u2(data, 0)
    if kind == 0x0002:
        return f"route-target: {u2(data, 2)}:{u4(data, 4)}/{bits} ({octets})"
    if kind == 0x0102:
        dotted = ".".join(map(str, data[2:6]))
        return f"route-target: {dotted}:{u2(data, 6)}/{bits} ({octets})"
    if kind == 0x0202:
        return f"route-target: {_as(ndo, u4(data, 2))}:{u2(data, 6)}/{bits} ({octets})"
    return f"route target: unknown-type({kind:04x}) ({octets}/{bits})"


def _mdt(ndo: Ndo, b: bytes, at: int, left: int) -> Route:
    """Return a multicast distribution tree (draft-nalawade-idr-mdt-safi)."""
    bits = _first(b, at, left)
    if bits != 128:
        raise _Illegal
    if left < 17:
        raise _Short
    return Route(
        f"RD: {_rd(ndo, b, at + 1)}, VPN IP Address: {ndo.ipaddr(b, at + 9)}, "
        f"MC Group Address: {ndo.ipaddr(b, at + 13)}",
        17,
    )


def _vpn_address(ndo: Ndo, b: bytes, o: int, bits: int) -> str:
    if bits == 32:
        return ndo.ipaddr(b, o)
    if bits == 128:
        return ndo.ip6addr(b, o)
    return f"bogus address length {bits & 0xFFFFFFFF}"


def _source_group(ndo: Ndo, b: bytes, o: int) -> Route:
    """Return the source and the group of a multicast stream."""
    bits = b[o]
    took = 1 + (bits >> 3)
    text = f", Source {_vpn_address(ndo, b, o + 1, bits)}" if bits else ""
    bits = b[o + took]
    if bits:
        text += f", Group {_vpn_address(ndo, b, o + took + 1, bits)}"
    return Route(text, took + 1 + (bits >> 3))


def _multicast_vpn(ndo: Ndo, b: bytes, at: int, left: int) -> Route:
    """Return a route of a multicast VPN (RFC 6514); its own length is all that bounds it."""
    kind, size = b[at], b[at + 1]
    text = f"Route-Type: {_MVPN.get(kind, 'Unknown')} ({kind}), length: {size}"
    o = at + 2
    if kind == 1:
        text += f", RD: {_rd(ndo, b, o)}, Originator "
        text += _vpn_address(ndo, b, o + 8, (size - 8) << 3)
    elif kind == 2:
        text += f", RD: {_rd(ndo, b, o)}, Source-AS {_as(ndo, u4(b, o + 8))}"
    elif kind == 3:
        found = _source_group(ndo, b, o + 8)
        text += f", RD: {_rd(ndo, b, o)}{found.text}, Originator "
        text += _vpn_address(ndo, b, o + 8 + found.took, (size - 8 - found.took) << 3)
    elif kind == 5:
        text += f", RD: {_rd(ndo, b, o)}{_source_group(ndo, b, o + 8).text}"
    elif kind in (6, 7):
        text += f", RD: {_rd(ndo, b, o)}, Source-AS {_as(ndo, u4(b, o + 8))}"
        text += _source_group(ndo, b, o + 12).text
    return Route(text, size + 2)


def _l2vpn(ndo: Ndo, b: bytes, at: int, left: int) -> Route:
    """Return the labels of an Ethernet or other VPN (RFC 4761, RFC 6624)."""
    size = u2(b, at)
    o = at + 2
    if size == 12:
        return Route(f"RD: {_rd(ndo, b, o)}, BGPNH: {ndo.ipaddr(b, o + 8)}", 14)
    if size <= 17:
        return Route("", size + 2)
    text = (
        f"RD: {_rd(ndo, b, o)}, CE-ID: {u2(b, o + 8)}, Label-Block Offset: {u2(b, o + 10)}, "
        f"Label Base {u3(b, o + 12) >> 4}"
    )
    o += 15
    rest = size - 15
    while rest > 0:
        if rest < 3:
            return Route(f"{text}\n\t\tran past the end", size + 2)
        kind, length = b[o], u2(b, o + 1)
        o += 3
        rest -= 3
        if kind == 1:
            text += f"\n\t\tcircuit status vector ({kind}) length: {length}: 0x"
            length = (length + 7) // 8
            if rest < length:
                return Route(f"{text} (ran past the end)", size + 2)
            text += take(b, o, length).hex()
        else:
            text += f"\n\t\tunknown TLV #{kind}, length: {length}"
            length = (length + 7) // 8
            if rest < length:
                return Route(f"{text} (ran past the end)", size + 2)
        o += length
        rest -= length
    return Route(text, size + 2)


def _nsap(ndo: Ndo, b: bytes, at: int, left: int) -> Route:
    from libnet.text.dump.isoclns import isonsap

    bits = _first(b, at, left)
    if bits > 152:
        raise _Illegal
    addr = _octets(b, at + 1, left - 1, bits, 19)
    size = (bits + 7) // 8
    return Route(f"{isonsap(addr[:size])}/{bits}", 1 + size)


def _vpn_nsap(ndo: Ndo, b: bytes, at: int, left: int) -> Route:
    from libnet.text.dump.isoclns import isonsap

    bits = _first(b, at, left)
    if bits < _LABEL_BITS + _RD_BITS:
        raise _Illegal
    bits -= _LABEL_BITS + _RD_BITS
    if bits > 152:
        raise _Illegal
    if left < 12:
        raise _Short
    addr = _octets(b, at + 12, left - 12, bits, 19)
    size = (bits + 7) // 8
    text = f"RD: {_rd(ndo, b, at + 4)}, {isonsap(addr[:size])}/{bits}, {_label(b, at + 1)}"
    return Route(text, 12 + size)


_ATTRIBUTE_PRINTERS: Final[dict[int, Callable[[Ndo, bytes, int, int], None]]] = {
    1: _origin, 2: _as_path, 17: _as4_path, 3: _address, 4: _number, 5: _number, 6: _nothing,
    7: _aggregator, 18: _aggregator4, 8: _communities, 9: _address, 10: _clusters, 14: _reach,
    15: _unreach, 16: _extended_communities, 22: _pmsi, 26: _aigp, 32: _large_communities,
}  # fmt: skip
