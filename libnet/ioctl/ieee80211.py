"""802.11 ioctls (NetBSD <net80211/ieee80211_ioctl.h>)."""

from __future__ import annotations

from struct import Struct as Layout
from typing import Final

from libnet.ioctl.registry import IN, INOUT, Ioctl, declare
from libnet.record import Struct

IEEE80211_NWID_LEN: Final = 32
IEEE80211_WEP_NKID: Final = 4
IEEE80211_KEYBUF_SIZE: Final = 16
IEEE80211_CHAN_ANY: Final = 0xFFFF

IEEE80211_NWKEY_OPEN: Final = 0
IEEE80211_NWKEY_WEP: Final = 1
IEEE80211_NWKEY_EAP: Final = 2
IEEE80211_NWKEY_PERSIST: Final = 0x100

IEEE80211_AUTH_OPEN: Final = 1
IEEE80211_AUTH_SHARED: Final = 2

IEEE80211_WEP_OFF: Final = 0
IEEE80211_WEP_ON: Final = 1
IEEE80211_WEP_MIXED: Final = 2

# Types of the general request. Numbers 1, 4, 6, 9 and 15 are of FreeBSD's emulation only.
IEEE80211_IOC_NUMSSIDS: Final = 2
IEEE80211_IOC_WEP: Final = 3
IEEE80211_IOC_NUMWEPKEYS: Final = 5
IEEE80211_IOC_AUTHMODE: Final = 7
IEEE80211_IOC_STATIONNAME: Final = 8
IEEE80211_IOC_POWERSAVE: Final = 10
IEEE80211_IOC_POWERSAVESLEEP: Final = 11
IEEE80211_IOC_RTSTHRESHOLD: Final = 12
IEEE80211_IOC_PROTMODE: Final = 13
IEEE80211_IOC_TXPOWER: Final = 14
IEEE80211_IOC_ROAMING: Final = 16
IEEE80211_IOC_PRIVACY: Final = 17
IEEE80211_IOC_DROPUNENCRYPTED: Final = 18
IEEE80211_IOC_WPAKEY: Final = 19
IEEE80211_IOC_DELKEY: Final = 20
IEEE80211_IOC_MLME: Final = 21
IEEE80211_IOC_OPTIE: Final = 22
IEEE80211_IOC_SCAN_REQ: Final = 23
IEEE80211_IOC_SCAN_RESULTS: Final = 24
IEEE80211_IOC_COUNTERMEASURES: Final = 25
IEEE80211_IOC_WPA: Final = 26
IEEE80211_IOC_CHANLIST: Final = 27
IEEE80211_IOC_WME: Final = 28
IEEE80211_IOC_HIDESSID: Final = 29
IEEE80211_IOC_APBRIDGE: Final = 30
IEEE80211_IOC_MCASTCIPHER: Final = 31
IEEE80211_IOC_MCASTKEYLEN: Final = 32
IEEE80211_IOC_UCASTCIPHERS: Final = 33
IEEE80211_IOC_UCASTCIPHER: Final = 34
IEEE80211_IOC_UCASTKEYLEN: Final = 35
IEEE80211_IOC_DRIVER_CAPS: Final = 36
IEEE80211_IOC_KEYMGTALGS: Final = 37
IEEE80211_IOC_RSNCAPS: Final = 38
IEEE80211_IOC_WPAIE: Final = 39
IEEE80211_IOC_STA_STATS: Final = 40
IEEE80211_IOC_MACCMD: Final = 41
IEEE80211_IOC_CHANINFO: Final = 42
IEEE80211_IOC_TXPOWMAX: Final = 43
IEEE80211_IOC_STA_TXPOW: Final = 44
IEEE80211_IOC_STA_INFO: Final = 45
IEEE80211_IOC_DTIM_PERIOD: Final = 52
IEEE80211_IOC_BEACON_INTERVAL: Final = 53
IEEE80211_IOC_ADDMAC: Final = 54
IEEE80211_IOC_DELMAC: Final = 55
IEEE80211_IOC_PUREG: Final = 56
IEEE80211_IOC_MCAST_RATE: Final = 72
IEEE80211_IOC_FRAGTHRESHOLD: Final = 73

IEEE80211_MLME_ASSOC: Final = 1
IEEE80211_MLME_DISASSOC: Final = 2
IEEE80211_MLME_DEAUTH: Final = 3
IEEE80211_MLME_AUTHORIZE: Final = 4
IEEE80211_MLME_UNAUTHORIZE: Final = 5

IEEE80211_MACCMD_POLICY_OPEN: Final = 0
IEEE80211_MACCMD_POLICY_ALLOW: Final = 1
IEEE80211_MACCMD_POLICY_DENY: Final = 2
IEEE80211_MACCMD_FLUSH: Final = 3
IEEE80211_MACCMD_DETACH: Final = 4
IEEE80211_MACCMD_POLICY: Final = 5
IEEE80211_MACCMD_LIST: Final = 6

IEEE80211_CIPHER_WEP: Final = 0
IEEE80211_CIPHER_TKIP: Final = 1
IEEE80211_CIPHER_AES_OCB: Final = 2
IEEE80211_CIPHER_AES_CCM: Final = 3
IEEE80211_CIPHER_CKIP: Final = 5
IEEE80211_CIPHER_NONE: Final = 6

IEEE80211_KEYIX_NONE: Final = 0xFFFF
IEEE80211_KEY_XMIT: Final = 0x01
IEEE80211_KEY_RECV: Final = 0x02
IEEE80211_KEY_DEFAULT: Final = 0x80
IEEE80211_MAX_OPT_IE: Final = 256

# What travels in the general request's data, little-endian, in the layout of the C structs.
REQ_MLME: Final = Layout("<BBH6s32s")  # op, octets of ssid, reason, address, ssid
REQ_KEY: Final = Layout("<BxHBB6s4xQQ32s")  # cipher, index, length, flags, address, rsc, tsc, key
REQ_DEL_KEY: Final = Layout("<B6s")  # index (255 for none), address
REQ_STA_TXPOW: Final = Layout("<6sB")  # address, units of half a dBm
CHANINFO: Final = Layout("<HH")  # MHz, channel flags; the list begins with its length in 32 bits
# Length (a multiple of 4), frequency, channel flags, noise, rssi, interval, capabilities, ERP, BSSID,
# number of rates, rates, octets of SSID and of elements, which follow.
SCAN_RESULT: Final = Layout("<HHHBBBBB6sB15sBB5x")
# Length (a multiple of 4), frequency, channel flags, state, authentication mode, rssi, capabilities,
# ERP, address, number of rates, rates, index of the current one, octets of elements, association id,
# power, VLAN, next sequence number and last one received (17 of each), seconds until given up.
STA_INFO: Final = Layout("<HHHHBBBB6sB15sBxHHHH34s34sH")
# Counters of one station, behind its address and two octets of padding; names are NODESTATS.
STA_STATS: Final = Layout("<6s2x5I4x2Q16IQ12I")
NODESTATS: Final = (
    "rx_data", "rx_mgmt", "rx_ctrl", "rx_ucast", "rx_mcast", "rx_bytes", "rx_beacons",
    "rx_proberesp", "rx_dup", "rx_noprivacy", "rx_wepfail", "rx_demicfail", "rx_decap",
    "rx_defrag", "rx_disassoc", "rx_deauth", "rx_decryptcrc", "rx_unauth", "rx_unencrypted",
    "tx_data", "tx_mgmt", "tx_ucast", "tx_mcast", "tx_bytes", "tx_probereq", "tx_novlantag",
    "tx_vlanmismatch", "ps_discard", "tx_assoc", "tx_assoc_fail", "tx_auth", "tx_auth_fail",
    "tx_deauth", "tx_deauth_code", "tx_disassoc", "tx_disassoc_code",
)  # fmt: skip

# net.link.ieee80211.nodes goes on with interface (0 for all), operation, argument, type of record,
# octets of record, number of records.
IEEE80211_SYSCTL_OP_ALL: Final = 0
IEEE80211_SYSCTL_T_NODE: Final = 0
IEEE80211_SYSCTL_NODE_SIZE: Final = 0x6C
IEEE80211_NODE_SYSCTL_F_BSS: Final = 0x01
IEEE80211_NODE_SYSCTL_F_STA: Final = 0x02
IEEE80211_NODE_SYSCTL_F_SCAN: Final = 0x04


class Ieee80211Nwid(Struct):
    """struct ifreq whose ifr_data is a struct ieee80211_nwid: the network name, 32 octets at most."""

    name: str
    nwid: bytes = b""


class Ieee80211Nwkey(Struct):
    """struct ieee80211_nwkey.

    wepon   IEEE80211_NWKEY_*
    defkid  default key, 1 to 4; 0 leaves it to persistent memory
    keylen  octets per key, -1 for a key from persistent memory; empty in a request that asks only
            whether privacy is on
    key     the keys
    """

    name: str
    wepon: int = 0
    defkid: int = 0
    keylen: list[int] = []
    key: list[bytes] = []


class Ieee80211Power(Struct):
    """struct ieee80211_power: power saving, and the longest sleep in milliseconds."""

    name: str
    enabled: int = 0
    maxsleep: int = 0


class Ieee80211Auth(Struct):
    """struct ieee80211_auth."""

    name: str
    authtype: int = 0


class Ieee80211ChanReq(Struct):
    """struct ieee80211chanreq: channel number, IEEE80211_CHAN_ANY for none."""

    name: str
    channel: int = 0


class Ieee80211Bssid(Struct):
    """struct ieee80211_bssid: six octets, all zero for none."""

    name: str
    bssid: bytes = b"\0\0\0\0\0\0"


class Ieee80211Req(Struct):
    """struct ieee80211req: a typed set or get (IEEE80211_IOC_*).

    val, len  numbers: len is i_len where that is not the octets of data
    data      what i_data points to
    """

    name: str
    type: int = 0
    val: int = 0
    data: bytes = b""
    len: int = 0


class Ieee80211StatsReq(Struct):
    """struct ifreq whose ifr_buf is a struct ieee80211_stats: counts by member name without is_."""

    name: str
    stats: dict[str, int] | None = None


class Ieee80211NodeSysctl(Struct):
    """struct ieee80211_node_sysctl: one node of net.link.ieee80211.nodes.

    flags      IEEE80211_NODE_SYSCTL_F_*       capinfo  capability bits
    chan       channel number; freq MHz; chanflags as radiotap's
    rates      rate octets; txrate index of the current one
    intval     TU                              tstamp   microseconds, of the last beacon
    inact      seconds since it was heard      rssi     dB above the noise
    txseq      next sequence number            rxseq    last one received
    associd    with its two top bits           fails    associations that came to nothing
    """

    ifindex: int
    macaddr: bytes
    bssid: bytes
    capinfo: int = 0
    flags: int = 0
    freq: int = 0
    chanflags: int = 0
    chan: int = 0
    rssi: int = 0
    essid: bytes = b""
    erp: int = 0
    associd: int = 0
    inact: int = 0
    rates: bytes = b""
    txrate: int = 0
    intval: int = 0
    tstamp: int = 0
    txseq: int = 0
    rxseq: int = 0
    fails: int = 0


def _w(name: str, num: int, dir: int, arg: type[Struct], size: int, su: bool = False) -> Ioctl:
    return declare(Ioctl(name, "i", num, dir, arg, size=size, suser=su, man="ieee80211.4"))


SIOCS80211NWID = _w("SIOCS80211NWID", 230, INOUT, Ieee80211Nwid, 32, True)
SIOCG80211NWID = _w("SIOCG80211NWID", 231, INOUT, Ieee80211Nwid, 32)
SIOCS80211NWKEY = _w("SIOCS80211NWKEY", 232, IN, Ieee80211Nwkey, 56, True)
SIOCG80211NWKEY = _w("SIOCG80211NWKEY", 233, INOUT, Ieee80211Nwkey, 56)
SIOCS80211POWER = _w("SIOCS80211POWER", 234, IN, Ieee80211Power, 24, True)
SIOCG80211POWER = _w("SIOCG80211POWER", 235, INOUT, Ieee80211Power, 24)
SIOCS80211AUTH = _w("SIOCS80211AUTH", 236, IN, Ieee80211Auth, 20, True)
SIOCG80211AUTH = _w("SIOCG80211AUTH", 237, INOUT, Ieee80211Auth, 20)
SIOCS80211CHANNEL = _w("SIOCS80211CHANNEL", 238, IN, Ieee80211ChanReq, 18, True)
SIOCG80211CHANNEL = _w("SIOCG80211CHANNEL", 239, INOUT, Ieee80211ChanReq, 18)
SIOCS80211BSSID = _w("SIOCS80211BSSID", 240, IN, Ieee80211Bssid, 22, True)
SIOCG80211BSSID = _w("SIOCG80211BSSID", 241, INOUT, Ieee80211Bssid, 22)
SIOCS80211 = _w("SIOCS80211", 244, IN, Ieee80211Req, 28, True)
SIOCG80211 = _w("SIOCG80211", 245, INOUT, Ieee80211Req, 28)
SIOCG80211STATS = _w("SIOCG80211STATS", 246, INOUT, Ieee80211StatsReq, 32)
SIOCG80211ZSTATS = _w("SIOCG80211ZSTATS", 247, INOUT, Ieee80211StatsReq, 32, True)
