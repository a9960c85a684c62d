"""The packet filter: what happens to a packet at a hook (pf(4), pf.conf(5); OpenBSD 4.2's pf_test).

In order: scrub, state, translation, filter rules, a new state; then options, tags, queue, route-to, log
and counters. A packet that has a state sees no rule. The hook itself handles the plain case, an
established UDP or TCP state whose packets are but checked, translated and counted, by its path (see
flow); everything else goes by way of a Pd.

Not here: pfsync, rtables other than the one there is, and route labels, which NetBSD's routes do not
bear. IPv6 has hook6(); its answers leave by `output6` and its routes are asked for by `route6`, slots
for the day there is an ip6_output.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from struct import Struct
from typing import TYPE_CHECKING, Any, Final

from libnet.addr import AF_INET, AF_INET6, SockaddrIn
from libnet.engine.kern import log as klog
from libnet.engine.kern.mbuf import M_CANFASTFWD, Mbuf
from libnet.engine.pf.flow import PfFlows
from libnet.engine.pf.nat import Translation, pf_get_translation, pf_map_addr
from libnet.engine.pf.norm import Norm
from libnet.engine.pf.norm_tcp import init as scrub_init
from libnet.engine.pf.norm_tcp import stateful as scrub_stateful
from libnet.engine.pf.osfp import Osfp
from libnet.engine.pf.packet import (
    IPPROTO_ICMPV6,
    Pd,
    finish_cksum,
    ip6_header,
    pseudo,
)
from libnet.engine.pf.pf_if import Kif, Kifs
from libnet.engine.pf.pflog import Pflog
from libnet.engine.pf.ruleset import ANY, MASKED, Rule, Rulesets, Tags, Walk, default_rule
from libnet.engine.pf.state import (
    SINGLE,
    TCPS_SYN_SENT,
    SrcNode,
    SrcNodes,
    State,
    StateTable,
)
from libnet.engine.pf.table import Tables
from libnet.engine.pf.track import (
    ERRORS4,
    ERRORS6,
    WSCALE_FLAG,
    WSCALE_MASK,
    Tracker,
    get_wscale,
    in_window,
)
from libnet.engine.pfil.pfil import PFIL_IN, PFIL_OUT, PacketHook
from libnet.errors import NetError
from libnet.ioctl import pf as p
from libnet.ioctl.ifflags import IFF_UP
from libnet.wire.cksum import in_cksum
from libnet.wire.icmp import ICMP_UNREACH, ICMP_UNREACH_NEEDFRAG
from libnet.wire.ipv4 import IP_DF, IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP
from libnet.wire.rtsock import RTF_GATEWAY
from libnet.wire.tcp import TCP_HDR, TH_ACK, TH_FIN, TH_RST, TH_SYN

if TYPE_CHECKING:
    from libnet.engine.inet.in_pcb import InpcbTable
    from libnet.engine.inet.inetstack import InetStack
    from libnet.engine.link.ifclone import Cloners
    from libnet.engine.link.ifnet import Ifnet

PFRES_MATCH: Final = 0
PFRES_SHORT: Final = 3
PFRES_MEMORY: Final = 5
PFRES_IPOPTION: Final = 8
PFRES_PROTCKSUM: Final = 9
PFRES_STATEINS: Final = 11
PFRES_MAXSTATES: Final = 12
PFRES_SRCLIMIT: Final = 13
PFRES_SYNPROXY: Final = 14

MAX_ROUTED: Final = 4
IPTOS_LOWDELAY: Final = 0x10
TCP_MSSDFLT: Final = 512
_IP_TCP_HDRS: Final = 40
_IP6_TCP_HDRS: Final = 60
NO_SUCH_UID: Final = 0xFFFFFFFF

_DIRECT: Final = frozenset((IPPROTO_TCP, IPPROTO_UDP))
_PF_DIR: Final = {PFIL_IN: p.PF_IN, PFIL_OUT: p.PF_OUT}
_UDP_MULTIPLE: Final = p.PFTM_UDP_MULTIPLE
_TCP_ESTABLISHED: Final = p.PFTM_TCP_ESTABLISHED
_u32 = Struct("!I").unpack_from
_M: Final = 0xFFFFFFFF


class Status:
    """struct pf_status, but for what the tables count themselves."""

    def __init__(self, hostid: int) -> None:
        self.running = False
        self.since = 0.0
        self.debug = p.PF_DEBUG_URGENT
        self.hostid = hostid
        self.ifname = ""
        self.counters = [0] * len(p.PFRES_NAMES)
        self.lcounters = [0] * len(p.LCNT_NAMES)
        self.chksum = bytes(16)


class Verdict:
    """What became of a packet: action, the rule or state that decided, what to log by."""

    __slots__ = ("action", "log", "nat", "rule", "state")

    def __init__(self, action: int, rule: Rule, state: State | None = None) -> None:
        self.action, self.rule, self.state = action, rule, state
        self.nat: Rule | None = None
        self.log: Rule | None = None


class Pf:
    """The packet filter of one stack; nothing is filtered until start().

    dialect   42, or 37 for the level before            cloners  where pflog interfaces are made
    pcbs      by IP protocol, for rules with user and group
    output6   sends an IPv6 packet, None while there is no IPv6
    route6    returns the interfaces that routes to an IPv6 address lead to
    qids      numbers of queue names                     altq     the queueing half, or None
    """

    def __init__(
        self,
        stack: InetStack,
        *,
        dialect: int = 42,
        cloners: Cloners | None = None,
        pcbs: Mapping[int, InpcbTable] | None = None,
    ) -> None:
        self.stack = stack
        self.clock = stack.clock
        self.dialect = dialect
        self.cloners = cloners
        self.pcbs = dict(pcbs or {})
        self.output6: Callable[[Mbuf], None] | None = None
        self.route6: Callable[[int], Sequence[Ifnet]] = self._connected6
        self.stat = stack.stat("pf")
        self.limits = list(p.PF_LIMIT_DEFAULTS)
        self.timeouts = list(p.PFTM_DEFAULTS)
        if dialect == 37:
            self.timeouts[p.PFTM_ADAPTIVE_START] = self.timeouts[p.PFTM_ADAPTIVE_END] = 0
        self.status = Status(stack.dice.getrandbits(32))
        self.rulesets = Rulesets()
        self.tags = Tags()
        self.tables = Tables(
            stack.clock.wall,
            self.limits,
            self.rulesets.table_ref,
            lambda path: self.rulesets.find(path) is not None,
        )
        self.kifs = Kifs(stack, self.tables)
        self.states = StateTable(self)
        self.srcnodes = SrcNodes(self)
        self.tracker = Tracker(self)
        self.norm = Norm(self)
        self.osfp = Osfp()
        self.pflog = Pflog(self)
        self.qids: dict[str, int] = {}
        self.default_rule = default_rule(self)
        self.scrubbing = False
        self.flows = PfFlows(self)
        self.hook_in, self.hook_out = self._make_hook(PFIL_IN), self._make_hook(PFIL_OUT)
        # pfil knows a hook by identity, and a method is a new object at every look.
        self._hooks: tuple[tuple[int, PacketHook, int], ...] = (
            (AF_INET, self.hook_in, PFIL_IN),
            (AF_INET, self.hook_out, PFIL_OUT),
            (AF_INET6, self.hook6, PFIL_IN | PFIL_OUT),
        )
        self.rules_changed()

    # -- on and off

    def start(self) -> None:
        """DIOCSTART: filter. Raises EEXIST."""
        if self.status.running:
            raise NetError("EEXIST")
        self.status.running = True
        self.status.since = self.clock.wall()
        for family, hook, flags in self._hooks:
            self.stack.pfil.head(family).add(hook, flags)
        self.flows.take_over()

    def stop(self) -> None:
        """DIOCSTOP: let everything pass; states stay. Raises ENOENT."""
        if not self.status.running:
            raise NetError("ENOENT")
        self.status.running = False
        self.status.since = self.clock.wall()
        for family, hook, flags in self._hooks:
            self.stack.pfil.head(family).remove(hook, flags)
        self.flows.give_back()

    def close(self) -> None:
        """End with the stack."""
        if self.status.running:
            self.stop()
        self.states.stop()
        self.srcnodes.stop()
        self.norm.flush()
        self.kifs.close()

    def rules_changed(self) -> None:
        """Note that rules were loaded, or which interfaces are left alone."""
        self.flows.forget_all()
        self.scrubbing = bool(self.main(p.PF_RULESET_SCRUB))

    # -- what other parts ask

    def main(self, kind: int) -> list[Rule]:
        """Return the rules in force of the main ruleset."""
        return self.rulesets.root.rulesets[kind].active

    def has_rules(self, kind: int) -> bool:
        """Tell whether the main ruleset of that kind has rules."""
        return bool(self.rulesets.root.rulesets[kind].active)

    def walk(self, kind: int) -> Walk:
        """Return a walk over the rules of a kind."""
        return Walk(self.rulesets.root, kind)

    def qid(self, name: str) -> int:
        """Return the number of a queue's name, 0 for ""."""
        if not name:
            return 0
        return self.qids.setdefault(name, len(self.qids) + 1)

    def debug(self, level: int, text: str) -> None:
        """Log *text* when the debug level asks for it (pfctl -x)."""
        if self.status.debug >= level:
            self.stack.log(klog.DEBUG1, f"pf: {text}")

    def random_diff(self, seq: int) -> int:
        """Return a difference for modulate state, never 0."""
        while True:
            diff = (self.stack.dice.getrandbits(32) - seq) & _M
            if diff:
                return diff

    def routable(self, af: int, addr: int, kif: Kif | None) -> bool:
        """Tell whether there is a route to *addr*, by *kif*'s interface if that is given."""
        ifps: Sequence[Ifnet]
        if af == AF_INET:
            rt = self.stack.route.rtlookup(addr)
            ifps = () if rt is None else (rt.ifp,)
        else:
            ifps = self.route6(addr)
        return bool(ifps) and (kif is None or kif.ifp is None or kif.ifp in ifps)

    def _connected6(self, addr: int) -> Sequence[Ifnet]:
        """Return the interfaces with a network that holds an IPv6 address: the routes there are."""
        return [
            ifp
            for ifp in self.kifs.by_ifp
            for ifa in ifp.addrs
            if ifa.family == AF_INET6 and addr & ifa.mask == ifa.addr & ifa.mask
        ]

    def socket_of(self, pd: Pd) -> tuple[int, int, int] | None:
        """Return (uid, gid, pid) of the local socket that *pd* is from or for (pf_socket_lookup)."""
        if pd.socket is None:
            table = self.pcbs.get(pd.proto) if pd.af == AF_INET else None
            found = None
            if table is not None:
                ends = (pd.src, pd.sport, pd.dst, pd.dport)
                if pd.direction == p.PF_OUT:
                    ends = (pd.dst, pd.dport, pd.src, pd.sport)
                found = table.lookup_connect(*ends) or table.lookup_bind(ends[2], ends[3])
            if found is None:
                pd.socket = (NO_SUCH_UID, NO_SUCH_UID, 0)
            else:
                cred = found.socket.cred
                pd.socket = (cred.uid, cred.gid, cred.pid)
        return None if pd.socket[0] == NO_SUCH_UID else pd.socket

    # -- the hooks

    def hook(self, m: Mbuf, ifp: Ifnet, direction: int) -> Mbuf | None:
        """Judge an IPv4 packet. Raises EHOSTUNREACH for our own, blocked."""
        return (
            self.hook_in(m, ifp, direction)
            if direction == PFIL_IN
            else self.hook_out(m, ifp, direction)
        )

    def _make_hook(self, direction: int) -> PacketHook:
        """Return the hook of one direction, for which packets with a path are decided at once.

        Every forwarded packet comes by twice, so it is one function with its surroundings bound, and
        what would be a call or a chain of attributes is spelt out.
        """
        flows, clock, inbound = self.flows, self.clock, direction == PFIL_IN
        path_of, dirty, kif_of, slow = (
            flows.paths[direction].get, flows.dirty, self.kifs.by_ifp.get, self._slow,
        )  # fmt: skip

        def hook(m: Mbuf, ifp: Ifnet, _direction: int) -> Mbuf | None:
            tags = m.tags
            if tags is not None and "pf_generated" in tags:
                return m
            data = m.data
            path = path_of(data[12:24])
            if (
                path is None
                or ifp is not path.ifp
                or m.proto != path.proto
                or m.hlen != 20
                or m.ip_off & path.mask
            ):
                kif = kif_of(ifp)
                if kif is None or kif.skip:
                    return m
                if m.hlen != 20 or m.ip_off & 0x3FFF:
                    return slow(m, kif, direction)
                path = flows.path(data[12:24], m.proto, direction, ifp)
                if path is None or m.ip_off & path.mask:
                    return slow(m, kif, direction)
            size = m.ip_len
            src = path.src
            if src is None:
                if size < 28 or not 8 <= (data[24] << 8 | data[25]) <= size - 20:
                    return slow(m, path.kif, direction)
            elif path.strict and (
                size < 40
                or data[38:40] != b"\0\0"
                or data[32] & 15
                or (data[32] >> 2) + 20 > path.longest
            ):
                return slow(m, path.kif, direction)
            elif data[28:36] == src.tail and path.dst.seqlo == src.tail_lo:
                # It acknowledges what the last one did: only its data are to be looked at.
                plen = size - src.tail_len
                if plen:
                    # Octets from the lowest that may still come to the last of this segment.
                    seqlo, room = src.seqlo, src.room
                    reach = (_u32(data, 24)[0] - seqlo + room & _M) + plen
                    if reach > (src.seqhi - seqlo & _M) + room or plen < 0:
                        return slow(m, path.kif, direction)
                    if reach > room:
                        src.seqlo = seqlo + reach - room & _M
            elif size < 40 or not in_window(src, path.dst, data, size):
                return slow(m, path.kif, direction)
            if path.change is not None:
                if m.csum_flags:
                    return slow(m, path.kif, direction)
                m.data = path.change.apply(data)
            if not path.packets:
                dirty.append(path)
            path.packets += 1
            path.octets += size
            path.last = clock.now
            if not flows.open:
                return m
            if inbound:
                m.flags |= M_CANFASTFWD
                flows.last_in, flows.last_out, flows.last_key = path, None, data[12:24]
            else:
                flows.last_out = path
            return m

        return hook

    def _slow(self, m: Mbuf, kif: Kif, direction: int) -> Mbuf | None:
        """Judge an IPv4 packet the long way."""
        pd = Pd(self, m, kif, direction, AF_INET)
        got = self._test(pd)
        if got is None and direction == PFIL_OUT and m.rcvif is None and pd.reason >= 0:
            raise NetError("EHOSTUNREACH")
        return got

    def hook6(self, m: Mbuf, ifp: Ifnet, direction: int) -> Mbuf | None:
        """Judge an IPv6 packet."""
        kif = self.kifs.by_ifp.get(ifp)
        if kif is None or kif.skip or (m.tags is not None and "pf_generated" in m.tags):
            return m
        pd = Pd(self, m, kif, direction, AF_INET6)
        got = self._test(pd)
        if got is None and direction == PFIL_OUT and m.rcvif is None and pd.reason >= 0:
            raise NetError("EHOSTUNREACH")
        return got

    # -- the long way

    def _test(self, pd: Pd) -> Mbuf | None:
        """Return the packet to go on with, None when pf has dropped or taken it (pf_test)."""
        self.kifs.refresh()
        verdict = self._judge(pd)
        if verdict is None:
            pd.reason = -1  # held: a fragment that waits for others
            return None
        return self._done(pd, verdict)

    def _judge(self, pd: Pd) -> Verdict | None:
        drop = Verdict(p.PF_DROP, self.default_rule)
        if pd.af == AF_INET6 and not pd.read6():
            pd.reason = PFRES_SHORT
            drop.log = self.default_rule
            return drop
        if self.scrubbing:
            fine = self.norm.ip(pd) if pd.af == AF_INET else self.norm.ip6(pd)
            if not fine:
                return drop if pd.reason else None
            if pd.rewriting():
                pd.commit()
                if pd.af == AF_INET:
                    self.stack.ip.reparse(pd.m)
        if pd.fragment:
            return self._test_fragment(pd)
        proto = pd.proto
        if proto == (IPPROTO_ICMPV6 if pd.af == AF_INET else IPPROTO_ICMP) or (
            not pd.read_transport()
        ):
            pd.reason = PFRES_SHORT if proto not in (IPPROTO_ICMP, IPPROTO_ICMPV6) else pd.reason
            drop.log = self.default_rule
            return drop
        if proto == IPPROTO_TCP and self.scrubbing and not self.norm.tcp(pd):
            return drop
        action, state = self.tracker.test(pd)
        if state is None and action == p.PF_DROP and not pd.reason:
            return self._test_rule(pd)
        if state is None:
            return drop
        if state.cached:
            self.flows.forget(state)
        verdict = Verdict(action, state.rule, state)
        verdict.nat = state.nat_rule
        pd.anchor_rule = state.anchor
        if state.log:
            nat = state.nat_rule
            use_nat = nat is not None and nat.log & p.PF_LOG_ALL
            verdict.log = nat if use_nat else state.rule
        return verdict

    # -- filter rules

    def where(self, pd: Pd, rule: Rule, walk: Walk) -> None:
        """Note in which anchor a rule was found."""
        pd.anchor, pd.anchor_rule = walk.anchor, walk.anchor_rule

    def evaluate(self, pd: Pd) -> Rule:
        """Return the filter rule that decides: the last that matches, or the first with quick."""
        walk = Walk(self.rulesets.root, p.PF_RULESET_FILTER)
        chosen = self.default_rule
        pd.anchor = self.rulesets.root
        pd.anchor_rule = None
        matches, direction, af, proto = pd.kif.matches, pd.direction, pd.af, pd.proto
        src, dst, kif = pd.src, pd.dst, pd.kif
        sport, dport = pd.sport, pd.dport
        ports = proto in _DIRECT and not pd.fragment
        while True:
            rules, index = walk.rules, walk.index
            count = len(rules)
            into: Rule | None = None
            while index < count:
                r = rules[index]
                r.evaluations += 1
                if (r.kif is None or r.kif in matches) == r.ifnot:
                    index = r.skip[0]
                elif r.direction and r.direction != direction:
                    index = r.skip[1]
                elif r.af and r.af != af:
                    index = r.skip[2]
                elif r.proto and r.proto != proto:
                    index = r.skip[3]
                elif (
                    r.s_kind != ANY
                    and (
                        src & r.s_mask == r.s_base if r.s_kind == MASKED else r.s_test(af, src, kif)
                    )
                    == r.s_neg
                ):
                    index = r.skip[4]
                elif r.s_port is not None and not (ports and r.s_port(sport)):
                    index = r.skip[5]
                elif (
                    r.d_kind != ANY
                    and (
                        dst & r.d_mask == r.d_base
                        if r.d_kind == MASKED
                        else r.d_test(af, dst, None)
                    )
                    == r.d_neg
                ):
                    index = r.skip[6]
                elif r.d_port is not None and not (ports and r.d_port(dport)):
                    index = r.skip[7]
                elif r.special and self._differs(r, pd):
                    index += 1
                else:
                    if r.tag:
                        pd.newtag = r.tag
                    if r.rtableid >= 0:
                        pd.rtableid = r.rtableid
                    if r.anchor is not None:
                        into = r
                        break
                    chosen = r
                    pd.anchor, pd.anchor_rule = walk.anchor, walk.anchor_rule
                    walk.matched()
                    if r.quick:
                        return chosen
                    index += 1
            if into is not None:
                walk.index = index
                walk.enter(into)
            elif not walk.leave():
                return chosen

    def _differs(self, r: Rule, pd: Pd) -> bool:
        """Compare what is neither address nor port."""
        if pd.fragment:
            if r.flagset or r.type or r.code or r.osfp or r.uid or r.gid:
                return True
        else:
            if r.rule_flag & p.PFRULE_FRAGMENT:
                return True
            if r.type and (r.type != pd.icmptype + 1 or pd.proto not in _ICMPS):
                return True
            if r.code and (r.code != pd.icmpcode + 1 or pd.proto not in _ICMPS):
                return True
            if r.flagset and pd.proto == IPPROTO_TCP and pd.tflags & r.flagset != r.flags:
                return True
            if (r.uid or r.gid) and self._owner_differs(r, pd):
                return True
        if r.tos and r.tos != pd.tos:
            return True
        if r.prob and r.prob <= self.stack.dice.getrandbits(32):
            return True
        if r.match_tag and (pd.tag() == r.match_tag) == r.match_tag_not:
            return True
        return bool(r.osfp) and not pd.os_matches(r.osfp)

    def _owner_differs(self, r: Rule, pd: Pd) -> bool:
        if pd.proto not in _DIRECT:
            return True
        owner = self.socket_of(pd)
        for test, spec, which in ((r.uid, r.spec.uid, 0), (r.gid, r.spec.gid, 1)):
            if test is None:
                continue
            if owner is None:
                # "unknown" can only be equal or not.
                if spec.op not in (p.PF_OP_EQ, p.PF_OP_NE) or not test(NO_SUCH_UID):
                    return True
            elif not test(owner[which]):
                return True
        return False

    def _test_fragment(self, pd: Pd) -> Verdict:
        """Judge a fragment that was not put together: by addresses alone (pf_test_fragment)."""
        rule = self.evaluate(pd)
        self.status.counters[PFRES_MATCH] += 1
        verdict = Verdict(p.PF_DROP if rule.action == p.PF_DROP else p.PF_PASS, rule)
        if rule.log:
            verdict.log = rule
        return verdict

    def _test_rule(self, pd: Pd) -> Verdict:
        """Judge a packet without state: translation, filter rules, a new state (pf_test_rule)."""
        pd.reason = 0
        which = 0 if pd.direction == p.PF_OUT else 1
        before = (pd.dst, pd.dport) if which else (pd.src, pd.sport)
        error = pd.icmptype in (ERRORS4 if pd.af == AF_INET else ERRORS6) and pd.proto in _ICMPS
        nat = None if error else pf_get_translation(self, pd)
        nat_rule: Rule | None = None
        if nat is not None:
            nat_rule = nat.rule
            echo = pd.proto in _ICMPS
            pd.translate(which, nat.addr, pd.icmpid if echo and which else nat.port)
        nat_where = pd.anchor, pd.anchor_rule
        if nat_rule is not None and nat_rule.natpass:
            rule = self.default_rule
        else:
            rule = self.evaluate(pd)
        self.status.counters[PFRES_MATCH] += 1
        verdict = Verdict(p.PF_PASS, rule)
        verdict.nat = nat_rule
        if rule.log:
            verdict.log = rule
        elif nat_rule is not None and nat_rule.natpass and nat_rule.log:
            verdict.log = nat_rule
            pd.anchor, pd.anchor_rule = nat_where
        if rule.action == p.PF_DROP:
            verdict.action = p.PF_DROP
            if rule.rule_flag & (p.PFRULE_RETURNRST | p.PFRULE_RETURNICMP | p.PFRULE_RETURN):
                if nat is not None:
                    pd.translate(which, *before)
                self._answer(pd, rule)
            return verdict
        if error or not (rule.keep_state or nat_rule is not None or pd.scrub is not None):
            return verdict
        verdict.action = self._create(pd, rule, nat, before, verdict)
        return verdict

    # -- new states

    def _create(
        self,
        pd: Pd,
        rule: Rule,
        nat: Translation | None,
        before: tuple[int, int],
        verdict: Verdict,
    ) -> int:
        """Make the state of a passed packet; return PF_PASS, PF_DROP or PF_SYNPROXY_DROP."""
        nat_rule = nat.rule if nat is not None else None
        out = pd.direction == p.PF_OUT
        spec = rule.spec
        if spec.max_states and rule.states >= spec.max_states:
            self.status.lcounters[0] += 1
            pd.reason = PFRES_MAXSTATES
            return p.PF_DROP
        node: SrcNode | None = None
        nat_node: SrcNode | None = None
        if rule.rule_flag & p.PFRULE_SRCTRACK or rule.pool.opts & p.PF_POOL_STICKYADDR:
            node = self.srcnodes.enter(pd.af, pd.src, rule)
            if node is None:
                pd.reason = PFRES_SRCLIMIT
                return p.PF_DROP
        if nat_rule is not None and nat_rule.pool.opts & p.PF_POOL_STICKYADDR:
            nat_node = self.srcnodes.enter(pd.af, before[0] if out else pd.src, nat_rule)
            if nat_node is None:
                self.srcnodes.unused(node)
                pd.reason = PFRES_SRCLIMIT
                return p.PF_DROP
        if len(self.states) >= self.limits[p.PF_LIMIT_STATES]:
            self.srcnodes.unused(node)
            self.srcnodes.unused(nat_node)
            pd.reason = PFRES_MEMORY
            return p.PF_DROP
        state = State(self, pd.af, pd.proto, pd.direction, pd.kif, rule)
        state.nat_rule, state.anchor = nat_rule, pd.anchor_rule
        state.tag = pd.newtag
        if nat_rule is not None:
            state.log |= nat_rule.log & p.PF_LOG_ALL
        self._ends(pd, state, nat, before)
        reason = self._begin(pd, state, rule)
        if reason:
            self.srcnodes.unused(node)
            self.srcnodes.unused(nat_node)
            pd.reason = reason
            return p.PF_DROP
        self._set_route(pd, state)
        bound = rule.rule_flag & p.PFRULE_IFBOUND or (
            nat_rule is not None and nat_rule.rule_flag & p.PFRULE_IFBOUND
        )
        state.kif = pd.kif if bound else None
        state.src_node, state.nat_src_node = node, nat_node
        if not self.states.insert(state):
            self.srcnodes.unused(node)
            self.srcnodes.unused(nat_node)
            pd.reason = PFRES_STATEINS
            return p.PF_DROP
        rule.states += 1
        if nat_rule is not None:
            nat_rule.states += 1
        if state.anchor is not None:
            state.anchor.states += 1
        if node is not None:
            node.states += 1
        if nat_node is not None:
            assert nat is not None
            nat_node.states += 1
            nat_node.raddr = nat.addr
        verdict.state = state
        if (
            pd.proto == IPPROTO_TCP
            and pd.tflags & (TH_SYN | TH_ACK) == TH_SYN
            and rule.keep_state == p.PF_STATE_SYNPROXY
        ):
            return self._proxy_syn(pd, state, nat, before)
        return p.PF_PASS

    @staticmethod
    def _ends(pd: Pd, state: State, nat: Translation | None, before: tuple[int, int]) -> None:
        """Set the three ends of a state from the packet, which is translated already."""
        echo = pd.proto in _ICMPS
        if pd.proto not in _DIRECT and not echo:
            before = before[0], 0
        if pd.direction == p.PF_OUT:
            state.gwy = pd.src, pd.sport
            state.ext = pd.dst, 0 if echo else pd.dport
            state.lan = before if nat is not None else state.gwy
        else:
            state.lan = pd.dst, pd.dport
            state.ext = pd.src, 0 if echo else pd.sport
            state.gwy = before if nat is not None else state.lan

    def _begin(self, pd: Pd, state: State, rule: Rule) -> int:
        """Set both sides of a state by its first packet; return a reason, 0 if all is well."""
        src, dst = state.src, state.dst
        if pd.proto == IPPROTO_TCP:
            flags = pd.tflags
            src.seqlo = pd.seq
            size = pd.plen + 1 + (1 if flags & TH_SYN else 0) + (1 if flags & TH_FIN else 0)
            src.seqhi = (pd.seq + size) & _M
            win = max(pd.win, 1)
            if flags & TH_SYN:
                src.wscale = get_wscale(pd)
                if src.wscale & WSCALE_FLAG:
                    shift = src.wscale & WSCALE_MASK
                    win = (win + (1 << shift) - 1) >> shift
            src.max_win = win
            dst.seqhi = dst.max_win = 1
            src.state = TCPS_SYN_SENT
            state.timeout = p.PFTM_TCP_FIRST_PACKET
            if pd.scrub is not None:
                scrub_init(self, pd, src)
                if not scrub_stateful(self, pd, src, dst):
                    return pd.reason
            if flags & (TH_SYN | TH_ACK) == TH_SYN and rule.keep_state == p.PF_STATE_MODULATE:
                src.seqdiff = self.random_diff(pd.seq)
                pd.change32(4, pd.seq + src.seqdiff)
        elif pd.proto == IPPROTO_UDP:
            src.state = SINGLE
            state.timeout = p.PFTM_UDP_FIRST_PACKET
        elif pd.proto in _ICMPS:
            state.timeout = p.PFTM_ICMP_FIRST_PACKET
        else:
            src.state = SINGLE
            state.timeout = p.PFTM_OTHER_FIRST_PACKET
        return 0

    def _proxy_syn(
        self, pd: Pd, state: State, nat: Translation | None, before: tuple[int, int]
    ) -> int:
        """Answer a SYN in the place of the server."""
        src = state.src
        src.state = p.PF_TCPS_PROXY_SRC
        if nat is not None:
            pd.translate(0 if pd.direction == p.PF_OUT else 1, *before)
        src.seqhi = self.stack.dice.getrandbits(32)
        mss = pd.tcp_options().mss or TCP_MSSDFLT
        for end in (state.ext[0], state.lan[0]):
            mss = self._calc_mss(pd.af, end, mss)
        src.mss = mss
        self.send_tcp(
            pd.af, pd.dst, pd.src, pd.dport, pd.sport, src.seqhi, pd.seq + 1, TH_SYN | TH_ACK, 0,
            mss=mss, origin=pd,
        )  # fmt: skip
        pd.reason = PFRES_SYNPROXY
        return p.PF_SYNPROXY_DROP

    def _calc_mss(self, af: int, addr: int, offer: int) -> int:
        """Return the largest MSS for both an offer and the route to *addr* (pf_calc_mss)."""
        mss = TCP_MSSDFLT
        if af == AF_INET:
            rt = self.stack.route.rtlookup(addr)
            if rt is not None:
                mss = max(rt.ifp.mtu - _IP_TCP_HDRS, TCP_MSSDFLT)
        else:
            mss = max(1280 - _IP6_TCP_HDRS, TCP_MSSDFLT)
        return max(min(mss, offer), 64)

    def proxy_reset(self, state: State) -> None:
        """Tell the server that a proxied connection has ended before it began."""
        self.send_tcp(
            state.af, state.ext[0], state.lan[0], state.ext[1], state.lan[1],
            (state.src.seqhi + 1) & _M, state.src.seqlo + 1, TH_RST | TH_ACK, 0, tag=state.tag,
        )  # fmt: skip

    # -- answers

    def _answer(self, pd: Pd, rule: Rule) -> None:
        """Tell the sender of a blocked packet, as its rule says."""
        flags = rule.rule_flag
        pd.commit()
        if (
            pd.proto == IPPROTO_TCP
            and flags & (p.PFRULE_RETURNRST | p.PFRULE_RETURN)
            and not pd.tflags & TH_RST
        ):
            if not pd.cksum_ok():
                pd.reason = PFRES_PROTCKSUM
                return
            ack = pd.seq + pd.plen
            ack += (1 if pd.tflags & TH_SYN else 0) + (1 if pd.tflags & TH_FIN else 0)
            self.send_tcp(
                pd.af, pd.dst, pd.src, pd.dport, pd.sport, pd.ack, ack, TH_RST | TH_ACK, 0,
                ttl=rule.spec.return_ttl, origin=pd,
            )  # fmt: skip
        elif pd.af == AF_INET and rule.spec.return_icmp:
            self._send_icmp(pd, rule.spec.return_icmp)
        elif pd.af == AF_INET6 and rule.spec.return_icmp6:
            self._send_icmp6(pd, rule.spec.return_icmp6)

    def _send_icmp(self, pd: Pd, what: int) -> None:
        m = Mbuf(pd.m.data, pd.m.rcvif, pd.m.flags, pd.m.csum_flags)
        if not self.stack.ip.reparse(m):
            return
        finish_cksum(m, AF_INET, m.hlen, m.proto)
        m.tag("pf_generated", True)
        self.stack.icmp.error(m, what >> 8, what & 0xFF)

    def _send_icmp6(self, pd: Pd, what: int) -> None:
        """Send an ICMPv6 error about *pd* (RFC 4443 section 2.4: not about errors, not to many)."""
        if (pd.proto == IPPROTO_ICMPV6 and pd.icmptype < 128) or pd.dst >> 120 == 0xFF:
            return
        body = bytes((what >> 8, what & 0xFF, 0, 0, 0, 0, 0, 0)) + pd.m.data[: 1280 - 48]
        cksum = in_cksum(body, pseudo(AF_INET6, pd.dst, pd.src, IPPROTO_ICMPV6, len(body)))
        body = body[:2] + cksum.to_bytes(2, "big") + body[4:]
        self._send6(ip6_header(pd.dst, pd.src, IPPROTO_ICMPV6, len(body), 64) + body)

    def _send6(self, packet: bytes, generated: bool = True) -> None:
        m = Mbuf(packet)
        if generated:
            m.tag("pf_generated", True)
        if self.output6 is None:
            self.stack.drop(m, "pf", "noip6", "no IPv6 output to answer by")
            return
        self.output6(m)

    def send_tcp(
        self,
        af: int,
        saddr: int,
        daddr: int,
        sport: int,
        dport: int,
        seq: int,
        ack: int,
        flags: int,
        win: int,
        *,
        mss: int = 0,
        ttl: int = 0,
        tag: str = "",
        origin: Pd | None = None,
        generated: bool = True,
    ) -> None:
        """Send a segment of pf's own (pf_send_tcp).

        generated  whether pf lets it pass unseen      tag  tag that it bears otherwise
        """
        options = b"\2\4" + mss.to_bytes(2, "big") if mss else b""
        size = 20 + len(options)
        body = (
            TCP_HDR.pack(sport, dport, seq & _M, ack & _M, size << 2, flags, win & 0xFFFF, 0, 0)
            + options
        )
        cksum = in_cksum(body, pseudo(af, saddr, daddr, IPPROTO_TCP, size))
        body = body[:16] + cksum.to_bytes(2, "big") + body[18:]
        if af == AF_INET6:
            self._send6(ip6_header(saddr, daddr, IPPROTO_TCP, size, ttl or 64) + body, generated)
            return
        m = Mbuf(body)
        m.src, m.dst, m.proto, m.tos = saddr, daddr, IPPROTO_TCP, IPTOS_LOWDELAY
        m.ttl = ttl or self.stack.ip.ttl
        if generated:
            m.tag("pf_generated", True)
        if tag:
            m.tag("pf_tag", tag)
        try:
            self.stack.ip.output(m)
        except NetError as exc:
            self.debug(p.PF_DEBUG_MISC, f"send_tcp: {exc.symbol}")

    # -- route-to and kin

    def _set_route(self, pd: Pd, state: State) -> None:
        """Choose where the packets of a state go (pf_set_rt_ifp)."""
        rule = state.rule
        if rule.rt in (p.PF_NOPFROUTE, p.PF_FASTROUTE):
            return
        addr = pf_map_addr(self, pd.af, rule, pd.src, None, None)
        entry = rule.pool.current
        state.rt_addr = addr or 0
        state.rt_kif = entry.kif if entry is not None else None

    def _route(self, pd: Pd, rule: Rule, state: State | None) -> Mbuf | None:
        """Send a packet where its rule says (pf_route); None when it was taken."""
        m = pd.m
        copy = rule.rt == p.PF_DUPTO
        if not copy and (rule.rt == p.PF_REPLYTO) == (rule.direction == pd.direction):
            return m
        times = pd.marked("pf_routed")
        times = times + 1 if isinstance(times, int) else 1
        if times > MAX_ROUTED:
            self.stack.drop(m, "pf", "routed", "rerouted too often")
            return None
        pd.mark("pf_routed", times)
        if pd.af != AF_INET:
            self.stack.drop(m, "pf", "noip6", "no IPv6 output to route by")
            return m if copy else None
        if copy:
            other = m.copy()
            self.stack.ip.reparse(other)
            self._send_by(other, pd, rule, state)
            return m
        self._send_by(m, pd, rule, state)
        return None

    def _send_by(self, m: Mbuf, pd: Pd, rule: Rule, state: State | None) -> None:
        stack = self.stack
        ifp: Ifnet | None
        rt: Any = None
        hop = m.dst
        if rule.rt == p.PF_FASTROUTE:
            rt = stack.route.rtalloc(m.dst)
            if rt is None:
                stack.drop(m, "ip", "noroute", "fastroute")
                return
            ifp = rt.ifp
            if rt.flags & RTF_GATEWAY and isinstance(rt.gateway, SockaddrIn):
                hop = rt.gateway.addr
        elif state is not None:
            ifp = state.rt_kif.ifp if state.rt_kif is not None else None
            hop = state.rt_addr or hop
        else:
            addr = pf_map_addr(self, AF_INET, rule, m.src, None, None)
            entry = rule.pool.current
            ifp = entry.kif.ifp if entry is not None and entry.kif is not None else None
            hop = addr or hop
        if ifp is None or not ifp.flags & IFF_UP:
            stack.drop(m, "pf", "noif", "the interface of a route rule is not there")
            return
        if ifp is not pd.ifp:
            try:
                got = self.hook(m, ifp, PFIL_OUT)
            except NetError:
                return
            if got is None:
                return
            m = got
            stack.ip.reparse(m)
        try:
            self._transmit(m, ifp, hop, rt, copy=rule.rt == p.PF_DUPTO)
        except NetError as exc:
            self.debug(p.PF_DEBUG_MISC, f"route: {ifp.name}: {exc.symbol}")

    def _transmit(self, m: Mbuf, ifp: Ifnet, hop: int, rt: Any, *, copy: bool) -> None:
        stack = self.stack
        finish_cksum(m, AF_INET, m.hlen, m.proto, fragment=bool(m.ip_off & 0x3FFF))
        head = m.data[:10] + b"\0\0" + m.data[12 : m.hlen]
        m.data = head[:10] + in_cksum(head).to_bytes(2, "big") + head[12:] + m.data[m.hlen :]
        if m.ip_len <= ifp.mtu:
            ifp.output(m, hop, rt)
            return
        if m.ip_off & IP_DF:
            stack.drop(m, "ip", "cantfrag", f"{m.ip_len} octets, {ifp.name} takes {ifp.mtu}")
            if not copy:
                stack.icmp.error(m, ICMP_UNREACH, ICMP_UNREACH_NEEDFRAG, mtu=ifp.mtu)
            return
        for data in stack.ip.out.fragment(m, ifp.mtu):
            piece = Mbuf(data, m.rcvif, m.flags)
            piece.tags = m.tags
            ifp.output(piece, hop, rt)

    # -- the end

    def _done(self, pd: Pd, verdict: Verdict) -> Mbuf | None:
        """Options, tag, queue, log, counters, route; return the packet to go on with."""
        m, rule, state = pd.m, verdict.rule, verdict.state
        action = verdict.action
        if (
            action == p.PF_PASS
            and pd.options
            and not (rule.allow_opts or (state is not None and state.allow_opts))
        ):
            action = p.PF_DROP
            pd.reason = PFRES_IPOPTION
            verdict.log = rule
        tag = state.tag if state is not None and state.tag else pd.newtag
        if tag:
            m.tag("pf_tag", tag)
        if action == p.PF_PASS and rule.qid:
            urgent = pd.tos == IPTOS_LOWDELAY or (
                pd.proto == IPPROTO_TCP and pd.tflags & TH_ACK and not pd.plen
            )
            m.tag("pf_qid", rule.pqid if urgent else rule.qid)
        if pd.reason > 0:
            self.status.counters[pd.reason] += 1
        if verdict.log is not None:
            log = verdict.log
            self.pflog.packet(pd, log, pd.reason, p.PF_DROP if action == p.PF_DROP else None)
        self._account(pd, verdict, action)
        if action != p.PF_PASS:
            if action == p.PF_SYNPROXY_DROP:
                pd.reason = -1  # pf has taken it: the sender is not told
            else:
                reason = p.PFRES_NAMES[max(pd.reason, 0)]
                self.stack.drop(m, "pf", reason, f"rule {rule.nr}")
            return None
        pd.commit()
        if rule.rt:
            got = self._route(pd, rule, state)
            if got is None:
                pd.reason = -1
            return got
        return m

    def _account(self, pd: Pd, verdict: Verdict, action: int) -> None:
        rule, state, size = verdict.rule, verdict.state, pd.size
        out = pd.direction == p.PF_OUT
        at = (4 if pd.af == AF_INET6 else 0) + (2 if out else 0) + (1 if action != p.PF_PASS else 0)
        pd.kif.count(at, size)
        if action != p.PF_PASS and rule.action != p.PF_DROP:
            return
        rule.count(size, out)
        nat = verdict.nat
        if nat is not None:
            nat.count(size, out)
        anchor = state.anchor if state is not None else pd.anchor_rule
        if anchor is not None and anchor is not rule:
            anchor.count(size, out)
        if state is not None:
            for node in (state.src_node, state.nat_src_node):
                if node is not None:
                    if out:
                        node.pout += 1
                        node.bout += size
                    else:
                        node.pin += 1
                        node.bin += size
            if state.direction == pd.direction:
                state.pin += 1
                state.bin += size
            else:
                state.pout += 1
                state.bout += size
        if rule.tables or (nat is not None and nat.tables):
            decided = rule if rule.tables or nat is None else nat
            same = state is None or state.direction == pd.direction
            first, second = (pd.src, pd.dst) if same else (pd.dst, pd.src)
            passed = rule.action != p.PF_DROP
            if decided.src.table is not None:
                decided.src.table.count(pd.af, first, size, out, passed, decided.s_neg)
            if decided.dst.table is not None:
                decided.dst.table.count(pd.af, second, size, out, passed, decided.d_neg)

    def bad_state(self, pd: Pd, state: State, seq: int, ack: int, skew: int) -> None:
        """Log a segment outside its window (pfctl -x misc)."""
        if self.status.debug < p.PF_DEBUG_MISC:
            return
        src, dst = state.src, state.dst
        self.debug(
            p.PF_DEBUG_MISC,
            f"BAD state: TCP {pd.sport} -> {pd.dport} [lo={src.seqlo} high={src.seqhi} "
            f"win={src.max_win}] [lo={dst.seqlo} high={dst.seqhi} win={dst.max_win}] "
            f"{src.state}:{dst.state} seq={seq} ack={ack} len={pd.plen} ackskew={skew}",
        )


_ICMPS: Final = frozenset((IPPROTO_ICMP, IPPROTO_ICMPV6))
