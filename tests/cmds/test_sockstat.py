"""sockstat: who holds which socket."""

from __future__ import annotations

import os
import re
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmds._names import Names
from cmds.sockstat import HEADER, number, parse_ports
from libnet.lab.memory import World
from libnet.lab.play import Player
from libnet.libsocket.simsocket import module
from libnet.text.err import Err


@pytest.fixture
def two():
    with World(seed=5) as world:
        for n, name in enumerate("AB", 1):
            box = world.box(name, nic="i82544:lan0")
            box.sh("io-pkt-v4-hc -d i82544")
            box.sh(f"ifconfig wm0 10.0.0.{n}/24")
            box.write("/etc/hosts", "127.0.0.1 localhost\n10.0.0.2 bee\n")
            box.write("/etc/services", "lesson 5000/tcp\nsyslog 514/udp\n")
        yield world, world.box("A"), world.box("B")


def rows(text):
    return [line.split() for line in text.splitlines()[1:]]


@pytest.fixture
def busy(two):
    """Box B with a listener, a connection, and datagram and raw sockets."""
    _world, a, b = two
    sa, sb = module(a.ctx("client")), module(b.ctx("a-long-program-name"))
    listener = sb.create_server(("", 5000))
    client = sa.create_connection(("10.0.0.2", 5000))
    conn, addr = listener.accept()
    udp = sb.socket(sb.AF_INET, sb.SOCK_DGRAM)
    udp.bind(("10.0.0.2", 514))
    idle = sb.socket(sb.AF_INET, sb.SOCK_DGRAM)
    icmp = sb.socket(sb.AF_INET, sb.SOCK_RAW, 1)
    raw = sb.socket(sb.AF_INET, sb.SOCK_RAW, 99)
    yield b, addr[1]
    for sock in (listener, client, conn, udp, idle, icmp, raw):
        sock.close()


def test_nothing_open_prints_nothing(two):
    assert two[2].sh("sockstat") == ("", "", 0)


def test_every_socket_has_a_line(busy):
    b, port = busy
    out, err, status = b.sh("sockstat")
    assert (err, status) == ("", 0)
    assert out == HEADER + (
        "root     a-long-pro 0      3 tcp    *.lesson              *.*\n"
        f"root     a-long-pro 0      4 tcp    bee.lesson            10.0.0.1.{port}\n"
        "root     a-long-pro 0      5 udp    bee.syslog            *.*\n"
        "root     a-long-pro 0      6 udp    *.*                   *.*\n"
        "root     a-long-pro 0      7 2/1    *.*                   *.*\n"
        "root     a-long-pro 0      8 raw    *.*                   *.*\n"
    )


@pytest.mark.parametrize(
    ("words", "fds"),
    [
        ("-4", "345678"),
        ("-6", ""),
        ("-u", ""),
        ("-f inet", "345678"),
        ("-f INET6 -f unix", ""),
        ("-c", "4"),
        ("-l", "3578"),
        ("-cl", "34578"),
        ("-p 5000", "34"),
        ("-p lesson", "34"),
        ("-p 1-600", "5"),
        ("-p 514,5000", "345"),
        ("-lp 5000", "3"),
        ("-p 1", ""),
    ],
)
def test_options_choose(busy, words, fds):
    b, _port = busy
    out, err, status = b.sh(f"sockstat -n {words}")
    assert (err, status) == ("", 0)
    assert "".join(row[3] for row in rows(out)) == fds


def test_numbers_instead_of_names(busy):
    b, port = busy
    assert f"10.0.0.2.5000         10.0.0.1.{port}\n" in b.sh("sockstat -nc").out


@pytest.mark.parametrize(
    ("words", "err"),
    [
        ("-f ipx", "sockstat: ipx: unsupported protocol family\n"),
        ("-u -p 80", "sockstat: local domain sockets do not have ports\n"),
        ("-p x", "sockstat: x: Invalid argument\n"),
        ("-p 80-", "sockstat: 80-: Invalid argument\n"),
        ("-p 70000", "sockstat: 70000: Invalid argument\n"),
        ("-p 80,,90", "sockstat: 80,,90: Invalid argument\n"),
        ("-Q", "sockstat: unknown option -- Q\n"),
        ("-p", "sockstat: option requires an argument -- p\n"),
    ],
)
def test_wrong_usage(two, words, err):
    assert two[0].box("A").sh(f"sockstat {words}") == ("", err, 1)


def test_without_a_stack():
    with World() as world:
        assert world.box("A").sh("sockstat") == (
            "",
            "sockstat: sysctlnametomib: net.inet.tcp.pcblist: "
            "Address family not supported by protocol family\n",
            1,
        )


@given(st.text(alphabet="0123456789-,x", max_size=12))
def test_any_list_of_ports_is_read_or_refused(text):
    import io

    with World() as world:
        box = world.box("A")
        names = Names(box.ctx("sockstat"))
        try:
            found = parse_ports(text, names, Err("sockstat", io.StringIO()))
        except SystemExit as exc:
            assert exc.code == 1
            return
        assert all(0 <= port <= 65535 for port in found)


def test_a_leading_nought_is_octal():
    assert (number("010"), number("08"), number("65536")) == (8, None, None)


@pytest.mark.processes
def test_the_descriptor_is_the_processs_own(tmp_path):
    with Player(os.environ, str(tmp_path / "w")) as player:
        assert player("BoxA", "io-pkt-v4-hc")[1] == 0
        code = (
            "import socket; a = open('/dev/null'); b = socket.create_server(('', 5000));"
            "print(b.fileno(), __import__('os').getpid(), flush=True); input()"
        )
        argv = [f"{player.programs}/box", "run", "BoxA", "--", "netpy", "-c", code]
        program = subprocess.Popen(
            argv,
            env=player.environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        fd, pid = program.stdout.readline().split()
        out, status = player("BoxA", "sockstat")
        program.communicate("\n")
    assert status == 0
    assert re.fullmatch(rf"root +\S+ +{pid} +{fd} tcp +\*\.5000 +\*\.\*", out.splitlines()[1])
