"""tun(4): a network interface whose wire is a program that has /dev/tunN open.

One read is one packet that the stack has sent, one write one packet that it receives. Before a packet
there may be its address family (TUNSIFHEAD), or on the way out the next hop as a sockaddr (TUNSLMODE).
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import TYPE_CHECKING, Any, Final

from libnet.addr import AF_INET
from libnet.engine.kern.mbuf import Mbuf
from libnet.engine.kern.socket import Cred
from libnet.engine.link.ethernet import BPF_IN, BPF_OUT, ETHERTYPE_IP
from libnet.engine.link.ifnet import Ifnet
from libnet.engine.pfil.pfil import IF_FLAGS
from libnet.engine.tunnel.ends import AF_INET_NULL, finish
from libnet.errors import NetError
from libnet.ioctl import tunnel as t
from libnet.ioctl.ifflags import (
    DLT_NULL,
    IFF_BROADCAST,
    IFF_POINTOPOINT,
    IFF_RUNNING,
    IFF_UP,
    IFT_TUNNEL,
)
from libnet.ioctl.sockio import FIONREAD

if TYPE_CHECKING:
    from libnet.engine.inet.inetstack import InetStack
    from libnet.engine.link.ifclone import Cloners

TUNMTU: Final = 1500
TUNMTU_MIN: Final = 576
_SIN: Final = Struct("!BBHI8x")  # NetBSD's struct sockaddr_in
_HEAD: Final = 4


class Tuns:
    """The tun interfaces of one stack."""

    def __init__(self, stack: InetStack, cloners: Cloners) -> None:
        self.stack, self.cloners = stack, cloners
        self.stat = stack.stat("tun")
        self.debug = 0
        self.list: dict[Ifnet, Tun] = {}

    def create(self, name: str, _unit: int) -> Ifnet:
        """Make an interface (tun_clone_create)."""
        tun = Tun(self, name)
        self.list[tun.ifp] = tun
        return tun.ifp

    def destroy(self, ifp: Ifnet) -> None:
        """Take one away; a program that has it open gets ENXIO from now on."""
        tun = self.list.pop(ifp)
        ifp.detach()
        if tun.dev is not None:
            tun.dev.gone()

    def open(self, unit: int, cred: Cred) -> TunDevice:
        """Open /dev/tun*unit*, making the interface if need be. Raises EPERM, ENXIO, EBUSY."""
        if not cred.suser:
            raise NetError("EPERM")
        name = f"tun{unit}"
        ifp = self.stack.ifunit(name)
        if ifp is None:
            try:
                ifp = self.cloners.create(name)
            except NetError:
                raise NetError("ENXIO") from None
        tun = self.list.get(ifp)
        if tun is None:
            raise NetError("ENXIO")
        if tun.dev is not None:
            raise NetError("EBUSY")
        tun.dev = TunDevice(tun)
        return tun.dev


class Tun:
    """One tun interface (struct tun_softc).

    dev     the open device, or None
    ifhead  whether the address family goes before a packet       prepaddr  or its next hop
    """

    def __init__(self, tuns: Tuns, name: str) -> None:
        self.tuns, self.stack = tuns, tuns.stack
        self.dev: TunDevice | None = None
        self.ifhead = self.prepaddr = False
        ifp = self.ifp = Ifnet(tuns.stack, name, type=IFT_TUNNEL, mtu=TUNMTU)
        ifp.min_mtu, ifp.max_mtu = TUNMTU_MIN, TUNMTU
        ifp.dlt = DLT_NULL
        ifp.flags |= IFF_POINTOPOINT
        ifp.output, ifp.init, ifp.stop, ifp.start = (
            self._output,
            self._init,
            self._stop,
            self._start,
        )
        ifp.attach()

    def _init(self) -> None:
        self.ifp.flags |= IFF_RUNNING

    def _stop(self) -> None:
        self.ifp.flags &= ~IFF_RUNNING

    def _start(self) -> None:
        if self.dev is not None and self.dev.upcall is not None:
            self.dev.upcall()

    def _output(self, m: Mbuf, dst: int, _rt: Any) -> None:
        """Queue IPv4 packet *m* for the program (tun_output). Raises ENETDOWN, ENOBUFS."""
        ifp, stack = self.ifp, self.stack
        if self.dev is None or not ifp.flags & IFF_UP:
            stack.drop(m, "tun", "odown", f"{ifp.name}: nobody has it open, or it is down")
            raise NetError("ENETDOWN")
        packet = finish(stack, m)
        if ifp.bpf is not None:
            ifp.bpf.mtap(AF_INET_NULL + packet, BPF_OUT)
        if self.prepaddr:
            packet = _SIN.pack(_SIN.size, AF_INET, 0, dst) + packet
        elif self.ifhead:
            packet = AF_INET.to_bytes(_HEAD, "big") + packet
        try:
            ifp.enqueue(packet, m)
        except NetError:
            ifp.collisions += 1
            raise
        ifp.opackets += 1
        ifp.obytes += len(packet)


class TunDevice:
    """An open /dev/tunN.

    upcall  called when read() has something new, or will fail
    """

    def __init__(self, tun: Tun) -> None:
        self.upcall: Callable[[], None] | None = None
        self._tun: Tun | None = tun

    def gone(self) -> None:
        """Note that the interface has been destroyed."""
        self._tun = None
        if self.upcall is not None:
            self.upcall()

    @property
    def _live(self) -> Tun:
        if self._tun is None:
            raise NetError("ENXIO")
        return self._tun

    def read(self, size: int) -> bytes:
        """Return the next packet, cut to *size* octets. Raises EAGAIN, ENXIO."""
        snd = self._live.ifp.snd
        if not snd:
            raise NetError("EAGAIN")
        return snd.popleft()[:size]

    def write(self, data: bytes) -> int:
        """Have the interface receive a packet (tunwrite).

        Raises EIO for one that lacks its head or is too long, EAFNOSUPPORT for another family, ENXIO.
        """
        tun = self._live
        ifp, stack = tun.ifp, tun.stack
        family, packet = AF_INET, data
        if tun.prepaddr:
            if not data or not 2 <= data[0] <= len(data):
                ifp.ierrors += 1
                raise NetError("EIO" if not data else "EINVAL")
            family, packet = data[1], data[data[0] :]
        elif tun.ifhead:
            if len(data) < _HEAD:
                ifp.ierrors += 1
                raise NetError("EIO")
            family, packet = int.from_bytes(data[:_HEAD], "big"), data[_HEAD:]
        if len(packet) > TUNMTU:
            ifp.ierrors += 1
            raise NetError("EIO")
        if family != AF_INET:
            ifp.ierrors += 1
            raise NetError("EAFNOSUPPORT")
        if ifp.bpf is not None:
            ifp.bpf.mtap(AF_INET_NULL + packet, BPF_IN)
        if not ifp.flags & IFF_UP:
            ifp.ierrors += 1
            stack.drop(Mbuf(packet, ifp), "tun", "down", f"{ifp.name} is down")
            return len(data)
        ifp.ipackets += 1
        ifp.ibytes += len(packet)
        stack.netisr(stack.ethertypes[ETHERTYPE_IP], Mbuf(packet, ifp))
        return len(data)

    def ioctl(self, row: Any, arg: Any) -> Any:
        """TUN*, FIONREAD. Raises EINVAL, EBUSY for a mode while the interface is up, ENXIO, ENOTTY."""
        tun = self._live
        if row.arg is int and row.dir & 0x80000000 and type(arg) is not int:
            raise NetError("EINVAL")
        if row is t.TUNSDEBUG:
            tun.tuns.debug = arg
        elif row is t.TUNGDEBUG:
            return tun.tuns.debug
        elif row is t.TUNSIFMODE:
            self._mode(tun, arg)
        elif row is t.TUNSLMODE:
            tun.prepaddr = bool(arg)
            tun.ifhead = tun.ifhead and not arg
        elif row is t.TUNSIFHEAD:
            tun.ifhead = bool(arg)
            tun.prepaddr = tun.prepaddr and not arg
        elif row is t.TUNGIFHEAD:
            return int(tun.ifhead)
        elif row is FIONREAD:
            return len(tun.ifp.snd[0]) if tun.ifp.snd else 0
        else:
            raise NetError("ENOTTY")
        return None

    @staticmethod
    def _mode(tun: Tun, mode: int) -> None:
        both = IFF_BROADCAST | IFF_POINTOPOINT
        if mode not in (IFF_BROADCAST, IFF_POINTOPOINT):
            raise NetError("EINVAL")
        ifp = tun.ifp
        if ifp.flags & both == mode:
            return
        if ifp.flags & IFF_UP:
            raise NetError("EBUSY")
        ifp.flags = (ifp.flags & ~both) | mode
        tun.stack.pfil.event(IF_FLAGS, ifp)

    def readable(self) -> bool:
        """Tell whether read() would return something or fail for good."""
        return self._tun is None or bool(self._tun.ifp.snd)

    def close(self) -> None:
        """Let go of the interface: it stays, what waits is lost (tunclose)."""
        tun, self._tun, self.upcall = self._tun, None, None
        if tun is not None:
            tun.dev = None
            tun.ifp.snd.clear()
