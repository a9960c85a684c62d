"""scrub: fragments, flags, ttl, mss, timestamps."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.engine.pf.pflab import (
    ACK,
    FIN,
    PUSH,
    RST,
    SYN,
    URG,
    A,
    B,
    PfLab,
    connect,
    echo,
    ip4,
    see,
    tcp,
    udp,
)

MF = 0x2000
DF = 0x4000


def fragments(packet: bytes, *sizes: int, ident: int = 7, df: int = 0) -> list[bytes]:
    """Cut a packet; sizes in octets, multiples of 8 but for the rest."""
    body, out, at = packet[20:], [], 0
    proto = packet[9]
    for size in [*sizes, len(body)]:
        part = body[at : at + size]
        if not part:
            break
        more = MF if at + len(part) < len(body) else 0
        out.append(ip4(A, B, proto, part, ident=ident, off=at >> 3 | more | df))
        at += len(part)
    return out


def test_fragments_are_put_together_and_filtered_whole(lab):
    whole = echo(A, B, 42, size=1992)
    pieces = fragments(whole, 800, 800)
    lab.rules("block in\npass in inet proto icmp icmp-type echoreq\npass out")
    lab.left.send(*pieces)
    assert lab.right.none()
    lab.rules("scrub in\nblock in\npass in inet proto icmp icmp-type echoreq\npass out")
    for order in (pieces, pieces[::-1]):
        lab.left.send(*order)
        got = lab.right.take()
        # The whole is larger than the next wire takes, and is cut again there.
        assert b"".join(p.raw[20:] for p in got) == whole[20:]


def test_without_scrub_only_rules_without_ports_see_later_fragments(lab):
    pieces = fragments(udp(A, 1, B, 53, bytes(100)), 48)
    lab.rules("block in\npass in proto udp to port 53 no state\npass out no state")
    lab.left.send(*pieces)
    assert lab.right.none()
    lab.rules("block in\npass in fragment\npass out no state")
    lab.left.send(*pieces)
    assert len(lab.right.take()) == 2
    lab.left.send(udp(A, 1, B, 53))
    assert lab.right.none()


def test_a_fragment_that_must_not_be_one_is_dropped_unless_no_df(lab):
    pieces = fragments(udp(A, 1, B, 53, bytes(100)), 48, df=DF)
    lab.rules("scrub in\npass")
    lab.left.send(*pieces)
    assert lab.right.none()
    assert lab.reason("normalize") == 2
    lab.rules("scrub in no-df\npass")
    lab.left.send(*pieces)
    assert len(lab.right.one().data) == 100


def test_fragments_with_holes_end_with_the_time(lab):
    lab.rules("scrub in\npass")
    pieces = fragments(udp(A, 1, B, 53, bytes(100)), 48)
    lab.left.send(pieces[0])
    assert lab.pf.norm.count == 1
    lab.wait(31)
    assert lab.pf.norm.count == 0
    lab.left.send(pieces[1])
    assert lab.right.none()


def test_the_number_of_fragments_is_limited(lab):
    lab.rules("set limit frags 5\nscrub in\npass")
    for n in range(20):
        lab.left.send(ip4(A, B, 17, bytes(16), ident=n, off=MF))
    assert lab.pf.norm.count == 5
    assert lab.reason("memory") == 15


def test_odd_sizes_and_ends_beyond_a_datagram_are_dropped(lab):
    lab.rules("scrub in\npass")
    lab.left.send(ip4(A, B, 17, bytes(15), off=MF), ip4(A, B, 17, bytes(800), off=8190))
    assert lab.right.none()
    assert lab.reason("fragment") == 2


@settings(
    max_examples=40, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(
    st.sampled_from(["reassemble", "crop", "drop-ovl"]),
    st.lists(st.tuples(st.integers(0, 12), st.integers(1, 6), st.booleans()), max_size=12),
)
def test_overlaps_give_one_right_answer_or_none(method, cuts):
    """Whatever overlaps, no octet passes twice and what passes is what came first."""
    lab = PfLab()
    lab.rules(f"scrub in all fragment {method}\npass no state")
    passed: dict[int, int] = {}
    sent: list[bytes] = []
    for number, (start, size, last) in enumerate(cuts):
        body = bytes([number + 1]) * (size * 8)
        sent.append(ip4(A, B, 99, body, off=start | (0 if last else MF)))
    for packet in sent:
        lab.left.send(packet)
    for got in lab.right.take():
        at = (got.off & 0x1FFF) * 8
        for n, octet in enumerate(got.raw[20:]):
            assert (at + n) not in passed
            passed[at + n] = octet
    for at, octet in passed.items():
        holders = [n + 1 for n, (s, z, _l) in enumerate(cuts) if s * 8 <= at < (s + z) * 8]
        assert octet in holders
    if method == "drop-ovl" and len(cuts) > 1:
        assert len(passed) <= sum(z * 8 for _s, z, _l in cuts)


def test_crop_cuts_what_has_passed_and_drop_ovl_drops_all_that_follows(lab):
    first = ip4(A, B, 99, b"1" * 16, off=MF)
    second = ip4(A, B, 99, b"2" * 16, off=1 | MF)
    third = ip4(A, B, 99, b"3" * 16, off=4)
    lab.rules("scrub in fragment crop\npass no state")
    lab.left.send(first, second, third)
    got = lab.right.take()
    assert [(p.off & 0x1FFF, p.raw[20:]) for p in got] == [
        (0, b"1" * 16), (2, b"2" * 8), (4, b"3" * 16),
    ]  # fmt: skip
    lab.rules("scrub in fragment drop-ovl\npass no state")
    lab.wait(31)
    lab.left.send(first, second, third)
    assert [p.raw[20:] for p in lab.right.take()] == [b"1" * 16]


def test_min_ttl_and_no_scrub_before_it(lab):
    lab.rules("no scrub in from 10.0.0.10 to any\nscrub in min-ttl 50\npass")
    lab.left.send(udp(A, 1, B, 2, ttl=40))
    assert lab.right.one().ttl == 49
    lab.left.send(udp(A + 1, 1, B, 2, ttl=40))
    assert lab.right.one().ttl == 39


def test_no_df_and_random_id(lab):
    lab.rules("scrub in no-df random-id\npass")
    idents = set()
    for n in range(8):
        lab.left.send(udp(A, n + 1, B, 2, ident=9, off=DF))
        got = lab.right.one()
        assert not got.off & DF
        idents.add(got.ident)
    assert len(idents) > 5


@pytest.mark.parametrize("front", [b"", b"\1"])
def test_max_mss_lowers_the_option_wherever_it_stands(lab, front):
    lab.rules("scrub in max-mss 1300\npass")
    options = front + b"\x02\x04" + (1400).to_bytes(2, "big")
    lab.left.send(tcp(A, 1, B, 80, SYN, options=options + bytes(-len(options) & 3)))
    got = lab.right.one()
    assert got.options[len(front) + 2 : len(front) + 4] == (1300).to_bytes(2, "big")


def test_impossible_flags_are_dropped_and_odd_ones_cleared(lab):
    lab.rules("scrub in\npass no state")
    bad = (SYN | RST, 0, FIN, PUSH, URG, FIN | RST, PUSH | RST)
    lab.left.send(*[tcp(A, 1, B, 80, flags) for flags in bad])
    assert lab.right.none()
    assert lab.reason("normalize") == len(bad)
    lab.left.send(tcp(A, 1, B, 80, SYN | FIN))
    assert lab.right.one().flags == SYN
    packet = bytearray(tcp(A, 1, B, 80, ACK))
    from libnet.wire.cksum import in4_cksum

    packet[38:40] = b"\0\x09"  # urgent pointer without URG
    packet[32] |= 0x0F
    packet[36:38] = b"\0\0"
    packet[36:38] = in4_cksum(A, B, 6, bytes(packet[20:])).to_bytes(2, "big")
    lab.left.send(bytes(packet))
    got = lab.right.one()
    assert got.raw[38:40] == b"\0\0"
    assert not got.raw[32] & 0x0F


def stamp(tsval: int, tsecr: int) -> bytes:
    return b"\1\1\x08\x0a" + (tsval & 0xFFFFFFFF).to_bytes(4, "big") + tsecr.to_bytes(4, "big")


def test_reassemble_tcp_keeps_a_state_modulates_timestamps_and_drops_wrong_ones(lab):
    lab.rules("scrub all reassemble tcp\npass no state")
    lab.left.send(tcp(A, 1, B, 80, SYN, 1000, options=stamp(500, 0)))
    syn = lab.right.one()
    shown = int.from_bytes(syn.options[4:8], "big")
    assert shown != 500
    assert len(lab.states()) == 2
    lab.right.send(tcp(B, 80, A, 1, SYN | ACK, 9000, 1001, options=stamp(70, shown)))
    back = lab.left.one()
    assert int.from_bytes(back.options[8:12], "big") == 500
    theirs = int.from_bytes(back.options[4:8], "big")
    lab.left.send(tcp(A, 1, B, 80, ACK, 1001, 9001, b"data", options=stamp(501, theirs)))
    got = lab.right.one()
    assert int.from_bytes(got.options[8:12], "big") == 70
    # Far in the future: no clock runs that fast.
    lab.left.send(tcp(A, 1, B, 80, ACK, 1005, 9001, b"forged", options=stamp(5_000_000, theirs)))
    assert lab.right.none()
    assert lab.reason("bad-timestamp") == 1
    # Data without a timestamp, where all data had one.
    lab.left.send(tcp(A, 1, B, 80, ACK, 1005, 9001, b"forged"))
    assert lab.right.none()


def test_reassemble_tcp_never_lets_the_ttl_fall(lab):
    lab.rules("scrub all reassemble tcp\npass")
    a, _b = connect(lab)
    a.send(ACK, b"x", ttl=5)
    assert lab.right.one().ttl == 63


def test_scrub_makes_no_difference_to_ordinary_traffic(lab):
    lab.rules("scrub in all\nscrub out all\npass")
    packets = [udp(A, 1, B, 2, b"data"), echo(A, B, 5), tcp(A, 9, B, 80, SYN, 100)]
    lab.left.send(*packets)
    for before, after in zip(packets, lab.right.take(), strict=True):
        assert after.raw[20:] == before[20:]
        assert see(before).ident == after.ident
