"""Booting a box in memory: the programs of its little shell, one console, no time lost."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

from libnet.lab.boot import SHADOW, SHELLS, SLOGC_PROC, SYSTEM
from libnet.lab.builtins import BUILTINS
from libnet.libsocket.box import MAPPED

if TYPE_CHECKING:
    from libnet.lab.memory import Box


class MemoryHost:
    """Runs the programs of a box in memory (libnet.lab.boot.BootHost).

    console  what was printed so far
    """

    def __init__(self, box: Box, programs: frozenset[str]) -> None:
        self._box, self._programs = box, programs
        self.console = ""
        self._output = ""

    def find(self, argv: Sequence[str], path: str) -> list[str] | None:
        """Return *argv* if the box's shell knows its program, or what runs a script of the box."""
        word = argv[0]
        directory, slash, name = word.rpartition("/")
        if not slash or directory in SYSTEM:
            if name in SHELLS:
                return ["ksh", *argv[1:]]
            if name == "slogger":
                return [name]  # a box in memory keeps its log by itself, of any size
            if name in self._programs or name in BUILTINS:
                return list(argv)
        places = [f"{p}/{name}" for p in path.split(":") if p] if not slash else [word]
        for place in places:
            for own in (SHADOW + place, place):
                if self.visible(own) and os.path.isfile(self.file(own)):
                    return ["ksh", own, *argv[1:]]
        return None

    def program(self, argv: Sequence[str], environ: dict[str, str], *, background: bool) -> int:
        """Run a program of the box."""
        return self.shell(shlex.join(argv), environ, background=background)

    def shell(self, text: str, environ: dict[str, str], *, background: bool) -> int:
        """Run a line of the box's shell."""
        kept = dict(self._box.environ)
        # PATH and the place of the modules are the box's own.
        self._box.environ |= {k: v for k, v in environ.items() if k not in kept or k == "SOCK"}
        try:
            result = self._box.sh(text + " &" if background else text, merge=True)
        finally:
            self._box.environ.clear()
            self._box.environ.update(kept)
        self._print(result.out)
        return result.status

    def session(self, argv: Sequence[str], environ: dict[str, str]) -> bool:
        """There is no terminal."""
        return False

    def visible(self, path: str) -> bool:
        """Tell whether *path* is in a directory of the box."""
        clean = os.path.normpath(path)
        return any(clean == f"/{d}" or clean.startswith(f"/{d}/") for d in MAPPED)

    def file(self, path: str) -> str:
        """Return where a file of the box lies."""
        return self._box.file(path)

    def say(self, text: str) -> None:
        """Print on the console."""
        self._print(text)

    def _print(self, text: str) -> None:
        if not self._output:
            self.console += text
            return
        with open(self.file(self._output), "a", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)

    def log(self, severity: int, text: str) -> None:
        """Write to the box's system log."""
        self._box.slog.write(severity, SLOGC_PROC, 0, text)

    def reopen(self, path: str) -> None:
        """Send the output of what follows to the file *path*, or back to the console."""
        if path:
            with open(self.file(path), "a", encoding="utf-8"):
                self._output = path
        else:
            self._output = ""
