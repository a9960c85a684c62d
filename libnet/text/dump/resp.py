"""RESP, the protocol of Redis."""

from __future__ import annotations

from typing import Final

from libnet.text.dump.ndo import Ndo, Trunc, shown

_MAX_LENGTH: Final = 0x7FFFFFFF
_MAX_DEPTH: Final = 128


def resp_print(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    """Print the values in *length* octets of a connection; many may follow one another."""
    ndo.protocol = "resp"
    ndo.p(": RESP")
    data = b[o : o + length]
    at = 0
    while at < length:
        at = _value(ndo, data, at, 0)


def _line(data: bytes, at: int) -> tuple[bytes, int]:
    """Return what is before the next CR LF and where the octet behind that is; raises Trunc."""
    end = data.find(b"\r\n", at)
    if end < 0:
        raise Trunc
    return data[at:end], end + 2


def _value(ndo: Ndo, data: bytes, at: int, depth: int) -> int:
    """Print a value; return where the next one starts; raises Trunc."""
    if at >= len(data) or depth > _MAX_DEPTH:
        raise Trunc
    kind = data[at : at + 1]
    if kind in (b"+", b"-", b":"):
        text, at = _line(data, at + 1)
        ndo.p(f' "{shown(text)}"')
        return at
    if kind == b"$":
        return _bulk(ndo, data, at + 1)
    if kind == b"*":
        return _array(ndo, data, at + 1, depth)
    return _inline(ndo, data, at)


def _inline(ndo: Ndo, data: bytes, at: int) -> int:
    """Print a command that a person typed, on a line of its own."""
    while data[at : at + 1] in (b"\r", b"\n"):
        at += 1
    end = at
    while end < len(data) and data[end] not in b"\r\n":
        end += 1
    if end == len(data):
        raise Trunc
    ndo.p(f' "{shown(data[at:end])}"')
    while data[end : end + 1] in (b"\r", b"\n"):
        end += 1
    return end


def _length(ndo: Ndo, data: bytes, at: int) -> tuple[int | None, int]:
    """Return a length, None after a complaint, and where the octet behind it is; raises Trunc."""
    p = ndo.p
    if at >= len(data):
        raise Trunc
    negative = data[at : at + 1] == b"-"
    if negative:
        at += 1
    value, large, digits = 0, False, 0
    while True:
        if at >= len(data):
            raise Trunc
        c = data[at]
        at += 1
        if not 0x30 <= c <= 0x39:
            break
        digits += 1
        value = value * 10 + c - 0x30
        large = large or value > _MAX_LENGTH
    if c != 0x0D or at >= len(data) or data[at] != 0x0A or not digits:
        if at >= len(data) and c == 0x0D:
            raise Trunc
        p(" invalid")
        return None, at
    at += 1
    if negative and value != 1:
        p(" length negative and not -1")
        return None, at
    if large:
        p(" length too large")
        return None, at
    return (-1 if negative else value), at


def _bulk(ndo: Ndo, data: bytes, at: int) -> int:
    size, at = _length(ndo, data, at)
    if size is None:
        return at
    if size == -1:
        ndo.p(" null")
        return at
    if size == 0:
        ndo.p(" empty")
    else:
        if at + size > len(data):
            raise Trunc
        ndo.p(f' "{shown(data[at : at + size])}"')
    return _line(data, at + size)[1]


def _array(ndo: Ndo, data: bytes, at: int, depth: int) -> int:
    count, at = _length(ndo, data, at)
    if count is None:
        return at
    if count <= 0:
        ndo.p(" null" if count else " empty")
        return at
    for _ in range(count):
        at = _value(ndo, data, at, depth + 1)
    return at
