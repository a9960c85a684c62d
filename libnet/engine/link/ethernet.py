"""Ethernet input and output (IEEE 802.3; NetBSD if_ethersubr).

An interface of this kind hands received frames to ether_input() in batches and gets frames from
ether_output() through its send queue. Nothing here knows a protocol above: the Ethertype table and the
resolver table do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from libnet.addr import AF_INET, ETHER_BROADCAST, is_multicast
from libnet.engine.kern.mbuf import (
    M_BCAST,
    M_CSUM_L4,
    M_LOOP,
    M_MCAST,
    M_PROMISC,
    M_CSUM_IPv4,
    Mbuf,
)
from libnet.engine.link.ifnet import Ifnet
from libnet.errors import NetError
from libnet.ioctl.ifflags import (
    DLT_EN10MB,
    IFF_ALLMULTI,
    IFF_BROADCAST,
    IFF_MULTICAST,
    IFF_RUNNING,
    IFF_SIMPLEX,
    IFF_UP,
    IFT_ETHER,
)
from libnet.wire.frame import CSUM_IP4, CSUM_L4, Frame

if TYPE_CHECKING:
    from libnet.engine.kern.base import StackBase

ETHERMTU: Final = 1500
ETHER_HDR_LEN: Final = 14
ETHERTYPE_IP: Final = b"\x08\x00"
ETHERTYPE_ARP: Final = b"\x08\x06"
ETHERTYPE_VLAN: Final = b"\x81\x00"
_UP_RUNNING: Final = IFF_UP | IFF_RUNNING
BPF_IN: Final = 1
BPF_OUT: Final = 2


def multicast_ether(group: int) -> bytes:
    """Return the Ethernet address of an IPv4 multicast group (RFC 1112 section 6.4)."""
    return b"\x01\x00\x5e" + (group & 0x7FFFFF).to_bytes(3, "big")


class Ethernet:
    """The Ethernet half of one stack.

    fastforward  slot: called with (ifp, frame) for a unicast IPv4 frame to us; True when it has sent
                 the packet on by a flow it knows
    """

    def __init__(self, stack: StackBase) -> None:
        self.stack = stack
        self.stat = stack.stat("ether")
        self.fastforward: Callable[[Ifnet, bytes], bool] | None = None

    def ifattach(self, ifp: Ifnet, lladdr: bytes) -> None:
        """Make *ifp* an Ethernet interface with address *lladdr* and enter it (ether_ifattach)."""
        self.equip(ifp, lladdr)
        ifp.attach()

    def equip(self, ifp: Ifnet, lladdr: bytes) -> None:
        """Make *ifp*, which may be attached already, an Ethernet interface."""
        ifp.type = IFT_ETHER
        ifp.hdrlen = ETHER_HDR_LEN
        ifp.dlt = DLT_EN10MB
        ifp.lladdr = lladdr
        ifp.flags |= IFF_BROADCAST | IFF_SIMPLEX | IFF_MULTICAST
        ifp.output = lambda m, dst, rt: self.output(ifp, m, dst, rt)
        ifp.output_many = lambda packets, m, dst, rt: self.output_many(ifp, packets, m, dst, rt)

    def input(self, ifp: Ifnet, frames: Sequence[bytes]) -> None:
        """Take frames that *ifp* received, in order (ether_input)."""
        if not ifp.flags & IFF_UP:
            for frame in frames:
                self.stack.drop(Mbuf(frame, ifp), "ether", "down", f"{ifp.name} is down")
            return
        if ifp.bpf is not None:
            for frame in frames:
                ifp.bpf.mtap(frame, BPF_IN)
        ifp.ipackets += len(frames)
        ifp.ibytes += sum(map(len, frames))
        if ifp.agr is not None:
            ifp.agr.input(ifp, frames)
            return
        if ifp.bridge is not None:
            frames = ifp.bridge.input(ifp, frames)
            if not frames:
                return
        self.local(ifp, frames)

    def local(self, ifp: Ifnet, frames: Sequence[bytes]) -> None:
        """Take frames that are, or may be, for this box, as received by *ifp*."""
        lladdr = ifp.lladdr
        # The flow of a bridge member would pass the bridge by.
        fastforward = self.fastforward if ifp.bridge is None else None
        ip_input = self.stack.ethertypes.get(ETHERTYPE_IP)
        for frame in frames:
            etype = frame[12:14]
            if frame[:6] == lladdr:
                if etype == ETHERTYPE_IP and fastforward is not None and fastforward(ifp, frame):
                    continue
                flags = 0
            elif len(frame) < ETHER_HDR_LEN:
                ifp.ierrors += 1
                ifp.ipackets -= 1
                self.stack.drop(Mbuf(frame, ifp), "ether", "runt")
                continue
            else:
                flags = self._not_to_us(ifp, frame)
                if flags < 0:
                    continue
                if flags & M_PROMISC and (etype != ETHERTYPE_VLAN or ifp.vlan is None):
                    # Seen because somebody captures; not ours to answer.
                    continue
            if etype == ETHERTYPE_IP and ip_input is not None:
                m = Mbuf(frame[14:], ifp, flags)
                if type(frame) is not bytes:
                    marks_in(m, frame)
                ip_input(m)
            else:
                self._demux(ifp, frame, etype, flags)

    def _not_to_us(self, ifp: Ifnet, frame: bytes) -> int:
        """Return the M_* flags of a frame to another address; -1 when the filter stops it."""
        if frame[0] & 1:
            ifp.imcasts += 1
            if frame[:6] == ETHER_BROADCAST:
                ifp.ibcasts += 1
                return M_BCAST
            if (
                frame[:6] in ifp.multi
                or ifp.flags & IFF_ALLMULTI
                or ifp.promisc_count
                or ifp.bridge is not None
            ):
                return M_MCAST
            self.stat["mcastfilter"] += 1
            return -1
        if ifp.promisc_count or ifp.bridge is not None:
            return M_PROMISC
        # A wire floods what it has not learned yet: the NIC's address filter stops it.
        self.stat["notforus"] += 1
        return -1

    def _demux(self, ifp: Ifnet, frame: bytes, etype: bytes, flags: int) -> None:
        """Hand a frame of any other type to its protocol."""
        handler = self.stack.ethertypes.get(etype)
        if etype == ETHERTYPE_VLAN and ifp.vlan is not None:
            ifp.vlan.input(ifp, frame)
            return
        m = Mbuf(frame[14:], ifp, flags)
        m.tag("ether", frame[:14])
        if handler is None or etype < b"\x06\x00":
            ifp.noproto += 1
            self.stack.drop(m, "ether", "noproto", f"ethertype {etype.hex()}")
            return
        handler(m)

    def output(self, ifp: Ifnet, m: Mbuf, dst: int, rt: Any) -> None:
        """Send IPv4 packet *m* to next hop *dst* (host integer) (ether_output).

        Raises ENETDOWN, EHOSTDOWN, EHOSTUNREACH, ENOBUFS. A packet whose next hop is being asked for
        is held by the resolver: that is success.
        """
        if ifp.flags & _UP_RUNNING != _UP_RUNNING:
            self.stack.drop(m, "ether", "odown", f"{ifp.name} is down")
            raise NetError("ENETDOWN")
        if m.flags & M_BCAST:
            lladdr = ETHER_BROADCAST
            self._loop_simplex(ifp, m)
        elif m.flags & M_MCAST or is_multicast(dst):
            lladdr = multicast_ether(dst)
        else:
            resolved = self.stack.resolvers[AF_INET](ifp, rt, m, dst)
            if resolved is None:
                return
            lladdr = resolved
        self.transmit(ifp, m, lladdr, ETHERTYPE_IP)

    def output_many(self, ifp: Ifnet, packets: list[bytes], m: Mbuf, dst: int, rt: Any) -> None:
        """Send *packets*, cut from unicast *m*, to next hop *dst*; raises what output() does."""
        if ifp.flags & _UP_RUNNING != _UP_RUNNING or ifp.bridge is not None or ifp.altq is not None:
            for data in packets:
                m.data = data
                self.output(ifp, m.copy(), dst, rt)
            return
        m.data = packets[0]
        lladdr = self.stack.resolvers[AF_INET](ifp, rt, m, dst)
        if lladdr is None:
            # The resolver holds one packet, the latest: what is held of a burst matters little.
            for data in packets[1:]:
                one = m.copy()
                one.data = data
                self.output(ifp, one, dst, rt)
            return
        head = lladdr + ifp.lladdr + ETHERTYPE_IP
        csum = (CSUM_IP4 if m.csum_flags & M_CSUM_IPv4 else 0) | (
            CSUM_L4 if m.csum_flags & M_CSUM_L4 else 0
        )
        if csum:
            frames: list[bytes] = [mark(head + data, csum, 0) for data in packets]
        else:
            frames = [head + data for data in packets]
        ifp.obytes += sum(map(len, frames))
        if ifp.enqueue_many(frames) < len(frames):
            raise NetError("ENOBUFS")

    def _loop_simplex(self, ifp: Ifnet, m: Mbuf) -> None:
        # A SIMPLEX interface does not hear itself: our own broadcast listeners get a copy.
        if ifp.flags & IFF_SIMPLEX and not m.flags & M_LOOP:
            handler = self.stack.ethertypes.get(ETHERTYPE_IP)
            if handler is not None:
                copy = Mbuf(m.data, ifp, M_BCAST | M_LOOP, M_CSUM_IPv4 | M_CSUM_L4)
                self.stack.netisr(handler, copy)

    def transmit(self, ifp: Ifnet, m: Mbuf, lladdr: bytes, etype: bytes) -> None:
        """Put the link header before *m* and give the frame to the interface."""
        frame = lladdr + ifp.lladdr + etype + m.data
        if m.csum_flags or m.gso_size:
            csum = (CSUM_IP4 if m.csum_flags & M_CSUM_IPv4 else 0) | (
                CSUM_L4 if m.csum_flags & M_CSUM_L4 else 0
            )
            frame = mark(frame, csum, m.gso_size)
        if ifp.bridge is not None:
            ifp.bridge.output(ifp, frame)
            return
        ifp.obytes += len(frame)
        if lladdr[0] & 1:
            ifp.omcasts += 1
            if lladdr == ETHER_BROADCAST:
                ifp.obcasts += 1
        ifp.enqueue(frame, m)

    def send(self, ifp: Ifnet, lladdr: bytes, etype: bytes, payload: bytes) -> None:
        """Send a frame that is not IP (ARP, spanning tree, …). Raises ENETDOWN, ENOBUFS."""
        if ifp.flags & _UP_RUNNING != _UP_RUNNING:
            self.stat["odown"] += 1
            raise NetError("ENETDOWN")
        self.transmit(ifp, Mbuf(payload), lladdr, etype)


def mark(frame: bytes, csum: int, gso_size: int) -> Frame:
    """Return *frame* with offload marks: CSUM_* of what is undone, octets of a segment."""
    marked = Frame(frame)
    marked.csum, marked.gso_size = csum, gso_size
    return marked


def marks_in(m: Mbuf, frame: bytes) -> None:
    """Note what a marked frame's sender left undone: on a virtual wire nothing can damage it."""
    csum = getattr(frame, "csum", 0)
    if csum & CSUM_IP4:
        m.csum_flags |= M_CSUM_IPv4
    if csum & CSUM_L4:
        m.csum_flags |= M_CSUM_L4
    m.gso_size = getattr(frame, "gso_size", 0)
