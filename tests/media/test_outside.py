"""Ports to the outside: the datagram pair, and a TAP in a namespace of the real kernel."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess

import pytest

from libnet.loop.loop import Loop
from libnet.media.dgram import DgramPort
from libnet.media.outside import Bridge
from libnet.media.port import marked
from libnet.media.tap import TapError, TapPort, make_tap, open_tap
from libnet.media.unixseg import UnixPort

ALL = b"\xff" * 6
MAC = bytes([2, 0, 0, 0, 0, 1])
FRAME = ALL + MAC + b"\x88\xb5hello"


def run(loop, passes=6):
    for _ in range(passes):
        loop.run_once(0)


@pytest.fixture
def loop():
    made = Loop()
    yield made
    made.close()


@pytest.fixture
def pair(loop, tmp_path):
    """Return a DgramPort and the socket of the virtual machine on its other end."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as machine:
        machine.setblocking(False)
        port = DgramPort(loop, str(tmp_path / "us"), str(tmp_path / "them"))
        yield port, machine, tmp_path
        port.close()


def test_frames_pass_both_ways_one_a_datagram(loop, pair):
    port, machine, where = pair
    got = []
    port.receive = got.extend
    machine.bind(str(where / "them"))
    machine.sendto(FRAME, str(where / "us"))
    port.send_many([FRAME, FRAME + b"2"])
    run(loop)
    assert got == [FRAME]
    assert [machine.recv(100), machine.recv(100)] == [FRAME, FRAME + b"2"]
    assert port.stat["ipackets"] == 1
    assert port.stat["opackets"] == 2


def test_an_end_that_is_not_there_is_counted_and_may_come_later(pair):
    port, machine, where = pair
    port.send(FRAME)
    machine.bind(str(where / "them"))
    port.send(FRAME)
    assert machine.recv(100) == FRAME
    assert port.stat["nobody there"] == 1


def test_a_machine_that_reads_nothing_is_counted_and_blocks_nobody(pair):
    port, machine, where = pair
    machine.bind(str(where / "them"))
    port.send_many([FRAME] * 2000)
    assert port.stat["receiver full"] > 1000
    assert port.stat["receiver full"] + port.stat["opackets"] == 2000


def test_what_leaves_is_complete(pair):
    port, machine, where = pair
    machine.bind(str(where / "them"))
    ip = bytes.fromhex("4500001d00000000401100000a0000010a000002")
    udp = bytes.fromhex("003500350009 1436 61".replace(" ", ""))
    port.send(marked(ALL + MAC + b"\x08\x00" + ip + udp, csum=3))
    got = machine.recv(200)
    assert got[24:26] != b"\0\0"
    words = got[14:34]
    assert sum(int.from_bytes(words[i : i + 2], "big") for i in range(0, 20, 2)) % 0xFFFF == 0


def test_runts_are_counted(loop, pair):
    port, machine, where = pair
    machine.sendto(b"short", str(where / "us"))
    run(loop)
    assert port.stat["bad frame length"] == 1


def test_a_stale_socket_is_replaced_and_a_live_one_is_not(loop, tmp_path):
    local = str(tmp_path / "us")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as dead:
        dead.bind(local)
    port = DgramPort(loop, local, str(tmp_path / "them"))
    with pytest.raises(OSError, match="in use"):
        DgramPort(loop, local, str(tmp_path / "them"))
    port.close()
    port.send(FRAME)
    assert port.stat["unplugged"] == 1
    assert not os.path.exists(local)


def test_a_bridge_joins_a_segment_and_the_outside(loop, pair, tmp_path):
    port, machine, where = pair
    machine.bind(str(where / "them"))
    inside = UnixPort(loop, str(tmp_path / "lan0"), "dgram.us")
    inside.takes = 0
    bridge = Bridge(inside, port)
    box = UnixPort(loop, str(tmp_path / "lan0"), "A.wm0")
    got = []
    box.receive = got.extend
    run(loop)
    box.send(FRAME)
    machine.sendto(FRAME + b"!", str(where / "us"))
    run(loop)
    assert machine.recv(100) == FRAME
    assert got == [FRAME + b"!"]
    box.close()
    bridge.close()


@pytest.mark.parametrize("name", ["", "a" * 16, "a/b", "a b", "a:b", "tap%d"])
def test_an_impossible_interface_name_is_refused(name):
    with pytest.raises(TapError, match="not an interface name"):
        open_tap(name)


NETNS = f"iopkt-t{os.getpid()}"


@pytest.fixture
def netns():
    if os.getuid() != 0:
        pytest.skip("a TAP needs root")
    if not os.path.exists("/dev/net/tun") or shutil.which("ip") is None:
        pytest.skip("no /dev/net/tun or no ip(8) on this machine")
    yield NETNS
    subprocess.run(["ip", "netns", "del", NETNS], check=False, stderr=subprocess.DEVNULL)


@pytest.mark.interop
def test_the_kernel_answers_through_a_tap_and_the_tap_goes_with_its_descriptor(loop, netns):
    with pytest.raises(TapError, match="no such network namespace"):
        make_tap("tp0", netns=netns)
    fd = make_tap(
        "tp0", netns=netns, addresses=["10.9.9.1/24"], mac="02:00:00:00:09:01", create=True
    )
    tap = TapPort(loop, fd)
    got = []
    tap.receive = got.extend
    arp = bytes.fromhex("0001080006040001") + MAC + bytes([10, 9, 9, 2]) + bytes(6)
    tap.send(ALL + MAC + b"\x08\x06" + arp + bytes([10, 9, 9, 1]))
    for _ in range(100):
        loop.run_once(0.05)
        if any(f[12:14] == b"\x08\x06" for f in got):
            break
    (reply,) = [f for f in got if f[12:14] == b"\x08\x06"]
    assert reply[6:12] == bytes.fromhex("020000000901")
    tap.close()
    links = subprocess.run(
        ["ip", "-n", netns, "-o", "link"], capture_output=True, text=True, check=True
    ).stdout
    assert "tp0" not in links


@pytest.mark.interop
def test_a_wrong_address_leaves_no_interface_behind(netns):
    with pytest.raises(TapError, match=r"10\.9\.9\.300"):
        make_tap("tp0", netns=netns, addresses=["10.9.9.300/24"], create=True)
    links = subprocess.run(
        ["ip", "-n", netns, "-o", "link"], capture_output=True, text=True, check=True
    ).stdout
    assert "tp0" not in links


@pytest.mark.interop
def test_a_tap_whose_interface_is_removed_says_that_it_broke(loop, netns):
    tap = TapPort(loop, make_tap("tp0", netns=netns, create=True))
    broke = []
    tap.broken = lambda: broke.append(1)
    subprocess.run(["ip", "-n", netns, "link", "del", "tp0"], check=True)
    for _ in range(50):
        loop.run_once(0.05)
        if broke:
            break
    assert broke == [1]
    assert not tap.carrier
    tap.send(FRAME)
    assert tap.stat["send error"] == 1
    tap.close()
