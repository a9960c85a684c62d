"""The far end of a drill(5) script: packs what comes in, reads and compares what goes out.

Headers are packed and read here, not by libnet.wire: a script is a second opinion.
"""

from __future__ import annotations

import struct
from struct import Struct
from typing import Final

from libnet.addr import inet_ntoa
from libnet.lab.drillscript import Any_, Icmp, IpInfo, Seq, Tcp, TcpOption, Udp

IPPROTO_ICMP: Final = 1
IPPROTO_TCP: Final = 6
IPPROTO_UDP: Final = 17
IP_DF: Final = 0x4000

_IP: Final = Struct("!BBHHHBBHII")
_TCP: Final = Struct("!HHIIBBHHH")
_UDP: Final = Struct("!HHHH")
_ICMP: Final = Struct("!BBHHH")
_BITS: Final = {"F": 1, "S": 2, "R": 4, "P": 8, ".": 16, "U": 32, "E": 64, "W": 128}
_ECN: Final = {"ECT0": 2, "ECT1": 1, "CE": 3, "noecn": 0}
_MASK: Final = 0xFFFFFFFF


class Mismatch(Exception):
    """What was expected, what happened; run() adds where."""

    def __init__(self, expected: str, actual: str) -> None:
        super().__init__(expected, actual)
        self.expected, self.actual = expected, actual


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
        if self.proto in (IPPROTO_TCP, IPPROTO_UDP) and _transport_sum(src, dst, self.proto, body):
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


class Wire:
    """The far end of one script: it packs what comes in, and reads and compares what goes out."""

    def __init__(self, knobs: dict[str, int]) -> None:
        self.knobs = knobs
        self.conns: list[Conn] = []
        self.conn: Conn | None = None  # the one at hand
        self.ident = 0

    def conn_for(self, ports: tuple[int, int] | None, *, inbound: bool) -> Conn:
        """Return the connection of a packet; without ports the one at hand."""
        knobs = self.knobs
        if ports is None:
            if self.conn is None:
                self.conn = self.new_conn(knobs["bind_port"], knobs["peer_port"])
            return self.conn
        rport, lport = ports if inbound else (ports[1], ports[0])
        for conn in self.conns:
            if (conn.lport, conn.rport) == (lport, rport):
                break
        else:
            conn = self.new_conn(lport, rport)
        self.conn = conn
        return conn

    def new_conn(self, lport: int, rport: int) -> Conn:
        """Return a connection of those ports; port 0 of the stack is learned."""
        conn = Conn(lport, rport, self.knobs["remote_isn"])
        self.conns.append(conn)
        return conn

    def _ip_in(self, info: IpInfo, proto: int, body: bytes) -> bytes:
        tos = info.tos or 0
        for word, bits in _ECN.items():
            if word in info.words:
                tos = tos & ~3 | bits
        self.ident = self.ident + 1 & 0xFFFF
        return self._ip(
            self.knobs["remote_ip"],
            self.knobs["local_ip"],
            proto,
            body,
            tos=tos,
            ttl=64 if info.ttl is None else info.ttl,
            off=IP_DF if "DF" in info.words else 0,
        )

    def _ip(
        self, src: int, dst: int, proto: int, body: bytes, *, tos: int, ttl: int, off: int
    ) -> bytes:
        size = 20 + len(body)
        head = _IP.pack(0x45, tos, size, self.ident, off, ttl, proto, 0, src, dst)
        return head[:10] + _sum16(head).to_bytes(2, "big") + head[12:] + body

    def packet(self, spec: Tcp | Udp | Icmp) -> bytes:
        """Return the packet that a line with < hands in. Raises Mismatch if it cannot be."""
        if isinstance(spec, Tcp):
            return self._tcp(spec)
        if isinstance(spec, Udp):
            conn = self.conn_for(spec.ports, inbound=True)
            return self._ip_in(spec.ip, IPPROTO_UDP, self._udp(conn, spec.length))
        return self._icmp(spec)

    def _tcp(self, spec: Tcp) -> bytes:
        conn = self.conn_for(spec.ports, inbound=True)
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
        cksum = _transport_sum(knobs["remote_ip"], knobs["local_ip"], IPPROTO_TCP, segment)
        if "badsum" in spec.ip.words:
            cksum ^= 0x5555
        segment = segment[:16] + cksum.to_bytes(2, "big") + segment[18:]
        return self._ip_in(spec.ip, IPPROTO_TCP, segment)

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
        cksum = _transport_sum(knobs["remote_ip"], knobs["local_ip"], IPPROTO_UDP, body)
        return body[:6] + (cksum or 0xFFFF).to_bytes(2, "big") + body[8:]

    def _icmp(self, spec: Icmp) -> bytes:
        """Hand in an error from the first router that quotes 8 octets of a segment of ours."""
        conn = self.conn_for((spec.ports[1], spec.ports[0]) if spec.ports else None, inbound=True)
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
        return self._ip_in(IpInfo(), IPPROTO_ICMP, message)

    def compare(self, spec: Tcp | Udp | Icmp, packet: Packet, shown: str) -> None:
        """Compare *packet* with a line with >. Raises Mismatch."""
        try:
            got = Segment(packet.data)
        except (struct.error, IndexError):
            raise Mismatch("a whole packet", shown) from None
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
            real = f"ports {got.sport} > {got.dport}"
            raise Mismatch(f"ports {conn.lport} > {conn.rport}", f"{shown} with {real}")
        self._compare_ip(spec.ip, got, shown)
        if isinstance(spec, Udp):
            if len(got.payload) != spec.length:
                raise Mismatch(f"{spec.length} octets", shown)
            return
        self._compare_tcp(spec, got, conn, shown)

    def _learn(self, spec: Tcp | Udp, got: Segment) -> Conn:
        """Return the connection of an outgoing packet, having learned our port and number."""
        conn = self.conn_for(spec.ports, inbound=False) if spec.ports or self.conn else None
        if conn is None:
            # Our own connect(): the port was the stack's choice.
            conn = self.conn = self.new_conn(got.sport, got.dport)
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

    def show(self, packet: Packet) -> str:
        """Return a packet in the notation of a script."""
        try:
            got = Segment(packet.data)
        except (struct.error, IndexError):  # a header cut short
            return packet.data.hex()
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

    def conn_named(self, lport: int, rport: int) -> Conn:
        """Return the connection of those ports, made if need be."""
        for conn in self.conns:
            if conn.rport == rport and conn.lport in (0, lport):
                conn.lport = lport
                return conn
        return self.new_conn(lport, rport)


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


def _transport_sum(src: int, dst: int, proto: int, body: bytes) -> int:
    """Return the checksum of *body* under the pseudo header."""
    ends = src.to_bytes(4, "big") + dst.to_bytes(4, "big")
    return _sum16(ends + bytes((0, proto)) + len(body).to_bytes(2, "big") + body)
