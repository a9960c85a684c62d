"""setconf and getconf: strings that a box keeps while it runs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libnet.lab.memory import World
from libnet.libsocket.confstr import NAMES, build, parse


@pytest.fixture
def box():
    with World(seed=1) as world:
        yield world.box("BoxQ")


def test_a_string_is_set_printed_and_undefined_again(box):
    assert box.sh("getconf _CS_DOMAIN").out == "undefined\n"
    assert box.sh("setconf _CS_DOMAIN a.net cs_resolve 'nameserver_10.0.0.2\n'") == ("", "", 0)
    assert box.sh("getconf domain").out == "a.net\n"
    assert box.sh("getconf CS_RESOLVE").out == "nameserver_10.0.0.2\\n\n"
    assert box.sh("setconf DOMAIN '' && getconf DOMAIN").out == "undefined\n"


def test_the_host_name_is_that_of_hostname(box):
    assert box.sh("getconf HOSTNAME").out == "BoxQ\n"
    assert box.sh("setconf CS_HOSTNAME gw-1; hostname").out == "gw-1\n"
    box.sh("hostname other")
    assert box.sh("getconf _CS_HOSTNAME").out == "other\n"


def test_all_strings_are_listed_in_columns(box):
    lines = box.sh("getconf -a").out.splitlines()
    assert [line.split(":")[0] for line in lines] == list(NAMES)
    assert "_CS_HOSTNAME:     BoxQ" in lines


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("setconf DOMAIN", "Invalid number of arguments. Must be a multiple of 2.\n"),
        ("setconf NOSUCH 1", "Unrecognized variable NOSUCH\n"),
        ("setconf HOSTNAME -x", "Unable to set _CS_HOSTNAME\n"),
        ("getconf NOSUCH", "Unrecognized variable NOSUCH\n"),
        ("setconf", "usage: setconf name value [name value ...]\n"),
        ("getconf", "usage: getconf name\n       getconf -a\n"),
    ],
)
def test_what_is_wrong_is_told(box, line, text):
    assert box.sh(line) == ("", text, 1)


def test_only_the_superuser_sets(box):
    box.root = False
    assert box.sh("setconf DOMAIN x") == ("", "Unable to set _CS_DOMAIN\n", 1)


def test_a_power_cut_takes_them(box):
    box.sh("setconf DOMAIN x")
    box.power_cut()
    assert box.sh("getconf DOMAIN").out == "undefined\n"


@given(st.dictionaries(st.sampled_from(NAMES), st.text(), max_size=4), st.text())
def test_any_value_survives_the_file_and_any_file_is_read(strings, text):
    assert parse(build(strings)) == strings
    parse(text)
