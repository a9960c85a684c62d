"""tun(4) and tap(4): the interface's side and the program's side."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libnet.addr import Sockaddr, SockaddrDl, SockaddrIn, inet_pton
from libnet.engine.kern.socket import Cred
from libnet.errors import NetError
from libnet.ioctl import bridge as b
from libnet.ioctl import tunnel as t
from libnet.ioctl.ifflags import IFF_BROADCAST, IFF_POINTOPOINT
from libnet.ioctl.iftunnel import SIOCSIFPHYADDR
from libnet.ioctl.sockio import (
    FIONREAD,
    SIOCGIFFLAGS,
    SIOCIFCREATE,
    SIOCIFDESTROY,
    SIOCSIFFLAGS,
    SIOCSIFMTU,
    IfAliasReq,
    IfDrv,
    IfReq,
)
from libnet.lab.memory import World
from libnet.wire.cksum import in_cksum
from libnet.wire.frame import CSUM_L4, Frame

ROOT = Cred()
USER = Cred(suser=False, uid=100)


def ioctl(h, row, arg):
    return h.stack.ioctl(row, arg, ROOT)


def p2p(h, name, addr, peer):
    h.stack.in_control.aifaddr(
        IfAliasReq(
            name, SockaddrIn(inet_pton(addr)), SockaddrIn(inet_pton(peer)), SockaddrIn(0xFFFFFFFF)
        )
    )


def refuses(symbol, func, *args):
    with pytest.raises(NetError) as caught:
        func(*args)
    assert caught.value.symbol == symbol


def packet(src, dst, proto=99, body=b"hello"):
    head = bytearray(20)
    head[0] = 0x45
    head[2:4] = (20 + len(body)).to_bytes(2, "big")
    head[8], head[9] = 64, proto
    head[12:16] = inet_pton(src).to_bytes(4, "big")
    head[16:20] = inet_pton(dst).to_bytes(4, "big")
    head[10:12] = in_cksum(bytes(head)).to_bytes(2, "big")
    return bytes(head) + body


@pytest.fixture
def tun(host):
    h = host(1)
    dev = h.stack.tuns.open(0, ROOT)
    p2p(h, "tun0", "10.9.0.1", "10.9.0.2")
    return h, dev


def test_opening_makes_the_interface_and_closing_leaves_it(host):
    h = host(1)
    dev = h.stack.tuns.open(3, ROOT)
    ifp = h.stack.ifunit("tun3")
    assert ioctl(h, SIOCGIFFLAGS, IfReq("tun3")).value == 0x10
    assert ifp.mtu == 1500
    refuses("EBUSY", h.stack.tuns.open, 3, ROOT)
    refuses("EPERM", h.stack.tuns.open, 4, USER)
    refuses("ENXIO", h.stack.tuns.open, 3_000_000_000, ROOT)
    dev.close()
    assert h.stack.ifunit("tun3") is ifp
    h.stack.tuns.open(3, ROOT).close()


def test_packets_cross_both_ways(tun):
    h, dev = tun
    assert ioctl(h, SIOCGIFFLAGS, IfReq("tun0")).value == 0x51
    raw = h.raw(99)
    woken = []
    dev.upcall = lambda: woken.append(1)
    assert not dev.readable()
    refuses("EAGAIN", dev.read, 100)
    raw.send(b"ping", SockaddrIn(inet_pton("10.9.0.2")))
    assert woken == [1]
    assert dev.readable()
    assert dev.ioctl(FIONREAD, None) == 24
    got = dev.read(2000)
    assert got[12:] == bytes((10, 9, 0, 1, 10, 9, 0, 2)) + b"ping"
    assert dev.ioctl(FIONREAD, None) == 0
    data = packet("10.9.0.2", "10.9.0.1")
    assert dev.write(data) == len(data)
    h.run()
    assert raw.rcv.records[0].data == data
    ifp = h.stack.ifunit("tun0")
    assert (ifp.opackets, ifp.ipackets) == (1, 1)


def test_a_short_read_cuts_the_packet(tun):
    h, dev = tun
    h.raw(99).send(b"ping", SockaddrIn(inet_pton("10.9.0.2")))
    assert len(dev.read(10)) == 10
    refuses("EAGAIN", dev.read, 10)


def test_without_a_program_the_network_is_down(tun):
    h, dev = tun
    dev.close()
    refuses("ENETDOWN", h.raw(99).send, b"x", SockaddrIn(inet_pton("10.9.0.2")))
    refuses("ENXIO", dev.read, 10)


def test_a_slow_program_loses_packets_and_nothing_else(tun):
    h, dev = tun
    raw = h.raw(99)
    ifp = h.stack.ifunit("tun0")
    for _ in range(ifp.snd_maxlen):
        raw.send(b"x", SockaddrIn(inet_pton("10.9.0.2")))
    refuses("ENOBUFS", raw.send, b"x", SockaddrIn(inet_pton("10.9.0.2")))
    assert (ifp.odrops, ifp.collisions) == (1, 1)
    dev.close()
    assert not ifp.snd


def test_the_address_family_before_a_packet(tun):
    h, dev = tun
    assert dev.ioctl(t.TUNGIFHEAD, None) == 0
    dev.ioctl(t.TUNSIFHEAD, 1)
    assert dev.ioctl(t.TUNGIFHEAD, None) == 1
    raw = h.raw(99)
    raw.send(b"x", SockaddrIn(inet_pton("10.9.0.2")))
    assert dev.read(100)[:5] == b"\0\0\0\2\x45"
    data = packet("10.9.0.2", "10.9.0.1")
    dev.write(b"\0\0\0\2" + data)
    h.run()
    assert raw.rcv.records[0].data == data
    refuses("EAFNOSUPPORT", dev.write, b"\0\0\0\x18" + data)
    refuses("EIO", dev.write, b"\0\0")
    assert h.stack.ifunit("tun0").ierrors == 2


def test_the_next_hop_before_a_packet(tun):
    h, dev = tun
    dev.ioctl(t.TUNSLMODE, 1)
    h.raw(99).send(b"x", SockaddrIn(inet_pton("10.9.0.2")))
    assert dev.read(100)[:17] == b"\x10\x02\0\0" + bytes((10, 9, 0, 2)) + bytes(8) + b"\x45"
    dev.write(b"\x10\x02" + bytes(14) + packet("10.9.0.2", "10.9.0.1"))
    refuses("EIO", dev.write, b"")
    refuses("EINVAL", dev.write, b"\x10\x02")
    refuses("EINVAL", dev.write, b"\x01\x02")
    dev.ioctl(t.TUNSIFHEAD, 1)
    assert h.stack.tuns.list[h.stack.ifunit("tun0")].prepaddr is False


def test_modes_and_other_requests(host):
    h = host(1)
    dev = h.stack.tuns.open(0, ROOT)
    dev.ioctl(t.TUNSIFMODE, IFF_BROADCAST)
    assert ioctl(h, SIOCGIFFLAGS, IfReq("tun0")).value == IFF_BROADCAST
    refuses("EINVAL", dev.ioctl, t.TUNSIFMODE, 0x12)
    refuses("EINVAL", dev.ioctl, t.TUNSIFMODE, "x")
    ioctl(h, SIOCSIFFLAGS, IfReq("tun0", 1))
    refuses("EBUSY", dev.ioctl, t.TUNSIFMODE, IFF_POINTOPOINT)
    dev.ioctl(t.TUNSDEBUG, 7)
    assert dev.ioctl(t.TUNGDEBUG, None) == 7
    refuses("ENOTTY", dev.ioctl, t.TAPGIFNAME, None)
    for mtu in (575, 1501):
        refuses("EINVAL", ioctl, h, SIOCSIFMTU, IfReq("tun0", mtu))


def test_giants_are_refused_and_what_comes_while_it_is_down_is_counted(tun):
    h, dev = tun
    refuses("EIO", dev.write, bytes(1501))
    h.stack.ifunit("tun0").down()
    dev.write(packet("10.9.0.2", "10.9.0.1"))
    assert h.stack.ifunit("tun0").ierrors == 2
    assert h.stack.stats["tun"]["down"] == 1


def test_the_interface_may_go_under_a_program(tun):
    h, dev = tun
    woken = []
    dev.upcall = lambda: woken.append(1)
    ioctl(h, SIOCIFDESTROY, IfReq("tun0"))
    assert woken
    assert dev.readable()
    refuses("ENXIO", dev.read, 10)
    refuses("ENXIO", dev.write, b"x")
    refuses("ENXIO", dev.ioctl, t.TUNGIFHEAD, None)
    dev.close()
    h.stack.tuns.open(0, ROOT).close()


# -- tap


@pytest.fixture
def tap(host):
    h = host(1)
    ioctl(h, SIOCIFCREATE, IfReq("tap2"))
    dev = h.stack.taps.open(2, ROOT)
    h.stack.ifunit("tap2").up()
    return h, dev


def test_a_tap_is_an_ethernet_with_an_address_of_its_kind(tap):
    h, dev = tap
    ifp = h.stack.ifunit("tap2")
    assert ifp.lladdr[:3] == b"\xf2\x0b\xa4"
    assert ioctl(h, SIOCGIFFLAGS, IfReq("tap2")).value == 0x8843
    assert dev.ioctl(t.TAPGIFNAME, None) == IfReq("tap2")
    ioctl(h, SIOCSIFMTU, IfReq("tap2", 9000))


def test_frames_cross_both_ways(tap):
    h, dev = tap
    h.addr("tap2", "10.8.0.1/24")
    lladdr = h.stack.ifunit("tap2").lladdr
    gratuitous = dev.read(2000)
    assert gratuitous[:14] == b"\xff" * 6 + lladdr + b"\x08\x06"
    peer = b"\2\0\0\0\0\7"
    arp = bytes.fromhex("0001080006040001") + peer + bytes((10, 8, 0, 7)) + bytes(6)
    dev.write(b"\xff" * 6 + peer + b"\x08\x06" + arp + bytes((10, 8, 0, 1)))
    assert dev.ioctl(FIONREAD, None) == 42
    answer = dev.read(2000)
    assert answer[:14] == peer + lladdr + b"\x08\x06"
    ifp = h.stack.ifunit("tap2")
    assert (ifp.ipackets, ifp.opackets) == (1, 2)


def test_while_it_is_down_reading_says_so(tap):
    h, dev = tap
    h.stack.ifunit("tap2").down()
    assert dev.readable()
    refuses("EHOSTDOWN", dev.read, 10)


def test_runts_and_giants_are_counted(tap):
    h, dev = tap
    ifp = h.stack.ifunit("tap2")
    dev.write(b"\xff")
    assert ifp.ierrors == 1
    refuses("EMSGSIZE", dev.write, bytes(1519))
    assert ifp.ierrors == 2


def test_without_a_program_frames_are_lost_and_counted(tap):
    h, dev = tap
    dev.close()
    ifp = h.stack.ifunit("tap2")
    ifp.enqueue(bytes(60))
    assert (ifp.opackets, ifp.odrops, len(ifp.snd)) == (1, 1, 0)


def test_a_clone_goes_with_its_program_and_others_are_wanted_by_name(host):
    h = host(1)
    dev = h.stack.taps.clone(ROOT)
    other = h.stack.taps.clone(ROOT)
    assert other.ioctl(t.TAPGIFNAME, None).name == "tap1"
    refuses("EBUSY", h.stack.taps.open, 0, ROOT)
    refuses("ENXIO", h.stack.taps.open, 9, ROOT)
    refuses("EPERM", h.stack.taps.clone, USER)
    refuses("EPERM", h.stack.taps.open, 0, USER)
    dev.close()
    assert h.stack.ifunit("tap0") is None
    ioctl(h, SIOCIFDESTROY, IfReq("tap1"))
    refuses("ENXIO", other.read, 10)
    other.close()
    dev.close()
    assert [ifp.name for ifp in h.stack.ifnets.values()] == ["lo0"]


def test_its_address_can_be_set_in_two_ways(tap):
    h, _dev = tap
    ifp = h.stack.ifunit("tap2")
    ioctl(h, SIOCSIFPHYADDR, IfAliasReq("tap2", SockaddrDl(lladdr=b"\2\0\0\0\0\1")))
    assert ifp.lladdr == b"\2\0\0\0\0\1"
    tree = h.stack.sysctl
    mib = tree.mib("net.link.tap.tap2")
    assert tree.call(mib, "2:0:0:0:0:2", ROOT) == "02:00:00:00:00:01"
    assert ifp.lladdr == b"\2\0\0\0\0\2"
    refuses("EINVAL", tree.call, mib, "nonsense", ROOT)
    refuses("EINVAL", tree.call, mib, "1:0:0:0:0:1", ROOT)
    for addr in (Sockaddr(), SockaddrIn(1), SockaddrDl(), SockaddrDl(lladdr=b"\1" + bytes(5))):
        refuses("EINVAL", ioctl, h, SIOCSIFPHYADDR, IfAliasReq("tap2", addr))
    ioctl(h, SIOCIFDESTROY, IfReq("tap2"))
    assert tree.find("net.link.tap.tap2") is None


def test_a_tap_in_a_bridge_gives_programs_whole_frames():
    with World(seed=1) as world:
        box = world.box("A", nic="i82544:lan0")
        for line in (
            "io-pkt-v4-hc -d i82544",
            "ifconfig wm0 up",
            "ifconfig tap0 create",
            "ifconfig tap0 up",
            "ifconfig bridge0 create",
            "brconfig bridge0 add wm0 add tap0 up",
        ):
            assert box.sh(line).status == 0
        dev = box.stack.taps.open(0, ROOT)
        body = bytearray(
            packet("10.0.0.1", "10.0.0.2", 17, bytes.fromhex("0007 0009 000c 1e25") + b"body")
        )
        marked = Frame(b"\xff" * 6 + b"\2\0\0\0\0\1\x08\0" + bytes(body))
        marked.csum = CSUM_L4
        world.segment("lan0").plug("src").send(marked)
        world.run(1)
        got = dev.read(2000)
        assert type(got) is bytes
        assert got[40:42] != marked[40:42]  # the sum of the pseudo-header has become the whole sum
        assert got[:40] == marked[:40]


def test_a_tap_learns_in_a_bridge_when_its_address_changes(host):
    h = host(1)
    nic = h.nic("wm0")
    nic.ifp.up()
    ioctl(h, SIOCIFCREATE, IfReq("tap0"))
    ioctl(h, SIOCIFCREATE, IfReq("bridge0"))
    for name in ("wm0", "tap0"):
        ioctl(h, b.SIOCSDRVSPEC, IfDrv("bridge0", 0, b.IfbReq(name)))
    ioctl(h, SIOCSIFFLAGS, IfReq("bridge0", 1))
    new = b"\2\0\0\0\0\x55"
    ioctl(h, SIOCSIFPHYADDR, IfAliasReq("tap0", SockaddrDl(lladdr=new)))
    assert new in h.stack.ifunit("wm0").bridge.own


@settings(max_examples=100, deadline=None)
@given(st.lists(st.binary(max_size=100), max_size=20), st.sampled_from((0, 1, 2)))
def test_any_octets_can_be_written(frames, mode):
    import random

    from libnet.clock import Clock
    from libnet.engine.stack import Stack

    clock = Clock()
    stack = Stack(clock, random.Random(1))
    dev = stack.tuns.open(0, ROOT)
    stack.ifunit("tun0").up()
    if mode:
        dev.ioctl((t.TUNSIFHEAD, t.TUNSLMODE)[mode - 1], 1)
    tap = stack.taps.clone(ROOT)
    stack.ifunit("tap0").up()
    for octets in frames:
        assert tap.write(octets) == len(octets)
        try:
            assert dev.write(octets) == len(octets)
        except NetError as exc:
            assert exc.symbol in ("EIO", "EINVAL", "EAFNOSUPPORT")
        clock.run(clock.now)
