"""IPv4 (RFC 791) and the table of IP protocols."""

from __future__ import annotations

import struct
from typing import Final

from libnet.text.dump.icmp import icmp_print
from libnet.text.dump.ndo import (
    Ndo,
    Printer,
    cksum_shouldbe,
    lazy,
    tok2str,
    u2,
    u4,
)
from libnet.text.dump.numbers import IPPROTOS, protoname
from libnet.text.dump.tcp import tcp_print
from libnet.text.dump.udp import udp_print
from libnet.wire.cksum import in_cksum

_HDR: Final = struct.Struct("!BBHHHBBH").unpack_from
_OPTIONS: Final = {
    0: "EOL", 1: "NOP", 68: "timestamp", 130: "security", 7: "RR", 137: "SSRR", 131: "LSRR",
    148: "RA", 82: "traceroute",
}  # fmt: skip
_MF, _DF, _RSVD, _OFFMASK = 0x2000, 0x4000, 0x8000, 0x1FFF
_FRAGS: Final = tuple(
    ", ".join(
        word for bit, word in ((0x2000, "+"), (0x4000, "DF"), (0x8000, "rsvd")) if i << 13 & bit
    )
    or "none"
    for i in range(8)
)
_ECN: Final = ("", ",ECT(1)", ",ECT(0)", ",CE")
# Protocols whose printers tell the addresses themselves: they stand together with ports.
_WITH_PORTS: Final = frozenset((6, 17, 33, 132))
_AH, _ESP, _IGMP, _ICMP, _ICMP6, _OSPF, _VRRP, _PIM, _ETHERNET = (
    51, 50, 2, 1, 58, 89, 112, 103, 143,
)  # fmt: skip

# Printers of (ndo, b, o, length, iph) where *iph* is where the IP header is.
_WITH_HEADER: Final[dict[int, Printer]] = {
    132: lazy("sctp.sctp_print"),
    103: lazy("pim.pim_print"),
}
# Printers of (ndo, b, o, length).
_PLAIN: Final[dict[int, Printer]] = {
    41: lazy("ip6.ip6_print"),
    47: lazy("gre.gre_print"),
    108: lazy("esp.ipcomp_print"),
    88: lazy("eigrp.eigrp_print"),
    46: lazy("rsvp.rsvp_print"),
}
_ah = lazy("esp.ah_print")
_esp = lazy("esp.esp_print")
_igmp = lazy("igmp.igmp_print")
_icmp6 = lazy("icmp6.icmp6_print")
_ospf = lazy("ospf.ospf_print")
_ospf6 = lazy("ospf6.ospf6_print")
_vrrp = lazy("vrrp.vrrp_print")
_carp = lazy("vrrp.carp_print")
_ether = lazy("ether.ether_print")
_ip6 = lazy("ip6.ip6_print")


def ip_print(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    """Print an IPv4 datagram of *length* octets."""
    ndo.protocol = "ip"
    version = b[o] >> 4
    p = ndo.p
    if version != 4:
        p("IP6, wrong link-layer encapsulation" if version == 6 else f"IP{version}")
        ndo.invalid()
        return
    if not ndo.eflag:
        p("IP ")
    if o + 20 > len(b):
        ndo.trunc()
        return
    if length < 20:
        p(f"truncated-ip {length}")
        return
    vhl, tos, total, ident, off, ttl, nh, ip_sum = _HDR(b, o)
    hlen = (vhl & 15) * 4
    if hlen < 20:
        p(f"bad-hlen {hlen}")
        return
    if length < total:
        p(f"truncated-ip - {total - length} bytes missing! ")
    if total < hlen:
        p(f"bad-len {total}")
        return
    if o + total < len(b):
        b = b[: o + total]
    if ndo.vflag:
        p(
            f"(tos 0x{tos:x}{_ECN[tos & 3]}{f', ttl {ttl}' if ttl else ''}, id {ident}, "
            f"offset {(off & _OFFMASK) * 8}, flags [{_FRAGS[off >> 13]}], "
            f"proto {IPPROTOS.get(nh, 'unknown')} ({nh}), length {total}"
        )
        if not _verbose(ndo, b, o, hlen, ip_sum):
            return
    if off & _OFFMASK:
        if ndo.qflag > 1:
            return
        name = None if ndo.nflag else protoname(nh)
        name = name or f"ip-proto-{nh}"
        p(f"{ndo.ipaddr(b, o + 12)} > {ndo.ipaddr(b, o + 16)}: {name}")
        return
    if nh not in _WITH_PORTS:
        p(f"{ndo.ipaddr(b, o + 12)} > {ndo.ipaddr(b, o + 16)}: ")
    if o + hlen > len(b):
        p(f" [remaining caplen({len(b) - o}) < header length({hlen})]")
        ndo.longjmp()
    # The two that matter for speed go straight.
    if nh == 6:
        tcp_print(ndo, b, o + hlen, total - hlen, o, off & _MF)
    elif nh == 17:
        udp_print(ndo, b, o + hlen, total - hlen, o, off & _MF, ttl)
    else:
        ip_demux_print(ndo, b, o + hlen, total - hlen, 4, off & _MF, ttl, nh, o)


def _verbose(ndo: Ndo, b: bytes, o: int, hlen: int, ip_sum: int) -> bool:
    """Print options and a wrong checksum; return False if the packet ended in the options."""
    p = ndo.p
    whole = True
    if hlen > 20:
        p(", options (")
        whole = _options(ndo, b, o + 20, hlen - 20)
        if not whole:
            p(" [truncated-option]")
        p(")")
    if not ndo.Kflag and o + hlen <= len(b):
        computed = in_cksum(b[o : o + hlen])
        if computed:
            p(f", bad cksum {ip_sum:x} (->{cksum_shouldbe(ip_sum, computed):x})!")
    p(")\n    ")
    if not whole:
        p(f"{ndo.ipaddr(b, o + 12)} > {ndo.ipaddr(b, o + 16)}: ")
        ndo.trunc()
    return whole


def _options(ndo: Ndo, b: bytes, o: int, length: int) -> bool:
    """Print IP options; return False if they were not captured whole."""
    p = ndo.p
    sep = ""
    while length > 0:
        p(sep)
        sep = ","
        code = b[o]
        p(tok2str(_OPTIONS, "unknown %u", code))
        size = 1
        if code > 1:
            size = b[o + 1]
            if size < 2:
                p(f" [bad length {size}]")
                return True
        if size > length:
            p(f" [bad length {size}]")
            return True
        if o + size > len(b):
            return False
        if code == 0:
            return True
        if code == 68:
            if not _timestamps(ndo, b, o, size):
                return False
        elif code in (7, 131, 137):
            if not _route(ndo, b, o, size):
                return False
        elif code == 148:
            if size < 4:
                p(f" [bad length {size}]")
            elif u2(b, o + 2):
                p(f" value {u2(b, o + 2)}")
        o += size
        length -= size
    return True


def _route(ndo: Ndo, b: bytes, o: int, length: int) -> bool:
    """Print the addresses of a route; return False if one was not captured."""
    p = ndo.p
    if length < 3:
        p(f" [bad length {length}]")
        return True
    if length + 1 & 3:
        p(f" [bad length {length}]")
    ptr = (b[o + 2] - 1) & 0xFFFFFFFF
    if ptr < 3 or ptr + 1 & 3 or ptr > length + 1:
        p(f" [bad ptr {b[o + 2]}]")
    for at in range(3, length, 4):
        if o + at + 4 > len(b):
            return False
        p(f" {ndo.ipaddr(b, o + at)}")
        if ptr > at:
            p(",")
    return True


def _timestamps(ndo: Ndo, b: bytes, o: int, length: int) -> bool:
    """Print timestamps; return False if one was not captured."""
    p = ndo.p
    if length < 4:
        p(f"[bad length {length}]")
        return True
    p(" TS{")
    kind = b[o + 3] & 15
    hop = 8 if kind else 4
    if length - 4 & hop - 1:
        p(f"[bad length {length}]")
    ptr = (b[o + 2] - 1) & 0xFFFFFFFF
    at = 0
    if ptr < 4 or ptr - 4 & hop - 1 or ptr > length + 1:
        p(f"[bad ptr {b[o + 2]}]")
    word = {0: "TSONLY", 1: "TS+ADDR", 3: "PRESPEC"}.get(kind)
    if word is None:
        p(f"[bad ts type {kind}]")
    else:
        p(word)
        at = 4
        while at < length:
            if o + at + hop > len(b):
                return False
            sep = " ^ " if ptr == at else " "
            addr = ndo.ipaddr(b, o + at) if hop == 8 else ""
            p(f"{sep}{u4(b, o + at + hop - 4)}@{addr}")
            at += hop
    if ptr == at:
        p(" ^ ")
    missed = b[o + 3] >> 4
    p(f" [{missed} hops not recorded]}} " if missed else "}")
    return True


def ip_demux_print(
    ndo: Ndo,
    b: bytes,
    o: int,
    length: int,
    ver: int,
    fragmented: int,
    ttl: int,
    nh: int,
    iph: int,
) -> None:
    """Print the payload of IP protocol *nh*.

    ver         4 or 6
    fragmented  whether more fragments follow
    iph         where the IP header is
    """
    while nh == _AH:
        if o >= len(b):
            ndo.protocol = "ah"
            ndo.trunc()
            return
        nh = b[o]
        took = _ah(ndo, b, o)
        if took <= 0:
            return
        o += took
        length -= took
    if nh == 6:
        tcp_print(ndo, b, o, length, iph, fragmented)
    elif nh == 17:
        udp_print(ndo, b, o, length, iph, fragmented, ttl)
    elif nh in _PLAIN:
        _PLAIN[nh](ndo, b, o, length)
    elif nh in _WITH_HEADER:
        _WITH_HEADER[nh](ndo, b, o, length, iph)
    elif nh == 4:
        ip_print(ndo, b, o, length)
    elif nh == _ESP:
        _esp(ndo, b, o, length, iph, ver, fragmented, ttl)
    elif nh in _NEEDS and _NEEDS[nh] != ver:
        ndo.p(f"[{IPPROTOS[nh]} requires IPv{_NEEDS[nh]}]")
        ndo.invalid()
    elif nh == _ICMP:
        icmp_print(ndo, b, o, length, fragmented)
    elif nh == _ICMP6:
        _icmp6(ndo, b, o, length, iph, fragmented)
    elif nh == _IGMP:
        _igmp(ndo, b, o, length)
    elif nh == _ETHERNET:
        _ether(ndo, b, o, length)
    elif nh == _OSPF:
        if ver == 6:
            _ospf6(ndo, b, o, length)
        else:
            _ospf(ndo, b, o, length, iph)
    elif nh == _VRRP:
        if ndo.packettype == "carp":
            _carp(ndo, b, o, length, ttl)
        else:
            _vrrp(ndo, b, o, length, iph, ttl, ver)
    elif nh == 77:
        ndo.p(f" nd {length}")
    elif nh == 59:
        ndo.p("no next header")
    else:
        name = None if ndo.nflag else protoname(nh)
        ndo.p(f" {name or f'ip-proto-{nh}'} {length}")


_NEEDS: Final = {_ICMP: 4, _IGMP: 4, _ICMP6: 6, _ETHERNET: 6}


def ipn_print(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    """Print an IP datagram of whatever version."""
    ndo.protocol = "ipn"
    if length < 1:
        ndo.p(f"truncated-ip {length}")
        return
    version = b[o] >> 4
    if version == 4:
        ip_print(ndo, b, o, length)
    elif version == 6:
        _ip6(ndo, b, o, length)
    else:
        ndo.p(f"unknown ip {version}")
