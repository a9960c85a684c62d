"""The messages between an air and a radio outside: a relay to Linux's simulated 802.11, say.

One message a datagram, little-endian. The radio outside leaves to the air what hardware does: turns,
ACKs, retries. iopkt-air(5) is the description for whoever writes a relay.

    octets  field
    1       version: 1
    1       kind: SEND, RECEIVED, STATUS or TUNE

SEND, to the air: frequency in MHz (2), cookie (4), transmit power in dBm (1, signed; 127: the usual
one), flags (1: RTS 1, SHORTPRE 2), number of pairs (1, 1 to 4), zero (1), pairs of rate in 500 kb/s (1)
and tries (1), the frame.

RECEIVED, from the air: frequency (2), rate (1), signal in dBm (1, signed), noise in dBm (1, signed),
flags (1: RX_*), timer in microseconds (8), the frame.

STATUS, from the air: zero (2), cookie (4), result (1: ACKED, FAILED or REFUSED), rate of the last try
(1), retries (1), zero (3).

TUNE, to the air: frequency (2; 0: off), flags (1: EVERY frame is wanted, 1), zero (1), station address
(6), zero (2).

Pure: octets in, values out.
"""

from __future__ import annotations

from struct import Struct
from typing import Final, NamedTuple

from libnet.media.airport import MAX_FRAME, MIN_FRAME

VERSION: Final = 1
SEND: Final = 1
RECEIVED: Final = 2
STATUS: Final = 3
TUNE: Final = 4

RTS: Final = 1
SHORTPRE: Final = 2
EVERY: Final = 1
USUAL_POWER: Final = 127
MAX_PAIRS: Final = 4

FAILED: Final = 0
ACKED: Final = 1
REFUSED: Final = 2  # never sent: no room, no such frequency, no frame

_SEND: Final = Struct("<BBHIbBBB")
_RECEIVED: Final = Struct("<BBHBbbBQ")
_STATUS: Final = Struct("<BBHIBBB3x")
_TUNE: Final = Struct("<BBHBB6s2x")


class BadMessage(ValueError):
    """Octets that are no message of these; the text names the counter."""


class Send(NamedTuple):
    """A frame to be sent; series as libnet.engine.ieee80211.radio has it."""

    freq: int
    cookie: int
    power: int
    flags: int
    series: tuple[tuple[int, int], ...]
    frame: bytes


class Received(NamedTuple):
    """A frame that came in."""

    freq: int
    rate: int
    signal: int
    noise: int
    flags: int
    tsf: int
    frame: bytes


class Status(NamedTuple):
    """What became of a Send."""

    cookie: int
    result: int
    rate: int
    retries: int


class Tune(NamedTuple):
    """What the radio outside listens to, and its address."""

    freq: int
    flags: int
    address: bytes


Message = Send | Received | Status | Tune


def build(message: Message) -> bytes:
    """Return the datagram of *message*."""
    match message:
        case Send(freq, cookie, power, flags, series, frame):
            head = _SEND.pack(VERSION, SEND, freq, cookie, power, flags, len(series), 0)
            return b"".join((head, *(bytes(pair) for pair in series), frame))
        case Received(freq, rate, signal, noise, flags, tsf, frame):
            signal, noise = (max(-128, min(level, 127)) for level in (signal, noise))
            tsf &= 0xFFFFFFFFFFFFFFFF
            return _RECEIVED.pack(VERSION, RECEIVED, freq, rate, signal, noise, flags, tsf) + frame
        case Status(cookie, result, rate, retries):
            return _STATUS.pack(VERSION, STATUS, 0, cookie, result, rate, min(retries, 255))
        case Tune(freq, flags, address):
            return _TUNE.pack(VERSION, TUNE, freq, flags, 0, address)


def parse(data: bytes) -> Message:
    """Read a datagram. Raises BadMessage: "bad version", "bad kind", "bad length" or "bad rates"."""
    if len(data) < 2:
        raise BadMessage("bad length")
    if data[0] != VERSION:
        raise BadMessage("bad version")
    kind = data[1]
    if kind == SEND:
        return _parse_send(data)
    if kind == RECEIVED:
        if len(data) < _RECEIVED.size:
            raise BadMessage("bad length")
        _v, _k, freq, rate, signal, noise, flags, tsf = _RECEIVED.unpack_from(data)
        return Received(freq, rate, signal, noise, flags, tsf, _frame(data, _RECEIVED.size))
    if kind == STATUS:
        if len(data) != _STATUS.size:
            raise BadMessage("bad length")
        return Status(*_STATUS.unpack(data)[3:])
    if kind == TUNE:
        if len(data) != _TUNE.size:
            raise BadMessage("bad length")
        _v, _k, freq, flags, _zero, address = _TUNE.unpack(data)
        return Tune(freq, flags, address)
    raise BadMessage("bad kind")


def _parse_send(data: bytes) -> Send:
    if len(data) < _SEND.size:
        raise BadMessage("bad length")
    _v, _k, freq, cookie, power, flags, count, _zero = _SEND.unpack_from(data)
    end = _SEND.size + 2 * count
    if not 1 <= count <= MAX_PAIRS:
        raise BadMessage("bad rates")
    if len(data) < end:
        raise BadMessage("bad length")
    octets = data[_SEND.size : end]
    series = tuple(zip(octets[::2], octets[1::2], strict=True))
    if not all(rate and tries for rate, tries in series):
        raise BadMessage("bad rates")
    return Send(freq, cookie, power, flags, series, _frame(data, end))


def _frame(data: bytes, at: int) -> bytes:
    if not MIN_FRAME <= len(data) - at <= MAX_FRAME:
        raise BadMessage("bad length")
    return data[at:]
