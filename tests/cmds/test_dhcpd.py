"""dhcpd on a gateway: what it prints, what it writes, and clients that live on it."""

from __future__ import annotations

import os
import re

import pytest

from libnet.lab.memory import World

CONF = """\
ddns-update-style none;
authoritative;
default-lease-time 600;
subnet 10.9.0.0 netmask 255.255.255.0 {
  range 10.9.0.10 10.9.0.12;
  option routers 10.9.0.1;
  option domain-name "lab.example";
}
"""
BANNER = """\
Internet Systems Consortium DHCP Server V3.0.7
Copyright 2004-2008 Internet Systems Consortium.
All rights reserved.
For info, please visit http://www.isc.org/sw/dhcp/
"""


class Gateway:
    """The box G with a stack, and its files."""

    def __init__(self, world):
        self.world = world
        self.box = world.box("G", nic=["i82544:lan0", "i82544:lan1"])
        self.box.sh("io-pkt-v4-hc -d i82544")
        self.box.sh("ifconfig wm0 10.9.0.1/24")
        self.write("/etc/dhcpd.conf", CONF)
        self.write("/var/state/dhcp/dhcpd.leases", "")

    def path(self, name):
        return self.box.ctx("test").file(name)

    def write(self, name, text):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "w", encoding="latin-1") as file:
            file.write(text)

    def read(self, name="/var/state/dhcp/dhcpd.leases"):
        with open(self.path(name), encoding="latin-1") as file:
            return file.read()

    def serve(self, words="-f -d -q wm0"):
        """Start the server; return its job, its start-up lines being over."""
        job = self.box.spawn(f"dhcpd {words}")
        self.world.run(0.1)
        return job

    def stop(self, job):
        """End the server; return what it logged."""
        job.signal("SIGTERM")
        result = job.result(10)
        assert result.status == 0, result.err
        return result.err

    def log(self):
        """Return the system log's lines, without their heads."""
        return re.findall(r"dhcpd: (.*)", self.box.sh("sloginfo").out)


@pytest.fixture
def world():
    with World(seed=3) as made:
        yield made


@pytest.fixture
def gateway(world):
    return Gateway(world)


def _client(world, name, segment="lan0"):
    box = world.box(name, nic=f"i82544:{segment}")
    box.sh("io-pkt-v4-hc -d i82544")
    return box


def _addr(box):
    found = re.search(r"inet ([0-9.]+) ", box.sh("ifconfig wm0").out)
    return found and found.group(1)


def test_a_client_gets_an_address_and_the_log_tells(world, gateway):
    job = gateway.serve("-f -d wm0")
    client = _client(world, "C")
    assert client.sh("dhcp.client -i wm0 -u -h station") == ("", "", 0)
    assert _addr(client) == "10.9.0.10"
    assert "domain lab.example" in client.sh("cat /etc/resolv.conf").out
    mac = re.search(r"address: (\S+)", client.sh("ifconfig wm0").out).group(1)
    said = gateway.stop(job)
    label = re.search(r"BPF/(wm0/\S+)", said).group(1)
    assert said == BANNER + (
        "Wrote 0 leases to leases file.\n"
        f"Listening on BPF/{label}\n"
        f"Sending on   BPF/{label}\n"
        "Sending on   Socket/fallback/fallback-net\n"
        f"DHCPDISCOVER from {mac} via wm0\n"
        f"DHCPOFFER on 10.9.0.10 to {mac} (station) via wm0\n"
        f"DHCPREQUEST for 10.9.0.10 (10.9.0.1) from {mac} (station) via wm0\n"
        f"DHCPACK on 10.9.0.10 to {mac} (station) via wm0\n"
    )
    assert label.endswith("/10.9.0.0")


def test_the_lease_is_on_the_disk(world, gateway):
    job = gateway.serve()
    client = _client(world, "C")
    client.sh("dhcp.client -i wm0 -u -h station")
    text = gateway.read()
    assert text.count("lease 10.9.0.10 {") == 1
    assert "  binding state active;\n  next binding state free;\n" in text
    assert '  client-hostname "station";\n}\n' in text
    gateway.stop(job)


def test_release_renewal_and_the_next_start(world, gateway):
    job = gateway.serve()
    client = _client(world, "C")
    client.sh("dhcp.client -i wm0 -u -h station")
    world.run(2000)
    assert _addr(client) == "10.9.0.10"
    gateway.stop(job)
    log = "\n".join(gateway.log())
    assert len(re.findall(r"DHCPREQUEST for 10.9.0.10 from \S+ \(station\) via wm0", log)) == 6
    job = gateway.serve()
    world.run(300)
    (running,) = client.jobs.values()
    running.signal("SIGTERM")
    running.result(10)
    world.run(1)
    said = gateway.stop(job)
    assert re.search(r"DHCPRELEASE of 10.9.0.10 from \S+ \(station\) via wm0 \(found\)", said)
    assert gateway.read().rindex("binding state free") > gateway.read().rindex("state active")


def test_in_the_background(world, gateway):
    assert gateway.box.sh("dhcpd -q wm0") == ("", "", 0)
    client = _client(world, "C")
    client.sh("dhcp.client -i wm0 -u")
    assert _addr(client) == "10.9.0.10"
    assert gateway.read("/var/run/dhcpd.pid").strip().isdigit()
    (job,) = gateway.box.jobs.values()
    job.signal("SIGTERM")
    assert job.result(10).status == 0
    assert not os.path.exists(gateway.path("/var/run/dhcpd.pid"))


def test_a_pinged_address_is_not_offered(world, gateway):
    squatter = _client(world, "Q")
    squatter.sh("ifconfig wm0 10.9.0.10/24")
    job = gateway.serve()
    client = _client(world, "C")
    client.sh("dhcp.client -i wm0 -u")
    assert _addr(client) == "10.9.0.11"
    said = gateway.stop(job)
    assert "Abandoning IP address 10.9.0.10: pinged before offer\n" in said
    assert "lease 10.9.0.10 {" in gateway.read()
    assert "binding state abandoned;" in gateway.read()


def test_no_free_leases(world, gateway):
    gateway.write("/etc/dhcpd.conf", CONF.replace("10.9.0.12", "10.9.0.10"))
    job = gateway.serve()
    first, second = _client(world, "C"), _client(world, "D")
    first.sh("dhcp.client -i wm0 -u")
    assert second.sh("dhcp.client -i wm0 -u -T 5").status == 3
    said = gateway.stop(job)
    assert re.search(r"DHCPDISCOVER from \S+ via wm0: network 10.9.0.0: no free leases\n", said)


def test_through_a_relay(world, gateway):
    relay = world.box("R", nic=["i82544:lan0", "i82544:lan2"])
    relay.sh("io-pkt-v4-hc -d i82544")
    relay.sh("ifconfig wm0 10.9.0.2/24")
    relay.sh("ifconfig wm1 10.8.0.1/24")
    relay.sh("sysctl -w net.inet.ip.forwarding=1")
    gateway.box.sh("route add -net 10.8.0.0 10.9.0.2")
    gateway.write(
        "/etc/dhcpd.conf",
        CONF + "subnet 10.8.0.0 netmask 255.255.255.0 { range 10.8.0.50 10.8.0.60; "
        "option routers 10.8.0.1; }\n",
    )
    job = gateway.serve()
    assert relay.sh("dhcrelay -a -q -i wm1 10.9.0.1").status == 0
    client = _client(world, "C", "lan2")
    assert client.sh("dhcp.client -i wm0 -u -T 60").status == 0
    assert _addr(client) == "10.8.0.50"
    said = gateway.stop(job)
    assert re.search(r"DHCPOFFER on 10.8.0.50 to \S+ via 10.8.0.1\n", said)
    assert '  option agent.circuit-id "wm1";\n' in gateway.read()


def test_a_second_server_keeps_its_hands_off_the_file(world, gateway):
    job = gateway.serve()
    inode = os.stat(gateway.path("/var/state/dhcp/dhcpd.leases")).st_ino
    out, err, status = gateway.box.sh("dhcpd -q -f wm0")
    assert (out, status) == ("", 1)
    assert err.startswith("Can't bind to dhcp address: Address already in use\n")
    assert os.stat(gateway.path("/var/state/dhcp/dhcpd.leases")).st_ino == inode
    client = _client(world, "C")
    client.sh("dhcp.client -i wm0 -u")
    assert "lease 10.9.0.10 {" in gateway.read()
    gateway.stop(job)


def test_start_up_errors(gateway):
    def says(words):
        out, err, status = gateway.box.sh(f"dhcpd {words}")
        assert (out, status) == ("", 1)
        assert err.endswith("\n\nexiting.\n")
        return err.removeprefix(BANNER).removesuffix("\n\nexiting.\n")

    assert says("-d -cf nope.conf") == "Can't open nope.conf: No such file or directory"
    assert says("-d -lf /var/nope") == (
        "Can't open lease database /var/nope: No such file or directory --\n"
        "  check for failed database rewrite attempt!\n"
        "Please read the dhcpd.leases manual page if you\n"
        "don't know what to do about this."
    )
    missing = (
        "Wrote 0 leases to leases file.\n\n"
        "No subnet declaration for wm9 (no IPv4 addresses).\n"
        "** Ignoring requests on wm9.  If this is not what\n"
        "   you want, please write a subnet declaration\n"
        "   in your dhcpd.conf file for the network segment\n"
        "   to which interface wm9 is attached. **\n\n\n"
        "Not configured to listen on any interfaces!"
    )
    assert says("-d wm9") == missing
    assert says("-z").startswith("Unknown command -z\nUsage: dhcpd [-p <UDP port #>] [-f] [-d]")
    assert says("-lf").startswith("No argument for command: -lf \nUsage: ")
    assert says("-p 70000") == "70000: not a valid UDP port"
    assert says("-6") == "-6: DHCPv6 is not supported."
    assert says("-tf x") == "-tf: traces are not supported."
    gateway.write("/etc/dhcpd.conf", CONF.replace("10.9.0.12", "10.9.1.12"))
    assert says("-t").endswith(
        "bad range, address 10.9.1.12 not in subnet 10.9.0.0 netmask 255.255.255.0"
    )
    gateway.write("/etc/dhcpd.conf", "max-lease-time 10\nsubnet 10.9.0.0;\n")
    assert says("-t").endswith("Configuration file errors encountered -- exiting")


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("ddns-update-style interim;", "interim: dynamic DNS updates are not supported."),
        ("omapi-port 7911;", "omapi-port: OMAPI is not supported."),
        ('failover peer "x" { primary; address 10.9.0.1; }', "peer x: No failover support."),
        ("allow leasequery;", "allow leasequery: lease queries are not answered."),
    ],
)
def test_what_is_not_supported_is_refused_when_it_is_switched_on(gateway, line, text):
    gateway.write("/etc/dhcpd.conf", line + "\n" + CONF.partition("\n")[2])
    assert gateway.box.sh("dhcpd -q -t").status == 0
    out, err, status = gateway.box.sh("dhcpd -q wm0")
    assert (out, status) == ("", 1)
    assert text in err


def test_the_tests(gateway):
    assert gateway.box.sh("dhcpd -t") == ("", BANNER, 0)
    assert gateway.box.sh("dhcpd -q -t") == ("", "", 0)
    out, err, status = gateway.box.sh("dhcpd -T")
    assert (out, status) == ("", 0)
    assert re.fullmatch(
        "Wrote 0 leases to leases file.\n"
        r"Lease file test successful, removing temp lease file: \S+/dhcpd\.leases\.\d+\n",
        err.removeprefix(BANNER),
    )
    folder = os.path.dirname(gateway.path("/var/state/dhcp/dhcpd.leases"))
    assert sorted(os.listdir(folder)) == ["dhcpd.leases"]
    assert gateway.box.sh("dhcpd --version") == ("", "isc-dhcpd-V3.0.7\n", 0)
    assert gateway.box.sh("dhcpd -h").err.startswith("Usage: dhcpd [-p <UDP port #>]")


def test_an_interface_without_a_subnet_is_left_out(world, gateway):
    gateway.box.sh("ifconfig wm1 10.7.0.1/24")
    job = gateway.serve("-f -d")
    said = gateway.stop(job)
    assert "No subnet declaration for wm1 (10.7.0.1).\n** Ignoring requests on wm1." in said
    assert said.endswith("Sending on   Socket/fallback/fallback-net\n")


def test_the_old_file_stays_beside_the_new_one(world, gateway):
    gateway.write(
        "/var/state/dhcp/dhcpd.leases",
        "lease 10.9.0.11 {\n  starts 0 2014/03/02 00:00:00;\n  ends never;\n  binding state active;\n"
        "  hardware ethernet 02:00:00:00:00:01;\n}\nlease 10.9.0.12 {\n  starts 0 2014",
    )
    old = gateway.read()
    job = gateway.serve()
    said = gateway.stop(job)
    assert "/var/state/dhcp/dhcpd.leases line 8: unexpected end of file\n" in said
    assert gateway.read("/var/state/dhcp/dhcpd.leases~") == old
    new = gateway.read()
    assert "lease 10.9.0.11 {" in new
    assert "  ends never;\n" in new
    assert "10.9.0.12" not in new


def test_another_port(world, gateway):
    job = gateway.serve("-f -d -p 6700 wm0")
    client = _client(world, "C")
    assert client.sh("dhcp.client -i wm0 -u -P 6700 -p 6701").status == 0
    assert _addr(client) == "10.9.0.10"
    assert gateway.stop(job).startswith("binding to user-specified port 6700\n" + BANNER)


def test_an_interface_that_goes_takes_no_other_with_it(world, gateway):
    gateway.box.sh("ifconfig wm1 10.8.0.1/24")
    net = "subnet 10.8.0.0 netmask 255.255.255.0 { range 10.8.0.10 10.8.0.12; }\n"
    gateway.write("/etc/dhcpd.conf", CONF + net)
    job = gateway.serve("-f -d")
    assert gateway.box.sh("ifconfig wm1 destroy").status == 0
    client = _client(world, "C")
    assert client.sh("dhcp.client -i wm0 -u -T 30").status == 0
    said = gateway.stop(job)
    assert "receive_packet failed on wm1: " in said


def test_clients_whose_interfaces_compute_checksums(world, gateway):
    job = gateway.serve()
    gateway.box.sh("ifconfig wm0 ip4csum udp4csum")
    client = _client(world, "C")
    client.sh("ifconfig wm0 ip4csum udp4csum")
    assert client.sh("dhcp.client -i wm0 -u -T 30").status == 0
    world.run(900)
    said = gateway.stop(job)
    assert len(re.findall(r"DHCPACK on 10.9.0.10 to \S+ via wm0", said)) >= 3


def test_addresses_of_the_configuration_may_be_names(world, gateway):
    with open(gateway.path("/etc/hosts"), "a") as file:
        file.write("10.9.0.1 gateway\n10.9.0.255 everybody\n")
    gateway.write(
        "/etc/dhcpd.conf",
        "local-address gateway; limited-broadcast-address everybody; always-broadcast on;\n" + CONF,
    )
    job = gateway.serve()
    client = _client(world, "C")
    assert client.sh("dhcp.client -i wm0 -u -T 30").status == 0
    listing = gateway.box.sh("sockstat -4n").out
    assert "10.9.0.1.67" in listing
    gateway.stop(job)


def test_the_guides_slip_of_the_name(world, gateway):
    job = gateway.box.spawn("dhcpcd -f -d -q -cf /etc/dhcpd.conf wm0")
    world.run(0.1)
    client = _client(world, "C")
    assert client.sh("dhcp.client -i wm0 -u -T 30").status == 0
    assert "DHCPACK on 10.9.0.10" in gateway.stop(job)
