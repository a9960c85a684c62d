"""pflog: which packets, and every octet of the header."""

from __future__ import annotations

import struct

import pytest

from tests.engine.pf.pflab import A, B, PfLab, echo, udp


class Tap:
    """What a capture on pflog0 sees."""

    def __init__(self, lab, name="pflog0") -> None:
        lab.run(f"ifconfig {name} up")
        self.frames: list[bytes] = []
        lab.stack.ifunit(name).bpf = self

    def mtap(self, frame, _direction) -> None:
        self.frames.append(frame)

    def take(self) -> list[tuple]:
        """Return (rule, subrule, anchor, reason, action, direction, interface, packet)."""
        out = []
        for f in self.frames:
            rule, sub = struct.unpack("!II", f[36:44])
            out.append((
                rule, sub if sub != 0xFFFFFFFF else None, f[20:36].rstrip(b"\0").decode(), f[3], f[2],
                f[60], f[4:20].rstrip(b"\0").decode(), f[64:],
            ))  # fmt: skip
        self.frames.clear()
        return out


@pytest.fixture
def tap(lab):
    return Tap(lab)


def test_the_header_of_64_octets(lab, tap):
    lab.rules("pass\nblock in log on wm0 proto udp")
    packet = udp(A, 1, B, 53, b"x")
    lab.left.send(packet)
    (frame,) = tap.frames
    assert frame[:4] == bytes((61, 2, 1, 0))
    assert frame[4:20] == b"wm0".ljust(16, b"\0")
    assert frame[20:36] == bytes(16)
    assert frame[36:44] == b"\0\0\0\1\xff\xff\xff\xff"
    assert struct.unpack("=i", frame[44:48]) == (0x7FFFFFFF,)
    assert frame[60:64] == b"\1\0\0\0"
    assert frame[64:] == packet


def test_the_older_header_is_shorter():
    lab = PfLab(dialect=37)
    tap = Tap(lab)
    lab.rules("block in log on wm0 proto udp")
    lab.left.send(udp(A, 1, B, 53))
    (frame,) = tap.frames
    assert len(frame) == 48 + 28
    assert frame[0] == 45
    assert frame[44] == 1


def test_log_shows_the_first_packet_and_log_all_every_one(lab, tap):
    lab.rules("pass in log on wm0\npass out no state")
    for _ in range(3):
        lab.left.send(echo(A, B, 1))
    assert len(tap.take()) == 1
    lab.run("pfctl -F states", err=True)
    lab.rules("pass in log (all) on wm0\npass out no state\npass in on wm1 no state")
    for _ in range(3):
        lab.left.send(echo(A, B, 1))
    assert [row[0] for row in tap.take()] == [0, 0, 0]


def test_a_packet_with_options_is_logged_as_blocked_never_as_passed(lab, tap):
    lab.rules("pass log keep state")
    lab.left.send(echo(A, B, 1, options=b"\1\1\1\0"))
    assert [(r[0], r[3], r[4], r[6]) for r in tap.take()] == [(0, 8, 1, "wm0")]


def test_the_state_that_is_refused_says_why(lab, tap):
    lab.rules("pass log inet keep state (max 1)")
    lab.left.send(echo(A, B, 1))
    lab.run("pfctl -F states", err=True)
    tap.take()
    lab.rules("pass in log inet keep state (max 1)\npass out no state")
    lab.left.send(echo(A, B, 1), echo(A, B, 2))
    assert [(r[3], r[4]) for r in tap.take()] == [(0, 0), (12, 1)]


def test_rules_in_anchors_are_numbered_by_both_rulesets(lab, tap):
    lab.rules('block log quick proto udp to port 1\nanchor foo {\n block log quick proto udp to port 2\n}\n'
              "block log proto udp to port 3")  # fmt: skip
    lab.left.send(udp(A, 9, B, 1), udp(A, 9, B, 2), udp(A, 9, B, 3))
    assert [row[:3] for row in tap.take()] == [(0, None, ""), (1, 0, "foo"), (2, None, "")]


def test_packets_of_a_state_from_an_anchor_have_both_numbers_too(lab, tap):
    lab.rules("pass no state\nanchor foo {\n pass in log (all) on wm0 proto udp\n}")
    lab.left.send(udp(A, 9, B, 1), udp(A, 9, B, 1))
    assert [row[:3] for row in tap.take()] == [(1, 0, "foo"), (1, 0, "")]


def test_nothing_is_logged_without_log_or_while_the_interface_is_down(lab, tap):
    lab.rules("block in")
    lab.left.send(echo(A, B, 1))
    assert tap.take() == []
    lab.rules("block in log")
    lab.run("ifconfig pflog0 down")
    lab.left.send(echo(A, B, 1))
    assert tap.take() == []


def test_log_to_another_interface(lab, tap):
    lab.run("ifconfig pflog1 create")
    other = Tap(lab, "pflog1")
    lab.rules("block in log (to pflog1)")
    lab.left.send(echo(A, B, 1))
    assert tap.take() == []
    assert len(other.take()) == 1


def test_nat_pass_with_log_is_logged_by_its_translation_rule(lab, tap):
    lab.rules(
        "rdr pass log on wm0 proto udp from any to any port 53 -> 10.0.1.9\npass out no state"
    )
    lab.left.send(udp(A, 9, 0x0A000001, 53))
    assert [(r[0], r[4]) for r in tap.take()] == [(0, 8)]


def test_scrub_logs_what_it_drops(lab, tap):
    lab.rules("scrub in log\npass")
    from tests.engine.pf.pflab import ip4

    lab.left.send(ip4(A, B, 17, bytes(15), off=0x2000))
    assert [(r[3], r[4]) for r in tap.take()] == [(2, 1)]
