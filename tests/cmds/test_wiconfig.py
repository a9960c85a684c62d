"""wiconfig: every option, and the listing."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmds import wiconfig
from cmds.wiconfig import USAGE
from libnet.lab.memory import World

LISTING = """\
NIC serial number:			[  ]
Station name:				[ STA ]
SSID for IBSS creation:			[ my lan ]
Current netname (SSID):			[ my lan ]
Desired netname (SSID):			[ my lan ]
Current BSSID:				[ {ap} ]
Channel list:				[ 1 2 3 4 5 6 7 8 9 10 11 12 13 14 ]
IBSS channel:				[ 1 ]
Current channel:			[ 1 ]
Comms quality/signal/noise:		[ 0 N 0 ]
Promiscuous mode:			[ Off ]
Port type (1=BSS, 3=ad-hoc):		[ 1 ]
MAC address:				[ {sta} ]
TX rate (selection):			[ 0 ]
TX rate (actual speed):			[ 11 ]
Beacon Interval (current) [msec]:	[ 100 ]
Maximum data length:			[ 2346 ]
RTS/CTS handshake threshold:		[ 2346 ]
Create IBSS:				[ Off ]
Microwave oven robustness:		[ 0 ]
Roaming mode(1:firm,3:disable):		[ 1 ]
Access point density:			[ 1 ]
Power Mgmt (1=on, 0=off):		[ 0 ]
Max sleep time (msec):			[ 100 ]
WEP encryption:				[ On ]
Authentication type{blank}
(1=OpenSys, 2=Shared Key):		[ 1 ]
TX encryption key:			[ 1 ]
Encryption keys:			[ corpseckey456 ][  ][  ][  ]
"""


@pytest.fixture
def world():
    with World(seed=13) as made:
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
    box.sh('ifconfig abc0 ssid "my lan" nwkey corpseckey456 mediaopt hostap up; sleep 5')
    return box


def mac(box):
    return re.search(r"address: (\S+)", box.sh("ifconfig abc0").out).group(1)


def value(box, label):
    line = next(x for x in box.sh("wiconfig abc0").out.splitlines() if x.startswith(label))
    return line.partition("\t")[2].strip("\t")


def test_without_options_everything_is_shown(ap, sta):
    sta.sh('ifconfig abc0 ssid "my lan" nwkey corpseckey456 up; sleep 5')
    out = re.sub(r"(noise:\t+\[ 0) \d+", r"\1 N", sta.sh("wiconfig abc0").out)
    assert out == LISTING.format(ap=mac(ap), sta=mac(sta), blank=" ")
    assert re.sub(r"(noise:\t+\[ 0) \d+", r"\1 N", sta.sh("wiconfig -i abc0").out) == out


@pytest.mark.parametrize(
    ("option", "label", "shown"),
    [
        ("-n 'a net'", "Desired netname", "[ a net ]"),
        ("-q adhoc", "SSID for IBSS creation", "[ adhoc ]"),
        ("-s laptop", "Station name", "[ laptop ]"),
        ("-t 11", "TX rate (selection)", "[ 11 ]"),
        ("-t 54", "TX rate (selection)", "[ 54 ]"),
        ("-T 3", "TX encryption key", "[ 3 ]"),
        ("-p 3", "Port type", "[ 3 ]"),
        ("-p 3", "Create IBSS", "[ On ]"),
        ("-c 1", "Port type", "[ 3 ]"),
        ("-d 500", "Maximum data length", "[ 500 ]"),
        ("-r 300", "RTS/CTS handshake", "[ 300 ]"),
        ("-f 6", "IBSS channel", "[ 6 ]"),
        ("-P 1", "Power Mgmt", "[ 1 ]"),
        ("-S 250", "Max sleep time", "[ 250 ]"),
        ("-R 3", "Roaming mode", "[ 3 ]"),
        ("-k abcde", "Encryption keys", "[ abcde ][  ][  ][  ]"),
        ("-k 0x0102030405 -v 4", "Encryption keys", "[  ][  ][  ][ 0x0102030405 ]"),
        ("-k abcde -e 1", "WEP encryption", "[ On ]"),
        ("-a 1 -M 0", "Access point density", "[ 1 ]"),
    ],
)
def test_an_option_sets_what_the_listing_shows(sta, option, label, shown):
    assert sta.sh(f"wiconfig abc0 {option}") == ("", "", 0)
    assert value(sta, label) == shown


def test_ad_hoc_and_back(sta):
    sta.sh("wiconfig abc0 -p 3")
    assert "autoselect adhoc" in sta.sh("ifconfig abc0").out
    sta.sh("wiconfig abc0 -c 0")
    assert value(sta, "Port type") == "[ 1 ]"


def test_shared_key_is_chosen_here(sta):
    assert sta.sh("wiconfig abc0 -A 2").status == 0
    assert "\n(1=OpenSys, 2=Shared Key):\t\t[ 2 ]\n" in sta.sh("wiconfig abc0").out


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("-A 3", "SIOCSWAVELAN: Invalid argument"),
        ("-M 1", "SIOCSWAVELAN: Invalid argument"),
        ("-a 2", "SIOCSWAVELAN: Invalid argument"),
        ("-d 100", "SIOCSWAVELAN: Invalid argument"),
        ("-f 99", "SIOCSWAVELAN: Invalid argument"),
        ("-p 2", "SIOCSWAVELAN: Invalid argument"),
        ("-R 2", "SIOCSWAVELAN: Invalid argument"),
        ("-r 5000", "SIOCSWAVELAN: Invalid argument"),
        ("-T 5", "SIOCSWAVELAN: Invalid argument"),
        ("-t 3", "SIOCSWAVELAN: Invalid argument"),
        ("-m 0:1:2:3:4:5", "SIOCSWAVELAN: Invalid argument"),
        ("-m nonsense", "badly formatted address"),
        ("-n 1234567890123456789012345678901", "string too long"),
        ("-k abc", "encryption keys must be 5 or 13 characters, or 10 or 26 digits after 0x"),
        ("-k 0xzz", "bad hexadecimal digits"),
        ("-k abcde -v 5", "bad key number: 5"),
        ("-v 1", "-v needs a key"),
    ],
)
def test_what_cannot_be_is_refused(sta, option, said):
    assert sta.sh(f"wiconfig abc0 {option}") == ("", f"wiconfig: {said}\n", 1)


@pytest.mark.parametrize("words", ["", "-o", "-h", "abc0 -h", "abc0 extra"])
def test_usage(sta, words):
    assert sta.sh(f"wiconfig {words}") == ("", USAGE, 1)


def test_a_wired_interface_and_none_are_refused(sta):
    assert sta.sh("wiconfig lo0").err == (
        "wiconfig: SIOCG80211NWID: Inappropriate I/O control operation\n"
    )
    assert sta.sh("wiconfig abc7").err == "wiconfig: SIOCG80211NWID: No such device or address\n"


def test_counters_are_of_this_interface(ap, sta):
    sta.sh('ifconfig abc0 ssid "my lan" nwkey corpseckey456 10.0.0.2/24 up')
    ap.sh("ifconfig abc0 10.0.0.1/24; sleep 5")
    assert sta.sh("ping -c 3 10.0.0.1").status == 0
    out = sta.sh("wiconfig abc0 -o").out
    received = int(re.search(r"Received unicast frames:\t+(\d+)\n", out).group(1))
    assert 3 <= received <= 5  # three answers, and what the two had to ask each other
    assert "Can't decrypt WEP frame:\t\t0\n" in out
    assert len(out.splitlines()) == 20
    assert "Transmitted fragments:\t\t\t0\n" in out
    sta.sh("wiconfig abc0 -d 400; ping -c 1 -s 1000 10.0.0.1")
    assert "Transmitted fragments:\t\t\t3\n" in sta.sh("wiconfig abc0 -o").out


def test_a_scan_lists_access_points_and_leaves_the_interface_as_it_was(ap, sta):
    assert "flags=8802<" in sta.sh("ifconfig abc0").out
    got = sta.sh("wiconfig abc0 -D")
    assert re.fullmatch(
        r"scanning \.{4,13}\n"
        r"AP Information\n"
        r"ap\[0\]:\n"
        r"\tnetname \(SSID\):\t\t\t\[ my lan \]\n"
        rf"\tBSSID:\t\t\t\t\[ {mac(ap)} \]\n"
        r"\tChannel:\t\t\t\[ 1 \]\n"
        r"\tQuality/Signal/Noise \[signal\]:\t\[ \d+ / \d+ / \d+ \]\n"
        r"\t {24}\[dBm\]:\t\[ \d+ / -\d+ / -\d+ \]\n"
        r"\tBSS Beacon Interval \[msec\]:\t\[ 100 \]\n"
        r"\tCapinfo:\t\t\t\[ ESS WEP \]\n"
        r"\tDataRate \[Mbps\]:\t\t\[ \d+ \]\n",
        got.out,
    )
    assert "flags=8802<" in sta.sh("ifconfig abc0").out


def test_nobody_there(sta):
    assert sta.sh("wiconfig abc0 -D").out.endswith("\nNo APs available\n")


@given(st.binary(max_size=1100))
def test_any_record_can_be_shown(val):
    wiconfig.show_aps(val)
    for table in (wiconfig.TABLE, wiconfig.CRYPT_TABLE):
        for _kind, _label, show in table:
            assert re.fullmatch(r"(\[.*\])*", show(val), re.DOTALL)  # nothing without brackets


@given(st.text(max_size=40))
def test_any_key_is_octets_or_none(text):
    assert wiconfig.key_of(text) is None or isinstance(wiconfig.key_of(text), bytes)
