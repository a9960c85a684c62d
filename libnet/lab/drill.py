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

The headers are packed and read here, not by libnet.wire: a script is a second opinion.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from struct import Struct
from typing import Any, Final

from libnet.addr import AF_INET, Sockaddr, SockaddrIn, inet_ntoa
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
    IpInfo,
    Name,
    Script,
    Seq,
    Tcp,
    TcpOption,
    Term,
    Udp,
    parse,
)
from libnet.loop.sim import seeded
from libnet.text.netstat import TCP_STATES

__all__ = ["Failure", "parse", "run"]

IFNAME: Final = "drill0"
START_S: Final = 1000.0  # what the stack's clock shows when a script begins
PATIENCE_S: Final = 864000.0  # how long `*' waits
MAX_ROUNDS: Final = 100_000  # passes of the clock before an event that never comes
SLACK_S: Final = 1e-6

IPPROTO_ICMP: Final = 1
IPPROTO_TCP: Final = 6
IPPROTO_UDP: Final = 17
IP_DF: Final = 0x4000

O_NONBLOCK: Final = 0x4
F_GETFL: Final = 3
F_SETFL: Final = 4

_IP: Final = Struct("!BBHHHBBHII")
_TCP: Final = Struct("!HHIIBBHHH")
_UDP: Final = Struct("!HHHH")
_ICMP: Final = Struct("!BBHHH")
_BITS: Final = {"F": 1, "S": 2, "R": 4, "P": 8, ".": 16, "U": 32, "E": 64, "W": 128}
_ECN: Final = {"ECT0": 2, "ECT1": 1, "CE": 3, "noecn": 0}
_MASK: Final = 0xFFFFFFFF

# Where the words of a call are looked up, in this order.
_MODULES: Final = (ksocket, ip_var)
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


class Mismatch(Exception):
    """What was expected, what happened; run() adds where."""

    def __init__(self, expected: str, actual: str) -> None:
        super().__init__(expected, actual)
        self.expected, self.actual = expected, actual


def run(script: Script) -> None:
    """Run *script* on a stack of its own. Raises Failure."""
    Runner(script).run()


def written(offset: int, length: int) -> bytes:
    """Return what the stack's programs write: *length* octets from *offset* of the stream."""
    return bytes((at * 7 + (at >> 8) * 3) & 255 for at in range(offset, offset + length))


def sent(offset: int, length: int) -> bytes:
    """Return what the peer sends, likewise."""
    return bytes((at * 5 + (at >> 8) * 11 + 1) & 255 for at in range(offset, offset + length))


class Packet:
    """One packet that the stack sent: when, in seconds of the script, and its octets."""

    __slots__ = ("data", "when")

    def __init__(self, when: float, data: bytes) -> None:
        self.when, self.data = when, data


class Segment:
    """A TCP header read back from the wire."""

    def __init__(self, data: bytes) -> None:
        vhl, self.tos, length, _id, self.off, self.ttl, self.proto, _sum, src, dst = _IP.unpack(
            data[:20]
        )
        self.hlen = (vhl & 15) * 4
        self.src, self.dst = src, dst
        self.bad = ""
        if _sum16(data[: self.hlen]):
            self.bad = "bad IP header checksum"
        if length != len(data):
            self.bad = f"IP length {length} of {len(data)} octets"
        body = data[self.hlen :]
        self.body = body
        self.sport = self.dport = 0
        if self.proto in (IPPROTO_TCP, IPPROTO_UDP) and _sum16(
            src.to_bytes(4, "big")
            + dst.to_bytes(4, "big")
            + bytes((0, self.proto))
            + len(body).to_bytes(2, "big")
            + body
        ):
            self.bad = "bad checksum"
        if self.proto == IPPROTO_TCP:
            self._tcp(body)
        elif self.proto == IPPROTO_UDP:
            self.sport, self.dport = (
                int.from_bytes(body[:2], "big"),
                int.from_bytes(body[2:4], "big"),
            )
            self.payload = body[8:]

    def _tcp(self, body: bytes) -> None:
        self.sport, self.dport, self.seq, self.ack, off, bits, self.win, _sum, self.urg = (
            _TCP.unpack(body[:20])
        )
        size = (off >> 4) * 4
        self.flags = "".join(letter for letter in "FSRPUEW." if bits & _BITS[letter])
        self.options = _read_options(body[20:size])
        self.payload = body[size:]


class Conn:
    """One connection of a script: a pair of ports and how its numbers move.

    lport, rport   ports of the stack and of the script's end
    local, remote  what to add to the script's number to have the one on the wire; None: not learned
    offset         what to add to a time stamp of ours in the script to have the one on the wire
    urgent         offsets in the peer's stream of octets sent as urgent
    """

    def __init__(self, lport: int, rport: int, remote: int) -> None:
        self.lport, self.rport = lport, rport
        self.remote = remote
        self.local: int | None = None
        self.stamps: dict[int, int] = {}
        self.first = 1  # the script's number of the first octet the peer sends
        self.urgent: set[int] = set()

    def wire_local(self, number: int) -> int:
        """Return a number of our own stream as on the wire."""
        return ((self.local or 0) + number) & _MASK

    def script_local(self, number: int) -> int:
        """Return the reverse, from -2^31 up."""
        return _signed(number - (self.local or 0))

    def wire_remote(self, number: int) -> int:
        """Return a number of the peer's stream as on the wire."""
        return (self.remote + number) & _MASK

    def script_remote(self, number: int) -> int:
        """Return the reverse."""
        return _signed(number - self.remote)

    def stamp(self, value: int) -> int:
        """Return what a time stamp of ours that the script calls *value* was on the wire."""
        got = self.stamps.get(value)
        if got is not None or not self.stamps or value == 0:
            return value if got is None else got
        first = next(iter(self.stamps))
        return (self.stamps[first] + value - first) & _MASK


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
        self.clock = Clock(START_S, 1_700_000_000.0)
        self.stack = Stack(self.clock, seeded(f"drill/{knobs['seed']}"))
        self.sent: deque[Packet] = deque()
        self.fds: dict[int, Fd] = {}
        self.conns: list[Conn] = []
        self.conn: Conn | None = None
        self.pending: list[Pending] = []
        self.partial: dict[int, int] = {}  # what blocked writes have written, by their Call's id
        self.base = 0.0  # what the next relative time counts from
        self.ident = 0
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
        stack.route.rtrequest("add", 0, 0, gateway, 0x2)  # RTF_GATEWAY
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
        elif isinstance(body, Tcp):
            self._tcp_in(body)
        elif isinstance(body, Udp):
            conn = self._conn_for(body.ports, inbound=True)
            self._ip_in(body.ip, IPPROTO_UDP, self._udp(conn, body.length))
        else:
            self._icmp_in(body)
        self.advance(self.now)

    def _none_left(self) -> None:
        if self.sent:
            packet = self.sent[0]
            raise Mismatch("no packet", f"at {packet.when:.6f} > {self._show(packet)}")

    # -- packets in

    def _conn_for(self, ports: tuple[int, int] | None, *, inbound: bool) -> Conn:
        """Return the connection of a packet; without ports the one at hand."""
        knobs = self.knobs
        if ports is None:
            if self.conn is None:
                self.conn = self._new_conn(knobs["bind_port"], knobs["peer_port"])
            return self.conn
        rport, lport = ports if inbound else (ports[1], ports[0])
        for conn in self.conns:
            if (conn.lport, conn.rport) == (lport, rport):
                break
        else:
            conn = self._new_conn(lport, rport)
        self.conn = conn
        return conn

    def _new_conn(self, lport: int, rport: int) -> Conn:
        conn = Conn(lport, rport, self.knobs["remote_isn"])
        self.conns.append(conn)
        return conn

    def _ip_in(self, info: IpInfo, proto: int, body: bytes, *, off: int = 0) -> None:
        tos = info.tos or 0
        for word, bits in _ECN.items():
            if word in info.words:
                tos = tos & ~3 | bits
        if "DF" in info.words:
            off |= IP_DF
        self.ident = self.ident + 1 & 0xFFFF
        packet = self._ip(
            self.knobs["remote_ip"],
            self.knobs["local_ip"],
            proto,
            body,
            tos=tos,
            ttl=64 if info.ttl is None else info.ttl,
            off=off,
        )
        self.ifp.ipackets += 1
        self.stack.ethertypes[ETHERTYPE_IP](Mbuf(packet, self.ifp))

    def _ip(
        self, src: int, dst: int, proto: int, body: bytes, *, tos: int, ttl: int, off: int
    ) -> bytes:
        size = 20 + len(body)
        head = _IP.pack(0x45, tos, size, self.ident, off, ttl, proto, 0, src, dst)
        return head[:10] + _sum16(head).to_bytes(2, "big") + head[12:] + body

    def _transport_sum(self, src: int, dst: int, proto: int, body: bytes) -> int:
        return _sum16(
            src.to_bytes(4, "big")
            + dst.to_bytes(4, "big")
            + bytes((0, proto))
            + len(body).to_bytes(2, "big")
            + body
        )

    def _tcp_in(self, spec: Tcp) -> None:
        conn = self._conn_for(spec.ports, inbound=True)
        assert isinstance(spec.seq, Seq)
        assert spec.options is not None
        if "new" in spec.ip.words:
            conn.local = None
            conn.stamps.clear()
            conn.urgent.clear()
        if "S" in spec.flags:
            conn.first = spec.seq.start + 1
        offset = spec.seq.start - conn.first + ("S" in spec.flags)
        payload = sent(offset, spec.seq.length)
        if "noise" in spec.ip.words:
            payload = bytes(octet ^ 0xFF for octet in payload)
        if spec.urg and "U" in spec.flags:
            # BSD, and RFC 6093 section 3.1: the pointer is to the octet after the urgent one.
            conn.urgent.add(offset + spec.urg - 1)
        ack = 0
        if spec.ack is not None:
            assert isinstance(spec.ack, int)
            ack = conn.wire_local(spec.ack)
        options = self._options(conn, spec.options)
        segment = _TCP.pack(
            conn.rport,
            conn.lport,
            conn.wire_remote(spec.seq.start),
            ack,
            (20 + len(options)) // 4 << 4,
            sum(_BITS[letter] for letter in spec.flags),
            spec.win if isinstance(spec.win, int) else 0,
            0,
            spec.urg,
        )
        segment += options + payload
        knobs = self.knobs
        cksum = self._transport_sum(knobs["remote_ip"], knobs["local_ip"], IPPROTO_TCP, segment)
        if "badsum" in spec.ip.words:
            cksum ^= 0x5555
        segment = segment[:16] + cksum.to_bytes(2, "big") + segment[18:]
        self._ip_in(spec.ip, IPPROTO_TCP, segment)

    def _options(self, conn: Conn, options: tuple[TcpOption, ...]) -> bytes:
        """Return the octets of the options of an incoming segment, padded with EOL."""
        found = b""
        for option in options:
            word, values = option
            if word == "nop":
                found += b"\1"
            elif word == "eol":
                found += b"\0"
            elif word == "mss":
                found += b"\2\4" + int(values[0]).to_bytes(2, "big")
            elif word == "wscale":
                found += b"\3\3" + bytes(values)
            elif word == "sackOK":
                found += b"\4\2"
            elif word == "raw":
                found += values[0]
            elif word == "sack":
                edges = b"".join(conn.wire_local(edge).to_bytes(4, "big") for edge in values)
                found += bytes((5, 2 + len(edges))) + edges
            else:
                stamps = int(values[0]), conn.stamp(int(values[1]))
                found += b"\x08\x0a" + b"".join(value.to_bytes(4, "big") for value in stamps)
        found += bytes(-len(found) % 4)
        if len(found) > 40:
            raise Mismatch("at most 40 octets of options", f"{len(found)}")
        return found

    def _udp(self, conn: Conn, length: int) -> bytes:
        knobs = self.knobs
        head = _UDP.pack(conn.rport, conn.lport, 8 + length, 0)
        body = head + sent(0, length)
        cksum = self._transport_sum(knobs["remote_ip"], knobs["local_ip"], IPPROTO_UDP, body)
        return body[:6] + (cksum or 0xFFFF).to_bytes(2, "big") + body[8:]

    def _icmp_in(self, spec: Icmp) -> None:
        """Hand in an error from the first router that quotes 8 octets of a segment of ours."""
        conn = self._conn_for((spec.ports[1], spec.ports[0]) if spec.ports else None, inbound=True)
        assert spec.echoed is not None
        number = conn.wire_local(spec.echoed.start)
        head = _TCP.pack(conn.lport, conn.rport, number, 0, 0x50, 16, 0, 0, 0)
        body = head + bytes(spec.echoed.length)
        knobs = self.knobs
        quoted = self._ip(
            knobs["local_ip"], knobs["remote_ip"], IPPROTO_TCP, body, tos=0, ttl=63, off=IP_DF
        )[:28]
        message = _ICMP.pack(spec.type, spec.code, 0, 0, spec.mtu) + quoted
        message = message[:2] + _sum16(message).to_bytes(2, "big") + message[4:]
        self._ip_in(IpInfo(), IPPROTO_ICMP, message)

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
        shown = f"at {packet.when:.6f} > {self._show(packet)}"
        if not start - self.tolerance - SLACK_S <= packet.when <= end + self.tolerance + SLACK_S:
            between = f"{start:.6f}" if start == end else f"{start:.6f} to {end:.6f}"
            raise Mismatch(f"at {between}", shown)
        self._compare(spec, packet, shown)
        return packet.when

    def _compare(self, spec: Tcp | Udp | Icmp, packet: Packet, shown: str) -> None:
        got = Segment(packet.data)
        want = {Tcp: IPPROTO_TCP, Udp: IPPROTO_UDP, Icmp: IPPROTO_ICMP}[type(spec)]
        if got.bad:
            raise Mismatch("a packet that is right", f"{shown} ({got.bad})")
        if got.proto != want:
            raise Mismatch(f"IP protocol {want}", shown)
        if isinstance(spec, Icmp):
            if (got.body[0], got.body[1]) != (spec.type, spec.code):
                raise Mismatch(f"icmp type {spec.type} code {spec.code}", shown)
            if spec.mtu and int.from_bytes(got.body[6:8], "big") != spec.mtu:
                raise Mismatch(f"mtu {spec.mtu}", shown)
            return
        conn = self._learn(spec, got)
        if (got.sport, got.dport) != (conn.lport, conn.rport):
            raise Mismatch(f"ports {conn.lport} > {conn.rport}", shown)
        self._compare_ip(spec.ip, got, shown)
        if isinstance(spec, Udp):
            if len(got.payload) != spec.length:
                raise Mismatch(f"{spec.length} octets", shown)
            return
        self._compare_tcp(spec, got, conn, shown)

    def _learn(self, spec: Tcp | Udp, got: Segment) -> Conn:
        """Return the connection of an outgoing packet, having learned our port and number."""
        conn = self._conn_for(spec.ports, inbound=False) if spec.ports or self.conn else None
        if conn is None:
            # Our own connect(): the port was the stack's choice.
            conn = self.conn = self._new_conn(got.sport, got.dport)
        if conn.lport == 0:
            conn.lport = got.sport
        if isinstance(spec, Tcp) and conn.local is None and "S" in got.flags:
            start = spec.seq.start if isinstance(spec.seq, Seq) else 0
            conn.local = (got.seq - start) & _MASK
        return conn

    def _compare_ip(self, want: IpInfo, got: Segment, shown: str) -> None:
        for word, bits in _ECN.items():
            if word in want.words and got.tos & 3 != bits:
                raise Mismatch(f"[{word}]", f"{shown} with ECN bits {got.tos & 3}")
        if want.tos is not None and got.tos != want.tos:
            raise Mismatch(f"tos {want.tos:#x}", f"{shown} with tos {got.tos:#x}")
        if want.ttl is not None and got.ttl != want.ttl:
            raise Mismatch(f"ttl {want.ttl}", f"{shown} with ttl {got.ttl}")
        if want.words & {"DF", "noDF"} and bool(got.off & IP_DF) != ("DF" in want.words):
            raise Mismatch("[DF]" if "DF" in want.words else "[noDF]", shown)

    def _compare_tcp(self, spec: Tcp, got: Segment, conn: Conn, shown: str) -> None:
        if got.flags != spec.flags:
            raise Mismatch(f"flags {spec.flags}", shown)
        if isinstance(spec.seq, Seq):
            # A reset for what is not a connection takes its number from the segment it answers.
            if conn.wire_local(spec.seq.start) != got.seq:
                raise Mismatch(f"sequence number {spec.seq.start}", shown)
            if len(got.payload) != spec.seq.length:
                raise Mismatch(f"{spec.seq.length} octets", shown)
        if isinstance(spec.ack, int) and conn.wire_remote(spec.ack) != got.ack:
            raise Mismatch(f"ack {spec.ack}", shown)
        if isinstance(spec.win, int) and got.win != spec.win:
            raise Mismatch(f"win {spec.win}", shown)
        if (got.urg if "U" in got.flags else 0) != spec.urg:
            raise Mismatch(f"urg {spec.urg}", shown)
        if spec.options is not None:
            self._compare_options(spec.options, got, conn, shown)
        offset = conn.script_local(got.seq) - 1
        payload = got.payload
        if offset < 0:
            payload, offset = payload[-offset:], 0
        if payload != written(offset, len(payload)):
            raise Mismatch("the octets that were written", f"{shown} with others")

    def _compare_options(
        self, want: tuple[TcpOption, ...], got: Segment, conn: Conn, shown: str
    ) -> None:
        """Compare options; their order and their padding are the stack's affair."""
        left = {option.word: option for option in got.options}
        if len(left) != len(got.options):
            raise Mismatch("each option once", shown)
        for option in want:
            if option.word in ("nop", "eol"):
                continue
            there = left.pop(option.word, None)
            if there is None:
                raise Mismatch(f"<{option}>", shown)
            if option.word == "TS":
                self._compare_stamps(option, there, conn, shown)
                continue
            values = option.values
            if option.word == "sack":
                values = tuple(conn.wire_remote(edge) for edge in values)
            if len(values) != len(there.values) or any(
                not isinstance(value, Any_) and value != other
                for value, other in zip(values, there.values, strict=False)
            ):
                raise Mismatch(f"<{option}>", shown)
        if left:
            raise Mismatch(f"no option {next(iter(left))}", shown)

    def _compare_stamps(self, option: TcpOption, there: TcpOption, conn: Conn, shown: str) -> None:
        val, ecr = option.values
        real, echo = there.values
        if isinstance(ecr, int) and echo != ecr:
            raise Mismatch(f"<{option}>", shown)
        if isinstance(val, Any_):
            return
        known = conn.stamps.setdefault(val, real)
        if known != real:
            raise Mismatch(f"<{option}>, which was {known} on the wire", shown)
        for name, other in conn.stamps.items():
            # RFC 7323 section 5.4: the clock never goes back.
            if name != val and (_signed(other - real) > 0) != (_signed(name - val) > 0):
                raise Mismatch(f"TS val {val} in order with {name}, {other} on the wire", shown)

    def _show(self, packet: Packet) -> str:
        """Return a packet in the notation of a script."""
        try:
            got = Segment(packet.data)
        except (ValueError, IndexError, ArithmeticError):
            return packet.data.hex()
        except Exception as exc:  # a header cut short: show what there is
            return f"{packet.data.hex()} ({exc})"
        if got.proto == IPPROTO_ICMP:
            return f"icmp type {got.body[0]} code {got.body[1]}"
        if got.proto == IPPROTO_UDP:
            return f"{got.sport} > {got.dport} udp ({len(got.payload)})"
        if got.proto != IPPROTO_TCP:
            return f"protocol {got.proto} to {inet_ntoa(got.dst)}"
        for conn in self.conns:
            if (conn.lport, conn.rport) == (got.sport, got.dport):
                break
        else:
            conn = Conn(got.sport, got.dport, self.knobs["remote_isn"])
        if conn.local is None and "S" in got.flags:
            seq = 0
        else:
            seq = conn.script_local(got.seq)
        words = [got.flags, f"{seq}:{seq + len(got.payload)}({len(got.payload)})"]
        if conn is not self.conn:
            words.insert(0, f"{got.sport} > {got.dport}")
        if "." in got.flags:
            words.append(f"ack {conn.script_remote(got.ack)}")
        words.append(f"win {got.win}")
        if got.urg:
            words.append(f"urg {got.urg}")
        options = []
        for option in got.options:
            if option.word == "sack":
                edges = tuple(conn.script_remote(edge) for edge in option.values)
                option = TcpOption("sack", edges)
            options.append(str(option))
        if options:
            words.append(f"<{','.join(options)}>")
        return " ".join(words)

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
                fd.conn = self._conn_named(local.port, peer.port)
        return fd.conn

    def _conn_named(self, lport: int, rport: int) -> Conn:
        for conn in self.conns:
            if conn.rport == rport and conn.lport in (0, lport):
                conn.lport = lport
                return conn
        return self._new_conn(lport, rport)

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
        fd.conn = self.conn = self._new_conn(0, to.port)
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


def _read_options(octets: bytes) -> tuple[TcpOption, ...]:
    found: list[TcpOption] = []
    at = 0
    while at < len(octets) and octets[at] != 0:
        kind = octets[at]
        if kind == 1:
            at += 1
            continue
        size = octets[at + 1] if at + 1 < len(octets) else 0
        body = octets[at + 2 : at + size]
        if size < 2 or at + size > len(octets):
            found.append(TcpOption("raw", (octets[at:],)))
            break
        if kind == 2 and size == 4:
            found.append(TcpOption("mss", (int.from_bytes(body, "big"),)))
        elif kind == 3 and size == 3:
            found.append(TcpOption("wscale", (body[0],)))
        elif kind == 4 and size == 2:
            found.append(TcpOption("sackOK"))
        elif kind == 5 and size % 8 == 2 and size > 2:
            found.append(TcpOption("sack", _words(body)))
        elif kind == 8 and size == 10:
            found.append(TcpOption("TS", _words(body)))
        else:
            found.append(TcpOption("raw", (octets[at : at + size],)))
        at += size
    return tuple(found)


def _words(body: bytes) -> tuple[int, ...]:
    return tuple(int.from_bytes(body[i : i + 4], "big") for i in range(0, len(body), 4))


def _signed(value: int) -> int:
    value &= _MASK
    return value - (1 << 32) if value >> 31 else value


def _sum16(data: bytes) -> int:
    """Return the Internet checksum, by the book (RFC 1071 section 4.1)."""
    if len(data) & 1:
        data += b"\0"
    total = 0
    for at in range(0, len(data), 2):
        total += data[at] << 8 | data[at + 1]
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF
