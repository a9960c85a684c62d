"""The radio: turns, answers, retries and filters, as two radios on one air see them."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libnet.clock import Clock
from libnet.drivers.radio import DEPTH, FREQS_A, FREQS_BG, VirtualRadio
from libnet.engine.ieee80211.radio import Radio
from libnet.errors import NetError
from libnet.media.air import Air
from libnet.media.airmodel import AirProperties
from libnet.media.airport import Heard
from libnet.wire.phy import BROADCAST, RX_BADFCS, RxInfo, TxStatus, airtime_us

A, B, C = (b"\x02\0\0\0\0" + bytes((n,)) for n in (1, 2, 3))
BSS = b"\x02\0\0\0\0\xff"
ZERO = bytes(6)
NONE = {"bssid": ZERO, "promiscuous": False, "monitor": False}


def frame(fc: int, to: bytes, sender: bytes, third: bytes = BSS, *, flags: int = 0) -> bytes:
    return bytes((fc, flags, 0, 0)) + to + sender + third + b"\0\0" + bytes(76)


class World:
    """Radios that keep what they are given, and what was on the air."""

    def __init__(self, seed: int = 1) -> None:
        self.clock = Clock()
        self.air = Air("air0", self.clock, Random(seed))
        self.dice = Random(seed)
        self.got: dict[str, list[tuple[bytes, RxInfo]]] = {}
        self.sent: list[Heard] = []
        self.done: list[TxStatus] = []
        self.air.tap(lambda now, heard: self.sent.append(heard))

    def radio(self, label: str, mac: bytes, freq: int = 2412, **how: object) -> VirtualRadio:
        radio = VirtualRadio(self.air.plug(label), self.dice, mac, **how)  # type: ignore[arg-type]
        mine = self.got.setdefault(label, [])
        radio.receive = lambda octets, info: mine.append((octets, info))
        radio.start()
        radio.tune(freq)
        return radio

    def send(self, radio: VirtualRadio, octets: bytes, series=((22, 4),), **how: object) -> bool:
        return radio.transmit(octets, series, done=self.done.append, **how)  # type: ignore[arg-type]

    def run(self, seconds: float = 1.0) -> None:
        until = self.clock.now + seconds
        while (due := self.clock.next_due()) is not None and due <= until:
            self.clock.run(due)
        self.clock.run(until)

    def kinds(self) -> list[int]:
        return [heard.frame[0] for heard in self.sent]


def test_it_is_what_the_room_asks_for():
    radio: Radio = World().radio("a", A)
    assert radio.room == DEPTH
    assert radio.freqs == FREQS_BG + FREQS_A
    assert (radio.hostap, radio.ibss, radio.monitor) == (True, True, True)


def test_a_frame_is_acknowledged_and_its_sender_told():
    world = World()
    a = world.radio("a", A)
    world.radio("b", B)
    assert world.send(a, frame(0x08, B, A))
    world.run()
    assert world.done == [TxStatus(acked=True, rate=22, retries=0)]
    assert world.kinds() == [0x08, 0xD4]
    data, ack = world.sent
    assert ack.frame == b"\xd4\0\0\0" + A
    assert ack.rate == 4
    # The duration field covers SIFS and the ACK.
    assert int.from_bytes(data.frame[2:4], "little") == 10 + airtime_us(4, 10)
    ((octets, info),) = world.got["b"]
    assert octets == data.frame
    assert (info.freq, info.rate, info.signal, info.noise) == (2412, 22, -25, -95)


def test_a_silent_peer_is_tried_at_each_rate_of_the_series():
    world = World()
    a = world.radio("a", A)
    world.send(a, frame(0x08, B, A), ((22, 2), (11, 1), (2, 2)))
    world.run()
    assert world.done == [TxStatus(acked=False, rate=2, retries=4)]
    assert [heard.rate for heard in world.sent] == [22, 22, 11, 2, 2]
    assert [heard.frame[1] & 0x08 for heard in world.sent] == [0, 8, 8, 8, 8]
    assert (a.stat["ack timeouts"], a.stat["retries"], a.stat["excessive retries"]) == (5, 4, 1)


def test_a_lost_frame_is_repeated_until_it_comes_through():
    world = World()
    world.air.change(AirProperties(loss=30.0))
    a = world.radio("a", A)
    world.radio("b", B)
    for _ in range(50):
        world.send(a, frame(0x08, B, A), ((22, 20),))
        world.run(0.1)
    assert all(status.acked for status in world.done)
    assert a.stat["retries"] > 10
    assert len(world.got["b"]) >= 50


def test_group_frames_go_out_once_and_nobody_answers():
    world = World()
    a = world.radio("a", A)
    world.radio("b", B).filter(bssid=BSS, promiscuous=False, monitor=False)
    world.send(a, frame(0x08, BROADCAST, BSS, A, flags=0x02), ((2, 1),))
    world.run()
    assert world.done == [TxStatus(acked=True, rate=2, retries=0)]
    assert world.kinds() == [0x08]
    assert len(world.got["b"]) == 1


def test_rts_is_asked_and_cleared_first():
    world = World()
    a = world.radio("a", A)
    world.radio("b", B)
    world.send(a, frame(0x08, B, A), rts=True)
    world.run()
    assert world.kinds() == [0xB4, 0xC4, 0x08, 0xD4]
    assert world.done[0].acked
    rts, cts, data, ack = (int.from_bytes(h.frame[2:4], "little") for h in world.sent)
    assert rts > cts > data > ack == 0
    assert cts == rts - 10 - airtime_us(4, 10)


def test_without_a_cts_the_frame_stays():
    world = World()
    a = world.radio("a", A)
    world.send(a, frame(0x08, B, A), ((22, 3),), rts=True)
    world.run()
    assert world.kinds() == [0xB4, 0xB4, 0xB4]
    assert world.done == [TxStatus(acked=False, rate=22, retries=2)]
    assert a.stat["cts timeouts"] == 3


def test_rts_helps_hidden_stations():
    def delivered(rts: bool) -> int:
        world = World()
        world.air.change(AirProperties(sense=-70.0))
        a, b = world.radio("a", A), world.radio("b", B)
        world.radio("c", C)
        world.air.place("a", -25, 0)
        world.air.place("b", 25, 0)
        for _ in range(30):
            world.send(a, frame(0x08, C, A) + bytes(1400), ((2, 1),), rts=rts)
            world.send(b, frame(0x08, C, B) + bytes(1400), ((2, 1),), rts=rts)
        world.run(10)
        return len(world.got["c"])

    assert delivered(True) > 2 * delivered(False)


def test_a_beacon_bears_the_time_at_which_it_goes_out():
    world = World()
    a = world.radio("a", A)
    world.radio("b", B)
    a.set_tsf(1_000_000_000)
    world.run(0.5)
    world.send(a, frame(0x80, BROADCAST, A, A), ((2, 1),))
    world.run()
    stamp = int.from_bytes(world.got["b"][0][0][24:32], "little")
    assert 1_000_500_000 <= stamp < 1_000_502_000


@pytest.mark.parametrize(
    ("octets", "bssid", "passes"),
    [
        (frame(0x80, BROADCAST, C, C), ZERO, True),
        (frame(0x80, BROADCAST, C, C), BSS, False),
        (frame(0x80, BROADCAST, BSS, BSS), BSS, True),
        (frame(0x40, BROADCAST, C, BROADCAST), BSS, True),
        (frame(0xC0, BROADCAST, C, C), BSS, False),
        (frame(0x08, BROADCAST, BSS, C, flags=2), BSS, True),
        (frame(0x08, BROADCAST, C, A, flags=2), BSS, False),
        (frame(0x08, BROADCAST, C, BSS), BSS, True),
        (frame(0x08, BROADCAST, C, BSS), ZERO, True),
        (frame(0x08, BROADCAST, C, BSS, flags=3), BSS, False),
    ],
)
def test_group_frames_pass_the_filter_by_network(octets, bssid, passes):
    world = World()
    a, b = world.radio("a", A), world.radio("b", B)
    b.filter(bssid=bssid, promiscuous=False, monitor=False)
    world.send(a, octets, ((2, 1),))
    world.run()
    assert len(world.got["b"]) == passes
    assert b.stat["filtered"] == (not passes)


def test_frames_to_others_are_for_the_promiscuous_and_all_for_a_monitor():
    world = World()
    a = world.radio("a", A)
    world.radio("b", B)
    world.radio("c", C).filter(bssid=BSS, promiscuous=True, monitor=False)
    world.radio("m", b"\x02\0\0\0\0\x09").filter(bssid=ZERO, promiscuous=False, monitor=True)
    world.send(a, frame(0x08, B, A))
    world.send(a, frame(0x00, B, A))
    world.run()
    assert [octets[0] for octets, _ in world.got["c"]] == [0x08]
    assert [octets[0] for octets, _ in world.got["m"]] == [0x08, 0xD4, 0x00, 0xD4]
    assert all(status.acked and not status.retries for status in world.done)  # by b alone


def test_a_damaged_frame_is_counted_and_shown_only_to_a_monitor():
    world = World()
    world.air.change(AirProperties(loss=100.0))
    a, b = world.radio("a", A), world.radio("b", B)
    world.radio("m", C).filter(bssid=ZERO, promiscuous=False, monitor=True)
    world.send(a, frame(0x08, B, A), ((22, 1),))
    world.run()
    assert world.got["b"] == []
    assert b.stat["fcs errors"] == 1
    ((octets, info),) = world.got["m"]
    assert info.flags & RX_BADFCS
    assert octets != world.sent[0].frame
    assert world.kinds() == [0x08]  # no ACK


def test_a_sleeper_hears_nothing_until_it_wakes_or_sends():
    world = World()
    a, b = world.radio("a", A), world.radio("b", B)
    b.sleep(True)
    world.send(a, frame(0x08, B, A), ((22, 1),))
    world.run()
    assert not world.done[-1].acked
    world.send(b, frame(0x48, A, B))
    world.run()
    assert world.done[-1].acked
    world.send(a, frame(0x08, B, A), ((22, 1),))
    world.run()
    assert len(world.got["b"]) == 1
    b.sleep(True)
    b.sleep(False)
    world.send(a, frame(0x08, B, A), ((22, 1),))
    world.run()
    assert len(world.got["b"]) == 2


def test_one_that_falls_asleep_still_gets_its_answer():
    world = World()
    a = world.radio("a", A)
    world.radio("b", B)
    world.send(a, frame(0x48, B, A))
    a.sleep(True)
    world.run()
    assert world.done == [TxStatus(acked=True, rate=22, retries=0)]
    assert a.port.channel is None


def test_ps_poll_keeps_its_association_id_and_reaches_the_room():
    world = World()
    a = world.radio("a", A)
    world.radio("b", B)
    poll = b"\xa4\x10\x01\xc0" + B + A
    world.send(a, poll)
    world.run()
    assert [octets for octets, _ in world.got["b"]] == [poll]
    assert world.done[0].acked


def test_the_queue_is_bounded_and_says_when_there_is_room():
    world = World()
    a = world.radio("a", A)
    world.radio("b", B)
    rooms: list[int] = []
    a.ready = lambda: rooms.append(a.room)
    count = 0
    while world.send(a, frame(0x08, B, A)):
        count += 1
    assert count == DEPTH + 1  # one is being sent
    assert (a.room, a.stat["queue full"]) == (0, 1)
    world.run()
    assert rooms == [1]
    assert (a.room, len(world.done)) == (DEPTH, count)


def test_frames_leave_in_order():
    world = World()
    a = world.radio("a", A)
    world.radio("b", B)
    frames = [frame(0x08, B, A) + bytes((n,)) for n in range(20)]
    for octets in frames:
        world.send(a, octets)
    world.run()
    assert [octets[-1] for octets, _ in world.got["b"]] == list(range(20))


def test_stop_loses_what_waits_and_start_begins_anew():
    world = World()
    a = world.radio("a", A)
    world.radio("b", B)
    for _ in range(3):
        world.send(a, frame(0x08, B, A))
    a.stop()
    assert not world.send(a, frame(0x08, B, A))
    assert a.room == 0
    world.run()
    assert world.done == []
    assert world.sent == []
    a.start()
    assert world.send(a, frame(0x08, B, A))
    world.run()
    assert len(world.done) == 1


@pytest.mark.parametrize(
    ("modes", "good", "bad"),
    [(("11b",), 2484, 5180), (("11a",), 5180, 2412), (("11a", "11b", "11g"), 5825, 2411)],
)
def test_only_channels_of_its_bands_can_be_tuned(modes, good, bad):
    world = World()
    radio = VirtualRadio(world.air.plug("x"), world.dice, A, modes=modes)
    radio.tune(good)
    with pytest.raises(NetError) as caught:
        radio.tune(bad)
    assert caught.value.symbol == "EINVAL"
    assert radio.freq == good


def test_the_timer_starts_at_zero_and_can_be_set():
    world = World()
    world.run(5)
    a = world.radio("a", A)
    assert a.tsf() == 0
    world.run(2)
    assert a.tsf() == 2_000_000
    a.set_tsf(7)
    world.run(1)
    assert a.tsf() == 1_000_007


def test_a_clock_that_lags_costs_no_answers():
    world = World()
    a = world.radio("a", A)
    world.radio("b", B)
    for rts in (False, True):
        world.send(a, frame(0x08, B, A), rts=rts)
    for _ in range(40):  # as where the wall's clock is followed: always milliseconds late
        world.clock.run(world.clock.now + 0.003)
    assert [status.retries for status in world.done] == [0, 0]
    assert a.stat["ack timeouts"] == a.stat["cts timeouts"] == 0


def test_a_seed_is_a_run():
    def run(seed: int) -> list[tuple[bytes, int]]:
        world = World(seed)
        world.air.change(AirProperties(loss=20.0))
        a, b = world.radio("a", A), world.radio("b", B)
        for _ in range(20):
            world.send(a, frame(0x08, B, A))
            world.send(b, frame(0x08, A, B))
        world.run(5)
        return [(heard.frame, heard.rate) for heard in world.sent]

    assert run(3) == run(3) != run(4)


@given(
    st.lists(st.tuples(st.binary(max_size=80), st.sampled_from([0, RX_BADFCS])), max_size=20),
    st.booleans(),
    st.booleans(),
)
def test_any_octets_from_the_air_are_counted_or_passed_on(octets, promiscuous, monitor):
    world = World()
    radio = world.radio("a", A)
    radio.filter(bssid=BSS, promiscuous=promiscuous, monitor=monitor)
    for some, flags in octets:
        radio.port.receive(some, -50, 22, flags)
        radio.port.receive(some[:4] + A + some[10:], -50, 22, flags)
    world.run()
    assert radio.stat["rx"] == len(world.got["a"])
