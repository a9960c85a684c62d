"""A stack behind a TAP in a namespace, and the Linux kernel on the other side."""

from __future__ import annotations

import os
import re
import shutil
import subprocess

import pytest

from cmds._handover import find_next
from libnet.lab.play import Player

NEEDED = ("ip", "arping")
REAL_TCPDUMP = find_next("tcpdump", os.environ.get("PATH", ""))  # not ours


def _why_not() -> str:
    if os.geteuid() != 0:
        return "needs root: a network namespace and a TAP"
    if not os.path.exists("/dev/net/tun"):
        return "needs /dev/net/tun"
    missing = [name for name in NEEDED if shutil.which(name) is None]
    if REAL_TCPDUMP is None:
        missing.append("tcpdump")
    if not os.path.exists("/usr/bin/ping") and not os.path.exists("/bin/ping"):
        missing.append("iputils ping")
    return f"needs {', '.join(missing)}" if missing else ""


pytestmark = [
    pytest.mark.interop,
    pytest.mark.processes,
    pytest.mark.skipif(bool(_why_not()), reason=_why_not() or "all there"),
]

PING = "/usr/bin/ping" if os.path.exists("/usr/bin/ping") else "/bin/ping"
ARPING = shutil.which("arping") or "arping"


@pytest.fixture
def wired(tmp_path):
    """Yield (player, run in the namespace): BoxA is 10.77.1.2, the kernel 10.77.1.1."""
    netns = f"iopkt-t{os.getpid()}"
    subprocess.run(["ip", "netns", "add", netns], check=True)

    def inside(*argv: str, status: int = 0) -> str:
        got = subprocess.run(
            ["ip", "netns", "exec", netns, *argv],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert got.returncode == status, (argv, got.returncode, got.stdout, got.stderr)
        return got.stdout

    try:
        inside("sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1")
        with Player(os.environ, str(tmp_path / "w")) as player:
            assert player("BoxA", "io-pkt-v4-hc -d i82544") == ("", 0)
            assert player("BoxA", "ifconfig wm0 10.77.1.2/24") == ("", 0)
            out, status = player.host(
                [
                    "lab",
                    "tap",
                    "lan0",
                    "--netns",
                    netns,
                    "--ifname",
                    "tap0",
                    "--address",
                    "10.77.1.1/24",
                ]
            )
            assert status == 0, out
            yield player, inside
            player.host(["lab", "untap", "lan0"])
    finally:
        subprocess.run(["ip", "netns", "del", netns], check=False)


def _received(out: str) -> int:
    got = re.search(r"(\d+) (?:packets )?received", out)
    assert got, out
    return int(got.group(1))


def test_the_kernel_pings_the_stack_and_the_stack_the_kernel(wired, tmp_path):
    player, inside = wired
    pcap = tmp_path / "lan0.pcap"
    out, status = player.host(["lab", "capture", "lan0", "-w", str(pcap), "--background"])
    assert status == 0, out
    assert _received(inside(PING, "-c", "5", "-i", "0.2", "10.77.1.2")) == 5
    assert _received(inside(PING, "-c", "3", "-i", "0.2", "-s", "3000", "10.77.1.2")) == 3
    assert _received(inside(PING, "-f", "-c", "2000", "10.77.1.2")) == 2000
    out, status = player("BoxA", "ping -c 3 -i 0.2 10.77.1.1")
    assert status == 0
    assert "3 packets received" in out
    out, status = player("BoxA", "ping -c 2 -i 0.2 -s 3000 10.77.1.1")
    assert "2 packets received" in out

    mac = re.search(r"address: (\S+)", player("BoxA", "ifconfig wm0")[0])
    assert mac
    assert mac.group(1).upper() in inside(ARPING, "-c", "2", "-I", "tap0", "10.77.1.2").upper()

    out, status = player.host(["lab", "capture", "lan0", "--stop"])
    assert status == 0, out
    text = subprocess.run(
        [REAL_TCPDUMP, "-nnvvr", str(pcap)], capture_output=True, text=True, check=True
    ).stdout
    assert text.count("ICMP echo reply") >= 2008
    assert "bad cksum" not in text
    assert "wrong" not in text


def test_checksum_offload_never_leaves_the_world(wired, tmp_path):
    player, inside = wired
    assert player("BoxA", "ifconfig wm0 ip4csum tcp4csum udp4csum") == ("", 0)
    pcap = tmp_path / "o.pcap"
    player.host(["lab", "capture", "lan0", "-w", str(pcap), "--background"])
    assert _received(inside(PING, "-c", "3", "-i", "0.2", "10.77.1.2")) == 3
    assert _received(inside(PING, "-c", "2", "-i", "0.2", "-s", "4000", "10.77.1.2")) == 2
    player.host(["lab", "capture", "lan0", "--stop"])
    text = subprocess.run(
        [REAL_TCPDUMP, "-nnvvr", str(pcap)], capture_output=True, text=True, check=True
    ).stdout
    assert text.count("ICMP echo reply") >= 5
    assert "bad cksum" not in text
