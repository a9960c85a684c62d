"""ALTQ: who goes first, who gets how much, who is dropped."""

from __future__ import annotations

import random

import pytest

from libnet.clock import Clock
from libnet.engine.kern.mbuf import Mbuf
from libnet.engine.link.altq import Altq, Priq, Queue
from libnet.engine.link.altq_cbq import Cbq
from libnet.engine.link.altq_cbq import Class as CbqClass
from libnet.engine.link.altq_hfsc import Class as HfscClass
from libnet.engine.link.altq_hfsc import Curve, Hfsc
from libnet.engine.link.altq_red import Dropper
from libnet.wire.cksum import in_cksum
from tests.engine.pf.pflab import ACK, A, B, connect, ip4, udp

RATE = 1_000_000  # bits per second
SIZE = 1000  # octets


class Link:
    """A discipline behind a token bucket; what it has sent, by queue."""

    def __init__(self, discipline, rate=RATE) -> None:
        self.clock = Clock()
        self.sent: list[tuple[float, int]] = []
        self.altq = Altq(self.clock, discipline, rate, 1500, self._emit)
        self.qid = 0

    def _emit(self, item) -> None:
        self.sent.append((self.clock.now, item))

    def put(self, qid: int, count: int = 1, size: int = SIZE) -> int:
        """Queue packets; return how many were taken."""
        took = 0
        for _ in range(count):
            m = Mbuf(b"")
            m.tag("pf_qid", qid)
            took += self.altq.enqueue(qid, size, m)
        return took

    def run(self, seconds: float, feed: dict[int, int] | None = None) -> None:
        """Let time pass; keep the queues of *feed* at that many packets."""
        end = self.clock.now + seconds
        while True:
            for qid, depth in (feed or {}).items():
                held = len(self.altq.discipline.queues[qid].packets)
                self.put(qid, depth - held)
            due = self.clock.next_due()
            if due is None or due > end:
                break
            self.clock.run(due)
        self.clock.run(end)

    def bits(self, qid: int, since: float = 0.0) -> float:
        """Return the rate of a queue, bits per second."""
        count = sum(1 for at, q in self.sent if q == qid and at >= since)
        return count * SIZE * 8 / max(self.clock.now - since, 1e-9)


def priq() -> Priq:
    return Priq(1, [(1, 1, Queue(1, 50)), (2, 5, Queue(2, 50)), (3, 15, Queue(3, 50))])


def test_the_link_never_sends_faster_than_its_rate():
    link = Link(priq())
    link.run(10, {1: 20})
    assert link.bits(1) == pytest.approx(RATE, rel=0.02)


def test_priq_sends_the_higher_priority_first():
    link = Link(priq())
    link.put(1, 10)
    link.put(2, 5)
    link.put(3, 5)
    link.run(1)
    order = [q for _t, q in link.sent]
    first = order.index(3)
    assert order[first : first + 5] == [3] * 5
    assert order[first + 5 : first + 10] == [2] * 5


def test_a_high_priority_starves_a_low_one():
    link = Link(priq())
    link.run(5, {1: 10, 3: 10})
    assert link.bits(3) > 0.95 * RATE


def test_a_full_queue_drops_and_counts():
    link = Link(priq())
    assert link.put(1, 60) == 52  # two have gone at once: the bucket's depth
    queue = link.altq.discipline.queues[1]
    assert (queue.drop_packets, queue.drop_bytes) == (8, 8000)


def test_an_unknown_queue_is_the_default_one():
    link = Link(priq())
    link.put(99, 1)
    assert link.altq.discipline.queues[1].xmit_packets == 1


def cbq(borrow: bool, *, priorities=(1, 1)) -> Cbq:
    root = CbqClass(Queue(9, 50), None, RATE / 8, 0, 4500)
    classes = {9: root}
    for qid, share, priority in ((1, 0.75, priorities[0]), (2, 0.25, priorities[1])):
        cl = CbqClass(Queue(qid, 50), root, RATE / 8 * share, priority, 4500)
        cl.borrows = borrow
        classes[qid] = cl
    return Cbq(1, classes)


def test_cbq_shares_by_bandwidth():
    link = Link(cbq(borrow=True))
    link.run(10, {1: 20, 2: 20})
    assert link.bits(1) == pytest.approx(0.75 * RATE, rel=0.1)
    assert link.bits(2) == pytest.approx(0.25 * RATE, rel=0.1)


def test_cbq_without_borrow_keeps_to_its_share_and_with_it_takes_what_is_spare():
    link = Link(cbq(borrow=False))
    link.run(10, {2: 20})
    assert link.bits(2) == pytest.approx(0.25 * RATE, rel=0.1)
    assert link.altq.discipline.queues[2].delays > 0
    link = Link(cbq(borrow=True))
    link.run(10, {2: 20})
    assert link.bits(2) == pytest.approx(RATE, rel=0.1)
    assert link.altq.discipline.queues[2].borrows > 0


def hfsc(*rows: tuple[int, Curve | None, Curve | None, Curve | None]) -> Hfsc:
    root = HfscClass(Queue(9, 50), None, ls=Curve(RATE / 8, 0, RATE / 8))
    classes = {9: root}
    for qid, rt, ls, ul in rows:
        classes[qid] = HfscClass(Queue(qid, 50), root, rt=rt, ls=ls, ul=ul)
    return Hfsc(root, rows[0][0], classes)


def flat(share: float) -> Curve:
    return Curve(RATE / 8 * share, 0.0, RATE / 8 * share)


def test_hfsc_shares_by_link_share():
    link = Link(hfsc((1, None, flat(0.7), None), (2, None, flat(0.3), None)))
    link.run(10, {1: 20, 2: 20})
    assert link.bits(1) == pytest.approx(0.7 * RATE, rel=0.05)
    assert link.bits(2) == pytest.approx(0.3 * RATE, rel=0.05)
    link.run(10, {2: 20})
    assert link.bits(2, since=11) == pytest.approx(RATE, rel=0.1)


def test_hfsc_upper_limit_is_kept_though_the_link_is_free():
    link = Link(hfsc((1, None, flat(0.5), None), (2, None, flat(0.5), flat(0.2))))
    link.run(10, {2: 20})
    assert link.bits(2) == pytest.approx(0.2 * RATE, rel=0.05)


def test_hfsc_real_time_is_kept_though_the_share_is_small():
    link = Link(hfsc((1, None, flat(0.99), None), (2, flat(0.4), flat(0.01), None)))
    link.run(10, {1: 20, 2: 20})
    assert link.bits(2) >= 0.38 * RATE


def test_hfsc_a_steep_first_segment_gives_a_short_burst_low_delay():
    quick = Curve(RATE / 8, 0.02, RATE / 8 * 0.1)
    link = Link(hfsc((1, None, flat(0.9), None), (2, quick, flat(0.1), None)))
    link.run(2, {1: 20})
    start = link.clock.now
    link.put(2, 1)
    link.run(1, {1: 20})
    (when,) = [t for t, q in link.sent if q == 2]
    assert when - start < 0.02


def test_hfsc_of_two_levels():
    root = HfscClass(Queue(9, 50), None, ls=flat(1.0))
    left = HfscClass(Queue(8, 50), root, ls=flat(0.5))
    right = HfscClass(Queue(7, 50), root, ls=flat(0.5))
    classes = {9: root, 8: left, 7: right}
    for qid, parent, share in ((1, left, 0.4), (2, left, 0.1), (3, right, 0.5)):
        classes[qid] = HfscClass(Queue(qid, 50), parent, ls=flat(share))
    link = Link(Hfsc(root, 1, classes))
    link.run(10, {1: 20, 2: 20, 3: 20})
    assert [round(link.bits(q) / RATE, 1) for q in (1, 2, 3)] == [0.4, 0.1, 0.5]
    start = link.clock.now
    link.run(10, {1: 20, 2: 20})
    assert link.bits(1, since=start + 1) / RATE == pytest.approx(0.8, abs=0.08)


# -- early dropping


def red(ecn=False, rio=False, tos=0, held=12, rounds=4000) -> tuple[int, int, Dropper]:
    from libnet.engine.link.altq import Waiting

    dropper = Dropper(random.Random(4), rio=rio, ecn=ecn, pkttime=0.012)
    took = marked = 0
    for _ in range(rounds):
        m = Mbuf(ip4(A, B, 17, bytes(8), tos=tos))
        w = Waiting(b"\0" * 14 + m.data, len(m.data), m)
        if dropper.admit(w, held, 0.0):
            took += 1
            if m.data[1] & 3 == 3 and tos & 3 != 3:
                assert w.item[14:] == m.data
                assert in_cksum(m.data[:20]) == 0
                marked += 1
    return rounds - took, marked, dropper


def test_red_drops_before_the_queue_is_full_and_not_while_it_is_short():
    dropped, _marked, _d = red(held=12)
    assert 100 < dropped < 2000
    assert red(held=3)[0] == 0
    assert red(held=40)[0] > 3000


def test_ecn_marks_who_can_and_drops_who_cannot():
    dropped, marked, dropper = red(ecn=True, tos=2)
    assert marked > 100
    assert dropper.marked == marked
    assert dropped < marked
    assert red(ecn=True, tos=0)[1] == 0


def test_rio_drops_the_worse_precedence_first():
    by = [red(rio=True, tos=dscp << 2, held=18)[0] for dscp in (10, 12, 14)]
    assert by[0] <= by[1] < by[2]


# -- through pfctl and a wire

PRIO = """\
altq on wm1 priq bandwidth 1Mb queue { bulk, urgent }
queue bulk priority 1 priq(default)
queue urgent priority 7
pass out on wm1 proto udp to any port 9 no state
pass out on wm1 proto udp to any port 53 queue urgent no state
"""


def test_a_rule_puts_packets_into_its_queue_and_pfctl_shows_it(lab):
    lab.rules(PRIO)
    lab.left.send(*[udp(A, 1, B, 9, bytes(972), ident=n) for n in range(30)])
    lab.left.send(*[udp(A, 1, B, 53, bytes(100)) for n in range(3)])
    lab.wait(1)
    ports = [p.dport for p in lab.right.take()]
    assert len(ports) == 33
    assert ports.index(53) < 28
    text = lab.run("pfctl -s queue -v")
    assert "queue urgent" in text
    shown = [line for line in text.splitlines() if "pkts:" in line]
    assert [int(line.split()[2]) for line in shown] == [30, 3]


def test_taking_the_queues_away_sends_at_once_again(lab):
    lab.rules(PRIO)
    lab.rules("pass")
    lab.left.send(*[udp(A, 1, B, 9, bytes(972), ident=n) for n in range(30)])
    assert len(lab.right.take()) == 30


def test_empty_acks_take_the_second_queue(lab):
    lab.rules("altq on wm1 priq bandwidth 1Mb queue { data, acks }\nqueue data priority 1 priq(default)\n"
              "queue acks priority 7\npass in\npass out on wm1 proto tcp queue (data, acks)\n"
              "pass out on wm0 proto tcp")  # fmt: skip
    a, _b = connect(lab)
    a.send(ACK, b"data")
    lab.wait(1)
    text = lab.run("pfctl -s queue -v")
    shown = [int(line.split()[2]) for line in text.splitlines() if "pkts:" in line]
    assert shown == [2, 1]  # SYN and data; the acknowledgement


def test_queues_are_part_of_the_transaction(lab):
    lab.rules(PRIO)
    lab.box.write("/etc/bad.conf", PRIO.replace("priq(default)", ""))
    got = lab.run("pfctl -f /etc/bad.conf", status=1, err=True)
    assert "should have one default queue on wm1" in got
    assert "queue urgent" in lab.run("pfctl -s queue")


def test_an_interface_that_comes_back_queues_again(lab):
    lab.rules(PRIO)
    flood = [udp(A, 1, B, 9, bytes(972), ident=n) for n in range(30)]
    lab.left.send(*flood)
    lab.run("ifconfig wm1 destroy")
    lab.wait(1)
    lab.right.take()
    lab.run("mount -Tio-pkt devnp-i82544.so")
    lab.run("ifconfig wm1 10.0.1.1/24")
    lab.left.send(udp(A, 1, B, 53))  # the neighbour is asked for again
    lab.right.take()
    lab.left.send(*flood)
    assert 0 < len(lab.right.take()) < 10
    lab.wait(1)
    shown = [s for s in lab.run("pfctl -s queue -v").splitlines() if "pkts:" in s]
    assert [int(line.split()[2]) for line in shown] == [32, 1]  # two are of ARP


def test_a_tun_has_queues_and_a_gif_has_none(lab):
    lab.run("ifconfig tun0 create")
    lab.run("ifconfig tun0 10.0.7.1 10.0.7.2 up")
    device = lab.box.ctx("test").open("/dev/tun0")
    lab.rules(PRIO.replace("wm1", "tun0"))
    lab.left.send(*[udp(A, 1, 0x0A000702, 9, bytes(972), ident=n) for n in range(20)])
    lab.left.send(udp(A, 1, 0x0A000702, 53, b"first"))
    lab.wait(1)
    ports = []
    for _ in range(21):
        packet = device.read(2000)
        ports.append(int.from_bytes(packet[22:24], "big"))
    assert sorted(ports) == [9] * 20 + [53]
    assert ports.index(53) < 18
    device.close()
    lab.run("ifconfig gif0 create")
    lab.box.write("/etc/gif.conf", PRIO.replace("wm1", "gif0"))
    told = lab.run("pfctl -f /etc/gif.conf", status=1, err=True)
    assert told.endswith("pfctl: gif0: driver does not support altq\n")
