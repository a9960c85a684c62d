"""scrub: headers made sane, fragments put together, TCP flags checked (pf.conf(5), "scrub").

Unlike filter rules the first scrub rule that matches decides. Fragments are gathered whole, or (crop,
drop-ovl) let through one by one while it is remembered which octets have passed, so that nothing
passes twice. Both have one limit, `limit frags`, and one time, `timeout frag`. IPv6 fragments are not
put together, as in the original.
"""

from __future__ import annotations

from bisect import bisect_right
from struct import Struct
from typing import TYPE_CHECKING, Final

from libnet.addr import AF_INET
from libnet.clock import Callout
from libnet.engine.kern.mbuf import M_CSUM_IPv4
from libnet.engine.pf.norm_tcp import set_ttl
from libnet.engine.pf.packet import Pd, finish_cksum
from libnet.engine.pf.pf_if import EGRESS
from libnet.engine.pf.ruleset import ASKED
from libnet.ioctl import pf as p
from libnet.wire.cksum import in_cksum
from libnet.wire.ipv4 import IP_DF, IP_MAXPACKET, IP_MF, IP_OFFMASK, IPPROTO_TCP
from libnet.wire.tcp import (
    TCPOPT_EOL,
    TCPOPT_MAXSEG,
    TCPOPT_NOP,
    TH_ACK,
    TH_FIN,
    TH_PUSH,
    TH_RST,
    TH_SYN,
    TH_URG,
)

if TYPE_CHECKING:
    from libnet.engine.kern.mbuf import Mbuf
    from libnet.engine.pf.pf import Pf
    from libnet.engine.pf.pf_if import Kif
    from libnet.engine.pf.ruleset import Rule

PFRES_FRAG: Final = 2
PFRES_NORM: Final = 4
PFRES_MEMORY: Final = 5

_RESERVED: Final = 0x8000  # the bit of the fragment field that nobody uses
_NO_OPTIONS: Final = 40  # octets of both headers
_KEY: Final = Struct("!IIHH").unpack

Key = tuple[int, int, int, int]


class Fragment:
    """What has come of one datagram.

    starts, ends  octets that are there, in order and apart    parts  the octets, when buffered
    end           octets of payload, known with the last fragment
    drop          an overlap was seen: nothing more of it passes
    """

    __slots__ = ("drop", "end", "ends", "first", "parts", "starts", "timer")

    def __init__(self) -> None:
        self.starts: list[int] = []
        self.ends: list[int] = []
        self.parts: list[bytes] = []
        self.end: int | None = None
        self.first: Mbuf | None = None
        self.drop = False
        self.timer: Callout | None = None

    def complete(self) -> bool:
        """Tell whether every octet is there."""
        if self.end is None or not self.starts or self.starts[0]:
            return False
        reach = 0
        for start, end in zip(self.starts, self.ends, strict=True):
            if start != reach:
                return False
            reach = end
        return reach == self.end


class Ends:
    """As much of a packet as its connection tells: what scrub rules are compared with."""

    __slots__ = ("af", "direction", "dport", "dst", "kif", "proto", "sport", "src")

    def __init__(self, kif: Kif, direction: int, proto: int, key: bytes) -> None:
        self.kif, self.direction, self.af, self.proto = kif, direction, AF_INET, proto
        self.src, self.dst, self.sport, self.dport = _KEY(key)

    def os_matches(self, _wanted: int) -> bool:
        """Tell that it is no SYN: only those have fingerprints."""
        return False


class Still:
    """What is to be looked at, and counted, where scrub rules have nothing to change.

    seen     rules that are evaluated for each packet      rule  the one that is for it, or None
    mask     bits of the fragment field that need the long way
    strict   whether reserved bits and an urgent pointer do
    longest  octets of both headers, beyond which there may be an option to change
    """

    __slots__ = ("longest", "mask", "rule", "seen", "strict")

    def __init__(
        self, seen: tuple[Rule, ...], rule: Rule | None, mask: int, strict: bool, longest: int
    ) -> None:
        self.seen, self.rule, self.mask = seen, rule, mask
        self.strict, self.longest = strict, longest


class Norm:
    """The normalisation half of one pf."""

    def __init__(self, pf: Pf) -> None:
        self.pf = pf
        self.queues: dict[Key, Fragment] = {}
        self.cache: dict[Key, Fragment] = {}
        self.count = 0

    # -- IP

    def ip(self, pd: Pd) -> bool:
        """Normalise an IPv4 packet; False, the reason noted, when it is dropped or kept."""
        rule = self._rule(pd, transport=False)
        if rule is None:
            return True
        m = pd.m
        rule.count(pd.size, pd.direction == p.PF_OUT)
        flags = rule.rule_flag
        if flags & p.PFRULE_NODF and m.ip_off & IP_DF:
            self._set_off(pd, m.ip_off & ~IP_DF)
        buffered = not flags & (p.PFRULE_FRAGCROP | p.PFRULE_FRAGDROP)
        if m.ip_off & (IP_MF | IP_OFFMASK):
            if m.ip_off & IP_DF:
                return self._lost(pd, rule, PFRES_NORM)
            size = pd.size - pd.ipoff
            offset = (m.ip_off & IP_OFFMASK) << 3
            more = bool(m.ip_off & IP_MF)
            if (more and size & 7) or not size or offset + size > IP_MAXPACKET:
                return self._lost(pd, rule, PFRES_FRAG)
            pd.commit()
            if buffered:
                if not self._gather(pd, rule, offset, size, more):
                    return False
            elif not self._cache(pd, rule, offset, size, more):
                return False
        elif m.ip_off & ~IP_DF:
            self._set_off(pd, m.ip_off & IP_DF)
        if rule.spec.min_ttl and pd.ttl < rule.spec.min_ttl:
            set_ttl(pd, rule.spec.min_ttl)
        if flags & p.PFRULE_RANDOMID and not pd.fragment:
            self._set_id(pd, self.pf.stack.dice.getrandbits(16))
        pd.reas = buffered
        return True

    def ip6(self, pd: Pd) -> bool:
        """Normalise an IPv6 packet: min-ttl is all there is to it."""
        rule = self._rule(pd, transport=False)
        if rule is None:
            return True
        rule.count(pd.size, pd.direction == p.PF_OUT)
        if rule.spec.min_ttl and pd.ttl < rule.spec.min_ttl:
            set_ttl(pd, rule.spec.min_ttl)
        pd.reas = not pd.fragment
        return True

    def still(self, of: Ends) -> Still | None:
        """Return what the scrub rules leave of a connection's ordinary packets alone.

        None when one of them changes such packets, or asks for what may change from packet to packet.
        """
        seen: list[Rule] = []
        rule = self._rule(of, transport=False, seen=seen)
        looked = list(seen)
        tcp = self._rule(of, transport=True, seen=looked) if of.proto == IPPROTO_TCP else None
        if any(ASKED in (r.src.kind, r.dst.kind) or r.spec.ifname == EGRESS for r in looked):
            return None
        mask = IP_MF | IP_OFFMASK
        if rule is not None:
            if rule.spec.min_ttl or rule.rule_flag & p.PFRULE_RANDOMID:
                return None
            mask |= _RESERVED | (IP_DF if rule.rule_flag & p.PFRULE_NODF else 0)
        if tcp is not None and tcp.rule_flag & p.PFRULE_REASSEMBLE_TCP:
            return None
        longest = 0xFFFF
        if tcp is not None and tcp.spec.max_mss:
            longest = _NO_OPTIONS
        return Still(tuple(seen), rule, mask, tcp is not None, longest)

    def _rule(
        self, pd: Pd | Ends, *, transport: bool, seen: list[Rule] | None = None
    ) -> Rule | None:
        """Return the scrub rule for *pd*; *transport* says whether ports and os are looked at.

        seen  gets the rules that are looked at, instead of their being counted
        """
        rules = self.pf.main(p.PF_RULESET_SCRUB)
        index, count = 0, len(rules)
        matches, af, kif = pd.kif.matches, pd.af, pd.kif
        while index < count:
            r = rules[index]
            if seen is not None:
                seen.append(r)
            elif not transport:
                r.evaluations += 1
            if (r.kif is None or r.kif in matches) == r.ifnot:
                index = r.skip[p.PF_SKIP_IFP]
            elif r.direction and r.direction != pd.direction:
                index = r.skip[p.PF_SKIP_DIR]
            elif r.af and r.af != af:
                index = r.skip[p.PF_SKIP_AF]
            elif r.proto and r.proto != pd.proto:
                index = r.skip[p.PF_SKIP_PROTO]
            elif r.src.matches(af, pd.src, kif) == r.s_neg:
                index = r.skip[p.PF_SKIP_SRC_ADDR]
            elif transport and r.s_port is not None and not r.s_port(pd.sport):
                index = r.skip[p.PF_SKIP_SRC_PORT]
            elif r.dst.matches(af, pd.dst, None) == r.d_neg:
                index = r.skip[p.PF_SKIP_DST_ADDR]
            elif transport and r.d_port is not None and not r.d_port(pd.dport):
                index = r.skip[p.PF_SKIP_DST_PORT]
            elif transport and r.osfp and not pd.os_matches(r.osfp):
                index += 1
            else:
                return None if r.action == p.PF_NOSCRUB else r
        return None

    def _lost(self, pd: Pd, rule: Rule, reason: int) -> bool:
        pd.reason = reason
        if rule.log:
            self.pf.pflog.packet(pd, rule, reason, p.PF_DROP)
        return False

    @staticmethod
    def _set_off(pd: Pd, off: int) -> None:
        buf = pd.buf()
        old = buf[6] << 8 | buf[7]
        buf[6:8] = off.to_bytes(2, "big")
        pd.mend_ip(old, off)
        pd.m.ip_off = off

    @staticmethod
    def _set_id(pd: Pd, ident: int) -> None:
        buf = pd.buf()
        old = buf[4] << 8 | buf[5]
        buf[4:6] = ident.to_bytes(2, "big")
        pd.mend_ip(old, ident)
        pd.m.ip_id = ident

    # -- fragments

    def _open(self, table: dict[Key, Fragment], key: Key) -> Fragment:
        queue = table[key] = Fragment()
        clock = self.pf.stack.clock
        after = self.pf.timeouts[p.PFTM_FRAG]
        queue.timer = clock.after(after, lambda: self._close(table, key))
        return queue

    def _close(self, table: dict[Key, Fragment], key: Key) -> None:
        queue = table.pop(key)
        self.count -= len(queue.starts)
        if queue.timer is not None:
            queue.timer.stop()

    def _gather(self, pd: Pd, rule: Rule, offset: int, size: int, more: bool) -> bool:
        """Keep a fragment; True when *pd* has become the whole datagram."""
        m = pd.m
        key = m.src, m.dst, m.proto, m.ip_id
        queue = self.queues.get(key)
        end = offset + size
        if (
            queue is not None
            and queue.end is not None
            and (end > queue.end or (not more and end != queue.end))
        ):
            self._close(self.queues, key)
            return self._lost(pd, rule, PFRES_FRAG)
        if self.count >= self.pf.limits[p.PF_LIMIT_FRAGS]:
            return self._lost(pd, rule, PFRES_MEMORY)
        if queue is None:
            queue = self._open(self.queues, key)
        if not more and queue.ends and queue.ends[-1] > end:
            self._close(self.queues, key)
            return self._lost(pd, rule, PFRES_FRAG)
        body = m.data[pd.ipoff : pd.size]
        if not self._place(queue, offset, body):
            return self._lost(pd, rule, PFRES_FRAG)
        if not more:
            queue.end = end
        if not offset:
            queue.first = m
        if not queue.complete() or queue.first is None:
            return False
        self._close(self.queues, key)
        first = queue.first
        whole = b"".join(queue.parts)
        if first.hlen + len(whole) > IP_MAXPACKET:
            return self._lost(pd, rule, PFRES_FRAG)
        finish_cksum(first, AF_INET, first.hlen, first.proto, fragment=True)
        head = first.data[:2] + (first.hlen + len(whole)).to_bytes(2, "big") + first.data[4:6]
        head += b"\0\0" + first.data[8:10] + b"\0\0" + first.data[12 : first.hlen]
        m.data = head[:10] + in_cksum(head).to_bytes(2, "big") + head[12:] + whole
        m.csum_flags &= ~M_CSUM_IPv4
        if not m.tags and first.tags:
            m.tags = first.tags
        self.pf.stack.ip.reparse(m)
        pd.reread()
        return True

    def _place(self, queue: Fragment, start: int, body: bytes) -> bool:
        """Put octets in their place: what came first stays, what comes later is cut."""
        starts, ends, parts = queue.starts, queue.ends, queue.parts
        end = start + len(body)
        at = bisect_right(starts, start)
        if at and ends[at - 1] > start:
            if ends[at - 1] >= end:
                return False
            body = body[ends[at - 1] - start :]
            start = ends[at - 1]
        while at < len(starts) and starts[at] < end:
            if ends[at] > end:
                cut = end - starts[at]
                parts[at] = parts[at][cut:]
                starts[at] = end
                break
            del starts[at], ends[at], parts[at]
            self.count -= 1
        starts.insert(at, start)
        ends.insert(at, end)
        parts.insert(at, body)
        self.count += 1
        return True

    def _cache(self, pd: Pd, rule: Rule, offset: int, size: int, more: bool) -> bool:
        """Let a fragment pass but for octets that have passed before; drop-ovl drops all of it."""
        if pd.direction == p.PF_OUT and pd.marked("pf_fragcache"):
            return True  # it went through the cache on its way in
        m = pd.m
        key = m.src, m.dst, m.proto, m.ip_id
        drop = rule.rule_flag & p.PFRULE_FRAGDROP
        queue = self.cache.get(key)
        end = offset + size
        if queue is not None and queue.end is not None and end > queue.end:
            if drop:
                queue.drop = True
            return self._lost(pd, rule, PFRES_FRAG)
        if queue is None:
            if self.count >= self.pf.limits[p.PF_LIMIT_FRAGS]:
                return self._lost(pd, rule, PFRES_MEMORY)
            queue = self._open(self.cache, key)
        if queue.drop:
            return self._lost(pd, rule, PFRES_FRAG)
        start, stop = self._fresh(queue, offset, end)
        if drop and (start, stop) != (offset, end):
            queue.drop = True
            return self._lost(pd, rule, PFRES_FRAG)
        if start >= stop:
            return self._lost(pd, rule, PFRES_FRAG)
        if self.count >= self.pf.limits[p.PF_LIMIT_FRAGS]:
            return self._lost(pd, rule, PFRES_MEMORY)
        self._mark(queue, start, stop)
        if not more and stop == end:
            queue.end = end
        if (start, stop) != (offset, end):
            self._crop(pd, offset, start, stop, more or stop < end)
        if pd.direction == p.PF_IN:
            pd.mark("pf_fragcache", True)
        if queue.complete():
            self._close(self.cache, key)
        return True

    @staticmethod
    def _fresh(queue: Fragment, start: int, end: int) -> tuple[int, int]:
        """Return the first run of octets that have not passed yet."""
        at = bisect_right(queue.starts, start)
        if at and queue.ends[at - 1] > start:
            start = queue.ends[at - 1]
        while at < len(queue.starts) and queue.starts[at] <= start < queue.ends[at]:
            start = queue.ends[at]
            at += 1
        if at < len(queue.starts):
            end = min(end, queue.starts[at])
        return start, end

    def _mark(self, queue: Fragment, start: int, end: int) -> None:
        at = bisect_right(queue.starts, start)
        if at and queue.ends[at - 1] == start:
            queue.ends[at - 1] = end
            at -= 1
        else:
            queue.starts.insert(at, start)
            queue.ends.insert(at, end)
            self.count += 1
        if at + 1 < len(queue.starts) and queue.starts[at + 1] == queue.ends[at]:
            queue.ends[at] = queue.ends[at + 1]
            del queue.starts[at + 1], queue.ends[at + 1]
            self.count -= 1

    def _crop(self, pd: Pd, offset: int, start: int, stop: int, more: bool) -> None:
        """Cut *pd* to the octets from *start* to *stop* of its datagram."""
        m = pd.m
        finish_cksum(m, AF_INET, pd.ipoff, pd.proto, fragment=True)
        head, body = (
            m.data[: pd.ipoff],
            m.data[pd.ipoff + start - offset : pd.ipoff + stop - offset],
        )
        off = start >> 3 | (IP_MF if more else 0)
        head = head[:2] + (len(head) + len(body)).to_bytes(2, "big") + head[4:6]
        head += off.to_bytes(2, "big") + m.data[8:10] + b"\0\0" + m.data[12 : pd.ipoff]
        m.data = head[:10] + in_cksum(head).to_bytes(2, "big") + head[12:] + body
        self.pf.stack.ip.reparse(m)
        pd.reread()

    def flush(self) -> None:
        """Forget all fragments."""
        for table in (self.queues, self.cache):
            for key in list(table):
                self._close(table, key)

    # -- TCP

    def tcp(self, pd: Pd) -> bool:
        """Normalise a TCP header; False, the reason noted, when it is dropped."""
        rule = self._rule(pd, transport=True)
        if rule is None:
            return True
        if rule.rule_flag & p.PFRULE_REASSEMBLE_TCP:
            pd.scrub = rule
        flags = pd.tflags
        bad = pd.toff < 20
        if flags & TH_SYN:
            bad = bad or bool(flags & TH_RST)
            flags &= ~TH_FIN
        elif not flags & (TH_ACK | TH_RST):
            bad = True
        if not flags & TH_ACK and flags & (TH_FIN | TH_PUSH | TH_URG):
            bad = True
        if bad:
            return self._lost(pd, rule, PFRES_NORM)
        word = pd.m.data[pd.ipoff + 12]
        if flags != pd.tflags or word & 0x0F:
            pd.change16(12, (word & 0xF0) << 8 | flags)
            pd.tflags = flags
        if not flags & TH_URG and pd.m.data[pd.ipoff + 18 : pd.ipoff + 20] != b"\0\0":
            pd.change16(18, 0)
        if rule.spec.max_mss and pd.toff > 20:
            _max_mss(pd, rule.spec.max_mss)
        return True


def _max_mss(pd: Pd, limit: int) -> None:
    """Lower the MSS option, which may stand at an odd octet."""
    data = pd.m.data
    at, end = pd.ipoff + 20, min(pd.ipoff + pd.toff, pd.size)
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
        if kind == TCPOPT_MAXSEG and size == 4 and (data[at + 2] << 8 | data[at + 3]) > limit:
            pd.change16(at + 2 - pd.ipoff, limit)
        at += size
