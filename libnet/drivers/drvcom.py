"""What drivers answer nicinfo with (QNX <net/ioctl.h>, SIOCGDRVCOM)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from libnet.drivers.table import BSD, Row
from libnet.engine.link.ethernet import ETHER_HDR_LEN
from libnet.engine.link.ifnet import Ifnet
from libnet.errors import NetError
from libnet.ioctl import ifflags as f
from libnet.ioctl.sockio import (
    DRVCOM_CONFIG,
    NIC_FLAG_BROADCAST,
    NIC_FLAG_LINK_DOWN,
    NIC_FLAG_MULTICAST,
    NIC_FLAG_PROMISCUOUS,
    SIOCGDRVCOM,
    DrvCom,
    DrvComConfig,
    DrvComStats,
)

if TYPE_CHECKING:
    from libnet.drivers.nic import NicConfig


class Device(Protocol):
    """A NIC that can tell of itself."""

    ifp: Ifnet
    row: Row
    conf: NicConfig
    mac: bytes
    irq: int
    pci: int

    def config(self) -> DrvComConfig:
        """Return nic_config_t."""

    def statistics(self) -> DrvComStats:
        """Return nic_stats_t."""


def answer(device: Device, row: Any, arg: Any) -> DrvCom:
    """Answer SIOCGDRVCOM. Raises ENOTTY for another ioctl, and for BSD ports, which do not answer."""
    if row is not SIOCGDRVCOM or device.row.flavour == BSD:
        raise NetError("ENOTTY")
    if arg.cmd == DRVCOM_CONFIG:
        return DrvCom(arg.name, arg.cmd, device.config(), None)
    return DrvCom(arg.name, arg.cmd, None, device.statistics())


def nic_config(
    device: Device,
    *,
    connector: int,
    phy_addr: int,
    media_rate: int,
    duplex: int,
    base: int,
    size: int,
) -> DrvComConfig:
    """Return a device's nic_config_t.

    media_rate  kbit/s while the link is up         duplex  1 full, 0 half, while the link is up
    base, size  where the first device of the kind has its registers, and octets of them
    """
    ifp, row, pci = device.ifp, device.row, device.pci
    flags = NIC_FLAG_BROADCAST
    if ifp.flags & f.IFF_MULTICAST:
        flags |= NIC_FLAG_MULTICAST
    if ifp.flags & f.IFF_PROMISC:
        flags |= NIC_FLAG_PROMISCUOUS
    up = ifp.link_state == f.LINK_STATE_UP
    if not up:
        flags |= NIC_FLAG_LINK_DOWN
    on_bus = row.bus == "pci"
    kind = ifp.name.rstrip("0123456789")
    return DrvComConfig(
        flags=flags,
        mtu=ifp.mtu + ETHER_HDR_LEN,
        mru=ifp.mtu + ETHER_HDR_LEN,
        verbose=device.conf.verbose,
        lan=int(ifp.name[len(kind) :] or "0"),
        permanent_address=device.mac,
        current_address=ifp.lladdr,
        connector=connector,
        phy_addr=phy_addr,
        media_rate=media_rate if up else 0,
        duplex=duplex if up else -1,
        vendor_id=row.vid,
        device_id=row.did,
        device_index=pci,
        mem_window_base=[base + size * pci] if on_bus else [],
        mem_window_size=[size] if on_bus else [],
        irq=[device.irq],
        device_description=row.description,
        uptype=kind,
        priority=device.conf.priority or 0,
    )


def nic_stats(ifp: Ifnet, valid: Sequence[str], **more: int) -> DrvComStats:
    """Return nic_stats_t: the interface's counters, and *more* of the driver's own.

    valid  the names of those that the driver keeps
    """
    stats = DrvComStats(
        txed_ok=ifp.opackets,
        rxed_ok=ifp.ipackets,
        octets_txed_ok=ifp.obytes,
        octets_rxed_ok=ifp.ibytes,
        txed_multicast=ifp.omcasts - ifp.obcasts,
        rxed_multicast=ifp.imcasts - ifp.ibcasts,
        txed_broadcast=ifp.obcasts,
        rxed_broadcast=ifp.ibcasts,
        valid_stats=list(valid),
    )
    for name, count in more.items():
        setattr(stats, name, count)
    return stats
