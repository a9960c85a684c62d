"""100,000 random and mutated frames into a stack: it still answers ping, and leaks nothing."""

from __future__ import annotations

import random

from libnet.lab.memory import World
from libnet.wire.cksum import in_cksum

FRAMES = 100_000
BATCH = 250


def _ip(rng, payload, proto, dst=0x0A000001, off=0, options=b"", src=None):
    hlen = 20 + len(options)
    head = bytearray(hlen)
    head[0] = 0x40 | hlen // 4
    head[1] = rng.getrandbits(8)
    head[2:4] = min(hlen + len(payload), 65535).to_bytes(2, "big")
    head[4:6] = rng.getrandbits(16).to_bytes(2, "big") if rng.random() < 0.5 else b"\0\7"
    head[6:8] = off.to_bytes(2, "big")
    head[8] = rng.choice((0, 1, 2, 64, 255))
    head[9] = proto
    src = (
        rng.choice((0x0A000002, 0x0A000063, 0, 0xFFFFFFFF, 0xE0000001, 0x7F000001))
        if src is None
        else src
    )
    head[12:16] = src.to_bytes(4, "big")
    head[16:20] = dst.to_bytes(4, "big")
    head[20:] = options
    head[10:12] = in_cksum(bytes(head)).to_bytes(2, "big")
    return bytes(head) + payload


def _frame(rng, lladdr):
    """One hostile frame of a random kind."""
    kind = rng.randrange(10)
    dst = rng.choice((lladdr, lladdr, b"\xff" * 6, b"\x01\x00\x5e\x00\x00\x01", rng.randbytes(6)))
    ether = dst + b"\x02\0\0\0\0\x63"
    body = rng.randbytes(rng.choice((0, 1, 8, 20, 40, 200, 1400)))
    target = rng.choice((0x0A000001, 0x0A0000FF, 0xFFFFFFFF, 0xE0000001, 0x0B000001, 0))
    if kind == 0:
        return rng.randbytes(rng.randrange(0, 80))
    if kind == 1:
        arp = bytearray(b"\0\1\x08\0\6\4\0" + bytes((rng.randrange(6),)) + rng.randbytes(20))
        if rng.random() < 0.7:
            arp[24:28] = target.to_bytes(4, "big")
        return ether + b"\x08\x06" + bytes(arp[: rng.randrange(len(arp) + 1)])
    if kind == 2:
        icmp = bytearray(bytes((rng.randrange(20), rng.randrange(18), 0, 0)) + body)
        icmp[2:4] = in_cksum(bytes(icmp)).to_bytes(2, "big")
        return ether + b"\x08\0" + _ip(rng, bytes(icmp), 1, target)
    if kind == 3:
        inner = _ip(rng, rng.randbytes(8), rng.choice((1, 6, 17)), src=0x0A000001)
        icmp = bytearray(
            bytes((rng.choice((3, 4, 5, 11, 12)), rng.randrange(6))) + bytes(6) + inner
        )
        icmp[2:4] = in_cksum(bytes(icmp)).to_bytes(2, "big")
        return ether + b"\x08\0" + _ip(rng, bytes(icmp), 1, 0x0A000001)
    if kind == 4:
        off = rng.getrandbits(13) | rng.choice((0, 0x2000, 0x4000))
        return ether + b"\x08\0" + _ip(rng, body, 17, 0x0A000001, off=off)
    if kind == 5:
        options = rng.randbytes(4 * rng.randrange(1, 11))
        return ether + b"\x08\0" + _ip(rng, body, rng.choice((1, 17)), target, options=options)
    if kind == 6:
        udp = rng.getrandbits(64).to_bytes(8, "big") + body
        return ether + b"\x08\0" + _ip(rng, udp, 17, target)
    if kind == 7:
        igmp = bytearray(
            bytes((rng.choice((0x11, 0x12, 0x16, 0x17, 0x22)), rng.getrandbits(8), 0, 0))
        )
        igmp += rng.choice((0xE0000001, 0xE0000005, 0)).to_bytes(4, "big")
        igmp[2:4] = in_cksum(bytes(igmp)).to_bytes(2, "big")
        return ether + b"\x08\0" + _ip(rng, bytes(igmp), 2, 0xE0000001)
    if kind == 8:
        tcp = rng.randbytes(20) + body
        return ether + b"\x08\0" + _ip(rng, tcp, 6, target)
    good = bytearray(
        ether + b"\x08\0" + _ip(rng, rng.randbytes(24), rng.getrandbits(8), 0x0A000001)
    )
    for _ in range(rng.randrange(1, 6)):
        good[rng.randrange(len(good))] = rng.getrandbits(8)
    return bytes(good[: rng.randrange(len(good) + 1)])


def test_the_stack_outlives_100_000_hostile_frames():
    rng = random.Random(20261122)
    with World(seed=3) as world:
        a, b = world.box("A", nic="i82544:lan0"), world.box("B", nic="i82544:lan1")
        c = world.box("C", nic=["i82544:lan0"])
        a.sh("io-pkt-v4-hc -d i82544 -p tcpip forward")
        a.sh("ifconfig wm0 10.0.0.1/24")
        c.sh("io-pkt-v4-hc -d i82544")
        c.sh("ifconfig wm0 10.0.0.2/24")
        b.sh("io-pkt-v4-hc -d i82544")
        stack = a.stack
        lladdr = stack.ifunit("wm0").lladdr
        attacker = world.segment("lan0").plug("attacker.0")
        attacker.receive = lambda frames: None
        before = sum(sum(s.values()) for s in stack.stats.values())
        for _ in range(FRAMES // BATCH):
            attacker.send_many([_frame(rng, lladdr) for _ in range(BATCH)])
            world.run(0.01)
        after = sum(sum(s.values()) for s in stack.stats.values())
        assert after - before > FRAMES
        c.sh("arp -d -a")
        a.sh("arp -d -a")
        got = c.sh("ping -c 3 -w 5 10.0.0.1")
        assert "3 packets received" in got.out, got
        world.run(3600)
        assert (stack.ip.reass.queues, stack.ip.reass.nfrags) == ({}, 0)
        assert "3 packets received" in c.sh("ping -c 3 -w 5 10.0.0.1").out
