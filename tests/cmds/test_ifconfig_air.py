"""ifconfig's words about radios, with radios to say them to."""

from __future__ import annotations

import re

import pytest

from libnet.lab.memory import World


@pytest.fixture
def world():
    with World(seed=19) as made:
        yield made


@pytest.fixture
def sta(world):
    box = world.box("STA", nic="abc:air0")
    box.sh("io-pkt-v4-hc -d abc")
    return box


@pytest.fixture
def ap(world):
    box = world.box("AP", nic="abc:air0")
    box.sh("io-pkt-v4-hc -d abc")
    box.sh('ifconfig abc0 chan 6 ssid "my lan" nwkey abcde mediaopt hostap 10.0.0.1/24 up; sleep 3')
    return box


def line(box, start):
    out = box.sh("ifconfig abc0").out
    return next((x.strip() for x in out.splitlines() if x.strip().startswith(start)), None)


def rows(box, options=""):
    return box.sh(f"ifconfig {options} abc0 scan").out.splitlines()[1:]


@pytest.mark.parametrize(
    ("words", "start", "shown"),
    [
        ('ssid "a net"', "ssid", 'ssid "a net"'),
        ("nwid 0x0102", "ssid", "ssid 0x0102"),
        ("nwkey 0x0102030405", "ssid", 'ssid "" nwkey 0x0102030405'),
        ("nwkey 3:,,abcde,", "ssid", 'ssid "" nwkey 3:"","",abcde,""'),
        ("nwkey abcde -nwkey", "ssid", 'ssid ""'),
        ("frag 256 rts 1", "ssid", 'ssid "" rts 1 frag 256'),
        ("frag 256 rts 1 -frag -rts", "ssid", 'ssid ""'),
        ("powersave", "powersave", "powersave on (100ms sleep)"),
        ("powersavesleep 250 powersave", "powersave", "powersave on (250ms sleep)"),
        ("powersave -powersave", "powersave", "powersave off"),
        ("chan 11", "chan", "chan 11"),
        ("chan 11 -chan", "chan", None),
        ("bssid 2:0:0:0:0:9", "bssid", "bssid 02:00:00:00:00:09"),
        ("bssid 2:0:0:0:0:9 chan 3", "bssid", "bssid 02:00:00:00:00:09 chan 3"),
        ("bssid 2:0:0:0:0:9 -bssid", "bssid", None),
        ("mediaopt hostap hidessid", "ssid", 'ssid "" [hidden] apbridge'),
        ("mediaopt hostap -hidessid -apbridge", "ssid", 'ssid ""'),
        ("mediaopt adhoc", "media", "media: IEEE802.11 autoselect adhoc"),
        ("mediaopt monitor", "media", "media: IEEE802.11 autoselect monitor"),
        ("mode 11g", "media", "media: IEEE802.11 autoselect mode 11g"),
        ("mode 11a mediaopt adhoc", "media", "media: IEEE802.11 autoselect mode 11a adhoc"),
        ("media DS11", "media", "media: IEEE802.11 DS11"),
        ("media OFDM54 mode 11g", "media", "media: IEEE802.11 OFDM54 mode 11g"),
    ],
)
def test_a_word_is_shown_as_it_was_said(sta, words, start, shown):
    assert sta.sh(f"ifconfig abc0 {words}") == ("", "", 0)
    got = line(sta, start)
    assert (got if shown is None else got[: len(shown)]) == shown
    assert got is None or re.fullmatch(r"( \(.*\))?", got[len(shown or "") :])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("nwkey abcd", "SIOCS80211NWKEY: Invalid argument"),
        ("nwkey 0x0102", "SIOCS80211NWKEY: Invalid argument"),
        ("nwkey persist", "SIOCS80211NWKEY: Invalid argument"),
        ("nwkey 5:abcde,,,", "SIOCS80211NWKEY: Invalid argument"),
        ("chan 200", "SIOCS80211CHANNEL: Invalid argument"),
        ("media DS11 mode 11a", "SIOCSIFMEDIA: Invalid argument"),
    ],
)
def test_what_the_radio_refuses_is_told_by_the_request(sta, words, said):
    assert sta.sh(f"ifconfig abc0 {words}").err == f"ifconfig: {said}\n"


def test_media_are_listed_by_mode(sta):
    out = sta.sh("ifconfig -m abc0").out
    listed = [x.strip() for x in out.partition("supported IEEE802.11 media:\n")[2].splitlines()]
    for mode, rates in (("11b", 4), ("11g", 12), ("11a", 8)):
        plain = [x for x in listed if x.endswith(f" mode {mode}")]
        assert len(plain) == rates + 1
        assert plain[0] == f"media autoselect mode {mode}"
        for option in ("adhoc", "hostap", "monitor"):
            assert [x for x in listed if x.endswith(f" mode {mode} mediaopt {option}")] == [
                f"{x} mediaopt {option}" for x in plain
            ]
    assert "media OFDM54 mode 11g mediaopt hostap" in listed


def test_a_hidden_name_is_found_by_who_knows_it(ap, sta):
    ap.sh("ifconfig abc0 hidessid; sleep 3")
    sta.sh("ifconfig abc0 up")
    assert rows(sta)[0].startswith(" " * 34)
    sta.sh('ifconfig abc0 ssid "my lan" nwkey abcde; sleep 8')
    assert line(sta, "status") == "status: active"
    assert line(sta, "ssid") == 'ssid "my lan" nwkey abcde'


def test_others_than_root_see_no_keys_and_the_last_scan(ap, sta):
    sta.sh('ifconfig abc0 ssid "my lan" nwkey abcde up; sleep 8')
    found = rows(sta)
    sta.root = False
    assert line(sta, "ssid") == 'ssid "my lan" nwkey *****'
    assert [row[:60] for row in rows(sta)] == [row[:60] for row in found] != []
    for words in ("ssid x", "-nwkey", "chan 1"):
        assert sta.sh(f"ifconfig abc0 {words}").err.endswith(": Operation not permitted\n")


def test_with_v_a_scan_tells_what_is_in_the_elements(ap, sta):
    sta.sh("ifconfig abc0 up")
    (row,) = rows(sta, "-v")
    assert re.search(
        r" EPS? +SSID<my lan> RATES<B2,B4,11,22> DSPARMS<6> TIM<0504[0-9a-f]{8}>$", row
    )
    ap.sh("ifconfig abc0 media autoselect mode 11g mediaopt hostap; sleep 4")
    (row,) = rows(sta, "-v")
    assert " RATES<B2,B4,B11,12,18,B22,24,36> " in row
    assert " ERP<0x" in row
    assert row.endswith(" XRATES<48,72,96,108>")


def test_counters_are_told_and_begin_again(ap, sta):
    sta.sh('ifconfig abc0 ssid "my lan" nwkey abcde up; sleep 8')
    beacons = int(re.search(r"rx beacon frames: (\d+)", sta.sh("ifconfig -v abc0").out).group(1))
    assert beacons > 10
    sta.sh("ifconfig -z abc0")
    assert re.search(r"rx beacon frames: [0-3]\n", sta.sh("ifconfig -v abc0").out)


def test_events_are_told_to_who_listens(ap, sta):
    job = sta.spawn("route monitor")
    sta.sh('ifconfig abc0 ssid "my lan" nwkey abcde up; sleep 8')
    job.interrupt()
    assert "what: scan complete\n" in job.out
    assert "what: associate\n" in job.out


def test_a_filter_sees_the_air(ap, sta):
    out = ap.sh("tcpdump -L -i abc0", merge=True).out
    assert "EN10MB (Ethernet)" in out
    assert "IEEE802_11_RADIO (802.11 plus radiotap header)" in out
    assert "IEEE802_11 (802.11)" in out
    out = ap.sh("tcpdump -n -e -i abc0 -y IEEE802_11_RADIO -c 2 type mgt subtype beacon").out
    assert out.count("Beacon (my lan) [1.0* 2.0* 5.5 11.0 Mbit] ESS CH: 6, PRIVACY") == 2
    assert "1.0 Mb/s 2437 MHz 11b" in out
