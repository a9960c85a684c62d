"""The octet buffer against a plain string of octets."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from libnet.engine.kern.stream import JOIN, ByteBuf

SIZES = st.sampled_from([0, 1, 7, 700, JOIN - 1, JOIN, 5000])
STEP = st.one_of(
    st.tuples(st.just("append"), SIZES),
    st.tuples(st.just("peek"), st.integers(0, 9000), st.integers(0, 9000)),
    st.tuples(st.just("drop"), st.integers(0, 4000)),
    st.tuples(st.just("take"), st.integers(0, 4000)),
    st.tuples(st.just("flush")),
)


@given(st.lists(STEP, max_size=60))
def test_it_behaves_as_one_string(steps):
    buf, model, counter = ByteBuf(1 << 20), b"", 0
    for step in steps:
        match step:
            case ("append", size):
                counter += 1
                data = bytes((counter + n) & 255 for n in range(size))
                buf.append(data)
                model += data
            case ("peek", off, n):
                assert buf.peek(off, n) == model[off : off + n]
            case ("drop", n):
                buf.drop(n)
                model = model[n:]
            case ("take", n):
                assert buf.take(n) == model[:n]
                model = model[n:]
            case ("flush",):
                buf.flush()
                model = b""
        assert buf.cc == len(model)
        assert buf.space() == (1 << 20) - len(model)
        assert sum(size for size, _ in buf.held()) >= len(model)
    assert buf.take(1 << 20) == model


def test_a_chunk_that_passes_through_is_not_copied():
    buf, chunk = ByteBuf(1 << 20), bytes(65536)
    buf.append(chunk)
    assert buf.peek(0, 65536) is chunk
    assert buf.take(65536) is chunk


def test_single_octets_are_not_kept_singly():
    buf = ByteBuf(1 << 20)
    for _ in range(20000):
        buf.append(b"x")
    assert len(buf.held()) <= 20000 // JOIN + 1
    assert buf.take(20000) == b"x" * 20000
