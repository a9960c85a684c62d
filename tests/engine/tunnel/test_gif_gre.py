"""gif(4) and gre(4): packets in packets, between stacks and octet by octet."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libnet.addr import Sockaddr, SockaddrDl, SockaddrIn, inet_pton
from libnet.clock import Clock
from libnet.engine.kern.socket import Cred
from libnet.engine.stack import Stack
from libnet.errors import NetError
from libnet.ioctl import tunnel as t
from libnet.ioctl.ifflags import IFF_LINK0, IFF_LINK1, IFF_LINK2
from libnet.ioctl.iftunnel import (
    SIOCDIFPHYADDR,
    SIOCGIFPDSTADDR,
    SIOCGIFPSRCADDR,
    SIOCGLIFPHYADDR,
    SIOCSIFPHYADDR,
    SIOCSLIFPHYADDR,
)
from libnet.ioctl.sockio import (
    SIOCGIFFLAGS,
    SIOCIFCREATE,
    SIOCIFDESTROY,
    SIOCSIFFLAGS,
    SIOCSIFMTU,
    IfAliasReq,
    IfLaddrReq,
    IfReq,
)
from libnet.wire import Malformed, Truncated
from libnet.wire.cksum import in_cksum
from libnet.wire.gre import Gre, Mobile, gre_build, mobile_build


def ioctl(host, row, arg):
    return host.stack.ioctl(row, arg, Cred())


def ends(host, name, src, dst, sport=0, dport=0):
    ioctl(
        host,
        SIOCSLIFPHYADDR,
        IfLaddrReq(
            name,
            addr=SockaddrIn(inet_pton(src), sport),
            dstaddr=SockaddrIn(inet_pton(dst), dport),
        ),
    )


def inner(host, name, addr, peer):
    host.stack.in_control.aifaddr(
        IfAliasReq(
            name,
            SockaddrIn(inet_pton(addr)),
            SockaddrIn(inet_pton(peer)),
            SockaddrIn(0xFFFFFFFF),
        )
    )


def flags(host, name, *, on=0, off=0):
    value = ioctl(host, SIOCGIFFLAGS, IfReq(name)).value
    ioctl(host, SIOCSIFFLAGS, IfReq(name, value & ~off | on))


def tunnel(pair, stem):
    a, b, wire = pair
    for host, n in ((a, 1), (b, 2)):
        ioctl(host, SIOCIFCREATE, IfReq(f"{stem}0"))
        ends(host, f"{stem}0", f"10.0.0.{n}", f"10.0.0.{3 - n}")
        inner(host, f"{stem}0", f"10.9.0.{n}", f"10.9.0.{3 - n}")
    wire.pump()
    return a, b, wire


def talk(a, b, wire, size=100, addr="10.9.0"):
    """Send a datagram each way through the tunnel; return what crossed the wire."""
    one, other = a.udp(5000, f"{addr}.1"), b.udp(5000, f"{addr}.2")
    one.send(bytes(size), SockaddrIn(inet_pton(f"{addr}.2"), 5000))
    wire.pump()
    wire.pump()
    wire.seen.clear()
    got = other.rcv.records
    one.send(b"q" * size, SockaddrIn(inet_pton(f"{addr}.2"), 5000))
    wire.pump()
    assert got[-1].data == b"q" * size
    other.send(b"r" * size, SockaddrIn(inet_pton(f"{addr}.1"), 5000))
    wire.pump()
    assert one.rcv.records[-1].data == b"r" * size
    for so in (one, other):
        so.close()
    return [frame for frame in wire.seen if frame[12:14] == b"\x08\x00"]


def refused(host, *args):
    with pytest.raises(NetError) as caught:
        ioctl(host, *args)
    return caught.value.symbol


@pytest.mark.parametrize(("stem", "proto", "head"), [("gif", 4, b""), ("gre", 47, b"\0\0\x08\0")])
def test_datagrams_cross_and_look_right_on_the_wire(pair, stem, proto, head):
    a, b, wire = tunnel(pair, stem)
    frames = talk(a, b, wire)
    assert len(frames) == 2
    outer = frames[0][14:]
    assert (outer[8], outer[9]) == (30, proto)
    assert outer[12:20] == bytes((10, 0, 0, 1, 10, 0, 0, 2))
    assert in_cksum(outer[:20]) == 0
    assert outer[20 : 20 + len(head)] == head
    packet = outer[20 + len(head) :]
    assert packet[12:20] == bytes((10, 9, 0, 1, 10, 9, 0, 2))
    assert in_cksum(packet[:20]) == 0
    ifp = a.stack.ifunit(f"{stem}0")
    assert ifp.opackets >= 2
    assert ifp.ipackets >= 1


@pytest.mark.parametrize("stem", ["gif", "gre"])
def test_what_does_not_fit_is_cut(pair, stem):
    a, b, wire = tunnel(pair, stem)
    a.stack.sbmax = b.stack.sbmax = 1 << 20
    frames = talk(a, b, wire, 3000)
    assert len(frames) >= 6
    assert all(len(frame) <= 1514 for frame in frames)


@pytest.mark.parametrize("stem", ["gif", "gre"])
def test_without_ends_or_down_nothing_goes(host, stem):
    h = host(1)
    h.nic("wm0", "10.0.0.1/24")
    name = f"{stem}0"
    ioctl(h, SIOCIFCREATE, IfReq(name))
    assert ioctl(h, SIOCGIFFLAGS, IfReq(name)).value == 0x8010
    inner(h, name, "10.9.0.1", "10.9.0.2")
    so = h.udp(5000)
    with pytest.raises(NetError) as caught:
        so.send(b"x", SockaddrIn(inet_pton("10.9.0.2"), 9))
    assert caught.value.symbol == "ENETDOWN"
    ends(h, name, "10.0.0.1", "10.0.0.2")
    assert ioctl(h, SIOCGIFFLAGS, IfReq(name)).value == 0x8051
    flags(h, name, off=1)
    with pytest.raises(NetError):
        so.send(b"x", SockaddrIn(inet_pton("10.9.0.2"), 9))
    assert h.stack.ifunit(name).oerrors == 2


@pytest.mark.parametrize("stem", ["gif", "gre"])
def test_the_ends_are_told_and_forgotten(host, stem):
    h = host(1)
    h.nic("wm0", "10.0.0.1/24")
    name = f"{stem}0"
    ioctl(h, SIOCIFCREATE, IfReq(name))
    for row, req in (
        (SIOCGLIFPHYADDR, IfLaddrReq(name)),
        (SIOCGIFPSRCADDR, IfReq(name)),
        (SIOCGIFPDSTADDR, IfReq(name)),
    ):
        assert refused(h, row, req) == "EADDRNOTAVAIL"
    src, dst = SockaddrIn(0x0A000001), SockaddrIn(0x0A000002)
    ioctl(h, SIOCSIFPHYADDR, IfAliasReq(name, src, dst))
    assert ioctl(h, SIOCGLIFPHYADDR, IfLaddrReq(name)) == IfLaddrReq(name, addr=src, dstaddr=dst)
    assert ioctl(h, SIOCGIFPSRCADDR, IfReq(name)).addr == src
    assert ioctl(h, SIOCGIFPDSTADDR, IfReq(name)).addr == dst
    ioctl(h, SIOCDIFPHYADDR, IfReq(name))
    assert refused(h, SIOCGLIFPHYADDR, IfLaddrReq(name)) == "EADDRNOTAVAIL"
    assert not ioctl(h, SIOCGIFFLAGS, IfReq(name)).value & 0x40
    bad = IfLaddrReq(name, addr=SockaddrDl(), dstaddr=SockaddrDl())
    assert refused(h, SIOCSLIFPHYADDR, bad) == "EAFNOSUPPORT"
    far = IfLaddrReq(name, addr=SockaddrIn(1 << 40), dstaddr=SockaddrIn(1))
    assert refused(h, SIOCSLIFPHYADDR, far) == "EINVAL"
    ends(h, name, "10.0.0.1", "10.0.0.2")
    ioctl(h, SIOCIFDESTROY, IfReq(name))
    # Nobody listens for the protocol any more.
    assert h.stack.protosw.keys() == Stack(Clock(), random.Random(1)).protosw.keys()


def test_a_gif_wants_two_addresses_of_its_own(host):
    h = host(1)
    h.nic("wm0", "10.0.0.1/24")
    for name in ("gif0", "gif1"):
        ioctl(h, SIOCIFCREATE, IfReq(name))
    ends(h, "gif0", "10.0.0.1", "10.0.0.2")
    with pytest.raises(NetError) as caught:
        ends(h, "gif1", "10.0.0.1", "10.0.0.2")
    assert caught.value.symbol == "EADDRNOTAVAIL"
    mixed = IfLaddrReq("gif1", addr=SockaddrIn(1), dstaddr=Sockaddr())
    assert refused(h, SIOCSLIFPHYADDR, mixed) == "EINVAL"
    for mtu in (1279, 8193):
        assert refused(h, SIOCSIFMTU, IfReq("gif0", mtu)) == "EINVAL"
    ioctl(h, SIOCSIFMTU, IfReq("gif0", 8192))


def test_two_gifs_to_two_places_keep_apart(host):
    h = host(1)
    nic = h.nic("wm0", "10.0.0.1/24")
    for n in (2, 3):
        nic.neighbour(f"10.0.0.{n}", b"\2\0\0\0\xaa" + bytes((n,)))
        ioctl(h, SIOCIFCREATE, IfReq(f"gif{n}"))
        ends(h, f"gif{n}", "10.0.0.1", f"10.0.0.{n}")
        inner(h, f"gif{n}", f"10.9.{n}.1", f"10.9.{n}.2")
    nic.take()
    so = h.udp(7)
    for n in (2, 3):
        nic.rx_ip(wrap(f"10.0.0.{n}", "10.0.0.1", 4, udp(f"10.9.{n}.2", f"10.9.{n}.1")))
    h.run()
    h.run()
    assert [record.frm.addr for record in so.rcv.records] == [0x0A090202, 0x0A090302]
    assert [h.stack.ifunit(f"gif{n}").ipackets for n in (2, 3)] == [1, 1]


def wrap(src, dst, proto, body, tos=0):
    head = bytearray(20)
    head[0], head[1] = 0x45, tos
    head[2:4] = (20 + len(body)).to_bytes(2, "big")
    head[8], head[9] = 64, proto
    head[12:16] = inet_pton(src).to_bytes(4, "big")
    head[16:20] = inet_pton(dst).to_bytes(4, "big")
    head[10:12] = in_cksum(bytes(head)).to_bytes(2, "big")
    return bytes(head) + body


def udp(src, dst, port=7, tos=0):
    return wrap(src, dst, 17, bytes((0, 9, 0, port, 0, 12, 0, 0)) + b"body", tos)


def one_gif(host):
    h = host(1)
    nic = h.nic("wm0", "10.0.0.1/24")
    nic.neighbour("10.0.0.2", b"\2\0\0\0\xaa\2")
    ioctl(h, SIOCIFCREATE, IfReq("gif0"))
    ends(h, "gif0", "10.0.0.1", "10.0.0.2")
    inner(h, "gif0", "10.9.0.1", "10.9.0.2")
    nic.take()
    return h, nic


def test_what_comes_from_elsewhere_draws_protocol_unreachable(host):
    h, nic = one_gif(host)
    nic.rx_ip(wrap("10.0.0.9", "10.0.0.1", 4, udp("10.9.0.2", "10.9.0.1")))
    h.run()
    assert h.stack.ifunit("gif0").ipackets == 0
    assert h.stack.stats["ip"]["noproto"] == 1


def test_the_ingress_filter_wants_the_way_that_leads_there_unless_link2(host):
    h, nic = one_gif(host)
    other = h.nic("wm1", "10.1.0.1/24")
    packet = wrap("10.0.0.2", "10.0.0.1", 4, udp("10.9.0.2", "10.9.0.1"))
    other.rx_ip(packet)
    assert h.stack.stats["gif"]["ingress"] == 1
    assert h.stack.ifunit("gif0").ipackets == 0
    flags(h, "gif0", on=IFF_LINK2)
    other.rx_ip(packet)
    assert h.stack.ifunit("gif0").ipackets == 1
    nic.rx_ip(packet)
    assert h.stack.ifunit("gif0").ipackets == 2


def test_congestion_is_told_with_link1_only(host):
    h, nic = one_gif(host)
    so = h.raw(99)
    packet = wrap("10.9.0.2", "10.9.0.1", 99, b"x", tos=0x02)
    nic.rx_ip(wrap("10.0.0.2", "10.0.0.1", 4, packet, tos=0x03))
    flags(h, "gif0", on=IFF_LINK1)
    nic.rx_ip(wrap("10.0.0.2", "10.0.0.1", 4, packet, tos=0x03))
    h.run()
    h.run()
    assert [record.data[1] for record in so.rcv.records] == [0x02, 0x03]
    assert all(in_cksum(record.data[:20]) == 0 for record in so.rcv.records)


def test_a_tunnel_into_itself_is_noticed(host):
    h, _nic = one_gif(host)
    ends(h, "gif0", "10.0.0.1", "192.0.2.1")
    h.gateway("192.0.2.0/24", "10.9.0.2")
    so = h.udp(9)
    with pytest.raises(NetError) as caught:
        so.send(b"x", SockaddrIn(inet_pton("10.9.0.2"), 9))
    assert caught.value.symbol in ("EIO", "ENETUNREACH")
    assert h.stack.ifunit("gif0").oerrors == 1


def test_junk_in_a_tunnel_is_counted(host):
    h, nic = one_gif(host)
    for body in (b"", bytes(19), b"\x60" + bytes(39)):
        nic.rx_ip(wrap("10.0.0.2", "10.0.0.1", 4, body))
    assert h.stack.stats["ip"]["nogif"] == 3
    assert h.stack.ifunit("gif0").ierrors == 3


# -- gre


def test_minimal_encapsulation_changes_the_header_only(pair):
    a, b, wire = tunnel(pair, "gre")
    for h in (a, b):
        flags(h, "gre0", on=IFF_LINK0)
        flags(h, "gre0", off=IFF_LINK0)
        assert ioctl(h, t.GREGPROTO, IfReq("gre0")).value == 55
    frames = talk(a, b, wire)
    outer = frames[0][14:]
    assert outer[9] == 55
    assert outer[12:20] == bytes((10, 0, 0, 1, 10, 0, 0, 2))
    got = Mobile.parse(outer[20:])
    assert (got.proto, got.dst, got.src) == (17, 0x0A090002, 0x0A090001)
    assert len(outer) == 20 + 12 + 8 + 100


def test_minimal_encapsulation_takes_no_fragments(pair):
    a, b, _wire = tunnel(pair, "gre")
    for h in (a, b):
        ioctl(h, t.GRESPROTO, IfReq("gre0", 55))
        assert not ioctl(h, SIOCGIFFLAGS, IfReq("gre0")).value & IFF_LINK0
    so = a.udp(5000)
    with pytest.raises(NetError) as caught:
        so.send(bytes(3000), SockaddrIn(inet_pton("10.9.0.2"), 5000))
    assert caught.value.symbol == "EINVAL"


def test_gre_over_udp_has_a_socket_of_its_own(pair):
    a, b, wire = tunnel(pair, "gre")
    for h, n in ((a, 1), (b, 2)):
        flags(h, "gre0", on=IFF_LINK0 | IFF_LINK2)
        assert not ioctl(h, SIOCGIFFLAGS, IfReq("gre0")).value & 0x40  # no port yet
        ends(h, "gre0", f"10.0.0.{n}", f"10.0.0.{3 - n}", 7000, 7000)
        assert ioctl(h, SIOCGIFFLAGS, IfReq("gre0")).value & 0x40
        told = ioctl(h, SIOCGLIFPHYADDR, IfLaddrReq("gre0"))
        assert (told.addr.port, told.dstaddr.port) == (7000, 7000)
    frames = talk(a, b, wire)
    outer = frames[0][14:]
    assert (outer[8], outer[9]) == (30, 17)
    assert outer[20:24] == b"\x1b\x58\x1b\x58"
    assert outer[28:32] == b"\0\0\x08\0"
    for h in (a, b):
        ioctl(h, SIOCIFDESTROY, IfReq("gre0"))
        assert not [so for so in h.stack.sockets if so.pcb is not None]


def test_gre_requests(host):
    h = host(1)
    h.nic("wm0", "10.0.0.1/24")
    ioctl(h, SIOCIFCREATE, IfReq("gre0"))
    assert ioctl(h, t.GREGPROTO, IfReq("gre0")).value == 47
    ioctl(h, t.GRESADDRS, IfReq("gre0", addr=SockaddrIn(0x0A000001)))
    assert not ioctl(h, SIOCGIFFLAGS, IfReq("gre0")).value & 0x40
    ioctl(h, t.GRESADDRD, IfReq("gre0", addr=SockaddrIn(0x0A000002)))
    assert ioctl(h, SIOCGIFFLAGS, IfReq("gre0")).value & 0x40
    assert ioctl(h, t.GREGADDRS, IfReq("gre0")).addr == SockaddrIn(0x0A000001)
    assert ioctl(h, t.GREGADDRD, IfReq("gre0")).addr == SockaddrIn(0x0A000002)
    assert refused(h, t.GRESPROTO, IfReq("gre0", 99)) == "EPROTONOSUPPORT"
    assert refused(h, t.GRESSOCK, IfReq("gre0", 3)) == "EINVAL"
    ioctl(h, t.GRESPROTO, IfReq("gre0", 17))
    assert refused(h, t.GRESSOCK, IfReq("gre0", 3)) == "EOPNOTSUPP"
    assert refused(h, t.GRESADDRD, IfReq("gre0", addr=SockaddrIn(1))) == "EINVAL"
    assert refused(h, t.GREGPROTO, IfReq("wm0")) == "ENOTTY"


def one_gre(host):
    h = host(1)
    nic = h.nic("wm0", "10.0.0.1/24")
    nic.neighbour("10.0.0.2", b"\2\0\0\0\xaa\2")
    ioctl(h, SIOCIFCREATE, IfReq("gre0"))
    ends(h, "gre0", "10.0.0.1", "10.0.0.2")
    inner(h, "gre0", "10.9.0.1", "10.9.0.2")
    nic.take()
    return h, nic


def test_key_sequence_and_checksum_are_understood(host):
    h, nic = one_gre(host)
    so = h.udp(7)
    packet = udp("10.9.0.2", "10.9.0.1")
    body = bytearray(b"\xb0\x00\x08\x00" + bytes(4) + b"\0\0\0\7" + b"\0\0\0\1" + packet)
    body[4:6] = in_cksum(bytes(body)).to_bytes(2, "big")
    nic.rx_ip(wrap("10.0.0.2", "10.0.0.1", 47, bytes(body)))
    h.run()
    h.run()
    assert len(so.rcv.records) == 1
    body[-1] ^= 1
    nic.rx_ip(wrap("10.0.0.2", "10.0.0.1", 47, bytes(body)))
    assert h.stack.ifunit("gre0").ierrors == 1


@pytest.mark.parametrize(
    ("body", "errors", "noproto"),
    [
        (b"", 1, 0),
        (b"\0\0\x08", 1, 0),
        (b"\0\1\x08\0" + bytes(20), 1, 0),
        (b"\x40\0\x08\0" + bytes(24), 1, 0),
        (b"\x20\0\x08\0", 1, 0),
        (b"\0\0\x08\0" + bytes(19), 1, 0),
        (b"\0\0\x86\xdd" + bytes(40), 0, 1),
    ],
)
def test_gre_that_is_not_understood_is_counted(host, body, errors, noproto):
    h, nic = one_gre(host)
    nic.rx_ip(wrap("10.0.0.2", "10.0.0.1", 47, body))
    ifp = h.stack.ifunit("gre0")
    assert (ifp.ierrors, ifp.noproto, ifp.ipackets) == (errors, noproto, 0)


def test_a_tunnel_whose_peer_is_also_its_end_takes_the_route_from_before(host):
    h = host(1)
    nic = h.nic("wm0", "10.0.0.1/24")
    nic.neighbour("10.0.0.254", b"\2\0\0\0\xaa\xfe")
    h.gateway("192.0.2.0/24", "10.0.0.254")
    ioctl(h, SIOCIFCREATE, IfReq("gre0"))
    ends(h, "gre0", "10.0.0.1", "192.0.2.8")
    inner(h, "gre0", "10.0.0.1", "192.0.2.8")
    nic.take()
    h.udp(7).send(b"x", SockaddrIn(inet_pton("192.0.2.8"), 9))
    (frame,) = nic.take()
    assert frame[:6] == b"\2\0\0\0\xaa\xfe"
    assert frame[23] == 47


@given(st.binary(max_size=80))
def test_any_octets_are_gre_or_refused(octets):
    try:
        got = Gre.parse(octets)
    except (Truncated, Malformed):
        return
    assert len(got.payload) <= len(octets) - 4


@given(st.binary(max_size=40))
def test_any_octets_are_minimal_encapsulation_or_refused(octets):
    try:
        got = Mobile.parse(octets)
    except (Truncated, Malformed):
        return
    assert mobile_build(got.proto, got.dst, got.src)[0] == octets[0]


@given(st.integers(0, 255), st.integers(0, 2**32 - 1), st.none() | st.integers(0, 2**32 - 1))
def test_minimal_encapsulation_reads_what_it_builds(proto, dst, src):
    got = Mobile.parse(mobile_build(proto, dst, src) + b"rest")
    assert got == Mobile(proto, dst, src, b"rest")


@given(st.integers(0, 0xFFFF), st.binary(max_size=20))
def test_gre_reads_what_it_builds(ptype, payload):
    assert Gre.parse(gre_build(ptype, payload)) == Gre(0, ptype, None, None, payload)


def test_the_reduced_variant_has_neither():
    stack = Stack(Clock(), random.Random(1), variant="v4")
    for name in ("gif0", "gre0"):
        with pytest.raises(NetError) as caught:
            stack.ioctl(SIOCIFCREATE, IfReq(name), Cred())
        assert caught.value.symbol == "EINVAL"
    for name in ("vlan0", "tun0", "tap0"):
        stack.ioctl(SIOCIFCREATE, IfReq(name), Cred())
