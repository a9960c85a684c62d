"""net.link.ieee80211: debugging, timers, and the table of nodes that wlanctl(8) shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from libnet.engine.ieee80211.ieee80211 import TOP
from libnet.engine.ieee80211.ieee80211_var import (
    MODE_11A,
    MODE_11B,
    MODE_AUTO,
    ZERO_MAC,
)
from libnet.errors import NetError
from libnet.ioctl.ieee80211 import (
    IEEE80211_NODE_SYSCTL_F_BSS,
    IEEE80211_NODE_SYSCTL_F_SCAN,
    IEEE80211_NODE_SYSCTL_F_STA,
    IEEE80211_SYSCTL_OP_ALL,
    IEEE80211_SYSCTL_T_NODE,
    Ieee80211NodeSysctl,
)
from libnet.ioctl.sysctl import CTLTYPE_INT, CTLTYPE_STRING
from libnet.wire.phy import channel_of
from libnet.wire.radiotap import CHAN_A, CHAN_B, CHAN_G

if TYPE_CHECKING:
    from libnet.engine.ieee80211.ieee80211 import Ieee80211
    from libnet.engine.ieee80211.ieee80211_var import Ieee80211com, Node
    from libnet.engine.kern.sysctl import SysctlTree

_IFNAMSIZ: Final = 16
_NAMELEN: Final = 6  # numbers that a request for nodes goes on with
_TIMERS: Final = (
    ("inact_run", "Seconds until a silent station is given up"),
    ("inact_probe", "Seconds before that at which it is asked"),
    ("inact_auth", "Seconds that a station may be associated but not authorized"),
    ("inact_init", "Seconds that a station may be authenticated but not associated"),
)

# IEEE80211_C_*: what a driver can.
C_WEP: Final = 0x00000001
C_IBSS: Final = 0x00000100
C_PMGT: Final = 0x00000200
C_HOSTAP: Final = 0x00000400
C_TXPMGT: Final = 0x00002000
C_SHSLOT: Final = 0x00004000
C_SHPREAMBLE: Final = 0x00008000
C_MONITOR: Final = 0x00010000
C_BGSCAN: Final = 0x20000000
C_TXFRAG: Final = 0x40000000


def driver_caps(ic: Ieee80211com) -> int:
    """Return the IEEE80211_C_* bits of an interface."""
    radio = ic.radio
    caps = C_WEP | C_TXPMGT | C_SHPREAMBLE | C_BGSCAN | C_TXFRAG
    for able, bit in (
        (radio.ibss, C_IBSS),
        (radio.power_save, C_PMGT),
        (radio.hostap, C_HOSTAP),
        (radio.monitor, C_MONITOR),
        ("11g" in radio.modes or "11a" in radio.modes, C_SHSLOT),
    ):
        if able:
            caps |= bit
    return caps


def chan_flags(ic: Ieee80211com, freq: int) -> int:
    """Return the flags of a channel as the interface uses it (IEEE80211_CHAN_*), 0 for none."""
    if not freq:
        return 0
    mode = ic.curmode if freq == ic.curchan else ic.des_mode
    if freq > 4000 or mode == MODE_11A:
        return CHAN_A
    if mode == MODE_11B or (mode == MODE_AUTO and "11g" not in ic.radio.modes):
        return CHAN_B
    return CHAN_G


def node_record(ic: Ieee80211com, node: Node, flags: int) -> Ieee80211NodeSysctl:
    """Return what net.link.ieee80211.nodes tells of a node."""
    return Ieee80211NodeSysctl(
        ifindex=ic.ifp.index,
        macaddr=node.mac,
        bssid=node.bssid,
        capinfo=node.capinfo,
        flags=flags,
        freq=node.chan,
        chanflags=chan_flags(ic, node.chan),
        chan=channel_of(node.chan) if node.chan else 0,
        rssi=node.rssi,
        essid=node.essid,
        erp=node.erp,
        associd=node.associd,
        inact=max(0, int(ic.stack.clock.now - node.heard)) if node is not ic.bss else 0,
        rates=bytes(node.rates),
        txrate=node.txrate,
        intval=node.intval,
        tstamp=node.tsf,
        txseq=node.txseqs,
        rxseq=node.rxseqs.get(0, 0) >> 4,
        fails=node.fails,
    )


def nodes(ic: Ieee80211com) -> list[Ieee80211NodeSysctl]:
    """Return the records of one interface: stations, networks heard, and its own network."""
    found: list[Ieee80211NodeSysctl] = []
    seen = False
    for table, flag in (
        (ic.nodes, IEEE80211_NODE_SYSCTL_F_STA),
        (ic.scan, IEEE80211_NODE_SYSCTL_F_SCAN),
    ):
        for node in table.values():
            own = node is ic.bss
            seen = seen or own
            found.append(node_record(ic, node, flag | (IEEE80211_NODE_SYSCTL_F_BSS if own else 0)))
    if not seen and ic.bss.bssid != ZERO_MAC:
        found.append(node_record(ic, ic.bss, IEEE80211_NODE_SYSCTL_F_BSS))
    return found


class Ieee80211Sysctl:
    """The nodes of one stack's interfaces."""

    def __init__(self, door: Ieee80211, tree: SysctlTree) -> None:
        self._door = door
        self._tree = tree
        self.ics: list[Ieee80211com] = []

    def attach(self, ic: Ieee80211com) -> None:
        """Plant net.link.ieee80211.vapN (ieee80211_sysctl_attach)."""
        tree = self._tree
        self.ics.append(ic)
        ic.debug = self._door.debug & 0xFFFFFFFF
        top = f"{TOP}.vap{ic.vap}"
        tree.node(top, None, "virtual AP")
        tree.leaf(
            f"{top}.parent",
            None,
            CTLTYPE_STRING,
            lambda: ic.ifp.name,
            size=_IFNAMSIZ,
            desc="parent device",
        )
        tree.leaf(
            f"{top}.debug",
            None,
            CTLTYPE_INT,
            lambda: _signed(ic.debug),
            lambda bits: setattr(ic, "debug", bits & 0xFFFFFFFF),
            size=4,
            desc="control debugging printfs",
        )
        for name, desc in _TIMERS:
            tree.int_node(f"{top}.{name}", None, ic, name, lo=1, hi=0xFFFF, desc=desc)
        tree.leaf(
            f"{top}.driver_caps",
            None,
            CTLTYPE_INT,
            lambda: driver_caps(ic),
            size=4,
            desc="driver capabilities",
        )
        tree.int_node(
            f"{top}.bmiss_max",
            None,
            ic,
            "bmiss_max",
            lo=1,
            hi=255,
            desc="consecutive beacon misses before scanning",
        )

    def detach(self, ic: Ieee80211com) -> None:
        """Uproot an interface's nodes (ieee80211_sysctl_detach)."""
        self.ics.remove(ic)
        self._tree.remove(f"{TOP}.vap{ic.vap}")

    def nodes(self, tail: list[int], new: Any, _cred: Any) -> Any:
        """Answer interface, operation, argument, type, octets and number of records."""
        if len(tail) != _NAMELEN:
            raise NetError("EINVAL")
        if new is not None:
            raise NetError("EPERM")
        ifindex, op, arg, kind, size, count = tail
        if op != IEEE80211_SYSCTL_OP_ALL or arg or kind != IEEE80211_SYSCTL_T_NODE:
            raise NetError("EINVAL")
        if size < 1 or count < 0:
            raise NetError("EINVAL")
        found: list[Ieee80211NodeSysctl] = []
        for ic in self.ics:
            if ifindex in (0, ic.ifp.index):
                found += nodes(ic)
        return found[:count]


def _signed(bits: int) -> int:
    return bits - (1 << 32) if bits & 0x80000000 else bits
