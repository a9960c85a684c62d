"""ifwatchd: scripts called for what happens to interfaces."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libnet.addr import SockaddrDl, SockaddrIn
from libnet.lab.memory import World
from libnet.lab.play import Player
from libnet.proto.ifwatch import Watcher
from libnet.wire.rtsock import (
    RTM_NEWADDR,
    BadRtMessage,
    IfaMsg,
    IfMsg,
    IfStats,
    RtAddrs,
    unpack_all,
)

ALL = "-A /tmp/A -D /tmp/D -u /tmp/u -d /tmp/d -c /tmp/c -n /tmp/n"


@pytest.fixture
def box():
    with World(seed=3) as world:
        made = world.box("A", nic="i82544:l0")
        made.sh("io-pkt-v4-hc -d i82544")
        for name in "ADudcn":
            made.write(f"/tmp/{name}", f"echo {name} $1 $2 $3 $4 $5 $# >> /tmp/out\n")
        yield made


def happens(box, command):
    """Return what the scripts write after *command*."""
    assert box.sh(command).status == 0
    box.world.run(1)
    return box.sh("cat /tmp/out; rm -f /tmp/out").out.splitlines()


def test_each_event_calls_its_script(box):
    assert box.sh(f"ifwatchd {ALL} wm0 'vlan0 vlan1'") == ("", "", 0)
    assert happens(box, "true") == ["A wm0 /dev/null 9600 5"]
    assert happens(box, "ifconfig wm0 10.0.0.1/24") == [
        "c wm0 /dev/null 9600 5",
        "u wm0 /dev/null 9600 10.0.0.1 10.0.0.255 5",
    ]
    assert happens(box, "ifconfig wm0 delete 10.0.0.1") == [
        "d wm0 /dev/null 9600 10.0.0.1 10.0.0.255 5"
    ]
    assert happens(box, "ifconfig wm0 down") == ["n wm0 /dev/null 9600 5"]
    assert happens(box, "ifconfig vlan0 create") == ["A vlan0 /dev/null 9600 5"]
    assert happens(box, "ifconfig vlan0 destroy") == ["D vlan0 /dev/null 9600 5"]
    assert happens(box, "ifconfig vlan2 create") == []
    log = box.sh("sloginfo").out
    assert "ifwatchd: watching interface vlan1" in log
    assert "ifwatchd: calling: /tmp/u wm0 /dev/null 9600 10.0.0.1 10.0.0.255" in log


def test_what_is_there_at_the_start_is_told_unless_inhibited(box):
    box.sh("ifconfig wm0 10.0.0.1/24")
    box.world.run(1)
    for option, lines in (
        ("-q", ["A wm0", "c wm0", "u wm0"]),
        ("-qi", []),
    ):
        job = box.start_job(
            "w", lambda _out, _err, o=option: box.sh(f"ifwatchd {o} {ALL} wm0").status
        )
        job.result()
        assert [line[:5] for line in happens(box, "true")] == lines
    assert "ifwatchd" not in box.sh("sloginfo").out


def test_the_foreground_tells_what_it_does(box):
    box.sh("ifconfig wm0 10.0.0.1/24")
    result = box.sh("ifwatchd -v -u /tmp/none wm0", timeout=3)
    assert result.out.splitlines() == [
        "up_script: /tmp/none",
        "down_script: (null)",
        "arrival_script: (null)",
        "departure_script: (null)",
        "carrier_script: (null)",
        "no_carrier_script: (null)",
        "verbosity = 1",
        'interface "wm0" has index 2',
        "calling: /tmp/none wm0 /dev/null 9600 10.0.0.1 10.0.0.255",
    ]
    assert result.err == "/tmp/none: No such file or directory\n"
    assert 'could not execute "/tmp/none": No such file or directory' in box.sh("sloginfo").out


def test_the_end_of_the_stack_ends_it(box):
    box.sh(f"ifwatchd {ALL} wm0")
    box.world.run(1)
    assert box.jobs
    box.stop_stack()
    box.world.run(1)
    assert not box.jobs


def test_wrong_usage_and_no_stack(box):
    for line in ("ifwatchd", "ifwatchd -h", "ifwatchd -z wm0"):
        result = box.sh(line)
        assert result.status == 1
        assert "usage:\n\tifwatchd [-hiqv] [-A arrival-script]" in result.err
    box.stop_stack()
    result = box.sh("ifwatchd wm0")
    assert result.status == 1
    assert result.err.startswith("ifwatchd: open routing socket: Address family not supported")


@given(st.binary(max_size=200))
def test_any_octets_from_the_routing_socket_are_no_matter(octets):
    watcher = Watcher(["wm0"], {"up": "/u", "carrier": "/c"}, lambda: {"wm0": 2})
    link = SockaddrDl(index=2, name="wm0", type=6, lladdr=b"\2\0\0\0\0\1")
    stats = IfStats()
    stats.link_state = 2
    whole = IfMsg(index=2, flags=1, data=stats, addrs=RtAddrs(ifp=link)).build()
    whole += IfaMsg(RTM_NEWADDR, index=2, addrs=RtAddrs(ifa=SockaddrIn(1))).build()
    try:
        for msg in unpack_all(whole + octets):
            watcher.input(msg)
    except BadRtMessage:
        return
    assert [call.script for call in watcher.take_calls()][:2] == ["/c", "/u"]


@pytest.mark.processes
def test_a_script_of_the_boxs_runs_as_a_process(tmp_path):
    with Player(os.environ, str(tmp_path / "w")) as player:
        script = "#!/bin/ksh\nprint $1 $4 $5 > /tmp/out.new && mv /tmp/out.new /tmp/out\n"
        assert player("A", f"echo '{script}' > /etc/up; chmod +x /etc/up") == ("", 0)
        assert player("A", "io-pkt-v4-hc -d i82544; ifwatchd -u /etc/up wm0") == ("", 0)
        assert player("A", "ifconfig wm0 10.0.0.1/24; waitfor /tmp/out; cat /tmp/out") == (
            "wm0 10.0.0.1 10.0.0.255\n",
            0,
        )
