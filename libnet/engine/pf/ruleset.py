"""Rules as the packet path wants them, the rulesets of anchors, and skip steps (pf_ruleset).

A Rule keeps the struct it was made of for whoever asks, and what a packet is compared with in plain
attributes. A RuleList has the rules that are in force and those that a transaction prepares.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from libnet.addr import AF_INET, AF_INET6
from libnet.engine.pf.nat import Pool
from libnet.engine.pf.pf_if import DynAddr
from libnet.engine.pf.table import Ktable
from libnet.errors import NetError
from libnet.ioctl import pf as p
from libnet.ioctl.pf import PfAddrWrap, PfRule, PfRuleAddr

if TYPE_CHECKING:
    from libnet.engine.pf.pf import Pf
    from libnet.engine.pf.pf_if import Kif

ANCHOR_DEPTH: Final = 64
MAX_RULES: Final = 100_000  # in one ruleset

ANY: Final = 0
MASKED: Final = 1
ASKED: Final = 2

RULESET_OF: Final = {
    p.PF_SCRUB: p.PF_RULESET_SCRUB,
    p.PF_NOSCRUB: p.PF_RULESET_SCRUB,
    p.PF_PASS: p.PF_RULESET_FILTER,
    p.PF_DROP: p.PF_RULESET_FILTER,
    p.PF_NAT: p.PF_RULESET_NAT,
    p.PF_NONAT: p.PF_RULESET_NAT,
    p.PF_BINAT: p.PF_RULESET_BINAT,
    p.PF_NOBINAT: p.PF_RULESET_BINAT,
    p.PF_RDR: p.PF_RULESET_RDR,
    p.PF_NORDR: p.PF_RULESET_RDR,
}
_AFS: Final = (0, AF_INET, AF_INET6)
_ICMP_MAXTYPE: Final = 40


def port_test(op: int, low: int, high: int) -> Callable[[int], bool] | None:
    """Return what compares a port or an id by PF_OP_*, None for no comparison."""
    tests: dict[int, Callable[[int], bool]] = {
        p.PF_OP_IRG: lambda v: low < v < high,
        p.PF_OP_XRG: lambda v: v < low or v > high,
        p.PF_OP_RRG: lambda v: low <= v <= high,
        p.PF_OP_EQ: lambda v: v == low,
        p.PF_OP_NE: lambda v: v != low,
        p.PF_OP_LT: lambda v: v < low,
        p.PF_OP_LE: lambda v: v <= low,
        p.PF_OP_GT: lambda v: v > low,
        p.PF_OP_GE: lambda v: v >= low,
    }
    return tests.get(op)


class AddrMatch:
    """An address word of a rule.

    kind   ANY, MASKED (compare addr & mask with base) or ASKED (call test)
    table  the table of an ASKED one, None for other kinds
    """

    __slots__ = ("base", "dyn", "kind", "mask", "table", "test")

    def __init__(self, pf: Pf, anchor: str, wrap: PfAddrWrap, af: int) -> None:
        self.kind = ANY
        self.base = self.mask = 0
        self.table: Ktable | None = None
        self.dyn: DynAddr | None = None
        self.test: Callable[[int, int, Kif | None], bool] = _never
        kind = wrap.type
        if kind == p.PF_ADDR_ADDRMASK:
            if wrap.mask:
                if af == 0:
                    raise NetError("EINVAL")
                self.kind = MASKED
                self.mask = wrap.mask
                self.base = wrap.addr & wrap.mask
            return
        self.kind = ASKED
        if kind == p.PF_ADDR_TABLE:
            if not wrap.tblname or len(wrap.tblname) >= p.PF_TABLE_NAME_SIZE:
                raise NetError("EINVAL")
            table = self.table = pf.tables.attach(anchor, wrap.tblname)
            self.test = lambda family, addr, _kif: table.match_addr(family, addr)
        elif kind == p.PF_ADDR_DYNIFTL:
            if not wrap.ifname:
                raise NetError("EINVAL")
            dyn = self.dyn = DynAddr(pf.kifs, wrap.ifname, wrap.iflags, af, wrap.mask)
            self.test = lambda family, addr, _kif: dyn.match(family, addr)
        elif kind == p.PF_ADDR_NOROUTE:
            self.test = lambda family, addr, _kif: not pf.routable(family, addr, None)
        elif kind == p.PF_ADDR_URPFFAILED:
            self.test = lambda family, addr, kif: not pf.routable(family, addr, kif)
        elif kind == p.PF_ADDR_RTLABEL:
            # As in NetBSD, routes bear no labels: nothing has one.
            self.test = _never
        else:
            raise NetError("EINVAL")

    def release(self, pf: Pf) -> None:
        """Give back the table and the interface."""
        if self.table is not None:
            pf.tables.detach(self.table)
        if self.dyn is not None:
            self.dyn.release()

    def matches(self, af: int, addr: int, kif: Kif | None) -> bool:
        """Tell whether the word stands for *addr*."""
        if self.kind == ANY:
            return True
        if self.kind == MASKED:
            return addr & self.mask == self.base
        return self.test(af, addr, kif)

    def fill(self, wrap: PfAddrWrap) -> None:
        """Set the count that DIOCGETRULE shows."""
        if self.table is not None:
            kt = self.table.used()
            wrap.cnt = -1 if kt is None else kt.addrs.count
        elif self.dyn is not None:
            wrap.cnt = self.dyn.count()


def _never(_af: int, _addr: int, _kif: Kif | None) -> bool:
    return False


class Tags:
    """Numbers of the tags that rules name, the lowest free one for a new name (tagname2tag)."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[int, int]] = {}  # name -> number, how many rules name it

    def hold(self, name: str) -> None:
        """Note that one more rule names *name*; "" is no tag."""
        if not name:
            return
        number, held = self._known.get(name, (0, 0))
        if not number:
            taken = {one for one, _held in self._known.values()}
            number = next(n for n in range(1, len(taken) + 2) if n not in taken)
        self._known[name] = number, held + 1

    def drop(self, name: str) -> None:
        """Undo one hold()."""
        number, held = self._known.get(name, (0, 0))
        if held > 1:
            self._known[name] = number, held - 1
        elif held:
            del self._known[name]

    def number(self, name: str) -> int:
        """Return the number of a name, 0 if no rule has it."""
        return self._known.get(name, (0, 0))[0]


class Rule:
    """One rule of any kind.

    spec      the struct that was loaded, its pool filled in
    skip      by PF_SKIP_*: index of the next rule that differs in that field
    s_kind, s_mask, s_base, s_test, s_neg, s_port   the source; d_* the destination
    pin, bin, pout, bout   packets and octets in and out
    """

    __slots__ = (
        "action",
        "af",
        "allow_opts",
        "anchor",
        "anchor_path",
        "anchor_relative",
        "anchor_wildcard",
        "bin",
        "bout",
        "code",
        "d_base",
        "d_kind",
        "d_mask",
        "d_neg",
        "d_port",
        "d_test",
        "direction",
        "dst",
        "evaluations",
        "flags",
        "flagset",
        "gid",
        "ifnot",
        "keep_state",
        "kif",
        "log",
        "logif",
        "match_tag",
        "match_tag_not",
        "natpass",
        "nr",
        "osfp",
        "overload",
        "pin",
        "pool",
        "pout",
        "pqid",
        "prob",
        "proto",
        "qid",
        "quick",
        "rt",
        "rtableid",
        "rule_flag",
        "s_base",
        "s_kind",
        "s_mask",
        "s_neg",
        "s_port",
        "s_test",
        "skip",
        "spec",
        "special",
        "src",
        "src_nodes",
        "states",
        "tables",
        "tag",
        "timeout",
        "tos",
        "type",
        "uid",
    )

    def __init__(self, pf: Pf, anchor: str, spec: PfRule) -> None:
        self.spec = spec
        self.nr = 0
        self.action, self.direction = spec.action, spec.direction
        self.af, self.proto = spec.af, spec.proto
        self.quick, self.log, self.logif = bool(spec.quick), spec.log, spec.logif
        self.ifnot = bool(spec.ifnot)
        self.keep_state, self.natpass = spec.keep_state, bool(spec.natpass)
        self.rule_flag, self.rt = spec.rule_flag, spec.rt
        self.type, self.code, self.tos = spec.type, spec.code, spec.tos
        self.flags, self.flagset = spec.flags, spec.flagset
        self.prob, self.rtableid = spec.prob, spec.rtableid
        self.tag, self.match_tag = spec.tagname, spec.match_tagname
        self.match_tag_not = bool(spec.match_tag_not)
        self.osfp = spec.os_fingerprint
        self.allow_opts = bool(spec.allow_opts)
        self.timeout = spec.timeout if any(spec.timeout) else None
        # "unknown" is the largest id of C, whichever sign it comes with.
        self.uid = port_test(spec.uid.op, *(number & 0xFFFFFFFF for number in spec.uid.uid))
        self.gid = port_test(spec.gid.op, *(number & 0xFFFFFFFF for number in spec.gid.uid))
        self.evaluations = self.pin = self.bin = self.pout = self.bout = 0
        self.states = self.src_nodes = 0
        self.skip: tuple[int, ...] = (0,) * p.PF_SKIP_COUNT
        self.anchor: Anchor | None = None
        self.anchor_path = anchor
        self.anchor_relative = self.anchor_wildcard = 0
        self.qid, self.pqid = pf.qid(spec.qname), pf.qid(spec.pqname) or pf.qid(spec.qname)
        self.kif: Kif | None = None
        self.overload: Ktable | None = None
        self.src = AddrMatch(pf, anchor, spec.src.addr, self.af)
        self.dst: AddrMatch = self.src
        self.pool: Pool = Pool()
        try:
            self.dst = AddrMatch(pf, anchor, spec.dst.addr, self.af)
            self.pool = Pool.of(pf, anchor, spec.rpool, self.af)
            if spec.overload_tblname:
                self.overload = pf.tables.attach(anchor, spec.overload_tblname)
                self.overload.flags |= p.PFR_TFLAG_ACTIVE
        except NetError:
            self.tag = self.match_tag = ""  # not held yet
            self.release(pf)
            raise
        pf.tags.hold(self.tag)
        pf.tags.hold(self.match_tag)
        if spec.ifname:
            self.kif = pf.kifs.get(spec.ifname)
            self.kif.rules += 1
        self.s_kind, self.s_mask, self.s_base = self.src.kind, self.src.mask, self.src.base
        self.s_test, self.s_neg = self.src.test, bool(spec.src.neg)
        self.d_kind, self.d_mask, self.d_base = self.dst.kind, self.dst.mask, self.dst.base
        self.d_test, self.d_neg = self.dst.test, bool(spec.dst.neg)
        self.s_port = port_test(spec.src.port_op, *spec.src.port)
        self.d_port = port_test(spec.dst.port_op, *spec.dst.port)
        # `! any` is never true: it needs a comparison although there is nothing to compare.
        if self.s_kind == ANY and self.s_neg:
            self.s_kind, self.s_mask, self.s_base = MASKED, 0, 0
        if self.d_kind == ANY and self.d_neg:
            self.d_kind, self.d_mask, self.d_base = MASKED, 0, 0
        # Whether anything beyond addresses and ports is to be compared.
        self.special = bool(
            self.type
            or self.code
            or self.tos
            or self.rule_flag & p.PFRULE_FRAGMENT
            or self.flagset
            or self.uid
            or self.gid
            or self.prob
            or self.match_tag
            or self.osfp
        )
        self.tables = self.src.table is not None or self.dst.table is not None

    def release(self, pf: Pf) -> None:
        """Give back tables, interfaces and the anchor: the rule is in no ruleset any more."""
        self.src.release(pf)
        if self.dst is not self.src:
            self.dst.release(pf)
        self.pool.release(pf)
        if self.overload is not None:
            pf.tables.detach(self.overload)
            self.overload = None
        pf.tags.drop(self.tag)
        pf.tags.drop(self.match_tag)
        if self.kif is not None:
            self.kif.rules -= 1
            pf.kifs.unref(self.kif)
        if self.anchor is not None:
            anchor, self.anchor = self.anchor, None
            anchor.refs -= 1
            pf.rulesets.prune(anchor)
        self.nr = p.PF_RULE_NONE

    def count(self, size: int, out: bool) -> None:
        """Count a packet of *size* octets."""
        if out:
            self.pout += 1
            self.bout += size
        else:
            self.pin += 1
            self.bin += size

    def clear(self) -> None:
        """Zero the counters."""
        self.evaluations = self.pin = self.bin = self.pout = self.bout = 0

    def sort_fields(self) -> tuple[object, ...]:
        """Return what skip steps compare, by PF_SKIP_*."""
        src, dst = self.spec.src, self.spec.dst
        return (
            (self.kif.name if self.kif else "", self.ifnot),
            self.direction,
            self.af,
            self.proto,
            (src.neg, _word(src)),
            (src.port_op, *src.port),
            (dst.neg, _word(dst)),
            (dst.port_op, *dst.port),
        )

    def show(self, anchor_call: bool = True) -> tuple[PfRule, str]:
        """Return struct pf_rule as it is now, and the anchor that it calls."""
        rule = self.spec.copy()
        rule.rpool.list = []
        rule.nr = self.nr
        rule.evaluations = self.evaluations
        rule.packets, rule.bytes = [self.pin, self.pout], [self.bin, self.bout]
        rule.states, rule.src_nodes = self.states, self.src_nodes
        rule.qid, rule.pqid = self.qid, self.pqid
        rule.anchor_relative, rule.anchor_wildcard = self.anchor_relative, self.anchor_wildcard
        self.src.fill(rule.src.addr)
        self.dst.fill(rule.dst.addr)
        return rule, self.call() if anchor_call else ""

    def call(self) -> str:
        """Return the name that the rule calls its anchor by, "" for another rule."""
        if self.anchor is None:
            return ""
        path = self.anchor.path
        if not self.anchor_relative:
            name = "/" + path
        else:
            parts = self.anchor_path.split("/") if self.anchor_path else []
            ups = self.anchor_relative - 1
            base = "/".join(parts[: len(parts) - ups])
            name = "../" * ups + (path[len(base) :].lstrip("/") if base else path)
        if self.anchor_wildcard:
            name += "/*" if name else "*"
        return name


def _word(addr: PfRuleAddr) -> tuple[object, ...]:
    wrap = addr.addr
    mask = wrap.mask
    if wrap.type == p.PF_ADDR_DYNIFTL and mask == 0xFFFFFFFF:
        mask = (1 << 128) - 1  # a whole address is one, of whichever family the rule is
    return wrap.type, wrap.addr & wrap.mask, mask, wrap.ifname, wrap.iflags, wrap.tblname


class RuleList:
    """The rules of one kind in one anchor.

    active    in force                     inactive  of the open transaction
    ticket    of the rules in force        iticket   of the transaction
    """

    __slots__ = ("active", "inactive", "iticket", "open", "ticket")

    def __init__(self) -> None:
        self.active: list[Rule] = []
        self.inactive: list[Rule] = []
        self.ticket = self.iticket = 0
        self.open = False

    def renumber(self) -> None:
        """Give the active rules numbers and skip steps (pf_calc_skip_steps)."""
        rules = self.active
        count = len(rules)
        nexts = [count] * p.PF_SKIP_COUNT
        later: tuple[object, ...] | None = None
        for index in range(count - 1, -1, -1):
            rule = rules[index]
            rule.nr = index
            fields = rule.sort_fields()
            if later is not None:
                for kind in range(p.PF_SKIP_COUNT):
                    if fields[kind] != later[kind]:
                        nexts[kind] = index + 1
            rule.skip = tuple(nexts)
            later = fields

    def skip_numbers(self, rule: Rule) -> list[int]:
        """Return the skip steps as DIOCGETRULE shows them: -1 for none."""
        count = len(self.active)
        return [-1 if index >= count else index for index in rule.skip]


class Anchor:
    """An anchor and its rulesets; the root has the path "".

    refs    anchor rules that call it      tables  tables in it
    match   for the evaluation: whether a rule of it has matched
    """

    __slots__ = (
        "children",
        "name",
        "parent",
        "path",
        "refs",
        "rulesets",
        "tables",
        "topen",
        "tticket",
    )

    def __init__(self, path: str, parent: Anchor | None) -> None:
        self.path = path
        self.name = path.rsplit("/", 1)[-1]
        self.parent = parent
        self.children: dict[str, Anchor] = {}
        self.rulesets = [RuleList() for _ in range(p.PF_RULESET_MAX)]
        self.refs = self.tables = self.tticket = 0
        self.topen = False

    def sorted_children(self) -> list[Anchor]:
        """Return the children by name."""
        return [self.children[name] for name in sorted(self.children)]

    def empty(self) -> bool:
        """Tell whether nothing holds the anchor."""
        return not (
            self.children
            or self.refs
            or self.tables
            or self.topen
            or any(rs.active or rs.inactive or rs.open for rs in self.rulesets)
        )


class Rulesets:
    """All anchors of one pf."""

    def __init__(self) -> None:
        self.root = Anchor("", None)

    def find(self, path: str) -> Anchor | None:
        """Return the anchor at *path*."""
        anchor = self.root
        for part in split(path):
            child = anchor.children.get(part)
            if child is None:
                return None
            anchor = child
        return anchor

    def make(self, path: str) -> Anchor:
        """Return the anchor at *path*, made if need be. Raises EINVAL for a bad name."""
        anchor = self.root
        parts = split(path)
        if len(path) >= p.MAXPATHLEN or len(parts) > ANCHOR_DEPTH:
            raise NetError("EINVAL")
        for part in parts:
            if len(part) >= p.PF_ANCHOR_NAME_SIZE or "\0" in part:
                raise NetError("EINVAL")
        for part in parts:
            child = anchor.children.get(part)
            if child is None:
                child = Anchor(f"{anchor.path}/{part}" if anchor.path else part, anchor)
                anchor.children[part] = child
            anchor = child
        return anchor

    def prune(self, anchor: Anchor | None) -> None:
        """Take away *anchor*, and then its parents, while nothing holds them."""
        while anchor is not None and anchor.parent is not None and anchor.empty():
            parent = anchor.parent
            if parent.children.get(anchor.name) is anchor:
                del parent.children[anchor.name]
            anchor = parent

    def table_ref(self, path: str, step: int) -> None:
        """Count a table more or less in the anchor at *path*."""
        anchor = self.make(path) if step > 0 else self.find(path)
        if anchor is not None:
            anchor.tables += step
            self.prune(anchor)

    def call(self, rule: Rule, where: Anchor, name: str) -> None:
        """Make *rule* call the anchor *name* as seen from *where*. Raises EINVAL."""
        rule.anchor_relative = 0
        if name.startswith("/"):
            path = name[1:]
        else:
            rule.anchor_relative = 1
            base: list[str] = split(where.path)
            while name.startswith("../"):
                if not base:
                    raise NetError("EINVAL")
                base.pop()
                rule.anchor_relative += 1
                name = name[3:]
            path = "/".join([*base, name])
        if path.endswith("/*"):
            rule.anchor_wildcard = 1
            path = path[:-2]
        target = self.make(path)
        if target.parent is None:
            raise NetError("EINVAL")
        target.refs += 1
        rule.anchor = target

    def all(self) -> Iterator[Anchor]:
        """Yield every anchor, the root first."""
        todo = [self.root]
        while todo:
            anchor = todo.pop()
            yield anchor
            todo += reversed(anchor.sorted_children())


def split(path: str) -> list[str]:
    """Return the components of an anchor path.

    >>> split("/a/b/"), split("")
    (['a', 'b'], [])
    """
    return [part for part in path.split("/") if part]


class _Frame:
    """A caller in a walk: its rules, where in them, and the children still to see.

    hit  whether a rule inside has matched
    """

    __slots__ = ("anchor", "children", "hit", "index", "rule", "rules")

    def __init__(self, walk: Walk, rule: Rule, children: Iterator[Anchor] | None) -> None:
        self.rules, self.index, self.anchor = walk.rules, walk.index, walk.anchor
        self.rule, self.children, self.hit = rule, children, False


class Walk:
    """A walk over one ruleset and the anchors it calls: what is next, and who called.

    anchor       whose rules these are
    anchor_rule  the rule of the main ruleset that led here, None there
    """

    __slots__ = ("anchor", "anchor_rule", "frames", "index", "kind", "rules")

    def __init__(self, root: Anchor, kind: int) -> None:
        self.kind = kind
        self.anchor = root
        self.rules = root.rulesets[kind].active
        self.index = 0
        self.anchor_rule: Rule | None = None
        self.frames: list[_Frame] = []

    def enter(self, rule: Rule) -> None:
        """Go into the anchor that *rule*, the one at the index, calls."""
        anchor = rule.anchor
        assert anchor is not None
        if len(self.frames) >= ANCHOR_DEPTH:
            self.index += 1  # an anchor that calls itself
            return
        if not self.frames:
            self.anchor_rule = rule
        children = iter(anchor.sorted_children()) if rule.anchor_wildcard else None
        self.frames.append(_Frame(self, rule, children))
        self.index = 0
        if children is not None:
            first = next(children, None)
            if first is None:
                self.rules = []
                return
            anchor = first
        self.anchor = anchor
        self.rules = anchor.rulesets[self.kind].active

    def matched(self) -> None:
        """Note that a rule where we are has matched."""
        if self.frames:
            self.frames[-1].hit = True

    def leave(self) -> bool:
        """Go on where the rules are used up: next child, or the caller's next rule.

        Returns False when the walk is over, be it that an anchor rule with `quick` had a match inside.
        """
        while self.frames:
            frame = self.frames[-1]
            if frame.children is not None:
                child = next(frame.children, None)
                if child is not None:
                    self.anchor = child
                    self.rules = child.rulesets[self.kind].active
                    self.index = 0
                    if self.rules:
                        return True
                    continue
            self.frames.pop()
            self.rules, self.anchor, self.index = frame.rules, frame.anchor, frame.index + 1
            if not self.frames:
                self.anchor_rule = None
            if frame.hit:
                self.matched()
                if frame.rule.quick:
                    return False
            if self.index < len(self.rules):
                return True
        return False


def check(pf: Pf, spec: PfRule) -> None:
    """Refuse what no rule can be. Raises EINVAL, EBUSY."""
    if (
        spec.action not in RULESET_OF
        or spec.af not in _AFS
        or spec.direction not in (p.PF_INOUT, p.PF_IN, p.PF_OUT)
        or not 0 <= spec.proto <= 255
        or spec.return_icmp >> 8 > _ICMP_MAXTYPE
        or spec.rt not in range(p.PF_REPLYTO + 1)
        or (spec.rt and not spec.direction)
        or not 0 <= spec.prob <= 0xFFFFFFFF
        or spec.logif not in range(16)
        or len(spec.timeout) != p.PFTM_MAX
        or any(not 0 <= value <= 0x7FFFFFFF for value in spec.timeout)
        or len(spec.max_src_conn_rate) != 2
        or len(spec.uid.uid) != 2
        or len(spec.gid.uid) != 2
        or len(spec.src.port) != 2
        or len(spec.dst.port) != 2
        or len(spec.rpool.key) != 16
        or len(spec.rpool.proxy_port) != 2
        or any(
            not 0 <= v <= 65535 for v in (*spec.rpool.proxy_port, *spec.src.port, *spec.dst.port)
        )
        or spec.rpool.opts & p.PF_POOL_TYPEMASK > p.PF_POOL_ROUNDROBIN
    ):
        raise NetError("EINVAL")
    for value, most in (
        (spec.label, p.PF_RULE_LABEL_SIZE),
        (spec.tagname, p.PF_TAG_NAME_SIZE),
        (spec.match_tagname, p.PF_TAG_NAME_SIZE),
        (spec.qname, p.PF_QNAME_SIZE),
        (spec.pqname, p.PF_QNAME_SIZE),
        (spec.ifname, 16),
        (spec.overload_tblname, p.PF_TABLE_NAME_SIZE),
    ):
        if len(value) >= most or "\0" in value:
            raise NetError("EINVAL")
    if spec.rtableid > 0:
        raise NetError("EBUSY")  # there is one routing table


def default_rule(pf: Pf) -> Rule:
    """Return the rule that decides when none matches: it passes and keeps no state."""
    rule = Rule(pf, "", PfRule(action=p.PF_PASS, nr=p.PF_RULE_NONE))
    rule.nr = p.PF_RULE_NONE
    return rule
