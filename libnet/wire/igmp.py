"""Internet Group Management Protocol messages, versions 1 and 2 (RFC 1112 appendix I, RFC 2236).

Parses and builds; what follows the eight octets (a version 3 query has more) is the payload.
"""

from __future__ import annotations

from struct import Struct
from typing import Final, NamedTuple

from libnet.wire import Truncated
from libnet.wire.cksum import Octets, in_cksum

_HDR = Struct("!BBHI")
IGMP_MINLEN: Final = _HDR.size

IGMP_HOST_MEMBERSHIP_QUERY: Final = 0x11
IGMP_V1_HOST_MEMBERSHIP_REPORT: Final = 0x12
IGMP_DVMRP: Final = 0x13
IGMP_PIM: Final = 0x14
IGMP_V2_HOST_MEMBERSHIP_REPORT: Final = 0x16
IGMP_HOST_LEAVE_MESSAGE: Final = 0x17

INADDR_ALLHOSTS_GROUP: Final = 0xE0000001
INADDR_ALLRTRS_GROUP: Final = 0xE0000002


class Igmp(NamedTuple):
    """One IGMP message.

    type     IGMP_*
    code     largest response time of a query in tenths of a second; 0 in a version 1 query
    cksum    as sent
    group    host integer
    payload  what follows
    """

    type: int
    code: int
    cksum: int
    group: int
    payload: Octets

    @classmethod
    def parse(cls, buf: Octets) -> Igmp:
        """Read the message that fills *buf*. Raises Truncated below IGMP_MINLEN octets."""
        if len(buf) < IGMP_MINLEN:
            raise Truncated("igmp", need=IGMP_MINLEN, have=len(buf))
        kind, code, cksum, group = _HDR.unpack_from(buf)
        return cls(kind, code, cksum, group, memoryview(buf)[IGMP_MINLEN:])

    def build(self) -> bytes:
        """Return the octets that parse() would read back as this value."""
        return _HDR.pack(self.type, self.code, self.cksum, self.group) + bytes(self.payload)


def igmp_build(kind: int, group: int, code: int = 0) -> bytes:
    """Return a message with its checksum."""
    cksum = in_cksum(_HDR.pack(kind, code, 0, group))
    return _HDR.pack(kind, code, cksum, group)
