"""What a client is told: scopes, order of options, encapsulation. Orders are those of ISC dhcpd."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libnet.conf.dhcpdconf import parse
from libnet.proto.dhcpd import classes
from libnet.proto.dhcpd.request import Request
from libnet.proto.dhcpd.scope import Resolver, fit
from libnet.wire.dhcp import Dhcp

MAC = bytes.fromhex("0200000c0001")

CONF = """
default-lease-time 600;
option space SUNW; option SUNW.root code 2 = text; option SUNW.n code 3 = integer 16;
option space FOO; option FOO.a code 1 = text; option FOO.b code 2 = ip-address;
option foo-enc code 210 = encapsulate FOO;
option space SITE; option SITE.x code 225 = text; option SITE.y code 240 = text;
option space BAR; option BAR.q code 1 = text; option FOO.bar code 9 = encapsulate BAR;
option domain-name "lab.example";
option domain-name-servers 10.77.3.1, 10.77.3.2;
option routers 10.77.3.1;
option ntp-servers 10.77.3.9;
option nis-domain "nis";
option broadcast-address 10.77.3.255;
option time-offset -3600;
option domain-search "eng.example.com", "example.com", "eng.example.org";
option interface-mtu 1400;
option log-servers 1.2.3.4;
option netbios-name-servers 1.2.3.5;
option root-path "";
option unknown-180 01:02;
option FOO.a "aa"; option FOO.b 9.9.9.9; option BAR.q "qq";
class "v" { match if substring (option vendor-class-identifier, 0, 4) = "SUNW";
  vendor-option-space SUNW; option SUNW.root "/a"; option SUNW.n 3; }
class "w" { match if option vendor-class-identifier = "RAW";
  option vendor-encapsulated-options 1:2:3; vendor-option-space SUNW; option SUNW.n 4; }
class "site" { match if option vendor-class-identifier = "SITE"; site-option-space "SITE";
  option SITE.x "xx"; option SITE.y "yy"; option unknown-226 "zz"; }
class "prl" { match if option vendor-class-identifier = "PRL";
  option dhcp-parameter-request-list 15,6; }
class "fq" { match if option vendor-class-identifier = "FQ"; option fqdn.fqdn "a.b.c";
  option fqdn.server-update true; }
class "c1" { match if exists user-class; option merit-dump "c1"; }
class "c2" { match if exists user-class; option merit-dump "c2"; }
class "app" { match if option vendor-class-identifier = "APP"; append domain-name " more";
  prepend domain-name-servers 8.8.8.8; default nis-domain "no"; default nisplus-domain "yes";
  append nis-servers 4.4.4.4; }
class "lazy" { match if option vendor-class-identifier = "LAZY";
  option nisplus-domain = concat (config-option nis-domain, "-x"); supersede nis-domain "late";
  option tftp-server-name = config-option tftp-server-name; option smtp-server = option nis-servers; }
subnet 10.77.3.0 netmask 255.255.255.0 { range 10.77.3.100 10.77.3.199; }
"""
NO_LIST = [1, 3, 6, 2, 7, 180, 26, 119, 40, 28, 42, 44, 15]
FOO = b"\1\2aa\2\4\t\t\t\t\t\4\1\2qq"


def request(options, **fields):
    """Return a DISCOVER with options."""
    made = Dhcp(1, 1, 6, 0, 1, 0, 0, 0, 0, 0, 0, MAC, b"", b"", {53: b"\1", **options}, **fields)
    return Request(made, "wm0", 1000, made.build())


def settle(text, asked, where=0):
    """Return the resolver and the settings of a client of a subnet."""
    config = parse(text, "t")
    assert [str(error) for error in config.errors] == []
    resolver = Resolver(config)
    classes.match(config, asked, resolver)
    subnet = config.subnets[where] if config.subnets else config.top
    return resolver, resolver.resolve(resolver.chain(subnet, asked.classes, asked.host), asked)


def answer(options):
    """Return the options of an offer as the server makes it."""
    asked = request(options)
    resolver, got = settle(CONF, asked)
    for code, value in ((53, b"\2"), (54, b"\n\x4d\3\1"), (51, b"\0\0\2\x58")):
        got.put(code, value)
    got.put_default(1, b"\xff\xff\xff\0")
    terminate = options.get(12, b"").endswith(b"\0")
    return resolver.answer(got, asked, terminate=terminate)


@pytest.mark.parametrize(
    ("options", "codes"),
    [
        ({55: bytes((1, 28, 2, 3, 15, 6, 12))}, [1, 28, 2, 3, 15, 6]),
        ({}, [*NO_LIST, 210]),
        ({55: b""}, [*NO_LIST, 210]),
        ({55: bytes((3, 3, 1, 1, 15, 3))}, [1, 3, 15]),
        ({55: bytes((15, 40, 3, 119))}, [15, 40, 1, 119, 3]),
        ({55: bytes(range(1, 255))}, [1, 2, 3, 6, 7, 15, 26, 28, 40, 42, 44, 119, 180, 210]),
        ({60: b"SUNW.x"}, [*NO_LIST, 210, 43]),
        ({60: b"SITE", 55: bytes((225, 240, 226, 210, 15))}, [225, 240, 210, 15, 1]),
        ({60: b"SITE"}, [*NO_LIST, 240, 225, 210]),
        ({60: b"PRL", 55: b"\3"}, [15, 6, 1]),
        ({60: b"FQ", 55: b"\3"}, [1, 3]),
        ({60: b"FQ", 55: b"\3", 81: b"\0\0\0h"}, [1, 81, 3]),
        ({55: bytes((82, 3))}, [1, 3]),
    ],
)  # fmt: skip
def test_which_options_and_in_what_order(options, codes):
    assert [code for code, _ in answer(options)] == [53, 54, 51, *codes]


@pytest.mark.parametrize(
    ("options", "code", "value"),
    [
        ({60: b"SUNW.x", 55: b"\x2b"}, 43, b"\2\2/a\3\2\0\3"),
        ({60: b"RAW", 55: b"\x2b"}, 43, b"\1\2\3"),  # what is written out is not added to
        ({60: b"OTHER", 55: b"\x2b"}, 43, None),
        ({55: b"\xd2"}, 210, FOO),
        ({}, 210, FOO),
        ({55: b"\x77"}, 119,
         b"\3eng\7example\3com\0\xc0\4\3eng\7example\3org\0"),
        ({55: bytes((12, 14)), 77: b"u"}, 14, b"c1"),  # the first class has the last word
        ({60: b"APP", 55: bytes((15,))}, 15, b"lab.example more"),
        ({60: b"APP", 55: bytes((6,))}, 6, bytes((8, 8, 8, 8, 10, 77, 3, 1, 10, 77, 3, 2))),
        ({60: b"APP", 55: bytes((40,))}, 40, b"nis"),
        ({60: b"APP", 55: bytes((64,))}, 64, b"yes"),
        ({60: b"APP", 55: bytes((41,))}, 41, bytes((4, 4, 4, 4))),
        ({60: b"LAZY", 55: bytes((64,))}, 64, b"late-x"),
        ({60: b"LAZY", 55: bytes((66,))}, 66, None),
        ({60: b"LAZY", 55: bytes((69,)), 41: b"\1\2\3\4"}, 69, b"\1\2\3\4"),
        ({60: b"LAZY", 55: bytes((69,))}, 69, None),
        ({60: b"FQ", 55: bytes((81,))}, 81, b"\1\0\0a.b.c"),
        ({12: b"cl\0", 55: bytes((15,))}, 15, b"lab.example\0"),
        ({12: b"cl\0", 55: bytes((2,))}, 2, (-3600 & 0xFFFFFFFF).to_bytes(4, "big")),
    ],
)  # fmt: skip
def test_values(options, code, value):
    assert dict(answer(options)).get(code) == value


def test_renewal_times_come_behind_the_lease_time_when_asked_for():
    asked = request({55: bytes((3, 59, 58))})
    resolver, got = settle(CONF, asked)
    for code in (53, 54, 51, 58, 59):
        got.put(code, b"\0\0\0\1")
    assert [code for code, _ in resolver.answer(got, asked)] == [53, 54, 51, 58, 59, 3]
    got.put(1, b"mask")
    unasked = resolver.answer(got, request({55: b"\3"}))
    assert [code for code, _ in unasked] == [53, 54, 51, 1, 3]


LAYERS = """
default-lease-time 1; max-lease-time 10; min-lease-time 100;
option domain-name "top"; option host-name "top"; option root-path "top";
group { option host-name "group";
  host h { fixed-address 10.0.0.5; option root-path "host"; } }
class "c" { match if known; option domain-name "class"; default-lease-time 4; }
shared-network net { option merit-dump "net"; default-lease-time 2;
  subnet 10.0.0.0 netmask 255.255.255.0 { option merit-dump "subnet";
    pool { range 10.0.0.9 10.0.0.10; default-lease-time 3; max-lease-time 30; }
    host inside { option merit-dump "inside"; } } }
"""


def test_the_narrower_scope_has_its_way():
    config = parse(LAYERS, "t")
    resolver = Resolver(config)
    pool = config.networks[0].pools[0]
    asked = request({})

    def told(where, host=None):
        return resolver.resolve(resolver.chain(where, asked.classes, host), asked)

    assert told(config.top).number("default-lease-time", 0) == 1
    assert told(config.networks[0]).number("default-lease-time", 0) == 2
    assert told(config.networks[0]).option(14) == b"net"
    assert told(pool).number("default-lease-time", 0) == 3
    assert told(pool).number("max-lease-time", 0) == 30
    assert told(pool).option(14) == b"subnet"
    asked.known = True
    classes.match(config, asked, resolver)
    assert told(pool).number("default-lease-time", 0) == 4
    one, inside = config.hosts
    assert told(pool, one).options() == {
        **{15: b"class", 12: b"group", 17: b"host", 14: b"subnet"},
    }
    # What stands around a host and around the subnet too has been said before the class spoke.
    assert told(pool, inside).options()[15] == b"class"
    assert told(pool, inside).options()[14] == b"inside"


def test_a_group_named_by_a_host_counts():
    config = parse('group "g" { option domain-name "g"; } host h { }', "t")
    config.hosts[0].group = "g"
    resolver = Resolver(config)
    got = resolver.resolve(resolver.chain(config.top, (), config.hosts[0]), request({}))
    assert got.option(15) == b"g"


def test_parameters_and_their_kinds():
    text = """max-lease-time = encode-int (77, 32); min-lease-time = option dhcp-lease-time;
      filename = concat ("boot/", binary-to-ascii (16, 8, "", substring (hardware, 1, 6)));
      next-server 10.0.0.7; server-name "s"; authoritative; deny bootp; ignore booting;
      always-broadcast on; get-lease-hostnames ignore; ddns-update-style none; ping-timeout 3;"""
    got = settle(text, request({51: b"\0\0\0\7"}))[1]
    assert got.number("max-lease-time", 1) == 77
    assert got.number("min-lease-time", 1) == 7
    assert got.number("default-lease-time", 43200) == 43200
    assert got.data("filename") == b"boot/200c01"
    assert got.data("next-server") == b"\n\0\0\7"
    assert got.data("server-name") == b"s"
    assert got.flag("authoritative", False)
    assert not got.flag("allow-bootp", True)
    assert got.param("allow-booting") == "ignore"
    assert not got.flag("allow-booting", True)
    assert got.flag("always-broadcast", False)
    assert not got.flag("get-lease-hostnames", True)
    assert got.param("ddns-update-style") == "none"
    assert got.param("nothing of the kind", 5) == 5
    null = settle("min-lease-time = option dhcp-lease-time;", request({}))[1]
    assert null.number("min-lease-time", 300) == 300


def test_conditions_of_a_scope_are_of_the_packet():
    text = """if option host-name = "a" { option domain-name "for-a"; max-lease-time 7; }
      else { option domain-name "others"; }
      on commit { log ("commit"); } if known { on release { log ("r"); } }"""
    for name, domain, most in ((b"a", b"for-a", 7), (b"b", b"others", 0)):
        got = settle(text, request({12: name}))[1]
        assert (got.option(15), got.number("max-lease-time", 0)) == (domain, most)
        assert list(got.events) == ["commit"]


def test_events_change_the_variables_of_the_lease():
    text = """on commit { set seen = option host-name; unset old; log (concat ("hello ", seen)); }
      on commit or release { set seen = concat (option host-name, "!"); log (seen); }"""
    asked = request({12: b"joe"})
    resolver, got = settle(text, asked)
    variables = {"old": b"x", "kept": 1}
    assert resolver.run(got.events["commit"], asked, variables) == [("info", "joe!")]
    assert variables == {"old": b"x", "kept": 1, "seen": b"joe!"}
    assert set(got.events) == {"commit", "release"}


def test_settings_do_not_leak_into_the_next_client():
    config = parse('option domain-name "x"; option routers 10.0.0.1;', "t")
    resolver = Resolver(config)
    one = resolver.resolve(resolver.chain(config.top), request({}))
    one.put(15, b"changed")
    one.put(53, b"\5")
    one.remove(3)
    assert one.options() == {15: b"changed", 53: b"\5"}
    two = resolver.resolve(resolver.chain(config.top), request({}))
    assert two.options() == {15: b"x", 3: b"\n\0\0\1"}


def test_names_are_looked_up_when_they_are_sent():
    asked_for = []

    def lookup(name):
        asked_for.append(name)
        return b"\n\0\0\1\n\0\0\2" if name == "ns.example.org" else None

    config = parse("option domain-name-servers ns.example.org; next-server nowhere;", "t")
    resolver = Resolver(config, lookup)
    got = resolver.resolve(resolver.chain(config.top), request({}))
    assert asked_for == []
    assert got.option(6) == b"\n\0\0\1\n\0\0\2"
    assert got.data("next-server") is None
    assert asked_for == ["ns.example.org", "nowhere"]
    assert got.log == [("error", "nowhere: host unknown.")]


def _reply(options):
    return Dhcp(2, 1, 6, 0, 1, 0, 0, 0, 5, 6, 0, MAC, b"", b"", options)


def test_what_does_not_fit_is_left_out_last_first():
    small = {53: b"\5", 54: b"abcd", 51: b"abcd", 1: b"mask", 15: b"d" * 20, 82: b"\1\2r0"}
    assert Dhcp.parse(fit(_reply(small), 548)).options == small
    big = {53: b"\5", 54: b"abcd", 51: b"abcd", 17: b"r" * 250, 40: b"n" * 250, 15: b"d" * 50,
           82: b"\1\2r0"}  # fmt: skip
    octets = fit(_reply(big), 548)
    assert len(octets) <= 548
    got = Dhcp.parse(octets).options
    assert got == {code: value for code, value in big.items() if code != 40}


@given(st.dictionaries(st.integers(1, 254).filter(lambda n: n != 52), st.binary(max_size=400)),
       st.integers(300, 700))  # fmt: skip
def test_any_reply_fits(options, limit):
    octets = fit(_reply({53: b"\5", **options}), limit)
    assert len(octets) <= max(limit, 300)
    got = Dhcp.parse(octets).options
    assert all(value == {53: b"\5", **options}[code] for code, value in got.items())


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from([12, 41, 43, 50, 51, 55, 57, 60, 61, 77, 81, 82, 118, 210]),
        st.one_of(
            st.binary(max_size=60),
            st.sampled_from([b"SUNW", b"RAW", b"SITE", b"PRL", b"FQ", b"APP", b"LAZY"]),
        ),
    )
)
def test_any_client_gets_an_answer(options):
    codes = [code for code, _ in answer(options)]
    assert codes[:3] == [53, 54, 51]
    assert len(set(codes)) == len(codes)
    assert not set(codes) & {0, 52, 82, 255}
