"""Stacks with radios of a few lines in an air of a few lines, on one clock."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from libnet.clock import Clock
from libnet.engine.ieee80211.ieee80211_var import M_STA
from libnet.engine.link.ifnet import Ifnet
from libnet.engine.stack import Stack
from libnet.errors import NetError
from libnet.wire import ieee80211 as w
from libnet.wire.phy import FCS_LEN, RxInfo, TxStatus

ETYPE = b"\x88\xb5"  # for local experiments (IEEE 802)
FREQS = tuple(2407 + 5 * chan for chan in range(1, 12)) + (5180, 5260)
AIRTIME_S = 0.0002


class FakeRadio:
    """A radio: sends at once what it can, and is told whether the other side had its ears open."""

    def __init__(self, air: FakeAir, address: bytes, **able: object) -> None:
        self.air, self.address = air, address
        self.modes: tuple[str, ...] = ("11b", "11g", "11a")
        self.freqs = FREQS
        self.hostap = self.ibss = self.monitor = self.power_save = True
        self.txpower = 20
        self.receive: Callable[[bytes, RxInfo], None] = lambda frame, info: None
        self.ready: Callable[[], None] = lambda: None
        self.on = self.asleep = False
        self.freq = FREQS[0]
        self.bssid = bytes(6)
        self.promiscuous = self.monitoring = False
        self.queue: list[tuple] = []
        self.depth = 64
        self.offset = 0
        self.at = (0, 0)
        self.busy = False
        for name, value in able.items():
            setattr(self, name, value)
        air.radios.append(self)

    @property
    def room(self) -> int:
        return self.depth - len(self.queue)

    def start(self) -> None:
        self.on, self.asleep = True, False

    def stop(self) -> None:
        self.on = False
        self.queue.clear()

    def tune(self, freq: int) -> None:
        if freq not in self.freqs:
            raise NetError("EINVAL")
        self.freq = freq

    def filter(self, *, bssid: bytes, promiscuous: bool, monitor: bool) -> None:
        self.bssid, self.promiscuous, self.monitoring = bssid, promiscuous, monitor

    def transmit(self, frame, series, *, rts=False, short_preamble=False, done=None) -> bool:
        if not self.room or not self.on:
            return False
        self.asleep = False
        self.queue.append((frame, series, rts, done))
        if not self.busy:
            self.busy = True
            self.air.clock.after(AIRTIME_S, self._send)
        return True

    def _send(self) -> None:
        self.busy = False
        if not self.queue:
            return
        full = not self.room
        frame, series, rts, done = self.queue.pop(0)
        if frame[0] in (0x80, 0x50):
            # The frame arrives at its end; the stamp is of when its twenty-fifth octet went out.
            left = 16 * (len(frame) - 24 + FCS_LEN) // series[0][0]
            stamp = (self.tsf() - left) & 0xFFFFFFFFFFFFFFFF
            frame = frame[:24] + stamp.to_bytes(8, "little") + frame[32:]
        acked = self.air.carry(self, frame, series, rts)
        if done is not None:
            done(TxStatus(acked, series[0][0], 0 if acked else len(series)))
        if self.queue and not self.busy:
            self.busy = True
            self.air.clock.after(AIRTIME_S, self._send)
        if full:
            self.ready()

    def hears(self, frame: bytes) -> bool:
        if frame[4:10] == self.address or self.monitoring:
            return True
        if not frame[4] & 1:
            return self.promiscuous and frame[0] & 0x0C == 0x08
        if frame[0] == 0x40 or self.bssid == bytes(6):
            return True
        return self.bssid in (frame[10:16], frame[16:22])

    def sleep(self, asleep: bool) -> None:
        self.asleep = asleep

    def tsf(self) -> int:
        return round(self.air.clock.now * 1e6) + self.offset

    def set_tsf(self, us: int) -> None:
        self.offset = us - round(self.air.clock.now * 1e6)


class FakeAir:
    """What carries frames: who is on the channel hears them; distance in metres is loss in dB.

    sent  (time, frame, rates, rts) of each    lose  tells which frames nobody hears
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.radios: list[FakeRadio] = []
        self.sent: list[tuple[float, bytes, tuple, bool]] = []
        self.lose: Callable[[bytes], bool] = lambda frame: False

    def carry(self, sender: FakeRadio, frame: bytes, series, rts: bool) -> bool:
        self.sent.append((self.clock.now, frame, tuple(series), rts))
        acked = bool(frame[4] & 1)
        if self.lose(frame):
            return acked
        for radio in list(self.radios):
            if radio is sender or not radio.on or radio.asleep or radio.freq != sender.freq:
                continue
            loss = abs(radio.at[0] - sender.at[0]) + abs(radio.at[1] - sender.at[1])
            if loss > 90 or not radio.hears(frame):
                continue
            acked = acked or radio.address == frame[4:10]
            info = RxInfo(radio.freq, series[0][0], -loss, -95, radio.tsf())
            radio.receive(frame, info)
        return acked

    def inject(self, frame: bytes, *, to: FakeRadio, signal: int = -30) -> None:
        """Have one radio hear a frame that nobody of ours has sent."""
        to.receive(frame, RxInfo(to.freq, 2, signal, -95, to.tsf()))

    def kinds(self, kind: int) -> list[bytes]:
        """Return the frames of one kind, in order."""
        return [frame for _at, frame, _series, _rts in self.sent if frame[0] == kind]


class Box:
    """A stack with one radio. got: (source, payload) of what it received of ETYPE."""

    def __init__(self, air: FakeAir, number: int, **able: object) -> None:
        self.air, self.clock = air, air.clock
        self.mac = bytes((2, 0, 0, 0, 0, number))
        self.stack = Stack(air.clock, random.Random(number))
        self.radio = FakeRadio(air, self.mac, **able)
        self.ifp = Ifnet(self.stack, "abc0")
        self.stack.ethernet.ifattach(self.ifp, self.mac)
        assert self.stack.ieee80211 is not None
        self.ic = self.stack.ieee80211.ifattach(self.ifp, self.radio)
        self.events: list[tuple[int, bytes]] = []
        self.ic.msg = lambda ifp, what, data: self.events.append((what, data))
        self.got: list[tuple[bytes, bytes]] = []
        self.stack.ethertypes[ETYPE] = lambda m: self.got.append((m.tags["ether"][6:12], m.data))

    def be(self, opmode: int = M_STA, ssid: bytes = b"lan", **asked: object) -> Box:
        """Ask for what *asked* says and come up."""
        self.ic.opmode = opmode
        self.ic.des_ssid = ssid
        for name, value in asked.items():
            setattr(self.ic, name, value)
        self.ifp.up()
        return self

    def wep(self, key: bytes) -> None:
        """Have a WEP key in the first slot."""
        self.ic.setkeys([key], 0, privacy=True)

    def send(self, to: Box | bytes, payload: bytes) -> None:
        """Send a frame of ETYPE; b"" as *to* stands for everybody."""
        dst = to.mac if isinstance(to, Box) else to or b"\xff" * 6
        self.ifp.enqueue(dst + self.mac + ETYPE + payload)

    def log(self) -> str:
        """Return the texts of the log."""
        return "\n".join(record.text for record in self.stack.logring.records)


class Lab:
    """A clock, an air, boxes."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.air = FakeAir(self.clock)
        self.boxes: list[Box] = []

    def box(self, **able: object) -> Box:
        """Return a new box."""
        box = Box(self.air, len(self.boxes) + 1, **able)
        self.boxes.append(box)
        return box

    def run(self, seconds: float) -> None:
        """Let time pass."""
        end = self.clock.now + seconds
        while (due := self.clock.next_due()) is not None and due <= end:
            self.clock.run(due)
        self.clock.run(end)

    def talks(self, one: Box, other: Box) -> bool:
        """Tell whether frames get from one to the other and back."""
        for a, b in ((one, other), (other, one)):
            b.got.clear()
            a.send(b, b"hello")
            self.run(1.0)
            if (a.mac, b"hello") not in b.got:
                return False
        return True


class Script:
    """A station of the test's: it sends what the test says, and keeps what it hears."""

    def __init__(self, lab: Lab, number: int = 0x77) -> None:
        self.lab = lab
        self.mac = bytes((2, 0, 0, 0, 9, number))
        self.radio = FakeRadio(lab.air, self.mac)
        self.radio.on = True
        self.heard: list[w.Frame] = []
        self.radio.receive = lambda frame, info: self.heard.append(w.Frame.parse(frame))

    def to(self, box: Box) -> Script:
        """Go to the channel of *box*."""
        self.radio.freq = box.radio.freq
        self.radio.bssid = box.ic.bss.bssid
        return self

    def mgmt(self, box: Box, kind: int, body: bytes, *, seq: int = 0) -> None:
        """Send a management frame to *box*, and let it be answered."""
        bssid = box.ic.bss.bssid
        raw = w.mgmt(kind, da=box.mac, sa=self.mac, bssid=bssid, seq=seq << 4, body=body)
        self.radio.transmit(raw, ((2, 1),))
        self.lab.run(0.02)

    def data(self, box: Box, dst: bytes, payload: bytes, *, fc: int = 0, seq: int = 0) -> None:
        """Send a data frame through access point *box*."""
        bssid = box.ic.bss.bssid
        body = w.ether_to_body(dst + self.mac + ETYPE + payload) if payload else b""
        kind = w.DATA if payload else w.NODATA
        raw = w.data(kind | w.FC_TODS | fc, da=dst, sa=self.mac, bssid=bssid, seq=seq, body=body)
        self.radio.transmit(raw, ((2, 1),))
        self.lab.run(0.02)

    def auth(self, box: Box) -> None:
        """Authenticate, open system."""
        self.mgmt(box, w.AUTH, w.Auth(0, 1, 0).build())

    def assoc(self, box: Box, *, rates: tuple[int, ...] = (130, 132, 11, 22), cap: int = 1) -> None:
        """Ask for association."""
        elems = w.ssid_elem(box.ic.bss.essid) + w.rates_elem(rates) + w.xrates_elem(rates)
        self.mgmt(box, w.ASSOC_REQ, w.AssocReq(cap, 1, b"", elems).build())

    def join(self, box: Box) -> Script:
        """Authenticate and associate."""
        self.to(box)
        self.auth(box)
        self.assoc(box)
        return self

    def kinds(self, kind: int) -> list[w.Frame]:
        """Return what was heard of one kind."""
        return [frame for frame in self.heard if frame.fc & 0xFC == kind]


@pytest.fixture
def lab() -> Lab:
    """An air with nobody in it."""
    return Lab()


@pytest.fixture
def script(lab: Lab) -> Script:
    """A station that does what the test says."""
    return Script(lab)


@pytest.fixture
def another(lab: Lab) -> Callable[[int], Script]:
    """More such stations."""
    return lambda number: Script(lab, number)
