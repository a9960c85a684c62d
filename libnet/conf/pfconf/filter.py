"""Filter rules, scrub rules, anchors and antispoof of pf.conf(5)."""

from __future__ import annotations

from libnet.addr import AF_INET, AF_INET6
from libnet.conf.pfconf.base import Fatal
from libnet.conf.pfconf.expand import IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_TCP, Lists
from libnet.conf.pfconf.lex import NEWLINE, STRING
from libnet.conf.pfconf.names import (
    IPTOS,
    TIMEOUT_INDEX,
    TIMEOUT_NAME,
    icmp_code_number,
    icmp_type_number,
    parse_flags,
)
from libnet.conf.pfconf.nodes import Anchor, FromTo, Host, Icmp, Iface, Range
from libnet.conf.pfconf.phrases import IFNAMSIZ, decide_af
from libnet.conf.pfconf.pools import PoolStatements, Route
from libnet.conf.pfconf.settings import SECTION_FILTER, SECTION_NAT, SECTION_SCRUB
from libnet.ioctl.ifflags import IFF_LOOPBACK
from libnet.ioctl.pf import (
    MAXPATHLEN,
    PF_ADDR_DYNIFTL,
    PF_BINAT,
    PF_DROP,
    PF_FASTROUTE,
    PF_FLUSH,
    PF_FLUSH_GLOBAL,
    PF_IN,
    PF_NAT,
    PF_NOSCRUB,
    PF_OP_EQ,
    PF_PASS,
    PF_RDR,
    PF_RULE_LABEL_SIZE,
    PF_SCRUB,
    PF_STATE_MODULATE,
    PF_STATE_NORMAL,
    PF_STATE_SYNPROXY,
    PF_TABLE_NAME_SIZE,
    PFI_AFLAG_NETWORK,
    PFRULE_FRAGCROP,
    PFRULE_FRAGDROP,
    PFRULE_FRAGMENT,
    PFRULE_NODF,
    PFRULE_NOSYNC,
    PFRULE_RANDOMID,
    PFRULE_REASSEMBLE_TCP,
    PFRULE_RETURN,
    PFRULE_RETURNICMP,
    PFRULE_RETURNRST,
    PFRULE_RULESRCTRACK,
    PFRULE_SRCTRACK,
    PFTM_ADAPTIVE_END,
    PFTM_ADAPTIVE_START,
    PFTM_SRC_NODE,
    PfRule,
)

# Default codes of return-icmp: type << 8 | code of "port unreachable".
RETURN_ICMP = 3 << 8 | 3
RETURN_ICMP6 = 1 << 8 | 4
SYN, SYN_ACK = 0x02, 0x12
THRESHOLD_MAX = 0xFFFFFFFF // 1000

_KEEP = {"keep": PF_STATE_NORMAL, "modulate": PF_STATE_MODULATE, "synproxy": PF_STATE_SYNPROXY}
_COUNTS = ("max", "max-src-nodes", "max-src-states", "max-src-conn")
_SRCTRACK, _SRCTRACK_GLOBAL, _SRCTRACK_RULE = 1, 2, 3


class FilterOpts:
    """Options of a filter rule, as far as they were given."""

    def __init__(self) -> None:
        self.given: set[str] = set()
        self.uids: list[Range] = []
        self.gids: list[Range] = []
        self.icmps: list[Icmp] = []
        self.flags = self.flagset = self.tos = self.prob = 0
        self.keep = 0
        self.state: list[tuple[str, object]] = []
        self.fragment = self.allow_opts = False
        self.label: str | None = None
        self.qname = self.pqname = self.tag = self.match_tag = ""
        self.match_tag_not = 0
        self.rtableid = -1


class FilterStatements(PoolStatements):
    """pass, block, scrub, anchor, load anchor and antispoof."""

    last_anchor: Anchor | None
    brace_count: int

    # -- options of filter rules

    def _filter_opts(self) -> FilterOpts:
        opts = FilterOpts()
        while True:
            method = _FILTER_OPTS.get(self.peek())
            if method is None:
                return opts
            method(self, opts)

    def _opt_once(self, opts: FilterOpts, what: str, message: str) -> None:
        if what in opts.given:
            self.give_up(message)
        opts.given.add(what)

    def _opt_user(self, opts: FilterOpts) -> None:
        self.shift()
        opts.uids = self.ids("user") + opts.uids

    def _opt_group(self, opts: FilterOpts) -> None:
        self.shift()
        opts.gids = self.ids("group") + opts.gids

    def _opt_flags(self, opts: FilterOpts) -> None:
        self.shift()
        flags = flagset = 0
        if self.peek() == "any" and not self.old:
            self.shift()
        else:
            if self.peek() == STRING:
                flags = self._flag()
            self.expect("/")
            flagset = self._flag()
        self._opt_once(opts, "flags", "flags cannot be redefined")
        opts.flags, opts.flagset = flags, flagset

    def _flag(self) -> int:
        text = self.word()
        value = parse_flags(text)
        if value is None:
            self.give_up(f"bad flags {text}")
        return value

    def _opt_icmp(self, opts: FilterOpts) -> None:
        six = self.shift() == "icmp6-type"
        icmps = self.one_or_list(lambda: self._icmp_item(six))
        self._opt_once(opts, "icmp", "icmp-type cannot be redefined")
        opts.icmps = icmps

    def _icmp_item(self, six: bool) -> Icmp:
        af, word = (AF_INET6, "icmp6") if six else (AF_INET, "icmp")
        text = self.word()
        number = self.atoul(text)
        if number is None:
            number = icmp_type_number(text, af)
            if number is None:
                self.give_up(f"unknown {word}-type {text}")
        elif number > 255:
            self.give_up(f"illegal {word}-type {number}")
        proto = IPPROTO_ICMPV6 if six else IPPROTO_ICMP
        if not self.accept("code"):
            return Icmp(number + 1 & 0xFF, 0, proto)
        text = self.word()
        code = self.atoul(text)
        if code is None:
            code = icmp_code_number(number, text, af)
            if code is None:
                self.give_up(f"unknown {word}-code {text}")
        elif code > 255:
            self.give_up(f"illegal {word}-code {code}")
        # Each is kept in an octet, plus one: 255 says as little as nothing.
        return Icmp(number + 1 & 0xFF, code + 1 & 0xFF, proto)

    def _opt_tos(self, opts: FilterOpts) -> None:
        self.shift()
        text = self.word()
        value = IPTOS.get(text)
        if value is None:
            value = _leading_number(text)
        if not 0 < value < 256:
            self.give_up(f"illegal tos value {text}")
        self._opt_once(opts, "tos", "tos cannot be redefined")
        opts.tos = value

    def _opt_keep(self, opts: FilterOpts) -> None:
        if self.old and self.peek() == "no":
            self.syntax_error()
        word = self.shift()
        self.expect("state")
        state: list[tuple[str, object]] = []
        if word != "no" and self.accept("("):
            while True:
                state.append(self._state_item())
                if self.accept(")"):
                    break
                self.accept(",")
        self._opt_once(opts, "keep", "modulate or keep cannot be redefined")
        opts.keep, opts.state = _KEEP.get(word, 0), state

    def _state_item(self) -> tuple[str, object]:
        kind = self.peek()
        if kind in _COUNTS:
            self.shift()
            return kind, self.number()
        if kind == "no-sync":
            self.shift()
            return kind, 0
        if kind == "max-src-conn-rate":
            self.shift()
            limit = self.number()
            self.expect("/")
            return kind, (limit, self.number())
        if kind == "source-track":
            self.shift()
            if self.accept("global"):
                return kind, _SRCTRACK_GLOBAL
            return kind, _SRCTRACK_RULE if self.accept("rule") else _SRCTRACK
        if kind == "overload":
            return kind, self._overload()
        lock = self.statelock()
        if lock is not None:
            return "statelock", lock
        name = self.word()
        seconds = self.number()
        index = TIMEOUT_INDEX.get(name)
        if index is None:
            self.give_up(f"illegal timeout name {name}")
        if "." not in name:
            self.give_up(f"illegal state timeout {name}")
        return "timeout", (index, seconds)

    def _overload(self) -> tuple[str, int]:
        self.shift()
        self.expect("<")
        name = self.word()
        self.expect(">")
        flush = 0
        if self.accept("flush"):
            flush = PF_FLUSH | (PF_FLUSH_GLOBAL if self.accept("global") else 0)
        if len(name) >= PF_TABLE_NAME_SIZE:
            self.give_up(f"table name '{name}' too long")
        return name, flush

    def _opt_fragment(self, opts: FilterOpts) -> None:
        self.shift()
        opts.fragment = True

    def _opt_allow_opts(self, opts: FilterOpts) -> None:
        self.shift()
        opts.allow_opts = True

    def _opt_label(self, opts: FilterOpts) -> None:
        self.shift()
        label = self.word()
        if opts.label is not None:
            self.give_up("label cannot be redefined")
        opts.label = label

    def _opt_queue(self, opts: FilterOpts) -> None:
        self.shift()
        pqname = ""
        if self.accept("("):
            qname = self.word()
            if not self.accept(")"):
                self.accept(",")
                pqname = self.word()
                self.expect(")")
        else:
            qname = self.word()
        if opts.qname:
            self.give_up("queue cannot be redefined")
        opts.qname, opts.pqname = qname, pqname

    def _opt_tag(self, opts: FilterOpts) -> None:
        self.shift()
        opts.tag = self.words()

    def _opt_tagged(self, opts: FilterOpts) -> None:
        opts.match_tag_not, opts.match_tag = self.tagged()

    def _opt_probability(self, opts: FilterOpts) -> None:
        self.shift()
        text = self.word()
        digits = text.removesuffix("%")
        try:
            value = float(digits) if digits else 0.0
        except ValueError:
            self.give_up(f"invalid probability: {text}")
        value *= 0.01 if digits != text else 1.0
        scaled = value * 4294967296.0 + 0.5
        if not 1.0 <= scaled < 4294967296.0:
            self.give_up(f"invalid probability: {text}")
        opts.prob = int(scaled)

    def _opt_rtable(self, opts: FilterOpts) -> None:
        self.shift()
        opts.rtableid = self.rtable_number()

    # -- pass and block

    def _action(self) -> tuple[int, int, int, int]:
        """Take pass or block with its answer; return (action, flag, code, code6)."""
        if self.shift() == "pass":
            return PF_PASS, 0, 0, 0
        kind = self.peek()
        if kind == "drop":
            self.shift()
            return PF_DROP, 0, 0, 0
        if kind == "return":
            self.shift()
            return PF_DROP, PFRULE_RETURN, RETURN_ICMP, RETURN_ICMP6
        if kind == "return-rst":
            return self._return_rst()
        if kind in ("return-icmp", "return-icmp6"):
            return self._return_icmp()
        return PF_DROP, self.blockpolicy, RETURN_ICMP, RETURN_ICMP6

    def _return_rst(self) -> tuple[int, int, int, int]:
        self.shift()
        ttl = 0
        if self.accept("("):
            self.expect("ttl")
            ttl = self.number()
            self.expect(")")
            if ttl > 255:
                self.give_up(f"illegal ttl value {ttl}")
        return PF_DROP, PFRULE_RETURNRST, ttl, 0

    def _return_icmp(self) -> tuple[int, int, int, int]:
        six = self.shift() == "return-icmp6"
        code, code6 = RETURN_ICMP, RETURN_ICMP6
        if self.accept("("):
            first = self.word()
            if six:
                self.expect(")")
                code6 = self._icmp_code(first, AF_INET6)
            elif self.accept(")"):
                code = self._icmp_code(first, AF_INET)
            else:
                self.accept(",")
                second = self.word()
                self.expect(")")
                code = self._icmp_code(first, AF_INET)
                code6 = self._icmp_code(second, AF_INET6)
        return PF_DROP, PFRULE_RETURNICMP, code, code6

    def _icmp_code(self, text: str, af: int) -> int:
        type_ = (RETURN_ICMP if af == AF_INET else RETURN_ICMP6) >> 8
        code = self.atoul(text)
        if code is None:
            code = icmp_code_number(type_, text, af)
            if code is None:
                self.give_up(f"unknown icmp code {text}")
        if code > 255:
            self.give_up(f"invalid icmp code {code}")
        return type_ << 8 | code

    def filter_rule(self) -> None:
        """Take a pass or block rule."""
        action, answer, code, code6 = self._action()
        direction = self.direction()
        log, logif, quick = self.logquick()
        ifaces = self.interface()
        route = self.route()
        af = self.af()
        protos = self.proto()
        both = self.fromto()
        opts = self._filter_opts()
        self.end_of_rule()
        self.must_be_in_order(SECTION_FILTER)
        rule = PfRule(action=action, direction=direction, log=log, logif=logif, quick=quick, af=af)
        if answer == PFRULE_RETURNRST:
            rule.return_ttl = code
        elif answer:
            rule.return_icmp, rule.return_icmp6 = code, code6
        rule.rule_flag = answer
        rule.prob, rule.rtableid, rule.tos = opts.prob, opts.rtableid, opts.tos
        rule.tagname = self.checked_tag(opts.tag)
        rule.match_tagname = self.checked_tag(opts.match_tag)
        rule.match_tag_not = opts.match_tag_not
        self._set_label(rule, opts.label)
        self._set_flags(rule, opts, protos, both)
        self._set_state(rule, opts)
        if opts.fragment:
            rule.rule_flag |= PFRULE_FRAGMENT
        rule.allow_opts = int(opts.allow_opts)
        rule.af = decide_af(both.src.hosts, rule.af, old=self.old)
        rule.af = decide_af(both.dst.hosts, rule.af, old=self.old)
        self._set_route(rule, route)
        self._set_queue(rule, opts)
        lists = Lists(ifaces, protos, both)
        lists.uids, lists.gids, lists.icmps, lists.pool = (
            opts.uids,
            opts.gids,
            opts.icmps,
            route.hosts,
        )
        self.expand(rule, lists)

    def _set_label(self, rule: PfRule, label: str | None) -> None:
        if label is not None and len(label) >= PF_RULE_LABEL_SIZE:
            self.give_up(f"rule label too long (max {PF_RULE_LABEL_SIZE - 1} chars)")
        rule.label = label or ""

    def _set_flags(self, rule: PfRule, opts: FilterOpts, protos: list[int], both: FromTo) -> None:
        if not self.old and opts.flags & opts.flagset != opts.flags:
            self.give_up("flags always false")
        rule.flags, rule.flagset = opts.flags, opts.flagset
        if not (opts.flags or opts.flagset or both.oses):
            return
        if protos and IPPROTO_TCP not in protos:
            if opts.flags or opts.flagset:
                self.error("flags only apply to tcp")
            if both.oses:
                self.error("OS fingerprinting only apply to tcp")
            self._raise()

    def _set_state(self, rule: PfRule, opts: FilterOpts) -> None:
        rule.keep_state = opts.keep
        if not self.old and rule.action == PF_PASS and "keep" not in opts.given:
            # Since OpenBSD 4.1 a pass rule keeps state unless it says otherwise.
            rule.keep_state = PF_STATE_NORMAL
        srctrack = 0
        seen: set[str] = set()
        for name, value in opts.state:
            srctrack = self._state_option(rule, name, value, seen) or srctrack
        if not self.old:
            self._state_defaults(rule, opts, seen)
        if rule.rule_flag & PFRULE_SRCTRACK:
            self._check_srctrack(rule, srctrack)
        if rule.keep_state and "statelock" not in seen:
            rule.rule_flag |= self.default_statelock

    def _state_defaults(self, rule: PfRule, opts: FilterOpts, seen: set[str]) -> None:
        if (
            rule.action == PF_PASS
            and not rule.flags
            and not rule.flagset
            and not opts.fragment
            and "flags" not in opts.given
            and rule.keep_state
        ):
            rule.flags, rule.flagset = SYN, SYN_ACK
        if rule.max_states and "adaptive" not in seen:
            rule.timeout[PFTM_ADAPTIVE_START] = rule.max_states // 10 * 6
            rule.timeout[PFTM_ADAPTIVE_END] = rule.max_states // 10 * 12

    def _state_option(self, rule: PfRule, name: str, value: object, seen: set[str]) -> int:
        """Put one state option into the rule; return the kind of source tracking it asks for."""
        if name == "timeout":
            assert isinstance(value, tuple)
            index, seconds = value
            if index in (PFTM_ADAPTIVE_START, PFTM_ADAPTIVE_END):
                seen.add("adaptive")
            if rule.timeout[index]:
                self.give_up(f"state timeout {TIMEOUT_NAME[index]} multiple definitions")
            rule.timeout[index] = seconds
            return 0
        if name == "overload":
            assert isinstance(value, tuple)
            if rule.overload_tblname:
                self.give_up("multiple 'overload' table definitions")
            rule.overload_tblname, rule.flush = value
            return 0
        if name in seen and self._counted(rule, name):
            self.give_up(_again(name))
        seen.add(name)
        if name == "statelock":
            assert isinstance(value, int)
            rule.rule_flag |= value
        elif name == "no-sync":
            rule.rule_flag |= PFRULE_NOSYNC
        elif name == "source-track":
            assert isinstance(value, int)
            rule.rule_flag |= PFRULE_SRCTRACK
            return value
        elif name == "max":
            assert isinstance(value, int)
            rule.max_states = value
        else:
            self._source_limit(rule, name, value)
        return 0

    def _counted(self, rule: PfRule, name: str) -> bool:
        """Tell whether an option seen before has a value; only "max 0" has none."""
        return name != "max" or rule.max_states != 0

    def _source_limit(self, rule: PfRule, name: str, value: object) -> None:
        flags = PFRULE_SRCTRACK | PFRULE_RULESRCTRACK
        if name == "max-src-conn-rate":
            assert isinstance(value, tuple)
            limit, seconds = value
            if not limit or not seconds:
                self.give_up("'max-src-conn-rate' values must be > 0")
            if limit > THRESHOLD_MAX:
                self.give_up(f"'max-src-conn-rate' maximum rate must be < {THRESHOLD_MAX}")
            rule.max_src_conn_rate = [limit, seconds]
        else:
            assert isinstance(value, int)
            if value == 0:
                self.give_up(f"'{name}' must be > 0")
            setattr(rule, name.replace("-", "_"), value)
            if name == "max-src-states":
                flags = PFRULE_SRCTRACK
        rule.rule_flag |= flags

    def _check_srctrack(self, rule: PfRule, srctrack: int) -> None:
        if srctrack == _SRCTRACK_GLOBAL:
            for name, value in (
                ("max-src-nodes", rule.max_src_nodes),
                ("max-src-conn", rule.max_src_conn),
                ("max-src-conn-rate", rule.max_src_conn_rate[1]),
            ):
                if value:
                    self.give_up(f"'{name}' is incompatible with 'source-track global'")
        if rule.timeout[PFTM_SRC_NODE] < rule.max_src_conn_rate[1]:
            rule.timeout[PFTM_SRC_NODE] = rule.max_src_conn_rate[1]
        if srctrack == _SRCTRACK_RULE:
            rule.rule_flag |= PFRULE_RULESRCTRACK

    def _set_route(self, rule: PfRule, route: Route) -> None:
        if route.rt:
            if not rule.direction:
                self.give_up("direction must be explicit with rules that specify routing")
            rule.rt = route.rt
            rule.rpool.opts = route.opts
            if route.key is not None:
                rule.rpool.key = route.key
        if route.rt and route.rt != PF_FASTROUTE:
            rule.af = decide_af(route.hosts, rule.af, old=self.old)
            rule.af = self.remove_invalid_hosts(route.hosts, rule.af)
            if not route.hosts:
                self.give_up("no routing address with matching address family found.")
            self.choose_round_robin(rule.rpool, route.hosts, "routing")
            if len(route.hosts) > 1 and not self.is_round_robin(rule.rpool):
                self.give_up("r.rpool.opts must be PF_POOL_ROUNDROBIN")

    def _set_queue(self, rule: PfRule, opts: FilterOpts) -> None:
        for field, name in (("qname", opts.qname), ("pqname", opts.pqname)):
            if len(name) >= self.qname_size:
                self.give_up(f"rule {field} too long (max {self.qname_size - 1} chars)")
            setattr(rule, field, name)

    # -- scrub

    def scrub(self, *, no: bool) -> None:
        """Take a scrub rule; "no" is gone already."""
        self.shift()
        rule = PfRule(action=PF_NOSCRUB if no else PF_SCRUB)
        rule.direction = self.direction()
        rule.log, rule.logif, quick = self.logquick()
        ifaces = self.interface()
        rule.af = self.af()
        protos = self.proto()
        both = self.fromto()
        self._scrub_opts(rule)
        self.end_of_rule()
        self.must_be_in_order(SECTION_SCRUB)
        if quick:
            self.give_up("scrub rules do not support 'quick'")
        if rule.rule_flag & PFRULE_REASSEMBLE_TCP and rule.direction:
            self.give_up("reassemble tcp rules can not specify direction")
        self.expand(rule, Lists(ifaces, protos, both))

    def _scrub_opts(self, rule: PfRule) -> None:
        given: set[str] = set()
        while True:
            kind = self.peek()
            if kind not in ("no-df", "min-ttl", "max-mss", "fragment", "reassemble", "random-id",
                            "rtable"):  # fmt: skip
                return
            self.shift()
            if kind == "rtable":
                rule.rtableid = self.rtable_number()
                continue
            self._scrub_opt(rule, kind, given)

    def _scrub_opt(self, rule: PfRule, kind: str, given: set[str]) -> None:
        name = {"fragment": "fragcache", "reassemble": "reassemble tcp"}.get(kind, kind)
        flag = {"no-df": PFRULE_NODF, "random-id": PFRULE_RANDOMID}.get(kind, 0)
        number = 0
        if kind in ("min-ttl", "max-mss"):
            number = self.number()
        elif kind == "fragment":
            flag = self._fragcache()
        elif kind == "reassemble":
            word = self.word()
            if word.lower() != "tcp":
                self.give_up(f"scrub reassemble supports only tcp, not '{word}'")
            flag = PFRULE_REASSEMBLE_TCP
        if name in given:
            self.give_up(f"{name} cannot be respecified")
        given.add(name)
        if kind == "min-ttl":
            if number > 255:
                self.give_up(f"illegal min-ttl value {number}")
            rule.min_ttl = number
        elif kind == "max-mss":
            if number > 65535:
                self.give_up(f"illegal max-mss value {number}")
            rule.max_mss = number
        rule.rule_flag |= flag

    def _fragcache(self) -> int:
        kind = self.peek()
        flags = {"reassemble": 0, "crop": PFRULE_FRAGCROP, "drop-ovl": PFRULE_FRAGDROP}
        if kind not in flags:
            self.syntax_error()
        self.shift()
        return flags[kind]

    # -- anchors

    def anchor(self) -> None:
        """Take an anchor rule, perhaps with its rules in braces."""
        self.shift()
        name: str | None
        if self.old:
            name = self.words()
        else:
            name = self.shift() if self.peek() == STRING else None
        rule = PfRule(action=PF_PASS)
        rule.direction = self.direction()
        if not self.old:
            rule.quick = int(self.accept("quick"))
        ifaces = self.interface()
        rule.af = self.af()
        protos = self.proto()
        both = self.fromto()
        opts = self._filter_opts()
        inline = not self.old and self.peek() == "{"
        if inline:
            self._braces()
        else:
            self.end_of_rule()
        self.must_be_in_order(SECTION_FILTER)
        if not self.old and name and (name[0] == "_" or "/_" in name):
            self.give_up("anchor names beginning with '_' are reserved for internal use")
        anchor = self._place_inline(name) if inline else None
        if not inline and not name:
            self.give_up("anchors without explicit rules must specify a name")
        rule.prob, rule.rtableid = opts.prob, opts.rtableid
        rule.match_tagname = self.checked_tag(opts.match_tag)
        rule.match_tag_not = opts.match_tag_not
        rule.af = decide_af(both.src.hosts, rule.af, old=self.old)
        rule.af = decide_af(both.dst.hosts, rule.af, old=self.old)
        call = anchor.name if anchor else name or ""
        self.expand(rule, Lists(ifaces, protos, both), call, anchor)
        if inline:
            self.stack[self.depth + 1] = None

    def _braces(self) -> None:
        """Take the rules of an inline anchor into a ruleset of their own."""
        self.shift()
        self.deeper()
        self.depth += 1
        self.brace_count += 1
        holder = self.find_or_create(f"_{self.brace_count}")
        while len(self.stack) <= self.depth + 1:
            self.stack.append(None)
        self.stack[self.depth] = self.current = holder
        self.expect(NEWLINE)
        while True:
            kind = self.peek()
            if kind in ("pass", "block"):
                self.filter_rule()
            elif kind == "anchor":
                self.anchor()
            else:
                self.syntax_error()
            while self.peek() == NEWLINE:
                self.shift()
            if self.accept("}"):
                break
        self.leave()
        self.last_anchor = self.current
        self.depth -= 1
        above = self.stack[self.depth]
        assert above is not None
        self.current = above

    def find_or_create(self, path: str) -> Anchor:
        """Return the ruleset of a path in the tree of inline anchors."""
        found = self.anchors.get(path)
        if found is None:
            found = self.anchors[path] = Anchor(path.rpartition("/")[2], path)
        return found

    anchors: dict[str, Anchor]

    def _place_inline(self, name: str | None) -> Anchor:
        """Move the rules just read to where the anchor's name says; return that anchor."""
        last, above = self.last_anchor, self.stack[self.depth]
        assert last is not None
        assert above is not None
        name = name or last.name
        if name.startswith("/"):
            path = name[1:]
        else:
            path = above.path
            while name.startswith("../"):
                if not path:
                    self.out("pf_anchor_setup: .. beyond root\n")
                    raise Fatal("anchorrule: unable to create ruleset: Undefined error: 0")
                path = path.rpartition("/")[0]
                name = name[3:]
            path = f"{path}/{name}" if path else name
        anchor = self.find_or_create(path.removesuffix("/*"))
        if anchor is not last:
            if anchor.match:
                self.give_up(f"inline anchor '{anchor.name}' already exists")
            for to, come in zip(anchor.rules, last.rules, strict=True):
                to += come
                anchor.match += len(come)
                come.clear()
            last.match = 0
        self.last_anchor = anchor
        return anchor

    def nat_anchor(self) -> None:
        """Take nat-anchor, rdr-anchor or binat-anchor."""
        kind = self.shift()
        name = self.words()
        ifaces = self.interface()
        rule = PfRule()
        rule.af = self.af()
        protos = self.proto()
        both = self.fromto()
        rule.rtableid = self.rtable()
        self.end_of_rule()
        self.must_be_in_order(SECTION_NAT)
        rule.action = {"nat-anchor": PF_NAT, "rdr-anchor": PF_RDR}.get(kind, PF_BINAT)
        if kind == "binat-anchor":
            self._binat_anchor(rule, name, protos, both)
            return
        rule.af = decide_af(both.src.hosts, rule.af, old=self.old)
        rule.af = decide_af(both.dst.hosts, rule.af, old=self.old)
        if kind == "rdr-anchor":
            if both.src.ports:
                self.give_up("source port parameter not supported in rdr-anchor")
            if len(both.dst.ports) > 1:
                self.give_up("destination port list expansion not supported in rdr-anchor")
            if both.dst.ports and both.dst.ports[0].op != PF_OP_EQ:
                self.give_up("destination port operators not supported in rdr-anchor")
        self.expand(rule, Lists(ifaces, protos, both), name)

    def _binat_anchor(self, rule: PfRule, name: str, protos: list[int], both: FromTo) -> None:
        if len(protos) > 1:
            self.give_up("proto list expansion not supported in binat-anchor")
        rule.proto = protos[0] if protos else 0
        if both.src.hosts or both.src.ports or both.dst.hosts or both.dst.ports:
            self.give_up("fromto parameter not supported in binat-anchor")
        self.add_rule(rule, name, None)

    def load_anchor(self) -> None:
        """Take load anchor."""
        self.shift()
        self.expect("anchor")
        name = self.words()
        self.expect("from")
        filename = self.words()
        self.end_of_rule()
        above = "" if self.old else self.current.name
        if len(above) + 1 + len(name) >= MAXPATHLEN:
            self.give_up(f"anchorname {name} too long, max {MAXPATHLEN - 1}\n")
        self.conf.load_anchors.append((f"{above}/{name}" if above else name, filename))

    # -- antispoof

    def antispoof(self) -> None:
        """Take antispoof: block what claims an interface's network and does not come from it."""
        self.shift()
        log, logif, quick = self.logquick()
        self.expect("for")
        ifaces = self.one_or_list(self._antispoof_if)
        af = self.af()
        label: str | None = None
        rtableid = -1
        while True:
            if self.accept("label"):
                word = self.word()
                if label is not None:
                    self.give_up("label cannot be redefined")
                label = word
            elif not self.old and self.accept("rtable"):
                rtableid = self.rtable_number()
            else:
                break
        self.end_of_rule()
        self.must_be_in_order(SECTION_FILTER)
        for iface in ifaces:
            rule = PfRule(action=PF_DROP, direction=PF_IN, log=log, quick=quick, af=af)
            rule.logif, rule.rtableid = logif, rtableid
            self._set_label(rule, label)
            self._antispoof_on(rule, iface)

    def _antispoof_if(self) -> Iface:
        if self.accept("("):
            iface = self.if_item()
            self.expect(")")
            iface.dynamic = True
            return iface
        return self.if_item()

    def _antispoof_on(self, rule: PfRule, iface: Iface) -> None:
        if len(iface.name) >= IFNAMSIZ:
            self.give_up("interface name too long")
        other = Iface(iface.name)
        other.neg = 1
        both = FromTo()
        if iface.dynamic:
            net = Host(PF_ADDR_DYNIFTL, dyn=iface.name, iflags=PFI_AFLAG_NETWORK, bits=128)
            both.src.hosts = [net]
        else:
            both.src.hosts = self.hosts.lookup(iface.name, PFI_AFLAG_NETWORK)
        again = rule.copy()
        again.logif = 0
        if both.src.hosts:
            self.expand(rule, Lists([other], [], both))
        if iface.flags & IFF_LOOPBACK:
            return
        if iface.dynamic:
            both.src.hosts = [Host(PF_ADDR_DYNIFTL, dyn=iface.name, bits=128)]
        else:
            both.src.hosts = self.hosts.lookup(iface.name, 0)
        if both.src.hosts:
            self.expand(again, Lists([], [], both))


def _again(name: str) -> str:
    if name == "statelock":
        return "state locking option: multiple definitions"
    return f"state option '{'sync' if name == 'no-sync' else name}' multiple definitions"


def _leading_number(text: str) -> int:
    """Return what strtoul(3) reads at the front: hex after 0x, else decimal; 0 for nothing."""
    base, digits = (16, text[2:]) if text.startswith("0x") else (10, text)
    end = 0
    allowed = "0123456789abcdefABCDEF"[: 22 if base == 16 else 10]
    while end < len(digits) and end < 20 and digits[end] in allowed:
        end += 1
    return int(digits[:end], base) if end else 0


_FILTER_OPTS = {
    "user": FilterStatements._opt_user,
    "group": FilterStatements._opt_group,
    "flags": FilterStatements._opt_flags,
    "icmp-type": FilterStatements._opt_icmp,
    "icmp6-type": FilterStatements._opt_icmp,
    "tos": FilterStatements._opt_tos,
    "no": FilterStatements._opt_keep,
    "keep": FilterStatements._opt_keep,
    "modulate": FilterStatements._opt_keep,
    "synproxy": FilterStatements._opt_keep,
    "fragment": FilterStatements._opt_fragment,
    "allow-opts": FilterStatements._opt_allow_opts,
    "label": FilterStatements._opt_label,
    "queue": FilterStatements._opt_queue,
    "tag": FilterStatements._opt_tag,
    "tagged": FilterStatements._opt_tagged,
    "!": FilterStatements._opt_tagged,
    "probability": FilterStatements._opt_probability,
    "rtable": FilterStatements._opt_rtable,
}
