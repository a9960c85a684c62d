"""The stack's log: a bounded ring, and the way to the box's system log."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

SHUTDOWN: Final = 0
CRITICAL: Final = 1
ERROR: Final = 2
WARNING: Final = 3
NOTICE: Final = 4
INFO: Final = 5
DEBUG1: Final = 6
DEBUG2: Final = 7

SLOGC_NETWORK: Final = 10
SLOGC_TCPIP: Final = 14

RING_RECORDS: Final = 1024


class Record(NamedTuple):
    """One record: seconds since 1970, _SLOG_* severity, _SLOGC_* major code, minor, text."""

    wall: float
    severity: int
    major: int
    minor: int
    text: str


class LogRing:
    """The last RING_RECORDS records; each is also handed to *sink* as it comes."""

    def __init__(self, wall: Callable[[], float]) -> None:
        self._wall = wall
        self.records: deque[Record] = deque(maxlen=RING_RECORDS)
        self.sink: Callable[[Record], None] | None = None

    def write(self, severity: int, text: str, *, major: int = SLOGC_TCPIP, minor: int = 0) -> None:
        """Add a record."""
        record = Record(self._wall(), severity, major, minor, text)
        self.records.append(record)
        if self.sink is not None:
            self.sink(record)
