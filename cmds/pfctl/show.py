"""What pfctl -s shows: rules, states, sources, counters, limits, interfaces."""

from __future__ import annotations

from cmds.pfctl.session import OLD_DIALECT, Session
from libnet.addr import AF_INET, AF_INET6
from libnet.conf.pfconf.addr6 import ntop
from libnet.conf.pfconf.hosts import HostReader
from libnet.conf.pfconf.names import LIMITS, TIMEOUTS
from libnet.errors import NetError
from libnet.ioctl.pf import (
    DIOCGETADDR,
    DIOCGETADDRS,
    DIOCGETLIMIT,
    DIOCGETRULE,
    DIOCGETRULES,
    DIOCGETRULESET,
    DIOCGETRULESETS,
    DIOCGETSRCNODES,
    DIOCGETSTATES,
    DIOCGETSTATUS,
    DIOCGETTIMEOUT,
    DIOCIGETIFACES,
    DIOCOSFPGET,
    FCNT_NAMES,
    LCNT_NAMES,
    PAGE_STATES,
    PF_ADDR_DYNIFTL,
    PF_BINAT,
    PF_DROP,
    PF_FASTROUTE,
    PF_GET_CLR_CNTR,
    PF_LIMIT_UNLIMITED,
    PF_NAT,
    PF_OUT,
    PF_PASS,
    PF_RDR,
    PF_RULE_NONE,
    PF_SCRUB,
    PF_TCPS_PROXY_DST,
    PF_TCPS_PROXY_SRC,
    PFI_IFLAG_SKIP,
    PFRES_NAMES,
    PFSTATE_NOSYNC,
    PFSYNC_FLAG_NATSRCNODE,
    PFSYNC_FLAG_SRCNODE,
    PFTM_ADAPTIVE_END,
    PFTM_ADAPTIVE_START,
    PFUDPS_NAMES,
    TCPS_NAMES,
    PfiKif,
    PfIocIface,
    PfIocLimit,
    PfIocPoolAddr,
    PfIocRule,
    PfIocRuleset,
    PfIocSrcNodes,
    PfIocStates,
    PfIocTm,
    PfOsfp,
    PfRule,
    PfSrcNode,
    PfState,
    PfStateHost,
    PfStatePeer,
    PfStatus,
)

RESERVED_ANCHOR = "_pf"
SHOW_RULES, SHOW_LABELS, SHOW_NOTHING = range(3)
_SKIPS = ("i", "d", "f", "p", "sa", "sp", "da", "dp")
_IPPROTO_ICMP, _IPPROTO_TCP, _IPPROTO_UDP = 1, 6, 17
_TIME_WAIT = 10


def ctime(seconds: int) -> str:
    """Return ctime(3) of a time, with its newline."""
    import time

    return time.ctime(seconds) + "\n"


class Stop(Exception):
    """A listing ends early; why has been told."""


# -- rules


# Rules that have pools, besides those that route.
_TRANSLATIONS = (PF_NAT, PF_RDR, PF_BINAT)


class RuleLister:
    """Lists rules, or their labels, or clears their counters."""

    def __init__(self, session: Session) -> None:
        self.session, self.opts = session, session.opts
        self.labels = False

    def rules(self, anchor: str, how: int) -> None:
        """List the scrub and filter rules of an anchor; with -a x/* those below it too."""
        try:
            self._rules(anchor, how, 0)
        except Stop:
            return

    def _get(self, path: str, action: int) -> PfIocRule:
        pr = PfIocRule(anchor=path, rule=PfRule(action=action))
        got = self.session.may(DIOCGETRULES, pr)
        if got is None:
            raise Stop
        assert isinstance(got, PfIocRule)
        return got

    def each(self, path: str, action: int, *, clear: bool = False) -> list[PfIocRule]:
        """Return the rules of one kind with their pools. Raises Stop after a warning."""
        head = self._get(path, action)
        found = []
        for nr in range(head.nr):
            pr = PfIocRule(
                action=PF_GET_CLR_CNTR if clear else 0,
                ticket=head.ticket,
                nr=nr,
                anchor=path,
                rule=PfRule(action=action),
            )
            got = self.session.may(DIOCGETRULE, pr)
            if got is None:
                raise Stop
            if got.rule.rt > PF_FASTROUTE or action in _TRANSLATIONS:
                got.rule.rpool.list = self._pool(path, action, head.ticket, nr)
            if self.session.env.fixture:
                self._count_fixture(got.rule)
            found.append(got)
        return found

    def _count_fixture(self, rule: PfRule) -> None:
        """Count an interface's addresses in the fixture: it is the only source of interfaces."""
        reader = HostReader(self.session.env, self.session.complain)
        for wrap in (rule.src.addr, rule.dst.addr):
            if wrap.type == PF_ADDR_DYNIFTL:
                found = reader.lookup(wrap.ifname, wrap.iflags)
                wrap.cnt = sum(rule.af in (0, one.af) for one in found)

    def _pool(self, path: str, action: int, ticket: int, nr: int) -> list[object]:
        pp = PfIocPoolAddr(anchor=path, r_action=action, r_num=nr, ticket=ticket)
        head = self.session.may(DIOCGETADDRS, pp)
        if head is None:
            raise Stop
        found = []
        for at in range(head.nr):
            pp.nr = at
            got = self.session.may(DIOCGETADDR, pp)
            if got is None:
                raise Stop
            found.append(got.addr)
        return found

    def _rules(self, path: str, how: int, depth: int) -> None:
        opts = self.opts
        if opts.showall:
            if how == SHOW_RULES:
                self.session.title("FILTER RULES:")
            elif how == SHOW_LABELS and self.labels:
                self.session.title("LABEL COUNTERS:")
        clear = opts.clear_counters and self.session.dialect != OLD_DIALECT
        for pr in self.each(path, PF_SCRUB, clear=clear):
            if how == SHOW_LABELS:
                self._label(pr.rule)
            elif how == SHOW_RULES:
                self._line(pr.rule, pr.anchor_call, "")
        for pr in self.each(path, PF_PASS, clear=clear):
            if how == SHOW_LABELS:
                self._label(pr.rule)
            elif how == SHOW_RULES:
                self._filter_line(pr, path, how, depth)

    def _line(self, rule: PfRule, call: str, tail: str) -> None:
        opts = self.opts
        if rule.label and opts.showall:
            self.labels = True
        numbers = opts.verbose > 1 or opts.debug
        self.session.out(self.session.printer.rule(rule, call, numbers) + tail + "\n")
        self.session.out(counters_text(rule, self.session))

    def _filter_line(self, pr: PfIocRule, path: str, how: int, depth: int) -> None:
        indent = "" if self.opts.verbose else "  " * depth
        call = pr.anchor_call
        brace = bool(call) and not call.endswith("*") and (_anonymous(call) or self.opts.recurse)
        self.session.out(indent)
        name = call.rpartition("/")[2] if brace else call
        self._line(pr.rule, name, " {" if brace else "")
        if brace:
            below = call[1:] if call[0] == "/" else f"{path}/{call}" if path else call
            showall, self.opts.showall = self.opts.showall, False
            self._rules(below, how, depth + 1)
            self.opts.showall = showall
            self.session.out(indent + "}\n")

    def _label(self, rule: PfRule) -> None:
        if not rule.label:
            return
        packets, octets = sum(rule.packets), sum(rule.bytes)
        text = f"{rule.label} {rule.evaluations} {packets} {octets}"
        if self.session.dialect != OLD_DIALECT:
            text += f" {rule.packets[0]} {rule.bytes[0]} {rule.packets[1]} {rule.bytes[1]}"
        self.session.out(text + "\n")

    def nat(self, anchor: str) -> None:
        """List the translation rules of an anchor: nat, rdr, binat."""
        title = self.opts.showall
        try:
            for action in (PF_NAT, PF_RDR, PF_BINAT):
                for pr in self.each(anchor, action):
                    if title:
                        self.session.title("TRANSLATION RULES:")
                        title = False
                    line = self.session.printer.rule(pr.rule, pr.anchor_call, self.opts.verbose > 1)
                    self.session.out(line + "\n" + counters_text(pr.rule, self.session))
        except Stop:
            return


def _anonymous(call: str) -> bool:
    """Tell whether a name is one that an inline anchor without a name got."""
    return call.rpartition("/")[2].startswith("_")


def counters_text(rule: PfRule, session: Session) -> str:
    """Return the lines that -g and -v add to a rule."""
    opts, text = session.opts, ""
    if opts.debug:
        text += "  [ Skip steps: "
        for name, to in zip(_SKIPS, rule.skip, strict=False):
            if to != rule.nr + 1:
                text += f"{name}={'end' if to in (-1, PF_RULE_NONE) else to} "
        text += "]\n"
        text += (
            f"  [ queue: qname={rule.qname} qid={rule.qid} "
            f"pqname={rule.pqname} pqid={rule.pqid} ]\n"
        )
    if opts.verbose:
        text += (
            f"  [ Evaluations: {rule.evaluations:<8}  Packets: {sum(rule.packets):<8}  "
            f"Bytes: {sum(rule.bytes):<10}  States: {rule.states:<6}]\n"
        )
        if not opts.debug and session.dialect != OLD_DIALECT:
            text += f"  [ Inserted: uid {rule.cuid} pid {rule.cpid} ]\n"
    return text


def show_anchors(session: Session, path: str) -> bool:
    """List the anchors below one; False if it is not there."""
    try:
        head = session.ioctl(DIOCGETRULESETS, PfIocRuleset(path=path))
    except NetError as exc:
        if exc.symbol != "EINVAL":
            session.err.err(exc, "DIOCGETRULESETS")
        session.ctx.stderr.write(f"Anchor '{path}' not found.\n")
        return False
    for nr in range(head.nr):
        got = session.must(DIOCGETRULESET, PfIocRuleset(nr=nr, path=path))
        if got.name == RESERVED_ANCHOR:
            continue
        below = f"{path}/{got.name}" if path else got.name
        if below[0] != "_" or session.opts.verbose:
            session.out(f"  {below}\n")
        if session.opts.verbose and not show_anchors(session, below):
            return False
    return True


# -- states


def show_states(session: Session) -> None:
    """List the states, of one interface with -i."""
    title, first = session.opts.showall, 0
    while True:
        got = session.may(DIOCGETSTATES, PfIocStates(first=first, count=PAGE_STATES))
        if got is None or not got.states:
            return
        for state in got.states:
            if session.opts.interface is not None and state.ifname != session.opts.interface:
                continue
            if title:
                session.title("STATES:")
                title = False
            session.out(state_text(session, state))
        first += len(got.states)
        if first >= got.total:
            return


def _host_text(session: Session, host: PfStateHost, af: int) -> str:
    if session.opts.usedns:
        text = session.env.hostname(af, host.addr) or ntop(af, host.addr)
    else:
        text = ntop(af, host.addr)
    if not host.port:
        return text
    return f"{text}:{host.port}" if af == AF_INET else f"{text}[{host.port}]"


def _levels(proto: int, src: int, dst: int) -> str:
    if proto == _IPPROTO_TCP:
        if src <= _TIME_WAIT and dst <= _TIME_WAIT:
            return f"{TCPS_NAMES[src]}:{TCPS_NAMES[dst]}"
        for proxy in (PF_TCPS_PROXY_SRC, PF_TCPS_PROXY_DST):
            if proxy in (src, dst):
                return TCPS_NAMES[proxy]
        return f"<BAD STATE LEVELS {src}:{dst}>"
    if proto != _IPPROTO_ICMP and src < len(PFUDPS_NAMES) and dst < len(PFUDPS_NAMES):
        return f"{PFUDPS_NAMES[src]}:{PFUDPS_NAMES[dst]}"
    return f"{src}:{dst}"


def _seq(peer: PfStatePeer) -> str:
    text = f"[{peer.seqlo} + {(peer.seqhi - peer.seqlo) & 0xFFFFFFFF}]"
    return f"{text}(+{peer.seqdiff})" if peer.seqdiff else text


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def state_text(session: Session, state: PfState) -> str:
    """Return the line or lines of one state."""
    out = state.direction == PF_OUT
    src, dst = (state.src, state.dst) if out else (state.dst, state.src)
    arrow = " -> " if out else " <- "
    text = f"{state.ifname} {session.printer.proto(state.proto)} "
    if state.lan != state.gwy:
        text += _host_text(session, state.lan, state.af) + arrow
    text += _host_text(session, state.gwy, state.af) + arrow
    text += _host_text(session, state.ext, state.af)
    text += f"       {_levels(state.proto, src.state, dst.state)}\n"
    if not session.opts.verbose:
        return text
    if state.proto == _IPPROTO_TCP:
        scaled = src.wscale and dst.wscale
        text += f"   {_seq(src)}" + (f" wscale {src.wscale & 15}" if scaled else "")
        text += f"  {_seq(dst)}" + (f" wscale {dst.wscale & 15}" if scaled else "") + "\n"
    text += f"   age {_clock(state.creation)}, expires in {_clock(state.expire)}"
    text += f", {state.packets[0]}:{state.packets[1]} pkts"
    text += f", {state.bytes[0]}:{state.bytes[1]} bytes"
    if state.anchor != PF_RULE_NONE:
        text += f", anchor {state.anchor}"
    if state.rule != PF_RULE_NONE:
        text += f", rule {state.rule}"
    if state.sync_flags & PFSYNC_FLAG_SRCNODE:
        text += ", source-track"
    if state.sync_flags & PFSYNC_FLAG_NATSRCNODE:
        text += ", sticky-address"
    text += "\n"
    if session.opts.verbose > 1:
        nosync = " (no-sync)" if state.sync_flags & PFSTATE_NOSYNC else ""
        text += f"   id: {state.id:016x} creatorid: {state.creatorid:08x}{nosync}\n"
    return text


def show_sources(session: Session) -> None:
    """List the source nodes."""
    first = 0
    while True:
        got = session.may(DIOCGETSRCNODES, PfIocSrcNodes(first=first, count=PAGE_STATES))
        if got is None or not got.nodes:
            return
        if first == 0 and session.opts.showall:
            session.title("SOURCE TRACKING NODES:")
        for node in got.nodes:
            session.out(source_text(session, node))
        first += len(got.nodes)
        if first >= got.total:
            return


def source_text(session: Session, node: PfSrcNode) -> str:
    """Return the line or lines of one source node."""
    af = AF_INET if node.af == AF_INET else AF_INET6
    _, seconds, count = node.conn_rate
    text = (
        f"{ntop(af, node.addr)} -> {ntop(af, node.raddr)} ( states {node.states}, "
        f"connections {node.conn}, rate {count // 1000}.{count % 1000 // 100}/{seconds}s )\n"
    )
    if not session.opts.verbose:
        return text
    text += f"   age {_clock(node.creation)}"
    if node.states == 0:
        text += f", expires in {_clock(node.expire)}"
    text += f", {sum(node.packets)} pkts, {sum(node.bytes)} bytes"
    names = {PF_NAT: "nat", PF_RDR: "rdr", PF_PASS: "filter"}
    if node.ruletype in names and node.rule != PF_RULE_NONE:
        text += f", {names[node.ruletype]} rule {node.rule}"
    return text + "\n"


# -- counters


def show_status(session: Session) -> None:
    """Print the state of the filter and its counters."""
    status = session.may(DIOCGETSTATUS, PfStatus())
    if status is None:
        return
    if session.opts.showall:
        session.title("INFO:")
    session.out(status_text(session, status, int(session.ctx.wall())))


def status_text(session: Session, status: PfStatus, now: int) -> str:
    """Return what -s info prints, given the time of day."""
    verbose = session.opts.verbose
    old = session.dialect == OLD_DIALECT
    runtime = now - status.since
    line = f"Status: {'Enabled' if status.running else 'Disabled'}"
    if status.since:
        days = runtime // 86400
        line += f" for {days} days {_clock(runtime % 86400)}"
    level = ("None", "Urgent", "Misc", "Loud")[status.debug & 3]
    text = f"{line:<44}{'Debug: ' + level:>15}\n\n"
    if old:
        text += f"Hostid: 0x{status.hostid:08x}\n\n"
    elif verbose:
        text += f"Hostid:   0x{status.hostid:08x}\nChecksum: 0x{status.chksum.hex()}\n\n"
    if status.ifname:
        text += _log_interface(status)

    def rows(names: tuple[str, ...], values: list[int]) -> str:
        out = ""
        for name, value in zip(names, values, strict=True):
            rate = f"{value / runtime:14.1f}/s" if runtime > 0 else " " * 14
            out += f"  {name:<25} {value:>14} {rate}\n"
        return out

    text += f"{'State Table':<27} {'Total':>14} {'Rate':>16}\n"
    text += f"  {'current entries':<25} {status.states:>14} {'':>14}\n"
    text += rows(FCNT_NAMES, status.fcounters)
    if verbose:
        text += "Source Tracking Table\n"
        text += f"  {'current entries':<25} {status.src_nodes:>14} {'':>14}\n"
        text += rows(FCNT_NAMES, status.scounters)
    text += "Counters\n" + rows(PFRES_NAMES, status.counters)
    if verbose:
        text += "Limit Counters\n" + rows(LCNT_NAMES, status.lcounters)
    return text


def _log_interface(status: PfStatus) -> str:
    packets, octets = status.pcounters, status.bcounters
    text = f"Interface Stats for {status.ifname:<16} {'IPv4':>5} {'IPv6':>16}\n"
    for way, name in enumerate(("Bytes In", "Bytes Out")):
        text += f"  {name:<25} {octets[way]:>14} {octets[2 + way]:>16}\n"
    for way, name in enumerate(("Packets In", "Packets Out")):
        text += f"  {name}\n"
        for action, what in ((PF_PASS, "Passed"), (PF_DROP, "Blocked")):
            at = way * 3 + action
            text += f"    {what:<23} {packets[at]:>14} {packets[6 + at]:>16}\n"
    return text + "\n"


def show_timeouts(session: Session) -> None:
    """List the timeouts."""
    if session.opts.showall:
        session.title("TIMEOUTS:")
    for name, index in TIMEOUTS:
        got = session.must(DIOCGETTIMEOUT, PfIocTm(timeout=index))
        unit = " states" if PFTM_ADAPTIVE_START <= index <= PFTM_ADAPTIVE_END else "s"
        session.out(f"{name:<20} {got.seconds:>10}{unit}\n")


def show_limits(session: Session) -> None:
    """List the limits of memory."""
    if session.opts.showall:
        session.title("LIMITS:")
    old = session.dialect == OLD_DIALECT
    for name, index in LIMITS[:3] if old else LIMITS:
        got = session.must(DIOCGETLIMIT, PfIocLimit(index=index))
        limit = "unlimited"
        if got.limit != PF_LIMIT_UNLIMITED:
            limit = f"hard limit {got.limit:>{6 if old else 8}}"
        session.out(f"{name:<{10 if old else 13}} {limit}\n")


def show_interfaces(session: Session) -> None:
    """List the interfaces and groups that the filter knows."""
    try:
        got = session.ioctl(DIOCIGETIFACES, PfIocIface(name=session.opts.interface or ""))
    except NetError as exc:
        session.ctx.stderr.write(f"{session.ctx.prog}: {exc.strerror}.\n")
        return
    if session.opts.showall:
        session.title("INTERFACES:")
    for kif in got.ifaces:
        session.out(interface_text(session, kif))


def interface_text(session: Session, kif: PfiKif) -> str:
    """Return the line or lines of one interface."""
    text = kif.name
    if session.opts.verbose and kif.flags & PFI_IFLAG_SKIP:
        text += " (skip)"
    text += "\n"
    if session.opts.verbose < 2:
        return text
    text += f"\tCleared:     {ctime(kif.tzero)}"
    text += f"\tReferences:  [ States:  {kif.states:<18} Rules: {kif.rules:<18} ]\n"
    at = 0
    for family in "46":
        for way in ("In", "Out"):
            for what in ("Pass", "Block"):
                name = f"{way}{family}/{what}:"
                text += (
                    f"\t{name:<12} [ Packets: {kif.packets[at]:<18} Bytes: {kif.bytes[at]:<18} ]\n"
                )
                at += 1
    return text


# -- fingerprints


def learn_fingerprints(session: Session) -> bool:
    """Fetch the names of the fingerprints that the stack has."""
    session.fps.flush()
    number = 0
    while True:
        try:
            got = session.ioctl(DIOCOSFPGET, PfOsfp(getnum=number))
        except NetError as exc:
            if exc.symbol == "EBUSY":
                return True
            session.err.warn(exc, "DIOCOSFPGET")
            return False
        session.fps.learn(got)
        number += 1


def show_fingerprints(session: Session) -> None:
    """List the operating systems that have fingerprints."""
    if not session.fps.classes:
        return
    if session.opts.showall:
        session.title("OS FINGERPRINTS:")
        session.out(f"{session.fps.count} fingerprints loaded\n")
        return
    session.out("Class\tVersion\tSubtype(subversion)\n-----\t-------\t-------------------\n")
    session.out("".join(f"{line}\n" for line in session.fps.listing()))
