"""The passive clock: order, cancelling, and that time does not run backwards."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from libnet.clock import Clock


@given(st.lists(st.floats(0, 100), max_size=30))
def test_calls_are_made_in_order_of_deadline_and_of_setting(delays):
    clock, made = Clock(), []
    for n, delay in enumerate(delays):
        clock.after(delay, lambda n=n: made.append(n))
    clock.run(100.0)
    assert made == [n for _d, n in sorted((d, n) for n, d in enumerate(delays))]
    assert clock.next_due() is None


def test_a_stopped_call_is_never_made_and_not_waited_for():
    clock, made = Clock(), []
    first = clock.after(1, lambda: made.append(1))
    clock.after(2, lambda: made.append(2))
    first.stop()
    assert (first.pending, clock.next_due()) == (False, 2.0)
    assert clock.run(5) == 1
    assert made == [2]


def test_what_a_call_sets_waits_for_the_next_run():
    clock, made = Clock(), []
    clock.after(0, lambda: clock.after(0, lambda: made.append("inner")))
    assert clock.run(0) == 1
    assert made == []
    assert clock.run(0) == 1
    assert made == ["inner"]


def test_time_does_not_run_backwards():
    clock = Clock(10.0)
    clock.run(5.0)
    assert clock.now == 10.0


def test_timers_set_and_stopped_for_every_packet_leave_nothing_behind():
    clock = Clock()
    for _ in range(100_000):
        clock.after(60, lambda: None).stop()
    assert len(clock._heap) < 5000
