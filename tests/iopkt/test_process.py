"""io-pkt as a process: second starts, signals, sudden death, hostile clients."""

from __future__ import annotations

import os
import select
import signal
import socket
import struct

import pytest

from libnet.lab.play import Player
from libnet.lab.world import World, stacks
from libnet.sunaddr import unix_address

pytestmark = pytest.mark.processes


@pytest.fixture
def player(tmp_path):
    with Player(os.environ, str(tmp_path / "w")) as made:
        yield made


def _pid(player, box="BoxA"):
    (note,) = stacks(World(player.world).box(box))
    return note.pid


def _end(pid, signum):
    """Send a signal to a process that is not our child and wait until it is gone."""
    fd = os.pidfd_open(pid)
    os.kill(pid, signum)
    ready, _, _ = select.select([fd], [], [], 10)
    os.close(fd)
    assert ready


def test_sigterm_ends_the_stack_in_order(player):
    assert player("BoxA", "io-pkt-v4-hc -d i82544") == ("", 0)
    _end(_pid(player), signal.SIGTERM)
    out, status = player("BoxA", "ifconfig")
    assert (out, status) == (
        "ifconfig: socket: Address family not supported by protocol family\n",
        1,
    )
    assert player("BoxA", "test -e /dev/socket")[1] == 1
    assert "tcpip stopped" in player("BoxA", "sloginfo")[0]


def test_a_killed_stack_leaves_nothing_to_clean(player):
    for _ in range(2):
        assert player("BoxA", "io-pkt-v4-hc -d i82544") == ("", 0)
        assert player("BoxA", "ifconfig wm0 10.0.0.1/24") == ("", 0)
        _end(_pid(player), signal.SIGKILL)
        out, status = player("BoxA", "ifconfig wm0")
        assert status == 1
        assert "Traceback" not in out
    assert player("BoxA", "io-pkt-v4-hc -d i82544") == ("", 0)
    assert player("BoxA", "ifconfig -l") == ("lo0 wm0\n", 0)


def test_the_other_box_does_not_notice_a_killed_peer(player):
    for n, box in ((1, "BoxA"), (2, "BoxB")):
        assert player(box, "io-pkt-v4-hc -d i82544")[1] == 0
        assert player(box, f"ifconfig wm0 10.0.0.{n}/24")[1] == 0
    assert player("BoxA", "ping -c 1 10.0.0.2")[1] == 0
    player.host(["box", "kill", "BoxB"])
    assert player("BoxA", "ping -c 1 -w 1 10.0.0.2")[1] == 2
    assert player("BoxB", "io-pkt-v4-hc -d i82544")[1] == 0
    assert player("BoxB", "ifconfig wm0 10.0.0.2/24")[1] == 0
    assert player("BoxA", "ping -c 1 10.0.0.2")[1] == 0


def test_wrong_messages_get_einval_and_the_stack_goes_on(player):
    assert player("BoxA", "io-pkt-v4-hc -d i82544")[1] == 0
    path = World(player.world).box("BoxA").socket()
    assert os.stat(path).st_mode & 0o777 == 0o600
    with socket.socket(socket.AF_UNIX) as conn:
        address, fd = unix_address(path)
        conn.connect(address)
        if fd is not None:
            os.close(fd)
        conn.settimeout(10)
        conn.sendall(struct.pack("!IBBHI", 12, 77, 0, 0, 5) + b"\xff" * 4)
        answer = conn.recv(4096)
        assert b"EINVAL" in answer
        conn.sendall(os.urandom(50_000))  # whatever it is, it is not a reason to die
    assert player("BoxA", "ifconfig -l") == ("lo0 wm0\n", 0)


def test_what_cannot_be_loaded_is_logged_and_the_stack_runs(player):
    assert player("BoxA", "io-pkt-v4-hc -d nosuch -d i82544 mac=zz -d i82544")[1] == 0
    assert player("BoxA", "ifconfig -l") == ("lo0 wm0\n", 0)
    log = player("BoxA", "sloginfo")[0]
    assert "nosuch: Library cannot be found" in log
    assert "option mac needs 12 hex digits" in log


def test_verbose_tells_the_console_too(player):
    out, status = player("BoxA", "io-pkt-v4-hc -v -d nosuch")
    assert status == 0
    assert "nosuch: Library cannot be found" in out


def test_wrong_options_print_the_usage(player):
    out, status = player("BoxA", "io-pkt-v4 -D")
    assert status == 1
    assert out.startswith("io-pkt-v4: unknown option -- D\nusage: io-pkt-v4 ")


def test_the_trace_shows_each_call(player):
    assert player("BoxA", "io-pkt-v4-hc -d i82544")[1] == 0
    out, status = player("BoxA", "IOPKT_TRACE=1 ifconfig wm0 mtu 1400")
    assert status == 0
    assert "ioctl(3, SIOCSIFMTU, {wm0, 1400}) = 0" in out
