r"""Words of pf.conf(5).

A backslash before a newline vanishes, and the line count goes on; before anything else it vanishes
too (the older dialect keeps it). Blanks run together. `$name` puts the macro's text in place: a word
may begin in a macro and end behind it (`$ext_if:network`), and a `$` inside a macro's text is none.

Tokens are (kind, text): a keyword is its own kind, so are "{", "->" and their like; a word or quoted
text is STRING; "<>" and "><" are PORTBINARY; NEWLINE, EOF, and ERROR after a message. After ERROR
the rest of the line has gone, its newline too: what recovers at a newline loses the next line. That
is how the original behaves.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from libnet.conf.pfconf.names import KEYWORDS, KEYWORDS37

STRING: Final = "STRING"
PORTBINARY: Final = "PORTBINARY"
NEWLINE: Final = "\n"
EOF: Final = "EOF"
ERROR: Final = "ERROR"

MAX_STRING: Final = 8095  # octets of one word; of quoted text one less

# Stands for a backslash and a newline; no decoded input can have this lone surrogate.
_JOIN: Final = "\ud800"

_BLANK = re.compile("[ \t\ud800]*(?:#[^\n]*)?")
# A word's first character is a letter, digit, colon or underscore; the rest any printing one but
# ( ) { } < > ! = / # , and quotes do belong to it.
_WORD = re.compile("[A-Za-z0-9:_][A-Za-z0-9\"$%&'*+\\-.:;?@\\[\\\\\\]^_`|~\ud800]*")
_NAME = re.compile("[A-Za-z0-9_\ud800]*")
_ESCAPE = re.compile(r"\\(.)", re.S)
_SPACES = re.compile("[ \t]+")


def _escaped(match: re.Match[str]) -> str:
    return _JOIN if match[1] == "\n" else match[1]


class Macros:
    """The macros of one run: those of the command line cannot be set again in the file."""

    def __init__(self) -> None:
        self._table: dict[str, tuple[str, bool]] = {}
        self._used: set[str] = set()

    def set(self, name: str, value: str, *, persist: bool = False) -> None:
        """Define a macro, at the end of the list."""
        old = self._table.get(name)
        if old is not None and old[1]:
            return
        self._table.pop(name, None)
        self._used.discard(name)
        self._table[name] = (value, persist)

    def get(self, name: str) -> str | None:
        """Return the text of a macro and note that it is used."""
        row = self._table.get(name)
        if row is None:
            return None
        self._used.add(name)
        return row[0]

    def unused(self) -> list[str]:
        """Return the names that nothing used, in order of definition."""
        return [name for name in self._table if name not in self._used]

    def copy(self) -> Macros:
        """Return macros with the same definitions."""
        new = Macros()
        new._table = dict(self._table)
        return new


class Lexer:
    """Tokens of one text.

    line    line number of the token read last
    report  called with (line, message) for an error inside a token
    """

    def __init__(
        self,
        text: str,
        macros: Macros,
        report: Callable[[int, str], None],
        *,
        dialect: int = 42,
    ) -> None:
        if "\\" in text:
            if dialect == 37:
                text = text.replace("\\\n", _JOIN)
            else:
                text = _ESCAPE.sub(_escaped, text)
                text = text.removesuffix("\\")
        self._lines = text.split("\n")
        self._last = len(self._lines) - 1  # what follows the last newline
        self._at = -1
        self._buf = ""
        self._pos = 0
        self._macro_end = 0
        self._lineno = 1
        self.line = 1
        self._macros = macros
        self._report = report
        self._keywords = KEYWORDS37 if dialect == 37 else KEYWORDS
        self._old = dialect == 37
        self._next_line()

    def _next_line(self) -> bool:
        """Go to the next line; False at the end of the text."""
        self._at += 1
        self._pos = self._macro_end = 0
        if self._at > self._last:
            self._buf = ""
            return False
        self._buf = self._lines[self._at]
        if self._at < self._last:
            self._buf += "\n"
        return True

    def _error(self, message: str) -> tuple[str, str]:
        self._report(self.line, message)
        self._skip_line()
        return ERROR, ""

    def _skip_line(self) -> None:
        rest = self._buf[self._pos :]
        self._lineno += rest.count(_JOIN) + (1 if rest.endswith("\n") else 0)
        self._next_line()

    def token(self) -> tuple[str, str]:
        """Return the next token as (kind, text)."""
        while True:
            buf = self._buf
            match = _BLANK.match(buf, self._pos)
            assert match is not None
            pos = match.end()
            if pos != self._pos:
                if _JOIN in match[0]:
                    self._lineno += match[0].count(_JOIN)
                self._pos = pos
            self.line = self._lineno
            if pos >= len(buf):
                if self._at >= self._last or not self._next_line():
                    return EOF, ""
                continue
            char = buf[pos]
            if char == "$" and pos >= self._macro_end:
                if (failed := self._expand()) is not None:
                    return failed
                continue
            return self._token(char)

    def _token(self, char: str) -> tuple[str, str]:
        buf, pos = self._buf, self._pos
        match = _WORD.match(buf, pos)
        if match is not None:
            return self._word(match)
        if char == "\n":
            self._lineno += 1
            self._next_line()
            return NEWLINE, ""
        if char in "\"'":
            return self._quoted(char)
        pair = buf[pos : pos + 2]
        if _JOIN in pair:
            pair = buf[pos : pos + 8].replace(_JOIN, "")[:2]
        if pair in ("<>", "><", "->"):
            end = pos + 1
            while buf[end] == _JOIN:
                end += 1
                self._lineno += 1
            self._pos = end + 1
            return ("->", "") if pair == "->" else (PORTBINARY, pair)
        self._pos = pos + 1
        return char, char

    def _word(self, match: re.Match[str]) -> tuple[str, str]:
        word = match[0]
        if _JOIN in word:
            self._lineno += word.count(_JOIN)
            word = word.replace(_JOIN, "")
        if self._old and "\\" in word and self._blank_after(word):
            self._report(self.line, "whitespace after \\")
        self._pos = match.end()
        if len(word) > MAX_STRING:
            return self._error("string too long")
        return (word, word) if word in self._keywords else (STRING, word)

    def _blank_after(self, word: str) -> bool:
        end = self._pos + len(word)
        return word.endswith("\\") and self._buf[end : end + 1] in (" ", "\t")

    def _expand(self) -> tuple[str, str] | None:
        """Put a macro's text in place of `$name`; return a token only for an error."""
        match = _NAME.match(self._buf, self._pos + 1)
        assert match is not None
        name = match[0]
        if _JOIN in name:
            self._lineno += name.count(_JOIN)
            name = name.replace(_JOIN, "")
        end = match.end()
        self._pos = end
        if end >= len(self._buf):
            return EOF, ""  # the text ends inside the name
        if len(name) >= MAX_STRING - 1:
            return self._error("string too long")
        value = self._macros.get(name)
        if value is None:
            lost = self._buf[end] == "\n"
            failed = self._error(f"macro '{name}' not defined")
            if lost:
                # The original has read the newline already and loses it: the next line goes too,
                # and the line count stays one behind.
                self._lineno -= 1
                self._skip_line()
            return failed
        self._buf = value + self._buf[end:]
        self._pos, self._macro_end = 0, len(value)
        return None

    def _quoted(self, quote: str) -> tuple[str, str]:
        parts: list[str] = []
        size = 0
        self._pos += 1
        while True:
            end = self._buf.find(quote, self._pos)
            part = self._buf[self._pos : end if end >= 0 else len(self._buf)]
            newline = part.endswith("\n")
            if newline:
                part = part[:-1]
            if _JOIN in part:
                self._lineno += part.count(_JOIN)
            part = _SPACES.sub(" ", part).replace(_JOIN, "")
            parts.append(part)
            size += len(part)
            if size >= MAX_STRING:
                self._pos = len(self._buf) - newline
                return self._error("string too long")
            if end >= 0:
                self._pos = end + 1
                return STRING, "".join(parts)
            self._lineno += newline
            if self._at >= self._last or not self._next_line():
                self._pos = len(self._buf)
                return EOF, ""
