"""What spares the packets of established connections the long way: paths, and flows of whole hops.

A plain state (see State.plain) whose two sides have spoken has a path at each hook: a packet costs a
dict get there, and the check that the state would make, of the length that UDP claims or of TCP's
window. A packet that has taken a path in and a path out, and that IP has forwarded, leaves a flow
behind (see ip_flow): then the next one costs one dict get for both hooks and the routing between, the
checks that IP makes of a header, and those of both states, which have seen the same segments.

What the packets are counted by (states, rules, interfaces) is brought up to date when somebody looks
or an interval is over. Paths and flows end with the state, or when a packet of it takes the long way,
since that may change anything. See ip_flow for what else ends all flows; new rules end all paths too.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import TYPE_CHECKING, Final

from libnet.clock import Callout
from libnet.engine.inet.ip_flow import IPFLOW_TIMEOUT_S, SLOW_S, STEP, WRAP, Ipflow, IpflowCache
from libnet.engine.pf.norm import Ends
from libnet.engine.pf.track import in_window
from libnet.engine.pfil.pfil import PFIL_IN, PFIL_OUT
from libnet.errors import NetError
from libnet.ioctl import pf as p
from libnet.wire.ipv4 import IPPROTO_TCP, IPPROTO_UDP

if TYPE_CHECKING:
    from libnet.engine.kern.mbuf import Mbuf
    from libnet.engine.link.ifnet import Ifnet
    from libnet.engine.pf.norm import Still
    from libnet.engine.pf.pf import Pf
    from libnet.engine.pf.pf_if import Kif
    from libnet.engine.pf.ruleset import Rule
    from libnet.engine.pf.state import Peer, SrcNode, State
    from libnet.engine.route.table import Rtentry

_M: Final = 0xFFFFFFFF
_FRAGMENT: Final = 0x3FFF  # more fragments, offset
_u32 = Struct("!I").unpack_from
# In which timeout both sides of a state have spoken, by protocol.
SPOKEN: Final = {IPPROTO_UDP: p.PFTM_UDP_MULTIPLE, IPPROTO_TCP: p.PFTM_TCP_ESTABLISHED}
_PF_DIR: Final = {PFIL_IN: p.PF_IN, PFIL_OUT: p.PF_OUT}


class Change:
    """What a translated state makes of one end of its packets, all that it takes known before.

    Checksums are mended as RFC 1624 has it, equation 3: what is added to their complement is the same
    for each packet.
    """

    __slots__ = ("_addr", "_at", "_first", "_ip", "_l4", "_port", "_udp")

    def __init__(self, state: State, direction: int) -> None:
        self._first = direction == PFIL_OUT
        old, new = (state.lan, state.gwy) if self._first else (state.gwy, state.lan)
        self._addr, self._port = new[0].to_bytes(4, "big"), new[1].to_bytes(2, "big")
        words = [(old[0] >> shift & 0xFFFF, new[0] >> shift & 0xFFFF) for shift in (16, 0)]
        self._ip = sum((one ^ 0xFFFF) + two for one, two in words if one != two)
        self._l4 = self._ip + (old[1] ^ 0xFFFF) + new[1]
        self._udp = state.proto == IPPROTO_UDP
        self._at = 26 if self._udp else 36

    def apply(self, data: bytes) -> bytes:
        """Return packet *data*, which has no IP options, with that end changed."""
        ip, l4, at = data[10:12], data[self._at : self._at + 2], self._at
        if self._ip:
            ip = _mended(ip, self._ip)
        if not self._udp:
            l4 = _mended(l4, self._l4)
        elif l4 != b"\0\0":
            l4 = _mended(l4, self._l4)
            if l4 == b"\0\0":
                l4 = b"\xff\xff"
        if self._first:
            ends = self._addr + data[16:20] + self._port + data[22:at]
        else:
            ends = data[12:16] + self._addr + data[20:22] + self._port + data[24:at]
        return data[:10] + ip + ends + l4 + data[at + 2 :]


def _mended(cksum: bytes, delta: int) -> bytes:
    total = (cksum[0] << 8 | cksum[1]) ^ 0xFFFF
    total += delta
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    return (total ^ 0xFFFF).to_bytes(2, "big")


class Path:
    """The packets of one plain state that pass one hook on one interface.

    direction  PFIL_IN or PFIL_OUT       along  whether that is the state's own direction
    src, dst   of TCP: the sending side and the other; src is None for UDP
    scrub, mask, strict, longest   what scrub rules want looked at and counted, see norm.Still
    change     the translation of its packets, or None       flow  the flow that it is part of
    packets, octets, last   not counted yet: how many, how much, second of the last one
    """

    __slots__ = (
        "along",
        "change",
        "direction",
        "dst",
        "flow",
        "ifp",
        "kif",
        "last",
        "longest",
        "mask",
        "octets",
        "packets",
        "proto",
        "scrub",
        "src",
        "state",
        "strict",
    )

    def __init__(
        self, state: State, direction: int, ifp: Ifnet, kif: Kif, scrub: Still | None
    ) -> None:
        self.state, self.direction, self.ifp, self.kif = state, direction, ifp, kif
        self.scrub = scrub
        self.change = Change(state, direction) if state.translated else None
        self.flow: PfFlow | None = None
        self.mask = _FRAGMENT if scrub is None else scrub.mask
        self.strict = scrub is not None and scrub.strict
        self.longest = 0xFFFF if scrub is None else scrub.longest
        self.proto = state.proto
        self.along = state.direction == _PF_DIR[direction]
        self.src: Peer | None = None
        self.dst = state.dst
        if self.proto == IPPROTO_TCP:
            self.src, self.dst = (state.src, state.dst) if self.along else (state.dst, state.src)
        self.packets = self.octets = 0
        self.last = 0.0

    def fold(self) -> None:
        """Count what has gone by since the last time."""
        packets, octets, state = self.packets, self.octets, self.state
        self.packets = self.octets = 0
        state.last = max(state.last, self.last)
        rule, kif = state.rule, self.kif
        counted: list[Rule | SrcNode] = [rule]
        if self.scrub is not None:
            for seen in self.scrub.seen:
                seen.evaluations += packets
            if self.scrub.rule is not None:
                counted.append(self.scrub.rule)
        if state.anchor is not None and state.anchor is not rule:
            counted.append(state.anchor)
        counted += [one for one in (state.nat_rule, state.src_node, state.nat_src_node) if one]
        out = self.direction == PFIL_OUT
        for one in counted:
            if out:
                one.pout += packets
                one.bout += octets
            else:
                one.pin += packets
                one.bin += octets
        if out:
            kif.pout4 += packets
            kif.bout4 += octets
        else:
            kif.pin4 += packets
            kif.bin4 += octets
        if self.along:
            state.pin += packets
            state.bin += octets
        else:
            state.pout += packets
            state.bout += octets
        if rule.tables:
            ends = state.ext[0], state.lan[0]
            src, dst = ends if state.direction == p.PF_IN else ends[::-1]
            if rule.src.table is not None:
                rule.src.table.count(state.af, src, octets, out, True, rule.s_neg, packets)
            if rule.dst.table is not None:
                rule.dst.table.count(state.af, dst, octets, out, True, rule.d_neg, packets)


class PfFlow(Ipflow):
    """One direction of one forwarded connection.

    key       octets that come in
    change    the translation, or None
    first     version, header length and type of service, as octets
    one, two  the paths that its packets take in and out
    octets    of packets that are not counted yet      counted  packets that are
    last      second of the last packet
    bits, strict, longest   of both paths, see norm.Still
    """

    __slots__ = (
        "bits", "change", "counted", "first", "ifp", "key", "last", "longest", "octets", "one",
        "proto", "strict", "two",
    )  # fmt: skip

    def __init__(
        self,
        key: bytes,
        header: bytes,
        rt: Rtentry,
        arp: Rtentry,
        tos: int,
        one: Path,
        two: Path,
    ) -> None:
        super().__init__(header, rt.ifp, rt.mtu or rt.ifp.mtu)
        self.rt, self.arp = rt, arp
        self.first = bytes((0x45, tos))
        self.key, self.one, self.two = key, one, two
        self.change = one.change or two.change
        self.proto, self.ifp = one.proto, one.ifp
        self.bits = (one.mask | two.mask) >> 8
        self.strict = one.strict or two.strict
        self.longest = min(one.longest, two.longest)
        self.octets = self.counted = 0
        self.last = 0.0


class PfFlows(IpflowCache):
    """The paths of one pf, and the flows of its stack while it is on.

    paths  by PFIL_IN or PFIL_OUT, then by the octets of source, destination and ports
    dirty  paths that have packets to count
    conns  flows by the octets that come in
    open   whether flows are to be made at all
    """

    def __init__(self, pf: Pf) -> None:
        super().__init__(pf.stack.ip)
        self.pf = pf
        self.paths: dict[int, dict[bytes, Path]] = {PFIL_IN: {}, PFIL_OUT: {}}
        self.dirty: list[Path] = []
        self.conns: dict[bytes, PfFlow] = {}
        self._hooks = -1
        self._slow: Callout | None = None
        self._other = pf.stack.ip.flow
        self.open = False
        # What the last packet has gone by, and what bore it in: create() is about it.
        self.last_in: Path | None = None
        self.last_out: Path | None = None
        self.last_key = b""
        self.send_on = self._make()

    # -- paths

    def path(self, key: bytes, proto: int, direction: int, ifp: Ifnet) -> Path | None:
        """Return the path of packets with *key*, made if need be; None when they need the long way."""
        table = self.paths[direction]
        path = table.get(key)
        if path is not None and path.ifp is ifp and path.proto == proto:
            return path
        pf = self.pf
        kif = pf.kifs.by_ifp.get(ifp)
        if kif is None or kif.skip or proto not in SPOKEN:
            return None
        states = pf.states.going_in if direction == PFIL_IN else pf.states.going_out
        state = states[proto].get(key)
        if (
            state is None
            or not state.plain
            or state.timeout != SPOKEN[proto]
            or (state.kif is not None and state.kif is not kif)
        ):
            return None
        scrub = None
        if pf.scrubbing:
            scrub = pf.norm.still(Ends(kif, _PF_DIR[direction], proto, key))
            if scrub is None:
                return None
        state.cached = True
        if path is not None and path.flow is not None:
            self._end(path.flow.key)
        path = table[key] = Path(state, direction, ifp, kif, scrub)
        return path

    def forget(self, state: State) -> None:
        """End paths and flows of *state*: it has gone, or is about to change."""
        state.cached = False
        for direction, key in ((PFIL_IN, state.key_in), (PFIL_OUT, state.key_out)):
            path = self.paths[direction].get(key)
            if path is not None and path.state is state:
                if path.flow is not None:
                    self._end(path.flow.key)
                del self.paths[direction][key]
                # At once: a state that ends lets go of its source nodes.
                self._fold(path)

    def forget_all(self) -> None:
        """End all paths and flows."""
        self.invalidate_all()
        for table in self.paths.values():
            table.clear()

    # -- flows

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
                or frame[20] & flow.bits
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
            one = flow.one
            src = one.src
            if src is None:
                if not 8 <= (frame[38] << 8 | frame[39]) <= length - 20:
                    return False
            elif flow.strict and (
                frame[52:54] != b"\0\0" or frame[46] & 15 or (frame[46] >> 2) + 20 > flow.longest
            ):
                return False
            elif frame[42:50] == src.tail and one.dst.seqlo == src.tail_lo:
                # It acknowledges what the last one did: only its data are to be looked at.
                plen = length - src.tail_len
                if plen:
                    seqlo, room, src2 = src.seqlo, src.room, flow.two.src
                    reach = (_u32(frame, 38)[0] - seqlo + room & _M) + plen
                    if (
                        reach > (src.seqhi - seqlo & _M) + room
                        or plen < 0
                        or src2 is None
                        or src2.seqlo != seqlo
                    ):
                        return False
                    if reach > room:
                        src.seqlo = src2.seqlo = seqlo + reach - room & _M
            else:
                packet, src2 = frame[14:], flow.two.src
                if (
                    src2 is None
                    or not in_window(src, one.dst, packet, length)
                    or not in_window(src2, flow.two.dst, packet, length)
                ):
                    return False
            header += STEP if (header >> 64) & 0xFFFF < 0xFEFF else WRAP
            flow.use += 1
            flow.octets += length
            flow.last = clock.now
            ofp = flow.ofp
            packet = header.to_bytes(20, "big") + frame[34:]
            if flow.change is not None:
                packet = flow.change.apply(packet)
            try:
                ofp.enqueue(flow.header + packet)
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

    def create(self, rt: Rtentry, m: Mbuf) -> None:
        """Remember the flow of *m*, which pf has passed twice and *rt* has forwarded."""
        head = self.head
        if (
            not self.open
            or m.hlen != 20
            or m.ip_off & 0x3FFF
            or m.gso_size
            or m.rcvif is None
            or len(head.hooks_in) != 1
            or len(head.hooks_out) != 1
        ):
            return
        if self._generation != self.stack.route.generation or self._hooks != head.generation:
            self.invalidate_all()
            self._generation, self._hooks = self.stack.route.generation, head.generation
        one, two, key = self.last_in, self.last_out, self.last_key
        if (
            one is None
            or two is None
            or one.state is two.state
            or one.ifp is not m.rcvif
            or two.ifp is not rt.ifp
            or (one.change is not None and two.change is not None)
        ):
            return
        # When all places are taken, one becomes free as an idle flow ends.
        if key in self.conns or self.count >= self.ip.maxflows:
            return
        ways = self.ways(rt, m)
        if ways is None:
            return
        if one.src is not None and not (
            two.src is not None and one.src.alike(two.src) and one.dst.alike(two.dst)
        ):
            return
        flow = PfFlow(key, ways[1], rt, ways[0], m.tos, one, two)
        one.flow = two.flow = flow
        flow.idle = self.stack.clock.now + IPFLOW_TIMEOUT_S
        self.conns[key] = flow
        self.count += 1
        if self._slow is None:
            self._slow = self.stack.clock.after(SLOW_S, self._slowtimo)

    def _end(self, key: bytes, _tos: int = 0) -> None:
        flow = self.conns.pop(key)
        flow.one.flow = flow.two.flow = None
        self.count -= 1
        self._count(flow)
        self.settle(flow)

    def _slowtimo(self) -> None:
        now, wall = self.stack.clock.now, self.stack.clock.wall()
        self._slow = None
        for key, flow in list(self.conns.items()):
            self._count(flow)
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
            self._count(flow)
        for path in self.dirty:
            self._fold(path)
        self.dirty.clear()

    def _fold(self, path: Path) -> None:
        if path.packets:
            self.pf.states.searches += path.packets
            path.fold()

    def _count(self, flow: PfFlow) -> None:
        """Count what has gone by since the last time: for IP, and on both paths."""
        packets, octets = flow.use - flow.counted, flow.octets
        if not packets:
            return
        flow.counted, flow.octets = flow.use, 0
        stat = self.stat
        stat["total"] += packets
        stat["forward"] += packets
        stat["fastforward"] += packets
        for path in (flow.one, flow.two):
            if not path.packets:
                self.dirty.append(path)
            path.packets += packets
            path.octets += octets
            path.last = max(path.last, flow.last)
