"""AMRR: which rate to send to a node at (Lacage, Manshaei and Turletti, INRIA RR-5208).

After a period with enough frames the rate goes up if hardly any had to be repeated, down if many had.
A step up that fails at once makes the next one wait twice as long.

A period ends with the first frame sent after it: a node that nothing is sent to costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from libnet.engine.ieee80211.ieee80211_var import MSG_DEBUG

if TYPE_CHECKING:
    from libnet.engine.ieee80211.ieee80211_var import Ieee80211com, Node
    from libnet.wire.phy import TxStatus

PERIOD_S: Final = 0.5
MIN_SUCCESS: Final = 1  # good periods before a step up
MAX_SUCCESS: Final = 15
ENOUGH: Final = 10  # frames in a period, more than which count
START_RATE: Final = 72  # 500 kb/s: nodes begin no faster than at 36 Mb/s
# Tries at the chosen rate, and at each of the next lower ones.
_TRIES: Final = (4, 2, 1, 1)
_FIXED_TRIES: Final = 8

# Type of Radio.transmit's way to send a frame.
Series = tuple[tuple[int, int], ...]


class AmrrNode:
    """What is known of the way to one node (struct ieee80211_amrr_node).

    success    good periods in a row    threshold  good periods that a step up needs
    recovery   the last step was up     since      when this period began
    txcnt      frames in this period    retrycnt   of these, repeated or lost
    series     ways to send, for txrate index `at`
    """

    __slots__ = ("at", "recovery", "retrycnt", "series", "since", "success", "threshold", "txcnt")

    def __init__(self, now: float) -> None:
        self.success = self.txcnt = self.retrycnt = 0
        self.recovery = False
        self.threshold = MIN_SUCCESS
        self.since = now
        self.at = -1
        self.series: Series = ()


class Amrr:
    """Rate adaptation of one interface."""

    def __init__(self, ic: Ieee80211com) -> None:
        self.ic = ic

    def node_init(self, node: Node) -> None:
        """Begin with a node: pick its first rate (txrate) from its rates."""
        node.amrr = AmrrNode(self.ic.stack.clock.now)
        rates = node.rates
        fixed = self.ic.fixed_rate
        at = len(rates) - 1
        if fixed:
            found = [i for i, rate in enumerate(rates) if rate & 0x7F == fixed]
            at = found[0] if found else at
        else:
            while at > 0 and rates[at] & 0x7F > START_RATE:
                at -= 1
        node.txrate = max(at, 0)

    def series(self, node: Node) -> Series:
        """Return the rates and tries for the next frame to *node*, which has rates."""
        amn: AmrrNode = node.amrr
        if amn.at != node.txrate:
            rates, at = node.rates, node.txrate
            if self.ic.fixed_rate:
                amn.series = ((rates[at] & 0x7F, _FIXED_TRIES),)
            else:
                ways = zip(reversed(rates[: at + 1]), _TRIES, strict=False)
                amn.series = tuple((rate & 0x7F, tries) for rate, tries in ways)
            amn.at = at
        return amn.series

    def complete(self, node: Node, status: TxStatus) -> None:
        """Count a frame that was sent to *node*; at the end of a period, choose anew."""
        amn: AmrrNode = node.amrr
        amn.txcnt += 1
        if status.retries or not status.acked:
            amn.retrycnt += 1
        now = self.ic.stack.clock.now
        if now - amn.since >= PERIOD_S:
            amn.since = now
            if not self.ic.fixed_rate:
                self.choose(node)

    def choose(self, node: Node) -> None:
        """Look at a period's counts, and change the rate if they say so (ieee80211_amrr_choose)."""
        amn: AmrrNode = node.amrr
        enough = amn.txcnt > ENOUGH
        changed = False
        if enough and amn.retrycnt < amn.txcnt / 10:
            amn.success += 1
            changed = amn.success >= amn.threshold and node.txrate + 1 < len(node.rates)
            amn.recovery = changed
            if changed:
                amn.success = 0
                self._step(node, 1)
        elif amn.retrycnt > amn.txcnt / 3:
            amn.success = 0
            if changed := node.txrate > 0:
                amn.threshold = min(2 * amn.threshold, MAX_SUCCESS) if amn.recovery else MIN_SUCCESS
                self._step(node, -1)
            amn.recovery = False
        if enough or changed:
            amn.txcnt = amn.retrycnt = 0

    def _step(self, node: Node, by: int) -> None:
        node.txrate += by
        amn: AmrrNode = node.amrr
        self.ic.dprintf(
            MSG_DEBUG,
            f"AMRR {'in' if by > 0 else 'de'}creasing rate to {node.rate} "
            f"(txcnt={amn.txcnt} retrycnt={amn.retrycnt})",
        )
