"""ifwatchd(8): run scripts when interfaces, their addresses or their carriers come and go."""

from __future__ import annotations

import os
from typing import Any, Final

from cmds._bsd import command, err_of, flag, operands, option, program
from cmds._daemon import background
from libnet.addr import AF_INET, AF_ROUTE, SockaddrDl
from libnet.errors import NetError, from_host
from libnet.ioctl.sysctl import CTL_NET
from libnet.libsocket.ctx import Ctx
from libnet.libsocket.sock import SOCK_DGRAM, SOCK_RAW, Socket
from libnet.proto.ifwatch import Call, Watcher
from libnet.wire.rtsock import NET_RT_IFLIST, AnyMsg, BadRtMessage, IfMsg, unpack_all

USAGE: Final = (
    "usage:\n"
    "\tifwatchd [-hiqv] [-A arrival-script] [-D departure-script]\n"
    "\t\t  [-d down-script] [-u up-script]\n"
    "\t\t  [-c carrier-script] [-n no-carrier-script] ifname(s)\n"
    "\twhere:\n"
    "\t -A <cmd> specify command to run on interface arrival event\n"
    "\t -c <cmd> specify command to run on interface carrier-detect event\n"
    "\t -D <cmd> specify command to run on interface departure event\n"
    "\t -d <cmd> specify command to run on interface down event\n"
    "\t -n <cmd> specify command to run on interface no-carrier-detect event\n"
    "\t -h       show this help message\n"
    "\t -i       no (!) initial run of the up script if the interface\n"
    "\t          is already up on ifwatchd startup\n"
    "\t -q       quiet mode, don't syslog informational messages\n"
    "\t -u <cmd> specify command to run on interface up event\n"
    "\t -v       verbose/debug output, don't run in background\n"
)
_SLOGC_DAEMON: Final = 6
_ERR, _INFO = 2, 5  # severities of the system log
_DRAIN: Final = 64


@command(usage=USAGE)
@option("-A", "arrival")
@option("-c", "carrier")
@option("-D", "departure")
@option("-d", "down")
@flag("-h", "help_")
@flag("-i", "inhibit")
@option("-n", "no_carrier")
@flag("-q", "quiet")
@option("-u", "up")
@option("-v", "verbose", count=True)
@operands
def run(ctx: Ctx, operands: tuple[str, ...], **given: Any) -> int:
    """Watch the interfaces, in the background unless -v."""
    names = [name for word in operands for name in word.split()]
    if given["help_"] or not names:
        return _command.usage(ctx)
    daemon = Daemon(ctx, names, given)
    if given["verbose"]:
        daemon.tell()
    try:
        daemon.open()
    except NetError as exc:
        daemon.log(_ERR, f"error opening routing socket: {exc.strerror}")
        err_of(ctx).err(exc, "open routing socket")
    if given["verbose"]:
        return daemon.serve()
    return background(ctx, daemon.serve)


_command = run
main = program("ifwatchd", run)


class Daemon:
    """ifwatchd at work."""

    def __init__(self, ctx: Ctx, names: list[str], given: dict[str, Any]) -> None:
        self._ctx, self._names, self._given = ctx, names, given
        self._sock: Socket | None = None
        self._scripts = {
            name: given[name]
            for name in ("arrival", "departure", "up", "down", "carrier", "no_carrier")
            if given[name] is not None
        }
        self._watcher: Watcher | None = None

    def tell(self) -> None:
        """Print the settings (-v)."""
        for pair in (("up", "down"), ("arrival", "departure"), ("carrier", "no_carrier")):
            for name in pair:
                self._print(f"{name}_script: {self._given[name] or '(null)'}\n")
        self._print(f"verbosity = {self._given['verbose']}\n")

    def log(self, severity: int, text: str) -> None:
        """Write to the system log of the box."""
        slog = self._ctx.slog
        if slog is None:
            from libnet.loop.slog import SlogWriter

            slog = self._ctx.slog = SlogWriter(self._ctx.box.slog)
        slog.write(severity, _SLOGC_DAEMON, 0, f"{self._ctx.prog}: {text}")

    def _print(self, text: str) -> None:
        if self._given["verbose"]:
            self._ctx.stdout.write(text)
            self._ctx.stdout.flush()

    def open(self) -> None:
        """Open the routing socket and find the interfaces. Raises NetError."""
        self._sock = self._ctx.socket(AF_ROUTE, SOCK_RAW)
        self._watcher = Watcher(self._names, self._scripts, self._indices)
        for name in self._names:
            if not self._given["quiet"]:
                self.log(_INFO, f"watching interface {name}")

    def _list(self) -> list[AnyMsg]:
        """Return the interfaces and their addresses, nothing when the stack has gone."""
        try:
            with self._ctx.socket(AF_INET, SOCK_DGRAM) as sock:
                octets = sock.call("sysctl", [CTL_NET, AF_ROUTE, 0, 0, NET_RT_IFLIST, 0], None)
            return list(unpack_all(octets))
        except (NetError, BadRtMessage):
            return []

    def _indices(self) -> dict[str, int]:
        return {
            msg.addrs.ifp.name: msg.index
            for msg in self._list()
            if isinstance(msg, IfMsg) and isinstance(msg.addrs.ifp, SockaddrDl)
        }

    def serve(self) -> int:
        """Watch until told to end; return the exit status."""
        assert self._sock is not None
        assert self._watcher is not None
        watcher = self._watcher
        signals = self._ctx.host.watch_signals("SIGTERM", "SIGINT")
        try:
            if not self._given["inhibit"]:
                watcher.initial(self._list())
            while True:
                self._act(watcher)
                ready = self._ctx.wait((self._sock, signals), None)
                if signals in ready and signals.take():
                    return 0
                if self._sock in ready and not self._read(watcher, self._sock):
                    return 1
        finally:
            signals.close()
            self._sock.close()

    def _read(self, watcher: Watcher, sock: Socket) -> bool:
        """Take what the routing socket has; False when the stack has gone."""
        for _ in range(_DRAIN):
            try:
                octets, _src = sock.recvfrom()
                for msg in unpack_all(octets):
                    watcher.input(msg)
            except BadRtMessage:
                continue  # of a kind that this program does not know
            except NetError as exc:
                if exc.symbol in ("EAGAIN", "EINTR"):
                    return True
                if exc.symbol == "ENOBUFS":
                    watcher.rescan()  # messages were lost while a script ran
                    continue
                self._act(watcher)
                self.log(_ERR, f"routing socket: {exc.strerror}")
                return False
        return True

    def _act(self, watcher: Watcher) -> None:
        """Print and run what there is to print and to run, one script after the other."""
        for note in watcher.take_notes():
            self._print(f"{note}\n")
        for call in watcher.take_calls():
            text = f"calling: {call.script} {' '.join(call.args)}"
            self._print(text + "\n")
            if not self._given["quiet"]:
                self.log(_INFO, text)
            try:
                run_script(self._ctx, call)
            except (OSError, ValueError) as exc:
                why = from_host(exc).strerror if isinstance(exc, OSError) else "Invalid argument"
                self.log(_ERR, f'could not execute "{call.script}": {why}')
                self._ctx.stderr.write(f"{call.script}: {why}\n")


def run_script(ctx: Ctx, call: Call) -> None:
    """Run a script and wait for its end. Raises OSError if there is none to run."""
    path = ctx.file(call.script)
    if ctx.services is not None:
        from cmds.ksh import script

        text = ctx.services.read(call.script)
        script(ctx, text, [call.script, *call.args])
        return
    from libnet.lab.ksh import script_argv

    if not os.access(path, os.X_OK) and not os.path.isfile(path):
        raise FileNotFoundError(2, "", path)
    argv = script_argv(path) if os.access(path, os.X_OK) else [path]
    pid = os.posix_spawn(argv[0], [*argv, *call.args], dict(ctx.environ))
    os.waitpid(pid, 0)
