"""Wireless drivers as a person meets them: what loads, what is refused, what the tools show."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libnet.conf.options import BadOption
from libnet.drivers.table import ROWS
from libnet.drivers.wlan import parse_radio_options
from libnet.lab.memory import World

RADIOS = [row for row in ROWS if row.modes]
ABC = next(row for row in RADIOS if row.driver == "abc")


@pytest.fixture
def world():
    with World(seed=1) as made:
        yield made


def join(world, *, driver="abc", nic=None):
    """Return an access point and a station of its network."""
    ap = world.box("AP", nic=nic)
    station = world.box("S", nic=nic)
    for box in (ap, station):
        assert box.sh(f"io-pkt-v4-hc -d {driver}").status == 0
    ap.sh(f"ifconfig {driver}0 ssid net mediaopt hostap 10.0.0.1/24 up")
    station.sh(f"ifconfig {driver}0 ssid net 10.0.0.2/24 up")
    world.run_until(lambda: "status: active" in station.sh(f"ifconfig {driver}0").out, 60)
    return ap, station


@pytest.mark.parametrize("load", ["-d abc", "-dabc", "-d /lib/dll/devnp-abc.so"])
def test_the_driver_gives_abc0(world, load):
    box = world.box("A")
    assert box.sh(f"io-pkt-v4-hc {load}").status == 0
    first = box.sh("ifconfig abc0").out.splitlines()[0]
    assert first == "abc0: flags=8802<BROADCAST,SIMPLEX,MULTICAST> mtu 1500"


@pytest.mark.parametrize("row", RADIOS, ids=lambda row: row.driver)
def test_every_row_loads_and_offers_what_its_hardware_can(world, row):
    box = world.box("A")
    assert box.sh(f"io-pkt-v4-hc -d {row.driver}").status == 0
    media = box.sh(f"ifconfig -m {row.driver}0").out
    assert ("hostap" in media) == row.hostap
    assert ("adhoc" in media) == row.ibss
    assert [mode in media for mode in ("11a", "11b", "11g")] == [
        mode in row.modes for mode in ("11a", "11b", "11g")
    ]
    result = box.sh(f"ifconfig {row.driver}0 mediaopt hostap")
    assert (result.status == 0) == row.hostap
    if not row.hostap:
        assert result.err.rstrip().endswith("Invalid argument")


def test_a_stack_without_802_11_misses_its_symbols(world):
    box = world.box("A")
    box.sh("io-pkt-v4 -d abc")
    assert box.sh("ifconfig abc0").status == 1
    text = "\n".join(box.slog.texts)
    for symbol in ("ieee80211_ifattach", "ieee80211_input"):
        assert f"unknown symbol: {symbol} referenced from devnp-abc.so" in text
    assert "ldd:FATAL: Unresolved symbols in devnp-abc.so" in text


@pytest.mark.parametrize("stack", ["io-pkt-v4-hc", "io-pkt-v6-hc"])
def test_a_radio_and_a_wire_side_by_side(world, stack):
    box = world.box("A")
    assert box.sh(f"{stack} -d abc -d xyz").status == 0
    assert box.sh("ifconfig -l").out.split() == ["lo0", "abc0", "xyz0"]


def test_an_undescribed_box_has_a_radio_for_each_load(world):
    box = world.box("A")
    box.sh("io-pkt-v4-hc -d abc -d abc -d rum")
    assert box.sh("ifconfig -l").out.split() == ["lo0", "abc0", "abc1", "rum0"]
    assert {port.label for port in world.air("air0").ports} == {"A.abc0", "A.abc1", "A.rum0"}
    addresses = {nic.mac for nic in box.nics}
    assert len(addresses) == 3


def test_a_described_box_has_the_radios_it_was_given(world):
    box = world.box("A", nic=["abc:attic", "i82544:lan0"])
    box.sh("io-pkt-v4-hc -d abc -d i82544")
    assert [port.label for port in world.air("attic").ports] == ["A.abc0"]
    box.sh("mount -T io-pkt devnp-abc.so")
    assert "devnp-abc: no device found" in "\n".join(box.slog.texts)


def test_options_name_an_address_a_unit_and_an_air(world):
    box = world.box("A")
    box.sh("io-pkt-v4-hc -d abc mac=020000000007,unit=5,wire=cellar")
    assert "address: 02:00:00:00:00:07" in box.sh("ifconfig abc5").out
    assert [port.label for port in world.air("cellar").ports] == ["A.abc5"]


@pytest.mark.parametrize("option", ["speed=100", "duplex=1", "pauseignore", "colour=1", "mac=1"])
def test_options_that_a_radio_has_not_are_refused(world, option):
    box = world.box("A")
    box.sh(f"io-pkt-v4-hc -d abc {option}")
    assert box.sh("ifconfig abc0").status == 1
    assert f"devnp-abc: {'unknown option' if 'mac' not in option else 'option mac'}" in "\n".join(
        box.slog.texts
    )


@given(st.text(max_size=60))
def test_any_option_string_is_read_or_refused(text):
    try:
        conf = parse_radio_options(text, ABC)
    except BadOption:
        return
    assert conf.speed is None


def test_a_station_reaches_its_access_point(world):
    _ap, station = join(world)
    result = station.sh("ping -c 3 10.0.0.1")
    assert "3 packets received" in result.out


def test_distance_ends_a_network_and_nearness_makes_it_anew(world):
    _ap, station = join(world)
    world.air("air0").place("S.abc0", 5000, 0)
    assert "0 packets received" in station.sh("ping -c 2 10.0.0.1").out
    world.run(60)
    assert "status: no network" in station.sh("ifconfig abc0").out
    world.air("air0").place("S.abc0", 10, 0)
    world.run(60)
    assert "3 packets received" in station.sh("ping -c 3 10.0.0.1").out


def test_another_air_is_another_world(world):
    ap = world.box("AP", nic="abc:air0")
    station = world.box("S", nic="abc:air1")
    for box in (ap, station):
        box.sh("io-pkt-v4-hc -d abc")
    ap.sh("ifconfig abc0 ssid net mediaopt hostap up")
    station.sh("ifconfig abc0 ssid net up")
    world.run(30)
    assert "status: no network" in station.sh("ifconfig abc0").out


def test_nicinfo_tells_of_a_native_radio_and_its_counters(world):
    _ap, station = join(world)
    station.sh("ping -c 3 10.0.0.1")
    text = station.sh("nicinfo abc0").out
    assert "ABC 802.11a/b/g Wireless Adapter" in text
    assert "Link is up" in text
    sent = next(line for line in text.splitlines() if "Packets Transmitted OK" in line)
    assert int(sent.split()[-1]) >= 4


def test_nicinfo_does_not_reach_a_ported_driver(world):
    box = world.box("A")
    box.sh("io-pkt-v4-hc -d rum")
    result = box.sh("nicinfo rum0")
    assert result.status == 1
    assert result.err.startswith("nicinfo: rum0: ")


def test_pci_and_pidin_show_it(world):
    box = world.box("A", nic="ath")
    box.sh("io-pkt-v4-hc -d ath")
    assert "Device ID      = 13h, Atheros AR5212" in box.sh("pci").out
    assert "Class          = Network (Unknown)" in box.sh("pci").out
    assert "devnp-ath.so" in box.sh("pidin -p io-pkt-v4-hc mem").out


def test_a_destroyed_interface_lets_the_radio_go(world):
    _ap, station = join(world)
    assert station.sh("ifconfig abc0 destroy").status == 0
    assert [port.label for port in world.air("air0").ports] == ["AP.abc0"]
    assert "devnp-abc.so: unloaded" in station.slog.texts
    assert station.sh("mount -T io-pkt devnp-abc.so").status == 0
    assert station.sh("ifconfig abc0").status == 0


def test_a_power_cut_silences_the_radio(world):
    ap, station = join(world)
    ap.power_cut()
    assert [port.label for port in world.air("air0").ports] == ["S.abc0"]
    assert "0 packets received" in station.sh("ping -c 2 10.0.0.1").out


def test_the_end_of_a_stack_gives_the_antenna_back(world):
    ap, _station = join(world)
    ap.stop_stack()
    assert [port.label for port in world.air("air0").ports] == ["S.abc0"]
