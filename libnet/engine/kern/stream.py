"""The socket buffer of a byte stream.

Octets are kept as the chunks they came in, so that 64 KB which pass through whole are never copied;
only small chunks are joined, since a list of single octets would cost fifty times what it holds.
"""

from __future__ import annotations

from typing import Final

JOIN: Final = 2048  # chunks below this are joined with their neighbour


class ByteBuf:
    """struct sockbuf for a stream.

    cc     octets held               hiwat  most octets to hold
    lowat  fewest octets (of data, or of room) that make the socket ready
    """

    __slots__ = ("_at", "_chunks", "_head", "_i", "cc", "hiwat", "lowat")

    def __init__(self, hiwat: int, lowat: int = 1) -> None:
        self.hiwat = hiwat
        self.lowat = lowat
        self.cc = 0
        self._chunks: list[bytes] = []
        self._head = 0  # octets of the first chunk that are gone already
        # Where the last peek began: chunk _i starts at offset _at of the buffer.
        self._i = self._at = 0

    def space(self) -> int:
        """Return how many octets still fit; below 0 when the limit was lowered under what is held."""
        return self.hiwat - self.cc

    def append(self, data: bytes) -> None:
        """Add *data* at the end; the caller has looked at space()."""
        size = len(data)
        if not size:
            return
        chunks = self._chunks
        if size < JOIN and chunks and len(chunks[-1]) < JOIN:
            chunks[-1] += data
        else:
            chunks.append(data)
        self.cc += size

    def peek(self, off: int, n: int) -> bytes:
        """Return up to *n* octets from offset *off* on; they stay."""
        if n > self.cc - off:
            n = self.cc - off
        if n <= 0 or off < 0:
            return b""
        i, at = self._i, self._at
        if off < at:
            i, at = 0, -self._head
        chunks = self._chunks
        chunk = chunks[i]
        size = len(chunk)
        while off >= at + size:
            at += size
            i += 1
            chunk = chunks[i]
            size = len(chunk)
        self._i, self._at = i, at
        start = off - at
        if start + n <= size:
            return chunk if n == size else chunk[start : start + n]
        parts = [chunk[start:] if start else chunk]
        left = n - size + start
        while True:
            i += 1
            chunk = chunks[i]
            size = len(chunk)
            if size >= left:
                parts.append(chunk if size == left else chunk[:left])
                return b"".join(parts)
            parts.append(chunk)
            left -= size

    def drop(self, n: int) -> None:
        """Forget the first *n* octets, or all when there are fewer."""
        if n >= self.cc:
            self.flush()
            return
        if n <= 0:
            return
        self.cc -= n
        head = self._head + n
        chunks = self._chunks
        gone = 0
        while head >= len(chunks[gone]):
            head -= len(chunks[gone])
            gone += 1
        if gone:
            del chunks[:gone]
        self._head = head
        self._i -= gone
        self._at -= n
        if self._i <= 0:
            self._i, self._at = 0, -head

    def take(self, n: int) -> bytes:
        """Return up to the first *n* octets and forget them."""
        if n >= self.cc:
            chunks = self._chunks
            if self._head and chunks:
                chunks[0] = chunks[0][self._head :]
            data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
            self.flush()
            return data
        data = self.peek(0, n)
        self.drop(n)
        return data

    def flush(self) -> None:
        """Forget everything."""
        self._chunks.clear()
        self.cc = self._head = self._i = self._at = 0

    def held(self) -> list[tuple[int, bool]]:
        """Return (octets, False) for each chunk: what kern.mbuf.stats counts."""
        return [(len(chunk), False) for chunk in self._chunks]
