"""ARP on a clock the tests own: no second is ever waited for."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from libnet.addr import SockaddrDl, SockaddrIn, inet_pton
from libnet.engine.inet.arp import MAXTRIES, RETRY_S
from libnet.errors import NetError
from libnet.ioctl.ifflags import IFF_NOARP
from libnet.wire.arp import ARPOP_REPLY, ARPOP_REQUEST, Arp, arp_build
from libnet.wire.icmp import icmp_echo
from libnet.wire.rtsock import RTF_ANNOUNCE, RTF_HOST, RTF_REJECT, RTF_STATIC

A, B = inet_pton("10.0.0.1"), inet_pton("10.0.0.2")
PEER = b"\2\0\0\0\0\x22"
OTHER = b"\2\0\0\0\0\x33"


def arps(frames):
    return [Arp.parse(f[14:]) for f in frames if f[12:14] == b"\x08\x06"]


def frame(nic, op, sha, spa, tpa, *, dst=None, tha=bytes(6)):
    return (dst or b"\xff" * 6) + sha + b"\x08\x06" + arp_build(op, sha, spa, tha, tpa)


def ping(host, dst, seq=1):
    so = host.raw(1)
    return so.send(icmp_echo(7, seq, b"x"), SockaddrIn(inet_pton(dst)))


@pytest.fixture
def one(host):
    h = host(1)
    nic = h.nic("wm0", "10.0.0.1/24")
    h.stack.stats["arp"].clear()
    return h, nic


def test_setting_an_address_announces_it(host):
    h = host(1)
    nic = h.nic("wm0")
    h.addr("wm0", "10.0.0.1/24")
    (got,) = arps(nic.take())
    assert (got.op, got.spa, got.tpa, got.sha) == (1, b"\n\0\0\1", b"\n\0\0\1", nic.ifp.lladdr)


def test_asks_five_times_then_the_host_is_down_for_a_while(one):
    h, nic = one
    ping(h, "10.0.0.2")
    for _ in range(MAXTRIES + 2):
        h.run(RETRY_S)
    asked = arps(nic.take())
    assert len(asked) == MAXTRIES
    assert all(a.tpa == b"\n\0\0\2" and a.op == ARPOP_REQUEST for a in asked)
    with pytest.raises(NetError, match="Host is down"):
        ping(h, "10.0.0.2")
    assert h.stack.route.rtlookup(B).flags & RTF_REJECT
    assert h.stat("arp")["dfrtotal"] == 1
    assert h.stat("arp")["dfrdropped"] == 1
    h.run(h.stack.arp.down)
    ping(h, "10.0.0.2")
    assert len(arps(nic.take())) == 1


def test_behind_a_router_that_is_down_the_host_is_unreachable(one):
    h, _nic = one
    h.gateway("10.9.0.0/16", "10.0.0.2")
    ping(h, "10.9.1.1")
    h.run(1.0)
    for _ in range(MAXTRIES):
        h.run(RETRY_S)
    with pytest.raises(NetError, match="No route to host"):
        ping(h, "10.9.1.1")


def test_only_the_last_held_packet_leaves_when_the_reply_comes(one):
    h, nic = one
    ping(h, "10.0.0.2", 1)
    ping(h, "10.0.0.2", 2)
    nic.take()
    nic.rx(frame(nic, ARPOP_REPLY, PEER, B, A, dst=nic.ifp.lladdr, tha=nic.ifp.lladdr))
    (out,) = nic.take()
    assert out[:6] == PEER
    assert out[14 + 20 + 6 : 14 + 20 + 8] == b"\0\2"
    assert h.stat("arp") == {
        "sndtotal": 1,
        "sndrequest": 1,
        "dfrtotal": 2,
        "dfrdropped": 1,
        "dfrsent": 1,
        "rcvtotal": 1,
        "rcvreply": 1,
    }


def test_a_request_for_us_is_answered_and_the_asker_learned(one):
    h, nic = one
    nic.rx(frame(nic, ARPOP_REQUEST, PEER, B, A))
    ((out),) = nic.take()
    got = Arp.parse(out[14:])
    assert out[:6] == PEER
    assert (got.op, got.sha, got.spa, got.tha, got.tpa) == (
        ARPOP_REPLY,
        nic.ifp.lladdr,
        b"\n\0\0\1",
        PEER,
        b"\n\0\0\2",
    )
    ping(h, "10.0.0.2")
    assert nic.take()[0][:6] == PEER


def test_overheard_requests_teach_nothing_new(one):
    h, nic = one
    nic.rx(frame(nic, ARPOP_REQUEST, PEER, B, inet_pton("10.0.0.77")))
    assert nic.take() == []
    assert not h.stack.arp.entries


def test_an_entry_that_is_in_use_is_asked_for_again_before_it_ends(one):
    h, nic = one
    nic.neighbour("10.0.0.2", PEER)
    h.stack.arp.keep, h.stack.arp.refresh, h.stack.arp.prune = 100, 50, 20
    h.run(1)
    nic.neighbour("10.0.0.2", PEER)
    nic.take()
    rt = h.stack.route.rtlookup(B)
    for _ in range(4):
        ping(h, "10.0.0.2")
        h.run(20)
    assert rt.flags & 1
    assert any(a.tpa == b"\n\0\0\2" for a in arps(nic.take()))


def test_an_entry_that_is_not_renewed_goes(one):
    h, nic = one
    nic.neighbour("10.0.0.2", PEER)
    assert h.stack.arp.entries
    for _ in range(8):
        h.run(h.stack.arp.prune)
    assert not h.stack.arp.entries
    assert h.clock.next_due() is None or h.clock.next_due() > h.clock.now


def test_somebody_else_with_our_address_is_told_in_the_log(one):
    h, nic = one
    nic.rx(frame(nic, ARPOP_REQUEST, PEER, A, A))
    assert "duplicate IP address 10.0.0.1 sent from link address 02:00:00:00:00:22" in h.log()
    assert h.stat("arp")["rcvlocalspa"] == 1
    (got,) = arps(nic.take())
    assert (got.op, got.spa) == (ARPOP_REPLY, b"\n\0\0\1")


def test_two_hosts_with_one_address_both_learn_of_it(host, wire):
    a, b = host(1), host(2)
    w = wire(a.nic("wm0"), b.nic("wm0"))
    a.addr("wm0", "10.0.0.1/24")
    w.pump()
    b.addr("wm0", "10.0.0.1/24")
    w.pump()
    for h in (a, b):
        assert any(text.startswith("duplicate IP address 10.0.0.1") for text in h.log())


def test_a_probe_for_our_address_is_answered(one):
    h, nic = one
    nic.rx(frame(nic, ARPOP_REQUEST, PEER, 0, A))
    (got,) = arps(nic.take())
    assert (got.op, got.sha) == (ARPOP_REPLY, nic.ifp.lladdr)
    assert h.stat("arp")["rcvzerospa"] == 1
    assert not h.stack.arp.entries


def test_a_changed_link_address_is_taken_over_and_told(one):
    h, nic = one
    nic.neighbour("10.0.0.2", PEER)
    nic.neighbour("10.0.0.2", OTHER)
    text = "arp info 02:00:00:00:00:22 for 10.0.0.2 overwritten by 02:00:00:00:00:33"
    assert text in h.log()
    assert h.stat("arp")["rcvover"] == 1
    ping(h, "10.0.0.2")
    assert nic.take()[-1][:6] == OTHER


def _static(h, addr, lladdr, flags=0, **kw):
    ifp = h.nics["wm0"].ifp
    gate = SockaddrDl(ifp.index, ifp.type, "", lladdr)
    return h.stack.route.rtrequest(
        "add", inet_pton(addr), None, gate, RTF_HOST | RTF_STATIC | flags, ifp=ifp, **kw
    )


def test_a_static_entry_is_not_overwritten(one):
    h, nic = one
    _static(h, "10.0.0.2", PEER)
    nic.rx(frame(nic, ARPOP_REPLY, OTHER, B, A, dst=nic.ifp.lladdr))
    text = "02:00:00:00:00:33 tried to overwrite permanent arp info 02:00:00:00:00:22 for 10.0.0.2"
    assert text in h.log()
    assert h.stat("arp")["rcvoverperm"] == 1
    ping(h, "10.0.0.2")
    assert nic.take()[-1][:6] == PEER
    for _ in range(9):
        h.run(300)
    assert len(h.stack.arp.entries) == 1


def test_a_published_entry_is_announced_and_answered_for(one):
    h, nic = one
    _static(h, "10.0.0.7", PEER, RTF_ANNOUNCE)
    (announced,) = arps(nic.take())
    assert (announced.spa, announced.tpa, announced.sha) == (b"\n\0\0\7", b"\n\0\0\7", PEER)
    nic.rx(frame(nic, ARPOP_REQUEST, OTHER, B, inet_pton("10.0.0.7")))
    got = arps(nic.take())[-1]
    assert (got.op, got.sha, got.spa) == (ARPOP_REPLY, PEER, b"\n\0\0\7")


def test_a_proxy_only_entry_answers_but_carries_no_packet(one):
    h, nic = one
    _static(h, "10.0.0.7", OTHER, RTF_ANNOUNCE, proxy=True)
    nic.take()
    nic.rx(frame(nic, ARPOP_REQUEST, PEER, B, inet_pton("10.0.0.7")))
    got = arps(nic.take())[-1]
    assert (got.op, got.sha) == (ARPOP_REPLY, OTHER)
    ping(h, "10.0.0.7")
    assert arps(nic.take())[-1].op == ARPOP_REQUEST


def test_what_is_for_ourselves_takes_the_loopback(one):
    h, nic = one
    so = h.raw(1)
    ping(h, "10.0.0.1")
    h.run()
    h.run()
    assert so.recv().frm.addr == A
    assert nic.take() == []


def test_an_alias_that_was_a_neighbour_becomes_ours(one):
    h, nic = one
    nic.neighbour("10.0.0.2", PEER)
    h.addr("wm0", "10.0.0.2/24")
    nic.take()
    so = h.raw(1)
    ping(h, "10.0.0.2")
    h.run()
    h.run()
    assert so.recv().frm.addr == B
    assert nic.take() == []


def test_without_arp_nobody_is_asked(one):
    h, nic = one
    nic.ifp.flags |= IFF_NOARP
    with pytest.raises(NetError, match="No route to host"):
        ping(h, "10.0.0.2")
    nic.rx(frame(nic, ARPOP_REQUEST, PEER, B, A))
    assert nic.take() == []
    assert h.stat("arp")["noarp"] == 2


BAD = [
    ("rcvbadlen", b"\0\1\x08\0\6\4\0"),
    ("rcvbadlen", b"\0\1\x08\0\xff\4\0\1" + bytes(20)),
    ("rcvbadproto", b"\0\1\x86\xdd\6\4\0\1" + bytes(20)),
    ("rcvbadlen", b"\0\1\x08\0\6\3\0\1" + bytes(20)),
    ("rcvzerotpa", arp_build(1, PEER, B, bytes(6), 0)),
    ("rcvlocalsha", arp_build(1, b"\2\0\0\0\1\1", B, bytes(6), A)),
    ("rcvbcastsha", arp_build(1, b"\xff" * 6, B, bytes(6), A)),
]


@pytest.mark.parametrize(("counter", "packet"), BAD)
def test_bad_packets_are_counted_by_their_fault(one, counter, packet):
    h, nic = one
    nic.rx(b"\xff" * 6 + PEER + b"\x08\x06" + packet)
    assert h.stat("arp")[counter] == 1
    assert nic.take() == []


def test_an_interface_without_address_cannot_place_a_request(host):
    h = host(1)
    nic = h.nic("wm0")
    nic.ifp.up()
    nic.rx(frame(nic, ARPOP_REQUEST, PEER, B, A))
    assert h.stat("arp")["rcvnoint"] == 1


def test_a_wrong_interface_does_not_move_a_neighbour(host):
    h = host(1)
    first = h.nic("wm0", "10.0.0.1/24")
    second = h.nic("wm1", "10.0.1.1/24")
    first.neighbour("10.0.0.2", PEER)
    second.rx(frame(second, ARPOP_REPLY, OTHER, B, inet_pton("10.0.1.1"), dst=second.ifp.lladdr))
    assert h.stat("arp")["rcvoverint"] == 1
    assert any("tried to overwrite arp info" in text for text in h.log())


def test_going_down_drops_what_is_held(one):
    h, nic = one
    ping(h, "10.0.0.2")
    nic.ifp.down()
    assert h.stat("arp")["dfrdropped"] == 1


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=60), st.booleans())
def test_no_packet_upsets_it(host, octets, broadcast):
    h = host(1)
    nic = h.nic("wm0", "10.0.0.1/24")
    dst = b"\xff" * 6 if broadcast else nic.ifp.lladdr
    nic.rx(dst + PEER + b"\x08\x06" + b"\0\1\x08\0\6\4\0" + octets)
    nic.rx(dst + PEER + b"\x08\x06" + octets)
    assert h.stat("arp")["rcvtotal"] == 2
