"""The address ioctls: what is set, what comes back, the routes that go with it."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from libnet.addr import Sockaddr, SockaddrDl, SockaddrIn, inet_ntoa, inet_pton, prefix_mask
from libnet.engine.kern.socket import Cred
from libnet.errors import NetError
from libnet.ioctl import sockio as s
from libnet.ioctl.ifflags import IFF_RUNNING, IFF_UP
from libnet.ioctl.registry import ROWS


@pytest.fixture
def one(host):
    h = host(1)
    h.nic("wm0")
    return h


def ioctl(h, row, arg):
    return h.stack.ioctl(row, arg, Cred())


def inet(text):
    return SockaddrIn(inet_pton(text))


def routes(h):
    return [f"{inet_ntoa(rt.dst)}/{rt.plen} {rt.ifp.name}" for rt in h.stack.route.routes()]


def test_an_address_starts_the_interface_and_makes_a_route(one):
    one.addr("wm0", "10.0.0.1/24")
    ifp = one.nics["wm0"].ifp
    assert ifp.flags & (IFF_UP | IFF_RUNNING) == IFF_UP | IFF_RUNNING
    assert routes(one) == ["10.0.0.0/24 wm0", "127.0.0.1/32 lo0"]
    assert ioctl(one, s.SIOCGIFADDR, s.IfReq("wm0")).addr == inet("10.0.0.1")
    assert ioctl(one, s.SIOCGIFNETMASK, s.IfReq("wm0")).addr == inet("255.255.255.0")
    assert ioctl(one, s.SIOCGIFBRDADDR, s.IfReq("wm0")).addr == inet("10.0.0.255")


def test_without_a_mask_the_class_counts(one):
    ioctl(one, s.SIOCSIFADDR, s.IfReq("wm0", addr=inet("172.16.5.1")))
    assert ioctl(one, s.SIOCGIFNETMASK, s.IfReq("wm0")).addr == inet("255.255.0.0")
    assert "172.16.0.0/16 wm0" in routes(one)


def test_setting_the_first_address_again_moves_it(one):
    one.addr("wm0", "10.0.0.1/24")
    ioctl(one, s.SIOCSIFADDR, s.IfReq("wm0", addr=inet("10.0.7.1")))
    assert routes(one) == ["10.0.7.0/24 wm0", "127.0.0.1/32 lo0"]
    assert ioctl(one, s.SIOCGIFBRDADDR, s.IfReq("wm0")).addr == inet("10.0.7.255")


def test_aliases_come_after_the_first(one):
    one.addr("wm0", "10.0.0.1/24")
    one.addr("wm0", "10.0.0.2/32")
    one.addr("wm0", "10.5.0.1/16")
    got = ioctl(one, s.SIOCGIFCONF, s.IfConf())
    assert [(r.name, getattr(r.addr, "addr", None)) for r in got.req] == [
        ("lo0", inet_pton("127.0.0.1")),
        ("wm0", inet_pton("10.0.0.1")),
        ("wm0", inet_pton("10.0.0.2")),
        ("wm0", inet_pton("10.5.0.1")),
    ]
    alias = ioctl(one, s.SIOCGIFALIAS, s.IfAliasReq("wm0", inet("10.5.0.1")))
    assert (alias.mask, alias.dstaddr) == (inet("255.255.0.0"), inet("10.5.255.255"))


def test_an_interface_without_address_is_listed_once_with_none(one):
    got = ioctl(one, s.SIOCGIFCONF, s.IfConf())
    assert [r.name for r in got.req] == ["lo0", "wm0"]
    assert got.req[1].addr == Sockaddr()


def test_the_prefix_is_taken_over_when_its_address_goes(one):
    one.addr("wm0", "10.0.0.1/24")
    one.addr("wm0", "10.0.0.2/24")
    assert routes(one).count("10.0.0.0/24 wm0") == 1
    one.deladdr("wm0", "10.0.0.1")
    rt = one.stack.route.rtlookup(inet_pton("10.0.0.77"))
    assert rt.ifa.addr == inet_pton("10.0.0.2")
    one.deladdr("wm0", "10.0.0.2")
    assert routes(one) == ["127.0.0.1/32 lo0"]


def test_another_interface_takes_over_too(one):
    one.addr("wm0", "10.0.0.1/24")
    one.nic("wm1", "10.0.0.2/24")
    one.deladdr("wm0", "10.0.0.1")
    assert routes(one) == ["10.0.0.0/24 wm1", "127.0.0.1/32 lo0"]


def test_deleting_without_a_name_deletes_the_first(one):
    one.addr("wm0", "10.0.0.1/24")
    one.addr("wm0", "10.5.0.1/24")
    ioctl(one, s.SIOCDIFADDR, s.IfReq("wm0"))
    assert ioctl(one, s.SIOCGIFADDR, s.IfReq("wm0")).addr == inet("10.5.0.1")


def test_changing_the_mask_moves_the_route(one):
    one.addr("wm0", "10.0.0.1/24")
    ioctl(one, s.SIOCSIFNETMASK, s.IfReq("wm0", addr=inet("255.255.0.0")))
    assert routes(one) == ["10.0.0.0/16 wm0", "127.0.0.1/32 lo0"]
    assert ioctl(one, s.SIOCGIFBRDADDR, s.IfReq("wm0")).addr == inet("10.0.255.255")
    ioctl(one, s.SIOCSIFBRDADDR, s.IfReq("wm0", addr=inet("10.0.7.255")))
    assert ioctl(one, s.SIOCGIFBRDADDR, s.IfReq("wm0")).addr == inet("10.0.7.255")


def test_with_prefix_lengths(one):
    ioctl(one, s.SIOCALIFADDR, s.IfLaddrReq("wm0", 0, 20, inet("10.1.0.1")))
    got = ioctl(one, s.SIOCGLIFADDR, s.IfLaddrReq("wm0"))
    assert (got.addr, got.prefixlen) == (inet("10.1.0.1"), 20)
    want = s.IfLaddrReq("wm0", 0x8000, 16, inet("10.1.0.0"))
    assert ioctl(one, s.SIOCGLIFADDR, want).addr == inet("10.1.0.1")
    ioctl(one, s.SIOCDLIFADDR, want)
    with pytest.raises(NetError, match="Can't assign"):
        ioctl(one, s.SIOCGLIFADDR, want)


def test_preferences(one):
    one.addr("wm0", "10.0.0.1/24")
    one.addr("wm0", "10.0.0.2/24")
    ioctl(one, s.SIOCSIFADDRPREF, s.IfAddrPrefReq("wm0", 5, inet("10.0.0.2")))
    got = ioctl(one, s.SIOCGIFADDRPREF, s.IfAddrPrefReq("wm0", 0, inet("10.0.0.2")))
    assert got.preference == 5
    so = one.udp()
    so.connect(SockaddrIn(inet_pton("10.0.0.9"), 7))
    assert so.usrreq.sockaddr(so).addr == inet_pton("10.0.0.2")


WRONG = [
    ("EADDRNOTAVAIL", s.SIOCGIFADDR, s.IfReq("wm0")),
    ("EADDRNOTAVAIL", s.SIOCDIFADDR, s.IfReq("wm0")),
    ("EADDRNOTAVAIL", s.SIOCDIFADDR, s.IfReq("wm0", addr=inet("10.9.9.9"))),
    ("EADDRNOTAVAIL", s.SIOCSIFNETMASK, s.IfReq("wm0", addr=inet("255.0.0.0"))),
    ("ENXIO", s.SIOCGIFADDR, s.IfReq("wm7")),
    ("EAFNOSUPPORT", s.SIOCSIFADDR, s.IfReq("wm0")),
    ("EAFNOSUPPORT", s.SIOCAIFADDR, s.IfAliasReq("wm0")),
    ("EAFNOSUPPORT", s.SIOCAIFADDR, s.IfAliasReq("wm0", SockaddrDl(1))),
    ("EINVAL", s.SIOCAIFADDR, s.IfAliasReq("wm0", inet("10.0.0.1"), mask=inet("255.0.255.0"))),
    ("EINVAL", s.SIOCSIFADDR, s.IfReq("wm0", addr=SockaddrIn(-1))),
    ("EINVAL", s.SIOCGIFDSTADDR, s.IfReq("lo0")),
    ("EINVAL", s.SIOCGIFBRDADDR, s.IfReq("lo0")),
    ("EINVAL", s.SIOCALIFADDR, s.IfLaddrReq("wm0", 0x8000, 24, inet("10.0.0.1"))),
    ("EINVAL", s.SIOCALIFADDR, s.IfLaddrReq("wm0", 0, 33, inet("10.0.0.1"))),
    ("EINVAL", s.SIOCSIFADDRPREF, s.IfAddrPrefReq("wm0", 40000, inet("10.0.0.1"))),
]


@pytest.mark.parametrize(("symbol", "row", "arg"), WRONG, ids=lambda v: str(v)[:30])
def test_what_is_wrong_is_refused_and_leaves_nothing(one, symbol, row, arg):
    before = routes(one)
    with pytest.raises(NetError) as caught:
        ioctl(one, row, arg)
    assert caught.value.symbol == symbol
    assert routes(one) == before
    assert one.nics["wm0"].ifp.addrs == []


def test_only_the_superuser_sets(one):
    with pytest.raises(NetError, match="not permitted"):
        one.stack.ioctl(s.SIOCSIFADDR, s.IfReq("wm0", addr=inet("10.0.0.1")), Cred(suser=False))


def test_events_are_told(one):
    seen = []
    one.stack.pfil.add_ifnet(lambda event, ifp, arg: seen.append((event, ifp.name)))
    one.addr("wm0", "10.0.0.1/24")
    one.deladdr("wm0", "10.0.0.1")
    assert [e for e in seen if "addr" in e[0]] == [("newaddr", "wm0"), ("deladdr", "wm0")]


def test_an_interface_that_leaves_takes_everything_along(one):
    nic = one.nics["wm0"]
    one.addr("wm0", "10.0.0.1/24")
    nic.neighbour("10.0.0.9", b"\2\0\0\0\xaa\x09")
    nic.ifp.detach()
    assert routes(one) == ["127.0.0.1/32 lo0"]
    assert not one.stack.arp.entries
    assert list(one.stack.ip.addrs.local) == [inet_pton("127.0.0.1")]


_ADDRS = st.one_of(
    st.just(Sockaddr()),
    st.integers(0, 2**32 - 1).map(SockaddrIn),
    st.sampled_from(["10.0.0.1", "10.0.0.2", "10.0.0.255", "0.0.0.0"]).map(inet),
    st.just(SockaddrDl(1)),
)
_MASKS = st.one_of(_ADDRS, st.integers(0, 32).map(lambda n: SockaddrIn(prefix_mask(n))))
_NAMES = st.sampled_from(["wm0", "lo0", "wm1"])
_CALLS = st.one_of(
    st.builds(lambda n, a: ("SIOCSIFADDR", s.IfReq(n, addr=a)), _NAMES, _ADDRS),
    st.builds(lambda n, a: ("SIOCDIFADDR", s.IfReq(n, addr=a)), _NAMES, _ADDRS),
    st.builds(lambda n, a: ("SIOCSIFNETMASK", s.IfReq(n, addr=a)), _NAMES, _MASKS),
    st.builds(lambda n, a: ("SIOCSIFBRDADDR", s.IfReq(n, addr=a)), _NAMES, _ADDRS),
    st.builds(
        lambda n, a, d, m: ("SIOCAIFADDR", s.IfAliasReq(n, a, d, m)), _NAMES, _ADDRS, _ADDRS, _MASKS
    ),
    st.builds(lambda n, a: ("SIOCGIFALIAS", s.IfAliasReq(n, a)), _NAMES, _ADDRS),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(st.lists(_CALLS, max_size=12))
def test_any_calls_leave_one_route_for_each_prefix(host, calls):
    h = host(3)
    h.nic("wm0")
    h.nic("wm1")
    for name, arg in calls:
        try:
            ioctl(h, ROWS[name], arg)
        except NetError:
            continue
        addrs = h.stack.ip.addrs
        assert [ifa for ifp in h.stack.ifnets.values() for ifa in ifp.addrs] == sorted(
            addrs.list, key=lambda ifa: ifa.ifp.index
        )
        assert {ifa.addr for ifa in addrs.list} == set(addrs.local)
    h.run(1)
