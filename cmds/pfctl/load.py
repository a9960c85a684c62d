"""Loading rules: parse, then put everything into the stack in one transaction."""

from __future__ import annotations

import gc
from typing import Any, NoReturn

from cmds.pfctl.session import OLD_DIALECT, Session
from libnet.conf.pfconf.addr6 import mask_len
from libnet.conf.pfconf.base import (
    LOAD_ALTQ,
    LOAD_FILTER,
    LOAD_NAT,
    LOAD_OPTIONS,
    LOAD_TABLES,
    OPTIMIZE_BASIC,
    OPTIMIZE_PROFILE,
    Conf,
    Fatal,
    Loaded,
    Settings,
)
from libnet.conf.pfconf.expand import RULESETS
from libnet.conf.pfconf.fp import parse_pf_os
from libnet.conf.pfconf.grammar import Parser
from libnet.conf.pfconf.nodes import Anchor, Host
from libnet.conf.pfconf.queues import commit_problems
from libnet.conf.pfconf.settings import tabledef_text
from libnet.errors import NetError, strerror
from libnet.ioctl.pf import (
    DIOCADDADDR,
    DIOCADDALTQ,
    DIOCADDRULE,
    DIOCBEGINADDRS,
    DIOCCLRIFFLAG,
    DIOCGETRULE,
    DIOCGETRULES,
    DIOCOSFPADD,
    DIOCOSFPFLUSH,
    DIOCRGETTABLES,
    DIOCRINADEFINE,
    DIOCSETDEBUG,
    DIOCSETHOSTID,
    DIOCSETIFFLAG,
    DIOCSETLIMIT,
    DIOCSETSTATUSIF,
    DIOCSETTIMEOUT,
    DIOCXBEGIN,
    DIOCXCOMMIT,
    DIOCXROLLBACK,
    PF_DEBUG_URGENT,
    PF_LIMIT_MAX,
    PF_LIMIT_STATES,
    PF_LIMIT_TABLES,
    PF_PASS,
    PF_RULESET_ALTQ,
    PF_RULESET_BINAT,
    PF_RULESET_FILTER,
    PF_RULESET_NAT,
    PF_RULESET_RDR,
    PF_RULESET_SCRUB,
    PF_RULESET_TABLE,
    PFI_IFLAG_SKIP,
    PFR_FLAG_ADDRSTOO,
    PFR_FLAG_ALLRSETS,
    PFR_TFLAG_CONST,
    PFTM_ADAPTIVE_END,
    PFTM_ADAPTIVE_START,
    PFTM_MAX,
    PfAddrWrap,
    PfAltq,
    PfIocAltq,
    PfIocIf,
    PfIocIface,
    PfIocLimit,
    PfIocPoolAddr,
    PfIocRule,
    PfIocTable,
    PfIocTm,
    PfIocTrans,
    PfIocTransE,
    PfrTable,
    pack_addr,
)

PF_OS = "/etc/pf.os"
_ORDER = (
    (LOAD_FILTER, PF_RULESET_SCRUB),
    (LOAD_NAT, PF_RULESET_NAT),
    (LOAD_NAT, PF_RULESET_RDR),
    (LOAD_NAT, PF_RULESET_BINAT),
    (LOAD_FILTER, PF_RULESET_FILTER),
)


class NotLoaded(Exception):
    """The file cannot be loaded; why has been told."""


def table_strerror(symbol: str) -> str:
    """Return the text of an error of a table call."""
    special = {
        "ESRCH": "Table does not exist",
        "ENOENT": "Anchor or Ruleset does not exist",
    }
    return special.get(symbol) or strerror(symbol)


def load_fingerprint_file(session: Session, path: str) -> bool:
    """Put the fingerprints of a pf.os file into the stack; False if it cannot be read."""
    session.fps.flush()
    try:
        text = session.env.read(path)
    except OSError as exc:
        session.err.warn(exc, path)
        return False
    found = []
    for one in parse_pf_os(text, path, session.complain):
        session.fps.add(one)
        found.append(one)
    if not session.opts.noaction:
        send_fingerprints(session, found)
    if session.opts.verbose > 1:
        session.out(f"Loaded {session.fps.count} passive OS fingerprints\n")
    return True


def send_fingerprints(session: Session, found: list[Any]) -> None:
    """Replace the fingerprints of the stack."""
    session.must(DIOCOSFPFLUSH)
    for one in found:
        try:
            session.ioctl(DIOCOSFPADD, one)
        except NetError as exc:
            if exc.symbol != "EEXIST":
                session.err.err(exc, "DIOCOSFPADD")
            names = f"{one.class_nm} {one.version_nm} {one.subtype_nm}"
            session.err.warn(exc, f"Duplicate signature for {names}")


class Transaction:
    """The rulesets that are being replaced, and their tickets."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._array: list[PfIocTransE] = []
        self._tickets: dict[tuple[int, str], int] = {}
        self.open = False

    def begin(self, rulesets: list[int], anchor: str) -> None:
        """Begin with some rulesets of an anchor. Raises NetError."""
        wanted = [
            PfIocTransE(number, anchor)
            for number in rulesets
            if (number, anchor) not in self._tickets
        ]
        if not wanted:
            return
        got = self._session.ioctl(DIOCXBEGIN, PfIocTrans(wanted))
        self.open = True
        for one in got.array:
            self._array.append(one)
            self._tickets[one.rs_num, one.anchor] = one.ticket

    def ticket(self, ruleset: int, anchor: str) -> int:
        """Return the ticket of a ruleset."""
        return self._tickets.get((ruleset, anchor), 0)

    def commit(self) -> None:
        """Make it all active. Raises NetError."""
        self._session.ioctl(DIOCXCOMMIT, PfIocTrans(self._array))
        self.open = False

    def rollback(self) -> None:
        """Forget it all."""
        if self.open:
            self.open = False
            self._session.must(DIOCXROLLBACK, PfIocTrans(self._array))


class Loader:
    """Loads one file, and those that its "load anchor" lines name."""

    def __init__(self, session: Session, anchor: str, trans: Transaction | None = None) -> None:
        self.session, self.opts, self.anchor = session, session.opts, anchor
        self.old = session.dialect == OLD_DIALECT
        self.load = session.opts.load & ~(LOAD_ALTQ if anchor else 0)
        self._outer = trans is None
        self.trans = trans or Transaction(session)
        self._pool_ticket: int | None = None
        self._qids: dict[str, int] = {}
        self._altq_ticket = 0
        self._tables_made = 0
        self._known_tables: set[str] | None = None
        self._table_id = 0
        self.optimize = OPTIMIZE_BASIC

    def run(self, text: str, filename: str) -> None:
        """Load *text*. Raises NotLoaded after telling why."""
        collecting = gc.isenabled()
        # Rules are a great many small objects without cycles: looking for some costs half the time.
        gc.disable()
        try:
            self._run(text, filename)
        except (NotLoaded, SystemExit):
            if self._outer:
                self.trans.rollback()
            raise
        finally:
            if collecting:
                gc.enable()

    def _fail(self, text: str) -> NoReturn:
        self.session.err.warnx(text)
        raise NotLoaded

    def _run(self, text: str, filename: str) -> None:
        acting = not self.opts.noaction
        if acting:
            self._begin()
        conf = self._parse(text, filename)
        if conf.failed:
            self._print_events(conf)
            if acting:
                self._fail("Syntax error in config file: pf rules not loaded")
            raise NotLoaded
        if acting and self._outer and not self.anchor and self.load & LOAD_OPTIONS:
            # Only now: a file with an error must leave what an earlier one skips.
            self.session.must(DIOCCLRIFFLAG, PfIocIface(flags=PFI_IFLAG_SKIP))
        self._events(conf, filename)
        self._choose_optimizer(conf)
        for bit, number in _ORDER:
            if self.load & bit:
                self._ruleset(self.anchor, conf.anchor, number, 0)
        self.session.settle(DIOCADDRULE)
        if self.session.altq and self.load & LOAD_ALTQ:
            problems = commit_problems(conf.altqs)
            for problem in problems:
                self.session.err.warnx(problem)
            if problems:
                self._fail("errors in altq config")
        if not self.anchor:
            self._load_anchors(conf)
        if self._outer and acting:
            self._finish(conf)

    def _begin(self) -> None:
        rulesets = []
        if self.load & LOAD_NAT:
            rulesets += [PF_RULESET_NAT, PF_RULESET_BINAT, PF_RULESET_RDR]
        if self.session.altq and self.load & LOAD_ALTQ:
            rulesets.append(PF_RULESET_ALTQ)
        if self.load & LOAD_FILTER:
            rulesets += [PF_RULESET_SCRUB, PF_RULESET_FILTER]
        if self.load & LOAD_TABLES:
            rulesets.append(PF_RULESET_TABLE)
        try:
            self.trans.begin(rulesets, self.anchor)
        except NetError as exc:
            self.session.err.warn(exc, "DIOCXBEGIN")
            raise NotLoaded from None
        self._altq_ticket = self.trans.ticket(PF_RULESET_ALTQ, self.anchor)

    def _parse(self, text: str, filename: str) -> Conf:
        session = self.session
        settings = Settings(
            dialect=session.dialect,
            anchor=self.anchor,
            load=self.load,
            verbose=self.opts.verbose,
            optimize=self.opts.optimize,
            quiet=self.opts.quiet,
        )
        parser = Parser(text, filename, session.env, session.fps, settings, session.macros)
        try:
            return parser.parse()
        except Fatal as exc:
            parser.warnx(str(exc))
            parser.conf.failed = True
            self._print_events(parser.conf)
            raise SystemExit(1) from None
        finally:
            self._tell(parser.conf.errors)

    def _tell(self, lines: list[str]) -> None:
        for line in lines:
            self.session.complain(line)

    def _print_events(self, conf: Conf) -> None:
        self.session.out(conf.printed())

    # -- what happens while reading

    def _events(self, conf: Conf, filename: str) -> None:
        acting = not self.opts.noaction
        for event in conf.events:
            kind = event[0]
            if kind == "print":
                self.session.out(event[1])
            elif not acting:
                continue
            elif kind == "table":
                _, name, flags, addrs, given, line = event
                try:
                    self._define(self.anchor, name, flags, addrs, given)
                except NetError as exc:
                    why = table_strerror(exc.symbol)
                    self._tell([f"{filename}:{line}: cannot define table {name}: {why}"])
                    self._fail("Syntax error in config file: pf rules not loaded")
            elif kind == "altq":
                self._altq(event[1])
            elif kind == "skip":
                row = DIOCSETIFFLAG if event[2] else DIOCCLRIFFLAG
                self.session.must(row, PfIocIface(name=event[1], flags=PFI_IFLAG_SKIP))
            elif kind == "osfp":
                send_fingerprints(self.session, event[1])

    def _define(self, anchor: str, name: str, flags: int, addrs: list[bytes], given: bool) -> None:
        """Define a table in the transaction. Raises NetError."""
        self.session.ioctl(
            DIOCRINADEFINE,
            PfIocTable(
                table=PfrTable(anchor, name, flags),
                addrs=b"".join(addrs),
                size=len(addrs),
                flags=PFR_FLAG_ADDRSTOO if given else 0,
                ticket=self.trans.ticket(PF_RULESET_TABLE, anchor),
            ),
        )

    def _altq(self, altq: PfAltq) -> None:
        if not self.session.altq or not self.load & LOAD_ALTQ:
            return
        if altq.qname:
            altq.qid = self._qids.get(altq.qname, 0)
            altq.parent_qid = self._qids.get(altq.parent, 0)
        elif self.session.env.fixture:
            self._make_interface(altq.ifname)
        try:
            got = self.session.ioctl(DIOCADDALTQ, PfIocAltq(ticket=self._altq_ticket, altq=altq))
        except NetError as exc:
            if exc.symbol == "ENXIO":
                self.session.fatal("qtype not configured")
            if exc.symbol == "ENODEV":
                self.session.fatal(f"{altq.ifname}: driver does not support altq")
            self.session.err.err(exc, "DIOCADDALTQ")
        altq.qid = got.altq.qid
        if altq.qname:
            self._qids[altq.qname] = altq.qid

    def _make_interface(self, name: str) -> None:
        """Have the stack make an interface that only the fixture has, if it can: queues need it."""
        from libnet.addr import AF_INET
        from libnet.ioctl.sockio import SIOCIFCREATE, IfReq
        from libnet.libsocket.sock import SOCK_DGRAM

        if any(one.name == name for one in self.session.env.interfaces):
            try:
                with self.session.ctx.socket(AF_INET, SOCK_DGRAM, 0) as sock:
                    sock.ioctl(SIOCIFCREATE, IfReq(name))
            except NetError:
                return  # it is there, or DIOCADDALTQ tells

    # -- rules

    def _choose_optimizer(self, conf: Conf) -> None:
        default = 0 if self.old else OPTIMIZE_BASIC
        if self.opts.optimize is not None:
            self.optimize = self.opts.optimize
        else:
            self.optimize = default if conf.optimize is None else conf.optimize

    def _ruleset(self, path: str, anchor: Anchor, number: int, depth: int) -> None:
        """Load the rules of one ruleset, and of the inline anchors in it."""
        verbose = self.opts.verbose and not self.old
        rules: list[Loaded] = anchor.rules[number]  # type: ignore[assignment]
        brace = bool(depth and rules)
        if brace and not self.opts.noaction:
            self._begin_inline(path)
        if depth and verbose:
            self.session.out(" {\n" if brace else "\n")
        if self.optimize and number == PF_RULESET_FILTER and rules:
            rules = self._optimized(path, rules)
        anchor.rules[number] = []  # what calls it again finds it empty
        for one in rules:
            self._rule(path, one, number, depth)
            if one.anchor is not None:
                below = one.anchor.name.lstrip("/") if not one.anchor.match else one.anchor.name
                self._ruleset(f"{path}/{below}" if path else below, one.anchor, number, depth + 1)
            elif verbose:
                self.session.out("\n")
        if brace and verbose:
            self.session.out("  " * (depth - 1) + "}\n")

    def _begin_inline(self, path: str) -> None:
        rulesets = []
        if self.load & LOAD_NAT:
            rulesets += [PF_RULESET_NAT, PF_RULESET_BINAT, PF_RULESET_RDR]
        if self.load & LOAD_FILTER:
            rulesets += [PF_RULESET_SCRUB, PF_RULESET_FILTER]
        if self.load & LOAD_TABLES:
            rulesets.append(PF_RULESET_TABLE)
        try:
            self.trans.begin(rulesets, path)
        except NetError as exc:
            self.session.err.warn(exc, "DIOCXBEGIN")
            raise NotLoaded from None

    def _rule(self, path: str, one: Loaded, number: int, depth: int) -> None:
        rule, anchor = one.rule, one.anchor
        if not self.opts.noaction:
            call = ""
            if anchor is not None:
                call = anchor.name if anchor.match else anchor.path
            assert RULESETS[rule.action] == number
            self._add_rule(path, one, number, call)
        if self.opts.verbose and not self.old:
            indent = "" if self.opts.verbose > 1 else "  " * depth
            name = anchor.name if anchor else ""
            self.session.out(indent + self.session.printer.rule(rule, name, self.opts.verbose > 1))

    def _add_rule(self, path: str, one: Loaded, number: int, call: str) -> None:
        rule, session = one.rule, self.session
        pool = rule.rpool.list
        if pool or self._pool_ticket is None:
            # A ticket outlives rules without a pool: their buffer stays as empty as it was.
            begun = session.must(DIOCBEGINADDRS, PfIocPoolAddr())
            self._pool_ticket = begun.ticket
            for address in pool:
                session.must_post(
                    DIOCADDADDR,
                    PfIocPoolAddr(ticket=begun.ticket, af=rule.af, addr=address),
                )
            rule.rpool.list = []
        pr = PfIocRule(
            ticket=self.trans.ticket(number, path),
            pool_ticket=self._pool_ticket,
            anchor=path,
            anchor_call=call,
            rule=rule,
        )
        session.must_post(DIOCADDRULE, pr)
        if pool:
            rule.rpool.list = pool
            self._pool_ticket = None

    # -- optimizer

    def _optimized(self, path: str, rules: list[Loaded]) -> list[Loaded]:
        from libnet.conf.pfconf.optimize import optimize

        if not self.load & LOAD_TABLES:
            # The original warns so and then loads no rules at all; we load them as they are.
            if len(rules) > 1:
                self.session.err.warnx("Must enable table loading for optimizations")
            return rules
        profile = None
        if self.optimize & OPTIMIZE_PROFILE and not self.opts.noaction:
            profile = self._running_rules()
        return optimize(
            rules,
            self.optimize,
            lambda number, addrs: self._make_table(path, number, addrs),
            profile=profile,
        )

    def _running_rules(self) -> list[Loaded]:
        pr = self.session.may(DIOCGETRULES, PfIocRule())
        found = []
        for nr in range(pr.nr if pr is not None else 0):
            pr.nr = nr
            pr.rule.action = PF_PASS
            got = self.session.may(DIOCGETRULE, pr)
            if got is None:
                break
            anchor = Anchor(got.anchor_call, got.anchor_call) if got.anchor_call else None
            found.append(Loaded(got.rule, anchor))
        return found

    def _make_table(self, path: str, number: int, addrs: list[tuple[int, PfAddrWrap]]) -> str:
        name = f"__automatic_{number}"
        packed = [pack_addr(af, wrap.addr, mask_len(af, wrap.mask)) for af, wrap in addrs]
        if not self.opts.noaction:
            name = self._unused_name()
            try:
                self._define(path, name, PFR_TFLAG_CONST, packed, True)
            except NetError as exc:
                self.session.err.warn(exc, f"failed to create table {name}")
                raise NotLoaded from None
        if self.opts.verbose:
            hosts = [
                Host(af=af, addr=wrap.addr, bits=mask_len(af, wrap.mask)) for af, wrap in addrs
            ]
            self.session.out(tabledef_text(name, PFR_TFLAG_CONST, True, [hosts]))
        return name

    def _unused_name(self) -> str:
        if self._known_tables is None:
            got = self.session.must(DIOCRGETTABLES, PfIocTable(flags=PFR_FLAG_ALLRSETS))
            self._known_tables = {one.name for one in got.tables}
            self._table_id = self.session.env.random(32)
        while True:
            name = f"__automatic_{self._table_id:x}_{self._tables_made}"
            if name not in self._known_tables:
                self._tables_made += 1
                return name
            self._table_id = self.session.env.random(32)

    # -- the rest

    def _load_anchors(self, conf: Conf) -> None:
        for name, path in conf.load_anchors:
            if self.opts.verbose:
                self.session.ctx.stderr.write(f"\nLoading anchor {name} from {path}\n")
            try:
                text = self.session.env.read(path)
            except OSError as exc:
                self.session.err.warn(exc, path)
                continue
            below = Loader(self.session, name, self.trans)
            try:
                below.run(text, path)
            except NotLoaded:
                if self.opts.noaction:
                    raise
                self._fail("load anchors")

    def _finish(self, conf: Conf) -> None:
        if not self.anchor and not self._load_options(conf):
            raise NotLoaded
        try:
            self.trans.commit()
        except NetError as exc:
            self.session.err.warn(exc, "DIOCXCOMMIT")
            raise NotLoaded from None

    def _load_options(self, conf: Conf) -> bool:
        """Set limits, timeouts and the rest; with -m only what the file says."""
        if not self.load & LOAD_OPTIONS:
            return True
        merge, ok = self.opts.merge, True
        for index in range(PF_LIMIT_TABLES if self.old else PF_LIMIT_MAX):
            if not merge or index in conf.limits_set:
                ok &= self._limit(index, conf.limits[index])
        timeouts, given = conf.timeouts, conf.timeouts_set
        adaptive = {PFTM_ADAPTIVE_START, PFTM_ADAPTIVE_END}
        if self.old and not given & adaptive:
            timeouts[PFTM_ADAPTIVE_START] = timeouts[PFTM_ADAPTIVE_END] = 0
        elif PF_LIMIT_STATES in conf.limits_set and not given & adaptive:
            states = conf.limits[PF_LIMIT_STATES]
            timeouts[PFTM_ADAPTIVE_START] = states // 10 * 6
            timeouts[PFTM_ADAPTIVE_END] = states // 10 * 12
            given |= adaptive
        for index in range(PFTM_MAX):
            if not merge or index in given:
                ok &= self._set(DIOCSETTIMEOUT, PfIocTm(index, timeouts[index]))
        if not merge or conf.debug is not None:
            debug = PF_DEBUG_URGENT if conf.debug is None else conf.debug
            ok &= self._set(DIOCSETDEBUG, debug)
        if not merge or conf.ifname is not None:
            ok &= self._set(DIOCSETSTATUSIF, PfIocIf(conf.ifname or ""))
        if not merge or conf.hostid is not None:
            ok &= self._set(DIOCSETHOSTID, conf.hostid or 0)
        return ok

    def _limit(self, index: int, limit: int) -> bool:
        try:
            self.session.ioctl(DIOCSETLIMIT, PfIocLimit(index, limit))
        except NetError as exc:
            busy = exc.symbol == "EBUSY"
            self.session.err.warnx(
                "Current pool size exceeds requested hard limit" if busy else "DIOCSETLIMIT"
            )
            return False
        return True

    def _set(self, row: Any, arg: Any) -> bool:
        try:
            self.session.ioctl(row, arg)
        except NetError:
            self.session.err.warnx(row.name)
            return False
        return True
