"""A router with pf between two wires, in virtual time; packets go in and out as octets."""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

from libnet.lab.memory import World
from libnet.wire.cksum import in4_cksum, in_cksum
from libnet.wire.tcp import tcp_build

A = 0x0A000009  # 10.0.0.9, on the left
B = 0x0A000109  # 10.0.1.9, on the right
GWA = 0x0A000001  # the router, left
GWB = 0x0A000101  # the router, right
MAC = {"left": b"\2\0\0\0\xaa\x09", "right": b"\2\0\0\0\xbb\x09"}

FIN, SYN, RST, PUSH, ACK, URG = 1, 2, 4, 8, 16, 32


def ip4(
    src: int,
    dst: int,
    proto: int,
    body: bytes,
    *,
    ttl: int = 64,
    ident: int = 7,
    off: int = 0,
    tos: int = 0,
    options: bytes = b"",
) -> bytes:
    """An IPv4 packet with its checksum."""
    hlen = 20 + len(options)
    head = struct.pack(
        "!BBHHHBBHII", 0x40 | hlen >> 2, tos, hlen + len(body), ident, off, ttl, proto, 0, src, dst
    )
    head += options
    return head[:10] + in_cksum(head).to_bytes(2, "big") + head[12:] + body


def udp(src: int, sport: int, dst: int, dport: int, data: bytes = b"", **kw: Any) -> bytes:
    """A UDP datagram in a packet."""
    body = struct.pack("!HHHH", sport, dport, 8 + len(data), 0) + data
    cksum = in4_cksum(src, dst, 17, body) or 0xFFFF
    return ip4(src, dst, 17, body[:6] + cksum.to_bytes(2, "big") + body[8:], **kw)


def tcp(
    src: int,
    sport: int,
    dst: int,
    dport: int,
    flags: int,
    seq: int = 0,
    ack: int = 0,
    data: bytes = b"",
    *,
    win: int = 8192,
    options: bytes = b"",
    **kw: Any,
) -> bytes:
    """A TCP segment in a packet."""
    seq, ack = seq & 0xFFFFFFFF, ack & 0xFFFFFFFF
    body = tcp_build(sport, dport, seq, ack, flags, win, data, src=src, dst=dst, options=options)
    return ip4(src, dst, 6, body, **kw)


def echo(src: int, dst: int, ident: int, *, reply: bool = False, size: int = 8, **kw: Any) -> bytes:
    """An ICMP echo in a packet."""
    body = struct.pack("!BBHHH", 0 if reply else 8, 0, 0, ident, 1) + bytes(size)
    body = body[:2] + in_cksum(body).to_bytes(2, "big") + body[4:]
    return ip4(src, dst, 1, body, **kw)


def icmp_error(src: int, dst: int, kind: int, code: int, quoted: bytes, hun: int = 0) -> bytes:
    """An ICMP error in a packet."""
    body = struct.pack("!BBHI", kind, code, 0, hun) + quoted
    body = body[:2] + in_cksum(body).to_bytes(2, "big") + body[4:]
    return ip4(src, dst, 1, body)


class Seen(NamedTuple):
    """What a packet says."""

    src: int
    dst: int
    proto: int
    ttl: int
    ident: int
    off: int
    sport: int
    dport: int
    seq: int
    ack: int
    flags: int
    win: int
    options: bytes
    data: bytes
    raw: bytes


def see(packet: bytes) -> Seen:
    """Take a packet apart; its checksums must be right."""
    vhl, _tos, length, ident, off, ttl, proto, _sum, src, dst = struct.unpack_from(
        "!BBHHHBBHII", packet
    )
    hlen = (vhl & 15) << 2
    assert in_cksum(packet[:hlen]) == 0, "IP checksum"
    body = packet[hlen:length]
    sport = dport = seq = ack = flags = win = 0
    options, data = b"", body
    if not off & 0x3FFF:
        if proto == 6:
            sport, dport, seq, ack, word, flags, win = struct.unpack_from("!HHIIBBH", body)
            options, data = body[20 : word >> 2], body[word >> 2 :]
            assert in4_cksum(src, dst, 6, body) == 0, "TCP checksum"
        elif proto == 17:
            sport, dport = struct.unpack_from("!HH", body)
            data = body[8:]
            assert body[6:8] == b"\0\0" or in4_cksum(src, dst, 17, body) == 0, "UDP checksum"
        elif proto == 1:
            assert in_cksum(body) == 0, "ICMP checksum"
            sport, dport = body[0], body[1]
            seq = struct.unpack_from("!H", body, 4)[0]
            data = body[8:]
    return Seen(
        src, dst, proto, ttl, ident, off, sport, dport, seq, ack, flags, win, options, data, packet
    )


class Side:
    """One wire, as a host on it sees it; it answers every ARP question."""

    def __init__(self, lab: PfLab, name: str, segment: str, ifname: str) -> None:
        self.lab, self.name, self.ifname = lab, name, ifname
        self.port = lab.world.segment(segment).plug(name)
        self.port.receive = self._receive
        self.got: list[bytes] = []

    def _receive(self, frames: Any) -> None:
        mac = MAC[self.name]
        for frame in frames:
            if frame[12:14] == b"\x08\x06":
                if frame[20:22] == b"\0\1" and frame[41] != 1:
                    self.port.send(
                        frame[6:12]
                        + mac
                        + frame[12:20]
                        + b"\0\2"
                        + mac
                        + frame[38:42]
                        + frame[22:32]
                    )
            elif frame[12:14] == b"\x08\x00" and frame[:6] in (mac, b"\xff" * 6):
                length = int.from_bytes(frame[16:18], "big")
                self.got.append(bytes(frame[14 : 14 + length]))

    def send(self, *packets: bytes) -> None:
        """Send packets to the router and let it work."""
        lladdr = self.lab.stack.ifunit(self.ifname).lladdr
        for packet in packets:
            self.port.send(lladdr + MAC[self.name] + b"\x08\x00" + packet)
        self.lab.settle()

    def take(self) -> list[Seen]:
        """Return what came since the last time."""
        self.lab.settle()
        got, self.got = self.got, []
        return [see(packet) for packet in got]

    def none(self) -> bool:
        """Tell whether nothing came."""
        return not self.take()

    def one(self) -> Seen:
        """Return the one packet that came."""
        (packet,) = self.take()
        return packet


class PfLab:
    """10.0.0.0/24 on the left (wm0), 10.0.1.0/24 on the right (wm1), a router with pf between."""

    def __init__(self, *, dialect: int = 42, seed: int = 1) -> None:
        self.world = World(seed=seed)
        self.box = self.world.box("r", nic=["i82544:lan0", "i82544:lan1"])
        self.run("io-pkt-v4-hc -d i82544 -p tcpip forward")
        self.run("ifconfig wm0 10.0.0.1/24")
        self.run("ifconfig wm1 10.0.1.1/24")
        option = "" if dialect == 42 else f"-o dialect={dialect} "
        self.run(f"mount -Tio-pkt {option}/lib/dll/lsm-pf-v4.so")
        self.box.write("/etc/pf.os", "")
        self.left, self.right = (
            Side(self, "left", "lan0", "wm0"),
            Side(self, "right", "lan1", "wm1"),
        )
        # Both neighbours are known: no first packet waits for an address.
        self.left.send(udp(A, 1, B, 1))
        self.right.send(udp(B, 1, A, 1))
        self.left.take(), self.right.take()
        self.run("pfctl -e", err=True)

    def run(self, line: str, *, status: int = 0, err: bool = False, text: str = "") -> str:
        """Run a command in the router; return what it printed."""
        got = self.box.sh(line, stdin=text) if text else self.box.sh(line)
        assert got.status == status, (line, got)
        return got.out + got.err if err else got.out

    def rules(self, text: str, *, options: str = "") -> None:
        """Load rules."""
        self.box.write("/etc/pf.conf", text.rstrip("\n") + "\n")
        self.run(f"pfctl {options} -f /etc/pf.conf", err=True)

    @property
    def stack(self) -> Any:
        """The router's stack."""
        return self.box.stack

    @property
    def pf(self) -> Any:
        """The router's packet filter."""
        return self.stack.pfil.heads[24].hooks_in[0].__self__  # the IPv6 hook is a method of it

    def settle(self) -> None:
        """Let everything that is due happen."""
        clock = self.world.clock
        for _ in range(12):
            clock.run(clock.now)

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.world.run(seconds)

    def states(self) -> list[str]:
        """Return the lines of `pfctl -s state`."""
        return [" ".join(line.split()) for line in self.run("pfctl -s state").splitlines()]

    def reason(self, name: str) -> int:
        """Return a counter of `pfctl -s info`."""
        for line in self.run("pfctl -s info").splitlines():
            words = line.split()
            if len(words) > 1 and words[0] == name:
                return int(words[1])
        raise AssertionError(name)


class Peer:
    """One end of a TCP connection through the router, driven by hand."""

    def __init__(self, lab: PfLab, side: Side, addr: int, port: int, to: int, dport: int) -> None:
        self.lab, self.side = lab, side
        self.addr, self.port, self.to, self.dport = addr, port, to, dport
        self.seq, self.ack = 1000, 0

    def send(self, flags: int, data: bytes = b"", **kw: Any) -> None:
        """Send a segment; sequence numbers move on by themselves unless given."""
        seq = kw.pop("seq", self.seq)
        ack = kw.pop("ack", self.ack)
        self.side.send(tcp(self.addr, self.port, self.to, self.dport, flags, seq, ack, data, **kw))
        self.seq = seq + len(data) + (1 if flags & (SYN | FIN) else 0)


def connect(
    lab: PfLab, sport: int = 1025, dport: int = 80, *, options: bytes = b"", win: int = 8192
) -> tuple[Peer, Peer]:
    """Open a connection from the left to the right; both ends see the other's segments unchanged."""
    a = Peer(lab, lab.left, A, sport, B, dport)
    b = Peer(lab, lab.right, B, dport, A, sport)
    b.seq = 5000
    a.send(SYN, options=options, win=win)
    got = lab.right.one()
    b.to, b.dport, b.ack = got.src, got.sport, (got.seq + 1) & 0xFFFFFFFF
    b.send(SYN | ACK, options=options, win=win)
    got = lab.left.one()
    a.ack = (got.seq + 1) & 0xFFFFFFFF
    a.send(ACK, win=win)
    lab.right.one()
    return a, b
