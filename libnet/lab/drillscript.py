"""The notation of drill(5): text in, a list of timed events out.

It is the part of packetdrill's notation that libnet.lab.drill runs; nothing here knows a stack.
Numbers in segments are the script's own, counted from initial sequence numbers of 0.
"""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple, NoReturn

from libnet.addr import inet_pton

MAX_SCRIPT: Final = 1 << 20  # characters
MAX_PAYLOAD: Final = 65495  # what fits an IP packet behind a TCP header
MAX_SECONDS: Final = 1e7
FLAGS: Final = "FSRPUEW."
IP_WORDS: Final = ("ECT0", "ECT1", "CE", "noecn", "DF", "noDF", "badsum", "noise", "new")

# Knobs of the first lines, with their defaults.
KNOBS: Final[dict[str, int]] = {
    "mtu": 1500,
    "tolerance_usecs": 1000,
    "remote_isn": 0x10000000,
    "local_ip": inet_pton("192.168.0.1"),
    "gateway_ip": inet_pton("192.168.0.2"),
    "netmask_ip": inet_pton("255.255.0.0"),
    "remote_ip": inet_pton("192.0.2.1"),
    "bind_port": 8080,
    "connect_port": 8080,
    "peer_port": 40000,
    "seed": 1,
}

ICMP_CODES: Final[dict[str, tuple[int, dict[str, int]]]] = {
    "unreachable": (
        3,
        {
            "net_unreachable": 0,
            "host_unreachable": 1,
            "protocol_unreachable": 2,
            "port_unreachable": 3,
            "frag_needed": 4,
            "source_route_failed": 5,
            "net_prohibited": 9,
            "host_prohibited": 10,
            "packet_filtered": 13,
        },
    ),
    "source_quench": (4, {}),
    "time_exceeded": (11, {"ttl_exceeded": 0, "reassembly_time_exceeded": 1}),
    "parameter_problem": (12, {}),
}


class BadScript(ValueError):
    """The text is no script: "file:line: message"."""


class Any_(NamedTuple):
    """The `*` or `...` that stands for any value."""

    text: str = "*"

    def __str__(self) -> str:
        return self.text


ANY: Final = Any_()
DOTS: Final = Any_("...")


class When(NamedTuple):
    """When an event is to happen.

    kind   "at" a moment, somewhere in a "range", a call that "blocks" until the end, or "any" time
    start, end  seconds from the start of the script, or from the event before if *relative*
    """

    kind: str
    relative: bool
    start: float
    end: float


class TcpOption(NamedTuple):
    """One TCP option: its word, and its numbers (each an int, or ANY)."""

    word: str
    values: tuple[Any, ...] = ()

    def __str__(self) -> str:
        if self.word == "TS":
            return f"TS val {self.values[0]} ecr {self.values[1]}"
        if self.word == "sack":
            edges = self.values
            pairs = zip(edges[::2], edges[1::2], strict=True)
            return "sack " + " ".join(f"{left}:{right}" for left, right in pairs)
        if self.word == "raw":
            return f"raw {self.values[0].hex()}"
        return " ".join((self.word, *map(str, self.values)))


class IpInfo(NamedTuple):
    """What brackets say of the IP header: words of IP_WORDS, and a tos and ttl or None."""

    words: frozenset[str] = frozenset()
    tos: int | None = None
    ttl: int | None = None


class Seq(NamedTuple):
    """first:last(length) of a segment."""

    start: int
    length: int


class Tcp(NamedTuple):
    """A segment to be sent in, or expected to come out.

    ports    (source, destination) or None for those of the connection at hand
    flags    letters of FLAGS, in that order           ack  None without the flag, or ANY
    win      None: not compared (0 when sent in)       urg  urgent pointer
    options  None stands for any
    """

    inbound: bool
    ip: IpInfo
    ports: tuple[int, int] | None
    flags: str
    seq: Seq | Any_
    ack: int | Any_ | None
    win: int | Any_ | None
    urg: int
    options: tuple[TcpOption, ...] | None


class Udp(NamedTuple):
    """A datagram of *length* octets of data."""

    inbound: bool
    ip: IpInfo
    ports: tuple[int, int] | None
    length: int


class Icmp(NamedTuple):
    """An ICMP error about a segment of ours that began at *echoed*; *mtu* of a next hop."""

    inbound: bool
    ports: tuple[int, int] | None
    type: int
    code: int
    mtu: int
    echoed: Seq | None


class Name(NamedTuple):
    """Constants joined by a bar, such as O_RDWR|O_NONBLOCK."""

    names: tuple[str, ...]

    def __str__(self) -> str:
        return "|".join(self.names)


class Call(NamedTuple):
    """A call of the socket layer: result is an int, ANY, or None when it is not told.

    error   errno symbol after -1, or ""       text  what follows it in parentheses, or ""
    """

    name: str
    args: tuple[Any, ...]
    result: int | Any_ | None
    error: str
    text: str


class Command(NamedTuple):
    """Settings: (sysctl name, value) in order."""

    settings: tuple[tuple[str, int | str], ...]


class Term(NamedTuple):
    """One comparison: left and right are an int, a str, or a (function, argument) pair."""

    left: Any
    op: str
    right: Any
    text: str


class Check(NamedTuple):
    """Comparisons that all must hold."""

    terms: tuple[Term, ...]


Body = Tcp | Udp | Icmp | Call | Command | Check


class Event(NamedTuple):
    """One line of a script."""

    line: int
    text: str
    when: When
    body: Body


class Script(NamedTuple):
    """A whole script: its knobs by name, and its events in order."""

    filename: str
    knobs: dict[str, int]
    events: tuple[Event, ...]


def parse(text: str, filename: str = "script") -> Script:
    """Read a script. Raises BadScript."""
    return _Parser(text, filename).script()


_SPACE: Final = re.compile(r"(?:\s+|//[^\n]*|#[^\n]*|/\*.*?\*/)+", re.DOTALL)
_BLANKS: Final = re.compile(r"[ \t]+")
_SECONDS: Final = re.compile(r"\d+(?:\.\d+)?|\.\d+", re.ASCII)
_INT: Final = re.compile(r"0[xX][0-9a-fA-F]+|-?\d+", re.ASCII)
_WORD: Final = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_FLAGS: Final = re.compile(r"[FSRPUEW.]+(?=\s)")
_STRING: Final = re.compile(r'"([^"\n]*)"')
_ERRNO: Final = re.compile(r"E[A-Z0-9]+\b")
_PAREN: Final = re.compile(r"\(([^()\n]*)\)")
_HEX: Final = re.compile(r"(?:[0-9a-fA-F]{2})+")
_BACKTICK: Final = re.compile(r"`([^`]*)`")
_CODE: Final = re.compile(r"%\{(.*?)\}%", re.DOTALL)
_KNOB: Final = re.compile(r"--([a-z_]+)=(\S+)")
_SETTING: Final = re.compile(r"([A-Za-z_][\w.]*)=(\S+)", re.ASCII)
_IPV4: Final = re.compile(r"\d+\.\d+\.\d+\.\d+", re.ASCII)
_TERM: Final = re.compile(r"(.+?)\s*(==|!=|<=|>=|<|>)\s*(.+)", re.DOTALL)
_FUNC: Final = re.compile(r"([a-z]+)\(\s*(\"[^\"]*\"|\d+)\s*\)", re.ASCII)
_COUNTER: Final = re.compile(r"([a-z]+)s_([a-z_0-9.]+)", re.ASCII)

COUNTERS: Final = {"tcp": "tcp", "udp": "udp", "ip": "ip", "icp": "icmp"}
FUNCTIONS: Final = ("state", "pcbs", "sysctl", "readable", "tcp", "udp", "ip", "icp")


class _Parser:
    def __init__(self, text: str, filename: str) -> None:
        self.text, self.filename = text, filename
        self.pos = 0
        self.mark = 0  # where line() last counted from
        self.line_at_mark = 1
        if len(text) > MAX_SCRIPT:
            self.fail("script too long")

    # -- small ones

    def line(self) -> int:
        """Return the number of the line at hand."""
        if self.pos < self.mark:
            self.mark, self.line_at_mark = 0, 1
        self.line_at_mark += self.text.count("\n", self.mark, self.pos)
        self.mark = self.pos
        return self.line_at_mark

    def fail(self, why: str) -> NoReturn:
        """Raise BadScript."""
        raise BadScript(f"{self.filename}:{self.line()}: {why}")

    def skip(self) -> None:
        """Pass over white space and comments."""
        found = _SPACE.match(self.text, self.pos)
        if found:
            self.pos = found.end()
        if self.text.startswith("/*", self.pos):
            self.fail("comment without end")

    def accept(self, literal: str) -> bool:
        """Pass over *literal* if it comes next."""
        self.skip()
        if not self.text.startswith(literal, self.pos):
            return False
        self.pos += len(literal)
        return True

    def expect(self, literal: str) -> None:
        """Pass over *literal*."""
        if not self.accept(literal):
            self.fail(f"`{literal}' expected at {self.near()}")

    def near(self) -> str:
        """Return what comes next, for a message."""
        rest = self.text[self.pos : self.pos + 20].split("\n", 1)[0].strip()
        return repr(rest) if rest else "the end of the line"

    def take(self, pattern: re.Pattern[str]) -> str | None:
        """Return what *pattern* matches (its group 1, if it has one), or None."""
        self.skip()
        found = pattern.match(self.text, self.pos)
        if found is None:
            return None
        self.pos = found.end()
        return found[1] if pattern.groups else found[0]

    def need(self, pattern: re.Pattern[str], what: str) -> str:
        """Return what *pattern* matches; without a match *what* is missed."""
        got = self.take(pattern)
        if got is None:
            self.fail(f"{what} expected at {self.near()}")
        return got

    def word(self, *words: str) -> str | None:
        """Return which of *words* comes next, having passed over it, or None."""
        at = self.pos
        got = self.take(_WORD)
        if got in words:
            return got
        self.pos = at
        return None

    def integer(self, what: str, low: int = 0, high: int = 0xFFFFFFFF) -> int:
        """Return the integer that comes next, from *low* to *high*."""
        digits = self.need(_INT, what)
        if len(digits) > 12:
            self.fail(f"{what} out of range")
        value = int(digits, 0) if digits[:2] in ("0x", "0X") else int(digits)
        if not low <= value <= high:
            self.fail(f"{what} {value} is not in {low}..{high}")
        return value

    def number(self, what: str, low: int = 0, high: int = 0xFFFFFFFF) -> int | Any_:
        """Return the integer that comes next, or ANY."""
        return ANY if self.accept("*") else self.integer(what, low, high)

    # -- from the top

    def script(self) -> Script:
        """Read everything."""
        knobs = dict(KNOBS)
        while self.accept("--"):
            self.pos -= 2
            self.knob(knobs)
        events = []
        self.skip()
        while self.pos < len(self.text):
            events.append(self.event())
            self.skip()
        if not events:
            self.fail("a script without events")
        return Script(self.filename, knobs, tuple(events))

    def knob(self, knobs: dict[str, int]) -> None:
        """Read one --NAME=VALUE."""
        found = _KNOB.match(self.text, self.pos)
        if found is None or found[1] not in knobs:
            self.fail(f"no option of a script: {self.near()}")
        name, value = found[1], found[2]
        try:
            if name.endswith("_ip"):
                knobs[name] = inet_pton(value)
            else:
                if len(value) > 12:
                    raise ValueError
                knobs[name] = int(value, 0)
                top = {"mtu": 65535, "tolerance_usecs": 1_000_000}.get(name, 0xFFFFFFFF)
                top = 65535 if name.endswith("_port") else top
                if not (68 if name == "mtu" else 0) <= knobs[name] <= top:
                    raise ValueError
        except ValueError:
            self.fail(f"--{name}: bad value {value}")
        self.pos = found.end()

    def event(self) -> Event:
        """Read one event."""
        line, start = self.line(), self.pos
        when = self.when()
        body = self.body()
        if when.kind == "blocks" and not isinstance(body, Call):
            self.fail("only a call blocks")
        if when.kind in ("range", "any") and (
            isinstance(body, Call | Command | Check) or body.inbound
        ):
            self.fail("only an outgoing packet may choose its time")
        return Event(line, " ".join(self.text[start : self.pos].split()), when, body)

    def when(self) -> When:
        """Read the time before an event; without one it is the time of the event before."""
        if self.accept("*"):
            return When("any", True, 0.0, 0.0)
        relative = self.accept("+")
        first = self.need(_SECONDS, "a time") if relative else self.take(_SECONDS)
        if first is None:
            return When("at", True, 0.0, 0.0)
        start = self.seconds(first)
        kind = "blocks" if self.accept("...") else "range" if self.accept("~") else "at"
        if kind == "at":
            return When(kind, relative, start, start)
        self.accept("+")
        second = self.need(_SECONDS, "a time")
        end = self.seconds(second)
        if end < start:
            self.fail("a time that ends before it begins")
        return When(kind, relative, start, end)

    def seconds(self, text: str) -> float:
        """Return the value of a time."""
        value = float(text)
        if value > MAX_SECONDS:
            self.fail(f"time {text} is too long")
        return value

    def body(self) -> Body:
        """Read what happens."""
        if self.accept("<"):
            return self.packet(inbound=True)
        if self.accept(">"):
            return self.packet(inbound=False)
        if self.text.startswith("`", self.pos):
            return self.command()
        if self.text.startswith("%{", self.pos):
            return self.check()
        return self.call()

    # -- packets

    def packet(self, *, inbound: bool) -> Tcp | Udp | Icmp:
        """Read what follows < or >."""
        ip, echoed = self.brackets()
        ports = self.ports()
        if self.word("icmp"):
            return self.icmp(inbound, ports, echoed)
        if echoed is not None:
            self.fail("only icmp quotes a segment")
        if self.word("udp"):
            self.expect("(")
            length = self.integer("length", 0, MAX_PAYLOAD)
            self.expect(")")
            return Udp(inbound, ip, ports, length)
        letters = self.need(_FLAGS, "flags")
        flags = "".join(letter for letter in FLAGS if letter in letters)
        if len(flags) != len(letters):
            self.fail(f"flags {letters}")
        seq: Seq | Any_ = DOTS if self.accept("*") else self.seq()
        if inbound and seq is DOTS:
            self.fail("an incoming segment needs its numbers")
        ack: int | Any_ | None = None
        if self.word("ack"):
            ack = self.number("ack", -0xFFFFFFFF)
        if ("." in flags) != (ack is not None):
            self.fail("the flag `.' and an ack belong together")
        win = self.number("win", 0, 65535) if self.word("win") else None
        urg = self.integer("urg", 0, 65535) if self.word("urg") else 0
        options = self.options()
        if inbound and (options is None or ANY in (ack, win)):
            self.fail("an incoming segment leaves nothing open")
        return Tcp(inbound, ip, ports, flags, seq, ack, win, urg, options)

    def brackets(self) -> tuple[IpInfo, Seq | None]:
        """Read [words] about the IP header, or the [seq] that an ICMP error quotes."""
        words: set[str] = set()
        tos = ttl = None
        if not self.accept("["):
            return IpInfo(), None
        self.skip()
        if _INT.match(self.text, self.pos):
            echoed = self.seq()
            self.expect("]")
            return IpInfo(), echoed
        while True:
            if self.word("tos"):
                tos = self.integer("tos", 0, 255)
            elif self.word("ttl"):
                ttl = self.integer("ttl", 0, 255)
            else:
                word = self.word(*IP_WORDS)
                if word is None:
                    self.fail(f"no word about an IP header: {self.near()}")
                words.add(word)
            if self.accept("]"):
                return IpInfo(frozenset(words), tos, ttl), None
            self.expect(",")

    def ports(self) -> tuple[int, int] | None:
        """Read SOURCE > DESTINATION, if they are there."""
        at = self.pos
        if self.take(_INT) is not None and self.accept(">"):
            self.pos = at
            src = self.integer("port", 0, 65535)
            self.expect(">")
            return src, self.integer("port", 0, 65535)
        self.pos = at
        return None

    def seq(self) -> Seq:
        """Read first:last(length)."""
        start = self.integer("sequence number", -0xFFFFFFFF)
        self.expect(":")
        end = self.integer("sequence number", -0xFFFFFFFF)
        self.expect("(")
        length = self.integer("length", 0, MAX_PAYLOAD)
        self.expect(")")
        if (end - start) & 0xFFFFFFFF != length:
            self.fail(f"{start}:{end} is not {length} octets")
        return Seq(start, length)

    def options(self) -> tuple[TcpOption, ...] | None:
        """Read <options> on the same line; none at all where there are no angle brackets."""
        found = _BLANKS.match(self.text, self.pos)
        at = found.end() if found else self.pos
        if not self.text.startswith("<", at):
            return ()
        self.pos = at + 1
        if self.accept("...") or self.accept("*"):
            self.expect(">")
            return None
        options = []
        while True:
            options.append(self.option())
            if self.accept(">"):
                return tuple(options)
            self.expect(",")

    def option(self) -> TcpOption:
        """Read one option."""
        word = self.word("mss", "wscale", "sackOK", "sack", "TS", "nop", "eol", "raw")
        if word in ("sackOK", "nop", "eol"):
            return TcpOption(word)
        if word in ("mss", "wscale"):
            return TcpOption(word, (self.number(word, 0, 65535 if word == "mss" else 255),))
        if word == "TS":
            values = []
            for name in ("val", "ecr"):
                if not self.word(name):
                    self.fail(f"`{name}' expected at {self.near()}")
                values.append(self.number(name))
            return TcpOption(word, tuple(values))
        if word == "sack":
            edges: list[int] = []
            while not edges or (self.more() and len(edges) < 8):
                edges.append(self.integer("edge", -0xFFFFFFFF))
                self.expect(":")
                edges.append(self.integer("edge", -0xFFFFFFFF))
            return TcpOption(word, tuple(edges))
        if word == "raw":
            octets = self.need(_HEX, "octets in hexadecimal")
            if len(octets) > 80:
                self.fail("options over 40 octets")
            return TcpOption(word, (bytes.fromhex(octets),))
        self.fail(f"no TCP option: {self.near()}")

    def more(self) -> bool:
        """Tell whether an integer comes next."""
        self.skip()
        return _INT.match(self.text, self.pos) is not None

    def icmp(self, inbound: bool, ports: tuple[int, int] | None, echoed: Seq | None) -> Icmp:
        """Read what follows the word icmp."""
        kind = self.word(*ICMP_CODES)
        if kind is None:
            self.fail(f"no ICMP error: {self.near()}")
        number, codes = ICMP_CODES[kind]
        code = self.word(*codes) if codes else None
        if codes and code is None:
            self.fail(f"no code of icmp {kind}: {self.near()}")
        mtu = self.integer("mtu", 0, 65535) if self.word("mtu") else 0
        if self.accept("["):
            echoed = self.seq()
            self.expect("]")
        if inbound and echoed is None:
            self.fail("an ICMP error quotes a segment: [first:last(length)]")
        return Icmp(inbound, ports, number, codes[code] if code else 0, mtu, echoed)

    # -- calls

    def call(self) -> Call:
        """Read NAME(ARGS) = RESULT."""
        name = self.need(_WORD, "an event")
        self.expect("(")
        args = self.values(")")
        result: int | Any_ | None = None
        error = text = ""
        if self.accept("="):
            result = self.number("result", -1)
            if result == -1:
                error = self.need(_ERRNO, "the symbol of an error")
                text = self.take(_PAREN) or ""
        return Call(name, args, result, error, text)

    def values(self, end: str, depth: int = 0) -> tuple[Any, ...]:
        """Read values separated by commas up to *end*."""
        if depth > 8:
            self.fail("too many brackets")
        found: list[Any] = []
        if self.accept(end):
            return ()
        while True:
            found.append(self.value(depth))
            if self.accept(end):
                return tuple(found)
            self.expect(",")

    def value(self, depth: int) -> Any:
        """Read a value: an int, a text, names, a [list], a {structure}, or `...'."""
        if self.accept("..."):
            return DOTS
        if self.accept("["):
            return list(self.values("]", depth + 1))
        if self.accept("{"):
            return self.structure(depth + 1)
        string = self.take(_STRING)
        if string is not None:
            return string
        name = self.take(_WORD)
        if name is None:
            return self.number("a value", -0x80000000)
        names = [name]
        while self.accept("|"):
            names.append(self.need(_WORD, "a name"))
        return Name(tuple(names))

    def structure(self, depth: int) -> dict[str, Any]:
        """Read name=value, … up to the brace."""
        if depth > 8:
            self.fail("too many brackets")
        members: dict[str, Any] = {}
        while True:
            name = self.need(_WORD, "a member")
            self.expect("=")
            members[name] = self.value(depth)
            if self.accept("}"):
                return members
            self.expect(",")

    # -- settings and checks

    def command(self) -> Command:
        """Read `sysctl -w NAME=VALUE …`."""
        text = self.need(_BACKTICK, "a command in backquotes")
        words = text.split()
        if words[:2] != ["sysctl", "-w"] or len(words) < 3:
            self.fail("the only command is `sysctl -w NAME=VALUE'")
        settings: list[tuple[str, int | str]] = []
        for word in words[2:]:
            found = _SETTING.fullmatch(word)
            if found is None:
                self.fail(f"sysctl -w: {word}")
            value = found[2]
            number = _int(value)
            settings.append((found[1], value if number is None else number))
        return Command(tuple(settings))

    def check(self) -> Check:
        """Read %{ comparisons }%, separated by `and', semicolons or line ends."""
        text = self.need(_CODE, "%{ … }%")
        terms = []
        for part in re.split(r"[;\n]|\band\b", text):
            part = part.strip()
            if part:
                terms.append(self.term(part))
        if not terms:
            self.fail("nothing to check")
        return Check(tuple(terms))

    def term(self, text: str) -> Term:
        """Read one comparison."""
        found = _TERM.fullmatch(text.removeprefix("assert ").strip())
        if found is None:
            self.fail(f"no comparison: {text}")
        return Term(self.operand(found[1]), found[2], self.operand(found[3]), text)

    def operand(self, text: str) -> Any:
        """Read one side of a comparison."""
        number = _int(text)
        if number is not None:
            return number
        if len(text) > 1 and text[0] == text[-1] == '"' and '"' not in text[1:-1]:
            return text[1:-1]
        counter = _COUNTER.fullmatch(text)
        if counter is not None and counter[1] in COUNTERS:
            return (counter[1], counter[2])
        func = _FUNC.fullmatch(text)
        if func is not None and func[1] in FUNCTIONS[:4]:
            number = _int(func[2])
            return (func[1], func[2].strip('"') if number is None else number)
        self.fail(f"no value: {text}")


def _int(text: str) -> int | None:
    """Return the integer that *text* is, or None."""
    if _INT.fullmatch(text) is None or len(text) > 20:
        return None
    return int(text, 0) if text[:2] in ("0x", "0X") else int(text)
