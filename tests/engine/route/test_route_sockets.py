"""Routing sockets: what a program writes is done, answered and told; what happens is told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libnet.addr import AF_INET, Sockaddr, SockaddrDl, SockaddrIn, inet_pton
from libnet.engine.kern.socket import SO_USELOOPBACK, SOL_SOCKET, Cred
from libnet.engine.pfil.pfil import IF_DELADDR
from libnet.engine.route.rtsock import route_sysctl
from libnet.errors import NetError
from libnet.ioctl.ifflags import LINK_STATE_DOWN, LINK_STATE_UP
from libnet.wire.rtsock import (
    IFAN_ARRIVAL,
    IFAN_DEPARTURE,
    NET_RT_DUMP,
    NET_RT_FLAGS,
    NET_RT_IFLIST,
    RTF_DONE,
    RTF_GATEWAY,
    RTF_HOST,
    RTF_LLINFO,
    RTF_STATIC,
    RTF_UP,
    RTM_ADD,
    RTM_CHANGE,
    RTM_DELADDR,
    RTM_DELETE,
    RTM_GET,
    RTM_IEEE80211,
    RTM_IFANNOUNCE,
    RTM_LOCK,
    RTM_LOSING,
    RTM_NEWADDR,
    RTV_HOPCOUNT,
    RTV_MTU,
    SIN_PROXY,
    IfMsg,
    RtAddrs,
    RtMetrics,
    RtMsg,
    SockaddrInarp,
    SockaddrRaw,
    unpack_all,
)
from tests.engine.route.routelab import RouteStack, drain

A = inet_pton
NET = SockaddrIn(A("9.0.0.0"))
MASK = 0xFF000000
GATE = SockaddrIn(A("10.0.0.1"))


@pytest.fixture
def stack():
    return RouteStack()


def write(so, kind, dst=NET, gateway=GATE, mask=MASK, **kw):
    kw.setdefault("flags", RTF_UP | RTF_GATEWAY | RTF_STATIC)
    addrs = RtAddrs(dst, gateway, mask, **kw.pop("more", {}))
    return so.send(RtMsg(kind, addrs=addrs, **kw).build(), None)


def symbol(func, *args, **kw):
    with pytest.raises(NetError) as caught:
        func(*args, **kw)
    return caught.value.symbol


def test_an_added_route_is_there_and_everybody_hears(stack):
    so, other = stack.socket(pid=7), stack.socket(pid=8)
    assert write(so, RTM_ADD, seq=3) == 76 + 16 + 16 + 8
    route = stack.route.rtlookup(A("9.1.1.1"))
    assert (route.ifp.name, route.flags) == ("wm0", RTF_UP | RTF_GATEWAY | RTF_STATIC)
    for listener in (so, other):
        (told,) = drain(listener)[-1:]
        assert (told.type, told.pid, told.seq, told.errno) == (RTM_ADD, 7, 3, 0)
        assert told.flags & RTF_DONE
        assert told.addrs == RtAddrs(NET, GATE, MASK)


def test_a_failure_is_raised_and_told(stack):
    so, other = stack.socket(), stack.socket()
    write(so, RTM_ADD)
    assert symbol(write, so, RTM_ADD) == "EEXIST"
    for listener in (so, other):
        told = drain(listener)[-1]
        assert told.errno == 17
        assert not told.flags & RTF_DONE


def test_without_the_right_only_get_is_allowed(stack):
    so = stack.socket(root=False)
    for kind in (RTM_ADD, RTM_DELETE, RTM_CHANGE, RTM_LOCK):
        assert symbol(write, so, kind) == "EACCES"
    write(so, RTM_GET, SockaddrIn(A("10.0.0.9")), None, None)
    assert drain(so)[-1].errno == 0


def test_who_does_not_want_copies_gets_none(stack):
    so, other = stack.socket(), stack.socket()
    so.setopt(SOL_SOCKET, SO_USELOOPBACK, 0)
    deaf = stack.socket()
    deaf.shutdown(0)
    write(so, RTM_ADD, seq=4)
    assert 4 not in [m.seq for m in drain(so)]
    assert drain(other)[-1].seq == 4
    assert not deaf.rcv.records
    assert "fullsock" not in stack.route.stat


def test_a_socket_that_nobody_reads_loses_messages_counted(stack):
    so = stack.socket()
    for _ in range(200):
        stack.rtsock.ifmsg(stack.wm0)
    assert 0 < len(so.rcv.records) < 200
    assert stack.route.stat["fullsock"] == 200 - len(so.rcv.records)


def test_a_protocol_filters_by_family(stack):
    inet, other = stack.socket(protocol=AF_INET), stack.socket(protocol=24)
    write(stack.socket(), RTM_ADD)
    stack.rtsock.ifmsg(stack.wm0)
    assert [m.type for m in drain(inet)][-1:] == [RTM_ADD]
    assert drain(other) == []


def test_get_answers_with_the_route_and_its_interface(stack):
    so = stack.socket()
    write(so, RTM_ADD, flags=RTF_UP | RTF_GATEWAY | RTF_STATIC)
    drain(so)
    write(so, RTM_GET, SockaddrIn(A("9.9.9.9")), None, None, more={"ifp": SockaddrDl()}, seq=9)
    (got,) = drain(so)
    assert (got.seq, got.flags) == (9, RTF_UP | RTF_GATEWAY | RTF_STATIC | RTF_DONE)
    assert got.addrs == RtAddrs(
        NET, GATE, MASK, ifp=stack.wm0.sockaddr_dl(), ifa=SockaddrIn(A("10.0.0.5"))
    )
    assert (got.index, got.rmx.mtu) == (stack.wm0.index, 1500)
    write(so, RTM_GET, NET, None, MASK)
    assert drain(so)[-1].addrs.ifp is None
    assert symbol(write, so, RTM_GET, NET, None, 0xFFFF0000) == "ESRCH"
    assert symbol(write, so, RTM_GET, SockaddrIn(A("8.8.8.8")), None, None) == "ESRCH"


def test_get_over_a_point_to_point_link_tells_the_peer(stack):
    stack.tunnel("ppp0", "172.31.0.1", "172.31.0.2")
    so = stack.socket()
    write(so, RTM_GET, SockaddrIn(A("172.31.0.2")), None, None, more={"ifp": SockaddrDl()})
    assert drain(so)[-1].addrs.brd == SockaddrIn(A("172.31.0.2"))


def test_delete_tells_what_was_deleted(stack):
    so = stack.socket()
    write(so, RTM_ADD)
    drain(so)
    write(so, RTM_DELETE, NET, None, MASK)
    (told,) = drain(so)
    assert (told.type, told.addrs.gateway) == (RTM_DELETE, GATE)
    assert not told.flags & RTF_UP
    assert symbol(write, so, RTM_DELETE, NET, None, MASK) == "ESRCH"


def test_metrics_are_set_locked_and_unlocked(stack):
    so = stack.socket()
    rmx = RtMetrics(locks=RTV_MTU, mtu=1400, hopcount=3)
    write(so, RTM_ADD, inits=RTV_MTU | RTV_HOPCOUNT, rmx=rmx)
    route = stack.route.rtlookup(A("9.9.9.9"))
    assert (route.mtu, route.hopcount, route.locks) == (1400, 3, RTV_MTU)
    write(so, RTM_CHANGE, gateway=None, inits=RTV_HOPCOUNT, rmx=RtMetrics(hopcount=9))
    assert (route.mtu, route.hopcount, route.locks) == (1400, 9, RTV_MTU)
    write(so, RTM_LOCK, gateway=None, inits=RTV_MTU, rmx=RtMetrics())
    assert route.locks == 0
    assert symbol(write, so, RTM_LOCK, SockaddrIn(A("9.9.9.9")), None, None) == "ESRCH"


def test_change_and_interfaces_by_name(stack):
    so = stack.socket()
    write(so, RTM_ADD)
    write(so, RTM_CHANGE, gateway=SockaddrIn(A("10.1.0.1")))
    assert stack.route.rtlookup(A("9.9.9.9")).ifp.name == "wm1"
    dst = SockaddrIn(A("11.0.0.0"))
    write(so, RTM_ADD, dst, more={"ifp": SockaddrDl(name="wm1"), "ifa": SockaddrIn(A("10.1.0.5"))})
    assert stack.route.rtlookup(dst.addr).ifp.name == "wm1"
    dst = SockaddrIn(A("12.0.0.0"))
    write(so, RTM_ADD, dst, SockaddrDl(name="wm0"), flags=RTF_UP | RTF_STATIC)
    assert stack.route.rtlookup(dst.addr).gateway.index == stack.wm0.index
    dst = SockaddrIn(A("13.0.0.0"))
    for more in ({"ifp": SockaddrDl(name="wm9")}, {"ifa": SockaddrIn(A("10.3.0.5"))}):
        assert symbol(write, so, RTM_ADD, dst, more=more) == "ENETUNREACH"
    assert symbol(write, so, RTM_ADD, dst, SockaddrDl(name="wm9")) == "ENETUNREACH"


def test_arp_entries_published_and_proxy_only(stack):
    so = stack.socket()
    gate = SockaddrDl(stack.wm0.index, stack.wm0.type, "", bytes.fromhex("020000000009"))
    proxy = SockaddrInarp(A("10.0.0.9"), other=SIN_PROXY)
    write(so, RTM_ADD, proxy, gate, None, flags=RTF_HOST | RTF_STATIC)
    assert stack.route.proxy(A("10.0.0.9")).gateway == gate
    write(so, RTM_GET, proxy, None, None)
    assert drain(so)[-1].addrs.dst == proxy
    dump = list(unpack_all(stack.rtsock.dump(AF_INET, NET_RT_FLAGS, RTF_LLINFO)))
    assert [m.addrs.dst for m in dump] == [proxy]
    write(so, RTM_DELETE, proxy, None, None, flags=RTF_HOST)
    assert stack.route.proxy(A("10.0.0.9")) is None
    # Asking for a proxy entry that is not there gives the way to the host itself.
    write(so, RTM_GET, proxy, None, None)
    assert drain(so)[-1].addrs.dst == SockaddrIn(A("10.0.0.0"))


@pytest.mark.parametrize(
    ("kw", "error"),
    [
        ({"kind": RTM_ADD, "gateway": None}, "EINVAL"),
        ({"kind": RTM_ADD, "dst": None}, "EINVAL"),
        ({"kind": RTM_ADD, "dst": Sockaddr()}, "EINVAL"),
        ({"kind": RTM_ADD, "gateway": SockaddrRaw(24, bytes(26))}, "EINVAL"),
        ({"kind": RTM_ADD, "dst": SockaddrRaw(24, bytes(26))}, "ESRCH"),
        ({"kind": RTM_GET, "dst": SockaddrRaw(24, bytes(26))}, "EAFNOSUPPORT"),
        ({"kind": RTM_LOSING}, "EOPNOTSUPP"),
        ({"kind": RTM_ADD, "mask": 0xFF00FF00}, "EINVAL"),
    ],
)
def test_what_makes_no_sense_is_refused(stack, kw, error):
    assert symbol(write, stack.socket(), **kw) == error


def test_a_message_must_be_one(stack):
    so = stack.socket()
    good = RtMsg(RTM_GET, addrs=RtAddrs(NET)).build()
    assert symbol(so.send, good[:-4], None) == "EINVAL"
    assert symbol(so.send, good[:2] + b"\x02" + good[3:], None) == "EPROTONOSUPPORT"
    assert symbol(so.send, good, NET) == "EISCONN"
    told = IfMsg(index=1, flags=0, data=drain_ifmsg(stack).data).build()
    assert symbol(so.send, told, None) == "EOPNOTSUPP"
    assert symbol(so.bind, NET) == "EOPNOTSUPP"
    assert symbol(so.connect, NET) == "EISCONN"
    assert symbol(so.getopt, 0, 1) == "ENOPROTOOPT"
    assert symbol(so.setopt, 0, 1, 1) == "ENOPROTOOPT"


def drain_ifmsg(stack):
    so = stack.socket()
    stack.rtsock.ifmsg(stack.wm0)
    return drain(so)[-1]


@given(st.binary(max_size=200), st.integers(1, 17))
def test_any_octets_written_raise_nothing_but_their_error(octets, kind):
    stack = RouteStack()
    so = stack.socket()
    size = 76 + len(octets)
    head = size.to_bytes(2, "little") + bytes((3, kind))
    for message in (octets, head + octets[:12].ljust(72, b"\0") + octets):
        try:
            so.send(message, None)
        except NetError as exc:
            assert exc.symbol
    assert len(list(stack.route.routes())) >= 1


def test_interfaces_tell_what_happens_to_them(stack):
    so = stack.socket()
    ifp = stack.nic("wm2", "10.2.0.5", 16, b"\x00\x0c\x29\x3a\x41\xb9")
    told = drain(so)
    assert (told[0].type, told[0].what, told[0].name) == (RTM_IFANNOUNCE, IFAN_ARRIVAL, "wm2")
    newaddr = next(m for m in told if m.type == RTM_NEWADDR)
    assert newaddr.addrs == RtAddrs(
        netmask=0xFFFF0000,
        ifp=ifp.sockaddr_dl(),
        ifa=SockaddrIn(A("10.2.0.5")),
        brd=SockaddrIn(A("10.2.255.255")),
    )
    assert told[-1].type == RTM_ADD
    ifp.link_state_change(LINK_STATE_UP)
    ifp.link_state_change(LINK_STATE_DOWN)
    ifp.down()
    assert [m.data.link_state for m in drain(so)] == [2, 1, 1]
    stack.pfil.event(IF_DELADDR, ifp, ifp.addrs[0])
    stack.rtsock.ieee80211msg(ifp, 103, b"\x02" * 6)
    ifp.detach()
    told = drain(so)
    assert told[0].type == RTM_DELADDR
    assert (told[1].type, told[1].what, told[1].data) == (RTM_IEEE80211, 103, b"\x02" * 6)
    assert (told[-1].type, told[-1].what) == (RTM_IFANNOUNCE, IFAN_DEPARTURE)


def test_dumps(stack):
    write(stack.socket(), RTM_ADD)
    clone = stack.route.rtalloc(A("10.0.0.1"))
    clone.use = 12
    routes = list(unpack_all(route_sysctl(stack, [0, NET_RT_DUMP, 0])))
    seen = [(m.addrs.dst.addr, m.addrs.netmask, m.seq) for m in routes]
    assert seen == [
        (A("9.0.0.0"), MASK, 0),
        (A("10.0.0.0"), 0xFFFFFF00, 1),
        (A("10.0.0.1"), None, 1),
        (A("10.1.0.0"), 0xFFFF0000, 0),
        (A("127.0.0.1"), None, 0),
    ]
    assert routes[2].use == 12
    assert route_sysctl(stack, [24, NET_RT_DUMP, 0]) == b""
    ifs = list(unpack_all(route_sysctl(stack, [0, NET_RT_IFLIST, 0])))
    assert [getattr(m.addrs.ifp, "name", "") for m in ifs] == ["lo0", "lo0"] + 2 * ["wm0"] + 2 * [
        "wm1"
    ]
    assert len(list(unpack_all(route_sysctl(stack, [24, NET_RT_IFLIST, stack.wm1.index])))) == 1


def test_sysctl(stack):
    cred = Cred()
    assert stack.sysctl.call([4, 17, 0, 0, NET_RT_DUMP, 0], None, cred)
    assert symbol(stack.sysctl.call, [4, 17, 0, 0, NET_RT_DUMP, 0], b"x", cred) == "EPERM"
    for tail in ([0, 9, 0], [0, 1], [0, 1, 0, 0]):
        assert symbol(stack.sysctl.call, [4, 17, 0, *tail], None, cred) == "EINVAL"
    stack.route.rtalloc(A("8.8.8.8"))
    mib = stack.sysctl.mib("net.route.stats")
    assert stack.sysctl.call(mib, None, cred) == {"unreach": 1}
