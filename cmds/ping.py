"""ping(8): ask a host for an answer, and tell how long it took."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from typing import Any, Final

from cmds._bsd import command, err_of, flag, operands, option, program
from cmds._handover import handover, not_ours
from cmds._names import HostNotFound, Names
from libnet.addr import AF_INET, SockaddrIn, inet_aton, is_multicast
from libnet.errors import NetError
from libnet.libsocket.ctx import Ctx, SignalWatch
from libnet.libsocket.sock import (
    IP_HDRINCL,
    IP_MULTICAST_IF,
    IP_MULTICAST_LOOP,
    IP_MULTICAST_TTL,
    IPPROTO_ICMP,
    IPPROTO_IP,
    SO_BINDTODEVICE,
    SO_DEBUG,
    SO_DONTROUTE,
    SO_RCVBUF,
    SO_SNDBUF,
    SOCK_RAW,
    SOL_SOCKET,
    Socket,
)
from libnet.proto.ping import DEFAULT_SIZE, FLOOD_INTERVAL_S, MAXPACKET, STDERR, Ping, PingConf
from libnet.text.err import Err

# The blanks at the ends of lines are the original's.
USAGE: Final = (
    "usage: \n"
    "ping [-adDfLnoPqQrRv] [-c count] [-g gateway] [-h host] [-i interval] [-I addr]\n"
    "     [-l preload] [-p pattern] [-s size] [-t tos] [-T ttl] [-w maxwait] \n"
    "     [-B interface] [-E policy] host\n"
)

_BUFSPACE: Final = 65535
_BUFSTEP: Final = 4096
_INT_MAX: Final = 0x7FFFFFFF
_MAX_PATTERN: Final = 32  # hex digits
# What ends the run, and what asks how it goes: SIGINFO, and what stands for it where it is missing.
_END: Final = "SIGINT"
_INFO: Final = ("SIGINFO", "SIGQUIT", "SIGUSR1", "SIGCONT")
# Datagrams taken before the clock is looked at again, so that a storm cannot hold requests back.
_DRAIN: Final = 64


@command(usage=USAGE)
@flag("-a", "audible")
@option("-B", "interface")
@option("-c", "count")
@flag("-D", "df")
@flag("-d", "debug")
@option("-E", "policies", multiple=True)
@flag("-f", "flood")
@option("-g", "gateway")
@option("-h", "host")
@option("-I", "src")
@option("-i", "interval")
@flag("-L", "noloop")
@option("-l", "preload")
@flag("-n", "numeric")
@flag("-o", "once")
@flag("-P", "random_fill")
@option("-p", "pattern")
@flag("-Q", "semi_quiet")
@flag("-q", "quiet")
@flag("-R", "record_route")
@flag("-r", "dontroute")
@option("-s", "size")
@option("-T", "ttl")
@option("-t", "tos")
@flag("-v", "verbose")
@option("-w", "maxwait")
@operands
def run(ctx: Ctx, operands: tuple[str, ...], **given: Any) -> int:
    """Ping; return the exit status."""
    err = err_of(ctx)
    try:
        sock = ctx.socket(AF_INET, SOCK_RAW, IPPROTO_ICMP)
    except NetError as exc:
        err.err(exc, "Cannot create socket")
    with sock:
        asked = _Asked(ctx, err, given)
        conf = asked.numbers()
        asked.superuser(conf)
        if len(operands) + (given["host"] is not None) != 1:
            return _command.usage(ctx)
        asked.addresses(conf, operands[0] if given["host"] is None else given["host"])
        if given["policies"]:
            asked.policies()
        _configure(sock, err, conf, given)
        ping = Ping(
            conf,
            ident=ctx.host.dice.getrandbits(16),
            epoch_s=ctx.wall() - ctx.now(),
            dice=ctx.host.dice,
            name_of=asked.name_of,
        )
        signals = ctx.host.watch_signals(_END, *_INFO)
        try:
            return drive(ctx, ping, sock, signals)
        finally:
            signals.close()


_command = run


def _main(argv: Sequence[str], ctx: Ctx) -> int:
    if not_ours(ctx):
        handover(ctx, argv)
    return run.run(argv, ctx)


main = program("ping", _main)


class _Asked:
    """The words of the command line, turned into a PingConf with the original's complaints."""

    def __init__(self, ctx: Ctx, err: Err, given: dict[str, Any]) -> None:
        self._root, self._err, self._given = ctx.root, err, given
        self._names = Names(ctx)

    def numbers(self) -> PingConf:
        """Return the conf but for its addresses."""
        given = self._given
        conf = PingConf("", 0)
        for name in ("audible", "df", "flood", "once", "quiet", "semi_quiet", "verbose"):
            setattr(conf, name, given[name])
        conf.record_route, conf.random_fill = given["record_route"], given["random_fill"]
        conf.count = self._int("count", "Bad/invalid number of packets", least=1)
        conf.interval_s = FLOOD_INTERVAL_S if conf.flood else 1.0
        if given["interval"] is not None:
            conf.interval_s = self._seconds("interval", "Bad/invalid interval")
        conf.preload = self._int("preload", f"Bad/invalid preload value {given['preload']}") or 0
        if conf.random_fill and given["pattern"] is not None:
            self._err.errx("Only one of -P and -p allowed")
        size = self._int("size", f"Bad/invalid packet size {given['size']}")
        conf.size = DEFAULT_SIZE if size is None else size
        if conf.size > MAXPACKET:
            self._err.errx("packet size is too large")
        conf.tos = self._int("tos", f"bad tos value: {given['tos']}", most=255) or 0
        conf.ttl = self._int("ttl", "ttl out of range", least=1, most=255) or conf.ttl
        if given["maxwait"] is not None:
            conf.maxwait_s = self._seconds("maxwait", "Bad/invalid maxwait time")
        if given["pattern"] is not None:
            conf.pattern = self._pattern(given["pattern"])
        return conf

    def _int(
        self, name: str, complaint: str, *, least: int = 0, most: int = _INT_MAX
    ) -> int | None:
        text = self._given[name]
        if text is None:
            return None
        value = strtol(text)
        if value is None or not least <= value <= most:
            self._err.errx(complaint)
        return value

    def _seconds(self, name: str, complaint: str) -> float:
        text = self._given[name]
        value = strtod(text)
        if value is None or value <= 0:
            self._err.errx(f"{complaint} {text}")
        return value

    def _pattern(self, text: str) -> bytes:
        if not (1 <= len(text) <= _MAX_PATTERN and text.isascii() and _all_hex(text)):
            # The empty line after it is the original's.
            why = "patterns must be specified with 1-32 hex digits\n"
            self._err.errx(f'"-p {text}": {why}')
        return bytes(int(text[i : i + 2], 16) for i in range(0, len(text), 2))

    def superuser(self, conf: PingConf) -> None:
        """Refuse to others what loads a network."""
        if not self._root:
            if conf.flood:
                self._err.errx("Must be superuser to use -f")
            if conf.interval_s < 1.0:
                self._err.errx("Must be superuser to use < 1 sec ping interval")
            if conf.preload > 0:
                self._err.errx("Must be superuser to use -l")
        if conf.audible and conf.flood:
            self._err.warnx("Sorry, no audible output for flood pings")

    def addresses(self, conf: PingConf, host: str) -> None:
        """Fill in the addresses. An address is shown by its name if it has one."""
        if self._given["src"] is not None:
            conf.src = self._address(self._given["src"])
        if self._given["gateway"] is not None:
            conf.gateway = self._address(self._given["gateway"])
        conf.dst, conf.host = self._address(host), host
        try:
            inet_aton(host)
        except ValueError:
            return
        if not self._given["numeric"]:
            conf.host = self._names.gethostbyaddr(conf.dst) or host

    def _address(self, text: str) -> int:
        try:
            return self._names.gethostbyname(text)
        except HostNotFound:
            self._err.errx(f'Cannot resolve "{text}" (Unknown host)')

    def name_of(self, addr: int) -> str | None:
        """Return the name to show for an address, None for none."""
        return None if self._given["numeric"] else self._names.gethostbyaddr(addr)

    def policies(self) -> None:
        """Refuse -E: what is no policy, and then the rest, since the stack has no IPsec."""
        for policy in self._given["policies"]:
            if not policy.startswith(("in", "out")):
                self._err.errx("invalid security policy")
        self._err.errx("ipsec is not configured")


def _configure(sock: Socket, err: Err, conf: PingConf, given: dict[str, Any]) -> None:
    """Set the options of the socket."""
    if given["debug"]:
        try:
            sock.setsockopt(SOL_SOCKET, SO_DEBUG, 1)
        except NetError as exc:
            err.warn(exc, "Can't turn on socket debugging")
    if given["dontroute"]:
        try:
            sock.setsockopt(SOL_SOCKET, SO_DONTROUTE, 1)
        except NetError as exc:
            err.warn(exc, "SO_DONTROUTE")
    if given["interface"] is not None:
        _must(sock, err, SOL_SOCKET, SO_BINDTODEVICE, given["interface"], given["interface"])
    _must(sock, err, IPPROTO_IP, IP_HDRINCL, 1, "Can't set special IP header")
    if is_multicast(conf.dst):
        if given["noloop"]:
            _must(sock, err, IPPROTO_IP, IP_MULTICAST_LOOP, 0, "Can't disable multicast loopback")
        if given["ttl"] is not None:
            what = "Can't set multicast time-to-live"
            _must(sock, err, IPPROTO_IP, IP_MULTICAST_TTL, conf.ttl, what)
        if conf.src:
            what = "Can't set multicast source interface"
            _must(sock, err, IPPROTO_IP, IP_MULTICAST_IF, conf.src, what)
    elif conf.src:
        what = "Can't set source interface/address"
        _must(sock, err, IPPROTO_IP, IP_MULTICAST_IF, conf.src, what)
    _buffers(sock, err)


def _must(sock: Socket, err: Err, level: int, name: int, value: Any, what: str) -> None:
    try:
        sock.setsockopt(level, name, value)
    except NetError as exc:
        err.err(exc, what)


def _buffers(sock: Socket, err: Err) -> None:
    """Ask for as much buffer as the stack grants: a broadcast is answered by many at once."""
    space = _BUFSPACE
    while True:
        try:
            sock.setsockopt(SOL_SOCKET, SO_RCVBUF, space)
            break
        except NetError as exc:
            space -= _BUFSTEP
            if space <= 0:
                err.err(exc, "Cannot set the receive buffer size")
    # Only giant requests need it, and their sendto() will tell.
    with contextlib.suppress(NetError):
        sock.setsockopt(SOL_SOCKET, SO_SNDBUF, space)


def drive(ctx: Ctx, ping: Ping, sock: Socket, signals: SignalWatch) -> int:
    """Run *ping* over *sock* until it is done; return the exit status."""
    conf = ping.conf
    dest = SockaddrIn(conf.dst if conf.gateway is None else conf.gateway)
    ping.start(ctx.now())
    while True:
        ping.run(ctx.now())
        for packet in ping.take_packets():
            try:
                took = sock.sendto(packet, dest)
                if took != len(packet):
                    ping.sent_short(len(packet), took)
            except NetError as exc:
                ping.send_failed(exc.symbol)
        _write(ctx, ping)
        due = ping.next_due()
        if due is None:
            return ping.status
        ready = ctx.wait((sock, signals), max(0.0, due - ctx.now()))
        if sock in ready:
            _receive(ctx, ping, sock)
        if signals in ready:
            for name in signals.take():
                if name == _END:
                    ping.interrupt(ctx.now())
                else:
                    ping.info()


def _receive(ctx: Ctx, ping: Ping, sock: Socket) -> None:
    for _ in range(_DRAIN):
        try:
            data, src = sock.recvfrom()
        except NetError as exc:
            if exc.symbol in ("EAGAIN", "EINTR"):
                return
            if exc.symbol == "ESRCH":  # the stack has ended: there will be nothing more
                ping.receive_failed(exc.symbol)
                ping.interrupt(ctx.now())
                ping.interrupt(ctx.now())
                return
            ping.receive_failed(exc.symbol)
            return
        ping.datagram_input(data, src.addr if isinstance(src, SockaddrIn) else 0, ctx.now())


def _write(ctx: Ctx, ping: Ping) -> None:
    output = ping.take_output()
    for stream, text in output:
        (ctx.stderr if stream == STDERR else ctx.stdout).write(text)
    if output:
        ctx.stdout.flush()
        ctx.stderr.flush()


def strtol(text: str) -> int | None:
    """Return the number that strtol(3) reads with base 0, None if anything follows it.

    >>> strtol("0x10"), strtol(" -8"), strtol("010"), strtol(""), strtol("1k")
    (16, -8, 8, 0, None)
    """
    body = text.lstrip(" \t\n\v\f\r")
    sign = 1
    if body[:1] in ("+", "-"):
        sign = -1 if body[0] == "-" else 1
        body = body[1:]
    base = 10
    if body[:2] in ("0x", "0X"):
        base, body = 16, body[2:]
    elif body[:1] == "0":
        base = 8
    digits = "0123456789abcdef"[:base]
    if body == "":
        return 0 if text == "" else None
    if len(body) > 20 or any(c not in digits for c in body.lower()):
        return None
    return sign * int(body, base)


def strtod(text: str) -> float | None:
    """Return the number that strtod(3) reads, None if anything follows it or it is not finite.

    >>> strtod("0.25"), strtod("1e1"), strtod("1s"), strtod("nan")
    (0.25, 10.0, None, None)
    """
    if "_" in text or not text.isascii() or text != text.rstrip():
        return None
    try:
        value = float.fromhex(text) if "x" in text.lower() else float(text)
    except (ValueError, OverflowError):
        return None
    return value if math.isfinite(value) else None


def _all_hex(text: str) -> bool:
    return all(c in "0123456789abcdefABCDEF" for c in text)
