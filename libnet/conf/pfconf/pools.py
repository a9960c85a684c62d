"""Translation rules of pf.conf(5), and the pools that they share with routing options."""

from __future__ import annotations

import re
from hashlib import md5

from libnet.conf.pfconf.base import Loaded
from libnet.conf.pfconf.expand import RULESETS, Lists
from libnet.conf.pfconf.lex import NEWLINE, STRING
from libnet.conf.pfconf.nodes import FromTo, Host
from libnet.conf.pfconf.phrases import IFNAMSIZ
from libnet.conf.pfconf.printer import NAT_PORT_HIGH, NAT_PORT_LOW
from libnet.conf.pfconf.queues import QueueStatements
from libnet.conf.pfconf.settings import SECTION_NAT
from libnet.ioctl.pf import (
    PF_ADDR_ADDRMASK,
    PF_ADDR_DYNIFTL,
    PF_ADDR_TABLE,
    PF_BINAT,
    PF_DUPTO,
    PF_FASTROUTE,
    PF_NAT,
    PF_NOBINAT,
    PF_NONAT,
    PF_NORDR,
    PF_POOL_BITMASK,
    PF_POOL_RANDOM,
    PF_POOL_ROUNDROBIN,
    PF_POOL_SRCHASH,
    PF_POOL_STICKYADDR,
    PF_POOL_TYPEMASK,
    PF_RDR,
    PF_REPLYTO,
    PF_ROUTETO,
    PfPool,
    PfRule,
)

_ROUTES = {"route-to": PF_ROUTETO, "reply-to": PF_REPLYTO, "dup-to": PF_DUPTO}
_KINDS = {
    "bitmask": PF_POOL_BITMASK,
    "random": PF_POOL_RANDOM,
    "source-hash": PF_POOL_SRCHASH,
    "round-robin": PF_POOL_ROUNDROBIN,
}
_HEX_KEY = re.compile(r"0x[0-9a-fA-F]{32}\Z")


class PoolOpts:
    """Kind, key, static-port and sticky-address of a pool."""

    __slots__ = ("key", "kind", "static_port", "sticky")

    def __init__(self) -> None:
        self.kind, self.sticky = 0, 0
        self.key: bytes | None = None
        self.static_port = False


class Route:
    """route-to, reply-to, dup-to or fastroute of a rule."""

    __slots__ = ("hosts", "key", "opts", "rt")

    def __init__(self) -> None:
        self.rt, self.opts = 0, 0
        self.hosts: list[Host] = []
        self.key: bytes | None = None


class Redirection:
    """What stands after "->": addresses and ports."""

    __slots__ = ("high", "hosts", "low", "star")

    def __init__(self, hosts: list[Host]) -> None:
        self.hosts = hosts
        self.low = self.high = 0
        self.star = False


# What may follow the action of a translation rule.
_AFTER_NATPASS = frozenset(
    {"on", "inet", "inet6", "proto", "all", "from", "os", "to", "tag", "!", "tagged", "rtable", "->",
     "if-bound", "floating", NEWLINE}
)  # fmt: skip


class PoolStatements(QueueStatements):
    """nat, rdr and binat rules."""

    # -- pools

    def pool_opts(self) -> PoolOpts:
        """Take the options of a pool."""
        opts = PoolOpts()
        while True:
            kind = self.peek()
            if kind in _KINDS:
                self.shift()
                key = self._hashkey() if kind == "source-hash" else None
                if opts.kind:
                    self.give_up("pool type cannot be redefined")
                opts.kind = _KINDS[kind]
                opts.key = key
            elif kind == "static-port":
                self.shift()
                if opts.static_port:
                    self.give_up("static-port cannot be redefined")
                opts.static_port = True
            elif kind == "sticky-address":
                self.shift()
                opts.sticky = PF_POOL_STICKYADDR
            else:
                return opts

    def _hashkey(self) -> bytes:
        if self.peek() != STRING:
            return self.env.random(128).to_bytes(16, "big")
        text = self.words()
        if not text.startswith("0x"):
            return md5(text.encode("utf-8", "surrogateescape"), usedforsecurity=False).digest()
        if len(text) != 34:
            self.give_up("hex key must be 128 bits (32 hex digits) long")
        if not _HEX_KEY.match(text):
            self.give_up("invalid hex key")
        return bytes.fromhex(text[2:])

    def is_round_robin(self, pool: PfPool) -> bool:
        """Tell whether a pool goes round robin."""
        return pool.opts & PF_POOL_TYPEMASK == PF_POOL_ROUNDROBIN

    def choose_round_robin(self, pool: PfPool, hosts: list[Host], what: str) -> None:
        """Make a pool of several addresses round robin; give up where another kind is asked."""
        first = hosts[0]
        if pool.opts & PF_POOL_TYPEMASK == 0 and (
            len(hosts) > 1 or first.type == PF_ADDR_TABLE or first.multiaddr()
        ):
            pool.opts |= PF_POOL_ROUNDROBIN
        if self.is_round_robin(pool):
            return
        self.disallow_table(hosts, f"tables are only supported in round-robin {what} pools")
        self.disallow_alias(
            hosts, "interface ({}) is only supported in round-robin " + what + " pools"
        )

    def disallow_table(self, hosts: list[Host], message: str) -> None:
        """Give up if an address is a table; {} in the message is its name."""
        for one in hosts:
            if one.type == PF_ADDR_TABLE:
                self.give_up(message.format(one.name))

    def disallow_alias(self, hosts: list[Host], message: str) -> None:
        """Give up if an address is an interface that may have several; {} is its name."""
        for one in hosts:
            if one.multiaddr():
                self.give_up(message.format(one.dyn))

    def remove_invalid_hosts(self, hosts: list[Host], af: int) -> int:
        """Remove addresses of another family; return the family, found if there was none."""
        kept = []
        for one in hosts:
            if af and one.af and one.af != af:
                continue
            af = af or one.af
            kept.append(one)
        hosts[:] = kept
        return af

    def _invalid_redirect(self, hosts: list[Host], af: int) -> None:
        if not af and any(one.type not in (PF_ADDR_TABLE, PF_ADDR_DYNIFTL) for one in hosts):
            self.give_up(
                "address family not given and translation address expands to multiple "
                "address families"
            )
        if not hosts:
            self.give_up("no translation address with matching address family found.")

    # -- routing options

    def route(self) -> Route:
        """Take route-to, reply-to, dup-to or fastroute if it is there."""
        route = Route()
        kind = self.peek()
        if kind == "fastroute":
            self.shift()
            route.rt = PF_FASTROUTE
        elif kind in _ROUTES:
            self.shift()
            route.rt = _ROUTES[kind]
            route.hosts = self._routespec()
            opts = self.pool_opts()
            route.opts = opts.kind | opts.sticky
            route.key = opts.key
        return route

    def _routespec(self) -> list[Host]:
        if not self.accept("{"):
            return self._route_host()
        groups = self.items(self._route_host)
        found = groups[0]
        for group in groups[1:]:
            found[0].af = found[0].af or group[0].af
            if found[0].af != group[0].af:
                self.give_up("all pool addresses must be in the same address family")
            found += group
        return found

    def _route_host(self) -> list[Host]:
        if self.accept("("):
            name = self.word()
            hosts = self.host()
            self.expect(")")
            hosts[0].ifname = name
        else:
            name = self.word()
            hosts = [Host(PF_ADDR_ADDRMASK, bits=128)]
            hosts[0].ifname = name
        if len(name) >= IFNAMSIZ:
            self.give_up("interface name too long")
        return hosts

    # -- nat and rdr

    def _natpasslog(self) -> tuple[int, int, int]:
        natpass = int(self.accept("pass"))
        log = logif = 0
        if not self.old and self.log_here():
            log, logif = self.log()
        return natpass, log, logif

    def translation(self, *, no: bool) -> None:
        """Take a nat or rdr rule; "no" is gone already."""
        kind = self.shift()
        natpass, log, logif = self._natpasslog()
        if not self.old and no and natpass:
            if self.peek() not in _AFTER_NATPASS:
                self.syntax_error()
            self.give_up('"pass" not valid with "no"')
        ifaces = self.interface()
        rule = PfRule(natpass=natpass, log=log, logif=logif)
        rule.action = {"nat": (PF_NAT, PF_NONAT), "rdr": (PF_RDR, PF_NORDR)}[kind][no]
        rule.af = self.af()
        protos = self.proto()
        both = self.fromto()
        tag = self.word() if self.accept("tag") else ""
        rule.match_tag_not, match_tag = self.tagged()
        rule.rtableid = self.rtable()
        redirection = self._redirpool()
        opts = self.pool_opts()
        lock = None if self.old else self.statelock()
        self.end_of_rule()
        self.must_be_in_order(SECTION_NAT)
        rule.af = rule.af or _first_af(both)
        rule.tagname = self.checked_tag(tag)
        rule.match_tagname = self.checked_tag(match_tag)
        if no and redirection is not None:
            self.give_up("translation rule with 'no' does not need '->'")
        if not no:
            if redirection is None or not redirection.hosts:
                self.give_up("translation rule requires '-> address'")
            self._set_redirection(rule, redirection, both, opts)
        if opts.key is not None:
            rule.rpool.key = opts.key
        rule.rpool.opts |= opts.sticky
        if opts.static_port:
            self._set_static_port(rule)
        if not self.old:
            rule.rule_flag |= self.default_statelock if lock is None else lock
        lists = Lists(ifaces, protos, both)
        lists.pool = redirection.hosts if redirection else []
        self.expand(rule, lists)

    def _redirpool(self) -> Redirection | None:
        if not self.accept("->"):
            return None
        if self.accept("{"):
            hosts = [one for group in self.items(self.host) for one in group]
        else:
            hosts = self.host()
        return self._with_rport(Redirection(hosts))

    def _with_rport(self, redirection: Redirection) -> Redirection:
        if self.accept("port"):
            text = self.word()
            first, colon, second = text.partition(":")
            redirection.low = self.service(first)
            if colon and second == "*":
                redirection.star = True
            elif colon:
                high = self.service(second)
                redirection.high = 0 if high == redirection.low else high
        return redirection

    def _set_redirection(
        self, rule: PfRule, redirection: Redirection, both: FromTo, opts: PoolOpts
    ) -> None:
        hosts = redirection.hosts
        if not rule.af and not hosts[0].ifindex:
            rule.af = hosts[0].af
        rule.af = self.remove_invalid_hosts(hosts, rule.af)
        self._invalid_redirect(hosts, rule.af)
        if any(self.check_netmask(one, rule.af) for one in hosts[:1]):
            self._raise()
        for one in hosts[1:]:
            if one.type == PF_ADDR_DYNIFTL:
                self.check_netmask(one, rule.af)
        low, high = redirection.low, redirection.high
        if rule.action == PF_RDR and not high and redirection.star and both.dst.ports:
            port = both.dst.ports[0]
            high = (low + port.b - port.a) & 0xFFFF
        elif rule.action == PF_NAT:
            if not low and not high:
                low, high = NAT_PORT_LOW, NAT_PORT_HIGH
            high = high or low
        rule.rpool.proxy_port = [low, high]
        rule.rpool.opts = opts.kind
        self.choose_round_robin(rule.rpool, hosts, "redirection")
        if len(hosts) > 1 and not self.is_round_robin(rule.rpool):
            self.give_up("only round-robin valid for multiple redirection addresses")

    def _set_static_port(self, rule: PfRule) -> None:
        if rule.action != PF_NAT:
            self.give_up("the 'static-port' option is only valid with nat rules")
        low, high = rule.rpool.proxy_port
        if low != NAT_PORT_LOW and high != NAT_PORT_HIGH:
            self.give_up("the 'static-port' option can't be used when specifying a port range")
        rule.rpool.proxy_port = [0, 0]

    # -- binat

    def binat(self, *, no: bool) -> None:
        """Take a binat rule; "no" is gone already."""
        self.shift()
        natpass, log, logif = self._natpasslog()
        ifaces = self.interface()
        rule = PfRule(natpass=natpass, log=log, logif=logif)
        rule.action = PF_NOBINAT if no else PF_BINAT
        rule.af = self.af()
        protos = self.proto()
        self.expect("from")
        src = self.host()
        self.expect("to")
        dst = self.ipspec()
        tag = self.word() if self.accept("tag") else ""
        rule.match_tag_not, match_tag = self.tagged()
        rule.rtableid = self.rtable()
        redirection = None
        if self.accept("->"):
            redirection = self._with_rport(Redirection(self.host()))
        self.end_of_rule()
        self.must_be_in_order(SECTION_NAT)
        self.disallow_urpf(dst, '"urpf-failed" is not permitted as a binat destination')
        if not self.old and no and natpass:
            self.give_up('"pass" not valid with "no"')
        target = redirection.hosts if redirection else []
        rule.af = rule.af or src[0].af or (dst[0].af if dst else 0)
        rule.af = rule.af or (target[0].af if target else 0)
        if not rule.af:
            self.give_up("address family (inet/inet6) undefined")
        if ifaces:
            rule.ifname, rule.ifnot = ifaces[0].name, ifaces[0].neg
        rule.tagname = self.checked_tag(tag)
        rule.match_tagname = self.checked_tag(match_tag)
        rule.proto = protos[0] if protos else 0
        self._binat_ends(rule, src, dst, target)
        self._binat_target(rule, target, src[0], redirected=redirection is not None)
        self.add_binat(rule)

    def add_binat(self, rule: PfRule) -> None:
        """Append a binat rule: it is never expanded, and has no number of its own."""
        self.current.rules[RULESETS[rule.action]].append(Loaded(rule, None))
        if self.old and self.settings.verbose:
            self.out(self.printer.rule(rule, "", self.settings.verbose > 1) + "\n")

    def _binat_ends(
        self, rule: PfRule, src: list[Host], dst: list[Host], target: list[Host]
    ) -> None:
        where = "source address of a binat rule"
        self.disallow_table(src, "invalid use of table <{}> as the " + where)
        self.disallow_alias(src, "invalid use of interface ({}) as the " + where)
        where = "redirect address of a binat rule"
        self.disallow_table(target, "invalid use of table <{}> as the " + where)
        self.disallow_alias(target, "invalid use of interface ({}) as the " + where)
        if len(src) > 1:
            self.give_up("multiple binat ip addresses")
        one = src[0]
        if one.type == PF_ADDR_DYNIFTL:
            one.af = rule.af
        if one.af != rule.af:
            self.give_up("binat ip versions must match")
        if self.check_netmask(one, rule.af):
            self._raise()
        rule.src.addr = one.wrap(rule.af)
        if not dst:
            return
        if len(dst) > 1:
            self.give_up("multiple binat ip addresses")
        if dst[0].af not in (rule.af, 0):
            self.give_up("binat ip versions must match")
        if self.check_netmask(dst[0], rule.af):
            self._raise()
        rule.dst.addr, rule.dst.neg = dst[0].wrap(rule.af), dst[0].neg

    def _binat_target(
        self, rule: PfRule, target: list[Host], src: Host, *, redirected: bool
    ) -> None:
        if rule.action == PF_NOBINAT:
            if redirected:
                self.give_up("'no binat' rule does not need '->'")
            return
        if not target:
            self.give_up("'binat' rule requires '-> address'")
        self.remove_invalid_hosts(target, rule.af)
        self._invalid_redirect(target, rule.af)
        if len(target) > 1:
            self.give_up("binat rule must redirect to a single address")
        if self.check_netmask(target[0], rule.af):
            self._raise()
        if src.bits and src.bits != target[0].bits:
            self.give_up("'binat' source mask and redirect mask must be the same")
        rule.rpool.list = [target[0].pool(rule.af)]


def _first_af(both: FromTo) -> int:
    """Return the family of the first source or destination address that has one."""
    for hosts in (both.src.hosts, both.dst.hosts):
        if hosts and hosts[0].af and not hosts[0].ifindex:
            return hosts[0].af
    return 0
