"""Data frames: duplicates, fragments, ciphers, and what is dropped for being wrong."""

from __future__ import annotations

import pytest

from libnet.engine.ieee80211.ieee80211_var import M_HOSTAP, M_MONITOR
from libnet.wire import ieee80211 as w
from libnet.wire.phy import RX_BADFCS, RxInfo, freq_of

ETYPE = b"\x88\xb5"


@pytest.fixture
def ap(lab):
    box = lab.box().be(M_HOSTAP, des_chan=freq_of(6))
    lab.run(0.5)
    return box


def raw(script, ap, body, *, fc=0, seq=0, dst=None):
    dst = dst or ap.mac
    return w.data(w.DATA | w.FC_TODS | fc, da=dst, sa=script.mac, bssid=ap.mac, seq=seq, body=body)


def body(payload):
    return w.ether_to_body(bytes(12) + ETYPE + payload)


def test_a_repeated_frame_is_taken_once(lab, ap, script):
    script.join(ap)
    frame = raw(script, ap, body(b"x"), seq=16)
    again = raw(script, ap, body(b"x"), seq=16, fc=w.FC_RETRY)
    for one in (frame, again, again):
        lab.air.inject(one, to=ap.radio)
    assert len(ap.got) == 1
    assert ap.ic.stats["rx_dup"] == 2


def test_a_retry_whose_first_try_was_not_heard_is_taken(lab, ap, script):
    script.join(ap)
    lab.air.inject(raw(script, ap, body(b"x"), seq=16, fc=w.FC_RETRY), to=ap.radio)
    assert len(ap.got) == 1


def test_qos_frames_are_numbered_by_class_and_taken(lab, ap, script):
    script.join(ap)
    payloads = [b"plain", b"best effort", b"voice"]
    for payload, tid in zip(payloads, (None, 0, 6), strict=True):
        for _ in range(2):  # the second is the same once more
            frame = w.data(
                w.DATA | w.FC_TODS | w.FC_RETRY,
                da=ap.mac,
                sa=script.mac,
                bssid=ap.ic.bss.bssid,
                seq=16,
                body=body(payload),
                qos=tid,
            )
            lab.air.inject(frame, to=ap.radio)
    assert [payload for _src, payload in ap.got] == payloads
    assert ap.ic.stats["rx_dup"] == 3


def test_fragments_are_put_together(lab, ap, script):
    script.join(ap)
    whole = body(b"0123456789" * 30)
    for number, at in enumerate(range(0, len(whole), 100)):
        fc = w.FC_MOREFRAG if at + 100 < len(whole) else 0
        piece = raw(script, ap, whole[at : at + 100], fc=fc, seq=0x120 | number)
        lab.air.inject(piece, to=ap.radio)
    assert ap.got == [(script.mac, b"0123456789" * 30)]


def test_a_missing_fragment_loses_the_frame_and_only_it(lab, ap, script):
    script.join(ap)
    whole = body(b"0123456789" * 30)
    for number in (0, 2):
        fc = w.FC_MOREFRAG if number < 2 else 0
        piece = raw(script, ap, whole[100 * number : 100 * number + 100], fc=fc, seq=number)
        lab.air.inject(piece, to=ap.radio)
    assert ap.got == []
    lab.air.inject(raw(script, ap, body(b"next"), seq=16), to=ap.radio)
    assert ap.got == [(script.mac, b"next")]


def test_fragments_of_more_than_a_frame_are_dropped(lab, ap, script):
    script.join(ap)
    for number in range(16):
        fc = w.FC_MOREFRAG if number < 15 else 0
        lab.air.inject(raw(script, ap, bytes(400), fc=fc, seq=number), to=ap.radio)
    assert ap.got == []
    assert ap.ic.stats["rx_decap"] > 0
    assert ap.ic.nodes[script.mac].frag is None


def test_the_first_fragment_alone_is_forgotten(lab, ap, script):
    script.join(ap)
    lab.air.inject(raw(script, ap, body(b"x"), fc=w.FC_MOREFRAG), to=ap.radio)
    assert ap.ic.nodes[script.mac].frag is not None
    lab.run(10)
    assert ap.ic.nodes[script.mac].frag is None


@pytest.mark.parametrize("key", [b"", b"abcde", b"corpseckey456"])
@pytest.mark.parametrize("threshold", [256, 500, 2346])
def test_frames_are_cut_by_the_threshold_and_arrive_whole(lab, key, threshold):
    ap, sta = lab.box(), lab.box()
    for box in (ap, sta):
        if key:
            box.wep(key)
        box.ic.fragthreshold = threshold
    ap.be(M_HOSTAP, des_chan=freq_of(6))
    sta.be()
    lab.run(5)
    for size in (1, 200, 224, 225, 1500):
        sta.got.clear()
        ap.send(sta, bytes(range(256)) * 6)
        lab.air.sent.clear()
        ap.send(sta, b"x" * size)
        lab.run(0.2)
        assert sta.got[-1] == (ap.mac, b"x" * size)
        assert all(
            len(f) + 4 <= max(threshold, 256) or threshold == 2346 for f in lab.air.kinds(w.DATA)
        )


def test_frames_over_the_rts_threshold_ask_first(lab, ap):
    sta = lab.box().be(rtsthreshold=500)
    lab.run(5)
    lab.air.sent.clear()
    sta.send(ap, bytes(100))
    sta.send(ap, bytes(600))
    lab.run(0.1)
    assert [rts for _at, f, _series, rts in lab.air.sent if f[0] == w.DATA] == [False, True]


def test_wep_frames_without_privacy_and_clear_ones_where_they_are_not_wanted(lab, ap, script):
    script.join(ap)
    lab.air.inject(raw(script, ap, bytes(40), fc=w.FC_PROTECTED), to=ap.radio)
    assert ap.ic.stats["rx_noprivacy"] == 1
    ap.wep(b"abcde")
    lab.air.inject(raw(script, ap, body(b"clear"), seq=16), to=ap.radio)
    ap.ic.dropunencrypted = True
    lab.air.inject(raw(script, ap, body(b"dropped"), seq=32), to=ap.radio)
    assert ap.got == [(script.mac, b"clear")]
    assert ap.ic.stats["rx_unencrypted"] == 1


def test_a_clear_fragment_does_not_become_part_of_an_enciphered_frame(lab, ap, script):
    script.join(ap)
    ap.wep(b"abcde")
    ap.ic.dropunencrypted = True
    last = raw(script, ap, b"", fc=w.FC_PROTECTED, seq=0x21)
    key = ap.ic.crypto.txkey(ap.ic.nodes[script.mac], group=False)
    end = ap.ic.crypto.encap(key, last, b"end")
    begin = raw(script, ap, body(b"somebody else's "), fc=w.FC_MOREFRAG, seq=0x20)
    lab.air.inject(begin, to=ap.radio)
    lab.air.inject(end, to=ap.radio)
    assert ap.got == []
    assert ap.ic.stats["rx_unencrypted"] == 1
    head = raw(script, ap, b"", fc=w.FC_PROTECTED | w.FC_MOREFRAG, seq=0x30)
    lab.air.inject(ap.ic.crypto.encap(key, head, body(b"begin ")), to=ap.radio)
    last = raw(script, ap, b"", fc=w.FC_PROTECTED, seq=0x31)
    lab.air.inject(ap.ic.crypto.encap(key, last, b"end"), to=ap.radio)
    assert ap.got == [(script.mac, b"begin end")]


def test_what_passes_a_closed_port_goes_to_no_other_station(lab, ap, script, another):
    script.join(ap)
    other = another(0x55).join(ap)
    frames = [
        raw(script, ap, w.ether_to_body(bytes(12) + b"\x88\x8e\x01\x01\0\0"), seq=16 * n, dst=dst)
        for n, dst in enumerate((other.mac, b"\xff" * 6))
    ]
    ap.ic.nodes[script.mac].authorized = False
    for frame in frames:
        lab.air.inject(frame, to=ap.radio)
    lab.run(0.5)
    assert other.kinds(w.DATA) == []
    ap.ic.nodes[script.mac].authorized = True
    for frame in frames:
        lab.air.inject(frame, to=ap.radio)
    lab.run(0.5)
    assert len(other.kinds(w.DATA)) == 2


def test_wep_frames_are_dropped_for_a_wrong_sum_an_empty_slot_and_being_short(lab, ap, script):
    script.join(ap)
    ap.wep(b"abcde")
    for octets in (bytes(40), b"\0\0\0\xc0" + bytes(40), b"\0\0"):
        lab.air.inject(raw(script, ap, octets, fc=w.FC_PROTECTED), to=ap.radio)
    assert ap.got == []
    stats = ap.ic.stats
    assert (stats["rx_wepfail"], stats["rx_nocipherctx"], stats["rx_tooshort"]) == (1, 1, 1)


def test_privacy_without_a_key_sends_nothing(lab, ap, script):
    script.join(ap)
    ap.ic.privacy = True
    script.heard.clear()
    ap.send(script.mac, b"secret")
    lab.run(0.1)
    assert not script.kinds(w.DATA)
    assert ap.ic.stats["tx_nodefkey"] == 1


def test_data_for_nobody_is_not_sent(lab, ap):
    ap.send(b"\2\0\0\0\0\x55", b"x")
    assert ap.ic.stats["tx_nonode"] == 1
    assert ap.ifp.oerrors == 1


def test_directions_that_cannot_be_are_dropped(lab, ap, script):
    script.join(ap)
    for fc in (0, w.FC_FROMDS):
        frame = w.HDR.pack(w.DATA | fc, 0, ap.mac, script.mac, ap.mac, 0) + body(b"x")
        lab.air.inject(frame, to=ap.radio)
    assert ap.got == []
    assert ap.ic.stats["rx_wrongdir"] == 2


def test_a_body_that_is_no_frame_is_dropped(lab, ap, script):
    script.join(ap)
    for octets in (b"", b"\xaa\xaa\x03", b"\xaa\xaa\x03\0\0\0"):
        lab.air.inject(raw(script, ap, octets), to=ap.radio)
    assert ap.ic.stats["rx_decap"] == 2  # three octets of LLC are a frame, if nobody's
    assert ap.got == []


def test_damaged_frames_are_looked_at_by_nobody(lab, ap, script):
    script.join(ap)
    frame = raw(script, ap, body(b"x"))
    ap.radio.receive(frame, RxInfo(2437, 2, -30, -95, 0, RX_BADFCS))
    assert ap.got == []


def test_short_frames_and_other_versions_are_counted(lab, ap):
    for octets in (
        b"",
        b"\x08",
        b"\x08\0" + bytes(12),
        b"\x09\0" + bytes(30),
        b"\x0c\0" + bytes(30),
    ):
        lab.air.inject(octets, to=ap.radio)
    assert ap.ic.stats["rx_tooshort"] == 3
    assert ap.ic.stats["rx_badversion"] == 2


def test_a_monitor_sends_nothing_and_answers_nothing(lab, ap):
    monitor = lab.box().be(M_MONITOR, des_chan=freq_of(6))
    lab.run(1)
    monitor.send(b"", b"x")
    lab.run(1)
    assert not [f for f in lab.air.sent if f[1][10:16] == monitor.mac]
    assert monitor.got == []


def test_numbers_of_frames_go_round(lab, ap, script):
    script.join(ap)
    ap.ic.txseq = 4094
    script.heard.clear()
    for _ in range(4):
        ap.send(script.mac, b"x")
    lab.run(0.01)
    assert [f.seq >> 4 for f in script.kinds(w.DATA)] == [4094, 4095, 0, 1]


def test_when_the_radio_is_full_frames_wait_and_then_go_in_order(lab, ap):
    sta = lab.box().be()
    lab.run(5)
    for number in range(200):
        ap.send(sta, b"%d" % number)
    assert ap.ifp.snd
    lab.run(1)
    assert [int(payload) for _src, payload in sta.got] == list(range(200))


def test_rates_climb_where_all_goes_well_and_fall_where_it_does_not(lab):
    ap = lab.box().be(M_HOSTAP, des_chan=freq_of(6), des_mode=3)
    sta = lab.box().be()
    lab.run(5)
    assert sta.ic.bss.rate == 72
    for _ in range(400):
        sta.send(ap, b"x")
        lab.run(0.01)
    assert sta.ic.bss.rate == 108
    lab.air.lose = lambda frame: frame[0] == w.DATA
    for _ in range(400):
        sta.send(ap, b"x")
        lab.run(0.01)
    assert sta.ic.bss.rate < 72


def test_a_fixed_rate_is_kept(lab, ap):
    sta = lab.box().be(fixed_rate=4)
    lab.run(5)
    lab.air.sent.clear()
    sta.send(ap, b"x")
    lab.run(0.1)
    assert {series[0][0] for _at, f, series, _rts in lab.air.sent if f[0] == w.DATA} == {4}
