"""AODV (RFC 3561), and its version for IPv6."""

from __future__ import annotations

from typing import Final

from libnet.text.dump.ndo import Ndo, need, u4

_REQUEST_FLAGS: Final = ((0x80, "[J]"), (0x40, "[R]"), (0x20, "[G]"), (0x10, "[D]"), (0x08, "[U]"))
_REPLY_FLAGS: Final = ((0x80, "[R]"), (0x40, "[A]"))
_HELLO: Final = 1


def aodv_print(ndo: Ndo, b: bytes, o: int, length: int, v6: bool) -> None:
    """Print a message that came over IPv4, or with *v6* over IPv6."""
    ndo.protocol = "aodv"
    p = ndo.p
    kind = b[o]
    p(" aodv")
    if kind == 1:
        _request(ndo, b, o, length, " v6" if v6 else "", 16 if v6 else 4)
    elif kind == 2:
        _reply(ndo, b, o, length, 16 if v6 else 4)
    elif kind == 3:
        _error(ndo, b, o, length, 16 if v6 else 4)
    elif kind in (4, 19):
        p(f" rrep-ack {length}")
    elif kind == 16:
        _draft_request(ndo, b, o, length)
    elif kind == 17:
        _draft_reply(ndo, b, o, length)
    elif kind == 18:
        _error(ndo, b, o, length, 16)
    else:
        p(f" type {kind} {length}")


def _addr(ndo: Ndo, b: bytes, o: int, width: int) -> str:
    return ndo.ipaddr(b, o) if width == 4 else ndo.ip6addr(b, o)


def _flags(words: tuple[tuple[int, str], ...], value: int) -> str:
    """Return flags; the original looks for them in the type of the message, not beside it."""
    return "".join([word for bit, word in words if value & bit]) + " "


def _request(ndo: Ndo, b: bytes, o: int, length: int, name: str, width: int) -> None:
    size = 16 + 2 * width
    need(b, o, size)
    if length < size:
        ndo.longjmp()
    source = o + 12 + width
    flags = _flags(_REQUEST_FLAGS, b[o])
    ndo.p(
        f"{name} rreq {length} {flags}hops {b[o + 3]} id 0x{u4(b, o + 4):08x}"
        f"\n\tdst {_addr(ndo, b, o + 8, width)} seq {u4(b, o + 8 + width)} "
        f"src {_addr(ndo, b, source, width)} seq {u4(b, source + width)}"
    )
    _extension(ndo, b, o + size, length - size)


def _reply(ndo: Ndo, b: bytes, o: int, length: int, width: int) -> None:
    size = 12 + 2 * width
    need(b, o, size)
    if length < size:
        ndo.longjmp()
    source = o + 8 + width
    flags = _flags(_REPLY_FLAGS, b[o])
    ndo.p(
        f" rrep {length} {flags}prefix {b[o + 2] & 0x1F} hops {b[o + 3]}"
        f"\n\tdst {_addr(ndo, b, o + 4, width)} dseq {u4(b, o + 4 + width)} "
        f"src {_addr(ndo, b, source, width)} {u4(b, source + width)} ms"
    )
    _extension(ndo, b, o + size, length - size)


def _draft_request(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    """Print a request as the first draft for IPv6 had it: sequence numbers, then addresses."""
    need(b, o, 48)
    if length < 48:
        ndo.longjmp()
    ndo.p(
        f" rreq {length} {_flags(_REQUEST_FLAGS, b[o])}hops {b[o + 3]} id 0x{u4(b, o + 4):08x}"
        f"\n\tdst {ndo.ip6addr(b, o + 16)} seq {u4(b, o + 8)} "
        f"src {ndo.ip6addr(b, o + 32)} seq {u4(b, o + 12)}"
    )
    _extension(ndo, b, o + 48, length - 48)


def _draft_reply(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    """Print a reply as the first draft for IPv6 had it."""
    need(b, o, 44)
    if length < 44:
        ndo.longjmp()
    ndo.p(
        f" rrep {length} {_flags(_REPLY_FLAGS, b[o])}prefix {b[o + 2] & 0x7F} hops {b[o + 3]}"
        f"\n\tdst {ndo.ip6addr(b, o + 8)} dseq {u4(b, o + 4)} "
        f"src {ndo.ip6addr(b, o + 24)} {u4(b, o + 40)} ms"
    )
    _extension(ndo, b, o + 44, length - 44)


def _extension(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    p = ndo.p
    if length <= 0:
        return
    need(b, o, 2)
    if length < 2:
        ndo.longjmp()
    kind, size = b[o], b[o + 1]
    if kind != _HELLO:
        p(f"\n\text {kind} {size}")
        return
    if length < 6:
        ndo.longjmp()
    if size < 4:
        p(f"\n\text HELLO - bad length {size}")
        return
    p(f"\n\text HELLO {u4(b, o + 2)} ms")


def _error(ndo: Ndo, b: bytes, o: int, length: int, width: int) -> None:
    need(b, o, 4)
    count = b[o + 3]
    ndo.p(f" rerr {'[D]' if b[o + 1] & 0x80 else ''} [items {count}] [{length}]:")
    at, left = o + 4, length - 4
    for _ in range(count):
        if left < width + 4:
            ndo.longjmp()
        need(b, at, width + 4)
        ndo.p(f" {{{_addr(ndo, b, at, width)}}}({u4(b, at + width)})")
        at += width + 4
        left -= width + 4
