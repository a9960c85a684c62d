"""A stack without a radio: what it answers, and what it does not pay for."""

from __future__ import annotations

import subprocess
import sys

import pytest

from libnet.engine.ieee80211.ieee80211 import IOCTLS
from libnet.engine.ieee80211.ieee80211_ioctl import Ieee80211Ioctl
from libnet.engine.kern.socket import Cred
from libnet.engine.link.ifnet import Ifnet
from libnet.errors import NetError
from libnet.ioctl.ieee80211 import SIOCG80211NWID, Ieee80211Nwid


def test_the_door_has_the_names_of_all_that_is_behind_it(lab):
    assert set(IOCTLS) == set(Ieee80211Ioctl(lab.box().stack).table())


def test_other_interfaces_and_none_are_refused(lab):
    stack = lab.box().stack
    wired = Ifnet(stack, "wm0")
    stack.ethernet.ifattach(wired, b"\2\0\0\0\0\x11")
    for name, symbol in (("wm0", "ENOTTY"), ("abc7", "ENXIO")):
        with pytest.raises(NetError) as caught:
            stack.ioctl(SIOCG80211NWID, Ieee80211Nwid(name), Cred())
        assert caught.value.symbol == symbol


def test_a_stack_without_a_radio_imports_no_802_11(tmp_path):
    script = (
        "import random, sys\n"
        "from libnet.clock import Clock\n"
        "from libnet.engine.stack import Stack\n"
        "Stack(Clock(), random.Random(1))\n"
        "print(sorted(m for m in sys.modules if 'ieee80211_' in m))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
