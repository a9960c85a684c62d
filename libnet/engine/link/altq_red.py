"""RED, ECN marking and RIO: packets dropped before a queue is full.

Floyd and Jacobson 1993; RFC 3168; RIO of Clark and Fang 1998.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from libnet.clock import Dice
from libnet.wire.cksum import in_cksum_adjust

if TYPE_CHECKING:
    from libnet.engine.link.altq import Waiting

WEIGHT: Final = 1 / 512  # of one packet in the average
TH_MIN: Final = 5.0  # packets
TH_MAX: Final = 15.0
MAX_P: Final = 0.1

# RIO by the drop precedence of an assured-forwarding DSCP (RFC 2597): low, medium, high.
RIO_LEVELS: Final = ((15.0, 40.0, 0.02), (10.0, 30.0, 0.05), (5.0, 20.0, 0.1))
_PRECEDENCE: Final = {0x08: 0, 0x10: 1, 0x18: 2}

_ECN_MASK: Final = 0x03
_ECN_CE: Final = 0x03


class _Level:
    """The average of one drop precedence, and how long ago one was dropped."""

    __slots__ = ("avg", "count", "high", "low", "max_p")

    def __init__(self, low: float, high: float, max_p: float) -> None:
        self.low, self.high, self.max_p = low, high, max_p
        self.avg = 0.0
        self.count = 0


class Dropper:
    """One queue's early dropping.

    rio      three averages by drop precedence instead of one        ecn  mark rather than drop
    pkttime  seconds that a typical packet takes: how the average sinks while the queue is idle
    """

    def __init__(self, dice: Dice, *, rio: bool, ecn: bool, pkttime: float) -> None:
        self._dice, self.rio, self.ecn, self.pkttime = dice, rio, ecn, pkttime
        rows = RIO_LEVELS if rio else ((TH_MIN, TH_MAX, MAX_P),)
        self.levels = [_Level(*row) for row in rows]
        self.marked = self.early = 0
        self._idle_since: float | None = 0.0

    def idle(self, now: float) -> None:
        """Note that the queue has run empty."""
        self._idle_since = now

    def admit(self, w: Waiting, held: int, now: float) -> bool:
        """Decide about a packet for a queue that holds *held*; it may leave marked."""
        if self._idle_since is not None:
            # While nothing came, the average has sunk as if small packets had gone by.
            gone = int((now - self._idle_since) / self.pkttime)
            self._idle_since = None
            for level in self.levels:
                level.avg *= (1 - WEIGHT) ** min(gone, 1 << 16)
        tos = w.m.data[1] if w.m is not None and len(w.m.data) > 1 else 0
        mine = _PRECEDENCE.get(tos & 0x18, 0) if self.rio else 0
        for number, level in enumerate(self.levels):
            # Packets of a precedence count for it and for all that are dropped earlier.
            if number >= mine:
                level.avg += (held - level.avg) * WEIGHT
        level = self.levels[mine]
        if level.avg < level.low or held <= 1:
            level.count = 0
            return True
        if level.avg < level.high:
            chance = level.max_p * (level.avg - level.low) / (level.high - level.low)
            level.count += 1
            # Spread evenly: the longer none was dropped, the likelier the next.
            spread = 1 - level.count * chance
            if spread > 0 and self._dice.random() >= chance / spread:
                return True
            level.count = 0
            if self.ecn and mark_ecn(w):
                self.marked += 1
                return True
        level.count = 0
        self.early += 1
        return False


def mark_ecn(w: Waiting) -> bool:
    """Set Congestion Experienced in an IPv4 header; False when its sender does not do ECN.

    RFC 3168 section 5.
    """
    m = w.m
    if m is None or not m.data or m.data[0] >> 4 != 4:
        return False
    tos = m.data[1]
    if not tos & _ECN_MASK:
        return False
    if tos & _ECN_MASK == _ECN_CE:
        return True
    old = m.data[0] << 8 | tos
    head = bytearray(m.data[:20])
    head[1] = tos | _ECN_CE
    cksum = in_cksum_adjust(head[10] << 8 | head[11], old, head[0] << 8 | head[1])
    head[10:12] = cksum.to_bytes(2, "big")
    before, m.data = m.data, bytes(head) + m.data[20:]
    item = w.item
    if isinstance(item, bytes) and item.endswith(before):
        front = item[: len(item) - len(before)]
        if type(item) is bytes:
            w.item = front + m.data
        else:
            # A frame with offload marks keeps them.
            marked = type(item)(front + m.data)
            marked.__dict__.update(item.__dict__)
            w.item = marked
    elif item is not m and hasattr(item, "data"):
        item.data = m.data
    return True
