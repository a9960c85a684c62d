"""Bridges on whole stacks: frames in by one member, out by another, counters, and what goes wrong."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libnet.clock import Clock
from libnet.engine.kern.socket import Cred
from libnet.engine.pfil.pfil import PFIL_IN, PFIL_OUT
from libnet.engine.stack import Stack
from libnet.errors import NetError
from libnet.ioctl import bridge as b
from libnet.ioctl.sockio import (
    SIOCGIFFLAGS,
    SIOCIFCREATE,
    SIOCIFDESTROY,
    SIOCSIFFLAGS,
    SIOCSIFMTU,
    IfDrv,
    IfReq,
)
from libnet.record import Struct

A, B, C = (b"\x02\0\0\0\xaa" + bytes((n,)) for n in (1, 2, 3))
ALL = b"\xff" * 6
BODY = b"\x08\x00" + bytes(46)
BPDU = bytes.fromhex("0180c2000000")


class Switch:
    """A host with wm0 to wm2 in bridge0."""

    def __init__(self, host, members=3):
        self.host = host
        self.stack = host.stack
        self.cred = Cred()
        self.nics = [host.nic(f"wm{n}") for n in range(members)]
        self.ioctl(SIOCIFCREATE, IfReq("bridge0"))
        for nic in self.nics:
            nic.ifp.up()
            self.set(b.BRDGADD, b.IfbReq(nic.ifp.name))
        self.up()

    @property
    def stat(self):
        return self.stack.stats["bridge"]

    def ioctl(self, row, arg):
        return self.stack.ioctl(row, arg, self.cred)

    def set(self, cmd, arg):
        self.ioctl(b.SIOCSDRVSPEC, IfDrv("bridge0", cmd.num, arg))

    def get(self, cmd, arg):
        return self.ioctl(b.SIOCGDRVSPEC, IfDrv("bridge0", cmd.num, arg)).arg

    def up(self):
        self.ioctl(SIOCSIFFLAGS, IfReq("bridge0", 1))

    def down(self):
        self.ioctl(SIOCSIFFLAGS, IfReq("bridge0", 0))

    def rx(self, port, *frames):
        """Receive by wm*port*; return what each member sends."""
        self.nics[port].rx(*frames)
        return [nic.take() for nic in self.nics]

    def addrs(self):
        return {req.dst: req.ifsname for req in self.get(b.BRDGRTS, b.IfbaConf()).req}

    def stp(self, *names):
        for name in names:
            req = self.get(b.BRDGGIFFLGS, b.IfbReq(name))
            req.flags |= b.IFBIF_STP
            self.set(b.BRDGSIFFLGS, req)


@pytest.fixture
def switch(host):
    return Switch(host(1))


def test_what_is_not_known_goes_everywhere_and_what_is_known_to_its_place(switch):
    frame = B + A + BODY
    assert switch.rx(0, frame) == [[], [frame], [frame]]
    assert switch.addrs() == {A: "wm0"}
    answer = A + B + BODY
    assert switch.rx(1, answer) == [[answer], [], []]
    assert switch.rx(0, frame, frame) == [[], [frame, frame], []]
    bridge = switch.stack.ifunit("bridge0")
    assert (bridge.ipackets, bridge.ibytes) == (4, 4 * len(frame))
    assert bridge.opackets == 5
    assert switch.stat["learned"] == 2
    assert switch.stat["flooded"] == 1


def test_the_order_of_a_pair_is_kept_through_fast_and_slow_ways(switch):
    switch.rx(1, A + B + BODY)
    frames = [B + A + b"\x08\x00" + bytes((n,)) * 46 for n in range(20)]
    assert switch.rx(0, *frames)[1] == frames


def test_broadcasts_and_multicasts_go_everywhere_but_back(switch):
    for dst in (ALL, b"\x01\x00\x5e\x01\x02\x03"):
        frame = dst + A + BODY
        assert switch.rx(2, frame) == [[frame], [frame], []]
    assert switch.addrs() == {A: "wm2"}


def test_a_frame_whose_place_is_where_it_came_from_is_filtered(switch):
    switch.rx(0, ALL + A + BODY, ALL + B + BODY)
    assert switch.rx(0, A + B + BODY) == [[], [], []]
    assert switch.stat["filtered"] == 1


def test_addresses_age_when_they_are_not_heard(switch):
    switch.set(b.BRDGSTO, b.IfbrParam(100))
    switch.rx(0, B + A + BODY)
    switch.rx(1, ALL + B + BODY)
    for _ in range(4):
        switch.host.run(30)
        switch.rx(0, B + A + BODY)
    assert switch.addrs() == {A: "wm0"}
    assert switch.stat["aged"] == 1
    switch.host.run(150)
    assert switch.addrs() == {}


def test_a_timeout_of_zero_is_never(switch):
    switch.set(b.BRDGSTO, b.IfbrParam(0))
    switch.rx(0, B + A + BODY)
    switch.host.run(100_000)
    assert switch.addrs() == {A: "wm0"}
    assert switch.get(b.BRDGRTS, b.IfbaConf()).req[0].expire == 0


def test_the_cache_has_a_limit_and_frames_pass_all_the_same(switch):
    switch.set(b.BRDGSCACHE, b.IfbrParam(2))
    for n in range(5):
        frame = ALL + b"\x02\0\0\0\xcc" + bytes((n,)) + BODY
        assert switch.rx(0, frame)[1] == [frame]
    assert len(switch.addrs()) == 2
    assert switch.stat["cachefull"] == 3
    switch.set(b.BRDGSCACHE, b.IfbrParam(1))
    assert len(switch.addrs()) == 1


def test_a_station_that_moves_is_followed_however_often(switch):
    switch.rx(0, ALL + A + BODY)
    switch.rx(2, ALL + C + BODY)
    for turn in range(100):
        port = turn % 2
        switch.rx(port, ALL + A + BODY)
        assert switch.rx(2, A + C + BODY)[port] == [A + C + BODY]
    assert switch.stat["moved"] == 99
    assert len(switch.addrs()) == 2


def test_a_static_address_stays_whatever_is_heard(switch):
    switch.set(b.BRDGSADDR, b.IfbaReq("wm1", A, 0, b.IFBAF_STATIC))
    switch.rx(0, ALL + A + BODY)
    assert switch.addrs() == {A: "wm1"}
    assert switch.stat["staticelsewhere"] == 1
    assert switch.rx(2, A + C + BODY)[1] == [A + C + BODY]
    switch.set(b.BRDGFLUSH, b.IfbReq(flags=b.IFBF_FLUSHDYN))
    assert switch.addrs() == {A: "wm1"}
    switch.set(b.BRDGFLUSH, b.IfbReq(flags=b.IFBF_FLUSHALL))
    assert switch.addrs() == {}


def test_a_member_that_does_not_discover_gets_no_unknown_unicast(switch):
    req = switch.get(b.BRDGGIFFLGS, b.IfbReq("wm2"))
    req.flags &= ~b.IFBIF_DISCOVER
    switch.set(b.BRDGSIFFLGS, req)
    assert [len(sent) for sent in switch.rx(0, B + A + BODY)] == [0, 1, 0]
    assert [len(sent) for sent in switch.rx(0, ALL + A + BODY)] == [0, 1, 1]


def test_a_member_that_does_not_learn_teaches_nothing(switch):
    req = switch.get(b.BRDGGIFFLGS, b.IfbReq("wm0"))
    req.flags &= ~b.IFBIF_LEARNING
    switch.set(b.BRDGSIFFLGS, req)
    assert switch.rx(0, B + A + BODY)[1] != []
    assert switch.addrs() == {}


def test_what_is_for_the_box_is_for_it_by_whichever_member_it_comes(host):
    switch = Switch(host(1))
    switch.host.addr("wm1", "10.0.0.1/24")
    for nic in switch.nics:
        nic.take()
    wm1 = switch.nics[1].ifp
    arp = bytes.fromhex("0001080006040001") + A + bytes((10, 0, 0, 9)) + bytes(6) + b"\x0a\0\0\1"
    request = ALL + A + b"\x08\x06" + arp
    sent = switch.rx(1, request)
    assert sent[0] == [request]  # the question goes on
    assert sent[1][0][:6] == A  # and is answered
    # Unicast to wm1's address, by another member: the answer leaves by the member A is behind.
    switch.rx(0, ALL + A + BODY)
    before = wm1.ipackets
    reply = bytes.fromhex("0001080006040001") + A + bytes((10, 0, 0, 9)) + bytes(6) + b"\x0a\0\0\1"
    sent = switch.rx(0, wm1.lladdr + A + b"\x08\x06" + reply)
    assert [len(s) for s in sent] == [1, 0, 0]
    assert sent[0][0][:12] == A + wm1.lladdr
    assert wm1.ipackets == before


def test_our_own_frames_that_come_back_are_dropped(switch):
    own = switch.nics[1].ifp.lladdr
    assert switch.rx(0, B + own + BODY) == [[], [], []]
    assert switch.rx(0, ALL + own + BODY) == [[], [], []]
    assert switch.stat["echo"] == 2
    assert switch.addrs() == {}


def test_a_bridge_that_is_down_forwards_nothing_and_forgets(switch):
    switch.rx(0, ALL + A + BODY)
    switch.down()
    assert switch.addrs() == {}
    assert switch.rx(0, ALL + A + BODY) == [[], [], []]
    assert switch.addrs() == {}


def test_reserved_addresses_do_not_cross(switch):
    for last in range(16):
        dst = BPDU[:5] + bytes((last,))
        assert switch.rx(0, dst + A + b"\x00\x03\x42\x42\x03" + bytes(40)) == [[], [], []]
    frame = BPDU[:5] + b"\x10" + A + BODY
    assert switch.rx(0, frame)[1] == [frame]


def test_members_are_promiscuous_and_let_go(switch):
    flags = switch.ioctl(SIOCGIFFLAGS, IfReq("wm0")).value
    assert flags & 0x100
    switch.set(b.BRDGDEL, b.IfbReq("wm0"))
    assert not switch.ioctl(SIOCGIFFLAGS, IfReq("wm0")).value & 0x100
    assert switch.rx(1, ALL + A + BODY) == [[], [], [ALL + A + BODY]]
    assert switch.rx(0, ALL + A + BODY) == [[], [], []]


def test_a_member_may_be_destroyed_while_it_forwards(switch):
    switch.rx(0, ALL + A + BODY)
    switch.rx(1, ALL + B + BODY)
    switch.rx(0, B + A + BODY)
    switch.nics[1].ifp.detach()
    assert "wm1" not in switch.addrs().values()
    assert switch.rx(0, B + A + BODY) == [[], [], [B + A + BODY]]
    assert [req.ifsname for req in switch.get(b.BRDGGIFS, b.IfbIfConf()).req] == ["wm2", "wm0"]
    switch.ioctl(SIOCIFDESTROY, IfReq("bridge0"))
    assert switch.stack.ifunit("wm0").bridge is None
    assert switch.rx(0, B + A + BODY) == [[], [], []]


def test_a_full_send_queue_is_counted_not_waited_for(switch):
    ifp = switch.nics[1].ifp
    ifp.start = lambda: None
    ifp.snd_maxlen = 10
    switch.rx(1, ALL + B + BODY)
    switch.rx(0, *[B + A + BODY] * 30)
    assert len(ifp.snd) == 10
    assert ifp.odrops == 20
    assert switch.stack.ifunit("bridge0").oerrors == 20


def test_runts_are_counted_once(switch):
    nic = switch.nics[0]
    before = nic.ifp.ipackets
    assert switch.rx(0, b"", b"\xff", ALL + A + b"\x08", B + A + b"\x08") == [[], [], []]
    assert switch.stack.stats["ether"]["runt"] == 4
    assert nic.ifp.ierrors == 4
    assert nic.ifp.ipackets == before


@pytest.mark.parametrize(
    ("name", "symbol"),
    [("wm9", "ENOENT"), ("lo0", "EINVAL"), ("bridge0", "EINVAL"), ("wm0", "EEXIST")],
)
def test_who_cannot_be_a_member(switch, name, symbol):
    with pytest.raises(NetError) as caught:
        switch.set(b.BRDGADD, b.IfbReq(name))
    assert caught.value.symbol == symbol


def test_a_member_of_another_bridge_or_another_mtu_is_refused(switch):
    switch.ioctl(SIOCIFCREATE, IfReq("bridge1"))
    with pytest.raises(NetError) as caught:
        switch.ioctl(b.SIOCSDRVSPEC, IfDrv("bridge1", 0, b.IfbReq("wm0")))
    assert caught.value.symbol == "EBUSY"
    other = switch.host.nic("wm7")
    other.ifp.mtu = 9000
    with pytest.raises(NetError) as caught:
        switch.set(b.BRDGADD, b.IfbReq("wm7"))
    assert caught.value.symbol == "EINVAL"
    for name in ("wm0", "bridge0"):
        with pytest.raises(NetError) as caught:
            switch.ioctl(SIOCSIFMTU, IfReq(name, 1400))
        assert caught.value.symbol == "EINVAL"


@pytest.mark.parametrize(
    ("row", "cmd", "arg", "symbol"),
    [
        (b.SIOCSDRVSPEC, 99, b.IfbReq(), "EINVAL"),
        (b.SIOCSDRVSPEC, 25, b.IfbrParam(), "EINVAL"),
        (b.SIOCGDRVSPEC, 0, b.IfbReq("wm0"), "EINVAL"),
        (b.SIOCSDRVSPEC, 6, b.IfbIfConf(), "EINVAL"),
        (b.SIOCSDRVSPEC, 0, b.IfbrParam(), "EINVAL"),
        (b.SIOCSDRVSPEC, 0, None, "EINVAL"),
        (b.SIOCSDRVSPEC, 1, b.IfbReq("wm9"), "ENOENT"),
        (b.SIOCSDRVSPEC, 3, b.IfbReq("wm0", 0x100), "EINVAL"),
        (b.SIOCSDRVSPEC, 8, b.IfbaReq("wm0", b"\x01\0\0\0\0\1"), "EINVAL"),
        (b.SIOCSDRVSPEC, 8, b.IfbaReq("wm0", b"\x02"), "EINVAL"),
        (b.SIOCSDRVSPEC, 11, b.IfbaReq(dst=A), "ENOENT"),
        (b.SIOCSDRVSPEC, 16, b.IfbrParam(0), "EINVAL"),
        (b.SIOCSDRVSPEC, 18, b.IfbrParam(0), "EINVAL"),
        (b.SIOCSDRVSPEC, 20, b.IfbrParam(256), "EINVAL"),
        (b.SIOCSDRVSPEC, 14, b.IfbrParam(65536), "EINVAL"),
        (b.SIOCSDRVSPEC, 21, b.IfbReq("wm0", priority=256), "EINVAL"),
        (b.SIOCSDRVSPEC, 4, b.IfbrParam(-1), "EINVAL"),
        (b.SIOCSDRVSPEC, 24, b.IfbrParam(2), "EINVAL"),
    ],
)
def test_wrong_commands_are_refused(switch, row, cmd, arg, symbol):
    with pytest.raises(NetError) as caught:
        switch.ioctl(row, IfDrv("bridge0", cmd, arg))
    assert caught.value.symbol == symbol


def test_only_the_superuser_changes_a_bridge(switch):
    with pytest.raises(NetError) as caught:
        switch.stack.ioctl(
            b.SIOCSDRVSPEC, IfDrv("bridge0", 1, b.IfbReq("wm0")), Cred(suser=False, uid=9)
        )
    assert caught.value.symbol == "EPERM"
    assert switch.stack.ioctl(
        b.SIOCGDRVSPEC, IfDrv("bridge0", 13, b.IfbrParam()), Cred(suser=False, uid=9)
    ).arg == b.IfbrParam(32768)


def test_other_interfaces_know_no_bridge_commands(switch):
    with pytest.raises(NetError) as caught:
        switch.ioctl(b.SIOCSDRVSPEC, IfDrv("wm0", 0, b.IfbReq("wm1")))
    assert caught.value.symbol == "ENOTTY"
    with pytest.raises(NetError) as caught:
        switch.ioctl(b.SIOCSDRVSPEC, IfDrv("bridge7", 0, b.IfbReq("wm1")))
    assert caught.value.symbol == "ENXIO"


def test_the_reduced_variant_has_no_bridges():
    stack = Stack(Clock(), random.Random(1), variant="v4")
    with pytest.raises(NetError) as caught:
        stack.ioctl(SIOCIFCREATE, IfReq("bridge0"), Cred())
    assert caught.value.symbol == "EINVAL"


# -- spanning tree on members


def test_a_port_of_the_spanning_tree_learns_before_it_forwards(switch):
    switch.stp("wm0", "wm1", "wm2")
    for nic in switch.nics:
        frames = nic.take()
        assert frames
        assert all(frame[:6] == BPDU for frame in frames)
    frame = ALL + A + BODY
    assert [len(s) for s in switch.rx(0, frame)] == [0, 0, 0]
    assert switch.stat["blocked"] == 1
    for _ in range(17):
        switch.host.run(1)
    switch.rx(0, frame)
    assert switch.addrs() == {A: "wm0"}
    for _ in range(15):
        switch.host.run(1)
    for nic in switch.nics:
        nic.take()
    assert switch.rx(0, frame)[1] == [frame]
    states = [req.state for req in switch.get(b.BRDGGIFS, b.IfbIfConf()).req]
    assert states == [b.BSTP_IFSTATE_FORWARDING] * 3


def test_a_looped_cable_between_two_members_blocks_one_and_storms_not(host, wire):
    switch = Switch(host(1))
    switch.stp("wm0", "wm1")
    cable = wire(switch.nics[0], switch.nics[1])
    for _ in range(40):
        cable.pump(1.0)
    states = {req.ifsname: req.state for req in switch.get(b.BRDGGIFS, b.IfbIfConf()).req}
    assert sorted((states["wm0"], states["wm1"])) == [
        b.BSTP_IFSTATE_FORWARDING,
        b.BSTP_IFSTATE_BLOCKING,
    ]
    cable.seen.clear()
    switch.nics[2].rx(ALL + A + BODY)
    cable.pump()
    assert cable.seen == [ALL + A + BODY]


def test_a_link_that_falls_disables_the_port(switch):
    switch.stp("wm0", "wm1")
    switch.nics[0].ifp.link_state_change(1)
    states = {req.ifsname: req.state for req in switch.get(b.BRDGGIFS, b.IfbIfConf()).req}
    assert states["wm0"] == b.BSTP_IFSTATE_DISABLED
    switch.nics[0].ifp.link_state_change(2)
    states = {req.ifsname: req.state for req in switch.get(b.BRDGGIFS, b.IfbIfConf()).req}
    assert states["wm0"] == b.BSTP_IFSTATE_LISTENING


def test_bpdus_at_a_port_without_spanning_tree_are_counted_and_go_nowhere(switch):
    assert switch.rx(0, BPDU + A + b"\x00\x26\x42\x42\x03" + bytes(40)) == [[], [], []]
    assert switch.stat["bpdu"] == 1


# -- the packet filter


def packet(proto=17, ttl=9):
    from libnet.wire.cksum import in_cksum

    head = bytearray.fromhex("4500001c0001000000000000 0a000001 0a000002".replace(" ", ""))
    head[8], head[9] = ttl, proto
    head[10:12] = in_cksum(bytes(head)).to_bytes(2, "big")
    return bytes(head) + bytes(8)


def test_the_filter_sees_a_bridged_packet_in_and_out(switch):
    seen = []

    def hook(m, ifp, direction):
        seen.append((ifp.name, direction, m.src, m.dst, m.proto))
        return None if m.proto == 99 else m

    switch.stack.pfil.head(2).add(hook, PFIL_IN | PFIL_OUT)
    switch.rx(1, ALL + B + BODY)
    frame = B + A + b"\x08\x00" + packet()
    assert switch.rx(0, frame)[1] == [frame]
    assert seen == []
    switch.set(b.BRDGSFILT, b.IfbrParam(1))
    assert switch.get(b.BRDGGFILT, b.IfbrParam()).value == 1
    assert switch.rx(0, frame)[1] == [frame]
    assert seen == [
        ("wm0", PFIL_IN, 0x0A000001, 0x0A000002, 17),
        ("wm1", PFIL_OUT, 0x0A000001, 0x0A000002, 17),
    ]
    assert switch.rx(0, B + A + b"\x08\x00" + packet(99))[1] == []
    assert switch.stat["pfil"] == 1


def test_a_filtered_bridge_stops_what_the_filter_does_not_know_but_arp(switch):
    switch.stack.sysctl.call(switch.stack.sysctl.mib("net.link.bridge.pfil_member"), 1, switch.cred)
    for etype, passes in ((b"\x08\x06", True), (b"\x80\x35", True), (b"\x80\x9b", False)):
        frame = B + A + etype + bytes(46)
        assert (switch.rx(0, frame)[1] == [frame]) is passes
    assert switch.stat["notip"] == 1
    switch.stack.sysctl.call(switch.stack.sysctl.mib("net.link.bridge.pfil_onlyip"), 0, switch.cred)
    frame = B + A + b"\x80\x9b" + bytes(46)
    assert switch.rx(0, frame)[1] == [frame]


@pytest.mark.parametrize(
    ("octets", "counter"),
    [
        (packet()[:10], "toosmall"),
        (b"\x65" + packet()[1:], "badvers"),
        (b"\x4f" + packet()[1:], "badhlen"),
        (packet()[:2] + b"\x00\x05" + packet()[4:], "badlen"),
        (packet()[:2] + b"\x05\x00" + packet()[4:], "tooshort"),
        (packet()[:8] + b"\x08" + packet()[9:], "badsum"),
    ],
)
def test_a_filtered_bridge_passes_no_bad_headers(switch, octets, counter):
    switch.set(b.BRDGSFILT, b.IfbrParam(1))
    assert switch.rx(0, B + A + b"\x08\x00" + octets) == [[], [], []]
    assert switch.stack.stats["ip"][counter] == 1


# -- anything


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.binary(max_size=80)), max_size=30), st.booleans())
def test_any_octets_are_forwarded_or_counted(frames, stp):
    import importlib.util
    import pathlib

    spec = importlib.util.spec_from_file_location(
        "engine_conftest", pathlib.Path(__file__).parents[1] / "conftest.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    switch = Switch(module.Host(1))
    if stp:
        switch.stp("wm0", "wm1", "wm2")
    for port, octets in frames:
        switch.rx(port, octets)
    assert isinstance(switch.get(b.BRDGRTS, b.IfbaConf()), Struct)
    assert len(switch.addrs()) <= 100
