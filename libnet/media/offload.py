"""Do what offload left undone: checksums, and cutting TCP super-frames into segments.

The marks mean what virtio-net's header means (VIRTIO 1.2 section 5.1.6.2): an undone transport
checksum field holds the sum of the pseudo-header, and the rest is summed over the transport header
and payload. Segments follow RFC 9293 and RFC 3168 section 6.1.2: sequence numbers advance, FIN and
PSH stay on the last, CWR on the first.

A frame that cannot be understood (no IP, wrong lengths) is returned as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from struct import Struct
from typing import Final

from libnet.media.port import TAKES_ALL, TAKES_GSO, Frame
from libnet.wire.offload import complement as _complement
from libnet.wire.offload import complete as complete
from libnet.wire.offload import layout as layout
from libnet.wire.offload import residue as _sum

_TCP: Final = 6
_FIN, _PSH, _CWR = 0x01, 0x08, 0x80
_U16: Final = Struct("!H")
_U32: Final = Struct("!I")
_PLAIN: Final = {bytes}


def cut(frame: bytes) -> list[bytes]:
    """Return the complete frames that *frame* stands for: TCP/IPv4 segments of gso_size octets.

    A frame without a gso_size, or that is no TCP over IPv4, comes back alone, completed.
    """
    size = getattr(frame, "gso_size", 0)
    if not size:
        return [complete(frame)]
    where = layout(frame)
    if where is None or frame[where[0]] >> 4 != 4 or where[3] != _TCP:
        return [complete(frame)]
    net, transport, end, _proto = where
    if transport + 20 > end:
        return [complete(frame)]
    payload = transport + (frame[transport + 12] >> 4) * 4
    if not transport + 20 <= payload < end:
        return [complete(frame)]

    head = bytearray(frame[:payload])
    ident = _U16.unpack_from(head, net + 4)[0]
    seq = _U32.unpack_from(head, transport + 4)[0]
    flags = head[transport + 13]
    headlen = payload - net
    head[net + 10 : net + 12] = b"\0\0"
    head[transport + 16 : transport + 18] = b"\0\0"
    # Sums of what all segments share: addresses and protocol of the pseudo-header.
    pseudo = _sum(bytes(head[net + 12 : net + 20])) + _TCP
    out = []
    for number, at in enumerate(range(payload, end, size)):
        piece = frame[at : min(at + size, end)]
        last = at + size >= end
        now = flags
        if number:
            now &= ~_CWR
        if not last:
            now &= ~(_FIN | _PSH)
        _U16.pack_into(head, net + 2, headlen + len(piece))
        _U16.pack_into(head, net + 4, (ident + number) & 0xFFFF)
        _U32.pack_into(head, transport + 4, (seq + at - payload) & 0xFFFFFFFF)
        head[transport + 13] = now
        made = bytearray(head)
        made += piece
        _U16.pack_into(made, net + 10, _complement(_sum(bytes(head[net:transport]))))
        whole = _sum(bytes(made[transport:])) + pseudo + payload - transport + len(piece)
        _U16.pack_into(made, transport + 16, _complement(whole % 0xFFFF))
        out.append(bytes(made))
    return out


def fit(frames: Sequence[bytes], takes: int = 0) -> Sequence[bytes]:
    """Return *frames* with every mark resolved that a receiver with *takes* cannot take.

    Frames without marks, the usual case, cost one look at their types.
    """
    if takes == TAKES_ALL or set(map(type, frames)) <= _PLAIN:
        return frames
    return list(_fitted(frames, takes))


def _fitted(frames: Iterable[bytes], takes: int) -> Iterable[bytes]:
    for frame in frames:
        if type(frame) is bytes:
            yield frame
            continue
        csum = getattr(frame, "csum", 0)
        gso = getattr(frame, "gso_size", 0)
        if gso and not takes & TAKES_GSO:
            yield from cut(frame)
        elif gso or not csum & ~takes:
            # A super-frame has no sum of its own to complete: whoever cuts it computes them all.
            yield frame if isinstance(frame, Frame) else bytes(frame)
        else:
            yield complete(frame)
