"""Captures of our air, read by programs that are not ours: tcpdump, tshark, airdecap-ng."""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import subprocess

import pytest

from cmds._handover import find_next
from libnet.lab.memory import World

pytestmark = pytest.mark.interop

KEY = "corpseckey456"
TCPDUMP_VERSION = "tcpdump version 4.99."


def tool(name: str) -> str:
    """Return a program's path, not ours; skip without it."""
    found = find_next(name, os.environ.get("PATH", ""))
    if found is None:
        pytest.skip(f"no {name} here")
    return found


def out_of(*argv: str, cwd: pathlib.Path | None = None) -> str:
    got = subprocess.run(
        argv,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        cwd=cwd,
        env={**os.environ, "TZ": "UTC"},
    )
    return got.stdout


@pytest.fixture(scope="module")
def captures(tmp_path_factory):
    """What a monitor and the access point see of a day on the air, with radiotap and without.

    A scan, an association, WEP data whole and in fragments behind RTS and CTS, power saving, a member
    with shared key, one with a wrong key, and goodbyes.
    """
    directory = tmp_path_factory.mktemp("air")
    with World(seed=17) as world:
        ap, sta, mon, odd = (world.box(n, nic="abc:air0") for n in ("AP", "STA", "MON", "ODD"))
        for box in (ap, sta, mon, odd):
            box.sh("io-pkt-v4-hc -d abc")
        mon.sh("ifconfig abc0 chan 6 mediaopt monitor up")
        jobs = (
            mon.spawn("tcpdump -i abc0 -y IEEE802_11_RADIO -w /tmp/air.pcap"),
            ap.spawn("tcpdump -i abc0 -y IEEE802_11 -w /tmp/ap.pcap"),
        )
        ap.sh(
            f'ifconfig abc0 chan 6 ssid "my lan" nwkey {KEY} mode 11g mediaopt hostap '
            "10.0.0.1/24 up; sleep 2"
        )
        sta.sh(f'ifconfig abc0 ssid "my lan" nwkey {KEY} 10.0.0.2/24 up; sleep 5')
        assert sta.sh("ping -c 3 10.0.0.1").status == 0
        sta.sh("ifconfig abc0 frag 400 rts 300")
        assert sta.sh("ping -c 2 -s 1200 10.0.0.1").status == 0
        sta.sh("ifconfig abc0 powersave; sleep 5")
        assert ap.sh("ping -c 2 10.0.0.2").status == 0
        odd.sh('ifconfig abc0 ssid "my lan" nwkey 0x0102030405 10.0.0.3/24 up; sleep 5')
        assert odd.sh("ping -c 1 -w 2 10.0.0.1").status != 0
        odd.sh(f"ifconfig abc0 nwkey {KEY} down; wiconfig abc0 -A 2")
        ap.sh("wiconfig abc0 -A 2; sleep 2")
        odd.sh("ifconfig abc0 up; sleep 5")
        assert odd.sh("ping -c 1 10.0.0.1").status == 0
        for box in (odd, sta, ap):
            box.sh("ifconfig abc0 down; sleep 1")
        for job in jobs:
            job.interrupt()
        world.run(1)
        shutil.copy(mon.file("/tmp/air.pcap"), directory / "air.pcap")
        shutil.copy(ap.file("/tmp/ap.pcap"), directory / "ap.pcap")
    return directory


@pytest.fixture(params=["air.pcap", "ap.pcap"])
def capture(request, captures):
    return captures / request.param


@pytest.mark.parametrize("options", ["-n", "-ne", "-nevvv", "-nX"])
def test_tcpdump_prints_what_ours_does(capture, options):
    tcpdump = tool("tcpdump")
    if TCPDUMP_VERSION not in out_of(tcpdump, "--version"):
        pytest.skip("another version of tcpdump")
    theirs = out_of(tcpdump, options, "-r", str(capture))
    assert len(theirs.splitlines()) > 100
    assert "[|" not in theirs
    with World(seed=1) as world:
        box = world.box("A")
        shutil.copy(capture, box.file("/tmp/c.pcap"))
        assert box.sh(f"TZ=UTC tcpdump {options} -r /tmp/c.pcap").out == theirs


def test_tshark_finds_nothing_malformed(capture):
    tshark = tool("tshark")
    wrong = "_ws.malformed || _ws.unreassembled || _ws.expert.severity >= warning"
    assert out_of(tshark, "-n", "-r", str(capture), "-Y", wrong) == ""


def test_tshark_sees_every_kind_of_frame(captures):
    tshark = tool("tshark")
    kinds = out_of(
        tshark, "-n", "-r", str(captures / "air.pcap"), "-T", "fields", "-e", "wlan.fc.type_subtype"
    )
    seen = {int(word, 0) for word in kinds.split()}
    # Association, probes, beacon, disassociation, authentication, RTS, CTS, ACK, data, null.
    assert {0, 1, 4, 5, 8, 11, 27, 28, 29, 32, 36} <= seen
    assert seen & {10, 12}  # goodbyes of either sort


def test_tshark_reads_radio_and_beacon(captures):
    tshark = tool("tshark")
    fields = (
        "radiotap.channel.freq",
        "radiotap.datarate",
        "radiotap.dbm_antsignal",
        "wlan.ssid",
        "wlan.fixed.beacon",
        "wlan.ds.current_channel",
        "wlan.tim.dtim_period",
        "wlan.fixed.capabilities.privacy",
    )
    args = [arg for field in fields for arg in ("-e", field)]
    out = out_of(
        tshark, "-n", "-r", str(captures / "air.pcap"), "-Y", "wlan.fc.type_subtype == 8",
        "-T", "fields", *args,
    )  # fmt: skip
    first = out.splitlines()[0].split("\t")
    assert first[0] == "2437"
    assert first[1] == "1"
    assert -90 <= int(first[2]) <= 0
    assert first[3] in ("my lan", "6d79206c616e")  # newer ones tell octets
    assert first[4:7] == ["100", "6", "1"]
    assert first[7] in ("1", "True")


@pytest.mark.parametrize("name", ["air", "ap"])
def test_airdecap_deciphers_what_the_key_is_for(captures, tmp_path, name):
    airdecap = tool("airdecap-ng")
    shutil.copy(captures / f"{name}.pcap", tmp_path / f"{name}.pcap")
    out = out_of(airdecap, "-w", KEY.encode().hex(), f"{name}.pcap", cwd=tmp_path)
    count = {
        " ".join(words.split()): int(number)
        for words, number in re.findall(r"umber of (.*?)\s+(\d+)$", out, re.MULTILINE)
    }
    assert count["plaintext data packets"] == 0
    assert count["decrypted WEP packets"] > 20
    assert count["corrupted WEP packets"] == 0
    # What stays dark is what the one with the wrong key has asked for: its ARP requests.
    assert 1 <= count["WEP data packets"] - count["decrypted WEP packets"] <= 5
    with World(seed=1) as world:
        box = world.box("A")
        shutil.copy(tmp_path / f"{name}-dec.pcap", box.file("/tmp/c.pcap"))
        clear = box.sh("tcpdump -n -r /tmp/c.pcap").out
    for seq in range(3):
        for words in (
            "10.0.0.2 > 10.0.0.1: ICMP echo request",
            "10.0.0.1 > 10.0.0.2: ICMP echo reply",
        ):
            assert re.search(rf"IP {words}, id \d+, seq {seq}, length 64", clear)
    assert "10.0.0.3 > 10.0.0.1: ICMP echo request" in clear
