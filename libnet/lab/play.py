"""Who runs the commands of a transcript: processes in boxes of a world of their own, or the simulator."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from typing import Final

from libnet.lab.view import programs_dir

TIMEOUT_S: Final = 60.0


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
        """Cut the power of every box; remove a world of its own."""
        for name in sorted(self.boxes):
            self.host([os.path.join(self.programs, "box"), "kill", name])
        self.host([os.path.join(self.programs, "lab"), "down"])
        if self.own:
            shutil.rmtree(self.world, ignore_errors=True)

    def __enter__(self) -> Player:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
