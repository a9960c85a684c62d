"""waitfor: what counts as there, and how long it waits, by a clock that only sleeping moves."""

from __future__ import annotations

import io
import os
import socket

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cmds.waitfor import main
from libnet.libsocket.box import BoxPaths
from libnet.libsocket.ctx import Ctx


class Host:
    dice = None

    def __init__(self, at=None, do=None):
        self.time, self.slept, self.at, self.do = 100.0, [], at, do

    def now(self):
        return self.time

    def wall(self):
        return self.time

    def sleep(self, seconds):
        assert seconds > 0
        self.slept.append(seconds)
        self.time += seconds
        if self.at is not None and self.time >= 100.0 + self.at:
            self.do()

    def wait(self, descriptors, timeout):
        raise AssertionError("nothing to wait for")


@pytest.fixture
def box(tmp_path):
    paths = BoxPaths(str(tmp_path / "w"), "BoxA")
    os.makedirs(os.path.join(paths.root, "dev"))
    return paths


def run(box, *argv, host=None):
    out, err = io.StringIO(), io.StringIO()
    host = host or Host()
    ctx = Ctx(
        "waitfor", stdin=io.StringIO(), stdout=out, stderr=err, environ={}, box=box, host=host
    )
    return main(list(argv), ctx), err.getvalue(), host


def test_what_is_there_is_not_waited_for(box):
    status, err, host = run(box, "/dev")
    assert (status, err, host.slept) == (0, "", [])


def test_five_seconds_in_tenths_by_default(box):
    status, err, host = run(box, "/dev/io-net/en0")
    assert status == 1
    assert err == 'Unable to access "/dev/io-net/en0" (2)\n'
    assert 49 <= len(host.slept) <= 51
    assert sum(host.slept) == pytest.approx(5.0)


def test_a_path_that_comes_ends_the_wait(box):
    made = os.path.join(box.root, "dev/pf")
    status, err, host = run(box, "/dev/pf", "9", host=Host(2.0, lambda: open(made, "w").close()))
    assert (status, err) == (0, "")
    assert sum(host.slept) == pytest.approx(2.0, abs=0.15)


def test_wait_time_and_poll_time_are_given(box):
    host = run(box, "/dev/x", "1.5", "500")[2]
    assert host.slept == [0.5, 0.5, 0.5]
    assert run(box, "/dev/x", "0")[2].slept == []


def test_a_killed_stacks_socket_is_not_there_but_a_live_one_is(box, monkeypatch):
    path = os.path.join(box.root, "dev/socket")
    monkeypatch.chdir(os.path.dirname(path))
    listener = socket.socket(socket.AF_UNIX)
    listener.bind("socket")
    listener.listen()
    assert run(box, "/dev/socket", "0")[0] == 0
    listener.close()
    assert os.path.exists(path)
    assert run(box, "/dev/socket", "0")[:2] == (1, 'Unable to access "/dev/socket" (2)\n')
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as device:
        device.bind("slog")
        assert run(box, "/dev/slog", "0")[0] == 0


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        ((), "usage: waitfor pathname"),
        (("a", "1", "2", "3"), "usage: waitfor pathname"),
        (("a", "x"), "waitfor: x: invalid wait time"),
        (("a", "1.25"), "waitfor: 1.25: invalid wait time"),
        (("a", "1", "0"), "waitfor: 0: invalid poll time"),
        (("-q",), "waitfor: unknown option -- q"),
    ],
)
def test_wrong_usage(box, argv, text):
    status, err, _host = run(box, *argv)
    assert status == 1
    assert err.startswith(text)


@given(st.text(max_size=300), st.text(max_size=8), st.text(max_size=8))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_words_break_it(box, path, wait, poll):
    status, _err, _host = run(box, "--", path, wait, poll)
    assert status in (0, 1)
