"""The Precision Time Protocol, version 2 (IEEE 1588-2008), over UDP or Ethernet."""

from __future__ import annotations

from typing import Final

from libnet.text.dump.ndo import Ndo, bittok2str, need, tok2str, u2, u4, u8

_TYPES: Final = {
    0: "sync msg", 1: "delay req msg", 2: "peer delay req msg", 3: "peer delay resp msg",
    8: "follow up msg", 9: "delay resp msg", 10: "pdelay resp fup msg", 11: "announce msg",
    12: "signalling msg", 13: "management msg",
}  # fmt: skip
_CONTROLS: Final = {
    0: "Sync", 1: "Delay_Req", 2: "Follow_Up", 3: "Delay_Resp", 4: "Management", 5: "Other",
}  # fmt: skip
_FLAGS: Final = (
    (0x0001, "l1 61"), (0x0002, "l1 59"), (0x0004, "utc reasonable"), (0x0008, "timescale"),
    (0x0010, "time tracable"), (0x0020, "frequency tracable"), (0x0100, "alternate master"),
    (0x0200, "two step"), (0x0400, "unicast"), (0x1000, "profile specific 1"),
    (0x2000, "profile specific 2"), (0x4000, "security mask"), (0x18C0, "unknown"),
)  # fmt: skip
_STAMPS: Final = {
    0: "originTimeStamp", 1: "originTimeStamp", 2: "preciseOriginTimeStamp", 3: "receiveTimeStamp",
    8: "preciseOriginTimeStamp", 9: "receiveTimeStamp", 10: "preciseOriginTimeStamp",
}  # fmt: skip
_HEADER: Final = 34


def ptp_print(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    """Print a message of *length* octets."""
    ndo.protocol = "ptp"
    p = ndo.p
    if length < _HEADER:
        p(f" [length {length} < {_HEADER}]")
        ndo.invalid()
        return
    need(b, o, 2)
    version = b[o + 1]
    p(f"PTPv{version}")
    if version == 1:
        p(" (not implemented)")
    elif version == 2:
        _version2(ndo, b, o)


def _version2(ndo: Ndo, b: bytes, o: int) -> None:
    p = ndo.p
    kind = b[o] & 0x0F
    p(f", v1 compat : {'yes' if b[o] & 0x10 else 'no'}")
    p(f", msg type : {tok2str(_TYPES, 'Reserved', kind)}")
    p(f", length : {u2(b, o + 2)}")
    need(b, o + 4, 2)
    p(f", domain : {b[o + 4]}")
    p(f", reserved1 : {b[o + 5]}")
    p(f", Flags [{bittok2str(_FLAGS, 'none', u2(b, o + 6))}]")
    p(f", NS correction : {u2(b, o + 8) << 32 | u4(b, o + 10)}")
    p(f", sub NS correction : {u2(b, o + 14)}")
    p(f", reserved2 : {u4(b, o + 16)}")
    _identity(ndo, "clock", b, o + 20)
    p(f", seq id : {u2(b, o + 30)}")
    p(f", control : {b[o + 32]} ({tok2str(_CONTROLS, 'Reserved', b[o + 32])})")
    p(f", log message interval : {b[o + 33]}")
    at = o + _HEADER
    if kind in _STAMPS:
        _stamp(ndo, _STAMPS[kind], b, at, ",")
        if kind in (2, 3, 9, 10):
            _identity(ndo, "port", b, at + 10)
    elif kind == 11:
        _announce(ndo, b, at)
    elif kind == 12:
        _identity(ndo, "port", b, at)
    elif kind == 13:
        _identity(ndo, "port", b, at)
        # All four come from the first octet of the identity: the original does not step on.
        hops = b[at]
        p(f", , start boundary hops  {hops}, , boundary hops  {hops}")
        p(f", , flags  0x{hops:x}, , reserved  0x{hops:x}")


def _identity(ndo: Ndo, word: str, b: bytes, o: int) -> None:
    ndo.p(f", {word} identity : 0x{u8(b, o):x}")
    ndo.p(f", port id : {u2(b, o + 8)}")


def _stamp(ndo: Ndo, word: str, b: bytes, o: int, sep: str) -> None:
    ndo.p(f", {word} :")
    ndo.p(f" {u2(b, o) << 32 | u4(b, o + 2)} seconds{sep}")
    ndo.p(f" {u4(b, o + 6)} nanoseconds")


def _announce(ndo: Ndo, b: bytes, o: int) -> None:
    p = ndo.p
    _stamp(ndo, "originTimeStamp", b, o, "")
    p(f", origin cur utc :{u2(b, o + 10)}")
    p(f", rsvd : {b[o + 12]}")
    p(f", gm priority_1 : {b[o + 13]}")
    p(f", gm clock class : {b[o + 14]}")
    p(f", gm clock accuracy : {b[o + 15]}")
    p(f", gm clock variance : {u2(b, o + 16)}")
    p(f", gm priority_2 : {b[o + 18]}")
    p(f", gm clock id : 0x{u8(b, o + 19):x}")
    p(f", steps removed : {u2(b, o + 27)}")
    p(f", time source : 0x{b[o + 29]:x}")
