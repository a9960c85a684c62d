"""802.11 frames: examples first, then what holds for all octets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libnet.wire import Malformed, Truncated
from libnet.wire import ieee80211 as w

AP, STA, HOST = (bytes([2, 0, 0, 0, 0, n]) for n in (1, 2, 3))

octets = st.binary(max_size=80)
macs = st.binary(min_size=6, max_size=6)
u16 = st.integers(0, 0xFFFF)


@pytest.mark.parametrize(
    ("fc", "da", "sa", "bssid"),
    [
        (w.DATA, "addr1", "addr2", "addr3"),
        (w.DATA | w.FC_FROMDS, "addr1", "addr3", "addr2"),
        (w.DATA | w.FC_TODS, "addr3", "addr2", "addr1"),
        (w.DATA | w.FC_DIR, "addr3", "addr4", ""),
        (w.BEACON, "addr1", "addr2", "addr3"),
    ],
)
def test_who_is_who_depends_on_the_direction(fc, da, sa, bssid):
    names = {f"addr{n}": bytes([n]) * 6 for n in (1, 2, 3, 4)} | {"": b""}
    frame = w.Frame(fc, 0, names["addr1"], names["addr2"], names["addr3"], 0, names["addr4"])
    assert (frame.da, frame.sa, frame.bssid) == (names[da], names[sa], names[bssid])


def test_a_data_frame_to_the_access_point_names_it_first():
    frame = w.data(w.DATA | w.FC_TODS, da=HOST, sa=STA, bssid=AP, seq=0x123 << 4, body=b"x")
    got = w.Frame.parse(frame)
    assert (got.addr1, got.addr2, got.addr3, got.seq >> w.SEQ_SHIFT) == (AP, STA, HOST, 0x123)
    assert (got.da, got.sa, got.bssid, got.body) == (HOST, STA, AP, b"x")


def test_control_frames_have_the_lengths_of_the_standard():
    assert w.ack(ra=AP) == bytes.fromhex("d4000000") + AP
    assert w.cts(ra=AP, dur=300) == bytes.fromhex("c4002c01") + AP
    assert w.rts(ra=AP, ta=STA, dur=300) == bytes.fromhex("b4002c01") + AP + STA
    assert w.ps_poll(bssid=AP, ta=STA, aid=5) == bytes.fromhex("a40005c0") + AP + STA


def test_another_version_and_type_three_are_malformed():
    with pytest.raises(Malformed):
        w.Frame.parse(b"\x01" + bytes(30))
    with pytest.raises(Malformed):
        w.Frame.parse(b"\x0c" + bytes(30))


@given(octets)
def test_any_octets_parse_or_are_refused(buf):
    try:
        frame = w.Frame.parse(buf)
    except (Truncated, Malformed):
        return
    assert frame.build() == buf
    assert w.hdrlen(frame.fc) + len(frame.body) == len(buf)


@given(
    st.sampled_from([w.DATA, w.DATA | w.FC_TODS, w.DATA | w.FC_FROMDS, w.BEACON | w.FC_RETRY]),
    macs,
    macs,
    macs,
    u16,
    octets,
)
def test_what_is_built_is_read_back(fc, da, sa, bssid, seq, body):
    build = w.mgmt if fc & w.FC_TYPE == w.TYPE_MGT else w.data
    got = w.Frame.parse(build(fc, da=da, sa=sa, bssid=bssid, seq=seq, body=body))
    assert (got.fc, got.da, got.sa, got.bssid, got.seq, got.body) == (fc, da, sa, bssid, seq, body)


def test_a_qos_field_stands_after_the_addresses():
    frame = w.data(w.DATA, da=HOST, sa=STA, bssid=AP, body=b"zz", qos=5)
    assert frame[24:] == b"\x05\x00zz"
    assert w.Frame.parse(frame).qos == 5


# Bodies

BEACON = bytes.fromhex("8877665544332211 6400 3104 0004 6e657421 0101 82 0301 06")


def test_a_beacon_has_time_interval_capabilities_and_elements():
    got = w.Beacon.parse(BEACON)
    assert (got.tstamp, got.intval, got.capinfo) == (0x1122334455667788, 100, 0x0431)
    elems = w.Elements.parse(got.elems)
    assert (elems.ssid, elems.rates, elems.dschan) == (b"net!", b"\x82", 6)
    assert got.build() == BEACON


def test_an_association_id_has_its_two_top_bits_set_on_the_air_only():
    body = w.AssocResp(0x431, 0, 7, b"").build()
    assert body == bytes.fromhex("3104 0000 07c0")
    assert w.AssocResp.parse(body).associd == 7


def test_a_reassociation_request_names_the_access_point_before():
    body = w.AssocReq(1, 10, AP, b"\x00\x00").build()
    assert w.AssocReq.parse(body, reassoc=True) == (1, 10, AP, b"\x00\x00")
    assert w.AssocReq.parse(body, reassoc=False).curap == b""


@pytest.mark.parametrize(
    ("parse", "size"),
    [
        (w.Beacon.parse, 12),
        (w.Auth.parse, 6),
        (lambda body: w.AssocReq.parse(body, reassoc=False), 4),
        (lambda body: w.AssocReq.parse(body, reassoc=True), 10),
        (w.AssocResp.parse, 6),
        (w.reason_parse, 2),
    ],
)
def test_bodies_cut_short_are_truncated(parse, size):
    parse(bytes(size))
    for have in range(size):
        with pytest.raises(Truncated):
            parse(bytes(have))


@given(octets)
def test_any_body_is_read_and_built_again(body):
    for kind in (w.Beacon, w.Auth):
        try:
            got = kind.parse(body)
        except Truncated:
            continue
        assert got.build() == body


def test_reasons_and_challenges():
    assert w.reason_parse(w.reason_build(w.REASON_NOT_ASSOCED)) == 7
    body = w.Auth(1, 2, 0, w.challenge_elem(bytes(range(128)))).build()
    assert w.Elements.parse(w.Auth.parse(body).elems).challenge == bytes(range(128))


# Elements


@pytest.mark.parametrize(
    ("octets", "toobig"),
    [
        (bytes([0, 33]) + bytes(33), True),
        (bytes([1, 0]), False),
        (bytes([1, 16]) + bytes(16), True),
        (bytes([3, 2, 1, 1]), True),
        (bytes([3, 0]), False),
        (bytes([5, 3, 0, 1, 0]), False),
        (bytes([5, 255]) + bytes(255), True),
        (bytes([6, 1, 0]), False),
        (bytes([42, 0]), False),
        (bytes([50, 0]), False),
    ],
)
def test_impossible_lengths_are_told_apart(octets, toobig):
    with pytest.raises(w.BadElement) as caught:
        w.Elements.parse(octets)
    assert (caught.value.kind, caught.value.toobig) == (octets[0], toobig)


@pytest.mark.parametrize("octets", [b"\0", b"\0\4abc", b"\0\1a\3"])
def test_an_element_past_the_end_is_truncated(octets):
    with pytest.raises(Truncated):
        w.Elements.parse(octets)


@given(octets)
def test_any_elements_parse_or_are_refused(buf):
    try:
        found = w.Elements.parse(buf)
    except (Truncated, Malformed):
        return
    assert len(found.all_rates) <= w.RATES_MAX
    assert b"".join(w.element(kind, body) for kind, body in w.elements(buf)) == buf


def test_vendor_elements_are_known_by_their_oui_and_type():
    wpa = bytes.fromhex("0050f20101000050f20201000050f20201000050f202")
    wme = bytes.fromhex("0050f202000100")
    elems = w.Elements.parse(w.element(221, wpa) + w.element(221, wme) + w.element(221, b"abc"))
    assert (elems.wpa, elems.wme, elems.unknown) == (wpa, wme, 1)


def test_rates_after_the_eighth_go_into_the_extended_element():
    rates = [0x82, 0x84, 0x8B, 0x96, 12, 18, 24, 36, 48, 72, 96, 108]
    buf = w.rates_elem(rates) + w.xrates_elem(rates)
    assert buf == bytes([1, 8, *rates[:8], 50, 4, *rates[8:]])
    assert w.Elements.parse(buf).all_rates == bytes(rates)
    assert w.xrates_elem(rates[:8]) == b""


@given(st.sets(st.integers(1, w.AID_MAX), max_size=20), st.booleans())
def test_a_traffic_map_tells_of_those_in_it_and_no_others(aids, mcast):
    elem = w.tim_elem(left=1, period=3, mcast=mcast, aids=aids)
    tim = w.Tim.parse(elem[2:])
    assert (tim.left, tim.period, tim.mcast) == (1, 3, mcast)
    assert {aid for aid in range(1, w.AID_MAX + 1) if tim.has(aid)} == aids


@given(st.binary(max_size=260), st.integers(0, 3000))
def test_any_traffic_map_is_read_or_refused(body, aid):
    try:
        tim = w.Tim.parse(body)
    except Malformed:
        return
    tim.has(aid)


def test_suites_of_the_usual_elements():
    rsn = bytes.fromhex("0100000fac040100000fac040100000fac020000")
    wpa = bytes.fromhex("0050f20101000050f20201000050f20201000050f202")
    assert w.Suites.parse(rsn) == (1, 4, (4,), (2,), 0)
    assert w.Suites.parse(wpa) == (1, 2, (2,), (2,), None)
    assert w.Suites.parse(b"\1\0") == (1, -1, (), (), None)


@given(st.binary(max_size=40))
def test_any_suites_parse_or_are_truncated(body):
    try:
        w.Suites.parse(body)
    except Truncated:
        return


# LLC and SNAP

ETH = HOST + STA


def test_ethertypes_travel_in_snap_and_two_in_a_bridge_tunnel():
    assert w.ether_to_body(ETH + b"\x08\x00ip").hex() == "aaaa03000000" + "0800" + b"ip".hex()
    assert w.ether_to_body(ETH + b"\x81\x37ipx").hex() == "aaaa030000f8" + "8137" + b"ipx".hex()
    assert w.ether_to_body(ETH + b"\x80\xf3").hex() == "aaaa030000f8" + "80f3"


def test_a_frame_with_a_length_is_carried_without_its_padding():
    frame = ETH + b"\x00\x03\x42\x42\x03" + bytes(43)
    assert w.ether_to_body(frame) == b"\x42\x42\x03"
    assert w.body_to_ether(HOST, STA, b"\x42\x42\x03") == ETH + b"\x00\x03\x42\x42\x03"


@given(st.integers(1501, 0xFFFF), octets)
def test_ethernet_comes_out_as_it_went_in(kind, payload):
    frame = ETH + kind.to_bytes(2, "big") + payload
    assert w.body_to_ether(HOST, STA, w.ether_to_body(frame)) == frame


@given(st.one_of(octets, st.binary(min_size=1490, max_size=1600)))
def test_any_body_is_a_frame_or_refused(body):
    for buf in (body, w._SNAP + body, w._BTEP + body):
        try:
            frame = w.body_to_ether(HOST, STA, buf)
        except (Truncated, Malformed):
            continue
        # What need not have been tunnelled is the same frame without the tunnel.
        assert w.body_to_ether(HOST, STA, w.ether_to_body(frame)) == frame


def test_a_type_that_would_be_taken_for_a_length_stays_in_its_llc_header():
    body = w._SNAP + b"\x00\x10" + b"data"
    assert w.body_to_ether(HOST, STA, body) == ETH + len(body).to_bytes(2, "big") + body


# An independent dissector and maker

RATES = [0x82, 0x84, 0x8B, 0x96, 12, 18, 24, 36, 48, 72, 96, 108]


def test_scapy_reads_a_beacon_of_ours():
    scapy = pytest.importorskip("scapy.layers.dot11")
    elems = (
        w.ssid_elem(b"my lan")
        + w.rates_elem(RATES)
        + w.dsparms_elem(6)
        + w.tim_elem(left=1, period=2, mcast=False, aids=(3,))
        + w.erp_elem(w.ERP_USE_PROTECTION)
        + w.xrates_elem(RATES)
    )
    body = w.Beacon(123456, 100, w.CAPINFO_ESS | w.CAPINFO_PRIVACY, elems).build()
    frame = w.mgmt(w.BEACON, da=b"\xff" * 6, sa=AP, bssid=AP, seq=7 << 4, body=body)
    got = scapy.Dot11(frame)
    assert (got.type, got.subtype, got.addr2, got.SC) == (0, 8, "02:00:00:00:00:01", 7 << 4)
    beacon = got[scapy.Dot11Beacon]
    assert (beacon.timestamp, beacon.beacon_interval, str(beacon.cap)) == (
        123456,
        100,
        "ESS+privacy",
    )
    stats = beacon.network_stats()
    assert (stats["ssid"], stats["channel"]) == ("my lan", 6)
    found = {}
    elt = got[scapy.Dot11Elt]
    while isinstance(elt, scapy.Dot11Elt):
        found[elt.ID] = bytes(elt)[2 : 2 + elt.len]
        elt = elt.payload
    assert set(found) == {0, 1, 3, 5, 42, 50}
    assert found[5] == b"\x01\x02\x00\x08"


def test_scapys_frames_are_read_as_it_means_them():
    scapy = pytest.importorskip("scapy.layers.dot11")
    names = {
        "addr1": "02:00:00:00:00:01",
        "addr2": "02:00:00:00:00:02",
        "addr3": "02:00:00:00:00:03",
    }
    request = scapy.Dot11(type=0, subtype=2, **names) / scapy.Dot11ReassoReq(
        cap="ESS+short-preamble", listen_interval=10, current_AP="02:00:00:00:00:09"
    )
    frame = w.Frame.parse(bytes(request / scapy.Dot11Elt(ID="SSID", info=b"net")))
    assert (frame.fc & w.FC_KIND, frame.addr1, frame.addr2) == (w.REASSOC_REQ, AP, STA)
    got = w.AssocReq.parse(frame.body, reassoc=True)
    assert (got.capinfo, got.lintval, got.curap[5]) == (0x21, 10, 9)
    assert w.Elements.parse(got.elems).ssid == b"net"
    auth = scapy.Dot11(type=0, subtype=11, **names) / scapy.Dot11Auth(algo=1, seqnum=2, status=15)
    assert w.Auth.parse(w.Frame.parse(bytes(auth)).body) == (1, 2, 15, b"")
    gone = scapy.Dot11(type=0, subtype=12, **names) / scapy.Dot11Deauth(reason=7)
    assert w.reason_parse(w.Frame.parse(bytes(gone)).body) == w.REASON_NOT_ASSOCED
    poll = scapy.Dot11(type=1, subtype=10, ID=0xC005, addr1=names["addr1"], addr2=names["addr2"])
    assert w.Frame.parse(bytes(poll))[:4] == w.Frame.parse(w.ps_poll(bssid=AP, ta=STA, aid=5))[:4]
    sent = scapy.Dot11(type=2, subtype=8, FCfield="to_DS", **names) / scapy.Dot11QoS(TID=5) / b"zz"
    frame = w.Frame.parse(bytes(sent))
    assert (frame.bssid, frame.sa, frame.da, frame.qos & 15, frame.body) == (
        AP,
        STA,
        HOST,
        5,
        b"zz",
    )
