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
_SLOW_S: Final = 0.5
_UP_RUNNING: Final = IFF_UP | IFF_RUNNING

# One hop less in the header as a 160-bit number: octet 8 (time to live) minus 1, and octets 10 to 11
# (checksum) plus 0x0100, or, past 0xfffe, plus 0x0100 minus 0xffff (RFC 1624 equation 3).
_STEP: Final = (0x0100 << 64) - (1 << 88)
_WRAP: Final = _STEP - (0xFFFF << 64)


class Ipflow:
    """One flow: link header to put before, largest packet, who sends, what it stands for."""

    __slots__ = ("arp", "header", "idle", "mtu", "next", "ofp", "rt", "seen", "tos", "use")

    def __init__(self, tos: int, header: bytes, ofp: Ifnet, mtu: int) -> None:
        self.tos = tos
        self.header = header
        self.ofp = ofp
        self.mtu = mtu
        self.use = 0
        self.seen = 0
        self.idle = 0.0
        self.next: Ipflow | None = None
        self.rt: Rtentry
        self.arp: Rtentry


class IpflowCache:
    """The flows of one stack.

    flows  by the eight octets of source and destination; other types of service hang on `next`
    """

    def __init__(self, ip: Ip) -> None:
        self.ip = ip
        self.stack = ip.stack
        self.stat = ip.stat
        self.head = ip.head
        self.flows: dict[bytes, Ipflow] = {}
        self.count = 0
        self._generation = -1
        self._timer: Callout | None = None
        self._folding = False
        self._use = 0

    def fastforward(self, ifp: Ifnet, frame: bytes) -> bool:
        """Send on a unicast IPv4 frame to us by a flow; False when it needs the full path."""
        flow = self.flows.get(frame[26:34])
        if flow is None:
            return False
        while flow.tos != frame[15]:
            flow = flow.next
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
        header += _STEP if (header >> 64) & 0xFFFF < 0xFEFF else _WRAP
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
        ofp = rt.ifp
        if (
            ofp.type != IFT_ETHER
            or ofp.bridge is not None
            or ofp.flags & _UP_RUNNING != _UP_RUNNING
            or m.flags & (M_BCAST | M_MCAST)
            or m.tags
        ):
            return
        arp: Rtentry | None = rt
        if rt.flags & RTF_GATEWAY:
            arp = rt.gwroute
        if arp is None or not arp.flags & RTF_UP or arp.flags & RTF_REJECT:
            return
        gate = arp.gateway
        if not isinstance(gate, SockaddrDl) or len(gate.lladdr) != 6 or arp.llinfo is None:
            return
        if arp.expire and arp.expire <= self.stack.clock.wall():
            return
        if self._generation != self.stack.route.generation:
            self.invalidate_all()
            self._generation = self.stack.route.generation
        key = m.src.to_bytes(4, "big") + m.dst.to_bytes(4, "big")
        old = self.flows.get(key)
        other = old
        while other is not None:
            if other.tos == m.tos:
                return
            other = other.next
        while self.count >= ip.maxflows:
            self._reap()
            old = self.flows.get(key)
        flow = Ipflow(m.tos, gate.lladdr + ofp.lladdr + ETHERTYPE_IP, ofp, rt.mtu or ofp.mtu)
        flow.rt, flow.arp = rt, arp
        flow.idle = self.stack.clock.now + IPFLOW_TIMEOUT_S
        flow.next = old
        self.flows[key] = flow
        self.count += 1
        if self._timer is None:
            self._timer = self.stack.clock.after(_SLOW_S, self._slowtimo)

    def _reap(self) -> None:
        """Make room: end the flow that is the longest idle (ipflow_reap)."""
        key = min(self.flows, key=lambda k: self.flows[k].idle)
        self._end(key)

    def _end(self, key: bytes) -> None:
        flow: Ipflow | None = self.flows.pop(key)
        while flow is not None:
            self._settle(flow)
            self.count -= 1
            flow = flow.next

    def _settle(self, flow: Ipflow) -> None:
        """Tell the routes what has gone by since the last time."""
        if flow.use != flow.seen:
            flow.rt.use += flow.use - flow.seen
            flow.arp.pksent = int(self.stack.clock.wall())
            flow.seen = flow.use

    def _slowtimo(self) -> None:
        self._timer = None
        now, wall = self.stack.clock.now, self.stack.clock.wall()
        for key, first in list(self.flows.items()):
            flow: Ipflow | None = first
            live = False
            while flow is not None:
                if flow.use != flow.seen:
                    flow.idle = now + IPFLOW_TIMEOUT_S
                self._settle(flow)
                live = live or flow.idle > now
                if flow.arp.expire and flow.arp.expire <= wall:
                    live = False
                    break
                flow = flow.next
            if not live:
                self._end(key)
        if self.flows:
            self._timer = self.stack.clock.after(_SLOW_S, self._slowtimo)

    def invalidate_all(self) -> None:
        """Forget every flow: something that they were made of has changed."""
        if not self.flows:
            return
        for key in list(self.flows):
            self._end(key)
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
