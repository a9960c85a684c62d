"""dhcpd(8): give addresses to DHCP and BOOTP clients."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Final, NoReturn

from cmds._bsd import program
from cmds._daemon import detach, fork
from cmds._dhcpnet import LeaseFile, links, udp_frame, udp_payload
from cmds._names import HostNotFound, Names
from libnet.addr import AF_INET, SockaddrIn
from libnet.conf.dhcpdconf import Config, parse
from libnet.conf.dhcpdconf.tree import Expr
from libnet.conf.leases import Database, header, read_leases
from libnet.errors import NetError
from libnet.ioctl.ifflags import IFF_UP
from libnet.libsocket.ctx import Ctx, SignalWatch
from libnet.libsocket.pcap import Live, Packet, PcapError, open_live
from libnet.libsocket.sock import (
    IPPROTO_ICMP,
    SO_BROADCAST,
    SO_RCVBUF,
    SO_REUSEADDR,
    SOCK_DGRAM,
    SOCK_RAW,
    SOL_SOCKET,
    Socket,
)
from libnet.proto.dhcpd.lines import EMERG, ERROR, INFO
from libnet.proto.dhcpd.network import Circuit, Port, attach
from libnet.proto.dhcpd.refusals import params, refusals
from libnet.proto.dhcpd.reply import INADDR_BROADCAST, Ping, Reply
from libnet.proto.dhcpd.server import Server
from libnet.wire import Malformed, Truncated
from libnet.wire.icmp import ICMP_ECHOREPLY, Icmp, icmp_echo
from libnet.wire.ipv4 import Ipv4
from libnet.wire.rtsock import BadRtMessage

VERSION: Final = "V3.0.7"
BANNER: Final = (
    f"Internet Systems Consortium DHCP Server {VERSION}",
    "Copyright 2004-2008 Internet Systems Consortium.",
    "All rights reserved.",
    "For info, please visit http://www.isc.org/sw/dhcp/",
)
USAGE: Final = (
    "Usage: dhcpd [-p <UDP port #>] [-f] [-d] [-q] [-t|-T]",
    "             [-4|-6] [-cf config-file] [-lf lease-file]",
    "             [-user user] [-group group] [-chroot dir]",
    "             [-tf trace-output-file]",
    "             [-play trace-input-file]",
    "             [-pf pid-file] [--no-pid] [-s server]",
    "             [if0 [...ifN]]",
    "       dhcpd {--version|--help|-h}",
)
CONF: Final = "/etc/dhcpd.conf"
LEASES: Final = "/var/state/dhcp/dhcpd.leases"
PIDFILE: Final = "/var/run/dhcpd.pid"
MAX_TEXT: Final = 1 << 26  # octets of a configuration
DRAIN: Final = 32  # reads of one descriptor between two writes of the file
BATCH: Final = 256  # messages between two writes of the file
RCVBUF: Final = 65536
BUFSIZE: Final = 1 << 18  # of captured requests: they go on coming while the disk is waited for
SLOGC_TCPIP: Final = 14
_TAKES: Final = {
    "-p": "port",
    "-cf": "conf",
    "-lf": "leases",
    "-pf": "pidfile",
    "-s": "server",
}
_REFUSED: Final = {
    "-6": "DHCPv6 is not supported.",
    "-tf": "traces are not supported.",
    "-play": "traces are not supported.",
    "-user": "a box has no users to change to.",
    "-group": "a box has no groups to change to.",
    "-chroot": "a box is its own root.",
}
_FLAGS: Final = ("-d", "-f", "-q", "-t", "-T", "-4", "--no-pid")


class Options:
    """What the command line and the environment say."""

    __slots__ = (
        *("conf", "debug", "foreground", "interfaces", "leases", "pid", "pidfile", "port"),
        *("quiet", "server", "test", "test_leases"),
    )

    def __init__(self, environ: Any) -> None:
        self.conf = environ.get("PATH_DHCPD_CONF") or ""
        self.leases = environ.get("PATH_DHCPD_DB") or ""
        self.pidfile = environ.get("PATH_DHCPD_PID") or ""
        self.port = environ.get("DHCPD_PORT") or ""
        self.server = ""
        self.debug = self.foreground = self.quiet = self.test = self.test_leases = False
        self.pid = True
        self.interfaces: list[str] = []


class Log:
    """Where lines go: the system log, and standard error while somebody is there to read it."""

    def __init__(self, ctx: Ctx) -> None:
        self._ctx = ctx
        self.loud = True  # print what is ordinary too
        self.attached = True  # there is a standard error

    def __call__(self, severity: int, text: str) -> None:
        """Log a line."""
        ctx = self._ctx
        slog = ctx.slog
        if slog is None:
            from libnet.loop.slog import SlogWriter

            slog = ctx.slog = SlogWriter(ctx.box.slog)
        if text:
            slog.write(severity, SLOGC_TCPIP, 0, f"{ctx.prog}: {text}")
        if self.attached and (self.loud or severity <= ERROR):
            ctx.stderr.write(text + "\n")
            ctx.stderr.flush()

    def fatal(self, text: str) -> NoReturn:
        """Say why the server cannot go on, and end it."""
        self(EMERG, text)
        self(EMERG, "")
        self(EMERG, "exiting.")
        raise SystemExit(1)


def _run(argv: Sequence[str], ctx: Ctx) -> int:
    """Read the command line, the configuration and the leases, and serve."""
    log = Log(ctx)
    options = _options(argv, ctx, log)
    if options is None:
        return 0
    port = _port(options.port, log)
    if port:
        log(INFO, f"binding to user-specified port {port}")
    if options.quiet:
        log.loud = False
    else:
        for text in BANNER:
            log(INFO, text)
    config = _configuration(ctx, options, log)
    if options.test:
        return 0
    paths = _paths(ctx, options, config)
    for line in refusals(config):
        log.fatal(line)
    leases = LeaseFile(paths[0], sync=not _top_flag(config, "dont-use-fsync"))
    database = _database(options.leases or LEASES, leases, log)
    if options.test_leases:
        return _test_leases(ctx, config, leases, database, log)
    if not ctx.root:
        log.fatal("Can't create socket: Operation not permitted")
    daemon = Daemon(ctx, config, options, log, leases, paths[1])
    daemon.port = port
    return daemon.start(database)


main = program("dhcpd", _run)


# The command line


def _options(argv: Sequence[str], ctx: Ctx, log: Log) -> Options | None:
    """Return what *argv* says, None when it has been answered already. Exits on nonsense."""
    options = Options(ctx.environ)
    words = list(argv)
    while words:
        word = words.pop(0)
        if word in _TAKES or word in ("-tf", "-play", "-user", "-group", "-chroot"):
            if not words:
                _usage(log, f"No argument for command: {word} ")
            if word in _REFUSED:
                log.fatal(f"{word}: {_REFUSED[word]}")
            setattr(options, _TAKES[word], words.pop(0))
        elif word in _REFUSED:
            log.fatal(f"{word}: {_REFUSED[word]}")
        elif word in _FLAGS:
            _flag(options, word)
        elif word == "--version":
            ctx.stderr.write(f"isc-dhcpd-{VERSION}\n")
            return None
        elif word in ("--help", "-h"):
            ctx.stderr.write("\n".join(USAGE) + "\n")
            return None
        elif word.startswith("-"):
            _usage(log, f"Unknown command {word}")
        else:
            options.interfaces.append(word)
    return options


def _flag(options: Options, word: str) -> None:
    if word == "-d":
        options.debug = options.foreground = True
    elif word == "-f":
        options.foreground = True
    elif word == "-q":
        options.quiet = True
    elif word == "-t":
        options.test = True
    elif word == "-T":
        options.test_leases = True
    elif word == "--no-pid":
        options.pid = False


def _usage(log: Log, why: str) -> NoReturn:
    for text in BANNER:
        log(INFO, text)
    log(ERROR, why)
    for text in USAGE[:-1]:
        log(ERROR, text)
    log.fatal(USAGE[-1])


def _port(text: str, log: Log) -> int:
    if not text:
        return 0
    if not (text.isascii() and text.isdigit() and len(text) < 6 and 0 < int(text) < 65535):
        log.fatal(f"{text}: not a valid UDP port")
    return int(text)


# Files


def _configuration(ctx: Ctx, options: Options, log: Log) -> Config:
    """Read the configuration. Exits where it is wrong."""
    name = options.conf or CONF

    def opener(path: str) -> str:
        found = ctx.operand(path) if options.conf else ctx.file(path)
        with open(found, encoding="latin-1") as file:
            return file.read(MAX_TEXT)

    try:
        text = opener(name)
    except OSError as exc:
        log.fatal(f"Can't open {name}: {exc.strerror}")
    config = parse(text, name, opener)
    for complaint in config.errors:
        for line in complaint.lines():
            log(ERROR, line)
    for line in config.warnings:
        log(ERROR, line)
    if config.fatal:
        log.fatal(config.fatal)
    if config.errors:
        log.fatal("Configuration file errors encountered -- exiting")
    return config


def _paths(ctx: Ctx, options: Options, config: Config) -> tuple[str, str]:
    """Return where leases and process number are: what the caller says, then what the file says."""
    said = {name: str(value) for name, value in params(config)}

    def place(given: str, word: str, usual: str) -> str:
        if given:
            return ctx.operand(given)
        return ctx.file(said.get(word, usual))

    leases = place(options.leases, "lease-file-name", LEASES)
    return leases, place(options.pidfile, "pid-file-name", PIDFILE)


def _top_flag(config: Config, name: str) -> bool:
    return any(one == name and value is True for one, value in params(config))


def _database(name: str, leases: LeaseFile, log: Log) -> Database:
    """Read the leases. Exits when there is no file: an empty one has to be made on purpose."""
    try:
        text = leases.read()
    except OSError as exc:
        log(ERROR, f"Can't open lease database {name}: {exc.strerror} --")
        log(ERROR, "  check for failed database rewrite attempt!")
        log(ERROR, "Please read the dhcpd.leases manual page if you")
        log.fatal("don't know what to do about this.")
    database = read_leases(text, name)
    for complaint in database.errors:
        for line in complaint.lines():
            log(ERROR, line)
    if database.unfinished:
        # The entry that a dying server was writing; nobody was told of it.
        log(ERROR, f"{name} line {text.count(chr(10)) + 1}: unexpected end of file")
    return database


def _whole(server: Server) -> Iterator[str]:
    yield header(f"isc-dhcp-{VERSION}")
    yield from server.snapshot()


def _rewrite(server: Server, config: Config, leases: LeaseFile, log: Log, wall: float) -> None:
    """Write the file whole. Raises OSError."""
    if config.hosts:
        log(INFO, "Wrote 0 deleted host decls to leases file.")
        log(INFO, f"Wrote {server.dynamic} new dynamic host decls to leases file.")
    leases.rewrite(_whole(server), int(wall))
    log(INFO, f"Wrote {server.count()} leases to leases file.")


def _test_leases(ctx: Ctx, config: Config, leases: LeaseFile, database: Database, log: Log) -> int:
    """Write what was read into a file beside the real one, and take it away again."""
    server = Server(config, (), ctx.host.dice, ctx.now(), ctx.wall(), leases=database)
    fresh = f"{leases.path}.{int(ctx.wall())}"
    try:
        trial = LeaseFile(fresh)
        _rewrite(server, config, trial, log, ctx.wall())
        trial.close()
        os.unlink(fresh)
    except OSError as exc:
        log.fatal(f"Can't write new lease file: {exc.strerror}")
    log(INFO, f"Lease file test successful, removing temp lease file: {fresh}")
    return 0


# Interfaces


def _circuits(ctx: Ctx, log: Log, wanted: list[str]) -> list[Circuit]:
    """Return the interfaces asked for, or all broadcast ones that are up."""
    try:
        present = links(ctx)
    except NetError as exc:
        log.fatal(f"Can't create socket: {exc.strerror}")
    except BadRtMessage:
        log.fatal("Can't get interface list: Invalid argument")
    found = [
        Circuit(link.name, link.mac, link.addrs)
        for link in present
        if link.name in wanted or (not wanted and link.flags & IFF_UP)
    ]
    there = {circuit.name for circuit in found}
    return found + [Circuit(name, b"", ()) for name in wanted if name not in there]


class Daemon:
    """The server at work."""

    def __init__(
        self, ctx: Ctx, config: Config, options: Options, log: Log, leases: LeaseFile, pidfile: str
    ) -> None:
        self._ctx, self._config, self._options, self._log = ctx, config, options, log
        self._leases, self._pidfile = leases, pidfile
        self._pcaps: dict[str, Live] = {}
        self._datagrams: Socket | None = None
        self._pings: Socket | None = None
        self._server: Server | None = None
        self._batch = BATCH
        self._names = Names(ctx)
        self._owner = False  # the process file is ours
        self.port = 0  # of the command line, 0 for the usual one

    def start(self, database: Database) -> int:
        """Open everything and serve, in the background unless told otherwise."""
        ctx, log = self._ctx, self._log
        attached = attach(self._config, _circuits(ctx, log, self._options.interfaces))
        self._running()
        server = self._server = self._core(attached.ports, database)
        if self._options.foreground or ctx.services is not None:
            self._open(attached.ports, attached.lines)
        if self._options.foreground:
            log.loud = log.attached = self._options.debug
            return self._serve(server)
        if ctx.services is not None:
            # In the simulator there is one process: the rest of the program is a job of the box.
            log.attached = False
            ctx.services.start_job(ctx.prog, lambda _out, _err: self._serve(server))
            return 0
        return self._background(server, attached.ports, attached.lines)

    def _core(self, ports: list[Port], database: Database) -> Server:
        ctx, log = self._ctx, self._log
        said = dict(params(self._config))
        local = self.port or _number(said.get("local-port"), 67)
        remote = self.port + 1 if self.port else _number(said.get("remote-port"), 68)
        broadcast = self._address(said.get("limited-broadcast-address"), INADDR_BROADCAST)
        if self._options.server:
            try:
                broadcast = self._names.gethostbyname(self._options.server)
            except HostNotFound:
                log.fatal(f"{self._options.server}: host unknown")
        server = Server(
            self._config,
            ports,
            ctx.host.dice,
            ctx.now(),
            ctx.wall(),
            leases=database,
            lookup=self._lookup,
            name_of=self._name_of,
            local_port=local,
            remote_port=remote,
            broadcast=broadcast,
        )
        self._batch = server.batch() or BATCH
        return server

    def _address(self, value: object, default: int) -> int:
        """Return an address of the configuration, a number or a name."""
        if not isinstance(value, Expr):
            return default
        octets = value.args[0] if value.args else b""
        if isinstance(octets, str):
            octets = self._lookup(octets) or b""
        return int.from_bytes(octets, "big") if len(octets) == 4 else default

    def _lookup(self, name: str) -> bytes | None:
        try:
            return self._names.gethostbyname(name).to_bytes(4, "big")
        except HostNotFound:
            return None

    def _name_of(self, addr: int) -> str | None:
        return self._names.hosts.by_addr.get(addr)

    # -- the process

    def _running(self) -> None:
        """See whether there is a server already. Exits if so."""
        if not self._options.pid or self._ctx.services is not None:
            return
        try:
            with open(self._pidfile, encoding="ascii", errors="replace") as file:
                pid = int(file.read(32))
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                command = file.read(4096)
        except (OSError, ValueError):
            return  # nobody, or somebody who died without removing the file
        if pid != os.getpid() and (b"dhcpd" in command or b"dhcpcd" in command):
            self._log.fatal("There's already a DHCP server running.")

    def _write_pid(self) -> None:
        if not self._options.pid:
            return
        try:
            with open(self._pidfile, "w", encoding="ascii") as file:
                file.write(f"{os.getpid()}\n")
            self._owner = True
        except OSError as exc:
            self._log(ERROR, f"Can't create PID file {self._pidfile}: {exc.strerror}.")

    def _background(self, server: Server, ports: list[Port], lines: list[str]) -> int:
        """Go on in a process of its own; return when it serves, or could not."""
        told, tell = os.pipe()
        if not fork(self._ctx):
            os.close(tell)
            status = os.read(told, 1)
            os.close(told)
            return 0 if status else 1
        os.close(told)
        # Opened here, so that the stack knows the descriptors as those of this process.
        self._open(ports, lines)
        self._log.attached = False
        os.write(tell, b"+")
        os.close(tell)
        detach()
        return self._serve(server)

    # -- descriptors

    def _open(self, ports: list[Port], lines: list[str]) -> None:
        """Open capture and sockets, and say so. Exits when that fails."""
        server, log = self._server, self._log
        assert server is not None
        try:
            # Before the file is touched: it is another server's where the port is taken.
            self._sockets(server)
            self._tell(server)
            _rewrite(server, self._config, self._leases, log, self._ctx.wall())
            server.rewritten(True)
            for port in ports:
                self._capture(port, server.local_port)
                log(INFO, f"Listening on BPF/{port.label()}")
                log(INFO, f"Sending on   BPF/{port.label()}")
            for text in lines:
                log(ERROR, text)
            if not ports:
                self.close()
                log(ERROR, "")
                log.fatal("Not configured to listen on any interfaces!")
        except PcapError as exc:
            self.close()
            log.fatal(str(exc))
        except NetError as exc:
            self.close()
            log(ERROR, f"Can't bind to dhcp address: {exc.strerror}")
            log(ERROR, "Please make sure there is no other dhcp server")
            log.fatal("running on this host.")
        except OSError as exc:
            self.close()
            log.fatal(f"Can't write new lease file: {exc.strerror}")
        log(INFO, "Sending on   Socket/fallback/fallback-net")
        self._write_pid()

    def _capture(self, port: Port, number: int) -> None:
        pcap = open_live(
            self._ctx, port.name, promisc=False, timeout_ms=0, immediate=True, bufsize=BUFSIZE
        )
        self._pcaps[port.name] = pcap
        pcap.setdirection(sent=False)
        pcap.setfilter(f"udp dst port {number}")

    def _sockets(self, server: Server) -> None:
        ctx = self._ctx
        sock = self._datagrams = ctx.socket(AF_INET, SOCK_DGRAM)
        sock.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
        sock.setsockopt(SOL_SOCKET, SO_BROADCAST, 1)
        addr = self._address(dict(params(self._config)).get("local-address"), 0)
        sock.bind(SockaddrIn(addr, server.local_port))
        self._pings = ctx.socket(AF_INET, SOCK_RAW, IPPROTO_ICMP)
        self._pings.setsockopt(SOL_SOCKET, SO_RCVBUF, RCVBUF)

    def close(self) -> None:
        """Close whatever is open."""
        for pcap in self._pcaps.values():
            pcap.close()
        self._pcaps.clear()
        for sock in (self._datagrams, self._pings):
            if sock is not None:
                sock.close()
        self._leases.close()
        if self._owner:
            self._owner = False
            try:
                os.unlink(self._pidfile)
            except OSError as exc:
                self._log(ERROR, f"{self._pidfile}: {exc.strerror}")

    # -- the loop

    def _serve(self, server: Server) -> int:
        """Serve until told to end; return the exit status."""
        signals = self._ctx.host.watch_signals("SIGTERM", "SIGINT")
        try:
            return self._loop(server, signals)
        except PcapError as exc:
            # The interface has gone, or the stack.
            self._log(ERROR, str(exc))
            return 1
        finally:
            signals.close()
            self.close()

    def _loop(self, server: Server, signals: SignalWatch) -> int:
        ctx = self._ctx
        while True:
            waiting: list[Any] = [pcap.descriptor for pcap in self._pcaps.values()]
            waiting += [self._datagrams, self._pings, signals]
            server.run(ctx.now(), ctx.wall())
            self._act(server)
            due = server.next_due()
            timeout = None if due is None else max(0.0, due - ctx.now())
            ready = ctx.wait(waiting, timeout)
            if signals in ready and signals.take():
                return 0
            for name, pcap in list(self._pcaps.items()):
                if pcap.descriptor in ready:
                    self._receive(server, name, pcap)
            if self._pings in ready:
                self._echoes(server)
            if self._datagrams in ready:
                self._drain()

    def _receive(self, server: Server, name: str, pcap: Live) -> None:
        """Take what an interface has; when it has gone, go on with the others. Raises PcapError."""
        try:
            self._frames(server, name, pcap)
        except PcapError as exc:
            self._log(ERROR, f"receive_packet failed on {name}: {exc}")
            del self._pcaps[name]
            pcap.close()
            if not self._pcaps:
                raise

    def _frames(self, server: Server, name: str, pcap: Live) -> None:
        for _ in range(DRAIN):
            done = pcap.dispatch(
                self._batch, partial(self._frame, server=server, name=name), wait=False
            )
            if not done:
                return
            self._act(server)

    def _frame(self, packet: Packet, server: Server, name: str) -> None:
        """Take a captured frame."""
        found = udp_payload(packet.data, server.local_port)
        if found is not None:
            src, octets = found
            server.input(octets, name, src, self._ctx.now(), self._ctx.wall())

    def _drain(self) -> None:
        """Empty the socket: what it gets is captured as well, and taken from there."""
        assert self._datagrams is not None
        for _ in range(DRAIN):
            try:
                self._datagrams.recvfrom()
            except NetError as exc:
                if exc.symbol not in ("EAGAIN", "EINTR", "ECONNREFUSED"):
                    raise PcapError(f"recvfrom: {exc.strerror}") from None
                return

    def _echoes(self, server: Server) -> None:
        assert self._pings is not None
        for _ in range(DRAIN):
            try:
                octets, _src = self._pings.recvfrom()
            except NetError as exc:
                if exc.symbol not in ("EAGAIN", "EINTR"):
                    raise PcapError(f"recvfrom: {exc.strerror}") from None
                return
            try:
                ip = Ipv4.parse(octets)
                icmp = Icmp.parse(ip.payload)
            except (Truncated, Malformed):
                continue
            if icmp.type == ICMP_ECHOREPLY:
                server.echo_input(ip.src, icmp.hun >> 16, self._ctx.now(), self._ctx.wall())

    # -- what the server has decided

    def _act(self, server: Server) -> None:
        """Write what is to be written, then send what is to be sent."""
        journal = server.take_journal()
        if journal:
            server.committed(self._commit(journal))
        if server.wants_rewrite():
            try:
                _rewrite(server, self._config, self._leases, self._log, self._ctx.wall())
            except OSError as exc:
                self._log(ERROR, f"Can't write new lease file: {exc.strerror}")
                server.rewritten(False)
            else:
                server.rewritten(True)
        for item in server.take_output():
            try:
                self._send(server, item)
            except NetError as exc:
                self._log(ERROR, f"send_packet: {exc.strerror}")
            except (PcapError, ValueError) as exc:
                self._log(ERROR, f"send_packet: {exc}")
        self._tell(server)

    def _commit(self, journal: str) -> bool:
        try:
            self._leases.append(journal)
        except OSError as exc:
            self._log(ERROR, f"commit_leases: unable to commit: {exc.strerror}")
            return False
        return True

    def _send(self, server: Server, item: Reply | Ping) -> None:
        assert self._datagrams is not None
        assert self._pings is not None
        if isinstance(item, Ping):
            self._pings.sendto(icmp_echo(item.ident, item.seq, bytes(56)), SockaddrIn(item.dst))
        elif item.ifname:
            frame = udp_frame(
                item.mac, item.src, server.local_port, item.dst, item.port, item.octets
            )
            pcap = self._pcaps.get(item.ifname)
            if pcap is not None:  # else the interface has gone since
                pcap.inject(frame)
        else:
            self._datagrams.sendto(item.octets, SockaddrIn(item.dst, item.port))

    def _tell(self, server: Server) -> None:
        for severity, text in server.take_log():
            self._log(severity, text)


def _number(value: object, default: int) -> int:
    return value if isinstance(value, int) and 0 < value < 65536 else default
