"""Buildfiles: what is read from them, and that no text does worse than be refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libnet.conf.buildfile import (
    HOST,
    INLINE,
    BadBuildfile,
    parse,
    parse_script,
)

TEXT = """\
# comment
[image=0x1000 +compress]
[virtual=x86,elf] .bootstrap = {
    [+keeplinked] startup-bios -v
    PATH=/proc/boot:/bin \\
    LD_LIBRARY_PATH="/lib:/lib/dll" [module=aps] procnto -v
}
[+script uid=0] .script = {
    slogger &    # at the end of a line, too
    [pri=21r +session] io-pkt-v4 \\
        -d i82544
    [pri=10]
    ifconfig
}
[type=link] /bin/sh = /proc/boot/ksh
[perms=0644] /etc/x={one ${TWO} \\} }
net.sh = {
#!/bin/sh
f() {
    echo "{"
    echo "\\}"
}
}
libc.so libm.so
/a/b=${QNX}/c   # from elsewhere
"""


def _entries():
    return {entry.path: entry for entry in parse(TEXT, "x.build").entries}


def test_entries_have_the_attributes_of_their_line_and_those_before():
    entries = _entries()
    assert list(entries) == [
        ".bootstrap",
        ".script",
        "/bin/sh",
        "/etc/x",
        "net.sh",
        "libc.so",
        "libm.so",
        "/a/b",
    ]
    assert entries["/etc/x"].attrs == {"image": "0x1000", "compress": "+", "perms": "0644"}
    assert entries["/bin/sh"].type == "link"
    assert entries["/bin/sh"].text == "/proc/boot/ksh"
    assert (entries["/a/b"].kind, entries["/a/b"].text) == (HOST, "${QNX}/c")
    assert entries["libm.so"].kind == ""


def test_braces_in_pairs_and_escaped_ones_belong_to_the_text():
    entries = _entries()
    assert entries["/etc/x"].text == "one ${TWO} } "
    assert entries["net.sh"].text == '#!/bin/sh\nf() {\n    echo "{"\n    echo "}"\n}\n'
    assert entries["net.sh"].kind == INLINE


def test_a_lonely_brace_ends_the_text_when_nothing_better_does():
    image = parse("a = {\necho {\n}\nb\n", "x")
    assert [(entry.path, entry.text) for entry in image.entries] == [("a", "echo {\n"), ("b", "")]


def test_the_place_of_a_file_is_under_its_prefix():
    image = parse("a\n[prefix=/x/] b/../c\n/etc//d\n", "x")
    assert [entry.place for entry in image.entries] == ["/proc/boot/a", "/x/c", "/etc/d"]


def test_script_and_variables_are_found():
    image = parse(TEXT, "x.build")
    assert image.variables() == {"PATH": "/proc/boot:/bin", "LD_LIBRARY_PATH": "/lib:/lib/dll"}
    (script,) = image.scripts
    lines = parse_script(script.text, "x.build", script.text_line)
    assert [(line.line, " ".join(line.text.split()), line.attrs) for line in lines] == [
        (9, "slogger & # at the end of a line, too", {}),
        (10, "io-pkt-v4 -d i82544", {"pri": "21r", "session": "+"}),
        (13, "ifconfig", {"pri": "10"}),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\n[perms=1\n", "x:2: unterminated attributes"),
        ("a\n\nb = {\nc\n", "x:3: no closing brace"),
        ("}", "x:1: unexpected '}'"),
        ('a = "b', "x:1: unterminated string"),
        ("a =\n", "x:2: a: nothing after '='"),
        ("[perms] a", "x:1: perms: not an attribute: +perms or perms=value"),
    ],
)
def test_what_is_no_buildfile_is_told_with_its_line(text, message):
    with pytest.raises(BadBuildfile) as caught:
        parse(text, "x")
    assert str(caught.value) == message


PIECES = st.sampled_from(
    [
        *"[]{}=#\\\"' \n",
        "a",
        "/b",
        "+script",
        ".script",
        "virtual=x",
        "procnto",
        "\\}",
        "PATH=/x",
        "&",
    ]
)


@given(st.one_of(st.text(), st.lists(PIECES, max_size=30).map("".join)))
def test_any_text_is_read_or_refused_with_its_line(text):
    try:
        image = parse(text, "x")
        image.variables()
        for entry in image.entries:
            assert entry.place.startswith("/")
            parse_script(entry.text, "x", entry.text_line)
    except BadBuildfile as exc:
        assert str(exc).startswith("x:")
        assert str(exc).split(":")[1].isdigit()


def test_attributes_may_stand_behind_variables_and_lines_may_end_as_on_dos():
    image = parse('.script = {\r\nA=1 B="x y" [+session pri=9] sh &\r\n}\r\n', "x")
    (line,) = parse_script(image.scripts[0].text, "x", image.scripts[0].text_line)
    assert (line.text, line.attrs) == ('A=1 B="x y" sh &', {"session": "+", "pri": "9"})
