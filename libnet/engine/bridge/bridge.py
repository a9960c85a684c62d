"""bridge(4): Ethernet interfaces joined into one broadcast domain (IEEE 802.1D; NetBSD if_bridge).

A member's received frames all come to Bridge.input(), its own output to Bridge.output(). Frames go in
batches: one between two stations that are heard costs two dict lookups, and leaves with all others for
the same member at the end of the batch. Everything else takes the way frame by frame that the
functions are named after.

Not supported: span ports and more than one address table (no bridge of the era has them). Beyond
NetBSD 4, as 802.1D has it: an address is kept while it is heard, a static one is never moved by what is
received, frames to 01:80:c2:00:00:0x stay on their link, only a forwarding port sends, and addresses
age fast while the topology changes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from libnet.addr import AF_INET, AF_INET6, ETHER_BROADCAST
from libnet.clock import Callout
from libnet.engine.bridge.bstp import UNIT, Bstp, BstpPort
from libnet.engine.kern.mbuf import M_BCAST, M_MCAST, Mbuf
from libnet.engine.link.ethernet import (
    BPF_IN,
    ETHER_HDR_LEN,
    ETHERMTU,
    ETHERTYPE_ARP,
    ETHERTYPE_IP,
    mark,
    marks_in,
)
from libnet.engine.link.ifnet import Ifnet
from libnet.engine.pfil.pfil import IF_DETACH, IF_FLAGS, PFIL_IN, PFIL_OUT
from libnet.errors import NetError
from libnet.ioctl import bridge as b
from libnet.ioctl.ifflags import (
    DLT_EN10MB,
    IFF_RUNNING,
    IFF_UP,
    IFT_BRIDGE,
    IFT_ETHER,
    IFT_IEEE80211,
    LINK_STATE_DOWN,
)
from libnet.ioctl.sockio import IfDrv
from libnet.record import Struct
from libnet.wire.bpdu import BSTP_ETHERADDR
from libnet.wire.cksum import in_cksum
from libnet.wire.frame import Frame

if TYPE_CHECKING:
    from libnet.engine.kern.base import StackBase
    from libnet.engine.kern.sysctl import SysctlTree
    from libnet.engine.link.ethernet import Ethernet
    from libnet.engine.pfil.pfil import PfilHead

RTABLE_MAX: Final = 100
RTABLE_TIMEOUT_S: Final = 20 * 60
RTABLE_PRUNE_S: Final = 5 * 60
ETHERTYPE_REVARP: Final = b"\x80\x35"
ETHERTYPE_IPV6: Final = b"\x86\xdd"
_RESERVED: Final = BSTP_ETHERADDR[:5]
_MEMBERS: Final = (IFT_ETHER, IFT_IEEE80211)
_U32: Final = 0xFFFFFFFF
HOT_S: Final = 1.0  # how exact the age of an address is


class Rtnode:
    """One address: the member it is behind, when it was last heard, IFBAF_*."""

    __slots__ = ("flags", "member", "seen")

    def __init__(self, member: Member, seen: float, flags: int) -> None:
        self.member, self.seen, self.flags = member, seen, flags


class Member:
    """struct bridge_iflist.

    flags   IFBIF_*                port  what the spanning tree knows of it
    plain   what comes from it may be learned and sent on without a further look
    open    what is sent by it gets out
    out     frames of the batch at hand that leave by it
    """

    __slots__ = ("flags", "ifp", "open", "out", "plain", "port")

    def __init__(self, ifp: Ifnet) -> None:
        self.ifp = ifp
        self.flags = b.IFBIF_LEARNING | b.IFBIF_DISCOVER
        self.port = BstpPort(ifp.index & 0xFF)
        self.plain = self.open = False
        self.out: list[bytes] = []

    @property
    def learns(self) -> bool:
        """Whether the spanning tree lets addresses be learned here."""
        return not self.flags & b.IFBIF_STP or self.port.state in (
            b.BSTP_IFSTATE_LEARNING,
            b.BSTP_IFSTATE_FORWARDING,
        )

    @property
    def forwards(self) -> bool:
        """Whether the spanning tree lets frames pass."""
        return not self.flags & b.IFBIF_STP or self.port.state == b.BSTP_IFSTATE_FORWARDING

    def req(self) -> b.IfbReq:
        """Return what BRDGGIFFLGS and BRDGGIFS tell."""
        return b.IfbReq(
            self.ifp.name,
            self.flags,
            self.port.state,
            self.port.priority,
            self.port.path_cost,
            self.ifp.index & 0xFF,
        )


class Bridges:
    """All bridges of one stack, and the knobs of net.link.bridge.

    pfil_member   have IPv4 (and IPv6) of every bridge pass the packet filter, as `ipf` does for one
    pfil_onlyip   what the filter does not know, but ARP, does not pass a filtered bridge
    log_stp       tell the log of every change of a port's state
    """

    def __init__(self, stack: StackBase, ether: Ethernet) -> None:
        self.stack, self.ether = stack, ether
        self.stat = stack.stat("bridge")
        self.bstp_stat = stack.stat("bstp")
        self.list: list[Bridge] = []
        self.pfil_member = 0
        self.pfil_onlyip = 1
        self.log_stp = 0

    def create(self, name: str, _unit: int) -> Ifnet:
        """Make a bridge (bridge_clone_create)."""
        bridge = Bridge(self, name)
        self.list.append(bridge)
        return bridge.ifp

    def destroy(self, ifp: Ifnet) -> None:
        """Take a bridge away; its members are free again."""
        for bridge in self.list:
            if bridge.ifp is ifp:
                bridge.destroy()
                self.list.remove(bridge)
                return

    def ifnet_hook(self, event: str, ifp: Ifnet, _arg: Any) -> None:
        """Hear of members: one that leaves is deleted, one that changes is looked at."""
        bridge = ifp.bridge
        if bridge is None:
            return
        if event == IF_DETACH:
            bridge.delete(bridge.members[ifp])
        else:
            bridge.member_changed(ifp)

    def sysctl_setup(self, tree: SysctlTree) -> None:
        """Plant net.link.bridge."""
        tree.node("net.link", 18, "Link layers")
        tree.node("net.link.bridge", None, "Bridges")
        for name, desc in (
            ("pfil_member", "Have what every bridge forwards pass the packet filter"),
            ("pfil_onlyip", "Stop what the packet filter does not know on a filtered bridge"),
            ("log_stp", "Log the states of spanning tree ports"),
        ):
            tree.int_node(f"net.link.bridge.{name}", None, self, name, lo=0, hi=1, desc=desc)
        tree.struct_node(
            "net.link.bridge.stats",
            None,
            lambda: self.stat | {f"stp_{name}": n for name, n in self.bstp_stat.items()},
            "Counters of the bridges",
        )


class Bridge:
    """One bridge (struct bridge_softc); it is the `bridge` slot of its members.

    members   Member by interface, the last added first          rt  Rtnode by address
    rtmax     most addresses         rttimeout  seconds a learned one lives unheard, 0 for ever
    hot       Member by address: where frames were sent in this second      heard  and came from; what
              the fast way looks at, so that it touches little for a frame even with a large rt
    own       the members' own addresses: what is sent to one is for this box
    """

    def __init__(self, bridges: Bridges, name: str) -> None:
        self.bridges = bridges
        self.stack, self.ether = bridges.stack, bridges.ether
        self.stat = bridges.stat
        self.members: dict[Ifnet, Member] = {}
        self.own: dict[bytes, Member] = {}
        self.rt: dict[bytes, Rtnode] = {}
        self.hot: dict[bytes, Member] = {}
        self.heard: dict[bytes, Member] = {}
        self._hot_until = 0.0
        self.rtmax = RTABLE_MAX
        self.rttimeout = RTABLE_TIMEOUT_S
        self.filter_flags = 0
        self._callout: Callout | None = None
        self._states: dict[str, int] = {}
        self._aging = False
        self._head: PfilHead = self.stack.pfil.head(AF_INET)
        self.bstp = Bstp(
            self.stack.clock, bridges.bstp_stat, self._send_bpdu, self._linked, self._reckon
        )
        ifp = self.ifp = Ifnet(self.stack, name, type=IFT_BRIDGE, mtu=ETHERMTU)
        ifp.min_mtu = ifp.max_mtu = ETHERMTU  # all members have it, and nobody could change theirs
        ifp.hdrlen = ETHER_HDR_LEN
        ifp.dlt = DLT_EN10MB
        ifp.init, ifp.stop, ifp.ioctl, ifp.setaddr = self._init, self._stop, self._ioctl, _no_addr
        self._cmds: dict[str, Callable[[Any], Any]] = {
            "BRDGADD": self._add,
            "BRDGDEL": lambda req: self.delete(self._member(req.ifsname)),
            "BRDGGIFFLGS": lambda req: self._member(req.ifsname).req(),
            "BRDGSIFFLGS": self._sifflags,
            "BRDGSCACHE": self._scache,
            "BRDGGCACHE": lambda _req: b.IfbrParam(self.rtmax),
            "BRDGGIFS": lambda _req: b.IfbIfConf([m.req() for m in self.members.values()]),
            "BRDGRTS": self._rts,
            "BRDGSADDR": self._saddr,
            "BRDGSTO": self._sto,
            "BRDGGTO": lambda _req: b.IfbrParam(self.rttimeout),
            "BRDGDADDR": self._daddr,
            "BRDGFLUSH": lambda req: self.rtflush(full=bool(req.flags & b.IFBF_FLUSHALL)),
            "BRDGGPRI": lambda _req: b.IfbrParam(self.bstp.priority),
            "BRDGSPRI": self._spri,
            "BRDGGHT": lambda _req: b.IfbrParam(self.bstp.bridge_hello_time // UNIT),
            "BRDGSHT": lambda req: self._stime("bridge_hello_time", req),
            "BRDGGFD": lambda _req: b.IfbrParam(self.bstp.bridge_forward_delay // UNIT),
            "BRDGSFD": lambda req: self._stime("bridge_forward_delay", req),
            "BRDGGMA": lambda _req: b.IfbrParam(self.bstp.bridge_max_age // UNIT),
            "BRDGSMA": lambda req: self._stime("bridge_max_age", req),
            "BRDGSIFPRIO": lambda req: self._sport("priority", req, req.priority),
            "BRDGSIFCOST": lambda req: self._sport("path_cost", req, req.path_cost),
            "BRDGGFILT": lambda _req: b.IfbrParam(self.filter_flags),
            "BRDGSFILT": self._sfilt,
        }
        ifp.attach()

    # -- coming and going

    @property
    def running(self) -> bool:
        """Whether the bridge is up."""
        return bool(self.ifp.flags & IFF_RUNNING)

    def _init(self) -> None:
        if self.running:
            return
        self.ifp.flags |= IFF_RUNNING
        self._prune_later()
        self._bstp_initialization()

    def _stop(self) -> None:
        if not self.running:
            return
        if self._callout is not None:
            self._callout.stop()
            self._callout = None
        self.bstp.stop()
        self.rtflush(full=False)
        self.ifp.flags &= ~IFF_RUNNING
        self._reckon()

    def destroy(self) -> None:
        """Free the members and leave the interface list (bridge_clone_destroy)."""
        self._stop()
        for member in list(self.members.values()):
            self.delete(member)
        self.ifp.detach()

    def delete(self, member: Member) -> None:
        """Let a member go (bridge_delete_member)."""
        ifp = member.ifp
        del self.members[ifp]
        ifp.bridge = None
        for addr in [addr for addr, node in self.rt.items() if node.member is member]:
            del self.rt[addr]
        ifp.ifpromisc(False)
        self._reckon()
        if self.running:
            self._bstp_initialization()
        self.stack.pfil.event(IF_FLAGS, ifp)

    def member_changed(self, ifp: Ifnet) -> None:
        """Look at a member again: it has come up, gone down, lost its link or got a new address."""
        member = self.members[ifp]
        if member.flags & b.IFBIF_STP:
            self.bstp.link_changed(member.port)
        self._reckon()

    def _reckon(self) -> None:
        """Work out who may do what, from everything that decides it."""
        running = self.running
        self._cool()
        self.own = {member.ifp.lladdr: member for member in self.members.values()}
        for addr in self.own:
            self.rt.pop(addr, None)
        for member in self.members.values():
            up = running and bool(member.ifp.flags & IFF_RUNNING)
            member.open = up and member.forwards
            member.plain = member.open and bool(member.flags & b.IFBIF_LEARNING)
        if self.bridges.log_stp:
            self._log_states()
        if self.bstp.topology_change:
            # 802.1D 8.3.5: what was learned may be wrong now.
            self._rtage(self.bstp.forward_delay / UNIT)

    def _cool(self) -> None:
        """Have the next frame of every pair take the way that looks at everything."""
        self.hot.clear()
        self.heard.clear()

    def _log_states(self) -> None:
        for member in self.members.values():
            name, state = member.ifp.name, member.port.state
            if member.flags & b.IFBIF_STP and self._states.get(name) != state:
                self._states[name] = state
                self.stack.log(5, f"{self.ifp.name}: {name} {b.BSTP_STATES[state]}")

    def _bstp_initialization(self) -> None:
        speakers = [m for m in self.members.values() if m.flags & b.IFBIF_STP]
        lladdr = min((m.ifp.lladdr for m in speakers), default=b"")
        self.bstp.initialize([m.port for m in speakers], lladdr)
        self._reckon()

    def _linked(self, port: BstpPort) -> bool:
        for member in self.members.values():
            if member.port is port:
                ifp = member.ifp
                return bool(ifp.flags & IFF_UP) and ifp.link_state != LINK_STATE_DOWN
        return False

    def _send_bpdu(self, port: BstpPort, octets: bytes) -> None:
        for member in self.members.values():
            ifp = member.ifp
            if member.port is port and ifp.flags & IFF_RUNNING:
                head = BSTP_ETHERADDR + ifp.lladdr + len(octets).to_bytes(2, "big")
                self._enqueue(ifp, [head + octets])

    # -- forwarding

    def input(self, ifp: Ifnet, frames: Sequence[bytes]) -> Sequence[bytes]:
        """Take what member *ifp* received; return what is for this box, by *ifp* (bridge_input)."""
        member = self.members[ifp]
        if not self.ifp.flags & IFF_RUNNING:
            return frames
        local: list[bytes] = []
        if not member.plain or self.filter_flags or self.bridges.pfil_member or self.ifp.bpf:
            for frame in frames:
                if self._input(member, frame):
                    local.append(frame)
            self._flush()
            return local
        if self.stack.clock.now >= self._hot_until:
            self._cool()
            self._hot_until = self.stack.clock.now + HOT_S
        place, heard = self.hot.get, self.heard.get
        slow = octets = 0
        for frame in frames:
            to = place(frame[:6])
            if to is not None and to is not member and heard(frame[6:12]) is member:
                to.out.append(frame)
                octets += len(frame)
            else:
                slow += 1
                if self._input(member, frame):
                    local.append(frame)
        self.ifp.ipackets += len(frames) - slow
        self.ifp.ibytes += octets
        self._flush()
        return local

    def _flush(self) -> None:
        """Send what the batch has left with the members."""
        for member in self.members.values():
            if member.out:
                frames, member.out = member.out, []
                self._enqueue(member.ifp, frames)

    def _enqueue(self, ifp: Ifnet, frames: list[bytes]) -> None:
        """Give frames to a member (bridge_enqueue); what finds its queue full is counted."""
        took = ifp.enqueue_many(frames)
        if took != len(frames):
            self.ifp.oerrors += len(frames) - took
            frames = frames[:took]
        octets = sum(map(len, frames))
        self.ifp.opackets += took
        self.ifp.obytes += octets
        ifp.obytes += octets

    def _drop(self, frame: bytes, ifp: Ifnet, counter: str, why: str) -> None:
        stack = self.stack
        self.stat[counter] += 1
        if stack.droptrace:
            stack.trace_drop(Mbuf(frame, ifp), "bridge", counter, why)

    def _input(self, member: Member, frame: bytes) -> bool:
        """Take one frame; tell whether this box is to look at it too."""
        if len(frame) < ETHER_HDR_LEN:
            return True  # whoever counts runts does it
        dst, src = frame[:6], frame[6:12]
        if dst[0] & 1:
            if dst[:5] == _RESERVED and dst[5] < 16:
                if dst != BSTP_ETHERADDR:
                    return True
                self._bpdu(member, frame)
                return False
            if src in self.own:
                self._drop(frame, member.ifp, "echo", "a frame of our own")
                return False
            if member.learns:
                self._forward(member, frame)
            else:
                self._drop(frame, member.ifp, "blocked", "spanning tree")
            return True
        if not member.learns:
            return True  # for this very interface, or its address filter drops it
        own = self.own.get(dst)
        if own is not None:
            if member.flags & b.IFBIF_LEARNING:
                self._learn(src, member)
            if dst == member.ifp.lladdr:
                return True  # two members may have one address: vlans of one parent
            self.ether.local(own.ifp, [frame])
            return False
        if src in self.own:
            self._drop(frame, member.ifp, "echo", "a frame of our own")
            return False
        self._forward(member, frame)
        return False

    def _bpdu(self, member: Member, frame: bytes) -> None:
        if not member.flags & b.IFBIF_STP:
            self._drop(frame, member.ifp, "bpdu", "no spanning tree here")
            return
        size = int.from_bytes(frame[12:14], "big")
        self.bstp.input(member.port, bytes(frame[14 : 14 + size]))

    def _forward(self, member: Member, frame: bytes) -> None:
        """Send a frame on that is not, or not only, for this box (bridge_forward)."""
        ifp = member.ifp
        self.ifp.ipackets += 1
        self.ifp.ibytes += len(frame)
        if self.ifp.bpf is not None:
            self.ifp.bpf.mtap(frame, BPF_IN)
        if member.flags & b.IFBIF_LEARNING:
            self._learn(frame[6:12], member)
        if not member.forwards:
            self._drop(frame, ifp, "blocked", "spanning tree is learning")
            return
        to: Member | None = None
        if frame[0] & 1:
            self.ifp.imcasts += 1
        else:
            node = self.rt.get(frame[:6])
            if node is not None:
                to = node.member
                if to is member:
                    self._drop(frame, ifp, "filtered", "its place is where it came from")
                    return
        filtering = bool(self.filter_flags or self.bridges.pfil_member)
        if filtering:
            kept = self._filter(frame, ifp, PFIL_IN)
            if kept is None:
                return
            frame = kept
        if to is None:
            self._broadcast(member, frame, filtering=filtering)
        elif not to.open:
            self._drop(frame, ifp, "blocked", f"{to.ifp.name} does not forward")
        else:
            self.hot[frame[:6]] = to
            self._out(to, frame, filtering=filtering)

    def _broadcast(self, member: Member, frame: bytes, *, filtering: bool) -> None:
        """Send a frame by every other member (bridge_broadcast)."""
        self.stat["flooded"] += 1
        for to in self.members.values():
            if to is member or not to.open:
                continue
            if not to.flags & b.IFBIF_DISCOVER and not frame[0] & 1:
                continue
            self._out(to, frame, filtering=filtering)

    def _out(self, to: Member, frame: bytes, *, filtering: bool) -> None:
        if filtering:
            kept = self._filter(frame, to.ifp, PFIL_OUT)
            if kept is None:
                return
            frame = kept
        if frame[0] & 1:
            self.ifp.omcasts += 1
            to.ifp.omcasts += 1
            if frame[:6] == ETHER_BROADCAST:
                to.ifp.obcasts += 1
        to.out.append(frame)

    def output(self, ifp: Ifnet, frame: bytes) -> None:
        """Send a frame of this box that would leave by member *ifp* (bridge_output).

        Raises ENOBUFS when the send queue of *ifp* itself is full.
        """
        if not self.ifp.flags & IFF_RUNNING:
            ifp.obytes += len(frame)
            ifp.enqueue(frame)
            return
        known = None if frame[0] & 1 else self.rt.get(frame[:6])
        if known is not None:
            out = known.member.ifp
            if not out.flags & IFF_RUNNING:
                self._drop(frame, ifp, "blocked", f"{out.name} is not running")
                return
            self._enqueue(out, [frame])
            return
        for member in self.members.values():
            out = member.ifp
            if out.flags & IFF_RUNNING and (out is ifp or member.forwards):
                if frame[0] & 1:
                    self.ifp.omcasts += 1
                self._enqueue(out, [frame])

    # -- the packet filter

    def _filter(self, frame: bytes, ifp: Ifnet, direction: int) -> bytes | None:
        """Show a frame to the hooks of its family; return what is left of it (bridge_ipf)."""
        etype = frame[12:14]
        at = ETHER_HDR_LEN
        if etype < b"\x06\x00" and frame[14:20] == b"\xaa\xaa\x03\0\0\0":
            etype, at = frame[20:22], 22  # RFC 1042
        if etype in (ETHERTYPE_ARP, ETHERTYPE_REVARP):
            return frame
        pfil = self.stack.pfil
        if etype == ETHERTYPE_IP:
            head = self._head
        elif etype == ETHERTYPE_IPV6 and AF_INET6 in pfil.heads:
            head = pfil.heads[AF_INET6]
        elif self.bridges.pfil_onlyip:
            self._drop(frame, ifp, "notip", "the filter does not know it")
            return None
        else:
            return frame
        m = Mbuf(bytes(frame[at:]), ifp if direction == PFIL_IN else None)
        if frame[0] & 1:
            m.flags |= M_BCAST if frame[:6] == ETHER_BROADCAST else M_MCAST
        marks_in(m, frame)
        if head is self._head and not self._checkbasic(m, direction, ifp):
            return None
        try:
            got = head.run(m, ifp, direction)
        except NetError as exc:
            self._drop(frame, ifp, "pfil", exc.symbol)
            return None
        if got is None:
            self.stat["pfil"] += 1
            return None
        made = frame[:at] + got.data
        if type(frame) is bytes:
            return made
        assert isinstance(frame, Frame)
        return mark(made, frame.csum, frame.gso_size)

    def _checkbasic(self, m: Mbuf, direction: int, ifp: Ifnet) -> bool:
        """Check an IPv4 header as ip_input would, and note its fields (bridge_ip_checkbasic)."""
        data = m.data
        if len(data) < 20:
            counter = "toosmall"
        elif data[0] >> 4 != 4:
            counter = "badvers"
        else:
            m.hlen = (data[0] & 15) << 2
            m.tos, m.ip_len = data[1], int.from_bytes(data[2:4], "big")
            m.ip_id, m.ip_off = int.from_bytes(data[4:6], "big"), int.from_bytes(data[6:8], "big")
            m.ttl, m.proto = data[8], data[9]
            m.src = int.from_bytes(data[12:16], "big")
            m.dst = int.from_bytes(data[16:20], "big")
            if not 20 <= m.hlen <= len(data):
                counter = "badhlen"
            elif m.ip_len < m.hlen:
                counter = "badlen"
            elif m.ip_len > len(data):
                counter = "tooshort"
            elif direction == PFIL_IN and not m.csum_flags & 1 and in_cksum(data[: m.hlen]):
                counter = "badsum"
            else:
                m.data = data[: m.ip_len]
                return True
        m.rcvif = ifp
        self.stack.drop(m, "ip", counter, "on a bridge")
        return False

    # -- addresses

    def _learn(self, src: bytes, member: Member) -> None:
        """Note that *src* is behind *member* (bridge_rtupdate)."""
        node = self.rt.get(src)
        if node is None:
            if src[0] & 1 or not any(src) or src in self.own:
                self.stat["badsource"] += 1
                return
            if len(self.rt) >= self.rtmax:
                self.stat["cachefull"] += 1
                return
            self.stat["learned"] += 1
            self.rt[src] = Rtnode(member, self.stack.clock.now, b.IFBAF_DYNAMIC)
        elif node.flags & b.IFBAF_STATIC:
            if node.member is not member:
                self.stat["staticelsewhere"] += 1
                return
        else:
            if node.member is not member:
                self.stat["moved"] += 1
                node.member = member
            node.seen = self.stack.clock.now
        if self.hot.get(src) is not member:
            self.hot.pop(src, None)
        if member.plain:
            self.heard[src] = member
        else:
            self.heard.pop(src, None)

    def _rtage(self, limit_s: float = 0.0) -> None:
        """Forget learned addresses not heard for the timeout, or for *limit_s* (bridge_rtage)."""
        limit_s = min(limit_s or self.rttimeout, self.rttimeout or limit_s)
        if not limit_s:
            return
        before = self.stack.clock.now - limit_s
        old = [
            addr
            for addr, node in self.rt.items()
            if node.seen <= before and not node.flags & b.IFBAF_STATIC
        ]
        for addr in old:
            del self.rt[addr]
        if old:
            self._cool()
            self.stat["aged"] += len(old)

    def rtflush(self, *, full: bool) -> None:
        """Forget all learned addresses; with *full* the static ones too (bridge_rtflush)."""
        self._cool()
        if full:
            self.rt.clear()
            return
        self.rt = {addr: node for addr, node in self.rt.items() if node.flags & b.IFBAF_STATIC}

    def _prune_later(self) -> None:
        if self._callout is not None:
            self._callout.stop()
        period = min(RTABLE_PRUNE_S, max(1.0, (self.rttimeout or RTABLE_TIMEOUT_S) / 4))
        self._callout = self.stack.clock.after(period, self._timer)

    def _timer(self) -> None:
        self._rtage()
        self._prune_later()

    # -- commands

    def _ioctl(self, row: Any, arg: Any) -> Any:
        """Answer SIOCSDRVSPEC and SIOCGDRVSPEC. Raises EINVAL for a sub-command that is none."""
        if row is not b.SIOCSDRVSPEC and row is not b.SIOCGDRVSPEC:
            raise NetError("ENOTTY")
        cmd = b.BRDG.get(arg.cmd)
        if cmd is None or cmd.get != (row is b.SIOCGDRVSPEC) or type(arg.arg) is not cmd.arg:
            raise NetError("EINVAL")
        answer = self._cmds[cmd.name](arg.arg)
        if not cmd.get:
            return None
        assert isinstance(answer, Struct)
        return IfDrv(arg.name, arg.cmd, answer)

    def _member(self, name: str) -> Member:
        for ifp, member in self.members.items():
            if ifp.name == name:
                return member
        raise NetError("ENOENT")

    def _add(self, req: b.IfbReq) -> None:
        """BRDGADD. Raises ENOENT, EINVAL (another MTU, no Ethernet), EEXIST, EBUSY."""
        ifp = self.stack.ifunit(req.ifsname)
        if ifp is None:
            raise NetError("ENOENT")
        if ifp.mtu != self.ifp.mtu or ifp.type not in _MEMBERS:
            raise NetError("EINVAL")
        if ifp.bridge is self:
            raise NetError("EEXIST")
        if ifp.bridge is not None or ifp.agr is not None:
            raise NetError("EBUSY")
        ifp.ifpromisc(True)
        member = Member(ifp)
        self.members = {ifp: member} | self.members
        ifp.bridge = self
        if self.running:
            self._bstp_initialization()
        else:
            self.bstp.stop()
        self._reckon()
        # What was remembered of the interface (flows) was for one that stood alone.
        self.stack.pfil.event(IF_FLAGS, ifp)

    def _sifflags(self, req: b.IfbReq) -> None:
        member = self._member(req.ifsname)
        if req.flags & ~b.IFBIF_MASK:
            raise NetError("EINVAL")
        member.flags = req.flags
        if self.running:
            self._bstp_initialization()
        self._reckon()

    def _sport(self, name: str, req: b.IfbReq, value: int) -> None:
        member = self._member(req.ifsname)
        if not 0 <= value <= 255:
            raise NetError("EINVAL")
        setattr(member.port, name, value)
        if self.running:
            self._bstp_initialization()

    def _spri(self, req: b.IfbrParam) -> None:
        if not 0 <= req.value <= 0xFFFF:
            raise NetError("EINVAL")
        self.bstp.priority = req.value
        if self.running:
            self._bstp_initialization()

    def _stime(self, name: str, req: b.IfbrParam) -> None:
        """BRDGSHT, BRDGSFD, BRDGSMA: seconds. Raises EINVAL for 0."""
        if not 1 <= req.value <= 255:
            raise NetError("EINVAL")
        setattr(self.bstp, name, req.value * UNIT)
        if self.running:
            self._bstp_initialization()

    def _scache(self, req: b.IfbrParam) -> None:
        """BRDGSCACHE: what is too much is forgotten, the old first."""
        if not 0 <= req.value <= _U32:
            raise NetError("EINVAL")
        self.rtmax = req.value
        if len(self.rt) <= self.rtmax:
            return
        self._cool()
        self._rtage()
        for addr, node in list(self.rt.items()):
            if len(self.rt) <= self.rtmax:
                return
            if not node.flags & b.IFBAF_STATIC:
                del self.rt[addr]

    def _sto(self, req: b.IfbrParam) -> None:
        if not 0 <= req.value <= _U32:
            raise NetError("EINVAL")
        self.rttimeout = req.value
        if self.running:
            self._prune_later()

    def _rts(self, _req: b.IfbaConf) -> b.IfbaConf:
        now = self.stack.clock.now
        rows = []
        for addr, node in reversed(self.rt.items()):
            left = 0
            if not node.flags & b.IFBAF_STATIC and self.rttimeout:
                left = max(0, int(node.seen + self.rttimeout - now))
            rows.append(b.IfbaReq(node.member.ifp.name, addr, left, node.flags))
        return b.IfbaConf(rows)

    def _saddr(self, req: b.IfbaReq) -> None:
        """BRDGSADDR. Raises ENOENT, EINVAL, ENOSPC when the cache is full."""
        member = self._member(req.ifsname)
        dst = req.dst
        if len(dst) != 6 or dst[0] & 1 or not any(dst) or req.flags & ~b.IFBAF_STATIC:
            raise NetError("EINVAL")
        if dst in self.own:
            raise NetError("EEXIST")
        if dst not in self.rt and len(self.rt) >= self.rtmax:
            raise NetError("ENOSPC")
        self.rt.pop(dst, None)
        self._cool()
        self.rt[dst] = Rtnode(member, self.stack.clock.now, req.flags)

    def _daddr(self, req: b.IfbaReq) -> None:
        self._cool()
        if self.rt.pop(req.dst, None) is None:
            raise NetError("ENOENT")

    def _sfilt(self, req: b.IfbrParam) -> None:
        if req.value & ~b.IFBF_FILT_USEIPF:
            raise NetError("EINVAL")
        self.filter_flags = req.value


def _no_addr() -> None:
    """Refuse an address: a bridge is no host, its members are."""
    raise NetError("ENOTTY")
