"""IP options on their way: record route, timestamps, source routes, bad ones."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from libnet.addr import SockaddrIn, inet_pton
from libnet.engine.inet.ip_options import pcbopts
from libnet.errors import NetError
from libnet.wire.icmp import Icmp, icmp_echo
from libnet.wire.ipv4 import (
    IPOPT_TS_PRESPEC,
    IPOPT_TS_TSANDADDR,
    IPOPT_TS_TSONLY,
    Ipv4,
    ip_build,
    record_route,
    route_addrs,
    router_alert,
    source_route,
    timestamp,
    timestamps,
    walk_options,
)

ME, PEER, FAR = (inet_pton(a) for a in ("10.0.0.1", "10.0.0.9", "10.0.1.9"))
OUT = inet_pton("10.0.1.1")


def echo(dst, options, src=PEER):
    return ip_build(icmp_echo(1, 1, b"x"), src=src, dst=dst, proto=1, options=options)


def sent(host, name):
    return [Ipv4.parse(f[14:]) for f in host.nics[name].take() if f[12:14] == b"\x08\0"]


def first(options):
    return next(iter(walk_options(options)))


def test_a_router_records_the_way_out(router):
    router.nics["wm0"].rx_ip(echo(FAR, record_route(3)))
    (got,) = sent(router, "wm1")
    assert route_addrs(first(got.options))[0] == [OUT]


def test_an_echo_is_answered_with_the_record_going_on(router):
    router.nics["wm0"].rx_ip(echo(ME, record_route(3)))
    (got,) = sent(router, "wm0")
    assert route_addrs(first(got.options))[0] == [ME]


def test_a_full_record_is_left_alone(router):
    option = bytes((7, 7, 8)) + PEER.to_bytes(4, "big")
    router.nics["wm0"].rx_ip(echo(FAR, option))
    (got,) = sent(router, "wm1")
    assert got.options[:7] == option


def test_timestamps(router):
    router.run(1.5)
    router.nics["wm0"].rx_ip(echo(FAR, timestamp(IPOPT_TS_TSONLY, 2)))
    router.nics["wm0"].rx_ip(echo(FAR, timestamp(IPOPT_TS_TSANDADDR, 2)))
    router.nics["wm0"].rx_ip(echo(FAR, timestamp(IPOPT_TS_PRESPEC, 2, [ME, FAR])))
    router.nics["wm0"].rx_ip(echo(FAR, timestamp(IPOPT_TS_PRESPEC, 1, [FAR])))
    want = router.stack.ip.iptime()
    only, both, mine, other = (timestamps(first(p.options)) for p in sent(router, "wm1"))
    assert only.entries == [(None, want)]
    assert both.entries == [(ME, want)]
    assert mine.entries == [(ME, want)]
    assert other.entries == []


def test_a_full_timestamp_counts_who_found_no_room(router):
    option = bytes((68, 8, 9, 0x10)) + bytes(4)
    router.nics["wm0"].rx_ip(echo(FAR, option))
    (got,) = sent(router, "wm1")
    assert timestamps(first(got.options)).overflow == 2
    router.nics["wm0"].rx_ip(echo(FAR, bytes((68, 8, 9, 0xF0)) + bytes(4)))
    (got,) = sent(router, "wm0")
    error = Icmp.parse(got.payload)
    assert (error.type, error.pptr) == (12, 22)


def test_a_loose_source_route_is_followed(router):
    router.nics["wm0"].rx_ip(echo(ME, source_route([FAR])))
    (got,) = sent(router, "wm1")
    assert got.dst == FAR
    assert route_addrs(first(got.options)) == ([OUT], [])


def test_a_strict_one_only_to_neighbours(router):
    router.nics["wm0"].rx_ip(echo(ME, source_route([FAR], strict=True)))
    assert len(sent(router, "wm1")) == 1
    router.gateway("10.9.0.0/16", "10.0.1.9")
    router.nics["wm0"].rx_ip(echo(ME, source_route([inet_pton("10.9.0.1")], strict=True)))
    (got,) = sent(router, "wm0")
    error = Icmp.parse(got.payload)
    assert (error.type, error.code) == (3, 5)
    assert router.stat("ip")["badoptions"] == 1


@pytest.mark.parametrize(("knob", "code"), [("allowsrcrt", 9), ("forwsrcrt", 5)])
def test_source_routes_may_be_forbidden(router, knob, code):
    setattr(router.stack.ip, knob, 0)
    router.nics["wm0"].rx_ip(echo(ME, source_route([FAR])))
    (got,) = sent(router, "wm0")
    error = Icmp.parse(got.payload)
    assert (error.type, error.code) == (3, code)
    assert sent(router, "wm1") == []


def test_the_answer_goes_back_the_way_the_question_came(router):
    # The route is at its end: recorded 10.0.0.7, then us.
    via = inet_pton("10.0.0.9")
    option = bytes((131, 7, 8)) + via.to_bytes(4, "big")
    router.nics["wm0"].rx_ip(echo(ME, option, src=inet_pton("10.5.5.5")))
    (got,) = sent(router, "wm0")
    assert got.dst == via
    kinds = {o.kind: o for o in walk_options(got.options)}
    assert route_addrs(kinds[131])[1] == [inet_pton("10.5.5.5")]


def test_router_alert_passes(router):
    router.nics["wm0"].rx_ip(echo(FAR, router_alert()))
    (got,) = sent(router, "wm1")
    assert got.options == router_alert()


@pytest.mark.parametrize(
    ("option", "pointer"),
    [
        (bytes((7, 2, 4, 0)), 21),  # too short for its kind
        (bytes((7, 39, 4, 0)), 21),  # beyond the header
        (bytes((7, 7, 3, 0, 0, 0, 0, 0)), 22),  # pointer into the option's head
        (bytes((68, 8, 4, 0, 0, 0, 0, 0)), 22),
        (bytes((68, 8, 5, 2, 0, 0, 0, 0)), 23),  # no such flag
        (bytes((131, 7, 3, 0, 0, 0, 0, 0)), 22),
    ],
)
def test_bad_options_point_at_the_octet(router, option, pointer):
    router.nics["wm0"].rx_ip(echo(ME, option))
    (got,) = sent(router, "wm0")
    error = Icmp.parse(got.payload)
    assert (error.type, error.pptr) == (12, pointer)
    assert router.stat("ip")["badoptions"] == 1


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(st.binary(max_size=40), st.sampled_from([ME, FAR]))
def test_any_options_are_honoured_or_refused(router, options, dst):
    router.nics["wm0"].rx_ip(echo(dst, options))
    for name in ("wm0", "wm1"):
        for got in sent(router, name):
            assert got.src != 0
    router.run(1)


@given(st.binary(max_size=44))
def test_socket_options_are_taken_or_einval(data):
    try:
        got = pcbopts(data)
    except NetError as exc:
        assert exc.symbol == "EINVAL"
        return
    assert got is None or len(got.data) % 4 == 0


def test_a_source_route_of_a_socket_goes_to_its_first_hop(router):
    so = router.raw(1)
    so.setopt(0, 1, b"\1" + source_route([PEER, FAR]))
    so.send(icmp_echo(1, 1, b""), SockaddrIn(FAR))
    (got,) = sent(router, "wm0")
    assert got.dst == PEER
    assert {o.kind for o in walk_options(got.options)} == {1, 131}
    assert so.getopt(0, 1)[0] == 1
