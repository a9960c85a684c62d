"""IGMP on a stepped clock: reports, queries of both versions, leaving."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from libnet.addr import IpMreq, inet_pton
from libnet.wire.igmp import Igmp, igmp_build
from libnet.wire.ipv4 import Ipv4, ip_build, router_alert

ME, ROUTER = inet_pton("10.0.0.1"), inet_pton("10.0.0.254")
GROUP, ALL = inet_pton("239.1.2.3"), inet_pton("224.0.0.1")


@pytest.fixture
def one(host):
    h = host(1)
    return h, h.nic("wm0", "10.0.0.1/24")


def join(h, group=GROUP):
    so = h.udp(5000)
    so.setopt(0, 12, IpMreq(group, ME))
    return so


def rx(nic, message, dst=ALL):
    packet = ip_build(message, src=ROUTER, dst=dst, proto=2, ttl=1, options=router_alert())
    nic.rx_ip(packet, dst=b"\1\0\x5e" + (dst & 0x7FFFFF).to_bytes(3, "big"))


def sent(nic):
    out = []
    for frame in nic.take():
        packet = Ipv4.parse(frame[14:])
        message = Igmp.parse(packet.payload)
        assert packet.ttl == 1
        assert packet.options == router_alert()
        assert frame[:3] == b"\1\0\x5e"
        out.append((message.type, message.group, packet.dst))
    return out


REPORT = (0x16, GROUP, GROUP)


def test_joining_reports_at_once_and_again_within_ten_seconds(one):
    h, nic = one
    join(h)
    assert sent(nic) == [REPORT]
    h.run(10.0)
    assert sent(nic) == [REPORT]
    h.run(100.0)
    assert sent(nic) == []
    assert h.stat("igmp")["snd_reports"] == 2


def test_the_last_reporter_says_goodbye(one):
    h, nic = one
    so = join(h)
    h.run(10)
    nic.take()
    so.close()
    assert sent(nic) == [(0x17, GROUP, inet_pton("224.0.0.2"))]
    assert nic.ifp.multi == {b"\1\0\x5e\0\0\1": 1}


def test_two_sockets_are_one_member(one):
    h, nic = one
    first = join(h)
    second = h.udp()
    second.setopt(0, 12, IpMreq(GROUP, ME))
    h.run(10)
    nic.take()
    first.close()
    assert sent(nic) == []
    second.setopt(0, 13, IpMreq(GROUP, ME))
    assert [kind for kind, _g, _d in sent(nic)] == [0x17]


def test_a_query_is_answered_within_its_time(one):
    h, nic = one
    join(h)
    h.run(10)
    nic.take()
    rx(nic, igmp_build(0x11, 0, 30))
    assert sent(nic) == []
    h.run(3.0)
    assert sent(nic) == [REPORT]
    rx(nic, igmp_build(0x11, GROUP, 10), dst=GROUP)
    h.run(1.0)
    assert sent(nic) == [REPORT]
    rx(nic, igmp_build(0x11, GROUP + 1, 10), dst=GROUP)
    h.run(1.0)
    assert sent(nic) == []


def test_somebody_elses_report_spares_ours_and_our_goodbye(one):
    h, nic = one
    so = join(h)
    nic.take()
    rx(nic, igmp_build(0x16, GROUP), dst=GROUP)
    h.run(20)
    assert sent(nic) == []
    assert h.stat("igmp")["rcv_ourreports"] == 1
    so.close()
    assert sent(nic) == []


def test_a_version_1_querier_gets_version_1_for_a_while(one):
    h, nic = one
    so = join(h)
    h.run(10)
    nic.take()
    rx(nic, igmp_build(0x11, 0, 0))
    h.run(10.0)
    assert sent(nic) == [(0x12, GROUP, GROUP)]
    so.close()
    assert sent(nic) == []
    h.run(400.0)
    join(h)
    assert sent(nic) == [REPORT]


def test_groups_of_the_wire_itself_are_not_reported(one):
    h, nic = one
    join(h, inet_pton("224.0.0.9"))
    h.run(20)
    assert sent(nic) == []


@pytest.mark.parametrize(
    ("counter", "message", "dst"),
    [
        ("rcv_tooshort", b"\x11\0\0\0", ALL),
        ("rcv_badsum", b"\x11\0\0\0\0\0\0\0", ALL),
        ("rcv_badqueries", igmp_build(0x11, GROUP, 0), ALL),
        ("rcv_badqueries", igmp_build(0x11, ME, 10), ALL),
        ("rcv_badreports", igmp_build(0x16, GROUP + 1), GROUP),
        ("rcv_badreports", igmp_build(0x12, ME), GROUP),
    ],
)
def test_bad_messages_are_counted(one, counter, message, dst):
    h, nic = one
    join(h)
    rx(nic, message, dst)
    assert h.stat("igmp")[counter] == 1
    assert h.stat("igmp")["rcv_total"] == 1


def test_a_group_nobody_joined_is_not_for_us(one):
    h, nic = one
    rx(nic, igmp_build(0x16, GROUP), dst=GROUP)
    assert h.stat("igmp")["rcv_total"] == 0
    assert h.stack.ethernet.stat["mcastfilter"] == 1


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=20), st.booleans())
def test_no_message_upsets_it(one, octets, summed):
    h, nic = one
    if not h.stack.igmp.member(GROUP, nic.ifp):
        join(h)
    if summed and len(octets) >= 8:
        kind, code, group = octets[0], octets[1], int.from_bytes(octets[4:8], "big")
        octets = igmp_build(kind, group, code)
    rx(nic, octets)
    h.run(1)
    nic.take()


def test_an_interface_that_leaves_takes_its_groups_along(one):
    h, nic = one
    so = join(h)
    nic.ifp.detach()
    assert h.stack.igmp.groups.keys() == {1}  # the loopback's all-hosts
    so.close()
