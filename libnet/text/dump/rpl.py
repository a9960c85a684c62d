"""RPL, the routing protocol of low-power networks (RFC 6550), as it rides in ICMPv6."""

from __future__ import annotations

from typing import Final

from libnet.text.dump.ndo import Ndo, tok2str, u2

_MODES: Final = {
    0: "nonstoring", 1: "storing", 2: "nonstoring-multicast", 3: "storing-multicast",
}  # fmt: skip
_OPTIONS: Final = {
    0: "pad1", 1: "padN", 2: "metrics", 3: "routinginfo", 4: "config", 5: "rpltarget",
    6: "transitinfo", 8: "destprefix", 9: "rpltargetdesc",
}  # fmt: skip


def rpl_print(ndo: Ndo, b: bytes, o: int, length: int, code: int) -> None:
    """Print a control message of *length* octets behind the ICMPv6 header's four."""
    p = ndo.p
    if code & 0x80:
        p(", (SEC) [worktodo]")
        return
    p(", (CLR)")
    if code == 0:
        p("DODAG Information Solicitation")
    elif code == 1:
        p("DODAG Information Object")
        if ndo.vflag:
            _dio(ndo, b, o, length)
    elif code in (2, 3):
        p("Destination Advertisement Object" + (" Ack" if code == 3 else ""))
        if ndo.vflag:
            _dao(ndo, b, o, length, ack=code == 3)
    else:
        p(f"RPL message, unknown code {code}")


def _dio(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    if length < 24:
        ndo.p(f" [length {length} < 24]")
        ndo.invalid()
        return
    mode = b[o + 4]
    ndo.p(
        f" [dagid:{ndo.ip6addr(b, o + 8)},seq:{b[o + 5]},instance:{b[o]},rank:{u2(b, o + 2)},"
        f"{'grounded,' if mode & 0x80 else ''}mop:{tok2str(_MODES, 'mop%u', mode >> 3 & 7)},"
        f"prf:{mode & 7}]"
    )
    if ndo.vflag > 1:
        _options(ndo, b, o + 24, length - 24)


def _dao(ndo: Ndo, b: bytes, o: int, length: int, *, ack: bool) -> None:
    if o + (4 if ack else 20) > len(b):
        ndo.trunc()
        return
    short = " [|dao-length too short]" if ack else " [|length too short]"
    if length < 4:
        ndo.p(short)
        return
    flags, dagid, at = b[o + 1], "<elided>", o + 4
    length -= 4
    given = flags & (0x80 if ack else 0x40)
    if given:
        if at + 16 > len(b):
            ndo.trunc()
            return
        if length < 16:
            ndo.p(short)
            return
        dagid = ndo.ip6addr(b, at)
        at += 16
        length -= 16
    if ack:
        ndo.p(f" [dagid:{dagid},seq:{b[o + 2]},instance:{b[o]},status:{b[o + 3]}]")
    else:
        ndo.p(
            f" [dagid:{dagid},seq:{b[o + 3]},instance:{b[o]}{',acK' if flags & 0x80 else ''}"
            f"{',Dagid' if given else ''},{flags:02x}]"
        )
    if ndo.vflag > 1:
        _options(ndo, b, at, length)


def _options(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    while length:
        kind = b[o]
        if kind == 0:
            size = 1
            ndo.p(" opt:pad1")
        else:
            if length < 2:
                ndo.trunc()
                return
            size = b[o + 1] + 2
            ndo.p(f" opt:{tok2str(_OPTIONS, 'subopt:%u', kind)} len:{size} ")
            if o + size > len(b) or length < size:
                ndo.trunc()
                return
            if ndo.vflag > 2:
                ndo.hex_print(" ", b, o + 2, size - 2)
        o += size
        length -= size
