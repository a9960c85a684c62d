"""traceroute(8): print the routers on the way to a host."""

from __future__ import annotations

import contextlib
from typing import Any, Final, NoReturn

from cmds._bsd import command, err_of, flag, operands, option, program
from cmds._handover import handover, not_ours
from cmds._names import HostNotFound, Names
from libnet.addr import AF_INET, SockaddrIn, inet_aton, inet_ntoa
from libnet.errors import NetError
from libnet.ioctl.ifflags import IFF_LOOPBACK, IFF_UP
from libnet.ioctl.sockio import SIOCGIFCONF, SIOCGIFFLAGS, IfConf, IfReq
from libnet.ioctl.sysctl import CTL_NET
from libnet.libsocket.ctx import Ctx
from libnet.libsocket.sock import (
    IP_HDRINCL,
    IPPROTO_ICMP,
    IPPROTO_IP,
    IPPROTO_RAW,
    SO_DEBUG,
    SO_DONTROUTE,
    SO_SNDBUF,
    SOCK_DGRAM,
    SOCK_RAW,
    SOL_SOCKET,
    Socket,
)
from libnet.proto.traceroute import (
    MAXPACKET,
    NGATEWAYS,
    STDERR,
    TraceConf,
    Traceroute,
    least_packet,
)
from libnet.text.err import Err

USAGE: Final = (
    "Version 1.4a5\n"
    "usage: traceroute [-adDFPIlMnrvx] [-g gateway] [-i iface] [-f first_ttl]\n"
    "\t[-m max_ttl] [-p port] [-q nqueries] [-s src_addr] [-t tos]\n"
    "\t[-w waittime] [-A as_server] host [packetlen]\n"
)
MIN_WAIT_S: Final = 2
MAX_WAIT_S: Final = 24 * 3600
IPCTL_DEFTTL: Final = 3
_DRAIN: Final = 64
_INT_MAX: Final = 0x7FFFFFFF


@command(usage=USAGE)
@option("-A", "as_server")
@flag("-a", "as_path")
@flag("-D", "dump")
@flag("-d", "debug")
@flag("-F", "df")
@option("-f", "first_ttl")
@option("-g", "gateways", multiple=True)
@flag("-I", "icmp")
@option("-i", "device")
@flag("-l", "show_ttl")
@flag("-M", "mpls")
@option("-m", "max_ttl")
@flag("-n", "numeric")
@flag("-P", "mtudisc")
@option("-p", "port")
@option("-q", "nprobes")
@flag("-r", "dontroute")
@option("-s", "source")
@option("-t", "tos")
@option("-v", "verbose", count=True)
@option("-w", "wait")
@flag("-x", "no_cksum")
@operands
def run(ctx: Ctx, operands: tuple[str, ...], **given: Any) -> int:
    """Trace the route; return the exit status."""
    err = err_of(ctx)
    sock = _open(ctx, IPPROTO_ICMP, "icmp socket", err)
    with sock, _open(ctx, IPPROTO_RAW, "raw socket", err) as sndsock:
        asked = _Asked(ctx, err, given)
        conf = asked.numbers()
        if not 1 <= len(operands) <= 2:
            return _command.usage(ctx)
        if len(operands) == 2:
            conf.packlen = asked.number(operands[1], "packet length", least_packet(conf), MAXPACKET)
        asked.addresses(conf, operands[0])
        _configure(sock, sndsock, err, conf, given)
        if given["as_path"] or given["as_server"] is not None:
            # There is no way from a box to a registry of AS numbers.
            err.warnx("as_setup failed, AS# lookups disabled")
        trace = Traceroute(
            conf,
            ident=ctx.host.dice.getrandbits(16),
            epoch_s=ctx.wall() - ctx.now(),
            name_of=asked.name_of,
        )
        return drive(ctx, trace, sock, sndsock)


_command = run


def _main(argv: Any, ctx: Ctx) -> int:
    if not_ours(ctx):
        handover(ctx, argv)
    return run.run(argv, ctx)


main = program("traceroute", _main)


def _open(ctx: Ctx, protocol: int, what: str, err: Err) -> Socket:
    try:
        return ctx.socket(AF_INET, SOCK_RAW, protocol)
    except NetError as exc:
        err.err(exc, what)


class _Asked:
    """The words of the command line, turned into a TraceConf with the original's complaints."""

    def __init__(self, ctx: Ctx, err: Err, given: dict[str, Any]) -> None:
        self._ctx, self._err, self._given = ctx, err, given
        self._names = Names(ctx)

    def numbers(self) -> TraceConf:
        """Return the conf but for its destination."""
        given = self._given
        conf = TraceConf("", 0, 0)
        conf.max_ttl = self._default_ttl()
        for name in ("icmp", "df", "mtudisc", "show_ttl", "mpls", "dump", "numeric", "verbose"):
            setattr(conf, name, given[name])
        conf.cksum = not given["no_cksum"]
        rows = (
            ("first_ttl", "first ttl", 1, 255),
            ("max_ttl", "max ttl", 1, 255),
            ("port", "port", 1, None),
            ("nprobes", "nprobes", 1, None),
            ("tos", "tos", 0, 255),
        )
        for name, what, least, most in rows:
            if given[name] is not None:
                setattr(conf, name, self.number(given[name], what, least, most))
        if given["wait"] is not None:
            conf.wait_s = self.number(given["wait"], "wait time", MIN_WAIT_S, MAX_WAIT_S)
        if len(given["gateways"]) > NGATEWAYS:
            self._err.errx(f"No more than {NGATEWAYS} gateways")
        conf.gateways = tuple(self._address(text) for text in given["gateways"])
        if conf.first_ttl > conf.max_ttl:
            self._err.errx(
                f"first ttl ({conf.first_ttl}) may not be greater than max ttl ({conf.max_ttl})"
            )
        if not conf.cksum:
            # The misspelling is the original's.
            self._err.warnx("Warning: ckecksums disabled")
        return conf

    def _default_ttl(self) -> int:
        mib = [CTL_NET, AF_INET, 0, IPCTL_DEFTTL]
        try:
            with self._ctx.control() as stack:
                value = stack.call("sysctl", mib, None)
        except NetError:
            return 30
        return value if type(value) is int and 1 <= value <= 255 else 30

    def number(self, text: str, what: str, least: int, most: int | None) -> int:
        """Return a number, decimal or with 0x, within its bounds."""
        digits, base = (text[2:], 16) if text[:2] in ("0x", "0X") else (text, 10)
        body = digits.strip(" \t")[1:] if digits.strip(" \t")[:1] in ("-", "+") else digits.strip()
        allowed = "0123456789abcdefABCDEF" if base == 16 else "0123456789"
        if (
            not body
            or len(body) > 18
            or any(c not in allowed for c in body)
            or digits[-1:].isspace()
        ):
            self._err.errx(f'"{text}" bad value for {what} ')
        value = int(digits, base)
        if value < least:
            self._err.errx(f"{what} must be " + (f"> {least - 1}" if least else ">= 0"))
        if most is not None and value > most:
            self._err.errx(f"{what} must be <= {most}")
        if value > _INT_MAX:
            self._err.errx(f'"{text}" bad value for {what} ')
        return value

    def _address(self, text: str) -> int:
        try:
            return self._names.gethostbyname(text)
        except HostNotFound:
            self._unknown(text)

    def _unknown(self, text: str) -> NoReturn:
        self._err.errx(f"unknown host {text}")

    def addresses(self, conf: TraceConf, host: str) -> None:
        """Fill in destination and source."""
        conf.dst, conf.host = self._address(host), host
        with contextlib.suppress(ValueError):
            inet_aton(host)
            conf.host = inet_ntoa(conf.dst) if host != inet_ntoa(conf.dst) else host
        found = self._interfaces()
        if not found:
            self._err.errx("Can't find any network interfaces")
        device, source = self._given["device"], self._given["source"]
        own = [addr for name, addr in found if device in (None, name)]
        if not own:
            self._err.errx(f"Can't find interface {device}")
        if source is not None:
            conf.src, conf.source = self._address(source), source
            if device is not None and conf.src not in own:
                self._err.errx(f"{source} is not on interface {device}")
        elif device is not None:
            conf.src = own[0]
        else:
            conf.src = self._local(conf.dst) or own[0]
            if conf.src == own[0] and len(found) > 1 and not self._local(conf.dst):
                text = f"Multiple interfaces found; using {inet_ntoa(conf.src)} @ {found[0][0]}"
                self._err.warnx(f"Warning: {text}")
        if not self._ctx.root and conf.src not in [addr for _name, addr in found]:
            text = "is not a valid local address and you are not superuser."
            self._err.errx(f"{inet_ntoa(conf.src)} {text}")

    def _interfaces(self) -> list[tuple[str, int]]:
        """Return the addresses of the interfaces that are up, loopback left out."""
        found: list[tuple[str, int]] = []
        try:
            with self._ctx.socket(AF_INET, SOCK_DGRAM) as sock:
                conf: IfConf = sock.ioctl(SIOCGIFCONF, IfConf())
                for req in conf.req:
                    if not isinstance(req.addr, SockaddrIn):
                        continue
                    flags = sock.ioctl(SIOCGIFFLAGS, IfReq(req.name)).value
                    if flags & IFF_UP and not flags & IFF_LOOPBACK:
                        found.append((req.name, req.addr.addr))
        except NetError as exc:
            self._err.err(exc, "ifaddrlist")
        return found

    def _local(self, dst: int) -> int:
        """Return the address that the stack would send from to *dst*, 0 if it would not."""
        try:
            with self._ctx.socket(AF_INET, SOCK_DGRAM) as sock:
                sock.connect(SockaddrIn(dst, 42))
                addr = sock.getsockname()
        except NetError:
            return 0
        return addr.addr if isinstance(addr, SockaddrIn) else 0

    def name_of(self, addr: int) -> str | None:
        """Return the name of an address, without the domain if it is our own."""
        name = self._names.gethostbyaddr(addr)
        if name is None:
            return None
        from cmds.hostname import get_name

        domain = get_name(self._ctx).partition(".")[2]
        return name.removesuffix(f".{domain}") if domain else name


def _configure(
    sock: Socket, sndsock: Socket, err: Err, conf: TraceConf, given: dict[str, Any]
) -> None:
    """Set the options of both sockets."""
    try:
        size = max(conf.packlen or least_packet(conf), MAXPACKET if conf.mtudisc else 0)
        sndsock.setsockopt(SOL_SOCKET, SO_SNDBUF, size)
    except NetError as exc:
        err.err(exc, "SO_SNDBUF")
    try:
        sndsock.setsockopt(IPPROTO_IP, IP_HDRINCL, 1)
    except NetError as exc:
        err.err(exc, "IP_HDRINCL")
    # As with the original it is no matter whether these two succeed.
    with contextlib.suppress(NetError):
        if given["debug"]:
            sock.setsockopt(SOL_SOCKET, SO_DEBUG, 1)
            sndsock.setsockopt(SOL_SOCKET, SO_DEBUG, 1)
    with contextlib.suppress(NetError):
        if given["dontroute"]:
            sndsock.setsockopt(SOL_SOCKET, SO_DONTROUTE, 1)


def drive(ctx: Ctx, trace: Traceroute, sock: Socket, sndsock: Socket) -> int:
    """Run *trace* over the two sockets until it is done; return the exit status."""
    dest = SockaddrIn(trace.conf.gateways[0] if trace.conf.gateways else trace.conf.dst)
    trace.start(ctx.now())
    while True:
        trace.run(ctx.now())
        while (packet := trace.take_packet()) is not None:
            try:
                trace.sent(ctx.now(), took=sndsock.sendto(packet, dest))
            except NetError as exc:
                trace.sent(ctx.now(), error=exc.symbol)
        _write(ctx, trace)
        due = trace.next_due()
        if due is None:
            return 0
        if ctx.wait((sock,), max(0.0, due - ctx.now())):
            _receive(ctx, trace, sock)


def _receive(ctx: Ctx, trace: Traceroute, sock: Socket) -> None:
    for _ in range(_DRAIN):
        try:
            data, _src = sock.recvfrom()
        except NetError as exc:
            if exc.symbol in ("EAGAIN", "EINTR"):
                return
            _write(ctx, trace)
            err_of(ctx).err(exc, "recvfrom")
        trace.datagram_input(data, ctx.now())


def _write(ctx: Ctx, trace: Traceroute) -> None:
    output = trace.take_output()
    for stream, text in output:
        (ctx.stderr if stream == STDERR else ctx.stdout).write(text)
    if output:
        ctx.stdout.flush()
        ctx.stderr.flush()
