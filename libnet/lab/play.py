"""Who runs the commands of a transcript: processes in boxes of a world of their own, or the simulator."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from typing import Final

from libnet.lab.view import programs_dir

TIMEOUT_S: Final = 60.0
# What ends each kind of carrier that `lab` started.
_ENDS: Final = {"tap": "untap", "dgram": "undgram", "radio": "unradio"}


class Player:
    """Runs command lines with sh(1) in boxes, as processes.

    world    directory of the world; one of its own, removed at the end, unless given
    """

    def __init__(self, environ: Mapping[str, str], world: str = "") -> None:
        self.own = not world
        self.world = world or tempfile.mkdtemp(prefix="iopkt-")
        self.programs = programs_dir()
        self.environ = {k: v for k, v in environ.items() if not k.startswith("IOPKT_")}
        self.environ.pop("SOCK", None)
        self.environ["IOPKT_WORLD"] = self.world
        self.environ["PATH"] = f"{self.programs}:{environ.get('PATH', '/usr/bin:/bin')}"
        self.boxes: set[str] = set()

    def add_box(self, name: str, nics: Sequence[str] = ()) -> None:
        """Describe a box (box add)."""
        words = [word for nic in nics for word in ("--nic", nic)]
        subprocess.run(
            [os.path.join(self.programs, "box"), "add", name, *words],
            env=self.environ,
            check=True,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIMEOUT_S,
        )
        self.boxes.add(name)

    def host(self, argv: Sequence[str]) -> tuple[str, int]:
        """Run a program on the host with the world's environment (lab, box)."""
        try:
            got = subprocess.run(
                list(argv),
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                timeout=TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired as exc:
            # What it started keeps its output open, too: `cmd >file 2>&1 &` lets go of it.
            printed = exc.stdout or b""
            text = printed.decode(errors="replace") if isinstance(printed, bytes) else printed
            return f"{text}(no end after {TIMEOUT_S:.0f} s)\n", 124
        return got.stdout, got.returncode

    def __call__(self, box: str, command: str) -> tuple[str, int]:
        """Run *command* in *box*; return what it printed, both streams, and its exit status.

        The box HOST is the machine itself: `lab` and the peers run there.
        """
        if box == "HOST":
            return self.host(["sh", "-c", command])
        self.boxes.add(box)
        return self.host(
            [os.path.join(self.programs, "box"), "run", box, "--", "sh", "-c", command]
        )

    def close(self) -> None:
        """Cut the power of every box, end what carries frames; remove a world of its own."""
        for name in sorted(self.boxes):
            self.host([os.path.join(self.programs, "box"), "kill", name])
        lab = os.path.join(self.programs, "lab")
        self.host([lab, "down"])
        for verb, segment in sorted(self._carried()):
            self.host([lab, verb, segment])
        if self.own:
            shutil.rmtree(self.world, ignore_errors=True)

    def _carried(self) -> set[tuple[str, str]]:
        """Return (verb of lab that ends it, segment) for what a transcript has left plugged in."""
        directory = os.path.join(self.world, "run", "lab")
        found = set()
        for name in os.listdir(directory) if os.path.isdir(directory) else ():
            verb = _ENDS.get(name.partition(".")[0])
            if verb is not None and not name.endswith("~"):
                with open(os.path.join(directory, name), encoding="utf-8") as file:
                    found.add((verb, os.path.basename(json.load(file)["segment"])))
        return found

    def __enter__(self) -> Player:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
