"""ping(8) as a core: ICMP echoes out, replies and errors in, lines of text to print (RFC 792).

Told the time and fed datagrams, it neither waits nor sends: the program that runs it takes what is
to be sent and printed, and sleeps until next_due().

Theory of operation. A ping is *sending* until it has sent all it was asked for, or until maxwait
has passed; then it is *draining*: it waits twice the longest round trip seen, or ten intervals,
whichever is longer, for the stragglers. It is *done* when every request has its reply, when the
first reply is enough, when draining has lasted long enough, or when it is interrupted. A flood
sends the next request as soon as the last one is answered, and otherwise every hundredth of a
second; what it draws is a dot for each request and a backspace for each reply, so that the dots
that stay are the losses.

The header is made here (IP_HDRINCL), source 0 and checksum 0 being the stack's to fill in, because
there is no other way to say "don't fragment" on this platform. The original also sent a dummy to the
loopback address every second so that the kernel let go of a cached route; this stack looks the
route up for each packet, so there is nothing to clear.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from struct import Struct as Packer
from typing import Final

from libnet.addr import inet_ntoa
from libnet.clock import Dice
from libnet.errors import strerror
from libnet.record import Struct
from libnet.wire import Malformed, Truncated
from libnet.wire.icmp import (
    ICMP_ECHO,
    ICMP_ECHOREPLY,
    ICMP_IREQ,
    ICMP_IREQREPLY,
    ICMP_MASKREPLY,
    ICMP_MASKREQ,
    ICMP_MINLEN,
    ICMP_PARAMPROB,
    ICMP_REDIRECT,
    ICMP_ROUTERADVERT,
    ICMP_ROUTERSOLICIT,
    ICMP_SOURCEQUENCH,
    ICMP_TIMXCEED,
    ICMP_TSTAMP,
    ICMP_TSTAMPREPLY,
    ICMP_UNREACH,
    ICMP_UNREACH_NEEDFRAG,
    Icmp,
    icmp_echo,
)
from libnet.wire.ipv4 import (
    IP_DF,
    IP_OFFMASK,
    IPOPT_LSRR,
    IPOPT_NOP,
    IPOPT_RR,
    IPPROTO_ICMP,
    IPPROTO_TCP,
    IPPROTO_UDP,
    MAX_IPOPTLEN,
    MAXTTL,
    BadOption,
    Ipv4,
    Option,
    ip_build,
    record_route,
    route_addrs,
    source_route,
    walk_options,
)

MAXPACKET: Final = 65535 - 60 - 8
STAMP_LEN: Final = 8  # seconds and microseconds, 32 bits each, at the front of the data
DEFAULT_SIZE: Final = 64 - STAMP_LEN
FLOOD_INTERVAL_S: Final = 0.01
DUP_WINDOW: Final = 8 * 2048  # sequence numbers remembered to tell duplicates

_EARLY_S: Final = 0.0001  # a request may leave this much before its time
_BEHIND_S: Final = 0.1  # requests that are later than this are skipped
_NO_TIME_S: Final = 0.0001  # stands for a zero duration in a rate

_STAMP = Packer("!II")
_PORTS = Packer("!HH")

STDOUT: Final = 0
STDERR: Final = 1


class PingConf(Struct):
    """What one run was asked to do.

    host            name to print for the destination
    dst             destination, a host integer
    gateway         loose source route through this router, or None
    src             source address, 0 for the stack's choice
    size            octets of data after the ICMP header
    count           requests to send, None for no end
    preload         requests to send at once at the start, beyond count
    interval_s      seconds between requests
    maxwait_s       seconds after which to stop, or None
    pattern         octets to fill the data with, or None; random_fill for random ones
    """

    host: str
    dst: int
    gateway: int | None = None
    src: int = 0
    size: int = DEFAULT_SIZE
    count: int | None = None
    preload: int = 0
    interval_s: float = 1.0
    maxwait_s: float | None = None
    pattern: bytes | None = None
    random_fill: bool = False
    tos: int = 0
    ttl: int = MAXTTL
    df: bool = False
    record_route: bool = False
    flood: bool = False
    audible: bool = False
    once: bool = False
    quiet: bool = False
    semi_quiet: bool = False
    verbose: bool = False


class Ping:
    """One run of ping.

    ident    ICMP identifier, 16 bits
    epoch_s  seconds since 1970 at the zero of the caller's clock
    dice     fills the data of a random pattern
    name_of  returns the name of an address, or None; None itself prints numbers only
    """

    def __init__(
        self,
        conf: PingConf,
        *,
        ident: int,
        epoch_s: float,
        dice: Dice,
        name_of: Callable[[int], str | None] | None = None,
    ) -> None:
        self.conf = conf
        self.ident = ident
        self.done = False
        self.transmitted = 0
        self.received = 0
        self.repeats = 0
        self._epoch_us = round(epoch_s * 1e6)
        self._dice = dice
        self._name_of = name_of
        self._limit = None if conf.count is None else conf.count + conf.preload
        self._deadline: float | None = None
        self._first_tx = self._last_tx = 0.0
        self._first_rx = self._last_rx = 0.0
        self._next_tx: float | None = None
        self._answered = True  # the last request has its reply
        self._interrupted = False
        self._seen = bytearray(DUP_WINDOW)
        self._last_seq = 0xFFFF
        self._route: list[int] = []  # what the last record route showed
        self._timed = 0
        self._sum_us = self._sumsq_us = self._max_us = 0
        self._min_us: int | None = None
        self._dots = _Dots(self._print)
        self._options = _options(conf)
        self._data = self._fill()
        self._length = 20 + len(self._options) + ICMP_MINLEN + conf.size
        self._packets: list[bytes] = []
        self._output: list[tuple[int, str]] = []

    # What the program calls.

    def start(self, now: float) -> None:
        """Print the heading, send what is to be preloaded."""
        conf = self.conf
        if conf.pattern and not conf.quiet:
            self._print(f"PATTERN: 0x{conf.pattern.hex()}\n")
        self._print(f"PING {conf.host} ({inet_ntoa(conf.dst)}): {conf.size} data bytes\n")
        if conf.maxwait_s is not None:
            self._deadline = now + conf.maxwait_s
        for _ in range(conf.preload):
            self._pinger(now)

    def run(self, now: float) -> None:
        """Send what is due, or find that it is over."""
        if self.done:
            return
        if self._complete():
            self._finish()
        elif self._sending(now):
            if self._due_s(now) <= now + _EARLY_S:
                self._pinger(now)
        elif now >= self._drained_s():
            self._finish()

    def next_due(self) -> float | None:
        """Return when to call run() at the latest, None when done."""
        if self.done:
            return None
        if self._limit is None or self.transmitted < self._limit:
            due = self._due_s(self._last_tx)
        else:
            due = self._drained_s()
        return due if self._deadline is None else min(due, self._deadline)

    def take_packets(self) -> list[bytes]:
        """Return the IP packets to send, without source address and checksum."""
        packets, self._packets = self._packets, []
        return packets

    def take_output(self) -> list[tuple[int, str]]:
        """Return what to print, in order: (STDOUT or STDERR, text)."""
        output, self._output = self._output, []
        return output

    def send_failed(self, symbol: str) -> None:
        """Be told that the stack refused a packet with error *symbol*; it counts as sent."""
        self._dots.flush(self._last_tx, newline=True)
        self._output.append((STDERR, f"ping: sendto: {strerror(symbol)}\n"))

    def sent_short(self, wanted: int, took: int) -> None:
        """Be told that the stack took only part of a packet."""
        self._dots.flush(self._last_tx, newline=True)
        text = f"ping: wrote {self.conf.host} {wanted} chars, ret={took}\n"
        self._output.append((STDERR, text))

    def receive_failed(self, symbol: str) -> None:
        """Be told that receiving gave error *symbol*."""
        self._dots.flush(self._last_tx, newline=True)
        self._output.append((STDERR, f"ping: recvfrom: {strerror(symbol)}\n"))

    def interrupt(self, now: float) -> None:
        """End: at once if nothing is outstanding or nothing ever came, else after draining.

        The second interrupt ends in any case.
        """
        if self.done:
            return
        if self._interrupted or self._answered or self.received == 0:
            self._finish()
            return
        self._interrupted = True
        if self._limit is None or self._limit > self.transmitted:
            self._limit = self.transmitted
        self.run(now)

    def info(self) -> None:
        """Print the statistics so far, without heading (SIGINFO)."""
        if not self.done:
            self._summary()

    @property
    def status(self) -> int:
        """Exit status: 0 if anything was answered, else 2."""
        return 0 if self.received else 2

    def datagram_input(self, datagram: bytes, src: int, now: float) -> None:
        """Take what the raw socket received from *src*, IP header included."""
        if self.done:
            return
        try:
            ip = Ipv4.quoted(datagram)  # the length field is the kernel's business
            icmp = Icmp.parse(ip.payload)
        except (Truncated, Malformed):
            if self.conf.verbose:
                self._dots.flush(self._last_tx, newline=True)
                self._print(
                    f"packet too short ({len(datagram)} bytes) from {inet_ntoa(src)}\n",
                )
            return
        if icmp.type == ICMP_ECHOREPLY and icmp.id == self.ident:
            self._reply(ip, icmp, len(datagram), src, now)
        else:
            self._other(ip, icmp, src)
        if self._complete():
            self._finish()

    # Sending.

    def _sending(self, now: float) -> bool:
        if self._limit is not None and self.transmitted >= self._limit:
            return False
        return self._deadline is None or now < self._deadline

    def _due_s(self, now: float) -> float:
        """Return when the next request is to leave."""
        if self._next_tx is None or (self._answered and self.conf.flood):
            return now
        return self._next_tx

    def _drained_s(self) -> float:
        """Return when waiting for the last replies ends."""
        patience = max(2 * self._max_us / 1e6, 10 * self.conf.interval_s)
        end = self._last_tx + patience
        return end if self._deadline is None else min(end, self._deadline)

    def _complete(self) -> bool:
        if self._limit is not None and self.received >= self._limit:
            return True
        return self.conf.once and self.received > 0

    def _pinger(self, now: float) -> None:
        """Make the next request and set the time of the one after it."""
        conf = self.conf
        seq = self.transmitted & 0xFFFF
        data = self._data
        if conf.random_fill:
            data = self._fill()
        if conf.size >= STAMP_LEN:
            sec, usec = divmod(self._wall_us(now), 1000000)
            data = _STAMP.pack(sec & 0xFFFFFFFF, usec) + data[STAMP_LEN:]
        self._packets.append(
            ip_build(
                icmp_echo(self.ident, seq, data),
                src=conf.src,
                dst=conf.dst if conf.gateway is None else conf.gateway,
                proto=IPPROTO_ICMP,
                ttl=conf.ttl,
                tos=conf.tos,
                off=IP_DF if conf.df else 0,
                options=self._options,
            )
        )
        self._answered = False
        self._seen[self.transmitted % DUP_WINDOW] = 0
        self.transmitted += 1
        self._last_tx = now
        if self._next_tx is None:
            self._first_tx = self._next_tx = now
        # At most one interval ahead, even for preloaded ones; what is too late is skipped, so that
        # requests keep to the same fraction of the second.
        if self._next_tx - now <= conf.interval_s:
            self._next_tx += conf.interval_s
            if self._next_tx - now < -_BEHIND_S:
                missed = math.ceil((now - _BEHIND_S - self._next_tx) / conf.interval_s)
                self._next_tx += missed * conf.interval_s
        if conf.flood:
            self._jiggle(1)

    def _wall_us(self, now: float) -> int:
        return self._epoch_us + round(now * 1e6)

    def _fill(self) -> bytes:
        """Return the data of a request, the time stamp's place included."""
        conf = self.conf
        if conf.random_fill:
            return self._dice.getrandbits(8 * conf.size).to_bytes(conf.size, "big")
        room = max(conf.size - STAMP_LEN, 0)
        if conf.pattern:
            body = (conf.pattern * (room // len(conf.pattern) + 1))[:room]
        else:
            body = bytes(i & 0xFF for i in range(STAMP_LEN, conf.size))
        return bytes(min(conf.size, STAMP_LEN)) + body

    # Replies.

    def _reply(self, ip: Ipv4, icmp: Icmp, length: int, src: int, now: float) -> None:
        conf = self.conf
        if icmp.seq == (self.transmitted - 1) & 0xFFFF:
            self._answered = True
        if self.received + self.repeats == 0:
            self._first_rx = now
        self._last_rx = now
        trip_us = self._trip_us(icmp, now)
        slot = icmp.seq % DUP_WINDOW
        dup = bool(self._seen[slot])
        if dup:
            self.repeats += 1
        else:
            self.received += 1
            self._seen[slot] = 1
        line = _Line(self, ip, icmp, src, dup=dup, trip_us=trip_us)
        if length != self._length:
            line.open()
            self._print(f"\nwrong total length {length} instead of {self._length}")
        if not dup:
            self._note_gap(icmp.seq)
        if conf.quiet:
            if line.opened:
                self._print("\n")
            return
        if not conf.flood:
            line.open()
        if conf.size > STAMP_LEN and not conf.random_fill:
            self._check_data(bytes(icmp.payload), line)
        self._show_options(ip, line, foreign=False)
        if line.opened:
            self._print("\n")
        else:
            self._jiggle(-1)

    def _trip_us(self, icmp: Icmp, now: float) -> int | None:
        """Take the round trip time from the stamp that came back, and count it."""
        if self.conf.size < STAMP_LEN or len(icmp.payload) < STAMP_LEN:
            return None
        sec, usec = _STAMP.unpack_from(icmp.payload)
        trip: int = self._wall_us(now) - (sec * 1000000 + usec)
        self._timed += 1
        self._sum_us += trip
        self._sumsq_us += trip * trip
        self._max_us = max(self._max_us, trip)
        self._min_us = trip if self._min_us is None else min(self._min_us, trip)
        return trip

    def _note_gap(self, seq: int) -> None:
        expected = (self._last_seq + 1) & 0xFFFF
        gap = (seq - expected) & 0xFFFF
        if gap >= 0x8000:  # an older one, late
            return
        if gap and self.conf.verbose:
            last = (seq - 1) & 0xFFFF
            self._print(f"[*** sequence gap of {gap} packets from {expected} ... {last} ***]\n")
            if self.conf.quiet:
                self._summary()
        self._last_seq = seq

    def _check_data(self, got: bytes, line: _Line) -> None:
        want = self._data
        end = min(len(got), len(want))
        if got[STAMP_LEN:end] == want[STAMP_LEN:end]:
            return
        wrong = next(i for i in range(STAMP_LEN, end) if got[i] != want[i])
        line.open()
        self._print(
            f"\nwrong data byte #{wrong} should have been {_hex(want[wrong])}"
            f" but was {_hex(got[wrong])}"
        )
        for pos in range(STAMP_LEN, end, 16):
            row = "".join(f"{octet:2x} " for octet in got[pos : min(pos + 16, end)])
            self._print("\n\t" + row)

    # Everything else that comes through the raw socket.

    def _other(self, ip: Ipv4, icmp: Icmp, src: int) -> None:
        if icmp.type == ICMP_ECHOREPLY:
            return  # some other ping's
        text = self._describe(icmp, src)
        if text is None:
            return
        self._print(text)
        self._show_options(ip, None, foreign=True)
        self._print("\n")

    def _describe(self, icmp: Icmp, src: int) -> str | None:
        """Return what to print of a message that is not a reply, None for nothing."""
        lead = ""
        shown = self.conf.verbose
        if shown:
            self._dots.flush(self._last_tx, newline=True)
        quoted = _quoted(icmp)
        if (
            not shown
            and icmp.type in _ERRORS
            and quoted is not None
            and self._is_mine(quoted)
            and not (self.conf.quiet or self.conf.semi_quiet)
        ):
            self._dots.flush(self._last_tx, newline=True)
            lead = f"{ICMP_MINLEN + len(icmp.payload)} bytes from {self._addr(src)}: "
            shown = True
        if not shown:
            return None
        return lead + self._message(icmp, quoted)

    def _is_mine(self, quoted: Ipv4) -> bool:
        if quoted.p != IPPROTO_ICMP or len(quoted.payload) < ICMP_MINLEN:
            return False
        return Icmp.parse(quoted.payload).id == self.ident

    def _message(self, icmp: Icmp, quoted: Ipv4 | None) -> str:
        if icmp.type == ICMP_REDIRECT:
            text = _REDIRECT.get(icmp.code, f"Redirect--Bad Code: {icmp.code}")
            text += f" New router addr: {self._addr(icmp.gwaddr)}"
        else:
            text = icmp_text(icmp)
        if icmp.type in _ERRORS:
            return text + self._show_quoted(quoted)
        if icmp.type not in _QUERIES and self.conf.verbose and quoted is not None:
            return text + _ip_header(quoted)
        return text

    def _show_quoted(self, quoted: Ipv4 | None) -> str:
        """Return what an error tells of the packet it is about."""
        if quoted is None:
            return ""
        verbose = self.conf.verbose
        text = _ip_header(quoted) if verbose else ""
        body = bytes(quoted.payload)
        if quoted.p in (IPPROTO_TCP, IPPROTO_UDP):
            if verbose and len(body) >= _PORTS.size:
                sport, dport = _PORTS.unpack_from(body)
                name = "TCP" if quoted.p == IPPROTO_TCP else "UDP"
                text += f"\n  {name}: from port {sport}, to port {dport}"
        elif quoted.p == IPPROTO_ICMP and len(body) >= ICMP_MINLEN:
            inner = Icmp.parse(body)
            if inner.type == ICMP_ECHO:
                if verbose:
                    text += f"\n  ID={inner.id} icmp_seq={inner.seq}"
                else:
                    text += f" for icmp_seq={inner.seq}"
        return text

    def _show_options(self, ip: Ipv4, line: _Line | None, *, foreign: bool) -> None:
        """Print the IP options of what came; of replies only what is news."""
        try:
            for option in walk_options(ip.options):
                self._show_option(option, line, foreign=foreign)
        except BadOption:
            return  # what could be read has been printed

    def _show_option(self, option: Option, line: _Line | None, *, foreign: bool) -> None:
        if option.kind == IPOPT_NOP:
            if foreign:
                self._print("\nNOP")
        elif option.kind == IPOPT_LSRR:
            passed, to_go = route_addrs(option)
            if foreign and passed + to_go:
                self._print("\nLSRR: " + self._route_text(passed + to_go))
        elif option.kind == IPOPT_RR:
            self._show_route(route_addrs(option)[0], line, foreign=foreign)
        else:
            if line is not None:
                line.open()
            self._print(f"\nunknown option 0x{option.kind:x}")

    def _show_route(self, route: list[int], line: _Line | None, *, foreign: bool) -> None:
        if not route:
            return
        if not foreign:
            if route == self._route:
                if line is not None and line.opened:
                    self._print("\t(same route)")
                return
            self._route = route
        if line is not None and not line.opened:
            # A flood has no line to add to: the route starts one.
            self._dots.flush(self._last_tx, newline=True)
            line.opened = True
            self._print("RR: " + self._route_text(route))
        else:
            self._print("\nRR: " + self._route_text(route))

    def _route_text(self, addrs: list[int]) -> str:
        return "\n".join("\t" + ("0.0.0.0" if a == 0 else self._addr(a)) for a in addrs)

    def _addr(self, addr: int) -> str:
        """Return the address as text, with its name before it if it has one."""
        name = self._name_of(addr) if self._name_of is not None else None
        return inet_ntoa(addr) if name is None else f"{name} ({inet_ntoa(addr)})"

    # Printing.

    def _print(self, text: str) -> None:
        self._output.append((STDOUT, text))

    def _jiggle(self, delta: int) -> None:
        if not self.conf.quiet:
            self._dots.jiggle(delta, self._last_tx)

    def open_line(self, ip: Ipv4, icmp: Icmp, src: int, *, dup: bool, trip_us: int | None) -> None:
        """Print the line of a reply, without its newline."""
        self._dots.flush(self._last_tx, newline=True)
        if self.conf.flood:
            return
        text = f"{ICMP_MINLEN + len(icmp.payload)} bytes from {inet_ntoa(src)}: icmp_seq={icmp.seq}"
        if dup:
            text += " DUP!"
        text += f" ttl={ip.ttl}"
        if trip_us is not None:
            text += f" time={trip_us / 1000:.3f} ms"
        self._print(text)
        if self.conf.audible and not dup:
            self._output.append((STDERR, "\a"))

    def _finish(self) -> None:
        self._summary(heading=f"\n----{self.conf.host} PING Statistics----\n")
        self.done = True

    def _summary(self, heading: str = "") -> None:
        self._dots.flush(self._last_tx, newline=True)
        sent, got = self.transmitted, self.received
        text = f"{heading}{sent} packets transmitted, {got} packets received, "
        if self.repeats:
            text += f"+{self.repeats} duplicates, "
        if got > sent:
            text += "-- somebody's duplicating packets!"
        elif sent:
            text += f"{(sent - got) * 100.0 / sent:.1f}% packet loss"
        text += "\n"
        if got and self._timed and self._min_us is not None:
            count = self._timed
            variance = 0.0
            if count > 1:
                variance = (self._sumsq_us - self._sum_us**2 / count) / (count - 1)
            figures = (
                self._min_us,
                self._sum_us / count,
                self._max_us,
                math.sqrt(max(variance, 0.0)),
            )
            shown = "/".join(f"{us / 1000:.3f}" for us in figures)
            text += f"round-trip min/avg/max/stddev = {shown} ms\n"
            if self.conf.flood:
                tx_s = self._last_tx - self._first_tx or _NO_TIME_S
                rx_s = self._last_rx - self._first_rx or _NO_TIME_S
                text += f"  {sent / tx_s:.1f} packets/sec sent,  "
                text += f"{got / rx_s:.1f} packets/sec received\n"
        self._print(text)


class _Line:
    """The line of one reply: begun by whatever has something to say first."""

    def __init__(
        self, ping: Ping, ip: Ipv4, icmp: Icmp, src: int, *, dup: bool, trip_us: int | None
    ) -> None:
        self.opened = False
        self._ping, self._ip, self._icmp, self._src = ping, ip, icmp, src
        self._dup, self._trip_us = dup, trip_us

    def open(self) -> None:
        """Print the front of the line, once."""
        if not self.opened:
            self.opened = True
            self._ping.open_line(
                self._ip, self._icmp, self._src, dup=self._dup, trip_us=self._trip_us
            )


class _Dots:
    """The dots of a flood: drawn and taken back in batches, so that the cursor moves visibly."""

    _QUIET_S = 0.2  # draw what is pending when it is this old
    _TURN_S = 0.15  # or this, if it goes the other way

    def __init__(self, out: Callable[[str], None]) -> None:
        self._out = out
        self._pending = 0
        self._column = 0
        self._drawn = False
        self._direction = -1
        self._flushed_s: float | None = None

    def jiggle(self, delta: int, now: float) -> None:
        """Count a dot more or less; never back up into what stands before the first one."""
        if self._column + self._pending + delta < 0:
            return
        self._pending += delta
        age = math.inf if self._flushed_s is None else now - self._flushed_s
        if age > self._QUIET_S or (age >= self._TURN_S and delta * self._direction < 0):
            self.flush(now, newline=False)

    def flush(self, now: float, *, newline: bool) -> None:
        """Draw what is pending; with *newline* also leave the line if anything stands on it."""
        if self._pending:
            self._out("." * self._pending if self._pending > 0 else "\b" * -self._pending)
            self._direction = 1 if self._pending > 0 else -1
            self._column += self._pending
            self._drawn = True
            self._pending = 0
        if newline:
            if self._drawn:
                self._out("\n")
            self._column, self._drawn, self._direction = 0, False, -1
        self._flushed_s = now


def _options(conf: PingConf) -> bytes:
    options = b""
    if conf.gateway is not None:
        options = source_route([conf.dst]) + bytes((IPOPT_NOP,))
    if conf.record_route:
        # One octet stays over for the end of the list.
        options += record_route((MAX_IPOPTLEN - 1 - len(options) - 3) // 4)
    return options + bytes(-len(options) & 3)


def _quoted(icmp: Icmp) -> Ipv4 | None:
    try:
        return Ipv4.quoted(icmp.payload)
    except (Truncated, Malformed):
        return None


def _hex(value: int) -> str:
    return f"0x{value:x}" if value else "0"


_UNREACH: Final = (
    "Destination Net Unreachable",
    "Destination Host Unreachable",
    "Destination Protocol Unreachable",
    "Destination Port Unreachable",
    "frag needed and DF set.  Next MTU=",
    "Source Route Failed",
    "Unreachable unknown net",
    "Unreachable unknown host",
    "Unreachable host isolated",
    "Net prohibited access",
    "Host prohibited access",
    "Bad TOS for net",
    "Bad TOS for host",
    "Communication prohibited",
    "Host precedence violation",
    "Precedence cutoff",
)

_REDIRECT: Final = {
    0: "Redirect Network",
    1: "Redirect Host",
    2: "Redirect Type of Service and Network",
    3: "Redirect Type of Service and Host",
}

_EXCEEDED: Final = {0: "Time To Live exceeded", 1: "Frag reassembly time exceeded"}

# Reports about a packet of ours; the rest are questions and answers of other programs.
_ERRORS: Final = frozenset(
    (ICMP_UNREACH, ICMP_SOURCEQUENCH, ICMP_REDIRECT, ICMP_TIMXCEED, ICMP_PARAMPROB)
)

_QUERIES: Final = {
    ICMP_ROUTERADVERT: "Router Discovery Advert",
    ICMP_ROUTERSOLICIT: "Router Discovery Solicit",
    ICMP_TSTAMP: "Timestamp",
    ICMP_TSTAMPREPLY: "Timestamp Reply",
    ICMP_IREQ: "Information Request",
    ICMP_IREQREPLY: "Information Reply",
    ICMP_MASKREQ: "Address Mask Request",
    ICMP_MASKREPLY: "Address Mask Reply",
    ICMP_ECHO: "Echo Request",
}


def icmp_text(icmp: Icmp) -> str:
    """Return the words for a message, without what it quotes.

    >>> icmp_text(Icmp(ICMP_UNREACH, 1, 0, 0, b""))
    'Destination Host Unreachable'
    """
    kind, code = icmp.type, icmp.code
    if kind == ICMP_UNREACH:
        if code >= len(_UNREACH):
            return f"Bad Destination Unreachable Code: {code}"
        mtu = str(icmp.nextmtu) if code == ICMP_UNREACH_NEEDFRAG else ""
        return _UNREACH[code] + mtu
    if kind == ICMP_SOURCEQUENCH:
        return "Source Quench"
    if kind == ICMP_TIMXCEED:
        return _EXCEEDED.get(code, f"Time exceeded, Bad Code: {code}")
    if kind == ICMP_PARAMPROB:
        return f"Parameter problem: pointer = 0x{icmp.pptr:02x}"
    if kind == ICMP_ECHO:
        return f"Echo Request: ID={icmp.id} seq={icmp.seq}"
    return _QUERIES.get(kind, f"Bad ICMP type: {kind}")


def _ip_header(ip: Ipv4) -> str:
    """Return a quoted header as a table of one row."""
    return (
        "\n Vr HL TOS  Len   ID Flg  off TTL Pro  cks      Src\t     Dst\n"
        f"  4  {ip.hlen >> 2:x}  {ip.tos:02x} {ip.len:04x} {ip.id:04x}"
        f"   {ip.off >> 13:x} {ip.off & IP_OFFMASK:04x}"
        f"  {ip.ttl:02x}  {ip.p:02x} {ip.sum:04x}"
        f" {inet_ntoa(ip.src):>15}  {inet_ntoa(ip.dst)} {ip.options.hex()}"
    )
