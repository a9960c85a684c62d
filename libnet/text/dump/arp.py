"""ARP (RFC 826), reverse ARP (RFC 903), inverse ARP (RFC 2390) and ATMARP (RFC 2225)."""

from __future__ import annotations

from typing import Final

from libnet.text.dump.ndo import Ndo, take, tok2str, u2
from libnet.text.dump.numbers import ETHERTYPES

_OPS: Final = {
    1: "Request", 2: "Reply", 3: "Reverse Request", 4: "Reverse Reply", 8: "Inverse Request",
    9: "Inverse Reply", 10: "NACK Reply",
}  # fmt: skip
_HARDWARE: Final = {
    1: "Ethernet", 6: "TokenRing", 7: "ArcNet", 15: "FrameRelay", 23: "Strip", 24: "IEEE 1394",
    19: "ATM", 32: "InfiniBand",
}  # fmt: skip
_ATM: Final = 19
_FRAMERELAY: Final = 15


def arp_print(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    """Print a packet of ARP or one of its kin."""
    ndo.protocol = "arp"
    if o + 8 > len(b):
        ndo.longjmp()
    hrd, pro, hln, pln, op = u2(b, o), u2(b, o + 2), b[o + 4], b[o + 5], u2(b, o + 6)
    if hrd == _ATM:
        _atmarp_print(ndo, b, o, length, hrd, pro, op)
        return
    sha = o + 8
    spa = sha + hln
    tha = spa + pln
    tpa = tha + hln
    if tpa + pln > len(b):
        ndo.longjmp()
    p = ndo.p
    if not ndo.eflag:
        p("ARP, ")
    is_ip = pro in (0x0800, 0x1000)
    if not is_ip or pln != 4 or hln == 0 or ndo.vflag:
        p(
            f"{tok2str(_HARDWARE, 'Unknown Hardware (%u)', hrd)} (len {hln}), "
            f"{tok2str(ETHERTYPES, 'Unknown Protocol (0x%04x)', pro)} (len {pln})"
        )
        if not ndo.vflag:
            p(f", length {length}")
            return
        p(", ")
    p(tok2str(_OPS, "Unknown (%u)", op) + " ")

    def ip(at: int) -> str:
        if not is_ip:
            return "<wrong proto type>"
        return "<wrong len>" if pln != 4 else ndo.ipaddr(b, at)

    def hw(at: int) -> str:
        if hrd == _FRAMERELAY and hln:
            return _q922(take(b, at, hln))
        return ndo.linkaddr(b, at, hln)

    if op == 1:
        p(f"who-has {ip(tpa)}")
        if any(b[tha : tha + hln]):
            p(f" ({hw(tha)})")
        p(f" tell {ip(spa)}")
    elif op == 2:
        p(f"{ip(spa)} is-at {hw(sha)}")
    elif op in (3, 8):
        p(f"who-is {hw(tha)} tell {hw(sha)}")
    elif op == 4:
        p(f"{hw(tha)} at {ip(tpa)}")
    elif op == 9:
        p(f"{hw(sha)} at {ip(spa)}")
    else:
        ndo.default_print(b, o, len(b) - o)
        return
    p(f", length {length}")


def _q922(data: bytes) -> str:
    """Return a frame relay address (ITU-T Q.922) as its DLCI."""
    # The last octet of an address has its lowest bit set: the second, third or fourth.
    if data[0] & 1:
        return "<Invalid DLCI>"
    if not any(c & 1 for c in data[1:4]):
        return "<Truncated>" if len(data) < 4 else "<Invalid DLCI>"
    dlci = (data[0] & 0xFC) << 2 | (data[1] & 0xF0) >> 4
    at = 1
    if not data[1] & 1:
        at = 2
        if len(data) > 2:
            if not data[2] & 1:
                dlci = dlci << 7 | data[2] >> 1
                at = 3
            if len(data) > at:
                dlci = dlci << 6 | data[at] >> 2
    return f"DLCI {dlci}"


def _atmarp_print(ndo: Ndo, b: bytes, o: int, length: int, hrd: int, pro: int, op: int) -> None:
    if o + 12 > len(b):
        ndo.longjmp()
    shl, ssl, spl = b[o + 4] & 0x3F, b[o + 5] & 0x3F, b[o + 8]
    thl, tsl, tpl = b[o + 9] & 0x3F, b[o + 10] & 0x3F, b[o + 11]
    sha = o + 12
    ssa = sha + shl
    spa = ssa + ssl
    tha = spa + spl
    tsa = tha + thl
    tpa = tsa + tsl
    if tpa + tpl > len(b):
        ndo.longjmp()
    p = ndo.p
    if not ndo.eflag:
        p("ARP, ")
    is_ip = pro in (0x0800, 0x1000)
    if not is_ip or spl != 4 or tpl != 4 or ndo.vflag:
        p(
            f"{tok2str(_HARDWARE, 'Unknown Hardware (%u)', hrd)}, "
            f"{tok2str(ETHERTYPES, 'Unknown Protocol (0x%04x)', pro)} (len {spl}/{tpl})"
        )
        if not ndo.vflag:
            p(f", length {length}")
            return
        p(", ")
    p(tok2str(_OPS, "Unknown (%u)", op) + " ")

    def ip(at: int, size: int, what: str) -> str:
        if not is_ip:
            return "<wrong proto type>"
        return f"<wrong {what}>" if size != 4 else ndo.ipaddr(b, at)

    def hw(at: int, size: int, sub: int, subsize: int) -> str:
        if size == 0:
            return "<No address>"
        text = take(b, at, size).hex(":")
        return f"{text},{take(b, sub, subsize).hex(':')}" if subsize else text

    if op == 1:
        p(f"who-has {ip(tpa, tpl, 'tplen')}")
        if thl:
            p(f" ({hw(tha, thl, tsa, tsl)})")
        p(f" tell {ip(spa, spl, 'splen')}")
    elif op == 2:
        p(f"{ip(spa, spl, 'splen')} is-at {hw(sha, shl, ssa, ssl)}")
    elif op == 8:
        p(f"who-is {hw(tha, thl, tsa, tsl)} tell {hw(sha, shl, ssa, ssl)}")
    elif op == 9:
        p(f"{hw(sha, shl, ssa, ssl)}at {ip(spa, spl, 'splen')}")
    elif op == 10:
        p(f"for {ip(spa, spl, 'splen')}")
    else:
        ndo.default_print(b, o, len(b) - o)
        return
    p(f", length {length}")
