"""altq and queue statements of pf.conf(5): bandwidth, schedulers, and their arithmetic."""

from __future__ import annotations

import re

from libnet.conf.pfconf.base import LOAD_ALTQ
from libnet.conf.pfconf.curves import Curve, exceeds
from libnet.conf.pfconf.lex import NEWLINE, STRING
from libnet.conf.pfconf.nodes import Bw, Iface, QueueName, QueueOpts, ServiceCurve
from libnet.conf.pfconf.settings import SECTION_QUEUE, OptionStatements
from libnet.ioctl.pf import (
    ALTQT_CBQ,
    ALTQT_HFSC,
    ALTQT_NONE,
    ALTQT_PRIQ,
    CBQCLF_BORROW,
    CBQCLF_CLEARDSCP,
    CBQCLF_DEFCLASS,
    CBQCLF_ECN,
    CBQCLF_EFFICIENT,
    CBQCLF_FLOWVALVE,
    CBQCLF_RED,
    CBQCLF_RIO,
    CBQCLF_ROOTCLASS,
    CBQCLF_WRR,
    HFCF_CLEARDSCP,
    HFCF_DEFAULTCLASS,
    HFCF_ECN,
    HFCF_RED,
    HFCF_RIO,
    PRCF_CLEARDSCP,
    PRCF_DEFAULTCLASS,
    PRCF_ECN,
    PRCF_RED,
    PRCF_RIO,
    PfAltq,
)

DEFAULT_PRIORITY = 1
DEFAULT_QLIMIT = 50
CBQ_MAXPRI = 8
PRIQ_MAXPRI = 16
INT_MAX = (1 << 31) - 1
MCLBYTES = 2048
NS_PER_SEC = 1000000000
FILTER_GAIN = 5  # log2 of the gain of cbq's running average

_RATE = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_UNITS = {"b": 1, "Kb": 1000, "Mb": 1000000, "Gb": 1000000000}
_SCHEDULERS = {"cbq": ALTQT_CBQ, "priq": ALTQT_PRIQ, "hfsc": ALTQT_HFSC}
_FLAGS = {
    "cbq": {
        "default": CBQCLF_DEFCLASS,
        "borrow": CBQCLF_BORROW,
        "red": CBQCLF_RED,
        "ecn": CBQCLF_RED | CBQCLF_ECN,
        "rio": CBQCLF_RIO,
    },
    "priq": {
        "default": PRCF_DEFAULTCLASS,
        "red": PRCF_RED,
        "ecn": PRCF_RED | PRCF_ECN,
        "rio": PRCF_RIO,
    },
    "hfsc": {
        "default": HFCF_DEFAULTCLASS,
        "red": HFCF_RED,
        "ecn": HFCF_RED | HFCF_ECN,
        "rio": HFCF_RIO,
    },
}
# What the flags print as, in order, by scheduler.
_SHOWN = {
    ALTQT_CBQ: (
        (CBQCLF_RED, "red"),
        (CBQCLF_ECN, "ecn"),
        (CBQCLF_RIO, "rio"),
        (CBQCLF_CLEARDSCP, "cleardscp"),
        (CBQCLF_FLOWVALVE, "flowvalve"),
        (CBQCLF_BORROW, "borrow"),
        (CBQCLF_WRR, "wrr"),
        (CBQCLF_EFFICIENT, "efficient"),
        (CBQCLF_ROOTCLASS, "root"),
        (CBQCLF_DEFCLASS, "default"),
    ),
    ALTQT_PRIQ: (
        (PRCF_RED, "red"),
        (PRCF_ECN, "ecn"),
        (PRCF_RIO, "rio"),
        (PRCF_CLEARDSCP, "cleardscp"),
        (PRCF_DEFAULTCLASS, "default"),
    ),
    ALTQT_HFSC: (
        (HFCF_RED, "red"),
        (HFCF_ECN, "ecn"),
        (HFCF_RIO, "rio"),
        (HFCF_CLEARDSCP, "cleardscp"),
        (HFCF_DEFAULTCLASS, "default"),
    ),
}
# Places of the service curves in PfAltq.hfsc.
_CURVES = {"realtime": 0, "linkshare": 3, "upperlimit": 6}


class QueueStatements(OptionStatements):
    """altq and queue statements."""

    queue_names: list[QueueName]
    shown_altq: PfAltq  # the one added last: what is printed even when adding one failed

    # -- grammar

    def altq(self) -> None:
        """Take an altq statement."""
        self.shift()
        ifaces = self.interface()
        opts = self._queue_opts()
        self.expect("queue")
        children = self._qassign()
        self.must_be_in_order(SECTION_QUEUE)
        if opts.scheduler == ALTQT_NONE:
            self.give_up("no scheduler specified!")
        if not children:
            self.give_up("no child queues specified")
        if self._expand_altq(ifaces, opts, children):
            self._raise()

    def queue(self) -> None:
        """Take a queue statement."""
        self.shift()
        name = self.word()
        ifaces = self.interface()
        opts = self._queue_opts()
        children = self._qassign()
        self.must_be_in_order(SECTION_QUEUE)
        if len(name) >= self.qname_size:
            self.give_up(f"queue name too long (max {self.qname_size - 1} chars)")
        if opts.tbrsize:
            self.give_up("cannot specify tbrsize for queue")
        if self._expand_queue(name, ifaces, opts, children):
            self.give_up("errors in queue definition")

    def _qassign(self) -> list[str]:
        kind = self.peek()
        if kind == "{":
            self.shift()
            return self.items(self._qname)
        if kind == STRING:
            return [self._qname()]
        if kind != NEWLINE:
            self.syntax_error()
        return []

    def _qname(self) -> str:
        name = self.word()
        if len(name) >= self.qname_size:
            self.give_up(f"queue name '{name}' too long (max {self.qname_size - 1} chars)")
        return name

    def _queue_opts(self) -> QueueOpts:
        opts = QueueOpts()
        while True:
            kind = self.peek()
            if kind in _SCHEDULERS:
                self._scheduler(opts, kind)
                self._once(opts, "scheduler")
            elif kind == "bandwidth":
                self.shift()
                bw = self._bandwidth()
                self._once(opts, kind)
                opts.bw = bw
            elif kind in ("priority", "qlimit", "tbrsize"):
                self.shift()
                number = self.number()
                self._once(opts, kind)
                self._set_number(opts, kind, number)
            else:
                return opts

    def _once(self, opts: QueueOpts, what: str) -> None:
        if what in opts.given:
            self.give_up(f"{what} cannot be respecified")
        opts.given.add(what)

    def _set_number(self, opts: QueueOpts, kind: str, number: int) -> None:
        if kind == "priority":
            if number > 255:
                self.give_up("priority out of range: max 255")
            opts.priority = number
        elif kind == "qlimit":
            if number > 65535:
                self.give_up("qlimit out of range: max 65535")
            opts.qlimit = number
        else:
            if number > 65535:
                self.give_up("tbrsize too big: max 65535")
            opts.tbrsize = number

    def _bandwidth(self) -> Bw:
        text = self.word()
        match = _RATE.match(text)
        rate = float(match[0]) if match else 0.0
        unit = text[match.end() :] if match else text
        if unit == "%":
            if not 0 <= rate <= 100:
                self.give_up("bandwidth spec out of range")
            return Bw(percent=int(rate))
        if unit not in _UNITS:
            self.give_up(f"unknown unit {unit}")
        bits = rate * _UNITS[unit]
        return Bw(absolute=int(bits) & 0xFFFFFFFF if abs(bits) < 1e18 else 0)

    def _scheduler(self, opts: QueueOpts, kind: str) -> None:
        again = opts.scheduler != ALTQT_NONE
        self.shift()
        flags = 0
        curves: dict[str, ServiceCurve] = {}
        if self.accept("("):
            while True:
                flags |= self._flag_or_curve(kind, curves)
                if self.accept(")"):
                    break
                self.accept(",")
        if not again:
            opts.scheduler, opts.flags, opts.curves = _SCHEDULERS[kind], flags, curves

    def _flag_or_curve(self, kind: str, curves: dict[str, ServiceCurve]) -> int:
        if kind == "hfsc" and self.peek() in _CURVES:
            which = self.shift()
            curve = ServiceCurve()
            if self.accept("("):
                curve.m1 = self._bandwidth()
                self.accept(",")
                curve.d = self.number()
                self.accept(",")
                curve.m2 = self._bandwidth()
                self.expect(")")
            else:
                curve.m2 = self._bandwidth()
            if which in curves:
                self.give_up(f"{which} already specified")
            curves[which] = curve
            return 0
        word = self.word()
        bits = _FLAGS[kind].get(word)
        if bits is None:
            self.give_up(f'unknown {kind} flag "{word}"')
        return bits

    # -- expansion

    def _expand_altq(self, ifaces: list[Iface], opts: QueueOpts, children: list[str]) -> int:
        if not self.settings.load & LOAD_ALTQ:
            return 0
        errors = 0
        for iface in ifaces or [Iface("")]:
            if iface.neg:
                self.error("altq on ! <interface> is not supported")
                errors += 1
                continue
            errors += self._altq_on(iface.name, opts, children)
        return errors

    def _altq_on(self, ifname: str, opts: QueueOpts, children: list[str]) -> int:
        altq = PfAltq(ifname=ifname, scheduler=opts.scheduler)
        altq.qlimit, altq.tbrsize = opts.qlimit, opts.tbrsize
        errors = self._eval_altq(altq, opts)
        if not errors:
            self._add_altq(altq)
        if self.settings.verbose:
            names = "".join(f"{name} " for name in children)
            self.out(altq_text(self.shown_altq, 0, opts) + f"queue {{ {names}}}\n")
        root = ""
        if altq.scheduler in (ALTQT_CBQ, ALTQT_HFSC):
            root = f"root_{ifname}"
            top = PfAltq(ifname=ifname, qname=root, scheduler=altq.scheduler)
            top.qlimit = altq.qlimit
            if self._eval_queue(top, Bw(absolute=altq.ifbandwidth), opts):
                errors += 1
            else:
                self._add_altq(top)
        for name in children:
            self.queue_names.append(QueueName(name, root, ifname, altq.scheduler))
        return errors

    def _add_altq(self, altq: PfAltq) -> None:
        self.shown_altq = altq
        self.conf.altqs.append(altq)
        self.conf.events.append(("altq", altq))

    def _expand_queue(
        self, name: str, ifaces: list[Iface], opts: QueueOpts, children: list[str]
    ) -> int:
        if not self.settings.load & LOAD_ALTQ:
            return 0
        if not self.queue_names:
            self.error(f"queue {name} has no parent")
            return 1
        found = errors = 0
        for iface in ifaces or [Iface("")]:
            at = 0
            while at < len(self.queue_names):  # it grows while we go
                one = self.queue_names[at]
                at += 1
                if one.queue != name or not _queue_on(iface, one.ifname):
                    continue
                found += 1
                problem = _queue_problem(one, opts, children)
                if problem:
                    self.error(problem)
                    return 1
                errors += self._add_queue(one, name, opts, children)
                if self.settings.verbose and (found == 1 or iface.name):
                    text = queue_text(self.shown_altq, 0, opts, on=bool(iface.name))
                    if children:
                        text += "{ " + "".join(f"{child} " for child in children) + "}"
                    self.out(text + "\n")
        if not found:
            self.error(f"queue {name} has no parent")
            errors += 1
        return errors

    def _add_queue(self, one: QueueName, name: str, opts: QueueOpts, children: list[str]) -> int:
        altq = PfAltq(ifname=one.ifname, qname=name, parent=one.parent, scheduler=one.scheduler)
        altq.priority, altq.qlimit = opts.priority, opts.qlimit
        errors = 0
        if self._eval_queue(altq, opts.bw, opts):
            errors = 1
        else:
            self._add_altq(altq)
        for child in children:
            if child == name:
                self.error("queue cannot have itself as child")
                errors += 1
                continue
            self.queue_names.append(QueueName(child, name, one.ifname, one.scheduler))
        return errors

    # -- arithmetic

    def _eval_altq(self, altq: PfAltq, opts: QueueOpts) -> int:
        errors = 0
        interface = self.hosts.interface(altq.ifname)
        if opts.bw.absolute > 0:
            altq.ifbandwidth = opts.bw.absolute
        else:
            speed = interface.speed & 0xFFFFFFFF if interface else 0
            if speed == 0:
                if self.old:
                    head = f"cannot determine interface bandwidth for {altq.ifname}, "
                else:
                    head = f"interface {altq.ifname} does not know its bandwidth, please "
                self.say(head + "specify an absolute bandwidth")
                errors += 1
            else:
                altq.ifbandwidth = opts.bw.of(speed) or speed
        _queue_options(altq, opts, altq.ifbandwidth)
        if altq.tbrsize == 0:
            rate = altq.ifbandwidth
            size = 1 if rate <= 1000000 else 4 if rate <= 10000000 else 8
            size = 24 if rate > 200000000 else size
            altq.tbrsize = min(size * self._mtu(altq.ifname), 0xFFFF)
        return errors

    def _mtu(self, ifname: str) -> int:
        interface = self.hosts.interface(ifname)
        return interface.mtu if interface and interface.mtu > 0 else 1500

    def _lookup(self, qname: str, ifname: str) -> PfAltq | None:
        for one in self.conf.altqs:
            if one.ifname == ifname and one.qname == qname:
                return one
        return None

    def _eval_queue(self, altq: PfAltq, bw: Bw, opts: QueueOpts) -> int:
        """Compute a queue's parameters; tell and return 1 if they cannot be."""
        top = self._lookup("", altq.ifname)
        if top is None:
            self.say(f"altq not defined on {altq.ifname}")
            return 1
        altq.scheduler, altq.ifbandwidth = top.scheduler, top.ifbandwidth
        if self._lookup(altq.qname, altq.ifname) is not None:
            self.say(f"queue {altq.qname} already exists on interface {altq.ifname}")
            return 1
        parent = None
        if altq.parent:
            parent = self._lookup(altq.parent, altq.ifname)
            if parent is None:
                self.say(f"parent {altq.parent} not found for {altq.qname}")
                return 1
        altq.qlimit = altq.qlimit or DEFAULT_QLIMIT
        if altq.scheduler in (ALTQT_CBQ, ALTQT_HFSC):
            altq.bandwidth = bw.of(parent.bandwidth if parent else 0)
            if not self._fits(altq, parent):
                return 1
        _queue_options(altq, opts, parent.bandwidth if parent else 0)
        if altq.scheduler == ALTQT_CBQ:
            return self._eval_cbq(altq)
        if altq.scheduler == ALTQT_PRIQ:
            return self._eval_priq(altq)
        return self._eval_hfsc(altq, parent)

    def _fits(self, altq: PfAltq, parent: PfAltq | None) -> bool:
        if altq.bandwidth > altq.ifbandwidth:
            self.say(f"bandwidth for {altq.qname} higher than interface")
            return False
        if parent is None:
            return True
        if altq.bandwidth > parent.bandwidth:
            self.warnx(f"bandwidth for {altq.qname} higher than parent")
            return False
        total = altq.bandwidth + sum(
            one.bandwidth
            for one in self.conf.altqs
            if one.ifname == altq.ifname and one.qname and one.parent == altq.parent
        )
        if total > parent.bandwidth:
            self.warnx(f'the sum of the child bandwidth higher than parent "{parent.qname}"')
        return True

    def _eval_cbq(self, altq: PfAltq) -> int:
        if altq.priority >= CBQ_MAXPRI:
            self.warnx(f"priority out of range: max {CBQ_MAXPRI - 1}")
            return 1
        if not altq.parent:
            altq.optflags |= CBQCLF_ROOTCLASS | CBQCLF_WRR
        mtu = self._mtu(altq.ifname)
        too_slow = cbq_idletime(altq, mtu)
        if too_slow:
            if altq.bandwidth and not self.settings.quiet:
                self.warnx(f"queue bandwidth must be larger than {too_slow}")
            self.say(f"cbq: queue {altq.qname} is too slow!")
        return 0

    def _eval_priq(self, altq: PfAltq) -> int:
        if altq.priority >= PRIQ_MAXPRI:
            self.warnx(f"priority out of range: max {PRIQ_MAXPRI - 1}")
            return 1
        for one in self.conf.altqs:
            if one.ifname == altq.ifname and one.qname and one.priority == altq.priority:
                self.warnx(f"{one.qname} and {altq.qname} have the same priority")
                return 1
        return 0

    def _eval_hfsc(self, altq: PfAltq, parent: PfAltq | None) -> int:
        hfsc = altq.hfsc
        if parent is None:
            hfsc[3], hfsc[4], hfsc[5] = altq.ifbandwidth, 0, altq.ifbandwidth
            return 0
        if hfsc[5] == 0:
            hfsc[5] = altq.bandwidth
        curves = (hfsc[0:3], hfsc[3:6], hfsc[6:9])
        if any(m1 > 0 and m2 == 0 for m1, _, m2 in curves):
            self.warnx(f"m2 is zero for {altq.qname}")
            return 1
        # The older program looks at the first curve three times.
        looked = curves[:1] if self.old else curves
        if any(m1 < m2 and m1 != 0 for m1, _, m2 in looked):
            self.warnx(f"m1 must be zero for convex curve: {altq.qname}")
            return 1
        problem = self._hfsc_admission(altq, parent)
        if problem:
            self.warnx(problem)
        return int(bool(problem))

    def _hfsc_admission(self, altq: PfAltq, parent: PfAltq) -> str:
        """Return why the link or the parent cannot serve this queue too, or ""."""
        hfsc = altq.hfsc
        realtime, linkshare = Curve(), Curve()
        for one in self.conf.altqs:
            if one.ifname != altq.ifname or not one.qname:
                continue
            if hfsc[2] and one.hfsc[2]:
                realtime.add(one.hfsc[0:3])
            if one.parent == altq.parent and hfsc[5] and one.hfsc[5]:
                linkshare.add(one.hfsc[3:6])
        if hfsc[2]:
            realtime.add(hfsc[0:3])
            most = altq.ifbandwidth // 100 * 80
            if exceeds(realtime, [0, 0, most]):
                return f"real-time sc exceeds 80% of the interface bandwidth ({rate_text(most)})"
        if hfsc[5]:
            linkshare.add(hfsc[3:6])
            if exceeds(linkshare, parent.hfsc[3:6]):
                return "linkshare sc exceeds parent's sc"
        if hfsc[8]:
            if hfsc[6] > altq.ifbandwidth or hfsc[8] > altq.ifbandwidth:
                return "upper-limit larger than interface bandwidth"
            if hfsc[2] and hfsc[2] > hfsc[8]:
                return "upper-limit sc smaller than real-time sc"
        return ""


def _queue_on(iface: Iface, ifname: str) -> bool:
    return not iface.name or (iface.name == ifname) != bool(iface.neg)


def _queue_problem(one: QueueName, opts: QueueOpts, children: list[str]) -> str:
    if opts.scheduler != ALTQT_NONE and opts.scheduler != one.scheduler:
        return "exactly one scheduler type per interface allowed"
    if one.scheduler == ALTQT_PRIQ:
        if children:
            return "priq queues cannot have child queues"
        if opts.bw.absolute > 0 or opts.bw.percent < 100:
            return "priq doesn't take bandwidth"
    return ""


def _queue_options(altq: PfAltq, opts: QueueOpts, reference: int) -> None:
    altq.optflags = opts.flags
    for name, at in _CURVES.items():
        curve = opts.curves.get(name)
        if curve is not None and altq.scheduler == ALTQT_HFSC:
            altq.hfsc[at : at + 3] = [curve.m1.of(reference), curve.d, curve.m2.of(reference)]


def cbq_idletime(altq: PfAltq, mtu: int) -> str:
    """Fill in cbq's parameters of a queue; return the least rate if it is too slow, or "".

    Floyd and Jacobson, "Link-sharing and resource management models for packet networks", 1995.
    """
    pktsize = mtu & ~MCLBYTES if mtu > MCLBYTES else mtu
    maxpktsize = mtu
    pktsize = min(pktsize, maxpktsize)
    if_ns = 1.0 / altq.ifbandwidth * NS_PER_SEC * 8 if altq.ifbandwidth else 0.0
    share = altq.bandwidth / altq.ifbandwidth if altq.bandwidth else 0.0001
    ns_per_byte = if_ns / share
    ptime = pktsize * if_ns
    cptime = ptime * (1.0 - share) / share
    too_slow = ""
    if ns_per_byte * maxpktsize > INT_MAX:
        too_slow = rate_text(if_ns * maxpktsize / INT_MAX * altq.ifbandwidth)
        ns_per_byte = float(INT_MAX // maxpktsize)
    maxburst = 4 if cptime > 10.0 * 1000000 else 16
    minburst = min(2, maxburst)
    gain = float(1 << FILTER_GAIN)
    g = 1.0 - 1.0 / gain
    gton, gtom = g**maxburst, g ** (minburst - 1)
    maxidle = ptime * max((1.0 / share - 1.0) * ((1.0 - gton) / gton), 1.0 - g)
    offtime = cptime * (1.0 + 1.0 / (1.0 - g) * (1.0 - gtom) / gtom)
    minidle = -(maxpktsize * ns_per_byte)
    scale = 8.0 / ns_per_byte * gain / 1000.0 if ns_per_byte else 0.0
    altq.cbq = [
        minburst,
        maxburst,
        pktsize,
        maxpktsize,
        int(ns_per_byte),
        int(abs(maxidle * scale)),
        int(minidle * scale),
        int(abs(offtime * scale)),
    ]
    return too_slow


def rate_text(rate: float) -> str:
    """Return a rate with its unit, integer or with two decimals.

    >>> rate_text(10e6), rate_text(33600), rate_text(500), rate_text(1440)
    ('10Mb', '33.60Kb', '500 b', '1.44Kb')
    """
    unit = 0
    while rate >= 1000 and unit < 3:
        rate /= 1000
        unit += 1
    if int(rate * 100) % 100:
        return f"{rate:.2f}{' KMG'[unit]}b"
    return f"{int(rate)}{' KMG'[unit]}b"


def options_text(altq: PfAltq, opts: QueueOpts | None) -> str:
    """Return `cbq( … ) ` and the like, or "" when there is nothing to say."""
    words = [name for bit, name in _SHOWN.get(altq.scheduler, ()) if altq.optflags & bit]
    if altq.scheduler == ALTQT_HFSC:
        hfsc = altq.hfsc
        if hfsc[2]:
            words.append(_curve_text("realtime", hfsc[0:3], opts))
        if hfsc[5] and (hfsc[5] != altq.bandwidth or hfsc[4]):
            words.append(_curve_text("linkshare", hfsc[3:6], opts))
        if hfsc[8]:
            words.append(_curve_text("upperlimit", hfsc[6:9], opts))
    if not words:
        return ""
    name = {ALTQT_CBQ: "cbq", ALTQT_PRIQ: "priq", ALTQT_HFSC: "hfsc"}[altq.scheduler]
    return f"{name}( {' '.join(words)} ) "


def _curve_text(name: str, curve: list[int], opts: QueueOpts | None) -> str:
    m1, d, m2 = curve
    given = opts.curves.get(name) if opts else None
    first = f"{given.m1.percent}%" if given and given.m1.percent > 0 else rate_text(m1)
    second = f"{given.m2.percent}%" if given and given.m2.percent > 0 else rate_text(m2)
    return f"{name}({first} {d} {second})" if d else f"{name} {second}"


def altq_text(altq: PfAltq, level: int, opts: QueueOpts | None = None) -> str:
    """Return an altq line as far as its queues; of a queue its line."""
    if altq.qname:
        return queue_text(altq, level, opts, on=True)
    text = f"altq on {altq.ifname} " + (options_text(altq, opts) or _name(altq.scheduler))
    if opts and opts.bw.percent > 0:
        if opts.bw.percent < 100:
            text += f"bandwidth {opts.bw.percent}% "
    else:
        text += f"bandwidth {rate_text(altq.ifbandwidth)} "
    if altq.qlimit != DEFAULT_QLIMIT:
        text += f"qlimit {altq.qlimit} "
    return text + f"tbrsize {altq.tbrsize} "


def _name(scheduler: int) -> str:
    return {ALTQT_CBQ: "cbq ", ALTQT_PRIQ: "priq ", ALTQT_HFSC: "hfsc "}.get(scheduler, "")


def queue_text(altq: PfAltq, level: int, opts: QueueOpts | None = None, *, on: bool) -> str:
    """Return a queue's line, indented by *level*; with its interface if *on*."""
    text = f"queue {' ' * level}{altq.qname} "
    if on:
        text += f"on {altq.ifname} "
    if altq.scheduler in (ALTQT_CBQ, ALTQT_HFSC):
        if opts and opts.bw.percent > 0:
            if opts.bw.percent < 100:
                text += f"bandwidth {opts.bw.percent}% "
        else:
            text += f"bandwidth {rate_text(altq.bandwidth)} "
    if altq.priority != DEFAULT_PRIORITY:
        text += f"priority {altq.priority} "
    if altq.qlimit != DEFAULT_QLIMIT:
        text += f"qlimit {altq.qlimit} "
    return text + options_text(altq, opts)


def commit_problems(altqs: list[PfAltq]) -> list[str]:
    """Return what is wrong with the queues as a whole: roots and default queues."""
    found = []
    for top in altqs:
        if top.qname:
            continue
        below = [one for one in altqs if one.ifname == top.ifname and one.qname]
        if top.scheduler == ALTQT_CBQ:
            if sum(bool(one.optflags & CBQCLF_ROOTCLASS) for one in below) != 1:
                found.append(f"should have one root queue on {top.ifname}")
            if sum(bool(one.optflags & CBQCLF_DEFCLASS) for one in below) != 1:
                found.append(f"should have one default queue on {top.ifname}")
        elif top.scheduler == ALTQT_PRIQ:
            if sum(bool(one.optflags & PRCF_DEFAULTCLASS) for one in below) != 1:
                found.append(f"should have one default queue on {top.ifname}")
        elif top.scheduler == ALTQT_HFSC:
            defaults = [one for one in below if one.parent and one.optflags & HFCF_DEFAULTCLASS]
            if len(defaults) != 1:
                found.append(f"should have one default queue on {top.ifname}")
                continue
            for one in below:
                if one.parent == defaults[0].qname:
                    found.append("default queue is not a leaf")
    return found
