"""ICMP: answers, errors and their limits, redirects, path MTU, and fuzz."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from libnet.addr import SockaddrIn, inet_pton
from libnet.errors import NetError
from libnet.wire.cksum import in_cksum
from libnet.wire.icmp import Icmp, icmp_build, icmp_echo
from libnet.wire.ipv4 import IP_DF, Ipv4, ip_build
from libnet.wire.rtsock import RTF_DYNAMIC, RTF_HOST, RTV_MTU
from libnet.wire.udp import udp_build

ME, PEER = inet_pton("10.0.0.1"), inet_pton("10.0.0.9")
FAR = inet_pton("172.16.0.1")


@pytest.fixture
def one(host):
    h = host(1)
    nic = h.nic("wm0", "10.0.0.1/24")
    for last in (9, 10, 11):
        nic.neighbour(f"10.0.0.{last}", bytes((2, 0, 0, 0, 0xAA, last)))
    nic.take()
    h.stack.stats["icmp"].clear()
    return h, nic


def rx(nic, message, src=PEER, dst=ME, **kw):
    nic.rx_ip(ip_build(message, src=src, dst=dst, proto=1, **kw))


def answers(nic):
    return [Ipv4.parse(f[14:]) for f in nic.take() if f[12:14] == b"\x08\0"]


def quote(payload=None, src=ME, dst=FAR, off=0, size=1472):
    body = udp_build(1024, 53, bytes(size), src=src, dst=dst) if payload is None else payload
    return ip_build(body, src=src, dst=dst, proto=17, off=off)


def test_an_echo_comes_back_whole(one):
    h, nic = one
    rx(nic, icmp_echo(7, 9, b"payload"), tos=16)
    (got,) = answers(nic)
    assert (got.src, got.dst, got.ttl, got.tos) == (ME, PEER, 255, 16)
    assert bytes(got.payload) == icmp_echo(7, 9, b"payload", 0)
    assert h.stat("icmp") == {"inhist.8": 1, "reflect": 1, "outhist.0": 1}


@pytest.mark.parametrize("dst", ["10.0.0.255", "255.255.255.255"])
def test_a_broadcast_echo_is_answered_by_name(one, dst):
    _h, nic = one
    packet = ip_build(icmp_echo(1, 1, b""), src=PEER, dst=inet_pton(dst), proto=1)
    nic.rx_ip(packet, dst=b"\xff" * 6)
    (got,) = answers(nic)
    assert got.src == ME


def test_an_echo_from_nowhere_is_not_answered(one):
    h, nic = one
    rx(nic, icmp_echo(1, 1, b""), src=inet_pton("240.0.0.1"))
    assert answers(nic) == []
    assert h.stat("icmp")["badreturn"] == 1


def test_a_timestamp(one):
    h, nic = one
    h.run(12.5)
    rx(nic, icmp_build(13, 0, 0x00050006, (1000).to_bytes(4, "big") + bytes(8)))
    (got,) = answers(nic)
    body = bytes(got.payload)
    assert in_cksum(body) == 0
    now = h.stack.ip.iptime()
    assert body[0] == 14
    assert [int.from_bytes(body[i : i + 4], "big") for i in (8, 12, 16)] == [1000, now, now]


def test_the_mask_is_told_only_if_allowed(one):
    h, nic = one
    rx(nic, icmp_build(17, 0, 0, bytes(4)))
    assert answers(nic) == []
    h.stack.icmp.maskrepl = 1
    rx(nic, icmp_build(17, 0, 0, bytes(4)))
    (got,) = answers(nic)
    assert bytes(got.payload)[8:12] == b"\xff\xff\xff\0"


BAD = [
    ("tooshort", b"\x08\0\0\0"),
    ("checksum", b"\x08\0\0\0\0\0\0\0"),
    ("badlen", icmp_build(13, 0, 0, b"")),
    ("badlen", icmp_build(3, 1, 0, bytes(10))),
    ("badlen", icmp_build(3, 1, 0, quote()[:24])),
    ("badcode", icmp_build(3, 99, 0, quote()[:28])),
    ("badcode", icmp_build(11, 2, 0, quote()[:28])),
    ("badcode", icmp_build(12, 2, 0, quote()[:28])),
    ("badcode", icmp_build(4, 1, 0, quote()[:28])),
    ("badcode", icmp_build(5, 4, 0, quote()[:28])),
]


@pytest.mark.parametrize(("counter", "message"), BAD)
def test_bad_messages_are_counted(one, counter, message):
    h, nic = one
    rx(nic, message)
    assert h.stat("icmp")[counter] == 1
    assert answers(nic) == []


def test_no_error_about_an_error(one):
    h, nic = one
    h.stack.ip.forwarding = 1
    rx(nic, icmp_build(3, 1, 0, quote()[:28]), dst=FAR)
    assert answers(nic) == []
    assert h.stat("icmp")["oldicmp"] == 1


def test_no_error_about_a_later_fragment_or_a_broadcast(one):
    h, nic = one
    h.stack.ip.forwarding = 1
    nic.rx_ip(ip_build(bytes(8), src=PEER, dst=FAR, proto=17, off=5))
    assert answers(nic) == []
    assert h.stat("icmp")["nofirstfrag"] == 1


def test_a_hundred_errors_a_second(one):
    h, nic = one
    for _ in range(150):
        nic.rx_ip(quote(src=PEER, dst=ME, size=1))
    assert len(answers(nic)) == 100
    assert h.stat("icmp")["error"] == 150
    assert h.stat("icmp")["ratelimited"] == 50
    h.run(1.0)
    nic.rx_ip(quote(src=PEER, dst=ME, size=1))
    assert len(answers(nic)) == 1
    h.stack.icmp.errppslimit = 0
    h.run(1.0)
    nic.rx_ip(quote(src=PEER, dst=ME, size=1))
    assert answers(nic) == []
    h.stack.icmp.errppslimit = -1
    for _ in range(300):
        nic.rx_ip(quote(src=PEER, dst=ME, size=1))
    assert len(answers(nic)) == 300


def test_raw_listeners_hear_replies_and_errors_but_no_echo_requests(one):
    h, nic = one
    so = h.raw(1)
    rx(nic, icmp_echo(1, 1, b""))
    rx(nic, icmp_echo(1, 1, b"", 0))
    rx(nic, icmp_build(3, 1, 0, quote()[:28]))
    rx(nic, icmp_build(40, 1, 0, b""))
    kinds = []
    while so.readable():
        kinds.append(so.recv().data[20])
    assert kinds == [0, 3, 40]


# -- redirects


@pytest.fixture
def routed(one):
    h, nic = one
    h.gateway("0.0.0.0/0", "10.0.0.9")
    return h, nic


def redirect(nic, *, src=PEER, to="10.0.0.10"):
    rx(nic, icmp_build(5, 1, inet_pton(to), quote()[:28]), src=src)


def test_a_redirect_makes_a_route_for_a_while(routed):
    h, nic = routed
    redirect(nic)
    rt = h.stack.route.rtlookup(FAR)
    assert rt.gateway == SockaddrIn(inet_pton("10.0.0.10"))
    assert rt.flags & (RTF_DYNAMIC | RTF_HOST) == RTF_DYNAMIC | RTF_HOST
    assert h.stack.stats["route"]["dynamic"] == 1
    h.raw(1).send(icmp_echo(1, 1, b""), SockaddrIn(FAR))
    assert nic.take()[-1][5] == 10
    h.run(h.stack.icmp.redirtimeout)
    assert h.stack.route.rtlookup(FAR).flags & RTF_DYNAMIC == 0


@pytest.mark.parametrize(("src", "to"), [("10.0.0.11", "10.0.0.10"), ("10.0.0.9", "10.7.0.1")])
def test_a_redirect_from_a_stranger_or_to_nowhere_is_refused(routed, src, to):
    h, nic = routed
    redirect(nic, src=inet_pton(src), to=to)
    assert h.stack.route.rtlookup(FAR).gateway == SockaddrIn(PEER)
    assert h.stack.stats["route"]["badredirect"] == 1


def test_redirects_may_be_refused_altogether(routed):
    h, nic = routed
    h.stack.icmp.rediraccept = 0
    redirect(nic)
    assert h.stack.route.rtlookup(FAR).gateway == SockaddrIn(PEER)
    assert h.stat("icmp")["redirrefused"] == 1


# -- path MTU


def needfrag(nic, mtu, packet=None):
    rx(nic, icmp_build(3, 4, mtu, (packet or quote(off=IP_DF))[:28]))


def test_a_path_mtu_is_learned_kept_and_forgotten(routed):
    h, nic = routed
    heard = []
    h.stack.icmp.mtudisc.append(heard.append)
    needfrag(nic, 1400)
    rt = h.stack.route.rtlookup(FAR)
    assert (rt.mtu, rt.plen, heard) == (1400, 32, [FAR])
    assert h.stat("icmp")["pmtuchg"] == 1
    h.udp(1024).send(bytes(1472), SockaddrIn(FAR, 53))
    assert [len(f) - 14 for f in nic.take()] == [1396, 124]
    needfrag(nic, 1450)
    assert h.stack.route.rtlookup(FAR).mtu == 1400  # it only gets smaller
    h.run(h.stack.ip.mtudisctimeout)
    assert h.stack.route.rtlookup(FAR).mtu == 0


def test_an_old_router_names_no_size_so_the_table_does(routed):
    h, nic = routed
    needfrag(nic, 0)
    assert h.stack.route.rtlookup(FAR).mtu == 1492


def test_a_silly_size_switches_discovery_off_for_the_path(routed):
    h, nic = routed
    needfrag(nic, 68)
    rt = h.stack.route.rtlookup(FAR)
    assert rt.locks & RTV_MTU
    assert rt.mtu == 0


@pytest.mark.parametrize(
    ("mtu", "packet"),
    [
        (1400, quote(off=0)),  # might be cut
        (1400, quote(off=IP_DF, src=PEER)),  # not ours
        (1500, quote(off=IP_DF)),  # would have fitted
    ],
)
def test_what_cannot_be_about_a_packet_of_ours_is_not_believed(routed, mtu, packet):
    h, nic = routed
    needfrag(nic, mtu, packet)
    assert h.stack.route.rtlookup(FAR).mtu == 0
    assert h.stat("icmp")["pmtuforged"] == 1


def test_discovery_can_be_switched_off(routed):
    h, nic = routed
    h.stack.ip.mtudisc = 0
    needfrag(nic, 1400)
    assert h.stack.route.rtlookup(FAR).mtu == 0


# -- news for sockets


@pytest.mark.parametrize(
    ("kind", "code", "text"),
    [
        (3, 0, "No route to host"),
        (3, 1, "No route to host"),
        (3, 3, "Connection refused"),
        (3, 13, "No route to host"),
        (3, 4, "Message too long"),
        (12, 0, "Protocol not available"),
        (11, 0, None),
        (4, 0, None),
    ],
)
def test_a_connected_socket_hears_of_it(routed, kind, code, text):
    h, nic = routed
    so = h.udp(1024)
    so.connect(SockaddrIn(FAR, 53))
    rx(nic, icmp_build(kind, code, 0, quote()[:28]))
    with pytest.raises(NetError) as caught:
        so.recv()
    assert caught.value.strerror == (text or "Resource temporarily unavailable")


def test_another_socket_does_not(routed):
    h, nic = routed
    so = h.udp(1025)
    so.connect(SockaddrIn(FAR, 53))
    rx(nic, icmp_build(3, 3, 0, quote()[:28]))
    with pytest.raises(NetError, match="temporarily unavailable"):
        so.recv()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(
    st.integers(0, 41),
    st.integers(0, 16),
    st.integers(0, 2**32 - 1),
    st.one_of(st.binary(max_size=60), st.binary(max_size=20).map(lambda b: quote()[:28] + b)),
)
def test_no_message_upsets_it(routed, kind, code, hun, payload):
    h, nic = routed
    h.stack.icmp.maskrepl = 1
    message = icmp_build(kind, code, hun, payload)
    rx(nic, message)
    for got in answers(nic):
        assert in_cksum(bytes(got.payload)) == 0
        assert Icmp.parse(got.payload).type in (0, 14, 18)
    h.run()
