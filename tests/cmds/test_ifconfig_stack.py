"""ifconfig, nicinfo and if_up on a real stack, in virtual time."""

from __future__ import annotations

import pytest

from libnet.lab.memory import World

CAPS = """\
\tcapabilities rx=7<IP4CSUM,TCP4CSUM,UDP4CSUM>
\tcapabilities tx=3f<IP4CSUM,TCP4CSUM,UDP4CSUM,TCP6CSUM,UDP6CSUM,TSO4>
"""


@pytest.fixture
def box():
    world = World(seed=7)
    box = world.box("BoxA", nic="i82544:lan0,mac=000c293a41b7")
    assert box.sh("io-pkt-v4-hc -d i82544").status == 0
    return box


def test_before_anything_is_configured(box):
    assert box.sh("ifconfig").out == (
        "lo0: flags=8049<UP,LOOPBACK,RUNNING,MULTICAST> mtu 33192\n"
        "\tinet 127.0.0.1 netmask 0xff000000\n"
        "wm0: flags=8802<BROADCAST,SIMPLEX,MULTICAST> mtu 1500\n"
        f"{CAPS}"
        "\tenabled=0\n"
        "\taddress: 00:0c:29:3a:41:b7\n"
        "\tmedia: Ethernet autoselect\n"
        "\tstatus: no carrier\n"
    )
    assert box.sh("ifconfig -l").out == "lo0 wm0\n"
    assert box.sh("ifconfig -s wm0").status == 1


def test_the_jumbo_session_of_the_guide(box):
    box.sh("ifconfig wm0 ip4csum tcp4csum udp4csum")
    box.sh("ifconfig wm0 mtu 8100")
    box.sh("ifconfig wm0 10.42.110.237")
    got = box.sh("ifconfig wm0")
    assert (got.status, got.out) == (
        0,
        "wm0: flags=8843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST> mtu 8100\n"
        f"{CAPS}"
        "\tenabled rx=7<IP4CSUM,TCP4CSUM,UDP4CSUM>\n"
        "\tenabled tx=7<IP4CSUM,TCP4CSUM,UDP4CSUM>\n"
        "\taddress: 00:0c:29:3a:41:b7\n"
        "\tmedia: Ethernet autoselect (1000baseT full-duplex)\n"
        "\tstatus: active\n"
        "\tinet 10.42.110.237 netmask 0xff000000 broadcast 10.255.255.255\n",
    )


def test_replace_alias_delete(box):
    def inet():
        return [line.strip() for line in box.sh("ifconfig wm0").out.split("\n") if "inet" in line]

    box.sh("ifconfig wm0 10.0.0.1/24")
    box.sh("ifconfig wm0 10.0.0.2/24")
    assert inet() == ["inet 10.0.0.2 netmask 0xffffff00 broadcast 10.0.0.255"]
    box.sh("ifconfig wm0 10.0.1.2 netmask 255.255.255.0 alias")
    assert inet()[1:] == ["inet alias 10.0.1.2 netmask 0xffffff00 broadcast 10.0.1.255"]
    box.sh("ifconfig wm0 10.0.0.2 delete")
    assert inet() == ["inet 10.0.1.2 netmask 0xffffff00 broadcast 10.0.1.255"]
    box.sh("ifconfig wm0 delete")
    assert inet() == []
    got = box.sh("ifconfig wm0 delete")
    assert got.status == 1
    assert got.err == "ifconfig: SIOCDIFADDR: Can't assign requested address\n"


def test_down_drops_the_carrier(box):
    box.sh("ifconfig wm0 10.0.0.1")
    assert "status: active" in box.sh("ifconfig wm0").out
    box.sh("ifconfig wm0 down")
    assert "status: no carrier" in box.sh("ifconfig wm0").out
    assert "  Link is DOWN\n" in box.sh("nicinfo wm0").out


def test_media(box):
    box.sh("ifconfig wm0 up media 100baseTX mediaopt full-duplex")
    assert "\tmedia: Ethernet 100baseTX full-duplex\n" in box.sh("ifconfig wm0").out
    listing = box.sh("ifconfig -m wm0").out
    assert "\tsupported Ethernet media:\n" in listing
    assert "\t\tmedia 100baseTX mediaopt full-duplex\n" in listing
    got = box.sh("ifconfig wm0 media OFDM54")
    assert got.err == "ifconfig: unknown Ethernet media subtype: OFDM54\n"


def test_a_refused_mtu_is_a_warning(box):
    got = box.sh("ifconfig wm0 mtu 100000")
    assert (got.status, got.err) == (0, "ifconfig: SIOCSIFMTU: Invalid argument\n")


def test_clones_and_what_a_wire_does_not_know(box):
    assert box.sh("ifconfig lo1 create 10.9.9.9").status == 0
    assert "\tinet 10.9.9.9 netmask 0xff000000\n" in box.sh("ifconfig lo1").out
    assert box.sh("ifconfig lo1 create").err == "ifconfig: SIOCIFCREATE: File exists\n"
    assert box.sh("ifconfig foo0 create").err == "ifconfig: SIOCIFCREATE: Invalid argument\n"
    assert box.sh("ifconfig lo1 destroy").status == 0
    assert box.sh("ifconfig lo1").status == 1
    got = box.sh("ifconfig wm0 ssid net")
    assert got.status == 0
    assert got.err.startswith("ifconfig: SIOCS80211NWID: ")


def test_if_up_waits_in_the_time_of_the_box(box):
    assert box.sh("if_up -p wm0").status == 0
    assert box.sh("if_up -r 2 wm0").status == 1
    assert box.sh("if_up -l -r 1 wm0").status == 1
    box.sh("ifconfig wm0 10.0.0.1")
    assert box.sh("if_up wm0").status == 0
    assert box.sh("if_up -l wm0").status == 0


def test_nicinfo(box):
    box.sh("ifconfig wm0 10.0.0.1")
    got = box.sh("nicinfo")
    assert got.status == 0
    assert got.out.startswith(
        "wm0: \n"
        "  INTEL PRO/1000 Gigabit (Copper) Ethernet Controller\n"
        "  Link is up\n"
        "\n"
        "  Physical Node ID ........................... 000C29 3A41B7\n"
    )
    assert "  Current Operation Rate ..................... 1000.00 Mb/s full-duplex\n" in got.out
    assert "  Maximum Transmittable data Unit ............ 1514\n" in got.out


def test_a_second_call_after_destroy(box):
    assert box.sh("ifconfig wm0 destroy").status == 0
    got = box.sh("ifconfig wm0")
    assert got.status == 1
    assert got.err == "ifconfig: SIOCGIFFLAGS wm0: No such device or address\n"
