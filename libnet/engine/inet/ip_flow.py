"""The flow cache: forwarding without the full path (NetBSD ip_flow).

What the full path has forwarded once, and nothing objected to, is remembered by source, destination and
type of service, with the link header ready. A frame of a known flow costs a dict lookup, a check of the
header's checksum, and the join of three pieces.

A flow is good while nothing changes: routes (their generation), ARP, interfaces and hooks. Whatever
changes calls invalidate_all(); the routing table's generation and the hook head are looked at with
every frame. While there are flows a slow timer notes the use of routes and ends idle flows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from libnet.addr import SockaddrDl
from libnet.clock import Callout
from libnet.engine.kern.mbuf import M_BCAST, M_MCAST, Mbuf
from libnet.engine.link.ethernet import ETHERTYPE_IP
from libnet.errors import NetError
from libnet.ioctl.ifflags import IFF_RUNNING, IFF_UP, IFT_ETHER
from libnet.wire.ipv4 import IPPROTO_ICMP
from libnet.wire.rtsock import RTF_GATEWAY, RTF_REJECT, RTF_UP

if TYPE_CHECKING:
    from libnet.engine.inet.ip import Ip
    from libnet.engine.link.ifnet import Ifnet
    from libnet.engine.route.table import Rtentry

IPFLOW_TIMEOUT_S: Final = 2.5  # NetBSD: 5 ticks of half a second
SLOW_S: Final = 0.5
_UP_RUNNING: Final = IFF_UP | IFF_RUNNING

# One hop less in the header as a 160-bit number: octet 8 (time to live) minus 1, and octets 10 to 11
# (checksum) plus 0x0100, or, past 0xfffe, plus 0x0100 minus 0xffff (RFC 1624 equation 3).
STEP: Final = (0x0100 << 64) - (1 << 88)
WRAP: Final = STEP - (0xFFFF << 64)


class Ipflow:
    """One flow: link header to put before, largest packet, who sends, what it stands for."""

    __slots__ = ("arp", "header", "idle", "mtu", "ofp", "rt", "seen", "use")

    def __init__(self, header: bytes, ofp: Ifnet, mtu: int) -> None:
        self.header = header
        self.ofp = ofp
        self.mtu = mtu
        self.use = 0
        self.seen = 0
        self.idle = 0.0
        self.rt: Rtentry
        self.arp: Rtentry


class IpflowCache:
    """The flows of one stack.

    flows  by the eight octets of source and destination, then by type of service
    count  how many there are
    """

    def __init__(self, ip: Ip) -> None:
        self.ip = ip
        self.stack = ip.stack
        self.stat = ip.stat
        self.head = ip.head
        self.flows: dict[bytes, dict[int, Ipflow]] = {}
        self.count = 0
        self._generation = -1
        self._timer: Callout | None = None
        self._folding = False
        self._use = 0

    def fastforward(self, ifp: Ifnet, frame: bytes) -> bool:
        """Send on a unicast IPv4 frame to us by a flow; False when it needs the full path."""
        flows = self.flows.get(frame[26:34])
        if flows is None:
            return False
        flow = flows.get(frame[15])
        if flow is None:
            return False
        length = (frame[16] << 8) | frame[17]
        if (
            frame[14] != 0x45
            or frame[22] < 2
            or length > flow.mtu
            or length < 20
            or type(frame) is not bytes
            or self.stack.route.generation != self._generation
            or self.head.hooks_in
            or self.head.hooks_out
        ):
            return False
        size = length + 14
        if size != len(frame):
            if size > len(frame):
                return False
            frame = frame[:size]
        header = int.from_bytes(frame[14:34], "big")
        if header % 0xFFFF:
            return False
        header += STEP if (header >> 64) & 0xFFFF < 0xFEFF else WRAP
        ofp = flow.ofp
        if not self._folding:
            self._folding = True
            self.stack.clock.after(0, self.fold)
        flow.use += 1
        self._use += 1
        try:
            ofp.enqueue(flow.header + header.to_bytes(20, "big") + frame[34:])
        except NetError as exc:
            self.stack.drop(None, "ip", "cantforward", exc.symbol)
        else:
            ofp.obytes += size
        return True

    def fold(self) -> None:
        """Add what the flows have done to the counters of IP."""
        self._folding = False
        use, self._use = self._use, 0
        if use:
            stat = self.stat
            stat["total"] += use
            stat["forward"] += use
            stat["fastforward"] += use

    def create(self, rt: Rtentry, m: Mbuf) -> None:
        """Remember the flow of *m*, which *rt* has just forwarded (ipflow_create)."""
        ip = self.ip
        if not ip.fastforwarding or ip.maxflows <= 0 or m.proto == IPPROTO_ICMP or m.gso_size:
            return
        ways = self.ways(rt, m)
        if ways is None:
            return
        arp, header = ways
        if self._generation != self.stack.route.generation:
            self.invalidate_all()
            self._generation = self.stack.route.generation
        key = m.src.to_bytes(4, "big") + m.dst.to_bytes(4, "big")
        if m.tos in self.flows.get(key, ()):
            return
        while self.count >= ip.maxflows:
            self._reap()
        flow = Ipflow(header, rt.ifp, rt.mtu or rt.ifp.mtu)
        flow.rt, flow.arp = rt, arp
        flow.idle = self.stack.clock.now + IPFLOW_TIMEOUT_S
        self.flows.setdefault(key, {})[m.tos] = flow
        self.count += 1
        if self._timer is None:
            self._timer = self.stack.clock.after(SLOW_S, self._slowtimo)

    def ways(self, rt: Rtentry, m: Mbuf) -> tuple[Rtentry, bytes] | None:
        """Return the neighbour that *rt* leads *m* to, and the link header; None for no flow."""
        ofp = rt.ifp
        if (
            ofp.type != IFT_ETHER
            or ofp.bridge is not None
            or ofp.flags & _UP_RUNNING != _UP_RUNNING
            or m.flags & (M_BCAST | M_MCAST)
            or m.tags
        ):
            return None
        arp: Rtentry | None = rt
        if rt.flags & RTF_GATEWAY:
            arp = rt.gwroute
        if arp is None or not arp.flags & RTF_UP or arp.flags & RTF_REJECT:
            return None
        gate = arp.gateway
        if not isinstance(gate, SockaddrDl) or len(gate.lladdr) != 6 or arp.llinfo is None:
            return None
        if arp.expire and arp.expire <= self.stack.clock.wall():
            return None
        return arp, gate.lladdr + ofp.lladdr + ETHERTYPE_IP

    def _reap(self) -> None:
        """Make room: end the flow that was made first (ipflow_reap, without its walk of all)."""
        key = next(iter(self.flows))
        self._end(key, next(iter(self.flows[key])))

    def _end(self, key: bytes, tos: int) -> None:
        same = self.flows[key]
        self.settle(same.pop(tos))
        if not same:
            del self.flows[key]
        self.count -= 1

    def settle(self, flow: Ipflow) -> None:
        """Tell the routes what has gone by since the last time."""
        if flow.use != flow.seen:
            flow.rt.use += flow.use - flow.seen
            flow.arp.pksent = int(self.stack.clock.wall())
            flow.seen = flow.use

    def _slowtimo(self) -> None:
        self._timer = None
        now, wall = self.stack.clock.now, self.stack.clock.wall()
        for key, same in list(self.flows.items()):
            for tos, flow in list(same.items()):
                if flow.use != flow.seen:
                    flow.idle = now + IPFLOW_TIMEOUT_S
                    self.settle(flow)
                expired = flow.arp.expire and flow.arp.expire <= wall
                if expired or flow.idle <= now:
                    self._end(key, tos)
        if self.flows:
            self._timer = self.stack.clock.after(SLOW_S, self._slowtimo)

    def invalidate_all(self) -> None:
        """Forget every flow: something that they were made of has changed."""
        if not self.flows:
            return
        for same in self.flows.values():
            for flow in same.values():
                self.settle(flow)
        self.flows.clear()
        self.count = 0
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
