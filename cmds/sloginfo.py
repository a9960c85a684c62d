"""sloginfo: print the system log."""

from __future__ import annotations

import re
import time

from cmds._bsd import command, err_of, flag, operands, option, program
from libnet.libsocket.ctx import Ctx
from libnet.loop.slog import INTS, REBOOT, FileRing, Record, read_log

USAGE = "usage: sloginfo [-ctwh] [-m major] [-s severity] [logfile]"

POLL_S = 0.1
HEADER = "Time             Sev Major Minor Args\n"
HEADER_MS = "Time                 Sev Major Minor Args\n"


@command(usage=USAGE)
@flag("-c", "clear")
@flag("-t", "milliseconds")
@flag("-w", "follow")
@flag("-h", "hexadecimal")
@option("-m", "major")
@option("-s", "severity")
@operands
def run(
    ctx: Ctx,
    clear: bool,
    milliseconds: bool,
    follow: bool,
    hexadecimal: bool,
    major: str | None,
    severity: str | None,
    operands: tuple[str, ...],
) -> int:
    """Print the ring, or a log file."""
    err = err_of(ctx)
    if len(operands) > 1:
        return run.usage(ctx)
    only = None if major is None else number(ctx, "-m", major)
    limit = None if severity is None else number(ctx, "-s", severity)
    source = LogFile(ctx.operand(operands[0])) if operands else Ring(FileRing(ctx.box.slog))
    name = operands[0] if operands else "/dev/slog"

    def wanted(rec: Record) -> bool:
        return (only is None or rec.major == only) and (limit is None or rec.sev <= limit)

    try:
        gmt = source.monotonic()
        ctx.stdout.write(HEADER_MS if milliseconds else HEADER)
        last = 0
        while True:
            for rec in source.news():
                lost = source.whole and rec.seq > last + 1
                if last and (lost or rec.kind == REBOOT):
                    ctx.stdout.write("\n")
                last = rec.seq
                if rec.kind != REBOOT and wanted(rec):
                    line = show(rec, milliseconds=milliseconds, hexadecimal=hexadecimal, gmt=gmt)
                    ctx.stdout.write(line)
            if clear:
                source.clear()
            if not follow:
                return 0
            ctx.stdout.flush()
            ctx.sleep(POLL_S)
    except OSError as exc:
        err.err(exc, name)


main = program("sloginfo", run)


class Ring:
    """The box's ring as it grows."""

    whole = True  # a number that is missing is an event that was lost

    def __init__(self, ring: FileRing) -> None:
        self._ring = ring
        self._last = 0

    def monotonic(self) -> bool:
        """Tell whether times count from boot."""
        return self._ring.monotonic

    def news(self) -> list[Record]:
        """Return what was not returned before."""
        if self._ring.last() < self._last:
            self._last = 0  # the log was made anew
        records = self._ring.read(self._last)
        if records:
            self._last = records[-1].seq
        return records

    def clear(self) -> None:
        """Forget what is in it."""
        self._ring.clear()


class LogFile:
    """A file that slogger -l wrote."""

    whole = False  # -f left some out

    def __init__(self, path: str) -> None:
        self._path = path
        self._last = 0

    def monotonic(self) -> bool:
        """Tell whether times count from boot: the ring of a file knows, a log does not."""
        return False

    def news(self) -> list[Record]:
        """Return what was not returned before."""
        records = [rec for rec in read_log(self._path) if rec.seq > self._last]
        if records:
            self._last = records[-1].seq
        return records

    def clear(self) -> None:
        """Empty the file."""
        with open(self._path, "r+b") as file:
            file.truncate()


def number(ctx: Ctx, flag_: str, word: str) -> int:
    """Return an option's number."""
    if not re.fullmatch(r"[0-9]{1,5}", word):
        err_of(ctx).errx(f"{flag_} {word}: not a number")
    return int(word)


def show(rec: Record, *, milliseconds: bool, hexadecimal: bool, gmt: bool) -> str:
    r"""Return one line. Times since boot are shown as a clock that was started at midnight.

    >>> rec = Record(1, 9.25, 5, 14, 0, 1, "tcpip starting")
    >>> show(rec, milliseconds=True, hexadecimal=False, gmt=True)
    'Jan 01 00:00:09.250    5    14     0 tcpip starting\n'
    """
    try:
        when = time.strftime("%b %d %H:%M:%S", (time.gmtime if gmt else time.localtime)(rec.time))
    except (OverflowError, ValueError, OSError):
        when = "??? ?? ??:??:??"  # a record that is whole, with a time that no calendar has
    part = ""
    if milliseconds:
        fraction = rec.time % 1
        part = f".{int(fraction * 1000):03d}" if 0 <= fraction < 1 else ".???"
    if rec.kind == INTS:
        args = "".join(f"{n & 0xFFFFFFFF:x} " if hexadecimal else f"{n} " for n in rec.ints)
    else:
        args = printable(rec.text)
    return f"{when}{part}    {rec.sev} {rec.major:5d}   {rec.minor:3d} {args}\n"


def printable(text: str) -> str:
    """Return *text* without what would steer a terminal."""
    return "".join(c if c.isprintable() or c == "\t" else "?" for c in text)
