"""Values to octets and back: the one codec of every RPC message.

A value is None, a bool, an int, a float, bytes, str, a list, a dict with str keys, or a
`libnet.record.Struct`. Decoding is strict: unknown tags, struct names, field types, trailing
octets, too deep nesting and counts beyond the message raise BadMessage and nothing else.

Of a struct only the fields that differ from their defaults travel, after a bit for each field, the
first one lowest: a rule of the packet filter has 70 fields and says something in ten of them.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct as Packer
from struct import error as StructError
from typing import Any, Final

from libnet.record import Struct, struct_named

MAX_DEPTH: Final = 12
MAX_BIGINT: Final = 64  # octets; an IPv6 address and a 64-bit counter both fit

_Q = Packer("!q")
_D = Packer("!d")
_L = Packer("!I")


class BadMessage(ValueError):
    """The octets are not a message of this codec."""


def encode(value: Any) -> bytes:
    """Return the octets of *value*; TypeError if it is of no kind listed above.

    >>> decode(encode([1, "wm0", b"x", None, {"a": True}]))
    [1, 'wm0', b'x', None, {'a': True}]
    """
    out = bytearray()
    _encode(out, value, 0)
    return bytes(out)


def _encode(out: bytearray, value: Any, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise TypeError("nested too deep")
    kind = type(value)
    if value is None:
        out += b"N"
    elif kind is bool:
        out += b"T" if value else b"F"
    elif isinstance(value, int):
        if -(1 << 63) <= value < 1 << 63:
            out += b"i" + _Q.pack(value)
        else:
            raw = int(value).to_bytes(value.bit_length() // 8 + 1, "big", signed=True)
            out += b"I" + _L.pack(len(raw)) + raw
    elif kind is str:
        raw = value.encode("utf-8", "surrogateescape")
        out += b"s" + _L.pack(len(raw)) + raw
    elif isinstance(value, bytes | bytearray | memoryview):
        out += b"b" + _L.pack(len(value)) + value
    elif kind is float:
        out += b"d" + _D.pack(value)
    elif isinstance(value, list | tuple):
        out += b"l" + _L.pack(len(value))
        for item in value:
            _encode(out, item, depth + 1)
    elif kind is dict:
        out += b"m" + _L.pack(len(value))
        for key, item in value.items():
            if type(key) is not str:
                raise TypeError("keys are str")
            _encode(out, key, depth + 1)
            _encode(out, item, depth + 1)
    elif isinstance(value, Struct):
        plan = _PLANS.get(kind) or _plan(kind)
        out += plan.head
        at = len(out)
        out += plan.room
        bits, bit = 0, 1
        table = value.__dict__
        for field, default in plan.fields:
            item = table[field]
            if item is not default and (item != default or type(item) is not type(default)):
                bits |= bit
                _encode(out, item, depth + 1)
            bit <<= 1
        out[at : at + len(plan.room)] = bits.to_bytes(len(plan.room), "little")
    else:
        raise TypeError(f"cannot encode {kind.__name__}")


def decode(octets: bytes) -> Any:
    """Return the one value in *octets*. Raises BadMessage."""
    try:
        value, pos = _decode(octets, 0, 0)
    except (StructError, IndexError, UnicodeDecodeError) as exc:
        raise BadMessage(str(exc)) from None
    if pos != len(octets):
        raise BadMessage("octets left over")
    return value


def _take(octets: bytes, pos: int) -> tuple[bytes, int]:
    (size,) = _L.unpack_from(octets, pos)
    pos += 4
    if size > len(octets) - pos:
        raise BadMessage("length beyond the message")
    return octets[pos : pos + size], pos + size


def _decode(octets: bytes, pos: int, depth: int) -> tuple[Any, int]:
    if depth > MAX_DEPTH:
        raise BadMessage("nested too deep")
    tag = octets[pos]
    pos += 1
    if tag == 0x69:  # i
        return _Q.unpack_from(octets, pos)[0], pos + 8
    if tag == 0x73:  # s
        raw, pos = _take(octets, pos)
        return raw.decode("utf-8", "surrogateescape"), pos
    if tag == 0x62:  # b
        return _take(octets, pos)
    if tag == 0x4E:  # N
        return None, pos
    if tag == 0x54:  # T
        return True, pos
    if tag == 0x46:  # F
        return False, pos
    if tag == 0x53:  # S
        return _decode_struct(octets, pos, depth)
    if tag == 0x6C:  # l
        (count,) = _L.unpack_from(octets, pos)
        pos += 4
        if count > len(octets) - pos:
            raise BadMessage("count beyond the message")
        items = []
        for _ in range(count):
            item, pos = _decode(octets, pos, depth + 1)
            items.append(item)
        return items, pos
    if tag == 0x6D:  # m
        (count,) = _L.unpack_from(octets, pos)
        pos += 4
        if count > len(octets) - pos:
            raise BadMessage("count beyond the message")
        table: dict[str, Any] = {}
        for _ in range(count):
            key, pos = _decode(octets, pos, depth + 1)
            if type(key) is not str:
                raise BadMessage("keys are str")
            table[key], pos = _decode(octets, pos, depth + 1)
        return table, pos
    if tag == 0x64:  # d
        return _D.unpack_from(octets, pos)[0], pos + 8
    if tag == 0x49:  # I
        raw, pos = _take(octets, pos)
        if len(raw) > MAX_BIGINT:
            raise BadMessage("integer too long")
        return int.from_bytes(raw, "big", signed=True), pos
    raise BadMessage(f"unknown tag {tag:#x}")


class _Plan:
    """How values of one struct are encoded.

    head    tag, name and number of fields         room  as many octets as the bits take
    fields  names with defaults that may stay behind; a list or a struct is not shared that way
    """

    __slots__ = ("fields", "head", "room")

    def __init__(self, cls: type[Struct]) -> None:
        name = cls.__name__.encode()
        self.head = b"S" + bytes((len(name),)) + name + bytes((len(cls._fields),))
        self.room = bytes(len(cls._fields) + 7 >> 3)
        defaults = ((field, cls._defaults.get(field, _ALWAYS)) for field in cls._fields)
        self.fields = [(f, _ALWAYS if isinstance(d, Struct) else d) for f, d in defaults]


_ALWAYS: Final = object()  # differs from every value
_PLANS: Final[dict[type[Struct], _Plan]] = {}


def _plan(cls: type[Struct]) -> _Plan:
    plan = _PLANS[cls] = _Plan(cls)
    return plan


def _decode_struct(octets: bytes, pos: int, depth: int) -> tuple[Struct, int]:
    size = octets[pos]
    name = octets[pos + 1 : pos + 1 + size].decode()
    pos += 1 + size
    count = octets[pos]
    pos += 1
    cls = struct_named(name)
    if cls is None or count != len(cls._fields):
        raise BadMessage(f"no struct {name!r} of {count} fields")
    room = count + 7 >> 3
    bits = int.from_bytes(octets[pos : pos + room], "little")
    pos += room
    if bits >> count:
        raise BadMessage(f"{name} has no so many fields")
    checks = _checks(cls)
    values = {}
    while bits:
        field, check = checks[(bits & -bits).bit_length() - 1]
        bits &= bits - 1
        value, pos = _decode(octets, pos, depth + 1)
        if not check(value):
            raise BadMessage(f"a field of {name} has the wrong type")
        values[field] = value
    try:
        return cls(**values), pos
    except TypeError as exc:  # a field without a default is missing
        raise BadMessage(str(exc)) from None


_CHECKS: Final[dict[type[Struct], list[tuple[str, Callable[[Any], bool]]]]] = {}


def _checks(cls: type[Struct]) -> list[tuple[str, Callable[[Any], bool]]]:
    got = _CHECKS.get(cls)
    if got is None:
        kinds = [_check(kind) for kind in cls._types]
        got = _CHECKS[cls] = list(zip(cls._fields, kinds, strict=True))
    return got


def _check(kind: str) -> Callable[[Any], bool]:
    """Return what tells whether a value is of the annotated *kind*."""
    if " | " in kind:
        either = [_check(part.strip()) for part in kind.split(" | ")]
        return lambda v: any(c(v) for c in either)
    if kind == "None":
        return lambda v: v is None
    if kind == "Any":
        return lambda _v: True
    if kind == "Struct":
        return lambda v: isinstance(v, Struct)
    if kind.startswith("list[") and kind.endswith("]"):
        item = _check(kind[5:-1])
        return lambda v: type(v) is list and all(map(item, v))
    if kind.startswith("dict[str, ") and kind.endswith("]"):
        item = _check(kind[10:-1])
        return lambda v: type(v) is dict and all(map(item, v.values()))
    if kind == "float":
        return lambda v: type(v) in (int, float)
    simple = {"int": int, "str": str, "bytes": bytes, "bool": bool}.get(kind)
    if simple is not None:
        return lambda v: type(v) is simple

    def struct(value: Any) -> bool:
        cls = struct_named(kind)
        return cls is not None and isinstance(value, cls)

    return struct
