"""tcp_input: the state machine (RFC 9293 section 3.10.7, with RFC 5961, 7323, 5681, 6582, 6675, 3168).

input() checks a segment and, when it is what header prediction expects (the next data, or an ACK of
something new, and nothing else going on), deals with it on the spot. Everything else goes the long way
through _segment(), in the order of the RFC: PAWS, RST, SYN, sequence, ACK, window, URG, data, FIN.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Final

from libnet.engine.kern.mbuf import M_BCAST, M_CSUM_L4, M_MCAST, M_CSUM_TCPv4, Mbuf
from libnet.engine.kern.socket import (
    SO_DEBUG,
    SO_OOBINLINE,
    SS_CANTRCVMORE,
    SS_CANTSENDMORE,
    SS_NOFDREF,
    SS_RCVATMARK,
)
from libnet.engine.tcp.tcp_sack import Reass, Scoreboard
from libnet.engine.tcp.tcp_var import (
    DUPTHRESH,
    HAVERCVDFIN,
    IPPROTO_TCP,
    MASK,
    MSL,
    PAWS_IDLE,
    TCPOOB_HADDATA,
    TCPOOB_HAVEDATA,
    TCPS_CLOSE_WAIT,
    TCPS_CLOSING,
    TCPS_ESTABLISHED,
    TCPS_FIN_WAIT_1,
    TCPS_FIN_WAIT_2,
    TCPS_LAST_ACK,
    TCPS_LISTEN,
    TCPS_SYN_RECEIVED,
    TCPS_SYN_SENT,
    TCPS_TIME_WAIT,
    TF_ACKNOW,
    TF_DEAD,
    TF_DELACK,
    TF_ECN_PERMIT,
    TF_ECN_REQ,
    TF_ECN_SND_CWR,
    TF_ECN_SND_ECE,
    TF_FASTRECOV,
    TF_NEEDFIN,
    TF_NODELAY,
    TF_RCVD_SCALE,
    TF_RCVD_TSTMP,
    TF_REQ_SCALE,
    TF_REQ_TSTMP,
    TF_SACK_PERMIT,
    TF_SAWTSTMP,
    TF_SENTFIN,
    TF_WILL_SACK,
    TS_HZ,
    Tcpcb,
    unroll,
)
from libnet.ioctl.ifflags import IFF_LOOPBACK
from libnet.wire.tcp import (
    HDRLEN,
    MAX_WINSHIFT,
    NO_OPTIONS,
    TCP_HDR,
    TH_ACK,
    TH_CWR,
    TH_ECE,
    TH_FIN,
    TH_PUSH,
    TH_RST,
    TH_SYN,
    TH_URG,
    TSTAMP_HDR,
    Options,
    parse_options,
)

if TYPE_CHECKING:
    from libnet.engine.inet.in_pcb import Inpcb
    from libnet.engine.tcp.tcp_subr import Key, Tcp

_unpack = TCP_HDR.unpack_from
_unpack_ts = Struct("!HHIIBBHHHIII").unpack_from
_HALF: Final = 0x80000000
_NOT_PUSH: Final = 0xFF ^ TH_PUSH
# What keeps a connection off the short way.
_BUSY: Final = TF_FASTRECOV | TF_ECN_PERMIT | TF_ACKNOW
# States in which the usual is usual: data in all but CLOSE_WAIT, where none can follow.
_PREDICTED: Final = frozenset((TCPS_ESTABLISHED, TCPS_FIN_WAIT_2, TCPS_CLOSE_WAIT))
_CE: Final = 0x03
_OFF_TS: Final = 0x80
_OFF_BARE: Final = 0x50


class Segment:
    """A segment on the long way, cut down as it goes to what is new and fits the window.

    m           the packet                  key    its connection
    wseq, wack  the numbers as they came    wwin   the window as it came
    flags       TH_*                        urp    urgent pointer, 0 for none
    data        what it carries             opt    its options
    seq         where data begins, unrolled         dup    whether all of it came before
    """

    __slots__ = (
        "data", "dup", "flags", "key", "m", "opt", "seq", "urp", "wack", "wseq", "wwin",
    )  # fmt: skip

    def __init__(
        self,
        m: Mbuf,
        key: Key,
        wseq: int,
        wack: int,
        flags: int,
        wwin: int,
        urp: int,
        data: bytes,
        opt: Options,
    ) -> None:
        self.m, self.key = m, key
        self.wseq, self.wack, self.flags, self.wwin, self.urp = wseq, wack, flags, wwin, urp
        self.data, self.opt = data, opt
        self.seq = 0
        self.dup = False


class TcpInput:
    """The receiving half of one Tcp."""

    def __init__(self, tcp: Tcp) -> None:
        self.tcp = tcp
        self.stack = tcp.stack
        self.stat = tcp.stat
        self.clock = tcp.stack.clock
        self.table = tcp.table
        self.connected = tcp.table.connected

    # -- every segment

    def input(self, m: Mbuf) -> None:
        """Take a segment that is for us."""
        stat = self.stat
        stat["rcvtotal"] += 1
        data, hlen = m.data, m.hlen
        size = len(data) - hlen
        opt0 = tsval = 0
        if size >= 32:
            (
                sport, dport, wseq, wack, off, flags, wwin, _sum, urp, opt0, tsval, _tsecr,
            ) = _unpack_ts(data, hlen)  # fmt: skip
        elif size >= HDRLEN:
            sport, dport, wseq, wack, off, flags, wwin, _sum, urp = _unpack(data, hlen)
        else:
            self.stack.drop(m, "tcp", "rcvshort")
            return
        src, dst = m.src, m.dst
        if not m.csum_flags & M_CSUM_L4 or self._loopback(m):
            value = int.from_bytes(data[hlen:], "big")
            if size & 1:
                value <<= 8
            # An address is congruent to the sum of its words.
            if (value + src + dst + IPPROTO_TCP + size) % 0xFFFF:
                self.stack.drop(m, "tcp", "rcvbadsum")
                return
        key = (src, sport, dst, dport)
        inp = self.connected.get(key)
        if inp is None:
            seg = self._long(m, key, wseq, wack, off, flags, wwin, urp)
            if seg is not None:
                self._unconnected(seg)
            return
        tp: Tcpcb = inp.ppcb
        tpflags = tp.flags
        if (
            flags & _NOT_PUSH == TH_ACK
            and not tpflags & _BUSY
            and tp.reass is None
            and tp.state in _PREDICTED
        ):
            rcv_nxt = tp.rcv_nxt
            if opt0 == TSTAMP_HDR and off == _OFF_TS and tpflags & TF_RCVD_TSTMP:
                tlen = size - 32
                good = wseq == rcv_nxt & MASK and (tsval - tp.ts_recent) & MASK < _HALF
            else:
                tlen = size - HDRLEN
                good = wseq == rcv_nxt & MASK and off == _OFF_BARE and not tpflags & TF_RCVD_TSTMP
            so = tp.so
            if tlen and good:
                rcv = so.rcv
                good = (tlen <= rcv.hiwat - rcv.cc or tlen <= tp.rcv_adv - rcv_nxt) and not (
                    so.state & SS_CANTRCVMORE or tp.state == TCPS_CLOSE_WAIT
                )
            if good and not so.options & SO_DEBUG:
                una = tp.snd_una
                acked = (wack - una) & MASK
                win = wwin << tp.snd_scale
                if acked:
                    if (
                        acked <= tp.snd_max - una
                        and tp.snd_nxt == tp.snd_max
                        and not tp.rxtshift
                        and (tp.sack is None or not tp.sack.ranges)
                    ):
                        self._predicted_ack(tp, acked, win, tlen)
                        if tlen and not tp.flags & TF_DEAD:
                            self._predicted_data(tp, data[hlen + size - tlen :], tlen, flags, tsval)
                        return
                elif tlen and (win == tp.snd_wnd or tp.snd_max == una):
                    if win != tp.snd_wnd:
                        tp.snd_wnd = win
                        if win > tp.max_sndwnd:
                            tp.max_sndwnd = win
                    tp.snd_wl1, tp.snd_wl2 = rcv_nxt, una
                    stat["preddat"] += 1
                    self._predicted_data(tp, data[hlen + size - tlen :], tlen, flags, tsval)
                    return
        seg = self._long(m, key, wseq, wack, off, flags, wwin, urp)
        if seg is None:
            return
        held = self.tcp.hold()
        try:
            self._segment(tp, seg)
        finally:
            self.tcp.release(held)

    def _long(
        self,
        m: Mbuf,
        key: Key,
        wseq: int,
        wack: int,
        off: int,
        flags: int,
        wwin: int,
        urp: int,
    ) -> Segment | None:
        """Return a segment that goes the long way, None for one with an impossible header length."""
        data, hlen = m.data, m.hlen
        thl = (off >> 4) << 2
        if not HDRLEN <= thl <= len(data) - hlen:
            self.stack.drop(m, "tcp", "rcvbadoff", f"header length {thl}")
            return None
        opt = parse_options(data[hlen + HDRLEN : hlen + thl]) if thl > HDRLEN else NO_OPTIONS
        return Segment(m, key, wseq, wack, flags, wwin, urp, data[hlen + thl :], opt)

    def _loopback(self, m: Mbuf) -> bool:
        """Tell whether the checksum of a segment to ourselves is to be looked at all the same."""
        rcvif = m.rcvif
        assert rcvif is not None
        return bool(rcvif.flags & IFF_LOOPBACK and self.stack.ip.loopback_l4 & M_CSUM_TCPv4)

    # -- the short way

    def _predicted_ack(self, tp: Tcpcb, acked: int, win: int, tlen: int) -> None:
        """Take an ACK of something new when all goes well."""
        stat = self.stat
        stat["predack"] += 1
        stat["rcvackpack"] += 1
        stat["rcvackbyte"] += acked
        now = self.clock.now
        so = tp.so
        snd = so.snd
        una = tp.snd_una + acked
        if tp.rtttime and una > tp.rtseq:
            self.rtt(tp, now - tp.rtttime)
        snd.drop(acked)
        tp.snd_una = una
        tp.dupacks = 0
        tp.rcvtime = now
        tp.cc.newack(tp, acked)
        tp.t_rexmt = now + tp.rxtcur if una < tp.snd_max else 0.0
        tp.snd_wnd = win
        if win > tp.max_sndwnd:
            tp.max_sndwnd = win
        tp.snd_wl1, tp.snd_wl2 = tp.rcv_nxt, una
        if not tlen:
            flight = tp.snd_nxt - una
            unsent = snd.cc - flight
            if unsent > 0:
                # Ask output() only if it can do something: a window's worth of ACKs of data that the
                # peer has not read yet opens nothing.
                cwnd = tp.snd_cwnd
                room = (win if win < cwnd else cwnd) - flight
                if (
                    room >= tp.segsz
                    or not flight
                    or 2 * room >= tp.max_sndwnd
                    or (room >= unsent and tp.flags & TF_NODELAY)
                ):
                    self.tcp.output(tp)
            if so.upcall is not None and snd.hiwat - snd.cc >= snd.lowat:
                so.wakeup()
        elif so.upcall is not None and snd.hiwat - snd.cc >= snd.lowat:
            so.wakeup()

    def _predicted_data(self, tp: Tcpcb, data: bytes, tlen: int, flags: int, tsval: int) -> None:
        """Take the next data when all goes well, and acknowledge every other segment."""
        stat = self.stat
        stat["rcvpack"] += 1
        stat["rcvbyte"] += tlen
        tcp = self.tcp
        tp.rcvtime = now = self.clock.now
        tpflags = tp.flags
        rcv_nxt = tp.rcv_nxt
        if tpflags & TF_RCVD_TSTMP and tp.last_ack_sent >= rcv_nxt:
            tp.ts_recent = tsval
            tp.ts_recent_age = now
        tp.rcv_nxt = rcv_nxt + tlen
        so = tp.so
        so.rcv.append(data)
        # RFC 9293 3.8.6.3: an ACK for every second full-sized segment.
        tp.unacked = unacked = tp.unacked + tlen
        if tpflags & TF_DELACK or unacked >= 2 * tp.segsz or (flags & TH_PUSH and tcp.ack_on_push):
            tp.flags = tpflags | TF_ACKNOW
        else:
            tp.flags = tpflags | TF_DELACK
            tp.t_delack = due = now + tcp.delack_s()
            if due < tp.t_next:
                tcp.timers.arm(tp, due)
        if so.upcall is not None:
            so.wakeup()
            if tp.flags & TF_DEAD:
                return
        if so.snd.cc > tp.snd_nxt - tp.snd_una:
            tcp.output(tp)
        if tp.flags & TF_ACKNOW:
            tcp.out.ack(tp)

    def rtt(self, tp: Tcpcb, sample: float) -> None:
        """Take a round-trip time in seconds (RFC 6298 section 2)."""
        self.stat["rttupdated"] += 1
        srtt = tp.srtt
        if srtt < 0:
            tp.srtt = sample
            tp.rttvar = sample / 2
        else:
            diff = sample - srtt
            tp.srtt = srtt + diff / 8
            tp.rttvar += (abs(diff) - tp.rttvar) / 4
        tp.rtttime = 0.0
        tp.rxtshift = 0
        tp.softerror = ""
        tp.rxtcur = self.tcp.timers.rto(tp)

    # -- no connection

    def _unconnected(self, seg: Segment, floor: int = 0) -> None:
        """Take a segment of no connection: for a listener, or for nobody.

        floor  what our initial number must lie above, 0 for no matter
        """
        tcp, stack, m = self.tcp, self.stack, seg.m
        if m.flags & (M_BCAST | M_MCAST) or m.dst >> 28 == 0xE or not self._unicast(m):
            # RFC 9293 3.10.7.2, RFC 1122 4.2.3.10: never answer what went to many.
            stack.drop(m, "tcp", "bcast", "segment to a broadcast or multicast address")
            return
        self.stat["pcbhashmiss"] += 1
        _src, sport, dst, dport = seg.key
        inp = None
        if dport and sport:
            device = m.rcvif.name if m.rcvif is not None else ""
            inp = self.table.lookup_bind(dst, dport, device)
        if inp is None or inp.ppcb.state != TCPS_LISTEN:
            stack.drop(m, "tcp", "noport", f"port {dport}")
            if seg.flags & TH_SYN and not seg.flags & TH_ACK:
                tcp.refused(seg.key)
            self._refuse(seg)
            return
        held = tcp.hold()
        try:
            self._listen(inp, seg, floor)
        finally:
            tcp.release(held)

    def _refuse(self, seg: Segment) -> None:
        """Answer with a reset."""
        self.tcp.refuse(seg.m, seg.key, seg.wseq, seg.wack, seg.flags, len(seg.data))

    def _unicast(self, m: Mbuf) -> bool:
        if m.dst == MASK or m.src == MASK or not m.src:
            return False
        rcvif = m.rcvif
        assert rcvif is not None
        addrs = self.stack.ip.addrs
        return m.dst in addrs.local or m.dst not in addrs.heard(rcvif)

    def _listen(self, inp: Inpcb, seg: Segment, floor: int) -> None:
        """Take a segment for a listener (RFC 9293 3.10.7.2)."""
        tcp, stat, stack = self.tcp, self.stat, self.stack
        m, key, flags = seg.m, seg.key, seg.flags
        so = inp.socket
        cache = tcp.syn_cache
        if flags & TH_RST:
            cache.reset(key, seg.wseq)
            return
        if flags & TH_ACK:
            if not flags & TH_SYN:
                tp, done = cache.get(key, so, seg.wseq, seg.wack, seg.wwin, seg.opt)
                if tp is not None:
                    self._segment(tp, seg)
                    return
                if done:
                    return
            # An ACK of nothing that we have sent.
            stack.drop(m, "tcp", "badsyn", "ACK for a listener")
            self._refuse(seg)
            return
        if not flags & TH_SYN:
            stack.drop(m, "tcp", "badsyn", "neither SYN nor ACK for a listener")
            return
        if key[0] == key[2] and key[1] == key[3]:
            # It would be a connection with itself ("land").
            stack.drop(m, "tcp", "badsyn", "SYN from its own address and port")
            return
        if so.qlen > so.qlimit:
            stack.drop(m, "tcp", "sc_dropped", "the accept queue is full")
            return
        if so.options & SO_DEBUG:
            tcp.trace("input", TCPS_LISTEN, inp.ppcb, seg.wseq, seg.wack, flags, len(seg.data))
        stat["sc_syns"] += 1
        cache.add(m, key, so, seg.wseq, flags, seg.wwin, seg.opt, floor)

    # -- the long way

    def _segment(self, tp: Tcpcb, seg: Segment) -> None:
        """Take a segment of connection *tp* by the book."""
        so = tp.so
        ostate, flags, tlen = tp.state, seg.flags, len(seg.data)
        if ostate == TCPS_SYN_SENT:
            self._syn_sent(tp, seg)
        else:
            self._process(tp, seg)
        if so.options & SO_DEBUG:
            self.tcp.trace("input", ostate, tp, seg.wseq, seg.wack, flags, tlen)

    def _process(self, tp: Tcpcb, seg: Segment) -> None:
        """Take a segment of a connection that has left SYN_SENT (RFC 9293 3.10.7.4)."""
        tcp, stat, stack, m = self.tcp, self.stat, self.stack, seg.m
        seg.seq = unroll(seg.wseq, tp.rcv_nxt)
        ack = unroll(seg.wack, tp.snd_una)
        rcv = tp.so.rcv
        tp.rcv_wnd = max(rcv.hiwat - rcv.cc, tp.rcv_adv - tp.rcv_nxt, 0)

        # ECN marks count whatever else the segment is (RFC 3168 6.1.3).
        if tp.flags & TF_ECN_PERMIT:
            self._ecn(m, tp, seg.flags)
        if tp.flags & TF_RCVD_TSTMP and not seg.flags & TH_RST and not self._paws(tp, seg):
            return
        # A reset counts only at exactly the next number (RFC 5961 3.2).
        if seg.flags & TH_RST:
            if seg.seq == tp.rcv_nxt:
                self._reset(tp)
            elif tp.rcv_nxt < seg.seq < tp.rcv_nxt + tp.rcv_wnd:
                stack.drop(m, "tcp", "rstinwindow", "reset inside the window")
                tcp.challenge(tp)
            else:
                stack.drop(m, "tcp", "rstoutside", "reset outside the window")
            return
        if seg.flags & TH_SYN and not self._syn(tp, seg):
            return

        first = seg.seq
        if not self._cut_old(tp, seg):
            return
        # RFC 9293 3.10.7.4 with 3.6.1: new data after close have no reader.
        so = tp.so
        if so.state & SS_NOFDREF and tp.state > TCPS_CLOSE_WAIT and seg.data and so.head is None:
            stat["rcvafterclose"] += 1
            tcp.close(tp)
            self._refuse(seg)
            return
        if not self._cut_beyond(tp, seg):
            return

        # RFC 7323 4.3 (3): the timestamp of the segment that the last ACK was about.
        tsval = seg.opt.tsval
        if (
            tp.flags & TF_RCVD_TSTMP
            and tsval is not None
            and first <= tp.last_ack_sent
            and (not tp.flags & TF_SAWTSTMP or (tsval - tp.ts_recent) & MASK < _HALF)
        ):
            tp.flags |= TF_SAWTSTMP
            tp.ts_recent, tp.ts_recent_age = tsval, self.clock.now

        if not seg.flags & TH_ACK:
            stack.drop(m, "tcp", "noack", "no ACK")
            if tp.flags & TF_ACKNOW:
                tcp.out.ack(tp)
            return
        if tp.state == TCPS_SYN_RECEIVED:
            if not tp.snd_una < ack <= tp.snd_max:
                stack.drop(m, "tcp", "badsyn", "ACK of something else than our SYN")
                self._refuse(seg)
                return
            self._established(tp, seg.seq, seg.wwin)
        # RFC 5961 5.2: an ACK of what was never sent, or long ago, may be a blind attack.
        if ack > tp.snd_max:
            stat["rcvacktoomuch"] += 1
            tcp.challenge(tp)
            return
        if ack < tp.snd_una - tp.max_sndwnd:
            stack.drop(m, "tcp", "rcvackold", "ACK below anything that was under way")
            tcp.challenge(tp)
            return
        tp.rcvtime = self.clock.now
        win = seg.wwin << tp.snd_scale
        if self._acks(tp, seg, ack, win):
            return
        self._window(tp, seg.seq, ack, win, len(seg.data))
        self._text(tp, seg.seq, seg.data, seg.flags, seg.urp)

    def _paws(self, tp: Tcpcb, seg: Segment) -> bool:
        """Tell whether the timestamp is there and not of another age (RFC 7323 5.3)."""
        tsval = seg.opt.tsval
        if tsval is None:
            # RFC 7323 3.2: once agreed on, it is on every segment.
            self.stack.drop(seg.m, "tcp", "rcvnots", "no timestamp")
            return False
        if tp.flags & TF_SAWTSTMP and (tsval - tp.ts_recent) & MASK >= _HALF:
            if self.clock.now - tp.ts_recent_age <= PAWS_IDLE:
                self.stat["rcvduppack"] += 1
                self.stat["rcvdupbyte"] += len(seg.data)
                self.stack.drop(seg.m, "tcp", "pawsdrop", "old timestamp")
                self.tcp.challenge(tp)
                return False
            tp.flags &= ~TF_SAWTSTMP
        return True

    def _syn(self, tp: Tcpcb, seg: Segment) -> bool:
        """Take a SYN on a connection; True when the rest of the segment is to be looked at."""
        tcp = self.tcp
        if tp.state == TCPS_SYN_RECEIVED and seg.seq == tp.irs:
            # The other half of a simultaneous open.
            seg.flags &= ~TH_SYN
            seg.seq += 1
            return True
        if (
            tp.state == TCPS_TIME_WAIT
            and not seg.flags & TH_ACK
            and self._reusable(tp, seg.seq, seg.opt)
        ):
            # RFC 9293 3.10.7.4, RFC 6191: a new connection may begin, above the old one.
            floor = tp.snd_max
            tcp.close(tp)
            self._unconnected(seg, floor)
            return False
        # RFC 5961 4.2: whatever its number. A peer that has really restarted answers with a reset that
        # fits.
        self.stack.drop(seg.m, "tcp", "syninwindow", "SYN on a connection")
        tcp.challenge(tp)
        return False

    def _cut_old(self, tp: Tcpcb, seg: Segment) -> bool:
        """Cut off what came before; False when nothing is left to be done."""
        stat = self.stat
        tlen = len(seg.data)
        todrop = tp.rcv_nxt - seg.seq
        if todrop <= 0:
            return True
        fin = seg.flags & TH_FIN
        if todrop > tlen or (todrop == tlen and not fin):
            seg.dup = True
            seg.flags &= ~TH_FIN
            if tlen or todrop == 1 or fin:
                tp.flags |= TF_ACKNOW
            elif todrop > max(tp.rcv_wnd, tp.max_sndwnd):
                # An old ACK that was overtaken needs no answer, one from far off gets it in limits,
                # lest two ends that disagree go on for ever.
                self.tcp.challenge(tp)
                return False
            if fin and tp.state == TCPS_TIME_WAIT:
                # Our ACK of its FIN was lost.
                self.time_wait(tp)
            if tlen:
                stat["rcvduppack"] += 1
                stat["rcvdupbyte"] += tlen
                if tp.flags & TF_SACK_PERMIT:
                    self._dsack(tp, seg.seq, seg.seq + tlen)
            todrop = tlen
        else:
            stat["rcvpartduppack"] += 1
            stat["rcvpartdupbyte"] += todrop
            if tp.flags & TF_SACK_PERMIT:
                self._dsack(tp, seg.seq, tp.rcv_nxt)
        seg.data = seg.data[todrop:]
        seg.seq = tp.rcv_nxt
        if seg.urp > todrop:
            seg.urp -= todrop
        else:
            seg.flags &= ~TH_URG
            seg.urp = 0
        return True

    def _cut_beyond(self, tp: Tcpcb, seg: Segment) -> bool:
        """Cut off what lies beyond the window; False when nothing is left to be done."""
        stat, seq, edge = self.stat, seg.seq, tp.rcv_nxt + tp.rcv_wnd
        tlen = len(seg.data)
        todrop = seq + tlen - edge
        if todrop > 0 or (tlen and seq >= edge):
            stat["rcvpackafterwin"] += 1
            if todrop >= tlen:
                stat["rcvbyteafterwin"] += tlen
                if tp.rcv_wnd or seq != tp.rcv_nxt:
                    self.tcp.challenge(tp)
                    return False
                # A window probe: what it acknowledges counts.
                stat["rcvwinprobe"] += 1
                tp.flags |= TF_ACKNOW
            else:
                stat["rcvbyteafterwin"] += todrop
            seg.data = seg.data[: max(tlen - todrop, 0)]
            seg.flags &= ~(TH_PUSH | TH_FIN)
        elif seg.flags & TH_FIN and seq + tlen > edge:
            seg.flags &= ~TH_FIN
        elif not tlen and seq > edge:
            self.tcp.challenge(tp)
            return False
        return True

    def _ecn(self, m: Mbuf, tp: Tcpcb, flags: int) -> None:
        """Take the marks of routers, and what the peer says of ours (RFC 3168 6.1)."""
        stat = self.stat
        mark = m.tos & _CE
        if flags & TH_CWR:
            tp.flags &= ~TF_ECN_SND_ECE
        if mark == _CE:
            stat["ecn_ce"] += 1
            tp.flags |= TF_ECN_SND_ECE
        elif mark == 2:
            stat["ecn_ect"] += 1
        if flags & TH_ECE and not flags & TH_SYN and tp.state >= TCPS_ESTABLISHED:
            ack = tp.snd_una
            # Once a window is enough.
            if ack >= tp.ecn_recover and not tp.flags & TF_FASTRECOV and tp.snd_max > ack:
                tp.ecn_recover = tp.snd_max
                tp.cc.lost(tp)
                tp.snd_cwnd = tp.snd_ssthresh
                tp.flags |= TF_ECN_SND_CWR

    def _reset(self, tp: Tcpcb) -> None:
        """Take a reset that fits."""
        tcp, stat = self.tcp, self.stat
        state = tp.state
        so = tp.so
        if state == TCPS_SYN_RECEIVED:
            stat["drops"] += 1
            so.error = "ECONNREFUSED"
        elif state in (
            TCPS_ESTABLISHED, TCPS_FIN_WAIT_1, TCPS_FIN_WAIT_2, TCPS_CLOSE_WAIT,
        ):  # fmt: skip
            stat["drops"] += 1
            so.error = "ECONNRESET"
        elif state == TCPS_TIME_WAIT:
            # RFC 1337: let nobody shorten it.
            stat["timewaitrst"] += 1
            return
        tcp.close(tp)

    def _reusable(self, tp: Tcpcb, seq: int, opt: Options) -> bool:
        """Tell whether a SYN in TIME_WAIT cannot be an old one."""
        if tp.flags & TF_RCVD_TSTMP and opt.tsval is not None:
            delta = (opt.tsval - tp.ts_recent) & MASK
            if 0 < delta < _HALF:
                return True
            if delta:
                return False
        return seq > tp.rcv_nxt

    def _dsack(self, tp: Tcpcb, start: int, end: int) -> None:
        """Report a duplicate with the next ACK (RFC 2883)."""
        if tp.reass is None:
            tp.reass = Reass()
        tp.reass.dsack = start, end
        tp.flags |= TF_ACKNOW

    # -- opening

    def _syn_sent(self, tp: Tcpcb, seg: Segment) -> None:
        """Take the answer to our SYN, or a SYN that has crossed it (RFC 9293 3.10.7.3)."""
        tcp, stat = self.tcp, self.stat
        now = self.clock.now
        wseq, flags, opt = seg.wseq, seg.flags, seg.opt
        ack = unroll(seg.wack, tp.snd_una)
        if flags & TH_ACK and not tp.iss < ack <= tp.snd_max:
            self.stack.drop(seg.m, "tcp", "badsyn", "ACK of something else than our SYN")
            self._refuse(seg)
            return
        if flags & TH_RST:
            if flags & TH_ACK:
                tcp.drop(tp, "ECONNREFUSED")
            return
        if not flags & TH_SYN:
            return
        so = tp.so
        tp.irs = wseq
        tp.rcv_nxt = tp.rcv_up = tp.rcv_adv = tp.last_ack_sent = wseq + 1
        tp.rcvtime = now
        # What both sides do.
        if opt.wscale is not None and tp.flags & TF_REQ_SCALE:
            tp.flags |= TF_RCVD_SCALE
            tp.requested_s_scale = tp.snd_scale = min(opt.wscale, MAX_WINSHIFT)
            tp.rcv_scale = tp.request_r_scale
        if opt.tsval is not None and tp.flags & TF_REQ_TSTMP:
            tp.flags |= TF_RCVD_TSTMP | TF_SAWTSTMP
            tp.ts_recent, tp.ts_recent_age = opt.tsval, now
        if opt.sackok and tp.flags & TF_WILL_SACK:
            tp.flags |= TF_SACK_PERMIT
        if tp.flags & TF_ECN_REQ:
            want = TH_ECE if flags & TH_ACK else TH_ECE | TH_CWR
            if flags & (TH_ECE | TH_CWR) == want:
                tp.flags |= TF_ECN_PERMIT
                stat["ecn_shs"] += 1
        tcp.mss_from_peer(tp, opt.mss)
        tp.snd_wnd = tp.max_sndwnd = seg.wwin  # RFC 7323 2.2: never scaled in a SYN
        tp.snd_wl1, tp.snd_wl2 = wseq, ack if flags & TH_ACK else tp.iss
        if not flags & TH_ACK:
            # Both have opened at once: RFC 9293 3.5, figure 7.
            tp.state = TCPS_SYN_RECEIVED
            tp.t_rexmt = 0.0
            tcp.output(tp)
            return
        if tp.rtttime:
            self.rtt(tp, now - tp.rtttime)
        tp.t_rexmt = 0.0
        tp.snd_una = tp.snd_up = ack
        tp.snd_nxt = tp.snd_max
        tp.snd_recover = tp.ecn_recover = ack
        tp.flags |= TF_ACKNOW
        self._open(tp)
        data = seg.data
        if data or flags & TH_FIN:
            room = so.rcv.hiwat - so.rcv.cc
            if len(data) > room:
                data, flags = data[:room], flags & ~TH_FIN
            self._text(tp, wseq + 1, data, flags, max(0, seg.urp - 1))
        else:
            tcp.output(tp)

    def _open(self, tp: Tcpcb) -> None:
        """Enter ESTABLISHED, or what comes after it when the user has closed already."""
        tcp = self.tcp
        so = tp.so
        self.stat["connects"] += 1
        tp.state = TCPS_ESTABLISHED
        tcp.cwnd_init(tp)
        tp.rxtshift = 0
        tp.rxtcur = tcp.timers.rto(tp)
        tp.t_keep = tcp.timers.keep_due(tp)
        tcp.timers.arm(tp, tp.t_keep)
        so.isconnected()
        if tp.flags & TF_NEEDFIN or so.state & SS_CANTSENDMORE:
            tp.flags &= ~TF_NEEDFIN
            tp.state = TCPS_FIN_WAIT_1

    def _established(self, tp: Tcpcb, seq: int, wwin: int) -> None:
        """Enter ESTABLISHED from SYN_RECEIVED: our SYN has been acknowledged."""
        if tp.flags & (TF_REQ_SCALE | TF_RCVD_SCALE) == TF_REQ_SCALE | TF_RCVD_SCALE:
            tp.snd_scale = tp.requested_s_scale
            tp.rcv_scale = tp.request_r_scale
        tp.snd_una = tp.snd_up = tp.snd_recover = tp.ecn_recover = tp.iss + 1
        tp.snd_nxt = max(tp.snd_nxt, tp.snd_una)
        tp.t_rexmt = 0.0
        if tp.rtttime:
            self.rtt(tp, self.clock.now - tp.rtttime)
        tp.snd_wl1, tp.snd_wl2 = seq - 1, tp.snd_una
        tp.snd_wnd = wwin << tp.snd_scale
        tp.max_sndwnd = max(tp.max_sndwnd, tp.snd_wnd)
        self._open(tp)

    # -- the ACK field

    def _acks(self, tp: Tcpcb, seg: Segment, ack: int, win: int) -> bool:
        """Take the ACK field; True when nothing is left to be done with the segment."""
        tcp, stat, opt = self.tcp, self.stat, seg.opt
        fresh = 0
        if opt.sack and tp.flags & TF_SACK_PERMIT and tp.snd_max > tp.snd_una:
            if tp.sack is None:
                tp.sack = Scoreboard(tcp)
            una = max(ack, tp.snd_una)
            blocks = [(unroll(left, una), unroll(right, una)) for left, right in opt.sack]
            fresh = tp.sack.update(blocks, una, tp.snd_max)
        if ack <= tp.snd_una:
            if ack == tp.snd_una and tp.t_rexmt and not seg.flags & TH_FIN:
                sacked = tp.flags & TF_SACK_PERMIT
                if fresh or (not seg.data and win == tp.snd_wnd and not seg.dup):
                    if not seg.data:
                        stat["rcvdupack"] += 1
                    if not sacked or fresh or tp.flags & TF_FASTRECOV or tp.sack is None:
                        self._dupack(tp, fresh)
                    return bool(tp.flags & TF_DEAD)
            return False
        return self._newack(tp, ack, opt)

    def _dupack(self, tp: Tcpcb, fresh: int) -> None:
        """Take a duplicate ACK: a segment has left the network, and one before it may be lost."""
        tcp, out = self.tcp, self.tcp.out
        tp.dupacks += 1
        seg = tp.segsz
        board = tp.sack if tp.flags & TF_SACK_PERMIT else None
        una = tp.snd_una
        if tp.flags & TF_FASTRECOV:
            if board is None:
                tp.snd_cwnd += seg
            tcp.output(tp)
            return
        lost = board is not None and board.lost_edge(una, seg) > una
        if una < tp.snd_recover:
            # RFC 6582 3.2 (2), 4.1: these answer what was sent again, not a new loss.
            return
        if tp.dupacks < DUPTHRESH and not lost:
            # RFC 3042: a new segment for each of the first two.
            if tp.snd_nxt < tp.snd_max:
                return
            saved = tp.snd_cwnd
            tp.snd_cwnd = grown = saved + tp.dupacks * seg
            tcp.output(tp)
            if tp.snd_cwnd == grown:
                tp.snd_cwnd = saved
            return
        tp.cc.lost(tp)
        tp.snd_recover = tp.snd_max
        tp.ecn_recover = tp.snd_max
        tp.flags |= TF_FASTRECOV
        if tp.flags & TF_ECN_PERMIT:
            tp.flags |= TF_ECN_SND_CWR
        tp.rtttime = 0.0
        tp.t_rexmt = self.clock.now + tp.rxtcur
        self.stat["fastrexmit"] += 1
        route, room = out.segsize(tp)
        if board is not None:
            start, end = board.hole(una, tp.snd_max)
            size = min(room, end - start)
            board.high_rxt = start
            board.rescued = False
            tp.snd_cwnd = tp.snd_ssthresh
            if out.resend(tp, start, size, room, route):
                board.high_rxt = start + size
        else:
            out.resend(tp, una, room, room, route)
            tp.snd_cwnd = tp.snd_ssthresh + tp.dupacks * seg
        tcp.output(tp)

    def _newack(self, tp: Tcpcb, ack: int, opt: Options) -> bool:
        """Take an ACK of something new; True when the connection is over."""
        tcp, stat = self.tcp, self.stat
        now = self.clock.now
        so = tp.so
        snd = so.snd
        acked = ack - tp.snd_una
        stat["rcvackpack"] += 1
        stat["rcvackbyte"] += acked
        if tp.rtttime and ack > tp.rtseq:
            self.rtt(tp, now - tp.rtttime)
        elif not tp.rtttime and tp.flags & TF_RCVD_TSTMP and opt.tsecr:
            # RFC 7323 4.1: the echo tells which of several copies was answered.
            ticks = (int(now * TS_HZ) + tp.ts_base - opt.tsecr) & MASK
            if ticks < _HALF:
                self.rtt(tp, ticks / TS_HZ)
        # There is progress: count timeouts afresh. The timeout itself stays backed off until something
        # is timed (Karn's rule, RFC 6298 section 5).
        tp.rxtshift = 0
        if tp.sack is not None:
            tp.sack.advance(ack)
        partial = False
        if tp.flags & TF_FASTRECOV:
            if ack < tp.snd_recover and (tp.cc.partial or tp.flags & TF_SACK_PERMIT):
                partial = True
            else:
                tp.flags &= ~TF_FASTRECOV
                seg = tp.segsz
                if tp.flags & TF_SACK_PERMIT:
                    tp.snd_cwnd = tp.snd_ssthresh
                else:
                    # RFC 6582 3.2 (3): avoid a burst.
                    flight = max(tp.snd_max - ack, seg)
                    tp.snd_cwnd = min(tp.snd_ssthresh, flight + seg)
                tp.dupacks = 0
        else:
            tp.dupacks = 0
            tp.cc.newack(tp, acked)
        finacked = False
        if acked > snd.cc:
            finacked = bool(tp.flags & TF_SENTFIN)
            tp.snd_wnd -= min(tp.snd_wnd, snd.cc)
            snd.flush()
        else:
            snd.drop(acked)
            tp.snd_wnd -= min(tp.snd_wnd, acked)
        tp.snd_una = ack
        if tp.snd_nxt < ack:
            tp.snd_nxt = ack
        if tp.snd_up < ack:
            tp.snd_up = ack
        if ack >= tp.snd_max:
            tp.t_rexmt = 0.0
        elif not tp.t_persist:
            tp.t_rexmt = now + tp.rxtcur
            if tp.t_rexmt < tp.t_next:
                tcp.timers.arm(tp, tp.t_rexmt)
        if snd.hiwat - snd.cc >= snd.lowat:
            so.wakeup()
        if partial and not tp.flags & TF_SACK_PERMIT:
            # RFC 6582 3.2 (4): the next hole, and a window that shrinks by what has left.
            seg = tp.segsz
            route, room = tcp.out.segsize(tp)
            tcp.out.resend(tp, ack, room, room, route)
            tp.snd_cwnd = max(tp.snd_cwnd - acked + (seg if acked >= seg else 0), seg)
        return self._closing(tp, finacked)

    def _closing(self, tp: Tcpcb, finacked: bool) -> bool:
        """Move on in the closing states; True when the connection is over."""
        tcp = self.tcp
        state = tp.state
        if state == TCPS_FIN_WAIT_1:
            if finacked:
                tp.state = TCPS_FIN_WAIT_2
                tcp.usr.fin_wait_2(tp)
        elif state == TCPS_CLOSING:
            if finacked:
                self.time_wait(tp)
        elif state == TCPS_LAST_ACK:
            if finacked:
                tcp.close(tp)
                return True
        elif state == TCPS_TIME_WAIT:
            self.time_wait(tp)
        return False

    def time_wait(self, tp: Tcpcb) -> None:
        """Wait for twice the life of a segment (RFC 9293 3.6)."""
        tp.state = TCPS_TIME_WAIT
        self.tcp.timers.cancel(tp)
        tp.t_2msl = self.clock.now + 2 * MSL
        self.tcp.timers.arm(tp, tp.t_2msl)
        tp.so.isdisconnected()

    def _window(self, tp: Tcpcb, seq: int, ack: int, win: int, tlen: int) -> None:
        """Take the window if the segment is not older than the one it was last taken from."""
        wl1, wl2 = tp.snd_wl1, tp.snd_wl2
        if wl1 < seq or (wl1 == seq and wl2 <= ack):
            if not tlen and wl2 == ack and win > tp.snd_wnd:
                self.stat["rcvwinupd"] += 1
            tp.snd_wnd = win
            tp.snd_wl1, tp.snd_wl2 = seq, ack
            if win > tp.max_sndwnd:
                tp.max_sndwnd = win

    # -- data

    def _text(self, tp: Tcpcb, seq: int, data: bytes, flags: int, urp: int) -> None:
        """Take urgent pointer, data and FIN, and send what is due."""
        tcp, stat = self.tcp, self.stat
        so = tp.so
        tlen = len(data)
        open_in = tp.state not in HAVERCVDFIN
        if flags & TH_URG and urp and open_in:
            self._urgent(tp, seq + urp)
        elif tp.rcv_nxt > tp.rcv_up:
            tp.rcv_up = tp.rcv_nxt
        fin = flags & TH_FIN
        if (tlen or fin) and open_in:
            reass = tp.reass
            if seq == tp.rcv_nxt and (reass is None or (not reass.runs and reass.fin is None)):
                if tlen:
                    self._delack(tp, tlen, flags)
                    stat["rcvpack"] += 1
                    stat["rcvbyte"] += tlen
                    self._deliver(tp, seq, data)
                    tp.rcv_nxt = seq + tlen
                    so.wakeup()
            else:
                fin = self._reassemble(tp, seq, data, fin)
            if fin:
                self._fin(tp)
        if tp.flags & TF_DEAD:
            return
        if (
            tp.flags & (TF_ACKNOW | TF_FASTRECOV)
            or so.snd.cc > tp.snd_nxt - tp.snd_una
            or tp.state in (TCPS_FIN_WAIT_1, TCPS_LAST_ACK, TCPS_CLOSING)
        ):
            tcp.output(tp)

    def _delack(self, tp: Tcpcb, tlen: int, flags: int) -> None:
        tp.unacked += tlen
        if (
            tp.flags & TF_DELACK
            or tp.unacked >= 2 * tp.segsz
            or (flags & TH_PUSH and self.tcp.ack_on_push)
        ):
            tp.flags |= TF_ACKNOW
        else:
            tp.flags |= TF_DELACK
            tp.t_delack = self.clock.now + self.tcp.delack_s()
            self.tcp.timers.arm(tp, tp.t_delack)

    def _deliver(self, tp: Tcpcb, seq: int, data: bytes) -> None:
        """Give *data*, which continue the stream, to the reader, the urgent octet apart."""
        so = tp.so
        mark = tp.rcv_up - 1 - seq
        if 0 <= mark < len(data) and not so.options & SO_OOBINLINE:
            if not tp.oobflags & (TCPOOB_HAVEDATA | TCPOOB_HADDATA):
                tp.iobc = data[mark]
                tp.oobflags |= TCPOOB_HAVEDATA
            data = data[:mark] + data[mark + 1 :]
        if not so.state & SS_CANTRCVMORE:
            so.rcv.append(data)

    def _reassemble(self, tp: Tcpcb, seq: int, data: bytes, fin: int) -> int:
        """Keep data that came early, deliver what has become due; return whether the FIN is due."""
        stat = self.stat
        if tp.reass is None:
            tp.reass = Reass()
        reass = tp.reass
        end = seq + len(data)
        if seq != tp.rcv_nxt and data:
            stat["rcvoopack"] += 1
            stat["rcvoobyte"] += len(data)
        elif data:
            stat["rcvpack"] += 1
            stat["rcvbyte"] += len(data)
        # RFC 5681 4.2: what comes out of order, or fills a hole, is acknowledged at once.
        tp.flags |= TF_ACKNOW
        if data:
            if seq == tp.rcv_nxt:
                # Never refused: it is what makes room.
                self._deliver(tp, seq, data)
                tp.rcv_nxt = end
            else:
                before = reass.cc
                if not reass.insert(seq, data):
                    stat["rcvmemdrop"] += 1
                    return 0
                if reass.cc == before and tp.flags & TF_SACK_PERMIT:
                    reass.dsack = seq, end
        if fin:
            reass.fin = end
        for chunk in reass.pull(tp.rcv_nxt):
            self._deliver(tp, tp.rcv_nxt, chunk)
            tp.rcv_nxt += len(chunk)
        due = int(reass.fin is not None and reass.fin <= tp.rcv_nxt)
        if due:
            reass.fin = None
        if reass.idle:
            tp.reass = None
        tp.so.wakeup()
        return due

    def _urgent(self, tp: Tcpcb, up: int) -> None:
        """Take an urgent pointer: mark where the octet before it will be in the stream."""
        so = tp.so
        if up - tp.rcv_nxt + so.rcv.cc > self.stack.sbmax:
            return
        if up > tp.rcv_up:
            tp.rcv_up = up
            so.oobmark = max(0, so.rcv.cc + up - tp.rcv_nxt - 1)
            if not so.oobmark:
                so.state |= SS_RCVATMARK
            tp.oobflags &= ~(TCPOOB_HAVEDATA | TCPOOB_HADDATA)
            so.wakeup()

    def _fin(self, tp: Tcpcb) -> None:
        """Take a FIN that is due (RFC 9293 3.10.7.4, eighth)."""
        so = tp.so
        tp.rcv_nxt += 1
        tp.flags |= TF_ACKNOW
        if tp.reass is not None:
            tp.reass = None
        so.cantrcvmore()
        state = tp.state
        if state in (TCPS_SYN_RECEIVED, TCPS_ESTABLISHED):
            tp.state = TCPS_CLOSE_WAIT
        elif state == TCPS_FIN_WAIT_1:
            tp.state = TCPS_CLOSING
        elif state == TCPS_FIN_WAIT_2:
            self.time_wait(tp)
