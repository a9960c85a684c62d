"""/dev/pf: the DIOC* requests (pf(4)).

Rules are loaded by transaction: DIOCXBEGIN gives tickets for the rulesets that will be replaced, what
is added goes to their inactive halves, and DIOCXCOMMIT swaps all of them or none.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from libnet.addr import AF_INET, AF_INET6
from libnet.engine.pf.checksum import ruleset_sum
from libnet.engine.pf.nat import Pool
from libnet.engine.pf.pf_altq import AltqHalf
from libnet.engine.pf.ruleset import MAX_RULES, RULESET_OF, Anchor, Rule, RuleList, check, port_test
from libnet.engine.pf.state import Peer, SrcNode, State, pack_key
from libnet.errors import NetError
from libnet.ioctl import pf as p

if TYPE_CHECKING:
    from libnet.engine.kern.socket import Cred
    from libnet.engine.pf.pf import Pf
    from libnet.ioctl.registry import Ioctl

MAX_POOL: Final = 4096  # addresses in one pool
_DIRECT: Final = frozenset((6, 17))
_RULESETS: Final = range(p.PF_RULESET_MAX)
_U32: Final = 0xFFFFFFFF
# Requests that only one of the dialects has.
_DIALECT: Final = {"DIOCKILLSRCNODES": 42, "DIOCICLRISTATS": 37}


class PfControl:
    """The requests on one pf; all descriptors share it, as tickets and the pool buffer do."""

    def __init__(self, pf: Pf) -> None:
        self.pf = pf
        self.altq = AltqHalf(pf)
        self.pabuf: list[p.PfPoolAddr] = []
        self.ticket_pabuf = 0
        self.cred: tuple[int, int] = (0, 0)
        self.handlers: dict[str, Callable[[Any], Any]] = {
            "DIOCSTART": self.start,
            "DIOCSTOP": self.stop,
            "DIOCADDRULE": self.addrule,
            "DIOCGETRULES": self.getrules,
            "DIOCGETRULE": self.getrule,
            "DIOCCLRSTATES": self.clrstates,
            "DIOCGETSTATE": self.getstate,
            "DIOCSETSTATUSIF": self.setstatusif,
            "DIOCGETSTATUS": self.getstatus,
            "DIOCCLRSTATUS": self.clrstatus,
            "DIOCNATLOOK": self.natlook,
            "DIOCSETDEBUG": self.setdebug,
            "DIOCGETSTATES": self.getstates,
            "DIOCCHANGERULE": self.changerule,
            "DIOCSETTIMEOUT": self.settimeout,
            "DIOCGETTIMEOUT": self.gettimeout,
            "DIOCADDSTATE": self.addstate,
            "DIOCCLRRULECTRS": self.clrrulectrs,
            "DIOCGETLIMIT": self.getlimit,
            "DIOCSETLIMIT": self.setlimit,
            "DIOCKILLSTATES": self.killstates,
            "DIOCSTARTALTQ": self.altq.start,
            "DIOCSTOPALTQ": self.altq.stop,
            "DIOCADDALTQ": self.altq.add,
            "DIOCGETALTQS": self.altq.getaltqs,
            "DIOCGETALTQ": self.altq.getaltq,
            "DIOCCHANGEALTQ": self.altq.change,
            "DIOCGETQSTATS": self.altq.getqstats,
            "DIOCBEGINADDRS": self.beginaddrs,
            "DIOCADDADDR": self.addaddr,
            "DIOCGETADDRS": self.getaddrs,
            "DIOCGETADDR": self.getaddr,
            "DIOCCHANGEADDR": self.changeaddr,
            "DIOCGETRULESETS": self.getrulesets,
            "DIOCGETRULESET": self.getruleset,
            "DIOCOSFPFLUSH": self.osfpflush,
            "DIOCOSFPADD": self.osfpadd,
            "DIOCOSFPGET": self.osfpget,
            "DIOCXBEGIN": self.xbegin,
            "DIOCXCOMMIT": self.xcommit,
            "DIOCXROLLBACK": self.xrollback,
            "DIOCGETSRCNODES": self.getsrcnodes,
            "DIOCCLRSRCNODES": self.clrsrcnodes,
            "DIOCSETHOSTID": self.sethostid,
            "DIOCIGETIFACES": self.igetifaces,
            "DIOCICLRISTATS": self.iclristats,
            "DIOCSETIFFLAG": self.setifflag,
            "DIOCCLRIFFLAG": self.clrifflag,
            "DIOCKILLSRCNODES": self.killsrcnodes,
        }
        self.handlers.update(self._table_handlers())

    def ioctl(self, row: Ioctl, arg: Any, cred: Cred) -> Any:
        """Serve a request. Raises ENOTTY for one that is not ours, EINVAL for a wrong argument."""
        handler = self.handlers.get(row.name)
        if handler is None or _DIALECT.get(row.name, self.pf.dialect) != self.pf.dialect:
            raise NetError("ENOTTY")
        self.cred = (cred.uid, cred.pid)
        self.pf.kifs.sync()
        self.pf.flows.fold()
        if row.arg is None:
            return handler(None)
        if row.arg is int:
            if type(arg) is not int:
                raise NetError("EINVAL")
            return handler(arg)
        if not isinstance(arg, row.arg):
            raise NetError("EINVAL")
        # The caller may live in this process: what it has stays its own.
        return handler(arg.copy() if isinstance(arg, p.PfStruct) else arg)

    # -- on, off, status

    def start(self, _arg: None) -> None:
        """DIOCSTART. Raises EEXIST."""
        self.pf.start()

    def stop(self, _arg: None) -> None:
        """DIOCSTOP. Raises ENOENT."""
        self.pf.stop()

    def getstatus(self, _req: p.PfStatus) -> p.PfStatus:
        """DIOCGETSTATUS."""
        pf, status = self.pf, self.pf.status
        states, nodes = pf.states, pf.srcnodes
        out = p.PfStatus(
            counters=list(status.counters),
            lcounters=list(status.lcounters),
            fcounters=[states.searches, states.inserts, states.removals],
            scounters=[nodes.searches, nodes.inserts, nodes.removals],
            stateid=states.next_id,
            running=int(status.running),
            states=len(states),
            src_nodes=len(nodes),
            since=int(status.since),
            debug=status.debug,
            hostid=status.hostid,
            ifname=status.ifname,
            chksum=status.chksum,
            dialect=pf.dialect,
        )
        for kif in pf.kifs.named(status.ifname)[:1] if status.ifname else []:
            packets, octets = kif.totals()
            for family in (0, 1):
                for direction in (0, 1):
                    at = family * 4 + direction * 2
                    to = family * 6 + direction * 3
                    out.pcounters[to : to + 2] = packets[at : at + 2]
                    out.bcounters[family * 2 + direction] = octets[at] + octets[at + 1]
        return out

    def clrstatus(self, _arg: None) -> None:
        """DIOCCLRSTATUS."""
        pf, status = self.pf, self.pf.status
        status.counters = [0] * len(status.counters)
        status.lcounters = [0] * len(status.lcounters)
        for table in (pf.states, pf.srcnodes):
            table.searches = table.inserts = table.removals = 0
        status.since = pf.clock.wall()
        if status.ifname:
            self._clear_kifs(status.ifname)

    def _clear_kifs(self, name: str) -> int:
        kifs = self.pf.kifs.named(name)
        for kif in kifs:
            kif.clear(self.pf.clock.wall())
        return len(kifs)

    def setstatusif(self, req: p.PfIocIf) -> None:
        """DIOCSETSTATUSIF. Raises EINVAL for an interface that is not there."""
        if req.ifname and self.pf.stack.ifunit(req.ifname) is None:
            raise NetError("EINVAL")
        self.pf.status.ifname = req.ifname

    def setdebug(self, level: int) -> int:
        """DIOCSETDEBUG."""
        if not p.PF_DEBUG_NONE <= level <= p.PF_DEBUG_NOISY:
            raise NetError("EINVAL")
        self.pf.status.debug = level
        return level

    def sethostid(self, hostid: int) -> int:
        """DIOCSETHOSTID: 0 has one chosen."""
        if not 0 <= hostid <= _U32:
            raise NetError("EINVAL")
        self.pf.status.hostid = hostid or self.pf.stack.dice.getrandbits(32)
        return self.pf.status.hostid

    def settimeout(self, req: p.PfIocTm) -> p.PfIocTm:
        """DIOCSETTIMEOUT: return the value before. Raises EINVAL."""
        if not 0 <= req.timeout < p.PFTM_MAX or not 0 <= req.seconds <= 0x7FFFFFFF:
            raise NetError("EINVAL")
        old = self.pf.timeouts[req.timeout]
        if req.timeout == p.PFTM_INTERVAL and not req.seconds:
            req.seconds = 1
        self.pf.timeouts[req.timeout] = req.seconds
        return p.PfIocTm(req.timeout, old)

    def gettimeout(self, req: p.PfIocTm) -> p.PfIocTm:
        """DIOCGETTIMEOUT."""
        if not 0 <= req.timeout < p.PFTM_MAX:
            raise NetError("EINVAL")
        return p.PfIocTm(req.timeout, self.pf.timeouts[req.timeout])

    def getlimit(self, req: p.PfIocLimit) -> p.PfIocLimit:
        """DIOCGETLIMIT."""
        if not 0 <= req.index < p.PF_LIMIT_MAX:
            raise NetError("EINVAL")
        return p.PfIocLimit(req.index, self.pf.limits[req.index])

    def setlimit(self, req: p.PfIocLimit) -> p.PfIocLimit:
        """DIOCSETLIMIT: return the limit before. Raises EBUSY when more is in use."""
        if not 0 <= req.index < p.PF_LIMIT_MAX or not 0 <= req.limit <= _U32:
            raise NetError("EINVAL")
        pf = self.pf
        used = (
            len(pf.states),
            len(pf.srcnodes),
            pf.norm.count,
            len(pf.tables.tables),
            pf.tables.entries,
        )
        if req.limit < used[req.index]:
            raise NetError("EBUSY")
        old = pf.limits[req.index]
        pf.limits[req.index] = req.limit
        return p.PfIocLimit(req.index, old)

    # -- rules

    def _list(self, path: str, action: int, ticket: int | None = None) -> tuple[Anchor, RuleList]:
        anchor = self.pf.rulesets.find(path)
        kind = RULESET_OF.get(action)
        if anchor is None or kind is None:
            raise NetError("EINVAL")
        rules = anchor.rulesets[kind]
        if ticket is not None and ticket != rules.ticket:
            raise NetError("EBUSY")
        return anchor, rules

    def _make(self, req: p.PfIocRule, anchor: Anchor) -> Rule:
        """Make a rule of what was asked and the pool that was sent before. Raises EINVAL, EBUSY."""
        spec = req.rule
        if req.pool_ticket != self.ticket_pabuf:
            raise NetError("EBUSY")
        check(self.pf, spec)
        spec.cuid, spec.cpid = self.cred
        spec.rpool.list, self.pabuf = self.pabuf, []
        needs = (
            spec.action in (p.PF_NAT, p.PF_RDR, p.PF_BINAT) and not req.anchor_call
        ) or spec.rt > p.PF_FASTROUTE
        if needs and not spec.rpool.list:
            raise NetError("EINVAL")
        rule = Rule(self.pf, anchor.path, spec)
        if req.anchor_call:
            try:
                self.pf.rulesets.call(rule, anchor, req.anchor_call)
            except NetError:
                rule.release(self.pf)
                raise
        return rule

    def addrule(self, req: p.PfIocRule) -> None:
        """DIOCADDRULE: to the end of the inactive ruleset. Raises EINVAL, EBUSY.

        Nothing comes back: the struct would be what was sent, ten thousand times for a large file.
        """
        anchor, rules = self._list(req.anchor, req.rule.action)
        if not rules.open or req.ticket != rules.iticket:
            raise NetError("EBUSY")
        if len(rules.inactive) >= MAX_RULES:
            raise NetError("ENOMEM")
        rule = self._make(req, anchor)
        rule.nr = len(rules.inactive)
        rules.inactive.append(rule)

    def getrules(self, req: p.PfIocRule) -> p.PfIocRule:
        """DIOCGETRULES: how many, and the ticket to ask for them with."""
        _anchor, rules = self._list(req.anchor, req.rule.action)
        req.nr, req.ticket = len(rules.active), rules.ticket
        return req

    def getrule(self, req: p.PfIocRule) -> p.PfIocRule:
        """DIOCGETRULE, one. Raises EBUSY past the end or when others were loaded."""
        _anchor, rules = self._list(req.anchor, req.rule.action, req.ticket)
        if not 0 <= req.nr < len(rules.active):
            raise NetError("EBUSY")
        rule = rules.active[req.nr]
        req.rule, req.anchor_call = rule.show()
        req.rule.skip = rules.skip_numbers(rule)
        if req.action == p.PF_GET_CLR_CNTR:
            rule.clear()
        return req

    def changerule(self, req: p.PfIocRule) -> p.PfIocRule:
        """DIOCCHANGERULE: one rule in or out of the running ruleset. Raises EINVAL, EBUSY."""
        action = req.action
        anchor, rules = self._list(req.anchor, req.rule.action)
        if action == p.PF_CHANGE_GET_TICKET:
            rules.ticket += 1
            req.ticket = rules.ticket
            return req
        if req.ticket != rules.ticket:
            raise NetError("EBUSY")
        at = req.nr
        if action in (p.PF_CHANGE_ADD_BEFORE, p.PF_CHANGE_ADD_AFTER, p.PF_CHANGE_REMOVE):
            if not 0 <= at < len(rules.active):
                raise NetError("EINVAL")
        elif action == p.PF_CHANGE_ADD_HEAD:
            at = 0
        elif action == p.PF_CHANGE_ADD_TAIL:
            at = len(rules.active)
        else:
            raise NetError("EINVAL")
        if action == p.PF_CHANGE_REMOVE:
            rules.active.pop(at).release(self.pf)
        else:
            rule = self._make(req, anchor)
            rules.active.insert(at + (action == p.PF_CHANGE_ADD_AFTER), rule)
        rules.renumber()
        rules.ticket += 1
        self.pf.rulesets.prune(anchor)
        self.pf.rules_changed()
        return req

    def clrrulectrs(self, _arg: None) -> None:
        """DIOCCLRRULECTRS: counters of the main filter rules."""
        for rule in self.pf.main(p.PF_RULESET_FILTER):
            rule.clear()

    # -- pools

    def beginaddrs(self, req: p.PfIocPoolAddr) -> p.PfIocPoolAddr:
        """DIOCBEGINADDRS."""
        self.pabuf = []
        self.ticket_pabuf += 1
        req.ticket = self.ticket_pabuf
        return req

    def addaddr(self, req: p.PfIocPoolAddr) -> None:
        """DIOCADDADDR. Raises EBUSY for a wrong ticket, EINVAL for what no pool takes."""
        if req.ticket != self.ticket_pabuf:
            raise NetError("EBUSY")
        kinds = (p.PF_ADDR_ADDRMASK, p.PF_ADDR_DYNIFTL, p.PF_ADDR_TABLE)
        if req.addr.addr.type not in kinds or len(self.pabuf) >= MAX_POOL:
            raise NetError("EINVAL")
        self.pabuf.append(req.addr.copy())

    def _pool(self, req: p.PfIocPoolAddr, *, ticket: bool = True) -> Rule:
        _anchor, rules = self._list(req.anchor, req.r_action, req.ticket if ticket else None)
        number = len(rules.active) - 1 if req.r_last else req.r_num
        if not 0 <= number < len(rules.active):
            raise NetError("EBUSY")
        return rules.active[number]

    def getaddrs(self, req: p.PfIocPoolAddr) -> p.PfIocPoolAddr:
        """DIOCGETADDRS: how many addresses a rule's pool has."""
        req.nr = len(self._pool(req).spec.rpool.list)
        return req

    def getaddr(self, req: p.PfIocPoolAddr) -> p.PfIocPoolAddr:
        """DIOCGETADDR, one. Raises EBUSY past the end."""
        rule = self._pool(req)
        if not 0 <= req.nr < len(rule.spec.rpool.list):
            raise NetError("EBUSY")
        req.addr = rule.spec.rpool.list[req.nr].copy()
        entry = rule.pool.entries[req.nr]
        if entry.dyn is not None:
            req.addr.addr.cnt = entry.dyn.count()
        elif entry.table is not None:
            kt = entry.table.used()
            req.addr.addr.cnt = -1 if kt is None else kt.addrs.count
        return req

    def changeaddr(self, req: p.PfIocPoolAddr) -> p.PfIocPoolAddr:
        """DIOCCHANGEADDR: one address in or out of a running pool. Raises EINVAL, EBUSY."""
        rule = self._pool(req, ticket=False)
        rows, at = rule.spec.rpool.list, req.nr
        if req.action in (p.PF_CHANGE_ADD_BEFORE, p.PF_CHANGE_ADD_AFTER, p.PF_CHANGE_REMOVE):
            if not 0 <= at < len(rows):
                raise NetError("EINVAL")
        elif req.action == p.PF_CHANGE_ADD_HEAD:
            at = 0
        elif req.action == p.PF_CHANGE_ADD_TAIL:
            at = len(rows)
        else:
            raise NetError("EINVAL")
        if req.action == p.PF_CHANGE_REMOVE:
            rows = rows[:at] + rows[at + 1 :]
        else:
            at += req.action == p.PF_CHANGE_ADD_AFTER
            rows = rows[:at] + [req.addr.copy()] + rows[at:]
        spec = rule.spec.rpool.copy()
        spec.list = rows
        pool = Pool.of(self.pf, rule.anchor_path, spec, rule.af)
        old, rule.pool = rule.pool, pool
        rule.spec.rpool = spec
        old.release(self.pf)
        return req

    # -- anchors

    def getrulesets(self, req: p.PfIocRuleset) -> p.PfIocRuleset:
        """DIOCGETRULESETS: how many anchors are in *path*. Raises EINVAL."""
        anchor = self.pf.rulesets.find(req.path)
        if anchor is None:
            raise NetError("EINVAL")
        req.nr = len(anchor.children)
        return req

    def getruleset(self, req: p.PfIocRuleset) -> p.PfIocRuleset:
        """DIOCGETRULESET: the name of one. Raises EINVAL, EBUSY past the end."""
        anchor = self.pf.rulesets.find(req.path)
        if anchor is None:
            raise NetError("EINVAL")
        children = anchor.sorted_children()
        if not 0 <= req.nr < len(children):
            raise NetError("EBUSY")
        req.name = children[req.nr].name
        return req

    # -- transactions

    def xbegin(self, req: p.PfIocTrans) -> p.PfIocTrans:
        """DIOCXBEGIN: empty inactive rulesets, and tickets for them. Raises EINVAL."""
        for e in req.array:
            if e.rs_num == p.PF_RULESET_ALTQ:
                if e.anchor:
                    raise NetError("EINVAL")
            elif e.rs_num != p.PF_RULESET_TABLE and e.rs_num not in _RULESETS:
                raise NetError("EINVAL")
        for e in req.array:
            if e.rs_num == p.PF_RULESET_ALTQ:
                e.ticket = self.altq.begin()
                continue
            anchor = self.pf.rulesets.make(e.anchor)
            if e.rs_num == p.PF_RULESET_TABLE:
                anchor.topen = True
                self.pf.tables.ina_begin(anchor.path)
                anchor.tticket += 1
                e.ticket = anchor.tticket
                continue
            rules = anchor.rulesets[e.rs_num]
            self._discard(rules)
            rules.iticket += 1
            rules.open = True
            e.ticket = rules.iticket
        return req

    def _discard(self, rules: RuleList) -> None:
        gone, rules.inactive = rules.inactive, []
        for rule in gone:
            rule.release(self.pf)

    def _ready(self, e: p.PfIocTransE) -> Anchor | None:
        """Return the anchor of an open ruleset with that ticket, None when there is none."""
        anchor = self.pf.rulesets.find(e.anchor)
        if anchor is None:
            return None
        if e.rs_num == p.PF_RULESET_TABLE:
            return anchor if anchor.topen and anchor.tticket == e.ticket else None
        if e.rs_num not in _RULESETS:
            return None
        rules = anchor.rulesets[e.rs_num]
        return anchor if rules.open and rules.iticket == e.ticket else None

    def xrollback(self, req: p.PfIocTrans) -> p.PfIocTrans:
        """DIOCXROLLBACK: forget what was prepared; what has another ticket is left alone."""
        for e in req.array:
            if e.rs_num == p.PF_RULESET_ALTQ:
                self.altq.rollback(e.ticket)
                continue
            anchor = self._ready(e)
            if anchor is None:
                continue
            if e.rs_num == p.PF_RULESET_TABLE:
                self.pf.tables.ina_begin(anchor.path)
                anchor.topen = False
            else:
                self._discard(anchor.rulesets[e.rs_num])
                anchor.rulesets[e.rs_num].open = False
            self.pf.rulesets.prune(anchor)
        return req

    def xcommit(self, req: p.PfIocTrans) -> p.PfIocTrans:
        """DIOCXCOMMIT: all or, with EBUSY for a ticket that is not current, nothing."""
        ready: list[tuple[p.PfIocTransE, Anchor | None]] = []
        for e in req.array:
            if e.rs_num == p.PF_RULESET_ALTQ:
                if e.anchor:
                    raise NetError("EINVAL")
                self.altq.check(e.ticket)
                ready.append((e, None))
                continue
            anchor = self._ready(e)
            if anchor is None:
                raise NetError("EBUSY")
            ready.append((e, anchor))
        for e, anchor in ready:
            if anchor is None:
                self.altq.commit(e.ticket)
            elif e.rs_num == p.PF_RULESET_TABLE:
                anchor.topen = False
                self.pf.tables.ina_commit(anchor.path)
            else:
                self._commit(anchor, e.rs_num)
        for _e, anchor in ready:
            if anchor is not None:
                self.pf.rulesets.prune(anchor)
        self.pf.rules_changed()
        return req

    def _commit(self, anchor: Anchor, kind: int) -> None:
        rules = anchor.rulesets[kind]
        if anchor.parent is None:
            self._checksum(anchor)
        gone = rules.active
        rules.active, rules.inactive = rules.inactive, []
        rules.ticket = rules.iticket
        rules.open = False
        rules.renumber()
        for rule in gone:
            rule.release(self.pf)

    def _checksum(self, main: Anchor) -> None:
        """Sum up the main rules that wait to be committed (pf_setup_pfsync_matching).

        pfctl commits filter rules last, when the others of its transaction wait no longer: the sum
        that remains is over them alone.
        """
        waiting = (r for rules in main.rulesets[p.PF_RULESET_FILTER :] for r in rules.inactive)
        self.pf.status.chksum = ruleset_sum(waiting, self.pf.tags.number)

    # -- states

    def _named(self, state: State, ifname: str) -> bool:
        if not ifname or state.origin.name == ifname:
            return True
        return (state.kif.name if state.kif is not None else "all") == ifname

    def clrstates(self, req: p.PfIocStateKill) -> p.PfIocStateKill:
        """DIOCCLRSTATES: all, or those of one interface; *af* of the answer says how many."""
        doomed = [s for s in self.pf.states.all if self._named(s, req.ifname)]
        for state in doomed:
            self._drop(state)
        req.af = len(doomed)
        return req

    def _drop(self, state: State) -> None:
        # Nobody is told: an administrator's word is no end of a handshake.
        if state.src.state in (p.PF_TCPS_PROXY_SRC, p.PF_TCPS_PROXY_DST):
            state.src.state = 0
        self.pf.states.remove(state)

    def killstates(self, req: p.PfIocStateKill) -> p.PfIocStateKill:
        """DIOCKILLSTATES: by family, protocol, source and destination, interface."""
        src, dst = _Kill(req.src), _Kill(req.dst)
        doomed = []
        for state in self.pf.states.all:
            if (req.af and state.af != req.af) or (req.proto and state.proto != req.proto):
                continue
            one, two = state.lan, state.ext
            if state.direction == p.PF_IN:
                one, two = two, one
            if src.fits(one) and dst.fits(two) and self._named(state, req.ifname):
                doomed.append(state)
        for state in doomed:
            self._drop(state)
        req.af = len(doomed)
        return req

    def getstate(self, req: p.PfIocState) -> p.PfIocState:
        """DIOCGETSTATE, one by number. Raises EBUSY past the end."""
        if not 0 <= req.nr < len(self.pf.states):
            raise NetError("EBUSY")
        state = next(islice(self.pf.states.all, req.nr, None))
        req.state = self.pf.states.show(state)
        return req

    def getstates(self, req: p.PfIocStates) -> p.PfIocStates:
        """DIOCGETSTATES, a page."""
        if req.first < 0 or req.count < 0:
            raise NetError("EINVAL")
        states = self.pf.states
        req.total = len(states)
        count = min(req.count, p.PAGE_STATES)
        req.states = [states.show(s) for s in islice(states.all, req.first, req.first + count)]
        return req

    def addstate(self, req: p.PfIocState) -> p.PfIocState:
        """DIOCADDSTATE. Raises EINVAL, ENOMEM when there are too many, EEXIST."""
        spec, pf = req.state, self.pf
        if (
            spec.af not in (AF_INET, AF_INET6)
            or not 0 <= spec.proto <= 255
            or spec.direction not in (p.PF_IN, p.PF_OUT)
            or not 0 <= spec.timeout < p.PFTM_MAX
        ):
            raise NetError("EINVAL")
        width = 32 if spec.af == AF_INET else 128
        for end in (spec.lan, spec.gwy, spec.ext):
            if end.addr >> width or not 0 <= end.port <= 65535:
                raise NetError("EINVAL")
        if len(pf.states) >= pf.limits[p.PF_LIMIT_STATES]:
            raise NetError("ENOMEM")
        kif = pf.kifs.by_name.get(spec.ifname)
        if kif is None:
            raise NetError("EINVAL")
        rules = pf.main(p.PF_RULESET_FILTER)
        rule = rules[spec.rule] if 0 <= spec.rule < len(rules) else pf.default_rule
        state = State(pf, spec.af, spec.proto, spec.direction, kif, rule)
        state.lan = spec.lan.addr, spec.lan.port
        state.gwy = spec.gwy.addr, spec.gwy.port
        state.ext = spec.ext.addr, spec.ext.port
        state.kif = None if kif is pf.kifs.all else kif
        state.timeout, state.allow_opts = spec.timeout, bool(spec.allow_opts)
        for peer, row in ((state.src, spec.src), (state.dst, spec.dst)):
            _peer(peer, row)
        if not pf.states.insert(state):
            raise NetError("EEXIST")
        rule.states += 1
        return req

    def natlook(self, req: p.PfIocNatlook) -> p.PfIocNatlook:
        """DIOCNATLOOK: what a connection was before its translation. Raises EINVAL, ENOENT."""
        ports = req.proto in _DIRECT
        width = {AF_INET: 32, AF_INET6: 128}.get(req.af)
        if (
            width is None
            or not req.proto
            or not req.saddr
            or not req.daddr
            or (ports and not (req.sport and req.dport))
            or req.saddr >> width
            or req.daddr >> width
            or not 0 <= req.sport <= 65535
            or not 0 <= req.dport <= 65535
        ):
            raise NetError("EINVAL")
        key = pack_key(req.af, req.proto, (req.daddr, req.dport), (req.saddr, req.sport))
        states = self.pf.states
        table = states.going_in if req.direction == p.PF_IN else states.going_out
        state = table.get(req.proto, {}).get(key)
        if state is None:
            raise NetError("ENOENT")
        if req.direction == p.PF_IN:
            req.rsaddr, req.rsport = state.lan
            req.rdaddr, req.rdport = req.daddr, req.dport
        else:
            req.rdaddr, req.rdport = state.gwy
            req.rsaddr, req.rsport = req.saddr, req.sport
        return req

    # -- source nodes

    def getsrcnodes(self, req: p.PfIocSrcNodes) -> p.PfIocSrcNodes:
        """DIOCGETSRCNODES, a page."""
        if req.first < 0 or req.count < 0:
            raise NetError("EINVAL")
        nodes = self.pf.srcnodes
        req.total = len(nodes)
        count = min(req.count, p.PAGE_STATES)
        rows = islice(nodes.nodes.values(), req.first, req.first + count)
        req.nodes = [nodes.show(node) for node in rows]
        return req

    def _forget(self, doomed: list[SrcNode]) -> None:
        gone = {id(node) for node in doomed}
        for state in self.pf.states.all:
            if id(state.src_node) in gone:
                state.src_node = None
            if id(state.nat_src_node) in gone:
                state.nat_src_node = None
            state.settle()
        for node in doomed:
            node.states = 0
            self.pf.srcnodes.remove(node)

    def clrsrcnodes(self, _arg: None) -> None:
        """DIOCCLRSRCNODES."""
        self._forget(list(self.pf.srcnodes.nodes.values()))

    def killsrcnodes(self, req: p.PfIocSrcNodeKill) -> p.PfIocSrcNodeKill:
        """DIOCKILLSRCNODES: by source, and by what it was translated to."""
        src, dst = _Kill(req.src), _Kill(req.dst)
        doomed = [
            node
            for node in self.pf.srcnodes.nodes.values()
            if (not req.af or node.af == req.af)
            and src.fits((node.addr, 0))
            and dst.fits((node.raddr, 0))
        ]
        self._forget(doomed)
        req.af = len(doomed)
        return req

    # -- interfaces, fingerprints

    def igetifaces(self, req: p.PfIocIface) -> p.PfIocIface:
        """DIOCIGETIFACES."""
        req.ifaces = [kif.show() for kif in self.pf.kifs.named(req.name)]
        return req

    def iclristats(self, req: p.PfIocIface) -> p.PfIocIface:
        """DIOCICLRISTATS: zero counters, say how many interfaces had theirs zeroed."""
        req.nzero = self._clear_kifs(req.name)
        return req

    def setifflag(self, req: p.PfIocIface) -> p.PfIocIface:
        """DIOCSETIFFLAG: set skip on."""
        if req.flags & ~p.PFI_IFLAG_SKIP or len(req.name) > 15:
            raise NetError("EINVAL")
        self.pf.kifs.set_flags(req.name, req.flags, 0)
        self.pf.flows.forget_all()
        return req

    def clrifflag(self, req: p.PfIocIface) -> p.PfIocIface:
        """DIOCCLRIFFLAG."""
        if req.flags & ~p.PFI_IFLAG_SKIP:
            raise NetError("EINVAL")
        self.pf.kifs.set_flags(req.name, 0, req.flags)
        self.pf.flows.forget_all()
        return req

    def osfpflush(self, _arg: None) -> None:
        """DIOCOSFPFLUSH."""
        self.pf.osfp.flush()

    def osfpadd(self, req: p.PfOsfp) -> p.PfOsfp:
        """DIOCOSFPADD."""
        self.pf.osfp.add(req)
        return req

    def osfpget(self, req: p.PfOsfp) -> p.PfOsfp:
        """DIOCOSFPGET."""
        return self.pf.osfp.get(req.getnum)

    # -- tables

    def _table_handlers(self) -> dict[str, Callable[[Any], Any]]:
        tables = self.pf.tables
        counted: dict[str, tuple[str, Callable[[Any], Any]]] = {
            "DIOCRCLRTABLES": ("ndel", tables.clear_tables),
            "DIOCRADDTABLES": ("nadd", tables.add_tables),
            "DIOCRDELTABLES": ("ndel", tables.del_tables),
            "DIOCRCLRTSTATS": ("nadd", tables.clear_tstats),
            "DIOCRCLRADDRS": ("ndel", tables.clear_addrs),
        }
        plain: dict[str, Callable[[Any], Any]] = {
            "DIOCRADDADDRS": tables.add_addrs,
            "DIOCRDELADDRS": tables.del_addrs,
            "DIOCRSETADDRS": tables.set_addrs,
            "DIOCRGETADDRS": tables.get_addrs,
            "DIOCRGETASTATS": tables.get_astats,
            "DIOCRCLRASTATS": tables.clear_astats,
            "DIOCRTSTADDRS": tables.test_addrs,
            "DIOCRGETTABLES": self.rgettables,
            "DIOCRGETTSTATS": self.rgettstats,
            "DIOCRSETTFLAGS": self.rsettflags,
            "DIOCRINADEFINE": self.rinadefine,
        }
        handlers: dict[str, Callable[[Any], Any]] = {}
        for name, (field, func) in counted.items():
            handlers[name] = self._counted(field, func)
        for name, func in plain.items():
            handlers[name] = self._plain(func)
        return handlers

    @staticmethod
    def _counted(field: str, func: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def serve(req: p.PfIocTable) -> p.PfIocTable:
            setattr(req, field, func(req))
            return req

        return serve

    @staticmethod
    def _plain(func: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def serve(req: p.PfIocTable) -> p.PfIocTable:
            func(req)
            return req

        return serve

    def rgettables(self, req: p.PfIocTable) -> None:
        """DIOCRGETTABLES."""
        req.tables = [kt.header() for kt in self.pf.tables.selected(req.table, req.flags)]
        req.size = len(req.tables)

    def rgettstats(self, req: p.PfIocTable) -> None:
        """DIOCRGETTSTATS."""
        found = self.pf.tables.selected(req.table, req.flags)
        req.tstats = [kt.tstats() for kt in found]
        req.size = len(req.tstats)
        if req.flags & p.PFR_FLAG_CLSTATS:
            for kt in found:
                kt.clear_stats(self.pf.clock.wall())

    def rsettflags(self, req: p.PfIocTable) -> None:
        """DIOCRSETTFLAGS."""
        req.nchange, req.ndel = self.pf.tables.set_tflags(req)

    def rinadefine(self, req: p.PfIocTable) -> None:
        """DIOCRINADEFINE: a table of the open transaction. Raises EBUSY for another ticket."""
        anchor = self.pf.rulesets.find(req.table.anchor)
        if anchor is None or not anchor.topen or anchor.tticket != req.ticket:
            raise NetError("EBUSY")
        self.pf.tables.ina_define(req)


def _peer(peer: Peer, row: p.PfStatePeer) -> None:
    for value, most in (
        (row.seqlo, _U32),
        (row.seqhi, _U32),
        (row.seqdiff, _U32),
        (row.max_win, _U32),
        (row.mss, 65535),
        (row.state, p.PF_TCPS_PROXY_DST),
        (row.wscale, 255),
    ):
        if not 0 <= value <= most:
            raise NetError("EINVAL")
    peer.seqlo, peer.seqhi, peer.seqdiff = row.seqlo, row.seqhi, row.seqdiff
    peer.max_win, peer.mss, peer.state, peer.wscale = row.max_win, row.mss, row.state, row.wscale


class _Kill:
    """An address and port that states are killed by."""

    def __init__(self, spec: p.PfRuleAddr) -> None:
        self.mask, self.addr, self.neg = spec.addr.mask, spec.addr.addr, bool(spec.neg)
        if len(spec.port) != 2:
            raise NetError("EINVAL")
        self.port = port_test(spec.port_op, *spec.port)

    def fits(self, end: tuple[int, int]) -> bool:
        """Tell whether *end* is meant."""
        if ((end[0] ^ self.addr) & self.mask == 0) == self.neg:
            return False
        return self.port is None or self.port(end[1])


class PfDevice:
    """One open descriptor of /dev/pf; *writing* tells whether it may change anything."""

    def __init__(self, control: PfControl, cred: Cred, writing: bool) -> None:
        self.control, self.cred, self.writing = control, cred, writing

    def read(self, _size: int) -> bytes:
        """read(2): the device has nothing to read."""
        raise NetError("ENXIO")

    def write(self, _data: bytes) -> int:
        """write(2)."""
        raise NetError("ENXIO")

    def readable(self) -> bool:
        """Tell whether read() has something."""
        return False

    def ioctl(self, row: Any, arg: Any) -> Any:
        """ioctl(2). Raises EACCES for a change through a descriptor that is for reading."""
        if not self.writing and not _only_reads(row.name, arg):
            raise NetError("EACCES")
        return self.control.ioctl(row, arg, self.cred)

    def close(self) -> None:
        """close(2): transactions that were left open are replaced by the next."""


def _only_reads(name: str, arg: object) -> bool:
    """Tell whether a request changes nothing, a dry run of one on tables among them."""
    if name in p.READING:
        return not (isinstance(arg, p.PfIocRule) and arg.action == p.PF_GET_CLR_CNTR)
    dry = isinstance(arg, p.PfIocTable) and bool(arg.flags & p.PFR_FLAG_DUMMY)
    return dry and name in p.DRY_RUNS


def pf_open(control: PfControl, cred: Cred, writing: bool = True) -> PfDevice:
    """Open /dev/pf, whose mode is 0600, for reading or for writing too. Raises EACCES."""
    if not cred.suser:
        raise NetError("EACCES")
    return PfDevice(control, cred, writing)
