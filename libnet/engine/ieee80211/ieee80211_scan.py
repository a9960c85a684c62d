"""Looking for networks: from channel to channel, asking or only listening (IEEE 802.11 11.1.3).

In the foreground (state SCAN) every channel is looked at, and at the end a network is joined. An access
point has a short look at the channels that leave each other alone and takes the quietest. Nothing found:
again, after a pause that doubles up to RETRY_MAX_S.
In the background (a member of a network that somebody has look round) the radio is away for AWAY_S at
most before it comes home; a station tells its access point that it sleeps, so nothing is lost.

On channels where only who was there first may send (5250-5350 and 5470-5725 MHz) nothing is asked before
something was heard.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from libnet.addr import ether_ntoa
from libnet.engine.ieee80211.ieee80211_rate import negotiate
from libnet.engine.ieee80211.ieee80211_var import (
    BROADCAST,
    INACT_SCAN,
    M_HOSTAP,
    M_IBSS,
    M_MONITOR,
    MODE_NAMES,
    MSG_SCAN,
    ROAMING_MANUAL,
    RTM_IEEE80211_SCAN,
    S_ASSOC,
    S_AUTH,
    S_RUN,
    S_SCAN,
    SCAN_MAX,
    ZERO_MAC,
    Node,
    essid_text,
)
from libnet.wire.ieee80211 import (
    CAPINFO_ESS,
    CAPINFO_IBSS,
    CAPINFO_PRIVACY,
    PROBE_RESP,
    Beacon,
    Elements,
    Frame,
    Tim,
)
from libnet.wire.phy import RxInfo, channel_of

if TYPE_CHECKING:
    from libnet.clock import Callout
    from libnet.engine.ieee80211.ieee80211_var import Ieee80211com

DWELL_MIN_S: Final = 0.05  # on a channel where nothing is heard
DWELL_MAX_S: Final = 0.12  # over a beacon interval
JITTER_S: Final = 0.05  # before the first question (802.11 11.1.3.2.2: ProbeDelay)
HOME_S: Final = 0.06  # between two absences
AWAY_S: Final = 0.25
RETRY_MIN_S: Final = 0.5
RETRY_MAX_S: Final = 8.0
FAILS_MAX: Final = 2  # associations that failed before a network is passed over
CLOSE_DB: Final = 5  # two signals that differ less count as equal
_PASSIVE: Final = ((5250, 5350), (5470, 5725))  # MHz
_BUSY: Final = (2412, 2437, 2462)  # channels 1, 6 and 11, where most networks are
_APART: Final = (*_BUSY, 5180, 5200, 5220, 5240)  # channels that do not overlap
HOST_DWELL_S: Final = 0.02  # of an access point that looks for a quiet one


def is_passive(freq: int) -> bool:
    """Tell whether nobody may ask on a channel before something was heard there.

    >>> is_passive(2412), is_passive(5260)
    (False, True)
    """
    return any(low <= freq <= high for low, high in _PASSIVE)


class Scanner:
    """The search of one interface.

    scanning    one is under way        background  it is, from within a network
    away        the radio is on another channel than the network's
    since       when it began, by our clock
    """

    def __init__(self, ic: Ieee80211com) -> None:
        self.ic = ic
        self.scanning = self.background = self.away = False
        self.since = 0.0
        self._active = self._full = self._ask = False
        self._heard = self._run = 0
        self._channels: deque[int] = deque()
        self._timer: Callout | None = None
        self._pause = RETRY_MIN_S
        self._away_since = 0.0

    # -- beginning and end

    def begin_scan(self, *, active: bool = True, full: bool = True) -> None:
        """Begin (ieee80211_begin_scan).

        full  look for a whole beacon interval at every channel, and at all channels even when a
              network to join is found before
        """
        ic = self.ic
        if ic.opmode == M_MONITOR or (ic.opmode == M_HOSTAP and ic.state == S_RUN):
            return  # a monitor stays where it is; an access point is there for its stations
        if self.scanning:
            self._full = self._full or full
            return
        if ic.state in (S_AUTH, S_ASSOC):
            ic.proto.abandon()  # it is asked anew when the search is over
        self._stop_timer()
        self._active, self._full = active, full
        ic.stats["scan_active" if active else "scan_passive"] += 1
        self.scanning = True
        self._run += 1
        self.background = ic.state == S_RUN
        self.since = ic.stack.clock.now
        self._channels = deque(self._order())
        ic.dprintf(
            MSG_SCAN,
            f"begin {'active' if active else 'passive'} scan in {MODE_NAMES[ic.curmode]} mode, "
            f"{len(self._channels)} channels",
        )
        ic.tables.start()
        if self.background:
            self._leave_home()
        elif active and ic.opmode != M_HOSTAP:
            delay = ic.stack.dice.random() * JITTER_S
            self._timer = ic.stack.clock.after(delay, self._next)
        else:
            self._next()

    def cancel(self) -> None:
        """Stop wherever it is (ieee80211_cancel_scan)."""
        self._stop_timer()
        if self.scanning:
            self.ic.dprintf(MSG_SCAN, "scan cancelled")
        self.scanning = self.background = self.away = False

    def fresh(self) -> None:
        """Have the next pause be a short one: what is asked for has changed."""
        self._pause = RETRY_MIN_S

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.stop()
            self._timer = None

    def _order(self) -> list[int]:
        """Return the channels in the order they are looked at: the busy ones, 2.4 GHz, 5 GHz."""
        ic = self.ic
        if ic.des_chan and not self.background:
            return [ic.des_chan]
        if ic.opmode == M_HOSTAP:
            return self._eligible()
        known = [ic.bss.chan] if ic.bss.chan in ic.chan_active else []
        busy = [freq for freq in _BUSY if freq in ic.chan_active]
        return list(dict.fromkeys(known + busy + sorted(ic.chan_active)))

    def _eligible(self) -> list[int]:
        """Return the channels that an access point chooses from."""
        active = self.ic.chan_active
        return [freq for freq in _APART if freq in active] or sorted(active)

    # -- channels

    def _leave_home(self) -> None:
        self._timer = None
        self.away = True
        self._away_since = self.ic.stack.clock.now
        run = self._run

        def go() -> None:
            if run == self._run and self.scanning:  # not cancelled in between
                self._next()

        self.ic.power.away(True, go)

    def _come_home(self) -> None:
        ic = self.ic
        self.away = False
        ic.curchan = ic.bss.chan
        ic.radio.tune(ic.curchan)
        ic.proto.set_filter()
        ic.power.away(False, lambda: None)
        ic.start()

    def _next(self) -> None:
        ic = self.ic
        if not self.scanning:
            return
        self._timer = None
        clock = ic.stack.clock
        if not self._channels or (
            self.background and not self._full and ic.proto.roam_target() is not None
        ):
            self._end()
            return
        if self.background and clock.now - self._away_since + DWELL_MAX_S > AWAY_S:
            self._come_home()
            self._timer = clock.after(HOME_S, self._leave_home)
            return
        freq = self._channels[0]
        if (
            not self._full
            and not self.background
            and freq > 4000 >= ic.curchan
            and ic.opmode != M_HOSTAP
            and self._best() is not None
        ):
            self._channels.clear()  # what 2.4 GHz has will do
            self._end()
            return
        self._channels.popleft()
        ic.dprintf(MSG_SCAN, f"chan {ic.channel}->{channel_of(freq)}")
        ic.curchan = freq
        ic.radio.tune(freq)
        ic.radio.filter(bssid=ZERO_MAC, promiscuous=False, monitor=False)
        self._heard = 0
        self._ask = self._active and is_passive(freq)
        if self._active and not self._ask:
            self._probe()
            if ic.opmode == M_HOSTAP:
                self._timer = clock.after(HOST_DWELL_S, self._next)
            else:
                self._timer = clock.after(DWELL_MIN_S, self._linger)
        else:
            self._timer = clock.after(DWELL_MAX_S, self._next)

    def _linger(self) -> None:
        # Somebody is here, or all is to be found: stay for the rest of a beacon interval.
        if self._heard or self._full:
            self._timer = self.ic.stack.clock.after(DWELL_MAX_S - DWELL_MIN_S, self._next)
        else:
            self._next()

    def _probe(self) -> None:
        ic = self.ic
        host = ic.opmode == M_HOSTAP  # whose name is its own, not one that it looks for
        if ic.des_ssid and not host:
            ic.out.send_probereq(BROADCAST, BROADCAST, ic.des_ssid)
        if self._full or host or not ic.des_ssid:
            ic.out.send_probereq(BROADCAST, BROADCAST, b"")

    def _end(self) -> None:
        """Tell that it is done, and act on what was found (ieee80211_end_scan)."""
        ic = self.ic
        self._stop_timer()
        self.scanning = False
        ic.dprintf(MSG_SCAN, f"end scan, {len(ic.scan)} networks known")
        if self.background:
            self.background = False
            self._come_home()
            ic.msg(ic.ifp, RTM_IEEE80211_SCAN, b"")
            ic.proto.roam()
            return
        ic.msg(ic.ifp, RTM_IEEE80211_SCAN, b"")
        if ic.state != S_SCAN:
            return
        if ic.opmode == M_HOSTAP:
            ic.proto.create_ibss(self._quietest())
            return
        if ic.roaming == ROAMING_MANUAL:
            return
        best = self._best()
        if best is not None:
            ic.proto.sta_join(best)
            return
        if ic.opmode == M_IBSS and ic.des_ssid:
            ic.proto.create_ibss(ic.des_chan or min(ic.chan_active))
            return
        ic.dprintf(MSG_SCAN, f"no scan candidate, again in {self._pause} s")
        for node in ic.scan.values():
            node.fails = max(0, node.fails - 1)
        # Stations that were switched on together must not ask together for ever.
        pause = self._pause * (0.5 + ic.stack.dice.random())
        self._timer = ic.stack.clock.after(pause, self._again)
        self._pause = min(2 * self._pause, RETRY_MAX_S)

    def _again(self) -> None:
        self._timer = None
        if self.ic.state == S_SCAN:
            self.begin_scan(full=False)

    # -- choosing

    def _quietest(self) -> int:
        """Return the lowest channel without a network, else the one whose networks are weakest."""
        ic = self.ic
        loudest: dict[int, int] = {}
        for node in ic.scan.values():
            if node.heard < self.since:
                continue
            loudest[node.chan] = max(loudest.get(node.chan, 0), node.rssi + 1)
        return min(self._eligible(), key=lambda freq: loudest.get(freq, 0))

    def match_bss(self, node: Node) -> int:
        """Return why *node* will not do, bits as ieee80211_match_bss; 0 when it will."""
        ic = self.ic
        fail = 0
        if node.chan not in ic.chan_active or (ic.des_chan and node.chan != ic.des_chan):
            fail |= 0x01
        if not node.capinfo & (CAPINFO_IBSS if ic.opmode == M_IBSS else CAPINFO_ESS):
            fail |= 0x02
        if bool(node.capinfo & CAPINFO_PRIVACY) != ic.privacy:
            fail |= 0x04
        ours = ic.proto.rates_of(node.chan)
        if negotiate(node.rates, ours, fixed=ic.fixed_rate) is None:
            fail |= 0x08
        if not node.essid or (ic.des_ssid and node.essid != ic.des_ssid):
            fail |= 0x10
        if ic.des_bssid != ZERO_MAC and node.bssid != ic.des_bssid:
            fail |= 0x20
        if node.fails >= FAILS_MAX:
            fail |= 0x40
        if ic.debug & MSG_SCAN:
            sort = "wep" if node.capinfo & CAPINFO_PRIVACY else "no"
            ic.dprintf(
                MSG_SCAN,
                f"{'-' if fail else '+'} {ether_ntoa(node.mac)} {ether_ntoa(node.bssid)} "
                f"chan {channel_of(node.chan)} rssi {node.rssi} {sort} "
                f"{essid_text(node.essid)} fail {fail:#x}",
            )
        return fail

    def better(self, one: Node, other: Node) -> bool:
        """Tell whether *one* is to be preferred (ieee80211_node_compare)."""
        if abs(one.fails - other.fails) > 1:
            return one.fails < other.fails
        if abs(one.signal - other.signal) < CLOSE_DB:
            tops = max(one.rates, key=_value), max(other.rates, key=_value)
            if _value(tops[0]) != _value(tops[1]):
                return _value(tops[0]) > _value(tops[1])
            if (one.chan > 4000) != (other.chan > 4000):
                return one.chan > 4000
        return one.signal > other.signal

    def _best(self) -> Node | None:
        """Return the best network heard since the scan began."""
        best: Node | None = None
        for node in self.ic.scan.values():
            if node.heard < self.since or self.match_bss(node):
                continue
            if best is None or self.better(node, best):
                best = node
        return best

    def best_other(self) -> Node | None:
        """Return the best network heard since the scan began that is not ours."""
        best: Node | None = None
        bss = self.ic.bss
        for node in self.ic.scan.values():
            if node.bssid == bss.bssid or node.heard < self.since or self.match_bss(node):
                continue
            if best is None or self.better(node, best):
                best = node
        return best

    # -- the cache

    def add(self, frame: Frame, beacon: Beacon, elems: Elements, info: RxInfo) -> Node:
        """Enter what a beacon or probe response tells (ieee80211_add_scan)."""
        ic = self.ic
        scan = ic.scan
        # In order of hearing, so that the first is the one to give up.
        node = scan.pop(frame.addr2, None)
        if node is None:
            while len(scan) >= SCAN_MAX:
                oldest = next(iter(scan))
                gone = scan.pop(oldest)
                if gone is ic.bss:
                    scan[oldest] = gone  # the one network that is not given up
            node = Node(frame.addr2)
        scan[frame.addr2] = node
        fill(node, frame, beacon, elems)
        node.signal, node.noise = info.signal, info.noise
        node.chan = info.freq
        node.heard = ic.stack.clock.now
        if self.scanning:
            self._heard += 1
            if self._ask:
                self._ask = False
                self._probe()
        return node

    def age(self, now: float) -> None:
        """Forget networks that were not heard for long."""
        scan = self.ic.scan
        for mac, node in list(scan.items()):
            if now - node.heard <= INACT_SCAN:
                break
            if node is not self.ic.bss:
                del scan[mac]


def _value(rate: int) -> int:
    return rate & 0x7F


def fill(node: Node, frame: Frame, beacon: Beacon, elems: Elements) -> None:
    """Take a network's particulars from its beacon or probe response, rates and name included."""
    ssid = elems.ssid or b""
    # A hidden network has an empty name, or as many NULs, in beacons and its name in responses.
    if any(ssid) and (frame.fc & 0xFC == PROBE_RESP or not node.essid or ssid != node.essid):
        node.essid = ssid
    node.bssid = frame.addr3
    node.tsf = beacon.tstamp
    node.intval = beacon.intval
    node.capinfo = beacon.capinfo
    node.erp = elems.erp or 0
    node.ies = beacon.elems
    if elems.tim is not None:
        tim = Tim.parse(elems.tim)
        node.dtim_count, node.dtim_period = tim.left, max(1, tim.period)
    # One that is said to be basic and not basic is basic.
    found = {rate & 0x7F: rate for rate in sorted(elems.all_rates)}
    node.rates = [found[value] for value in sorted(found) if value]
