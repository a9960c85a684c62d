"""Expressions of dhcpd.conf(5) (dhcp-eval(5)): words to Expr."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NoReturn

from libnet.conf.dhcpdconf.lexer import EOF, NAME, NUMBER, STRING, Lexer, Token
from libnet.conf.dhcpdconf.tree import Expr

if TYPE_CHECKING:
    from libnet.conf.dhcpdconf.options import OptionDef
    from libnet.conf.dhcpdconf.tree import Config

MAX_OCTETS: Final = 65_535  # of a list of octets; more are passed over
MAX_DEPTH: Final = 60  # of blocks and of parentheses; Python's stack is not the text's to use up

# Level and kind of each operator. These are the levels of the original, whatever one expects: a sum
# binds tighter than a product, the bits tightest of all, and `and` no tighter than `or`.
_BINARY: Final = {
    "*": (1, "number"),
    "/": (1, "number"),
    "%": (1, "number"),
    "+": (2, "number"),
    "-": (2, "number"),
    "or": (3, "bool"),
    "and": (3, "bool"),
    "=": (4, "bool"),
    "!=": (4, "bool"),
    "~=": (4, "bool"),
    "~~": (4, "bool"),
    "|": (5, "number"),
    "^": (5, "number"),
    "&": (5, "number"),
}
_BARE_DATA: Final = frozenset(
    (
        "hardware",
        "leased-address",
        "filename",
        "server-name",
        "host-decl-name",
        "next-server",
        "null",
    )
)


class Skip(Exception):
    """The statement at hand cannot be read; what is wrong has been noted.

    said  there is nothing to add       done  what is left of the statement has been passed over
    """

    def __init__(self, *, said: bool = False, done: bool = False) -> None:
        super().__init__()
        self.said, self.done = said, done


class Reader:
    """The words of a text, and what is read of them so far."""

    def __init__(self, text: str, file: str, config: Config) -> None:
        self.lex = Lexer(text, file)
        self.config = config
        self._depth = 0

    # -- words

    def warn(self, text: str, at: Token | None = None) -> None:
        """Note what is wrong."""
        if len(self.config.errors) < 1000:
            self.config.errors.append(self.lex.complaint(text, at))

    def bad(self, text: str, at: Token | None = None, *, said: bool = False) -> NoReturn:
        """Note what is wrong and give the statement up; see Skip."""
        self.warn(text, at)
        raise Skip(said=said)

    def deeper(self) -> None:
        """Enter a block or a parenthesis."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self._depth -= 1
            self.bad("nesting too deep.")

    def shallower(self) -> None:
        """Leave it."""
        self._depth -= 1

    def expect(self, word: str, text: str, *, said: bool = False) -> Token:
        """Take the next word, which is to be *word*."""
        token = self.lex.next()
        if token.word != word:
            self.bad(text, said=said)
        return token

    def taken(self, word: str) -> bool:
        """Take the next word if it is *word*; tell whether it was."""
        if self.lex.peek().word == word:
            self.lex.next()
            return True
        return False

    def semi(self) -> None:
        """Take a semicolon, or complain of what is there instead."""
        token = self.lex.next()
        if token.word != ";":
            self.bad("semicolon expected.")

    def number(self, text: str = "expecting numeric value.") -> int:
        """Take a number as it is written: 0x hexadecimal, 0 octal, else decimal."""
        token = self.lex.next()
        if token.kind == NAME:
            return self.bogus(token, 10)
        if token.kind != NUMBER:
            self.bad(text)
        return self.value_of(token)

    def bogus(self, token: Token, base: int) -> int:
        """Complain of a word that stands where a number should; return 0 to go on with."""
        digit = ord(token.text[0].upper()) - ord("A") + 10
        self.warn(f"Bogus number {token.text}: digit {digit} not in base {base}")
        return 0

    def value_of(self, token: Token, base: int = 0) -> int:
        """Return what a word of digits says."""
        text = token.text
        sign = -1 if text.startswith("-") else 1
        body = text[1:] if sign < 0 else text
        if base == 0:
            base = 10
            if body[:2].lower() == "0x":
                base, body = 16, body[2:]
            elif body.startswith("0") and len(body) > 1:
                base, body = 8, body[1:]
        value = 0
        for char in body[:64]:
            digit = ord(char.upper()) - 55 if char.isalpha() else ord(char) - 48
            if not 0 <= digit < base:
                if char.isalnum():
                    self.warn(f"Bogus number {text}: digit {digit} not in base {base}")
                else:
                    self.warn(f"Bogus number: {text}.")
                return 0
            value = value * base + digit
        return sign * value

    def string(self, text: str) -> str:
        """Take a quoted string."""
        token = self.lex.next()
        if token.kind != STRING:
            self.bad(text)
        return token.text

    def name(self, text: str) -> str:
        """Take a name."""
        token = self.lex.next()
        if token.kind != NAME:
            self.bad(text)
        return token.text

    def octets(
        self, first: Token | None = None, text: str = "expecting hexadecimal number."
    ) -> bytes:
        """Take octets in hexadecimal with colons between; *text* is said of what is none."""
        out = bytearray()
        while True:
            token = first or self.lex.next()
            first = None
            value = self.hex_octet(token, text)
            if len(out) < MAX_OCTETS:
                out.append(value)
            if not self.taken(":"):
                return bytes(out)

    def hex_octet(self, token: Token, text: str = "expecting numeric value.") -> int:
        """Return the octet that a word says in hexadecimal."""
        if token.kind not in (NUMBER, NAME):
            self.bad(text)
        body = token.text
        if not all(char in "0123456789abcdefABCDEF" for char in body):
            self.bad(text)
        value = int(body, 16) if len(body) < 64 else 1 << 64
        if value > 255:
            self.bad(f"{value:x} exceeds max (255) for precision.")
        return value

    def address(self, text: str = "expecting IP address or hostname") -> int:
        """Take a dotted address; return it as a host integer.

        text  what was expected, said of a word that is no number; "" where only a number may stand
        """
        value = 0
        for place in range(4):
            if place and not self.taken("."):
                self.lex.next()
                self.bad("too few numbers.")
            token = self.lex.peek() if place else self.lex.next()
            if token.kind != NUMBER or not token.text.isdigit():
                if place or not text:
                    if place:
                        self.lex.next()
                    self.bad("expecting numeric value.")
                code = "end of file" if token.kind == EOF else token.text
                number = ord(token.text) if len(token.text) == 1 else 262
                self.bad(f"{code} ({number}): {text}")
            octet = int(token.text) if len(token.text) < 20 else 1 << 64
            if octet > 255:
                self.bad(f"{token.text} exceeds max (255) for precision.")
            if place:
                self.lex.next()
            value = value << 8 | octet
        return value

    def host_name(self, text: str) -> str:
        """Take a host name, labels with dots between."""
        parts: list[str] = []
        while True:
            token = self.lex.next()
            if token.kind not in (NAME, NUMBER):
                self.bad(text)
            parts.append(token.text)
            if not self.taken("."):
                return ".".join(parts)
            if self.lex.peek().kind not in (NAME, NUMBER):
                return ".".join(parts)

    def option_name(self) -> OptionDef:
        """Take the name of an option, with its space if one is given."""
        first = self.lex.next()
        if first.kind != NAME:
            self.bad("expecting identifier after option keyword.", said=True)
        space, name, shown = "dhcp", first.text, first
        if self.taken("."):
            space = first.text.lower()
            token = self.lex.next()
            if token.kind not in (NAME, NUMBER):
                self.bad("expecting identifier after '.'")
            name, shown = token.text, token
        option = self.config.find_option(space, name)
        if option is None:
            self.lex.peek()
            if space not in self.config.spaces:
                self.bad(f"no option space named {space}.", shown)
            self.bad(f"no option named {name} in space {space}", shown)
        return option

    # -- expressions

    def is_operator(self, token: Token) -> bool:
        """Tell whether a word begins an expression that is more than a name."""
        return token.word in _BARE_DATA or hasattr(self, "_e_" + token.word.replace("-", "_"))

    def boolean(self, missing: str = "boolean expression expected.", *, said: bool = False) -> Expr:
        """Read a boolean expression; *missing* is what is wrong when there is none."""
        found = self.expression(missing, said=said)
        if found.kind not in ("bool", "any"):
            if found.op == "option":
                return Expr("bool", "flag", found)
            self.bad("Expecting a boolean expression.")
        return found

    def data(self, missing: str = "expecting data expression.", *, said: bool = True) -> Expr:
        """Read a data expression."""
        found = self.expression(missing, said=said)
        if found.kind not in ("data", "any"):
            self.bad("Expecting a data expression.")
        return found

    def numeric(self, missing: str = "expecting numeric expression.") -> Expr:
        """Read a numeric expression."""
        found = self.expression(missing, said=True)
        if found.kind not in ("number", "any"):
            self.bad("Expecting a numeric expression.", said=True)
        return found

    def expression(self, missing: str = "expecting expression.", *, said: bool = False) -> Expr:
        """Read an expression; *missing* is what is wrong when there is none.

        Where an operator is followed by one that binds tighter, all the rest is its right side, as the
        original has it: in `a = 1 and b = 2 or c = 3` the `and` joins a = 1 to everything behind it.
        """
        self._begins(missing, said=said)
        self.deeper()
        try:
            waiting: list[tuple[str, Expr]] = []  # operators whose right side is not whole yet
            left = self._primary()
            op = self._operator()
            while op is not None:
                op = self._take_operator(op)
                self._begins("expecting right-hand side.", said=True)
                right = self._primary()
                follows = self._operator()
                if follows is not None and _BINARY[follows][0] > _BINARY[op][0]:
                    waiting.append((op, left))
                    left = right
                else:
                    left = self._combine(op, _BINARY[op][1], left, right)
                op = follows
            while waiting:
                op, outer = waiting.pop()
                left = self._combine(op, _BINARY[op][1], outer, left)
            return left
        finally:
            self.shallower()

    def _begins(self, missing: str, *, said: bool) -> None:
        """Complain if no expression begins here."""
        token = self.lex.peek()
        if token.kind in (NAME, NUMBER, STRING) or token.word == "(":
            return
        self.lex.next()
        self.bad(missing if token.kind != EOF else "unexpected end of file", said=said)

    def _operator(self) -> str | None:
        word = self.lex.peek().word
        if word == "!":
            return "!="
        if word == "~":
            return "~="
        return word if word in _BINARY else None

    def _take_operator(self, op: str) -> str:
        self.lex.next()
        if op in ("!=", "~="):
            word = self.lex.next().word
            if op == "~=" and word == "~":
                return "~~"
            if word != "=":
                self.bad("expecting an operator.")
        return op

    def _combine(self, op: str, kind: str, left: Expr, right: Expr) -> Expr:
        if kind == "bool" and op in ("and", "or"):
            left, right = self._as_bool(left), self._as_bool(right)
        elif op in ("=", "!=", "~=", "~~"):
            if "any" not in (left.kind, right.kind) and left.kind != right.kind:
                self.bad("illegal expression relating different types", said=True)
        elif "any" not in (left.kind, right.kind) and left.kind != right.kind:
            self.bad("illegal expression relating different types", said=True)
        elif right.kind not in ("number", "any"):
            self.bad("expecting numeric expressions", said=True)
        return Expr(kind, op, left, right)

    def _as_bool(self, expr: Expr) -> Expr:
        if expr.kind in ("bool", "any"):
            return expr
        if expr.op == "option":
            return Expr("bool", "flag", expr)
        self.bad("Expecting a boolean expression.")

    def _primary(self) -> Expr:
        token = self.lex.next()
        word = token.word
        if token.kind == STRING:
            return Expr("data", "const", token.text.encode("latin-1", "replace"))
        if token.kind == NUMBER:
            return self._digits(token)
        if word == "(":
            inner = self.expression("expression expected", said=True)
            self.expect(")", "right parenthesis expected.")
            return inner
        if word in _BARE_DATA:
            return Expr("data", word)
        simple = getattr(self, "_e_" + word.replace("-", "_"), None)
        if simple is not None:
            made: Expr = simple()
            return made
        if self.lex.peek().word == ":" and len(word) <= 2:
            return Expr("data", "const", self.octets(token))
        if self.lex.peek().word == "(":
            self.lex.next()
            args = self._arguments()
            return Expr("any", "call", token.text, args)
        return Expr("any", "variable", token.text)

    def _digits(self, token: Token) -> Expr:
        if self.lex.peek().word == ":":
            return Expr("data", "const", self.octets(token))
        return Expr("number", "const", self.value_of(token))

    def _arguments(self) -> tuple[Expr, ...]:
        args: list[Expr] = []
        if self.taken(")"):
            return ()
        while True:
            args.append(self.expression(said=True))
            if self.taken(")"):
                return tuple(args)
            self.expect(",", "comma expected.")

    def _call(self, op: str, kind: str, shape: str) -> Expr:
        """Read arguments in parentheses: d data, n numeric, w a width, one letter each."""
        self.expect("(", "left parenthesis expected.")
        args: list[Expr] = []
        for index, letter in enumerate(shape):
            if index:
                self.expect(",", "comma expected.")
            if letter == "d":
                args.append(self.data())
            elif letter == "w":
                args.append(self.numeric("number expected."))
            else:
                # Whatever is missing, it is data that are said to be.
                args.append(self.numeric("expecting data expression."))
        self.expect(")", "right parenthesis expected.")
        if shape.endswith("w") and args[-1].op == "const" and args[-1].args[0] not in (8, 16, 32):
            self.bad(f"unsupported integer size {args[-1].args[0]}", said=True)
        return Expr(kind, op, *args)

    def _many(self, op: str) -> Expr:
        self.expect("(", "left parenthesis expected.")
        args = self._arguments()
        if not args:
            self.bad("expecting a data expression.")
        for arg in args:
            if arg.kind not in ("data", "any"):
                self.bad("expecting a data expression.")
        return Expr("data", op, *args)

    def _e_not(self) -> Expr:
        self.deeper()
        try:
            self._begins("expression expected", said=False)
            operand = self._primary()
            op = self._operator()
            if op is not None and _BINARY[op][0] == _BINARY["="][0]:
                op = self._take_operator(op)
                operand = self._combine(op, "bool", operand, self._primary())
            return Expr("bool", "not", self._as_bool(operand))
        finally:
            self.shallower()

    def _e_known(self) -> Expr:
        return Expr("bool", "known")

    def _e_static(self) -> Expr:
        return Expr("bool", "static")

    def _e_true(self) -> Expr:
        return Expr("bool", "const", True)

    def _e_false(self) -> Expr:
        return Expr("bool", "const", False)

    def _e_check(self) -> Expr:
        return Expr("bool", "check", self.string("string expected."))

    def _e_exists(self) -> Expr:
        self.taken("option")
        return Expr("bool", "exists", self.option_name())

    def _e_option(self) -> Expr:
        return Expr("data", "option", self.option_name())

    def _e_config_option(self) -> Expr:
        return Expr("data", "config-option", self.option_name())

    def _e_substring(self) -> Expr:
        return self._call("substring", "data", "dnn")

    def _e_suffix(self) -> Expr:
        return self._call("suffix", "data", "dn")

    def _e_packet(self) -> Expr:
        return self._call("packet", "data", "nn")

    def _e_reverse(self) -> Expr:
        return self._call("reverse", "data", "nd")

    def _e_binary_to_ascii(self) -> Expr:
        return self._call("binary-to-ascii", "data", "nndd")

    def _e_ucase(self) -> Expr:
        return self._call("ucase", "data", "d")

    def _e_lcase(self) -> Expr:
        return self._call("lcase", "data", "d")

    def _e_concat(self) -> Expr:
        return self._many("concat")

    def _e_pick_first_value(self) -> Expr:
        return self._many("pick-first-value")

    def _e_pick(self) -> Expr:
        return self._many("pick-first-value")

    def _e_encode_int(self) -> Expr:
        return self._call("encode-int", "data", "nw")

    def _e_extract_int(self) -> Expr:
        return self._call("extract-int", "number", "dw")

    def _e_lease_time(self) -> Expr:
        return Expr("number", "lease-time")

    def _e_client_state(self) -> Expr:
        return Expr("number", "client-state")

    def variable(self) -> str:
        """Take the name of a variable."""
        token = self.lex.next()
        if token.kind != NAME:
            self.bad(f"{token.text} can't be a variable name", said=True)
        return token.text

    def _e_defined(self) -> Expr:
        self.expect("(", "left parenthesis expected.")
        name = self.variable()
        self.expect(")", "right parenthesis expected.")
        return Expr("bool", "defined", name)

    def _e_gethostbyname(self) -> Expr:
        self.expect("(", "left parenthesis expected.")
        name = self.string('Expecting quoted literal: "foo.example.com"')
        self.expect(")", "right parenthesis expected.")
        return Expr("data", "host", name)
