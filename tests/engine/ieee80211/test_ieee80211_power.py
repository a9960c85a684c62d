"""Power saving: what an access point keeps, and how a station sleeps."""

from __future__ import annotations

import pytest

from libnet.engine.ieee80211.ieee80211_var import M_HOSTAP, SAVEDQ_MAX
from libnet.wire import ieee80211 as w
from libnet.wire.phy import freq_of


@pytest.fixture
def ap(lab):
    box = lab.box().be(M_HOSTAP, des_chan=freq_of(6))
    lab.run(0.5)
    return box


def tims(lab):
    found = []
    for at, frame, _series, _rts in lab.air.sent:
        if frame[0] == w.BEACON:
            tim = w.Elements.parse(w.Beacon.parse(frame[24:]).elems).tim
            found.append((at, w.Tim.parse(tim)))
    return found


def asleep(script, ap):
    script.join(ap)
    script.data(ap, ap.mac, b"", fc=w.FC_PWRMGT)
    script.heard.clear()


def poll(script, ap, aid=1):
    raw = w.ps_poll(bssid=ap.mac, ta=script.mac, aid=aid)
    script.radio.transmit(raw, ((2, 1),))
    script.lab.run(0.02)


def test_frames_for_a_sleeper_wait_and_the_tim_says_so(lab, ap, script):
    asleep(script, ap)
    ap.send(script.mac, b"one")
    ap.send(script.mac, b"two")
    lab.air.sent.clear()
    lab.run(0.2)
    assert not script.kinds(w.DATA)
    assert all(tim.has(1) for _at, tim in tims(lab))
    assert not any(tim.has(2) for _at, tim in tims(lab))


def test_each_poll_brings_one_frame_and_the_last_has_no_more_data_bit(lab, ap, script):
    asleep(script, ap)
    ap.send(script.mac, b"one")
    ap.send(script.mac, b"two")
    poll(script, ap)
    (first,) = script.kinds(w.DATA)
    assert first.body.endswith(b"one")
    assert first.fc & w.FC_MOREDATA
    poll(script, ap)
    last = script.kinds(w.DATA)[1]
    assert last.body.endswith(b"two")
    assert not last.fc & w.FC_MOREDATA
    lab.air.sent.clear()
    lab.run(0.2)
    assert not any(tim.has(1) for _at, tim in tims(lab))


def test_a_poll_with_nothing_kept_brings_a_null_frame(lab, ap, script):
    asleep(script, ap)
    poll(script, ap)
    assert len(script.kinds(w.NODATA)) == 1
    assert ap.ic.stats["ps_qempty"] == 1


def test_a_poll_with_another_id_or_from_a_stranger_is_answered_with_reason_seven(
    lab, ap, script, another
):
    asleep(script, ap)
    poll(script, ap, aid=9)
    stranger = another(0x78).to(ap)
    poll(stranger, ap)
    for one in (script, stranger):
        assert [w.reason_parse(f.body) for f in one.kinds(w.DEAUTH)] == [w.REASON_NOT_ASSOCED]
    assert (ap.ic.stats["ps_badaid"], ap.ic.stats["ps_unassoc"]) == (1, 1)


def test_waking_up_brings_all_that_was_kept_in_order(lab, ap, script):
    asleep(script, ap)
    for number in range(5):
        ap.send(script.mac, b"%d" % number)
    script.data(ap, ap.mac, b"")
    lab.run(0.1)
    assert [f.body[-1:] for f in script.kinds(w.DATA)] == [b"0", b"1", b"2", b"3", b"4"]


def test_what_is_kept_is_bounded_and_counted(lab, ap, script):
    asleep(script, ap)
    for _ in range(SAVEDQ_MAX + 7):
        ap.send(script.mac, b"x")
    assert len(ap.ic.nodes[script.mac].savedq) == SAVEDQ_MAX
    assert ap.stack.stats["ieee80211"]["ps_qfull"] == 7


def test_what_is_kept_too_long_is_dropped(lab, ap, script):
    asleep(script, ap)
    ap.send(script.mac, b"x")
    lab.run(15)
    assert not ap.ic.nodes[script.mac].savedq
    assert ap.stack.stats["ieee80211"]["ps_aged"] == 1


def test_frames_to_all_follow_the_dtim_beacon_when_somebody_sleeps(lab, script):
    ap = lab.box().be(M_HOSTAP, des_chan=freq_of(6), dtim_period=3)
    lab.run(0.5)
    asleep(script, ap)
    other = lab.box().be()
    lab.run(5)
    lab.air.sent.clear()
    ap.send(b"", b"first")
    ap.send(b"", b"second")
    assert not [f for f in lab.air.kinds(w.DATA) if f[4] & 1]
    lab.run(0.5)
    assert other.got == [(ap.mac, b"first"), (ap.mac, b"second")]
    kinds = [(at, frame) for at, frame, _s, _r in lab.air.sent if frame[0] in (w.BEACON, w.DATA)]
    data = [i for i, (_at, frame) in enumerate(kinds) if frame[0] == w.DATA]
    assert data == [data[0], data[0] + 1]  # nothing between them
    tim = w.Tim.parse(w.Elements.parse(w.Beacon.parse(kinds[data[0] - 1][1][24:]).elems).tim)
    assert (tim.left, tim.mcast) == (0, True)
    frames = [w.Frame.parse(kinds[i][1]) for i in data]
    assert [bool(f.fc & w.FC_MOREDATA) for f in frames] == [True, False]


def test_frames_to_all_go_at_once_when_nobody_sleeps(lab, ap, script):
    script.join(ap)
    script.heard.clear()
    ap.send(b"", b"now")
    lab.run(0.001)
    assert len(script.kinds(w.DATA)) == 1


def test_the_dtim_count_goes_down_to_zero(lab, script):
    lab.box().be(M_HOSTAP, des_chan=freq_of(6), dtim_period=3)
    lab.run(1)
    counts = [tim.left for _at, tim in tims(lab)]
    assert counts[:7] == [0, 2, 1, 0, 2, 1, 0]


def test_a_station_that_saves_power_sleeps_most_of_the_time_and_gets_everything(lab, ap):
    sta = lab.box().be(powersave=True)
    lab.run(5)
    assert ap.ic.nodes[sta.mac].powersave
    slept = 0
    for number in range(400):
        lab.run(0.01)
        slept += sta.radio.asleep
        if number % 100 == 50:
            ap.send(sta, b"%d" % number)
            ap.send(b"", b"all%d" % number)
    assert slept > 300
    assert sorted(payload for _src, payload in sta.got) == sorted(
        [b"%d" % n for n in range(50, 400, 100)] + [b"all%d" % n for n in range(50, 400, 100)]
    )


def test_a_sleeping_station_gets_frames_in_fragments(lab, ap):
    ap.ic.fragthreshold = 256
    sta = lab.box().be(powersave=True)
    lab.run(5)
    for number in range(3):
        ap.send(sta, bytes((number,)) * 1400)
    lab.run(1)
    assert sta.ic.power.dozing
    assert [payload[0] for _src, payload in sta.got] == [0, 1, 2]


def test_a_sleeping_station_sends_at_once(lab, ap):
    sta = lab.box().be(powersave=True)
    lab.run(5)
    while not sta.radio.asleep:
        lab.run(0.001)
    sta.send(ap, b"hello")
    lab.run(0.01)
    assert ap.got == [(sta.mac, b"hello")]
    assert ap.ic.nodes[sta.mac].powersave


def test_a_sleeping_station_notices_that_the_access_point_has_gone(lab, ap):
    sta = lab.box().be(powersave=True)
    lab.run(5)
    ap.radio.on = False
    lab.run(6)
    assert sta.ic.bss.associd == 0
    assert not sta.ic.power.dozing


def test_a_dozing_member_is_kept_beyond_the_inactivity_time(lab, ap):
    sta = lab.box().be(powersave=True)
    lab.run(ap.ic.inact_run * 2)
    assert ap.ic.stats["node_timeout"] == 0
    assert lab.talks(sta, ap)
