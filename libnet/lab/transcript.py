"""Transcripts: commands at boxes and what they print, as text that runs.

    == two boxes on one wire
    [BoxA]# ifconfig wm0 10.0.0.1/24
    [BoxA]# ifconfig wm9
    ifconfig: SIOCGIFFLAGS wm9: No such device or address
    [status 1]

A line `== words` starts a section. A prompt `[BOX]# ` starts a command, given to sh(1) in that box; a
backslash at its end continues it. The lines that follow are what it must print, standard output and
standard error as they come; `...` in a line stands for any text, a line that is only `...` for any
lines. `[status N]` is the exit status, 0 when it is not told. `#` lines before the first section are
comments. A command with no lines after it prints nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

_PROMPT: Final = re.compile(r"\[([A-Za-z0-9_-]+)\][#$] (.*)\Z")
_STATUS: Final = re.compile(r"\[status (\d+)\]\Z")


class BadTranscript(ValueError):
    """The text is no transcript; the message has the line number."""


class Step:
    """One command: box, command line, expected lines, exit status, line number, section."""

    __slots__ = ("box", "command", "expect", "line", "section", "status")

    def __init__(self, box: str, command: str, line: int, section: str) -> None:
        self.box, self.command, self.line, self.section = box, command, line, section
        self.expect: list[str] = []
        self.status = 0


def parse(text: str) -> list[Step]:
    """Return the steps of a transcript. Raises BadTranscript."""
    steps: list[Step] = []
    section = ""
    continued = False
    for number, line in enumerate(text.splitlines(), 1):
        if continued:
            steps[-1].command = steps[-1].command[:-1].rstrip() + " " + line.strip()
            continued = line.endswith("\\")
            continue
        if line.startswith("== "):
            section = line[3:].strip()
            steps_end = steps[-1] if steps else None
            if steps_end is not None:
                _trim(steps_end)
            continue
        if not section and (not line.strip() or line.startswith("#")):
            continue
        got = _PROMPT.match(line)
        if got:
            if steps:
                _trim(steps[-1])
            steps.append(Step(got.group(1), got.group(2), number, section))
            continued = line.endswith("\\")
            continue
        if not steps:
            if not line.strip():
                continue
            raise BadTranscript(f"{number}: text before the first prompt")
        status = _STATUS.match(line)
        if status:
            steps[-1].status = int(status.group(1))
        else:
            steps[-1].expect.append(line)
    if steps:
        _trim(steps[-1])
    return steps


def _trim(step: Step) -> None:
    """Drop the blank lines that separate a step from the next section."""
    while step.expect and not step.expect[-1].strip():
        step.expect.pop()


def _pattern(line: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, line.split("..."))) + r"\Z")


def matches(expect: list[str], got: list[str]) -> bool:
    """Tell whether the lines *got* are what *expect* allows.

    >>> matches(["a", "...", "time=... ms"], ["a", "b", "c", "time=0.3 ms"])
    True
    """
    # reach[j]: the first i expected lines can cover the first j lines.
    reach = {0}
    for line in expect:
        if line.strip() == "...":
            low = min(reach, default=len(got) + 1)
            reach = set(range(low, len(got) + 1))
            continue
        pattern = _pattern(line)
        reach = {j + 1 for j in reach if j < len(got) and pattern.match(got[j])}
    return len(got) in reach


class Mismatch(AssertionError):
    """A command printed, or returned, something else than the transcript says."""

    def __init__(self, step: Step, output: list[str], status: int) -> None:
        want = "\n".join(step.expect)
        have = "\n".join(output)
        super().__init__(
            f"line {step.line}: [{step.box}]# {step.command}\n"
            f"--- expected (status {step.status})\n{want}\n--- got (status {status})\n{have}"
        )
        self.step = step


def run(
    steps: list[Step],
    execute: Callable[[str, str], tuple[str, int]],
    show: Callable[[str], None] | None = None,
) -> None:
    """Run *steps*; *execute(box, command)* returns what was printed and the exit status.

    show   called with text as it happens
    Raises Mismatch at the first step that differs.
    """
    section = ""
    for step in steps:
        if show is not None:
            if step.section != section:
                show(f"\n== {step.section}\n")
                section = step.section
            show(f"[{step.box}]# {step.command}\n")
        printed, status = execute(step.box, step.command)
        if show is not None:
            show(printed)
            if status:
                show(f"[status {status}]\n")
        output = [line.rstrip() for line in printed.splitlines()]
        while output and not output[-1]:
            output.pop()
        expect = [line.rstrip() for line in step.expect]
        if status != step.status or not matches(expect, output):
            raise Mismatch(step, output, status)
