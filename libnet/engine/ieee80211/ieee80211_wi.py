"""WaveLAN records of 802.11 interfaces: what wiconfig(8) reads and sets (ieee80211_cfgget, _cfgset)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

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
)
from libnet.engine.ieee80211.ieee80211_var import (
    M_HOSTAP,
    M_IBSS,
    M_STA,
    NWID_LEN,
    ROAMING_AUTO,
    ROAMING_MANUAL,
    S_RUN,
    WEP_NKID,
    ZERO_MAC,
)
from libnet.errors import NetError
from libnet.ioctl import wi_ieee as w
from libnet.ioctl.ifflags import IFF_PROMISC, IFM_OMASK, IFM_TMASK
from libnet.wire.ieee80211 import SSID_MAX
from libnet.wire.phy import channel_of

if TYPE_CHECKING:
    from libnet.engine.ieee80211.ieee80211_var import Ieee80211com
    from libnet.engine.kern.base import StackBase

_IFM_ADHOC, _IFM_HOSTAP = 0x100, 0x200
_PORTTYPES: Final = {
    M_STA: w.WI_PORTTYPE_BSS,
    M_IBSS: w.WI_PORTTYPE_ADHOC,
    M_HOSTAP: w.WI_PORTTYPE_HOSTAP,
}
_OPTIONS: Final = {
    w.WI_PORTTYPE_BSS: 0,
    w.WI_PORTTYPE_ADHOC: _IFM_ADHOC,
    w.WI_PORTTYPE_HOSTAP: _IFM_HOSTAP,
}
_ROAMING: Final = {ROAMING_AUTO: w.WI_ROAMING_FIRM, ROAMING_MANUAL: w.WI_ROAMING_DISABLE}
# What only the hardware or the network decides.
_READONLY: Final = frozenset(
    (
        w.WI_RID_SERIALNO,
        w.WI_RID_CURRENT_SSID,
        w.WI_RID_CURRENT_BSSID,
        w.WI_RID_CURRENT_CHAN,
        w.WI_RID_COMMS_QUALITY,
        w.WI_RID_CUR_TX_RATE,
        w.WI_RID_CUR_BEACON_INT,
        w.WI_RID_WEP_AVAIL,
        w.WI_RID_IFACE_STATS,
    )
)
_CHANNELS: Final = 16  # bits of the channel list, the lowest is channel 1
_DATALEN_MIN: Final = 350
_U32: Final = 0xFFFFFFFF
_DBM: Final = 149  # what a strength has over dBm, so that it is above zero
_RECORD: Final = 2 * w.WI_MAX_DATALEN


def _words(*values: int) -> bytes:
    return b"".join((value & 0xFFFF).to_bytes(2, "little") for value in values)


def _text(octets: bytes) -> bytes:
    """Return a length and a text, padded to whole numbers."""
    return _words(len(octets)) + octets + bytes(len(octets) % 2)


def _mbps(rate: int) -> int:
    return rate // 2


class Wavelan:
    """Handlers of one stack."""

    def __init__(self, stack: StackBase) -> None:
        self.stack = stack
        self._get: dict[int, Callable[[Ieee80211com], bytes]] = {
            w.WI_RID_SERIALNO: lambda ic: b"",
            w.WI_RID_STA_IDENTITY: lambda ic: b"",
            w.WI_RID_DBM_ADJUST: lambda ic: b"",
            w.WI_RID_NODENAME: lambda ic: _text(ic.nickname or stack.hostname.encode()[:NWID_LEN]),
            w.WI_RID_CURRENT_SSID: _current_ssid,
            w.WI_RID_OWN_SSID: lambda ic: _text(ic.des_ssid),
            w.WI_RID_DESIRED_SSID: lambda ic: _text(ic.des_ssid),
            w.WI_RID_CURRENT_BSSID: lambda ic: ic.bss.bssid if ic.state == S_RUN else ZERO_MAC,
            w.WI_RID_CHANNEL_LIST: _channel_list,
            w.WI_RID_OWN_CHNL: lambda ic: _words(channel_of(ic.des_chan or ic.curchan)),
            w.WI_RID_CURRENT_CHAN: lambda ic: _words(channel_of(ic.curchan)),
            w.WI_RID_COMMS_QUALITY: lambda ic: _words(0, ic.bss.rssi, 0),
            w.WI_RID_PROMISC: lambda ic: _words(bool(ic.ifp.flags & IFF_PROMISC)),
            w.WI_RID_PORTTYPE: lambda ic: _words(_PORTTYPES.get(ic.opmode, ic.opmode)),
            w.WI_RID_MAC_NODE: lambda ic: ic.myaddr,
            w.WI_RID_TX_RATE: lambda ic: _words(_mbps(ic.fixed_rate)),
            w.WI_RID_CUR_TX_RATE: lambda ic: _words(_mbps(ic.bss.rate)),
            w.WI_RID_FRAG_THRESH: lambda ic: _words(ic.fragthreshold),
            w.WI_RID_MAX_DATALEN: lambda ic: _words(ic.fragthreshold),
            w.WI_RID_RTS_THRESH: lambda ic: _words(ic.rtsthreshold),
            w.WI_RID_CREATE_IBSS: lambda ic: _words(ic.opmode == M_IBSS),
            w.WI_RID_MICROWAVE_OVEN: lambda ic: _words(0),
            w.WI_RID_ROAMING_MODE: lambda ic: _words(_ROAMING.get(ic.roaming, ic.roaming)),
            w.WI_RID_SYSTEM_SCALE: lambda ic: _words(1),
            w.WI_RID_PM_ENABLED: lambda ic: _words(ic.powersave),
            w.WI_RID_MAX_SLEEP: lambda ic: _words(ic.maxsleep_ms),
            w.WI_RID_CUR_BEACON_INT: lambda ic: _words(ic.bss.intval),
            w.WI_RID_WEP_AVAIL: lambda ic: _words(1),
            w.WI_RID_CNFAUTHMODE: lambda ic: _words(ic.authmode),
            w.WI_RID_ENCRYPTION: lambda ic: _words(ic.privacy),
            w.WI_RID_TX_CRYPT_KEY: lambda ic: _words(ic.def_txkey),
            w.WI_RID_DEFLT_CRYPT_KEYS: self._keys,
            w.WI_RID_IFACE_STATS: _counters,
            w.WI_RID_READ_APS: _read_aps,
        }
        self._set: dict[int, Callable[[Ieee80211com, int], None]] = {
            w.WI_RID_OWN_CHNL: _set_channel,
            w.WI_RID_PORTTYPE: _set_porttype,
            w.WI_RID_TX_RATE: _set_tx_rate,
            w.WI_RID_FRAG_THRESH: set_frag,
            w.WI_RID_MAX_DATALEN: lambda ic, value: set_frag(ic, value, _DATALEN_MIN),
            w.WI_RID_RTS_THRESH: set_rts,
            w.WI_RID_CREATE_IBSS: _set_create_ibss,
            w.WI_RID_MICROWAVE_OVEN: lambda ic, value: _only(value, 0),
            w.WI_RID_SYSTEM_SCALE: lambda ic, value: _only(value, 1),
            w.WI_RID_ROAMING_MODE: _set_roaming,
            w.WI_RID_PM_ENABLED: _set_pm,
            w.WI_RID_MAX_SLEEP: _set_max_sleep,
            w.WI_RID_CNFAUTHMODE: set_auth,
            w.WI_RID_ENCRYPTION: _set_encryption,
            w.WI_RID_TX_CRYPT_KEY: _set_tx_key,
            w.WI_RID_PROMISC: _set_promisc,
        }

    def cfgget(self, req: w.WiReq) -> w.WiReq:
        """SIOCGWAVELAN. Raises EINVAL for a record that there is not, EINPROGRESS during a scan."""
        ic = ic_of(self.stack, req.name)
        func = self._get.get(req.type)
        if func is None:
            raise NetError("EINVAL")
        return w.WiReq(req.name, req.type, func(ic))

    def cfgset(self, req: w.WiReq) -> None:
        """SIOCSWAVELAN. Raises EPERM for a record that can only be read, EINVAL for what is wrong."""
        ic = ic_of(self.stack, req.name)
        kind, val = req.type, req.val
        if kind in _READONLY:
            raise NetError("EPERM")
        if kind in (w.WI_RID_OWN_SSID, w.WI_RID_DESIRED_SSID, w.WI_RID_NODENAME):
            self._set_text(ic, kind, val)
        elif kind == w.WI_RID_DEFLT_CRYPT_KEYS:
            _set_keys(ic, val)
        elif kind in (w.WI_RID_SCAN_APS, w.WI_RID_SCAN_REQ):
            scan(ic)
        elif kind == w.WI_RID_CHANNEL_LIST:
            _set_channel_list(ic, val)
        else:
            func = self._set.get(kind)
            if func is None or len(val) != 2:
                raise NetError("EINVAL")
            func(ic, int.from_bytes(val, "little"))

    def _set_text(self, ic: Ieee80211com, kind: int, val: bytes) -> None:
        """Set a name. Raises ENOSPC for one that is longer than allowed, or than its record."""
        size = int.from_bytes(val[:2], "little")
        if size > SSID_MAX or size > len(val) - 2:
            raise NetError("ENOSPC")
        text = val[2 : 2 + size]
        if kind == w.WI_RID_NODENAME:
            ic.nickname = text
            return
        ic.des_ssid = text
        enetreset(ic)

    def _keys(self, ic: Ieee80211com) -> bytes:
        cred = self.stack.curcred
        if cred is None or not cred.suser:
            return w.WI_KEY.pack(0, b"") * w.WI_NKEYS
        return b"".join(w.WI_KEY.pack(len(key.key), key.key) for key in ic.keys)


def _only(value: int, allowed: int) -> None:
    if value != allowed:
        raise NetError("EINVAL")


def _current_ssid(ic: Ieee80211com) -> bytes:
    return _text(ic.bss.essid if ic.state == S_RUN else b"")


def _channel_list(ic: Ieee80211com) -> bytes:
    bits = 0
    for freq in ic.chan_active:
        number = channel_of(freq)
        if 1 <= number <= _CHANNELS:
            bits |= 1 << number - 1
    return _words(bits)


def _counters(ic: Ieee80211com) -> bytes:
    """Return what wiconfig -o shows, as far as it is counted."""
    ifp, stats = ic.ifp, ic.stats
    counts = dict.fromkeys(w.WI_COUNTER_NAMES, 0)
    counts |= {
        "tx_unicast_frames": ifp.opackets - ifp.omcasts,
        "tx_multicast_frames": ifp.omcasts,
        "tx_fragments": stats["tx_frags"],
        "tx_unicast_octets": ifp.obytes,
        "tx_discards": ifp.oerrors,
        "rx_unicast_frames": ifp.ipackets - ifp.imcasts,
        "rx_multicast_frames": ifp.imcasts,
        "rx_unicast_octets": ifp.ibytes,
        "rx_WEP_cant_decrypt": stats["rx_wepfail"] + stats["rx_nocipherctx"],
    }
    return w.WI_COUNTERS.pack(*(max(0, value) & _U32 for value in counts.values()))


def _read_aps(ic: Ieee80211com) -> bytes:
    """Return the networks heard, as many as a record holds. Raises EINPROGRESS during a scan."""
    if ic.scanner.scanning:
        raise NetError("EINPROGRESS")
    most = (_RECORD - 4) // w.WI_APINFO.size
    found = list(ic.scan.values())[:most]
    records = b"".join(
        w.WI_APINFO.pack(
            0,
            node.bssid,
            channel_of(node.chan),
            node.signal + _DBM,
            node.noise + _DBM,
            node.rssi,
            len(node.essid),
            node.essid,
            node.capinfo,
            node.intval,
            5 * max((rate & 0x7F for rate in node.rates if rate & 0x80), default=0),
        )
        for node in found
    )
    return len(found).to_bytes(4, "little") + records


def _set_channel(ic: Ieee80211com, value: int) -> None:
    ic.des_chan = find_chan(ic, value)
    enetreset(ic)


def _set_channel_list(ic: Ieee80211com, val: bytes) -> None:
    """Use only the channels whose bits are set. Raises EPERM for one that there is not."""
    bits = int.from_bytes(val, "little")
    avail = {channel_of(freq): freq for freq in sorted(ic.chan_avail, reverse=True)}
    numbers = [number for number in range(1, 8 * len(val) + 1) if bits >> number - 1 & 1]
    if not avail.keys() >= set(numbers):
        raise NetError("EPERM")
    set_channels(ic, (avail[number] for number in numbers))


def _media_option(ic: Ieee80211com, option: int) -> None:
    """Change the mode of operation by the media word. Raises EINVAL for what the hardware cannot."""
    media = ic.ifp.media
    if media is None:
        raise NetError("EINVAL")
    media.set(media.cur & ~IFM_OMASK | option)


def _set_porttype(ic: Ieee80211com, value: int) -> None:
    option = _OPTIONS.get(value)
    if option is None:
        raise NetError("EINVAL")
    if _PORTTYPES.get(ic.opmode) != value:
        _media_option(ic, option)


def _set_create_ibss(ic: Ieee80211com, value: int) -> None:
    if value and ic.opmode != M_IBSS:
        _media_option(ic, _IFM_ADHOC)
    elif not value and ic.opmode == M_IBSS:
        _media_option(ic, 0)


def _set_tx_rate(ic: Ieee80211com, value: int) -> None:
    """Fix the rate in Mb/s, 5 for 5.5; 0 lets it adapt. Raises EINVAL for one that there is not."""
    media = ic.ifp.media
    if media is None:
        raise NetError("EINVAL")
    subtype = 0
    if value:
        found = _SUBTYPES.get(value)
        if found is None:
            raise NetError("EINVAL")
        subtype = found
    media.set(media.cur & ~IFM_TMASK | subtype)


# Mb/s (5 for 5.5): media subtype.
_SUBTYPES: Final = {
    1: 8, 2: 5, 5: 6, 11: 7, 6: 10, 9: 11, 12: 12, 18: 13, 24: 14, 36: 15, 48: 16, 54: 17,
}  # fmt: skip


def _set_roaming(ic: Ieee80211com, value: int) -> None:
    for mode, number in _ROAMING.items():
        if number == value:
            ic.roaming = mode
            return
    raise NetError("EINVAL")


def _set_pm(ic: Ieee80211com, value: int) -> None:
    set_power(ic, enabled=value != 0)


def _set_max_sleep(ic: Ieee80211com, value: int) -> None:
    ic.maxsleep_ms = value


def _set_encryption(ic: Ieee80211com, value: int) -> None:
    if bool(value) != ic.privacy:
        ic.privacy = ic.dropunencrypted = bool(value)
        enetreset(ic)


def _set_tx_key(ic: Ieee80211com, value: int) -> None:
    if value >= WEP_NKID:
        raise NetError("EINVAL")
    ic.def_txkey = value


def _set_keys(ic: Ieee80211com, val: bytes) -> None:
    if len(val) != w.WI_NKEYS * w.WI_KEY.size:
        raise NetError("EINVAL")
    keys: list[bytes] = []
    for size, octets in w.WI_KEY.iter_unpack(val):
        if size > len(octets):
            raise NetError("EINVAL")
        keys.append(octets[:size])
    ic.setkeys(keys, ic.def_txkey, privacy=ic.privacy)


def _set_promisc(ic: Ieee80211com, value: int) -> None:
    ifp = ic.ifp
    if bool(value) != bool(ifp.flags & IFF_PROMISC):
        ifp.flags ^= IFF_PROMISC
        ifp.filter_changed()
