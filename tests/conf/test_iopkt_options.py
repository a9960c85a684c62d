"""The command line of io-pkt-* and option strings, as the guide writes them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libnet.conf import options
from libnet.conf.iopkt import Load, UsageError, parse
from libnet.drivers.nic import parse_options
from libnet.drivers.table import ROWS

LINES = [
    ("-d i82544", [Load("i82544")], []),
    ("-di82544", [Load("i82544")], []),
    ("-d/lib/dll/devnp-abc.so", [Load("/lib/dll/devnp-abc.so")], []),
    ("-ptcpip prefix=/alt", [], [Load("tcpip", "prefix=/alt")]),
    ("-ptcpip rx_pulse_prio=50", [], [Load("tcpip", "rx_pulse_prio=50")]),
    (
        "-t2 -dmy_board syspage=1,priority=20,pci=0 -dmy_board syspage=1,priority=50,pci=1",
        [
            Load("my_board", "syspage=1,priority=20,pci=0"),
            Load("my_board", "syspage=1,priority=50,pci=1"),
        ],
        [],
    ),
    (
        "-d i82544 -p tcpip pagesize=8192,mclbytes=8192",
        [Load("i82544")],
        [Load("tcpip", "pagesize=8192,mclbytes=8192")],
    ),
    ("-vSdi82544", [Load("i82544")], []),
    ("-d abc -d xyz", [Load("abc"), Load("xyz")], []),
]


@pytest.mark.parametrize(("line", "drivers", "protocols"), LINES, ids=[row[0] for row in LINES])
def test_the_guides_command_lines(line, drivers, protocols):
    got = parse(line.split())
    assert (got.drivers, got.protocols) == (drivers, protocols)


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("-x", "unknown option -- x"),
        ("-D", "unknown option -- D"),
        ("-U 0:0", "unknown option -- U"),
        ("-d", "option requires an argument -- d"),
        ("-t two", "bad number for -t: 'two'"),
        ("-t 0", "-t must be from 1 to 64"),
        ("word", "unexpected operand 'word'"),
    ],
)
def test_wrong_command_lines_are_told(line, text):
    with pytest.raises(UsageError) as caught:
        parse(line.split())
    assert str(caught.value) == text


@given(st.lists(st.text(max_size=12), max_size=6))
def test_any_words_parse_or_are_a_usage_error(words):
    try:
        parse(words)
    except UsageError:
        return


@given(st.text(max_size=60), st.sampled_from(ROWS))
def test_any_option_string_parses_or_is_a_bad_option(text, row):
    try:
        parse_options(text, row)
    except options.BadOption as exc:
        assert "option" in str(exc)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("bogus=1", "unknown option 'bogus'"),
        ("mac=0123", "option mac needs 12 hex digits"),
        ("mac=010203040506", "option mac: 010203040506 is not a station address"),
        ("speed=77", "option speed: 77 is not one of (10, 100, 1000)"),
        ("priority=0", "option priority: 0 is out of range 1-255"),
        ("irq", "option irq needs a value"),
        ("name=a1", "option name: bad interface prefix 'a1'"),
    ],
)
def test_bad_driver_options_say_which_and_why(text, why):
    with pytest.raises(options.BadOption) as caught:
        parse_options(text, ROWS[0])
    assert str(caught.value) == why
