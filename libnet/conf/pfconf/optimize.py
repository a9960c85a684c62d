"""The rule optimizer of pfctl(8): same verdicts, fewer and faster rules.

Rules are cut into superblocks, runs of rules of like action whose order does not matter. In each
one, rules that another covers go; rules that differ in one address only become one rule with a
table; and the rest is reordered so that the stack's skip steps leap far, or, with a profile of the
running rules, so that busy quick rules come first.

Covered rules and table candidates are found with dictionaries where the original compares each
rule with each; the outcome is the same.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable

from libnet.addr import AF_INET
from libnet.conf.pfconf.addr6 import mask_len, prefix_mask
from libnet.conf.pfconf.base import OPTIMIZE_PROFILE, Loaded
from libnet.ioctl.pf import (
    PF_ADDR_ADDRMASK,
    PF_ADDR_DYNIFTL,
    PF_ADDR_NOROUTE,
    PF_ADDR_TABLE,
    PF_ADDR_URPFFAILED,
    PF_SKIP_COUNT,
    PFRULE_RULESRCTRACK,
    PfAddrWrap,
    PfRule,
    PfRuleAddr,
)

TABLE_THRESHOLD = 6  # from so many addresses on a table is faster than skip steps

# Makes a table of (family, address) pairs; gets their order number, returns the table's name.
MakeTable = Callable[[int, list[tuple[int, PfAddrWrap]]], str]


class _Table:
    """Addresses that may become a table."""

    __slots__ = ("addrs", "made", "number")

    def __init__(self, number: int) -> None:
        self.number, self.made = number, False
        self.addrs: list[tuple[int, PfAddrWrap]] = []


class _Item:
    """A rule being optimized.

    dst_table, src_table  the table that its address may go into
    groups   by PF_SKIP_*: the group of like rules that it is in
    """

    __slots__ = ("count", "dst_table", "groups", "loaded", "rule", "src_table")

    def __init__(self, loaded: Loaded) -> None:
        self.loaded, self.rule = loaded, loaded.rule
        self.src_table: _Table | None = None
        self.dst_table: _Table | None = None
        self.groups: list[_Group] = []
        self.count = 0


class _Group:
    """Rules that are alike in one skip step field, in order."""

    __slots__ = ("count", "items")

    def __init__(self) -> None:
        self.items: dict[_Item, None] = {}
        self.count = 0


def optimize(
    rules: list[Loaded],
    level: int,
    make_table: MakeTable,
    *,
    profile: list[Loaded] | None = None,
) -> list[Loaded]:
    """Return the rules of one ruleset, optimized and numbered anew.

    profile  the running rules with their counters, for OPTIMIZE_PROFILE
    """
    blocks = _superblocks([_Item(one) for one in rules])
    lined_up: dict[int, list[_Item]] = {}
    if level & OPTIMIZE_PROFILE and profile:
        lined_up = _line_up(blocks, _superblocks([_Item(one) for one in profile]))
    counter = [0]
    out: list[Loaded] = []
    for number, block in enumerate(blocks):
        if len(block) > 1:
            block = _remove_covered(block)
            _combine(block, counter)
            block = _insert_tables(block, make_table)
            profiled = lined_up.get(number)
            if profiled is not None and block[0].rule.quick:
                block = _by_hits(block, profiled)
            else:
                block = _reorder(block)
        out += (item.loaded for item in block)
    for number, one in enumerate(out):
        one.rule.nr = number
    return out


# -- superblocks


def _break_key(rule: PfRule) -> Hashable:
    """Return what must be equal for two rules to be in one superblock."""
    pool = rule.rpool
    return (
        rule.label,
        rule.prob,
        rule.max_states,
        rule.max_src_nodes,
        rule.max_src_states,
        rule.max_src_conn,
        tuple(rule.max_src_conn_rate),
        rule.tagname,
        rule.keep_state,
        rule.qname,
        rule.pqname,
        rule.rt,
        rule.allow_opts,
        rule.rule_flag,
        rule.action,
        rule.log,
        rule.quick,
        rule.return_ttl,
        rule.overload_tblname,
        rule.flush,
        # A pool of addresses is never like another one.
        id(pool) if pool.list else (pool.key, tuple(pool.proxy_port), pool.port_op, pool.opts),
        rule.logif,
        rule.rtableid,
    )


def _barrier(item: _Item) -> bool:
    rule = item.rule
    return bool(
        rule.label
        or rule.prob
        or rule.max_states
        or rule.max_src_nodes
        or rule.max_src_states
        or rule.max_src_conn
        or any(rule.max_src_conn_rate)
        or item.loaded.anchor is not None
        or rule.rule_flag & PFRULE_RULESRCTRACK
    )


def _is_group(name: str) -> bool:
    """Tell whether an interface word is a group: real interfaces end in a digit."""
    return bool(name) and not name[-1].isdigit()


def _superblocks(items: list[_Item]) -> list[list[_Item]]:
    blocks: list[list[_Item]] = []
    head_key: Hashable = None
    for item in items:
        key = _break_key(item.rule)
        if blocks and not _barrier(item) and key == head_key:
            head = blocks[-1][0]
            mine, first = item.rule.ifname, head.rule.ifname
            # Which interfaces are in a group can change: no rule may move past one about a group.
            if head.loaded.anchor is None and not (
                (_is_group(mine) or _is_group(first)) and mine.lower() != first.lower()
            ):
                blocks[-1].append(item)
                continue
        blocks.append([item])
        head_key = key
    return blocks


def _line_up(blocks: list[list[_Item]], running: list[list[_Item]]) -> dict[int, list[_Item]]:
    found = {}
    for number, (block, other) in enumerate(zip(blocks, running, strict=False)):
        if _break_key(block[0].rule) != _break_key(other[0].rule):
            break
        found[number] = other
    return found


# -- pass 1: covered rules


def _match_key(rule: PfRule) -> tuple[Hashable, ...]:
    """Return the fields of a packet test that no wider rule can leave open."""
    return (
        rule.ifnot,
        rule.match_tag_not,
        rule.match_tagname,
        rule.os_fingerprint,
        tuple(rule.timeout),
        rule.return_icmp,
        rule.return_icmp6,
        rule.uid.op,
        tuple(rule.uid.uid),
        rule.gid.op,
        tuple(rule.gid.uid),
        rule.type,
        rule.code,
        rule.tos,
    )


def _addr_key(one: PfRuleAddr) -> Hashable:
    wrap = one.addr
    return (
        one.neg,
        wrap.type,
        wrap.addr,
        wrap.mask,
        wrap.ifname,
        wrap.iflags,
        wrap.tblname,
        wrap.rtlabelname,
    )


# What a rule leaves open, in this order: interface, direction, flags, protocol, source port,
# destination port, family; then for each address -2 for any, a prefix length, or -1.
_Shape = tuple[bool, bool, bool, bool, bool, bool, bool, int, int]
_ANY, _EXACT = -2, -1


def _addr_shape(one: PfRuleAddr, af: int) -> int:
    wrap = one.addr
    if wrap.type != PF_ADDR_ADDRMASK:
        return _EXACT
    if wrap.mask == 0 and not one.neg:
        return _ANY
    return mask_len(af, wrap.mask)


def _shape(rule: PfRule) -> _Shape:
    return (
        not rule.ifname,
        rule.direction == 0,
        rule.flags == 0 and rule.flagset == 0,
        rule.proto == 0,
        rule.src.port_op == 0,
        rule.dst.port_op == 0,
        rule.af == 0,
        _addr_shape(rule.src, rule.af),
        _addr_shape(rule.dst, rule.af),
    )


def _widened(one: PfRuleAddr, own: int, to: int, af: int) -> Hashable:
    """Return the key of an address under a wider shape, or None if it cannot have that shape."""
    if to == own:
        return (_ANY,) if to == _ANY else _addr_key(one)
    if to == _ANY:
        return (_ANY,) if not one.neg else None
    if to == _EXACT or own < to:  # another kind, or narrower than this one already is
        return None
    wrap = one.addr
    mask = prefix_mask(af, to)
    return (one.neg, wrap.type, wrap.addr & mask, mask, "", 0, "", "")


def _covers(shape: _Shape, own: _Shape) -> bool:
    """Tell whether a rule of *shape* may cover one of the shape *own*."""
    return not any(mine and not wide for wide, mine in zip(shape[:7], own[:7], strict=True))


def _key_under(rule: PfRule, own: _Shape, shape: _Shape, base: Hashable) -> Hashable:
    src = _widened(rule.src, own[7], shape[7], rule.af)
    dst = _widened(rule.dst, own[8], shape[8], rule.af)
    if src is None or dst is None:
        return None
    return (
        base,
        None if shape[0] else rule.ifname,
        None if shape[1] else rule.direction,
        None if shape[2] else (rule.flags, rule.flagset),
        None if shape[3] else rule.proto,
        None if shape[4] else (rule.src.port_op, *rule.src.port),
        None if shape[5] else (rule.dst.port_op, *rule.dst.port),
        None if shape[6] else rule.af,
        src,
        dst,
    )


def _remove_covered(block: list[_Item]) -> list[_Item]:
    """Return the rules that no other one covers; of equal ones the first."""
    tables: dict[_Shape, dict[Hashable, int]] = {}
    rows = []
    for at, item in enumerate(block):
        shape, base = _shape(item.rule), _match_key(item.rule)
        rows.append((item, shape, base))
        key = _key_under(item.rule, shape, shape, base)
        tables.setdefault(shape, {}).setdefault(key, at)
    kept = []
    for at, (item, own, base) in enumerate(rows):
        for shape, table in tables.items():
            if shape != own and not _covers(shape, own):
                continue
            key = _key_under(item.rule, own, shape, base)
            first = table.get(key) if key is not None else None
            if first is not None and (shape != own or first < at):
                break
        else:
            kept.append(item)
    return kept


# -- pass 2: tables


def _combine_key(rule: PfRule) -> Hashable:
    """Return all that must be equal for two rules to be put together, but the addresses."""
    return (
        _break_key(rule),
        _match_key(rule),
        rule.af,
        rule.ifname,
        rule.direction,
        rule.proto,
        rule.flags,
        rule.flagset,
        rule.src.neg,
        rule.src.port_op,
        tuple(rule.src.port),
        rule.dst.neg,
        rule.dst.port_op,
        tuple(rule.dst.port),
    )


def _combine(block: list[_Item], counter: list[int]) -> None:
    """Find rules that differ in one address only; take those out that are in a big table."""
    families: dict[Hashable, list[_Item]] = {}
    for item in block:
        families.setdefault(_combine_key(item.rule), []).append(item)
    gone: set[_Item] = set()
    place = {item: at for at, item in enumerate(block)}
    mates: dict[_Item, tuple[list[_Item], list[_Item]]] = {}
    for family in families.values():
        if len(family) > 1:
            _find_mates(family, mates)
    for item in block:
        if item in gone or item not in mates:
            continue
        same_src, same_dst = mates[item]
        for other in _later(same_src, same_dst, place, place[item]):
            if other not in gone and _pair_up(item, other, counter):
                gone.add(other)
    block[:] = [item for item in block if item not in gone]


def _find_mates(family: list[_Item], mates: dict[_Item, tuple[list[_Item], list[_Item]]]) -> None:
    by_src: dict[Hashable, list[_Item]] = {}
    by_dst: dict[Hashable, list[_Item]] = {}
    for item in family:
        by_src.setdefault(_addr_key(item.rule.src), []).append(item)
        by_dst.setdefault(_addr_key(item.rule.dst), []).append(item)
    for item in family:
        mates[item] = (
            by_src[_addr_key(item.rule.src)],
            by_dst[_addr_key(item.rule.dst)],
        )


def _later(
    one: list[_Item], other: list[_Item], place: dict[_Item, int], after: int
) -> list[_Item]:
    found = {item for item in one if place[item] > after}
    found.update(item for item in other if place[item] > after)
    return sorted(found, key=place.__getitem__)


def _pair_up(p1: _Item, p2: _Item, counter: list[int]) -> bool:
    """Put the address of *p2* into a table with that of *p1*; tell whether *p2* is done with."""
    if p2.dst_table is not None or p2.src_table is not None:
        return False
    src_equal = _addr_key(p1.rule.src) == _addr_key(p2.rule.src)
    dst_equal = _addr_key(p1.rule.dst) == _addr_key(p2.rule.dst)
    if src_equal and not dst_equal and p1.src_table is None:
        if not _both_addresses(p1.rule.dst, p2.rule.dst):
            return False
        p1.dst_table = table = p1.dst_table or _new_table(p1.rule.af, p1.rule.dst, counter)
        table.addrs.append((p1.rule.af, p2.rule.dst.addr))
        p2.dst_table = table
    elif dst_equal and not src_equal and p1.dst_table is None:
        if not _both_addresses(p1.rule.src, p2.rule.src):
            return False
        p1.src_table = table = p1.src_table or _new_table(p1.rule.af, p1.rule.src, counter)
        table.addrs.append((p1.rule.af, p2.rule.src.addr))
        p2.src_table = table
    else:
        return False
    return len(table.addrs) >= TABLE_THRESHOLD


def _both_addresses(one: PfRuleAddr, other: PfRuleAddr) -> bool:
    return one.addr.type == PF_ADDR_ADDRMASK == other.addr.type


def _new_table(af: int, one: PfRuleAddr, counter: list[int]) -> _Table:
    table = _Table(counter[0])
    counter[0] += 1
    table.addrs.append((af, one.addr))
    return table


def _insert_tables(block: list[_Item], make_table: MakeTable) -> list[_Item]:
    """Name the tables that are big enough; of the rules of each keep the first."""
    kept = []
    for item in block:
        drop = False
        for table, end in ((item.src_table, item.rule.src), (item.dst_table, item.rule.dst)):
            if table is None or len(table.addrs) < TABLE_THRESHOLD:
                continue
            if table.made:
                drop = True
                break
            table.made = True
            name = make_table(table.number, table.addrs)
            end.addr = PfAddrWrap(type=PF_ADDR_TABLE, tblname=name)
        if not drop:
            kept.append(item)
    return kept


# -- pass 3: skip steps


def _skip_keys(rule: PfRule) -> list[Hashable]:
    """Return by PF_SKIP_* what must be equal for a leap; None where nothing is tested."""
    return [
        (rule.ifname, rule.ifnot) if rule.ifname else None,
        rule.direction or None,
        rule.af or None,
        rule.proto or None,
        _skip_addr(rule.src, rule.af),
        (rule.src.port_op, *rule.src.port) if rule.src.port_op else None,
        _skip_addr(rule.dst, rule.af),
        (rule.dst.port_op, *rule.dst.port) if rule.dst.port_op else None,
    ]


def _skip_addr(one: PfRuleAddr, af: int) -> Hashable:
    wrap = one.addr
    kind = (one.neg, wrap.type)
    if wrap.type == PF_ADDR_ADDRMASK:
        # The width of the mask is compared too, as the octets in memory are.
        return (*kind, wrap.addr, wrap.mask, af == AF_INET) if wrap.addr else None
    if wrap.type == PF_ADDR_DYNIFTL:
        return (*kind, wrap.ifname, wrap.mask, af == AF_INET)
    if wrap.type in (PF_ADDR_NOROUTE, PF_ADDR_URPFFAILED):
        return kind
    if wrap.type == PF_ADDR_TABLE:
        return (*kind, wrap.tblname)
    return None


class _Ranking:
    """Groups of one field, biggest first; among equals in the order that the original leaves."""

    def __init__(self) -> None:
        self.by_count: dict[int, OrderedDict[_Group, None]] = {}
        self.ignored: _Group | None = None

    def first(self) -> _Group | None:
        """Return the biggest group."""
        if self.ignored is not None:
            return self.ignored
        counts = [count for count, groups in self.by_count.items() if groups]
        return next(iter(self.by_count[max(counts)])) if counts else None

    def _run(self, count: int) -> OrderedDict[_Group, None]:
        return self.by_count.setdefault(count, OrderedDict())

    def grow(self, group: _Group) -> None:
        """Count one more rule; the group goes behind those that are as big now."""
        if group.count:
            del self._run(group.count)[group]
        group.count += 1
        self._run(group.count)[group] = None

    def shrink(self, group: _Group) -> None:
        """Count one rule less; the group goes before those that were as small already."""
        del self._run(group.count)[group]
        group.count -= 1
        run = self._run(group.count)
        run[group] = None
        run.move_to_end(group, last=False)

    def remove(self, group: _Group) -> None:
        """Take a group out."""
        self._run(group.count).pop(group, None)
        if self.ignored is group:
            self.ignored = None


def _rank(block: list[_Item]) -> list[_Ranking]:
    rankings = [_Ranking() for _ in range(PF_SKIP_COUNT)]
    tables: list[dict[Hashable, _Group]] = [{} for _ in range(PF_SKIP_COUNT)]
    for item in block:
        item.groups = []
        for field, key in enumerate(_skip_keys(item.rule)):
            group = tables[field].get(key) if key is not None else None
            if group is None:
                group = _Group()
                if key is not None:
                    tables[field][key] = group
            group.items[item] = None
            item.groups.append(group)
            rankings[field].grow(group)
    return rankings


def _reorder(block: list[_Item]) -> list[_Item]:
    """Return the rules with those together that are alike, the greatest likeness first."""
    rankings = _rank(block)
    largest = 0
    for ranking in rankings:
        first = ranking.first()
        assert first is not None
        if first.count in (1, len(block)):
            # All alike or none: nothing to win in this field.
            ranking.ignored = first
        else:
            largest = max(largest, first.count)
    if largest == 0:
        return block
    split_off: list[_Item] = []
    rest: list[_Item] = []
    head = dict.fromkeys(block)
    while head:
        field, group = _most_useful(rankings)
        if group is None:
            rest += head
            break
        rankings[field].remove(group)
        members = list(group.items)
        for item in members:
            del head[item]
            _forget(item, rankings, group)
        if group.count > 2:
            split_off += _reorder(members)
        else:
            rest += members
    return split_off + rest


def _most_useful(rankings: list[_Ranking]) -> tuple[int, _Group | None]:
    best, found, where = 1, None, 0
    for field, ranking in enumerate(rankings):
        if ranking.ignored is not None:
            continue
        group = ranking.first()
        if group is not None and group.count > best:
            best, found, where = group.count, group, field
    return where, found


def _forget(item: _Item, rankings: list[_Ranking], active: _Group) -> None:
    """Take a rule out of its groups in the other fields."""
    for field, ranking in enumerate(rankings):
        group = item.groups[field]
        if group is active or ranking.ignored is not None:
            continue
        first = ranking.first()
        if first is None or first.count <= 1 or item not in group.items:
            continue
        del group.items[item]
        ranking.shrink(group)


# -- pass 4: profile


def _hit_key(rule: PfRule) -> Hashable:
    return (_combine_key(rule), _addr_key(rule.src), _addr_key(rule.dst))


def _by_hits(block: list[_Item], running: list[_Item]) -> list[_Item]:
    """Return quick rules with the busiest first, by the counters of the running ones."""
    waiting: dict[Hashable, list[_Item]] = {}
    for item in block:
        waiting.setdefault(_hit_key(item.rule), []).append(item)
    for other in running:
        for item in waiting.get(_hit_key(other.rule), ()):
            if not item.count:
                item.count = sum(other.rule.packets)
                break
    return sorted(block, key=lambda item: -item.count)
