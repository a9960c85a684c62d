"""Link types: which printer is for which, and the plain ones; print_packet() is the way in."""

from __future__ import annotations

from typing import Final

from libnet.text.dump.ether import ether_if_print
from libnet.text.dump.ip import ip_print, ipn_print
from libnet.text.dump.ndo import MAXIMUM_SNAPLEN, TRUNCATED, Ndo, Printer, lazy, need, tok2str
from libnet.text.dump.numbers import BSD_FAMILIES


def null_if_print(ndo: Ndo, b: bytes, length: int) -> None:
    """Print a packet of the loopback, behind its address family (DLT_NULL, DLT_LOOP)."""
    ndo.protocol = "null"
    need(b, 0, 4)
    ndo.ll_hdr_len += 4
    family = int.from_bytes(b[:4], "little")
    if family & 0xFFFF0000:
        # Written by a machine of the other byte order, or DLT_LOOP, which is network order.
        family = int.from_bytes(b[:4], "big")
    if ndo.eflag:
        _null_header(ndo, family, length)
    if family == 2:
        ip_print(ndo, b, 4, length - 4)
    elif family in (24, 28, 30):
        _ip6(ndo, b, 4, length - 4)
    elif family == _ISO:
        _isoclns(ndo, b, 4, length - 4)
    else:
        if not ndo.eflag:
            _null_header(ndo, family, length)
        if not ndo.suppress_default_print:
            ndo.default_print(b, 4, len(b) - 4)


def _null_header(ndo: Ndo, family: int, length: int) -> None:
    if ndo.qflag:
        ndo.p(tok2str(BSD_FAMILIES, "Unknown AF %u", family))
    else:
        ndo.p(f"AF {BSD_FAMILIES.get(family, 'Unknown')} ({family})")
    ndo.p(f", length {length}: ")


def raw_if_print(ndo: Ndo, b: bytes, length: int) -> None:
    """Print a packet without any link header (DLT_RAW)."""
    ndo.protocol = "raw"
    if ndo.eflag:
        ndo.p("ip: ")
    ipn_print(ndo, b, 0, length)


_ip6 = lazy("ip6.ip6_print")
_isoclns = lazy("isoclns.isoclns_print")
_ISO: Final = 7

# Printers of (ndo, b, length) by link type.
_PRINTERS: Final[dict[int, Printer]] = {
    0: null_if_print,
    1: ether_if_print,
    9: lazy("ppp.ppp_if_print"),
    12: raw_if_print,
    50: lazy("ppp.ppp_hdlc_if_print"),
    51: lazy("pppoe.pppoe_if_print"),
    101: raw_if_print,
    104: lazy("chdlc.chdlc_if_print"),
    105: lazy("ieee80211.ieee802_11_if_print"),
    108: null_if_print,
    109: lazy("enc.enc_if_print"),
    113: lazy("sll.sll_if_print"),
    117: lazy("pflog.pflog_if_print"),
    119: lazy("radiotap.prism_if_print"),
    127: lazy("radiotap.ieee802_11_radio_if_print"),
    149: lazy("nflog.pktap_if_print"),
    163: lazy("radiotap.avs_if_print"),
    166: lazy("ppp.ppp_if_print"),
    228: raw_if_print,
    229: raw_if_print,
    239: lazy("nflog.nflog_if_print"),
    258: lazy("nflog.pktap_if_print"),
    276: lazy("sll.sll2_if_print"),
}


def has_printer(linktype: int) -> bool:
    """Return whether packets of that link type can be told apart."""
    return linktype in _PRINTERS


def print_link(ndo: Ndo, linktype: int, b: bytes, length: int) -> None:
    """Print a packet of a link type that has_printer() knows."""
    _PRINTERS[linktype](ndo, b, length)


def _unsupported(ndo: Ndo, b: bytes, length: int) -> None:
    ndo.protocol = "unsupported"
    ndo.p("UNSUPPORTED")
    ndo.default_print(b, 0, len(b))


def print_packet(
    ndo: Ndo, linktype: int, b: bytes, length: int, sec: int, frac: int, number: int = 0
) -> str:
    """Return the lines of a packet, the last with its newline.

    b          the octets that were captured
    length     octets of the packet on the wire
    sec, frac  when, as Ndo.ts_print() takes it
    number     its place in the capture, for -#
    """
    p = ndo.p
    if ndo.number:
        p(f"{number:5d}  ")
    caplen = len(b)
    if not 0 < caplen <= length <= MAXIMUM_SNAPLEN:
        p(f"[Invalid header:{_invalid(caplen, length)}]\n")
        return ndo.taken()
    ndo.ts_print(sec, frac)
    ndo.protocol = ""
    ndo.ll_hdr_len = 0
    try:
        _PRINTERS.get(linktype, _unsupported)(ndo, b, length)
    except TRUNCATED:
        ndo.trunc()
        ndo.ll_hdr_len = 0
    except RecursionError:
        # Headers inside of headers without end; a thousand are enough.
        ndo.trunc()
        ndo.ll_hdr_len = 0
    if ndo.Xflag or ndo.xflag or ndo.Aflag:
        _dump(ndo, b, caplen)
    p("\n")
    return ndo.taken()


def _invalid(caplen: int, length: int) -> str:
    why = []
    if caplen == 0:
        why.append(" caplen==0")
    if length == 0:
        why.append(" len==0")
    elif length < caplen:
        why.append(f" len({length}) < caplen({caplen})")
    if caplen > MAXIMUM_SNAPLEN:
        why.append(f" caplen({caplen}) > {MAXIMUM_SNAPLEN}")
    if length > MAXIMUM_SNAPLEN:
        why.append(f" len({length}) > {MAXIMUM_SNAPLEN}")
    return ",".join(why)


def _dump(ndo: Ndo, b: bytes, caplen: int) -> None:
    """Print the octets as -A, -x or -X ask; given once they leave the link header out."""
    if ndo.Xflag:
        show, flag = ndo.hex_and_ascii_print, ndo.Xflag
    else:
        show, flag = ndo.hex_print, ndo.xflag
    start = 0 if (flag or ndo.Aflag) > 1 else ndo.ll_hdr_len
    if caplen <= start:
        return
    if flag:
        show("\n\t", b, start, caplen - start)
    else:
        ndo.ascii_print(b, start, caplen - start)
