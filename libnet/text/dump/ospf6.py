"""OSPF version 3 (RFC 5340), its authentication trailer (RFC 7166), link-local signalling."""

from __future__ import annotations

from typing import Final

from libnet.text.dump.ndo import Ndo, bittok2str, need, tok2str, u2, u3, u4

_TYPES: Final = {
    1: "Hello", 2: "Database Description", 3: "LS-Request", 4: "LS-Update", 5: "LS-Ack",
}  # fmt: skip
_LSAS: Final = {
    1: "Router", 2: "Network", 3: "Inter-Area Prefix", 4: "Inter-Area Router", 5: "External",
    6: "Deprecated", 7: "NSSA", 8: "Link", 9: "Intra-Area Prefix", 10: "Intra-Area TE",
    11: "Grace", 12: "Router Information", 13: "Inter-AS-TE", 14: "Layer 1 VPN",
}  # fmt: skip
_SCOPES: Final = {0x0000: "Link Local", 0x2000: "Area Local", 0x4000: "Domain Wide"}
_OPTIONS: Final = (
    (0x001, "V6"), (0x002, "External"), (0x004, "Deprecated"), (0x008, "NSSA"), (0x010, "Router"),
    (0x020, "Demand Circuit"), (0x100, "AFs Support"), (0x200, "LLS"),
    (0x400, "Authentication Trailer"),
)  # fmt: skip
_ROUTER_FLAGS: Final = (
    (1, "ABR"), (2, "External"), (4, "Virtual-Link Endpoint"), (8, "Deprecated"),
    (16, "NSSA Translator"),
)  # fmt: skip
_PREFIX_OPTIONS: Final = (
    (1, "No Unicast"), (2, "Local address"), (4, "Deprecated"), (8, "Propagate"), (16, "Down"),
    (32, "N-bit"),
)  # fmt: skip
_EXTERNAL: Final = ((1 << 31, "External Type 2"), (1 << 25, "Forwarding"), (1 << 24, "Tag"))
_DD_FLAGS: Final = ((4, "Init"), (2, "More"), (1, "Master"), (16, "IPv6 MTU"))
_AUTHENTICATIONS: Final = {1: "HMAC"}
_HAS_LLS, _HAS_TRAILER = 0x200, 0x400
_ROUTER, _NETWORK, _PREFIX, _LINK, _INTRA = 0x2001, 0x2002, 0x2003, 0x0008, 0x2009
_EXTERNAL_LSA: Final = 0x4005


class _Stop(Exception):
    """What follows is not looked at."""


def ospf6_print(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    """Print a packet of *length* octets."""
    ndo.protocol = "ospf3"
    p = ndo.p
    kind = b[o + 1]
    p(f"OSPFv3, {tok2str(_TYPES, 'unknown packet type (%u)', kind)}, length {length}")
    if not ndo.vflag or kind not in _TYPES:
        return
    told = u2(b, o + 2)
    end = o + length
    if length > told:
        end = o + told
        if length < told:
            p(f" [len {told}]")
    elif length != told:
        p(f" [len {told}]")
        end = o + length
    p(f"\n\tRouter-ID {ndo.ipaddr(b, o + 4)}")
    p(f", Area {ndo.ipaddr(b, o + 8)}" if u4(b, o + 8) else ", Backbone Area")
    if b[o + 14]:
        p(f", Instance {b[o + 14]}")
    try:
        behind = _body(ndo, b, o + 16, end, kind)
    except _Stop:
        return
    if behind:
        _trailer(ndo, b, o + told, length - told, behind)


def _options(value: int) -> str:
    return bittok2str(_OPTIONS, "none", value)


def _body(ndo: Ndo, b: bytes, at: int, end: int, kind: int) -> int:
    """Print what a packet says; return its options if something may follow it, else 0."""
    p = ndo.p
    if kind == 1:
        options = u4(b, at + 4) & 0xFFFFFF
        p(f"\n\tOptions [{_options(options)}]")
        need(b, at + 8, 4)
        p(
            f"\n\t  Hello Timer {u2(b, at + 8)}s, Dead Timer {u2(b, at + 10)}s, "
            f"Interface-ID {ndo.ipaddr(b, at)}, Priority {b[at + 4]}"
        )
        if u4(b, at + 12):
            p(f"\n\t  Designated Router {ndo.ipaddr(b, at + 12)}")
        if u4(b, at + 16):
            p(f", Backup Designated Router {ndo.ipaddr(b, at + 16)}")
        if ndo.vflag > 1:
            p("\n\t  Neighbor List:")
            for where in range(at + 20, end, 4):
                p(f"\n\t    {ndo.ipaddr(b, where)}")
        return options
    if kind == 2:
        options = u4(b, at) & 0xFFFFFF
        p(f"\n\tOptions [{_options(options)}]")
        p(f", DD Flags [{bittok2str(_DD_FLAGS, 'none', b[at + 7])}]")
        p(f", MTU {u2(b, at + 4)}, DD-Sequence 0x{u4(b, at + 8):08x}")
        if ndo.vflag > 1:
            for where in range(at + 12, end, 20):
                _lsa_header(ndo, b, where)
        return options
    if ndo.vflag <= 1:
        return 0
    if kind == 3:
        for where in range(at, end, 12):
            p(f"\n\t  Advertising Router {ndo.ipaddr(b, where + 8)}")
            _lsa_name(ndo, b, u2(b, where + 2), where + 4)
    elif kind == 4:
        count = u4(b, at)
        at += 4
        for _ in range(count):
            if at >= end:
                break
            at = _lsa(ndo, b, at, end)
    else:
        for where in range(at, end, 20):
            _lsa_header(ndo, b, where)
    return 0


def _lsa_name(ndo: Ndo, b: bytes, kind: int, ident: int) -> None:
    ndo.p(
        f"\n\t    {_LSAS.get(kind & 0x1FFF, 'Unknown')} LSA ({kind & 0x1FFF}), "
        f"{_SCOPES.get(kind & 0x6000, 'Unknown')} Scope"
        f"{', transitive' if kind & 0x8000 else ''}, LSA-ID {ndo.ipaddr(b, ident)}"
    )


def _lsa_header(ndo: Ndo, b: bytes, o: int) -> int:
    """Print the header of an LSA; return its length."""
    length = u2(b, o + 18)
    ndo.p(
        f"\n\t  Advertising Router {ndo.ipaddr(b, o + 8)}, seq 0x{u4(b, o + 12):08x}, "
        # A length that the header alone exceeds wraps in a size_t.
        f"age {u2(b, o)}s, length {length - 20 & 0xFFFFFFFFFFFFFFFF}"
    )
    _lsa_name(ndo, b, u2(b, o + 2), o + 4)
    return length


def _prefix(ndo: Ndo, b: bytes, o: int, left: int) -> int:
    """Print a prefix and its metric; return the octets it took, below zero if *left* are too few."""
    if left < 4:
        return -1
    need(b, o, 4)
    bits = b[o]
    if bits > 128:
        ndo.p(f" bogus prefixlen /{bits}")
        return -1
    size = (bits + 31) // 32 * 4
    if left < 4 + size:
        return -1
    need(b, o + 4, size)
    addr = b[o + 4 : o + 4 + size].ljust(16, b"\0")
    ndo.p(f"\n\t\t{ndo.ip6addr(addr, 0)}/{bits}")
    if b[o + 1]:
        ndo.p(f", Options [{bittok2str(_PREFIX_OPTIONS, 'none', b[o + 1])}]")
    ndo.p(f", metric {u2(b, o + 2)}")
    return 4 + size


def _prefixes(ndo: Ndo, b: bytes, at: int, left: int, count: int) -> None:
    """Print *count* prefixes; raises Trunc."""
    for _ in range(count):
        took = _prefix(ndo, b, at, left)
        if took < 0:
            ndo.longjmp()
        at += took
        left -= took


def _lsa(ndo: Ndo, b: bytes, o: int, end: int) -> int:
    """Print an LSA; return where it ends; raises Trunc."""
    p = ndo.p
    if o >= end:
        ndo.longjmp()
    need(b, o, 20)
    length = _lsa_header(ndo, b, o)
    if length < 20:
        ndo.longjmp()
    kind, at, left = u2(b, o + 2), o + 20, length - 20
    if kind == _ROUTER:
        _lsa_needs(ndo, left, 4)
        p(
            f"\n\t      Options [{_options(u4(b, at) & 0xFFFFFF)}]"
            f", RLA-Flags [{bittok2str(_ROUTER_FLAGS, 'none', b[at])}]"
        )
        at += 4
        left -= 4
        while left:
            _lsa_needs(ndo, left, 16)
            _neighbor(ndo, b, at)
            at += 16
            left -= 16
    elif kind == _NETWORK:
        _lsa_needs(ndo, left, 4)
        p(f"\n\t      Options [{_options(u4(b, at) & 0xFFFFFF)}]\n\t      Connected Routers:")
        at += 4
        left -= 4
        while left:
            _lsa_needs(ndo, left, 4)
            p(f"\n\t\t{ndo.ipaddr(b, at)}")
            at += 4
            left -= 4
    elif kind == _PREFIX:
        _lsa_needs(ndo, left, 4)
        p(f", metric {u4(b, at) & 0xFFFFFF}")
        at += 4
        left -= 4
        while left > 0:
            took = _prefix(ndo, b, at, left)
            if took < 0:
                ndo.longjmp()
            at += took
            left -= took
    elif kind == _EXTERNAL_LSA:
        _external(ndo, b, at, left)
    elif kind == _LINK:
        _lsa_needs(ndo, left, 4)
        p(f"\n\t      Options [{_options(u3(b, at + 1))}]")
        _lsa_needs(ndo, left, 24)
        count = u4(b, at + 20)
        p(
            f"\n\t      Priority {b[at]}, Link-local address {ndo.ip6addr(b, at + 4)}, "
            f"Prefixes {count}:"
        )
        _prefixes(ndo, b, at + 24, left - 24, count)
    elif kind == _INTRA:
        _lsa_needs(ndo, left, 12)
        need(b, at, 12)
        _lsa_name(ndo, b, u2(b, at + 2), at + 4)
        count = u2(b, at)
        p(f"\n\t      Prefixes {count}:")
        _prefixes(ndo, b, at + 12, left - 12, count)
    else:
        if at + left > end:
            ndo.longjmp()
        ndo.unknown_data(b, at, "\n\t      ", left)
    return o + length


def _lsa_needs(ndo: Ndo, left: int, size: int) -> None:
    if left < size:
        ndo.longjmp()


def _neighbor(ndo: Ndo, b: bytes, at: int) -> None:
    """Print a link of a router."""
    need(b, at, 16)
    kind = b[at]
    who = {1: "Neighbor Router-ID", 2: "Neighbor Network-ID"}.get(kind)
    if kind == 4:
        who = "Virtual Link: Neighbor Router-ID"
    if who is None:
        ndo.p(f"\n\t      Unknown Router Links Type 0x{kind:02x}")
        raise _Stop
    ndo.p(
        f"\n\t      {who} {ndo.ipaddr(b, at + 12)}\n\t      Neighbor Interface-ID "
        f"{ndo.ipaddr(b, at + 8)}, Interface {ndo.ipaddr(b, at + 4)}, metric {u2(b, at + 2)}"
    )


def _external(ndo: Ndo, b: bytes, at: int, left: int) -> None:
    """Print a route from another routing protocol."""
    p = ndo.p
    _lsa_needs(ndo, left, 4)
    flags = u4(b, at)
    p(f"\n\t     Flags [{bittok2str(_EXTERNAL, 'none', flags)}] metric {flags & 0xFFFFFF}")
    at += 4
    left -= 4
    _lsa_needs(ndo, left, 4)
    referred = u2(b, at + 2)
    took = _prefix(ndo, b, at, left)
    if took < 0:
        ndo.longjmp()
    at += took
    left -= took
    if flags & 1 << 25:
        _lsa_needs(ndo, left, 16)
        p(f" forward {ndo.ip6addr(b, at)}")
        at += 16
        left -= 16
    if flags & 1 << 24:
        _lsa_needs(ndo, left, 4)
        p(f" tag {ndo.ipaddr(b, at)}")
        at += 4
        left -= 4
    if referred:
        _lsa_needs(ndo, left, 4)
        p(f" RefLSID: {ndo.ipaddr(b, at)}")


def _trailer(ndo: Ndo, b: bytes, o: int, left: int, options: int) -> None:
    """Print link-local signalling and the authentication trailer behind a packet."""
    p = ndo.p
    if options & _HAS_LLS and left > 0:
        need(b, o, 4)
        size = u2(b, o + 2)
        p(f"\n\tLLS Checksum 0x{u2(b, o):04x}, Data Length {size}")
        words = size * 4
        if left < words:
            ndo.longjmp()
        need(b, o, words)
        o += words
        left -= words
    if not options & _HAS_TRAILER or left <= 0:
        return
    kind = u2(b, o)
    p(f"\n\tAuthentication Type {_AUTHENTICATIONS.get(kind, f'unknown, 0x{kind:04x}')}")
    size = u2(b, o + 2)
    p(f", Length {size}")
    if size < 16 or size > left:
        ndo.longjmp()
    p(f", SAID {u2(b, o + 6)}")
    p(f", CSN 0x{u4(b, o + 8):08x}:{u4(b, o + 12):08x}")
    if ndo.vflag > 1:
        ndo.unknown_data(b, o + 16, "\n\tAuthentication Data ", size - 16)
