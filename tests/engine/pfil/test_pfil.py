"""pfil: order of hooks, and what a hook may do to a packet."""

from __future__ import annotations

from libnet.engine.kern.mbuf import Mbuf
from libnet.engine.pfil.pfil import PFIL_IN, PFIL_OUT, Pfil, PfilHead


def _hook(name, seen, keep=True):
    def hook(m, ifp, direction):
        seen.append((name, direction))
        return m if keep else None

    return hook


def test_outbound_hooks_run_in_order_inbound_ones_nest():
    head, seen = PfilHead(), []
    for name in "ab":
        head.add(_hook(name, seen), PFIL_IN | PFIL_OUT)
    m = Mbuf(b"x")
    assert head.run(m, None, PFIL_OUT) is m
    assert head.run(m, None, PFIL_IN) is m
    assert seen == [("a", PFIL_OUT), ("b", PFIL_OUT), ("b", PFIL_IN), ("a", PFIL_IN)]


def test_a_hook_that_takes_the_packet_ends_the_run():
    head, seen = PfilHead(), []
    head.add(_hook("drop", seen, keep=False), PFIL_OUT)
    head.add(_hook("never", seen), PFIL_OUT)
    assert head.run(Mbuf(b"x"), None, PFIL_OUT) is None
    assert seen == [("drop", PFIL_OUT)]


def test_a_removed_hook_is_asked_no_more():
    head, seen = PfilHead(), []
    hook = _hook("a", seen)
    head.add(hook, PFIL_IN | PFIL_OUT)
    head.remove(hook, PFIL_IN)
    head.run(Mbuf(b"x"), None, PFIL_IN)
    head.run(Mbuf(b"x"), None, PFIL_OUT)
    assert seen == [("a", PFIL_OUT)]


def test_interface_hooks_hear_events():
    pfil, seen = Pfil(), []

    def hook(event, ifp, arg):
        seen.append((event, arg))

    pfil.add_ifnet(hook)
    pfil.event("attach", None, 5)
    pfil.remove_ifnet(hook)
    pfil.event("detach", None)
    assert seen == [("attach", 5)]
