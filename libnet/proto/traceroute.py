"""traceroute(8) as a core: probes out with a rising TTL, what routers say of them in.

Told the time and fed datagrams, it neither waits nor sends: the program takes one packet after the
other, tells how sending it went, and sleeps until next_due().

A probe is a UDP datagram to a port that nobody is likely to have, or with icmp an echo request. The
router at which the TTL ends says so (RFC 792), which tells its address; the destination answers that
the port is unreachable, or with an echo reply. There is one probe under way at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct as Packer
from typing import Final

from libnet.addr import inet_ntoa
from libnet.errors import strerror
from libnet.record import Struct
from libnet.wire import Malformed, Truncated
from libnet.wire.cksum import in_cksum
from libnet.wire.icmp import (
    ICMP_ECHOREPLY,
    ICMP_MINLEN,
    ICMP_TIMXCEED,
    ICMP_TIMXCEED_INTRANS,
    ICMP_UNREACH,
    ICMP_UNREACH_ADMIN_PROHIBIT,
    ICMP_UNREACH_HOST,
    ICMP_UNREACH_NEEDFRAG,
    ICMP_UNREACH_NET,
    ICMP_UNREACH_PORT,
    ICMP_UNREACH_PROTOCOL,
    ICMP_UNREACH_SRCFAIL,
    Icmp,
    icmp_echo,
)
from libnet.wire.ipv4 import (
    IP_DF,
    IPOPT_NOP,
    IPPROTO_ICMP,
    IPPROTO_UDP,
    Ipv4,
    ip_build,
    source_route,
)
from libnet.wire.udp import udp_build

BASE_PORT: Final = 33434
MAXPACKET: Final = 32 * 1024
NGATEWAYS: Final = 8
DATA_LEN: Final = 12  # number, TTL, two octets of nothing, seconds and microseconds
STDOUT: Final = 0
STDERR: Final = 1

_DATA = Packer("!BBxxII")
_WORDS = Packer("!I")
_EXT_OFFSET: Final = ICMP_MINLEN + 128  # where extensions begin (RFC 4884)
_EXT = Packer("!BxH")
_OBJECT = Packer("!HBB")
_MPLS_CLASS: Final = (1, 1)
# Sizes to try when nobody tells the next one's MTU (RFC 1191 section 7, and a few more).
MTUS: Final = (
    *(17914, 8166, 4464, 4352, 2048, 2002, 1536, 1500, 1492, 1480, 1280),
    *(1006, 576, 552, 544, 512, 508, 296, 68),
)
_MARKS: Final = {
    ICMP_UNREACH_NET: "!N",
    ICMP_UNREACH_HOST: "!H",
    ICMP_UNREACH_SRCFAIL: "!S",
    ICMP_UNREACH_NEEDFRAG: "!F",
    ICMP_UNREACH_ADMIN_PROHIBIT: "!X",
}
_TYPES: Final = (
    "Echo Reply",
    "ICMP 1",
    "ICMP 2",
    "Dest Unreachable",
    "Source Quench",
    "Redirect",
    "ICMP 6",
    "ICMP 7",
    "Echo",
    "ICMP 9",
    "ICMP 10",
    "Time Exceeded",
    "Param Problem",
    "Timestamp",
    "Timestamp Reply",
    "Info Request",
    "Info Reply",
)


class TraceConf(Struct):
    """What one run was asked to do.

    host       name to print            dst, src   addresses, host integers
    source     name of src to print, "" for none
    port       the first probe goes to the one after it
    packlen    octets of a probe with its IP header
    gateways   loose source route       mtudisc    find the path's MTU
    cksum      compute checksums        mpls       show labels of RFC 4950
    verbose    1: show other ICMP messages, 2: and each probe
    """

    host: str
    dst: int
    src: int
    source: str = ""
    first_ttl: int = 1
    max_ttl: int = 30
    nprobes: int = 3
    port: int = BASE_PORT
    wait_s: float = 5.0
    packlen: int = 0
    tos: int = 0
    gateways: tuple[int, ...] = ()
    icmp: bool = False
    df: bool = False
    mtudisc: bool = False
    cksum: bool = True
    show_ttl: bool = False
    mpls: bool = False
    dump: bool = False
    numeric: bool = False
    verbose: int = 0


def least_packet(conf: TraceConf) -> int:
    """Return the octets of the smallest probe."""
    options = 4 * (len(conf.gateways) + 1) if conf.gateways else 0
    return 20 + options + 8 + DATA_LEN


class Traceroute:
    """One run of traceroute.

    ident    16 bits, the source port of UDP probes and the identifier of echoes
    epoch_s  seconds since 1970 at the zero of the caller's clock
    name_of  returns the name of an address, or None
    done     whether it is over
    """

    def __init__(
        self,
        conf: TraceConf,
        *,
        ident: int,
        epoch_s: float,
        name_of: Callable[[int], str | None],
    ) -> None:
        self.conf = conf
        self.ident = ident | 0x8000
        self.done = False
        self._epoch_s = epoch_s
        self._name_of = name_of
        self._mtus = list(MTUS)
        self._packlen = conf.packlen or least_packet(conf)
        if conf.mtudisc:
            self._packlen = self._mtus.pop(0)
        self._options = b""
        if conf.gateways:
            hops = [*conf.gateways[1:], conf.dst]
            self._options = bytes((IPOPT_NOP,)) + source_route(hops)
        self._ttl = conf.first_ttl
        self._probe = 0
        self._seq = 0
        self._printed_ttl = False
        self._last_addr: int | None = None
        self._got_there = 0
        self._unreachable = 0
        self._sent_at: float | None = None
        self._asked_len = self._packlen  # of the probe when its number was given out
        self._packet: bytes | None = None
        self._output: list[tuple[int, str]] = []

    # What the program calls.

    def start(self, now: float) -> None:
        """Print the heading, make the first probe."""
        conf = self.conf
        source = f" from {conf.source}" if conf.source else ""
        self._err(
            f"traceroute to {conf.host} ({inet_ntoa(conf.dst)}){source},"
            f" {conf.max_ttl} hops max, {self._packlen} byte packets\n"
        )
        self._next_seq(now)

    def next_due(self) -> float | None:
        """Return when to call run() at the latest, None when done."""
        if self.done:
            return None
        return 0.0 if self._sent_at is None else self._sent_at + self.conf.wait_s

    def run(self, now: float) -> None:
        """Give up waiting if the time is over."""
        if not self.done and self._sent_at is not None and now >= self._sent_at + self.conf.wait_s:
            self._print(" *")
            self._end_probe(now)

    def take_packet(self) -> bytes | None:
        """Return the packet to send, None when there is none; sent() must follow."""
        packet, self._packet = self._packet, None
        return packet

    def sent(self, now: float, *, error: str = "", took: int = 0) -> None:
        """Be told that the last packet is sent, *took* octets of it, or what *error* came."""
        if error == "EMSGSIZE" and self._mtus:
            self._packlen = self._mtus.pop(0)
            self._make(now)
            return
        if error:
            self._err(f"traceroute: sendto: {strerror(error)}\n")
        if error or took != self._packlen:
            shown = -1 if error else took
            self._print(f"traceroute: wrote {self.conf.host} {self._packlen} chars, ret={shown}\n")
        if self._asked_len != self._packlen:
            self._print(f"message too big, trying new MTU = {self._packlen}\n")
            self._printed_ttl = False
        if not self._printed_ttl:
            self._print(f"{self._ttl:2d} ")
            self._printed_ttl = True
        self._sent_at = now

    def take_output(self) -> list[tuple[int, str]]:
        """Return what to print, in order: (STDOUT or STDERR, text)."""
        output, self._output = self._output, []
        return output

    def datagram_input(self, data: bytes, now: float) -> None:
        """Take an IP packet that the raw ICMP socket got."""
        if self.done or self._sent_at is None:
            return
        try:
            ip = Ipv4.parse(data)
            icmp = Icmp.parse(ip.payload)
        except (Truncated, Malformed):
            if self.conf.verbose:
                self._print(f"packet too short ({len(data)} bytes)\n")
            return
        verdict = self._judge(icmp)
        if verdict is None:
            if self.conf.verbose:
                self._show(ip, icmp)
            return
        self._answer(ip, icmp, verdict, now)

    # Probes.

    def _next_seq(self, now: float) -> None:
        self._seq += 1
        if not self.conf.icmp and (self.conf.port + self._seq) & 0xFFFF == 0:
            self._seq += 1
        self._asked_len = self._packlen
        self._make(now)

    def _make(self, now: float) -> None:
        """Build the packet of the current probe."""
        conf = self.conf
        self._sent_at = None
        room = max(self._packlen - 20 - len(self._options) - 8, 0)
        wall = self._epoch_s + now
        stamp = _DATA.pack(
            self._seq & 0xFF,
            self._ttl,
            int(wall) & 0xFFFFFFFF,
            int(wall % 1 * 1e6),
        )
        data = stamp[:room].ljust(room, b"\0")
        if conf.icmp:
            body = icmp_echo(self.ident, self._seq & 0xFFFF, data)
            if not conf.cksum:
                body = body[:2] + b"\0\0" + body[4:]
        else:
            port = (conf.port + self._seq) & 0xFFFF
            body = udp_build(self.ident, port, data, src=conf.src, dst=conf.dst)
            if not conf.cksum:
                body = body[:6] + b"\0\0" + body[8:]
        packet = ip_build(
            body,
            src=conf.src,
            dst=conf.gateways[0] if conf.gateways else conf.dst,
            proto=IPPROTO_ICMP if conf.icmp else IPPROTO_UDP,
            ttl=self._ttl,
            tos=conf.tos,
            ident=(self.ident + self._seq) & 0xFFFF,
            off=IP_DF if conf.df or conf.mtudisc else 0,
            options=self._options,
        )
        self._packet = packet
        if conf.verbose > 1:
            self._print(_words(packet))
        if conf.dump:
            self._err(_octets(packet))

    def _end_probe(self, now: float) -> None:
        """Go on with the next probe, the next TTL, or to the end."""
        self._probe += 1
        if self._probe < self.conf.nprobes:
            self._next_seq(now)
            return
        self._print("\n")
        many = (self.conf.nprobes + 1) // 2
        self._ttl += 1
        if (
            self._got_there
            or (self._unreachable and self._unreachable >= many)
            or self._ttl > self.conf.max_ttl
        ):
            self.done = True
            return
        self._last_addr = None
        self._got_there = self._unreachable = 0
        self._again(now)

    def _again(self, now: float) -> None:
        self._printed_ttl = False
        self._probe = 0
        self._next_seq(now)

    # Answers.

    def _judge(self, icmp: Icmp) -> int | None:
        """Return -2 for the answer of the host, -1 for a router's, a code; None for no answer."""
        conf, seq = self.conf, self._seq & 0xFFFF
        if conf.icmp and icmp.type == ICMP_ECHOREPLY:
            return -2 if (icmp.id, icmp.seq) == (self.ident, seq) else None
        passing = icmp.type == ICMP_TIMXCEED and icmp.code == ICMP_TIMXCEED_INTRANS
        if not passing and icmp.type != ICMP_UNREACH:
            return None
        try:
            quoted = Ipv4.quoted(icmp.payload)
        except (Truncated, Malformed):
            return None
        body = bytes(quoted.payload[:8])
        if len(body) < 8:
            return None
        if conf.icmp:
            inner = Icmp.parse(body)
            mine = quoted.p == IPPROTO_ICMP and (inner.id, inner.seq) == (self.ident, seq)
        else:
            sport, dport = int.from_bytes(body[:2], "big"), int.from_bytes(body[2:4], "big")
            wanted = (self.ident, (conf.port + self._seq) & 0xFFFF)
            mine = quoted.p == IPPROTO_UDP and (sport, dport) == wanted
        if not mine:
            return None
        return -1 if passing else icmp.code

    def _answer(self, ip: Ipv4, icmp: Icmp, verdict: int, now: float) -> None:
        assert self._sent_at is not None
        conf = self.conf
        if ip.src != self._last_addr:
            self._who(ip)
            self._last_addr = ip.src
        self._print(f"  {(now - self._sent_at) * 1000:.3f} ms")
        if conf.show_ttl:
            self._print(f" (ttl = {ip.ttl})")
        if verdict in (-2, ICMP_UNREACH_PORT):
            if ip.ttl <= 1:
                self._print(" !")
            self._got_there += 1
        elif verdict == ICMP_UNREACH_PROTOCOL:
            self._got_there += 1
            self._print(" !P")
        elif verdict == ICMP_UNREACH_NEEDFRAG and conf.mtudisc and self._smaller(icmp.nextmtu):
            self._again(now)
            return
        elif verdict >= 0:
            self._unreachable += 1
            self._print(f" {_MARKS.get(verdict, f'!<{verdict}>')}")
        if conf.mpls and self._probe == conf.nprobes - 1:
            self._print(mpls_text(bytes(ip.payload)))
        self._end_probe(now)

    def _smaller(self, told: int) -> bool:
        """Go on with smaller probes; False when there is nothing smaller to try."""
        if 0 < told < self._packlen and told >= least_packet(self.conf):
            self._print(f"\nfragmentation required and DF set, next hop MTU = {told}\n")
            self._packlen = told
            self._mtus = [mtu for mtu in MTUS if mtu < told]
            return True
        if not self._mtus:
            return False
        self._print("\nfragmentation required and DF set. ")
        if told:
            self._print(f"\nBogus next hop MTU = {told} > last MTU = {self._packlen}. ")
        self._packlen = self._mtus.pop(0)
        self._print(f"Trying new MTU = {self._packlen}\n")
        return True

    # Printing.

    def _who(self, ip: Ipv4) -> None:
        number = inet_ntoa(ip.src)
        if self.conf.numeric:
            self._print(f" {number}")
        else:
            self._print(f" {self._name_of(ip.src) or number} ({number})")
        if self.conf.verbose:
            self._print(f" {len(ip.payload)} bytes to {inet_ntoa(ip.dst)}")

    def _show(self, ip: Ipv4, icmp: Icmp) -> None:
        """Print an ICMP message that is not about us."""
        kind = _TYPES[icmp.type] if icmp.type < len(_TYPES) else "OUT-OF-RANGE"
        text = (
            f"\n{len(ip.payload)} bytes from {inet_ntoa(ip.src)} to {inet_ntoa(ip.dst)}:"
            f" icmp type {icmp.type} ({kind}) code {icmp.code}\n"
        )
        body = bytes(ip.payload)
        for at in range(4, len(body), 4):
            word = _WORDS.unpack(body[at : at + 4].ljust(4, b"\0"))[0]
            text += f"{at:2d}: x{word:08x}\n"
        self._print(text)

    def _print(self, text: str) -> None:
        if text:
            self._output.append((STDOUT, text))

    def _err(self, text: str) -> None:
        self._output.append((STDERR, text))


def mpls_text(message: bytes) -> str:
    """Return the MPLS labels in the extensions of an ICMP message (RFC 4884, RFC 4950), "" for none."""
    rest = message[_EXT_OFFSET:]
    if len(rest) < _EXT.size or rest[0] >> 4 != 2:
        return ""
    if _EXT.unpack_from(rest)[1] and in_cksum(rest):
        return ""
    rest = rest[_EXT.size :]
    text = ""
    while len(rest) >= _OBJECT.size:
        length, kind, ctype = _OBJECT.unpack_from(rest)
        if not _OBJECT.size <= length <= len(rest):
            break
        if (kind, ctype) == _MPLS_CLASS:
            for at in range(_OBJECT.size, length - 3, 4):
                word = _WORDS.unpack_from(rest, at)[0]
                text += f" [MPLS: Label {word >> 12} Exp {word >> 9 & 7}]"
        rest = rest[length:]
    return text


def _words(packet: bytes) -> str:
    """Return a packet as -vv shows it: eight words a line."""
    text = f"[ {len(packet)} bytes"
    for at in range(0, len(packet), 2):
        if at % 16 == 0:
            text += "\n\t"
        word = packet[at : at + 2].hex()
        text += f" {word}"
    return text + "]\n"


def _octets(packet: bytes) -> str:
    """Return a packet as -D shows it: 24 octets a line."""
    text = "packet data:"
    for at, octet in enumerate(packet):
        if at % 24 == 0:
            text += "\n "
        text += f" {octet:02x}"
    return text + "\n"
