"""The loan of a TAP's descriptor; a socket pair stands in for the TAP."""

from __future__ import annotations

import os
import socket

import pytest

from libnet.loop.loop import Loop
from libnet.media.datagram import IMPAIR, LEND, build
from libnet.media.impair import Impairments
from libnet.media.loan import Lender
from libnet.media.outside import Bridge, OutsidePort
from libnet.media.port import CSUM_IP4, marked
from libnet.media.unixseg import UnixPort, tell, write_impairments

ALL = b"\xff" * 6
MAC = [bytes([2, 0, 0, 0, 0, n]) for n in range(4)]


def frame(text, src=MAC[1], dst=ALL):
    return dst + src + b"\x88\xb5" + text


class Wire:
    """A lender with a stand-in for a TAP; the kernel's end of that is `kernel`."""

    def __init__(self, directory):
        self.loop = Loop()
        self.directory = str(directory)
        self.kernel, tap = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.kernel.setblocking(False)
        self.outside = OutsidePort(self.loop, tap.detach())
        self.inside = UnixPort(self.loop, self.directory, "host.tp0")
        self.inside.takes = 0
        self.bridge = Bridge(self.inside, self.outside)
        self.lender = Lender(self.loop, self.inside, self.outside)
        self.ports = []

    def plug(self, label, **kw):
        port = UnixPort(self.loop, self.directory, label, **kw)
        port.got = []
        port.receive = port.got.extend
        self.ports.append(port)
        return port

    def run(self, passes=10):
        for _ in range(passes):
            self.loop.run_once(0)

    def heard(self):
        """Return what the kernel got."""
        out = []
        while True:
            try:
                out.append(self.kernel.recv(70000))
            except BlockingIOError:
                return out

    def files(self):
        return sorted(n for n in os.listdir(self.directory) if "~" in n)


@pytest.fixture
def wire(tmp_path):
    made = Wire(tmp_path / "lan0")
    yield made
    for port in made.ports:
        port.close()
    made.lender.close()
    made.bridge.close()
    made.kernel.close()
    made.loop.close()


def both_ways(wire, port):
    """Pass a frame each way; return whether both arrived, once."""
    port.got.clear()
    wire.kernel.send(frame(b"in"))
    port.send(frame(b"out", MAC[2]))
    wire.run()
    return port.got == [frame(b"in")] and wire.heard() == [frame(b"out", MAC[2])]


def test_the_only_port_gets_the_descriptor_and_uses_it(wire):
    a = wire.plug("A.wm0")
    wire.run()
    assert wire.lender.lent
    before = dict(wire.inside.stat)
    assert both_ways(wire, a)
    assert wire.inside.stat == before  # the lender saw none of it
    assert (a.stat["ipackets"], a.stat["opackets"]) == (1, 1)
    assert wire.files() == sorted([a.name, wire.inside.name])


def test_a_second_port_ends_it_and_its_going_brings_it_back(wire):
    a = wire.plug("A.wm0")
    wire.run()
    b = wire.plug("B.wm0")
    wire.run()
    assert not wire.lender.lent
    wire.kernel.send(frame(b"x"))
    wire.run()
    assert (a.got, b.got) == ([frame(b"x")], [frame(b"x")])
    a.send(frame(b"y", MAC[2]))
    wire.run()
    assert b.got[1:] == [frame(b"y", MAC[2])] == wire.heard()
    b.close()
    wire.run()
    assert wire.lender.lent
    assert both_ways(wire, a)


def test_a_recorder_ends_it_and_hears_both_directions(wire):
    a = wire.plug("A.wm0")
    wire.run()
    tape = wire.plug("capture", role="all")
    wire.run()
    assert not wire.lender.lent
    assert both_ways(wire, a)
    assert sorted(tape.got) == sorted([frame(b"in"), frame(b"out", MAC[2])])


def test_an_impairment_ends_it_and_holds_in_both_directions(wire):
    a = wire.plug("A.wm0")
    wire.run()
    write_impairments(wire.directory, Impairments(loss=100))
    tell(wire.directory, IMPAIR)
    wire.run()
    assert not wire.lender.lent
    assert not both_ways(wire, a)
    assert (a.stat["lost"], wire.inside.stat["lost"]) == (1, 1)
    write_impairments(wire.directory, Impairments())
    tell(wire.directory, IMPAIR)
    wire.run()
    assert wire.lender.lent
    assert both_ways(wire, a)


def test_a_borrower_that_is_killed_has_ended_the_loan(wire):
    a = wire.plug("A.wm0")
    wire.run()
    # What the kernel does for a killed process: every descriptor is closed, every file stays.
    loan = a._loan
    for fd in (loan._channel, loan._lent.fd, a._sock.fileno()):
        wire.loop.remove_reader(fd)
    os.close(loan._channel)
    os.close(loan._lent.fd)
    a._sock.close()
    for peer in a._peers.values():
        peer.sock.close()
    wire.ports.clear()
    wire.run()
    assert not wire.lender.lent
    wire.kernel.send(frame(b"x"))
    wire.run()
    assert wire.files() == [wire.inside.name]
    successor = wire.plug("A.wm0")
    wire.run()
    assert wire.lender.lent
    assert both_ways(wire, successor)


def test_a_lender_that_ends_leaves_no_descriptor_with_the_borrower(wire):
    a = wire.plug("A.wm0")
    wire.run()
    wire.lender._take_back()
    wire.run(2)
    assert a._loan is None
    assert all(peer.direct is None for peer in a._peers.values())


def test_a_tap_that_breaks_is_noticed_by_the_lender_though_it_does_not_read(wire):
    a = wire.plug("A.wm0")
    wire.run()
    a._loan._lent._lost()
    wire.run(2)
    assert a._loan is None
    assert wire.inside.carrier


def test_frames_that_leave_directly_are_complete(wire):
    a = wire.plug("A.wm0")
    wire.run()
    ip = bytes.fromhex("4500001400000000ff0100000a0000010a000002")
    a.send(marked(ALL + MAC[1] + b"\x08\x00" + ip, csum=CSUM_IP4))
    wire.run()
    (got,) = wire.heard()
    words = [int.from_bytes(got[i : i + 2], "big") for i in range(14, 34, 2)]
    assert sum(words) % 0xFFFF == 0
    assert got[24:26] != b"\0\0"


def test_a_pulled_cable_holds_against_a_borrowed_descriptor(wire):
    a = wire.plug("A.wm0")
    wire.run()
    a.carrier = False
    assert not both_ways(wire, a)
    assert a.stat["no carrier"] == 2


@pytest.mark.parametrize("gram", [b"", b"\1\2", build(LEND, 0, 99), build(LEND, 0, 0) + b"x"])
def test_a_wrong_answer_ends_the_attempt_only(wire, gram):
    a = wire.plug("A.wm0")
    a.control = lambda *args: None  # the lender never hears that we want it
    wire.run()
    sock = wire.inside.control_socket(a.number)
    with sock:
        sock.send(gram)
    wire.run()
    assert a.stat["bad loan"] == 1
    assert a._loan is None
    assert both_ways(wire, a)


def test_an_offer_from_a_stranger_is_ignored(wire):
    a = wire.plug("A.wm0")
    b = wire.plug("B.wm0")
    wire.run()
    b.control(next(p for p in b._peers.values() if p.number == a.number), LEND)
    wire.run()
    assert a._loan is None
    assert len(wire.files()) == 3
