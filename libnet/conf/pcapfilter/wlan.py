"""Tests of 802.11 frames: addresses, whose places depend on the frame control field (IEEE 802.11 9.2).

Octet 0 of the header has the type (0x0c: management 0, control 4, data 8) and the subtype (0xf0),
octet 1 has To DS (1) and From DS (2).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from libnet.conf.pcapfilter.graph import Test, and_, not_, or_
from libnet.conf.pcapfilter.link import Link
from libnet.ioctl.bpf import BPF_B

TYPE_MASK: Final = 0x0C
SUBTYPE_MASK: Final = 0xF0
DIR_MASK: Final = 0x03
_CTL: Final = 0x04
_CTS: Final = 0xC0
_ACK: Final = 0xD0

TYPES: Final = {"data": 0x08, "mgt": 0x00, "management": 0x00, "ctl": 0x04, "control": 0x04}
_MGT: Final = {
    "assocreq": 0x00,
    "assoc-req": 0x00,
    "assocresp": 0x10,
    "assoc-resp": 0x10,
    "reassocreq": 0x20,
    "reassoc-req": 0x20,
    "reassocresp": 0x30,
    "reassoc-resp": 0x30,
    "probereq": 0x40,
    "probe-req": 0x40,
    "proberesp": 0x50,
    "probe-resp": 0x50,
    "beacon": 0x80,
    "atim": 0x90,
    "disassoc": 0xA0,
    "disassociation": 0xA0,
    "auth": 0xB0,
    "authentication": 0xB0,
    "deauth": 0xC0,
    "deauthentication": 0xC0,
}
_CONTROL: Final = {
    "ps-poll": 0xA0,
    "rts": 0xB0,
    "cts": 0xC0,
    "ack": 0xD0,
    "cf-end": 0xE0,
    "cf-end-ack": 0xF0,
}
_DATA: Final = {
    "data": 0x00,
    "data-cf-ack": 0x10,
    "data-cf-poll": 0x20,
    "data-cf-ack-poll": 0x30,
    "null": 0x40,
    "cf-ack": 0x50,
    "cf-poll": 0x60,
    "cf-ack-poll": 0x70,
    "qos-data": 0x80,
    "qos-data-cf-ack": 0x90,
    "qos-data-cf-poll": 0xA0,
    "qos-data-cf-ack-poll": 0xB0,
    "qos": 0xC0,
    "qos-cf-poll": 0xE0,
    "qos-cf-ack-poll": 0xF0,
}
# Subtype names by type, in the order in which a lone `subtype` looks them up.
SUBTYPES: Final = {0x00: _MGT, 0x04: _CONTROL, 0x08: _DATA}
DIRECTIONS: Final = {"nods": 0, "tods": 1, "fromds": 2, "dstods": 3}

At = Callable[[int], Test]


def _address(link: Link, octets: bytes) -> At:
    """Return what makes the test that *octets* stand at an offset of the header."""

    def at(offset: int) -> Test:
        test = link.octets("linkhdr", offset, octets)
        assert test is not None
        return test

    return at


def source(link: Link, at: At) -> Test:
    """Return the test of the source address. Control frames have none."""
    test = and_(link.bits(1, 0x01), at(24))  # To DS and From DS
    other = and_(not_(link.bits(1, 0x01)), at(16))  # From DS
    test = or_(other, test)
    test = and_(link.bits(1, 0x02), test)
    other = and_(not_(link.bits(1, 0x02)), at(10))
    test = or_(other, test)
    return _data_or_management(link, test, at(10))


def destination(link: Link, at: At) -> Test:
    """Return the test of the destination address. Control frames have none."""
    test = and_(link.bits(1, 0x01), at(16))  # To DS
    other = and_(not_(link.bits(1, 0x01)), at(4))
    test = or_(other, test)
    return _data_or_management(link, test, at(4))


def _data_or_management(link: Link, data: Test, management: Test) -> Test:
    test = and_(link.bits(0, 0x08), data)
    other = and_(not_(link.bits(0, 0x08)), management)
    test = or_(other, test)
    return and_(not_(link.bits(0, 0x04)), test)


def _has_addr2(link: Link) -> Test:
    """Return the test for a frame that is neither CTS nor ACK."""
    no_ctl = not_(link.cmp("linkhdr", 0, BPF_B, _CTL, TYPE_MASK))
    no_cts = not_(link.cmp("linkhdr", 0, BPF_B, _CTS, SUBTYPE_MASK))
    no_ack = not_(link.cmp("linkhdr", 0, BPF_B, _ACK, SUBTYPE_MASK))
    return or_(no_ctl, and_(no_cts, no_ack))


def host(link: Link, octets: bytes, dir: str) -> Test:
    """Return the test of an address: src, dst, their combinations, addr1 … addr4, ra, ta."""
    at = _address(link, octets)
    match dir:
        case "src":
            return source(link, at)
        case "dst":
            return destination(link, at)
        case "and":
            one = source(link, at)
            return and_(one, destination(link, at))
        case "addr1":
            return at(4)
        case "addr2":
            first = _has_addr2(link)
            return and_(first, at(10))
        case "addr3":
            no_ctl = not_(link.cmp("linkhdr", 0, BPF_B, _CTL, TYPE_MASK))
            return and_(no_ctl, at(16))
        case "addr4":
            both = link.cmp("linkhdr", 1, BPF_B, 3, DIR_MASK)
            return and_(both, at(24))
        case "ra":
            return and_(link.bits(0, 0x08), at(4))
        case "ta":
            first = _has_addr2(link)
            first = and_(link.bits(0, 0x08), first)
            return and_(first, at(10))
        case _:
            one = source(link, at)
            return or_(one, destination(link, at))


def multicast(link: Link) -> Test:
    """Return the test that the destination address is a group."""
    return destination(link, lambda offset: link.bits(offset, 1))
