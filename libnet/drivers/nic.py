"""The virtual wired NIC: one implementation of every module in the table.

It sits between an ifnet and a Port: frames that leave the send queue are shown to the tap and given to
the port; frames that arrive pass the receiver's length check and go up in one batch. The link is up when
the port has a carrier, the interface is up, and a medium is chosen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from libnet.conf import options as opts
from libnet.drivers import drvcom
from libnet.drivers.table import BSD, SHIM, Row
from libnet.engine.kern import log as klog
from libnet.engine.link.ethernet import BPF_OUT, ETHER_HDR_LEN, Ethernet
from libnet.engine.link.ifmedia import Ifmedia
from libnet.engine.link.ifnet import Ifnet
from libnet.errors import NetError
from libnet.ioctl import ifflags as f
from libnet.ioctl.sockio import DrvComConfig, DrvComStats
from libnet.media.offload import fit
from libnet.media.port import Port

if TYPE_CHECKING:
    from libnet.engine.kern.base import StackBase

_SUBTYPE: Final = {10: f.IFM_10_T, 100: f.IFM_100_TX, 1000: f.IFM_1000_T, 10000: f.IFM_10G_SR}
_SPEED: Final = {subtype: speed for speed, subtype in _SUBTYPE.items()}
ETHER_MIN_MTU: Final = 72
FCS_LEN: Final = 4
_MEM_BASE: Final = 0xFD5C0000
_MEM_SIZE: Final = 0x20000

ETHER_STATS: Final = (
    "txed_multicast", "rxed_multicast", "txed_broadcast", "rxed_broadcast", "tx_failed_allocs",
    "rx_failed_allocs", "single_collisions", "multi_collisions", "deferred_tx", "late_collisions",
    "xcoll_aborted", "xdefer_aborted", "tx_underruns", "no_carrier", "jabber_detected",
    "align_errors", "fcs_errors", "rx_dropped", "length_field_outrange", "oversized_packets",
    "dribble_bits", "total_rx_frame_errors",
)  # fmt: skip


class NicConfig:
    """What the load options ask of one NIC.

    name     interface prefix instead of the driver's   unit      forced unit number, or None
    mac      station address, or None                   max_mtu   largest IP datagram, or 0
    media    forced media word, or None                 priority  receive priority, or None
    verbose  log detail, 0 to 10                        wire      segment, or ""
    pci, did, vid, irq  selection, or None
    """

    def __init__(self) -> None:
        self.name = ""
        self.unit: int | None = None
        self.mac: bytes | None = None
        self.max_mtu = 0
        self.speed: int | None = None
        self.duplex: int | None = None
        self.priority: int | None = None
        self.verbose = 0
        self.wire = ""
        self.pci: int | None = None
        self.did: int | None = None
        self.vid: int | None = None
        self.irq: int | None = None
        self.promiscuous = False
        self.nomulticast = False
        self.receive = 0
        self.transmit = 0
        self.flow = True
        self.notes: list[str] = []


def parse_options(text: str, row: Row) -> NicConfig:
    """Read the option string of a wired driver. Raises BadOption."""
    conf = NicConfig()
    for name, value in opts.parse(text):
        match name:
            case "name":
                if not value or not value.isalnum() or value[-1].isdigit() or len(value) > 11:
                    raise opts.BadOption(f"option name: bad interface prefix '{value or ''}'")
                conf.name = value
            case "lan" | "unit":
                conf.unit = opts.number(name, value, high=99)
            case "mac":
                conf.mac = opts.mac(name, value)
            case "mtu":
                conf.max_mtu = opts.number(name, value, low=86, high=16384)
            case "speed":
                conf.speed = opts.number(name, value)
                if conf.speed not in row.speeds:
                    raise opts.BadOption(f"option speed: {value} is not one of {row.speeds}")
            case "duplex":
                conf.duplex = opts.number(name, value, high=1)
            case "priority":
                conf.priority = opts.number(name, value, low=1, high=255)
            case "verbose":
                conf.verbose = 1 if value is None else opts.number(name, value, high=255)
            case "wire":
                if not value:
                    raise opts.BadOption("option wire needs a segment")
                conf.wire = value
            case "pci" | "deviceindex":
                conf.pci = opts.number(name, value, high=0xFFFF)
            case "did":
                conf.did = opts.number(name, value, high=0xFFFF)
            case "vid":
                conf.vid = opts.number(name, value, high=0xFFFF)
            case "irq":
                conf.irq = opts.number(name, value, high=255)
            case "promiscuous":
                conf.promiscuous = value is None or opts.number(name, value, high=1) == 1
            case "nomulticast":
                conf.nomulticast = True
            case "receive" | "transmit":
                setattr(conf, name, opts.number(name, value, low=8, high=4096))
            case "pauseignore" | "pausesuppress" | "pause_rx_disable" | "pause_tx_disable":
                conf.flow = False
            case "pause_rx_enable" | "pause_tx_enable":
                conf.flow = True
            case (
                "irq_thresh"
                | "rx_delay"
                | "rx_abs"
                | "syspage"
                | "connector"
                | "ioport"
                | "iorange"
            ):
                # Moderation and addresses of hardware: checked and noted, there is nothing to set.
                conf.notes.append(f"{name}={opts.number(name, value, high=0xFFFFFFFF)}")
            case _:
                raise opts.BadOption(f"unknown option '{name}'")
    return conf


class Nic:
    """One attached NIC.

    ifp       its interface               port      what it is plugged into
    on_gone   called when the interface has been destroyed
    """

    def __init__(
        self,
        stack: StackBase,
        ether: Ethernet,
        row: Row,
        name: str,
        port: Port,
        conf: NicConfig,
        *,
        mac: bytes,
        irq: int,
        pci: int,
        on_gone: Callable[[Nic], None],
    ) -> None:
        self.stack, self.ether, self.row, self.conf = stack, ether, row, conf
        self.port, self.mac, self.irq, self.pci = port, mac, irq, pci
        self.on_gone = on_gone
        self.oversized = 0
        self.no_carrier = 0
        ifp = self.ifp = Ifnet(stack, name, mtu=1500)
        max_mtu = row.max_mtu
        if conf.max_mtu:
            # e1000 counts the Ethernet header in mtu=; so does nicinfo.
            max_mtu = (
                max(max_mtu, 1500)
                if conf.max_mtu > max_mtu + ETHER_HDR_LEN
                else (conf.max_mtu - ETHER_HDR_LEN)
            )
            ifp.mtu = min(1500, max_mtu)
        ifp.max_mtu = 1500 if row.flavour == SHIM else max_mtu
        ifp.min_mtu = ETHER_MIN_MTU
        ifp.capabilities_rx, ifp.capabilities_tx = row.rx, row.tx
        ifp.baudrate = row.speeds[-1] * 1_000_000
        ifp.shim = row.flavour == SHIM
        if row.flavour == BSD:
            ifp.flags |= f.IFF_NOTRAILERS
        ifp.start, ifp.init, ifp.stop = self.start, self.init, self.stop
        ifp.ioctl = self.ioctl
        ifp.detach_driver = self.detach
        ifp.snd_maxlen = conf.transmit or 512
        self._make_media()
        port.receive = self.receive
        port.link = self._carrier
        ether.ifattach(ifp, conf.mac or mac)
        if conf.nomulticast:
            ifp.flags &= ~f.IFF_MULTICAST
        if conf.promiscuous:
            ifp.ifpromisc(True)
        ifp.link_state = f.LINK_STATE_DOWN
        self._log(1, f"attached, {row.description}, mac {ifp.lladdr.hex()}, irq {irq}")
        for note in conf.notes:
            self._log(2, f"option {note}")

    # -- media

    def _make_media(self) -> None:
        words = [f.IFM_ETHER | f.IFM_NONE]
        for speed in self.row.speeds:
            word = f.IFM_ETHER | _SUBTYPE[speed]
            if speed < 1000:
                words.append(word)
            words.append(word | f.IFM_FDX)
        words.append(f.IFM_ETHER | f.IFM_AUTO)
        cur = f.IFM_ETHER | f.IFM_AUTO
        if self.conf.speed is not None:
            # speed alone means half duplex; gigabit has none. duplex alone is ignored.
            full = self.conf.duplex == 1 or self.conf.speed >= 1000
            cur = f.IFM_ETHER | _SUBTYPE[self.conf.speed] | (f.IFM_FDX if full else 0)
        self.ifp.media = Ifmedia(
            words, cur, self._media_change, self._media_status, mask=f.IFM_FLOW | f.IFM_LOOP
        )

    def _media_change(self, word: int) -> None:
        if self.row.flavour == SHIM:
            raise NetError("EOPNOTSUPP")  # io-net drivers have no dynamic media
        self._log(1, f"media word {word:#x}")
        self._update_link()

    def _active_word(self) -> int:
        assert self.ifp.media is not None
        cur = self.ifp.media.cur
        if cur & f.IFM_TMASK == f.IFM_AUTO:
            return f.IFM_ETHER | _SUBTYPE[self.row.speeds[-1]] | f.IFM_FDX
        return cur

    def _media_status(self) -> tuple[int, int]:
        assert self.ifp.media is not None
        if self.ifp.link_state == f.LINK_STATE_UP:
            return f.IFM_AVALID | f.IFM_ACTIVE, self._active_word()
        # Without a partner there is nothing to report but what was chosen.
        return f.IFM_AVALID, self.ifp.media.cur

    def _update_link(self) -> None:
        assert self.ifp.media is not None
        up = (
            self.port.carrier
            and bool(self.ifp.flags & f.IFF_UP)
            and self.ifp.media.cur & f.IFM_TMASK != f.IFM_NONE
        )
        state = f.LINK_STATE_UP if up else f.LINK_STATE_DOWN
        if state == self.ifp.link_state:
            return
        word = self._active_word()
        speed = _SPEED.get(word & f.IFM_TMASK, 0)
        if up:
            self.ifp.baudrate = speed * 1_000_000
            duplex = "full" if word & f.IFM_FDX else "half"
            self._log(
                0, f"link up lan {self._unit()} index {self.pci} {speed} BaseT {duplex}-duplex"
            )
        else:
            self._log(0, f"link down lan {self._unit()} index {self.pci}")
        self.ifp.link_state_change(state)

    def _unit(self) -> int:
        digits = self.ifp.name[len(self.ifp.name.rstrip("0123456789")) :]
        return int(digits or "0")

    def _carrier(self, _up: bool) -> None:
        self._update_link()

    def _log(self, level: int, text: str) -> None:
        """Log to the system log: link changes always, detail as verbose= asks."""
        if level == 0:
            self.stack.log(klog.INFO, f"{self.ifp.name}: {text}", major=klog.SLOGC_NETWORK)
        elif level <= self.conf.verbose:
            severity = klog.INFO if level < 3 else klog.DEBUG1
            self.stack.log(severity, f"{self.ifp.name}: {text}", major=klog.SLOGC_NETWORK)

    # -- the ifnet's side

    def init(self) -> None:
        """Start receiver and transmitter (if_init)."""
        self.ifp.flags |= f.IFF_RUNNING
        self.ifp.flags &= ~f.IFF_OACTIVE
        self._log(2, "init")
        self._update_link()

    def stop(self) -> None:
        """Stop both and drop the carrier (if_stop)."""
        self.ifp.flags &= ~(f.IFF_RUNNING | f.IFF_OACTIVE)
        self._log(2, "stop")
        self._update_link()

    def start(self) -> None:
        """Send what the queue holds (if_start)."""
        ifp = self.ifp
        snd = ifp.snd
        if ifp.link_state != f.LINK_STATE_UP:
            self.no_carrier += len(snd)
            ifp.oerrors += len(snd)
            if self.stack.droptrace:
                self.stack.log(
                    klog.DEBUG1, f"drop: {ifp.name}.no_carrier: link is down: {len(snd)} frames"
                )
            snd.clear()
            return
        ifp.opackets += len(snd)
        if ifp.bpf is not None:
            for frame in snd:
                ifp.bpf.mtap(frame, BPF_OUT)
        if self.conf.verbose >= 4:
            for frame in snd:
                self._log(4, f"tx {len(frame)} octets {frame[:14].hex()}")
        port = self.port
        if len(snd) == 1:
            frame = snd.popleft()
            if type(frame) is bytes or port.offload:
                port.send(frame)
                return
            port.send_many(fit((frame,)))
            return
        frames = list(snd)
        snd.clear()
        port.send_many(frames if port.offload else fit(frames))

    def ioctl(self, row: Any, arg: Any) -> Any:
        """Answer SIOCGDRVCOM; BSD ports do not."""
        return drvcom.answer(self, row, arg)

    def config(self) -> DrvComConfig:
        """Return nic_config_t."""
        word = self._active_word()
        return drvcom.nic_config(
            self,
            connector=1,
            phy_addr=self.pci,
            media_rate=_SPEED.get(word & f.IFM_TMASK, 0) * 1000,
            duplex=1 if word & f.IFM_FDX else 0,
            base=_MEM_BASE,
            size=_MEM_SIZE,
        )

    def statistics(self) -> DrvComStats:
        """Return nic_stats_t; a wire without collisions has zeros there, and says they are valid."""
        return drvcom.nic_stats(
            self.ifp,
            ETHER_STATS,
            no_carrier=self.no_carrier,
            oversized_packets=self.oversized,
            total_rx_frame_errors=self.ifp.ierrors,
        )

    # -- the port's side

    def receive(self, frames: Sequence[bytes]) -> None:
        """Take frames from the wire."""
        ifp = self.ifp
        if ifp.link_state != f.LINK_STATE_UP:
            return  # nobody is listening: the frames pass a dead connector
        limit = ifp.mtu + ETHER_HDR_LEN + 4  # and a VLAN tag
        good: Sequence[bytes] = frames
        if max(map(len, frames), default=0) > limit:
            good = [g for g in frames if len(g) <= limit or getattr(g, "gso_size", 0) > 0]
            giants = len(frames) - len(good)
            if giants:
                ifp.ierrors += giants
                self.oversized += giants
                self._log(3, f"{giants} oversized frames")
        if self.conf.verbose >= 4:
            for frame in good:
                self._log(4, f"rx {len(frame)} octets {frame[:14].hex()}")
        self.ether.input(ifp, good)

    # -- the end

    def detach(self) -> None:
        """Take the NIC away: `ifconfig IF destroy`, or the end of the stack."""
        self.ifp.detach()
        self.port.close()
        self._log(1, "detached")
        self.on_gone(self)
