"""ICMP messages: vectors, what holds for all octets, and scapy as a second opinion."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libnet.wire import Truncated
from libnet.wire.cksum import in_cksum
from libnet.wire.icmp import (
    ICMP_ECHO,
    ICMP_ECHOREPLY,
    ICMP_PARAMPROB,
    ICMP_REDIRECT,
    ICMP_TIMXCEED,
    ICMP_UNREACH,
    ICMP_UNREACH_NEEDFRAG,
    Icmp,
    icmp_build,
    icmp_echo,
    is_info,
)


@pytest.fixture(scope="module")
def inet():
    """Scapy's dissectors, imported outside any timed example."""
    return pytest.importorskip("scapy.layers.inet")


def test_an_echo_is_rfc_792s_octets():
    assert icmp_echo(0x1234, 1, b"ab") == bytes.fromhex("0800 8468 1234 0001 6162")


def test_the_second_word_means_what_the_type_says():
    mtu = Icmp.parse(icmp_build(ICMP_UNREACH, ICMP_UNREACH_NEEDFRAG, 1400, b"quoted"))
    assert (mtu.nextmtu, mtu.payload) == (1400, b"quoted")
    assert Icmp.parse(icmp_build(ICMP_REDIRECT, 1, 0x0A000001)).gwaddr == 0x0A000001
    assert Icmp.parse(icmp_build(ICMP_PARAMPROB, 0, 0x14 << 24)).pptr == 0x14


def test_errors_are_told_from_questions():
    assert is_info(ICMP_ECHO)
    assert is_info(ICMP_ECHOREPLY)
    assert not is_info(ICMP_UNREACH)
    assert not is_info(ICMP_TIMXCEED)
    assert not is_info(200)  # RFC 1122: an unknown type may be an error


@given(st.binary(max_size=64))
def test_any_octets_parse_or_are_truncated(octets):
    try:
        got = Icmp.parse(octets)
    except Truncated:
        assert len(octets) < 8
        return
    assert got.build() == octets


@given(st.integers(0, 0xFFFF), st.integers(0, 0xFFFF), st.binary(max_size=80))
def test_an_echo_sums_right_and_reads_back(ident, seq, data):
    built = icmp_echo(ident, seq, data)
    assert in_cksum(built) == 0
    got = Icmp.parse(built)
    assert (got.type, got.code, got.id, got.seq) == (ICMP_ECHO, 0, ident, seq)
    assert bytes(got.payload) == data


@given(st.integers(0, 0xFFFF), st.integers(0, 0xFFFF), st.binary(max_size=40))
def test_scapy_reads_what_we_build(inet, ident, seq, data):
    got = inet.ICMP(icmp_echo(ident, seq, data, ICMP_ECHOREPLY))
    assert (got.type, got.id, got.seq, bytes(got.payload)) == (0, ident, seq, data)
    again = got.copy()
    del again.chksum
    assert inet.ICMP(bytes(again)).chksum == got.chksum


def test_we_read_what_scapy_builds(inet):
    octets = bytes(inet.ICMP(type=5, code=1, gw="10.1.2.3") / b"abcdefgh")
    got = Icmp.parse(octets)
    assert in_cksum(octets) == 0
    assert (got.type, got.code, got.gwaddr) == (ICMP_REDIRECT, 1, 0x0A010203)
