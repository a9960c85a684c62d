"""UDP (RFC 768), and what is behind which port."""

from __future__ import annotations

from typing import Final

from libnet.text.dump.ndo import Ndo, Printer, cksum_shouldbe, lazy, u2
from libnet.text.dump.pseudo import nextproto_cksum

_NFS: Final = 2049
_aodv: Final = lazy("aodv.aodv_print")
_isakmp_udp: Final = lazy("isakmp.isakmp_udp_print")
_rfc3948: Final = lazy("isakmp.rfc3948_print")
# Behind either port, the first in the list winning; printers of (ndo, b, o, length).
_EITHER: Final[tuple[tuple[tuple[int, ...], Printer], ...]] = (
    ((53,), lazy("dns.domain_print")),
    ((5353,), lazy("dns.mdns_print")),
    ((69,), lazy("tftp.tftp_print")),
    ((67, 68), lazy("bootp.bootp_print")),
    ((520,), lazy("rip.rip_print")),
    ((500,), _isakmp_udp),
    ((4500,), _rfc3948),
    ((7500, 8500), _isakmp_udp),
    ((161, 162), lazy("snmp.snmp_print")),
    ((123,), lazy("ntp.ntp_print")),
    ((1701,), lazy("l2tp.l2tp_print")),
    ((521,), lazy("rip.ripng_print")),
    ((546, 547), lazy("dhcp6.dhcp6_print")),
    ((1645, 1812, 1646, 1813, 1700, 3799), lazy("radius.radius_print")),
    ((88, 750), lazy("krb.krb_print")),
    ((525,), lazy("timed.timed_print")),
    ((646,), lazy("ldp.ldp_print")),
    ((654,), _aodv),
    ((5060,), lazy("words.sip_print")),
    ((514,), lazy("syslog.syslog_print")),
    ((8472,), lazy("vxlan.otv_print")),
    ((4789,), lazy("vxlan.vxlan_print")),
    ((6081,), lazy("vxlan.geneve_print")),
    ((4790,), lazy("vxlan.vxlan_gpe_print")),
    ((1589,), lazy("vqp.vqp_print")),
    ((319, 320), lazy("ptp.ptp_print")),
    ((6635,), lazy("mpls.mpls_print")),
    ((30490,), lazy("someip.someip_print")),
)
_BY_PORT: Final = {
    port: (rank, printer) for rank, (ports, printer) in enumerate(_EITHER) for port in ports
}
_RADIUS_RANK: Final = _BY_PORT[1812][0]
_RIPNG_RANK: Final = _BY_PORT[521][0]
_AODV_RANK: Final = _BY_PORT[654][0]
# Behind this port alone as the sender's, whoever sends: it is the first of the dynamic ones.
_BCM_LI: Final = 49152
_bcm_li = lazy("bcmli.bcm_li_print")
# Behind the destination port alone: after which rank of the others it comes, and its printer.
_hsrp = lazy("hsrp.hsrp_print")
_bfd = lazy("bfd.bfd_print")
_TO: Final[dict[int, tuple[int, Printer]]] = {
    3456: (_RIPNG_RANK - 1, lazy("rtp.vat_print")),
    1985: (_RADIUS_RANK, _hsrp),
    **dict.fromkeys((3784, 3785, 4784, 6784), (_RADIUS_RANK, _bfd)),
}
_rpc = lazy("sunrpc.rpc_print")
_rtcp = lazy("rtp.rtcp_print")
_natt = lazy("isakmp.rfc3948_print")
_isakmp = lazy("isakmp.isakmp_print")

# What -T forces; printers of (ndo, b, o, length).
_FORCED: Final[dict[str, Printer]] = {
    "vat": lazy("rtp.vat_print"),
    "rtp": lazy("rtp.rtp_print"),
    "snmp": lazy("snmp.snmp_print"),
    "tftp": lazy("tftp.tftp_print"),
    "radius": lazy("radius.radius_print"),
    "vxlan": lazy("vxlan.vxlan_print"),
    "ptp": lazy("ptp.ptp_print"),
    "cnfp": lazy("netflow.cnfp_print"),
    "someip": lazy("someip.someip_print"),
    "domain": lazy("dns.domain_print"),
}


def _addresses(ndo: Ndo, b: bytes, iph: int, ports: tuple[int, int] | None) -> None:
    """Print who sends to whom."""
    if ports is None:
        src_port = dst_port = ""
    elif ndo.nflag:
        src_port, dst_port = str(ports[0]), str(ports[1])
    else:
        src_port, dst_port = ndo.udpport(ports[0]), ndo.udpport(ports[1])
    dot = "." if ports is not None else ""
    if b[iph] >> 4 != 6:
        if b[iph + 9] == 17:
            ndo.p(
                f"{ndo.ipaddr(b, iph + 12)}{dot}{src_port} > "
                f"{ndo.ipaddr(b, iph + 16)}{dot}{dst_port}: "
            )
            return
    elif b[iph + 6] == 17:
        ndo.p(
            f"{ndo.ip6addr(b, iph + 8)}{dot}{src_port} > "
            f"{ndo.ip6addr(b, iph + 24)}{dot}{dst_port}: "
        )
        return
    if ports is not None:
        ndo.p(f"{src_port} > {dst_port}: ")


def udp_print(ndo: Ndo, b: bytes, o: int, length: int, iph: int, fragmented: int, ttl: int) -> None:
    """Print a datagram of *length* octets; *iph* is where the IP header is."""
    ndo.protocol = "udp"
    have = len(b) - o
    if have < 4:
        _addresses(ndo, b, iph, None)
        ndo.trunc()
        return
    sport, dport = b[o] << 8 | b[o + 1], b[o + 2] << 8 | b[o + 3]
    p = ndo.p
    if ndo.packettype == "rpc" and length >= 8 and have >= 8 and u2(b, o + 4) >= 8:
        _rpc(ndo, b, o + 8, min(length, u2(b, o + 4)) - 8, iph)
        return
    if ndo.packettype == "carp" and length >= 8 and have >= 8 and u2(b, o + 4) >= 8:
        return  # a type that says nothing of UDP has nothing of it printed
    _addresses(ndo, b, iph, (sport, dport))
    if length < 8:
        p(f"truncated-udp {length}")
        return
    if have < 6:
        ndo.trunc()
        return
    ulen = b[o + 4] << 8 | b[o + 5]
    if ulen == 0 and length > 65535:
        ulen = length  # RFC 2675: a jumbogram
    if ulen < 8:
        p(f"truncated-udplength {ulen}")
        return
    ulen -= 8
    length = min(length - 8, ulen)
    at = o + 8
    if have < 8:
        ndo.trunc()
        return
    if ndo.packettype:
        _forced(ndo, b, at, length, iph)
        return
    if not ndo.qflag:
        if (dport == _NFS or sport == _NFS) and _nfs(ndo, b, at, length, iph, sport, dport):
            return
        if ndo.vflag and not ndo.Kflag and not fragmented:
            _cksum(ndo, b, o, length, iph)
        printer = _find(sport, dport)
        if printer is not None:
            if printer is _bfd:
                _bfd(ndo, b, at, length, dport)
            elif printer is _isakmp_udp:
                _isakmp(ndo, b, at, length, iph)
            elif printer is _rfc3948:
                _natt(ndo, b, at, length, iph, b[iph] >> 4, fragmented, ttl)
            elif printer is _aodv:
                _aodv(ndo, b, at, length, b[iph] >> 4 == 6)
            else:
                printer(ndo, b, at, length)
            return
    elif ndo.vflag and not ndo.Kflag and not fragmented:
        _cksum(ndo, b, o, length, iph)
    if ulen > length and not fragmented:
        p(f"UDP, bad length {ulen} > {length}")
    else:
        p(f"UDP, length {ulen}")


def _nfs(ndo: Ndo, b: bytes, at: int, length: int, iph: int, sport: int, dport: int) -> bool:
    """Print a call to NFS's port or a reply from it; return False if it is neither."""
    from libnet.text.dump.nfs import nfs_call, nfs_udp_print

    call = nfs_call(b, at)
    if (call and dport == _NFS) or (call is False and sport == _NFS):
        nfs_udp_print(ndo, b, at, length, iph, call=bool(call))
        return True
    return False


def _find(sport: int, dport: int) -> Printer | None:
    one, two = _BY_PORT.get(sport), _BY_PORT.get(dport)
    if one is None or (two is not None and two[0] < one[0]):
        one = two
    to = _TO.get(dport)
    if to is not None and (one is None or to[0] < one[0]):
        one = to
    if sport == _BCM_LI and (one is None or one[1] is _bfd or one[0] > _AODV_RANK):
        return _bcm_li
    return one[1] if one is not None else None


def _forced(ndo: Ndo, b: bytes, at: int, length: int, iph: int) -> None:
    if ndo.packettype == "aodv":
        _aodv(ndo, b, at, length, b[iph] >> 4 == 6)
        return
    if ndo.packettype == "rtcp":
        while at < len(b):
            at = _rtcp(ndo, b, at)
        return
    printer = _FORCED.get(ndo.packettype)
    if printer is not None:
        printer(ndo, b, at, length)


def _cksum(ndo: Ndo, b: bytes, o: int, length: int, iph: int) -> None:
    v4 = b[iph] >> 4 == 4
    if v4:
        # Over IPv4 the checksum may be missing, and is told only with -vv.
        if ndo.vflag < 2:
            return
        if u2(b, o + 6) == 0:
            ndo.p("[no cksum] ")
            return
    if o + 8 + length > len(b):
        return
    found = u2(b, o + 6)
    computed = nextproto_cksum(b, iph, o, length + 8, 17)
    if computed:
        right = cksum_shouldbe(found, computed)
        ndo.p(f"[bad udp cksum 0x{found:04x} -> 0x{right:04x}!] ")
    else:
        ndo.p("[udp sum ok] ")
