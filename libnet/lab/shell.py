"""The little shell of a box in memory: enough of sh(1) for the lines that lessons and tests type.

Words with quotes, $NAME and $1; several commands divided by newlines, `;`, `&&`, `||` or `&`; pipes, each
stage run to its end before the next; `<`, `>`, `>>`, `2>`, `2>&1`; NAME=value before a command or
alone; `#` comments. No patterns, no substitution of commands, no if and no loops: whoever needs those
runs the programs as processes under a real shell.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

MAX_SCRIPT: Final = 1 << 20

_OPERATORS: Final = ("&&", "||", "2>&1", "2>>", "2>", ">>", ">&2", ">", "<", "|", ";", "&", "\n")
_BLANK: Final = " \t\r"
_REDIRECT: Final = ("<", ">", ">>", "2>", "2>>")
_NAME_START: Final = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
_NAME: Final = _NAME_START + "0123456789"


class BadSyntax(ValueError):
    """The text is not of this shell's language; the message says what was unexpected."""


class Piece(NamedTuple):
    """A part of a word: text as it is, or the name of a variable."""

    text: str
    variable: bool
    quoted: bool


class Word(NamedTuple):
    """One word before its variables are filled in."""

    pieces: tuple[Piece, ...]

    @property
    def plain(self) -> str | None:
        """The text of a word that is nothing but unquoted text, else None."""
        if len(self.pieces) == 1 and not self.pieces[0].variable and not self.pieces[0].quoted:
            return self.pieces[0].text
        return None


class Command(NamedTuple):
    """One command of a pipe.

    assigns    NAME=value before it
    words      the program and its arguments
    redirects  (operator, word) in order; the word of "2>&1" and ">&2" is empty
    """

    assigns: tuple[tuple[str, Word], ...]
    words: tuple[Word, ...]
    redirects: tuple[tuple[str, Word], ...]


class Step(NamedTuple):
    """One pipe and how it hangs on the one before it: "" always, "&&" or "||"."""

    when: str
    pipe: tuple[Command, ...]


class Item(NamedTuple):
    """Steps up to a `;`, a newline or a `&`.

    background  whether `&` ended it
    text        what it looks like, for whoever lists jobs
    """

    steps: tuple[Step, ...]
    background: bool
    text: str


def lex(text: str) -> list[str | Word]:
    """Return operators (str) and words. Raises BadSyntax."""
    if len(text) > MAX_SCRIPT:
        raise BadSyntax("script too long")
    tokens: list[str | Word] = []
    pos = 0
    while pos < len(text):
        if text[pos] in _BLANK:
            pos += 1
        elif text.startswith("\\\n", pos):
            pos += 2
        elif text[pos] == "#":
            end = text.find("\n", pos)
            pos = len(text) if end < 0 else end
        else:
            operator = _operator(text, pos)
            if operator:
                tokens.append(operator)
                pos += len(operator)
            else:
                word, pos = _word(text, pos)
                tokens.append(word)
    return tokens


def _operator(text: str, pos: int) -> str:
    for operator in _OPERATORS:
        if text.startswith(operator, pos):
            return operator
    return ""


def _word(text: str, pos: int) -> tuple[Word, int]:
    """Read one word at *pos*; return it and where it ends."""
    pieces: list[Piece] = []
    plain: list[str] = []

    def flush() -> None:
        if plain:
            pieces.append(Piece("".join(plain), variable=False, quoted=False))
            plain.clear()

    while pos < len(text):
        char = text[pos]
        if char in _BLANK or char in "\n;&|<>":
            break
        if char == "\\":
            flush()
            if pos + 1 < len(text) and text[pos + 1] != "\n":
                pieces.append(Piece(text[pos + 1], variable=False, quoted=True))
            pos += 2
        elif char == "'":
            flush()
            end = text.find("'", pos + 1)
            if end < 0:
                raise BadSyntax("unterminated quoted string")
            pieces.append(Piece(text[pos + 1 : end], variable=False, quoted=True))
            pos = end + 1
        elif char == '"':
            flush()
            pos = _double(text, pos + 1, pieces)
        elif char == "$":
            flush()
            piece, pos = _variable(text, pos, quoted=False)
            pieces.append(piece)
        elif char in "`()":
            raise BadSyntax(f'"{char}" unexpected')
        else:
            plain.append(char)
            pos += 1
    flush()
    return Word(tuple(pieces)), pos


def _double(text: str, pos: int, pieces: list[Piece]) -> int:
    """Read the inside of double quotes; return where what follows them begins."""
    plain: list[str] = []
    while pos < len(text):
        char = text[pos]
        if char == '"':
            pieces.append(Piece("".join(plain), variable=False, quoted=True))
            return pos + 1
        if char == "`":
            raise BadSyntax('"`" unexpected')
        if char == "\\" and pos + 1 < len(text) and text[pos + 1] in '"\\$`\n':
            if text[pos + 1] != "\n":
                plain.append(text[pos + 1])
            pos += 2
        elif char == "$":
            pieces.append(Piece("".join(plain), variable=False, quoted=True))
            plain.clear()
            piece, pos = _variable(text, pos, quoted=True)
            pieces.append(piece)
        else:
            plain.append(char)
            pos += 1
    raise BadSyntax("unterminated quoted string")


def _variable(text: str, pos: int, *, quoted: bool) -> tuple[Piece, int]:
    """Read what begins with $; a $ before anything else is itself."""
    after = text[pos + 1 : pos + 2]
    if after == "(":
        raise BadSyntax('"(" unexpected')
    if after == "{":
        end = text.find("}", pos)
        name = text[pos + 2 : end] if end > 0 else ""
        if not name or not set(name) <= set(_NAME) or name[0] not in _NAME_START:
            raise BadSyntax("bad substitution")
        return Piece(name, variable=True, quoted=quoted), end + 1
    if after and after in "?!#0123456789":
        return Piece(after, variable=True, quoted=quoted), pos + 2
    if not after or after not in _NAME_START:
        return Piece("$", variable=False, quoted=quoted), pos + 1
    end = pos + 1
    while end < len(text) and text[end] in _NAME:
        end += 1
    return Piece(text[pos + 1 : end], variable=True, quoted=quoted), end


def parse(text: str) -> list[Item]:
    """Return the items of a script. Raises BadSyntax."""
    tokens = lex(text)
    items: list[Item] = []
    pos = 0
    ended = False  # a `;` may stand only where there is something to end
    while pos < len(tokens):
        if tokens[pos] == "\n" or (tokens[pos] == ";" and ended):
            ended = False
            pos += 1
            continue
        item, pos = _item(tokens, pos)
        items.append(item)
        ended = not item.background
    return items


def _item(tokens: list[str | Word], pos: int) -> tuple[Item, int]:
    start = pos
    steps: list[Step] = []
    when = ""
    while True:
        pipe, pos = _pipe(tokens, pos)
        steps.append(Step(when, pipe))
        operator = tokens[pos] if pos < len(tokens) else ";"
        if not isinstance(operator, str) or operator not in ("&&", "||"):
            break
        when = operator
        pos += 1
        while pos < len(tokens) and tokens[pos] == "\n":
            pos += 1
    shown = " ".join(_shown(token) for token in tokens[start:pos])
    background = operator == "&"
    return Item(tuple(steps), background, shown), pos + background


def _shown(token: str | Word) -> str:
    if isinstance(token, str):
        return token
    return "".join(("$" if p.variable else "") + p.text for p in token.pieces)


def _pipe(tokens: list[str | Word], pos: int) -> tuple[tuple[Command, ...], int]:
    commands: list[Command] = []
    while True:
        command, pos = _command(tokens, pos)
        commands.append(command)
        if pos == len(tokens) or tokens[pos] != "|":
            return tuple(commands), pos
        pos += 1
        while pos < len(tokens) and tokens[pos] == "\n":
            pos += 1


def _command(tokens: list[str | Word], pos: int) -> tuple[Command, int]:
    assigns: list[tuple[str, Word]] = []
    words: list[Word] = []
    redirects: list[tuple[str, Word]] = []
    while pos < len(tokens):
        token = tokens[pos]
        if isinstance(token, Word):
            pos += 1
            assign = None if words else _assign(token)
            if assign is None:
                words.append(token)
            else:
                assigns.append(assign)
        elif token in ("2>&1", ">&2"):
            pos += 1
            redirects.append((token, Word(())))
        elif token in _REDIRECT:
            target = tokens[pos + 1] if pos + 1 < len(tokens) else "end of file"
            if not isinstance(target, Word):
                raise BadSyntax(f"{_name(target)} unexpected")
            redirects.append((token, target))
            pos += 2
        else:
            break
    if not (assigns or words or redirects):
        raise BadSyntax(f"{_name(tokens[pos]) if pos < len(tokens) else 'end of file'} unexpected")
    return Command(tuple(assigns), tuple(words), tuple(redirects)), pos


def _name(token: str | Word) -> str:
    if token == "\n":
        return "newline"
    return token if token == "end of file" else f'"{_shown(token)}"'


def _assign(word: Word) -> tuple[str, Word] | None:
    """Return name and value if the word is NAME=value."""
    first = word.pieces[0] if word.pieces else None
    if first is None or first.variable or first.quoted or "=" not in first.text:
        return None
    name, _, rest = first.text.partition("=")
    if not name or name[0] not in _NAME_START or not set(name) <= set(_NAME):
        return None
    head = (Piece(rest, variable=False, quoted=True),)
    return name, Word(head + word.pieces[1:])


def expand(word: Word, variables: Mapping[str, str]) -> list[str]:
    """Return the fields that *word* becomes: an unquoted variable is split at blanks."""
    fields: list[str] = []
    current: str | None = None
    for piece in word.pieces:
        if not piece.variable:
            current = (current or "") + piece.text
            continue
        value = variables.get(piece.text, "")
        if piece.quoted:
            current = (current or "") + value
            continue
        parts = value.split()
        if not parts:
            continue
        if value[0] in " \t\n" and current is not None:
            fields.append(current)
            current = None
        fields += [(current or "") + parts[0]] if len(parts) > 1 else []
        if len(parts) > 1:
            fields += parts[1:-1]
            current = parts[-1]
        else:
            current = (current or "") + parts[0]
        if value[-1] in " \t\n":
            fields.append(current)
            current = None
    if current is not None:
        fields.append(current)
    return fields


def expand_one(word: Word, variables: Mapping[str, str]) -> str:
    """Return *word* as one string, as in an assignment or a redirection."""
    return "".join(
        variables.get(piece.text, "") if piece.variable else piece.text for piece in word.pieces
    )
