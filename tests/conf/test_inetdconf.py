"""inetd.conf: services read, slips told, and no text that does worse."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libnet.conf.inetdconf import BadConfig, Service, parse

TEXT = """\
# comment
echo stream tcp nowait root internal
10.0.0.1:
9000 stream tcp,sndbuf=4k,rcvbuf=100 nowait:5 nobody:daemon
\t/bin/cat cat "two words" -n
[::1]:ftp dgram udp wait.7 root.wheel /usr/sbin/x
tcpmux/+up stream tcp wait root /bin/tr tr a b
"""


def test_lines_become_services():
    services, problems = parse(TEXT, "x")
    assert problems == []
    first, second, third, fourth = services
    assert (first.host, first.label, first.internal, first.limit) == ("*", "echo/tcp", True, 40)
    assert second == Service(
        "10.0.0.1",
        "9000",
        "stream",
        "tcp",
        limit=5,
        user="nobody",
        group="daemon",
        server="/bin/cat",
        argv=("cat", "two words", "-n"),
        sndbuf=4096,
        rcvbuf=100,
    )
    assert (third.host, third.wait, third.limit, third.group) == ("::1", True, 7, "wheel")
    assert (fourth.name, fourth.mux, fourth.wait) == ("up", 2, False)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("foo stream tcp nowait root internal", "internal service foo unknown"),
        ("tcpmux dgram udp wait root internal", "internal service tcpmux unknown"),
        ("a stream tcp,x=1 nowait root /x", "a: malformed buffer size option `x'"),
        ("a stream tcp,sndbuf=1q nowait root /x", "a: malformed buffer size option `1q'"),
        ("a stream tcp,sndbuf=0 nowait root /x", "a: invalid buffer size `0'"),
        ("a stream tcp,a=1,b=1,c=1 nowait root /x", "a: too many buffer sizes"),
        ("a stream ,sndbuf=1 nowait root /x", "a: invalid protocol specified"),
        ("tcpmux/a stream udp nowait root /x", "x: bad protocol for tcpmux service a"),
        ("tcpmux/a dgram tcp nowait root /x", "x: bad socket type for tcpmux service a"),
        ("a/1 stream rpc/tcp nowait root /x", "a/1: rpc services not suported"),
    ],
)
def test_a_bad_line_is_told_and_the_others_are_read(line, problem):
    services, problems = parse(f"{line}\necho stream tcp nowait root internal\n", "x")
    assert problems == [problem]
    assert [service.name for service in services] == ["echo"]


def test_a_line_without_its_words_ends_it():
    with pytest.raises(BadConfig, match="x: syntax error"):
        parse("echo stream tcp nowait root", "x")


WORDS = st.sampled_from(
    [
        "echo",
        "stream",
        "dgram",
        "tcp",
        "udp",
        "nowait:",
        "wait.x",
        ":",
        "a:",
        "tcpmux/+",
        "internal",
    ]
    + ["tcp,sndbuf=1k", "'", '"', "#", "\n", "\n ", "root:", "é"]
)


@given(st.one_of(st.text(), st.lists(WORDS, max_size=30).map(" ".join)))
def test_any_text_is_read_or_refused(text):
    try:
        services, _problems = parse(text, "x")
    except BadConfig as exc:
        assert str(exc) == "x: syntax error"
        return
    for service in services:
        assert service.limit >= 0
