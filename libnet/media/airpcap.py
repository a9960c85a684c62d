"""Record an air: every frame on it, whatever its channel, with radiotap in front (DLT 127).

The signal that is told is the one at a metre from the sender, and the timer is the wall clock's: the
recorder is no station, and is in no place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, BinaryIO, Final

from libnet.media.airport import Heard
from libnet.media.pcap import PcapRecorder
from libnet.wire.phy import RxInfo, is_ofdm
from libnet.wire.radiotap import CHAN_A, CHAN_B, CHAN_PUREG, rx_header

DLT_IEEE802_11_RADIO: Final = 127
NOISE_DBM: Final = -95


class AirRecorder:
    """Writes what is heard: heard() is a recorder antenna's callback, tap() that of Air.tap().

    wall   returns seconds since 1970 (Clock.wall)     how    as PcapRecorder's: snaplen, count, done
    """

    def __init__(self, file: BinaryIO, wall: Callable[[], float], **how: Any) -> None:
        self._wall = wall
        self._to = PcapRecorder(file, wall, linktype=DLT_IEEE802_11_RADIO, **how)
        self.writer = self._to.writer

    def heard(self, heard: Heard) -> None:
        """Record a frame at this moment. Raises OSError: full disk."""
        freq, rate = heard.freq, heard.rate
        channel = CHAN_A if freq >= 5000 else CHAN_PUREG if is_ofdm(rate) else CHAN_B
        tsf = int(self._wall() * 1e6)
        info = RxInfo(freq, rate, heard.signal, NOISE_DBM, tsf, heard.flags)
        self._to.receive((rx_header(info, channel, heard.frame) + heard.frame,))

    def tap(self, _now: float, heard: Heard) -> None:
        """Record, as Air.tap() calls it."""
        self.heard(heard)
