"""route-to, reply-to, dup-to, fastroute; local programs; users."""

from __future__ import annotations

import pytest

from tests.engine.pf.pflab import ACK, GWA, GWB, SYN, A, B, connect, echo, tcp, udp

FAR = 0xC6336405  # 198.51.100.5


@pytest.fixture
def multi(lab):
    """The router knows 198.51.100/24 by the right; the left has a second way."""
    lab.run("route add default 10.0.1.9")
    lab.left.take(), lab.right.take()
    return lab


def test_route_to_sends_another_way_than_the_routing_table(multi):
    multi.rules(
        "pass no state\npass in on wm0 route-to (wm0 10.0.0.9) from 10.0.0.20 to any no state"
    )
    multi.left.send(udp(A, 1, FAR, 2))
    assert multi.right.one().dst == FAR
    multi.left.send(udp(A + 11, 1, FAR, 2))
    got = multi.left.one()
    assert (got.dst, got.ttl) == (FAR, 64)
    assert multi.right.none()


def test_reply_to_answers_by_the_way_that_the_connection_came(multi):
    multi.rules("pass in on wm0 reply-to (wm0 10.0.0.9) proto tcp from any to any port 80\n"
                "pass out on wm1 no state\npass in on wm1 no state")  # fmt: skip
    multi.left.send(tcp(FAR, 1025, B, 80, SYN, 1000))
    assert multi.right.one().src == FAR
    # By the table the answer would go out to the right again.
    multi.right.send(tcp(B, 80, FAR, 1025, SYN | ACK, 5000, 1001))
    assert multi.left.one().dst == FAR
    assert multi.right.none()


def test_dup_to_copies_and_lets_the_packet_go_on(lab):
    lab.rules("pass no state\npass in on wm0 dup-to (wm0 10.0.0.9) proto icmp no state")
    lab.left.send(echo(A, B, 5))
    assert lab.right.one().seq == 5
    assert lab.left.one().seq == 5


def test_fastroute_goes_by_the_table_without_forwarding(lab):
    lab.rules("pass no state\npass in on wm0 fastroute proto udp no state")
    lab.left.send(udp(A, 1, B, 2))
    assert lab.right.one().ttl == 64


def test_a_rerouted_packet_is_tested_on_its_new_interface(multi):
    multi.rules("pass in on wm1 route-to (wm0 10.0.0.9) no state\nblock out on wm0")
    multi.right.send(udp(B, 1, FAR, 2))
    assert multi.left.none()


def test_a_packet_too_large_for_its_new_way_is_cut_or_complained_about(multi):
    multi.run("ifconfig wm0 mtu 500")
    multi.rules("pass no state\npass in on wm1 route-to (wm0 10.0.0.9) proto udp no state")
    multi.right.send(udp(B, 1, FAR, 2, bytes(1000)))
    got = multi.left.take()
    assert len(got) > 1
    assert all(len(p.raw) <= 500 for p in got)
    multi.right.send(udp(B, 1, FAR, 2, bytes(1000), off=0x4000))
    assert multi.left.none()
    error = multi.right.one()
    assert (error.sport, error.dport) == (3, 4)
    assert error.raw[26:28] == (500).to_bytes(2, "big")


def test_nat_and_route_to_and_the_error_comes_back_with_its_own_addresses(multi):
    multi.run("ifconfig wm1 mtu 500")
    multi.rules("nat on wm1 from 10.0.0.0/24 to any -> (wm1)\n"
                "pass in on wm0 route-to (wm1 10.0.1.9)\npass out")  # fmt: skip
    packet = echo(A, FAR, 42, size=1000, off=0x4000)
    multi.left.send(packet)
    assert multi.right.none()
    error = multi.left.one()
    assert (error.sport, error.dport) == (3, 4)
    assert error.data[12:20] == A.to_bytes(4, "big") + FAR.to_bytes(4, "big")


def test_a_route_rule_without_its_interface_drops(lab):
    lab.rules("pass no state\npass in on wm0 route-to (tun9 10.9.9.9) proto udp no state")
    lab.left.send(udp(A, 1, B, 2))
    assert lab.right.none()
    assert lab.stack.stats["pf"]["noif"] == 1


def test_two_routers_that_send_to_each_other_end(lab):
    lab.rules("pass out on wm1 route-to (wm0 10.0.0.9) no state\n"
              "pass out on wm0 route-to (wm1 10.0.1.9) no state")  # fmt: skip
    lab.left.send(udp(A, 1, B, 2))
    assert lab.right.none()
    assert lab.stack.stats["pf"]["routed"] == 1


# -- the router's own programs


def test_the_routers_own_ping_makes_a_state(lab):
    lab.rules("block all\npass out inet proto icmp icmp-type echoreq")
    job = lab.box.spawn("ping -c 1 10.0.1.9")
    lab.wait(0.5)
    asked = lab.right.one()
    assert asked.src == GWB
    lab.right.send(echo(B, GWB, asked.seq, reply=True))
    assert len(lab.states()) == 1
    job.interrupt()
    lab.wait(1)


def test_user_unknown_is_whoever_has_no_socket_here(lab):
    lab.rules("block in\npass in proto udp user unknown no state\npass out no state")
    lab.left.send(udp(A, 1, B, 53))
    assert lab.right.one().dport == 53
    lab.rules("block in\npass in proto udp user root no state\npass out no state")
    lab.left.send(udp(A, 1, B, 53))
    assert lab.right.none()


def test_user_is_the_owner_of_a_local_socket(lab):
    from libnet.addr import SockaddrIn
    from libnet.engine.kern.socket import Cred

    so = lab.stack.socreate(2, 2, 0, Cred())
    so.bind(SockaddrIn(0, 5353))
    lab.rules("block in\npass in proto udp user root no state")
    lab.left.send(udp(A, 1, GWA, 5353, b"for root"))
    assert so.recv(0).data == b"for root"
    lab.rules("block in\npass in proto udp user 77 no state")
    lab.left.send(udp(A, 1, GWA, 5353, b"no"))
    assert not so.readable()
    so.close()


def test_group_is_that_of_the_sockets_owner(lab):
    from libnet.addr import SockaddrIn
    from libnet.engine.kern.socket import Cred

    so = lab.stack.socreate(2, 2, 0, Cred(uid=70, gid=500))
    so.bind(SockaddrIn(0, 5353))
    for rule, passing in (
        ("group 500", True),
        ("group 70", False),
        ("group 400 >< 600", True),
        ("user 70 group 500", True),
        ("user 500", False),
        ("group != wheel", True),
    ):
        lab.rules(f"block in\npass in proto udp {rule} no state")
        lab.left.send(udp(A, 1, GWA, 5353, b"x"))
        assert so.readable() == passing, rule
        if passing:
            so.recv(0)
    so.close()


def test_a_connection_passes_with_thirty_rules_and_options_of_all_kinds(lab):
    lab.rules("\n".join(f"block in quick from 192.168.{n}.0/24" for n in range(30)) + "\npass")
    a, _b = connect(lab)
    a.send(ACK, b"data")
    assert lab.right.one().data == b"data"
