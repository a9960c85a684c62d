"""A radio outside on the air: what it asks for by messages, one of ours does for it.

The radio outside is real, or Linux's simulated one, and has its own 802.11 layer; the relay in front of
it speaks the messages of libnet.media.airout over a port that carries datagrams. Our radio takes turns,
acknowledges frames to the address that the relay has told, repeats, and reports. It leaves timestamps as
they come: the layer outside has stamped them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final

from libnet.clock import Callout, Dice
from libnet.drivers.radio import VirtualRadio
from libnet.engine.ieee80211.radio import Series
from libnet.errors import NetError
from libnet.media.airmodel import TXPOWER_DBM
from libnet.media.airout import (
    ACKED,
    EVERY,
    FAILED,
    REFUSED,
    RTS,
    SHORTPRE,
    USUAL_POWER,
    BadMessage,
    Received,
    Send,
    Status,
    Tune,
    build,
    parse,
)
from libnet.media.airport import AirPort
from libnet.media.port import Port
from libnet.wire.phy import CCK_RATES, OFDM_RATES, RxInfo, TxStatus

_RATES = frozenset(CCK_RATES + OFDM_RATES)
LATE_MAX: Final = 1024  # statuses that wait for room
LATE_S: Final = 0.01  # from one look for room to the next


class AirRelay:
    """Carries between *port*, an antenna, and *outside*, a port whose frames are the messages.

    A frame that comes in is lost when there is no room outside; how one that went out has ended is told
    as soon as there is.

    stat  of outside: with "statuses lost", and "bad version", "bad kind", "bad length", "bad rates",
          "bad direction" and "bad frequency" for messages that cannot be followed
    """

    def __init__(self, port: AirPort, outside: Port, dice: Dice, address: bytes) -> None:
        self.outside = outside
        self.stat = outside.stat
        self._clock = port.clock
        self._under_way: list[int] = []  # cookies of what the radio has taken and not reported
        self._late: deque[bytes] = deque()  # statuses that there was no room for
        self._again: Callout | None = None
        radio = self.radio = VirtualRadio(port, dice, address)
        radio.all_groups = True
        radio.stamps = False
        radio.receive = self._received
        outside.receive = self._messages
        radio.start()

    def close(self) -> None:
        """Take the antenna away and close the port."""
        if self._again is not None:
            self._again.stop()
        self.radio.close()
        self.outside.close()

    def _received(self, frame: bytes, info: RxInfo) -> None:
        self.outside.send(
            build(
                Received(info.freq, info.rate, info.signal, info.noise, info.flags, info.tsf, frame)
            )
        )

    def _messages(self, messages: Sequence[bytes]) -> None:
        for octets in messages:
            try:
                message = parse(octets)
            except BadMessage as exc:
                self.stat[str(exc)] += 1
                continue
            if isinstance(message, Send):
                self._send(message)
            elif isinstance(message, Tune):
                self._tune(message)
            else:
                self.stat["bad direction"] += 1

    def _tune(self, message: Tune) -> None:
        radio = self.radio
        radio.readdress(message.address)
        radio.filter(bssid=bytes(6), promiscuous=False, monitor=bool(message.flags & EVERY))
        if not message.freq:
            radio.stop()
            for cookie in self._under_way:
                self._report(Status(cookie, FAILED, 0, 0))
            self._under_way.clear()
        elif self._goto(message.freq):
            radio.start()

    def _goto(self, freq: int) -> bool:
        try:
            self.radio.tune(freq)
        except NetError:
            self.stat["bad frequency"] += 1
            return False
        return True

    def _send(self, message: Send) -> None:
        """Send, on the frequency that the message names, and report."""
        cookie = message.cookie

        def done(status: TxStatus) -> None:
            self._under_way.remove(cookie)
            result = ACKED if status.acked else FAILED
            self._report(Status(cookie, result, status.rate, status.retries))

        radio = self.radio
        self._under_way.append(cookie)
        radio.txpower = TXPOWER_DBM if message.power == USUAL_POWER else message.power
        series: Series = [pair for pair in message.series if pair[0] in _RATES]
        if not series:
            self.stat["bad rates"] += 1
        if not (
            series
            and self._goto(message.freq)
            and radio.transmit(
                message.frame,
                series,
                rts=bool(message.flags & RTS),
                short_preamble=bool(message.flags & SHORTPRE),
                done=done,
            )
        ):
            self._under_way.remove(cookie)
            self._report(Status(cookie, REFUSED, 0, 0))

    def _report(self, status: Status) -> None:
        """Tell how a frame ended; later, if the one outside has no room for more messages now."""
        if len(self._late) >= LATE_MAX:
            self.stat["statuses lost"] += 1
            return
        self._late.append(build(status))
        if self._again is None:
            self._report_late()

    def _report_late(self) -> None:
        self._again = None
        while self._late:
            full = self.stat["receiver full"]
            self.outside.send(self._late[0])
            if self.stat["receiver full"] != full:
                self._again = self._clock.after(LATE_S, self._report_late)
                return
            self._late.popleft()
