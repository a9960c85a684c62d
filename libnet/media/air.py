"""An air inside one process: radios, places and the time that frames take, on the clock.

Theory of operation. A frame in flight is one object and one callout, for the moment when it has come
in everywhere. Who wants to send asks for the channel: it is free when no flight that this antenna
hears is under way or has announced an answer (its duration field), for DIFS and a number of slots.
So those that hear each other take turns. Those that do not, overlap; where both are heard the weaker
one is lost, both when neither is stronger by the capture margin. Every receiver throws for damage with
the air's dice.

A frame to one address is handed only to the antennas that want it: the one with the address, and the
nosy ones. Levels between two antennas are remembered until something moves.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from libnet.clock import Callout, Clock, Dice
from libnet.media.airmodel import (
    LEAST_SNR,
    ORIGIN,
    AirProperties,
    ErrorTable,
    Position,
    position,
    reference_loss,
    spread_loss,
)
from libnet.media.airport import MAX_FRAME, MIN_FRAME, Heard, Receive, ignore, times_of
from libnet.media.impair import seeded
from libnet.media.port import Stat
from libnet.wire.phy import RX_BADFCS, RX_SHORTPRE, airtime_us

MAX_ON_AIR: Final = 4096  # flights remembered on one channel
ACK_US: Final = 304  # the longest answer: an ACK or CTS at 1 Mb/s with the long preamble

Tap = Callable[[float, Heard], None]


class _Flight:
    """One frame on the air, from start to end; who hears it keeps silent until nav (all seconds)."""

    __slots__ = (
        "channel",
        "end",
        "frame",
        "landed",
        "nav",
        "port",
        "power",
        "rate",
        "short",
        "start",
    )

    def __init__(
        self,
        channel: _Channel,
        port: MemAirPort,
        frame: bytes,
        rate: int,
        power: int,
        short: bool,
        start: float,
        end: float,
        nav: float,
    ) -> None:
        self.channel, self.port, self.frame = channel, port, frame
        self.rate, self.power, self.short = rate, power, short
        self.start, self.end, self.nav = start, end, nav
        self.landed = False

    def land(self) -> None:
        """Bring it to whoever hears it."""
        self.landed = True
        self.channel.land(self)


class _Channel:
    """One frequency: the antennas on it, and what is in flight."""

    __slots__ = ("air", "base_loss", "by_mac", "flights", "freq", "nosy", "ports", "sifs", "slot")

    def __init__(self, air: Air, freq: int) -> None:
        self.air, self.freq = air, freq
        self.base_loss = reference_loss(freq)
        self.sifs, self.slot = times_of(freq)
        self.ports: dict[MemAirPort, None] = {}
        self.by_mac: dict[bytes, dict[MemAirPort, None]] = {}
        self.nosy: dict[MemAirPort, None] = {}
        self.flights: list[_Flight] = []

    def join(self, port: MemAirPort) -> None:
        self.ports[port] = None
        if port.nosy:
            self.nosy[port] = None
        else:
            self.by_mac.setdefault(port.address, {})[port] = None

    def leave(self, port: MemAirPort) -> None:
        del self.ports[port]
        self.nosy.pop(port, None)
        mine = self.by_mac.get(port.address)
        if mine is not None:
            mine.pop(port, None)
            if not mine:
                del self.by_mac[port.address]

    def level(self, sender: MemAirPort, power: int, receiver: MemAirPort) -> float:
        """Return the signal of *sender* at *receiver*, dBm."""
        loss = receiver.losses.get(sender)
        if loss is None:
            air = self.air
            loss = receiver.losses[sender] = spread_loss(
                sender.place, receiver.place, air.properties.exponent
            )
        return power - self.base_loss - loss

    def free_at(self, port: MemAirPort) -> float:
        """Return when the channel gets free, as *port* hears it; now at the earliest."""
        when = self.air.clock.now
        sense = self.air.properties.sense
        for flight in self.flights:
            if flight.port is port:
                # Its own frame and the answer that it waits for.
                when = max(when, flight.nav)
            elif flight.nav > when and self.level(flight.port, flight.power, port) >= sense:
                when = flight.nav
        return when

    def land(self, flight: _Flight) -> None:
        air = self.air
        flights = self.flights
        rivals: list[_Flight] | None = None
        if len(flights) > 1:
            start, end = flight.start, flight.end
            rivals = [
                f for f in flights if f is not flight and f.start < end and f.end > start
            ] or None
        self._forget()
        port = flight.port
        if port.closed:
            port.stat["cut off"] += 1
            return
        frame = flight.frame
        if air.taps:
            flags = RX_SHORTPRE if flight.short else 0
            signal = round(flight.power - self.base_loss)
            heard = Heard(frame, self.freq, flight.rate, signal, flags, port.label)
            for tap in tuple(air.taps):
                tap(air.clock.now, heard)
        to = frame[4:10]
        if to[0] & 1:
            for receiver in tuple(self.ports):
                if receiver is not port:
                    self._hand(flight, receiver, rivals)
            return
        mine = self.by_mac.get(to)
        if mine is not None:
            for receiver in tuple(mine):
                if receiver is not port:
                    self._hand(flight, receiver, rivals)
        if self.nosy:
            for receiver in tuple(self.nosy):
                if receiver is not port:
                    self._hand(flight, receiver, rivals)

    def _hand(self, flight: _Flight, port: MemAirPort, rivals: list[_Flight] | None) -> None:
        if port.channel is not self or port.since > flight.start:
            return  # it came, or left, while the frame was on its way
        air = self.air
        properties = air.properties
        frame, rate = flight.frame, flight.rate
        signal = self.level(flight.port, flight.power, port)
        noise = properties.noise
        if rivals is not None:
            for rival in rivals:
                if rival.port is port:
                    port.stat["rx while sending"] += 1
                    return
                other = self.level(rival.port, rival.power, port)
                if other < noise + LEAST_SNR:
                    continue
                if signal - other < properties.capture:
                    port.stat["collisions"] += 1
                    air.stat["collisions"] += 1
                    return
                noise = max(noise, other)
        snr = signal - noise
        if snr < LEAST_SNR:
            return  # out of range
        flags = RX_SHORTPRE if flight.short else 0
        chance = air.errors.per(rate, len(frame), snr)
        if (chance and (chance >= 1.0 or air.dice.random() < chance)) or (
            properties.loss and air.dice.random() * 100 < properties.loss
        ):
            flags |= RX_BADFCS
            air.stat["damaged"] += 1
            bit = air.dice.getrandbits(16) % (8 * len(frame))
            work = bytearray(frame)
            work[bit >> 3] ^= 1 << (bit & 7)
            frame = bytes(work)
        stat = port.stat
        stat["ipackets"] += 1
        stat["ibytes"] += len(frame)
        port.receive(frame, round(signal), rate, flags)

    def _forget(self) -> None:
        """Forget flights that no other can overlap any more, and nobody keeps silent for."""
        now = self.air.clock.now
        flights = self.flights
        if len(flights) == 1:
            if flights[0].nav <= now:
                flights.clear()
            return
        oldest = min((f.start for f in flights if not f.landed), default=now)
        flights[:] = [f for f in flights if not f.landed or f.nav > now or f.end > oldest]


class MemAirPort:
    """One antenna on an Air; a libnet.media.airport.AirPort."""

    __slots__ = (
        "_air",
        "_callout",
        "_counting_from",
        "_go",
        "_slots",
        "address",
        "channel",
        "clock",
        "label",
        "losses",
        "nosy",
        "place",
        "prompt",
        "receive",
        "since",
        "stat",
        "unanswered",
    )

    def __init__(self, air: Air, label: str) -> None:
        self.label = label
        self.receive: Receive = self._nobody
        self.unanswered: Callable[[], None] = ignore  # here answers come in time, or not
        self.clock = air.clock
        self.stat = Stat()
        self.prompt = True
        self.address = b""
        self.nosy = False
        self.place: Position = air.places.get(label, ORIGIN)
        self.channel: _Channel | None = None
        self.since = 0.0  # when it began to listen
        self.losses: dict[MemAirPort, float] = {}
        self._air: Air | None = air
        self._go: Callable[[], None] | None = None
        self._slots = 0
        self._counting_from = 0.0
        self._callout: Callout | None = None

    @property
    def closed(self) -> bool:
        """Tell whether close() was called: what is in flight is cut off, too."""
        return self._air is None

    @property
    def noise(self) -> int:
        """Return the noise floor, dBm."""
        return round(self._air.properties.noise) if self._air is not None else -95

    def listen(self, freq: int, address: bytes, *, nosy: bool) -> None:
        """Say what is wanted from now on."""
        air, old = self._air, self.channel
        if air is None:
            return
        if old is not None:
            old.leave(self)
        self.address, self.nosy = address, nosy
        if not freq:
            self.channel = None
            return
        channel = self.channel = air.channel(freq)
        channel.join(self)
        if channel is not old:
            self.since = self.clock.now
            if self._go is not None:
                self._arm()

    def contend(self, slots: int, go: Callable[[], None]) -> None:
        """Call *go* when the channel has been free for long enough."""
        self._go, self._slots = go, slots
        self._arm()

    def withdraw(self) -> None:
        """Forget contend()."""
        self._go = None
        if self._callout is not None:
            self._callout.stop()
            self._callout = None

    def _arm(self) -> None:
        channel = self.channel
        if self._callout is not None:
            self._callout.stop()
        if channel is None:
            return  # off: listen() goes on
        free = channel.free_at(self)
        self._counting_from = free + channel.sifs + 2 * channel.slot  # DIFS
        due = self._counting_from + self._slots * channel.slot
        self._callout = self.clock.after(due - self.clock.now, self._try)

    def _try(self) -> None:
        channel, go = self.channel, self._go
        if channel is None or go is None:
            return
        now = self.clock.now
        if channel.flights and channel.free_at(self) > now:
            # Somebody was faster. What was counted down stays so, and two never end in one slot.
            began = min((f.start for f in channel.flights if f.nav > now), default=now)
            counted = int(max(0.0, began - self._counting_from) / channel.slot)
            self._slots = max(1, self._slots - counted)
            self._arm()
            return
        self._go = self._callout = None
        go()

    def emit(
        self,
        frame: bytes,
        rate: int,
        power: int,
        *,
        short: bool = False,
        nav_us: int = 0,
        after_s: float = 0.0,
    ) -> float:
        """Send *frame*; return when it is out, in seconds from now."""
        channel = self.channel
        if channel is None:
            self.stat["unplugged" if self._air is None else "switched off"] += 1
            return 0.0
        octets = len(frame)
        if not MIN_FRAME <= octets <= MAX_FRAME:
            self.stat["bad frame length"] += 1
            return 0.0
        flights = channel.flights
        if len(flights) >= MAX_ON_AIR:
            self.stat["air full"] += 1
            return 0.0
        now = self.clock.now
        wait = after_s + airtime_us(rate, octets, short_preamble=short) * 1e-6
        end = now + wait
        flight = _Flight(
            channel, self, frame, rate, power, short, now + after_s, end, end + nav_us * 1e-6
        )
        flights.append(flight)
        self.clock.after(wait, flight.land)
        stat = self.stat
        stat["opackets"] += 1
        stat["obytes"] += octets
        return wait

    def patience(self, to: bytes) -> float:
        """Return how long an answer may take: SIFS, the answer, and a slot."""
        channel = self.channel
        if channel is None:
            return 0.0
        return channel.sifs + channel.slot + ACK_US * 1e-6

    def coming(self) -> float:
        """Return in how many seconds an answer comes in that is on its way already; 0.0 for none."""
        if self.channel is not None:
            for flight in self.channel.flights:
                if (
                    not flight.landed
                    and len(flight.frame) == MIN_FRAME
                    and flight.frame[4:10] == self.address
                ):
                    return max(flight.end - self.clock.now, 1e-6)
        return 0.0

    def close(self) -> None:
        """Take the antenna away."""
        air, self._air = self._air, None
        if air is None:
            return
        self.withdraw()
        if self.channel is not None:
            self.channel.leave(self)
            self.channel = None
        air.ports.remove(self)
        air.forget_levels()

    def _nobody(self, frame: bytes, signal: int, rate: int, flags: int) -> None:
        self.stat["not attached"] += 1


class Air:
    """A radio space of boxes that live in one process.

    clock   when frames come in      dice    what damage is thrown with, unless there is a seed
    ports   antennas, in order       places  label: metres; antennas nobody placed are at the origin
    stat    sums: collisions, damaged
    """

    def __init__(self, name: str, clock: Clock, dice: Dice) -> None:
        self.name, self.clock = name, clock
        self.dice = self._own_dice = dice
        self.properties = AirProperties()
        self.errors = ErrorTable()
        self.ports: list[MemAirPort] = []
        self.places: dict[str, Position] = {}
        self.taps: list[Tap] = []
        self.stat = Stat()
        self._channels: dict[int, _Channel] = {}

    def plug(self, label: str = "") -> MemAirPort:
        """Return a new antenna; *label* is what a place is given to ("BOX.NIC")."""
        port = MemAirPort(self, label or f"port{len(self.ports)}")
        self.ports.append(port)
        return port

    def channel(self, freq: int) -> _Channel:
        """Return what is on *freq* MHz."""
        channel = self._channels.get(freq)
        if channel is None:
            channel = self._channels[freq] = _Channel(self, freq)
        return channel

    def change(self, properties: AirProperties) -> None:
        """Change the air at once, for frames under way as well."""
        if properties.seed != self.properties.seed:
            seed = properties.seed
            self.dice = self._own_dice if seed is None else seeded(seed, self.name)
        self.properties = properties
        self.forget_levels()

    def place(self, label: str, x: float, y: float, z: float = 0.0) -> None:
        """Put the antenna *label* somewhere, in metres. Raises ValueError."""
        where = self.places[label] = position((x, y, z))
        for port in self.ports:
            if port.label == label:
                port.place = where
        self.forget_levels()

    def forget_levels(self) -> None:
        """Work levels out anew: something has moved."""
        for port in self.ports:
            port.losses.clear()

    def tap(self, callback: Tap) -> None:
        """Call *callback(now, Heard)* with every frame when it has come in, whatever its channel."""
        self.taps.append(callback)

    def untap(self, callback: Tap) -> None:
        """End tap(). Raises ValueError if it is not tapped."""
        self.taps.remove(callback)
