"""Frames a second over the media, and what a bare socket pair does in the same run.

    python bench/segment.py [frames]

Prints, for 64-octet frames: the in-memory segment (overhead per frame), the segment between two
processes one way, and the ratio of the latter to a bare pair of Unix datagram sockets that carries
one frame a datagram.
"""

from __future__ import annotations

import os
import socket
import sys
import tempfile
import time

from libnet.clock import Clock
from libnet.media.segment import Segment

FRAME = bytes(range(6)) + b"\x02\0\0\0\0\1" + b"\x08\x00" + bytes(50)
PASS = 64


def memory(frames: int, ports: int = 2) -> float:
    """Return seconds a frame through the in-memory segment with *ports* ports."""
    clock = Clock()
    segment = Segment("lan0", clock, None)
    ends = [segment.plug(f"p{n}") for n in range(ports)]
    got = [0]

    def count(batch):
        got[0] += len(batch)

    for end in ends:
        end.receive = count
    ends[1].send(FRAME[6:12] + FRAME[:6] + FRAME[12:])  # teach it where the receiver is
    clock.run(clock.now)
    got[0] = 0
    send = ends[0].send
    start = time.perf_counter()
    for _ in range(frames // PASS):
        for _ in range(PASS):
            send(FRAME)
        clock.run(clock.now)
    took = time.perf_counter() - start
    assert got[0] == frames // PASS * PASS
    return took / got[0]


def bare(frames: int) -> float:
    """Return frames a second of a bare socket pair between two processes, one a datagram."""
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    pid = os.fork()
    if pid == 0:
        other.close()
        for _ in range(frames):
            one.send(FRAME)
        os._exit(0)
    one.close()
    other.recv(2048)
    start = time.perf_counter()
    for _ in range(frames - 1):
        other.recv(2048)
    took = time.perf_counter() - start
    os.waitpid(pid, 0)
    other.close()
    return (frames - 1) / took


def between(frames: int, per_pass: int = PASS) -> float:
    """Return frames a second over a UnixPort between two processes; none may be lost."""
    from libnet.loop.loop import Loop
    from libnet.media.unixseg import UnixPort

    with tempfile.TemporaryDirectory() as world:
        directory = os.path.join(world, "segments", "lan0")
        loop = Loop()
        port = UnixPort(loop, directory, "BoxB.wm0")
        got = [0, 0.0]

        def count(batch):
            if not got[0]:
                got[1] = time.perf_counter()
            got[0] += len(batch)

        port.receive = count
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                loop = Loop()
                sender = UnixPort(loop, directory, "BoxA.wm0")
                sent = 0
                while sent < frames:
                    if sender.backlog < 1024:
                        for _ in range(per_pass):
                            sender.send(FRAME)
                        sent += per_pass
                        loop.run_once(0.0)
                    else:
                        loop.run_once(1.0)
                while sender.backlog:
                    loop.run_once(1.0)
                sender.close()
                status = 0
            finally:
                os._exit(status)
        want = -(-frames // per_pass) * per_pass
        while got[0] < want:
            loop.run_once(1.0)
        took = time.perf_counter() - got[1]
        os.waitpid(pid, 0)
        port.close()
        return got[0] / took


def main() -> None:
    frames = int(sys.argv[1]) if len(sys.argv) > 1 else 400_000
    for ports in (2, 4):
        cost = min(memory(frames, ports) for _ in range(3))
        print(f"in memory, {ports} ports: {cost * 1e6:.2f} us a frame, {1 / cost:,.0f} frames/s")
    pair = max(bare(frames // 4) for _ in range(2))
    print(f"bare socket pair, a frame a datagram: {pair:,.0f} frames/s")
    for per_pass in (1, PASS):
        rate = max(between(frames, per_pass) for _ in range(2))
        print(
            f"two processes, {per_pass} frames a pass: {rate:,.0f} frames/s"
            f" = {rate / pair:.2f} x bare pair"
        )


if __name__ == "__main__":
    main()
