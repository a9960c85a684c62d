"""The cache of networks: what is entered, what is refused, and its bound."""

from __future__ import annotations

import pytest

from libnet.engine.ieee80211.ieee80211_var import INACT_SCAN, M_HOSTAP, SCAN_MAX
from libnet.wire import ieee80211 as w
from libnet.wire.phy import freq_of

MAC = b"\2\0\0\0\5\5"


@pytest.fixture
def sta(lab):
    box = lab.box().be(des_chan=freq_of(6))
    lab.run(0.06)
    return box


def beacon(
    mac=MAC, *, kind=w.BEACON, ssid=b"net", chan=6, intval=100, cap=1, rates=(130, 22), more=b""
):
    elems = w.ssid_elem(ssid) + w.rates_elem(rates) + w.dsparms_elem(chan) + more
    body = w.Beacon(1234, intval, cap, elems).build()
    return w.mgmt(kind, da=b"\xff" * 6, sa=mac, bssid=mac, body=body)


def test_what_a_beacon_tells_is_kept(lab, sta):
    lab.air.inject(beacon(more=w.erp_elem(3)), to=sta.radio, signal=-40)
    node = sta.ic.scan[MAC]
    assert (node.essid, node.chan, node.capinfo, node.rates) == (b"net", 2437, 1, [130, 22])
    assert (node.signal, node.noise, node.rssi, node.erp) == (-40, -95, 55, 3)


def test_a_response_tells_the_name_that_a_beacon_hides(lab, sta):
    lab.air.inject(beacon(ssid=b"\0\0\0"), to=sta.radio)
    assert sta.ic.scan[MAC].essid == b""
    lab.air.inject(beacon(kind=w.PROBE_RESP), to=sta.radio)
    lab.air.inject(beacon(ssid=b""), to=sta.radio)
    assert sta.ic.scan[MAC].essid == b"net"


@pytest.mark.parametrize(
    ("frame", "counter"),
    [
        (beacon(chan=7), "rx_chanmismatch"),
        (beacon(intval=1), "rx_mgtdiscard"),
        (beacon(intval=65535), "rx_mgtdiscard"),
        (beacon()[:30], "rx_elem_toosmall"),
        (beacon(more=b"\x2a\x04\0"), "rx_elem_toosmall"),
        (beacon(ssid=b"x" * 33), "rx_elem_toobig"),
        (beacon(rates=()), "rx_elem_toosmall"),
        (w.mgmt(w.BEACON, da=b"\xff" * 6, sa=MAC, bssid=MAC, body=bytes(8) + b"\x64\0\1\0"),
         "rx_elem_missing"),
        (beacon(mac=b"\3\0\0\0\0\1"), "rx_mgtdiscard"),
        (w.mgmt(w.BEACON | w.FC_PROTECTED, da=MAC, sa=MAC, bssid=MAC, body=b""), "rx_mgtdiscard"),
        (w.mgmt(w.BEACON | w.FC_TODS, da=MAC, sa=MAC, bssid=MAC, body=b""), "rx_wrongdir"),
        (w.mgmt(w.ACTION, da=MAC, sa=MAC, bssid=MAC, body=b""), "rx_badsubtype"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_counted_and_not_kept(lab, sta, frame, counter):
    before = sta.ic.stats[counter]
    lab.air.inject(frame, to=sta.radio)
    assert sta.ic.stats[counter] == before + 1
    assert sta.ic.scan == {}


def test_a_flood_of_beacons_pushes_out_the_oldest(lab, sta):
    for number in range(2 * SCAN_MAX):
        lab.air.inject(beacon(b"\2\1" + number.to_bytes(4, "big")), to=sta.radio)
    assert len(sta.ic.scan) == SCAN_MAX
    assert next(iter(sta.ic.scan)) == b"\2\1" + SCAN_MAX.to_bytes(4, "big")


def test_the_own_network_stays_in_a_flood(lab):
    ap = lab.box().be(M_HOSTAP, des_chan=freq_of(6))
    sta = lab.box().be(des_chan=freq_of(6))
    lab.run(3)
    for number in range(2 * SCAN_MAX):
        lab.air.inject(beacon(b"\2\1" + number.to_bytes(4, "big")), to=sta.radio)
    assert ap.mac in sta.ic.scan
    assert lab.talks(sta, ap)


def test_a_network_not_heard_for_long_is_forgotten(lab, sta):
    lab.air.inject(beacon(ssid=b"other"), to=sta.radio)
    lab.run(INACT_SCAN - 10)
    assert MAC in sta.ic.scan
    lab.run(30)
    assert MAC not in sta.ic.scan


def test_more_rates_than_are_kept_are_counted(lab, sta):
    lab.air.inject(
        beacon(rates=tuple(range(2, 10)), more=w.element(50, bytes(range(10, 30)))), to=sta.radio
    )
    assert sta.ic.stats["rx_rstoobig"] == 1
    assert len(sta.ic.scan[MAC].rates) == 15
