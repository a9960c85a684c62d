"""Reassembly of fragments (RFC 791 section 3.2, RFC 815's aim by BSD's way; RFC 1858 for its abuse).

A queue holds the fragments of one datagram, ordered and disjoint: what overlaps is trimmed to what came
before it, so nothing that was accepted is ever overwritten. Everything has a limit: queues
(net.inet.ip.maxfragpackets), queues of one source (half of that), fragments over all, and time.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Final

from libnet.clock import Callout
from libnet.engine.kern.mbuf import M_CSUM_IPv4, Mbuf
from libnet.wire.cksum import in_cksum
from libnet.wire.icmp import ICMP_TIMXCEED, ICMP_TIMXCEED_REASS
from libnet.wire.ipv4 import IP_MAXPACKET, IP_MF, IP_OFFMASK, IPFRAGTTL

if TYPE_CHECKING:
    from libnet.engine.inet.ip import Ip

MAXFRAGS: Final = 4096  # fragments held over all queues
_TICK_S: Final = 0.5  # IPFRAGTTL counts half-seconds
_MINFRAG: Final = 16  # RFC 1858 3.2.1: a first fragment must hold the ports and the flags of TCP
_TCP: Final = 6

Key = tuple[int, int, int, int]


class Ipq:
    """The fragments of one datagram.

    starts, parts  where each piece begins and its octets, both in order
    end            octets of payload, known once the last fragment is there
    first          the packet with offset 0
    """

    __slots__ = ("count", "end", "first", "held", "parts", "starts", "timer")

    def __init__(self) -> None:
        self.starts: list[int] = []
        self.parts: list[bytes] = []
        self.end: int | None = None
        self.first: Mbuf | None = None
        self.held = 0
        self.count = 0
        self.timer: Callout | None = None


class IpReass:
    """The reassembly queues of one stack, oldest first."""

    def __init__(self, ip: Ip) -> None:
        self.ip = ip
        self.stack = ip.stack
        self.stat = ip.stat
        self.queues: dict[Key, Ipq] = {}
        self.nfrags = 0
        self.sources: dict[int, int] = {}

    def input(self, m: Mbuf) -> Mbuf | None:
        """Take a fragment that is for us; return the datagram when it is whole."""
        stack = self.stack
        payload = m.data[m.hlen :]
        size = len(payload)
        more = m.ip_off & IP_MF
        if more and (not size or size & 7):
            stack.drop(m, "ip", "badfrags", f"{size} octets before more")
            return None
        offset = (m.ip_off & IP_OFFMASK) << 3
        self.stat["fragments"] += 1
        if (m.proto == _TCP and ((more and not offset and size < _MINFRAG) or offset == 8)) or (
            not size
        ):
            # RFC 1858 3.2, 4.2: such a cut serves to hide a header or to replace one.
            stack.drop(m, "ip", "badfrags", f"tiny fragment of {size} octets at {offset}")
            return None
        if offset + size + m.hlen > IP_MAXPACKET:
            stack.drop(m, "ip", "toolong", f"fragment ends at {offset + size}")
            return None
        key = (m.src, m.dst, m.proto, m.ip_id)
        queue = self.queues.get(key)
        if queue is None:
            queue = self._open(m, key)
            if queue is None:
                return None
        if self.nfrags >= MAXFRAGS:
            self._drophalf(key)
        if not self._insert(queue, m, offset, payload, bool(more)):
            return None
        if queue.end is None or queue.held != queue.end or queue.first is None:
            return None
        return self._whole(key, queue)

    def _open(self, m: Mbuf, key: Key) -> Ipq | None:
        limit = self.ip.maxfragpackets
        if limit >= 0:
            if len(self.queues) >= limit:
                self.stack.drop(m, "ip", "fragdropped", f"{limit} datagrams wait already")
                return None
            if self.sources.get(m.src, 0) >= max(limit // 2, 1):
                self.stack.drop(m, "ip", "fragdropped", "this source has its share")
                return None
        queue = self.queues[key] = Ipq()
        self.sources[m.src] = self.sources.get(m.src, 0) + 1
        queue.timer = self.stack.clock.after(IPFRAGTTL * _TICK_S, lambda: self._expire(key))
        return queue

    def _insert(self, queue: Ipq, m: Mbuf, offset: int, payload: bytes, more: bool) -> bool:
        """Put a piece in its place, trimmed; False when nothing of it was new."""
        starts, parts = queue.starts, queue.parts
        start, end = offset, offset + len(payload)
        if (queue.end is not None and (end > queue.end or (not more and end != queue.end))) or (
            not more and starts and starts[-1] + len(parts[-1]) > end
        ):
            self.stack.drop(m, "ip", "fragdropped", "it contradicts where the datagram ends")
            return False
        at = bisect_right(starts, start)
        if at:
            before = starts[at - 1] + len(parts[at - 1])
            if before > start:
                if before >= end:
                    self.stack.drop(m, "ip", "fragdropped", "nothing new in it")
                    return False
                payload = payload[before - start :]
                start = before
        # What we hold beyond it gives way, as in BSD: trimmed at its front, or covered and dropped.
        while at < len(starts) and starts[at] < end:
            overlap = end - starts[at]
            if overlap < len(parts[at]):
                parts[at] = parts[at][overlap:]
                starts[at] += overlap
                queue.held -= overlap
                break
            queue.held -= len(parts[at])
            del starts[at], parts[at]
            queue.count -= 1
            self.nfrags -= 1
        starts.insert(at, start)
        parts.insert(at, payload)
        queue.held += len(payload)
        queue.count += 1
        self.nfrags += 1
        if not more:
            queue.end = end
        if not offset and queue.first is None:
            queue.first = m
        return True

    def _whole(self, key: Key, queue: Ipq) -> Mbuf | None:
        self._close(key)
        first = queue.first
        assert first is not None
        assert queue.end is not None
        hlen = first.hlen
        length = hlen + queue.end
        if length > IP_MAXPACKET:
            self.stack.drop(first, "ip", "toolong")
            return None
        head = first.data[:2] + length.to_bytes(2, "big") + first.data[4:6]
        off = first.ip_off & ~(IP_MF | IP_OFFMASK)
        head += off.to_bytes(2, "big") + first.data[8:10] + b"\0\0" + first.data[12:hlen]
        cksum = in_cksum(head)
        m = Mbuf(
            head[:10] + cksum.to_bytes(2, "big") + head[12:] + b"".join(queue.parts),
            first.rcvif,
            first.flags,
            M_CSUM_IPv4,
        )
        m.tags = first.tags
        self.ip.reparse(m)
        self.stat["reassembled"] += 1
        return m

    def _close(self, key: Key) -> Ipq:
        queue = self.queues.pop(key)
        self.nfrags -= queue.count
        if queue.timer is not None:
            queue.timer.stop()
        left = self.sources[key[0]] - 1
        if left:
            self.sources[key[0]] = left
        else:
            del self.sources[key[0]]
        return queue

    def _expire(self, key: Key) -> None:
        queue = self._close(key)
        self.stack.drop(queue.first, "ip", "fragtimeout", f"{queue.held} octets were there")
        if queue.first is not None:
            # RFC 1122 3.3.2: tell the source, if the first fragment is there to be quoted.
            self.stack.icmp.error(queue.first, ICMP_TIMXCEED, ICMP_TIMXCEED_REASS)

    def _drophalf(self, spare: Key) -> None:
        """Give up the older half of what is held (ip_reass_drophalf)."""
        goal = self.nfrags // 2
        for key in list(self.queues):
            if self.nfrags <= goal:
                return
            if key == spare:
                continue
            queue = self._close(key)
            for _ in range(queue.count):
                self.stack.drop(queue.first, "ip", "rcvmemdrop", "too many fragments wait")

    def limit(self) -> None:
        """Keep to a limit that was lowered: the oldest datagrams go."""
        limit = self.ip.maxfragpackets
        while 0 <= limit < len(self.queues):
            key = next(iter(self.queues))
            queue = self._close(key)
            for _ in range(queue.count):
                self.stack.drop(queue.first, "ip", "fragdropped", "the limit was lowered")

    def drain(self) -> None:
        """Give up the older half (ip_drain)."""
        self._drophalf((0, 0, 0, 0))
