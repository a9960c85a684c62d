"""ARP for IPv4 on Ethernet (RFC 826; RFC 1122 section 2.3.2; NetBSD if_arp).

An entry is a host route: cloned from the connected network's when a neighbour is first needed, or
entered by hand. Its gateway is the link address, empty until somebody answers; `rt.llinfo` is the
LlinfoArp here.

A neighbour that does not answer is asked MAXTRIES times, RETRY_S apart, with the latest packet for it
held. Then it is down: the route is RTF_REJECT for `down` seconds and senders get EHOSTDOWN (EHOSTUNREACH
when it was their router). What has answered is good for `keep` seconds. Every `prune` seconds the table
is walked: what expires within `refresh` seconds and was sent to since it was last confirmed is asked
again, what has expired goes.

Setting an address broadcasts a request for that very address (gratuitous ARP, and the probe for a
duplicate at once): whoever has it answers, and "duplicate IP address" is in the log.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from libnet.addr import ETHER_BROADCAST, SockaddrDl, ether_ntoa, inet_ntoa
from libnet.clock import Callout
from libnet.engine.kern.log import DEBUG1, ERROR, INFO, WARNING
from libnet.engine.kern.mbuf import M_BCAST, M_MCAST, Mbuf
from libnet.engine.link.ethernet import ETHERTYPE_ARP
from libnet.errors import NetError
from libnet.ioctl.ifflags import IFF_LOOPBACK, IFF_NOARP
from libnet.wire import Truncated
from libnet.wire import arp as wire
from libnet.wire.rtsock import (
    RTF_ANNOUNCE,
    RTF_CLONED,
    RTF_CLONING,
    RTF_GATEWAY,
    RTF_LLINFO,
    RTF_REJECT,
    RTF_STATIC,
    RTF_UP,
)

if TYPE_CHECKING:
    from libnet.engine.inet.inetstack import InetStack
    from libnet.engine.kern.sysctl import SysctlTree
    from libnet.engine.link.ifnet import Ifaddr, Ifnet
    from libnet.engine.route.table import Rtentry

MAXTRIES: Final = 5
RETRY_S: Final = 1.0
LINKLOCAL: Final = 0xA9FE  # upper half of the addresses of 169.254/16


class LlinfoArp:
    """struct llinfo_arp.

    rt     the host route              hold   latest packet that waits, or None
    asked  requests since the last answer or the last time it was given up
    last   wall time of the last request      retry  when the next one is due
    """

    __slots__ = ("asked", "hold", "ifp", "last", "retry", "rt")

    def __init__(self, rt: Rtentry, ifp: Ifnet) -> None:
        self.rt = rt
        self.ifp = ifp
        self.hold: Mbuf | None = None
        self.asked = 0
        self.last = 0.0
        self.retry: Callout | None = None


class Arp:
    """The ARP of one stack.

    prune, keep, down, refresh  seconds, net.inet.arp.*
    entries                     all LlinfoArp in order of entry
    """

    def __init__(self, stack: InetStack) -> None:
        self.stack = stack
        self.stat = stack.stat("arp")
        self.entries: dict[LlinfoArp, None] = {}
        self.prune = 300
        self.keep = 1200
        self.down = 20
        self.refresh = 300
        self._timer: Callout | None = None

    def sysctl_setup(self, tree: SysctlTree) -> None:
        """Plant net.inet.arp."""
        tree.node("net.inet.arp", None, "Address Resolution Protocol")
        for name, desc in (
            ("prune", "ARP cache pruning interval (seconds)"),
            ("keep", "Seconds that a resolved entry is kept"),
            ("down", "Seconds that an unanswered address is taken for down"),
            ("refresh", "Seconds before the end of an entry that it is asked for again"),
        ):
            changed = self._reprune if name == "prune" else None
            tree.int_node(
                f"net.inet.arp.{name}", None, self, name, lo=1, desc=desc, changed=changed
            )
        tree.struct_node("net.inet.arp.stats", None, lambda: dict(self.stat), "ARP statistics")

    # -- the routing table's side

    def rtrequest(self, cmd: str, rt: Rtentry) -> None:
        """Hear that route *rt* over Ethernet was added, cloned or is gone (arp_rtrequest)."""
        self.stack.ip.flow.invalidate_all()
        if rt.flags & RTF_GATEWAY:
            return
        if cmd == "delete":
            self._forget(rt)
            return
        if rt.flags & RTF_CLONING:
            # "Permanent" itself; what is cloned from it starts out expired.
            rt.expire = self._now()
            return
        gate = rt.gateway
        if not isinstance(gate, SockaddrDl):
            self.stack.log(DEBUG1, "arp_rtrequest: bad gateway value")
            return
        rt.gateway = gate = SockaddrDl(rt.ifp.index, rt.ifp.type, "", gate.lladdr)
        if cmd == "add" and rt.flags & RTF_ANNOUNCE and gate.lladdr:
            self.request(rt.ifp, rt.dst, rt.dst, gate.lladdr)
        if rt.llinfo is not None:
            return
        la = rt.llinfo = LlinfoArp(rt, rt.ifp)
        rt.flags |= RTF_LLINFO
        self.entries[la] = None
        if self._timer is None:
            self._timer = self.stack.clock.after(RETRY_S, self._prune)
        if not rt.proxy:
            ifa = self.stack.ip.addrs.on(rt.dst, rt.ifp)
            if ifa is not None:
                self._to_ourselves(rt, ifa)

    def _to_ourselves(self, rt: Rtentry, ifa: Ifaddr) -> None:
        """Send what is for an address of ours through the loopback."""
        rt.expire = 0
        rt.gateway = SockaddrDl(rt.ifp.index, rt.ifp.type, "", rt.ifp.lladdr)
        for ifp in self.stack.ifnets.values():
            if ifp.flags & IFF_LOOPBACK:
                rt.ifp = ifp
                rt.mtu = rt.mtu or ifp.mtu
                break
        rt.ifa = ifa

    def _forget(self, rt: Rtentry) -> None:
        la = rt.llinfo
        if la is None:
            return
        rt.llinfo = None
        rt.flags &= ~RTF_LLINFO
        self.entries.pop(la, None)
        if la.retry is not None:
            la.retry.stop()
            la.retry = None
        held, la.hold = la.hold, None
        if held is not None:
            self.stack.drop(held, "arp", "dfrdropped", "the entry is gone")

    def _now(self) -> int:
        return int(self.stack.clock.wall()) or 1

    # -- sending

    def resolve(self, ifp: Ifnet, rt: Rtentry | None, m: Mbuf, dst: int) -> bytes | None:
        """Return the link address of next hop *dst*; None when *m* is held until it is known.

        rt  the route the packet follows, None to look one up
        Raises EHOSTDOWN or EHOSTUNREACH for a neighbour that did not answer, ENOBUFS when there is no
        entry to be had.
        """
        asked_for = rt
        if rt is None or not rt.flags & RTF_UP:
            asked_for = rt = self.stack.route.rtalloc(dst)
        if rt is not None and rt.flags & RTF_GATEWAY:
            gw = rt.gwroute
            rt = gw if gw is not None and gw.flags & RTF_UP else self.stack.route.gateroute(rt)
            if rt is None:
                self.stack.drop(m, "arp", "nogwroute", f"no way to router {inet_ntoa(dst)}")
                raise NetError("EHOSTUNREACH")
        la: LlinfoArp | None = None if rt is None else rt.llinfo
        if la is None or rt is None:
            return self._no_entry(ifp, m, dst)
        expire = rt.expire
        gate = rt.gateway
        if expire and expire <= (now := self._now()):
            lladdr = b""
        else:
            lladdr = gate.lladdr if isinstance(gate, SockaddrDl) else b""
            if lladdr:
                rt.pksent = int(self.stack.clock.wall())
                return lladdr
            now = self._now()
        if rt.flags & RTF_REJECT and expire > now:
            self.stack.drop(m, "arp", "rejected", f"{inet_ntoa(dst)} is down")
            raise NetError("EHOSTDOWN" if rt is asked_for else "EHOSTUNREACH")
        if ifp.flags & IFF_NOARP:
            self.stack.drop(m, "arp", "noarp", f"{ifp.name} asks nobody")
            raise NetError("EHOSTUNREACH")
        self.stat["dfrtotal"] += 1
        held, la.hold = la.hold, m
        if held is not None:
            self.stack.drop(held, "arp", "dfrdropped", "a later packet took its place")
        rt.flags &= ~RTF_REJECT
        if la.retry is None:
            la.asked = 0
            self._ask(la)
        return None

    def _no_entry(self, ifp: Ifnet, m: Mbuf, dst: int) -> bytes | None:
        self.stack.log(
            DEBUG1, f"arpresolve: can't allocate llinfo on {ifp.name} for {inet_ntoa(dst)}"
        )
        self.stack.drop(m, "arp", "allocfail", f"no entry for {inet_ntoa(dst)}")
        raise NetError("EHOSTUNREACH")

    def _ask(self, la: LlinfoArp) -> None:
        """Send the next request for a packet that waits, or give up."""
        la.retry = None
        rt = la.rt
        if la.hold is None or not rt.flags & RTF_UP:
            return
        if la.asked >= MAXTRIES:
            held, la.hold = la.hold, None
            la.asked = 0
            rt.flags |= RTF_REJECT
            rt.expire = self._now() + self.down
            if isinstance(rt.gateway, SockaddrDl):
                rt.gateway = SockaddrDl(rt.gateway.index, rt.gateway.type)
            self.stack.drop(held, "arp", "dfrdropped", f"{inet_ntoa(rt.dst)} does not answer")
            return
        la.asked += 1
        rt.expire = self._now()
        la.retry = self.stack.clock.after(RETRY_S, lambda: self._ask(la))
        self.request(rt.ifp, rt.ifa.addr, rt.dst, rt.ifp.lladdr)

    def request(self, ifp: Ifnet, sip: int, tip: int, enaddr: bytes) -> None:
        """Broadcast a request for *tip* as *sip* at *enaddr* (arprequest)."""
        self.stat["sndtotal"] += 1
        self.stat["sndrequest"] += 1
        packet = wire.arp_build(wire.ARPOP_REQUEST, enaddr, sip, bytes(6), tip)
        self._send(ifp, ETHER_BROADCAST, packet)

    def _send(self, ifp: Ifnet, lladdr: bytes, packet: bytes) -> None:
        try:
            self.stack.ethernet.send(ifp, lladdr, ETHERTYPE_ARP, packet)
        except NetError as exc:
            # Nobody waits for it; the retry is on its way already.
            self.stat["snderrors"] += 1
            if self.stack.droptrace:
                self.stack.log(DEBUG1, f"drop: arp on {ifp.name}: {exc.symbol}")

    def ifinit(self, ifp: Ifnet, ifa: Ifaddr) -> None:
        """Announce and probe a new address of *ifp* (arp_ifinit)."""
        if ifa.addr and not ifp.flags & IFF_NOARP:
            self.request(ifp, ifa.addr, ifa.addr, ifp.lladdr)

    # -- receiving

    def input(self, m: Mbuf) -> None:
        """Take a received ARP packet (arpintr)."""
        self.stat["rcvtotal"] += 1
        try:
            arp = wire.Arp.parse(m.data)
        except Truncated:
            self.stack.drop(m, "arp", "rcvbadlen")
            return
        if arp.pro not in (wire.PROTO_IP, wire.PROTO_TRAIL):
            self.stack.drop(m, "arp", "rcvbadproto", f"protocol {arp.pro:#06x}")
            return
        if arp.pln != 4:
            self.stack.drop(m, "arp", "rcvbadlen", f"protocol address of {arp.pln} octets")
            return
        assert m.rcvif is not None
        if m.rcvif.flags & IFF_NOARP:
            self.stack.drop(m, "arp", "noarp", f"{m.rcvif.name} does without")
            return
        self._in_arpinput(m, m.rcvif, arp)

    def _in_arpinput(self, m: Mbuf, ifp: Ifnet, arp: wire.Arp) -> None:
        stack = self.stack
        isaddr = int.from_bytes(arp.spa, "big")
        itaddr = int.from_bytes(arp.tpa, "big")
        if m.flags & (M_BCAST | M_MCAST):
            self.stat["rcvmcast"] += 1
        if not itaddr:
            stack.drop(m, "arp", "rcvzerotpa")
            return
        if not isaddr:
            self._probe(m, ifp, arp, itaddr)
            return
        ifa = self._ours(itaddr, ifp) or stack.ip.addrs.on(isaddr, ifp) or stack.ip.addrs.first(ifp)
        if ifa is None:
            stack.drop(m, "arp", "rcvnoint", f"{ifp.name} has no address")
            return
        ifp = ifa.ifp
        if arp.sha == ifp.lladdr:
            stack.drop(m, "arp", "rcvlocalsha")
            return
        if arp.sha == ETHER_BROADCAST:
            stack.log(
                ERROR,
                f"{ifp.name}: arp: link address is broadcast for IP address {inet_ntoa(isaddr)}!",
            )
            stack.drop(m, "arp", "rcvbcastsha")
            return
        if isaddr == ifa.addr:
            self.stat["rcvlocalspa"] += 1
            stack.log(
                ERROR,
                f"duplicate IP address {inet_ntoa(isaddr)} "
                f"sent from link address {ether_ntoa(arp.sha)}",
            )
            itaddr = ifa.addr
        elif not self._learn(m, ifp, arp, isaddr, itaddr == ifa.addr):
            return
        if arp.op == wire.ARPOP_REPLY:
            self.stat["rcvreply"] += 1
        elif arp.op == wire.ARPOP_REQUEST:
            self.stat["rcvrequest"] += 1
            self._answer(ifp, arp, isaddr, itaddr, ifa)
        else:
            stack.drop(m, "arp", "rcvbadop", f"operation {arp.op}")

    def _probe(self, m: Mbuf, ifp: Ifnet, arp: wire.Arp, itaddr: int) -> None:
        """Take a request whose sender has no address yet.

        RFC 5227 2.1.1: such a probe asks whether the address is free, so the one who has it says so.
        """
        self.stat["rcvzerospa"] += 1
        ifa = self._ours(itaddr, ifp)
        if arp.op != wire.ARPOP_REQUEST or ifa is None or len(arp.sha) != 6:
            if self.stack.droptrace:
                self.stack.trace_drop(m, "arp", "rcvzerospa", "sender without address")
            return
        if arp.sha not in (ifa.ifp.lladdr, ETHER_BROADCAST):
            self.stat["rcvrequest"] += 1
            self._answer(ifa.ifp, arp, 0, itaddr, ifa)

    def _ours(self, itaddr: int, ifp: Ifnet) -> Ifaddr | None:
        """Return our address *itaddr* on *ifp*, or on the bridge that *ifp* is a member of."""
        weaker = None
        for ifa in self.stack.ip.addrs.local.get(itaddr, ()):
            if ifa.ifp is ifp:
                return ifa
            if ifp.bridge is not None and ifa.ifp.bridge is ifp.bridge:
                weaker = ifa
        return weaker

    def _learn(self, m: Mbuf, ifp: Ifnet, arp: wire.Arp, isaddr: int, create: bool) -> bool:
        """Note the sender's link address in its entry, made if *create*; False ends the matter."""
        la = self._lookup(isaddr, ifp, arp, create)
        if la is None:
            return True
        stack, rt = self.stack, la.rt
        gate = rt.gateway
        known = gate.lladdr if isinstance(gate, SockaddrDl) else b""
        who, sender = inet_ntoa(isaddr), ether_ntoa(arp.sha)
        if known and arp.sha[: len(known)] != known:
            if rt.flags & RTF_STATIC:
                stack.log(
                    INFO,
                    f"{sender} tried to overwrite permanent arp info {ether_ntoa(known)} for {who}",
                )
                stack.drop(m, "arp", "rcvoverperm")
                return False
            if rt.ifp is not ifp:
                stack.log(
                    INFO,
                    f"{sender} on {ifp.name} tried to overwrite arp info {ether_ntoa(known)} "
                    f"for {who} on {rt.ifp.name}",
                )
                stack.drop(m, "arp", "rcvoverint")
                return False
            self.stat["rcvover"] += 1
            stack.log(INFO, f"arp info {ether_ntoa(known)} for {who} overwritten by {sender}")
        if known and len(known) != arp.hln:
            self.stat["rcvlenchg"] += 1
            stack.log(WARNING, f"arp from {who}: new addr len {arp.hln}, was {len(known)}")
        if arp.hln != len(ifp.lladdr):
            self.stat["rcvbadlen"] += 1
            stack.log(
                WARNING,
                f"arp from {who}: addr len: new {arp.hln}, i/f {len(ifp.lladdr)} (ignored)",
            )
            return True
        if known != arp.sha:
            rt.gateway = SockaddrDl(rt.ifp.index, rt.ifp.type, "", arp.sha)
            stack.ip.flow.invalidate_all()
        if rt.expire:
            rt.expire = self._now() + self.keep
        rt.flags &= ~RTF_REJECT
        la.asked = 0
        if la.retry is not None:
            la.retry.stop()
            la.retry = None
        held, la.hold = la.hold, None
        if held is not None:
            self.stat["dfrsent"] += 1
            try:
                ifp.output(held, isaddr, rt)
            except NetError as exc:
                stack.drop(held, "ip", "odropped", exc.symbol)
        return True

    def _lookup(self, addr: int, ifp: Ifnet, arp: wire.Arp, create: bool) -> LlinfoArp | None:
        """Return the entry for *addr* (arplookup)."""
        route = self.stack.route
        rt = route.rtalloc(addr) if create else route.rtlookup(addr)
        if rt is None:
            return None
        if rt.flags & (RTF_GATEWAY | RTF_LLINFO) == RTF_LLINFO:
            la: LlinfoArp | None = rt.llinfo
            return la
        if create:
            if rt.flags & RTF_GATEWAY:
                why = "host is not on local network"
            else:
                self.stat["allocfail"] += 1
                why = "could not allocate llinfo"
            self.stack.log(
                DEBUG1,
                f"arplookup: unable to enter address for {inet_ntoa(addr)}@{ether_ntoa(arp.sha)} "
                f"on {ifp.name} ({why})",
            )
            if rt.flags & RTF_CLONED and not rt.refs:
                route.delete(rt)
        return None

    def _answer(self, ifp: Ifnet, arp: wire.Arp, isaddr: int, itaddr: int, ifa: Ifaddr) -> None:
        """Answer a request if *itaddr* is ours or one that we publish."""
        if arp.hln != 6 or len(ifp.lladdr) != 6:
            return
        if itaddr == ifa.addr:
            enaddr = ifp.lladdr
        else:
            published = self._published(itaddr)
            if published is None:
                return
            enaddr = published
        self.stat["sndtotal"] += 1
        self.stat["sndreply"] += 1
        packet = wire.arp_build(wire.ARPOP_REPLY, enaddr, itaddr, arp.sha, isaddr)
        # Everybody is to hear who uses a link-local address (RFC 3927 2.5).
        self._send(ifp, ETHER_BROADCAST if itaddr >> 16 == LINKLOCAL else arp.sha, packet)

    def _published(self, addr: int) -> bytes | None:
        """Return the link address to answer for *addr* with: a proxy-only entry or a published one."""
        rt = self.stack.route.proxy(addr)
        if rt is None:
            rt = self.stack.route.rtlookup(addr)
            if rt is None or not rt.flags & RTF_ANNOUNCE or rt.flags & RTF_GATEWAY:
                return None
        gate = rt.gateway
        return gate.lladdr if isinstance(gate, SockaddrDl) and len(gate.lladdr) == 6 else None

    # -- ageing

    def _reprune(self) -> None:
        if self._timer is not None:
            self._timer.stop()
            self._timer = self.stack.clock.after(self.prune, self._prune)

    def _prune(self) -> None:
        """Walk the table: ask again for what is in use, drop what has expired (arptimer)."""
        self._timer = None
        now = self._now()
        for la in list(self.entries):
            rt = la.rt
            if not rt.expire or la.retry is not None:
                continue
            if rt.expire - now < self.refresh and rt.pksent > now - self.keep and rt.expire > now:
                self.request(rt.ifp, rt.ifa.addr, rt.dst, rt.ifp.lladdr)
            elif rt.expire <= now:
                self._free(la)
        if self.entries and self._timer is None:
            self._timer = self.stack.clock.after(self.prune, self._prune)

    def _free(self, la: LlinfoArp) -> None:
        """Let an expired entry go, or only its address when somebody holds the route (arptfree)."""
        rt = la.rt
        if rt.refs > 0:
            if isinstance(rt.gateway, SockaddrDl):
                rt.gateway = SockaddrDl(rt.gateway.index, rt.gateway.type)
            la.asked = 0
            rt.flags &= ~RTF_REJECT
            self.stack.ip.flow.invalidate_all()
            return
        self.stack.route.delete(rt)

    def drain(self) -> None:
        """Give up every held packet (arp_drain)."""
        for la in self.entries:
            held, la.hold = la.hold, None
            if held is not None:
                self.stack.drop(held, "arp", "dfrdropped", "drained")

    def ifdetach(self, ifp: Ifnet) -> None:
        """Forget what is learned on an interface that goes away or down."""
        for la in list(self.entries):
            if la.ifp is ifp and la.hold is not None:
                held, la.hold = la.hold, None
                self.stack.drop(held, "arp", "dfrdropped", f"{ifp.name} went down")

    def ifaddr_changed(self, ifa: Ifaddr) -> None:
        """Forget what was learned of an address that has become ours, or is no longer."""
        for la in list(self.entries):
            if la.rt.dst == ifa.addr and la.ifp is ifa.ifp and not la.rt.flags & RTF_STATIC:
                self.stack.route.delete(la.rt)
