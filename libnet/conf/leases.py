"""dhcpd.leases(5): the database of a DHCP server, read and written.

The file is a log: each entry is whole and replaces the one before it for the same address. A file
cut anywhere therefore loses at most the entry being written, which nobody has been told of yet: an
entry counts only with its closing brace. read_leases() leaves an unfinished one out and says so.
"""

from __future__ import annotations

import re
from typing import Final

from libnet.addr import inet_ntoa
from libnet.conf.dhcpdconf.expression import Reader, Skip
from libnet.conf.dhcpdconf.lexer import EOF, NAME, NUMBER, STRING, Complaint
from libnet.conf.dhcpdconf.tree import Config

NEVER: Final = 0xFFFFFFFF  # what "never" stands for among the times
STATES: Final = (
    *("free", "active", "expired", "released", "abandoned", "reset", "backup"),
    *("reserved", "bootp"),
)
TIMES: Final = ("starts", "ends", "tstp", "tsfp", "atsfp", "cltt")
_HTYPES: Final = {1: "ethernet", 6: "token-ring", 8: "fddi", 32: "infiniband"}
_HTYPE_NUMBERS: Final = {name: number for number, name in _HTYPES.items()}


class Lease:
    """One entry.

    addr      address, a host integer
    times     seconds since 1970 by "starts", "ends", "tstp", "tsfp", "atsfp", "cltt", or NEVER
    state     binding state; next_state, rewind_state: "" when not written
    hardware  type and octets, or None          uid       client identifier, or None
    hostname  what the client calls itself, or ""
    sets      variables as they are written: '"text"', "%42", "true"
    options   options as they are written, by full name
    billing   class the lease counts for, and the octets of the subclass or None
    events    what is to happen then: "expiry" -> text of the block, braces included
    """

    __slots__ = (
        *("addr", "billing", "bootp", "events", "hardware", "hostname", "next_state", "options"),
        *("reserved", "rewind_state", "sets", "state", "times", "uid"),
    )

    def __init__(self, addr: int) -> None:
        self.addr = addr
        self.times: dict[str, int] = {}
        self.state, self.next_state, self.rewind_state = "free", "", ""
        self.hardware: tuple[int, bytes] | None = None
        self.uid: bytes | None = None
        self.hostname = ""
        self.sets: dict[str, str] = {}
        self.options: dict[str, str] = {}
        self.billing: tuple[str, bytes | None] | None = None
        self.events: dict[str, str] = {}
        self.bootp = self.reserved = False

    def text(self) -> str:
        """Return the entry as it stands in the file."""
        out = [f"lease {inet_ntoa(self.addr)} {{"]
        out += [f"  {name} {time_text(self.times[name])};" for name in TIMES if name in self.times]
        out.append(f"  binding state {self.state};")
        if self.next_state and self.next_state != self.state:
            out.append(f"  next binding state {self.next_state};")
        if self.rewind_state and self.rewind_state != self.state:
            out.append(f"  rewind binding state {self.rewind_state};")
        if self.bootp:
            out.append("  dynamic-bootp;")
        if self.reserved:
            out.append("  reserved;")
        if self.billing is not None:
            name, value = self.billing
            sub = "" if value is None else " " + hex_text(value)
            out.append(f"  billing {'subclass' if sub else 'class'} {quoted(name)}{sub};")
        if self.hardware is not None:
            kind, octets = self.hardware
            out.append(f"  hardware {_HTYPES.get(kind, f'unknown-{kind}')} {hex_text(octets)};")
        if self.uid is not None:
            out.append(f"  uid {quoted(self.uid.decode('latin-1'))};")
        out += [f"  set {name} = {value};" for name, value in self.sets.items()]
        out += [f"  option {name} {value};" for name, value in self.options.items()]
        if self.hostname:
            out.append(f"  client-hostname {quoted(self.hostname)};")
        out += [f"  on {event} {body}" for event, body in self.events.items()]
        return "\n".join(out) + "\n}\n"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Lease) and all(
            getattr(self, name) == getattr(other, name) for name in self.__slots__
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<Lease {self.text()!r}>"


class Database:
    """What a file says.

    leases  the last entry of each address
    kept    other declarations (hosts, groups, failover states) as text, to be written again
    errors  what is wrong              unfinished  the file ends inside an entry
    """

    __slots__ = ("errors", "kept", "leases", "unfinished")

    def __init__(self) -> None:
        self.leases: dict[int, Lease] = {}
        self.kept: list[str] = []
        self.errors: list[Complaint] = []
        self.unfinished = False


def header(version: str) -> str:
    """Return the comment that a rewritten file begins with."""
    return (
        "# The format of this file is documented in the dhcpd.leases(5) manual page.\n"
        f"# This lease file was written by {version}\n\n"
        "# All times in this file are in UTC (GMT), not your local timezone.\n\n"
    )


def quoted(text: str) -> str:
    r"""Return a string in quotes, what cannot be printed as three octal digits.

    >>> quoted('\x01a"')
    '"\\001a\\""'
    """
    out = ""
    for char in text:
        if char in '"\\':
            out += "\\" + char
        elif " " <= char <= "~":
            out += char
        else:
            out += f"\\{ord(char) & 0xFF:03o}"
    return f'"{out}"'


def hex_text(octets: bytes) -> str:
    """Return octets in hexadecimal with colons between."""
    return ":".join(f"{octet:02x}" for octet in octets)


def time_text(when: int) -> str:
    """Return a time as the file has it: weekday, date, time, in UTC.

    >>> time_text(1795364796)
    '0 2026/11/22 16:26:36'
    """
    if when >= NEVER:
        return "never"
    days, second = divmod(when, 86400)
    # Days to a date, counting years from March so that the leap day is the last (H. Hinnant).
    shifted = days + 719468
    era, doe = divmod(shifted, 146097)
    yoe = (doe - doe // 1460 + doe // 36524 - doe // 146096) // 365
    doy = doe - (365 * yoe + yoe // 4 - yoe // 100)
    mp = (5 * doy + 2) // 153
    month = mp + 3 if mp < 10 else mp - 9
    year = yoe + era * 400 + (month <= 2)
    clock = f"{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"
    return f"{(days + 4) % 7} {year}/{month:02d}/{doy - (153 * mp + 2) // 5 + 1:02d} {clock}"


def time_value(year: int, month: int, day: int, hour: int, minute: int, second: int) -> int:
    """Return seconds since 1970, 0 for what lies before, NEVER for what is too far ahead."""
    year -= month <= 2
    era, yoe = divmod(year, 400)
    doy = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    days = era * 146097 + yoe * 365 + yoe // 4 - yoe // 100 + doy - 719468
    return min(max(days * 86400 + hour * 3600 + minute * 60 + second, 0), NEVER)


_ENTRY = re.compile(r"lease ([0-9.]+) \{\n((?:  [^\n{}]*;\n)*)\}\n?")
_LINE = re.compile(
    r"""(?:(?P<time>starts|ends|tstp|tsfp|atsfp|cltt)\ \d\ (\d{4})/(\d\d)/(\d\d)\ (\d\d):(\d\d):(\d\d)
    | (?P<never>starts|ends|tstp|tsfp|atsfp|cltt)\ never
    | binding\ state\ (?P<state>[a-z]+) | next\ binding\ state\ (?P<next>[a-z]+)
    | rewind\ binding\ state\ (?P<rewind>[a-z]+)
    | hardware\ ethernet\ (?P<hw>[0-9a-f]{2}(?::[0-9a-f]{2})*)
    | client-hostname\ "(?P<host>[^"\\]*)" | uid\ "(?P<uid>(?:[^"\\]|\\[0-3][0-7]{2})*)");$""",
    re.VERBOSE,
)
_OCTAL = re.compile(r"\\([0-7]{3})")
_QUAD = re.compile(r"(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})")


def read_leases(text: str, file: str) -> Database:
    """Read a database (octets as latin-1 text). Never raises; see Database.errors.

    file  its name, for complaints
    """
    database = Database()
    at = 0
    while True:
        found = _ENTRY.match(text, at)
        if found is not None:
            lease = _quick(found.group(1), found.group(2))
            if lease is not None:
                database.leases[lease.addr] = lease
                at = found.end()
                continue
        end = _skip_blank(text, at)
        if end != at:
            at = end
            continue
        if at >= len(text):
            return database
        after = _slow(text, at, file, database)
        if after is None:
            return database
        at = after


_BLANK = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)+")


def _skip_blank(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return at if found is None else found.end()


def _address(text: str) -> int | None:
    quad = _QUAD.fullmatch(text)
    if quad is None:
        return None
    value = 0
    for part in quad.groups():
        value = value << 8 | int(part)
        if int(part) > 255:
            return None
    return value


def _quick(address: str, body: str) -> Lease | None:
    """Read an entry that looks as the server writes it; None when it has anything unusual."""
    addr = _address(address)
    if addr is None:
        return None
    lease = Lease(addr)
    lease.state = "active"
    for line in body.split("\n"):
        if not line:
            continue
        found = _LINE.match(line, 2)
        if found is None:
            return None
        kind = found.lastgroup  # None for the row that ends in groups without names
        if kind is None:
            numbers = [int(part) for part in found.groups()[1:7]]
            lease.times[found["time"]] = time_value(*numbers)
        elif kind == "never":
            lease.times[found["never"]] = NEVER
        elif kind in ("state", "next", "rewind"):
            word = found[kind]
            if word not in STATES:
                return None
            setattr(lease, {"state": "state"}.get(kind, f"{kind}_state"), word)
        elif kind == "hw":
            lease.hardware = (1, bytes.fromhex(found["hw"].replace(":", "")))
        elif kind == "host":
            lease.hostname = found["host"]
        else:
            said = _OCTAL.sub(lambda three: chr(int(three.group(1), 8)), found["uid"])
            lease.uid = said.encode("latin-1", "replace")
    return lease


def _slow(text: str, at: int, file: str, database: Database) -> int | None:
    """Read one declaration word by word; return the offset behind it, None at the end."""
    end = _end_of(text, at)
    if end is None:
        database.unfinished = True
        return None
    config = Config({})  # options are kept as they are written, so none needs to be known
    reader = _Entry(text[at:end], file, config)
    lease = reader.declaration()
    if config.errors:
        before = text.count("\n", 0, at)
        for complaint in config.errors:
            complaint.line += before
    database.errors += config.errors[: max(0, 1000 - len(database.errors))]
    if lease is not None:
        database.leases[lease.addr] = lease
    elif reader.keep:
        database.kept.append(text[at:end])
    return end


_MARK = re.compile(r'["{};#]')


def _end_of(text: str, at: int) -> int | None:
    """Return the offset behind a declaration: after its semicolon, or its last brace."""
    depth = 0
    while True:
        found = _MARK.search(text, at)
        if found is None:
            return None
        at = found.end()
        mark = found.group()
        if mark == "#":
            end = text.find("\n", at)
            if end < 0:
                return None
            at = end
        elif mark == '"':
            while True:
                if at >= len(text):
                    return None
                char = text[at]
                at += 2 if char == "\\" else 1
                if char == '"':
                    break
        elif mark == "{":
            depth += 1
        elif mark == "}":
            depth -= 1
            if depth <= 0:
                return at
        elif depth == 0:
            return at


class _Entry(Reader):
    """One declaration of the file; keep tells whether it is one that is written again."""

    keep = False

    def __init__(self, text: str, file: str, config: Config) -> None:
        super().__init__(text, file, config)
        self._source = text

    def declaration(self) -> Lease | None:
        """Return the lease, or None when it is something else or cannot be read."""
        token = self.lex.next()
        word = token.word
        if word in ("authoring-byte-order", "server-duid"):
            return None  # of other servers; neither is of use here
        if word in ("host", "group", "failover", "class", "subclass"):
            self.keep = True
            return None
        if word != "lease":
            self.warn("Corrupt lease file - possible data loss!")
            return None
        try:
            lease = Lease(self.address())
            lease.state = "active"
            self.expect("{", "left brace expected.")
        except Skip:
            self.warn("Corrupt lease file - possible data loss!")
            return None
        while not self.taken("}"):
            if self.lex.peek().kind == EOF:
                return None
            try:
                self._member(lease)
            except Skip:
                self._to_semi()
        return lease

    def _to_semi(self) -> None:
        while self.lex.peek().kind != EOF and self.lex.peek().word != "}":
            if self.lex.next().word == ";":
                return

    def _member(self, lease: Lease) -> None:
        token = self.lex.next()
        word = token.word
        if word in TIMES or word == "timestamp":
            lease.times["tstp" if word == "timestamp" else word] = self._time()
        elif word == "binding":
            self.expect("state", "expecting 'state'")
            lease.state = self._state()
        elif word in ("next", "rewind"):
            self.expect("binding", "expecting 'binding'")
            self.expect("state", "expecting 'state'")
            setattr(lease, f"{word}_state", self._state())
        elif word == "hardware":
            lease.hardware = self._hardware()
        elif word == "uid":
            lease.uid = self._string_or_octets()
        elif word in ("hostname", "client-hostname"):
            name = self.lex.next()
            if name.kind not in (STRING, NAME, NUMBER):
                self.bad("expecting string.")
            lease.hostname = name.text
        elif word == "abandoned":
            lease.state = "abandoned"
        elif word in ("dynamic-bootp", "bootp"):
            lease.bootp = True
        elif word == "reserved":
            lease.reserved = True
        elif word == "billing":
            lease.billing = self._billing()
        elif word == "set" or word.startswith("ddns-"):
            self._set(lease, word)
        elif word == "option":
            self._option(lease)
        elif word == "on":
            self._on(lease)
            return
        else:
            self.warn("Unexpected configuration directive.")
            self.bad("possibly corrupt lease file")
        self.semi()

    def _state(self) -> str:
        word = self.lex.next().word
        if word not in STATES:
            self.bad("unknown value")
        return word

    def _time(self) -> int:
        token = self.lex.next()
        if token.word == "never":
            return NEVER
        if token.word == "epoch":
            return min(max(self.number(), 0), NEVER)
        if token.kind != NUMBER:
            self.bad("expecting numeric value.")
        parts: list[int] = []
        for before in ("", "/", "/", "", ":", ":"):
            if before:
                self.expect(before, f"expected '{before}'")
            part = self.lex.next()
            if part.kind != NUMBER or not part.text.isdigit() or len(part.text) > 9:
                self.bad("expecting numeric value.")
            parts.append(int(part.text))
        if not (1 <= parts[1] <= 12 and 1 <= parts[2] <= 31):
            self.bad("expecting a date.")
        return time_value(*parts)

    def _hardware(self) -> tuple[int, bytes]:
        word = self.lex.next().word
        kind = _HTYPE_NUMBERS.get(word)
        digits = word.removeprefix("unknown-")
        if kind is None and digits.isascii() and digits.isdigit() and len(digits) < 4:
            kind = int(digits)
        if kind is None:
            self.bad("expecting a network hardware type")
        octets = self.octets() if self.lex.peek().word != ";" else b""
        if len(octets) > 16:
            self.bad("hardware address too long")
        return kind, octets

    def _string_or_octets(self) -> bytes:
        token = self.lex.next()
        if token.kind == STRING:
            return token.text.encode("latin-1", "replace")
        return self.octets(token)

    def _billing(self) -> tuple[str, bytes | None]:
        word = self.lex.next().word
        if word not in ("class", "subclass"):
            self.bad('expecting "class"')
        name = self.string("Expecting class name")
        return name, (self._string_or_octets() if word == "subclass" else None)

    def _raw(self) -> str:
        """Take words up to a semicolon; return them as they are written."""
        begin = end = self.lex.peek().start
        while self.lex.peek().word not in (";", "}") and self.lex.peek().kind != EOF:
            self.lex.next()
            end = self.lex.peek().start
        return self._source[begin:end].strip()

    def _set(self, lease: Lease, word: str) -> None:
        name = self.name("expecting identifier.") if word == "set" else word
        if word == "set":
            self.expect("=", "expecting '=' in set statement.")
        lease.sets[name] = self._raw()

    def _option(self, lease: Lease) -> None:
        name = self.host_name("expecting identifier after option keyword.")
        lease.options[name] = self._raw()

    def _on(self, lease: Lease) -> None:
        begin = self.lex.peek().start
        while self.lex.peek().word != "{":
            if self.lex.next().kind == EOF:
                self.bad("left brace expected.")
        events = " ".join(self._source[begin : self.lex.peek().start].split())
        start, depth = self.lex.peek().start, 0
        while True:
            token = self.lex.next()
            if token.kind == EOF:
                self.bad("right brace expected")
            depth += {"{": 1, "}": -1}.get(token.word, 0)
            if depth == 0:
                lease.events[events] = self._source[start : token.start + 1]
                return
