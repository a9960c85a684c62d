"""Filter rules as a network sees them: who passes, who is blocked, and what the sender hears."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.engine.pf.pflab import (
    ACK,
    FIN,
    GWA,
    RST,
    SYN,
    A,
    B,
    PfLab,
    echo,
    ip4,
    tcp,
    udp,
)


def pings(lab, src=A, ident=42) -> bool:
    """Tell whether an echo request from the left reaches the right."""
    lab.left.send(echo(src, B, ident))
    return bool(lab.right.take())


def test_without_rules_everything_passes_and_keeps_no_state(lab):
    assert pings(lab)
    assert lab.states() == []


def test_a_disabled_filter_blocks_nothing(lab):
    lab.rules("block all")
    assert not pings(lab)
    assert "pf disabled" in lab.run("pfctl -d", err=True)
    assert pings(lab)
    lab.run("pfctl -e", err=True)
    assert not pings(lab, ident=43)


def test_block_in_stops_a_ping_and_pass_in_proto_icmp_lets_it_through(lab):
    lab.rules("block in")
    assert not pings(lab)
    lab.rules("block in\npass in proto icmp")
    assert pings(lab)


def test_block_out_stops_what_was_let_in(lab):
    lab.rules("pass in\nblock out")
    assert not pings(lab)


def test_the_last_match_wins_and_quick_ends_the_search(lab):
    lab.rules("pass in no state\nblock in proto icmp\npass in proto udp no state")
    assert not pings(lab)
    lab.rules("pass in quick proto icmp no state\nblock in")
    assert pings(lab)


def test_interface_direction_address_and_port_select(lab):
    lab.rules(
        "block all\npass in on wm0 proto udp from 10.0.0.9 to 10.0.1.0/24 port 50:60\npass out"
    )
    lab.left.send(udp(A, 1025, B, 53))
    assert lab.right.one().dport == 53
    lab.left.send(udp(A, 1026, B, 61))
    lab.left.send(udp(A + 1, 1027, B, 53))
    assert lab.right.none()
    assert lab.left.none()


def test_port_operators(lab):
    cases = {
        "port = 100": {100}, "port != 100": {99, 101, 102}, "port < 100": {99},
        "port >= 101": {101, 102}, "port 99 >< 102": {100, 101}, "port 100 <> 101": {99, 102},
        "port 100:101": {100, 101},
    }  # fmt: skip
    for text, passing in cases.items():
        lab.rules(f"block in\npass in proto udp to any {text} no state")
        for port in (99, 100, 101, 102):
            lab.left.send(udp(A, 5000, B, port))
            assert bool(lab.right.take()) == (port in passing), (text, port)


def test_a_negated_address_and_a_negated_interface(lab):
    lab.rules("pass in no state\nblock in on ! wm1 from ! 10.0.0.9 to any")
    assert pings(lab)
    assert not pings(lab, src=A + 1)


def test_tcp_flags_icmp_types_and_tos_select(lab):
    lab.rules(
        "block in\npass in proto tcp flags S/SA no state\n"
        "pass in inet proto icmp icmp-type echoreq no state"
    )
    lab.left.send(tcp(A, 1, B, 80, SYN), tcp(A, 2, B, 80, SYN | ACK), tcp(A, 3, B, 80, ACK))
    assert [p.sport for p in lab.right.take()] == [1]
    lab.left.send(echo(A, B, 1), echo(A, B, 2, reply=True))
    assert [p.sport for p in lab.right.take()] == [8]
    lab.rules("block in\npass in tos 0x10 no state")
    lab.left.send(udp(A, 1, B, 2, tos=0x10), udp(A, 3, B, 4, tos=0x08))
    assert [p.sport for p in lab.right.take()] == [1]


def test_icmp_codes_and_an_error_is_never_given_a_state(lab):
    lab.rules("block in\npass in inet proto icmp icmp-type unreach code needfrag\npass out")
    quoted = udp(B, 7, A, 8)
    body = bytes((3, 4, 0, 0)) + bytes(4) + quoted
    from libnet.wire.cksum import in_cksum

    body = body[:2] + in_cksum(body).to_bytes(2, "big") + body[4:]
    lab.left.send(ip4(A, B, 1, body))
    assert lab.right.one().sport == 3
    assert lab.states() == []


def test_a_group_of_interfaces_stands_for_all_of_a_driver(lab):
    lab.rules("pass no state\nblock in on wm")
    assert not pings(lab)
    lab.rules("pass no state\nblock in on lo")
    assert pings(lab)


def test_egress_is_where_the_default_route_leads(lab):
    lab.rules("pass no state\nblock out on egress")
    assert pings(lab)
    lab.run("route add default 10.0.1.9")
    lab.right.take()
    assert not pings(lab)


def test_set_skip_leaves_an_interface_alone_and_survives_a_reload(lab):
    text = "set skip on wm0\nblock in"
    lab.rules(text)
    assert pings(lab)
    lab.rules(text)
    assert pings(lab, ident=43)
    lab.rules("block in")
    assert not pings(lab, ident=44)


def test_antispoof_blocks_our_nets_from_elsewhere(lab):
    lab.rules("pass no state\nantispoof for wm1")
    assert pings(lab)
    lab.left.send(echo(B + 1, B, 3))
    assert lab.right.none()


def test_urpf_failed_means_a_source_from_the_wrong_side(lab):
    lab.rules("pass no state\nblock in quick from urpf-failed")
    assert pings(lab)
    lab.left.send(echo(B + 1, B, 3))
    assert lab.right.none()


def test_no_route_means_a_source_that_cannot_be_answered(lab):
    lab.rules("pass no state\nblock in quick from no-route")
    assert pings(lab)
    assert not pings(lab, src=0xC6336401)


def test_a_dynamic_address_follows_the_interface(lab):
    lab.rules("block in\npass in from (wm0:network) no state")
    assert pings(lab)
    assert not pings(lab, src=0x0A050509)
    lab.run("ifconfig wm0 10.5.5.1/24 alias")
    assert pings(lab, src=0x0A050509)


def test_probability_lets_about_that_share_pass(lab):
    lab.rules("block in\npass in probability 25% no state")
    passed = 0
    for _ in range(20):
        lab.left.send(*[udp(A, 1000 + n, B, 9) for n in range(20)])
        passed += len(lab.right.take())
    assert 60 <= passed <= 140


def test_a_packet_with_options_needs_allow_opts(lab):
    packet = echo(A, B, 9, options=b"\1\1\1\0")
    lab.rules("pass in")
    lab.left.send(packet)
    assert lab.right.none()
    assert lab.reason("ip-option") == 1
    lab.rules("pass in allow-opts\npass out allow-opts")
    lab.run("pfctl -F states", err=True)
    lab.left.send(packet)
    assert lab.right.one().proto == 1


# -- what the sender hears


def test_block_return_answers_tcp_with_a_reset_from_the_far_host(lab):
    lab.rules("block return in")
    lab.left.send(tcp(A, 1025, B, 80, SYN, seq=100))
    got = lab.left.one()
    assert (got.src, got.dst, got.sport, got.dport) == (B, A, 80, 1025)
    assert (got.flags, got.seq, got.ack) == (RST | ACK, 0, 101)
    lab.left.send(tcp(A, 1025, B, 80, FIN | ACK, seq=100, ack=7, data=b"abc"))
    got = lab.left.one()
    assert (got.seq, got.ack) == (7, 104)


def test_block_return_answers_everything_else_with_port_unreachable(lab):
    lab.rules("block return in")
    for packet in (udp(A, 1025, B, 53, b"hello"), ip4(A, B, 89, bytes(20))):
        lab.left.send(packet)
        got = lab.left.one()
        assert (got.src, got.proto, got.sport, got.dport) == (GWA, 1, 3, 3)
        assert got.data[:20] == packet[:20]
        assert got.data[20:28] == packet[20:28]


def test_a_reset_draws_no_reset_but_the_message(lab):
    lab.rules("block return in")
    lab.left.send(tcp(A, 1025, B, 80, RST, seq=5))
    assert lab.left.one().proto == 1
    lab.rules("block return-rst in proto tcp")
    lab.left.send(tcp(A, 1025, B, 80, RST, seq=5))
    assert lab.left.none()


def test_a_wrong_checksum_draws_no_reset(lab):
    lab.rules("block return-rst in proto tcp")
    packet = bytearray(tcp(A, 1025, B, 80, SYN))
    packet[-1] ^= 1
    lab.left.send(bytes(packet))
    assert lab.left.none()
    assert lab.reason("proto-cksum") == 1


def test_return_rst_with_ttl_and_return_icmp_with_a_code(lab):
    lab.rules("block return-rst(ttl 7) in proto tcp\nblock return-icmp(host-unr) in proto udp")
    lab.left.send(tcp(A, 1, B, 80, SYN))
    assert lab.left.one().ttl == 7
    lab.left.send(udp(A, 1, B, 53))
    got = lab.left.one()
    assert (got.sport, got.dport) == (3, 1)


def test_drop_is_silence_also_on_the_way_out(lab):
    lab.rules("pass in no state\nblock drop out on wm1")
    lab.left.send(tcp(A, 1, B, 80, SYN), udp(A, 1, B, 53), echo(A, B, 4))
    assert lab.left.none()
    assert lab.right.none()


def test_block_policy_return_is_what_block_means(lab):
    lab.rules("set block-policy return\nblock in")
    lab.left.send(tcp(A, 1, B, 80, SYN))
    assert lab.left.one().flags == RST | ACK


def test_a_local_program_hears_no_route_to_host(lab):
    lab.rules("block out proto icmp")
    out = lab.run("ping -c 1 10.0.1.9", status=2, err=True)
    assert "No route to host" in out


# -- anchors and tags


def test_an_anchor_decides_as_if_its_rules_stood_there(lab):
    lab.rules('block in\nanchor "x"\nblock in proto udp')
    assert not pings(lab)
    lab.run("pfctl -a x -f -", text="pass in proto { icmp udp } no state\n", err=True)
    assert pings(lab)
    lab.left.send(udp(A, 1, B, 2))
    assert lab.right.none()
    lab.run("pfctl -a x -F rules", err=True)
    assert not pings(lab, ident=50)


def test_quick_inside_an_anchor_ends_everything(lab):
    lab.rules('block in\nanchor "x"\nblock in')
    lab.run("pfctl -a x -f -", text="pass in quick proto icmp no state\n", err=True)
    assert pings(lab)


def test_quick_on_the_anchor_ends_it_when_something_inside_matched(lab):
    lab.rules('block in\nanchor "x" quick\nblock in')
    lab.run("pfctl -a x -f -", text="pass in proto icmp no state\n", err=True)
    assert pings(lab)
    lab.left.send(udp(A, 1, B, 2))
    assert lab.right.none()


def test_nested_inline_anchors(lab):
    lab.rules(
        "block in\nanchor {\n pass in proto tcp\n anchor {\n  pass in quick proto icmp no state\n }\n}"
    )
    assert pings(lab)


def test_a_wildcard_runs_all_children_by_name_and_quick_in_one_ends_it(lab):
    lab.rules('block in\nanchor "ftp/*"\nblock in proto udp')
    lab.run("pfctl -a ftp/b -f -", text="pass in proto icmp no state\n", err=True)
    lab.run("pfctl -a ftp/a -f -", text="block in proto icmp\n", err=True)
    assert pings(lab)
    lab.run("pfctl -a ftp/a -f -", text="block in quick proto icmp\n", err=True)
    assert not pings(lab, ident=77)


def test_an_anchor_rule_filters_who_goes_in(lab):
    lab.rules('block in\nanchor "x" in on wm0 proto udp from any to any')
    lab.run("pfctl -a x -f -", text="pass in no state\n", err=True)
    assert not pings(lab)
    lab.left.send(udp(A, 1, B, 2))
    assert lab.right.one().dport == 2


def test_a_tag_sticks_from_in_to_out(lab):
    lab.rules("block\npass in on wm0 proto udp to any port 53 tag DNS\npass out tagged DNS")
    lab.left.send(udp(A, 1, B, 53))
    assert lab.right.one().dport == 53
    lab.rules("block\npass in no state tag X\npass out ! tagged X no state")
    assert not pings(lab)


# -- skip steps

_FIELDS = st.tuples(
    st.sampled_from(["in", "out", ""]),
    st.sampled_from(["on wm0", "on wm1", "on ! wm0", ""]),
    st.sampled_from(["proto udp", "proto tcp", "proto icmp", ""]),
    st.sampled_from(["from any", "from 10.0.0.9", "from ! 10.0.0.9", "from 10.0.0.0/24"]),
    st.sampled_from(["to any", "to 10.0.1.9", "to 192.168.0.0/16"]),
    st.sampled_from(["", "port 53", "port 1:100"]),
    st.booleans(),
    st.booleans(),
)


def _rule(fields) -> str:
    way, iface, proto, src, dst, port, quick, passing = fields
    if proto not in ("proto udp", "proto tcp"):
        port = ""
    words = ["pass" if passing else "block", way, "quick" if quick else "", iface, "inet", proto,
             src, dst, port, "no state" if passing else ""]  # fmt: skip
    return " ".join(word for word in words if word)


@settings(
    max_examples=30, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(st.lists(_FIELDS, min_size=1, max_size=12))
def test_skip_steps_change_no_verdict(fields):
    from libnet.engine.pf.packet import Pd

    lab = PfLab()
    lab.rules("\n".join(_rule(f) for f in fields), options="-o none")
    pf, stack = lab.pf, lab.stack
    packets = [udp(A, 1, B, 53), udp(A + 1, 1, B, 200), tcp(A, 1, B, 53, SYN), echo(A, B, 1)]

    def verdicts() -> list[int]:
        found = []
        from libnet.engine.kern.mbuf import Mbuf

        pf.kifs.refresh()
        for packet in packets:
            for name in ("wm0", "wm1"):
                for way in (1, 2):
                    m = Mbuf(packet)
                    stack.ip.reparse(m)
                    pd = Pd(pf, m, pf.kifs.get(name), way, 2)
                    assert pd.read_transport()
                    found.append(pf.evaluate(pd).nr)
        return found

    before = verdicts()
    for n, rule in enumerate(pf.main(1)):
        rule.skip = (n + 1,) * 8
    assert verdicts() == before
