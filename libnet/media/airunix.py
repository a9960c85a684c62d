"""An air between processes: a mesh (libnet.media.mesh) in WORLD/airs/NAME.

There is no central process, and nobody waits out the time that a frame takes: loops wait in
milliseconds. So a port sends at once while the air time that it has used up is less than PACE_S ahead
of the clock, and waits when it is more. Everything else is worked out where a frame comes in, from
what its datagram says of power, place and time: the signal, whether it is damaged, and whether another
frame from somebody whom the sender cannot hear came in at the same time.

- A full receiver never blocks the sender: some frames wait for it, what comes on top is lost and
  counted.
- A port tells the others what it listens to (TUNE), and is sent only what it wants; a recorder gets
  all. A port that has not told is sent everything. A receiver that is switched off tells only when
  it stays so: radios that save power are off and on ten times a second.
- Who cannot take a frame meant for him says so (LOST), so that the sender need not wait for an answer
  as long as a busy process may take.
- The file NAME/air (JSON with a generation number) has the air's properties and the places of
  antennas; every datagram carries the generation, so nobody keeps old ones for long.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from libnet.clock import Callout, Dice
from libnet.media.airgram import (
    Sent,
    Tuned,
    build_air,
    build_lost,
    build_tune,
    parse_air,
    parse_lost,
    parse_tune,
)
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
from libnet.media.datagram import (
    AIR,
    BYE,
    HELLO,
    IMPAIR,
    LOST,
    MAX_DATAGRAM,
    STATS,
    TUNE,
    BadDatagram,
    Datagram,
    build,
    parse,
)
from libnet.media.impair import seeded
from libnet.media.mesh import DRAIN, BadConf, Mesh, Peer, read_conf, tell, write_conf
from libnet.media.port import Reactor
from libnet.wire.phy import RX_BADFCS, RX_SHORTPRE, airtime_us

AIR_FILE: Final = "air"
MAX_PLACES: Final = 4096
PACE_S: Final = 0.004  # how far ahead of the clock the channel may be used up
NOBODY_S: Final = 0.001  # how long to wait for an answer that nobody is there to give
ANSWER_S: Final = 0.1  # and for one from a process that may be busy
DOZE_S: Final = 1.0  # how long a receiver is off before the others are told
BACKLOG: Final = 64  # frames kept for a radio that is full
RECORDER_BACKLOG: Final = 16384  # and for a recorder, which is to miss nothing
RECENT: Final = 16  # frames that one just come in may have collided with
_CTS: Final = 0xC4


class BadAirFile(ValueError):
    """The air's file cannot be read."""


def read_air(directory: str) -> tuple[AirProperties, dict[str, Position], int]:
    """Return an air's properties, the places by label, and the generation of that knowledge.

    Raises BadAirFile, whose text names the file and the fault.
    """
    path = os.path.join(directory, AIR_FILE)
    try:
        values, generation = read_conf(path)
        places = values.pop("places", {})
        if type(places) is not dict or len(places) > MAX_PLACES:
            raise ValueError(f"places: not a table of at most {MAX_PLACES}")
        found = {label: position(where) for label, where in places.items()}
        return AirProperties.from_dict(values), found, generation
    except BadConf as exc:
        raise BadAirFile(str(exc)) from None
    except (ValueError, TypeError) as exc:
        raise BadAirFile(f"{path}: {exc}") from None


def write_air(directory: str, how: AirProperties, places: dict[str, Position]) -> int:
    """Store both for the air at one stroke and tell its ports; return the generation.

    Raises OSError, and ValueError for more than MAX_PLACES places.
    """
    if len(places) > MAX_PLACES:
        raise ValueError(f"more than {MAX_PLACES} places")
    values: dict[str, Any] = how.to_dict()
    if places:
        values["places"] = {label: list(where) for label, where in places.items()}
    generation = write_conf(os.path.join(directory, AIR_FILE), values)
    tell(directory, IMPAIR, generation=generation)
    return generation


class UnixAirPort(Mesh):
    """One antenna on an air between processes; a libnet.media.airport.AirPort.

    reactor    the loop
    directory  WORLD/airs/NAME, made if it is not there
    label      "BOX.NIC": what a place is given to
    dice       what damage is thrown with when the air has no seed (None: seeded by the host)
    role       "" or "all": a recorder, which sends nothing
    heard      called by a recorder with each frame; set by its owner
    unanswered  called when it is certain that no answer to the last frame will come; set by the radio

    Raises OSError when the directory cannot be used; EINVAL for an impossible label. A wrong file is
    counted ("bad air file") and taken as an air like any.
    """

    def __init__(
        self, reactor: Reactor, directory: str, label: str, dice: Dice | None = None, role: str = ""
    ) -> None:
        super().__init__(reactor, directory, label, role)
        self.receive: Receive = self._nobody
        self.heard: Callable[[Heard], None] | None = None
        self.unanswered: Callable[[], None] = ignore
        self.clock = reactor.clock
        self.prompt = False
        self.properties = AirProperties()
        self.place: Position = ORIGIN
        self._dice = self._own_dice = dice or seeded(self.number, label)
        self._errors = ErrorTable()
        self._places: dict[str, Position] = {}
        self._tuned: dict[str, Tuned] = {}  # by the peer's file name
        self._mine = Tuned(0, False, bytes(6))
        self._told: Tuned | None = None
        self._settled: Callout | None = None
        self._serial = 0  # of the last frame
        self._awaited = -1  # of the one that wants an answer
        self._answerable = False  # somebody who may answer was sent the last frame
        self._used_until = 0.0  # by what we sent
        self._nav_until = 0.0
        self._recent: deque[tuple[int, float, Sent]] = deque(maxlen=RECENT)
        self._go: Callable[[], None] | None = None
        self._callout: Callout | None = None
        self._read_air()
        self._enter()
        self._tell()

    @property
    def noise(self) -> int:
        """Return the noise floor, dBm."""
        return round(self.properties.noise)

    @property
    def freq(self) -> int:
        """Return what it listens to, MHz; 0 for nothing."""
        return self._mine.freq

    # What the radio calls.

    def listen(self, freq: int, address: bytes, *, nosy: bool) -> None:
        """Say what is wanted from now on."""
        mine = Tuned(freq, nosy, address)
        if mine == self._mine or self.closed:
            return
        if freq != self._mine.freq:
            self._recent.clear()
            self._nav_until = 0.0
        self._mine = mine
        if self._settled is not None:
            self._settled.stop()
            self._settled = None
        if freq:
            self._tell()
        else:
            self._settled = self.clock.after(DOZE_S, self._tell)

    def _tell(self) -> None:
        """Tell the others what we listen to, if they do not know."""
        self._settled = None
        if self._mine == self._told:
            return
        self._told = self._mine
        text = build_tune(self._told)
        for peer in list(self._peers.values()):
            if not peer.all:
                self.control(peer, TUNE, text)

    def contend(self, slots: int, go: Callable[[], None]) -> None:
        """Call *go* when there is air time left."""
        now = self.clock.now
        sifs, slot = times_of(self._mine.freq)
        backoff = sifs + (2 + slots) * slot
        self._used_until = max(self._used_until, now) + backoff
        wait = max(self._used_until - PACE_S, self._nav_until) - now
        if wait <= 0:
            go()
            return
        self._go = go
        self._callout = self.clock.after(wait, self._gone)

    def _gone(self) -> None:
        go, self._go, self._callout = self._go, None, None
        if go is not None:
            go()

    def withdraw(self) -> None:
        """Forget contend()."""
        self._go = None
        if self._callout is not None:
            self._callout.stop()
            self._callout = None

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
        """Send *frame* to whom it concerns; it is out at once."""
        freq = self._mine.freq
        self._answerable = False
        if self.closed or not freq:
            self.stat["unplugged" if self.closed else "switched off"] += 1
            return 0.0
        if not MIN_FRAME <= len(frame) <= MAX_FRAME:
            self.stat["bad frame length"] += 1
            return 0.0
        lasts = airtime_us(rate, len(frame), short_preamble=short)
        now = self.clock.now
        self._used_until = max(self._used_until, now) + lasts * 1e-6
        self._serial = (self._serial + 1) & 0xFFFFFFFF
        flags = RX_SHORTPRE if short else 0
        text = build_air(
            Sent(frame, freq, rate, power, flags, nav_us, self._serial, lasts, now, self.place)
        )
        stat = self.stat
        stat["opackets"] += 1
        stat["obytes"] += len(frame)
        gram = build(AIR, self._generation, self.number, text)
        to = frame[4:10]
        # All must hear of a CTS: it keeps them silent.
        everybody = bool(to[0] & 1) or frame[0] == _CTS
        for peer in list(self._peers.values()):
            if peer.all:
                self._push(peer, gram)
                continue
            tuned = self._tuned.get(peer.name)
            if tuned is None:
                if self._push(peer, gram):
                    self._answerable = True
                continue
            if tuned.freq != freq:
                continue
            meant = tuned.address == to
            if not (everybody or meant or tuned.nosy) or not self._reaches(peer, power):
                continue
            if self._push(peer, gram) and meant:
                self._answerable = True
        return 0.0

    def patience(self, to: bytes) -> float:
        """Return how long an answer to the last frame may take."""
        self._awaited = self._serial
        return ANSWER_S if self._answerable else NOBODY_S

    def coming(self) -> float:
        """Return 0.0: an answer is here or it is not."""
        return 0.0

    def close(self) -> None:
        """Say BYE and take the antenna away."""
        if not self.closed:
            self.withdraw()
            if self._settled is not None:
                self._settled.stop()
            self._leave()

    def _push(self, peer: Peer, gram: bytes) -> bool:
        """Send *peer* a frame, later if it is full; tell whether it will get it."""
        if not peer.waits and self._out(peer, gram):
            return True
        if not peer.waits:
            return False  # it was dead
        if len(peer.backlog) >= (RECORDER_BACKLOG if peer.all else BACKLOG):
            self.stat["receiver full"] += 1
            return False
        peer.backlog.append(gram)
        return True

    def _drain(self, peer: Peer) -> None:
        """Send what waits for *peer* while it has room."""
        super()._drain(peer)
        if peer.control:
            return
        at = 0
        for gram in peer.backlog:
            if not self._out(peer, gram):
                break
            at += 1
        del peer.backlog[:at]

    # Levels.

    def _level(self, power: float, freq: int, one: Position, other: Position) -> float:
        return power - reference_loss(freq) - spread_loss(one, other, self.properties.exponent)

    def _reaches(self, peer: Peer, power: int) -> bool:
        """Tell whether *peer* is in range, as far as we know where it is."""
        if not self._places:
            return True
        where = self._places.get(peer.label, ORIGIN)
        level = self._level(power, self._mine.freq, self.place, where)
        return level - self.properties.noise >= LEAST_SNR

    # Receiving.

    def _readable(self) -> None:
        recv, stat = self._sock.recv, self.stat
        for _ in range(DRAIN):
            try:
                data = recv(MAX_DATAGRAM)
            except BlockingIOError:
                return
            except OSError:
                stat["receive error"] += 1
                return
            try:
                gram = parse(data)
                self._take(gram)
            except BadDatagram as exc:
                stat[str(exc)] += 1
            if self.closed:
                return

    def _take(self, gram: Datagram) -> None:
        """Take one datagram. Raises BadDatagram."""
        kind = gram.kind
        if kind == AIR:
            sent = parse_air(gram.text)
            if gram.generation != self._generation:
                self._new_generation(gram.generation)
            self._known(gram.number)
            self._comes_in(sent, gram.number)
        elif kind == HELLO:
            self._strangers.discard(gram.number)
            peer = self._known(gram.number)
            if peer is not None and not peer.all:
                self.control(peer, TUNE, build_tune(self._told or self._mine))
        elif kind == TUNE:
            tuned = parse_tune(gram.text)
            peer = self._known(gram.number)
            if peer is not None:
                self._tuned[peer.name] = tuned
        elif kind == LOST:
            if parse_lost(gram.text) == self._awaited:
                self.unanswered()
        elif kind == BYE:
            peer = self._by_number.get(gram.number)
            if peer is not None:
                self._forget(peer)
        elif kind == IMPAIR:
            self._reread()
        elif kind == STATS:
            self._report(gram.number)
        else:
            raise BadDatagram("bad kind")

    def _comes_in(self, sent: Sent, number: int) -> None:
        frame, stat = sent.frame, self.stat
        if self._role == "all":
            stat["ipackets"] += 1
            stat["ibytes"] += len(frame)
            if self.heard is not None:
                peer = self._by_number.get(number)
                near = round(sent.power - reference_loss(sent.freq))
                label = peer.label if peer is not None else ""
                self.heard(Heard(frame, sent.freq, sent.rate, near, sent.flags, label))
            return
        mine = self._mine
        to = frame[4:10]
        meant = to == mine.address
        if sent.freq != mine.freq:
            stat["other channel" if mine.freq else "switched off"] += 1
            if meant:
                self._spoilt(sent, number)
            return
        signal = self._level(sent.power, sent.freq, sent.place, self.place)
        snr = signal - self.properties.noise
        if snr < LEAST_SNR:
            stat["out of range"] += 1
            if meant:
                self._spoilt(sent, number)
            return
        if not meant and sent.nav_us and signal >= self.properties.sense:
            self._nav_until = max(self._nav_until, self.clock.now + sent.nav_us * 1e-6)
        if not (meant or mine.nosy or to[0] & 1):
            return
        if self._collides(sent, number, signal):
            stat["collisions"] += 1
            if meant:
                self._spoilt(sent, number)
            return
        flags = sent.flags
        loss = self.properties.loss
        chance = self._errors.per(sent.rate, len(frame), snr)
        dice = self._dice
        if (chance and (chance >= 1.0 or dice.random() < chance)) or (
            loss and dice.random() * 100 < loss
        ):
            flags |= RX_BADFCS
            bit = dice.getrandbits(16) % (8 * len(frame))
            work = bytearray(frame)
            work[bit >> 3] ^= 1 << (bit & 7)
            frame = bytes(work)
            stat["damaged"] += 1
        stat["ipackets"] += 1
        stat["ibytes"] += len(frame)
        self.receive(frame, round(signal), sent.rate, flags)
        if meant and flags & RX_BADFCS:
            self._spoilt(sent, number)

    def _collides(self, sent: Sent, number: int, signal: float) -> bool:
        """Tell whether a frame from somebody whom the sender does not hear spoils this one."""
        recent = self._recent
        start, end = sent.start, sent.start + sent.airtime_us * 1e-6
        spoilt = False
        if self._places:
            how = self.properties
            for other_number, other_signal, other in recent:
                if (
                    other_number != number
                    and other.start < end
                    and other.start + other.airtime_us * 1e-6 > start
                    and signal - other_signal < how.capture
                    and self._level(other.power, other.freq, other.place, sent.place) < how.sense
                ):
                    spoilt = True
                    break
        recent.append((number, signal, sent))
        return spoilt

    def _spoilt(self, sent: Sent, number: int) -> None:
        """Take the consequences of a frame meant for us that we cannot use."""
        if len(sent.frame) <= MIN_FRAME:
            self.unanswered()  # it was the answer that we have waited for
            return
        peer = self._by_number.get(number)
        if peer is not None:
            self.control(peer, LOST, build_lost(sent.serial))

    def _nobody(self, frame: bytes, signal: int, rate: int, flags: int) -> None:
        self.stat["not attached"] += 1

    # Knowing.

    def _sort(self) -> None:
        self._tuned = {name: t for name, t in self._tuned.items() if name in self._peers}

    def _reread(self) -> None:
        self._read_air()

    def _read_air(self) -> None:
        try:
            self.properties, self._places, self._generation = read_air(self.directory)
        except (BadAirFile, OSError):
            self.stat["bad air file"] += 1
            self.properties, self._places = AirProperties(), {}
        seed = self.properties.seed
        self._dice = self._own_dice if seed is None else seeded(seed, self.label)
        self.place = self._places.get(self.label, ORIGIN)
