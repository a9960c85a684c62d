"""UDP header: vectors first, then what holds for all octets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libnet.wire import Truncated
from libnet.wire.cksum import in4_cksum
from libnet.wire.udp import Udp, udp_build

VECTORS = [
    # octets                        sport  dport len cksum   payload
    ("0035 d431 000c 0000 61626364", 53, 54321, 12, 0x0000, b"abcd"),
    ("0044 0043 0008 ffff 0000", 68, 67, 8, 0xFFFF, b""),  # two octets of link padding
]


@pytest.mark.parametrize(("octets", "sport", "dport", "length", "cksum", "payload"), VECTORS)
def test_vector(octets, sport, dport, length, cksum, payload):
    got = Udp.parse(memoryview(bytes.fromhex(octets)))
    assert (got.sport, got.dport, got.length, got.cksum) == (sport, dport, length, cksum)
    assert got.payload == payload


@pytest.mark.parametrize("length", [0, 7, 13, 65535])
def test_a_length_that_cannot_be_is_truncated(length):
    octets = b"\0\1\0\2" + length.to_bytes(2, "big") + b"\0\0abcd"
    with pytest.raises(Truncated):
        Udp.parse(octets)


@given(st.binary(max_size=64))
def test_any_octets_parse_or_are_truncated(octets):
    try:
        got = Udp.parse(octets)
    except Truncated:
        return
    assert got.build() == octets[: got.length]


@given(
    st.integers(0, 65535),
    st.integers(0, 65535),
    st.binary(max_size=64),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**32 - 1),
)
def test_a_built_datagram_sums_up_and_never_says_none(sport, dport, data, src, dst):
    octets = udp_build(sport, dport, data, src=src, dst=dst)
    assert Udp.parse(octets).cksum != 0
    assert in4_cksum(src, dst, 17, octets) == 0
