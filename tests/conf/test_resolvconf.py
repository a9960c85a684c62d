"""How names are looked up: the files, the string, and who wins."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libnet.conf.resolvconf import (
    DNS,
    FILES,
    ResolvConf,
    candidates,
    order,
    parse_cs_resolve,
    parse_nsswitch,
    parse_resolv,
)

TEXT = """\
# comment
domain a.net
search b.net c.net.
nameserver 10.0.0.1   # one
nameserver nonsense
nameserver ::1
nameserver 10.0.0.2
options ndots:2 timeout:3 attempts:x rotate
lookup bind file yp
nonsense
"""


def test_resolv_conf_is_read():
    assert parse_resolv(TEXT) == ResolvConf(
        (0x0A000001, 0x0A000002), ("b.net", "c.net"), (DNS, FILES), 2, 3.0
    )
    assert len(parse_resolv("nameserver 1.1.1.1\n" * 5).servers) == 3


def test_the_string_has_underscores_for_blanks():
    text = "domain_a.net_nameserver_10.0.0.2_nameserver_10.0.0.3_lookup_file_bind"
    assert parse_cs_resolve(text) == ResolvConf((0x0A000002, 0x0A000003), ("a.net",), (FILES, DNS))
    assert parse_cs_resolve("nameserver 10.0.0.2\nlookup_bind").lookup == (DNS,)


@pytest.mark.parametrize(
    ("lookup", "nsswitch", "want"),
    [
        ((), (), (FILES, DNS)),
        ((FILES, DNS), (DNS, FILES), (DNS, FILES)),
        ((DNS, FILES), (FILES, DNS), (DNS, FILES)),
        ((FILES,), (FILES, DNS), (FILES,)),
        ((), (FILES,), (FILES,)),
    ],
)
def test_whoever_says_something_unusual_wins(lookup, nsswitch, want):
    assert order(ResolvConf(lookup=lookup), nsswitch) == want


def test_domains_are_appended_to_short_names_first():
    conf = ResolvConf(search=("a.net", "b.net"))
    assert candidates(conf, "www") == ["www.a.net", "www.b.net", "www"]
    assert candidates(conf, "www.x") == ["www.x", "www.x.a.net", "www.x.b.net"]
    assert candidates(conf, "www.") == ["www"]


@given(st.text())
def test_any_text_is_read(text):
    for conf in (parse_resolv(text), parse_cs_resolve(text)):
        assert len(conf.servers) <= 3
    assert set(parse_nsswitch(text)) <= {FILES, DNS}
