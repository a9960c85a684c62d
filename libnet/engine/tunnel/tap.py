"""tap(4): an Ethernet interface whose wire is a program that has /dev/tapN, or a clone of /dev/tap, open.

One read is one frame that the stack has sent, one write one frame that it receives. Without a program
the frames that are sent are counted and lost, as on a wire that nobody is plugged into.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from libnet.addr import SockaddrDl, ether_aton, ether_ntoa
from libnet.engine.kern.socket import Cred
from libnet.engine.link.ethernet import BPF_OUT, ETHER_HDR_LEN
from libnet.engine.link.ifclone import MAX_UNIT
from libnet.engine.link.ifmedia import Ifmedia
from libnet.engine.link.ifnet import Ifnet
from libnet.engine.pfil.pfil import IF_FLAGS
from libnet.errors import NetError
from libnet.ioctl import ifflags as f
from libnet.ioctl import tunnel as t
from libnet.ioctl.iftunnel import SIOCSIFPHYADDR
from libnet.ioctl.sockio import FIONREAD, IfReq
from libnet.ioctl.sysctl import CTLTYPE_STRING

if TYPE_CHECKING:
    from libnet.engine.inet.inetstack import InetStack
    from libnet.engine.kern.sysctl import SysctlTree
    from libnet.engine.link.ifclone import Cloners

TAP_PREFIX: Final = b"\xf2\x0b\xa4"
TAPMTU_MAX: Final = 9000
_TAG: Final = 4
_SUBTYPES: Final = (f.IFM_1000_T, f.IFM_100_TX, f.IFM_10_T)


def _whole(frames: Sequence[bytes]) -> Sequence[bytes]:
    return frames


class Taps:
    """The tap interfaces of one stack.

    fit   does what offload left undone in frames, before a program sees them
    tree  where net.link.tap is
    """

    def __init__(self, stack: InetStack, cloners: Cloners, tree: SysctlTree) -> None:
        self.stack, self.cloners, self.tree = stack, cloners, tree
        self.fit: Callable[[Sequence[bytes]], Sequence[bytes]] = _whole
        self.list: dict[Ifnet, Tap] = {}

    def sysctl_setup(self, tree: SysctlTree) -> None:
        """Plant net.link.tap; each interface has a node there with its address."""
        tree.node("net.link", 18, "Link layers")
        tree.node("net.link.tap", None, "Addresses of tap interfaces")

    def create(self, name: str, unit: int) -> Ifnet:
        """Make an interface (tap_clone_create)."""
        tap = Tap(self, name, unit)
        self.list[tap.ifp] = tap
        return tap.ifp

    def destroy(self, ifp: Ifnet) -> None:
        """Take one away; a program that has it open gets ENXIO from now on."""
        tap = self.list.pop(ifp)
        self.tree.remove(f"net.link.tap.{ifp.name}")
        ifp.detach()
        if tap.dev is not None:
            tap.dev.gone()

    def open(self, unit: int, cred: Cred) -> TapDevice:
        """Open /dev/tap*unit* of an interface that is there. Raises EPERM, ENXIO, EBUSY."""
        if not cred.suser:
            raise NetError("EPERM")
        ifp = self.stack.ifunit(f"tap{unit}")
        tap = self.list.get(ifp) if ifp is not None else None
        if tap is None:
            raise NetError("ENXIO")
        return self._open(tap, clone=False)

    def clone(self, cred: Cred) -> TapDevice:
        """Open /dev/tap: a new interface, which goes when the device is closed. Raises EPERM."""
        if not cred.suser:
            raise NetError("EPERM")
        unit = 0
        while self.stack.ifunit(f"tap{unit}") is not None:
            unit += 1
        if unit > MAX_UNIT:
            raise NetError("ENXIO")
        return self._open(self.list[self.cloners.create(f"tap{unit}")], clone=True)

    def _open(self, tap: Tap, *, clone: bool) -> TapDevice:
        if tap.dev is not None:
            raise NetError("EBUSY")
        tap.dev = TapDevice(self, tap, clone=clone)
        return tap.dev


class Tap:
    """One tap interface (struct tap_softc).

    dev  the open device, or None
    """

    def __init__(self, taps: Taps, name: str, unit: int) -> None:
        self.taps, self.stack = taps, taps.stack
        self.dev: TapDevice | None = None
        ifp = self.ifp = Ifnet(taps.stack, name)
        ifp.max_mtu = TAPMTU_MAX
        ifp.init, ifp.stop, ifp.start = self._init, self._stop, self._start
        ifp.ioctl = self._ioctl
        words = []
        for subtype in _SUBTYPES:
            words += [f.IFM_ETHER | subtype, f.IFM_ETHER | subtype | f.IFM_FDX]
        auto = f.IFM_ETHER | f.IFM_AUTO
        ifp.media = Ifmedia([*words, auto], auto, lambda _word: None, self._media_status)
        taps.stack.ethernet.ifattach(
            ifp, TAP_PREFIX + taps.stack.dice.getrandbits(24).to_bytes(3, "big")
        )
        taps.tree.leaf(
            f"net.link.tap.{name}",
            unit,
            CTLTYPE_STRING,
            lambda: ether_ntoa(ifp.lladdr),
            self._set_lladdr_text,
            size=18,
            hi=17,
            desc=f"Address of {name}",
        )

    def _media_status(self) -> tuple[int, int]:
        assert self.ifp.media is not None
        return 0, self.ifp.media.cur  # there is no carrier that could be told

    def _init(self) -> None:
        self.ifp.flags |= f.IFF_RUNNING
        self._start()

    def _stop(self) -> None:
        self.ifp.flags &= ~f.IFF_RUNNING
        if self.dev is not None and self.dev.upcall is not None:
            self.dev.upcall()

    def _start(self) -> None:
        ifp = self.ifp
        if self.dev is None:
            while ifp.snd:
                self.sent(ifp.snd.popleft())
                ifp.odrops += 1
        elif ifp.snd and self.dev.upcall is not None:
            self.dev.upcall()

    def sent(self, frame: bytes) -> None:
        """Count a frame that leaves."""
        self.ifp.opackets += 1
        if self.ifp.bpf is not None:
            self.ifp.bpf.mtap(frame, BPF_OUT)

    def _ioctl(self, row: Any, arg: Any) -> Any:
        """SIOCSIFPHYADDR with a link address sets ours."""
        if row is not SIOCSIFPHYADDR:
            raise NetError("ENOTTY")
        if not isinstance(arg.addr, SockaddrDl):
            raise NetError("EINVAL")
        self._set_lladdr(arg.addr.lladdr)

    def _set_lladdr_text(self, text: Any) -> None:
        try:
            lladdr = ether_aton(text)
        except ValueError:
            raise NetError("EINVAL") from None
        self._set_lladdr(lladdr)

    def _set_lladdr(self, lladdr: bytes) -> None:
        if len(lladdr) != 6 or lladdr[0] & 1:
            raise NetError("EINVAL")
        self.ifp.lladdr = lladdr
        self.stack.pfil.event(IF_FLAGS, self.ifp)


class TapDevice:
    """An open /dev/tapN, or a clone of /dev/tap.

    upcall  called when read() has something new, or will fail
    """

    def __init__(self, taps: Taps, tap: Tap, *, clone: bool) -> None:
        self.upcall: Callable[[], None] | None = None
        self._taps, self._clone = taps, clone
        self._tap: Tap | None = tap
        self._fitted: list[bytes] = []

    def gone(self) -> None:
        """Note that the interface has been destroyed."""
        self._tap = None
        if self.upcall is not None:
            self.upcall()

    @property
    def _live(self) -> Tap:
        if self._tap is None:
            raise NetError("ENXIO")
        return self._tap

    def read(self, size: int) -> bytes:
        """Return the next frame, cut to *size* octets. Raises EHOSTDOWN, EAGAIN, ENXIO."""
        tap = self._live
        if not tap.ifp.flags & f.IFF_UP:
            raise NetError("EHOSTDOWN")
        if not self._fitted:
            if not tap.ifp.snd:
                raise NetError("EAGAIN")
            self._fitted = list(self._taps.fit((tap.ifp.snd.popleft(),)))
        frame = self._fitted.pop(0)
        tap.sent(frame)
        return bytes(frame[:size])

    def write(self, data: bytes) -> int:
        """Have the interface receive a frame. Raises EMSGSIZE for a giant, ENXIO."""
        tap = self._live
        ifp = tap.ifp
        if len(data) > ifp.mtu + ETHER_HDR_LEN + _TAG:
            ifp.ierrors += 1
            raise NetError("EMSGSIZE")
        tap.stack.ethernet.input(ifp, [data])
        return len(data)

    def ioctl(self, row: Any, arg: Any) -> Any:
        """TAPGIFNAME, FIONREAD. Raises ENXIO, ENOTTY."""
        del arg
        tap = self._live
        if row is t.TAPGIFNAME:
            return IfReq(tap.ifp.name)
        if row is FIONREAD:
            waiting = self._fitted or tap.ifp.snd
            return len(waiting[0]) if waiting else 0
        raise NetError("ENOTTY")

    def readable(self) -> bool:
        """Tell whether read() would return something or fail."""
        tap = self._tap
        return tap is None or not tap.ifp.flags & f.IFF_UP or bool(self._fitted or tap.ifp.snd)

    def close(self) -> None:
        """Let go of the interface; a clone goes (tap_dev_close)."""
        tap, self._tap, self.upcall = self._tap, None, None
        if tap is None:
            return
        tap.dev = None
        while tap.ifp.snd:
            tap.sent(tap.ifp.snd.popleft())
        if self._clone:
            self._taps.cloners.destroy(tap.ifp.name)
