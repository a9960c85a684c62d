"""The queueing half of /dev/pf: altq and queue lines, loaded in the same transaction as rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from libnet.engine.link import altq_cbq, altq_hfsc
from libnet.engine.link.altq import Altq, Discipline, Priq, Queue, dropper
from libnet.engine.pfil.pfil import IF_ATTACH
from libnet.errors import NetError
from libnet.ioctl import pf as p
from libnet.ioctl.ifflags import IFT_ETHER, IFT_LOOP

if TYPE_CHECKING:
    from libnet.engine.link.altq_red import Dropper
    from libnet.engine.link.ifnet import Ifnet
    from libnet.engine.pf.pf import Pf

MAX_QUEUES: Final = 1024
CBQ_MAXPRI: Final = 7
PRIQ_MAXPRI: Final = 15
HFSC_MAX_CLASSES: Final = 64
_READY: Final = frozenset((IFT_ETHER, IFT_LOOP))
_TUN: Final = "tun"  # the one kind of tunnel that has a send queue
_DEFAULT_BURST: Final = 16 * 1500
_RED: Final = 0x1  # the same bits in CBQCLF_, PRCF_ and HFCF_
_ECN: Final = 0x2
_RIO: Final = 0x4


class AltqHalf:
    """What DIOCADDALTQ and its kin do.

    active, inactive   altq and queue lines in order        running  whether queues are in use
    """

    def __init__(self, pf: Pf) -> None:
        self.pf = pf
        self.active: list[p.PfAltq] = []
        self.inactive: list[p.PfAltq] = []
        self.ticket = self.iticket = 0
        self.open = False
        self.running = False
        self.disciplines: dict[str, Altq] = {}
        pf.kifs.followers.append(self._ifnet)

    # -- transactions

    def begin(self) -> int:
        """Begin a new set; return its ticket."""
        self.inactive = []
        self.iticket += 1
        self.open = True
        return self.iticket

    def rollback(self, ticket: int) -> None:
        """Forget the new set."""
        if self.open and ticket == self.iticket:
            self.inactive = []
            self.open = False

    def check(self, ticket: int) -> None:
        """Raise EBUSY when *ticket* is not that of the open set, EINVAL when it cannot work."""
        if not self.open or ticket != self.iticket:
            raise NetError("EBUSY")
        for line in self.inactive:
            if not line.qname:
                self._build(line, self.inactive)

    def commit(self, ticket: int) -> None:
        """Put the new set in the place of the old one."""
        self.check(ticket)
        self._detach()
        self.active, self.inactive = self.inactive, []
        self.ticket = self.iticket
        self.open = False
        if not self.active and not self._named_by_rules():
            self.pf.qids.clear()  # numbers begin at 1 again when nothing bears one
        if self.running:
            self._attach()

    def _named_by_rules(self) -> bool:
        return any(
            rule.qid
            for anchor in self.pf.rulesets.all()
            for rules in anchor.rulesets
            for rule in (*rules.active, *rules.inactive)
        )

    # -- on and off

    def start(self, _arg: None) -> None:
        """DIOCSTARTALTQ."""
        self.running = True
        if not self.disciplines:
            self._attach()

    def stop(self, _arg: None) -> None:
        """DIOCSTOPALTQ."""
        self.running = False
        self._detach()

    def _attach(self) -> None:
        for line in self.active:
            ifp = None if line.qname else self.pf.stack.ifunit(line.ifname)
            if ifp is not None:
                self._attach_one(line, ifp)

    def _attach_one(self, line: p.PfAltq, ifp: Ifnet) -> None:
        depth = line.tbrsize or 2 * max(ifp.mtu, 1500)
        altq = Altq(
            self.pf.clock,
            self._build(line, self.active),
            line.ifbandwidth,
            depth,
            self._emitter(ifp),
        )
        self.disciplines[line.ifname] = altq
        ifp.altq = altq

    def _ifnet(self, event: str, ifp: Ifnet) -> None:
        """Queue again on an interface that has come back; what waited on one that goes is lost."""
        altq = self.disciplines.pop(ifp.name, None)
        if altq is not None:
            altq.stop()
            ifp.altq = None
        if event == IF_ATTACH and self.running and _ready(ifp):
            for line in self.active:
                if line.ifname == ifp.name and not line.qname:
                    self._attach_one(line, ifp)

    def _emitter(self, ifp: Ifnet) -> Callable[[Any], None]:
        if ifp.type == IFT_LOOP:
            return lambda item: self.pf.stack.netisr(*item)

        def send(frame: bytes) -> None:
            ifp.send_now(frame)

        return send

    def _detach(self) -> None:
        for name, altq in self.disciplines.items():
            altq.stop()
            ifp = self.pf.stack.ifunit(name)
            if ifp is not None and ifp.altq is altq:
                ifp.altq = None
        self.disciplines = {}

    # -- requests

    def add(self, req: p.PfIocAltq) -> p.PfIocAltq:
        """DIOCADDALTQ. Raises EBUSY, EINVAL, ENODEV for an interface that cannot queue."""
        if not self.open or req.ticket != self.iticket:
            raise NetError("EBUSY")
        line = req.altq
        if len(self.inactive) >= MAX_QUEUES:
            raise NetError("ENOMEM")
        self._check_numbers(line)
        if not line.qname:
            ifp = self.pf.stack.ifunit(line.ifname)
            if ifp is None:
                raise NetError("EINVAL")
            if not _ready(ifp):
                raise NetError("ENODEV")
            if line.scheduler not in (p.ALTQT_CBQ, p.ALTQT_HFSC, p.ALTQT_PRIQ):
                raise NetError("ENXIO")
        else:
            if not any(o.ifname == line.ifname and not o.qname for o in self.inactive):
                raise NetError("EINVAL")
            line.qid = self.pf.qid(line.qname)
            line.parent_qid = self.pf.qid(line.parent)
        self.inactive.append(line)
        return req

    @staticmethod
    def _check_numbers(line: p.PfAltq) -> None:
        numbers = (line.tbrsize, line.ifbandwidth, line.bandwidth, line.qlimit, line.priority)
        if (
            any(not 0 <= n < 1 << 40 for n in numbers)
            or len(line.qname) >= p.PF_QNAME_SIZE
            or len(line.parent) >= p.PF_QNAME_SIZE
            or len(line.hfsc) != 9
            or len(line.cbq) != 8
            or any(not 0 <= n < 1 << 40 for n in line.hfsc)
        ):
            raise NetError("EINVAL")

    def getaltqs(self, req: p.PfIocAltq) -> p.PfIocAltq:
        """DIOCGETALTQS."""
        req.nr, req.ticket = len(self.active), self.ticket
        return req

    def _line(self, nr: int, ticket: int) -> p.PfAltq:
        if ticket != self.ticket or not 0 <= nr < len(self.active):
            raise NetError("EBUSY")
        return self.active[nr]

    def getaltq(self, req: p.PfIocAltq) -> p.PfIocAltq:
        """DIOCGETALTQ, one line. Raises EBUSY."""
        req.altq = self._line(req.nr, req.ticket).copy()
        return req

    def change(self, _req: p.PfIocAltq) -> None:
        """DIOCCHANGEALTQ: ENODEV, as in the original."""
        raise NetError("ENODEV")

    def getqstats(self, req: p.PfIocQstats) -> p.PfIocQstats:
        """DIOCGETQSTATS: zeros for queues that have not been started. Raises EBUSY, ENXIO."""
        line = self._line(req.nr, req.ticket)
        altq = self.disciplines.get(line.ifname)
        queue = None if altq is None else altq.discipline.queues.get(line.qid)
        if altq is None and line.qname:
            req.scheduler = line.scheduler
            req.stats = p.PfQueueStats(handle=line.qid, qlimit=line.qlimit)
            return req
        if queue is None:
            raise NetError("ENXIO")
        req.scheduler = next(
            o.scheduler for o in self.active if o.ifname == line.ifname and not o.qname
        )
        early = queue.dropper
        kind = 0
        if early is not None:
            kind = 3 if early.rio else 2
        req.stats = p.PfQueueStats(
            line.qid,
            queue.xmit_packets,
            queue.xmit_bytes,
            queue.drop_packets,
            queue.drop_bytes,
            len(queue.packets),
            queue.limit,
            queue.period,
            queue.borrows,
            queue.delays,
            kind,
            early.marked if early is not None else 0,
        )
        return req

    # -- building

    def _build(self, top: p.PfAltq, lines: list[p.PfAltq]) -> Discipline:
        """Make the discipline of an interface from its lines. Raises EINVAL, EBUSY, EEXIST."""
        rows = [line for line in lines if line.ifname == top.ifname and line.qname]
        names = [line.qname for line in rows]
        if not rows or len(set(names)) != len(names):
            raise NetError("EINVAL")
        if top.scheduler == p.ALTQT_PRIQ:
            return self._priq(rows, top)
        if top.scheduler == p.ALTQT_CBQ:
            return self._cbq(rows, top)
        return self._hfsc(rows, top)

    def _queue(self, line: p.PfAltq, rate: int) -> Queue:
        kind = "red" if line.optflags & _RED else ""
        kind = "rio" if line.optflags & _RIO else kind
        early: Dropper | None = dropper(
            self.pf.stack.dice, kind, ecn=bool(line.optflags & _ECN), rate=rate
        )
        return Queue(line.qid, line.qlimit, early)

    @staticmethod
    def _default(rows: list[p.PfAltq], flag: int) -> int:
        found = [line.qid for line in rows if line.optflags & flag]
        if len(found) != 1:
            raise NetError("EINVAL")
        return found[0]

    def _priq(self, rows: list[p.PfAltq], top: p.PfAltq) -> Priq:
        priorities = [line.priority for line in rows]
        if max(priorities) > PRIQ_MAXPRI:
            raise NetError("EINVAL")
        if len(set(priorities)) != len(priorities):
            raise NetError("EBUSY")
        classes = [
            (line.qid, line.priority, self._queue(line, top.ifbandwidth or 1)) for line in rows
        ]
        return Priq(self._default(rows, p.PRCF_DEFAULTCLASS), classes)

    def _cbq(self, rows: list[p.PfAltq], top: p.PfAltq) -> altq_cbq.Cbq:
        classes: dict[int, altq_cbq.Class] = {}
        for line in rows:
            parent = None
            if line.parent:
                parent = classes.get(line.parent_qid)
                if parent is None:
                    raise NetError("EINVAL")
            if line.priority > CBQ_MAXPRI:
                raise NetError("EINVAL")
            minburst, _maxburst, size = line.cbq[:3]
            burst = float(minburst * size) or float(_DEFAULT_BURST)
            rate = (line.bandwidth or top.ifbandwidth) / 8
            cl = altq_cbq.Class(
                self._queue(line, int(rate * 8)), parent, rate, line.priority, burst
            )
            cl.borrows = bool(line.optflags & p.CBQCLF_BORROW)
            cl.last = self.pf.clock.now
            classes[line.qid] = cl
        return altq_cbq.Cbq(self._default(rows, p.CBQCLF_DEFCLASS), classes)

    def _hfsc(self, rows: list[p.PfAltq], top: p.PfAltq) -> altq_hfsc.Hfsc:
        if len(rows) > HFSC_MAX_CLASSES:
            raise NetError("EINVAL")
        classes: dict[int, altq_hfsc.Class] = {}
        root: altq_hfsc.Class | None = None
        for line in rows:
            parent = None
            if line.parent:
                parent = classes.get(line.parent_qid)
                if parent is None:
                    raise NetError("EINVAL")
            cl = altq_hfsc.Class(
                self._queue(line, line.bandwidth or top.ifbandwidth),
                parent,
                rt=_curve(line.hfsc[0:3]),
                ls=_curve(line.hfsc[3:6]),
                ul=_curve(line.hfsc[6:9]),
            )
            if parent is None:
                if root is not None:
                    raise NetError("EINVAL")
                root = cl
            classes[line.qid] = cl
        default = self._default(rows, p.HFCF_DEFAULTCLASS)
        if root is None or classes[default].children:
            raise NetError("EINVAL")
        return altq_hfsc.Hfsc(root, default, classes)


def _ready(ifp: Ifnet) -> bool:
    """Tell whether an interface sends by way of its queue (ALTQ_IS_READY)."""
    return ifp.type in _READY or ifp.name.rstrip("0123456789") == _TUN


def _curve(numbers: list[int]) -> altq_hfsc.Curve | None:
    """Return a service curve in octets and seconds from bits and milliseconds; None for none."""
    m1, d, m2 = numbers
    if not m1 and not m2:
        return None
    return altq_hfsc.Curve(m1 / 8, d / 1000, m2 / 8) if d else altq_hfsc.Curve(m2 / 8, 0.0, m2 / 8)
