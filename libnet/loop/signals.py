"""Signals of the real machine, as something to wait for beside everything else."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from typing import Any


class RealSignals:
    """Signals as octets in a pipe: the wait that a signal ends is the wait for all else.

    A signal between two waits is then neither lost nor raised in the middle of a call to the stack.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)
        self._old: list[tuple[signal.Signals, Any]] = []
        self._wakeup = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        for name in names:
            number = getattr(signal, name, None)
            if isinstance(number, signal.Signals):  # SIGINFO exists on BSD only
                self._old.append((number, signal.signal(number, _stay_alive)))

    def fileno(self) -> int:
        """Return the end of the pipe that becomes readable."""
        return self._reader

    def take(self) -> list[str]:
        """Return the names of those that came, in order, and forget them."""
        try:
            octets = os.read(self._reader, 4096)
        except BlockingIOError:
            return []
        watched = {int(number) for number, _ in self._old}
        return [signal.Signals(octet).name for octet in octets if octet in watched]

    def close(self) -> None:
        """Let signals do again what they did before."""
        for number, handler in self._old:
            signal.signal(number, handler)
        self._old.clear()
        signal.set_wakeup_fd(self._wakeup)
        os.close(self._reader)
        os.close(self._writer)


def _stay_alive(_number: int, _frame: Any) -> None:
    """Be there instead of the default action; the octet in the pipe says the rest."""
