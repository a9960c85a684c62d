"""Record an air: every frame on it, whatever its channel, with radiotap in front (DLT 127).

The signal that is told is the one at a metre from the sender, and the timer is the wall clock's: the
recorder is no station, and is in no place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO, Final

from libnet.media.airport import Heard
from libnet.media.pcap import MAX_CAPLEN, PcapWriter
from libnet.wire.phy import RxInfo, is_ofdm
from libnet.wire.radiotap import CHAN_A, CHAN_B, CHAN_PUREG, rx_header

DLT_IEEE802_11_RADIO: Final = 127
NOISE_DBM: Final = -95


class AirRecorder:
    """Writes what is heard: heard() is a recorder antenna's callback, tap() that of Air.tap().

    wall   returns seconds since 1970 (Clock.wall)
    count  stop taking after so many frames (0: never)
    done   called once when *count* is reached
    """

    def __init__(
        self,
        file: BinaryIO,
        wall: Callable[[], float],
        *,
        snaplen: int = MAX_CAPLEN,
        count: int = 0,
        done: Callable[[], None] | None = None,
    ) -> None:
        self.writer = PcapWriter(file, snaplen=snaplen, linktype=DLT_IEEE802_11_RADIO)
        self._wall, self._limit, self._done = wall, count, done

    def heard(self, heard: Heard) -> None:
        """Record a frame at this moment. Raises OSError: full disk."""
        writer = self.writer
        if self._limit and writer.count >= self._limit:
            return
        now = self._wall()
        freq, rate = heard.freq, heard.rate
        channel = CHAN_A if freq >= 5000 else CHAN_PUREG if is_ofdm(rate) else CHAN_B
        info = RxInfo(freq, rate, heard.signal, NOISE_DBM, int(now * 1e6), heard.flags)
        writer.write(now, rx_header(info, channel, heard.frame) + heard.frame)
        writer.flush()
        if self._limit and writer.count >= self._limit and self._done is not None:
            done, self._done = self._done, None
            done()

    def tap(self, _now: float, heard: Heard) -> None:
        """Record, as Air.tap() calls it."""
        self.heard(heard)
