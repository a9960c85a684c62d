"""What a bad wire does to frames.

Loss, delay, jitter, duplication, reordering, corruption, a limited rate, and partition. Each sending
port has an Impairer of its own; each frame meets, in this order: loss, corruption, duplication, the
rate, delay and jitter, and changing places with the frame after it. Every decision is thrown with the
dice handed in, so a seed is a run. Jitter alone does not reorder.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from libnet.clock import Callout, Clock, Dice
from libnet.media.port import Stat

RATE_QUEUE: Final = 262144  # octets that wait for a slow wire before it is full
LINE_FRAMES: Final = 131072  # frames under way on a long wire
HOLD_S: Final = 0.1  # how long a frame waits for one to overtake it

_PERCENT: Final = ("loss", "dup", "reorder", "corrupt")
_NUMBER: Final = ("delay", "jitter", "rate")


class Impairments:
    """The properties of a wire.

    loss, dup, reorder, corrupt  percent of frames
    delay, jitter  milliseconds; a frame takes delay ± jitter, evenly spread
    rate           kilobits a second, 0: without limit
    partition      "A,B|C": who hears whom; boxes or ports that are not named stay together
    seed           number to start the dice from, or None for the operating system's
    """

    __slots__ = (*_PERCENT, *_NUMBER, "partition", "seed")

    def __init__(
        self,
        *,
        loss: float = 0.0,
        delay: float = 0.0,
        jitter: float = 0.0,
        dup: float = 0.0,
        reorder: float = 0.0,
        corrupt: float = 0.0,
        rate: float = 0.0,
        partition: str = "",
        seed: int | None = None,
    ) -> None:
        """Check the values. Raises ValueError with a sentence that names the wrong one."""
        self.loss, self.dup, self.reorder, self.corrupt = loss, dup, reorder, corrupt
        self.delay, self.jitter, self.rate = delay, jitter, rate
        self.partition, self.seed = partition, seed
        for name in _PERCENT + _NUMBER:
            value = getattr(self, name)
            if type(value) not in (int, float) or not 0 <= value < 1e12:
                raise ValueError(f"{name}: {value!r} is not a number from 0")
        for name in _PERCENT:
            if getattr(self, name) > 100:
                raise ValueError(f"{name}: {getattr(self, name)!r} is more than 100 percent")
        if type(partition) is not str:
            raise ValueError(f"partition: {partition!r} is not text")
        if seed is not None and type(seed) is not int:
            raise ValueError(f"seed: {seed!r} is not a whole number")

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Impairments:
        """Read what to_dict() gave. Raises ValueError."""
        unknown = set(values) - set(cls.__slots__)
        if unknown:
            raise ValueError(f"{min(unknown)}: no such impairment")
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """Return what differs from a perfect wire, by name."""
        plain = Impairments()
        return {
            name: getattr(self, name)
            for name in self.__slots__
            if getattr(self, name) != getattr(plain, name)
        }

    def __bool__(self) -> bool:
        return bool(set(self.to_dict()) - {"seed"})

    @property
    def disturbs(self) -> bool:
        """Tell whether a single frame may be touched (a partition only chooses receivers)."""
        return any(getattr(self, name) for name in _PERCENT + _NUMBER)

    def hears(self, one: str, other: str) -> bool:
        """Tell whether the ports labelled *one* and *other* are on the same side."""
        return not self.partition or self._side(one) == self._side(other)

    def _side(self, label: str) -> int:
        box = label.rpartition(".")[0] or label
        for number, group in enumerate(self.partition.split("|")):
            for name in group.split(","):
                if name.strip() in (label, box):
                    return number
        return -1


def seeded(seed: int, label: str) -> Dice:
    """Return dice for the port *label* of a wire with *seed*: the same in every run."""
    from random import Random
    from zlib import crc32

    return Random(seed * (1 << 32) + crc32(label.encode()))


class Impairer:
    """What one sending port's frames go through.

    emit  takes the frames whose time has come, in order
    stat  gets "lost", "corrupted", "duplicated", "reordered", "rate queue full",
          "wire full"
    """

    def __init__(
        self,
        clock: Clock,
        dice: Dice,
        how: Impairments,
        stat: Stat,
        emit: Callable[[Sequence[bytes]], None],
    ) -> None:
        self.how = how
        self.dice = dice
        self._clock, self._stat, self._emit = clock, stat, emit
        self._line: deque[tuple[float, bytes]] = deque()  # due, in the order they will leave
        self._callout: Callout | None = None
        self._busy_until = 0.0
        self._last_due = 0.0
        self._held: bytes | None = None
        self._held_callout: Callout | None = None

    @property
    def idle(self) -> bool:
        """Tell whether nothing is under way."""
        return not self._line and self._held is None

    def send(self, frames: Sequence[bytes]) -> None:
        """Take complete frames (no marks)."""
        how, dice, stat = self.how, self.dice, self._stat
        for frame in frames:
            if how.loss and dice.random() * 100 < how.loss:
                stat["lost"] += 1
                continue
            if how.corrupt and dice.random() * 100 < how.corrupt:
                stat["corrupted"] += 1
                frame = self._corrupt(frame)
            self._time(frame)
            if how.dup and dice.random() * 100 < how.dup:
                stat["duplicated"] += 1
                self._time(frame)
        self._leave()

    def close(self) -> None:
        """Forget what is under way; count it as lost."""
        if self._line or self._held is not None:
            self._stat["lost"] += len(self._line) + (self._held is not None)
        self._line.clear()
        self._held = None
        for callout in (self._callout, self._held_callout):
            if callout is not None:
                callout.stop()

    def _corrupt(self, frame: bytes) -> bytes:
        bit = int(self.dice.random() * len(frame) * 8)
        work = bytearray(frame)
        work[bit >> 3] ^= 1 << (bit & 7)
        return bytes(work)

    def _time(self, frame: bytes) -> None:
        """Decide when *frame* arrives and put it in the line."""
        how, now = self.how, self._clock.now
        if len(self._line) >= LINE_FRAMES:
            self._stat["wire full"] += 1
            return
        leaves = now
        if how.rate:
            per_s = how.rate * 125  # octets
            if (self._busy_until - now) * per_s > RATE_QUEUE:
                self._stat["rate queue full"] += 1
                return
            leaves = max(now, self._busy_until) + len(frame) / per_s
            self._busy_until = leaves
        wait = how.delay
        if how.jitter:
            wait += (self.dice.random() * 2 - 1) * how.jitter
        due = max(leaves + max(wait, 0.0) / 1000, self._last_due)
        self._last_due = due
        if self._held is not None:
            held, self._held = self._held, None
            if self._held_callout is not None:
                self._held_callout.stop()
            self._line.append((due, frame))
            self._line.append((due, held))
        elif how.reorder and self.dice.random() * 100 < how.reorder:
            self._stat["reordered"] += 1
            self._held = frame
            self._held_callout = self._clock.after(due - now + HOLD_S, self._give_up)
        else:
            self._line.append((due, frame))

    def _give_up(self) -> None:
        # Nobody came to overtake it.
        if self._held is not None:
            self._line.append((max(self._last_due, self._clock.now), self._held))
            self._held = None
            self._leave()

    def _leave(self) -> None:
        line, now = self._line, self._clock.now
        out = []
        while line and line[0][0] <= now:
            out.append(line.popleft()[1])
        if line and (self._callout is None or not self._callout.pending):
            self._callout = self._clock.after(line[0][0] - now, self._leave)
        if out:
            self._emit(out)
