"""TCP between the Linux kernel and a stack behind a TAP: whole files, both ways, good wires and bad."""

from __future__ import annotations

import hashlib
import os
import pathlib
import random
import shutil
import subprocess
import sys

import pytest

from libnet.lab.play import Player

MB = int(os.environ.get("IOPKT_TEST_MB", "16"))


def _why_not() -> str:
    if os.geteuid() != 0:
        return "needs root: a network namespace and a TAP"
    if not os.path.exists("/dev/net/tun"):
        return "needs /dev/net/tun"
    missing = [name for name in ("ip", "curl") if shutil.which(name) is None]
    return f"needs {', '.join(missing)}" if missing else ""


pytestmark = [
    pytest.mark.interop,
    pytest.mark.processes,
    pytest.mark.timeout(600),
    pytest.mark.skipif(bool(_why_not()), reason=_why_not() or "all there"),
]

FETCH = """
import hashlib, sys, urllib.request
digest = hashlib.sha256()
with urllib.request.urlopen(sys.argv[1], timeout=120) as answer:
    while chunk := answer.read(1 << 18):
        digest.update(chunk)
print(digest.hexdigest())
"""


@pytest.fixture
def wired(tmp_path):
    """Yield (player, netns, directory with the file, its hash); BoxA is 10.77.1.2, the kernel .1."""
    netns = f"iopkt-c{os.getpid()}"
    files = pathlib.Path(tmp_path, "files")
    files.mkdir()
    data = random.Random(1).randbytes(1 << 20) * MB
    (files / "big").write_bytes(data)
    subprocess.run(["ip", "netns", "add", netns], check=True)
    servers: list[subprocess.Popen[bytes]] = []
    try:
        subprocess.run(["ip", "-n", netns, "link", "set", "lo", "up"], check=True)
        with Player(os.environ, str(tmp_path / "w")) as player:
            assert player("BoxA", "io-pkt-v4-hc -d i82544") == ("", 0)
            assert player("BoxA", "ifconfig wm0 10.77.1.2/24") == ("", 0)
            tap = ["lab", "tap", "lan0", "--netns", netns, "--ifname", "tap0"]
            out, status = player.host([*tap, "--address", "10.77.1.1/24"])
            assert status == 0, out
            yield player, netns, files, hashlib.sha256(data).hexdigest(), servers
            for server in servers:
                server.kill()
                server.communicate()
            player.host(["lab", "untap", "lan0"])
    finally:
        subprocess.run(["ip", "netns", "del", netns], check=False)


def _serve(player, files, servers):
    """Start `http.server`, unmodified, in BoxA; return once it listens."""
    command = [
        "box",
        "run",
        "BoxA",
        "--",
        "netpy",
        "-u",
        "-m",
        "http.server",
        "8000",
        "-d",
        str(files),
    ]
    server = subprocess.Popen(
        command, env=player.environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    servers.append(server)
    assert b"Serving HTTP" in server.stdout.readline()


def _curl(netns, url):
    got = subprocess.run(
        ["ip", "netns", "exec", netns, "curl", "-s", "--max-time", "300", url],
        capture_output=True,
        check=True,
    )
    return hashlib.sha256(got.stdout).hexdigest()


def _fetch(player, url):
    out, status = player.host(["box", "run", "BoxA", "--", "netpy", "-c", FETCH, url])
    assert status == 0, out
    return out.strip()


@pytest.mark.parametrize("wrong", ["", "--loss 1 --reorder 2 --seed 5"])
def test_curl_fetches_a_file_from_http_server_in_a_box(wired, wrong):
    player, netns, files, digest, servers = wired
    if wrong:
        assert player.host(["lab", "impair", "lan0", *wrong.split()])[1] == 0
    _serve(player, files, servers)
    assert _curl(netns, "http://10.77.1.2:8000/big") == digest


@pytest.mark.parametrize("wrong", ["", "--loss 1 --reorder 2 --seed 6"])
def test_a_program_in_a_box_fetches_a_file_from_the_kernel(wired, wrong):
    player, netns, files, digest, servers = wired
    if wrong:
        assert player.host(["lab", "impair", "lan0", *wrong.split()])[1] == 0
    argv = ["ip", "netns", "exec", netns, sys.executable, "-u", "-m", "http.server", "8000"]
    server = subprocess.Popen(
        [*argv, "-b", "10.77.1.1", "-d", str(files)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    servers.append(server)
    assert b"Serving HTTP" in server.stdout.readline()
    assert _fetch(player, "http://10.77.1.1:8000/big") == digest


def test_offload_passes_whole_and_arrives_whole(wired):
    player, netns, files, digest, servers = wired
    assert player("BoxA", "ifconfig wm0 ip4csum tcp4csum udp4csum tso4") == ("", 0)
    _serve(player, files, servers)
    assert _curl(netns, "http://10.77.1.2:8000/big") == digest
