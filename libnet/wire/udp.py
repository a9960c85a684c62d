"""UDP header (RFC 768; over IPv6 RFC 8200 section 8.1).

Parses and builds; keeps no state, verifies nothing that needs an address.
"""

from __future__ import annotations

from struct import Struct
from typing import Final, NamedTuple

from libnet.wire import Truncated
from libnet.wire.cksum import Octets, in4_cksum

_HDR = Struct("!HHHH")
HDRLEN: Final = _HDR.size


class Udp(NamedTuple):
    """One UDP header and a view of its payload.

    sport, dport  ports, host integers
    length        octets of header plus payload, as sent
    cksum         as sent; 0 over IPv4 means "not computed"
    payload       view into the caller's buffer
    """

    sport: int
    dport: int
    length: int
    cksum: int
    payload: Octets

    @classmethod
    def parse(cls, buf: Octets) -> Udp:
        """Read the header at the front of *buf*.

        Raises Truncated if the header, or the length it declares, exceeds *buf*, or if that length
        has no room for the header. Octets past the declared length are not in the view.
        """
        if len(buf) < HDRLEN:
            raise Truncated("udp", need=HDRLEN, have=len(buf))
        sport, dport, length, cksum = _HDR.unpack_from(buf)
        if not HDRLEN <= length <= len(buf):
            raise Truncated("udp", need=length, have=len(buf))
        return cls(sport, dport, length, cksum, memoryview(buf)[HDRLEN:length])

    def build(self) -> bytes:
        """Return the octets that parse() would read back as this value."""
        return _HDR.pack(self.sport, self.dport, self.length, self.cksum) + bytes(self.payload)


def udp_build(sport: int, dport: int, data: Octets, *, src: int, dst: int) -> bytes:
    """Return a datagram with its checksum under the pseudo header of *src* and *dst*.

    A checksum that comes out as 0 is sent as 0xffff, since 0 says "none" (RFC 768).
    """
    body = bytes(data)
    head = _HDR.pack(sport, dport, HDRLEN + len(body), 0)
    cksum = in4_cksum(src, dst, 17, head + body) or 0xFFFF
    return head[:6] + cksum.to_bytes(2, "big") + body
