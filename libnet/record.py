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

    def __init_subclass__(cls) -> None:
        own = {
            name: kind
            for name, kind in cls.__annotations__.items()
            if not str(kind).startswith("ClassVar")
        }
        cls._fields = cls._fields + tuple(own)
        cls._types = cls._types + tuple(str(kind) for kind in own.values())
        cls._defaults = cls._defaults | {n: cls.__dict__[n] for n in own if n in cls.__dict__}
        if cls.__name__ in _STRUCTS and _STRUCTS[cls.__name__].__module__ != cls.__module__:
            raise TypeError(f"struct {cls.__name__} is declared twice")
        _STRUCTS[cls.__name__] = cls

    def __init__(self, *args: Any, **kw: Any) -> None:
        fields = self._fields
        if len(args) > len(fields):
            raise TypeError(f"{type(self).__name__} takes {len(fields)} fields")
        for name, value in zip(fields, args, strict=False):
            setattr(self, name, value)
        for name in fields[len(args) :]:
            if name in kw:
                setattr(self, name, kw.pop(name))
            elif name in self._defaults:
                value = self._defaults[name]
                setattr(self, name, value[:] if type(value) is list else value)
            else:
                raise TypeError(f"{type(self).__name__} lacks {name}")
        if kw:
            raise TypeError(f"{type(self).__name__} has no {next(iter(kw))}")

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
