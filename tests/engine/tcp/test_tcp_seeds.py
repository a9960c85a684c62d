"""Two TCPs against each other over links that lose, repeat, reorder and damage, by seed.

Whatever a link does: each octet arrives, in order, or both ends know that it did not.
"""

from __future__ import annotations

import random

import pytest

from libnet.engine.kern.socket import SO_KEEPALIVE, SOL_SOCKET

SEEDS = 2000
GROUPS = 40
PATIENCE_S = 20000.0  # virtual: keepalive needs two hours to notice


def exchange(pump, app, seed):
    """Run one seed; return the two App, B's None when it was never connected, and what each sent."""
    dice = random.Random(seed)
    how = {
        "delay": dice.choice([0.0, 0.001, 0.02, 0.2]),
        "jitter": dice.choice([0.0, 0.0, 0.005, 0.05]),
        "loss": dice.choice([0.0, 0.01, 0.05, 0.15, 0.3]),
        "dup": dice.choice([0.0, 0.02, 0.1]),
        "corrupt": dice.choice([0.0, 0.02, 0.1]),
    }
    p = pump(seed, mtu=dice.choice([1500, 1500, 576, 296, 9000]), **how)
    for stack in (p.a, p.b):
        tcp = stack.tcp
        tcp.timestamps = dice.choice([1, 1, 0])
        tcp.sack_enable = dice.choice([1, 1, 0])
        tcp.win_scale = dice.choice([1, 0])
        tcp.ecn_enable = dice.choice([0, 1])
        tcp.congctl_selected = dice.choice(["newreno", "reno", "cubic"])
        tcp.sendspace = dice.choice([2048, 8192, 32768, 65536])
        tcp.recvspace = dice.choice([1000, 4096, 32768, 131072])
    listener = p.listen()
    listener.setopt(SOL_SOCKET, SO_KEEPALIVE, 1)
    so = p.connect()
    so.setopt(SOL_SOCKET, SO_KEEPALIVE, 1)
    up = dice.randbytes(dice.choice([0, 1, 3000, 20000, 60000]))
    down = dice.randbytes(dice.choice([0, 100, 5000, 30000]))
    a = app(so, up, dice.choice([1 << 20, 500, 4000]))
    ends = []

    def accept(listener):
        if listener.q and not ends:
            ends.append(app(listener.accept(), down, dice.choice([1 << 20, 700])))

    listener.upcall = accept
    over = p.run(PATIENCE_S, lambda: a.done and (not ends or ends[0].done))
    assert over, f"seed {seed} hangs"
    return a, ends[0] if ends else None, up, down


@pytest.mark.parametrize("group", range(GROUPS))
def test_every_octet_arrives_or_both_ends_know(group, pump, app):
    for seed in range(group, SEEDS, GROUPS):
        a, b, up, down = exchange(pump, app, seed)
        if a.error or b is None or b.error:
            # Even then, what did arrive is right.
            assert a.error or a.got == down, seed
            assert b is None or b.error or b.got == up, seed
            assert b is None or up.startswith(b.got), seed
            assert down.startswith(a.got), seed
            assert b is not None or a.error, seed
        else:
            assert (a.got, b.got) == (down, up), seed


def test_a_run_is_its_seed(pump, app):
    def story(seed):
        p = pump(seed, loss=0.1, jitter=0.02)
        so, other = p.pair()
        a, b = app(so, bytes(20000)), app(other, b"x" * 5000)
        p.run(500, lambda: a.done and b.done)
        return p.clock.now, p.ab.carried, p.ba.carried, dict(p.a.stats["tcp"])

    assert story(5) == story(5)
    assert story(5) != story(6)
