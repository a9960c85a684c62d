"""RIP (RFC 1058, RFC 2453) and RIPng (RFC 2080)."""

from __future__ import annotations

from typing import Final

from libnet.text.dump.ndo import Ndo, mask2plen, tok2str, u2, u4
from libnet.text.dump.numbers import BSD_FAMILIES

_COMMANDS: Final = {
    1: "Request", 2: "Response", 3: "Trace on", 4: "Trace off", 5: "Poll", 6: "Poll Entry",
}  # fmt: skip
_ROUTELEN: Final = 20


def rip_print(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    """Print a packet of RIP."""
    ndo.protocol = "rip"
    p = ndo.p
    left = min(len(b) - o, length)
    if left < 4:
        ndo.trunc()
        return
    left -= 4
    command, version = b[o], b[o + 1]
    p(f"\n\tRIPv{version}" if ndo.vflag else f"RIPv{version}")
    if version == 0:
        ndo.unknown_data(b, o, "\n\t", length)
        return
    p(f", {tok2str(_COMMANDS, 'unknown command (%u)', command)}, length: {length}")
    if not ndo.vflag:
        return
    if command in (1, 2):
        if version in (1, 2):
            p(f", routes: {length // _ROUTELEN}{' or less' if version == 2 else ''}")
            _entries(ndo, b, o + 4, left, version)
        else:
            p(", unknown version")
    elif command not in (4, 5, 6) and ndo.vflag <= 1:
        ndo.unknown_data(b, o, "\n\t", length)
    if ndo.vflag > 1:
        ndo.unknown_data(b, o, "\n\t", length)


def _entries(ndo: Ndo, b: bytes, o: int, left: int, version: int) -> None:
    while left:
        took = (_entry1 if version == 1 else _entry2)(ndo, b, o, left)
        if took == 0:
            ndo.trunc()
            return
        if left < took:
            ndo.p(f" [remaining entries length {left} < {took}]")
            ndo.invalid()
            return
        o += took
        left -= took


def _entry1(ndo: Ndo, b: bytes, o: int, left: int) -> int:
    if left < _ROUTELEN or o + _ROUTELEN > len(b):
        return 0
    family = u2(b, o)
    if family not in (0, 2):
        ndo.p(f"\n\t AFI {tok2str(BSD_FAMILIES, 'Unknown (%u)', family)}, ")
        ndo.unknown_data(b, o + 4, "\n\t  ", _ROUTELEN - 4)
    elif u2(b, o + 2) or u4(b, o + 8) or u4(b, o + 12):
        # Fields that must be zero are not: RFC 1058 section 3.4 has such an entry ignored.
        ndo.unknown_data(b, o, "\n\t  ", _ROUTELEN)
    else:
        afi = "AFI 0, " if family == 0 else ""
        ndo.p(f"\n\t  {afi}{ndo.ipaddr(b, o + 4)}, metric: {u4(b, o + 16)}")
    return _ROUTELEN


def _entry2(ndo: Ndo, b: bytes, o: int, left: int) -> int:
    p = ndo.p
    if left < 4 or o + 4 > len(b):
        return 0
    family, tag = u2(b, o), u2(b, o + 2)
    if family == 0xFFFF:
        if tag == 2:
            p("\n\t  Simple Text Authentication data: ")
            ndo.printjnp(b, o + 4, 16)
        elif tag == 3:
            if o + 20 > len(b) or left < 20:
                return 0
            p(
                f"\n\t  Auth header: Packet Len {u2(b, o + 4)}, Key-ID {b[o + 6]}, "
                f"Auth Data Len {b[o + 7]}, SeqNo {u4(b, o + 8)}, MBZ {u4(b, o + 12)}, "
                f"MBZ {u4(b, o + 16)}"
            )
        else:
            p("\n\t  Auth trailer:" if tag == 1 else f"\n\t  Unknown ({tag}) Authentication data:")
            ndo.unknown_data(b, o + 4, "\n\t  ", left - 4)
            return left
    elif family not in (0, 2):
        p(f"\n\t  AFI {tok2str(BSD_FAMILIES, 'Unknown (%u)', family)}")
        ndo.unknown_data(b, o + 4, "\n\t  ", _ROUTELEN - 4)
    else:
        if o + _ROUTELEN > len(b) or left < _ROUTELEN:
            return 0
        hop = ndo.ipaddr(b, o + 12) if u4(b, o + 12) else "self"
        p(
            f"\n\t  AFI {tok2str(BSD_FAMILIES, '%u', family)}, {ndo.ipaddr(b, o + 4):>15}/"
            f"{mask2plen(u4(b, o + 8)):<2d}, tag 0x{tag:04x}, metric: {u4(b, o + 16)}, "
            f"next-hop: {hop}"
        )
    return _ROUTELEN


def ripng_print(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    """Print a packet of RIPng."""
    ndo.protocol = "ripng"
    p = ndo.p
    if b[o + 1] != 1:
        p(f" [vers {b[o + 1]}]")
        ndo.invalid()
        return
    command = b[o]
    if command not in (1, 2):
        p(f" ripng-{command} ?? {length}")
        ndo.invalid()
        return
    if length < 4:
        ndo.invalid()
        return
    left = length - 4
    count = left // _ROUTELEN
    if command == 1 and count == 1 and b[o + 23] == 16 and b[o + 4 : o + 20] == bytes(16):
        p(" ripng-req dump")
        return
    name = "req" if command == 1 else "resp"
    p(
        f" ripng-{name} {count}:"
        if count * _ROUTELEN == left
        else f" ripng-{name} {count}[{length}]:"
    )
    at = o + 4
    for _ in range(count):
        p("\n\t" if ndo.vflag > 1 else " ")
        p(f"{ndo.ip6addr(b, at)}/{b[at + 18]}")
        tag = u2(b, at + 16)
        if tag:
            p(f" [{tag}]")
        metric = b[at + 19]
        if metric and command == 2:
            p(f" ({metric})")
        at += _ROUTELEN
    if left % _ROUTELEN:
        ndo.invalid()
