"""A scripted station outside, by messages, beside a radio of ours on the same air."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libnet.clock import Clock
from libnet.drivers.airrelay import AirRelay
from libnet.drivers.radio import VirtualRadio
from libnet.media.air import Air
from libnet.media.airout import (
    ACKED,
    EVERY,
    FAILED,
    REFUSED,
    RTS,
    USUAL_POWER,
    Message,
    Received,
    Send,
    Status,
    Tune,
    build,
    parse,
)
from libnet.media.port import Stat, ignore_link
from libnet.wire.phy import BROADCAST

US, THEM, OTHER = (b"\x02\0\0\0\0" + bytes((n,)) for n in (1, 2, 3))


class Socket:
    """The port that the relay's messages come by."""

    def __init__(self) -> None:
        self.receive: Callable[[Sequence[bytes]], None] = lambda _frames: None
        self.link = ignore_link
        self.carrier = self.offload = True
        self.takes = 0
        self.stat = Stat()
        self.got: list[Message] = []
        self.closed = False
        self.room = 10000

    def send(self, frame: bytes) -> None:
        if self.room:
            self.room -= 1
            self.got.append(parse(frame))
        else:
            self.stat["receiver full"] += 1

    def send_many(self, frames: Sequence[bytes]) -> None:
        for frame in frames:
            self.send(frame)

    def close(self) -> None:
        self.closed = True


class World:
    def __init__(self) -> None:
        self.clock = Clock()
        self.air = Air("air0", self.clock, Random(1))
        self.kinds: list[int] = []
        self.air.tap(lambda _now, heard: self.kinds.append(heard.frame[0]))
        self.us = VirtualRadio(self.air.plug("us"), Random(2), US)
        self.heard: list[bytes] = []
        self.us.receive = lambda frame, _info: self.heard.append(frame)
        self.us.start()
        self.us.tune(2437)
        self.socket = Socket()
        self.relay = AirRelay(self.air.plug("them"), self.socket, Random(3), THEM)

    def say(self, *messages: Message) -> list[Message]:
        """Give the air messages; return what comes back within a second."""
        self.socket.got.clear()
        self.socket.receive([build(message) for message in messages])
        self.run()
        return list(self.socket.got)

    def run(self) -> None:
        until = self.clock.now + 1
        while (due := self.clock.next_due()) is not None and due <= until:
            self.clock.run(due)
        self.clock.run(until)


def frame(kind: int, to: bytes, sender: bytes = THEM, body: bytes = b"") -> bytes:
    return bytes((kind, 0, 0, 0)) + to + sender + to + b"\0\0" + body


def send(cookie: int, octets: bytes, *, freq: int = 2437, flags: int = 0, rate: int = 22) -> Send:
    return Send(freq, cookie, USUAL_POWER, flags, ((rate, 3), (2, 1)), octets)


def test_a_probe_request_goes_out_and_its_answer_comes_in_acknowledged():
    world = World()
    answers: list[bool] = []

    def answer(octets: bytes, _info: object) -> None:
        reply = frame(0x50, octets[10:16], US, bytes(12))
        world.us.transmit(reply, ((2, 3),), done=lambda status: answers.append(status.acked))

    world.us.receive = answer
    got = world.say(Tune(2437, 0, THEM), send(7, frame(0x40, BROADCAST)))
    status, received = got
    assert status == Status(7, ACKED, 22, 0)
    assert isinstance(received, Received)
    assert (received.freq, received.rate, received.signal) == (2437, 2, -25)
    assert received.frame[4:16] == THEM + US
    assert answers == [True]
    assert world.kinds == [0x40, 0x50, 0xD4]


def test_the_status_tells_of_retries_and_failure():
    world = World()
    assert world.say(send(1, frame(0x08, OTHER))) == [Status(1, FAILED, 2, 3)]
    assert world.say(send(2, frame(0x08, US))) == [Status(2, ACKED, 22, 0)]
    assert world.kinds[-2:] == [0x08, 0xD4]


def test_rts_and_power_are_as_asked():
    world = World()
    levels: list[int] = []
    world.us.receive = lambda _frame, info: levels.append(info.signal)
    message = Send(2437, 3, 5, RTS, ((22, 1),), frame(0x08, US))
    assert world.say(message) == [Status(3, ACKED, 22, 0)]
    assert world.kinds == [0xB4, 0xC4, 0x08, 0xD4]
    assert levels == [-35]


def test_a_sender_moves_to_the_frequency_of_its_frame():
    world = World()
    assert world.say(send(1, frame(0x08, US), freq=2412)) == [Status(1, FAILED, 2, 3)]
    assert world.say(send(2, frame(0x08, US), freq=2437)) == [Status(2, ACKED, 22, 0)]


@pytest.mark.parametrize(
    "message", [send(9, frame(0x08, US), freq=2411), Send(2437, 9, 15, 0, ((3, 1),), bytes(24))]
)
def test_what_cannot_be_sent_is_refused(message):
    assert World().say(message) == [Status(9, REFUSED, 0, 0)]


def test_a_radio_that_is_off_neither_sends_nor_hears():
    world = World()
    assert world.say(Tune(0, 0, THEM), send(1, frame(0x08, US))) == [Status(1, REFUSED, 0, 0)]
    world.us.transmit(frame(0x08, THEM, US), ((22, 1),))
    assert world.say() == []


def test_it_hears_groups_and_itself_and_all_if_it_wants():
    def heard(flags: int) -> list[bytes]:
        world = World()
        world.say(Tune(2437, flags, THEM))
        for to in (BROADCAST, THEM, OTHER, b"\x01\0\x5e\0\0\1"):
            world.us.transmit(frame(0x08, to, US), ((22, 1),))
        return [m.frame[4:10] for m in world.say() if isinstance(m, Received)]

    assert heard(0) == [BROADCAST, THEM, b"\x01\0\x5e\0\0\1"]
    assert OTHER in heard(EVERY)


def test_a_new_address_is_acknowledged_and_the_old_one_no_more():
    world = World()
    world.say(Tune(2437, 0, OTHER))
    done: list[bool] = []
    for to in (THEM, OTHER):
        world.us.transmit(frame(0x08, to, US), ((22, 1),), done=lambda s: done.append(s.acked))
    world.run()
    assert done == [False, True]


def test_the_timestamp_of_its_beacon_is_left_alone():
    world = World()
    stamp = bytes(range(1, 9))
    world.say(send(1, frame(0x80, BROADCAST, THEM, stamp + bytes(4))))
    assert world.heard[0][24:32] == stamp


def test_a_message_in_the_wrong_direction_is_counted():
    world = World()
    world.say(Status(1, ACKED, 2, 0), Received(2437, 2, 0, 0, 0, 0, bytes(24)))
    assert world.socket.stat["bad direction"] == 2


def test_the_end_closes_both_sides():
    world = World()
    world.relay.close()
    assert world.socket.closed
    assert [port.label for port in world.air.ports] == ["us"]


@given(st.lists(st.binary(max_size=60) | st.binary(max_size=60).map(lambda t: b"\1\1" + t)))
def test_any_messages_are_followed_or_counted(messages):
    world = World()
    world.socket.receive(messages)
    world.run()
    assert world.say(Tune(2437, 0, THEM), send(2, frame(0x08, US)))[-1] == Status(2, ACKED, 22, 0)


def test_a_station_made_by_another_hand_joins_an_access_point_and_is_answered():
    from scapy.layers.dot11 import (
        Dot11,
        Dot11AssoReq,
        Dot11AssoResp,
        Dot11Auth,
        Dot11Elt,
        Dot11ProbeReq,
        Dot11ProbeResp,
    )
    from scapy.layers.inet import ICMP, IP
    from scapy.layers.l2 import ARP, LLC, SNAP

    from libnet.lab.memory import World as Boxes

    with Boxes(seed=1) as world:
        box = world.box("AP")
        box.sh("io-pkt-v4-hc -d abc")
        box.sh("ifconfig abc0 ssid 'my lan' chan 6 mediaopt hostap 10.0.0.1/24 up")
        wire = Socket()
        relay = AirRelay(world.air("air0").plug("VM.wlan0"), wire, Random(3), THEM)
        them = THEM.hex(":")
        ids = Dot11Elt(ID="SSID", info=b"my lan") / Dot11Elt(ID="Rates", info=b"\x82\x84\x0b\x16")

        def say(packet: Dot11, wanted: type) -> Dot11:
            """Send; return the first frame for us that has a layer *wanted* in it."""
            wire.got.clear()
            wire.receive([build(send(1, bytes(packet)))])
            world.run(1.0)
            assert next(m for m in wire.got if isinstance(m, Status)).result == ACKED
            for message in wire.got:
                if isinstance(message, Received) and message.frame[4:10] == THEM:
                    dissected = Dot11(message.frame)
                    if wanted in dissected:
                        return dissected
            raise AssertionError(f"no {wanted.__name__} among {wire.got}")

        everybody = "ff:ff:ff:ff:ff:ff"
        probe = Dot11(addr1=everybody, addr2=them, addr3=everybody) / Dot11ProbeReq() / ids
        bss = say(probe, Dot11ProbeResp).addr3
        head = {"addr1": bss, "addr2": them, "addr3": bss}
        auth = say(Dot11(**head) / Dot11Auth(algo=0, seqnum=1, status=0), Dot11Auth)
        assert (auth.seqnum, auth.status) == (2, 0)
        assoc = say(Dot11(**head) / Dot11AssoReq(cap="ESS", listen_interval=1) / ids, Dot11AssoResp)
        assert (assoc.status, assoc.AID & 0x3FFF) == (0, 1)

        def data(payload: object, to: str, kind: int) -> Dot11:
            mac = Dot11(type=2, subtype=0, FCfield=1, addr1=bss, addr2=them, addr3=to)
            return mac / LLC(dsap=0xAA, ssap=0xAA, ctrl=3) / SNAP(OUI=0, code=kind) / payload

        ask = ARP(op=1, hwsrc=them, psrc="10.0.0.9", pdst="10.0.0.1")
        assert say(data(ask, everybody, 0x806), ARP)[ARP].hwsrc == bss
        echo = IP(src="10.0.0.9", dst="10.0.0.1") / ICMP(id=7, seq=1) / b"hello"
        reply = say(data(echo, bss, 0x800), ICMP)
        assert (reply[ICMP].type, reply[ICMP].id) == (0, 7)
        assert them in box.sh("wlanctl abc0").out
        relay.close()


def test_how_frames_ended_is_told_when_there_is_room_again():
    world = World()
    world.socket.room = 3
    got = world.say(*(send(number, frame(0x08, US)) for number in range(100)))
    assert len(got) == 3
    world.socket.room = 10000
    world.run()
    told = [message for message in world.socket.got if isinstance(message, Status)]
    assert sorted(status.cookie for status in told) == list(range(100))
    assert {status.result for status in told} == {ACKED, REFUSED}
    world.socket.room = 0
    for _ in range(30):
        world.say(*(send(number, frame(0x08, US)) for number in range(100)))
    assert world.relay.stat["statuses lost"] > 0
    world.relay.close()
    assert world.clock.next_due() is None


def test_what_waits_when_the_radio_is_switched_off_has_failed():
    world = World()
    got = world.say(*(send(number, frame(0x08, OTHER)) for number in range(5)), Tune(0, 0, THEM))
    assert [status for status in got if isinstance(status, Status)] == [
        Status(number, FAILED, 0, 0) for number in range(5)
    ]
    world.run()
    assert world.say(Tune(2437, 0, THEM), send(9, frame(0x08, US))) == [Status(9, ACKED, 22, 0)]
