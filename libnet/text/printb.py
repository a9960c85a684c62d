"""Flag words as the BSD tools print them."""

from __future__ import annotations

from collections.abc import Iterable


def printb(label: str, value: int, bits: Iterable[tuple[int, str]]) -> str:
    """Return 'label=hex<NAME,NAME>', names in table order, unknown bits only in the number.

    >>> printb("flags", 0x8843, [(1, "UP"), (2, "BROADCAST"), (0x40, "RUNNING")])
    'flags=8843<UP,BROADCAST,RUNNING>'
    """
    return f"{label}={snprintb(value, bits)}"


def snprintb(value: int, bits: Iterable[tuple[int, str]]) -> str:
    """Return 'hex<NAME,NAME>', or just '0' for no bits (ifconfig's form).

    >>> snprintb(0, [(1, "UP")]), snprintb(1, [(1, "UP")])
    ('0', '1<UP>')
    """
    if not value:
        return "0"
    return f"{value:x}<{','.join(name for bit, name in bits if value & bit)}>"
