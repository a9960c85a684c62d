"""Booting a box as processes: in its view, with a file of the world for a console.

What the programs print goes to WORLD/boxes/NAME/console and from there to our standard output, while
the script runs: a program in the background keeps the file open, not the pipe of whoever called us.
"""

from __future__ import annotations

import codecs
import contextlib
import os
import select
import signal
import subprocess
import sys
from collections.abc import Sequence
from typing import Final, TextIO

from libnet.lab import view
from libnet.lab.boot import HOST_PATH, SHADOW, SHELLS, SLOGC_PROC, SYSTEM, UTILITIES
from libnet.lab.ksh import script_argv, shell_argv
from libnet.libsocket.box import MAPPED, BoxPaths
from libnet.loop.slog import SlogWriter

FOLLOW_S: Final = 0.05  # between two looks at the console while a program runs
CHUNK: Final = 1 << 16


class ProcessHost:
    """Runs the programs of a box from inside its view (libnet.lab.boot.BootHost).

    out      where the console is shown
    environ  of a program in the box
    """

    def __init__(self, paths: BoxPaths, environ: dict[str, str], out: TextIO) -> None:
        self._paths, self._environ, self._out = paths, environ, out
        self._programs = view.programs_dir()
        self._slog = SlogWriter(paths.slog)
        flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC
        self._console = os.open(os.path.join(paths.home, "console"), flags, 0o600)
        self._output = self._console
        self._shown = 0
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._sessions: list[tuple[list[str], dict[str, str]]] = []
        self._covered = _covered() if paths.view == "ns" else frozenset()

    def close(self) -> None:
        """Show what is left, let the sessions have the terminal, and close."""
        self.show()
        for argv, environ in self._sessions:
            with contextlib.suppress(OSError):
                subprocess.run(argv, env=self._full(environ), check=False)
        self.show()
        os.close(self._console)

    # -- what a word means

    def find(self, argv: Sequence[str], path: str) -> list[str] | None:
        """Return what to run for *argv*: our program, a file of the box, or a harmless utility."""
        word, rest = argv[0], list(argv[1:])
        directory, slash, name = word.rpartition("/")
        system = not slash or directory in SYSTEM
        if system and name in SHELLS:
            return shell_argv(rest, HOST_PATH, view.host_program)
        if system and view.is_ours(os.path.join(self._programs, name)):
            return [os.path.join(self._programs, name), *rest]
        places = [word]
        if not slash:
            places = [f"{place}/{name}" for place in path.split(":") if place]
        for place in places:
            found = self._own(place)
            if found is not None:
                return found + rest
        if system and name in UTILITIES:
            host = view.host_program(name, HOST_PATH)
            return None if host is None else [host, *rest]
        return None

    def _own(self, word: str) -> list[str] | None:
        """Return what runs the file *word* of the box, None if the box has none there."""
        for place in (SHADOW + word, word):
            path = self.file(place)
            if os.path.isfile(path) and (place != word or os.path.dirname(place) not in SYSTEM):
                return script_argv(path)
        return None

    def visible(self, path: str) -> bool:
        """Tell whether the box can have a file of its own at *path*."""
        clean = os.path.normpath(path)
        if any(clean == f"/{d}" or clean.startswith(f"/{d}/") for d in MAPPED):
            return True
        return self._paths.view == "ns" and clean.split("/")[1] not in self._covered

    def file(self, path: str) -> str:
        """Return where a file of the box lies."""
        return self._paths.file(path)

    # -- running

    def _full(self, environ: dict[str, str]) -> dict[str, str]:
        """Return the environment of a program: what the script says, and what ours need."""
        full = self._environ | environ
        said = environ.get("PATH", "")
        own = [f"{SHADOW}{part}" for part in said.split(":") if part.startswith("/")]
        own = [part for part in own if os.path.isdir(self.file(part))]
        words = [self._programs, *own, *said.split(":"), *self._environ["PATH"].split(":")]
        full["PATH"] = ":".join(word for word in dict.fromkeys(words) if word)
        dll = environ.get("LD_LIBRARY_PATH", "")
        full["LD_LIBRARY_PATH"] = dll if "/lib/dll" in dll.split(":") else "/lib/dll"
        return full

    def program(self, argv: Sequence[str], environ: dict[str, str], *, background: bool) -> int:
        """Run a program; return its status. Raises OSError if it cannot be started."""
        process = subprocess.Popen(
            list(argv),
            env=self._full(environ),
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._output,
            start_new_session=background,
        )
        if background:
            process.returncode = 0  # nobody waits for it: it is init's
            return 0
        self._follow(process)
        status = process.returncode
        return 128 - status if status < 0 else status

    def _follow(self, process: subprocess.Popen[bytes]) -> None:
        """Wait for *process*, and show what it prints meanwhile."""
        try:
            fd = os.pidfd_open(process.pid)
        except (OSError, AttributeError):
            fd = -1
        try:
            while process.poll() is None:
                if fd >= 0:
                    select.select([fd], (), (), FOLLOW_S)
                else:
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(FOLLOW_S)
                self.show()
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)
            process.wait()
            raise
        finally:
            if fd >= 0:
                os.close(fd)
        self.show()

    def shell(self, text: str, environ: dict[str, str], *, background: bool) -> int:
        """Run a line of shell."""
        argv = shell_argv(["-c", text, "boot"], HOST_PATH, view.host_program)
        return self.program(argv, environ, background=background)

    def session(self, argv: Sequence[str], environ: dict[str, str]) -> bool:
        """Keep *argv* for the terminal, once the script is over."""
        if not (sys.stdin is not None and sys.stdin.isatty()):
            return False
        self._sessions.append((list(argv), environ))
        return True

    # -- console and log

    def say(self, text: str) -> None:
        """Print on the console."""
        os.write(self._output, text.encode("utf-8", "surrogateescape"))
        self.show()

    def log(self, severity: int, text: str) -> None:
        """Write to the box's system log."""
        self._slog.write(severity, SLOGC_PROC, 0, text)

    def reopen(self, path: str) -> None:
        """Send the output of what follows to *path*, or back to the console."""
        if self._output != self._console:
            os.close(self._output)
            self._output = self._console
        if path:
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
            self._output = os.open(self.file(path), flags, 0o644)

    def show(self) -> None:
        """Copy what is new on the console to our standard output."""
        while True:
            octets = os.pread(self._console, CHUNK, self._shown)
            if not octets:
                break
            self._shown += len(octets)
            self._out.write(self._decode(octets))
        self._out.flush()


def _covered() -> frozenset[str]:
    """Return the top directories of the box that the host's lie over."""
    found = {"bin", "sbin", "lib"}
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            parts = line.split()[4].split("/")
            found.add(parts[1])
    return frozenset(found)
