"""The system log of a box: a ring in one file, readable and writable by any process of the box.

File: a header of 64 octets, then a circular area. Offsets count octets since the ring was made; an
offset modulo the area's size is the place. A record may lie across the end of the area.

    header  magic[8] size:u32 flags:u32 head:u64 tail:u64 seq:u64 lost:u64 crc:u32
    record  magic:u16 length:u16 crc:u32 seq:u64 time:f64 sev:u8 kind:u8 major:u16 minor:u16 pad:u16
            pid:u32 payload

Writers hold a lock on the file for the length of one write. Readers take none: each record bears a
checksum, so one that is torn, overwritten or garbage is left out and the rest is still read. A file
that is no ring at all is one that is empty; the next writer makes it new.
"""

from __future__ import annotations

import fcntl
import os
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from struct import Struct
from struct import error as StructError
from typing import Final, NamedTuple

MAGIC: Final = b"IOPKSLG1"
RECORD_MAGIC: Final = 0x51A6
_MARK: Final = RECORD_MAGIC.to_bytes(2, "little")

DEFAULT_KB: Final = 16
MIN_SIZE: Final = 1024
MAX_SIZE: Final = 64 << 20
MAX_TEXT: Final = 512  # octets of one record's payload; a longer text is cut

FLAG_MONOTONIC: Final = 1

TEXT: Final = 0
INTS: Final = 1
REBOOT: Final = 2  # no event: the log daemon was started

_HEADER = Struct("<8sIIQQQQI")
_CRC_AT = _HEADER.size - 4
AREA: Final = 64
_RECORD = Struct("<HHIQdBBHHHI")
_SKIP_CRC = 8


class Record(NamedTuple):
    """One event.

    seq    1 for the first of the ring        time   seconds since 1970, or since boot
    sev    0 shutdown … 7 debug               major  facility: 10 drivers, 14 stack
    minor  the program's own                  pid    who wrote it
    text   the message, "" if it is numbers   ints   the numbers, () if it is text
    kind   TEXT, INTS or REBOOT
    """

    seq: int
    time: float
    sev: int
    major: int
    minor: int
    pid: int
    text: str
    ints: tuple[int, ...] = ()
    kind: int = TEXT


def pack_record(rec: Record) -> bytes:
    """Return the octets of *rec*; text beyond MAX_TEXT octets is cut."""
    if rec.kind == INTS:
        words = rec.ints[: MAX_TEXT // 4]
        payload = b"".join((n & 0xFFFFFFFF).to_bytes(4, "little") for n in words)
    else:
        payload = rec.text.encode("utf-8", "surrogateescape")[:MAX_TEXT]
    head = _RECORD.pack(
        RECORD_MAGIC,
        _RECORD.size + len(payload),
        0,
        rec.seq,
        rec.time,
        rec.sev & 0xFF,
        rec.kind,
        rec.major & 0xFFFF,
        rec.minor & 0xFFFF,
        0,
        rec.pid & 0xFFFFFFFF,
    )
    body = head[_SKIP_CRC:] + payload
    return head[:4] + zlib.crc32(body).to_bytes(4, "little") + body


def unpack_records(octets: bytes) -> Iterator[Record]:
    """Yield the whole records in *octets*, stepping over anything else. Never raises."""
    pos, end = 0, len(octets)
    while True:
        pos = octets.find(_MARK, pos)
        if pos < 0 or end - pos < _RECORD.size:
            return
        _magic, size, crc, seq, when, sev, kind, major, minor, _pad, pid = _RECORD.unpack_from(
            octets, pos
        )
        if not (
            _RECORD.size <= size <= _RECORD.size + MAX_TEXT
            and size <= end - pos
            and zlib.crc32(octets[pos + _SKIP_CRC : pos + size]) == crc
        ):
            pos += 1
            continue
        payload = octets[pos + _RECORD.size : pos + size]
        pos += size
        ints: tuple[int, ...] = ()
        text = ""
        if kind == INTS:
            ints = tuple(
                int.from_bytes(payload[i : i + 4], "little", signed=True)
                for i in range(0, len(payload) & ~3, 4)
            )
        else:
            text = payload.decode("utf-8", "replace")
        yield Record(seq, when, sev, major, minor, pid, text, ints, kind)


class _Header:
    """The ring's header as read; `ok` only if it can be believed."""

    def __init__(self, octets: bytes, file_size: int) -> None:
        self.ok = False
        self.size, self.flags, self.head, self.tail, self.seq, self.lost = 0, 0, 0, 0, 0, 0
        try:
            magic, size, flags, head, tail, seq, lost, crc = _HEADER.unpack_from(octets)
        except StructError:
            return
        if magic != MAGIC or crc != zlib.crc32(octets[:_CRC_AT]):
            return
        if not MIN_SIZE <= size <= MAX_SIZE or file_size < AREA + size:
            return
        if not 0 <= head - tail <= size:
            return
        self.ok = True
        self.size, self.flags, self.head, self.tail = size, flags, head, tail
        self.seq, self.lost = seq, lost

    def pack(self) -> bytes:
        body = _HEADER.pack(
            MAGIC, self.size, self.flags, self.head, self.tail, self.seq, self.lost, 0
        )[:_CRC_AT]
        return body + zlib.crc32(body).to_bytes(4, "little")


class FileRing:
    """The ring at *path*. Nothing is opened until something is read or written.

    size  octets of the area if this is the one that makes the file
    """

    def __init__(self, path: str, size: int = DEFAULT_KB * 1024) -> None:
        self.path = path
        self.size = min(max(size, MIN_SIZE), MAX_SIZE)

    def _open(self) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            return os.open(self.path, flags, 0o600)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(self.path), mode=0o700, exist_ok=True)
            return os.open(self.path, flags, 0o600)

    def _header(self, fd: int) -> _Header:
        head = _Header(os.pread(fd, AREA, 0), os.fstat(fd).st_size)
        if not head.ok:
            head.size = self.size
            os.ftruncate(fd, 0)
            os.ftruncate(fd, AREA + head.size)
        return head

    def append(self, records: Sequence[Record]) -> None:
        """Add *records*, the oldest giving way; their seq is set here. Raises OSError."""
        fd = self._open()
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            self._append(fd, self._header(fd), records)
        finally:
            os.close(fd)  # gives up the lock

    def _append(self, fd: int, head: _Header, records: Sequence[Record]) -> None:
        for rec in records:
            head.seq += 1
            octets = pack_record(rec._replace(seq=head.seq))
            if head.head + len(octets) - head.tail > head.size:
                while head.head + len(octets) - head.tail > head.size:
                    head.tail += self._oldest(fd, head)
                    head.lost += 1
                # Told before it is overwritten: a writer killed here costs only the old ones.
                os.pwrite(fd, head.pack(), 0)
            self._write(fd, head, octets)
            head.head += len(octets)
        os.pwrite(fd, head.pack(), 0)

    def _oldest(self, fd: int, head: _Header) -> int:
        """Return the octets of the oldest record; all there is if it cannot be made out."""
        used = head.head - head.tail
        start = self._read(fd, head, head.tail, min(4, used))
        if len(start) == 4 and start[:2] == _MARK:
            size = int.from_bytes(start[2:4], "little")
            if _RECORD.size <= size <= used:
                return size
        return used

    def _read(self, fd: int, head: _Header, at: int, count: int) -> bytes:
        place = at % head.size
        first = os.pread(fd, min(count, head.size - place), AREA + place)
        return first + os.pread(fd, count - len(first), AREA) if len(first) < count else first

    def _write(self, fd: int, head: _Header, octets: bytes) -> None:
        place = head.head % head.size
        cut = head.size - place
        os.pwrite(fd, octets[:cut], AREA + place)
        if len(octets) > cut:
            os.pwrite(fd, octets[cut:], AREA)

    def read(self, after: int = 0) -> list[Record]:
        """Return the records with a seq above *after*, oldest first; none if there is no ring.

        Raises OSError only if the file is there and may not be read.
        """
        try:
            fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return []
        try:
            for _ in range(3):
                head, octets = self._snapshot(fd)
                if os.pread(fd, _HEADER.size, 0) == octets[: _HEADER.size]:
                    break
        finally:
            os.close(fd)
        if not head.ok:
            return []
        area = octets[AREA : AREA + head.size]
        start, stop = head.tail % head.size, head.head % head.size
        if head.head == head.tail:
            return []
        live = area[start:stop] if start < stop else area[start:] + area[:stop]
        return sorted((rec for rec in unpack_records(live) if rec.seq > after), key=_seq)

    def _snapshot(self, fd: int) -> tuple[_Header, bytes]:
        octets = os.pread(fd, min(os.fstat(fd).st_size, AREA + MAX_SIZE), 0)
        return _Header(octets[: _HEADER.size], len(octets)), octets

    def last(self) -> int:
        """Return the seq of the newest record, 0 if there is no ring."""
        return self._peek().seq

    @property
    def monotonic(self) -> bool:
        """Whether times count from boot instead of from 1970."""
        return bool(self._peek().flags & FLAG_MONOTONIC)

    def _peek(self) -> _Header:
        try:
            fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return _Header(b"", 0)
        try:
            return _Header(os.pread(fd, _HEADER.size, 0), os.fstat(fd).st_size)
        finally:
            os.close(fd)

    def clear(self) -> None:
        """Forget every record; numbering goes on. Raises OSError."""
        fd = self._open()
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            head = self._header(fd)
            head.tail = head.head
            os.pwrite(fd, head.pack(), 0)
        finally:
            os.close(fd)

    def configure(self, size: int, *, monotonic: bool) -> None:
        """Give the ring this many octets and this kind of time, keeping what it holds."""
        self.size = min(max(size, MIN_SIZE), MAX_SIZE)
        fd = self._open()
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            head = self._header(fd)
            flags = FLAG_MONOTONIC if monotonic else 0
            if head.size == self.size and head.flags == flags:
                return
            # Times of two kinds in one ring could not be told apart.
            kept = self.read() if head.flags == flags else []
            seq, lost = head.seq, head.lost
            os.ftruncate(fd, 0)
            head = self._header(fd)
            head.flags, head.lost = flags, lost
            head.seq = seq - len(kept)
            self._append(fd, head, kept)
        finally:
            os.close(fd)


def _seq(rec: Record) -> int:
    return rec.seq


def read_log(path: str) -> list[Record]:
    """Return the records of a log file (or of a ring) at *path*. Raises OSError."""
    with open(path, "rb") as file:
        start = file.read(len(MAGIC))
        if start == MAGIC:
            return FileRing(path).read()
        size = os.fstat(file.fileno()).st_size
        file.seek(max(0, size - MAX_SIZE))
        return list(unpack_records(file.read()))


class SlogWriter:
    """Writes events to a box's ring. The log's being full or broken never stops the writer.

    path  of the ring: BoxPaths.slog         wall, now  clocks: seconds since 1970, monotonic ones
    lost  events that could not be written
    """

    def __init__(
        self,
        path: str,
        wall: Callable[[], float] = time.time,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.ring = FileRing(path)
        self._wall, self._now = wall, now
        self._pid = os.getpid()
        self.lost = 0

    def write(self, severity: int, major: int, minor: int, text: str) -> None:
        """Add a text event; each line of *text* is an event of its own."""
        lines = [line for line in text.splitlines() if line] or [""]
        self._add([Record(0, 0.0, severity, major, minor, 0, line) for line in lines])

    def write_ints(self, severity: int, major: int, minor: int, ints: Sequence[int]) -> None:
        """Add an event of numbers (slogb)."""
        self._add([Record(0, 0.0, severity, major, minor, 0, "", tuple(ints), INTS)])

    def _add(self, records: list[Record]) -> None:
        try:
            when = self._now() if self.ring.monotonic else self._wall()
            pid = os.getpid()  # a writer may outlive a fork
            self.ring.append([rec._replace(time=when, pid=pid) for rec in records])
        except OSError:
            self.lost += len(records)
