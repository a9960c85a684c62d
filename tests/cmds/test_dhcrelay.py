"""dhcrelay on a gateway between a client's wire and a server's."""

from __future__ import annotations

import pytest

from libnet.addr import SockaddrIn, ether_aton, inet_aton
from libnet.lab.memory import World
from libnet.libsocket.pcap import open_live
from libnet.wire.dhcp import Dhcp
from libnet.wire.ipv4 import ip_build
from libnet.wire.udp import udp_build

MAC = ether_aton("02:00:00:0c:01:01")
EVERYBODY = inet_aton("255.255.255.255")
CLIENT = inet_aton("10.42.42.77")


@pytest.fixture
def lab():
    with World(seed=3) as world:
        gateway = world.box("G", nic=["i82544:lan0", "i82544:lan1"])
        gateway.sh("io-pkt-v4-hc -d i82544")
        gateway.sh("ifconfig wm0 10.42.42.1/24")
        gateway.sh("ifconfig wm1 10.77.4.1/24")
        client = world.box("C", nic="i82544:lan0")
        client.sh("io-pkt-v4-hc -d i82544")
        client.sh("ifconfig wm0 up")
        server = world.box("S", nic="i82544:lan1")
        server.sh("io-pkt-v4-hc -d i82544")
        server.sh("ifconfig wm0 10.77.4.2/24")
        server.sh("route add default 10.77.4.1")
        yield world, client, gateway, server


def _message(op, giaddr=0, yiaddr=0, options=None):
    options = options or {53: b"\x01"}
    return Dhcp(op, 1, 6, 0, 99, 0, 0, 0, yiaddr, 0, giaddr, MAC, b"", b"", options).build()


def _exchange(world, client, server):
    """Send a DISCOVER; return what the server got, and the octets of UDP the client got."""
    pcap = open_live(client.ctx("test"), "wm0", immediate=True)
    pcap.setfilter("udp dst port 68")
    sock = server.ctx("test").socket(2, 2)
    sock.bind(SockaddrIn(0, 67))
    world.run(0.1)
    datagram = udp_build(68, 67, _message(1), src=0, dst=EVERYBODY)
    frame = b"\xff" * 6 + MAC + b"\x08\x00" + ip_build(datagram, src=0, dst=EVERYBODY, proto=17)
    pcap.inject(frame)
    world.run(1)
    octets, src = sock.recvfrom()
    request = Dhcp.parse(octets)
    options = {53: b"\x02"}
    if 82 in request.options:
        options[82] = request.options[82]
    sock.sendto(_message(2, request.giaddr, CLIENT, options), SockaddrIn(request.giaddr, 67))
    world.run(1)
    got = []
    pcap.dispatch(-1, got.append, wait=False)
    pcap.close()
    sock.close()
    return request, src, got


def test_a_request_and_its_reply_pass(lab):
    world, client, gateway, server = lab
    assert gateway.sh("dhcrelay -i wm0 10.77.4.2") == ("", "", 0)
    request, src, (packet,) = _exchange(world, client, server)
    assert (request.giaddr, request.hops, request.type) == (inet_aton("10.42.42.1"), 1, 1)
    assert (src.addr, src.port) == (inet_aton("10.42.42.1"), 67)
    assert packet.data[:6] == MAC
    assert packet.data[30:34] == CLIENT.to_bytes(4, "big")
    reply = Dhcp.parse(packet.data[42:])
    assert (reply.type, reply.yiaddr) == (2, CLIENT)
    log = gateway.sh("sloginfo").out
    assert "forwarded BOOTREQUEST for 02:00:00:0c:01:01 to 10.77.4.2" in log
    assert "forwarded BOOTREPLY for 02:00:00:0c:01:01 to 10.42.42.77" in log
    assert "Listening on BPF/wm0/" in log


def test_the_agent_option_is_seen_by_the_server_only(lab):
    world, client, gateway, server = lab
    job = gateway.spawn("dhcrelay -a -d -q -i wm0 10.77.4.2")
    request, _src, (packet,) = _exchange(world, client, server)
    assert request.options[82] == b"\x01\x03wm0"
    assert 82 not in Dhcp.parse(packet.data[42:]).options
    job.signal("SIGTERM")
    result = job.result(10)
    assert result.status == 0
    assert result.err.splitlines() == [
        "Adding 7-byte relay agent option",
        "forwarded BOOTREQUEST for 02:00:00:0c:01:01 to 10.77.4.2",
        "forwarded BOOTREPLY for 02:00:00:0c:01:01 to 10.42.42.77",
    ]


def test_bad_command_lines(lab):
    _world, _client, gateway, _server = lab

    def says(words):
        out, err, status = gateway.sh(f"dhcrelay {words}")
        assert (out, status) == ("", 1)
        return err

    assert says("").startswith("Usage: dhcrelay [-p <port>]")
    assert says("-m maybe 10.77.4.2").startswith("Usage: ")
    assert says("-i nix0 10.77.4.2") == "dhcrelay: nix0: not found\n"
    assert says("-c 256 10.77.4.2") == "dhcrelay: 256: not a valid hop count\n"
    assert says("-A 63 10.77.4.2") == "dhcrelay: 63: not a valid packet length\n"
    assert says("-p 0 10.77.4.2") == "dhcrelay: 0: not a valid UDP port\n"
    assert says("nobody.example") == "dhcrelay: nobody.example: host unknown\n"
