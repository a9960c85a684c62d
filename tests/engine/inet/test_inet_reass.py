"""Reassembly: any order, duplicates and overlaps give the datagram or nothing; limits; time."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from libnet.addr import inet_pton
from libnet.engine.inet import ip_reass
from libnet.wire.icmp import Icmp
from libnet.wire.ipv4 import IP_MF, Ipv4, ip_build
from libnet.wire.udp import udp_build

A, B = inet_pton("10.0.0.1"), inet_pton("10.0.0.9")


def frag(payload, start, *, more, ident=7, src=B, proto=17, options=b""):
    off = (IP_MF if more else 0) | start >> 3
    return ip_build(payload, src=src, dst=A, proto=proto, ident=ident, off=off, options=options)


def cut(body, sizes, **kw):
    """Return fragments of *body*, each as long as *sizes* says in units of 8."""
    out, pos = [], 0
    for size in sizes:
        if pos + size * 8 >= len(body):
            break
        out.append(frag(body[pos : pos + size * 8], pos, more=True, **kw))
        pos += size * 8
    out.append(frag(body[pos:], pos, more=False, **kw))
    return out


@pytest.fixture
def one(host):
    h = host(1)
    nic = h.nic("wm0", "10.0.0.1/24")
    nic.neighbour("10.0.0.9", b"\2\0\0\0\xaa\x09")
    nic.take()
    h.stack.stats["ip"].clear()
    return h, nic


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.integers(0, 3000), st.lists(st.integers(2, 60), max_size=40), st.integers(0, 2**32))
def test_fragments_in_any_order_with_duplicates_make_the_datagram(one, size, sizes, seed):
    h, nic = one
    dice = random.Random(seed)
    data = dice.randbytes(size)
    so = h.udp(5000)
    before = h.stat("ip")["reassembled"]
    parts = cut(udp_build(9, 5000, data, src=B, dst=A), sizes, ident=seed & 0xFFFF)
    whole = len(parts) > 1
    dice.shuffle(parts)
    for part in parts[:-1]:
        nic.rx_ip(part)
        if dice.random() < 0.3:
            nic.rx_ip(part)
    nic.rx_ip(parts[-1])
    assert so.recv().data == data
    assert h.stat("ip")["reassembled"] - before == int(whole)
    assert not h.stack.ip.reass.queues
    assert h.stack.ip.reass.nfrags == 0
    so.close()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 20), st.booleans()), max_size=30))
def test_what_was_accepted_is_never_overwritten(one, pieces):
    """Octet n of every fragment is its sender's number; a result never mixes within what was held."""
    h, nic = one
    reass = h.stack.ip.reass
    for number, (start, size, more) in enumerate(pieces):
        nic.rx_ip(frag(bytes((number,)) * size * 8, start * 8, more=more, proto=99))
        for queue in reass.queues.values():
            ends = [s + len(p) for s, p in zip(queue.starts, queue.parts, strict=True)]
            assert all(e <= s for e, s in zip(ends, queue.starts[1:], strict=False))
            assert sum(map(len, queue.parts)) == queue.held
        assert reass.nfrags == sum(q.count for q in reass.queues.values())
    h.run(31)
    assert not reass.queues
    assert not reass.sources


def test_an_overlap_keeps_what_came_first(one):
    h, nic = one
    so = h.raw(99)
    nic.rx_ip(frag(b"a" * 16, 0, more=True, proto=99))
    nic.rx_ip(frag(b"b" * 16, 8, more=False, proto=99))
    assert so.recv().data[20:] == b"a" * 16 + b"b" * 8


def test_a_teardrop_is_dropped(one):
    h, nic = one
    nic.rx_ip(frag(b"a" * 32, 0, more=True))
    nic.rx_ip(frag(b"b" * 8, 8, more=False))
    assert h.stat("ip")["fragdropped"] == 1
    assert h.stat("ip")["reassembled"] == 0


def test_a_ping_of_death_is_too_long(one):
    h, nic = one
    nic.rx_ip(frag(bytes(1000), 65528 - 8, more=False, proto=1))
    assert h.stat("ip")["toolong"] == 1


@pytest.mark.parametrize(
    ("payload", "start", "more", "proto"),
    [
        (bytes(9), 0, True, 17),  # not a multiple of 8 before more
        (b"", 0, True, 17),
        (bytes(8), 0, True, 6),  # RFC 1858: hides the flags of TCP
        (bytes(24), 8, False, 6),  # RFC 1858: replaces them
    ],
)
def test_malformed_fragments_are_counted(one, payload, start, more, proto):
    h, nic = one
    nic.rx_ip(frag(payload, start, more=more, proto=proto))
    assert h.stat("ip")["badfrags"] == 1
    assert not h.stack.ip.reass.queues


def test_time_is_up_after_thirty_seconds_and_the_source_hears_of_it(one):
    h, nic = one
    nic.rx_ip(frag(bytes(64), 0, more=True))
    h.run(29.9)
    assert h.stat("ip")["fragtimeout"] == 0
    h.run(0.2)
    assert h.stat("ip")["fragtimeout"] == 1
    (out,) = nic.take()
    got = Icmp.parse(Ipv4.parse(out[14:]).payload)
    assert (got.type, got.code) == (11, 1)


def test_nobody_hears_of_it_without_the_first_fragment(one):
    h, nic = one
    nic.rx_ip(frag(bytes(64), 64, more=False))
    h.run(31)
    assert h.stat("ip")["fragtimeout"] == 1
    assert nic.take() == []


def test_one_source_cannot_take_all_queues(one):
    h, nic = one
    h.stack.ip.maxfragpackets = 10
    for ident in range(20):
        nic.rx_ip(frag(bytes(64), 0, more=True, ident=ident))
    assert len(h.stack.ip.reass.queues) == 5
    assert h.stat("ip")["fragdropped"] == 15
    for other in range(20):
        nic.rx_ip(frag(bytes(64), 0, more=True, src=B + 10 + other))
    assert len(h.stack.ip.reass.queues) == 10


def test_zero_packets_allowed_means_none_and_minus_one_no_limit(one):
    h, nic = one
    h.stack.ip.maxfragpackets = 0
    nic.rx_ip(frag(bytes(64), 0, more=True))
    assert h.stat("ip")["fragdropped"] == 1
    h.stack.ip.maxfragpackets = -1
    for ident in range(300):
        nic.rx_ip(frag(bytes(64), 0, more=True, ident=ident))
    assert len(h.stack.ip.reass.queues) == 300
    h.stack.ip.maxfragpackets = 200
    h.stack.ip._changed("maxfragpackets")
    assert len(h.stack.ip.reass.queues) == 200


def test_too_many_fragments_make_the_older_half_go(one, monkeypatch):
    h, nic = one
    monkeypatch.setattr(ip_reass, "MAXFRAGS", 16)
    for ident in range(17):
        nic.rx_ip(frag(bytes(64), 0, more=True, ident=ident, src=B + ident))
    assert h.stat("ip")["rcvmemdrop"] == 8
    assert h.stack.ip.reass.nfrags == 9


def test_options_of_the_first_fragment_stay(one):
    h, nic = one
    so = h.raw(99)
    body = bytes(64)
    nic.rx_ip(frag(body[:32], 0, more=True, proto=99, options=b"\1\1\1\1"))
    nic.rx_ip(frag(body[32:], 32, more=False, proto=99))
    got = Ipv4.parse(so.recv().data)
    assert (got.options, got.len, got.off) == (b"\1\1\1\1", 88, 0)
    assert got._replace(sum=0).header() != got.header()
