"""ICMP messages (RFC 792; masks RFC 950; router discovery RFC 1256; codes RFC 1122, RFC 1812).

Parses and builds; the meaning of the second word depends on the type, so it is kept as one integer
with a property for each meaning.
"""

from __future__ import annotations

from struct import Struct
from typing import Final, NamedTuple

from libnet.wire import Truncated
from libnet.wire.cksum import Octets, in_cksum

_HDR = Struct("!BBHI")
_ECHO = Struct("!BBHHH")
ICMP_MINLEN: Final = _HDR.size
ICMP_TSLEN: Final = 20
ICMP_MASKLEN: Final = 12
# Octets of the packet's data that an error quotes beyond its IP header (RFC 792: 64 bits).
ICMP_ADVLENMIN: Final = 8

ICMP_ECHOREPLY: Final = 0
ICMP_UNREACH: Final = 3
ICMP_SOURCEQUENCH: Final = 4
ICMP_REDIRECT: Final = 5
ICMP_ECHO: Final = 8
ICMP_ROUTERADVERT: Final = 9
ICMP_ROUTERSOLICIT: Final = 10
ICMP_TIMXCEED: Final = 11
ICMP_PARAMPROB: Final = 12
ICMP_TSTAMP: Final = 13
ICMP_TSTAMPREPLY: Final = 14
ICMP_IREQ: Final = 15
ICMP_IREQREPLY: Final = 16
ICMP_MASKREQ: Final = 17
ICMP_MASKREPLY: Final = 18
ICMP_MAXTYPE: Final = 18

ICMP_UNREACH_NET: Final = 0
ICMP_UNREACH_HOST: Final = 1
ICMP_UNREACH_PROTOCOL: Final = 2
ICMP_UNREACH_PORT: Final = 3
ICMP_UNREACH_NEEDFRAG: Final = 4
ICMP_UNREACH_SRCFAIL: Final = 5
ICMP_UNREACH_NET_UNKNOWN: Final = 6
ICMP_UNREACH_HOST_UNKNOWN: Final = 7
ICMP_UNREACH_ISOLATED: Final = 8
ICMP_UNREACH_NET_PROHIB: Final = 9
ICMP_UNREACH_HOST_PROHIB: Final = 10
ICMP_UNREACH_TOSNET: Final = 11
ICMP_UNREACH_TOSHOST: Final = 12
ICMP_UNREACH_ADMIN_PROHIBIT: Final = 13
ICMP_UNREACH_HOST_PREC: Final = 14
ICMP_UNREACH_PREC_CUTOFF: Final = 15

ICMP_REDIRECT_NET: Final = 0
ICMP_REDIRECT_HOST: Final = 1
ICMP_REDIRECT_TOSNET: Final = 2
ICMP_REDIRECT_TOSHOST: Final = 3

ICMP_TIMXCEED_INTRANS: Final = 0
ICMP_TIMXCEED_REASS: Final = 1

ICMP_PARAMPROB_ERRATPTR: Final = 0
ICMP_PARAMPROB_OPTABSENT: Final = 1
ICMP_PARAMPROB_LENGTH: Final = 2

# Types that are answers to a question, not reports of an error.
_INFO: Final = frozenset(
    (
        ICMP_ECHOREPLY,
        ICMP_ECHO,
        ICMP_ROUTERADVERT,
        ICMP_ROUTERSOLICIT,
        ICMP_TSTAMP,
        ICMP_TSTAMPREPLY,
        ICMP_IREQ,
        ICMP_IREQREPLY,
        ICMP_MASKREQ,
        ICMP_MASKREPLY,
    )
)


def is_info(icmp_type: int) -> bool:
    """Tell whether messages of this type are queries or replies (ICMP_INFOTYPE).

    RFC 1122 3.2.2: no error is ever sent about an error, and an unknown type may be one.
    """
    return icmp_type in _INFO


class Icmp(NamedTuple):
    """One ICMP message.

    type, code  ICMP_* and its codes
    cksum       as sent
    hun         the second 32-bit word
    payload     what follows: echo data, or the quoted packet of an error
    """

    type: int
    code: int
    cksum: int
    hun: int
    payload: Octets

    @property
    def id(self) -> int:
        """Identifier of an echo, timestamp, information or mask message."""
        return self.hun >> 16

    @property
    def seq(self) -> int:
        """Sequence number of the same."""
        return self.hun & 0xFFFF

    @property
    def nextmtu(self) -> int:
        """Next-hop MTU of ICMP_UNREACH_NEEDFRAG (RFC 1191), 0 from an old router."""
        return self.hun & 0xFFFF

    @property
    def gwaddr(self) -> int:
        """Router of an ICMP_REDIRECT, a host integer."""
        return self.hun

    @property
    def pptr(self) -> int:
        """Octet at fault of an ICMP_PARAMPROB."""
        return self.hun >> 24

    @classmethod
    def parse(cls, buf: Octets) -> Icmp:
        """Read the message that fills *buf*. Raises Truncated below ICMP_MINLEN octets."""
        if len(buf) < ICMP_MINLEN:
            raise Truncated("icmp", need=ICMP_MINLEN, have=len(buf))
        kind, code, cksum, hun = _HDR.unpack_from(buf)
        return cls(kind, code, cksum, hun, memoryview(buf)[ICMP_MINLEN:])

    def build(self) -> bytes:
        """Return the octets that parse() would read back as this value."""
        return _HDR.pack(self.type, self.code, self.cksum, self.hun) + bytes(self.payload)


def icmp_build(icmp_type: int, code: int, hun: int, payload: Octets = b"") -> bytes:
    """Return a message with its checksum."""
    body = bytes(payload)
    cksum = in_cksum(_HDR.pack(icmp_type, code, 0, hun) + body)
    return _HDR.pack(icmp_type, code, cksum, hun) + body


def icmp_echo(ident: int, seq: int, data: Octets, icmp_type: int = ICMP_ECHO) -> bytes:
    """Return an echo request (or, with ICMP_ECHOREPLY, its answer) with its checksum."""
    body = bytes(data)
    cksum = in_cksum(_ECHO.pack(icmp_type, 0, 0, ident, seq) + body)
    return _ECHO.pack(icmp_type, 0, cksum, ident, seq) + body
