"""The TCP of one stack: its knobs, its connections, and what all parts of it share (tcp_subr).

RFC 9293; sequence numbers by RFC 6528, path MTU by RFC 1191 and 5927, answers in limited numbers by
RFC 5961.
"""

from __future__ import annotations

from collections import deque
from hashlib import blake2s
from struct import Struct
from typing import TYPE_CHECKING, Any, Final

from libnet.addr import inet_ntoa
from libnet.engine.inet.icmp import (
    INETCTLERR,
    PRC_MSGSIZE,
    PRC_QUENCH,
    PRC_REDIRECT_HOST,
    PRC_UNREACH_PORT,
    PRC_UNREACH_PROTOCOL,
)
from libnet.engine.inet.in_pcb import Inpcb, InpcbTable
from libnet.engine.inet.ip_var import IpOpts
from libnet.engine.inet.raw_ip import pcbinfo
from libnet.engine.kern.log import INFO
from libnet.engine.kern.mbuf import M_CSUM_TCPv4, Mbuf
from libnet.engine.kern.socket import Socket
from libnet.engine.kern.sysctl import tcp_nodes
from libnet.engine.tcp.syn_cache import SynCache
from libnet.engine.tcp.tcp_congctl import ALGORITHMS, CongCtl, initial_window
from libnet.engine.tcp.tcp_input import TcpInput
from libnet.engine.tcp.tcp_output import TcpOutput
from libnet.engine.tcp.tcp_timer import TcpTimers
from libnet.engine.tcp.tcp_usrreq import TcpUsrreq
from libnet.engine.tcp.tcp_var import (
    HZ,
    IPPROTO_TCP,
    LOTS,
    MASK,
    SLOWHZ,
    TCP_HDRLEN,
    TCP_MINMSS,
    TCPS_CLOSED,
    TCPS_ESTABLISHED,
    TCPS_LISTEN,
    TCPS_SYN_RECEIVED,
    TCPS_SYN_SENT,
    TF_ACKNOW,
    TF_DEAD,
    TF_FASTRECOV,
    TF_NODF,
    TF_QUIETDROP,
    TF_RCVD_TSTMP,
    TF_REQ_SCALE,
    TF_REQ_TSTMP,
    TF_WILL_SACK,
    TS_HZ,
    Tcpcb,
    unroll,
)
from libnet.errors import NetError
from libnet.ioctl.ifflags import IFF_LOOPBACK, IFF_UP
from libnet.wire.tcp import (
    MAX_WINSHIFT,
    TCP_HDR,
    TH_ACK,
    TH_FIN,
    TH_RST,
    TH_SYN,
    TSTAMP_HDR,
)

if TYPE_CHECKING:
    from libnet.engine.inet.inetstack import InetStack
    from libnet.engine.kern.sysctl import Caller, SysctlTree
    from libnet.engine.route.table import Rtentry
    from libnet.ioctl.sysctl import PcbInfo
    from libnet.wire.ipv4 import Ipv4

_pack = TCP_HDR.pack
_stamp = Struct("!III").pack
_NDEBUG: Final = 100  # trace records kept
_HARD: Final = frozenset((PRC_UNREACH_PORT, PRC_UNREACH_PROTOCOL))
_SOFT_TRIES: Final = 3  # SYNs sent in vain before an unreachable's word is taken

Key = tuple[int, int, int, int]  # foreign address and port, local address and port

# name, number, lowest, highest, description; the attribute is the name with underscores.
_NODES: Final = (
    ("rfc1323", 1, None, None, "Enable RFC1323 TCP extensions"),
    ("sendspace", 2, 1, None, "Default TCP send buffer size"),
    ("recvspace", 3, 1, None, "Default TCP receive buffer size"),
    ("mssdflt", 4, 32, 65535, "Default maximum segment size"),
    ("syn_cache_limit", 5, 1, None, "Maximum number of entries in the TCP SYN cache"),
    ("syn_bucket_limit", 6, 1, None, "Maximum number of entries per SYN cache hash bucket"),
    ("init_win", 8, 0, 64, "Initial TCP congestion window in segments, 0 for RFC 3390's"),
    ("mss_ifmtu", 9, None, None, "Use interface MTU for calculating MSS"),
    ("win_scale", 11, None, None, "Use RFC1323 window scale options"),
    ("timestamps", 12, None, None, "Use RFC1323 time stamp options"),
    ("compat_42", 13, None, None, "Enable workarounds for 4.2BSD TCP bugs"),
    ("cwm", 14, None, None, "Congestion Window Monitoring"),
    ("cwm_burstsize", 15, 1, None, "Burst size in segments allowed by CWM"),
    ("ack_on_push", 16, None, None, "Return ACK at once when PSH is received"),
    ("keepidle", 17, 1, None, "Idle ticks before a keepalive probe"),
    ("keepintvl", 18, 1, None, "Ticks between keepalive probes"),
    ("keepcnt", 19, 1, None, "Number of keepalive probes to send"),
    ("log_refused", 22, None, None, "Log refused TCP connections"),
    ("rstppslimit", 24, None, None, "Maximum number of RST packets to send per second"),
    ("delack_ticks", 25, 1, None, "Number of ticks to delay sending an ACK"),
    ("init_win_local", 26, 0, 64, "Initial TCP window size in segments on local networks"),
    (
        "ackdropppslimit",
        28,
        None,
        None,
        "Maximum number of ACKs sent for dropped segments a second",
    ),
)

# Fields of a Tcpcb that netstat -P prints as they are, the first cut to 32 bits.
_NUMBERS: Final = (
    "snd_una", "snd_nxt", "snd_up", "snd_wl1", "snd_wl2", "iss", "snd_wnd", "rcv_nxt", "rcv_wnd",
    "rcv_up", "irs", "rcv_adv", "snd_max", "snd_cwnd", "max_sndwnd", "last_ack_sent", "rtseq",
    "ts_recent",
)  # fmt: skip
_SMALL: Final = (
    "state", "flags", "rxtshift", "dupacks", "peermss", "ourmss", "segsz", "oobflags", "iobc",
    "snd_scale", "rcv_scale", "request_r_scale", "requested_s_scale",
)  # fmt: skip


class TcpTable(InpcbTable):
    """The TCP pcbs of one address family.

    waiting  those that have a port but no peer, by port
    hdrlen   octets of the network header
    """

    hdrlen = 20

    def __init__(self, stack: InetStack) -> None:
        super().__init__(stack)
        self.waiting: dict[int, list[Inpcb]] = {}

    @staticmethod
    def pseudo(src: int, dst: int, length: int) -> int:
        """Return the sum of the pseudo header: an address is congruent to the sum of its words."""
        return (src + dst + IPPROTO_TCP + length) % 0xFFFF

    def _hash(self, inp: Inpcb) -> None:
        super()._hash(inp)
        if inp.lport and not inp.faddr:
            self.waiting.setdefault(inp.lport, []).append(inp)

    def _unhash(self, inp: Inpcb) -> None:
        super()._unhash(inp)
        if inp.lport and not inp.faddr:
            same = self.waiting.get(inp.lport)
            if same is not None and inp in same:
                same.remove(inp)
                if not same:
                    del self.waiting[inp.lport]

    def lookup_bind(self, laddr: int, lport: int, device: str = "") -> Inpcb | None:
        """Return the listener for *laddr* and *lport*, the most specific one.

        device  interface a segment came by: a socket bound to another one does not hear it
        """
        best = None
        for inp in self.waiting.get(lport, ()):
            if inp.socket.device and inp.socket.device != device:
                continue
            if inp.laddr == laddr:
                return inp
            if not inp.laddr and best is None:
                best = inp
        return best


class PpsLimit:
    """So many a second, counted from the first of that second (ppsratecheck)."""

    __slots__ = ("_count", "_second")

    def __init__(self) -> None:
        self._second = -1.0
        self._count = 0

    def exceeded(self, now: float, limit: int) -> bool:
        """Count one; tell whether that is one too many. A limit below 0 is none."""
        if limit < 0:
            return False
        if not self._second <= now < self._second + 1.0:
            self._second, self._count = now, 0
        self._count += 1
        return self._count > limit


class Tcp:
    """The TCP of one stack.

    Attributes named as the nodes of net.inet.tcp are those knobs; `sack_maxholes` is sack.maxholes.
    table        the pcbs          congctl     what new connections use
    timers, out, inp, usr, syn_cache  the parts       debug       trace of SO_DEBUG sockets, the newest last
    """

    def __init__(self, stack: InetStack) -> None:
        self.stack = stack
        self.stat = stack.stat("tcp")
        self.table = TcpTable(stack)
        self.rfc1323 = 1
        self.sendspace = 32768
        self.recvspace = 32768
        self.mssdflt = 536
        self.syn_cache_limit = 10255
        self.syn_bucket_limit = 105
        self.syn_cookies = 1
        self.init_win = 0
        self.mss_ifmtu = 0
        self.sack_enable = 1
        self.sack_maxholes = 32
        self.sack_globalmaxholes = 1024
        self.sack_globalholes = 0
        self.win_scale = 1
        self.timestamps = 1
        self.compat_42 = 0
        self.cwm = 0
        self.cwm_burstsize = 4
        self.ack_on_push = 0
        self.keepidle = 14400
        self.keepintvl = 150
        self.keepcnt = 8
        self.slowhz = SLOWHZ
        self.log_refused = 0
        self.rstppslimit = 100
        self.ackdropppslimit = 100
        self.delack_ticks = 20
        self.init_win_local = 4
        self.ecn_enable = 0
        self.ecn_maxretries = 1
        self.abc_enable = 1
        self.abc_aggressive = 1
        self.debug: deque[dict[str, Any]] = deque(maxlen=_NDEBUG)
        self.debx = 0
        self.algorithms: dict[str, CongCtl] = {kind.name: kind(self) for kind in ALGORITHMS}
        self.congctl = self.algorithms["newreno"]
        self._secret = stack.dice.getrandbits(256).to_bytes(32, "big")
        self._rsts = PpsLimit()
        self._acks = PpsLimit()
        self.timers = TcpTimers(self)
        self.out = TcpOutput(self)
        self.output = self.out.output
        self.usr = TcpUsrreq(self)
        self.syn_cache = SynCache(self)
        self.inp = TcpInput(self)
        self.input = self.inp.input

    @property
    def do_loopback_cksum(self) -> int:
        """Whether segments to ourselves have checksums too."""
        return int(bool(self.stack.ip.loopback_l4 & M_CSUM_TCPv4))

    @do_loopback_cksum.setter
    def do_loopback_cksum(self, on: int) -> None:
        ip = self.stack.ip
        ip.loopback_l4 = ip.loopback_l4 | M_CSUM_TCPv4 if on else ip.loopback_l4 & ~M_CSUM_TCPv4

    # -- sysctl

    def sysctl_setup(self, tree: SysctlTree) -> None:
        """Plant net.inet.tcp."""
        tree.node("net.inet.tcp", 6, "TCP related settings")
        for name, num, low, high, desc in _NODES:
            tree.int_node(f"net.inet.tcp.{name}", num, self, name, lo=low, hi=high, desc=desc)
        tree.int_node(
            "net.inet.tcp.slowhz", 20, self, "slowhz", ro=True, desc="Keepalive ticks per second"
        )
        tree.node("net.inet.tcp.sack", 10, "RFC2018 Selective ACKnowledgement tunables")
        for num, (name, desc) in enumerate(
            (
                ("enable", "Enable RFC2018 Selective ACKnowledgement"),
                ("maxholes", "Maximum number of TCP SACK holes allowed per connection"),
                ("globalmaxholes", "Global maximum number of TCP SACK holes"),
                ("globalholes", "Global number of TCP SACK holes"),
            ),
            1,
        ):
            ro = name == "globalholes"
            lo = None if name == "enable" else 0
            tree.int_node(
                f"net.inet.tcp.sack.{name}", num, self, f"sack_{name}", ro=ro, lo=lo, desc=desc
            )
        tree.func_node(
            "net.inet.tcp.ident", 27, self._ident, "RFC1413 Identification Protocol lookups"
        )
        tcp_nodes(tree, self)
        tree.struct_node("net.inet.tcp.stats", 30, lambda: dict(self.stat), "TCP statistics")
        tree.struct_node(
            "net.inet.tcp.debug", 31, lambda: list(self.debug), "TCP sockets debug information"
        )
        tree.int_node(
            "net.inet.tcp.debx",
            32,
            self,
            "debx",
            ro=True,
            desc="Number of TCP debug sockets messages",
        )
        tree.struct_node(
            "net.inet.tcp.pcblist", None, self.pcblist, "TCP protocol control block list"
        )
        tree.func_node("net.inet.tcp.pcb", None, self._pcb, "One TCP protocol control block")
        tree.node("net.inet.tcp.ecn", None, "RFC3168 Explicit Congestion Notification")
        tree.int_node("net.inet.tcp.ecn.enable", None, self, "ecn_enable", desc="Enable TCP ECN")
        tree.int_node(
            "net.inet.tcp.ecn.maxretries",
            None,
            self,
            "ecn_maxretries",
            lo=0,
            desc="Number of times to retry ECN setup before disabling it",
        )
        tree.node("net.inet.tcp.congctl", None, "TCP Congestion Control")
        tree.str_node(
            "net.inet.tcp.congctl.available",
            None,
            self,
            "congctl_available",
            desc="Available Congestion Control Mechanisms",
        )
        tree.str_node(
            "net.inet.tcp.congctl.selected",
            None,
            self,
            "congctl_selected",
            ro=False,
            maxlen=15,
            desc="Selected Congestion Control Mechanism",
        )
        tree.node("net.inet.tcp.abc", None, "RFC3465 Appropriate Byte Counting (ABC)")
        for name, desc in (
            ("enable", "Enable RFC3465 Appropriate Byte Counting"),
            ("aggressive", "1: L=2*SMSS 0: L=1*SMSS"),
        ):
            tree.int_node(f"net.inet.tcp.abc.{name}", None, self, f"abc_{name}", desc=desc)
        tree.int_node(
            "net.inet.tcp.syn_cookies",
            None,
            self,
            "syn_cookies",
            desc="Answer with SYN cookies when the SYN cache is full",
        )

    @property
    def congctl_available(self) -> str:
        """The names of all algorithms."""
        return " ".join(self.algorithms)

    @property
    def congctl_selected(self) -> str:
        """The algorithm of new connections."""
        return self.congctl.name

    @congctl_selected.setter
    def congctl_selected(self, name: str) -> None:
        found = self.algorithms.get(name)
        if found is None:
            raise NetError("ENOENT")
        self.congctl = found

    def _ident(self, tail: list[int], new: Any, cred: Caller) -> int:
        """Return the user of a connection: foreign address and port, local ones (identd asks)."""
        if new is not None:
            raise NetError("EPERM")
        if len(tail) != 4:
            raise NetError("EINVAL")
        faddr, fport, laddr, lport = (number & MASK for number in tail)
        inp = self.table.lookup_connect(faddr, fport, laddr, lport)
        if inp is None:
            inp = self.table.lookup_bind(laddr, lport)
        if inp is None:
            raise NetError("ESRCH")
        return inp.socket.cred.uid

    def _pcb(self, tail: list[int], new: Any, cred: Caller) -> dict[str, int]:
        """Return the fields of the control block that netstat -A has shown."""
        if new is not None:
            raise NetError("EPERM")
        if len(tail) != 2:
            raise NetError("EINVAL")
        want = (tail[0] & MASK) << 32 | tail[1] & MASK
        for inp in self.table.pcbs:
            if id(inp) & MASK == want:
                return self.fields(inp.ppcb)
        raise NetError("ESRCH")

    def fields(self, tp: Tcpcb) -> dict[str, int]:
        """Return what netstat -P prints; times in slow ticks, rtt and rttvar scaled by 32 and 4."""
        now = self.stack.clock.now

        def left(due: float) -> int:
            return max(0, int((due - now) * SLOWHZ)) if due else 0

        out = {name: getattr(tp, name) & MASK for name in _NUMBERS}
        out |= {name: getattr(tp, name) for name in _SMALL}
        return out | {
            "timer.REXMT": left(tp.t_rexmt),
            "timer.PERSIST": left(tp.t_persist),
            "timer.KEEP": left(tp.t_keep),
            "timer.2MSL": left(tp.t_2msl),
            "rxtcur": int(tp.rxtcur * SLOWHZ),
            "snd_ssthresh": min(tp.snd_ssthresh, 0x3FFFC000),
            "rcvtime": int((now - tp.rcvtime) * SLOWHZ),
            "rtttime": int((now - tp.rtttime) * SLOWHZ) if tp.rtttime else 0,
            "srtt": int(max(tp.srtt, 0.0) * SLOWHZ * 32),
            "rttvar": int(tp.rttvar * SLOWHZ * 4),
            "rttmin": SLOWHZ,
            "ts_recent_age": int((now - tp.ts_recent_age) * SLOWHZ),
            "inpcb": id(tp.inp) & MASK,
        }

    def pcblist(self) -> list[PcbInfo]:
        """Return the sockets for netstat."""
        out = []
        for inp in self.table.pcbs:
            info = pcbinfo("tcp", inp)
            info.state = inp.ppcb.state
            out.append(info)
        return out

    def trace(
        self, act: str, ostate: int, tp: Tcpcb, seq: int, ack: int, flags: int, length: int
    ) -> None:
        """Keep a record of a segment of an SO_DEBUG socket (tcp_trace)."""
        self.debx += 1
        self.debug.append(
            {
                "act": act,
                "time": int(self.stack.clock.wall() * 1000),
                "ostate": ostate,
                "state": tp.state,
                "seq": seq & MASK,
                "ack": ack & MASK,
                "flags": flags,
                "len": length,
                "tcb": id(tp.inp) & MASK,
                "snd_una": tp.snd_una & MASK,
                "snd_nxt": tp.snd_nxt & MASK,
                "snd_max": tp.snd_max & MASK,
                "snd_wnd": tp.snd_wnd,
                "snd_cwnd": tp.snd_cwnd,
                "rcv_nxt": tp.rcv_nxt & MASK,
            }
        )

    # -- upcalls

    def hold(self) -> dict[Socket, None] | None:
        """Let upcalls wait until release(); return what to give to it."""
        stack = self.stack
        if stack.wakeups is not None:
            return None
        stack.wakeups = {}
        return stack.wakeups

    def release(self, held: dict[Socket, None] | None) -> None:
        """Make the upcalls that have waited."""
        if held is None:
            return
        self.stack.wakeups = None
        for so in held:
            if so.upcall is not None:
                so.upcall(so)

    # -- numbers

    def mac(self, what: bytes, key: Key, more: int = 0) -> int:
        """Return 64 bits that nobody without the secret can tell (F of RFC 6528)."""
        faddr, fport, laddr, lport = key
        body = b"".join(number.to_bytes(16, "big") for number in (faddr, laddr, more))
        digest = blake2s(
            what + body + (fport << 16 | lport).to_bytes(4, "big"), digest_size=8, key=self._secret
        )
        return int.from_bytes(digest.digest(), "big")

    def new_iss(self, key: Key) -> int:
        """Return an initial sequence number (RFC 6528: a 4-microsecond clock and a keyed hash)."""
        return (int(self.stack.clock.now * 250_000) + self.mac(b"iss", key)) & MASK

    def new_ts_base(self, key: Key) -> int:
        """Return what the timestamps of a connection count from (RFC 7323 7.1)."""
        return self.mac(b"ts", key) & MASK

    def tsval(self, tp: Tcpcb) -> int:
        """Return the timestamp of now."""
        return (int(self.stack.clock.now * TS_HZ) + tp.ts_base) & MASK

    def keep_s(self, ticks: int) -> float:
        """Return *ticks* of the keepalive knobs in seconds."""
        return ticks / SLOWHZ

    def delack_s(self) -> float:
        """Return how long an ACK may wait, in seconds; RFC 9293 3.8.6.3 wants less than half one."""
        return min(self.delack_ticks / HZ, 0.5)

    def maxidle(self, tp: Tcpcb) -> float:
        """Return how long an unanswered peer is asked, in seconds."""
        interval = tp.keepintvl or self.keep_s(self.keepintvl)
        return interval * (tp.keepcnt or self.keepcnt)

    # -- sizes

    def mss_to_advertise(self, faddr: int) -> int:
        """Return the largest segment we want, without options (RFC 1191 section 3.1).

        Not the way out decides but the widest interface, since segments may come back by another.
        """
        rt = self.stack.route.rtlookup(faddr)
        mtu = rt.ifp.mtu if rt is not None else 0
        if not self.mss_ifmtu or rt is None:
            for ifp in self.stack.ifnets.values():
                if ifp.mtu > mtu and ifp.flags & IFF_UP and not ifp.flags & IFF_LOOPBACK:
                    mtu = ifp.mtu
        mss = mtu - self.table.hdrlen - TCP_HDRLEN
        return min(max(mss, self.mssdflt), 65535)

    def mss_from_peer(self, tp: Tcpcb, offer: int | None) -> None:
        """Take the peer's MSS option, None for none (RFC 9293 3.7.1: then 536), and route metrics."""
        mss = self.mssdflt if offer is None else offer
        if tp.usermss:
            mss = min(mss, tp.usermss)
        tp.peermss = max(mss, TCP_MINMSS)
        rt = self.route(tp)
        if rt is not None:
            if rt.sendpipe:
                tp.so.snd.hiwat = min(rt.sendpipe, self.stack.sbmax)
            if rt.ssthresh:
                tp.snd_ssthresh = max(2 * tp.peermss, rt.ssthresh)
        self.out.segsize(tp)

    def route(self, tp: Tcpcb) -> Rtentry | None:
        """Return the route to the peer."""
        return self.stack.route.rtalloc(tp.inp.faddr)

    def rcv_setup(self, tp: Tcpcb) -> None:
        """Size the receive buffer by the route, and choose the window scale that it needs."""
        rt = self.route(tp)
        rcv = tp.so.rcv
        if rt is not None and rt.recvpipe:
            rcv.hiwat = min(rt.recvpipe, self.stack.sbmax)
        tp.request_r_scale = self.scale_for(rcv.hiwat)
        if rt is not None and rt.rtt and tp.srtt < 0:
            tp.srtt = rt.rtt / 1e6
            tp.rttvar = rt.rttvar / 1e6 if rt.rttvar else tp.srtt / 2
            tp.rxtcur = self.timers.rto(tp)

    def scale_for(self, hiwat: int) -> int:
        """Return the shift with which the largest buffer allowed can be told."""
        most = max(hiwat, self.stack.sbmax)
        shift = 0
        while shift < MAX_WINSHIFT and 65535 << shift < most:
            shift += 1
        return shift

    def is_local(self, tp: Tcpcb) -> bool:
        """Tell whether the peer is on a network of ours."""
        return self.stack.ip.in_localaddr(tp.inp.faddr)

    def cwnd_init(self, tp: Tcpcb) -> None:
        """Open the first window (RFC 3390); one segment after a lost SYN (RFC 5681 3.1)."""
        tp.snd_cwnd = initial_window(self, tp.segsz, local=self.is_local(tp))
        if tp.rxtshift > 0:
            tp.snd_cwnd = tp.segsz
        tp.snd_ssthresh = min(tp.snd_ssthresh, LOTS)

    def narrower(self, tp: Tcpcb, mtu: int) -> None:
        """Note that only *mtu* octets pass, and go back to what was not acknowledged."""
        size = max(mtu - self.table.hdrlen - TCP_HDRLEN, TCP_MINMSS)
        tp.peermss = min(tp.peermss, size)
        self.goback(tp)

    @staticmethod
    def goback(tp: Tcpcb) -> None:
        """Have what was not acknowledged sent again, in segments of another size."""
        tp.rtttime = 0.0
        if tp.state >= TCPS_ESTABLISHED:
            tp.flags &= ~TF_FASTRECOV
            if tp.sack is not None:
                tp.sack.clear()
            tp.snd_nxt = tp.snd_una

    def blackhole(self, tp: Tcpcb) -> bool:
        """Let routers cut what may be too large for a path whose ICMP is lost (RFC 2923 2.1)."""
        if tp.flags & TF_NODF or not self.stack.ip.mtudisc:
            return False
        tp.flags |= TF_NODF
        return True

    # -- life

    def newtcpcb(self, so: Socket) -> Tcpcb:
        """Make the control blocks of a socket."""
        inp = self.table.alloc(so, self.stack.ip.ttl)
        tp = Tcpcb(self, self.table, inp, so)
        inp.ppcb = tp
        self.reset_flags(tp)
        return tp

    def reset_flags(self, tp: Tcpcb) -> None:
        """Ask for the extensions that are switched on."""
        tp.flags &= ~(TF_REQ_SCALE | TF_REQ_TSTMP | TF_WILL_SACK)
        if self.rfc1323 and self.win_scale:
            tp.flags |= TF_REQ_SCALE
        if self.rfc1323 and self.timestamps:
            tp.flags |= TF_REQ_TSTMP
        if self.sack_enable:
            tp.flags |= TF_WILL_SACK

    def drop(self, tp: Tcpcb, symbol: str) -> None:
        """Break a connection off with an error for the reader, and tell the peer (tcp_drop)."""
        if tp.state >= TCPS_SYN_RECEIVED:
            self.stat["drops"] += 1
            if not tp.flags & TF_QUIETDROP:
                self.reset(tp)
        else:
            self.stat["conndrops"] += 1
        tp.so.error = symbol
        self.close(tp)

    def close(self, tp: Tcpcb) -> None:
        """Forget a connection; the socket stays until its holder lets go (tcp_close)."""
        if tp.flags & TF_DEAD:
            return
        if tp.state == TCPS_LISTEN:
            self.syn_cache.cleanup(tp.so)
        tp.flags |= TF_DEAD
        tp.state = TCPS_CLOSED
        self.timers.cancel(tp)
        tp.reass = None
        if tp.sack is not None:
            tp.sack.clear()
            tp.sack = None
        self.stat["closed"] += 1
        so = tp.so
        so.snd.flush()
        self.table.detach(tp.inp)
        so.isdisconnected()

    # -- answers outside of a connection's stream

    def respond(
        self,
        key: Key,
        seq: int,
        ack: int,
        flags: int,
        *,
        win: int = 0,
        data: bytes = b"",
        options: bytes = b"",
        opts: IpOpts | None = None,
        ttl: int = 0,
    ) -> bool:
        """Send one segment to the foreign end of *key*; False when it could not leave (tcp_respond)."""
        faddr, fport, laddr, lport = key
        tlen = TCP_HDRLEN + len(options) + len(data)
        head = _pack(
            lport,
            fport,
            seq & MASK,
            ack & MASK if flags & TH_ACK else 0,
            TCP_HDRLEN + len(options) << 2,
            flags,
            win,
            self.table.pseudo(laddr, faddr, tlen),
            0,
        )
        m = Mbuf(head + options + data)
        m.csum_flags = M_CSUM_TCPv4
        m.src, m.dst, m.proto, m.tos = laddr, faddr, IPPROTO_TCP, 0
        ip = self.stack.ip
        m.ttl = ttl or ip.ttl
        stat = self.stat
        stat["sndtotal"] += 1
        stat["sndctrl" if flags & (TH_RST | TH_SYN | TH_FIN) else "sndacks"] += 1
        try:
            ip.output(m, opts, 0)
        except NetError as exc:
            # ip_output has counted it; nobody of ours waits for it.
            if self.stack.droptrace:
                self.stack.trace_drop(m, "tcp", "respond", exc.symbol)
            return False
        return True

    def reset(self, tp: Tcpcb) -> None:
        """Tell the peer that the connection is over."""
        inp = tp.inp
        key = (inp.faddr, inp.fport, inp.laddr, inp.lport)
        self.respond(key, tp.snd_max, tp.rcv_nxt, TH_RST | TH_ACK, opts=inp.opts, ttl=inp.ttl)

    def refuse(self, m: Mbuf, key: Key, seq: int, ack: int, flags: int, length: int) -> None:
        """Answer a segment that belongs to nothing with a RST (RFC 9293 3.10.7.1), in limits."""
        if flags & TH_RST:
            return
        if self._rsts.exceeded(self.stack.clock.now, self.rstppslimit):
            self.stack.drop(m, "tcp", "rstlimited", "net.inet.tcp.rstppslimit reached")
            return
        if flags & TH_ACK:
            self.respond(key, ack, 0, TH_RST)
        else:
            length += bool(flags & TH_SYN) + bool(flags & TH_FIN)
            self.respond(key, 0, seq + length, TH_RST | TH_ACK)

    def challenge(self, tp: Tcpcb) -> None:
        """Send an ACK for a segment that may be forged, so many a second (RFC 5961 section 5)."""
        if self._acks.exceeded(self.stack.clock.now, self.ackdropppslimit):
            self.stat["ackdroplimited"] += 1
            return
        tp.flags |= TF_ACKNOW
        self.out.ack(tp)

    def probe(self, tp: Tcpcb) -> None:
        """Send a keepalive probe: an octet that the peer has acknowledged (RFC 1122 4.2.3.6)."""
        inp = tp.inp
        key = (inp.faddr, inp.fport, inp.laddr, inp.lport)
        options = b""
        if tp.flags & TF_RCVD_TSTMP:
            options = _stamp(TSTAMP_HDR, self.tsval(tp), tp.ts_recent)
        # 4.2BSD does not answer a probe that has no data.
        data = b"\0" if self.compat_42 else b""
        self.respond(
            key,
            tp.snd_una - 1,
            tp.rcv_nxt,
            TH_ACK,
            win=self.out.window(tp) >> tp.rcv_scale,
            data=data,
            options=options,
            opts=inp.opts,
            ttl=inp.ttl,
        )

    def refused(self, key: Key) -> None:
        """Log an attempt to connect where nobody listens."""
        if self.log_refused:
            faddr, fport, laddr, lport = key
            self.stack.log(
                INFO,
                f"Connection attempt to TCP {inet_ntoa(laddr)}:{lport} "
                f"from {inet_ntoa(faddr)}:{fport}",
            )

    # -- news from ICMP

    def ours(self, quoted: Ipv4, head: bytes) -> Tcpcb | None:
        """Return the connection that a quoted segment is of, if it can be under way (RFC 5927 4.1)."""
        if len(head) < 8:
            return None
        sport, dport = int.from_bytes(head[:2], "big"), int.from_bytes(head[2:4], "big")
        inp = self.table.lookup_connect(quoted.dst, dport, quoted.src, sport)
        if inp is None:
            return None
        tp: Tcpcb = inp.ppcb
        seq = unroll(int.from_bytes(head[4:8], "big"), tp.snd_una)
        if not tp.snd_una <= seq < tp.snd_max:
            self.stat["icmpforged"] += 1
            return None
        return tp

    def vouch(self, quoted: Ipv4, head: bytes) -> bool:
        """Tell whether a segment that is said to be too large can be one of ours."""
        return self.ours(quoted, head) is not None

    def ctlinput(self, prc: str, quoted: Ipv4, head: bytes) -> None:
        """Hear of an ICMP error about a segment of ours (tcp_ctlinput)."""
        error = INETCTLERR[prc]
        # RFC 6633: source quench is history, and a way to slow others down.
        if prc in (PRC_QUENCH, PRC_REDIRECT_HOST) or not error:
            return
        tp = self.ours(quoted, head)
        if tp is None:
            if len(head) >= 8 and prc != PRC_MSGSIZE:
                sport, dport = int.from_bytes(head[:2], "big"), int.from_bytes(head[2:4], "big")
                seq = int.from_bytes(head[4:8], "big")
                self.syn_cache.unreach((quoted.dst, dport, quoted.src, sport), seq)
            return
        held = self.hold()
        try:
            if prc == PRC_MSGSIZE:
                rt = self.route(tp)
                if rt is not None:
                    before = tp.segsz
                    self.out.segsize(tp)
                    if tp.segsz < before:
                        self.goback(tp)
                        self.output(tp)
            else:
                self._notify(tp, prc, error)
        finally:
            self.release(held)

    def _notify(self, tp: Tcpcb, prc: str, error: str) -> None:
        """Take an unreachable's word slowly (RFC 1122 4.2.3.9, RFC 5461)."""
        if (tp.state == TCPS_SYN_SENT and prc in _HARD) or (
            tp.state < TCPS_ESTABLISHED and tp.rxtshift > _SOFT_TRIES and tp.softerror
        ):
            self.drop(tp, error)
        else:
            tp.softerror = error

    # -- interfaces

    def purgeif(self, event: str, ifp: Any, _arg: Any) -> None:
        """Interface hook: let go of one that goes away."""
        if event == "detach":
            self.table.purgeif(ifp)
