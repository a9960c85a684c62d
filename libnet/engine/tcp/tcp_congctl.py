"""Congestion control (RFC 5681, 6582, 3465, 9438; NetBSD tcp_congctl).

One object of each algorithm serves a whole stack; what a connection needs beyond its Tcpcb is in
tp.cc_state. Windows are octets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from libnet.engine.tcp.tcp_var import LOTS

if TYPE_CHECKING:
    from libnet.engine.tcp.tcp_subr import Tcp
    from libnet.engine.tcp.tcp_var import Tcpcb

CUBIC_C: Final = 0.4  # RFC 9438 4.1, segments per cubic second
CUBIC_BETA: Final = 0.7
CUBIC_ALPHA: Final = 3.0 * (1.0 - CUBIC_BETA) / (1.0 + CUBIC_BETA)  # RFC 9438 4.3


class CongCtl:
    """Reno: slow start, congestion avoidance, half the window at a loss.

    partial  whether an ACK for part of the loss is answered with the next hole (RFC 6582)
    """

    name = "reno"
    partial = False

    def __init__(self, tcp: Tcp) -> None:
        self.tcp = tcp

    def newack(self, tp: Tcpcb, acked: int) -> None:
        """Open the window for *acked* octets outside of a recovery (RFC 5681 3.1, RFC 3465)."""
        cwnd, seg = tp.snd_cwnd, tp.segsz
        if cwnd < tp.snd_ssthresh:
            tp.snd_cwnd = cwnd + self.slowstart(tp, acked)
        else:
            tp.snd_cwnd = cwnd + self.avoid(tp, acked, seg)
        limit = 65535 << tp.snd_scale
        if tp.snd_cwnd > limit:
            tp.snd_cwnd = limit

    def slowstart(self, tp: Tcpcb, acked: int) -> int:
        """Return what slow start adds: a segment an ACK, or with ABC what was acknowledged."""
        seg = tp.segsz
        tcp = self.tcp
        if not tcp.abc_enable:
            return seg
        # RFC 3465 2.3: L=1 while sending again after a timeout.
        limit = 2 if tcp.abc_aggressive and tp.snd_nxt >= tp.snd_max else 1
        return min(acked, limit * seg) if acked <= 2 * seg else self._stretch(acked, limit, seg)

    @staticmethod
    def _stretch(acked: int, limit: int, seg: int) -> int:
        # One ACK for a super-frame stands for the ACKs of its segments, one for every other.
        return min(acked, limit * seg * ((acked + 2 * seg - 1) // (2 * seg)))

    def avoid(self, tp: Tcpcb, acked: int, seg: int) -> int:
        """Return what congestion avoidance adds: a segment for each window acknowledged."""
        tp.abc_acked += acked
        if tp.abc_acked < tp.snd_cwnd:
            return 0
        tp.abc_acked -= tp.snd_cwnd
        return seg

    def threshold(self, tp: Tcpcb) -> int:
        """Return the window after a loss: half of what is under way (RFC 5681 equation 4)."""
        return max((tp.snd_max - tp.snd_una) // 2, 2 * tp.segsz)

    def lost(self, tp: Tcpcb) -> None:
        """Set the threshold at a loss that duplicate ACKs or ECN told of."""
        tp.snd_ssthresh = self.threshold(tp)
        tp.abc_acked = 0

    def timeout(self, tp: Tcpcb) -> None:
        """Start over after a retransmission timeout."""
        if tp.rxtshift <= 1:
            # RFC 5681 3.1: a segment that is lost again says nothing new about the threshold.
            self.lost(tp)
        tp.snd_cwnd = tp.segsz
        tp.abc_acked = 0

    def idle(self, tp: Tcpcb) -> None:
        """Forget what was learned of the path while it was used."""
        tp.abc_acked = 0


class NewReno(CongCtl):
    """NewReno (RFC 6582)."""

    name = "newreno"
    partial = True


class CubicState:
    """What CUBIC keeps: windows in segments, the start of its epoch, and K in seconds."""

    __slots__ = ("epoch", "k", "origin", "w_est", "w_max")

    def __init__(self) -> None:
        self.epoch = -1.0
        self.k = 0.0
        self.origin = 0.0
        self.w_est = 0.0
        self.w_max = 0.0


class Cubic(NewReno):
    """CUBIC (RFC 9438) over NewReno's or SACK's recovery."""

    name = "cubic"

    @staticmethod
    def _state(tp: Tcpcb) -> CubicState:
        state = tp.cc_state
        if type(state) is not CubicState:
            state = tp.cc_state = CubicState()
        return state

    def avoid(self, tp: Tcpcb, acked: int, seg: int) -> int:
        """Return what the cubic function adds (RFC 9438 4.2 to 4.5)."""
        st = self._state(tp)
        now = self.tcp.stack.clock.now
        cwnd = tp.snd_cwnd / seg
        if st.epoch < 0.0:
            st.epoch = now
            st.w_est = cwnd
            if cwnd < st.w_max:
                st.k = ((st.w_max - cwnd) / CUBIC_C) ** (1.0 / 3.0)
                st.origin = st.w_max
            else:
                st.k = 0.0
                st.origin = cwnd
        rtt = max(tp.srtt, 0.0)
        t = now - st.epoch
        target = st.origin + CUBIC_C * (t + rtt - st.k) ** 3
        target = min(max(target, cwnd), 1.5 * cwnd)
        segs = acked / seg
        alpha = 1.0 if st.w_est >= st.w_max > 0.0 else CUBIC_ALPHA
        st.w_est += alpha * segs / cwnd
        if st.origin + CUBIC_C * (t - st.k) ** 3 < st.w_est:
            # RFC 9438 4.3: Reno would have more by now.
            return max(0, int((st.w_est - cwnd) * seg))
        return int((target - cwnd) / cwnd * acked)

    def lost(self, tp: Tcpcb) -> None:
        """Remember the window, and go to 0.7 of it (RFC 9438 4.6, 4.7)."""
        st = self._state(tp)
        cwnd = tp.snd_cwnd / tp.segsz
        # Fast convergence: below the last maximum, make room for others.
        st.w_max = cwnd * (1.0 + CUBIC_BETA) / 2.0 if cwnd < st.w_max else cwnd
        st.epoch = -1.0
        flight = tp.snd_max - tp.snd_una
        tp.snd_ssthresh = max(int(min(flight, tp.snd_cwnd) * CUBIC_BETA), 2 * tp.segsz)
        tp.abc_acked = 0

    def timeout(self, tp: Tcpcb) -> None:
        """Start over; the epoch begins after slow start."""
        super().timeout(tp)
        self._state(tp).epoch = -1.0

    def idle(self, tp: Tcpcb) -> None:
        """Let the time without data not count (RFC 9438 4.2)."""
        super().idle(tp)
        self._state(tp).epoch = -1.0


ALGORITHMS: Final = (CongCtl, NewReno, Cubic)


def initial_window(tcp: Tcp, segsz: int, *, local: bool) -> int:
    """Return the initial window in octets: so many segments, or RFC 3390's when the knob is 0."""
    segments = tcp.init_win_local if local else tcp.init_win
    if segments == 0:
        return min(4 * segsz, max(2 * segsz, 4380))
    return min(segments * segsz, LOTS)
