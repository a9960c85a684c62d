"""What travels between ports: whatever was built is read back, whatever else is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libnet.media import datagram
from libnet.media.datagram import BadDatagram, build, build_data, fitting, parse
from libnet.media.port import MAX_FRAME, marked

FRAMES = st.lists(st.binary(min_size=14, max_size=200), min_size=1, max_size=40)
MARKS = st.tuples(st.integers(0, 3), st.integers(0, 0xFFFF))


@given(FRAMES, st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1))
def test_frames_survive(frames, generation, number):
    got = parse(build_data(frames, generation, number))
    assert (got.frames, got.generation, got.number) == (frames, generation, number)


@given(st.lists(st.tuples(st.binary(min_size=14, max_size=100), MARKS), min_size=1, max_size=20))
def test_marks_survive(rows):
    frames = [marked(octets, csum=csum, gso_size=gso) for octets, (csum, gso) in rows]
    got = parse(build_data(frames, 0, 1)).frames
    assert got == frames
    assert [(getattr(f, "csum", 0), getattr(f, "gso_size", 0)) for f in got] == [m for _, m in rows]


@given(st.binary(max_size=300))
def test_any_octets_are_read_or_refused(octets):
    try:
        parse(octets)
    except BadDatagram:
        return


@given(FRAMES, st.data())
def test_a_damaged_datagram_is_read_or_refused(frames, data):
    octets = bytearray(build_data(frames, 0, 1))
    for _ in range(data.draw(st.integers(1, 4))):
        octets[data.draw(st.integers(0, min(len(octets) - 1, 60)))] = data.draw(st.integers(0, 255))
    del octets[len(octets) - data.draw(st.integers(0, len(octets))) :]
    try:
        got = parse(bytes(octets))
    except BadDatagram as exc:
        assert str(exc) in ("bad version", "bad kind", "bad length")
    else:
        assert all(14 <= len(f) <= MAX_FRAME for f in got.frames)


@pytest.mark.parametrize(
    ("octets", "counter"),
    [
        (b"", "bad length"),
        (b"\x02" + build(datagram.HELLO, 0, 1)[1:], "bad version"),
        (build(77, 0, 1), "bad kind"),
        (build_data([bytes(14)], 0, 1)[:-1], "bad length"),
        (build_data([bytes(14)], 0, 1) + b"x", "bad length"),
        (build_data([bytes(13)], 0, 1), "bad length"),
        (build_data([bytes(13), bytes(15)], 0, 1), "bad length"),
        (build(datagram.DATA, 0, 1), "bad length"),
    ],
)
def test_each_fault_has_its_counter(octets, counter):
    with pytest.raises(BadDatagram, match=counter):
        parse(octets)


@given(st.lists(st.integers(14, MAX_FRAME), min_size=1, max_size=30))
def test_a_batch_always_fits_a_datagram(lengths):
    frames = [bytes(n) for n in lengths]
    count = fitting(frames)
    assert 1 <= count <= len(frames)
    assert len(build_data(frames[:count], 0, 1)) <= datagram.MAX_DATAGRAM
    if count < len(frames):
        assert sum(lengths[: count + 1]) > datagram.BATCH_OCTETS


def test_control_text_survives():
    assert parse(build(datagram.REPORT, 3, 9, b"{}")) == (datagram.REPORT, 3, 9, [], b"{}")
