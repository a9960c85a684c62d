"""CBQ: classes with a share of the link, which they may borrow (Floyd and Van Jacobson 1995).

Every class has a bucket that fills at its rate; what it sends empties its own bucket and those of all
its ancestors. A class whose bucket is not empty is under its limit. One that is over may send only if
it may borrow and an ancestor on the way is under its limit. Among classes of one priority turns are
weighted by their rates.
"""

from __future__ import annotations

from typing import Final

from libnet.engine.link.altq import Queue, Waiting

PRIORITIES: Final = 8
_QUANTUM: Final = 1500.0  # octets that the smallest share may send in a turn


class Class:
    """One class.

    rate     octets per second            burst     octets that it may send at once
    parent   None for the root            borrows   whether it may use its parent's spare rate
    """

    __slots__ = (
        "borrows",
        "burst",
        "deficit",
        "last",
        "parent",
        "priority",
        "queue",
        "rate",
        "tokens",
    )

    def __init__(
        self, queue: Queue, parent: Class | None, rate: float, priority: int, burst: float
    ) -> None:
        self.queue, self.parent, self.rate, self.priority = queue, parent, rate, priority
        self.burst = burst
        self.borrows = False
        self.tokens = burst
        self.last = 0.0
        self.deficit = 0.0

    def refill(self, now: float) -> None:
        """Bring the bucket up to date."""
        if now > self.last:
            self.tokens = min(self.burst, self.tokens + (now - self.last) * self.rate)
            self.last = now

    def lender(self, now: float) -> Class | None:
        """Return who pays for the next packet: itself, an ancestor, or nobody."""
        cl: Class | None = self
        while cl is not None:
            cl.refill(now)
            if cl.tokens > 0:
                return cl
            cl = cl.parent if cl.borrows else None
        return None

    def ready_at(self, now: float) -> float:
        """Return when somebody will pay."""
        best = float("inf")
        cl: Class | None = self
        while cl is not None:
            if cl.tokens > 0:
                return now
            if cl.rate > 0:
                best = min(best, now - cl.tokens / cl.rate)
            cl = cl.parent if cl.borrows else None
        return best


class Cbq:
    """The discipline; *classes* are all but those without packets of their own matter."""

    def __init__(self, default: int, classes: dict[int, Class]) -> None:
        self.classes = classes
        self.default = default
        self.queues = {qid: cl.queue for qid, cl in classes.items()}
        self._rings: list[list[Class]] = [[] for _ in range(PRIORITIES)]
        for cl in classes.values():
            self._rings[cl.priority].append(cl)
        least = min((cl.rate for cl in classes.values() if cl.rate > 0), default=1.0)
        self._quantum = {id(cl): _QUANTUM * max(cl.rate / least, 0.01) for cl in classes.values()}
        self._held = 0

    def enqueue(self, w: Waiting, qid: int, now: float) -> bool:
        """See Discipline."""
        cl = self.classes.get(qid) or self.classes[self.default]
        if not cl.queue.put(w, now):
            return False
        self._held += 1
        return True

    def dequeue(self, now: float) -> Waiting | None:
        """See Discipline."""
        if not self._held:
            return None
        for ring in reversed(self._rings):
            w = self._turn(ring, now)
            if w is not None:
                return w
        return None

    def _turn(self, ring: list[Class], now: float) -> Waiting | None:
        """Give the classes of one priority their turns until one may send."""
        able = []
        for cl in ring:
            if not cl.queue.packets:
                cl.deficit = 0.0
                continue
            payer = cl.lender(now)
            if payer is None:
                cl.queue.delays += 1
            else:
                able.append((cl, payer))
        if not able:
            return None
        while True:
            for cl, payer in able:
                size = cl.queue.packets[0].size
                if cl.deficit >= size:
                    return self._send(cl, payer, size, now)
            for cl, _payer in able:
                cl.deficit += self._quantum[id(cl)]
            # Who has just sent goes to the end, so that equal shares alternate.

    def _send(self, cl: Class, payer: Class, size: int, now: float) -> Waiting:
        cl.deficit -= size
        if payer is not cl:
            cl.queue.borrows += 1
        up: Class | None = cl
        while up is not None:
            up.refill(now)
            up.tokens -= size
            # A debt longer than a burst would starve the class after it has borrowed for long.
            up.tokens = max(up.tokens, -up.burst)
            up = up.parent
        self._held -= 1
        return cl.queue.get(now)

    def next_time(self, now: float) -> float:
        """See Discipline."""
        times = [cl.ready_at(now) for cl in self.classes.values() if cl.queue.packets]
        return min(times, default=now + 1.0)

    def backlog(self) -> int:
        """See Discipline."""
        return self._held
