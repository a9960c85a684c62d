"""Packets that Linux netfilter logs (LINKTYPE_NFLOG), and those of Apple's pktap."""

from __future__ import annotations

from typing import Final

from libnet.text.dump import link
from libnet.text.dump.ip import ip_print
from libnet.text.dump.ndo import Ndo, lazy, le2, le4, need, tok2str, u2

_FAMILIES: Final = {2: "IPv4", 10: "IPv6"}
_PAYLOAD: Final = 9
_PKTAP: Final = 108
_ip6 = lazy("ip6.ip6_print")


def nflog_if_print(ndo: Ndo, b: bytes, length: int) -> None:
    """Print a packet behind what netfilter tells of it."""
    ndo.protocol = "nflog"
    p = ndo.p
    caplen = len(b)
    if caplen < 4:
        ndo.ll_hdr_len += caplen
        ndo.trunc()
        return
    ndo.ll_hdr_len += 4
    if b[1] != 0:
        p(f"version {b[1]} (unknown)")
        return
    if ndo.eflag:
        p(f"version {b[1]}, resource ID {u2(b, 2)}")
        if not ndo.qflag:
            p(f", family {tok2str(_FAMILIES, 'Unknown', b[0])} ({b[0]})")
            p(f", length {length}: ")
    at = 4
    size = kind = 0
    while at < caplen:
        if caplen - at < 4:
            ndo.trunc()
            return
        size, kind = _host2(b, at), _host2(b, at + 2)
        if kind == _PAYLOAD:
            at += 4
            break
        if size < 4:
            ndo.longjmp()
        size = size + 3 & ~3
        if size > caplen - at:
            ndo.longjmp()
        at += size
        ndo.ll_hdr_len += size
    else:
        return
    ndo.ll_hdr_len += 4
    if b[0] == 2:
        ip_print(ndo, b, at, length - at)
    elif b[0] == 10:
        _ip6(ndo, b, at, length - at)
    else:
        if not ndo.eflag:
            p(f"version {b[1]}, resource ID {u2(b, 2)}")
            p(f", family {tok2str(_FAMILIES, 'Unknown', b[0])} ({b[0]})")
            p(f", length {length}: ")
        if not ndo.suppress_default_print:
            ndo.default_print(b, at, caplen - at)


def _host2(b: bytes, o: int) -> int:
    """Return two octets as the machine that captured them wrote them: little end first."""
    return le2(b, o)


def pktap_if_print(ndo: Ndo, b: bytes, length: int) -> None:
    """Print a packet behind Apple's header, as its own link type says."""
    ndo.protocol = "pktap"
    p = ndo.p
    if length < _PKTAP:
        p(f" (packet too short, {length} < {_PKTAP})")
        ndo.invalid()
        return
    size = le4(b, 0)
    if size < _PKTAP:
        p(f" (pkt_len too small, {size} < {_PKTAP})")
        ndo.invalid()
        return
    if size > length:
        p(f" (pkt_len too big, {size} > {length})")
        ndo.invalid()
        return
    need(b, 0, size)
    dlt = le4(b, 8)
    if ndo.eflag:
        _pktap_header(ndo, b, dlt, size, length)
    length -= size
    kind = le4(b, 4)
    if kind == 0:
        p("None")
    elif kind == 1:
        ndo.ll_hdr_len = 0
        if link.has_printer(dlt):
            link.print_link(ndo, dlt, b[size:], length)
            ndo.ll_hdr_len += size
        else:
            if not ndo.eflag:
                _pktap_header(ndo, b, dlt, size, length + size)
            if not ndo.suppress_default_print:
                ndo.default_print(b, size, len(b) - size)
    else:
        p("UNKNOWN")


def _pktap_header(ndo: Ndo, b: bytes, dlt: int, size: int, length: int) -> None:
    from libnet.ioctl.dlt import dlt_name

    ndo.p(f"DLT {dlt_name(dlt)} ({dlt}) len {size}, length {length}: ")
