"""Does a packet fit its state? TCP windows, UDP, ICMP and the packets that ICMP errors quote.

The TCP part follows G. van Rooij, "Real Stateful TCP Packet Filtering in IP Filter" (2000): each side
has the highest sequence number sent (seqlo), the highest the other side allows (seqhi) and the largest
window it has offered (max_win). A segment is in the window when it ends before seqhi, begins no further
back than the other side's window, and acknowledges neither much too little nor anything not sent. What
is outside passes only while the window is not known yet, or is closing, and moves no timeout.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Final

from libnet.addr import AF_INET
from libnet.engine.pf import norm_tcp
from libnet.engine.pf.packet import IPPROTO_ICMPV6, Pd, adjust
from libnet.engine.pf.state import (
    MULTIPLE,
    SINGLE,
    TCPS_CLOSED,
    TCPS_CLOSING,
    TCPS_ESTABLISHED,
    TCPS_FIN_WAIT_2,
    TCPS_SYN_SENT,
    TCPS_TIME_WAIT,
    Peer,
    State,
    pack_key,
)
from libnet.ioctl import pf as p
from libnet.wire.ipv4 import IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP
from libnet.wire.tcp import (
    MAX_WINSHIFT,
    TCPOPT_EOL,
    TCPOPT_NOP,
    TCPOPT_SACK,
    TH_ACK,
    TH_FIN,
    TH_RST,
    TH_SYN,
)

if TYPE_CHECKING:
    from libnet.engine.pf.pf import Pf

WSCALE_FLAG: Final = 0x80
WSCALE_MASK: Final = 0x0F
MAXACKWINDOW: Final = 0xFFFF + 1500

_M: Final = 0xFFFFFFFF
_HALF: Final = 0x80000000
_ORDINARY: Final = TH_ACK | TH_SYN | TH_FIN | TH_RST
_fields = Struct("!IIBBH").unpack_from

PFRES_FRAG: Final = 2
PFRES_SHORT: Final = 3
PFRES_STATE: Final = 10
PFRES_SRCLIMIT: Final = 13
PFRES_SYNPROXY: Final = 14

# ICMP errors: what quotes a packet.
ERRORS4: Final = frozenset((3, 4, 5, 11, 12))
ERRORS6: Final = frozenset((1, 2, 3, 4))

Verdict = tuple[int, State | None]
_NONE: Final[Verdict] = (p.PF_DROP, None)


def seq_geq(one: int, two: int) -> bool:
    """Compare sequence numbers (RFC 9293 section 3.4).

    >>> seq_geq(5, 0xfffffff0)
    True
    """
    return (one - two) & _M < _HALF


def signed(value: int) -> int:
    """Return a difference of sequence numbers with its sign."""
    value &= _M
    return value - (1 << 32) if value & _HALF else value


def get_wscale(pd: Pd) -> int:
    """Return the window scale that a SYN offers, with WSCALE_FLAG; 0 for none."""
    wscale = pd.tcp_options().wscale
    return 0 if wscale is None else min(wscale, MAX_WINSHIFT) | WSCALE_FLAG


class Tracker:
    """The state half of one pf."""

    def __init__(self, pf: Pf) -> None:
        self.pf = pf

    def test(self, pd: Pd) -> Verdict:
        """Find the state of *pd*: (verdict, state); (PF_DROP, None) when it has none."""
        proto = pd.proto
        if proto == IPPROTO_TCP:
            state = self._find(pd, pd.sport, pd.dport)
            return _NONE if state is None else self._tcp(pd, state)
        if proto == IPPROTO_UDP:
            state = self._find(pd, pd.sport, pd.dport)
            return _NONE if state is None else self._udp(pd, state)
        if proto in (IPPROTO_ICMP, IPPROTO_ICMPV6):
            if pd.icmptype in (ERRORS4 if proto == IPPROTO_ICMP else ERRORS6):
                return self._icmp_error(pd)
            if pd.direction == p.PF_IN:
                state = self._find(pd, 0, pd.icmpid)
            else:
                state = self._find(pd, pd.icmpid, 0)
            return _NONE if state is None else self._icmp(pd, state)
        state = self._find(pd, 0, 0)
        return _NONE if state is None else self._other(pd, state)

    def _find(self, pd: Pd, sport: int, dport: int) -> State | None:
        key = pack_key(pd.af, pd.proto, (pd.src, sport), (pd.dst, dport))
        return self.pf.states.find(pd.proto, key, pd.direction, pd.kif)

    def _elsewhere(self, pd: Pd, state: State) -> bool:
        """Tell whether a routed state's packet is still on the way to its interface."""
        rule = state.rule
        return (
            pd.direction == p.PF_OUT
            and bool(rule.rt)
            and state.rt_kif is not None
            and state.rt_kif is not pd.kif
            and (
                (rule.rt == p.PF_ROUTETO and rule.direction == p.PF_OUT)
                or (rule.rt == p.PF_REPLYTO and rule.direction == p.PF_IN)
            )
        )

    def _translate(self, pd: Pd, state: State) -> None:
        if pd.direction == p.PF_OUT:
            pd.translate(0, *state.gwy)
        else:
            pd.translate(1, *state.lan)

    # -- UDP and all others

    def _udp(self, pd: Pd, state: State) -> Verdict:
        if self._elsewhere(pd, state):
            return p.PF_PASS, state
        self._datagram(pd, state, p.PFTM_UDP_MULTIPLE, p.PFTM_UDP_SINGLE)
        return p.PF_PASS, state

    def _other(self, pd: Pd, state: State) -> Verdict:
        if self._elsewhere(pd, state):
            return p.PF_PASS, state
        self._datagram(pd, state, p.PFTM_OTHER_MULTIPLE, p.PFTM_OTHER_SINGLE)
        return p.PF_PASS, state

    def _datagram(self, pd: Pd, state: State, multiple: int, single: int) -> None:
        src, dst = state.src, state.dst
        if pd.direction != state.direction:
            src, dst = dst, src
        if src.state < SINGLE:
            src.state = SINGLE
        if dst.state == SINGLE:
            dst.state = MULTIPLE
        both = src.state == MULTIPLE and dst.state == MULTIPLE
        self._refresh(state, multiple if both else single)
        if state.translated:
            self._translate(pd, state)

    def _refresh(self, state: State, timeout: int) -> None:
        state.last = self.pf.stack.clock.now
        if timeout != state.timeout:
            state.timeout = timeout
            self.pf.states.hasten(state)

    # -- ICMP

    def _icmp(self, pd: Pd, state: State) -> Verdict:
        if self._elsewhere(pd, state):
            return p.PF_PASS, state
        self._refresh(state, p.PFTM_ICMP_ERROR_REPLY)
        if state.translated:
            self._translate(pd, state)
        return p.PF_PASS, state

    def _icmp_error(self, pd: Pd) -> Verdict:
        """Judge an ICMP error by the packet that it quotes."""
        quote = Quote.read(pd)
        if quote is None:
            return _NONE
        if pd.dst != quote.src:
            # An error goes to whoever sent what it quotes; anything else is forged (CVE-2019-5598).
            pd.reason = PFRES_STATE
            self.pf.debug(p.PF_DEBUG_MISC, "BAD ICMP: it is not for the source of what it quotes")
            return p.PF_DROP, None
        sport, dport = quote.sport, quote.dport
        # The quoted packet went the other way: seen from here its ends change places.
        key = pack_key(pd.af, quote.proto, (quote.dst, dport), (quote.src, sport))
        state = self.pf.states.find(quote.proto, key, pd.direction, pd.kif)
        if state is None:
            pd.reason = 0
            return _NONE
        if quote.proto == IPPROTO_TCP and not self._quoted_tcp(pd, state, quote):
            pd.reason = PFRES_STATE
            return p.PF_DROP, state
        if state.translated:
            if pd.direction == p.PF_IN:
                quote.change(0, *state.lan)
                pd.change_addr(1, state.lan[0])
            else:
                quote.change(1, *state.gwy)
                pd.change_addr(0, state.gwy[0])
        quote.commit()
        return p.PF_PASS, state

    def _quoted_tcp(self, pd: Pd, state: State, quote: Quote) -> bool:
        src, dst = state.src, state.dst
        if pd.direction == state.direction:
            src, dst = dst, src  # the quoted segment went against the direction of the error
        shift = dst.wscale & WSCALE_MASK if src.wscale and dst.wscale else 0
        seq = (quote.seq - src.seqdiff) & _M
        if src.seqdiff:
            quote.change_seq(seq)
        return seq_geq(src.seqhi, seq) and seq_geq(seq, src.seqlo - (dst.max_win << shift))

    # -- TCP

    def _tcp(self, pd: Pd, state: State) -> Verdict:
        pf = self.pf
        if self._elsewhere(pd, state):
            return p.PF_PASS, state
        src, dst = state.src, state.dst
        if pd.direction != state.direction:
            src, dst = dst, src
        flags = pd.tflags
        if state.src.state in (p.PF_TCPS_PROXY_SRC, p.PF_TCPS_PROXY_DST):
            verdict = self._synproxy(pd, state)
            if verdict is not None:
                return verdict, state
        if (
            flags & (TH_SYN | TH_ACK) == TH_SYN
            and src.state >= TCPS_FIN_WAIT_2
            and dst.state >= TCPS_FIN_WAIT_2
        ):
            # The same ports again after a connection that is over: a new one.
            pf.states.remove(state)
            return _NONE
        win = pd.win
        sws = dws = 0
        if src.wscale and dst.wscale and not flags & TH_SYN:
            sws, dws = src.wscale & WSCALE_MASK, dst.wscale & WSCALE_MASK

        seq = orig_seq = pd.seq
        size = pd.plen + (1 if flags & TH_SYN else 0) + (1 if flags & TH_FIN else 0)
        ack = (pd.ack - dst.seqdiff) & _M
        if src.seqlo == 0:
            # The first segment of this end.
            if (pd.scrub is not None or dst.scrub is not None) and src.scrub is None:
                norm_tcp.init(pf, pd, src)
                state.plain = False
            if dst.seqdiff and not src.seqdiff:
                src.seqdiff = pf.random_diff(seq)
            end = (seq + size) & _M
            if flags & TH_SYN and dst.wscale & WSCALE_FLAG:
                src.wscale = get_wscale(pd)
                if src.wscale & WSCALE_FLAG:
                    sws, dws = src.wscale & WSCALE_MASK, dst.wscale & WSCALE_MASK
                    win = (win + (1 << sws) - 1) >> sws
                else:
                    # Only one side offered: neither scales.
                    dst.max_win <<= dst.wscale & WSCALE_MASK
                    dst.wscale = 0
            src.seqlo = seq
            src.state = max(src.state, TCPS_SYN_SENT)
            top = (end + max(1, dst.max_win << dws)) & _M
            if src.seqhi == 1 or seq_geq(top, src.seqhi):
                src.seqhi = top
            src.max_win = max(src.max_win, win)
        else:
            end = (seq + size) & _M
        if src.seqdiff:
            pd.change32(4, seq + src.seqdiff)
        if dst.seqdiff:
            if flags & TH_ACK:
                pd.change32(8, ack)
            if pd.toff > 20:
                _modulate_sack(pd, dst)

        if not flags & TH_ACK or (not ack and flags & TH_RST) or dst.state < TCPS_SYN_SENT:
            ack = dst.seqlo
        if seq == end:
            seq = end = src.seqlo  # a segment without data says nothing about the window
        ackskew = signed(dst.seqlo - ack)
        exact = not flags & TH_RST or not pd.reas or orig_seq in (src.seqlo, (src.seqlo + 1) & _M)
        if (
            (src.seqhi - end) & _M < _HALF
            and (seq - src.seqlo + (dst.max_win << dws)) & _M < _HALF
            and -MAXACKWINDOW <= ackskew <= MAXACKWINDOW << sws
            and exact
        ):
            if (src.scrub is not None or dst.scrub is not None) and not norm_tcp.stateful(
                pf, pd, src, dst
            ):
                return p.PF_DROP, state
            self._advance(src, dst, end, ack, win, sws)
            if flags & TH_SYN and src.state < TCPS_SYN_SENT:
                src.state = TCPS_SYN_SENT
            if flags & TH_FIN and src.state < TCPS_CLOSING:
                src.state = TCPS_CLOSING
            if flags & TH_ACK:
                if dst.state == TCPS_SYN_SENT:
                    dst.state = TCPS_ESTABLISHED
                    if (
                        src.state == TCPS_ESTABLISHED
                        and state.src_node is not None
                        and self.connlimit(state)
                    ):
                        pd.reason = PFRES_SRCLIMIT
                        return p.PF_DROP, state
                elif dst.state == TCPS_CLOSING:
                    dst.state = TCPS_FIN_WAIT_2
            if flags & TH_RST:
                src.state = dst.state = TCPS_TIME_WAIT
            low = min(src.state, dst.state)
            if low == TCPS_ESTABLISHED and src.state < TCPS_CLOSING and dst.state < TCPS_CLOSING:
                timeout = p.PFTM_TCP_ESTABLISHED
            elif low >= TCPS_FIN_WAIT_2:
                timeout = p.PFTM_TCP_CLOSED
            elif low >= TCPS_CLOSING:
                timeout = p.PFTM_TCP_FIN_WAIT
            elif low < TCPS_ESTABLISHED:
                timeout = p.PFTM_TCP_OPENING
            elif max(src.state, dst.state) >= TCPS_CLOSING:
                timeout = p.PFTM_TCP_CLOSING
            else:
                timeout = p.PFTM_TCP_ESTABLISHED
            self._refresh(state, timeout)
        elif (
            (
                dst.state < TCPS_SYN_SENT
                or dst.state >= TCPS_FIN_WAIT_2
                or src.state >= TCPS_FIN_WAIT_2
            )
            and seq_geq(src.seqhi + MAXACKWINDOW, end)
            and seq_geq(seq, src.seqlo - MAXACKWINDOW)
            and exact
        ):
            # A connection picked up in its middle, or the last segments of one.
            if (src.scrub is not None or dst.scrub is not None) and not norm_tcp.stateful(
                pf, pd, src, dst
            ):
                return p.PF_DROP, state
            self._advance(src, dst, end, ack, win, sws)
            if flags & TH_FIN and src.state < TCPS_CLOSING:
                src.state = TCPS_CLOSING
            if flags & TH_RST:
                src.state = dst.state = TCPS_TIME_WAIT
        else:
            if dst.state == TCPS_SYN_SENT and src.state == TCPS_SYN_SENT:
                # Both ends disagree about the handshake: have this one give up its half.
                if not flags & TH_RST:
                    pf.send_tcp(
                        pd.af, pd.dst, pd.src, pd.dport, pd.sport, pd.ack, 0, TH_RST, 0,
                        ttl=state.rule.spec.return_ttl, origin=pd,
                    )  # fmt: skip
                src.seqlo, src.seqhi, src.max_win = 0, 1, 1
            else:
                pf.bad_state(pd, state, seq, ack, ackskew)
            pd.reason = PFRES_STATE
            return p.PF_DROP, state

        if state.translated:
            self._translate(pd, state)
        return p.PF_PASS, state

    @staticmethod
    def _advance(src: Peer, dst: Peer, end: int, ack: int, win: int, sws: int) -> None:
        """Move the window over an accepted segment."""
        if win > src.max_win:
            src.max_win = win
        if 0 < (end - src.seqlo) & _M < _HALF:
            src.seqlo = end
        top = (ack + (win << sws)) & _M
        if (top - dst.seqhi) & _M < _HALF:
            dst.seqhi = (ack + max(win << sws, 1)) & _M

    # -- SYN proxy

    def _synproxy(self, pd: Pd, state: State) -> int | None:
        """Take part in a handshake for others; None when the segment is to be tracked as usual."""
        pf = self.pf
        src, dst = state.src, state.dst
        flags = pd.tflags
        forward = pd.direction == state.direction
        if src.state == p.PF_TCPS_PROXY_SRC:
            pd.reason = PFRES_SYNPROXY
            if not forward:
                return p.PF_SYNPROXY_DROP
            if flags & TH_SYN:
                if pd.seq != src.seqlo:
                    return p.PF_DROP
                pf.send_tcp(
                    pd.af, pd.dst, pd.src, pd.dport, pd.sport, src.seqhi, pd.seq + 1,
                    TH_SYN | TH_ACK, 0, mss=src.mss, origin=pd,
                )  # fmt: skip
                return p.PF_SYNPROXY_DROP
            if (
                not flags & TH_ACK
                or pd.ack != (src.seqhi + 1) & _M
                or pd.seq != (src.seqlo + 1) & _M
            ):
                return p.PF_DROP
            if state.src_node is not None and self.connlimit(state):
                pd.reason = PFRES_SRCLIMIT
                return p.PF_DROP
            pd.reason = 0
            src.state = p.PF_TCPS_PROXY_DST
        # The connection to the server: ends as they are on its side.
        if state.direction == p.PF_OUT:
            near, far = state.gwy, state.ext
        else:
            near, far = state.ext, state.lan
        pd.reason = PFRES_SYNPROXY
        if forward:
            if (
                flags & (TH_SYN | TH_ACK) != TH_ACK
                or pd.ack != (src.seqhi + 1) & _M
                or pd.seq != (src.seqlo + 1) & _M
            ):
                return p.PF_DROP
            src.max_win = max(pd.win, 1)
            if dst.seqhi == 1:
                dst.seqhi = pf.stack.dice.getrandbits(32)
            pf.send_tcp(
                pd.af, near[0], far[0], near[1], far[1], dst.seqhi, 0, TH_SYN, 0,
                mss=src.mss, tag=state.tag, origin=pd, generated=False,
            )  # fmt: skip
            return p.PF_SYNPROXY_DROP
        if flags & (TH_SYN | TH_ACK) != TH_SYN | TH_ACK or pd.ack != (dst.seqhi + 1) & _M:
            return p.PF_DROP
        dst.max_win = max(pd.win, 1)
        dst.seqlo = pd.seq
        pf.send_tcp(
            pd.af, pd.dst, pd.src, pd.dport, pd.sport, pd.ack, pd.seq + 1, TH_ACK, src.max_win,
            tag=state.tag, origin=pd, generated=False,
        )  # fmt: skip
        # To the client as the server that it believes to talk to.
        server = state.gwy if state.direction == p.PF_IN else state.ext
        client = state.ext if state.direction == p.PF_IN else state.lan
        pf.send_tcp(
            pd.af, server[0], client[0], server[1], client[1], src.seqhi + 1, src.seqlo + 1,
            TH_ACK, dst.max_win, origin=pd,
        )  # fmt: skip
        src.seqdiff = (dst.seqhi - src.seqlo) & _M
        dst.seqdiff = (src.seqhi - dst.seqlo) & _M
        src.seqhi = (src.seqlo + dst.max_win) & _M
        dst.seqhi = (dst.seqlo + src.max_win) & _M
        src.wscale = dst.wscale = 0
        src.state = dst.state = TCPS_ESTABLISHED
        state.settle()
        self._refresh(state, p.PFTM_TCP_ESTABLISHED)
        return p.PF_SYNPROXY_DROP

    # -- limits of a source

    def connlimit(self, state: State) -> bool:
        """Count a completed connection; True when its source has had too many (pf_src_connlimit)."""
        pf = self.pf
        node, rule = state.src_node, state.rule
        assert node is not None
        spec = rule.spec
        node.add_connection(pf.stack.clock.now)
        state.src.tcp_est = True
        bad = False
        if spec.max_src_conn and node.conn > spec.max_src_conn:
            pf.status.lcounters[3] += 1
            bad = True
        if spec.max_src_conn_rate[0] and node.too_fast():
            pf.status.lcounters[4] += 1
            bad = True
        if not bad:
            return False
        if rule.overload is not None:
            pf.status.lcounters[5] += 1
            pf.tables.insert_kentry(rule.overload, node.af, node.addr)
            if spec.flush:
                pf.status.lcounters[6] += 1
                everywhere = spec.flush & p.PF_FLUSH_GLOBAL
                for other in list(pf.states.all):
                    if other is state or other.af != state.af:
                        continue
                    end = other.lan if other.direction == p.PF_OUT else other.ext
                    if end[0] == node.addr and (everywhere or other.rule is rule):
                        self._kill(other)
        self._kill(state)
        return True

    def _kill(self, state: State) -> None:
        state.src.state = state.dst.state = TCPS_CLOSED
        self.pf.states.remove(state)


def _modulate_sack(pd: Pd, dst: Peer) -> None:
    """Take the modulation out of SACK blocks."""
    at, end = pd.ipoff + 20, min(pd.ipoff + pd.toff, pd.size)
    data = pd.m.data
    while at + 1 < end:
        kind = data[at]
        if kind == TCPOPT_EOL:
            return
        if kind == TCPOPT_NOP:
            at += 1
            continue
        size = data[at + 1]
        if size < 2 or at + size > end:
            return
        if kind == TCPOPT_SACK:
            for edge in range(at + 2, at + size - 3, 4):
                value = int.from_bytes(data[edge : edge + 4], "big")
                pd.change32(edge - pd.ipoff, value - dst.seqdiff)
        at += size


class Quote:
    """The packet that an ICMP error quotes, and changes to it."""

    __slots__ = ("af", "at", "dport", "dst", "off", "pd", "proto", "seq", "sport", "src")

    def __init__(self, pd: Pd, at: int) -> None:
        self.pd, self.at, self.af = pd, at, pd.af
        self.src = self.dst = self.proto = self.off = self.sport = self.dport = self.seq = 0

    @classmethod
    def read(cls, pd: Pd) -> Quote | None:
        """Read what *pd* quotes; None, the reason noted, when it quotes too little."""
        at = pd.ipoff + 8
        data = pd.m.data[: pd.size]
        quote = cls(pd, at)
        pd.reason = PFRES_SHORT
        if pd.af == AF_INET:
            if len(data) < at + 20 or data[at] >> 4 != 4:
                return None
            if (data[at + 6] & 0x1F) << 8 | data[at + 7]:
                pd.reason = PFRES_FRAG  # an error is never about a later fragment
                return None
            hlen = (data[at] & 15) << 2
            if hlen < 20:
                return None
            quote.proto = data[at + 9]
            quote.src = int.from_bytes(data[at + 12 : at + 16], "big")
            quote.dst = int.from_bytes(data[at + 16 : at + 20], "big")
            quote.off = at + hlen
        else:
            if len(data) < at + 40 or data[at] >> 4 != 6:
                return None
            quote.proto = data[at + 6]
            quote.src = int.from_bytes(data[at + 8 : at + 24], "big")
            quote.dst = int.from_bytes(data[at + 24 : at + 40], "big")
            quote.off = at + 40
        off = quote.off
        if quote.proto in (IPPROTO_TCP, IPPROTO_UDP):
            if len(data) < off + 8:
                return None
            quote.sport = data[off] << 8 | data[off + 1]
            quote.dport = data[off + 2] << 8 | data[off + 3]
            quote.seq = int.from_bytes(data[off + 4 : off + 8], "big")
        elif quote.proto in (IPPROTO_ICMP, IPPROTO_ICMPV6):
            if len(data) < off + 8:
                return None
            ident = data[off + 4] << 8 | data[off + 5]
            # An echo has its id on the inside only: of what came in, that is the destination.
            if pd.direction == p.PF_IN:
                quote.sport = ident
            else:
                quote.dport = ident
        pd.reason = 0
        return quote

    def _put(self, at: int, new: bytes) -> None:
        """Change even octets of the quotation; the ICMP checksum covers them."""
        pd = self.pd
        buf = pd.buf()
        old = bytes(buf[at : at + len(new)])
        buf[at : at + len(new)] = new
        where = pd.ipoff + 2
        cksum = adjust(buf[where] << 8 | buf[where + 1], old, new)
        buf[where : where + 2] = cksum.to_bytes(2, "big")

    def change(self, which: int, addr: int, port: int) -> None:
        """Give the quoted packet another source (0) or destination (1)."""
        buf = self.pd.buf()
        if self.af == AF_INET:
            at, size = self.at + (16 if which else 12), 4
        else:
            at, size = self.at + (24 if which else 8), 16
        old = bytes(buf[at : at + size])
        new = addr.to_bytes(size, "big")
        self._put(at, new)
        if self.af == AF_INET:
            where = self.at + 10
            cksum = adjust(buf[where] << 8 | buf[where + 1], old, new)
            self._put(where, cksum.to_bytes(2, "big"))
        if self.proto in (IPPROTO_TCP, IPPROTO_UDP):
            at = self.off + (2 if which else 0)
            ports = bytes(buf[at : at + 2])
            self._put(at, port.to_bytes(2, "big"))
            if self.proto == IPPROTO_UDP and buf[self.off + 6 : self.off + 8] != b"\0\0":
                where = self.off + 6
                cksum = adjust(buf[where] << 8 | buf[where + 1], old, new)
                cksum = adjust(cksum, ports, port.to_bytes(2, "big"))
                self._put(where, (cksum or 0xFFFF).to_bytes(2, "big"))
        elif self.proto in (IPPROTO_ICMP, IPPROTO_ICMPV6):
            idents = bytes(buf[self.off + 4 : self.off + 6])
            new_id = port.to_bytes(2, "big")
            self._put(self.off + 4, new_id)
            where = self.off + 2
            cksum = adjust(buf[where] << 8 | buf[where + 1], idents, new_id)
            self._put(where, cksum.to_bytes(2, "big"))

    def change_seq(self, seq: int) -> None:
        """Take the modulation out of the quoted sequence number."""
        self._put(self.off + 4, seq.to_bytes(4, "big"))

    def commit(self) -> None:
        """Put the changes into the packet."""
        self.pd.commit()


def in_window(src: Peer, dst: Peer, data: bytes, size: int) -> bool:
    """Track an ordinary segment of an established connection; False sends it the long way.

    The same as Tracker does, for what needs no more than a look at the window.
    """
    seq, ack, word, flags, win = _fields(data, 24)
    seqlo = src.seqlo
    if flags & _ORDINARY != TH_ACK or word < 0x50 or not seqlo:
        return False
    sws = dws = 0
    if src.wscale and dst.wscale:
        sws, dws = src.wscale & WSCALE_MASK, dst.wscale & WSCALE_MASK
    if dst.seqlo - ack + MAXACKWINDOW & _M > MAXACKWINDOW + (MAXACKWINDOW << sws):
        return False
    header = 20 + (word >> 2 & 0x3C)
    plen = size - header
    room = dst.max_win << dws
    if plen:
        end = seq + plen & _M
        if plen < 0 or src.seqhi - end & _M >= _HALF or seq - seqlo + room & _M >= _HALF:
            return False
        if 0 < end - seqlo & _M < _HALF:
            src.seqlo = end
    elif src.seqhi - seqlo & _M >= _HALF:
        return False
    if win > src.max_win:
        src.max_win = win
    win <<= sws
    if ack + win - dst.seqhi & _M < _HALF:
        dst.seqhi = ack + (win or 1) & _M
    src.tail, src.tail_lo, src.tail_len, src.room = data[28:36], dst.seqlo, header, room
    return True
