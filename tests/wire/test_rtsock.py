"""Routing messages: the octets of a NetBSD 4 machine, and what holds for all octets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libnet.addr import Sockaddr, SockaddrDl, SockaddrIn, prefix_mask
from libnet.wire.rtsock import (
    IF_MSGHDR_LEN,
    IFA_MSGHDR_LEN,
    IFAN_MSGHDR_LEN,
    RT_MSGHDR_LEN,
    RTF_GATEWAY,
    RTF_STATIC,
    RTF_UP,
    RTM_ADD,
    RTM_GET,
    RTM_IFANNOUNCE,
    RTM_NEWADDR,
    RTV_MTU,
    BadRtMessage,
    IfaMsg,
    IfanMsg,
    IfMsg,
    IfStats,
    RtAddrs,
    RtMetrics,
    RtMsg,
    SockaddrInarp,
    SockaddrRaw,
    pack_mask,
    pack_sockaddr,
    unpack,
    unpack_all,
    unpack_mask,
    unpack_sockaddr,
    wants_interface,
)

# route add default 10.0.0.1 -mtu 1400, as a 32-bit little-endian program writes it.
ADD_DEFAULT = bytes.fromhex(
    "7000 03 01 0000 0000 03080000 07000000 00000000 01000000 00000000 00000000 01000000"
    "00000000 78050000" + "00000000" * 8 + "10020000 00000000 0000000000000000"
    "10020000 0a000001 0000000000000000" + "00000000"
)


def test_the_octets_of_a_message():
    msg = RtMsg(
        RTM_ADD,
        flags=RTF_UP | RTF_GATEWAY | RTF_STATIC,
        addrs=RtAddrs(SockaddrIn(0), SockaddrIn(0x0A000001), 0),
        seq=1,
        inits=RTV_MTU,
        rmx=RtMetrics(mtu=1400),
    )
    assert msg.build() == ADD_DEFAULT
    got = unpack(ADD_DEFAULT)
    assert isinstance(got, RtMsg)
    assert (got.flags, got.seq, got.inits, got.rmx.mtu, got.size) == (0x803, 1, 1, 1400, 112)
    assert got.addrs == msg.addrs


def test_the_sizes_of_the_headers():
    assert (RT_MSGHDR_LEN, IF_MSGHDR_LEN, IFA_MSGHDR_LEN, IFAN_MSGHDR_LEN) == (76, 144, 20, 24)


@pytest.mark.parametrize(
    ("octets", "addr"),
    [
        ("1002 0000 0a000001 0000000000000000", SockaddrIn(0x0A000001)),
        ("1002 0035 0a000001 0000000000000000", SockaddrIn(0x0A000001, 53)),
        ("1002 0000 0a000009 00000000 0000 0100", SockaddrInarp(0x0A000009, other=1)),
        ("1412 0200 06 00 00 00" + "00" * 12, SockaddrDl(2, 6)),
        (
            "1412 0200 06 03 06 00 776d30 000c293a41b7 000000",
            SockaddrDl(2, 6, "wm0", bytes.fromhex("000c293a41b7")),
        ),
        ("0418 0102", SockaddrRaw(24, b"\x01\x02")),
        ("0200 0000", Sockaddr()),
    ],
)
def test_the_octets_of_a_sockaddr(octets, addr):
    raw = bytes.fromhex(octets)
    assert pack_sockaddr(addr) == raw
    assert unpack_sockaddr(raw[: raw[0]]) == addr


@pytest.mark.parametrize(
    ("octets", "mask"),
    [
        ("1002 0000 ffffff00 0000000000000000", 0xFFFFFF00),  # as a program writes it
        ("07ff ffff ffffff", 0xFFFFFF00),  # as the radix table keeps it
        ("05", 0),
        ("", 0),
    ],
)
def test_a_mask_may_be_cut(octets, mask):
    assert unpack_mask(bytes.fromhex(octets)) == mask


@given(st.integers(0, 32))
def test_masks_read_back(length):
    packed = pack_mask(prefix_mask(length))
    assert len(packed) % 4 == 0
    assert unpack_mask(packed[: packed[0]]) == prefix_mask(length)


def test_a_last_mask_without_padding_is_taken():
    head = RtMsg(RTM_GET, addrs=RtAddrs(SockaddrIn(0x0A000000), None, 0xFF000000)).build()
    cut = head[:-3]
    cut = len(cut).to_bytes(2, "little") + cut[2:]
    got = unpack(cut)
    assert isinstance(got, RtMsg)
    assert got.addrs.netmask == 0xFF000000


def test_a_get_may_ask_for_the_interface_by_bits_alone():
    octets = bytearray(RtMsg(RTM_GET, addrs=RtAddrs(SockaddrIn(1))).build())
    octets[12] |= 0x30
    got = unpack(bytes(octets))
    assert isinstance(got, RtMsg)
    assert got.addrs == RtAddrs(SockaddrIn(1))
    assert wants_interface(bytes(octets))
    octets[3] = RTM_ADD
    with pytest.raises(BadRtMessage):
        unpack(bytes(octets))


@pytest.mark.parametrize(
    ("octets", "symbol"),
    [
        (b"", "EINVAL"),
        (ADD_DEFAULT[:-4], "EINVAL"),
        (ADD_DEFAULT + bytes(4), "EINVAL"),
        (ADD_DEFAULT[:2] + b"\x04" + ADD_DEFAULT[3:], "EPROTONOSUPPORT"),
        (ADD_DEFAULT[:12] + b"\x07\x01" + ADD_DEFAULT[14:], "EINVAL"),  # a ninth sockaddr
        (ADD_DEFAULT[:12] + b"\x03" + ADD_DEFAULT[13:], "EINVAL"),  # one that no bit names
        (ADD_DEFAULT[:76] + b"\xff" + ADD_DEFAULT[77:], "EINVAL"),  # longer than the message
        (b"\x08\x00\x03\x0f" + bytes(4), "EINVAL"),
        (b"\x08\x00\x03\x0c" + bytes(4), "EINVAL"),
        (b"\x08\x00\x03\x10" + bytes(4), "EINVAL"),
        (b"\x08\x00\x03\x01" + bytes(4), "EINVAL"),
    ],
)
def test_what_is_no_message_is_told(octets, symbol):
    with pytest.raises(BadRtMessage) as caught:
        unpack(octets)
    assert caught.value.symbol == symbol


addresses = st.one_of(
    st.builds(SockaddrIn, st.integers(0, 0xFFFFFFFF), st.integers(0, 0)),
    st.builds(
        SockaddrDl,
        st.integers(0, 0xFFFF),
        st.integers(0, 255),
        st.text(st.characters(codec="ascii", exclude_characters="\0"), max_size=15),
        st.binary(max_size=20),
    ),
    st.builds(SockaddrRaw, st.integers(30, 255), st.binary(max_size=40)),
)
masks = st.one_of(st.none(), st.integers(0, 32).map(prefix_mask))
maybe = st.one_of(st.none(), addresses)
all_addrs = st.builds(RtAddrs, maybe, maybe, masks, masks, maybe, maybe, maybe, maybe)
u32 = st.integers(0, 0xFFFFFFFF)
i32 = st.integers(-(1 << 31), (1 << 31) - 1)


@given(st.sampled_from((1, 2, 3, 4, 5, 6, 7, 8, 11)), all_addrs, u32, i32, i32, u32)
def test_route_messages_read_back(kind, addrs, flags, pid, seq, inits):
    msg = RtMsg(kind, flags=flags, addrs=addrs, pid=pid, seq=seq, inits=inits)
    msg.rmx = RtMetrics(*range(10))
    got = unpack(msg.build())
    assert isinstance(got, RtMsg)
    assert (got.type, got.flags, got.pid, got.seq, got.inits) == (kind, flags, pid, seq, inits)
    assert got.rmx.words() == msg.rmx.words()
    assert got.addrs == addrs
    assert got.build() == msg.build()


@given(all_addrs, st.integers(0, 0xFFFF), st.integers(0, (1 << 64) - 1), st.floats(0, 2e9))
def test_interface_messages_read_back(addrs, index, counter, when):
    data = IfStats()
    data.type, data.mtu, data.ibytes, data.link_state = 6, 1500, counter, 2
    data.lastchange = when
    msg = IfMsg(index=index, flags=0x8843, data=data, addrs=addrs)
    got = unpack(msg.build())
    assert isinstance(got, IfMsg)
    assert (got.index, got.flags, got.addrs) == (index, 0x8843, addrs)
    assert (got.data.ibytes, got.data.mtu, got.data.link_state) == (counter, 1500, 2)
    assert abs(got.data.lastchange - when) < 0.001


@given(all_addrs, i32, st.text(max_size=20), st.binary(max_size=40))
def test_address_messages_and_announcements_read_back(addrs, metric, name, data):
    ifa = unpack(IfaMsg(RTM_NEWADDR, index=2, flags=1, metric=metric, addrs=addrs).build())
    assert isinstance(ifa, IfaMsg)
    assert (ifa.type, ifa.index, ifa.metric, ifa.addrs) == (RTM_NEWADDR, 2, metric, addrs)
    ifan = unpack(IfanMsg(RTM_IFANNOUNCE, index=3, name=name, what=1, data=data).build())
    assert isinstance(ifan, IfanMsg)
    assert (ifan.index, ifan.what, ifan.data) == (3, 1, data)
    assert len(ifan.name) <= 15


@given(st.binary(max_size=300), st.integers(0, 20), st.booleans())
def test_any_octets_are_a_message_or_not_one(octets, kind, framed):
    if framed:
        octets = (4 + len(octets)).to_bytes(2, "little") + bytes((3, kind)) + octets
    try:
        got = unpack(octets)
    except BadRtMessage:
        return
    assert got.size == len(octets)
    wants_interface(octets)


@given(st.binary(max_size=300), st.integers(0, 400))
def test_any_octets_are_a_dump_or_not_one(octets, cut):
    dump = (ADD_DEFAULT * 2 + octets)[:cut]
    try:
        assert len(list(unpack_all(dump))) <= 3 + len(octets) // 4
    except BadRtMessage:
        assert cut not in (0, 112, 224)
