"""Passive fingerprints: whose SYN it was."""

from __future__ import annotations

import pytest

from libnet.engine.pf.osfp import Osfp
from libnet.errors import NetError
from libnet.ioctl import pf as p
from tests.engine.pf.pflab import ACK, SYN, A, B, ip4, tcp, udp

OS = """\
S4:64:1:60:M*,S,T,N,W2:Linux:2.6::Linux 2.6
16384:128:1:48:M*,N,N,S:Windows:XP:SP1:Windows XP SP1
%8192:64:0:44:M1460:Odd:1::Odd 1
*:255:1:40:.:Bare:::Bare
"""
LINUX = b"\x02\x04\x05\xb4\x04\x02\x08\x0a\0\0\0\1\0\0\0\0\x01\x03\x03\x02"
WINDOWS = b"\x02\x04\x05\xb4\x01\x01\x04\x02"
ODD = b"\x02\x04\x05\xb4"
DF = 0x4000


@pytest.fixture
def oslab(lab):
    lab.box.write("/etc/pf.os", OS)
    return lab


def syn(win: int, options: bytes, ttl: int = 64, off: int = DF) -> bytes:
    return tcp(A, 1, B, 80, SYN, 1, options=options, win=win, ttl=ttl, off=off)


CASES = [
    # window, options, ttl, DF; system
    (4 * 1460, LINUX, 64, DF, "Linux"),
    (4 * 1460, LINUX, 30, DF, "Linux"),
    (4 * 1460, LINUX, 23, DF, "unknown"),
    (4 * 1460, LINUX, 65, DF, "unknown"),
    (5 * 1460, LINUX, 64, DF, "unknown"),
    (4 * 1460, LINUX, 64, 0, "unknown"),
    (16384, WINDOWS, 120, DF, '"Windows XP"'),
    (8192 * 3, ODD, 60, 0, "Odd"),
    (8192 * 3 + 1, ODD, 60, 0, "unknown"),
    (77, b"", 250, DF, "Bare"),
]


@pytest.mark.parametrize(("win", "options", "ttl", "off", "system"), CASES)
def test_systems(oslab, win, options, ttl, off, system):
    others = {"Linux", '"Windows XP"', "Odd", "Bare", "unknown"} - {system}
    oslab.rules(f"block in\npass in proto tcp from any os {system} no state\npass out no state")
    oslab.left.send(syn(win, options, ttl, off))
    assert len(oslab.right.take()) == 1
    oslab.rules(
        "pass no state\n" + f"block in proto tcp from any os {{ {', '.join(sorted(others))} }}"
    )
    oslab.left.send(syn(win, options, ttl, off))
    assert len(oslab.right.take()) == 1


def test_only_the_first_segment_of_a_connection_has_one(oslab):
    oslab.rules("block in\npass in proto tcp from any os unknown no state\npass out no state")
    oslab.left.send(tcp(A, 1, B, 80, SYN | ACK, 1), tcp(A, 1, B, 80, ACK), udp(A, 1, B, 80))
    assert oslab.right.none()


def test_an_option_list_cut_short_is_unknown_not_fatal(oslab):
    oslab.rules("block in\npass in proto tcp from any os unknown no state\npass out no state")
    body = bytearray(syn(4000, b"\x02\x04\x05\xb4"))
    body[41] = 40
    oslab.left.send(bytes(body))
    assert len(oslab.right.got) == 1
    oslab.left.send(ip4(A, B, 6, bytes(body[20:40])))
    assert len(oslab.right.got) == 2
    oslab.right.got.clear()  # what passed has the checksum that it came with


def test_fingerprints_are_listed_once_and_flushed():
    found = Osfp()
    row = p.PfOsfp(os=1 << 20, class_nm="X", wsize=100, ttl=64)
    found.add(row)
    with pytest.raises(NetError) as caught:
        found.add(row.copy())
    assert caught.value.symbol == "EEXIST"
    assert found.get(0).class_nm == "X"
    with pytest.raises(NetError) as caught:
        found.get(1)
    assert caught.value.symbol == "EBUSY"
    found.flush()
    assert found.rows == []


def test_a_class_a_version_and_a_subtype_narrow_it():
    whole = 3 << 20 | 5 << 10 | 7
    for wanted, fits in ((3 << 20, True), (3 << 20 | 5 << 10, True), (whole, True),
                         (4 << 20, False), (3 << 20 | 6 << 10, False), (whole + 1, False)):  # fmt: skip
        assert Osfp.match([whole], wanted) == fits
    assert Osfp.match([], p.PF_OSFP_UNKNOWN)
    assert not Osfp.match([whole], p.PF_OSFP_UNKNOWN)
    assert not Osfp.match([], p.PF_OSFP_NOMATCH)
    assert Osfp.match([], p.PF_OSFP_ANY)
