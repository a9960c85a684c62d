"""Capture files that tcpdump writes: -w, and their rotation by -C, -G and -W."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from typing import BinaryIO

from libnet.libsocket.ctx import Ctx
from libnet.wire.savefile import Packet, Writer


class OutputError(Exception):
    """A file that cannot be written; the text is what is printed."""


class LimitReached(Exception):
    """As many files were written as -W allows with -G."""


class Output:
    """What -w writes.

    name     as given; with -G strftime(3) words in it        size     octets of a file (-C), 0: any
    seconds  of a file (-G), 0: any                            count    files to go round in (-W), 0: any
    closed   called with the name of a file that is complete   flush    write each packet through (-U)
    """

    def __init__(
        self,
        ctx: Ctx,
        name: str,
        dlt: int,
        *,
        snaplen: int,
        nano: bool,
        size: int = 0,
        seconds: int = 0,
        count: int = 0,
        flush: bool = False,
        closed: Callable[[str], None] | None = None,
    ) -> None:
        self._ctx, self._name, self._dlt = ctx, name, dlt
        self._snaplen, self._nano = snaplen, nano
        self._size, self._seconds, self._count = size, seconds, count
        self._digits = len(str(count - 1)) if count > 1 else 0
        self._each, self._closed = flush, closed
        self._since = int(ctx.wall())
        self._number = self._rounds = 0
        self._file: BinaryIO
        self._open(0 if size else None)

    def _open(self, number: int | None) -> None:
        name = self._name
        if self._seconds:
            name = time.strftime(name, time.localtime(self._since))
        if number is not None and (number or self._digits):
            name = f"{name}{number:0{self._digits}d}"
        self.current = name
        try:
            if name == "-":
                self._file = _binary(self._ctx)
            else:
                self._file = open(self._ctx.operand(name, write=True), "wb")  # noqa: SIM115  # it outlives this
        except OSError as exc:
            raise OutputError(f"{name}: {exc.strerror}") from None
        try:
            self._writer = Writer(self._file, self._dlt, snaplen=self._snaplen, nano=self._nano)
            if self._each:
                self._file.flush()
        except OSError as exc:
            with suppress(OSError):
                self._file.close()
            raise OutputError(f"Can't write to {name}: {exc.strerror}") from None

    def write(self, packet: Packet) -> None:
        """Add a packet, to a new file if it is time. Raises OutputError, LimitReached."""
        if self._seconds:
            self._rotate_by_time()
        if self._size and self._writer.size > self._size:
            self._finish()
            self._number += 1
            if self._count and self._number >= self._count:
                self._number = 0
            self._open(self._number)
        try:
            self._writer.write(packet)
            if self._each:
                self._file.flush()
        except OSError as exc:
            raise OutputError(f"Unable to write output: {exc.strerror}") from None

    def _rotate_by_time(self) -> None:
        now = int(self._ctx.wall())
        if now - self._since < self._seconds:
            return
        self._since = now
        self._rounds += 1
        self._finish()
        if not self._size and 0 < self._count <= self._rounds:
            raise LimitReached
        self._number = 0
        self._open(0 if self._size else None)

    def flush(self) -> None:
        """Write through what is buffered. Raises OutputError."""
        try:
            self._file.flush()
        except OSError as exc:
            raise OutputError(f"Unable to write output: {exc.strerror}") from None

    def _finish(self) -> None:
        self.close()
        if self._closed is not None:
            self._closed(self.current)

    def close(self) -> None:
        """Close the file. Raises OutputError."""
        if self.current == "-":
            self.flush()
            return
        try:
            self._file.close()
        except OSError as exc:
            raise OutputError(f"Unable to write output: {exc.strerror}") from None


def _binary(ctx: Ctx) -> BinaryIO:
    """Return standard output for octets. Raises OutputError where it takes text only."""
    made: BinaryIO | None = getattr(ctx.stdout, "buffer", None)
    if made is None:
        raise OutputError("standard output: takes no octets here")
    ctx.stdout.flush()
    return made


def compress(ctx: Ctx, command: str, name: str) -> None:
    """Start the program of -z on a file that is complete, and do not wait for it."""
    import subprocess

    path = os.path.abspath(ctx.operand(name, write=True))
    try:
        subprocess.Popen([command, path], stdin=subprocess.DEVNULL, start_new_session=True)
    except OSError as exc:
        ctx.stderr.write(f"compress_savefile: execlp({command}, {name}) failed: {exc.strerror}\n")
