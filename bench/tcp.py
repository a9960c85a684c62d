"""Bulk TCP between two stacks in one process, over an in-memory segment, and 10,000 connections."""

from __future__ import annotations

import resource
import time
from typing import Any

from libnet.addr import SockaddrIn
from libnet.engine.kern.socket import SO_RCVBUF, SO_SNDBUF, SOCK_STREAM, SOL_SOCKET, Cred
from libnet.errors import NetError
from libnet.lab.memory import World

CONNECTIONS = 10_000
CHUNK = bytes(range(256)) * 256


class Bulk:
    """Two boxes and a connection between them; A writes whenever it may, B reads."""

    def __init__(self, options: str, buf: int) -> None:
        self.world = World(seed=1)
        boxes = [self.world.box(name, nic="i82544:lan0") for name in "AB"]
        for n, box in enumerate(boxes, 1):
            for line in ("io-pkt-v4-hc -d i82544", f"ifconfig wm0 10.0.0.{n}/24 {options}"):
                got = box.sh(line)
                assert not got.status, got
        self.clock = self.world.clock
        self.stacks = [box.stack for box in boxes]
        listener = self._socket(1, buf)
        listener.bind(SockaddrIn(0, 5001))
        listener.listen(1)
        self.source = self._socket(0, buf)
        self.source.connect(SockaddrIn(0x0A000002, 5001))
        while not listener.q:
            self.step()
        self.sink = listener.accept()
        self.got = 0
        self._dirty = False
        self.sink.upcall = self.source.upcall = self._hear

    def _socket(self, n: int, buf: int) -> Any:
        so = self.stacks[n].socreate(2, SOCK_STREAM, 0, Cred())
        so.setopt(SOL_SOCKET, SO_SNDBUF, buf)
        so.setopt(SOL_SOCKET, SO_RCVBUF, buf)
        return so

    def _hear(self, so: Any) -> None:
        self._dirty = True

    def step(self) -> None:
        """Make one pass; jump to the next deadline when there is nothing to do now."""
        due = self.clock.next_due()
        self.clock.run(max(self.clock.now, due or 0.0))

    def run(self, octets: int) -> float:
        """Move *octets*; return octets a second."""
        begin, start = time.perf_counter(), self.got
        self._dirty = True
        source, sink = self.source, self.sink
        while self.got - start < octets:
            if self._dirty:
                self._dirty = False
                try:
                    while True:
                        source.send(CHUNK, None)
                except NetError:
                    pass
                try:
                    while True:
                        self.got += len(sink.recv().data)
                except NetError:
                    pass
            self.step()
        return (self.got - start) / (time.perf_counter() - begin)


def measure(options: str, octets: int, buf: int = 262144) -> float:
    bulk = Bulk(options, buf)
    bulk.run(octets // 10)
    return bulk.run(octets)


def rss_kb() -> int:
    """Return the most memory this process has used, in KB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def connections(count: int) -> None:
    """Make *count* connections, and let two hours pass; both ends are in this process."""
    bulk = Bulk("", 32768)
    stack, clock = bulk.stacks[0], bulk.clock
    listener = bulk._socket(1, 32768)
    listener.bind(SockaddrIn(0, 5002))
    listener.listen(128)
    held = []

    def accept(so: Any) -> None:
        while so.q:
            held.append(so.accept())

    listener.upcall = accept
    before, begin = rss_kb(), time.perf_counter()
    for _ in range(count):
        so = stack.socreate(2, SOCK_STREAM, 0, Cred())
        so.connect(SockaddrIn(0x0A000002, 5002))
        held.append(so)
        for _ in range(4):
            clock.run(clock.now)
    took = time.perf_counter() - begin
    clock.run(clock.now + 2)
    assert len(held) == 2 * count, len(held)
    each = (rss_kb() - before) / (2 * count)
    print(
        f"{count:,} connections: {took / count * 1e6:.0f} us to make one, {each:.1f} KB for an end"
    )
    begin, passes, end = time.perf_counter(), 0, clock.now + 7000
    while (due := clock.next_due()) is not None and due < end:
        clock.run(due)
        passes += 1
    took = (time.perf_counter() - begin) * 1e3
    print(f"  two hours of silence: {passes} timer passes, {took:.1f} ms")


def main() -> None:
    rows = (
        ("MTU 1500, no offload", "", 60e6, 60_000_000),
        ("checksum offload", "ip4csum tcp4csum", 0, 60_000_000),
        ("tso4 and checksum offload", "ip4csum tcp4csum tso4", 400e6, 600_000_000),
    )
    for title, options, want, octets in rows:
        rate = max(measure(options, octets) for _ in range(2))
        wanted = f"   (wanted {want / 1e6:.0f}: {rate / want:.2f} x)" if want else ""
        print(f"{title:28} {rate / 1e6:8.1f} MB/s{wanted}")
    connections(CONNECTIONS)
