"""Scenarios that others publish for their pf, rebuilt: what the other files have no place for."""

from __future__ import annotations

from tests.engine.pf.pflab import ACK, GWA, SYN, A, B, Peer, connect, echo, icmp_error, tcp, udp

ALIAS = 0x0A000105


def test_if_0_is_the_first_address_alone(lab):
    lab.run("ifconfig wm1 10.0.1.5/32 alias")
    for text, blocked in (("(wm1:0)", {0x0A000101}), ("(wm1)", {0x0A000101, ALIAS})):
        lab.rules(f"pass no state\nblock in proto udp from any to {text}")
        for addr in (0x0A000101, ALIAS):
            lab.right.send(udp(B, 1, addr, 9))
            # Nobody listens: what gets in is answered.
            assert bool(lab.right.take()) == (addr not in blocked), (text, hex(addr))


def test_a_table_of_our_own_addresses_changes_under_running_states(lab):
    lab.rules("table <me> { self }\npass in quick from <me>\npass")
    a, _b = connect(lab)
    lab.rules("table <me> { self 10.0.0.9 }\npass in quick from <me>\npass")
    a.send(ACK, b"on we go")
    assert lab.right.one().data == b"on we go"


def test_a_table_of_an_interfaces_network(lab):
    lab.rules("table <net> { wm0:network }\nblock in\npass in from <net> no state")
    lab.left.send(echo(A, B, 1), echo(0x0A090909, B, 2))
    assert [p.seq for p in lab.right.take()] == [1]


def test_add_makes_the_table_and_rules_loaded_later_use_it(lab):
    lab.run("pfctl -t early -T add 10.0.0.9", err=True)
    lab.rules("table <early> persist\nblock in\npass in from <early> no state")
    lab.left.send(echo(A, B, 1))
    lab.right.one()


def test_source_tracking_both_ways_shows_and_does_not_fail(lab):
    lab.rules("pass in keep state (source-track)\npass out keep state (source-track)")
    lab.left.send(echo(A, B, 1))
    assert lab.run("pfctl -s all -v")
    assert len(lab.run("pfctl -s Sources").splitlines()) == 1


def test_a_source_is_forgotten_with_its_last_state_or_after_src_track(lab):
    lab.rules(
        "set timeout src.track 20\npass in on wm0 keep state (source-track rule)\npass out no state"
    )
    lab.left.send(echo(A, B, 1))
    lab.wait(25)
    assert lab.states() == []
    assert len(lab.run("pfctl -s Sources").splitlines()) == 1
    lab.wait(30)
    assert lab.run("pfctl -s Sources") == ""


def test_the_log_interface_counts(lab):
    lab.rules("set loginterface wm0\nblock in proto udp")
    lab.left.send(echo(A, B, 1), udp(A, 1, B, 2), udp(A, 1, B, 2))
    text = lab.run("pfctl -s info")
    assert "Interface Stats for wm0" in text
    passed, blocked = [line.split()[1] for line in text.splitlines() if line.startswith("    ")][:2]
    assert (passed, blocked) == ("1", "2")


def test_rule_counters_and_labels_grow_and_are_cleared(lab):
    lab.rules('pass in on wm0 label "web"\npass out no state\npass in on wm1 no state')
    for _ in range(3):
        lab.left.send(udp(A, 1, B, 2))
        lab.right.send(udp(B, 2, A, 1))
    words = lab.run("pfctl -s labels").split()
    assert words[0] == "web"
    assert words[2:4] == ["6", str(6 * 28)]
    lab.run("pfctl -z", err=True)
    assert lab.run("pfctl -s labels").split()[2] == "0"


def test_a_flood_of_states_is_bounded_and_counted(lab):
    lab.rules("set limit states 200\npass in on wm0\npass out no state")
    for block in range(8):
        lab.left.send(*[udp(A, 1 + block * 100 + n, B, 53) for n in range(100)])
    assert len(lab.pf.states) == 200
    assert lab.reason("memory") == 600
    lab.wait(130)
    assert len(lab.pf.states) == 0
    lab.left.send(udp(A, 9, B, 53))
    assert len(lab.pf.states) == 1


def test_needfrag_from_a_router_behind_carries_its_mtu(lab):
    lab.rules("block in\npass in on wm0\npass out on wm1")
    lab.left.send(echo(A, B, 42, size=1400, off=0x4000))
    sent = lab.right.one().raw
    middle = 0x0A000132
    lab.right.send(icmp_error(middle, A, 3, 4, sent[:28], 1492 - 400))
    got = lab.left.one()
    assert (got.src, got.dport) == (middle, 4)
    assert got.raw[26:28] == (1092).to_bytes(2, "big")


def test_timex_of_the_router_itself_gets_out(lab):
    lab.rules("block all\npass in on wm0")
    lab.left.send(udp(A, 1025, B, 33434, ttl=1))
    got = lab.left.one()
    assert (got.src, got.sport) == (GWA, 11)


def test_reset_and_reuse_of_the_same_ports(lab):
    lab.rules("pass no state\npass in on wm0 proto tcp")
    for start in (1000, 50_000, 3_000_000_000):
        a = Peer(lab, lab.left, A, 1025, B, 80)
        a.send(SYN, seq=start)
        lab.right.one()
        lab.right.send(tcp(B, 80, A, 1025, SYN | ACK, 7000, a.seq))
        lab.left.one()
        a.ack = 7001
        a.send(ACK)
        lab.right.one()
        a.send(4)
        assert lab.states()[0].endswith("TIME_WAIT:TIME_WAIT")
        lab.right.take()


def test_stopping_and_starting_keeps_states(lab):
    lab.rules("block in\npass in on wm0\npass out on wm1")
    lab.left.send(udp(A, 1, B, 2))
    lab.right.take()
    lab.run("pfctl -d", err=True)
    lab.run("pfctl -e", err=True)
    lab.right.send(udp(B, 2, A, 1))
    assert len(lab.left.take()) == 1


def test_an_interface_that_goes_and_comes_back_is_filtered_again(lab):
    lab.rules("block in on wm1\npass out")
    lab.run("ifconfig wm1 destroy")
    assert "wm1" in lab.run("pfctl -s Interfaces")
    lab.run("mount -Tio-pkt devnp-i82544.so")
    lab.run("ifconfig wm1 10.0.1.1/24")
    lab.right.send(echo(B, 0x0A000101, 1))
    assert lab.right.none()
