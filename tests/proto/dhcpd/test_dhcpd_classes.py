"""Classes of clients, doors of pools, limits on leases."""

from __future__ import annotations

import pytest

from libnet.conf.dhcpdconf import parse
from libnet.proto.dhcpd import classes
from libnet.proto.dhcpd.request import Request
from libnet.proto.dhcpd.scope import Resolver
from libnet.wire.dhcp import Dhcp


def request(**options):
    """Return a DISCOVER; options by o and number."""
    found = {int(name[1:]): value for name, value in options.items()}
    return Request(
        Dhcp(1, 1, 6, 0, 1, 0, 0, 0, 0, 0, 0, b"\2\0\0\0\0\1", b"", b"", {53: b"\1", **found}),
        *("wm0", 1000),
    )


def matched(text, asked):
    """Return (name, value) of the classes a client is in, and the configuration."""
    config = parse(text, "t")
    assert [str(error) for error in config.errors] == []
    found = classes.match(config, asked, Resolver(config))
    assert found is asked.classes
    return [(one.name, one.value) for one in found], config


def test_match_if_and_match_and_both():
    text = """
    class "if" { match if substring (option vendor-class-identifier, 0, 2) = "ab"; }
    class "sub" { match hardware; }
    subclass "sub" 1:2:0:0:0:0:1;
    subclass "sub" 1:2:0:0:0:0:2 { option root-path "two"; }
    class "both" { match if exists user-class; match option user-class; }
    subclass "both" "x";
    """
    assert matched(text, request(o60=b"abc", o77=b"x"))[0] == [
        ("if", None),
        ("sub", b"\1\2\0\0\0\0\1"),
        ("both", b"x"),
    ]
    assert matched(text, request(o60=b"xbc", o77=b"y"))[0] == [("sub", b"\1\2\0\0\0\0\1")]


SPAWN = 'class "line" { spawn with option agent.circuit-id; lease limit 2; }\n'


def test_spawned_classes_are_one_for_each_value():
    config = parse(SPAWN, "t")
    resolver = Resolver(config)
    one, two = request(o82=b"\1\2r0"), request(o82=b"\1\2r1")
    first = classes.match(config, one, resolver)
    assert classes.match(config, request(o82=b"\1\2r0"), resolver)[0] is first[0]
    assert classes.match(config, two, resolver)[0] is not first[0]
    assert (first[0].kind, first[0].name, first[0].value) == ("subclass", "line", b"r0")
    assert classes.match(config, request(), resolver) == []
    assert list(config.classes["line"].subclasses) == [b"r0", b"r1"]


def test_spawned_classes_are_bounded(monkeypatch):
    monkeypatch.setattr(classes, "MAX_SPAWNED", 3)
    config = parse(SPAWN, "t")
    resolver, log = Resolver(config), []
    for number in range(5):
        classes.match(config, request(o82=bytes((1, 1, number))), resolver, log)
    assert len(config.classes["line"].subclasses) == 3
    assert log == [("error", "too many subclasses of line.")] * 2


def test_a_client_is_in_five_classes_at_most():
    text = "".join(f'class "c{n}" {{ match if not known; }}\n' for n in range(8))
    config = parse(text, "t")
    log = []
    found = classes.match(config, request(), Resolver(config), log)
    assert [one.name for one in found] == ["c0", "c1", "c2", "c3", "c4"]
    assert len(log) == 3


@pytest.mark.parametrize(
    ("rules", "known", "kind", "user", "may"),
    [
        ("", False, 1, b"", True),
        ("allow unknown-clients;", False, 1, b"", True),
        ("allow unknown-clients;", True, 1, b"", False),
        ("deny unknown-clients;", False, 1, b"", False),
        ("deny unknown-clients;", True, 1, b"", True),
        ("allow known clients;", True, 1, b"", True),
        ("allow known clients;", False, 1, b"", False),
        ('allow members of "m";', False, 1, b"in", True),
        ('allow members of "m";', False, 1, b"out", False),
        ('deny members of "m";', False, 1, b"in", False),
        ('allow members of "m"; allow known-clients;', True, 1, b"out", True),
        ('allow all clients; deny members of "m";', True, 1, b"in", False),
        ("allow dynamic bootp clients;", False, 0, b"", True),
        ("allow dynamic bootp clients;", False, 1, b"", False),
        ("deny dynamic bootp clients;", False, 0, b"", False),
        ("allow authenticated clients;", False, 1, b"", False),
        ("allow unauthenticated clients;", False, 1, b"", True),
        ("deny all clients;", True, 1, b"", False),
    ],
)
def test_doors_of_a_pool(rules, known, kind, user, may):
    text = f"""class "m" {{ match if option user-class = "in"; }}
      subnet 10.0.0.0 netmask 255.0.0.0 {{ pool {{ {rules} range 10.0.0.1; }} }}"""
    config = parse(text, "t")
    assert config.errors == []
    asked = request(o77=user)
    if not kind:
        del asked.message.options[53]
    asked.known = known
    classes.match(config, asked, Resolver(config))
    assert classes.permits(config.networks[0].pools[0].permits, asked) is may


def test_members_of_a_subclass_are_members_of_the_class():
    text = """class "m" { match hardware; } subclass "m" 1:2:0:0:0:0:1;
      subnet 10.0.0.0 netmask 255.0.0.0 { pool { allow members of "m"; range 10.0.0.1; } }"""
    asked = request()
    _, config = matched(text, asked)
    assert classes.permits(config.networks[0].pools[0].permits, asked)


def test_limits_count_and_give_back():
    config = parse(SPAWN, "t")
    resolver, billing = Resolver(config), classes.Billing(config)
    found = classes.match(config, request(o82=b"\1\2r0"), resolver)
    line = found[0]
    for _ in range(2):
        assert billing.choose(found, None) == (True, line)
        billing.add(line)
    assert billing.choose(found, None) == (False, line)
    assert billing.choose(found, line) == (True, line)  # who has one may renew it
    other = classes.match(config, request(o82=b"\1\2r1"), resolver)
    assert billing.choose(other, line) == (True, other[0])
    billing.remove(line)
    assert billing.choose(found, None) == (True, line)
    assert billing.count(line) == 1
    assert billing.choose([], None) == (True, None)


def test_what_a_lease_file_bills_is_found_again():
    config = parse(SPAWN + 'class "a" { lease limit 1; match hardware; } subclass "a" 1:2;', "t")
    billing = classes.Billing(config)
    assert billing.find("line", b"r7") is config.classes["line"].subclasses[b"r7"]
    assert billing.find("a", b"\1\2") is config.classes["a"].subclasses[b"\1\2"]
    assert classes.limit_of(config.classes["a"].subclasses[b"\1\2"]) == 1
    assert billing.find("a", None) is config.classes["a"]
    assert billing.find("a", b"\1\3") is None
    assert billing.find("gone", None) is None


def test_add_takes_a_client_into_a_class():
    text = """class "late" { } if exists user-class { add "late"; }
      subnet 10.0.0.0 netmask 255.0.0.0 { }"""
    config = parse(text, "t")
    resolver, asked = Resolver(config), request(o77=b"u")
    classes.match(config, asked, resolver)
    resolver.resolve(resolver.chain(config.subnets[0]), asked)
    assert [one.name for one in asked.classes] == ["late"]
