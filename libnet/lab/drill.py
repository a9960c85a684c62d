"""Runs timed TCP scripts, drill(5), against one stack in virtual time.

    run(parse(text, "fast-retransmit.pkt"))     # returns, or raises Failure

Theory of operation. The stack has one point-to-point interface whose far end is the script. Events
happen one after the other. Before each, the clock goes from deadline to deadline up to the moment of
the event, so timers that fall on the same moment go first. `<` hands a packet to the stack; `>` takes
the oldest packet the stack has sent, waiting for one until its time is over, and compares. A packet
that the stack sent and no `>` asked for fails the script as soon as the next other event begins, or
at the end. A call that would block fails unless its time is START...END; then it goes on by itself
and must return at END.

Sequence numbers of the script start at 0 on both sides; ours are learned from our first SYN, the
peer's are moved by --remote_isn. Time stamps of ours are learned likewise. What is written and what
comes in is a known pattern, and both are compared octet by octet, so a script need not look at data.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final

from libnet.addr import AF_INET, Sockaddr, SockaddrIn
from libnet.clock import Clock
from libnet.engine.inet import ip_var
from libnet.engine.kern import socket as ksocket
from libnet.engine.kern.mbuf import Mbuf
from libnet.engine.kern.socket import (
    MSG_OOB,
    MSG_PEEK,
    SO_ERROR,
    SO_OOBINLINE,
    SOCK_DGRAM,
    SOL_SOCKET,
    SS_ISCONNECTED,
    SS_ISCONNECTING,
    Cred,
    Socket,
)
from libnet.engine.link.ethernet import ETHERTYPE_IP
from libnet.engine.link.ifnet import Ifnet
from libnet.engine.stack import Stack
from libnet.engine.tcp import tcp_var
from libnet.errors import NetError, strerror
from libnet.ioctl.ifflags import IFF_POINTOPOINT, IFF_RUNNING
from libnet.ioctl.sockio import IfAliasReq
from libnet.lab.drillscript import (
    COUNTERS,
    Any_,
    Call,
    Check,
    Command,
    Event,
    Icmp,
    Name,
    Script,
    Tcp,
    Term,
    Udp,
    parse,
)
from libnet.lab.drillwire import (
    IPPROTO_TCP,
    IPPROTO_UDP,
    Conn,
    Mismatch,
    Packet,
    Wire,
    sent,
    written,
)
from libnet.loop.sim import seeded
from libnet.text.netstat import TCP_STATES
from libnet.wire.rtsock import RTF_GATEWAY

__all__ = ["Failure", "parse", "run"]

IFNAME: Final = "drill0"
START_S: Final = 1000.0  # what the stack's clock shows when a script begins
EPOCH: Final = 1_700_000_000.0  # of that clock, in seconds since 1970
PATIENCE_S: Final = 864000.0  # how long `*' waits
MAX_ROUNDS: Final = 100_000  # passes of the clock before an event that never comes
SLACK_S: Final = 1e-6

O_NONBLOCK: Final = 0x4
F_GETFL: Final = 3
F_SETFL: Final = 4

# Where the words of a call are looked up, in this order.
_MODULES: Final = (ksocket, tcp_var, ip_var)
_WORDS: Final[dict[str, int]] = {
    "AF_INET": AF_INET,
    "IPPROTO_TCP": IPPROTO_TCP,
    "IPPROTO_UDP": IPPROTO_UDP,
    "SOL_TCP": IPPROTO_TCP,
    "O_RDWR": 2,
    "O_NONBLOCK": O_NONBLOCK,
    "F_GETFL": F_GETFL,
    "F_SETFL": F_SETFL,
}


class Failure(AssertionError):
    """The stack did not do what a line says: where, what was expected, what happened."""

    def __init__(self, script: Script, event: Event, expected: str, actual: str) -> None:
        self.filename, self.line, self.event = script.filename, event.line, event.text
        self.expected, self.actual = expected, actual
        super().__init__(
            f"{script.filename}:{event.line}: {event.text}\n"
            f"  expected: {expected}\n"
            f"  actual:   {actual}"
        )


def run(script: Script) -> None:
    """Run *script* on a stack of its own. Raises Failure."""
    Runner(script).run()


class Fd:
    """One descriptor of a script."""

    def __init__(self, so: Socket, conn: Conn | None = None) -> None:
        self.so, self.conn = so, conn
        self.nonblock = self.connecting = False
        self.wrote = 0  # octets
        self.got = 0  # offset in the peer's stream


class Pending:
    """A call that has not returned yet."""

    def __init__(self, event: Event, call: Callable[[], int], end: float) -> None:
        self.event, self.call, self.end = event, call, end
        self.done: float | None = None
        self.result = 0
        self.error = ""


class Blocks(Exception):
    """The call would wait."""


class Runner:
    """One run of one script."""

    def __init__(self, script: Script) -> None:
        self.script = script
        knobs = self.knobs = script.knobs
        self.tolerance = knobs["tolerance_usecs"] / 1e6
        self.clock = Clock(START_S, EPOCH)
        self.stack = Stack(self.clock, seeded(f"drill/{knobs['seed']}"))
        self.sent: deque[Packet] = deque()
        self.fds: dict[int, Fd] = {}
        self.wire = Wire(knobs)
        self.pending: list[Pending] = []
        self.partial: dict[int, int] = {}  # what blocked writes have written, by their Call's id
        self.base = 0.0  # what the next relative time counts from
        self.ifp = self._interface(knobs["mtu"])

    def _interface(self, mtu: int) -> Ifnet:
        stack, knobs = self.stack, self.knobs
        ifp = Ifnet(stack, IFNAME, mtu=mtu)
        ifp.max_mtu = 65535
        ifp.flags |= IFF_POINTOPOINT

        def init() -> None:
            ifp.flags |= IFF_RUNNING

        def output(m: Mbuf, _dst: int, _rt: Any) -> None:
            ifp.opackets += 1
            self.sent.append(Packet(self.now, bytes(m.data)))

        ifp.init, ifp.output = init, output
        ifp.attach()
        gateway = SockaddrIn(knobs["gateway_ip"])
        stack.in_control.aifaddr(
            IfAliasReq(
                IFNAME, SockaddrIn(knobs["local_ip"]), gateway, SockaddrIn(knobs["netmask_ip"])
            )
        )
        ifp.up()
        stack.route.rtrequest("add", 0, 0, gateway, RTF_GATEWAY)
        return ifp

    # -- time

    @property
    def now(self) -> float:
        """Seconds since the script began."""
        return self.clock.now - START_S

    def step(self, until: float) -> bool:
        """Make the calls of the next deadline up to *until*; False when there is none."""
        due = self.clock.next_due()
        if due is None or due - START_S > until + SLACK_S / 2:
            return False
        self.clock.run(due)
        self._retry()
        return True

    def advance(self, until: float) -> None:
        """Let time pass."""
        rounds = 0
        while self.step(until):
            rounds += 1
            if rounds > MAX_ROUNDS:
                raise Mismatch("the event", f"timers without end at {self.now:.6f}")
        if until > self.now:
            self.clock.run(START_S + until)

    def run(self) -> None:
        """Run all events. Raises Failure."""
        event = self.script.events[0]
        try:
            for event in self.script.events:
                self._event(event)
            self.advance(self.now)
            self._none_left()
            for pending in self.pending:
                event = pending.event
                self._overdue(pending)
        except Mismatch as exc:
            raise Failure(self.script, event, exc.expected, exc.actual) from None

    def _event(self, event: Event) -> None:
        when, body = event.when, event.body
        base = self.base if when.relative else 0.0
        start, end = base + when.start, base + when.end
        if isinstance(body, Tcp | Udp | Icmp) and not body.inbound:
            if when.kind == "any":
                start, end = 0.0, self.now + PATIENCE_S
            self.base = self._expect(body, start, end)
            if when.kind == "at":
                self.base = start
            return
        self.advance(max(start, self.now))
        if start < self.now - self.tolerance:
            raise Mismatch(f"the event at {start:.6f}", f"it is {self.now:.6f} already")
        self._none_left()
        self._check_pending()
        self.base = start
        if isinstance(body, Call):
            self._call(event, body, end)
        elif isinstance(body, Command):
            self._command(body)
        elif isinstance(body, Check):
            for term in body.terms:
                self._check(term)
        else:
            packet = self.wire.packet(body)
            self.ifp.ipackets += 1
            self.stack.ethertypes[ETHERTYPE_IP](Mbuf(packet, self.ifp))
            self._retry()
        self.advance(self.now)

    def _none_left(self) -> None:
        if self.sent:
            packet = self.sent[0]
            raise Mismatch("no packet", f"at {packet.when:.6f} > {self.wire.show(packet)}")

    # -- packets out

    def _expect(self, spec: Tcp | Udp | Icmp, start: float, end: float) -> float:
        """Take the next packet out; return when it was sent."""
        rounds = 0
        while not self.sent:
            self._check_pending()
            rounds += 1
            if not self.step(end + self.tolerance) or rounds > MAX_ROUNDS:
                self.advance(min(end, self.now + PATIENCE_S))
                raise Mismatch("this packet", f"none by {end:.6f}")
        packet = self.sent.popleft()
        shown = f"at {packet.when:.6f} > {self.wire.show(packet)}"
        if not start - self.tolerance - SLACK_S <= packet.when <= end + self.tolerance + SLACK_S:
            between = f"{start:.6f}" if start == end else f"{start:.6f} to {end:.6f}"
            raise Mismatch(f"at {between}", shown)
        self.wire.compare(spec, packet, shown)
        return packet.when

    # -- settings and checks

    def _command(self, command: Command) -> None:
        tree = self.stack.sysctl
        for name, value in command.settings:
            try:
                tree.call(tree.mib(name), value, Cred())
            except NetError as exc:
                raise Mismatch(f"{name} set to {value}", f"{exc.symbol} ({exc.strerror})") from None

    def _check(self, term: Term) -> None:
        left, right = self._value(term.left), self._value(term.right)
        try:
            holds = {
                "==": lambda: left == right,
                "!=": lambda: left != right,
                "<": lambda: left < right,
                "<=": lambda: left <= right,
                ">": lambda: left > right,
                ">=": lambda: left >= right,
            }[term.op]()
        except TypeError:
            holds = False
        if not holds:
            raise Mismatch(term.text, f"{left!r} {term.op} {right!r}")

    def _value(self, operand: Any) -> Any:
        if not isinstance(operand, tuple):
            return operand
        what, arg = operand
        if what in COUNTERS:
            return self.stack.stat(COUNTERS[what]).get(arg, 0)
        if what == "sysctl":
            try:
                return self._sysctl(str(arg))
            except NetError as exc:
                raise Mismatch(f"sysctl {arg}", exc.symbol) from None
        if what == "pcbs":
            return sum(state == arg for _ports, state in self._pcbs())
        fd = self._fd(arg)
        if what == "readable":
            return int(fd.so.readable())
        conn = self._conn_of(fd)
        if conn is None:
            return "CLOSED"
        return dict(self._pcbs()).get((conn.lport, conn.rport), "CLOSED")

    def _sysctl(self, name: str) -> Any:
        tree = self.stack.sysctl
        return tree.call(tree.mib(name), None, Cred())

    def _pcbs(self) -> list[tuple[tuple[int, int], str]]:
        """Return ((local port, remote port), state) of every TCP pcb."""
        return [
            (
                (pcb.lport, pcb.fport),
                TCP_STATES[pcb.state],
            )
            for pcb in self._sysctl("net.inet.tcp.pcblist")
        ]

    # -- calls

    def _call(self, event: Event, call: Call, end: float) -> None:
        method = getattr(self, f"_sys_{call.name}", None)
        if method is None:
            raise Mismatch("a call that drill(5) knows", call.name)
        pending = Pending(event, lambda: method(call), end)
        self._attempt(pending)
        if pending.done is None:
            if event.when.kind != "blocks":
                raise Mismatch(self._want(call), "the call blocks")
            self.pending.append(pending)
        else:
            self._returned(pending)

    def _attempt(self, pending: Pending) -> None:
        try:
            pending.result = pending.call()
        except Blocks:
            return
        except NetError as exc:
            pending.result, pending.error = -1, exc.symbol
        pending.done = self.now

    def _retry(self) -> None:
        for pending in self.pending:
            if pending.done is None:
                self._attempt(pending)

    def _check_pending(self) -> None:
        for pending in tuple(self.pending):
            overdue = self.now > pending.end + self.tolerance + SLACK_S
            if pending.done is None and not overdue:
                continue
            self.pending.remove(pending)
            try:
                self._overdue(pending)
            except Mismatch as exc:
                # It is the line of the call that is to blame.
                raise Failure(self.script, pending.event, exc.expected, exc.actual) from None

    def _overdue(self, pending: Pending) -> None:
        if pending.done is None:
            raise Mismatch(f"return at {pending.end:.6f}", f"still blocked at {self.now:.6f}")
        self._returned(pending)

    def _want(self, call: Call) -> str:
        return f"{call.result} {call.error}".strip()

    def _returned(self, pending: Pending) -> None:
        """Compare what a call returned, and when."""
        call = pending.event.body
        assert isinstance(call, Call)
        assert pending.done is not None
        got = f"{pending.result} {pending.error}".strip()
        if pending.error:
            got += f" ({strerror(pending.error)})"
        if call.result is None and pending.error:
            raise Mismatch("no error", got)
        if isinstance(call.result, int):
            if (pending.result, pending.error) != (call.result, call.error):
                raise Mismatch(self._want(call), got)
            if call.text and call.text != strerror(pending.error):
                raise Mismatch(f"({call.text})", got)
        if pending.event.when.kind == "blocks" and (
            abs(pending.done - pending.end) > self.tolerance + SLACK_S
        ):
            raise Mismatch(f"return at {pending.end:.6f}", f"{got} at {pending.done:.6f}")

    def _fd(self, number: Any) -> Fd:
        fd = self.fds.get(number) if isinstance(number, int) else None
        if fd is None:
            raise NetError("EBADF")
        return fd

    def _arg(self, call: Call, index: int) -> Any:
        if index >= len(call.args):
            raise Mismatch(f"{call.name}() with more arguments", f"{len(call.args)}")
        return call.args[index]

    def _number(self, call: Call, index: int) -> int:
        """Return an argument as an int: a number, words, or either in brackets."""
        return _int(self._arg(call, index))

    def _open(self, call: Call, fd: Fd) -> int:
        """Give *fd* the number that the script expects."""
        number = call.result if isinstance(call.result, int) and call.result >= 0 else 3
        while number in self.fds and not isinstance(call.result, int):
            number += 1
        if number in self.fds:
            raise Mismatch("a number that is free", f"{number} is open")
        self.fds[number] = fd
        return number

    def _conn_of(self, fd: Fd) -> Conn | None:
        """Return the connection of a descriptor once its ports are known."""
        if fd.conn is None or fd.conn.lport == 0:
            try:
                local, peer = fd.so.usrreq.sockaddr(fd.so), fd.so.usrreq.peeraddr(fd.so)
            except NetError:
                return fd.conn
            if isinstance(local, SockaddrIn) and isinstance(peer, SockaddrIn) and peer.port:
                fd.conn = self.wire.conn_named(local.port, peer.port)
        return fd.conn

    def _addr(self, value: Any, ip: int, port: int) -> SockaddrIn:
        """Return an address: the script's own for `...'."""
        if isinstance(value, dict):
            port = _int(value.get("sin_port", port))
        return SockaddrIn(ip, port)

    def _sys_socket(self, call: Call) -> int:
        kind = self._number(call, 1)
        proto = self._number(call, 2) if len(call.args) > 2 else 0
        so = self.stack.socreate(AF_INET, kind, proto, Cred())
        return self._open(call, Fd(so))

    def _sys_bind(self, call: Call) -> int:
        addr = self._addr(self._arg(call, 1), self.knobs["local_ip"], self.knobs["bind_port"])
        self._fd(self._arg(call, 0)).so.bind(addr)
        return 0

    def _sys_listen(self, call: Call) -> int:
        self._fd(self._arg(call, 0)).so.listen(self._number(call, 1))
        return 0

    def _sys_accept(self, call: Call) -> int:
        fd = self._fd(self._arg(call, 0))
        try:
            so = fd.so.accept()
        except NetError as exc:
            if exc.symbol == "EAGAIN" and not fd.nonblock:
                raise Blocks from None
            raise
        made = Fd(so)
        self._conn_of(made)
        return self._open(call, made)

    def _sys_connect(self, call: Call) -> int:
        fd = self._fd(self._arg(call, 0))
        so = fd.so
        if so.type == SOCK_DGRAM:
            so.connect(self._addr(self._arg(call, 1), *self._peer()))
            return 0
        if fd.connecting:
            # A connect() that blocks looks again.
            if so.state & SS_ISCONNECTING:
                raise Blocks
            fd.connecting = False
            symbol = so.getopt(SOL_SOCKET, SO_ERROR)
            if symbol or not so.state & SS_ISCONNECTED:
                raise NetError(symbol or "ECONNABORTED")
            return 0
        to = self._addr(self._arg(call, 1), *self._peer())
        so.connect(to)
        fd.conn = self.wire.conn = self.wire.new_conn(0, to.port)
        if so.state & SS_ISCONNECTED:
            return 0
        if fd.nonblock:
            raise NetError("EINPROGRESS")
        fd.connecting = True
        raise Blocks

    def _peer(self) -> tuple[int, int]:
        return self.knobs["remote_ip"], self.knobs["connect_port"]

    def _send(self, call: Call, flags: int, addr: Sockaddr | None = None) -> int:
        fd = self._fd(self._arg(call, 0))
        want = self._number(call, 2)
        if fd.so.type == SOCK_DGRAM:
            return fd.so.send(written(0, want), addr, flags)
        done = self.partial.pop(id(call), 0)
        while True:
            try:
                took = fd.so.send(written(fd.wrote, want - done), addr, flags)
            except NetError as exc:
                if exc.symbol == "EAGAIN" and not fd.nonblock:
                    self.partial[id(call)] = done
                    raise Blocks from None
                if done:
                    return done
                raise
            fd.wrote += took
            done += took
            if done == want or fd.nonblock:
                return done
            if not took:
                self.partial[id(call)] = done
                raise Blocks

    def _sys_write(self, call: Call) -> int:
        return self._send(call, 0)

    def _sys_send(self, call: Call) -> int:
        return self._send(call, self._number(call, 3))

    def _sys_sendto(self, call: Call) -> int:
        addr = self._addr(self._arg(call, 4), *self._peer())
        return self._send(call, self._number(call, 3), addr)

    def _receive(self, call: Call, flags: int) -> int:
        fd = self._fd(self._arg(call, 0))
        try:
            data = fd.so.recv(flags, self._number(call, 2)).data
        except NetError as exc:
            if exc.symbol == "EAGAIN" and not fd.nonblock:
                raise Blocks from None
            raise
        self._verify(fd, data, flags)
        return len(data)

    def _verify(self, fd: Fd, data: bytes, flags: int) -> None:
        """Compare what was read with what the peer has sent."""
        if fd.so.type == SOCK_DGRAM:
            if data != sent(0, len(data)):
                raise Mismatch("the octets that came in", "others")
            return
        conn = self._conn_of(fd)
        urgent: set[int] = conn.urgent if conn is not None else set()
        if flags & MSG_OOB:
            if data and data not in [sent(offset, 1) for offset in urgent]:
                raise Mismatch("the urgent octet", data.hex())
            return
        inline = bool(fd.so.options & SO_OOBINLINE)
        at = fd.got
        for octet in data:
            while at in urgent and not inline:
                at += 1
            if octet != sent(at, 1)[0]:
                raise Mismatch(f"octet {at} of the stream to be what came in", f"{octet:#x}")
            at += 1
        if not flags & MSG_PEEK:
            fd.got = at

    def _sys_read(self, call: Call) -> int:
        return self._receive(call, 0)

    def _sys_recv(self, call: Call) -> int:
        return self._receive(call, self._number(call, 3))

    def _sys_recvfrom(self, call: Call) -> int:
        return self._receive(call, self._number(call, 3))

    def _sys_shutdown(self, call: Call) -> int:
        self._fd(self._arg(call, 0)).so.shutdown(self._number(call, 1))
        return 0

    def _sys_close(self, call: Call) -> int:
        number = self._arg(call, 0)
        fd = self._fd(number)
        del self.fds[number]
        fd.so.close()
        return 0

    def _sys_setsockopt(self, call: Call) -> int:
        fd = self._fd(self._arg(call, 0))
        value = self._arg(call, 3)
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        if isinstance(value, dict):  # struct linger
            value = [_int(value.get("onoff", 0)), _int(value.get("linger", 0))]
        elif not isinstance(value, str):
            value = _int(value)
        fd.so.setopt(self._number(call, 1), self._number(call, 2), value)
        return 0

    def _sys_getsockopt(self, call: Call) -> int:
        fd = self._fd(self._arg(call, 0))
        got = fd.so.getopt(self._number(call, 1), self._number(call, 2))
        want = self._arg(call, 3)
        want = want[0] if isinstance(want, list) and len(want) == 1 else want
        if isinstance(want, Name) and want.names[0].startswith("E"):
            want = want.names[0]
        elif isinstance(want, Any_):
            return 0
        elif not isinstance(want, str):
            want = _int(want)
        if isinstance(got, str) and want == 0:
            want = ""  # SO_ERROR when there is none
        if isinstance(got, int) and isinstance(want, int) and got and want:
            flag = self._number(call, 1) == SOL_SOCKET and self._number(call, 2) < 0x1000
            got = want if flag and want == 1 else got  # a flag reads as its own bit
        if got != want:
            raise Mismatch(f"[{want}]", f"[{got}]")
        return 0

    def _sys_fcntl(self, call: Call) -> int:
        fd = self._fd(self._arg(call, 0))
        if self._number(call, 1) == F_SETFL:
            fd.nonblock = bool(self._number(call, 2) & O_NONBLOCK)
            return 0
        return _WORDS["O_RDWR"] | (O_NONBLOCK if fd.nonblock else 0)

    def _sys_ioctl(self, call: Call) -> int:
        fd = self._fd(self._arg(call, 0))
        name = str(self._arg(call, 1))
        got = fd.so.ioctl(self.stack.ioctl_named(name), 0)
        want = self._arg(call, 2)
        want = want[0] if isinstance(want, list) and len(want) == 1 else want
        if not isinstance(want, Any_) and got != _int(want):
            raise Mismatch(f"[{want}]", f"[{got}]")
        return 0


def _constant(name: str) -> Any:
    """Return what the stack calls *name*. Raises Mismatch."""
    if name in _WORDS:
        return _WORDS[name]
    for module in _MODULES:
        value = getattr(module, name, None)
        if value is not None:
            return value
    raise Mismatch("a word that the stack knows", name)


def _int(value: Any) -> int:
    """Return a value of a script as an int."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, int):
        return value
    if isinstance(value, Name):
        total = 0
        for name in value.names:
            found = _constant(name)
            if not isinstance(found, int):
                raise Mismatch("a number", name)
            total |= found
        return total
    raise Mismatch("a number", str(value))
