"""net.link.ieee80211: names, debugging, timers, nodes."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from libnet.clock import Clock
from libnet.engine.ieee80211 import ieee80211_var as v
from libnet.engine.kern.socket import Cred
from libnet.engine.stack import Stack
from libnet.errors import NetError
from libnet.ioctl.sysctl import CTL_QUERY

ROOT = Cred()
TOP = "net.link.ieee80211"
ALL = [0, 0, 0, 0, 0x6C, 0x7FFFFFFF]


def call(box, name, new=None, tail=()):
    tree = box.stack.sysctl
    return tree.call(tree.mib(f"{TOP}.{name}") + list(tail), new, ROOT)


def test_names_are_those_of_the_original(lab):
    box = lab.box()
    tree = box.stack.sysctl
    names = [n.name for n in tree.call([*tree.mib(TOP), CTL_QUERY], None, ROOT)]
    assert names == ["nodes", "debug", "vap0"]
    names = [n.name for n in tree.call([*tree.mib(f"{TOP}.vap0"), CTL_QUERY], None, ROOT)]
    assert names == [
        "parent",
        "debug",
        "inact_run",
        "inact_probe",
        "inact_auth",
        "inact_init",
        "driver_caps",
        "bmiss_max",
    ]
    assert call(box, "vap0.parent") == "abc0"


def test_a_stack_without_the_layer_has_none_of_them():
    tree = Stack(Clock(), Random(1), variant="v4").sysctl
    assert tree.find(TOP) is None


def test_debugging_has_all_bits_and_goes_to_the_log(lab):
    box = lab.box()
    call(box, "vap0.debug", 0xFFFFFFFF)
    assert call(box, "vap0.debug") == -1
    assert box.ic.debug == 0xFFFFFFFF
    box.be()
    lab.run(1)
    assert "abc0: begin active scan" in box.log()
    call(box, "vap0.debug", 0)
    before = box.log()
    lab.run(20)
    assert box.log() == before


def test_interfaces_begin_with_the_debugging_of_all(lab):
    box = lab.box()
    call(box, "debug", 1)
    assert box.ic.debug == 0
    box.stack.ieee80211.ifdetach(box.ifp)
    with pytest.raises(NetError):
        call(box, "vap0.debug")
    again = box.stack.ieee80211.ifattach(box.ifp, box.radio)
    assert again.debug == 1


def test_timers_are_seconds(lab):
    box = lab.box()
    assert [call(box, f"vap0.inact_{n}") for n in ("run", "probe", "auth", "init")] == [
        300,
        30,
        180,
        30,
    ]
    call(box, "vap0.inact_run", 60)
    assert box.ic.inact_run == 60
    for bad in (0, -1, 65536):
        with pytest.raises(NetError):
            call(box, "vap0.inact_run", bad)
    with pytest.raises(NetError):
        call(box, "vap0.driver_caps", 1)


def test_nodes_are_of_one_interface_or_of_all(lab):
    ap = lab.box().be(v.M_HOSTAP)
    lab.run(3)
    sta = lab.box().be()
    lab.run(5)
    (one,) = call(sta, "nodes", tail=ALL)
    assert (one.macaddr, one.bssid, one.flags, one.essid) == (ap.mac, ap.mac, 5, b"lan")
    assert (one.chan, one.associd, one.ifindex) == (ap.ic.channel, 0xC001, sta.ifp.index)
    assert one.tstamp > 0
    found = call(ap, "nodes", tail=ALL)
    assert [(n.macaddr, n.flags) for n in found] == [(sta.mac, 2), (ap.mac, 1)]
    assert call(ap, "nodes", tail=[ap.ifp.index, *ALL[1:]])[0].macaddr == sta.mac
    assert call(ap, "nodes", tail=[99, *ALL[1:]]) == []
    assert len(call(ap, "nodes", tail=[*ALL[:5], 1])) == 1
    down = lab.box()
    assert call(down, "nodes", tail=ALL) == []


@pytest.mark.parametrize(
    "tail",
    [[], [0], ALL[:5], [*ALL, 0], [0, 1, 0, 0, 1, 1], [0, 0, 1, 0, 1, 1], [0, 0, 0, 1, 1, 1]],
)
def test_other_requests_for_nodes_are_refused(lab, tail):
    with pytest.raises(NetError) as caught:
        call(lab.box(), "nodes", tail=tail)
    assert caught.value.symbol == "EINVAL"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tail=st.lists(st.integers(-10, 10), max_size=8), new=st.none() | st.integers() | st.text())
def test_any_request_for_nodes_is_answered_or_refused(lab, tail, new):
    try:
        call(type(lab)().box(), "nodes", new, tail)
    except NetError:
        return
