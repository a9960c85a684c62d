"""The spanning tree over random topologies, on a clock the test owns."""

from __future__ import annotations

import random

import pytest

from libnet.clock import Clock
from libnet.engine.bridge.bstp import BPDUS_A_TICK, UNIT, Bstp, BstpPort
from libnet.engine.kern.stat import Stat
from libnet.ioctl.bridge import (
    BSTP_IFSTATE_BLOCKING,
    BSTP_IFSTATE_DISABLED,
    BSTP_IFSTATE_FORWARDING,
    BSTP_IFSTATE_LEARNING,
    BSTP_IFSTATE_LISTENING,
)
from libnet.wire.bpdu import BSTP_MSGTYPE_TCN, Bpdu

MAX_AGE_S, FWD_DELAY_S = 20, 15
# A record dies after max age less what its message age says; each tick may come a second late.
CONVERGE_S = MAX_AGE_S + 2 * FWD_DELAY_S + 5


class Bridge:
    """A protocol instance whose ports are ends of links."""

    def __init__(self, net, number, priority=0x8000):
        self.net, self.number = net, number
        self.alive = True
        self.down = set()
        self.where = {}  # port -> link
        self.stat = Stat()
        self.bstp = Bstp(net.clock, self.stat, self.send, self.linked, lambda: None)
        self.bstp.priority = priority

    def plug(self, link):
        port = BstpPort(len(self.where) + 1)
        self.where[port] = link
        self.net.links.setdefault(link, []).append((self, port))
        return port

    def begin(self):
        self.bstp.initialize(list(self.where), bytes((2, 0, 0, 0, 0, self.number)))

    def send(self, port, octets):
        if self.alive:
            self.net.post(self.where[port], self, port, octets)

    def linked(self, port):
        return self.alive and port not in self.down

    def die(self):
        self.alive = False
        self.bstp.stop()


class Net:
    """Links join ports; a frame takes a microsecond."""

    def __init__(self):
        self.clock = Clock()
        self.links = {}
        self.bridges = []

    def add(self, priority=0x8000):
        bridge = Bridge(self, len(self.bridges) + 1, priority)
        self.bridges.append(bridge)
        return bridge

    def post(self, link, sender, port, octets):
        def arrive():
            for bridge, other in self.links[link]:
                if (bridge, other) != (sender, port) and bridge.linked(other):
                    bridge.bstp.input(other, octets)

        self.clock.after(1e-6, arrive)

    def begin(self):
        for bridge in self.bridges:
            bridge.begin()

    def run(self, seconds):
        end = self.clock.now + seconds
        while (due := self.clock.next_due()) is not None and due <= end:
            self.clock.run(due)
        self.clock.run(end)

    def forwarding(self):
        """Return (bridge, link) for every port that forwards."""
        return [
            (bridge.number, link)
            for link, ends in self.links.items()
            for bridge, port in ends
            if bridge.alive and port.state == BSTP_IFSTATE_FORWARDING
        ]

    def settled(self):
        return all(
            port.state not in (BSTP_IFSTATE_LISTENING, BSTP_IFSTATE_LEARNING)
            for bridge in self.bridges
            if bridge.alive
            for port in bridge.where
        )


def components(edges):
    """Return the number of components of the graph of bridges and links, or -1 if it has a loop."""
    parent = {}

    def find(node):
        parent.setdefault(node, node)
        while parent[node] != node:
            node = parent[node]
        return node

    for bridge, link in edges:
        a, b = find(("bridge", bridge)), find(("link", link))
        if a == b:
            return -1
        parent[a] = b
    return len({find(node) for node in parent})


def physical(net):
    edges = {
        (bridge.number, link)
        for link, ends in net.links.items()
        for bridge, _port in ends
        if bridge.alive
    }
    parent = {}

    def find(node):
        parent.setdefault(node, node)
        while parent[node] != node:
            node = parent[node]
        return node

    for bridge, link in edges:
        parent[find(("bridge", bridge))] = find(("link", link))
    return len({find(node) for node in parent})


def check_tree(net):
    edges = net.forwarding()
    # Every link and every bridge hangs on the tree, and the tree has no loop.
    assert components(edges) == physical(net)
    for link, ends in net.links.items():
        alive = [end for end in ends if end[0].alive]
        if alive:
            assert any(port.state == BSTP_IFSTATE_FORWARDING for _bridge, port in alive), link
    for bridge in net.bridges:
        if bridge.alive:
            assert bridge.bstp.designated_root == min_root(net, bridge)


def min_root(net, bridge):
    """Return the least identifier among the bridges that *bridge* can reach."""
    reached, todo = {bridge}, [bridge]
    while todo:
        for link in todo.pop().where.values():
            for other, _port in net.links[link]:
                if other.alive and other not in reached:
                    reached.add(other)
                    todo.append(other)
    return min(other.bstp.bridge_id for other in reached)


def random_net(seed):
    rng = random.Random(seed)
    net = Net()
    count = rng.randrange(2, 7)
    for _ in range(count):
        net.add(rng.choice((0x8000, 0x8000, 0x7000, 0x9000)))
    links = rng.randrange(1, 10)
    for link in range(links):
        # Two ends mostly; sometimes a shared wire, now and then both ends on one bridge.
        for _ in range(rng.choice((2, 2, 2, 3, 4))):
            port = rng.choice(net.bridges).plug(link)
            port.path_cost = rng.choice((55, 55, 19, 100, 4))
            port.priority = rng.choice((0x80, 0x80, 0x40))
    return net, rng


@pytest.mark.parametrize("block", range(20))
def test_five_hundred_random_topologies_end_loop_free(block):
    for seed in range(block * 25, block * 25 + 25):
        net, rng = random_net(seed)
        net.begin()
        net.run(CONVERGE_S)
        assert net.settled(), seed
        check_tree(net)
        if seed % 5 == 0 and len(net.bridges) > 2:
            rng.choice(net.bridges).die()
            net.run(CONVERGE_S)
            assert net.settled(), seed
            check_tree(net)


def ring():
    net = Net()
    a, b, c = net.add(), net.add(), net.add()
    for one, other, link in ((a, b, "ab"), (b, c, "bc"), (c, a, "ca")):
        one.plug(link)
        other.plug(link)
    net.begin()
    return net, a, b, c


def test_a_ring_of_three_blocks_one_port():
    net, a, b, c = ring()
    net.run(2 * FWD_DELAY_S + 2)
    states = [port.state for bridge in (a, b, c) for port in bridge.where]
    assert states.count(BSTP_IFSTATE_BLOCKING) == 1
    assert states.count(BSTP_IFSTATE_FORWARDING) == 5
    assert a.bstp.is_root
    # The root is the least identifier; the one farthest from it, at equal cost the greatest, blocks.
    blocked = [port for port in c.where if port.state == BSTP_IFSTATE_BLOCKING]
    assert [c.where[port] for port in blocked] == ["bc"]


def test_nothing_is_forwarded_before_two_forward_delays():
    net, a, _b, _c = ring()
    net.run(2 * FWD_DELAY_S - 1)
    assert net.forwarding() == []
    net.run(2)
    assert net.forwarding() != []
    assert a.stat["txconfig"] > 10


def test_the_ring_survives_the_death_of_its_root_within_the_timers():
    net, a, b, c = ring()
    net.run(CONVERGE_S)
    a.die()
    net.run(MAX_AGE_S - 4)
    assert not b.bstp.is_root  # it is believed for max age
    net.run(4 + 2 * FWD_DELAY_S + 2)
    assert b.bstp.is_root
    assert c.bstp.root_port is not None
    shared = [port for bridge in (b, c) for port, link in bridge.where.items() if link == "bc"]
    assert [port.state for port in shared] == [BSTP_IFSTATE_FORWARDING] * 2


def test_a_pulled_cable_is_noticed_at_once():
    net, a, b, c = ring()
    net.run(CONVERGE_S)
    port = next(port for port, link in b.where.items() if link == "ab")
    b.down.add(port)
    b.bstp.link_changed(port)
    assert port.state == BSTP_IFSTATE_DISABLED
    other = next(p for p, link in a.where.items() if link == "ab")
    a.down.add(other)
    a.bstp.link_changed(other)
    net.run(CONVERGE_S)  # what the neighbour has said is believed for max age
    assert all(
        p.state == BSTP_IFSTATE_FORWARDING
        for bridge in (b, c)
        for p, link in bridge.where.items()
        if link != "ab"
    )


def test_a_change_is_told_to_the_root_which_tells_everybody_for_max_age_and_a_delay():
    net, a, b, c = ring()
    net.run(CONVERGE_S + MAX_AGE_S + FWD_DELAY_S)
    assert not any(bridge.bstp.topology_change for bridge in net.bridges)
    port = next(p for p, link in c.where.items() if link == "ca")
    c.down.add(port)
    c.bstp.link_changed(port)
    net.run(2 * FWD_DELAY_S + 5)
    assert b.stat["rxtcn"] + a.stat["rxtcn"] > 0
    assert all(bridge.bstp.topology_change for bridge in net.bridges)
    net.run(MAX_AGE_S + FWD_DELAY_S + 5)
    assert not any(bridge.bstp.topology_change for bridge in net.bridges)


def test_priority_makes_the_root():
    net, _a, b, _c = ring()
    b.bstp.priority = 1
    b.begin()
    net.run(CONVERGE_S)
    assert b.bstp.is_root
    assert all(bridge.bstp.designated_root == b.bstp.bridge_id for bridge in net.bridges)


def test_a_flood_of_bpdus_is_counted_and_survived():
    net, a, _b, _c = ring()
    net.run(CONVERGE_S)
    port = next(iter(a.where))
    hostile = Bpdu(0, 0, 1, 0, 1, 1, 0, 20 * UNIT, 2 * UNIT, 15 * UNIT).build()
    for _ in range(10 * BPDUS_A_TICK):
        a.bstp.input(port, hostile)
    assert a.stat["rxflood"] >= 9 * BPDUS_A_TICK
    # Who shouts loudest is the root, until it is quiet for max age.
    assert a.bstp.designated_root == 1
    net.run(MAX_AGE_S + CONVERGE_S + MAX_AGE_S)
    assert a.bstp.is_root
    check_tree(net)


def test_junk_own_and_old_bpdus_change_nothing():
    net, a, _b, _c = ring()
    net.run(CONVERGE_S)
    port = next(iter(a.where))
    before = [p.state for bridge in net.bridges for p in bridge.where]
    a.bstp.input(port, b"")
    a.bstp.input(port, b"\x42\x42\x03" + bytes(3))
    assert a.stat["rxbad"] == 2
    own = Bpdu(0, 0, 1, 0, a.bstp.bridge_id, port.port_id, 0, 20 * UNIT, 512, 15 * UNIT)
    a.bstp.input(port, own.build())
    old = Bpdu(0, 0, 1, 0, 1, 1, 20 * UNIT, 20 * UNIT, 512, 15 * UNIT)
    a.bstp.input(port, old.build())
    assert a.stat["rxdiscarded"] == 2
    assert [p.state for bridge in net.bridges for p in bridge.where] == before
    assert a.bstp.is_root


def test_a_root_in_a_hurry_is_slowed_down_to_the_tick():
    net, a, _b, _c = ring()
    net.run(CONVERGE_S)
    port = next(iter(a.where))
    a.bstp.input(port, Bpdu(0, 0, 1, 0, 1, 1, 0, 1, 0, 0).build())
    assert (a.bstp.max_age, a.bstp.hello_time, a.bstp.forward_delay) == (UNIT, UNIT, UNIT)


def test_a_notification_on_a_port_that_is_not_designated_is_ignored():
    net, _a, _b, c = ring()
    net.run(CONVERGE_S + MAX_AGE_S + FWD_DELAY_S)
    blocked = next(p for p in c.where if p.state == BSTP_IFSTATE_BLOCKING)
    c.bstp.input(blocked, Bpdu(BSTP_MSGTYPE_TCN).build())
    assert not c.bstp.topology_change_detected
