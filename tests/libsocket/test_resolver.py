"""Names asked of a name server in another box, and the core that asks."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libnet.addr import AF_INET, SockaddrIn
from libnet.conf.resolvconf import ResolvConf
from libnet.errors import NetError
from libnet.lab.memory import World
from libnet.lab.play import Player
from libnet.libsocket import simsocket
from libnet.libsocket.resolver import FAILED, FOUND, NOT_FOUND, Lookup
from libnet.libsocket.sock import SOCK_DGRAM
from libnet.wire.dns import NXDOMAIN, QR, T_A, T_CNAME, T_PTR, Message, Record, reverse_name

ZONE = {
    ("www.example.net", T_A): [
        Record("www.example.net", T_CNAME, b"", "host.example.net"),
        Record("host.example.net", T_A, bytes((10, 0, 0, 7))),
    ],
    ("gate.example.net", T_A): [Record("gate.example.net", T_A, bytes((10, 0, 0, 1)))],
    (reverse_name(0x0A000001), T_PTR): [
        Record(reverse_name(0x0A000001), T_PTR, b"", "gate.example.net")
    ],
    (reverse_name(0x0A000002), T_PTR): [Record(reverse_name(0x0A000002), T_PTR, b"", r"a\027[1m")],
}


def respond(octets, zone=ZONE):
    message = Message.parse(octets)
    asked = message.questions[0]
    found = zone.get((asked.name.lower(), asked.type))
    flags = QR | (0 if found else NXDOMAIN)
    return message._replace(flags=flags, answers=tuple(found or ())).build()


def serve(box, zone=ZONE, silent=0):
    """Start a name server in *box* that says nothing to the first *silent* questions."""
    asked = []

    def body(_out, _err):
        ctx = box.ctx("named")
        with ctx.socket(AF_INET, SOCK_DGRAM) as sock:
            sock.bind(SockaddrIn(0, 53))
            while True:
                ctx.wait((sock,), None)
                data, source = sock.recvfrom()
                asked.append(Message.parse(data).questions[0].name)
                if len(asked) > silent:
                    sock.sendto(respond(data, zone), source)

    box.start_job("named", body)
    box.world.run(0.1)
    return asked


@pytest.fixture
def boxes():
    """A name server, 10.0.0.1, and a client, 10.0.0.2, that knows it."""
    with World(seed=3) as world:
        made = [world.box(name, nic="i82544:l0") for name in "SC"]
        for number, box in enumerate(made, 1):
            box.sh(f"io-pkt-v4-hc -d i82544; ifconfig wm0 10.0.0.{number}/24")
        made[1].write("/etc/resolv.conf", "domain example.net\nnameserver 10.0.0.1\n")
        yield made


def test_ping_finds_a_name_and_shows_it(boxes):
    server, client = boxes
    serve(server)
    out = client.sh("ping -c 1 gate").out
    assert out.startswith("PING gate (10.0.0.1): 56 data bytes\n")
    assert "1 packets received" in out
    assert client.sh("ping -c 1 10.0.0.1").out.startswith("PING gate.example.net (10.0.0.1)")
    assert client.sh("ping -c 1 nobody").err == 'ping: Cannot resolve "nobody" (Unknown host)\n'


def test_the_hosts_file_goes_first_unless_told_otherwise(boxes):
    server, client = boxes
    asked = serve(server)
    client.write("/etc/hosts", "10.0.0.2 gate\n")
    assert "(10.0.0.2)" in client.sh("ping -c 1 gate").out
    assert asked == []
    client.write("/etc/nsswitch.conf", "hosts: dns files\n")
    assert "(10.0.0.1)" in client.sh("ping -c 1 gate").out
    client.write("/etc/nsswitch.conf", "hosts: files\n")
    assert client.sh("ping -c 1 www").status == 1


def test_the_configuration_string_goes_before_the_file(boxes):
    server, client = boxes
    asked = serve(server)
    client.write("/etc/resolv.conf", "nameserver 10.0.0.99\n")
    client.sh("setconf _CS_RESOLVE nameserver_10.0.0.1 _CS_DOMAIN example.net")
    assert "(10.0.0.1)" in client.sh("ping -c 1 gate").out
    assert asked[0] == "gate.example.net"
    client.sh("setconf _CS_RESOLVE nameserver_10.0.0.1_lookup_file")
    assert client.sh("ping -c 1 gate").status == 1


def test_a_lost_answer_is_asked_for_again(boxes):
    server, client = boxes
    asked = serve(server, silent=1)
    begun = client.world.now
    assert "(10.0.0.1)" in client.sh("ping -n -c 1 gate").out
    assert asked == ["gate.example.net"] * 2
    assert client.world.now - begun == pytest.approx(5.0, abs=1.0)


def test_without_a_server_there_is_an_error_at_once_and_no_second_wait(boxes):
    _server, client = boxes
    begun = client.world.now
    assert client.sh("ping -c 1 gate").status == 1  # the port is unreachable
    assert client.world.now - begun < 0.1
    client.write("/etc/resolv.conf", "nameserver 10.0.0.99\nnameserver 10.0.0.98\n")
    client.sh("netstat -r")
    assert client.world.now - begun < 60  # the servers are asked for one address only


def test_an_ugly_name_is_no_name(boxes):
    server, client = boxes
    serve(server)
    assert client.sh("ping -c 1 10.0.0.2").out.startswith("PING 10.0.0.2 (10.0.0.2)")


def test_python_programs_ask_as_well(boxes):
    server, client = boxes
    serve(server)
    socket = simsocket.module(client.ctx("py"))
    assert socket.gethostbyname("www.example.net") == "10.0.0.7"
    assert socket.gethostbyaddr("10.0.0.1")[0] == "gate.example.net"
    assert socket.getaddrinfo("gate", 80)[0][4] == ("10.0.0.1", 80)
    with pytest.raises(OSError, match="Name or service not known"):
        socket.gethostbyname("nobody")


# -- the core

CONF = ResolvConf((1, 2), attempts=2)


def lookup(name="a.net", kind=T_A):
    made = Lookup(CONF, name, kind, 77)
    made.start(0.0)
    return made


def test_servers_are_asked_in_turn_each_round_longer():
    made = lookup()
    seen = []
    while not made.state:
        seen.append((made.server, made.next_due()))
        made.run(made.next_due())
    assert made.state == FAILED
    assert seen == [(1, 5.0), (2, 10.0), (1, 15.0), (2, 20.0)]


@pytest.mark.parametrize(
    ("change", "state"),
    [
        ({}, FOUND),
        ({"ident": 78}, ""),
        ({"flags": 0}, ""),
        ({"questions": ()}, ""),
        ({"flags": QR | NXDOMAIN}, NOT_FOUND),
        ({"answers": ()}, NOT_FOUND),
        ({"answers": (Record("a.net", T_CNAME, b"", "a.net"),)}, NOT_FOUND),
        ({"answers": (Record("b.net", T_A, bytes(4)),)}, NOT_FOUND),
        ({"answers": (Record("a.net", T_A, b"abc"),)}, NOT_FOUND),
    ],
)
def test_only_the_answer_to_the_question_counts(change, state):
    made = lookup()
    message = Message.parse(made.octets)._replace(
        flags=QR, answers=(Record("A.NET", T_A, bytes((1, 2, 3, 4))),)
    )
    made.input(message._replace(**change).build(), 1.0)
    assert made.state == state
    assert made.addr == (0x01020304 if state == FOUND else made.addr)


def test_a_server_that_fails_is_followed_by_the_next():
    made = lookup()
    made.input(Message.parse(made.octets)._replace(flags=QR | 2).build(), 1.0)
    assert (made.state, made.server) == ("", 2)


@given(st.binary(max_size=80))
def test_any_datagram_is_taken(octets):
    made = lookup()
    made.input(octets, 1.0)
    made.input(made.octets[:2] + b"\x80\0" + octets, 1.0)
    assert made.state in ("", FOUND, NOT_FOUND)


NAMED = """
import socket, sys
sys.path.insert(0, sys.argv[1])
from libnet.wire.dns import Message, Record, QR, T_A
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
    sock.bind(("", 53))
    open("/tmp/ready", "w").close()
    while True:
        data, source = sock.recvfrom(512)
        asked = Message.parse(data)
        answer = Record(asked.questions[0].name, T_A, bytes((10, 0, 0, 1)))
        sock.sendto(asked._replace(flags=QR, answers=(answer,)).build(), source)
"""


@pytest.mark.processes
def test_processes_ask_a_server_in_another_box(tmp_path):
    import libnet

    root = os.path.dirname(os.path.dirname(libnet.__file__))
    with Player(os.environ, str(tmp_path / "w")) as player:
        for number, name in enumerate("SC", 1):
            player(name, f"io-pkt-v4-hc -d i82544; ifconfig wm0 10.0.0.{number}/24")
        named = tmp_path / "w" / "boxes" / "S" / "root" / "etc" / "named.py"
        named.write_text(NAMED)
        start = f"netpy /etc/named.py {root} >/dev/null 2>&1 & waitfor /tmp/ready 20"
        assert player.host(["box", "run", "S", "--", "sh", "-c", start]) == ("", 0)
        assert player("C", "setconf _CS_RESOLVE nameserver_10.0.0.1") == ("", 0)
        out, status = player("C", "ping -n -c 1 gate.example.net")
        assert (status, out.splitlines()[0]) == (
            0,
            "PING gate.example.net (10.0.0.1): 56 data bytes",
        )
        code = "import socket; print(socket.gethostbyname('x.example.net'))"
        assert player("C", f'netpy -c "{code}"') == ("10.0.0.1\n", 0)


def test_a_box_without_stack_finds_nothing():
    with World(seed=3) as world:
        box = world.box("C")
        box.write("/etc/resolv.conf", "nameserver 10.0.0.1\n")
        socket = simsocket.module(box.ctx("py"))
        with pytest.raises(OSError, match="Name or service"):
            socket.gethostbyname("gate")
        with pytest.raises(NetError):
            box.ctx("x").socket(AF_INET, SOCK_DGRAM)
