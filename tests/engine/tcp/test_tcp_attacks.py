"""Floods and forgeries: what they cost is bounded and counted, and legitimate traffic goes on."""

from __future__ import annotations

import pytest

from libnet.addr import SockaddrIn
from libnet.engine.kern.socket import SO_ERROR, SO_RCVBUF, SOL_SOCKET, SS_ISCONNECTED
from libnet.engine.tcp.tcp_sack import MAXRUNS
from libnet.engine.tcp.tcp_var import MASK, TCPS_ESTABLISHED, TCPS_TIME_WAIT
from libnet.errors import NetError
from libnet.wire.ipv4 import ip_build
from libnet.wire.tcp import (
    TH_ACK,
    TH_FIN,
    TH_PUSH,
    TH_RST,
    TH_SYN,
    TH_URG,
    Options,
    Tcp,
    build_options,
    parse_options,
    tcp_build,
)

A, B = 0x0A000001, 0x0A000002


def forge(p, seq, ack, flags, payload=b"", *, src=A, sport=0, dport=80, win=65535, opt=None, urp=0):
    """Have b receive a segment that seems to come from a."""
    options = build_options(opt) if opt is not None else b""
    segment = tcp_build(
        sport, dport, seq & MASK, ack & MASK, flags, win, payload,
        src=src, dst=B, options=options, urp=urp,
    )  # fmt: skip
    ifp = p.ifps[1]
    packet = ip_build(src=src, dst=B, proto=6, payload=segment)
    p.b.ethernet.input(ifp, [ifp.lladdr + p.ifps[0].lladdr + b"\x08\x00" + packet])


def spy(link):
    """Return a list that fills with the segments *link* is given, instead of carrying them."""
    seen = []

    def see(frame):
        if frame[12:14] == b"\x08\x00":
            seen.append(Tcp.parse(frame[34 : 14 + int.from_bytes(frame[16:18], "big")]))
        return False

    link.spy = see
    return seen


def flood(p, count, *, opt=None):
    for n in range(count):
        forge(p, n * 7919, 0, TH_SYN, sport=1024 + n, opt=opt)


def converse(p, so, other):
    so.send(b"ping", None)
    p.run(1)
    assert other.recv().data == b"ping"


@pytest.fixture
def b_up(pump):
    """Return a pump with a listener and an established connection to it."""
    p = pump(3, delay=0.001)
    so, other = p.pair()
    p.run(1)
    return p, so, other


def test_a_flood_fills_the_cache_and_no_more(pump):
    p = pump(1, delay=0.001)
    p.listen()
    tcp = p.b.tcp
    tcp.syn_cache_limit, tcp.syn_cookies = 200, 0
    sent = spy(p.ba)
    flood(p, 1000)
    stat = tcp.stat
    assert len(tcp.syn_cache.entries) == 200
    assert (stat["sc_added"], stat["sc_overflowed"]) == (1000, 800)
    assert len(sent) == 1000
    assert len(tcp.table.pcbs) == 1
    p.run(200)  # nobody has answered
    assert not tcp.syn_cache.entries
    assert not tcp.syn_cache._buckets
    assert stat["sc_timed_out"] == 200
    assert p.clock.next_due() is None or p.clock.next_due() > p.clock.now


def test_one_bucket_has_its_own_limit(pump):
    p = pump(1, delay=0.001)
    p.listen()
    tcp = p.b.tcp
    tcp.syn_bucket_limit, tcp.syn_cookies = 1, 0
    spy(p.ba)
    flood(p, 600)
    assert len(tcp.syn_cache.entries) <= 293
    assert tcp.stat["sc_bucketoverflow"] >= 600 - 293


def test_under_a_flood_cookies_let_others_in(pump):
    p = pump(1, delay=0.001)
    listener = p.listen()
    tcp = p.b.tcp
    tcp.syn_cache_limit = 50
    p.ba.dead = True  # the host would reset what it did not ask for
    flood(p, 500)
    p.ba.dead = False
    before = tcp.stat["sc_cookies"]
    assert before == 450
    so = p.connect()
    p.run(1)
    assert tcp.stat["sc_cookies"] == before + 1
    assert so.state & SS_ISCONNECTED
    other = listener.accept()
    converse(p, so, other)
    converse(p, other, so)
    tp = other.pcb.ppcb
    assert tp.sack is None
    assert tp.snd_scale == so.pcb.ppcb.rcv_scale == 3
    assert tp.peermss <= 1460


@pytest.mark.parametrize("offer", [100, 216, 536, 1460, 9000, 65535])
@pytest.mark.parametrize("stamped", [True, False])
def test_a_cookie_remembers_what_fits(pump, offer, stamped):
    p = pump(1, delay=0.001)
    listener = p.listen()
    p.b.tcp.syn_cache_limit = 0
    sent = spy(p.ba)
    opt = Options(mss=offer, wscale=9, sackok=True, tsval=77 if stamped else None, tsecr=0)
    forge(p, 1000, 0, TH_SYN, sport=4000, opt=opt)
    (answer,) = sent
    said = parse_options(answer.options)
    back = Options(tsval=78, tsecr=said.tsval) if stamped else None
    forge(p, 1001, answer.seq + 1, TH_ACK, b"hello", sport=4000, opt=back)
    other = listener.accept()
    assert other.recv().data == b"hello"
    tp = other.pcb.ppcb
    assert tp.peermss <= max(offer, 216)
    assert tp.snd_scale == (9 if stamped else 0)
    assert (tp.ts_recent == 78) is stamped


def test_a_forged_cookie_is_refused(pump):
    p = pump(1, delay=0.001)
    listener = p.listen()
    p.b.tcp.syn_cache_limit = 0
    sent = spy(p.ba)
    forge(p, 1000, 0, TH_SYN, sport=4000)
    cookie = sent.pop().seq
    for ack in (cookie, cookie + 2, cookie + (1 << 24) + 1, cookie + (1 << 27) + 1):
        forge(p, 1001, ack, TH_ACK, sport=4000)
    forge(p, 1002, cookie + 1, TH_ACK, sport=4000)
    forge(p, 1001, cookie + 1, TH_ACK, sport=4001)
    assert p.b.tcp.stat["sc_badcookies"] == 6
    assert [segment.flags for segment in sent] == [TH_RST] * 6
    p.run(130)
    forge(p, 1001, cookie + 1, TH_ACK, sport=4000)  # too late
    assert not listener.qlen


def test_no_cookie_is_taken_when_none_was_given(pump):
    p = pump(1, delay=0.001)
    listener = p.listen()
    sent = spy(p.ba)
    forge(p, 1, 1, TH_ACK, sport=4000)
    assert p.b.tcp.stat["badsyn"] == 1
    assert sent[0].flags == TH_RST
    assert not listener.qlen


def test_a_listener_that_closes_takes_its_half_open_connections_along(pump):
    p = pump(1, delay=0.001)
    listener = p.listen()
    sent = spy(p.ba)
    flood(p, 20)
    listener.close()
    assert not p.b.tcp.syn_cache.entries
    del sent[:]
    p.run(100)
    assert not sent


def test_blind_resets_are_challenged_in_limits(b_up):
    p, so, other = b_up
    tp = other.pcb.ppcb
    sport = so.pcb.lport
    sent = spy(p.ba)
    for n in range(1, 500):
        forge(p, tp.rcv_nxt + n, 0, TH_RST, sport=sport)
    stat = p.b.tcp.stat
    assert stat["rstinwindow"] == 499
    assert len(sent) == 100  # net.inet.tcp.ackdropppslimit
    assert stat["ackdroplimited"] == 399
    forge(p, tp.rcv_nxt - 1, 0, TH_RST, sport=sport)
    forge(p, tp.rcv_nxt + 1_000_000, 0, TH_RST, sport=sport)
    assert stat["rstoutside"] == 2
    p.ba.spy = None
    converse(p, so, other)
    forge(p, tp.rcv_nxt, 0, TH_RST, sport=sport)
    with pytest.raises(NetError, match="reset by peer"):
        other.recv()


def test_syns_on_a_connection_are_challenged_in_limits(b_up):
    p, so, other = b_up
    tp = other.pcb.ppcb
    sent = spy(p.ba)
    for n in range(300):
        forge(p, tp.rcv_nxt + n - 150, 0, TH_SYN, sport=so.pcb.lport, opt=Options(tsval=2**31))
    assert len(sent) == 100
    assert all(s.flags == TH_ACK and s.ack == tp.rcv_nxt & MASK for s in sent)
    assert tp.state == TCPS_ESTABLISHED


def test_acks_of_what_was_never_sent_change_nothing(b_up):
    p, so, other = b_up
    tp = other.pcb.ppcb
    stamp = Options(tsval=tp.ts_recent, tsecr=0)
    sent = spy(p.ba)
    una, wnd = tp.snd_una, tp.snd_wnd
    for ack in (tp.snd_max + 1, tp.snd_max + 2**30, una - 2**30):
        forge(p, tp.rcv_nxt, ack, TH_ACK, b"evil", sport=so.pcb.lport, win=0, opt=stamp)
    assert (tp.snd_una, tp.snd_wnd, other.rcv.cc) == (una, wnd, 0)
    assert (p.b.tcp.stat["rcvacktoomuch"], p.b.tcp.stat["rcvackold"]) == (2, 1)
    assert len(sent) == 3


def test_resets_for_nobody_are_limited(pump):
    p = pump(1, delay=0.001)
    sent = spy(p.ba)
    for n in range(300):
        forge(p, n, n, TH_ACK, sport=2000 + n, dport=81)
    assert len(sent) == 100  # net.inet.tcp.rstppslimit
    assert all(s.flags == TH_RST for s in sent)
    assert p.b.tcp.stat["noport"] == 300
    forge(p, 1, 1, TH_RST, sport=5, dport=81)  # never answered at all
    p.run(1.5)
    forge(p, 9, 9, TH_ACK, sport=2000, dport=81)
    assert len(sent) == 101


def test_segments_to_many_are_never_answered(pump):
    p = pump(1, delay=0.001)
    p.listen()
    sent = spy(p.ba)
    ifp = p.ifps[1]
    for dst in (0x0A0000FF, 0xFFFFFFFF):
        segment = tcp_build(9, 80, 1, 0, TH_SYN, 100, src=A, dst=dst)
        frame = (
            b"\xff" * 6
            + p.ifps[0].lladdr
            + b"\x08\x00"
            + ip_build(src=A, dst=dst, proto=6, payload=segment)
        )
        p.b.ethernet.input(ifp, [frame])
    assert p.b.tcp.stat["bcast"] == 2
    assert not sent
    assert not p.b.tcp.syn_cache.entries


def test_land_is_dropped(pump):
    p = pump(1, delay=0.001)
    p.listen()
    sent = spy(p.ba)
    forge(p, 1, 0, TH_SYN, src=B, sport=80)
    assert p.b.tcp.stat["badsyn"] == 1
    assert not sent


def test_overlapping_segments_do_not_change_what_has_come(b_up):
    p, so, other = b_up
    tp = other.pcb.ppcb
    sport, nxt, ack = so.pcb.lport, tp.rcv_nxt, tp.snd_una
    stamp = Options(tsval=tp.ts_recent, tsecr=0)

    def data(at, octets):
        forge(p, nxt + at, ack, TH_ACK, octets, sport=sport, opt=stamp)

    data(4, b"EEEE")
    data(2, b"ccccccc")  # over all of it
    data(6, b"xxxxgg")  # over its end
    data(0, b"aabb")
    assert other.recv().data == b"aabbEEEEcxgg"
    data(0, b"AAAAAAAAAAAAz")  # old, but for its last octet
    assert other.recv().data == b"z"


def test_gaps_are_bounded(b_up):
    p, so, other = b_up
    tp = other.pcb.ppcb
    stamp = Options(tsval=tp.ts_recent, tsecr=0)
    spy(p.ba)
    nxt = tp.rcv_nxt
    for n in range(2 * MAXRUNS):
        forge(p, nxt + 2 * n + 1, tp.snd_una, TH_ACK, b"x", sport=so.pcb.lport, opt=stamp)
    assert p.b.tcp.stat["rcvmemdrop"] == MAXRUNS
    assert len(tp.reass.runs) == MAXRUNS
    # What fills the first hole is taken all the same.
    forge(p, nxt, tp.snd_una, TH_ACK, b"y", sport=so.pcb.lport, opt=stamp)
    assert other.recv().data == b"yx"


def test_data_beyond_the_window_are_cut(b_up):
    p, so, other = b_up
    tp = other.pcb.ppcb
    stamp = Options(tsval=tp.ts_recent, tsecr=0)
    spy(p.ba)
    room = other.rcv.space()
    fill = bytes(1400)
    sent = 0
    while sent < room + 5000:
        forge(p, tp.irs + 1 + sent, tp.snd_una, TH_ACK, fill, sport=so.pcb.lport, opt=stamp)
        sent += 1400
    assert other.rcv.cc == room
    assert p.b.tcp.stat["rcvpackafterwin"] >= 4
    assert p.b.tcp.stat["rcvbyteafterwin"] > 0


def test_a_receiver_that_never_reads_costs_one_buffer(pump):
    p = pump(1, delay=0.001)
    so, other = p.pair()
    sent = 0
    while so.writable():
        sent += so.send(bytes(9000), None)
        p.run(0.01)
    assert sent <= so.snd.hiwat + other.rcv.hiwat
    before = p.a.tcp.stat["sndprobe"]
    p.run(3600)
    probes = p.a.tcp.stat["sndprobe"] - before
    assert 3600 / 60 - 2 <= probes <= 3600 / 5  # one every five to sixty seconds
    assert so.pcb.ppcb.state == TCPS_ESTABLISHED
    got = 0
    while got < sent:
        got += len(other.recv().data)
        p.run(1)
    assert got == sent


def test_a_tiny_mss_is_bounded(pump):
    p = pump(1, delay=0.001)
    listener = p.listen()
    sent = spy(p.ba)
    forge(p, 1, 0, TH_SYN, sport=9, opt=Options(mss=1))
    forge(p, 2, sent[0].seq + 1, TH_ACK, sport=9)
    other = listener.accept()
    del sent[:]
    other.send(bytes(1000), None)
    assert [len(s.payload) for s in sent] == [64] * len(sent)
    assert 2 <= len(sent) <= 4


def test_a_time_wait_is_not_ended_by_a_reset(b_up):
    p, so, other = b_up
    other.shutdown(1)
    p.run(1)
    so.shutdown(1)
    p.run(1)
    tp = other.pcb.ppcb
    assert tp.state == TCPS_TIME_WAIT
    forge(p, tp.rcv_nxt, tp.snd_una, TH_RST | TH_ACK, sport=tp.inp.fport)
    assert tp.state == TCPS_TIME_WAIT
    assert p.b.tcp.stat["timewaitrst"] == 1
    p.run(61)
    assert other.pcb is None


def test_urgent_pointers_beyond_reason_are_ignored(b_up):
    p, so, other = b_up
    tp = other.pcb.ppcb
    stamp = Options(tsval=tp.ts_recent, tsecr=0)
    p.b.sbmax = 1000
    forge(
        p, tp.rcv_nxt, tp.snd_una, TH_ACK | TH_URG, b"abc", sport=so.pcb.lport, urp=65535, opt=stamp
    )
    assert other.oobmark == 0
    assert other.recv().data == b"abc"


def test_a_queue_that_nobody_accepts_from_is_bounded(pump):
    p = pump(1, delay=0.001)
    listener = p.listen(backlog=3)
    made = [p.connect() for _ in range(20)]
    p.run(300)
    assert listener.qlen == 3 * 3 // 2 + 1
    assert p.b.tcp.stat["sc_aborted"] == 20 - listener.qlen
    assert [so.getopt(SOL_SOCKET, SO_ERROR) for so in made].count("ECONNRESET") == 15
    late = p.connect()
    p.run(300)
    assert p.b.tcp.stat["sc_dropped"] > 4  # each of its SYNs
    assert late.getopt(SOL_SOCKET, SO_ERROR) == "ETIMEDOUT"
    listener.close()
    p.run(1)
    assert not p.b.tcp.table.connected


def test_small_receive_buffers_are_respected(pump):
    p = pump(1, delay=0.001)
    listener = p.listen()
    listener.setopt(SOL_SOCKET, SO_RCVBUF, 700)
    so = p.connect()
    p.run(1)
    other = listener.accept()
    assert other.rcv.hiwat == 700
    so.send(bytes(5000), None)
    p.run(30)
    assert other.rcv.cc <= 700


def test_flags_that_make_no_sense_break_nothing(b_up):
    p, so, other = b_up
    tp = other.pcb.ppcb
    spy(p.ba)
    for flags in range(256):
        if flags & TH_RST:
            continue
        forge(p, tp.rcv_nxt + 10, tp.snd_una, flags, b"abc", sport=so.pcb.lport)
    p.ba.spy = None
    assert tp.state == TCPS_ESTABLISHED
    converse(p, so, other)


def test_log_refused_tells_who_asked(pump):
    p = pump(1, delay=0.001)
    p.b.tcp.log_refused = 1
    forge(p, 1, 0, TH_SYN | TH_PUSH, sport=4321, dport=99)
    forge(p, 1, 0, TH_FIN, sport=4321, dport=99)
    texts = [record.text for record in p.b.logring.records]
    assert texts == ["Connection attempt to TCP 10.0.0.2:99 from 10.0.0.1:4321"]


def test_a_connection_to_nobody_is_refused(pump):
    p = pump(1, delay=0.001)
    so = p.connect(4)
    p.run(1)
    assert so.getopt(SOL_SOCKET, SO_ERROR) == "ECONNREFUSED"
    with pytest.raises(NetError, match="Invalid argument"):
        so.connect(SockaddrIn(B, 4))
