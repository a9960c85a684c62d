"""The real loop: order of a pass, descriptors, the end of the pass."""

from __future__ import annotations

import os

import pytest

from libnet.loop.loop import Loop


@pytest.fixture
def loop():
    made = Loop()
    yield made
    made.close()


def test_readers_hear_of_data_and_forget_when_removed(loop):
    read, write = os.pipe()
    heard = []
    loop.add_reader(read, lambda: heard.append(os.read(read, 10)))
    os.write(write, b"x")
    loop.run_once(0)
    loop.remove_reader(read)
    os.write(write, b"y")
    loop.run_once(0)
    os.close(read)
    os.close(write)
    assert heard == [b"x"]


def test_callouts_come_before_descriptors_and_the_end_comes_last(loop):
    read, write = os.pipe()
    order = []
    loop.add_reader(read, lambda: (order.append("reader"), os.read(read, 1)))
    loop.clock.after(
        0, lambda: (order.append("callout"), loop.at_pass_end(lambda: order.append("end")))
    )
    os.write(write, b"x")
    loop.run_once(0)
    os.close(read)
    os.close(write)
    assert order == ["callout", "reader", "end"]


def test_an_end_that_asks_for_another_end_does_not_stop_the_loop(loop):
    count = [0]

    def again():
        count[0] += 1
        loop.at_pass_end(again)

    loop.at_pass_end(again)
    for _ in range(3):
        loop.run_once(None)  # never waits: there is always an end to come
    assert count[0] >= 3
