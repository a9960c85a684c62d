"""What a NIC is plugged into: the contract between drivers and media.

A frame is `bytes`; one whose transport checksum is still undone, or that is to be cut into segments,
is a libnet.wire.frame.Frame (`bytes` with marks).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Protocol

from libnet.clock import Clock
from libnet.wire.frame import CSUM_IP4 as CSUM_IP4
from libnet.wire.frame import CSUM_L4 as CSUM_L4
from libnet.wire.frame import Frame as Frame

TAKES_GSO: Final = 0x04  # in Port.takes: super-frames are welcome
TAKES_ALL: Final = CSUM_IP4 | CSUM_L4 | TAKES_GSO

MAX_FRAME: Final = 65536 + 64  # octets: the longest IP packet with its link header and tags
QUEUE_FRAMES: Final = 8192  # what one port may hold of one pass


def marked(frame: bytes, *, csum: int = 0, gso_size: int = 0) -> Frame:
    """Return *frame* with these marks."""
    made = Frame(frame)
    made.csum, made.gso_size = csum, gso_size
    return made


class Stat(dict[str, int]):
    """Counters by name; one never bumped reads as 0."""

    def __missing__(self, key: str) -> int:
        return 0


class Port(Protocol):
    """One socket on a wall: a segment's end that one NIC owns.

    receive  called with the frames that arrived, in order; set by the NIC
    link     called when the carrier changes; set by the NIC
    carrier  whether there is a live medium behind the port
    offload  whether marked frames may be sent as they are
    takes    CSUM_* and TAKES_GSO: which marks the NIC takes; others are resolved before receive
    stat     counters: ipackets ibytes opackets obytes, and a name for each way to lose a frame
    """

    receive: Callable[[Sequence[bytes]], None]
    link: Callable[[bool], None]
    carrier: bool
    offload: bool
    takes: int
    stat: Stat

    def send(self, frame: bytes) -> None:
        """Queue *frame*; it leaves with the others of this pass, or is dropped and counted."""

    def send_many(self, frames: Sequence[bytes]) -> None:
        """Queue several at once."""

    def close(self) -> None:
        """Unplug."""


class Reactor(Protocol):
    """The loop as media see it."""

    clock: Clock

    def add_reader(self, fd: int, callback: Callable[[], None]) -> None:
        """Call back whenever *fd* is readable."""

    def remove_reader(self, fd: int) -> None:
        """Forget *fd*."""

    def at_pass_end(self, callback: Callable[[], None]) -> None:
        """Call back once, when everything due in this pass has been done."""


def ignore_link(up: bool) -> None:
    """Take no notice of the carrier: what a port's link is before a NIC owns it."""
