"""IPv4 header and options: vectors, what holds for all octets, and scapy as a second opinion."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libnet.wire import Malformed, Truncated
from libnet.wire.cksum import in_cksum
from libnet.wire.ipv4 import (
    IP_DF,
    IPOPT_LSRR,
    IPOPT_NOP,
    IPOPT_RR,
    IPOPT_SSRR,
    IPOPT_TS_PRESPEC,
    IPOPT_TS_TSANDADDR,
    IPOPT_TS_TSONLY,
    BadOption,
    Ipv4,
    Option,
    copied_options,
    ip_build,
    record_route,
    route_addrs,
    router_alert,
    source_route,
    timestamp,
    timestamps,
    walk_options,
)

ADDRESS = st.integers(0, 0xFFFFFFFF)


@pytest.fixture(scope="module")
def inet():
    """Scapy's dissectors, imported outside any timed example."""
    return pytest.importorskip("scapy.layers.inet")


def test_a_header_reads_as_its_fields():
    octets = bytes.fromhex("4510 001e 1c46 4000 40 11 b1fe 0a2a0714 0a2a0701") + b"0123456789pad"
    got = Ipv4.parse(octets)
    assert got[:9] == (0x10, 30, 0x1C46, IP_DF, 64, 17, 0xB1FE, 0x0A2A0714, 0x0A2A0701)
    assert got.options == b""
    assert got.payload == b"0123456789"  # what follows is link padding
    assert got.hlen == 20


@pytest.mark.parametrize(
    ("octets", "error"),
    [
        ("", Truncated),
        ("45" + "00" * 18, Truncated),
        ("65" + "00" * 19, Malformed),  # version 6
        ("44" + "00" * 19, Malformed),  # header of 16 octets
        ("46000018" + "00" * 16, Truncated),  # options missing
        ("45000013" + "00" * 16, Malformed),  # shorter than its header
        ("45000015" + "00" * 16, Truncated),
    ],
)
def test_wrong_headers_are_named(octets, error):
    with pytest.raises(error):
        Ipv4.parse(bytes.fromhex(octets))


@given(st.binary(max_size=90) | st.binary(max_size=90).map(lambda b: b"\x46\0\0\x20" + b))
def test_any_octets_parse_or_raise_the_rooms_errors(octets):
    for read in (Ipv4.parse, Ipv4.quoted):
        try:
            got = read(octets)
        except (Truncated, Malformed):
            continue
        size = got.len if read == Ipv4.parse else len(octets)
        assert got.build() == octets[:size]


def test_a_quoted_header_keeps_what_there_is_of_the_payload():
    whole = ip_build(b"x" * 100, src=1, dst=2, proto=17)
    got = Ipv4.quoted(whole[:28])
    assert got.len == 120
    assert got.payload == b"x" * 8


@given(
    st.binary(max_size=64),
    ADDRESS,
    ADDRESS,
    st.integers(0, 255),
    st.integers(0, 255),
    st.binary(max_size=40),
)
def test_a_built_packet_sums_right_and_reads_back(payload, src, dst, proto, tos, options):
    built = ip_build(payload, src=src, dst=dst, proto=proto, tos=tos, ident=7, options=options)
    got = Ipv4.parse(built)
    assert in_cksum(built[: got.hlen]) == 0
    assert (got.src, got.dst, got.p, got.tos, got.id) == (src, dst, proto, tos, 7)
    assert bytes(got.payload) == payload
    assert got.options[: len(options)] == options
    assert got.build() == built


def test_too_much_is_refused():
    with pytest.raises(ValueError, match="options too long"):
        ip_build(b"", src=0, dst=0, proto=1, options=bytes(41))
    with pytest.raises(ValueError, match="packet too long"):
        ip_build(bytes(65516), src=0, dst=0, proto=1)


@given(st.binary(max_size=40))
def test_walking_any_options_ends_or_names_the_octet(options):
    seen = []
    wrong = None
    try:
        for option in walk_options(options):
            seen.append(option)
    except BadOption as exc:
        wrong = exc.offset
    assert wrong is None or 20 < wrong <= 20 + len(options)
    for option in seen:
        assert options[option.offset : option.offset + len(option.data)] == option.data
        assert option.kind == option.data[0]
        if option.kind in (IPOPT_RR, IPOPT_LSRR, IPOPT_SSRR):
            passed, to_go = route_addrs(option)
            assert len(passed) + len(to_go) == (len(option.data) - 3) // 4
        if option.kind == 68:
            timestamps(option)


def test_a_bad_length_is_found_where_it_stands():
    walk = walk_options(bytes((IPOPT_NOP, IPOPT_RR, 2, 4)))
    assert next(walk) == Option(IPOPT_NOP, 0, b"\x01")
    with pytest.raises(BadOption) as caught:
        next(walk)
    assert caught.value.offset == 22


def test_a_source_route_tells_passed_hops_from_those_to_go():
    octets = bytearray(source_route([0x0A000001, 0x0A000002, 0x0A000003]))
    octets[2] = 8
    (option,) = walk_options(bytes(octets))
    assert option.kind == IPOPT_LSRR
    assert option.copied
    assert route_addrs(option) == ([0x0A000001], [0x0A000002, 0x0A000003])


def test_only_copied_options_go_into_later_fragments():
    strict = source_route([0x0A000001], strict=True)
    assert copied_options(record_route(3) + b"\x01" + strict) == strict + b"\0"
    assert copied_options(record_route(9)) == b""


def test_timestamps_are_read_as_recorded():
    (empty,) = walk_options(timestamp(IPOPT_TS_TSANDADDR, 4))
    assert timestamps(empty) == (1, 0, [], True)
    octets = bytearray(timestamp(IPOPT_TS_TSONLY, 1))
    octets[2], octets[3], octets[4:8] = 9, 0x30, (5000).to_bytes(4, "big")
    (full,) = walk_options(bytes(octets))
    assert timestamps(full) == (0, 3, [(None, 5000)], False)
    asked = timestamp(IPOPT_TS_PRESPEC, 2, [0x0A000001, 0x0A000002])
    assert len(asked) == 20
    assert asked[4:8] == b"\x0a\0\0\1"


def test_router_alert_is_rfc_2113s_octets():
    assert router_alert() == bytes.fromhex("94040000")


@given(
    st.binary(max_size=32),
    ADDRESS,
    ADDRESS,
    st.integers(0, 3).map(record_route) | st.just(router_alert()),
)
def test_scapy_reads_what_we_build(inet, payload, src, dst, options):
    built = ip_build(
        payload, src=src, dst=dst, proto=253, ttl=9, ident=77, off=IP_DF, options=options
    )
    got = inet.IP(built)
    assert (got.ttl, got.proto, got.id, str(got.flags), got.len) == (9, 253, 77, "DF", len(built))
    assert got.src == ".".join(map(str, src.to_bytes(4, "big")))
    assert bytes(got.payload) == payload
    again = got.copy()
    del again.chksum
    assert inet.IP(bytes(again)).chksum == got.chksum


def test_we_read_what_scapy_builds(inet):
    options = [inet.IPOption_LSRR(routers=["10.0.0.1", "10.0.0.2"]), inet.IPOption_NOP()]
    octets = bytes(inet.IP(src="10.0.0.9", dst="10.0.0.1", options=options, tos=4) / b"hello")
    got = Ipv4.parse(octets)
    assert in_cksum(octets[: got.hlen]) == 0
    assert bytes(got.payload) == b"hello"
    first = next(walk_options(got.options))
    assert route_addrs(first) == ([], [0x0A000001, 0x0A000002])
