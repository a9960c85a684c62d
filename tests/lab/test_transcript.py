"""The transcript notation: what it reads, what it lets pass, what it does not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libnet.lab.transcript import BadTranscript, Mismatch, matches, parse, run

TEXT = """\
# a comment
== first
[A]# one \\
    two
out ... here
[status 3]

== second
[B]# three
"""


def test_sections_commands_output_and_status_are_read():
    first, second = parse(TEXT)
    assert (first.box, first.command, first.expect, first.status) == (
        "A",
        "one two",
        ["out ... here"],
        3,
    )
    assert (second.section, second.command, second.expect) == ("second", "three", [])


@pytest.mark.parametrize(
    ("expect", "got", "well"),
    [
        (["a"], ["a"], True),
        (["a"], ["b"], False),
        (["a"], [], False),
        ([], ["a"], False),
        (["..."], ["a", "b"], True),
        (["a", "...", "z"], ["a", "z"], True),
        (["a", "...", "z"], ["a", "b", "z", "y"], False),
        (["t=... ms"], ["t=0.1 ms"], True),
        (["t=... ms"], ["t=0.1 s"], False),
    ],
)
def test_elision_lets_pass_what_it_says(expect, got, well):
    assert matches(expect, got) is well


def test_a_difference_stops_the_run_and_shows_both():
    with pytest.raises(Mismatch) as caught:
        run(parse("== s\n[A]# x\nyes\n"), lambda _box, _command: ("no\n", 0))
    assert "yes" in str(caught.value)
    assert "no" in str(caught.value)


def test_a_wrong_status_is_a_difference():
    with pytest.raises(Mismatch):
        run(parse("== s\n[A]# x\n"), lambda _box, _command: ("", 1))


@given(st.text(max_size=200))
def test_any_text_is_a_transcript_or_is_refused(text):
    try:
        parse(text)
    except BadTranscript:
        return
