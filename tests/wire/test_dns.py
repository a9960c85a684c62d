"""DNS messages: vectors first, then what holds for all octets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libnet.wire import Malformed, Truncated
from libnet.wire.dns import (
    T_A,
    T_CNAME,
    T_PTR,
    Message,
    Question,
    Record,
    pack_name,
    query,
    read_name,
)

# RFC 1035 4.1.4's way of writing an answer: the names point to the question's.
ANSWER = bytes.fromhex(
    "1234 8180 0001 0002 0000 0000"
    "03777777 076578616d706c65 036e6574 00 0001 0001"
    "c00c 0005 0001 00000e10 0004 01 61 c010"
    "c02d 0001 0001 00000e10 0004 0a000007"
)


def test_a_query_is_built_and_read():
    octets = query(0x1234, "www.example.net", T_A)
    assert octets.hex() == (
        "12340100000100000000000003777777076578616d706c65036e6574000001" + "0001"
    )
    message = Message.parse(octets)
    assert message.questions == (Question("www.example.net", T_A),)
    assert message.build() == octets


def test_compressed_names_of_an_answer_are_read():
    message = Message.parse(ANSWER)
    alias, address = message.answers
    assert (alias.name, alias.type, alias.target) == ("www.example.net", T_CNAME, "a.example.net")
    assert (address.name, address.data, address.ttl) == ("a.example.net", b"\n\0\0\7", 3600)
    assert message.rcode == 0


@pytest.mark.parametrize("end", range(12, len(ANSWER)))
def test_a_cut_answer_is_refused(end):
    with pytest.raises(Truncated):
        Message.parse(ANSWER[:end])


@pytest.mark.parametrize(
    ("octets", "error"),
    [
        (b"\xc0\x00", Malformed),  # itself
        (b"\xc0\x05", Malformed),  # forward
        (b"\x01a\xc0\x00", Malformed),  # a loop
        (b"\x40", Malformed),
        (b"\x05ab", Truncated),
        (b"\xc0", Truncated),
        ((b"\x3f" + b"a" * 63) * 5, Malformed),
    ],
)
def test_a_name_that_has_no_end_is_refused(octets, error):
    with pytest.raises(error):
        read_name(octets, 0)


def test_octets_that_are_no_text_are_escaped():
    name, end = read_name(b"\x04a.\\\x00\x01b\x00", 0)
    assert (name, end) == (r"a\046\092\000.b", 8)
    assert pack_name(name) == b"\x04a.\\\x00\x01b\x00"


@pytest.mark.parametrize("name", ["a..b", ".a", "é", "a" * 64, "a." * 130, "\\1", "\\256"])
def test_what_cannot_be_a_name_is_refused(name):
    with pytest.raises(ValueError, match=": "):
        pack_name(name)


LABEL = st.binary(min_size=1, max_size=20)


@given(st.lists(LABEL, max_size=8))
def test_any_name_is_read_back(labels):
    octets = b"".join(bytes((len(label),)) + label for label in labels) + b"\0"
    name, end = read_name(octets, 0)
    assert end == len(octets)
    assert pack_name(name) == octets


@given(st.one_of(st.binary(max_size=100), st.binary(max_size=60).map(lambda b: ANSWER[:20] + b)))
def test_any_octets_are_read_or_refused(octets):
    try:
        message = Message.parse(octets)
    except (Truncated, Malformed):
        return
    again = Message.parse(message.build())
    assert again.questions == message.questions
    assert [one.name for one in again.answers] == [one.name for one in message.answers]


def test_a_pointer_record_has_its_target():
    record = Record("1.0.0.10.in-addr.arpa", T_PTR, b"", "gate.example.net")
    message = Message(1, 0x8180, (), (record,))
    assert Message.parse(message.build()).answers[0].target == "gate.example.net"
