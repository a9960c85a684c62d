"""Half-open connections: the SYN cache, and SYN cookies when it is full (NetBSD; RFC 4987).

A SYN costs one small entry and no socket. An entry whose SYN,ACK is not acknowledged is sent again 1, 2,
4 … seconds later, and given up when the handshake has taken KEEP_INIT seconds. All entries that wait for
their n-th retransmission wait equally long, so there is one queue for each n and one callout for all.

When the cache or the bucket of a SYN is full, the SYN,ACK says in its sequence number all that an entry
would have held: five bits of a clock of COOKIE_PERIOD seconds, three of the peer's MSS, 24 of a keyed
hash; window scale and SACK go in the low bits of the timestamp if there is one. Nothing is remembered.
With net.inet.tcp.syn_cookies=0 the oldest entry makes room instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from libnet.engine.inet.ip_options import reply_options
from libnet.engine.inet.ip_var import IpOpts
from libnet.engine.tcp.tcp_var import (
    BACKOFF,
    KEEP_INIT,
    MASK,
    RTO_INIT,
    TCP_MAXWIN,
    TCPS_SYN_RECEIVED,
    TF_ECN_PERMIT,
    TF_RCVD_SCALE,
    TF_RCVD_TSTMP,
    TF_REQ_SCALE,
    TF_REQ_TSTMP,
    TF_SACK_PERMIT,
    TF_SAWTSTMP,
    TF_SYN_REXMT,
    TF_WILL_SACK,
    TS_HZ,
    Tcpcb,
    unroll,
)
from libnet.wire.tcp import MAX_WINSHIFT, TH_ACK, TH_CWR, TH_ECE, TH_SYN, Options, build_options

if TYPE_CHECKING:
    from libnet.clock import Callout
    from libnet.engine.kern.mbuf import Mbuf
    from libnet.engine.kern.socket import Socket
    from libnet.engine.tcp.tcp_subr import Key, Tcp

BUCKETS: Final = 293
COOKIE_PERIOD: Final = 64.0  # seconds; a cookie is good for one to two of them
COOKIE_MSS: Final = (216, 536, 1024, 1200, 1360, 1440, 1460, 8960)
_ISSINCR: Final = 128 * 1024
_HASH24: Final = 0xFFFFFF
_TS_BITS: Final = 6  # of the timestamp: four of window scale (15: none), SACK, ECN
_NO_SCALE: Final = 15


class SynEntry:
    """One half-open connection (struct syn_cache).

    key        foreign and local address and port       listener  whose it will be
    iss, irs   initial numbers, ours and the peer's     win       peer's window in the SYN
    peermss ourmss   octets; peermss None for no offer  wscale    peer's shift, None without
    rscale     our shift                                tsval     peer's timestamp, None without
    sack ecn   what both sides do                       shift     SYN,ACKs sent again
    born due   seconds                                  opts      IP options to answer with
    """

    __slots__ = (
        "born",
        "due",
        "ecn",
        "irs",
        "iss",
        "key",
        "listener",
        "opts",
        "ourmss",
        "peermss",
        "rscale",
        "sack",
        "shift",
        "ts_base",
        "tsval",
        "win",
        "wscale",
    )

    def __init__(self, key: Key, listener: Socket | None, irs: int) -> None:
        self.key, self.listener, self.irs = key, listener, irs
        self.iss = self.win = self.rscale = self.shift = self.ts_base = 0
        self.ourmss = 0
        self.peermss: int | None = None
        self.wscale: int | None = None
        self.tsval: int | None = None
        self.sack = self.ecn = False
        self.opts: IpOpts | None = None
        self.born = self.due = 0.0


class SynCache:
    """The half-open connections of one stack.

    entries  by key            cookies_until  how long ACKs may bear cookies
    """

    def __init__(self, tcp: Tcp) -> None:
        self.tcp = tcp
        self.stat = tcp.stat
        self.clock = tcp.stack.clock
        self.entries: dict[Key, SynEntry] = {}
        self.cookies_until = -1.0
        self._salt = tcp.stack.dice.getrandbits(62)
        self._buckets: dict[int, dict[Key, SynEntry]] = {}
        self._queues: list[dict[Key, SynEntry]] = [{} for _ in BACKOFF]
        self._callout: Callout | None = None

    # -- a SYN

    def add(
        self,
        m: Mbuf,
        key: Key,
        so: Socket,
        seq: int,
        flags: int,
        win: int,
        opt: Options,
        floor: int = 0,
    ) -> None:
        """Take a SYN for listener *so*, and answer it.

        floor  number that ours must lie above, 0 for no matter: a connection was here just now
        """
        tcp, stat = self.tcp, self.stat
        old = self.entries.get(key)
        if old is not None:
            stat["sc_dupesyn"] += 1
            if old.irs == seq:
                if opt.tsval is not None and old.tsval is not None:
                    old.tsval = opt.tsval
                self._respond(old)
                return
            # Another incarnation: what was asked before is void.
            self._remove(old)
        entry = SynEntry(key, so, seq)
        entry.win = win
        entry.opts = reply_options(m)
        self._negotiate(entry, flags, opt)
        entry.iss = tcp.new_iss(key)
        if floor and unroll(entry.iss, floor) <= floor:
            entry.iss = (floor + _ISSINCR) & MASK
        entry.ts_base = tcp.new_ts_base(key)
        entry.born = self.clock.now
        number = self._hash(key)
        bucket = self._buckets.get(number, {})
        full = ""
        if len(self.entries) >= tcp.syn_cache_limit:
            full = "sc_overflowed"
        elif len(bucket) >= tcp.syn_bucket_limit:
            full = "sc_bucketoverflow"
        if full:
            stat[full] += 1
            if tcp.syn_cookies:
                self._cookie(entry)
                return
            victims = bucket or next(other for other in self._buckets.values() if other)
            self._remove(next(iter(victims.values())))
        if bucket:
            stat["sc_collisions"] += 1
        self._buckets.setdefault(number, {})[key] = entry
        self.entries[key] = entry
        stat["sc_added"] += 1
        self._wait(entry)
        if not self._respond(entry):
            stat["sc_dropped"] += 1
            self._remove(entry)

    def _negotiate(self, entry: SynEntry, flags: int, opt: Options) -> None:
        """Decide on the extensions: what the peer offers and we do."""
        tcp = self.tcp
        entry.peermss = opt.mss
        entry.ourmss = tcp.mss_to_advertise(entry.key[0])
        if tcp.rfc1323 and tcp.win_scale and opt.wscale is not None:
            entry.wscale = min(opt.wscale, MAX_WINSHIFT)
            assert entry.listener is not None
            entry.rscale = tcp.scale_for(entry.listener.rcv.hiwat)
        if tcp.rfc1323 and tcp.timestamps:
            entry.tsval = opt.tsval
        entry.sack = bool(tcp.sack_enable and opt.sackok)
        # RFC 3168 6.1.1: a SYN with both bits asks for it.
        entry.ecn = bool(tcp.ecn_enable and flags & (TH_ECE | TH_CWR) == TH_ECE | TH_CWR)

    def _hash(self, key: Key) -> int:
        return hash((self._salt, *key)) % BUCKETS

    def _respond(self, entry: SynEntry, cookie_ts: int | None = None) -> bool:
        """Send the SYN,ACK (syn_cache_respond); False when there is no way to the peer."""
        stamp = None
        if entry.tsval is not None:
            stamp = (int(self.clock.now * TS_HZ) + entry.ts_base) & MASK
            if cookie_ts is not None:
                stamp = cookie_ts
        options = build_options(
            Options(
                mss=entry.ourmss,
                wscale=entry.rscale if entry.wscale is not None else None,
                sackok=entry.sack,
                tsval=stamp,
                tsecr=entry.tsval,
            )
        )
        flags = TH_SYN | TH_ACK
        if entry.ecn and not entry.shift:
            flags |= TH_ECE
        so = entry.listener
        win = min(so.rcv.hiwat, TCP_MAXWIN) if so is not None else 0
        ttl = so.pcb.ttl if so is not None and so.pcb is not None else 0
        return self.tcp.respond(
            entry.key,
            entry.iss,
            entry.irs + 1,
            flags,
            win=win,
            options=options,
            opts=entry.opts,
            ttl=ttl,
        )

    # -- waiting

    def _wait(self, entry: SynEntry) -> None:
        entry.due = self.clock.now + RTO_INIT * BACKOFF[entry.shift]
        self._queues[entry.shift][entry.key] = entry
        callout = self._callout
        if callout is None or callout.due > entry.due:
            if callout is not None:
                callout.stop()
            self._callout = self.clock.after(entry.due - self.clock.now, self._timeout)

    def _timeout(self) -> None:
        """Send again what is due; give up what has taken too long."""
        self._callout = None
        now = self.clock.now
        for queue in self._queues:
            while queue:
                entry = next(iter(queue.values()))
                if entry.due > now:
                    break
                del queue[entry.key]
                if now - entry.born + RTO_INIT * BACKOFF[entry.shift + 1] >= KEEP_INIT:
                    self.stat["sc_timed_out"] += 1
                    self._remove(entry)
                    continue
                entry.shift += 1
                self.stat["sc_retransmitted"] += 1
                self._wait(entry)
                self._respond(entry)
        due = min((next(iter(q.values())).due for q in self._queues if q), default=None)
        if due is not None:
            if self._callout is not None:
                self._callout.stop()
            self._callout = self.clock.after(max(0.0, due - now), self._timeout)

    def _remove(self, entry: SynEntry) -> None:
        key = entry.key
        self.entries.pop(key, None)
        self._queues[entry.shift].pop(key, None)
        number = self._hash(key)
        bucket = self._buckets.get(number)
        if bucket is not None:
            bucket.pop(key, None)
            if not bucket:
                del self._buckets[number]

    def cleanup(self, so: Socket) -> None:
        """Forget what was asked of a listener that goes away."""
        for entry in [entry for entry in self.entries.values() if entry.listener is so]:
            self._remove(entry)

    # -- what may follow

    def reset(self, key: Key, seq: int) -> None:
        """Take a RST; only the number that we expect counts (RFC 5961 3.2)."""
        entry = self.entries.get(key)
        if entry is not None and seq == (entry.irs + 1) & MASK:
            self.stat["sc_reset"] += 1
            self._remove(entry)

    def unreach(self, key: Key, seq: int) -> None:
        """Hear that a SYN,ACK did not arrive; the second time it is believed."""
        entry = self.entries.get(key)
        if entry is not None and seq == entry.iss and entry.shift >= 2:
            self.stat["sc_unreach"] += 1
            self._remove(entry)

    def get(
        self, key: Key, so: Socket, seq: int, ack: int, win: int, opt: Options
    ) -> tuple[Tcpcb | None, bool]:
        """Take an ACK for listener *so*.

        Returns the connection it makes, in SYN_RECEIVED, or None; and whether it is dealt with: if
        neither, it is to be refused.
        """
        entry = self.entries.get(key)
        if entry is None:
            entry = self._from_cookie(key, so, seq, ack, win, opt)
            if entry is None:
                return None, False
        elif ack != (entry.iss + 1) & MASK:
            return None, False
        else:
            delta = (seq - entry.irs - 1) & MASK
            if delta > max(so.rcv.hiwat, TCP_MAXWIN):
                # RFC 9293 3.10.7.4: out of window, say again what is expected.
                self._respond(entry)
                return None, True
            self._remove(entry)
        tp = self._complete(entry, so)
        if tp is None:
            self.stat["sc_aborted"] += 1
        return tp, tp is not None

    def _complete(self, entry: SynEntry, head: Socket) -> Tcpcb | None:
        """Make the socket and control block that *entry* stood for (syn_cache_get)."""
        tcp = self.tcp
        so = head.sonewconn()
        if so is None:
            return None
        faddr, fport, laddr, lport = entry.key
        inp = so.pcb
        listener = head.pcb
        inp.ttl, inp.tos, inp.flags = listener.ttl, listener.tos, listener.flags
        inp.opts = entry.opts or listener.opts
        tcp.table.set(inp, laddr=laddr, lport=lport, faddr=faddr, fport=fport)
        tp: Tcpcb = inp.ppcb
        model: Tcpcb = listener.ppcb
        tp.usermss = model.usermss
        tp.cc = model.cc
        tp.keepidle, tp.keepintvl, tp.keepcnt = model.keepidle, model.keepintvl, model.keepcnt
        tp.flags = model.flags & ~(TF_REQ_SCALE | TF_REQ_TSTMP | TF_WILL_SACK)
        if entry.wscale is not None:
            tp.flags |= TF_REQ_SCALE | TF_RCVD_SCALE
            tp.requested_s_scale = tp.snd_scale = entry.wscale
            tp.request_r_scale = tp.rcv_scale = entry.rscale
        now = self.clock.now
        if entry.tsval is not None:
            tp.flags |= TF_REQ_TSTMP | TF_RCVD_TSTMP | TF_SAWTSTMP
            tp.ts_recent, tp.ts_recent_age = entry.tsval, now
        if entry.sack:
            tp.flags |= TF_WILL_SACK | TF_SACK_PERMIT
        if entry.ecn:
            tp.flags |= TF_ECN_PERMIT
            self.stat["ecn_shs"] += 1
        tp.ts_base = entry.ts_base
        tp.iss, tp.irs = entry.iss, entry.irs
        tp.snd_una = tp.snd_up = tp.snd_recover = tp.ecn_recover = entry.iss
        tp.snd_nxt = tp.snd_max = entry.iss + 1
        tp.rcv_nxt = tp.rcv_up = tp.last_ack_sent = entry.irs + 1
        tp.rcv_adv = tp.rcv_nxt + min(head.rcv.hiwat, TCP_MAXWIN)
        tp.ourmss = entry.ourmss
        tp.snd_wnd = tp.max_sndwnd = entry.win
        tp.state = TCPS_SYN_RECEIVED
        tp.starttime = tp.rcvtime = now
        tcp.mss_from_peer(tp, entry.peermss)
        if entry.shift:
            tp.flags |= TF_SYN_REXMT
            tp.rxtshift = 1  # RFC 5681 3.1: start with one segment
        elif entry.born:
            tcp.inp.rtt(tp, now - entry.born)
        self.stat["sc_completed"] += 1
        self.stat["accepts"] += 1
        return tp

    # -- cookies

    def _cookie_mac(self, key: Key, irs: int, count: int, index: int) -> int:
        return self.tcp.mac(b"cookie", key, irs << 40 | count << 8 | index) & _HASH24

    def _cookie(self, entry: SynEntry) -> None:
        """Answer with a sequence number that remembers *entry* for us."""
        now = self.clock.now
        count = int(now / COOKIE_PERIOD)
        offer = entry.peermss or self.tcp.mssdflt
        index = max((n for n, mss in enumerate(COOKIE_MSS) if mss <= offer), default=0)
        mac = self._cookie_mac(entry.key, entry.irs, count, index)
        entry.iss = (count & 31) << 27 | index << 24 | mac
        stamp = None
        if entry.tsval is not None:
            scale = _NO_SCALE if entry.wscale is None else entry.wscale
            bits = scale << 2 | entry.sack << 1 | entry.ecn
            base = (int(now * TS_HZ) + entry.ts_base) & MASK
            # The octave before this one, so that timestamps never seem to run backwards.
            stamp = ((base >> _TS_BITS) - 1 << _TS_BITS | bits) & MASK
        else:
            entry.wscale, entry.sack, entry.ecn = None, False, False
        self.cookies_until = now + 2 * COOKIE_PERIOD
        self.stat["sc_cookies"] += 1
        self._respond(entry, stamp)

    def _from_cookie(
        self, key: Key, so: Socket, seq: int, ack: int, win: int, opt: Options
    ) -> SynEntry | None:
        """Return the entry that the acknowledged cookie stands for, or None."""
        now = self.clock.now
        if now > self.cookies_until:
            return None
        irs, iss = (seq - 1) & MASK, (ack - 1) & MASK
        count = int(now / COOKIE_PERIOD)
        age = (count - (iss >> 27)) & 31
        index = iss >> 24 & 7
        if age > 1 or self._cookie_mac(key, irs, count - age, index) != iss & _HASH24:
            self.stat["sc_badcookies"] += 1
            return None
        entry = SynEntry(key, so, irs)
        entry.iss = iss
        entry.win = win
        entry.peermss = COOKIE_MSS[index]
        entry.ourmss = self.tcp.mss_to_advertise(key[0])
        entry.ts_base = self.tcp.new_ts_base(key)
        tsecr = opt.tsecr
        if tsecr is not None and self.tcp.rfc1323 and self.tcp.timestamps:
            entry.tsval = opt.tsval
            scale = tsecr >> 2 & 15
            if scale != _NO_SCALE:
                entry.wscale = min(scale, MAX_WINSHIFT)
                entry.rscale = self.tcp.scale_for(so.rcv.hiwat)
            entry.sack = bool(tsecr & 2)
            entry.ecn = bool(tsecr & 1)
        return entry
