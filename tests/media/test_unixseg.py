"""Ports of a segment between processes, here in one process on one loop: no peer is waited for."""

from __future__ import annotations

import json
import os
import socket
import stat

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from libnet.loop.loop import Loop
from libnet.media import unixseg
from libnet.media.datagram import HELLO, IMPAIR, LINK, build, build_data
from libnet.media.impair import Impairments
from libnet.media.port import CSUM_L4, marked
from libnet.media.unixseg import (
    Asker,
    UnixPort,
    read_impairments,
    tell,
    write_cable,
    write_impairments,
)
from libnet.sunaddr import unix_address

MAC = [bytes([2, 0, 0, 0, 0, n]) for n in range(8)]
ALL = b"\xff" * 6


def frame(dst, src, text=b"x"):
    return dst + src + b"\x88\xb5" + text


class Wire:
    def __init__(self, directory):
        self.loop = Loop()
        self.directory = str(directory)
        self.ports = []

    def plug(self, label, **kw):
        port = UnixPort(self.loop, self.directory, label, **kw)
        port.got = []
        port.receive = port.got.extend
        self.ports.append(port)
        return port

    def run(self, passes=6):
        """Do all there is to do without waiting."""
        for _ in range(passes):
            self.loop.run_once(0)

    def close(self):
        for port in self.ports:
            port.close()
        self.loop.close()


@pytest.fixture
def wire(tmp_path):
    made = Wire(tmp_path / "segments" / "lan0")
    yield made
    made.close()


def kill(port):
    """Do what kill -9 does to a port: its socket goes, its file stays."""
    port._reactor.remove_reader(port._sock.fileno())
    port._sock.close()
    for peer in port._peers.values():
        if peer.sock is not None:
            peer.sock.close()
    port.closed = True


def connect(sock, path):
    """Connect however long *path* is."""
    address, fd = unix_address(path)
    try:
        sock.connect(address)
    finally:
        if fd is not None:
            os.close(fd)


def test_frames_reach_every_other_port_and_then_only_the_one_learned(wire):
    a, b, c = (wire.plug(f"{n}.wm0") for n in "ABC")
    wire.run()
    a.send(frame(MAC[2], MAC[1]))
    wire.run()
    assert (a.got, b.got, c.got) == ([], [frame(MAC[2], MAC[1])], [frame(MAC[2], MAC[1])])
    b.send(frame(MAC[1], MAC[2]))
    wire.run()
    a.send(frame(MAC[2], MAC[1], b"2"))
    wire.run()
    assert a.got == [frame(MAC[1], MAC[2])]
    assert len(b.got) == 2
    assert len(c.got) == 1
    assert a.stat["flooded"] == 1


def test_frames_of_one_pass_leave_in_one_datagram_in_order(wire):
    a = wire.plug("A.wm0")
    batches = []
    b = wire.plug("B.wm0")
    b.receive = batches.append
    wire.run()
    sent = [frame(ALL, MAC[1], bytes([n])) for n in range(100)]
    for one in sent:
        a.send(one)
    wire.run()
    assert batches == [sent]


def test_marks_travel_and_are_resolved_for_who_takes_none(wire):
    a, b, c = (wire.plug(f"{n}.wm0") for n in "ABC")
    c.takes = 0
    wire.run()
    a.send(marked(frame(ALL, MAC[1]), csum=CSUM_L4, gso_size=1400))
    wire.run()
    assert (b.got[0].csum, b.got[0].gso_size) == (CSUM_L4, 1400)
    assert [type(f) for f in c.got] == [bytes]


def test_a_super_frame_passes_whole(wire):
    a, b = wire.plug("A.wm0"), wire.plug("B.wm0")
    wire.run()
    big = frame(ALL, MAC[1], os.urandom(65536))
    a.send_many([big, big, big])
    wire.run(20)
    assert b.got == [big, big, big]


def test_a_recorder_gets_everything_and_is_sent_nothing_twice(wire):
    a, b = wire.plug("A.wm0"), wire.plug("B.wm0")
    tape = wire.plug("capture", role="all")
    wire.run()
    a.send(frame(MAC[2], MAC[1]))
    wire.run()
    b.send(frame(MAC[1], MAC[2]))
    wire.run()
    assert len(tape.got) == 2
    assert (len(a.got), len(b.got)) == (1, 1)


def test_directory_and_sockets_are_the_owners_alone(wire):
    a = wire.plug("A.wm0")
    assert stat.S_IMODE(os.stat(wire.directory).st_mode) == 0o700
    mode = os.stat(os.path.join(wire.directory, a.name)).st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) & 0o077 == 0


def test_a_port_that_goes_takes_its_file_and_its_addresses_along(wire):
    a, b, c = (wire.plug(f"{n}.wm0") for n in "ABC")
    wire.run()
    b.send(frame(ALL, MAC[2]))
    wire.run()
    b.close()
    wire.run()
    assert sorted(os.listdir(wire.directory)) == sorted([a.name, c.name])
    a.send(frame(MAC[2], MAC[1]))
    wire.run()
    assert frame(MAC[2], MAC[1]) in c.got  # flooded again
    assert a.stat["dead port"] == 0


def test_a_killed_port_is_noticed_counted_and_tidied_away(wire):
    a, b = wire.plug("A.wm0"), wire.plug("B.wm0")
    wire.run()
    kill(b)
    a.send(frame(ALL, MAC[1]))
    wire.run()
    assert os.listdir(wire.directory) == [a.name]
    assert a.stat["dead port"] >= 1
    a.send(frame(ALL, MAC[1]))
    wire.run()
    assert a.stat["nobody there"] == 1


def test_what_a_killed_port_left_does_not_hinder_its_successor(wire):
    kill(wire.plug("B.wm0"))
    a = wire.plug("A.wm0")
    b = wire.plug("B.wm0")
    wire.run()
    a.send(frame(ALL, MAC[1]))
    wire.run()
    assert b.got == [frame(ALL, MAC[1])]
    assert sorted(os.listdir(wire.directory)) == sorted([a.name, b.name])


def test_a_full_receiver_never_blocks_and_gets_the_rest_when_it_reads(wire):
    a = wire.plug("A.wm0")
    b = wire.plug("B.wm0")
    wire.run()
    wire.loop.remove_reader(b._sock.fileno())  # it sleeps
    for n in range(200):
        a.send(frame(ALL, MAC[1], n.to_bytes(2, "big")))
        wire.run(1)
    assert a.backlog > 0
    wire.loop.add_reader(b._sock.fileno(), b._readable)
    wire.run(20)
    assert [int.from_bytes(f[14:], "big") for f in b.got] == list(range(200))
    assert a.backlog == 0
    assert a.stat["receiver full"] == 0


def test_what_a_sleeping_receiver_may_hold_has_an_end_and_others_are_served(wire, monkeypatch):
    monkeypatch.setattr(unixseg, "BACKLOG_FRAMES", 50)
    a, b, c = (wire.plug(f"{n}.wm0") for n in "ABC")
    wire.run()
    wire.loop.remove_reader(b._sock.fileno())
    for _ in range(300):
        a.send(frame(ALL, MAC[1]))
        wire.run(2)
    assert len(c.got) == 300
    assert a.stat["receiver full"] > 100
    wire.loop.add_reader(b._sock.fileno(), b._readable)
    wire.run(20)
    assert len(b.got) + a.stat["receiver full"] == 300


def test_wrong_datagrams_are_counted_and_nothing_else(wire):
    a = wire.plug("A.wm0")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        connect(sock, os.path.join(wire.directory, a.name))
        for octets in (
            b"",
            b"\1",
            b"\x09" * 40,
            build(99, 0, 1),
            build_data([bytes(20)], 0, 1)[:-1],
        ):
            sock.send(octets)
    wire.run()
    assert a.got == []
    assert a.stat == {"bad length": 3, "bad version": 1, "bad kind": 1}


@given(st.lists(st.binary(max_size=80), max_size=8))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_no_datagram_stops_a_port(wire, grams):
    a = wire.ports[0] if wire.ports else wire.plug("A.wm0")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        connect(sock, os.path.join(wire.directory, a.name))
        for octets in grams:
            sock.send(octets)
            sock.send(b"\1" + octets)
            wire.run(1)
        a.got.clear()
        sock.send(build_data([frame(ALL, MAC[1])], 0, 5))
    wire.run()
    assert a.got == [frame(ALL, MAC[1])]


def test_frames_too_short_or_too_long_are_counted(wire):
    a, b = wire.plug("A.wm0"), wire.plug("B.wm0")
    wire.run()
    a.send_many([bytes(13), frame(ALL, MAC[1]), bytes(70000)])
    wire.run()
    assert b.got == [frame(ALL, MAC[1])]
    assert a.stat["bad frame length"] == 2


def test_impairments_change_at_once_when_ports_are_told(wire):
    a, b = wire.plug("A.wm0"), wire.plug("B.wm0")
    wire.run()
    write_impairments(wire.directory, Impairments(loss=100))
    assert tell(wire.directory, IMPAIR) == 2
    wire.run()
    a.send(frame(ALL, MAC[1]))
    wire.run()
    assert b.got == []
    assert a.stat["lost"] == 1


def test_who_missed_the_news_learns_of_them_from_the_next_frame(wire):
    a = wire.plug("A.wm0")
    write_impairments(wire.directory, Impairments(loss=100))
    b = wire.plug("B.wm0")
    write_impairments(wire.directory, Impairments())
    b._read_impairments()
    wire.run()
    a._how, a._generation = Impairments(loss=100), 1
    b.send(frame(ALL, MAC[2]))
    wire.run()
    assert a._generation == b._generation == 2
    assert not a._how


def test_a_partition_holds_between_processes(wire):
    unixseg.make_segment(wire.directory)
    write_impairments(wire.directory, Impairments(partition="A,B|C"))
    a, b, c = (wire.plug(f"{n}.wm0") for n in "ABC")
    wire.run()
    a.send(frame(ALL, MAC[1]))
    wire.run()
    assert (len(b.got), len(c.got)) == (1, 0)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "3", '{"generation": -1}', '{"generation": 1, "loss": "much"}', "[" * 5000],
)
def test_a_wrong_impairment_file_is_counted_and_the_wire_works(wire, text):
    unixseg.make_segment(wire.directory)
    with open(os.path.join(wire.directory, "impair"), "w") as file:
        file.write(text)
    a, b = wire.plug("A.wm0"), wire.plug("B.wm0")
    wire.run()
    a.send(frame(ALL, MAC[1]))
    wire.run()
    assert b.got == [frame(ALL, MAC[1])]
    assert a.stat["bad impair file"] == 1
    assert write_impairments(wire.directory, Impairments(dup=1)) > 0
    assert read_impairments(wire.directory)[0].dup == 1


def test_a_pulled_cable_takes_the_carrier_and_a_later_start_sees_it(wire):
    a, b = wire.plug("A.wm0"), wire.plug("B.wm0")
    told = []
    a.link = told.append
    wire.run()
    write_cable(wire.directory, "A.wm0", False)
    assert tell(wire.directory, LINK, label="A.wm0") == 1
    wire.run()
    a.send(frame(ALL, MAC[1]))
    b.send(frame(ALL, MAC[2]))
    wire.run()
    assert (told, a.got, b.got) == ([False], [], [])
    assert a.stat["no carrier"] == 2
    a.close()
    assert not wire.plug("A.wm0").carrier
    write_cable(wire.directory, "A.wm0", True)
    assert wire.plug("A.wm0").carrier


def test_a_tool_is_told_the_counters_and_hears_no_frames(wire):
    a = wire.plug("A.wm0")
    wire.run()
    a.send(frame(ALL, MAC[1]))
    wire.run()
    asker = Asker(wire.loop, wire.directory)
    try:
        assert asker.ask() == 1
        wire.run()
        assert asker.reports[a.number]["label"] == "A.wm0"
        assert asker.reports[a.number]["opackets"] == 1
        a.send(frame(ALL, MAC[1]))
        wire.run()
        assert a.stat["nobody there"] == 2
    finally:
        asker.close()
    assert os.listdir(wire.directory) == [a.name]


def test_a_path_beyond_sun_path_and_with_a_space_works(tmp_path):
    wire = Wire(tmp_path / ("d " * 50).strip() / ("e" * 100) / "lan0")
    try:
        a, b = wire.plug("A.wm0"), wire.plug("B.wm0")
        wire.run()
        a.send(frame(ALL, MAC[1]))
        wire.run()
        assert b.got == [frame(ALL, MAC[1])]
    finally:
        wire.close()
    assert os.listdir(wire.directory) == []


@pytest.mark.parametrize("label", ["", ".x", "a/b", "a~b", "a\0b", "\ud800"])
def test_a_label_that_is_no_file_name_is_refused(wire, label):
    with pytest.raises(OSError, match="cannot name a port"):
        wire.plug(label)


@given(st.text(max_size=40))
def test_any_file_name_is_a_port_or_is_none(name):
    read = unixseg.read_port_name(name)
    if read is not None:
        label, number, role = read
        assert unixseg.port_name(label, number, role).lower() == name.lower()


def test_other_files_in_the_directory_are_left_alone(wire):
    unixseg.make_segment(wire.directory)
    other = os.path.join(wire.directory, "notes~0000000000000001")
    with open(other, "w") as file:
        file.write(json.dumps({}))
    a, b = wire.plug("A.wm0"), wire.plug("B.wm0")
    wire.run()
    a.send(frame(ALL, MAC[1]))
    wire.run()
    assert b.got == [frame(ALL, MAC[1])]


def test_many_strangers_do_not_make_a_port_read_the_directory_for_each_frame(wire, monkeypatch):
    a = wire.plug("A.wm0")
    scans = []
    monkeypatch.setattr(a, "_rescan", lambda: scans.append(1))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        connect(sock, os.path.join(wire.directory, a.name))
        for _ in range(8):
            sock.send(build_data([frame(ALL, MAC[1])], 0, 77))
        wire.run()
        sock.send(build(HELLO, 0, 77))
    wire.run()
    assert len(scans) == 2
