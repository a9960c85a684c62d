"""Undone checksums and uncut segments, against scapy's own arithmetic."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

logging.getLogger("scapy.runtime").setLevel(logging.ERROR)
scapy = pytest.importorskip("scapy.layers.inet")
from scapy.layers.inet import ICMP, IP, TCP, UDP  # noqa: E402
from scapy.layers.inet6 import IPv6  # noqa: E402
from scapy.layers.l2 import Dot1Q, Ether  # noqa: E402

from libnet.media.offload import complete, cut, fit  # noqa: E402
from libnet.media.port import (  # noqa: E402
    CSUM_IP4,
    CSUM_L4,
    MAX_FRAME,
    TAKES_ALL,
    TAKES_GSO,
    marked,
)

HARD = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
ADDR = {"src": "10.1.2.3", "dst": "192.168.77.9"}


def pseudo_sum(packet, proto, length):
    if IP in packet:
        octets = bytes(packet[IP])[12:20] + bytes([0, proto]) + length.to_bytes(2, "big")
    else:
        octets = bytes(packet[IPv6])[8:40] + length.to_bytes(4, "big") + bytes([0, 0, 0, proto])
    total = sum(int.from_bytes(octets[i : i + 2], "big") for i in range(0, len(octets), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def undone(packet, proto, at):
    """Return (the right frame, the same with its transport checksum undone)."""
    right = bytes(packet)
    start = right.index(bytes(packet[{6: TCP, 17: UDP}[proto]]))
    value = pseudo_sum(packet, proto, len(right) - start)
    wrong = bytearray(right)
    wrong[start + at : start + at + 2] = value.to_bytes(2, "big")
    return right, bytes(wrong)


@given(st.binary(max_size=200), st.booleans(), st.booleans())
@settings(max_examples=40)
def test_an_undone_checksum_becomes_what_scapy_computes(payload, tcp, tagged):
    layer, proto, at = (TCP(seq=7), 6, 16) if tcp else (UDP(sport=9, dport=53), 17, 6)
    head = HARD / Dot1Q(vlan=5) if tagged else HARD
    right, wrong = undone(Ether(bytes(head / IP(**ADDR) / layer / payload)), proto, at)
    assert complete(marked(wrong, csum=CSUM_L4)) == right


def test_the_same_over_ipv6():
    right, wrong = undone(Ether(bytes(HARD / IPv6(dst="fe80::9") / UDP() / b"odd")), 17, 6)
    assert complete(marked(wrong, csum=CSUM_L4)) == right


def test_a_udp_sum_of_zero_is_sent_as_all_ones():
    # The payload is chosen so that everything adds up to 0xffff.
    base = Ether(bytes(HARD / IP(**ADDR) / UDP(sport=0, dport=0) / b"\0\0"))
    fill = (0xFFFF - pseudo_sum(base, 17, 10) - 10) % 0xFFFF
    packet = Ether(bytes(HARD / IP(**ADDR) / UDP(sport=0, dport=0) / fill.to_bytes(2, "big")))
    right, wrong = undone(packet, 17, 6)
    assert right[40:42] == b"\xff\xff"
    assert complete(marked(wrong, csum=CSUM_L4)) == right


def test_link_padding_does_not_count():
    right, wrong = undone(Ether(bytes(HARD / IP(**ADDR) / UDP() / b"a")), 17, 6)
    assert complete(marked(wrong + b"junk", csum=CSUM_L4)) == right + b"junk"


def test_an_undone_header_checksum():
    right = bytes(HARD / IP(**ADDR, options=b"\x01\x01\x01\x00") / ICMP())
    wrong = right[:24] + b"\xaa\xbb" + right[26:]
    assert complete(marked(wrong, csum=CSUM_IP4)) == right


@given(
    st.integers(1, 20000),
    st.integers(200, 9000),
    st.sampled_from(["A", "PA", "FA", "FPA", "CA", "CEA"]),
    st.integers(0, 2**32 - 1),
    st.integers(0, 0xFFFF),
)
@settings(max_examples=30, deadline=None)
def test_segments_are_what_a_sender_without_offload_would_send(length, size, flags, seq, ident):
    payload = bytes(n * 7 & 0xFF for n in range(length))
    head = HARD / IP(**ADDR, id=ident, flags="DF")
    big = bytes(head / TCP(seq=seq, flags=flags, options=[("NOP", None)] * 4) / payload)
    got = cut(marked(big, csum=CSUM_IP4 | CSUM_L4, gso_size=size))
    want = []
    for number, at in enumerate(range(0, length, size)):
        last = at + size >= length
        keep = "".join(
            f for f in flags if not (f in "FP" and not last) and not (f == "C" and number)
        )
        layer = TCP(seq=(seq + at) % 2**32, flags=keep, options=[("NOP", None)] * 4)
        ip = IP(**ADDR, id=(ident + number) & 0xFFFF, flags="DF")
        want.append(bytes(HARD / ip / layer / payload[at : at + size]))
    assert got == want


def test_fit_leaves_to_each_receiver_what_it_takes():
    big = marked(bytes(HARD / IP(**ADDR) / TCP() / bytes(3000)), csum=CSUM_L4, gso_size=1000)
    plain = bytes(60)
    assert fit([plain, big], TAKES_ALL) == [plain, big]
    assert [len(f) for f in fit([plain, big])] == [60, 1054, 1054, 1054]
    kept = fit([big], TAKES_GSO)
    assert kept[0].gso_size == 1000


@given(st.binary(max_size=120), st.integers(0, 3), st.integers(0, 0xFFFF))
def test_any_octets_come_out_as_plain_frames(octets, csum, size):
    for head in (b"", bytes(12) + b"\x08\x00\x45", bytes(12) + b"\x86\xdd\x60"):
        out = cut(marked(head + octets, csum=csum, gso_size=size))
        assert out
        assert all(type(f) is bytes and len(f) <= MAX_FRAME for f in out)
