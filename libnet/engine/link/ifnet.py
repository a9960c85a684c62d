"""ifnet(9): network interfaces, their addresses, their send queues."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from libnet.addr import SockaddrDl
from libnet.engine.pfil.pfil import IF_ATTACH, IF_DETACH, IF_FLAGS, IF_LINK
from libnet.errors import NetError
from libnet.ioctl.ifflags import (
    DLT_NULL,
    IFCAP_IP4CSUM,
    IFCAP_TCP4CSUM,
    IFCAP_UDP4CSUM,
    IFF_ALLMULTI,
    IFF_OACTIVE,
    IFF_PROMISC,
    IFF_RUNNING,
    IFF_UP,
    IFT_OTHER,
    LINK_STATE_DOWN,
    LINK_STATE_UNKNOWN,
)
from libnet.ioctl.sockio import IfData

if TYPE_CHECKING:
    from libnet.engine.kern.base import StackBase
    from libnet.engine.kern.mbuf import Mbuf
    from libnet.engine.link.ifmedia import Ifmedia

IFQ_MAXLEN: Final = 256


class Ifaddr:
    """One address of an interface (struct in_ifaddr, for IPv4).

    addr, mask, dstaddr, broadaddr  host integers; broadaddr 0 when there is none
    alias       whether it was added after the first
    preference  SIOCSIFADDRPREF
    """

    __slots__ = (
        "addr",
        "broadaddr",
        "dstaddr",
        "family",
        "flags",
        "ifp",
        "mask",
        "metric",
        "preference",
    )

    def __init__(self, ifp: Ifnet, family: int, addr: int, mask: int) -> None:
        self.ifp = ifp
        self.family = family
        self.addr = addr
        self.mask = mask
        self.dstaddr = 0
        self.broadaddr = 0
        self.flags = 0
        self.metric = 0
        self.preference = 0


class Ifnet:
    """One interface.

    name        at most 15 characters               index       from 1
    flags       IFF_*                               type        IFT_*
    mtu         octets of the largest datagram      hdrlen      octets of link header
    lladdr      link address, b"" for none          broadcast   link broadcast address
    capabilities_rx/_tx, capenable_rx/_tx  IFCAP_* bits
    csum_flags_tx  M_CSUM_* the interface finishes itself (from capenable_tx)
    addrs       Ifaddr in order of entry
    multi       link multicast address -> reference count

    output(m, dst, rt)  send *m*, a packet of family AF_INET, to the next hop (set by its kind)
    output_many(packets, m, dst, rt)  send several to one next hop, with the marks of *m*
    start()             move frames from the send queue to the wire (the driver's)
    init() stop()       the driver's; init when it comes up, stop when it goes down
    setaddr()           called before the interface is given an address; raises NetError to refuse
    ioctl(row, arg)     what the driver or pseudo-device answers itself; raises ENOTTY for the rest
    detach_driver()     takes the driver's instance away; None when the interface cannot be destroyed

    Slots, None until something is attached: bpf, agr, bridge, vlan, ieee80211, carp, altq.
    """

    def __init__(
        self, stack: StackBase, name: str, *, type: int = IFT_OTHER, mtu: int = 1500
    ) -> None:
        self.stack = stack
        self.name = name
        self.index = 0
        self.flags = 0
        self.type = type
        self.mtu = mtu
        self.metric = 0
        self.hdrlen = 0
        self.baudrate = 0
        self.link_state = LINK_STATE_UNKNOWN
        self.lladdr = b""
        self.dlt = DLT_NULL
        self.capabilities_rx = 0
        self.capabilities_tx = 0
        self.capenable_rx = 0
        self.capenable_tx = 0
        self.csum_flags_tx = 0
        self.addrs: list[Ifaddr] = []
        self.multi: dict[bytes, int] = {}
        self.media: Ifmedia | None = None
        self.snd: deque[bytes] = deque()
        self.snd_maxlen = IFQ_MAXLEN
        self.promisc_count = 0
        self.allmulti_count = 0
        self.max_mtu = mtu
        self.min_mtu = 72
        self.cloned = False
        self.shim = False

        self.ipackets = self.ierrors = self.opackets = self.oerrors = self.collisions = 0
        self.ibytes = self.obytes = self.imcasts = self.omcasts = self.iqdrops = self.noproto = 0
        self.odrops = self.ibcasts = self.obcasts = 0
        self.lastchange = stack.clock.wall()

        self.bpf: Any = None
        self.agr: Any = None
        self.bridge: Any = None
        self.vlan: Any = None
        self.ieee80211: Any = None
        self.carp: Any = None
        self.altq: Any = None

        self.output: Callable[[Mbuf, int, Any], None] = self._no_output
        self.output_many: Callable[[list[bytes], Mbuf, int, Any], None] = self._each
        self.start: Callable[[], None] = self._nothing
        self.init: Callable[[], None] = self._nothing
        self.stop: Callable[[], None] = self._nothing
        self.ioctl: Callable[[Any, Any], Any] = self._no_ioctl
        self.filter_changed: Callable[[], None] = self._nothing
        self.setaddr: Callable[[], None] = self._nothing
        self.detach_driver: Callable[[], None] | None = None

    @staticmethod
    def _nothing() -> None:
        return None

    @staticmethod
    def _no_output(m: Mbuf, dst: int, rt: Any) -> None:
        raise NetError("ENETDOWN")

    def _each(self, packets: list[bytes], m: Mbuf, dst: int, rt: Any) -> None:
        for data in packets:
            one = m.copy()
            one.data = data
            one.src, one.dst, one.proto, one.tos, one.ttl = m.src, m.dst, m.proto, m.tos, m.ttl
            one.hlen, one.ip_len = m.hlen, len(data)
            one.ip_id, one.ip_off = int.from_bytes(data[4:6], "big"), m.ip_off
            self.output(one, dst, rt)

    @staticmethod
    def _no_ioctl(row: Any, arg: Any) -> Any:
        raise NetError("ENOTTY")

    # -- coming and going

    def attach(self) -> None:
        """Enter the interface list under the lowest free index (if_attach)."""
        taken = self.stack.ifnets
        index = 1
        while index in taken:
            index += 1
        self.index = index
        taken[index] = self
        if index + 1 in taken:  # keep the list in index order
            self.stack.ifnets = dict(sorted(taken.items()))
        self.stack.pfil.event(IF_ATTACH, self)

    def detach(self) -> None:
        """Leave the list; whoever kept something for the interface drops it (if_detach)."""
        if self.flags & IFF_UP:
            self.down()
        self.stack.pfil.event(IF_DETACH, self)
        self.snd.clear()
        self.addrs.clear()
        self.multi.clear()
        self.stack.ifnets.pop(self.index, None)

    # -- up and down

    def up(self) -> None:
        """Set IFF_UP and have the driver start (if_up)."""
        self.flags |= IFF_UP
        self.touch()
        if not self.flags & IFF_RUNNING:
            self.init()
        self.stack.pfil.event(IF_FLAGS, self)

    def down(self) -> None:
        """Clear IFF_UP, have the driver stop, forget what waits to be sent (if_down)."""
        self.flags &= ~IFF_UP
        self.touch()
        self.stop()
        self.snd.clear()
        self.stack.pfil.event(IF_FLAGS, self)

    def link_state_change(self, state: int) -> None:
        """Note the carrier, LINK_STATE_*, and tell who listens."""
        if state == self.link_state:
            return
        self.link_state = state
        self.touch()
        self.stack.pfil.event(IF_LINK, self)

    @property
    def has_link(self) -> bool:
        """Whether the link is not known to be down."""
        return self.link_state != LINK_STATE_DOWN

    def touch(self) -> None:
        """Note the time of the last change."""
        self.lastchange = self.stack.clock.wall()

    # -- sending

    def enqueue(self, frame: bytes, m: Mbuf | None = None) -> None:
        """Give *frame*, made of *m*, to the driver through the send queue, or to ALTQ's queues.

        Raises ENOBUFS when it is full.
        """
        if self.altq is not None:
            if not self.altq.enqueue(frame, len(frame), m):
                self.odrops += 1
                raise NetError("ENOBUFS")
            return
        snd = self.snd
        if len(snd) >= self.snd_maxlen:
            self._full(frame)
        snd.append(frame)
        if not self.flags & IFF_OACTIVE:
            self.start()

    def _full(self, frame: bytes) -> None:
        self.odrops += 1
        if self.stack.droptrace:
            self.stack.log(6, f"drop: {self.name}.odrops: send queue full: {len(frame)} octets")
        raise NetError("ENOBUFS")

    def send_now(self, frame: bytes) -> None:
        """Give *frame* to the driver past ALTQ. Raises ENOBUFS when the send queue is full."""
        snd = self.snd
        if len(snd) >= self.snd_maxlen:
            self._full(frame)
        snd.append(frame)
        if not self.flags & IFF_OACTIVE:
            self.start()

    def enqueue_many(self, frames: list[bytes]) -> int:
        """Give *frames* to the driver; return how many got into the send queue."""
        snd = self.snd
        took = 0
        if self.altq is not None:
            took = sum(self.altq.enqueue(frame, len(frame), None) for frame in frames)
            self.odrops += len(frames) - took
            return took
        while took < len(frames):
            room = self.snd_maxlen - len(snd)
            if room <= 0:
                lost = len(frames) - took
                self.odrops += lost
                if self.stack.droptrace:
                    self.stack.log(6, f"drop: {self.name}.odrops: send queue full: {lost} frames")
                break
            snd.extend(frames[took : took + room] if took or room < len(frames) else frames)
            took = min(len(frames), took + room)
            if not self.flags & IFF_OACTIVE:
                self.start()
        return took

    # -- filters of the receiver

    def ifpromisc(self, on: bool) -> None:
        """Count one more or one less who wants every frame (ifpromisc(9))."""
        self.promisc_count += 1 if on else -1
        assert self.promisc_count >= 0
        want = self.promisc_count > 0
        if want != bool(self.flags & IFF_PROMISC):
            self.flags ^= IFF_PROMISC
            self.filter_changed()
            self.stack.pfil.event(IF_FLAGS, self)

    def addmulti(self, lladdr: bytes) -> None:
        """Receive frames to link multicast *lladdr*; counted."""
        self.multi[lladdr] = self.multi.get(lladdr, 0) + 1
        self.filter_changed()

    def delmulti(self, lladdr: bytes) -> None:
        """Undo one addmulti(). Raises EADDRNOTAVAIL."""
        count = self.multi.get(lladdr, 0)
        if not count:
            raise NetError("EADDRNOTAVAIL")
        if count == 1:
            del self.multi[lladdr]
        else:
            self.multi[lladdr] = count - 1
        self.filter_changed()

    def allmulti(self, on: bool) -> None:
        """Count one more or one less who wants every multicast frame."""
        self.allmulti_count += 1 if on else -1
        if self.allmulti_count > 0:
            self.flags |= IFF_ALLMULTI
        else:
            self.flags &= ~IFF_ALLMULTI
        self.filter_changed()

    # -- what others ask

    def set_capenable(self, rx: int, tx: int) -> None:
        """Enable capabilities; only those the interface has. Raises EINVAL."""
        if rx & ~self.capabilities_rx or tx & ~self.capabilities_tx:
            raise NetError("EINVAL")
        self.capenable_rx, self.capenable_tx = rx, tx
        self.csum_flags_tx = 0
        if tx & IFCAP_IP4CSUM:
            self.csum_flags_tx |= 0x01  # M_CSUM_IPv4
        if tx & IFCAP_UDP4CSUM:
            self.csum_flags_tx |= 0x02  # M_CSUM_UDPv4
        if tx & IFCAP_TCP4CSUM:
            self.csum_flags_tx |= 0x04  # M_CSUM_TCPv4

    def data(self) -> IfData:
        """Return struct if_data."""
        return IfData(
            type=self.type,
            addrlen=len(self.lladdr),
            hdrlen=self.hdrlen,
            link_state=self.link_state,
            mtu=self.mtu,
            metric=self.metric,
            baudrate=self.baudrate,
            ipackets=self.ipackets,
            ierrors=self.ierrors,
            opackets=self.opackets,
            oerrors=self.oerrors,
            collisions=self.collisions,
            ibytes=self.ibytes,
            obytes=self.obytes,
            imcasts=self.imcasts,
            omcasts=self.omcasts,
            iqdrops=self.iqdrops,
            noproto=self.noproto,
            odrops=self.odrops,
            lastchange=self.lastchange,
        )

    def zero_data(self) -> None:
        """Zero the counters (SIOCZIFDATA)."""
        self.ipackets = self.ierrors = self.opackets = self.oerrors = self.collisions = 0
        self.ibytes = self.obytes = self.imcasts = self.omcasts = self.iqdrops = self.noproto = 0
        self.odrops = self.ibcasts = self.obcasts = 0

    def sockaddr_dl(self) -> SockaddrDl:
        """Return the link-level address."""
        return SockaddrDl(self.index, self.type, self.name, self.lladdr)

    def inet_addrs(self, family: int) -> list[Ifaddr]:
        """Return the addresses of *family* in order."""
        return [ifa for ifa in self.addrs if ifa.family == family]
