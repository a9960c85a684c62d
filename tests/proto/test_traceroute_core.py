"""The core of traceroute: what it makes of any octets, and of labels."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from libnet.proto.traceroute import TraceConf, Traceroute, mpls_text
from libnet.wire.cksum import in_cksum
from libnet.wire.icmp import icmp_build
from libnet.wire.ipv4 import ip_build

HERE, THERE = 0x0A000001, 0x0A000102


def trace(**conf):
    made = Traceroute(
        TraceConf("far", THERE, HERE, **conf), ident=7, epoch_s=1e9, name_of=lambda addr: None
    )
    made.start(0.0)
    packet = made.take_packet()
    made.sent(0.0, took=len(packet))
    return made, packet


def text(made):
    return "".join(part for stream, part in made.take_output() if stream == 0)


@given(st.binary(max_size=80), st.sampled_from([0, 3, 11]), st.booleans())
def test_any_octets_are_taken_and_at_most_shown(octets, kind, verbose):
    made, _packet = trace(verbose=int(verbose))
    made.datagram_input(octets, 0.1)
    quoting = icmp_build(kind, 0, 0, octets)
    made.datagram_input(ip_build(quoting, src=5, dst=HERE, proto=1), 0.2)
    assert not made.done
    assert made.next_due() == 5.0


def test_an_answer_that_is_late_belongs_to_nobody():
    made, packet = trace(nprobes=2)
    made.run(5.0)
    answer = ip_build(icmp_build(11, 0, 0, packet[:28]), src=5, dst=HERE, proto=1)
    second = made.take_packet()
    made.sent(5.0, took=len(second))
    made.datagram_input(answer, 5.1)
    assert text(made) == " 1  *"
    answer = ip_build(icmp_build(11, 0, 0, second[:28]), src=5, dst=HERE, proto=1)
    made.datagram_input(answer, 5.25)
    assert text(made) == " 0.0.0.5 (0.0.0.5)  250.000 ms\n"


def test_what_the_stack_refuses_is_told_and_waited_for():
    made = Traceroute(TraceConf("far", THERE, HERE), ident=7, epoch_s=0, name_of=lambda addr: None)
    made.start(0.0)
    made.take_packet()
    made.sent(0.0, error="EHOSTUNREACH")
    output = made.take_output()
    assert (1, "traceroute: sendto: No route to host\n") in output
    assert (0, "traceroute: wrote far 40 chars, ret=-1\n") in output
    made.run(5.0)
    assert text(made) == " *"


def test_labels_of_an_extension_are_shown():
    label = (16 << 12 | 3 << 9 | 1 << 8 | 64).to_bytes(4, "big")
    obj = (8).to_bytes(2, "big") + b"\1\1" + label
    head = b"\x20\0\0\0"
    cksum = in_cksum(head + obj).to_bytes(2, "big")
    message = bytes(8 + 128) + head[:2] + cksum + obj
    assert mpls_text(message) == " [MPLS: Label 16 Exp 3]"
    assert mpls_text(message[:-1]) == ""
    assert mpls_text(message[:138] + b"\xff\xff" + message[140:]) == ""


@given(st.binary(max_size=200))
def test_any_message_has_labels_or_none(octets):
    assert isinstance(mpls_text(octets), str)
    assert isinstance(mpls_text(bytes(136) + b"\x20\0\0\0" + octets), str)
