"""Whatever comes by radio: nothing raises, no table grows without bound, members can still talk."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from libnet.engine.ieee80211.ieee80211_var import (
    AUTH_SHARED,
    M_HOSTAP,
    M_IBSS,
    M_MONITOR,
    M_STA,
    NODES_MAX,
    SCAN_MAX,
)
from libnet.wire import ieee80211 as w
from libnet.wire.phy import RxInfo, freq_of

ROUNDS = 25_000  # for each of the four kinds of station
STEP = 100


def corpus(ap, sta):
    """Return whole frames of every kind, as between *ap* and *sta*."""
    elems = (
        w.ssid_elem(b"lan")
        + w.rates_elem((130, 132, 11, 22, 12, 24, 48, 108))
        + w.dsparms_elem(6)
        + w.tim_elem(left=0, period=1, mcast=True, aids=(1, 5))
        + w.erp_elem(3)
        + w.xrates_elem(tuple(range(2, 14)))
        + w.element(7, b"DE \x01\x0d\x14")
        + w.element(48, bytes.fromhex("0100000fac040100000fac040100000fac020000"))
        + w.element(221, bytes.fromhex("0050f20101000050f20201000050f20201000050f202"))
    )
    beacon = w.Beacon(10**9, 100, 0x431, elems).build()
    ibss = w.Beacon(10**9, 100, 0x12, elems).build()
    bodies = [
        (w.BEACON, beacon),
        (w.BEACON, ibss),
        (w.PROBE_RESP, beacon),
        (w.PROBE_REQ, elems),
        (w.AUTH, w.Auth(0, 1, 0).build()),
        (w.AUTH, w.Auth(0, 2, 0).build()),
        (w.AUTH, w.Auth(1, 1, 0).build()),
        (w.AUTH, w.Auth(1, 2, 0, w.challenge_elem(bytes(128))).build()),
        (w.AUTH, w.Auth(1, 3, 0, w.challenge_elem(bytes(128))).build()),
        (w.ASSOC_REQ, w.AssocReq(1, 10, b"", elems).build()),
        (w.REASSOC_REQ, w.AssocReq(1, 10, ap, elems).build()),
        (w.ASSOC_RESP, w.AssocResp(1, 0, 1, elems).build()),
        (w.REASSOC_RESP, w.AssocResp(1, 0, 1, elems).build()),
        (w.DEAUTH, w.reason_build(3)),
        (w.DISASSOC, w.reason_build(8)),
        (w.ACTION, b"\0\1\2"),
        (w.ATIM, b""),
    ]
    other = b"\2\0\0\0\7\7"
    frames = []
    for da, sa, bssid in (
        (sta, ap, ap),
        (ap, sta, ap),
        (ap, other, ap),
        (b"\xff" * 6, other, other),
    ):
        frames += [w.mgmt(kind, da=da, sa=sa, bssid=bssid, body=body) for kind, body in bodies]
        llc = w.ether_to_body(da + sa + b"\x88\xb5" + b"payload")
        for fc in (
            0,
            w.FC_TODS,
            w.FC_FROMDS,
            w.FC_PROTECTED | w.FC_TODS,
            w.FC_MOREFRAG | w.FC_TODS,
        ):
            frames.append(w.data(w.DATA | fc, da=da, sa=sa, bssid=bssid, seq=16, body=llc))
            frames.append(w.data(w.NODATA | fc, da=da, sa=sa, bssid=bssid, body=b""))
            frames.append(w.data(w.DATA | fc, da=da, sa=sa, bssid=bssid, body=llc, qos=5))
        frames.append(w.ps_poll(bssid=bssid, ta=sa, aid=1))
        frames += [w.rts(ra=da, ta=sa, dur=3), w.cts(ra=da, dur=1), w.ack(ra=da)]
    return frames


def mutate(dice, frame):
    """Return *frame* with octets changed, cut, doubled or put in."""
    octets = bytearray(frame)
    for _ in range(dice.randrange(5)):
        if not octets:
            break
        at = dice.randrange(len(octets))
        match dice.randrange(6):
            case 0 | 1:
                octets[at] = dice.getrandbits(8)
            case 2:
                octets[at] ^= 1 << dice.randrange(8)
            case 3:
                del octets[at:]
            case 4:
                octets[at:at] = dice.randbytes(dice.randrange(8))
            case 5:
                octets += octets[at:][:64]
    return bytes(octets)


@pytest.mark.parametrize("opmode", [M_STA, M_HOSTAP, M_IBSS, M_MONITOR])
def test_mutated_frames(lab, opmode):
    dice = random.Random(opmode)
    ap = lab.box()
    sta = lab.box()
    for box in (ap, sta):
        box.wep(b"abcde")
        box.ic.authmode = AUTH_SHARED
    victim = {M_STA: sta, M_HOSTAP: ap}.get(opmode) or lab.box()
    ap.be(M_HOSTAP, des_chan=freq_of(6))
    sta.be(M_STA)
    if victim not in (ap, sta):
        victim.be(opmode, des_chan=freq_of(6))
    victim.ic.debug = 0xFFFFFFFF
    lab.run(5)
    frames = corpus(ap.mac, victim.mac if victim is not ap else sta.mac)
    for number in range(ROUNDS):
        frame = mutate(dice, dice.choice(frames))
        info = RxInfo(2437, dice.choice((0, 2, 22, 108)), -dice.randrange(100), -95, number)
        victim.radio.receive(frame, info)
        if number % STEP == 0:
            lab.run(0.05)
    ic = victim.ic
    assert len(ic.nodes) <= NODES_MAX
    assert len(ic.scan) <= SCAN_MAX
    assert len(ic.out.pending) <= 64
    assert ic.sta_assoc == len(ic.aids)
    victim.ic.debug = 0
    lab.air.sent.clear()
    if victim in (ap, sta):
        # What a forger may have told of either side is forgotten at last.
        sta.ic.reset()
        lab.run(15)
        assert lab.talks(sta, ap)


@pytest.fixture
def networks(lab):
    """Return the lab, and a box of each kind on one channel; each is a member of its network."""
    boxes = {
        M_HOSTAP: lab.box().be(M_HOSTAP, des_chan=freq_of(6)),
        M_STA: lab.box().be(),
        M_IBSS: lab.box().be(M_IBSS, des_chan=freq_of(6)),
    }
    lab.run(5)
    return lab, boxes


# One set of networks has all the examples: the worse for it, the better.
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    fc=st.integers(0, 0xFFFF),
    addrs=st.lists(
        st.sampled_from([b"\2\0\0\0\0\1", b"\2\0\0\0\0\2", b"\xff" * 6, bytes(6)]),
        min_size=3,
        max_size=3,
    ),
    seq=st.integers(0, 0xFFFF),
    body=st.binary(max_size=200),
    opmode=st.sampled_from([M_STA, M_HOSTAP, M_IBSS]),
)
def test_any_frame_between_the_addresses_of_a_network(networks, fc, addrs, seq, body, opmode):
    lab, boxes = networks
    box = boxes[opmode]
    frame = w.HDR.pack(fc & ~3, 0, *addrs, seq) + body
    box.radio.receive(frame, RxInfo(box.radio.freq, 2, -30, -95, 0))
    lab.run(0.001)
    assert len(box.ic.nodes) <= 8


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=80))
def test_any_octets(networks, octets):
    _lab, boxes = networks
    box = boxes[M_HOSTAP]
    box.radio.receive(octets, RxInfo(box.radio.freq, 2, -30, -95, 0))
