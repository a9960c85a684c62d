"""What a radio has its antenna in: the contract between radios and airs.

An air carries whole 802.11 frames without FCS. Rates are in units of 500 kb/s, powers and signals in
dBm, frequencies in MHz.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple, Protocol

from libnet.clock import Clock
from libnet.media.port import Stat

MIN_FRAME: Final = 10  # an ACK or a CTS
MAX_FRAME: Final = 2346 + 8  # the longest MSDU with header and WEP, and what a cipher may add

# (frame, signal dBm, rate, flags RX_*)
Receive = Callable[[bytes, int, int, int], None]


class Heard(NamedTuple):
    """A frame on the air, as a recorder is given it.

    freq MHz   rate 500 kb/s   signal dBm at the recorder, or at 1 m   flags RX_*   label of who sent it
    """

    frame: bytes
    freq: int
    rate: int
    signal: int
    flags: int
    label: str


class AirPort(Protocol):
    """One antenna.

    label    "BOX.NIC", as a place is given to it
    receive  called with each frame that the antenna picks up, damaged ones too (RX_BADFCS); set by
             the radio
    unanswered  called when it is certain that the answer to the last frame will not come; set by
             the radio
    prompt   whether answers come at the times the standard says; otherwise they may take as long as
             a process needs
    stat     counters: opackets obytes ipackets ibytes, and a name for each way to lose a frame
    """

    label: str
    receive: Receive
    unanswered: Callable[[], None]
    clock: Clock
    stat: Stat
    prompt: bool

    @property
    def noise(self) -> int:
        """Return the noise floor, dBm."""

    def listen(self, freq: int, address: bytes, *, nosy: bool) -> None:
        """Say what is wanted from now on.

        freq     0: nothing, the receiver is off
        address  frames to it and to groups; nosy: all frames
        """

    def contend(self, slots: int, go: Callable[[], None]) -> None:
        """Call *go* once, when the channel has been free for DIFS and *slots* backoff slots."""

    def withdraw(self) -> None:
        """Forget contend()."""

    def emit(
        self,
        frame: bytes,
        rate: int,
        power: int,
        *,
        short: bool = False,
        nav_us: int = 0,
        after_s: float = 0.0,
    ) -> float:
        """Send *frame* at once, or *after_s* seconds from now; return when it is out, in seconds.

        nav_us  for how long after it whoever hears it keeps silent
        """

    def patience(self, to: bytes) -> float:
        """Return how many seconds behind the end of a frame an answer from *to* may begin to end."""

    def coming(self) -> float:
        """Return in how many seconds an answer comes in that is on its way already; 0.0 for none.

        Where a clock follows the wall's, what was to happen in time may happen late.
        """

    def close(self) -> None:
        """Take the antenna away."""


def ignore() -> None:
    """Take no notice: what a port's unanswered is before a radio owns it."""


def times_of(freq: int) -> tuple[float, float]:
    """Return SIFS and the slot time at *freq*, in seconds (IEEE 802.11 15.3.3, 17.4.4).

    >>> times_of(2412), times_of(5180)
    ((1e-05, 2e-05), (1.6e-05, 9e-06))
    """
    return (16e-6, 9e-6) if freq >= 5000 else (10e-6, 20e-6)
