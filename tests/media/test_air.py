"""The air in memory: who hears whom, what collides, and that a seed is a run."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libnet.clock import Clock
from libnet.media.air import Air, MemAirPort
from libnet.media.airmodel import AirProperties, ErrorTable, position
from libnet.wire.phy import CCK_RATES, OFDM_RATES, RX_BADFCS, airtime_us

A, B, C = (b"\x02\0\0\0\0" + bytes((n,)) for n in (1, 2, 3))
CHANNEL = 2412


def data(to: bytes, sender: bytes, octets: int = 100) -> bytes:
    return b"\x08\0\0\0" + to + sender + C + b"\0\0" + bytes(octets - 24)


class World:
    """Antennas that keep what they hear."""

    def __init__(self, seed: int = 1) -> None:
        self.clock = Clock()
        self.air = Air("air0", self.clock, Random(seed))
        self.heard: dict[str, list[tuple[float, bytes, int, int]]] = {}

    def port(
        self, label: str, mac: bytes, *, freq: int = CHANNEL, nosy: bool = False
    ) -> MemAirPort:
        port = self.air.plug(label)
        mine = self.heard.setdefault(label, [])
        port.receive = lambda frame, signal, rate, flags: mine.append(
            (self.clock.now, frame, signal, flags)
        )
        port.listen(freq, mac, nosy=nosy)
        return port

    def run(self, until: float = 1.0) -> None:
        while (due := self.clock.next_due()) is not None and due <= until:
            self.clock.run(due)
        self.clock.run(until)

    def frames(self, label: str) -> list[bytes]:
        return [frame for _when, frame, _signal, _flags in self.heard[label]]


def test_a_frame_arrives_when_its_air_time_is_over():
    world = World()
    a, _b = world.port("a", A), world.port("b", B)
    wait = a.emit(data(B, A), 22, 15)
    world.run()
    ((when, frame, signal, flags),) = world.heard["b"]
    assert when == pytest.approx(airtime_us(22, 100) * 1e-6) == pytest.approx(wait)
    assert frame == data(B, A)
    assert signal == -25  # 15 dBm less 40 dB over the first metre
    assert not flags


def test_only_those_it_is_for_and_the_nosy_hear_a_frame():
    world = World()
    a, _b = world.port("a", A), world.port("b", B)
    world.port("c", C)
    world.port("monitor", b"\x02\0\0\0\0\x09", nosy=True)
    world.port("elsewhere", B, freq=2437)
    a.emit(data(B, A), 22, 15)
    world.run()
    assert {label: len(heard) for label, heard in world.heard.items()} == {
        "a": 0, "b": 1, "c": 0, "monitor": 1, "elsewhere": 0,
    }  # fmt: skip


def test_a_group_frame_reaches_all_on_the_channel_but_not_its_sender():
    world = World()
    a = world.port("a", A)
    for label in "bcd":
        world.port(label, B)
    world.port("off", B, freq=0)
    a.emit(data(b"\xff" * 6, A), 2, 15)
    world.run()
    assert [len(world.heard[label]) for label in ("a", "b", "c", "d", "off")] == [0, 1, 1, 1, 0]


def test_distance_weakens_and_finally_silences():
    world = World()
    a, _b = world.port("A.abc0", A), world.port("B.abc0", B)
    signals = []
    for metres in (1, 10, 30, 1000):
        world.air.place("B.abc0", metres, 0)
        a.emit(data(B, A), 2, 15)
        world.run(world.clock.now + 1)
        signals += [signal for _w, _f, signal, _fl in world.heard["B.abc0"]]
        world.heard["B.abc0"].clear()
    assert signals == [-25, -55, -69]


def test_a_place_may_be_given_before_the_antenna_is_there():
    world = World()
    world.air.place("B.abc0", 10, 0)
    a = world.port("A.abc0", A)
    world.port("B.abc0", B)
    a.emit(data(B, A), 2, 15)
    world.run()
    assert [signal for _w, _f, signal, _fl in world.heard["B.abc0"]] == [-55]


@pytest.mark.parametrize("where", [(float("nan"), 0.0), (1e10, 0.0), ("1", 0.0)])
def test_a_place_that_is_none_is_refused(where):
    with pytest.raises(ValueError, match="metres"):
        World().air.place("A.abc0", *where)


def test_two_that_hear_each_other_take_turns():
    world = World()
    a, b = world.port("a", A), world.port("b", B)
    world.port("c", C)
    spans: list[tuple[float, float]] = []

    def send(port: MemAirPort, mac: bytes) -> None:
        wait = port.emit(data(C, mac), 22, 15)
        spans.append((world.clock.now, world.clock.now + wait))

    dice = Random(3)
    for _ in range(50):
        a.contend(dice.getrandbits(5), lambda: send(a, A))
        b.contend(dice.getrandbits(5), lambda: send(b, B))
        world.run(world.clock.now + 0.1)
    assert len(world.heard["c"]) == len(spans) == 100
    assert all(one[1] < other[0] for one, other in pairwise(spans))


def hidden(world: World, near: float, far: float) -> tuple[MemAirPort, MemAirPort]:
    a, b = world.port("a", A), world.port("b", B)
    world.port("c", C)
    world.air.place("a", -near, 0)
    world.air.place("b", far, 0)
    world.air.change(AirProperties(sense=-70.0))
    return a, b


def test_two_that_are_hidden_from_each_other_spoil_both_frames():
    world = World()
    a, b = hidden(world, 25, 25)
    for port, mac in ((a, A), (b, B)):
        port.contend(0, lambda port=port, mac=mac: port.emit(data(C, mac), 2, 15))
    world.run()
    assert world.heard["c"] == []
    assert world.air.stat["collisions"] == 2


def test_of_two_hidden_ones_a_much_stronger_one_comes_through():
    world = World()
    a, b = hidden(world, 2, 48)
    for port, mac in ((a, A), (b, B)):
        port.contend(0, lambda port=port, mac=mac: port.emit(data(C, mac), 2, 15))
    world.run()
    assert world.frames("c") == [data(C, A)]


def test_who_sends_does_not_hear():
    world = World()
    a, b = world.port("a", A), world.port("b", B)
    a.emit(data(B, A), 2, 15)
    b.emit(data(A, B), 2, 15)
    world.run()
    assert world.heard["a"] == world.heard["b"] == []
    assert a.stat["rx while sending"] == b.stat["rx while sending"] == 1


def test_an_announced_answer_keeps_others_silent():
    world = World()
    a, b = world.port("a", A), world.port("b", B)
    went: list[float] = []
    end = a.emit(data(C, A), 22, 15, nav_us=500)
    b.contend(0, lambda: went.append(world.clock.now))
    world.run()
    assert went == [pytest.approx(end + 500e-6 + 50e-6)]


def test_a_faster_rate_needs_a_better_signal():
    world = World()
    a = world.port("a", A)
    world.port("b", B)
    world.air.place("b", 60, 0)  # about 17 dB above the noise
    for rate in (2, 108):
        for _ in range(100):
            a.emit(data(B, A, 1000), rate, 15)
            world.run(world.clock.now + 0.1)
    good = [frame for _w, frame, _s, flags in world.heard["b"] if not flags & RX_BADFCS]
    assert len(good) == 100
    assert world.air.stat["damaged"] == 100


def test_loss_comes_from_the_seed_alone():
    def lost(seed: int) -> list[bool]:
        world = World(seed)
        world.air.change(AirProperties(loss=50.0))
        a = world.port("a", A)
        world.port("b", B)
        for _ in range(64):
            a.emit(data(B, A), 22, 15)
            world.run(world.clock.now + 0.01)
        return [bool(flags & RX_BADFCS) for _w, _f, _s, flags in world.heard["b"]]

    assert lost(5) == lost(5) != lost(6)
    assert 16 < sum(lost(5)) < 48


def test_who_leaves_the_channel_misses_what_is_under_way():
    world = World()
    a, b = world.port("a", A), world.port("b", B)
    a.emit(data(B, A), 2, 15)
    world.run(1e-4)
    b.listen(2437, B, nosy=False)
    world.run(2e-4)
    b.listen(CHANNEL, B, nosy=False)
    world.run()
    assert world.heard["b"] == []


def test_a_pulled_antenna_takes_its_frame_along():
    world = World()
    a, _b = world.port("a", A), world.port("b", B)
    a.emit(data(B, A), 2, 15)
    a.close()
    world.run()
    assert world.heard["b"] == []
    a.emit(data(B, A), 2, 15)
    assert (a.stat["cut off"], a.stat["unplugged"]) == (1, 1)


def test_a_recorder_gets_every_frame_once():
    world = World()
    a, _b = world.port("a", A), world.port("b", B)
    seen = []
    world.air.tap(lambda now, heard: seen.append((heard.label, heard.freq, heard.frame)))
    a.emit(data(B, A), 2, 15)
    world.run()
    assert seen == [("a", CHANNEL, data(B, A))]


def test_flights_are_forgotten():
    world = World()
    a = world.port("a", A)
    world.port("b", B)
    for _ in range(200):
        a.emit(data(B, A), 108, 15, nav_us=60)
        world.run(world.clock.now + 0.001)
    assert len(world.air.channel(CHANNEL).flights) <= 1


@given(
    st.sampled_from(CCK_RATES + OFDM_RATES),
    st.integers(10, 2346),
    st.integers(10, 2346),
    st.floats(-30, 60),
    st.floats(-30, 60),
)
def test_damage_rises_with_length_and_falls_with_signal(rate, short, long, snr, other):
    table = ErrorTable()
    short, long = sorted((short, long))
    low, high = sorted((snr, other))
    assert 0.0 <= table.per(rate, short, low) <= table.per(rate, long, low) <= 1.0
    assert table.per(rate, short, high) <= table.per(rate, short, low)


def test_faster_rates_are_more_delicate():
    table = ErrorTable()
    for rates in (CCK_RATES, OFDM_RATES):
        chances = [table.per(rate, 1000, 8.0) for rate in rates]
        assert chances == sorted(chances)


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"exponent": 0}, "exponent"),
        ({"noise": "x"}, "noise"),
        ({"loss": 101}, "loss"),
        ({"seed": 1.5}, "seed"),
        ({"colour": 1}, "colour"),
        ({"sense": float("nan")}, "sense"),
    ],
)
def test_wrong_properties_are_named(values, word):
    with pytest.raises(ValueError, match=word):
        AirProperties.from_dict(values)


def test_properties_are_kept_as_they_differ():
    how = AirProperties(exponent=3.5, seed=7)
    assert how.to_dict() == {"exponent": 3.5, "seed": 7}
    assert AirProperties.from_dict(how.to_dict()).to_dict() == how.to_dict()


@given(st.recursive(st.none() | st.floats() | st.integers() | st.text(), st.lists, max_leaves=5))
def test_any_place_is_one_or_refused(values):
    try:
        x, y, z = position(values)
    except ValueError:
        return
    assert all(abs(v) <= 1e9 for v in (x, y, z))
