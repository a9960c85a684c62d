"""The ping program: its words, its complaints, its exit statuses, against a stack that echoes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import cmds.ping
from cmds.ping import USAGE, strtod, strtol
from libnet.addr import SockaddrIn
from libnet.errors import NetError
from libnet.lab.memory import World
from libnet.libsocket.sock import (
    IP_HDRINCL,
    IP_MULTICAST_IF,
    IP_MULTICAST_LOOP,
    IP_MULTICAST_TTL,
    SO_BINDTODEVICE,
    SO_DEBUG,
    SO_DONTROUTE,
    SO_RCVBUF,
)
from libnet.wire.icmp import ICMP_ECHO, ICMP_ECHOREPLY, Icmp, icmp_build, icmp_echo
from libnet.wire.ipv4 import Ipv4, ip_build

HERE = 0x0A000001


class EchoStack:
    """Serves raw ICMP sockets; hosts that answer after a delay.

    refuse   setsockopt names and their errors; "socket" and "sendto" likewise
    """

    def __init__(self, clock, *, delay=0.0005, refuse=None, answer=None):
        self.clock, self.delay, self.refuse = clock, delay, refuse or {}
        self.answer = answer or self.echo
        self.stack = self
        self.options = []
        self.sent = []
        self.queue = []
        self.max_rcvbuf = 65535

    def connect(self, *, root, prog):
        return self.serve

    def shutdown(self):
        pass

    def echo(self, packet):
        ip = Ipv4.parse(packet)
        echo = Icmp.parse(ip.payload)
        if echo.type != ICMP_ECHO:
            return []
        body = icmp_echo(echo.id, echo.seq, echo.payload, ICMP_ECHOREPLY)
        return [(ip.dst, ip_build(body, src=ip.dst, dst=HERE, proto=1, ttl=64, options=ip.options))]

    def serve(self, op, args):
        if op in self.refuse:
            raise NetError(self.refuse[op])
        if op == "setsockopt":
            _level, name, value = args
            if name in self.refuse:
                raise NetError(self.refuse[name])
            if name == SO_RCVBUF and value > self.max_rcvbuf:
                raise NetError("ENOBUFS")
            self.options.append((name, value))
            return None
        if op == "sendto":
            data, addr, _flags = args
            self.sent.append((self.clock.now, data, addr))
            for src, datagram in self.answer(data):
                record = [SockaddrIn(src), None, datagram]
                self.clock.after(self.delay, lambda record=record: self.queue.append(record))
            return len(data)
        if op == "poll":
            return bool(self.queue)
        if op == "recv":
            if not self.queue:
                raise NetError("EAGAIN")
            return self.queue.pop(0)
        return None


@pytest.fixture
def world():
    with World(seed=3) as made:
        yield made


@pytest.fixture
def box(world):
    box = world.box("A")
    box.attach("", EchoStack(world.clock))
    return box


def test_two_replies_as_the_guide_prints_them(box):
    got = box.sh("ping -c 2 10.42.7.1")
    assert got.out == (
        "PING 10.42.7.1 (10.42.7.1): 56 data bytes\n"
        "64 bytes from 10.42.7.1: icmp_seq=0 ttl=64 time=0.500 ms\n"
        "64 bytes from 10.42.7.1: icmp_seq=1 ttl=64 time=0.500 ms\n"
        "\n"
        "----10.42.7.1 PING Statistics----\n"
        "2 packets transmitted, 2 packets received, 0.0% packet loss\n"
        "round-trip min/avg/max/stddev = 0.500/0.500/0.500/0.000 ms\n"
    )
    assert (got.err, got.status) == ("", 0)


def test_no_stack_no_socket(world):
    got = world.box("B").sh("ping 10.0.0.2")
    assert got.err == (
        "ping: Cannot create socket: Address family not supported by protocol family\n"
    )
    assert got.status == 1


def test_no_reply_exits_2(box, world):
    box.stack.answer = lambda packet: []
    got = box.sh("ping -c 1 10.0.0.9")
    assert got.status == 2
    assert "1 packets transmitted, 0 packets received, 100.0% packet loss\n" in got.out
    assert world.now == pytest.approx(10.0)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("-c 0 h", "ping: Bad/invalid number of packets\n"),
        ("-c 3x h", "ping: Bad/invalid number of packets\n"),
        ("-i 0 h", "ping: Bad/invalid interval 0\n"),
        ("-i fast h", "ping: Bad/invalid interval fast\n"),
        ("-l -1 h", "ping: Bad/invalid preload value -1\n"),
        ("-s -1 h", "ping: Bad/invalid packet size -1\n"),
        ("-s big h", "ping: Bad/invalid packet size big\n"),
        ("-s 65468 h", "ping: packet size is too large\n"),
        ("-t 256 h", "ping: bad tos value: 256\n"),
        ("-t -1 h", "ping: bad tos value: -1\n"),
        ("-T 0 h", "ping: ttl out of range\n"),
        ("-T 256 h", "ping: ttl out of range\n"),
        ("-w 0 h", "ping: Bad/invalid maxwait time 0\n"),
        ("-P -p ff h", "ping: Only one of -P and -p allowed\n"),
        ("-p fg h", 'ping: "-p fg": patterns must be specified with 1-32 hex digits\n\n'),
        (
            "-p " + "0" * 33 + " h",
            f'ping: "-p {"0" * 33}": patterns must be specified with 1-32 hex digits\n\n',
        ),
        ("-E bypass 10.0.0.2", "ping: invalid security policy\n"),
        ("-E 'in none' 10.0.0.2", "ping: ipsec is not configured\n"),
        ("nobody", 'ping: Cannot resolve "nobody" (Unknown host)\n'),
        ("-I nobody 10.0.0.2", 'ping: Cannot resolve "nobody" (Unknown host)\n'),
        ("-g nobody 10.0.0.2", 'ping: Cannot resolve "nobody" (Unknown host)\n'),
    ],
)
def test_complaints_are_the_originals(box, words, message):
    got = box.sh(f"ping {words}")
    assert (got.out, got.err, got.status) == ("", message, 1)


@pytest.mark.parametrize(
    ("words", "first"),
    [
        ("", ""),
        ("-c 1", ""),
        ("a b", ""),
        ("-h a b", ""),
        ("-x a", "ping: unknown option -- x\n"),
        ("-c", "ping: option requires an argument -- c\n"),
    ],
)
def test_wrong_words_get_the_usage(box, words, first):
    got = box.sh(f"ping {words}")
    assert (got.out, got.err, got.status) == ("", first + USAGE, 1)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("-f 10.0.0.2", "ping: Must be superuser to use -f\n"),
        ("-i 0.5 10.0.0.2", "ping: Must be superuser to use < 1 sec ping interval\n"),
        ("-l 3 10.0.0.2", "ping: Must be superuser to use -l\n"),
    ],
)
def test_what_loads_a_network_is_for_the_superuser(box, words, message):
    box.root = False
    assert box.sh(f"ping {words}") == ("", message, 1)
    assert box.sh("ping -c 1 10.0.0.2").status == 0


def test_names_come_from_the_boxs_hosts_and_go_with_n(box):
    box.write("/etc/hosts", "10.0.0.2 BoxB boxb.lan\n")
    assert box.sh("ping -c1 boxb.lan").out.startswith("PING boxb.lan (10.0.0.2): 56 data bytes\n")
    assert "----BoxB PING Statistics----" in box.sh("ping -c1 10.0.0.2").out
    assert "----10.0.0.2 PING Statistics----" in box.sh("ping -nc1 10.0.0.2").out


def test_the_host_may_be_an_option(box):
    assert box.sh("ping -h 10.0.0.2 -c 1").status == 0


def test_the_socket_is_set_up_as_asked(box):
    box.sh("ping -drB wm0 -I 10.0.0.1 -c1 10.0.0.2")
    options = box.stack.options
    assert options[:4] == [
        (SO_DEBUG, 1),
        (SO_DONTROUTE, 1),
        (SO_BINDTODEVICE, "wm0"),
        (IP_HDRINCL, 1),
    ]
    assert (IP_MULTICAST_IF, 0x0A000001) in options
    box.stack.options.clear()
    box.sh("ping -L -T 3 -I 10.0.0.1 -c1 224.0.0.1")
    assert box.stack.options[1:4] == [
        (IP_MULTICAST_LOOP, 0),
        (IP_MULTICAST_TTL, 3),
        (IP_MULTICAST_IF, 0x0A000001),
    ]


def test_the_header_is_what_the_options_say(box):
    box.sh("ping -D -t 0x10 -T 7 -s 100 -R -g 10.0.0.254 -c1 10.0.0.2")
    _when, packet, dest = box.stack.sent[0]
    ip = Ipv4.parse(packet)
    assert dest == SockaddrIn(0x0A0000FE)
    assert (ip.off, ip.tos, ip.ttl, ip.dst) == (0x4000, 0x10, 7, 0x0A0000FE)
    assert ip.len == 20 + 40 + 8 + 100


def test_a_smaller_buffer_is_taken_where_the_large_one_is_refused(box):
    box.stack.max_rcvbuf = 60000
    assert box.sh("ping -c1 10.0.0.2").status == 0
    assert (SO_RCVBUF, 65535 - 2 * 4096) in box.stack.options
    box.stack.max_rcvbuf = 0
    got = box.sh("ping -c1 10.0.0.2")
    assert got.err == "ping: Cannot set the receive buffer size: No buffer space available\n"
    assert got.status == 1


@pytest.mark.parametrize(
    ("name", "words", "message"),
    [
        (IP_HDRINCL, "10.0.0.2", "Can't set special IP header"),
        (IP_MULTICAST_LOOP, "-L 224.0.0.1", "Can't disable multicast loopback"),
        (IP_MULTICAST_TTL, "-T 2 224.0.0.1", "Can't set multicast time-to-live"),
        (IP_MULTICAST_IF, "-I 10.0.0.1 224.0.0.1", "Can't set multicast source interface"),
        (IP_MULTICAST_IF, "-I 10.0.0.1 10.0.0.2", "Can't set source interface/address"),
        (SO_BINDTODEVICE, "-B wm7 10.0.0.2", "wm7"),
    ],
)
def test_a_refused_option_of_the_socket_ends_it(box, name, words, message):
    box.stack.refuse = {name: "EADDRNOTAVAIL"}
    got = box.sh(f"ping {words}")
    assert got == ("", f"ping: {message}: Can't assign requested address\n", 1)


def test_refused_debugging_is_only_warned_of(box):
    box.stack.refuse = {SO_DEBUG: "EACCES", SO_DONTROUTE: "ENOPROTOOPT"}
    got = box.sh("ping -d -r -c 1 10.0.0.2")
    assert got.err == (
        "ping: Can't turn on socket debugging: Permission denied\n"
        "ping: SO_DONTROUTE: Protocol not available\n"
    )
    assert got.status == 0


def test_no_route_is_warned_of_each_time_and_it_goes_on(box):
    box.stack.refuse = {"sendto": "EHOSTUNREACH"}
    got = box.sh("ping -c 2 10.9.9.9")
    assert got.err == "ping: sendto: No route to host\n" * 2
    assert got.status == 2
    assert "2 packets transmitted, 0 packets received, 100.0% packet loss" in got.out


def test_a_partial_write_is_told(box):
    serve = box.stack.serve
    box.stack.serve = lambda op, args: 9 if op == "sendto" else serve(op, args)
    got = box.sh("ping -c 1 10.0.0.2")
    assert got.err == "ping: wrote 10.0.0.2 84 chars, ret=9\n"


def test_an_error_from_a_router_is_a_line(box):
    def unreachable(packet):
        error = icmp_build(3, 1, 0, packet[:28])
        return [(0x0A0000FE, ip_build(error, src=0x0A0000FE, dst=HERE, proto=1))]

    box.write("/etc/hosts", "10.0.0.254 gate\n")
    box.stack.answer = unreachable
    got = box.sh("ping -c 1 10.0.1.2")
    assert (
        "36 bytes from gate (10.0.0.254): Destination Host Unreachable for icmp_seq=0\n" in got.out
    )
    assert got.status == 2


def test_audible_and_flood_exclude_each_other(box):
    got = box.sh("ping -a -f -c 3 10.0.0.2")
    assert got.err == "ping: Sorry, no audible output for flood pings\n"
    assert box.sh("ping -a -c 2 10.0.0.2").err == "\a\a"


def test_a_flood_of_a_thousand_takes_as_long_as_its_answers(box, world):
    got = box.sh("ping -f -c 1000 10.0.0.2")
    assert "1000 packets transmitted, 1000 packets received, 0.0% packet loss\n" in got.out
    assert world.now == pytest.approx(1000 * 0.0005, rel=0.01)


def test_an_interrupt_prints_the_statistics(box, world):
    job = box.spawn("ping 10.0.0.2")
    world.run(3.25)
    job.interrupt()
    got = job.result()
    assert got.out.endswith(
        "4 packets transmitted, 4 packets received, 0.0% packet loss\n"
        "round-trip min/avg/max/stddev = 0.500/0.500/0.500/0.000 ms\n"
    )
    assert got.status == 0


def test_losing_patience_with_an_endless_ping_is_an_interrupt(box, world):
    got = box.sh("ping 10.0.0.2", timeout=2.5)
    assert "3 packets transmitted, 3 packets received" in got.out
    assert world.now == 2.5


def test_a_quit_signal_prints_a_summary_and_it_goes_on(box, world):
    job = box.spawn("ping -c 3 10.0.0.2")
    world.run(1.5)
    job.signal("SIGQUIT")
    lines = job.result().out.splitlines()
    assert lines[3] == "2 packets transmitted, 2 packets received, 0.0% packet loss"
    assert lines[5].startswith("64 bytes from 10.0.0.2: icmp_seq=2 ")


def test_the_stack_dies_and_ping_says_so(box, world):
    job = box.spawn("ping 10.0.0.2")
    world.run(1.5)
    box.power_cut()
    got = job.result()
    assert "ping: recvfrom: No such process\n" in got.err
    assert "----10.0.0.2 PING Statistics----" in got.out


@given(st.text(max_size=12))
def test_numbers_never_escape(text):
    for read in (strtol, strtod):
        value = read(text)
        assert value is None or value == value


@pytest.mark.parametrize(
    ("text", "value"),
    [("+5", 5), ("0x1F", 31), ("017", 15), ("08", None), ("0x", None), ("- 5", None), ("٣", None)],
)
def test_integers_are_strtols(text, value):
    assert strtol(text) == value


WORDS = st.lists(
    st.sampled_from(["-c", "-i", "-s", "-p", "-w", "-T", "-t", "-l", "-I", "-g", "-h", "-E", "--"])
    | st.sampled_from(["1", "0", "10.0.0.2", "-1", "0x10", "ff", "-q", "-fR", "localhost", ""])
    | st.text(max_size=6),
    max_size=6,
)


@settings(max_examples=150, deadline=None)
@example(words=["-h", ""])
@given(WORDS)
def test_arbitrary_words_never_escape(words):
    with World(seed=1) as made:
        box = made.box("A")
        box.attach("", EchoStack(made.clock))
        ctx = box.ctx("ping")
        # Everything that is not wrong ends by itself.
        assert cmds.ping.main(["-w", "3", *words], ctx) in (0, 1, 2)


def test_the_man_page_tells_every_option():
    here = os.path.dirname(os.path.abspath(__file__))
    with open(os.path.join(here, "../../man/man8/ping.8"), encoding="utf-8") as file:
        page = file.read()
    for param in cmds.ping.run.params:
        for name in param.opts:
            if name.startswith("-"):
                assert f".It Fl {name[1:]}" in page, name


# The process at the other end of this test: ping with the real clock and signals, and a stack in it.
CHILD = """
import sys
from libnet.addr import SockaddrIn
from libnet.libsocket.ctx import Ctx
from libnet.libsocket.transport import LocalTransport
from libnet.loop.host import RealHost
import cmds.ping, os

def serve(op, args):
    if op == "sendto":
        os.write(1, b"sent\\n")
        return len(args[0])
    return None

class Waiting(LocalTransport):
    reader, writer = os.pipe()
    def fileno(self):
        return self.reader

ctx = Ctx("ping", stdin=sys.stdin, stdout=sys.stdout, stderr=sys.stderr,
          environ={"IOPKT_BOX": "x"}, host=RealHost(), connect=lambda prefix: Waiting(serve))
sys.exit(cmds.ping.main(["127.0.0.1"], ctx))
"""


@pytest.mark.processes
def test_real_signals_reach_a_real_ping():
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=root,
        text=True,
        env={**os.environ, "PYTHONPATH": root},
    )
    with child:
        assert child.stdout is not None
        # Its first request is out, so it is waiting or about to.
        while child.stdout.readline() != "sent\n":
            assert child.poll() is None, child.stderr.read()
        child.send_signal(signal.SIGUSR1)
        while "packets transmitted" not in (line := child.stdout.readline()):
            assert line
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=60)
    assert "PING Statistics----" in out
    assert err == ""
    assert child.returncode == 2
