"""The Linux kernel through a TAP: UDP echo and bulk TCP, the stack in this process."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from libnet.addr import AF_INET, SockaddrIn, inet_aton
from libnet.conf.hardware import ANY, Nic
from libnet.conf.iopkt import parse
from libnet.engine.kern.socket import (
    SO_RCVBUF,
    SO_SNDBUF,
    SOCK_DGRAM,
    SOCK_STREAM,
    SOL_SOCKET,
    Cred,
)
from libnet.errors import NetError
from libnet.ioctl.sockio import IfAliasReq, IfCapReq
from libnet.iopkt.manager import Manager
from libnet.loop.host import RealDice
from libnet.loop.loop import Loop
from libnet.media.tap import TapPort, make_tap

SECONDS = 3.0
CHUNK = 1 << 18

UDP_CLIENT = """
import select, socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
s.connect(("10.77.9.2", 7)); s.setblocking(False)
data = b"x" * 64; sent = got = 0; end = time.perf_counter() + %f; begin = time.perf_counter()
while time.perf_counter() < end:
    while sent - got < 128:
        s.send(data); sent += 1
    if not select.select([s], [], [], 0.05)[0]:
        sent = got  # lost: go on
        continue
    try:
        while True:
            s.recv(200); got += 1
    except BlockingIOError:
        pass
print(got / (time.perf_counter() - begin))
"""
TCP_SINK = """
import socket, time
s = socket.create_server(("10.77.9.1", 9)); print("ready", flush=True)
c, _ = s.accept(); got = 0; begin = time.perf_counter()
while True:
    d = c.recv(1 << 20)
    if not d: break
    got += len(d)
print(got / (time.perf_counter() - begin) / 1e6)
"""
TCP_SOURCE = """
import socket, time
c = socket.create_connection(("10.77.9.2", 9)); d = b"x" * (1 << 20)
end = time.perf_counter() + %f
while time.perf_counter() < end: c.sendall(d)
c.close()
"""


class TapMachine:
    """A box with one NIC, plugged into a TAP."""

    def __init__(self, loop: Loop, fd: int, *, vnet: bool) -> None:
        self.loop, self.fd, self.vnet = loop, fd, vnet
        self.clock, self.dice, self.cpus = loop.clock, RealDice(), 1

    def find_module(self, name):
        return name.removesuffix(".so")

    def free_nics(self, driver):
        return [Nic(0, ANY, "tap", mac=b"\x02\0\0\0\0\x42", irq=11, pci=0)]

    def claim(self, slot, ifname):
        return lambda: None

    def plug(self, slot, ifname, wire):
        return TapPort(self.loop, self.fd, vnet=self.vnet)

    def make_node(self, path):
        return None

    remove_node = make_node


class Bench:
    """A stack at 10.77.9.2 on a TAP in a namespace where the kernel is 10.77.9.1."""

    def __init__(self, *, vnet: bool) -> None:
        self.netns = f"iopkt-tap{os.getpid()}"
        fd = make_tap("tap0", netns=self.netns, addresses=["10.77.9.1/24"], create=True, vnet=vnet)
        self.loop = Loop()
        machine = TapMachine(self.loop, fd, vnet=vnet)
        self.manager = Manager(machine, "v4-hc", parse(["-d", "i82544"]))
        self.manager.start()
        self.stack = self.manager.stack
        addr = inet_aton("10.77.9.2")
        self.stack.in_control.aifaddr(
            IfAliasReq("wm0", SockaddrIn(addr), SockaddrIn(addr | 255), SockaddrIn(0xFFFFFF00))
        )
        if vnet:
            row = self.stack.ioctl_named("SIOCSIFCAP")
            self.stack.ioctl(row, IfCapReq("wm0", 0, 0, 7, 0x27), Cred())

    def client(self, code: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["ip", "netns", "exec", self.netns, sys.executable, "-c", code],
            stdout=subprocess.PIPE,
            text=True,
        )

    def run_while(self, process: subprocess.Popen[str]) -> None:
        """Run until the client prints, or ends."""
        fd = process.stdout.fileno()
        self.loop.add_reader(fd, self.loop.stop)
        self.loop.run()
        self.loop.remove_reader(fd)

    def close(self) -> None:
        self.manager.shutdown()
        subprocess.run(["ip", "netns", "del", self.netns], check=False)


def udp_echo() -> float:
    bench = Bench(vnet=False)
    so = bench.stack.socreate(AF_INET, SOCK_DGRAM, 0, Cred())
    so.setopt(SOL_SOCKET, SO_RCVBUF, 262144)
    so.bind(SockaddrIn(0, 7))

    def echo(so) -> None:
        try:
            while so.rcv.records:
                record = so.rcv.take()
                so.send(record.data, record.frm)
        except NetError:
            return

    so.upcall = echo
    process = bench.client(UDP_CLIENT % SECONDS)
    bench.run_while(process)
    rate = float(process.stdout.read())
    bench.close()
    return rate


def tcp_send(*, vnet: bool) -> float:
    """Return MB/s from the stack to the kernel."""
    bench = Bench(vnet=vnet)
    process = bench.client(TCP_SINK)
    process.stdout.readline()
    so = bench.stack.socreate(AF_INET, SOCK_STREAM, 0, Cred())
    so.setopt(SOL_SOCKET, SO_SNDBUF, 262144)
    data = bytes(CHUNK)
    end = time.perf_counter() + SECONDS

    def pump(so) -> None:
        if time.perf_counter() >= end:
            so.upcall = None
            so.close()
            return
        try:
            while so.snd.space() > 65536:
                so.send(data, None)
        except NetError:
            return

    so.upcall = pump
    try:
        so.connect(SockaddrIn(inet_aton("10.77.9.1"), 9))
    except NetError as exc:
        assert exc.symbol == "EINPROGRESS"
    bench.run_while(process)
    rate = float(process.stdout.read())
    bench.close()
    return rate


def tcp_receive(*, vnet: bool) -> float:
    """Return MB/s from the kernel to the stack."""
    bench = Bench(vnet=vnet)
    listener = bench.stack.socreate(AF_INET, SOCK_STREAM, 0, Cred())
    listener.setopt(SOL_SOCKET, SO_RCVBUF, 262144)
    listener.bind(SockaddrIn(0, 9))
    listener.listen(1)
    got, first, last = [0], [0.0], [0.0]
    kept = []

    def drain(so) -> None:
        try:
            while True:
                size = len(so.recv(CHUNK).data)
                if not size:
                    return
                got[0] += size
                last[0] = time.perf_counter()
                first[0] = first[0] or last[0]
        except NetError:
            return

    def accept(so) -> None:
        try:
            made = so.accept()
        except NetError:
            return
        made.upcall = drain
        kept.append(made)
        drain(made)

    listener.upcall = accept
    process = bench.client(TCP_SOURCE % SECONDS)
    bench.run_while(process)
    bench.close()
    return got[0] / (last[0] - first[0]) / 1e6


def main() -> None:
    if os.geteuid() != 0 or not os.path.exists("/dev/net/tun"):
        print("needs root and /dev/net/tun: left out")
        return
    rate = udp_echo()
    print(
        f"UDP echo                  {rate:10,.0f} packets/s each way (wanted 50,000: {rate / 5e4:.2f} x)"
    )
    for vnet, want in ((True, 200), (False, 20)):
        name = "virtio-net headers" if vnet else "plain 1500-octet frames"
        for label, measure in (("stack to kernel", tcp_send), ("kernel to stack", tcp_receive)):
            rate = measure(vnet=vnet)
            print(f"TCP {label}, {name:24} {rate:8.1f} MB/s (wanted {want}: {rate / want:.2f} x)")
