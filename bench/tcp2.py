"""Bulk TCP between the stacks of two processes, over a segment of Unix datagram sockets."""

from __future__ import annotations

import os
import tempfile
import time

from bench.tap import CHUNK, TapMachine
from libnet.addr import AF_INET, SockaddrIn, inet_aton
from libnet.conf.iopkt import parse
from libnet.engine.kern.socket import SO_RCVBUF, SO_SNDBUF, SOCK_STREAM, SOL_SOCKET, Cred
from libnet.errors import NetError
from libnet.ioctl.sockio import IfAliasReq, IfCapReq
from libnet.iopkt.manager import Manager
from libnet.loop.loop import Loop
from libnet.media.unixseg import UnixPort

SECONDS = 3.0
SINK, SOURCE = "10.0.0.1", "10.0.0.2"


class SegmentMachine(TapMachine):
    """A box with one NIC on a segment between processes."""

    def __init__(self, loop: Loop, directory: str, label: str) -> None:
        super().__init__(loop, -1, vnet=False)
        self.directory, self.label = directory, label

    def plug(self, slot, ifname, wire):
        return UnixPort(self.loop, self.directory, f"{self.label}.{ifname}")


def stack(directory: str, label: str, address: str, *, offload: bool):
    loop = Loop()
    machine = SegmentMachine(loop, directory, label)
    nic = machine.free_nics("")[0]
    nic.mac = b"\x02\0\0\0\0" + label[-1:].encode()
    machine.free_nics = lambda driver: [nic]
    manager = Manager(machine, "v4-hc", parse(["-d", "i82544"]))
    manager.start()
    addr = inet_aton(address)
    manager.stack.in_control.aifaddr(
        IfAliasReq("wm0", SockaddrIn(addr), SockaddrIn(addr | 255), SockaddrIn(0xFFFFFF00))
    )
    if offload:
        row = manager.stack.ioctl_named("SIOCSIFCAP")
        manager.stack.ioctl(row, IfCapReq("wm0", 0, 0, 7, 0x27), Cred())
    return loop, manager


def sink(directory: str, ready: int, *, offload: bool) -> None:
    """Receive until the peer closes; write the rate."""
    loop, manager = stack(directory, "A", SINK, offload=offload)
    listener = manager.stack.socreate(AF_INET, SOCK_STREAM, 0, Cred())
    listener.setopt(SOL_SOCKET, SO_RCVBUF, 262144)
    listener.bind(SockaddrIn(0, 9))
    listener.listen(1)
    got, begin, kept = 0, 0.0, None
    os.write(ready, b"!")
    limit = time.perf_counter() + SECONDS + 5
    done = False
    while not done and time.perf_counter() < limit:
        loop.run_once(0.05)
        if kept is None and listener.q:
            kept = listener.accept()
        while kept is not None:
            try:
                size = len(kept.recv(CHUNK).data)
            except NetError:
                break
            if not size:
                done = True
                break
            got += size
            begin = begin or time.perf_counter()
    os.write(ready, f"{got / (time.perf_counter() - begin) / 1e6}\n".encode())


def source(directory: str, *, offload: bool) -> None:
    loop, manager = stack(directory, "B", SOURCE, offload=offload)
    so = manager.stack.socreate(AF_INET, SOCK_STREAM, 0, Cred())
    so.setopt(SOL_SOCKET, SO_SNDBUF, 262144)
    try:
        so.connect(SockaddrIn(inet_aton(SINK), 9))
    except NetError as exc:
        assert exc.symbol == "EINPROGRESS"
    data = bytes(CHUNK)
    end = time.perf_counter() + SECONDS
    while time.perf_counter() < end:
        try:
            while so.snd.space() > 65536:
                so.send(data, None)
        except NetError:
            loop.run_once(0.01)
            continue
        loop.run_once(0.01)
    so.close()
    for _ in range(200):
        loop.run_once(0.005)


def measure(*, offload: bool) -> float:
    with tempfile.TemporaryDirectory() as world:
        directory = os.path.join(world, "lan0")
        read, write = os.pipe()
        first = os.fork()
        if not first:
            sink(directory, write, offload=offload)
            os._exit(0)
        os.close(write)
        assert os.read(read, 1) == b"!"
        second = os.fork()
        if not second:
            source(directory, offload=offload)
            os._exit(0)
        rate = b""
        while not rate.endswith(b"\n"):
            chunk = os.read(read, 100)
            if not chunk:
                break
            rate += chunk
        os.waitpid(first, 0)
        os.waitpid(second, 0)
        os.close(read)
    return float(rate)


def main() -> None:
    plain, offload = measure(offload=False), measure(offload=True)
    print(f"MTU 1500, no offload             {plain:7.1f} MB/s")
    print(
        f"tso4 and checksum offload        {offload:7.1f} MB/s   (wanted 150: {offload / 150:.2f} x)"
    )
    print(f"what offload gains               {offload / plain:7.1f} x")
