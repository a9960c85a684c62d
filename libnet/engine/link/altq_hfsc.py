"""HFSC: hierarchical fair service curves (Stoica, Zhang and Ng, SIGCOMM 1997).

A service curve promises octets over time: m1 octets a second for d seconds, m2 from then on. A class
may have three: real-time (kept whatever the others do, by deadlines), link-share (how siblings divide
what is left, by virtual time) and upper-limit (never more). Packets go by the earliest deadline among
classes that are eligible; when none is, down the tree to the child with the least virtual time.

Curves here are in octets and seconds, as floats.
"""

from __future__ import annotations

from typing import NamedTuple

from libnet.engine.link.altq import Queue, Waiting

_NEVER = float("inf")


class Curve(NamedTuple):
    """m1 octets per second for d seconds, then m2."""

    m1: float
    d: float
    m2: float


class Runtime:
    """A service curve laid at a point: the service due at any time after it."""

    __slots__ = ("dx", "dy", "m1", "m2", "x", "y")

    def __init__(self, curve: Curve, x: float, y: float) -> None:
        self.x, self.y = x, y
        self.m1, self.m2 = curve.m1, curve.m2
        self.dx, self.dy = curve.d, curve.m1 * curve.d

    def y_at(self, x: float) -> float:
        """Return the service due at time *x*."""
        if x <= self.x:
            return self.y
        if x <= self.x + self.dx:
            return self.y + (x - self.x) * self.m1
        return self.y + self.dy + (x - self.x - self.dx) * self.m2

    def x_at(self, y: float) -> float:
        """Return when service *y* is due."""
        if y <= self.y:
            return self.x
        if y <= self.y + self.dy and self.m1 > 0:
            return self.x + (y - self.y) / self.m1
        if self.m2 <= 0:
            return _NEVER
        return self.x + self.dx + (y - self.y - self.dy) / self.m2

    def lower(self, curve: Curve, x: float, y: float) -> None:
        """Become the lower of itself and *curve* laid at (x, y)."""
        if curve.m1 <= curve.m2:
            # Convex: the one that starts later is below from there on.
            if self.y_at(x) < y:
                return
            self.x, self.y = x, y
            self.dx, self.dy = curve.d, curve.m1 * curve.d
            return
        # Concave.
        here = self.y_at(x)
        if here <= y:
            return
        there = self.y_at(x + curve.d)
        if there >= y + curve.m1 * curve.d:
            self.x, self.y = x, y
            self.dx, self.dy = curve.d, curve.m1 * curve.d
            return
        # They cross: the new first segment until it meets the old second one.
        dx = (here - y) / (curve.m1 - curve.m2)
        if self.x + self.dx > x:
            dx += self.x + self.dx - x
        self.x, self.y, self.dx, self.dy = x, y, dx, curve.m1 * dx


class Class:
    """One class of the tree; only leaves hold packets.

    eligible, deadline  real-time clock of the next packet
    vt                  virtual time            fit  when the upper limit lets it send
    """

    def __init__(
        self,
        queue: Queue,
        parent: Class | None,
        *,
        rt: Curve | None = None,
        ls: Curve | None = None,
        ul: Curve | None = None,
    ) -> None:
        self.queue, self.parent = queue, parent
        self.children: list[Class] = []
        if parent is not None:
            parent.children.append(self)
        self.rt, self.ls, self.ul = rt, ls, ul
        self.deadline_curve: Runtime | None = None
        self.eligible_curve: Runtime | None = None
        self.virtual: Runtime | None = None
        self.upper: Runtime | None = None
        self.eligible = self.deadline = 0.0
        self.cumul = 0.0  # real-time service so far
        self.total = 0.0  # all service so far
        self.vt = 0.0
        self.vt_adjust = 0.0
        self.fit = 0.0
        self.active = 0  # children with packets, or 1 for a leaf with some
        self.vt_max = 0.0  # the latest virtual time of a child in this period
        self.period = 0
        self.parent_period = -1

    def update_deadline(self, size: int) -> None:
        """Set when the next packet is due, and from when it may be sent early."""
        assert self.deadline_curve is not None
        assert self.eligible_curve is not None
        self.eligible = self.eligible_curve.x_at(self.cumul)
        self.deadline = self.deadline_curve.x_at(self.cumul + size)

    def start_deadline(self, now: float, size: int) -> None:
        """Begin a backlogged period of the real-time curve."""
        assert self.rt is not None
        if self.deadline_curve is None:
            self.deadline_curve = Runtime(self.rt, now, self.cumul)
            self.eligible_curve = Runtime(self.rt, now, self.cumul)
        else:
            self.deadline_curve.lower(self.rt, now, self.cumul)
            self.eligible_curve = Runtime(self.rt, self.deadline_curve.x, self.deadline_curve.y)
            self.eligible_curve.dx, self.eligible_curve.dy = (
                self.deadline_curve.dx,
                self.deadline_curve.dy,
            )
        assert self.eligible_curve is not None
        if self.rt.m1 <= self.rt.m2:
            # A convex curve is eligible at once, at its second slope.
            self.eligible_curve.dx = self.eligible_curve.dy = 0.0
        self.update_deadline(size)


class Hfsc:
    """The discipline; *root* has the whole link."""

    def __init__(self, root: Class, default: int, classes: dict[int, Class]) -> None:
        self.root, self.default, self.classes = root, default, classes
        self.queues = {qid: cl.queue for qid, cl in classes.items()}
        self._leaves = [cl for cl in classes.values() if not cl.children]
        self._held = 0

    def enqueue(self, w: Waiting, qid: int, now: float) -> bool:
        """See Discipline."""
        cl = self.classes.get(qid)
        if cl is None or cl.children:
            cl = self.classes[self.default]
        if not cl.queue.put(w, now):
            return False
        self._held += 1
        if len(cl.queue.packets) == 1:
            if cl.rt is not None:
                cl.start_deadline(now, w.size)
            self._activate(cl, now)
        return True

    def _activate(self, cl: Class, now: float) -> None:
        """Have a class that has packets again take part, and its ancestors where they did not."""
        cl.active = 1
        node = cl
        while node.parent is not None:
            parent = node.parent
            self._join(node, parent, now)
            parent.active += 1
            if parent.active > 1:
                return
            node = parent

    def _join(self, cl: Class, parent: Class, now: float) -> None:
        """Have a class take part in its parent's sharing from now on."""
        busy = [c for c in parent.children if c.active and c is not cl]
        if busy:
            low = min(c.vt for c in busy)
            high = parent.vt_max
            start = (low + max(low, high)) / 2
            if cl.parent_period == parent.period:
                start = max(start, cl.vt)
        else:
            # A new period: virtual time goes on where the last one ended.
            parent.period += 1
            start = max(parent.vt_max, cl.vt if cl.parent_period >= 0 else 0.0)
            parent.vt_max = start
        cl.parent_period = parent.period
        cl.vt = start
        curve = cl.ls or Curve(1.0, 0.0, 1.0)
        if cl.virtual is None:
            cl.virtual = Runtime(curve, start, cl.total)
        else:
            cl.virtual.lower(curve, start, cl.total)
            if cl.virtual.x_at(cl.total) < start:
                cl.virtual = Runtime(curve, start, cl.total)
        if cl.ul is not None:
            if cl.upper is None:
                cl.upper = Runtime(cl.ul, now, cl.total)
            else:
                cl.upper.lower(cl.ul, now, cl.total)
            cl.fit = cl.upper.x_at(cl.total)

    def dequeue(self, now: float) -> Waiting | None:
        """See Discipline."""
        if not self._held:
            return None
        best: Class | None = None
        for cl in self._leaves:
            if (
                cl.rt is not None
                and cl.queue.packets
                and cl.eligible <= now
                and (best is None or cl.deadline < best.deadline)
            ):
                best = cl
        realtime = best is not None
        if best is None:
            best = self._by_share(now)
            if best is None:
                return None
        w = best.queue.get(now)
        self._held -= 1
        self._charge(best, w.size, now, realtime=realtime)
        return w

    def _by_share(self, now: float) -> Class | None:
        """Go down the tree by virtual time; None when upper limits hold everybody back."""
        node = self.root
        while node.children:
            able = [
                c for c in node.children if c.active and c.ls is not None and self._fits(c, now)
            ]
            if not able:
                return None
            node = min(able, key=lambda c: c.vt)
        return node if node.queue.packets else None

    def _fits(self, cl: Class, now: float) -> bool:
        if cl.ul is not None and cl.fit > now:
            return False
        if not cl.children:
            return True
        return any(c.active and c.ls is not None and self._fits(c, now) for c in cl.children)

    def _charge(self, cl: Class, size: int, now: float, *, realtime: bool) -> None:
        """Note what a class has sent, for it and all above it."""
        gone = not cl.queue.packets
        if gone:
            cl.active = 0
        node = cl
        while node.parent is not None:
            parent = node.parent
            node.total += size
            if node.virtual is not None:
                node.vt = node.virtual.x_at(node.total)
                if node.vt < _NEVER:
                    parent.vt_max = max(parent.vt_max, node.vt)
            if node.upper is not None:
                node.fit = node.upper.x_at(node.total)
            if gone:
                parent.active -= 1
                gone = parent.active == 0
            node = parent
        node.total += size
        if cl.rt is not None:
            if realtime:
                cl.cumul += size
            if cl.queue.packets:
                cl.update_deadline(cl.queue.packets[0].size)

    def next_time(self, now: float) -> float:
        """See Discipline."""
        times = []
        for cl in self._leaves:
            if not cl.queue.packets:
                continue
            if cl.rt is not None:
                times.append(cl.eligible)
            held, node = now, cl
            shares = True
            while node.parent is not None:
                if node.ls is None:
                    shares = False
                if node.ul is not None:
                    held = max(held, node.fit)
                node = node.parent
            if shares:
                times.append(held)
        return min(times, default=now + 1.0)

    def backlog(self) -> int:
        """See Discipline."""
        return self._held
