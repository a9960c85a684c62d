"""Link-local addresses (RFC 3927): what lsm-autoip adds to a stack.

    waiting ── delay ── PROBE_NUM probes ── ANNOUNCE_WAIT ── ours: announced twice, defended
       └ somebody has it: another candidate; after MAX_CONFLICTS of them one a minute

The first candidate is derived from the hardware address, so a box finds its address again. Ours is an
alias beside whatever the interface has; when the interface gets a routable address ours goes (RFC 3927
1.9), and comes back when that one is gone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from zlib import crc32

from libnet.addr import AF_INET, SockaddrIn, ether_ntoa, inet_ntoa
from libnet.clock import Callout
from libnet.engine.kern.log import INFO, WARNING
from libnet.engine.link.ethernet import ETHERTYPE_ARP
from libnet.engine.pfil.pfil import IF_DELADDR, IF_DETACH, IF_FLAGS, IF_LINK, IF_NEWADDR
from libnet.errors import NetError
from libnet.ioctl.ifflags import IFF_LOOPBACK, IFF_NOARP, IFF_UP
from libnet.ioctl.sockio import IfAliasReq
from libnet.wire import Truncated
from libnet.wire import arp as wire

if TYPE_CHECKING:
    from libnet.engine.kern.mbuf import Mbuf
    from libnet.engine.link.ifnet import Ifaddr, Ifnet
    from libnet.engine.stack import Stack

LINKLOCAL_NET: Final = 0xA9FE0000
LINKLOCAL_MASK: Final = 0xFFFF0000
FIRST: Final = 0xA9FE0100  # 169.254.1.0; what is below and above is reserved
COUNT: Final = 254 * 256

PROBE_WAIT_S: Final = 1.0
PROBE_NUM: Final = 3
ANNOUNCE_WAIT_S: Final = 2.0
ANNOUNCE_NUM: Final = 2
ANNOUNCE_INTERVAL_S: Final = 2.0
MAX_CONFLICTS: Final = 10
RATE_LIMIT_INTERVAL_S: Final = 60.0
DEFEND_INTERVAL_S: Final = 10.0

IDLE: Final = "idle"
PROBING: Final = "probing"
OURS: Final = "ours"


def is_linklocal(addr: int) -> bool:
    """Tell whether *addr* is in 169.254/16."""
    return addr & LINKLOCAL_MASK == LINKLOCAL_NET


class AutoipConf:
    """Options of the module.

    ifname   the interface              first    first address to try, 0 for the one of the hardware
    debug    tell every step            abandon  leave at the first conflict instead of defending
    delay_s  between two probes         force    keep ours beside a routable address (needs old)
    old      reach 169.254/16 through the routable address while there is one
    """

    __slots__ = ("abandon", "debug", "delay_s", "first", "force", "ifname", "old")

    def __init__(
        self,
        ifname: str = "en0",
        *,
        first: int = 0,
        debug: bool = False,
        abandon: bool = False,
        delay_s: float = 2.0,
        force: bool = False,
        old: bool = False,
    ) -> None:
        self.ifname, self.first, self.debug, self.abandon = ifname, first, debug, abandon
        self.delay_s, self.force, self.old = delay_s, force, old


class Autoip:
    """The module at work on one interface.

    state      idle, probing or ours      addr  the candidate, or our address; 0 while idle
    conflicts  in a row, since an address was ours
    """

    def __init__(self, stack: Stack, conf: AutoipConf) -> None:
        """Start. Raises ENXIO when there is no such interface, EINVAL when it has no ARP."""
        ifp = stack.ifunit(conf.ifname)
        if ifp is None:
            raise NetError("ENXIO")
        if len(ifp.lladdr) != 6 or ifp.flags & (IFF_LOOPBACK | IFF_NOARP):
            raise NetError("EINVAL")
        self.stack, self.conf = stack, conf
        self.ifp: Ifnet | None = ifp
        self.state = IDLE
        self.addr = 0
        self.conflicts = 0
        self._last = 0  # what was ours last: tried first when the interface comes back
        self._usable = False  # the interface was up and linked when it was last looked at
        self._tried = False  # the first candidate has had its turn
        self._sent = 0
        self._defended: float | None = None
        self._timer: Callout | None = None
        self._look: Callout | None = None
        self._route: Ifaddr | None = None  # routable address that 169.254/16 is reached through
        self._next = stack.ethertypes[ETHERTYPE_ARP]
        stack.ethertypes[ETHERTYPE_ARP] = self.input
        stack.pfil.add_ifnet(self._event)
        if not ifp.flags & IFF_UP:
            ifp.up()
        self._look_later()

    # -- the interface

    def _event(self, event: str, ifp: Ifnet, _arg: Any) -> None:
        if ifp is not self.ifp:
            return
        if event == IF_DETACH:
            self._stop()
            self.ifp = self._route = None
            self.stack.pfil.remove_ifnet(self._event)
            if self.stack.ethertypes[ETHERTYPE_ARP] == self.input:
                self.stack.ethertypes[ETHERTYPE_ARP] = self._next
        elif event in (IF_NEWADDR, IF_DELADDR, IF_FLAGS, IF_LINK):
            # In the middle of somebody's change: look when it is done.
            self._look_later()

    def _look_later(self) -> None:
        if self._look is None:
            self._look = self.stack.clock.after(0, self._reconsider)

    def _reconsider(self) -> None:
        """Begin, go on or leave, by what the interface has now."""
        self._look = None
        ifp = self.ifp
        if ifp is None:
            return
        others = [ifa for ifa in ifp.inet_addrs(AF_INET) if ifa.addr and not is_linklocal(ifa.addr)]
        if self.state == OURS and self.stack.ip.addrs.on(self.addr, ifp) is None:
            self._stop()  # somebody deleted it: begin again with the same one
        was_usable, self._usable = self._usable, bool(ifp.flags & IFF_UP) and ifp.has_link
        if self.state == OURS and self._usable and not was_usable:
            # It may be another wire by now: what was ours has to be probed again (RFC 3927 2.2.1).
            self._leave("the link came back")
        wanted = (not others or self.conf.force) and self._usable
        self._reach(others[0] if others and self.conf.old and not self.conf.force else None)
        if not wanted:
            if self.state == PROBING or (self.state == OURS and others and not self.conf.force):
                self._leave("not needed" if others else "the interface is down")
            return
        if self.state == IDLE:
            self._tried = False
            self._claim()

    def _reach(self, ifa: Ifaddr | None) -> None:
        """Have 169.254/16 reached directly, as *ifa*; None: not by our doing."""
        if ifa is self._route:
            return
        old, self._route = self._route, ifa
        table = self.stack.route
        if old is not None:
            for rt in table.exact(LINKLOCAL_NET, LINKLOCAL_MASK):
                if rt.ifa is old:
                    table.delete(rt)
        if ifa is not None:
            try:
                gateway = SockaddrIn(ifa.addr)
                table.rtrequest(
                    "add", LINKLOCAL_NET, LINKLOCAL_MASK, gateway, 0, ifa=ifa, ifp=ifa.ifp
                )
            except NetError as exc:
                self._route = None
                self._log(WARNING, f"route 169.254/16: {exc.strerror}")

    # -- claiming

    def _log(self, severity: int, text: str) -> None:
        self.stack.log(severity, f"autoip: {self.conf.ifname}: {text}")

    def _debug(self, text: str) -> None:
        if self.conf.debug:
            self._log(INFO, text)

    def _after(self, delay_s: float, func: Any) -> None:
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.stack.clock.after(delay_s, func)

    def _candidate(self) -> int:
        assert self.ifp is not None
        if self._tried:
            return FIRST + self.stack.dice.getrandbits(32) % COUNT
        self._tried = True
        return self._last or self.conf.first or FIRST + crc32(self.ifp.lladdr) % COUNT

    def _claim(self) -> None:
        """Probe a candidate after a random moment: boxes that got power together probe apart."""
        self.state = PROBING
        self.addr = self._candidate()
        self._sent = 0
        wait_s = RATE_LIMIT_INTERVAL_S if self.conflicts >= MAX_CONFLICTS else 0.0
        self._after(wait_s + PROBE_WAIT_S * self.stack.dice.random(), self._probe)

    def _probe(self) -> None:
        assert self.ifp is not None
        if self._sent == PROBE_NUM:
            self._take()
            return
        self._sent += 1
        self._debug(f"probing {inet_ntoa(self.addr)}")
        self.stack.arp.request(self.ifp, 0, self.addr, self.ifp.lladdr)
        wait_s = ANNOUNCE_WAIT_S if self._sent == PROBE_NUM else self.conf.delay_s
        self._after(wait_s, self._probe)

    def _take(self) -> None:
        """Add the address; that announces it for the first time."""
        ifp = self.ifp
        assert ifp is not None
        self.state = OURS
        self._last = self.addr
        self.conflicts = 0
        self._defended = None
        self._sent = 1
        mask = SockaddrIn(LINKLOCAL_MASK)
        broadcast = SockaddrIn(LINKLOCAL_NET | ~LINKLOCAL_MASK & 0xFFFFFFFF)
        try:
            self.stack.in_control.aifaddr(
                IfAliasReq(ifp.name, SockaddrIn(self.addr), broadcast, mask)
            )
        except NetError as exc:
            self._log(WARNING, f"{inet_ntoa(self.addr)}: {exc.strerror}")
            self._stop()
            return
        self._log(INFO, f"{inet_ntoa(self.addr)} is ours")
        self._after(ANNOUNCE_INTERVAL_S, self._announce)

    def _announce(self) -> None:
        assert self.ifp is not None
        self.stack.arp.request(self.ifp, self.addr, self.addr, self.ifp.lladdr)
        self._sent += 1
        if self._sent < ANNOUNCE_NUM:
            self._after(ANNOUNCE_INTERVAL_S, self._announce)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
        self.state = IDLE
        self.addr = 0

    def _leave(self, why: str) -> None:
        """Give up the candidate or the address."""
        addr, was, ifp = self.addr, self.state, self.ifp
        self._stop()
        if was != OURS or ifp is None:
            return
        self._log(INFO, f"{inet_ntoa(addr)} given up: {why}")
        ifa = self.stack.ip.addrs.on(addr, ifp)
        if ifa is not None:
            self.stack.in_control.remove(ifa)

    # -- ARP

    def input(self, m: Mbuf) -> None:
        """See an ARP packet before ARP itself does."""
        if self.state != IDLE and m.rcvif is self.ifp:
            self._watch(m)
        self._next(m)

    def _watch(self, m: Mbuf) -> None:
        try:
            arp = wire.Arp.parse(m.data)
        except Truncated:
            return  # ARP counts it
        assert self.ifp is not None
        if arp.pro != wire.PROTO_IP or arp.pln != 4 or arp.sha == self.ifp.lladdr:
            return
        addr = self.addr.to_bytes(4, "big")
        probe = arp.op == wire.ARPOP_REQUEST and arp.spa == bytes(4) and arp.tpa == addr
        if arp.spa != addr and not (probe and self.state == PROBING):
            return
        who = ether_ntoa(arp.sha)
        if self.state == PROBING:
            self._debug(f"{inet_ntoa(self.addr)} is {who}'s")
            self._another()
            return
        now = self.stack.clock.now
        again = self._defended is not None and now - self._defended < DEFEND_INTERVAL_S
        if self.conf.abandon or again:
            self._leave(f"{who} has it too")
            self._another()
            return
        self._defended = now
        self._debug(f"{inet_ntoa(self.addr)} defended against {who}")
        self.stack.arp.request(self.ifp, self.addr, self.addr, self.ifp.lladdr)

    def _another(self) -> None:
        self.conflicts += 1
        self._tried = True
        self._claim()
