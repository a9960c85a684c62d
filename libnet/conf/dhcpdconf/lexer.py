r"""Words of dhcpd.conf(5) and dhcpd.leases(5), and complaints that point at one of them.

The original reads a character at a time and shows, under a complaint, only as much of the line as it
has read. A number or a name takes one character more than its own, since that is how its end is
found; that character is then handed out again. Where a word begins with such a character the caret
stands one column further right than where it begins with a fresh one, and a word that has been
looked at but not taken does not move the caret. These three rules are kept here, so that complaints
look as people remember them.
"""

from __future__ import annotations

import re
from typing import Final

NUMBER: Final = 1
NAME: Final = 2
STRING: Final = 3
PUNCT: Final = 4
EOF: Final = 5

MAX_SHOWN: Final = 80  # columns of a line that are kept for complaints

_WORD = re.compile(
    r"""(?P<space>[ \t\r\f\v\n]+)
      | (?P<comment>\#[^\n]*)
      | (?P<number>-?[0-9][0-9A-Za-z_-]*)
      | (?P<name>[A-Za-z_][A-Za-z0-9_-]*)
      | (?P<quote>")
      | (?P<punct>.)""",
    re.VERBOSE,
)
_PLAIN = re.compile(r'[^"\\]*')
_ESCAPES: Final = {"t": "\t", "r": "\r", "n": "\n", "b": "\b"}
_OCTAL = re.compile(r"[0-7]{1,3}")
_HEX = re.compile(r"[0-9a-fA-F]{1,2}")


class Token:
    """One word.

    kind    NUMBER, NAME, STRING, PUNCT or EOF
    text    as written; of a STRING what it stands for, one character per octet
    start   offset in the text
    line    counted from 1
    again   its first character was handed out twice
    read    offset after the last character read so far
    """

    __slots__ = ("again", "kind", "line", "read", "start", "text", "word")

    def __init__(
        self, kind: int, text: str, start: int, line: int, *, again: bool, read: int
    ) -> None:
        self.kind, self.text, self.start, self.line = kind, text, start, line
        self.again, self.read = again, read
        self.word = text.lower() if kind in (NAME, NUMBER, PUNCT) else ""


class Complaint:
    """One thing that is wrong, as it is printed.

    file   name of the file as it was given      line   counted from 1
    text   the message                           shown  the line as far as it has been read
    caret  blanks before the caret, None for none
    """

    __slots__ = ("caret", "file", "line", "shown", "text")

    def __init__(self, file: str, line: int, text: str, shown: str, caret: int | None) -> None:
        self.file, self.line, self.text = file, line, text
        self.shown, self.caret = shown, caret

    def lines(self) -> list[str]:
        """Return the lines to log."""
        out = [f"{self.file} line {self.line}: {self.text}", self.shown]
        if self.caret is not None:
            out.append(" " * self.caret + "^")
        return out

    def __str__(self) -> str:
        return "\n".join(self.lines())


class Lexer:
    """The words of one file, with one word of looking ahead."""

    def __init__(self, text: str, file: str) -> None:
        self.file = file
        self._text = text
        self._at = 0
        self._line = 1
        self._of_word = 1  # line of the last word: the end of the file is counted to it
        self._again = False
        self._peeked: Token | None = None
        self._read = 0
        self._last = Token(PUNCT, "", 0, 0, again=False, read=0)

    def peek(self) -> Token:
        """Return the next word without taking it."""
        if self._peeked is None:
            self._peeked = self._scan()
        return self._peeked

    def next(self) -> Token:
        """Take the next word; at the end, EOF again and again."""
        token = self._peeked or self._scan()
        self._peeked = None
        self._last = token
        return token

    def complaint(self, text: str, at: Token | None = None) -> Complaint:
        """Return a complaint about the word taken last, or about *at*."""
        last = at or self._last
        begin = self._text.rfind("\n", 0, last.start) + 1
        end = self._text.find("\n", last.start)
        if end < 0:
            end = len(self._text)
        shown = self._text[begin : min(end, max(self._read, last.start))][:MAX_SHOWN]
        column = last.start - begin + (1 if last.again else 0)
        caret: int | None = None
        if column < MAX_SHOWN:
            caret = 0
            for char in shown[:column]:
                caret += 1
                if char == "\t":
                    caret = -(-caret // 8) * 8
        return Complaint(self.file, last.line, text, shown, caret)

    def _scan(self) -> Token:
        text, match = self._text, _WORD.match
        while True:
            found = match(text, self._at)
            if found is None:
                self._read = len(text)
                return Token(
                    EOF, "", len(text), self._of_word, again=bool(self._again), read=self._read
                )
            kind, start, end = found.lastgroup, self._at, found.end()
            if kind == "space":
                self._line += text.count("\n", start, end)
                self._at, self._again = end, True
                continue
            if kind == "comment":
                self._at, self._again = end, False
                continue
            line, again = self._line, self._again
            if kind == "quote":
                value, end = self._string(end)
                self._line += text.count("\n", start, end)
                self._again = False
                return self._made(STRING, value, start, line, again, end, end)
            if kind == "punct":
                self._again = False
                return self._made(PUNCT, found.group(), start, line, again, end, end)
            self._again = True
            number = NUMBER if kind == "number" else NAME
            return self._made(number, found.group(), start, line, again, end, end + 1)

    def _made(
        self, kind: int, value: str, start: int, line: int, again: bool, end: int, read: int
    ) -> Token:
        self._at, self._read, self._of_word = end, min(read, len(self._text)), line
        return Token(kind, value, start, line, again=again, read=self._read)

    def _string(self, at: int) -> tuple[str, int]:
        """Read on from after a quote; return what it says and the offset after its end."""
        text, parts = self._text, []
        while True:
            found = _PLAIN.match(text, at)
            assert found is not None
            parts.append(found.group())
            at = found.end()
            if at >= len(text):
                return "".join(parts), at
            if text[at] == '"':
                return "".join(parts), at + 1
            at += 1
            octal = _OCTAL.match(text, at)
            if octal is not None:
                parts.append(chr(int(octal.group(), 8) & 0xFF))
                at = octal.end()
                continue
            char = text[at : at + 1]
            at += 1
            code = _HEX.match(text, at) if char == "x" else None
            if code is not None:
                parts.append(chr(int(code.group(), 16)))
                at = code.end()
            else:
                parts.append(_ESCAPES.get(char, char))
