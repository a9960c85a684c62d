"""Forwarding: errors, redirects, path MTU, and the flow cache against the full path."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from libnet.addr import SockaddrIn, inet_pton
from libnet.engine.pfil.pfil import PFIL_IN
from libnet.ioctl.ifflags import IFCAP_IP4CSUM, IFCAP_UDP4CSUM
from libnet.wire.cksum import in4_cksum, in_cksum, pseudo_sum
from libnet.wire.frame import CSUM_IP4, CSUM_L4, Frame
from libnet.wire.icmp import Icmp
from libnet.wire.ipv4 import IP_DF, IP_MF, Ipv4, ip_build
from libnet.wire.rtsock import RTF_GATEWAY, RTF_HOST
from libnet.wire.udp import udp_build

PEER, FAR = inet_pton("10.0.0.9"), inet_pton("10.0.1.9")


def datagram(size=10, src=PEER, dst=FAR, **kw):
    body = udp_build(5, 6, bytes(size), src=src, dst=dst)
    return ip_build(body, src=src, dst=dst, proto=17, **kw)


def error(frame):
    return Icmp.parse(Ipv4.parse(frame[14:]).payload)


def test_one_hop_less_and_a_good_checksum(router):
    router.nics["wm0"].rx_ip(datagram(ttl=9))
    (out,) = router.nics["wm1"].take()
    got = Ipv4.parse(out[14:])
    assert out[:6] == b"\2\0\0\0\xbb\x09"
    assert got.ttl == 8
    assert in_cksum(got.header()) == 0
    assert router.stat("ip")["forward"] == 1


def test_the_last_hop_is_told(router):
    router.nics["wm0"].rx_ip(datagram(ttl=1))
    (out,) = router.nics["wm0"].take()
    assert (error(out).type, error(out).code) == (11, 0)
    assert bytes(error(out).payload) == datagram(ttl=1)[:28]


def test_no_route_is_told(router):
    router.nics["wm0"].rx_ip(datagram(dst=inet_pton("172.16.0.1")))
    (out,) = router.nics["wm0"].take()
    assert (error(out).type, error(out).code) == (3, 0)
    assert router.stat("ip")["cantforward"] == 1


def test_a_hidden_host_is_told_with_the_octets_asked_for(router):
    router.stack.icmp.returndatabytes = 64
    router.nics["wm1"].ifp.down()
    router.nics["wm0"].rx_ip(datagram(100))
    (out,) = router.nics["wm0"].take()
    assert (error(out).type, error(out).code) == (3, 1)
    assert len(error(out).payload) == 20 + 64


def test_what_must_not_be_cut_draws_the_mtu(router):
    router.nics["wm1"].ifp.mtu = 600
    router.nics["wm0"].rx_ip(datagram(1000, off=IP_DF))
    (out,) = router.nics["wm0"].take()
    assert (error(out).type, error(out).code, error(out).nextmtu) == (3, 4, 600)
    assert router.stat("ip")["cantfrag"] == 1
    router.nics["wm0"].rx_ip(datagram(1000))
    assert len(router.nics["wm1"].take()) == 2


def test_a_fragment_is_cut_again(router):
    router.nics["wm1"].ifp.mtu = 308
    octets = ip_build(bytes(800), src=PEER, dst=FAR, proto=99, ident=5, off=IP_MF | 10)
    router.nics["wm0"].rx_ip(octets)
    parts = [Ipv4.parse(f[14:]) for f in router.nics["wm1"].take()]
    assert [(p.off & 0x1FFF) * 8 for p in parts] == [80, 368, 656]
    assert all(p.off & IP_MF for p in parts)


def test_a_redirect_only_to_the_same_net_and_by_the_same_interface(router):
    router.nics["wm0"].neighbour("10.0.0.77", b"\2\0\0\0\xaa\x77")
    router.gateway("10.9.0.0/16", "10.0.0.77")
    router.nics["wm0"].take()
    router.nics["wm0"].rx_ip(datagram(dst=inet_pton("10.9.0.1")))
    forwarded, redirect = router.nics["wm0"].take()
    assert forwarded[:6] == b"\2\0\0\0\xaa\x77"
    assert (error(redirect).type, error(redirect).code) == (5, 1)
    assert error(redirect).gwaddr == inet_pton("10.0.0.77")
    assert router.stat("ip")["redirectsent"] == 1
    router.stack.ip.redirect = 0
    router.nics["wm0"].rx_ip(datagram(dst=inet_pton("10.9.0.1")))
    assert len(router.nics["wm0"].take()) == 1
    router.stack.ip.redirect = 1
    router.nics["wm0"].rx_ip(datagram(src=inet_pton("10.5.0.1"), dst=inet_pton("10.9.0.1")))
    assert len(router.nics["wm0"].take()) == 1


def test_a_default_route_draws_no_redirect(router):
    router.nics["wm0"].neighbour("10.0.0.77", b"\2\0\0\0\xaa\x77")
    router.gateway("0.0.0.0/0", "10.0.0.77")
    router.nics["wm0"].take()
    router.nics["wm0"].rx_ip(datagram(dst=inet_pton("10.9.0.1")))
    assert len(router.nics["wm0"].take()) == 1


def test_directed_broadcasts_are_for_those_who_ask(router):
    octets = datagram(dst=inet_pton("10.0.1.255"))
    router.nics["wm0"].rx_ip(octets)
    assert router.nics["wm1"].take() == []
    assert router.stat("ip")["cantforward"] == 1
    router.stack.ip.directed_broadcast = 1
    router.nics["wm0"].rx_ip(octets)
    (out,) = router.nics["wm1"].take()
    assert out[:6] == b"\xff" * 6


@pytest.mark.parametrize("dst", ["240.0.0.1", "0.0.0.7"])
def test_some_addresses_never_cross(router, dst):
    router.nics["wm0"].rx_ip(datagram(dst=inet_pton(dst)))
    assert router.stat("ip")["cantforward"] == 1


def test_a_link_broadcast_is_not_forwarded(router):
    router.nics["wm0"].rx_ip(datagram(), dst=b"\xff" * 6)
    assert router.nics["wm1"].take() == []
    assert router.stat("ip")["cantforward"] == 1


@pytest.mark.parametrize("capable", [False, True])
def test_undone_checksums_are_finished_where_the_next_wire_cannot(router, capable):
    nic, out_nic = router.nics["wm0"], router.nics["wm1"]
    caps = IFCAP_IP4CSUM | IFCAP_UDP4CSUM
    out_nic.ifp.capabilities_tx = caps
    out_nic.ifp.set_capenable(0, caps if capable else 0)
    good = udp_build(5, 6, b"hello", src=PEER, dst=FAR)
    pseudo = pseudo_sum(PEER, FAR, 17, len(good)).to_bytes(2, "big")
    octets = ip_build(good[:6] + pseudo + good[8:], src=PEER, dst=FAR, proto=17)
    frame = Frame(nic.ifp.lladdr + bytes(6) + b"\x08\0" + octets[:10] + b"\0\0" + octets[12:])
    frame.csum = CSUM_IP4 | CSUM_L4
    nic.rx(frame)
    (out,) = out_nic.take()
    got = Ipv4.parse(out[14:])
    assert in_cksum(got.header()) == 0
    if capable:
        assert out.csum == CSUM_L4
        assert bytes(got.payload)[6:8] == pseudo
    else:
        assert type(out) is bytes
        assert in4_cksum(PEER, FAR, 17, bytes(got.payload)) == 0


# -- the flow cache


def test_the_second_packet_goes_by_the_flow(router):
    for _ in range(3):
        router.nics["wm0"].rx_ip(datagram())
    assert len(router.nics["wm1"].take()) == 3
    stat = router.stat("ip")
    assert (stat["total"], stat["forward"], stat["fastforward"]) == (3, 3, 2)
    assert router.nics["wm1"].ifp.opackets == 3 + 1  # and the announcement of its address


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(
    st.integers(0, 200),
    st.integers(0, 255),
    st.integers(0, 255),
    st.integers(0, 65535),
    st.sampled_from([0, IP_DF, IP_MF, 0x0005, 0x2003]),
    st.integers(0, 40),
    st.integers(0, 2**16),
)
def test_both_paths_send_the_same_frame(router, size, ttl, tos, ident, off, pad, flip):
    """Whatever comes in, with the flow known or not, what goes out is the same."""
    wm0, wm1 = router.nics["wm0"], router.nics["wm1"]
    octets = bytearray(datagram(size, ttl=ttl, tos=tos, ident=ident, off=off))
    if flip < 2000:
        octets[flip % 20] ^= 1 << (flip % 8)
    octets = bytes(octets) + bytes(pad)
    flow = router.stack.ip.flow
    flow.invalidate_all()
    router.stack.ip.maxflows = 0
    router.stack.icmp.errppslimit = -1
    wm0.rx_ip(octets)
    slow = (wm0.take(), wm1.take())
    router.stack.ip.maxflows = 256
    wm0.rx_ip(datagram(1, tos=tos))
    wm0.take(), wm1.take()
    wm0.rx_ip(octets)
    fast = (wm0.take(), wm1.take())
    # Only the identification of an ICMP error of ours differs.
    assert [f[:18] + f[20:24] + f[26:] for f in fast[0]] == [
        f[:18] + f[20:24] + f[26:] for f in slow[0]
    ]
    assert fast[1] == slow[1]


@pytest.mark.parametrize("cksum", [0x0000, 0x0001, 0xFEFE, 0xFEFF, 0xFF00, 0xFFFE])
def test_the_checksum_wraps_as_the_whole_sum_does(router, cksum):
    wm0, wm1 = router.nics["wm0"], router.nics["wm1"]
    wm0.rx_ip(datagram())
    wm1.take()
    for ident in range(65536):
        octets = datagram(ident=ident)
        if int.from_bytes(octets[10:12], "big") == cksum:
            break
    wm0.rx_ip(octets)
    (out,) = wm1.take()
    assert router.stat("ip")["fastforward"] == 1
    assert out[14:34] == router.stack.ip.with_cksum(out[14:34])


def _warm(router):
    router.nics["wm0"].rx_ip(datagram())
    assert router.stack.ip.flow.flows
    router.nics["wm1"].take()


def test_a_changed_route_ends_flows(router):
    _warm(router)
    router.nics["wm0"].neighbour("10.0.0.77", b"\2\0\0\0\xaa\x77")
    gate = SockaddrIn(inet_pton("10.0.0.77"))
    router.stack.route.rtrequest("add", FAR, None, gate, RTF_GATEWAY | RTF_HOST)
    router.nics["wm0"].take()
    router.nics["wm0"].rx_ip(datagram(src=inet_pton("10.0.0.8")))
    router.nics["wm0"].rx_ip(datagram())
    assert router.nics["wm1"].take() == []


def test_a_changed_neighbour_ends_flows(router):
    _warm(router)
    router.nics["wm1"].neighbour("10.0.1.9", b"\2\0\0\0\xcc\x09")
    router.nics["wm1"].take()
    router.nics["wm0"].rx_ip(datagram())
    assert router.nics["wm1"].take()[0][:6] == b"\2\0\0\0\xcc\x09"


def test_a_hook_ends_flows(router):
    _warm(router)
    seen = []

    def watch(m, _ifp, _direction):
        seen.append(m.dst)
        return m

    router.stack.pfil.head(2).add(watch, PFIL_IN)
    router.nics["wm0"].rx_ip(datagram())
    router.nics["wm0"].rx_ip(datagram())
    assert seen == [FAR, FAR]
    assert router.stat("ip")["fastforward"] == 0


def test_an_interface_that_goes_down_ends_flows(router):
    _warm(router)
    router.nics["wm1"].ifp.down()
    router.nics["wm0"].rx_ip(datagram())
    assert router.stat("ip")["cantforward"] == 1


def test_switching_forwarding_off_ends_flows(router):
    _warm(router)
    router.stack.sysctl.call(router.stack.sysctl.mib("net.inet.ip.forwarding"), 0, _Root())
    router.nics["wm0"].rx_ip(datagram())
    assert router.stat("ip")["fastforward"] == 0
    assert router.nics["wm1"].take() == []


class _Root:
    suser = True
    uid = pid = 0
    comm = ""


def test_idle_flows_end_and_busy_ones_keep_the_neighbour(router):
    _warm(router)
    for _ in range(10):
        router.nics["wm0"].rx_ip(datagram())
        router.run(1.0)
    assert router.stack.ip.flow.count == 1
    rt = router.stack.route.rtlookup(FAR)
    assert rt.pksent >= int(router.clock.wall()) - 2
    assert rt.use == 11
    for _ in range(8):
        router.run(0.5)
    assert router.stack.ip.flow.count == 0


def test_there_are_never_more_flows_than_allowed(router):
    router.stack.ip.maxflows = 8
    for last in range(30, 60):
        router.nics["wm0"].rx_ip(datagram(src=inet_pton(f"10.0.0.{last}")))
        assert router.stack.ip.flow.count <= 8
    assert sum(map(len, router.stack.ip.flow.flows.values())) == router.stack.ip.flow.count


def test_each_type_of_service_has_its_flow(router):
    for tos in (0, 16, 0, 16, 8, 16):
        router.nics["wm0"].rx_ip(datagram(tos=tos))
    assert router.stat("ip")["fastforward"] == 3
    assert [f[15] for f in router.nics["wm1"].take()] == [0, 16, 0, 16, 8, 16]


def test_icmp_takes_the_full_path(router):
    octets = ip_build(bytes(8), src=PEER, dst=FAR, proto=1)
    router.nics["wm0"].rx_ip(octets)
    assert not router.stack.ip.flow.flows


def test_a_full_queue_loses_and_counts(router):
    _warm(router)
    ifp = router.nics["wm1"].ifp
    ifp.snd_maxlen = 0
    router.nics["wm0"].rx_ip(datagram())
    router.nics["wm0"].rx_ip(datagram(tos=4))
    assert router.stat("ip")["cantforward"] == 2
    assert ifp.odrops == 2
    assert router.nics["wm0"].take() == []  # RFC 1812: no source quench


def test_a_storm_of_random_frames_leaves_the_flows_consistent(router):
    dice = random.Random(3)
    for _ in range(2000):
        octets = datagram(
            dice.randrange(20),
            src=PEER + dice.randrange(3),
            tos=dice.choice((0, 4)),
            ttl=dice.randrange(4),
        )
        router.nics["wm0"].rx_ip(octets[: dice.randrange(16, len(octets) + 1)])
    flow = router.stack.ip.flow
    assert sum(map(len, flow.flows.values())) == flow.count
    assert all(flow.flows.values())
