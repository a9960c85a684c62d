"""IPv6 on the same code: packets handed in, since the engine carries none yet."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libnet.engine.kern.mbuf import Mbuf
from libnet.engine.pf.packet import pseudo
from libnet.errors import NetError
from libnet.wire.cksum import in_cksum
from tests.engine.pf.pflab import ACK, RST, SYN, PfLab

A6 = 0x20010DB8004200000000000000000009
B6 = 0x20010DB8004300000000000000000009
GW6 = 0x20010DB8004300000000000000000001
IN, OUT = 1, 2


def ip6(src: int, dst: int, proto: int, body: bytes, *, hlim: int = 64) -> bytes:
    """An IPv6 packet."""
    head = b"\x60\0\0\0" + struct.pack("!HBB", len(body), proto, hlim)
    return head + src.to_bytes(16, "big") + dst.to_bytes(16, "big") + body


def summed(src: int, dst: int, proto: int, body: bytes, at: int) -> bytes:
    """Put the checksum in its place."""
    cksum = in_cksum(body, pseudo(24, src, dst, proto, len(body)))
    return body[:at] + cksum.to_bytes(2, "big") + body[at + 2 :]


def udp6(src: int, sport: int, dst: int, dport: int, data: bytes = b"") -> bytes:
    body = struct.pack("!HHHH", sport, dport, 8 + len(data), 0) + data
    return ip6(src, dst, 17, summed(src, dst, 17, body, 6))


def tcp6(src, sport, dst, dport, flags, seq=0, ack=0, data=b"", options=b"") -> bytes:
    off = (20 + len(options)) << 2
    body = (
        struct.pack("!HHIIBBHHH", sport, dport, seq, ack, off, flags, 8192, 0, 0) + options + data
    )
    return ip6(src, dst, 6, summed(src, dst, 6, body, 16))


def icmp6(src, dst, kind, code, rest: bytes) -> bytes:
    body = struct.pack("!BBH", kind, code, 0) + rest
    return ip6(src, dst, 58, summed(src, dst, 58, body, 2))


def echo6(src, dst, ident, kind=128) -> bytes:
    return icmp6(src, dst, kind, 0, struct.pack("!HH", ident, 1) + b"data")


def ok(packet: bytes) -> None:
    """Check the transport checksum."""
    src, dst = int.from_bytes(packet[8:24], "big"), int.from_bytes(packet[24:40], "big")
    body = packet[40:]
    assert in_cksum(body, pseudo(24, src, dst, packet[6], len(body))) == 0


class Lab6(PfLab):
    """A router whose pf gets IPv6 packets by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[bytes] = []
        self.pf.output6 = lambda m: self.sent.append(m.data)

    def give(self, packet: bytes, name: str = "wm0", way: int = IN) -> bytes | None:
        """Show a packet to the hook; return what is left of it."""
        ifp = self.stack.ifunit(name)
        m = Mbuf(packet, ifp)
        got = self.pf.hook6(m, ifp, way)
        return None if got is None else got.data

    def through(self, packet: bytes) -> bytes | None:
        """Show a packet in on the left and out on the right."""
        got = self.give(packet)
        return None if got is None else self.give(got, "wm1", OUT)

    def back(self, packet: bytes) -> bytes | None:
        """Show a packet in on the right and out on the left."""
        got = self.give(packet, "wm1")
        return None if got is None else self.give(got, "wm0", OUT)


@pytest.fixture
def lab6():
    return Lab6()


def test_icmp_does_not_let_icmpv6_through(lab6):
    lab6.rules("block in\npass in proto icmp")
    assert lab6.give(echo6(A6, B6, 1)) is None
    lab6.rules("block in\npass in inet6 proto icmp6 icmp6-type echoreq")
    assert lab6.give(echo6(A6, B6, 1)) is not None
    assert lab6.give(icmp6(A6, B6, 135, 0, bytes(20))) is None


def test_states_of_udp_tcp_and_echo(lab6):
    lab6.rules("block in\npass in on wm0 inet6 from 2001:db8:42::/64 to any\npass out inet6")
    for there, here in (
        (udp6(A6, 1, B6, 53), udp6(B6, 53, A6, 1)),
        (tcp6(A6, 1, B6, 80, SYN, 10), tcp6(B6, 80, A6, 1, SYN | ACK, 70, 11)),
        (echo6(A6, B6, 9), echo6(B6, A6, 9, 129)),
    ):
        assert lab6.back(here) is None
        assert lab6.through(there) == there
        assert lab6.back(here) == here
    assert "2001:db8:43::9[53] <- 2001:db8:42::9[1]" in lab6.run("pfctl -s state")
    assert lab6.give(udp6(A6 + (1 << 64), 1, B6, 53)) is None


def test_an_error_passes_by_the_packet_that_it_quotes(lab6):
    lab6.rules("block in\npass in on wm0 inet6\npass out inet6")
    sent = lab6.through(udp6(A6, 1, B6, 53))
    error = icmp6(B6, A6, 1, 4, bytes(4) + sent[:48])
    assert lab6.back(error) == error
    assert lab6.back(icmp6(B6, A6 + 1, 1, 4, bytes(4) + sent[:48])) is None
    assert lab6.back(icmp6(B6, A6, 1, 4, bytes(4) + udp6(A6, 2, B6, 53)[:48])) is None


def test_nat_and_rdr_mend_the_checksums(lab6):
    lab6.rules("nat on wm1 inet6 from 2001:db8:42::/64 to any -> 2001:db8:43::1\n"
               "rdr on wm1 inet6 proto tcp from any to 2001:db8:43::1 port 80 -> 2001:db8:42::9 port 8000\n"
               "pass")  # fmt: skip
    got = lab6.through(udp6(A6, 1025, B6, 53, b"question"))
    ok(got)
    assert int.from_bytes(got[8:24], "big") == GW6
    port = int.from_bytes(got[40:42], "big")
    answer = lab6.back(udp6(B6, 53, GW6, port, b"answer"))
    ok(answer)
    assert answer[24:40] == A6.to_bytes(16, "big")
    assert answer[42:44] == (1025).to_bytes(2, "big")
    request = lab6.back(tcp6(B6, 9, GW6, 80, SYN, 1000))
    ok(request)
    assert request[24:40] + request[42:44] == A6.to_bytes(16, "big") + (8000).to_bytes(2, "big")
    reply = lab6.through(tcp6(A6, 8000, B6, 9, SYN | ACK, 5000, 1001))
    ok(reply)
    assert reply[8:24] + reply[40:42] == GW6.to_bytes(16, "big") + (80).to_bytes(2, "big")
    quoted = got[:48]
    error = lab6.back(icmp6(B6, GW6, 1, 4, bytes(4) + quoted))
    ok(error)
    assert error[24:40] == A6.to_bytes(16, "big")
    assert error[48 + 8 : 48 + 24] == A6.to_bytes(16, "big")


def test_echo_through_nat(lab6):
    lab6.rules("nat on wm1 inet6 from any to any -> 2001:db8:43::1\npass")
    one, two = lab6.through(echo6(A6, B6, 42)), lab6.through(echo6(A6 + 1, B6, 42))
    ok(one), ok(two)
    assert one[44:46] != two[44:46]
    back = lab6.back(echo6(B6, GW6, int.from_bytes(two[44:46], "big"), 129))
    ok(back)
    assert back[24:40] == (A6 + 1).to_bytes(16, "big")
    assert back[44:46] == (42).to_bytes(2, "big")


def test_modulate_and_max_mss(lab6):
    lab6.rules(
        "scrub in max-mss 1300\npass in on wm0 inet6 proto tcp modulate state\npass out inet6 no state"
    )
    got = lab6.through(tcp6(A6, 1, B6, 80, SYN, 42, options=b"\x02\x04\x05\x78"))
    ok(got)
    assert got[44:48] != (42).to_bytes(4, "big")
    assert got[60:64] == b"\x02\x04" + (1300).to_bytes(2, "big")


def test_min_ttl(lab6):
    lab6.rules("scrub in min-ttl 50\npass")
    assert lab6.give(ip6(A6, B6, 99, b"x", hlim=40))[7] == 50


def test_block_return_answers_in_kind(lab6):
    lab6.rules("block return in inet6")
    assert lab6.give(tcp6(A6, 1, B6, 80, SYN, 100)) is None
    (reset,) = lab6.sent
    ok(reset)
    assert reset[8:24] == B6.to_bytes(16, "big")
    assert (reset[53], reset[48:52]) == (RST | ACK, (101).to_bytes(4, "big"))
    lab6.sent.clear()
    assert lab6.give(udp6(A6, 1, B6, 53)) is None
    (error,) = lab6.sent
    ok(error)
    assert error[40:42] == b"\1\4"
    assert error[48:] == udp6(A6, 1, B6, 53)
    lab6.sent.clear()
    assert lab6.give(icmp6(A6, B6, 1, 4, bytes(60))) is None
    assert lab6.sent == []


def ifaddr6(lab, name: str, addr: int) -> None:
    """Give an interface an IPv6 address of a /64."""
    from libnet.engine.link.ifnet import Ifaddr

    ifp = lab.stack.ifunit(name)
    ifa = Ifaddr(ifp, 24, addr, ((1 << 64) - 1) << 64)
    ifp.addrs.append(ifa)
    lab.stack.pfil.event("newaddr", ifp, ifa)


def test_no_route_and_urpf_failed_ask_for_the_way_back(lab6):
    ifaddr6(lab6, "wm0", A6 - 8)
    ifaddr6(lab6, "wm1", GW6)
    strange = 0x20010DB8009900000000000000000009
    lab6.rules("block in from no-route to any\nblock in from any to no-route")
    assert lab6.give(udp6(A6, 1, B6, 53)) is not None
    assert lab6.give(udp6(strange, 1, B6, 53)) is None
    assert lab6.give(udp6(A6, 1, strange, 53)) is None
    lab6.rules("block in from urpf-failed to any")
    lab6.run("pfctl -F states", err=True)
    assert lab6.give(udp6(A6, 1, B6, 53)) is not None
    assert lab6.give(udp6(B6, 1, A6, 53)) is None
    assert lab6.give(udp6(strange, 1, B6, 53)) is None
    # A routing table that the engine has one day is asked in the place of the interfaces.
    lab6.pf.route6 = lambda addr: [lab6.stack.ifunit("wm0")] if addr == strange else []
    assert lab6.give(udp6(strange, 1, B6, 53)) is not None
    assert lab6.give(udp6(B6, 7, A6, 53)) is None


def test_a_dynamic_address_has_both_families(lab6):
    ifaddr6(lab6, "wm1", GW6)
    ifaddr6(lab6, "wm1", 0xFE80 << 112 | 1)
    lab6.rules("block in\npass in from (wm1:network) to any no state")
    assert lab6.run("pfctl -a _pf -t wm1:network -T show") == (
        "   10.0.1.0/24\n   2001:db8:43::/64\n"
    )
    assert lab6.give(udp6(B6, 1, A6, 53), "wm1") is not None
    assert lab6.give(udp6(A6, 1, B6, 53)) is None


def test_a_locally_sent_packet_that_is_blocked_raises(lab6):
    lab6.rules("block out inet6")
    m = Mbuf(udp6(A6, 1, B6, 53))
    with pytest.raises(NetError) as caught:
        lab6.pf.hook6(m, lab6.stack.ifunit("wm1"), OUT)
    assert caught.value.symbol == "EHOSTUNREACH"


def test_routing_and_hop_headers_need_allow_opts(lab6):
    packet = ip6(A6, B6, 0, bytes((17, 0, 1, 4, 0, 0, 0, 0)) + udp6(A6, 1, B6, 53)[40:])
    lab6.rules("pass in")
    assert lab6.give(packet) is None
    lab6.rules("pass in allow-opts")
    lab6.run("pfctl -F states", err=True)
    assert lab6.give(packet) == packet


def test_fragments_are_judged_by_addresses_alone(lab6):
    fragment = ip6(A6, B6, 44, bytes((17, 0, 0, 1)) + bytes(4) + bytes(16))
    lab6.rules("block in\npass in inet6 proto udp to any port 53")
    assert lab6.give(fragment) is None
    lab6.rules("block in\npass in inet6 proto udp from 2001:db8:42::/64 fragment")
    assert lab6.give(fragment) == fragment


def test_counters_and_interfaces_keep_families_apart(lab6):
    lab6.rules("pass")
    lab6.give(udp6(A6, 1, B6, 53))
    text = lab6.run("pfctl -vvsI -i wm0")
    assert "In6/Pass:    [ Packets: 1" in text


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.binary(max_size=120), st.sampled_from([0, 6, 17, 43, 44, 51, 58, 60]), st.booleans())
def test_any_octets_are_judged(octets, proto, whole):
    lab = _shared()
    packet = ip6(A6, B6, proto, octets) if whole else octets
    try:
        lab.give(packet)
    except NetError as exc:
        assert exc.symbol == "EHOSTUNREACH"


_LAB: list[Lab6] = []


def _shared() -> Lab6:
    if not _LAB:
        _LAB.append(Lab6())
        _LAB[0].rules("scrub all reassemble tcp\nblock return in\n"
                      + "pass in inet6 keep state\npass out inet6")  # fmt: skip
    return _LAB[0]
