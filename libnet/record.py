"""Plain records: the structs that travel in ioctls and messages.

`dataclasses` costs a third of a millisecond a class at import; a command that needs forty structs
would spend its whole start-up budget on them. A Struct is declared the same way and costs
microseconds.
"""

from __future__ import annotations

from typing import Any, ClassVar, dataclass_transform

_STRUCTS: dict[str, type[Struct]] = {}


@dataclass_transform(eq_default=True)
class Struct:
    """A mutable record: annotated names are its fields, class values their defaults.

    A subclass must be declared in a module that has `from __future__ import annotations`; the
    annotation's text is the type that the RPC decoder checks ("int", "str", "bytes", "bool",
    "list[int]", "Sockaddr", "X | None", …). Names are unique over the program: the name is the tag
    on the wire.
    """

    _fields: ClassVar[tuple[str, ...]] = ()
    _types: ClassVar[tuple[str, ...]] = ()
    _defaults: ClassVar[dict[str, Any]] = {}
    _copied: ClassVar[tuple[str, ...]] = ()  # fields whose default is a list

    def __init_subclass__(cls) -> None:
        own = {
            name: kind
            for name, kind in cls.__annotations__.items()
            if not str(kind).startswith("ClassVar")
        }
        cls._fields = cls._fields + tuple(own)
        # A field called `list` hides the type: its neighbours say builtins.list.
        cls._types = cls._types + tuple(str(k).removeprefix("builtins.") for k in own.values())
        cls._defaults = cls._defaults | {n: cls.__dict__[n] for n in own if n in cls.__dict__}
        cls._copied = tuple(n for n, v in cls._defaults.items() if type(v) is list)
        if cls.__name__ in _STRUCTS and _STRUCTS[cls.__name__].__module__ != cls.__module__:
            raise TypeError(f"struct {cls.__name__} is declared twice")
        _STRUCTS[cls.__name__] = cls

    def __init__(self, *args: Any, **kw: Any) -> None:
        fields = self._fields
        if len(args) > len(fields):
            raise TypeError(f"{type(self).__name__} takes {len(fields)} fields")
        table = self.__dict__
        table.update(self._defaults)
        for name in self._copied:
            table[name] = table[name][:]
        table.update(zip(fields, args, strict=False))
        if kw:
            known = fields[len(args) :] if args else self._defaults
            for name in kw:
                if name not in known and name not in fields[len(args) :]:
                    raise TypeError(f"{type(self).__name__} has no {name}")
            table.update(kw)
        if len(table) < len(fields):
            lacking = next(name for name in fields if name not in table)
            raise TypeError(f"{type(self).__name__} lacks {lacking}")

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, n) == getattr(other, n) for n in self._fields)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        body = ", ".join(f"{n}={getattr(self, n)!r}" for n in self._fields)
        return f"{type(self).__name__}({body})"


def struct_named(name: str) -> type[Struct] | None:
    """Return the struct declared under *name*, or None."""
    return _STRUCTS.get(name)
