"""BPDUs: vectors, then what holds for all octets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libnet.wire import Malformed, Truncated
from libnet.wire.bpdu import BSTP_FLAG_TC, BSTP_MSGTYPE_CFG, BSTP_MSGTYPE_TCN, Bpdu

# A Linux bridge's hello, from the LLC header on (802.1D-1998 figure 9-1), with Ethernet's padding.
HELLO = bytes.fromhex(
    "424203 0000 00 00 01 8000525400aabb01 00000004 8000525400aabb02 8001 0100 1400 0200 0f00"
    "0000000000000000"
)


def test_a_configuration_bpdu_field_by_field():
    got = Bpdu.parse(HELLO)
    assert got == Bpdu(
        BSTP_MSGTYPE_CFG,
        BSTP_FLAG_TC,
        0x8000525400AABB01,
        4,
        0x8000525400AABB02,
        0x8001,
        1 * 256,
        20 * 256,
        2 * 256,
        15 * 256,
    )
    assert got.build() == HELLO[:38]


def test_a_topology_change_notification_is_seven_octets():
    octets = Bpdu(BSTP_MSGTYPE_TCN).build()
    assert octets.hex() == "42420300000080"
    assert Bpdu.parse(octets + bytes(39)) == Bpdu(BSTP_MSGTYPE_TCN)


def test_rapid_spanning_tree_is_read_as_the_old_one():
    octets = HELLO[:5] + b"\x02\x02" + HELLO[7:]
    assert Bpdu.parse(octets).type == BSTP_MSGTYPE_CFG


@pytest.mark.parametrize(
    ("octets", "error"),
    [
        (b"", Truncated),
        (HELLO[:6], Truncated),
        (HELLO[:37], Truncated),
        (b"\xaa\xaa\x03" + HELLO[3:], Malformed),
        (HELLO[:4] + b"\x01" + HELLO[5:], Malformed),
        (HELLO[:6] + b"\x07" + HELLO[7:], Malformed),
    ],
)
def test_what_is_no_bpdu(octets, error):
    with pytest.raises(error):
        Bpdu.parse(octets)


@given(st.binary(max_size=64))
def test_any_octets_parse_or_are_refused(octets):
    try:
        got = Bpdu.parse(octets)
    except (Truncated, Malformed):
        return
    assert Bpdu.parse(got.build()) == got


@given(st.binary(min_size=31, max_size=31))
def test_any_fields_survive(body):
    got = Bpdu.parse(bytes.fromhex("42420300000000") + body)
    assert got.build()[7:] == body
