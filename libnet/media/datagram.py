"""The datagram between two ports of a segment: a fixed header, then frames in batches.

    octets  field, little-endian
    1       version
    1       kind: DATA, MARKED, HELLO, BYE, IMPAIR, LINK, STATS, REPORT, LEND, AIR, TUNE, LOST
    2       count of frames
    4       generation of the sender's knowledge of the impairments
    8       the sending port's number (the one in its file name)
    4 * count   lengths of the frames
    4 * count   marks, kind MARKED only: csum bits, a zero octet, gso_size (2 octets)
    the frames, one after another; kinds other than DATA and MARKED: count is 0 and text follows

Pure: octets in, values out.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from struct import Struct
from typing import Final, NamedTuple

from libnet.media.port import CSUM_IP4, CSUM_L4, MAX_FRAME, marked

VERSION: Final = 1
DATA: Final = 1
MARKED: Final = 2
HELLO: Final = 3  # a port has come
BYE: Final = 4  # a port goes
IMPAIR: Final = 5  # read the segment's impairments again
LINK: Final = 6  # read your cable's state again
STATS: Final = 7  # tell your counters
REPORT: Final = 8  # counters, JSON
LEND: Final = 9  # a descriptor is offered, or asked for (libnet.media.loan)
AIR: Final = 10  # a radio frame, and what follows are an air's (libnet.media.airgram)
TUNE: Final = 11  # what a radio listens to
LOST: Final = 12  # a frame came in damaged: there will be no answer

BATCH_FRAMES: Final = 1024
BATCH_OCTETS: Final = 65536  # a datagram holds more only for one longer frame
MIN_FRAME: Final = 14
MAX_TEXT: Final = 65536

_HEADER: Final = Struct("<BBHIQ")
HEADER_LEN: Final = _HEADER.size
MAX_DATAGRAM: Final = HEADER_LEN + 8 * BATCH_FRAMES + max(BATCH_OCTETS, MAX_FRAME)
_MARK: Final = Struct("<BBH")
_PLAIN: Final = {bytes}


def _table(count: int) -> Struct:
    return Struct(f"<{count}I")


# Made once: a Struct of this kind costs more than the frames of a small batch.
_TABLES: Final = tuple(_table(n) for n in range(BATCH_FRAMES + 1))


class BadDatagram(ValueError):
    """Octets that are no datagram of ours; the text names the counter."""


class Datagram(NamedTuple):
    """One datagram, read."""

    kind: int
    generation: int
    number: int
    frames: list[bytes]
    text: bytes


def build(kind: int, generation: int, number: int, text: bytes = b"") -> bytes:
    """Return a control datagram."""
    return _HEADER.pack(VERSION, kind, 0, generation & 0xFFFFFFFF, number) + text


def build_data(frames: Sequence[bytes], generation: int, number: int) -> bytes:
    """Return the datagram of at most BATCH_FRAMES *frames*."""
    count = len(frames)
    lengths = _TABLES[count].pack(*map(len, frames))
    if set(map(type, frames)) <= _PLAIN:
        head = _HEADER.pack(VERSION, DATA, count, generation & 0xFFFFFFFF, number)
        return b"".join((head, lengths, *frames))
    head = _HEADER.pack(VERSION, MARKED, count, generation & 0xFFFFFFFF, number)
    marks = b"".join(
        _MARK.pack(getattr(f, "csum", 0), 0, min(getattr(f, "gso_size", 0), 0xFFFF)) for f in frames
    )
    return b"".join((head, lengths, marks, *frames))


def fitting(frames: Sequence[bytes]) -> int:
    """Return how many from the front of *frames* go into one datagram; at least 1."""
    number = octets = 0
    for number, frame in enumerate(frames):
        octets += len(frame)
        if octets > BATCH_OCTETS or number == BATCH_FRAMES:
            return number or 1
    return number + 1


def parse(data: bytes) -> Datagram:
    """Read a datagram. Raises BadDatagram: "bad version", "bad kind" or "bad length"."""
    if len(data) < HEADER_LEN:
        raise BadDatagram("bad length")
    version, kind, count, generation, number = _HEADER.unpack_from(data)
    if version != VERSION:
        raise BadDatagram("bad version")
    if kind != DATA and kind != MARKED:
        if not HELLO <= kind <= LOST:
            raise BadDatagram("bad kind")
        if count or len(data) > HEADER_LEN + MAX_TEXT:
            raise BadDatagram("bad length")
        return Datagram(kind, generation, number, [], data[HEADER_LEN:])
    if count == 1 and kind == DATA:  # what latency is measured with
        frame = data[HEADER_LEN + 4 :]
        if int.from_bytes(data[HEADER_LEN : HEADER_LEN + 4], "little") != len(frame) or not (
            MIN_FRAME <= len(frame) <= MAX_FRAME
        ):
            raise BadDatagram("bad length")
        return Datagram(kind, generation, number, [frame], b"")
    return Datagram(kind, generation, number, _frames(data, kind, count), b"")


def _frames(data: bytes, kind: int, count: int) -> list[bytes]:
    if not 0 < count <= BATCH_FRAMES:
        raise BadDatagram("bad length")
    start = HEADER_LEN + count * (8 if kind == MARKED else 4)
    if len(data) < start:
        raise BadDatagram("bad length")
    lengths = _TABLES[count].unpack_from(data, HEADER_LEN)
    if start + sum(lengths) != len(data) or min(lengths) < MIN_FRAME or max(lengths) > MAX_FRAME:
        raise BadDatagram("bad length")
    ends = list(accumulate(lengths, initial=start))
    frames = [data[at:end] for at, end in pairwise(ends)]
    if kind == MARKED:
        at = HEADER_LEN + 4 * count
        for index in range(count):
            csum, _zero, gso_size = _MARK.unpack_from(data, at + 4 * index)
            if csum or gso_size:
                frames[index] = marked(
                    frames[index], csum=csum & (CSUM_IP4 | CSUM_L4), gso_size=gso_size
                )
    return frames
