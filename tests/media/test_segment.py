"""The wire inside one process: who hears what, in which order, and what is counted."""

from __future__ import annotations

import random
import struct

import pytest

from libnet.clock import Clock
from libnet.media.impair import Impairments
from libnet.media.port import CSUM_L4, TAKES_ALL, marked
from libnet.media.segment import Segment

MAC = [bytes([2, 0, 0, 0, 0, n]) for n in range(8)]
ALL = b"\xff" * 6


def frame(dst, src, text=b"x"):
    return dst + src + b"\x88\xb5" + text


class Wire:
    """A segment with *count* ports that keep what they get."""

    def __init__(self, count, seed=1, labels=()):
        self.clock = Clock()
        self.segment = Segment("lan0", self.clock, random.Random(seed))
        self.got = [[] for _ in range(count)]
        self.ports = []
        for n in range(count):
            port = self.segment.plug(labels[n] if labels else f"Box{n}.wm0")
            port.receive = self.got[n].extend
            self.ports.append(port)

    def run(self, seconds=0.0):
        end = self.clock.now + seconds
        while (due := self.clock.next_due()) is not None and due <= end:
            self.clock.run(due)
        self.clock.run(end)

    def take(self):
        taken = [list(got) for got in self.got]
        for got in self.got:
            got.clear()
        return taken


def test_a_frame_reaches_the_other_port_in_the_next_pass_only():
    wire = Wire(2)
    wire.ports[0].send(frame(MAC[1], MAC[0]))
    assert wire.take() == [[], []]
    wire.run()
    assert wire.take() == [[], [frame(MAC[1], MAC[0])]]


def test_an_unknown_address_is_flooded_and_a_learned_one_is_not():
    wire = Wire(3)
    wire.ports[0].send(frame(MAC[2], MAC[0]))
    wire.run()
    assert wire.take() == [[], [frame(MAC[2], MAC[0])], [frame(MAC[2], MAC[0])]]
    wire.ports[2].send(frame(MAC[0], MAC[2]))
    wire.run()
    assert wire.take() == [[frame(MAC[0], MAC[2])], [], []]
    assert wire.segment.stat["flooded"] == 1


def test_a_broadcast_between_unicasts_keeps_its_place():
    wire = Wire(3)
    for n in (1, 2):
        wire.ports[n].send(frame(ALL, MAC[n]))
    wire.run()
    wire.take()
    sent = [frame(MAC[1], MAC[0], b"1"), frame(ALL, MAC[0], b"2"), frame(MAC[1], MAC[0], b"3")]
    wire.ports[0].send_many(sent)
    wire.run()
    assert wire.take() == [[], sent, [sent[1]]]


def test_a_frame_for_what_lives_behind_its_own_port_goes_nowhere():
    wire = Wire(3)
    wire.ports[0].send_many([frame(ALL, MAC[5]), frame(MAC[5], MAC[6])])
    wire.run()
    assert wire.take() == [[], [frame(ALL, MAC[5])], [frame(ALL, MAC[5])]]
    assert wire.segment.stat["filtered"] == 1


def test_an_address_that_moves_is_found_again():
    wire = Wire(3)
    for n in (1, 2):
        wire.ports[n].send(frame(ALL, MAC[5]))
        wire.run()
    wire.take()
    wire.ports[0].send(frame(MAC[5], MAC[0]))
    wire.run()
    assert wire.take() == [[], [], [frame(MAC[5], MAC[0])]]


def test_a_pulled_cable_carries_nothing_and_the_nic_is_told():
    wire, told = Wire(2), []
    wire.ports[1].link = told.append
    wire.ports[1].set_carrier(False)
    wire.ports[1].send(frame(ALL, MAC[1]))
    wire.ports[0].send(frame(ALL, MAC[0]))
    wire.run()
    assert wire.take() == [[], []]
    assert wire.ports[1].stat["no carrier"] == 1
    assert wire.segment.stat["nobody there"] == 1
    wire.ports[1].set_carrier(True)
    assert told == [False, True]
    wire.ports[0].send(frame(ALL, MAC[0]))
    wire.run()
    assert wire.take() == [[], [frame(ALL, MAC[0])]]


def test_a_closed_port_neither_sends_nor_gets():
    wire = Wire(2)
    wire.ports[0].send(frame(ALL, MAC[0]))
    wire.ports[0].close()
    wire.ports[0].send(frame(ALL, MAC[0]))
    wire.run()
    assert wire.take() == [[], []]
    assert wire.ports[0].stat["unplugged"] == 2


def test_a_queue_has_an_end_and_what_is_above_it_is_counted(monkeypatch):
    monkeypatch.setattr("libnet.media.segment.QUEUE_FRAMES", 3)
    wire = Wire(2)
    for _ in range(5):
        wire.ports[0].send(frame(ALL, MAC[0]))
    wire.ports[1].send_many([frame(ALL, MAC[1])] * 4)
    wire.run()
    assert [len(got) for got in wire.take()] == [3, 3]
    assert wire.ports[0].stat["queue full"] == 2
    assert wire.ports[1].stat["queue full"] == 1


def test_counters_count_frames_and_octets():
    wire = Wire(2)
    wire.ports[0].send_many([frame(ALL, MAC[0])] * 3)
    wire.run()
    assert wire.ports[0].stat == {"opackets": 3, "obytes": 45}
    assert wire.ports[1].stat == {"ipackets": 3, "ibytes": 45}


def test_a_tap_sees_each_frame_once_and_marks_pass_between_nics_untouched():
    wire, seen = Wire(3), []
    wire.segment.tap(lambda now, frames: seen.extend(frames))
    one = marked(frame(ALL, MAC[0]), csum=CSUM_L4)
    wire.ports[0].send(one)
    wire.run()
    assert seen == [bytes(one)]
    assert type(seen[0]) is bytes
    assert wire.got[1][0].csum == CSUM_L4
    wire.segment.untap(wire.segment._taps[0])
    wire.ports[0].send(one)
    wire.run()
    assert len(seen) == 1


def test_a_nic_that_takes_no_marks_gets_plain_octets():
    wire = Wire(2)
    wire.ports[1].takes = TAKES_ALL & ~CSUM_L4
    wire.ports[0].send(marked(frame(ALL, MAC[0]), csum=CSUM_L4))
    wire.run()
    assert type(wire.got[1][0]) is bytes


def numbers(frames):
    return [struct.unpack("!I", got[14:18])[0] for got in frames]


def send_numbered(wire, count, gap=0.001):
    """Send *count* numbered frames *gap* seconds apart; return [(arrival, number), …]."""
    arrived = []
    wire.ports[1].receive = lambda frames: arrived.extend(
        (round(wire.clock.now, 6), number) for number in numbers(frames)
    )
    for number in range(count):
        wire.ports[0].send(frame(MAC[1], MAC[0], struct.pack("!I", number) + bytes(40)))
        wire.run(gap)
    wire.run(60)
    return arrived


@pytest.mark.parametrize(
    "how",
    [
        {"loss": 30.0},
        {"dup": 30.0},
        {"reorder": 30.0},
        {"delay": 5.0, "jitter": 4.0},
        {"loss": 10.0, "dup": 10.0, "reorder": 10.0, "delay": 3.0, "jitter": 3.0, "rate": 1000.0},
    ],
)
def test_a_seed_is_a_run(how):
    def once(seed):
        wire = Wire(2)
        wire.segment.impair(Impairments(**how, seed=seed))
        return send_numbered(wire, 300)

    assert once(7) == once(7)
    assert once(7) != once(8)


def test_loss_loses_about_what_it_says():
    wire = Wire(2)
    wire.segment.impair(Impairments(loss=20.0))
    arrived = send_numbered(wire, 2000)
    assert 1500 < len(arrived) < 1700
    assert wire.ports[0].stat["lost"] == 2000 - len(arrived)


def test_all_can_be_lost():
    wire = Wire(2)
    wire.segment.impair(Impairments(loss=100))
    assert send_numbered(wire, 50) == []


def test_delay_is_exact_and_keeps_the_order():
    wire = Wire(2)
    wire.segment.impair(Impairments(delay=5.0))
    assert send_numbered(wire, 5) == [(round(0.005 + n / 1000, 6), n) for n in range(5)]


def test_jitter_spreads_within_its_bounds_and_keeps_the_order():
    wire = Wire(2)
    wire.segment.impair(Impairments(delay=10.0, jitter=4.0, seed=3))
    arrived = send_numbered(wire, 300, gap=0.02)
    waits = [at - n * 0.02 for at, n in arrived]
    assert [n for _, n in arrived] == list(range(300))
    assert 0.0059 < min(waits) < 0.0075
    assert 0.0125 < max(waits) < 0.0141


def test_duplication_repeats_frames():
    wire = Wire(2)
    wire.segment.impair(Impairments(dup=100))
    assert [n for _, n in send_numbered(wire, 3)] == [0, 0, 1, 1, 2, 2]
    assert wire.ports[0].stat["duplicated"] == 3


def test_reordering_lets_the_next_frame_overtake():
    wire = Wire(2)
    wire.segment.impair(Impairments(reorder=50, seed=1))
    got = [n for _, n in send_numbered(wire, 200)]
    assert sorted(got) == list(range(200))
    assert got != sorted(got)
    assert all(abs(n - at) <= 1 for at, n in enumerate(got))


def test_a_frame_that_nobody_overtakes_arrives_all_the_same():
    wire = Wire(2)
    wire.segment.impair(Impairments(reorder=100))
    assert [n for _, n in send_numbered(wire, 1)] == [0]


def test_corruption_turns_one_bit():
    wire = Wire(2)
    wire.segment.impair(Impairments(corrupt=100))
    sent = frame(MAC[1], MAC[0], bytes(50))
    wire.ports[0].send(sent)
    wire.run()
    (got,) = wire.got[1]
    assert (int.from_bytes(got, "big") ^ int.from_bytes(sent, "big")).bit_count() == 1


def test_rate_spaces_frames_and_its_queue_has_an_end():
    wire = Wire(2)
    wire.segment.impair(Impairments(rate=8.0))  # 1000 octets a second
    got = []
    wire.ports[1].receive = lambda frames: got.extend(wire.clock.now for _ in frames)
    wire.ports[0].send_many([frame(MAC[1], MAC[0], bytes(86))] * 3)
    wire.run(10)
    assert got == pytest.approx([0.1, 0.2, 0.3])
    wire.ports[0].send_many([frame(MAC[1], MAC[0], bytes(60000))] * 20)
    wire.run()
    assert wire.ports[0].stat["rate queue full"] == 15


def test_a_wire_that_gets_well_does_not_let_new_frames_overtake_old():
    wire = Wire(2)
    wire.segment.impair(Impairments(delay=5.0))
    wire.ports[0].send(frame(MAC[1], MAC[0], b"\0\0\0\1"))
    wire.run()
    wire.segment.impair(Impairments())
    wire.ports[0].send(frame(MAC[1], MAC[0], b"\0\0\0\2"))
    wire.run(1)
    assert numbers(wire.got[1]) == [1, 2]


def test_a_partition_separates_the_named_from_the_rest():
    wire = Wire(4, labels=["A.wm0", "B.wm0", "C.wm0", "D.wm0"])
    wire.segment.impair(Impairments(partition="A,B.wm0"))
    for n in range(4):
        wire.ports[n].send(frame(ALL, MAC[n]))
    wire.run()
    heard = [[got[11] for got in some] for some in wire.take()]
    assert heard == [[1], [0], [3], [2]]
    wire.segment.impair(Impairments())
    wire.ports[0].send(frame(ALL, MAC[0]))
    wire.run()
    assert [len(some) for some in wire.take()] == [0, 1, 1, 1]


def test_an_impaired_wire_carries_no_undone_checksum():
    wire = Wire(2)
    wire.segment.impair(Impairments(delay=1.0))
    wire.ports[0].send(marked(frame(ALL, MAC[0]), csum=CSUM_L4))
    wire.run(1)
    assert type(wire.got[1][0]) is bytes


@pytest.mark.parametrize(
    "wrong", [{"loss": 101}, {"delay": -1}, {"rate": "x"}, {"seed": 1.5}, {"partition": 3}]
)
def test_impossible_impairments_are_refused_by_name(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Impairments(**wrong)


def test_impairments_survive_a_round_trip():
    how = Impairments(loss=1.5, partition="A|B", seed=4)
    assert Impairments.from_dict(how.to_dict()).to_dict() == how.to_dict()
    with pytest.raises(ValueError, match="gain"):
        Impairments.from_dict({"gain": 1})
