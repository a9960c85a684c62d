"""What the little shell of a box in memory knows without a program: echo, cat, grep and their kin.

Each takes the shell, its argument vector and its streams, and returns an exit status. They have the
options that lessons use, and refuse the others.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from libnet.errors import from_host

if TYPE_CHECKING:
    from libnet.lab.memory import Shell, Streams

MAX_READ: Final = 16 << 20


class Exit(Exception):
    """`exit` was called; *status* is the script's."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def _complain(argv: list[str], streams: Streams, what: str, status: int = 1) -> int:
    streams.stderr.write(f"{argv[0]}: {what}\n")
    return status


def _options(argv: list[str], known: str) -> tuple[set[str], list[str]]:
    """Return the letters given and the operands. Raises ValueError with the letter not known."""
    letters: set[str] = set()
    words = argv[1:]
    while words and len(words[0]) > 1 and words[0].startswith("-"):
        word = words.pop(0)
        if word == "--":
            break
        for letter in word[1:]:
            if letter not in known:
                raise ValueError(letter)
            letters.add(letter)
    return letters, words


def _inputs(
    shell: Shell, argv: list[str], names: list[str], streams: Streams, bad: list[str]
) -> Iterator[str]:
    """Yield the text of each named file, or of standard input; complain of those that fail."""
    for name in names or ["-"]:
        if name == "-":
            yield streams.stdin.read(MAX_READ)
            continue
        try:
            yield shell.box.read(name)[:MAX_READ]
        except OSError as exc:
            _complain(argv, streams, f"{name}: {from_host(exc).strerror}")
            bad.append(name)


def _true(_shell: Shell, _argv: list[str], _streams: Streams) -> int:
    return 0


def _false(_shell: Shell, _argv: list[str], _streams: Streams) -> int:
    return 1


def _echo(_shell: Shell, argv: list[str], streams: Streams) -> int:
    words = argv[1:]
    end = "\n"
    if words[:1] == ["-n"]:
        words, end = words[1:], ""
    streams.stdout.write(" ".join(words) + end)
    return 0


def _cat(shell: Shell, argv: list[str], streams: Streams) -> int:
    bad: list[str] = []
    for text in _inputs(shell, argv, argv[1:], streams, bad):
        streams.stdout.write(text)
    return 1 if bad else 0


def _grep(shell: Shell, argv: list[str], streams: Streams) -> int:
    try:
        letters, words = _options(argv, "EFchinqv")
    except ValueError as exc:
        return _complain(argv, streams, f"unknown option -- {exc}", 2)
    if not words:
        return _complain(argv, streams, "no pattern", 2)
    text = re.escape(words[0]) if "F" in letters else words[0]
    try:
        pattern = re.compile(text, re.IGNORECASE if "i" in letters else 0)
    except (re.error, RecursionError, OverflowError):
        return _complain(argv, streams, f"{words[0]}: bad pattern", 2)
    bad: list[str] = []
    count = 0
    number = 0
    for body in _inputs(shell, argv, words[1:], streams, bad):
        for line in body.splitlines():
            number += 1
            if bool(pattern.search(line)) == ("v" in letters):
                continue
            count += 1
            if not letters & {"c", "q"}:
                streams.stdout.write((f"{number}:" if "n" in letters else "") + line + "\n")
    if "c" in letters:
        streams.stdout.write(f"{count}\n")
    return 2 if bad else 0 if count else 1


def _count_operand(argv: list[str]) -> tuple[int, list[str]]:
    """Return the line count of head and tail (-n N, -N; 10) and the operands."""
    words = argv[1:]
    if words and re.fullmatch(r"-n?[0-9]{1,9}", words[0]):
        return int(words[0].lstrip("-n")), words[1:]
    if words[:1] == ["-n"] and len(words) > 1 and re.fullmatch(r"[0-9]{1,9}", words[1]):
        return int(words[1]), words[2:]
    return 10, words


def _head(shell: Shell, argv: list[str], streams: Streams) -> int:
    count, names = _count_operand(argv)
    bad: list[str] = []
    for text in _inputs(shell, argv, names, streams, bad):
        streams.stdout.write("".join(text.splitlines(keepends=True)[:count]))
    return 1 if bad else 0


def _tail(shell: Shell, argv: list[str], streams: Streams) -> int:
    count, names = _count_operand(argv)
    bad: list[str] = []
    for text in _inputs(shell, argv, names, streams, bad):
        lines = text.splitlines(keepends=True)
        streams.stdout.write("".join(lines[max(len(lines) - count, 0) :]))
    return 1 if bad else 0


def _sleep(shell: Shell, argv: list[str], streams: Streams) -> int:
    try:
        seconds = float(argv[1])
    except (IndexError, ValueError):
        seconds = -1.0
    if not 0 <= seconds < 1e9:
        return _complain(argv, streams, "usage: sleep seconds")
    shell.box.host.sleep(seconds)
    return 0


def _export(shell: Shell, argv: list[str], _streams: Streams) -> int:
    for word in argv[1:]:
        name, equals, value = word.partition("=")
        if equals:
            shell.variables[name] = shell.box.environ[name] = value
    return 0


def _unset(shell: Shell, argv: list[str], _streams: Streams) -> int:
    for name in argv[1:]:
        shell.variables.pop(name, None)
        shell.box.environ.pop(name, None)
    return 0


def _exit(shell: Shell, argv: list[str], streams: Streams) -> int:
    try:
        status = int(argv[1]) & 0xFF if len(argv) > 1 else int(shell.variables["?"])
    except ValueError:
        status = _complain(argv, streams, f"{argv[1]}: bad number", 2)
    raise Exit(status)


def _wait(shell: Shell, argv: list[str], streams: Streams) -> int:
    """Wait for the background jobs that are named, or all of them."""
    jobs = shell.box.jobs
    wanted = set(jobs)
    if len(argv) > 1:
        try:
            wanted = {int(word.removeprefix("%")) for word in argv[1:]}
        except ValueError:
            return _complain(argv, streams, f"{argv[1]}: no such job", NOT_A_JOB)
    shell.box.world.scheduler.wait(lambda: not wanted & set(jobs), None)
    return 0


NOT_A_JOB: Final = 127


def _kill(shell: Shell, argv: list[str], streams: Streams) -> int:
    """Send a signal, SIGTERM if not told, to background jobs."""
    words = argv[1:]
    name = "TERM"
    if words and words[0].startswith("-"):
        name = words.pop(0)[1:].removeprefix("SIG")
        name = _BY_NUMBER.get(name, name)
    if not words:
        return _complain(argv, streams, "usage: kill [-signal] job ...")
    status = 0
    for word in words:
        number = word.removeprefix("%")
        job = shell.box.jobs.get(int(number)) if number.isascii() and number.isdigit() else None
        if job is None:
            status = _complain(argv, streams, f"{word}: No such process")
            continue
        try:
            job.signal(f"SIG{name}")
        except ValueError:
            return _complain(argv, streams, f"{name}: bad signal")
    return status


_BY_NUMBER: Final = {"1": "HUP", "2": "INT", "3": "QUIT", "9": "KILL", "15": "TERM"}


def _ls(shell: Shell, argv: list[str], streams: Streams) -> int:
    status = 0
    for name in argv[1:] or ["/"]:
        path = shell.box.paths.root if name == "/" else shell.box.file(name)
        try:
            found = sorted(os.listdir(path)) if os.path.isdir(path) else [name]
            if not os.path.lexists(path):
                raise FileNotFoundError(2, "", name)
        except (OSError, ValueError) as exc:
            why = from_host(exc).strerror if isinstance(exc, OSError) else "Invalid argument"
            status = _complain(argv, streams, f"{name}: {why}")
            continue
        streams.stdout.write("".join(f"{entry}\n" for entry in found))
    return status


def _each_path(shell: Shell, argv: list[str], streams: Streams, func: Callable[[str], None]) -> int:
    status = 0
    for name in argv[1:]:
        try:
            func(shell.box.file(name))
        except (OSError, ValueError) as exc:
            why = from_host(exc).strerror if isinstance(exc, OSError) else "Invalid argument"
            status = _complain(argv, streams, f"{name}: {why}")
    return status


def _rm(shell: Shell, argv: list[str], streams: Streams) -> int:
    force = argv[1:2] == ["-f"]
    if force:
        argv = [argv[0], *argv[2:]]

    def remove(path: str) -> None:
        if not (force and not os.path.lexists(path)):
            os.unlink(path)

    return _each_path(shell, argv, streams, remove)


def _mkdir(shell: Shell, argv: list[str], streams: Streams) -> int:
    if argv[1:2] == ["-p"]:
        argv = [argv[0], *argv[2:]]
        return _each_path(shell, argv, streams, lambda path: os.makedirs(path, exist_ok=True))
    return _each_path(shell, argv, streams, os.mkdir)


def _slogger(shell: Shell, argv: list[str], streams: Streams) -> int:
    """Make /dev/slog. The log needs no daemon here: one in the caller's process could not fork."""
    if len(argv) > 1:
        why = "a box in memory keeps its log by itself, and takes no options for it"
        return _complain(argv, streams, f"{argv[1]}: {why}")
    if SLOG.lstrip("/") in shell.box.paths.nodes:
        return _complain(argv, streams, f"{SLOG}: slogger is already running")
    shell.box.paths.add_node(SLOG)
    return 0


SLOG: Final = "/dev/slog"

Builtin = Callable[["Shell", list[str], "Streams"], int]

BUILTINS: Final[dict[str, Builtin]] = {
    ":": _true,
    "cat": _cat,
    "echo": _echo,
    "exit": _exit,
    "export": _export,
    "false": _false,
    "grep": _grep,
    "head": _head,
    "kill": _kill,
    "ls": _ls,
    "mkdir": _mkdir,
    "rm": _rm,
    "sleep": _sleep,
    "slogger": _slogger,
    "tail": _tail,
    "true": _true,
    "unset": _unset,
    "wait": _wait,
}
