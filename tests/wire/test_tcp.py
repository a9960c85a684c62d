"""TCP header and options: vectors first, then what holds for all octets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP
from scapy.layers.inet import TCP as ScapyTcp

from libnet.wire import Malformed, Truncated
from libnet.wire.cksum import in4_cksum
from libnet.wire.tcp import (
    MAX_OPTLEN,
    TH_ACK,
    TH_SYN,
    Options,
    Tcp,
    build_options,
    parse_options,
    tcp_build,
)

# octets of the options, what they say; the last three are broken on purpose
OPTIONS = [
    ("", Options()),
    ("020405b4", Options(mss=1460)),
    ("020405b40402080a0000000100000000010303 07", Options(1460, 7, True, (), 1, 0)),
    ("0101080a00000005000000060101050a000003e8000007d0",
     Options(sack=((1000, 2000),), tsval=5, tsecr=6)),
    ("010101030a02", Options(wscale=None)),  # a length of 10 beyond the end
    ("00020405b4", Options()),  # nothing counts after the end
    ("ff0402020405b4", Options()),  # an unknown kind with a length too long ends the list
    ("ff020204 05b4", Options(mss=1460)),  # an unknown kind is passed over
    ("0203050404", Options()),  # wrong lengths of known kinds say nothing
    ("0800", Options()),
    ("08", Options()),
]  # fmt: skip

NUM = st.integers(0, 0xFFFFFFFF)
SOME = st.builds(
    Options,
    mss=st.none() | st.integers(0, 0xFFFF),
    wscale=st.none() | st.integers(0, 255),
    sackok=st.booleans(),
    sack=st.lists(st.tuples(NUM, NUM), max_size=2).map(tuple),
    tsval=st.none() | NUM,
    tsecr=st.just(0),
)


@pytest.mark.parametrize(("octets", "want"), OPTIONS)
def test_options(octets, want):
    assert parse_options(bytes.fromhex(octets)) == want


@given(SOME, NUM)
def test_options_that_are_built_are_read_back(opt, tsecr):
    opt = opt._replace(tsecr=tsecr if opt.tsval is not None else None)
    built = build_options(opt)
    assert len(built) % 4 == 0
    assert parse_options(built) == opt


@given(st.binary(max_size=60))
def test_any_octets_are_options(octets):
    opt = parse_options(octets)
    assert opt.mss is None or 0 <= opt.mss <= 0xFFFF
    assert len(opt.sack) <= len(octets) // 8


@given(st.binary(max_size=120))
def test_any_octets_are_a_segment_or_an_error_of_the_room(octets):
    try:
        got = Tcp.parse(octets)
    except (Truncated, Malformed):
        return
    assert got.build() == octets
    assert Tcp.parse(memoryview(octets)) == got


@given(
    st.integers(0, 0xFFFF), NUM, NUM, st.integers(0, 255), st.binary(max_size=100), SOME,
    st.integers(0, 0xFFFF),
)  # fmt: skip
def test_scapy_reads_what_we_build(sport, seq, ack, flags, payload, opt, urp):
    options = build_options(opt)[:MAX_OPTLEN]
    octets = tcp_build(
        sport, 80, seq, ack, flags, 512, payload, src=0x0A000001, dst=0x0A000002,
        options=options, urp=urp,
    )  # fmt: skip
    assert in4_cksum(0x0A000001, 0x0A000002, 6, octets) == 0
    seen = ScapyTcp(octets)
    assert (seen.sport, seen.seq, seen.ack, int(seen.flags) & 255) == (sport, seq, ack, flags)
    assert (seen.window, seen.urgptr, bytes(seen.payload)) == (512, urp, payload)
    ours = Tcp.parse(octets)
    assert (ours.cksum, ours.dport, bytes(ours.payload)) == (seen.chksum, 80, payload)


def test_we_read_what_scapy_builds():
    packet = IP(src="10.0.0.1", dst="10.0.0.2") / ScapyTcp(
        sport=1, dport=2, seq=3, ack=4, flags="SA", window=5,
        options=[("MSS", 1400), ("SAckOK", b""), ("Timestamp", (7, 8)), ("NOP", None),
                 ("WScale", 9)],
    )  # fmt: skip
    got = Tcp.parse(bytes(packet)[20:])
    assert got[:6] == (1, 2, 3, 4, TH_SYN | TH_ACK, 5)
    assert parse_options(got.options) == Options(1400, 9, True, (), 7, 8)
