"""DHCP messages survive the wire; what a stranger sends is a message, Truncated or Malformed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libnet.wire import Malformed, Truncated
from libnet.wire import dhcp as d

MAC = bytes.fromhex("0200000c0001")


def message(options: dict[int, bytes], *, sname: bytes = b"", cookie: bool = True) -> d.Dhcp:
    """Return a request of a client."""
    return d.Dhcp(1, 1, 6, 0, 0x37730E36, 3, 0x8000, 0, 0, 0, 0, MAC, sname, b"", options, cookie)


CODES = st.integers(1, 254).filter(lambda code: code != d.DHO_DHCP_OPTION_OVERLOAD)


@given(st.dictionaries(CODES, st.binary(max_size=700), max_size=6), st.booleans())
def test_what_is_built_reads_back(options: dict[int, bytes], named: bool) -> None:
    msg = message(options, sname=b"server" if named else b"")
    assert d.Dhcp.parse(msg.build()) == msg


@given(st.dictionaries(CODES, st.binary(max_size=300), max_size=6), st.integers(260, 900))
def test_a_limit_is_kept_by_overloading_or_refused(options: dict[int, bytes], limit: int) -> None:
    msg = message(options)
    try:
        octets = msg.build(limit=limit)
    except Malformed:
        assert sum(map(len, options.values())) + 16 * len(options) + 30 > limit - 236
        return
    assert len(octets) <= max(limit, d.BOOTP_MINLEN)
    assert d.Dhcp.parse(octets) == msg


def test_layout_is_that_of_rfc_2131() -> None:
    octets = message({d.DHO_DHCP_MESSAGE_TYPE: b"\x01", d.DHO_HOST_NAME: b"box"}).build()
    assert len(octets) == 300
    assert octets[:12].hex() == "0101060037730e3600038000"
    assert octets[28:34] == MAC
    assert octets[236:248].hex() == "63825363" + "350101" + "0c03626f78"
    assert octets[248] == 255
    assert set(octets[249:]) == {0}


def test_long_option_is_cut_and_joined() -> None:
    octets = message({67: bytes(range(256)) + b"tail"}).build()
    assert octets[240:242] == bytes((67, 255))
    assert octets[497:499] == bytes((67, 5))
    assert d.Dhcp.parse(octets).options[67] == bytes(range(256)) + b"tail"


def test_overload_is_read_in_the_order_options_file_sname() -> None:
    octets = bytearray(message({}).build())
    octets[240:247] = bytes((52, 1, 3, 12, 1)) + b"a" + b"\xff"
    octets[108:112] = bytes((12, 1)) + b"b" + b"\xff"
    octets[44:48] = bytes((12, 1)) + b"c" + b"\xff"
    msg = d.Dhcp.parse(octets)
    assert msg.options == {12: b"abc"}
    assert (msg.sname, msg.file) == (b"", b"")


def test_bootp_without_cookie_has_no_options() -> None:
    octets = message({}, cookie=False).build()
    assert len(octets) == 300
    msg = d.Dhcp.parse(octets)
    assert not msg.cookie
    assert msg.type == 0


@pytest.mark.parametrize(
    ("at", "octets", "error"),
    [
        (0, b"\x03", Malformed),
        (2, b"\x11", Malformed),
        (240, b"\x34\x01\x04", Malformed),
        (240, b"\x34\x00", Malformed),
        (298, b"\x0c\x05", Truncated),
        (299, b"\x0c", Truncated),
    ],
)
def test_what_is_refused(at: int, octets: bytes, error: type[Exception]) -> None:
    buf = bytearray(300)
    buf[0], buf[1], buf[2] = 1, 1, 6
    buf[236:240] = d.COOKIE
    buf[at : at + len(octets)] = octets
    with pytest.raises(error):
        d.Dhcp.parse(buf)


def test_every_cut_of_the_header_is_truncated() -> None:
    octets = message({}).build()
    for size in range(d.HDRLEN):
        with pytest.raises(Truncated):
            d.Dhcp.parse(octets[:size])


@given(st.binary(max_size=400), st.binary(max_size=200))
def test_arbitrary_octets_parse_or_are_refused(head: bytes, options: bytes) -> None:
    for buf in (head, head[:236].ljust(236, b"\x01") + d.COOKIE + options):
        try:
            msg = d.Dhcp.parse(buf)
        except (Truncated, Malformed):
            continue
        for code, read in ((54, msg.addr), (3, msg.addrs), (12, msg.text)):
            try:
                read(code)
            except Malformed:
                assert len(msg.options[code]) % 4 or len(msg.options[code]) != 4


@given(st.dictionaries(st.integers(0, 255), st.binary(max_size=300), max_size=4))
def test_suboptions_read_back(options: dict[int, bytes]) -> None:
    assert d.suboptions(d.pack_suboptions(options)) == options


@given(st.binary(max_size=40))
def test_arbitrary_suboptions_are_read_or_truncated(value: bytes) -> None:
    try:
        found = d.suboptions(value)
    except Truncated:
        return
    assert sum(map(len, found.values())) + 2 * len(found) <= len(value)
