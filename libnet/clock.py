"""Time as the caller last told it, and calls to make when it gets late (callout(9))."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Protocol


class Dice(Protocol):
    """Where randomness comes from: the operating system when real, the seed in simulation."""

    def getrandbits(self, k: int, /) -> int:
        """Return *k* random bits."""

    def random(self) -> float:
        """Return a float in [0, 1)."""


class Callout:
    """One pending call. Cancel it with stop(); a stopped callout never fires."""

    __slots__ = ("due", "func", "stopped")

    def __init__(self, due: float, func: Callable[[], None]) -> None:
        self.due = due
        self.func: Callable[[], None] | None = func
        self.stopped = False

    def stop(self) -> None:
        """Forget the call."""
        self.stopped = True
        self.func = None

    @property
    def pending(self) -> bool:
        """Tell whether the call is still to be made."""
        return self.func is not None


class Clock:
    """A passive clock: seconds, monotonic, moved only by the owner of the core.

    now    seconds on the owner's monotonic scale
    epoch  what to add to *now* to get seconds since 1970
    """

    def __init__(self, now: float = 0.0, epoch: float = 0.0) -> None:
        self.now = now
        self.epoch = epoch
        self._heap: list[tuple[float, int, Callout]] = []
        self._seq = 0
        self._dead = 0

    def wall(self) -> float:
        """Return seconds since 1970."""
        return self.now + self.epoch

    def after(self, delay_s: float, func: Callable[[], None]) -> Callout:
        """Arrange for *func()* in *delay_s* seconds; equal deadlines keep their order."""
        self._seq += 1
        callout = Callout(self.now + delay_s, func)
        heapq.heappush(self._heap, (callout.due, self._seq, callout))
        if self._seq & 0x3FF == 0:
            self._sweep()
        return callout

    def _sweep(self) -> None:
        # A timer that is stopped and set again for every packet must not fill the heap.
        live = [entry for entry in self._heap if not entry[2].stopped]
        if len(live) * 2 < len(self._heap):
            heapq.heapify(live)
            self._heap[:] = live

    def next_due(self) -> float | None:
        """Return the earliest live deadline, or None when there is nothing to wait for."""
        heap = self._heap
        while heap and heap[0][2].stopped:
            heapq.heappop(heap)
        return heap[0][0] if heap else None

    def run(self, now: float) -> int:
        """Move to *now* and make every call due by then; return how many were made."""
        if now > self.now:
            self.now = now
        else:
            now = self.now  # time does not run backwards
        heap = self._heap
        last = self._seq  # calls set while running wait for the next run()
        made = 0
        while heap and heap[0][0] <= now:
            if heap[0][1] > last:
                break
            callout = heapq.heappop(heap)[2]
            func = callout.func
            if func is not None:
                callout.func = None
                func()
                made += 1
        return made
