r"""OS image buildfiles (mkifs): attributes, inline files, links, file lists, and the start-up script.

    [attribute ...] name                          a file of the host's, put into the image
    [attribute ...] name = host-path              the same under another name
    [attribute ...] name = {                      a file whose text stands here
    ...
    }
    [type=link] name = target

`#` begins a comment. Attributes alone on a line hold for all that follows, before a name for it alone.
In the text of a file `\}` stands for a brace; besides, braces that come in pairs may stay as they are,
so that shell functions and ${NAME} need no care.

A script (the attribute +script, or the names .script and startup-script) has one command a line. What
its boot file, the one with virtual= or physical= or named .bootstrap, says before `procnto` are its
first variables.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple, NoReturn

MAX_TEXT: Final = 1 << 22
MAX_ENTRIES: Final = 100_000

INLINE: Final = "inline"
HOST: Final = "host"

_BLANK: Final = " \t\r"
_SPACE: Final = " \t\r\n\f\v"
_SCRIPTS: Final = (".script", "startup-script")
_BOOTS: Final = (".bootstrap", "boot", ".boot")
_ATTRIBUTES: Final = re.compile(r"\[[^\]]*\]")
# Attributes may also stand behind the variables of a command.
_LATE: Final = re.compile(
    r"((?:[A-Za-z_]\w*=(?:\"[^\"]*\"|[^\s\"])*\s+)+)(\[[+?a-z-][^\]]*\])\s*(.*)", re.S
)
_NAME_CHARS: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")


class BadBuildfile(ValueError):
    """The text is no buildfile; the message is file:line: what."""


class Entry(NamedTuple):
    """One file, link or directory of the image.

    path   as it is written                    kind   INLINE, HOST, or "" for a bare name
    attrs  by name: a value, "+", "-" or "?"   text   contents, host path or target of a link
    line   where it begins; the text of an inline file begins on text_line
    """

    path: str
    attrs: dict[str, str]
    kind: str
    text: str
    line: int
    text_line: int

    @property
    def script(self) -> bool:
        """Whether the process manager runs it."""
        if self.attrs.get("script") in ("-", "?"):
            return False
        return self.attrs.get("script") == "+" or self.path in _SCRIPTS

    @property
    def boot(self) -> bool:
        """Whether it is the boot file, which starts the kernel."""
        if "virtual" in self.attrs or "physical" in self.attrs:
            return self.kind == INLINE
        return self.path in _BOOTS and self.kind == INLINE

    @property
    def type(self) -> str:
        """Return "file", "link", "dir", "fifo" or "unlink"."""
        return self.attrs.get("type", "file")

    @property
    def place(self) -> str:
        """Where in the image it lies: absolute, under prefix= (/proc/boot) if the path is not."""
        path = self.path
        if not path.startswith("/"):
            path = self.attrs.get("prefix", "/proc/boot").rstrip("/") + "/" + path
        parts: list[str] = []
        for part in path.split("/"):
            if part == "..":
                parts = parts[:-1]
            elif part not in ("", "."):
                parts.append(part)
        return "/" + "/".join(parts)


class Line(NamedTuple):
    """One command of a script.

    attrs  +session, pri=…              text  the command, its trailing `&` included
    line   number in the file
    """

    attrs: dict[str, str]
    text: str
    line: int


class Image(NamedTuple):
    """What a buildfile describes."""

    name: str
    entries: tuple[Entry, ...]

    @property
    def scripts(self) -> list[Entry]:
        """The scripts, in order."""
        return [entry for entry in self.entries if entry.script]

    def variables(self) -> dict[str, str]:
        r"""Return what the boot file says before the process manager's name.

        >>> parse(".bootstrap = {\nPATH=/bin A=1 procnto -v\n}", "x").variables()
        {'PATH': '/bin', 'A': '1'}
        """
        found: dict[str, str] = {}
        for entry in self.entries:
            if not entry.boot:
                continue
            for line in parse_script(entry.text, self.name, entry.text_line):
                words = _ATTRIBUTES.sub(" ", line.text).split()
                names: dict[str, str] = {}
                for word in words:
                    name, equals, value = word.partition("=")
                    if not equals or not is_name(name):
                        break
                    names[name] = value.strip('"')
                else:
                    continue
                if word.rpartition("/")[2].startswith("procnto"):
                    found |= names
        return found


def is_name(text: str) -> bool:
    """Tell whether *text* may be a variable's name.

    >>> is_name("PATH"), is_name("2x"), is_name("")
    (True, False, False)
    """
    return bool(text) and set(text) <= _NAME_CHARS and not text[0].isdigit()


class _Reader:
    """A place in the text."""

    def __init__(self, text: str, name: str, line: int = 1) -> None:
        self.text, self.name, self.pos, self.line = text, name, 0, line

    def fail(self, what: str, line: int = 0) -> NoReturn:
        raise BadBuildfile(f"{self.name}:{line or self.line}: {what}")

    def peek(self) -> str:
        return self.text[self.pos : self.pos + 1]

    def next(self) -> str:
        char = self.text[self.pos : self.pos + 1]
        self.pos += 1
        if char == "\n":
            self.line += 1
        return char

    def skip(self, chars: str) -> None:
        """Skip *chars*, joined lines, and comments up to their newline."""
        while True:
            char = self.peek()
            if char and char in chars:
                self.next()
            elif char == "\\" and self.text[self.pos + 1 : self.pos + 2] == "\n":
                self.next()
                self.next()
            elif char == "#":
                self.comment()
            else:
                return

    def comment(self) -> None:
        end = self.text.find("\n", self.pos)
        self.pos = len(self.text) if end < 0 else end

    def quoted(self) -> str:
        """Read a string in double quotes."""
        start = self.line
        self.next()
        chars: list[str] = []
        while True:
            char = self.next()
            if not char:
                self.fail("unterminated string", start)
            if char == '"':
                return "".join(chars)
            if char == "\\" and self.peek() and self.peek() in '"\\':
                char = self.next()
            chars.append(char)

    def word(self, stops: str) -> str:
        """Read up to a blank or one of *stops*; parts may be quoted."""
        chars: list[str] = []
        while True:
            char = self.peek()
            if not char or char in _SPACE or char in stops:
                return "".join(chars)
            chars.append(self.quoted() if char == '"' else self.next())

    def attributes(self, into: dict[str, str]) -> None:
        """Read `[...]`."""
        start = self.line
        self.next()
        while True:
            while self.peek() and self.peek() in _SPACE:
                self.next()
            char = self.peek()
            if not char:
                self.fail("unterminated attributes", start)
            if char == "]":
                self.next()
                return
            word = self.word("]=")
            if self.peek() == "=":
                self.next()
                into[word] = self.word("]")
            elif word[:1] in ("+", "-", "?"):
                into[word[1:]] = word[0]
            elif word:
                self.fail(f"{word}: not an attribute: +{word} or {word}=value")

    def block(self) -> str:
        """Read the text after `{`, up to its brace."""
        start, line = self.pos, self.line
        end = _closing(self.text, start)
        if end < 0:
            self.fail("no closing brace", line)
        raw = self.text[start:end]
        self.pos = end + 1
        self.line += raw.count("\n")
        return raw.replace("\\}", "}").replace("\\{", "{")


def _closing(text: str, start: int) -> int:
    r"""Return where the brace stands that ends the text from *start* on, -1 if there is none.

    >>> _closing("a ${b} c } d", 0), _closing("f() {\n} ", 0), _closing("echo {\n}\n", 0)
    (9, -1, 7)
    """
    depth = 0
    pos = start
    alone = -1  # the first brace that is a line by itself: better than none
    while pos < len(text):
        char = text[pos]
        if char == "\\" and text[pos + 1 : pos + 2] == "}":
            depth = max(depth - 1, 0)
            pos += 2
            continue
        if char == "\\" and text[pos + 1 : pos + 2] == "{":
            pos += 2
            continue
        if char == "{":
            depth += 1
        elif char == "}":
            if not depth:
                return pos
            if alone < 0 and _by_itself(text, pos):
                alone = pos
            depth -= 1
        pos += 1
    return alone


def _by_itself(text: str, pos: int) -> bool:
    begin = text.rfind("\n", 0, pos) + 1
    end = text.find("\n", pos)
    line = text[begin : len(text) if end < 0 else end]
    return line == "}"


def parse(text: str, name: str) -> Image:
    """Return what the buildfile *text* describes. Raises BadBuildfile.

    name  of the file, for messages
    """
    if len(text) > MAX_TEXT:
        raise BadBuildfile(f"{name}:1: longer than {MAX_TEXT} characters")
    reader = _Reader(text.replace("\r\n", "\n"), name)
    entries: list[Entry] = []
    default: dict[str, str] = {}
    while True:
        reader.skip(_SPACE)
        if not reader.peek():
            return Image(name, tuple(entries))
        if len(entries) >= MAX_ENTRIES:
            reader.fail("too many files")
        own: dict[str, str] = {}
        attributed = False
        while reader.peek() == "[":
            reader.attributes(own)
            attributed = True
            reader.skip(_BLANK)
        if attributed and reader.peek() in ("", "\n"):
            default |= own
            continue
        entries.append(_entry(reader, default | own))


def _entry(reader: _Reader, attrs: dict[str, str]) -> Entry:
    line = reader.line
    path = reader.word("={}[")
    if not path:
        reader.fail(f"unexpected {reader.peek()!r}")
    reader.skip(_BLANK)
    if reader.peek() != "=":
        return Entry(path, attrs, "", "", line, 0)
    reader.next()
    reader.skip(_SPACE)
    if reader.peek() == "{":
        reader.next()
        begin = reader.line
        text = reader.block()
        # What follows the brace on its line is nothing: the text begins with the next one.
        head, newline, rest = text.partition("\n")
        if newline and not head.strip(_BLANK):
            text, begin = rest, begin + 1
        return Entry(path, attrs, INLINE, _trim(text), line, begin)
    target = reader.word("")
    if not target:
        reader.fail(f"{path}: nothing after '='")
    return Entry(path, attrs, HOST, target, line, 0)


def _trim(text: str) -> str:
    """Drop the blanks before the closing brace."""
    head, newline, last = text.rpartition("\n")
    return head + newline if newline and not last.strip(_BLANK) else text


def parse_script(text: str, name: str, line: int = 1) -> list[Line]:
    r"""Return the commands of a script. Raises BadBuildfile.

    line  number of the first line in the file *name*

    >>> [(one.attrs, one.text) for one in parse_script("# x\n[pri=9 +session] ksh &\n", "x")]
    [({'pri': '9', 'session': '+'}, 'ksh &')]
    """
    reader = _Reader(text, name, line)
    lines: list[Line] = []
    default: dict[str, str] = {}
    while True:
        reader.skip(_SPACE)
        if not reader.peek():
            return lines
        attrs: dict[str, str] = {}
        attributed = False
        while reader.peek() == "[" and reader.text[reader.pos + 1 : reader.pos + 2] not in " \t":
            reader.attributes(attrs)
            attributed = True
            reader.skip(_BLANK)
        number = reader.line
        chars: list[str] = []
        while reader.peek() not in ("", "\n"):
            if reader.peek() == "\\" and reader.text[reader.pos + 1 : reader.pos + 2] == "\n":
                reader.next()
                reader.next()
                chars.append(" ")
            else:
                chars.append(reader.next())
        command = "".join(chars).strip()
        late = _LATE.match(command)
        if late is not None:
            _Reader(late[2], name, number).attributes(attrs)
            command = late[1] + late[3]
        if command:
            lines.append(Line(default | attrs, command, number))
        elif attributed:
            default |= attrs
