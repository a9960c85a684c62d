"""Real DHCP servers for our client: each in a namespace of its own, behind a TAP on lan0."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import time

from libnet.lab.play import Player

CLIENT = [
    sys.executable,
    "-c",
    "import sys; from cmds.dhcp_client import main; sys.exit(main())",
]
WAIT_S = 20.0


def find(program):
    """Return where a server is, or None."""
    return shutil.which(program, path="/usr/sbin:/sbin:/usr/local/sbin:/usr/bin")


def why_not(server, package):
    """Return why a test cannot run, "" when it can."""
    if os.geteuid() != 0:
        return "needs root: a network namespace and a TAP"
    if not os.path.exists("/dev/net/tun"):
        return "needs /dev/net/tun"
    if server is None or shutil.which("ip") is None:
        return f"needs {package} and iproute2"
    return ""


class Peer:
    """A server on tap0 of a namespace; log() is what it has printed."""

    def __init__(self, netns, argv, log, places):
        self._log = log
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                ["ip", "netns", "exec", netns, *argv],
                stdout=out,
                stderr=out,
                env={**os.environ, **places},
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


@contextlib.contextmanager
def served(directory, argv, started, address, **places):
    """Start a stack in BoxA and a server beside it; yield (Player, Peer, environment of a program)."""
    netns = f"iopkt-d{os.getpid()}"
    world = str(directory / "w")
    subprocess.run(["ip", "netns", "add", netns], check=True)
    peer = None
    try:
        with Player(os.environ, world) as player:
            assert player("BoxA", "io-pkt-v4-hc -d i82544") == ("", 0)
            tap = ["lab", "tap", "lan0", "--netns", netns, "--ifname", "tap0"]
            out, status = player.host([*tap, "--address", address])
            assert status == 0, out
            peer = Peer(netns, argv, directory / "server.log", places)
            peer.wait_for(started)
            environ = dict(os.environ, IOPKT_WORLD=world, IOPKT_BOX="BoxA")
            environ["PYTHONPATH"] = os.pathsep.join(sys.path)
            yield player, peer, environ
    finally:
        if peer is not None:
            peer.process.terminate()
            peer.process.wait(10)
        subprocess.run(["ip", "netns", "del", netns], check=False)


def lease(player, environ, network):
    """Run the client; return the address it got on *network* ("10.77.3") once all is set up."""
    argv = [*CLIENT, "-i", "wm0", "-u", "-T", "15", "-h", "station"]
    got = subprocess.run(argv, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert (got.returncode, got.stdout, got.stderr) == (0, "", "")
    out = player("BoxA", "ifconfig wm0")[0]
    net = re.escape(network)
    found = re.search(rf"inet ({net}\.10\d) netmask 0xffffff00 broadcast {net}\.255", out)
    assert found, out
    assert re.search(rf"default +{net}\.1 ", player("BoxA", "netstat -rnf inet")[0])
    return found.group(1)


def end(player, addr):
    """End the client of *addr* with a SIGTERM."""
    listing = player("BoxA", "sockstat -4n")[0]
    pid = next(line.split()[2] for line in listing.splitlines() if f"{addr}.68" in line)
    os.kill(int(pid), 15)


def wait_until_gone(player):
    """Let time pass until the interface has no address."""
    deadline = time.monotonic() + WAIT_S
    while "inet " in player("BoxA", "ifconfig wm0")[0]:
        assert time.monotonic() < deadline
