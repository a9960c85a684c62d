"""Radiotap: examples, what holds for all octets, and an independent dissector."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libnet.wire import Malformed, Truncated
from libnet.wire import radiotap as rt
from libnet.wire.phy import RX_BADFCS, RxInfo

BEACON = b"\x80\x00" + bytes(34)

fields = st.fixed_dictionaries(
    {},
    optional={
        "tsft": st.integers(0, 2**64 - 1),
        "flags": st.integers(0, 255),
        "rate": st.integers(0, 255),
        "fhss": st.integers(0, 0xFFFF),
        "signal": st.integers(-128, 127),
        "noise": st.integers(-128, 127),
        "quality": st.integers(0, 0xFFFF),
        "attenuation": st.integers(0, 0xFFFF),
        "db_attenuation": st.integers(0, 0xFFFF),
        "txpower": st.integers(-128, 127),
        "antenna": st.integers(0, 255),
        "db_signal": st.integers(0, 255),
        "db_noise": st.integers(0, 255),
        "rxflags": st.integers(0, 0xFFFF),
    },
)


@given(fields, st.none() | st.tuples(st.integers(0, 0xFFFF), st.integers(0, 0xFFFF)))
def test_what_is_built_is_read_back(some, channel):
    if channel is not None:
        some |= {"freq": channel[0], "chanflags": channel[1]}
    header = rt.Radiotap(**some)
    assert rt.Radiotap.parse(header.build() + BEACON) == (header, BEACON)


@given(st.binary(max_size=64))
def test_any_octets_parse_or_are_refused(buf):
    try:
        _header, frame = rt.Radiotap.parse(buf)
    except (Truncated, Malformed):
        return
    assert buf.endswith(frame)


@given(st.integers(0, 2**32 - 1), st.binary(max_size=64))
def test_any_fields_announced_are_read_or_refused(present, body):
    length = (8 + len(body)).to_bytes(2, "little")
    buf = b"\0\0" + length + present.to_bytes(4, "little") + body
    try:
        _header, frame = rt.Radiotap.parse(buf)
    except Truncated:
        return
    assert frame == b""


@pytest.mark.parametrize("octets", ["0100080000000000", "0000070000000000"])
def test_another_version_or_a_length_below_the_header_is_malformed(octets):
    with pytest.raises(Malformed):
        rt.Radiotap.parse(bytes.fromhex(octets))


def test_words_of_bits_after_the_first_are_passed_over():
    buf = bytes.fromhex("0000 1100 02000080 00000080 00000000 7f")
    assert rt.Radiotap.parse(buf + BEACON) == (rt.Radiotap(flags=0x7F), BEACON)


def test_a_received_frame_is_told_with_time_rate_channel_and_strength():
    info = RxInfo(freq=2437, rate=108, signal=-42, noise=-95, tsf=123456789, flags=RX_BADFCS)
    got, frame = rt.Radiotap.parse(rt.rx_header(info, rt.CHAN_G, BEACON) + BEACON)
    assert frame == BEACON
    assert got == rt.Radiotap(
        tsft=123456789,
        flags=rt.F_BADFCS,
        rate=108,
        freq=2437,
        chanflags=rt.CHAN_G,
        signal=-42,
        noise=-95,
        antenna=0,
    )


def test_a_sent_frame_is_told_with_rate_channel_and_power():
    frame = b"\x08\x45" + bytes(30)  # protected, more fragments
    got, _frame = rt.Radiotap.parse(rt.tx_header(2412, 22, rt.CHAN_B, 15, frame, shortpre=True))
    assert got == rt.Radiotap(
        flags=rt.F_WEP | rt.F_FRAG | rt.F_SHORTPRE,
        rate=22,
        freq=2412,
        chanflags=rt.CHAN_B,
        txpower=15,
        antenna=0,
    )


def test_scapy_reads_the_same():
    scapy = pytest.importorskip("scapy.layers.dot11")
    info = RxInfo(freq=5180, rate=12, signal=-60, noise=-90, tsf=1 << 40, flags=0)
    got = scapy.RadioTap(rt.rx_header(info, rt.CHAN_A, BEACON) + BEACON)
    assert (got.mac_timestamp, got.Rate, got.ChannelFrequency) == (1 << 40, 6.0, 5180)
    assert (got.dBm_AntSignal, got.dBm_AntNoise, got.len) == (-60, -90, 25)
    assert bytes(got.payload)[:2] == b"\x80\x00"
