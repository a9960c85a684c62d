"""Link-local addresses of a stack: probed, announced, defended, given up (RFC 3927)."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libnet.addr import ETHER_BROADCAST, inet_ntoa, inet_pton
from libnet.engine.inet.autoip import OURS, PROBING, Autoip, AutoipConf, is_linklocal
from libnet.errors import NetError
from libnet.ioctl.ifflags import LINK_STATE_DOWN, LINK_STATE_UP
from libnet.lab.memory import World
from libnet.wire.arp import ARPOP_REPLY, ARPOP_REQUEST, Arp, arp_build
from libnet.wire.ipv4 import ip_build

OTHER = bytes.fromhex("020000000077")
MINE = "169.254.20.20"
ADDR = inet_pton(MINE)


class Lab:
    """One host with lsm-autoip on wm0; sent holds (seconds, Arp), oldest first."""

    def __init__(self, host, *addrs, **conf):
        self.host = host
        self.nic = host.nic("wm0", *addrs)
        conf.setdefault("first", ADDR)
        self.autoip = Autoip(host.stack, AutoipConf("wm0", **conf))
        self.sent: list[tuple[float, Arp]] = []

    def run(self, seconds):
        """Let time pass, and keep what is sent."""
        clock = self.host.clock
        end = clock.now + seconds
        while (due := clock.next_due()) is not None and due <= end:
            clock.run(due)
            self.keep()
        clock.run(end)
        self.keep()

    def keep(self):
        """Note the ARP packets that have left."""
        for frame in self.nic.take():
            if frame[12:14] == b"\x08\x06":
                assert frame[:6] == ETHER_BROADCAST
                self.sent.append((self.host.clock.now, Arp.parse(frame[14:])))

    def claim(self, addr, op=ARPOP_REPLY, spa=None, tpa=None):
        """Have another host claim *addr*."""
        spa = addr if spa is None else spa
        packet = arp_build(op, OTHER, spa, bytes(6), addr if tpa is None else tpa)
        self.nic.rx(ETHER_BROADCAST + OTHER + b"\x08\x06" + packet)
        self.keep()

    def addrs(self):
        """Return the addresses of the interface as text."""
        return [inet_ntoa(ifa.addr) for ifa in self.nic.ifp.addrs]


@pytest.fixture
def make(host):
    return lambda *addrs, **conf: Lab(host(1), *addrs, **conf)


def test_three_probes_then_the_address_then_two_announcements(make):
    lab = make()
    lab.run(20)
    assert lab.addrs() == [MINE]
    assert lab.autoip.state == OURS
    kinds = [(arp.op, arp.spa, arp.tpa) for _when, arp in lab.sent]
    mine = ADDR.to_bytes(4, "big")
    assert kinds == [(ARPOP_REQUEST, bytes(4), mine)] * 3 + [(ARPOP_REQUEST, mine, mine)] * 2
    times = [when for when, _arp in lab.sent]
    assert 0 <= times[0] < 1
    assert [b - a for a, b in pairwise(times)] == pytest.approx([2] * 4)
    (ifa,) = lab.nic.ifp.addrs
    assert (ifa.mask, ifa.broadaddr) == (0xFFFF0000, inet_pton("169.254.255.255"))


def test_delay_is_what_lies_between_probes(make):
    lab = make(delay_s=0.2)
    lab.run(10)
    times = [when for when, _arp in lab.sent]
    assert times[1] - times[0] == pytest.approx(0.2)


def test_first_address_is_the_same_at_every_start_and_in_range(make):
    one, two = make(first=0), make(first=0)
    one.run(10)
    two.run(10)
    assert is_linklocal(one.autoip.addr)
    assert 1 <= one.autoip.addr >> 8 & 0xFF <= 254
    again = Lab(one.host.__class__(one.host.seed), first=0)
    again.run(10)
    assert again.autoip.addr == one.autoip.addr


@pytest.mark.parametrize(
    ("op", "spa"), [(ARPOP_REPLY, ADDR), (ARPOP_REQUEST, ADDR), (ARPOP_REQUEST, 0)]
)
def test_conflict_while_probing_leads_to_another_address(make, op, spa):
    lab = make()
    lab.run(1.5)
    assert lab.autoip.state == PROBING
    lab.claim(ADDR, op, spa=spa)
    assert lab.autoip.addr != ADDR
    lab.run(20)
    assert lab.autoip.state == OURS
    assert MINE not in lab.addrs()
    assert is_linklocal(lab.autoip.addr)


def test_ten_conflicts_slow_it_down(make):
    lab = make()
    for _ in range(10):
        lab.run(1.5)
        lab.claim(lab.autoip.addr)
    lab.sent.clear()
    lab.run(59)
    assert lab.sent == []
    lab.run(20)
    assert lab.autoip.state == OURS


def test_address_is_defended_once_and_given_up_at_the_second_conflict(make):
    lab = make()
    lab.run(20)
    lab.sent.clear()
    lab.claim(ADDR)
    assert [(a.spa, a.tpa) for _t, a in lab.sent] == [(ADDR.to_bytes(4, "big"),) * 2]
    assert lab.addrs() == [MINE]
    lab.run(9)
    lab.claim(ADDR)
    assert lab.addrs() == []
    lab.run(20)
    assert lab.autoip.state == OURS
    assert lab.addrs() != [MINE]


def test_conflicts_far_apart_are_all_defended(make):
    lab = make()
    lab.run(20)
    for _ in range(4):
        lab.claim(ADDR)
        lab.run(11)
    assert lab.addrs() == [MINE]


def test_probe_of_another_is_answered_to_everybody_not_a_conflict(make):
    lab = make(abandon=True)
    lab.run(20)
    lab.sent.clear()
    lab.claim(ADDR, ARPOP_REQUEST, spa=0)
    assert lab.addrs() == [MINE]
    ((_when, reply),) = lab.sent
    assert reply.op == ARPOP_REPLY
    assert reply.spa == ADDR.to_bytes(4, "big")


def test_abandon_leaves_at_the_first_conflict(make):
    lab = make(abandon=True)
    lab.run(20)
    lab.claim(ADDR)
    assert lab.addrs() == []


def test_routable_address_takes_over_and_hands_back(make):
    lab = make()
    lab.run(20)
    lab.host.addr("wm0", "10.0.0.5/24")
    lab.run(1)
    assert lab.addrs() == ["10.0.0.5"]
    lab.host.deladdr("wm0", "10.0.0.5")
    lab.run(20)
    assert lab.addrs() == [MINE]


def test_routable_address_is_enough_from_the_start(make):
    lab = make("10.0.0.5/24")
    lab.run(30)
    assert lab.sent == []
    assert lab.addrs() == ["10.0.0.5"]


def test_old_reaches_link_local_neighbours_through_the_routable_address(make):
    lab = make("10.0.0.5/24", old=True)
    lab.run(5)
    rt = lab.host.stack.route.rtlookup(inet_pton("169.254.9.9"))
    assert rt is not None
    assert inet_ntoa(rt.ifa.addr) == "10.0.0.5"
    lab.host.deladdr("wm0", "10.0.0.5")
    lab.run(20)
    rt = lab.host.stack.route.rtlookup(inet_pton("169.254.9.9"))
    assert rt is not None
    assert rt.ifa.addr == ADDR


def test_force_keeps_both(make):
    lab = make("10.0.0.5/24", old=True, force=True)
    lab.run(20)
    assert lab.addrs() == ["10.0.0.5", MINE]


def test_deleted_address_comes_back(make):
    lab = make()
    lab.run(20)
    lab.host.deladdr("wm0", MINE)
    lab.run(20)
    assert lab.addrs() == [MINE]


def test_link_that_comes_back_is_probed_again(make):
    lab = make()
    lab.run(20)
    lab.nic.ifp.link_state_change(LINK_STATE_DOWN)
    lab.run(5)
    assert lab.addrs() == [MINE]
    lab.sent.clear()
    lab.nic.ifp.link_state_change(LINK_STATE_UP)
    lab.run(20)
    assert [a.spa for _t, a in lab.sent][:3] == [bytes(4)] * 3
    assert lab.addrs() == [MINE]


def test_interface_that_goes_ends_it(make):
    lab = make()
    lab.run(1.5)
    lab.nic.ifp.detach()
    lab.run(20)
    assert lab.autoip.ifp is None
    assert lab.host.stack.ethertypes[b"\x08\x06"] == lab.host.stack.arp.input


def test_interface_must_exist(make):
    lab = make()
    with pytest.raises(NetError) as caught:
        Autoip(lab.host.stack, AutoipConf("en7"))
    assert caught.value.symbol == "ENXIO"
    with pytest.raises(NetError) as caught:
        Autoip(lab.host.stack, AutoipConf("lo0"))
    assert caught.value.symbol == "EINVAL"


@given(st.binary(max_size=60))
def test_hostile_arp_changes_nothing_unless_it_names_the_address(octets):
    with World(seed=1) as world:
        box = world.box("A", nic="i82544:lan0")
        box.sh("io-pkt-v4 -d i82544")
        box.sh(f"mount -Tio-pkt -o if=wm0,ip={MINE} lsm-autoip.so")
        world.run(20)
        port = world.segment("lan0").plug("stranger")
        port.send(ETHER_BROADCAST + OTHER + b"\x08\x06" + octets)
        world.run(1)
        assert f"inet {MINE}" in box.sh("ifconfig wm0").out or ADDR.to_bytes(4, "big") in octets


def test_module_is_mounted_once_and_its_options_are_checked():
    with World(seed=1) as world:
        box = world.box("A", nic="i82544:lan0")
        box.sh("io-pkt-v4-hc -d i82544")
        for options in (
            "ip=10.0.0.1",
            "ip=169.254.0.9",
            "ip=x",
            "delay=0",
            "delay=8001",
            "force",
            "if",
            "nonsense",
            "debug=1",
        ):
            got = box.sh(f"mount -Tio-pkt -o if=wm0,{options} lsm-autoip.so")
            assert got.status == 1
            assert "Invalid argument" in got.err
        assert "No such device" in box.sh("mount -Tio-pkt -o if=en0 lsm-autoip.so").err
        assert box.sh("mount -Tio-pkt -o if=wm0,debug lsm-autoip.so").status == 0
        assert box.sh("mount -Tio-pkt -o if=wm0 lsm-autoip.so").status == 1
        world.run(20)
        assert "inet 169.254." in box.sh("ifconfig wm0").out
        assert "probing 169.254." in box.sh("sloginfo").out


def test_two_boxes_that_want_the_same_address_get_two():
    with World(seed=5) as world:
        boxes = [world.box(name, nic="i82544:lan0") for name in "AB"]
        for box in boxes:
            line = f"io-pkt-v4-hc -d i82544 -p autoip if=wm0,ip={MINE}"
            assert box.sh(line).status == 0
        world.run(60)
        found = [
            next(w for line in box.sh("ifconfig wm0").out.splitlines() if "inet " in line
                 for w in line.split() if w.startswith("169.254."))
            for box in boxes
        ]  # fmt: skip
        assert found[0] != found[1]
        assert MINE in found
        assert boxes[0].sh(f"ping -c 2 {found[1]}").status == 0


@pytest.mark.parametrize(("src", "dst"), [("10.0.0.9", MINE), (MINE, "10.1.0.9")])
def test_nothing_link_local_crosses_a_router(host, src, dst):
    router = host(1)
    router.nic("wm0", "10.0.0.1/24")
    router.nic("wm1", "10.1.0.1/24", "169.254.1.1/16")
    router.stack.ip.forwarding = 1
    packet = ip_build(bytes(8), src=inet_pton(src), dst=inet_pton(dst), proto=17)
    router.nics["wm0"].rx_ip(packet)
    assert router.nics["wm1"].take() == []
    assert router.stack.stats["ip"]["cantforward"] == 1


def test_without_options_it_serves_the_first_interface_where_there_is_no_en0():
    with World(seed=4) as world:
        box = world.box("A", nic="i82544:lan0")
        box.sh("io-pkt-v4-hc")
        assert "No such device" in box.sh("mount -Tio-pkt lsm-autoip.so").err
        box.sh("mount -Tio-pkt devnp-i82544.so")
        box.sh("ifconfig wm0 up")
        assert box.sh("mount -Tio-pkt lsm-autoip.so").status == 0
        world.run(20)
        assert "inet 169.254." in box.sh("ifconfig wm0").out
