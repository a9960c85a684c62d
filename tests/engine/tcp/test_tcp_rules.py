"""Rules of the RFCs and knobs of net.inet.tcp, on a clock the test owns."""

from __future__ import annotations

import itertools
import tracemalloc

import pytest

from libnet.addr import Sockaddr, SockaddrIn
from libnet.engine.kern.socket import (
    MSG_OOB,
    MSG_PEEK,
    SHUT_RD,
    SHUT_RDWR,
    SHUT_WR,
    SO_ACCEPTCONN,
    SO_DEBUG,
    SO_ERROR,
    SO_KEEPALIVE,
    SO_LINGER,
    SO_OOBINLINE,
    SO_RCVBUF,
    SO_REUSEADDR,
    SO_SNDBUF,
    SOL_SOCKET,
    SS_ISCONNECTED,
    SS_ISDISCONNECTED,
    Cred,
)
from libnet.engine.tcp.tcp_var import (
    MASK,
    TCP_CONGCTL,
    TCP_KEEPCNT,
    TCP_KEEPIDLE,
    TCP_KEEPINIT,
    TCP_KEEPINTVL,
    TCP_MAXSEG,
    TCP_NODELAY,
    TCP_QUIETDROP,
    TCPS_CLOSE_WAIT,
    TCPS_ESTABLISHED,
    TCPS_FIN_WAIT_2,
    TCPS_SYN_SENT,
    TCPS_TIME_WAIT,
    unroll,
)
from libnet.errors import NetError
from libnet.ioctl.ifflags import IFCAP_IP4CSUM, IFCAP_TCP4CSUM, IFCAP_TSO4
from libnet.ioctl.sockio import FIONREAD, SIOCATMARK
from libnet.wire.ipv4 import ip_build
from libnet.wire.tcp import TH_SYN, Tcp, parse_options

A, B = 0x0A000001, 0x0A000002
TCP, IP = 6, 0
ALL_CAPS = IFCAP_TSO4 | IFCAP_TCP4CSUM | IFCAP_IP4CSUM


def symbol(call, *args):
    """Return the symbol of the error that a call raises."""
    with pytest.raises(NetError) as caught:
        call(*args)
    return caught.value.symbol


def segments(link):
    """Return a list that fills with the segments that *link* carries."""
    seen = []

    def see(frame):
        if frame[12:14] == b"\x08\x00" and frame[23] == 6:
            seen.append(Tcp.parse(frame[34 : 14 + int.from_bytes(frame[16:18], "big")]))
        return True

    link.spy = see
    return seen


def sysctl(stack, name, new=None):
    return stack.sysctl.call(stack.sysctl.mib(f"net.inet.tcp.{name}"), new, Cred())


# -- opening and closing


def test_simultaneous_open(pump):
    p = pump(1, delay=0.01)
    a, b = p.socket(p.a), p.socket(p.b)
    a.bind(SockaddrIn(A, 1000))
    b.bind(SockaddrIn(B, 1000))
    a.connect(SockaddrIn(B, 1000))
    b.connect(SockaddrIn(A, 1000))
    p.run(1)
    assert a.pcb.ppcb.state == b.pcb.ppcb.state == TCPS_ESTABLISHED
    a.send(b"one", None)
    b.send(b"two", None)
    p.run(1)
    assert (a.recv().data, b.recv().data) == (b"two", b"one")
    assert a.pcb.ppcb.snd_scale == b.pcb.ppcb.rcv_scale == 3


def test_connect_to_ourselves(pump):
    p = pump(1)
    listener = p.socket(p.a)
    listener.bind(SockaddrIn(0, 9))
    listener.listen(1)
    so = p.socket(p.a)
    so.connect(SockaddrIn(0x7F000001, 9))
    p.run(1)
    other = listener.accept()
    so.send(bytes(30000), None)
    p.run(1)
    assert other.recv().data == bytes(30000)
    assert so.pcb.ppcb.segsz > 30000  # lo0 has a large MTU


def test_half_close_lets_the_other_way_go_on(pump):
    p = pump(1)
    a, b = p.pair()
    a.shutdown(SHUT_WR)
    p.run(1)
    assert b.recv().data == b""
    assert (a.pcb.ppcb.state, b.pcb.ppcb.state) == (TCPS_FIN_WAIT_2, TCPS_CLOSE_WAIT)
    for _ in range(10):
        b.send(bytes(3000), None)
        p.run(1)
        assert len(a.recv().data) == 3000
    assert symbol(a.send, b"x", None) == "EPIPE"
    b.close()
    p.run(1)
    assert a.recv().data == b""
    assert a.pcb.ppcb.state == TCPS_TIME_WAIT
    p.run(59)
    assert a.pcb is not None
    p.run(2)
    assert a.pcb is None
    assert b.pcb is None


def test_shutdown_of_reading_discards_but_acknowledges(pump):
    p = pump(1)
    a, b = p.pair()
    b.shutdown(SHUT_RD)
    a.send(bytes(100_000 % 30000), None)
    p.run(5)
    assert a.snd.cc == 0
    assert b.recv().data == b""
    b.send(b"still", None)
    p.run(1)
    assert a.recv().data == b"still"
    a.shutdown(SHUT_RDWR)
    assert symbol(p.socket(p.a).shutdown, SHUT_WR) == "ENOTCONN"


def test_linger_zero_is_a_reset(pump):
    p = pump(1)
    a, b = p.pair()
    a.setopt(SOL_SOCKET, SO_LINGER, [1, 0])
    assert a.getopt(SOL_SOCKET, SO_LINGER) == [1, 0]
    a.close()
    p.run(1)
    assert symbol(b.recv) == "ECONNRESET"
    assert b.recv().data == b""
    assert b.state & SS_ISDISCONNECTED
    for bad in (5, [1], [1, -1], ["x", 1], [1, 99999]):
        assert symbol(p.socket(p.a).setopt, SOL_SOCKET, SO_LINGER, bad) == "EINVAL"


def test_closing_on_unread_data_is_a_reset(pump):
    p = pump(1)
    a, b = p.pair()
    a.send(b"never read", None)
    p.run(1)
    b.close()
    p.run(1)
    assert symbol(a.recv) == "ECONNRESET"


def test_fin_wait_2_ends_when_nobody_could_read(pump):
    p = pump(1)
    a, _b = p.pair()
    a.close()
    p.run(1)
    assert len(p.a.tcp.table.pcbs) == 1
    p.run(590)
    assert len(p.a.tcp.table.pcbs) == 1
    p.run(20)
    assert not p.a.tcp.table.pcbs


def test_a_syn_may_end_time_wait(pump):
    p = pump(1, delay=0.001)
    listener = p.listen()
    so = p.socket(p.a)
    so.bind(SockaddrIn(A, 3000))
    so.connect(SockaddrIn(B, 80))
    p.run(1)
    other = listener.accept()
    other.close()  # b closes first, so TIME_WAIT is b's
    p.run(1)
    so.close()
    p.run(1)
    (wait,) = p.b.tcp.table.connected.values()
    assert wait.ppcb.state == TCPS_TIME_WAIT
    old = wait.ppcb.snd_max
    again = p.socket(p.a)
    again.bind(SockaddrIn(A, 3000))
    again.connect(SockaddrIn(B, 80))
    p.run(1)
    assert again.state & SS_ISCONNECTED
    other = listener.accept()
    assert unroll(other.pcb.ppcb.iss, old) > old


def test_giving_up_to_connect(pump):
    p = pump(1)
    p.ab.dead = True
    so = p.connect()
    assert symbol(so.connect, SockaddrIn(B, 80)) == "EALREADY"
    syns = []
    p.ab.spy, p.ab.dead = (lambda frame: syns.append(p.clock.now) and False), False
    p.run(74)
    assert so.pcb.ppcb.state == TCPS_SYN_SENT
    p.run(2)
    assert so.getopt(SOL_SOCKET, SO_ERROR) == "ETIMEDOUT"
    gaps = [round(b - a, 3) for a, b in itertools.pairwise(syns)]
    assert gaps == [2.0, 4.0, 8.0, 16.0, 32.0]
    assert p.a.tcp.stat["conndrops"] == 1


def test_a_connection_gives_up_after_twelve_timeouts(pump):
    p = pump(1)
    a, b = p.pair()
    p.ab.dead = True
    a.send(b"x", None)
    p.run(500)
    assert a.state & SS_ISCONNECTED
    p.run(60)
    assert symbol(a.recv) == "ETIMEDOUT"
    assert p.a.tcp.stat["timeoutdrop"] == 1
    assert p.a.tcp.stat["rexmttimeo"] == 12
    assert b.state & SS_ISCONNECTED  # it has heard nothing


# -- numbers


def test_initial_numbers_follow_the_clock_and_a_secret(pump):
    p, q = pump(1), pump(2)
    key = (A, 1, B, 2)
    first = p.a.tcp.new_iss(key)
    assert p.a.tcp.new_iss((A, 1, B, 3)) != first
    assert q.a.tcp.new_iss(key) != first
    p.run(10)
    # RFC 6528: the same connection counts on by a 4-microsecond clock.
    assert (p.a.tcp.new_iss(key) - first) & MASK == 2_500_000


@pytest.mark.parametrize("iss", [0xFFFFFFFF, 0xFFFFFF00, 0x7FFFFFF0, 0])
def test_numbers_wrap(pump, app, iss):
    p = pump(1, delay=0.001, loss=0.02)
    for stack in (p.a, p.b):
        stack.tcp.new_iss = lambda key: iss
    so, other = p.pair()
    a, b = app(so, bytes(range(256)) * 200), app(other, b"y" * 3000)
    p.run(300, lambda: a.done and b.done)
    assert (b.got, a.got) == (bytes(range(256)) * 200, b"y" * 3000)


# -- options and sizes


def test_the_syn_offers_what_is_switched_on(pump):
    p = pump(1, mtu=1500)
    seen = segments(p.ab)
    p.connect()
    opt = parse_options(seen[0].options)
    assert (opt.mss, opt.wscale, opt.sackok, opt.tsval is not None) == (1460, 3, True, True)
    for name, field in (
        ("win_scale", "wscale"),
        ("timestamps", "tsval"),
        ("sack.enable", "sackok"),
    ):
        sysctl(p.a, name, 0)
        p.connect()
        assert not getattr(parse_options(seen[-1].options), field)
    for name in ("win_scale", "timestamps"):
        sysctl(p.a, name, 1)
    sysctl(p.a, "rfc1323", 0)
    p.connect()
    opt = parse_options(seen[-1].options)
    assert (opt.wscale, opt.tsval) == (None, None)


def test_the_segment_size_offered(pump):
    p = pump(1, mtu=1000)
    seen = segments(p.ab)
    p.connect()
    assert parse_options(seen[-1].options).mss == 960
    p.ifps[0].mtu = 300
    p.connect()
    assert parse_options(seen[-1].options).mss == 536  # mssdflt
    sysctl(p.a, "mssdflt", 100)
    p.connect()
    assert parse_options(seen[-1].options).mss == 260


def test_maxseg(pump):
    p = pump(1, delay=0.001)
    listener = p.listen()
    so = p.socket(p.a)
    assert symbol(so.setopt, TCP, TCP_MAXSEG, 10) == "EINVAL"
    so.setopt(TCP, TCP_MAXSEG, 500)
    so.connect(SockaddrIn(B, 80))
    p.run(1)
    seen = segments(p.ab)
    so.send(bytes(5000), None)
    p.run(1)
    assert max(len(s.payload) for s in seen) == 500 - 12  # the timestamp takes its share
    assert listener.accept().rcv.cc == 5000
    assert so.getopt(TCP, TCP_MAXSEG) == 500
    so.setopt(TCP, TCP_MAXSEG, 400)
    assert symbol(so.setopt, TCP, TCP_MAXSEG, 401) == "EINVAL"


@pytest.mark.parametrize(("init_win", "local", "mtu", "want"), [
    (0, 4, 1500, 4 * 1460), (0, 0, 1500, 4380), (0, 0, 576, 4 * 536), (0, 0, 4352, 2 * 4312),
    (0, 1, 1500, 1460), (7, 10, 1500, 10 * 1460),
])  # fmt: skip
def test_the_initial_window(pump, init_win, local, mtu, want):
    p = pump(1, delay=0.1, mtu=mtu)
    sysctl(p.a, "init_win", init_win)
    sysctl(p.a, "init_win_local", local)
    so, _other = p.pair()
    assert so.pcb.ppcb.snd_cwnd == want


def test_the_initial_window_far_away(pump):
    p = pump(1, delay=0.1)
    sysctl(p.a, "init_win", 3)
    p.a.tcp.is_local = lambda tp: False
    so, _other = p.pair()
    assert so.pcb.ppcb.snd_cwnd == 3 * 1460


def test_buffers_start_as_the_knobs_say(pump):
    p = pump(1)
    sysctl(p.b, "recvspace", 5000)
    sysctl(p.b, "sendspace", 6000)
    _so, other = p.pair()
    assert (other.getopt(SOL_SOCKET, SO_SNDBUF), other.getopt(SOL_SOCKET, SO_RCVBUF)) == (
        6000,
        5000,
    )


def test_route_metrics_size_buffers(pump):
    p = pump(1)
    rt = p.a.route.rtalloc(B)
    p.a.route.change(rt, sendpipe=7777, recvpipe=8888, ssthresh=5000, rtt=200_000)
    so, _other = p.pair()
    assert (so.snd.hiwat, so.rcv.hiwat) == (7777, 8888)
    assert so.pcb.ppcb.snd_ssthresh == 5000


# -- timing of ACKs and data


def test_acks_wait_as_the_knob_says(pump):
    p = pump(1, delay=0.0)
    so, _other = p.pair()
    p.run(1)
    for ticks, want in ((20, 0.2), (5, 0.05)):
        sysctl(p.b, "delack_ticks", ticks)
        seen = segments(p.ba)
        start = p.clock.now
        so.send(b"x", None)
        p.run(10, lambda seen=seen: bool(seen))
        assert p.clock.now - start == pytest.approx(want)
        p.run(1)
    sysctl(p.b, "ack_on_push", 1)
    start = p.clock.now
    so.send(b"x", None)
    p.run(10, lambda: len(seen) > 1)
    assert p.clock.now == start


def test_every_second_segment_is_acknowledged_at_once(pump):
    p = pump(1, delay=0.0)
    so, _other = p.pair()
    p.run(1)
    seen = segments(p.ba)
    so.send(bytes(1448 * 4), None)
    p.run(0.01)
    assert [s.ack for s in seen] == [
        (so.pcb.ppcb.iss + 1 + 1448 * n) & MASK for n in (2, 4)
    ]  # fmt: skip


def test_nagle_and_nodelay(pump):
    p = pump(1, delay=0.1)
    so, _other = p.pair()
    p.run(1)
    seen = segments(p.ab)
    for _ in range(10):
        so.send(b"x", None)
    assert [len(s.payload) for s in seen] == [1]
    p.run(5)
    assert [len(s.payload) for s in seen if s.payload] == [1, 9]
    so.setopt(TCP, TCP_NODELAY, 1)
    del seen[:]
    for _ in range(10):
        so.send(b"x", None)
    assert [len(s.payload) for s in seen] == [1] * 10


def test_turning_nagle_off_sends_what_it_held(pump):
    p = pump(1, delay=0.1)
    so, _other = p.pair()
    p.run(1)
    seen = segments(p.ab)
    so.send(b"x", None)
    so.send(b"held", None)
    assert len(seen) == 1
    so.setopt(TCP, TCP_NODELAY, 1)
    assert len(seen) == 2


def test_the_round_trip_time_is_measured(pump):
    p = pump(1, delay=0.15)
    so, _other = p.pair()
    sysctl(p.b, "ack_on_push", 1)
    for _ in range(20):
        so.send(b"x", None)
        p.run(1)
    tp = so.pcb.ppcb
    assert tp.srtt == pytest.approx(0.3, abs=0.03)
    assert tp.rxtcur == 1.0  # RFC 6298 2.4


# -- keepalive


def test_keepalive_by_the_knobs(pump):
    p = pump(1)
    for name, value in (("keepidle", 20), ("keepintvl", 4), ("keepcnt", 3)):
        sysctl(p.a, name, value)
    so, _other = p.pair()
    so.setopt(SOL_SOCKET, SO_KEEPALIVE, 1)
    p.run(25)
    assert p.a.tcp.stat["keepprobe"] == 2
    assert so.state & SS_ISCONNECTED
    p.ab.dead = True
    p.run(20)
    assert symbol(so.recv) == "ETIMEDOUT"
    assert p.a.tcp.stat["keepdrops"] == 1


def test_keepalive_of_one_socket(pump):
    p = pump(1)
    so, _other = p.pair()
    so.setopt(SOL_SOCKET, SO_KEEPALIVE, 1)
    for name, value in ((TCP_KEEPIDLE, 10), (TCP_KEEPINTVL, 2), (TCP_KEEPCNT, 3)):
        so.setopt(TCP, name, value)
        assert so.getopt(TCP, name) == value
    p.ab.dead = True
    p.run(10 + 3 * 2 - 1)
    assert so.state & SS_ISCONNECTED
    assert p.a.tcp.stat["keepprobe"] == 3
    p.run(2)
    assert not so.state & SS_ISCONNECTED
    other = p.socket(p.a)
    assert [other.getopt(TCP, name) for name in (TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT)] == [
        7200, 75, 8,
    ]  # fmt: skip
    assert other.getopt(TCP, TCP_KEEPINIT) == 75
    assert symbol(other.setopt, TCP, TCP_KEEPIDLE, 0) == "EINVAL"


def test_compat_42_probes_have_an_octet(pump):
    p = pump(1)
    so, other = p.pair()
    so.setopt(SOL_SOCKET, SO_KEEPALIVE, 1)
    sysctl(p.a, "compat_42", 1)
    seen = segments(p.ab)
    p.run(7201)
    assert [len(s.payload) for s in seen] == [1]
    assert other.rcv.cc == 0
    assert so.state & SS_ISCONNECTED


def test_connecting_gives_up_when_told(pump):
    p = pump(1)
    p.ab.dead = True
    so = p.socket(p.a)
    so.setopt(TCP, TCP_KEEPINIT, 5)
    so.connect(SockaddrIn(B, 80))
    p.run(6)
    assert so.getopt(SOL_SOCKET, SO_ERROR) == "ETIMEDOUT"


# -- urgent data


def test_urgent_data_out_of_band(pump):
    p = pump(1, delay=0.001)
    so, other = p.pair()
    so.send(b"abc", None)
    so.send(b"!", None, MSG_OOB)
    so.send(b"def", None)
    assert symbol(other.recv, MSG_OOB) == "EINVAL"
    p.run(1)
    assert other.recv(MSG_OOB | MSG_PEEK).data == b"!"
    assert other.recv(MSG_OOB).data == b"!"
    assert symbol(other.recv, MSG_OOB) == "EINVAL"
    assert other.ioctl(SIOCATMARK, 0) == 0
    assert other.ioctl(FIONREAD, 0) == 6
    assert other.recv().data == b"abc"  # a read stops at the mark
    assert other.ioctl(SIOCATMARK, 0) == 1
    assert other.recv().data == b"def"
    assert other.ioctl(SIOCATMARK, 0) == 0


def test_urgent_data_inline(pump):
    p = pump(1, delay=0.001)
    so, other = p.pair()
    other.setopt(SOL_SOCKET, SO_OOBINLINE, 1)
    so.send(b"abc", None)
    so.send(b"!", None, MSG_OOB)
    p.run(1)
    assert symbol(other.recv, MSG_OOB) == "EINVAL"
    assert other.recv().data == b"abc"
    assert other.ioctl(SIOCATMARK, 0) == 1
    assert other.recv().data == b"!"


def test_urgent_data_through_loss(pump, app):
    p = pump(7, delay=0.01, loss=0.2, jitter=0.02)
    so, other = p.pair()
    got, urgent = b"", b""
    sent = 0
    for n in range(50):
        so.send(bytes((n,)) * 100, None)
        if n % 10 == 9:
            so.send(b"U", None, MSG_OOB)
            sent += 1
        p.run(3)
        try:
            urgent += other.recv(MSG_OOB).data
        except NetError:
            pass
        while other.rcv.cc:
            got += other.recv().data
    p.run(100)
    while other.rcv.cc:
        got += other.recv().data
    assert got.replace(b"U", b"") == b"".join(bytes((n,)) * 100 for n in range(50)).replace(
        b"U", b""
    )
    assert set(urgent) <= set(b"U")


# -- ECN


def test_a_mark_halves_the_window_once(pump, app):
    p = pump(1, delay=0.05)
    for stack in (p.a, p.b):
        sysctl(stack, "ecn.enable", 1)
        stack.tcp.sendspace = stack.tcp.recvspace = 60000
    so, other = p.pair()
    assert p.a.tcp.stat["ecn_shs"] == p.b.tcp.stat["ecn_shs"] == 1
    marks = []

    def mark(frame):
        if len(frame) > 1000 and frame[15] & 3 == 2 and 3 <= len(marks) < 5:
            # A router that is congested: CE instead of ECT(0).
            frame = frame[:15] + bytes((frame[15] | 3,)) + frame[16:]
            head = bytearray(frame[14:34])
            head[10:12] = b"\0\0"
            from libnet.wire.cksum import in_cksum

            head[10:12] = in_cksum(head).to_bytes(2, "big")
            frame = frame[:14] + bytes(head) + frame[34:]
            p.clock.after(0.05, lambda: p.ab.arrive(frame))
            marks.append(1)
            return False
        marks.append(0) if len(frame) > 1000 else None
        return True

    p.ab.spy = mark
    a, b = app(so, bytes(60000)), app(other, b"")
    p.run(60, lambda: a.done and b.done)
    assert b.got == bytes(60000)
    assert p.b.tcp.stat["ecn_ce"] == 2
    assert p.a.tcp.stat["sndrexmitpack"] == 0
    assert so.pcb is None or so.pcb.ppcb.snd_ssthresh < 20000


# -- congestion control


def test_the_algorithm_can_be_chosen(pump):
    p = pump(1)
    assert sysctl(p.a, "congctl.available") == "reno newreno cubic"
    assert sysctl(p.a, "congctl.selected", "cubic") == "newreno"
    so = p.socket(p.a)
    assert so.getopt(TCP, TCP_CONGCTL) == "cubic"
    so.setopt(TCP, TCP_CONGCTL, "reno")
    assert so.getopt(TCP, TCP_CONGCTL) == "reno"
    assert symbol(so.setopt, TCP, TCP_CONGCTL, "vegas") == "ENOENT"
    assert symbol(so.setopt, TCP, TCP_CONGCTL, 3) == "EINVAL"
    assert symbol(sysctl, p.a, "congctl.selected", "vegas") == "ENOENT"


@pytest.mark.parametrize("name", ["reno", "newreno", "cubic"])
@pytest.mark.parametrize("sack", [0, 1])
def test_one_loss_is_repaired_without_a_timeout(pump, app, name, sack):
    p = pump(1, delay=0.02)
    for stack in (p.a, p.b):
        stack.tcp.congctl_selected, stack.tcp.sack_enable = name, sack
        stack.tcp.sendspace = stack.tcp.recvspace = 60000
    so, other = p.pair()
    count = [0]

    def lose(frame):
        if len(frame) > 1000:
            count[0] += 1
        return len(frame) <= 1000 or count[0] != 12

    p.ab.spy = lose
    a, b = app(so, bytes(200_000)), app(other, b"")
    assert p.run(30, lambda: a.done and b.done)
    assert b.got == bytes(200_000)
    stat = p.a.tcp.stat
    assert (stat["fastrexmit"], stat["rexmttimeo"], stat["sndrexmitpack"]) == (1, 0, 1)


def test_sack_repairs_many_losses_in_one_round_trip_or_two(pump, app):
    p = pump(1, delay=0.02)
    for stack in (p.a, p.b):
        stack.tcp.sendspace = stack.tcp.recvspace = 100_000
    so, other = p.pair()
    count = [0]

    def lose(frame):
        if len(frame) > 1000:
            count[0] += 1
        return len(frame) <= 1000 or count[0] not in (30, 32, 34, 36, 38)

    p.ab.spy = lose
    a, b = app(so, bytes(300_000)), app(other, b"")
    assert p.run(30, lambda: a.done and b.done)
    assert b.got == bytes(300_000)
    stat = p.a.tcp.stat
    assert (stat["fastrexmit"], stat["rexmttimeo"], stat["sndrexmitpack"]) == (1, 0, 5)
    assert sysctl(p.a, "sack.globalholes") == 0


def test_cubic_comes_back_to_where_it_was(pump, app):
    p = pump(1, delay=0.5)
    for stack in (p.a, p.b):
        stack.sbmax = 1 << 22
        stack.tcp.congctl_selected = "cubic"
        stack.tcp.sendspace = stack.tcp.recvspace = 1 << 21
    so, other = p.pair()
    count = [0]

    def lose(frame):
        if len(frame) > 1000:
            count[0] += 1
        return len(frame) <= 1000 or count[0] != 300

    p.ab.spy = lose
    a, b = app(so, bytes(3_000_000)), app(other, b"")
    tp = so.pcb.ppcb
    p.run(30, lambda: p.a.tcp.stat["fastrexmit"] == 1)
    most = tp.cc_state.w_max
    assert tp.snd_ssthresh == pytest.approx(0.7 * most * tp.segsz, rel=0.25)
    p.run(300, lambda: a.done and b.done)
    assert b.got == bytes(3_000_000)
    assert tp.snd_cwnd > 0.85 * most * tp.segsz


def test_a_pause_shrinks_the_window(pump, app):
    p = pump(1, delay=0.02)
    so, _other = p.pair()
    tp = so.pcb.ppcb
    tp.snd_cwnd = 50000
    tp.sndtime = p.clock.now
    p.run(5)
    so.send(b"x", None)
    assert tp.snd_cwnd == 4 * 1460
    sysctl(p.a, "cwm", 1)
    sysctl(p.a, "cwm_burstsize", 3)
    p.run(5)
    tp.snd_cwnd = 50000
    so.send(b"x", None)
    assert tp.snd_cwnd == 3 * 1460


@pytest.mark.parametrize(("enable", "aggressive", "grown"), [(1, 1, 2), (1, 0, 1), (0, 0, 1)])
def test_slow_start_counts_as_told(pump, enable, aggressive, grown):
    p = pump(1, delay=0.02)
    sysctl(p.a, "abc.enable", enable)
    sysctl(p.a, "abc.aggressive", aggressive)
    so, _other = p.pair()
    tp = so.pcb.ppcb
    before = tp.snd_cwnd
    so.send(bytes(2 * 1448), None)
    p.run(1)
    assert tp.snd_cwnd - before == pytest.approx(grown * 1460, abs=30)


# -- path MTU


def needfrag(p, quoted_frame, mtu):
    """Have a receive word from a router that the packet in *quoted_frame* is too large."""
    from libnet.wire.icmp import icmp_build

    message = icmp_build(3, 4, mtu, quoted_frame[14 : 14 + 28])
    packet = ip_build(src=0x0A000063, dst=A, proto=1, payload=message)
    ifp = p.ifps[0]
    p.a.ethernet.input(ifp, [ifp.lladdr + p.ifps[1].lladdr + b"\x08\x00" + packet])


def test_path_mtu_discovery(pump):
    p = pump(1, delay=0.001)
    so, other = p.pair()
    big = []

    def router(frame):
        if len(frame) - 14 > 1000:
            assert frame[20] & 0x40  # DF
            big.append(frame)
            return False
        return True

    p.ab.spy = router
    so.send(bytes(20000), None)
    p.run(0.5)
    assert other.rcv.cc == 0
    needfrag(p, big[0], 1000)
    p.run(5)
    assert other.rcv.cc == 20000
    assert so.pcb.ppcb.segsz == 960
    assert p.a.route.rtalloc(B).mtu == 1000


def test_forged_needfrag_is_ignored(pump):
    p = pump(1, delay=0.001)
    so, _other = p.pair()
    frames = []
    p.ab.spy = lambda frame: frames.append(frame) or True
    so.send(bytes(5000), None)
    p.run(1)
    needfrag(p, frames[0], 600)  # acknowledged long ago
    assert so.pcb.ppcb.segsz == 1460
    assert p.a.stats["icmp"]["pmtuforged"] == 1
    assert p.a.tcp.stat["icmpforged"] == 1


def test_a_path_that_swallows_large_segments(pump):
    p = pump(1, delay=0.001)
    so, other = p.pair()

    def hole(frame):
        return len(frame) < 1200 or not frame[20] & 0x40

    p.ab.spy = hole
    so.send(bytes(10000), None)
    p.run(30)
    assert p.a.tcp.stat["pmtublackhole"] == 1
    assert other.rcv.cc == 10000


# -- offload


@pytest.mark.parametrize("loss", [0.0, 0.05])
def test_super_segments_pass_whole(pump, app, loss):
    p = pump(1, delay=0.001, loss=loss)
    for ifp in p.ifps:
        ifp.capabilities_rx = ifp.capabilities_tx = ALL_CAPS
        ifp.set_capenable(ALL_CAPS, ALL_CAPS)
    for stack in (p.a, p.b):
        stack.tcp.sendspace = stack.tcp.recvspace = 262144
    so, other = p.pair()
    data = bytes(range(256)) * 8000
    a, b = app(so, data), app(other, b"")
    assert p.run(900, lambda: a.done and b.done)
    assert b.got == data
    if not loss:
        assert p.ab.carried < 200
        assert p.a.tcp.stat["sndpack"] >= len(data) // 1460
        assert p.ba.carried <= p.ab.carried + 5  # one ACK for each, window updates included


def test_checksums_are_left_to_the_interface(pump):
    p = pump(1, delay=0.001)
    p.ifps[0].capabilities_tx = p.ifps[0].capabilities_rx = ALL_CAPS
    p.ifps[0].set_capenable(0, IFCAP_TCP4CSUM | IFCAP_IP4CSUM)
    so, other = p.pair()
    frames = []
    p.ab.spy = lambda frame: frames.append(frame) or True
    so.send(bytes(4000), None)
    p.run(1)
    assert other.rcv.cc == 4000
    assert {getattr(frame, "csum", 0) for frame in frames} == {3}
    assert max(map(len, frames)) <= 1514


def test_a_super_segment_without_offload_is_cut(pump):
    p = pump(1, delay=0.001)
    so, other = p.pair()
    frames = []
    p.ab.spy = lambda frame: frames.append(frame) or True
    so.pcb.ppcb.snd_cwnd = 1 << 20
    so.send(bytes(range(250)) * 100, None)
    p.run(1)
    assert other.recv().data == bytes(range(250)) * 100
    assert {type(frame) for frame in frames} == {bytes}
    assert max(map(len, frames)) == 1514
    assert p.b.tcp.stat["rcvbadsum"] == 0
    idents = [int.from_bytes(frame[18:20], "big") for frame in frames]
    assert len(set(idents)) == len(idents)
    flags = [Tcp.parse(frame[34:]).flags for frame in frames if len(frame) > 100]
    assert flags == [0x10] * (len(flags) - 1) + [0x18]


# -- many connections


def test_idle_connections_cost_no_scan_and_little_memory(pump):
    p = pump(1, delay=0.0)
    listener = p.listen(backlog=128)
    ends = []

    def accept(listener):
        while listener.q:
            ends.append(listener.accept())

    listener.upcall = accept
    p.connect()
    p.run(0.0)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    count = 300
    made = []
    for _ in range(count):
        made.append(p.connect())
        p.run(0.0)
    p.run(2)
    each = (tracemalloc.get_traced_memory()[0] - before) / (2 * count)
    tracemalloc.stop()
    assert len(ends) == count + 1
    assert each < 4096  # octets for one end
    assert len(p.clock._heap) < 3 * 2 * count
    passes = [0]

    def counted():
        passes[0] += 1
        return False

    p.run(7000, counted)
    assert passes[0] < 20  # two hours of silence: nothing is due


# -- sockets


def test_errors_of_the_calls(pump):
    p = pump(1)
    so = p.socket(p.a)
    assert symbol(so.recv) == "ENOTCONN"
    assert symbol(so.send, b"x", None) == "ENOTCONN"
    assert symbol(so.accept) == "EINVAL"
    assert symbol(so.connect, SockaddrIn(0xE0000001, 9)) == "EAFNOSUPPORT"
    assert symbol(so.connect, SockaddrIn(0xFFFFFFFF, 9)) == "EAFNOSUPPORT"
    assert symbol(so.connect, Sockaddr()) == "EAFNOSUPPORT"
    assert symbol(so.connect, SockaddrIn(B, 0)) == "EADDRNOTAVAIL"
    assert symbol(so.connect, SockaddrIn(0x08080808, 9)) in ("EHOSTUNREACH", "ENETUNREACH")
    so = p.socket(p.a)
    assert symbol(so.bind, SockaddrIn(0xE0000001, 9)) == "EAFNOSUPPORT"
    assert symbol(so.bind, SockaddrIn(0x01020304, 9)) == "EADDRNOTAVAIL"
    so.bind(SockaddrIn(0, 99))
    assert symbol(so.bind, SockaddrIn(0, 98)) == "EINVAL"
    so.listen(1)
    assert so.getopt(SOL_SOCKET, SO_ACCEPTCONN)
    assert symbol(so.accept) == "EAGAIN"
    assert symbol(so.connect, SockaddrIn(B, 9)) == "EOPNOTSUPP"
    assert symbol(p.a.socreate(2, 2, 0, Cred()).listen, 1) == "EOPNOTSUPP"
    assert symbol(so.getopt, 99, 1) == "ENOPROTOOPT"
    assert symbol(so.getopt, TCP, 99) == "ENOPROTOOPT"
    assert symbol(so.setopt, TCP, 99, 1) == "ENOPROTOOPT"
    assert symbol(so.setopt, TCP, TCP_NODELAY, b"x") == "EINVAL"
    so.setopt(IP, 4, 17)
    assert so.getopt(IP, 4) == 17


def test_a_connected_socket(pump):
    p = pump(1)
    a, b = p.pair()
    assert symbol(a.connect, SockaddrIn(B, 80)) == "EISCONN"
    assert symbol(a.listen, 1) == "EINVAL"
    assert symbol(a.send, b"x", SockaddrIn(B, 80)) == "EISCONN"
    assert symbol(a.recv) == "EAGAIN"
    assert a.usrreq.peeraddr(a) == SockaddrIn(B, 80)
    assert b.usrreq.peeraddr(b) == a.usrreq.sockaddr(a)
    assert a.send(b"", None) == 0
    b.send(b"hello", None)
    p.run(1)
    assert a.recv(MSG_PEEK).data == b"hello"
    assert a.recv(0, 2).data == b"he"
    assert a.recv(0, 0).data == b""
    assert a.recv(0, 99).data == b"llo"


def test_a_port_in_use(pump):
    p = pump(1)
    p.listen(80)
    so = p.socket(p.b)
    assert symbol(so.bind, SockaddrIn(0, 80)) == "EADDRINUSE"
    so.setopt(SOL_SOCKET, SO_REUSEADDR, 1)
    assert symbol(so.bind, SockaddrIn(0, 80)) == "EADDRINUSE"
    so.bind(SockaddrIn(B, 80))
    so.listen(1)
    made = p.connect(80)
    p.run(1)
    assert so.qlen == 1  # the more specific one
    assert made.state & SS_ISCONNECTED


def test_a_server_restarts_over_time_wait(pump):
    p = pump(1)
    _so, other = p.pair(80)
    other.close()
    p.run(1)
    so = p.socket(p.b)
    so.setopt(SOL_SOCKET, SO_REUSEADDR, 1)
    so.bind(SockaddrIn(0, 80))
    so.listen(1)


def test_quietdrop_sends_no_reset(pump):
    p = pump(1)
    a, b = p.pair()
    a.setopt(TCP, TCP_QUIETDROP, 1)
    a.setopt(SOL_SOCKET, SO_LINGER, [1, 0])
    a.close()
    p.run(1)
    assert b.state & SS_ISCONNECTED


def test_upcalls_tell_of_every_change(pump):
    p = pump(1, delay=0.001)
    listener, heard = p.listen(), []
    listener.upcall = lambda so: heard.append("listener")
    so = p.connect()
    so.upcall = lambda so: heard.append("so")
    p.run(1)
    assert heard == ["listener", "so"] or heard == ["so", "listener"]
    other = listener.accept()
    del heard[:]
    other.send(b"x", None)
    p.run(1)
    assert "so" in heard
    del heard[:]
    so.send(bytes(20000), None)
    p.run(1)
    assert heard  # there is room again
    del heard[:]
    other.recv()
    other.close()
    p.run(1)
    assert heard


def test_an_upcall_may_close_the_socket(pump):
    p = pump(1, delay=0.001)
    so, other = p.pair()
    other.upcall = lambda so: so.close()
    so.send(bytes(30000), None)
    p.run(5)
    assert symbol(so.recv) == "ECONNRESET"
    so, other = p.pair(81)
    so.upcall = lambda so: so.close()
    other.send(b"x" * 5000, None)
    p.run(5)
    assert not so.state & SS_ISCONNECTED


def test_an_echo_by_upcalls(pump):
    p = pump(1, delay=0.001)
    so, other = p.pair()

    def echo(so):
        try:
            while so.rcv.cc and so.writable():
                so.send(so.recv(0, so.snd.space()).data, None)
        except NetError as exc:
            assert exc.symbol == "EAGAIN"

    other.upcall = echo
    got, left = b"", bytes(range(256)) * 400
    want = left
    for _ in range(3000):
        if left and so.writable():
            left = left[so.send(left, None) :]
        p.run(0.01)
        if so.rcv.cc:
            got += so.recv().data
        if len(got) == len(want):
            break
    assert got == want


# -- what the tools see


def test_lists_and_control_blocks(pump):
    p = pump(1)
    a, _b = p.pair(80)
    a.send(b"abc", None)
    (info,) = p.a.tcp.pcblist()
    assert (info.proto, info.faddr, info.fport, info.state, info.snd) == ("tcp", B, 80, 4, 3)
    mib = [*p.a.sysctl.mib("net.inet.tcp.pcb"), 0, info.pcbaddr]
    fields = p.a.sysctl.call(mib, None, Cred())
    assert fields["state"] == 4
    assert fields["timer.REXMT"] == 2
    assert fields["snd_nxt"] == (a.pcb.ppcb.iss + 4) & MASK
    for tail, want in (([0], "EINVAL"), ([0, 5], "ESRCH")):
        assert symbol(p.a.sysctl.call, [*mib[:-2], *tail], None, Cred()) == want


def test_ident(pump):
    p = pump(1)
    a, _b = p.pair(80)
    a.cred.uid = 321
    mib = p.a.sysctl.mib("net.inet.tcp.ident")
    lport = a.pcb.lport
    assert p.a.sysctl.call([*mib, B, 80, A, lport], None, Cred()) == 321
    assert symbol(p.a.sysctl.call, [*mib, B, 81, A, 4], None, Cred()) == "ESRCH"
    assert symbol(p.a.sysctl.call, [*mib, 1], None, Cred()) == "EINVAL"
    assert symbol(p.a.sysctl.call, [*mib, B, 80, A, lport], 1, Cred()) == "EPERM"


def test_debug_sockets_leave_a_trace(pump):
    p = pump(1)
    so = p.socket(p.a)
    so.setopt(SOL_SOCKET, SO_DEBUG, 1)
    p.listen(80)
    so.connect(SockaddrIn(B, 80))
    p.run(1)
    so.send(b"x", None)
    p.run(1)
    trace = sysctl(p.a, "debug")
    assert sysctl(p.a, "debx") == len(trace) >= 4
    assert (trace[0]["act"], trace[0]["flags"]) == ("output", TH_SYN)
    assert {row["act"] for row in trace} == {"input", "output"}


def test_loopback_checksums_are_computed_when_told(pump):
    p = pump(1)
    sysctl(p.a, "do_loopback_cksum", 1)
    assert sysctl(p.a, "do_loopback_cksum") == 1
    listener = p.socket(p.a)
    listener.bind(SockaddrIn(0, 9))
    listener.listen(1)
    so = p.socket(p.a)
    so.connect(SockaddrIn(0x7F000001, 9))
    p.run(1)
    so.send(bytes(50000 % 30000), None)
    p.run(1)
    assert listener.accept().rcv.cc == 20000
    assert p.a.tcp.stat["rcvbadsum"] == 0
    sysctl(p.a, "do_loopback_cksum", 0)
    assert p.a.ip.loopback_l4 == 0


def test_a_log_of_counters_of_a_plain_conversation(pump, app):
    p = pump(1, delay=0.001)
    so, other = p.pair()
    a, b = app(so, bytes(20000)), app(other, b"z" * 10)
    p.run(30, lambda: a.done and b.done)
    so.close()
    other.close()
    p.run(100)
    stat = p.a.tcp.stat
    assert (stat["connattempt"], stat["connects"], stat["closed"]) == (1, 1, 1)
    assert (stat["sndbyte"], stat["rcvbyte"]) == (20000, 10)
    assert stat["sndpack"] == -(-20000 // 1448)
    assert stat["rcvackbyte"] == 20001  # and the FIN
    assert not any(
        stat[name] for name in ("rexmttimeo", "rcvbadsum", "rcvduppack", "rcvoopack", "drops")
    )
