"""Primitives that go into an encapsulation: what comes after them is asked of the inner packet.

`vlan`, `mpls`, `pppoes` and `geneve` move the offsets of the Link for the rest of the expression, left
to right.
"""

from __future__ import annotations

from typing import Final

from libnet.conf.pcapfilter import protos
from libnet.conf.pcapfilter.graph import Stmt, Test, and_, jump, or_
from libnet.conf.pcapfilter.link import (
    DLT_C_HDLC,
    DLT_EN10MB,
    DLT_PPP,
    ETHERTYPE_8021AD,
    ETHERTYPE_8021Q,
    ETHERTYPE_8021QINQ,
    ETHERTYPE_MPLS,
    ETHERTYPE_PPPOED,
    ETHERTYPE_PPPOES,
    ETHERTYPE_TEB,
    PPP_MPLS_UCAST,
    WLAN,
    Link,
    Offset,
)
from libnet.conf.pcapfilter.program import FilterError
from libnet.ioctl.bpf import (
    BPF_ADD,
    BPF_ALU,
    BPF_AND,
    BPF_B,
    BPF_H,
    BPF_IMM,
    BPF_IND,
    BPF_JEQ,
    BPF_JMP,
    BPF_LD,
    BPF_LDX,
    BPF_MEM,
    BPF_MISC,
    BPF_MUL,
    BPF_ST,
    BPF_STX,
    BPF_TAX,
    BPF_TXA,
    BPF_W,
    BPF_X,
)
from libnet.ioctl.dlt import dlt_description

MAX_VLAN: Final = 0xFFF
MAX_LABEL: Final = 0xFFFFF
MAX_SESSION: Final = 0xFFFF
MAX_VNI: Final = 0xFFFFFF
GENEVE_PORT: Final = 6081


def _limit(what: str, value: int, most: int) -> None:
    if value > most:
        raise FilterError(f"{what} {value} greater than maximum {most}")


def vlan(link: Link, number: int | None) -> Test:
    """Return the test for a VLAN tag (IEEE 802.1Q, 802.1ad), perhaps with number *number*."""
    if link.labels:
        raise FilterError("no VLAN match after MPLS")
    if link.type != DLT_EN10MB and link.type not in WLAN:
        raise FilterError(f"no VLAN support for {dlt_description(link.type)}")
    test = or_(link.carries(ETHERTYPE_8021Q), link.carries(ETHERTYPE_8021AD))
    test = or_(test, link.carries(ETHERTYPE_8021QINQ))
    if number is not None:
        _limit("VLAN tag", number, MAX_VLAN)
        test = and_(test, link.cmp("linkpl", 0, BPF_H, number, MAX_VLAN))
    link.payload.const += 4
    link.linktype_at.const += 4
    return test


def mpls(link: Link, label: int | None) -> Test:
    """Return the test for an MPLS label (RFC 3032), perhaps *label*."""
    if link.labels:
        # Not the bottom of the stack yet.
        test = link.cmp("prevmpls", 2, BPF_B, 0, 0x01)
    elif link.type in (DLT_C_HDLC, DLT_EN10MB):
        test = link.carries(ETHERTYPE_MPLS)
    elif link.type == DLT_PPP:
        test = link.carries(PPP_MPLS_UCAST)
    else:
        raise FilterError(f"no MPLS support for {dlt_description(link.type)}")
    if label is not None:
        _limit("MPLS label", label, MAX_LABEL)
        test = and_(test, link.cmp("linkpl", 0, BPF_W, label << 12, 0xFFFFF000))
    link.nl_nosnap += 4
    link.nl += 4
    link.labels += 1
    return test


def pppoed(link: Link) -> Test:
    """Return the test for PPPoE discovery (RFC 2516)."""
    return link.carries(ETHERTYPE_PPPOED)


def pppoes(link: Link, session: int | None) -> Test:
    """Return the test for a PPPoE session, perhaps number *session*."""
    test = link.carries(ETHERTYPE_PPPOES)
    if session is not None:
        _limit("PPPoE session number", session, MAX_SESSION)
        test = and_(test, link.cmp("linkpl", 0, BPF_W, session, 0x0000FFFF))
    at = link.payload.const + link.nl + 6
    link.push(DLT_PPP, Offset(at, variable=link.payload.variable, reg=link.payload.reg))
    link.linktype_at = link.hdr.copy()
    link.payload.const = link.hdr.const + 2
    link.nl = link.nl_nosnap = 0
    return test


def geneve(link: Link, vni: int | None) -> Test:
    """Return the test for Geneve (RFC 8926), perhaps of network *vni*."""
    test = or_(_geneve4(link, vni), _geneve6(link, vni))
    stmts = _geneve_offsets(link)
    test = and_(test, jump(BPF_JEQ, 0, [*stmts, Stmt(BPF_LD | BPF_IMM, 0)]))
    link.geneve = True
    return test


def _geneve_header(link: Link, rel: str, vni: int | None) -> Test:
    test = protos.port_of(link, GENEVE_PORT, None, protos.IPPROTO_UDP, "dst", v6=rel == "ipv6")
    test = and_(test, link.cmp(rel, 8, BPF_B, 0, 0xC0))  # version 0
    if vni is not None:
        _limit("Geneve VNI", vni, MAX_VNI)
        test = and_(test, link.cmp(rel, 12, BPF_W, vni << 8, 0xFFFFFF00))
    return test


def _geneve4(link: Link, vni: int | None) -> Test:
    """Return the test over IPv4; it leaves the length of the IP header in A."""
    test = _geneve_header(link, "ipv4", vni)
    stmts = [*link.loadx_iphdrlen(), Stmt(BPF_MISC | BPF_TXA)]
    return and_(test, jump(BPF_JEQ | BPF_X, 0, stmts))


def _geneve6(link: Link, vni: int | None) -> Test:
    """Return the test over IPv6; it leaves the length of the IP header in A."""
    test = _geneve_header(link, "ipv6", vni)
    stmts = link.varpart(link.payload)
    stmts.append(Stmt(BPF_LD | BPF_IMM, 40))
    if len(stmts) > 1:
        stmts.append(Stmt(BPF_ALU | BPF_ADD | BPF_X))
    stmts.append(Stmt(BPF_MISC | BPF_TAX))
    return and_(test, jump(BPF_JEQ | BPF_X, 0, stmts))


def _geneve_offsets(link: Link) -> list[Stmt]:
    """Return what computes the offsets of the inner packet, and let Link use them.

    The inner link layer is taken for Ethernet; if it is IP, header and payload begin at one place.
    """
    stmts = [
        Stmt(BPF_ALU | BPF_ADD, link.payload.const + link.nl + 8),
        Stmt(BPF_MISC | BPF_TAX),
        Stmt(BPF_ALU | BPF_ADD, 2),
    ]
    link.linktype_at = Offset(variable=True, reg=link.alloc_reg())
    stmts += [
        Stmt(BPF_ST, link.linktype_at.reg),
        Stmt(BPF_LD | BPF_IND | BPF_B, 0),
        Stmt(BPF_ALU | BPF_AND, 0x3F),
        Stmt(BPF_ALU | BPF_MUL, 4),
        Stmt(BPF_ALU | BPF_ADD, 8),
        Stmt(BPF_ALU | BPF_ADD | BPF_X),
    ]
    link.push(DLT_EN10MB, Offset(variable=True, reg=link.alloc_reg()))
    link.no_optimize = True
    is_ethernet = Stmt(BPF_JMP | BPF_JEQ, ETHERTYPE_TEB)
    inner = [
        Stmt(BPF_MISC | BPF_TXA),
        Stmt(BPF_ALU | BPF_ADD, 12),
        Stmt(BPF_ST, link.linktype_at.reg),
        Stmt(BPF_ALU | BPF_ADD, 2),
        Stmt(BPF_MISC | BPF_TAX),
    ]
    link.payload = Offset(variable=True, reg=link.alloc_reg())
    keep = Stmt(BPF_STX, link.payload.reg)
    is_ethernet.jt, is_ethernet.jf = inner[0], keep
    link.nl = 0
    return [
        *stmts,
        Stmt(BPF_ST, link.hdr.reg),
        Stmt(BPF_LD | BPF_IND | BPF_H, 2),
        Stmt(BPF_LDX | BPF_MEM, link.hdr.reg),
        is_ethernet,
        *inner,
        keep,
    ]
