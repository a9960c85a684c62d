"""lab(1) and airs: properties, places, recordings, a radio outside, what status shows."""

from __future__ import annotations

import io
import json
import os
import select
import socket
import subprocess
import sys

import pytest

from cmds.lab import main
from libnet.libsocket.ctx import Ctx
from libnet.loop.host import RealHost
from libnet.loop.loop import Loop
from libnet.media.airout import ACKED, USUAL_POWER, Received, Send, Status, build, parse
from libnet.media.airunix import UnixAirPort
from libnet.media.pcap import PcapReader
from libnet.wire.radiotap import Radiotap

HERE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
US, THEM = b"\x02\0\0\0\0\x01", b"\x02\0\0\0\0\x02"
CHANNEL = 2437
DATA = b"\x08\0\0\0" + THEM + US + US + b"\0\0" + b"hello"
PATIENCE_S = 20.0


class Lab:
    def __init__(self, world):
        self.world = str(world)
        self.environ = {**os.environ, "IOPKT_WORLD": self.world, "PYTHONPATH": HERE}
        self.out = self.err = ""
        self.loop = Loop()
        self.ports = []

    def __call__(self, *argv):
        out, err = io.StringIO(), io.StringIO()
        ctx = Ctx(
            "lab",
            stdin=io.StringIO(),
            stdout=out,
            stderr=err,
            environ=self.environ,
            host=RealHost(),
        )
        status = main(list(argv), ctx)
        self.out, self.err = out.getvalue(), err.getvalue()
        return status

    def air(self, name="air0"):
        return os.path.join(self.world, "airs", name)

    def plug(self, label, mac=US):
        port = UnixAirPort(self.loop, self.air(), label)
        port.got = []
        port.receive = lambda frame, signal, rate, flags: port.got.append((frame, signal))
        port.listen(CHANNEL, mac, nosy=False)
        self.ports.append(port)
        self.run(lambda: False, passes=4)
        return port

    def run(self, condition, passes=None):
        """Make passes until *condition()*; the wall clock only bounds the wait for a process."""
        end = self.loop.clock.now + PATIENCE_S
        while not condition() and self.loop.clock.now < end:
            self.loop.run_once(0 if passes is not None else 0.5)
            if passes is not None:
                passes -= 1
                if passes <= 0:
                    return False
        return condition()

    def close(self):
        for port in self.ports:
            port.close()
        self.loop.close()


@pytest.fixture
def lab(tmp_path):
    made = Lab(tmp_path / "world")
    yield made
    # What a failed test left running.
    for verb, options in (("unradio", []), ("capture", ["--stop", "--air"])):
        made(verb, "air0", *options)
    made.close()


def test_properties_are_shown_changed_and_cleared(lab):
    assert lab("air", "air0") == 0
    plain = "air0: exponent 3, noise -95 dBm, sense -92 dBm, capture 10 dB, loss 0%\n"
    assert lab.out == plain
    assert lab("air", "air0", "--exponent", "3.5", "--seed", "7") == 0
    assert lab("air", "air0", "--noise=-90", "--loss", "5") == 0
    lab("air", "air0")
    changed = "exponent 3.5, noise -90 dBm, sense -92 dBm, capture 10 dB, loss 5%, seed 7"
    assert lab.out == f"air0: {changed}\n"
    assert lab("air", "air0", "--clear") == 0
    lab("air", "air0")
    assert lab.out == plain


def test_places_are_kept_and_shown_and_forgotten(lab):
    assert lab("place", "A:abc0", "3", "-4.5") == 0
    assert lab("place", "B:abc0", "-1", "0", "2.5", "--air", "air1") == 0
    for argv, text in (
        (("A:abc0",), "A:abc0 in air0: 3 -4.5\n"),
        (("B:abc0",), "B:abc0 in air1: -1 0 2.5\n"),
        (("C:abc0",), "C:abc0 in air0: nowhere in particular (0 0)\n"),
    ):
        assert lab("place", *argv) == 0
        assert lab.out == text
    lab("air", "air0", "--exponent", "2")
    lab("place", "A.abc0")  # as status prints it
    assert lab.out == "A.abc0 in air0: 3 -4.5\n"
    lab("place", "A:abc0")
    assert lab.out == "A:abc0 in air0: 3 -4.5\n"
    assert lab("place", "A:abc0", "--clear") == 0
    lab("place", "A:abc0")
    assert "nowhere" in lab.out


def test_a_radio_that_runs_is_moved_where_it_is(lab):
    a, b = lab.plug("A.abc0", US), lab.plug("B.abc0", THEM)
    assert lab("place", "B:abc0", "10", "0") == 0
    lab.run(lambda: b.place[0] == 10.0)
    a.emit(DATA, 22, 15)
    lab.run(lambda: b.got)
    assert b.got == [(DATA, -55)]


def test_status_lists_airs_and_radios(lab):
    lab.plug("A.abc0")
    lab("place", "A:abc0", "1", "2")
    assert lab("status") == 0
    (space,) = (line.split() for line in lab.out.splitlines() if line.startswith("air0"))
    assert space[:5] == ["air0", "1", "exponent", "3,", "noise"]
    row = next(line.split() for line in lab.out.splitlines() if line.startswith("A.abc0"))
    assert row == ["A.abc0", "air0", "radio", "1", "2"]


def test_a_world_without_airs_shows_none(lab):
    assert lab("status") == 0
    assert "air" not in lab.out


@pytest.mark.parametrize(
    ("argv", "status", "text"),
    [
        (("air", "air0", "--exponent", "0"), 1, "exponent: 0.0 is not a number from 1 to 10"),
        (("air", "air0", "--exponent", "x"), 2, "not a valid float"),
        (("air", "air0", "--clear", "--seed", "1"), 2, "--clear goes with nothing else"),
        (("air", "../x"), 2, "cannot name"),
        (("place", "A"), 1, "BOX:NIC is wanted"),
        (("place", "A:/x", "1", "2"), 1, "cannot name a port"),
        (("place", "A:abc0", "1"), 2, "two or three numbers of metres"),
        (("place", "A:abc0", "1", "nan"), 2, "two or three numbers of metres"),
        (("place", "A:abc0", "--x"), 2, "two or three numbers of metres"),
        (("place", "A:abc0", "1", "2", "--clear"), 2, "--clear goes with no place"),
        (("place", "A:abc0", "--air", "a/b"), 2, "cannot name an air"),
        (("radio", "../x"), 2, "cannot name"),
        (("radio", "air0", "--local", "x", "--remote", "y", "--mac", "zz"), 2, "not a MAC"),
        (("radio", "air0", "--local", "x", "--remote", "y", "--label", "A"), 1, "BOX:NIC"),
        (("unradio", "air0"), 1, "air0: no such radio"),
        (("capture", "air0", "--air", "--stop"), 1, "air0: no such capture"),
    ],
)
def test_what_cannot_be_is_refused(lab, argv, status, text):
    assert lab(*argv) == status
    assert text in lab.err


def test_a_file_that_makes_no_sense_is_named_and_can_be_cleared(lab):
    os.makedirs(lab.air())
    with open(os.path.join(lab.air(), "air"), "w") as file:
        file.write("{")
    assert lab("air", "air0") == 1
    assert os.path.join(lab.air(), "air") in lab.err
    assert lab("place", "A:abc0", "1", "2") == 1
    assert lab("status") == 0
    assert lab("air", "air0", "--clear") == 0
    assert lab("place", "A:abc0", "1", "2") == 0


def test_a_recording_has_radiotap_in_front(lab, tmp_path):
    file = tmp_path / "air.pcap"
    assert lab("capture", "air0", "--air", "-w", str(file), "--background") == 0
    a = lab.plug("A.abc0")
    a.emit(DATA, 22, 15)
    assert lab("status") == 0
    assert "capture" in lab.out
    lab.run(lambda: file.stat().st_size > 24)
    assert lab("capture", "air0", "--air", "--stop") == 0
    with open(file, "rb") as source:
        reader = PcapReader(source)
        (packet,) = list(reader)
    head, frame = Radiotap.parse(packet.frame)
    assert reader.linktype == 127
    assert frame == DATA
    assert (head.freq, head.rate, head.signal) == (CHANNEL, 22, -25)


def test_a_station_outside_talks_to_one_of_ours(lab, tmp_path):
    local, remote = str(tmp_path / "in"), str(tmp_path / "out")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(remote)
        command = ("radio", "air0", "--local", local, "--remote", remote)
        assert lab(*command, "--mac", "02:00:00:00:00:02", "--label", "VM:wlan0") == 0
        assert lab("status") == 0
        assert f"{local} to {remote}" in lab.out
        assert "VM.wlan0" in lab.out
        ours = lab.plug("A.abc0")
        sock.connect(local)
        said = []

        def answer():
            if select.select([sock], [], [], 0)[0]:
                said.append(parse(sock.recv(65536)))
            return bool(said)

        lab.loop.add_reader(sock.fileno(), lambda: None)
        frame = b"\x08\0\0\0" + US + THEM + US + b"\0\0hi"
        # Nothing of ours acknowledges: the antenna is bare.
        sock.send(build(Send(CHANNEL, 5, USUAL_POWER, 0, ((22, 1),), frame)))
        lab.run(lambda: ours.got)
        assert ours.got[0][0][4:] == frame[4:]
        ours.emit(b"\xd4\0\0\0" + THEM, 4, 15)
        lab.run(answer)
        assert said == [Status(5, ACKED, 22, 0)]
        said.clear()
        ours.emit(DATA, 22, 15)
        lab.run(answer)
        lab.loop.remove_reader(sock.fileno())
        (message,) = said
        assert isinstance(message, Received)
        assert (message.frame, message.freq, message.signal) == (DATA, CHANNEL, -25)
        lab.run(lambda: len(ours.got) > 1)
        assert ours.got[1][0] == b"\xd4\0\0\0" + US  # it was acknowledged for it
    assert lab("unradio", "air0", "--local", local) == 0
    assert not os.path.exists(local)


def start(lab, box, program, *argv):
    code = f"import sys; from cmds.{program} import {main_of(program)} as main; sys.exit(main())"
    environ = {**lab.environ, "IOPKT_BOX": box}
    subprocess.run([sys.executable, "-c", code, *argv], env=environ, check=True)


def short(path):
    """Return *path* from here: a socket's may have no more than 107 octets."""
    return min(path, os.path.relpath(path), key=len)


def main_of(program):
    return "main_v4_hc" if program == "io_pkt" else "main"


def test_a_station_outside_hears_the_access_point_of_a_box(lab):
    start(lab, "AP", "io_pkt", "-d", "abc")
    try:
        words = ["ssid", "net", "chan", "6", "mediaopt", "hostap", "up"]
        start(lab, "AP", "ifconfig", "abc0", *words)
        assert lab("radio", "air0", "--mac", "02:00:00:00:00:02") == 0
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.bind(short(lab.air("air0/radio.out")))
            sock.settimeout(PATIENCE_S)
            probe = b"\x40\0\0\0" + b"\xff" * 6 + THEM + b"\xff" * 6 + b"\0\0"
            probe += b"\0\x03net\x01\x04\x82\x84\x0b\x16"
            message = build(Send(CHANNEL, 9, USUAL_POWER, 0, ((2, 1),), probe))
            sock.sendto(message, short(lab.air("air0/radio.in")))
            kinds = set()
            while not {Status, 0x50, 0x80} <= kinds:
                said = parse(sock.recv(65536))
                if isinstance(said, Status):
                    assert said == Status(9, ACKED, 2, 0)
                    kinds.add(Status)
                else:
                    assert said.frame[36:41] == b"\0\x03net"
                    kinds.add(said.frame[0])
    finally:
        code = "import sys; from cmds.box import main; sys.exit(main())"
        command = [sys.executable, "-c", code, "kill", "AP"]
        subprocess.run(command, env=lab.environ, check=True)
    assert lab("unradio", "air0") == 0


def test_a_radio_outside_is_found_in_the_airs_directory(lab):
    assert lab("radio", "air0") == 0
    assert os.path.exists(os.path.join(lab.air(), "radio.in"))
    assert lab("radio", "air0") == 1
    assert "in use" in lab.err
    assert lab("unradio", "air0") == 0
    assert not os.path.exists(os.path.join(lab.air(), "radio.in"))


def test_a_topology_describes_airs_and_places(lab, tmp_path):
    file = tmp_path / "lab.toml"
    file.write_text(
        '[air.air0]\nexponent = 3.5\nseed = 1\n[air.air0.places]\n"A:abc0" = [0, 0]\n'
        '"B:abc0" = [10, -5.5, 2]\n[box.A]\nnics = ["abc"]\n'
    )
    assert lab("up", str(file)) == 0, lab.err
    try:
        lab("place", "B:abc0")
        assert lab.out == "B:abc0 in air0: 10 -5.5 2\n"
        lab("air", "air0")
        assert "exponent 3.5" in lab.out
        with open(os.path.join(lab.world, "boxes", "A", "box.json")) as described:
            assert json.load(described)["nics"][0]["segment"] == "air0"
    finally:
        assert lab("down") == 0
    lab("air", "air0")
    assert "exponent 3," in lab.out


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[air.air0]\nexponent = 0\n", "air.air0: exponent"),
        ("[air.air0]\ncolour = 0\n", "air.air0: colour: no such"),
        ('[air."../x"]\n', "cannot name"),
        ("[air]\nair0 = 3\n", "air.air0: a table is wanted"),
        ("[air.air0]\nplaces = 3\n", "air.air0: places"),
        ("[air.air0.places]\nA = [1, 2]\n", "BOX:NIC is wanted"),
        ('[air.air0.places]\n"A:abc0" = [1]\n', "A:abc0: a place is two or three"),
    ],
)
def test_a_wrong_topology_is_named(lab, tmp_path, text, fault):
    file = tmp_path / "lab.toml"
    file.write_text(text)
    assert lab("up", str(file)) == 1
    assert fault in lab.err
