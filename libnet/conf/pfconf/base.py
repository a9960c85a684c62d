"""What parsing a pf.conf yields, and the machinery under the grammar: tokens, errors, recovery."""

from __future__ import annotations

from typing import Any, Final, NoReturn

from libnet.conf.pfconf.env import Env
from libnet.conf.pfconf.fp import Fingerprints
from libnet.conf.pfconf.hosts import HostReader
from libnet.conf.pfconf.lex import EOF, NEWLINE, STRING, Lexer, Macros
from libnet.conf.pfconf.nodes import Anchor
from libnet.conf.pfconf.printer import Printer
from libnet.ioctl.pf import PF_LIMIT_DEFAULTS, PFTM_DEFAULTS, PfAltq, PfRule

# What of a file is used (pfctl -A, -N, -R, -O, -T load).
LOAD_ALTQ: Final = 0x01
LOAD_NAT: Final = 0x02
LOAD_FILTER: Final = 0x04
LOAD_OPTIONS: Final = 0x08
LOAD_TABLES: Final = 0x10
LOAD_ALL: Final = 0x1F

# How deep lists, and anchors, may be nested.
MAX_NEST: Final = 64

# pfctl -o.
OPTIMIZE_NONE: Final = 0
OPTIMIZE_BASIC: Final = 1
OPTIMIZE_PROFILE: Final = 2


class Fatal(Exception):
    """What ends the program at once; the text goes after "pfctl: "."""


class TooDeep(Exception):
    """Braces are nested beyond MAX_NEST; reading ends, as yacc's does when its stack is full."""


class Recover(Exception):
    """A statement is given up; the rest of its line is passed over."""


class Loaded:
    """One rule and the anchor that it calls, if it calls one."""

    __slots__ = ("anchor", "rule")

    def __init__(self, rule: PfRule, anchor: Anchor | None) -> None:
        self.rule, self.anchor = rule, anchor


class Conf:
    """A parsed pf.conf.

    failed    whether there was an error; then nothing of it is to be used
    errors    lines for standard error, in order
    events    what happens while reading, in order: ("print", text), ("table", PfrTable flags …)
              as tuples, see the parser's methods
    anchor    the rules, by PF_RULESET_*, inline anchors below them
    load_anchors   (anchor name, file) of each "load anchor"
    timeouts, limits    values by index; those set by the file are in timeouts_set, limits_set
    ifname    of "set loginterface", None when it is not set, "" for none
    optimize  of "set ruleset-optimization", or None
    altqs     interfaces and queues, in order
    """

    def __init__(self, name: str) -> None:
        self.failed = False
        self.errors: list[str] = []
        self.events: list[tuple[Any, ...]] = []
        self.anchor = Anchor(name, name)
        self.load_anchors: list[tuple[str, str]] = []
        self.timeouts = list(PFTM_DEFAULTS)
        self.timeouts_set: set[int] = set()
        self.limits = list(PF_LIMIT_DEFAULTS)
        self.limits_set: set[int] = set()
        self.ifname: str | None = None
        self.debug: int | None = None
        self.hostid: int | None = None
        self.optimize: int | None = None
        self.altqs: list[PfAltq] = []

    def printed(self) -> str:
        """Return all that was printed while reading."""
        return "".join(event[1] for event in self.events if event[0] == "print")


class Settings:
    """How a file is read.

    anchor    path of the ruleset it is for, "" for the main one
    load      LOAD_* bits          verbose  0, 1 (-v) or 2 (-vv)
    optimize  OPTIMIZE_* if -o was given, else None
    """

    __slots__ = ("anchor", "dialect", "load", "optimize", "quiet", "verbose")

    def __init__(
        self,
        *,
        dialect: int = 42,
        anchor: str = "",
        load: int = LOAD_ALL,
        verbose: int = 0,
        optimize: int | None = None,
        quiet: bool = False,
    ) -> None:
        self.dialect, self.anchor, self.load = dialect, anchor, load
        self.verbose, self.optimize, self.quiet = verbose, optimize, quiet


class ParserBase:
    """Tokens with one of look-ahead, messages, and recovery at the end of a line.

    A syntax error is told only when three tokens have gone well since the last one, as yacc does.
    """

    def __init__(
        self,
        text: str,
        filename: str,
        env: Env,
        fps: Fingerprints,
        settings: Settings,
        macros: Macros,
    ) -> None:
        self.filename, self.env, self.fps, self.settings = filename, env, fps, settings
        self.old = settings.dialect == 37
        self.macros = macros
        self.conf = Conf(settings.anchor)
        self.lex = Lexer(text, macros, self._lex_error, dialect=settings.dialect)
        self.hosts = HostReader(env, self.say)
        self.printer = Printer(env.services, env.protocols, fps, dialect=settings.dialect)
        self._kind: str | None = None
        self._text = ""
        self._quiet_for = 0
        self._nested = 0
        self._listing = 0  # how many lists of addresses are open
        self.shifted = False

    # -- messages

    def say(self, line: str) -> None:
        """Tell *line* on standard error; it fails nothing."""
        self.conf.errors.append(line)

    def warnx(self, line: str) -> None:
        """Tell a line that begins with the program's name."""
        self.conf.errors.append(f"pfctl: {line}")

    def _lex_error(self, line: int, message: str) -> None:
        self.conf.failed = True
        self.conf.errors.append(f"{self.filename}:{line}: {message}")

    def error(self, message: str) -> None:
        """Tell an error at the place reached; the file has failed."""
        self._lex_error(self.lex.line, message)

    def give_up(self, message: str) -> NoReturn:
        """Tell an error and give up the statement."""
        self.error(message)
        raise Recover

    def syntax_error(self) -> NoReturn:
        """Tell that the next token fits nothing."""
        if not self._quiet_for:
            self.error("syntax error")
        raise Recover

    def out(self, text: str) -> None:
        """Print *text* on standard output, in its turn."""
        self.conf.events.append(("print", text))

    # -- tokens

    def peek(self) -> str:
        """Return the kind of the next token."""
        kind = self._kind
        if kind is None:
            kind, self._text = self.lex.token()
            self._kind = kind
        return kind

    def shift(self) -> str:
        """Take the next token; return its text."""
        if self._kind is None:
            self.peek()
        self._kind = None
        self.shifted = True
        if self._quiet_for:
            self._quiet_for -= 1
        return self._text

    def accept(self, kind: str) -> bool:
        """Take the next token if it is of *kind*."""
        if self.peek() != kind:
            return False
        self.shift()
        return True

    def expect(self, kind: str) -> str:
        """Take a token of *kind*; return its text."""
        if self.peek() != kind:
            self.syntax_error()
        return self.shift()

    def word(self) -> str:
        """Take a word that is no keyword."""
        return self.expect(STRING)

    def words(self) -> str:
        """Take one word or more, joined by one blank."""
        text = self.word()
        while self.peek() == STRING:
            text += " " + self.shift()
        return text

    def deeper(self) -> None:
        """Count a brace; leave() takes it back. Raises TooDeep."""
        self._nested += 1
        if self._nested > MAX_NEST:
            self.error("yacc stack overflow")
            raise TooDeep

    def leave(self) -> None:
        """Take back a deeper()."""
        self._nested -= 1

    def recover(self) -> bool:
        """Pass over the rest of the line; False at the end of the text."""
        self._quiet_for = 3
        self._nested = 0
        while True:
            kind = self.peek()
            if kind == EOF:
                return False
            if kind == NEWLINE:
                self.shift()
                return True
            self._kind = None
