"""The layer two tunneling protocol, version 2 (RFC 2661)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from libnet.text.dump.ndo import Ndo, lazy, need, shown, tok2str, u2, u4

_ppp = lazy("ppp.ppp_print")
_MESSAGES: Final = {
    1: "SCCRQ", 2: "SCCRP", 3: "SCCCN", 4: "StopCCN", 6: "HELLO", 7: "OCRQ", 8: "OCRP", 9: "OCCN",
    10: "ICRQ", 11: "ICRP", 12: "ICCN", 14: "CDN", 15: "WEN", 16: "SLI",
}  # fmt: skip
_AVPS: Final = dict(enumerate(
    (
        "MSGTYPE", "RESULT_CODE", "PROTO_VER", "FRAMING_CAP", "BEARER_CAP", "TIE_BREAKER",
        "FIRM_VER", "HOST_NAME", "VENDOR_NAME", "ASSND_TUN_ID", "RECV_WIN_SIZE", "CHALLENGE",
        "Q931_CC", "CHALLENGE_RESP", "ASSND_SESS_ID", "CALL_SER_NUM", "MINIMUM_BPS",
        "MAXIMUM_BPS", "BEARER_TYPE", "FRAMING_TYPE", "PACKET_PROC_DELAY", "CALLED_NUMBER",
        "CALLING_NUMBER", "SUB_ADDRESS", "TX_CONN_SPEED", "PHY_CHANNEL_ID", "INI_RECV_LCP",
        "LAST_SENT_LCP", "LAST_RECV_LCP", "PROXY_AUTH_TYPE", "PROXY_AUTH_NAME",
        "PROXY_AUTH_CHAL", "PROXY_AUTH_ID", "PROXY_AUTH_RESP", "CALL_ERRORS", "ACCM",
        "RANDOM_VECTOR", "PRIVATE_GRP_ID", "RX_CONN_SPEED", "SEQ_REQUIRED",
    )
)) | {46: "PPP_DISCON_CC"}  # fmt: skip
_AUTH: Final = {
    0: "Reserved", 1: "Textual", 2: "CHAP", 3: "PAP", 4: "No Auth", 5: "MS-CHAPv1",
}  # fmt: skip
_DIRECTIONS: Final = {0: "global error", 1: "at peer", 2: "at local"}
_TYPE, _LENGTH, _SEQUENCE, _OFFSET, _PRIORITY = 0x8000, 0x4000, 0x0800, 0x0200, 0x0100
_SHORT: Final = "AVP too short"
_ERRORS: Final = ("CRCErr", "FrameErr", "HardOver", "BufOver", "Timeout", "AlignErr")

Value = Callable[[Ndo, bytes], None]


def _message(ndo: Ndo, v: bytes) -> None:
    ndo.p(tok2str(_MESSAGES, "MSGTYPE-#%u", u2(v, 0)) if len(v) >= 2 else _SHORT)


def _result(ndo: Ndo, v: bytes) -> None:
    p = ndo.p
    if len(v) < 2:
        p(_SHORT)
        return
    p(f"{u2(v, 0)}")
    if len(v) == 2:
        return
    if len(v) == 3:
        p(f" {_SHORT}")
        return
    p(f"/{u2(v, 2)}")
    if len(v) > 4:
        p(f" {shown(v[4:])}")


def _version(ndo: Ndo, v: bytes) -> None:
    ndo.p(f"{v[0]}.{v[1]}" if len(v) >= 2 else _SHORT)


def _bits(first: str, second: str) -> Value:
    """Return the printer of a word whose bit 1 has one letter and whose bit 0 another."""

    def value(ndo: Ndo, v: bytes) -> None:
        if len(v) < 4:
            ndo.p(_SHORT)
            return
        bits = u4(v, 0)
        ndo.p((first if bits & 2 else "") + (second if bits & 1 else ""))

    return value


def _u16(ndo: Ndo, v: bytes) -> None:
    ndo.p(f"{u2(v, 0)}" if len(v) >= 2 else _SHORT)


def _u32(ndo: Ndo, v: bytes) -> None:
    ndo.p(f"{u4(v, 0)}" if len(v) >= 4 else _SHORT)


def _text(ndo: Ndo, v: bytes) -> None:
    ndo.p(shown(v))


def _octets(ndo: Ndo, v: bytes) -> None:
    ndo.p(v.hex())


def _exactly(n: int) -> Value:
    """Return the printer of *n* octets in hex."""

    def value(ndo: Ndo, v: bytes) -> None:
        ndo.p(v[:n].hex() if len(v) >= n else _SHORT)

    return value


def _cause(ndo: Ndo, v: bytes) -> None:
    if len(v) < 3:
        ndo.p(_SHORT)
        return
    ndo.p(f"{u2(v, 0)}, {v[2]:02x}")
    if len(v) > 3:
        ndo.p(f" {shown(v[3:])}")


def _obsolete(ndo: Ndo, v: bytes) -> None:
    ndo.p("obsolete")


def _auth_type(ndo: Ndo, v: bytes) -> None:
    ndo.p(tok2str(_AUTH, "AuthType-#%u", u2(v, 0)) if len(v) >= 2 else _SHORT)


def _auth_id(ndo: Ndo, v: bytes) -> None:
    ndo.p(f"{v[1]}" if len(v) >= 2 else _SHORT)


def _fields(ndo: Ndo, v: bytes, texts: tuple[str, ...]) -> None:
    """Print words behind two octets of nothing."""
    if len(v) < 2:
        ndo.p(_SHORT)
        return
    for i, text in enumerate(texts):
        at = 2 + 4 * i
        if len(v) < at + 4:
            ndo.p(_SHORT)
            return
        ndo.p(text % u4(v, at))


def _call_errors(ndo: Ndo, v: bytes) -> None:
    _fields(ndo, v, tuple(f"{name}=%u " for name in _ERRORS))


def _accm(ndo: Ndo, v: bytes) -> None:
    _fields(ndo, v, ("send=%08x ", "recv=%08x "))


def _nothing(ndo: Ndo, v: bytes) -> None:
    ndo.p("")


def _disconnect(ndo: Ndo, v: bytes) -> None:
    if len(v) < 5:
        ndo.p(_SHORT)
        return
    ndo.p(f"{u2(v, 0):04x}, {u2(v, 2):04x} {tok2str(_DIRECTIONS, 'Direction-#%u', v[4])}")
    if len(v) > 5:
        ndo.p(f" {shown(v[5:])}")


_VALUES: Final[dict[int, Value]] = {
    0: _message, 1: _result, 2: _version, 3: _bits("A", "S"), 4: _bits("A", "D"), 5: _exactly(8),
    6: _u16, 7: _text, 8: _text, 9: _u16, 10: _u16, 11: _octets, 12: _cause, 13: _exactly(16),
    14: _u16, 15: _u32, 16: _u32, 17: _u32, 18: _bits("A", "D"), 19: _bits("A", "S"),
    20: _obsolete, 21: _text, 22: _text, 23: _text, 24: _u32, 25: _u32, 26: _octets, 27: _octets,
    28: _octets, 29: _auth_type, 30: _text, 31: _octets, 32: _auth_id, 33: _octets,
    34: _call_errors, 35: _accm, 36: _octets, 37: _text, 38: _u32, 39: _nothing, 46: _disconnect,
}  # fmt: skip


def _avp(ndo: Ndo, b: bytes, o: int, left: int) -> int:
    """Print an attribute; return its octets, 0 where it is cut."""
    p = ndo.p
    p(" ")
    head = u2(b, o)
    size = head & 0x3FF
    if not 6 <= size <= left or o + size > len(b):
        ndo.trunc()
        return 0
    if head & 0x8000:
        p("*")
    if head & 0x4000:
        p("?")
    vendor, kind, value = u2(b, o + 2), u2(b, o + 4), b[o + 6 : o + size]
    if vendor:
        p(f"VENDOR{vendor:04x}:ATTR{kind:04x}({value.hex()})")
        return size
    p(f"{tok2str(_AVPS, 'AVP-#%u', kind)}(")
    if head & 0x4000:
        p("???")
    else:
        _VALUES.get(kind, _nothing)(ndo, value)
    p(")")
    return size


def l2tp_print(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    """Print a message of *length* octets."""
    ndo.protocol = "l2tp"
    p = ndo.p
    start = o
    flags = u2(b, o)
    version = flags & 15
    if version != 2:
        p(" l2f:" if version == 1 else " Unknown Version, neither L2F(1) nor L2TP(2)")
        return
    p(" l2tp:[")
    for bit, letter in (
        (_TYPE, "T"), (_LENGTH, "L"), (_SEQUENCE, "S"), (_OFFSET, "O"), (_PRIORITY, "P"),
    ):  # fmt: skip
        if flags & bit:
            p(letter)
    p("]")
    o += 2
    size = 0
    if flags & _LENGTH:
        size = u2(b, o)
        o += 2
    p(f"({u2(b, o)}/")
    p(f"{u2(b, o + 2)})")
    o += 4
    if flags & _SEQUENCE:
        p(f"Ns={u2(b, o)},")
        p(f"Nr={u2(b, o + 2)}")
        o += 4
    if flags & _OFFSET:
        pad = u2(b, o)
        need(b, o + 2, pad)
        o += 2 + pad
    if flags & _LENGTH:
        if length < size:
            p(f" Length {size} larger than packet")
            return
        length = size
    left = length - (o - start)
    if left < 0:
        p(f" Length {length} smaller than header length")
        return
    if not flags & _TYPE:
        p(" {")
        _ppp(ndo, b, o, left)
        p("}")
        return
    if not flags & _LENGTH:
        p(" No length")
        return
    if left == 0:
        p(" ZLB")
    while left:
        took = _avp(ndo, b, o, left)
        if took == 0:
            break
        o += took
        left -= took
