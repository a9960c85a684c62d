"""Packets of 64 octets forwarded by one stack between two in-memory segments, one core."""

from __future__ import annotations

import time

from libnet.clock import Clock
from libnet.lab.memory import World
from libnet.wire.cksum import in_cksum

BATCH = 256
ROUNDS = 800
FLOWS = 64


def frame(dst: bytes, flow: int) -> bytes:
    """A UDP datagram in a frame of 60 octets (64 with the FCS that no frame here has)."""
    head = bytearray(bytes.fromhex("4500002e00000000401100000a0000020a010002"))
    head[15] = flow + 2
    head[10:12] = in_cksum(bytes(head)).to_bytes(2, "big")
    return dst + b"\x02\0\0\0\0\x99" + b"\x08\0" + bytes(head) + bytes(26)


def build(maxflows: int):
    world = World(seed=1)
    router = world.box("router", nic=["i82544:lan0", "i82544:lan1"])
    for line in (
        "io-pkt-v4-hc -d i82544 -p tcpip forward",
        "ifconfig wm0 10.0.0.1/24",
        "ifconfig wm1 10.1.0.1/24",
        f"sysctl -qw net.inet.ip.maxflows={maxflows}",
    ):
        got = router.sh(line)
        assert not got.status, got
    segments = {name: world.segment(name) for name in ("lan0", "lan1")}
    return world.clock, router.stack, segments


def settle(clock: Clock) -> None:
    for _ in range(20):
        clock.run(clock.now)


def measure(maxflows: int, rounds: int) -> float:
    clock, stack, segments = build(maxflows)
    source, sink = segments["lan0"].plug("src"), segments["lan1"].plug("dst")
    sinkmac = b"\x02\0\0\0\0\x77"
    received = [0]

    def receive(frames):
        for got in frames:
            if got[12:14] == b"\x08\x06" and got[21:22] == b"\x01":
                reply = (
                    got[6:12] + sinkmac + got[12:20] + b"\0\x02" + sinkmac + got[38:42] + got[22:32]
                )
                sink.send(reply)
        received[0] += len(frames)

    sink.receive = receive
    source.receive = lambda frames: None
    lladdr = stack.ifunit("wm0").lladdr
    settle(clock)
    batch = [frame(lladdr, n % FLOWS) for n in range(BATCH)]
    for _ in range(3):
        source.send_many(batch)
        settle(clock)
    received[0] = 0
    begin = time.perf_counter()
    for _ in range(rounds):
        source.send_many(batch)
        clock.run(clock.now)
        clock.run(clock.now)
        clock.run(clock.now)
    settle(clock)
    took = time.perf_counter() - begin
    assert received[0] == rounds * BATCH, (received[0], rounds * BATCH, dict(stack.stats["ip"]))
    return received[0] / took


def main() -> None:
    fast = max(measure(256, ROUNDS) for _ in range(3))
    slow = max(measure(0, ROUNDS // 3) for _ in range(3))
    print(f"with flow cache    {fast:10,.0f} packets/s   (wanted 250,000: {fast / 250e3:.2f} x)")
    print(f"without            {slow:10,.0f} packets/s   (wanted  80,000: {slow / 80e3:.2f} x)")
    print(f"ratio              {fast / slow:10.1f}")
