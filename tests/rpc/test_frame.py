"""RPC framing: any octets give frames, bad ones among them, and the stream goes on."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from libnet.rpc.frame import MAX_FRAME, REQUEST, FrameReader, pack


@given(st.lists(st.binary(max_size=60), max_size=6), st.data())
def test_a_stream_cut_anywhere_gives_the_same_frames(payloads, data):
    stream = b"".join(pack(REQUEST, n, [p]) for n, p in enumerate(payloads))
    reader, frames, pos = FrameReader(), [], 0
    while pos < len(stream):
        step = data.draw(st.integers(1, 40))
        frames += reader.feed(stream[pos : pos + step])
        pos += step
    assert [(f.seq, f.value) for f in frames] == [(n, [p]) for n, p in enumerate(payloads)]


@given(st.lists(st.binary(max_size=80), max_size=8))
def test_arbitrary_octets_never_raise(chunks):
    reader = FrameReader()
    for chunk in chunks:
        for frame in reader.feed(chunk):
            assert frame.kind in (None, 0, 1, 2)


def test_a_frame_that_is_too_long_is_skipped_and_the_next_one_read():
    reader = FrameReader()
    size = MAX_FRAME + 100
    head = size.to_bytes(4, "big") + b"\1\0\0\0" + (9).to_bytes(4, "big")
    (bad,) = reader.feed(head)
    assert (bad.kind, bad.seq) == (None, 9)
    left = size - 8
    while left:
        part = min(left, 1 << 20)
        assert reader.feed(bytes(part)) == []
        left -= part
    (good,) = reader.feed(pack(REQUEST, 10, ["x"]))
    assert (good.kind, good.seq, good.value) == (REQUEST, 10, ["x"])


def test_a_wrong_version_is_a_bad_frame_with_its_number():
    octets = bytearray(pack(REQUEST, 3, ["x"]))
    octets[4] = 99
    reader = FrameReader()
    (bad,) = reader.feed(bytes(octets))
    assert (bad.kind, bad.seq) == (None, 3)
    assert reader.feed(pack(REQUEST, 4, ["y"]))[0].value == ["y"]
