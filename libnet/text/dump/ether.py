"""Ethernet (IEEE 802.3), VLAN tags (802.1Q, 802.1ad) and the table of Ethertypes."""

from __future__ import annotations

from typing import Final

from libnet.text.dump.arp import arp_print
from libnet.text.dump.ip import ip_print
from libnet.text.dump.ndo import Ndo, Printer, lazy, tok2str, u2
from libnet.text.dump.numbers import ETHERTYPES

MAX_ETHERNET_LENGTH_VAL: Final = 1500
_TAGS: Final = frozenset((0x8100, 0x9100, 0x9200, 0x88A8))
_JUMBO: Final = 0x8870
_MACSEC: Final = 0x88E5

# Ends of a frame, as octets and the place of a MAC address in them; None where there are none.
Address = tuple[bytes, int] | None

# Printers of (ndo, b, o, length) by Ethertype.
_TYPES: Final[dict[int, Printer]] = {
    0x0800: ip_print,
    0x86DD: lazy("ip6.ip6_print"),
    0x0806: arp_print,
    0x8035: arp_print,
    0x8863: lazy("pppoe.pppoe_print"),
    0x8864: lazy("pppoe.pppoe_print"),
    0x3C12: lazy("pppoe.pppoe_print"),
    0x3C13: lazy("pppoe.pppoe_print"),
    0x888E: lazy("eap.eapol_print"),
    0x880B: lazy("ppp.ppp_ethertype_print"),
    0x8809: lazy("slow.slow_print"),
    0x88CC: lazy("lldp.lldp_print"),
    0x9000: lazy("loopback.loopback_print"),
    0x8847: lazy("mpls.mpls_print"),
    0x8848: lazy("mpls.mpls_print"),
    0x88F7: lazy("ptp.ptp_print"),
    0x894F: lazy("nsh.nsh_print"),
}
_macsec = lazy("macsec.macsec_print")


def tci(tag: int) -> str:
    """Return the text of the two octets after a VLAN tag's Ethertype."""
    return f"vlan {tag & 0xFFF}, p {tag >> 13}{', DEI' if tag & 0x1000 else ''}"


def _type_print(ndo: Ndo, kind: int) -> None:
    if ndo.qflag:
        ndo.p(tok2str(ETHERTYPES, "Unknown Ethertype (0x%04x)", kind))
    else:
        ndo.p(f"ethertype {ETHERTYPES.get(kind, 'Unknown')} (0x{kind:04x})")


def ether_if_print(ndo: Ndo, b: bytes, length: int) -> None:
    """Print an Ethernet frame off the wire (DLT_EN10MB)."""
    ndo.ll_hdr_len += ether_print(ndo, b, 0, length)


def ether_print(ndo: Ndo, b: bytes, o: int, length: int, encap: str = "") -> int:
    """Print the frame at *o*; return the length of its header.

    encap  what stands before it
    """
    ndo.protocol = "ether"
    caplen = len(b) - o
    if length < caplen:
        ndo.p(f"[length {length} < caplen {caplen}]")
        ndo.invalid()
        return length
    if caplen < 14:
        ndo.trunc()
        return caplen
    if encap:
        ndo.p(encap)
    if ndo.eflag:
        ndo.p(f"{ndo.etheraddr(b, o + 6)} > {ndo.etheraddr(b, o)}, ")
    kind = b[o + 12] << 8 | b[o + 13]
    if not ndo.eflag:
        # The common case, without the ways around it.
        printer = _TYPES.get(kind)
        if printer is not None:
            printer(ndo, b, o + 14, length - 14)
            return 14
    return _ether_type(ndo, b, o, o + 14, length - 14, kind)


def _ether_type(ndo: Ndo, b: bytes, o: int, at: int, length: int, kind: int) -> int:
    """Print what follows the length/type field *kind*, which ends at *at*; return header octets."""
    whole = length + at - o
    told = False
    src, dst = (b, o + 6), (b, o)
    while kind in _TAGS or kind == _MACSEC:
        if kind == _MACSEC:
            if ndo.eflag:
                _type_print(ndo, kind)
                ndo.p(", " if told else f", length {whole}: ")
                told = True
            ends = f"{ndo.etheraddr(*src)} > {ndo.etheraddr(*dst)}"
            secured = _macsec(ndo, b, at, length, ends)
            if secured is None:
                return at - o + min(len(b) - at, length)
            at, length = secured.at, secured.length
            if not secured.clear:
                if not ndo.suppress_default_print:
                    ndo.default_print(b, at, len(b) - at)
                return at - o
            b = b[: secured.end]
            if min(len(b) - at, length) < 2:
                ndo.p(f" [caplen {min(len(b) - at, length)} < 2]")
                return at - o
            kind = u2(b, at)
            at += 2
            length -= 2
            continue
        if len(b) - at < 4 or length < 4:
            ndo.protocol = "vlan"
            ndo.trunc()
            return at - o + min(len(b) - at, length)
        if ndo.eflag:
            _type_print(ndo, kind)
            ndo.p(", " if told else f", length {whole}: ")
            told = True
            ndo.p(tci(b[at] << 8 | b[at + 1]) + ", ")
        kind = b[at + 2] << 8 | b[at + 3]
        at += 4
        length -= 4
    if kind <= MAX_ETHERNET_LENGTH_VAL:
        # A length: what is after it on the wire is padding.
        length = min(length, kind)
        b = b[: at + length]
        if ndo.eflag:
            ndo.p("802.3")
            if not told:
                ndo.p(f", length {length}: ")
        return at - o + _llc(ndo, b, at, length, src, dst)
    if kind == _JUMBO:
        return at - o + _llc(ndo, b, at, length, src, dst)
    if ndo.eflag:
        _type_print(ndo, kind)
        ndo.p(", " if told else f", length {whole}: ")
    if not ethertype_print(ndo, kind, b, at, length, src, dst):
        if not ndo.eflag:
            ndo.p(f"{ndo.etheraddr(b, o + 6)} > {ndo.etheraddr(b, o)}, ")
            _type_print(ndo, kind)
            ndo.p(f", length {whole}: ")
        if not ndo.suppress_default_print:
            ndo.default_print(b, at, len(b) - at)
    return at - o


def _llc(ndo: Ndo, b: bytes, at: int, length: int, src: Address, dst: Address) -> int:
    from libnet.text.dump.llc import llc_print

    took = llc_print(ndo, b, at, length, src, dst)
    if took < 0:
        if not ndo.suppress_default_print:
            ndo.default_print(b, at, len(b) - at)
        took = -took
    return took


def ethertype_print(
    ndo: Ndo, kind: int, b: bytes, o: int, length: int, src: Address = None, dst: Address = None
) -> bool:
    """Print the payload of Ethertype *kind*; return whether there is a printer for it."""
    printer = _TYPES.get(kind)
    if printer is None:
        return False
    printer(ndo, b, o, length)
    return True
