"""Lines about the radio in a listing: name, keys, power saving, access point, statistics."""

from __future__ import annotations

from typing import Final

from cmds.ifconfig.wireless import print_string, show_nwkey
from libnet.addr import ether_ntoa
from libnet.errors import NetError
from libnet.ioctl.ieee80211 import (
    IEEE80211_CHAN_ANY,
    IEEE80211_IOC_APBRIDGE,
    IEEE80211_IOC_FRAGTHRESHOLD,
    IEEE80211_IOC_HIDESSID,
    IEEE80211_IOC_RTSTHRESHOLD,
    IEEE80211_KEYBUF_SIZE,
    IEEE80211_WEP_NKID,
    SIOCG80211,
    SIOCG80211BSSID,
    SIOCG80211CHANNEL,
    SIOCG80211NWKEY,
    SIOCG80211POWER,
    SIOCG80211STATS,
    SIOCG80211ZSTATS,
    Ieee80211Bssid,
    Ieee80211ChanReq,
    Ieee80211Nwid,
    Ieee80211Nwkey,
    Ieee80211Power,
    Ieee80211Req,
    Ieee80211StatsReq,
)
from libnet.ioctl.sockio import SIOCGIFMEDIA, IfMediaReq
from libnet.libsocket.sock import Socket
from libnet.text.media import IFM_IEEE80211_HOSTAP

THRESHOLD_MAX: Final = 2346

# Member of struct ieee80211_stats without is_, and its label. Some labels are cut short: they are
# so in the original, and scripts match them.
LABELS: Final = (
    ("rx_badversion", "rx frame with bad version"),
    ("rx_tooshort", "rx frame too short"),
    ("rx_wrongbss", "rx from wrong bssid"),
    ("rx_dup", "rx discard 'cuz dup"),
    ("rx_wrongdir", "rx w/ wrong direction"),
    ("rx_mcastecho", "rx discard 'cuz mcast echo"),
    ("rx_notassoc", "rx discard 'cuz sta !assoc"),
    ("rx_noprivacy", "rx w/ wep but privacy off"),
    ("rx_unencrypted", "rx w/o wep and privacy on"),
    ("rx_wepfail", "rx wep processing failed"),
    ("rx_decap", "rx decapsulation failed"),
    ("rx_mgtdiscard", "rx discard mgt frames"),
    ("rx_ctl", "rx discard ctrl frames"),
    ("rx_beacon", "rx beacon frames"),
    ("rx_rstoobig", "rx rate set truncated"),
    ("rx_elem_missing", "rx required element missin"),
    ("rx_elem_toobig", "rx element too big"),
    ("rx_elem_toosmall", "rx element too small"),
    ("rx_elem_unknown", "rx element unknown"),
    ("rx_badchan", "rx frame w/ invalid chan"),
    ("rx_chanmismatch", "rx frame chan mismatch"),
    ("rx_nodealloc", "rx frame dropped"),
    ("rx_ssidmismatch", "rx frame ssid mismatch "),
    ("rx_auth_unsupported", "rx w/ unsupported auth alg"),
    ("rx_auth_fail", "rx sta auth failure"),
    ("rx_auth_countermeasures", "rx auth discard 'cuz CM"),
    ("rx_assoc_bss", "rx assoc from wrong bssid"),
    ("rx_assoc_notauth", "rx assoc w/o auth"),
    ("rx_assoc_capmismatch", "rx assoc w/ cap mismatch"),
    ("rx_assoc_norate", "rx assoc w/ no rate match"),
    ("rx_assoc_badwpaie", "rx assoc w/ bad WPA IE"),
    ("rx_deauth", "rx deauthentication"),
    ("rx_disassoc", "rx disassociation"),
    ("rx_badsubtype", "rx frame w/ unknown subtyp"),
    ("rx_nobuf", "rx failed for lack of buf"),
    ("rx_decryptcrc", "rx decrypt failed on crc"),
    ("rx_ahdemo_mgt", "rx discard ahdemo mgt fram"),
    ("rx_bad_auth", "rx bad auth request"),
    ("rx_unauth", "rx on unauthorized port"),
    ("rx_badkeyid", "rx w/ incorrect keyid"),
    ("rx_ccmpreplay", "rx seq# violation (CCMP)"),
    ("rx_ccmpformat", "rx format bad (CCMP)"),
    ("rx_ccmpmic", "rx MIC check failed (CCMP)"),
    ("rx_tkipreplay", "rx seq# violation (TKIP)"),
    ("rx_tkipformat", "rx format bad (TKIP)"),
    ("rx_tkipmic", "rx MIC check failed (TKIP)"),
    ("rx_tkipicv", "rx ICV check failed (TKIP)"),
    ("rx_badcipher", "rx failed 'cuz key type"),
    ("rx_nocipherctx", "rx failed 'cuz key !setup"),
    ("rx_acl", "rx discard 'cuz acl policy"),
    ("tx_nobuf", "tx failed for lack of buf"),
    ("tx_nonode", "tx failed for no node"),
    ("tx_unknownmgt", "tx of unknown mgt frame"),
    ("tx_badcipher", "tx failed 'cuz key type"),
    ("tx_nodefkey", "tx failed 'cuz no defkey"),
    ("tx_noheadroom", "tx failed 'cuz no space"),
    ("scan_active", "active scans started"),
    ("scan_passive", "passive scans started"),
    ("node_timeout", "nodes timed out inactivity"),
    ("crypto_nomem", "no memory for crypto ctx"),
    ("crypto_tkip", "tkip crypto done in s/w"),
    ("crypto_tkipenmic", "tkip en-MIC done in s/w"),
    ("crypto_tkipdemic", "tkip de-MIC done in s/w"),
    ("crypto_tkipcm", "tkip counter measures"),
    ("crypto_ccmp", "ccmp crypto done in s/w"),
    ("crypto_wep", "wep crypto done in s/w"),
    ("crypto_setkey_cipher", "cipher rejected key"),
    ("crypto_setkey_nokey", "no key index for setkey"),
    ("crypto_delkey", "driver key delete failed"),
    ("crypto_badcipher", "unknown cipher"),
    ("crypto_nocipher", "cipher not available"),
    ("crypto_attachfail", "cipher attach failed"),
    ("crypto_swfallback", "cipher fallback to s/w"),
    ("crypto_keyfail", "driver key alloc failed"),
    ("crypto_enmicfail", "en-MIC failed"),
    ("ibss_capmismatch", "merge failed-cap mismatch"),
    ("ibss_norate", "merge failed-rate mismatch"),
    ("ps_unassoc", "ps-poll for unassoc. sta"),
    ("ps_badaid", "ps-poll w/ incorrect aid"),
    ("ps_qempty", "ps-poll w/ nothing to send"),
)


def _value(sock: Socket, name: str, kind: int) -> int | None:
    try:
        value: int = sock.ioctl(SIOCG80211, Ieee80211Req(name, type=kind)).val
    except NetError:
        return None
    return value


def _hostap(sock: Socket, name: str) -> bool:
    try:
        word: int = sock.ioctl(SIOCGIFMEDIA, IfMediaReq(name)).current
    except NetError:
        return False
    return bool(word & IFM_IEEE80211_HOSTAP)


def fetch_lines(sock: Socket, nwid: Ieee80211Nwid, *, verbose: bool) -> list[str]:
    """Return the ssid, powersave and bssid lines of the radio that gave *nwid*."""
    name = nwid.name
    ssid = f"\tssid {print_string(nwid.nwid)}"
    if _hostap(sock, name):
        for kind, yes, no in (
            (IEEE80211_IOC_HIDESSID, " [hidden]", " [shown]"),
            (IEEE80211_IOC_APBRIDGE, " apbridge", " -apbridge"),
        ):
            value = _value(sock, name, kind)
            if value:
                ssid += yes
            elif value == 0 and verbose:
                ssid += no
    for kind, word in (
        (IEEE80211_IOC_RTSTHRESHOLD, "rts"),
        (IEEE80211_IOC_FRAGTHRESHOLD, "frag"),
    ):
        value = _value(sock, name, kind)
        if value is not None and value < THRESHOLD_MAX:
            ssid += f" {word} {value}"
        elif value is not None and verbose:
            ssid += f" -{word}"
    return [ssid + _nwkey(sock, name), *_power(sock, name), *_bssid(sock, name)]


def _nwkey(sock: Socket, name: str) -> str:
    try:
        if not sock.ioctl(SIOCG80211NWKEY, Ieee80211Nwkey(name)).wepon:
            return ""
    except NetError:
        return ""
    room = [IEEE80211_KEYBUF_SIZE] * IEEE80211_WEP_NKID
    try:
        nwkey: Ieee80211Nwkey = sock.ioctl(SIOCG80211NWKEY, Ieee80211Nwkey(name, keylen=room))
    except NetError:
        return " nwkey *****"  # anybody may know that there are keys, only root which
    return f" nwkey {show_nwkey(nwkey)}"


def _power(sock: Socket, name: str) -> list[str]:
    try:
        power: Ieee80211Power = sock.ioctl(SIOCG80211POWER, Ieee80211Power(name))
    except NetError:
        return []
    state = f"on ({power.maxsleep}ms sleep)" if power.enabled else "off"
    return [f"\tpowersave {state}"]


def _bssid(sock: Socket, name: str) -> list[str]:
    try:
        bssid = sock.ioctl(SIOCG80211BSSID, Ieee80211Bssid(name)).bssid
        channel = sock.ioctl(SIOCG80211CHANNEL, Ieee80211ChanReq(name)).channel & 0xFFFF
    except NetError:
        return []
    chan = f"chan {channel}" if channel != IEEE80211_CHAN_ANY else ""
    if not any(bssid):
        return [f"\t{chan}"] if chan else []
    return [f"\tbssid {ether_ntoa(bssid)}{' ' + chan if chan else ''}"]


def fetch_stats(sock: Socket, name: str, *, zero: bool) -> list[str]:
    """Return the statistics lines of a radio; none if it keeps none."""
    try:
        req = sock.ioctl(SIOCG80211ZSTATS if zero else SIOCG80211STATS, Ieee80211StatsReq(name))
    except NetError:
        return []
    stats = req.stats or {}
    return [f"\t{label}: {stats.get(member, 0)}" for member, label in LABELS]
