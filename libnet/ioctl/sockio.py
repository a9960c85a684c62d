"""Interface and socket ioctls, groups 'i', 's', 'r' (NetBSD <sys/sockio.h>)."""

from __future__ import annotations

from libnet.addr import Sockaddr
from libnet.ioctl.registry import IN, INOUT, OUT, Ioctl, declare
from libnet.record import Struct


class IfReq(Struct):
    """struct ifreq: ifr_name, then the union member the command uses.

    name   interface name, at most 15 characters
    value  ifr_flags, ifr_mtu, ifr_metric, ifr_media or ifr_dlt
    addr   ifr_addr, ifr_dstaddr, ifr_broadaddr
    """

    name: str
    value: int = 0
    addr: Sockaddr = Sockaddr()


class IfAliasReq(Struct):
    """struct ifaliasreq: an address with its peer or broadcast address and mask."""

    name: str
    addr: Sockaddr = Sockaddr()
    dstaddr: Sockaddr = Sockaddr()
    mask: Sockaddr = Sockaddr()


class IfConf(Struct):
    """struct ifconf: the list comes back whole, so there is no length to guess."""

    req: list[IfReq] = []


class IfMediaReq(Struct):
    """struct ifmediareq; media words as in <net/if_media.h>.

    mask    don't-care mask
    status  IFM_AVALID | IFM_ACTIVE
    count   how many words *ulist* has; a request with count 0 is answered without the list
    """

    name: str
    current: int = 0
    mask: int = 0
    status: int = 0
    active: int = 0
    count: int = 0
    ulist: list[int] = []


class IfCapReq(Struct):
    """struct ifcapreq, with QNX's receive and transmit halves (IFCAP_* of libnet.ioctl.ifflags)."""

    name: str
    capabilities_rx: int = 0
    capabilities_tx: int = 0
    capenable_rx: int = 0
    capenable_tx: int = 0


class IfData(Struct):
    """struct if_data. link_state: 0 unknown, 1 down, 2 up; lastchange in seconds since 1970."""

    type: int = 0
    addrlen: int = 0
    hdrlen: int = 0
    link_state: int = 0
    mtu: int = 0
    metric: int = 0
    baudrate: int = 0
    ipackets: int = 0
    ierrors: int = 0
    opackets: int = 0
    oerrors: int = 0
    collisions: int = 0
    ibytes: int = 0
    obytes: int = 0
    imcasts: int = 0
    omcasts: int = 0
    iqdrops: int = 0
    noproto: int = 0
    odrops: int = 0
    lastchange: float = 0.0


class IfDataReq(Struct):
    """struct ifdatareq."""

    name: str
    data: IfData | None = None


class IfCloneReq(Struct):
    """struct if_clonereq: names of the cloners, in registration order."""

    total: int = 0
    names: list[str] = []


class IfDrv(Struct):
    """struct ifdrv: a driver-specific command and its argument."""

    name: str
    cmd: int
    arg: Struct | None = None


class IfLaddrReq(Struct):
    """struct if_laddrreq: address with prefix length. flags: IFLR_PREFIX 0x8000."""

    name: str
    flags: int = 0
    prefixlen: int = 0
    addr: Sockaddr = Sockaddr()
    dstaddr: Sockaddr = Sockaddr()


class IfAddrPrefReq(Struct):
    """struct if_addrprefreq: preference of an address, -32768 to 32767."""

    name: str
    preference: int = 0
    addr: Sockaddr = Sockaddr()


class VlanReq(Struct):
    """struct vlanreq."""

    name: str
    parent: str = ""
    tag: int = 0


class DrvComConfig(Struct):
    """nic_config_t (QNX network DDK). mtu and mru count the Ethernet header; rate in kbit/s."""

    flags: int = 0
    mtu: int = 0
    mru: int = 0
    verbose: int = 0
    lan: int = 0
    permanent_address: bytes = b""
    current_address: bytes = b""
    connector: int = 0
    phy_addr: int = 0
    media_rate: int = 0
    duplex: int = -1
    vendor_id: int = 0
    device_id: int = 0
    device_index: int = 0
    mem_window_base: list[int] = []
    mem_window_size: list[int] = []
    io_window_base: list[int] = []
    io_window_size: list[int] = []
    irq: list[int] = []
    device_description: str = ""
    uptype: str = ""
    priority: int = 0


class DrvComStats(Struct):
    """nic_stats_t with its Ethernet part. valid_stats: NIC_STAT_* and NIC_ETHER_STAT_* names."""

    txed_ok: int = 0
    rxed_ok: int = 0
    octets_txed_ok: int = 0
    octets_rxed_ok: int = 0
    txed_multicast: int = 0
    rxed_multicast: int = 0
    txed_broadcast: int = 0
    rxed_broadcast: int = 0
    tx_failed_allocs: int = 0
    rx_failed_allocs: int = 0
    single_collisions: int = 0
    multi_collisions: int = 0
    deferred_tx: int = 0
    late_collisions: int = 0
    xcoll_aborted: int = 0
    xdefer_aborted: int = 0
    tx_underruns: int = 0
    no_carrier: int = 0
    jabber_detected: int = 0
    align_errors: int = 0
    fcs_errors: int = 0
    rx_dropped: int = 0
    length_field_outrange: int = 0
    oversized_packets: int = 0
    dribble_bits: int = 0
    total_rx_frame_errors: int = 0
    valid_stats: list[str] = []


class DrvCom(Struct):
    """struct ifdrv_com: cmd DRVCOM_CONFIG or DRVCOM_STATS, and the payload that comes back."""

    name: str
    cmd: int
    config: DrvComConfig | None = None
    stats: DrvComStats | None = None


DRVCOM_CONFIG = 1
DRVCOM_STATS = 2

NIC_FLAG_MULTICAST = 0x1
NIC_FLAG_PROMISCUOUS = 0x2
NIC_FLAG_BROADCAST = 0x4
NIC_FLAG_LINK_DOWN = 0x8


def _i(name: str, num: int, dir: int, arg: type[Struct], size: int, su: bool = False) -> Ioctl:
    return declare(Ioctl(name, "i", num, dir, arg, size=size, suser=su))


SIOCSHIWAT = declare(Ioctl("SIOCSHIWAT", "s", 0, IN, int, size=4))
SIOCGHIWAT = declare(Ioctl("SIOCGHIWAT", "s", 1, OUT, int, size=4))
SIOCSLOWAT = declare(Ioctl("SIOCSLOWAT", "s", 2, IN, int, size=4))
SIOCGLOWAT = declare(Ioctl("SIOCGLOWAT", "s", 3, OUT, int, size=4))
SIOCATMARK = declare(Ioctl("SIOCATMARK", "s", 7, OUT, int, size=4))
SIOCSPGRP = declare(Ioctl("SIOCSPGRP", "s", 8, IN, int, size=4))
SIOCGPGRP = declare(Ioctl("SIOCGPGRP", "s", 9, OUT, int, size=4))
FIONREAD = declare(Ioctl("FIONREAD", "f", 127, OUT, int, size=4))

SIOCSIFADDR = _i("SIOCSIFADDR", 12, IN, IfReq, 32, True)
SIOCSIFDSTADDR = _i("SIOCSIFDSTADDR", 14, IN, IfReq, 32, True)
SIOCSIFFLAGS = _i("SIOCSIFFLAGS", 16, IN, IfReq, 32, True)
SIOCGIFFLAGS = _i("SIOCGIFFLAGS", 17, INOUT, IfReq, 32)
SIOCSIFBRDADDR = _i("SIOCSIFBRDADDR", 19, IN, IfReq, 32, True)
SIOCSIFNETMASK = _i("SIOCSIFNETMASK", 22, IN, IfReq, 32, True)
SIOCGIFMETRIC = _i("SIOCGIFMETRIC", 23, INOUT, IfReq, 32)
SIOCSIFMETRIC = _i("SIOCSIFMETRIC", 24, IN, IfReq, 32, True)
SIOCDIFADDR = _i("SIOCDIFADDR", 25, IN, IfReq, 32, True)
SIOCAIFADDR = _i("SIOCAIFADDR", 26, IN, IfAliasReq, 64, True)
SIOCGIFALIAS = _i("SIOCGIFALIAS", 27, INOUT, IfAliasReq, 64)
SIOCALIFADDR = _i("SIOCALIFADDR", 28, IN, IfLaddrReq, 280, True)
SIOCGLIFADDR = _i("SIOCGLIFADDR", 29, INOUT, IfLaddrReq, 280)
SIOCDLIFADDR = _i("SIOCDLIFADDR", 30, IN, IfLaddrReq, 280, True)
SIOCSIFADDRPREF = _i("SIOCSIFADDRPREF", 31, IN, IfAddrPrefReq, 148, True)
SIOCGIFADDRPREF = _i("SIOCGIFADDRPREF", 32, INOUT, IfAddrPrefReq, 148)
SIOCGIFADDR = _i("SIOCGIFADDR", 33, INOUT, IfReq, 32)
SIOCGIFDSTADDR = _i("SIOCGIFDSTADDR", 34, INOUT, IfReq, 32)
SIOCGIFBRDADDR = _i("SIOCGIFBRDADDR", 35, INOUT, IfReq, 32)
SIOCGIFCONF = _i("SIOCGIFCONF", 36, INOUT, IfConf, 8)
SIOCGIFNETMASK = _i("SIOCGIFNETMASK", 37, INOUT, IfReq, 32)
SIOCADDMULTI = _i("SIOCADDMULTI", 49, IN, IfReq, 32, True)
SIOCDELMULTI = _i("SIOCDELMULTI", 50, IN, IfReq, 32, True)
SIOCSIFMEDIA = _i("SIOCSIFMEDIA", 53, INOUT, IfReq, 32, True)
SIOCGIFMEDIA = _i("SIOCGIFMEDIA", 54, INOUT, IfMediaReq, 44)
SIOCGIFDLT = _i("SIOCGIFDLT", 119, INOUT, IfReq, 32)
SIOCSIFCAP = _i("SIOCSIFCAP", 117, IN, IfCapReq, 32, True)
SIOCGIFCAP = _i("SIOCGIFCAP", 118, INOUT, IfCapReq, 32)
SIOCIFGCLONERS = _i("SIOCIFGCLONERS", 120, INOUT, IfCloneReq, 12)
SIOCIFDESTROY = _i("SIOCIFDESTROY", 121, IN, IfReq, 32, True)
SIOCIFCREATE = _i("SIOCIFCREATE", 122, IN, IfReq, 32, True)
SIOCGIFMTU = _i("SIOCGIFMTU", 126, INOUT, IfReq, 32)
SIOCSIFMTU = _i("SIOCSIFMTU", 127, IN, IfReq, 32, True)
SIOCGIFDATA = _i("SIOCGIFDATA", 128, INOUT, IfDataReq, 152)
SIOCZIFDATA = _i("SIOCZIFDATA", 129, INOUT, IfDataReq, 152, True)
# The number is not in any public text; 200 collides with nothing in <sys/sockio.h>.
SIOCGDRVCOM = _i("SIOCGDRVCOM", 200, INOUT, DrvCom, 24)
