"""What the server has to say, until somebody takes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

EMERG, ERROR, WARNING, INFO, DEBUG = 0, 2, 3, 5, 6  # severities of the system log
MAX_LINES: Final = 10_000  # kept between two take()
_SEVERITIES: Final = {"fatal": EMERG, "error": ERROR, "info": INFO, "debug": DEBUG}


class Line:
    """A line that may still change; one without text is left out."""

    __slots__ = ("severity", "text")

    def __init__(self, severity: int, text: str) -> None:
        self.severity, self.text = severity, text


class Lines:
    """Lines for the log, in order."""

    def __init__(self) -> None:
        self._lines: list[Line] = []

    def say(self, severity: int, text: str) -> Line:
        """Add a line."""
        line = Line(severity, text)
        if len(self._lines) < MAX_LINES:
            self._lines.append(line)
        return line

    def say_all(self, lines: Sequence[tuple[str, str]]) -> None:
        """Add what the configuration's own `log` statements said: (priority, text)."""
        for priority, text in lines:
            self.say(_SEVERITIES.get(priority, INFO), text)

    def take(self) -> list[tuple[int, str]]:
        """Return severity and text of the lines, and forget them."""
        lines, self._lines = self._lines, []
        return [(line.severity, line.text) for line in lines if line.text]
