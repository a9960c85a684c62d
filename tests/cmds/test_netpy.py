"""netpy takes what python3 takes."""

from __future__ import annotations

import io
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmds.netpy import BadLine, main, parse
from libnet.lab.memory import World

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


@pytest.mark.parametrize(
    ("argv", "options", "how", "what", "rest"),
    [
        (["x.py"], [], "file", "x.py", []),
        (["x.py", "-v", "y"], [], "file", "x.py", ["-v", "y"]),
        (["-c", "pass", "-x"], [], "-c", "pass", ["-x"]),
        (["-cpass"], [], "-c", "pass", []),
        (["-m", "http.server", "80"], [], "-m", "http.server", ["80"]),
        (["-um", "x"], ["-u"], "-m", "x", []),
        (["-u", "-W", "error", "-Xdev", "x.py"], ["-u", "-W", "error", "-X", "dev"], "file",
         "x.py", []),
        (["-BIWerror", "-"], ["-BI", "-W", "error"], "stdin", "-", []),
        (["-", "a"], [], "stdin", "-", ["a"]),
        ([], [], "stdin", "-", []),
        (["--", "x.py"], [], "file", "x.py", []),
        (["-VV"], ["-VV"], "tell", "", []),
        (["--version"], ["--version"], "tell", "", []),
        (["--check-hash-based-pycs", "never", "x"], ["--check-hash-based-pycs", "never"], "file",
         "x", []),
    ],
)  # fmt: skip
def test_command_lines(argv, options, how, what, rest):
    line = parse(argv)
    assert (line.options, line.how, line.what, line.rest) == (options, how, what, rest)


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        (["-c"], "argument expected for the -c option"),
        (["-Z"], "unknown option -Z"),
        (["--colour"], "unknown option --colour"),
        (["-uW"], "argument expected for the -W option"),
    ],
)
def test_wrong_command_lines(argv, text):
    with pytest.raises(BadLine, match=text):
        parse(argv)


@given(st.lists(st.text(alphabet="-cmuWXVx .=/", max_size=6), max_size=5))
def test_any_words_are_a_command_line_or_are_not(words):
    try:
        line = parse(words)
    except BadLine:
        return
    assert line.how in ("-c", "-m", "file", "stdin", "tell")


def test_a_box_in_memory_has_no_process_for_it():
    with World() as world:
        box = world.box("A")
        out, err, status = box.sh("netpy x.py")
        assert (out, status) == ("", 1)
        assert err == "netpy: a program needs a process of its own: see box run\n"
        assert box.sh("netpy -Z").status == 2


def run(*argv, stdin="", cwd=None, script=None):
    code = f"import sys; sys.path.insert(0, {ROOT!r}); sys.argv[0] = 'netpy'; " + (
        "from cmds.netpy import main; sys.exit(main())"
    )
    return subprocess.run(
        [sys.executable, "-c", code, *argv],
        input=stdin,
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=60,
        check=False,
        env={**os.environ, "IOPKT_WORLD": "/nonexistent", "PYTHONPATH": ROOT},
    )


@pytest.mark.processes
@pytest.mark.parametrize(
    ("argv", "out", "status"),
    [
        (("-c", "import sys; print(sys.argv, __name__); sys.exit(3)", "a"),
         "['-c', 'a'] __main__\n", 3),
        (("-c", "import socket; print(socket.socket.__mro__[1].__mro__[1].__name__)"),
         "BoxSocket\n", 0),
        (("-c", "import asyncio, socket; print(asyncio.base_events.socket is socket)"), "True\n", 0),
        (("-W", "error", "-u", "-c", "import sys; print(sys.warnoptions, sys.argv)", "x"),
         "['error'] ['-c', 'x']\n", 0),
        (("-O", "-c", "assert 0; print('no asserts')"), "no asserts\n", 0),
        (("-m", "mod", "x"), "mod ['x'] __main__\n", 0),
        (("script.py", "x", "-y"), "helper ['script.py', 'x', '-y'] script.py __main__\n", 0),
        (("package",), "package ['package']\n", 0),
        (("-c", "import cmds; print(cmds.__file__[-7:])"), "mine.py\n", 0),
    ],
)  # fmt: skip
def test_programs(tmp_path, argv, out, status):
    (tmp_path / "mod.py").write_text("import sys; print('mod', sys.argv[1:], __name__)")
    (tmp_path / "helper.py").write_text("name = 'helper'")
    (tmp_path / "script.py").write_text(
        "import sys, helper; print(helper.name, sys.argv, __file__, __name__)"
    )
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__main__.py").write_text("import sys; print('package', sys.argv)")
    (tmp_path / "cmds").mkdir()
    (tmp_path / "cmds" / "__init__.py").write_text("__file__ = 'mine.py'")
    got = run(*argv, cwd=tmp_path)
    assert (got.stdout, got.returncode) == (out, status), got.stderr


@pytest.mark.processes
def test_standard_input_and_failures(tmp_path):
    got = run(stdin="print('from stdin', __name__)\n")
    assert (got.stdout, got.returncode) == ("from stdin __main__\n", 0)
    got = run("-c", "def f():\n  1/0\nf()")
    assert got.returncode == 1
    assert got.stderr.splitlines() == [
        "Traceback (most recent call last):",
        '  File "<string>", line 3, in <module>',
        '  File "<string>", line 2, in f',
        "ZeroDivisionError: division by zero",
    ]
    got = run("nothing.py", cwd=tmp_path)
    assert got.returncode == 2
    assert got.stderr == (
        f"netpy: can't open file '{tmp_path}/nothing.py': [Errno 2] No such file or directory\n"
    )
    got = run("-m", "no.such.module")
    assert got.returncode == 1
    assert "No module named 'no'" in got.stderr
    got = run("-Z")
    assert got.returncode == 2
    assert got.stderr.startswith("netpy: unknown option -Z\nusage: netpy ")
    assert run("--version").stdout.startswith("Python 3.")
    got = run("-c", "import socket; socket.socket()")
    assert got.stderr.endswith("Address family not supported by protocol\n")


def test_the_program_is_callable_in_process():
    from libnet.libsocket.ctx import Ctx
    from libnet.loop.host import RealHost

    err = io.StringIO()
    ctx = Ctx(
        "netpy", stdin=io.StringIO(), stdout=io.StringIO(), stderr=err, environ={}, host=RealHost()
    )
    assert main(["-c"], ctx) == 2
    assert "argument expected" in err.getvalue()
