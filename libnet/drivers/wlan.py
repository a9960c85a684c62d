"""The virtual wireless NIC: a radio, an interface, and the 802.11 room between them.

To the rest of the stack the interface is Ethernet. What it can be chosen to do, what it sends and
whether its link is up are the 802.11 room's business; what is here is what a driver has of its own:
options, identity, statistics, and an end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from libnet.conf import options as opts
from libnet.drivers import drvcom
from libnet.drivers.nic import NicConfig, parse_options
from libnet.drivers.radio import DEPTH, VirtualRadio
from libnet.drivers.table import IEEE80211_MTU_MAX, Row
from libnet.engine.kern import log as klog
from libnet.engine.link.ethernet import ETHER_HDR_LEN, Ethernet
from libnet.engine.link.ifnet import Ifnet
from libnet.ioctl import ifflags as f
from libnet.ioctl.sockio import DrvComConfig, DrvComStats
from libnet.media.airport import AirPort

if TYPE_CHECKING:
    from libnet.engine.ieee80211.ieee80211 import Ieee80211
    from libnet.engine.kern.base import StackBase

_WIRED: Final = frozenset(("speed", "duplex", "connector"))
_MIN_MTU: Final = 72
_MEM_BASE: Final = 0xFD8C0000
_MEM_SIZE: Final = 0x10000
_STATISTICS: Final = (
    "txed_multicast", "rxed_multicast", "txed_broadcast", "rxed_broadcast", "single_collisions",
    "xcoll_aborted", "no_carrier", "fcs_errors", "rx_dropped", "total_rx_frame_errors",
)  # fmt: skip


def parse_radio_options(text: str, row: Row) -> NicConfig:
    """Read the option string of a wireless driver; `wire` names an air. Raises BadOption."""
    for name, _value in opts.parse(text):
        if name in _WIRED or name.startswith("pause"):
            raise opts.BadOption(f"unknown option '{name}'")
    return parse_options(text, row)


class WlanNic:
    """One attached radio.

    ifp    its interface        radio  what is tuned and sends        port  its antenna
    on_gone  called when the interface has been destroyed
    """

    def __init__(
        self,
        stack: StackBase,
        ether: Ethernet,
        row: Row,
        name: str,
        port: AirPort,
        conf: NicConfig,
        *,
        room: Ieee80211,
        mac: bytes,
        irq: int,
        pci: int,
        on_gone: Callable[[WlanNic], None],
    ) -> None:
        self.stack, self.row, self.conf, self.port = stack, row, conf, port
        self.room = room
        self.mac, self.irq, self.pci = mac, irq, pci
        self.on_gone = on_gone
        self.radio = VirtualRadio(
            port,
            stack.dice,
            conf.mac or mac,
            modes=row.modes,
            hostap=row.hostap,
            ibss=row.ibss,
            depth=conf.transmit or DEPTH,
        )
        self.radio.power_save = row.power_save
        ifp = self.ifp = Ifnet(stack, name, mtu=1500)
        ifp.max_mtu = IEEE80211_MTU_MAX
        if conf.max_mtu:
            ifp.max_mtu = min(IEEE80211_MTU_MAX, conf.max_mtu - ETHER_HDR_LEN)
            ifp.mtu = min(ifp.mtu, ifp.max_mtu)
        ifp.min_mtu = _MIN_MTU
        ifp.ioctl = self.ioctl
        ifp.detach_driver = self.detach
        ether.ifattach(ifp, conf.mac or mac)
        room.ifattach(ifp, self.radio)
        if conf.nomulticast:
            ifp.flags &= ~f.IFF_MULTICAST
        if conf.promiscuous:
            ifp.ifpromisc(True)
        self._log(1, f"attached, {row.description}, mac {ifp.lladdr.hex()}, irq {irq}")
        for note in conf.notes:
            self._log(2, f"option {note}")

    def _log(self, level: int, text: str) -> None:
        if level <= self.conf.verbose:
            self.stack.log(klog.INFO, f"{self.ifp.name}: {text}", major=klog.SLOGC_NETWORK)

    def ioctl(self, row: Any, arg: Any) -> Any:
        """Answer SIOCGDRVCOM; BSD ports do not."""
        return drvcom.answer(self, row, arg)

    def config(self) -> DrvComConfig:
        """Return nic_config_t; the rate is that of the network, 0 without one."""
        return drvcom.nic_config(
            self,
            connector=-1,
            phy_addr=-1,
            media_rate=self._rate_kbit(),
            duplex=0,
            base=_MEM_BASE,
            size=_MEM_SIZE,
        )

    def _rate_kbit(self) -> int:
        """Return the rate to the network we are in, kbit/s; without one the interface's."""
        rate: int = self.ifp.ieee80211.bss.rate
        return 500 * rate or self.ifp.baudrate // 1000

    def statistics(self) -> DrvComStats:
        """Return nic_stats_t: the interface's counters and the radio's."""
        stat = self.radio.stat
        return drvcom.nic_stats(
            self.ifp,
            _STATISTICS,
            single_collisions=stat["retries"],
            xcoll_aborted=stat["excessive retries"],
            no_carrier=stat["switched off"],
            fcs_errors=stat["fcs errors"],
            rx_dropped=stat["filtered"],
            total_rx_frame_errors=stat["fcs errors"] + stat["short frames"] + stat["bad version"],
        )

    def detach(self) -> None:
        """Take the radio away: `ifconfig IF destroy`, or the end of the stack."""
        self.room.ifdetach(self.ifp)
        self.ifp.detach()
        self.radio.close()
        self._log(1, "detached")
        self.on_gone(self)
