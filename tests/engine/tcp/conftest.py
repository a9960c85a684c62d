"""Two stacks on one clock, and between them a link that does to frames what a seed says."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from libnet.addr import Sockaddr, SockaddrIn, inet_pton, prefix_mask
from libnet.clock import Clock
from libnet.engine.kern.socket import (
    SHUT_WR,
    SOCK_STREAM,
    SS_ISCONNECTED,
    SS_ISDISCONNECTED,
    Cred,
    Socket,
)
from libnet.engine.link.ifnet import Ifnet
from libnet.engine.stack import Stack
from libnet.errors import NetError
from libnet.ioctl.ifflags import IFF_RUNNING
from libnet.ioctl.sockio import IfAliasReq
from libnet.wire.arp import ARPOP_REPLY, arp_build


class Link:
    """Frames from one stack to the other: late, lost, twice, out of order, damaged, by *dice*."""

    def __init__(self, dice, clock, *, delay=0.01, jitter=0.0, loss=0.0, dup=0.0, corrupt=0.0):
        self.dice, self.clock = dice, clock
        self.delay, self.jitter = delay, jitter
        self.loss, self.dup, self.corrupt = loss, dup, corrupt
        self.dead = False
        self.carried = 0
        self.spy: Callable[[bytes], bool] | None = None
        self.to: Ifnet | None = None

    def send(self, frame: bytes) -> None:
        """Carry *frame*."""
        if self.dead or (self.spy is not None and not self.spy(frame)):
            return
        for _ in range(2 if self.dice.random() < self.dup else 1):
            if self.dice.random() < self.loss:
                continue
            copy = frame
            # ARP has no checksum: a damaged one would teach a wrong address.
            if self.dice.random() < self.corrupt and frame[12:14] == b"\x08\x00":
                at = self.dice.randrange(14, len(frame))
                bad = frame[at] ^ (1 << self.dice.randrange(8))
                copy = frame[:at] + bytes((bad,)) + frame[at + 1 :]
            late = self.delay + self.jitter * self.dice.random()
            self.clock.after(late, lambda copy=copy: self.arrive(copy))

    def arrive(self, frame: bytes) -> None:
        """Have the other end receive *frame*."""
        self.carried += 1
        assert self.to is not None
        self.to.stack.ethernet.input(self.to, [frame])


class Pump:
    """Two stacks, a and b (10.0.0.1 and 10.0.0.2), with links ab and ba; neighbours are known."""

    def __init__(self, seed: int = 1, *, mtu: int = 1500, **how) -> None:
        self.dice = random.Random(seed)
        self.clock = Clock(1000.0, 1.7e9)
        self.a, self.b = (Stack(self.clock, random.Random(seed * 2 + n)) for n in range(2))
        self.ab, self.ba = (Link(self.dice, self.clock, **how) for _ in range(2))
        ifps = []
        for n, (stack, link) in enumerate(((self.a, self.ab), (self.b, self.ba)), 1):
            ifps.append(self._attach(stack, link, n, mtu))
        self.ab.to, self.ba.to = ifps[1], ifps[0]
        self.ifps = ifps
        for ifp, other in ((ifps[0], 2), (ifps[1], 1)):
            addr = 0x0A000000 + other
            ifp.stack.route.rtalloc(addr)
            mac = bytes((2, 0, 0, 0, 0, other))
            reply = arp_build(ARPOP_REPLY, mac, addr, ifp.lladdr, 0x0A000003 - other)
            ifp.stack.ethernet.input(ifp, [ifp.lladdr + mac + b"\x08\x06" + reply])

    @staticmethod
    def _attach(stack: Stack, link: Link, n: int, mtu: int) -> Ifnet:
        ifp = Ifnet(stack, "wm0", mtu=mtu)

        def init() -> None:
            ifp.flags |= IFF_RUNNING

        def start() -> None:
            while ifp.snd:
                link.send(ifp.snd.popleft())

        ifp.init, ifp.start = init, start
        stack.ethernet.ifattach(ifp, bytes((2, 0, 0, 0, 0, n)))
        stack.in_control.aifaddr(
            IfAliasReq(
                "wm0",
                SockaddrIn(inet_pton(f"10.0.0.{n}")),
                Sockaddr(),
                SockaddrIn(prefix_mask(24)),
            )
        )
        ifp.snd.clear()
        return ifp

    def run(self, seconds: float, until: Callable[[], bool] | None = None) -> bool:
        """Go from deadline to deadline for *seconds*, or until *until()*; return what that says."""
        clock = self.clock
        end = clock.now + seconds
        while until is None or not until():
            due = clock.next_due()
            if due is None or due > end:
                clock.run(end)
                break
            clock.run(due)
        return until is None or until()

    @staticmethod
    def socket(stack: Stack) -> Socket:
        """Return a TCP socket."""
        return stack.socreate(2, SOCK_STREAM, 0, Cred())

    def listen(self, port: int = 80, backlog: int = 5) -> Socket:
        """Return a listener of b."""
        so = self.socket(self.b)
        so.bind(SockaddrIn(0, port))
        so.listen(backlog)
        return so

    def connect(self, port: int = 80) -> Socket:
        """Return a socket of a that has begun to connect to b."""
        so = self.socket(self.a)
        so.connect(SockaddrIn(0x0A000002, port))
        return so

    def pair(self, port: int = 80) -> tuple[Socket, Socket]:
        """Return the two ends of a new connection, a's first."""
        listener = self.listen(port)
        so = self.connect(port)
        assert self.run(80, lambda: bool(listener.q) and bool(so.state & SS_ISCONNECTED))
        other = listener.accept()
        listener.close()
        return so, other


class App:
    """Somebody at one end who writes *data*, closes that way, and reads all that comes."""

    def __init__(self, so: Socket, data: bytes, chunk: int = 1 << 30) -> None:
        self.so, self.left, self.chunk = so, data, chunk
        self.got = b""
        self.eof = False
        self.error = ""
        self.shut = False
        so.upcall = self.hear
        self.hear(so)

    def hear(self, so: Socket) -> None:
        """Do what can be done now."""
        try:
            while self.left and not self.error:
                n = so.send(self.left[: self.chunk], None)
                self.left = self.left[n:]
        except NetError as exc:
            if exc.symbol not in ("EAGAIN", "ENOTCONN"):
                self.error = exc.symbol
        if not self.left and not self.shut and so.state & SS_ISCONNECTED:
            self.shut = True
            so.shutdown(SHUT_WR)
        try:
            while not self.eof and not self.error:
                data = so.recv(0, self.chunk).data
                self.got += data
                self.eof = not data
        except NetError as exc:
            if exc.symbol not in ("EAGAIN", "ENOTCONN"):
                self.error = exc.symbol

    @property
    def done(self) -> bool:
        """Whether nothing more can happen."""
        so = self.so
        if self.error or so.state & SS_ISDISCONNECTED:
            return True
        return self.eof and self.shut and not so.snd.cc


@pytest.fixture
def pump() -> type[Pump]:
    """Return the Pump class."""
    return Pump


@pytest.fixture
def app() -> type[App]:
    """Return the App class."""
    return App
