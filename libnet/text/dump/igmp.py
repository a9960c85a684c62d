"""IGMP (RFC 1112, RFC 2236, RFC 3376), mtrace, and the routing protocols that borrowed it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from libnet.text.dump.ndo import Ndo, lazy, relts, tok2str, u2, u3, u4
from libnet.wire.cksum import in_cksum

_RECORDS: Final = {
    1: "is_in", 2: "is_ex", 3: "to_in", 4: "to_ex", 5: "allow", 6: "block",
}  # fmt: skip
_dvmrp = lazy("dvmrp.dvmrp_print")
_pimv1 = lazy("pim.pimv1_print")


def igmp_print(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    """Print a message."""
    ndo.protocol = "igmp"
    p = ndo.p
    if ndo.qflag:
        p("igmp")
        return
    kind = b[o]
    if kind == 0x11:
        p("igmp query")
        if length >= 12:
            _query3(ndo, b, o, length)
        else:
            if b[o + 1]:
                p(" v2")
                if b[o + 1] != 100:
                    p(f" [max resp time {b[o + 1]}]")
            else:
                p(" v1")
            if u4(b, o + 4):
                p(f" [gaddr {ndo.ipaddr(b, o + 4)}]")
            if length != 8:
                p(f" [len {length}]")
    elif kind == 0x12:
        p(f"igmp v1 report {ndo.ipaddr(b, o + 4)}")
        if length != 8:
            p(f" [len {length}]")
    elif kind == 0x16:
        p(f"igmp v2 report {ndo.ipaddr(b, o + 4)}")
    elif kind == 0x22:
        p("igmp v3 report")
        _report3(ndo, b, o, length)
    elif kind == 0x17:
        p(f"igmp leave {ndo.ipaddr(b, o + 4)}")
    elif kind == 0x13:
        p("igmp dvmrp")
        if length < 8:
            p(f" [len {length}]")
        else:
            _dvmrp(ndo, b, o, length)
    elif kind == 0x14:
        p("igmp pimv1")
        _pimv1(ndo, b, o, length)
    elif kind in (0x1E, 0x1F):
        _mtrace(ndo, "mtrace" if kind & 1 else "mresp", b, o, length)
    else:
        p(f"igmp-{kind}")
    if ndo.vflag and length >= 4 and o + length <= len(b) and in_cksum(b[o : o + length]):
        p(f" bad igmp cksum {u2(b, o + 2):x}!")


def _mtrace(ndo: Ndo, name: str, b: bytes, o: int, length: int) -> None:
    if length < 24:
        ndo.p(f" [invalid len {length}]")
        return
    ndo.p(
        f"{name} {u3(b, o + 21)}: {ndo.ipaddr(b, o + 8)} to {ndo.ipaddr(b, o + 12)} "
        f"reply-to {ndo.ipaddr(b, o + 16)}"
    )
    if b[o + 16] & 0xF0 == 0xE0:
        ndo.p(f" with-ttl {b[o + 20]}")


def group_records(
    ndo: Ndo,
    b: bytes,
    o: int,
    length: int,
    width: int,
    addr: Callable[[bytes, int], str],
    word: str,
) -> None:
    """Print the records of groups in a report of IGMPv3 or MLDv2.

    width  octets of an address
    addr   its text
    word   the report, for a record of a type without a name
    """
    p = ndo.p
    count = u2(b, o + 6)
    p(f", {count} group record(s)")
    if not ndo.vflag:
        return
    at = 8
    for _ in range(count):
        if length < at + 4 + width:
            p(" [invalid number of groups]")
            return
        p(f" [gaddr {addr(b, o + at + 4)}")
        p(f" {tok2str(_RECORDS, f' [{word}-report-#%u]', b[o + at])}")
        sources = u2(b, o + at + 2)
        at += 4 + width
        if length < at + sources * width:
            p(f" [invalid number of sources {sources}]")
            return
        if ndo.vflag == 1:
            p(f", {sources} source(s)")
        else:
            group_sources(ndo, b, o + at, sources, width, addr)
        at += sources * width
        p("]")


def group_sources(
    ndo: Ndo, b: bytes, o: int, count: int, width: int, addr: Callable[[bytes, int], str]
) -> None:
    """Print *count* addresses of senders."""
    ndo.p(" {")
    for i in range(count):
        ndo.p(f" {addr(b, o + width * i)}")
    ndo.p(" }")


def _report3(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    if length < 16 or length & 3:
        ndo.p(f" [invalid len {length}]")
        return
    group_records(ndo, b, o, length, 4, ndo.ipaddr, "v3")


def _query3(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    p = ndo.p
    p(" v3")
    if length < 12 or length & 3:
        p(f" [invalid len {length}]")
        return
    code = b[o + 1]
    # RFC 3376 section 4.1.1: from 128 on it is a floating point number of tenths.
    tenths = code if code < 128 else (code & 15 | 16) << ((code >> 4 & 7) + 3)
    if code != 100:
        p(" [max resp time ")
        p(f"{tenths * 0.1:.1f}s" if tenths < 600 else relts(tenths // 10))
        p("]")
    if u4(b, o + 4) == 0:
        return
    p(f" [gaddr {ndo.ipaddr(b, o + 4)}")
    sources = u2(b, o + 10)
    if sources:
        if length < 12 + sources * 4:
            p(" [invalid number of sources]")
        elif ndo.vflag > 1:
            group_sources(ndo, b, o + 12, sources, 4, ndo.ipaddr)
        else:
            p(f", {sources} source(s)")
    p("]")
