"""inetd(8): listen for many services, serve the small ones, start programs for the others."""

from __future__ import annotations

import os
from typing import Any, Final

from cmds._bsd import command, flag, operands, program
from cmds._daemon import background
from cmds._names import HostNotFound, Names
from libnet.addr import AF_INET, SockaddrIn, inet_ntoa
from libnet.conf.inetdconf import BUILTINS, DGRAM, STREAM, BadConfig, Service, parse
from libnet.errors import NetError, from_host
from libnet.libsocket.ctx import Ctx
from libnet.libsocket.sock import (
    SO_DEBUG,
    SO_RCVBUF,
    SO_REUSEADDR,
    SO_SNDBUF,
    SOCK_DGRAM,
    SOCK_STREAM,
    SOL_SOCKET,
    Socket,
)
from libnet.proto.smallserv import Datagrams, Stream

USAGE: Final = "usage: inetd [-dl] [conf]\n"
CONFIG: Final = "/etc/inetd.conf"
PIDFILE: Final = "/var/run/inetd.pid"
MAX_TEXT: Final = 1 << 20
CNT_INTVL_S: Final = 60  # in which a service may start so many servers
RETRYTIME_S: Final = 600  # until one that could not is tried again
BUFSIZE: Final = 4096
ROOM: Final = 1 << 16  # octets waiting for a client that does not read
BACKLOG: Final = 10
_DRAIN: Final = 64
_SLOGC_DAEMON: Final = 6
_ERR, _WARNING, _INFO = 2, 3, 5  # severities of the system log


@command(usage=USAGE)
@flag("-d", "debug")
@flag("-l", "log_connections")
@operands
def run(ctx: Ctx, debug: bool, log_connections: bool, operands: tuple[str, ...]) -> int:
    """Read the configuration and serve, in the background unless -d."""
    config = ctx.operand(operands[0]) if operands else ctx.file(CONFIG)
    name = operands[0] if operands else CONFIG
    daemon = Inetd(ctx, os.path.abspath(config), name, debug=debug, loud=log_connections)
    if debug:
        return daemon.serve()
    return background(ctx, daemon.serve)


main = program("inetd", run)


class Listener:
    """A service, and the socket on which it is waited for.

    sock   None behind tcpmux, and while it may not be used
    count  servers started since the time *since*
    retry  when to try again to listen, None for not at all
    """

    def __init__(self, service: Service) -> None:
        self.service = service
        self.sock: Socket | None = None
        self.datagrams = Datagrams(service.name)
        self.count = 0
        self.since = 0.0
        self.retry: float | None = None

    @property
    def key(self) -> tuple[str, str, str, bool]:
        """What makes it the same one in a configuration that is read again."""
        service = self.service
        return (service.name, service.host, service.proto, bool(service.mux))

    def close(self) -> None:
        """Stop listening."""
        if self.sock is not None:
            self.sock.close()
            self.sock = None


class Client:
    """A connection that is served here."""

    def __init__(self, sock: Socket, stream: Stream) -> None:
        self.sock, self.stream = sock, stream

    @property
    def hungry(self) -> bool:
        """Whether to read more of it."""
        return len(self.stream.output) < ROOM

    @property
    def talking(self) -> bool:
        """Whether there is something to send."""
        stream = self.stream
        return bool(stream.output) or (stream.name == "chargen" and not stream.done)


class Inetd:
    """The daemon.

    config  path of the configuration on the host     name  the same as messages have it
    debug   stay in the foreground and tell            loud  log connections (-l)
    """

    def __init__(self, ctx: Ctx, config: str, name: str, *, debug: bool, loud: bool) -> None:
        self._ctx, self._config, self._name = ctx, config, name
        self._debug, self._loud = debug, loud
        self._listeners: list[Listener] = []
        self._clients: list[Client] = []
        self._children: list[tuple[Any, Socket, Service]] = []

    def log(self, severity: int, text: str) -> None:
        """Write to the system log of the box."""
        slog = self._ctx.slog
        if slog is None:
            from libnet.loop.slog import SlogWriter

            slog = self._ctx.slog = SlogWriter(self._ctx.box.slog)
        slog.write(severity, _SLOGC_DAEMON, 0, f"{self._ctx.prog}: {text}")
        if self._debug:
            self._tell(text)

    def _tell(self, text: str) -> None:
        if self._debug:
            self._ctx.stderr.write(text + "\n")
            self._ctx.stderr.flush()

    # -- configuration

    def _read_config(self) -> bool:
        """Bring the listeners in step with the file; False when it is no configuration."""
        try:
            with open(self._config, encoding="utf-8", errors="surrogateescape") as file:
                services, problems = parse(file.read(MAX_TEXT), self._name)
        except OSError as exc:
            self.log(_ERR, f"{self._name}: {from_host(exc).strerror}")
            return True
        except BadConfig as exc:
            self.log(_ERR, str(exc))
            return False
        for problem in problems:
            self.log(_ERR, problem)
        old = {listener.key: listener for listener in self._listeners}
        kept: dict[tuple[str, str, str, bool], Listener] = {}
        for service in services:
            made = Listener(service)
            listener = kept.get(made.key) or old.get(made.key) or made
            listener.service = service
            self._tell(f"{'ADD ' if listener is made else 'REDO'}: {described(service)}")
            kept[listener.key] = listener
        for key, listener in old.items():
            if key not in kept:
                self._tell(f"FREE: {described(listener.service)}")
                listener.close()
        self._listeners = list(kept.values())
        for listener in self._listeners:
            if listener.sock is None and not listener.service.mux:
                self._setup(listener)
        return True

    def _setup(self, listener: Listener) -> None:
        """Listen; what cannot be is told."""
        listener.retry = None
        service = listener.service
        address = self._address(service)
        if address is None:
            return
        kind = {STREAM: SOCK_STREAM, DGRAM: SOCK_DGRAM}[service.socktype]
        try:
            sock = self._ctx.socket(AF_INET, kind)
        except NetError as exc:
            self.log(_ERR, f"{service.label}: socket: {exc.strerror}")
            return
        self._option(sock, SO_REUSEADDR, 1, "SO_REUSEADDR")
        if self._debug and kind == SOCK_STREAM:
            self._option(sock, SO_DEBUG, 1, "SO_DEBUG")
        if service.sndbuf:
            self._option(sock, SO_SNDBUF, service.sndbuf, f"SO_SNDBUF {service.sndbuf}")
        if service.rcvbuf:
            self._option(sock, SO_RCVBUF, service.rcvbuf, f"SO_RCVBUF {service.rcvbuf}")
        try:
            sock.bind(address)
            if kind == SOCK_STREAM:
                sock.listen(BACKLOG)
        except NetError as exc:
            self.log(_ERR, f"{service.label}: cannot bind: {exc.strerror}")
            sock.close()
            listener.retry = self._ctx.now() + RETRYTIME_S
            return
        listener.sock = sock

    def _option(self, sock: Socket, option: int, value: int, name: str) -> None:
        try:
            sock.setsockopt(SOL_SOCKET, option, value)
        except NetError as exc:
            self.log(_ERR, f"setsockopt ({name}): {exc.strerror}")

    def _address(self, service: Service) -> SockaddrIn | None:
        """Return where to listen; None, and a line in the log, if there is no such place."""
        if service.socktype not in (STREAM, DGRAM):
            self.log(_ERR, f"{service.label}: {service.socktype}: no such socket type here")
            return None
        if service.proto not in ("tcp", "tcp4", "udp", "udp4"):
            self.log(
                _WARNING,
                f"{service.label}: {service.host}: the address family is not supported by the"
                " kernel",
            )
            return None
        names = Names(self._ctx)
        if service.name.isascii() and service.name.isdigit() and len(service.name) < 6:
            port = int(service.name)
        else:
            try:
                port = names.getservbyname(service.name, service.proto.rstrip("4"))
            except HostNotFound:
                port = -1
        if not 0 <= port <= 0xFFFF:
            self.log(_WARNING, f"{service.label}: unknown service")
            return None
        if service.host == "*":
            return SockaddrIn(0, port)
        try:
            return SockaddrIn(names.gethostbyname(service.host), port)
        except HostNotFound:
            text = "hostname nor servname provided, or not known"
            self.log(_ERR, f"{service.label}: {service.host}: {text}")
            return None

    # -- serving

    def serve(self) -> int:
        """Serve until told to end; return the exit status."""
        signals = self._ctx.host.watch_signals("SIGTERM", "SIGINT", "SIGHUP", "SIGCHLD")
        self._pidfile(make=True)
        try:
            if not self._read_config():
                return 1
            while True:
                ready = self._wait(signals)
                if signals in ready:
                    names = signals.take()
                    if "SIGTERM" in names or "SIGINT" in names:
                        return 0
                    if "SIGHUP" in names and not self._read_config():
                        return 1
                self._reap()
                self._work(ready)
        finally:
            signals.close()
            self._pidfile(make=False)
            for listener in self._listeners:
                listener.close()
            for client in self._clients:
                client.sock.close()

    def _pidfile(self, *, make: bool) -> None:
        path = self._ctx.file(PIDFILE)
        try:
            if make:
                with open(path, "w", encoding="ascii") as file:
                    file.write(f"{os.getpid()}\n")
            else:
                os.unlink(path)
        except OSError as exc:
            self._tell(f"{PIDFILE}: {from_host(exc).strerror}")  # nobody's service depends on it

    def _wait(self, signals: Any) -> list[Any]:
        readers: list[Any] = [signals]
        readers += [listener.sock for listener in self._listeners if listener.sock is not None]
        readers += [client.sock for client in self._clients if client.hungry]
        writers = [client.sock for client in self._clients if client.talking]
        now = self._ctx.now()
        timeout: float | None = None
        for listener in self._listeners:
            if listener.retry is not None:
                left = max(listener.retry - now, 0.0)
                timeout = left if timeout is None else min(timeout, left)
        return self._ctx.wait(readers, timeout, writers)

    def _work(self, ready: list[Any]) -> None:
        now = self._ctx.now()
        for client in list(self._clients):
            if client.sock in ready:
                self._client(client)
        for listener in self._listeners:
            if listener.retry is not None and listener.retry <= now:
                self._setup(listener)
            elif listener.sock is not None and listener.sock in ready:
                self._wanted(listener)

    def _wanted(self, listener: Listener) -> None:
        """Serve who wants the service of *listener*."""
        service, sock = listener.service, listener.sock
        assert sock is not None
        self._tell(f"someone wants {service.name}")
        if service.socktype == DGRAM and service.internal:
            self._datagrams(listener, sock)
            return
        if service.socktype == DGRAM or service.wait:
            # A program could not make sense of the descriptor behind such a socket.
            what = "cannot be handed to a program; service not started"
            self.log(_ERR, f"{service.label}: a socket of this kind {what}")
            listener.close()
            return
        try:
            conn, peer = sock.accept()
        except NetError as exc:
            if exc.symbol not in ("EAGAIN", "EINTR", "ECONNABORTED"):
                self.log(_WARNING, f"accept (for {service.name}): {exc.strerror}")
                if exc.symbol == "ESRCH":
                    listener.close()
            return
        lasting = not service.internal or BUILTINS[service.name, service.socktype]
        if lasting and not self._may_start(listener):
            conn.close()
            return
        if not service.internal:
            self._start(service, conn, peer)
            return
        behind = [
            (one.service.name, one.service.mux == 2) for one in self._listeners if one.service.mux
        ]
        client = Client(conn, Stream(service.name, self._ctx.wall(), behind))
        self._clients.append(client)
        self._flush(client)

    def _may_start(self, listener: Listener) -> bool:
        """Count a server; too many in a minute close the service for a while."""
        now = self._ctx.now()
        service = listener.service
        listener.count += 1
        if listener.count == 1:
            listener.since = now
        elif listener.count >= service.limit:
            if now - listener.since > CNT_INTVL_S:
                listener.since, listener.count = now, 1
                return True
            self.log(
                _ERR,
                f"{service.label} max spawn rate ({service.limit} in {CNT_INTVL_S} seconds)"
                " exceeded; service not started",
            )
            listener.close()
            listener.count = 0
            listener.retry = now + RETRYTIME_S
            return False
        return True

    def _datagrams(self, listener: Listener, sock: Socket) -> None:
        for _ in range(_DRAIN):
            try:
                data, source = sock.recvfrom()
                if not isinstance(source, SockaddrIn):
                    continue
                answer = listener.datagrams.answer(data, source.port, self._ctx.wall())
                if answer is not None:
                    sock.sendto(answer, source)
            except NetError as exc:
                if exc.symbol == "ESRCH":
                    listener.close()
                    return
                if exc.symbol in ("EAGAIN", "EINTR"):
                    return
                continue  # an ICMP error, or no way back: like the original, not a word

    def _client(self, client: Client) -> None:
        """Read from a client, and write to it."""
        stream = client.stream
        try:
            if client.hungry:
                stream.input(client.sock.recv(BUFSIZE))
        except NetError as exc:
            if exc.symbol not in ("EAGAIN", "EINTR"):
                self._drop(client)
                return
        self._flush(client)

    def _flush(self, client: Client) -> None:
        stream = client.stream
        stream.fill(BUFSIZE)
        try:
            while stream.output:
                sent = client.sock.send(bytes(stream.output[:BUFSIZE]))
                del stream.output[:sent]
        except NetError as exc:
            if exc.symbol not in ("EAGAIN", "EINTR"):
                self._drop(client)
                return
        if stream.output:
            return
        if stream.started:
            self._clients.remove(client)
            self._start_behind(stream.started, client.sock)
        elif stream.done:
            self._drop(client)

    def _drop(self, client: Client) -> None:
        client.sock.close()
        self._clients.remove(client)

    # -- programs

    def _start_behind(self, name: str, sock: Socket) -> None:
        for listener in self._listeners:
            if listener.service.mux and listener.service.name == name:
                self._start(listener.service, sock, None)
                return
        sock.close()  # the configuration has been read again meanwhile

    def _start(self, service: Service, sock: Socket, peer: Any) -> None:
        """Give the connection *sock* to the server of *service*."""
        if self._loud:
            who = inet_ntoa(peer.addr) if isinstance(peer, SockaddrIn) else "tcpmux"
            self.log(_INFO, f"connection from {who}, service {service.name} ({service.proto})")
        if self._ctx.services is not None:
            why = "a box in memory has no processes"
            self.log(_ERR, f"cannot execute {service.server}: {why}")
            sock.close()
            return
        try:
            child = self._spawn(service, sock.fileno())
        except LookupError as exc:
            self.log(_ERR, f"{service.label}: {exc.args[0]}")
        except (OSError, ValueError) as exc:
            text = from_host(exc).strerror if isinstance(exc, OSError) else "Invalid argument"
            self.log(_ERR, f"cannot execute {service.server}: {text}")
        else:
            self._tell(f"{child.pid} execl {service.server}")
            self._children.append((child, sock, service))
            return
        sock.close()

    def _spawn(self, service: Service, fd: int) -> Any:
        """Start a server with *fd* as its three streams. Raises OSError, LookupError, ValueError."""
        import grp
        import pwd
        import subprocess

        from libnet.lab.boot import SYSTEM
        from libnet.lab.ksh import script_argv
        from libnet.lab.view import is_ours, programs_dir

        try:
            user = pwd.getpwnam(service.user)
        except KeyError:
            raise LookupError(f"{service.user}: No such user") from None
        gid = user.pw_gid
        if service.group:
            try:
                gid = grp.getgrnam(service.group).gr_gid
            except KeyError:
                raise LookupError(f"{service.group}: No such group") from None
        path: str = self._ctx.file(service.server)
        directory, _, base = service.server.rpartition("/")
        own = os.path.join(programs_dir(), base)
        if directory in SYSTEM and is_ours(own):
            path = own
        if not os.path.isfile(path):
            raise FileNotFoundError(2, "", path)
        argv = [*script_argv(path), *service.argv[1:]]
        as_root = os.geteuid() == 0
        os.set_blocking(fd, True)  # it is the server's now, and a program expects that
        return subprocess.Popen(
            argv,
            stdin=fd,
            stdout=fd,
            stderr=fd,
            user=user.pw_uid if as_root and user.pw_uid else None,
            group=gid if as_root and (user.pw_uid or service.group) else None,
            extra_groups=[] if as_root and user.pw_uid else None,
        )

    def _reap(self) -> None:
        """Close the connections of servers that have ended."""
        for row in list(self._children):
            child, sock, service = row
            status = child.poll()
            if status is None:
                continue
            self._tell(f"{child.pid} reaped, status {status:#x}")
            self._children.remove(row)
            sock.close()
            if status > 0 and self._debug:
                self._tell(f"{service.server}: exit status {status:#x}")


def described(service: Service) -> str:
    """Return a service as -d tells it."""
    return (
        f"{service.name} proto={service.proto}, wait.max={int(service.wait)}.{service.limit},"
        f" user:group={service.user}:{service.group or '(null)'}"
        f" builtin={int(service.internal)} server={service.server}"
    )
