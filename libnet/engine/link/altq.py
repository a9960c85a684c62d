"""ALTQ: the send queue of an interface in classes, behind a token bucket (altq(9)).

The token bucket stands for the wire: the driver of a virtual NIC sends at once, so it is the bucket that
makes packets wait, and while they wait the discipline decides which goes first. What waits is any
object with a size; what leaves is given to *emit*.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final, Protocol

from libnet.clock import Callout, Clock, Dice
from libnet.engine.kern.mbuf import Mbuf
from libnet.engine.link.altq_red import Dropper

DEFAULT_QLIMIT: Final = 50
_LEAST_WAIT_S: Final = 1e-6


class Waiting:
    """One packet in a queue: what to emit, its octets, and its Mbuf for who reads the header."""

    __slots__ = ("item", "m", "size")

    def __init__(self, item: Any, size: int, m: Mbuf | None) -> None:
        self.item, self.size, self.m = item, size, m


class Queue:
    """One class's packets, oldest first, and what has become of them.

    limit    packets          dropper  decides early who is dropped, or None for a plain tail
    period   how often it ran empty
    """

    def __init__(self, qid: int, limit: int, dropper: Dropper | None = None) -> None:
        self.qid = qid
        self.limit = limit or DEFAULT_QLIMIT
        self.dropper = dropper
        self.packets: deque[Waiting] = deque()
        self.xmit_packets = self.xmit_bytes = self.drop_packets = self.drop_bytes = 0
        self.period = self.borrows = self.delays = 0

    def put(self, w: Waiting, now: float) -> bool:
        """Add a packet; False when it was dropped."""
        held = len(self.packets)
        if held >= self.limit or (
            self.dropper is not None and not self.dropper.admit(w, held, now)
        ):
            self.drop_packets += 1
            self.drop_bytes += w.size
            return False
        self.packets.append(w)
        return True

    def get(self, now: float) -> Waiting:
        """Take the oldest packet out."""
        w = self.packets.popleft()
        self.xmit_packets += 1
        self.xmit_bytes += w.size
        if not self.packets:
            self.period += 1
            if self.dropper is not None:
                self.dropper.idle(now)
        return w

    def purge(self) -> int:
        """Drop everything; return how many that were."""
        count = len(self.packets)
        self.drop_packets += count
        self.drop_bytes += sum(w.size for w in self.packets)
        self.packets.clear()
        return count


class Discipline(Protocol):
    """What chooses among queues: priq, cbq, hfsc.

    queues  by qid
    """

    queues: dict[int, Queue]

    def enqueue(self, w: Waiting, qid: int, now: float) -> bool:
        """Put a packet into its queue, or into the default one; False when it was dropped."""

    def dequeue(self, now: float) -> Waiting | None:
        """Take out the packet to send next; None when none may go now."""

    def next_time(self, now: float) -> float:
        """Return when one may go, if some wait and none may go now."""

    def backlog(self) -> int:
        """Return how many packets wait."""


class Altq:
    """ALTQ on one interface.

    rate   bits per second         depth  octets that may go at once
    """

    def __init__(
        self,
        clock: Clock,
        discipline: Discipline,
        rate: int,
        depth: int,
        emit: Callable[[Any], None],
    ) -> None:
        self.clock, self.discipline, self.emit = clock, discipline, emit
        self.rate = rate / 8.0
        self.depth = float(max(depth, 1))
        self.tokens = self.depth
        self.last = clock.now
        self._timer: Callout | None = None
        self._pumping = False

    def enqueue(self, item: Any, size: int, m: Mbuf | None) -> bool:
        """Take a packet to send; False when its queue dropped it."""
        tags = m.tags if m is not None else None
        qid = tags.get("pf_qid", 0) if tags else 0
        w = Waiting(item, size, m)
        if not self.discipline.enqueue(w, qid, self.clock.now):
            return False
        self.pump()
        return True

    def pump(self) -> None:
        """Send what the rate allows; set a timer for the rest."""
        if self._pumping:
            return  # a packet that is sent may bring about another
        self._pumping = True
        try:
            self._pump()
        finally:
            self._pumping = False

    def _pump(self) -> None:
        now = self.clock.now
        self.tokens = min(self.depth, self.tokens + (now - self.last) * self.rate)
        self.last = now
        discipline = self.discipline
        while self.tokens > 0:
            w = discipline.dequeue(now)
            if w is None:
                break
            self.tokens -= w.size
            self.emit(w.item)
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
        if not discipline.backlog():
            return
        if self.tokens <= 0:
            wait = -self.tokens / self.rate if self.rate else 1.0
        else:
            wait = discipline.next_time(now) - now
        self._timer = self.clock.after(max(wait, _LEAST_WAIT_S), self._run)

    def _run(self) -> None:
        self._timer = None
        self.pump()

    def stop(self) -> None:
        """Drop what waits: the interface goes back to a plain queue."""
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
        for queue in self.discipline.queues.values():
            queue.purge()


class Priq:
    """Strict priorities: 15 goes first (altq_priq).

    default  the qid of the default class
    """

    def __init__(self, default: int, classes: list[tuple[int, int, Queue]]) -> None:
        self.queues = {qid: queue for qid, _priority, queue in classes}
        self.default = default
        self._order = [
            queue for _qid, _priority, queue in sorted(classes, key=lambda c: c[1], reverse=True)
        ]
        self._held = 0

    def enqueue(self, w: Waiting, qid: int, now: float) -> bool:
        """See Discipline."""
        queue = self.queues.get(qid) or self.queues[self.default]
        if not queue.put(w, now):
            return False
        self._held += 1
        return True

    def dequeue(self, now: float) -> Waiting | None:
        """See Discipline."""
        for queue in self._order:
            if queue.packets:
                self._held -= 1
                return queue.get(now)
        return None

    def next_time(self, now: float) -> float:
        """See Discipline: whatever waits may go."""
        return now

    def backlog(self) -> int:
        """See Discipline."""
        return self._held


def dropper(dice: Dice, kind: str, *, ecn: bool, rate: int) -> Dropper | None:
    """Return the early dropper of a class: kind "red", "rio" or ""."""
    if not kind:
        return None
    return Dropper(dice, rio=kind == "rio", ecn=ecn, pkttime=1500 * 8 / max(rate, 1))
