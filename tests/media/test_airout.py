"""The messages of a radio outside: layouts as iopkt-air(5) has them, and no octets break the reader."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libnet.media.airout import (
    BadMessage,
    Received,
    Send,
    Status,
    Tune,
    build,
    parse,
)

FRAME = bytes(range(24))
MAC = bytes.fromhex("020000000001")

# Octets, and the message that they are.
VECTORS = [
    (
        "01 01 8509 78563412 0f 02 02 00 6c04 0202",
        FRAME,
        Send(2437, 0x12345678, 15, 2, ((108, 4), (2, 2)), FRAME),
    ),
    (
        "01 02 6c09 16 e7 a1 02 0807060504030201",
        FRAME,
        Received(2412, 22, -25, -95, 2, 0x0102030405060708, FRAME),
    ),
    ("01 03 0000 78563412 01 6c 03 000000", b"", Status(0x12345678, 1, 108, 3)),
    ("01 04 3c14 01 00 020000000001 0000", b"", Tune(5180, 1, MAC)),
]


@pytest.mark.parametrize(("head", "frame", "message"), VECTORS)
def test_vector(head, frame, message):
    octets = bytes.fromhex(head) + frame
    assert build(message) == octets
    assert parse(octets) == message
    assert len(octets) >= 14  # what an outside port takes for a frame


@pytest.mark.parametrize(
    ("octets", "fault"),
    [
        ("", "bad length"),
        ("01", "bad length"),
        ("02 01", "bad version"),
        ("01 00", "bad kind"),
        ("01 05", "bad kind"),
        ("01 01 8509", "bad length"),
        ("01 01 8509 78563412 0f 02 00 00" + "00" * 24, "bad rates"),
        ("01 01 8509 78563412 0f 02 05 00" + "11" * 40, "bad rates"),
        ("01 01 8509 78563412 0f 02 01 00 6c00" + "00" * 24, "bad rates"),
        ("01 01 8509 78563412 0f 02 02 00 6c", "bad length"),
        ("01 01 8509 78563412 0f 02 01 00 6c04" + "00" * 9, "bad length"),
        ("01 01 8509 78563412 0f 02 01 00 6c04" + "00" * 2400, "bad length"),
        ("01 02 6c09", "bad length"),
        ("01 03 0000 78563412 01 6c 03 00", "bad length"),
        ("01 04 3c14 01 00 020000000001", "bad length"),
    ],
)
def test_a_wrong_message_is_named(octets, fault):
    with pytest.raises(BadMessage, match=fault):
        parse(bytes.fromhex(octets))


@given(st.binary(max_size=80) | st.binary(max_size=80).map(lambda tail: b"\1\1" + tail))
def test_any_octets_are_a_message_or_bad(octets):
    try:
        message = parse(octets)
    except BadMessage:
        return
    assert parse(build(message)) == message
