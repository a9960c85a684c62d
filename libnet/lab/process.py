"""An io-pkt process: the machine around a Manager, made of the box's files, sockets and the loop."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from libnet.clock import Dice
from libnet.conf import options as opts
from libnet.conf.hardware import DEFAULT_AIR, DEFAULT_SEGMENT, Nic, found_nic
from libnet.conf.iopkt import CommandLine, UsageError, parse
from libnet.errors import NetError, from_host
from libnet.lab.world import Hardware, World, WorldError, ensure_box, write_file
from libnet.libsocket.box import BoxPaths
from libnet.loop.host import RealDice

if TYPE_CHECKING:
    from libnet.loop.loop import Loop
    from libnet.media.airport import AirPort
    from libnet.media.port import Port

MODULE_MARK: Final = "# iopkt module "
USAGE: Final = """\
usage: {prog} [-d driver [driver_options]] [-i instance] [-P priority]
       [-p protocol [protocol_options]] [-S] [-t threads] [-v]
"""
M_TRIM_THRESHOLD: Final = -1
M_MMAP_THRESHOLD: Final = -3


class RealMachine:
    """The box on disk, as libnet.iopkt.manager.Machine wants it."""

    def __init__(self, paths: BoxPaths, loop: Loop, environ: Mapping[str, str]) -> None:
        self.paths, self.loop = paths, loop
        self.clock = loop.clock
        self.dice: Dice = RealDice()
        self.cpus = len(os.sched_getaffinity(0))
        self._dlls = [d for d in environ.get("LD_LIBRARY_PATH", "").split(":") if d]
        self._described = World(paths.world).described(paths.name)

    def find_module(self, name: str) -> str | None:
        """Look a module up as the loader does: its path, or LD_LIBRARY_PATH and /lib/dll."""
        if "/" in name:
            candidates = [name]
        else:
            candidates = [os.path.join(d, name) for d in (*self._dlls, "/lib/dll")]
        for path in candidates:
            try:
                with open(self.paths.file(path), encoding="utf-8", errors="replace") as file:
                    head = file.readline(256)
            except OSError:
                continue
            if head.startswith(MODULE_MARK):
                return head[len(MODULE_MARK) :].strip()
            # Somebody's own file: it bears its module's name, and the manager says what it lacks.
            return os.path.basename(path).removesuffix(".so").removesuffix(".py")
        return None

    def free_nics(self, driver: str) -> Sequence[Nic]:
        """Return the NICs of the driver's kind that nobody holds.

        A box that was never described has a fresh one for each time a driver is loaded.
        """
        nics = Hardware.load(self.paths)
        if self._described:
            return [nic for nic in nics if not nic.attached and nic.fits(driver)]
        made: list[Nic] = []
        while True:
            nic = found_nic(self.paths.name, driver, made)
            nic.attached = Hardware.holder(self.paths, nic)
            if not nic.attached:
                return [nic]
            made.append(nic)

    def claim(self, slot: Nic, ifname: str) -> Callable[[], None]:
        """Take the NIC for this process."""
        try:
            return Hardware.claim(self.paths, slot, ifname).close
        except OSError as exc:
            raise from_host(exc) from None

    def plug(self, slot: Nic, ifname: str, wire: str) -> Port:
        """Plug into a segment of the world."""
        from libnet.media.unixseg import UnixPort

        segment = wire or slot.segment or DEFAULT_SEGMENT
        if "/" in segment or segment.startswith("."):
            raise NetError("EINVAL")
        directory = os.path.join(self.paths.segments, segment)
        try:
            return UnixPort(self.loop, directory, f"{self.paths.name}.{ifname}")
        except OSError as exc:
            raise from_host(exc) from None

    def antenna(self, slot: Nic, ifname: str, wire: str) -> AirPort:
        """Put a radio's antenna into an air of the world."""
        from libnet.media.airunix import UnixAirPort

        air = wire or slot.segment or DEFAULT_AIR
        if "/" in air or air.startswith("."):
            raise NetError("EINVAL")
        directory = os.path.join(self.paths.airs, air)
        try:
            return UnixAirPort(self.loop, directory, f"{self.paths.name}.{ifname}")
        except OSError as exc:
            raise from_host(exc) from None

    def make_node(self, path: str) -> None:
        """Make an empty file of that name in the box."""
        host = self.paths.file(path)
        os.makedirs(os.path.dirname(host), exist_ok=True)
        with open(host, "w", encoding="ascii"):
            return

    def remove_node(self, path: str) -> None:
        """Take the file away."""
        try:
            os.unlink(self.paths.file(path))
        except FileNotFoundError:
            return


def prefix_of(line: CommandLine) -> str:
    """Return the prefix= of -p tcpip, "" when there is none."""
    prefix = ""
    for load in line.protocols:
        if load.name == "tcpip":
            for name, value in opts.parse(load.options):
                if name == "prefix" and value and value.startswith("/"):
                    prefix = value.rstrip("/")
    return prefix


def main(variant: str, argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Start io-pkt-*variant*; return once it serves (0), or its failure (1)."""
    prog = f"io-pkt-{variant}"
    try:
        line = parse(argv)
    except UsageError as exc:
        sys.stderr.write(f"{prog}: {exc}\n{USAGE.format(prog=prog)}")
        return 1
    paths = BoxPaths.from_environ(environ)
    try:
        ensure_box(BoxPaths(paths.world, paths.name))
    except (OSError, WorldError) as exc:
        text = from_host(exc).strerror if isinstance(exc, OSError) else str(exc)
        sys.stderr.write(f"{prog}: {paths.home}: {text}\n")
        return 1
    read, write = os.pipe()
    pid = os.fork()
    if pid:
        os.close(write)
        return _parent(pid, read)
    os.close(read)
    status = 1
    try:
        os.setsid()
        status = _child(prog, variant, line, argv, environ, paths, write)
    except BaseException as exc:
        # The last stop: without it a defect would be silent, for standard error may be closed.
        _log_crash(paths, prog, exc)
        sys.stderr.write(f"{prog}: {type(exc).__name__}: {exc} (see sloginfo)\n")
    finally:
        os._exit(status)


def _parent(pid: int, read: int) -> int:
    """Wait until the child says that it serves, or ends."""
    with open(read, "rb") as pipe:
        told = pipe.read(1)
    if told == b"+":
        return 0
    os.waitpid(pid, 0)
    return 1


def _log_crash(paths: BoxPaths, prog: str, exc: BaseException) -> None:
    import traceback

    from libnet.loop.slog import SlogWriter

    text = "".join(traceback.format_exception(exc))
    SlogWriter(BoxPaths(paths.world, paths.name).slog).write(1, 14, 0, f"{prog}: {text}")


def _child(
    prog: str,
    variant: str,
    line: CommandLine,
    argv: Sequence[str],
    environ: Mapping[str, str],
    paths: BoxPaths,
    ready: int,
) -> int:
    _tune()
    from libnet.iopkt.manager import Manager
    from libnet.iopkt.server import AlreadyServed, Server
    from libnet.loop.loop import Loop
    from libnet.loop.slog import SlogWriter

    loop = Loop()
    slog = SlogWriter(paths.slog)
    prefix = prefix_of(line)
    where = paths.socket(prefix)

    def console(text: str) -> None:
        if not sys.stderr.closed:
            sys.stderr.write(f"{prog}: {text}\n")
            sys.stderr.flush()

    try:
        machine = RealMachine(paths, loop, environ)
        manager = Manager(
            machine,
            variant,
            line,
            argv=[prog, *argv],
            pid=os.getpid(),
            hostname=_hostname(paths),
            console=console,
            sink=lambda r: slog.write(r.severity, r.major, r.minor, r.text),
        )
        server = Server(manager, loop, where)
    except AlreadyServed:
        sys.stderr.write(f"{prog}: unable to attach {prefix}/dev/socket: Resource busy\n")
        return 1
    except (OSError, WorldError) as exc:
        text = from_host(exc).strerror if isinstance(exc, OSError) else str(exc)
        sys.stderr.write(f"{prog}: unable to attach {prefix}/dev/socket: {text}\n")
        return 1
    loop.on_signal(signal.SIGTERM, loop.stop)
    loop.on_signal(signal.SIGINT, loop.stop)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    note = _write_note(paths, prefix, variant, line, [prog, *argv])
    try:
        manager.start()
        _detach(ready, keep_stderr=line.verbose and os.isatty(2))
        _freeze()
        loop.run()
        manager.shutdown()
    finally:
        server.close()
        if os.path.exists(note):
            os.unlink(note)
    return 0


def _tune() -> None:
    """Take all the descriptors we may have, and keep glibc from giving memory back.

    A socket costs two or three descriptors; memory given back after every burst doubles the cost of a
    packet.
    """
    import ctypes
    import resource

    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        libc = ctypes.CDLL(None)
        libc.mallopt(M_TRIM_THRESHOLD, 256 << 20)
        libc.mallopt(M_MMAP_THRESHOLD, 64 << 20)
    except (OSError, AttributeError):
        return  # another C library: nothing to tune


def _freeze() -> None:
    """Keep the cyclic collector away from what was made at the start, and seldom at work."""
    import gc

    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def _hostname(paths: BoxPaths) -> str:
    try:
        with open(paths.file("/etc/HOSTNAME"), encoding="utf-8", errors="replace") as file:
            return file.readline(256).strip() or paths.name
    except OSError:
        return paths.name


def _write_note(
    paths: BoxPaths, prefix: str, variant: str, line: CommandLine, argv: list[str]
) -> str:
    home = BoxPaths(paths.world, paths.name)
    os.makedirs(home.run, mode=0o700, exist_ok=True)
    path = os.path.join(home.run, f"stack-{os.getpid()}.json")
    write_file(
        path,
        json.dumps(
            {
                "pid": os.getpid(),
                "prefix": prefix,
                "instance": line.instance,
                "variant": variant,
                "argv": argv,
            }
        ),
        0o600,
    )
    return path


def _detach(ready: int, *, keep_stderr: bool) -> None:
    """Let the parent return, and let go of its streams."""
    sys.stdout.flush()
    sys.stderr.flush()
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1) if keep_stderr else (0, 1, 2):
        os.dup2(null, fd)
    if null > 2:
        os.close(null)
    os.write(ready, b"+")
    os.close(ready)
