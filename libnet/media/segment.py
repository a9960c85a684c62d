"""A wire inside one process: frames pass by reference, on the clock, in batches.

Frames sent in one pass are delivered by one callout, so two boxes never recurse into each other and
a batch costs the heap operation once. With two ports on the wire, the usual case, a batch is handed
over whole; with more, the segment is a switch that learns which port owns an address and floods what
it does not know.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from libnet.clock import Clock, Dice
from libnet.media.impair import Impairer, Impairments, seeded
from libnet.media.offload import fit
from libnet.media.port import QUEUE_FRAMES, TAKES_ALL, Stat, ignore_link

MAX_MACS: Final = 8192
ETHER_HDR: Final = 14

Tap = Callable[[float, Sequence[bytes]], None]


class MemPort:
    """One end of a Segment; a libnet.media.port.Port.

    label    "BoxA.wm0": what a partition names
    """

    __slots__ = (
        "_impairer",
        "_others",
        "_queue",
        "_segment",
        "carrier",
        "label",
        "link",
        "offload",
        "receive",
        "stat",
        "takes",
    )

    def __init__(self, segment: Segment, label: str) -> None:
        self.label = label
        self.receive: Callable[[Sequence[bytes]], None] = self._nobody
        self.link: Callable[[bool], None] = ignore_link
        self.carrier = True
        self.offload = True
        self.takes = TAKES_ALL
        self.stat = Stat()
        self._segment: Segment | None = segment
        self._queue: list[bytes] = []
        self._impairer: Impairer | None = None
        self._others: tuple[MemPort, ...] = ()

    def send(self, frame: bytes) -> None:
        """Queue *frame* for the end of the pass; drop it when QUEUE_FRAMES already wait."""
        queue = self._queue
        if not queue:
            if self._segment is None:
                self.stat["unplugged"] += 1
                return
            self._segment._kick(self)
        elif len(queue) >= QUEUE_FRAMES:
            self.stat["queue full"] += 1
            return
        queue.append(frame)

    def send_many(self, frames: Sequence[bytes]) -> None:
        """Queue several at once."""
        queue = self._queue
        if not queue and frames:
            if self._segment is None:
                self.stat["unplugged"] += len(frames)
                return
            self._segment._kick(self)
        room = QUEUE_FRAMES - len(queue)
        if len(frames) > room:
            self.stat["queue full"] += len(frames) - room
            frames = frames[:room]
        queue.extend(frames)

    def set_carrier(self, up: bool) -> None:
        """Plug the cable in or pull it; the NIC is told."""
        if up != self.carrier and self._segment is not None:
            self.carrier = up
            self._segment._rewire()
            self.link(up)

    def close(self) -> None:
        """Unplug for good; what was queued is lost."""
        segment, self._segment = self._segment, None
        if segment is None:
            return
        if self._impairer is not None:
            self._impairer.close()
        if self._queue:
            self.stat["unplugged"] += len(self._queue)
            self._queue = []
        self.carrier = False
        segment.ports.remove(self)
        segment._rewire()

    def _nobody(self, frames: Sequence[bytes]) -> None:
        self.stat["not attached"] += len(frames)


class Segment:
    """A wired broadcast domain of boxes that live in one process.

    clock   whose passes deliver
    dice    what impairments are thrown with when they bring no seed of their own
    ports   those plugged in, in that order
    stat    sums over all ports: frames, octets, flooded, and drops of closed ports' kinds
    """

    def __init__(self, name: str, clock: Clock, dice: Dice) -> None:
        self.name = name
        self.clock, self.dice = clock, dice
        self.ports: list[MemPort] = []
        self.stat = Stat()
        self._impairments = Impairments()
        self._disturbed = False
        self._taps: list[Tap] = []
        self._macs: dict[bytes, MemPort] = {}
        self._kicked: list[MemPort] = []

    def plug(self, label: str = "") -> MemPort:
        """Return a new port; *label* is what a partition calls it ("BOX.NIC")."""
        port = MemPort(self, label or f"port{len(self.ports)}")
        self.ports.append(port)
        self._arm(port)
        self._rewire()
        return port

    @property
    def impairments(self) -> Impairments:
        """What is wrong with the wire now."""
        return self._impairments

    def impair(self, how: Impairments) -> None:
        """Change the wire at once; frames under way arrive as they would have."""
        self._impairments = how
        self._disturbed = how.disturbs
        for port in self.ports:
            self._arm(port)
        self._rewire()

    def tap(self, callback: Tap) -> None:
        """Call *callback(now, frames)* with every frame that passes, once, complete."""
        self._taps.append(callback)

    def untap(self, callback: Tap) -> None:
        """End tap(). Raises ValueError if it is not tapped."""
        self._taps.remove(callback)

    def _arm(self, port: MemPort) -> None:
        how = self._impairments
        dice = self.dice if how.seed is None else seeded(how.seed, port.label)
        if port._impairer is not None:
            # It stays, for it may hold frames that are under way.
            port._impairer.how, port._impairer.dice = how, dice
        elif self._disturbed:
            port._impairer = Impairer(
                self.clock, dice, how, port.stat, lambda frames: self._carry(port, frames)
            )

    def _rewire(self) -> None:
        """Work out who hears whom, and forget what was learned: ports have come, gone or moved."""
        how = self._impairments
        live = [port for port in self.ports if port.carrier]
        for port in self.ports:
            port._others = tuple(
                other for other in live if other is not port and how.hears(port.label, other.label)
            )
        self._macs.clear()

    def _kick(self, port: MemPort) -> None:
        if not self._kicked:
            self.clock.after(0.0, self._deliver)
        self._kicked.append(port)

    def _deliver(self) -> None:
        kicked, self._kicked = self._kicked, []
        for port in kicked:
            frames, port._queue = port._queue, []
            if not frames:
                continue  # closed meanwhile
            if not port.carrier:
                port.stat["no carrier"] += len(frames)
                continue
            stat = port.stat
            stat["opackets"] += len(frames)
            stat["obytes"] += sum(map(len, frames))
            # A port that still has frames under way keeps its order when the wire gets well.
            if port._impairer is not None and (self._disturbed or not port._impairer.idle):
                port._impairer.send(fit(frames))
            else:
                self._carry(port, frames)

    def _carry(self, port: MemPort, frames: Sequence[bytes]) -> None:
        """Hand over what came through the wire from *port*."""
        octets = sum(map(len, frames))
        self.stat["frames"] += len(frames)
        self.stat["octets"] += octets
        if self._taps:
            whole = fit(frames)
            for tap in tuple(self._taps):
                tap(self.clock.now, whole)
        others = port._others
        if len(others) == 1:
            self._hand(others[0], frames, octets)
        elif others:
            self._switch(port, frames)
        else:
            self.stat["nobody there"] += len(frames)

    def _switch(self, port: MemPort, frames: Sequence[bytes]) -> None:
        macs, others = self._macs, port._others
        boxes: dict[MemPort, list[bytes]] = {}
        last, outs = b"", list[list[bytes]]()
        for frame in frames:
            pair = frame[:12]
            if pair != last:
                last = pair
                src = pair[6:]
                if macs.get(src) is not port and len(src) == 6 and not src[0] & 1:
                    if len(macs) >= MAX_MACS:
                        macs.clear()
                        self.stat["address table full"] += 1
                    macs[src] = port
                to = macs.get(pair[:6])
                if to is None:
                    outs = [boxes.setdefault(other, []) for other in others]
                elif to in others:
                    outs = [boxes.setdefault(to, [])]
                else:
                    outs = []  # it lives behind the port it came from, or across a partition
            for out in outs:
                out.append(frame)
            if len(outs) != 1:
                self.stat["flooded" if outs else "filtered"] += 1
        for other, mine in boxes.items():
            if mine:
                self._hand(other, mine, sum(map(len, mine)))

    def _hand(self, port: MemPort, frames: Sequence[bytes], octets: int) -> None:
        if port.takes != TAKES_ALL:
            frames = fit(frames, port.takes)
        stat = port.stat
        stat["ipackets"] += len(frames)
        stat["ibytes"] += octets
        port.receive(frames)
