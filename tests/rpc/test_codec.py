"""The RPC codec: what it carries, and that no octets harm it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libnet.addr import Sockaddr, SockaddrDl, SockaddrIn
from libnet.ioctl import sockio
from libnet.ioctl.registry import ROWS
from libnet.record import Struct
from libnet.rpc.codec import BadMessage, decode, encode

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(min_value=-(1 << 200), max_value=1 << 200)
    | st.floats(allow_nan=False)
    | st.binary(max_size=40)
    | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(VALUES)
def test_what_is_encoded_is_decoded(value):
    assert decode(encode(value)) == value


@given(st.binary(max_size=200))
def test_any_octets_decode_or_are_a_bad_message(octets):
    try:
        value = decode(octets)
    except BadMessage:
        return
    assert decode(encode(value)) == value or value != value


@given(VALUES, st.data())
def test_a_damaged_message_is_never_another_error(value, data):
    octets = bytearray(encode(value))
    for _ in range(data.draw(st.integers(1, 4))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    try:
        decode(bytes(octets))
    except BadMessage:
        return


def test_structs_travel_with_their_names():
    req = sockio.IfAliasReq("wm0", SockaddrIn(0x0A000001, 0), Sockaddr(), SockaddrIn(0xFFFFFF00))
    assert decode(encode(req)) == req
    answer = sockio.IfConf([sockio.IfReq("wm0", 0, SockaddrDl(1, 6, "wm0", b"\x02" * 6))])
    assert decode(encode(answer)) == answer


@pytest.mark.parametrize(
    "struct",
    [
        sockio.IfReq("wm0", "not a number"),
        sockio.IfReq(7, 1),
        sockio.IfConf(["no request"]),
        sockio.IfDrv("b", 1, 5),
    ],
)
def test_a_field_of_the_wrong_type_is_refused(struct):
    with pytest.raises(BadMessage):
        decode(encode(struct))


def test_a_struct_nobody_declared_is_refused():
    class Unheard(Struct):
        name: str

    octets = encode(Unheard("x")).replace(b"Unheard", b"Unhoard")
    with pytest.raises(BadMessage):
        decode(octets)


def test_deep_nesting_is_refused_both_ways():
    value: list = []
    for _ in range(40):
        value = [value]
    with pytest.raises(TypeError):
        encode(value)
    with pytest.raises(BadMessage):
        decode(b"l\0\0\0\1" * 40 + b"N")


@pytest.mark.parametrize("row", ROWS.values(), ids=lambda row: row.name)
def test_every_ioctl_has_a_word_and_an_argument_that_travels(row):
    assert 0 < row.word < 1 << 32
    if row.arg is not None and row.arg is not int:
        kinds = dict(zip(row.arg._fields, row.arg._types, strict=True))
        sample = {"str": "x", "int": 1, "bytes": b"", "bool": True}
        arg = row.arg(
            **{f: sample[k] for f, k in kinds.items() if f not in row.arg._defaults and k in sample}
        )
        assert decode(encode(arg)) == arg


WORDS = {  # NetBSD 4 <sys/sockio.h>, 32-bit
    "SIOCSIFFLAGS": 0x80206910,
    "SIOCGIFFLAGS": 0xC0206911,
    "SIOCDIFADDR": 0x80206919,
    "SIOCAIFADDR": 0x8040691A,
    "SIOCGIFCONF": 0xC0086924,
    "SIOCSIFMEDIA": 0xC0206935,
    "SIOCIFCREATE": 0x8020697A,
    "SIOCIFDESTROY": 0x80206979,
    "SIOCGIFMTU": 0xC020697E,
    "SIOCSIFMTU": 0x8020697F,
    "SIOCATMARK": 0x40047307,
    "FIONREAD": 0x4004667F,
}


@pytest.mark.parametrize("name", WORDS)
def test_command_words_are_netbsds(name):
    assert ROWS[name].word == WORDS[name]


def test_a_command_in_a_command_keeps_its_struct():
    from libnet.ioctl.bridge import BRDG, IfbaConf, IfbaReq, IfbIfConf, IfbReq
    from libnet.ioctl.sockio import IfDrv

    args = [row.arg() for row in BRDG.values()]
    args += [IfbIfConf([IfbReq("wm0", 7)]), IfbaConf([IfbaReq("wm0", bytes(6), 9, 1)]), None]
    for arg in args:
        req = IfDrv("bridge0", 1, arg)
        assert decode(encode(req)) == req


def test_only_what_differs_from_its_default_travels():
    from libnet.ioctl.pf import PfRule, PfStatus

    assert len(encode(PfRule())) < 130
    rule = PfRule(action=1)
    rule.src.addr.addr = 7
    rule.timeout[3] = 9
    got = decode(encode(rule))
    assert got == rule
    assert got.dst.addr is not rule.dst.addr
    # What stands in for a default is nobody else's.
    one, two = decode(encode(PfStatus())), decode(encode(PfStatus()))
    one.counters[0] = 1
    assert two.counters[0] == 0
    assert PfStatus().counters[0] == 0


def test_true_is_not_one():
    octets = encode(sockio.IfReq("wm0", 1))
    assert decode(octets) == sockio.IfReq("wm0", 1)
    with pytest.raises(BadMessage):
        decode(encode(sockio.IfReq("wm0", True)))


def test_bits_for_fields_that_are_not_and_fields_that_lack_are_refused():
    class Both(Struct):
        name: str
        size: int = 3

    octets = encode(Both("x"))
    at = octets.index(b"Both") + 5
    assert octets[at] == 1
    assert decode(octets) == Both("x")
    for bits in (0, 4, 255):
        with pytest.raises(BadMessage):
            decode(octets[:at] + bytes((bits,)) + octets[at + 1 :])
