"""The command line of io-pkt-*: getopt with attached or detached arguments, then an option word."""

from __future__ import annotations

from collections.abc import Sequence

_WITH_ARGUMENT = "diPpt"
_WITHOUT = "Sv"


class UsageError(ValueError):
    """The command line is wrong; the text is what getopt(3) would print."""


class Load:
    """One -d or -p: the module's name and its option string."""

    __slots__ = ("name", "options")

    def __init__(self, name: str, options: str = "") -> None:
        self.name, self.options = name, options

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Load) and (self.name, self.options) == (other.name, other.options)

    def __repr__(self) -> str:
        return f"Load({self.name!r}, {self.options!r})"

    __hash__ = None  # type: ignore[assignment]


class CommandLine:
    """What was asked.

    drivers, protocols  Load in order           instance  -i, stack number (0)
    priority            -P (21)                 threads   -t, or None for one per processor
    segv                False with -S           verbose   -v
    """

    def __init__(self) -> None:
        self.drivers: list[Load] = []
        self.protocols: list[Load] = []
        self.instance = 0
        self.priority = 21
        self.threads: int | None = None
        self.segv = True
        self.verbose = False


def parse(argv: Sequence[str]) -> CommandLine:
    """Read *argv* (without the program name). Raises UsageError.

    >>> c = parse(["-di82544", "speed=100", "-p", "tcpip", "forward", "-t2"])
    >>> c.drivers, c.protocols, c.threads
    ([Load('i82544', 'speed=100')], [Load('tcpip', 'forward')], 2)
    """
    line = CommandLine()
    words = list(argv)
    pos = 0
    while pos < len(words):
        word = words[pos]
        pos += 1
        if not word.startswith("-") or word == "-":
            raise UsageError(f"unexpected operand '{word}'")
        if word == "--":
            if pos < len(words):
                raise UsageError(f"unexpected operand '{words[pos]}'")
            break
        cluster = word[1:]
        while cluster:
            letter, cluster = cluster[0], cluster[1:]
            if letter in _WITHOUT:
                if letter == "S":
                    line.segv = False
                else:
                    line.verbose = True
                continue
            if letter not in _WITH_ARGUMENT:
                raise UsageError(f"unknown option -- {letter}")
            argument, cluster = cluster, ""
            if not argument:
                if pos == len(words):
                    raise UsageError(f"option requires an argument -- {letter}")
                argument = words[pos]
                pos += 1
            options = ""
            if letter in "dp" and pos < len(words) and not words[pos].startswith("-"):
                options = words[pos]
                pos += 1
            _store(line, letter, argument, options)
    return line


def _store(line: CommandLine, letter: str, argument: str, options: str) -> None:
    if letter == "d":
        line.drivers.append(Load(argument, options))
    elif letter == "p":
        line.protocols.append(Load(argument, options))
    elif letter == "i":
        line.instance = _number(letter, argument, 0, 255)
    elif letter == "P":
        line.priority = _number(letter, argument, 1, 255)
    else:
        line.threads = _number(letter, argument, 1, 64)


def _number(letter: str, text: str, low: int, high: int) -> int:
    try:
        value = int(text, 10)
    except ValueError:
        raise UsageError(f"bad number for -{letter}: '{text}'") from None
    if not low <= value <= high:
        raise UsageError(f"-{letter} must be from {low} to {high}")
    return value
