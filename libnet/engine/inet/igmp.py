"""IGMP version 2 for hosts, and the multicast groups of each interface (RFC 2236, RFC 1112).

A member of a group is idle, or delaying: a report is due at a random time. A report of somebody else
for the group spares ours; whoever reported last says so when it leaves. While a version 1 querier is
known on an interface, reports are of version 1 and nothing is said on leaving.

Groups of 224.0.0.0/24 are local to the wire: they are never reported (RFC 2236 section 6).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from libnet.addr import is_multicast
from libnet.clock import Callout
from libnet.engine.inet.ip_var import IpMoptions, IpOpts
from libnet.engine.kern.log import DEBUG1
from libnet.engine.kern.mbuf import Mbuf
from libnet.engine.link.ethernet import multicast_ether
from libnet.errors import NetError
from libnet.ioctl.ifflags import IFF_LOOPBACK
from libnet.wire import igmp as wire
from libnet.wire.cksum import in_cksum
from libnet.wire.ipv4 import IPPROTO_IGMP, router_alert

if TYPE_CHECKING:
    from libnet.engine.inet.inetstack import InetStack
    from libnet.engine.kern.sysctl import SysctlTree
    from libnet.engine.link.ifnet import Ifnet

UNSOLICITED_REPORT_S: Final = 10.0  # RFC 2236 8.10
V1_MAX_RESPONSE_S: Final = 10.0  # RFC 2236 4: what a code of 0 means
V1_ROUTER_PRESENT_S: Final = 400.0  # RFC 2236 8.11


class InMulti:
    """One group on one interface (struct in_multi).

    refcount  sockets and others that joined
    last      whether we were the last to report it
    timer     the report that is due, or None
    due       when
    """

    __slots__ = ("due", "group", "ifp", "last", "refcount", "timer")

    def __init__(self, group: int, ifp: Ifnet) -> None:
        self.group = group
        self.ifp = ifp
        self.refcount = 1
        self.last = False
        self.timer: Callout | None = None
        self.due = 0.0

    @property
    def reported(self) -> bool:
        """Whether the group is one that routers hear of."""
        return self.group >> 8 != 0xE00000 and not self.ifp.flags & IFF_LOOPBACK


class Igmp:
    """The groups and the IGMP of one stack.

    groups  InMulti by group, by interface index
    """

    def __init__(self, stack: InetStack) -> None:
        self.stack = stack
        self.stat = stack.stat("igmp")
        self.groups: dict[int, dict[int, InMulti]] = {}
        self._v1: dict[int, float] = {}

    def sysctl_setup(self, tree: SysctlTree) -> None:
        """Plant net.inet.igmp.stats."""
        tree.node("net.inet.igmp", 2, "Internet Group Management Protocol")
        tree.struct_node("net.inet.igmp.stats", None, lambda: dict(self.stat), "IGMP statistics")
        tree.struct_node("net.inet.multicast", None, self.memberships, "Groups of each interface")

    def memberships(self) -> dict[str, list[int]]:
        """Return the groups by interface name, in order of joining (netstat -ia)."""
        ifnets = self.stack.ifnets
        return {
            ifnets[index].name: list(groups)
            for index, groups in self.groups.items()
            if index in ifnets
        }

    # -- membership

    def in_addmulti(self, group: int, ifp: Ifnet) -> InMulti:
        """Join *group* on *ifp*, or count one more who has."""
        mine = self.groups.setdefault(ifp.index, {})
        inm = mine.get(group)
        if inm is not None:
            inm.refcount += 1
            return inm
        inm = mine[group] = InMulti(group, ifp)
        ifp.addmulti(multicast_ether(group))
        if inm.reported:
            # RFC 2236 3: report at once, and again in case that got lost.
            self._report(inm)
            self._delay(inm, UNSOLICITED_REPORT_S)
        return inm

    def in_delmulti(self, inm: InMulti) -> None:
        """Undo one in_addmulti()."""
        inm.refcount -= 1
        if inm.refcount:
            return
        if inm.timer is not None:
            inm.timer.stop()
        if inm.reported and inm.last and not self.v1(inm.ifp):
            # RFC 2236 3: the last to report tells all routers.
            self._send(inm, wire.IGMP_HOST_LEAVE_MESSAGE, wire.INADDR_ALLRTRS_GROUP)
        mine = self.groups.get(inm.ifp.index, {})
        if mine.get(inm.group) is inm:
            del mine[inm.group]
            if not mine:
                del self.groups[inm.ifp.index]
            try:
                inm.ifp.delmulti(multicast_ether(inm.group))
            except NetError as exc:
                # The interface has forgotten its filters already: it is being detached.
                self.stack.log(DEBUG1, f"igmp: {inm.ifp.name}: {exc.strerror}")

    def member(self, group: int, ifp: Ifnet) -> InMulti | None:
        """Return the membership of *ifp* in *group* (IN_LOOKUP_MULTI)."""
        return self.groups.get(ifp.index, {}).get(group)

    def ifdetach(self, ifp: Ifnet) -> None:
        """Forget the groups of an interface that goes away (igmp_purgeif)."""
        for inm in self.groups.pop(ifp.index, {}).values():
            if inm.timer is not None:
                inm.timer.stop()
        self._v1.pop(ifp.index, None)

    def v1(self, ifp: Ifnet) -> bool:
        """Tell whether a version 1 querier is present on *ifp*."""
        return self.stack.clock.now < self._v1.get(ifp.index, -1.0)

    # -- timers and sending

    def _delay(self, inm: InMulti, most: float) -> None:
        """Have a report sent at a random time within *most* seconds, unless one is due before."""
        due = self.stack.clock.now + most * self.stack.dice.random()
        if inm.timer is not None:
            if inm.due <= due:
                return
            inm.timer.stop()
        inm.due = due
        inm.timer = self.stack.clock.after(due - self.stack.clock.now, lambda: self._timeout(inm))

    def _timeout(self, inm: InMulti) -> None:
        inm.timer = None
        self._report(inm)

    def _report(self, inm: InMulti) -> None:
        kind = (
            wire.IGMP_V1_HOST_MEMBERSHIP_REPORT
            if self.v1(inm.ifp)
            else wire.IGMP_V2_HOST_MEMBERSHIP_REPORT
        )
        inm.last = True
        self._send(inm, kind, inm.group)
        self.stat["snd_reports"] += 1

    def _send(self, inm: InMulti, kind: int, dst: int) -> None:
        m = Mbuf(wire.igmp_build(kind, inm.group))
        m.src, m.dst, m.proto, m.tos, m.ttl = 0, dst, IPPROTO_IGMP, 0, 1
        moptions = IpMoptions()
        moptions.ifp = inm.ifp
        moptions.loop = 0
        try:
            # RFC 2236 2: with router alert, so that routers need not listen to every group.
            self.stack.ip.output(m, IpOpts(0, router_alert()), 0, moptions)
        except NetError as exc:
            # An interface without address or link: the next query will bring another report.
            self.stat["snd_errors"] += 1
            if self.stack.droptrace:
                self.stack.trace_drop(m, "igmp", "snd_errors", exc.symbol)

    # -- receiving

    def input(self, m: Mbuf) -> None:
        """Take an IGMP message (igmp_input); raw listeners get it after us."""
        stack = self.stack
        self.stat["rcv_total"] += 1
        body = m.data[m.hlen :]
        if len(body) < wire.IGMP_MINLEN:
            stack.drop(m, "igmp", "rcv_tooshort")
            return
        if in_cksum(body):
            stack.drop(m, "igmp", "rcv_badsum")
            return
        msg = wire.Igmp.parse(body)
        if msg.type == wire.IGMP_HOST_MEMBERSHIP_QUERY:
            self._query(m, msg)
        elif msg.type in (
            wire.IGMP_V1_HOST_MEMBERSHIP_REPORT,
            wire.IGMP_V2_HOST_MEMBERSHIP_REPORT,
        ):
            self._heard(m, msg)
        stack.rip.input(m)

    def _query(self, m: Mbuf, msg: wire.Igmp) -> None:
        assert m.rcvif is not None
        ifp = m.rcvif
        self.stat["rcv_queries"] += 1
        if ifp.flags & IFF_LOOPBACK:
            return
        if msg.code == 0:
            if m.dst != wire.INADDR_ALLHOSTS_GROUP or msg.group:
                self.stat["rcv_badqueries"] += 1
                return
            self._v1[ifp.index] = self.stack.clock.now + V1_ROUTER_PRESENT_S
            most = V1_MAX_RESPONSE_S
        else:
            if msg.group and not is_multicast(msg.group):
                self.stat["rcv_badqueries"] += 1
                return
            most = msg.code / 10
        for inm in list(self.groups.get(ifp.index, {}).values()):
            if inm.reported and msg.group in (0, inm.group):
                self._delay(inm, most)

    def _heard(self, m: Mbuf, msg: wire.Igmp) -> None:
        assert m.rcvif is not None
        ifp = m.rcvif
        self.stat["rcv_reports"] += 1
        if not is_multicast(msg.group) or msg.group != m.dst:
            self.stat["rcv_badreports"] += 1
            return
        inm = self.member(msg.group, ifp)
        if inm is None or ifp.flags & IFF_LOOPBACK:
            return
        self.stat["rcv_ourreports"] += 1
        inm.last = False
        if inm.timer is not None:
            inm.timer.stop()
            inm.timer = None
