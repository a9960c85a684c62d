"""What every room of a Stack may ask of it: the part of stack.py that lower floors can see."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from libnet.clock import Clock, Dice
from libnet.engine.kern import log as klog
from libnet.engine.kern.socket import SB_MAX
from libnet.engine.kern.stat import Stat
from libnet.errors import NetError
from libnet.ioctl.registry import ROWS, VOID, Ioctl

if TYPE_CHECKING:
    from libnet.engine.kern.mbuf import Mbuf
    from libnet.engine.kern.socket import Cred, Socket, Usrreq
    from libnet.engine.link.ifnet import Ifnet
    from libnet.engine.pfil.pfil import Pfil

IoctlHandler = Callable[[Any], Any]


class StackBase:
    """Clock, dice, log, counters, and the tables that carry calls upward.

    ifnets      interfaces by index             ioctls    handler by ioctl name
    stats       Stat by protocol                protosw   input by (family, IP protocol)
    usrreqs     protocol calls by (domain, type, protocol); protocol 0 is the default one
    ethertypes  input by Ethertype (two octets) resolvers link-address resolver by address family
    curcred     who asks, while an ioctl is answered
    droptrace   whether every lost packet is told to the log (net.iopkt.droptrace)
    sbmax       octets of the largest socket buffer (kern.sbmax)
    somaxconn   longest listen backlog          sockets     those that are open
    files       lists the descriptors that are sockets, for kern.file2; who serves them sets it
    wakeups     sockets whose upcalls wait for the end of what goes on; None when nothing does
    """

    pfil: Pfil

    def __init__(self, clock: Clock, dice: Dice, *, hostname: str = "localhost") -> None:
        self.clock = clock
        self.dice = dice
        self.hostname = hostname
        self.logring = klog.LogRing(clock.wall)
        self.boottime = clock.wall()
        self.stats: dict[str, Stat] = {}
        self.ifnets: dict[int, Ifnet] = {}
        self.ioctls: dict[str, IoctlHandler] = {}
        self.usrreqs: dict[tuple[int, int, int], Usrreq] = {}
        self.protosw: dict[tuple[int, int], Callable[[Mbuf], None]] = {}
        self.ethertypes: dict[bytes, Callable[[Mbuf], None]] = {}
        self.resolvers: dict[int, Callable[..., bytes | None]] = {}
        self.curcred: Cred | None = None
        self.droptrace = False
        self.sbmax = SB_MAX
        self.somaxconn = 128
        self.sockets: WeakSet[Socket] = WeakSet()
        self.files: Callable[[], list[Any]] = list
        self.wakeups: dict[Socket, None] | None = None
        self._netisr: list[tuple[Callable[[Mbuf], None], Mbuf]] = []

    def stat(self, proto: str) -> Stat:
        """Return the counters of *proto*, made at the first use."""
        got = self.stats.get(proto)
        if got is None:
            got = self.stats[proto] = Stat()
        return got

    def log(self, severity: int, text: str, *, major: int = klog.SLOGC_TCPIP) -> None:
        """Write a record to the log ring."""
        self.logring.write(severity, text, major=major)

    def drop(self, m: Mbuf | None, proto: str, counter: str, why: str = "") -> None:
        """Lose *m*: count it as *counter* of *proto*; if drop tracing is on, tell the log.

        The counter is NetBSD's where it has one (`badsum` of ip), else one of ours.
        """
        self.stats[proto][counter] += 1
        if self.droptrace:
            self.trace_drop(m, proto, counter, why)

    def trace_drop(self, m: Mbuf | None, proto: str, counter: str, why: str = "") -> None:
        """Tell the log where, why and what was lost."""
        where = m.rcvif.name if m is not None and m.rcvif is not None else "local"
        what = m.data[:40].hex() if m is not None else "-"
        size = len(m.data) if m is not None else 0
        self.log(
            klog.DEBUG1,
            f"drop: {proto}.{counter} on {where}: {why or counter}: {size} octets {what}",
        )

    def ifunit(self, name: str) -> Ifnet | None:
        """Return the interface called *name*, or None."""
        for ifp in self.ifnets.values():
            if ifp.name == name:
                return ifp
        return None

    def ioctl(self, row: Ioctl, arg: Any, cred: Cred) -> Any:
        """Check *arg* and the caller's right, then ask the row's handler. Raises NetError."""
        if row.suser and not cred.suser:
            raise NetError("EPERM")
        handler = self.ioctls.get(row.name)
        if handler is None:
            raise NetError("ENOTTY")
        if row.dir != VOID and row.arg is not None:
            wrong = type(arg) is not int if row.arg is int else not isinstance(arg, row.arg)
            if wrong:
                raise NetError("EINVAL")
        self.curcred = cred
        return handler(arg)

    def ioctl_named(self, name: str) -> Ioctl:
        """Return the row of an ioctl; ENOTTY when there is none."""
        row = ROWS.get(name)
        if row is None:
            raise NetError("ENOTTY")
        return row

    def netisr(self, func: Callable[[Mbuf], None], m: Mbuf) -> None:
        """Have *func(m)* called from the next pass, so that nothing recurses into itself."""
        if not self._netisr:
            self.clock.after(0, self._run_netisr)
        self._netisr.append((func, m))

    def _run_netisr(self) -> None:
        work, self._netisr = self._netisr, []
        for func, m in work:
            func(m)
