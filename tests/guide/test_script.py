"""A start-up script of the kind that image buildfiles hold, unchanged, in a box."""

from __future__ import annotations

import os

import pytest

from libnet.lab.play import Player

SCRIPT = """\
#!/bin/sh
# network part of a start-up script
slogger &
waitfor /dev/slog
io-pkt-v4-hc -d i82544 -p tcpip pagesize=8192,mclbytes=8192
waitfor /dev/socket 4
if_up -p wm0
ifconfig wm0 10.42.7.20 netmask 255.255.255.0 up
route add default 10.42.7.1
if_up -r 20 wm0
sysctl -w net.inet.ip.forwarding=1 net.inet.ip.ttl=32
ping -c 2 -i 0.2 10.42.7.1
hostname
"""


@pytest.mark.processes
def test_a_typical_network_section_runs_unchanged(tmp_path):
    script = tmp_path / "start.sh"
    script.write_text(SCRIPT)
    with Player(os.environ, str(tmp_path / "w")) as player:
        assert player("Router", "io-pkt-v4-hc -d i82544") == ("", 0)
        assert player("Router", "ifconfig wm0 10.42.7.1/24") == ("", 0)
        player.boxes.add("Target")
        out, status = player.host(["box", "run", "Target", "--", "sh", str(script)])
        assert status == 0, out
        lines = out.splitlines()
        assert lines[0] == "add net default: gateway 10.42.7.1"
        assert lines[1:3] == ["net.inet.ip.forwarding: 0 -> 1", "net.inet.ip.ttl: 64 -> 32"]
        assert "2 packets transmitted, 2 packets received, 0.0% packet loss" in lines
        assert lines[-1] == "Target"
        assert "tcpip starting" in player("Target", "sloginfo")[0]
        routes = player("Target", "netstat -rn")[0]
        assert "default            10.42.7.1          UGS" in routes


@pytest.mark.processes
def test_the_sample_script_brings_a_box_up_again_after_a_power_cut(tmp_path):
    sample = os.path.join(os.path.dirname(__file__), "..", "..", "etc", "rc.d", "rc.net")
    with Player(os.environ, str(tmp_path / "w")) as player:
        for _ in range(2):
            player.boxes.add("BoxA")
            out, status = player.host(["box", "run", "BoxA", "--", "sh", os.path.abspath(sample)])
            assert (out, status) == ("", 0)
            assert "inet 10.0.0.1 netmask 0xffffff00" in player("BoxA", "ifconfig wm0")[0]
            player.host(["box", "kill", "BoxA"])


@pytest.mark.processes
def test_the_sample_access_point_takes_a_laptop_to_a_server(tmp_path):
    sample = os.path.join(os.path.dirname(__file__), "..", "..", "etc", "labs", "access-point.toml")
    with Player(os.environ, str(tmp_path / "w")) as player:
        out, status = player.host(["lab", "up", os.path.abspath(sample)])
        assert status == 0, out
        try:
            out, _status = player("Laptop", "ping -c 3 -i 0.2 192.0.2.2")
            assert "3 packets transmitted, 3 packets received, 0.0% packet loss" in out
            assert "192.0.2.1" in player("Gate", "pfctl -s state")[0]
            assert player.host(["lab", "place", "Laptop:abc0"]) == (
                "Laptop:abc0 in air0: 8 3\n",
                0,
            )
        finally:
            assert player.host(["lab", "down", "--remove"])[1] == 0
