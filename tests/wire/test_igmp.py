"""IGMP messages: vectors, then what holds for all octets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libnet.wire import Truncated
from libnet.wire import igmp as wire
from libnet.wire.cksum import in_cksum
from libnet.wire.igmp import Igmp, igmp_build

VECTORS = [
    # octets            type  code group
    ("1164ee9b00000000", 0x11, 100, 0),
    ("1600f9fcefff0003", 0x16, 0, 0xEFFF0003),
    ("1100eeff00000000", 0x11, 0, 0),
]


@pytest.mark.parametrize(("octets", "kind", "code", "group"), VECTORS)
def test_vector(octets, kind, code, group):
    got = Igmp.parse(bytes.fromhex(octets))
    assert (got.type, got.code, got.group) == (kind, code, group)


def test_a_query_is_built_with_its_checksum():
    assert igmp_build(wire.IGMP_HOST_MEMBERSHIP_QUERY, 0, 100).hex() == "1164ee9b00000000"
    assert igmp_build(wire.IGMP_HOST_MEMBERSHIP_QUERY, 0).hex() == "1100eeff00000000"


@given(st.integers(0, 255), st.integers(0, 2**32 - 1), st.integers(0, 255))
def test_whatever_is_built_sums_up(kind, group, code):
    octets = igmp_build(kind, group, code)
    assert in_cksum(octets) == 0
    got = Igmp.parse(octets)
    assert (got.type, got.group, got.code) == (kind, group, code)


@given(st.binary(max_size=40))
def test_any_octets_parse_or_are_truncated(octets):
    try:
        got = Igmp.parse(octets)
    except Truncated:
        assert len(octets) < wire.IGMP_MINLEN
        return
    assert got.build() == octets
