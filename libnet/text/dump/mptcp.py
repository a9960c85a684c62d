"""The options of Multipath TCP (RFC 6824, 8684)."""

from __future__ import annotations

from typing import Final

from libnet.text.dump.ndo import Ndo, tok2str, u2, u4, u8

_SYN, _ACK = 0x02, 0x10
_ECHO: Final = {6: "v0-ip6", 4: "v0-ip4", 1: "v1-echo", 0: "v1"}


def mptcp_print(ndo: Ndo, b: bytes, o: int, size: int, flags: int) -> bool:
    """Print the option of *size* octets at *o*; return whether it can be.

    flags  of the segment
    """
    ndo.protocol = "mptcp"
    if size < 3:
        return False
    subtype = min(b[o + 2] >> 4, len(_SUBTYPES) - 1)
    name, printer = _SUBTYPES[subtype]
    ndo.p(f" {size} {name}")
    return printer(ndo, b, o, size, flags)


def _capable(ndo: Ndo, b: bytes, o: int, size: int, flags: int) -> bool:
    p = ndo.p
    opens = size in (4, 12) and flags & _SYN
    third = size in (20, 22) and flags & (_SYN | _ACK) == _ACK
    if not opens and not third:
        return False
    version = b[o + 2] & 15
    if version > 1:
        p(f" Unknown Version ({version})")
        return True
    p(f" v{version}")
    if b[o + 3] & 0x80:
        p(" csum")
    if size >= 12:
        p(f" {{0x{u8(b, o + 4):x}")
        if size >= 20:
            p(f",0x{u8(b, o + 12):x}")
        p("}")
    return True


def _join(ndo: Ndo, b: bytes, o: int, size: int, flags: int) -> bool:
    p = ndo.p
    both = flags & (_SYN | _ACK) == _SYN | _ACK
    if not (
        (size == 12 and flags & _SYN) or (size == 16 and both) or (size == 24 and flags & _ACK)
    ):
        return False
    if size != 24:
        if b[o + 2] & 1:
            p(" backup")
        p(f" id {b[o + 3]}")
    if size == 12:
        p(f" token 0x{u4(b, o + 4):x} nonce 0x{u4(b, o + 8):x}")
    elif size == 16:
        p(f" hmac 0x{u8(b, o + 4):x} nonce 0x{u4(b, o + 12):x}")
    else:
        p(f" hmac 0x{b[o + 4 : o + 24].hex()}")
    return True


def _dss(ndo: Ndo, b: bytes, o: int, size: int, flags: int) -> bool:
    p = ndo.p
    if size < 4 or flags & _SYN:
        return False
    bits = b[o + 3]
    if bits & 0x10:
        p(" fin")
    at, left = o + 4, size - 4
    for mask, wide, word in ((1, 2, "ack"), (4, 8, "seq")):
        if not bits & mask:
            continue
        p(f" {word} ")
        n = 8 if bits & wide else 4
        if left < n:
            return False
        p(str(u8(b, at) if n == 8 else u4(b, at)))
        at += n
        left -= n
    if bits & 4:
        if left < 4:
            return False
        p(f" subseq {u4(b, at)}")
        if left < 6:
            return False
        p(f" len {u2(b, at + 4)}")
        at += 6
        left -= 6
        if left >= 2:
            p(f" csum 0x{u2(b, at):x}")
            left -= 2
    return left == 0


def _add_addr(ndo: Ndo, b: bytes, o: int, size: int, flags: int) -> bool:
    p = ndo.p
    if size not in (8, 10, 16, 18, 20, 22, 28, 30):
        return False
    p(f" {tok2str(_ECHO, '[bad version/echo]', b[o + 2] & 15)} id {b[o + 3]}")
    if size <= 18:
        p(f" {ndo.ipaddr(b, o + 4)}")
        at, rest = o + 8, size - 8
    else:
        p(f" {ndo.ip6addr(b, o + 4)}")
        at, rest = o + 20, size - 20
    if rest in (2, 10):
        p(f":{u2(b, at)}")
        at += 2
        rest -= 2
    if rest:
        p(f" hmac 0x{u8(b, at):x}")
    return True


def _remove_addr(ndo: Ndo, b: bytes, o: int, size: int, flags: int) -> bool:
    if size < 4:
        return False
    ndo.p(" id" + "".join([f" {b[i]}" for i in range(o + 3, o + size)]))
    return True


def _prio(ndo: Ndo, b: bytes, o: int, size: int, flags: int) -> bool:
    if size not in (3, 4):
        return False
    ndo.p(" backup" if b[o + 2] & 1 else " non-backup")
    if size == 4:
        ndo.p(f" id {b[o + 3]}")
    return True


def _fail(ndo: Ndo, b: bytes, o: int, size: int, flags: int) -> bool:
    if size != 12:
        return False
    ndo.p(f" seq {u8(b, o + 4)}")
    return True


def _fast_close(ndo: Ndo, b: bytes, o: int, size: int, flags: int) -> bool:
    if size != 12:
        return False
    ndo.p(f" key 0x{u8(b, o + 4):x}")
    return True


def _unknown(ndo: Ndo, b: bytes, o: int, size: int, flags: int) -> bool:
    return True


_SUBTYPES: Final = (
    ("capable", _capable), ("join", _join), ("dss", _dss), ("add-addr", _add_addr),
    ("rem-addr", _remove_addr), ("prio", _prio), ("fail", _fail), ("fast-close", _fast_close),
    ("unknown", _unknown),
)  # fmt: skip
