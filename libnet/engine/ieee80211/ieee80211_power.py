"""Power saving (IEEE 802.11 11.2): what an access point keeps for sleepers, and how a station sleeps.

An access point keeps frames for a station that has said it sleeps (PwrMgt), and tells in each beacon's
TIM for whom it does. The station wakes for beacons and asks for frames one by one (PS-Poll). Frames to
groups wait, when anybody sleeps, for the beacon with a DTIM, and follow it.

A station that saves power says so when it has joined, wakes shortly before a beacon, and sleeps on when
the TIM has nothing for it. What it sends itself keeps it awake for LINGER_S.

Ad hoc stations do not sleep (no ATIM).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from libnet.addr import ether_ntoa
from libnet.engine.ieee80211.ieee80211_var import (
    M_HOSTAP,
    M_IBSS,
    M_STA,
    MCASTQ_MAX,
    MSG_POWER,
    S_RUN,
    SAVEDQ_MAX,
    TU_S,
    Node,
)
from libnet.wire.ieee80211 import (
    DEAUTH,
    FC_MOREDATA,
    FC_MOREFRAG,
    REASON_NOT_ASSOCED,
    Tim,
    tim_elem,
)
from libnet.wire.phy import TxStatus

if TYPE_CHECKING:
    from libnet.clock import Callout
    from libnet.engine.ieee80211.ieee80211_var import Ieee80211com

LINGER_S: Final = 0.03  # awake after sending, and for what was announced
EARLY_S: Final = 0.003  # awake before a beacon
AWAY_WAIT_S: Final = 0.1  # for the ACK to "I sleep"
KEEP_MIN_S: Final = 5.0  # that a frame is kept
_CONTENTION_S: Final = 2 * 31 * 20e-6  # an ad hoc beacon's place (802.11 11.1.2.2)


class Power:
    """Beacons, TIM and queues of an access point; beacons of an ad hoc station; sleep of a station.

    dozing  a station has said that it sleeps
    """

    def __init__(self, ic: Ieee80211com) -> None:
        self.ic = ic
        self.dozing = False
        self._mcastq: deque[bytes] = deque()
        self._sleepers: set[Node] = set()
        self._dtim = 0
        self._tbtt: Callout | None = None
        self._due = 0.0
        self._beacon: Callout | None = None
        self._timer: Callout | None = None
        # What was announced and has not come: a frame that we asked for, frames to groups.
        self._polling = self._group = False
        self._beacon_at = 0.0
        self._awake_until = 0.0  # because of what we sent

    def reset(self) -> None:
        """Stop everything."""
        for name in ("_tbtt", "_beacon", "_timer"):
            timer = getattr(self, name)
            if timer is not None:
                timer.stop()
                setattr(self, name, None)
        self._mcastq.clear()
        self._sleepers.clear()
        if self.dozing:
            self.dozing = False
            self.ic.radio.sleep(False)

    # -- beacons

    def begin_beacons(self) -> None:
        """Send a beacon every interval from now on."""
        ic = self.ic
        if self._tbtt is not None:
            self._tbtt.stop()
        self._dtim = 0
        self._due = ic.stack.clock.now
        if ic.opmode == M_HOSTAP:
            self._at_tbtt()
        else:
            self._schedule()

    def _schedule(self) -> None:
        ic = self.ic
        clock = ic.stack.clock
        interval = max(1, ic.bss.intval) * TU_S
        if ic.opmode == M_IBSS:
            # All members begin an interval when their common timer is a multiple of it.
            micros = round(interval * 1e6)
            wait = (micros - ic.radio.tsf() % micros) * 1e-6
        else:
            self._due += interval
            if self._due <= clock.now:  # the process was held up: no burst of old beacons
                self._due = clock.now + interval
            wait = self._due - clock.now
        self._tbtt = clock.after(wait, self._at_tbtt)

    def _at_tbtt(self) -> None:
        ic = self.ic
        self._tbtt = None
        if ic.state != S_RUN:
            return
        if ic.opmode == M_IBSS:
            if self._beacon is not None:
                self._beacon.stop()
            delay = ic.stack.dice.random() * _CONTENTION_S
            self._beacon = ic.stack.clock.after(delay, self._send_ibss)
            self._schedule()
            return
        left = self._dtim
        self._dtim = (left - 1) % ic.dtim_period
        aids = [node.aid for node in self._sleepers if node.savedq and node.associd]
        group = bool(self._mcastq)
        if ic.out.pending:
            ic.out.stat["beacon_skipped"] += 1  # the channel is full: it would come too late
        elif not ic.scanner.away:
            ic.out.send_beacon(
                tim_elem(left=left, period=ic.dtim_period, mcast=group and not left, aids=aids)
            )
            if group and not left:
                self._flush_group()
        self._schedule()

    def _send_ibss(self) -> None:
        self._beacon = None
        if self.ic.state == S_RUN and not self.ic.scanner.away:
            self.ic.out.send_beacon(b"")

    def heard_ibss(self) -> None:
        """Send no beacon in this interval: another member has."""
        if self._beacon is not None:
            self._beacon.stop()
            self._beacon = None

    # -- an access point's queues

    def _flush_group(self) -> None:
        queue = self._mcastq
        out = self.ic.out
        while queue:
            frame = queue.popleft()
            out.send_data(self.ic.bss, frame, more=bool(queue))

    def hold(self, node: Node, frame: bytes) -> bool:
        """Keep *frame* (b"" for a null frame) if it is for somebody who sleeps; False if not."""
        ic = self.ic
        if frame and frame[0] & 1:
            if not self._sleepers:
                return False
            if len(self._mcastq) >= MCASTQ_MAX:
                ic.out.stat["ps_mcastfull"] += 1
                ic.ifp.oerrors += 1
                self._mcastq.popleft()
            self._mcastq.append(frame)
            return True
        if not node.powersave:
            return False
        if len(node.savedq) >= SAVEDQ_MAX:
            node.stats["ps_drops"] += 1
            ic.out.stat["ps_qfull"] += 1
            ic.ifp.oerrors += 1
            ic.dprintf(MSG_POWER, f"[{ether_ntoa(node.mac)}] pwr save q overflow, drops")
            return True
        interval = node.listen_interval * ic.bss.intval * TU_S
        until = ic.stack.clock.now + max(KEEP_MIN_S, 4 * interval)
        node.savedq.append((until, frame))
        ic.dprintf(
            MSG_POWER,
            f"[{ether_ntoa(node.mac)}] save frame with age, {len(node.savedq)} now queued",
        )
        return True

    def age(self, node: Node, now: float) -> None:
        """Drop what was kept too long for a station."""
        queue = node.savedq
        gone = 0
        while queue and queue[0][0] <= now:
            queue.popleft()
            gone += 1
        if gone:
            node.stats["ps_discard"] += gone
            self.ic.out.stat["ps_aged"] += gone
            self.ic.dprintf(MSG_POWER, f"[{ether_ntoa(node.mac)}] discard {gone} frames for age")

    def forget(self, node: Node) -> None:
        """Drop all that is kept for a station."""
        node.savedq.clear()
        node.powersave = False
        self._sleepers.discard(node)

    def pwrsave(self, node: Node, on: bool) -> None:
        """Note that a station goes to sleep or wakes up (ieee80211_node_pwrsave)."""
        ic = self.ic
        node.powersave = on
        if on:
            self._sleepers.add(node)
        else:
            self._sleepers.discard(node)
        ic.dprintf(
            MSG_POWER,
            f"[{ether_ntoa(node.mac)}] power save mode {'on' if on else 'off'}, "
            f"{len(self._sleepers)} sta's in ps mode",
        )
        if on:
            return
        queue = node.savedq
        while queue:
            _until, frame = queue.popleft()
            self._release(node, frame)
        if not self._sleepers:
            self._flush_group()

    def _release(self, node: Node, frame: bytes) -> None:
        if frame:
            self.ic.out.send_data(node, frame, more=bool(node.savedq))
        else:
            self.ic.out.send_nulldata(node)

    def recv_pspoll(self, node: Node | None, mac: bytes, aid: int) -> None:
        """Send one frame to the station that asks for it (ieee80211_recv_pspoll)."""
        ic = self.ic
        if node is None or not node.associd:
            ic.stats["ps_unassoc"] += 1
            ic.out.send_error(mac, DEAUTH, REASON_NOT_ASSOCED)
            return
        if aid != node.associd:
            ic.stats["ps_badaid"] += 1
            ic.out.send_mgmt(node, DEAUTH, REASON_NOT_ASSOCED)
            return
        if not node.savedq:
            ic.stats["ps_qempty"] += 1
            ic.dprintf(MSG_POWER, f"[{ether_ntoa(mac)}] recv ps-poll, but queue empty")
            ic.out.send_nulldata(node)
            return
        _until, frame = node.savedq.popleft()
        ic.dprintf(
            MSG_POWER,
            f"[{ether_ntoa(mac)}] recv ps-poll, send packet, {len(node.savedq)} still queued",
        )
        self._release(node, frame)

    # -- a station's sleep

    def joined(self) -> None:
        """Begin to save power, if that is wanted: the station has joined."""
        ic = self.ic
        self._beacon_at = ic.stack.clock.now
        if ic.opmode != M_STA or not ic.powersave or not ic.radio.power_save:
            return

        def told(status: TxStatus) -> None:
            if status.acked and ic.state == S_RUN and not self.dozing:
                self.dozing = True
                ic.dprintf(MSG_POWER, "power save mode on")
                self._doze()

        ic.out.send_nulldata(ic.bss, pwrmgt=True, done=told)

    def wake(self) -> None:
        """Be awake until the next beacon."""
        if self.dozing:
            self._stop()
            self.ic.radio.sleep(False)

    def touched(self) -> None:
        """Stay awake for a while: something was sent."""
        if self.dozing:
            self._awake_until = self.ic.stack.clock.now + LINGER_S
            self._linger()

    def _done(self) -> None:
        """Sleep on, if it is not too soon after what we sent: nothing more is announced."""
        self._polling = self._group = False
        left = self._awake_until - self.ic.stack.clock.now
        if left <= 0:
            self._doze()
            return
        self._stop()
        self._timer = self.ic.stack.clock.after(left, self._doze)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.stop()
            self._timer = None

    def _linger(self) -> None:
        self._stop()
        self._timer = self.ic.stack.clock.after(LINGER_S, self._doze)

    def _poll(self) -> None:
        self._polling = True
        self.ic.out.send_pspoll()

    def _doze(self) -> None:
        ic = self.ic
        self._stop()
        self._polling = self._group = False
        if not self.dozing or ic.state != S_RUN or ic.scanner.scanning:
            return
        clock = ic.stack.clock
        bss = ic.bss
        interval = max(1, bss.intval) * TU_S
        # Frames to groups follow every DTIM; ours wait until we ask.
        beacons = int(ic.maxsleep_ms / 1000 / interval)
        beacons = max(1, min(beacons, bss.dtim_count or bss.dtim_period))
        late = clock.now - self._beacon_at
        due = (int(late / interval) + beacons) * interval + self._beacon_at
        ic.radio.sleep(True)
        self._timer = clock.after(max(0.0, due - EARLY_S - clock.now), self._for_beacon)

    def _for_beacon(self) -> None:
        self._timer = None
        self.ic.radio.sleep(False)

    def heard_beacon(self, tim: Tim | None) -> None:
        """Look whether our access point has something for us."""
        ic = self.ic
        self._beacon_at = ic.stack.clock.now
        if not self.dozing or tim is None or ic.scanner.away:
            return
        self._group = tim.mcast and not tim.left
        if tim.has(ic.bss.aid):
            ic.dprintf(MSG_POWER, "the access point keeps frames for us")
            self._poll()
        elif self._group:
            self._linger()
        else:
            self._done()

    def heard_data(self, fc: int, *, group: bool) -> None:
        """Ask for the next kept frame, or sleep on: a frame came while we save power."""
        if not self.dozing:
            return
        if fc & FC_MOREFRAG:
            self._linger()  # the rest of this frame comes without being asked for
            return
        more = bool(fc & FC_MOREDATA)
        if group:
            self._group = more
        else:
            self._polling = more
            if more:
                self._poll()
        if self._polling or self._group:
            self._linger()
        else:
            self._done()

    def away(self, on: bool, then: Callable[[], None]) -> None:
        """Tell the access point that we leave the channel, or are back; then call *then*."""
        ic = self.ic
        self._stop()
        if self.dozing:
            ic.radio.sleep(False)
        if ic.opmode != M_STA:
            ic.stack.clock.after(0, then)
            return
        if not on:
            ic.out.send_nulldata(ic.bss, pwrmgt=self.dozing)
            return
        gone = False

        def go(_status: TxStatus | None = None) -> None:
            nonlocal gone
            if not gone:
                gone = True
                timer.stop()
                ic.stack.clock.after(0, then)

        timer = ic.stack.clock.after(AWAY_WAIT_S, go)
        ic.out.send_nulldata(ic.bss, pwrmgt=True, done=go)
