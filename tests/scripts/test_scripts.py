"""Timed exchanges: every script here against a stack of its own, and the interpreter against itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libnet.lab.drill import Failure, run
from libnet.lab.drillscript import KNOBS, BadScript, Call, Tcp, parse

HERE = Path(__file__).parent
SCRIPTS = sorted(HERE.glob("*.pkt"), key=lambda path: path.name)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_script(path):
    run(parse(path.read_text(), path.name))


def test_there_are_enough_scripts_and_each_says_what_it_shows():
    assert len(SCRIPTS) >= 160
    for path in SCRIPTS:
        first, second = path.read_text().splitlines()[:2]
        assert first.startswith("// "), path.name
        head = path.read_text().split("\n0 ")[0].split("\n--")[0]
        assert "RFC" in head or "NetBSD" in head, path.name
        assert second.startswith("//"), path.name


# What a script says wrongly must fail, or the scripts above would prove nothing.

UDP = "0 socket(..., SOCK_DGRAM, IPPROTO_UDP) = 3\n+0 bind(3, ..., ...) = 0\n"


@pytest.mark.parametrize(
    ("text", "line", "expected", "actual"),
    [
        ("0 < udp (1)\n+1 < udp (1)", 2, "no packet", "icmp type 3 code 3"),
        ("0 < udp (1)", 1, "no packet", "icmp type 3 code 3"),
        ("0 < udp (1)\n+1 > icmp unreachable port_unreachable", 2, "at 1.000000", "at 0.000000"),
        ("0 < udp (1)\n+0 > icmp unreachable host_unreachable", 2, "code 1", "code 3"),
        ("0 < udp (1)\n+0 > udp (1)", 2, "IP protocol 17", "icmp type 3 code 3"),
        ("0 > udp (1)", 1, "this packet", "none by 0.000000"),
        (UDP + "+0 read(3, ..., 10) = 10", 3, "10", "the call blocks"),
        (UDP + "+0...1 read(3, ..., 10) = 10\n+2 < udp (10)", 3, "return at 1.0", "blocked at 2.0"),
        (UDP + "+0...1 read(3, ..., 10) = 10\n+.5 < udp (10)", 3, "return at 1.0", "at 0.5"),
        (UDP + "+0...1 read(3, ..., 10) = 10", 3, "return at 1.0", "still blocked at 0.0"),
        (UDP + "+0 < udp (10)\n+0 read(3, ..., 100) = 11", 4, "11", "10"),
        (UDP + "+0 read(7, ..., 1) = 1", 3, "1", "-1 EBADF (Bad file descriptor)"),
        (UDP + "+0 read(7, ..., 1) = -1 EBADF (Bad idea)", 3, "(Bad idea)", "Bad file descriptor"),
        (UDP + "+0 read(7, ..., 1) = -1 EINVAL", 3, "-1 EINVAL", "-1 EBADF"),
        (UDP + "+0 getsockopt(3, SOL_SOCKET, SO_TYPE, [1], [4]) = 0", 3, "[1]", "[2]"),
        (UDP + "+0 socket(..., SOCK_DGRAM, IPPROTO_UDP) = 3", 3, "free", "3 is open"),
        (UDP + "+0 fly(3) = 0", 3, "a call", "fly"),
        (UDP + "+0 read(3) = 0", 3, "more arguments", "1"),
        (UDP + "+0 bind(3, ..., ...) = 0", 3, "0", "-1 EINVAL"),
        (UDP + "+0 socket(..., SOCK_MAGIC, 0) = 4", 3, "a word", "SOCK_MAGIC"),
        (UDP + "`sysctl -w net.inet.nothing=1`", 3, "net.inet.nothing", "ENOENT"),
        (UDP + "+0 %{ udps_noport == 1 }%", 3, "udps_noport == 1", "0 == 1"),
        (UDP + '+0 %{ udps_noport < "x" }%', 3, "udps_noport", "0 < 'x'"),
        (UDP + '+0 %{ sysctl("net.none") == 1 }%', 3, "sysctl net.none", "ENOENT"),
        (UDP + "+5 %{ readable(3) == 0 }%\n1 read(3, ..., 1) = 0", 4, "at 1.0", "5.0"),
        (UDP + "+0 sendto(3, ..., 9, 0, {sin_port=9}, 16) = 9\n+0 > 8080 > 9 udp (8)", 4, "8", "9"),
        (
            UDP + "+0 sendto(3, ..., 9, 0, {sin_port=9}, 16) = 9\n+0 > [DF] 8080 > 9 udp (9)",
            4,
            "[DF]",
            "8080 > 9 udp (9)",
        ),
        (
            UDP + "+0 sendto(3, ..., 9, 0, {sin_port=9}, 16) = 9\n+0 > [CE] 8080 > 9 udp (9)",
            4,
            "[CE]",
            "ECN bits 0",
        ),
        (
            UDP + "+0 sendto(3, ..., 9, 0, {sin_port=9}, 16) = 9\n+0 > 8080 > 7 udp (9)",
            4,
            "ports 8080 > 7",
            "udp (9)",
        ),
    ],
)
def test_what_is_not_so_fails(text, line, expected, actual):
    with pytest.raises(Failure) as caught:
        run(parse(text, "wrong.pkt"))
    assert caught.value.line == line
    assert expected in caught.value.expected
    assert actual in caught.value.actual
    assert str(caught.value).startswith(f"wrong.pkt:{line}: ")


TCP = """0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
+0 < S 0:0(0) win 32792 <mss 1012,sackOK,TS val 200 ecr 0>
+0 > S. 0:0(0) ack 1 win 32768 <mss 1460,sackOK,TS val 100 ecr 200>
+.1 < . 1:1(0) ack 1 win 32792 <TS val 200 ecr 100>
+0 accept(3, ..., ...) = 4
+0 write(4, ..., 100) = 100
"""


@pytest.mark.parametrize(
    ("line", "expected", "actual"),
    [
        ("> P. 1:101(100) ack 1 win 32768 <TS val 110 ecr 200>", "", ""),
        ("> P. 1:101(100) ack * win * <...>", "", ""),
        ("> [DF,ttl 64,noecn,tos 0] P. * ack 1 <TS val * ecr *>", "", ""),
        ("> 8080 > 40000 P. 1:101(100) ack 1 <...>", "", ""),
        ("> . 1:101(100) ack 1 <...>", "flags .", "P. 1:101(100) ack 1 win 32768 <TS val "),
        ("> P. 2:102(100) ack 1 <...>", "sequence number 2", "P. 1:101"),
        ("> P. 1:100(99) ack 1 <...>", "99 octets", "(100)"),
        ("> P. 1:101(100) ack 2 <...>", "ack 2", "ack 1"),
        ("> P. 1:101(100) ack 1 win 5 <...>", "win 5", "win 32768"),
        ("> P. 1:101(100) ack 1 urg 5 <...>", "urg 5", "P. 1:101"),
        ("> P. 1:101(100) ack 1", "no option TS", "P. 1:101"),
        ("> P. 1:101(100) ack 1 <mss 1460>", "<mss 1460>", "P. 1:101"),
        ("> P. 1:101(100) ack 1 <TS val 110 ecr 201>", "<TS val 110 ecr 201>", "ecr 200"),
        ("> P. 1:101(100) ack 1 <TS val 100 ecr 200>", "TS val 100 ecr 200>, which was", "P. 1:1"),
        ("> P. 1:101(100) ack 1 <TS val 90 ecr 200>", "in order with 100", "P. 1:101"),
        ("> P. 1:101(100) ack 1 <TS val 110 ecr 200,sack 1:2>", "<sack 1:2>", "P. 1:101"),
        ("> [ECT0] P. 1:101(100) ack 1 <...>", "[ECT0]", "ECN bits 0"),
        ("> [tos 16] P. 1:101(100) ack 1 <...>", "tos 0x10", "tos 0x0"),
        ("> [ttl 9] P. 1:101(100) ack 1 <...>", "ttl 9", "ttl 64"),
        ("> [noDF] P. 1:101(100) ack 1 <...>", "[noDF]", "P. 1:101"),
        ("> 8080 > 9 P. 1:101(100) ack 1 <...>", "ports 8080 > 9", "40000"),
        ("> udp (100)", "IP protocol 17", "P. 1:101"),
        ("%{ tcps_sndpack == 1 }%", "no packet", "at 0.100000 > P. 1:101"),
        ("read(4, ..., 1) = 1", "no packet", "P. 1:101"),
    ],
)
def test_a_segment_is_compared_in_every_part(line, expected, actual):
    script = parse(f"{TCP}+0 {line}", "wrong.pkt")
    if not expected:
        run(script)
        return
    with pytest.raises(Failure) as caught:
        run(script)
    assert caught.value.line == 9
    assert expected in caught.value.expected
    assert actual in caught.value.actual


def test_octets_that_nobody_sent_are_not_read_for_those_that_were():
    text = (
        TCP + "+0 > P. * ack 1 <...>\n+0 < [noise] P. 1:11(10) ack 101 win 9 <TS val 201 ecr 100>\n"
    )
    with pytest.raises(Failure) as caught:
        run(parse(text + "+0 read(4, ..., 100) = 10", "wrong.pkt"))
    assert caught.value.expected == "octet 0 of the stream to be what came in"


def test_octets_that_nobody_wrote_are_not_taken_for_those_that_were(monkeypatch):
    from libnet.engine.kern.stream import ByteBuf

    peek = ByteBuf.peek
    monkeypatch.setattr(ByteBuf, "peek", lambda self, off, n: peek(self, off, n)[::-1])
    with pytest.raises(Failure) as caught:
        run(parse(TCP + "+0 > P. 1:101(100) ack 1 <...>", "wrong.pkt"))
    assert caught.value.expected == "the octets that were written"


def test_a_script_runs_twice_alike():
    script = parse(TCP + "+0 > P. 1:101(100) ack 1 <TS val 110 ecr 200>\n+1 > P. * ack 1 <...>")
    run(script)
    run(script)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "s:1: a script without events"),
        ("/* for ever", "s:1: comment without end"),
        ("--colour=blue\n0 close(3) = 0", "s:1: no option of a script: '--colour=blue'"),
        ("--mtu=1", "s:1: --mtu: bad value 1"),
        ("--local_ip=1.2.3", "s:1: --local_ip: bad value 1.2.3"),
        ("0 < S. 0:0(0)", "s:1: the flag `.' and an ack belong together"),
        ("0 < S 0:0(0) ack 1", "s:1: the flag `.' and an ack belong together"),
        ("0 < S 0:5(0)", "s:1: 0:5 is not 0 octets"),
        ("\n\n0 < SS 0:0(0)", "s:3: flags SS"),
        ("0 < X 0:0(0)", "s:1: flags expected at 'X 0:0(0)'"),
        ("0 < S *", "s:1: an incoming segment needs its numbers"),
        ("0 < S 0:0(0) <...>", "s:1: an incoming segment leaves nothing open"),
        ("0 < S 0:0(0) <mss>", "s:1: mss expected at '>'"),
        ("0 < S 0:0(0) <mss 70000>", "s:1: mss 70000 is not in 0..65535"),
        ("0 < S 0:0(0) <colour 1>", "s:1: no TCP option: 'colour 1>'"),
        ("0 < . 1:1(0) ack 1 <sack>", "s:1: edge expected at '>'"),
        ("0 < [blue] S 0:0(0)", "s:1: no word about an IP header: 'blue] S 0:0(0)'"),
        ("0 < icmp flood [1:1(0)]", "s:1: no ICMP error: 'flood [1:1(0)]'"),
        ("0 < icmp unreachable frag_needed", "an ICMP error quotes a segment"),
        ("0 < [1:1(0)] . 1:1(0) ack 1", "s:1: only icmp quotes a segment"),
        ("0...1 < S 0:0(0)", "s:1: only a call blocks"),
        ("0~1 < S 0:0(0)", "s:1: only an outgoing packet may choose its time"),
        ("* close(3) = 0", "s:1: only an outgoing packet may choose its time"),
        ("2~1 > S 0:0(0)", "s:1: a time that ends before it begins"),
        ("99999999 close(3) = 0", "s:1: time 99999999 is too long"),
        ("0 close(3", "s:1: `,' expected at the end of the line"),
        ("0 close(3) = -1", "s:1: the symbol of an error expected at the end of the line"),
        ("0 close([[[[[[[[[[1]]]]]]]]]])", "s:1: too many brackets"),
        ("`rm -rf /`", "s:1: the only command is `sysctl -w NAME=VALUE'"),
        ("`sysctl -w net`", "s:1: sysctl -w: net"),
        ("%{ }%", "s:1: nothing to check"),
        ("%{ import os }%", "s:1: no comparison: import os"),
        ("%{ open == 1 }%", "s:1: no value: open"),
    ],
)
def test_what_is_no_script_is_refused_with_its_line(text, message):
    with pytest.raises(BadScript) as caught:
        parse(text, "s")
    assert message in str(caught.value)


def test_a_segment_is_read_whole():
    text = (
        "0.5~+.75 > [ECT0,DF,ttl 64] 80 > 99 EP. 1:1001(1000) ack -5 win * urg 7 <TS val 1 ecr *>"
    )
    (event,) = parse(text).events
    body = event.body
    assert isinstance(body, Tcp)
    assert (event.when.kind, event.when.start, event.when.end) == ("range", 0.5, 0.75)
    assert (body.flags, body.ports, body.ack, body.urg) == ("PE.", (80, 99), -5, 7)
    assert (body.seq.start, body.seq.length, str(body.win)) == (1, 1000, "*")
    assert body.ip.words == {"ECT0", "DF"}
    assert body.ip.ttl == 64
    assert [str(option) for option in body.options] == ["TS val 1 ecr *"]


def test_a_call_is_read_whole():
    text = '+0 f(3, ..., A|B, [4], {onoff=1, linger=0}, "x") = -1 EPIPE (Broken pipe) # why'
    (event,) = parse(text).events
    body = event.body
    assert isinstance(body, Call)
    assert [str(arg) for arg in body.args[:3]] == ["3", "...", "A|B"]
    assert body.args[3:] == ([4], {"onoff": 1, "linger": 0}, "x")
    assert (body.result, body.error, body.text) == (-1, "EPIPE", "Broken pipe")


def test_comments_and_line_ends_part_nothing_else():
    text = "--mtu=1400\n// a\n/* b\n */ 0 close(3) = 0 // c\n+1 /* d */ close(\n4) = 0\n"
    script = parse(text)
    assert script.knobs == {**KNOBS, "mtu": 1400}
    assert [event.line for event in script.events] == [4, 5]


WORDS = """0 +0 +.1 0...1 0~1 * < > S S. . FP. 0:0(0) 1:1001(1000) ack 1 win 100 * urg <mss 1460> <...>
    <sack 1:2> <TS val 1 ecr 2> <raw 0204> [ECT0] [1:2(1)] icmp unreachable frag_needed mtu udp (10)
    80 close(3) = -1 EPIPE (Broken pipe) socket(..., A|B, [1], {a=1}) `sysctl -w a=1` %{ tcps_x == 1 }%
    --mtu=1400 // /* */ # { } [ ] ( ) , | " %{ }% ` -1 0x 99999999999"""
PIECES = st.sampled_from(WORDS.split())


@given(st.one_of(st.text(max_size=200), st.lists(PIECES, max_size=30).map(" ".join)))
def test_any_text_parses_or_is_refused(text):
    try:
        script = parse(text, "any")
    except BadScript as exc:
        assert str(exc).startswith("any:")
    else:
        assert script.events


@given(st.lists(PIECES, max_size=12).map(" ".join))
def test_any_script_runs_or_fails_with_its_line(text):
    try:
        script = parse(TCP + text, "any")
    except BadScript:
        return
    try:
        run(script)
    except Failure as exc:
        assert exc.line >= 1
