"""The socket layer: buffers have limits, errors wait for their reader."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libnet.clock import Clock
from libnet.engine.kern import socket as k
from libnet.engine.kern.base import StackBase
from libnet.errors import NetError
from libnet.ioctl import sockio


class Quiet:
    """A protocol that remembers what it was asked."""

    def __init__(self):
        self.asked = []

    def __getattr__(self, name):
        def call(so, *args):
            self.asked.append((name, *args))
            if name in ("getopt", "setopt"):
                raise NetError("ENOPROTOOPT")
            return len(args[0]) if name == "send" else None

        return call


@pytest.fixture
def so():
    stack = StackBase(Clock(5.0, 1000.0), random.Random(1))
    return k.Socket(stack, 2, k.SOCK_DGRAM, 17, Quiet(), k.Cred())


def test_records_come_out_in_order_and_then_eagain(so):
    assert so.sbappendaddr(None, b"one")
    assert so.sbappendaddr(None, b"two")
    assert so.recv(k.MSG_PEEK).data == b"one"
    assert (so.recv().data, so.recv().data) == (b"one", b"two")
    with pytest.raises(NetError, match="temporarily"):
        so.recv()
    assert (so.rcv.cc, so.rcv.mbcnt) == (0, 0)


@given(st.lists(st.integers(0, 3000), max_size=60), st.integers(1, 9000))
def test_a_buffer_never_holds_more_than_its_limit(sizes, hiwat):
    buf = k.Sockbuf(hiwat)
    for size in sizes:
        fits = size <= buf.space()
        assert buf.append(k.Record(None, None, bytes(size))) is fits
        assert buf.cc <= hiwat
        assert buf.mbcnt <= 2 * hiwat + k.MSIZE
    while buf.records:
        buf.take()
    assert (buf.cc, buf.mbcnt) == (0, 0)


def test_an_asynchronous_error_is_told_once(so):
    so.soerror("ECONNREFUSED")
    assert so.readable()
    with pytest.raises(NetError) as caught:
        so.recv()
    assert caught.value.symbol == "ECONNREFUSED"
    with pytest.raises(NetError) as caught:
        so.recv()
    assert caught.value.symbol == "EAGAIN"


def test_so_error_takes_the_error_away(so):
    so.soerror("EHOSTUNREACH")
    assert so.getopt(k.SOL_SOCKET, k.SO_ERROR) == "EHOSTUNREACH"
    assert so.getopt(k.SOL_SOCKET, k.SO_ERROR) == ""


def test_sending_after_shutdown_and_beyond_the_buffer_fails(so):
    with pytest.raises(NetError) as caught:
        so.send(bytes(9217), None)
    assert caught.value.symbol == "EMSGSIZE"
    so.shutdown(k.SHUT_WR)
    with pytest.raises(NetError) as caught:
        so.send(b"x", None)
    assert caught.value.symbol == "EPIPE"
    so.shutdown(k.SHUT_RD)
    assert so.recv().data == b""
    assert not so.sbappendaddr(None, b"late")


def test_the_upcall_hears_of_each_record(so):
    heard = []
    so.upcall = heard.append
    so.sbappendaddr(None, b"x")
    assert heard == [so]


def test_time_stamps_come_with_the_record_when_asked_for(so):
    so.setopt(k.SOL_SOCKET, k.SO_TIMESTAMP, 1)
    so.sbappendaddr(None, b"x")
    assert so.recv().control == {"timestamp": 1005.0}


@given(st.integers(), st.integers(), st.integers() | st.text() | st.binary() | st.none())
def test_any_option_is_set_or_refused(level, name, value):
    stack = StackBase(Clock(), random.Random(1))
    so = k.Socket(stack, 2, k.SOCK_DGRAM, 17, Quiet(), k.Cred())
    for wanted in (level, k.SOL_SOCKET):
        try:
            so.setopt(wanted, name, value)
        except NetError as exc:
            assert exc.symbol in ("EINVAL", "ENOPROTOOPT", "ENOBUFS", "ENXIO")


def test_buffer_marks_by_ioctl(so):
    so.ioctl(sockio.SIOCSHIWAT, 5000)
    assert so.ioctl(sockio.SIOCGHIWAT, 0) == 5000
    so.sbappendaddr(None, b"12345")
    assert so.ioctl(sockio.FIONREAD, 0) == 5


def test_an_ioctl_nobody_serves_is_not_a_terminals(so):
    with pytest.raises(NetError) as caught:
        so.ioctl(sockio.SIOCATMARK, 0)
    assert caught.value.symbol == "ENOTTY"


def test_only_the_superuser_sets(so):
    so.cred = k.Cred(suser=False)
    so.stack.ioctls["SIOCSIFFLAGS"] = lambda arg: None
    with pytest.raises(NetError) as caught:
        so.ioctl(sockio.SIOCSIFFLAGS, sockio.IfReq("wm0"))
    assert caught.value.symbol == "EPERM"


def test_an_argument_of_the_wrong_kind_is_invalid(so):
    so.stack.ioctls["SIOCGIFFLAGS"] = lambda arg: arg
    for arg in (None, 3, sockio.IfConf()):
        with pytest.raises(NetError) as caught:
            so.ioctl(sockio.SIOCGIFFLAGS, arg)
        assert caught.value.symbol == "EINVAL"
