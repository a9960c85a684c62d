"""The state machine of one interface: INIT, SCAN, AUTH, ASSOC, RUN (NetBSD ieee80211_proto).

A station goes through all five: it looks for a network, asks it for authentication and association,
and is a member in RUN. Each question is repeated until ASKS_MAX had no answer for ANSWER_S seconds; then it
looks for a network again. Ad hoc stations and access points have no AUTH and ASSOC, a monitor only INIT and
RUN.

A member that hears no beacon asks its access point directly, `bmiss_max` times less one, before it
looks for another one. A member whose access point gets weak looks round in the background, and goes to
one of the same name that is better by ROAM_GAIN_DB.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from libnet.addr import ether_ntoa
from libnet.engine.ieee80211.ieee80211_rate import chan2mode, lowest, mode_rates, negotiate
from libnet.engine.ieee80211.ieee80211_var import (
    AUTH_8021X,
    AUTH_WPA,
    CHAN_ANY,
    M_HOSTAP,
    M_IBSS,
    M_MONITOR,
    M_STA,
    MODE_11B,
    MODE_11G,
    MODE_AUTO,
    MSG_ANY,
    MSG_DEBUG,
    MSG_ROAM,
    MSG_SCAN,
    MSG_STATE,
    ROAMING_AUTO,
    RTM_IEEE80211_ASSOC,
    RTM_IEEE80211_DISASSOC,
    RTM_IEEE80211_REASSOC,
    S_ASSOC,
    S_AUTH,
    S_INIT,
    S_RUN,
    S_SCAN,
    STATE_NAMES,
    TU_S,
    ZERO_MAC,
    Node,
    essid_text,
)
from libnet.ioctl.ifflags import (
    IFF_OACTIVE,
    IFF_PROMISC,
    IFF_RUNNING,
    IFF_UP,
    LINK_STATE_DOWN,
    LINK_STATE_UP,
)
from libnet.wire.ieee80211 import (
    ASSOC_REQ,
    AUTH,
    CAPINFO_ESS,
    CAPINFO_IBSS,
    CAPINFO_PRIVACY,
    DEAUTH,
    DISASSOC,
    REASON_ASSOC_LEAVE,
    REASON_AUTH_LEAVE,
    REASSOC_REQ,
)
from libnet.wire.phy import is_ofdm

if TYPE_CHECKING:
    from libnet.clock import Callout
    from libnet.engine.ieee80211.ieee80211_var import Ieee80211com

BMISS_BEACONS: Final = 10  # intervals without a beacon before one counts as missed
ANSWER_S: Final = 1.0  # after which an authentication or association request is repeated
ASKS_MAX: Final = 3
FAREWELL_S: Final = 0.03  # that the radio stays on its channel after we took our leave
ROAM_RSSI_DB: Final = 25  # a signal less than this above the noise is weak
ROAM_GAIN_DB: Final = 6
ROAM_WORSE_DB: Final = 3
ROAM_WAIT_S: Final = 4.0  # between the first two looks round for a better access point
ROAM_WAIT_MAX_S: Final = 64.0


class Proto:
    """The state machine of one interface.

    oldbss     address of the access point that a station is leaving for another, ZERO_MAC for none
    last_beacon  when the network was heard last, by our clock
    """

    def __init__(self, ic: Ieee80211com) -> None:
        self.ic = ic
        self.oldbss = ZERO_MAC
        self.last_beacon = 0.0
        self.avgrssi = 0.0
        self._watch: Callout | None = None
        self._next_roam = self._looked = self._looked_at = 0.0
        self._roam_wait = ROAM_WAIT_S
        self._asked = 0
        self._farewell = 0.0  # until when the last words in a network are still on their way
        self._pending: Callout | None = None

    # -- up, down and anew

    def init(self) -> None:
        """Bring the interface up (if_init)."""
        ic = self.ic
        if ic.ifp.flags & IFF_RUNNING:
            self.newstate(S_INIT)
        self._cancel_pending()
        ic.radio.start()
        ic.ifp.flags |= IFF_RUNNING
        ic.ifp.flags &= ~IFF_OACTIVE
        ic.scanner.fresh()
        ic.curmode = ic.media.basemode(ic.des_mode, ic.opmode)
        wait = self._farewell - ic.stack.clock.now
        if wait > 0:
            self._pending = ic.stack.clock.after(wait, self._go)
        else:
            self._go()

    def _go(self) -> None:
        ic = self.ic
        self._pending = None
        ic.out.reset()
        if ic.opmode == M_MONITOR:
            ic.curchan = ic.des_chan or ic.curchan
            ic.radio.tune(ic.curchan)
            self.newstate(S_RUN)
        else:
            self.newstate(S_SCAN)

    def _cancel_pending(self) -> None:
        if self._pending is not None:
            self._pending.stop()
            self._pending = None

    def stop(self) -> None:
        """Take the interface down (if_stop); members of the network are told."""
        ic = self.ic
        self.newstate(S_INIT)
        self._cancel_pending()
        ic.ifp.flags &= ~(IFF_RUNNING | IFF_OACTIVE)
        ic.ifp.snd.clear()
        wait = self._farewell - ic.stack.clock.now
        if wait > 0 and ic.ifp.ieee80211 is not None:
            self._pending = ic.stack.clock.after(wait, self._off)
        else:
            ic.radio.stop()

    def _off(self) -> None:
        self._pending = None
        self.ic.radio.stop()

    def reset(self) -> None:
        """Begin anew with what is asked for now, if the interface is up."""
        if self.ic.ifp.flags & IFF_UP and self.ic.ifp.flags & IFF_RUNNING:
            self.newstate(S_INIT)
            self.init()

    # -- what follows from the state

    def set_filter(self) -> None:
        """Tell the radio which frames are wanted."""
        ic = self.ic
        monitor = ic.opmode == M_MONITOR
        # An ad hoc station hears other networks' beacons too: it may have to go over to one.
        bssid = ic.bss.bssid if ic.state >= S_AUTH and ic.opmode != M_IBSS else ZERO_MAC
        ic.radio.filter(bssid=bssid, promiscuous=bool(ic.ifp.flags & IFF_PROMISC), monitor=monitor)

    def update_link(self) -> None:
        """Tell the interface whether there is a network: an ad hoc one is a network with a peer."""
        ic = self.ic
        up = ic.state == S_RUN and (ic.opmode != M_IBSS or ic.tables.has_peer())
        state = LINK_STATE_UP if up else LINK_STATE_DOWN
        if state != ic.ifp.link_state:
            ic.ifp.link_state_change(state)

    def rates_of(self, freq: int) -> list[int]:
        """Return what we can on a channel."""
        ic = self.ic
        return mode_rates(chan2mode(ic, freq), puregonly=ic.puregonly)

    # -- the machine

    def newstate(self, state: int, arg: int = -1) -> None:
        """Go to *state* (ieee80211_newstate); *arg* is the subtype of the frame that caused it."""
        ic = self.ic
        old = ic.state
        ic.dprintf(MSG_STATE, f"newstate: {STATE_NAMES[old]} -> {STATE_NAMES[state]}")
        ic.state = state
        if state == S_INIT:
            self._to_init(old)
        elif state == S_SCAN:
            self._to_scan(old)
        elif state == S_AUTH:
            self._to_auth(old, arg)
        elif state == S_ASSOC:
            self._to_assoc(old)
        else:
            self._to_run(old, arg)
        self.update_link()

    def _to_init(self, old: int) -> None:
        ic = self.ic
        if old == S_INIT:
            return
        bss = ic.bss
        ic.out.reset()
        if (old == S_RUN and ic.opmode in (M_STA, M_HOSTAP)) or old == S_ASSOC:
            self._farewell = ic.stack.clock.now + FAREWELL_S
        if old == S_RUN and ic.opmode == M_STA:
            ic.out.send_mgmt(bss, DISASSOC, REASON_ASSOC_LEAVE)
            self._sta_leave()
        elif old == S_RUN and ic.opmode == M_HOSTAP:
            for node in list(ic.nodes.values()):
                if node.associd:
                    ic.out.send_mgmt(node, DISASSOC, REASON_ASSOC_LEAVE)
                    ic.tables.leave(node)
        elif old == S_ASSOC:
            ic.out.send_mgmt(bss, DEAUTH, REASON_AUTH_LEAVE)
        ic.scanner.cancel()
        self._stop_timers()
        ic.power.reset()
        self.reset_bss()

    def _stop_timers(self) -> None:
        ic = self.ic
        if ic.mgt_timer is not None:
            ic.mgt_timer.stop()
            ic.mgt_timer = None
        if self._watch is not None:
            self._watch.stop()
            self._watch = None
        ic.bmiss_count = 0

    def reset_bss(self) -> None:
        """Be in no network (ieee80211_reset_bss)."""
        ic = self.ic
        ic.tables.reset()
        self.oldbss = ZERO_MAC
        bss = ic.bss = Node(ic.myaddr)
        bss.intval = ic.bintval
        self.set_filter()

    def _sta_leave(self) -> None:
        ic = self.ic
        ic.power.reset()
        ic.tables.cleanup(ic.bss)
        ic.msg(ic.ifp, RTM_IEEE80211_DISASSOC, ic.bss.mac)

    def _to_scan(self, old: int) -> None:
        ic = self.ic
        self._stop_timers()
        if old == S_INIT:
            alone = ic.opmode == M_HOSTAP or (ic.opmode == M_IBSS and not ic.des_ssid)
            if alone and ic.des_chan != CHAN_ANY:
                self.create_ibss(ic.des_chan)
                return
            ic.scanner.begin_scan(full=False)
            return
        if old == S_RUN:
            ic.dprintf(MSG_STATE, f"no recent beacons from {ether_ntoa(ic.bss.bssid)}; rescanning")
            ic.scanner.cancel()
            if ic.opmode == M_STA:
                self.oldbss = ZERO_MAC
                self._sta_leave()
            else:
                ic.power.reset()
                ic.tables.reset()
        elif old in (S_AUTH, S_ASSOC):
            self.oldbss = ZERO_MAC
            ic.bss.fails += 1
            ic.bss.authed = False
        if ic.roaming == ROAMING_AUTO:
            ic.scanner.begin_scan(full=False)

    def _to_auth(self, old: int, arg: int) -> None:
        ic = self.ic
        if old == S_RUN:
            # The access point has sent us away: knock once more.
            self._sta_leave()
            if ic.roaming != ROAMING_AUTO:
                return
        elif old in (S_AUTH, S_ASSOC) and arg == DEAUTH:
            return  # the timer goes on, and has us look elsewhere
        self._asked = 0
        self.set_filter()
        self._ask()

    def _to_assoc(self, old: int) -> None:
        ic = self.ic
        if old == S_RUN:
            self._sta_leave()
            ic.bss.authed = True
            if ic.roaming != ROAMING_AUTO:
                return
        elif old != S_AUTH:
            ic.dprintf(MSG_ANY, "invalid transition")
            return
        self._asked = 0
        self._ask()

    def _ask(self) -> None:
        """Send the request that the state is about, and wait for its answer."""
        ic = self.ic
        if ic.mgt_timer is not None:
            ic.mgt_timer.stop()
        self._asked += 1
        ic.mgt_timer = ic.stack.clock.after(ANSWER_S, self._no_answer)
        if ic.state == S_AUTH:
            ic.out.send_mgmt(ic.bss, AUTH, 1)
        elif self.oldbss != ZERO_MAC:
            ic.out.send_mgmt(ic.bss, REASSOC_REQ, 0)
        else:
            ic.out.send_mgmt(ic.bss, ASSOC_REQ, 0)

    def _no_answer(self) -> None:
        ic = self.ic
        ic.mgt_timer = None
        if self._asked < ASKS_MAX:
            self._ask()
            return
        ic.dprintf(MSG_STATE, f"no answer from {ether_ntoa(ic.bss.bssid)}")
        self.newstate(S_SCAN)

    def refused(self) -> None:
        """Look for another access point: this one does not want us."""
        if self.ic.state in (S_AUTH, S_ASSOC):
            self.newstate(S_SCAN)

    def _to_run(self, old: int, arg: int) -> None:
        ic = self.ic
        if ic.mgt_timer is not None:
            ic.mgt_timer.stop()
            ic.mgt_timer = None
        self.set_filter()
        if ic.opmode == M_MONITOR:
            return
        bss = ic.bss
        if ic.debug & MSG_DEBUG:
            ic.dprintf(
                MSG_DEBUG,
                f"{'associated' if ic.opmode == M_STA else 'synchronized'} with "
                f"{ether_ntoa(bss.bssid)} ssid {essid_text(bss.essid)} channel {ic.channel} "
                f"start {bss.rate // 2}Mb",
            )
        bss.authorized = ic.authmode not in (AUTH_8021X, AUTH_WPA)
        if ic.opmode == M_STA and old == S_ASSOC:
            roamed = self.oldbss != ZERO_MAC
            self.oldbss = ZERO_MAC
            bss.fails = 0
            ic.scanner.fresh()
            self.last_beacon = ic.stack.clock.now
            self.avgrssi = bss.rssi
            self._looked, self._looked_at = ic.stack.clock.now, self.avgrssi
            self._next_roam = self._looked + ROAM_WAIT_S
            self._roam_wait = ROAM_WAIT_S
            ic.bmiss_count = 0
            self._watch_beacons()
            ic.msg(ic.ifp, RTM_IEEE80211_REASSOC if roamed else RTM_IEEE80211_ASSOC, bss.mac)
            self.update_link()
            ic.power.joined()
        elif ic.opmode in (M_HOSTAP, M_IBSS):
            ic.power.begin_beacons()
            self.update_link()
        ic.tables.start()
        ic.start()

    # -- joining and making networks

    def sta_join(self, node: Node) -> bool:
        """Be in the network of *node* (ieee80211_sta_join); False when the rates do not go together."""
        ic = self.ic
        rates = negotiate(node.rates, self.rates_of(node.chan), fixed=ic.fixed_rate)
        if rates is None:
            return False
        if ic.opmode == M_STA:
            self.abandon()
        elif ic.opmode == M_IBSS:
            # What that station does from now on is its own business.
            heard, node = node, Node(ic.myaddr, bssid=node.bssid)
            for name in ("essid", "chan", "capinfo", "intval", "erp", "ies", "tsf", "tsf_at"):
                setattr(node, name, getattr(heard, name))
        node.rates = rates
        ic.bss = node
        ic.curmode = chan2mode(ic, node.chan)
        if ic.curmode == MODE_11G and not any(is_ofdm(rate & 0x7F) for rate in rates):
            ic.curmode = MODE_11B
        ic.curchan = node.chan
        ic.radio.tune(node.chan)
        ic.tables.reset_erp()
        node.txseqs = ic.stack.dice.getrandbits(12)
        node.rxseqs.clear()
        ic.amrr.node_init(node)
        self.newstate(S_AUTH if ic.opmode == M_STA else S_RUN)
        return True

    def abandon(self) -> None:
        """Stop looking for a network, asking one, or being in it: another comes instead."""
        ic = self.ic
        ic.scanner.cancel()
        self._stop_timers()
        if ic.state == S_RUN:
            self._sta_leave()
        ic.state = S_SCAN

    def create_ibss(self, freq: int) -> None:
        """Make a network of our own on a channel: an access point's or an ad hoc one."""
        ic = self.ic
        ic.dprintf(MSG_SCAN, "creating ibss")
        bss = Node(ic.myaddr, bssid=ic.myaddr)
        bss.essid = ic.des_ssid
        bss.intval = ic.bintval
        bss.dtim_period = ic.dtim_period
        bss.capinfo = CAPINFO_PRIVACY if ic.privacy else 0
        if ic.opmode == M_IBSS:
            bss.capinfo |= CAPINFO_IBSS
            if ic.des_bssid != ZERO_MAC:
                bss.bssid = ic.des_bssid
            else:
                # 802.11 11.1.3: a random address, individual and locally administered.
                octets = bytearray(ic.stack.dice.getrandbits(48).to_bytes(6, "big"))
                octets[0] = octets[0] & 0xFC | 0x02
                bss.bssid = bytes(octets)
        else:
            bss.capinfo |= CAPINFO_ESS
        bss.chan = freq
        ic.bss = bss
        ic.curmode = chan2mode(ic, freq)
        ic.curchan = freq
        ic.radio.tune(freq)
        bss.rates = self.rates_of(freq)
        bss.txseqs = ic.stack.dice.getrandbits(12)
        ic.tables.reset_erp()
        ic.amrr.node_init(bss)
        self.newstate(S_RUN)

    def ibss_merge(self, node: Node) -> bool:
        """Go over to an older ad hoc network of our name (ieee80211_ibss_merge)."""
        ic = self.ic
        if node is ic.bss or node.bssid == ic.bss.bssid:
            return False
        fail = ic.scanner.match_bss(node)
        if fail:
            ic.dprintf(MSG_STATE, "merge failed, capabilities mismatch")
            ic.stats["ibss_norate" if fail == 0x08 else "ibss_capmismatch"] += 1
            return False
        ic.dprintf(MSG_STATE, f"new bssid {ether_ntoa(node.bssid)}")
        ic.power.reset()
        return self.sta_join(node)

    # -- watching the access point

    def heard_beacon(self, rssi: int) -> None:
        """Note a beacon or probe response of our access point, *rssi* dB above the noise."""
        ic = self.ic
        now = ic.stack.clock.now
        self.last_beacon = now
        ic.bmiss_count = 0
        self.avgrssi += (rssi - self.avgrssi) / 4
        if self.avgrssi >= ROAM_RSSI_DB:
            self._roam_wait = ROAM_WAIT_S
        elif ic.roaming == ROAMING_AUTO and ic.des_bssid == ZERO_MAC:
            self._consider(now)

    def _consider(self, now: float) -> None:
        """Look round, the signal being weak: ever more seldom, as long as it does not get weaker."""
        ic = self.ic
        if ic.scanner.scanning:
            return
        if self.avgrssi < self._looked_at - ROAM_WORSE_DB:
            self._roam_wait = ROAM_WAIT_S
            self._next_roam = min(self._next_roam, self._looked + ROAM_WAIT_S)
        if now < self._next_roam:
            return
        self._looked, self._looked_at = now, self.avgrssi
        self._next_roam = now + self._roam_wait
        self._roam_wait = min(2 * self._roam_wait, ROAM_WAIT_MAX_S)
        ic.dprintf(MSG_ROAM, f"signal {self.avgrssi:.0f} dB above noise, looking round")
        ic.scanner.begin_scan(full=False)

    def _watch_beacons(self) -> None:
        ic = self.ic
        wait = BMISS_BEACONS * max(1, ic.bss.intval) * TU_S
        self._watch = ic.stack.clock.after(wait, self._watch_due)

    def _watch_due(self) -> None:
        self._watch = None
        ic = self.ic
        if ic.state != S_RUN or ic.opmode != M_STA:
            return
        wait = BMISS_BEACONS * max(1, ic.bss.intval) * TU_S
        silent = ic.stack.clock.now - self.last_beacon
        if ic.scanner.scanning or silent < 0.9 * wait:
            self._watch_beacons()
            return
        self.beacon_miss()
        if ic.state == S_RUN:
            self._watch_beacons()

    def beacon_miss(self) -> None:
        """No beacon for long: ask the access point, and at last look for another (beacon_miss)."""
        ic = self.ic
        ic.dprintf(MSG_STATE | MSG_DEBUG, "beacon miss")
        ic.bmiss_count += 1
        ic.power.wake()
        if ic.bmiss_count < ic.bmiss_max:
            bss = ic.bss
            ic.out.send_probereq(bss.bssid, bss.bssid, bss.essid)
            return
        ic.bmiss_count = 0
        self.newstate(S_SCAN)

    def roam_target(self) -> Node | None:
        """Return the access point of our network's name that is enough better than ours to go to."""
        ic = self.ic
        if ic.state != S_RUN or ic.opmode != M_STA or ic.roaming != ROAMING_AUTO:
            return None
        if self.avgrssi >= ROAM_RSSI_DB or ic.des_bssid != ZERO_MAC:
            return None
        other = ic.scanner.best_other()
        if other is None or other.essid != ic.bss.essid:
            return None
        return other if other.rssi >= self.avgrssi + ROAM_GAIN_DB else None

    def roam(self) -> None:
        """After a look round: go to a better access point, if there is one."""
        ic = self.ic
        other = self.roam_target()
        if other is None:
            return
        bss = ic.bss
        ic.dprintf(MSG_ROAM, f"roam from {ether_ntoa(bss.bssid)} to {ether_ntoa(other.bssid)}")
        self._stop_timers()
        ic.power.reset()
        ic.tables.cleanup(bss)
        self.oldbss = bss.bssid
        ic.state = S_SCAN
        if not self.sta_join(other):
            self.newstate(S_SCAN)


def mcast_rate(ic: Ieee80211com) -> int:
    """Return the rate of frames to groups and of management frames, 500 kb/s."""
    if ic.mcast_rate:
        return ic.mcast_rate
    rates = ic.bss.rates or mode_rates(
        MODE_AUTO if ic.curchan < 4000 else chan2mode(ic, ic.curchan)
    )
    return lowest(rates)
