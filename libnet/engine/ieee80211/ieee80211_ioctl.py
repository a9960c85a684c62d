"""The ioctls of 802.11 interfaces (NetBSD ieee80211_ioctl; ieee80211(4)).

What changes how a network is found or made takes effect by beginning anew (ENETRESET in the original);
thresholds, filters and keys take effect at once, for the code reads them as it goes.

WPA's part of the general request answers as a kernel does that has no cipher and no authenticator but
open and shared key: what is asked is answered with "none", what is set is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from libnet.engine.ieee80211.ieee80211_set import (
    enetreset,
    find_chan,
    ic_of,
    scan,
    set_auth,
    set_channels,
    set_frag,
    set_power,
    set_rts,
    within,
)
from libnet.engine.ieee80211.ieee80211_sysctl import chan_flags, driver_caps
from libnet.engine.ieee80211.ieee80211_var import (
    AUTH_SHARED,
    BINTVAL_MAX,
    BINTVAL_MIN,
    BROADCAST,
    CHAN_ANY,
    DTIM_MAX,
    DTIM_MIN,
    KEYIX_NONE,
    M_HOSTAP,
    M_IBSS,
    M_STA,
    MODE_11G,
    NWID_LEN,
    PROT_RTSCTS,
    ROAMING_MANUAL,
    S_INIT,
    S_RUN,
    S_SCAN,
    TXPOWER_MAX,
    WEP_NKID,
    ZERO_MAC,
    Key,
    Node,
)
from libnet.engine.ieee80211.ieee80211_wi import Wavelan
from libnet.errors import NetError
from libnet.ioctl import ieee80211 as i
from libnet.wire import Truncated
from libnet.wire.ieee80211 import (
    DEAUTH,
    DISASSOC,
    ELEMID_RSN,
    ELEMID_VENDOR,
    RATES_MAX,
    WME_OUI_TYPE,
    WPA_OUI_TYPE,
    element,
    elements,
)
from libnet.wire.phy import channel_of

if TYPE_CHECKING:
    from libnet.engine.ieee80211.ieee80211_var import Ieee80211com
    from libnet.engine.kern.base import StackBase

_CHAN_BYTES: Final = 32
_IES_MAX: Final = 255  # the length in a scan result is one octet
_NO_KEYIX8: Final = 0xFF
_CIPHER_NUMBERS: Final = {"WEP": i.IEEE80211_CIPHER_WEP, "none": i.IEEE80211_CIPHER_NONE}
_CIPHERS: Final = {i.IEEE80211_CIPHER_WEP: "WEP"}
_NODE_AUTH, _NODE_ERP, _NODE_PWR_MGT = 0x0001, 0x0004, 0x0010  # struct ieee80211_node's flags


def interesting(ies: bytes) -> bytes:
    """Return the WPA, RSN and WME elements of *ies*; what comes after a broken one is left out."""
    kept = b""
    try:
        for kind, body in elements(ies):
            if kind == ELEMID_RSN or (
                kind == ELEMID_VENDOR and body[:4] in (WPA_OUI_TYPE, WME_OUI_TYPE)
            ):
                kept += element(kind, body)
    except Truncated:
        return kept
    return kept


def _round4(size: int) -> int:
    return size + 3 & ~3


class Ieee80211Ioctl:
    """Handlers of one stack; `table()` gives them by name."""

    def __init__(self, stack: StackBase) -> None:
        self.stack = stack
        self.wi = Wavelan(stack)
        self._get: dict[int, Callable[[Ieee80211com, i.Ieee80211Req], i.Ieee80211Req]] = {
            i.IEEE80211_IOC_SCAN_RESULTS: _scan_results,
            i.IEEE80211_IOC_STA_INFO: _sta_info,
            i.IEEE80211_IOC_STA_STATS: _sta_stats,
            i.IEEE80211_IOC_CHANLIST: _chanlist,
            i.IEEE80211_IOC_CHANINFO: _chaninfo,
            i.IEEE80211_IOC_WPAIE: _wpaie,
            i.IEEE80211_IOC_MACCMD: _maccmd,
            i.IEEE80211_IOC_WPAKEY: self._wpakey,
            i.IEEE80211_IOC_OPTIE: _optie,
            i.IEEE80211_IOC_STATIONNAME: self._nickname,
            i.IEEE80211_IOC_DRIVER_CAPS: _driver_caps,
            i.IEEE80211_IOC_STA_TXPOW: _sta_txpow,
        }
        self._set: dict[int, Callable[[Ieee80211com, i.Ieee80211Req], None]] = {
            i.IEEE80211_IOC_WEP: _set_wep,
            i.IEEE80211_IOC_AUTHMODE: _set_authmode,
            i.IEEE80211_IOC_STATIONNAME: _set_nickname,
            i.IEEE80211_IOC_POWERSAVE: _set_powersave,
            i.IEEE80211_IOC_POWERSAVESLEEP: _set_powersavesleep,
            i.IEEE80211_IOC_RTSTHRESHOLD: _set_rts,
            i.IEEE80211_IOC_PROTMODE: _set_protmode,
            i.IEEE80211_IOC_TXPOWER: _set_txpower,
            i.IEEE80211_IOC_ROAMING: _set_roaming,
            i.IEEE80211_IOC_PRIVACY: _set_privacy,
            i.IEEE80211_IOC_DROPUNENCRYPTED: _set_dropunencrypted,
            i.IEEE80211_IOC_WPAKEY: _set_key,
            i.IEEE80211_IOC_DELKEY: _set_delkey,
            i.IEEE80211_IOC_MLME: _set_mlme,
            i.IEEE80211_IOC_OPTIE: _set_optie,
            i.IEEE80211_IOC_COUNTERMEASURES: _set_only_off,
            i.IEEE80211_IOC_WPA: _set_only_off,
            i.IEEE80211_IOC_WME: _set_only_off,
            i.IEEE80211_IOC_MCASTCIPHER: _set_only_off,  # WEP is 0
            i.IEEE80211_IOC_CHANLIST: _set_chanlist,
            i.IEEE80211_IOC_SCAN_REQ: _set_scan_req,
            i.IEEE80211_IOC_HIDESSID: _set_hidessid,
            i.IEEE80211_IOC_APBRIDGE: _set_apbridge,
            i.IEEE80211_IOC_MACCMD: _set_maccmd,
            i.IEEE80211_IOC_ADDMAC: _set_addmac,
            i.IEEE80211_IOC_DELMAC: _set_delmac,
            i.IEEE80211_IOC_DTIM_PERIOD: _set_dtim,
            i.IEEE80211_IOC_BEACON_INTERVAL: _set_bintval,
            i.IEEE80211_IOC_PUREG: _set_pureg,
            i.IEEE80211_IOC_MCAST_RATE: _set_mcast_rate,
            i.IEEE80211_IOC_FRAGTHRESHOLD: _set_frag,
        }

    def table(self) -> dict[str, Any]:
        """Return handler by ioctl name."""
        return {
            "SIOCS80211NWID": self.s_nwid,
            "SIOCG80211NWID": self.g_nwid,
            "SIOCS80211NWKEY": self.s_nwkey,
            "SIOCG80211NWKEY": self.g_nwkey,
            "SIOCS80211POWER": self.s_power,
            "SIOCG80211POWER": self.g_power,
            "SIOCS80211AUTH": self.s_auth,
            "SIOCG80211AUTH": self.g_auth,
            "SIOCS80211CHANNEL": self.s_channel,
            "SIOCG80211CHANNEL": self.g_channel,
            "SIOCS80211BSSID": self.s_bssid,
            "SIOCG80211BSSID": self.g_bssid,
            "SIOCS80211": self.s_80211,
            "SIOCG80211": self.g_80211,
            "SIOCG80211STATS": self.g_stats,
            "SIOCG80211ZSTATS": self.g_zstats,
            "SIOCSWAVELAN": self.wi.cfgset,
            "SIOCGWAVELAN": self.wi.cfgget,
        }

    def ic(self, name: str) -> Ieee80211com:
        """Return the state of interface *name*. Raises ENXIO, ENOTTY."""
        return ic_of(self.stack, name)

    @property
    def _suser(self) -> bool:
        cred = self.stack.curcred
        return cred is not None and cred.suser

    # -- network name

    def s_nwid(self, req: i.Ieee80211Nwid) -> i.Ieee80211Nwid:
        """SIOCS80211NWID. Raises EINVAL for a name over 32 octets."""
        ic = self.ic(req.name)
        if len(req.nwid) > NWID_LEN:
            raise NetError("EINVAL")
        ic.des_ssid = req.nwid
        enetreset(ic)
        return req

    def g_nwid(self, req: i.Ieee80211Nwid) -> i.Ieee80211Nwid:
        """SIOCG80211NWID: the name of the network we are in, else of the one asked for."""
        ic = self.ic(req.name)
        asked = ic.state in (S_INIT, S_SCAN)
        return i.Ieee80211Nwid(req.name, ic.des_ssid if asked else ic.bss.essid)

    # -- keys

    def s_nwkey(self, req: i.Ieee80211Nwkey) -> None:
        """SIOCS80211NWKEY. Raises EINVAL for a key of wrong length, or none to send with.

        A length of -1 leaves the key that is there; there is no other persistent memory.
        """
        ic = self.ic(req.name)
        txkey = req.defkid - 1
        lengths = [*req.keylen[:WEP_NKID], *[0] * (WEP_NKID - len(req.keylen))]
        octets = [*req.key[:WEP_NKID], *[b""] * (WEP_NKID - len(req.key))]
        privacy = req.wepon != i.IEEE80211_NWKEY_OPEN
        if not 0 <= txkey < WEP_NKID:
            raise NetError("EINVAL")
        if any(length > len(key) for length, key in zip(lengths, octets, strict=True)):
            raise NetError("EINVAL")
        keys = [
            ic.keys[at].key if length < 0 else key[:length]
            for at, (length, key) in enumerate(zip(lengths, octets, strict=True))
        ]
        if privacy and not keys[txkey]:
            raise NetError("EINVAL")
        anew = ic.def_txkey != txkey or (ic.privacy, ic.dropunencrypted) != (privacy, privacy)
        ic.setkeys(keys, txkey, privacy=privacy)
        ic.dropunencrypted = privacy
        if anew:
            enetreset(ic)

    def g_nwkey(self, req: i.Ieee80211Nwkey) -> i.Ieee80211Nwkey:
        """SIOCG80211NWKEY. Raises EPERM when others than the superuser ask for the keys."""
        ic = self.ic(req.name)
        wepon = i.IEEE80211_NWKEY_WEP if ic.privacy else i.IEEE80211_NWKEY_OPEN
        answer = i.Ieee80211Nwkey(req.name, wepon=wepon, defkid=ic.def_txkey + 1)
        if req.keylen:
            if not self._suser:
                raise NetError("EPERM")
            answer.key = [key.key for key in ic.keys]
            answer.keylen = [len(key.key) for key in ic.keys]
        return answer

    # -- power, authentication, channel, network address

    def s_power(self, req: i.Ieee80211Power) -> None:
        """SIOCS80211POWER. Raises EINVAL where the hardware cannot sleep."""
        set_power(self.ic(req.name), enabled=req.enabled != 0, maxsleep=req.maxsleep)

    def g_power(self, req: i.Ieee80211Power) -> i.Ieee80211Power:
        """SIOCG80211POWER."""
        ic = self.ic(req.name)
        return i.Ieee80211Power(req.name, int(ic.powersave), ic.maxsleep_ms)

    def s_auth(self, req: i.Ieee80211Auth) -> None:
        """SIOCS80211AUTH. Raises EINVAL for what is neither open nor shared key."""
        set_auth(self.ic(req.name), req.authtype)

    def g_auth(self, req: i.Ieee80211Auth) -> i.Ieee80211Auth:
        """SIOCG80211AUTH."""
        return i.Ieee80211Auth(req.name, self.ic(req.name).authmode)

    def s_channel(self, req: i.Ieee80211ChanReq) -> None:
        """SIOCS80211CHANNEL. Raises EINVAL for a channel that cannot be used."""
        ic = self.ic(req.name)
        if req.channel == i.IEEE80211_CHAN_ANY:
            ic.des_chan = CHAN_ANY
        else:
            ic.des_chan = find_chan(ic, req.channel)
        if ic.state in (S_INIT, S_SCAN) or (ic.des_chan and ic.bss.chan != ic.des_chan):
            enetreset(ic)

    def g_channel(self, req: i.Ieee80211ChanReq) -> i.Ieee80211ChanReq:
        """SIOCG80211CHANNEL: the channel of our network, else the one asked for."""
        ic = self.ic(req.name)
        freq = ic.curchan
        if ic.state in (S_INIT, S_SCAN):
            freq = ic.des_chan
            if not freq and ic.opmode != M_STA:
                freq = ic.curchan
        number = channel_of(freq) if freq else i.IEEE80211_CHAN_ANY
        return i.Ieee80211ChanReq(req.name, number)

    def s_bssid(self, req: i.Ieee80211Bssid) -> None:
        """SIOCS80211BSSID: zeros for any network. Raises EINVAL unless it is six octets."""
        ic = self.ic(req.name)
        if len(req.bssid) != len(ZERO_MAC):
            raise NetError("EINVAL")
        ic.des_bssid = req.bssid
        enetreset(ic)

    def g_bssid(self, req: i.Ieee80211Bssid) -> i.Ieee80211Bssid:
        """SIOCG80211BSSID."""
        ic = self.ic(req.name)
        if ic.state not in (S_INIT, S_SCAN):
            return i.Ieee80211Bssid(req.name, ic.bss.bssid)
        return i.Ieee80211Bssid(req.name, ic.myaddr if ic.opmode == M_HOSTAP else ic.des_bssid)

    # -- counters

    def g_stats(self, req: i.Ieee80211StatsReq) -> i.Ieee80211StatsReq:
        """SIOCG80211STATS."""
        return i.Ieee80211StatsReq(req.name, dict(self.ic(req.name).stats))

    def g_zstats(self, req: i.Ieee80211StatsReq) -> i.Ieee80211StatsReq:
        """SIOCG80211ZSTATS: the counters, which begin again at zero."""
        answer = self.g_stats(req)
        self.ic(req.name).stats.clear()
        return answer

    # -- the general request

    def g_80211(self, req: i.Ieee80211Req) -> i.Ieee80211Req:
        """SIOCG80211. Raises EINVAL for a type that there is not, and as each type does."""
        ic = self.ic(req.name)
        func = self._get.get(req.type)
        if func is not None:
            return func(ic, req)
        value = _VALUES.get(req.type)
        if value is None:
            raise NetError("EINVAL")
        return i.Ieee80211Req(req.name, req.type, value(ic))

    def s_80211(self, req: i.Ieee80211Req) -> None:
        """SIOCS80211. Raises EINVAL for a type or value that there is not, and as each type does."""
        ic = self.ic(req.name)
        func = self._set.get(req.type)
        if func is None:
            raise NetError("EINVAL")
        func(ic, req)

    def _wpakey(self, ic: Ieee80211com, req: i.Ieee80211Req) -> i.Ieee80211Req:
        """Tell of a key; the key itself only to the superuser."""
        if len(req.data) != i.REQ_KEY.size:
            raise NetError("EINVAL")
        _type, keyix, _len, _flags, mac, _rsc, _tsc, _key = i.REQ_KEY.unpack(req.data)
        if keyix == i.IEEE80211_KEYIX_NONE:
            key = _member(ic, mac).ucastkey
        elif keyix < WEP_NKID:
            key, mac = ic.keys[keyix], ic.bss.mac
        else:
            raise NetError("EINVAL")
        flags = (i.IEEE80211_KEY_XMIT if key.tx else 0) | (i.IEEE80211_KEY_RECV if key.rx else 0)
        if key.keyix == ic.def_txkey:
            flags |= i.IEEE80211_KEY_DEFAULT
        shown = key.key if self._suser else b""
        number = _CIPHER_NUMBERS.get(key.cipher, i.IEEE80211_CIPHER_NONE)
        data = i.REQ_KEY.pack(number, keyix, len(key.key), flags, mac, 0, 0, shown)
        return i.Ieee80211Req(req.name, req.type, data=data)

    def _nickname(self, ic: Ieee80211com, req: i.Ieee80211Req) -> i.Ieee80211Req:
        name = ic.nickname or self.stack.hostname.encode()[:NWID_LEN]
        return i.Ieee80211Req(req.name, req.type, data=name)


# Requests that are answered with one number.


def _wep_mode(ic: Ieee80211com) -> int:
    if not ic.privacy:
        return i.IEEE80211_WEP_OFF
    return i.IEEE80211_WEP_ON if ic.dropunencrypted else i.IEEE80211_WEP_MIXED


def _none(_ic: Ieee80211com) -> int:
    return 0


_VALUES: Final[dict[int, Callable[[Ieee80211com], int]]] = {
    i.IEEE80211_IOC_NUMSSIDS: lambda ic: 1,
    i.IEEE80211_IOC_WEP: _wep_mode,
    i.IEEE80211_IOC_NUMWEPKEYS: lambda ic: WEP_NKID,
    i.IEEE80211_IOC_AUTHMODE: lambda ic: ic.authmode,
    i.IEEE80211_IOC_POWERSAVE: lambda ic: int(ic.powersave),
    i.IEEE80211_IOC_POWERSAVESLEEP: lambda ic: ic.maxsleep_ms,
    i.IEEE80211_IOC_RTSTHRESHOLD: lambda ic: ic.rtsthreshold,
    i.IEEE80211_IOC_PROTMODE: lambda ic: ic.protmode,
    i.IEEE80211_IOC_TXPOWER: lambda ic: ic.txpower,
    i.IEEE80211_IOC_ROAMING: lambda ic: ic.roaming,
    i.IEEE80211_IOC_PRIVACY: lambda ic: int(ic.privacy),
    i.IEEE80211_IOC_DROPUNENCRYPTED: lambda ic: int(ic.dropunencrypted),
    i.IEEE80211_IOC_COUNTERMEASURES: lambda ic: int(ic.countermeasures),
    i.IEEE80211_IOC_WPA: _none,
    i.IEEE80211_IOC_WME: _none,
    i.IEEE80211_IOC_HIDESSID: lambda ic: int(ic.hidessid),
    i.IEEE80211_IOC_APBRIDGE: lambda ic: int(ic.apbridge),
    i.IEEE80211_IOC_MCASTCIPHER: _none,
    i.IEEE80211_IOC_MCASTKEYLEN: _none,
    i.IEEE80211_IOC_UCASTCIPHERS: _none,
    i.IEEE80211_IOC_UCASTCIPHER: _none,
    i.IEEE80211_IOC_UCASTKEYLEN: _none,
    i.IEEE80211_IOC_KEYMGTALGS: _none,
    i.IEEE80211_IOC_RSNCAPS: _none,
    i.IEEE80211_IOC_TXPOWMAX: lambda ic: ic.txpowmax,
    i.IEEE80211_IOC_DTIM_PERIOD: lambda ic: ic.dtim_period,
    i.IEEE80211_IOC_BEACON_INTERVAL: lambda ic: ic.bss.intval,
    i.IEEE80211_IOC_PUREG: lambda ic: int(ic.puregonly),
    i.IEEE80211_IOC_MCAST_RATE: lambda ic: ic.mcast_rate,
    i.IEEE80211_IOC_FRAGTHRESHOLD: lambda ic: ic.fragthreshold,
}


def _member(ic: Ieee80211com, mac: bytes) -> Node:
    """Return the member of our network at *mac*. Raises EINVAL."""
    node = ic.nodes.get(mac)
    if node is None and ic.opmode == M_STA and mac == ic.bss.mac != ZERO_MAC:
        node = ic.bss
    if node is None:
        raise NetError("EINVAL")
    return node


def _rates(node: Node) -> bytes:
    return bytes(node.rates[:RATES_MAX])


def _scan_results(ic: Ieee80211com, req: i.Ieee80211Req) -> i.Ieee80211Req:
    data = bytearray()
    for node in ic.scan.values():
        ies = node.ies if len(node.ies) <= _IES_MAX else interesting(node.ies)
        if len(ies) > _IES_MAX:
            ies = b""
        rates = _rates(node)
        size = _round4(i.SCAN_RESULT.size + len(node.essid) + len(ies))
        record = i.SCAN_RESULT.pack(
            size,
            node.chan,
            chan_flags(ic, node.chan),
            0,
            min(node.rssi, 255),
            node.intval & 0xFF,
            node.capinfo & 0xFF,
            node.erp & 0xFF,
            node.bssid,
            len(rates),
            rates,
            len(node.essid),
            len(ies),
        )
        data += (record + node.essid + ies).ljust(size, b"\0")
    return i.Ieee80211Req(req.name, req.type, data=bytes(data))


def _sta_info(ic: Ieee80211com, req: i.Ieee80211Req) -> i.Ieee80211Req:
    now = ic.stack.clock.now
    found = list(ic.nodes.values())
    if ic.opmode == M_STA and ic.state == S_RUN:
        found.append(ic.bss)
    data = bytearray()
    for node in found:
        if ic.opmode == M_HOSTAP and not node.associd:
            continue
        rates, ies = _rates(node), node.wpa_ie
        size = _round4(i.STA_INFO.size + len(ies))
        state = (
            (_NODE_AUTH if node.authorized else 0)
            | (_NODE_ERP if node.erp else 0)
            | (_NODE_PWR_MGT if node.powersave else 0)
        )
        record = i.STA_INFO.pack(
            size,
            node.chan,
            chan_flags(ic, node.chan),
            state,
            node.authalg,
            min(node.rssi, 255),
            node.capinfo & 0xFF,
            node.erp & 0xFF,
            node.mac,
            len(rates),
            rates,
            min(node.txrate, 255),
            len(ies),
            node.associd,
            ic.txpower,
            0,
            (node.txseqs & 0xFFFF).to_bytes(2, "little"),
            (node.rxseqs.get(0, 0) & 0xFFFF).to_bytes(2, "little"),
            max(0, min(0xFFFF, int(now - node.heard))),
        )
        data += (record + ies).ljust(size, b"\0")
    return i.Ieee80211Req(req.name, req.type, data=bytes(data))


def _sta_stats(ic: Ieee80211com, req: i.Ieee80211Req) -> i.Ieee80211Req:
    mac = req.data[:6]
    stats = _member(ic, mac).stats
    counts = [stats[name] & 0xFFFFFFFF for name in i.NODESTATS]
    return i.Ieee80211Req(req.name, req.type, data=i.STA_STATS.pack(mac, *counts))


def _chanlist(ic: Ieee80211com, req: i.Ieee80211Req) -> i.Ieee80211Req:
    bits = 0
    for freq in ic.chan_active:
        bits |= 1 << channel_of(freq)
    return i.Ieee80211Req(req.name, req.type, data=bits.to_bytes(_CHAN_BYTES, "little"))


def _chaninfo(ic: Ieee80211com, req: i.Ieee80211Req) -> i.Ieee80211Req:
    freqs = sorted(ic.chan_avail)
    data = len(freqs).to_bytes(4, "little") + b"".join(
        i.CHANINFO.pack(freq, chan_flags(ic, freq)) for freq in freqs
    )
    return i.Ieee80211Req(req.name, req.type, data=data)


def _wpaie(ic: Ieee80211com, req: i.Ieee80211Req) -> i.Ieee80211Req:
    mac = req.data[:6]
    ie = _member(ic, mac).wpa_ie[: i.IEEE80211_MAX_OPT_IE]
    data = mac + ie.ljust(i.IEEE80211_MAX_OPT_IE, b"\0")
    return i.Ieee80211Req(req.name, req.type, data=data)


def _maccmd(ic: Ieee80211com, req: i.Ieee80211Req) -> i.Ieee80211Req:
    if req.val == i.IEEE80211_MACCMD_POLICY:
        return i.Ieee80211Req(req.name, req.type, ic.acl.policy)
    if req.val == i.IEEE80211_MACCMD_LIST:
        return i.Ieee80211Req(req.name, req.type, req.val, b"".join(ic.acl.macs))
    raise NetError("EINVAL")


def _optie(ic: Ieee80211com, req: i.Ieee80211Req) -> i.Ieee80211Req:
    if not ic.opt_ie:
        raise NetError("EINVAL")
    return i.Ieee80211Req(req.name, req.type, data=ic.opt_ie)


def _driver_caps(ic: Ieee80211com, req: i.Ieee80211Req) -> i.Ieee80211Req:
    caps = driver_caps(ic)
    return i.Ieee80211Req(req.name, req.type, caps >> 16, len=caps & 0xFFFF)


def _sta_txpow(ic: Ieee80211com, req: i.Ieee80211Req) -> i.Ieee80211Req:
    mac = req.data[:6]
    _member(ic, mac)
    data = i.REQ_STA_TXPOW.pack(mac, ic.txpower)
    return i.Ieee80211Req(req.name, req.type, data=data)


# What can be set.


def _set_wep(ic: Ieee80211com, req: i.Ieee80211Req) -> None:
    if req.val not in (i.IEEE80211_WEP_OFF, i.IEEE80211_WEP_ON, i.IEEE80211_WEP_MIXED):
        raise NetError("EINVAL")
    ic.privacy = req.val != i.IEEE80211_WEP_OFF
    ic.dropunencrypted = req.val == i.IEEE80211_WEP_ON
    enetreset(ic)


def _set_authmode(ic: Ieee80211com, req: i.Ieee80211Req) -> None:
    was = ic.privacy
    ic.privacy = req.val == AUTH_SHARED
    try:
        set_auth(ic, req.val)
    except NetError:
        ic.privacy = was
        raise


def _set_nickname(ic: Ieee80211com, req: i.Ieee80211Req) -> None:
    if len(req.data) > NWID_LEN:
        raise NetError("EINVAL")
    ic.nickname = req.data


def _set_powersave(ic: Ieee80211com, req: i.Ieee80211Req) -> None:
    if req.val not in (0, 1):
        raise NetError("EINVAL")
    set_power(ic, enabled=req.val == 1)


def _set_powersavesleep(ic: Ieee80211com, req: i.Ieee80211Req) -> None:
    set_power(ic, enabled=ic.powersave, maxsleep=req.val)


def _set_rts(ic: Ieee80211com, req: i.Ieee80211Req) -> None:
    set_rts(ic, req.val)


def _set_frag(ic: Ieee80211com, req: i.Ieee80211Req) -> None:
    set_frag(ic, req.val)


def _set_protmode(ic: Ieee80211com, req: i.Ieee80211Req) -> None:
    ic.protmode = within(req.val, 0, PROT_RTSCTS)


def _set_txpower(ic: Ieee80211com, req: i.Ieee80211Req) -> None:
    if not 0 < req.val < TXPOWER_MAX:
        raise NetError("EINVAL")
    ic.txpower = min(req.val, ic.txpowmax)
    ic.radio.txpower = ic.txpower // 2


def _set_roaming(ic: Ieee80211com, req: i.Ieee80211Req) -> None:
    ic.roaming = within(req.val, 0, ROAMING_MANUAL)


def _set_privacy(ic: Ieee80211com, req: i.Ieee80211Req) -> None:
    ic.privacy = req.val != 0


def _set_dropunencrypted(ic: Ieee80211com, req: i.Ieee80211Req) -> None:
    ic.dropunencrypted = req.val != 0


def _set_only_off(_ic: Ieee80211com, req: i.Ieee80211Req) -> None:
    """Accept that what there is not stays off."""
    if req.val:
        raise NetError("EINVAL")


def _set_key(ic: Ieee80211com, req: i.Ieee80211Req) -> None:
    """Install a key. Raises ENXIO for a cipher that there is not, EIO for a wrong length."""
    if len(req.data) != i.REQ_KEY.size:
        raise NetError("EINVAL")
    cipher, keyix, length, flags, mac, _rsc, _tsc, octets = i.REQ_KEY.unpack(req.data)
    if length > len(octets):
        raise NetError("E2BIG")
    node: Node | None = None
    if keyix == i.IEEE80211_KEYIX_NONE:
        if flags != i.IEEE80211_KEY_XMIT | i.IEEE80211_KEY_RECV:
            raise NetError("EINVAL")
        node = _key_owner(ic, mac)
    elif keyix >= WEP_NKID:
        raise NetError("EINVAL")
    name = _CIPHERS.get(cipher, "")
    if name not in ic.crypto.ciphers:
        raise NetError("ENXIO")
    try:
        key = ic.crypto.newkey(keyix if node is None else 0, name, octets[:length])
    except NetError:
        raise NetError("EIO") from None
    key.tx, key.rx = bool(flags & i.IEEE80211_KEY_XMIT), bool(flags & i.IEEE80211_KEY_RECV)
    if node is not None:
        node.ucastkey = key
        return
    ic.keys[keyix] = key
    if flags & i.IEEE80211_KEY_DEFAULT:
        ic.def_txkey = keyix


def _key_owner(ic: Ieee80211com, mac: bytes) -> Node:
    """Return whose own key is meant. Raises EADDRNOTAVAIL, ENOENT."""
    if ic.opmode == M_STA:
        if mac != ic.bss.bssid:
            raise NetError("EADDRNOTAVAIL")
        return ic.bss
    node = ic.nodes.get(mac)
    if node is None:
        raise NetError("ENOENT")
    return node


def _set_delkey(ic: Ieee80211com, req: i.Ieee80211Req) -> None:
    if len(req.data) != i.REQ_DEL_KEY.size:
        raise NetError("EINVAL")
    keyix, mac = i.REQ_DEL_KEY.unpack(req.data)
    if keyix == _NO_KEYIX8:
        _key_owner(ic, mac).ucastkey = Key(KEYIX_NONE)
    elif keyix < WEP_NKID:
        ic.keys[keyix] = Key(keyix)
    else:
        raise NetError("EINVAL")


def _set_mlme(ic: Ieee80211com, req: i.Ieee80211Req) -> None:
    if len(req.data) != i.REQ_MLME.size:
        raise NetError("EINVAL")
    op, ssid_len, reason, mac, ssid = i.REQ_MLME.unpack(req.data)
    if op == i.IEEE80211_MLME_ASSOC:
        node = ic.scan.get(mac)
        if ic.opmode != M_STA or node is None or ssid_len > len(ssid):
            raise NetError("EINVAL")
        if ssid_len and node.essid != ssid[:ssid_len]:
            raise NetError("EINVAL")
        if not ic.proto.sta_join(node):
            raise NetError("EINVAL")
    elif op in (i.IEEE80211_MLME_DISASSOC, i.IEEE80211_MLME_DEAUTH):
        if ic.opmode == M_STA:
            ic.newstate(S_INIT, reason)
        elif ic.opmode == M_HOSTAP:
            subtype = DEAUTH if op == i.IEEE80211_MLME_DEAUTH else DISASSOC
            gone = list(ic.nodes.values()) if mac == BROADCAST else [_member(ic, mac)]
            for node in gone:
                if node.associd:
                    ic.out.send_mgmt(node, subtype, reason)
                ic.node_leave(node)
        else:
            raise NetError("EINVAL")
    elif op in (i.IEEE80211_MLME_AUTHORIZE, i.IEEE80211_MLME_UNAUTHORIZE):
        if ic.opmode != M_HOSTAP:
            raise NetError("EINVAL")
        _member(ic, mac).authorized = op == i.IEEE80211_MLME_AUTHORIZE
    else:
        raise NetError("EINVAL")


def _set_optie(ic: Ieee80211com, req: i.Ieee80211Req) -> None:
    # What an access point says of itself is not for a program to add to.
    if ic.opmode != M_STA or len(req.data) > i.IEEE80211_MAX_OPT_IE:
        raise NetError("EINVAL")
    ic.opt_ie = req.data


def _set_chanlist(ic: Ieee80211com, req: i.Ieee80211Req) -> None:
    if len(req.data) != _CHAN_BYTES:
        raise NetError("EINVAL")
    bits = int.from_bytes(req.data, "little")
    # Channels that there are not are passed over, so that all bits mean all channels.
    set_channels(ic, (freq for freq in ic.chan_avail if bits >> channel_of(freq) & 1))


def _set_scan_req(ic: Ieee80211com, _req: i.Ieee80211Req) -> None:
    scan(ic)


def _set_hidessid(ic: Ieee80211com, req: i.Ieee80211Req) -> None:
    ic.hidessid = req.val != 0
    enetreset(ic)


def _set_apbridge(ic: Ieee80211com, req: i.Ieee80211Req) -> None:
    ic.apbridge = req.val != 0


def _set_maccmd(ic: Ieee80211com, req: i.Ieee80211Req) -> None:
    if req.val == i.IEEE80211_MACCMD_FLUSH:
        ic.acl.flush()
    elif req.val == i.IEEE80211_MACCMD_DETACH:
        ic.acl.detach()
    else:
        ic.acl.set_policy(req.val)


def _mac_of(req: i.Ieee80211Req) -> bytes:
    if len(req.data) != len(ZERO_MAC):
        raise NetError("EINVAL")
    return req.data


def _set_addmac(ic: Ieee80211com, req: i.Ieee80211Req) -> None:
    ic.acl.add(_mac_of(req))


def _set_delmac(ic: Ieee80211com, req: i.Ieee80211Req) -> None:
    ic.acl.remove(_mac_of(req))


def _beaconing(ic: Ieee80211com) -> None:
    if ic.opmode not in (M_HOSTAP, M_IBSS):
        raise NetError("EINVAL")


def _set_dtim(ic: Ieee80211com, req: i.Ieee80211Req) -> None:
    _beaconing(ic)
    ic.dtim_period = within(req.val, DTIM_MIN, DTIM_MAX)
    enetreset(ic)


def _set_bintval(ic: Ieee80211com, req: i.Ieee80211Req) -> None:
    _beaconing(ic)
    ic.bintval = within(req.val, BINTVAL_MIN, BINTVAL_MAX)
    enetreset(ic)


def _set_pureg(ic: Ieee80211com, req: i.Ieee80211Req) -> None:
    ic.puregonly = req.val != 0
    if ic.curmode == MODE_11G:
        enetreset(ic)


def _set_mcast_rate(ic: Ieee80211com, req: i.Ieee80211Req) -> None:
    ic.mcast_rate = req.val & 0x7F
