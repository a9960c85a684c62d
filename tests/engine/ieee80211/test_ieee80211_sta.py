"""Stations: finding a network, joining it, being sent away, losing it."""

from __future__ import annotations

import pytest

from libnet.engine.ieee80211.ieee80211_var import (
    AUTH_SHARED,
    M_HOSTAP,
    ROAMING_MANUAL,
    RTM_IEEE80211_ASSOC,
    RTM_IEEE80211_DISASSOC,
    RTM_IEEE80211_REASSOC,
    RTM_IEEE80211_SCAN,
    S_AUTH,
    S_INIT,
    S_RUN,
    S_SCAN,
)
from libnet.ioctl.ifflags import LINK_STATE_DOWN, LINK_STATE_UP
from libnet.wire import ieee80211 as w
from libnet.wire.phy import freq_of


def hosts(lab, count=1, **asked):
    """Return access points of network "lan", on channels 1, 6, 11."""
    aps = []
    for number in range(count):
        aps.append(lab.box().be(M_HOSTAP, des_chan=freq_of(1 + 5 * number), **asked))
    return aps


def test_a_station_joins_the_network_it_is_told_and_they_talk(lab):
    (ap,) = hosts(lab)
    sta = lab.box().be()
    lab.run(5)
    assert lab.talks(sta, ap)
    assert sta.ic.state == S_RUN
    assert sta.ifp.link_state == LINK_STATE_UP
    assert (RTM_IEEE80211_ASSOC, ap.mac) in sta.events
    assert (RTM_IEEE80211_SCAN, b"") in sta.events


def test_two_stations_of_one_access_point_talk_through_it(lab):
    hosts(lab)
    one, other = lab.box().be(), lab.box().be()
    lab.run(5)
    assert lab.talks(one, other)


def test_without_a_name_a_station_joins_what_is_open(lab):
    closed = lab.box()
    closed.wep(b"abcde")
    closed.be(M_HOSTAP, b"closed", des_chan=freq_of(1))
    closed.radio.at = (0, 0)
    opened = lab.box().be(M_HOSTAP, b"open", des_chan=freq_of(6))
    opened.radio.at = (40, 0)
    sta = lab.box().be(ssid=b"")
    lab.run(5)
    assert lab.talks(sta, opened)


def test_the_strongest_access_point_of_the_name_is_taken(lab):
    weak, strong = hosts(lab, 2)
    weak.radio.at, strong.radio.at = (60, 0), (30, 0)
    sta = lab.box().be()
    lab.run(5)
    assert sta.ic.bss.bssid == strong.mac
    assert lab.talks(sta, strong)


def test_a_bssid_asked_for_wins_over_signal(lab):
    weak, strong = hosts(lab, 2)
    weak.radio.at = (60, 0)
    sta = lab.box().be(des_bssid=weak.mac)
    lab.run(5)
    assert lab.talks(sta, weak)
    assert strong.ic.nodes == {}


def test_a_channel_asked_for_is_the_only_one_searched(lab):
    one, six = hosts(lab, 2)
    six.radio.at = (60, 0)
    sta = lab.box().be(des_chan=freq_of(6))
    lab.run(5)
    assert lab.talks(sta, six)
    assert not [f for f in lab.air.kinds(w.PROBE_RESP) if f[10:16] == one.mac]


def test_an_open_station_does_not_join_a_wep_network_and_the_other_way_round(lab):
    ap = lab.box()
    ap.wep(b"abcde")
    ap.be(M_HOSTAP, des_chan=freq_of(1))
    lab.box().be(M_HOSTAP, b"other", des_chan=freq_of(1))
    sta = lab.box().be()
    lab.run(10)
    assert sta.ic.state == S_SCAN
    assert sta.ifp.link_state == LINK_STATE_DOWN
    wep = lab.box()
    wep.wep(b"abcde")
    wep.be(ssid=b"other")
    lab.run(10)
    assert wep.ic.state == S_SCAN


def test_a_station_that_finds_nothing_asks_again_ever_more_seldom_and_joins_at_last(lab):
    sta = lab.box().be()
    lab.run(120)
    scans = sta.ic.stats["scan_active"]
    assert 8 <= scans <= 20
    (ap,) = hosts(lab)
    lab.run(12)
    assert lab.talks(sta, ap)


def test_the_wrong_wep_key_joins_and_nothing_passes(lab):
    ap, right, wrong = lab.box(), lab.box(), lab.box()
    for box, key in ((ap, b"corpseckey456"), (right, b"corpseckey456"), (wrong, b"corpseckey457")):
        box.wep(key)
    ap.be(M_HOSTAP, des_chan=freq_of(1))
    right.be()
    wrong.be()
    lab.run(5)
    assert lab.talks(right, ap)
    assert wrong.ic.state == S_RUN
    assert not lab.talks(wrong, ap)
    assert ap.ic.stats["rx_wepfail"] == 1


def test_shared_key_authentication_lets_the_right_key_in_only(lab):
    ap, right, wrong = lab.box(), lab.box(), lab.box()
    for box, key in ((ap, b"abcde"), (right, b"abcde"), (wrong, b"abcdf")):
        box.wep(key)
        box.ic.authmode = AUTH_SHARED
    ap.be(M_HOSTAP, des_chan=freq_of(1))
    right.be()
    wrong.be()
    lab.run(8)
    assert lab.talks(right, ap)
    assert wrong.ic.state != S_RUN
    assert wrong.ic.stats["rx_auth_fail"] >= 1
    assert wrong.mac not in [node.mac for node in ap.ic.aids.values()]


def test_deauthenticated_a_station_comes_back(lab):
    (ap,) = hosts(lab)
    sta = lab.box().be()
    lab.run(5)
    node = ap.ic.nodes[sta.mac]
    ap.ic.out.send_mgmt(node, w.DEAUTH, w.REASON_AUTH_LEAVE)
    ap.ic.node_leave(node)
    lab.run(5)
    assert sta.ic.stats["rx_deauth"] == 1
    assert (RTM_IEEE80211_DISASSOC, ap.mac) in sta.events
    assert lab.talks(sta, ap)


def test_disassociated_a_station_asks_for_association_again(lab):
    (ap,) = hosts(lab)
    sta = lab.box().be()
    lab.run(5)
    before = len(lab.air.kinds(w.AUTH))
    ap.ic.out.send_mgmt(ap.ic.nodes[sta.mac], w.DISASSOC, w.REASON_UNSPECIFIED)
    lab.run(1)
    assert sta.ic.stats["rx_disassoc"] == 1
    assert lab.talks(sta, ap)
    assert len(lab.air.kinds(w.AUTH)) == before


def test_a_deauthentication_from_somebody_else_is_not_believed(lab, script):
    (ap,) = hosts(lab)
    sta = lab.box().be()
    lab.run(5)
    raw = w.mgmt(w.DEAUTH, da=sta.mac, sa=script.mac, bssid=ap.mac, body=w.reason_build(1))
    lab.air.inject(raw, to=sta.radio)
    assert sta.ic.state == S_RUN
    assert sta.ic.stats["rx_mgtdiscard"] >= 1


def test_a_silent_access_point_is_asked_and_then_given_up(lab):
    (ap,) = hosts(lab)
    sta = lab.box().be()
    lab.run(5)
    ap.radio.at = (500, 0)
    probes = len(lab.air.kinds(w.PROBE_REQ))
    lab.run(2.1)
    assert sta.ic.state == S_RUN
    directed = [f for f in lab.air.kinds(w.PROBE_REQ)[probes:] if f[4:10] == ap.mac]
    assert len(directed) == 1
    lab.run(5)
    assert sta.ic.state == S_SCAN
    assert sta.ifp.link_state == LINK_STATE_DOWN
    ap.radio.at = (0, 0)
    lab.run(15)
    assert lab.talks(sta, ap)


def test_lost_beacons_alone_do_not_end_the_membership(lab):
    hosts(lab)
    sta = lab.box().be()
    lab.run(5)
    lab.air.lose = lambda frame: frame[0] == w.BEACON
    lab.run(20)
    assert sta.ic.state == S_RUN
    assert sta.ic.stats["scan_active"] == 1


def test_an_answer_that_does_not_come_is_asked_for_again(lab):
    hosts(lab)
    lost = []

    def first_auth(frame):
        if frame[0] == w.AUTH and len(lost) < 2:
            lost.append(frame)
            return True
        return False

    lab.air.lose = first_auth
    sta = lab.box().be()
    lab.run(8)
    assert len(lost) == 2
    assert sta.ic.state == S_RUN


def test_a_station_that_goes_down_takes_its_leave(lab):
    (ap,) = hosts(lab)
    sta = lab.box().be()
    lab.run(5)
    sta.ifp.down()
    assert sta.ic.state == S_INIT
    lab.run(0.1)
    (leave,) = lab.air.kinds(w.DISASSOC)
    assert w.reason_parse(leave[24:]) == w.REASON_ASSOC_LEAVE
    assert ap.ic.nodes == {}
    assert not sta.radio.on


def test_reset_joins_what_is_asked_for_now(lab):
    hosts(lab)
    other = lab.box().be(M_HOSTAP, b"other", des_chan=freq_of(11))
    sta = lab.box().be()
    lab.run(5)
    sta.ic.des_ssid = b"other"
    sta.ic.reset()
    lab.run(5)
    assert lab.talks(sta, other)


def test_manual_roaming_leaves_joining_to_a_program(lab):
    (ap,) = hosts(lab)
    sta = lab.box().be(roaming=ROAMING_MANUAL)
    lab.run(10)
    assert sta.ic.state == S_SCAN
    assert ap.mac in sta.ic.scan
    assert sta.ic.stats["scan_active"] == 1


def test_a_station_goes_to_the_better_access_point_as_it_moves(lab):
    near, far = hosts(lab, 2)
    near.radio.at, far.radio.at = (0, 0), (100, 0)
    sta = lab.box().be()
    sta.radio.at = (20, 0)
    lab.run(5)
    assert lab.talks(sta, near)
    sta.radio.at = (76, 0)
    lab.run(12)
    assert sta.ic.bss.bssid == far.mac
    assert (RTM_IEEE80211_REASSOC, far.mac) in sta.events
    (request,) = lab.air.kinds(w.REASSOC_REQ)
    assert w.AssocReq.parse(request[24:], reassoc=True).curap == near.mac
    assert lab.talks(sta, far)


def test_a_weak_station_stays_where_there_is_nothing_better(lab):
    (ap,) = hosts(lab)
    sta = lab.box().be()
    sta.radio.at = (76, 0)
    lab.run(200)
    assert 4 <= sta.ic.stats["scan_active"] <= 8  # ever more seldom
    assert lab.talks(sta, ap)


def test_a_scan_in_the_background_lists_others_and_loses_nothing(lab):
    (ap,) = hosts(lab)
    other = lab.box().be(M_HOSTAP, b"other", des_chan=freq_of(11))
    lan5 = lab.box().be(M_HOSTAP, b"five", des_chan=5180)
    sta = lab.box().be(des_chan=freq_of(1))
    lab.run(5)
    sta.events.clear()
    sta.ic.begin_scan()
    for number in range(40):
        ap.send(sta, b"%d" % number)
        lab.run(0.1)
    assert (RTM_IEEE80211_SCAN, b"") in sta.events
    assert {other.mac, lan5.mac} <= set(sta.ic.scan)
    assert [int(payload) for _src, payload in sta.got] == list(range(40))
    assert lab.talks(sta, ap)


def test_nothing_is_asked_on_a_radar_channel_before_somebody_is_heard(lab):
    quiet = lab.box(freqs=(5260,), modes=("11a",)).be()
    lab.run(3)
    assert not lab.air.kinds(w.PROBE_REQ)
    quiet.ifp.down()
    hosts_5260 = lab.box().be(M_HOSTAP, des_chan=5260, des_mode=1)
    sta = lab.box(freqs=(5260,), modes=("11a",)).be()
    lab.run(3)
    assert lab.air.kinds(w.PROBE_REQ)
    assert lab.talks(sta, hosts_5260)


def test_with_no_common_rate_there_is_no_network(lab):
    lab.box(modes=("11a",), freqs=(5180,)).be(M_HOSTAP, des_chan=5180, des_mode=1)
    sta = lab.box().be(fixed_rate=22)
    lab.run(5)
    assert sta.ic.state == S_SCAN


def test_a_multicast_echo_of_our_own_is_dropped(lab):
    (ap,) = hosts(lab)
    sta = lab.box().be()
    lab.run(5)
    sta.send(b"", b"to all")
    lab.run(1)
    assert ap.got == [(sta.mac, b"to all")]
    assert sta.got == []
    assert sta.ic.stats["rx_mcastecho"] == 1


def test_what_is_sent_without_a_network_is_lost_at_once_and_counted(lab):
    sta = lab.box().be()
    lab.run(1)
    sta.send(b"", b"hello?")
    assert sta.ifp.oerrors == 1
    assert not sta.ifp.snd


def test_a_frame_with_somebody_elses_address_is_not_sent(lab):
    hosts(lab)
    sta = lab.box().be()
    lab.run(5)
    sta.ifp.enqueue(b"\xff" * 6 + b"\2\0\0\0\0\x99" + b"\x88\xb5bridged")
    lab.run(1)
    assert sta.stack.stats["ieee80211"]["tx_badsrc"] == 1
    assert not [f for f in lab.air.sent if b"bridged" in f[1]]


def test_a_program_may_choose_another_network_than_the_one_it_is_in(lab):
    one, six = hosts(lab, 2)
    six.radio.at = (60, 0)
    sta = lab.box().be()
    lab.run(5)
    assert lab.talks(sta, one)
    sta.ic.begin_scan()
    lab.run(6)
    assert sta.ic.proto.sta_join(sta.ic.scan[six.mac])
    lab.run(1)
    assert (RTM_IEEE80211_DISASSOC, one.mac) in sta.events
    assert lab.talks(sta, six)


def test_a_scan_asked_for_in_the_middle_of_joining_ends_and_the_station_joins(lab):
    (ap,) = hosts(lab)
    lab.air.lose = lambda frame: frame[0] == w.AUTH
    sta = lab.box().be()
    while sta.ic.state != S_AUTH:
        lab.run(0.01)
    sta.events.clear()
    sta.ic.begin_scan()
    lab.air.lose = lambda frame: False
    lab.run(8)
    assert (RTM_IEEE80211_SCAN, b"") in sta.events
    assert lab.talks(sta, ap)


def test_only_the_channels_that_may_be_used_are_searched(lab):
    one, six = hosts(lab, 2)
    six.radio.at = (60, 0)
    sta = lab.box()
    sta.ic.chan_active = frozenset((freq_of(6), freq_of(11)))
    sta.be()
    lab.run(5)
    assert one.mac not in sta.ic.scan
    assert lab.talks(sta, six)


def test_nothing_passes_a_port_that_is_not_open(lab):
    (ap,) = hosts(lab)
    sta = lab.box().be()
    lab.run(5)
    ap.ic.nodes[sta.mac].authorized = False
    assert not lab.talks(sta, ap)
    assert ap.ic.stats["rx_unauth"] == 1
    ap.send(sta, b"secret")
    assert ap.stack.stats["ieee80211"]["tx_unauth"] == 1
    # The frames by which a port is opened (802.1X) do pass.
    ap.ifp.enqueue(sta.mac + ap.mac + b"\x88\x8e\1\0\0\0")
    lab.run(0.1)
    assert sta.ifp.noproto == 1


def test_an_access_point_that_was_switched_off_and_on_is_joined_anew(lab):
    (ap,) = hosts(lab)
    sta = lab.box().be()
    lab.run(5)
    ap.ic.tables.reset()
    ap.radio.set_tsf(0)
    lab.run(1)
    ap.send(sta, b"to a station that has said nothing since")
    lab.run(0.1)
    assert len(sta.got) == 1


@pytest.mark.parametrize("change", ["name", "privacy"])
def test_a_station_does_not_follow_its_access_point_into_another_network(lab, change):
    ap, sta = lab.box(), lab.box()
    ap.be(M_HOSTAP, des_chan=freq_of(6))
    sta.be()
    lab.run(5)
    assert lab.talks(sta, ap)
    if change == "name":
        ap.ic.des_ssid = b"other"
    else:
        ap.wep(b"abcde")
    ap.ic.reset()
    lab.run(10)
    assert sta.ic.state == S_SCAN
    assert not ap.ic.nodes
    assert not lab.talks(sta, ap)
    if change == "name":
        ap.ic.des_ssid = b"lan"
    else:
        ap.ic.setkeys([], 0, privacy=False)
    ap.ic.reset()
    lab.run(15)
    assert lab.talks(sta, ap)


def test_beacons_in_the_access_points_name_do_not_change_what_was_agreed_on(lab):
    ap, sta = lab.box(), lab.box()
    ap.be(M_HOSTAP, des_chan=freq_of(6))
    sta.be()
    lab.run(5)
    agreed = sta.ic.bss.bssid, sta.ic.bss.essid, list(sta.ic.bss.rates)
    for bssid, name in ((bytes((2, 0, 0, 0, 6, 6)), b"trap"), (ap.mac, b"lan"), (ap.mac, b"")):
        elems = w.ssid_elem(name) + w.rates_elem((0x82, 0x7F))
        body = w.Beacon(sta.radio.tsf(), 100, w.CAPINFO_ESS, elems).build()
        frame = w.mgmt(w.BEACON, da=b"\xff" * 6, sa=ap.mac, bssid=bssid, body=body)
        lab.air.inject(frame, to=sta.radio)
    assert (sta.ic.bss.bssid, sta.ic.bss.essid, sta.ic.bss.rates) == agreed
    assert lab.talks(sta, ap)


def test_a_station_leaves_an_access_point_whose_name_changes_under_way(lab):
    ap, sta = lab.box(), lab.box()
    ap.be(M_HOSTAP, des_chan=freq_of(6))
    sta.be()
    lab.run(5)
    ap.ic.bss.essid = ap.ic.des_ssid = b"other"
    lab.run(3)
    assert sta.ic.state == S_SCAN
    assert sta.events[-1][0] in (RTM_IEEE80211_DISASSOC, RTM_IEEE80211_SCAN)
    ap.ic.bss.essid = ap.ic.des_ssid = b"lan"
    lab.run(15)
    assert lab.talks(sta, ap)
