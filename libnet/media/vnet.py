"""virtio-net's header on a TAP (VIRTIO 1.2 section 5.1.6; Linux's IFF_VNET_HDR).

    octets  field, little-endian
    1       flags: NEEDS_CSUM 1, DATA_VALID 2
    1       gso_type: none 0, TCPV4 1, TCPV6 4; 0x80 ECN
    2       hdr_len     headers of a super-frame, octets
    2       gso_size    payload of a segment, octets
    2       csum_start  where the sum begins
    2       csum_offset where from there it goes

With it the kernel hands over TCP super-frames whole and leaves transport checksums undone, and takes
both from us: the marks of libnet.wire.frame.Frame in another writing. IPv4's own checksum has no
place in the header and is always done.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from libnet.media.offload import complete, cut, layout
from libnet.media.port import CSUM_IP4, CSUM_L4, marked

HDR: Final = Struct("<BBHHHH")
HDR_LEN: Final = HDR.size
NEEDS_CSUM: Final = 1
GSO_TCPV4: Final = 1
GSO_ECN: Final = 0x80
_NONE: Final = bytes(HDR_LEN)
_OFFSET: Final = {6: 16, 17: 6}


def unwrap(octets: bytes) -> bytes:
    """Return the frame that the kernel wrote, marked as its header says.

    A super-frame of a kind that was never asked for comes back whole and unmarked; what it is of
    too great a length for is then dropped and counted as any other giant.
    """
    head = octets[:HDR_LEN]
    if head == _NONE or len(head) < HDR_LEN:
        return octets[HDR_LEN:]
    flags, gso_type, _hdr_len, gso_size, _start, _offset = HDR.unpack(head)
    csum = CSUM_L4 if flags & NEEDS_CSUM else 0
    if gso_type & ~GSO_ECN != GSO_TCPV4:
        gso_size = 0
    if not csum and not gso_size:
        return octets[HDR_LEN:]
    return marked(octets[HDR_LEN:], csum=csum, gso_size=gso_size)


def wrap(frame: bytes) -> list[tuple[bytes, bytes]]:
    """Return (header, frame) pairs to write: one, or several where the kernel cannot cut for us."""
    if type(frame) is bytes:
        return [(_NONE, frame)]
    csum = getattr(frame, "csum", 0)
    gso_size = getattr(frame, "gso_size", 0)
    where = layout(frame)
    if where is None or where[3] not in _OFFSET or frame[where[0]] >> 4 != 4:
        return [(_NONE, piece) for piece in cut(frame)]
    _net, transport, _end, proto = where
    if csum & CSUM_IP4:
        frame = complete(marked(bytes(frame), csum=CSUM_IP4))
    if gso_size and proto == 6 and transport + 20 <= len(frame):
        hdr_len = transport + (frame[transport + 12] >> 4) * 4
        kind = GSO_TCPV4 | (GSO_ECN if frame[transport + 13] & 0x80 else 0)
        head = HDR.pack(NEEDS_CSUM, kind, hdr_len, gso_size, transport, 16)
        return [(head, frame)]
    if csum & CSUM_L4:
        return [(HDR.pack(NEEDS_CSUM, 0, 0, 0, transport, _OFFSET[proto]), frame)]
    return [(_NONE, frame)]
