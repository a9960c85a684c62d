"""UDP sockets: ports, who hears what, errors, checksums."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from libnet.addr import IpMreq, Sockaddr, SockaddrDl, SockaddrIn, inet_pton
from libnet.engine.kern.socket import (
    SO_BINDTODEVICE,
    SO_BROADCAST,
    SO_REUSEADDR,
    SO_REUSEPORT,
    SOL_SOCKET,
)
from libnet.errors import NetError
from libnet.wire.icmp import Icmp
from libnet.wire.ipv4 import Ipv4, ip_build
from libnet.wire.udp import udp_build

ME, PEER = inet_pton("10.0.0.1"), inet_pton("10.0.0.9")


@pytest.fixture
def one(host):
    h = host(1)
    nic = h.nic("wm0", "10.0.0.1/24")
    nic.neighbour("10.0.0.9", b"\2\0\0\0\xaa\x09")
    nic.take()
    return h, nic


def rx(nic, dport=5000, data=b"hi", *, sport=9, src=PEER, dst=ME, lldst=b"", body=None):
    octets = udp_build(sport, dport, data, src=src, dst=dst) if body is None else body
    nic.rx_ip(ip_build(octets, src=src, dst=dst, proto=17), dst=lldst)


def at(addr, port):
    return SockaddrIn(inet_pton(addr), port)


def test_two_hosts_talk(pair):
    a, b, wire = pair
    server, client = b.udp(5000), a.udp()
    client.connect(at("10.0.0.2", 5000))
    client.send(b"question", None)
    wire.pump()
    record = server.recv()
    assert record.data == b"question"
    server.send(b"x" * 9000, record.frm)
    wire.pump()
    assert client.recv().data == b"x" * 9000


def test_nobody_there_is_refused(pair):
    a, _b, wire = pair
    client = a.udp()
    client.connect(at("10.0.0.2", 5000))
    client.send(b"question", None)
    wire.pump()
    with pytest.raises(NetError, match="Connection refused"):
        client.recv()


FAULTS = [
    ("hdrops", b"\0\1\0\2\0\x08"),
    ("badlen", b"\0\1\x13\x88\0\x07\0\0"),
    ("badlen", b"\0\1\x13\x88\0\x20\0\0"),
    ("badsum", b"\0\1\x13\x88\0\x08\0\1"),
    ("noport", b"\0\1\x13\x89\0\x08\0\0"),
    ("noport", b"\0\1\0\0\0\x08\0\0"),
]


@pytest.mark.parametrize(("counter", "body"), FAULTS)
def test_each_fault_has_its_counter(one, counter, body):
    h, nic = one
    so = h.udp(5000)
    rx(nic, body=body)
    assert h.stat("udp")[counter] == 1
    assert not so.readable()


def test_no_checksum_is_no_fault(one):
    h, nic = one
    so = h.udp(5000)
    rx(nic, body=b"\0\1\x13\x88\0\x09\0\0!")
    assert so.recv().data == b"!"


def test_port_unreachable_quotes_the_ports(one):
    _h, nic = one
    rx(nic, 7777)
    (out,) = nic.take()
    error = Icmp.parse(Ipv4.parse(out[14:]).payload)
    assert (error.type, error.code) == (3, 3)
    assert bytes(error.payload)[20:24] == b"\0\x09\x1e\x61"


def test_a_broadcast_to_nobody_is_not_answered(one):
    h, nic = one
    rx(nic, 7777, dst=inet_pton("10.0.0.255"), lldst=b"\xff" * 6)
    assert nic.take() == []
    assert h.stat("udp")["noportbcast"] == 1


def test_a_full_socket_is_counted(one):
    h, nic = one
    so = h.udp(5000)
    so.setopt(SOL_SOCKET, 0x1002, 10)
    rx(nic, data=bytes(8))
    rx(nic, data=bytes(8))
    assert h.stat("udp")["fullsock"] == 1
    assert len(so.recv().data) == 8


def test_the_more_specific_socket_gets_it(one):
    h, nic = one
    anyone = h.udp()
    anyone.setopt(SOL_SOCKET, SO_REUSEADDR, 1)
    anyone.bind(at("0.0.0.0", 5000))
    mine = h.udp()
    mine.setopt(SOL_SOCKET, SO_REUSEADDR, 1)
    mine.bind(at("10.0.0.1", 5000))
    peer = h.udp()
    peer.setopt(SOL_SOCKET, SO_REUSEPORT, 1)
    rx(nic)
    assert (anyone.readable(), mine.readable()) == (False, True)
    mine.recv()
    mine.connect(SockaddrIn(PEER, 9))
    rx(nic)
    assert mine.readable()
    rx(nic, sport=10)
    assert anyone.readable()


def test_broadcasts_go_to_all_who_share(one):
    h, nic = one
    sharing = []
    for _ in range(3):
        so = h.udp()
        so.setopt(SOL_SOCKET, SO_REUSEPORT, 1)
        so.bind(at("0.0.0.0", 5000))
        sharing.append(so)
    rx(nic, dst=inet_pton("10.0.0.255"), lldst=b"\xff" * 6)
    assert [so.readable() for so in sharing] == [True] * 3
    for so in sharing:
        so.recv()
    rx(nic)
    assert sum(so.readable() for so in sharing) == 1
    h.stack.udp.reuseport_unicast = True
    rx(nic)
    assert all(so.readable() for so in sharing)


def test_a_multicast_reaches_members(one):
    h, nic = one
    so = h.udp(5000)
    group = inet_pton("239.1.2.3")
    link = b"\1\0\x5e\1\2\3"
    rx(nic, dst=group, lldst=link)
    assert not so.readable()
    so.setopt(0, 12, IpMreq(group, ME))
    rx(nic, dst=group, lldst=link)
    assert so.recv().data == b"hi"
    with pytest.raises(NetError, match="in use"):
        so.setopt(0, 12, IpMreq(group, ME))
    so.setopt(0, 13, IpMreq(group))
    with pytest.raises(NetError, match="Can't assign"):
        so.setopt(0, 13, IpMreq(group))


@pytest.mark.parametrize(
    ("options", "first", "second", "works"),
    [
        (0, "0.0.0.0", "0.0.0.0", False),
        (0, "0.0.0.0", "10.0.0.1", False),
        (SO_REUSEADDR, "0.0.0.0", "10.0.0.1", True),
        (SO_REUSEADDR, "0.0.0.0", "0.0.0.0", False),
        (SO_REUSEPORT, "0.0.0.0", "0.0.0.0", True),
        (SO_REUSEADDR, "239.1.2.3", "239.1.2.3", True),
        (0, "10.0.0.1", "10.0.0.2", True),
    ],
)
def test_who_may_share_a_port(one, options, first, second, works):
    h, _nic = one
    h.addr("wm0", "10.0.0.2/24")
    a, b = h.udp(), h.udp()
    for so in (a, b):
        if options:
            so.setopt(SOL_SOCKET, options, 1)
    a.bind(at(first, 5000))
    if works:
        b.bind(at(second, 5000))
    else:
        with pytest.raises(NetError, match="already in use"):
            b.bind(at(second, 5000))


def test_binding_goes_wrong_in_these_ways(one):
    h, _nic = one
    so = h.udp(suser=False)
    for symbol, addr in (
        ("EACCES", at("0.0.0.0", 53)),
        ("EADDRNOTAVAIL", at("10.0.0.7", 5000)),
        ("EAFNOSUPPORT", SockaddrDl(1)),
        ("EINVAL", SockaddrIn(0, 70000)),
    ):
        with pytest.raises(NetError) as caught:
            so.bind(addr)
        assert caught.value.symbol == symbol
    so.bind(at("10.0.0.1", 5000))
    with pytest.raises(NetError, match="Invalid argument"):
        so.bind(at("10.0.0.1", 5001))


def test_another_user_does_not_get_the_port(one):
    h, _nic = one
    mine = h.udp()
    mine.setopt(SOL_SOCKET, SO_REUSEADDR, 1)
    mine.bind(at("0.0.0.0", 5000))
    thief = h.udp(suser=False)
    thief.setopt(SOL_SOCKET, SO_REUSEADDR, 1)
    with pytest.raises(NetError, match="already in use"):
        thief.bind(at("10.0.0.1", 5000))


def test_ephemeral_ports_are_of_the_range_until_it_is_used_up(one):
    h, _nic = one
    ip = h.stack.ip
    ip.anonportmin, ip.anonportmax = 50000, 50009
    ports = []
    for _ in range(10):
        so = h.udp()
        so.bind(at("0.0.0.0", 0))
        ports.append(so.usrreq.sockaddr(so).port)
    assert sorted(ports) == list(range(50000, 50010))
    assert ports != sorted(ports)
    with pytest.raises(NetError, match="temporarily unavailable"):
        h.udp().bind(at("0.0.0.0", 0))
    low = h.udp()
    low.setopt(0, 19, 2)
    low.bind(at("0.0.0.0", 0))
    assert 600 <= low.usrreq.sockaddr(low).port <= 1023
    poor = h.udp(suser=False)
    poor.setopt(0, 19, 2)
    with pytest.raises(NetError, match="Permission denied"):
        poor.bind(at("0.0.0.0", 0))


def test_sending_goes_wrong_in_these_ways(one):
    h, _nic = one
    so = h.udp()
    for symbol, data, addr in (
        ("EDESTADDRREQ", b"", None),
        ("EADDRNOTAVAIL", b"", SockaddrIn(PEER, 0)),
        ("EMSGSIZE", bytes(9217), SockaddrIn(PEER, 9)),
        ("EAFNOSUPPORT", b"", SockaddrDl(1)),
    ):
        with pytest.raises(NetError) as caught:
            so.send(data, addr)
        assert caught.value.symbol == symbol
    so.setopt(SOL_SOCKET, 0x1001, 70000)
    with pytest.raises(NetError, match="Message too long"):
        so.send(bytes(65508), SockaddrIn(PEER, 9))
    so.connect(SockaddrIn(PEER, 9))
    with pytest.raises(NetError, match="already connected"):
        so.send(b"", SockaddrIn(PEER, 9))
    with pytest.raises(NetError, match="already connected"):
        so.connect(SockaddrIn(PEER, 9))
    so.connect(Sockaddr())
    so.connect(SockaddrIn(PEER, 10))


def test_without_an_interface_the_limited_broadcast_leaves_by_the_first(one):
    h, nic = one
    so = h.udp()
    so.setopt(SOL_SOCKET, SO_BROADCAST, 1)
    so.send(b"x", at("255.255.255.255", 67))
    got = Ipv4.parse(nic.take()[0][14:])
    assert got.dst == inet_pton("10.0.0.255")


def test_a_bound_device_may_speak_before_it_has_an_address(host):
    h = host(1)
    nic = h.nic("wm0")
    nic.ifp.up()
    so = h.udp()
    so.setopt(SOL_SOCKET, SO_BINDTODEVICE, "wm0")
    so.setopt(SOL_SOCKET, SO_BROADCAST, 1)
    so.send(b"discover", at("255.255.255.255", 67))
    (out,) = nic.take()
    got = Ipv4.parse(out[14:])
    assert (out[:6], got.src, got.dst) == (b"\xff" * 6, 0, 0xFFFFFFFF)


def test_a_bound_device_hears_only_there(one):
    h, nic = one
    other = h.nic("wm1", "10.5.0.1/24")
    so = h.udp()
    so.setopt(SOL_SOCKET, SO_BINDTODEVICE, "wm1")
    so.bind(at("0.0.0.0", 5000))
    rx(nic)
    assert not so.readable()
    rx(other, dst=inet_pton("10.5.0.1"))
    assert so.readable()


def test_checksums_can_be_switched_off(one):
    h, nic = one
    h.stack.udp.checksum = 0
    h.udp(1024).send(b"x", SockaddrIn(PEER, 9))
    assert nic.take()[0][14 + 26 : 14 + 28] == b"\0\0"


def test_the_list_of_sockets(one):
    h, _nic = one
    h.udp(68)
    h.udp(5000).connect(SockaddrIn(PEER, 9))
    rows = h.stack.udp.pcblist()
    assert [(r.proto, r.laddr, r.lport, r.faddr, r.fport) for r in rows] == [
        ("udp", 0, 68, 0, 0),
        ("udp", ME, 5000, PEER, 9),
    ]
    assert len({r.pcbaddr for r in rows}) == 2


def test_a_closed_socket_leaves_nothing(one):
    h, nic = one
    so = h.udp(5000)
    so.connect(SockaddrIn(PEER, 9))
    so.close()
    table = h.stack.udp.table
    assert (table.pcbs, table.byport, table.connected) == ({}, {}, {})
    rx(nic)
    assert h.stat("udp")["noport"] == 1


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(st.binary(max_size=60))
def test_no_datagram_upsets_it(one, octets):
    h, nic = one
    so = h.udp(0x1388) if 0x1388 not in h.stack.udp.table.byport else None
    rx(nic, body=octets)
    rx(nic, body=b"\0\1\x13\x88" + octets)
    if so is not None:
        so.close()


_PORT = st.integers(4999, 5003)
_STEP = st.one_of(
    st.tuples(st.just("bind"), st.sampled_from(["0.0.0.0", "10.0.0.1", "127.0.0.1"]), _PORT),
    st.tuples(st.just("connect"), st.sampled_from(["10.0.0.9", "10.0.0.1"]), _PORT),
    st.tuples(st.just("reuse"), st.sampled_from(["addr", "port"]), st.just(0)),
    st.tuples(st.just("close"), st.just(""), st.just(0)),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(st.lists(st.tuples(st.integers(0, 3), _STEP), max_size=30))
def test_the_dicts_always_hold_what_the_sockets_say(host, steps):
    h = host(2)
    h.nic("wm0", "10.0.0.1/24")
    open_ = [h.udp() for _ in range(4)]
    for which, (what, addr, port) in steps:
        so = open_[which]
        try:
            if what == "bind":
                so.bind(at(addr, port))
            elif what == "connect":
                so.connect(at(addr, port))
            elif what == "reuse":
                option = SO_REUSEADDR if addr == "addr" else SO_REUSEPORT
                so.setopt(SOL_SOCKET, option, 1)
            else:
                so.close()
                open_[which] = h.udp()
        except NetError:
            continue
    table = h.stack.udp.table
    assert set(table.pcbs) == {so.pcb for so in open_}
    bound = {inp for same in table.byport.values() for inp in same}
    assert bound == {inp for inp in table.pcbs if inp.lport}
    assert set(table.connected.values()) == {inp for inp in table.pcbs if inp.faddr}
