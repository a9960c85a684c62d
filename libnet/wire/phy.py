"""The 802.11 air by numbers: channels, rates, air times, and what a radio reports of a frame.

Rates are in units of 500 kb/s throughout, as in rate elements and radiotap (11 is 5.5 Mb/s).
"""

from __future__ import annotations

from typing import Final, NamedTuple

CCK_RATES: Final = (2, 4, 11, 22)
OFDM_RATES: Final = (12, 18, 24, 36, 48, 72, 96, 108)
BASIC: Final = 0x80  # in a rate element: every member of the network must know this rate

SLOT_US: Final = 20  # 802.11b; 9 for short slots and 11a
SIFS_US: Final = 10  # 16 in the 5 GHz band
ACK_LEN: Final = 10  # octets without the FCS
FCS_LEN: Final = 4

RX_SHORTPRE: Final = 0x02  # RxInfo.flags, as radiotap's: short preamble
RX_BADFCS: Final = 0x40  # the frame came in damaged

BROADCAST: Final = b"\xff\xff\xff\xff\xff\xff"


class RxInfo(NamedTuple):
    """What a radio tells of a frame that it received.

    freq    MHz                      rate   units of 500 kb/s
    signal  dBm                      noise  dBm
    tsf     microseconds of the receiver's timer when the frame ended
    flags   RX_*
    """

    freq: int
    rate: int
    signal: int
    noise: int
    tsf: int
    flags: int = 0


class TxStatus(NamedTuple):
    """How the transmission of a frame ended.

    acked    the receiver's ACK came (True for a group-addressed frame: nobody answers those)
    rate     units of 500 kb/s, of the last try
    retries  tries after the first
    """

    acked: bool
    rate: int
    retries: int


def freq_of(chan: int, *, band5: bool = False) -> int:
    """Return the centre frequency in MHz of channel *chan* (IEEE 802.11 clauses 15, 17, 18).

    Numbers up to 14 are of the 2.4 GHz band unless *band5* is given.

    >>> freq_of(1), freq_of(14), freq_of(36)
    (2412, 2484, 5180)
    """
    if chan > 14 or band5:
        return 5000 + 5 * chan
    return 2484 if chan == 14 else 2407 + 5 * chan


def channel_of(freq: int) -> int:
    """Return the channel number of a frequency in MHz; 0 for one that has none.

    >>> channel_of(2437), channel_of(2484), channel_of(5180)
    (6, 14, 36)
    """
    if freq == 2484:
        return 14
    if freq < 2484:
        return max(0, (freq - 2407) // 5)
    return max(0, (freq - 5000) // 5)


def is_ofdm(rate: int) -> bool:
    """Tell whether *rate* is one of OFDM's.

    >>> is_ofdm(22), is_ofdm(108)
    (False, True)
    """
    return rate in OFDM_RATES


def airtime_us(rate: int, octets: int, *, short_preamble: bool = False) -> int:
    """Return how long a frame of *octets* (without FCS) is on the air, in microseconds.

    DSSS/CCK: IEEE 802.11 18.2.2 (preamble and header 192 or 96 us); OFDM: 17.4.3 (20 us and symbols
    of 4 us, each 2 bits for each 500 kb/s, with 22 bits of service and tail).

    >>> airtime_us(108, 1500), airtime_us(2, 10)
    (244, 304)
    """
    bits = 8 * (octets + FCS_LEN)
    if is_ofdm(rate):
        per_symbol = 2 * rate
        return 20 + 4 * -(-(22 + bits) // per_symbol)
    head = 96 if short_preamble and rate > 2 else 192
    return head + -(-2 * bits // rate)
