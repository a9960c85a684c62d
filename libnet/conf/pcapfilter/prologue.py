"""Statements before the first test: they compute the offsets that vary from packet to packet."""

from __future__ import annotations

from collections.abc import Sequence

from libnet.conf.pcapfilter import link as link_
from libnet.conf.pcapfilter.graph import Stmt
from libnet.conf.pcapfilter.link import DLT_IEEE802_11_RADIO, DLT_PFLOG, WLAN_PPI, Link
from libnet.ioctl.bpf import (
    BPF_ABS,
    BPF_ADD,
    BPF_ALU,
    BPF_AND,
    BPF_B,
    BPF_IMM,
    BPF_IND,
    BPF_JA,
    BPF_JEQ,
    BPF_JMP,
    BPF_JSET,
    BPF_LD,
    BPF_LDX,
    BPF_LSH,
    BPF_MEM,
    BPF_MISC,
    BPF_OR,
    BPF_ST,
    BPF_TAX,
    BPF_TXA,
    BPF_W,
    BPF_X,
)


def insert(link: Link, first: list[Stmt]) -> list[Stmt]:
    """Return *first*, the root block's statements, with what has to be computed put before."""
    if link.payload.reg != -1 and link.hdr.variable and link.hdr.reg == -1:
        link.hdr.reg = link.alloc_reg()
    stmts: list[Stmt] = []
    if link.outermost == link_.DLT_PRISM_HEADER:
        link.no_optimize = True
    if link.hdr.reg != -1:
        match link.outermost:
            case link_.DLT_PRISM_HEADER:
                stmts = _prism(link)
            case link_.DLT_IEEE802_11_RADIO_AVS:
                stmts = [Stmt(BPF_LD | BPF_W | BPF_ABS, 4), *_keep(link.hdr.reg)]
            case link_.DLT_IEEE802_11_RADIO | link_.DLT_PPI:
                stmts = _radiotap(link)
    if link.outermost in WLAN_PPI and link.payload.reg != -1:
        stmts = _wlan(link, stmts, first)
    elif link.outermost == DLT_PFLOG and link.payload.reg != -1:
        # The header says how long it is; the packet after it is aligned.
        stmts = [
            Stmt(BPF_LD | BPF_B | BPF_ABS, 0),
            Stmt(BPF_ALU | BPF_ADD, 3),
            Stmt(BPF_ALU | BPF_AND, 0xFFFFFFFC),
            *_keep(link.payload.reg),
        ]
    return stmts + first


def _keep(reg: int) -> list[Stmt]:
    """Return what puts A into a word of memory and into X."""
    return [Stmt(BPF_ST, reg), Stmt(BPF_MISC | BPF_TAX)]


def _prism(link: Link) -> list[Stmt]:
    """Return the length of a Prism header, 144 octets, or of the AVS header some drivers put there."""
    cookie = Stmt(BPF_JMP | BPF_JEQ, 0x80211000)
    cookie.jt = Stmt(BPF_LD | BPF_W | BPF_ABS, 4)
    cookie.jf = Stmt(BPF_LD | BPF_IMM, 144)
    return [
        Stmt(BPF_LD | BPF_W | BPF_ABS, 0),
        Stmt(BPF_ALU | BPF_AND, 0xFFFFF000),
        cookie,
        cookie.jt,
        Stmt(BPF_JMP | BPF_JA, 1),
        cookie.jf,
        *_keep(link.hdr.reg),
    ]


def _radiotap(link: Link) -> list[Stmt]:
    """Return the length of a radiotap or PPI header: octets 2 and 3, little-endian."""
    return [
        Stmt(BPF_LD | BPF_B | BPF_ABS, 3),
        Stmt(BPF_ALU | BPF_LSH, 8),
        Stmt(BPF_MISC | BPF_TAX),
        Stmt(BPF_LD | BPF_B | BPF_ABS, 2),
        Stmt(BPF_ALU | BPF_OR | BPF_X),
        *_keep(link.hdr.reg),
    ]


def _jset(mask: int) -> Stmt:
    return Stmt(BPF_JMP | BPF_JSET, mask)


def _swapped(value: int) -> int:
    return int.from_bytes(value.to_bytes(4, "little"), "big")


def _wlan(link: Link, before: list[Stmt], first: Sequence[Stmt]) -> list[Stmt]:
    """Return where the payload of an 802.11 data frame starts: 24 octets, QoS, Atheros padding.

    before  leaves the offset of the 802.11 header in X; empty when that is constant
    """
    link.no_optimize = True
    reg = link.payload.reg
    rest = first[0] if first else None
    stmts = before or [Stmt(BPF_LDX | BPF_IMM, link.outermost_hdr.const)]
    data1, data2, qos = _jset(0x08), _jset(0x04), _jset(0x80)
    load = Stmt(BPF_LD | BPF_MEM, reg)
    data1.jt, data1.jf = data2, rest
    data2.jt, data2.jf = rest, qos
    qos.jt, qos.jf = load, rest
    stmts += [
        Stmt(BPF_MISC | BPF_TXA),
        Stmt(BPF_ALU | BPF_ADD, 24),
        Stmt(BPF_ST, reg),
        Stmt(BPF_LD | BPF_IND | BPF_B, 0),
        data1,
        data2,
        qos,
        load,
        Stmt(BPF_ALU | BPF_ADD, 2),
        Stmt(BPF_ST, reg),
    ]
    if link.type != DLT_IEEE802_11_RADIO:
        return stmts
    # Presence word: flags there, no second word, time stamp before the flags or not.
    presence = Stmt(BPF_LD | BPF_ABS | BPF_W, 4)
    flags, more, tsft = _jset(_swapped(2)), _jset(_swapped(0x80000000)), _jset(_swapped(1))
    with_tsft, without = Stmt(BPF_LD | BPF_ABS | BPF_B, 16), Stmt(BPF_LD | BPF_ABS | BPF_B, 8)
    pad1, pad2 = _jset(0x20), _jset(0x20)
    round_up = Stmt(BPF_LD | BPF_MEM, reg)
    qos.jf = presence
    flags.jt, flags.jf = more, rest
    more.jt, more.jf = rest, tsft
    tsft.jt, tsft.jf = with_tsft, without
    pad1.jt, pad1.jf = round_up, rest
    pad2.jt, pad2.jf = round_up, rest
    return [
        *stmts,
        presence,
        flags,
        more,
        tsft,
        with_tsft,
        pad1,
        without,
        pad2,
        round_up,
        Stmt(BPF_ALU | BPF_ADD, 3),
        Stmt(BPF_ALU | BPF_AND, 0xFFFFFFFC),
        Stmt(BPF_ST, reg),
    ]
