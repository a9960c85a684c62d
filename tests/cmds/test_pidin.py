"""pidin: a stack's threads as the guide shows them, and real processes of a box."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cmds.pidin import main
from libnet.errors import NetError
from libnet.lab.procs import Finder, ancestors, our_program
from libnet.lab.world import World, ensure_box
from libnet.libsocket.ctx import Ctx
from libnet.libsocket.transport import LocalTransport

PS = {
    "pid": 4100,
    "path": "sbin/io-pkt-v4-hc",
    "argv": ["io-pkt-v4-hc", "-d", "asix"],
    "threads": [
        {"tid": 1, "name": "io-pkt main", "priority": 21, "state": "SIGWAITINFO", "blocked": ""},
        {"tid": 2, "name": "io-pkt#0x00", "priority": 21, "state": "RECEIVE", "blocked": 1},
        {"tid": 3, "name": "asixx Rx", "priority": 50, "state": "RECEIVE", "blocked": 22},
    ],
    "modules": ["devnp-asix.so", "devnp-shim.so"],
}
CARDS = [{"irq": 11, "ifname": "en0"}, {"irq": 9, "ifname": "en1"}]


class Host:
    dice = None

    def __init__(self, rounds=0):
        self.rounds = rounds

    def now(self):
        return 1000.0

    def wall(self):
        return 1000.0

    def sleep(self, seconds):
        if not self.rounds:
            raise SystemExit(0)
        self.rounds -= 1


@pytest.fixture
def box(tmp_path):
    paths = World(str(tmp_path)).box("BoxA")
    ensure_box(paths)
    return paths


def serve(op, _args):
    return {"ps": PS, "pci": CARDS}.get(op)


def run(box, *argv, simulated=True, connect=None, host=None):
    """Run; a simulated box has no processes of the host."""
    out, err = io.StringIO(), io.StringIO()
    ctx = Ctx(
        "pidin",
        stdin=io.StringIO(),
        stdout=out,
        stderr=err,
        environ={},
        box=box,
        host=host or Host(),
        services=box if simulated else None,
        connect=connect or (lambda prefix: LocalTransport(serve)),
    )
    return main(list(argv), ctx), out.getvalue(), err.getvalue()


THREADS = """\
     pid name               thread name          STATE       Blocked
    4100 sbin/io-pkt-v4-hc  io-pkt main          SIGWAITINFO
    4100 sbin/io-pkt-v4-hc  io-pkt#0x00          RECEIVE     1
    4100 sbin/io-pkt-v4-hc  asixx Rx             RECEIVE     22
"""


@pytest.mark.parametrize("word", ["thread", "threads", "th"])
def test_the_guides_example(box, word):
    assert run(box, "-p", "io-pkt-v4", word) == (0, THREADS, "")


def test_the_default_shows_priorities(box):
    assert run(box)[1] == (
        "     pid tid name               prio STATE       Blocked\n"
        "    4100   1 sbin/io-pkt-v4-hc   21r SIGWAITINFO\n"
        "    4100   2 sbin/io-pkt-v4-hc   21r RECEIVE     1\n"
        "    4100   3 sbin/io-pkt-v4-hc   50r RECEIVE     22\n"
    )


def test_arguments_interrupts_and_modules(box):
    assert run(box, "ar")[1] == "     pid Arguments\n    4100 io-pkt-v4-hc -d asix\n"
    assert "       0 0x0000000b en0\n       1 0x00000009 en1\n" in run(box, "irqs")[1]
    assert "         devnp-shim.so" in run(box, "me")[1]


def test_formats(box):
    assert run(box, "-F", "%a %4b %30N")[1].splitlines()[1] == ("    4100    1 sbin/io-pkt-v4-hc")
    assert run(box, "-fabh", "-p4100")[1].splitlines()[3] == "    4100   3 asixx Rx"
    assert run(box, "-f", "aT")[1].splitlines()[1] == "    4100       3"
    assert "  devnp-shim.so" in run(box, "-M", "%o", "-F", "%M")[1]


def test_a_full_name_is_not_a_beginning(box):
    def both(prefix):
        two = {**PS, "pid": 4200, "path": "sbin/io-pkt-v4"}
        return LocalTransport(lambda op, _a: {"ps": two, "pci": []}.get(op))

    assert run(box, "-p", "io-pkt-v4", "-F%a", connect=both)[1] == "     pid\n    4200\n"


def test_looping_prints_again(box):
    out = run(box, "-l", "-d", "5", "arg", host=Host(rounds=2))[1]
    assert out.count("Arguments") == 3


def test_information(box):
    out = run(box, "info")[1]
    assert re.match(
        r"CPU:\S+ Release:\S+ FreeMem:\d+Mb/\d+Mb BootTime:Jan 01 00:00:00 GMT 1970\n"
        r"Processes: 1, Threads: 3\nProcessor1: ",
        out,
    )
    assert run(box, "net")[1].startswith("BoxA ")


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        (("-p", "nothing"), "pidin: nothing: no such process\n"),
        (("-p", "77"), "pidin: 77: no such process\n"),
        (("s",), "pidin: s: could be sched, sess, sig, syspage\n"),
        (("frob",), "pidin: frob: unknown shorthand\n"),
        (("regs",), "pidin: regs: Function not implemented\n"),
        (("-f", "K"), "pidin: %K: Function not implemented\n"),
        (("-f", "~"), "pidin: %~: unknown format\n"),
        (("-F", "abc"), "pidin: abc: not a format\n"),
        (("-M", "%q"), "pidin: %q: unknown memory format\n"),
        (("-d", "0"), "pidin: -d 0: not a number above 0\n"),
        (("-n", "elsewhere"), "pidin: -n elsewhere: no such node\n"),
    ],
)
def test_errors(box, argv, text):
    assert run(box, *argv)[::2] == (1, text)


def test_usage(box):
    assert run(box, "-h")[:2] == (0, run(box, "-z")[2].split("\n", 1)[1])


@given(st.lists(st.text(max_size=12), max_size=4))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_words_break_it(box, words):
    assert run(box, "--", *words)[0] in (0, 1)
    assert run(box, "-F", "".join(words))[0] in (0, 1)


def test_without_a_stack_there_is_only_the_heading(box):
    def nobody(prefix):
        raise NetError("EAFNOSUPPORT")

    assert run(box, "arg", connect=nobody) == (0, "     pid Arguments\n", "")


@pytest.mark.processes
def test_real_processes_of_the_box_and_their_children_are_found(box):
    """One is told by its environment, its child by its parent; another box's is not shown."""
    code = "import subprocess; subprocess.run(['sh', '-c', 'echo up; read x'])"
    mine = {"IOPKT_WORLD": box.world, "IOPKT_BOX": "BoxA", "PATH": os.environ["PATH"]}
    pipe = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with (
        subprocess.Popen([sys.executable, "-c", code], env=mine, **pipe) as one,
        subprocess.Popen(
            [sys.executable, "-c", code], env=mine | {"IOPKT_BOX": "BoxB"}, **pipe
        ) as other,
    ):
        assert one.stdout.readline() == other.stdout.readline() == "up\n"
        found = {p.pid: p for p in Finder(box, dict(os.environ)).find()}
        assert one.pid in found
        assert other.pid not in found
        child = next(p for p in found.values() if p.ppid == one.pid)
        assert child.argv[:2] == ["sh", "-c"]

        def nobody(prefix):
            raise NetError("EAFNOSUPPORT")

        def look(*argv):
            return run(box, *argv, simulated=False, connect=nobody)[1]

        assert f"{one.pid:8d} " in look("arg")
        assert len(look("-P", str(one.pid), "-F", "%a").splitlines()) == 3
        for word in (
            "env",
            "fam",
            "fds",
            "flags",
            "map",
            "mem",
            "pmem",
            "rmasks",
            "sched",
            "sess",
            "sig",
            "times",
            "ttimes",
            "user",
            "info",
        ):
            assert str(one.pid) in look(word) or word == "info"
        assert "IOPKT_BOX=BoxA" in look("env")
        one.stdin.write("\n")
        other.stdin.write("\n")


def test_our_own_line_of_descent():
    line = ancestors(os.getpid())
    assert {os.getpid(), os.getppid(), 1} <= line


@pytest.mark.parametrize(
    ("argv", "name"),
    [
        (["/v/bin/python3", "/v/bin/slogger", "-v"], "slogger"),
        (["/v/bin/python3.12", "/v/bin/vim"], ""),
        (["/bin/ping", "x"], ""),
        (["python3", "ping"], ""),
        ([], ""),
    ],
)
def test_what_is_one_of_our_programs(argv, name):
    assert our_program(argv) == name
