"""Tests of protocols and ports."""

from __future__ import annotations

from typing import Final

from libnet.conf.pcapfilter.graph import Stmt, Test, and_, jump, not_, or_
from libnet.conf.pcapfilter.link import (
    DLT_C_HDLC,
    DLT_FRELAY,
    ETHERTYPE_AARP,
    ETHERTYPE_ARP,
    ETHERTYPE_ATALK,
    ETHERTYPE_DN,
    ETHERTYPE_IP,
    ETHERTYPE_IPV6,
    ETHERTYPE_LAT,
    ETHERTYPE_LOOPBACK,
    ETHERTYPE_MOPDL,
    ETHERTYPE_MOPRC,
    ETHERTYPE_REVARP,
    ETHERTYPE_SCA,
    LLCSAP_8021D,
    LLCSAP_IPX,
    LLCSAP_ISONS,
    LLCSAP_NETBEUI,
    Link,
)
from libnet.conf.pcapfilter.program import FilterError
from libnet.ioctl.bpf import (
    BPF_ABS,
    BPF_ADD,
    BPF_ALU,
    BPF_B,
    BPF_H,
    BPF_IMM,
    BPF_IND,
    BPF_JA,
    BPF_JEQ,
    BPF_JGE,
    BPF_JGT,
    BPF_JMP,
    BPF_JSET,
    BPF_LD,
    BPF_LDX,
    BPF_MEM,
    BPF_MISC,
    BPF_MSH,
    BPF_MUL,
    BPF_ST,
    BPF_TAX,
    BPF_TXA,
    BPF_X,
)

IPPROTO_TCP: Final = 6
IPPROTO_UDP: Final = 17
IPPROTO_SCTP: Final = 132
_HOPOPTS, _ROUTING, _FRAGMENT, _AH, _NONE, _DSTOPTS = 0, 43, 44, 51, 59, 60

# Keywords that stand for an IP protocol: over IPv4 and IPv6, over one of them.
_BOTH: Final = {"sctp": 132, "tcp": 6, "udp": 17, "pim": 103, "ah": 51, "esp": 50}
_V4: Final = {"icmp": 1, "igmp": 2, "igrp": 9, "vrrp": 112, "carp": 112}
_LINK: Final = {
    "ip": ETHERTYPE_IP,
    "arp": ETHERTYPE_ARP,
    "rarp": ETHERTYPE_REVARP,
    "atalk": ETHERTYPE_ATALK,
    "aarp": ETHERTYPE_AARP,
    "decnet": ETHERTYPE_DN,
    "sca": ETHERTYPE_SCA,
    "lat": ETHERTYPE_LAT,
    "mopdl": ETHERTYPE_MOPDL,
    "moprc": ETHERTYPE_MOPRC,
    "ip6": ETHERTYPE_IPV6,
    "iso": LLCSAP_ISONS,
    "stp": LLCSAP_8021D,
    "ipx": LLCSAP_IPX,
    "netbeui": LLCSAP_NETBEUI,
}
# OSI network layer protocols, and sets of IS-IS PDU types.
_OSI: Final = {"esis": 0x82, "isis": 0x83, "clnp": 0x81}
_ISIS: Final = {
    "l1": (15, 17, 18, 24, 26),
    "l2": (16, 17, 20, 25, 27),
    "iih": (15, 16, 17),
    "lsp": (18, 20),
    "snp": (24, 25, 26, 27),
    "csnp": (24, 25),
    "psnp": (26, 27),
}
_ETHER_NAMES: Final = {
    "aarp": ETHERTYPE_AARP,
    "arp": ETHERTYPE_ARP,
    "atalk": ETHERTYPE_ATALK,
    "decnet": ETHERTYPE_DN,
    "ip": ETHERTYPE_IP,
    "ip6": ETHERTYPE_IPV6,
    "lat": ETHERTYPE_LAT,
    "loopback": ETHERTYPE_LOOPBACK,
    "mopdl": ETHERTYPE_MOPDL,
    "moprc": ETHERTYPE_MOPRC,
    "rarp": ETHERTYPE_REVARP,
    "sca": ETHERTYPE_SCA,
    "iso": LLCSAP_ISONS,
    "stp": LLCSAP_8021D,
    "ipx": LLCSAP_IPX,
    "netbeui": LLCSAP_NETBEUI,
}


def abbreviation(link: Link, name: str) -> Test:
    """Return the test that the packet is of the protocol *name*. Raises FilterError."""
    if name in _BOTH:
        return proto(link, _BOTH[name], "")
    if name in _V4:
        return proto(link, _V4[name], "ip")
    if name in _LINK:
        return link.carries(_LINK[name])
    if name == "icmp6":
        return proto(link, 58, "ip6")
    if name in _OSI:
        return proto(link, _OSI[name], "iso")
    if name in _ISIS:
        return _isis_any(link, name)
    if name == "link":
        raise FilterError("link layer applied in wrong context")
    raise FilterError(f"'{name}' is not a valid protocol type")


def _isis_any(link: Link, name: str) -> Test:
    first, second, *rest = _ISIS[name]
    test = or_(proto(link, first, "isis"), proto(link, second, "isis"))
    for pdu in rest:
        test = or_(proto(link, pdu, "isis"), test)
    return test


def proto(link: Link, number: int, over: str) -> Test:
    """Return the test that *over* ("" for IP of both versions) carries protocol *number*."""
    match over:
        case "":
            test = proto(link, number, "ip")
            return or_(test, proto(link, number, "ip6"))
        case "link":
            return link.carries(number)
        case "ip":
            test = link.carries(ETHERTYPE_IP)
            return and_(test, link.cmp("linkpl", 9, BPF_B, number))
        case "ip6":
            test = link.carries(ETHERTYPE_IPV6)
            fragment = link.cmp("linkpl", 6, BPF_B, _FRAGMENT)
            inner = and_(fragment, link.cmp("linkpl", 40, BPF_B, number))
            inner = or_(link.cmp("linkpl", 6, BPF_B, number), inner)
            return and_(test, inner)
        case "iso":
            if link.type == DLT_FRELAY:
                return link.cmp("linkhdr", 2, BPF_H, 3 << 8 | number)
            fudge = 1 if link.type == DLT_C_HDLC else 0
            sap = LLCSAP_ISONS << 8 | LLCSAP_ISONS if fudge else LLCSAP_ISONS
            test = link.carries(sap)
            return and_(test, link.cmp("nosnap", fudge, BPF_B, number))
        case "isis":
            test = proto(link, _OSI["isis"], "iso")
            return and_(test, link.cmp("nosnap", 4, BPF_B, number))
        case "arp" | "rarp":
            raise FilterError(f"{over} does not encapsulate another protocol")
        case "lat" | "sca" | "moprc" | "mopdl":
            raise FilterError(f"{over.upper()} does not encapsulate another protocol")
        case "atalk":
            raise FilterError("AppleTalk encapsulation is not specifiable")
        case "decnet":
            raise FilterError("DECNET encapsulation is not specifiable")
        case "clnp":
            raise FilterError("'clnp proto' is not supported")
        case _:
            raise FilterError(f"'{over} proto' is bogus")


def ether_number(name: str) -> int | None:
    """Return the Ethertype or SAP of a protocol name, None when unknown."""
    return _ETHER_NAMES.get(name)


def osi_number(name: str) -> int | None:
    """Return the OSI network layer protocol of a name, None when unknown."""
    return _OSI.get(name)


def first_fragment(link: Link) -> Test:
    """Return the test that an IPv4 packet begins its datagram."""
    return not_(jump(BPF_JSET, 0x1FFF, link.load("linkpl", 6, BPF_H)))


# -- ports


def _direction(dir: str, one: Test, two: Test, what: str) -> Test:
    """Combine the tests of the source and of the destination."""
    match dir:
        case "src":
            return one
        case "dst":
            return two
        case "and":
            return and_(one, two)
        case "" | "or":
            return or_(one, two)
        case "ra" | "ta":
            raise FilterError(f"'{dir}' is not a valid qualifier for {what}")
        case _:
            names = f"'{dir}' and 'address{dir[-1]}'"
            raise FilterError(f"{names} are not valid qualifiers for {what}")


def _ends(link: Link, rel: str, low: int, high: int | None, dir: str) -> Test:
    """Return the test of the ports in the transport header at *rel*."""
    if high is None:
        one, two = (link.cmp(rel, at, BPF_H, low) for at in (0, 2))
        return _direction(dir, one, two, "ports")
    low, high = min(low, high), max(low, high)
    one, two = (
        and_(
            link.cmp(rel, at, BPF_H, low, op=BPF_JGE),
            link.cmp(rel, at, BPF_H, high, op=BPF_JGT, reverse=True),
        )
        for at in (0, 2)
    )
    return _direction(dir, one, two, "port ranges")


def _port_over(
    link: Link, low: int, high: int | None, transport: int, dir: str, *, v6: bool
) -> Test:
    if v6:
        first = link.cmp("linkpl", 6, BPF_B, transport)
    else:
        first = link.cmp("linkpl", 9, BPF_B, transport)
        first = and_(first, first_fragment(link))
    return and_(first, _ends(link, "ipv6" if v6 else "ipv4", low, high, dir))


def port_of(
    link: Link, low: int, high: int | None, transport: int | None, dir: str, *, v6: bool
) -> Test:
    """Return the test of a port, or of a range, over one version of IP.

    transport  IPPROTO_TCP, _UDP, _SCTP; None for any of them
    """
    first = link.carries(ETHERTYPE_IPV6 if v6 else ETHERTYPE_IP)
    if transport is not None:
        test = _port_over(link, low, high, transport, dir, v6=v6)
    else:
        tcp = _port_over(link, low, high, IPPROTO_TCP, dir, v6=v6)
        test = or_(tcp, _port_over(link, low, high, IPPROTO_UDP, dir, v6=v6))
        test = or_(_port_over(link, low, high, IPPROTO_SCTP, dir, v6=v6), test)
    return and_(first, test)


def port(link: Link, low: int, high: int | None, transport: int | None, dir: str) -> Test:
    """Return the test of a port (*high* None) or of a range of ports. Raises FilterError."""
    test = port_of(link, low, high, transport, dir, v6=False)
    return or_(port_of(link, low, high, transport, dir, v6=True), test)


# -- protochain


def protochain(link: Link, number: int, over: str) -> Test:
    """Return the test that *number* is among the headers of a packet, however many come before it.

    The program loops: it runs where packets are read, not in the engine.
    """
    reg = link.alloc_reg()
    if over == "":
        test = protochain(link, number, "ip")
        return or_(test, protochain(link, number, "ip6"))
    if over not in ("ip", "ip6"):
        raise FilterError("bad protocol applied for 'protochain'")
    if link.payload.variable:
        raise FilterError("'protochain' not supported with variable length headers")
    link.no_optimize = True
    base = link.payload.const + link.nl
    first = link.carries(ETHERTYPE_IP if over == "ip" else ETHERTYPE_IPV6)
    # A: the next header's number; X: where it starts.
    if over == "ip":
        stmts = [Stmt(BPF_LD | BPF_ABS | BPF_B, base + 9), Stmt(BPF_LDX | BPF_MSH | BPF_B, base)]
    else:
        stmts = [Stmt(BPF_LD | BPF_ABS | BPF_B, base + 6), Stmt(BPF_LDX | BPF_IMM, 40)]
    again = len(stmts)
    end = Stmt(BPF_ALU | BPF_ADD, 0)
    found, none = Stmt(BPF_JMP | BPF_JEQ, number), Stmt(BPF_JMP | BPF_JEQ, _NONE)
    found.jt, found.jf, none.jt = end, none, end
    ah = Stmt(BPF_JMP | BPF_JEQ, _AH)
    stmts += [found, none]
    if over == "ip6":
        asks = [Stmt(BPF_JMP | BPF_JEQ, k) for k in (_HOPOPTS, _DSTOPTS, _ROUTING, _FRAGMENT)]
        none.jf = asks[0]
        stmts += asks
        step = [
            Stmt(BPF_LD | BPF_IND | BPF_B, base),
            Stmt(BPF_ST, reg),
            Stmt(BPF_LD | BPF_IND | BPF_B, base + 1),
            Stmt(BPF_ALU | BPF_ADD, 1),
            Stmt(BPF_ALU | BPF_MUL, 8),
            Stmt(BPF_ALU | BPF_ADD | BPF_X),
            Stmt(BPF_MISC | BPF_TAX),
            Stmt(BPF_LD | BPF_MEM, reg),
        ]
        for ask, following in zip(asks, [*asks[1:], ah], strict=True):
            ask.jt, ask.jf = step[0], following
        stmts += step
        stmts.append(Stmt(BPF_JMP | BPF_JA, again - len(stmts) - 1))
    else:
        nothing = Stmt(BPF_ALU | BPF_ADD, 0)
        none.jf = nothing
        stmts.append(nothing)
    step = [
        Stmt(BPF_MISC | BPF_TXA),
        Stmt(BPF_LD | BPF_IND | BPF_B, base),
        Stmt(BPF_ST, reg),
        Stmt(BPF_MISC | BPF_TXA),
        Stmt(BPF_ALU | BPF_ADD, 1),
        Stmt(BPF_MISC | BPF_TAX),
        Stmt(BPF_LD | BPF_IND | BPF_B, base),
        Stmt(BPF_ALU | BPF_ADD, 2),
        Stmt(BPF_ALU | BPF_MUL, 4),
        Stmt(BPF_MISC | BPF_TAX),
        Stmt(BPF_LD | BPF_MEM, reg),
    ]
    ah.jt, ah.jf = step[0], end
    stmts += [ah, *step]
    stmts.append(Stmt(BPF_JMP | BPF_JA, again - len(stmts) - 1))
    stmts.append(end)
    link.free_reg(reg)
    return and_(first, jump(BPF_JEQ, number, stmts))
