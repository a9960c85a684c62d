"""ip_input: what is refused and under which name, what is taken for ours, and fuzz."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from libnet.addr import inet_pton
from libnet.engine.inet.ip import Ip
from libnet.engine.kern.mbuf import M_CANFASTFWD
from libnet.engine.pfil.pfil import PFIL_IN
from libnet.wire.frame import CSUM_IP4, CSUM_L4, Frame
from libnet.wire.icmp import Icmp, icmp_echo
from libnet.wire.ipv4 import Ipv4, ip_build
from libnet.wire.udp import udp_build

A, B = inet_pton("10.0.0.1"), inet_pton("10.0.0.9")


def packet(src="10.0.0.9", dst="10.0.0.1", proto=1, payload=None, **kw):
    body = icmp_echo(1, 1, b"data") if payload is None else payload
    return ip_build(body, src=inet_pton(src), dst=inet_pton(dst), proto=proto, **kw)


def resum(octets, **at):
    """Return *octets* with some changed and the header checksum made right again."""
    raw = bytearray(octets)
    for key, value in at.items():
        raw[int(key[1:])] = value
    return Ip.with_cksum(raw[:20]) + bytes(raw[20:])


@pytest.fixture
def one(host):
    h = host(1)
    nic = h.nic("wm0", "10.0.0.1/24")
    nic.neighbour("10.0.0.9", b"\2\0\0\0\xaa\x09")
    nic.take()
    h.stack.stats["ip"].clear()
    return h, nic


GOOD = packet()
FAULTS = [
    ("toosmall", GOOD[:19]),
    ("badvers", resum(GOOD, _0=0x65)),
    ("badhlen", resum(GOOD, _0=0x44)),
    ("badhlen", resum(GOOD, _0=0x4F)[:40]),
    ("badsum", GOOD[:10] + b"\0\0" + GOOD[12:]),
    ("badlen", resum(GOOD, _2=0, _3=19)),
    ("tooshort", GOOD[:-1]),
    ("badaddr", packet(src="224.0.0.5")),
    ("badaddr", packet(src="127.0.0.1")),
    ("badaddr", packet(dst="127.0.0.1")),
    ("cantforward", packet(dst="10.0.9.9")),
    ("cantforward", packet(dst="239.1.2.3")),
    ("noproto", packet(proto=200, payload=b"")),
]


@pytest.mark.parametrize(("counter", "octets"), FAULTS)
def test_each_fault_has_its_counter(one, counter, octets):
    h, nic = one
    nic.rx_ip(octets)
    assert h.stat("ip")[counter] == 1
    assert h.stat("ip")["total"] == 1
    assert h.stat("ip")["delivered"] == 0


def test_each_fault_is_told_when_drops_are_traced(one):
    h, nic = one
    h.stack.droptrace = True
    nic.rx_ip(GOOD[:10] + b"\0\0" + GOOD[12:])
    assert h.log()[-1].startswith("drop: ip.badsum on wm0: badsum: 32 octets 4500")


def test_link_padding_is_not_data(one):
    _h, nic = one
    nic.rx_ip(GOOD + bytes(18))
    (out,) = nic.take()
    assert len(out) == 14 + len(GOOD)


def test_unknown_protocol_is_answered(one):
    _h, nic = one
    nic.rx_ip(packet(proto=200, payload=b"12345678"))
    (out,) = nic.take()
    got = Icmp.parse(Ipv4.parse(out[14:]).payload)
    assert (got.type, got.code) == (3, 2)


@pytest.mark.parametrize("dst", ["10.0.0.255", "10.255.255.255", "10.0.0.0", "255.255.255.255"])
def test_broadcasts_are_ours(one, dst):
    h, nic = one
    nic.rx_ip(packet(dst=dst), dst=b"\xff" * 6)
    assert h.stat("ip")["delivered"] == 1


def test_all_hosts_is_ours_once_there_is_an_address(one):
    h, nic = one
    nic.rx_ip(packet(dst="224.0.0.1"), dst=b"\1\0\x5e\0\0\1")
    assert h.stat("ip")["delivered"] == 1


def test_the_weak_model_takes_the_other_interfaces_address_the_strong_does_not(one):
    h, nic = one
    h.nic("wm1", "10.5.0.1/24")
    nic.rx_ip(packet(dst="10.5.0.1"))
    assert h.stat("ip")["delivered"] == 1
    h.stack.ip.checkinterface = 1
    nic.rx_ip(packet(dst="10.5.0.1"))
    assert h.stat("ip")["cantforward"] == 1


def test_an_address_whose_interface_is_down_is_unreachable_for_a_router(one):
    h, nic = one
    other = h.nic("wm1", "10.5.0.1/24")
    other.ifp.down()
    h.stack.ip.forwarding = 1
    nic.rx_ip(packet(dst="10.5.0.1"))
    (out,) = nic.take()
    got = Icmp.parse(Ipv4.parse(out[14:]).payload)
    assert (got.type, got.code) == (3, 1)
    assert h.stat("ip")["cantforward"] == 1


def test_marks_of_a_virtual_wire_spare_both_checksums(one):
    h, nic = one
    so = h.udp(5000)
    body = udp_build(1, 5000, b"hello", src=B, dst=A)
    octets = packet(proto=17, payload=body[:6] + b"\xde\xad" + body[8:])
    frame = Frame(nic.ifp.lladdr + bytes(6) + b"\x08\0" + octets[:10] + b"\0\0" + octets[12:])
    frame.csum = CSUM_IP4 | CSUM_L4
    nic.rx(frame)
    assert so.recv().data == b"hello"


def test_a_hook_may_drop_or_turn_a_packet(one):
    h, nic = one
    head = h.stack.pfil.head(2)
    seen = []

    def drop(m, ifp, direction):
        seen.append((ifp.name, direction, m.flags & M_CANFASTFWD))

    head.add(drop, PFIL_IN)
    nic.rx_ip(GOOD)
    assert seen == [("wm0", PFIL_IN, 0)]
    assert h.stat("ip")["delivered"] == 0
    head.remove(drop, PFIL_IN)

    def turn(m, ifp, direction):
        m.data = resum(m.data, _16=10, _17=0, _18=0, _19=1)
        return m

    head.add(turn, PFIL_IN)
    nic.rx_ip(packet(dst="10.7.7.7"))
    assert h.stat("ip")["delivered"] == 1


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(st.binary(max_size=120), st.booleans(), st.sampled_from([0x45, 0x46, 0x4F, None]))
def test_no_octets_upset_it(one, octets, forwarding, first):
    h, nic = one
    h.stack.ip.forwarding = int(forwarding)
    if first is not None and len(octets) >= 20:
        octets = bytes((first, *octets[1:]))
        hlen = (first & 15) << 2
        if len(octets) >= hlen:
            raw = octets[:2] + len(octets).to_bytes(2, "big") + octets[4:]
            head = h.stack.ip.with_cksum(raw[:hlen])
            octets = head + raw[hlen:]
    nic.rx_ip(octets)
    h.run(0)


@pytest.mark.parametrize("seed", range(5))
def test_a_fuzzed_stack_still_answers_ping(one, seed):
    """Mutate good packets of all kinds for a while; afterwards an echo is answered."""
    h, nic = one
    h.stack.ip.forwarding = 1
    h.udp(5000)
    h.raw(1)
    dice = random.Random(seed)
    seeds = [
        packet(),
        packet(proto=17, payload=udp_build(9, 5000, b"q" * 40, src=B, dst=A)),
        packet(options=bytes.fromhex("0708040000000000")),
        packet(options=bytes.fromhex("830704 0a000001 01".replace(" ", ""))),
        packet(options=bytes.fromhex("440c0501" + "00" * 8)),
        packet(proto=2, payload=bytes.fromhex("1164ee9b00000000"), dst="224.0.0.1"),
        packet(payload=Icmp(3, 4, 0, 576, packet(src="10.0.0.1", dst="10.0.0.9")).build()),
        packet(payload=Icmp(5, 1, 0, B, packet(src="10.0.0.1", dst="10.9.0.9")).build()),
        packet(off=0x2000, payload=bytes(64)),
        packet(dst="10.0.0.77", ttl=1),
    ]
    for number in range(20_000):
        raw = bytearray(dice.choice(seeds))
        for _ in range(dice.randrange(1, 6)):
            raw[dice.randrange(len(raw))] = dice.getrandbits(8)
        if dice.random() < 0.8:
            hlen = max(20, min(len(raw), (raw[0] & 15) << 2))
            raw[:hlen] = h.stack.ip.with_cksum(raw[:hlen])
        dst = nic.ifp.lladdr if dice.random() < 0.8 else b"\xff" * 6
        nic.rx(dst + b"\2\0\0\0\xaa\x09" + b"\x08\0" + bytes(raw[: dice.randrange(1, 200)]))
        if not number % 500:
            h.run(1.0)
    h.stack.icmp.errppslimit = -1
    nic.take()
    nic.neighbour("10.0.0.9", b"\2\0\0\0\xaa\x09")
    nic.take()
    nic.rx_ip(packet(payload=icmp_echo(3, 4, b"alive")))
    answers = [f for f in nic.take() if f.endswith(b"alive")]
    assert len(answers) == 1
