"""pfctl(8): options and messages, without a stack and against one that runs."""

from __future__ import annotations

import io
import pathlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmds.pfctl import USAGE, main, spell_out
from cmds.pfctl.env import fixture_interfaces
from cmds.pfctl.session import Opts, Session
from cmds.pfctl.show import source_text, state_text, status_text
from libnet.addr import AF_INET, AF_INET6
from libnet.conf.pfconf.fp import Fingerprints, parse_pf_os
from libnet.conf.pfconf.names import KEYWORDS, KEYWORDS37, TIMEOUTS
from libnet.conf.pfconf.pfos import PF_OS
from libnet.errors import NetError
from libnet.ioctl import pf
from libnet.lab.memory import World
from libnet.libsocket.box import BoxPaths
from libnet.libsocket.ctx import Ctx
from libnet.loop.host import RealHost
from libnet.rpc.codec import decode, encode

ROOT = pathlib.Path(__file__).parent.parent.parent


def no_stack(_prefix):
    raise NetError("ENOENT")


def context(tmp_path, stdin="", **environ):
    streams = {"stdin": io.StringIO(stdin), "stdout": io.StringIO(), "stderr": io.StringIO()}
    box = BoxPaths(str(tmp_path), "A")
    return Ctx("pfctl", environ=environ, host=RealHost(), box=box, connect=no_stack, **streams)


@pytest.fixture
def pfctl(tmp_path):
    def call(argv, stdin="", **environ):
        ctx = context(tmp_path, stdin, **environ)
        return main(argv, ctx), ctx.stdout.getvalue(), ctx.stderr.getvalue()

    return call


# Options


@pytest.mark.parametrize("argv", [[], ["-h"], ["-t", "t", "-T", "kill", "10.0.0.1"]])
def test_usage_goes_to_standard_error(pfctl, argv):
    if "-T" in argv:
        argv = ["-n", *argv]
    assert pfctl(argv) == (1, "", USAGE)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["-Z"], "unknown option -- Z"),
        (["-F", "bogus"], "Unknown flush modifier 'bogus'"),
        (["-s", "bogus"], "Unknown show modifier 'bogus'"),
        (["-s", ""], "Unknown show modifier ''"),
        (["-t", "t", "-T", "bogus"], "Unknown table command 'bogus'"),
        (["-x", "bogus"], "Unknown debug level 'bogus'"),
        (["-o", "bogus"], "Unknown optimization 'bogus'"),
        (["-k", "a", "-k", "b", "-k", "c"], "can only specify -k twice"),
        (["-K", "a", "-K", "b", "-K", "c"], "can only specify -K twice"),
        (["-e", "more"], "unknown command line argument: more ..."),
        (["-f"], "option requires an argument -- f"),
    ],
)
def test_what_is_wrong_is_told_before_the_usage(pfctl, argv, message):
    assert pfctl(argv) == (1, "", f"pfctl: {message}\n{USAGE}")


@pytest.mark.parametrize(
    "argv", [["-e"], ["-d"], ["-sr"], ["-s", "all"], ["-Fa"], ["-k", "::1"], ["-z"], ["-f", "-"]]
)
def test_without_the_module_the_device_is_missing(pfctl, argv):
    assert pfctl(argv) == (1, "", "pfctl: /dev/pf: No such file or directory\n")


def test_another_device_may_be_named(pfctl):
    assert pfctl(["-p", "/sock2/dev/pf", "-e"])[2].startswith("pfctl: /sock2/dev/pf: ")


def test_parsing_alone_needs_no_device_and_takes_back_the_rest(pfctl):
    assert pfctl(["-ndeFa", "-x", "loud", "-nf", "-"], "pass\n") == (0, "", "")


def test_a_missing_file_is_told(pfctl):
    got = pfctl(["-nf", "/etc/none.conf"])
    assert got == (1, "", "pfctl: /etc/none.conf: No such file or directory\n")


def test_macros_of_the_command_line_split_at_the_last_equals_sign(pfctl):
    got = pfctl(["-D", "a=b=10.0.0.1", "-D", "bad", "-nvf", "-"], "pass from any\n")
    assert got[2] == "pfctl: could not parse macro definition bad\n"
    status, out, _ = pfctl(["-D", "x=10.0.0.1", "-nvf", "-"], 'x = "10.0.0.2"\npass from $x\n')
    assert status == 0
    assert "from 10.0.0.1 " in out


def test_unused_macros_are_told_with_vv(pfctl):
    assert pfctl(["-nvvf", "-"], "a = 1\n")[2] == "warning: macro 'a' not used\n"


def test_levels_of_the_optimizer_may_be_left_out_as_in_the_older_program():
    assert spell_out(["-o", "-nf", "-"]) == ["-o", "", "-n", "-f", "-"]
    assert spell_out(["-vvo"]) == ["-v", "-v", "-o", ""]
    assert spell_out(["-onone", "x"]) == ["-onone", "x"]
    assert spell_out(["-e", "--", "-n"]) == ["-e", "--", "-n"]


@given(st.lists(st.text(alphabet="aDefkvo- 0", max_size=4), max_size=5))
def test_options_spelled_out_lose_nothing(argv):
    got = spell_out(argv)
    assert "".join(got).replace("-", "") == "".join(argv).replace("-", "")


def test_an_older_host_gets_the_older_dialect(pfctl):
    got = pfctl(["-nvf", "-"], "pass\n", IOPKT_PF_DIALECT="37")
    assert got == (0, "pass all\n", "")


def test_numbers_of_rules_run_through_all_kinds(pfctl):
    text = "scrub\nnat on wm0 inet from 10/8 -> 1.2.3.4\npass\nblock in\n"
    out = pfctl(["-o", "none", "-nvvf", "-"], text)[1]
    assert re.findall(r"^@(\d+)", out, re.M) == ["0", "1", "2", "3"]


def test_octets_that_are_no_text_print_as_they_came(tmp_path):
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="utf-8")
    ctx = context(tmp_path)
    ctx.stdin = io.TextIOWrapper(io.BytesIO(b'pass label "\xff\xc3\xa9"\n'))
    ctx.stdout = out
    assert main(["-nvf", "-"], ctx) == 0
    out.flush()
    assert raw.getvalue() == b'pass all flags S/SA keep state label "\xff\xc3\xa9"\n'


def test_load_anchor_reads_the_file_and_goes_on_without_it(pfctl, tmp_path):
    text = 'load anchor a from "/etc/none"\npass\n'
    assert pfctl(["-nf", "-"], text) == (0, "", "pfctl: /etc/none: No such file or directory\n")


def test_table_commands_can_be_tried_without_a_device(pfctl):
    assert pfctl(["-n", "-t", "t", "-T", "add", "10.0.0.1"])[2] == (
        "0/1 addresses added (syntax only).\n"
    )
    assert pfctl(["-n", "-t", "t", "-T", "add", "no.such.host"]) == (
        255,
        "",
        "no IP address found for no.such.host\n",
    )


def test_fixtures_of_both_shapes_are_read():
    lo, wm = fixture_interfaces(
        "lo0 UP,LOOPBACK 33224\n  inet 127.0.0.1/8\nwm0 1500 100 10.0.0.1/24\n"
    )
    assert (lo.name, lo.flags, lo.mtu, lo.addrs[0].bits) == ("lo0", 9, 33224, 8)
    assert (wm.speed, wm.addrs[0].bcast, wm.index) == (100, 0x0A0000FF, 2)


@given(st.text(max_size=80))
def test_any_fixture_gives_interfaces(text):
    for one in fixture_interfaces(text):
        assert one.name


# Formats


def session(tmp_path, *, verbose=0):
    opts = Opts()
    opts.verbose = verbose
    made = Session(context(tmp_path), opts)
    return made


def state(**fields):
    made = pf.PfState(ifname="all", af=AF_INET, proto=6, direction=pf.PF_OUT, id=1, creatorid=2)
    made.lan = pf.PfStateHost(0xC0A80001, 1024)
    made.gwy = pf.PfStateHost(0x0A000001, 50001)
    made.ext = pf.PfStateHost(0x08080808, 80)
    made.src, made.dst = pf.PfStatePeer(state=4, seqlo=5, seqhi=15), pf.PfStatePeer(state=4)
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def test_a_translated_state_shows_three_addresses(tmp_path):
    assert state_text(session(tmp_path), state()) == (
        "all tcp 192.168.0.1:1024 -> 10.0.0.1:50001 -> 8.8.8.8:80       ESTABLISHED:ESTABLISHED\n"
    )


def test_an_incoming_state_points_the_other_way_and_swaps_its_sides(tmp_path):
    got = state_text(
        session(tmp_path),
        state(direction=pf.PF_IN, lan=pf.PfStateHost(1, 2), gwy=pf.PfStateHost(1, 2), proto=17,
              src=pf.PfStatePeer(state=1), dst=pf.PfStatePeer(state=0)),
    )  # fmt: skip
    assert got == "all udp 0.0.0.1:2 <- 8.8.8.8:80       NO_TRAFFIC:SINGLE\n"


def test_more_of_a_state_shows_with_v_and_vv(tmp_path):
    one = state(creation=3661, expire=59, packets=[3, 2], bytes=[180, 120], rule=7)
    one.src.seqdiff, one.src.wscale, one.dst.wscale = 9, 0x83, 0x80
    assert state_text(session(tmp_path, verbose=2), one).splitlines()[1:] == [
        "   [5 + 10](+9) wscale 3  [0 + 0] wscale 0",
        "   age 01:01:01, expires in 00:00:59, 3:2 pkts, 180:120 bytes, rule 7",
        "   id: 0000000000000001 creatorid: 00000002",
    ]


def test_an_ipv6_state_has_its_ports_in_brackets(tmp_path):
    one = state(af=AF_INET6, proto=58, lan=pf.PfStateHost(1, 9), gwy=pf.PfStateHost(1, 9))
    one.ext = pf.PfStateHost(2, 0)
    one.src.state = one.dst.state = 0
    assert state_text(session(tmp_path), one) == (
        "all ipv6-icmp ::1[9] -> ::2       NO_TRAFFIC:NO_TRAFFIC\n"
    )


def test_a_source_node_shows_its_rate_in_tenths(tmp_path):
    node = pf.PfSrcNode(addr=1, raddr=2, states=3, conn=4, conn_rate=[0, 5, 2500], af=AF_INET,
                        rule=6, creation=61)  # fmt: skip
    assert source_text(session(tmp_path, verbose=1), node).splitlines() == [
        "0.0.0.1 -> 0.0.0.2 ( states 3, connections 4, rate 2.5/5s )",
        "   age 00:01:01, 0 pkts, 0 bytes, filter rule 6",
    ]


def test_status_shows_rates_once_the_filter_has_run(tmp_path):
    status = pf.PfStatus(running=1, since=1000, ifname="wm0", fcounters=[10, 2, 1], states=1)
    status.pcounters[0] = 7
    text = status_text(session(tmp_path), status, 1000 + 86400 + 3661)
    lines = text.splitlines()
    assert lines[0] == "Status: Enabled for 1 days 01:01:01             Debug: None"
    assert lines[2] == "Interface Stats for wm0               IPv4             IPv6"
    assert "    Passed                               7                0" in lines
    assert "  searches                              10            0.0/s" in lines
    assert lines[-1] == "  synproxy                               0            0.0/s"


# Structs


@pytest.mark.parametrize("row", [row for name, row in vars(pf).items() if name.startswith("DIOC")])
def test_every_requests_argument_travels(row):
    assert row.group == "D"
    if isinstance(row.arg, type) and issubclass(row.arg, pf.PfStruct):
        value = row.arg()
        assert decode(encode(value)) == value
        assert value.copy() == value


def test_command_words_are_those_of_the_original():
    assert pf.DIOCSTART.word == 0x20004401
    assert pf.DIOCADDRULE.word == 0xC0000000 | 2888 << 16 | 0x4404
    assert pf.DIOCSETDEBUG.word == 0xC0044418


def test_a_copy_shares_nothing():
    rule = pf.PfRule()
    rule.rpool.list.append(pf.PfPoolAddr())
    other = rule.copy()
    other.src.port[0], other.rpool.list[0].ifname, other.timeout[3] = 5, "wm0", 9
    assert rule == pf.PfRule(rpool=pf.PfPool(list=[pf.PfPoolAddr()]))


@given(st.binary(max_size=60))
def test_packed_addresses_are_addresses_or_a_value_error(octets):
    for read in (pf.unpack_addrs, pf.unpack_astats):
        try:
            read(octets)
        except ValueError:
            continue


@given(st.sampled_from([AF_INET, AF_INET6]), st.integers(0, (1 << 32) - 1), st.integers(0, 32))
def test_packed_addresses_read_back(af, addr, net):
    assert pf.unpack_addrs(pf.pack_addr(af, addr, net, 1, 2)) == [(af, addr, net, 1, 2)]
    (row,) = pf.unpack_astats(pf.pack_astats(pf.pack_addr(af, addr, net), [1, 2, 3, 4], [5] * 4, 6))
    assert row == ((af, addr, net, 0, 0), [1, 2, 3, 4], [5] * 4, 6)


# Pages and samples


def words_of(page):
    text = (ROOT / "man" / page).read_text()
    return set(re.findall(r"[A-Za-z0-9.-]+[A-Za-z0-9]", re.sub(r"\\&", "", text)))


def test_the_page_has_every_keyword_and_timeout():
    known = words_of("man5/pf.conf.5")
    missing = (KEYWORDS | KEYWORDS37 | {name for name, _ in TIMEOUTS}) - known
    assert missing == set()


def test_the_page_of_the_device_has_every_request():
    text = (ROOT / "man" / "man4" / "pf.4").read_text()
    assert [name for name in vars(pf) if name.startswith("DIOC") and name not in text] == []


def test_the_sample_rules_parse_on_a_router(pfctl, tmp_path):
    (tmp_path / "interfaces").write_text("lo0 33192 0 127.0.0.1/8\nwm0 1500 0 10.0.0.1/24\n"
                                         "wm1 1500 0 192.168.1.1/24\n")  # fmt: skip
    for name in ("services", "protocols"):
        (tmp_path / name).write_text("ssh 22/tcp\ndomain 53/tcp\nauth 113/tcp\n"
                                     if name == "services" else "tcp 6\nicmp 1\n")  # fmt: skip
    text = (ROOT / "etc" / "pf.conf").read_text()
    status, out, err = pfctl(["-nvf", "-"], text, IOPKT_PF_FIXTURE=str(tmp_path))
    assert (status, err) == (0, "")
    assert "nat on wm0 inet from 192.168.1.0/24 to any -> (wm0) round-robin\n" in out


def test_the_fingerprints_of_a_new_box_are_the_sample_and_read_whole():
    assert (ROOT / "etc" / "pf.os").read_text() == PF_OS
    told = []
    fps = Fingerprints()
    for one in parse_pf_os(PF_OS, "pf.os", told.append):
        fps.add(one)
    assert told == []
    for name in ("Linux", "Linux 2.6", "Linux 2.6.5", "OpenBSD 3.4 no-df", "QNX 6.5"):
        assert fps.name(fps.number(name)) == name
    assert fps.name(fps.number("linux 2.6.5")) == "Linux 2.6.5"
    assert fps.name(fps.number("Plan 9")) == "nomatch"


def test_fingerprints_that_make_no_sense_are_told_by_line():
    told = []
    text = "x:64:1:60:M*:A:::a one\nS4:64:1:60:Z:A:::a one\n1:2\n\n%:1:1:40:.:A:::a one\n"
    assert list(parse_pf_os(text, "os", told.append)) == []
    assert told == [
        "os:1 non-digit character in window size",
        "os:2 unknown option to Z TCP opt",
        "os:3 empty don't fragment frag",
        "os:5 modulus window size must have a value",
    ]


@given(st.text(alphabet="0123456789:*%STMNW,.-#AB\n @", max_size=120))
def test_any_fingerprint_file_is_read_or_told(text):
    told = []
    fps = Fingerprints()
    for one in parse_pf_os(text, "os", told.append):
        fps.add(one)
        assert decode(encode(one)) == one
    assert all(line.startswith("os:") for line in told)


# With a filter that runs


@pytest.fixture(scope="module")
def box():
    with World(seed=9) as world:
        made = world.box("A", nic="i82544:lan0")
        assert made.sh("io-pkt-v4-hc -d i82544 -p pf-v4").status == 0
        assert made.sh("ifconfig wm0 10.0.0.1/24").status == 0
        yield made


@pytest.fixture
def clean(box):
    box.sh("pfctl -qd; pfctl -q -F all")
    return box


def test_on_and_off_and_no_further(clean):
    assert clean.sh("pfctl -e").err == "pf enabled\n"
    again = clean.sh("pfctl -e")
    assert (again.err, again.status) == ("pfctl: pf already enabled\n", 1)
    assert clean.sh("pfctl -d").err == "pf disabled\n"
    again = clean.sh("pfctl -d")
    assert (again.err, again.status) == ("pfctl: pf not enabled\n", 1)


def test_a_file_with_an_error_leaves_the_rules_as_they_were(clean):
    assert clean.sh("pfctl -f -", stdin="set skip on lo0\nblock in\n").status == 0
    got = clean.sh("pfctl -f -", stdin="table <t> { 1.2.3.4 }\npass in\nbogus\nset skip on wm0\n")
    assert got.status == 1
    assert got.err == (
        "stdin:3: syntax error\npfctl: Syntax error in config file: pf rules not loaded\n"
    )
    assert clean.sh("pfctl -s rules").out == "block drop in all\n"
    assert clean.sh("pfctl -s Tables").out == ""
    shown = clean.sh("pfctl -vs Interfaces").out
    assert "lo0 (skip)\n" in shown
    assert "wm0\n" in shown


def test_only_a_part_of_a_file_may_be_loaded(clean):
    text = "set limit states 77\nscrub in\nnat on wm0 inet from any to any -> 1.2.3.4\npass in\n"
    clean.sh("pfctl -N -f -", stdin=text)
    assert clean.sh("pfctl -s rules").out == ""
    assert "-> 1.2.3.4" in clean.sh("pfctl -s nat").out
    clean.sh("pfctl -R -f -", stdin=text)
    assert clean.sh("pfctl -s rules").out.startswith("scrub in all")
    assert "77" not in clean.sh("pfctl -s memory").out
    clean.sh("pfctl -O -f -", stdin=text)
    assert "states        hard limit       77\n" in clean.sh("pfctl -s memory").out
    clean.sh("pfctl -m -O -f -", stdin="set timeout interval 3\n")
    assert "states        hard limit       77\n" in clean.sh("pfctl -s memory").out
    assert "interval                      3s\n" in clean.sh("pfctl -s timeouts").out


def test_a_limit_of_states_moves_the_adaptive_timeouts(clean):
    clean.sh("pfctl -f -", stdin="set limit states 1000\n")
    out = clean.sh("pfctl -s timeouts").out
    assert "adaptive.start              600 states\nadaptive.end               1200 states\n" in out


def test_inline_anchors_load_and_list_with_their_rules(clean):
    text = "anchor a {\n block in\n anchor b {\n  pass quick\n }\n}\nanchor {\n pass out\n}\n"
    assert clean.sh("pfctl -f -", stdin=text).err == ""
    assert clean.sh("pfctl -s rules").out == (
        'anchor "a" all\nanchor all {\n  pass out all flags S/SA keep state\n}\n'
    )
    assert clean.sh("pfctl -a '*' -s rules").out == (
        'anchor "a" all {\n'
        "  block drop in all\n"
        '  anchor "b" all {\n'
        "    pass quick all flags S/SA keep state\n"
        "  }\n"
        "}\n"
        "anchor all {\n"
        "  pass out all flags S/SA keep state\n"
        "}\n"
    )
    assert clean.sh("pfctl -s Anchors").out == "  a\n"
    assert re.fullmatch(r"  _\d+\n  a\n  a/b\n", clean.sh("pfctl -vs Anchors").out)
    assert clean.sh("pfctl -a a/b -s rules").out == "pass quick all flags S/SA keep state\n"


def test_rules_of_an_anchor_are_replaced_alone(clean):
    clean.sh("pfctl -f -", stdin="anchor x\npass in\n")
    clean.sh("pfctl -a x -f -", stdin="block out\n")
    clean.sh("pfctl -a x -f -", stdin="block in\n")
    assert clean.sh("pfctl -a x -s rules").out == "block drop in all\n"
    assert clean.sh("pfctl -a x -F rules").err == "rules cleared\n"
    assert clean.sh("pfctl -s rules").out == ('anchor "x" all\npass in all flags S/SA keep state\n')
    reserved = clean.sh("pfctl -a _x -f -", stdin="pass\n")
    assert reserved.err == (
        "pfctl: anchor names beginning with '_' cannot be modified from the command line\n"
    )


def test_load_anchor_fills_an_anchor_in_the_same_transaction(clean):
    with open(clean.paths.file("/etc/inner"), "w", encoding="ascii") as file:
        file.write("block in proto tcp\n")
    text = 'anchor in\nload anchor in from "/etc/inner"\n'
    assert clean.sh("pfctl -f -", stdin=text).status == 1  # "in" is a keyword
    text = 'anchor inner\nload anchor inner from "/etc/inner"\n'
    assert clean.sh("pfctl -f -", stdin=text).err == ""
    assert clean.sh("pfctl -a inner -s rules").out == "block drop in proto tcp all\n"
    with open(clean.paths.file("/etc/inner"), "w", encoding="ascii") as file:
        file.write("bogus bogus\n")
    got = clean.sh("pfctl -f -", stdin="pass\n" + text)
    assert got.status == 1
    assert got.err.startswith("/etc/inner:1: syntax error\n")
    assert clean.sh("pfctl -s rules").out == 'anchor "inner" all\n'


def test_states_show_and_can_be_killed(clean):
    clean.sh("pfctl -e -f -", stdin="pass keep state\n")
    clean.sh("ping -c 1 10.0.0.1")
    got = clean.sh("pfctl -s states").out
    assert re.search(r"^all icmp 10\.0\.0\.1:\d+ -> 10\.0\.0\.1 +0:0\n", got, re.M)
    assert (
        clean.sh("pfctl -k 10.0.0.9").err == "killed 0 states from 1 sources and 0 destinations\n"
    )
    killed = clean.sh("pfctl -k 10.0.0.0/24 -k 10.0.0.1").err
    assert re.fullmatch(r"killed [1-9] states from 1 sources and 1 destinations\n", killed)
    assert clean.sh("pfctl -s states").out == ""
    assert clean.sh("pfctl -k nowhere").err == (
        "pfctl: getaddrinfo: hostname nor servname provided, or not known\n"
    )
    assert clean.sh("pfctl -F states").err == "0 states cleared\n"


def test_labels_count_and_z_begins_anew(clean):
    clean.sh("pfctl -e -f -", stdin='pass label "one" no state\n')
    clean.sh("ping -c 1 10.0.0.1")
    name, *numbers = clean.sh("pfctl -s labels").out.split()
    assert name == "one"
    assert len(numbers) == 7
    assert int(numbers[1]) > 0
    clean.sh("pfctl -z")
    assert clean.sh("pfctl -s labels").out == "one 0 0 0 0 0 0 0\n"


def test_tables_change_by_command_and_a_constant_one_does_not(clean):
    clean.sh("pfctl -f -", stdin="table <c> const { 10/8 }\ntable <p> persist\npass from <c>\n")
    assert clean.sh("pfctl -t p -T add 10.0.0.1 10.0.0.1").err == "1/2 addresses added.\n"
    assert clean.sh("pfctl -t p -T show").out == "   10.0.0.1\n"
    assert clean.sh("pfctl -t c -T add 10.0.0.1").status == 255
    assert clean.sh("pfctl -vs Tables").out == "c-a-r-\tc\n-pa---\tp\n"
    test = clean.sh("pfctl -vv -t c -T test 10.1.1.1 11.1.1.1")
    assert (test.out, test.status) == (
        "M  10.1.1.1\t 10.0.0.0/8\n   11.1.1.1\t nomatch\n",
        2,
    )
    gone = clean.sh("pfctl -t nosuch -T show")
    assert (gone.err, gone.status) == ("pfctl: Table does not exist.\n", 255)


def test_many_rules_alike_become_a_table_of_their_own(clean):
    hosts = "{ " + " ".join(f"10.0.0.{n}" for n in range(1, 8)) + " }"
    clean.sh("pfctl -f -", stdin=f"pass from {hosts}\n")
    assert re.fullmatch(
        r"@0 pass inet from <__automatic_[0-9a-f]+_0:7> to any flags S/SA keep state\n",
        clean.sh("pfctl -vvs rules").out.splitlines(keepends=True)[0],
    )


def test_debug_level_and_counters_are_set(clean):
    assert clean.sh("pfctl -x misc").err == "debug level set to 'misc'\n"
    assert clean.sh("pfctl -s info").out.splitlines()[0].endswith("Debug: Misc")
    assert clean.sh("pfctl -F info").err == "pf: statistics cleared\n"


def test_flushing_all_tells_each_step(clean):
    clean.sh("pfctl -f -", stdin="table <t> persist\npass\n")
    assert clean.sh("pfctl -F all").err == (
        "rules cleared\nnat cleared\n1 tables deleted.\naltq cleared\n0 states cleared\n"
        "source tracking entries cleared\npf: statistics cleared\npf: interface flags reset\n"
    )


def test_everything_shows_under_its_headings(clean):
    clean.sh("pfctl -f -", stdin='table <t> persist\npass label "x"\n')
    out = clean.sh("pfctl -s all").out
    titles = [line for line in out.splitlines() if line.isupper() and line.endswith(":")]
    assert titles == [
        "FILTER RULES:", "INFO:", "LABEL COUNTERS:", "TIMEOUTS:", "LIMITS:", "TABLES:",
        "OS FINGERPRINTS:",
    ]  # fmt: skip


def test_interfaces_show_what_is_skipped(clean):
    clean.sh("pfctl -f -", stdin="set skip on lo0\n")
    out = clean.sh("pfctl -vs Interfaces").out.splitlines()
    assert "lo0 (skip)" in out
    assert "wm0" in out
    clean.sh("pfctl -f -", stdin="pass\n")
    assert "lo0" in clean.sh("pfctl -vs Interfaces").out.splitlines()


def test_queues_show_as_a_tree_with_statistics(clean):
    text = "altq on wm0 cbq bandwidth 10Mb queue { a b }\nqueue a bandwidth 40% cbq(default)\n"
    clean.sh("pfctl -e -f -", stdin=text + "queue b bandwidth 20%\npass queue a\n")
    out = clean.sh("pfctl -vs queue").out.splitlines()
    assert out[0] == "queue root_wm0 on wm0 bandwidth 10Mb priority 0 cbq( wrr root ) {a, b}"
    assert out[3] == "queue  a on wm0 bandwidth 4Mb cbq( default ) "
    assert re.fullmatch(r"  \[ qlength:   0/ 50  borrows:      0  suspends:      0 \]", out[5])
    assert clean.sh("pfctl -F queue").err == "altq cleared\n"
    assert clean.sh("pfctl -s queue").out == "No queue in use\n"


def test_a_stack_with_the_older_dialect_is_asked_for_it():
    with World(seed=2) as world:
        box = world.box("B", nic="i82544:lan0")
        assert box.sh("io-pkt-v4-hc -d i82544").status == 0
        assert box.sh("mount -Tio-pkt -o dialect=37 lsm-pf-v4.so").status == 0
        box.sh("pfctl -f -", stdin='pass in log-all\npass out label "x" keep state\n')
        assert box.sh("pfctl -s rules").out == (
            'pass in log-all all\npass out all keep state label "x"\n'
        )
        assert box.sh("pfctl -z").err == "pf: rule counters cleared\n"
        assert box.sh("pfctl -s labels").out == "x 0 0 0\n"
        assert "src-nodes  hard limit  10000\n" in box.sh("pfctl -s memory").out
