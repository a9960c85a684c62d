"""Finish what a marked frame's sender left undone: checksums (virtio-net's header, VIRTIO 1.2 5.1.6.2).

An undone transport checksum field holds the sum of the pseudo-header, and the rest is summed over the
transport header and payload. A frame that cannot be understood (no IP, wrong lengths) stays as it is.
"""

from __future__ import annotations

from struct import Struct
from typing import Final, NamedTuple

from libnet.wire.frame import CSUM_IP4, CSUM_L4

_ETHER: Final = 14
_TAG: Final = 4
_TAGS: Final = (b"\x81\x00", b"\x88\xa8")
_MAX_TAGS: Final = 2
_UDP: Final = 17
# Where the checksum lies in the transport header: TCP, UDP, ICMP, ICMPv6.
_FIELD: Final = {6: 16, _UDP: 6, 1: 2, 58: 2}
_U16: Final = Struct("!H")


class Layout(NamedTuple):
    """Where things are in a frame: network header, transport header, end of packet; IP protocol."""

    net: int
    transport: int
    end: int
    proto: int


def residue(octets: bytes) -> int:
    """Return the ones'-complement sum of *octets* as 16-bit words, 0 … 0xfffe.

    0xffff is congruent to 0 modulo 0xffff; the callers' data are never all zero, so a residue of 0
    stands for 0xffff and its complement is 0.
    """
    if len(octets) & 1:
        octets += b"\0"
    return int.from_bytes(octets, "big") % 0xFFFF


def complement(value: int) -> int:
    """Return what stands in a header for a residue."""
    return (0xFFFF - value) % 0xFFFF


def layout(frame: bytes) -> Layout | None:
    """Return where things are in an Ethernet frame of IP, or None."""
    net = _ETHER
    for _ in range(_MAX_TAGS):
        if frame[net - 2 : net] not in _TAGS:
            break
        net += _TAG
    kind = frame[net - 2 : net]
    if kind == b"\x08\x00":
        if len(frame) < net + 20 or frame[net] >> 4 != 4:
            return None
        transport = net + (frame[net] & 15) * 4
        end = net + int(_U16.unpack_from(frame, net + 2)[0])
        if not net + 20 <= transport <= end <= len(frame):
            return None
        return Layout(net, transport, end, frame[net + 9])
    if kind == b"\x86\xdd":
        if len(frame) < net + 40 or frame[net] >> 4 != 6:
            return None
        end = net + 40 + int(_U16.unpack_from(frame, net + 4)[0])
        if end > len(frame):
            return None
        return Layout(net, net + 40, end, frame[net + 6])
    return None


def complete(frame: bytes) -> bytes:
    """Return *frame* as plain octets with every undone checksum done.

    A frame that is also to be cut into segments keeps its length.
    """
    csum = getattr(frame, "csum", 0)
    if not csum:
        return bytes(frame)
    where = layout(frame)
    if where is None:
        return bytes(frame)
    net, transport, end, proto = where
    work = bytearray(frame)
    if csum & CSUM_L4:
        at = transport + _FIELD.get(proto, 0)
        # RFC 791: only the first fragment has a transport header, and its sum spans all of them,
        # so there is nothing that could be done to a fragment.
        fragment = frame[net] >> 4 == 4 and _U16.unpack_from(frame, net + 6)[0] & 0x3FFF
        if at > transport and at + 2 <= end and not fragment:
            value = complement(residue(frame[transport:end]))
            # RFC 768: a UDP sum of zero is sent as all ones, for zero means "not computed".
            _U16.pack_into(work, at, value or 0xFFFF if proto == _UDP else value)
    if csum & CSUM_IP4 and frame[net] >> 4 == 4:
        work[net + 10 : net + 12] = b"\0\0"
        _U16.pack_into(work, net + 10, complement(residue(bytes(work[net:transport]))))
    return bytes(work)
