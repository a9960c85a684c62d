"""The flow cache while pf is on: a connection's packets go on by one look-up and its two states.

A packet that pf has let in and out again by two plain states (see State.plain), and that IP has
forwarded, leaves a flow behind: the link header to put before, and the two states. The next packet of
the connection costs a dict get, the checks that IP makes of a header, and what the states would check:
the length that UDP claims, or TCP's windows, of both states, since both have seen the same segments.

What the packets are counted by (states, rules, interfaces) is brought up to date when somebody looks
or an interval is over. A flow ends with a state, or when one of them leaves the plain life: a packet
of it that takes the long way ends its flows. See ip_flow for what else ends them all.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import TYPE_CHECKING, Final

from libnet.clock import Callout
from libnet.engine.inet.ip_flow import IPFLOW_TIMEOUT_S, SLOW_S, STEP, WRAP, Ipflow, IpflowCache
from libnet.engine.pf.track import in_window
from libnet.errors import NetError
from libnet.ioctl import pf as p
from libnet.wire.ipv4 import IPPROTO_TCP, IPPROTO_UDP

if TYPE_CHECKING:
    from libnet.engine.kern.mbuf import Mbuf
    from libnet.engine.link.ifnet import Ifnet
    from libnet.engine.pf.pf import Pf
    from libnet.engine.pf.pf_if import Kif
    from libnet.engine.pf.state import Peer, State
    from libnet.engine.route.table import Rtentry

_M: Final = 0xFFFFFFFF
_u32 = Struct("!I").unpack_from
# In which timeout both sides of a state have spoken, by protocol.
SPOKEN: Final = {IPPROTO_UDP: p.PFTM_UDP_MULTIPLE, IPPROTO_TCP: p.PFTM_TCP_ESTABLISHED}


class PfFlow(Ipflow):
    """One direction of one connection.

    first    version, header length and type of service, as octets
    ifp      where it comes in; kif, out   that and where it goes, as pf knows them
    one, two states that let it in and out
    src, dst    sides of the first: sender, receiver; src2, dst2  of the second
    octets   of packets that are not counted yet; counted  packets that are
    last     second of the last packet
    """

    __slots__ = (
        "counted",
        "dst",
        "dst2",
        "first",
        "ifp",
        "kif",
        "last",
        "octets",
        "one",
        "out",
        "proto",
        "src",
        "src2",
        "two",
    )

    def __init__(self, header: bytes, rt: Rtentry, arp: Rtentry, m: Mbuf) -> None:
        super().__init__(header, rt.ifp, rt.mtu or rt.ifp.mtu)
        assert m.rcvif is not None
        self.rt, self.arp = rt, arp
        self.first = bytes((0x45, m.tos))
        self.proto, self.ifp = m.proto, m.rcvif
        self.octets = self.counted = 0
        self.last = 0.0
        self.kif: Kif
        self.out: Kif
        self.one: State
        self.two: State
        self.src: Peer
        self.dst: Peer
        self.src2: Peer
        self.dst2: Peer


class PfFlows(IpflowCache):
    """The flows of one stack whose pf is on.

    conns  by the octets of source, destination and ports that come in
    open   whether flows are to be made at all
    """

    def __init__(self, pf: Pf) -> None:
        super().__init__(pf.stack.ip)
        self.pf = pf
        self.conns: dict[bytes, PfFlow] = {}
        self._hooks = -1
        self._slow: Callout | None = None
        self._other = pf.stack.ip.flow
        self.open = False
        self.send_on = self._make()

    def _make(self) -> Callable[[Ifnet, bytes], bool]:
        """Return what fastforward() is here, its surroundings bound: every packet comes by."""
        get, route, head, stack = self.conns.get, self.stack.route, self.head, self.stack
        clock, integer, this = self.stack.clock, int.from_bytes, self

        def send_on(ifp: Ifnet, frame: bytes) -> bool:
            flow = get(frame[26:38])
            if flow is None:
                return False
            length = frame[16] << 8 | frame[17]
            if (
                frame[14:16] != flow.first
                or frame[23] != flow.proto
                or frame[22] < 2
                or length > flow.mtu
                or length < 28
                or frame[21]
                or frame[20] & 0x3F
                or ifp is not flow.ifp
                or type(frame) is not bytes
                or route.generation != this._generation
                or head.generation != this._hooks
            ):
                return False
            size = length + 14
            if size != len(frame):
                if size > len(frame):
                    return False
                frame = frame[:size]
            header = integer(frame[14:34], "big")
            if header % 0xFFFF:
                return False
            src = flow.src
            if flow.proto == IPPROTO_UDP:
                if not 8 <= (frame[38] << 8 | frame[39]) <= length - 20:
                    return False
            elif frame[42:50] == src.tail and flow.dst.seqlo == src.tail_lo:
                # It acknowledges what the last one did: only its data are to be looked at.
                plen = length - src.tail_len
                if plen:
                    seqlo, room = src.seqlo, src.room
                    reach = (_u32(frame, 38)[0] - seqlo + room & _M) + plen
                    if (
                        reach > (src.seqhi - seqlo & _M) + room
                        or plen < 0
                        or flow.src2.seqlo != seqlo
                    ):
                        return False
                    if reach > room:
                        src.seqlo = flow.src2.seqlo = seqlo + reach - room & _M
            else:
                packet = frame[14:]
                if not in_window(src, flow.dst, packet, length) or not in_window(
                    flow.src2, flow.dst2, packet, length
                ):
                    return False
            header += STEP if (header >> 64) & 0xFFFF < 0xFEFF else WRAP
            flow.use += 1
            flow.octets += length
            flow.last = clock.now
            ofp = flow.ofp
            try:
                ofp.enqueue(flow.header + header.to_bytes(20, "big") + frame[34:])
            except NetError as exc:
                stack.drop(None, "ip", "cantforward", exc.symbol)
            else:
                ofp.obytes += size
            return True

        return send_on

    def take_over(self) -> None:
        """Be the flow cache: pf is on."""
        self._other.invalidate_all()
        self.ip.flow = self
        self.stack.ethernet.fastforward = self.send_on
        self.invalidate_all()

    def give_back(self) -> None:
        """Let the plain cache have its place again: pf is off."""
        self.invalidate_all()
        self.open = False
        self.ip.flow = self._other
        self.stack.ethernet.fastforward = self._other.fastforward

    # -- coming and going

    def create(self, rt: Rtentry, m: Mbuf) -> None:
        """Remember the flow of *m*, which pf has passed twice and *rt* has forwarded."""
        head = self.head
        if (
            not self.open
            or m.hlen != 20
            or m.ip_off & 0x3FFF
            or m.gso_size
            or m.rcvif is None
            or m.proto not in SPOKEN
            or len(head.hooks_in) != 1
            or len(head.hooks_out) != 1
        ):
            return
        if self._generation != self.stack.route.generation or self._hooks != head.generation:
            self.invalidate_all()
            self._generation, self._hooks = self.stack.route.generation, head.generation
        key = m.data[12:24]
        # When all places are taken, one becomes free as an idle flow ends.
        if key in self.conns or self.count >= self.ip.maxflows:
            return
        ways = self.ways(rt, m)
        if ways is None:
            return
        flow = PfFlow(ways[1], rt, ways[0], m)
        if self._bind(flow, key):
            flow.idle = self.stack.clock.now + IPFLOW_TIMEOUT_S
            self.conns[key] = flow
            self.count += 1
            if self._slow is None:
                self._slow = self.stack.clock.after(SLOW_S, self._slowtimo)

    def _bind(self, flow: PfFlow, key: bytes) -> bool:
        """Give *flow* its interfaces and states; False when one of them needs the long way."""
        pf, proto = self.pf, flow.proto
        kif, out = pf.kifs.by_ifp.get(flow.ifp), pf.kifs.by_ifp.get(flow.ofp)
        if kif is None or out is None or kif.skip or out.skip or pf.scrubbing:
            return False
        one = _plain(pf.states.going_in[proto].get(key), kif, proto)
        two = _plain(pf.states.going_out[proto].get(key), out, proto)
        if one is None or two is None or one is two:
            return False
        flow.kif, flow.out, flow.one, flow.two = kif, out, one, two
        flow.src, flow.dst = (one.src, one.dst) if one.direction == p.PF_IN else (one.dst, one.src)
        flow.src2, flow.dst2 = (
            (two.src, two.dst) if two.direction == p.PF_OUT else (two.dst, two.src)
        )
        if proto == IPPROTO_TCP and not (flow.src.alike(flow.src2) and flow.dst.alike(flow.dst2)):
            return False
        one.cached = two.cached = True
        return True

    def forget(self, state: State) -> None:
        """End the flows of *state*: it has gone, or is about to change."""
        state.cached = False
        for key in (state.key_in, state.key_out):
            flow = self.conns.get(key)
            if flow is not None and (flow.one is state or flow.two is state):
                self._end(key)

    def _end(self, key: bytes, _tos: int = 0) -> None:
        flow = self.conns.pop(key)
        self.count -= 1
        self._count(flow)
        self.settle(flow)

    def _slowtimo(self) -> None:
        now, wall = self.stack.clock.now, self.stack.clock.wall()
        self._slow = None
        self.fold()
        for key, flow in list(self.conns.items()):
            if flow.use != flow.seen:
                flow.idle = now + IPFLOW_TIMEOUT_S
                self.settle(flow)
            expired = flow.arp.expire and flow.arp.expire <= wall
            if expired or flow.idle <= now:
                self._end(key)
        if self.conns:
            self._slow = self.stack.clock.after(SLOW_S, self._slowtimo)

    def invalidate_all(self) -> None:
        """Forget every flow: something that they were made of has changed."""
        for key in list(self.conns):
            self._end(key)
        if self._slow is not None:
            self._slow.stop()
            self._slow = None
        self.open = self.ip.flow is self and self.ip.fastforwarding and self.ip.maxflows > 0

    # -- counting

    def fold(self) -> None:
        """Bring all counters up to date."""
        for flow in self.conns.values():
            if flow.use != flow.counted:
                self._count(flow)

    def _count(self, flow: PfFlow) -> None:
        """Count what has gone by since the last time, as IP and pf's hooks would have."""
        packets, octets = flow.use - flow.counted, flow.octets
        if not packets:
            return
        flow.counted, flow.octets = flow.use, 0
        stat = self.stat
        stat["total"] += packets
        stat["forward"] += packets
        stat["fastforward"] += packets
        one, two = flow.one, flow.two
        self.pf.states.searches += 2 * packets
        flow.kif.pin4 += packets
        flow.kif.bin4 += octets
        flow.out.pout4 += packets
        flow.out.bout4 += octets
        one.rule.pin += packets
        one.rule.bin += octets
        two.rule.pout += packets
        two.rule.bout += octets
        for state, along in ((one, p.PF_IN), (two, p.PF_OUT)):
            state.last = max(state.last, flow.last)
            if state.direction == along:
                state.pin += packets
                state.bin += octets
            else:
                state.pout += packets
                state.bout += octets


def _plain(state: State | None, kif: Kif, proto: int) -> State | None:
    """Return *state* when its packets on *kif* are but to be checked and counted."""
    if (
        state is None
        or not state.plain
        or state.gone
        or state.timeout != SPOKEN[proto]
        or (state.kif is not None and state.kif is not kif)
    ):
        return None
    return state
