"""State of one 802.11 interface: struct ieee80211com, its nodes, keys and constants.

The room's other modules are the verbs: each is one class that works on an `Ieee80211com` and is
reached through it (`ic.proto`, `ic.scanner`, `ic.inp`, `ic.out`, `ic.power`, `ic.crypto`, `ic.acl`,
`ic.media`). `ieee80211.py` puts them together.

Times are seconds unless a name says otherwise; a TU is 1024 microseconds (IEEE 802.11 3.1).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final, Protocol

from libnet.engine.kern import log as klog
from libnet.engine.kern.stat import Stat
from libnet.wire import ieee80211 as w
from libnet.wire.offload import complete
from libnet.wire.phy import channel_of

if TYPE_CHECKING:
    from libnet.clock import Callout
    from libnet.engine.ieee80211.amrr import Amrr
    from libnet.engine.ieee80211.ieee80211_acl import Acl
    from libnet.engine.ieee80211.ieee80211_crypto import Crypto
    from libnet.engine.ieee80211.ieee80211_input import Input
    from libnet.engine.ieee80211.ieee80211_media import Media
    from libnet.engine.ieee80211.ieee80211_node import Nodes
    from libnet.engine.ieee80211.ieee80211_output import Output
    from libnet.engine.ieee80211.ieee80211_power import Power
    from libnet.engine.ieee80211.ieee80211_proto import Proto
    from libnet.engine.ieee80211.ieee80211_room import Room
    from libnet.engine.ieee80211.ieee80211_scan import Scanner
    from libnet.engine.ieee80211.ieee80211_tap import Taps
    from libnet.engine.ieee80211.radio import Radio
    from libnet.engine.kern.base import StackBase
    from libnet.engine.link.ifnet import Ifnet

# enum ieee80211_state
S_INIT, S_SCAN, S_AUTH, S_ASSOC, S_RUN = range(5)
STATE_NAMES: Final = ("INIT", "SCAN", "AUTH", "ASSOC", "RUN")

# enum ieee80211_opmode
M_IBSS: Final = 0
M_STA: Final = 1
M_HOSTAP: Final = 6
M_MONITOR: Final = 8

# enum ieee80211_phymode
MODE_AUTO, MODE_11A, MODE_11B, MODE_11G = range(4)
MODE_NAMES: Final = ("auto", "11a", "11b", "11g")

# enum ieee80211_authmode. 802.1X, AUTO and WPA come with a supplicant's and an authenticator's part.
AUTH_NONE, AUTH_OPEN, AUTH_SHARED, AUTH_8021X, AUTH_AUTO, AUTH_WPA = range(6)

# enum ieee80211_protmode
PROT_NONE, PROT_CTSONLY, PROT_RTSCTS = range(3)

# enum ieee80211_roamingmode: AUTO lets the room do all; MANUAL leaves choosing to a program.
ROAMING_DEVICE, ROAMING_AUTO, ROAMING_MANUAL = range(3)

# Access list policies (IEEE80211_MACCMD_POLICY_*).
ACL_OPEN, ACL_ALLOW, ACL_DENY = range(3)

# Categories of debugging (IEEE80211_MSG_*): bits of Ieee80211com.debug.
MSG_DEBUG: Final = 0x40000000
MSG_DUMPPKTS: Final = 0x20000000
MSG_CRYPTO: Final = 0x10000000
MSG_INPUT: Final = 0x08000000
MSG_XRATE: Final = 0x04000000
MSG_ELEMID: Final = 0x02000000
MSG_NODE: Final = 0x01000000
MSG_ASSOC: Final = 0x00800000
MSG_AUTH: Final = 0x00400000
MSG_SCAN: Final = 0x00200000
MSG_OUTPUT: Final = 0x00100000
MSG_STATE: Final = 0x00080000
MSG_POWER: Final = 0x00040000
MSG_ACL: Final = 0x00000800
MSG_INACT: Final = 0x00000080
MSG_ROAM: Final = 0x00000040
MSG_ANY: Final = 0xFFFFFFFF

# RTM_IEEE80211_*: what a message on a routing socket tells.
RTM_IEEE80211_ASSOC: Final = 100  # station associated; the access point's address
RTM_IEEE80211_REASSOC: Final = 101
RTM_IEEE80211_DISASSOC: Final = 102
RTM_IEEE80211_JOIN: Final = 103  # a station joined our access point; its address
RTM_IEEE80211_LEAVE: Final = 104
RTM_IEEE80211_SCAN: Final = 105  # a scan is complete; no octets
RTM_IEEE80211_REPLAY: Final = 106
RTM_IEEE80211_MICHAEL: Final = 107
RTM_IEEE80211_REJOIN: Final = 108

TU_S: Final = 1024e-6
CHAN_ANY: Final = 0  # Ieee80211com.des_chan: no channel asked for

BINTVAL_MIN, BINTVAL_DEFAULT, BINTVAL_MAX = 25, 100, 1000  # TU
DTIM_MIN, DTIM_DEFAULT, DTIM_MAX = 1, 1, 15  # beacons
RTS_MIN, RTS_MAX = 1, 2346  # octets; the maximum means never
FRAG_MIN, FRAG_MAX = 256, 2346
TXPOWER_MAX: Final = 100  # units of half a dBm
AID_MAX: Final = 2007  # 802.11 7.3.1.8
AID_DEFAULT: Final = 256  # stations that an access point takes
NWID_LEN: Final = 32
WEP_NKID: Final = 4
KEYIX_NONE: Final = -1

SCAN_MAX: Final = 512  # networks remembered
NODES_MAX: Final = 2048  # stations remembered, associated ones and others
SAVEDQ_MAX: Final = 50  # frames kept for one station that sleeps
MCASTQ_MAX: Final = 128  # group-addressed frames kept until the DTIM beacon
FRAGS_MAX: Final = 16  # fragments of one frame: four bits of number

# Inactivity, seconds.
INACT_INIT: Final = 30  # authenticated at most
INACT_AUTH: Final = 180  # associated, not authorized
INACT_RUN: Final = 300
INACT_PROBE: Final = 30  # before the end: null frames to see whether it answers
INACT_SCAN: Final = 300  # a network that is not heard any more

# Management frames, for the log.
MGMT_NAMES: Final = {
    w.ASSOC_REQ: "assoc_req", w.ASSOC_RESP: "assoc_resp", w.REASSOC_REQ: "reassoc_req",
    w.REASSOC_RESP: "reassoc_resp", w.PROBE_REQ: "probe_req", w.PROBE_RESP: "probe_resp",
    w.BEACON: "beacon", w.ATIM: "atim", w.DISASSOC: "disassoc", w.AUTH: "auth",
    w.DEAUTH: "deauth", w.ACTION: "action",
}  # fmt: skip

ZERO_MAC: Final = b"\0\0\0\0\0\0"
BROADCAST: Final = b"\xff\xff\xff\xff\xff\xff"


def essid_text(essid: bytes) -> str:
    r"""Return a network name for the log: in quotes, or in hexadecimal.

    >>> essid_text(b"my lan"), essid_text(b"\xff")
    ('"my lan"', '0xff')
    """
    if all(0x20 <= octet < 0x7F for octet in essid):
        return f'"{essid.decode("ascii")}"'
    return f"0x{essid.hex()}"


class Key:
    """One key (struct ieee80211_key).

    cipher  name in the cipher table, "none" for an empty slot      keyix  0 to 3, or KEYIX_NONE
    key     octets                                                  ctx    the cipher's own
    tx, rx  what it may be used for
    """

    __slots__ = ("cipher", "ctx", "key", "keyix", "rx", "tx")

    def __init__(self, keyix: int = KEYIX_NONE, cipher: str = "none", key: bytes = b"") -> None:
        self.cipher = cipher
        self.keyix = keyix
        self.key = key
        self.ctx: Any = None
        self.tx = self.rx = True


class Cipher(Protocol):
    """One row of the cipher table (struct ieee80211_cipher).

    header, trailer  octets that encap() adds before and after the body of a frame
    """

    name: str
    header: int
    trailer: int

    def setkey(self, key: Key) -> bool:
        """Make ready for *key* (its ctx); False when its length is none of the cipher's."""

    def encap(self, key: Key, head: bytes, body: bytes) -> bytes:
        """Return what follows the 802.11 header *head* on the air: header, enciphered body, trailer."""

    def decap(self, key: Key, head: bytes, body: bytes) -> bytes | None:
        """Return the clear body of what followed *head*; None when it is wrong, which is counted."""


class Node:
    """One station, network or peer (struct ieee80211_node).

    mac, bssid, essid  addresses; network name (octets)   chan   frequency, MHz; 0 unknown
    capinfo   capability bits                             intval beacon interval, TU
    rates     rate octets, ascending, with BASIC          txrate index into rates
    signal, noise  dBm of the last frame                  tsf    microseconds, of the last beacon
    tsf_at    our clock when that beacon came             erp    ERP element's octet
    ies       elements of the last beacon, as they came   wpa_ie RSN or WPA element of an association
    associd   association ID with its two top bits, 0 when not associated
    authed    authenticated (802.11 state 2 at least)     authorized  data may pass
    inact     when it is given up, by our clock           heard  when it was last heard, by our clock
    txseqs    sequence number last sent to it
    rxseqs    last sequence control heard, of QoS frames by TID + 1, of all others at 0
    powersave sleeps; savedq keeps (frame, key wanted, …) for it
    dtim_period, dtim_count  of the last TIM heard
    unacked   frames to it without an ACK since the last that had one
    fails     associations that came to nothing           challenge  shared key's, b"" when none
    amrr      the rate adaptation's
    """

    __slots__ = (
        "amrr",
        "associd",
        "authalg",
        "authed",
        "authorized",
        "bssid",
        "capinfo",
        "challenge",
        "chan",
        "dtim_count",
        "dtim_period",
        "erp",
        "essid",
        "fails",
        "frag",
        "heard",
        "ies",
        "inact",
        "inact_reload",
        "intval",
        "listen_interval",
        "mac",
        "noise",
        "powersave",
        "rates",
        "rxseqs",
        "savedq",
        "signal",
        "stats",
        "tsf",
        "tsf_at",
        "txrate",
        "txseqs",
        "ucastkey",
        "unacked",
        "wpa_ie",
    )

    def __init__(self, mac: bytes, *, bssid: bytes = ZERO_MAC) -> None:
        self.mac = mac
        self.bssid = bssid
        self.essid = b""
        self.chan = 0
        self.capinfo = 0
        self.intval = BINTVAL_DEFAULT
        self.rates: list[int] = []
        self.txrate = 0
        self.signal = self.noise = -95
        self.tsf = 0
        self.tsf_at = 0.0
        self.erp = 0
        self.ies = b""
        self.wpa_ie = b""
        self.associd = 0
        self.authalg = AUTH_OPEN
        self.authed = False
        self.authorized = False
        self.inact = 0.0
        self.inact_reload = INACT_INIT
        self.heard = 0.0
        self.txseqs = 0
        self.rxseqs: dict[int, int] = {}
        self.frag: Any = None  # what ieee80211_input keeps of a frame in fragments
        self.powersave = False
        self.savedq: deque[Any] = deque()
        self.dtim_period = DTIM_DEFAULT
        self.dtim_count = 0
        self.listen_interval = 1
        self.fails = 0
        self.challenge = b""
        self.unacked = 0
        self.amrr: Any = None
        self.ucastkey = Key()
        self.stats = Stat()

    @property
    def rssi(self) -> int:
        """Return how far the signal is above the noise, dB."""
        return max(0, self.signal - self.noise)

    @property
    def aid(self) -> int:
        """Return the association ID without its top bits, 0 when not associated."""
        return self.associd & 0x3FFF

    @property
    def rate(self) -> int:
        """Return the rate used now, 500 kb/s; 0 when there is none yet."""
        return self.rates[self.txrate] & 0x7F if self.txrate < len(self.rates) else 0


class Ieee80211com:
    """One 802.11 interface.

    What is asked for (ifconfig, ioctls; ENETRESET then: reset()):
    opmode      M_*                           des_mode   MODE_*, MODE_AUTO for any
    fixed_rate  500 kb/s, 0 for adaptation    des_ssid   network name, b"" for any
    des_bssid   ZERO_MAC for any              des_chan   MHz, CHAN_ANY for any
    privacy     ciphers wanted                keys       four slots; def_txkey 0 to 3
    authmode    AUTH_*                        hidessid apbridge dropunencrypted countermeasures
    powersave   wanted; maxsleep_ms           roaming    ROAMING_*
    rtsthreshold fragthreshold                octets; the maximum means never
    bintval     TU                            dtim_period beacons
    listen_interval  beacons                  txpower    half dBm, txpowmax at most
    protmode    PROT_*                        puregonly  no 802.11b stations
    chan_active frequencies that may be used  bmiss_max  probes of a silent access point before a scan

    What is so:
    state       S_*        curmode   MODE_* of the channel        curchan   MHz
    bss         the network we are in, or our own                 nodes     stations by address
    scan        networks heard, by address of who sends           stats     without is_
    shslot shpreamble usebarker useprot, nonerpsta, longslotsta   802.11g protection
    sta_assoc   associated stations       txseq      next sequence number of all we send
    debug       MSG_* bits                vap        number in net.link.ieee80211.vapN
    """

    inp: Input
    out: Output
    proto: Proto
    scanner: Scanner
    power: Power
    crypto: Crypto
    acl: Acl
    media: Media
    tables: Nodes
    amrr: Amrr
    taps: Taps

    def __init__(self, room: Room, ifp: Ifnet, radio: Radio, vap: int) -> None:
        self.room = room
        self.stack: StackBase = ifp.stack
        self.ifp = ifp
        self.radio = radio
        self.vap = vap
        self.myaddr = radio.address
        self.stats = Stat()
        self.debug = 0

        self.opmode = M_STA
        self.des_mode = MODE_AUTO
        self.fixed_rate = 0
        self.mcast_rate = 0
        self.des_ssid = b""
        self.des_bssid = ZERO_MAC
        self.des_chan = CHAN_ANY
        self.privacy = False
        self.keys: list[Key] = [Key(i) for i in range(WEP_NKID)]
        self.def_txkey = 0
        self.authmode = AUTH_OPEN
        self.hidessid = False
        self.apbridge = True
        self.dropunencrypted = False
        self.countermeasures = False
        self.powersave = False
        self.maxsleep_ms = 100
        self.roaming = ROAMING_AUTO
        self.rtsthreshold = RTS_MAX
        self.fragthreshold = FRAG_MAX
        self.bintval = BINTVAL_DEFAULT
        self.dtim_period = DTIM_DEFAULT
        self.listen_interval = 1
        self.txpower = self.txpowmax = 2 * radio.txpower
        self.protmode = PROT_CTSONLY
        self.puregonly = False
        self.bmiss_max = 2
        self.max_aid = AID_DEFAULT
        self.inact_init = INACT_INIT
        self.inact_auth = INACT_AUTH
        self.inact_run = INACT_RUN
        self.inact_probe = INACT_PROBE
        self.opt_ie = b""
        self.nickname = b""
        self.chan_avail: tuple[int, ...] = radio.freqs
        self.chan_active: frozenset[int] = frozenset(radio.freqs)

        self.state = S_INIT
        self.curmode = MODE_AUTO
        self.curchan = radio.freqs[0]
        self.bss = Node(ZERO_MAC)
        self.nodes: dict[bytes, Node] = {}
        self.scan: dict[bytes, Node] = {}
        self.aids: dict[int, Node] = {}
        self.shslot = self.shpreamble = self.usebarker = self.useprot = False
        self.nonerpsta = self.longslotsta = 0
        self.sta_assoc = 0
        self.bmiss_count = 0
        self.mgt_timer: Callout | None = None
        self.txseq = 0
        # Cuts and completes frames that a bridge brings with offload marks; the driver's.
        self.fit: Callable[[bytes], Iterable[bytes]] = lambda frame: (complete(frame),)
        # Tells the routing sockets: (interface, RTM_IEEE80211_*, octets).
        self.msg: Callable[[Ifnet, int, bytes], None] = lambda ifp, what, data: None

    # -- words for the log

    def dprintf(self, bit: int, text: str) -> None:
        """Tell the log, if somebody asked for that category (IEEE80211_DPRINTF)."""
        if self.debug & bit:
            self.stack.log(klog.DEBUG1, f"{self.ifp.name}: {text}", major=klog.SLOGC_NETWORK)

    @property
    def channel(self) -> int:
        """Return the number of the current channel."""
        return channel_of(self.curchan)

    # -- what others ask

    def start(self) -> None:
        """Send what the interface's queue holds (if_start)."""
        self.out.start()

    def newstate(self, state: int, arg: int = -1) -> None:
        """Go to *state*; *arg* is the management subtype that caused it, -1 for none."""
        self.proto.newstate(state, arg)

    def reset(self) -> None:
        """Begin anew with what is asked for now, if the interface is up (ENETRESET)."""
        self.proto.reset()

    def begin_scan(self, active: bool = True) -> None:
        """Look for networks; in a network, in the background."""
        self.scanner.begin_scan(active=active)

    def media_change(self, word: int) -> None:
        """Choose media *word*. Raises EINVAL for what the hardware cannot be."""
        self.media.change(word)

    def media_status(self) -> tuple[int, int]:
        """Return the status bits and the active media word."""
        return self.media.status()

    def setkeys(self, keys: list[bytes], txkey: int, *, privacy: bool) -> None:
        """Install WEP keys, b"" for an empty slot; *txkey* from 0. Raises EINVAL for a bad length."""
        self.crypto.setkeys(keys, txkey, privacy=privacy)

    def node_join(self, node: Node) -> bool:
        """Make a station a member of our network; False when it is full."""
        return self.tables.join(node)

    def node_leave(self, node: Node) -> None:
        """Note that a station has gone."""
        self.tables.leave(node)
