"""vlan(4): tags on and off, and everything that can happen to a parent."""

from __future__ import annotations

import os
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmds._handover import find_next
from libnet.engine.kern.socket import Cred
from libnet.errors import NetError
from libnet.ioctl import bridge as b
from libnet.ioctl.ifvlan import SIOCGETVLAN, SIOCSETVLAN
from libnet.ioctl.sockio import (
    SIOCIFCREATE,
    SIOCIFDESTROY,
    SIOCSIFFLAGS,
    SIOCSIFMTU,
    IfDrv,
    IfReq,
    VlanReq,
)
from libnet.lab.memory import World
from libnet.wire.frame import CSUM_L4, Frame

REAL_TCPDUMP = find_next("tcpdump", os.environ.get("PATH", ""))  # not ours


ALL = b"\xff" * 6
A = b"\x02\0\0\0\xaa\1"


def ioctl(host, row, arg):
    return host.stack.ioctl(row, arg, Cred())


def make(host, name="vlan7", tag=7, parent="wm0"):
    ioctl(host, SIOCIFCREATE, IfReq(name))
    ioctl(host, SIOCSETVLAN, VlanReq(name, parent, tag))
    host.stack.ifunit(name).up()
    return host.stack.ifunit(name)


def refused(host, *args):
    with pytest.raises(NetError) as caught:
        ioctl(host, *args)
    return caught.value.symbol


def test_what_it_sends_has_the_tag_and_fills_a_frame(host):
    h = host(1)
    nic = h.nic("wm0", "10.0.0.1/24")
    make(h)
    h.addr("vlan7", "10.7.0.1/24")
    (frame,) = nic.take()  # the gratuitous ARP of the new address
    assert frame[:6] == ALL
    assert frame[6:12] == nic.ifp.lladdr
    assert frame[12:18] == b"\x81\x00\x00\x07\x08\x06"
    assert len(frame) == 64
    assert frame[-18:] == bytes(18)


def test_what_has_its_tag_is_received_by_it_whatever_the_priority(host):
    h = host(1)
    nic = h.nic("wm0")
    nic.ifp.up()
    vlan = make(h)
    h.addr("vlan7", "10.7.0.1/24")
    nic.take()
    arp = bytes.fromhex("0001080006040001") + A + bytes((10, 7, 0, 9)) + bytes(6) + b"\x0a\7\0\1"
    for tci in (b"\x00\x07", b"\xe0\x07", b"\x10\x07"):
        nic.rx(ALL + A + b"\x81\x00" + tci + b"\x08\x06" + arp)
        (answer,) = nic.take()
        assert answer[:6] == A
        assert answer[12:18] == b"\x81\x00\x00\x07\x08\x06"
    assert vlan.ipackets == 3
    assert nic.ifp.ipackets == 3


def test_an_unknown_tag_a_closed_interface_and_half_a_tag_are_counted(host):
    h = host(1)
    nic = h.nic("wm0")
    nic.ifp.up()
    vlan = make(h)
    stat = h.stack.stats["vlan"]
    nic.rx(ALL + A + b"\x81\x00\x00\x08\x08\x00" + bytes(46))
    assert (stat["noproto"], nic.ifp.noproto) == (1, 1)
    vlan.down()
    nic.rx(ALL + A + b"\x81\x00\x00\x07\x08\x00" + bytes(46))
    assert stat["noproto"] == 2
    nic.rx(ALL + A + b"\x81\x00\x00")
    assert (stat["runt"], nic.ifp.ierrors) == (1, 1)


def test_offload_marks_survive_the_tag_both_ways(host):
    h = host(1)
    nic = h.nic("wm0")
    nic.ifp.up()
    vlan = make(h)
    seen = []
    h.stack.ethertypes[b"\x08\x00"] = seen.append
    frame = Frame(nic.ifp.lladdr + A + b"\x81\x00\x00\x07\x08\x00" + bytes(46))
    frame.csum, frame.gso_size = CSUM_L4, 1000
    nic.rx(frame)
    assert (seen[0].csum_flags, seen[0].gso_size) == (6, 1000)
    out = Frame(A + nic.ifp.lladdr + b"\x08\x00" + bytes(46))
    out.csum = CSUM_L4
    vlan.enqueue(out)
    (sent,) = nic.take()
    assert isinstance(sent, Frame)
    assert sent.csum == CSUM_L4


def test_groups_and_promiscuity_reach_the_parent_and_leave_it(host):
    h = host(1)
    parent = h.nic("wm0").ifp
    vlan = make(h)
    group = b"\x01\x00\x5e\1\2\3"
    vlan.addmulti(group)
    vlan.ifpromisc(True)
    assert group in parent.multi
    assert parent.promisc_count == 1
    vlan.delmulti(group)
    vlan.ifpromisc(False)
    assert group not in parent.multi
    assert parent.promisc_count == 0
    vlan.addmulti(group)
    vlan.ifpromisc(True)
    ioctl(h, SIOCSETVLAN, VlanReq("vlan7"))
    assert group not in parent.multi
    assert parent.promisc_count == 0
    assert parent.vlan is None


def test_requests_that_are_refused(host):
    h = host(1)
    h.nic("wm0")
    vlan = make(h)
    assert refused(h, SIOCSETVLAN, VlanReq("vlan7", "wm0", 9)) == "EBUSY"
    ioctl(h, SIOCIFCREATE, IfReq("vlan8"))
    assert refused(h, SIOCSETVLAN, VlanReq("vlan8", "wm9", 9)) == "ENOENT"
    assert refused(h, SIOCSETVLAN, VlanReq("vlan8", "wm0", 4096)) == "EINVAL"
    assert refused(h, SIOCSETVLAN, VlanReq("vlan8", "wm0", 7)) == "EEXIST"
    assert refused(h, SIOCSETVLAN, VlanReq("vlan8", "lo0", 9)) == "EPROTONOSUPPORT"
    assert refused(h, SIOCSETVLAN, VlanReq("vlan8", "vlan8", 9)) == "EPROTONOSUPPORT"
    assert refused(h, SIOCSETVLAN, VlanReq("wm0", "vlan7", 9)) == "ENOTTY"
    assert refused(h, SIOCSIFMTU, IfReq("vlan8", 1500)) == "EINVAL"
    assert refused(h, SIOCSIFMTU, IfReq("vlan7", 1501)) == "EINVAL"
    ioctl(h, SIOCSIFMTU, IfReq("vlan7", 1400))
    assert vlan.mtu == 1400
    assert ioctl(h, SIOCGETVLAN, VlanReq("vlan7")) == VlanReq("vlan7", "wm0", 7)
    assert ioctl(h, SIOCGETVLAN, VlanReq("vlan8")) == VlanReq("vlan8")
    with pytest.raises(NetError) as caught:
        h.addr("vlan8", "10.8.0.1/24")
    assert caught.value.symbol == "EINVAL"


def test_behind_a_driver_of_io_net_the_mtu_is_four_less(host):
    h = host(1)
    h.nic("en0").ifp.shim = True
    assert make(h, parent="en0").mtu == 1496


def test_a_parent_that_shrinks_takes_its_vlans_along(host):
    h = host(1)
    h.nic("wm0")
    vlan = make(h)
    ioctl(h, SIOCSIFMTU, IfReq("wm0", 1000))
    assert vlan.mtu == 1000
    h.stack.ifunit("wm0").link_state_change(1)
    assert vlan.link_state == 1


def test_the_end_of_the_parent_is_survived_by_a_tower_of_vlans(host):
    h = host(1)
    nic = h.nic("wm0")
    nic.ifp.up()
    make(h)
    inner = make(h, "vlan9", 9, "vlan7")
    h.addr("vlan9", "10.9.0.1/24")
    (frame,) = nic.take()
    assert frame[12:22] == b"\x81\x00\x00\x07\x81\x00\x00\x09\x08\x06"
    # Round in circles it cannot go: the outer one has a parent, and without one it is no Ethernet.
    ioctl(h, SIOCSETVLAN, VlanReq("vlan7"))
    assert ioctl(h, SIOCGETVLAN, VlanReq("vlan9")).parent == ""
    assert refused(h, SIOCSETVLAN, VlanReq("vlan7", "vlan9", 1)) == "EPROTONOSUPPORT"
    ioctl(h, SIOCSETVLAN, VlanReq("vlan7", "wm0", 7))
    ioctl(h, SIOCSETVLAN, VlanReq("vlan9", "vlan7", 9))
    nic.ifp.detach()
    assert inner.mtu == 0
    assert h.stack.ifunit("vlan7").lladdr == b""
    ioctl(h, SIOCIFDESTROY, IfReq("vlan9"))
    ioctl(h, SIOCIFDESTROY, IfReq("vlan7"))
    assert [ifp.name for ifp in h.stack.ifnets.values()] == ["lo0"]


def test_two_vlans_of_one_wire_can_be_bridged(host):
    h = host(1)
    nic = h.nic("wm0")
    nic.ifp.up()
    make(h, "vlan7", 7)
    make(h, "vlan8", 8)
    ioctl(h, SIOCIFCREATE, IfReq("bridge0"))
    for name in ("vlan7", "vlan8"):
        ioctl(h, b.SIOCSDRVSPEC, IfDrv("bridge0", 0, b.IfbReq(name)))
    ioctl(h, SIOCSIFFLAGS, IfReq("bridge0", 1))
    other = b"\x02\0\0\0\xbb\1"
    nic.rx(other + A + b"\x81\x00\x00\x07\x08\x00" + bytes(46))
    (sent,) = nic.take()
    assert sent[:18] == other + A + b"\x81\x00\x00\x08\x08\x00"
    # Its member leaves the bridge when it loses its parent.
    ioctl(h, SIOCSETVLAN, VlanReq("vlan8"))
    assert h.stack.ifunit("vlan8").bridge is None


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60))
def test_any_tagged_octets_are_survived(octets):
    with World(seed=1) as world:
        box = world.box("A", nic="i82544:lan0")
        box.sh("io-pkt-v4-hc -d i82544")
        box.sh("ifconfig wm0 up")
        box.sh("ifconfig vlan1 create vlan 1 vlanif wm0 up")
        stack = box.stack
        stack.ethernet.input(stack.ifunit("wm0"), [ALL + A + b"\x81\x00\x00\x01" + octets])
        assert stack.ifunit("vlan1").ipackets <= 1


@pytest.mark.skipif(REAL_TCPDUMP is None, reason="needs tcpdump")
def test_the_real_tcpdump_reads_our_tags(tmp_path):
    from libnet.media.pcap import PcapWriter

    with World(seed=1) as world:
        for number, name in enumerate("AB", 1):
            box = world.box(name, nic="i82544:lan0")
            for line in (
                "io-pkt-v4-hc -d i82544",
                "ifconfig wm0 up",
                f"ifconfig vlan42 create vlan 42 vlanif wm0 10.42.0.{number}/24 up",
            ):
                assert box.sh(line).status == 0
        path = tmp_path / "vlan.pcap"
        with path.open("wb") as file:
            writer = PcapWriter(file)
            world.segment("lan0").tap(
                lambda now, frames: [writer.write(world.clock.epoch + now, f) for f in frames]
            )
            for size in (56, 2000):
                out = world.boxes["A"].sh(f"ping -c 2 -s {size} 10.42.0.2").out
                assert "2 packets received" in out
    text = subprocess.run(
        [REAL_TCPDUMP, "-enr", str(path)], capture_output=True, text=True, check=True
    ).stdout
    assert text.count("ethertype 802.1Q (0x8100)") == text.count("\n")
    assert text.count("vlan 42, p 0, ethertype IPv4 (0x0800)") == 4 + 8
    assert "ICMP echo reply" in text
