"""Where things lie in a packet of each link type, and tests of what the packet carries.

An Offset has a constant part and, where a header before it varies in length, a part that the program
computes at its start and keeps in a word of memory. Relations ("linkhdr", "linkpl", …) name the place
an offset counts from.
"""

from __future__ import annotations

from typing import Final

from libnet.conf.pcapfilter.graph import Stmt, Test, and_, jump, not_, or_
from libnet.conf.pcapfilter.program import FilterError
from libnet.ioctl.bpf import (
    BPF_ABS,
    BPF_ADD,
    BPF_ALU,
    BPF_AND,
    BPF_B,
    BPF_H,
    BPF_IMM,
    BPF_IND,
    BPF_JEQ,
    BPF_JGT,
    BPF_JSET,
    BPF_LD,
    BPF_LDX,
    BPF_LSH,
    BPF_MEM,
    BPF_MEMWORDS,
    BPF_MISC,
    BPF_MSH,
    BPF_TAX,
    BPF_W,
    BPF_X,
)
from libnet.ioctl.dlt import dlt_description

NOT_SET: Final = 0xFFFFFFFF
FULL: Final = 0xFFFFFFFF
ETHERMTU: Final = 1500

DLT_NULL, DLT_EN10MB, DLT_IEEE802, DLT_ARCNET, DLT_SLIP, DLT_PPP, DLT_FDDI = 0, 1, 6, 7, 8, 9, 10
DLT_ATM_RFC1483, DLT_RAW, DLT_SLIP_BSDOS, DLT_PPP_BSDOS, DLT_ATM_CLIP = 11, 12, 15, 16, 19
DLT_PPP_SERIAL, DLT_PPP_ETHER, DLT_SYMANTEC_FIREWALL, DLT_C_HDLC = 50, 51, 99, 104
DLT_IEEE802_11, DLT_FRELAY, DLT_LOOP, DLT_ENC, DLT_LINUX_SLL, DLT_LTALK = (
    105,
    107,
    108,
    109,
    113,
    114,
)
DLT_PFLOG, DLT_PRISM_HEADER, DLT_IP_OVER_FC, DLT_IEEE802_11_RADIO = 117, 119, 122, 127
DLT_ARCNET_LINUX, DLT_APPLE_IP_OVER_IEEE1394, DLT_IEEE802_11_RADIO_AVS = 129, 138, 163
DLT_PPP_PPPD, DLT_PPI, DLT_IPV4, DLT_IPV6, DLT_PFSYNC, DLT_LINUX_SLL2 = 166, 192, 228, 229, 246, 276

WLAN: Final = frozenset(
    (DLT_IEEE802_11, DLT_PRISM_HEADER, DLT_IEEE802_11_RADIO_AVS, DLT_IEEE802_11_RADIO)
)
WLAN_PPI: Final = WLAN | {DLT_PPI}

# Link types: offsets of the type field and of the payload; of the network header in the payload, with
# SNAP and without.
_LAYOUT: Final[dict[int, tuple[int, int, int, int]]] = {
    DLT_ARCNET: (2, 6, 0, 0),
    DLT_ARCNET_LINUX: (4, 8, 0, 0),
    DLT_EN10MB: (12, 14, 0, 3),
    DLT_SLIP: (NOT_SET, 16, 0, 0),
    DLT_SLIP_BSDOS: (NOT_SET, 24, 0, 0),
    DLT_NULL: (0, 4, 0, 0),
    DLT_LOOP: (0, 4, 0, 0),
    DLT_ENC: (0, 12, 0, 0),
    DLT_PPP: (2, 4, 0, 0),
    DLT_PPP_PPPD: (2, 4, 0, 0),
    DLT_C_HDLC: (2, 4, 0, 0),
    DLT_PPP_SERIAL: (2, 4, 0, 0),
    DLT_PPP_ETHER: (6, 8, 0, 0),
    DLT_PPP_BSDOS: (5, 24, 0, 0),
    DLT_FDDI: (13, 13, 8, 3),
    DLT_IEEE802: (14, 14, 8, 3),
    DLT_PRISM_HEADER: (24, 0, 8, 3),
    DLT_IEEE802_11_RADIO_AVS: (24, 0, 8, 3),
    DLT_IEEE802_11_RADIO: (24, 0, 8, 3),
    DLT_IEEE802_11: (24, 0, 8, 3),
    DLT_PPI: (24, 0, 8, 3),
    DLT_ATM_RFC1483: (0, 0, 8, 3),
    DLT_ATM_CLIP: (0, 0, 8, 3),
    DLT_RAW: (NOT_SET, 0, 0, 0),
    DLT_IPV4: (NOT_SET, 0, 0, 0),
    DLT_IPV6: (NOT_SET, 0, 0, 0),
    DLT_LINUX_SLL: (14, 16, 0, 0),
    DLT_LINUX_SLL2: (0, 20, 0, 0),
    DLT_LTALK: (NOT_SET, 0, 0, 0),
    DLT_IP_OVER_FC: (16, 16, 8, 3),
    DLT_FRELAY: (NOT_SET, 0, 0, 0),
    DLT_APPLE_IP_OVER_IEEE1394: (16, 18, 0, 0),
    DLT_SYMANTEC_FIREWALL: (6, 44, 0, 0),
    DLT_PFLOG: (0, 0, 0, 0),
    DLT_PFSYNC: (NOT_SET, 4, 0, 0),
}
# Numbers given out since the first ones: their packets can at least be tested octet by octet.
_MATCHING: Final = range(104, 291)

ETHERTYPE_IP: Final = 0x0800
ETHERTYPE_ARP: Final = 0x0806
ETHERTYPE_REVARP: Final = 0x8035
ETHERTYPE_IPV6: Final = 0x86DD
ETHERTYPE_DN: Final = 0x6003
ETHERTYPE_ATALK: Final = 0x809B
ETHERTYPE_AARP: Final = 0x80F3
ETHERTYPE_SCA: Final = 0x6007
ETHERTYPE_LAT: Final = 0x6004
ETHERTYPE_MOPDL: Final = 0x6001
ETHERTYPE_MOPRC: Final = 0x6002
ETHERTYPE_LOOPBACK: Final = 0x9000
ETHERTYPE_NS: Final = 0x0600
ETHERTYPE_IPX: Final = 0x8137
ETHERTYPE_TEB: Final = 0x6558
ETHERTYPE_8021Q: Final = 0x8100
ETHERTYPE_8021AD: Final = 0x88A8
ETHERTYPE_8021QINQ: Final = 0x9100
ETHERTYPE_MPLS: Final = 0x8847
ETHERTYPE_PPPOED: Final = 0x8863
ETHERTYPE_PPPOES: Final = 0x8864

LLCSAP_IP: Final = 0x06
LLCSAP_8021D: Final = 0x42
LLCSAP_SNAP: Final = 0xAA
LLCSAP_IPX: Final = 0xE0
LLCSAP_NETBEUI: Final = 0xF0
LLCSAP_ISONS: Final = 0xFE
_BOTH_SAPS: Final = (LLCSAP_ISONS, LLCSAP_IP, LLCSAP_NETBEUI)

_PPP: Final = {
    ETHERTYPE_IP: 0x0021,
    ETHERTYPE_IPV6: 0x0057,
    ETHERTYPE_DN: 0x0027,
    ETHERTYPE_ATALK: 0x0029,
    ETHERTYPE_NS: 0x0025,
    LLCSAP_ISONS: 0x0023,
    LLCSAP_8021D: 0x0031,
    LLCSAP_IPX: 0x002B,
}
PPP_MPLS_UCAST: Final = 0x0281
_PPP_VJC, _PPP_VJNC = 0x002D, 0x002F
_SLL_802_3, _SLL_802_2 = 0x0001, 0x0004
_ARCNET: Final = {
    ETHERTYPE_IPV6: (0xC4,),
    ETHERTYPE_IP: (0xD4, 0xF0),
    ETHERTYPE_ARP: (0xD5, 0xF1),
    ETHERTYPE_REVARP: (0xD6,),
    ETHERTYPE_ATALK: (0xDD,),
}
AF_INET: Final = 2
# IPv6 on BSD loopback and in pflog: what NetBSD and OpenBSD, FreeBSD, and Darwin call it.
_AF_INET6: Final = (24, 28, 30)
_CLNP, _ESIS, _ISIS = 0x81, 0x82, 0x83


class Offset:
    """A place in the packet: constant part, and the memory word of the variable part (-1: none yet)."""

    __slots__ = ("const", "reg", "variable")

    def __init__(self, const: int = 0, *, variable: bool = False, reg: int = -1) -> None:
        self.const, self.variable, self.reg = const, variable, reg

    def copy(self) -> Offset:
        """Return another one at the same place."""
        return Offset(self.const, variable=self.variable, reg=self.reg)


class Link:
    """What the generator knows about the packet's layers at this point of the expression.

    type, prevtype, outermost  link types: of the present layer, of the one it lies in, of the capture
    savefile   whether packets come from a file, written by anybody
    no_optimize  set when the program has jumps that the optimiser cannot handle
    """

    def __init__(self, dlt: int, *, savefile: bool) -> None:
        self.type = self.prevtype = self.outermost = dlt
        self.savefile = savefile
        self.no_optimize = False
        self.geneve = False
        self.labels = 0  # MPLS labels passed
        self.hdr = Offset(variable=dlt in WLAN_PPI and dlt != DLT_IEEE802_11)
        self.prevhdr = self.hdr.copy()
        self.outermost_hdr = self.hdr.copy()
        layout = _LAYOUT.get(dlt)
        if layout is None:
            if dlt not in _MATCHING:
                raise FilterError(f"unknown data link type {dlt}")
            layout = (NOT_SET, NOT_SET, NOT_SET, NOT_SET)
        self.linktype_at = Offset(layout[0])
        self.payload = Offset(layout[1], variable=dlt in WLAN_PPI or dlt == DLT_PFLOG)
        self.nl, self.nl_nosnap = layout[2], layout[3]
        self._used = [False] * BPF_MEMWORDS
        self._current = 0

    # -- words of memory

    def alloc_reg(self) -> int:
        """Take a word of memory. Raises FilterError when all are in use."""
        for _ in range(BPF_MEMWORDS):
            if not self._used[self._current]:
                self._used[self._current] = True
                return self._current
            self._current = (self._current + 1) % BPF_MEMWORDS
        raise FilterError("too many registers needed to evaluate expression")

    def free_reg(self, reg: int) -> None:
        """Give a word of memory back."""
        self._used[reg] = False

    # -- loads

    def varpart(self, offset: Offset) -> list[Stmt]:
        """Return what loads the variable part of *offset* into X; nothing if there is none."""
        if not offset.variable:
            return []
        if offset.reg == -1:
            offset.reg = self.alloc_reg()
        return [Stmt(BPF_LDX | BPF_MEM, offset.reg)]

    def _load_at(self, base: Offset, at: int, size: int) -> list[Stmt]:
        before = self.varpart(base)
        mode = BPF_IND if before else BPF_ABS
        return [*before, Stmt(BPF_LD | mode | size, base.const + at)]

    def load(self, rel: str, at: int, size: int) -> list[Stmt]:
        """Return what loads *size* (BPF_W, …) at offset *at* of the place *rel* into A."""
        match rel:
            case "linkhdr":
                return self._load_at(self.hdr, at, size)
            case "prevlinkhdr":
                return self._load_at(self.prevhdr, at, size)
            case "llc":
                return self._load_at(self.payload, at, size)
            case "linkpl":
                return self._load_at(self.payload, self.nl + at, size)
            case "nosnap":
                return self._load_at(self.payload, self.nl_nosnap + at, size)
            case "prevmpls":
                return self._load_at(self.payload, self.nl - 4 + at, size)
            case "linktype":
                return self._load_at(self.linktype_at, at, size)
            case "ipv4":
                load = Stmt(BPF_LD | BPF_IND | size, self.payload.const + self.nl + at)
                return [*self.loadx_iphdrlen(), load]
            case "ipv6":
                return self._load_at(self.payload, self.nl + 40 + at, size)
            case _:
                raise AssertionError(rel)

    def loadx_iphdrlen(self) -> list[Stmt]:
        """Return what loads the IPv4 header's length, plus what varies before it, into X."""
        before = self.varpart(self.payload)
        at = self.payload.const + self.nl
        if not before:
            return [Stmt(BPF_LDX | BPF_MSH | BPF_B, at)]
        return [
            *before,
            Stmt(BPF_LD | BPF_IND | BPF_B, at),
            Stmt(BPF_ALU | BPF_AND, 0xF),
            Stmt(BPF_ALU | BPF_LSH, 2),
            Stmt(BPF_ALU | BPF_ADD | BPF_X),
            Stmt(BPF_MISC | BPF_TAX),
        ]

    # -- comparisons

    def cmp(
        self,
        rel: str,
        at: int,
        size: int,
        value: int,
        mask: int = FULL,
        op: int = BPF_JEQ,
        *,
        reverse: bool = False,
    ) -> Test:
        """Return the test of the field at *at* of *rel*, and-ed with *mask*, against *value*."""
        stmts = self.load(rel, at, size)
        if mask != FULL:
            stmts.append(Stmt(BPF_ALU | BPF_AND, mask))
        test = jump(op, value, stmts)
        return not_(test) if reverse else test

    def bits(self, at: int, mask: int) -> Test:
        """Return the test that a bit of *mask* is set in octet *at* of the link header."""
        return jump(BPF_JSET, mask, self.load("linkhdr", at, BPF_B))

    def octets(self, rel: str, at: int, octets: bytes) -> Test | None:
        """Return the test that *octets* stand at *at* of *rel*; the last ones are asked first."""
        test: Test | None = None
        end = len(octets)
        for width, size in ((4, BPF_W), (2, BPF_H), (1, BPF_B)):
            while end >= width:
                end -= width
                value = int.from_bytes(octets[end : end + width], "big")
                part = self.cmp(rel, at + end, size, value)
                test = part if test is None else and_(test, part)
        return test

    def always(self, sense: bool) -> Test:
        """Return the test that always holds, or never."""
        return jump(BPF_JEQ, 0, [Stmt(BPF_LD | BPF_IMM, 0 if sense else 1)])

    # -- what the packet carries

    def carries(self, proto: int) -> Test:
        """Return the test that the link layer carries *proto*: an Ethertype, or up to 1500 a SAP.

        Raises FilterError for link types that do not tell.
        """
        if self.labels:
            return self._mpls(proto)
        match self.type:
            case 1:
                return self._ether(proto)
            case 104:
                return self.cmp("linktype", 0, BPF_H, 0xFEFE if proto == LLCSAP_ISONS else proto)
            case 105 | 119 | 163 | 127 | 192:
                return and_(self.data_frame(), self._llc(proto))
            case 10 | 6 | 11 | 19 | 122:
                return self._llc(proto)
            case 113:
                return self._sll(proto)
            case 8 | 15 | 12:
                if proto == ETHERTYPE_IP:
                    return self.cmp("linkhdr", 0, BPF_B, 0x40, 0xF0)
                if proto == ETHERTYPE_IPV6:
                    return self.cmp("linkhdr", 0, BPF_B, 0x60, 0xF0)
                return self.always(False)
            case 228:
                return self.always(proto == ETHERTYPE_IP)
            case 229:
                return self.always(proto == ETHERTYPE_IPV6)
            case 9 | 166 | 50 | 51:
                return self.cmp("linktype", 0, BPF_H, _PPP.get(proto, proto))
            case 16:
                return self._ppp_bsdos(proto)
            case 0 | 108 | 109:
                return self._loopback(proto)
            case 117:
                if proto == ETHERTYPE_IP:
                    return self.cmp("linkhdr", 1, BPF_B, AF_INET)
                if proto == ETHERTYPE_IPV6:
                    return self._any("linkhdr", 1, BPF_B, _AF_INET6)
                return self.always(False)
            case 7 | 129:
                return self._any("linktype", 0, BPF_B, _ARCNET.get(proto, ()))
            case 114:
                return self.always(proto == ETHERTYPE_ATALK)
            case 107:
                nlpids = {
                    ETHERTYPE_IP: (0x3CC,),
                    ETHERTYPE_IPV6: (0x38E,),
                    LLCSAP_ISONS: (0x300 | _CLNP, 0x300 | _ESIS, 0x300 | _ISIS),
                }
                return self._any("linkhdr", 2, BPF_H, nlpids.get(proto, ()))
            case 246:
                raise FilterError("PFSYNC link-layer type filtering not implemented")
            case _:
                if self.linktype_at.const == NOT_SET:
                    what = dlt_description(self.type)
                    raise FilterError(f"{what} link-layer type filtering not implemented")
                return self.cmp("linktype", 0, BPF_H, proto)

    def _any(self, rel: str, at: int, size: int, values: tuple[int, ...]) -> Test:
        """Return the test that a field has one of *values*."""
        if not values:
            return self.always(False)
        test = self.cmp(rel, at, size, values[0])
        for value in values[1:]:
            test = or_(test, self.cmp(rel, at, size, value))
        return test

    def _is_length(self) -> Test:
        """Return the test that the Ethernet type field is a length: an 802.3 frame."""
        return not_(self.cmp("linktype", 0, BPF_H, ETHERMTU, op=BPF_JGT))

    def _ether(self, proto: int) -> Test:
        if proto in _BOTH_SAPS:
            return and_(self._is_length(), self.cmp("llc", 0, BPF_H, proto << 8 | proto))
        if proto == LLCSAP_IPX:
            # Ethernet II; or 802.3 with the SAP, with no LLC header at all, or with SNAP.
            test = or_(self.cmp("llc", 0, BPF_B, proto), self.cmp("llc", 0, BPF_H, 0xFFFF))
            test = or_(self.snap(0, ETHERTYPE_IPX), test)
            test = and_(self._is_length(), test)
            return or_(self.cmp("linktype", 0, BPF_H, ETHERTYPE_IPX), test)
        if proto in (ETHERTYPE_ATALK, ETHERTYPE_AARP):
            first = self._is_length()
            test = and_(first, self.snap(0x080007 if proto == ETHERTYPE_ATALK else 0, proto))
            return or_(self.cmp("linktype", 0, BPF_H, proto), test)
        if proto <= ETHERMTU:
            return and_(self._is_length(), self.cmp("linktype", 2, BPF_B, proto))
        return self.cmp("linktype", 0, BPF_H, proto)

    def _sll(self, proto: int) -> Test:
        llc = self.cmp("linktype", 0, BPF_H, _SLL_802_2)
        if proto in _BOTH_SAPS:
            return and_(llc, self.cmp("llc", 0, BPF_H, proto << 8 | proto))
        if proto == LLCSAP_IPX:
            test = or_(self.cmp("llc", 0, BPF_B, proto), self.snap(0, ETHERTYPE_IPX))
            test = and_(llc, test)
            test = or_(self.cmp("linktype", 0, BPF_H, _SLL_802_3), test)
            return or_(self.cmp("linktype", 0, BPF_H, ETHERTYPE_IPX), test)
        if proto in (ETHERTYPE_ATALK, ETHERTYPE_AARP):
            test = and_(llc, self.snap(0x080007 if proto == ETHERTYPE_ATALK else 0, proto))
            return or_(self.cmp("linktype", 0, BPF_H, proto), test)
        if proto <= ETHERMTU:
            return and_(llc, self.cmp("linkhdr", self.payload.const, BPF_B, proto))
        return self.cmp("linktype", 0, BPF_H, proto)

    def _llc(self, proto: int) -> Test:
        if proto in _BOTH_SAPS:
            return self.cmp("llc", 0, BPF_H, proto << 8 | proto)
        if proto == LLCSAP_IPX:
            return self.cmp("llc", 0, BPF_B, proto)
        if proto == ETHERTYPE_ATALK:
            return self.snap(0x080007, proto)
        if proto <= ETHERMTU:
            return self.cmp("llc", 0, BPF_B, proto)
        # The Ethertype of a SNAP header: unlikely to stand there by chance, so nothing else is asked.
        return self.cmp("llc", 6, BPF_H, proto)

    def snap(self, oui: int, proto: int) -> Test:
        """Return the test for an LLC and SNAP header with *oui* and *proto*."""
        head = bytes((LLCSAP_SNAP, LLCSAP_SNAP, 3)) + oui.to_bytes(3, "big")
        test = self.octets("llc", 0, head + proto.to_bytes(2, "big"))
        assert test is not None
        return test

    def _loopback(self, proto: int) -> Test:
        if proto == ETHERTYPE_IP:
            return self._loopback_af(AF_INET)
        if proto == ETHERTYPE_IPV6:
            if not self.savefile:
                return self._loopback_af(_AF_INET6[0])
            test = or_(self._loopback_af(_AF_INET6[0]), self._loopback_af(_AF_INET6[1]))
            return or_(self._loopback_af(_AF_INET6[2]), test)
        return self.always(False)

    def _loopback_af(self, af: int) -> Test:
        # DLT_NULL and DLT_ENC have it in the order of the machine that captured: a little-endian one.
        if self.type in (DLT_NULL, DLT_ENC):
            af = int.from_bytes(af.to_bytes(4, "little"), "big")
        return self.cmp("linkhdr", 0, BPF_W, af)

    def _ppp_bsdos(self, proto: int) -> Test:
        if proto != ETHERTYPE_IP:
            return self.cmp("linktype", 0, BPF_H, _PPP.get(proto, proto))
        return self._any("linktype", 0, BPF_H, (_PPP[ETHERTYPE_IP], _PPP_VJC, _PPP_VJNC))

    def _mpls(self, proto: int) -> Test:
        version = {ETHERTYPE_IP: 0x40, ETHERTYPE_IPV6: 0x60}.get(proto)
        if version is None:
            raise FilterError("unsupported protocol over mpls")
        bottom = self.cmp("linkpl", -2, BPF_B, 0x01, 0x01)
        return and_(bottom, self.cmp("linkpl", 0, BPF_B, version, 0xF0))

    def data_frame(self) -> Test:
        """Return the test for an 802.11 data frame."""
        has_type = self.bits(0, 0x08)
        return and_(not_(self.bits(0, 0x04)), has_type)

    def prev_check(self) -> Test | None:
        """Return what must hold for an encapsulated link layer to be there at all; None: nothing."""
        if not self.geneve:
            return None
        # Geneve may carry IP directly: then link header and payload begin at the same place.
        stmts = [
            Stmt(BPF_LD | BPF_MEM, self.hdr.reg),
            Stmt(BPF_LDX | BPF_MEM, self.payload.reg),
        ]
        return not_(jump(BPF_JEQ | BPF_X, 0, stmts))

    def push(self, dlt: int, hdr: Offset) -> None:
        """Go into a link layer of type *dlt* whose header starts at *hdr*."""
        self.prevtype, self.prevhdr = self.type, self.hdr
        self.type, self.hdr = dlt, hdr
        self.geneve = False
