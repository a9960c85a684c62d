"""Option strings of -d, -p and mount -o: `name=value,name,…`."""

from __future__ import annotations


class BadOption(ValueError):
    """An option has a bad value; the text says which and why."""


def parse(text: str) -> list[tuple[str, str | None]]:
    """Return (name, value) pairs in order; the value is None where there is no `=`.

    >>> parse("speed=100,verbose")
    [('speed', '100'), ('verbose', None)]
    """
    pairs: list[tuple[str, str | None]] = []
    for word in text.split(","):
        if not word:
            continue
        name, equals, value = word.partition("=")
        pairs.append((name, value if equals else None))
    return pairs


def number(name: str, value: str | None, *, low: int = 0, high: int = 0x7FFFFFFF) -> int:
    """Return *value* as strtoul(…, 0) reads it. Raises BadOption.

    >>> number("irq", "0x0b")
    11
    """
    if value is None:
        raise BadOption(f"option {name} needs a value")
    try:
        if len(value) > 1 and value[0] == "0" and value.isdigit():
            result = int(value, 8)
        else:
            result = int(value, 0)
    except ValueError:
        raise BadOption(f"option {name}: bad number '{value}'") from None
    if not low <= result <= high:
        raise BadOption(f"option {name}: {value} is out of range {low}-{high}")
    return result


def mac(name: str, value: str | None) -> bytes:
    """Return the six octets of twelve hex digits. Raises BadOption for others and for groups."""
    if value is None or len(value) != 12:
        raise BadOption(f"option {name} needs 12 hex digits")
    try:
        octets = bytes.fromhex(value)
    except ValueError:
        raise BadOption(f"option {name} needs 12 hex digits") from None
    if len(octets) != 6 or octets[0] & 1 or octets == b"\0" * 6:
        raise BadOption(f"option {name}: {value} is not a station address")
    return octets
