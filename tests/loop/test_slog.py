"""The log ring: order, wrapping, damage, and writers in several processes."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from libnet.loop.slog import (
    AREA,
    INTS,
    MAX_TEXT,
    FileRing,
    Record,
    SlogWriter,
    pack_record,
    read_log,
    unpack_records,
)


def text_record(text, sev=5):
    return Record(0, 1.5, sev, 14, 0, 7, text)


@pytest.fixture
def ring(tmp_path):
    return FileRing(str(tmp_path / "slog"), 1024)


def test_records_come_back_in_order_with_everything_they_had(ring):
    ring.append(
        [
            Record(0, 9.25, 3, 10, 2, 99, "wm0: link up"),
            Record(0, 9.5, 6, 1, 0, 99, "", (1, -2), INTS),
        ]
    )
    first, second = ring.read()
    assert first == Record(1, 9.25, 3, 10, 2, 99, "wm0: link up")
    assert second == Record(2, 9.5, 6, 1, 0, 99, "", (1, -2), INTS)
    assert os.stat(ring.path).st_mode & 0o777 == 0o600


def test_a_ring_that_nobody_wrote_is_empty(ring):
    assert ring.read() == []
    assert ring.last() == 0
    assert not os.path.exists(ring.path)


def test_the_oldest_give_way(ring):
    for i in range(200):
        ring.append([text_record(f"event {i}")])
    seqs = [rec.seq for rec in ring.read()]
    assert seqs == list(range(seqs[0], 201))
    assert 15 <= len(seqs) <= 25
    assert os.stat(ring.path).st_size == AREA + 1024


def test_only_what_is_new_is_read_again(ring):
    ring.append([text_record("a"), text_record("b")])
    assert [rec.text for rec in ring.read(after=1)] == ["b"]


def test_clearing_keeps_the_numbers_going(ring):
    ring.append([text_record("a")])
    ring.clear()
    assert ring.read() == []
    ring.append([text_record("b")])
    assert ring.read()[0].seq == 2


def test_another_size_keeps_the_newest(ring):
    for i in range(100):
        ring.append([text_record(f"event {i}")])
    ring.configure(4096, monotonic=False)
    kept = ring.read()
    assert kept[-1].text == "event 99"
    assert [rec.seq for rec in kept] == list(range(kept[0].seq, 101))
    ring.append([text_record("more")])
    assert ring.read()[-1].seq == 101
    ring.configure(1024, monotonic=False)
    assert ring.read()[-1].text == "more"


def test_times_of_another_kind_are_not_mixed_in(ring):
    ring.append([text_record("wall")])
    ring.configure(1024, monotonic=True)
    assert ring.monotonic
    assert ring.read() == []


def test_a_long_text_is_cut(ring):
    ring.append([text_record("x" * 5000)])
    assert ring.read()[0].text == "x" * MAX_TEXT


@given(st.binary(max_size=3000))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_file_of_anything_reads_as_something_and_takes_new_records(tmp_path, octets):
    path = tmp_path / "garbage"
    path.write_bytes(octets)
    ring = FileRing(str(path), 1024)
    ring.read()
    read_log(str(path))
    ring.append([text_record("alive")])
    assert ring.read()[-1].text == "alive"


@given(st.lists(st.tuples(st.integers(0, AREA + 1023), st.integers(0, 255)), max_size=40))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_ring_loses_records_but_never_shows_false_ones(tmp_path, changes):
    path = tmp_path / "damaged"
    path.unlink(missing_ok=True)
    ring = FileRing(str(path), 1024)
    for i in range(60):
        ring.append([text_record(f"event {i}")])
    octets = bytearray(path.read_bytes())
    for place, value in changes:
        octets[place] = value
    path.write_bytes(octets)
    wanted = {f"event {i}" for i in range(60)}
    assert {rec.text for rec in ring.read()} <= wanted
    for _ in range(40):
        ring.append([text_record("after")])
    assert ring.read()[-1].text == "after"


@given(st.binary(max_size=400), st.binary(max_size=400))
def test_a_whole_record_is_found_among_garbage(before, after):
    octets = before + pack_record(Record(5, 1.0, 4, 3, 2, 1, "here")) + after
    assert "here" in [rec.text for rec in unpack_records(octets)]


def test_a_file_cut_short_is_a_new_ring(ring):
    ring.append([text_record("a")])
    os.truncate(ring.path, 300)
    assert ring.read() == []
    ring.append([text_record("b")])
    assert [rec.text for rec in ring.read()] == ["b"]


def test_writers_in_several_processes_lose_nothing(tmp_path):
    path = str(tmp_path / "slog")
    FileRing(path, 65536).append([text_record("first")])
    children = []
    for number in range(4):
        pid = os.fork()
        if pid == 0:
            try:
                writer = SlogWriter(path)
                for i in range(50):
                    writer.write(5, 14, 0, f"{number} {i}")
            finally:
                os._exit(0)
        children.append(pid)
    for pid in children:
        os.waitpid(pid, 0)
    records = FileRing(path).read()
    assert [rec.seq for rec in records] == list(range(1, 202))
    for number in range(4):
        mine = [rec.text for rec in records if rec.text.startswith(f"{number} ")]
        assert mine == [f"{number} {i}" for i in range(50)]
        assert {rec.pid for rec in records if rec.text in mine} == {children[number]}


def test_a_writer_stamps_with_its_clock_and_splits_lines(tmp_path):
    writer = SlogWriter(str(tmp_path / "slog"), lambda: 77.0, lambda: 3.0)
    writer.write(4, 14, 1, "one\ntwo\n")
    writer.write_ints(6, 1, 2, (1, 2))
    records = FileRing(writer.ring.path).read()
    assert [(rec.time, rec.text, rec.pid) for rec in records[:2]] == [
        (77.0, "one", os.getpid()),
        (77.0, "two", os.getpid()),
    ]
    assert records[2].ints == (1, 2)


def test_a_log_that_cannot_be_written_is_counted_not_raised(tmp_path):
    (tmp_path / "slog").mkdir()
    writer = SlogWriter(str(tmp_path / "slog"))
    writer.write(4, 14, 1, "one\ntwo")
    assert writer.lost == 2
