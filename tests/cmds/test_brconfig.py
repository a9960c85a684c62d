"""brconfig: on a real stack in virtual time, and its layout and words alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmds.brconfig import USAGE
from cmds.brconfig.keywords import KEYWORDS, strtoul
from cmds.brconfig.show import Status, show
from libnet.ioctl import bridge as b
from libnet.lab.memory import World

PAGE = Path(__file__).parents[2] / "man/man8/brconfig.8"


@pytest.fixture
def box():
    with World(seed=3) as world:
        box = world.box("S", nic=["i82544:lan0", "i82544:lan1"])
        for line in (
            "io-pkt-v4-hc -d i82544",
            "ifconfig wm0 up",
            "ifconfig wm1 up",
            "ifconfig bridge0 create",
        ):
            assert box.sh(line) == ("", "", 0)
        yield box


def ok(box, line):
    got = box.sh(line)
    assert (got.err, got.status) == ("", 0)
    return got.out


def fails(box, line):
    got = box.sh(line)
    assert (got.out, got.status) == ("", 1)
    return got.err


def test_the_guides_session(box):
    assert ok(box, "brconfig bridge0 add wm0 add wm1 up") == ""
    assert ok(box, "brconfig bridge0") == (
        "bridge0: flags=41<UP,RUNNING>\n"
        "\tConfiguration:\n"
        "\t\tpriority 32768 hellotime 2 fwddelay 15 maxage 20\n"
        "\tInterfaces:\n"
        "\t\twm1 flags=3<LEARNING,DISCOVER>\n"
        "\t\t\tport 3 priority 128\n"
        "\t\twm0 flags=3<LEARNING,DISCOVER>\n"
        "\t\t\tport 2 priority 128\n"
        "\tAddress cache (max cache: 100, timeout: 1200):\n"
    )
    assert ok(box, "ifconfig wm0").startswith(
        "wm0: flags=8943<UP,BROADCAST,RUNNING,PROMISC,SIMPLEX,MULTICAST> mtu 1500\n"
    )
    assert ok(box, "ifconfig bridge0") == "bridge0: flags=41<UP,RUNNING> mtu 1500\n"


def test_a_new_bridge_is_down_and_empty(box):
    assert ok(box, "brconfig -a") == (
        "bridge0: flags=0<>\n"
        "\tConfiguration:\n"
        "\t\tpriority 32768 hellotime 2 fwddelay 15 maxage 20\n"
        "\tInterfaces:\n"
        "\tAddress cache (max cache: 100, timeout: 1200):\n"
    )


def test_two_hosts_talk_through_the_bridge_and_are_listed(box):
    world = box.world
    for name, lan, addr in (("A", "lan0", "10.0.0.1"), ("B", "lan1", "10.0.0.2")):
        host = world.box(name, nic=f"i82544:{lan}")
        ok(host, "io-pkt-v4-hc -d i82544")
        ok(host, f"ifconfig wm0 {addr}/24")
    ok(box, "brconfig bridge0 add wm0 add wm1 up")
    out = ok(world.box("A"), "ping -c 3 10.0.0.2")
    assert "3 packets transmitted, 3 packets received" in out
    # With an address of its own, the box is reached from both sides (the guide's management host).
    ok(box, "ifconfig wm0 10.0.0.3/24")
    for name in ("A", "B"):
        assert "2 packets received" in ok(world.box(name), "ping -c 2 10.0.0.3")
    world.run(13)
    lines = ok(box, "brconfig bridge0 addr").splitlines()
    assert len(lines) == 2
    for line, member in zip(lines, ("wm1", "wm0"), strict=True):
        assert re.fullmatch(
            rf"\t([0-9a-f]{{2}}:){{5}}[0-9a-f]{{2}} {member} 11\d\d flags=0<>", line
        )
    mac = lines[0].split()[0]
    ok(box, f"brconfig bridge0 deladdr {mac}")
    assert mac not in ok(box, "brconfig bridge0 addr")
    ok(box, "brconfig bridge0 flush")
    assert ok(box, "brconfig bridge0 addr") == ""
    assert "addresses learned" in ok(box, "netstat -p bridge")


def test_every_parameter_is_set_and_shown(box):
    ok(
        box,
        "brconfig bridge0 add wm0 add wm1 stp wm0 -learn wm1 -discover wm1 maxaddr 0x20 timeout 010"
        " hellotime 1 fwddelay 4 maxage 6 priority 0 ifpriority wm0 1 ifpathcost wm0 19"
        " static wm1 2:0:0:0:0:1 up",
    )
    box.world.run(20)
    assert ok(box, "brconfig bridge0") == (
        "bridge0: flags=41<UP,RUNNING>\n"
        "\tConfiguration:\n"
        "\t\tpriority 0 hellotime 1 fwddelay 4 maxage 6\n"
        "\tInterfaces:\n"
        "\t\twm1 flags=0<>\n"
        "\t\t\tport 3 priority 128\n"
        "\t\twm0 flags=7<LEARNING,DISCOVER,STP>\n"
        "\t\t\tport 2 priority 1 path cost 19 forwarding\n"
        "\tAddress cache (max cache: 32, timeout: 8):\n"
        "\t\t02:00:00:00:00:01 wm1 0 flags=1<STATIC>\n"
    )
    ok(box, "brconfig bridge0 -stp wm0 learn wm1 discover wm1 flushall ipf -ipf")
    assert "STATIC" not in ok(box, "brconfig bridge0")


def test_up_and_down_come_last_whatever_their_place(box):
    got = box.sh("brconfig bridge0 up add wm9")
    assert (got.err, got.status) == ("brconfig: add wm9: No such file or directory\n", 1)
    assert ok(box, "brconfig bridge0").startswith("bridge0: flags=0<>\n")
    ok(box, "brconfig bridge0 up down add wm0")
    assert ok(box, "brconfig bridge0").startswith("bridge0: flags=0<>\n")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("wm0", "wm0 is not a bridge"),
        ("bridge", "bridge is not a bridge"),
        ("bridge7", "unable to get interface flags: No such device or address"),
        ("bridge0 frobnicate", "unknown command: frobnicate"),
        ("bridge0 add", "command add requires 1 argument"),
        ("bridge0 static wm0", "command static requires 2 arguments"),
        ("bridge0 add lo0", "add lo0: Invalid argument"),
        ("bridge0 add bridge0", "add bridge0: Invalid argument"),
        ("bridge0 delete wm0", "delete wm0: No such file or directory"),
        ("bridge0 learn wm0", "unable to get bridge flags: No such file or directory"),
        ("bridge0 maxaddr ten", "maxaddr: invalid value: ten"),
        ("bridge0 maxaddr -1", "maxaddr: invalid value: -1"),
        ("bridge0 maxaddr 0x100000000", "maxaddr: invalid value: 0x100000000"),
        ("bridge0 priority 65536", "priority: invalid value: 65536"),
        ("bridge0 hellotime 256", "hellotime: invalid value: 256"),
        ("bridge0 hellotime 0", "hellotime 0: Invalid argument"),
        ("bridge0 static wm0 1:2:3", "static: invalid address: 1:2:3"),
        ("bridge0 deladdr nonsense", "deladdr: invalid address: nonsense"),
        ("bridge0 deladdr 2:0:0:0:0:9", "deladdr 2:0:0:0:0:9: No such file or directory"),
        ("bridge0 static wm0 2:0:0:0:0:9", "static wm0 2:0:0:0:0:9: No such file or directory"),
        ("bridge0 ifpriority wm0 7", "ifpriority wm0: No such file or directory"),
        ("bridge0 ifpathcost wm0 300", "ifpathcost: invalid value: 300"),
    ],
)
def test_mistakes_are_told_as_the_original_tells_them(box, words, message):
    assert fails(box, f"brconfig {words}") == f"brconfig: {message}\n"


def test_a_member_of_one_bridge_is_refused_by_another(box):
    ok(box, "brconfig bridge0 add wm0")
    ok(box, "ifconfig bridge1 create")
    assert fails(box, "brconfig bridge1 add wm0") == "brconfig: add wm0: Resource busy\n"
    assert fails(box, "brconfig bridge0 add wm0") == "brconfig: add wm0: File exists\n"
    ok(box, "ifconfig wm1 mtu 8100")
    assert fails(box, "brconfig bridge0 add wm1") == "brconfig: add wm1: Invalid argument\n"
    assert box.sh("ifconfig wm0 mtu 1400").err == "ifconfig: SIOCSIFMTU: Invalid argument\n"


@pytest.mark.parametrize("words", ["", "-a bridge0", "-x"])
def test_the_usage(box, words):
    err = fails(box, f"brconfig {words}")
    assert err.endswith(USAGE)
    assert len(USAGE.splitlines()) == 22
    assert USAGE.startswith("usage: brconfig -a\n       brconfig <bridge>\n")


def test_without_a_stack_it_says_so():
    with World(seed=1) as world:
        got = world.box("E").sh("brconfig -a")
        assert got.status == 1
        assert got.err == "brconfig: socket: Address family not supported by protocol family\n"


def test_the_reduced_variant_refuses_bridges():
    with World(seed=1) as world:
        box = world.box("V", nic="i82544:lan0")
        ok(box, "io-pkt-v4 -d i82544")
        got = box.sh("ifconfig bridge0 create")
        assert (got.err, got.status) == ("ifconfig: SIOCIFCREATE: Invalid argument\n", 1)
        assert ok(box, "brconfig -a") == ""


def test_the_states_have_names_and_others_numbers():
    status = Status("bridge0")
    status.members = [b.IfbReq(f"wm{n}", 4, n, 128, 55, n) for n in range(6)]
    lines = show(status).splitlines()
    words = [line.split(" path cost 55 ")[1] for line in lines if "path cost" in line]
    assert words == [
        "disabled",
        "listening",
        "learning",
        "forwarding",
        "blocking",
        "<unknown state 5>",
    ]


def test_every_command_is_in_the_page():
    known = set(re.findall(r"[-\w]+", PAGE.read_text()))
    assert {word for word in KEYWORDS if word not in known} == set()


@given(st.text(max_size=12))
def test_any_text_is_a_number_or_none(text):
    value = strtoul(text)
    assert value is None or isinstance(value, int)
