"""Ten thousand established connections in one stack: memory of each, and what an idle minute costs."""

from __future__ import annotations

import gc
import time
import tracemalloc

from libnet.addr import AF_INET, SockaddrIn, inet_aton
from libnet.engine.kern.socket import SOCK_STREAM, Cred
from libnet.errors import NetError
from libnet.lab.memory import World

COUNT = 10_000


def main() -> None:
    world = World(seed=1)
    stacks, boxes = [], []
    for n, name in enumerate("AB", 1):
        box = world.box(name, nic="i82544:lan0")
        box.sh("io-pkt-v4-hc -d i82544")
        box.sh(f"ifconfig wm0 10.0.0.{n}/24")
        stacks.append(box.stack)
        boxes.append(box)
    boxes[0].sh("ping -c 1 10.0.0.2")  # the address is known: no SYN waits for it
    client, server = stacks
    listener = server.socreate(AF_INET, SOCK_STREAM, 0, Cred())
    listener.bind(SockaddrIn(0, 80))
    listener.listen(128)
    peer = SockaddrIn(inet_aton("10.0.0.2"), 80)
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    held = []
    begin = time.perf_counter()
    for n in range(COUNT):
        so = client.socreate(AF_INET, SOCK_STREAM, 0, Cred())
        try:
            so.connect(peer)
        except NetError as exc:
            assert exc.symbol == "EINPROGRESS"
        held.append(so)
        if n % 100 == 99:
            world.run(0.01)
            while listener.q:
                held.append(listener.accept())
    world.run(1)
    while listener.q:
        held.append(listener.accept())
    took = time.perf_counter() - begin
    gc.collect()
    each = (tracemalloc.get_traced_memory()[0] - before) / len(held)
    tracemalloc.stop()
    assert len(held) == 2 * COUNT, len(held)
    begin = time.perf_counter()
    world.run(60)
    idle = time.perf_counter() - begin
    print(f"{COUNT:,} connections made in {took:.1f} s (memory being traced)")
    print(f"memory of each end              {each:8,.0f} octets")
    print(f"an idle minute of {2 * COUNT:,} ends   {idle * 1e3:8.2f} ms of processor time")
