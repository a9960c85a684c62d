"""Capture files: every variety is read, every fault is named, what was good is kept."""

from __future__ import annotations

import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libnet.media.pcap import PcapError, PcapReader, PcapRecorder, PcapWriter, load
from libnet.media.port import CSUM_L4, marked


def capture(order="<", magic=0xA1B2C3D4, records=((5, 250000, b"abc"),), link=1, major=2):
    out = struct.pack(order + "IHHiIII", magic, major, 4, 0, 0, 65535, link)
    for seconds, fraction, octets in records:
        out += struct.pack(order + "IIII", seconds, fraction, len(octets), len(octets)) + octets
    return out


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("magic", "fraction"), [(0xA1B2C3D4, 250000), (0xA1B23C4D, 250000000)])
def test_both_orders_and_resolutions(order, magic, fraction):
    (packet,) = load(io.BytesIO(capture(order, magic, ((5, fraction, b"abc"),))))
    assert packet == (5.25, b"abc", 3)


@given(
    st.lists(
        st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 999999), st.binary(max_size=99)),
        max_size=20,
    ),
    st.integers(1, 120),
)
def test_what_is_written_is_read(rows, snaplen):
    file = io.BytesIO()
    writer = PcapWriter(file, snaplen=snaplen)
    for seconds, micros, octets in rows:
        writer.write(seconds + micros / 1e6, octets)
    file.seek(0)
    got = load(file)
    assert [(p.frame, p.length) for p in got] == [(o[:snaplen], len(o)) for _, _, o in rows]
    for packet, (seconds, micros, _) in zip(got, rows, strict=True):
        assert abs(packet.time_s - (seconds + micros / 1e6)) < 2e-6


@given(st.binary(max_size=200), st.booleans())
def test_any_octets_are_packets_or_a_named_fault(octets, head):
    try:
        load(io.BytesIO((capture(records=()) if head else b"") + octets))
    except PcapError as exc:
        assert str(exc)


@pytest.mark.parametrize(
    ("octets", "words", "kept"),
    [
        (b"", "not a pcap file", 0),
        (b"#!/bin/sh\n", "not a pcap file", 0),
        (b"\x0a\x0d\x0d\x0a" + bytes(40), "pcapng", 0),
        (capture()[:20], "file header is cut off", 0),
        (capture(major=9), "version 9", 0),
        (capture()[:-1], "record 1 is cut off", 0),
        (capture() + b"\0\0\0", "record 2 is cut off", 1),
        (capture() + struct.pack("<IIII", 0, 0, 1 << 30, 3), "record 2 claims", 1),
    ],
)
def test_faults_are_named_and_earlier_packets_kept(octets, words, kept):
    with pytest.raises(PcapError, match=words) as caught:
        load(io.BytesIO(octets))
    assert len(caught.value.packets) == kept


def test_the_link_type_is_told():
    assert PcapReader(io.BytesIO(capture(link=105))).linktype == 105


def test_a_recorder_stops_at_its_count_and_records_no_marks():
    file, done = io.BytesIO(), []
    recorder = PcapRecorder(file, lambda: 12.5, count=3, done=lambda: done.append(1))
    recorder.receive([bytes(20), marked(bytes(20), csum=CSUM_L4)])
    assert done == []
    recorder.tap(0.0, [bytes(20)] * 5)
    recorder.receive([bytes(20)])
    assert done == [1]
    file.seek(0)
    assert [p.time_s for p in load(file)] == [12.5] * 3
