"""pf.conf(5): words, statements, recovery; any text gives rules or errors and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libnet.addr import AF_INET, AF_INET6
from libnet.conf.hosts import parse_protocols, parse_services
from libnet.conf.pfconf.addr6 import ntop6, pton6
from libnet.conf.pfconf.base import MAX_NEST, Fatal, Settings
from libnet.conf.pfconf.curves import Curve, exceeds
from libnet.conf.pfconf.env import IfAddr, Interface
from libnet.conf.pfconf.fp import Fingerprints
from libnet.conf.pfconf.grammar import parse
from libnet.conf.pfconf.hosts import strtol
from libnet.conf.pfconf.lex import EOF, ERROR, NEWLINE, PORTBINARY, STRING, Lexer, Macros
from libnet.conf.pfconf.names import KEYWORDS
from libnet.conf.pfconf.printer import Printer
from libnet.ioctl.ifflags import IFF_BROADCAST, IFF_LOOPBACK, IFF_POINTOPOINT
from libnet.ioctl.pf import PfRule

ORDER = (0, 2, 4, 3, 1)  # rulesets as pfctl prints them: scrub, nat, rdr, binat, filter


class Host:
    """A host with a loopback, an Ethernet and a tunnel."""

    def __init__(self):
        self.services = parse_services("ssh 22/tcp\nwww 80/tcp\ndomain 53/tcp\ndomain 53/udp\n")
        self.protocols = parse_protocols("icmp 1\ntcp 6\nudp 17\nipv6-icmp 58 icmp6\ngre 47\n")
        self.users, self.groups = {"root": 0, "www": 67}, {"wheel": 0}
        self.files = {"/etc/bad": "10.0.0.1 # one\n!10.0.0.2\n192.168/16\n", "/etc/odd": "x y\n"}
        lo = Interface("lo0", index=1, flags=IFF_LOOPBACK, mtu=33192)
        lo.addrs = [
            IfAddr(AF_INET, 0x7F000001, 8),
            IfAddr(AF_INET6, 1, 128),
            IfAddr(AF_INET6, 0xFE80 << 112 | 1, 64, scope=1),
        ]
        wm = Interface("wm0", index=2, flags=IFF_BROADCAST, mtu=1500, speed=100_000_000)
        wm.addrs = [
            IfAddr(AF_INET, 0x0A000001, 24, bcast=0x0A0000FF),
            IfAddr(AF_INET, 0x0A000002, 24, bcast=0x0A0000FF),
        ]
        tun = Interface("tun0", index=3, flags=IFF_POINTOPOINT, mtu=1400)
        tun.addrs = [IfAddr(AF_INET, 0xC0000201, 32, peer=0xC0000202)]
        self.interfaces = [lo, wm, tun]

    def resolve(self, name):
        return {"box": [(AF_INET, 0x0A000009), (AF_INET6, 9)]}.get(name, [])

    def read(self, path):
        if path not in self.files:
            raise FileNotFoundError(2, "No such file or directory")
        return self.files[path]

    def random(self, bits):
        return (1 << bits) - 1


HOST = Host()


def lines(conf, anchor=None, depth=0, verbose=False, dialect=42):
    """Return rules as pfctl -nv prints them."""
    printer = Printer(HOST.services, HOST.protocols, Fingerprints(), dialect=dialect)
    found = []
    for number in ORDER:
        for one in (anchor or conf.anchor).rules[number]:
            name = one.anchor.name if one.anchor else ""
            text = "  " * depth + printer.rule(one.rule, name, verbose)
            inside = [row for rules in (one.anchor.rules if one.anchor else []) for row in rules]
            if not inside:
                found.append(text)
                continue
            found.append(text + " {")
            found += lines(conf, one.anchor, depth + 1, verbose, dialect)
            found.append("  " * depth + "}")
    return found


def read(text, **settings):
    return parse(text, "f", HOST, settings=Settings(**settings))


def rules(text, **settings):
    conf = read(text, **settings)
    assert conf.errors == []
    return lines(conf, dialect=settings.get("dialect", 42))


def tokens(text, macros=None, dialect=42):
    told = []
    lex = Lexer(text, macros or Macros(), lambda line, what: told.append((line, what)),
                dialect=dialect)  # fmt: skip
    found = []
    while len(found) < 1000:
        kind, word = lex.token()
        found.append((kind, word, lex.line))
        if kind == EOF:
            return found, told
    raise AssertionError("no end")


# Words


def test_words_numbers_and_keywords_are_told_apart():
    kinds = [(kind, word) for kind, word, _ in tokens("pass in 10.0.0.1 a-b lo0:network {,\n")[0]]
    assert kinds == [
        ("pass", "pass"),
        ("in", "in"),
        (STRING, "10.0.0.1"),
        (STRING, "a-b"),
        (STRING, "lo0:network"),
        ("{", "{"),
        (",", ","),
        (NEWLINE, ""),
        (EOF, ""),
    ]


def test_a_quoted_keyword_is_a_plain_word_and_newlines_in_quotes_vanish():
    found, _ = tokens("\"pass\" 'a\nb'\n")
    assert [(kind, word) for kind, word, _ in found[:2]] == [(STRING, "pass"), (STRING, "ab")]
    assert found[2] == (NEWLINE, "", 2)


def test_a_backslash_before_the_end_of_a_line_joins_it_to_the_next_and_lines_count_on():
    found, _ = tokens("pa\\\nss \\\n in\nout\n")
    assert [(kind, line) for kind, _, line in found] == [
        ("pass", 1),
        ("in", 3),
        (NEWLINE, 3),
        ("out", 4),
        (NEWLINE, 4),
        (EOF, 5),
    ]


def test_a_comment_may_follow_a_word_at_once_and_a_backslash_continues_it():
    kinds = [kind for kind, _, _ in tokens("out#c \\\n in\nquick\n")[0]]
    assert kinds == ["out", NEWLINE, "quick", NEWLINE, EOF]


def test_operators_of_two_characters_are_one_token():
    found, _ = tokens("1 <> 2 >< 3 -> < = >\n")
    kinds = [(kind, word) for kind, word, _ in found if kind != STRING]
    assert kinds[:3] == [(PORTBINARY, "<>"), (PORTBINARY, "><"), ("->", "")]
    assert [kind for kind, _ in kinds[3:6]] == ["<", "=", ">"]


def test_a_word_may_begin_in_a_macro_and_end_behind_it():
    macros = Macros()
    macros.set("if", "wm0")
    found, _ = tokens("$if:network $if\n", macros)
    assert [word for _, word, _ in found[:2]] == ["wm0:network", "wm0"]


def test_a_dollar_inside_a_macro_is_no_macro():
    macros = Macros()
    macros.set("a", "x $b")
    macros.set("b", "y")
    assert [kind for kind, _, _ in tokens("$a\n", macros)[0]][:3] == [STRING, "$", STRING]


def test_an_unknown_macro_takes_the_rest_of_the_line_and_its_end_with_it():
    found, told = tokens("pass $x more\nnext\n")
    assert [kind for kind, _, _ in found] == ["pass", ERROR, STRING, NEWLINE, EOF]
    assert told == [(1, "macro 'x' not defined")]


def test_a_word_of_8095_octets_fits_and_one_more_does_not():
    assert tokens("a" * 8095 + "\n")[1] == []
    assert tokens("a" * 8096 + "\n")[1] == [(1, "string too long")]
    assert tokens('"' + "a" * 8095 + '"\n')[1] == [(1, "string too long")]


def test_a_macro_of_the_command_line_cannot_be_set_again():
    macros = Macros()
    macros.set("a", "1", persist=True)
    macros.set("a", "2")
    assert macros.get("a") == "1"


def test_the_older_dialect_keeps_a_backslash_and_has_other_words():
    assert tokens("log-all a\\b\n", dialect=37)[0][:2] == [
        ("log-all", "log-all", 1),
        (STRING, "a\\b", 1),
    ]
    assert tokens("log-all a\\b\n")[0][1][1] == "ab"


@given(st.text(alphabet="ab0:_ \t\n\\\"'$#<>-=!{}(),/x\x00\xe9", max_size=60))
def test_any_text_ends_in_tokens(text):
    for dialect in (42, 37):
        found, _ = tokens(text, dialect=dialect)
        assert found[-1][0] == EOF
        assert found[-1][2] <= text.count("\n") + 1


@given(st.integers(0, (1 << 128) - 1))
def test_ipv6_addresses_read_back_as_they_print(addr):
    assert pton6(ntop6(addr)) == addr


@given(st.text(alphabet="0123456789abcdef:.%/g", max_size=20))
def test_ipv6_text_is_an_address_or_none(text):
    got = pton6(text)
    assert got is None or 0 <= got < 1 << 128


@pytest.mark.parametrize(
    ("text", "value"),
    [("10", 10), ("010", 8), ("0x1F", 31), ("", None), ("1a", None), ("08", None)],
)
def test_numbers_are_read_with_their_base(text, value):
    assert strtol(text) == value


# Rules


def test_lists_nest_interface_outermost_and_port_inside():
    got = rules("pass on { wm0 tun0 } proto tcp from { 10.0.0.1, 10.0.0.2 } to port { 22 80 }\n")
    assert [line.split(" flags")[0].removeprefix("pass on ") for line in got] == [
        f"{name} inet proto tcp from 10.0.0.{host} to any port = {port}"
        for name in ("wm0", "tun0")
        for host in (1, 2)
        for port in ("ssh", "www")
    ]


def test_families_that_do_not_fit_are_left_out():
    assert rules("pass from { 10.0.0.1, ::1 } to { 10.0.0.2, ::2 }\n") == [
        "pass inet from 10.0.0.1 to 10.0.0.2 flags S/SA keep state",
        "pass inet6 from ::1 to ::2 flags S/SA keep state",
    ]


def test_an_interface_stands_for_its_addresses_network_peer_and_broadcast():
    def sources(word):
        return [line.split(" from ")[1].split(" to ")[0] for line in rules(f"pass from {word}\n")]

    assert sources("wm0") == ["10.0.0.1", "10.0.0.2"]
    assert sources("wm0:0") == ["10.0.0.1"]
    assert sources("wm0:network") == ["10.0.0.0/24", "10.0.0.0/24"]
    assert sources("wm0:broadcast") == ["10.0.0.255", "10.0.0.255"]
    assert sources("tun0:peer") == ["192.0.2.2"]
    assert sources("wm0/16") == ["10.0.0.0/16", "10.0.0.0/16"]
    assert len(sources("self")) == 6


def test_a_name_is_looked_up_when_it_is_no_address():
    assert rules("pass from box\n") == [
        "pass inet from 10.0.0.9 to any flags S/SA keep state",
        "pass inet6 from ::9 to any flags S/SA keep state",
    ]


def test_errors_are_all_told_and_parsing_goes_on():
    conf = read("pass in\nbogus line\nblock out\nalso bogus\npass proto nosuch\n")
    assert conf.failed
    assert conf.errors == [
        "f:2: syntax error",
        "f:4: syntax error",
        "f:5: unknown protocol nosuch",
    ]


def test_a_second_syntax_error_within_three_words_is_not_told():
    assert read("bogus bogus\n!\npass\n").errors == ["f:1: syntax error"]


def test_a_file_must_end_with_a_newline():
    assert read("pass").errors == ["f:1: syntax error"]


def test_the_line_after_an_unknown_macro_is_lost():
    conf = read("pass on $no all\nblock\npass in\nbogus 1\n")
    assert conf.errors == ["f:1: macro 'no' not defined", "f:1: syntax error", "f:4: syntax error"]
    assert lines(conf) == ["pass in all flags S/SA keep state"]


def test_an_unknown_macro_at_the_end_of_a_line_costs_two_lines_and_the_count_of_one():
    conf = read("pass on $no\nblock\nblock\npass in\nbogus 1\n")
    assert conf.errors == ["f:1: macro 'no' not defined", "f:1: syntax error", "f:4: syntax error"]
    assert lines(conf) == ["pass in all flags S/SA keep state"]


@pytest.mark.parametrize("first", ["$no", ") x", "} y", "port 80"])
def test_a_file_that_begins_with_what_begins_nothing_is_not_read_on(first):
    conf = read(f"{first}\npass\nbogus 1\nbogus 2\n")
    assert conf.failed
    assert conf.errors[-1] == "f:1: syntax error"
    assert lines(conf) == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("queue a } b\n", ["f:1: syntax error"]),
        ("altq on wm0 bandwidth 1Mb priq queue > a\n", ["f:1: syntax error"]),
        ("set skip wm0\n", ["f:1: syntax error"]),
        ("pass to { urpf-failed } , x\n", ["f:1: syntax error"]),
        ("pass log (to wm0 x > y)\n", ["f:1: syntax error"]),
        ("no rdr pass log log to any\n", ["f:1: syntax error"]),
        ("no rdr pass to any\n", ['f:1: "pass" not valid with "no"']),
        ("pass to urpf-failed\n", ['f:1: "urpf-failed" is not permitted in a destination address']),
        ("nat on wm0 from any to any -> 1.2.3.4/33\n", ["netmask 33 invalid for IPv4 address"]),
    ],
)
def test_what_is_no_sentence_is_told_before_what_makes_no_sense(text, told):
    conf = read(text)
    assert conf.errors == told
    assert conf.failed
    assert [event for event in conf.events if event[0] != "print"] == []


def test_an_icmp_type_of_255_says_nothing_as_its_octet_is_full():
    assert rules("pass proto icmp icmp-type 255\n") == ["pass proto icmp all keep state"]
    assert rules("pass inet proto icmp icmp-type 254 code 255\n") == [
        "pass inet proto icmp all icmp-type 254 keep state"
    ]


def test_an_inline_anchor_cannot_be_above_the_main_ruleset():
    with pytest.raises(Fatal, match="unable to create ruleset"):
        read('anchor "../up" {\npass\n}\n')


def test_a_label_is_too_long_even_if_only_on_the_way():
    with pytest.raises(Fatal, match="label too long"):
        read(f'pass to <{"x" * 31}> label "$if:$srcaddr:$dstaddr:$srcport:$dstport:$proto:$nr"\n')


def test_lists_nest_to_a_depth_and_no_deeper():
    def nested(depth):
        return "pass from " + "{" * depth + "10.0.0.1" + "}" * depth + "\n"

    assert len(rules(nested(MAX_NEST))) == 1
    assert read(nested(MAX_NEST + 1)).errors == ["f:1: yacc stack overflow"]
    deep = "anchor a {\n" * 5000
    assert read(deep).failed


def test_inline_anchors_hold_their_rules():
    got = rules("anchor a on wm0 {\n  block in\n  anchor {\n    pass quick\n  }\n}\npass out\n")
    assert got == [
        'anchor "a" on wm0 all {',
        "  block drop in all",
        "  anchor all {",
        "    pass quick all flags S/SA keep state",
        "  }",
        "}",
        "pass out all flags S/SA keep state",
    ]


def test_a_label_that_grows_too_long_ends_the_program():
    with pytest.raises(Fatal, match="label too long"):
        read(f'pass on tun0 label "{"$if" * 20}"\n')


def test_a_table_takes_files_and_lists():
    conf = read('table <t> persist file "/etc/bad" { 10/8 ::1 }\n', verbose=1)
    assert conf.errors == []
    (event,) = [event for event in conf.events if event[0] == "table"]
    assert len(event[3]) == 5
    assert conf.printed() == 'table <t> persist file "/etc/bad" { 10.0.0.0/8 ::1 }\n'
    assert read('table <t> file "/etc/odd"\n').errors == [
        "no IP address found for x",
        'f:1: file "/etc/odd" contains bad data',
    ]


def test_antispoof_for_an_interface_with_two_addresses():
    assert rules("antispoof quick for wm0\n") == [
        "block drop in quick on ! wm0 inet from 10.0.0.0/24 to any",
        "block drop in quick on ! wm0 inet from 10.0.0.0/24 to any",
        "block drop in quick inet from 10.0.0.1 to any",
        "block drop in quick inet from 10.0.0.2 to any",
    ]


def test_options_are_kept_and_limits_of_states_scale_nothing_by_themselves():
    conf = read("set limit states 500\nset timeout { tcp.first 5 interval 7 }\nset debug loud\n")
    assert conf.limits[0] == 500
    assert (conf.timeouts[0], conf.timeouts[15]) == (5, 7)
    assert conf.debug == 3
    assert conf.timeouts_set == {0, 15}


def test_the_optimization_profiles_set_seven_timeouts():
    conf = read("set optimization aggressive\n")
    assert [conf.timeouts[n] for n in (0, 1, 2, 3, 4, 5, 19)] == [30, 5, 18000, 60, 30, 30, 10]


def test_a_bandwidth_in_percent_uses_the_interfaces_speed():
    conf = read(
        "altq on wm0 cbq bandwidth 50% queue { a }\nqueue a bandwidth 10% cbq(default)\n", verbose=1
    )
    assert conf.errors == []
    assert [altq.ifbandwidth for altq in conf.altqs] == [50_000_000] * 3
    assert conf.altqs[-1].bandwidth == 5_000_000
    assert conf.printed().startswith("altq on wm0 cbq bandwidth 50% tbrsize 12000 queue { a }\n")


@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 9), st.integers(0, 50)), max_size=4),
    st.tuples(st.integers(0, 200), st.integers(0, 9), st.integers(0, 200)),
)
def test_a_sum_of_curves_exceeds_a_limit_where_samples_say_so(curves, limit):
    total = Curve()
    for curve in curves:
        total.add(curve)
    m1, d, m2 = limit

    def at(x):
        return x * m1 if x <= d else d * m1 + (x - d) * m2

    sampled = any(total.at(x) > at(x) for x in range(0, 400))
    assert exceeds(total, limit) or not sampled


def test_a_source_hash_without_a_key_takes_random_octets():
    got = rules("rdr on wm0 inet from any to any -> 10.0.0.0/8 source-hash\n")
    assert got[0].endswith("source-hash 0x" + "f" * 32)


def test_the_older_dialect_reads_a_rule_as_it_stands():
    assert rules("pass in log-all proto tcp to port 22\n", dialect=37) == [
        "pass in log-all proto tcp from any to any port = ssh"
    ]


# Properties

hosts = st.sampled_from(
    ["any", "10.0.0.1", "10.0.0.0/8", "!10.1.0.0/16", "::1", "2001:db8::/32", "wm0", "(wm0)",
     "(wm0:network)/24", "(lo0:0)", "<tab>", "!<tab>", "no-route", "self", "lo0:network", "box",
     "{10.0.0.1,10.0.0.2}", "{wm0,!192.0.2.1}"]
)  # fmt: skip
ports = st.sampled_from(["", " port 22", " port 80:90", " port { ssh > 1024 }", " port 5 >< 9",
                         " port != domain", " port 1 <> 7"])  # fmt: skip
options = st.lists(
    st.sampled_from(
        [
            "flags S/SA", "flags any", "flags /SFRA", "keep state", "no state", "modulate state",
            "synproxy state", "keep state (max 100, source-track rule, max-src-nodes 5)",
            "keep state (max-src-conn 3, max-src-conn-rate 5/10, overload <tab> flush global)",
            "keep state (if-bound, tcp.first 5, adaptive.start 3)", "keep state (no-sync)",
            "label \"x $if\"", "tag T", "tagged U", "! tagged U", "queue (a, b)", "probability 30%",
            "rtable 3", "tos 0x10", "allow-opts", "fragment", "user root", "group { wheel > 5 }",
            "icmp-type echoreq", "icmp-type { unreach code 3, 13 }", "icmp6-type 128",
        ]
    ),
    max_size=3,
    unique=True,
)  # fmt: skip


@st.composite
def filters(draw):
    def some(*words):
        return draw(st.sampled_from(words))

    text = some("pass", "block", "block return", "block return-rst", "block return-icmp(0, 1)",
                "block return-icmp6", "block drop")  # fmt: skip
    text += some("", " in", " out")
    text += some("", " log", " log (all, user, to pflog1)") + some("", " quick")
    text += some("", " on wm0", " on ! lo0", " on { wm0 tun0 }", " on lo")
    text += some("", "", "", " route-to (wm0 10.0.0.7)", " reply-to { (wm0 10.0.0.7) (wm0 10.0.0.8) }",
                 " fastroute", " dup-to tun0")  # fmt: skip
    text += some("", " inet", " inet6")
    text += some("", " proto tcp", " proto { tcp udp }", " proto icmp", " proto icmp6", " proto 47")
    if draw(st.booleans()):
        text += f" from {draw(hosts)}{draw(ports)} to {draw(hosts)}{draw(ports)}"
    return text + "".join(f" {option}" for option in draw(options)) + "\n"


@st.composite
def others(draw):
    def some(*words):
        return draw(st.sampled_from(words))

    kind = some("scrub", "nat", "rdr", "binat", "antispoof")
    if kind == "scrub":
        return (
            some("", "no ") + "scrub" + some("", " in", " out") + some("", " on wm0")
            + some("", " proto tcp") + f" from {draw(hosts)} to {draw(hosts)}"
            + some("", " no-df", " min-ttl 5 max-mss 1400", " random-id fragment crop",
                   " fragment drop-ovl") + "\n"
        )  # fmt: skip
    if kind == "antispoof":
        return (
            "antispoof"
            + some("", " log", " quick")
            + " for "
            + some("wm0", "(wm0)", "{ lo0 tun0 }")
            + some("", " inet")
            + "\n"
        )
    head = some("", "no ") + kind + some("", " pass", " log") + some("", " on wm0", " on ! lo0")
    head += some("", " inet") + some("", " proto tcp", " proto udp")
    tail = some(" tag T", "", " ! tagged U", " rtable 2") + some(
        "", " -> 10.0.0.5", " -> (wm0:0)", " -> (wm0)", " -> { 10.0.0.5 10.0.0.6 }", " -> <tab>",
        " -> 10.0.0.0/24 random", " -> 10.0.0.0/8 source-hash 0x" + "5" * 32,
        " -> 10.0.0.5 port 80", " -> 10.0.0.5 port 8000:*", " -> 10.0.0.0/24 bitmask",
        " -> 10.0.0.5 static-port", " -> 10.0.0.5 port 100:200 sticky-address",
    )  # fmt: skip
    return f"{head} from {draw(hosts)} to {draw(hosts)}{draw(ports)}{tail}\n"


@given(st.one_of(filters(), others()))
def test_what_prints_reads_back_as_the_same_rules(text):
    first = read(text)
    if first.failed:
        return
    printed = lines(first)
    second = read("".join(f"{line}\n" for line in printed))
    assert second.errors == []
    assert lines(second) == printed


def every_rule(conf):
    return [one.rule for rules in conf.anchor.rules for one in rules]


@given(filters())
def test_rules_are_whole_structs(text):
    for rule in every_rule(read(text)):
        assert isinstance(rule, PfRule)
        assert rule.copy() == rule
        assert rule.src.addr is not rule.dst.addr
        for end in (rule.src, rule.dst):
            width = 32 if rule.af == AF_INET else 128
            assert 0 <= end.addr.addr < 1 << width
            assert 0 <= end.addr.mask < 1 << width


PIECES = [*sorted(KEYWORDS), *"{}(),<>=!/\n\n\n", "->", "tcp", "lo0", "(wm0)", "10.0.0.1/8", "22",
          "<t>", '"q"', "$m", "m = 5\n", "cbq(default)", "10Mb", "\\\n", "5%", "S/SA"]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=30), st.sampled_from([37, 42]))
def test_any_words_give_rules_or_errors(words, dialect):
    try:
        conf = read(" ".join(words) + "\n", dialect=dialect, verbose=2)
    except Fatal:
        return
    assert conf.failed == any(line.startswith("f:") for line in conf.errors)
    lines(conf, dialect=dialect)


@given(st.text(max_size=200))
def test_any_text_gives_rules_or_errors(text):
    conf = read(text)
    assert conf.errors or not conf.failed


def test_the_older_parser_reads_on_and_words_two_complaints_otherwise():
    assert read(") x\npass in all\nbogus 1\n", dialect=37).errors == [
        "f:1: syntax error",
        "f:3: syntax error",
    ]
    told = read("altq on lo0 bandwidth 50% priq queue a\n", dialect=37).errors
    assert told[0] == "cannot determine interface bandwidth for lo0, specify an absolute bandwidth"
    convex = (
        "altq on wm0 bandwidth 10Mb hfsc queue { a b }\nqueue a bandwidth 10% hfsc(default)\n"
        "queue b bandwidth 10% hfsc(upperlimit (1Mb 10 2Mb))\n"
    )
    assert read(convex).errors[0] == "pfctl: m1 must be zero for convex curve: b"
    assert read(convex, dialect=37).errors == []


def test_a_word_in_a_list_is_looked_up_when_the_list_makes_sense():
    assert read("pass from { nosuch quick }\n").errors == ["f:1: syntax error"]
    assert read("pass from { nosuch any }\n").errors[0] == "no IP address found for nosuch"
    assert read("pass from { nosuch any }\n", dialect=37).errors == ["f:1: syntax error"]
