"""A loop for a process that only carries frames from one wire to another.

Waking a process that sleeps costs more than all the work such a process does for a packet, so after
each frame it looks again for a while before it sleeps. Measured on a two-core virtual machine with
`ping -f` through a TAP: 0.14 ms an echo asleep, 0.075 ms with SPIN_S of 50 µs.
"""

from __future__ import annotations

import os
import time
from typing import Final

from libnet.loop.loop import MAX_EVENTS, Loop

SPIN_S: Final = 50e-6


class CarrierLoop(Loop):
    """A Loop that stays awake for SPIN_S after something happened, where there is a core to spare."""

    def run(self) -> None:
        """Make passes until stop()."""
        if len(os.sched_getaffinity(0)) < 2:
            super().run()
            return
        self._running = True
        poll, readers, now = self._epoll.poll, self._readers, time.monotonic
        while self._running:
            self.run_once(None)
            until = now() + SPIN_S
            while now() < until and self._running:
                events = poll(0, MAX_EVENTS)
                if not events:
                    continue
                at = now()
                self.clock.run(at)
                for fd, _event in events:
                    callback = readers.get(fd)
                    if callback is not None:
                        callback()
                if self._pass_end:
                    self._finish_pass()
                until = at + SPIN_S
