"""Station tables of one interface: who is there, association IDs, inactivity (NetBSD ieee80211_node).

An access point's table holds stations from their first authentication on; an ad hoc station's holds
the peers that it has heard. Both are bounded: a full table gives up whoever is not associated and came
first, and refuses newcomers when there is no such.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from libnet.addr import ether_ntoa
from libnet.engine.ieee80211.ieee80211_rate import is_erp, mode_rates
from libnet.engine.ieee80211.ieee80211_var import (
    AUTH_8021X,
    AUTH_WPA,
    M_HOSTAP,
    M_IBSS,
    MODE_11G,
    MSG_ASSOC,
    MSG_DEBUG,
    MSG_INACT,
    MSG_NODE,
    NODES_MAX,
    PROT_NONE,
    RTM_IEEE80211_JOIN,
    RTM_IEEE80211_LEAVE,
    RTM_IEEE80211_REJOIN,
    S_RUN,
    Node,
)
from libnet.wire.ieee80211 import (
    AID_BITS,
    CAPINFO_SHORT_PREAMBLE,
    CAPINFO_SHORT_SLOTTIME,
    DEAUTH,
    REASON_ASSOC_EXPIRE,
)

if TYPE_CHECKING:
    from libnet.clock import Callout
    from libnet.engine.ieee80211.ieee80211_var import Ieee80211com

TICK_S: Final = 5.0  # how exact inactivity is
FRAG_LIFE_S: Final = 1.0  # of a frame that has not all its fragments
SILENT_S: Final = 15.0  # after which an ad hoc peer counts as gone as long as it is not heard
PEER_PROBE_S: Final = 5.0  # after which a silent ad hoc peer is asked


class Nodes:
    """The tables of one interface."""

    def __init__(self, ic: Ieee80211com) -> None:
        self.ic = ic
        self._timer: Callout | None = None

    # -- finding and making

    def dup_bss(self, mac: bytes) -> Node | None:
        """Enter a station as a member of our network; None, counted, when there is no room."""
        ic = self.ic
        if len(ic.nodes) >= NODES_MAX and not self._make_room():
            ic.stats["rx_nodealloc"] += 1
            return None
        bss = ic.bss
        node = Node(mac, bssid=bss.bssid)
        node.chan = bss.chan
        node.intval = bss.intval
        now = ic.stack.clock.now
        node.heard = now
        node.inact_reload = ic.inact_init if ic.opmode == M_HOSTAP else ic.inact_run
        node.inact = now + node.inact_reload
        ic.nodes[mac] = node
        ic.dprintf(MSG_NODE, f"node {ether_ntoa(mac)} in station table")
        self.start()
        return node

    def _make_room(self) -> bool:
        # The table is in order of entry: the first that is no member has had its time.
        nodes = self.ic.nodes
        idle = next((node for node in nodes.values() if not node.associd), None)
        if idle is None:
            return False
        self.cleanup(idle)
        del nodes[idle.mac]
        return True

    def peer(self, mac: bytes) -> Node | None:
        """Return an ad hoc peer, entered if need be with our own rates (ieee80211_fakeup_adhoc_node)."""
        ic = self.ic
        node = ic.nodes.get(mac)
        if node is None:
            node = self.dup_bss(mac)
            if node is None:
                return None
            node.rates = list(ic.bss.rates)
            node.signal, node.noise = ic.bss.signal, ic.bss.noise
            ic.amrr.node_init(node)
            node.authed = node.authorized = True
            node.heard = -SILENT_S  # nothing came from it yet
        return node

    def txnode(self, mac: bytes) -> Node | None:
        """Return the node for a data frame to *mac*; None, counted, when nobody has that address."""
        ic = self.ic
        if mac[0] & 1:
            return ic.bss
        if ic.opmode == M_IBSS:
            return self.peer(mac)
        node = ic.nodes.get(mac)
        if node is None or not node.associd:
            ic.stats["tx_nonode"] += 1
            return None
        return node

    # -- coming and going

    def join(self, node: Node) -> bool:
        """Associate a station (ieee80211_node_join); False when all association IDs are taken."""
        ic = self.ic
        newassoc = not node.associd
        if newassoc:
            aid = next((i for i in range(1, ic.max_aid + 1) if i not in ic.aids), 0)
            if not aid:
                return False
            ic.aids[aid] = node
            node.associd = aid | AID_BITS
            ic.sta_assoc += 1
            self.join_11g(node)
        ic.dprintf(
            MSG_ASSOC | MSG_DEBUG,
            f"[{ether_ntoa(node.mac)}] station {'' if newassoc else 're'}associated at aid "
            f"{node.aid}: {self.words()}",
        )
        ic.amrr.node_init(node)
        # With 802.1X the authenticator opens the port when the keys are there.
        node.authorized = ic.authmode not in (AUTH_8021X, AUTH_WPA)
        node.inact_reload = ic.inact_run if node.authorized else ic.inact_auth
        node.inact = ic.stack.clock.now + node.inact_reload
        what = RTM_IEEE80211_JOIN if newassoc else RTM_IEEE80211_REJOIN
        ic.msg(ic.ifp, what, node.mac)
        return True

    def words(self) -> str:
        """Return how the network's members send now, for the log."""
        ic = self.ic
        return (
            f"{'short' if ic.shpreamble else 'long'} preamble, "
            f"{'short' if ic.shslot else 'long'} slot time{', protection' if ic.useprot else ''}"
        )

    def join_11g(self, node: Node) -> None:
        """Look what a new station needs of others (ieee80211_node_join_11g)."""
        ic = self.ic
        if ic.curmode != MODE_11G:
            return
        who = ether_ntoa(node.mac)
        if not node.capinfo & CAPINFO_SHORT_SLOTTIME:
            ic.longslotsta += 1
            ic.dprintf(MSG_ASSOC, f"[{who}] station needs long slot time, count {ic.longslotsta}")
            ic.shslot = False
        node.erp = int(is_erp(node.rates))
        if not node.erp:
            ic.nonerpsta += 1
            ic.dprintf(
                MSG_ASSOC, f"[{who}] station is !ERP, {ic.nonerpsta} non-ERP stations associated"
            )
            ic.useprot = ic.protmode != PROT_NONE
            if not node.capinfo & CAPINFO_SHORT_PREAMBLE:
                ic.dprintf(MSG_ASSOC, f"[{who}] station needs long preamble")
                ic.usebarker, ic.shpreamble = True, False

    def leave(self, node: Node) -> None:
        """Forget a station, associated or not (ieee80211_node_leave)."""
        ic = self.ic
        ic.dprintf(
            MSG_ASSOC | MSG_DEBUG,
            f"[{ether_ntoa(node.mac)}] station with aid {node.aid} leaves",
        )
        if node.associd:
            ic.aids.pop(node.aid, None)
            ic.sta_assoc -= 1
            self.leave_11g(node)
            self.cleanup(node)
            ic.msg(ic.ifp, RTM_IEEE80211_LEAVE, node.mac)
        else:
            self.cleanup(node)
        if ic.nodes.get(node.mac) is node:
            del ic.nodes[node.mac]

    def leave_11g(self, node: Node) -> None:
        """Take a station out of what protection goes by (ieee80211_node_leave_11g)."""
        ic = self.ic
        if ic.curmode != MODE_11G:
            return
        if not node.capinfo & CAPINFO_SHORT_SLOTTIME:
            ic.longslotsta -= 1
            ic.dprintf(
                MSG_ASSOC,
                f"[{ether_ntoa(node.mac)}] long slot time station leaves, "
                f"count now {ic.longslotsta}",
            )
            ic.shslot = not ic.longslotsta
        if not node.erp:
            ic.nonerpsta -= 1
            ic.dprintf(
                MSG_ASSOC,
                f"[{ether_ntoa(node.mac)}] non-ERP station leaves, count now {ic.nonerpsta}",
            )
            if not ic.nonerpsta:
                ic.useprot = ic.usebarker = False
                ic.shpreamble = True

    def cleanup(self, node: Node) -> None:
        """Drop what belongs to an association (node_cleanup)."""
        self.ic.power.forget(node)
        node.associd = 0
        node.authed = node.authorized = False
        node.challenge = b""
        node.frag = None
        node.rxseqs.clear()
        self.ic.crypto.delucastkey(node)

    def reset(self) -> None:
        """Forget all stations (ieee80211_node_table_reset)."""
        ic = self.ic
        for node in list(ic.nodes.values()):
            self.cleanup(node)
        ic.nodes.clear()
        ic.aids.clear()
        ic.sta_assoc = 0
        self.stop()

    def reset_erp(self) -> None:
        """Begin with a network in which nobody needs protection (ieee80211_reset_erp)."""
        ic = self.ic
        ic.useprot = ic.usebarker = False
        ic.nonerpsta = ic.longslotsta = 0
        # Members of an ad hoc network do not agree on slots: long ones.
        ic.shslot = (ic.curmode == MODE_11G and ic.opmode == M_HOSTAP) or ic.curchan > 4000
        ic.shpreamble = True

    def own_rates(self) -> list[int]:
        """Return the rate set of our channel."""
        ic = self.ic
        return mode_rates(ic.curmode, puregonly=ic.puregonly)

    # -- time

    def start(self) -> None:
        """Have the tables looked at from time to time."""
        if self._timer is None:
            self._timer = self.ic.stack.clock.after(TICK_S, self._tick)

    def stop(self) -> None:
        """Stop looking."""
        if self._timer is not None:
            self._timer.stop()
            self._timer = None

    def _tick(self) -> None:
        self._timer = None
        ic = self.ic
        now = ic.stack.clock.now
        for node in list(ic.nodes.values()):
            if node.frag is not None and now - node.frag.at > FRAG_LIFE_S:
                node.frag = None
            self._age(node, now)
        if ic.opmode == M_IBSS:
            ic.proto.update_link()
        ic.scanner.age(now)
        if ic.nodes or ic.scan:
            self.start()

    def _age(self, node: Node, now: float) -> None:
        ic = self.ic
        ic.power.age(node, now)
        left = node.inact - now
        if left <= 0:
            ic.dprintf(
                MSG_INACT | MSG_NODE,
                f"[{ether_ntoa(node.mac)}] station timed out due to inactivity",
            )
            if node.associd:
                ic.out.send_mgmt(node, DEAUTH, REASON_ASSOC_EXPIRE)
            self.leave(node)
            ic.stats["node_timeout"] += 1
            return
        asked = node.associd and left <= ic.inact_probe
        if ic.opmode == M_IBSS:
            asked = now - node.heard >= PEER_PROBE_S
        if asked and ic.state == S_RUN:
            ic.dprintf(
                MSG_INACT | MSG_NODE,
                f"[{ether_ntoa(node.mac)}] probe station due to inactivity",
            )
            ic.out.send_nulldata(node, alive=True)

    def alive(self, node: Node) -> None:
        """Note that something came from a station."""
        now = self.ic.stack.clock.now
        node.heard = now
        node.inact = now + node.inact_reload

    def has_peer(self) -> bool:
        """Tell whether an ad hoc peer was heard of late."""
        now = self.ic.stack.clock.now
        return any(now - node.heard < SILENT_S for node in self.ic.nodes.values())
