"""Access points: who is let in, who is sent away, and what everybody is told."""

from __future__ import annotations

from itertools import pairwise

import pytest

from libnet.engine.ieee80211.ieee80211_var import (
    ACL_ALLOW,
    ACL_DENY,
    M_HOSTAP,
    NODES_MAX,
    PROT_NONE,
    RTM_IEEE80211_JOIN,
    RTM_IEEE80211_LEAVE,
    RTM_IEEE80211_REJOIN,
    S_RUN,
)
from libnet.errors import NetError
from libnet.wire import ieee80211 as w
from libnet.wire.phy import freq_of

B_ONLY = (130, 132, 11, 22)
ALL_G = (130, 132, 139, 150, 12, 18, 24, 36, 48, 72, 96, 108)


@pytest.fixture
def ap(lab):
    box = lab.box().be(M_HOSTAP, des_chan=freq_of(6))
    lab.run(0.5)
    return box


@pytest.fixture
def ap_g(lab):
    box = lab.box().be(M_HOSTAP, des_chan=freq_of(6), des_mode=3)
    lab.run(0.5)
    return box


def elements(frame):
    return w.Elements.parse(w.Beacon.parse(frame[24:]).elems)


def reasons(frames):
    return [w.reason_parse(frame.body) for frame in frames]


def test_an_access_point_beacons_every_hundred_time_units(lab, ap):
    lab.air.sent.clear()
    lab.run(10.24)
    beacons = [at for at, frame, _series, _rts in lab.air.sent if frame[0] == w.BEACON]
    assert len(beacons) == 100
    assert {round(b - a, 4) for a, b in pairwise(beacons)} == {0.1024}
    elems = elements(lab.air.kinds(w.BEACON)[-1])
    assert (elems.ssid, elems.dschan) == (b"lan", 6)


def test_association_ids_begin_at_one_and_are_used_again(lab, ap, script, another):
    second = another(0x78)
    for one in (script, second):
        one.join(ap)
    answers = [w.AssocResp.parse(s.kinds(w.ASSOC_RESP)[0].body) for s in (script, second)]
    assert [(a.status, a.associd) for a in answers] == [(0, 1), (0, 2)]
    script.mgmt(ap, w.DEAUTH, w.reason_build(3))
    third = another(0x79).join(ap)
    assert w.AssocResp.parse(third.kinds(w.ASSOC_RESP)[0].body).associd == 1
    assert ap.events == [
        (RTM_IEEE80211_JOIN, script.mac),
        (RTM_IEEE80211_JOIN, second.mac),
        (RTM_IEEE80211_LEAVE, script.mac),
        (RTM_IEEE80211_JOIN, third.mac),
    ]


def test_a_full_access_point_says_so(lab, ap, script, another):
    ap.ic.max_aid = 1
    script.join(ap)
    late = another(0x78).join(ap)
    assert w.AssocResp.parse(late.kinds(w.ASSOC_RESP)[0].body).status == w.STATUS_TOOMANY
    assert late.mac not in ap.ic.nodes


def test_association_without_authentication_is_answered_with_reason_nine(lab, ap, script):
    script.to(ap).assoc(ap)
    assert reasons(script.kinds(w.DEAUTH)) == [w.REASON_ASSOC_NOT_AUTHED]
    assert ap.ic.stats["rx_assoc_notauth"] == 1


def test_data_from_a_stranger_is_answered_with_reason_six(lab, ap, script):
    script.to(ap).data(ap, ap.mac, b"hello")
    assert reasons(script.kinds(w.DEAUTH)) == [w.REASON_NOT_AUTHED]
    assert ap.got == []
    assert ap.ic.stats["rx_notassoc"] == 1


def test_data_before_association_is_answered_with_reason_seven(lab, ap, script):
    script.to(ap).auth(ap)
    script.data(ap, ap.mac, b"hello")
    assert reasons(script.kinds(w.DISASSOC)) == [w.REASON_NOT_ASSOCED]
    assert ap.got == []


def test_a_member_that_authenticates_anew_has_to_associate_anew(lab, ap, script):
    script.join(ap)
    script.auth(ap)
    assert ap.ic.aids == {}
    script.data(ap, ap.mac, b"hello")
    assert ap.got == []
    script.assoc(ap)
    script.data(ap, ap.mac, b"again")
    assert ap.got == [(script.mac, b"again")]


def test_a_member_that_associates_again_keeps_its_id_and_its_count(lab, ap_g, script):
    script.join(ap_g)
    script.assoc(ap_g)
    assert [w.AssocResp.parse(f.body).associd for f in script.kinds(w.ASSOC_RESP)] == [1, 1]
    assert (ap_g.ic.sta_assoc, ap_g.ic.nonerpsta) == (1, 1)
    assert ap_g.events[-1] == (RTM_IEEE80211_REJOIN, script.mac)


def test_an_unknown_algorithm_and_shared_key_without_wep_are_refused_with_status_13(
    lab, ap, script
):
    script.to(ap)
    for alg in (w.AUTH_ALG_SHARED, w.AUTH_ALG_LEAP):
        script.mgmt(ap, w.AUTH, w.Auth(alg, 1, 0).build())
    assert [w.Auth.parse(f.body).status for f in script.kinds(w.AUTH)] == [w.STATUS_ALG] * 2
    assert ap.ic.stats["rx_auth_unsupported"] == 1


def test_a_station_that_is_no_infrastructure_station_is_refused(lab, ap, script):
    script.to(ap).auth(ap)
    script.assoc(ap, cap=0)
    assert w.AssocResp.parse(script.kinds(w.ASSOC_RESP)[0].body).status == w.STATUS_CAPINFO
    assert ap.ic.stats["rx_assoc_capmismatch"] == 1


def test_basic_rates_we_do_not_know_are_refused(lab, ap, script):
    script.to(ap).auth(ap)
    script.assoc(ap, rates=(130, 132, 108 | 0x80))
    assert w.AssocResp.parse(script.kinds(w.ASSOC_RESP)[0].body).status == w.STATUS_BASIC_RATE
    assert ap.ic.stats["rx_assoc_norate"] == 1


def test_an_access_list_keeps_out_who_is_not_on_it(lab, ap, script, another):
    ap.ic.acl.add(script.mac)
    ap.ic.acl.set_policy(ACL_ALLOW)
    other = another(0x78).to(ap)
    other.auth(ap)
    assert w.Auth.parse(other.kinds(w.AUTH)[0].body).status == w.STATUS_UNSPECIFIED
    assert ap.ic.stats["rx_acl"] == 1
    script.join(ap)
    script.data(ap, ap.mac, b"hello")
    assert ap.got == [(script.mac, b"hello")]


def test_a_deny_list_keeps_out_who_is_on_it(lab, ap, script, another):
    ap.ic.acl.add(script.mac)
    ap.ic.acl.set_policy(ACL_DENY)
    script.join(ap)
    other = another(0x78).join(ap)
    assert [node.mac for node in ap.ic.aids.values()] == [other.mac]


def test_the_list_itself_refuses_what_makes_no_sense(ap):
    acl = ap.ic.acl
    acl.add(b"\2\0\0\0\0\1")
    for act, symbol in (
        (lambda: acl.add(b"\2\0\0\0\0\1"), "EEXIST"),
        (lambda: acl.add(b"\1\0\0\0\0\1"), "EINVAL"),
        (lambda: acl.remove(b"\2\0\0\0\0\2"), "ENOENT"),
        (lambda: acl.set_policy(9), "EINVAL"),
    ):
        with pytest.raises(NetError) as caught:
            act()
        assert caught.value.symbol == symbol
    acl.flush()
    assert acl.macs == {}


def probe(script, ap, ssid):
    raw = w.mgmt(
        w.PROBE_REQ,
        da=b"\xff" * 6,
        sa=script.mac,
        bssid=b"\xff" * 6,
        body=w.ssid_elem(ssid) + w.rates_elem(B_ONLY),
    )
    script.heard.clear()
    script.radio.transmit(raw, ((2, 1),))
    script.lab.run(0.02)
    return len(script.kinds(w.PROBE_RESP))


def test_probe_requests_for_us_or_anybody_are_answered(lab, ap, script):
    script.to(ap)
    assert probe(script, ap, b"") == 1
    assert probe(script, ap, b"lan") == 1
    assert probe(script, ap, b"other") == 0
    assert ap.ic.stats["rx_ssidmismatch"] == 1


def test_a_hidden_network_tells_its_name_to_nobody_who_does_not_know_it(lab, ap, script):
    ap.ic.hidessid = True
    script.to(ap)
    lab.air.sent.clear()
    lab.run(0.5)
    assert {elements(f).ssid for f in lab.air.kinds(w.BEACON)} == {b""}
    assert probe(script, ap, b"") == 0
    assert probe(script, ap, b"lan") == 1
    sta = lab.box().be()
    lab.run(5)
    assert lab.talks(sta, ap)


def test_a_silent_station_is_asked_and_then_sent_away_with_reason_four(lab, ap, script):
    script.join(ap)
    script.heard.clear()
    lab.air.lose = lambda frame: frame[0] == w.NODATA
    lab.run(ap.ic.inact_run - 40)
    assert not script.kinds(w.NODATA)
    lab.run(60)
    assert [f for f in lab.air.kinds(w.NODATA) if f[4:10] == script.mac]
    assert reasons(script.kinds(w.DEAUTH)) == [w.REASON_ASSOC_EXPIRE]
    assert script.mac not in ap.ic.nodes
    assert ap.ic.stats["node_timeout"] == 1


def test_a_silent_station_that_acknowledges_is_kept(lab, ap, script):
    script.join(ap)
    lab.run(2 * ap.ic.inact_run)
    assert ap.ic.nodes[script.mac].associd
    assert ap.ic.stats["node_timeout"] == 0


def test_a_station_that_only_authenticated_is_forgotten_soon(lab, ap, script):
    script.to(ap).auth(ap)
    lab.run(40)
    assert script.mac not in ap.ic.nodes
    assert not lab.air.kinds(w.DEAUTH)


def test_without_apbridge_stations_do_not_reach_each_other(lab, ap):
    one, other = lab.box().be(), lab.box().be()
    lab.run(5)
    assert lab.talks(one, other)
    ap.ic.apbridge = False
    other.got.clear()
    one.send(other, b"hello")
    one.send(b"", b"all")
    lab.run(1)
    assert other.got == []
    assert (one.mac, b"all") in ap.got


def test_going_down_members_are_told(lab, ap, script):
    script.join(ap)
    ap.ifp.down()
    lab.run(0.1)
    assert reasons(script.kinds(w.DISASSOC)) == [w.REASON_ASSOC_LEAVE]
    assert not ap.radio.on
    beacons = len(lab.air.kinds(w.BEACON))
    lab.run(1)
    assert len(lab.air.kinds(w.BEACON)) == beacons


def test_without_a_channel_one_is_taken_that_no_neighbour_disturbs(lab, ap):
    for name, channel in ((b"first", 1), (b"second", 11)):  # the fixture's has 6
        box = lab.box().be(M_HOSTAP, name)
        lab.run(0.2)
        assert box.ic.state == S_RUN
        assert box.ic.channel == channel


def test_when_all_channels_are_taken_the_weakest_neighbour_is_joined_on_its(lab):
    near = lab.box(freqs=(2412, 2437)).be(M_HOSTAP, b"near", des_chan=2412)
    far = lab.box(freqs=(2412, 2437)).be(M_HOSTAP, b"far", des_chan=2437)
    far.radio.at = (70, 0)
    third = lab.box(freqs=(2412, 2437)).be(M_HOSTAP, b"third")
    lab.run(4)
    assert near.ic.channel == 1
    assert third.ic.channel == 6


# -- 802.11g protection


def erp(lab):
    return elements(lab.air.kinds(w.BEACON)[-1]).erp


def test_an_802_11b_station_has_an_802_11g_network_protect_itself(lab, ap_g, script):
    sta = lab.box().be()
    lab.run(5)
    assert erp(lab) == 0
    script.join(ap_g)
    lab.run(0.3)
    assert erp(lab) == (w.ERP_NON_ERP_PRESENT | w.ERP_USE_PROTECTION | w.ERP_LONG_PREAMBLE)
    assert not w.Beacon.parse(lab.air.kinds(w.BEACON)[-1][24:]).capinfo & w.CAPINFO_SHORT_SLOTTIME
    assert sta.ic.useprot
    lab.air.sent.clear()
    assert lab.talks(sta, ap_g)
    rts = [
        rts for _at, frame, series, rts in lab.air.sent if frame[0] == w.DATA and series[0][0] > 22
    ]
    assert rts
    assert all(rts)
    script.mgmt(ap_g, w.DISASSOC, w.reason_build(8))
    lab.run(0.3)
    assert erp(lab) == 0
    assert not sta.ic.useprot


def test_without_protection_nothing_is_protected(lab, ap_g, script):
    ap_g.ic.protmode = PROT_NONE
    script.join(ap_g)
    lab.run(0.3)
    assert erp(lab) == w.ERP_NON_ERP_PRESENT | w.ERP_LONG_PREAMBLE


def test_a_pure_802_11g_network_refuses_802_11b(lab, script):
    ap = lab.box().be(M_HOSTAP, des_chan=freq_of(6), des_mode=3, puregonly=True)
    lab.run(0.5)
    script.to(ap).auth(ap)
    script.assoc(ap, rates=B_ONLY)
    assert w.AssocResp.parse(script.kinds(w.ASSOC_RESP)[0].body).status == w.STATUS_BASIC_RATE
    script.heard.clear()
    script.auth(ap)
    script.assoc(ap, rates=ALL_G)
    assert w.AssocResp.parse(script.kinds(w.ASSOC_RESP)[0].body).status == w.STATUS_SUCCESS


# -- floods


def test_a_flood_of_authentications_does_not_fill_the_table(lab, ap):
    member = lab.box().be()
    lab.run(5)
    assert lab.talks(member, ap)
    body = w.Auth(0, 1, 0).build()
    for number in range(3 * NODES_MAX):
        sa = b"\2\1" + number.to_bytes(4, "big")
        raw = w.mgmt(w.AUTH, da=ap.mac, sa=sa, bssid=ap.mac, body=body)
        lab.air.inject(raw, to=ap.radio)
    assert len(ap.ic.nodes) == NODES_MAX
    assert lab.talks(member, ap)


def test_a_flood_of_strangers_data_is_answered_within_bounds(lab, ap):
    for number in range(1000):
        sa = b"\2\1" + number.to_bytes(4, "big")
        raw = w.data(w.DATA | w.FC_TODS, da=ap.mac, sa=sa, bssid=ap.mac, body=b"\xaa" * 20)
        lab.air.inject(raw, to=ap.radio)
    assert ap.ic.stats["rx_notassoc"] == 1000
    assert len(ap.ic.out.pending) <= 64
    assert ap.ic.stats["tx_nobuf"] > 0
    lab.run(2)
    sta = lab.box().be()
    lab.run(5)
    assert lab.talks(sta, ap)


def test_association_survives_a_deauthentication_flood_from_outside(lab, ap):
    sta = lab.box().be()
    lab.run(5)
    raw = w.mgmt(w.DEAUTH, da=sta.mac, sa=ap.mac, bssid=ap.mac, body=w.reason_build(1))
    for _ in range(200):
        lab.air.inject(raw, to=sta.radio)
        lab.run(0.001)
    assert len(lab.air.kinds(w.AUTH)) < 450
    lab.run(5)
    assert sta.ic.state == S_RUN
    assert lab.talks(sta, ap)


def test_a_member_that_a_bridge_shows_elsewhere_is_let_go(lab, ap, script):
    script.join(ap)
    ap.ifp.enqueue(b"\xff" * 6 + script.mac + b"\x88\xb5from the wire")
    lab.run(0.1)
    assert script.mac not in ap.ic.nodes
    assert ap.stack.stats["ieee80211"]["node_moved"] == 1


def test_a_bridge_is_told_of_a_new_member(lab, ap, script):
    told = []

    class Bridge:
        def input(self, ifp, frames):
            told.extend(frames)
            return []

    ap.ifp.bridge = Bridge()
    script.join(ap)
    # IEEE 802.11F: an XID frame to all, from the station.
    assert told == [b"\xff" * 6 + script.mac + bytes.fromhex("0006 0001 af 81 01 00")]


def test_a_crowd_is_told_to_leave_and_the_access_point_works_when_it_comes_back(lab, another):
    ap = lab.box(depth=4).be(M_HOSTAP, des_chan=freq_of(6))
    lab.run(0.5)
    crowd = [another(number).join(ap) for number in range(0x30, 0x50)]
    assert ap.ic.sta_assoc == len(crowd)
    ap.ifp.down()
    lab.run(0.5)
    assert ap.ic.sta_assoc == 0
    ap.ifp.up()
    lab.run(0.5)
    sta = lab.box().be()
    lab.run(5)
    assert lab.talks(sta, ap)


def test_a_station_that_neither_answers_nor_speaks_is_given_up(lab, ap, script):
    script.join(ap)
    script.radio.on = False
    lab.run(15)
    for _ in range(60):
        if script.mac in ap.ic.nodes:
            ap.send(script.mac, b"x")
        lab.run(0.01)
    assert script.mac not in ap.ic.nodes
    assert ap.ic.stats["node_timeout"] == 1


def test_a_station_that_speaks_is_not_given_up_for_lost_frames(lab, ap, script):
    script.join(ap)
    lab.air.lose = lambda frame: frame[4:10] == script.mac
    for number in range(200):
        ap.send(script.mac, b"x")
        if number % 50 == 0:
            script.data(ap, ap.mac, b"here", seq=number << 4)
        lab.run(0.1)
    assert ap.ic.nodes[script.mac].associd
