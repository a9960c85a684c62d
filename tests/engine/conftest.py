"""Hosts that are a real Stack with Ethernet interfaces whose wire is a list, on a clock tests own."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from libnet.addr import Sockaddr, SockaddrIn, inet_pton, prefix_mask
from libnet.clock import Clock
from libnet.engine.kern.socket import SOCK_DGRAM, SOCK_RAW, Cred, Socket
from libnet.engine.link.ifnet import Ifnet
from libnet.engine.stack import Stack
from libnet.ioctl.ifflags import IFF_RUNNING
from libnet.ioctl.sockio import IfAliasReq, IfReq
from libnet.wire.arp import ARPOP_REPLY, arp_build

EPOCH = 1_700_000_000.0


class Nic:
    """An interface and the frames it has sent, oldest first."""

    def __init__(self, host: Host, name: str, lladdr: bytes) -> None:
        self.host = host
        self.sent: list[bytes] = []
        self.ifp = ifp = Ifnet(host.stack, name)

        def init() -> None:
            ifp.flags |= IFF_RUNNING

        def stop() -> None:
            ifp.flags &= ~IFF_RUNNING

        def start() -> None:
            while ifp.snd:
                self.sent.append(ifp.snd.popleft())
                ifp.opackets += 1

        ifp.init, ifp.stop, ifp.start = init, stop, start
        host.stack.ethernet.ifattach(ifp, lladdr)

    def take(self) -> list[bytes]:
        """Return what was sent since the last time."""
        frames, self.sent[:] = self.sent[:], []
        return frames

    def rx(self, *frames: bytes) -> None:
        """Receive frames."""
        self.host.stack.ethernet.input(self.ifp, frames)

    def rx_ip(self, packet: bytes, src: bytes = b"\2\0\0\0\0\x99", dst: bytes = b"") -> None:
        """Receive an IP packet in a frame to us (or to *dst*)."""
        self.rx((dst or self.ifp.lladdr) + src + b"\x08\x00" + packet)

    def neighbour(self, addr: str, lladdr: bytes) -> None:
        """Have the neighbour *addr* known, as an answer to a question would make it."""
        ours = self.ifp.addrs[0].addr
        self.host.stack.route.rtalloc(inet_pton(addr))
        reply = arp_build(ARPOP_REPLY, lladdr, inet_pton(addr), self.ifp.lladdr, ours)
        self.rx(self.ifp.lladdr + lladdr + b"\x08\x06" + reply)


class Host:
    """One stack; nics by name."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.clock = Clock(epoch=EPOCH)
        self.stack = Stack(self.clock, random.Random(seed))
        self.nics: dict[str, Nic] = {}

    def nic(self, name: str = "wm0", *addrs: str) -> Nic:
        """Add an interface with addresses such as "10.0.0.1/24"."""
        lladdr = bytes((2, 0, 0, 0, self.seed, len(self.nics) + 1))
        nic = self.nics[name] = Nic(self, name, lladdr)
        for addr in addrs:
            self.addr(name, addr)
        nic.take()
        return nic

    def addr(self, name: str, addr: str) -> None:
        """SIOCAIFADDR."""
        host, length = addr.split("/")
        mask = SockaddrIn(prefix_mask(int(length)))
        req = IfAliasReq(name, SockaddrIn(inet_pton(host)), Sockaddr(), mask)
        self.stack.in_control.aifaddr(req)

    def deladdr(self, name: str, addr: str) -> None:
        """SIOCDIFADDR."""
        self.stack.in_control.difaddr(IfReq(name, addr=SockaddrIn(inet_pton(addr))))

    def raw(self, proto: int) -> Socket:
        """Open a raw socket."""
        return self.stack.socreate(2, SOCK_RAW, proto, Cred())

    def udp(self, port: int = 0, addr: str = "0.0.0.0", *, suser: bool = True) -> Socket:
        """Open a UDP socket, bound if *port* is given."""
        so = self.stack.socreate(2, SOCK_DGRAM, 0, Cred(suser=suser, uid=0 if suser else 100))
        if port:
            so.bind(SockaddrIn(inet_pton(addr), port))
        return so

    def gateway(self, net: str, via: str) -> None:
        """Add a route."""
        dst, length = net.split("/")
        mask = prefix_mask(int(length))
        self.stack.route.rtrequest("add", inet_pton(dst), mask, SockaddrIn(inet_pton(via)), 0x2)

    def run(self, seconds: float = 0.0) -> None:
        """Let time pass."""
        self.clock.run(self.clock.now + seconds)

    def log(self) -> list[str]:
        """Return the texts in the log."""
        return [record.text for record in self.stack.logring.records]

    def stat(self, proto: str) -> dict[str, int]:
        """Return the counters of *proto*."""
        if proto == "ip":
            self.stack.ip.stats()
        return self.stack.stats[proto]


class Wire:
    """A segment: what one sends all others receive."""

    def __init__(self, *nics: Nic) -> None:
        self.nics = nics
        self.seen: list[bytes] = []

    def pump(self, seconds: float = 0.0, rounds: int = 50) -> None:
        """Let time pass on all hosts, then deliver until it is quiet."""
        hosts = {id(nic.host): nic.host for nic in self.nics}
        for host in hosts.values():
            host.run(seconds)
        for _ in range(rounds):
            busy = False
            for nic in self.nics:
                frames = nic.take()
                self.seen += frames
                for other in self.nics:
                    if other is not nic and frames:
                        other.rx(*frames)
                        busy = True
            for host in hosts.values():
                host.run()
            if not busy and not any(nic.sent for nic in self.nics):
                return


@pytest.fixture
def host() -> Callable[[int], Host]:
    """Return what makes a Host from a seed."""
    return Host


@pytest.fixture
def wire() -> type[Wire]:
    """Return the Wire class."""
    return Wire


@pytest.fixture
def pair() -> tuple[Host, Host, Wire]:
    """Return two hosts on a wire, 10.0.0.1 and 10.0.0.2, and the wire."""
    a, b = Host(1), Host(2)
    return a, b, Wire(a.nic("wm0", "10.0.0.1/24"), b.nic("wm0", "10.0.0.2/24"))


@pytest.fixture
def router() -> Host:
    """Return a router: wm0 10.0.0.1/24, wm1 10.0.1.1/24, with neighbours .9 on both sides."""
    r = Host(1)
    r.nic("wm0", "10.0.0.1/24").neighbour("10.0.0.9", b"\2\0\0\0\xaa\x09")
    r.nic("wm1", "10.0.1.1/24").neighbour("10.0.1.9", b"\2\0\0\0\xbb\x09")
    r.stack.ip.forwarding = 1
    for nic in r.nics.values():
        nic.take()
    for proto in ("ip", "icmp", "arp"):
        r.stack.stats[proto].clear()
    return r
