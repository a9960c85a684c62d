"""dhcp.client served by ISC dhcpd, which runs in a namespace behind a TAP."""

from __future__ import annotations

import re

import pytest

from tests.interop.dhcpservers import end, find, lease, served, wait_until_gone, why_not

DHCPD = find("dhcpd")
WHY_NOT = why_not(DHCPD, "isc-dhcp-server")
pytestmark = [
    pytest.mark.interop,
    pytest.mark.processes,
    pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT or "all there"),
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


@pytest.fixture
def lab(tmp_path):
    conf, leases = tmp_path / "dhcpd.conf", tmp_path / "dhcpd.leases"
    conf.write_text(CONF)
    leases.write_text("")
    argv = [str(DHCPD), "-4", "-d", "-f", "-cf", str(conf), "-lf", str(leases), "--no-pid", "tap0"]
    started = "Server starting service|Sending on +Socket"
    with served(tmp_path, argv, started, "10.77.3.1/24") as made:
        yield made


def test_lease_renewal_and_release(lab):
    player, peer, environ = lab
    addr = lease(player, environ, "10.77.3")
    assert player("BoxA", "ping -c 1 10.77.3.1")[1] == 0
    # T1 is ten seconds after the first request.
    peer.wait_for(rf"DHCPACK on {re.escape(addr)} .*\(station\)", 2)
    end(player, addr)
    peer.wait_for(rf"DHCPRELEASE of {re.escape(addr)} .*\(found\)")
    wait_until_gone(player)
