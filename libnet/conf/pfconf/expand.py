"""A statement with lists to single rules: the product of its lists, checked one by one."""

from __future__ import annotations

from libnet.addr import AF_INET, AF_INET6
from libnet.conf.pfconf.addr6 import ntop
from libnet.conf.pfconf.base import Fatal, Loaded
from libnet.conf.pfconf.nodes import Anchor, FromTo, Host, Icmp, Iface, Range
from libnet.conf.pfconf.phrases import Phrases
from libnet.ioctl.pf import (
    PF_ADDR_ADDRMASK,
    PF_ADDR_DYNIFTL,
    PF_ADDR_NOROUTE,
    PF_ADDR_TABLE,
    PF_ADDR_URPFFAILED,
    PF_BINAT,
    PF_DROP,
    PF_NAT,
    PF_NOBINAT,
    PF_NONAT,
    PF_NORDR,
    PF_NOSCRUB,
    PF_OP_EQ,
    PF_OP_GE,
    PF_OP_GT,
    PF_OP_IRG,
    PF_OP_LE,
    PF_OP_LT,
    PF_OP_NE,
    PF_OP_RRG,
    PF_OP_XRG,
    PF_OSFP_ANY,
    PF_OSFP_NOMATCH,
    PF_PASS,
    PF_RDR,
    PF_RULE_LABEL_SIZE,
    PF_RULESET_BINAT,
    PF_RULESET_FILTER,
    PF_RULESET_NAT,
    PF_RULESET_RDR,
    PF_RULESET_SCRUB,
    PF_SCRUB,
    PF_STATE_NORMAL,
    PFRULE_FRAGMENT,
    PFRULE_RETURNRST,
    PFRULE_RULESRCTRACK,
    PfRule,
    PfRuleAddr,
)

IPPROTO_ICMP = 1
IPPROTO_TCP = 6
IPPROTO_UDP = 17
IPPROTO_ICMPV6 = 58

RULESETS = {
    PF_SCRUB: PF_RULESET_SCRUB,
    PF_NOSCRUB: PF_RULESET_SCRUB,
    PF_PASS: PF_RULESET_FILTER,
    PF_DROP: PF_RULESET_FILTER,
    PF_NAT: PF_RULESET_NAT,
    PF_NONAT: PF_RULESET_NAT,
    PF_BINAT: PF_RULESET_BINAT,
    PF_NOBINAT: PF_RULESET_BINAT,
    PF_RDR: PF_RULESET_RDR,
    PF_NORDR: PF_RULESET_RDR,
}

_NO_IFACE = Iface("")
_NO_PORT = Range()
_NO_ICMP = Icmp()
_LABEL_OPS = {
    PF_OP_IRG: "{}><{}",
    PF_OP_XRG: "{}<>{}",
    PF_OP_EQ: "{}",
    PF_OP_NE: "!={}",
    PF_OP_LT: "<{}",
    PF_OP_LE: "<={}",
    PF_OP_GT: ">{}",
    PF_OP_GE: ">={}",
}


class Lists:
    """The lists of one statement; an empty one stands for one item that says nothing."""

    __slots__ = ("dst", "dst_ports", "gids", "icmps", "ifaces", "oses", "pool", "protos", "src",
                 "src_ports", "uids")  # fmt: skip

    def __init__(self, ifaces: list[Iface], protos: list[int], both: FromTo | None = None) -> None:
        self.ifaces, self.protos = ifaces, protos
        self.src = both.src.hosts if both else []
        self.src_ports = both.src.ports if both else []
        self.dst = both.dst.hosts if both else []
        self.dst_ports = both.dst.ports if both else []
        self.oses = both.oses if both else []
        self.uids: list[Range] = []
        self.gids: list[Range] = []
        self.icmps: list[Icmp] = []
        self.pool: list[Host] = []

    def single(self) -> bool:
        """Tell whether the product is one rule."""
        return all(len(getattr(self, name)) < 2 for name in self.__slots__ if name != "pool")


class Expander(Phrases):
    """Turns statements into rules of the ruleset that is being read."""

    stack: list[Anchor | None]
    depth: int
    current: Anchor
    rule_nr: int

    def add_rule(self, rule: PfRule, anchor_call: str, anchor: Anchor | None) -> None:
        """Append a rule to the ruleset in hand; *anchor* is the inline one that it calls."""
        if anchor_call and anchor is None:
            # An anchor that is only named is no part of the tree; its name prints from the slash.
            slash = anchor_call.rfind("/")
            anchor = Anchor(anchor_call[slash:] if slash >= 0 else anchor_call, anchor_call)
        self.current.rules[RULESETS[rule.action]].append(Loaded(rule, anchor))
        if self.old and self.settings.verbose:
            self.out(self.printer.rule(rule, anchor_call, self.settings.verbose > 1) + "\n")

    def expand(
        self, base: PfRule, lists: Lists, anchor_call: str = "", anchor: Anchor | None = None
    ) -> None:
        """Add the product of *lists* upon *base*: interface outermost, group innermost."""
        added = 0
        errors = [0]
        uids, gids = lists.uids or [_NO_PORT], lists.gids or [_NO_PORT]
        single = lists.single()
        for iface in lists.ifaces or [_NO_IFACE]:
            for proto in lists.protos or [0]:
                for icmp in lists.icmps or [_NO_ICMP]:
                    for pair in self._pairs(lists):
                        for uid in uids:
                            for gid in gids:
                                rule = base if single else base.copy()
                                if not self._combine(rule, iface, proto, icmp, pair, uid, gid):
                                    continue
                                added += self._finish(
                                    rule, lists, iface, icmp, pair, anchor_call, anchor, errors
                                )
        if not added:
            self.error("rule expands to no valid combination")

    def _pairs(self, lists: Lists) -> list[tuple[Host, Range, str | None, Host, Range]]:
        """Return the product of hosts, ports and systems, source outermost."""
        found = []
        dsts = lists.dst or [Host()]
        dst_ports = lists.dst_ports or [_NO_PORT]
        oses: list[str] | list[None] = lists.oses or [None]
        for src in lists.src or [Host()]:
            for src_port in lists.src_ports or [_NO_PORT]:
                for os in oses:
                    for dst in dsts:
                        for dst_port in dst_ports:
                            found.append((src, src_port, os, dst, dst_port))
        return found

    def _combine(
        self,
        rule: PfRule,
        iface: Iface,
        proto: int,
        icmp: Icmp,
        pair: tuple[Host, Range, str | None, Host, Range],
        uid: Range,
        gid: Range,
    ) -> bool:
        """Make *rule* that of one combination; False when its families do not fit."""
        src, _, os, dst, _ = pair
        af = rule.af
        if (
            (af and src.af and af != src.af)
            or (af and dst.af and af != dst.af)
            or (src.af and dst.af and src.af != dst.af)
            or (src.ifindex and dst.ifindex and src.ifindex != dst.ifindex)
        ):
            return False
        if iface.name and (src.ifindex or dst.ifindex):
            index = self.hosts.index_of(iface.name)
            if (src.ifindex and src.ifindex != index) or (dst.ifindex and dst.ifindex != index):
                return False
        rule.af = af or src.af or dst.af
        rule.ifname = (
            iface.name or self.hosts.name_of(src.ifindex) or self.hosts.name_of(dst.ifindex)
        )
        rule.ifnot = iface.neg
        rule.proto = proto
        rule.uid.op, rule.uid.uid = uid.op, [uid.a, uid.b]
        rule.gid.op, rule.gid.uid = gid.op, [gid.a, gid.b]
        rule.type, rule.code = icmp.type, icmp.code
        if proto and proto != IPPROTO_TCP:
            rule.flags = rule.flagset = 0
            if rule.keep_state > PF_STATE_NORMAL:
                rule.keep_state = PF_STATE_NORMAL
        rule.os_fingerprint = PF_OSFP_ANY if os is None else self._os(os)
        return True

    def _os(self, name: str) -> int:
        number = self.fps.number(name)
        if number == PF_OSFP_NOMATCH and self.settings.verbose > 1:
            self.say(f"warning: unknown '{name}' OS fingerprint")
        return number

    def _finish(
        self,
        rule: PfRule,
        lists: Lists,
        iface: Iface,
        icmp: Icmp,
        pair: tuple[Host, Range, str | None, Host, Range],
        anchor_call: str,
        anchor: Anchor | None,
        errors: list[int],
    ) -> int:
        """Fill in addresses and labels, check and add; return how many were added."""
        src, src_port, _, dst, dst_port = pair
        if "$" in rule.label or "$" in rule.tagname or "$" in rule.match_tagname:
            for field in ("label", "tagname", "match_tagname"):
                text = getattr(rule, field)
                if "$" in text:
                    setattr(rule, field, self._label(text, rule, pair))
        errors[0] += self.check_netmask(src, rule.af) + self.check_netmask(dst, rule.af)
        rule.src = _rule_addr(src, src_port, rule.af)
        rule.dst = _rule_addr(dst, dst_port, rule.af)
        if icmp.proto and rule.proto != icmp.proto:
            self.error("icmp-type mismatch")
            errors[0] += 1
        rule.rpool.list = [one.pool(rule.af) for one in lists.pool]
        if self._consistent(rule) or errors[0]:
            self.error("skipping rule due to errors")
            return 0
        if self.old:
            rule.nr = self.rule_nr
            self.rule_nr += 1
        else:
            above = self.stack[self.depth]
            assert above is not None
            rule.nr = above.match
            above.match += 1
        self.add_rule(rule, anchor_call, anchor)
        return 1

    def check_netmask(self, host: Host, af: int) -> int:
        """Tell of a mask that no IPv4 address can have; return 1 then."""
        if host.type == PF_ADDR_TABLE or af != AF_INET or host.bits <= 32:
            return 0
        if host.type == PF_ADDR_DYNIFTL:
            host.set_ipmask(32)
            return 0
        self.say(f"netmask {host.bits} invalid for IPv4 address")
        return 1

    # -- checks

    def _consistent(self, rule: PfRule) -> int:
        """Tell what does not go together in a rule; return how many such things."""
        if rule.action in (PF_PASS, PF_DROP, PF_SCRUB, PF_NOSCRUB):
            problems = filter_problems(rule, old=self.old)
        elif rule.action in (PF_RDR, PF_NORDR):
            problems = rdr_problems(rule)
        else:
            return 0
        for problem in problems:
            self.error(problem)
        return len(problems)

    # -- labels

    def _label(
        self, text: str, rule: PfRule, pair: tuple[Host, Range, str | None, Host, Range]
    ) -> str:
        src, src_port, _, dst, dst_port = pair
        number = self.rule_nr if self.old else self.current.match
        for word, value in (
            ("$if", rule.ifname or "any"),
            ("$srcaddr", _label_addr(src, rule.af)),
            ("$dstaddr", _label_addr(dst, rule.af)),
            ("$srcport", _label_port(src_port)),
            ("$dstport", _label_port(dst_port)),
            ("$proto", self.printer.proto(rule.proto)),
            ("$nr", str(number)),
        ):
            text = text.replace(word, value)
            # A word's value may be shorter than the word: what counts is the longest on the way.
            if len(text) >= PF_RULE_LABEL_SIZE:
                raise Fatal("expand_label: label too long")
        return text


def _rule_addr(host: Host, port: Range, af: int) -> PfRuleAddr:
    return PfRuleAddr(host.wrap(af), [port.a, port.b], host.neg, port.op)


def _label_addr(host: Host, af: int) -> str:
    if host.type == PF_ADDR_DYNIFTL:
        text = f"({host.dyn})"
    elif host.type == PF_ADDR_TABLE:
        text = f"<{host.name}>"
    elif host.type == PF_ADDR_NOROUTE:
        text = "no-route"
    elif host.type == PF_ADDR_URPFFAILED:
        text = "urpf-failed"
    elif host.type != PF_ADDR_ADDRMASK:
        text = "?"
    elif not af or (not host.addr and not host.bits):
        text = "any"
    else:
        text = ntop(af, host.addr)
        if host.bits < (32 if af == AF_INET else 128):
            text += f"/{host.bits}"
    return f"! {text}" if host.neg else text


def _label_port(port: Range) -> str:
    return _LABEL_OPS[port.op].format(port.a, port.b) if port.op in _LABEL_OPS else ""


def filter_problems(rule: PfRule, *, old: bool) -> list[str]:
    """Return what does not go together in a filter or scrub rule."""
    found = []
    ports = rule.src.port_op or rule.dst.port_op
    icmp = rule.type or rule.code
    if ports and rule.proto not in (IPPROTO_TCP, IPPROTO_UDP):
        found.append("port only applies to tcp/udp")
    if icmp:
        if rule.proto not in (IPPROTO_ICMP, IPPROTO_ICMPV6):
            found.append("icmp-type/code only applies to icmp")
        if not rule.af:
            found.append("must indicate address family with icmp-type/code")
    if rule.overload_tblname and not rule.max_src_conn and not rule.max_src_conn_rate[1]:
        found.append("'overload' requires 'max-src-conn' or 'max-src-conn-rate'")
    if (rule.proto == IPPROTO_ICMP and rule.af == AF_INET6) or (
        rule.proto == IPPROTO_ICMPV6 and rule.af == AF_INET
    ):
        name = "icmp" if rule.proto == IPPROTO_ICMP else "icmp6"
        family = "inet" if rule.af == AF_INET else "inet6"
        found.append(f"proto {name} doesn't match address family {family}")
    if rule.allow_opts and rule.action != PF_PASS:
        found.append("allow-opts can only be specified for pass rules")
    if rule.rule_flag & PFRULE_FRAGMENT and (ports or rule.flagset or icmp):
        found.append("fragments can be filtered only on IP header fields")
    if rule.rule_flag & PFRULE_RETURNRST and rule.proto != IPPROTO_TCP:
        found.append("return-rst can only be applied to TCP rules")
    if rule.max_src_nodes and not rule.rule_flag & PFRULE_RULESRCTRACK:
        found.append("max-src-nodes requires 'source-track rule'")
    if rule.action == PF_DROP and rule.keep_state:
        found.append("keep state on block rules doesn't make sense")
    tags = rule.tagname or rule.match_tagname
    if old and tags and not rule.keep_state and rule.action == PF_PASS:
        found.append("tags cannot be used without keep state")
    return found


def rdr_problems(rule: PfRule) -> list[str]:
    """Return what does not go together in an rdr rule."""
    found = []
    if rule.proto not in (IPPROTO_TCP, IPPROTO_UDP):
        if rule.src.port_op:
            found.append("src port only applies to tcp/udp")
        if rule.dst.port_op:
            found.append("dst port only applies to tcp/udp")
        if rule.rpool.proxy_port[0]:
            found.append("rpool port only applies to tcp/udp")
    if rule.dst.port_op not in (0, PF_OP_EQ, PF_OP_RRG):
        found.append("invalid port operator for rdr destination port")
    return found
