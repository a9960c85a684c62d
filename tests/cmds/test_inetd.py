"""inetd: the small services, and programs that get a connection."""

from __future__ import annotations

import os
import pathlib
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libnet.lab.memory import World
from libnet.lab.play import Player
from libnet.proto.smallserv import BAD_PORTS, RING, Datagrams, Stream

SAMPLE = pathlib.Path(__file__).parent.parent.parent / "etc" / "inetd.conf"


@pytest.fixture
def boxes():
    """Box A with the sample configuration, 10.0.0.1, and a client."""
    with World(seed=3) as world:
        made = [world.box(name, nic="i82544:l0") for name in "AB"]
        for number, box in enumerate(made, 1):
            box.sh(f"io-pkt-v4-hc -d i82544; ifconfig wm0 10.0.0.{number}/24")
        made[0].write("/etc/inetd.conf", SAMPLE.read_text())
        yield made


def start(box, more=""):
    box.write("/etc/inetd.conf", SAMPLE.read_text() + more)
    assert box.sh("inetd") == ("", "", 0)
    box.world.run(0.1)


@pytest.mark.parametrize("udp", ["", "-u "])
def test_small_services_answer(boxes, udp):
    server, client = boxes
    start(server)

    def ask(service):
        return client.sh(f"echo hello | nc {udp}-w 2 10.0.0.1 {service}").out

    assert ask("echo") == "hello\n"
    assert ask("discard") == ""
    assert client.sh(f"nc {udp}-w 2 10.0.0.1 echo < /etc/hosts").out == client.read("/etc/hosts")
    assert ask("daytime").startswith("Wed Mar  5 06:13:2")
    assert ask("daytime").endswith(" 2014\r\n")
    raw = client.sh(f"echo | nc {udp}-w 2 10.0.0.1 time").out.encode("utf-8", "surrogateescape")
    assert int.from_bytes(raw, "big") - (1394000000 + 2208988800) in range(30)


def test_the_character_generator_sends_a_line_for_a_datagram(boxes):
    server, client = boxes
    start(server)
    assert client.sh("echo | nc -u -w 1 10.0.0.1 chargen").out == RING[:72] + "\r\n"
    assert client.sh("echo | nc -u -w 1 10.0.0.1 chargen").out == RING[1:73] + "\r\n"


def test_tcpmux_lists_and_refuses(boxes):
    server, client = boxes
    start(server, "tcpmux/+up stream tcp nowait root /bin/tr tr\n")
    ask = "nc -w 2 10.0.0.1 tcpmux"
    assert client.sh(f"echo HELP | {ask}").out == "+Available services:\r\nhelp\r\nup\r\n"
    assert client.sh(f"echo no | {ask}").out == "-Service not available\r\n"
    assert client.sh(f"echo Up | {ask}").out == "+Go\r\n"
    assert any("cannot execute /bin/tr" in text for text in server.slog.texts)


def test_datagrams_between_such_services_are_not_answered(boxes):
    server, client = boxes
    start(server)
    assert client.sh("echo x | nc -u -w 2 -p 7 10.0.0.1 echo").out == ""


def test_what_cannot_be_is_logged_and_the_rest_served(boxes):
    server, client = boxes
    server.sh("echo x | nc -l 13 &")
    server.world.run(0.1)
    more = """\
nosuch stream tcp nowait root internal
nosuch stream tcp nowait root /x x
7777 seqpacket tcp nowait root /x x
7778 stream tcp6 nowait root /x x
nohost:7779 stream tcp nowait root /x x
"""
    start(server, more)
    assert [text for text in server.slog.texts if text.startswith("inetd: ")] == [
        "inetd: internal service nosuch unknown",
        "inetd: daytime/tcp: cannot bind: Address already in use",
        "inetd: nosuch/tcp: unknown service",
        "inetd: 7777/tcp: seqpacket: no such socket type here",
        "inetd: 7778/tcp6: *: the address family is not supported by the kernel",
        "inetd: 7779/tcp: nohost: hostname nor servname provided, or not known",
    ]
    assert client.sh("echo hello | nc -w 2 10.0.0.1 echo").out == "hello\n"


def test_a_service_that_is_asked_for_too_often_is_closed_for_ten_minutes(boxes):
    server, client = boxes
    server.write("/etc/inetd.conf", "echo stream tcp nowait:3 root internal\n")
    server.sh("inetd")
    server.world.run(0.1)
    ask = "echo a | nc -w 1 10.0.0.1 echo"
    assert [client.sh(ask).out for _ in range(4)] == ["a\n", "a\n", "", ""]
    text = "inetd: echo/tcp max spawn rate (3 in 60 seconds) exceeded; service not started"
    assert text in server.slog.texts
    server.world.run(600)
    assert client.sh(ask).out == "a\n"


def test_the_configuration_is_read_again_on_sighup(boxes):
    server, client = boxes
    start(server)
    server.write("/etc/inetd.conf", "daytime stream tcp nowait root internal\n")
    (job,) = server.jobs.values()
    job.signal("SIGHUP")
    server.world.run(0.1)
    assert client.sh("echo a | nc -w 1 10.0.0.1 echo").out == ""
    assert client.sh("echo a | nc -w 1 10.0.0.1 daytime").out != ""
    job.signal("SIGTERM")
    server.world.run(0.1)
    assert job.status == 0
    assert client.sh("echo a | nc -w 1 10.0.0.1 daytime").out == ""


def test_no_configuration_wrong_usage_and_a_syntax_error(boxes):
    server, _client = boxes
    assert server.sh("inetd -x").err == "inetd: unknown option -- x\nusage: inetd [-dl] [conf]\n"
    server.sh("inetd /etc/none")
    server.write("/etc/bad", "echo stream\n")
    assert server.sh("inetd -d /etc/bad") == ("", "inetd: /etc/bad: syntax error\n"[7:], 1)
    server.world.run(0.1)
    assert "inetd: /etc/none: No such file or directory" in server.slog.texts


@given(st.sampled_from(["echo", "discard", "tcpmux", "chargen"]), st.lists(st.binary(), max_size=5))
def test_any_octets_are_taken(name, parts):
    stream = Stream(name, 0.0, [("a", True), ("b", False)])
    for part in parts:
        stream.input(part)
        stream.fill(100)
    answer = Datagrams(name).answer(b"".join(parts), 1024, 0.0)
    assert answer is None or isinstance(answer, bytes)
    assert all(Datagrams("echo").answer(b"x", port, 0.0) is None for port in BAD_PORTS)


CLIENT = """
import socket
def ask(port, text):
    with socket.create_connection(("10.0.0.1", port), 10) as conn:
        conn.sendall(text)
        conn.shutdown(socket.SHUT_WR)
        return conn.makefile("rb").read()
print(ask(9000, b"abc\\n"), ask(9001, b""), ask(1, b"up\\r\\n"))
with socket.create_connection(("10.0.0.1", 19), 10) as conn:
    print(conn.makefile("rb").read(74 * 2) [72:78])
print(ask(9000, b"x" * 100000) == b"X" * 100000)
"""
CONF = """\
chargen stream tcp nowait root internal
tcpmux stream tcp nowait root internal
9000 stream tcp nowait USER /usr/bin/tr tr a-z A-Z
9001 stream tcp nowait USER /etc/hello hello you
tcpmux/+up stream tcp nowait USER /etc/hello hello mux
9002 stream tcp nowait nosuchuser /etc/hello hello
9003 stream tcp nowait USER /etc/none none
9004 dgram udp wait USER /etc/hello hello
"""


@pytest.mark.processes
def test_programs_get_the_connection(tmp_path):
    import pwd

    user = pwd.getpwuid(os.getuid()).pw_name
    conf = tmp_path / "inetd.conf"
    conf.write_text(CONF.replace("USER", user))
    client = tmp_path / "client.py"
    client.write_text(textwrap.dedent(CLIENT))
    with Player(os.environ, str(tmp_path / "w")) as player:
        script = "#!/bin/sh\necho hello $1"
        assert player("A", f"echo '{script}' > /etc/hello; chmod +x /etc/hello") == ("", 0)
        assert player("A", "io-pkt-v4-hc -d i82544; ifconfig wm0 10.0.0.1/24") == ("", 0)
        assert player("B", "io-pkt-v4-hc -d i82544; ifconfig wm0 10.0.0.2/24") == ("", 0)
        assert player.host(["box", "run", "A", "--", "inetd", str(conf)]) == ("", 0)
        assert player("A", "waitfor /var/run/inetd.pid") == ("", 0)
        out, status = player.host(["box", "run", "B", "--", "netpy", str(client)])
        assert out.splitlines() == [
            "b'ABC\\n' b'hello you\\n' b'+Go\\r\\nhello mux\\n'",
            repr(b"\r\n" + RING[1:5].encode()),
            "True",
        ]
        assert status == 0
        for port in ("9002", "9003", "-u 9004"):
            player("B", f"echo | nc -w 1 10.0.0.1 {port}".replace("10.0.0.1 -u", "-u 10.0.0.1"))
        log = player("A", "sloginfo")[0]
        assert "inetd: 9002/tcp: nosuchuser: No such user" in log
        assert "inetd: cannot execute /etc/none: No such file or directory" in log
        assert "inetd: 9004/udp: a socket of this kind cannot be handed to a program" in log
