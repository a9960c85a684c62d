"""The air in one process: 100 stations pinging their access point, and a scan among 50 networks.

    python bench/air.py [stations [seconds]]

Prints simulated seconds a second for the stations (over 1 is faster than real time), the CPU time of a
scan of 14 channels over what the same span costs without it, and frames a second between two radios.
"""

from __future__ import annotations

import sys
import time

from libnet.lab.memory import Box, World

STATIONS = 100
NETWORKS = 50
CHANNELS = 14
LONGEST_S = 60.0  # for all to have joined
SCAN_LIMIT_S = 0.1


def access_point(world: World, name: str, ssid: str, channel: int, address: str) -> Box:
    box = world.box(name, nic="rum:air0")
    box.sh("io-pkt-v4-hc -d rum")
    box.sh(f"ifconfig rum0 ssid {ssid} chan {channel} mediaopt hostap {address} up")
    return box


def active(box: Box, ifname: str) -> bool:
    return "status: active" in box.sh(f"ifconfig {ifname}").out


def stations(count: int, seconds: int) -> tuple[float, int, int]:
    """Return simulated seconds a second, replies, and how many there should be."""
    world = World(seed=1)
    access_point(world, "AP", "bench", 6, "10.0.0.1/16")
    boxes = []
    for n in range(count):
        box = world.box(f"S{n}", nic="rum:air0")
        box.sh("io-pkt-v4-hc -d rum")
        box.sh(f"ifconfig rum0 ssid bench 10.0.1.{n + 1}/16 up")
        boxes.append(box)
    joined = world.run_until(lambda: all(active(box, "rum0") for box in boxes), LONGEST_S)
    assert joined, "not all stations have joined"
    for box in boxes:
        box.sh("ping -c 1 10.0.0.1")
    jobs = [box.spawn(f"ping -c {seconds} 10.0.0.1") for box in boxes]
    start, begin = time.process_time(), world.now
    results = [job.result() for job in jobs]
    took = time.process_time() - start
    replies = sum(result.out.count("64 bytes from") for result in results)
    span = world.now - begin
    world.close()
    return span / took, replies, count * seconds


def scan() -> tuple[float, float, int]:
    """Return CPU seconds of a scan, of as long a span without one, and the networks found."""
    world = World(seed=1)
    for n in range(NETWORKS):
        access_point(world, f"AP{n}", f"net{n}", n % CHANNELS + 1, f"10.{n}.0.1/16")
    box = world.box("S", nic="rum:air0")
    box.sh("io-pkt-v4-hc -d rum")
    box.sh("ifconfig rum0 ssid nowhere up")
    world.run(10)
    box.sh("ifconfig rum0 down")
    world.run(1)
    begin, start = world.now, time.process_time()
    box.sh("ifconfig rum0 up")
    out = box.sh("ifconfig rum0 scan").out
    took, span = time.process_time() - start, world.now - begin
    box.sh("ifconfig rum0 down")
    world.run(1)
    start = time.process_time()
    world.run(span)
    idle = time.process_time() - start
    world.close()
    return took, idle, out.count("net")


def pair(frames: int = 20000) -> float:
    """Return frames a second of wall time between two radios, each acknowledged."""
    from random import Random

    from libnet.clock import Clock
    from libnet.drivers.radio import VirtualRadio
    from libnet.media.air import Air

    clock = Clock()
    air = Air("air0", clock, Random(1))
    one, other = b"\x02\0\0\0\0\1", b"\x02\0\0\0\0\2"
    a = VirtualRadio(air.plug("a"), Random(2), one)
    b = VirtualRadio(air.plug("b"), Random(3), other)
    for radio in (a, b):
        radio.start()
    got = [0]

    def count(_frame: bytes, _info: object) -> None:
        got[0] += 1

    b.receive = count
    frame = b"\x08\0\0\0" + other + one + one + b"\0\0" + bytes(200)
    start = time.perf_counter()
    left = frames
    while got[0] < frames:
        while left and a.room and a.transmit(frame, ((108, 4),)):
            left -= 1
        due = clock.next_due()
        if due is None:
            break
        clock.run(due)
    return got[0] / (time.perf_counter() - start)


def main() -> None:
    words = [int(word) for word in sys.argv[1:] if word.isdigit()]
    count, seconds = (*words, STATIONS, 10)[:2] if len(words) != 1 else (words[0], 10)
    print(f"{'two radios':32}{pair():10.0f} frames/s")
    speed, replies, wanted = stations(count, seconds)
    print(f"{f'{count} stations pinging':32}{speed:10.1f} x real time   {replies}/{wanted} replies")
    took, idle, found = scan()
    print(
        f"{f'scan, {NETWORKS} networks':32}{took - idle:10.3f} s CPU (limit {SCAN_LIMIT_S})"
        f"   {found} found; {took:.3f} s with the access points' own, {idle:.3f} s without the scan"
    )


if __name__ == "__main__":
    main()
