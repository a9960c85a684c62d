"""The real loop: descriptors, deadlines and signals, one pass after the other."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable
from typing import Final

from libnet.clock import Clock

MAX_EVENTS: Final = 64
_IN: Final = select.EPOLLIN | select.EPOLLHUP | select.EPOLLERR


class Loop:
    """Waits for what is next, tells the clock the time, and calls whom it concerns.

    clock   the clock of everything that runs on this loop

    One pass is: callouts that are due, then readable and writable descriptors, then whatever asked
    for the end of the pass (a port that sends its batch). Nothing in a pass waits.
    """

    def __init__(self) -> None:
        now = time.monotonic()
        self.clock = Clock(now, time.time() - now)
        self._epoll = select.epoll()
        self._readers: dict[int, Callable[[], None]] = {}
        self._writers: dict[int, Callable[[], None]] = {}
        self._pass_end: list[Callable[[], None]] = []
        self._running = False
        self._wake_r = -1
        self._signals: dict[int, Callable[[], None]] = {}

    def add_reader(self, fd: int, callback: Callable[[], None]) -> None:
        """Call *callback()* whenever *fd* is readable."""
        known = fd in self._readers or fd in self._writers
        self._readers[fd] = callback
        self._register(fd, known)

    def remove_reader(self, fd: int) -> None:
        """Forget add_reader(fd)."""
        if self._readers.pop(fd, None) is not None:
            self._register(fd, True)

    def add_writer(self, fd: int, callback: Callable[[], None]) -> None:
        """Call *callback()* whenever *fd* can be written to."""
        known = fd in self._readers or fd in self._writers
        self._writers[fd] = callback
        self._register(fd, known)

    def remove_writer(self, fd: int) -> None:
        """Forget add_writer(fd)."""
        if self._writers.pop(fd, None) is not None:
            self._register(fd, True)

    def _register(self, fd: int, known: bool) -> None:
        mask = (_IN if fd in self._readers else 0) | (select.EPOLLOUT if fd in self._writers else 0)
        if not mask:
            try:
                self._epoll.unregister(fd)
            except OSError:
                return  # closed already: the kernel has forgotten it
        elif known:
            self._epoll.modify(fd, mask)
        else:
            self._epoll.register(fd, mask)

    def at_pass_end(self, callback: Callable[[], None]) -> None:
        """Call *callback()* once, when this pass is over."""
        self._pass_end.append(callback)

    def on_signal(self, signum: int, callback: Callable[[], None]) -> None:
        """Call *callback()* from the loop when *signum* arrives."""
        if self._wake_r < 0:
            self._wake_r, write = os.pipe()
            os.set_blocking(self._wake_r, False)
            os.set_blocking(write, False)
            signal.set_wakeup_fd(write, warn_on_full_buffer=False)
            self.add_reader(self._wake_r, self._signalled)
        self._signals[signum] = callback
        signal.signal(signum, lambda _num, _frame: None)

    def _signalled(self) -> None:
        for signum in os.read(self._wake_r, 256):
            callback = self._signals.get(signum)
            if callback is not None:
                callback()

    def stop(self) -> None:
        """Leave run() when this pass is over."""
        self._running = False

    def run(self) -> None:
        """Make passes until stop()."""
        self._running = True
        while self._running:
            self.run_once(None)

    def run_once(self, timeout: float | None) -> None:
        """Make one pass, waiting at most *timeout* seconds for something to do."""
        clock = self.clock
        if self._pass_end:
            self._finish_pass()
        due = clock.next_due()
        if self._pass_end:
            timeout = 0.0
        if due is not None:
            left = due - time.monotonic()
            if left < 0:
                left = 0.0
            timeout = left if timeout is None or left < timeout else timeout
        try:
            events = self._epoll.poll(timeout, MAX_EVENTS)
        except InterruptedError:
            events = []
        clock.run(time.monotonic())
        for fd, event in events:
            if event & _IN:
                callback = self._readers.get(fd)
                if callback is not None:
                    callback()
            if event & (select.EPOLLOUT | select.EPOLLERR | select.EPOLLHUP):
                callback = self._writers.get(fd)
                if callback is not None:
                    callback()
        if self._pass_end:
            self._finish_pass()

    def _finish_pass(self) -> None:
        # What the end of a pass starts (a loopback answer, say) may ask for another end: bounded.
        for _round in range(8):
            work, self._pass_end = self._pass_end, []
            for callback in work:
                callback()
            if not self._pass_end:
                return

    def close(self) -> None:
        """Release the loop's own descriptors."""
        self._epoll.close()
