"""Our bridge and a Linux bridge with STP, joined by two TAPs: a loop that both see and one breaks.

And tunnels against the kernel's own, where it has them.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time

import pytest

from libnet.lab.play import Player

PING = "/usr/bin/ping" if os.path.exists("/usr/bin/ping") else "/bin/ping"
# As fast as both allow: 802.1D wants 2 * (fwddelay - 1) >= maxage >= 2 * (hellotime + 1).
FWDDELAY, MAXAGE, HELLOTIME = 4, 6, 1
SETTLE_S = 30.0


def _why_not() -> str:
    if os.geteuid() != 0:
        return "needs root: a network namespace and TAPs"
    if not os.path.exists("/dev/net/tun"):
        return "needs /dev/net/tun"
    if shutil.which("ip") is None:
        return "needs ip"
    return ""


pytestmark = [
    pytest.mark.interop,
    pytest.mark.processes,
    pytest.mark.skipif(bool(_why_not()), reason=_why_not() or "all there"),
]


class Netns:
    """A network namespace and the stack beside it."""

    def __init__(self, name: str, player: Player) -> None:
        self.name, self.player = name, player

    def try_(self, *argv: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["ip", "netns", "exec", self.name, *argv],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def __call__(self, *argv: str) -> str:
        got = self.try_(*argv)
        assert got.returncode == 0, (argv, got.stdout, got.stderr)
        return got.stdout

    def needs(self, *argv: str) -> None:
        got = self.try_(*argv)
        if got.returncode:
            pytest.skip(f"this kernel cannot {' '.join(argv)}: {got.stderr.strip()}")

    def tap(self, segment: str, name: str, *more: str) -> None:
        argv = ["lab", "tap", segment, "--netns", self.name, "--ifname", name, *more]
        out, status = self.player.host(argv)
        assert status == 0, out

    def box(self, line: str, box: str = "S") -> str:
        out, status = self.player(box, line)
        assert status == 0, (line, out)
        return out


@pytest.fixture
def netns(tmp_path):
    name = f"iopkt-b{os.getpid()}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        with Player(os.environ, str(tmp_path / "w")) as player:
            inside = Netns(name, player)
            inside("sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1")
            yield inside
            for segment in ("lan0", "lan1"):
                player.host(["lab", "untap", segment])
    finally:
        subprocess.run(["ip", "netns", "del", name], check=False)


def _stp(netns: Netns, *, linux: int, ours: int) -> None:
    """Join a Linux bridge and ours twice, with these priorities."""
    netns.needs("ip", "link", "add", "br0", "type", "bridge", "stp_state", "1",
                "forward_delay", str(100 * FWDDELAY), "hello_time", str(100 * HELLOTIME),
                "max_age", str(100 * MAXAGE), "priority", str(linux))  # fmt: skip
    netns.player.add_box("S", ["i82544:lan0", "i82544:lan1"])
    netns.box("io-pkt-v4-hc -d i82544")
    netns.box("ifconfig wm0 up")
    netns.box("ifconfig wm1 up")
    netns.box("ifconfig bridge0 create")
    netns.box(
        f"brconfig bridge0 fwddelay {FWDDELAY} maxage {MAXAGE} hellotime {HELLOTIME}"
        f" priority {ours} add wm0 add wm1 stp wm0 stp wm1 up"
    )
    for n in (0, 1):
        netns.tap(f"lan{n}", f"tap{n}")
        netns("ip", "link", "set", f"tap{n}", "master", "br0", "up")
    netns("ip", "link", "set", "br0", "up")


def _linux(netns: Netns, path: str) -> str:
    return netns("cat", f"/sys/class/net/{path}").strip()


def _states(netns: Netns) -> tuple[list[str], list[str]]:
    """Return the states of our ports and of Linux's."""
    ours = re.findall(r"path cost \d+ (\w+)", netns.box("brconfig bridge0"))
    names = {"0": "disabled", "1": "listening", "2": "learning", "3": "forwarding", "4": "blocking"}
    theirs = [names[_linux(netns, f"tap{n}/brport/state")] for n in (0, 1)]
    return ours, theirs


def _settled(netns: Netns) -> tuple[list[str], list[str]]:
    until = time.monotonic() + SETTLE_S
    while time.monotonic() < until:
        ours, theirs = _states(netns)
        if sorted(ours + theirs) == ["blocking"] + ["forwarding"] * 3:
            return ours, theirs
        netns("sleep", "0.5")
    raise AssertionError(_states(netns))


def test_ours_is_the_root_when_it_is_better_and_linux_blocks_one_port(netns):
    _stp(netns, linux=0x8000, ours=0x1000)
    ours, theirs = _settled(netns)
    assert ours == ["forwarding"] * 2
    assert sorted(theirs) == ["blocking", "forwarding"]
    lowest = min(re.search(r"address: (\S+)", netns.box(f"ifconfig wm{n}"))[1] for n in (0, 1))
    assert _linux(netns, "br0/bridge/root_id") == "1000." + lowest.replace(":", "")


def test_linux_is_the_root_when_it_is_better_and_takes_over_when_the_root_dies(netns):
    _stp(netns, linux=0x1000, ours=0x8000)
    ours, theirs = _settled(netns)
    assert sorted(ours) == ["blocking", "forwarding"]
    assert theirs == ["forwarding"] * 2
    root = _linux(netns, "br0/bridge/root_id")
    assert root == _linux(netns, "br0/bridge/bridge_id")
    # Through the tree a host on our side reaches the kernel's bridge.
    netns("ip", "address", "add", "10.66.0.1/24", "dev", "br0")
    netns.box("ifconfig wm0 10.66.0.2/24")
    netns("sleep", "1")
    assert "3 received" in netns(PING, "-c", "3", "-i", "0.3", "-W", "2", "10.66.0.2")
    assert netns.player("S", "ping -c 2 -i 0.3 10.66.0.1")[1] == 0
    # The root falls silent: ours notices within max age.
    netns("ip", "link", "set", "br0", "down")
    netns("sleep", str(MAXAGE + 2 * FWDDELAY + 3))
    assert re.findall(r"path cost \d+ (\w+)", netns.box("brconfig bridge0")) == ["forwarding"] * 2


def _plain(netns: Netns, box: str = "S") -> None:
    netns.player.add_box(box, ["i82544:lan0"])
    netns.box("io-pkt-v4-hc -d i82544", box)
    netns.box("ifconfig wm0 10.67.0.2/24", box)
    netns.tap("lan0", "tap0", "--address", "10.67.0.1/24")


def _both_ping(netns: Netns, addr: str) -> None:
    assert "3 received" in netns(PING, "-c", "3", "-i", "0.2", "-W", "2", f"{addr}.2")
    assert "2 received" in netns(PING, "-c", "2", "-i", "0.2", "-s", "2500", f"{addr}.2")
    assert netns.player("S", f"ping -c 2 -i 0.2 -s 2500 {addr}.1")[1] == 0


@pytest.mark.parametrize("mode", ["gre", "ipip"])
def test_a_tunnel_to_the_kernels_own(netns, mode):
    _plain(netns)
    netns.needs("ip", "tunnel", "add", "k0", "mode", mode, "local", "10.67.0.1",
                "remote", "10.67.0.2", "ttl", "30")  # fmt: skip
    netns("ip", "address", "add", "10.68.0.1", "peer", "10.68.0.2", "dev", "k0")
    netns("ip", "link", "set", "k0", "up")
    stem = "gre" if mode == "gre" else "gif"
    netns.box(f"ifconfig {stem}0 create")
    netns.box(f"ifconfig {stem}0 tunnel 10.67.0.2 10.67.0.1")
    netns.box(f"ifconfig {stem}0 10.68.0.2 10.68.0.1")
    _both_ping(netns, "10.68.0")


def test_a_vlan_with_the_kernels_own(netns):
    _plain(netns)
    netns.needs("ip", "link", "add", "link", "tap0", "name", "v9", "type", "vlan", "id", "9")
    netns("ip", "address", "add", "10.69.0.1/24", "dev", "v9")
    netns("ip", "link", "set", "v9", "up")
    netns.box("ifconfig vlan9 create vlan 9 vlanif wm0 10.69.0.2/24 up")
    _both_ping(netns, "10.69.0")


def test_a_vlan_with_the_kernels_filtering_bridge(netns):
    _plain(netns)
    netns.needs("ip", "link", "add", "br0", "type", "bridge", "vlan_filtering", "1")
    netns.needs("bridge", "vlan", "add", "vid", "9", "dev", "br0", "self", "pvid", "untagged")
    netns("ip", "link", "set", "tap0", "master", "br0")
    netns("bridge", "vlan", "add", "vid", "9", "dev", "tap0")
    netns("ip", "address", "add", "10.69.0.1/24", "dev", "br0")
    netns("ip", "link", "set", "br0", "up")
    netns.box("ifconfig vlan9 create vlan 9 vlanif wm0 10.69.0.2/24 up")
    _both_ping(netns, "10.69.0")
