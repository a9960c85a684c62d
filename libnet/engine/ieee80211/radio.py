"""What the 802.11 room asks of a radio: the contract between it and the drivers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from libnet.wire.phy import RxInfo, TxStatus

# Ways to send one frame: (rate in 500 kb/s, tries), first to last. (rate, 1) for group addresses.
Series = Sequence[tuple[int, int]]


class Radio(Protocol):
    """One radio: what hardware does for itself.

    It waits for the channel to be free, acknowledges what is addressed to it, repeats what was not
    acknowledged (with the Retry bit), sends RTS before what asks for it, fills in the duration
    field, and drops damaged frames (counted) unless it monitors. Sequence numbers, fragments and
    ciphers are not its business. Frames have no FCS.

    address  station address (6 octets)
    modes    what it can: a tuple out of "11a", "11b", "11g"
    freqs    centre frequencies in MHz that it can be tuned to
    hostap   whether it can be an access point;  ibss, monitor likewise
    txpower  dBm                       power_save  whether sleep() saves anything
    room     how many more frames transmit() takes now

    receive  called with (frame, RxInfo) for a frame that passes the filter; set by the 802.11 room
    ready    called when there is room again after there was none; set by the 802.11 room
    """

    address: bytes
    modes: tuple[str, ...]
    freqs: tuple[int, ...]
    hostap: bool
    ibss: bool
    monitor: bool
    power_save: bool
    txpower: int
    receive: Callable[[bytes, RxInfo], None]
    ready: Callable[[], None]

    @property
    def room(self) -> int:
        """Return how many more frames transmit() takes."""

    def start(self) -> None:
        """Switch receiver and transmitter on."""

    def stop(self) -> None:
        """Switch both off; what waits to be sent is lost, and done is not called for it."""

    def tune(self, freq: int) -> None:
        """Go to the channel at *freq* MHz, at once. Raises EINVAL for one it cannot."""

    def filter(self, *, bssid: bytes, promiscuous: bool, monitor: bool) -> None:
        """Say what is wanted besides frames to `address` and to groups.

        bssid        the network one is in; zeros for none, which lets any beacon, and data between
                     ad hoc stations, through
        promiscuous  data frames to others on the channel too     monitor  everything, damaged too
        """

    def transmit(
        self,
        frame: bytes,
        series: Series,
        *,
        rts: bool = False,
        short_preamble: bool = False,
        done: Callable[[TxStatus], None] | None = None,
    ) -> bool:
        """Queue *frame*; False, and nothing is done, when there is no room."""

    def sleep(self, asleep: bool) -> None:
        """Switch the receiver off until transmit() or sleep(False); the timer goes on."""

    def tsf(self) -> int:
        """Return the timing synchronisation function's microseconds."""

    def set_tsf(self, us: int) -> None:
        """Set it (a station follows its network's)."""
