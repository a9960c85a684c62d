"""Expressions of packet data: proto[offset:size], numbers, len, and their arithmetic.

Each value is computed into a word of memory; what the packet must be for the value to make sense is a
test that goes before whatever uses it.
"""

from __future__ import annotations

from typing import Final

from libnet.conf.pcapfilter import protos
from libnet.conf.pcapfilter.graph import Stmt, Test, and_, jump, not_
from libnet.conf.pcapfilter.link import (
    DLT_IEEE802_11_RADIO,
    DLT_IEEE802_11_RADIO_AVS,
    DLT_PRISM_HEADER,
    ETHERTYPE_IPV6,
    Link,
)
from libnet.conf.pcapfilter.program import FilterError
from libnet.ioctl.bpf import (
    BPF_ADD,
    BPF_ALU,
    BPF_B,
    BPF_DIV,
    BPF_H,
    BPF_IMM,
    BPF_IND,
    BPF_JEQ,
    BPF_LD,
    BPF_LDX,
    BPF_LEN,
    BPF_LSH,
    BPF_MEM,
    BPF_MISC,
    BPF_MOD,
    BPF_NEG,
    BPF_RSH,
    BPF_ST,
    BPF_SUB,
    BPF_TAX,
    BPF_W,
    BPF_X,
)

_SIZES: Final = {1: BPF_B, 2: BPF_H, 4: BPF_W}
_NETWORK: Final = frozenset(
    ("ip", "arp", "rarp", "atalk", "decnet", "sca", "lat", "moprc", "mopdl", "ip6")
)
_TRANSPORT: Final = frozenset(("sctp", "tcp", "udp", "icmp", "igmp", "igrp", "pim", "vrrp", "carp"))
_RADIO: Final = (DLT_IEEE802_11_RADIO_AVS, DLT_IEEE802_11_RADIO, DLT_PRISM_HEADER)
_ICMP6: Final = 58


class Arith:
    """A value.

    stmts  compute it into memory word *reg*       test  what must hold first, or None
    """

    __slots__ = ("reg", "stmts", "test")

    def __init__(self, stmts: list[Stmt], reg: int, test: Test | None = None) -> None:
        self.stmts, self.reg, self.test = stmts, reg, test

    def to_x(self) -> Stmt:
        """Return what loads it into X."""
        return Stmt(BPF_LDX | BPF_MEM, self.reg)

    def to_a(self) -> Stmt:
        """Return what loads it into A."""
        return Stmt(BPF_LD | BPF_MEM, self.reg)

    def constant(self) -> int | None:
        """Return its value when it begins as a constant."""
        first = self.stmts[0]
        return first.k if first.code == BPF_LD | BPF_IMM else None


def number(link: Link, value: int) -> Arith:
    """Return a constant."""
    reg = link.alloc_reg()
    return Arith([Stmt(BPF_LD | BPF_IMM, value), Stmt(BPF_ST, reg)], reg)


def length(link: Link) -> Arith:
    """Return the packet's length on the wire."""
    reg = link.alloc_reg()
    return Arith([Stmt(BPF_LD | BPF_LEN), Stmt(BPF_ST, reg)], reg)


def load(link: Link, proto: str, index: Arith, size: int) -> Arith:
    """Return *size* octets at offset *index* of the header of *proto*. Raises FilterError."""
    reg = link.alloc_reg()
    link.free_reg(index.reg)
    code = _SIZES.get(size)
    if code is None:
        raise FilterError("data size must be 1, 2, or 4")
    stmts = index.stmts
    test = index.test
    if proto == "radio":
        if link.type not in _RADIO:
            raise FilterError("radio information not present in capture")
        stmts += [index.to_x(), Stmt(BPF_LD | BPF_IND | code)]
    elif proto == "link":
        stmts += _to_offset(link.varpart(link.hdr), index)
        stmts.append(Stmt(BPF_LD | BPF_IND | code, link.hdr.const))
    elif proto in _NETWORK:
        stmts += _to_offset(link.varpart(link.payload), index)
        stmts.append(Stmt(BPF_LD | BPF_IND | code, link.payload.const + link.nl))
        is_proto = protos.abbreviation(link, proto)
        test = is_proto if test is None else and_(test, is_proto)
    elif proto in _TRANSPORT:
        stmts += _to_offset(link.loadx_iphdrlen(), index)
        stmts.append(Stmt(BPF_LD | BPF_IND | code, link.payload.const + link.nl))
        # Only the first fragment has the header, and only IPv4's length of header is counted in.
        whole = and_(protos.abbreviation(link, proto), protos.first_fragment(link))
        if test is not None:
            whole = and_(test, whole)
        test = and_(protos.abbreviation(link, "ip"), whole)
    elif proto == "icmp6":
        is_ip6 = link.carries(ETHERTYPE_IPV6)
        test = is_ip6 if test is None else and_(test, is_ip6)
        test = and_(test, link.cmp("linkpl", 6, BPF_B, _ICMP6))
        stmts += _to_offset(link.varpart(link.payload), index)
        stmts.append(Stmt(BPF_LD | BPF_IND | code, link.payload.const + link.nl + 40))
    else:
        raise FilterError("unsupported index operation")
    stmts.append(Stmt(BPF_ST, reg))
    return Arith(stmts, reg, test)


def _to_offset(before: list[Stmt], index: Arith) -> list[Stmt]:
    """Return what leaves in X the sum of *index* and of what *before* leaves there, if anything."""
    if not before:
        return [index.to_x()]
    return [*before, index.to_a(), Stmt(BPF_ALU | BPF_ADD | BPF_X), Stmt(BPF_MISC | BPF_TAX)]


def negative(value: Arith) -> Arith:
    """Return -value."""
    value.stmts += [value.to_a(), Stmt(BPF_ALU | BPF_NEG), Stmt(BPF_ST, value.reg)]
    return value


def binary(link: Link, op: int, one: Arith, two: Arith) -> Arith:
    """Return *one* op *two*. Raises FilterError for a constant divisor of zero or shift over 31."""
    known = two.constant()
    if known is not None:
        if op == BPF_DIV and known == 0:
            raise FilterError("division by zero")
        if op == BPF_MOD and known == 0:
            raise FilterError("modulus by zero")
        if op in (BPF_LSH, BPF_RSH) and known > 31:
            raise FilterError("shift by more than 31 bits")
    stmts = [*one.stmts, *two.stmts, two.to_x(), one.to_a(), Stmt(BPF_ALU | BPF_X | op)]
    link.free_reg(one.reg)
    link.free_reg(two.reg)
    reg = link.alloc_reg()
    stmts.append(Stmt(BPF_ST, reg))
    return Arith(stmts, reg, one.test)


def relation(link: Link, op: int, one: Arith, two: Arith, *, reverse: bool) -> Test:
    """Return the test *one* op *two*, or its opposite."""
    stmts = [*one.stmts, *two.stmts, two.to_x(), one.to_a()]
    if op == BPF_JEQ:
        stmts.append(Stmt(BPF_ALU | BPF_SUB | BPF_X))
        test = jump(op, 0, stmts)
    else:
        test = jump(op | BPF_X, 0, stmts)
    if reverse:
        test = not_(test)
    link.free_reg(one.reg)
    link.free_reg(two.reg)
    if one.test is not None and two.test is not None:
        return and_(and_(one.test, two.test), test)
    first = one.test if one.test is not None else two.test
    return test if first is None else and_(first, test)
