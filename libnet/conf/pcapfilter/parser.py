"""The grammar of filter expressions; the code is made while it is read, left to right.

    expr  = term { (and | or) (term | id) }      both bind alike, to the left; `not` binds tightest
    term  = "not" term | "(" expr ")" | qualifiers id | protocol | relation | other primitives
    id    = "not" id | value | "(" value-or-number { (and | or) id } ")"

An id without qualifiers repeats those of what stands before it. A parenthesis may open an expression,
a list of ids, or arithmetic: what comes after decides.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from libnet.conf.pcapfilter import arith, encap, hosts, other, protos, wlan
from libnet.conf.pcapfilter.arith import Arith
from libnet.conf.pcapfilter.graph import Test, and_, not_, or_
from libnet.conf.pcapfilter.lexer import PROTOCOLS, Lexer, Token
from libnet.conf.pcapfilter.link import Link
from libnet.conf.pcapfilter.program import FilterError
from libnet.conf.pcapfilter.values import Qual, Values
from libnet.ioctl.bpf import (
    BPF_ADD,
    BPF_AND,
    BPF_DIV,
    BPF_JEQ,
    BPF_JGE,
    BPF_JGT,
    BPF_LSH,
    BPF_MOD,
    BPF_MUL,
    BPF_OR,
    BPF_RSH,
    BPF_SUB,
    BPF_XOR,
)

MAX_DEPTH: Final = 100  # parentheses inside parentheses
_SYNTAX: Final = "can't parse filter expression: syntax error"
_TOO_DEEP: Final = "can't parse filter expression: memory exhausted"
NOTHING: Final = Qual("", "", "undef")

_DIRECTIONS: Final = frozenset(("src", "dst", "addr1", "addr2", "addr3", "addr4", "ra", "ta"))
_KINDS: Final = frozenset(("host", "net", "port", "portrange"))
_LONE_KINDS: Final = frozenset(("proto", "protochain", "gateway"))
_VALUES: Final = frozenset(("ID", "HID", "HID6", "EID", "AID"))
_AFTER_TERM: Final = frozenset(("and", "or", ")", "END"))
# Comparisons: the jump, and whether it is asked the other way round.
_RELATIONS: Final = {
    ">": (BPF_JGT, False),
    ">=": (BPF_JGE, False),
    "=": (BPF_JEQ, False),
    "<=": (BPF_JGT, True),
    "<": (BPF_JGE, True),
    "!=": (BPF_JEQ, True),
}
# Operators and how tightly they bind. `^` and `%` have no place in the order: what comes after one of
# them is read first, and so is what comes after an operator before one of them.
_OPERATORS: Final = {
    "|": (BPF_OR, 1),
    "&": (BPF_AND, 2),
    "<<": (BPF_LSH, 3),
    ">>": (BPF_RSH, 3),
    "+": (BPF_ADD, 4),
    "-": (BPF_SUB, 4),
    "*": (BPF_MUL, 5),
    "/": (BPF_DIV, 5),
    "^": (BPF_XOR, 0),
    "%": (BPF_MOD, 0),
}
_NONE, _UNARY = 0, 6


class Part(NamedTuple):
    """A test, and the qualifiers that an id after it repeats."""

    test: Test
    qual: Qual


class Parser:
    """One expression."""

    def __init__(self, text: str, link: Link, values: Values, netmask: int) -> None:
        self.lexer = Lexer(text)
        self.link, self.values, self.netmask = link, values, netmask
        self._depth = 0

    def parse(self) -> Test | None:
        """Return the test; None for an empty expression, which takes every packet.

        Raises FilterError.
        """
        if self.lexer.peek().kind == "END":
            return None
        part = self._expr(NOTHING)
        self._expect("END")
        return part.test

    # -- words

    def _kind(self) -> str:
        return self.lexer.peek().kind

    def _expect(self, kind: str) -> Token:
        token = self.lexer.take()
        if token.kind != kind:
            raise FilterError(_SYNTAX)
        return token

    def _open(self) -> None:
        self._expect("(")
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise FilterError(_TOO_DEEP)

    def _close(self) -> None:
        self._expect(")")
        self._depth -= 1

    # -- expressions

    def _expr(self, before: Qual) -> Part:
        return self._more(self._term(before))

    def _more(self, left: Part) -> Part:
        """Go on after a first term."""
        while self._kind() in ("and", "or"):
            word = self.lexer.take().kind
            right = self._term_or_id(left.qual)
            join = and_ if word == "and" else or_
            left = Part(join(left.test, right.test), right.qual)
        return left

    def _nots(self) -> bool:
        """Pass over `not`s; return whether their number is odd."""
        odd = False
        while self._kind() == "!":
            self.lexer.take()
            odd = not odd
        return odd

    def _term(self, before: Qual) -> Part:
        odd = self._nots()
        part = self._plain_term(before)
        return Part(not_(part.test), part.qual) if odd else part

    def _plain_term(self, before: Qual) -> Part:
        if self._kind() != "(":
            return self._rterm()
        inside = self._parenthesis(before, ids=False)
        if isinstance(inside, Part):
            return inside
        return self._relation(inside)

    def _term_or_id(self, before: Qual) -> Part:
        odd = self._nots()
        kind = self._kind()
        if kind in _VALUES:
            part = Part(self._value(before), before)
        elif kind == "NUM" or kind == "(":
            inside = self._parenthesis(before, ids=True) if kind == "(" else self.lexer.take().value
            if isinstance(inside, Part):
                part = inside
            elif isinstance(inside, int) and self._kind() in _AFTER_TERM:
                part = Part(self.values.number(inside, before), before)
            else:
                part = self._relation(inside)
        else:
            part = self._rterm()
        return Part(not_(part.test), part.qual) if odd else part

    def _parenthesis(self, before: Qual, *, ids: bool) -> Part | Arith | int:
        """Read "(" … ")" of any sort: an expression, a list of ids (if *ids*), a value, a number."""
        self._open()
        kind = self._kind()
        result: Part | Arith | int
        if ids and kind in _VALUES:
            result = Part(self._ids(self._value(before), before), before)
        elif kind == "NUM":
            number = self.lexer.take().value
            if self._kind() == ")":
                result = number
            elif ids and self._kind() in ("and", "or"):
                result = Part(self._ids(self.values.number(number, before), before), before)
            else:
                result = self._inside(number, before)
        elif kind == "(":
            inside = self._parenthesis(before, ids=False)
            if isinstance(inside, Part):
                result = Part(self._more(inside).test, before)
            elif isinstance(inside, int) and self._kind() == ")":
                result = inside
            elif isinstance(inside, int) and ids and self._kind() in ("and", "or"):
                result = Part(self._ids(self.values.number(inside, before), before), before)
            else:
                result = self._inside(inside, before)
        elif kind in ("len", "-") or kind in PROTOCOLS:
            result = self._value_or_expression(before)
        else:
            result = Part(self._expr(before).test, before)
        self._close()
        return result

    def _inside(self, first: Arith | int, before: Qual) -> Part | Arith:
        """Go on after arithmetic inside a parenthesis: it is a value, or begins an expression."""
        value = self._operators(self._load(first), _NONE)
        if self._kind() == ")":
            return value
        return Part(self._more(self._compare(value)).test, before)

    def _value_or_expression(self, before: Qual) -> Part | Arith:
        if self._kind() in PROTOCOLS:
            token = self.lexer.take()
            if self._kind() != "[":
                return Part(self._more(self._after_protocol(token.kind)).test, before)
            return self._inside(self._index(token.kind), before)
        return self._inside(self._operand(), before)

    # -- ids

    def _id(self, qual: Qual) -> Test:
        odd = self._nots()
        kind = self._kind()
        if kind in _VALUES:
            test = self._value(qual)
        elif kind == "NUM":
            test = self.values.number(self.lexer.take().value, qual)
        elif kind == "(":
            inside = self._id_list(qual)
            test = self.values.number(inside, qual) if isinstance(inside, int) else inside
        else:
            raise FilterError(_SYNTAX)
        return not_(test) if odd else test

    def _id_list(self, qual: Qual) -> Test | int:
        """Read "(" … ")" after qualifiers: ids, or one number."""
        self._open()
        kind = self._kind()
        result: Test | int
        if kind in _VALUES:
            result = self._ids(self._value(qual), qual)
        elif kind in ("NUM", "("):
            first = self._pnum()
            if self._kind() == ")":
                result = first
            elif self._kind() in ("and", "or"):
                result = self._ids(self.values.number(first, qual), qual)
            else:
                raise FilterError(_SYNTAX)
        else:
            raise FilterError(_SYNTAX)
        self._close()
        return result

    def _ids(self, test: Test, qual: Qual) -> Test:
        """Go on after the first of a list of ids."""
        while self._kind() in ("and", "or"):
            word = self.lexer.take().kind
            right = self._id(qual)
            test = and_(test, right) if word == "and" else or_(test, right)
        return test

    def _value(self, qual: Qual) -> Test:
        """Read a name or an address."""
        token = self.lexer.take()
        text = token.text
        match token.kind:
            case "ID":
                return self.values.name(text, qual)
            case "HID":
                if self._kind() == "/":
                    self.lexer.take()
                    return self.values.network(text, self._expect("NUM").value, qual)
                if self._kind() == "mask":
                    self.lexer.take()
                    return self.values.masked(text, self._expect("HID").text, qual)
                return self.values.address(text, qual)
            case "HID6":
                bits = 128
                if self._kind() == "/":
                    self.lexer.take()
                    bits = self._expect("NUM").value
                return self.values.address6(text, bits, qual)
            case "EID":
                return self.values.ether(text, qual)
            case _:
                return self.values.arcnet(text, qual)

    # -- terms

    def _rterm(self) -> Part:
        """Read a term that begins with none of "not", "("."""
        kind = self._kind()
        if kind in PROTOCOLS:
            self.lexer.take()
            if self._kind() == "[":
                return self._relation(self._index(kind))
            return self._after_protocol(kind)
        if kind in ("NUM", "len", "-"):
            return self._relation(self._operand())
        if kind in other.PRIMITIVES:
            return Part(self._primitive(), NOTHING)
        return self._qualified("", bare=False)

    def _after_protocol(self, proto: str) -> Part:
        return self._qualified(proto, bare=True)

    def _qualified(self, proto: str, *, bare: bool) -> Part:
        """Read what may follow a protocol, or stand without one unless *bare*."""
        kind = self._kind()
        if kind in _DIRECTIONS:
            dir = self._direction()
            address = self.lexer.take().kind if self._kind() in _KINDS else ""
            qual = Qual(proto, dir, address)
            return Part(self._id(qual), qual)
        if kind in _KINDS or kind in _LONE_KINDS:
            qual = Qual(proto, "", self.lexer.take().kind)
            return Part(self._id(qual), qual)
        match kind:
            case "broadcast":
                self.lexer.take()
                return Part(hosts.broadcast(self.link, proto, self.netmask), NOTHING)
            case "multicast":
                self.lexer.take()
                return Part(hosts.multicast(self.link, proto), NOTHING)
            case "type" | "subtype" | "dir":
                return Part(self._wlan(), NOTHING)
        if not bare or kind not in _AFTER_TERM:
            raise FilterError(_SYNTAX)
        return Part(protos.abbreviation(self.link, proto), NOTHING)

    def _direction(self) -> str:
        dir = self.lexer.take().kind
        if dir in ("src", "dst") and self._kind() in ("and", "or"):
            word = self.lexer.take().kind
            self._expect("dst" if dir == "src" else "src")
            return word
        return dir

    def _pnum(self) -> int:
        """Read a number, perhaps in parentheses."""
        if self._kind() == "(":
            self._open()
            value = self._pnum()
            self._close()
            return value
        return self._expect("NUM").value

    def _primitive(self) -> Test:
        """Read one of the primitives that other.py makes, with its operands."""
        word = self.lexer.take().kind
        link = self.link
        match word:
            case "less" | "greater":
                return other.length(self._expect("NUM").value, word)
            case "byte":
                at = self._expect("NUM").value
                op = self.lexer.take().kind
                if op not in ("&", "|", "<", ">", "="):
                    raise FilterError(_SYNTAX)
                return other.byte(link, op, at, self._expect("NUM").value)
            case "inbound" | "outbound":
                return other.direction(link, out=word == "outbound")
            case "ifindex":
                return other.ifindex(link, self._expect("NUM").value)
            case "vlan" | "mpls" | "pppoes" | "geneve":
                number = self._pnum() if self._kind() in ("NUM", "(") else None
                return getattr(encap, word)(link, number)  # type: ignore[no-any-return]
            case "pppoed":
                return encap.pppoed(link)
            case "llc":
                if self._kind() == "ID":
                    return other.llc(link, self.lexer.take().text)
                # `rnr` is a word of pflog too.
                return other.llc(link, self.lexer.take().kind if self._kind() == "rnr" else "")
            case "ifname" | "ruleset":
                return other.pf_name(link, word, self._expect("ID").text)
            case "rnr" | "srnr":
                return other.pf_number(link, word, self._expect("NUM").value)
            case "reason":
                token = self.lexer.take()
                if token.kind not in ("NUM", "ID"):
                    raise FilterError(_SYNTAX)
                return other.pf_reason(link, token.value if token.kind == "NUM" else token.text)
            case "action":
                return other.pf_action(link, self._expect("ID").text)
            case _:
                return self._telephony(word)

    def _telephony(self, word: str) -> Test:
        """Refuse ATM and SS7: their link types are not among those compiled for."""
        if word in other.FIELDS:
            kind = self._kind()
            if kind in _RELATIONS:
                self.lexer.take()
            elif kind == "(":
                self._open()
            self._expect("NUM")
        raise FilterError(other.refusal(word))

    def _wlan(self) -> Test:
        word = self.lexer.take().kind
        token = self.lexer.take()
        if token.kind not in ("NUM", "ID") or (word == "subtype" and token.kind == "NUM"):
            raise FilterError(_SYNTAX)
        name = token.text.lower()
        if word == "dir":
            if token.kind == "NUM":
                return other.wlan_direction(self.link, token.value)
            if name not in wlan.DIRECTIONS:
                raise FilterError("unknown 802.11 direction")
            return other.wlan_direction(self.link, wlan.DIRECTIONS[name])
        if word == "subtype":
            for type_, names in wlan.SUBTYPES.items():
                if name in names:
                    return other.wlan_type(self.link, type_ | names[name], subtype=True)
            raise FilterError("unknown 802.11 type name")
        if token.kind == "NUM":
            type_ = token.value
            if type_ & ~wlan.TYPE_MASK:
                raise FilterError(f"invalid 802.11 type value 0x{type_:02x}")
        elif name in wlan.TYPES:
            type_ = wlan.TYPES[name]
        else:
            raise FilterError(f'unknown 802.11 type name "{token.text}"')
        if self._kind() != "subtype":
            return other.wlan_type(self.link, type_, subtype=False)
        self.lexer.take()
        return other.wlan_type(self.link, type_ | self._subtype(type_), subtype=True)

    def _subtype(self, type_: int) -> int:
        token = self.lexer.take()
        if token.kind == "NUM":
            if token.value & ~wlan.SUBTYPE_MASK:
                raise FilterError(f"invalid 802.11 subtype value 0x{token.value:02x}")
            return token.value
        if token.kind != "ID":
            raise FilterError(_SYNTAX)
        names = wlan.SUBTYPES.get(type_)
        if names is None:
            raise FilterError("unknown 802.11 type")
        subtype = names.get(token.text.lower())
        if subtype is None:
            raise FilterError(f'unknown 802.11 subtype name "{token.text}"')
        return subtype

    # -- arithmetic

    def _relation(self, first: Arith | int) -> Part:
        """Go on after the first operand of a relation."""
        return self._compare(self._operators(self._load(first), _NONE))

    def _compare(self, left: Arith) -> Part:
        relation = _RELATIONS.get(self._kind())
        if relation is None:
            raise FilterError(_SYNTAX)
        self.lexer.take()
        right = self._operators(self._load(self._operand()), _NONE)
        op, reverse = relation
        return Part(arith.relation(self.link, op, left, right, reverse=reverse), NOTHING)

    def _load(self, value: Arith | int) -> Arith:
        return arith.number(self.link, value) if isinstance(value, int) else value

    def _operators(self, left: Arith, bound: int) -> Arith:
        """Read operators and operands that bind tighter than *bound*; _NONE takes all."""
        while (row := _OPERATORS.get(self._kind())) is not None:
            op, tight = row
            if bound != _NONE and tight != _NONE and tight <= bound:
                return left
            self.lexer.take()
            right = self._operators(self._load(self._operand()), tight)
            left = arith.binary(self.link, op, left, right)
        return left

    def _operand(self) -> Arith | int:
        minuses = 0
        while self._kind() == "-":
            self.lexer.take()
            minuses += 1
        value = self._plain_operand()
        for _ in range(minuses):
            value = arith.negative(self._operators(self._load(value), _UNARY))
        return value

    def _plain_operand(self) -> Arith | int:
        token = self.lexer.take()
        if token.kind == "NUM":
            return token.value
        if token.kind == "len":
            return arith.length(self.link)
        if token.kind in PROTOCOLS:
            if self._kind() != "[":
                raise FilterError(_SYNTAX)
            return self._index(token.kind)
        if token.kind != "(":
            raise FilterError(_SYNTAX)
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise FilterError(_TOO_DEEP)
        inside = self._operand()
        if self._kind() != ")":
            inside = self._operators(self._load(inside), _NONE)
        self._close()
        return inside

    def _index(self, proto: str) -> Arith:
        """Read "[" offset [":" size] "]"."""
        self._expect("[")
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise FilterError(_TOO_DEEP)
        index = self._operators(self._load(self._operand()), _NONE)
        size = 1
        if self._kind() == ":":
            self.lexer.take()
            size = self._expect("NUM").value
        self._expect("]")
        self._depth -= 1
        return arith.load(self.link, proto, index, size)
