"""TCP's timers (RFC 6298, RFC 9293 3.8.4 and 3.8.6.1, RFC 1122 4.2.3.6).

Nothing scans connections: each has at most one callout, see tcp_var. It may fire early, when a timer
was set forward since; then it is set again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from libnet.engine.kern.socket import SO_KEEPALIVE, SS_CANTRCVMORE, SS_NOFDREF
from libnet.engine.tcp.tcp_var import (
    BACKOFF,
    MAXRXTSHIFT,
    NEVER,
    RTO_INIT,
    RTO_MAX,
    RTO_MIN,
    RTO_SYN_AGAIN,
    TCPS_CLOSE_WAIT,
    TCPS_ESTABLISHED,
    TCPS_FIN_WAIT_2,
    TCPS_SYN_SENT,
    TCPS_TIME_WAIT,
    TF_ACKNOW,
    TF_DEAD,
    TF_DELACK,
    TF_FASTRECOV,
    TF_SYN_REXMT,
    TS_G,
    Tcpcb,
)

if TYPE_CHECKING:
    from libnet.engine.tcp.tcp_subr import Tcp

_DEAF_SHIFT = 3  # timeouts after which a large segment is suspected to be swallowed (RFC 2923 2.1)


class TcpTimers:
    """The timers of one Tcp."""

    def __init__(self, tcp: Tcp) -> None:
        self.tcp = tcp
        self.stat = tcp.stat
        self.clock = tcp.stack.clock

    def arm(self, tp: Tcpcb, due: float) -> None:
        """Have the callout of *tp* fire at *due* at the latest."""
        if due >= tp.t_next:
            return
        if tp.callout is not None:
            tp.callout.stop()
        tp.t_next = due
        delay = due - self.clock.now
        tp.callout = self.clock.after(delay if delay > 0 else 0.0, tp.timeout)

    def cancel(self, tp: Tcpcb) -> None:
        """Switch all timers off."""
        tp.t_rexmt = tp.t_persist = tp.t_keep = tp.t_2msl = tp.t_delack = 0.0
        if tp.callout is not None:
            tp.callout.stop()
            tp.callout = None
        tp.t_next = NEVER

    def run(self, tp: Tcpcb) -> None:
        """Do what is due for *tp*, and set the callout for what comes next."""
        tp.callout = None
        tp.t_next = NEVER
        now = self.clock.now
        wakeups = self.tcp.hold()
        try:
            if tp.t_delack and tp.t_delack <= now:
                self._delack(tp)
            if tp.t_rexmt and tp.t_rexmt <= now:
                self._rexmt(tp)
            if tp.t_persist and tp.t_persist <= now:
                self._persist(tp)
            if tp.t_keep and tp.t_keep <= now:
                self._keep(tp)
            if tp.t_2msl and tp.t_2msl <= now:
                self._2msl(tp)
            if not tp.flags & TF_DEAD:
                due = NEVER
                for timer in (tp.t_delack, tp.t_rexmt, tp.t_persist, tp.t_keep, tp.t_2msl):
                    if timer and timer < due:
                        due = timer
                if due < tp.t_next:
                    self.arm(tp, due)
        finally:
            self.tcp.release(wakeups)

    def _delack(self, tp: Tcpcb) -> None:
        tp.t_delack = 0.0
        if tp.flags & TF_DELACK:
            self.stat["delack"] += 1
            tp.flags |= TF_ACKNOW
            self.tcp.output(tp)

    def rto(self, tp: Tcpcb) -> float:
        """Return the retransmission timeout without backoff, in seconds (RFC 6298 2.3, 2.4)."""
        if tp.srtt < 0:
            return RTO_SYN_AGAIN if tp.flags & TF_SYN_REXMT else RTO_INIT
        spread = 4.0 * tp.rttvar
        value = tp.srtt + (spread if spread > TS_G else TS_G)
        return RTO_MIN if value < RTO_MIN else RTO_MAX if value > RTO_MAX else value

    def _rexmt(self, tp: Tcpcb) -> None:
        """Send again: nothing was acknowledged for a whole timeout (RFC 6298 section 5)."""
        tcp = self.tcp
        tp.t_rexmt = 0.0
        tp.rxtshift += 1
        if tp.rxtshift > MAXRXTSHIFT:
            tp.rxtshift = MAXRXTSHIFT
            self.stat["timeoutdrop"] += 1
            tcp.drop(tp, tp.softerror or "ETIMEDOUT")
            return
        self.stat["rexmttimeo"] += 1
        if tp.state < TCPS_ESTABLISHED:
            tp.flags |= TF_SYN_REXMT
            if tp.state == TCPS_SYN_SENT:
                tp.ecn_retries += 1
        # RFC 6298 5.5: twice what it was, even if progress without a measurement lies between.
        tp.rxtcur = min(2 * tp.rxtcur, RTO_MAX)
        now = self.clock.now
        tp.t_rexmt = now + tp.rxtcur
        tp.rtttime = 0.0  # Karn: what is sent again times nothing
        if tp.state < TCPS_ESTABLISHED:
            tcp.output(tp)
            return
        if tp.rxtshift >= _DEAF_SHIFT and tcp.blackhole(tp):
            self.stat["pmtublackhole"] += 1
        if tp.rxtshift > MAXRXTSHIFT // 4:
            # The path may have died: another one may be known.
            self.tcp.stack.route.rtlosing(tp.inp.faddr)
            tp.rttvar += tp.srtt if tp.srtt > 0 else 0.0
        tp.flags &= ~TF_FASTRECOV
        if tp.sack is not None:
            # RFC 2018 8: the receiver may have dropped what it told of.
            tp.sack.clear()
        tp.snd_recover = tp.snd_max
        tp.dupacks = 0
        tp.cc.timeout(tp)
        tp.snd_nxt = tp.snd_una
        tp.flags |= TF_ACKNOW
        tcp.output(tp)

    def _persist(self, tp: Tcpcb) -> None:
        """Probe the closed window; give up only on a peer that answers nothing."""
        tcp = self.tcp
        tp.t_persist = 0.0
        self.stat["persisttimeo"] += 1
        if tp.rxtshift == MAXRXTSHIFT:
            silent = self.clock.now - tp.rcvtime
            if silent >= tcp.maxidle(tp) or silent >= tcp.timers.rto(tp) * sum(BACKOFF):
                self.stat["persistdrops"] += 1
                tcp.drop(tp, "ETIMEDOUT")
                return
        tcp.out.setpersist(tp)
        tcp.out.output(tp, True)

    def keep_due(self, tp: Tcpcb) -> float:
        """Return when the connection has been silent for long enough to be probed."""
        return tp.rcvtime + (tp.keepidle or self.tcp.keep_s(self.tcp.keepidle))

    def _keep(self, tp: Tcpcb) -> None:
        """Give up an attempt to connect, or ask a silent peer whether it is there."""
        tcp = self.tcp
        tp.t_keep = 0.0
        if tp.state < TCPS_ESTABLISHED:
            self.stat["keeptimeo"] += 1
            self.stat["keepdrops"] += 1
            tcp.drop(tp, tp.softerror or "ETIMEDOUT")
            return
        now = self.clock.now
        due = self.keep_due(tp)
        if tp.rcvtime >= tp.keeptime:
            tp.keepprobes = 0  # heard from it since
        if tp.keepprobes == 0 and due > now:
            tp.t_keep = due
            return
        self.stat["keeptimeo"] += 1
        # In the states between, our FIN is sent again and again: that tells as much.
        waiting = tp.state <= TCPS_CLOSE_WAIT or tp.state == TCPS_FIN_WAIT_2
        if not tp.so.options & SO_KEEPALIVE or not waiting:
            tp.t_keep = now + (tp.keepidle or tcp.keep_s(tcp.keepidle))
            return
        interval = tp.keepintvl or tcp.keep_s(tcp.keepintvl)
        if tp.keepprobes >= (tp.keepcnt or tcp.keepcnt):
            self.stat["keepdrops"] += 1
            tcp.drop(tp, tp.softerror or "ETIMEDOUT")
            return
        if not tp.keepprobes:
            tp.keeptime = now
        tp.keepprobes += 1
        self.stat["keepprobe"] += 1
        tcp.probe(tp)
        tp.t_keep = now + interval

    def _2msl(self, tp: Tcpcb) -> None:
        """End TIME_WAIT, or a FIN_WAIT_2 that has lasted while nobody can read what would come."""
        tp.t_2msl = 0.0
        if tp.state == TCPS_TIME_WAIT or (
            tp.state == TCPS_FIN_WAIT_2 and tp.so.state & (SS_CANTRCVMORE | SS_NOFDREF)
        ):
            self.tcp.close(tp)
