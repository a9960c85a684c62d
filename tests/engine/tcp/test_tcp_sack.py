"""The reassembly queue and the scoreboard against sets of numbers."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from libnet.engine.tcp.tcp_sack import MAXRUNS, Reass, Scoreboard

PIECES = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 20)), max_size=30)


def stream(start, size):
    return bytes(n * 7 & 255 for n in range(start, start + size))


@given(PIECES)
def test_what_comes_out_is_what_went_in(pieces):
    reass, have = Reass(), set()
    for start, size in pieces:
        start += 1  # number 0 is what is missing
        assert reass.insert(start, stream(start, size))
        have |= set(range(start, start + size))
        assert reass.cc == len(have)
        runs = [(run.start, run.end) for run in reass.runs]
        assert runs == sorted(runs)
        assert all(one[1] < two[0] for one, two in itertools.pairwise(runs))
        assert {n for low, high in runs for n in range(low, high)} == have
        assert all(sum(map(len, run.chunks)) == run.end - run.start for run in reass.runs)
        first = reass.blocks(4)[0]
        assert first[0] <= start < first[1]  # RFC 2018 4: the latest comes first
    end = 1
    while end in have:
        end += 1
    assert b"".join(reass.pull(1)) == stream(1, end - 1)
    assert reass.cc == len([n for n in have if n >= end])


def test_what_came_first_stays():
    reass = Reass()
    reass.insert(10, b"AAAA")
    reass.insert(8, b"bbbbbbbb")
    assert b"".join(reass.pull(8)) == b"bbAAAAbb"
    assert reass.idle


def test_octets_below_the_next_one_are_not_delivered_twice():
    reass = Reass()
    reass.insert(10, b"0123456789")
    assert b"".join(reass.pull(15)) == b"56789"


def test_runs_are_bounded():
    reass = Reass()
    for n in range(MAXRUNS):
        assert reass.insert(10 * n, b"x")
    assert not reass.insert(10 * MAXRUNS, b"x")
    assert reass.insert(10 * MAXRUNS - 9, b"x")  # what extends a run is welcome


def test_a_duplicate_is_reported_once_before_the_rest():
    reass = Reass()
    reass.insert(10, b"x")
    reass.dsack = 1, 5
    assert reass.blocks(3) == [(1, 5), (10, 11)]
    assert reass.blocks(3) == [(10, 11)]


class Tcp:
    """What a scoreboard asks of the room."""

    def __init__(self):
        self.sack_maxholes, self.sack_globalmaxholes, self.sack_globalholes = 32, 1024, 0
        self.stat = {"sackdropped": 0}


@given(PIECES, st.integers(0, 30), st.integers(0, 80), st.integers(0, 80))
def test_the_scoreboard_counts_as_a_set_does(pieces, una, low, high):
    tcp = Tcp()
    board, have = Scoreboard(tcp), set()
    for start, size in pieces:
        new = board.update([(start, start + size)], 0, 70)
        added = set(range(start, start + size)) if start + size <= 70 else set()
        assert new == len(added - have)
        have |= added
        assert tcp.sack_globalholes == len(board.ranges)
    assert board.lacking(low, high) == len([n for n in range(low, high) if n not in have])
    board.advance(una)
    have -= set(range(una))
    assert board.top == max(have, default=-1) + 1
    start, end = board.hole(una, 70)
    missing = [n for n in range(una, 70) if n not in have]
    assert (start < end) == bool(missing)
    if missing:
        assert start == missing[0]
        assert not have & set(range(start, end))
    board.clear()
    assert tcp.sack_globalholes == 0


def test_lost_is_what_three_ranges_or_two_segments_lie_above():
    board = Scoreboard(Tcp())
    board.update([(10, 11), (20, 21)], 0, 100)
    assert board.lost_edge(0, 10) == 0
    board.update([(30, 31)], 0, 100)
    assert board.lost_edge(0, 10) == 10
    board.clear()
    board.update([(10, 30)], 0, 100)
    assert board.lost_edge(0, 10) == 0
    board.update([(30, 31)], 0, 100)
    assert board.lost_edge(0, 10) == 10


def test_holes_are_bounded_and_counted():
    tcp = Tcp()
    tcp.sack_maxholes = 2
    board = Scoreboard(tcp)
    assert board.update([(10, 11), (20, 21), (30, 31)], 0, 100) == 2
    assert tcp.stat["sackdropped"] == 1
    assert board.update([(11, 12)], 0, 100) == 1  # no new range
    tcp.sack_globalmaxholes = 2
    assert Scoreboard(tcp).update([(10, 11)], 0, 100) == 0


def test_nonsense_is_ignored():
    board = Scoreboard(Tcp())
    nonsense = [(20, 10), (10, 10), (90, 101), (-5, 3), (101, 105)]
    assert board.update(nonsense, 0, 100) == 0
    assert board.ranges == []
