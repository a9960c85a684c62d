"""TFTP (RFC 1350, options RFC 2347)."""

from __future__ import annotations

from typing import Final

from libnet.text.dump.ndo import Ndo, tok2str, u2

_OPS: Final = {1: "RRQ", 2: "WRQ", 3: "DATA", 4: "ACK", 5: "ERROR", 6: "OACK"}
_ERRORS: Final = {
    0: "EUNDEF", 1: "ENOTFOUND", 2: "EACCESS", 3: "ENOSPACE", 4: "EBADOP", 5: "EBADID",
    6: "EEXISTS", 7: "ENOUSER",
}  # fmt: skip


class _Cut(Exception):
    """A text has no end."""


def tftp_print(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    """Print a packet."""
    ndo.protocol = "tftp"
    ndo.p(f"TFTP, length {length}")
    try:
        _body(ndo, b, o, length)
    except _Cut:
        ndo.trunc()


def _text(ndo: Ndo, b: bytes, o: int, length: int) -> int:
    took = ndo.printztn(b, o, length, len(b))
    if took == 0:
        raise _Cut
    return took


def _quoted(ndo: Ndo, b: bytes, o: int, length: int) -> int:
    if length == 0:
        raise _Cut
    ndo.p(' "')
    took = ndo.printztn(b, o, length, len(b))
    ndo.p('"')
    if took == 0:
        raise _Cut
    return took


def _options(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    while length:
        if b[o] != 0:
            ndo.p(" ")
        took = _text(ndo, b, o, length)
        o += took
        length -= took


def _body(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    p = ndo.p
    if length < 2:
        raise _Cut
    op = u2(b, o)
    p(f", {tok2str(_OPS, 'tftp-#%u', op)}")
    o += 2
    length -= 2
    if op in (1, 2):
        took = _quoted(ndo, b, o, length)
        o += took
        length -= took
        if length == 0:
            raise _Cut
        p(" ")
        took = _text(ndo, b, o, length)
        _options(ndo, b, o + took, length - took)
    elif op == 6:
        _options(ndo, b, o, length)
    elif op in (3, 4):
        if length < 2:
            raise _Cut
        p(f" block {u2(b, o)}")
    elif op == 5:
        if length < 2:
            raise _Cut
        # The quote after an unknown number is the original's.
        code = tok2str(_ERRORS, 'tftp-err-#%u "', u2(b, o))
        p(f" {code}")
        _quoted(ndo, b, o + 2, length - 2)
