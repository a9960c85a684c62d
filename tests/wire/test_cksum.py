"""The Internet checksum against a plain loop, published examples, and itself by difference."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libnet.wire.cksum import (
    in4_cksum,
    in_cksum,
    in_cksum_add,
    in_cksum_adjust,
    in_cksum_adjust32,
    in_sum,
    pseudo_sum,
)


def slow_sum(data: bytes) -> int:
    total = 0
    for pos in range(0, len(data), 2):
        total += data[pos] << 8 | (data[pos + 1] if pos + 1 < len(data) else 0)
        total = (total & 0xFFFF) + (total >> 16)
    return total


VECTORS = [
    ("", 0xFFFF),
    ("00", 0xFFFF),
    ("00000000", 0xFFFF),
    ("ffff", 0x0000),
    ("ffffffff", 0x0000),
    ("fffe0001", 0x0000),
    ("01", 0xFEFF),
    ("0001f203f4f5f6f7", 0x220D),  # RFC 1071 section 3
    ("45000073000040004011b861c0a80001c0a800c7", 0x0000),  # a whole header sums right
    ("450000730000400040110000c0a80001c0a800c7", 0xB861),
]


@pytest.mark.parametrize(("octets", "cksum"), VECTORS)
def test_vector(octets, cksum):
    assert in_cksum(bytes.fromhex(octets)) == cksum


@given(st.binary(max_size=200))
def test_agrees_with_the_loop_of_rfc_1071(data):
    assert in_sum(data) == slow_sum(data)
    assert in_cksum(data) == slow_sum(data) ^ 0xFFFF
    assert in_cksum(memoryview(data)) == in_cksum(data)


@given(st.binary(max_size=64).filter(lambda b: len(b) % 2 == 0), st.binary(max_size=64))
def test_parts_add_up_to_the_whole(front, back):
    whole = in_sum(front + back)
    assert in_sum(back, in_sum(front)) == whole
    assert in_cksum_add(in_sum(front), in_sum(back)) == whole
    assert in_cksum(back, in_sum(front)) == whole ^ 0xFFFF


@given(st.binary(min_size=8, max_size=40), st.integers(0, 3), st.integers(0, 0xFFFF))
def test_adjusting_one_word_equals_summing_again(data, word, new):
    data = b"\x45\x00" + data  # a header is never all zero
    pos = 2 * word
    old = int.from_bytes(data[pos : pos + 2], "big")
    changed = data[:pos] + new.to_bytes(2, "big") + data[pos + 2 :]
    if not any(changed):
        return
    assert in_cksum_adjust(in_cksum(data), old, new) == in_cksum(changed)


@given(st.binary(min_size=20, max_size=20), st.integers(0, 4), st.integers(0, 0xFFFFFFFF))
def test_adjusting_an_address_equals_summing_again(data, where, new):
    data = b"\x45\x00\x00\x14" + data
    pos = 4 + 4 * where
    old = int.from_bytes(data[pos : pos + 4], "big")
    changed = data[:pos] + new.to_bytes(4, "big") + data[pos + 4 :]
    assert in_cksum_adjust32(in_cksum(data), old, new) == in_cksum(changed)


def test_rfc_1624_case_where_equation_2_goes_wrong():
    assert in_cksum_adjust(0xDD2F, 0x5555, 0x3285) == 0x0000


@given(
    st.integers(0, 0xFFFFFFFF),
    st.integers(0, 0xFFFFFFFF),
    st.integers(0, 255),
    st.binary(max_size=99),
)
def test_the_pseudo_header_counts_as_if_it_stood_before_the_data(src, dst, proto, data):
    head = src.to_bytes(4, "big") + dst.to_bytes(4, "big") + bytes((0, proto))
    head += len(data).to_bytes(2, "big")
    assert pseudo_sum(src, dst, proto, len(data)) == slow_sum(head)
    assert in4_cksum(src, dst, proto, data) == slow_sum(head + data) ^ 0xFFFF
