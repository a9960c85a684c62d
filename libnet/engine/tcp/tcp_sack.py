"""Data out of order at the receiver, and what the sender knows of it (RFC 2018, 2883, 6675).

Numbers here are unrolled sequence numbers (tcp_var).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from libnet.engine.kern.stream import JOIN

if TYPE_CHECKING:
    from libnet.engine.tcp.tcp_subr import Tcp

MAXRUNS: Final = 128  # runs of out-of-order data held for one connection
DUP_SEGMENTS: Final = 3  # DupThresh of RFC 6675


class Run:
    """Contiguous data that came early: [start, end)."""

    __slots__ = ("chunks", "end", "start")

    def __init__(self, start: int, end: int, chunks: list[bytes]) -> None:
        self.start, self.end, self.chunks = start, end, chunks


class Reass:
    """The reassembly queue of one connection. What came first stays when data overlap.

    cc     octets held          fin  number of the FIN if it came early, else None
    dsack  a block to report as a duplicate with the next ACK (RFC 2883), or None
    """

    __slots__ = ("cc", "dsack", "fin", "recent", "runs")

    def __init__(self) -> None:
        self.runs: list[Run] = []
        self.recent: list[Run] = []
        self.cc = 0
        self.fin: int | None = None
        self.dsack: tuple[int, int] | None = None

    def insert(self, seq: int, data: bytes) -> bool:
        """Add *data*; False when there are MAXRUNS runs already and it would make another."""
        end = seq + len(data)
        runs = self.runs
        if runs and runs[-1].end == seq:
            run = runs[-1]
            _join(run.chunks, data)
            run.end = end
            self.cc += len(data)
            self._touch(run)
            return True
        first = 0
        while first < len(runs) and runs[first].end < seq:
            first += 1
        last = first
        while last < len(runs) and runs[last].start <= end:
            last += 1
        if first == last:
            if len(runs) >= MAXRUNS:
                return False
            run = Run(seq, end, [data])
            runs.insert(first, run)
            self.recent.insert(0, run)
            self.cc += len(data)
            return True
        chunks: list[bytes] = []
        at, had = seq, 0
        for old in runs[first:last]:
            if at < old.start:
                _join(chunks, data[at - seq : old.start - seq])
            if chunks:
                for chunk in old.chunks:
                    _join(chunks, chunk)
            else:
                chunks = old.chunks
            had += old.end - old.start
            at = max(at, old.end)
        if at < end:
            _join(chunks, data[at - seq :])
        run = Run(min(seq, runs[first].start), max(at, end), chunks)
        gone = runs[first:last]
        runs[first:last] = [run]
        self.recent = [run, *(other for other in self.recent if other not in gone)]
        self.cc += run.end - run.start - had
        return True

    def _touch(self, run: Run) -> None:
        recent = self.recent
        if recent[0] is not run:
            recent.remove(run)
            recent.insert(0, run)

    def pull(self, nxt: int) -> list[bytes]:
        """Return, and forget, the chunks that continue the stream at *nxt*."""
        out: list[bytes] = []
        runs = self.runs
        while runs and runs[0].start <= nxt:
            run = runs.pop(0)
            self.recent.remove(run)
            self.cc -= run.end - run.start
            skip = nxt - run.start
            for chunk in run.chunks:
                if skip >= len(chunk):
                    skip -= len(chunk)
                    continue
                out.append(chunk[skip:] if skip else chunk)
                skip = 0
            nxt = max(nxt, run.end)
        return out

    def blocks(self, limit: int) -> list[tuple[int, int]]:
        """Return what to tell the sender, the latest first (RFC 2018 4); a duplicate before all."""
        out = []
        if self.dsack is not None:
            out.append(self.dsack)
            self.dsack = None
        out += [(run.start, run.end) for run in self.recent[: limit - len(out)]]
        return out[:limit]

    @property
    def idle(self) -> bool:
        """Whether there is nothing left to keep."""
        return not self.runs and self.fin is None and self.dsack is None


def _join(chunks: list[bytes], data: bytes) -> None:
    if chunks and len(data) < JOIN and len(chunks[-1]) < JOIN:
        chunks[-1] += data
    elif data:
        chunks.append(data)


class Scoreboard:
    """What the receiver has of what is above snd_una.

    ranges    [start, end) that it has, in order      high_rxt  end of what was sent again
    rescued   whether the rescue retransmission of this recovery is spent
    """

    __slots__ = ("_tcp", "high_rxt", "ranges", "rescued")

    def __init__(self, tcp: Tcp) -> None:
        self._tcp = tcp
        self.ranges: list[tuple[int, int]] = []
        self.high_rxt = 0
        self.rescued = False

    def update(self, blocks: list[tuple[int, int]], una: int, top: int) -> int:
        """Take the blocks of an ACK; return how many octets are new among them.

        Blocks outside of what is under way are ignored: old news, duplicates, or nonsense.
        """
        new = 0
        for start, end in blocks:
            if una < end <= top and start < end and una <= start:
                new += self._add(start, end)
        return new

    def _add(self, start: int, end: int) -> int:
        ranges = self.ranges
        first = 0
        while first < len(ranges) and ranges[first][1] < start:
            first += 1
        last, had = first, 0
        low, high = start, end
        while last < len(ranges) and ranges[last][0] <= end:
            low, high = min(low, ranges[last][0]), max(high, ranges[last][1])
            had += ranges[last][1] - ranges[last][0]
            last += 1
        if first == last:
            tcp = self._tcp
            if len(ranges) >= tcp.sack_maxholes or tcp.sack_globalholes >= tcp.sack_globalmaxholes:
                tcp.stat["sackdropped"] += 1
                return 0
        self._count(1 - (last - first))
        ranges[first:last] = [(low, high)]
        return high - low - had

    def _count(self, more: int) -> None:
        self._tcp.sack_globalholes += more

    def advance(self, una: int) -> None:
        """Forget what is below *una*."""
        ranges = self.ranges
        gone = 0
        while gone < len(ranges) and ranges[gone][1] <= una:
            gone += 1
        if gone:
            del ranges[:gone]
            self._count(-gone)
        if ranges and ranges[0][0] < una:
            ranges[0] = una, ranges[0][1]

    def clear(self) -> None:
        """Forget everything: the receiver may have thrown its data away (RFC 2018 8)."""
        self._count(-len(self.ranges))
        self.ranges.clear()
        self.high_rxt = 0
        self.rescued = False

    def lost_edge(self, una: int, seg: int) -> int:
        """Return the number below which all that the receiver lacks counts as lost (IsLost)."""
        octets = 0
        for count, (start, end) in enumerate(reversed(self.ranges), 1):
            octets += end - start
            if count >= DUP_SEGMENTS or octets > (DUP_SEGMENTS - 1) * seg:
                return start
        return una

    def lacking(self, low: int, high: int) -> int:
        """Return how many octets of [low, high) the receiver lacks."""
        if high <= low:
            return 0
        total = high - low
        for start, end in self.ranges:
            if start >= high:
                break
            if end > low:
                total -= min(end, high) - max(start, low)
        return total

    def pipe(self, una: int, top: int, edge: int) -> int:
        """Return the octets that are thought to be under way (SetPipe)."""
        return self.lacking(max(una, edge), top) + self.lacking(una, min(self.high_rxt, top))

    def hole(self, low: int, high: int) -> tuple[int, int]:
        """Return the first stretch of [low, high) that the receiver lacks; (high, high) for none."""
        for start, end in self.ranges:
            if start >= high:
                break
            if low < start:
                return low, start
            low = max(low, end)
        return (low, high) if low < high else (high, high)

    @property
    def top(self) -> int:
        """Return the end of the highest range, 0 when there is none."""
        return self.ranges[-1][1] if self.ranges else 0
