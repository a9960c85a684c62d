"""slogger: keep the system log."""

from __future__ import annotations

import os
import re
import signal
import socket
from typing import Any, Final

from cmds._bsd import command, err_of, flag, option, program
from cmds._daemon import detach, fork
from libnet.libsocket.ctx import Ctx
from libnet.loop.slog import (
    DEFAULT_KB,
    MAX_SIZE,
    REBOOT,
    FileRing,
    Record,
    pack_record,
    unpack_records,
)
from libnet.sunaddr import unix_address

USAGE = (
    "usage: slogger [-cm] [-f severity] [-l logfile[,size]] [-s size] [-U string] [-u event_id]"
    " [-v[v]...]"
)

DEVICE: Final = "/dev/slog"
POLL_S: Final = 0.2
MAX_DATAGRAM: Final = 65536
NOTICE: Final = 4
DAEMON_MAJOR: Final = 6  # _SLOGC_... of a text that came without one


@command(usage=USAGE)
@flag("-c", "synchronous")
@flag("-m", "monotonic")
@option("-f", "severity")
@option("-l", "logfile")
@option("-s", "size")
@option("-U", "user")
@option("-u", "event")
@option("-v", "verbose", count=True)
def run(
    ctx: Ctx,
    synchronous: bool,
    monotonic: bool,
    severity: str | None,
    logfile: str | None,
    size: str | None,
    user: str | None,
    event: str | None,
    verbose: int,
) -> int:
    """Make the ring and /dev/slog, go to the background, and stay until SIGTERM."""
    err = err_of(ctx)
    if event is not None:
        err.errx("-u: trace events need an instrumented kernel, and there is none")
    limit = 7 if severity is None else number(ctx, "-f", severity, 7)
    kilobytes = DEFAULT_KB if size is None else number(ctx, "-s", size, MAX_SIZE // 1024)
    if kilobytes < 1:
        err.errx("-s 0: too small")
    log = None if logfile is None else LogFile(ctx, logfile, limit, synchronous)
    who = None if user is None else credentials(ctx, user)
    try:
        if ctx.box.view != "ns":
            from libnet.lab.world import ensure_box

            ensure_box(ctx.box)
        if log is not None:
            log.open()
        ring = FileRing(ctx.box.slog)
        device = attach(ctx)
        try:
            ring.configure(kilobytes * 1024, monotonic=monotonic)
            if ring.last():
                mark = Record(0, stamp(ctx, ring), NOTICE, 0, 0, os.getpid(), "", (), REBOOT)
                ring.append([mark])
        except OSError:
            device.close()
            raise
    except OSError as exc:
        err.err(exc, exc.filename if isinstance(exc.filename, str) else DEVICE)
    if verbose:
        ctx.stderr.write(f"slogger: {kilobytes} KB buffer {ctx.box.slog}\n")
        if log is not None:
            ctx.stderr.write(f"slogger: log file {logfile}, severities 0 to {limit}\n")
    if who is not None:
        become(ctx, ring, device, who)
    if not background(ctx):
        return 0
    serve(ctx, ring, device, log, verbose)
    return 0


main = program("slogger", run)


def number(ctx: Ctx, name: str, word: str, limit: int) -> int:
    """Return an option's number from 0 to *limit*."""
    if not re.fullmatch(r"[0-9]{1,9}", word) or int(word) > limit:
        err_of(ctx).errx(f"{name} {word}: not a number from 0 to {limit}")
    return int(word)


def stamp(ctx: Ctx, ring: FileRing) -> float:
    """Return the time to give a record."""
    return ctx.now() if ring.monotonic else ctx.wall()


def credentials(ctx: Ctx, text: str) -> tuple[int, int]:
    """Return (uid, gid) of -U's user, uid[:gid] or a name. Exits if we may not become it."""
    import pwd

    name, _, group = text.partition(":")
    err = err_of(ctx)
    try:
        entry = pwd.getpwuid(int(name)) if name.isdigit() else pwd.getpwnam(name)
        uid, gid = entry.pw_uid, entry.pw_gid
    except (KeyError, OverflowError):
        if not name.isdigit() or int(name) >= 1 << 32:
            err.errx(f"-U {text}: no such user")
        uid = gid = int(name)
    if group:
        if not group.isdigit() or int(group) >= 1 << 32:
            err.errx(f"-U {text}: {group}: not a group number")
        gid = int(group)
    if os.geteuid() not in (0, uid):
        err.err("EPERM", f"-U {text}")
    return uid, gid


def become(ctx: Ctx, ring: FileRing, device: Device, who: tuple[int, int]) -> None:
    """Give up root for the user *who*; the ring and the device go along."""
    uid, gid = who
    if os.geteuid() == uid:
        return
    try:
        os.chown(ring.path, uid, gid)
        os.chown(device.path, uid, gid)
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
        os.close(os.open(ring.path, os.O_RDWR))
    except OSError as exc:
        device.close()
        err_of(ctx).err(exc, f"-U: {ring.path}")


class Device:
    """The socket that stands for /dev/slog."""

    def __init__(self, path: str, sock: socket.socket) -> None:
        self.path, self.sock = path, sock
        self._inode = os.stat(path).st_ino

    def fileno(self) -> int:
        """Return the descriptor to poll."""
        return self.sock.fileno()

    def close(self) -> None:
        """Take the name away, unless another slogger has it by now."""
        self.sock.close()
        try:
            if os.stat(self.path).st_ino == self._inode:
                os.unlink(self.path)
        except OSError:
            return  # gone already, or no longer ours to remove


def attach(ctx: Ctx) -> Device:
    """Register /dev/slog. Exits if a slogger runs; a name left by a killed one is taken over."""
    path = ctx.file(DEVICE)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    address, fd = unix_address(path)
    try:
        if os.path.lexists(path):
            try:
                sock.connect(address)
            except OSError:
                os.unlink(path)
            else:
                err_of(ctx).errx(f"{DEVICE}: slogger is already running")
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        mask = os.umask(0o177)
        try:
            sock.bind(address)
        finally:
            os.umask(mask)
        return Device(path, sock)
    finally:
        if fd is not None:
            os.close(fd)


def background(ctx: Ctx) -> bool:
    """Become a daemon: the parent gets False and goes home, the child True."""
    if not fork(ctx):
        return False
    detach()
    os.chdir("/")
    return True


def serve(ctx: Ctx, ring: FileRing, device: Device, log: LogFile | None, verbose: int) -> None:
    """Take messages sent to /dev/slog, and copy the ring to the log file, until told to end."""

    def end(_signal: int, _frame: Any) -> None:
        raise SystemExit(0)

    for number_ in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number_, end)
    devices: list[Any] = [device]
    if verbose > 1:
        ring.append([Record(0, stamp(ctx, ring), 6, 0, 0, os.getpid(), "slogger started")])
    try:
        while True:
            if ctx.wait(devices, None if log is None else POLL_S):
                receive(ctx, ring, device.sock)
            if log is not None:
                log.copy(ring)
    finally:
        if log is not None:
            log.copy(ring)
        device.close()


def receive(ctx: Ctx, ring: FileRing, sock: socket.socket) -> None:
    """Put what was sent to /dev/slog into the ring: packed records, or a line of text."""
    try:
        octets = sock.recv(MAX_DATAGRAM)
    except OSError:
        return  # taken back before we came
    when = stamp(ctx, ring)
    records = [rec._replace(time=when) for rec in unpack_records(octets)]
    if not records:
        text = octets.decode("utf-8", "replace")
        records = [message(line, when) for line in text.splitlines() if line]
    try:
        ring.append(records)
    except OSError:
        return  # a full disk: the daemon outlives it


def message(line: str, when: float) -> Record:
    """Return the record of a line of text; `<sev,major,minor>` may stand before it.

    >>> rec = message("<3,10,1>link down", 0.0)
    >>> rec.sev, rec.major, rec.minor, rec.text
    (3, 10, 1, 'link down')
    """
    match = re.match(r"<([0-7]),([0-9]{1,5}),([0-9]{1,5})>", line)
    if match is None:
        return Record(0, when, NOTICE, DAEMON_MAJOR, 0, 0, line)
    sev, major, minor = (int(word) for word in match.groups())
    return Record(0, when, sev, major & 0xFFFF, minor & 0xFFFF, 0, line[match.end() :])


class LogFile:
    """What -l asks for: a file, or two in turn (NAME0, NAME1) when a size is given."""

    def __init__(self, ctx: Ctx, text: str, limit: int, synchronous: bool) -> None:
        name, comma, size = text.partition(",")
        if not name:
            err_of(ctx).errx(f"-l {text}: no file")
        self._max = number(ctx, "-l", size, 1 << 20) * 1024 if comma else 0
        if comma and not self._max:
            err_of(ctx).errx(f"-l {text}: size 0")
        # The daemon's working directory is /.
        path = os.path.abspath(ctx.operand(name, write=True))
        self._paths = [f"{path}0", f"{path}1"] if comma else [path]
        self._limit = limit
        self._flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        if synchronous:
            self._flags |= os.O_SYNC
        self._which, self._last, self._fd = 0, 0, -1

    def open(self) -> None:
        """Open the file. Raises OSError."""
        self._fd = os.open(self._paths[self._which], self._flags, 0o600)

    def copy(self, ring: FileRing) -> None:
        """Write what is new in *ring*. A file that cannot be written does not stop the log."""
        try:
            if ring.last() < self._last:
                self._last = 0
            for rec in ring.read(self._last):
                self._last = rec.seq
                if rec.sev <= self._limit:
                    self._write(pack_record(rec))
        except OSError:
            return

    def _write(self, octets: bytes) -> None:
        if self._max and os.fstat(self._fd).st_size + len(octets) > self._max:
            os.close(self._fd)
            self._which ^= 1
            self.open()
            os.ftruncate(self._fd, 0)
        os.write(self._fd, octets)
