"""dhcp.client served by Kea, which runs in a namespace behind a TAP."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time

import pytest

from libnet.lab.play import Player

KEA = shutil.which("kea-dhcp4", path="/usr/sbin:/sbin:/usr/local/sbin:/usr/bin")
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
    if KEA is None or shutil.which("ip") is None:
        return "needs kea-dhcp4-server and iproute2"
    return ""


pytestmark = [
    pytest.mark.interop,
    pytest.mark.processes,
    pytest.mark.skipif(bool(_why_not()), reason=_why_not() or "all there"),
]


def _conf(directory):
    data = {"domain-name": "kea.example", "domain-name-servers": "10.77.5.1, 10.77.5.2"}
    subnet = {
        "id": 1,
        "subnet": "10.77.5.0/24",
        "pools": [{"pool": "10.77.5.100 - 10.77.5.109"}],
        "option-data": [{"name": "routers", "data": "10.77.5.1"}],
    }
    log = {"name": "kea-dhcp4", "severity": "INFO", "output_options": [{"output": "stdout"}]}
    leases = str(directory / "kea.csv")
    return {
        "Dhcp4": {
            "interfaces-config": {"interfaces": ["tap0"], "dhcp-socket-type": "raw"},
            "lease-database": {"type": "memfile", "name": leases, "lfc-interval": 0},
            "valid-lifetime": 12,
            "renew-timer": 5,
            "rebind-timer": 9,
            "authoritative": True,
            "option-data": [{"name": name, "data": value} for name, value in data.items()],
            "subnet4": [subnet],
            "loggers": [log],
        }
    }


class Peer:
    """Kea on tap0 of a namespace; log() is what it has printed."""

    def __init__(self, netns, directory):
        self._log = directory / "kea.log"
        conf = directory / "kea.json"
        conf.write_text(json.dumps(_conf(directory)))
        places = dict.fromkeys(("KEA_PIDFILE_DIR", "KEA_LOCKFILE_DIR"), str(directory))
        argv = ["ip", "netns", "exec", netns, str(KEA), "-c", str(conf)]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                argv, stdout=log, stderr=log, env=dict(os.environ, **places)
            )

    def log(self):
        """Return the log so far."""
        return self._log.read_text()

    def wait_for(self, pattern, count=1):
        """Let time pass until the log matches *pattern* so often."""
        deadline = time.monotonic() + WAIT_S
        while len(re.findall(pattern, self.log())) < count:
            assert self.process.poll() is None, self.log()
            assert time.monotonic() < deadline, (pattern, self.log())
            subprocess.run(["sleep", "0.1"], check=True)


@pytest.fixture
def lab(tmp_path):
    netns = f"iopkt-k{os.getpid()}"
    subprocess.run(["ip", "netns", "add", netns], check=True)
    peer = None
    try:
        with Player(os.environ, str(tmp_path / "w")) as player:
            assert player("BoxA", "io-pkt-v4-hc -d i82544") == ("", 0)
            out, status = player.host(
                ["lab", "tap", "lan0", "--netns", netns, "--ifname", "tap0"]
                + ["--address", "10.77.5.1/24"]
            )
            assert status == 0, out
            peer = Peer(netns, tmp_path)
            peer.wait_for("DHCP4_STARTED")
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
    found = re.search(r"inet (10\.77\.5\.10\d) netmask 0xffffff00 broadcast 10.77.5.255", out)
    assert found, out
    addr = re.escape(found.group(1))
    assert re.search(r"default +10\.77\.5\.1 ", player("BoxA", "netstat -rnf inet")[0])
    assert player("BoxA", "cat /etc/resolv.conf")[0].startswith(
        "domain kea.example\nnameserver 10.77.5.1\nnameserver 10.77.5.2\n"
    )
    peer.wait_for(rf"DHCP4_LEASE_ALLOC .* lease {addr} ", 2)  # T1 is five seconds after the first
    listing = player("BoxA", "sockstat -4n")[0]
    pid = next(line.split()[2] for line in listing.splitlines() if f"{found.group(1)}.68" in line)
    os.kill(int(pid), 15)
    peer.wait_for(rf"DHCP4_RELEASE .*{addr}")
    deadline = time.monotonic() + WAIT_S
    while "inet " in player("BoxA", "ifconfig wm0")[0]:
        assert time.monotonic() < deadline
