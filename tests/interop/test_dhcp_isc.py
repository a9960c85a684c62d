"""dhcp.client served by ISC dhcpd, which runs in a namespace behind a TAP."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time

import pytest

from libnet.lab.play import Player

DHCPD = shutil.which("dhcpd", path="/usr/sbin:/sbin:/usr/local/sbin")
CLIENT = [
    sys.executable,
    "-c",
    "import sys; from cmds.dhcp_client import main; sys.exit(main())",
]
WAIT_S = 20.0


def _why_not() -> str:
    if os.geteuid() != 0:
        return "needs root: a network namespace and a TAP"
    if not os.path.exists("/dev/net/tun"):
        return "needs /dev/net/tun"
    if DHCPD is None or shutil.which("ip") is None:
        return "needs isc-dhcp-server and iproute2"
    return ""


pytestmark = [
    pytest.mark.interop,
    pytest.mark.processes,
    pytest.mark.skipif(bool(_why_not()), reason=_why_not() or "all there"),
]

CONF = """\
authoritative;
ddns-update-style none;
ping-check false;
default-lease-time 20;
max-lease-time 20;
subnet 10.77.3.0 netmask 255.255.255.0 {
  range 10.77.3.100 10.77.3.109;
  option routers 10.77.3.1;
  option domain-name "lab.example";
  option domain-name-servers 10.77.3.1, 10.77.3.2;
}
"""


class Peer:
    """ISC dhcpd on tap0 of a namespace; log() is what it has printed."""

    def __init__(self, netns, directory):
        self._log = directory / "dhcpd.log"
        conf, leases = directory / "dhcpd.conf", directory / "dhcpd.leases"
        conf.write_text(CONF)
        leases.write_text("")
        argv = ["ip", "netns", "exec", netns, str(DHCPD), "-4", "-d", "-f", "-cf", str(conf)]
        argv += ["-lf", str(leases), "--no-pid", "tap0"]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(argv, stdout=log, stderr=log)

    def log(self):
        """Return the log so far."""
        return self._log.read_text()

    def wait_for(self, pattern, count=1):
        """Let time pass until the log matches *pattern* so often."""
        deadline = time.monotonic() + WAIT_S
        event = re.compile(pattern)
        while len(event.findall(self.log())) < count:
            assert self.process.poll() is None, self.log()
            assert time.monotonic() < deadline, (pattern, self.log())
            subprocess.run(["sleep", "0.1"], check=True)


@pytest.fixture
def lab(tmp_path):
    netns = f"iopkt-d{os.getpid()}"
    subprocess.run(["ip", "netns", "add", netns], check=True)
    peer = None
    try:
        with Player(os.environ, str(tmp_path / "w")) as player:
            assert player("BoxA", "io-pkt-v4-hc -d i82544") == ("", 0)
            out, status = player.host(
                ["lab", "tap", "lan0", "--netns", netns, "--ifname", "tap0"]
                + ["--address", "10.77.3.1/24"]
            )
            assert status == 0, out
            peer = Peer(netns, tmp_path)
            peer.wait_for("Server starting service|Sending on +Socket")
            environ = dict(os.environ, IOPKT_WORLD=str(tmp_path / "w"), IOPKT_BOX="BoxA")
            environ["PYTHONPATH"] = os.pathsep.join(sys.path)
            yield player, peer, environ
            player.host(["lab", "untap", "lan0"])
    finally:
        if peer is not None:
            peer.process.terminate()
            peer.process.wait(10)
        subprocess.run(["ip", "netns", "del", netns], check=False)


def test_lease_renewal_and_release(lab):
    player, peer, environ = lab
    argv = [*CLIENT, "-i", "wm0", "-u", "-T", "15", "-h", "station"]
    got = subprocess.run(argv, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert (got.returncode, got.stdout, got.stderr) == (0, "", "")
    out = player("BoxA", "ifconfig wm0")[0]
    found = re.search(r"inet (10\.77\.3\.10\d) netmask 0xffffff00 broadcast 10.77.3.255", out)
    assert found, out
    addr = re.escape(found.group(1))
    assert re.search(r"default +10\.77\.3\.1 ", player("BoxA", "netstat -rnf inet")[0])
    assert player("BoxA", "ping -c 1 10.77.3.1")[1] == 0
    # T1 is ten seconds after the first request.
    peer.wait_for(rf"DHCPACK on {addr} .*\(station\)", 2)
    listing = player("BoxA", "sockstat -4n")[0]
    pid = next(line.split()[2] for line in listing.splitlines() if f"{found.group(1)}.68" in line)
    os.kill(int(pid), 15)
    peer.wait_for(rf"DHCPRELEASE of {addr} .*\(found\)")
    deadline = time.monotonic() + WAIT_S
    while "inet " in player("BoxA", "ifconfig wm0")[0]:
        assert time.monotonic() < deadline
