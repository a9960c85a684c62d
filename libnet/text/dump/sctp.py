"""SCTP (RFC 9260)."""

from __future__ import annotations

from typing import Final

from libnet.text.dump.ndo import Ndo, tok2str, u2, u4

_CHUNKS: Final = {
    0x00: "DATA", 0x01: "INIT", 0x02: "INIT ACK", 0x03: "SACK", 0x04: "HB REQ", 0x05: "HB ACK",
    0x06: "ABORT", 0x07: "SHUTDOWN", 0x08: "SHUTDOWN ACK", 0x09: "OP ERR", 0x0A: "COOKIE ECHO",
    0x0B: "COOKIE ACK", 0x0C: "ECN ECHO", 0x0D: "ECN CWR", 0x0E: "SHUTDOWN COMPLETE",
    0xC0: "FOR CUM TSN", 0xC1: "REL CTRL", 0xC2: "REL CTRL ACK",
}  # fmt: skip
_DATA, _INIT, _INIT_ACK, _SACK = 0, 1, 2, 3
_FORCES: Final = {6704: "ForCES HP", 6705: "ForCES MP", 6706: "ForCES LP"}
_PAYLOADS: Final = {
    1: "ISDN Q.921", 2: "M2UA", 3: "M3UA", 4: "SUA", 5: "M2PA", 6: "V5.2", 7: "H.248", 8: "BICC",
    9: "TALI", 10: "DUA", 11: "ASAP", 12: "ENRP", 13: "H.323", 14: "Q.IPC", 15: "SIMCO",
    16: "DDPSC", 17: "DDPSSC", 18: "S1AP", 19: "RUA", 20: "HNBAP", 21: "ForCES HP",
    22: "ForCES MP", 23: "ForCES LP", 24: "SBc-AP", 25: "NBAP", 27: "X2AP",
}  # fmt: skip


class _Cut(Exception):
    """A chunk was not captured whole."""


def sctp_print(ndo: Ndo, b: bytes, o: int, length: int, iph: int) -> None:
    """Print a packet of *length* octets; *iph* is where the IP header is."""
    ndo.protocol = "sctp"
    p = ndo.p
    if length < 12:
        p(f"truncated-sctp - {12 - length} bytes missing!")
        return
    if o + 12 > len(b):
        ndo.trunc()
        return
    sport, dport = u2(b, o), u2(b, o + 2)
    if b[iph] >> 4 == 6:
        src, dst = ndo.ip6addr(b, iph + 8), ndo.ip6addr(b, iph + 24)
    else:
        src, dst = ndo.ipaddr(b, iph + 12), ndo.ipaddr(b, iph + 16)
    p(f"{src}.{sport} > {dst}.{dport}: sctp")
    for port in (sport, dport):
        if port in _FORCES:
            p(f"[{_FORCES[port]}]")
    try:
        _chunks(ndo, b, o + 12, length - 12)
    except _Cut:
        ndo.trunc()


def _chunks(ndo: Ndo, b: bytes, o: int, left: int) -> None:
    p = ndo.p
    sep, number = "\n\t" if ndo.vflag >= 2 else " (", 0
    while left:
        number += 1
        if left < 4:
            p(f"{sep}{number}) [chunk descriptor cut off at end of packet]")
            return
        if o + 4 > len(b):
            raise _Cut
        kind, flags, size = b[o], b[o + 1], u2(b, o + 2)
        if size < 4:
            p(f"{sep}{number}) [Bad chunk length {size}, < size of chunk descriptor]")
            return
        pad = -size % 4
        if left < pad:
            p(f"{sep}{number}) [Bad chunk length {size}, > remaining data in packet]")
            return
        if o + size > len(b):
            raise _Cut
        p(f"{sep}{number}) [{tok2str(_CHUNKS, 'Unknown chunk type: 0x%x', kind)}] ")
        if kind == _DATA:
            good = _data(ndo, b, o + 4, size, flags)
        elif kind in (_INIT, _INIT_ACK):
            good = _init(ndo, b, o + 4, size)
        elif kind == _SACK:
            good = _sack(ndo, b, o + 4, size)
        else:
            good = True
        if not good:
            p(f"bogus chunk length {size}]")
            return
        if ndo.vflag < 2:
            sep = ", ("
        o += size
        if pad:
            if o + pad > len(b):
                raise _Cut
            o += pad
        # A chunk may be longer than what is left by its own account; the captured octets decide.
        left = left - size - pad & 0xFFFFFFFF


def _data(ndo: Ndo, b: bytes, o: int, size: int, flags: int) -> bool:
    p = ndo.p
    words = "".join([w for bit, w in ((4, "(U)"), (2, "(B)"), (1, "(E)")) if flags & bit])
    if words:
        p(f"{words} ")
    if size < 16:
        return False
    proto = u4(b, o + 8)
    p(
        f"[TSN: {u4(b, o)}] [SID: {u2(b, o + 4)}] [SSEQ {u2(b, o + 6)}] "
        f"[PPID {tok2str(_PAYLOADS, '0x%x', proto)}] "
    )
    if size == 16:
        return False
    if ndo.vflag >= 2:
        p("[Payload")
        if not ndo.suppress_default_print:
            p(":")
            ndo.default_print(b, o + 12, size - 16)
        p("]")
    return True


def _init(ndo: Ndo, b: bytes, o: int, size: int) -> bool:
    if size < 20:
        return False
    ndo.p(
        f"[init tag: {u4(b, o)}] [rwnd: {u4(b, o + 4)}] [OS: {u2(b, o + 8)}] "
        f"[MIS: {u2(b, o + 10)}] [init TSN: {u4(b, o + 12)}] "
    )
    return True


def _sack(ndo: Ndo, b: bytes, o: int, size: int) -> bool:
    if size < 16:
        return False
    ack, gaps, dups = u4(b, o), u2(b, o + 8), u2(b, o + 10)
    ndo.p(f"[cum ack {ack}] [a_rwnd {u4(b, o + 4)}] [#gap acks {gaps}] [#dup tsns {dups}] ")
    at, left = o + 12, size - 16
    for i in range(gaps):
        if left == 0:
            break
        if left < 4:
            return False
        start, end = (ack + u2(b, at) & 0xFFFFFFFF), (ack + u2(b, at + 2) & 0xFFFFFFFF)
        ndo.p(f"\n\t\t[gap ack block #{i + 1}: start = {start}, end = {end}] ")
        at += 4
        left -= 4
    for i in range(dups):
        if left == 0:
            break
        if left < 4:
            return False
        ndo.p(f"\n\t\t[dup TSN #{i + 1}: {u4(b, at)}] ")
        at += 4
        left -= 4
    return True
