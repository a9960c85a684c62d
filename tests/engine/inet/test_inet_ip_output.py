"""ip_output: routes, source addresses, broadcasts, fragments, offload; scapy reads what leaves."""

from __future__ import annotations

import pytest

from libnet.addr import IpMreq, SockaddrIn, inet_pton
from libnet.engine.inet.ip_var import NeedFrag
from libnet.engine.kern.mbuf import Mbuf
from libnet.engine.kern.socket import SO_BROADCAST, SO_DONTROUTE, SOL_SOCKET
from libnet.engine.pfil.pfil import PFIL_OUT
from libnet.errors import NetError
from libnet.ioctl.ifflags import IFCAP_IP4CSUM, IFCAP_UDP4CSUM
from libnet.wire.cksum import in4_cksum, in_cksum, pseudo_sum
from libnet.wire.frame import CSUM_IP4, CSUM_L4, Frame
from libnet.wire.ipv4 import IP_MF, Ipv4
from libnet.wire.rtsock import RTF_BLACKHOLE, RTF_HOST, RTF_REJECT

A, B = inet_pton("10.0.0.1"), inet_pton("10.0.0.9")
PEER = b"\2\0\0\0\xaa\x09"


@pytest.fixture
def one(host):
    h = host(1)
    nic = h.nic("wm0", "10.0.0.1/24")
    nic.neighbour("10.0.0.9", PEER)
    nic.take()
    h.stack.stats["ip"].clear()
    return h, nic


def to(addr, port=9):
    return SockaddrIn(inet_pton(addr), port)


def test_a_datagram_as_scapy_reads_it(one):
    scapy = pytest.importorskip("scapy.layers.l2")
    pytest.importorskip("scapy.layers.inet")
    h, nic = one
    h.udp(1234).send(b"hello", to("10.0.0.9"))
    (out,) = nic.take()
    seen = scapy.Ether(out)
    assert (seen["IP"].src, seen["IP"].dst, seen["IP"].ttl) == ("10.0.0.1", "10.0.0.9", 64)
    assert (seen["UDP"].sport, seen["UDP"].dport) == (1234, 9)
    assert bytes(seen["UDP"].payload) == b"hello"
    again = seen.copy()
    del again["IP"].chksum
    del again["UDP"].chksum
    assert bytes(again) == out


def test_identifications_count_up_and_random_id_does_not(one):
    h, nic = one
    so = h.udp(1234)
    for _ in range(3):
        so.send(b"", to("10.0.0.9"))
    ids = [Ipv4.parse(f[14:]).id for f in nic.take()]
    assert [(i - ids[0]) & 0xFFFF for i in ids] == [0, 1, 2]
    h.stack.ip.random_id = 1
    for _ in range(3):
        so.send(b"", to("10.0.0.9"))
    ids = [Ipv4.parse(f[14:]).id for f in nic.take()]
    assert [(i - ids[0]) & 0xFFFF for i in ids] != [0, 1, 2]


def test_no_route(one):
    h, _nic = one
    with pytest.raises(NetError, match="No route to host"):
        h.raw(1).send(b"12345678", to("172.16.0.1"))
    assert h.stat("ip")["noroute"] == 1


@pytest.mark.parametrize(
    ("flags", "text"),
    [(RTF_REJECT | RTF_HOST, "No route to host"), (RTF_REJECT, "Network is unreachable")],
)
def test_reject_routes(one, flags, text):
    h, _nic = one
    mask = None if flags & RTF_HOST else 0xFFFF0000
    gate = SockaddrIn(inet_pton("127.0.0.1"))
    h.stack.route.rtrequest("add", inet_pton("172.16.0.0"), mask, gate, flags | 2)
    with pytest.raises(NetError, match=text):
        h.raw(1).send(b"12345678", to("172.16.0.0"))
    assert h.stat("ip")["noroute"] == 1


def test_a_blackhole_says_nothing(one):
    h, nic = one
    gate = SockaddrIn(inet_pton("127.0.0.1"))
    h.stack.route.rtrequest("add", inet_pton("172.16.0.0"), 0xFFFF0000, gate, RTF_BLACKHOLE | 2)
    h.raw(1).send(b"12345678", to("172.16.0.1"))
    assert h.stat("ip")["blackhole"] == 1
    assert nic.take() == []


def test_a_gateway_gets_the_frame_the_host_the_packet(one):
    h, nic = one
    h.gateway("0.0.0.0/0", "10.0.0.9")
    h.raw(1).send(b"12345678", to("172.16.0.1"))
    (out,) = nic.take()
    assert out[:6] == PEER
    assert Ipv4.parse(out[14:]).dst == inet_pton("172.16.0.1")


def test_dontroute_reaches_only_our_nets(one):
    h, nic = one
    h.gateway("0.0.0.0/0", "10.0.0.9")
    so = h.raw(1)
    so.setopt(SOL_SOCKET, SO_DONTROUTE, 1)
    with pytest.raises(NetError, match="Network is unreachable"):
        so.send(b"12345678", to("172.16.0.1"))
    so.send(b"12345678", to("10.0.0.9"))
    assert Ipv4.parse(nic.take()[0][14:]).ttl == 1


def test_broadcast_needs_leave(one):
    h, nic = one
    so = h.udp(1234)
    with pytest.raises(NetError, match="Permission denied"):
        so.send(b"x", to("10.0.0.255"))
    so.setopt(SOL_SOCKET, SO_BROADCAST, 1)
    so.send(b"x", to("10.0.0.255"))
    (out,) = nic.take()
    assert out[:6] == b"\xff" * 6
    with pytest.raises(NetError, match="Message too long"):
        so.send(bytes(2000), to("10.0.0.255"))


def test_a_host_part_of_zero_is_a_broadcast_unless_told_otherwise(one):
    h, _nic = one
    so = h.udp(1234)
    with pytest.raises(NetError, match="Permission denied"):
        so.send(b"x", to("10.0.0.0"))
    h.stack.ip.hostzerobroadcast = 0
    h.stack.ip._changed("hostzerobroadcast")
    so.send(b"x", to("10.0.0.0"))
    assert h.stat("arp")["dfrtotal"] >= 1


def test_our_own_broadcast_is_heard_by_ourselves(one):
    h, _nic = one
    so = h.udp(1234)
    so.setopt(SOL_SOCKET, SO_BROADCAST, 1)
    so.send(b"x", to("10.0.0.255", 1234))
    h.run()
    assert so.recv().data == b"x"


def test_large_datagrams_are_cut_and_fit_together(one):
    h, nic = one
    body = bytes(range(256)) * 16
    h.udp(1234).send(body, to("10.0.0.9"))
    parts = [Ipv4.parse(f[14:]) for f in nic.take()]
    assert [p.len for p in parts] == [1500, 1500, 1164]
    assert [bool(p.off & IP_MF) for p in parts] == [True, True, False]
    assert len({p.id for p in parts}) == 1
    assert all(in_cksum(p.header()) == 0 for p in parts)
    whole = b"".join(bytes(p.payload) for p in parts)
    assert in4_cksum(A, B, 17, whole) == 0
    assert whole[8:] == body
    assert h.stat("ip")["fragmented"] == 1
    assert h.stat("ip")["ofragments"] == 3


def test_options_with_the_copy_bit_go_into_every_fragment(one):
    h, nic = one
    so = h.raw(77)
    security = bytes((130, 4, 1, 2))
    record = bytes((7, 7, 4, 0, 0, 0, 0, 0))
    so.setopt(0, 1, security + record)
    so.send(bytes(3000), to("10.0.0.9"))
    parts = [Ipv4.parse(f[14:]) for f in nic.take()]
    assert parts[0].options == security + record
    assert all(p.options == security for p in parts[1:])
    assert sum(len(p.payload) for p in parts) == 3000


def test_what_must_not_be_cut_is_refused_with_the_size_that_fits(one):
    h, _nic = one
    so = h.udp(1234)
    so.setopt(0, 67, 1)
    with pytest.raises(NeedFrag, match="Message too long") as caught:
        so.send(bytes(3000), to("10.0.0.9"))
    assert caught.value.mtu == 1500
    assert h.stat("ip")["cantfrag"] == 1
    assert so.getopt(0, 21) == 1500


def test_offload_leaves_the_sums_to_the_interface(one):
    h, nic = one
    nic.ifp.capabilities_tx = IFCAP_IP4CSUM | IFCAP_UDP4CSUM
    nic.ifp.set_capenable(0, IFCAP_IP4CSUM | IFCAP_UDP4CSUM)
    h.udp(1234).send(b"hello", to("10.0.0.9"))
    (out,) = nic.take()
    assert isinstance(out, Frame)
    assert out.csum == CSUM_IP4 | CSUM_L4
    got = Ipv4.parse(out[14:])
    assert got.sum == 0
    field = int.from_bytes(bytes(got.payload)[6:8], "big")
    assert field == pseudo_sum(A, B, 17, 13)


def test_checksums_on_the_loopback_are_spared_unless_wanted(one):
    h, _nic = one
    so = h.udp(1234)
    h.stack.ip.do_loopback_cksum = 1
    h.stack.udp.do_loopback_cksum = 1
    so.send(b"x", to("127.0.0.1", 1234))
    h.run()
    assert so.recv().data == b"x"
    h.stack.ip.do_loopback_cksum = 0
    so.send(b"y", to("127.0.0.1", 1234))
    h.run()
    assert so.recv().data == b"y"
    h.stack.udp.do_loopback_cksum = 0
    so.send(b"z", to("127.0.0.1", 1234))
    h.run()
    assert so.recv().data == b"z"
    assert h.stat("udp")["badsum"] == 0
    assert h.stat("ip")["badsum"] == 0


def test_the_input_queue_has_a_limit(one):
    h, _nic = one
    so = h.udp(1234)
    h.stack.ip.ifq_maxlen = 3
    for _ in range(5):
        so.send(b"x", to("127.0.0.1", 1234))
    assert (h.stack.ip.ifq_len, h.stack.ip.ifq_drops) == (3, 2)
    h.run()
    assert h.stack.ip.ifq_len == 0
    assert h.stat("udp")["ipackets"] == 3


def test_a_hook_sees_the_whole_packet_and_may_refuse_it(one):
    h, nic = one
    seen = []

    def refuse(m, ifp, direction):
        seen.append((m.data[0], m.dst, ifp.name))
        raise NetError("EHOSTUNREACH")

    h.stack.pfil.head(2).add(refuse, PFIL_OUT)
    with pytest.raises(NetError, match="No route to host"):
        h.udp(1234).send(b"x", to("10.0.0.9"))
    assert seen == [(0x45, B, "wm0")]
    assert nic.take() == []


def test_multicast_leaves_by_the_interface_asked_for_and_comes_back_to_members(one):
    h, nic = one
    so = h.udp(1234)
    group = inet_pton("239.1.2.3")
    so.setopt(0, 12, IpMreq(group, A))
    nic.take()
    so.setopt(0, 9, A)
    so.setopt(0, 10, 7)
    so.send(b"m", to("239.1.2.3", 1234))
    h.run()
    (out,) = nic.take()
    assert out[:6] == b"\1\0\x5e\1\2\3"
    assert Ipv4.parse(out[14:]).ttl == 7
    assert so.recv().data == b"m"
    so.setopt(0, 11, 0)
    so.send(b"n", to("239.1.2.3", 1234))
    h.run()
    assert not so.readable()


def test_a_packet_that_does_not_fit_into_a_header_is_refused(one):
    h, _nic = one
    m = Mbuf(bytes(65530))
    m.src, m.dst, m.proto, m.tos, m.ttl = A, B, 99, 0, 64
    with pytest.raises(NetError, match="Message too long"):
        h.stack.ip.output(m)


def test_super_frames_are_cut_for_an_interface_that_cannot(one):
    h, nic = one
    tcp = bytes.fromhex("1000 0050 00000064 00000000 50 19 ffff 0000 0000".replace(" ", ""))
    m = Mbuf(tcp + bytes(range(250)) * 10)
    m.src, m.dst, m.proto, m.tos, m.ttl = A, B, 6, 0, 64
    m.gso_size = 1000
    h.stack.ip.output(m)
    parts = [Ipv4.parse(f[14:]) for f in nic.take()]
    assert [len(p.payload) - 20 for p in parts] == [1000, 1000, 500]
    seqs = [int.from_bytes(bytes(p.payload)[4:8], "big") for p in parts]
    assert seqs == [100, 1100, 2100]
    assert [bytes(p.payload)[13] for p in parts] == [0x10, 0x10, 0x19]
    assert all(in4_cksum(A, B, 6, bytes(p.payload)) == 0 for p in parts)
    assert all(in_cksum(p.header()) == 0 for p in parts)
