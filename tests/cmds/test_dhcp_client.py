"""dhcp.client in a box, and a small DHCP server in Python on the same wire."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from libnet.addr import ETHER_BROADCAST, inet_ntoa, inet_pton
from libnet.lab.memory import Box, World
from libnet.wire import dhcp as d
from libnet.wire.arp import ARPOP_REPLY, ARPOP_REQUEST, Arp, arp_build
from libnet.wire.ipv4 import Ipv4, ip_build
from libnet.wire.udp import Udp, udp_build

SERVER = inet_pton("10.0.0.1")
MAC = bytes.fromhex("020000000099")
FIRST = inet_pton("10.0.0.50")


class Server:
    """A DHCP server and neighbour at 10.0.0.1.

    taken    addresses that answer ARP as somebody else's      seen  messages, oldest first
    options  what an ACK says beside type, server and time     mute  answer nothing
    """

    def __init__(self, world: World, seconds: int = 600) -> None:
        self.port = world.segment("lan0").plug("server")
        self.port.receive = self.receive
        self.seconds = seconds
        self.seen: list[tuple[d.Dhcp, int, int]] = []
        self.taken: set[int] = set()
        self.mute = False
        self.given: dict[bytes, int] = {}
        self.options = {
            1: bytes.fromhex("ffffff00"),
            3: SERVER.to_bytes(4, "big"),
            6: d.pack_addrs([SERVER, SERVER + 1]),
            12: b"granted",
            15: b"lab.example",
        }

    def types(self) -> list[int]:
        """Return the types of the messages seen."""
        return [msg.type for msg, _src, _dst in self.seen]

    def receive(self, frames: Sequence[bytes]) -> None:
        """Take frames off the wire."""
        for frame in frames:
            if frame[12:14] == b"\x08\x06":
                self.arp(Arp.parse(frame[14:]))
            elif frame[12:14] == b"\x08\x00":
                ip = Ipv4.parse(frame[14:])
                if ip.p == 17:
                    udp = Udp.parse(ip.payload)
                    if udp.dport == 67:
                        self.dhcp(d.Dhcp.parse(udp.payload), ip.src, ip.dst)

    def arp(self, arp: Arp) -> None:
        """Answer for ourselves and for those who have an address already."""
        wanted = int.from_bytes(arp.tpa, "big")
        if arp.op == ARPOP_REQUEST and (wanted == SERVER or wanted in self.taken):
            reply = arp_build(ARPOP_REPLY, MAC, wanted, arp.sha, int.from_bytes(arp.spa, "big"))
            self.port.send(arp.sha + MAC + b"\x08\x06" + reply)

    def dhcp(self, msg: d.Dhcp, src: int, dst: int) -> None:
        """Answer a message."""
        self.seen.append((msg, src, dst))
        if self.mute or msg.type not in (d.DHCPDISCOVER, d.DHCPREQUEST):
            return
        addr = self.given.setdefault(msg.chaddr, FIRST + len(self.given))
        while addr in self.taken:
            self.given[msg.chaddr] = addr = addr + 1
        wanted = msg.addr(50) or msg.ciaddr
        kind = d.DHCPOFFER if msg.type == d.DHCPDISCOVER else d.DHCPACK
        if kind == d.DHCPACK and wanted != addr:
            kind = d.DHCPNAK
        options = {53: bytes((kind,)), 54: SERVER.to_bytes(4, "big")}
        if kind != d.DHCPNAK:
            options |= {51: self.seconds.to_bytes(4, "big"), **self.options}
        yiaddr = addr if kind != d.DHCPNAK else 0
        octets = msg._replace(op=2, yiaddr=yiaddr, options=options).build()
        to = msg.ciaddr or (0xFFFFFFFF if msg.flags or not yiaddr else yiaddr)
        lladdr = ETHER_BROADCAST if to == 0xFFFFFFFF else msg.chaddr
        udp = udp_build(67, 68, octets, src=SERVER, dst=to)
        packet = ip_build(udp, src=SERVER, dst=to, proto=17)
        self.port.send(lladdr + MAC + b"\x08\x00" + packet)


@pytest.fixture
def world() -> Iterator[World]:
    with World(seed=3) as made:
        yield made


@pytest.fixture
def box(world: World) -> Box:
    made = world.box("A", nic="i82544:lan0")
    assert made.sh("io-pkt-v4-hc -d i82544").status == 0
    return made


def test_lease_is_configured(world: World, box: Box) -> None:
    server = Server(world)
    result = box.sh("dhcp.client -i wm0 -u -h me")
    assert result == ("", "", 0)
    out = box.sh("ifconfig wm0").out
    assert "inet 10.0.0.50 netmask 0xffffff00 broadcast 10.0.0.255" in out
    routes = box.sh("netstat -rn -f inet").out
    assert any(line.split()[:2] == ["default", "10.0.0.1"] for line in routes.splitlines())
    resolv = box.read("/etc/resolv.conf")
    assert resolv.splitlines()[:3] == [
        "domain lab.example",
        "nameserver 10.0.0.1",
        "nameserver 10.0.0.2",
    ]
    assert "lookup file bind" in resolv
    assert box.sh("hostname").out == "me\n"
    assert server.seen[0][0].text(12) == "me"
    assert server.seen[0][1:] == (0, 0xFFFFFFFF)
    assert any("10.0.0.50.68" in line for line in box.sh("sockstat -4n").out.splitlines())


def test_host_name_of_the_server_is_taken_unless_told_otherwise(world: World, box: Box) -> None:
    Server(world)
    assert box.sh("dhcp.client -u -H -n").status == 0
    assert box.sh("hostname").out == "A\n"
    assert "nameserver" not in "".join(
        line for line in box.read("/etc/resolv.conf").splitlines() if not line.startswith("#")
    )
    other = world.box("B", nic="i82544:lan0")
    other.sh("io-pkt-v4-hc -d i82544")
    assert other.sh("dhcp.client -u -r").status == 0
    assert other.sh("hostname").out == "granted\n"
    assert "10.0.0.51" in other.sh("ifconfig wm0").out
    assert "nameserver 10.0.0.1" in other.read("/etc/resolv.conf.0")


def test_without_u_the_program_goes_to_the_background_at_once(world: World, box: Box) -> None:
    Server(world)
    started = world.clock.now
    assert box.sh("dhcp.client -i wm0").status == 0
    assert world.clock.now - started < 1
    assert "inet" not in box.sh("ifconfig wm0").out
    world.run(20)
    assert "inet 10.0.0.50" in box.sh("ifconfig wm0").out


def test_renewal_goes_to_the_server_and_sigterm_gives_the_address_back(
    world: World, box: Box
) -> None:
    server = Server(world)
    box.sh("dhcp.client -i wm0 -u")
    server.seen.clear()
    world.run(320)
    ((msg, src, dst),) = server.seen
    assert (msg.type, msg.ciaddr, src, dst) == (d.DHCPREQUEST, FIRST, FIRST, SERVER)
    (client,) = box.jobs.values()
    client.signal("SIGTERM")
    assert client.result(5).status == 0
    assert server.types()[-1] == d.DHCPRELEASE
    assert "inet" not in box.sh("ifconfig wm0").out
    assert "default" not in box.sh("netstat -rn -f inet").out


def test_address_goes_when_nobody_renews_it(world: World, box: Box) -> None:
    server = Server(world)
    box.sh("dhcp.client -i wm0 -u")
    server.mute = True
    world.run(500)
    assert "inet 10.0.0.50" in box.sh("ifconfig wm0").out
    world.run(120)
    assert "inet" not in box.sh("ifconfig wm0").out
    asked = [dst for msg, _src, dst in server.seen if msg.type == 3 and msg.ciaddr]
    assert asked.count(SERVER) >= 2
    assert asked[-1] == 0xFFFFFFFF


def test_sigpwr_keeps_the_lease_for_the_next_start(world: World, box: Box) -> None:
    server = Server(world)
    box.sh("dhcp.client -i wm0 -u")
    (client,) = box.jobs.values()
    client.signal("SIGPWR")
    assert client.result(5).status == 0
    assert "inet 10.0.0.50" in box.sh("ifconfig wm0").out
    server.seen.clear()
    box.sh("ifconfig wm0 delete")
    assert box.sh("dhcp.client -i wm0 -u").status == 0
    assert server.types() == [d.DHCPREQUEST]
    assert server.seen[0][0].addr(50) == FIRST


def test_address_that_somebody_has_is_declined(world: World, box: Box) -> None:
    server = Server(world)
    server.taken.add(FIRST)
    box.write("/etc/hosts", "10.0.0.1 server\n")

    def late(msg: d.Dhcp, src: int, dst: int) -> None:
        # Offered in good faith: the server learns of the conflict only by the DECLINE.
        if msg.type != d.DHCPDECLINE:
            server.taken.discard(FIRST)
            plain(msg, src, dst)
        else:
            server.seen.append((msg, src, dst))
            server.given[msg.chaddr] = FIRST + 1
        server.taken.add(FIRST)

    plain, server.dhcp = server.dhcp, late  # type: ignore[method-assign]
    assert box.sh("dhcp.client -i wm0 -u -d -s server").status == 0
    assert d.DHCPDECLINE in server.types()
    assert "inet 10.0.0.51" in box.sh("ifconfig wm0").out
    assert "DHCPDECLINE of 10.0.0.50" in box.sh("sloginfo").out


def test_alias_leaves_the_other_address(world: World, box: Box) -> None:
    Server(world)
    box.sh("ifconfig wm0 192.168.1.1/24")
    assert box.sh("dhcp.client -i wm0 -a -u").status == 0
    out = box.sh("ifconfig wm0").out
    assert "192.168.1.1" in out
    assert "10.0.0.50" in out
    (client,) = box.jobs.values()
    client.signal("SIGTERM")
    client.result(5)
    out = box.sh("ifconfig wm0").out
    assert "192.168.1.1" in out
    assert "10.0.0.50" not in out


def test_address_is_replaced(world: World, box: Box) -> None:
    Server(world)
    box.sh("ifconfig wm0 192.168.1.1/24")
    assert box.sh("dhcp.client -i wm0 -u -D my-box -b").status == 0
    assert "192.168.1.1" not in box.sh("ifconfig wm0").out


def test_ident_and_unicast(world: World, box: Box) -> None:
    server = Server(world)
    assert box.sh("dhcp.client -i wm0 -u -D my-box -b").status == 0
    msg = server.seen[0][0]
    assert msg.options[61] == b"\0my-box"
    assert msg.flags == 0


def test_no_interface_and_no_server(world: World, box: Box) -> None:
    started = world.clock.now
    result = box.sh("dhcp.client -i wm7 -I 3 -u")
    assert result.status == 2
    assert "wm7" in result.err
    assert 4 <= world.clock.now - started < 6
    assert box.sh("dhcp.client -i wm0 -u -t 1").status == 3
    assert box.sh("dhcp.client -i wm0 -u -T 5").status == 3
    other = world.box("none", nic="i82544:lan0")
    assert other.sh("dhcp.client -u -I 1").status == 2


@pytest.mark.parametrize(
    "words",
    ["-T x", "-T 0", "-A -1", "-p 0", "-P 65536", "-s nobody", "-k", "-R", "extra", "-h a/b", "-z"],
)
def test_bad_command_lines(box: Box, words: str) -> None:
    result = box.sh(f"dhcp.client -i wm0 {words}")
    assert result.status == 1
    assert result.err
    assert "Traceback" not in result.err


def test_hostile_names_stay_out_of_files(world: World, box: Box) -> None:
    server = Server(world)
    server.options[15] = b"evil\nnameserver 6.6.6.6"
    server.options[12] = b"x;reboot"
    assert box.sh("dhcp.client -i wm0 -u").status == 0
    assert "6.6.6.6" not in box.read("/etc/resolv.conf")
    assert box.sh("hostname").out == "A\n"


def test_cut_lease_file_is_a_new_start(world: World, box: Box) -> None:
    server = Server(world)
    text = f"{inet_ntoa(FIRST)} never\n"
    for size in (0, 5, len(text) - 3):
        box.write("/var/db/dhcp.client.wm0", text[:size])
        server.seen.clear()
        assert box.sh("dhcp.client -i wm0 -u").status == 0
        assert server.types()[0] == d.DHCPDISCOVER
        (client,) = box.jobs.values()
        client.signal("SIGTERM")
        client.result(5)


def test_guides_name_for_the_client(world: World, box: Box) -> None:
    Server(world)
    assert box.sh("dhcpcd -iwm0").status == 0
    world.run(20)
    assert "inet 10.0.0.50" in box.sh("ifconfig wm0").out


def test_guides_name_with_a_configuration_file_is_the_server(box: Box) -> None:
    result = box.sh("dhcpcd -cf /etc/nothing.conf wm0")
    assert result.status == 1
    assert "unknown option" not in result.err
    assert result.err


@pytest.mark.parametrize(
    ("words", "domain", "servers"),
    [
        ("-m", "lab.example", "nameserver_10.0.0.1_nameserver_10.0.0.2"),
        ("-mk", "undefined", "nameserver_10.0.0.1_nameserver_10.0.0.2"),
        ("-mn", "lab.example", "undefined"),
    ],
)
def test_names_in_configuration_strings(
    world: World, box: Box, words: str, domain: str, servers: str
) -> None:
    Server(world)
    before = box.read("/etc/resolv.conf")
    assert box.sh(f"dhcp.client -i wm0 -u {words}") == ("", "", 0)
    assert box.sh("getconf _CS_DOMAIN").out == f"{domain}\n"
    assert box.sh("getconf _CS_RESOLVE").out == f"{servers}\n"
    assert box.read("/etc/resolv.conf") == before


def test_hostile_names_stay_out_of_strings(world: World, box: Box) -> None:
    server = Server(world)
    server.options[15] = b"evil\n_CS_PATH=/tmp"
    assert box.sh("dhcp.client -i wm0 -u -m").status == 0
    assert box.sh("getconf _CS_DOMAIN").out == "undefined\n"


def test_the_box_has_a_script_to_run(world: World, box: Box) -> None:
    Server(world)
    box.sh("mkdir -p /etc/dhcp")
    box.write("/etc/dhcp/dhcp-up", "#!/bin/sh\nhostname up\nifconfig wm0 alias 10.9.9.9/24\n")
    assert box.sh("dhcp.client -i wm0 -u").status == 0
    world.run(1.0)
    assert box.sh("hostname").out == "up\n"
    assert "inet alias 10.9.9.9" in box.sh("ifconfig wm0").out
