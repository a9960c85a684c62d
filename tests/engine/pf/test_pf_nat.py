"""Translation: nat, rdr, binat, their pools and ports, and what follows them."""

from __future__ import annotations

from tests.engine.pf.pflab import (
    ACK,
    GWA,
    GWB,
    PUSH,
    RST,
    SYN,
    A,
    B,
    Peer,
    connect,
    echo,
    icmp_error,
    tcp,
    udp,
)

NET = 0x0A000100


def test_nat_hides_the_inside_and_answers_find_their_way(lab):
    lab.rules("nat on wm1 from 10.0.0.0/24 to any -> (wm1)\npass")
    lab.left.send(udp(A, 1025, B, 53, b"ask"))
    got = lab.right.one()
    assert got.src == GWB
    assert 50001 <= got.sport <= 65535
    lab.right.send(udp(B, 53, GWB, got.sport, b"answer"))
    back = lab.left.one()
    assert (back.src, back.dst, back.dport, back.data) == (B, A, 1025, b"answer")
    text = lab.run("pfctl -s state")
    assert f"10.0.0.9:1025 -> 10.0.1.1:{got.sport} -> 10.0.1.9:53" in text


def test_a_tcp_connection_through_nat(lab):
    lab.rules("nat on wm1 from 10.0.0.0/24 to any -> 10.0.1.1\npass")
    a, b = connect(lab)
    assert b.to == GWB
    a.send(PUSH | ACK, b"request")
    assert lab.right.one().data == b"request"
    b.ack = a.seq
    b.send(PUSH | ACK, b"reply")
    got = lab.left.one()
    assert (got.src, got.dport, got.data) == (B, 1025, b"reply")


def test_a_translated_packet_makes_a_state_though_its_rule_is_stateless(lab):
    lab.rules("nat on wm1 from any to any -> (wm1)\npass no state")
    lab.left.send(udp(A, 1025, B, 53))
    assert len(lab.states()) == 1


def test_filter_rules_see_addresses_after_translation(lab):
    lab.rules("nat on wm1 from 10.0.0.0/24 to any -> (wm1)\nblock out\npass out from (wm1) to any")
    lab.left.send(udp(A, 1025, B, 53))
    assert lab.right.one().src == GWB


def test_rules_are_tried_in_order_and_no_nat_ends_the_list(lab):
    lab.rules("no nat on wm1 proto udp from any to any port 99\n"
              "nat on wm1 from 10.0.0.9 to any -> 10.0.1.50\n"
              "nat on wm1 from any to any -> 10.0.1.51")  # fmt: skip
    lab.left.send(udp(A, 1, B, 98), udp(A + 1, 1, B, 98), udp(A, 1, B, 99))
    assert [p.src - NET for p in lab.right.take()] == [50, 51, A - NET]


def test_static_port_keeps_the_port_and_a_clash_goes_out_untranslated(lab):
    lab.rules("nat on wm1 proto udp from 10.0.0.0/24 to any -> 10.0.1.1 static-port")
    lab.left.send(udp(A, 1025, B, 53))
    assert lab.right.one().sport == 1025
    lab.left.send(udp(A + 1, 1025, B, 53))
    assert lab.right.one().src == A + 1


def test_a_range_of_two_ports_serves_two_and_the_third_is_not_translated(lab):
    lab.rules(
        "nat pass on wm1 from 10.0.0.0/24 to any -> 10.0.1.1 port 30000:30001 sticky-address\npass"
    )
    lab.left.send(echo(A, B, 42))
    assert lab.right.one().src == GWB
    lab.left.send(*[tcp(A, port, B, 7, SYN) for port in (1, 2, 3)])
    got = lab.right.take()
    assert sorted(p.sport for p in got[:2]) == [30000, 30001]
    assert [p.src for p in got] == [GWB, GWB, A]
    lab.run("pfctl -s all")


def test_echo_ids_are_kept_apart(lab):
    lab.rules("nat on wm1 inet from 10.0.0.0/24 to any -> (wm1)\npass")
    lab.left.send(echo(A, B, 42), echo(A + 1, B, 42))
    one, two = lab.right.take()
    assert one.src == two.src == GWB
    assert one.seq != two.seq
    lab.right.send(echo(B, GWB, two.seq, reply=True), echo(B, GWB, one.seq, reply=True))
    assert sorted(p.dst for p in lab.left.take() if p.seq == 42) == [A, A + 1]


def test_a_gone_ident_means_another_host(lab):
    lab.rules("nat on wm1 inet from 10.0.0.0/24 to any -> (wm1)\npass")
    lab.left.send(echo(A, B, 42))
    ident = lab.right.one().seq
    lab.right.send(echo(B, GWB, (ident + 1) & 0xFFFF, reply=True))
    assert lab.left.none()


def test_an_icmp_error_comes_back_with_inside_addresses(lab):
    lab.rules("nat on wm1 from 10.0.0.0/24 to any -> (wm1)\npass")
    lab.left.send(udp(A, 1025, B, 53, b"x" * 40))
    sent = lab.right.one()
    lab.right.send(icmp_error(B, GWB, 3, 4, sent.raw[:28], 1400))
    got = lab.left.one()
    assert (got.dst, got.sport, got.dport) == (A, 3, 4)
    inner = got.data
    assert inner[12:16] == A.to_bytes(4, "big")
    assert inner[20:22] == (1025).to_bytes(2, "big")
    from libnet.wire.cksum import in_cksum

    assert in_cksum(inner[:20]) == 0


def test_rdr_sends_inside_what_came_to_us(lab):
    lab.rules("rdr on wm1 proto tcp from any to 10.0.1.1 port 80 -> 10.0.0.9 port 8080\npass")
    lab.right.send(tcp(B, 1025, GWB, 80, SYN, 1000))
    got = lab.left.one()
    assert (got.src, got.dst, got.dport) == (B, A, 8080)
    lab.left.send(tcp(A, 8080, B, 1025, SYN | ACK, 5000, 1001))
    back = lab.right.one()
    assert (back.src, back.sport, back.ack) == (GWB, 80, 1001)


def test_rdr_of_a_range_to_a_range(lab):
    lab.rules(
        "rdr on wm1 proto udp from any to 10.0.1.1 port 2000:2999 -> 10.0.0.9 port 4000:4499\npass"
    )
    for asked, got in ((2000, 4000), (2499, 4499), (2500, 4000), (2999, 4499)):
        lab.right.send(udp(B, asked, GWB, asked))
        assert lab.left.one().dport == got


def test_a_block_answer_to_a_redirected_packet_is_from_the_address_asked(lab):
    lab.rules(
        "rdr on wm1 proto tcp from any to 10.0.1.1 port 80 -> 10.0.0.9\nblock return in on wm1"
    )
    lab.right.send(tcp(B, 1025, GWB, 80, SYN, 1000))
    got = lab.right.one()
    assert (got.src, got.sport, got.flags) == (GWB, 80, RST | ACK)


def test_rdr_pass_needs_no_filter_rule(lab):
    lab.rules(
        "rdr pass on wm1 proto udp from any to 10.0.1.1 port 53 -> 10.0.0.9\nblock in\npass out"
    )
    lab.right.send(udp(B, 7, GWB, 53), udp(B, 7, GWB, 54))
    assert [p.dst for p in lab.left.take()] == [A]


def test_two_connections_that_become_one_count_as_state_insert(lab):
    lab.rules("rdr on wm1 proto udp from any to 10.0.1.1 port { 53 54 } -> 10.0.0.9 port 5353\n"
              "pass in\npass out")  # fmt: skip
    lab.right.send(udp(B, 7, GWB, 53), udp(B, 7, GWB, 54))
    assert len(lab.left.take()) == 1
    assert lab.reason("state-insert") == 1


def test_binat_is_for_both_directions(lab):
    lab.rules("binat on wm1 from 10.0.0.9 to any -> 10.0.1.77\npass")
    lab.run("arp -s 10.0.1.77 2:0:0:0:0:1")
    lab.left.send(udp(A, 1025, B, 53))
    got = lab.right.one()
    assert (got.src, got.sport) == (NET + 77, 1025)
    lab.right.send(udp(B, 9, NET + 77, 99))
    got = lab.left.one()
    assert (got.src, got.dst, got.dport) == (B, A, 99)


def test_binat_of_networks_keeps_the_host_part(lab):
    lab.rules("binat on wm1 from 10.0.0.0/24 to any -> 192.168.7.0/24\npass")
    lab.left.send(udp(A, 1025, B, 53))
    assert lab.right.one().src == 0xC0A80709
    lab.right.send(udp(B, 9, 0xC0A80709, 99))
    assert lab.left.one().dst == A


# -- pools


def sources(lab, count=8, base=0x0A000010):
    lab.left.send(*[udp(base + n, 9, B, 53) for n in range(count)])
    return [p.src for p in lab.right.take()]


def test_round_robin_walks_all_addresses_of_all_entries(lab):
    lab.rules("nat on wm1 from any to any -> { 10.0.1.32/31, 10.0.1.40 }\npass")
    assert [s - NET for s in sources(lab, 6)] == [32, 33, 40, 32, 33, 40]


def test_a_table_as_a_pool_is_walked_too_and_an_empty_one_translates_nothing(lab):
    lab.rules(
        "table <outer> persist { 10.0.1.32 10.0.1.34 }\nnat on wm1 from any to any -> <outer>\npass"
    )
    assert [s - NET for s in sources(lab, 4)] == [32, 34, 32, 34]
    lab.run("pfctl -t outer -T flush", err=True)
    lab.run("pfctl -F states", err=True)
    assert sources(lab, 2) == [0x0A000010, 0x0A000011]


def test_an_interface_without_address_as_a_pool_translates_nothing(lab):
    lab.rules("nat on wm1 from any to any -> (tun7)\npass")
    assert sources(lab, 2) == [0x0A000010, 0x0A000011]


def test_bitmask_keeps_host_bits_and_source_hash_is_steady(lab):
    lab.rules("nat on wm1 from any to any -> 192.168.9.0/24 bitmask\npass")
    assert sources(lab, 2) == [0xC0A80910, 0xC0A80911]
    lab.rules("nat on wm1 from any to any -> 192.168.9.0/24 source-hash key\npass")
    lab.run("pfctl -F states", err=True)
    first = sources(lab, 32)
    lab.run("pfctl -F states", err=True)
    assert sources(lab, 32) == first
    assert len(set(first)) > 24
    assert all(s >> 8 == 0xC0A809 for s in first)


def test_random_spreads(lab):
    lab.rules("nat on wm1 from any to any -> 192.168.9.0/24 random\npass")
    assert len(set(sources(lab, 32))) > 20


def test_sticky_address_remembers_while_there_are_states(lab):
    lab.rules(
        "nat on wm1 from any to any -> { 10.0.1.32 10.0.1.33 } round-robin sticky-address\npass"
    )
    lab.left.send(*[udp(A, n, B, 53) for n in range(1, 5)], udp(A + 1, 1, B, 53))
    got = [p.src - NET for p in lab.right.take()]
    assert got[:4] == [32] * 4
    assert got[4] == 33
    assert "10.0.0.9 -> 10.0.1.32 ( states 4" in lab.run("pfctl -s Sources")


def test_nat_anchors_nest(lab):
    lab.rules('nat-anchor "foo/*"\npass')
    lab.run(
        "pfctl -a foo/bar -f -", text="nat on wm1 from 10.0.0.0/24 to any -> 10.0.1.60\n", err=True
    )
    lab.left.send(udp(A, 1, B, 2))
    assert lab.right.one().src == NET + 60


def test_a_reload_leaves_translated_connections_alone(lab):
    lab.rules("nat on wm1 from 10.0.0.0/24 to any -> (wm1)\npass")
    lab.left.send(udp(A, 1025, B, 53))
    port = lab.right.one().sport
    lab.rules("block in\npass out")
    lab.left.send(udp(A, 1025, B, 53))
    got = lab.right.one()
    assert (got.src, got.sport) == (GWB, port)


def test_nat_of_packets_to_the_router_itself(lab):
    lab.rules("rdr on wm0 proto udp from any to any port 53 -> 10.0.1.9\npass")
    lab.left.send(udp(A, 1025, GWA, 53, b"?"))
    assert lab.right.one().dst == B
    lab.right.send(udp(B, 53, A, 1025, b"!"))
    assert lab.left.one().src == GWA


def test_a_handshake_that_nat_and_modulate_share(lab):
    lab.rules(
        "nat on wm1 from any to any -> (wm1)\npass in modulate state\npass out modulate state"
    )
    a = Peer(lab, lab.left, A, 1025, B, 80)
    a.send(SYN)
    got = lab.right.one()
    lab.right.send(tcp(B, 80, GWB, got.sport, SYN | ACK, 70000, got.seq + 1))
    back = lab.left.one()
    assert back.ack == a.seq
    a.ack = back.seq + 1
    a.send(ACK, b"hi")
    data = lab.right.one()
    assert (data.seq, data.ack, data.data) == (got.seq + 1, 70001, b"hi")
