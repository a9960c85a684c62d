"""sloginfo: the layout, the filters, and following."""

from __future__ import annotations

import io
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cmds.sloginfo import main, show
from libnet.libsocket.box import BoxPaths
from libnet.libsocket.ctx import Ctx
from libnet.loop.slog import INTS, REBOOT, FileRing, Record, pack_record


class Host:
    """Stands still; sleeping runs what the test wants to happen meanwhile."""

    dice = None

    def __init__(self, *meanwhile):
        self.meanwhile = list(meanwhile)

    def now(self):
        return 0.0

    def wall(self):
        return 0.0

    def sleep(self, seconds):
        assert seconds == 0.1
        if not self.meanwhile:
            raise SystemExit(0)
        self.meanwhile.pop(0)()

    def wait(self, descriptors, timeout):
        raise AssertionError("nothing to wait for")


@pytest.fixture
def box(tmp_path, monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    return BoxPaths(str(tmp_path), "BoxA")


@pytest.fixture
def ring(box):
    return FileRing(box.slog)


def run(box, *argv, host=None):
    out, err = io.StringIO(), io.StringIO()
    ctx = Ctx(
        "sloginfo",
        stdin=io.StringIO(),
        stdout=out,
        stderr=err,
        environ={},
        box=box,
        host=host or Host(),
    )
    return main(list(argv), ctx), out.getvalue(), err.getvalue()


def fill(ring):
    ring.configure(16384, monotonic=True)
    ring.append(
        [
            Record(0, 9.0, 5, 14, 0, 1, "tcpip starting"),
            Record(0, 9.5, 3, 14, 0, 1, 'Using pseudo random generator.  See "random" option'),
            Record(0, 12.25, 5, 10, 0, 1, "wm0: link up lan 0 index 0 1000 BaseT full-duplex"),
            Record(0, 13.0, 6, 1, 2, 1, "", (10, 255, -1), INTS),
        ]
    )


WHOLE = """\
Time             Sev Major Minor Args
Jan 01 00:00:09    5    14     0 tcpip starting
Jan 01 00:00:09    3    14     0 Using pseudo random generator.  See "random" option
Jan 01 00:00:12    5    10     0 wm0: link up lan 0 index 0 1000 BaseT full-duplex
Jan 01 00:00:13    6     1     2 10 255 -1 \n"""


def test_the_layout_is_the_originals(box, ring):
    fill(ring)
    assert run(box) == (0, WHOLE, "")


def test_an_empty_log_is_a_heading(box):
    assert run(box) == (0, WHOLE.splitlines(keepends=True)[0], "")


def test_milliseconds_have_a_wider_heading(box, ring):
    fill(ring)
    lines = run(box, "-t")[1].splitlines()
    assert lines[0] == "Time                 Sev Major Minor Args"
    assert lines[3].startswith("Jan 01 00:00:12.250    5    10     0 wm0")


def test_numbers_in_hexadecimal(box, ring):
    fill(ring)
    assert run(box, "-h")[1].splitlines()[4].endswith("  2 a ff ffffffff ")


@pytest.mark.parametrize(
    ("argv", "count"), [(("-m", "14"), 2), (("-s", "3"), 1), (("-m10", "-s5"), 1), (("-s", "2"), 0)]
)
def test_filters(box, ring, argv, count):
    fill(ring)
    assert len(run(box, *argv)[1].splitlines()) == 1 + count


def test_clearing_after_reading(box, ring):
    fill(ring)
    assert run(box, "-c")[1] == WHOLE
    assert ring.read() == []


def test_following_shows_what_comes(box, ring):
    fill(ring)
    late = Record(0, 20.0, 5, 14, 0, 1, "late")
    out = run(box, "-w", host=Host(lambda: ring.append([late])))[1]
    assert out == WHOLE + "Jan 01 00:00:20    5    14     0 late\n"


def test_an_empty_line_stands_for_a_new_start(box, ring):
    ring.configure(1024, monotonic=True)
    ring.append(
        [
            Record(0, 1.0, 5, 14, 0, 1, "old"),
            Record(0, 2.0, 4, 0, 0, 1, "", (), REBOOT),
            Record(0, 3.0, 5, 14, 0, 1, "new"),
        ]
    )
    assert [line[33:] for line in run(box)[1].splitlines()[1:]] == ["old", "", "new"]


def test_a_log_file_is_read_and_may_be_cleared(box, tmp_path):
    path = tmp_path / "log"
    path.write_bytes(
        pack_record(Record(3, 9.0, 5, 14, 0, 1, "kept"))
        + pack_record(Record(7, 9.0, 5, 14, 0, 1, "too"))
    )
    out = run(box, os.path.relpath(path))[1]
    assert [line[33:] for line in out.splitlines()[1:]] == ["kept", "too"]
    run(box, "-c", os.path.relpath(path))
    assert path.read_bytes() == b""


def test_an_empty_line_stands_for_a_lost_event(box, ring):
    fill(ring)
    with open(ring.path, "r+b") as file:
        octets = file.read()
        file.seek(octets.index(b"Using"))
        file.write(b"Usinh")
    lines = run(box)[1].splitlines()
    assert lines[2] == ""
    assert len(lines) == 5


def test_errors(box, tmp_path):
    assert run(box, "nosuchlog")[::2] == (1, "sloginfo: nosuchlog: No such file or directory\n")
    assert run(box, "-m", "x")[::2] == (1, "sloginfo: -m x: not a number\n")
    status, _out, err = run(box, "-z")
    assert status == 1
    assert err.startswith("sloginfo: unknown option -- z\nusage: sloginfo [-ctwh]")
    assert run(box, "a", "b")[0] == 1


@given(st.binary(max_size=2000), st.floats(), st.text(max_size=30))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_log_makes_it_fail_or_steers_the_terminal(box, octets, when, text):
    os.makedirs(box.home, exist_ok=True)
    with open(box.slog, "wb") as file:
        file.write(octets)
    assert run(box, "-t")[0] == 0
    line = show(Record(1, when, 5, 1, 1, 1, text), milliseconds=True, hexadecimal=False, gmt=True)
    assert line.count("\n") == 1
    assert "\x1b" not in line
