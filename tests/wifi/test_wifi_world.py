"""Wireless networks as a person sets them up: whole stacks, real commands, one air."""

from __future__ import annotations

import os

import pytest

from libnet.lab.memory import World


@pytest.fixture
def world():
    """Return a world with nothing in it yet."""
    with World(seed=5) as made:
        yield made


def radio(world, name, line="-d abc"):
    """Return a box whose stack runs, with a radio."""
    box = world.box(name)
    assert box.sh(f"io-pkt-v4-hc {line}").status == 0
    return box


def ok(box, *lines):
    """Run *lines*; each must succeed. Return the output of the last."""
    for line in lines:
        got = box.sh(line)
        assert got.status == 0, (line, got)
    return got.out


def reaches(box, address, *, count=3, options=""):
    """Tell whether every ping is answered."""
    return f"{count} packets received" in box.sh(f"ping -q -c {count} {options} {address}").out


def host(world, name="AP", ssid="net", *more, address="10.0.0.1/24", line="-d abc"):
    """Return an access point, up."""
    box = radio(world, name, line)
    ok(box, f'ifconfig abc0 ssid "{ssid}" mediaopt hostap chan 6', *more)
    ok(box, f"ifconfig abc0 {address}" if address else "ifconfig abc0 up")
    return box


def station(world, name, ssid="net", *more, address="10.0.0.2/24"):
    """Return a station that looks for its network."""
    box = radio(world, name)
    ok(box, f'ifconfig abc0 ssid "{ssid}"', *more)
    ok(box, f"ifconfig abc0 {address}" if address else "ifconfig abc0 up")
    return box


def test_an_open_network(world):
    host(world)
    one = station(world, "One")
    other = station(world, "Other", address="10.0.0.3/24")
    world.run(6)
    assert "status: active" in ok(one, "ifconfig abc0")
    assert reaches(one, "10.0.0.1")
    assert reaches(one, "10.0.0.3")
    assert reaches(other, "10.0.0.1")
    assert reaches(other, "10.0.0.1", options="-s 8000")


def test_a_wep_network_and_the_wrong_key(world):
    host(world, "AP", "corporate lan", "ifconfig abc0 nwkey corpseckey456")
    right = station(world, "Right", "corporate lan", "ifconfig abc0 nwkey corpseckey456")
    wrong = station(
        world, "Wrong", "corporate lan", "ifconfig abc0 nwkey corpseckey457", address="10.0.0.3/24"
    )
    world.run(6)
    assert reaches(right, "10.0.0.1")
    assert "status: active" in ok(wrong, "ifconfig abc0")
    assert "100.0% packet loss" in wrong.sh("ping -c 2 10.0.0.1").out
    ok(wrong, "ifconfig abc0 nwkey corpseckey456")
    world.run(6)
    wrong.sh("ping -c 1 10.0.0.1")
    assert reaches(wrong, "10.0.0.1")


def test_shared_key_authentication(world):
    host(world, "AP", "net", "ifconfig abc0 nwkey abcde", "wiconfig abc0 -A 2")
    right = station(world, "Right", "net", "ifconfig abc0 nwkey abcde", "wiconfig abc0 -A 2")
    wrong = station(
        world,
        "Wrong",
        "net",
        "ifconfig abc0 nwkey abcdf",
        "wiconfig abc0 -A 2",
        address="10.0.0.3/24",
    )
    world.run(8)
    assert reaches(right, "10.0.0.1")
    assert "status: no network" in ok(wrong, "ifconfig abc0")


def test_ad_hoc_stations(world):
    one = station(world, "One", "adnet", "ifconfig abc0 mediaopt adhoc", address="10.0.0.1/24")
    world.run(6)
    assert "status: no network" in ok(one, "ifconfig abc0")
    other = station(world, "Other", "adnet", "ifconfig abc0 mediaopt adhoc")
    world.run(6)
    assert "status: active" in ok(one, "ifconfig abc0")
    assert reaches(other, "10.0.0.1")
    ok(other, "ifconfig abc0 down")
    world.run(25)
    assert "status: no network" in ok(one, "ifconfig abc0")
    ok(one, "ifconfig abc0 -mediaopt adhoc")
    assert "adhoc" not in ok(one, "ifconfig abc0")


def test_auto_ip_between_ad_hoc_stations(world):
    boxes = [
        station(world, name, "adnet", "ifconfig abc0 mediaopt adhoc", address="")
        for name in ("One", "Other")
    ]
    for box in boxes:
        ok(box, "mount -Tio-pkt -o if=abc0 lsm-autoip.so")
    world.run(20)
    found = [box.sh("ifconfig abc0").out.split("inet ")[1].split()[0] for box in boxes]
    assert all(address.startswith("169.254.") for address in found)
    assert reaches(boxes[0], found[1])


def bridged(world, name, chan):
    """Return an access point that is a bridge to the wire."""
    box = radio(world, name, "-d abc -d i82544")
    ok(
        box,
        f"ifconfig abc0 ssid net mediaopt hostap chan {chan} up",
        "ifconfig wm0 up",
        "ifconfig bridge0 create",
        "brconfig bridge0 add abc0 add wm0 up",
    )
    return box


def wired(world, name, address):
    """Return a box on the wire."""
    box = world.box(name)
    ok(box, "io-pkt-v4-hc -d i82544", f"ifconfig wm0 {address}")
    return box


def test_a_bridge_between_air_and_wire(world):
    ap = bridged(world, "AP", 6)
    desk = wired(world, "Desk", "10.0.0.1/24")
    sta = station(world, "Sta")
    world.run(6)
    assert reaches(sta, "10.0.0.1")
    assert reaches(desk, "10.0.0.2", options="-s 4000")
    assert "PROMISC" in ok(ap, "ifconfig abc0")
    assert "02:" in ok(ap, "brconfig bridge0").split("Address cache")[1]
    desk_mac = ok(desk, "ifconfig wm0").split("address: ")[1].split()[0]
    assert desk_mac in ok(sta, "arp -an")  # at layer 2


def test_ping_goes_on_while_a_station_moves_from_one_access_point_to_another(world):
    for name, chan, x in (("AP1", 1, 0), ("AP2", 6, 100)):
        bridged(world, name, chan)
        world.air("air0").place(f"{name}.abc0", x, 0)
    desk = wired(world, "Desk", "10.0.0.1/24")
    sta = station(world, "Sta")
    world.air("air0").place("Sta.abc0", 1, 0)
    world.run(6)
    before = ok(sta, "ifconfig abc0").split("bssid ")[1].split()[0]
    assert reaches(desk, "10.0.0.2")
    job = desk.spawn("ping -q -c 64 -i 0.5 10.0.0.2")
    for step in range(60):
        world.air("air0").place("Sta.abc0", 1 + step * 98 / 60, 0)
        world.run(0.5)
    assert ok(sta, "ifconfig abc0").split("bssid ")[1].split()[0] != before
    got = int(job.result(100).out.split("transmitted, ")[1].split()[0])
    assert got >= 60
    assert reaches(sta, "10.0.0.1")


def test_a_lease_and_a_way_out_through_the_access_point(world):
    ap = radio(world, "AP", "-d abc -d i82544")
    wired(world, "Desk", "192.168.1.2/24")
    ok(
        ap,
        'ifconfig abc0 ssid "my lan" nwkey corpseckey456 mediaopt hostap chan 6 up',
        "ifconfig abc0 10.42.0.1/24",
        "ifconfig wm0 192.168.1.1/24",
        "sysctl -w net.inet.ip.forwarding=1",
        "mount -Ttcpip lsm-pf-v4.so",
    )
    ap.write(
        "/etc/dhcpd.conf",
        "ddns-update-style none; option routers 10.42.0.1;\n"
        "subnet 10.42.0.0 netmask 255.255.255.0 { range 10.42.0.41 10.42.0.120; }\n",
    )
    os.makedirs(os.path.dirname(ap.file("/var/state/dhcp/dhcpd.leases")), exist_ok=True)
    ap.write("/var/state/dhcp/dhcpd.leases", "")
    ap.write("/etc/pf.conf", "nat on wm0 from 10.42.0.0/24 to any -> (wm0)\npass all\n")
    ok(ap, "dhcpd -cf /etc/dhcpd.conf abc0", "pfctl -ef /etc/pf.conf")
    sta = station(world, "Sta", "my lan", "ifconfig abc0 nwkey corpseckey456", address="")
    world.run(5)
    ok(sta, "dhcp.client -i abc0")
    world.run(12)
    assert "inet 10.42.0.41 " in ok(sta, "ifconfig abc0")
    assert reaches(sta, "192.168.1.2")


def test_a_hidden_network_is_found_by_who_knows_it(world):
    host(world, "AP", "secret", "ifconfig abc0 hidessid")
    knows = station(world, "Knows", "secret")
    does_not = station(world, "DoesNot", "", address="10.0.0.3/24")
    world.run(8)
    assert reaches(knows, "10.0.0.1")
    assert "status: no network" in ok(does_not, "ifconfig abc0")
    assert "secret" not in ok(does_not, "ifconfig abc0 scan")


def test_a_station_that_saves_power_gets_what_it_should(world):
    ap = host(world)
    sta = station(world, "Sta", "net", "ifconfig abc0 powersave")
    world.run(6)
    assert "powersave on (100ms sleep)" in ok(sta, "ifconfig abc0")
    assert reaches(ap, "10.0.0.2", count=5)
    assert reaches(sta, "10.0.0.1", count=5, options="-s 3000")


def test_a_scan_lists_what_is_in_the_air_and_nothing_is_lost_meanwhile(world):
    host(world)
    five = radio(world, "Five")
    ok(five, "ifconfig abc0 ssid five media OFDM54 mode 11a mediaopt hostap up")
    sta = station(world, "Sta")
    world.run(8)
    job = sta.spawn("ping -q -c 20 -i 0.3 10.0.0.1")
    table = ok(sta, "ifconfig abc0 scan")
    assert [line.split()[0] for line in table.splitlines()[1:]] == ["net", "five"]
    assert "20 packets received" in job.result(60).out


def test_a_monitor_sees_frames_of_others(world):
    host(world)
    spy = radio(world, "Spy")
    ok(spy, "ifconfig abc0 mediaopt monitor chan 6 up")
    sta = station(world, "Sta")
    world.run(6)
    job = spy.spawn("tcpdump -n -y IEEE802_11_RADIO -i abc0 -c 200")
    assert reaches(sta, "10.0.0.1")
    world.run(20)
    seen = job.result(60).out
    for words in ("Beacon (net)", "Acknowledgment", "10.0.0.2 > 10.0.0.1: ICMP echo request"):
        assert words in seen
    assert "100.0% packet loss" in spy.sh("ping -c 1 10.0.0.1").out


def test_an_access_point_that_goes_away_is_noticed_and_found_again(world):
    ap = host(world)
    sta = station(world, "Sta")
    world.run(6)
    assert reaches(sta, "10.0.0.1")
    ok(ap, "ifconfig abc0 down")
    world.run(1)
    assert "status: no network" in ok(sta, "ifconfig abc0")
    ok(ap, "ifconfig abc0 up")
    world.run(12)
    assert reaches(sta, "10.0.0.1")
    ap.power_cut()
    world.run(6)
    assert "status: no network" in ok(sta, "ifconfig abc0")


def test_fragments_over_the_air(world):
    host(world, "AP", "net", "ifconfig abc0 nwkey abcde frag 256")
    sta = station(world, "Sta", "net", "ifconfig abc0 nwkey abcde frag 300")
    world.run(6)
    assert reaches(sta, "10.0.0.1", options="-s 1472")


def test_a_radio_that_cannot_be_an_access_point_says_so(world):
    box = radio(world, "Box", "-d wpi")
    assert "mediaopt hostap" not in ok(box, "ifconfig -m wpi0")
    got = box.sh("ifconfig wpi0 mediaopt hostap")
    assert got.status == 1
    assert "Invalid argument" in got.err
