"""States: which packets fit, how long they live, who is refused one."""

from __future__ import annotations

import pytest

from libnet.wire.cksum import in_cksum
from tests.engine.pf.pflab import (
    ACK,
    FIN,
    PUSH,
    RST,
    SYN,
    A,
    B,
    Peer,
    connect,
    echo,
    icmp_error,
    ip4,
    tcp,
    udp,
)

WSCALE3 = b"\x02\x04\x05\xb4\x01\x03\x03\x03"


# -- UDP, ICMP and others


def test_an_answer_comes_back_though_nothing_comes_in_by_itself(lab):
    lab.rules("block in on wm1\npass in on wm0\npass out on wm1")
    lab.right.send(udp(B, 53, A, 1025))
    assert lab.left.none()
    lab.left.send(udp(A, 1025, B, 53))
    lab.right.send(udp(B, 53, A, 1025, b"answer"), udp(B, 54, A, 1025))
    assert [p.data for p in lab.left.take()] == [b"answer"]


def test_udp_goes_single_then_multiple(lab):
    want = ["NO_TRAFFIC:SINGLE", "SINGLE:MULTIPLE", "MULTIPLE:MULTIPLE"]
    lab.rules("pass in on wm0\npass out no state")
    seen = []
    for packet, side in ((udp(A, 9, B, 53), lab.left), (udp(B, 53, A, 9), lab.right),
                         (udp(A, 9, B, 53), lab.left)):  # fmt: skip
        side.send(packet)
        seen.append(lab.states()[0].split()[-1])
    assert seen == want


def test_udp_timeouts(lab):
    lab.rules("pass in on wm0\npass out no state")
    lab.left.send(udp(A, 9, B, 53))
    lab.wait(59)
    assert len(lab.states()) == 1
    lab.wait(3)
    assert lab.states() == []
    lab.left.send(udp(A, 9, B, 53))
    lab.right.send(udp(B, 53, A, 9))
    lab.wait(29)
    assert len(lab.states()) == 1
    lab.wait(3)
    assert lab.states() == []


def test_a_rule_has_timeouts_of_its_own(lab):
    lab.rules("pass in on wm0 keep state (udp.first 5)\npass out no state")
    lab.left.send(udp(A, 9, B, 53))
    lab.wait(7)
    assert lab.states() == []


def test_adaptive_timeouts_shrink_as_the_table_fills(lab):
    lab.rules(
        "set timeout { adaptive.start 10 adaptive.end 20 }\npass in on wm0\npass out no state"
    )
    lab.left.send(*[udp(A, 100 + n, B, 53) for n in range(15)])
    assert len(lab.states()) == 15
    lab.wait(28)
    assert len(lab.states()) == 15
    lab.wait(4)  # 60 s * (20 - 15) / (20 - 10) = 30 s, and more again for those that are left
    assert 0 < len(lab.states()) < 15
    lab.left.send(*[udp(A, 100 + n, B, 53) for n in range(20)])
    lab.wait(2)
    assert len(lab.states()) < 20


def test_other_protocols_have_states_too(lab):
    lab.rules("block in\npass in on wm0 proto 47 keep state\npass out")
    lab.left.send(ip4(A, B, 47, b"gre packet"))
    assert lab.right.one().proto == 47
    lab.right.send(ip4(B, A, 47, b"back"), ip4(B, A, 50, b"esp"))
    assert [p.proto for p in lab.left.take()] == [47]
    assert "NO_TRAFFIC" not in lab.states()[0].split()[-1]


def test_an_echo_reply_needs_the_id_of_a_request(lab):
    lab.rules("block in\npass in on wm0 inet proto icmp icmp-type echoreq\npass out on wm1")
    lab.left.send(echo(A, B, 42))
    assert lab.right.one().seq == 42
    lab.right.send(echo(B, A, 42, reply=True), echo(B, A, 43, reply=True))
    assert [p.seq for p in lab.left.take()] == [42]


# -- TCP


def test_a_connection_from_handshake_to_close(lab):
    lab.rules("block all\npass in on wm0 proto tcp to port 80\npass out on wm1 proto tcp")
    a, b = connect(lab)
    assert [s.split()[-1] for s in lab.states()] == ["ESTABLISHED:ESTABLISHED"] * 2
    a.send(PUSH | ACK, b"GET /")
    assert lab.right.one().data == b"GET /"
    b.ack = a.seq
    b.send(PUSH | ACK, b"hello")
    a.ack = b.seq
    assert lab.left.one().data == b"hello"
    a.send(FIN | ACK)
    b.ack = a.seq
    b.send(ACK)
    b.send(FIN | ACK)
    a.ack = b.seq
    a.send(ACK)
    assert [s.split()[-1] for s in lab.states()] == ["FIN_WAIT_2:FIN_WAIT_2"] * 2
    lab.wait(91)
    assert lab.states() == []


def test_the_states_of_a_handshake(lab):
    lab.rules("pass in on wm0\npass out no state")
    a = Peer(lab, lab.left, A, 1, B, 80)
    a.send(SYN)
    assert lab.states()[0].endswith("CLOSED:SYN_SENT")
    lab.right.send(tcp(B, 80, A, 1, SYN | ACK, 5000, a.seq))
    assert lab.states()[0].endswith("SYN_SENT:ESTABLISHED")
    a.ack = 5001
    a.send(ACK)
    assert lab.states()[0].endswith("ESTABLISHED:ESTABLISHED")
    a.send(FIN | ACK)
    assert lab.states()[0].endswith("ESTABLISHED:CLOSING")


def test_a_half_open_connection_lives_thirty_seconds_an_unanswered_syn_two_minutes(lab):
    lab.rules("pass in on wm0\npass out no state")
    lab.left.send(tcp(A, 1, B, 80, SYN, 1000))
    lab.wait(119)
    assert len(lab.states()) == 1
    lab.wait(3)
    assert lab.states() == []
    lab.left.send(tcp(A, 1, B, 80, SYN, 1000))
    lab.right.send(tcp(B, 80, A, 1, SYN | ACK, 5000, 1001))
    lab.wait(32)
    assert lab.states() == []


def test_only_a_syn_makes_a_state_unless_flags_any(lab):
    lab.rules("block in\npass in on wm0 proto tcp")
    lab.left.send(tcp(A, 1, B, 80, ACK, 1000, 5000))
    assert lab.right.none()
    lab.rules("pass in on wm0 proto tcp flags any\npass out no state")
    lab.left.send(tcp(A, 1, B, 80, ACK, 1000, 5000))
    assert lab.right.one().flags == ACK
    assert len(lab.states()) == 1


def window(lab, **kw):
    """An established connection of windows 8192, only its input state."""
    lab.rules("pass no state\npass in on wm0 proto tcp")
    return connect(lab, win=kw.pop("win", 8192), **kw)


def test_data_up_to_the_window_pass_and_one_octet_more_does_not(lab):
    a, _b = window(lab)
    # The other side has acknowledged 1001 and offered 8192.
    a.send(ACK, b"x" * 100, seq=1001 + 8192 - 100)
    assert len(lab.right.one().data) == 100
    lab.run("pfctl -F states", err=True)
    a, _b = connect(lab)
    a.send(ACK, b"x" * 100, seq=1001 + 8192 - 99)
    assert lab.right.none()
    assert lab.reason("state-mismatch") == 1


def test_old_data_pass_while_within_the_window(lab):
    a, _b = window(lab)
    a.send(ACK, b"x" * 1000, seq=1001)
    lab.right.one()
    a.send(ACK, b"x" * 10, seq=2001 - 8192)
    assert len(lab.right.take()) == 1
    a.send(ACK, b"x" * 10, seq=2001 - 8193)
    assert lab.right.none()


def test_an_acknowledgement_of_what_was_never_sent_does_not_pass(lab):
    a, b = window(lab)
    a.send(ACK, ack=b.seq + 66000)
    assert len(lab.right.take()) == 1  # within the tolerance of 65535 + 1500
    a.send(ACK, ack=b.seq + 67036)
    assert lab.right.none()
    a.send(ACK, ack=b.seq - 67036)
    assert lab.right.none()


def test_window_scaling_counts_only_when_both_offered_it(lab):
    a, b = window(lab, options=WSCALE3, win=1000)
    b.ack = a.seq
    b.send(ACK, win=1000)
    lab.left.take()
    a.send(ACK, b"x" * 100, seq=1001 + 7800)
    assert len(lab.right.take()) == 1
    lab.run("pfctl -F states", err=True)
    a = Peer(lab, lab.left, A, 7, B, 80)
    a.send(SYN, options=WSCALE3, win=1000)
    lab.right.send(tcp(B, 80, A, 7, SYN | ACK, 5000, 1001, win=1000))
    a.ack = 5001
    a.send(ACK, win=1000)
    lab.right.take()
    a.send(ACK, b"x" * 100, seq=1001 + 950)
    assert lab.right.none()


def test_the_quick_way_and_the_long_way_agree(lab):
    """Whatever a segment, it is judged alike by the hook's short cut and by the tracker."""
    _a, b = window(lab)
    state = next(iter(lab.pf.states.all))
    import random

    dice = random.Random(3)
    for _ in range(400):
        seq = (1001 + dice.choice((0, 1, 100, 8191, 8192, 8193, -1, -8192, -8193, 60000))) % 2**32
        ack = (b.seq + dice.choice((0, 1, -1, 67034, 67035, 67036, -67035, -67036))) % 2**32
        data = b"d" * dice.choice((0, 0, 1, 100))
        packet = tcp(A, 1025, B, 80, ACK, seq, ack, data, win=8192)
        kept = [(x.seqlo, x.seqhi, x.max_win) for x in (state.src, state.dst)]
        outcome = []
        for plain in (True, False):
            for peer, values in zip((state.src, state.dst), kept, strict=True):
                peer.seqlo, peer.seqhi, peer.max_win = values
                peer.tail = b""
            state.plain = plain
            lab.left.send(packet)
            numbers = [(x.seqlo, x.seqhi, x.max_win) for x in (state.src, state.dst)]
            outcome.append((bool(lab.right.take()), numbers))
        assert outcome[0] == outcome[1], (seq, ack, len(data))
        state.plain = True
        if dice.random() < 0.7:
            for peer, values in zip((state.src, state.dst), kept, strict=True):
                peer.seqlo, peer.seqhi, peer.max_win = values


def test_a_reset_ends_the_connection_and_needs_a_right_number_after_reassembly(lab):
    lab.rules("scrub in\npass no state\npass in on wm0 proto tcp")
    a, _b = connect(lab)
    a.send(RST, seq=a.seq + 2)
    assert lab.right.none()
    a.send(RST, seq=1001)
    assert lab.right.one().flags == RST
    assert lab.states()[0].endswith("TIME_WAIT:TIME_WAIT")


def test_a_stray_syn_does_not_destroy_a_connection(lab):
    a, _b = window(lab)
    lab.left.send(tcp(A, 1025, B, 80, SYN, 77777))
    assert lab.right.none()
    a.send(ACK, b"still here")
    assert lab.right.one().data == b"still here"


def test_a_new_syn_after_the_end_makes_a_new_state(lab):
    a, b = window(lab)
    a.send(FIN | ACK)
    b.ack = a.seq
    b.send(FIN | ACK)
    a.ack = b.seq
    a.send(ACK)
    lab.right.take()
    lab.left.send(tcp(A, 1025, B, 80, SYN, 900000))
    assert lab.right.one().seq == 900000
    assert lab.states()[0].endswith("CLOSED:SYN_SENT")


def test_an_end_that_disagrees_about_the_handshake_gets_a_reset(lab):
    lab.rules("pass in on wm0\npass out no state")
    a = Peer(lab, lab.left, A, 1025, B, 80)
    a.send(SYN)
    lab.right.take()
    # B has an old connection in mind and answers from far away; pf has it forget that.
    lab.right.send(tcp(B, 80, A, 1025, SYN, 5000))
    lab.right.send(tcp(B, 80, A, 1025, ACK, 9_000_000, 3_000_000))
    answers = [p for p in lab.right.take() if p.flags & RST]
    assert [(p.src, p.sport) for p in answers] == [(A, 1025)]


# -- ICMP errors


def quote(packet: bytes) -> bytes:
    return packet[:28]


def test_an_error_about_a_packet_of_a_state_passes_and_another_does_not(lab):
    lab.rules("block in\npass in on wm0\npass out on wm1")
    lab.left.send(udp(A, 1025, B, 53))
    sent = lab.right.one().raw
    lab.right.send(icmp_error(B, A, 3, 3, quote(sent)))
    assert lab.left.one().sport == 3
    other = udp(A, 1026, B, 53)
    lab.right.send(icmp_error(B, A, 3, 3, quote(other)))
    assert lab.left.none()


def test_an_error_whose_inner_packet_is_a_strangers_is_dropped(lab):
    """CVE-2019-5598: outer addresses that fit do not help."""
    lab.rules("block in\npass in on wm0\npass out on wm1")
    lab.left.send(udp(A, 1025, B, 53))
    lab.right.take()
    lab.right.send(icmp_error(B, A, 3, 3, quote(udp(0x04030201, 1025, 0x01020304, 53))))
    assert lab.left.none()


def test_an_error_that_quotes_our_echo_but_is_for_another_host_is_dropped(lab):
    lab.rules("block in\npass in on wm0\npass out on wm1")
    lab.left.send(echo(A, B, 42))
    sent = lab.right.one().raw
    lab.right.send(icmp_error(B, A + 1, 3, 1, quote(sent)))
    assert lab.left.none()
    lab.right.send(icmp_error(B, A, 3, 1, quote(sent)))
    assert lab.left.one().dport == 1


def test_an_error_about_tcp_needs_a_sequence_number_in_the_window(lab):
    lab.rules("block in\npass in on wm0\npass out on wm1")
    connect(lab)
    good = tcp(A, 1025, B, 80, ACK, 1001)
    wild = tcp(A, 1025, B, 80, ACK, 900_000)
    lab.right.send(icmp_error(B, A, 3, 4, quote(wild), 1400))
    assert lab.left.none()
    lab.right.send(icmp_error(B, A, 3, 4, quote(good), 1400))
    assert lab.left.one().dport == 4


def test_an_error_with_a_header_cut_short_is_counted_not_fatal(lab):
    lab.rules("block in\npass in on wm0\npass out on wm1")
    lab.left.send(udp(A, 1025, B, 53))
    lab.right.take()
    head = bytearray(udp(A, 1025, B, 53)[:28])
    head[0] = 0x4F  # 60 octets of header that are not there
    lab.right.send(icmp_error(B, A, 3, 3, bytes(head)))
    lab.right.send(icmp_error(B, A, 3, 3, b"\x45"))
    assert lab.left.none()
    assert lab.reason("short") == 2


# -- what the administrator does


def test_states_outlive_a_reload_that_blocks_everything(lab):
    lab.rules("pass in proto icmp")
    lab.left.send(echo(A, B, 42))
    lab.right.take()
    lab.rules("block all")
    lab.left.send(echo(A, B, 42))
    assert len(lab.right.take()) == 1 or lab.states()
    lab.left.send(echo(A, B, 43))
    assert lab.right.none()


def test_k_kills_by_source_and_destination(lab):
    lab.rules("pass in on wm0 proto icmp\npass out no state")
    lab.left.send(echo(A, B, 42))
    assert "killed 0 states" in lab.run("pfctl -k 192.0.2.3", err=True)
    assert "killed 0 states" in lab.run("pfctl -k 10.0.0.9 -k 192.0.2.3", err=True)
    assert len(lab.states()) == 1
    assert "killed 1 states" in lab.run("pfctl -k 10.0.0.9", err=True)
    assert lab.states() == []


def test_i_with_f_states_means_the_interface_that_made_them(lab):
    lab.rules("pass in on wm0\npass out no state")
    lab.left.send(echo(A, B, 42))
    lab.run("pfctl -i wm1 -F states", err=True)
    assert len(lab.states()) == 1
    lab.run("pfctl -i wm0 -F states", err=True)
    assert lab.states() == []


def test_an_if_bound_state_is_of_its_interface_alone(lab):
    lab.rules("set state-policy if-bound\nblock in\npass in on wm0 proto udp\npass out on wm1")
    lab.left.send(udp(A, 1, B, 2))
    lab.right.take()
    assert lab.states()[0].startswith("wm0 udp")
    lab.right.send(udp(B, 2, A, 1))
    # The state that lets the answer in by wm1 is the one that was made there.
    assert len(lab.left.take()) == 1


# -- limits


def test_max_refuses_one_state_more(lab):
    lab.rules("pass in on wm0 keep state (max 2)\npass out no state")
    lab.left.send(*[udp(A, n, B, 53) for n in (1, 2, 3)])
    assert [p.sport for p in lab.right.take()] == [1, 2]
    assert lab.reason("state-limit") == 1


def test_the_table_has_a_limit(lab):
    lab.rules("set limit states 5\npass in on wm0\npass out no state")
    lab.left.send(*[udp(A, n, B, 53) for n in range(1, 9)])
    assert len(lab.right.take()) == 5
    assert lab.reason("memory") == 3


def test_max_src_states_and_max_src_nodes(lab):
    lab.rules("pass in on wm0 keep state (source-track rule, max-src-states 2, max-src-nodes 2)\n"
              "pass out no state")  # fmt: skip
    lab.left.send(*[udp(A, n, B, 53) for n in (1, 2, 3)])
    assert len(lab.right.take()) == 2
    lab.left.send(udp(A + 1, 1, B, 53), udp(A + 2, 1, B, 53))
    assert [p.src for p in lab.right.take()] == [A + 1]
    assert lab.reason("src-limit") == 2
    text = lab.run("pfctl -s Sources -v")
    assert "10.0.0.9 -> 0.0.0.0 ( states 2, connections 0, rate 0.0/0s )" in text


def test_too_many_connections_fill_the_overload_table_and_flush(lab):
    lab.rules("table <bad> persist\nblock in quick from <bad>\n"
              "pass in on wm0 proto tcp keep state (max-src-conn 2, overload <bad> flush)\n"
              "pass out no state")  # fmt: skip
    connect(lab, 1001)
    connect(lab, 1002)
    assert len(lab.states()) == 2
    a = Peer(lab, lab.left, A, 1003, B, 80)
    a.send(SYN)
    lab.right.send(tcp(B, 80, A, 1003, SYN | ACK, 5000, 1001))
    a.ack = 5001
    a.send(ACK)
    assert lab.run("pfctl -t bad -T show").split() == ["10.0.0.9"]
    assert lab.states() == []
    lab.right.take()
    a.send(SYN)
    assert lab.right.none()


def test_too_fast_connections_exceed_the_rate(lab):
    lab.rules("table <bad> persist\n"
              "pass in on wm0 proto tcp keep state (max-src-conn-rate 3/10, overload <bad>)\n"
              "pass out no state")  # fmt: skip
    for port in (1, 2, 3):
        connect(lab, port)
    lab.wait(11)
    for port in (4, 5, 6):
        connect(lab, port)
    assert lab.run("pfctl -t bad -T show").split() == []
    a = Peer(lab, lab.left, A, 7, B, 80)
    a.send(SYN)
    lab.right.send(tcp(B, 80, A, 7, SYN | ACK, 5000, 1001))
    a.ack = 5001
    a.send(ACK)
    assert lab.run("pfctl -t bad -T show").split() == ["10.0.0.9"]


# -- modulate and synproxy


def test_modulate_state_changes_numbers_both_ways(lab):
    lab.rules("pass in on wm0 proto tcp modulate state\npass out no state")
    a = Peer(lab, lab.left, A, 1025, B, 80)
    a.send(SYN, seq=42)
    got = lab.right.one()
    assert got.seq != 42
    shown = got.seq
    lab.right.send(tcp(B, 80, A, 1025, SYN | ACK, 9000, shown + 1))
    back = lab.left.one()
    assert back.ack == 43
    assert back.seq != 9000
    a.ack = back.seq + 1
    a.send(ACK, b"data")
    got = lab.right.one()
    assert (got.seq, got.ack, got.data) == (shown + 1, 9001, b"data")
    # A selective acknowledgement is of numbers that the other side knows.
    sack = b"\1\1\x05\x0a" + (shown + 1).to_bytes(4, "big") + (shown + 5).to_bytes(4, "big")
    lab.right.send(tcp(B, 80, A, 1025, ACK, 9001, shown + 1, options=sack))
    got = lab.left.one()
    assert got.options[4:12] == (43).to_bytes(4, "big") + (47).to_bytes(4, "big")


def test_an_error_about_a_modulated_segment_is_about_the_original(lab):
    lab.rules("pass in on wm0 proto tcp modulate state\npass out no state")
    a = Peer(lab, lab.left, A, 1025, B, 80)
    a.send(SYN, seq=42)
    got = lab.right.one()
    lab.right.send(icmp_error(B, A, 3, 1, quote(got.raw)))
    assert lab.left.one().data[24:28] == (42).to_bytes(4, "big")


def test_synproxy_answers_first_and_connects_afterwards(lab):
    lab.rules("block in\npass in on wm0 proto tcp to port 7 synproxy state\npass on wm1 no state\n"
              "pass out on wm0 no state")  # fmt: skip
    lab.left.send(tcp(A, 1025, B, 7, SYN, 1000, options=b"\x02\x04\x05\xb4"))
    assert lab.right.none()
    got = lab.left.one()
    assert (got.src, got.flags, got.ack, got.win) == (B, SYN | ACK, 1001, 0)
    assert lab.states()[0].endswith("PROXY:SRC") or "PROXY:SRC" in lab.states()[0]
    lab.left.send(tcp(A, 1025, B, 7, ACK, 1001, got.seq + 1, win=4000))
    syn = lab.right.one()
    assert (syn.src, syn.flags, syn.sport) == (A, SYN, 1025)
    lab.right.send(tcp(B, 7, A, 1025, SYN | ACK, 70000, syn.seq + 1, win=5000))
    ack = lab.right.one()
    assert (ack.flags, ack.seq, ack.ack, ack.win) == (ACK, syn.seq + 1, 70001, 4000)
    update = lab.left.one()
    assert (update.flags, update.seq, update.win) == (ACK, got.seq + 1, 5000)
    lab.left.send(tcp(A, 1025, B, 7, PUSH | ACK, 1001, got.seq + 1, b"echo me"))
    data = lab.right.one()
    assert (data.seq, data.ack, data.data) == (syn.seq + 1, 70001, b"echo me")
    lab.right.send(tcp(B, 7, A, 1025, PUSH | ACK, 70001, data.seq + 7, b"echo me"))
    back = lab.left.one()
    assert (back.seq, back.ack, back.data) == (got.seq + 1, 1008, b"echo me")


def test_synproxy_with_rdr_shows_the_client_the_address_it_asked(lab):
    lab.rules("rdr on wm0 proto tcp from any to 10.0.0.1 port 7 -> 10.0.1.9 port 7007\n"
              "block in\npass in on wm0 proto tcp synproxy state\npass on wm1 no state\n"
              "pass out on wm0 no state")  # fmt: skip
    gw = 0x0A000001
    lab.left.send(tcp(A, 1025, gw, 7, SYN, 1000))
    got = lab.left.one()
    assert (got.src, got.sport) == (gw, 7)
    lab.left.send(tcp(A, 1025, gw, 7, ACK, 1001, got.seq + 1))
    syn = lab.right.one()
    assert (syn.dst, syn.dport) == (B, 7007)
    lab.right.send(tcp(B, 7007, A, 1025, SYN | ACK, 70000, syn.seq + 1))
    assert lab.left.one().src == gw
    lab.left.send(tcp(A, 1025, gw, 7, PUSH | ACK, 1001, got.seq + 1, b"x"))
    assert [p.data for p in lab.right.take() if p.data] == [b"x"]


@pytest.mark.parametrize(
    "packet", [b"", b"\x45", bytes(20), ip4(A, B, 17, b""), ip4(A, B, 6, b"xx")]
)
def test_packets_without_what_they_claim_are_dropped(lab, packet):
    lab.rules("pass")
    lab.left.send(packet)
    assert lab.right.none()


def test_a_udp_length_that_is_a_lie_is_short(lab):
    lab.rules("pass in")
    packet = bytearray(udp(A, 1, B, 2, b"data"))
    packet[24:26] = b"\0\xff"
    lab.left.send(bytes(packet))
    assert lab.right.none()
    assert lab.reason("short") == 1
    assert in_cksum(bytes(packet[:20])) == 0
