"""ARP packets: a published exchange, then what holds for all octets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libnet.wire import Truncated
from libnet.wire.arp import ARPOP_REPLY, ARPOP_REQUEST, ETHER_ARPLEN, Arp, arp_build

VECTORS = [
    # A request and its answer on Ethernet (RFC 826's example in octets).
    (
        "0001080006040001 020000000001 0a000001 000000000000 0a000002",
        Arp(
            1, 0x800, 6, 4, ARPOP_REQUEST,
            bytes.fromhex("020000000001"), b"\n\0\0\1", bytes(6), b"\n\0\0\2",
        ),
    ),
    (
        "0001080006040002 020000000002 0a000002 020000000001 0a000001",
        Arp(
            1, 0x800, 6, 4, ARPOP_REPLY,
            bytes.fromhex("020000000002"), b"\n\0\0\2", bytes.fromhex("020000000001"), b"\n\0\0\1",
        ),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("octets", "want"), VECTORS)
def test_vector(octets, want):
    raw = bytes.fromhex(octets)
    assert Arp.parse(raw + b"padding") == want
    assert want.build() == raw


def test_arp_build_makes_what_ethernet_wants():
    got = arp_build(ARPOP_REQUEST, b"\2\0\0\0\0\1", 0x0A000001, bytes(6), 0x0A000002)
    assert got.hex() == VECTORS[0][0].replace(" ", "")
    assert len(got) == ETHER_ARPLEN


@given(st.binary(max_size=80))
def test_any_octets_parse_or_are_truncated(octets):
    try:
        got = Arp.parse(octets)
    except Truncated:
        return
    assert octets.startswith(got.build())


@given(st.binary(min_size=6, max_size=6), st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_scapy_reads_what_we_build(sha, spa, tpa):
    scapy = pytest.importorskip("scapy.layers.l2")
    seen = scapy.ARP(arp_build(ARPOP_REQUEST, sha, spa, bytes(6), tpa))
    assert bytes.fromhex(seen.hwsrc.replace(":", "")) == sha
    assert bytes(map(int, seen.psrc.split("."))) == spa.to_bytes(4, "big")
    assert bytes(map(int, seen.pdst.split("."))) == tpa.to_bytes(4, "big")
