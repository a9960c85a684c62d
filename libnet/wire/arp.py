"""Address Resolution Protocol packets (RFC 826; operations RFC 903, RFC 2390).

Parses and builds. The address lengths are the packet's own: 6 and 4 on Ethernet with IPv4, but a
peer may write anything, and what it wrote is what parse() gives back.
"""

from __future__ import annotations

from struct import Struct
from typing import Final, NamedTuple

from libnet.wire import Truncated
from libnet.wire.cksum import Octets

_HDR = Struct("!HHBBH")
HDRLEN: Final = _HDR.size

ARPHRD_ETHER: Final = 1
ARPHRD_IEEE1394: Final = 24

ARPOP_REQUEST: Final = 1
ARPOP_REPLY: Final = 2
ARPOP_REVREQUEST: Final = 3
ARPOP_REVREPLY: Final = 4
ARPOP_INVREQUEST: Final = 8
ARPOP_INVREPLY: Final = 9

PROTO_IP: Final = 0x0800
PROTO_TRAIL: Final = 0x1000
ETHER_ARPLEN: Final = 28


class Arp(NamedTuple):
    """One ARP packet.

    hrd, pro  hardware type, protocol type (an Ethertype)
    hln, pln  octets of a hardware and of a protocol address
    op        ARPOP_*
    sha, spa  sender's hardware and protocol address
    tha, tpa  target's
    """

    hrd: int
    pro: int
    hln: int
    pln: int
    op: int
    sha: bytes
    spa: bytes
    tha: bytes
    tpa: bytes

    @classmethod
    def parse(cls, buf: Octets) -> Arp:
        """Read the packet at the front of *buf*; octets after it are link padding.

        Raises Truncated if the header, or the addresses it declares, exceed *buf*.
        """
        if len(buf) < HDRLEN:
            raise Truncated("arp", need=HDRLEN, have=len(buf))
        hrd, pro, hln, pln, op = _HDR.unpack_from(buf)
        need = HDRLEN + 2 * hln + 2 * pln
        if len(buf) < need:
            raise Truncated("arp", need=need, have=len(buf))
        spa = HDRLEN + hln
        tha = spa + pln
        tpa = tha + hln
        return cls(
            hrd,
            pro,
            hln,
            pln,
            op,
            bytes(buf[HDRLEN:spa]),
            bytes(buf[spa:tha]),
            bytes(buf[tha:tpa]),
            bytes(buf[tpa:need]),
        )

    def build(self) -> bytes:
        """Return the octets that parse() would read back as this value."""
        head = _HDR.pack(self.hrd, self.pro, self.hln, self.pln, self.op)
        return head + self.sha + self.spa + self.tha + self.tpa


def arp_build(op: int, sha: bytes, spa: int, tha: bytes, tpa: int) -> bytes:
    """Return an ARP packet for IPv4 on Ethernet; *spa* and *tpa* are host integers."""
    return b"".join(
        (
            _HDR.pack(ARPHRD_ETHER, PROTO_IP, 6, 4, op),
            sha,
            spa.to_bytes(4, "big"),
            tha,
            tpa.to_bytes(4, "big"),
        )
    )
