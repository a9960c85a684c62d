"""802.11 ioctls (NetBSD <net80211/ieee80211_ioctl.h>)."""

from __future__ import annotations

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

IEEE80211_IOC_RTSTHRESHOLD: Final = 12
IEEE80211_IOC_SCAN_REQ: Final = 23
IEEE80211_IOC_SCAN_RESULTS: Final = 24
IEEE80211_IOC_HIDESSID: Final = 29
IEEE80211_IOC_APBRIDGE: Final = 30
IEEE80211_IOC_FRAGTHRESHOLD: Final = 73


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
    """struct ieee80211req: a typed set or get (IEEE80211_IOC_*)."""

    name: str
    type: int = 0
    val: int = 0
    data: bytes = b""


class Ieee80211StatsReq(Struct):
    """struct ifreq whose ifr_buf is a struct ieee80211_stats: counts by member name without is_."""

    name: str
    stats: dict[str, int] | None = None


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
