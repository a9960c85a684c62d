"""lab(1) as a person uses it: what it prints, what it refuses, what it leaves running and behind."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import struct
import subprocess
import sys

import pytest

from cmds.lab import main
from cmds.lab.base import LabError
from cmds.lab.topology import read_topology
from libnet.libsocket.ctx import Ctx
from libnet.loop.host import RealHost
from libnet.loop.loop import Loop
from libnet.media.unixseg import UnixPort, read_impairments

FRAME = b"\xff" * 6 + bytes([2, 0, 0, 0, 0, 1]) + b"\x88\xb5hello"
HERE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CODE = "import sys; from cmds.lab import main; sys.exit(main())"


class Lab:
    """A world, and lab(1) in it."""

    def __init__(self, world):
        self.world = str(world)
        self.environ = {**os.environ, "IOPKT_WORLD": self.world, "PYTHONPATH": HERE}
        self.out = self.err = ""

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

    def start(self, *argv):
        return subprocess.Popen(
            [sys.executable, "-c", CODE, *argv],
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def segment(self, name="lan0"):
        return os.path.join(self.world, "segments", name)


@pytest.fixture
def lab(tmp_path):
    made = Lab(tmp_path / "the world")
    yield made
    for kind in ("tap", "dgram"):
        made("un" + kind, "lan0")
    made("capture", "lan0", "--stop")


class Box:
    """Something on a segment that keeps what it gets."""

    def __init__(self, lab, label="A.wm0", segment="lan0"):
        self.loop = Loop()
        self.port = UnixPort(self.loop, lab.segment(segment), label)
        self.got = []
        self.port.receive = self.got.extend

    def until(self, enough, passes=200):
        for _ in range(passes):
            self.loop.run_once(0.02)
            if enough():
                return True
        return False

    def close(self):
        self.port.close()
        self.loop.close()


@pytest.fixture
def box(lab):
    made = Box(lab)
    yield made
    made.close()


def capture(frames, link=1, gap=0.0):
    out = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, link)
    for number, frame in enumerate(frames):
        micros = round(number * gap * 1e6)
        out += struct.pack("<IIII", micros // 10**6, micros % 10**6, len(frame), len(frame)) + frame
    return out


def test_impairments_are_shown_changed_one_by_one_and_cleared(lab):
    assert lab("impair", "lan0") == 0
    assert lab.out == "lan0: nothing wrong\n"
    assert lab("impair", "lan0", "--loss", "10", "--delay", "2.5", "--seed", "7") == 0
    assert lab("impair", "lan0", "--rate", "512", "--partition", "A,B|C") == 0
    assert lab("impair", "lan0") == 0
    assert lab.out == "lan0: loss 10%, delay 2.5ms, rate 512kbit/s, partition A,B|C, seed 7\n"
    assert lab("impair", "lan0", "--clear") == 0
    assert not read_impairments(lab.segment())[0]


@pytest.mark.parametrize("name", ["loss", "dup", "reorder", "corrupt"])
def test_each_percentage_is_kept_and_has_bounds(lab, name):
    assert lab("impair", "lan0", f"--{name}", "12.5") == 0
    assert getattr(read_impairments(lab.segment())[0], name) == 12.5
    assert lab("impair", "lan0", f"--{name}", "100.5") == 2
    assert lab("impair", "lan0", f"--{name}", "-1") == 2
    assert lab("impair", "lan0", f"--{name}", "nan") == 2
    assert f"--{name}" in lab.err or name in lab.err


def test_jitter_and_delay_take_milliseconds(lab):
    assert lab("impair", "lan0", "--delay", "5", "--jitter", "1") == 0
    how = read_impairments(lab.segment())[0]
    assert (how.delay, how.jitter) == (5, 1)
    assert lab("impair", "lan0", "--jitter", "inf") == 2


def test_a_running_port_feels_an_impairment_at_once(lab, box):
    lab("impair", "lan0", "--loss", "100")
    box.until(lambda: box.port._how.loss == 100)
    box.port.send(FRAME)
    box.loop.run_once(0)
    assert box.port.stat["lost"] == 1


def test_a_broken_impairment_file_is_named_and_clear_mends_it(lab):
    lab("impair", "lan0", "--loss", "1")
    with open(os.path.join(lab.segment(), "impair"), "w") as file:
        file.write("{")
    assert lab("impair", "lan0", "--loss", "2") == 1
    assert lab.err.startswith(f"lab: {lab.segment()}/impair: ")
    assert lab("status") == 0
    assert "Expecting" in lab.out
    assert lab("impair", "lan0", "--clear") == 0
    assert lab("impair", "lan0") == 0


@pytest.mark.parametrize(
    "argv",
    [
        (),
        ("bogus",),
        ("impair",),
        ("impair", "a/b"),
        ("impair", ".."),
        ("impair", "lan0", "--clear", "--loss", "1"),
        ("impair", "lan0", "--rate", "fast"),
        ("capture", "lan0"),
        ("capture", "lan0", "--stop", "-w", "x"),
        ("capture", "lan0", "-w", "-", "--background"),
        ("capture", "lan0", "-w", "x", "-c", "0"),
        ("cable", "BoxA", "down"),
        ("cable", "BoxA:wm0", "sideways"),
        ("cable", "Box/A:wm0", "down"),
        ("dgram", "lan0", "--local", "x"),
        ("tap", "lan0", "--mtu", "0"),
    ],
)
def test_wrong_usage_is_status_2_and_never_a_traceback(lab, argv):
    assert lab(*argv) == 2
    assert "Traceback" not in lab.err
    assert "Usage" in lab.err


def test_help_goes_to_standard_output(lab):
    assert lab("--help") == 0
    for verb in ("tap", "untap", "capture", "inject", "impair", "dgram", "cable", "status", "up"):
        assert f"  {verb}" in lab.out


def test_injected_packets_arrive_in_order(lab, box, tmp_path):
    frames = [FRAME + struct.pack("!I", n) for n in range(3000)]
    (tmp_path / "x.pcap").write_bytes(capture(frames))
    with lab.start("inject", "lan0", str(tmp_path / "x.pcap")) as child:
        assert box.until(lambda: len(box.got) == 3000)
        out, err = child.communicate(timeout=20)
    assert (out, err) == (b"3000 packets sent on lan0\n", b"")
    assert box.got == frames
    assert child.returncode == 0


def test_a_timed_injection_takes_the_time_of_the_recording(lab, box, tmp_path):
    (tmp_path / "x.pcap").write_bytes(capture([FRAME] * 3, gap=0.1))
    start = box.loop.clock.now
    assert lab("inject", "lan0", str(tmp_path / "x.pcap"), "--timed") == 0
    assert lab.out == "3 packets sent on lan0\n"
    assert box.until(lambda: len(box.got) == 3)
    assert box.loop.clock.now - start >= 0.2


def test_an_injection_that_nobody_hears_says_so(lab, tmp_path):
    (tmp_path / "x.pcap").write_bytes(capture([FRAME]))
    assert lab("inject", "lan0", str(tmp_path / "x.pcap")) == 1
    assert lab.err == "lab: lan0: nobody is there\n"


def test_what_is_wrong_with_a_file_is_told_and_the_rest_is_sent(lab, box, tmp_path):
    path = tmp_path / "x.pcap"
    assert lab("inject", "lan0", str(path)) == 1
    assert lab.err == f"lab: {path}: No such file or directory\n"
    path.write_bytes(b"hello")
    assert lab("inject", "lan0", str(path)) == 1
    assert lab.err == f"lab: {path}: not a pcap file\n"
    path.write_bytes(capture([FRAME], link=105))
    assert lab("inject", "lan0", str(path)) == 1
    assert lab.err == f"lab: {path}: link type 105 is not Ethernet\n"
    path.write_bytes(capture([FRAME, b"runt", FRAME])[:-1])
    assert lab("inject", "lan0", str(path)) == 1
    assert lab.out == "1 packet sent on lan0\n"
    assert "record 3 is cut off" in lab.err
    assert "too short" in lab.err
    assert box.until(lambda: box.got == [FRAME])


def test_a_cable_is_pulled_and_plugged_in(lab, box):
    told = []
    box.port.link = told.append
    assert lab("cable", "A:wm0", "down") == 0
    assert box.until(lambda: told == [False])
    lab("status")
    assert "cables down: A:wm0" in lab.out
    assert lab("cable", "A.wm0", "up") == 0
    assert box.until(lambda: told == [False, True])
    lab("status")
    assert "cables down" not in lab.out


def test_status_shows_live_ports_only_and_forgets_dead_ones(lab, box):
    other = Box(lab, "B.wm0")
    other.loop.remove_reader(other.port._sock.fileno())
    other.port._sock.close()  # killed
    assert lab("status") == 0
    assert [line.split() for line in lab.out.splitlines()[2:3]] == [["lan0", "1", "-"]]
    assert "A.wm0" in lab.out
    assert "B.wm0" not in lab.out
    assert len(os.listdir(lab.segment())) == 1
    for peer in other.port._peers.values():
        if peer.sock is not None:
            peer.sock.close()
    other.loop.close()


def test_status_of_a_world_that_is_not_there_is_empty(lab):
    assert lab("status") == 0
    assert lab.out.splitlines()[0].split() == ["segment", "ports", "wrong"]


@pytest.mark.processes
def test_a_capture_in_front_records_and_counts(lab, box, tmp_path):
    path = tmp_path / "x.pcap"
    with lab.start("capture", "lan0", "-w", str(path), "-c", "2", "--snaplen", "15") as child:
        assert box.until(lambda: box.port._recorders)
        box.port.send_many([FRAME, FRAME, FRAME])
        box.loop.run_once(0)
        _out, err = child.communicate(timeout=20)
    assert err == b"lab: recording lan0\nlab: 2 packets recorded\n"
    assert child.returncode == 0
    assert len(path.read_bytes()) == 24 + 2 * (16 + 15)


@pytest.mark.processes
def test_a_capture_ends_in_order_at_an_interrupt_and_can_write_to_a_pipe(lab, box):
    with lab.start("capture", "lan0", "-w", "-") as child:
        assert box.until(lambda: box.port._recorders)
        box.port.send(FRAME)
        box.loop.run_once(0)
        out = child.stdout.read(24 + 16 + len(FRAME))
        child.send_signal(signal.SIGINT)
        _rest, err = child.communicate(timeout=20)
    assert out.endswith(FRAME)
    assert err.endswith(b"1 packet recorded\n")
    assert child.returncode == 0
    assert os.listdir(lab.segment()) == [box.port.name]


@pytest.mark.processes
def test_a_capture_in_the_background_is_shown_and_stopped(lab, box, tmp_path):
    path = tmp_path / "x.pcap"
    assert lab("capture", "lan0", "-w", str(path), "--background") == 0
    assert box.until(lambda: box.port._recorders)
    box.port.send(FRAME)
    box.loop.run_once(0)
    assert lab("status") == 0
    assert str(path) in lab.out
    assert lab("capture", "lan0", "--stop") == 0
    assert path.read_bytes().endswith(FRAME)
    assert lab("capture", "lan0", "--stop") == 1
    assert lab.err == "lab: lan0: no such capture\n"


@pytest.mark.processes
def test_a_carrier_that_cannot_start_says_why(lab, tmp_path):
    assert lab("capture", "lan0", "-w", str(tmp_path / "no/x"), "--background") == 1
    assert lab.err == f"lab: {tmp_path}/no/x: No such file or directory\n"
    assert lab("status") == 0
    assert "carrier" not in lab.out


@pytest.mark.processes
def test_a_killed_carrier_is_forgotten_and_can_be_started_again(lab, tmp_path):
    path = str(tmp_path / "x.pcap")
    lab("capture", "lan0", "-w", path, "--background")
    directory = os.path.join(lab.world, "run", "lab")
    (name,) = [n for n in os.listdir(directory) if n.startswith("capture.")]
    with open(os.path.join(directory, name)) as file:
        pid = json.load(file)["pid"]
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    assert lab("status") == 0
    assert "carrier" not in lab.out
    assert lab("capture", "lan0", "-w", path, "--background") == 0
    assert len([n for n in os.listdir(directory) if n.startswith("capture.")]) == 1


@pytest.mark.processes
def test_records_of_carriers_may_be_garbage(lab):
    directory = os.path.join(lab.world, "run", "lab")
    os.makedirs(directory)
    for number, text in enumerate(["", "{", "[]", "3", '{"pid": "x"}', '{"pid": 1, "born": null}']):
        with open(os.path.join(directory, f"tap.{number}"), "w") as file:
            file.write(text)
    assert lab("status") == 0
    assert "carrier" not in lab.out
    assert os.listdir(directory) == []


@pytest.mark.processes
def test_a_datagram_pair_carries_until_it_is_taken_out(lab, box, tmp_path):
    import socket

    us, them = str(tmp_path / "us"), str(tmp_path / "them")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as machine:
        machine.bind(them)
        machine.settimeout(5)
        assert lab("dgram", "lan0", "--local", us, "--remote", them) == 0
        assert box.until(lambda: box.port._others)
        machine.sendto(FRAME, us)
        assert box.until(lambda: box.got == [FRAME])
        box.port.send(FRAME + b"2")
        box.loop.run_once(0)
        assert machine.recv(100) == FRAME + b"2"
    assert lab("dgram", "lan0", "--local", us, "--remote", them) == 1
    assert "in use" in lab.err
    assert lab("undgram", "lan0", "--local", "/elsewhere") == 1
    assert lab("undgram", "lan0", "--local", us) == 0
    assert not os.path.exists(us)


@pytest.mark.interop
def test_a_tap_lets_the_kernel_speak_on_a_segment_until_untap(lab, box):
    if os.getuid() != 0:
        pytest.skip("a TAP needs root")
    if not os.path.exists("/dev/net/tun") or shutil.which("ip") is None:
        pytest.skip("no /dev/net/tun or no ip(8) on this machine")
    ns = f"iopkt-l{os.getpid()}"
    tap = ("tap", "lan0", "--netns", ns, "--ifname", "tp0", "--address", "10.9.8.1/24")
    assert lab(*tap) == 1
    assert lab.err == f"lab: {ns}: no such network namespace\n"
    try:
        assert lab(*tap, "--create", "--mac", "02:00:00:00:08:01", "--mtu", "4000") == 0
        assert lab(*tap) == 1
        assert "tp0" in lab.err
        lab("status")
        assert f"tp0 in {ns} 10.9.8.1/24" in lab.out
        mac = bytes([2, 0, 0, 0, 0, 9])
        arp = bytes.fromhex("0001080006040001") + mac + bytes([10, 9, 8, 2]) + bytes(6)
        assert box.until(lambda: box.port._others)
        box.port.send(b"\xff" * 6 + mac + b"\x08\x06" + arp + bytes([10, 9, 8, 1]))
        assert box.until(lambda: any(f[12:14] == b"\x08\x06" for f in box.got))
        assert lab("untap", "lan0", "--ifname", "tp9") == 1
        with lab.start("untap", "lan0", "--ifname", "tp0") as child:
            assert box.until(lambda: child.poll() is not None)
            assert child.communicate() == (b"", b"")
        links = subprocess.run(
            ["ip", "-n", ns, "-o", "link"], capture_output=True, text=True, check=True
        )
        assert "tp0" not in links.stdout
    finally:
        lab("untap", "lan0")
        subprocess.run(["ip", "netns", "del", ns], check=False, stderr=subprocess.DEVNULL)


TOPOLOGY = """
[segment.lan0]
loss = 1.5
delay = 2
[segment.lan1]
[box.BoxA]
nics = ["i82544:lan0", "tsec:lan1"]
start = ["true"]
[[tap]]
segment = "lan0"
netns = "x"
address = "10.0.0.1/24"
[[capture]]
segment = "lan1"
file = "x.pcap"
"""


def test_a_topology_is_read(tmp_path):
    path = tmp_path / "lab.toml"
    path.write_text(TOPOLOGY)
    conf = read_topology(str(path))
    assert conf["segment"]["lan0"].loss == 1.5
    assert conf["box"]["BoxA"]["nics"] == ["i82544:lan0", "tsec:lan1"]
    assert conf["tap"][0]["address"] == ["10.0.0.1/24"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[", "Invalid"),
        ("x = 1", "x: no such key"),
        ("[segment.lan0]\ngain = 1", "segment.lan0: gain: no such impairment"),
        ("[segment.lan0]\nloss = 200", "segment.lan0: loss: 200"),
        ("[segment]\nlan0 = 3", "segment.lan0: a table is wanted"),
        ("[segment.'a/b']", "cannot name a segment"),
        ("[box.A]\nnics = 'x'", "box.A: nics: wrong kind of value"),
        ("[box.A]\nnics = [3]", "box.A: nics: a list of texts is wanted"),
        ("[[tap]]\nnetns = 'x'", "tap 1: segment is missing"),
        ("[[capture]]\nsegment = 'lan0'", "capture 1: file is missing"),
        ("tap = [3]", "tap 1: a table is wanted"),
    ],
)
def test_a_wrong_topology_is_told_by_place(tmp_path, lab, text, words):
    path = tmp_path / "lab.toml"
    path.write_text(text)
    with pytest.raises(LabError) as caught:
        read_topology(str(path))
    assert str(caught.value).startswith(f"{path}: ")
    assert words in str(caught.value)
    assert lab("up", str(path)) == 1


def test_down_without_up_says_so(lab):
    assert lab("down") == 1
    assert lab.err == "lab: no lab is up\n"
