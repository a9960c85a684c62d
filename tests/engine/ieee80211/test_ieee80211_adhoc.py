"""Ad hoc networks: made, joined, merged, and left alone."""

from __future__ import annotations

from libnet.engine.ieee80211.ieee80211_var import M_IBSS, NODES_MAX, S_RUN, S_SCAN
from libnet.ioctl.ifflags import LINK_STATE_DOWN, LINK_STATE_UP
from libnet.wire import ieee80211 as w
from libnet.wire.phy import freq_of


def test_the_first_makes_the_network_and_the_second_joins_it(lab):
    one = lab.box().be(M_IBSS)
    lab.run(5)
    bssid = one.ic.bss.bssid
    assert bssid[0] & 3 == 2  # individual, locally administered
    other = lab.box().be(M_IBSS)
    lab.run(5)
    assert other.ic.bss.bssid == bssid
    assert lab.talks(one, other)


def test_the_link_is_up_only_while_a_peer_is_there(lab):
    one = lab.box().be(M_IBSS)
    lab.run(5)
    assert (one.ic.state, one.ifp.link_state) == (S_RUN, LINK_STATE_DOWN)
    other = lab.box().be(M_IBSS)
    lab.run(5)
    assert one.ifp.link_state == LINK_STATE_UP
    other.ifp.down()
    lab.run(25)
    assert one.ifp.link_state == LINK_STATE_DOWN
    other.ifp.up()
    lab.run(5)
    assert one.ifp.link_state == LINK_STATE_UP


def test_networks_that_begin_together_become_one(lab):
    boxes = [lab.box().be(M_IBSS) for _ in range(4)]
    lab.run(8)
    assert len({box.ic.bss.bssid for box in boxes}) == 1
    assert lab.talks(boxes[0], boxes[3])


def test_the_younger_network_goes_over_to_the_older(lab):
    old = lab.box().be(M_IBSS, des_chan=freq_of(6))
    old.radio.at = (200, 0)
    lab.run(20)
    young = lab.box().be(M_IBSS, des_chan=freq_of(6))
    young.radio.set_tsf(0)
    lab.run(3)
    assert young.ic.bss.bssid != old.ic.bss.bssid
    old.radio.at = (0, 0)
    bssid = old.ic.bss.bssid
    lab.run(3)
    assert young.ic.bss.bssid == bssid
    assert lab.talks(old, young)
    assert abs(young.radio.tsf() - old.radio.tsf()) < 1000


def test_networks_of_other_names_or_with_privacy_do_not_merge(lab):
    one = lab.box().be(M_IBSS, b"one")
    two = lab.box().be(M_IBSS, b"two")
    wep = lab.box()
    wep.wep(b"abcde")
    wep.be(M_IBSS, b"one")
    lab.run(10)
    assert len({box.ic.bss.bssid for box in (one, two, wep)}) == 3
    assert one.ifp.link_state == LINK_STATE_DOWN


def test_members_share_the_beacons(lab):
    boxes = [lab.box().be(M_IBSS) for _ in range(3)]
    lab.run(8)
    lab.air.sent.clear()
    lab.run(20.48)
    senders = [frame[10:16] for frame in lab.air.kinds(w.BEACON)]
    assert {box.mac for box in boxes} == set(senders)
    # Somebody sends in each interval; two do only when they begin within a frame's time.
    assert 195 <= len(senders) <= 320


def test_wep_between_ad_hoc_stations(lab):
    one, other, wrong = lab.box(), lab.box(), lab.box()
    for box, key in ((one, b"abcde"), (other, b"abcde"), (wrong, b"abcdf")):
        box.wep(key)
        box.be(M_IBSS)
    lab.run(8)
    assert lab.talks(one, other)
    assert not lab.talks(wrong, one)


def test_a_bssid_asked_for_is_taken(lab):
    one = lab.box().be(M_IBSS, des_bssid=b"\2\2\2\2\2\2")
    lab.run(5)
    assert one.ic.bss.bssid == b"\2\2\2\2\2\2"


def test_without_a_name_no_network_is_made(lab):
    one = lab.box().be(M_IBSS, b"")
    lab.run(10)
    assert one.ic.state == S_SCAN
    assert not lab.air.kinds(w.BEACON)


def test_a_probe_request_is_answered(lab, script):
    one = lab.box().be(M_IBSS)
    lab.run(5)
    script.to(one)
    body = w.ssid_elem(b"lan") + w.rates_elem((130, 132, 11, 22))
    script.radio.transmit(
        w.mgmt(w.PROBE_REQ, da=b"\xff" * 6, sa=script.mac, bssid=b"\xff" * 6, body=body), ((2, 1),)
    )
    lab.run(0.05)
    assert len(script.kinds(w.PROBE_RESP)) == 1


def test_a_flood_of_peers_is_bounded(lab):
    one = lab.box().be(M_IBSS)
    lab.run(5)
    bssid = one.ic.bss.bssid
    for number in range(2 * NODES_MAX):
        sa = b"\2\1" + number.to_bytes(4, "big")
        lab.air.inject(
            w.data(w.DATA, da=one.mac, sa=sa, bssid=bssid, body=b"\xaa\xaa\3\0\0\0\x88\xb5x"),
            to=one.radio,
        )
    assert len(one.ic.nodes) <= NODES_MAX
    other = lab.box().be(M_IBSS)
    lab.run(8)
    assert lab.talks(one, other)
