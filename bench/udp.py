"""UDP datagrams of 1400 octets between two stacks, in one process and in two."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time

from libnet.addr import AF_INET, SockaddrIn, inet_aton
from libnet.errors import NetError
from libnet.libsocket.sock import SO_RCVBUF, SOCK_DGRAM, SOL_SOCKET

SIZE = 1400
BURST = 64


def one_process(rounds: int = 600) -> float:
    """Return MB/s received."""
    from libnet.lab.memory import World

    world = World(seed=1)
    a, b = world.box("A", nic="i82544:lan0"), world.box("B", nic="i82544:lan0")
    for box, addr in ((a, "10.0.0.1"), (b, "10.0.0.2")):
        box.sh("io-pkt-v4-hc -d i82544")
        box.sh(f"ifconfig wm0 {addr}/24")
    a.sh("ping -c 1 10.0.0.2")
    send, recv = (
        a.ctx("bench").socket(AF_INET, SOCK_DGRAM),
        b.ctx("bench").socket(AF_INET, SOCK_DGRAM),
    )
    recv.setsockopt(SOL_SOCKET, SO_RCVBUF, 262144)
    recv.bind(SockaddrIn(0, 5000))
    send.connect(SockaddrIn(inet_aton("10.0.0.2"), 5000))
    data, got = bytes(SIZE), 0
    begin = time.perf_counter()
    for _ in range(rounds):
        for _ in range(BURST):
            send.send(data)
        world.run(0.0001)
        while True:
            try:
                got += len(recv.recvfrom()[0])
            except NetError:
                break
    took = time.perf_counter() - begin
    assert got, "nothing arrived"
    return got / took / 1e6


RECEIVER = """
import sys, time
from cmds._bsd import process_ctx
from libnet.addr import AF_INET, SockaddrIn
from libnet.errors import NetError
from libnet.libsocket.sock import SO_RCVBUF, SOCK_DGRAM, SOL_SOCKET
ctx = process_ctx("bench")
s = ctx.socket(AF_INET, SOCK_DGRAM)
s.setsockopt(SOL_SOCKET, SO_RCVBUF, 262144)
s.bind(SockaddrIn(0, 5000))
print("ready", flush=True)
got = 0; first = last = 0.0
while ctx.wait([s], 1.0 if got else 10.0):
    while True:
        try:
            got += len(s.recvfrom()[0])
        except NetError:
            break
        last = time.perf_counter()
        first = first or last
print(got, last - first)
"""
SENDER = """
import sys
from cmds._bsd import process_ctx
from libnet.addr import AF_INET, SockaddrIn, inet_aton
from libnet.errors import NetError
from libnet.libsocket.sock import SOCK_DGRAM
ctx = process_ctx("bench")
s = ctx.socket(AF_INET, SOCK_DGRAM)
s.connect(SockaddrIn(inet_aton("10.0.0.2"), 5000))
data = bytes(1400)
for n in range(int(sys.argv[1])):
    try:
        s.send(data)
    except NetError:
        continue
"""


def two_processes(count: int = 20000) -> float:
    """Return MB/s received."""
    programs = os.path.dirname(sys.executable)
    with tempfile.TemporaryDirectory() as world:
        envs = []
        for n, box in ((1, "A"), (2, "B")):
            env = {**os.environ, "IOPKT_WORLD": world, "IOPKT_BOX": box}
            envs.append(env)
            subprocess.run([f"{programs}/io-pkt-v4-hc", "-d", "i82544"], env=env, check=True)
            subprocess.run([f"{programs}/ifconfig", "wm0", f"10.0.0.{n}/24"], env=env, check=True)
        try:
            receiver = subprocess.Popen(
                [sys.executable, "-c", RECEIVER], env=envs[1], stdout=subprocess.PIPE, text=True
            )
            receiver.stdout.readline()
            subprocess.run([sys.executable, "-c", SENDER, str(count)], env=envs[0], check=True)
            got, took = receiver.communicate(timeout=60)[0].split()
        finally:
            for env in envs:
                subprocess.run([f"{programs}/box", "kill", env["IOPKT_BOX"]], env=env, check=False)
    return int(got) / float(took) / 1e6


def main() -> None:
    one, two = one_process(), two_processes()
    print(f"in one process     {one:8.1f} MB/s")
    print(f"in two processes   {two:8.1f} MB/s   ratio {two / one:.2f}")
