"""LACPDUs and markers: a vector, then what holds for all octets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libnet.wire import Malformed, Truncated
from libnet.wire.lacp import Lacpdu, LacpInfo, marker_build, marker_response

# From IEEE 802.3-2002 figure 43-9: field by field, in its order.
PDU = bytes.fromhex(
    "0101"
    "0114 8000 0200000000aa 0011 8000 0002 3d 000000"
    "0214 7fff 0200000000bb 0012 00ff 0003 c7 000000"
    "0310 0032 000000000000000000000000"
    "0000"
) + bytes(50)  # fmt: skip


def test_a_pdu_field_by_field():
    got = Lacpdu.parse(PDU)
    assert got.actor == LacpInfo(0x8000, bytes.fromhex("0200000000aa"), 17, 0x8000, 2, 0x3D)
    assert got.partner == LacpInfo(0x7FFF, bytes.fromhex("0200000000bb"), 18, 0xFF, 3, 0xC7)
    assert got.maxdelay == 50
    assert len(PDU) == 110
    assert got.build() == PDU


def test_a_marker_is_answered_with_its_own_words():
    marker = marker_build(7, b"\2\0\0\0\0\1", 99)
    answer = marker_response(marker)
    assert answer[2] == 2
    assert answer[:2] + b"\1" + answer[3:] == marker
    with pytest.raises(Malformed):
        marker_response(answer)


@pytest.mark.parametrize(
    ("octets", "error"),
    [
        (PDU[:109], Truncated),
        (b"\3" + PDU[1:], Malformed),
        (PDU[:2] + b"\2" + PDU[3:], Malformed),
        (PDU[:23] + b"\x10" + PDU[24:], Malformed),
        (PDU[:42] + b"\0" + PDU[43:], Malformed),
    ],
)
def test_what_is_no_pdu(octets, error):
    with pytest.raises(error):
        Lacpdu.parse(octets)


@given(st.binary(max_size=130))
def test_any_octets_parse_or_are_refused(octets):
    for func in (Lacpdu.parse, marker_response):
        try:
            func(octets)
        except (Truncated, Malformed):
            continue


@given(st.binary(min_size=108, max_size=108))
def test_almost_a_pdu(body):
    octets = b"\1\1" + PDU[2:4] + body[2:20] + PDU[22:24] + body[22:40] + PDU[42:44] + body[42:]
    got = Lacpdu.parse(octets.ljust(110, b"\0"))
    assert Lacpdu.parse(got.build()) == got
