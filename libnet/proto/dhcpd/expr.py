"""Expressions and statements of dhcpd.conf(5) put to one packet (dhcp-eval(5)).

What cannot be told is null, here None: an option that the client did not send, the name of a host
that was never declared. Null spreads through almost everything that is made of it, counts as false in
a condition, and does no harm.

Packets come from strangers and configurations recurse: an expression that gets too deep, too long or
too big comes to null, with one line for the log. Nothing here raises.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, Protocol

from libnet.conf.dhcpdconf.options import OptionDef, decapsulate, encode_domain
from libnet.proto.dhcpd.request import Request, Value

if TYPE_CHECKING:
    from libnet.conf.dhcpdconf.tree import Config, Expr, Stmt

MAX_DEPTH: Final = 100  # of expressions in expressions, calls of functions included
MAX_STEPS: Final = 20_000  # expressions looked at for one packet
MAX_DATA: Final = 65_535  # octets of one value
MAX_MATCHED: Final = 1024  # octets that a regular expression looks at
MAX_LINES: Final = 100  # for the log, of one packet
WORD: Final = (1 << 64) - 1  # arithmetic wraps here, as an unsigned long of the original does

FATAL, ERROR, INFO, DEBUG = "fatal", "error", "info", "debug"
GOES_ON, BREAK, RETURN = 0, 1, 2

_CLASSES: Final = {
    "alpha": "a-zA-Z",
    "digit": "0-9",
    "alnum": "0-9a-zA-Z",
    "upper": "A-Z",
    "lower": "a-z",
    "space": r"\x09-\x0d ",
    "blank": r"\x09 ",
    "punct": r"!-/:-@\[-`{-~",
    "print": " -~",
    "graph": "!-~",
    "cntrl": r"\x00-\x1f\x7f",
    "xdigit": "0-9a-fA-F",
}


class Sink(Protocol):
    """Where the statements of a scope leave what they set."""

    def set_option(self, how: str, option: OptionDef, value: Expr) -> None:
        """Take an option: how is "=", "supersede", "default", "append", "prepend" or "send"."""

    def set_param(self, name: str, value: object) -> None:
        """Take a parameter of the server: int, str, bool, or an Expr of its value."""

    def set_event(self, events: Sequence[str], body: list[Stmt]) -> None:
        """Take what is to be done when something happens to the lease."""

    def add_class(self, name: str) -> None:
        """Take the client into a class."""

    def configured(self, option: OptionDef) -> bytes | None:
        """Return what the client is to be told of an option, None for nothing."""


class Tools:
    """What evaluation needs of its surroundings, the same for every packet.

    config   the configuration: functions and option spaces
    lookup   addresses of a host name as octets, None when there are none
    """

    __slots__ = ("_carriers", "_patterns", "config", "lookup")

    def __init__(self, config: Config, lookup: Callable[[str], bytes | None] | None = None) -> None:
        self.config = config
        self.lookup = lookup
        self._patterns: dict[tuple[bytes, bool], re.Pattern[bytes] | None] = {}
        self._carriers: dict[str, OptionDef | None] = {}

    def pattern(self, text: bytes, *, fold: bool) -> re.Pattern[bytes] | None:
        """Return a POSIX extended regular expression made ready, None when it is none."""
        key = (text, fold)
        if key not in self._patterns:
            if len(self._patterns) >= 256:
                self._patterns.clear()
            try:
                made = re.compile(_python_pattern(text), re.DOTALL | (re.IGNORECASE if fold else 0))
            except (re.error, OverflowError, RecursionError):
                made = None
            self._patterns[key] = made
        return self._patterns[key]

    def carrier(self, space: str) -> OptionDef | None:
        """Return the option that holds the options of a space, None for a space of no option."""
        if space not in self._carriers:
            found = None
            for holder in self.config.spaces.values():
                for option in holder.by_code.values():
                    if option.shape == "E" and option.inner == space != holder.name:
                        found = option
            self._carriers[space] = found
        return self._carriers[space]


class Machine:
    """Evaluates and executes for one packet.

    request    the packet            sink       where options and parameters go, None for nowhere
    variables  what `set` has set; changed in place
    log        (priority, line) in order
    """

    __slots__ = (
        *("_depth", "_frames", "_steps", "_too_much", "log", "request", "sink", "tools"),
        "variables",
    )

    def __init__(
        self,
        tools: Tools,
        request: Request,
        sink: Sink | None,
        variables: dict[str, Value],
        log: list[tuple[str, str]],
    ) -> None:
        self.tools, self.request, self.sink = tools, request, sink
        self.variables, self.log = variables, log
        self._frames: list[dict[str, Value]] = []  # arguments of the functions being called
        self._depth = self._steps = 0
        self._too_much = False

    # -- statements

    def run(self, statements: Sequence[Stmt]) -> int:
        """Execute statements in order; return how the last of them ended."""
        return self._run(statements)[0]

    def _run(self, statements: Sequence[Stmt]) -> tuple[int, Value]:
        for stmt in statements:
            op, args = stmt.op, stmt.args
            if op == "option":
                if self.sink is not None:
                    self.sink.set_option(*args)
            elif op == "param":
                if self.sink is not None:
                    self.sink.set_param(*args)
            elif op == "break":
                return BREAK, None
            elif op == "return":
                return RETURN, self.eval(args[0])
            else:
                how, value = self._flow(op, args)
                if how == RETURN:
                    return how, value
        return GOES_ON, None

    def _flow(self, op: str, args: tuple[object, ...]) -> tuple[int, Value]:
        """Execute one of the statements that are more than a setting."""
        name, rest = args[0], args[1:]
        if op == "if":
            for condition, body in name:  # type: ignore[attr-defined]
                if condition is None or self.boolean(condition):
                    # A `break` ends the block it stands in and nothing else.
                    return self._run(body)
        elif op == "switch":
            return self._switch(name, rest[0])  # type: ignore[arg-type]
        elif op == "set":
            value = self.eval(rest[0])  # type: ignore[arg-type]
            if value is None:
                self.variables.pop(str(name), None)  # there is no such thing as a variable of null
            else:
                self.variables[str(name)] = value
        elif op == "unset":
            self.variables.pop(str(name), None)
        elif op == "eval":
            self.eval(name)  # type: ignore[arg-type]
        elif op == "log":
            self._log_value(str(name), self.eval(rest[0]))  # type: ignore[arg-type]
        elif op == "on":
            if self.sink is not None:
                self.sink.set_event(name, rest[0])  # type: ignore[arg-type]
        elif op == "add" and self.sink is not None:
            self.sink.add_class(str(name))
        return GOES_ON, None

    def _switch(
        self, what: Expr, branches: list[tuple[Expr | None, list[Stmt]]]
    ) -> tuple[int, Value]:
        value = self.eval(what)
        start = None
        if value is not None:
            for index, (label, _body) in enumerate(branches):
                if label is not None and _same(value, self.eval(label)):
                    start = index
                    break
        if start is None:
            start = next((n for n, (label, _) in enumerate(branches) if label is None), None)
        if start is None:
            return GOES_ON, None
        for _label, body in branches[start:]:
            how, result = self._run(body)
            if how == RETURN:
                return how, result
            if how == BREAK:
                break
        return GOES_ON, None

    def _log_value(self, priority: str, value: Value) -> None:
        if value is None:
            return
        if isinstance(value, bool):
            text = "true" if value else "false"
        elif isinstance(value, int):
            text = str(value)
        else:
            text = value.decode("latin-1")
        self.note(priority, text)

    def note(self, priority: str, text: str) -> None:
        """Leave a line for the log; what a stranger put into it is made printable."""
        if len(self.log) < MAX_LINES:
            self.log.append((priority, printable(text)))

    # -- expressions, by what is wanted

    def boolean(self, expr: Expr) -> bool | None:
        """Return what an expression comes to as a truth, None for null."""
        return self._as_bool(self.eval(expr))

    def data(self, expr: Expr) -> bytes | None:
        """Return what an expression comes to as octets, None for null."""
        value = self.eval(expr)
        if value is None or isinstance(value, bytes):
            return value
        self.note(ERROR, f"binding type {_type_number(value)} in evaluate_data_expression.")
        return None

    def number(self, expr: Expr) -> int | None:
        """Return what an expression comes to as a number, None for null."""
        return self._as_number(self.eval(expr))

    def _as_bool(self, value: Value) -> bool | None:
        if value is None or isinstance(value, bool):
            return value
        # A variable may hold anything: a number is true when it is not zero, octets when there are any.
        return bool(value)

    def _as_number(self, value: Value) -> int | None:
        if value is None or isinstance(value, bool):
            return None
        if isinstance(value, int):
            return value
        # Octets are taken for a number when they can be one.
        return int.from_bytes(value, "big") if len(value) in (1, 2, 4) else None

    def eval(self, expr: Expr) -> Value:
        """Return what an expression comes to, None for null."""
        if expr.op == "const":
            constant: Value = expr.args[0]
            return constant
        self._steps += 1
        if self._depth >= MAX_DEPTH or self._steps > MAX_STEPS:
            if not self._too_much:
                self.note(ERROR, "expression is too deep or too long; taken for null.")
            self._too_much = True
            return None
        self._depth += 1
        try:
            if expr.op in _BINARY:
                return self._binary(expr)
            func = _OPS.get(expr.op)
            return func(self, *expr.args) if func is not None else None
        finally:
            self._depth -= 1

    # -- operators

    def _binary(self, expr: Expr) -> Value:
        # Chains of operators lean to the left or, where `and` and `or` stand between comparisons, to the
        # right, as far as they are long; neither way is recursed into.
        lowest: bool | None = None  # what null comes to after `false or`
        while True:
            spine: list[Expr] = []
            while expr.op in _BINARY:
                spine.append(expr)
                expr = expr.args[0]
            self._steps += len(spine)
            last = spine.pop(0) if spine[0].op in ("and", "or") else None
            value = self.eval(expr)
            while spine:
                value = self._apply(spine.pop(), value)
            if last is None:
                return value
            left, right = self._as_bool(value), last.args[1]
            if last.op == "and":
                if left is not True:
                    return lowest  # the right side has not been looked at: nothing is known
            elif left:
                return True
            elif left is False:
                lowest = False
            if right.op not in _BINARY or self._steps > MAX_STEPS:
                value = self.boolean(right)
                return lowest if value is None else value
            expr = right

    def _apply(self, node: Expr, value: Value) -> Value:
        if node.op in _ARITHMETIC:
            return self._arithmetic(node.op, value, node.args[1])
        return _RELATIONS[node.op](self, value, node.args[1])

    def _and(self, left: Value, right: Expr) -> Value:
        return self.boolean(right) if self._as_bool(left) else None

    def _or(self, left: Value, right: Expr) -> Value:
        one = self._as_bool(left)
        if one:
            return True
        two = self.boolean(right)
        if one is None and two is None:
            return None
        return bool(two)

    def _equal(self, left: Value, right: Expr) -> Value:
        return self._alike(left, self.eval(right))

    def _not_equal(self, left: Value, right: Expr) -> Value:
        return not self._alike(left, self.eval(right))

    def _alike(self, one: Value, two: Value) -> bool:
        if one is None or two is None:
            return one is two
        return _same(one, two)

    def _matches(self, left: Value, right: Expr) -> Value:
        return self._regex(left, right, fold=False)

    def _matches_folded(self, left: Value, right: Expr) -> Value:
        return self._regex(left, right, fold=True)

    def _regex(self, left: Value, right: Expr, *, fold: bool) -> bool | None:
        pattern = self.data(right)
        if not isinstance(left, bytes) or not left or pattern is None:
            return None
        made = self.tools.pattern(pattern, fold=fold) if pattern else None
        if made is None:
            return False
        return made.search(left[:MAX_MATCHED].partition(b"\0")[0]) is not None

    def _arithmetic(self, op: str, left: Value, right: Expr) -> Value:
        one, two = self._as_number(left), self.number(right)
        if one is None or two is None or (op in "/%" and two == 0):
            return None
        return _ARITHMETIC[op](one, two) & WORD

    # -- boolean expressions

    def _not(self, inner: Expr) -> Value:
        value = self.boolean(inner)
        return None if value is None else not value

    def _flag(self, inner: Expr) -> Value:
        value = self.data(inner)
        return None if not value else value[0] != 0

    def _known(self) -> Value:
        return self.request.known

    def _static(self) -> Value:
        return self.request.static

    def _check(self, name: str) -> Value:
        return any(found.name == name for found in self.request.classes)

    def _exists(self, option: OptionDef) -> Value:
        return self.sent(option) is not None

    def _defined(self, name: str) -> Value:
        return self._variable(name) is not None

    # -- data expressions

    def _substring(self, data: Expr, offset: Expr, length: Expr) -> Value:
        value, at, size = self.data(data), self.number(offset), self.number(length)
        if value is None or at is None or size is None:
            return None
        return _slice(value, at, size)

    def _suffix(self, data: Expr, length: Expr) -> Value:
        value, size = self.data(data), self.number(length)
        if value is None or size is None:
            return None
        if size < 0:
            size &= WORD
        return value if size >= len(value) else value[len(value) - size :]

    def _packet(self, offset: Expr, length: Expr) -> Value:
        at, size = self.number(offset), self.number(length)
        if at is None or size is None:
            return None
        return _slice(self.request.octets, at, size) if at <= len(self.request.octets) else None

    def _option(self, option: OptionDef) -> Value:
        return self.sent(option)

    def _config_option(self, option: OptionDef) -> Value:
        return None if self.sink is None else self.sink.configured(option)

    def _hardware(self) -> Value:
        kind, octets = self.request.hardware
        return bytes((kind & 0xFF,)) + octets

    def _leased_address(self) -> Value:
        addr = self.request.leased_address()
        if addr is None:
            self.note(
                ERROR,
                'data: "leased-address" configuration directive: there is no lease associated'
                " with this client.",
            )
            return None
        return addr.to_bytes(4, "big")

    def _host_decl_name(self) -> Value:
        host = self.request.host
        if host is None:
            self.note(ERROR, "data: host_decl_name: not available")
            return None
        return host.name.encode("latin-1", "replace")

    def _filename(self) -> Value:
        return self.request.message.file or None

    def _server_name(self) -> Value:
        return self.request.message.sname or None

    def _next_server(self) -> Value:
        addr = self.request.message.siaddr
        return addr.to_bytes(4, "big") if addr else None

    def _null(self) -> Value:
        return None

    def _ucase(self, data: Expr) -> Value:
        value = self.data(data)
        return None if value is None else value.upper()

    def _lcase(self, data: Expr) -> Value:
        value = self.data(data)
        return None if value is None else value.lower()

    def _concat(self, *parts: Expr) -> Value:
        out = bytearray()
        for part in parts:
            value = self.data(part)
            if value is None:
                return None
            out += value
            if len(out) > MAX_DATA:
                self.note(ERROR, "value is too big; taken for null.")
                return None
        return bytes(out)

    def _pick(self, *parts: Expr) -> Value:
        for part in parts:
            value = self.data(part)
            if value is not None:
                return value
        return None

    def _reverse(self, width: Expr, data: Expr) -> Value:
        size, value = self.number(width), self.data(data)
        if size is None or value is None or size <= 0 or len(value) % size:
            return None
        return b"".join(value[at : at + size] for at in range(len(value) - size, -1, -size))

    def _binary_to_ascii(self, base: Expr, width: Expr, glue: Expr, data: Expr) -> Value:
        radix, bits = self.number(base), self.number(width)
        between, value = self.data(glue), self.data(data)
        if radix is None or bits is None or between is None or value is None:
            return None
        if bits not in (8, 16, 32):
            self.note(ERROR, f"binary_to_ascii: invalid width {bits}!")
            return None
        if not 2 <= radix <= 16:
            self.note(ERROR, f"binary_to_ascii: invalid base {radix}!")
            return None
        size = bits // 8
        if len(value) % size:
            much = f"length of buffer {len(value)} not a multiple of width {size}!"
            self.note(ERROR, f"binary-to-ascii: {much}")
            return None
        count = len(value) // size
        if count * (bits + len(between)) > MAX_DATA:
            self.note(ERROR, "value is too big; taken for null.")
            return None
        numbers = (
            int.from_bytes(value[at : at + size], "big") for at in range(0, count * size, size)
        )
        return between.join(_digits(number, radix) for number in numbers)

    def _encode_int(self, number: Expr, width: Expr) -> Value:
        value, bits = self.number(number), self.number(width)
        if value is None or bits not in (8, 16, 32):
            return None
        return (value & ((1 << bits) - 1)).to_bytes(bits // 8, "big")

    def _host(self, name: str) -> Value:
        found = self.tools.lookup(name) if self.tools.lookup is not None else None
        if not found:
            self.note(ERROR, f"{name}: host unknown.")
            return None
        return found

    # -- numeric expressions

    def _extract_int(self, data: Expr, width: Expr) -> Value:
        value, bits = self.data(data), self.number(width)
        if value is None or bits not in (8, 16, 32):
            return None
        size = bits // 8
        return int.from_bytes(value[:size], "big") if len(value) >= size else None

    def _lease_time(self) -> Value:
        lease = self.request.lease
        if lease is None:
            self.note(ERROR, "data: leased_lease: not available")
            return None
        if lease.ends < self.request.now:
            when = f"lease ends at {lease.ends} when it is now {self.request.now}"
            self.note(ERROR, f"data: lease_time: {when}")
            return None
        return lease.ends - self.request.now

    def _client_state(self) -> Value:
        return None  # a server has none

    # -- variables and functions

    def _variable(self, name: str) -> Value:
        if self._frames and name in self._frames[-1]:
            return self._frames[-1][name]
        return self.variables.get(name)

    def _call(self, name: str, args: tuple[Expr, ...]) -> Value:
        function = self.tools.config.functions.get(name)
        if function is None:
            self.note(ERROR, f"{name}: no such function.")
            return None
        names, body = function
        if len(args) != len(names):
            much = "few" if len(args) < len(names) else "many"
            self.note(ERROR, f"{name}: too {much} arguments.")
            return None
        values = [self.eval(arg) for arg in args]
        self._frames.append(dict(zip(names, values, strict=True)))
        try:
            return self._run(body)[1]
        finally:
            self._frames.pop()

    # -- options of the packet

    def sent(self, option: OptionDef) -> bytes | None:
        """Return what the client sent of an option, None without it."""
        if option.space == "dhcp":
            return self.request.message.options.get(option.code)
        if option.space == "agent":
            return self.request.agent.get(option.code)
        if option.space == "fqdn":
            data = self.request.message.options.get(81)
            return None if data is None else parse_fqdn(data).get(option.code)
        data = self._carried(option.space, 8)
        if data is None:
            return None
        return decapsulate(self.tools.config.spaces[option.space], data).get(option.code)

    def _carried(self, space: str, most: int) -> bytes | None:
        """Return the octets in which the options of a space came; a space may be inside another."""
        carrier = self.tools.carrier(space)
        if carrier is None or most == 0:
            return None
        if carrier.space == "dhcp":
            return self.request.message.options.get(carrier.code)
        outer = self._carried(carrier.space, most - 1)
        if outer is None:
            return None
        return decapsulate(self.tools.config.spaces[carrier.space], outer).get(carrier.code)


_ARITHMETIC: Final[dict[str, Callable[[int, int], int]]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a // b,
    "%": lambda a, b: a % b,
    "&": lambda a, b: a & b,
    "|": lambda a, b: a | b,
    "^": lambda a, b: a ^ b,
}
_RELATIONS: Final[dict[str, Callable[[Machine, Value, Expr], Value]]] = {
    "and": Machine._and,
    "or": Machine._or,
    "=": Machine._equal,
    "!=": Machine._not_equal,
    "~=": Machine._matches,
    "~~": Machine._matches_folded,
}
_BINARY: Final = frozenset((*_ARITHMETIC, *_RELATIONS))
_OPS: Final[dict[str, Callable[..., Value]]] = {
    "not": Machine._not,
    "flag": Machine._flag,
    "known": Machine._known,
    "static": Machine._static,
    "check": Machine._check,
    "exists": Machine._exists,
    "defined": Machine._defined,
    "substring": Machine._substring,
    "suffix": Machine._suffix,
    "packet": Machine._packet,
    "option": Machine._option,
    "config-option": Machine._config_option,
    "hardware": Machine._hardware,
    "leased-address": Machine._leased_address,
    "host-decl-name": Machine._host_decl_name,
    "filename": Machine._filename,
    "server-name": Machine._server_name,
    "next-server": Machine._next_server,
    "null": Machine._null,
    "ucase": Machine._ucase,
    "lcase": Machine._lcase,
    "concat": Machine._concat,
    "pick-first-value": Machine._pick,
    "reverse": Machine._reverse,
    "binary-to-ascii": Machine._binary_to_ascii,
    "encode-int": Machine._encode_int,
    "host": Machine._host,
    "extract-int": Machine._extract_int,
    "lease-time": Machine._lease_time,
    "client-state": Machine._client_state,
    "variable": Machine._variable,
    "call": Machine._call,
}


def printable(text: str) -> str:
    """Return a line with what is not printing ASCII as octal escapes."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        char
        if " " <= char <= "~"
        else "".join(f"\\{n:03o}" for n in char.encode("latin-1", "replace"))
        for char in text
    )


def _type_number(value: Value) -> int:
    return 0 if isinstance(value, bool) else 2 if isinstance(value, int) else 1


def _same(one: Value, two: Value) -> bool:
    return type(one) is type(two) and one == two


def _slice(value: bytes, at: int, size: int) -> bytes:
    # Numbers are unsigned: a negative one is beyond any end.
    at, size = at & WORD, size & WORD
    return value[at : at + size] if at < len(value) else b""


def _digits(value: int, radix: int) -> bytes:
    out = ""
    while True:
        value, digit = divmod(value, radix)
        out = "0123456789abcdef"[digit] + out
        if not value:
            return out.encode()


def _python_pattern(text: bytes) -> bytes:
    """Return a POSIX extended regular expression as one of re: brackets differ."""
    source = text.decode("latin-1")
    out = ""
    at = 0
    while at < len(source):
        char = source[at]
        if char == "\\" and at + 1 < len(source):
            follows = source[at + 1]
            # What means something to re alone is the character itself there.
            out += follows if follows.isalnum() and follows not in "wWsSbB" else "\\" + follows
            at += 2
        elif char == "[":
            body, at = _bracket(source, at + 1)
            out += body
        elif char == "(" and source.startswith("(?", at):
            raise re.error("nothing to repeat")
        else:
            out += char
            at += 1
    return out.encode("latin-1")


def _bracket(source: str, at: int) -> tuple[str, int]:
    """Return a bracket expression for re, and where the text goes on behind it."""
    out = "["
    if source.startswith("^", at):
        out += "^"
        at += 1
    first = True
    while at < len(source):
        if source[at] == "]" and not first:
            return out + "]", at + 1
        if source.startswith("[:", at) and (end := source.find(":]", at)) > 0:
            name = source[at + 2 : end]
            if name not in _CLASSES:
                raise re.error("no such class of characters")
            out += _CLASSES[name]
            at = end + 2
        else:
            out += ("\\" if source[at] in "\\[]&~|^" else "") + source[at]
            at += 1
        first = False
    raise re.error("bracket is not closed")


FQDN_NO_CLIENT_UPDATE, FQDN_SERVER_UPDATE, FQDN_ENCODED = 1, 2, 3
FQDN_RCODE1, FQDN_RCODE2, FQDN_HOSTNAME, FQDN_DOMAINNAME, FQDN_FQDN = 4, 5, 6, 7, 8


def parse_fqdn(data: bytes) -> dict[int, bytes]:
    """Return option 81 (RFC 4702) as the options of the space fqdn; {} when it is none."""
    if len(data) < 3:
        return {}
    flags, rcode1, rcode2 = data[0], data[1], data[2]
    found = {
        FQDN_NO_CLIENT_UPDATE: bytes((bool(flags & 8),)),
        FQDN_SERVER_UPDATE: bytes((bool(flags & 1),)),
        FQDN_ENCODED: bytes((bool(flags & 4),)),
        FQDN_RCODE1: bytes((rcode1,)),
        FQDN_RCODE2: bytes((rcode2,)),
    }
    name = data[3:]
    if flags & 4:
        labels: list[bytes] = []
        at = 0
        while at < len(name) and name[at]:
            size = name[at]
            if size > 63 or at + 1 + size > len(name):
                return found
            labels.append(name[at + 1 : at + 1 + size])
            at += 1 + size
        name = b".".join(labels)
    name = name.rstrip(b"\0")
    if name:
        host, _dot, domain = name.partition(b".")
        found[FQDN_HOSTNAME] = host
        if domain:
            found[FQDN_DOMAINNAME] = domain
        found[FQDN_FQDN] = name
    return found


def build_fqdn(values: dict[int, bytes]) -> bytes | None:
    """Return option 81 from the options of the space fqdn, None when there is no name."""
    name = values.get(FQDN_FQDN) or values.get(FQDN_HOSTNAME)
    if not name:
        return None
    domain = values.get(FQDN_DOMAINNAME)
    if domain and FQDN_FQDN not in values:
        name = name + b"." + domain

    def is_set(code: int) -> bool:
        return values.get(code, b"\0")[:1] not in (b"", b"\0")

    flags = 1 * is_set(FQDN_SERVER_UPDATE) | 8 * is_set(FQDN_NO_CLIENT_UPDATE)
    head = values.get(FQDN_RCODE1, b"\0")[:1] + values.get(FQDN_RCODE2, b"\0")[:1]
    if is_set(FQDN_ENCODED):
        encoded = encode_domain(name.decode("latin-1"))
        if encoded is None:
            return None
        return bytes((flags | 4,)) + head + encoded
    return bytes((flags,)) + head + name
