"""The driver families, wired and wireless: a row for each module of /lib/dll.

A `native` driver is multi-threaded and has nicinfo, media, jumbo frames and checksum offload. A `bsd`
one (a NetBSD port) makes the whole stack single-threaded and does not answer nicinfo. A `shim` one is a
legacy io-net driver behind devnp-shim.so: interface enX, /dev/io-net/enX, no media change, no jumbo.

What a wireless row can do is what NetBSD 4's driver of that name says of its hardware (ic_caps).
"""

from __future__ import annotations

from typing import Any, Final

from libnet.ioctl.ifflags import (
    IFCAP_IP4CSUM,
    IFCAP_TCP4CSUM,
    IFCAP_TCP6CSUM,
    IFCAP_TSO4,
    IFCAP_UDP4CSUM,
    IFCAP_UDP6CSUM,
)

NATIVE: Final = "native"
BSD: Final = "bsd"
SHIM: Final = "shim"

_CSUM4: Final = IFCAP_IP4CSUM | IFCAP_TCP4CSUM | IFCAP_UDP4CSUM
_CSUM6: Final = IFCAP_TCP6CSUM | IFCAP_UDP6CSUM


class Row:
    """One module.

    module       file name without .so       driver   bare name that -d takes
    prefix       interface name prefix       flavour  native, bsd or shim
    description  what nicinfo prints         bus      "pci", "usb" or "soc"
    vid, did     PCI or USB identity         speeds   Mb/s of the media, rising
    rx, tx       IFCAP_* it can              max_mtu  largest IP datagram
    rx_thread    name of its receive thread, "" when a stack thread does the work
    modes        of a radio: a tuple out of "11a", "11b", "11g"; empty for a wired one
    hostap, ibss, power_save  whether a radio can be an access point, in an ad hoc network, asleep
    """

    __slots__ = (
        "bus",
        "description",
        "did",
        "driver",
        "flavour",
        "hostap",
        "ibss",
        "max_mtu",
        "modes",
        "module",
        "power_save",
        "prefix",
        "rx",
        "rx_thread",
        "speeds",
        "tx",
        "vid",
    )

    def __init__(
        self,
        driver: str,
        prefix: str,
        description: str,
        vid: int,
        did: int,
        *,
        flavour: str = NATIVE,
        bus: str = "pci",
        speeds: tuple[int, ...] = (10, 100, 1000),
        rx: int = 0,
        tx: int = 0,
        max_mtu: int = 1500,
        rx_thread: str = "",
        modes: tuple[str, ...] = (),
        hostap: bool = True,
        ibss: bool = True,
        power_save: bool = False,
    ) -> None:
        self.driver, self.prefix, self.description = driver, prefix, description
        self.module = ("devn-" if flavour == SHIM else "devnp-") + driver
        self.vid, self.did, self.flavour, self.bus = vid, did, flavour, bus
        self.speeds, self.rx, self.tx, self.max_mtu = speeds, rx, tx, max_mtu
        self.rx_thread = rx_thread
        self.modes, self.hostap, self.ibss, self.power_save = modes, hostap, ibss, power_save


IEEE80211_MTU_MAX: Final = 2290

_BG: Final = ("11b", "11g")
_ABG: Final = ("11a", "11b", "11g")


def _radio(
    driver: str, description: str, vid: int, did: int, modes: tuple[str, ...], **can: Any
) -> Row:
    """Return the row of a wireless module: its interfaces bear the driver's name."""
    able: dict[str, Any] = {"flavour": BSD, "max_mtu": IEEE80211_MTU_MAX, "speeds": (), **can}
    return Row(driver, driver, description, vid, did, modes=modes, **able)


_GIG = _CSUM4
_GIG_TX = _CSUM4 | _CSUM6 | IFCAP_TSO4

ROWS: Final[tuple[Row, ...]] = (
    Row("i82544", "wm", "INTEL PRO/1000 Gigabit (Copper) Ethernet Controller", 0x8086, 0x100E,
        rx=_GIG, tx=_GIG_TX, max_mtu=16110),
    Row("e1000", "wm", "INTEL PRO/1000 Gigabit Ethernet Controller", 0x8086, 0x10D3,
        rx=_GIG, tx=_GIG_TX, max_mtu=9216),
    Row("speedo", "fxp", "INTEL 82559 10/100 Ethernet Controller", 0x8086, 0x1229,
        speeds=(10, 100)),
    Row("tsec", "tsec", "Freescale TSEC/eTSEC Ethernet Controller", 0, 0, bus="soc",
        rx=_GIG, tx=_GIG, max_mtu=9586),
    Row("mpc85xx", "tsec", "Freescale MPC85xx TSEC Ethernet Controller", 0, 0, bus="soc",
        rx=_GIG, tx=_GIG, max_mtu=9586),
    Row("my_board", "my_board", "On-chip Ethernet Controller", 0, 0, bus="soc", speeds=(10, 100)),
    Row("mx6x", "fec", "Freescale i.MX6 FEC Ethernet Controller", 0, 0, bus="soc"),
    Row("dm814x", "dm", "TI CPSW Ethernet Controller", 0, 0, bus="soc", rx_thread="dm814x Rx"),
    Row("dwcmac", "dwc", "Synopsys DesignWare Ethernet MAC", 0, 0, bus="soc", rx=_GIG, tx=_GIG,
        max_mtu=9000),
    Row("asix", "en", "ASIX AX88178 USB Gigabit Ethernet", 0x0B95, 0x1780, bus="usb",
        rx_thread="asixx Rx"),
    Row("usbdnet", "ecm", "USB Device Network", 0, 0, bus="usb", speeds=(10, 100)),
    Row("pcnet", "en", "AMD PCnet-PCI II Ethernet Controller", 0x1022, 0x2000, speeds=(10, 100)),
    Row("rtl8169", "rt", "Realtek RTL8169 Gigabit Ethernet Controller", 0x10EC, 0x8169,
        rx=_GIG, tx=_GIG, max_mtu=7400),
    Row("xyz", "xyz", "XYZ Fast Ethernet", 0x1DE5, 0x0001, flavour=BSD, speeds=(10, 100)),
    Row("rtl", "rtl", "Realtek 8139 Fast Ethernet", 0x10EC, 0x8139, flavour=BSD, speeds=(10, 100)),
    Row("bge", "bge", "Broadcom BCM57xx Gigabit Ethernet", 0x14E4, 0x1645, flavour=BSD,
        rx=_GIG, tx=_GIG, max_mtu=9000),
    Row("tulip", "en", "DEC 21x4x Tulip Ethernet Controller", 0x1011, 0x0019, flavour=SHIM,
        speeds=(10, 100)),
    Row("tulip-abc123", "en", "DEC 21x4x Tulip Ethernet Controller", 0x1011, 0x0019, flavour=SHIM,
        speeds=(10, 100)),
    Row("ns83815", "en", "National Semiconductor DP83815", 0x100B, 0x0020, flavour=SHIM,
        speeds=(10, 100)),
    _radio("abc", "ABC 802.11a/b/g Wireless Adapter", 0x1DE5, 0x0002, _ABG, flavour=NATIVE,
        power_save=True),
    _radio("rum", "Ralink RT2501USB", 0x148F, 0x2573, _BG, bus="usb"),
    _radio("ral", "Ralink RT2561", 0x1814, 0x0301, _BG),
    _radio("ath", "Atheros AR5212", 0x168C, 0x0013, _ABG),
    _radio("wpi", "Intel PRO/Wireless 3945ABG", 0x8086, 0x4222, _ABG, hostap=False),
    _radio("iwi", "Intel PRO/Wireless 2200BG", 0x8086, 0x4220, _BG, hostap=False),
    _radio("bwi", "Broadcom BCM4318", 0x14E4, 0x4318, _BG, hostap=False, ibss=False),
    _radio("rtw", "Realtek RTL8180L", 0x10EC, 0x8180, ("11b",), power_save=True),
    _radio("ti1271", "TI WiLink 6.0 WL1271", 0, 0, _BG, bus="soc", hostap=False, power_save=True),
)  # fmt: skip

BY_MODULE: Final[dict[str, Row]] = {row.module: row for row in ROWS}


def lookup(module: str) -> Row | None:
    """Return the row of a module file name without directory and `.so`."""
    return BY_MODULE.get(module)


def card(driver: str) -> Row:
    """Return the row of a NIC by its driver: of any wired kind ("*") the first, else a plain one."""
    if driver == "*":
        return ROWS[0]
    plain = Row(driver, driver, "Virtual network device", 0x1AF4, 0x1000)
    return next((row for row in ROWS if row.driver == driver), plain)
