"""The flow cache while pf is on: faster, and nothing else."""

from __future__ import annotations

import random

import pytest

from libnet.engine.pfil.pfil import PFIL_IN
from libnet.wire.cksum import in4_cksum
from tests.engine.pf.pflab import (
    ACK,
    FIN,
    GWA,
    PUSH,
    RST,
    SYN,
    URG,
    A,
    B,
    PfLab,
    Seen,
    connect,
    echo,
    ip4,
    tcp,
    udp,
)

RULES = """\
set timeout { udp.first 60, udp.multiple 60, tcp.established 600 }
block in log from 192.168.0.0/16
pass in on wm0 keep state
pass out on wm1 keep state
"""


COUNTED = """\
table <near> { 10/8 !10.0.0.7 }
block in from 192.168.0.0/16
pass in on wm0 from <near> to ! <near>
anchor here in on wm0 {
  pass in from <near> to any keep state (source-track rule)
}
pass out on wm1 keep state (source-track global, max-src-states 5)
"""


def fastforwarded(lab) -> int:
    """Return how many packets have gone by a flow."""
    return int(lab.stack.ip.stats().get("fastforward", 0))


def talk(lab, count: int = 3) -> None:
    """Let both sides speak, so that the states are plain."""
    for _ in range(count):
        lab.left.send(udp(A, 9, B, 53, b"question"))
        lab.right.send(udp(B, 53, A, 9, b"answer"))
    lab.left.take(), lab.right.take()


def test_packets_of_a_connection_go_by_its_flow(lab):
    lab.rules(RULES)
    talk(lab)
    before = fastforwarded(lab)
    packet = udp(A, 9, B, 53, b"more", tos=0)
    lab.left.send(packet, packet)
    one, two = lab.right.take()
    assert (one.ttl, one.data) == (63, b"more")
    assert one == two
    lab.right.send(udp(B, 53, A, 9, b"yes"))
    assert lab.left.one().data == b"yes"
    assert fastforwarded(lab) == before + 3
    state, other = (line for line in lab.run("pfctl -s states -v").splitlines() if "pkts" in line)
    assert "6:4 pkts" in state or "5:4 pkts" in state
    assert state.split(" pkts")[0].split()[-1] == other.split(" pkts")[0].split()[-1]


def test_a_tcp_connection_goes_by_its_flow_and_ends_the_long_way(lab):
    lab.rules(RULES)
    a, b = connect(lab)
    for n in range(5):
        a.send(ACK | PUSH, b"x" * 100)
        b.ack = a.seq
        assert lab.right.one().data == b"x" * 100
        b.send(ACK, b"y" * n)
        a.ack = b.seq
        lab.left.one()
    assert fastforwarded(lab) >= 6
    # Far out of the window, by both the flow and the long way.
    a.send(ACK, b"z", seq=a.seq + 900000)
    assert lab.right.none()
    a.seq = lab.pf.states.all and next(iter(lab.pf.states.all)).src.seqlo
    before = fastforwarded(lab)
    a.send(FIN | ACK)
    lab.right.one()
    assert fastforwarded(lab) == before
    assert "FIN" in " ".join(lab.states()) or "CLOSING" in " ".join(lab.states())
    a.send(ACK, seq=a.seq)
    lab.right.one()
    assert fastforwarded(lab) == before


@pytest.mark.parametrize(
    "change",
    [
        lambda lab: lab.run("pfctl -F states", err=True),
        lambda lab: lab.run("pfctl -k 10.0.0.9", err=True),
        lambda lab: lab.rules("block in\n"),
        lambda lab: lab.run("ifconfig wm1 10.0.2.1/24 alias"),
        lambda lab: lab.run("pfctl -d", err=True),
        lambda lab: lab.wait(70),
    ],
)
def test_whatever_changes_ends_flows(lab, change):
    lab.rules(RULES)
    talk(lab)
    assert lab.stack.ip.flow.count == 2
    change(lab)
    assert lab.stack.ip.flow.count == 0


def test_a_state_that_is_gone_has_no_flow(lab):
    lab.rules(RULES)
    talk(lab)
    lab.rules("block in")
    lab.run("pfctl -F states", err=True)
    lab.left.send(udp(A, 9, B, 53))
    assert lab.right.none()


def test_another_hook_is_asked(lab):
    lab.rules(RULES)
    talk(lab)
    seen = []
    lab.stack.pfil.head(2).add(lambda m, _ifp, _way: (seen.append(m.dst), m)[1], PFIL_IN)
    for _ in range(2):
        lab.left.send(udp(A, 9, B, 53))
        lab.right.one()
    assert seen == [B, B]


def test_skip_and_scrub_take_the_long_way(lab):
    lab.rules(RULES + "set skip on wm1\n")
    talk(lab)
    assert lab.stack.ip.flow.count == 0
    for scrub in ("min-ttl 9", "random-id", "no-df random-id", "reassemble tcp"):
        where = "" if scrub == "reassemble tcp" else "in"
        lab.rules(f"scrub {where} all {scrub}\npass")
        lab.run("pfctl -F states", err=True)
        talk(lab)
        assert bool(lab.stack.ip.flow.count) == (scrub == "reassemble tcp"), scrub
    a, b = connect(lab)
    b.ack, before = a.seq, fastforwarded(lab)
    for _ in range(2):
        a.send(ACK, b"x")
        b.send(ACK, b"y")
    assert fastforwarded(lab) == before  # "reassemble tcp" watches every segment


def test_scrub_rules_that_change_nothing_leave_the_short_way(lab):
    lab.rules("scrub in on wm0 all no-df max-mss 1400\nscrub out proto udp\npass")
    talk(lab)
    assert lab.stack.ip.flow.count == 2
    before = fastforwarded(lab)
    lab.left.send(udp(A, 9, B, 53, b"short"))
    assert fastforwarded(lab) == before + 1
    lab.left.send(udp(A, 9, B, 53, b"whole", off=0x4000), udp(A, 9, B, 53, b"odd", off=0x8000))
    assert fastforwarded(lab) == before + 1
    assert [p.off for p in lab.right.take()] == [0, 0, 0]


def test_a_packet_that_is_no_plain_one_takes_the_long_way(lab):
    lab.rules(RULES)
    talk(lab)
    before = fastforwarded(lab)
    for packet in (
        udp(A, 9, B, 53, ttl=1),
        udp(A, 9, B, 53, off=0x2000),
        udp(A, 9, B, 53, options=b"\1\1\1\0"),
        udp(A, 9, B, 53)[:24] + b"\0\7" + udp(A, 9, B, 53)[26:],
        ip4(A, B, 17, b"\0\x09\0\x35"),
        echo(A, B, 9),
    ):
        lab.left.send(packet)
    assert fastforwarded(lab) == before


def test_when_all_places_are_taken_an_idle_flow_makes_one_free(lab):
    lab.run("sysctl -w net.inet.ip.maxflows=2")
    lab.rules(RULES)
    talk(lab)
    assert lab.stack.ip.flow.count == 2
    lab.left.send(*[udp(A, 10, B, 53)] * 3)
    lab.right.send(*[udp(B, 53, A, 10)] * 3)
    lab.left.send(*[udp(A, 10, B, 53)] * 3)
    assert len(lab.right.take()) == 6
    assert lab.stack.ip.flow.count == 2
    lab.wait(4)
    lab.left.send(*[udp(A, 10, B, 53)] * 2)
    assert lab.stack.ip.flow.count == 1


def test_a_bound_state_lets_nothing_in_elsewhere(lab):
    lab.rules("set state-policy if-bound\n" + RULES.partition("\n")[2])
    talk(lab)
    assert lab.stack.ip.flow.count == 2
    lab.rules("block in")
    before = fastforwarded(lab)
    lab.right.send(udp(A, 9, B, 53))  # the same packet by the wrong interface
    assert fastforwarded(lab) == before


SCRUBBED = """\
scrub in on wm0 all no-df max-mss 1200
no scrub in from any to 192.168.0.0/16
scrub in on wm1 proto tcp from any port 80
scrub out all fragment crop
scrub in all
pass in on wm0 keep state
pass out on wm1 keep state
"""


TRANSLATED = """\
nat on wm1 from 10.0.0.0/24 to any -> (wm1)
block in from 192.168.0.0/16
pass in on wm0 keep state
pass out on wm1 keep state
"""
STATIC = """\
scrub in all
nat pass on wm1 proto udp from 10.0.0.0/24 to any -> 10.0.1.77 static-port
binat on wm1 proto tcp from 10.0.0.9 to any -> 10.0.1.78
pass
"""
REDIRECTED = """\
rdr on wm0 proto udp from any to 10.0.1.9 port 53 -> 10.0.1.10 port 5353
rdr on wm0 proto tcp from any to 10.0.1.9 -> 10.0.1.10
pass
"""


def sent_to(packet: bytes, addr: int, port: int) -> bytes:
    """Return a packet without IP options, to another destination."""
    body = bytearray(packet[20:])
    body[2:4] = port.to_bytes(2, "big")
    src, proto = int.from_bytes(packet[12:16], "big"), packet[9]
    at = 6 if proto == 17 else 16
    body[at : at + 2] = b"\0\0"
    cksum = in4_cksum(src, addr, proto, bytes(body)) or (0xFFFF if proto == 17 else 0)
    body[at : at + 2] = cksum.to_bytes(2, "big")
    off = int.from_bytes(packet[6:8], "big")
    return ip4(src, addr, proto, bytes(body), ttl=packet[8], off=off, tos=packet[1])


def sent_from(packet: bytes, addr: int, port: int) -> bytes:
    """Return a packet without IP options, from another source."""
    swapped = bytearray(packet)
    swapped[12:16] = addr.to_bytes(4, "big")
    swapped[20:22] = port.to_bytes(2, "big")
    dst, dport = int.from_bytes(packet[16:20], "big"), int.from_bytes(packet[22:24], "big")
    return sent_to(bytes(swapped), dst, dport)


def twisted(packet: bytes, dice: random.Random) -> bytes:
    """Return a segment with an odd header that ordinary hosts do not send."""
    body = bytearray(packet[20:])
    what = dice.randrange(4)
    if what == 0:
        body[18:20] = dice.randbytes(2)  # an urgent pointer
    elif what == 1:
        body[13] |= URG
        body[18:20] = b"\0\1"
    elif what == 2:
        body[12] |= 1 + dice.randrange(15)  # reserved bits
    body[16:18] = b"\0\0"
    src, dst = (int.from_bytes(packet[at : at + 4], "big") for at in (12, 16))
    body[16:18] = in4_cksum(src, dst, 6, bytes(body)).to_bytes(2, "big")
    off = dice.choice((0, 0x4000, 0x8000)) if what == 3 else 0
    return ip4(src, dst, 6, bytes(body), off=off)


def script(seed: int) -> list[tuple[str, bytes, float]]:
    """Return packets of some connections, most of them in order: side, octets, seconds to wait."""
    dice = random.Random(seed)
    steps: list[tuple[str, bytes, float]] = []
    seqs: dict[int, list[int]] = {}
    for _ in range(400):
        port = 1000 + dice.randrange(4)
        wait = dice.choice((0.0,) * 12 + (0.3, 2.0))
        tos = dice.choice((0, 0, 0, 16))
        if port < 1002:
            size = dice.randrange(30)
            there, here = (A, port, B, 53), (B, 53, A, port)
            way = dice.randrange(2)
            packet = udp(
                *(there if way else here), bytes(size), ttl=dice.choice((64,) * 9 + (1,)), tos=tos
            )
            steps.append(("left" if way else "right", packet, wait))
            continue
        if port not in seqs or dice.random() < 0.01:
            mine, theirs = dice.getrandbits(32), dice.getrandbits(32)
            seqs[port] = [mine + 1, theirs + 1]
            scale = dice.choice((b"", b"\3\3\4\1"))
            steps.append(("left", tcp(A, port, B, 80, SYN, mine, options=scale), 0.0))
            steps.append(
                ("right", tcp(B, 80, A, port, SYN | ACK, theirs, mine + 1, options=scale), 0.0)
            )
            steps.append(("left", tcp(A, port, B, 80, ACK, mine + 1, theirs + 1), 0.0))
            continue
        way = dice.randrange(2)
        seq, ack = seqs[port][way], seqs[port][1 - way]
        data = bytes(dice.choice((0, 0, 1, 100, 1000)))
        flags = dice.choice((ACK,) * 150 + (ACK | PUSH, FIN | ACK, RST, SYN, 0))
        slip = dice.choice((0,) * 40 + (-len(data), 70000, -70000, 5))
        win = dice.choice((8192, 8192, 100, 0))
        if not slip:
            seqs[port][way] = seq + len(data)
        ends = (A, port, B, 80) if way == 0 else (B, 80, A, port)
        options = dice.choice((b"",) * 6 + (b"\1\1\x08\x0a" + bytes(8), b"\2\4\5\xb4"))
        packet = tcp(*ends, flags, seq + slip, ack, data, win=win, tos=tos, options=options)
        if dice.random() < 0.1:
            packet = twisted(packet, dice)
        steps.append(("left" if way == 0 else "right", packet, wait))
    return steps


def played(
    seed: int, maxflows: int, *, rules: str = RULES, paths: bool = True
) -> tuple[list[object], int]:
    """Return what comes out and what pfctl shows, packet by packet; and how many went by flows."""
    lab = PfLab(seed=seed)
    if not paths:
        lab.pf.flows.path = lambda *_: None
    lab.run(f"sysctl -w net.inet.ip.maxflows={maxflows}")
    lab.rules(rules)
    seen: list[object] = []
    hosts: dict[tuple[int, int], Seen] = {}  # how a connection looks on the right
    for count, (side, packet, wait) in enumerate(script(seed)):
        conn = packet[9], int.from_bytes(packet[20:22] if side == "left" else packet[22:24], "big")
        if side == "right" and conn in hosts:
            as_seen = hosts[conn]
            packet = sent_to(packet, as_seen.src, as_seen.sport)
            packet = sent_from(packet, as_seen.dst, as_seen.dport)
        (lab.left if side == "left" else lab.right).send(packet)
        seen += [("left", p.raw) for p in lab.left.take()]
        out = lab.right.take()
        if side == "left" and out:
            hosts[conn] = out[0]
        seen += [("right", p.raw) for p in out]
        if wait:
            lab.wait(wait)
        if count % 25 == 0:
            seen.append(lab.run("pfctl -vv -s states"))
            seen.append(lab.run("pfctl -a * -vv -s rules"))
    seen += [lab.run(f"pfctl {what}") for what in ("-vvsI", "-vsi", "-vsS", "-vvsT")]
    return seen, fastforwarded(lab)


@pytest.mark.parametrize("rules", [RULES, COUNTED, SCRUBBED, TRANSLATED, STATIC, REDIRECTED])
@pytest.mark.parametrize("seed", range(6))
def test_with_flows_and_without_everything_is_the_same(seed, rules):
    slow, none = played(seed, 0, rules=rules)
    fast, some = played(seed, 256, rules=rules)
    assert fast == slow
    assert played(seed, 256, rules=rules, paths=False) == (slow, 0)
    assert (none, some > 40) == (0, True)


def test_what_the_router_sends_itself_is_no_flow(lab):
    lab.rules(RULES + "pass in on wm1\npass out on wm0\n")
    talk(lab)
    count = lab.stack.ip.flow.count
    lab.left.send(echo(A, GWA, 1))
    lab.left.one()
    assert lab.stack.ip.flow.count == count
