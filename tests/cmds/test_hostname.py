"""hostname: the box's name, set and told to the stacks."""

from __future__ import annotations

import io
import os

import pytest

from cmds.hostname import main
from libnet.errors import NetError
from libnet.lab.world import World, ensure_box
from libnet.libsocket.ctx import Ctx
from libnet.libsocket.transport import LocalTransport


@pytest.fixture
def box(tmp_path):
    paths = World(str(tmp_path)).box("BoxQ")
    ensure_box(paths)
    return paths


class Stack:
    def __init__(self, error=None):
        self.calls, self.error = [], error

    def connect(self, prefix):
        def serve(op, args):
            if op != "close":
                self.calls.append((prefix, op, args))
                if self.error:
                    raise NetError(self.error)

        return LocalTransport(serve)


def run(box, *argv, stack=None, **kw):
    out, err = io.StringIO(), io.StringIO()
    ctx = Ctx(
        "hostname",
        stdin=io.StringIO(),
        stdout=out,
        stderr=err,
        environ={},
        box=box,
        host=None,
        connect=(stack or Stack()).connect,
        **kw,
    )
    return main(list(argv), ctx), out.getvalue(), err.getvalue()


def test_the_name_is_the_boxs_until_one_is_set(box):
    assert run(box) == (0, "BoxQ\n", "")
    assert run(box, "router-1") == (0, "", "")
    assert run(box) == (0, "router-1\n", "")
    with open(os.path.join(box.root, "etc/HOSTNAME"), encoding="ascii") as file:
        assert file.read() == "router-1\n"


def test_short_ends_at_the_dot(box):
    with open(os.path.join(box.root, "etc/HOSTNAME"), "w", encoding="ascii") as file:
        file.write("a.example.net\n")
    assert run(box)[1] == "a.example.net\n"
    assert run(box, "-s")[1] == "a\n"


def test_a_running_stack_is_told(box):
    stack = Stack()
    run(box, "quiet", stack=stack)
    assert stack.calls == []
    open(os.path.join(box.root, "dev/socket"), "w").close()
    run(box, "loud", stack=stack)
    assert stack.calls == [("", "sysctl", [[1, 10], "loud"])]


def test_a_stack_that_refuses_is_told_of_and_one_that_has_gone_is_not(box):
    open(os.path.join(box.root, "dev/socket"), "w").close()
    assert run(box, "x", stack=Stack("EPERM")) == (
        1,
        "",
        "hostname: kern.hostname: Operation not permitted\n",
    )
    assert run(box, "x", stack=Stack("EAFNOSUPPORT")) == (0, "", "")


@pytest.mark.parametrize("name", ["-a", "a-", "a.b", "a b", "", "ä", "a" * 64, "a\n"])
def test_letters_digits_and_hyphens_within(box, name):
    status, _out, err = run(box, "--", name)
    assert (status, err) == (1, f"hostname: {name}: Invalid argument\n")
    assert run(box)[1] == "BoxQ\n"


def test_only_root_sets_it(box):
    assert run(box, "new", root=False)[::2] == (1, "hostname: confstr: Operation not permitted\n")
    assert run(box, "a", "b")[::2] == (1, "usage: hostname [-s] [name]\n")
