"""The TCP control block and its numbers (tcp_var.h, tcp_fsm.h, tcp_timer.h).

Sequence numbers in a Tcpcb are not cut to 32 bits: they count on from the initial one, so that they
compare as numbers do. What comes off the wire is unrolled next to a number that is known (`unroll`),
what goes out is cut (`& MASK`).

Times are seconds on the stack's clock. A timer is the time it is due at, 0.0 when it is off: setting
one again costs a store, since one callout for each connection, never later than its earliest timer,
does for all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from libnet.wire.tcp import TH_ACK, TH_FIN, TH_RST, TH_SYN

if TYPE_CHECKING:
    from libnet.clock import Callout
    from libnet.engine.inet.in_pcb import Inpcb
    from libnet.engine.kern.socket import Socket
    from libnet.engine.tcp.tcp_congctl import CongCtl
    from libnet.engine.tcp.tcp_sack import Reass, Scoreboard
    from libnet.engine.tcp.tcp_subr import Tcp, TcpTable

MASK: Final = 0xFFFFFFFF
_HALF: Final = 0x80000000

TCPS_CLOSED: Final = 0
TCPS_LISTEN: Final = 1
TCPS_SYN_SENT: Final = 2
TCPS_SYN_RECEIVED: Final = 3
TCPS_ESTABLISHED: Final = 4
TCPS_CLOSE_WAIT: Final = 5
TCPS_FIN_WAIT_1: Final = 6
TCPS_CLOSING: Final = 7
TCPS_LAST_ACK: Final = 8
TCPS_FIN_WAIT_2: Final = 9
TCPS_TIME_WAIT: Final = 10

# What a segment bears in each state, FIN only when nothing is left before it.
OUTFLAGS: Final = (
    TH_RST | TH_ACK,
    0,
    TH_SYN,
    TH_SYN | TH_ACK,
    TH_ACK,
    TH_ACK,
    TH_FIN | TH_ACK,
    TH_FIN | TH_ACK,
    TH_FIN | TH_ACK,
    TH_ACK,
    TH_ACK,
)
# States in which the peer's FIN has been taken.
HAVERCVDFIN: Final = frozenset((TCPS_CLOSE_WAIT, TCPS_CLOSING, TCPS_LAST_ACK, TCPS_TIME_WAIT))

TF_ACKNOW: Final = 0x0001  # ack at once
TF_DELACK: Final = 0x0002  # ack, but wait for company
TF_NODELAY: Final = 0x0004  # no Nagle
TF_NOOPT: Final = 0x0008
TF_REQ_SCALE: Final = 0x0020
TF_RCVD_SCALE: Final = 0x0040
TF_REQ_TSTMP: Final = 0x0080
TF_RCVD_TSTMP: Final = 0x0100
TF_SACK_PERMIT: Final = 0x0200  # both sides do SACK
TF_SYN_REXMT: Final = 0x0400  # the SYN had to be sent again
TF_WILL_SACK: Final = 0x0800
TF_DEAD: Final = 0x2000  # closed for good
TF_NEEDFIN: Final = 0x4000  # a FIN is to follow as soon as there is a connection
TF_FASTRECOV: Final = 0x8000  # repairing a loss, up to snd_recover
TF_ECN_PERMIT: Final = 0x10000
TF_ECN_SND_CWR: Final = 0x20000
TF_ECN_SND_ECE: Final = 0x40000
TF_SAWTSTMP: Final = 0x80000  # ts_recent is good
TF_QUIETDROP: Final = 0x0010
TF_ECN_REQ: Final = 0x100000  # the SYN asked for ECN
TF_SENTFIN: Final = 0x200000
TF_NODF: Final = 0x800000  # routers may cut our segments

TCPOOB_HAVEDATA: Final = 0x01
TCPOOB_HADDATA: Final = 0x02

TCP_NODELAY: Final = 0x01
TCP_MAXSEG: Final = 0x02
TCP_KEEPIDLE: Final = 0x03
TCP_KEEPINTVL: Final = 0x05
TCP_KEEPCNT: Final = 0x06
TCP_KEEPINIT: Final = 0x07
TCP_CONGCTL: Final = 0x20
TCP_QUIETDROP: Final = 0x40

IPPROTO_TCP: Final = 6
TCP_MAXWIN: Final = 65535
TCP_HDRLEN: Final = 20
TCP_MINMSS: Final = 64  # a peer that offers less gets this: work for each octet stays bounded
DUPTHRESH: Final = 3

SLOWHZ: Final = 2  # ticks a second of the keepalive knobs
HZ: Final = 100  # ticks a second of delack_ticks

# Seconds.
MSL: Final = 30.0
RTO_INIT: Final = 1.0  # RFC 6298 2.1
RTO_SYN_AGAIN: Final = 3.0  # RFC 6298 5.7: after a SYN that had to be sent again
RTO_MIN: Final = 1.0  # RFC 6298 2.4
RTO_MAX: Final = 64.0
PERSIST_MIN: Final = 5.0
PERSIST_MAX: Final = 60.0
KEEP_INIT: Final = 75.0
TS_HZ: Final = 1000.0  # ticks a second of the timestamp clock (RFC 7323 5.4: 1 ms to 1 s)
TS_G: Final = 1.0 / TS_HZ
PAWS_IDLE: Final = 24.0 * 86400.0  # RFC 7323 5.5
MAXRXTSHIFT: Final = 12
BACKOFF: Final = (1, 2, 4, 8, 16, 32, 64, 64, 64, 64, 64, 64, 64)
NEVER: Final = float("inf")

LOTS: Final = 1 << 40  # slow start has no threshold yet


def unroll(wire: int, near: int) -> int:
    """Return the sequence number that is *wire* on the wire and closest to *near*.

    >>> unroll(5, 0xFFFFFFF0) == 0x100000005, unroll(0xFFFFFFF0, 0x100000005) == 0xFFFFFFF0
    (True, True)
    """
    return near + ((wire - near + _HALF) & MASK) - _HALF


class Tcpcb:
    """struct tcpcb.

    inp, so        its pcb and socket           table  where the pcb is
    state, flags   TCPS_*, TF_*
    snd_una snd_nxt snd_max   oldest unacknowledged, next to send, highest sent
    snd_wnd snd_wl1 snd_wl2   peer's window in octets, and the segment that told it
    snd_up rcv_up             urgent pointers       iss irs   initial numbers
    snd_cwnd snd_ssthresh     octets                snd_recover  where a repaired loss ends
    rcv_nxt rcv_wnd rcv_adv   next expected, window, right edge that was told
    peermss ourmss segsz      octets: offered by the peer, by us; payload of a segment without options
    srtt rttvar rxtcur        seconds; srtt below 0 until there is a sample
    rtttime rtseq             when the segment being timed left (0.0: none), and its number
    ts_recent ts_recent_age   of RFC 7323           ts_base  what our timestamps count from
    t_rexmt t_persist t_keep t_2msl t_delack   timers; t_next is when the callout fires
    keepidle keepintvl keepcnt keepinit        seconds and a count of this socket, 0: the stack's
    keepprobes keeptime       keepalive probes since the peer was heard, and when the first one left
    reass, sack    out-of-order data and the sender's scoreboard, None until needed
    cc, cc_state   congestion control and what it keeps
    """

    __slots__ = (
        "abc_acked",
        "callout",
        "cc",
        "cc_state",
        "dupacks",
        "ecn_recover",
        "ecn_retries",
        "flags",
        "inp",
        "iobc",
        "irs",
        "iss",
        "keepcnt",
        "keepidle",
        "keepinit",
        "keepintvl",
        "keepprobes",
        "keeptime",
        "last_ack_sent",
        "max_sndwnd",
        "oobflags",
        "ourmss",
        "peermss",
        "rcv_adv",
        "rcv_nxt",
        "rcv_scale",
        "rcv_up",
        "rcv_wnd",
        "rcvtime",
        "reass",
        "request_r_scale",
        "requested_s_scale",
        "rtseq",
        "rtttime",
        "rttvar",
        "rxtcur",
        "rxtshift",
        "sack",
        "segsz",
        "snd_cwnd",
        "snd_max",
        "snd_nxt",
        "snd_recover",
        "snd_scale",
        "snd_ssthresh",
        "snd_una",
        "snd_up",
        "snd_wl1",
        "snd_wl2",
        "snd_wnd",
        "sndtime",
        "so",
        "softerror",
        "srtt",
        "starttime",
        "state",
        "t_2msl",
        "t_delack",
        "t_keep",
        "t_next",
        "t_persist",
        "t_rexmt",
        "table",
        "tcp",
        "ts_base",
        "ts_recent",
        "ts_recent_age",
        "unacked",
        "usermss",
    )

    def __init__(self, tcp: Tcp, table: TcpTable, inp: Inpcb, so: Socket) -> None:
        self.tcp = tcp
        self.table = table
        self.inp = inp
        self.so = so
        self.state = TCPS_CLOSED
        self.flags = 0
        self.snd_una = self.snd_nxt = self.snd_max = self.snd_up = self.iss = 0
        self.snd_wnd = self.snd_wl1 = self.snd_wl2 = self.max_sndwnd = 0
        self.rcv_nxt = self.rcv_wnd = self.rcv_adv = self.rcv_up = self.irs = 0
        self.last_ack_sent = 0
        self.snd_cwnd = self.snd_recover = self.ecn_recover = 0
        self.snd_ssthresh = LOTS
        self.snd_scale = self.rcv_scale = self.request_r_scale = self.requested_s_scale = 0
        self.peermss = self.ourmss = self.segsz = tcp.mssdflt
        self.usermss = 0
        self.srtt = -1.0
        self.rttvar = 0.0
        self.rxtcur = RTO_INIT
        self.rxtshift = 0
        self.rtttime = 0.0
        self.rtseq = 0
        self.ts_recent = 0
        self.ts_recent_age = 0.0
        self.ts_base = 0
        self.t_rexmt = self.t_persist = self.t_keep = self.t_2msl = self.t_delack = 0.0
        self.t_next = NEVER
        self.callout: Callout | None = None
        self.rcvtime = self.sndtime = self.starttime = 0.0
        self.dupacks = 0
        self.unacked = 0
        self.abc_acked = 0
        self.oobflags = self.iobc = 0
        self.softerror = ""
        self.ecn_retries = 0
        self.keepidle = self.keepintvl = self.keepcnt = self.keepinit = 0
        self.keepprobes = 0
        self.keeptime = 0.0
        self.reass: Reass | None = None
        self.sack: Scoreboard | None = None
        self.cc: CongCtl = tcp.congctl
        self.cc_state: Any = None

    def timeout(self) -> None:
        """Take note that the callout is due."""
        self.tcp.timers.run(self)
