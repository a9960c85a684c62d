"""agr(4): several Ethernet links used as one (IEEE 802.3-2002 clause 43; NetBSD agr).

Theory of operation. Each port tells its peer by LACPDUs who it is, and what it has heard of it. Ports whose
peers are one system with one key belong together; the group with the most ports carries the frames. A
port of the group waits for AGGREGATE_WAIT_S, says that it is in sync, collects when the peer is in sync,
distributes when the peer collects. When the peer is not heard for three of its periods the port expires,
and after a last short timeout counts as one without a peer: alone, such a port carries frames when no
port has a peer.

A port's frames all come to Agr.input(), before anything else looks at them: it is the port's `agr` slot.
LACP is always active, with priorities of 0x8000; markers are answered.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final
from zlib import crc32

from libnet.clock import Callout
from libnet.engine.kern.mbuf import Mbuf
from libnet.engine.link.ethernet import (
    BPF_OUT,
    ETHER_HDR_LEN,
    ETHERMTU,
    ETHERTYPE_IP,
    ETHERTYPE_VLAN,
)
from libnet.engine.link.ifnet import Ifnet
from libnet.engine.pfil.pfil import IF_DETACH, IF_FLAGS
from libnet.errors import NetError
from libnet.ioctl.ifflags import (
    IFF_BROADCAST,
    IFF_LINK0,
    IFF_MULTICAST,
    IFF_RUNNING,
    IFF_SIMPLEX,
    IFF_UP,
    IFT_ETHER,
    IFT_IEEE8023ADLAG,
    LINK_STATE_DOWN,
    LINK_STATE_UNKNOWN,
    LINK_STATE_UP,
)
from libnet.ioctl.ifvlan import (
    AGRCMD_ADDPORT,
    AGRCMD_PORTLIST,
    AGRCMD_REMPORT,
    AGRREQ_VERSION,
    SIOCGETAGR,
    SIOCSETAGR,
    AgrPortInfo,
    AgrReq,
)
from libnet.wire import Malformed, Truncated, lacp
from libnet.wire.lacp import LacpInfo

if TYPE_CHECKING:
    from libnet.engine.kern.base import StackBase
    from libnet.engine.link.ethernet import Ethernet

FAST_PERIODIC_S: Final = 1.0
SLOW_PERIODIC_S: Final = 30.0
SHORT_TIMEOUT_S: Final = 3 * FAST_PERIODIC_S
LONG_TIMEOUT_S: Final = 3 * SLOW_PERIODIC_S
AGGREGATE_WAIT_S: Final = 2.0
MAX_TX: Final = 3  # LACPDUs of one port within FAST_PERIODIC_S
PRIORITY: Final = 0x8000
KEY: Final = 1  # all ports of one agr
_ACTIVE: Final = lacp.LACP_ACTIVITY | lacp.LACP_AGGREGATION
_MOVING: Final = lacp.LACP_SYNC | lacp.LACP_COLLECTING | lacp.LACP_DISTRIBUTING
_NOBODY: Final = LacpInfo(0, bytes(6), 0, 0, 0, lacp.LACP_TIMEOUT)


class Agrs:
    """The agr interfaces of one stack."""

    def __init__(self, stack: StackBase, ether: Ethernet) -> None:
        self.stack, self.ether = stack, ether
        self.stat = stack.stat("agr")
        self.list: dict[Ifnet, Agr] = {}

    def create(self, name: str, unit: int) -> Ifnet:
        """Make one without ports (agr_clone_create)."""
        agr = Agr(self, name, unit)
        self.list[agr.ifp] = agr
        return agr.ifp

    def destroy(self, ifp: Ifnet) -> None:
        """Take one away. Raises EBUSY while it has ports."""
        if self.list[ifp].ports:
            raise NetError("EBUSY")
        del self.list[ifp]
        ifp.detach()

    def ifnet_hook(self, event: str, ifp: Ifnet, _arg: Any) -> None:
        """Hear of ports: one that leaves is removed, one that changes is looked at."""
        agr = ifp.agr
        if agr is None:
            return
        if event == IF_DETACH:
            agr.remport(agr.ports[ifp])
        else:
            agr.ports[ifp].link_changed()


class Port:
    """One port and its LACP machines.

    partner   what the peer has said of itself          state     LACP_* of ours
    selected  whether the port is in the group that carries frames
    """

    def __init__(self, agr: Agr, ifp: Ifnet) -> None:
        self.agr, self.ifp = agr, ifp
        self.origlladdr, self.origsetaddr = ifp.lladdr, ifp.setaddr
        self.state = _ACTIVE | lacp.LACP_DEFAULTED
        self.partner = _NOBODY
        self.selected = False
        self.up = False
        self.ready = False  # has waited for others to join
        self._current: Callout | None = None
        self._periodic: Callout | None = None
        self._wait: Callout | None = None
        self._sent = 0
        self._sent_from = 0.0
        self._ntt = False

    @property
    def actor(self) -> LacpInfo:
        """What we say of ourselves."""
        return LacpInfo(
            PRIORITY, self.agr.ifp.lladdr, KEY + self.agr.unit, PRIORITY, self.ifp.index, self.state
        )

    @property
    def defaulted(self) -> bool:
        """Whether there is no peer."""
        return bool(self.state & lacp.LACP_DEFAULTED)

    @property
    def distributing(self) -> bool:
        """Whether frames may leave by the port."""
        return bool(self.state & lacp.LACP_DISTRIBUTING)

    @property
    def collecting(self) -> bool:
        """Whether frames that come by the port are taken."""
        return bool(self.state & lacp.LACP_COLLECTING)

    # -- link and timers

    def link_changed(self) -> None:
        """Begin when the link comes up, forget the peer when it goes."""
        ifp = self.ifp
        up = bool(ifp.flags & IFF_UP) and ifp.link_state != LINK_STATE_DOWN
        if up == self.up:
            return
        self.up = up
        self._stop()
        self.state = _ACTIVE | lacp.LACP_EXPIRED if up else _ACTIVE | lacp.LACP_DEFAULTED
        self.partner = _NOBODY
        if up:
            # 43.4.12: EXPIRED, so that a peer is looked for fast; then DEFAULTED.
            self._current = self._after(SHORT_TIMEOUT_S, self._timeout)
            self._tick()
        self.agr.select()

    def _after(self, seconds: float, func: Any) -> Callout:
        return self.agr.stack.clock.after(seconds, func)

    def _stop(self) -> None:
        for callout in (self._current, self._periodic, self._wait):
            if callout is not None:
                callout.stop()
        self._current = self._periodic = self._wait = None
        self.ready = False

    def end(self) -> None:
        """Stop for good."""
        self._stop()
        self.up = self.selected = False

    def _timeout(self) -> None:
        """Nothing was heard in time (43.4.12)."""
        if self.state & lacp.LACP_EXPIRED:
            self.state = (self.state | lacp.LACP_DEFAULTED) & ~lacp.LACP_EXPIRED
            self.partner = _NOBODY
            self._current = None
        else:
            self.state |= lacp.LACP_EXPIRED
            state = (self.partner.state | lacp.LACP_TIMEOUT) & ~lacp.LACP_SYNC
            self.partner = self.partner._replace(state=state)
            self._current = self._after(SHORT_TIMEOUT_S, self._timeout)
            self._tick()
        self.agr.select()

    def _tick(self) -> None:
        """Send periodically (43.4.13)."""
        if self._periodic is not None:
            self._periodic.stop()
        fast = self.partner.state & lacp.LACP_TIMEOUT or self.defaulted
        self._periodic = self._after(FAST_PERIODIC_S if fast else SLOW_PERIODIC_S, self._tick)
        self.transmit()

    # -- LACPDUs

    def transmit(self) -> None:
        """Send a LACPDU, or note that one is due when MAX_TX have gone just now (43.4.16)."""
        now = self.agr.stack.clock.now
        if now - self._sent_from >= FAST_PERIODIC_S:
            self._sent, self._sent_from = 0, now
        if self._sent >= MAX_TX:
            if not self._ntt:
                self._ntt = True
                self._after(FAST_PERIODIC_S, self._later)
            return
        self._sent += 1
        self.send(lacp.Lacpdu(self.actor, self.partner).build())
        self.agr.stat["txlacpdu"] += 1

    def _later(self) -> None:
        if self._ntt:
            self._ntt = False
            if self.up:
                self.transmit()

    def send(self, pdu: bytes) -> None:
        """Send a slow protocol's PDU."""
        ifp = self.ifp
        if not ifp.flags & IFF_RUNNING:
            return
        frame = lacp.SLOW_ETHERADDR + ifp.lladdr + lacp.ETHERTYPE_SLOW + pdu
        ifp.obytes += len(frame)
        ifp.omcasts += 1
        try:
            ifp.enqueue(frame)
        except NetError:
            self.agr.stat["txlost"] += 1

    def input(self, pdu: bytes) -> None:
        """Take a LACPDU (43.4.9, 43.4.12)."""
        try:
            got = lacp.Lacpdu.parse(pdu)
        except (Truncated, Malformed):
            self.agr.stat["rxbad"] += 1
            return
        if not self.up:
            self.agr.stat["rxdown"] += 1
            return
        if got.actor.system == self.agr.ifp.lladdr:
            self.agr.stat["rxown"] += 1  # a cable between two of our own ports
            return
        self.agr.stat["rxlacpdu"] += 1
        ours = self.actor
        mine = got.partner.who == ours.who and not (got.partner.state ^ ours.state) & (
            lacp.LACP_AGGREGATION
        )
        state = got.actor.state
        if not mine:
            state &= ~lacp.LACP_SYNC
        was_fast = self.partner.state & lacp.LACP_TIMEOUT
        self.partner = got.actor._replace(state=state)
        self.state &= ~(lacp.LACP_DEFAULTED | lacp.LACP_EXPIRED)
        if self._current is not None:
            self._current.stop()
        self._current = self._after(LONG_TIMEOUT_S, self._timeout)
        self.agr.select()
        watched = lacp.LACP_ACTIVITY | lacp.LACP_TIMEOUT | lacp.LACP_AGGREGATION | _MOVING
        if got.partner.who != ours.who or (got.partner.state ^ self.state) & watched:
            self.transmit()  # 43.4.9 update_NTT: what the peer knows of us is not true
        if bool(was_fast) != bool(self.partner.state & lacp.LACP_TIMEOUT):
            self._tick()

    # -- the multiplexer

    def mux(self) -> None:
        """Join or leave the traffic as the group and the peer allow (43.4.15)."""
        before = self.state & _MOVING
        if not self.selected:
            if self._wait is not None:
                self._wait.stop()
                self._wait = None
            self.ready = False
            self.state &= ~_MOVING
        elif not self.ready:
            if self._wait is None:
                self._wait = self._after(AGGREGATE_WAIT_S, self._waited)
        else:
            self.state |= lacp.LACP_SYNC
            peer = self.partner.state
            if self.defaulted:
                self.state |= lacp.LACP_COLLECTING | lacp.LACP_DISTRIBUTING
            elif peer & lacp.LACP_SYNC:
                self.state |= lacp.LACP_COLLECTING
                if peer & lacp.LACP_COLLECTING:
                    self.state |= lacp.LACP_DISTRIBUTING
                else:
                    self.state &= ~lacp.LACP_DISTRIBUTING
            else:
                self.state &= ~(lacp.LACP_COLLECTING | lacp.LACP_DISTRIBUTING)
        if self.state & _MOVING != before:
            if self.up:
                self.transmit()
            self.agr.distribution_changed()

    def _waited(self) -> None:
        self._wait = None
        self.ready = True
        self.mux()


class Agr:
    """One agr interface.

    ports  by interface, in the order they were added
    """

    def __init__(self, agrs: Agrs, name: str, unit: int) -> None:
        self.agrs, self.stack, self.ether, self.stat = agrs, agrs.stack, agrs.ether, agrs.stat
        self.unit = unit
        self.ports: dict[Ifnet, Port] = {}
        self._out: list[Port] = []
        self._next = 0
        ifp = self.ifp = Ifnet(agrs.stack, name, type=IFT_IEEE8023ADLAG, mtu=0)
        ifp.flags |= IFF_BROADCAST | IFF_SIMPLEX | IFF_MULTICAST
        ifp.min_mtu, ifp.max_mtu = 1, 0
        ifp.init, ifp.start, ifp.ioctl = self._init, self._start, self._ioctl
        ifp.setaddr = self._setaddr
        ifp.attach()

    def _init(self) -> None:
        if self.ports:
            self.ifp.flags |= IFF_RUNNING

    def _setaddr(self) -> None:
        if not self.ports:
            raise NetError("EINVAL")

    # -- configuration

    def _ioctl(self, row: Any, arg: Any) -> Any:
        """SIOCSETAGR, SIOCGETAGR. Raises ENOENT, EINVAL, and what adding a port does."""
        if row is not SIOCSETAGR and row is not SIOCGETAGR:
            raise NetError("ENOTTY")
        if arg.version != AGRREQ_VERSION:
            raise NetError("EINVAL")
        if row is SIOCGETAGR:
            if arg.cmd != AGRCMD_PORTLIST:
                raise NetError("EINVAL")
            ports = [
                AgrPortInfo(p.ifp.name, (1 if p.collecting else 0) | (2 if p.distributing else 0))
                for p in self.ports.values()
            ]
            return AgrReq(arg.name, AGRREQ_VERSION, arg.cmd, "", ports)
        port = self.stack.ifunit(arg.port)
        if port is None:
            raise NetError("ENOENT")
        if arg.cmd == AGRCMD_ADDPORT:
            self._addport(port)
        elif arg.cmd == AGRCMD_REMPORT:
            if port.agr is None:
                raise NetError("ENOENT")
            if port.agr is not self:
                raise NetError("EINVAL")
            self.remport(self.ports[port])
        else:
            raise NetError("EINVAL")
        return None

    def _addport(self, ifp: Ifnet) -> None:
        """Add a port (agr_addport).

        Raises EBUSY for one that has addresses, or is a port, a bridge's member or a parent already;
        EPROTONOSUPPORT for no Ethernet; EINVAL for an agr, or another MTU than that of the first.
        """
        if ifp.agr is not None:
            raise NetError("EBUSY")
        if ifp in self.agrs.list:
            raise NetError("EINVAL")
        if ifp.type != IFT_ETHER:
            raise NetError("EPROTONOSUPPORT")
        if ifp.addrs or ifp.bridge is not None or ifp.vlan is not None:
            raise NetError("EBUSY")
        agr = self.ifp
        if not self.ports:
            self.ether.equip(agr, ifp.lladdr)
            agr.mtu, agr.min_mtu, agr.max_mtu = (
                ifp.mtu,
                ETHERMTU if ifp.mtu > ETHERMTU else 72,
                ifp.mtu,
            )
        elif ifp.mtu != agr.max_mtu:
            raise NetError("EINVAL")
        port = self.ports[ifp] = Port(self, ifp)
        ifp.agr = self
        ifp.setaddr = _no_addr
        ifp.lladdr = agr.lladdr
        agr.flags |= IFF_RUNNING
        ifp.addmulti(lacp.SLOW_ETHERADDR)
        if not ifp.flags & IFF_UP:
            ifp.up()
        port.link_changed()
        self.stack.pfil.event(IF_FLAGS, agr)

    def remport(self, port: Port) -> None:
        """Let a port go, with the address it came with (agr_remport)."""
        ifp, agr = port.ifp, self.ifp
        # The peer is told, so that it sends nothing more this way.
        port.selected = False
        port.mux()
        port.end()
        del self.ports[ifp]
        ifp.agr = None
        ifp.setaddr = port.origsetaddr
        ifp.lladdr = port.origlladdr
        if lacp.SLOW_ETHERADDR in ifp.multi:
            ifp.delmulti(lacp.SLOW_ETHERADDR)
        self.select()
        if not self.ports:
            if agr.bridge is not None:
                agr.bridge.delete(agr.bridge.members[agr])
            agr.type, agr.lladdr = IFT_IEEE8023ADLAG, b""
            agr.mtu, agr.min_mtu, agr.max_mtu = 0, 1, 0
            agr.flags &= ~IFF_RUNNING
            agr.link_state = LINK_STATE_UNKNOWN
            agr.down()
        self.stack.pfil.event(IF_FLAGS, ifp)

    # -- selection and traffic

    def select(self) -> None:
        """Choose the ports that carry frames (43.4.14): the largest group with one peer.

        At equal sizes the group with the oldest port; without any peer the oldest port whose link is up.
        """
        groups: dict[tuple[int, bytes, int], list[Port]] = {}
        alone = None
        for port in self.ports.values():
            if not port.up:
                continue
            if port.defaulted:
                alone = alone or port
            elif port.partner.system != bytes(6):
                peer = port.partner
                groups.setdefault((peer.sysprio, peer.system, peer.key), []).append(port)
        best = max(groups.values(), key=len, default=[alone] if alone is not None else [])
        for port in list(self.ports.values()):
            port.selected = port in best
            port.mux()
        self.distribution_changed()

    def distribution_changed(self) -> None:
        """Note which ports frames may leave by, and whether there are any."""
        self._out = [port for port in self.ports.values() if port.distributing]
        if self.ports:
            self.ifp.link_state_change(LINK_STATE_UP if self._out else LINK_STATE_DOWN)
            self.ifp.baudrate = sum(port.ifp.baudrate for port in self._out)

    def input(self, ifp: Ifnet, frames: Sequence[bytes]) -> None:
        """Take what port *ifp* received."""
        port = self.ports[ifp]
        good: list[bytes] = []
        for frame in frames:
            if frame[:6] == lacp.SLOW_ETHERADDR and frame[12:14] == lacp.ETHERTYPE_SLOW:
                self._slow(port, bytes(frame[14:]))
            elif len(frame) < ETHER_HDR_LEN:
                ifp.ierrors += 1
                self.stack.drop(Mbuf(frame, ifp), "agr", "runt")
            else:
                good.append(frame)
        if not good:
            return
        if port.collecting:
            self.ether.input(self.ifp, good)
            return
        for frame in good:
            self.stack.drop(Mbuf(frame, ifp), "agr", "notcollecting", f"{ifp.name} is not in use")

    def _slow(self, port: Port, pdu: bytes) -> None:
        if pdu[:1] != bytes((lacp.SUBTYPE_MARKER,)):
            port.input(pdu)
            return
        if pdu[2:3] == bytes((lacp.MARKER_RESPONSE,)):
            self.stat["rxmarkerresponse"] += 1  # we send no markers: it is somebody else's
            return
        try:
            answer = lacp.marker_response(pdu)
        except (Truncated, Malformed):
            self.stat["rxbad"] += 1
            return
        self.stat["rxmarker"] += 1
        port.send(answer)

    def _start(self) -> None:
        """Send what waits (agr_start)."""
        ifp, out = self.ifp, self._out
        snd = ifp.snd
        boxes: dict[Port, list[bytes]] = {}
        while snd:
            frame = snd.popleft()
            if ifp.bpf is not None:
                ifp.bpf.mtap(frame, BPF_OUT)
            if not out:
                ifp.oerrors += 1
                self.stack.drop(Mbuf(frame), "agr", "noport", f"{ifp.name} has no port in use")
                continue
            if ifp.flags & IFF_LINK0:
                self._next += 1
                port = out[self._next % len(out)]
            else:
                port = out[distribution(frame) % len(out)]
            boxes.setdefault(port, []).append(frame)
        for port, frames in boxes.items():
            took = port.ifp.enqueue_many(frames)
            ifp.opackets += took
            ifp.oerrors += len(frames) - took
            port.ifp.obytes += sum(map(len, frames[:took]))


def _no_addr() -> None:
    """Refuse an address: a port is nobody by itself."""
    raise NetError("EBUSY")


def distribution(frame: bytes) -> int:
    """Return a number that is the same for all frames of a conversation (agrether_hashmbuf)."""
    at = 12
    if frame[12:14] == ETHERTYPE_VLAN:
        at = 16
    what = frame[:12] + frame[14:at]
    if frame[at : at + 2] == ETHERTYPE_IP:
        what += frame[at + 11 : at + 12] + frame[at + 14 : at + 22]
    return crc32(what)
