"""The real machine under a command: its clocks, its waiting, its randomness."""

from __future__ import annotations

import select
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from libnet.clock import Dice

if TYPE_CHECKING:
    from libnet.loop.signals import RealSignals


class RealDice:
    """Randomness of the operating system, shaped as the engine asks for it."""

    def getrandbits(self, k: int, /) -> int:
        """Return *k* random bits."""
        import secrets

        return secrets.randbits(k)

    def random(self) -> float:
        """Return a float in [0, 1)."""
        return self.getrandbits(53) / (1 << 53)


class RealHost:
    """Implements libnet.libsocket.ctx.Host with the wall clock."""

    def __init__(self) -> None:
        self.dice: Dice = RealDice()

    def now(self) -> float:
        """Return monotonic seconds."""
        return time.monotonic()

    def wall(self) -> float:
        """Return seconds since 1970."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Sleep."""
        if seconds > 0:
            time.sleep(seconds)

    def wait(
        self, descriptors: Sequence[Any], timeout: float | None, writers: Sequence[Any] = ()
    ) -> list[Any]:
        """Wait for readable descriptors, and for writable ones of *writers*."""
        if timeout is not None and timeout < 0:
            timeout = 0
        ready, writable, _ = select.select(descriptors, writers, (), timeout)
        return ready + writable

    def watch_signals(self, *names: str) -> RealSignals:
        """Catch signals; the program must run in the main thread."""
        from libnet.loop.signals import RealSignals

        return RealSignals(names)
