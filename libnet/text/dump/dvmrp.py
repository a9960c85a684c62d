"""DVMRP (RFC 1075 and what mrouted made of it), which mrinfo speaks too."""

from __future__ import annotations

from typing import Final

from libnet.text.dump.ndo import Ndo, need, relts, tok2str, u3, u4

_TYPES: Final = {
    1: "Probe", 2: "Report", 3: "Ask-neighbors(old)", 4: "Neighbors(old)", 5: "Ask-neighbors2",
    6: "Neighbors2", 7: "Prune", 8: "Graft", 9: "Graft-ACK",
}  # fmt: skip
_NEIGHBOR_FLAGS: Final = (
    (0x01, "/tunnel"), (0x02, "/srcrt"), (0x40, "/querier"), (0x20, "/disabled"),
    (0x10, "/down"),
)  # fmt: skip


class _Bad(Exception):
    """The message ends in the middle of something."""


def dvmrp_print(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    """Print a message whose IGMP header is at *o*."""
    ndo.protocol = "dvmrp"
    p = ndo.p
    if length < 8:
        p(f" [length {length} < 8]")
        ndo.invalid()
        return
    kind = b[o + 1]
    p(f" {tok2str(_TYPES, '[type %u]', kind)}")
    at, left = o + 8, length - 8
    try:
        if kind == 1 and ndo.vflag:
            _probe(ndo, b, at, left)
        elif kind == 2 and ndo.vflag > 1:
            _report(ndo, b, at, left)
        elif kind == 4:
            _neighbors(ndo, b, at, left)
        elif kind == 6:
            level = u4(b, o + 4)
            p(f" (v {level & 0xFF}.{level >> 8 & 0xFF}):")
            _neighbors2(ndo, b, at, left)
        elif kind in (7, 8, 9):
            p(f" src {ndo.ipaddr(b, at)} grp {ndo.ipaddr(b, at + 4)}")
            if kind == 7:
                p(" timer ")
                p(relts(u4(b, at + 8)))
    except _Bad:
        ndo.invalid()


def _enough(ndo: Ndo, left: int, least: int, word: str = "length") -> None:
    if left < least:
        ndo.p(f" [{word} {left} < {least}]")
        raise _Bad


def _probe(ndo: Ndo, b: bytes, at: int, left: int) -> None:
    p = ndo.p
    _enough(ndo, left, 4, "full length")
    p("\n\t" if ndo.vflag > 1 else " ")
    p(f"genid {u4(b, at)}")
    if ndo.vflag <= 1:
        return
    at += 4
    left -= 4
    while left > 0:
        if left < 4:
            p(f"[remaining length {left} < 4]")
            raise _Bad
        p(f"\n\tneighbor {ndo.ipaddr(b, at)}")
        at += 4
        left -= 4


def _report(ndo: Ndo, b: bytes, at: int, left: int) -> None:
    p = ndo.p
    while left > 0:
        _enough(ndo, left, 3)
        mask = 0xFF000000 | u3(b, at)
        width = 4 if b[at + 2] else 3 if b[at + 1] else 2 if b[at] else 1
        p(f"\n\tMask {ndo.ipaddr(mask.to_bytes(4, 'big'), 0)}")
        at += 3
        left -= 3
        done = False
        while not done:
            if left < width + 1:
                p("\n\t  [Truncated Report]")
                raise _Bad
            need(b, at, width + 1)
            origin = b[at : at + width].ljust(4, b"\0")
            metric = b[at + width]
            p(f"\n\t  {ndo.ipaddr(origin, 0)} metric {metric & 0x7F}")
            done = bool(metric & 0x80)
            at += width + 1
            left -= width + 1


def _neighbors(ndo: Ndo, b: bytes, at: int, left: int) -> None:
    p = ndo.p
    while left > 0:
        _enough(ndo, left, 7)
        need(b, at, 7)
        local, metric, threshold, count = at, b[at + 4], b[at + 5], b[at + 6]
        at += 7
        left -= 7
        for _ in range(count):
            _enough(ndo, left, 4)
            p(f" [{ndo.ipaddr(b, local)} ->")
            p(f" {ndo.ipaddr(b, at)}, ({metric}/{threshold})]")
            at += 4
            left -= 4


def _neighbors2(ndo: Ndo, b: bytes, at: int, left: int) -> None:
    p = ndo.p
    while left > 0:
        _enough(ndo, left, 8)
        need(b, at, 8)
        local, metric, threshold, flags, count = at, b[at + 4], b[at + 5], b[at + 6], b[at + 7]
        at += 8
        left -= 8
        while count > 0 and left > 0:
            if left < 4:
                _enough(ndo, left, 4)
            p(f" [{ndo.ipaddr(b, local)} -> ")
            p(f"{ndo.ipaddr(b, at)} ({metric}/{threshold}")
            p("".join([word for bit, word in _NEIGHBOR_FLAGS if flags & bit]))
            p(")]")
            at += 4
            left -= 4
            count -= 1
        if count > 0:
            p(" [invalid ncount]")
            raise _Bad
