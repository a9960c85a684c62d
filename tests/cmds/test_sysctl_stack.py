"""sysctl and netstat on a whole stack, and sysctl(7) against what that stack has."""

from __future__ import annotations

import io
import random
import re
from pathlib import Path

import pytest

from cmds.netstat import main as netstat
from cmds.sysctl import main as sysctl
from libnet.clock import Clock
from libnet.engine.kern.socket import Cred
from libnet.engine.stack import Stack
from libnet.iopkt.syscall import Proc
from libnet.libsocket.box import BoxPaths
from libnet.libsocket.ctx import Ctx
from libnet.libsocket.transport import LocalTransport

PAGE = Path(__file__).parents[2] / "man/man7/sysctl.7"


class Manager:
    def __init__(self, stack):
        self.stack = stack


class Box:
    def __init__(self, root):
        self.stack = Stack(Clock(0.0, 1.7e9), random.Random(1))
        self.paths = BoxPaths(str(root), "A")

    def connect(self, prefix):
        return LocalTransport(Proc(Manager(self.stack), Cred()).serve, codec=True)

    def sh(self, program, *argv):
        out, err = io.StringIO(), io.StringIO()
        ctx = Ctx(
            program.name,
            stdin=io.StringIO(),
            stdout=out,
            stderr=err,
            environ={},
            host=None,
            box=self.paths,
            connect=self.connect,
        )
        status = program(list(argv), ctx)
        assert (status, err.getvalue()) == (0, "")
        return out.getvalue()


@pytest.fixture
def box(tmp_path):
    return Box(tmp_path)


def test_the_guides_grep_finds_three_lines_in_order(box):
    lines = box.sh(sysctl, "-a").splitlines()
    assert [line for line in lines if "do_loopback_cksum" in line] == [
        "net.inet.ip.do_loopback_cksum = 0",
        "net.inet.tcp.do_loopback_cksum = 0",
        "net.inet.udp.do_loopback_cksum = 0",
    ]


def test_forwarding_is_switched_live(box):
    assert box.sh(sysctl, "-w", "net.inet.ip.forwarding", "=", "1") == (
        "net.inet.ip.forwarding: 0 -> 1\n"
    )
    assert box.stack.ip.forwarding == 1


def _page():
    """Return what the page says of each name; those of radios are of a box that has one."""
    items = re.findall(r"^\.It Va (\S+) Pq (.*)$", PAGE.read_text(), re.MULTILINE)
    return {name: text for name, text in items if ".vapN." not in name}


def test_the_page_lists_every_leaf_with_its_first_value(box):
    page = _page()
    values = {}
    for line in box.sh(sysctl, "-a", "-x").splitlines():
        name, _, _ = line.partition(" = ")
        values[name] = box.sh(sysctl, "-n", name).strip()
    values["kern.hostname"] = "the box's name"
    shown = {name: text for name, text in page.items() if text not in ("structure", "node")}
    values.pop("kern.boottime", None)
    values = {n: v for n, v in values.items() if page.get(n) not in ("structure", "node")}
    assert shown == values


def test_the_page_lists_every_structure(box):
    page = _page()
    tree = box.sh(sysctl, "-M")
    structures = re.findall(r"^(\S+) \(\S+\): CTLTYPE_STRUCT", tree, re.MULTILINE)
    assert sorted(structures) == sorted(n for n, text in page.items() if text == "structure")


def test_every_node_of_the_stack_is_described(box):
    tree = re.findall(r"^(\S+) \(\S+\): CTLTYPE", box.sh(sysctl, "-M"), re.MULTILINE)
    described = box.sh(sysctl, "-Ad")
    assert len(tree) > 60
    for name in tree:
        assert re.search(rf"^{re.escape(name)}: (?!\(no)", described, re.MULTILINE), name


def test_netstat_of_a_stack_that_was_just_started(box):
    assert box.sh(netstat, "-in").splitlines()[1:] == [
        "lo0   33192 <Link>                                 0     0        0     0     0",
        "lo0   33192 127/8         127.0.0.1                0     0        0     0     0",
    ]
    assert box.sh(netstat, "-an") == ""
    assert "127.0.0.1          127.0.0.1          UH " in box.sh(netstat, "-rn")
    heads = [line for line in box.sh(netstat, "-s").splitlines() if not line.startswith("\t")]
    assert heads == ["ip:", "icmp:", "igmp:", "tcp:", "udp:", "arp:"]
    assert box.sh(netstat, "-m").startswith("0 mbufs in use:\n")
    assert box.sh(netstat, "-q").startswith("ipintrq:\n")


def test_netstat_shows_a_udp_socket(box):
    from libnet.addr import SockaddrIn

    so = box.stack.socreate(2, 2, 0, Cred())
    so.bind(SockaddrIn(0x7F000001, 68))
    assert "udp        0      0  127.0.0.1.68           *.*     " in box.sh(netstat, "-n")


def test_netstat_shows_the_groups_of_an_interface(box):
    box.stack.igmp.in_addmulti(0xE0000005, box.stack.ifunit("lo0"))
    out = box.sh(netstat, "-ian")
    assert f"\n{'':25} 224.0.0.5 " in out
