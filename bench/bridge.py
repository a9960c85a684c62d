"""Frames of 64 octets bridged by one stack between two in-memory segments, against the routed rate."""

from __future__ import annotations

import time

from bench import forward
from libnet.lab.memory import World

BATCH = 256
ROUNDS = 800
FEW, MANY = 10, 10_000


def build(addresses: int):
    world = World(seed=1)
    switch = world.box("switch", nic=["i82544:lan0", "i82544:lan1"])
    for line in (
        "io-pkt-v4-hc -d i82544",
        "ifconfig wm0 up",
        "ifconfig wm1 up",
        "ifconfig bridge0 create",
        f"brconfig bridge0 maxaddr {addresses + 10} add wm0 add wm1 up",
    ):
        got = switch.sh(line)
        assert not got.status, got
    return world, switch.stack, {name: world.segment(name) for name in ("lan0", "lan1")}


def station(side: int, number: int) -> bytes:
    return b"\x02\0" + bytes((side,)) + number.to_bytes(3, "big")


def measure(addresses: int, talking: int, rounds: int) -> float:
    """Return frames a second between two sides with half of *addresses* each; *talking* talk."""
    world, _stack, segments = build(addresses)
    clock = world.clock
    left, right = segments["lan0"].plug("left"), segments["lan1"].plug("right")
    received = [0]

    def receive(frames):
        received[0] += len(frames)

    right.receive = receive
    left.receive = lambda frames: None
    half = addresses // 2
    body = b"\x08\0" + bytes(46)
    for port, side in ((left, 1), (right, 2)):
        for at in range(0, half, BATCH):
            hello = [
                station(3 - side, n) + station(side, n) + body
                for n in range(at, min(at + BATCH, half))
            ]
            port.send_many(hello)
            forward.settle(clock)
    batches = []
    # As many frames lie ready for a small table as for a large one: their memory costs the same.
    for at in range(MANY // 2 // BATCH):
        numbers = [(at * BATCH + n) % (talking // 2) for n in range(BATCH)]
        batches.append(
            [station(2, (n * 7) % (talking // 2)) + station(1, n) + body for n in numbers]
        )
    received[0] = 0
    begin = time.perf_counter()
    for number in range(rounds):
        left.send_many(batches[number % len(batches)])
        clock.run(clock.now)
        clock.run(clock.now)
        clock.run(clock.now)
    forward.settle(clock)
    took = time.perf_counter() - begin
    assert received[0] == rounds * BATCH, (received[0], rounds * BATCH)
    world.close()
    return received[0] / took


def main() -> None:
    routed = few = many = all_ = 0.0
    for _ in range(3):  # turn about, so that a busy machine treats all alike
        routed = max(routed, forward.measure(256, ROUNDS))
        few = max(few, measure(FEW, FEW, ROUNDS))
        many = max(many, measure(MANY, FEW, ROUNDS))
        all_ = max(all_, measure(MANY, MANY, ROUNDS))
    print(f"routed, flow cache           {routed:10,.0f} packets/s")
    print(
        f"bridged, {FEW:6,} addresses     {few:10,.0f} frames/s   {few / routed:.2f} x (wanted 1.2)"
    )
    print(
        f"bridged, {MANY:6,} addresses     {many:10,.0f} frames/s   cost {few / many:.2f} (wanted 1)"
    )
    print(f"  all of which talk at once  {all_:10,.0f} frames/s   cost {few / all_:.2f}")
