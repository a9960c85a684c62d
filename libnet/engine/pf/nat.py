"""Address pools and translation: nat, rdr, binat (pf.conf(5), sections "translation", "pool options")."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from libnet.engine.pf.pf_if import DynAddr
from libnet.engine.pf.table import WIDTH, Ktable, Prefixes
from libnet.errors import NetError
from libnet.ioctl import pf as p
from libnet.ioctl.pf import PfPool
from libnet.wire.ipv4 import IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP

if TYPE_CHECKING:
    from libnet.engine.pf.packet import Pd
    from libnet.engine.pf.pf import Pf
    from libnet.engine.pf.pf_if import Kif
    from libnet.engine.pf.ruleset import Rule
    from libnet.engine.pf.state import SrcNode

IPPROTO_ICMPV6: Final = 58
_PORTS: Final = frozenset((IPPROTO_TCP, IPPROTO_UDP))
_IDS: Final = frozenset((IPPROTO_ICMP, IPPROTO_ICMPV6))
_SKIPPED: Final = 1024  # addresses in a row that a table's negated entries may take from a pool


class Entry:
    """One entry of a pool: fixed address and mask, a table, or an interface's addresses."""

    __slots__ = ("_blocks", "_seen", "addr", "dyn", "ifname", "kif", "mask", "table")

    def __init__(self) -> None:
        self.addr = self.mask = 0
        self._seen: tuple[int, Prefixes] | None = None
        self._blocks: dict[int, list[tuple[int, int]]] = {}
        self.dyn: DynAddr | None = None
        self.table: Ktable | None = None
        self.kif: Kif | None = None
        self.ifname = ""

    def blocks(self, af: int) -> list[tuple[int, int]]:
        """Return (network, mask) of all there is at the time."""
        if self.table is not None:
            kt = self.table.used()
            if kt is None:
                return []
            now = kt.addrs.generation, kt.addrs
            if self._seen is None or self._seen[0] != now[0] or self._seen[1] is not now[1]:
                self._seen, self._blocks = now, {}
            if af not in self._blocks:
                self._blocks[af] = kt.addrs.networks(af)
            return self._blocks[af]
        if self.dyn is not None:
            return self.dyn.prefixes(af)
        return [(self.addr, self.mask)]

    def has(self, af: int, addr: int) -> bool:
        """Tell whether a table with negated entries really means *addr*."""
        if self.table is None:
            return True
        kt = self.table.used()
        entry = None if kt is None else kt.addrs.lookup(af, addr)
        return entry is not None and not entry.neg


class Pool:
    """struct pf_pool, with where a round robin stands.

    cur      entry in use          block  which of its networks        counter  next address
    """

    __slots__ = ("block", "counter", "cur", "entries", "key", "opts", "proxy_port")

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.opts = 0
        self.key = b"\0" * 16
        self.proxy_port = (0, 0)
        self.cur = 0
        self.block = -1
        self.counter = 0

    @classmethod
    def of(cls, pf: Pf, anchor: str, spec: PfPool, af: int) -> Pool:
        """Make the pool of a rule. Raises EINVAL, ENOMEM."""
        pool = cls()
        pool.opts, pool.key = spec.opts, spec.key
        pool.proxy_port = spec.proxy_port[0], spec.proxy_port[1]
        kind = spec.opts & p.PF_POOL_TYPEMASK
        try:
            for row in spec.list:
                entry = Entry()
                wrap = row.addr
                if wrap.type == p.PF_ADDR_TABLE:
                    if not wrap.tblname or kind not in (p.PF_POOL_ROUNDROBIN, p.PF_POOL_NONE):
                        raise NetError("EINVAL")
                    entry.table = pf.tables.attach(anchor, wrap.tblname)
                elif wrap.type == p.PF_ADDR_DYNIFTL:
                    entry.dyn = DynAddr(pf.kifs, wrap.ifname, wrap.iflags, af, wrap.mask)
                elif wrap.type == p.PF_ADDR_ADDRMASK:
                    entry.addr, entry.mask = wrap.addr, wrap.mask
                else:
                    raise NetError("EINVAL")
                entry.ifname = row.ifname
                if row.ifname:
                    entry.kif = pf.kifs.get(row.ifname)
                    entry.kif.rules += 1
                pool.entries.append(entry)
        except NetError:
            pool.release(pf)
            raise
        return pool

    def release(self, pf: Pf) -> None:
        """Give back tables and interfaces."""
        for entry in self.entries:
            if entry.table is not None:
                pf.tables.detach(entry.table)
            if entry.dyn is not None:
                entry.dyn.release()
            if entry.kif is not None:
                entry.kif.rules -= 1
                pf.kifs.unref(entry.kif)
        self.entries = []

    @property
    def kind(self) -> int:
        """The PF_POOL_* type."""
        return self.opts & p.PF_POOL_TYPEMASK

    @property
    def current(self) -> Entry | None:
        """The entry in use: rt's interface, rdr's mask."""
        return self.entries[self.cur] if self.entries else None


def pf_map_addr(
    pf: Pf, af: int, rule: Rule, saddr: int, first: int | None, sn: SrcNode | None
) -> int | None:
    """Choose an address of the rule's pool for source *saddr*; None when there is none.

    first  the first address tried for this packet, None at the first try
    sn     the source node that is being made for it
    """
    pool = rule.pool
    kind = pool.kind
    if sn is None and first is None and pool.opts & p.PF_POOL_STICKYADDR and kind:
        node = pf.srcnodes.sticky(af, saddr, rule)
        if node is not None and node.raddr:
            return node.raddr
    entry = pool.current
    if entry is None:
        return None
    if kind == p.PF_POOL_ROUNDROBIN or (kind == p.PF_POOL_NONE and entry.table is not None):
        return _round_robin(pool, af)
    blocks = entry.blocks(af)
    if not blocks:
        return None
    network, mask = blocks[0]
    room = (1 << WIDTH[af]) - 1 & ~mask
    if kind == p.PF_POOL_NONE:
        return network
    if kind == p.PF_POOL_BITMASK:
        return network & mask | saddr & room
    if kind == p.PF_POOL_RANDOM:
        if first is None:
            pool.counter = pf.stack.dice.getrandbits(WIDTH[af])
        else:
            pool.counter += 1
        return network & mask | pool.counter & room
    digest = blake2b(saddr.to_bytes(16, "big"), key=pool.key, digest_size=16).digest()
    return network & mask | int.from_bytes(digest, "big") & room


def _round_robin(pool: Pool, af: int) -> int | None:
    """Return the next address over all entries, and over all addresses of each."""
    skipped = 0
    start, wrapped = pool.cur, False
    while True:
        entry = pool.entries[pool.cur]
        blocks = entry.blocks(af)
        if 0 <= pool.block < len(blocks):
            network, mask = blocks[pool.block]
            if pool.counter & mask == network & mask:
                addr = pool.counter
                pool.counter = addr + 1
                if entry.has(af, addr):
                    return addr
                skipped += 1
                if skipped > _SKIPPED:
                    return None
                continue
        # This network is used up, or has changed: the next one, or the next entry.
        pool.block += 1
        if pool.block >= len(blocks):
            if wrapped and pool.cur == start:
                pool.block = -1
                return None
            pool.cur = (pool.cur + 1) % len(pool.entries)
            pool.block = 0
            wrapped = wrapped or pool.cur == start
            blocks = pool.entries[pool.cur].blocks(af)
            if not blocks:
                if wrapped and pool.cur == start:
                    pool.block = -1
                    return None
                continue
        pool.counter = blocks[pool.block][0]


def pf_get_sport(
    pf: Pf, pd: Pd, rule: Rule, nport: int, sn: SrcNode | None
) -> tuple[int, int] | None:
    """Choose (address, port) for a source: one that no state to that destination uses yet."""
    low, high = rule.pool.proxy_port
    if low > high:
        low, high = high, low
    dport = pd.dport
    if pd.proto in _IDS:
        low, high, dport = 1, 65535, 0
    first: int | None = None
    naddr = pf_map_addr(pf, pd.af, rule, pd.src, None, sn)
    while naddr is not None and naddr != first:
        if first is None:
            first = naddr
        taken = pf.states.in_use(pd, naddr, dport)
        if pd.proto not in _PORTS and pd.proto not in _IDS:
            if not taken(0):
                return naddr, nport
        elif low == high == 0:
            if not taken(nport):
                return naddr, nport
        else:
            # Starting at random, up to the end and then down to the begin.
            cut = low + pf.stack.dice.getrandbits(32) % (high - low + 1)
            for port in range(cut, high + 1):
                if not taken(port):
                    return naddr, port
            for port in range(cut - 1, low - 1, -1):
                if not taken(port):
                    return naddr, port
        if rule.pool.kind not in (p.PF_POOL_RANDOM, p.PF_POOL_ROUNDROBIN):
            return None
        naddr = pf_map_addr(pf, pd.af, rule, pd.src, first, sn)
    return None


class Translation:
    """What a translation rule makes of a packet: the new address and port of one end."""

    __slots__ = ("addr", "port", "rule")

    def __init__(self, rule: Rule, addr: int, port: int) -> None:
        self.rule, self.addr, self.port = rule, addr, port


def pf_match_translation(pf: Pf, pd: Pd, kind: int) -> Rule | None:
    """Return the first rule of a translation ruleset that matches, None also for a `no` rule."""
    walk = pf.walk(kind)
    backwards = kind == p.PF_RULESET_BINAT and pd.direction == p.PF_IN
    matches = pd.kif.matches
    af = pd.af
    while True:
        rules, index = walk.rules, walk.index
        count = len(rules)
        hit: Rule | None = None
        while index < count:
            r = rules[index]
            r.evaluations += 1
            skip = r.skip
            if (r.kif is None or r.kif in matches) == r.ifnot:
                index = skip[p.PF_SKIP_IFP]
            elif r.direction and r.direction != pd.direction:
                index = skip[p.PF_SKIP_DIR]
            elif r.af and r.af != af:
                index = skip[p.PF_SKIP_AF]
            elif r.proto and r.proto != pd.proto:
                index = skip[p.PF_SKIP_PROTO]
            elif _differs(pf, r, pd, backwards and r.action == p.PF_BINAT):
                index += 1
            else:
                hit = r
                break
        if hit is None:
            if not walk.leave():
                return None
            continue
        walk.index = index
        if hit.tag:
            pd.newtag = hit.tag
        if hit.anchor is None:
            pf.where(pd, hit, walk)
            if hit.action in (p.PF_NONAT, p.PF_NORDR, p.PF_NOBINAT):
                return None
            return hit
        walk.enter(hit)


def _differs(pf: Pf, r: Rule, pd: Pd, backwards: bool) -> bool:
    """Tell whether a translation rule is not for the packet: addresses, ports, tag, system."""
    af, kif = pd.af, pd.kif
    if backwards:
        # What came back for a binat: its destination is the address outside.
        entry = r.pool.current
        if r.dst.matches(af, pd.src, kif) == r.d_neg or entry is None:
            return True
        if not any(pd.dst & mask == network & mask for network, mask in entry.blocks(af)):
            return True
    elif r.src.matches(af, pd.src, kif) == r.s_neg or r.dst.matches(af, pd.dst, None) == r.d_neg:
        return True
    ports = pd.proto in _PORTS
    if r.s_port is not None and not (ports and r.s_port(pd.sport)):
        return True
    if r.d_port is not None and not (ports and r.d_port(pd.dport)):
        return True
    if r.match_tag and (pd.tag() == r.match_tag) == r.match_tag_not:
        return True
    return bool(r.osfp) and not pd.os_matches(r.osfp)


def pf_get_translation(pf: Pf, pd: Pd) -> Translation | None:
    """Return what the translation rules make of *pd*: binat then nat going out, rdr then binat in."""
    out = pd.direction == p.PF_OUT
    if out:
        order = (p.PF_RULESET_BINAT, p.PF_RULESET_NAT)
    else:
        order = (p.PF_RULESET_RDR, p.PF_RULESET_BINAT)
    for kind in order:
        if not pf.has_rules(kind):
            continue
        rule = pf_match_translation(pf, pd, kind)
        if rule is None:
            continue
        if kind == p.PF_RULESET_NAT:
            chosen = pf_get_sport(pf, pd, rule, pd.sport, None)
            if chosen is None:
                pf.debug(p.PF_DEBUG_MISC, "NAT proxy port allocation failed")
                return None
            return Translation(rule, *chosen)
        if kind == p.PF_RULESET_BINAT:
            return _binat(pd, rule, out)
        return _rdr(pf, pd, rule)
    return None


def _binat(pd: Pd, rule: Rule, out: bool) -> Translation | None:
    if out:
        entry = rule.pool.current
        blocks = entry.blocks(pd.af) if entry is not None else []
        addr, port = pd.src, pd.sport
    else:
        if rule.src.dyn is not None:
            blocks = rule.src.dyn.prefixes(pd.af)
        else:
            blocks = [(rule.src.base, rule.src.mask)]
        addr, port = pd.dst, pd.dport
    if not blocks:
        return None
    network, mask = blocks[0]
    return Translation(rule, network & mask | addr & ~mask & (1 << WIDTH[pd.af]) - 1, port)


def _rdr(pf: Pf, pd: Pd, rule: Rule) -> Translation | None:
    addr = pf_map_addr(pf, pd.af, rule, pd.src, None, None)
    if addr is None:
        return None
    pool = rule.pool
    if pool.kind == p.PF_POOL_BITMASK and pool.current is not None:
        _network, mask = pool.current.blocks(pd.af)[0]
        addr = addr & mask | pd.dst & ~mask & (1 << WIDTH[pd.af]) - 1
    low, high = pool.proxy_port
    port = pd.dport
    if high:
        port = (pd.dport - rule.spec.dst.port[0]) % (high - low + 1) + low
        if port > 65535:
            port -= 65535
    elif low:
        port = low
    return Translation(rule, addr, port)
