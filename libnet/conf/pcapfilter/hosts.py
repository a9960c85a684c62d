"""Tests of addresses: IPv4 and IPv6 hosts and networks, link addresses, DECnet; broadcast, multicast."""

from __future__ import annotations

from typing import Final

from libnet.conf.pcapfilter import wlan
from libnet.conf.pcapfilter.graph import Test, and_, or_
from libnet.conf.pcapfilter.link import (
    DLT_ARCNET,
    DLT_ARCNET_LINUX,
    DLT_EN10MB,
    DLT_FDDI,
    DLT_IEEE802,
    DLT_IP_OVER_FC,
    ETHERTYPE_ARP,
    ETHERTYPE_DN,
    ETHERTYPE_IP,
    ETHERTYPE_IPV6,
    ETHERTYPE_REVARP,
    WLAN_PPI,
    Link,
)
from libnet.conf.pcapfilter.program import FilterError
from libnet.ioctl.bpf import BPF_B, BPF_H, BPF_JGE, BPF_W

NETMASK_UNKNOWN: Final = 0xFFFFFFFF
ETHER_BROADCAST: Final = b"\xff" * 6
_ARC_BROADCAST: Final = b"\0"
_ONLY: Final = "only supported on 802.11"
_ETHER_LINKS: Final = "ethernet/FDDI/token ring/802.11/ATM LANE/Fibre Channel"
# Where source and destination stand in the link header.
_MAC: Final = {DLT_EN10MB: (6, 0), DLT_FDDI: (7, 1), DLT_IEEE802: (8, 2), DLT_IP_OVER_FC: (10, 2)}
_ARC: Final = (DLT_ARCNET, DLT_ARCNET_LINUX)
# Protocols with addresses that are not looked at.
_UNDONE: Final = ("lat", "sca", "moprc", "mopdl", "aarp", "iso", "ipx")


def _direction(dir: str, one: Test, two: Test) -> Test:
    return and_(one, two) if dir == "and" else or_(one, two)


def _wlan_only(dir: str, where: str) -> FilterError:
    """Return the complaint about a direction that only 802.11 addresses have.

    where  "" for addresses that are not link addresses, else what the direction is supported on
    """
    if dir in ("ra", "ta"):
        what, is_not = f"'{dir}' is", "not a valid qualifier"
    else:
        what, is_not = f"'{dir}' and 'address{dir[-1]}' are", "not valid qualifiers"
    if where:
        return FilterError(f"{what} {where}")
    return FilterError(f"{what} {is_not} for addresses other than 802.11 MAC addresses")


# -- IPv4


def host(link: Link, addr: int, mask: int, proto: str, dir: str, kind: str) -> Test:
    """Return the test of an IPv4 address under a mask, host integers; *kind* is "host" or "net".

    Raises FilterError for protocols and directions that have none.
    """
    match proto:
        case "":
            test = host(link, addr, mask, "ip", dir, kind)
            if not link.labels:
                test = or_(test, host(link, addr, mask, "arp", dir, kind))
                test = or_(test, host(link, addr, mask, "rarp", dir, kind))
            return test
        case "ip":
            return _host(link, addr, mask, dir, ETHERTYPE_IP, 12, 16)
        case "arp":
            return _host(link, addr, mask, dir, ETHERTYPE_ARP, 14, 24)
        case "rarp":
            return _host(link, addr, mask, dir, ETHERTYPE_REVARP, 14, 24)
        case "decnet":
            return decnet(link, addr, dir)
        case "link":
            raise FilterError(f"link-layer modifier applied to {kind}")
        case "ip6":
            raise FilterError("'ip6' modifier applied to ip host")
        case "atalk":
            raise FilterError("AppleTalk host filtering not implemented")
        case _ if proto in _UNDONE:
            raise FilterError(f"{proto.upper()} host filtering not implemented")
        case _:
            raise FilterError(f"'{proto}' modifier applied to {kind}")


def _host(link: Link, addr: int, mask: int, dir: str, etype: int, src: int, dst: int) -> Test:
    match dir:
        case "src" | "dst":
            first = link.carries(etype)
            at = src if dir == "src" else dst
            return and_(first, link.cmp("linkpl", at, BPF_W, addr, mask))
        case "and" | "or" | "":
            one = _host(link, addr, mask, "src", etype, src, dst)
            return _direction(dir, one, _host(link, addr, mask, "dst", etype, src, dst))
        case _:
            raise _wlan_only(dir, "")


# -- IPv6


def host6(link: Link, addr: bytes, mask: bytes, proto: str, dir: str, kind: str) -> Test:
    """Return the test of an IPv6 address under a mask, 16 octets each. Raises FilterError."""
    match proto:
        case "" | "ip6":
            return _host6(link, addr, mask, dir, 8, 24)
        case "link":
            raise FilterError(f"link-layer modifier applied to ip6 {kind}")
        case "atalk":
            raise FilterError(f"AppleTalk modifier applied to ip6 {kind}")
        case _:
            raise FilterError(f"'{proto}' modifier applied to ip6 {kind}")


def _host6(link: Link, addr: bytes, mask: bytes, dir: str, src: int, dst: int) -> Test:
    match dir:
        case "src" | "dst":
            base = src if dir == "src" else dst
            test: Test | None = None
            for at in (12, 8, 4, 0):
                value = int.from_bytes(addr[at : at + 4], "big")
                bits = int.from_bytes(mask[at : at + 4], "big")
                part = link.cmp("linkpl", base + at, BPF_W, value, bits)
                # The first word is asked first: the last ones differ between neighbours.
                test = part if test is None else and_(part, test)
            assert test is not None
            return and_(link.carries(ETHERTYPE_IPV6), test)
        case "and" | "or" | "":
            one = _host6(link, addr, mask, "src", src, dst)
            return _direction(dir, one, _host6(link, addr, mask, "dst", src, dst))
        case _:
            raise _wlan_only(dir, "")


# -- link addresses


def ether(link: Link, octets: bytes, dir: str) -> Test | None:
    """Return the test of a link address; None where the link type has none. Raises FilterError."""
    if link.type in WLAN_PPI:
        return wlan.host(link, octets, dir)
    places = _MAC.get(link.type)
    if places is None:
        return None
    check = link.prev_check() if link.type == DLT_EN10MB else None
    only = f"{_ONLY} with 802.11 headers" if link.type == DLT_EN10MB else _ONLY
    test = _at(link, octets, dir, places, only)
    return test if check is None else and_(check, test)


def _at(link: Link, octets: bytes, dir: str, places: tuple[int, int], only: str) -> Test:
    if dir in ("src", "dst"):
        test = link.octets("linkhdr", places[0] if dir == "src" else places[1], octets)
        assert test is not None
        return test
    if dir not in ("and", "or", ""):
        raise _wlan_only(dir, only)
    one = _at(link, octets, "src", places, only)
    return _direction(dir, one, _at(link, octets, "dst", places, only))


def ether_host(link: Link, octets: bytes, proto: str, dir: str, kind: str) -> Test:
    """Return the test of an Ethernet address written in numbers. Raises FilterError."""
    if kind not in ("", "host") or proto != "link":
        raise FilterError("ethernet address used in non-ether expression")
    test = ether(link, octets, dir)
    if test is None:
        raise FilterError(f"ethernet addresses supported only on {_ETHER_LINKS}")
    return test


def arcnet_host(link: Link, octet: bytes, proto: str, dir: str, kind: str) -> Test:
    """Return the test of an ARCnet address. Raises FilterError."""
    if link.type not in _ARC:
        raise FilterError("aid supported only on ARCnet")
    if kind not in ("", "host") or proto != "link":
        raise FilterError("ARCnet address used in non-arc expression")
    return _at(link, octet, dir, (0, 1), _ONLY)


# -- DECnet


def decnet(link: Link, addr: int, dir: str) -> Test:
    """Return the test of a DECnet node in data packets with long or short headers, padded or not."""
    match dir:
        case "src":
            short, long = 3, 15
        case "dst":
            short, long = 1, 7
        case "and" | "or" | "":
            one = decnet(link, addr, "src")
            return _direction(dir, one, decnet(link, addr, "dst"))
        case _:
            raise _wlan_only(dir, "")
    swapped = (addr & 0xFF) << 8 | addr >> 8 & 0xFF
    first = link.carries(ETHERTYPE_DN)
    test: Test | None = None
    for flags, at in ((6, long), (2, short)):
        for pad in (1, 0):
            if pad:
                kind = link.cmp("linkpl", 2, BPF_H, 0x8100 | flags, 0xFF07)
            else:
                kind = link.cmp("linkpl", 2, BPF_B, flags, 0x7)
            part = and_(kind, link.cmp("linkpl", 2 + pad + at, BPF_H, swapped))
            test = part if test is None else or_(part, test)
    assert test is not None
    return and_(first, test)


# -- broadcast and multicast


def broadcast(link: Link, proto: str, netmask: int) -> Test:
    """Return the test for a broadcast. Raises FilterError."""
    if proto in ("", "link"):
        if link.type in _ARC:
            return _at(link, _ARC_BROADCAST, "dst", (0, 1), _ONLY)
        test = ether(link, ETHER_BROADCAST, "dst")
        if test is None:
            raise FilterError("not a broadcast link")
        return test
    if proto != "ip":
        raise FilterError("only link-layer/IP broadcast filters supported")
    if netmask == NETMASK_UNKNOWN:
        raise FilterError("netmask not known, so 'ip broadcast' not supported")
    first = link.carries(ETHERTYPE_IP)
    hosts = ~netmask & 0xFFFFFFFF
    zeros = link.cmp("linkpl", 16, BPF_W, 0, hosts)
    return and_(first, or_(zeros, link.cmp("linkpl", 16, BPF_W, hosts, hosts)))


def multicast(link: Link, proto: str) -> Test:
    """Return the test for a multicast. Raises FilterError."""
    match proto:
        case "" | "link":
            if link.type in _ARC:
                return _at(link, _ARC_BROADCAST, "dst", (0, 1), _ONLY)
            if link.type in WLAN_PPI:
                return wlan.multicast(link)
            places = _MAC.get(link.type)
            if places is not None:
                check = link.prev_check() if link.type == DLT_EN10MB else None
                test = link.bits(places[1], 1)
                return test if check is None else and_(check, test)
        case "ip":
            first = link.carries(ETHERTYPE_IP)
            return and_(first, link.cmp("linkpl", 16, BPF_B, 224, op=BPF_JGE))
        case "ip6":
            first = link.carries(ETHERTYPE_IPV6)
            return and_(first, link.cmp("linkpl", 24, BPF_B, 255))
    links = _ETHER_LINKS.replace("ring/", "ring/ARCNET/")
    raise FilterError(f"link-layer multicast filters supported only on {links}")
