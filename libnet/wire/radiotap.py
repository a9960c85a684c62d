"""Radiotap: what a radio tells of a frame, in front of it (DLT_IEEE802_11_RADIO; radiotap.org).

A header is a version, its length, a word of bits that say which fields are there, and the fields, little
endian and each aligned to its own size. A field that is not known ends the reading, since its size is
not known either; the frame begins where the length says.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import Final, NamedTuple

from libnet.wire import Malformed, Truncated
from libnet.wire.phy import RxInfo

_HDR: Final = Struct("<BBHI")
HDRLEN: Final = _HDR.size

F_CFP: Final = 0x01
F_SHORTPRE: Final = 0x02
F_WEP: Final = 0x04
F_FRAG: Final = 0x08
F_FCS: Final = 0x10  # the frame ends with its FCS
F_DATAPAD: Final = 0x20
F_BADFCS: Final = 0x40

# Channel flags, as net80211's.
CHAN_TURBO: Final = 0x0010
CHAN_CCK: Final = 0x0020
CHAN_OFDM: Final = 0x0040
CHAN_2GHZ: Final = 0x0080
CHAN_5GHZ: Final = 0x0100
CHAN_PASSIVE: Final = 0x0200
CHAN_DYN: Final = 0x0400
CHAN_GFSK: Final = 0x0800
CHAN_A: Final = CHAN_5GHZ | CHAN_OFDM
CHAN_B: Final = CHAN_2GHZ | CHAN_CCK
CHAN_PUREG: Final = CHAN_2GHZ | CHAN_OFDM
CHAN_G: Final = CHAN_2GHZ | CHAN_DYN

_EXT: Final = 31  # another word of bits follows

# Bit of the present word, member, layout of one value. Two-part fields have a row a part.
_FIELDS: Final = (
    (0, ("tsft",), Struct("<Q"), 8),
    (1, ("flags",), Struct("<B"), 1),
    (2, ("rate",), Struct("<B"), 1),
    (3, ("freq", "chanflags"), Struct("<HH"), 2),
    (4, ("fhss",), Struct("<H"), 2),
    (5, ("signal",), Struct("<b"), 1),
    (6, ("noise",), Struct("<b"), 1),
    (7, ("quality",), Struct("<H"), 2),
    (8, ("attenuation",), Struct("<H"), 2),
    (9, ("db_attenuation",), Struct("<H"), 2),
    (10, ("txpower",), Struct("<b"), 1),
    (11, ("antenna",), Struct("<B"), 1),
    (12, ("db_signal",), Struct("<B"), 1),
    (13, ("db_noise",), Struct("<B"), 1),
    (14, ("rxflags",), Struct("<H"), 2),
)


class Radiotap(NamedTuple):
    """The fields of a header, None for one not there.

    tsft       microseconds when the first bit came    flags    F_*
    rate       units of 500 kb/s                       freq     MHz, with chanflags CHAN_*
    fhss       hop set and pattern
    signal, noise, txpower   dBm                       antenna  number from 0
    quality    of the lock, unitless
    attenuation, db_attenuation  of transmit power: unitless, dB
    db_signal, db_noise      dB above an arbitrary point
    rxflags    bits of reception
    """

    tsft: int | None = None
    flags: int | None = None
    rate: int | None = None
    freq: int | None = None
    chanflags: int | None = None
    fhss: int | None = None
    signal: int | None = None
    noise: int | None = None
    quality: int | None = None
    attenuation: int | None = None
    db_attenuation: int | None = None
    txpower: int | None = None
    antenna: int | None = None
    db_signal: int | None = None
    db_noise: int | None = None
    rxflags: int | None = None

    @classmethod
    def parse(cls, buf: bytes) -> tuple[Radiotap, bytes]:
        """Read the header at the front of *buf*; return it and the frame behind it.

        Raises Truncated for a header that is not whole, or whose fields pass its length; Malformed
        for another version than 0 or a length that is impossible. The first word's fields are read.
        """
        if len(buf) < HDRLEN:
            raise Truncated("radiotap", need=HDRLEN, have=len(buf))
        version, _pad, length, present = _HDR.unpack_from(buf)
        if version:
            raise Malformed("radiotap", f"version {version}")
        if length < HDRLEN:
            raise Malformed("radiotap", f"length {length}")
        if len(buf) < length:
            raise Truncated("radiotap", need=length, have=len(buf))
        at, word = HDRLEN, present
        while word >> _EXT:
            if at + 4 > length:
                raise Truncated("radiotap", need=at + 4, have=length)
            word = int.from_bytes(buf[at : at + 4], "little")
            at += 4
        found = dict(_values(buf[:length], at, present & 0x7FFFFFFF))
        return cls(**found), buf[length:]

    def build(self) -> bytes:
        """Return the header with the fields that are not None."""
        present, body = 0, bytearray()
        for bit, names, layout, align in _FIELDS:
            values = [getattr(self, name) for name in names]
            if values[0] is None:
                continue
            present |= 1 << bit
            # The fields begin at an offset of 8, so padding may be counted from there.
            body += bytes(-len(body) % align)
            body += layout.pack(*(value or 0 for value in values))
        return _HDR.pack(0, 0, HDRLEN + len(body), present) + bytes(body)


def _values(buf: bytes, at: int, present: int) -> Iterator[tuple[str, int]]:
    for bit, names, layout, align in _FIELDS:
        if not present >> bit & 1:
            continue
        at += -at % align
        if at + layout.size > len(buf):
            raise Truncated("radiotap", need=at + layout.size, have=len(buf))
        yield from zip(names, layout.unpack_from(buf, at), strict=True)
        at += layout.size


# What our interfaces show: one struct each, for every frame passes here while somebody listens.
_RX: Final = Struct("<BBHIQBBHHbbB")
_RX_PRESENT: Final = 0x0000086F  # TSFT flags rate channel signal noise antenna
_TX: Final = Struct("<BBHIBBHHbB")
_TX_PRESENT: Final = 0x00000C0E  # flags rate channel txpower antenna
_PROTECTED: Final = 0x40  # octet 1 of a frame
_MOREFRAG: Final = 0x04


def _flags_of(frame: bytes) -> int:
    if len(frame) < 2:
        return 0
    return (F_WEP if frame[1] & _PROTECTED else 0) | (F_FRAG if frame[1] & _MOREFRAG else 0)


def rx_header(info: RxInfo, chanflags: int, frame: bytes) -> bytes:
    """Return the header for a received frame; RxInfo.flags are radiotap's already."""
    return _RX.pack(
        0,
        0,
        _RX.size,
        _RX_PRESENT,
        info.tsf & 0xFFFFFFFFFFFFFFFF,
        info.flags | _flags_of(frame),
        info.rate & 0xFF,
        info.freq,
        chanflags,
        max(-128, min(127, info.signal)),
        max(-128, min(127, info.noise)),
        0,
    )


def tx_header(
    freq: int, rate: int, chanflags: int, txpower: int, frame: bytes, *, shortpre: bool = False
) -> bytes:
    """Return the header for a frame that is sent: MHz, units of 500 kb/s, CHAN_*, dBm."""
    flags = _flags_of(frame) | (F_SHORTPRE if shortpre else 0)
    return _TX.pack(0, 0, _TX.size, _TX_PRESENT, flags, rate & 0xFF, freq, chanflags, txpower, 0)
