"""dhcpd.conf(5): what is read, and complaints letter for letter as ISC dhcpd 4.4.3 printed them."""

from __future__ import annotations

import pathlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libnet.conf.dhcpdconf import Config, parse
from libnet.conf.dhcpdconf.options import Space, decapsulate, encapsulate, standard_spaces
from libnet.conf.dhcpdconf.parser import PARAMS
from libnet.conf.dhcpdconf.tree import Expr

GUIDE = """ddns-update-style none;
#option subnet-mask 255.255.255.224;
default-lease-time 86400;
#max-lease-time 7200;

subnet 192.168.20.0 netmask 255.255.255.0 {
    range 192.168.20.41 192.168.20.254;
    option broadcast-address 192.168.20.255;
    option routers 192.168.20.1;
    option domain-name-servers 192.168.20.1;
    option domain-name "soho.com";

    host printerserver {
        hardware ethernet 00:50:BA:85:EA:30;
        fixed-address 192.168.20.2;
    }

    host networkenabledtoaster {
        hardware ethernet 00:A0:D2:11:AE:81;
        fixed-address 192.168.20.40;
    }
}
"""
RICH = r"""
option space SUNW;
option SUNW.root-path code 4 = text;
option SUNW.swap-size code 7 = unsigned integer 16;
option local-encapsulation code 197 = encapsulate SUNW;
option pairs code 200 = array of { ip-address, integer 8 };
option rfc3442 code 121 = array of integer 8;
option domain-search "a.example", "b.example";
option SUNW.swap-size 258;
option pairs 10.0.0.1 5, 10.0.0.2 6;
vendor-option-space SUNW;
log-facility local7;
authoritative;
key k { algorithm hmac-md5; secret "pRP5FapFoJ95JEL06sv4PQ=="; };
zone example.org. { primary 127.0.0.1; key k; }
failover peer "p" { primary; address a.b.c; port 519; peer address 10.0.0.2; peer port 520;
  max-response-delay 60; max-unacked-updates 10; mclt 3600; split 128;
  load balance max seconds 3; }
class "foo" { match if substring (option vendor-class-identifier, 0, 4) = "SUNW"; }
class "sub" { match hardware; lease limit 4; }
subclass "sub" 1:08:00:2b:a1:cc:e3;
subclass "sub" "text" { option root-path "/x"; }
group leafs { filename "boot"; next-server 10.5.5.1;
  host h.example.org { hardware ethernet 0:1:2:3:4:5; fixed-address 10.5.5.7, name.example.org; }
}
shared-network 224-29 {
  subnet 10.17.224.0 netmask 255.255.255.0 { option routers 10.17.224.1; }
  subnet 10.0.29.0 netmask 255.255.255.0 { option routers 10.0.29.1; }
  pool { allow members of "foo"; deny unknown clients; range 10.17.224.10 10.17.224.250; }
  pool { deny members of "foo"; range dynamic-bootp 10.0.29.10 10.0.29.230; allow bootp; }
}
if known and not (option host-name = "x" or exists agent.circuit-id) { option root-path "a"; }
elsif extract-int (suffix (hardware, 2), 16) = 258 { max-lease-time 30; }
else if static { deny booting; } else { ignore bootp; }
switch (option host-name) { case "a": set v = "1"; break; default: unset v; }
on commit or expiry { log (info, concat ("lease ", binary-to-ascii (10, 8, ".", leased-address)));
  }
option host-name = pick-first-value (option fqdn.hostname, lcase (host-decl-name), "none");
supersede domain-name "z";
"""


def _says(text: str) -> str:
    return "\n".join(str(error) for error in parse(text, "t").errors)


def _addr(a: int, b: int, c: int, d: int) -> int:
    return a << 24 | b << 16 | c << 8 | d


def test_the_guides_configuration() -> None:
    config = parse(GUIDE, "dhcpd.conf")
    assert not config.errors
    assert config.fatal is None
    (subnet,) = config.subnets
    (network,) = config.networks
    assert [(r.first, r.last) for r in network.ranges] == [
        (_addr(192, 168, 20, 41), _addr(192, 168, 20, 254))
    ]
    assert [h.fixed for h in config.hosts] == [[_addr(192, 168, 20, 2)], [_addr(192, 168, 20, 40)]]
    assert config.hosts[0].hardware == (1, bytes.fromhex("0050ba85ea30"))
    assert config.hosts[0].chain()[1] is subnet
    options = {s.args[1].name: s.args[2] for s in subnet.statements}
    assert options["routers"] == Expr("data", "const", bytes((192, 168, 20, 1)))
    assert options["domain-name"] == Expr("data", "const", b"soho.com")


def test_a_range_outside_its_subnet_is_fatal() -> None:
    config = parse("subnet 10.42.42.0 netmask 255.255.255.0 { range 10.42.0.2 10.42.0.120; }", "t")
    assert config.fatal == (
        "bad range, address 10.42.0.2 not in subnet 10.42.42.0 netmask 255.255.255.0"
    )


def test_everything_in_the_grammar_is_read() -> None:
    config = parse(RICH, "t")
    assert [str(error) for error in config.errors] == []
    values = {s.args[1].name: s.args[2] for s in config.top.statements if s.op == "option"}
    assert values["swap-size"] == Expr("data", "const", b"\x01\x02")
    assert values["pairs"] == Expr("data", "const", bytes((10, 0, 0, 1, 5, 10, 0, 0, 2, 6)))
    assert values["domain-search"].args[0] == b"\x01a\x07example\x00\x01b\x07example\x00"
    (network,) = config.networks
    assert [permit.what for permit in network.pools[0].permits] == ["members", "unknown-clients"]
    assert network.ranges[1].bootp
    assert set(config.classes["sub"].subclasses) == {bytes.fromhex("0108002ba1cce3"), b"text"}
    assert config.classes["sub"].limit == 4
    assert config.hosts[0].fixed == [_addr(10, 5, 5, 7), "name.example.org"]
    assert config.peers == ["p"]
    assert config.zones["example.org"]["key"] == "k"
    branches = next(s for s in config.top.statements if s.op == "if").args[0]
    assert [None if test is None else test.op for test, _ in branches] == [
        "and",
        "=",
        "static",
        None,
    ]


def _shape(expr: Expr) -> str:
    if len(expr.args) == 2:
        return f"({_shape(expr.args[0])} {expr.op} {_shape(expr.args[1])})"
    return str(expr.args[0]) if expr.args else expr.op


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        # ISC dhcpd 4.4.3-P1 comes to 20, 14, 12, 4, 2 and 14 for these.
        ("2 + 3 * 4", "((2 + 3) * 4)"),
        ("2 * 3 + 4", "(2 * (3 + 4))"),
        ("20 + 4 / 2", "((20 + 4) / 2)"),
        ("1 + 7 & 3", "(1 + (7 & 3))"),
        ("1 | 2 & 2", "((1 | 2) & 2)"),
        ("7 * 5 & 3 + 4 / 2", "(7 * (((5 & 3) + 4) / 2))"),
        ("known or static and known", "((known or static) and known)"),
        ("1 = 2 or 3 = 4 and 5 = 6", "((1 = 2) or ((3 = 4) and (5 = 6)))"),
        ("1 = 2 and 3 = 4 or 5 = 6", "((1 = 2) and ((3 = 4) or (5 = 6)))"),
        ("not known and static", "(known and static)"),
    ],
)
def test_operators_bind_as_in_the_original(text: str, shape: str) -> None:
    config = parse(f"set x = {text};", "t")
    assert config.errors == []
    found = config.top.statements[0].args[1]
    if text.startswith("not"):
        assert found.args[0].op == "not"
        found.args = (found.args[0].args[0], found.args[1])
    assert _shape(found) == shape


def test_not_takes_one_comparison() -> None:
    (stmt,) = parse('if not option host-name = "x" and known { break; }', "t").top.statements
    test = stmt.args[0][0][0]
    assert (test.op, test.args[0].op, test.args[0].args[0].op) == ("and", "not", "=")


def test_a_parameter_may_be_an_expression() -> None:
    text = (
        'filename = concat("a", "b"); max-lease-time = encode-int(5, 32); option server.min-secs 3;'
    )
    config = parse(text, "t")
    assert config.errors == []
    assert [stmt.args[0] for stmt in config.top.statements] == [
        *("filename", "max-lease-time", "min-secs"),
    ]
    for text in ('filename concat("a", "b");', "always-broadcast known;"):
        assert parse(text, "t").errors


def test_no_program_is_run() -> None:
    assert "execute() is not supported" in str(parse('execute("/bin/x", "y");', "t").errors[0])


def test_included_files_count_their_own_lines() -> None:
    config = parse('include "a";\nfrob;\n', "t", {"a": "\nhost { }\n"}.__getitem__)
    assert str(config.errors[0]).startswith("a line 2: expecting a name for host declaration.")
    missing = parse('include "b";', "t")
    assert "Can't open b: No such file or directory" in str(missing.errors[0])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "subnet 10.9.0.0 netmask 255.255.255.0 {\n  range 10.9.0.10 10.9.0.300;\n}\n",
            "t line 2: 300 exceeds max (255) for precision.\n"
            "  range 10.9.0.10 10.9.0.300;\n"
            "                         ^",
        ),
        (
            "default-lease-time 600\nmax-lease-time 7200;\nfrobnicate on;\n"
            "subnet 10.9.0.0 netmask 255.255.255.0 {",
            "t line 2: semicolon expected.\nmax-lease-time \n ^\n"
            "t line 2: expecting a parameter or declaration\nmax-lease-time 7200;\n"
            "                    ^\n"
            "t line 4: unexpected end of file\nsubnet 10.9.0.0 netmask 255.255.255.0 {\n"
            "                                       ^",
        ),
        (
            "\toption foo 1;\n",
            "t line 1: unknown option dhcp.foo\n\toption foo 1;\n                ^",
        ),
        (
            "\noption time-offset abc;",
            "t line 2: Bogus number abc: digit 10 not in base 10\noption time-offset abc;\n"
            "                    ^",
        ),
        (
            "\noption ip-forwarding maybe;",
            "t line 2: expecting boolean.\noption ip-forwarding maybe;\n                      ^",
        ),
        ("\nhost { }", "t line 2: expecting a name for host declaration.\nhost {\n ^"),
        (
            "\nhost a { hardware foo 1;}",
            "t line 2: expecting a network hardware type\nhost a { hardware foo \n"
            "                   ^",
        ),
        (
            "\nsubnet 10.0.0.1 netmask 255.255.255.0 {}",
            "t line 2: subnet 10.0.0.1 netmask 255.255.255.0: bad subnet number/mask combination.\n"
            "subnet 10.0.0.1 netmask 255.255.255.0 \n                                    ^",
        ),
        (
            "\nsubnet 10.0.0.0 { }",
            "t line 2: Expecting netmask\nsubnet 10.0.0.0 {\n                 ^",
        ),
        ("\nclass foo { }", "t line 2: Expecting class name\nclass foo \n       ^"),
        (
            "\nallow foo;\n",
            "t line 2: expecting allow/deny key\nallow foo;\n       ^\n"
            "t line 2: expecting a parameter or declaration\nallow foo;\n          ^",
        ),
        (
            "\noption foo code 1 = integer 9;",
            "t line 2: 9 bit precision is not supported.\noption foo code 1 = integer 9;\n"
            "                             ^",
        ),
        ("\npool { }", "t line 2: pool declared outside of network\npool \n ^"),
    ],
)
def test_complaints_are_those_of_the_original(text: str, said: str) -> None:
    # The original's own output was captured with a newline before most lines, so that the first
    # word of a line stands behind a blank one as it does in real files.
    assert _says(text) == said


def test_one_run_tells_of_several_mistakes() -> None:
    said = [error.text for error in parse("host { }\nfoo bar;\nclass x;\n}\n", "t").errors]
    assert said == [
        "expecting a name for host declaration.",
        "semicolon expected.",
        "Expecting class name",
        "expecting a declaration",
    ]


def test_deep_nesting_is_a_complaint() -> None:
    for text in ("group { " * 500, "if " + "(" * 500, "set x = " + "not " * 500):
        assert "nesting too deep." in [error.text for error in parse(text, "t").errors]


def test_an_overlap_is_a_warning() -> None:
    one = "subnet 10.9.0.0 netmask 255.255.255.0 { }\n"
    config = parse(one + one, "t")
    assert not config.errors
    assert config.warnings == ["Warning: subnet 10.9.0.0/24 overlaps subnet 10.9.0.0/24"]


_WORDS = st.sampled_from(sorted(set(RICH.split() + GUIDE.split())) + ["{", "}", ";", "(", ")", '"'])


@given(st.text() | st.lists(_WORDS, max_size=80).map(" ".join))
@settings(max_examples=400)
def test_no_text_upsets_the_parser(text: str) -> None:
    assert isinstance(parse(text, "t"), Config)


@given(st.integers(0, len(RICH)))
def test_no_cut_upsets_the_parser(cut: int) -> None:
    assert isinstance(parse(RICH[:cut], "t"), Config)


@given(st.binary(), st.sampled_from((1, 2, 4)), st.sampled_from((0, 1, 2)))
def test_options_inside_options(data: bytes, code: int, length: int) -> None:
    space = Space("x", code, length)
    found = decapsulate(space, data)
    if length:
        assert decapsulate(space, encapsulate(space, found)) == found


@pytest.mark.parametrize(
    ("text", "octets"),
    [
        ("option slp-directory-agent true 1.2.3.4, 1.2.3.5;", "01 01020304 01020305"),
        (
            "option abc code 203 = { integer 8, array of ip-address }; option abc 3 1.2.3.4, 1.2.3.5;",
            "03 01020304 01020305",
        ),
        (
            "option abc code 203 = array of { integer 8, ip-address };"
            " option abc 3 1.2.3.4, 4 1.2.3.5;",
            "03 01020304 04 01020305",
        ),
        ("option pxe-interface-id 1 2 3;", "010203"),
        ("option name-service-search 3, 4;", "0003 0004"),
        ("option v4-lost x.y;", "0178 0179 00"),
    ],
)
def test_records_and_arrays(text: str, octets: str) -> None:
    config = parse(text, "t")
    assert config.errors == []
    assert config.top.statements[0].args[2] == Expr("data", "const", bytes.fromhex(octets))


def test_times_may_be_infinite() -> None:
    (stmt,) = parse("max-lease-time infinite;", "t").top.statements
    assert stmt.args == ("max-lease-time", 0xFFFFFFFF)
    assert parse("min-secs infinite;", "t").errors


def test_numbers_are_labels_of_cases() -> None:
    text = "switch (extract-int (hardware, 8)) { case 1: break; case 2: set a = 2; }"
    config = parse(text, "t")
    assert config.errors == []
    branches = config.top.statements[0].args[1]
    assert [label.args[0] for label, _ in branches] == [1, 2]


def test_a_host_is_known_by_the_identifier_in_its_block() -> None:
    config = parse('host a { option dhcp-client-identifier "abc"; } host b { uid 1:2; }', "t")
    assert config.errors == []
    assert [(host.uid, host.statements) for host in config.hosts] == [(b"abc", []), (b"\1\2", [])]
    assert parse("host a { option dhcp-client-identifier = hardware; }", "t").errors


def test_the_manual_has_every_word() -> None:
    root = pathlib.Path(__file__).parents[2]
    page = (root / "man" / "man5" / "dhcpd.conf.5").read_text()
    assert [word for word in PARAMS if word not in page and not word.startswith("allow-")] == []
    options = standard_spaces()["dhcp"].by_name
    missing = [name for name in options if name not in page]
    assert missing == []


_COMPLAINTS = [
    # What ISC dhcpd 4.4.3-P1 says of these lines.
    ("option host-name = encode-int(1,;", ["number expected."]),
    ("option host-name = ;", ["expecting a parameter or declaration"]),
    ("filename = ;", ["expecting a parameter or declaration"]),
    ("max-lease-time = ;", ["expecting a parameter or declaration"]),
    ("set abc = ;", ["expecting expression.", "expecting a parameter or declaration"]),
    ("set abc = extract-int(;", ["expecting data expression."]),
    ('set abc = extract-int("a",;', ["number expected."]),
    ("if not ; { }", ["expression expected", "expecting a parameter or declaration"]),
    ("if known and ; { }", ["expecting right-hand side.", "expecting a parameter or declaration"]),
    (
        "if option host-name = ; { }",
        ["expecting right-hand side.", "expecting a parameter or declaration"],
    ),
    ("set abc = 1 + ;", ["expecting right-hand side."]),
    ("switch (;", ["expecting data or numeric expression."]),
    ('switch ("a") { case ; : }', ["expecting data expression."]),
    ('class "x" { match if ; }', ["expecting boolean expr."]),
    ('class "x" { match ; }', ["expecting data expr."]),
    ('class "x" { spawn with ; }', ["expecting data expr."]),
    ("set abc = (;", ["expression expected"]),
    ("set abc = (1 + ;", ["expecting right-hand side."]),
    (
        "if exists ; { }",
        ["expecting identifier after option keyword.", "expecting a parameter or declaration"],
    ),
    ("set abc = option ;", ["expecting identifier after option keyword."]),
    ("set abc = config-option ;", ["expecting identifier after option keyword."]),
    ("set abc = func(;", ["expecting expression."]),
    ('set abc = func("a",;', ["expecting expression."]),
    ("return ;", ["expecting data expression.", "expecting a parameter or declaration"]),
    ("eval ;", ["expecting data expression.", "expecting a parameter or declaration"]),
    ("set abc = defined(;", ["; can't be a variable name"]),
    (
        "if hardware { }",
        ["Expecting a boolean expression.", "expecting a parameter or declaration"],
    ),
    ('set abc = substring("a", "b", 2);', ["Expecting a numeric expression."]),
    ('set abc = extract-int("a", 7);', ["unsupported integer size 7"]),
    ("set abc = encode-int(5, 7);", ["unsupported integer size 7"]),
    ("log(info, known);", ["Expecting a data expression."]),
    ("on ; { }", ["expecting a lease event type"]),
    ("on commit or ; { }", ["expecting a lease event type"]),
    ("unset ;", ["; can't be a variable name"]),
    ("set ;", ["; can't be a variable name"]),
    ("set abc ;", ["expecting '=' in set statement."]),
    ("add ;", ["expecting class name."]),
    ('add "x";', ["class x: not found"]),
    ("log;", ["left parenthesis expected."]),
    ("if known ;", ["left brace expected."]),
    ("if known { } else ;", ["left brace or if expected."]),
    (
        "if known { } elsif ;",
        ["boolean expression expected.", "expecting a parameter or declaration"],
    ),
    ("switch ;", ["expecting left brace."]),
    ('switch ("a") ;', ["left brace expected."]),
    ('switch ("a") { case "a" ; }', ["colon expected."]),
    ('option host-name = concat("a" ;', ["comma expected."]),
    ('log(info "a");', ["comma expected."]),
    ('log(info, "a";', ["right parenthesis expected."]),
    (
        "if known { subnet 1.2.3.0 netmask 255.255.255.0 { } }",
        ["right brace expected.", "expecting a parameter or declaration"],
    ),
    ("if known { max-lease-time x; }", ["Bogus number x: digit 33 not in base 10"]),
    ("host a { } max-lease-time x; ", ["Bogus number x: digit 33 not in base 10"]),
]


@pytest.mark.parametrize(("text", "said"), _COMPLAINTS, ids=[text for text, _ in _COMPLAINTS])
def test_complaints_about_statements_and_expressions(text: str, said: list[str]) -> None:
    assert [error.text for error in parse(text + "\n", "t").errors] == said


def test_parameters_are_not_looked_for_behind_declarations() -> None:
    odd = "if ;\n"
    assert parse(odd, "t").errors[1].text == "expecting a parameter or declaration"
    assert parse("host a { }\n" + odd, "t").errors[1].text == "expecting a declaration"
    inside = parse("group { " + odd + "} host a { } " + odd, "t").errors
    assert [error.text for error in inside][1::2] == [
        "expecting a parameter or declaration",
        "expecting a declaration",
    ]


def test_the_end_of_the_file_is_on_the_line_of_the_last_word() -> None:
    (error,) = parse("group {\n\n\n", "t").errors
    assert (error.line, error.text) == (1, "unexpected end of file")


def test_a_mistake_ends_the_block_of_a_condition() -> None:
    text = 'if known { unset ; option routers 1; } option domain-name "x";'
    config = parse(text, "t")
    assert [error.text for error in config.errors] == ["; can't be a variable name"]
    assert [stmt.op for stmt in config.top.statements] == ["option"]
