"""traceroute over three boxes in virtual time, and its complaints."""

from __future__ import annotations

import pytest

from libnet.lab.memory import World

HEAD = "traceroute to {} (10.0.1.2), 64 hops max, 40 byte packets\n"


@pytest.fixture
def box():
    """Box A; behind the router R, which is 10.0.0.254, is B, 10.0.1.2."""
    with World(seed=3) as world:
        a = world.box("A", nic="i82544:l0")
        r = world.box("R", nic=["i82544:l0", "i82544:l1"])
        b = world.box("B", nic="i82544:l1")
        for one in (a, r, b):
            one.sh("io-pkt-v4-hc -d i82544")
        a.sh("ifconfig wm0 10.0.0.1/24; route add default 10.0.0.254")
        r.sh("ifconfig wm0 10.0.0.254/24; ifconfig wm1 10.0.1.254/24")
        r.sh("sysctl -w net.inet.ip.forwarding=1")
        b.sh("ifconfig wm0 10.0.1.2/24; route add default 10.0.1.254")
        a.write("/etc/hosts", "10.0.0.254 gate\n10.0.1.2 far\n")
        yield a


def lines(result):
    return result.out.splitlines()


@pytest.mark.parametrize("option", ["", "-I ", "-x ", "-g 10.0.0.254 ", "-F ", "-s 10.0.0.1 "])
def test_the_router_and_the_host_are_found(box, option):
    result = box.sh(f"traceroute {option}-n 10.0.1.2")
    assert result.status == 0
    assert lines(result) == [
        " 1  10.0.0.254  0.000 ms  0.000 ms  0.000 ms",
        " 2  10.0.1.2  0.000 ms  0.000 ms  0.000 ms",
    ]


def test_names_are_shown_and_the_heading_goes_to_standard_error(box):
    result = box.sh("traceroute -q 1 far")
    assert lines(result) == [" 1  gate (10.0.0.254)  0.000 ms", " 2  far (10.0.1.2)  0.000 ms"]
    assert result.err == HEAD.format("far")


def test_a_silent_host_is_stars_until_the_last_hop(box):
    box.world.box("B").sh("route delete default")  # it hears the probes and cannot answer
    begun = box.world.now
    result = box.sh("traceroute -n -f 2 -m 4 -q 2 -w 2 10.0.1.2")
    assert lines(result) == [f" {hop}  * *" for hop in (2, 3, 4)]
    assert box.world.now - begun == pytest.approx(12.0, abs=0.5)


def test_errors_of_routers_are_marks_and_end_it(box):
    result = box.sh("traceroute -n -l 10.9.9.9")
    assert lines(result) == [
        " 1  10.0.0.254  0.000 ms (ttl = 255)  0.000 ms (ttl = 255)  0.000 ms (ttl = 255)",
        " 2  10.0.0.254  0.000 ms (ttl = 255) !N  0.000 ms (ttl = 255) !N  0.000 ms (ttl = 255) !N",
    ]


def test_the_path_mtu_is_found(box):
    router = box.world.box("R")
    router.sh("ifconfig wm1 mtu 1400")
    result = box.sh("traceroute -n -P -q 1 10.0.1.2")
    assert lines(result) == [
        "message too big, trying new MTU = 1500",
        " 1  10.0.0.254  0.000 ms",
        " 2  10.0.0.254  0.000 ms",
        "fragmentation required and DF set, next hop MTU = 1400",
        " 2  10.0.1.2  0.000 ms",
    ]


def test_first_hop_and_size_are_as_asked(box):
    result = box.sh("traceroute -n -f 2 -q 1 10.0.1.2 100")
    assert lines(result) == [" 2  10.0.1.2  0.000 ms"]
    assert "100 byte packets" in result.err


def test_dumps_show_the_probe(box):
    result = box.sh("traceroute -D -n -q 1 -f 2 -p 4999 10.0.1.2")
    assert "packet data:\n  45 00 00 28 " in result.err
    assert "13 88 00 14" in result.err.replace("\n ", "")  # UDP port 5000
    assert box.sh("traceroute -v -v -n -q 1 -f 2 10.0.1.2").out.startswith(
        "[ 40 bytes\n\t 4500 0028"
    )


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("-f 0 x", "first ttl must be > 0"),
        ("-f x y", '"x" bad value for first ttl '),
        ("-m 256 y", "max ttl must be <= 255"),
        ("-w 1 x", "wait time must be > 1"),
        ("-t -1 x", "tos must be >= 0"),
        ("-f 9 -m 8 x", "first ttl (9) may not be greater than max ttl (8)"),
        ("nohost", "unknown host nohost"),
        ("-g nohost x", "unknown host nohost"),
        ("10.0.1.2 20", "packet length must be > 39"),
        ("10.0.1.2 40000", "packet length must be <= 32768"),
        ("-i wm7 10.0.1.2", "Can't find interface wm7"),
        ("-i wm0 -s 10.0.0.9 10.0.1.2", "10.0.0.9 is not on interface wm0"),
        ("-g 1.1.1.1 " * 9 + "x", "No more than 8 gateways"),
    ],
)
def test_what_is_wrong_is_told(box, line, text):
    assert box.sh(f"traceroute {line}") == ("", f"traceroute: {text}\n", 1)


def test_usage_and_no_stack(box):
    assert box.sh("traceroute").err.startswith("Version 1.4a5\nusage: traceroute [-adDFPIlMnrvx]")
    box.stop_stack()
    result = box.sh("traceroute 10.0.1.2")
    assert result.status == 1
    assert (
        result.err == "traceroute: icmp socket: Address family not supported by protocol family\n"
    )
