"""What an air's datagrams hold behind the header that they share with a segment's (media.datagram).

Little-endian. AIR, a frame on the air:

    octets  field
    2       frequency, MHz
    1       rate, 500 kb/s
    1       transmit power, dBm, signed
    1       flags: RX_SHORTPRE
    1       zero
    2       microseconds behind the frame for which others are to keep silent
    4       serial number of the sender's frames
    4       air time, microseconds
    8       start, seconds of the host's monotonic clock (IEEE 754)
    3 * 4   the sender's place, metres: x, y, z (IEEE 754)
    10...   the 802.11 frame without FCS

TUNE, what the sender listens to: frequency (2; 0: nothing), whether it wants all frames (1), zero (1),
station address (6). LOST, to the sender of a frame that came in damaged: its serial number (4).

Pure: octets in, values out.
"""

from __future__ import annotations

import math
from struct import Struct
from typing import Final, NamedTuple

from libnet.media.airmodel import FARTHEST_M, Position
from libnet.media.airport import MAX_FRAME, MIN_FRAME
from libnet.media.datagram import BadDatagram
from libnet.wire.phy import CCK_RATES, OFDM_RATES, RX_SHORTPRE

_RATES: Final = frozenset(CCK_RATES + OFDM_RATES)
_AIR: Final = Struct("<HBbBBHIIdfff")
_TUNE: Final = Struct("<HBB6s")
_LOST: Final = Struct("<I")
AIR_LEN: Final = _AIR.size


class Sent(NamedTuple):
    """A frame and how it was sent; the octet layout is the module's."""

    frame: bytes
    freq: int
    rate: int
    power: int
    flags: int
    nav_us: int
    serial: int
    airtime_us: int
    start: float
    place: Position


class Tuned(NamedTuple):
    """What a radio listens to: MHz or 0, all frames or those to its address and to groups."""

    freq: int
    nosy: bool
    address: bytes


def build_air(sent: Sent) -> bytes:
    """Return the text of an AIR datagram."""
    head = _AIR.pack(
        sent.freq,
        sent.rate,
        max(-128, min(sent.power, 127)),
        sent.flags,
        0,
        min(sent.nav_us, 0xFFFF),
        sent.serial & 0xFFFFFFFF,
        sent.airtime_us,
        sent.start,
        *sent.place,
    )
    return head + sent.frame


def parse_air(text: bytes) -> Sent:
    """Read the text of an AIR datagram. Raises BadDatagram: "bad length" or "bad air header"."""
    if not AIR_LEN + MIN_FRAME <= len(text) <= AIR_LEN + MAX_FRAME:
        raise BadDatagram("bad length")
    freq, rate, power, flags, _zero, nav, serial, airtime, start, x, y, z = _AIR.unpack_from(text)
    if (
        not (rate in _RATES and freq)
        or not math.isfinite(start)
        or not all(abs(v) <= FARTHEST_M for v in (x, y, z))
    ):
        raise BadDatagram("bad air header")
    flags &= RX_SHORTPRE
    frame = text[AIR_LEN:]
    return Sent(frame, freq, rate, power, flags, nav, serial, airtime, start, (x, y, z))


def build_tune(tuned: Tuned) -> bytes:
    """Return the text of a TUNE datagram."""
    return _TUNE.pack(tuned.freq, tuned.nosy, 0, tuned.address)


def parse_tune(text: bytes) -> Tuned:
    """Read the text of a TUNE datagram. Raises BadDatagram: "bad length"."""
    if len(text) != _TUNE.size:
        raise BadDatagram("bad length")
    freq, nosy, _zero, address = _TUNE.unpack(text)
    return Tuned(freq, bool(nosy), address)


def build_lost(serial: int) -> bytes:
    """Return the text of a LOST datagram."""
    return _LOST.pack(serial & 0xFFFFFFFF)


def parse_lost(text: bytes) -> int:
    """Read the text of a LOST datagram. Raises BadDatagram: "bad length"."""
    if len(text) != _LOST.size:
        raise BadDatagram("bad length")
    serial: int = _LOST.unpack(text)[0]
    return serial
