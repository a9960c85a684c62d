"""Rate adaptation: up after a good period, down after a bad one, more careful each time."""

from __future__ import annotations

from types import SimpleNamespace

from libnet.clock import Clock
from libnet.engine.ieee80211.amrr import MAX_SUCCESS, PERIOD_S, Amrr
from libnet.engine.ieee80211.ieee80211_var import Node
from libnet.wire.phy import TxStatus

RATES = [0x82, 0x84, 0x8B, 0x96, 12, 18, 24, 36, 48, 72, 96, 108]
GOOD, BAD = TxStatus(True, 108, 0), TxStatus(True, 108, 2)


def adapt(rates=RATES, fixed=0) -> tuple[Amrr, Node, Clock]:
    clock = Clock()
    ic = SimpleNamespace(
        stack=SimpleNamespace(clock=clock), fixed_rate=fixed, dprintf=lambda bit, text: None
    )
    amrr = Amrr(ic)  # type: ignore[arg-type]
    node = Node(bytes(6))
    node.rates = list(rates)
    amrr.node_init(node)
    return amrr, node, clock


def period(amrr: Amrr, node: Node, clock: Clock, good: int, bad: int = 0) -> None:
    statuses = [GOOD] * good + [BAD] * bad
    for status in statuses[:-1]:
        amrr.complete(node, status)
    clock.run(clock.now + PERIOD_S)
    amrr.complete(node, statuses[-1])


def test_a_node_begins_at_36_at_most():
    assert adapt()[1].rate == 72
    assert adapt([0x82, 0x84, 0x8B, 0x96])[1].rate == 22
    assert adapt([])[1].txrate == 0


def test_good_periods_step_up_to_the_fastest_and_no_further():
    amrr, node, clock = adapt()
    rates = []
    for _ in range(4):
        period(amrr, node, clock, 20)
        rates.append(node.rate)
    assert rates == [96, 108, 108, 108]


def test_few_frames_say_nothing_good():
    amrr, node, clock = adapt()
    period(amrr, node, clock, 5)
    assert node.rate == 72
    period(amrr, node, clock, 6)  # counted together with the five
    assert node.rate == 96


def test_a_bad_period_steps_down_to_the_slowest_and_no_further():
    amrr, node, clock = adapt([0x82, 0x84])
    period(amrr, node, clock, 0, 3)
    assert node.rate == 2
    period(amrr, node, clock, 0, 3)
    assert node.rate == 2


def test_in_between_nothing_changes():
    amrr, node, clock = adapt()
    period(amrr, node, clock, 16, 4)
    assert node.rate == 72


def test_a_step_up_that_fails_makes_the_next_wait_longer():
    amrr, node, clock = adapt()
    needed = []
    for _ in range(6):
        periods = 0
        while node.rate == 72:
            period(amrr, node, clock, 20)
            periods += 1
        needed.append(periods)
        period(amrr, node, clock, 0, 20)
        assert node.rate == 72
    assert needed == [1, 2, 4, 8, MAX_SUCCESS, MAX_SUCCESS]


def test_the_frame_is_tried_at_lower_rates_after_the_chosen_one():
    amrr, node, _clock = adapt()
    assert amrr.series(node) == ((72, 4), (48, 2), (36, 1), (24, 1))
    node.txrate = 0
    assert amrr.series(node) == ((2, 4),)


def test_a_fixed_rate_stays_whatever_happens():
    amrr, node, clock = adapt(fixed=11)
    assert node.rate == 11
    assert amrr.series(node) == ((11, 8),)
    period(amrr, node, clock, 0, 20)
    assert node.rate == 11


def test_lost_frames_count_as_repeated_ones():
    amrr, node, clock = adapt()
    amrr.complete(node, TxStatus(False, 72, 0))
    clock.run(PERIOD_S)
    amrr.complete(node, TxStatus(False, 72, 0))
    assert node.rate == 48
