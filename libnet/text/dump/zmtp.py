"""ZeroMQ's framing, version 1.0 (-T zmtp1)."""

from __future__ import annotations

from typing import Final

from libnet.text.dump.ndo import Ndo, need, u8

_BODY: Final = 127
_MORE: Final = 0x01


def zmtp1_print(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    """Print the frames in *length* octets of a connection."""
    ndo.protocol = "zmtp1"
    ndo.p(": ZMTP/1.0")
    end = min(len(b), o + length)
    while o < end:
        o = _frame(ndo, b, o, end)


def _frame(ndo: Ndo, b: bytes, o: int, end: int) -> int:
    """Print a frame; return where the next one is."""
    p = ndo.p
    p("\n\t")
    if b[o] != 0xFF:
        header, size = 1, b[o]
        p(f" frame flags+body  (8-bit) length {size}")
    else:
        p(" frame flags+body (64-bit) length")
        need(b, o, 9)
        header, size = 9, u8(b, o + 1)
        p(f" {size}")
    have = end - o - header
    if size == 0:
        ndo.invalid_rest(b, o, end - o)
        return end
    shown = size
    if size > have:
        p(f" ({have} captured)")
        shown = have
        if have <= 0:
            return end
    need(b, o + header, 1)
    flags = b[o + header]
    p(f", flags 0x{flags:02x}")
    if ndo.vflag:
        words = ["MBZ" if flags & 0x80 >> i else "-" for i in range(7)]
        words.append("MORE" if flags & _MORE else "-")
        p(f" ({'|'.join(words)})")
        body = shown - 1
        if body > 0:
            p(f", first {min(body, _BODY + 1) if ndo.vflag == 1 else body} byte(s) of body:")
            ndo.hex_and_ascii_print(
                "\n\t ", b, o + header + 1, min(body, _BODY + 1) if ndo.vflag == 1 else body
            )
    if size > have:
        ndo.longjmp()
    return o + header + size
