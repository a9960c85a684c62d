"""if_up: what satisfies it, how often it looks, and how long it waits."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmds.if_up import USAGE, last_pause, main
from libnet.addr import SockaddrIn
from libnet.errors import NetError
from libnet.ioctl.sockio import IfConf, IfData, IfReq
from libnet.libsocket.ctx import Ctx
from libnet.libsocket.transport import LocalTransport


class Box:
    """A box whose interfaces change at given moments of its own time.

    at  {seconds: {interface: (flags, address or None, media status or None, link state)}}
    """

    def __init__(self, at):
        self.at, self.now_s, self.asked, self.stack = at, 0.0, 0, True

    def nics(self):
        return self.at[max(when for when in self.at if when <= self.now_s)]

    def sleep(self, seconds):
        self.now_s += seconds

    def serve(self, op, args):
        if op == "socket":
            self.asked += 1
            if not self.stack or args[0] != 2:
                raise NetError("EAFNOSUPPORT")
            return None
        if op == "close":
            return None
        name, arg = args
        if name == "SIOCGIFCONF":
            return IfConf(
                [IfReq(n, 0, SockaddrIn(a)) for n, (_f, a, _m, _l) in self.nics().items()]
            )
        nic = self.nics().get(arg.name)
        if nic is None:
            raise NetError("ENXIO")
        flags, addr, media, link = nic
        if name == "SIOCGIFFLAGS":
            arg.value = flags
        elif name == "SIOCGIFADDR":
            if addr is None:
                raise NetError("EADDRNOTAVAIL")
            arg.addr = SockaddrIn(addr)
        elif name == "SIOCGIFMEDIA":
            if media is None:
                raise NetError("EINVAL")
            arg.status = media
        elif name == "SIOCGIFDATA":
            arg.data = IfData(link_state=link)
        return arg

    def if_up(self, *argv):
        self.now_s, self.asked = 0.0, 0
        out, err = io.StringIO(), io.StringIO()
        ctx = Ctx(
            "if_up",
            stdin=io.StringIO(),
            stdout=out,
            stderr=err,
            environ={},
            host=self,
            connect=lambda prefix: LocalTransport(self.serve, codec=True),
        )
        status = main(list(argv), ctx)
        assert out.getvalue() == ""
        return status, err.getvalue()


ADDR = 0x0A000001
DOWN, UP, READY = (0x8802, None, 1, 0), (0x8843, None, 3, 2), (0x8843, ADDR, 3, 2)


def test_by_default_up_is_not_enough():
    assert Box({0: {"wm0": UP}}).if_up("wm0") == (1, "")
    assert Box({0: {"wm0": (0x8802, ADDR, 3, 2)}}).if_up("wm0") == (1, "")
    assert Box({0: {"wm0": READY}}).if_up("wm0") == (0, "")


def test_five_passes_a_second_apart():
    box = Box({0: {}})
    assert box.if_up("wm0") == (1, "")
    assert (box.asked, box.now_s) == (5, 5.0)


@pytest.mark.parametrize(
    ("argv", "passes", "seconds"),
    [
        ("-r 3", 3, 3.0),
        ("-r 2 -s 4", 2, 8.0),
        ("-r4 -m 250", 4, 1.0),
        ("-s 9 -m 100 -r 1", 1, 0.1),
        ("-m 100 -s 9 -r 1", 1, 9.0),
        ("-s 1 -m 5 -s 2 -r 1", 1, 2.0),
        ("-r 0", 0, 0.0),
    ],
)
def test_passes_and_pauses(argv, passes, seconds):
    box = Box({0: {}})
    assert box.if_up(*argv.split(), "wm0") == (1, "")
    assert (box.asked, box.now_s) == (passes, pytest.approx(seconds))


def test_it_ends_as_soon_as_one_is_ready_or_with_a_all():
    box = Box({0: {"wm0": UP, "wm1": DOWN}, 2: {"wm0": READY}, 3: {"wm0": READY, "wm1": READY}})
    assert box.if_up("wm0", "wm1") == (0, "")
    assert box.now_s == 2.0
    assert box.if_up("-a", "wm0", "wm1") == (0, "")
    assert box.now_s == 3.0


def test_present_and_linked():
    box = Box({0: {"wm0": DOWN, "wm1": (0, None, None, 2), "wm2": (0, None, 0, 0)}})
    assert box.if_up("-p", "wm0") == (0, "")
    assert box.if_up("-p", "-r1", "wm9") == (1, "")
    for options in ("-l", "-pl"):
        assert box.if_up(options, "-r1", "wm0") == (1, "")
        assert box.if_up(options, "-r1", "wm1") == (0, "")
        assert box.if_up(options, "-r1", "wm2") == (1, "")
    assert Box({0: {"wm0": UP}}).if_up("-l", "wm0") == (0, "")


def test_link_local_addresses_can_be_left_out():
    box = Box({0: {"wm0": (0x8843, 0xA9FE0101, 3, 2)}, 1: {"wm0": READY}})
    assert box.if_up("wm0") == (0, "")
    assert box.now_s == 0.0
    assert box.if_up("-i", "wm0") == (0, "")
    assert box.now_s == 1.0


def test_it_waits_for_the_stack_too():
    box = Box({0: {"wm0": READY}})
    box.stack = False
    assert box.if_up("-r", "2", "wm0") == (1, "")
    assert box.now_s == 2.0


def test_ipv6_on_a_stack_without_it():
    box = Box({0: {"wm0": READY}})
    assert box.if_up("-6", "wm0") == (
        1,
        "if_up: socket: Address family not supported by protocol family\n",
    )


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        ((), USAGE),
        (("-x", "wm0"), "if_up: unknown option -- x\n" + USAGE),
        (("-n", "wm0"), "if_up: unknown option -- n\n" + USAGE),
        (("-r",), "if_up: option requires an argument -- r\n" + USAGE),
        (("-r", "x", "wm0"), "if_up: -r x: bad value\n"),
        (("-s", "-1", "wm0"), "if_up: -s -1: bad value\n"),
        (("-m", "x", "wm0"), "if_up: -m x: bad value\n"),
    ],
)
def test_bad_command_lines(argv, text):
    assert Box({0: {}}).if_up(*argv) == (1, text)


@given(st.lists(st.text(alphabet="-arsm19wl", max_size=4), max_size=6))
def test_any_command_line_ends_in_a_status(argv):
    status, err = Box({0: {}}).if_up(*argv)
    assert status == 1
    assert err == "" or err.startswith(("if_up: ", "usage: "))


@given(st.lists(st.text(alphabet="-arsm1w", max_size=4), max_size=6))
def test_what_is_overruled_is_only_left_out(argv):
    assert len("".join(last_pause(argv)).replace("-", "")) <= len("".join(argv).replace("-", ""))
