"""tcp_output: what to send now (RFC 9293 section 3.8, RFC 1122 4.2.3.4, RFC 5681, RFC 6675).

Data leave as super-segments of up to 64 KB with gso_size set; ip_output cuts them unless the interface
takes them whole. The transport checksum field holds the pseudo-header sum, as in udp_usrreq.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Final

from libnet.engine.inet.ip_var import IP_MTUDISC, IP_ROUTETOIF, NeedFrag
from libnet.engine.kern.mbuf import M_CSUM_TCPv4, Mbuf
from libnet.engine.kern.socket import SO_DEBUG, SO_DONTROUTE
from libnet.engine.tcp.tcp_congctl import initial_window
from libnet.engine.tcp.tcp_var import (
    BACKOFF,
    IPPROTO_TCP,
    MASK,
    MAXRXTSHIFT,
    OUTFLAGS,
    PERSIST_MAX,
    PERSIST_MIN,
    RTO_INIT,
    TCP_HDRLEN,
    TCP_MAXWIN,
    TCP_MINMSS,
    TCPS_ESTABLISHED,
    TCPS_SYN_RECEIVED,
    TCPS_SYN_SENT,
    TF_ACKNOW,
    TF_DEAD,
    TF_DELACK,
    TF_ECN_PERMIT,
    TF_ECN_REQ,
    TF_ECN_SND_CWR,
    TF_ECN_SND_ECE,
    TF_FASTRECOV,
    TF_NODELAY,
    TF_NODF,
    TF_NOOPT,
    TF_RCVD_TSTMP,
    TF_REQ_SCALE,
    TF_REQ_TSTMP,
    TF_SACK_PERMIT,
    TF_SENTFIN,
    TF_WILL_SACK,
    TS_G,
    TS_HZ,
    Tcpcb,
)
from libnet.errors import NetError
from libnet.wire.ipv4 import IP_MAXPACKET
from libnet.wire.tcp import (
    TCP_HDR,
    TH_ACK,
    TH_CWR,
    TH_ECE,
    TH_FIN,
    TH_PUSH,
    TH_URG,
    TSTAMP_HDR,
    Options,
    build_options,
)

if TYPE_CHECKING:
    from libnet.engine.route.table import Rtentry
    from libnet.engine.tcp.tcp_subr import Tcp

_pack = TCP_HDR.pack
_pack_ts = Struct("!HHIIBBHHHIII").pack
_sack_block = Struct("!II").pack
_SACKHDR: Final = 0x01010500
_SACK_BITS: Final = TF_SACK_PERMIT | TF_FASTRECOV
_TSTAMP_LEN: Final = 12
_MAX_PERSIST_SHIFT: Final = MAXRXTSHIFT
ECT0: Final = 0x02
_GSO_MAX: Final = IP_MAXPACKET - 120  # headers with all options
_HEADERS: Final = 40  # of IPv4 and TCP, no options
_SOFT: Final = frozenset(("EHOSTUNREACH", "ENETDOWN", "EHOSTDOWN", "ENETUNREACH"))


class TcpOutput:
    """The sending half of one Tcp."""

    def __init__(self, tcp: Tcp) -> None:
        self.tcp = tcp
        self.stack = tcp.stack
        self.stat = tcp.stat
        self.clock = tcp.stack.clock

    # -- what to send

    def output(self, tp: Tcpcb, force: bool = False) -> str:
        """Send what may be sent now; return the symbol of an error that the caller should hear of.

        force  send an octet into a closed window (the persist timer)
        """
        state = tp.state
        if state < TCPS_ESTABLISHED:
            if state in (TCPS_SYN_SENT, TCPS_SYN_RECEIVED):
                return self.syn(tp)
            return ""
        so = tp.so
        snd = so.snd
        una = tp.snd_una
        idle = tp.snd_max == una
        if idle and snd.cc:
            self._after_idle(tp)
        route, room = self.segsize(tp)
        tries = 2  # to fit a path that is narrower than was thought
        error = ""
        while True:
            flags = OUTFLAGS[state]
            cc = snd.cc
            nxt = tp.snd_nxt
            if nxt < una:
                nxt = tp.snd_nxt = una
            wnd = tp.snd_wnd
            win = min(wnd, tp.snd_cwnd)
            if tp.flags & _SACK_BITS == _SACK_BITS:
                if nxt < tp.snd_max:
                    nxt = tp.snd_nxt = tp.snd_max
                win = self._repair(tp, room, route)
            if force:
                if not win:
                    win = 1
                    if cc:
                        flags &= ~TH_FIN
                else:
                    tp.t_persist = 0.0
                    tp.rxtshift = 0
            off = nxt - una
            length = min(cc, win) - off
            if length < 0:
                length = 0
                if not wnd and off and cc:
                    # The peer took its window back: what is under way may be lost, so wait.
                    tp.t_rexmt = 0.0
                    tp.rxtshift = 0
                    tp.snd_nxt = nxt = una
                    off = 0
                    if not tp.t_persist:
                        self.setpersist(tp)
            whole = off + length == cc
            gso = 0
            again = False
            if length > room:
                # RFC 9293 3.7.5: an urgent pointer belongs to one segment.
                most = room if tp.snd_up > una else _GSO_MAX - _GSO_MAX % room
                # The tail goes along if nothing would hold it back.
                if length <= most and whole and (idle or tp.flags & TF_NODELAY or flags & TH_FIN):
                    pass
                else:
                    again = length > most or length % room != 0
                    length = min(length - length % room, most)
                    whole = off + length == cc
                if length > room:
                    gso = room
            if not whole:
                flags &= ~TH_FIN
                if 0 < length < room and not self._worth_data(tp, length, force, nxt):
                    length = 0  # what the window cuts off is not worth a segment, an ACK may be
            if not self._worth(tp, length, whole, idle, force, room, flags, nxt):
                if cc and not tp.t_rexmt and not tp.t_persist:
                    # Something waits and nothing will wake it: probe until the window opens.
                    tp.rxtshift = 0
                    self.setpersist(tp)
                return error
            if not length and not flags & TH_FIN:
                nxt = tp.snd_max
            error = self._segment(tp, nxt, off, length, flags, gso, route, force)
            if error == "EMSGSIZE" and tries:
                tries -= 1
                route, room = self.segsize(tp)
                continue
            if error or tp.flags & TF_DEAD:
                return error
            if not again:
                if cc and not tp.t_rexmt and not tp.t_persist:
                    # An ACK left, but the data behind it wait for the window all the same.
                    tp.rxtshift = 0
                    self.setpersist(tp)
                return ""
            force = False

    def _after_idle(self, tp: Tcpcb) -> None:
        """Shrink the window of a connection that has been silent (RFC 5681 4.1, cwm)."""
        tcp = self.tcp
        if tcp.cwm:
            limit = tcp.cwm_burstsize * tp.segsz
            if tp.snd_cwnd > limit:
                tp.snd_cwnd = limit
        elif tp.sndtime and self.clock.now - tp.sndtime >= tp.rxtcur:
            window = initial_window(tcp, tp.segsz, local=tcp.is_local(tp))
            if tp.snd_cwnd > window:
                tp.snd_cwnd = window
            tp.cc.idle(tp)

    def _worth(
        self,
        tp: Tcpcb,
        length: int,
        whole: bool,
        idle: bool,
        force: bool,
        room: int,
        flags: int,
        nxt: int,
    ) -> bool:
        """Tell whether a segment should leave now: silly window avoidance and Nagle's rule."""
        if length:
            if length >= room or self._worth_data(tp, length, force, nxt):
                return True
            if whole and (idle or tp.flags & TF_NODELAY):
                return True
        if tp.flags & TF_ACKNOW:
            return True
        if flags & TH_FIN and (not tp.flags & TF_SENTFIN or nxt == tp.snd_una):
            return True
        return self.want_update(tp)

    @staticmethod
    def _worth_data(tp: Tcpcb, length: int, force: bool, nxt: int) -> bool:
        """Tell whether less than a segment should leave although there is more."""
        if force or nxt < tp.snd_max or 2 * length >= tp.max_sndwnd > 0:
            return True
        return tp.snd_una < tp.snd_up >= nxt

    def want_update(self, tp: Tcpcb) -> bool:
        """Tell whether the peer should hear that there is room again (RFC 9293 3.8.6.2.2)."""
        rcv = tp.so.rcv
        space = rcv.hiwat - rcv.cc
        if space <= 0:
            return False
        limit = TCP_MAXWIN << tp.rcv_scale
        more = (space if space < limit else limit) - (tp.rcv_adv - tp.rcv_nxt)
        if more <= 0:
            return False
        return bool(more >= 2 * tp.ourmss or 2 * more >= rcv.hiwat)

    # -- repairing a loss with SACK (RFC 6675 section 5)

    def _repair(self, tp: Tcpcb, room: int, route: Rtentry | None) -> int:
        """Send again what is lost, as far as the window allows; return the window for new data."""
        board = tp.sack
        una, top = tp.snd_una, tp.snd_max
        if board is None:
            return min(tp.snd_wnd, tp.snd_cwnd)
        seg = room
        edge = board.lost_edge(una, seg)
        pipe = board.pipe(una, top, edge)
        cwnd = tp.snd_cwnd
        while cwnd - pipe >= seg:
            low = max(una, board.high_rxt)
            # Rule 1: what is lost.
            start, end = board.hole(low, min(edge, board.top))
            if start >= end:
                break
            size = min(end - start, seg)
            if not self.resend(tp, start, size, room, route):
                break
            board.high_rxt = start + size
            pipe += size
        allowed = max(0, cwnd - pipe)
        # Rule 2 is the caller's: new data come before what is only suspected to be lost.
        fresh = una + tp.so.snd.cc - top
        if allowed >= seg and (fresh <= 0 or top - una >= tp.snd_wnd):
            low = max(una, board.high_rxt)
            start, end = board.hole(low, board.top)
            if start < end:
                size = min(end - start, seg)
                if self.resend(tp, start, size, room, route):
                    board.high_rxt = start + size
            elif not board.rescued and board.ranges and board.top < top:
                # Rule 4: the last segment may be lost too, and nothing would tell.
                board.rescued = True
                start = max(board.top, top - seg)
                self.resend(tp, start, top - start, room, route)
        return min(tp.snd_wnd, top - una + allowed)

    def resend(
        self, tp: Tcpcb, seq: int, size: int, room: int, route: Rtentry | None = None
    ) -> bool:
        """Send [seq, seq + size) again, at most a segment; False when it could not leave."""
        cc = tp.so.snd.cc
        off = seq - tp.snd_una
        length = max(0, min(size, room, cc - off))
        flags = TH_ACK
        if off + length >= cc and tp.flags & TF_SENTFIN and OUTFLAGS[tp.state] & TH_FIN:
            flags |= TH_FIN
        return not self._segment(tp, seq, off, length, flags, 0, route, False)

    # -- segments

    def segsize(self, tp: Tcpcb) -> tuple[Rtentry | None, int]:
        """Return the route, and the octets of data that fit in a segment now (tcp_segsize)."""
        inp = tp.inp
        route = self.stack.route.rtalloc(inp.faddr)
        if route is not None:
            size = (route.mtu or route.ifp.mtu) - _HEADERS
        else:
            size = self.tcp.mssdflt
        if size > tp.peermss:
            size = tp.peermss
        if inp.opts is not None:
            size -= len(inp.opts.data) + 3 & ~3
        tp.segsz = size if size > TCP_MINMSS else TCP_MINMSS
        if tp.flags & TF_RCVD_TSTMP:
            size -= _TSTAMP_LEN
        reass = tp.reass
        if reass is not None and tp.flags & TF_SACK_PERMIT:
            size -= 4 + 8 * min(3, len(reass.runs) + (reass.dsack is not None))
        return route, size if size > 8 else 8

    def window(self, tp: Tcpcb) -> int:
        """Return the window to tell, in octets: never less than was told (RFC 9293 3.8.6)."""
        rcv = tp.so.rcv
        hiwat = rcv.hiwat
        win = hiwat - rcv.cc
        if win < tp.ourmss and win < hiwat >> 2:
            win = 0  # too little to be worth a segment
        told = tp.rcv_adv - tp.rcv_nxt
        if win < told:
            win = told
        limit = TCP_MAXWIN << tp.rcv_scale
        return limit if win > limit else win

    def _segment(
        self,
        tp: Tcpcb,
        seq: int,
        off: int,
        length: int,
        flags: int,
        gso: int,
        route: Rtentry | None,
        force: bool,
    ) -> str:
        """Build a segment at *seq* with *length* octets from *off* of the send buffer, and send it."""
        so = tp.so
        inp = tp.inp
        stat = self.stat
        now = self.clock.now
        snd = so.snd
        tpflags = tp.flags
        top = tp.snd_max
        data = b""
        tos = inp.tos
        if length:
            data = snd.peek(off, length)
            if force and length == 1:
                stat["sndprobe"] += 1
            elif seq < top:
                stat["sndrexmitpack"] += (length - 1) // gso + 1 if gso else 1
                stat["sndrexmitbyte"] += length
            else:
                stat["sndpack"] += (length - 1) // gso + 1 if gso else 1
                stat["sndbyte"] += length
            if off + length == snd.cc:
                flags |= TH_PUSH
            if tpflags & TF_ECN_PERMIT and seq >= top and not force:
                # RFC 3168 6.1.5: never on what is sent again, nor on a window probe.
                tos |= ECT0
                if tpflags & TF_ECN_SND_CWR:
                    flags |= TH_CWR
                    tp.flags &= ~TF_ECN_SND_CWR
        elif flags & TH_FIN:
            stat["sndctrl"] += 1
        elif tp.snd_up > tp.snd_una and tpflags & TF_ACKNOW == 0:
            stat["sndurg"] += 1
        elif tpflags & TF_ACKNOW:
            stat["sndacks"] += 1
        else:
            stat["sndwinup"] += 1
        if tpflags & TF_ECN_SND_ECE and tpflags & TF_ECN_PERMIT:
            flags |= TH_ECE
        win = self.window(tp)
        urp = 0
        if tp.snd_up > seq:
            urp = tp.snd_up - seq
            if urp > 65535:
                urp = 65535
            flags |= TH_URG
        end = seq + length
        if flags & TH_FIN:
            tp.flags |= TF_SENTFIN
            end += 1
        opt = self._sack_option(tp) if tp.reass is not None else b""
        tlen = TCP_HDRLEN + len(opt) + length
        laddr, faddr = inp.laddr, inp.faddr
        if tpflags & TF_RCVD_TSTMP:
            tlen += _TSTAMP_LEN
            head = _pack_ts(
                inp.lport,
                inp.fport,
                seq & MASK,
                tp.rcv_nxt & MASK,
                0x80 + (len(opt) << 2),
                flags,
                win >> tp.rcv_scale,
                tp.table.pseudo(laddr, faddr, tlen),
                urp,
                TSTAMP_HDR,
                int(now * TS_HZ) + tp.ts_base & MASK,
                tp.ts_recent,
            )
        else:
            head = _pack(
                inp.lport,
                inp.fport,
                seq & MASK,
                tp.rcv_nxt & MASK,
                0x50 + (len(opt) << 2),
                flags,
                win >> tp.rcv_scale,
                tp.table.pseudo(laddr, faddr, tlen),
                urp,
            )
        m = Mbuf(head + opt + data)
        m.csum_flags = M_CSUM_TCPv4
        m.gso_size = gso
        m.tos = tos

        # Timers and numbers, before anything can come back.
        if end > seq:
            if end > top:
                tp.snd_max = end
            if not force or not tp.t_persist:
                if end > tp.snd_nxt:
                    tp.snd_nxt = end
                if end > top and not tp.rtttime:
                    tp.rtttime = now or TS_G
                    tp.rtseq = seq if seq > top else top
                    stat["segstimed"] += 1
                if not tp.t_rexmt:
                    if tp.t_persist:
                        tp.t_persist = 0.0
                        tp.rxtshift = 0
                    tp.t_rexmt = due = now + tp.rxtcur
                    if due < tp.t_next:
                        self.tcp.timers.arm(tp, due)
        if length:
            tp.sndtime = now
        stat["sndtotal"] += (length - 1) // gso + 1 if gso else 1
        if so.options & SO_DEBUG:
            self.tcp.trace("output", tp.state, tp, seq, tp.rcv_nxt, flags, length)

        rcv_nxt = tp.rcv_nxt
        adv = rcv_nxt + win
        if adv > tp.rcv_adv:
            tp.rcv_adv = adv
        tp.last_ack_sent = rcv_nxt
        tp.flags &= ~(TF_ACKNOW | TF_DELACK)
        tp.t_delack = 0.0
        tp.unacked = 0
        return self._send(tp, m, route)

    def _send(self, tp: Tcpcb, m: Mbuf, route: Rtentry | None) -> str:
        """Hand *m* to IP; return the symbol of an error that the caller should hear of."""
        inp = tp.inp
        m.src, m.dst, m.proto, m.ttl = inp.laddr, inp.faddr, IPPROTO_TCP, inp.ttl
        ip = self.stack.ip
        options = IP_MTUDISC if ip.mtudisc and not tp.flags & TF_NODF else 0
        so = tp.so
        bound = None
        try:
            if so.options & SO_DONTROUTE:
                options |= IP_ROUTETOIF
            if so.device:
                bound = tp.table.bound(inp)
            ip.output(m, inp.opts, options, None, route, bound)
        except NeedFrag as exc:
            self.tcp.narrower(tp, exc.mtu)
            return "EMSGSIZE"
        except NetError as exc:
            return self._failed(tp, exc.symbol)
        return ""

    def _failed(self, tp: Tcpcb, symbol: str) -> str:
        if symbol == "ENOBUFS":
            # As good as a loss that we know of at once.
            self.stat["selfquench"] += 1
            if tp.flags & TF_DEAD == 0 and tp.state >= TCPS_ESTABLISHED:
                tp.snd_cwnd = tp.segsz
            return ""
        if symbol in _SOFT and tp.state > TCPS_SYN_SENT:
            tp.softerror = symbol
            return ""
        return symbol

    def _sack_option(self, tp: Tcpcb) -> bytes:
        """Return the SACK option of an ACK (RFC 2018 section 3), which empties the duplicate report."""
        reass = tp.reass
        assert reass is not None
        if not tp.flags & TF_SACK_PERMIT or not (reass.runs or reass.dsack):
            return b""
        blocks = reass.blocks(3 if tp.flags & TF_RCVD_TSTMP else 4)
        if reass.idle:
            tp.reass = None
        if not blocks:
            return b""
        out = (_SACKHDR | 2 + 8 * len(blocks)).to_bytes(4, "big")
        for start, end in blocks:
            out += _sack_block(start & MASK, end & MASK)
        return out

    def ack(self, tp: Tcpcb) -> None:
        """Send an ACK without data: the short way through output()."""
        if tp.reass is not None or tp.so.options & SO_DEBUG or not tp.flags & TF_RCVD_TSTMP:
            # Never data: the answer to an old segment must not open a new round.
            self._segment(tp, tp.snd_max, 0, 0, TH_ACK, 0, None, False)
            return
        inp = tp.inp
        stat = self.stat
        flags = TH_ACK
        tpflags = tp.flags
        if tpflags & TF_ACKNOW:
            stat["sndacks"] += 1
        else:
            stat["sndwinup"] += 1
        stat["sndtotal"] += 1
        if tpflags & TF_ECN_SND_ECE and tpflags & TF_ECN_PERMIT:
            flags |= TH_ECE
        seq = tp.snd_max
        urp = 0
        if tp.snd_up > seq:
            urp = min(tp.snd_up - seq, 65535)
            flags |= TH_URG
        win = self.window(tp)
        rcv_nxt = tp.rcv_nxt
        lport, fport = inp.lport, inp.fport
        wseq, wack, wwin = seq & MASK, rcv_nxt & MASK, win >> tp.rcv_scale
        tsval = int(self.clock.now * TS_HZ) + tp.ts_base & MASK
        tsecr = tp.ts_recent
        # Each field is congruent to the sum of its words, so the checksum needs no octets.
        value = lport + fport + wseq + wack + 0x8000 + flags + wwin + urp + tsval + tsecr
        value += TSTAMP_HDR + tp.table.pseudo(inp.laddr, inp.faddr, 32)
        cksum = 0xFFFF - (value % 0xFFFF or 0xFFFF)
        m = Mbuf(
            _pack_ts(
                lport, fport, wseq, wack, 0x80, flags, wwin, cksum, urp, TSTAMP_HDR, tsval, tsecr
            )
        )
        m.tos = inp.tos
        adv = rcv_nxt + win
        if adv > tp.rcv_adv:
            tp.rcv_adv = adv
        tp.last_ack_sent = rcv_nxt
        tp.flags = tpflags & ~(TF_ACKNOW | TF_DELACK)
        tp.t_delack = 0.0
        tp.unacked = 0
        self._send(tp, m, None)

    # -- opening

    def syn(self, tp: Tcpcb) -> str:
        """Send our SYN, or SYN and ACK when both sides have opened."""
        tcp, inp, stat = self.tcp, tp.inp, self.stat
        now = self.clock.now
        flags = OUTFLAGS[tp.state]
        again = tp.snd_max > tp.iss
        if tp.state == TCPS_SYN_SENT:
            tp.ourmss = tcp.mss_to_advertise(inp.faddr)
        opt = b""
        if not tp.flags & TF_NOOPT:
            both = tp.state == TCPS_SYN_RECEIVED
            scale = tp.flags & TF_REQ_SCALE and (not both or tp.snd_scale or tp.rcv_scale)
            stamp = tp.flags & (TF_RCVD_TSTMP if both else TF_REQ_TSTMP)
            sack = tp.flags & (TF_SACK_PERMIT if both else TF_WILL_SACK)
            opt = build_options(
                Options(
                    mss=tp.ourmss,
                    wscale=tp.request_r_scale if scale else None,
                    sackok=bool(sack),
                    tsval=tcp.tsval(tp) if stamp else None,
                    tsecr=tp.ts_recent if both else 0,
                )
            )
        if tp.state == TCPS_SYN_SENT and tcp.ecn_enable and tp.ecn_retries < tcp.ecn_maxretries:
            # RFC 3168 6.1.1.1: who does not answer may be behind something that hates ECN.
            tp.flags |= TF_ECN_REQ
            flags |= TH_ECE | TH_CWR
        else:
            tp.flags &= ~TF_ECN_REQ
        win = max(0, min(tp.so.rcv.space(), TCP_MAXWIN))
        head = _pack(
            inp.lport,
            inp.fport,
            tp.iss & MASK,
            tp.rcv_nxt & MASK if flags & TH_ACK else 0,
            TCP_HDRLEN + len(opt) << 2,
            flags,
            win,
            tp.table.pseudo(inp.laddr, inp.faddr, TCP_HDRLEN + len(opt)),
            0,
        )
        m = Mbuf(head + opt)
        m.csum_flags = M_CSUM_TCPv4
        m.tos = inp.tos
        tp.snd_nxt = tp.snd_max = tp.iss + 1
        tp.rcv_adv = tp.rcv_nxt + win
        tp.last_ack_sent = tp.rcv_nxt
        tp.flags &= ~(TF_ACKNOW | TF_DELACK)
        if again:
            tp.rtttime = 0.0
        else:
            tp.rtttime = now or TS_G
            tp.rtseq = tp.iss
            stat["segstimed"] += 1
        if not tp.t_rexmt:
            tp.t_rexmt = now + tp.rxtcur
            self.tcp.timers.arm(tp, tp.t_rexmt)
        stat["sndctrl"] += 1
        stat["sndtotal"] += 1
        if tp.so.options & SO_DEBUG:
            tcp.trace("output", tp.state, tp, tp.iss, tp.rcv_nxt, flags, 0)
        return self._send(tp, m, None)

    # -- timers that belong to sending

    def setpersist(self, tp: Tcpcb) -> None:
        """Probe a closed window a while from now, ever more rarely (RFC 9293 3.8.6.1)."""
        base = tp.srtt + 4 * tp.rttvar if tp.srtt >= 0 else RTO_INIT
        delay = min(max(base * BACKOFF[tp.rxtshift], PERSIST_MIN), PERSIST_MAX)
        if tp.rxtshift < _MAX_PERSIST_SHIFT:
            tp.rxtshift += 1
        tp.t_persist = due = self.clock.now + delay
        if due < tp.t_next:
            self.tcp.timers.arm(tp, due)
