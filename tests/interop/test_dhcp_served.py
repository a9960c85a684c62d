"""Real DHCP clients, in a namespace behind a TAP, served by our dhcpd, directly and through dhcrelay."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time

import pytest

from libnet.lab.play import Player

PATH = "/usr/sbin:/sbin:/usr/local/sbin:/usr/bin:/bin"
DHCLIENT = shutil.which("dhclient", path=PATH)
WAIT_S = 30.0


def _busybox() -> str:
    found = shutil.which("busybox", path=PATH)
    if found is None:
        return ""
    listed = subprocess.run([found, "--list"], capture_output=True, text=True, check=False)
    return found if "udhcpc" in listed.stdout.split() else ""


BUSYBOX = _busybox()


def _why_not() -> str:
    if os.geteuid() != 0:
        return "needs root: a network namespace and a TAP"
    if not os.path.exists("/dev/net/tun"):
        return "needs /dev/net/tun"
    return "" if shutil.which("ip") else "needs iproute2"


pytestmark = [
    pytest.mark.interop,
    pytest.mark.processes,
    pytest.mark.skipif(bool(_why_not()), reason=_why_not() or "all there"),
]
needs_dhclient = pytest.mark.skipif(DHCLIENT is None, reason="needs isc-dhcp-client")
needs_udhcpc = pytest.mark.skipif(not BUSYBOX, reason="needs busybox with udhcpc")

CONF = """\
authoritative;
ddns-update-style none;
ping-check off;
default-lease-time 8;
min-lease-time 4;
max-lease-time 8;
option domain-name "lab.example";
option domain-name-servers 10.77.3.1, 10.77.3.2;
subnet 10.77.3.0 netmask 255.255.255.0 {
  range 10.77.3.100 10.77.3.109;
  option routers 10.77.3.1;
}
subnet 10.77.4.0 netmask 255.255.255.0 { }
"""
# What a client wants done: noted, and address and route set: without them nothing is renewed by unicast.
SCRIPT = """\
#!/bin/sh
echo "$reason $new_ip_address $new_subnet_mask $new_routers $new_domain_name" \\
  "$new_domain_name_servers" >>{notes}
case $reason in
PREINIT) ip link set dev $interface up ;;
BOUND|RENEW|REBIND|REBOOT) ip addr replace $new_ip_address/24 dev $interface
  ip route replace default via $new_routers ;;
EXPIRE|RELEASE|FAIL|STOP) ip addr flush dev $interface ;;
esac
"""
UDHCPC_SCRIPT = """\
#!/bin/sh
echo "$1 $ip $subnet $router $domain $dns" >>{notes}
case $1 in
bound|renew) ip addr replace $ip/24 dev $interface
  ip route replace default via $router ;;
deconfig) ip addr flush dev $interface; ip link set dev $interface up ;;
esac
"""
GIVEN = r"10\.77\.3\.10\d"


class Lab:
    """Boxes, and a namespace with tap0 on their segment lan0."""

    def __init__(self, player, directory):
        self.player, self.directory = player, directory
        self.netns = f"iopkt-c{os.getpid()}"
        self.notes = directory / "notes"
        self._procs: list[subprocess.Popen[bytes]] = []
        subprocess.run(["ip", "netns", "add", self.netns], check=True)

    def inside(self, argv, **kw):
        """Run a program in the namespace."""
        argv = ["ip", "netns", "exec", self.netns, *argv]
        return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=60, **kw)

    def start(self, argv):
        """Start a program in the namespace; its output goes to out."""
        with (self.directory / "out").open("ab") as out:
            argv = ["ip", "netns", "exec", self.netns, *argv]
            self._procs.append(subprocess.Popen(argv, stdout=out, stderr=out))
        return self._procs[-1]

    def script(self, text):
        """Write a client's script; return its path."""
        path = self.directory / "script"
        path.write_text(text.format(notes=self.notes))
        path.chmod(0o755)
        return str(path)

    def box(self, name, command):
        """Run a command that is to succeed in a box."""
        out, status = self.player(name, command)
        assert status == 0, (command, out)
        return out

    def serve(self, name, ifname="wm0", conf=CONF):
        """Start dhcpd in a box."""
        self.box(
            name,
            f"mkdir -p /var/state/dhcp /var/run && : >/var/state/dhcp/dhcpd.leases && "
            f"cat >/etc/dhcpd.conf <<'END'\n{conf}END\ndhcpd -q {ifname}",
        )

    def log(self, name):
        """Return what dhcpd has logged in a box."""
        return re.findall(r"dhcpd: (.*)", self.player(name, "sloginfo")[0])

    def wait(self, what, test):
        """Let time pass until *test* holds; return what it came to."""
        deadline = time.monotonic() + WAIT_S
        while not (found := test()):
            said = (self.directory / "out").read_text() if self._procs else ""
            assert time.monotonic() < deadline, (what, said, self.noted())
            subprocess.run(["sleep", "0.1"], check=True)
        return found

    def noted(self):
        """Return the lines of the client's script."""
        return self.notes.read_text().splitlines() if self.notes.exists() else []

    def wait_noted(self, pattern, count=1):
        """Wait until the client's script has said *pattern* so often; return the last such line."""

        def lines():
            found = [line for line in self.noted() if re.match(pattern, line)]
            return found if len(found) >= count else []

        return self.wait(pattern, lines)[-1]

    def wait_logged(self, name, pattern):
        """Wait until dhcpd in a box has logged *pattern*; return the line."""
        return self.wait(
            pattern, lambda: [line for line in self.log(name) if re.fullmatch(pattern, line)]
        )[0]

    def close(self):
        """End the programs and remove the namespace."""
        for proc in self._procs:
            proc.kill()
            proc.wait(10)
        self.player.host(["lab", "untap", "lan0"])
        subprocess.run(["ip", "netns", "del", self.netns], check=False)


@pytest.fixture
def bare(tmp_path):
    with Player(os.environ, str(tmp_path / "w")) as player:
        lab = Lab(player, tmp_path)
        try:
            yield lab
        finally:
            lab.close()


def _tap(lab):
    out, status = lab.player.host(["lab", "tap", "lan0", "--netns", lab.netns, "--ifname", "tap0"])
    assert status == 0, out
    lab.inside(["ip", "link", "set", "lo", "up"])


@pytest.fixture
def direct(bare):
    """The box S serves the wire that the namespace is on."""
    bare.player.add_box("S", ["i82544:lan0"])
    bare.box("S", "io-pkt-v4-hc -d i82544 && ifconfig wm0 10.77.3.1/24")
    _tap(bare)
    bare.serve("S")
    return bare


@pytest.fixture
def relayed(bare):
    """The box R stands between the namespace and the box S, which serves."""
    bare.player.add_box("S", ["i82544:lan1"])
    bare.player.add_box("R", ["i82544:lan0", "i82544:lan1"])
    bare.box("S", "io-pkt-v4-hc -d i82544 && ifconfig wm0 10.77.4.2/24")
    bare.box("S", "route add default 10.77.4.1")
    bare.box(
        "R", "io-pkt-v4-hc -d i82544 && ifconfig wm0 10.77.3.1/24 && ifconfig wm1 10.77.4.1/24"
    )
    bare.box("R", "sysctl -w net.inet.ip.forwarding=1")
    _tap(bare)
    bare.serve("S")
    bare.box("R", "dhcrelay -q -a -i wm0 -i wm1 10.77.4.2")
    bare.inside(["ip", "link", "set", "tap0", "up"])
    return bare


def _dhclient(lab, *words):
    """Return the command of a dhclient that touches nothing of the machine's."""
    files = lab.directory
    (files / "dhclient.conf").write_text('send host-name "station"; timeout 20;\n')
    argv = [str(DHCLIENT), "-4", "-v", *words, "-sf", lab.script(SCRIPT)]
    argv += ["-lf", str(files / "dhclient.leases"), "-pf", str(files / "dhclient.pid")]
    return [*argv, "-cf", str(files / "dhclient.conf"), "tap0"]


def _bound_line(first):
    return rf"{first} {GIVEN} 255\.255\.255\.0 10\.77\.3\.1 lab\.example 10\.77\.3\.1 10\.77\.3\.2$"


def _dhclient_lives(lab):
    """Take a lease, renew it, give it back; return the address."""
    proc = lab.start(_dhclient(lab, "-d", "-1"))
    addr = lab.wait_noted(_bound_line("BOUND")).split()[1]
    known = rf"{re.escape(addr)} to [0-9a-f:]{{17}} \(station\) via .*"
    lab.wait_logged("S", f"DHCPACK on {known}")
    lab.wait_noted(_bound_line("RENEW"))
    renewed = rf"DHCPREQUEST for {re.escape(addr)} from [0-9a-f:]{{17}} \(station\) via .*"
    lab.wait_logged("S", renewed)
    lab.inside(_dhclient(lab, "-r"))
    proc.wait(WAIT_S)
    gone = rf"DHCPRELEASE of {re.escape(addr)} from [0-9a-f:]{{17}} \(station\) via .* \(found\)"
    lab.wait_logged("S", gone)
    return addr


@needs_dhclient
def test_dhclient_lives_on_our_dhcpd(direct):
    addr = _dhclient_lives(direct)
    direct.wait("free", lambda: _last_state(direct, addr) == "free")


def _last_state(lab, addr):
    text = lab.box("S", "cat /var/state/dhcp/dhcpd.leases")
    entries = re.findall(rf"lease {re.escape(addr)} {{(.*?)\n}}", text, re.DOTALL)
    return re.search(r"\n  binding state (\w+);", entries[-1]).group(1)


@needs_dhclient
def test_dhclient_lives_on_our_dhcpd_behind_our_dhcrelay(relayed):
    addr = _dhclient_lives(relayed)
    log = relayed.log("S")
    assert any(
        re.fullmatch(rf"DHCPACK on {re.escape(addr)} .* via 10\.77\.3\.1", line) for line in log
    )
    text = relayed.box("S", "cat /var/state/dhcp/dhcpd.leases")
    assert 'option agent.circuit-id "wm0";' in text


def _udhcpc_lives(lab):
    argv = [BUSYBOX, "udhcpc", "-f", "-i", "tap0", "-s", lab.script(UDHCPC_SCRIPT)]
    proc = lab.start([*argv, "-t", "10", "-T", "2", "-R", "-x", "hostname:box"])
    line = rf"bound {GIVEN} 255\.255\.255\.0 10\.77\.3\.1 lab\.example 10\.77\.3\.1 10\.77\.3\.2$"
    addr = lab.wait_noted(line).split()[1]
    lab.wait_noted(f"renew {re.escape(addr)} ")
    proc.send_signal(signal.SIGTERM)  # -R: and gives the lease back
    proc.wait(WAIT_S)
    gone = rf"DHCPRELEASE of {re.escape(addr)} from [0-9a-f:]{{17}} \(box\) via .* \(found\)"
    lab.wait_logged("S", gone)


@needs_udhcpc
def test_udhcpc_lives_on_our_dhcpd(direct):
    _udhcpc_lives(direct)


@needs_udhcpc
def test_udhcpc_lives_on_our_dhcpd_behind_our_dhcrelay(relayed):
    _udhcpc_lives(relayed)


@needs_dhclient
def test_a_client_that_comes_from_another_network_is_sent_back(direct):
    leases = direct.directory / "dhclient.leases"
    leases.write_text(
        'lease {\n  interface "tap0";\n  fixed-address 192.168.9.9;\n'
        "  option subnet-mask 255.255.255.0;\n  option dhcp-lease-time 100000;\n"
        "  option dhcp-message-type 5;\n  option dhcp-server-identifier 192.168.9.1;\n"
        "  renew 4 2099/01/01 00:00:00;\n  rebind 4 2099/01/01 00:00:00;\n"
        "  expire 4 2099/01/01 00:00:00;\n}\n"
    )
    direct.start(_dhclient(direct, "-d", "-1"))
    direct.wait_logged("S", r"DHCPREQUEST for 192\.168\.9\.9 .*: wrong network\.")
    direct.wait_logged("S", r"DHCPNAK on 192\.168\.9\.9 to [0-9a-f:]{17} via wm0")
    direct.wait_noted(_bound_line("BOUND"))


@needs_dhclient
def test_a_host_declaration_gives_its_address(bare):
    bare.player.add_box("S", ["i82544:lan0"])
    bare.box("S", "io-pkt-v4-hc -d i82544 && ifconfig wm0 10.77.3.1/24")
    _tap(bare)
    mac = re.search(r"link/ether (\S+)", bare.inside(["ip", "link", "show", "tap0"]).stdout).group(
        1
    )
    host = f"""host toaster {{ hardware ethernet {mac}; fixed-address 10.77.3.40;
      option host-name "toast"; filename "boot.ifs"; }}\n"""
    bare.serve("S", conf=CONF + host)
    bare.start(_dhclient(bare, "-d", "-1"))
    bare.wait_noted(r"BOUND 10\.77\.3\.40 ")
    text = (bare.directory / "dhclient.leases").read_text()
    assert 'filename "boot.ifs";' in text
    assert 'option host-name "toast";' in text


@needs_dhclient
def test_an_address_that_answers_is_not_offered(bare):
    bare.player.add_box("S", ["i82544:lan0"])
    bare.player.add_box("Squatter", ["i82544:lan0"])
    bare.box("S", "io-pkt-v4-hc -d i82544 && ifconfig wm0 10.77.3.1/24")
    bare.box("Squatter", "io-pkt-v4-hc -d i82544 && ifconfig wm0 10.77.3.100/24")
    _tap(bare)
    bare.serve("S", conf=CONF.replace("ping-check off;", "ping-check on;"))
    bare.start(_dhclient(bare, "-d", "-1"))
    bare.wait_noted(r"BOUND 10\.77\.3\.101 ")
    bare.wait_logged("S", r"Abandoning IP address 10\.77\.3\.100: pinged before offer")
