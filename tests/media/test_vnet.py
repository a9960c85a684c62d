"""virtio-net's header: marks out and in, against scapy and the offload room as oracles."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import Ether

from libnet.media import vnet
from libnet.media.offload import complete, cut
from libnet.media.port import CSUM_IP4, CSUM_L4, marked
from libnet.wire.cksum import pseudo_sum


def undone(packet, offset, *, gso_size=0, csum=CSUM_IP4 | CSUM_L4):
    """Return *packet*'s octets with both checksums undone, marked."""
    good = bytes(packet)
    work = bytearray(good)
    proto = packet[IP].proto
    src, dst = (int.from_bytes(good[at : at + 4], "big") for at in (26, 30))
    value = pseudo_sum(src, dst, proto, len(good) - 34)
    value = (value & 0xFFFF) + (value >> 16)
    work[34 + offset : 36 + offset] = value.to_bytes(2, "big")
    if csum & CSUM_IP4:
        work[24:26] = b"\0\0"
    return good, marked(bytes(work), csum=csum, gso_size=gso_size)


def test_an_undone_udp_sum_is_told_where_it_begins_and_goes():
    good, frame = undone(Ether() / IP(src="10.0.0.1", dst="10.0.0.2") / UDP() / b"hello", 6)
    ((head, body),) = vnet.wrap(frame)
    assert vnet.HDR.unpack(head) == (vnet.NEEDS_CSUM, 0, 0, 0, 34, 6)
    assert body[24:26] == good[24:26]  # IPv4's own sum is done
    assert complete(marked(bytes(body), csum=CSUM_L4)) == good


def test_a_super_frame_goes_out_whole():
    packet = Ether() / IP(src="10.0.0.1", dst="10.0.0.2") / TCP(flags="PA") / bytes(9000)
    _good, frame = undone(packet, 16, gso_size=1448)
    ((head, body),) = vnet.wrap(frame)
    assert vnet.HDR.unpack(head) == (vnet.NEEDS_CSUM, vnet.GSO_TCPV4, 54, 1448, 34, 16)
    back = vnet.unwrap(head + body)
    assert (back.csum, back.gso_size) == (CSUM_L4, 1448)
    assert cut(back) == cut(frame)


def test_plain_frames_have_an_empty_header():
    assert vnet.wrap(b"\2" * 60) == [(bytes(vnet.HDR_LEN), b"\2" * 60)]
    assert type(vnet.unwrap(bytes(vnet.HDR_LEN) + b"\2" * 60)) is bytes


@given(st.binary(max_size=200), st.integers(0, 255), st.integers(0, 65535))
def test_any_frame_is_wrapped_and_any_octets_are_unwrapped(octets, csum, gso_size):
    pairs = vnet.wrap(marked(octets, csum=csum & 3, gso_size=gso_size))
    assert all(len(head) == vnet.HDR_LEN for head, _body in pairs)
    assert len(vnet.unwrap(octets)) == max(0, len(octets) - vnet.HDR_LEN)
