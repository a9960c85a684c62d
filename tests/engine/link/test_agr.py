"""agr(4): two boxes, two or three cables, and everything that can happen to them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libnet.engine.link.agr import LONG_TIMEOUT_S, SHORT_TIMEOUT_S, distribution
from libnet.lab.memory import World
from libnet.wire import lacp
from libnet.wire.lacp import SLOW_ETHERADDR, Lacpdu, marker_build

BOTH = "flags=0x3<COLLECTING,DISTRIBUTING>"


def ok(box, line):
    got = box.sh(line)
    assert (got.err, got.status) == ("", 0), line
    return got.out


def fails(box, line):
    got = box.sh(line)
    assert got.status == 1
    return got.err


def make(world, name, cables=2, *, lacp_too=True, number=1):
    box = world.box(name, nic=[f"i82544:lan{n}" for n in range(cables)])
    ok(box, "io-pkt-v4-hc -d i82544")
    if lacp_too:
        ok(box, "ifconfig agr0 create")
        for n in range(cables):
            ok(box, f"ifconfig agr0 agrport wm{n}")
        ok(box, f"ifconfig agr0 10.0.0.{number}/24")
    return box


@pytest.fixture
def pair():
    with World(seed=5) as world:
        a = make(world, "A")
        b = make(world, "B", number=2)
        world.run(5)
        yield world, a, b


def ports(box):
    return [line.strip() for line in ok(box, "ifconfig agr0").splitlines() if "agrport" in line]


def test_two_links_become_one(pair):
    _world, a, b = pair
    for box in (a, b):
        assert ports(box) == [f"agrport: wm0, {BOTH}", f"agrport: wm1, {BOTH}"]
    assert "3 packets received" in ok(a, "ping -c 3 10.0.0.2")
    out = ok(a, "ifconfig agr0")
    assert out.startswith("agr0: flags=8843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST> mtu 1500\n")
    lladdr = a.stack.ifunit("agr0").lladdr
    assert [a.stack.ifunit(f"wm{n}").lladdr for n in (0, 1)] == [lladdr] * 2
    # As standard as it can be when everything is told: one LACPDU in 30 seconds on each.
    before = a.stack.stats["agr"]["txlacpdu"]
    pair[0].run(300)
    assert a.stack.stats["agr"]["txlacpdu"] - before == 20


def test_one_conversation_stays_on_one_link_and_many_use_both(pair):
    _world, a, _b = pair
    frame = b"\2\0\0\0\0\1\2\0\0\0\0\2\x08\x00\x45" + bytes(8) + b"\x11" + bytes(10)
    assert distribution(frame + b"one") == distribution(frame + b"other")
    used = {distribution(frame[:26] + bytes((n,)) + frame[27:]) % 2 for n in range(16)}
    assert used == {0, 1}
    agr = a.stack.ifunit("agr0")
    before = [a.stack.ifunit(f"wm{n}").opackets for n in (0, 1)]
    agr.flags |= 0x1000  # link0: turn about
    for _ in range(10):
        agr.enqueue(frame)
    after = [a.stack.ifunit(f"wm{n}").opackets for n in (0, 1)]
    assert [new - old for new, old in zip(after, before, strict=True)] == [5, 5]


def test_a_cable_that_is_pulled_costs_nothing_but_its_rate(pair):
    world, a, b = pair
    segment = world.segment("lan0")
    for port in segment.ports:
        port.set_carrier(False)
    assert ports(a) == ["agrport: wm0, flags=0", f"agrport: wm1, {BOTH}"]
    assert "3 packets received" in ok(a, "ping -c 3 10.0.0.2")
    for port in segment.ports:
        port.set_carrier(True)
    world.run(5)
    assert ports(b) == [f"agrport: wm0, {BOTH}", f"agrport: wm1, {BOTH}"]


def test_a_peer_that_falls_silent_is_given_up_after_its_timeouts(pair):
    world, a, b = pair
    b.power_cut()
    world.run(LONG_TIMEOUT_S - 40)
    assert a.stack.ifunit("agr0").link_state == 2
    world.run(40 + SHORT_TIMEOUT_S + 5)
    states = [port.state for port in a.stack.agrs.list[a.stack.ifunit("agr0")].ports.values()]
    assert all(state & lacp.LACP_DEFAULTED for state in states)
    # Alone, one port carries on: the other end may know no LACP.
    assert ports(a) == [f"agrport: wm0, {BOTH}", "agrport: wm1, flags=0"]


def test_a_peer_without_lacp_gets_one_link():
    with World(seed=5) as world:
        a = make(world, "A")
        b = make(world, "B", lacp_too=False)
        ok(b, "ifconfig wm0 10.0.0.2/24")
        world.run(10)
        assert ports(a) == [f"agrport: wm0, {BOTH}", "agrport: wm1, flags=0"]
        assert "2 packets received" in ok(a, "ping -c 2 10.0.0.2")


def test_of_two_peers_the_one_with_more_links_is_chosen():
    with World(seed=5) as world:
        a = make(world, "A", 3)
        b = world.box("B", nic=["i82544:lan1", "i82544:lan2"])
        c = world.box("C", nic=["i82544:lan0"])
        for box, count in ((b, 2), (c, 1)):
            ok(box, "io-pkt-v4-hc -d i82544")
            ok(box, "ifconfig agr0 create")
            for n in range(count):
                ok(box, f"ifconfig agr0 agrport wm{n}")
        world.run(8)
        assert ports(a) == [
            "agrport: wm0, flags=0",
            f"agrport: wm1, {BOTH}",
            f"agrport: wm2, {BOTH}",
        ]


def test_a_cable_between_two_of_our_own_ports_is_noticed():
    with World(seed=5) as world:
        box = world.box("A", nic=["i82544:lan0", "i82544:lan0"])
        ok(box, "io-pkt-v4-hc -d i82544")
        ok(box, "ifconfig agr0 create")
        for n in (0, 1):
            ok(box, f"ifconfig agr0 agrport wm{n}")
        world.run(10)
        assert box.stack.stats["agr"]["rxown"] > 0
        assert len([line for line in ports(box) if BOTH in line]) == 1


def test_adding_and_removing_ports(pair):
    world, a, _b = pair
    own = a.stack.ifunit("wm1").agr.ports[a.stack.ifunit("wm1")].origlladdr
    assert fails(a, "ifconfig agr0 agrport wm0") == "ifconfig: SIOCSETAGR: Resource busy\n"
    assert fails(a, "ifconfig agr0 agrport wm9") == (
        "ifconfig: SIOCSETAGR: No such file or directory\n"
    )
    assert fails(a, "ifconfig agr0 agrport agr0") == "ifconfig: SIOCSETAGR: Invalid argument\n"
    assert fails(a, "ifconfig agr0 agrport lo0") == "ifconfig: SIOCSETAGR: Protocol not supported\n"
    assert fails(a, "ifconfig agr0 destroy") == "ifconfig: SIOCIFDESTROY: Resource busy\n"
    assert a.sh("ifconfig wm0 10.7.0.1/24").err == "ifconfig: SIOCAIFADDR: Resource busy\n"
    ok(a, "ifconfig bridge0 create")
    assert fails(a, "brconfig bridge0 add wm0") == "brconfig: add wm0: Resource busy\n"
    ok(a, "ifconfig agr0 -agrport wm1")
    assert a.stack.ifunit("wm1").lladdr == own
    assert fails(a, "ifconfig agr0 -agrport wm1") == (
        "ifconfig: SIOCSETAGR: No such file or directory\n"
    )
    assert "2 packets received" in ok(a, "ping -c 2 10.0.0.2")
    ok(a, "ifconfig wm1 10.7.0.1/24")
    assert fails(a, "ifconfig agr0 agrport wm1") == "ifconfig: SIOCSETAGR: Resource busy\n"
    ok(a, "ifconfig wm1 delete")
    ok(a, "ifconfig wm1 mtu 4000")
    assert fails(a, "ifconfig agr0 agrport wm1") == "ifconfig: SIOCSETAGR: Invalid argument\n"
    ok(a, "ifconfig wm0 destroy")
    assert ports(a) == []
    assert a.stack.ifunit("agr0").lladdr == b""
    ok(a, "ifconfig agr0 destroy")
    world.run(200)


def test_without_ports_it_takes_no_address():
    with World(seed=5) as world:
        box = world.box("A", nic="i82544:lan0")
        ok(box, "io-pkt-v4-hc -d i82544")
        ok(box, "ifconfig agr0 create")
        assert ok(box, "ifconfig agr0") == "agr0: flags=8802<BROADCAST,SIMPLEX,MULTICAST>\n"
        assert (
            box.sh("ifconfig agr0 10.0.0.1/24").err == "ifconfig: SIOCAIFADDR: Invalid argument\n"
        )


def test_markers_are_answered_and_junk_is_counted(pair):
    world, a, _b = pair
    seen = []
    segment = world.segment("lan0")
    segment.tap(lambda _now, frames: seen.extend(frames))
    probe = segment.plug("probe")
    marker = marker_build(7, b"\2\0\0\0\0\1", 99)
    head = SLOW_ETHERADDR + b"\2\0\0\0\0\x77\x88\x09"
    probe.send(head + marker)
    probe.send(head + b"\1\1junk")
    probe.send(head + b"\2\1junk")
    world.run(0.1)
    assert a.stack.stats["agr"]["rxmarker"] == 1
    assert a.stack.stats["agr"]["rxbad"] == 2
    assert any(frame[14:17] == b"\2\1\2" for frame in seen)


def test_a_flood_of_pdus_draws_three_answers_a_second(pair):
    world, a, _b = pair
    port = next(iter(a.stack.agrs.list[a.stack.ifunit("agr0")].ports.values()))
    world.run(2)
    before = a.stack.stats["agr"]["txlacpdu"]
    stranger = port.actor._replace(system=b"\2\0\0\0\0\x77")
    for _ in range(100):
        port.input(Lacpdu(stranger, stranger).build())
    assert a.stack.stats["agr"]["txlacpdu"] - before <= 6


@settings(max_examples=100, deadline=None)
@given(st.lists(st.binary(max_size=130), max_size=10))
def test_any_octets_at_a_port_are_survived(bodies):
    with World(seed=5) as world:
        box = make(world, "A", 1)
        port = box.stack.ifunit("wm0")
        for body in bodies:
            box.stack.ethernet.input(port, [SLOW_ETHERADDR + b"\2\0\0\0\0\1\x88\x09" + body, body])
        world.run(1)
