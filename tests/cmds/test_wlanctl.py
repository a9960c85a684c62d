"""wlanctl: one node's lines as the reference prints them, and who is listed."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmds.wlanctl import CAPABILITIES, CHANNEL_FLAGS, USAGE, flags, rateset, show
from libnet.ioctl.ieee80211 import Ieee80211NodeSysctl
from libnet.lab.memory import World

# The sample of wlanctl(8).
SAMPLE = """\
abc0: mac 00:02:6f:20:f6:2e bss 02:02:6f:20:f6:2e
\tnode flags 0001<bss>
\tess <netbsd>
\tchan 11 freq 2462MHz flags 00a0<cck,2.4GHz>
\tcapabilities 0022<ibss,short preamble>
\tbeacon-interval 100 TU tsft 18425852102545544165 us
\trates [1.0] 2.0 5.5 11.0
\tassoc-id 0 assoc-failed 0 inactivity 0s
\trssi 161 txseq 10 rxseq 1420
"""


def test_a_node_is_shown_as_in_the_manual():
    node = Ieee80211NodeSysctl(
        2,
        bytes.fromhex("00026f20f62e"),
        bytes.fromhex("02026f20f62e"),
        capinfo=0x22,
        flags=1,
        freq=2462,
        chanflags=0xA0,
        chan=11,
        rssi=161,
        essid=b"netbsd",
        rates=bytes((2, 4, 11, 22)),
        intval=100,
        tstamp=18425852102545544165,
        txseq=10,
        rxseq=1420,
    )
    assert show(node, "abc0") == SAMPLE


@pytest.mark.parametrize(
    ("value", "names", "text"),
    [
        (0x0140, CHANNEL_FLAGS, "0140<ofdm,5GHz>"),
        (0x00C0, CHANNEL_FLAGS, "00c0<ofdm,2.4GHz>"),
        (0x0480, CHANNEL_FLAGS, "0480<2.4GHz,dynamic cck-ofdm>"),
        (0x0C10, CHANNEL_FLAGS, "0c10<turbo,dynamic cck-ofdm,gfsk>"),
        (0x0431, CAPABILITIES, "0431<ess,privacy,short preamble,short slot-time>"),
        (0, CAPABILITIES, "0000"),
        (0x8000, CAPABILITIES, "8000"),
    ],
)
def test_bits_have_words(value, names, text):
    assert flags(value, names) == text


def test_the_rate_in_use_is_in_brackets_and_basic_ones_have_a_star():
    assert rateset(bytes((0x82, 0x84, 0x8B, 22)), 1) == " *1.0 [*2.0] *5.5 11.0"
    assert rateset(b"", 0) == ""


@given(st.binary(max_size=32), st.binary(max_size=15))
def test_any_name_and_rates_can_be_shown(essid, rates):
    node = Ieee80211NodeSysctl(1, bytes(6), bytes(6), essid=essid, rates=rates)
    assert show(node, "abc0").startswith("abc0: mac 00:00:00:00:00:00 bss")


@pytest.fixture(scope="module")
def air():
    with World(seed=11) as world:
        ap, sta = (world.box(name, nic="abc:air0") for name in ("AP", "STA"))
        for box in (ap, sta):
            box.sh("io-pkt-v4-hc -d abc")
        ap.sh('ifconfig abc0 ssid "my lan" mediaopt hostap up; sleep 5')
        sta.sh('ifconfig abc0 ssid "my lan" up; sleep 5')
        yield ap, sta


def test_a_station_lists_its_network_and_an_access_point_its_stations(air):
    ap, sta = air
    mac = re.search(r"address: (\S+)", ap.sh("ifconfig abc0").out).group(1)
    client = re.search(r"address: (\S+)", sta.sh("ifconfig abc0").out).group(1)
    out = sta.sh("wlanctl abc0").out
    assert out.startswith(f"abc0: mac {mac} bss {mac}\n\tnode flags 0005<bss,scan>\n\tess <my lan>")
    assert sta.sh("wlanctl -a").out == out
    out = ap.sh("wlanctl abc0").out
    assert f"abc0: mac {client} bss {mac}\n\tnode flags 0002<sta>\n" in out
    assert "\tassoc-id 49153 assoc-failed 0 inactivity " in out
    assert f"abc0: mac {mac} bss {mac}\n\tnode flags 0001<bss>\n" in out


def test_an_interface_without_radio_has_no_nodes(air):
    assert air[0].sh("wlanctl lo0") == ("", "", 0)


def test_what_is_before_an_unknown_interface_is_listed(air):
    got = air[1].sh("wlanctl abc0 abc9")
    assert got.out.startswith("abc0: mac ")
    assert (got.err, got.status) == ("wlanctl: if_nametoindex: No such device or address\n", 1)


@pytest.mark.parametrize("words", ["", "-a abc0", "-p"])
def test_either_all_or_a_list(air, words):
    assert air[0].sh(f"wlanctl {words}") == ("", USAGE, 1)


def test_p_leaves_out_networks_with_privacy(air):
    ap, sta = air
    assert sta.sh("wlanctl -p -a").out == sta.sh("wlanctl -a").out != ""
    ap.sh("ifconfig abc0 nwkey abcde")
    sta.sh("ifconfig abc0 nwkey abcde; sleep 8")
    assert "0031<ess,privacy" in sta.sh("wlanctl -a").out
    assert sta.sh("wlanctl -pa") == ("", "", 0)


def test_a_stack_without_80211_says_so():
    with World(seed=12) as world:
        box = world.box("A", nic="i82544:lan0")
        box.sh("io-pkt-v4 -d i82544")
        assert box.sh("wlanctl -a") == (
            "",
            "wlanctl: sysctlnametomib: No such file or directory\n",
            1,
        )
