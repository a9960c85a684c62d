"""Cisco's NetFlow, versions 1, 5 and 6 (-T cnfp)."""

from __future__ import annotations

from typing import Final

from libnet.text.dump.ndo import Ndo, need, u2, u4
from libnet.text.dump.numbers import protoname

_HEADERS: Final = {1: 16, 5: 24, 6: 24}
_RECORDS: Final = {1: 48, 5: 52, 6: 52}
_TCP_FLAGS: Final = ((1, "F"), (2, "S"), (4, "R"), (8, "P"), (16, "A"), (32, "U"))
_TCP: Final = 6


def _since(ms: int) -> str:
    return f"{ms // 1000}.{ms % 1000:03d}"


def cnfp_print(ndo: Ndo, b: bytes, o: int, _length: int) -> None:
    """Print an export packet."""
    ndo.protocol = "cnfp"
    p = ndo.p
    # The number of records is looked for two octets before where it is, and twice as wide.
    version, count = u2(b, o), u4(b, o + 2)
    if version not in _HEADERS:
        p(f"NetFlow v{version:x}")
        return
    need(b, o, _HEADERS[version])
    p(f"NetFlow v{version:x}, {_since(u4(b, o + 4))} uptime, {u4(b, o + 8)}.{u4(b, o + 12):09d}, ")
    if version > 1:
        p(f"#{u4(b, o + 16)}, ")
    p(f"{count:2d} recs")
    o += _HEADERS[version]
    while count > 0:
        need(b, o, _RECORDS[version])
        _record(ndo, b, o, version)
        o += _RECORDS[version]
        count -= 1


def _record(ndo: Ndo, b: bytes, o: int, version: int) -> None:
    p = ndo.p
    p(f"\n  started {_since(u4(b, o + 24))}, last {_since(u4(b, o + 28))}")
    ends = []
    for addr, mask, number, port in ((0, 44, 40, 32), (4, 45, 42, 34)):
        more = f"/{b[o + mask]}:{u2(b, o + number)}" if version > 1 else ""
        ends.append(f"{ndo.ipaddr(b, o + addr)}{more}:{u2(b, o + port)}")
    p(f"\n    {ends[0]} > {ends[1]} >> {ndo.ipaddr(b, o + 8)}\n    ")
    proto = b[o + 38]
    name = None if ndo.nflag else protoname(proto)
    p(f"{name or proto} ")
    if proto == _TCP:
        flags = b[o + (40 if version == 1 else 37)]
        p("".join([word for bit, word in _TCP_FLAGS if flags & bit]))
        p(" " if flags else "")
    p(f"tos {b[o + 39]}, {u4(b, o + 16)} ({u4(b, o + 20)} octets) ")
    if version == 6:
        p(f"({b[o + 46]}<>{b[o + 47]} encaps)")
