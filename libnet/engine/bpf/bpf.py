"""bpf(4): taps on interfaces and the descriptors that read them (NetBSD net/bpf.c).

A descriptor has two buffers. Packets its filter takes go to the store; when the store is full, and the
hold buffer free, they change places and the reader wakes. A packet for which there is no room is
counted and lost: a slow reader costs packets, never the network.

A tap exists on an interface while a descriptor is attached, and only then costs anything. An interface
has one link type of its own (`Ifnet.dlt`), in the slot `Ifnet.bpf`; a driver that can show its frames
in more than one form attaches the others (Bpf.attach).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from libnet.engine.bpf.filter import Filter, bpf_validate, translate
from libnet.engine.kern.mbuf import Mbuf
from libnet.engine.link.ethernet import BPF_IN, BPF_OUT
from libnet.engine.pfil.pfil import IF_DETACH
from libnet.errors import NetError
from libnet.ioctl import bpf as b
from libnet.ioctl.ifflags import IFF_ALLMULTI, IFF_RUNNING, IFF_UP
from libnet.ioctl.registry import IN
from libnet.ioctl.sockio import FIONREAD, IfReq
from libnet.ioctl.sysctl import BpfPeer
from libnet.wire.offload import complete

if TYPE_CHECKING:
    from libnet.clock import Callout
    from libnet.engine.kern.base import StackBase
    from libnet.engine.kern.socket import Cred
    from libnet.engine.kern.sysctl import SysctlTree
    from libnet.engine.link.ifnet import Ifnet

MAX_DESCRIPTORS: Final = 256
IDLE, WAITING, TIMED_OUT = 0, 1, 2
_UP_RUNNING: Final = IFF_UP | IFF_RUNNING
_AF_INET: Final = 2
_WHOLE: Final = 0xFFFFFFFF
_LINK_HDR: Final = {b.DLT_EN10MB: 14, b.DLT_NULL: 4, b.DLT_LOOP: 4, b.DLT_RAW: 0}
# The ioctls a descriptor answers; a test holds this against the table.
SERVED: Final = frozenset(name for name in vars(b) if name.startswith("BIOC")) | {"FIONREAD"}


class BpfIf:
    """One form in which an interface shows its packets (struct bpf_if).

    dlt      DLT_*                      hdrlen   octets of its link header
    descs    attached descriptors       changed  told the tap when the first comes, None when the last goes
    output   sends what is written, link header and all; None when nothing can be
    """

    def __init__(
        self,
        ifp: Ifnet,
        dlt: int,
        hdrlen: int,
        changed: Callable[[BpfIf | None], None],
        output: Callable[[bytes], None] | None,
    ) -> None:
        self.ifp, self.dlt, self.hdrlen = ifp, dlt, hdrlen
        self.changed, self.output = changed, output
        self.descs: list[BpfDesc] = []

    def mtap(self, frame: bytes, direction: int) -> None:
        """Show a packet, link header and all, to every descriptor (bpf_mtap)."""
        if direction == BPF_IN and self.dlt == b.DLT_EN10MB and not self._for_us(frame):
            return
        if type(frame) is not bytes:
            frame = complete(frame)
        now = self.ifp.stack.clock.wall()
        for desc in self.descs:
            desc.tap(frame, direction, now)

    def _for_us(self, frame: bytes) -> bool:
        """Tell whether the NIC's address filter lets a frame through."""
        ifp = self.ifp
        if ifp.promisc_count or ifp.bridge is not None or frame[:6] == ifp.lladdr:
            return True
        if not frame[:1] or not frame[0] & 1:
            return False
        return (
            frame[:6] == b"\xff\xff\xff\xff\xff\xff"
            or frame[:6] in ifp.multi
            or bool(ifp.flags & IFF_ALLMULTI)
        )


class Bpf:
    """The packet filter device of one stack.

    maxbufsize  octets of the largest buffer (net.bpf.maxbufsize)
    """

    def __init__(self, stack: StackBase) -> None:
        self.stack = stack
        self.stat = stack.stat("bpf")
        self.maxbufsize = b.BPF_DFLTMAXBUFSIZE
        self.descs: dict[BpfDesc, None] = {}
        self._ifs: dict[Ifnet, list[BpfIf]] = {}

    def sysctl_setup(self, tree: SysctlTree) -> None:
        """Plant net.bpf."""
        tree.node("net.bpf", None, "Berkeley packet filter")
        tree.int_node(
            "net.bpf.maxbufsize",
            None,
            self,
            "maxbufsize",
            desc="Largest buffer of a descriptor",
            lo=b.BPF_MINBUFSIZE,
            hi=b.BPF_HARDMAXBUFSIZE,
        )
        tree.struct_node("net.bpf.stats", None, lambda: dict(self.stat), "Packets of all taps")
        tree.struct_node("net.bpf.peers", None, self.peers, "Open descriptors")

    def peers(self) -> list[BpfPeer]:
        """Return what net.bpf.peers tells of each open descriptor."""
        return [desc.peer() for desc in self.descs]

    # -- interfaces

    def attach(
        self,
        ifp: Ifnet,
        dlt: int,
        hdrlen: int,
        changed: Callable[[BpfIf | None], None],
        output: Callable[[bytes], None] | None = None,
    ) -> None:
        """Let *ifp* show its packets in one form more (bpfattach2).

        changed  is given the tap to call mtap() of while somebody listens, None when nobody does
        output   sends a packet of that form
        """
        self.ifs(ifp).append(BpfIf(ifp, dlt, hdrlen, changed, output))

    def ifs(self, ifp: Ifnet) -> list[BpfIf]:
        """Return the forms of an interface, its own first."""
        found = self._ifs.get(ifp)
        if found is None:

            def changed(tap: BpfIf | None) -> None:
                ifp.bpf = tap

            hdrlen = _LINK_HDR.get(ifp.dlt, ifp.hdrlen)
            found = self._ifs[ifp] = [BpfIf(ifp, ifp.dlt, hdrlen, changed, None)]
        return found

    def ifnet_hook(self, event: str, ifp: Ifnet, _arg: Any = None) -> None:
        """Detach from an interface that goes (bpfdetach)."""
        if event != IF_DETACH:
            return
        for tap in self._ifs.pop(ifp, ()):
            for desc in list(tap.descs):
                desc.gone()

    # -- the device

    def open(self, cred: Cred) -> BpfDesc:
        """Open one more clone of /dev/bpf. Raises EACCES, EBUSY."""
        if not cred.suser:
            raise NetError("EACCES")
        if len(self.descs) >= MAX_DESCRIPTORS:
            raise NetError("EBUSY")
        desc = BpfDesc(self, cred)
        self.descs[desc] = None
        return desc


class BpfDesc:
    """One open descriptor (struct bpf_d).

    bell     what is announced is only that read() has something: buffers stay here until asked for
    upcall   called when read() has something, or will fail
    """

    bell = True

    def __init__(self, bpf: Bpf, cred: Cred) -> None:
        self.bpf, self.cred = bpf, cred
        self.upcall: Callable[[], None] | None = None
        self.tap_if: BpfIf | None = None
        self._lost = False  # the interface has gone
        self.bufsize = b.BPF_DFLTBUFSIZE
        self._store = bytearray()
        self._hold = b""
        self._hdrlen = b.BPF_HDR_LEN
        self._filter: Filter | None = None
        self.recv = self.drop = self.capt = 0
        self.immediate = self.promisc = self.hdrcmplt = False
        self.seesent = True
        self._timeout: tuple[int, int] = (0, 0)
        self.state = IDLE
        self._callout: Callout | None = None

    def peer(self) -> BpfPeer:
        """Return what net.bpf.peers tells."""
        return BpfPeer(
            pid=self.cred.pid,
            ifname=self.tap_if.ifp.name if self.tap_if is not None else "",
            state=self.state,
            promisc=self.promisc,
            immediate=self.immediate,
            seesent=self.seesent,
            hdrcmplt=self.hdrcmplt,
            bufsize=self.bufsize,
            rcount=self.recv,
            dcount=self.drop,
            ccount=self.capt,
            comm=self.cred.comm,
        )

    # -- packets in

    def tap(self, frame: bytes, direction: int, now: float) -> None:
        """Take a packet if the filter does; *now* is seconds since 1970."""
        if direction == BPF_OUT and not self.seesent:
            return
        stat = self.bpf.stat
        self.recv += 1
        stat["recv"] += 1
        size = len(frame)
        keep = _WHOLE if self._filter is None else self._filter(frame, size)
        if not keep:
            return
        self.capt += 1
        stat["capt"] += 1
        self._catch(frame, size, min(keep, size), now)

    def _catch(self, frame: bytes, size: int, keep: int, now: float) -> None:
        """Put a packet into the store (catchpacket)."""
        hdrlen = self._hdrlen
        keep = min(keep, self.bufsize - hdrlen)
        if keep < 0:
            self._lose()
            return
        store = self._store
        at = b.bpf_wordalign(len(store))
        full = False
        if at + hdrlen + keep > self.bufsize:
            if self._hold:
                self._lose()
                return
            self._rotate()
            store, at, full = self._store, 0, True
        store.extend(bytes(at - len(store)))
        seconds = int(now)
        micros = int((now - seconds) * 1_000_000)
        store += b.BPF_HDR.pack(seconds & 0xFFFFFFFF, micros, keep, size, hdrlen)
        store.extend(bytes(hdrlen - b.BPF_HDR_LEN))
        store += frame[:keep]
        if full or self.immediate or self.state == TIMED_OUT:
            self._wake()
        elif self.state == IDLE and self._timeout != (0, 0):
            self.state = WAITING
            seconds, micros = self._timeout
            self._callout = self.bpf.stack.clock.after(seconds + micros / 1e6, self._timed_out)

    def _lose(self) -> None:
        self.drop += 1
        self.bpf.stat["drop"] += 1

    def _rotate(self) -> None:
        self._hold = bytes(self._store)
        self._store.clear()

    def _timed_out(self) -> None:
        if self.state == WAITING:
            self.state = TIMED_OUT
            if self._store:
                self._wake()

    def _idle(self) -> None:
        self.state = IDLE
        if self._callout is not None:
            self._callout.stop()
            self._callout = None

    def _wake(self) -> None:
        if self.upcall is not None:
            self.upcall()

    # -- the reader

    def readable(self) -> bool:
        """Tell whether read() has something or will fail (bpfpoll)."""
        if self._hold or self._lost:
            return True
        return bool(self._store) and (self.immediate or self.state == TIMED_OUT)

    def read(self, size: int) -> bytes:
        """Return a buffer of packets, what there is of one if it has to be.

        Raises EINVAL unless *size* is the buffer's, EAGAIN when there are none, ENXIO when the
        interface has gone.
        """
        if size != self.bufsize:
            raise NetError("EINVAL")
        self._idle()
        if not self._hold:
            if not self._store:
                raise NetError("ENXIO" if self._lost else "EAGAIN")
            self._rotate()
        got, self._hold = self._hold, b""
        return got

    def write(self, data: bytes) -> int:
        """Send a packet, link header and all. Raises ENXIO, ENETDOWN, EMSGSIZE, ENOBUFS, EAFNOSUPPORT."""
        tap = self.tap_if
        if tap is None:
            raise NetError("ENXIO")
        if not data:
            return 0
        ifp = tap.ifp
        if ifp.flags & _UP_RUNNING != _UP_RUNNING:
            raise NetError("ENETDOWN")
        if not tap.hdrlen <= len(data) <= tap.hdrlen + ifp.mtu:
            raise NetError("EMSGSIZE")
        if tap.output is not None:
            tap.output(data)
        elif tap.dlt == b.DLT_EN10MB:
            self._send_ether(ifp, data)
        elif tap.dlt in (b.DLT_NULL, b.DLT_RAW):
            self._send_ip(ifp, data, tap.hdrlen)
        else:
            raise NetError("EAFNOSUPPORT")
        return len(data)

    def _send_ether(self, ifp: Ifnet, data: bytes) -> None:
        if not self.hdrcmplt:
            data = data[:6] + ifp.lladdr + data[12:]
        ifp.obytes += len(data)
        if data[0] & 1:
            ifp.omcasts += 1
            ifp.obcasts += data[:6] == b"\xff\xff\xff\xff\xff\xff"
        ifp.enqueue(data)

    @staticmethod
    def _send_ip(ifp: Ifnet, data: bytes, hdrlen: int) -> None:
        packet = data[hdrlen:]
        if hdrlen and int.from_bytes(data[:4], "little") != _AF_INET:
            raise NetError("EAFNOSUPPORT")
        if len(packet) < 20 or packet[0] >> 4 != 4:
            raise NetError("EAFNOSUPPORT")
        ifp.output(Mbuf(packet), int.from_bytes(packet[16:20], "big"), None)

    # -- ioctl

    def ioctl(self, row: Any, arg: Any) -> Any:
        """Answer one of the BIOC requests. Raises EINVAL, ENXIO, ENOMEM, ENOTTY."""
        if row.name not in SERVED:
            raise NetError("ENOTTY")
        if row.dir & IN and row.arg is not None:
            wrong = type(arg) is not int if row.arg is int else not isinstance(arg, row.arg)
            if wrong:
                raise NetError("EINVAL")
        self._idle()
        name = row.name
        if name in ("BIOCSETF", "BIOCSTCPF", "BIOCSUDPF"):
            return self._setf(arg.insns)
        flag = _FLAGS.get(name)
        if flag is not None:
            setattr(self, flag, bool(arg))
            return None
        return _HANDLERS[name](self, arg)

    def _attached(self) -> BpfIf:
        if self.tap_if is None:
            raise NetError("EINVAL")
        return self.tap_if

    def _reset(self) -> None:
        """Forget packets and counts (reset_d)."""
        self._store.clear()
        self._hold = b""
        self.recv = self.drop = self.capt = 0

    def _setf(self, octets: bytes) -> None:
        if len(octets) % b.INSN.size or len(octets) > b.BPF_MAXINSNS * b.INSN.size:
            raise NetError("EINVAL")
        if not octets:
            self._filter = None
        else:
            code = list(b.INSN.iter_unpack(octets))
            if not bpf_validate(code):
                raise NetError("EINVAL")
            self._filter = translate(code)
        self._reset()

    def _setif(self, arg: IfReq) -> None:
        ifp = self.bpf.stack.ifunit(arg.name)
        if ifp is None:
            raise NetError("ENXIO")
        tap = self.bpf.ifs(ifp)[0]
        if tap is not self.tap_if:
            self._detach()
            self._attach(tap)
        self._reset()

    def _attach(self, tap: BpfIf) -> None:
        self.tap_if = tap
        self._lost = False
        # The packet after the link header is to be aligned.
        self._hdrlen = b.bpf_wordalign(tap.hdrlen + b.BPF_HDR_LEN) - tap.hdrlen
        tap.descs.append(self)
        if len(tap.descs) == 1:
            tap.changed(tap)

    def _detach(self) -> None:
        tap, self.tap_if = self.tap_if, None
        if tap is None:
            return
        if self.promisc:
            self.promisc = False
            tap.ifp.ifpromisc(False)
        tap.descs.remove(self)
        if not tap.descs:
            tap.changed(None)

    def gone(self) -> None:
        """Note that the interface has been taken away."""
        self._detach()
        self._lost = True
        self._wake()

    def _promiscuous(self, _arg: None) -> None:
        tap = self._attached()
        if not self.promisc:
            tap.ifp.ifpromisc(True)
            self.promisc = True

    def _set_blen(self, size: int) -> int:
        if self.tap_if is not None:
            raise NetError("EINVAL")
        self.bufsize = max(b.BPF_MINBUFSIZE, min(size, self.bpf.maxbufsize))
        return self.bufsize

    def _set_dlt(self, dlt: int) -> None:
        tap = self._attached()
        if dlt == tap.dlt:
            return
        for other in self.bpf.ifs(tap.ifp):
            if other.dlt == dlt:
                promisc = self.promisc
                self._detach()
                self._attach(other)
                self._reset()
                if promisc:
                    self._promiscuous(None)
                return
        raise NetError("EINVAL")

    def _dlt_list(self, arg: b.BpfDltList) -> b.BpfDltList:
        dlts = [tap.dlt for tap in self.bpf.ifs(self._attached().ifp)]
        if arg.dlts is None:
            return b.BpfDltList(len(dlts), None)
        if arg.len < len(dlts):
            raise NetError("ENOMEM")
        return b.BpfDltList(len(dlts), dlts)

    def _set_timeout(self, arg: b.BpfTimeval) -> None:
        if arg.sec < 0 or not 0 <= arg.usec < 1_000_000:
            raise NetError("EINVAL")
        self._timeout = (arg.sec, arg.usec)

    def _flush(self, _arg: None) -> None:
        self._reset()

    def _stats(self, _arg: None) -> b.BpfStat:
        return b.BpfStat(self.recv, self.drop, self.capt)

    def _waiting(self, _arg: None) -> int:
        return len(self._store) + len(self._hold)

    def close(self) -> None:
        """Close."""
        self._idle()
        self.upcall = None
        self._detach()
        self.bpf.descs.pop(self, None)


_FLAGS: Final = {
    "BIOCIMMEDIATE": "immediate",
    "BIOCSHDRCMPLT": "hdrcmplt",
    "BIOCSSEESENT": "seesent",
}
_HANDLERS: Final[dict[str, Callable[[BpfDesc, Any], Any]]] = {
    "BIOCGBLEN": lambda d, _arg: d.bufsize,
    "BIOCSBLEN": BpfDesc._set_blen,
    "BIOCFLUSH": BpfDesc._flush,
    "BIOCPROMISC": BpfDesc._promiscuous,
    "BIOCGDLT": lambda d, _arg: d._attached().dlt,
    "BIOCSDLT": BpfDesc._set_dlt,
    "BIOCGDLTLIST": BpfDesc._dlt_list,
    "BIOCGETIF": lambda d, _arg: IfReq(d._attached().ifp.name),
    "BIOCSETIF": BpfDesc._setif,
    "BIOCSRTIMEOUT": BpfDesc._set_timeout,
    "BIOCGRTIMEOUT": lambda d, _arg: b.BpfTimeval(*d._timeout),
    "BIOCGSTATS": BpfDesc._stats,
    "BIOCGSTATSOLD": BpfDesc._stats,
    "BIOCVERSION": lambda _d, _arg: b.BpfVersion(b.BPF_MAJOR_VERSION, b.BPF_MINOR_VERSION),
    "BIOCGHDRCMPLT": lambda d, _arg: int(d.hdrcmplt),
    "BIOCGSEESENT": lambda d, _arg: int(d.seesent),
    FIONREAD.name: BpfDesc._waiting,
}
