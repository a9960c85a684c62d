"""Expressions and statements of dhcpd.conf put to a packet.

What is expected is what ISC dhcpd 4.4.3-P1 logged for the same line and the same packet.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libnet.conf.dhcpdconf import parse
from libnet.proto.dhcpd import expr as expr_module
from libnet.proto.dhcpd.expr import Machine, Tools, build_fqdn, parse_fqdn, printable
from libnet.proto.dhcpd.request import Request
from libnet.wire import Malformed, Truncated
from libnet.wire.dhcp import Dhcp

MAC = bytes.fromhex("0200000c0001")
NOW = 1_000_000
SPACES = (
    "option space FOO; option FOO.a code 1 = text; option foo-enc code 210 = encapsulate FOO;\n"
)
CLASSES = 'class "foo" { match if option host-name = "client"; }\n'
FUNCTIONS = """\
define double (arg) { return concat (arg, arg); }
define choose (arg) { if arg = "x" { return "an x"; } return "no x"; }
define forever (arg) { return forever (arg); }
"""
OPTIONS = {
    53: b"\1",
    12: b"client",
    61: b"\1" + MAC,
    82: b"\1\2r0\2\3abc",
    81: b"\1\0\0host.dom.test",
    210: b"\1\2zz",
    43: b"\1\2vv",
    200: b"two",
    55: bytes((1, 3, 15)),
}


def message(options=OPTIONS, **fields):
    """Return a DISCOVER and its octets."""
    fields = {"sname": b"", "file": b"", **fields}
    made = Dhcp(1, 1, 6, 0, 0x1234, 0, 0, 0, 0, 0, 0, MAC, **fields, options=options)
    octets = made.build()
    return Dhcp.parse(octets), octets


class Lease:
    """A lease as expressions see it."""

    addr, starts, ends = 0x0A4D0364, NOW - 10, NOW + 600

    def __init__(self):
        self.variables = {}


def request(options=OPTIONS, lease=True, **fields):
    """Return a request from the client."""
    made, octets = message(options, **fields)
    asked = Request(made, "wm0", NOW, octets)
    if lease:
        asked.lease = Lease()
    return asked


def run(text, asked=None, variables=None):
    """Execute statements; return (variables, log)."""
    config = parse(SPACES + CLASSES + FUNCTIONS + text, "t")
    assert [str(error) for error in config.errors] == []
    log, variables = [], {} if variables is None else variables
    statements = config.top.statements
    Machine(Tools(config, hosts), asked or request(), None, variables, log).run(statements)
    return variables, log


def hosts(name):
    """Know one host."""
    return bytes((10, 0, 0, 9)) if name == "ns.example" else None


def value(text, asked=None):
    """Return what an expression comes to."""
    return run(f"set result = {text};", asked)[0].get("result")


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("substring (option host-name, 1, 3)", b"lie"),
        ("substring (option host-name, 9, 3)", b""),
        ("substring (option host-name, 1, 300)", b"lient"),
        ("substring (option nis-domain, 1, 3)", None),
        ("substring (hardware, 1, 3)", b"\2\0\0"),
        ("suffix (option host-name, 2)", b"nt"),
        ("suffix (option host-name, 200)", b"client"),
        ('suffix ("abc", 0)', b""),
        ("concat (option host-name, option nis-domain)", None),
        ('concat (option host-name, "x", "y")', b"clientxy"),
        ("reverse (1, option host-name)", b"tneilc"),
        ("reverse (2, option host-name)", b"ntiecl"),
        ("reverse (3, option host-name)", b"entcli"),
        ("reverse (4, option host-name)", None),
        ("reverse (0, option host-name)", None),
        ("hardware", b"\1" + MAC),
        ('binary-to-ascii (10, 8, ".", hardware)', b"1.2.0.0.12.0.1"),
        ('binary-to-ascii (16, 8, "", hardware)', b"1200c01"),
        ('binary-to-ascii (10, 16, ",", suffix (hardware, 6))', b"512,12,1"),
        ('binary-to-ascii (10, 32, ",", hardware)', None),
        ('binary-to-ascii (10, 7, ",", hardware)', None),
        ('binary-to-ascii (17, 8, ",", hardware)', None),
        ('binary-to-ascii (10, 8, option nis-domain, hardware)', None),
        ('concat (binary-to-ascii (10, 8, ".", reverse (1, leased-address)), ".in-addr.arpa.")',
         b"100.3.77.10.in-addr.arpa."),
        ("encode-int (65, 8)", b"A"),
        ("encode-int (305419896, 32)", bytes.fromhex("12345678")),
        ("encode-int (305419896, 16)", bytes.fromhex("5678")),
        ("encode-int (3 - 5, 32)", bytes.fromhex("fffffffe")),
        ("encode-int (lease-time, 16)", bytes.fromhex("0258")),
        ("7 / 2", 3),
        ("7 / 0", None),
        ("7 % 4", 3),
        ("7 % 0", None),
        ("2 + 3 * 4", 20),
        ("12 & 10", 8),
        ("12 | 3", 15),
        ("12 ^ 10", 6),
        ("extract-int (hardware, 8)", 1),
        ("extract-int (hardware, 16)", 0x0102),
        ("extract-int (hardware, 32)", 0x01020000),
        ('extract-int ("a", 16)', None),
        ("lease-time", 600),
        ("client-state", None),
        ("pick-first-value (option nis-domain, option host-name)", b"client"),
        ("pick (option nis-domain, option nis-servers)", None),
        ("leased-address", bytes((10, 77, 3, 100))),
        ("ucase (option host-name)", b"CLIENT"),
        ('lcase ("ABCdef")', b"abcdef"),
        ("ucase (option nis-domain)", None),
        ("packet (0, 3)", b"\1\1\6"),
        ("packet (4, 4)", b"\0\0\x12\x34"),
        ("packet (10000, 3)", None),
        ("option agent.circuit-id", b"r0"),
        ("option agent.remote-id", b"abc"),
        ("option fqdn.hostname", b"host"),
        ("option fqdn.domainname", b"dom.test"),
        ("option fqdn.server-update", b"\1"),
        ("option fqdn.no-client-update", b"\0"),
        ("option unknown-200", b"two"),
        ("option FOO.a", b"zz"),
        ("host-decl-name", None),
        ("filename", None),
        ("server-name", None),
        ("null", None),
        ('gethostbyname ("ns.example")', bytes((10, 0, 0, 9))),
        ('gethostbyname ("no.example")', None),
        ('double ("ab")', b"abab"),
        ('choose ("x")', b"an x"),
        ('choose ("y")', b"no x"),
        ('double ("a", "b")', None),
        ('nosuch ("a")', None),
        ("nothing", None),
    ],
)  # fmt: skip
def test_data_and_numbers(text, result):
    assert value(text) == result


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ('option host-name = "client"', True),
        ('option host-name = "nope"', False),
        ("option host-name = option nis-domain", False),
        ("option nis-domain = option nis-servers", True),
        ("option nis-domain != option nis-domain", False),
        ("option host-name != option nis-domain", True),
        ('option nis-domain != "a"', True),
        ("exists host-name", True),
        ("exists nis-domain", False),
        ("not exists nis-domain", True),
        ("exists agent.circuit-id", True),
        ("known", False),
        ("static", False),
        # `and` does not look at its right side when the left is false, and then knows nothing.
        ("known and static", None),
        ("exists nis-domain and exists host-name", None),
        ("exists host-name and exists nis-domain", False),
        ("not (exists nis-domain and exists host-name)", None),
        ("not (exists host-name and exists nis-domain)", True),
        ("exists nis-domain or exists nis-servers", False),
        ("nothing and exists host-name", None),
        ("exists host-name and nothing", None),
        ("nothing or exists nis-domain", False),
        ("exists nis-domain or nothing", False),
        ("nothing or exists host-name", True),
        ("not (nothing or exists nis-domain)", True),
        ("nothing or nothing", None),
        ('option host-name ~= "^c.*t$"', True),
        ('option host-name ~= "^C"', False),
        ('option host-name ~~ "^C.*T$"', True),
        ('option host-name ~= "[[:alpha:]]+"', True),
        ('option host-name ~= "^(a|c).{5}$"', True),
        ('option host-name ~= "("', False),
        ('option host-name ~= "[[:no:]]"', False),
        ('option host-name ~= "[]l]i"', True),
        ('option nis-domain ~= "a"', None),
        ("option host-name ~= option nis-domain", None),
        ('"" ~= "a"', None),
        ('"a" ~= ""', False),
        ('extract-int ("ab", 16) = 24930', True),
        ('extract-int ("a", 16) = 24930', False),
        ("substring (hardware, 1, 3) = 02:00:00", True),
        ("1 = 1", True),
        ("1 != 1", False),
        ('"" = ""', True),
        ("option dhcp-parameter-request-list = 1:3:f", True),
        ('option host-name = "client" and option agent.circuit-id = "r0" or known', True),
        ("option ip-forwarding", None),
    ],
)  # fmt: skip
def test_truths(text, result):
    config = parse(SPACES + f"if {text} {{ break; }}", "t")
    assert config.errors == []
    test = config.top.statements[-1].args[0][0][0]
    assert Machine(Tools(config), request(), None, {}, []).boolean(test) is result


def test_who_the_client_is():
    asked = request(file=b"boot.ifs", sname=b"tftp")
    asked.known, asked.static = True, True
    host = parse("host toaster { }", "t").hosts[0]
    asked.host = host
    assert value("host-decl-name", asked) == b"toaster"
    assert value("concat (filename, server-name)", asked) == b"boot.ifstftp"
    assert run('if known and static { set result = "yes"; }', asked)[0] == {"result": b"yes"}


def test_without_a_lease_there_is_no_address():
    variables, log = run("set a = leased-address; set b = lease-time;", request(lease=False))
    assert variables == {}
    assert [text for _, text in log] == [
        'data: "leased-address" configuration directive: there is no lease associated with'
        " this client.",
        "data: leased_lease: not available",
    ]


def test_address_on_offer_goes_before_that_of_the_lease():
    asked = request()
    asked.address = 0x0A000001
    assert value("leased-address", asked) == bytes((10, 0, 0, 1))


def test_an_expired_lease_has_no_time_left():
    asked = request()
    asked.now = NOW + 601
    variables, log = run("set left = lease-time;", asked)
    assert variables == {}
    assert log[0][1] == "data: lease_time: lease ends at 1000600 when it is now 1000601"


SWITCH = """\
switch (option host-name) {
  case "other": set a = "1";
  case "client": set b = "2";
  case "third": set c = "3"; break; set d = "4";
  default: set e = "5";
}
"""


def test_switch_falls_through_to_the_next_break():
    assert run(SWITCH)[0] == {"b": b"2", "c": b"3"}


def test_switch_takes_the_default():
    options = {**OPTIONS, 12: b"nobody"}
    assert run(SWITCH, request(options))[0] == {"e": b"5"}
    no_name = {code: octets for code, octets in OPTIONS.items() if code != 12}
    assert run(SWITCH, request(no_name))[0] == {"e": b"5"}
    numbers = "switch (extract-int (hardware, 8)) { case 2: set a = 2; case 1: set a = 1; break; }"
    assert run(numbers)[0] == {"a": 1}
    assert run('switch (option host-name) { case "x": set a = "1"; }')[0] == {}


def test_break_in_a_block_ends_the_block_alone():
    text = """switch (option host-name) { case "client":
      if known = known2 { break; } if exists host-name { set a = "1"; break; set b = "2"; }
      set c = "3"; break; set d = "4"; }"""
    text = text.replace("if known = known2 { break; }", "")
    assert run(text)[0] == {"a": b"1", "c": b"3"}


def test_if_elsif_else():
    text = 'if known { set r = "a"; } elsif exists host-name { set r = "b"; } else { set r = "c"; }'
    assert run(text)[0] == {"r": b"b"}
    asked = request({53: b"\1"})
    assert run(text, asked)[0] == {"r": b"c"}
    asked.known = True
    assert run(text, asked)[0] == {"r": b"a"}


def test_set_and_unset_and_defined():
    text = """set vvv = "x"; set nnn = 5; unset uuu;
      if defined (vvv) { set a = vvv; } if defined (uuu) { set b = "no"; }
      if nnn = 5 { set c = "five"; } set gone = option nis-domain;
      if defined (gone) { set d = "no"; }"""
    got = run(text, variables={"uuu": b"old"})[0]
    assert got == {"vvv": b"x", "nnn": 5, "a": b"x", "c": b"five"}


def test_log_has_priorities_and_prints_what_strangers_send_safely():
    text = """log (error, concat ("name ", option host-name)); log ("plain");
      log (debug, option nis-domain); log (fatal, "end"); log (info, lease-time);"""
    options = {**OPTIONS, 12: b"a\x1b[2J\n\xff"}
    assert run(text, request(options))[1] == [
        ("error", "name a\\033[2J\\012\\377"),
        ("info", "plain"),
        ("fatal", "end"),
        ("info", "600"),
    ]


@given(st.text())
def test_printable_is_ascii(text):
    out = printable(text)
    assert out.isascii()
    assert out.isprintable() or out == ""


def test_endless_recursion_comes_to_null():
    variables, log = run('set a = forever ("x"); set b = "on";')
    assert variables == {"b": b"on"}
    assert log == [("error", "expression is too deep or too long; taken for null.")]


def test_explosion_is_bounded():
    body = "".join(f"set v{n + 1} = concat (v{n}, v{n});" for n in range(60))
    variables, log = run(f'set v0 = "12345678"; {body}')
    assert variables["v12"] == b"12345678" * 4096
    assert "v13" not in variables
    assert log[0] == ("error", "value is too big; taken for null.")
    branching = "".join(
        f"define f{n} (xxx) {{ return concat (f{n + 1} (xxx), f{n + 1} (xxx)); }}"
        for n in range(40)
    )
    variables, log = run(f'{branching} define f40 (xxx) {{ return ""; }} set rrr = f0 ("a");')
    assert variables == {}
    assert len(log) == 1


def test_long_chains_do_not_exhaust_the_stack():
    left = " + ".join(["1"] * 3000)
    assert value(left) == 3000
    right = " or ".join(f'option host-name = "{n}"' for n in range(3000))
    assert run(f'if {right} {{ set r = "a"; }} else {{ set r = "b"; }}')[0] == {"r": b"b"}
    right = " and ".join(['option host-name = "client"'] * 3000)
    assert run(f'if {right} {{ set r = "a"; }} else {{ set r = "b"; }}')[0] == {"r": b"a"}
    zigzag = " * ".join(["1 + 1"] * 500)
    assert value(zigzag) is None  # each `+` has all the rest for its right side: too deep


FQDNS = [
    (b"\1\0\0host.dom.test", b"host", b"dom.test"),
    (b"\5\0\0\4host\3dom\4test\0", b"host", b"dom.test"),
    (b"\0\0\0host", b"host", None),
    (b"\4\0\0\4host", b"host", None),
    (b"\4\0\0\x7fhost", None, None),
]


@pytest.mark.parametrize(("octets", "host", "domain"), FQDNS)
def test_fqdn(octets, host, domain):
    got = parse_fqdn(octets)
    assert (got.get(6), got.get(7)) == (host, domain)


@given(st.binary(max_size=80))
def test_any_fqdn_is_read_and_written(octets):
    got = parse_fqdn(octets)
    again = build_fqdn(got)
    if again is not None:
        assert parse_fqdn(again).get(6) == got[6]


DATA = [
    *('"abc"', "01:02:ff", "option host-name", "option agent.circuit-id", "hardware", "packet (0, 300)"),
    *("leased-address", "filename", "option FOO.a", "null", "vvv", "option fqdn.fqdn", "option unknown-43"),
]  # fmt: skip
NUMBERS = ["0", "1", "4294967295", "lease-time", "nnn", "extract-int (hardware, 32)"]


@st.composite
def expressions(draw, kind, depth=3):
    """Return the text of a random expression."""
    if depth == 0 or draw(st.integers(0, 3)) == 0:
        leaves = {"data": DATA, "number": NUMBERS, "bool": ["known", "static", "exists host-name"]}
        return draw(st.sampled_from(leaves[kind]))

    def data():
        return draw(expressions("data", depth - 1))

    def number():
        return draw(expressions("number", depth - 1))

    def truth():
        return draw(expressions("bool", depth - 1))

    if kind == "data":
        return draw(
            st.sampled_from(
                [
                    lambda: f"substring ({data()}, {number()}, {number()})",
                    lambda: f"suffix ({data()}, {number()})",
                    lambda: f"concat ({data()}, {data()})",
                    lambda: f"reverse ({number()}, {data()})",
                    lambda: f"binary-to-ascii ({number()}, {number()}, {data()}, {data()})",
                    lambda: f"binary-to-ascii (10, 8, {data()}, {data()})",
                    lambda: f"encode-int ({number()}, 32)",
                    lambda: f"pick ({data()}, {data()})",
                    lambda: f"packet ({number()}, {number()})",
                    lambda: f"ucase ({data()})",
                    lambda: f"double ({data()})",
                ]
            )
        )()
    if kind == "number":
        operator = draw(st.sampled_from("+-*/%&|^"))
        return draw(
            st.sampled_from(
                [
                    lambda: f"({number()} {operator} {number()})",
                    lambda: f"extract-int ({data()}, 16)",
                ]
            )
        )()
    return draw(
        st.sampled_from(
            [
                lambda: f"({data()} = {data()})",
                lambda: f"({number()} != {number()})",
                lambda: f"({data()} ~= {data()})",
                lambda: f"({truth()} and {truth()})",
                lambda: f"({truth()} or {truth()})",
                lambda: f"not ({truth()})",
            ]
        )
    )()


@settings(max_examples=200, deadline=None)
@given(
    st.data(),
    st.dictionaries(st.sampled_from([12, 43, 53, 55, 60, 61, 81, 82, 210]), st.binary(max_size=40)),
    st.binary(max_size=600),
)
def test_nothing_a_client_sends_raises(data, options, octets):
    kind = data.draw(st.sampled_from(["data", "number", "bool"]))
    text = data.draw(expressions(kind))
    asked = Request(message(options)[0], "wm0", NOW, octets)
    asked.lease = data.draw(st.sampled_from([None, Lease()]))
    if kind == "bool":
        got = run(f"if {text} {{ log ({data.draw(expressions('data'))}); }}", asked)
    else:
        got = run(f"set rrr = {text};", asked)
    assert all(line.isprintable() for _, line in got[1])
    assert len(got[1]) <= expr_module.MAX_LINES


@settings(max_examples=200, deadline=None)
@given(st.binary(min_size=236, max_size=600))
def test_any_message_that_is_one_can_be_asked_about(octets):
    octets = b"\1\1\6" + octets[3:236] + b"\x63\x82\x53\x63" + octets[236:]
    try:
        made = Dhcp.parse(octets)
    except (Malformed, Truncated):
        return
    asked = Request(made, "wm0", NOW, octets)
    variables, _ = run(
        "set a = concat (hardware, packet (0, 20)); set b = option FOO.a; set c = option fqdn.fqdn;",
        asked,
    )
    assert variables["a"] == b"\1" + octets[28:34] + octets[:20]
