"""dhcp.client served by Kea, which runs in a namespace behind a TAP."""

from __future__ import annotations

import json
import re

import pytest

from tests.interop.dhcpservers import end, find, lease, served, wait_until_gone, why_not

KEA = find("kea-dhcp4")
WHY_NOT = why_not(KEA, "kea-dhcp4-server")
pytestmark = [
    pytest.mark.interop,
    pytest.mark.processes,
    pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT or "all there"),
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


@pytest.fixture
def lab(tmp_path):
    conf = tmp_path / "kea.json"
    conf.write_text(json.dumps(_conf(tmp_path)))
    places = dict.fromkeys(("KEA_PIDFILE_DIR", "KEA_LOCKFILE_DIR"), str(tmp_path))
    argv = [str(KEA), "-c", str(conf)]
    with served(tmp_path, argv, "DHCP4_STARTED", "10.77.5.1/24", **places) as made:
        yield made


def test_lease_renewal_and_release(lab):
    player, peer, environ = lab
    addr = lease(player, environ, "10.77.5")
    assert player("BoxA", "cat /etc/resolv.conf")[0].startswith(
        "domain kea.example\nnameserver 10.77.5.1\nnameserver 10.77.5.2\n"
    )
    # T1 is five seconds after the first.
    peer.wait_for(rf"DHCP4_LEASE_ALLOC .* lease {re.escape(addr)} ", 2)
    end(player, addr)
    peer.wait_for(rf"DHCP4_RELEASE .*{re.escape(addr)}")
    wait_until_gone(player)
