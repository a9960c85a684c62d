"""A box as NAT router between two Linux namespaces: `curl` through it both ways."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys

import pytest

from libnet.lab.play import Player

RULES = """\
nat on wm1 from 10.1.0.0/24 to any -> (wm1)
rdr on wm1 proto tcp from any to 10.2.0.1 port 8080 -> 10.1.0.2 port 8000
block in all
pass in on wm0 proto tcp from 10.1.0.0/24 to any port 8000
pass in on wm1 proto tcp from any to 10.1.0.2 port 8000
pass out all
"""


def _why_not() -> str:
    if os.geteuid() != 0:
        return "needs root: network namespaces and TAPs"
    if not os.path.exists("/dev/net/tun"):
        return "needs /dev/net/tun"
    missing = [name for name in ("ip", "curl") if shutil.which(name) is None]
    return f"needs {', '.join(missing)}" if missing else ""


pytestmark = [
    pytest.mark.interop,
    pytest.mark.processes,
    pytest.mark.skipif(bool(_why_not()), reason=_why_not() or "all there"),
]


def _serve(netns, address, directory):
    server = subprocess.Popen(
        ["ip", "netns", "exec", netns, sys.executable, "-u", "-m", "http.server", "8000"]
        + ["-b", address, "-d", str(directory)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert b"Serving HTTP" in server.stdout.readline()
    return server


def _curl(netns, url, status=0):
    got = subprocess.run(
        ["ip", "netns", "exec", netns, "curl", "-s", "--max-time", "5", url],
        capture_output=True,
        check=False,
    )
    assert (got.returncode == 0) is (status == 0), (url, got.returncode)
    return got.stdout


def test_curl_through_nat_and_redirection(tmp_path):
    inside, outside = f"iopkt-in{os.getpid()}", f"iopkt-out{os.getpid()}"
    (tmp_path / "page").write_text("x" * 300_000)
    rules = pathlib.Path(tmp_path, "pf.conf")
    rules.write_text(RULES)
    servers = []
    for netns in (inside, outside):
        subprocess.run(["ip", "netns", "add", netns], check=True)
    try:
        with Player(os.environ, str(tmp_path / "w")) as player:
            player.add_box("Gate", ["i82544:lan0", "i82544:lan1"])

            def sh(command, status=0):
                out, got = player("Gate", command)
                assert got == status, (command, out)
                return out

            sh("io-pkt-v4-hc -d i82544 -p tcpip forward")
            sh("ifconfig wm0 10.1.0.1/24")
            sh("ifconfig wm1 10.2.0.1/24")
            for netns, segment, address in (
                (inside, "lan0", "10.1.0.2/24"),
                (outside, "lan1", "10.2.0.2/24"),
            ):
                tap = ["lab", "tap", segment, "--netns", netns, "--ifname", "t0"]
                out, status = player.host([*tap, "--address", address])
                assert status == 0, out
            subprocess.run(
                ["ip", "-n", inside, "route", "add", "default", "via", "10.1.0.1"], check=True
            )
            servers = [_serve(outside, "10.2.0.2", tmp_path), _serve(inside, "10.1.0.2", tmp_path)]

            sh("mount -T io-pkt lsm-pf-v4.so")
            out, status = player.host(["box", "run", "Gate", "--", "pfctl", "-ef", str(rules)])
            assert (out, status) == ("pf enabled\n", 0)
            # Out: the server sees the gate's address.
            assert _curl(inside, "http://10.2.0.2:8000/page") == b"x" * 300_000
            assert b"10.2.0.1 " in servers[0].stdout.readline()
            # In: a port of the gate leads inside.
            assert _curl(outside, "http://10.2.0.1:8080/page") == b"x" * 300_000
            assert b"10.2.0.2 " in servers[1].stdout.readline()
            # What no rule passes is stopped.
            _curl(outside, "http://10.2.0.1:9999/", status=1)

            states = sh("pfctl -s state")
            assert "10.1.0.2" in states
            assert "10.2.0.2:8000" in states
            assert sh("pfctl -s nat").startswith("nat on wm1 inet from 10.1.0.0/24 to any -> (wm1)")
            assert sh("pfctl -d 2>&1") == "pf disabled\n"
            _curl(outside, "http://10.2.0.1:8080/page", status=1)
            assert sh("pfctl -e 2>&1") == "pf enabled\n"
            assert _curl(outside, "http://10.2.0.1:8080/page") == b"x" * 300_000
            for segment in ("lan0", "lan1"):
                player.host(["lab", "untap", segment])
    finally:
        for server in servers:
            server.kill()
            server.communicate()
        for netns in (inside, outside):
            subprocess.run(["ip", "netns", "del", netns], check=False)
