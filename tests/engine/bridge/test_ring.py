"""A ring of three boxes that bridge, with hosts on every wire, in virtual time."""

from __future__ import annotations

import re

import pytest

from libnet.lab.memory import World

WIRES = {"S1": ("ab", "ca"), "S2": ("ab", "bc"), "S3": ("bc", "ca")}


@pytest.fixture
def ring():
    with World(seed=11) as world:
        for name, wires in WIRES.items():
            box = world.box(name, nic=[f"i82544:{wire}" for wire in wires])
            for line in (
                "io-pkt-v4-hc -d i82544",
                "ifconfig wm0 up",
                "ifconfig wm1 up",
                "ifconfig bridge0 create",
                f"brconfig bridge0 add wm0 add wm1 stp wm0 stp wm1 priority {name[1]} up",
            ):
                assert box.sh(line).status == 0, line
        for number, wire in enumerate(("ab", "bc", "ca"), 1):
            host = world.box(f"H{number}", nic=f"i82544:{wire}")
            host.sh("io-pkt-v4-hc -d i82544")
            host.sh(f"ifconfig wm0 10.0.0.{number}/24")
        yield world


def states(world):
    return {
        name: re.findall(r"path cost \d+ (\w+)", world.boxes[name].sh("brconfig bridge0").out)
        for name in WIRES
        if world.boxes[name].stacks
    }


def reach(world, frm, to):
    return world.boxes[f"H{frm}"].sh(f"ping -c 2 -w 3 10.0.0.{to}").status == 0


def test_one_port_blocks_and_everybody_reaches_everybody(ring):
    ring.run(35)
    got = states(ring)
    assert got["S1"] == got["S2"] == ["forwarding"] * 2
    assert sorted(got["S3"]) == ["blocking", "forwarding"]
    # S3 lists wm1, its way to the root, first; wm0 is on the wire to S2, which is nearer the root.
    assert got["S3"] == ["forwarding", "blocking"]
    assert all(reach(ring, a, b) for a in (1, 2, 3) for b in (1, 2, 3) if a != b)
    # No frame goes round: a broadcast passes each wire once.
    seen = {}
    for wire in ("ab", "bc", "ca"):
        ring.segment(wire).tap(
            lambda _now, frames, wire=wire: seen.setdefault(wire, []).extend(
                f for f in frames if f[12:14] == b"\x90\x00"
            )
        )
    probe = ring.segment("ab").plug("probe")
    probe.send(b"\xff" * 6 + b"\2\0\0\0\0\x77\x90\x00" + bytes(46))
    ring.run(5)
    assert {wire: len(frames) for wire, frames in seen.items()} == {"ab": 1, "bc": 1, "ca": 1}


def test_the_death_of_the_root_is_survived_within_the_timers(ring):
    ring.run(35)
    ring.boxes["S1"].power_cut()
    assert not reach(ring, 1, 3)
    ring.run(20 + 2 * 15 + 3)
    got = states(ring)
    assert got["S2"] == got["S3"] == ["forwarding"] * 2
    assert reach(ring, 1, 3)
    assert reach(ring, 3, 2)


def test_a_member_that_goes_while_frames_are_under_way_is_survived(ring):
    ring.run(35)
    job = ring.boxes["H1"].spawn("ping -i 0.01 -c 500 10.0.0.2")
    ring.run(1)
    assert ring.boxes["S2"].sh("ifconfig wm0 destroy").status == 0
    out = job.result().out
    assert 0 < int(re.search(r"(\d+) packets received", out)[1]) < 500
    ring.run(60)
    assert reach(ring, 1, 2)  # the long way round
    assert "wm0" not in ring.boxes["S2"].sh("brconfig bridge0").out


def test_the_same_seed_gives_the_same_run():
    runs = []
    for _ in range(2):
        with World(seed=3) as world:
            log = []
            for name, wires in WIRES.items():
                box = world.box(name, nic=[f"i82544:{wire}" for wire in wires])
                for line in (
                    "io-pkt-v4-hc -d i82544",
                    "ifconfig bridge0 create",
                    "sysctl -w net.link.bridge.log_stp=1",
                    "brconfig bridge0 add wm0 add wm1 stp wm0 stp wm1 up",
                    "ifconfig wm0 up",
                    "ifconfig wm1 up",
                ):
                    assert box.sh(line).status == 0, line
            world.run(40)
            for name in WIRES:
                log += [
                    r.text for r in world.boxes[name].stack.logring.records if "bridge0" in r.text
                ]
            runs.append(log)
    assert runs[0] == runs[1]
    assert sum("forwarding" in text for text in runs[0]) == 5
