"""The ioctls of 802.11 interfaces: what each sets, tells and refuses."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from libnet.engine.ieee80211 import ieee80211_var as v
from libnet.engine.kern.socket import Cred
from libnet.errors import NetError
from libnet.ioctl import ieee80211 as i
from libnet.ioctl import wi_ieee as w
from libnet.wire.ieee80211 import DEAUTH, DISASSOC

ROOT, GUEST = Cred(), Cred(suser=False, uid=1000)
AP, STA = v.M_HOSTAP, v.M_STA


def ask(box, row, arg, cred=ROOT):
    return box.stack.ioctl(row, arg, cred)


def get(box, kind, data=b"", val=0, cred=ROOT):
    return ask(box, i.SIOCG80211, i.Ieee80211Req("abc0", kind, val, data), cred)


def put(box, kind, val=0, data=b"", cred=ROOT):
    return ask(box, i.SIOCS80211, i.Ieee80211Req("abc0", kind, val, data), cred)


def refused(symbol, call, *args, **kw):
    with pytest.raises(NetError) as caught:
        call(*args, **kw)
    assert caught.value.symbol == symbol


@pytest.fixture
def box(lab):
    return lab.box()


@pytest.fixture
def pair(lab):
    """An access point, and a station that is its member."""
    ap = lab.box().be(AP)
    lab.run(3)
    sta = lab.box().be()
    lab.run(5)
    assert sta.ic.state == v.S_RUN
    return ap, sta


# -- who and what


def test_an_interface_without_radio_knows_none_of_them(box):
    refused("ENOTTY", ask, box, i.SIOCG80211NWID, i.Ieee80211Nwid("lo0"))
    refused("ENXIO", ask, box, i.SIOCG80211NWID, i.Ieee80211Nwid("abc9"))
    refused("ENOTTY", ask, box, w.SIOCGWAVELAN, w.WiReq("lo0", w.WI_RID_PORTTYPE))
    refused("ENXIO", ask, box, w.SIOCGWAVELAN, w.WiReq("abc9", w.WI_RID_PORTTYPE))


@pytest.mark.parametrize(
    ("row", "arg"),
    [
        (i.SIOCS80211NWID, i.Ieee80211Nwid("abc0", b"x")),
        (i.SIOCS80211NWKEY, i.Ieee80211Nwkey("abc0")),
        (i.SIOCS80211POWER, i.Ieee80211Power("abc0")),
        (i.SIOCS80211AUTH, i.Ieee80211Auth("abc0", 1)),
        (i.SIOCS80211CHANNEL, i.Ieee80211ChanReq("abc0", 1)),
        (i.SIOCS80211BSSID, i.Ieee80211Bssid("abc0")),
        (i.SIOCS80211, i.Ieee80211Req("abc0", i.IEEE80211_IOC_SCAN_REQ)),
        (i.SIOCG80211ZSTATS, i.Ieee80211StatsReq("abc0")),
        (w.SIOCSWAVELAN, w.WiReq("abc0", w.WI_RID_RTS_THRESH, b"\0\1")),
    ],
)
def test_only_the_superuser_sets(box, row, arg):
    refused("EPERM", ask, box, row, arg, GUEST)


# -- name, channel, address, power, authentication


def test_the_network_name_is_the_one_asked_for_until_there_is_another(pair):
    _ap, sta = pair
    assert ask(sta, i.SIOCG80211NWID, i.Ieee80211Nwid("abc0"), GUEST).nwid == b"lan"
    ask(sta, i.SIOCS80211NWID, i.Ieee80211Nwid("abc0", b"other"))
    assert sta.ic.state in (v.S_INIT, v.S_SCAN)
    assert ask(sta, i.SIOCG80211NWID, i.Ieee80211Nwid("abc0")).nwid == b"other"
    refused("EINVAL", ask, sta, i.SIOCS80211NWID, i.Ieee80211Nwid("abc0", bytes(33)))


def test_a_channel_is_one_of_the_radio(box):
    assert ask(box, i.SIOCG80211CHANNEL, i.Ieee80211ChanReq("abc0")).channel == 0xFFFF
    for number in (1, 11, 36, 52):
        ask(box, i.SIOCS80211CHANNEL, i.Ieee80211ChanReq("abc0", number))
        assert ask(box, i.SIOCG80211CHANNEL, i.Ieee80211ChanReq("abc0")).channel == number
    for number in (0, 12, 37, 255, 256):
        refused("EINVAL", ask, box, i.SIOCS80211CHANNEL, i.Ieee80211ChanReq("abc0", number))
    ask(box, i.SIOCS80211CHANNEL, i.Ieee80211ChanReq("abc0", 0xFFFF))
    assert box.ic.des_chan == v.CHAN_ANY


def test_an_access_point_moves_to_the_channel_that_is_asked_for(pair, lab):
    ap, sta = pair
    ask(ap, i.SIOCS80211CHANNEL, i.Ieee80211ChanReq("abc0", 6))
    lab.run(10)
    assert ask(ap, i.SIOCG80211CHANNEL, i.Ieee80211ChanReq("abc0")).channel == 6
    assert ask(sta, i.SIOCG80211CHANNEL, i.Ieee80211ChanReq("abc0")).channel == 6


def test_the_address_is_the_networks_or_the_one_asked_for(pair):
    ap, sta = pair
    assert ask(sta, i.SIOCG80211BSSID, i.Ieee80211Bssid("abc0")).bssid == ap.mac
    assert ask(ap, i.SIOCG80211BSSID, i.Ieee80211Bssid("abc0")).bssid == ap.mac
    ask(sta, i.SIOCS80211BSSID, i.Ieee80211Bssid("abc0", b"\2abcde"))
    assert ask(sta, i.SIOCG80211BSSID, i.Ieee80211Bssid("abc0")).bssid == b"\2abcde"
    refused("EINVAL", ask, sta, i.SIOCS80211BSSID, i.Ieee80211Bssid("abc0", b"abc"))
    ap.ifp.down()
    assert ask(ap, i.SIOCG80211BSSID, i.Ieee80211Bssid("abc0")).bssid == ap.mac


def test_power_saving_is_for_radios_that_save_some(lab):
    box = lab.box()
    ask(box, i.SIOCS80211POWER, i.Ieee80211Power("abc0", 1, 250))
    got = ask(box, i.SIOCG80211POWER, i.Ieee80211Power("abc0"))
    assert (got.enabled, got.maxsleep) == (1, 250)
    refused("EINVAL", ask, box, i.SIOCS80211POWER, i.Ieee80211Power("abc0", 1, -1))
    thirsty = lab.box(power_save=False)
    refused("EINVAL", ask, thirsty, i.SIOCS80211POWER, i.Ieee80211Power("abc0", 1, 100))
    ask(thirsty, i.SIOCS80211POWER, i.Ieee80211Power("abc0", 0, 100))


def test_authentication_is_open_or_by_shared_key(box):
    assert ask(box, i.SIOCG80211AUTH, i.Ieee80211Auth("abc0")).authtype == 1
    ask(box, i.SIOCS80211AUTH, i.Ieee80211Auth("abc0", 2))
    assert box.ic.authmode == v.AUTH_SHARED
    for kind in (0, 3, 5):
        refused("EINVAL", ask, box, i.SIOCS80211AUTH, i.Ieee80211Auth("abc0", kind))


# -- keys


def nwkey(*keys, wepon=1, defkid=1, lengths=None):
    padded = [*keys, *[b""] * (4 - len(keys))]
    return i.Ieee80211Nwkey("abc0", wepon, defkid, lengths or [len(k) for k in padded], padded)


def test_keys_are_told_to_the_superuser_only(box):
    ask(box, i.SIOCS80211NWKEY, nwkey(b"abcde", b"corpseckey456", defkid=2))
    assert (box.ic.privacy, box.ic.dropunencrypted, box.ic.def_txkey) == (True, True, 1)
    room = i.Ieee80211Nwkey("abc0", keylen=[16] * 4)
    got = ask(box, i.SIOCG80211NWKEY, room)
    assert (got.wepon, got.defkid, got.keylen) == (1, 2, [5, 13, 0, 0])
    assert got.key == [b"abcde", b"corpseckey456", b"", b""]
    refused("EPERM", ask, box, i.SIOCG80211NWKEY, room, GUEST)
    assert ask(box, i.SIOCG80211NWKEY, i.Ieee80211Nwkey("abc0"), GUEST).wepon == 1


@pytest.mark.parametrize(
    "req",
    [
        nwkey(b"abcd"),
        nwkey(b"abcdef"),
        nwkey(bytes(16)),
        nwkey(b"abcde", b"x"),
        nwkey(b"abcde", defkid=2),
        nwkey(b"abcde", defkid=0),
        nwkey(b"abcde", defkid=5),
        nwkey(b"", lengths=[-1] * 4),
        nwkey(b"abcde", lengths=[13, 0, 0, 0]),
        nwkey(wepon=0x101, defkid=0, lengths=[-1] * 4),
    ],
)
def test_wrong_keys_are_refused_and_change_nothing(box, req):
    ask(box, i.SIOCS80211NWKEY, nwkey(b"12345"))
    before = [key.key for key in box.ic.keys]
    if req.keylen == [-1] * 4 and req.defkid == 1:
        req.defkid = 2
    refused("EINVAL", ask, box, i.SIOCS80211NWKEY, req)
    assert [key.key for key in box.ic.keys] == before
    assert (box.ic.privacy, box.ic.def_txkey) == (True, 0)


def test_a_key_of_length_minus_one_stays(box):
    ask(box, i.SIOCS80211NWKEY, nwkey(b"12345", b"abcde"))
    ask(box, i.SIOCS80211NWKEY, nwkey(b"", b"fghij", lengths=[-1, 5, 0, 0]))
    assert [key.key for key in box.ic.keys] == [b"12345", b"fghij", b"", b""]


def test_without_keys_the_network_is_open(box):
    ask(box, i.SIOCS80211NWKEY, nwkey(b"12345"))
    ask(box, i.SIOCS80211NWKEY, nwkey(wepon=0))
    assert (box.ic.privacy, box.ic.dropunencrypted) == (False, False)
    assert all(not key.key for key in box.ic.keys)


def req_key(cipher=0, keyix=0, flags=3, mac=bytes(6), key=b"abcde", length=None):
    size = len(key) if length is None else length
    return i.REQ_KEY.pack(cipher, keyix, size, flags, mac, 0, 0, key)


def test_single_keys_are_set_told_and_deleted(box):
    put(box, i.IEEE80211_IOC_WPAKEY, data=req_key(keyix=2, flags=0x83))
    assert (box.ic.keys[2].key, box.ic.def_txkey) == (b"abcde", 2)
    got = i.REQ_KEY.unpack(get(box, i.IEEE80211_IOC_WPAKEY, req_key(keyix=2)).data)
    assert (got[0], got[1], got[2], got[3], got[7][:5]) == (0, 2, 5, 0x83, b"abcde")
    data = get(box, i.IEEE80211_IOC_WPAKEY, req_key(keyix=2), cred=GUEST).data
    assert i.REQ_KEY.unpack(data)[7] == bytes(32)
    put(box, i.IEEE80211_IOC_DELKEY, data=i.REQ_DEL_KEY.pack(2, bytes(6)))
    got = i.REQ_KEY.unpack(get(box, i.IEEE80211_IOC_WPAKEY, req_key(keyix=2)).data)
    assert (got[0], got[2]) == (i.IEEE80211_CIPHER_NONE, 0)


def test_a_members_own_key_is_named_by_its_address(pair):
    ap, sta = pair
    none = i.IEEE80211_KEYIX_NONE
    put(ap, i.IEEE80211_IOC_WPAKEY, data=req_key(keyix=none, mac=sta.mac))
    put(sta, i.IEEE80211_IOC_WPAKEY, data=req_key(keyix=none, mac=ap.mac))
    assert ap.ic.nodes[sta.mac].ucastkey.key == sta.ic.bss.ucastkey.key == b"abcde"
    got = get(ap, i.IEEE80211_IOC_WPAKEY, req_key(keyix=none, mac=sta.mac))
    assert i.REQ_KEY.unpack(got.data)[2] == 5
    put(ap, i.IEEE80211_IOC_DELKEY, data=i.REQ_DEL_KEY.pack(0xFF, sta.mac))
    assert ap.ic.nodes[sta.mac].ucastkey.cipher == "none"
    stranger = b"\2stran"
    for box, symbol in ((ap, "ENOENT"), (sta, "EADDRNOTAVAIL")):
        refused(symbol, put, box, i.IEEE80211_IOC_WPAKEY, data=req_key(keyix=none, mac=stranger))
        refused(symbol, put, box, i.IEEE80211_IOC_DELKEY, data=i.REQ_DEL_KEY.pack(0xFF, stranger))
        refused("EINVAL", get, box, i.IEEE80211_IOC_WPAKEY, req_key(keyix=none, mac=stranger))


@pytest.mark.parametrize(
    ("data", "symbol"),
    [
        (b"short", "EINVAL"),
        (req_key(keyix=4), "EINVAL"),
        (req_key(keyix=0xFFFF, flags=1), "EINVAL"),
        (req_key(cipher=1), "ENXIO"),  # TKIP
        (req_key(cipher=3), "ENXIO"),  # CCMP
        (req_key(key=b"abc"), "EIO"),
        (req_key(length=33), "E2BIG"),
    ],
)
def test_wrong_single_keys_are_refused(box, data, symbol):
    refused(symbol, put, box, i.IEEE80211_IOC_WPAKEY, data=data)


# -- the general request


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (i.IEEE80211_IOC_WEP, (0, 1, 2), (-1, 3)),
        (i.IEEE80211_IOC_AUTHMODE, (1, 2), (0, 3, 4, 5)),
        (i.IEEE80211_IOC_POWERSAVE, (1, 0), (2,)),
        (i.IEEE80211_IOC_POWERSAVESLEEP, (0, 1000), (-1, 70000)),
        (i.IEEE80211_IOC_RTSTHRESHOLD, (1, 2346), (0, 2347)),
        (i.IEEE80211_IOC_FRAGTHRESHOLD, (256, 2346), (255, 2347)),
        (i.IEEE80211_IOC_PROTMODE, (0, 1, 2), (3,)),
        (i.IEEE80211_IOC_TXPOWER, (1, 20), (0, 100)),
        (i.IEEE80211_IOC_ROAMING, (0, 1, 2), (3,)),
        (i.IEEE80211_IOC_PRIVACY, (1, 0), ()),
        (i.IEEE80211_IOC_DROPUNENCRYPTED, (1, 0), ()),
        (i.IEEE80211_IOC_HIDESSID, (1, 0), ()),
        (i.IEEE80211_IOC_APBRIDGE, (0, 1), ()),
        (i.IEEE80211_IOC_PUREG, (1, 0), ()),
        (i.IEEE80211_IOC_MCAST_RATE, (22, 0), ()),
        (i.IEEE80211_IOC_COUNTERMEASURES, (0,), (1,)),
        (i.IEEE80211_IOC_WPA, (0,), (1, 2, 3)),
        (i.IEEE80211_IOC_WME, (0,), (1,)),
        (i.IEEE80211_IOC_MCASTCIPHER, (0,), (1, 3)),
    ],
)
def test_numbers_are_told_as_they_were_set(box, kind, good, bad):
    for value in good:
        put(box, kind, value)
        assert get(box, kind, cred=GUEST).val == value
    before = get(box, kind).val
    for value in bad:
        refused("EINVAL", put, box, kind, value)
    assert get(box, kind).val == before


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (i.IEEE80211_IOC_NUMSSIDS, 1),
        (i.IEEE80211_IOC_NUMWEPKEYS, 4),
        (i.IEEE80211_IOC_TXPOWMAX, 40),
        (i.IEEE80211_IOC_UCASTCIPHERS, 0),
        (i.IEEE80211_IOC_UCASTCIPHER, 0),
        (i.IEEE80211_IOC_UCASTKEYLEN, 0),
        (i.IEEE80211_IOC_MCASTKEYLEN, 0),
        (i.IEEE80211_IOC_KEYMGTALGS, 0),
        (i.IEEE80211_IOC_RSNCAPS, 0),
    ],
)
def test_what_can_only_be_read(box, kind, value):
    assert get(box, kind).val == value
    refused("EINVAL", put, box, kind, 1)


@pytest.mark.parametrize("kind", [0, 1, 4, 6, 9, 15, 46, 51, 57, 1000])
def test_types_that_there_are_not(box, kind):
    refused("EINVAL", get, box, kind)
    refused("EINVAL", put, box, kind)


def test_what_beacons_say_is_for_those_who_send_them(pair):
    ap, sta = pair
    for kind, good, bad in (
        (i.IEEE80211_IOC_DTIM_PERIOD, 3, (0, 16)),
        (i.IEEE80211_IOC_BEACON_INTERVAL, 200, (24, 1001)),
    ):
        refused("EINVAL", put, sta, kind, good)
        put(ap, kind, good)
        for value in bad:
            refused("EINVAL", put, ap, kind, value)
    assert get(ap, i.IEEE80211_IOC_DTIM_PERIOD).val == 3
    assert ap.ic.bintval == 200


def test_capabilities_are_in_two_halves(lab):
    got = get(lab.box(), i.IEEE80211_IOC_DRIVER_CAPS)
    caps = got.val << 16 | got.len
    assert caps & 0x00010701 == 0x00010701  # WEP, ad hoc, power saving, access point, monitor
    got = get(lab.box(hostap=False, monitor=False), i.IEEE80211_IOC_DRIVER_CAPS)
    assert (got.val << 16 | got.len) & 0x00010400 == 0
    refused("EINVAL", put, lab.box(), i.IEEE80211_IOC_DRIVER_CAPS, 0)


def test_transmit_power_is_bounded_by_the_radio(box):
    put(box, i.IEEE80211_IOC_TXPOWER, 30)
    assert box.radio.txpower == 15
    put(box, i.IEEE80211_IOC_TXPOWER, 99)
    assert box.radio.txpower == 20


def test_the_station_name_is_the_hosts_until_set(box):
    assert get(box, i.IEEE80211_IOC_STATIONNAME).data == b"localhost"
    put(box, i.IEEE80211_IOC_STATIONNAME, data=b"kitchen")
    assert get(box, i.IEEE80211_IOC_STATIONNAME).data == b"kitchen"
    refused("EINVAL", put, box, i.IEEE80211_IOC_STATIONNAME, data=bytes(33))


def test_channels_can_be_left_out(box):
    info = get(box, i.IEEE80211_IOC_CHANINFO).data
    assert int.from_bytes(info[:4], "little") == 13
    assert [f for f, _ in i.CHANINFO.iter_unpack(info[4:])] == sorted(box.radio.freqs)
    assert list(i.CHANINFO.iter_unpack(info[4:]))[-1] == (5260, 0x0140)
    put(box, i.IEEE80211_IOC_CHANLIST, data=(1 << 6 | 1 << 36 | 1 << 200).to_bytes(32, "little"))
    assert box.ic.chan_active == {2437, 5180}
    got = get(box, i.IEEE80211_IOC_CHANLIST).data
    assert int.from_bytes(got, "little") == 1 << 6 | 1 << 36
    refused("EINVAL", put, box, i.IEEE80211_IOC_CHANLIST, data=bytes(32))
    refused("EINVAL", put, box, i.IEEE80211_IOC_CHANLIST, data=b"\xff")


def test_a_scan_is_asked_for_and_its_results_are_read(pair, lab):
    ap, sta = pair
    put(sta, i.IEEE80211_IOC_SCAN_REQ)
    lab.run(10)
    assert (v.RTM_IEEE80211_SCAN, b"") in sta.events
    data = get(sta, i.IEEE80211_IOC_SCAN_RESULTS, cred=GUEST).data
    fields = i.SCAN_RESULT.unpack_from(data)
    size, freq, _flags, _noise, rssi, interval, caps, _erp, bssid, nrates, _rates, ssid, ies = (
        fields
    )
    assert size == len(data) == (40 + ssid + ies + 3) & ~3
    assert (freq, interval, caps & 1, bssid, nrates > 3) == (ap.ic.curchan, 100, 1, ap.mac, True)
    assert (rssi, data[40 : 40 + ssid]) == (95, b"lan")
    lab.run(1)
    down = lab.box()
    refused("EINVAL", put, down, i.IEEE80211_IOC_SCAN_REQ)


def test_who_does_not_leave_its_channel_is_done_scanning_at_once(pair, lab):
    ap, _sta = pair
    monitor = lab.box().be(v.M_MONITOR)
    for box in (ap, monitor):
        box.events.clear()
        put(box, i.IEEE80211_IOC_SCAN_REQ)
        assert box.ic.state == v.S_RUN
        assert box.events == [(v.RTM_IEEE80211_SCAN, b"")]


def test_elements_that_do_not_fit_a_result_are_left_out(lab):
    box = lab.box()
    wpa = bytes.fromhex("dd080050f20101000050")
    node = v.Node(b"\2abcde")
    box.ic.scan[node.mac] = node
    for ies, kept in (
        (b"\0\3lan" + wpa, b"\0\3lan" + wpa),
        (b"\xdd\xf0" + bytes(240) + b"\x30\x02\1\0" + wpa, b"\x30\x02\1\0" + wpa),
        (b"\x30\xff" + bytes(255), b""),
        (b"\xdd\xff" + bytes(255) + wpa + b"\xdd\xff", wpa),
    ):
        node.ies = ies
        data = get(box, i.IEEE80211_IOC_SCAN_RESULTS).data
        assert i.SCAN_RESULT.unpack_from(data)[-1] == len(kept)
        assert data[40 : 40 + len(kept)] == kept


def test_members_are_listed_with_what_is_known_of_them(pair):
    ap, sta = pair
    data = get(ap, i.IEEE80211_IOC_STA_INFO).data
    fields = i.STA_INFO.unpack_from(data)
    assert (fields[0], fields[1], fields[8]) == (len(data), ap.ic.curchan, sta.mac)
    assert fields[3] & 1  # authorized
    assert fields[13] == 0xC001
    assert i.STA_INFO.unpack_from(get(sta, i.IEEE80211_IOC_STA_INFO).data)[8] == ap.mac
    power = get(ap, i.IEEE80211_IOC_STA_TXPOW, sta.mac).data
    assert i.REQ_STA_TXPOW.unpack(power) == (sta.mac, ap.ic.txpower)
    ap.ic.nodes[sta.mac].wpa_ie = b"\x30\x02\1\0"
    assert get(ap, i.IEEE80211_IOC_WPAIE, sta.mac).data == sta.mac + b"\x30\x02\1\0".ljust(
        256, b"\0"
    )
    for kind in (i.IEEE80211_IOC_STA_STATS, i.IEEE80211_IOC_STA_TXPOW, i.IEEE80211_IOC_WPAIE):
        refused("EINVAL", get, ap, kind, b"\2stran")
        refused("EINVAL", get, ap, kind, b"")


def test_a_member_has_counters(pair, lab):
    ap, sta = pair
    assert lab.talks(ap, sta)
    ap.ic.nodes[sta.mac].stats["tx_deauth"] = 7
    got = i.STA_STATS.unpack(get(ap, i.IEEE80211_IOC_STA_STATS, sta.mac).data)
    counts = dict(zip(i.NODESTATS, got[1:], strict=True))
    assert (got[0], counts["tx_deauth"]) == (sta.mac, 7)


def test_access_lists(box):
    one, two = b"\2macs1", b"\2macs2"
    put(box, i.IEEE80211_IOC_ADDMAC, data=one)
    put(box, i.IEEE80211_IOC_ADDMAC, data=two)
    refused("EEXIST", put, box, i.IEEE80211_IOC_ADDMAC, data=one)
    refused("EINVAL", put, box, i.IEEE80211_IOC_ADDMAC, data=b"abc")
    put(box, i.IEEE80211_IOC_DELMAC, data=two)
    refused("ENOENT", put, box, i.IEEE80211_IOC_DELMAC, data=two)
    maccmd = i.IEEE80211_IOC_MACCMD
    put(box, maccmd, i.IEEE80211_MACCMD_POLICY_DENY)
    assert get(box, maccmd, val=i.IEEE80211_MACCMD_POLICY).val == 2
    assert get(box, maccmd, val=i.IEEE80211_MACCMD_LIST).data == one
    put(box, maccmd, i.IEEE80211_MACCMD_FLUSH)
    assert get(box, maccmd, val=i.IEEE80211_MACCMD_LIST).data == b""
    put(box, maccmd, i.IEEE80211_MACCMD_DETACH)
    assert get(box, maccmd, val=i.IEEE80211_MACCMD_POLICY).val == 0
    refused("EINVAL", get, box, maccmd, val=0)
    refused("EINVAL", put, box, maccmd, 9)


def mlme(op, mac, reason=0, ssid=b"", size=None):
    return i.REQ_MLME.pack(op, len(ssid) if size is None else size, reason, mac, ssid)


def test_a_program_associates_a_station_and_sends_it_away(pair, lab):
    ap, sta = pair
    kind = i.IEEE80211_IOC_MLME
    put(sta, i.IEEE80211_IOC_ROAMING, v.ROAMING_MANUAL)
    put(sta, kind, data=mlme(i.IEEE80211_MLME_DISASSOC, ap.mac, 8))
    lab.run(1)
    assert sta.ic.state == v.S_INIT
    assert sta.mac not in ap.ic.nodes or not ap.ic.nodes[sta.mac].associd
    for wrong in (
        mlme(i.IEEE80211_MLME_ASSOC, b"\2stran"),
        mlme(i.IEEE80211_MLME_ASSOC, ap.mac, ssid=b"other"),
        mlme(i.IEEE80211_MLME_ASSOC, ap.mac, size=40),
        mlme(i.IEEE80211_MLME_AUTHORIZE, ap.mac),
        mlme(9, ap.mac),
        b"short",
    ):
        refused("EINVAL", put, sta, kind, data=wrong)
    put(sta, kind, data=mlme(i.IEEE80211_MLME_ASSOC, ap.mac, ssid=b"lan"))
    lab.run(2)
    assert sta.ic.state == v.S_RUN
    assert lab.talks(ap, sta)


@pytest.mark.parametrize(
    ("op", "subtype"), [(i.IEEE80211_MLME_DEAUTH, DEAUTH), (i.IEEE80211_MLME_DISASSOC, DISASSOC)]
)
@pytest.mark.parametrize("everybody", [False, True])
def test_an_access_point_sends_members_away(pair, lab, op, subtype, everybody):
    ap, sta = pair
    before = len(lab.air.kinds(subtype))
    mac = v.BROADCAST if everybody else sta.mac
    put(ap, i.IEEE80211_IOC_MLME, data=mlme(op, mac, 5))
    lab.run(0.01)
    sent = lab.air.kinds(subtype)[before:]
    assert [(frame[4:10], frame[24]) for frame in sent] == [(sta.mac, 5)]
    refused("EINVAL", put, ap, i.IEEE80211_IOC_MLME, data=mlme(op, b"\2stran", 5))
    refused("EINVAL", put, ap, i.IEEE80211_IOC_MLME, data=mlme(1, sta.mac))


def test_a_port_is_opened_and_closed_by_a_program(pair):
    ap, sta = pair
    for op, state in ((i.IEEE80211_MLME_UNAUTHORIZE, False), (i.IEEE80211_MLME_AUTHORIZE, True)):
        put(ap, i.IEEE80211_IOC_MLME, data=mlme(op, sta.mac))
        assert ap.ic.nodes[sta.mac].authorized is state


def test_a_program_adds_elements_to_a_stations_requests(pair, lab):
    ap, sta = pair
    element = bytes.fromhex("dd04000c4301")
    refused("EINVAL", get, sta, i.IEEE80211_IOC_OPTIE)
    refused("EINVAL", put, ap, i.IEEE80211_IOC_OPTIE, data=element)
    refused("EINVAL", put, sta, i.IEEE80211_IOC_OPTIE, data=bytes(257))
    put(sta, i.IEEE80211_IOC_OPTIE, data=element)
    assert get(sta, i.IEEE80211_IOC_OPTIE).data == element
    sta.ic.reset()
    lab.run(5)
    assert lab.air.kinds(0x00)[-1].endswith(element)


# -- counters


def test_counters_begin_again_after_zstats(pair):
    _ap, sta = pair
    stats = ask(sta, i.SIOCG80211STATS, i.Ieee80211StatsReq("abc0"), GUEST).stats
    assert stats["rx_beacon"] > 0
    assert ask(sta, i.SIOCG80211ZSTATS, i.Ieee80211StatsReq("abc0")).stats["rx_beacon"] > 0
    assert ask(sta, i.SIOCG80211STATS, i.Ieee80211StatsReq("abc0")).stats.get("rx_beacon", 0) == 0


# -- whatever is asked


EACH_ALONE = settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])


@EACH_ALONE
@given(
    kind=st.integers(0, 80),
    val=st.integers(-(2**31), 2**31 - 1),
    data=st.one_of(st.binary(max_size=70), st.binary(min_size=42, max_size=64)),
    setting=st.booleans(),
    opmode=st.sampled_from([AP, STA, v.M_IBSS, v.M_MONITOR]),
)
def test_any_general_request_is_answered_or_refused(lab, kind, val, data, setting, opmode):
    box = type(lab)().box().be(opmode)
    try:
        (put if setting else get)(box, kind, val=val, data=data)
    except NetError:
        return


RIDS = [value for name, value in vars(w).items() if name.startswith("WI_RID_")]


@EACH_ALONE
@given(
    kind=st.sampled_from(RIDS) | st.integers(0, 0xFFFF),
    val=st.binary(max_size=70),
    setting=st.booleans(),
    opmode=st.sampled_from([AP, STA, v.M_IBSS, v.M_MONITOR]),
)
def test_any_wavelan_record_is_answered_or_refused(lab, kind, val, setting, opmode):
    box = type(lab)().box().be(opmode)
    try:
        ask(box, w.SIOCSWAVELAN if setting else w.SIOCGWAVELAN, w.WiReq("abc0", kind, val))
    except NetError:
        return


# -- WaveLAN


def test_records_that_only_the_radio_decides(box):
    for kind in (
        w.WI_RID_SERIALNO,
        w.WI_RID_CURRENT_SSID,
        w.WI_RID_CURRENT_BSSID,
        w.WI_RID_CURRENT_CHAN,
        w.WI_RID_COMMS_QUALITY,
        w.WI_RID_CUR_TX_RATE,
        w.WI_RID_CUR_BEACON_INT,
        w.WI_RID_WEP_AVAIL,
        w.WI_RID_IFACE_STATS,
    ):
        ask(box, w.SIOCGWAVELAN, w.WiReq("abc0", kind))
        refused("EPERM", ask, box, w.SIOCSWAVELAN, w.WiReq("abc0", kind, b"\0\0"))


def test_wavelan_keys_are_told_to_the_superuser_only(box):
    box.wep(b"abcde")
    req = w.WiReq("abc0", w.WI_RID_DEFLT_CRYPT_KEYS)
    assert ask(box, w.SIOCGWAVELAN, req).val[:7] == b"\5\0abcde"
    assert ask(box, w.SIOCGWAVELAN, req, GUEST).val == bytes(64)


def test_names_longer_than_their_record_are_refused(box):
    for val in (b"\x21\0" + bytes(40), b"\x05\0abc", b""):
        req = w.WiReq("abc0", w.WI_RID_DESIRED_SSID, val)
        refused("ENOSPC", ask, box, w.SIOCSWAVELAN, req)
    assert box.ic.des_ssid == b""


def test_a_channel_list_names_channels_from_one(box):
    req = w.WiReq("abc0", w.WI_RID_CHANNEL_LIST, (0x21).to_bytes(2, "little"))
    ask(box, w.SIOCSWAVELAN, req)
    assert box.ic.chan_active == {2412, 2437}
    assert ask(box, w.SIOCGWAVELAN, req).val == req.val
    refused("EPERM", ask, box, w.SIOCSWAVELAN, w.WiReq("abc0", req.type, b"\0\x20"))
    refused("EINVAL", ask, box, w.SIOCSWAVELAN, w.WiReq("abc0", req.type, b"\0\0"))


def test_networks_are_not_told_while_a_scan_is_under_way(pair, lab):
    _ap, sta = pair
    ask(sta, w.SIOCSWAVELAN, w.WiReq("abc0", w.WI_RID_SCAN_APS, b"\xff\x3f\x0f\0"))
    refused("EINPROGRESS", ask, sta, w.SIOCGWAVELAN, w.WiReq("abc0", w.WI_RID_READ_APS))
    lab.run(10)
    val = ask(sta, w.SIOCGWAVELAN, w.WiReq("abc0", w.WI_RID_READ_APS)).val
    assert int.from_bytes(val[:4], "little") == 1
    assert len(val) == 4 + w.WI_APINFO.size


def test_as_many_networks_are_told_as_a_record_holds(box):
    for number in range(40):
        mac = bytes((2, 0, 0, 0, 1, number))
        box.ic.scan[mac] = v.Node(mac, bssid=mac)
    val = ask(box, w.SIOCGWAVELAN, w.WiReq("abc0", w.WI_RID_READ_APS)).val
    assert len(val) <= 2 * w.WI_MAX_DATALEN
    assert int.from_bytes(val[:4], "little") == (len(val) - 4) // w.WI_APINFO.size == 13
