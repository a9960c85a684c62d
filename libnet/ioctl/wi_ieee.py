"""WaveLAN records: how wiconfig(8) asks a radio (NetBSD <dev/ic/wi_ieee.h>).

The two ioctls are SIOCSIFGENERIC and SIOCGIFGENERIC under another name. A record is 16-bit numbers,
little-endian; its length in the C struct counts the type too.
"""

from __future__ import annotations

from struct import Struct as Layout
from typing import Final

from libnet.ioctl.registry import IN, INOUT, Ioctl, declare
from libnet.record import Struct

WI_MAX_DATALEN: Final = 512  # numbers

WI_RID_IFACE_STATS: Final = 0x0100
WI_RID_SCAN_APS: Final = 0x0600
WI_RID_READ_APS: Final = 0x0700
WI_RID_PORTTYPE: Final = 0xFC00
WI_RID_MAC_NODE: Final = 0xFC01
WI_RID_DESIRED_SSID: Final = 0xFC02
WI_RID_OWN_CHNL: Final = 0xFC03
WI_RID_OWN_SSID: Final = 0xFC04
WI_RID_SYSTEM_SCALE: Final = 0xFC06
WI_RID_MAX_DATALEN: Final = 0xFC07
WI_RID_PM_ENABLED: Final = 0xFC09
WI_RID_MAX_SLEEP: Final = 0xFC0C
WI_RID_NODENAME: Final = 0xFC0E
WI_RID_ENCRYPTION: Final = 0xFC20
WI_RID_MICROWAVE_OVEN: Final = 0xFC25
WI_RID_CNFAUTHMODE: Final = 0xFC2A
WI_RID_ROAMING_MODE: Final = 0xFC2D
WI_RID_DBM_ADJUST: Final = 0xFC46
WI_RID_CREATE_IBSS: Final = 0xFC81
WI_RID_FRAG_THRESH: Final = 0xFC82
WI_RID_RTS_THRESH: Final = 0xFC83
WI_RID_TX_RATE: Final = 0xFC84
WI_RID_PROMISC: Final = 0xFC85
WI_RID_DEFLT_CRYPT_KEYS: Final = 0xFCB0
WI_RID_TX_CRYPT_KEY: Final = 0xFCB1
WI_RID_SCAN_REQ: Final = 0xFCE1
WI_RID_SERIALNO: Final = 0xFD0A
WI_RID_CHANNEL_LIST: Final = 0xFD10
WI_RID_STA_IDENTITY: Final = 0xFD20
WI_RID_CURRENT_SSID: Final = 0xFD41
WI_RID_CURRENT_BSSID: Final = 0xFD42
WI_RID_COMMS_QUALITY: Final = 0xFD43
WI_RID_CUR_TX_RATE: Final = 0xFD44
WI_RID_CUR_BEACON_INT: Final = 0xFD45
WI_RID_WEP_AVAIL: Final = 0xFD4F
WI_RID_CURRENT_CHAN: Final = 0xFDC1

# Roaming modes of wiconfig, and the port types.
WI_ROAMING_FIRM: Final = 1
WI_ROAMING_DISABLE: Final = 3
WI_PORTTYPE_BSS: Final = 1
WI_PORTTYPE_ADHOC: Final = 3
WI_PORTTYPE_HOSTAP: Final = 6

WI_KEY: Final = Layout("<H14s")  # octets of key, key; four of these in WI_RID_DEFLT_CRYPT_KEYS
WI_NKEYS: Final = 4
# Scan reason, BSSID, channel, signal, noise, quality, octets of name, name, capabilities, interval,
# rate in units of 100 kb/s; the list begins with its length in 32 bits.
WI_APINFO: Final = Layout("<i6s2xiiiii32siii")
WI_COUNTERS: Final = Layout("<21I")
WI_COUNTER_NAMES: Final = (
    "tx_unicast_frames", "tx_multicast_frames", "tx_fragments", "tx_unicast_octets",
    "tx_multicast_octets", "tx_deferred_xmits", "tx_single_retries", "tx_multi_retries",
    "tx_retry_limit", "tx_discards", "rx_unicast_frames", "rx_multicast_frames", "rx_fragments",
    "rx_unicast_octets", "rx_multicast_octets", "rx_fcs_errors", "rx_discards_nobuf",
    "tx_discards_wrong_sa", "rx_WEP_cant_decrypt", "rx_msg_in_msg_frags",
    "rx_msg_in_bad_msg_frags",
)  # fmt: skip


class WiReq(Struct):
    """struct ifreq whose ifr_data is a struct wi_req.

    type  WI_RID_*       val  the record's octets, two for each number
    """

    name: str
    type: int = 0
    val: bytes = b""


SIOCSWAVELAN = declare(
    Ioctl("SIOCSWAVELAN", "i", 57, IN, WiReq, size=32, suser=True, man="ieee80211.4")
)
SIOCGWAVELAN = declare(Ioctl("SIOCGWAVELAN", "i", 58, INOUT, WiReq, size=32, man="ieee80211.4"))
