"""Raw sockets: what they hear, what they may write."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from libnet.addr import SockaddrIn, inet_pton
from libnet.engine.kern.socket import SO_BINDTODEVICE, SOL_SOCKET, Cred
from libnet.errors import NetError
from libnet.wire.cksum import in_cksum
from libnet.wire.icmp import icmp_echo
from libnet.wire.ipv4 import Ipv4, ip_build

ME, PEER = inet_pton("10.0.0.1"), inet_pton("10.0.0.9")
IP_HDRINCL, IP_TTL, IP_TOS, RECVDSTADDR, RECVIF, RECVTTL = 2, 4, 3, 7, 20, 23


@pytest.fixture
def one(host):
    h = host(1)
    nic = h.nic("wm0", "10.0.0.1/24")
    nic.neighbour("10.0.0.9", b"\2\0\0\0\xaa\x09")
    nic.take()
    return h, nic


def rx(nic, proto=99, src=PEER, dst=ME, **kw):
    packet = ip_build(b"payload", src=src, dst=dst, proto=proto, **kw)
    nic.rx_ip(packet)
    return packet


def test_the_packet_is_delivered_as_on_the_wire(one):
    h, nic = one
    so = h.raw(99)
    packet = rx(nic, ident=77, ttl=9)
    record = so.recv()
    assert record.data == packet
    assert record.frm == SockaddrIn(PEER)


def test_every_socket_that_wants_it_gets_it(one):
    h, nic = one
    every, mine, other = h.raw(0), h.raw(99), h.raw(98)
    bound, far = h.raw(99), h.raw(99)
    bound.bind(SockaddrIn(ME))
    far.connect(SockaddrIn(inet_pton("10.0.0.7")))
    rx(nic)
    got = [so.readable() for so in (every, mine, other, bound, far)]
    assert got == [True, True, False, True, False]


def test_control_data(one):
    h, nic = one
    so = h.raw(99)
    for name in (RECVDSTADDR, RECVIF, RECVTTL):
        so.setopt(0, name, 1)
        assert so.getopt(0, name) == 1
    rx(nic, ttl=9)
    assert so.recv().control == {"dstaddr": ME, "recvif": "wm0", "ttl": 9}


def test_a_full_buffer_is_counted(one):
    h, nic = one
    so = h.raw(99)
    so.setopt(SOL_SOCKET, 0x1002, 100)
    for _ in range(5):
        rx(nic)
    assert h.stat("ip")["rawfull"] == 4
    assert so.recv().data


def test_ttl_and_tos(one):
    h, nic = one
    so = h.raw(99)
    so.setopt(0, IP_TTL, 3)
    so.setopt(0, IP_TOS, 16)
    so.send(b"x", SockaddrIn(PEER))
    got = Ipv4.parse(nic.take()[0][14:])
    assert (got.ttl, got.tos, got.p, got.src) == (3, 16, 99, ME)
    h.raw(99).send(b"x", SockaddrIn(PEER))
    assert Ipv4.parse(nic.take()[0][14:]).ttl == 255


def test_a_header_of_ones_own(one):
    h, nic = one
    so = h.raw(255)
    so.setopt(0, IP_HDRINCL, 1)
    mine = ip_build(icmp_echo(1, 1, b""), src=inet_pton("10.0.0.77"), dst=PEER, proto=1, ident=5)
    so.send(mine[:10] + b"\0\0" + mine[12:], SockaddrIn(PEER))
    assert nic.take()[0][14:] == mine
    blank = ip_build(b"", src=0, dst=PEER, proto=1)
    so.send(blank, SockaddrIn(PEER))
    got = Ipv4.parse(nic.take()[0][14:])
    assert got.src == ME
    assert got.id != 0
    assert in_cksum(got.header()) == 0
    assert h.stat("ip")["rawout"] == 2


@pytest.mark.parametrize(
    "data", [b"", b"\x45" * 19, b"\x45\0\0\x20" + bytes(20), b"\x65" + bytes(19)]
)
def test_a_bad_header_is_refused(one, data):
    h, nic = one
    so = h.raw(255)
    so.setopt(0, IP_HDRINCL, 1)
    with pytest.raises(NetError, match="Invalid argument"):
        so.send(data, SockaddrIn(PEER))
    assert nic.take() == []


def test_connected_and_not(one):
    h, _nic = one
    so = h.raw(99)
    with pytest.raises(NetError, match="not connected"):
        so.send(b"x", None)
    with pytest.raises(NetError, match="not connected"):
        so.usrreq.peeraddr(so)
    so.connect(SockaddrIn(PEER))
    assert so.send(b"x", None) == 1
    with pytest.raises(NetError, match="already connected"):
        so.send(b"x", SockaddrIn(PEER))


def test_only_the_superuser_has_them(one):
    h, _nic = one
    with pytest.raises(NetError, match="Permission denied"):
        h.stack.socreate(2, 3, 1, Cred(suser=False, uid=7))


def test_a_bound_device_hears_and_speaks_there_only(one):
    h, nic = one
    other = h.nic("wm1", "10.5.0.1/24")
    so = h.raw(99)
    so.setopt(SOL_SOCKET, SO_BINDTODEVICE, "wm1")
    rx(nic)
    assert not so.readable()
    rx(other, dst=inet_pton("10.5.0.1"))
    assert so.readable()
    nic.take()
    so.send(b"x", SockaddrIn(inet_pton("224.0.0.1")))
    assert (len(nic.take()), len(other.take())) == (0, 1)


def test_the_list_of_sockets(one):
    h, _nic = one
    h.raw(99).connect(SockaddrIn(PEER))
    (row,) = h.stack.rip.pcblist()
    assert (row.proto, row.laddr, row.faddr) == ("raw", 0, PEER)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(st.binary(max_size=80), st.booleans())
def test_whatever_is_written_is_sent_or_refused(one, data, own):
    h, nic = one
    so = h.raw(99)
    so.setopt(0, IP_HDRINCL, int(own))
    try:
        so.send(data, SockaddrIn(PEER))
    except NetError:
        assert own
    for frame in nic.take():
        assert in_cksum(frame[14 : 14 + ((frame[14] & 15) << 2)]) == 0
    so.close()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(
    st.integers(0, 70),
    st.one_of(st.integers(-5, 300), st.binary(max_size=44), st.none(), st.text(max_size=3)),
)
def test_any_option_is_taken_or_refused(one, name, value):
    h, _nic = one
    so = h.raw(99)
    try:
        so.setopt(0, name, value)
        so.getopt(0, name)
    except NetError as exc:
        assert exc.symbol in ("EINVAL", "ENOPROTOOPT", "EADDRNOTAVAIL")
    so.close()
