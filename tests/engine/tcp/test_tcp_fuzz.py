"""Arbitrary segments: whatever a peer sends, the room counts, and its books stay in order."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from libnet.engine.kern.socket import SS_ISCONNECTED
from libnet.engine.tcp.tcp_var import TCPS_ESTABLISHED, TF_DEAD
from libnet.errors import NetError
from libnet.wire.ipv4 import ip_build
from libnet.wire.tcp import Options, build_options, tcp_build
from tests.engine.tcp.conftest import Pump

A, B = 0x0A000001, 0x0A000002

NEAR = st.integers(-3, 3) | st.integers(-70000, 70000) | st.integers(0, 0xFFFFFFFF)
NUM = st.integers(0, 0xFFFFFFFF)
OPTION = st.builds(
    Options,
    mss=st.none() | st.integers(0, 65535),
    wscale=st.none() | st.integers(0, 255),
    sackok=st.booleans(),
    sack=st.lists(st.tuples(NEAR, NEAR), max_size=3).map(tuple),
    tsval=st.none() | NEAR,
    tsecr=st.just(0),
)
SEGMENT = st.tuples(
    NEAR,  # sequence number, from what is expected
    NEAR,  # acknowledgement, from what is unacknowledged
    st.integers(0, 255),  # flags
    st.integers(0, 65535),  # window
    st.binary(max_size=20) | st.integers(0, 1500).map(bytes),
    st.integers(0, 65535),  # urgent pointer
    st.one_of(st.just("good"), st.none(), OPTION, st.binary(max_size=40)),
    st.sampled_from([0.0, 0.0, 0.3, 2.0, 100.0]),  # seconds that pass then
    st.sampled_from(["", "", "recv", "send", "oob", "shutdown", "close"]),
)


def check(p):
    """Hold the books of b against each other."""
    tcp = p.b.tcp
    holes = 0
    for inp in tcp.table.pcbs:
        tp = inp.ppcb
        assert not tp.flags & TF_DEAD
        assert tp.snd_una <= tp.snd_nxt <= tp.snd_max
        assert tp.rcv_nxt <= tp.rcv_adv or tp.state < TCPS_ESTABLISHED or not tp.so.rcv.cc
        assert tp.snd_cwnd >= 0
        assert tp.snd_wnd >= 0
        assert inp.socket.snd.cc >= 0
        if tp.state >= TCPS_ESTABLISHED:
            assert tp.snd_max - tp.snd_una <= inp.socket.snd.cc + 1
            timed = tp.t_rexmt or tp.t_persist or tp.t_2msl
            assert timed or not inp.socket.snd.cc
        timers = (tp.t_delack, tp.t_rexmt, tp.t_persist, tp.t_keep, tp.t_2msl)
        earliest = min((t for t in timers if t), default=None)
        assert earliest is None or tp.t_next <= earliest
        if tp.sack is not None:
            holes += len(tp.sack.ranges)
            ranges = [number for pair in tp.sack.ranges for number in pair]
            assert ranges == sorted(set(ranges))
            assert not ranges or tp.snd_una <= ranges[0] < ranges[-1] <= tp.snd_max
        if tp.reass is not None:
            assert tp.reass.cc <= 2 * max(inp.socket.rcv.hiwat, 65536)
            assert all(run.start > tp.rcv_nxt for run in tp.reass.runs)
    assert tcp.sack_globalholes == holes
    assert p.b.wakeups is None


def use(so, what):
    """Do to the socket what its holder might."""
    try:
        match what:
            case "recv":
                so.recv()
            case "send":
                so.send(bytes(3000), None)
            case "oob":
                so.send(b"!", None, 1)
            case "shutdown":
                so.shutdown(1)
            case "close":
                so.close()
    except NetError as exc:
        assert exc.symbol


def inject(p, sport, tp, step):
    """Have b receive the segment of *step*, its numbers moved to where *tp* is."""
    dseq, dack, flags, win, payload, urp, opt, _wait, _what = step
    nxt, una, recent = (tp.rcv_nxt, tp.snd_una, tp.ts_recent) if tp is not None else (0, 0, 0)
    if opt == "good":
        opt = Options(tsval=recent, tsecr=0)
    if isinstance(opt, Options):
        opt = opt._replace(
            sack=tuple(((una + a) & 0xFFFFFFFF, (una + b) & 0xFFFFFFFF) for a, b in opt.sack),
            tsval=None if opt.tsval is None else (recent + opt.tsval) & 0xFFFFFFFF
            if opt.tsval != recent else recent,
        )  # fmt: skip
        options = build_options(opt)[:40]
    else:
        options = opt or b""
    segment = tcp_build(
        sport, 80, (nxt + dseq) & 0xFFFFFFFF, (una + dack) & 0xFFFFFFFF, flags, win, payload,
        src=A, dst=B, options=options, urp=urp,
    )  # fmt: skip
    packet = ip_build(src=A, dst=B, proto=6, payload=segment)
    ifp = p.ifps[1]
    p.b.ethernet.input(ifp, [ifp.lladdr + p.ifps[0].lladdr + b"\x08\x00" + packet])


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 7), st.lists(SEGMENT, min_size=1, max_size=25))
def test_a_connection_survives_or_ends_whatever_comes(how, steps):
    p = Pump(1, delay=0.0)
    for stack in (p.a, p.b):
        stack.tcp.timestamps, stack.tcp.sack_enable = how & 1, how >> 1 & 1
        stack.tcp.ecn_enable = how >> 2
    so, other = p.pair()
    p.run(0.5)
    sport = so.pcb.lport
    p.ba.dead = True  # the real peer is not to interfere
    for step in steps:
        tp = other.pcb.ppcb if other.pcb is not None else None
        inject(p, sport, tp, step)
        check(p)
        use(other, step[8])
        check(p)
        p.run(step[7])
        check(p)
    p.run(4000)
    check(p)


@settings(max_examples=200, deadline=None)
@given(st.lists(SEGMENT, min_size=1, max_size=15))
def test_a_listener_survives_whatever_comes(steps):
    p = Pump(1, delay=0.0)
    listener = p.listen(backlog=1)
    p.ba.dead = True
    for step in steps:
        inject(p, 4000, None, step)
        check(p)
        p.run(step[7])
    p.ba.dead = False
    p.run(300)
    check(p)
    while listener.q:
        try:
            listener.accept().close()
        except NetError as exc:
            assert exc.symbol == "ECONNABORTED"
    so = p.connect()
    p.run(30)
    assert so.state & SS_ISCONNECTED


@settings(max_examples=200, deadline=None)
@given(st.lists(SEGMENT, min_size=1, max_size=10))
def test_connecting_survives_whatever_comes(steps):
    p = Pump(1, delay=0.0)
    so = p.socket(p.b)
    p.ba.dead = True
    from libnet.addr import SockaddrIn

    so.bind(SockaddrIn(0, 80))
    so.connect(SockaddrIn(A, 4000))
    for step in steps:
        tp = so.pcb.ppcb if so.pcb is not None else None
        inject(p, 4000, tp, step)
        check(p)
        use(so, step[8])
        p.run(step[7])
        check(p)
    p.run(4000)
    check(p)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=100), st.booleans())
def test_any_octets_as_a_segment(octets, summed):
    p = Pump(1, delay=0.0)
    p.listen()
    if summed and len(octets) >= 18:
        octets = octets[:2] + b"\0\x50" + octets[4:16] + b"\0\0" + octets[18:]
        from libnet.wire.cksum import in4_cksum

        cksum = in4_cksum(A, B, 6, octets)
        octets = octets[:16] + cksum.to_bytes(2, "big") + octets[18:]
    packet = ip_build(src=A, dst=B, proto=6, payload=octets)
    ifp = p.ifps[1]
    p.b.ethernet.input(ifp, [ifp.lladdr + p.ifps[0].lladdr + b"\x08\x00" + packet])
    check(p)
    assert p.b.tcp.stat["rcvtotal"] == 1


def test_storms_by_seed():
    """Random segments near the window by the hundred, while a real conversation goes on."""
    for seed in range(30):
        dice = random.Random(seed)
        p = Pump(seed, delay=0.001)
        so, other = p.pair()
        sent = dice.randbytes(20000)
        left, got = sent, b""
        for _ in range(400):
            tp = other.pcb.ppcb if other.pcb else None
            if tp is None:
                break
            if left and so.writable():
                left = left[so.send(left[:500], None) :]
            # An outsider who can guess ports and windows, but not the numbers themselves.
            step = (
                dice.randrange(2, 60000), dice.randrange(-(1 << 31), -70000),
                dice.choice([0x04, 0x02, 0x12, 0x10, 0x11, 0x18]), 0, b"EVIL", 0, "good", 0, "",
            )  # fmt: skip
            inject(p, tp.inp.fport, tp, step)
            p.run(0.02)
            try:
                got += other.recv().data
            except NetError as exc:
                assert exc.symbol == "EAGAIN"
            check(p)
        assert got == sent
