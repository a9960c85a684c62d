"""States and source nodes: how they are found, limited and forgotten (struct pf_state, pf_src_node).

A state is found by the twelve octets that a packet bears: source, destination, and the two ports (36
for IPv6). There are two dicts for each protocol: what comes in is looked up as remote end and outside
address, what goes out as inside address and remote end, so one dict get finds a state whatever their
number. States with one key on several interfaces are chained.

Time: a state has the second in which it is looked at again. That is when it would end, but never later
than `timeout interval` from now, since timeouts may be changed, or shrink as the table fills.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from libnet.addr import AF_INET
from libnet.clock import Callout
from libnet.ioctl import pf as p
from libnet.ioctl.pf import PfSrcNode, PfState, PfStateHost, PfStatePeer
from libnet.wire.ipv4 import IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP

if TYPE_CHECKING:
    from libnet.engine.pf.packet import Pd
    from libnet.engine.pf.pf import Pf
    from libnet.engine.pf.pf_if import Kif
    from libnet.engine.pf.ruleset import Rule

IPPROTO_ICMPV6: Final = 58

TCPS_CLOSED: Final = 0
TCPS_SYN_SENT: Final = 2
TCPS_ESTABLISHED: Final = 4
TCPS_CLOSING: Final = 7
TCPS_FIN_WAIT_2: Final = 9
TCPS_TIME_WAIT: Final = 10
NO_TRAFFIC: Final = 0
SINGLE: Final = 1
MULTIPLE: Final = 2

THRESHOLD_MULT: Final = 1000

_FOREVER: Final = 1 << 62
_IDS: Final = frozenset((IPPROTO_ICMP, IPPROTO_ICMPV6))
_DIRECT: Final = frozenset((IPPROTO_TCP, IPPROTO_UDP))


class Scrub:
    """What reassemble tcp remembers of one side (struct pf_state_scrub).

    ttl      highest time to live seen       ts_mod   what its timestamps are moved by
    last     when its newest timestamp came  tsval, tsecr   the newest ones
    tsval0   its first timestamp
    """

    __slots__ = ("flags", "last", "ts_mod", "tsecr", "tsval", "tsval0", "ttl")

    def __init__(self) -> None:
        self.flags = self.ttl = self.ts_mod = self.tsval = self.tsval0 = self.tsecr = 0
        self.last = 0.0


class Peer:
    """One side of a state (struct pf_state_peer).

    tail      the acknowledgement, flags and window of its last ordinary segment, as octets
    tail_lo   the other side's seqlo then      tail_len  octets of its headers
    room      how far back of seqlo a segment may begin
    """

    __slots__ = (
        "max_win",
        "mss",
        "room",
        "scrub",
        "seqdiff",
        "seqhi",
        "seqlo",
        "state",
        "tail",
        "tail_len",
        "tail_lo",
        "tcp_est",
        "wscale",
    )

    def __init__(self) -> None:
        self.seqlo = self.seqhi = self.seqdiff = self.max_win = self.mss = 0
        self.state = self.wscale = 0
        self.tcp_est = False
        self.scrub: Scrub | None = None
        self.tail = b""
        self.tail_lo = self.tail_len = self.room = 0

    def alike(self, other: Peer) -> bool:
        """Tell whether another state knows the same of this side."""
        return (self.seqlo, self.seqhi, self.max_win, self.wscale) == (
            other.seqlo, other.seqhi, other.max_win, other.wscale,
        )  # fmt: skip

    def show(self) -> PfStatePeer:
        """Return struct pfsync_state_peer."""
        return PfStatePeer(
            self.seqlo, self.seqhi, self.seqdiff, self.max_win, self.mss, self.state, self.wscale
        )


class State:
    """One state.

    lan, gwy, ext   (address, port) inside, as seen outside, of the remote end
    kif             the interface it is bound to, None when it floats; origin: where it was made
    src, dst        the side that the direction calls source, and the other
    last            second of the last packet       timeout   PFTM_* it is on
    packets, octets [in the state's direction, the other way]
    plain           nothing is to be done to its packets but to check, translate and count them
    cached          whether it may have paths (see flow)
    next_lan, next_gwy   states of the same key on other interfaces
    """

    __slots__ = (
        "af",
        "allow_opts",
        "anchor",
        "bin",
        "bout",
        "cached",
        "creation",
        "creatorid",
        "direction",
        "dst",
        "ext",
        "gone",
        "gwy",
        "id",
        "key_in",
        "key_out",
        "kif",
        "lan",
        "last",
        "log",
        "nat_rule",
        "nat_src_node",
        "next_in",
        "next_out",
        "origin",
        "pin",
        "plain",
        "pout",
        "proto",
        "rt_addr",
        "rt_kif",
        "rule",
        "src",
        "src_node",
        "tag",
        "timeout",
        "translated",
        "wheel",
    )  # fmt: skip

    def __init__(self, pf: Pf, af: int, proto: int, direction: int, kif: Kif, rule: Rule) -> None:
        self.af, self.proto, self.direction = af, proto, direction
        self.rule: Rule = rule
        self.nat_rule: Rule | None = None
        self.anchor: Rule | None = None
        self.lan = self.gwy = self.ext = (0, 0)
        self.kif: Kif | None = None
        self.origin: Kif = kif
        self.src, self.dst = Peer(), Peer()
        self.creation = self.last = pf.stack.clock.now
        self.timeout = 0
        self.pin = self.bin = self.pout = self.bout = 0
        self.rt_kif: Kif | None = None
        self.rt_addr = 0
        self.src_node: SrcNode | None = None
        self.nat_src_node: SrcNode | None = None
        self.log = rule.log & p.PF_LOG_ALL
        self.allow_opts = rule.allow_opts
        self.tag = ""
        self.translated = self.plain = self.gone = self.cached = False
        self.id = self.creatorid = 0
        self.key_in = self.key_out = b""
        self.next_in: State | None = None
        self.next_out: State | None = None
        self.wheel = 0

    def settle(self) -> None:
        """Note what the packet path may leave out for this state."""
        rule, nat = self.rule, self.nat_rule
        self.translated = self.lan != self.gwy
        self.plain = not (
            self.log
            or self.tag
            or (nat is not None and nat.tables)
            or rule.rt
            or rule.qid
            or rule.rtableid >= 0
            or self.src.seqdiff
            or self.dst.seqdiff
            or self.src.scrub is not None
            or self.dst.scrub is not None
        )

    def key_of(self, direction: int) -> bytes:
        """Return the octets that a packet going that way bears."""
        if direction == p.PF_IN:
            return pack_key(self.af, self.proto, self.ext, self.gwy)
        return pack_key(self.af, self.proto, self.lan, self.ext)


def pack_key(af: int, proto: int, src: tuple[int, int], dst: tuple[int, int]) -> bytes:
    """Return source, destination and ports as a packet has them."""
    size = 4 if af == AF_INET else 16
    if proto in _DIRECT or proto in _IDS:
        ports = src[1].to_bytes(2, "big") + dst[1].to_bytes(2, "big")
    else:
        ports = b"\0\0\0\0"
    return src[0].to_bytes(size, "big") + dst[0].to_bytes(size, "big") + ports


class StateTable:
    """All states of one pf.

    going_in, going_out   by protocol, then by key        count   how many states there are
    all                   in order of making
    """

    def __init__(self, pf: Pf) -> None:
        self.pf = pf
        self.going_in: dict[int, dict[bytes, State]] = {}
        self.going_out: dict[int, dict[bytes, State]] = {}
        for proto in _DIRECT:
            self.going_in[proto], self.going_out[proto] = {}, {}
        self.all: dict[State, None] = {}
        self.searches = self.inserts = self.removals = 0
        self.next_id = 1
        self._wheel: dict[int, list[State]] = {}
        self._timer: Callout | None = None
        self._due = _FOREVER

    def __len__(self) -> int:
        return len(self.all)

    # -- finding

    def find(self, proto: int, key: bytes, direction: int, kif: Kif) -> State | None:
        """Return the state of a packet with *key* on *kif*."""
        self.searches += 1
        table = (self.going_in if direction == p.PF_IN else self.going_out).get(proto)
        if table is None:
            return None
        state = table.get(key)
        while state is not None:
            if state.kif is None or state.kif is kif:
                return state
            state = state.next_in if direction == p.PF_IN else state.next_out
        return None

    def in_use(self, pd: Pd, naddr: int, dport: int) -> Callable[[int], bool]:
        """Return what tells whether a port of *naddr* is taken towards the destination of *pd*."""
        table = self.going_in.get(pd.proto, {})
        af, proto, dst = pd.af, pd.proto, pd.dst
        size = 4 if af == AF_INET else 16
        if proto in _DIRECT or proto in _IDS:
            front = (
                dst.to_bytes(size, "big") + naddr.to_bytes(size, "big") + dport.to_bytes(2, "big")
            )
            return lambda port: front + port.to_bytes(2, "big") in table
        key = dst.to_bytes(size, "big") + naddr.to_bytes(size, "big") + b"\0\0\0\0"
        return lambda _port: key in table

    # -- coming and going

    def insert(self, state: State) -> bool:
        """Enter *state*; False when its key is taken on that interface (pf_insert_state)."""
        proto = state.proto
        ins = self.going_in.setdefault(proto, {})
        outs = self.going_out.setdefault(proto, {})
        state.key_in, state.key_out = state.key_of(p.PF_IN), state.key_of(p.PF_OUT)
        same = outs.get(state.key_out)
        other = same
        while other is not None:
            if other.kif is state.kif:
                return False
            if other.key_in != state.key_in:
                return False
            other = other.next_out
        if same is None and state.key_in in ins:
            return False
        state.next_out, state.next_in = same, ins.get(state.key_in)
        outs[state.key_out] = state
        ins[state.key_in] = state
        self.all[state] = None
        if not state.id:
            state.id = self.next_id
            state.creatorid = self.pf.status.hostid
            self.next_id += 1
        if state.kif is not None:
            state.kif.states += 1
        else:
            self.pf.kifs.all.states += 1
        self.inserts += 1
        state.settle()
        self.schedule(state)
        return True

    def remove(self, state: State) -> None:
        """Forget *state* (pf_unlink_state)."""
        if state.gone:
            return
        state.gone = True
        if state.cached:
            self.pf.flows.forget(state)
        _unchain(self.going_in[state.proto], state.key_in, state, "next_in")
        _unchain(self.going_out[state.proto], state.key_out, state, "next_out")
        del self.all[state]
        (state.kif or self.pf.kifs.all).states -= 1
        if state.kif is not None:
            self.pf.kifs.unref(state.kif)
        self.removals += 1
        if state.src.state == p.PF_TCPS_PROXY_DST:
            self.pf.proxy_reset(state)
        self.pf.srcnodes.leave(state)
        state.rule.states -= 1
        if state.nat_rule is not None:
            state.nat_rule.states -= 1
        if state.anchor is not None:
            state.anchor.states -= 1

    # -- time

    def lifetime(self, state: State) -> float:
        """Return the seconds that *state* lasts after its last packet (pf_state_expires)."""
        pf = self.pf
        rule = state.rule
        own = rule.timeout
        seconds = (own[state.timeout] if own else 0) or pf.timeouts[state.timeout]
        start = own[p.PFTM_ADAPTIVE_START] if own else 0
        if start:
            assert own is not None
            end = own[p.PFTM_ADAPTIVE_END]
            states = rule.states
        else:
            start = pf.timeouts[p.PFTM_ADAPTIVE_START]
            end = pf.timeouts[p.PFTM_ADAPTIVE_END]
            states = len(self.all)
        if end and states > start and start < end:
            if states >= end:
                return 0.0
            return seconds * (end - states) / (end - start)
        return float(seconds)

    def schedule(self, state: State) -> None:
        """Have *state* looked at when it would end, or in an interval."""
        now = self.pf.stack.clock.now
        due = min(
            state.last + self.lifetime(state), now + max(1, self.pf.timeouts[p.PFTM_INTERVAL])
        )
        slot = int(due) + 1
        state.wheel = slot
        waiting = self._wheel.get(slot)
        if waiting is None:
            self._wheel[slot] = [state]
            if slot < self._due:
                self._set(slot)
        else:
            waiting.append(state)

    def hasten(self, state: State) -> None:
        """Look at *state* again soon: its timeout has become shorter."""
        due = int(state.last + self.lifetime(state)) + 1
        if due < state.wheel:
            self.schedule(state)

    def _set(self, slot: int) -> None:
        if self._timer is not None:
            self._timer.stop()
        self._due = slot
        clock = self.pf.stack.clock
        self._timer = clock.after(max(0.0, slot - clock.now), self.purge)

    def purge(self) -> None:
        """End the states whose time is over (pf_purge_expired_states)."""
        self.pf.flows.fold()
        now = self.pf.stack.clock.now
        for slot in sorted(slot for slot in self._wheel if slot <= now):
            for state in self._wheel.pop(slot):
                if state.gone or state.wheel != slot:
                    continue
                if state.last + self.lifetime(state) <= now:
                    self.remove(state)
                else:
                    self.schedule(state)
        self._due = _FOREVER
        if self._wheel:
            self._set(min(self._wheel))

    def stop(self) -> None:
        """Forget everything: the box ends."""
        if self._timer is not None:
            self._timer.stop()
        self._wheel.clear()

    # -- what is shown

    def show(self, state: State) -> PfState:
        """Return struct pfsync_state."""
        now = self.pf.stack.clock.now
        flags = p.PFSTATE_NOSYNC if state.rule.rule_flag & p.PFRULE_NOSYNC else 0
        if state.src_node is not None:
            flags |= p.PFSYNC_FLAG_SRCNODE
        if state.nat_src_node is not None:
            flags |= p.PFSYNC_FLAG_NATSRCNODE
        left = state.last + self.lifetime(state) - now
        forward = [state.pin, state.pout]
        octets = [state.bin, state.bout]
        return PfState(
            id=state.id,
            creatorid=state.creatorid,
            ifname=state.kif.name if state.kif is not None else "all",
            lan=PfStateHost(*state.lan),
            gwy=PfStateHost(*state.gwy),
            ext=PfStateHost(*state.ext),
            src=state.src.show(),
            dst=state.dst.show(),
            rt_addr=state.rt_addr,
            rule=state.rule.nr,
            anchor=state.anchor.nr if state.anchor is not None else p.PF_RULE_NONE,
            nat_rule=state.nat_rule.nr if state.nat_rule is not None else p.PF_RULE_NONE,
            creation=int(now - state.creation),
            expire=max(0, int(left)),
            packets=forward,
            bytes=octets,
            af=state.af,
            proto=state.proto,
            direction=state.direction,
            log=state.log,
            allow_opts=int(state.allow_opts),
            timeout=state.timeout,
            sync_flags=flags,
        )


def _unchain(table: dict[bytes, State], key: bytes, state: State, link: str) -> None:
    head = table.get(key)
    if head is state:
        after: State | None = getattr(state, link)
        if after is None:
            del table[key]
        else:
            table[key] = after
        return
    while head is not None:
        after = getattr(head, link)
        if after is state:
            setattr(head, link, getattr(state, link))
            return
        head = after


class SrcNode:
    """What is known of one source address, of one rule or of all (struct pf_src_node).

    raddr    the address that a sticky pool gave it      states, conn   how many
    rate     connections times 1000, decaying            last   when that was brought up to date
    """

    __slots__ = (
        "addr",
        "af",
        "bin",
        "bout",
        "conn",
        "creation",
        "expire",
        "key",
        "last",
        "limit",
        "owner",
        "pin",
        "pout",
        "raddr",
        "rate",
        "rule",
        "seconds",
        "states",
    )

    def __init__(
        self, af: int, addr: int, rule: Rule, now: float, key: tuple[int, int, int]
    ) -> None:
        self.af, self.addr, self.key = af, addr, key
        self.rule: Rule | None = rule if key[2] else None
        self.owner = rule
        self.raddr = 0
        self.states = self.conn = 0
        self.pin = self.bin = self.pout = self.bout = 0
        self.creation = now
        self.expire = 0.0
        self.limit, self.seconds = rule.spec.max_src_conn_rate
        self.rate = 0
        self.last = now

    def add_connection(self, now: float) -> None:
        """Count a completed connection (pf_add_threshold)."""
        self.conn += 1
        passed = int(now) - int(self.last)
        if passed >= self.seconds:
            self.rate = 0
        else:
            self.rate -= self.rate * passed // self.seconds
        self.rate += THRESHOLD_MULT
        self.last = now

    def too_fast(self) -> bool:
        """Tell whether there were more connections than the rate allows."""
        return self.rate > self.limit * THRESHOLD_MULT


class SrcNodes:
    """All source nodes of one pf, by (family, address, id of the rule or 0)."""

    def __init__(self, pf: Pf) -> None:
        self.pf = pf
        self.nodes: dict[tuple[int, int, int], SrcNode] = {}
        self.searches = self.inserts = self.removals = 0
        self._timer: Callout | None = None

    def __len__(self) -> int:
        return len(self.nodes)

    @staticmethod
    def _key(af: int, addr: int, rule: Rule) -> tuple[int, int, int]:
        own = rule.rule_flag & p.PFRULE_RULESRCTRACK or rule.pool.opts & p.PF_POOL_STICKYADDR
        return af, addr, id(rule) if own else 0

    def sticky(self, af: int, addr: int, rule: Rule) -> SrcNode | None:
        """Return the node that remembers what a pool gave *addr*."""
        self.searches += 1
        return self.nodes.get(self._key(af, addr, rule))

    def enter(self, af: int, addr: int, rule: Rule) -> SrcNode | None:
        """Return the node for a new state, made if need be; None when a limit is reached."""
        pf, spec = self.pf, rule.spec
        key = self._key(af, addr, rule)
        self.searches += 1
        node = self.nodes.get(key)
        if node is None:
            if spec.max_src_nodes and rule.src_nodes >= spec.max_src_nodes:
                pf.status.lcounters[2] += 1
                return None
            if len(self.nodes) >= pf.limits[p.PF_LIMIT_SRC_NODES]:
                return None
            node = self.nodes[key] = SrcNode(af, addr, rule, pf.stack.clock.now, key)
            node.expire = pf.stack.clock.now
            rule.src_nodes += 1
            self.inserts += 1
            self._watch()
        elif spec.max_src_states and node.states >= spec.max_src_states:
            pf.status.lcounters[1] += 1
            return None
        return node

    def leave(self, state: State) -> None:
        """Tell the nodes that *state* is gone."""
        now = self.pf.stack.clock.now
        for node in (state.src_node, state.nat_src_node):
            if node is None:
                continue
            if node is state.src_node and state.src.tcp_est:
                node.conn -= 1
            node.states -= 1
            if not node.states:
                own = state.rule.timeout
                keep = (own[p.PFTM_SRC_NODE] if own else 0) or self.pf.timeouts[p.PFTM_SRC_NODE]
                node.expire = now + keep
                if not keep:
                    self.remove(node)
        state.src_node = state.nat_src_node = None

    def unused(self, node: SrcNode | None) -> None:
        """Take away a node that was made for a state which was not."""
        if node is not None and not node.states and node.expire <= self.pf.stack.clock.now:
            self.remove(node)

    def remove(self, node: SrcNode) -> None:
        """Forget *node*."""
        if self.nodes.pop(node.key, None) is None:
            return
        node.owner.src_nodes -= 1
        self.removals += 1

    def _watch(self) -> None:
        if self._timer is None and self.nodes:
            every = max(1, self.pf.timeouts[p.PFTM_INTERVAL])
            self._timer = self.pf.stack.clock.after(every, self._purge)

    def _purge(self) -> None:
        self._timer = None
        now = self.pf.stack.clock.now
        for node in list(self.nodes.values()):
            if not node.states and node.expire <= now:
                self.remove(node)
        self._watch()

    def stop(self) -> None:
        """Stop the timer."""
        if self._timer is not None:
            self._timer.stop()

    def show(self, node: SrcNode) -> PfSrcNode:
        """Return struct pf_src_node as it is shown."""
        now = self.pf.stack.clock.now
        rate = node.rate
        passed = int(now) - int(node.last)
        if node.seconds:
            rate = 0 if passed >= node.seconds else rate - rate * passed // node.seconds
        return PfSrcNode(
            node.addr,
            node.raddr,
            node.rule.nr if node.rule is not None else p.PF_RULE_NONE,
            [node.bin, node.bout],
            [node.pin, node.pout],
            node.states,
            node.conn,
            [node.limit, node.seconds, rate],
            int(now - node.creation),
            max(0, int(node.expire - now)) if not node.states else 0,
            node.af,
            p.PF_PASS if node.owner.action == p.PF_DROP else node.owner.action,
        )
