"""What packet filters see of the air, and what is written to them."""

from __future__ import annotations

import pytest

from libnet.engine.ieee80211.ieee80211_var import M_HOSTAP, M_MONITOR
from libnet.engine.link.ethernet import BPF_IN, BPF_OUT
from libnet.errors import NetError
from libnet.ioctl.bpf import DLT_EN10MB, DLT_IEEE802_11, DLT_IEEE802_11_RADIO
from libnet.wire import ieee80211 as w
from libnet.wire.phy import freq_of
from libnet.wire.radiotap import Radiotap


class Listener:
    """Stands where a descriptor's tap does."""

    def __init__(self, box, dlt):
        (self.tap,) = [tap for tap in box.stack.bpf.ifs(box.ifp) if tap.dlt == dlt]
        self.frames = []
        self.tap.changed(self)

    def mtap(self, frame, direction):
        self.frames.append((direction, frame))


def test_three_forms_are_offered_ethernet_first(lab):
    box = lab.box()
    forms = [tap.dlt for tap in box.stack.bpf.ifs(box.ifp)]
    assert forms == [DLT_EN10MB, DLT_IEEE802_11_RADIO, DLT_IEEE802_11]


def test_frames_in_and_out_are_shown_as_they_are_on_the_air(lab):
    ap, sta = lab.box(), lab.box()
    for box in (ap, sta):
        box.wep(b"abcde")
    ap.be(M_HOSTAP, des_chan=freq_of(6))
    sta.be()
    lab.run(5)
    plain = Listener(sta, DLT_IEEE802_11)
    radio = Listener(sta, DLT_IEEE802_11_RADIO)
    sta.send(ap, b"hello")
    lab.run(0.2)
    (sent,) = [f for direction, f in plain.frames if direction == BPF_OUT]
    assert w.Frame.parse(sent).fc & w.FC_PROTECTED
    assert b"hello" not in sent
    head, frame = Radiotap.parse(next(f for d, f in radio.frames if d == BPF_OUT))
    assert frame == sent
    assert (head.freq, head.rate) == (2437, 22)
    beacons = [f for d, f in radio.frames if d == BPF_IN]
    head, frame = Radiotap.parse(beacons[0])
    assert frame[0] == w.BEACON
    assert (head.signal, head.noise, head.rate) == (0, -95, 2)
    plain.tap.changed(None)
    radio.tap.changed(None)
    assert not sta.ic.taps


def test_a_monitor_shows_everything_and_hands_nothing_up(lab):
    ap = lab.box().be(M_HOSTAP, des_chan=freq_of(6))
    sta = lab.box().be()
    monitor = lab.box().be(M_MONITOR, des_chan=freq_of(6))
    plain = Listener(monitor, DLT_IEEE802_11)
    lab.run(5)
    sta.send(ap, b"hello")
    lab.run(0.2)
    assert [f for _d, f in plain.frames if b"hello" in f]
    assert monitor.got == []


def test_what_a_program_writes_goes_out_as_it_is(lab):
    monitor = lab.box().be(M_MONITOR, des_chan=freq_of(6))
    radio, plain = monitor.stack.bpf.ifs(monitor.ifp)[1:]
    frame = w.mgmt(w.DEAUTH, da=b"\2" * 6, sa=b"\4" * 6, bssid=b"\4" * 6, body=w.reason_build(1))
    plain.output(frame)
    radio.output(Radiotap(rate=22).build() + frame)
    lab.run(0.1)
    assert [(f, series[0][0]) for _at, f, series, _rts in lab.air.sent] == [(frame, 2), (frame, 22)]
    for tap, octets in ((plain, b"\x08"), (radio, b"\1\0\0\0"), (radio, Radiotap().build())):
        with pytest.raises(NetError) as caught:
            tap.output(octets)
        assert caught.value.symbol == "EINVAL"
