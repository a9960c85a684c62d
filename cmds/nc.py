"""nc: connections and datagrams from a command line."""

from __future__ import annotations

import contextlib
import os
from typing import Any, Final

from cmds._bsd import command, err_of, flag, operands, option, program
from cmds._names import HostNotFound, Names
from libnet.addr import AF_INET, SockaddrIn, inet_aton, inet_ntoa
from libnet.errors import NetError, strerror
from libnet.libsocket.ctx import Ctx
from libnet.libsocket.sock import (
    MSG_PEEK,
    SO_ERROR,
    SO_REUSEADDR,
    SOCK_DGRAM,
    SOCK_STREAM,
    SOL_SOCKET,
    Socket,
)

USAGE: Final = """\
usage: nc [-dklnuvz] [-p source_port] [-s source_addr] [-w timeout] [hostname] port[-port]
"""

CHUNK: Final = 65536  # octets read at once
DATAGRAM: Final = 1024  # octets of standard input that make one datagram
BACKLOG: Final = 5
SHUT_WR: Final = 1
PROBES: Final = 2  # datagrams that -z -u sends to a port
PROBE_S: Final = 1.0  # how long it waits for a refusal


class Options:
    """What the command line asked for."""

    udp = verbose = zero = keep = numeric = silent = False
    timeout: float | None = None

    def __init__(self) -> None:
        self.source = SockaddrIn(0, 0)


class Failure(Exception):
    """The program ends with this message and exit status 1."""


@command(usage=USAGE)
@flag("-d", "silent")
@flag("-k", "keep")
@flag("-l", "listen")
@flag("-n", "numeric")
@option("-p", "source_port")
@option("-s", "source_addr")
@flag("-u", "udp")
@flag("-v", "verbose")
@option("-w", "timeout")
@flag("-z", "zero")
@operands
def run(
    ctx: Ctx,
    silent: bool,
    keep: bool,
    listen: bool,
    numeric: bool,
    source_port: str | None,
    source_addr: str | None,
    udp: bool,
    verbose: bool,
    timeout: str | None,
    zero: bool,
    operands: tuple[str, ...],
) -> int:
    """Connect, or listen, and copy both ways."""
    err = err_of(ctx)
    opt = Options()
    opt.silent, opt.keep, opt.numeric = silent, keep, numeric
    opt.udp, opt.verbose, opt.zero = udp, verbose, zero
    words = list(operands)
    if listen and source_port is not None and len(words) < 2:
        words.append(source_port)  # nc -l -p PORT, as other netcats want it
        source_port = None
    if (listen and (source_port is not None or zero)) or (keep and not listen):
        return run.usage(ctx)
    if not (len(words) == 2 or (listen and len(words) == 1)):
        return run.usage(ctx)
    names = Names(ctx)
    try:
        opt.timeout = None if timeout is None else seconds(timeout)
        if source_addr is not None:
            opt.source.addr = resolve(names, source_addr, numeric=numeric)
        if source_port is not None:
            opt.source.port = ports(names, source_port, udp=udp)[0]
        wanted = ports(names, words[-1], udp=udp)
        if listen:
            if len(wanted) > 1:
                return run.usage(ctx)
            if len(words) == 2:
                opt.source.addr = resolve(names, words[0], numeric=numeric)
            return Nc(ctx, opt, names).serve(SockaddrIn(opt.source.addr, wanted[0]))
        addr = resolve(names, words[0], numeric=numeric)
        return Nc(ctx, opt, names).call(words[0], addr, wanted)
    except Failure as exc:
        err.errx(str(exc))


main = program("nc", run)


def seconds(word: str) -> float:
    """Return the argument of -w."""
    if not (word.isascii() and word.isdigit() and len(word) < 10):
        raise Failure(f"timeout invalid: {word}")
    return float(word)


def ports(names: Names, word: str, *, udp: bool) -> list[int]:
    """Return the ports that a number, a service's name, or a range stands for."""
    try:
        return [names.getservbyname(word, "udp" if udp else "tcp")]
    except HostNotFound:
        low, dash, high = word.partition("-")
    found = [port(part, word) for part in ((low, high) if dash else (low,))]
    return list(range(min(found), max(found) + 1))


def port(text: str, word: str) -> int:
    """Return one port number."""
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise Failure(f"port number invalid: {word}")
    number = int(text)
    if not 1 <= number <= 65535:
        raise Failure(f"port number {'too large' if number else 'too small'}: {word}")
    return number


def resolve(names: Names, text: str, *, numeric: bool) -> int:
    """Return the address of a name; with -n it must be a number."""
    try:
        return inet_aton(text) if numeric else names.gethostbyname(text)
    except (ValueError, HostNotFound):
        raise Failure(f"{text}: no address associated with name") from None


class Input:
    """Standard input: a descriptor to wait for, or text that is all there already."""

    def __init__(self, stream: Any, *, simulated: bool) -> None:
        self.open = True
        self._stream = stream
        self._fd = -1
        if not simulated:  # in the simulator nobody can wait for a descriptor of the host
            with contextlib.suppress(OSError, AttributeError, ValueError):
                self._fd = stream.fileno()

    @property
    def waits(self) -> bool:
        """Whether reading may have to wait."""
        return self._fd >= 0

    @property
    def terminal(self) -> bool:
        """Whether somebody types."""
        return self._fd >= 0 and os.isatty(self._fd)

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._fd

    def read(self, size: int) -> bytes:
        """Return what is there; nothing at its end."""
        if self._fd >= 0:
            try:
                data = os.read(self._fd, size)
            except BlockingIOError:
                return b""
        else:
            buffer = getattr(self._stream, "buffer", None)
            if buffer is not None:
                data = buffer.read(size)
            else:
                data = self._stream.read(size).encode("utf-8", "surrogateescape")
        if not data:
            self.open = False
        return data


class Nc:
    """One run."""

    def __init__(self, ctx: Ctx, opt: Options, names: Names) -> None:
        self.ctx, self.opt, self.names = ctx, opt, names
        self.proto = "udp" if opt.udp else "tcp"
        self.input = Input(ctx.stdin, simulated=ctx.services is not None)
        if opt.silent:
            self.input.open = False

    def _socket(self) -> Socket:
        try:
            return self.ctx.socket(AF_INET, SOCK_DGRAM if self.opt.udp else SOCK_STREAM)
        except NetError as exc:
            raise Failure(f"socket: {exc.strerror}") from None

    def _say(self, text: str) -> None:
        if self.opt.verbose:
            self.ctx.stderr.write(text + "\n")
            self.ctx.stderr.flush()

    # -- nc host port

    def call(self, host: str, addr: int, wanted: list[int]) -> int:
        """Connect to each port; copy over the first that answers, unless -z only looks."""
        status = 1
        for number in wanted:
            sock = self._socket()
            with sock:
                symbol = self._connect(sock, SockaddrIn(addr, number))
                if not symbol and self.opt.zero and self.opt.udp:
                    symbol = self._probe(sock)
                if symbol:
                    where = f"connect to {host} port {number} ({self.proto})"
                    self._say(f"{self.ctx.prog}: {where} failed: {strerror(symbol)}")
                    continue
                status = 0
                service = self.names.getservbyport(number, self.proto) or "*"
                if self.opt.numeric:
                    service = "*"
                self._say(f"Connection to {host} {number} port [{self.proto}/{service}] succeeded!")
                if not self.opt.zero:
                    return self._copy(sock)
        return status

    def _connect(self, sock: Socket, addr: SockaddrIn) -> str:
        """Connect; return the error's symbol."""
        opt = self.opt
        try:
            if opt.source != SockaddrIn(0, 0):
                sock.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
                sock.bind(opt.source)
        except NetError as exc:
            raise Failure(f"bind failed: {exc.strerror}") from None
        try:
            sock.connect(addr)
        except NetError as exc:
            if exc.symbol != "EINPROGRESS":
                return exc.symbol
            if not self.ctx.wait([], opt.timeout, [sock]):
                return "ETIMEDOUT"
            return str(sock.getsockopt(SOL_SOCKET, SO_ERROR) or "")
        return ""

    def _probe(self, sock: Socket) -> str:
        """Send datagrams to a port; return ECONNREFUSED if somebody says that nobody is there."""
        for _ in range(PROBES):
            try:
                sock.send(b"X")
                if self.ctx.wait([sock], PROBE_S):
                    sock.recvfrom()
            except NetError as exc:
                return exc.symbol
        return ""

    # -- nc -l port

    def serve(self, addr: SockaddrIn) -> int:
        """Wait for a peer and copy; with -k for one after the other."""
        sock = self._socket()
        with sock:
            try:
                sock.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
                sock.bind(addr)
                if not self.opt.udp:
                    sock.listen(BACKLOG)
            except NetError as exc:
                raise Failure(f"bind failed: {exc.strerror}") from None
            if self.opt.udp:
                return self._serve_datagrams(sock)
            while True:
                with self._accept(sock) as peer:
                    status = self._copy(peer)
                if not self.opt.keep:
                    return status

    def _accept(self, sock: Socket) -> Socket:
        while True:
            self.ctx.wait([sock], None)
            try:
                peer, addr = sock.accept()
            except NetError as exc:
                if exc.symbol in ("EAGAIN", "ECONNABORTED"):
                    continue
                raise Failure(f"accept: {exc.strerror}") from None
            self._received(addr)
            return peer

    def _received(self, addr: Any) -> None:
        if isinstance(addr, SockaddrIn):
            self._say(f"Connection from {inet_ntoa(addr.addr)} {addr.port} received!")

    def _serve_datagrams(self, sock: Socket) -> int:
        """Answer who writes first; with -k listen to all and say nothing."""
        if self.opt.keep:
            self.input.open = False
            return self._copy(sock)
        while True:
            self.ctx.wait([sock], None)
            try:
                _data, addr = sock.recvfrom(MSG_PEEK)
                if addr is not None:
                    sock.connect(addr)
            except NetError as exc:
                if exc.symbol == "EAGAIN":
                    continue
                raise Failure(f"connect: {exc.strerror}") from None
            self._received(addr)
            return self._copy(sock)

    # -- copying

    def _copy(self, sock: Socket) -> int:
        """Copy both ways until both have ended, or nothing happens for -w seconds."""
        ctx, given = self.ctx, self.input
        left = memoryview(b"")
        hearing, saying = True, True
        size = DATAGRAM if self.opt.udp else CHUNK
        while True:
            if not left and given.open and not given.waits:
                left = memoryview(given.read(size))
            if not left and not given.open and saying:
                saying = False
                if not self.opt.silent:
                    self._end(sock)
            if not hearing and (given.terminal or not saying):
                return 0  # who types cannot know that a peer has only half ended
            reads: list[Any] = [sock] if hearing else []
            if not left and given.open:
                reads.append(given)
            ready = ctx.wait(reads, self.opt.timeout, [sock] if left else [])
            if not ready:
                return 0
            if given in ready:
                left = memoryview(given.read(size))
            try:
                if left:
                    left = self._send(sock, left)
                if hearing and sock in ready:
                    hearing = self._receive(sock)
            except NetError as exc:
                self._say(f"{ctx.prog}: {exc.strerror}")
                return 1

    def _send(self, sock: Socket, left: memoryview) -> memoryview:
        try:
            return left[sock.send(bytes(left)) :]
        except NetError as exc:
            if exc.symbol != "EAGAIN":
                raise
            return left

    def _receive(self, sock: Socket) -> bool:
        """Copy what has come; False at the peer's end."""
        try:
            data = sock.recvfrom()[0] if self.opt.udp else sock.recv(CHUNK)
        except NetError as exc:
            if exc.symbol != "EAGAIN":
                raise
            return True
        if data:
            out = self.ctx.stdout
            buffer = getattr(out, "buffer", None)
            if buffer is not None:
                buffer.write(data)
            else:
                out.write(data.decode("utf-8", "replace"))
            out.flush()
        return bool(data) or self.opt.udp

    def _end(self, sock: Socket) -> None:
        """Tell the peer that nothing more comes."""
        if self.opt.udp:
            return
        try:
            sock.shutdown(SHUT_WR)
        except NetError as exc:
            if exc.symbol != "ENOTCONN":
                raise Failure(f"shutdown: {exc.strerror}") from None
