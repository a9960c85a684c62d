"""GRE (RFC 1701, RFC 2784, RFC 2890) and the GRE of PPTP (RFC 2637)."""

from __future__ import annotations

from typing import Final

from libnet.text.dump.ether import ether_print
from libnet.text.dump.ip import ip_print
from libnet.text.dump.ndo import Ndo, Printer, bittok2str, lazy, u2, u4
from libnet.text.dump.numbers import ETHERTYPES

_CP, _RP, _KP, _SP, _AP = 0x8000, 0x4000, 0x2000, 0x1000, 0x0080
_FLAGS: Final = (
    (_CP, "checksum present"), (_RP, "routing present"), (_KP, "key present"),
    (_SP, "sequence# present"), (0x0800, "source routing present"), (_AP, "ack present"),
)  # fmt: skip
_PAYLOADS: Final[dict[int, Printer]] = {
    0x0800: ip_print,
    0x86DD: lazy("ip6.ip6_print"),
    0x8847: lazy("mpls.mpls_print"),
    0x6558: ether_print,
    0x00FE: lazy("isoclns.isoclns_print"),
}
_ppp = lazy("ppp.ppp_print")


class _Cut(Exception):
    """The header is not there whole."""


class _Fields:
    """The optional fields of a header, one after the other."""

    __slots__ = ("_b", "at", "left")

    def __init__(self, b: bytes, o: int, length: int) -> None:
        self._b, self.at, self.left = b, o, length

    def take(self, size: int) -> int:
        """Return the next field. Raises _Cut."""
        if self.at + size > len(self._b) or self.left < size:
            raise _Cut
        value = u2(self._b, self.at) if size == 2 else u4(self._b, self.at)
        self.at += size
        self.left -= size
        return value


def gre_print(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    """Print a packet of *length* octets."""
    ndo.protocol = "gre"
    if o + 2 > len(b) or length < 2:
        ndo.trunc()
        return
    flags = u2(b, o)
    version = flags & 7
    ndo.p(f"GREv{version}")
    if version > 1:
        ndo.p(" ERROR: unknown-version")
        return
    if ndo.vflag:
        ndo.p(f", Flags [{bittok2str(_FLAGS, 'none', flags)}]")
    fields = _Fields(b, o + 2, length - 2)
    try:
        if version == 0:
            _gre0(ndo, b, length, flags, fields)
        else:
            _gre1(ndo, b, length, flags, fields)
    except _Cut:
        ndo.trunc()


def _payload_next(ndo: Ndo, proto: int, length: int) -> None:
    if ndo.eflag:
        ndo.p(f", proto {ETHERTYPES.get(proto, 'unknown')} (0x{proto:04x})")
    ndo.p(f", length {length}")


def _gre0(ndo: Ndo, b: bytes, length: int, flags: int, fields: _Fields) -> None:
    p = ndo.p
    proto = fields.take(2)
    if flags & (_CP | _RP):
        cksum = fields.take(2)
        if ndo.vflag:
            p(f", sum 0x{cksum:x}")
        p(f", off 0x{fields.take(2):x}")
    if flags & _KP:
        p(f", key=0x{fields.take(4):x}")
    if flags & _SP:
        p(f", seq {fields.take(4)}")
    if flags & _RP:
        _routes(ndo, b, fields)
    _payload_next(ndo, proto, length)
    p("\n\t" if ndo.vflag else ": ")
    printer = _PAYLOADS.get(proto)
    if printer is None:
        p(f"gre-proto-0x{proto:x}")
    else:
        printer(ndo, b, fields.at, fields.left)


def _routes(ndo: Ndo, b: bytes, fields: _Fields) -> None:
    """Print source route entries (RFC 1701)."""
    while True:
        head = fields.take(4)
        family, offset, size = head >> 16, head >> 8 & 255, head & 255
        if family == 0 and size == 0:
            return
        if family == 0x0800:
            ndo.p(", (rtaf=ip")
            _route(ndo, b, fields, offset, size, 4)
            ndo.p(")")
        elif family == 0xFFFE:
            ndo.p(", (rtaf=asn")
            _route(ndo, b, fields, offset, size, 2)
            ndo.p(")")
        else:
            ndo.p(f", (rtaf=0x{family:x})")
        if fields.left < size:
            raise _Cut
        fields.at += size
        fields.left -= size


def _route(ndo: Ndo, b: bytes, fields: _Fields, offset: int, size: int, unit: int) -> None:
    p = ndo.p
    if offset % unit:
        p(f", badoffset={offset}")
    elif size % unit:
        p(f", badlength={size}")
    elif offset >= size:
        p(f", badoff/len={offset}/{size}")
    else:
        for i in range(0, size, unit):
            at = fields.at + i
            if at + unit > len(b) or fields.left - i < unit:
                p(")")
                raise _Cut
            mark = "*" if i == offset else ""
            hop = ".".join(map(str, b[at : at + 4])) if unit == 4 else f"{u2(b, at):x}"
            p(f" {mark}{hop}")


def _gre1(ndo: Ndo, b: bytes, length: int, flags: int, fields: _Fields) -> None:
    p = ndo.p
    proto = fields.take(2)
    if flags & _KP:
        p(f", call {fields.take(4) & 0xFFFF}")
    if flags & _SP:
        p(f", seq {fields.take(4)}")
    if flags & _AP:
        p(f", ack {fields.take(4)}")
    if not flags & _SP:
        p(", no-payload")
    _payload_next(ndo, proto, length)
    if not flags & _SP:
        return
    p("\n\t" if ndo.vflag else ": ")
    if proto == 0x880B:
        _ppp(ndo, b, fields.at, fields.left)
    else:
        p(f"gre-proto-0x{proto:x}")
