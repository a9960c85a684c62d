"""Link aggregation control and marker PDUs (IEEE 802.3-2002 clauses 43.4.2 and 43.5.3).

From the subtype on; both are slow protocols, Ethertype 0x8809 to 01:80:c2:00:00:02.
"""

from __future__ import annotations

from struct import Struct
from typing import Final, NamedTuple

from libnet.wire import Malformed, Truncated

SLOW_ETHERADDR: Final = b"\x01\x80\xc2\x00\x00\x02"
ETHERTYPE_SLOW: Final = b"\x88\x09"
SUBTYPE_LACP: Final = 1
SUBTYPE_MARKER: Final = 2
PDU_LEN: Final = 110

LACP_ACTIVITY: Final = 0x01
LACP_TIMEOUT: Final = 0x02  # short
LACP_AGGREGATION: Final = 0x04
LACP_SYNC: Final = 0x08
LACP_COLLECTING: Final = 0x10
LACP_DISTRIBUTING: Final = 0x20
LACP_DEFAULTED: Final = 0x40
LACP_EXPIRED: Final = 0x80

_HEAD: Final = Struct("!BB")
_INFO: Final = Struct("!BBH6sHHHB3x")
_COLLECTOR: Final = Struct("!BBH12x")
_TLV_LEN: Final = 20
_MARKER: Final = Struct("!BBH6sI2x")
_MARKER_LEN: Final = 16
MARKER_RESPONSE: Final = 2


class LacpInfo(NamedTuple):
    """One end of a link: system priority, system (6 octets), key, port priority, port, LACP_* state."""

    sysprio: int
    system: bytes
    key: int
    portprio: int
    port: int
    state: int

    @property
    def who(self) -> tuple[int, bytes, int, int, int]:
        """Everything but the state."""
        return self[:5]


class Lacpdu(NamedTuple):
    """A LACPDU: the sender's end, and what it knows of ours; maxdelay in tens of microseconds."""

    actor: LacpInfo
    partner: LacpInfo
    maxdelay: int = 0

    @classmethod
    def parse(cls, buf: bytes) -> Lacpdu:
        """Read a PDU. Raises Truncated, and Malformed for other TLVs than version 1 has."""
        if len(buf) < PDU_LEN:
            raise Truncated("lacp", need=PDU_LEN, have=len(buf))
        subtype, _version = _HEAD.unpack_from(buf)
        if subtype != SUBTYPE_LACP:
            raise Malformed("lacp", f"subtype {subtype}")
        ends = []
        for number, at in ((1, 2), (2, 2 + _TLV_LEN)):
            kind, size, *fields = _INFO.unpack_from(buf, at)
            if (kind, size) != (number, _TLV_LEN):
                raise Malformed("lacp", f"TLV {kind} of {size} octets")
            ends.append(LacpInfo(*fields))
        kind, size, maxdelay = _COLLECTOR.unpack_from(buf, 2 + 2 * _TLV_LEN)
        if (kind, size) != (3, 16):
            raise Malformed("lacp", f"TLV {kind} of {size} octets")
        return cls(ends[0], ends[1], maxdelay)

    def build(self) -> bytes:
        """Return the octets."""
        body = _HEAD.pack(SUBTYPE_LACP, 1)
        body += _INFO.pack(1, _TLV_LEN, *self.actor)
        body += _INFO.pack(2, _TLV_LEN, *self.partner)
        body += _COLLECTOR.pack(3, 16, self.maxdelay)
        return body.ljust(PDU_LEN, b"\0")


def marker_response(buf: bytes) -> bytes:
    """Return the answer to a marker. Raises Truncated, and Malformed for anything else, an answer too."""
    if len(buf) < PDU_LEN:
        raise Truncated("marker", need=PDU_LEN, have=len(buf))
    if buf[0] != SUBTYPE_MARKER or buf[2:4] != bytes((1, _MARKER_LEN)):
        raise Malformed("marker", f"subtype {buf[0]}, TLV {buf[2]}")
    return bytes(buf[:2]) + bytes((MARKER_RESPONSE,)) + bytes(buf[3:PDU_LEN])


def marker_build(port: int, system: bytes, transaction: int) -> bytes:
    """Return a marker."""
    head = _HEAD.pack(SUBTYPE_MARKER, 1)
    return (head + _MARKER.pack(1, _MARKER_LEN, port, system, transaction)).ljust(PDU_LEN, b"\0")
