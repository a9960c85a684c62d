"""The virtual radio: what 802.11 hardware does for itself, between an antenna and the 802.11 room.

Theory of operation. One frame at a time is being sent, the *job*. It asks the antenna for the channel,
goes out, and is done with when it is addressed to a group, or when its ACK has come; otherwise it is
tried again with the Retry bit and twice the contention window, at the rates of its series, until these
are used up. With RTS a CTS must come before the frame may go. A received frame that is for this radio
is answered after SIFS, whatever else goes on, and before anybody looks into it: an answer cannot wait.

Left out: fragments of one frame do not follow each other at SIFS, each contends for the channel.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from libnet.clock import Callout, Clock, Dice
from libnet.errors import NetError
from libnet.media.airmodel import TXPOWER_DBM
from libnet.media.airport import AirPort, times_of
from libnet.media.port import Stat
from libnet.wire.phy import (
    ACK_LEN,
    RX_BADFCS,
    RX_SHORTPRE,
    RxInfo,
    TxStatus,
    airtime_us,
    freq_of,
    is_ofdm,
)

DEPTH: Final = 64  # frames that wait behind the job
CW_MIN_OFDM: Final = 15  # slots; 802.11 17.5.2
CW_MIN_CCK: Final = 31  # 802.11 18.3.3
CW_MAX: Final = 1023
RTS_LEN: Final = 16
STAMP_US: Final = 24 * 8  # from the start of a beacon's header to its timestamp, at 1 Mb/s

# First octet of frame control: version in bits 0-1, type in 2-3, subtype in 4-7 (802.11 7.1.3.1).
_TYPE: Final = 0x0C
_CONTROL: Final = 0x04
_DATA: Final = 0x08
_PROBE_REQ: Final = 0x40
_PROBE_RESP: Final = 0x50
_BEACON: Final = 0x80
_PS_POLL: Final = 0xA4
_RTS: Final = 0xB4
_CTS: Final = 0xC4
_ACK: Final = 0xD4
_DS: Final = 0x03  # second octet: to and from the distribution system
_FROM_DS: Final = 0x02
_RETRY: Final = 0x08
_HEADER: Final = 24
_ZERO: Final = b"\0\0\0\0\0\0"
_NO_TIME: Final = b"\0\0"

FREQS_BG: Final = tuple(freq_of(chan) for chan in range(1, 15))
FREQS_A: Final = tuple(
    freq_of(chan)
    for chan in (*range(36, 65, 4), *range(100, 141, 4), *range(149, 166, 4))
)  # fmt: skip


def answer_rate(rate: int) -> int:
    """Return the rate of the ACK or CTS to a frame at *rate*: the next lower mandatory one (802.11 9.6).

    >>> [answer_rate(r) for r in (2, 22, 18, 108)]
    [2, 4, 12, 48]
    """
    if is_ofdm(rate):
        return 48 if rate >= 48 else 24 if rate >= 24 else 12
    return 4 if rate >= 4 else 2


class _Job:
    """A frame to be sent, and how far that has come."""

    __slots__ = ("done", "frame", "group", "left", "retries", "rts", "series", "short", "step")

    def __init__(
        self,
        frame: bytes,
        series: Sequence[tuple[int, int]],
        rts: bool,
        short: bool,
        done: Callable[[TxStatus], None] | None,
    ) -> None:
        self.frame, self.series, self.rts, self.short, self.done = frame, series, rts, short, done
        self.group = bool(frame[4] & 1)
        self.step = 0
        self.left = series[0][1]  # tries at this rate, with the one that is under way
        self.retries = 0

    @property
    def rate(self) -> int:
        return self.series[self.step][0]

    def again(self) -> bool:
        """Go on to the next try; False when there is none."""
        self.left -= 1
        while self.left <= 0:
            if self.step + 1 >= len(self.series):
                return False
            self.step += 1
            self.left = self.series[self.step][1]
        self.retries += 1
        return True


# What a radio waits for.
_IDLE, _CHANNEL, _OUT, _CLEAR, _ACKED = range(5)


class VirtualRadio:
    """One radio; a libnet.engine.ieee80211.radio.Radio.

    all_groups  whether group frames pass the filter whatever their network
    stamps      whether beacons and probe responses get the timer's time
    stat        the antenna's counters, and among them: tx, rx, retries, "excessive retries",
                "ack timeouts", "cts timeouts", "fcs errors", filtered, "queue full", collisions
    """

    def __init__(
        self,
        port: AirPort,
        dice: Dice,
        address: bytes,
        *,
        modes: tuple[str, ...] = ("11a", "11b", "11g"),
        hostap: bool = True,
        ibss: bool = True,
        monitor: bool = True,
        depth: int = DEPTH,
    ) -> None:
        self.port, self.address, self.modes = port, address, modes
        self.hostap, self.ibss, self.monitor = hostap, ibss, monitor
        self.power_save = True
        self.all_groups = False
        self.stamps = True
        self.txpower = TXPOWER_DBM
        low = FREQS_BG if {"11b", "11g"} & set(modes) else ()
        self.freqs: tuple[int, ...] = low + (FREQS_A if "11a" in modes else ())
        self.receive: Callable[[bytes, RxInfo], None] = self._nobody
        self.ready: Callable[[], None] = self._not_ready
        self.stat: Stat = port.stat
        self._clock: Clock = port.clock
        self._dice = dice
        self._depth = depth
        self._freq = self.freqs[0]
        self._sifs, self._slot = times_of(self._freq)
        self._on = self._asleep = False
        self._bssid = _ZERO
        self._promiscuous = self._monitoring = False
        self._queue: deque[_Job] = deque()
        self._full = False
        self._job: _Job | None = None
        self._state = _IDLE
        self._window = CW_MIN_CCK
        self._timer: Callout | None = None
        self._tsf_offset = -round(self._clock.now * 1e6)
        port.receive = self._input
        port.unanswered = self._unanswered

    # -- what the room asks

    @property
    def room(self) -> int:
        """Return how many more frames transmit() takes."""
        return self._depth - len(self._queue) if self._on else 0

    @property
    def freq(self) -> int:
        """Return the channel, MHz."""
        return self._freq

    def start(self) -> None:
        """Switch receiver and transmitter on."""
        self._on = True
        self._asleep = False
        self._listen()

    def stop(self) -> None:
        """Switch both off; what waits to be sent is lost."""
        self._on = self._asleep = False
        self._drop_job()
        if self._queue:
            self.stat["switched off"] += len(self._queue)
            self._queue.clear()
        self._full = False
        self._listen()

    def close(self) -> None:
        """Switch off for good and take the antenna away."""
        self.stop()
        self.port.close()

    def tune(self, freq: int) -> None:
        """Go to the channel at *freq* MHz, at once. Raises EINVAL."""
        if freq not in self.freqs:
            raise NetError("EINVAL")
        if freq == self._freq:
            return
        self._freq = freq
        self._sifs, self._slot = times_of(freq)
        self._listen()

    def readdress(self, address: bytes) -> None:
        """Take another station address."""
        if address != self.address:
            self.address = address
            self._listen()

    def filter(self, *, bssid: bytes, promiscuous: bool, monitor: bool) -> None:
        """Say what is wanted besides frames to `address` and to groups."""
        nosy = self._promiscuous or self._monitoring
        self._bssid, self._promiscuous, self._monitoring = bssid, promiscuous, monitor
        if nosy != (promiscuous or monitor):
            self._listen()

    def sleep(self, asleep: bool) -> None:
        """Switch the receiver off until transmit() or sleep(False)."""
        if asleep != self._asleep and self._on:
            self._asleep = asleep
            # A job that is under way still needs its answer; _finish() looks again.
            if not asleep or self._job is None:
                self._listen()

    def tsf(self) -> int:
        """Return the timer's microseconds."""
        return round(self._clock.now * 1e6) + self._tsf_offset

    def set_tsf(self, us: int) -> None:
        """Set the timer."""
        self._tsf_offset = us - round(self._clock.now * 1e6)

    def _listen(self) -> None:
        on = self._on and not self._asleep
        nosy = self._promiscuous or self._monitoring
        self.port.listen(self._freq if on else 0, self.address, nosy=nosy)

    def _nobody(self, frame: bytes, info: RxInfo) -> None:
        self.stat["not attached"] += 1

    def _not_ready(self) -> None:
        """Do nothing: nobody waits for room yet."""

    # -- sending

    def transmit(
        self,
        frame: bytes,
        series: Sequence[tuple[int, int]],
        *,
        rts: bool = False,
        short_preamble: bool = False,
        done: Callable[[TxStatus], None] | None = None,
    ) -> bool:
        """Queue *frame*; False when there is no room, the radio is off, or it is no frame."""
        if not self._on:
            self.stat["switched off"] += 1
            return False
        if len(frame) < ACK_LEN:
            self.stat["short frames"] += 1
            return False
        queue = self._queue
        if len(queue) >= self._depth:
            self.stat["queue full"] += 1
            self._full = True
            return False
        if self._asleep:
            self.sleep(False)
        queue.append(_Job(frame, series, rts, short_preamble, done))
        if len(queue) >= self._depth:
            self._full = True
        if self._job is None:
            self._next()
        return True

    def _next(self) -> None:
        """Take up the next job, if there is one and the last is done with."""
        if self._job is not None or not self._queue:
            return
        self._job = self._queue.popleft()
        self._window = CW_MIN_OFDM if self._freq >= 5000 else CW_MIN_CCK
        self._contend()
        if self._full:
            self._full = False
            self.ready()

    def _contend(self) -> None:
        self._state = _CHANNEL
        # The windows are one less than a power of two.
        slots = self._dice.getrandbits(self._window.bit_length())
        self.port.contend(slots, self._go)

    def _go(self) -> None:
        """Send, now that the channel is ours."""
        job = self._job
        if job is None:
            return
        if job.rts and not job.group:
            self._ask(job)
        else:
            self._send(job)

    def _answer_us(self, job: _Job) -> int:
        """Return how long the channel is needed behind the job's frame: SIFS and ACK."""
        if job.group:
            return 0
        ack = airtime_us(answer_rate(job.rate), ACK_LEN, short_preamble=job.short)
        return round(self._sifs * 1e6) + ack

    def _ask(self, job: _Job) -> None:
        """Send an RTS."""
        sifs = round(self._sifs * 1e6)
        rate = answer_rate(job.rate)
        cts = airtime_us(rate, ACK_LEN, short_preamble=job.short)
        data = airtime_us(job.rate, len(job.frame), short_preamble=job.short)
        nav = 2 * sifs + cts + data + self._answer_us(job)
        frame = b"".join(
            (bytes((_RTS, 0)), min(nav, 32767).to_bytes(2, "little"), job.frame[4:10], self.address)
        )
        self.stat["rts sent"] += 1
        self._state = _CLEAR
        wait = self.port.emit(frame, rate, self.txpower, short=job.short, nav_us=nav)
        self._timer = self._clock.after(wait + self.port.patience(job.frame[4:10]), self._timeout)

    def _send(self, job: _Job) -> None:
        """Send the job's frame, with what the hardware fills in."""
        frame = job.frame
        kind = frame[0]
        nav = self._answer_us(job)
        flags = frame[1] | (_RETRY if job.retries else 0)
        # A PS-Poll has the association ID where others have the duration.
        duration = frame[2:4] if kind == _PS_POLL else nav.to_bytes(2, "little")
        if self.stamps and kind in (_BEACON, _PROBE_RESP) and len(frame) >= _HEADER + 8:
            stamp = (self.tsf() + STAMP_US) & 0xFFFFFFFFFFFFFFFF
            rest = frame[4:_HEADER] + stamp.to_bytes(8, "little") + frame[_HEADER + 8 :]
        else:
            rest = frame[4:]
        out = b"".join((bytes((kind, flags)), duration, rest))
        self.stat["tx"] += 1
        wait = self.port.emit(out, job.rate, self.txpower, short=job.short, nav_us=nav)
        if job.group:
            self._state = _OUT
            self._timer = self._clock.after(wait, self._sent)
        else:
            self._state = _ACKED
            patience = self.port.patience(frame[4:10])
            self._timer = self._clock.after(wait + patience, self._timeout)

    def _sent(self) -> None:
        self._finish(acked=True)

    def _unanswered(self) -> None:
        if self._state in (_CLEAR, _ACKED):
            self._stop_timer()
            self._timeout()

    def _timeout(self) -> None:
        """Try again, or give up: no answer came."""
        job = self._job
        if job is None:
            return
        late = self.port.coming()
        if late:
            self._timer = self._clock.after(late, self._timeout)
            return
        self.stat["cts timeouts" if self._state == _CLEAR else "ack timeouts"] += 1
        if job.again():
            self.stat["retries"] += 1
            self._window = min(2 * self._window + 1, CW_MAX)
            self._contend()
        else:
            self.stat["excessive retries"] += 1
            self._finish(acked=False)

    def _finish(self, *, acked: bool) -> None:
        job, self._job = self._job, None
        self._state = _IDLE
        self._timer = None
        if job is None:
            return
        if job.done is not None:
            job.done(TxStatus(acked, job.rate, job.retries))
        if self._job is None:
            self._next()
        if self._job is None and self._asleep:
            self._listen()

    def _drop_job(self) -> None:
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
        self.port.withdraw()
        if self._job is not None:
            self.stat["switched off"] += 1
        self._job, self._state = None, _IDLE

    # -- receiving

    def _input(self, frame: bytes, signal: int, rate: int, flags: int) -> None:
        """Take what the antenna has picked up."""
        if not self._on or self._asleep:
            # Asleep, it only listens for the answer to what it sends.
            if self._on and len(frame) >= ACK_LEN and not flags & RX_BADFCS:
                self._answered(frame)
            return
        stat = self.stat
        if flags & RX_BADFCS:
            stat["fcs errors"] += 1
            if self._monitoring:
                self._up(frame, signal, rate, flags)
            return
        if len(frame) < ACK_LEN or frame[0] & 3:
            stat["short frames" if len(frame) < ACK_LEN else "bad version"] += 1
            if self._monitoring:
                self._up(frame, signal, rate, flags)
            return
        kind = frame[0]
        to = frame[4:10]
        mine = to == self.address
        if kind & _TYPE == _CONTROL:
            if mine:
                self._control(frame, rate, flags)
            if self._monitoring or (mine and kind == _PS_POLL and len(frame) >= RTS_LEN):
                self._up(frame, signal, rate, flags)
            return
        if len(frame) < _HEADER:
            stat["short frames"] += 1
            if self._monitoring:
                self._up(frame, signal, rate, flags)
            return
        if mine:
            self._answer(_ACK, frame[10:16], rate, flags, 0)
        elif not (self._monitoring or self._wanted(frame, kind, to)):
            stat["filtered"] += 1
            return
        self._up(frame, signal, rate, flags)

    def _up(self, frame: bytes, signal: int, rate: int, flags: int) -> None:
        self.stat["rx"] += 1
        info = RxInfo(self._freq, rate, signal, self.port.noise, self.tsf(), flags)
        self.receive(frame, info)

    def _wanted(self, frame: bytes, kind: int, to: bytes) -> bool:
        """Tell whether a whole frame that is not for us alone passes the filter."""
        if kind & _TYPE == _DATA and self._promiscuous:
            return True
        if not to[0] & 1:
            return False
        if self.all_groups:
            return True
        if kind & _TYPE == _DATA:
            way = frame[1] & _DS
            if way == _FROM_DS:
                return frame[10:16] == self._bssid
            return way == 0 and self._bssid in (_ZERO, frame[16:22])
        return kind == _PROBE_REQ or self._bssid in (_ZERO, frame[16:22])

    def _control(self, frame: bytes, rate: int, flags: int) -> None:
        kind = frame[0]
        if kind in (_ACK, _CTS):
            self._answered(frame)
        elif len(frame) < RTS_LEN:
            self.stat["short frames"] += 1
        elif kind == _RTS:
            asked = int.from_bytes(frame[2:4], "little")
            short = bool(flags & RX_SHORTPRE)
            taken = airtime_us(answer_rate(rate), ACK_LEN, short_preamble=short)
            left = max(0, asked - round(self._sifs * 1e6) - taken)
            self.stat["cts sent"] += 1
            self._answer(_CTS, frame[10:16], rate, flags, left)
        elif kind == _PS_POLL:
            self._answer(_ACK, frame[10:16], rate, flags, 0)

    def _answered(self, frame: bytes) -> None:
        """Go on with the job if this is the answer it waits for."""
        job = self._job
        if job is None or frame[4:10] != self.address:
            return
        if frame[0] == _ACK and self._state == _ACKED:
            self._stop_timer()
            self._finish(acked=True)
        elif frame[0] == _CTS and self._state == _CLEAR:
            self._stop_timer()
            self._state = _OUT
            if self.port.prompt:
                self._timer = self._clock.after(self._sifs, lambda: self._send(job))
            else:
                self._send(job)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.stop()
            self._timer = None

    def _answer(self, kind: int, to: bytes, rate: int, flags: int, nav: int) -> None:
        """Send an ACK or a CTS after SIFS."""
        frame = b"".join((bytes((kind, 0)), nav.to_bytes(2, "little") if nav else _NO_TIME, to))
        self.port.emit(
            frame,
            answer_rate(rate),
            self.txpower,
            short=bool(flags & RX_SHORTPRE),
            nav_us=nav,
            after_s=self._sifs,
        )
