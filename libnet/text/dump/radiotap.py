"""What a radio says of a frame, before it: radiotap, AVS and Prism headers."""

from __future__ import annotations

from typing import Final

from libnet.text.dump.ieee80211 import ieee802_11_print
from libnet.text.dump.ndo import Ndo, le2, le4, u4

# Rates of one to four streams of 802.11n at 20 MHz with a long guard interval, Mb/s by MCS.
_ONE: Final = (6.5, 13.0, 19.5, 26.0, 39.0, 52.0, 58.5, 65.0)
_UNEQUAL: Final = (
    39.0, 52.0, 65.0, 58.5, 78.0, 97.5, 52.0, 65.0, 65.0, 78.0, 91.0, 91.0, 104.0, 78.0, 97.5,
    97.5, 117.0, 136.5, 136.5, 156.0, 65.0, 78.0, 91.0, 78.0, 91.0, 104.0, 117.0, 104.0, 117.0,
    130.0, 130.0, 143.0, 97.5, 117.0, 136.5, 117.0, 136.5, 156.0, 175.5, 156.0, 175.5, 195.0,
    195.0, 214.5,
)  # fmt: skip
_LONG20: Final = (*(r * n for n in (1, 2, 3, 4) for r in _ONE), 0.0, *_UNEQUAL)
_HT_WIDTHS: Final = ("20 MHz", "40 MHz", "20 MHz (L)", "20 MHz (U)")
_VHT_WIDTHS: Final = (
    "20 MHz", "40 MHz", "20 MHz (L)", "20 MHz (U)", "80 MHz", "80 MHz (L)", "80 MHz (U)",
    "80 MHz (LL)", "80 MHz (LU)", "80 MHz (UL)", "80 MHz (UU)", "160 MHz", "160 MHz (L)",
    "160 MHz (U)", "160 MHz (LL)", "160 MHz (LU)", "160 MHz (UL)", "160 MHz (UU)",
    "160 MHz (LLL)", "160 MHz (LLU)", "160 MHz (LUL)", "160 MHz (UUU)", "160 MHz (ULL)",
    "160 MHz (ULU)", "160 MHz (UUL)", "160 MHz (UUU)", "unknown (26)", "unknown (27)",
    "unknown (28)", "unknown (29)", "unknown (30)", "unknown (31)",
)  # fmt: skip
_FLAG_WORDS: Final = (
    (0x01, "cfp "), (0x02, "short preamble "), (0x04, "wep "), (0x08, "fragmented "),
    (0x40, "bad-fcs "),
)  # fmt: skip
_FLAGS, _CHANNEL, _XCHANNEL, _MCS, _VHT = 1, 3, 18, 19, 21
_F_FCS, _F_DATAPAD = 0x10, 0x20
_NAMESPACE: Final = 29
_PRISM_HDRLEN: Final = 144


class _Short(Exception):
    """A field lies beyond the length that the header gives."""


class _Unknown(Exception):
    """A field whose length nobody told us: what comes after it cannot be found."""


class _Pack:
    """The fields of a radiotap header, each aligned to its size from the header's start."""

    __slots__ = ("_b", "_end", "_start", "at")

    def __init__(self, b: bytes, start: int, length: int) -> None:
        self._b, self._start, self._end, self.at = b, start, start + length, start

    def take(self, size: int) -> int:
        """Return the next field of *size* octets, little end first. Raises _Short."""
        at = self.at + (self._start - self.at) % size
        if at + size > self._end:
            raise _Short
        self.at = at + size
        return int.from_bytes(self._b[at : at + size], "little")

    def signed(self, size: int) -> int:
        """Return the next field as a signed number."""
        value = self.take(size)
        return value - (1 << 8 * size) if value >> (8 * size - 1) else value

    def skip(self, size: int) -> bool:
        """Pass over *size* octets; return whether they were there."""
        if self.at + size > self._end:
            return False
        self.at += size
        return True


def _ht_rate(mcs: int, flags: int) -> float:
    if mcs >= len(_LONG20):
        return 0.0
    wide, short = flags & 3 == 1, bool(flags & 4)
    if mcs == 32:
        # Only defined for 40 MHz: the same on both halves.
        return (6.7 if short else 6.0) if wide else 0.0
    rate = _LONG20[mcs]
    if wide:
        rate = rate * 27 / 13
    return rate * 10 / 9 if short else rate


def _chaninfo(ndo: Ndo, freq: int, flags: int, present: int) -> None:
    p = ndo.p
    p(f"{freq} MHz")
    width = "/10Mhz" if flags & 0x4000 else "/5Mhz" if flags & 0x8000 else ""
    if present & 1 << _MCS:
        p(" 11n")
    else:
        if flags & 0x880 == 0x880:
            p(" FHSS")
        if flags & 0x140 == 0x140:
            p(f" 11a{width}")
        if flags & 0xC0 == 0xC0 or flags & 0x480 == 0x480:
            p(f" 11g{width}")
        elif flags & 0xA0 == 0xA0:
            p(" 11b")
        if flags & 0x10:
            p(" Turbo")
    if flags & 0x10000:
        p(" ht/20")
    elif flags & 0x40000:
        p(" ht/40-")
    elif flags & 0x20000:
        p(" ht/40+")
    p(" ")


def _mcs_print(ndo: Ndo, s: _Pack) -> None:
    p = ndo.p
    known, flags, mcs = s.take(1), s.take(1), s.take(1)
    if known & 2:
        rate = _ht_rate(mcs, flags) if known & 5 else 0.0
        p(f"{rate:.1f} Mb/s MCS {mcs} " if rate else f"MCS {mcs} ")
    if known & 1:
        p(f"{_HT_WIDTHS[flags & 3]} ")
    if known & 4:
        p("short GI " if flags & 4 else "long GI ")
    if known & 8:
        p("greenfield " if flags & 8 else "mixed ")
    if known & 0x10:
        p("LDPC FEC " if flags & 0x10 else "BCC FEC ")
    if known & 0x20:
        p(f"RX-STBC{flags >> 5 & 3} ")


def _vht_print(ndo: Ndo, s: _Pack) -> None:
    p = ndo.p
    known, flags, width = s.take(2), s.take(1), s.take(1)
    users = [s.take(1) for _ in range(4)]
    coding = s.take(1)
    s.take(1)
    s.take(2)
    for i, user in enumerate(users):
        if user & 15:
            p(f"User {i} MCS {user >> 4} ")
            p("LDPC FEC " if coding >> i & 1 else "BCC FEC ")
    if known & 0x40:
        p(f"{_VHT_WIDTHS[width & 31]} ")
    if known & 4:
        p("short GI " if flags & 4 else "long GI ")


def _field(ndo: Ndo, s: _Pack, bit: int, present: int) -> int | None:
    """Print the field of *bit*; return the frame's flags if it is that. Raises _Short."""
    p = ndo.p
    if bit == 0:
        p(f"{s.take(8)}us tsft ")
    elif bit == _FLAGS:
        flags = s.take(1)
        p("".join([word for mask, word in _FLAG_WORDS if flags & mask]))
        return flags
    elif bit == 2:
        rate = s.take(1)
        p(f"MCS {rate & 0x7F} " if 0x80 <= rate <= 0x8F else f"{0.5 * rate:.1f} Mb/s ")
    elif bit == _CHANNEL:
        freq, flags = s.take(2), s.take(2)
        if not present & 1 << _XCHANNEL:
            _chaninfo(ndo, freq, flags, present)
    elif bit == 4:
        hopset, pattern = s.take(1), s.take(1)
        p(f"fhset {hopset} fhpat {pattern} ")
    elif bit == 5:
        p(f"{s.signed(1)}dBm signal ")
    elif bit == 6:
        p(f"{s.signed(1)}dBm noise ")
    elif bit == 7:
        p(f"{s.take(2)} sq ")
    elif bit == 8:
        p(f"{-s.signed(2)} tx power ")
    elif bit == 9:
        p(f"{-s.signed(1)}dB tx attenuation ")
    elif bit == 10:
        p(f"{s.signed(1)}dBm tx power ")
    elif bit == 11:
        p(f"antenna {s.take(1)} ")
    elif bit == 12:
        p(f"{s.take(1)}dB signal ")
    elif bit == 13:
        p(f"{s.take(1)}dB noise ")
    elif bit == 14:
        s.take(2)
    elif bit == _XCHANNEL:
        flags, freq = s.take(4), s.take(2)
        s.take(1)
        s.take(1)
        _chaninfo(ndo, freq, flags, present)
    elif bit == _MCS:
        _mcs_print(ndo, s)
    elif bit == 20:
        for size in (4, 2, 1, 1):
            s.take(size)
    elif bit == _VHT:
        _vht_print(ndo, s)
    else:
        p(f"[bit {bit}] ")
        raise _Unknown
    return None


def ieee802_11_radio_print(ndo: Ndo, b: bytes, o: int, length: int) -> int:
    """Print a radiotap header and the frame; return the length of the headers."""
    ndo.protocol = "802.11_radio"
    caplen = len(b) - o
    size = le2(b, o + 2) if caplen >= 8 else 0
    if caplen < 8 or size < 8 or caplen < size:
        ndo.trunc()
        return caplen
    s = _Pack(b, o, size)
    s.skip(8)
    last = o + 4
    while last + 4 <= o + size and le4(b, last) & 0x80000000:
        s.skip(4)
        last += 4
    if last + 4 > o + size:
        ndo.trunc()
        return caplen
    flags = _present(ndo, b, s, o + 4, last)
    return size + ieee802_11_print(
        ndo, b, o + size, length - size, pad=bool(flags & _F_DATAPAD),
        fcslen=4 if flags & _F_FCS else 0,
    )  # fmt: skip


def _present(ndo: Ndo, b: bytes, s: _Pack, first: int, last: int) -> int:
    """Print what the words of presence bits from *first* to *last* announce; return the flags."""
    flags, bit0, vendor, skip = 0, 0, False, 0
    for at in range(first, last + 1, 4):
        present = le4(b, at)
        if vendor:
            if not s.skip(skip):
                break
            skip = 0
        else:
            try:
                for bit in range(_NAMESPACE):
                    if present >> bit & 1:
                        got = _field(ndo, s, bit0 + bit, present)
                        flags = flags if got is None else got
            except _Short:
                ndo.trunc()
                break
            except _Unknown:
                break
        which = present >> _NAMESPACE & 3
        if which == 0:
            bit0 += 32
        elif which == 1:
            bit0, vendor, skip = 0, False, 0
        elif which == 2:
            bit0, vendor = 0, True
            try:
                for _ in range(4):
                    s.take(1)
                skip = s.take(2)
            except _Short:
                ndo.trunc()
    return flags


def ieee802_11_radio_if_print(ndo: Ndo, b: bytes, length: int) -> None:
    """Print a frame behind a radiotap header (DLT_IEEE802_11_RADIO)."""
    ndo.ll_hdr_len += ieee802_11_radio_print(ndo, b, 0, length)


def _avs(ndo: Ndo, b: bytes, length: int) -> int:
    ndo.protocol = "802.11_radio_avs"
    size = u4(b, 4) if len(b) >= 8 else 0
    if size < 8 or len(b) < size:
        ndo.trunc()
        return len(b)
    return size + ieee802_11_print(ndo, b, size, length - size, pad=False, fcslen=0)


def avs_if_print(ndo: Ndo, b: bytes, length: int) -> None:
    """Print a frame behind an AVS header (DLT_IEEE802_11_RADIO_AVS)."""
    ndo.ll_hdr_len += _avs(ndo, b, length)


def prism_if_print(ndo: Ndo, b: bytes, length: int) -> None:
    """Print a frame behind a Prism header, or an AVS one in its place (DLT_PRISM_HEADER)."""
    ndo.protocol = "prism"
    if len(b) >= 4 and u4(b, 0) in (0x80211001, 0x80211002):
        ndo.ll_hdr_len += _avs(ndo, b, length)
        return
    if len(b) < _PRISM_HDRLEN:
        ndo.trunc()
        ndo.ll_hdr_len += len(b)
        return
    ndo.ll_hdr_len += _PRISM_HDRLEN
    ndo.ll_hdr_len += ieee802_11_print(
        ndo, b, _PRISM_HDRLEN, length - _PRISM_HDRLEN, pad=False, fcslen=0
    )
