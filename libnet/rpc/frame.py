"""RPC framing: what a message looks like on the stream between a program and its stack.

    length   4 octets, of everything after it
    version  1 octet, VERSION
    kind     1 octet, REQUEST, REPLY or ERROR
    flags    2 octets, zero
    seq      4 octets, chosen by the caller and given back
    payload  one value of libnet.rpc.codec: for REQUEST a list [operation, argument…], for REPLY the
             result, for ERROR the error symbol

A frame that is too long is skipped to its end, one that is wrong inside is answered with EINVAL:
neither loses the connection.
"""

from __future__ import annotations

from struct import Struct
from typing import Any, Final, NamedTuple

from libnet.rpc.codec import BadMessage, decode, encode

VERSION: Final = 1
REQUEST: Final = 0
REPLY: Final = 1
ERROR: Final = 2

MAX_FRAME: Final = 4 << 20

_HDR = Struct("!IBBHI")
_BODY = _HDR.size - 4


class Frame(NamedTuple):
    """One message. A bad one has kind None and the reason as its value."""

    kind: int | None
    seq: int
    value: Any


def pack(kind: int, seq: int, value: Any) -> bytes:
    """Return the octets of one frame. Raises ValueError when it would be over MAX_FRAME."""
    payload = encode(value)
    if len(payload) + _BODY > MAX_FRAME:
        raise ValueError("message too long")
    return _HDR.pack(len(payload) + _BODY, VERSION, kind, 0, seq) + payload


class FrameReader:
    """Cuts a stream into frames; arbitrary octets never raise."""

    def __init__(self) -> None:
        self._buf = bytearray()
        self._skip = 0

    def feed(self, octets: bytes) -> list[Frame]:
        """Take what arrived; return the frames that are now whole."""
        if self._skip:
            gone = min(self._skip, len(octets))
            self._skip -= gone
            octets = octets[gone:]
        self._buf += octets
        frames: list[Frame] = []
        buf = self._buf
        while len(buf) >= _HDR.size:
            size, version, kind, flags, seq = _HDR.unpack_from(buf)
            total = size + 4
            if size < _BODY or size > MAX_FRAME:
                frames.append(Frame(None, seq, "length"))
                gone = min(max(total, _HDR.size), len(buf))
                self._skip = max(total, _HDR.size) - gone
                del buf[:gone]
                continue
            if len(buf) < total:
                break
            payload = bytes(buf[_HDR.size : total])
            del buf[:total]
            if version != VERSION or kind > ERROR or flags:
                frames.append(Frame(None, seq, "version"))
                continue
            try:
                frames.append(Frame(kind, seq, decode(payload)))
            except BadMessage as exc:
                frames.append(Frame(None, seq, str(exc)))
        return frames
