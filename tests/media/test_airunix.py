"""Antennas of an air between processes: here in one, on a clock that the test moves."""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from libnet.clock import Clock
from libnet.drivers.radio import VirtualRadio
from libnet.media.airgram import (
    Sent,
    Tuned,
    build_air,
    build_lost,
    build_tune,
    parse_air,
    parse_lost,
    parse_tune,
)
from libnet.media.airmodel import ORIGIN, AirProperties
from libnet.media.airport import Heard
from libnet.media.airunix import ANSWER_S, NOBODY_S, UnixAirPort, read_air, write_air
from libnet.media.datagram import AIR, LOST, STATS, TUNE, BadDatagram, build
from libnet.media.mesh import Asker, make_segment
from libnet.sunaddr import unix_address
from libnet.wire.phy import BROADCAST, CCK_RATES, OFDM_RATES, RX_BADFCS, TxStatus

A, B, C = (b"\x02\0\0\0\0" + bytes((n,)) for n in (1, 2, 3))
CHANNEL = 2437


def data(to: bytes, sender: bytes, octets: int = 100) -> bytes:
    return b"\x08\0\0\0" + to + sender + C + b"\0\0" + bytes(octets - 24)


class Loop:
    """The loop as media see it, without waiting."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.readers: dict[int, Callable[[], None]] = {}

    def add_reader(self, fd: int, callback: Callable[[], None]) -> None:
        self.readers[fd] = callback

    def remove_reader(self, fd: int) -> None:
        self.readers.pop(fd, None)

    def at_pass_end(self, callback: Callable[[], None]) -> None:
        callback()

    def settle(self) -> None:
        """Do all there is to do at this instant."""
        while True:
            ready = select.select(list(self.readers), [], [], 0)[0]
            for fd in ready:
                if fd in self.readers:
                    self.readers[fd]()
            if not ready and not self.clock.run(self.clock.now):
                return

    def run(self, seconds: float) -> None:
        until = self.clock.now + seconds
        self.settle()
        while (due := self.clock.next_due()) is not None and due <= until:
            self.clock.run(due)
            self.settle()
        self.clock.run(until)
        self.settle()


class Space:
    def __init__(self, directory: str) -> None:
        self.loop = Loop()
        self.directory = directory
        self.ports: list[UnixAirPort] = []
        self.got: dict[str, list[tuple[bytes, int, int]]] = {}

    def plug(self, label: str, mac: bytes = A, freq: int = CHANNEL, *, nosy: bool = False):
        port = UnixAirPort(self.loop, self.directory, label, Random(label))
        mine = self.got.setdefault(label, [])
        port.receive = lambda frame, signal, rate, flags: mine.append((frame, signal, flags))
        self.ports.append(port)
        port.listen(freq, mac, nosy=nosy)
        self.loop.settle()
        return port

    def place(self, how: AirProperties = AirProperties(), **places: float) -> None:  # noqa: B008
        write_air(self.directory, how, {label: (x, 0.0, 0.0) for label, x in places.items()})
        self.loop.settle()

    def close(self) -> None:
        for port in self.ports:
            port.close()


@pytest.fixture
def space(tmp_path):
    made = Space(str(tmp_path / "airs" / "air0"))
    make_segment(made.directory)
    yield made
    made.close()


def test_a_frame_is_sent_only_to_who_wants_it(space):
    a = space.plug("A", A)
    ports = {
        "B": space.plug("B", B),
        "C": space.plug("C", C),
        "nosy": space.plug("nosy", b"\x02\0\0\0\0\x09", nosy=True),
        "elsewhere": space.plug("elsewhere", B, 2412),
        "off": space.plug("off", B, 0),
    }
    a.emit(data(B, A), 22, 15)
    space.loop.settle()
    heard = {label: len(space.got[label]) for label in ports}
    assert heard == {"B": 1, "C": 0, "nosy": 1, "elsewhere": 0, "off": 0}
    assert all(not port.stat["other channel"] for port in ports.values())
    assert space.got["B"] == [(data(B, A), -25, 0)]


def test_group_frames_go_to_all_on_the_channel_and_one_that_retunes_hears_them(space):
    a, b = space.plug("A", A), space.plug("B", B, 2412)
    a.emit(data(BROADCAST, A), 2, 15)
    space.loop.settle()
    assert space.got["B"] == []
    b.listen(CHANNEL, B, nosy=False)
    space.loop.settle()
    a.emit(data(BROADCAST, A), 2, 15)
    space.loop.settle()
    assert len(space.got["B"]) == 1


def test_places_lie_in_a_file_and_change_the_signal_at_once(space):
    a = space.plug("A", A)
    space.plug("B", B)
    for metres in (1.0, 10.0, 30.0, 500.0):
        space.place(B=metres)
        a.emit(data(B, A), 2, 15)
        space.loop.settle()
    assert [signal for _f, signal, _fl in space.got["B"]] == [-25, -55, -69]
    assert a.patience(B) == NOBODY_S  # so far away that nobody can answer


def test_one_that_missed_the_change_learns_of_it_from_the_next_frame(space, monkeypatch):
    a = space.plug("A", A)
    space.plug("B", B)
    monkeypatch.setattr("libnet.media.airunix.tell", lambda *_a, **_k: 0)
    space.place(A=10.0)
    a._reread()  # only a was told
    a.emit(data(B, A), 2, 15)
    space.loop.settle()
    assert space.ports[1]._generation == a._generation
    assert space.got["B"][0][1] == -55


def test_an_answer_is_waited_for_only_if_somebody_may_give_it(space):
    a = space.plug("A", A)
    a.emit(data(B, A), 22, 15)
    assert a.patience(B) == NOBODY_S
    b = space.plug("B", B)
    a.emit(data(B, A), 22, 15)
    assert a.patience(B) == ANSWER_S
    a.emit(data(C, A), 22, 15)
    assert a.patience(C) == NOBODY_S
    b.close()
    space.loop.settle()
    a.emit(data(B, A), 22, 15)
    assert a.patience(B) == NOBODY_S


def test_a_killed_port_is_noticed(space):
    a, b = space.plug("A", A), space.plug("B", B)
    space.loop.remove_reader(b._sock.fileno())
    b._sock.close()
    for peer in b._peers.values():
        if peer.sock is not None:
            peer.sock.close()
    b.closed = True
    a.emit(data(B, A), 22, 15)
    assert a.patience(B) == NOBODY_S
    assert a.stat["dead port"] == 1
    assert sorted(os.listdir(space.directory)) == [a.name]


def test_a_full_receiver_loses_frames_and_holds_nobody_up(space):
    a, b = space.plug("A", A), space.plug("B", B)
    space.loop.remove_reader(b._sock.fileno())
    for _ in range(2000):
        a.emit(data(B, A, 2000), 108, 15)
    assert a.stat["receiver full"] > 0
    space.loop.add_reader(b._sock.fileno(), b._readable)
    space.loop.settle()
    before = len(space.got["B"])
    a.emit(data(B, A), 108, 15)
    space.loop.settle()
    assert len(space.got["B"]) == before + 1


def test_a_recorder_that_is_slow_misses_nothing(space):
    a = space.plug("A", A)
    recorder = UnixAirPort(space.loop, space.directory, "capture", role="all")
    heard: list[Heard] = []
    recorder.heard = heard.append
    space.loop.settle()
    space.loop.remove_reader(recorder._sock.fileno())
    frames = [data(B, A) + n.to_bytes(2, "big") for n in range(3000)]
    for frame in frames:
        a.emit(frame, 108, 15)
    space.loop.add_reader(recorder._sock.fileno(), recorder._readable)
    space.loop.settle()
    assert [h.frame for h in heard] == frames
    recorder.close()


def test_a_sender_is_held_back_when_it_has_used_up_the_time(space):
    a = space.plug("A", A)
    space.plug("B", B)
    went: list[float] = []

    def again() -> None:
        went.append(space.loop.clock.now)
        a.emit(data(BROADCAST, A, 1500), 2, 15)
        if len(went) < 50:
            a.contend(15, again)

    a.contend(15, again)
    space.loop.run(10)
    # 12 ms of air time each, and about half a millisecond between.
    assert 0.55 < went[-1] < 0.7
    assert went[0] == 0.0


def test_an_overheard_reservation_is_waited_out(space):
    a, b = space.plug("A", A), space.plug("B", B)
    cts = b"\xc4\0" + (5000).to_bytes(2, "little") + C
    b.emit(cts, 4, 15, nav_us=5000)
    space.loop.settle()
    assert space.got["A"] == []
    went: list[float] = []
    a.contend(0, lambda: went.append(space.loop.clock.now))
    space.loop.run(1)
    assert went == [pytest.approx(0.005)]


def test_hidden_ones_spoil_each_others_frames_and_say_so(space):
    a, b = space.plug("A", A), space.plug("B", B)
    c = space.plug("C", C)
    space.place(AirProperties(sense=-70.0), A=-25.0, B=25.0)
    said: list[str] = []
    b.unanswered = lambda: said.append("b")
    a.emit(data(C, A), 2, 15)
    b.emit(data(C, B), 2, 15)
    b.patience(C)
    space.loop.settle()
    assert len(space.got["C"]) == 1
    assert c.stat["collisions"] == 1
    assert said == ["b"]


def radio(space: Space, label: str, mac: bytes) -> VirtualRadio:
    port = space.plug(label, mac, 0)
    made = VirtualRadio(port, Random(label), mac)
    made.start()
    made.tune(CHANNEL)
    space.loop.settle()
    return made


def test_radios_get_their_answers(space):
    a, b = radio(space, "A", A), radio(space, "B", B)
    got, done = [], []
    b.receive = lambda frame, info: got.append((frame[4:], info.freq))
    for rts in (False, True):
        a.transmit(data(B, A), ((22, 4),), rts=rts, done=done.append)
    space.loop.run(0.01)
    assert done == [TxStatus(acked=True, rate=22, retries=0)] * 2
    assert got == [(data(B, A)[4:], CHANNEL)] * 2


def test_a_lossy_air_costs_tries_but_not_the_patience_for_a_busy_process(space):
    space.place(AirProperties(loss=30.0))
    a, b = radio(space, "A", A), radio(space, "B", B)
    b.receive = lambda _frame, _info: None
    done: list[TxStatus] = []
    ends: list[float] = []

    def note(status: TxStatus) -> None:
        done.append(status)
        ends.append(space.loop.clock.now)

    for _ in range(50):
        a.transmit(data(B, A), ((22, 30),), done=note)
    space.loop.run(10)
    assert all(status.acked for status in done)
    assert len(done) == 50
    assert sum(status.retries for status in done) > 20
    assert ends[-1] < 0.5


def test_a_frame_to_nobody_fails_soon(space):
    a = radio(space, "A", A)
    done, ends = [], []
    a.transmit(
        data(B, A),
        ((22, 4),),
        done=lambda status: (done.append(status), ends.append(space.loop.clock.now)),
    )
    space.loop.run(1)
    assert done == [TxStatus(acked=False, rate=22, retries=3)]
    assert ends[0] < 0.02


def test_a_radio_that_dozes_tells_nobody_until_it_stays_off(space):
    a, b = space.plug("A", A), space.plug("B", B)
    told: list[int] = []
    control = b.control
    b.control = lambda peer, kind, text=b"": (told.append(kind), control(peer, kind, text))
    for _ in range(10):
        b.listen(0, B, nosy=False)
        space.loop.run(0.09)
        b.listen(CHANNEL, B, nosy=False)
        space.loop.run(0.01)
    assert told == []
    b.listen(0, B, nosy=False)
    space.loop.run(0.5)
    said: list[int] = []
    a.unanswered = lambda: said.append(1)
    a.emit(data(B, A), 22, 15)
    assert a.patience(B) == ANSWER_S
    space.loop.settle()
    assert (space.got["B"], said, b.stat["switched off"]) == ([], [1], 1)
    space.loop.run(1)
    assert told == [LOST, TUNE]
    a.emit(data(B, A), 22, 15)
    assert a.patience(B) == NOBODY_S


def test_a_recorder_gets_everything(space):
    a = space.plug("A", A)
    recorder = UnixAirPort(space.loop, space.directory, "capture", role="all")
    heard: list[Heard] = []
    recorder.heard = heard.append
    space.loop.settle()
    a.emit(data(B, A), 22, 15)
    a.listen(5180, A, nosy=False)
    a.emit(data(B, A), 12, 15, short=True)
    space.loop.settle()
    recorder.close()
    assert [(h.freq, h.rate, h.flags, h.label) for h in heard] == [
        (2437, 22, 0, "A"),
        (5180, 12, 2, "A"),
    ]


def test_a_tool_is_told_the_counters(space):
    a = space.plug("A", A)
    space.plug("B", B)
    a.emit(data(B, A), 22, 15)
    asker = Asker(space.loop, space.directory)
    assert asker.ask() == 2
    space.loop.settle()
    asker.close()
    assert asker.reports[a.number]["opackets"] == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '"x"',
        '{"generation": "x"}',
        '{"generation": 1, "colour": 2}',
        '{"generation": 1, "places": []}',
        '{"generation": 1, "places": {"A": [1]}}',
        '{"generation": 1, "places": {"A": [1, "x"]}}',
        '{"generation": 1, "exponent": 0}',
        "[" * 5000,
    ],
)
def test_a_wrong_file_is_counted_and_the_air_works(space, text):
    with open(os.path.join(space.directory, "air"), "w") as file:
        file.write(text)
    a = space.plug("A", A)
    space.plug("B", B)
    a.emit(data(B, A), 22, 15)
    space.loop.settle()
    assert a.stat["bad air file"] == 1
    assert len(space.got["B"]) == 1
    space.place(AirProperties(exponent=2.5), B=3.0)
    how, places, generation = read_air(space.directory)
    assert (how.exponent, places, generation > 0) == (2.5, {"B": (3.0, 0.0, 0.0)}, True)


def send(space: Space, port: UnixAirPort, octets: bytes) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        address, fd = unix_address(os.path.join(space.directory, port.name))
        try:
            sock.sendto(octets, address)
        finally:
            if fd is not None:
                os.close(fd)
    space.loop.settle()


GOOD = Sent(data(A, B), CHANNEL, 22, 15, 0, 100, 1, 300, 0.0, ORIGIN)


@pytest.mark.parametrize(
    ("octets", "counter"),
    [
        (b"", "bad length"),
        (b"\x02" + build(AIR, 0, 7)[1:], "bad version"),
        (build(1, 0, 7), "bad length"),
        (build(9, 0, 7), "bad kind"),
        (build(13, 0, 7), "bad kind"),
        (build(AIR, 0, 7, build_air(GOOD)[:40]), "bad length"),
        (build(AIR, 0, 7, build_air(GOOD) + bytes(2400)), "bad length"),
        (build(AIR, 0, 7, build_air(GOOD._replace(rate=0))), "bad air header"),
        (build(AIR, 0, 7, build_air(GOOD._replace(rate=3))), "bad air header"),
        (build(AIR, 0, 7, build_air(GOOD._replace(freq=0))), "bad air header"),
        (build(AIR, 0, 7, build_air(GOOD._replace(start=float("nan")))), "bad air header"),
        (build(AIR, 0, 7, build_air(GOOD._replace(place=(0, float("inf"), 0)))), "bad air header"),
        (build(TUNE, 0, 7, b"123"), "bad length"),
        (build(LOST, 0, 7, b"123"), "bad length"),
    ],
)
def test_a_wrong_datagram_is_counted(space, octets, counter):
    a = space.plug("A", A)
    send(space, a, octets)
    assert a.stat[counter] == 1
    assert space.got["A"] == []
    send(space, a, build(AIR, 0, 7, build_air(GOOD)))
    assert len(space.got["A"]) == 1


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(
        st.binary(max_size=200),
        st.tuples(
            st.integers(0, 15), st.integers(0, 2**32 - 1), st.integers(0, 3), st.binary(max_size=120)
        ).map(lambda t: build(*t)),
        st.tuples(
            st.binary(min_size=10, max_size=120), st.integers(0, 65535), st.integers(0, 255),
            st.floats(allow_nan=True), st.floats(width=32),
        ).map(lambda t: build(AIR, 0, 1, build_air(
            GOOD._replace(frame=t[0], freq=t[1] or 2437, rate=t[2], start=t[3], place=(t[4], 0, 0))
        ))),
    )
)  # fmt: skip
def test_any_datagram_is_taken_or_counted(space, octets):
    if not space.ports:
        radio(space, "A", A)
    port = space.ports[0]
    send(space, port, octets)
    assert port._sock.fileno() >= 0


@given(
    st.binary(min_size=10, max_size=2354),
    st.integers(1, 65535),
    st.sampled_from(CCK_RATES + OFDM_RATES),
    st.integers(-128, 127),
    st.integers(0, 65535),
    st.integers(0, 2**32 - 1),
    st.floats(0, 1e9),
)
def test_a_frame_survives_its_datagram(frame, freq, rate, power, nav, serial, start):
    sent = Sent(frame, freq, rate, power, 2, nav, serial, 300, start, (1.0, -2.5, 0.25))
    assert parse_air(build_air(sent)) == sent


@given(st.binary(max_size=64))
def test_any_text_parses_or_is_bad(text):
    for read, build_again in ((parse_air, build_air), (parse_tune, None), (parse_lost, build_lost)):
        try:
            value = read(text)
        except BadDatagram:
            continue
        if build_again is build_lost:
            assert build_lost(value) == text


def test_what_a_radio_listens_to_survives_its_datagram():
    tuned = Tuned(5180, True, A)
    assert parse_tune(build_tune(tuned)) == tuned


def test_stats_is_answered_to_nobody_without_harm(space):
    a = space.plug("A", A)
    send(space, a, build(STATS, 0, 99))
    assert a.stat["send error"] == 0


def test_damaged_frames_are_marked(space):
    space.place(AirProperties(loss=100.0))
    a = space.plug("A", A)
    space.plug("B", B)
    said: list[int] = []
    a.unanswered = lambda: said.append(1)
    a.emit(data(B, A), 22, 15)
    a.patience(B)
    space.loop.settle()
    ((frame, _signal, flags),) = space.got["B"]
    assert flags == RX_BADFCS
    assert frame != data(B, A)
    assert said == [1]


def test_a_file_written_by_hand_need_not_count_generations(space):
    with open(os.path.join(space.directory, "air"), "w") as file:
        file.write('{"exponent": 2, "places": {"B": [3, 4]}}')
    how, places, generation = read_air(space.directory)
    assert (how.exponent, places, generation) == (2, {"B": (3.0, 4.0, 0.0)}, 0)
    assert write_air(space.directory, how, {}) == 1
