"""The routing table: what a lookup finds, what a change does, what is counted and told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libnet.addr import AF_INET, SockaddrDl, SockaddrIn, inet_pton, prefix_mask
from libnet.engine.route import table as tablemod
from libnet.errors import NetError
from libnet.wire.rtsock import (
    RTF_CLONED,
    RTF_CLONING,
    RTF_DYNAMIC,
    RTF_GATEWAY,
    RTF_HOST,
    RTF_LLINFO,
    RTF_MODIFIED,
    RTF_STATIC,
    RTF_UP,
    RTM_ADD,
    RTM_DELETE,
    RTM_LOSING,
    RTM_MISS,
    RTM_REDIRECT,
    RTV_MTU,
)
from tests.engine.route.routelab import EPOCH, RouteStack, drain

A = inet_pton


@pytest.fixture
def stack():
    return RouteStack()


def add(stack, dst, plen, gateway, flags=RTF_GATEWAY | RTF_STATIC, **kw):
    mask = None if plen is None else prefix_mask(plen)
    return stack.route.rtrequest("add", A(dst), mask, SockaddrIn(A(gateway)), flags, **kw)


def symbol(func, *args, **kw):
    with pytest.raises(NetError) as caught:
        func(*args, **kw)
    return caught.value.symbol


def test_the_longest_prefix_wins_and_a_host_route_beats_it(stack):
    default = add(stack, "0.0.0.0", 0, "10.0.0.1")
    net = add(stack, "172.16.0.0", 12, "10.0.0.2")
    narrow = add(stack, "172.16.5.0", 24, "10.0.0.3")
    all_ones = add(stack, "172.16.5.9", 32, "10.0.0.4")
    host = add(stack, "172.16.5.9", None, "10.0.0.6")
    look = stack.route.rtalloc
    assert look(A("8.8.8.8")) is default
    assert look(A("172.20.0.1")) is net
    assert look(A("172.16.5.1")) is narrow
    assert look(A("172.16.5.9")) is host
    stack.route.rtrequest("delete", A("172.16.5.9"), None)
    assert look(A("172.16.5.9")) is all_ones


def test_a_connected_network_clones_a_host_route_that_is_found_again(stack):
    parent = stack.route.rtlookup(A("10.0.0.99"))
    assert parent.flags == RTF_UP | RTF_CLONING
    assert parent.gateway == SockaddrDl(stack.wm0.index, stack.wm0.type)
    clone = stack.route.rtalloc(A("10.0.0.99"))
    assert clone.flags == RTF_UP | RTF_HOST | RTF_CLONED | RTF_LLINFO
    assert clone.parent is parent
    assert parent.refs == 1
    assert stack.route.rtalloc(A("10.0.0.99")) is clone
    assert ("resolve", "0a000063/32") in stack.hooked


def test_taking_the_network_away_takes_its_clones_along(stack):
    clone = stack.route.rtalloc(A("10.0.0.99"))
    so = stack.socket()
    stack.route.rtinit(stack.wm0.addrs[0], "delete")
    assert not clone.flags & RTF_UP
    assert clone.parent is None
    assert stack.route.rtlookup(A("10.0.0.99")) is None
    assert [(m.type, m.addrs.dst.addr) for m in drain(so)] == [
        (RTM_DELETE, A("10.0.0.99")),
        (RTM_DELETE, A("10.0.0.0")),
    ]


def test_a_miss_is_counted_and_told(stack):
    so = stack.socket()
    assert stack.route.rtalloc(A("8.8.8.8")) is None
    assert stack.route.stat["unreach"] == 1
    (miss,) = drain(so)
    assert (miss.type, miss.addrs.dst) == (RTM_MISS, SockaddrIn(A("8.8.8.8")))
    assert stack.route.rtalloc(A("8.8.8.8"), report=False) is None
    assert not so.rcv.records


def test_a_clone_is_told_as_an_added_route(stack):
    so = stack.socket()
    stack.route.rtalloc(A("10.0.0.7"))
    (told,) = drain(so)
    assert told.type == RTM_ADD
    assert told.flags & RTF_CLONED
    assert told.addrs.ifp.name == "wm0"
    assert told.addrs.ifa == SockaddrIn(A("10.0.0.5"))


def test_several_routes_to_one_destination_are_used_in_order_of_entry(stack):
    first = add(stack, "0.0.0.0", 0, "10.0.0.1")
    second = add(stack, "0.0.0.0", 0, "10.1.0.1")
    assert symbol(add, stack, "0.0.0.0", 0, "10.0.0.1") == "EEXIST"
    assert stack.route.rtalloc(A("8.8.8.8")) is first
    assert symbol(stack.route.rtrequest, "delete", 0, 0) == "ESRCH"
    stack.route.rtrequest("delete", 0, 0, SockaddrIn(A("10.0.0.1")))
    assert stack.route.rtalloc(A("8.8.8.8")) is second
    assert symbol(stack.route.rtrequest, "delete", 0, 0, SockaddrIn(A("10.0.0.1"))) == "ESRCH"
    stack.route.rtrequest("delete", 0, 0)
    assert stack.route.rtlookup(A("8.8.8.8")) is None


def test_what_cannot_be_added(stack):
    gate = SockaddrIn(A("10.0.0.1"))
    rtrequest = stack.route.rtrequest
    assert symbol(rtrequest, "add", A("9.0.0.0"), 0xFF00FF00, gate, RTF_GATEWAY) == "EINVAL"
    beyond = SockaddrIn(A("192.168.9.9"))
    assert symbol(rtrequest, "add", A("9.0.0.0"), 0xFF000000, beyond, RTF_GATEWAY) == "ENETUNREACH"
    assert symbol(rtrequest, "add", A("9.0.0.0"), 0xFF000000, gate, 0, speed=1) == "EINVAL"
    assert symbol(rtrequest, "forget", A("9.0.0.0"), 0xFF000000) == "EINVAL"
    assert symbol(rtrequest, "delete", A("9.0.0.0"), 0xFF000000) == "ESRCH"


def test_a_full_table_says_so_and_a_clone_is_done_without(stack, monkeypatch):
    monkeypatch.setattr(tablemod, "MAXROUTES", len(stack.route))
    assert symbol(add, stack, "9.0.0.0", 8, "10.0.0.1") == "ENOBUFS"
    so = stack.socket()
    assert stack.route.rtalloc(A("10.0.0.77")).flags & RTF_CLONING
    (told,) = drain(so)
    assert (told.type, told.errno) == (RTM_MISS, 255)


def test_a_static_entry_replaces_what_was_learned(stack):
    clone = stack.route.rtalloc(A("10.0.0.9"))
    lladdr = bytes.fromhex("020000000009")
    entry = stack.route.rtrequest(
        "add",
        A("10.0.0.9"),
        None,
        SockaddrDl(stack.wm0.index, stack.wm0.type, "", lladdr),
        RTF_HOST | RTF_STATIC,
    )
    assert not clone.flags & RTF_UP
    assert stack.route.rtalloc(A("10.0.0.9")) is entry
    assert entry.flags & RTF_LLINFO
    assert entry.ifa is stack.wm0.addrs[0]


def test_the_gateways_own_route_is_kept_and_found_anew(stack):
    route = add(stack, "0.0.0.0", 0, "10.0.0.1")
    gw = stack.route.gateroute(route)
    assert (gw.dst, gw.refs) == (A("10.0.0.1"), 1)
    stack.route.delete(gw)
    again = stack.route.gateroute(route)
    assert again is not gw
    assert again.flags & RTF_UP
    # A gateway that is reached through the very route leads nowhere.
    stack.route.rtinit(stack.wm0.addrs[0], "delete")
    assert stack.route.gateroute(route) is None


def test_change_moves_a_route_to_another_interface(stack):
    route = add(stack, "9.0.0.0", 8, "10.0.0.1")
    before = stack.route.generation
    stack.route.rtrequest(
        "change", A("9.0.0.0"), 0xFF000000, SockaddrIn(A("10.1.0.1")), RTF_GATEWAY, mtu=1400
    )
    assert (route.ifp.name, route.ifa.addr, route.mtu) == ("wm1", A("10.1.0.5"), 1400)
    assert stack.route.generation > before
    beyond = SockaddrIn(A("192.168.0.1"))
    assert symbol(stack.route.change, route, beyond, RTF_GATEWAY) == "ENETUNREACH"
    assert route.gateway == SockaddrIn(A("10.1.0.1"))
    add(stack, "9.0.0.0", 8, "10.0.0.2")
    there_already = SockaddrIn(A("10.0.0.2"))
    assert symbol(stack.route.change, route, there_already, RTF_GATEWAY) == "EEXIST"


def test_routes_over_the_loopback_take_its_mtu(stack):
    own = stack.route.rtlookup(A("127.0.0.1"))
    assert (own.mtu, own.flags) == (33192, RTF_UP | RTF_HOST)
    told = add(stack, "127.0.0.0", 8, "127.0.0.1")
    assert told.mtu == 33192
    locked = add(stack, "126.0.0.0", 8, "127.0.0.1", locks=RTV_MTU, mtu=576)
    assert locked.mtu == 576


def test_a_gateway_may_be_put_on_a_wire_by_hand(stack):
    assert symbol(add, stack, "9.0.0.0", 8, "192.168.9.9") == "ENETUNREACH"
    link = SockaddrDl(stack.wm1.index, stack.wm1.type)
    stack.route.rtrequest("add", A("192.168.9.0"), prefix_mask(24), link, RTF_STATIC)
    route = add(stack, "9.0.0.0", 8, "192.168.9.9")
    assert route.ifp is stack.wm1
    assert stack.route.gateroute(route).flags & RTF_CLONED


def test_a_point_to_point_peer_is_a_way(stack):
    stack.tunnel("ppp0", "172.31.0.1", "172.31.0.2")
    route = add(stack, "9.0.0.0", 8, "172.31.0.2")
    assert route.ifp.name == "ppp0"
    assert not stack.route.rtlookup(A("172.31.0.2")).flags & RTF_CLONING


def test_an_interface_that_leaves_takes_its_routes(stack):
    route = add(stack, "9.0.0.0", 8, "10.1.0.1")
    clone = stack.route.rtalloc(A("10.1.9.9"))
    stack.wm1.detach()
    assert not route.flags & RTF_UP
    assert not clone.flags & RTF_UP
    assert all(rt.ifp is not stack.wm1 for rt in stack.route.routes())


def test_routes_outlive_a_change_of_address(stack):
    second = stack.addr(stack.wm0, "10.9.0.5", 16)
    route = add(stack, "9.0.0.0", 8, "10.9.0.1")
    assert route.ifa is second
    stack.remove(second)
    assert route.ifa is stack.wm0.addrs[0]
    # With the last address the way to the gateway goes, and nothing leaves by the route.
    stack.remove(stack.wm0.addrs[0])
    assert stack.route.rtlookup(A("9.9.9.9")) is route
    assert stack.route.gateroute(route) is None
    again = stack.addr(stack.wm0, "10.9.0.6", 16)
    assert route.ifa is again
    assert stack.route.gateroute(route).dst == A("10.9.0.1")


def test_rtinit_refuses_what_belongs_to_another_address(stack):
    stranger = type(stack.wm0.addrs[0])(stack.wm1, AF_INET, A("10.0.0.6"), 0xFFFFFF00)
    assert symbol(stack.route.rtinit, stranger, "delete") == "ENETUNREACH"
    stranger.addr = A("10.77.0.6")
    assert symbol(stack.route.rtinit, stranger, "delete") == "ESRCH"
    assert symbol(stack.route.rtinit, stack.wm0.addrs[0], "add") == "EEXIST"


REDIRECT = RTF_GATEWAY | RTF_HOST


def test_a_redirect_by_our_router_makes_a_host_route(stack):
    add(stack, "0.0.0.0", 0, "10.0.0.1")
    so = stack.socket()
    made = stack.route.rtredirect(A("8.8.8.8"), A("10.0.0.2"), REDIRECT, A("10.0.0.1"), stack.wm0)
    assert made.flags & (RTF_DYNAMIC | RTF_HOST | RTF_GATEWAY | RTF_UP) == made.flags
    assert stack.route.rtalloc(A("8.8.8.8")) is made
    assert stack.route.stat == {"dynamic": 1}
    told = drain(so)[-1]
    assert (told.type, told.errno, told.addrs.author.addr) == (RTM_REDIRECT, 0, A("10.0.0.1"))
    # A second one changes that route instead of making another.
    again = stack.route.rtredirect(A("8.8.8.8"), A("10.0.0.3"), REDIRECT, A("10.0.0.2"), stack.wm0)
    assert again is made
    assert made.flags & RTF_MODIFIED
    assert stack.route.stat["newgateway"] == 1
    # And it goes when its time is over.
    stack.route.timer(made, "redirect", 600)
    stack.clock.run(599)
    assert made.flags & RTF_UP
    stack.clock.run(600)
    assert not made.flags & RTF_UP
    assert drain(so)[-1].type == RTM_DELETE


@pytest.mark.parametrize(
    ("dst", "gateway", "src", "errno"),
    [
        ("8.8.8.8", "10.0.0.2", "10.0.0.99", 22),  # not from the router in use
        ("8.8.8.8", "192.168.1.1", "10.0.0.1", 251),  # to a router on no wire of ours
        ("8.8.8.8", "10.0.0.5", "10.0.0.1", 265),  # to ourselves
        ("8.8.8.8", "10.1.0.2", "10.0.0.1", 251),  # to a router on another wire than it came from
        ("10.0.0.9", "10.0.0.2", "10.0.0.1", 22),  # for a network of our own
    ],
)
def test_a_wrong_redirect_is_refused_and_counted(stack, dst, gateway, src, errno):
    add(stack, "0.0.0.0", 0, "10.0.0.1")
    so = stack.socket()
    got = stack.route.rtredirect(A(dst), A(gateway), REDIRECT, A(src), stack.wm0)
    assert got is None
    assert stack.route.stat == {"badredirect": 1}
    assert drain(so)[-1].errno == errno


def test_a_losing_redirect_route_is_given_up(stack):
    add(stack, "0.0.0.0", 0, "10.0.0.1")
    made = stack.route.rtredirect(A("8.8.8.8"), A("10.0.0.2"), REDIRECT, A("10.0.0.1"))
    so = stack.socket()
    stack.route.rtlosing(A("8.8.8.8"))
    assert not made.flags & RTF_UP
    assert [m.type for m in drain(so)] == [RTM_LOSING, RTM_DELETE]
    stack.route.rtlosing(A("9.9.9.9"))  # the default route stays
    assert stack.route.rtlookup(A("9.9.9.9")) is not None


def test_timers_start_anew_call_back_and_stop(stack):
    route = add(stack, "9.0.0.0", 8, "10.0.0.1")
    called = []
    stack.route.timer(route, "pmtu", 10, called.append)
    stack.route.timer(route, "pmtu", 20, called.append)
    stack.clock.run(15)
    assert called == []
    stack.clock.run(20)
    assert called == [route]
    stack.route.timer(route, "pmtu", 10, called.append)
    stack.route.untimer(route, "pmtu")
    stack.route.timer(route, "x", 10, called.append)
    stack.route.delete(route)
    stack.route.timer(route, "x", 10, called.append)  # a route that is gone gets none
    stack.clock.run(100)
    assert called == [route]
    assert stack.clock.wall() == EPOCH + 100


def test_a_proxy_entry_is_beside_the_table(stack):
    gate = SockaddrDl(stack.wm0.index, stack.wm0.type, "", bytes(6))
    stack.route.rtrequest("add", A("10.0.0.9"), None, gate, RTF_HOST, proxy=True)
    assert stack.route.proxy(A("10.0.0.9")).proxy
    assert stack.route.rtlookup(A("10.0.0.9")).flags & RTF_CLONING
    add_again = lambda: stack.route.rtrequest(  # noqa: E731
        "add", A("10.0.0.9"), None, gate, RTF_HOST, proxy=True
    )
    assert symbol(add_again) == "EEXIST"
    stack.route.rtrequest("delete", A("10.0.0.9"), None, proxy=True)
    assert stack.route.proxy(A("10.0.0.9")) is None


prefixes = st.tuples(st.integers(0, 0xFFFFFFFF), st.integers(0, 32))


@given(st.lists(prefixes, max_size=20), st.lists(st.integers(0, 0xFFFFFFFF), max_size=10))
def test_a_lookup_finds_what_a_search_of_the_whole_list_finds(nets, asked):
    stack = RouteStack()
    stack.route.purge(stack.wm0)
    stack.route.purge(stack.wm1)
    stack.route.purge(stack.lo0)
    held = {}
    for net, plen in nets:
        mask = prefix_mask(plen)
        if (net & mask, plen) not in held:
            held[net & mask, plen] = stack.route.rtrequest(
                "add", net, mask, SockaddrIn(1), RTF_GATEWAY, ifa=stack.wm0.addrs[0]
            )
    for dst in asked + [net for net, _ in nets]:
        best = [key for key in held if dst & prefix_mask(key[1]) == key[0]]
        want = held[max(best, key=lambda key: key[1])] if best else None
        assert stack.route.rtalloc(dst) is want
        assert stack.route.rtlookup(dst) is want
    for rt in list(held.values()):
        stack.route.delete(rt)
    assert len(stack.route) == 0
