"""The DHCP client against a tiny server, on a clock that jumps from deadline to deadline."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libnet.addr import inet_pton
from libnet.proto import dhcpclient as c
from libnet.wire import dhcp as d
from libnet.wire.arp import ARPOP_REPLY, ARPOP_REQUEST, Arp, arp_build

SERVER = inet_pton("10.0.0.1")
POOL = inet_pton("10.0.0.10")


class Server:
    """Allots addresses from POOL up; forgets those whose lease has ended.

    leases  (mac, end) by address       seconds  of a lease
    """

    def __init__(self, size: int = 3, seconds: int = 600) -> None:
        self.size, self.seconds = size, seconds
        self.leases: dict[int, tuple[bytes, float]] = {}
        self.bad: set[int] = set()
        self.mute = False
        self.seen: list[d.Dhcp] = []

    def free(self, mac: bytes, now: float) -> int:
        """Return the address for *mac*, 0 when there is none."""
        for addr, (owner, end) in self.leases.items():
            if owner == mac and end > now and addr not in self.bad:
                return addr
        for addr in range(POOL, POOL + self.size):
            if addr not in self.bad and self.leases.get(addr, (b"", -1.0))[1] <= now:
                return addr
        return 0

    def answer(self, octets: bytes, now: float) -> bytes | None:
        """Return the reply to a message."""
        msg = d.Dhcp.parse(octets)
        self.seen.append(msg)
        wanted = msg.addr(d.DHO_DHCP_REQUESTED_ADDRESS) or msg.ciaddr
        if msg.type == d.DHCPDECLINE:
            self.bad.add(wanted)
            self.leases.pop(wanted, None)
            return None
        if msg.type == d.DHCPRELEASE:
            self.leases.pop(msg.ciaddr, None)
            return None
        if self.mute:
            return None
        if msg.type == d.DHCPDISCOVER:
            addr = self.free(msg.chaddr, now)
            return self.reply(msg, d.DHCPOFFER, addr) if addr else None
        if msg.addr(d.DHO_DHCP_SERVER_IDENTIFIER) not in (None, SERVER):
            return None
        owner, end = self.leases.get(wanted, (msg.chaddr, 0.0))
        in_pool = POOL <= wanted < POOL + self.size and wanted not in self.bad
        if not in_pool or (owner != msg.chaddr and end > now):
            return self.reply(msg, d.DHCPNAK, 0)
        self.leases[wanted] = (msg.chaddr, now + self.seconds)
        return self.reply(msg, d.DHCPACK, wanted)

    def reply(self, msg: d.Dhcp, kind: int, addr: int) -> bytes:
        """Return a reply of *kind*."""
        options = {53: bytes((kind,)), 54: SERVER.to_bytes(4, "big")}
        if kind != d.DHCPNAK:
            options |= {
                51: self.seconds.to_bytes(4, "big"),
                1: b"\xff\xff\xff\0",
                3: SERVER.to_bytes(4, "big"),
                6: d.pack_addrs([SERVER, SERVER + 1]),
                15: b"lab.example",
                12: b"boxa\0",
            }
        return msg._replace(op=d.BOOTREPLY, yiaddr=addr, options=options).build()


class Box:
    """One client and what it did."""

    def __init__(self, number: int = 1, seed: int = 1, **conf: object) -> None:
        self.mac = bytes((2, 0, 0, 0, 0, number))
        self.client = c.DhcpClient(c.ClientConf(self.mac, **conf), random.Random(seed))  # type: ignore[arg-type]
        self.done: list[c.Output] = []

    def kinds(self) -> list[str]:
        """Return what was done as words: a message's type, or the name of the output."""
        return [
            str(d.Dhcp.parse(o.octets).type) if isinstance(o, c.Send) else type(o).__name__
            for o in self.done
        ]


class Lab:
    """A server and clients on one wire; *loss* is the part of messages that vanish."""

    def __init__(self, server: Server, *boxes: Box, loss: float = 0.0, seed: int = 1) -> None:
        self.server, self.boxes, self.loss = server, boxes, loss
        self.now = 0.0
        self.dice = random.Random(seed)
        self.strangers: set[int] = set()

    def run(self, until: float) -> None:
        """Let time pass."""
        for box in self.boxes:
            self.carry(box)
        while True:
            dues = [due for box in self.boxes if (due := box.client.next_due()) is not None]
            if not dues or min(dues) > until:
                break
            self.now = max(self.now, min(dues))
            for box in self.boxes:
                due = box.client.next_due()
                if due is not None and due <= self.now:
                    box.client.run(self.now)
                    self.carry(box)
            self.check()
        self.now = until

    def lost(self) -> bool:
        """Throw for one message."""
        return self.dice.random() < self.loss

    def carry(self, box: Box) -> None:
        """Do what *box* asks for, until it asks for no more."""
        while output := box.client.take_output():
            box.done += output
            for item in output:
                if isinstance(item, c.Probe):
                    self.probed(box, Arp.parse(item.octets))
                elif isinstance(item, c.Send) and not self.lost():
                    reply = self.server.answer(item.octets, self.now)
                    if reply is not None and not self.lost():
                        for other in self.boxes:
                            other.client.input(reply, self.now)
                            if other is not box:
                                assert not other.client.take_output()

    def probed(self, box: Box, arp: Arp) -> None:
        """Have whoever has the address say so."""
        addr = int.from_bytes(arp.tpa, "big")
        for other in self.boxes:
            lease = other.client.lease
            if other is not box and lease is not None and lease.addr == addr:
                reply = arp_build(ARPOP_REPLY, other.mac, addr, box.mac, 0)
                box.client.arp_input(reply, self.now)
        if addr in self.strangers:
            box.client.arp_input(arp_build(ARPOP_REPLY, b"\2" * 6, addr, box.mac, 0), self.now)

    def check(self) -> None:
        """No address is in two places."""
        held = [box.client.lease.addr for box in self.boxes if box.client.lease is not None]
        assert len(held) == len(set(held))


def test_four_messages_and_a_probe_lead_to_a_lease() -> None:
    box = Box(hostname="me")
    lab = Lab(Server(), box)
    box.client.start(0.0)
    assert 1.0 <= (box.client.next_due() or 0) <= 10.0
    lab.run(20)
    assert box.kinds() == ["1", "3", "Probe", "Probe", "Bound"]
    lease = box.client.lease
    assert lease is not None
    assert (lease.addr, lease.mask, lease.routers) == (POOL, 0xFFFFFF00, (SERVER,))
    assert (lease.domain, lease.hostname) == ("lab.example", "boxa")
    assert lease.servers == (SERVER, SERVER + 1)
    discover, request = lab.server.seen
    assert discover.flags == request.flags == d.BOOTP_BROADCAST
    assert discover.xid == request.xid
    assert request.addr(50) == POOL
    assert request.addr(54) == SERVER
    assert request.options[61] == b"\1" + box.mac
    assert request.text(12) == "me"
    assert discover.addr(54) is None


def test_renewal_is_unicast_at_t1_and_changes_nothing() -> None:
    box = Box()
    lab = Lab(Server(seconds=600), box)
    box.client.start(0.0)
    lab.run(20)
    lease = box.client.lease
    assert lease is not None
    assert lease.t1 is not None
    assert lease.end is not None
    assert (lease.end - lease.t1) == pytest.approx(300)
    box.done.clear()
    lab.run(lease.t1 + 1)
    send, bound = box.done
    assert isinstance(send, c.Send)
    assert (send.src, send.dst) == (POOL, SERVER)
    msg = lab.server.seen[-1]
    assert (msg.ciaddr, msg.addr(50), msg.addr(54), msg.flags) == (POOL, None, None, 0)
    assert isinstance(bound, c.Bound)
    assert bound.before is not None
    assert bound.lease.same_setup(bound.before)


def test_silent_server_is_asked_by_broadcast_after_t2_and_the_address_goes_at_the_end() -> None:
    box = Box()
    lab = Lab(Server(seconds=1000), box)
    box.client.start(0.0)
    lab.run(20)
    lease = box.client.lease
    assert lease is not None
    assert lease.t2 is not None
    assert lease.end is not None
    lab.server.mute = True
    box.done.clear()
    lab.run(lease.t2 - 1)
    assert {o.dst for o in box.done if isinstance(o, c.Send)} == {SERVER}
    assert box.client.state == c.RENEWING
    box.done.clear()
    lab.run(lease.end - 0.5)
    assert {o.dst for o in box.done if isinstance(o, c.Send)} == {c.INADDR_BROADCAST}
    assert box.client.state == c.REBINDING
    assert box.client.lease == lease
    lab.run(lease.end)
    assert box.client.lease is None
    assert c.Lost(lease) in box.done
    lab.server.mute = False
    lab.run(lease.end + 200)
    assert box.client.state == c.BOUND


def test_nak_takes_the_address_away() -> None:
    box = Box()
    lab = Lab(Server(), box)
    box.client.start(0.0)
    lab.run(20)
    lab.server.bad.add(POOL)
    lab.run(350)
    assert [k for k in box.kinds() if k in ("Bound", "Lost")] == ["Bound", "Lost", "Bound"]
    assert box.client.lease is not None
    assert box.client.lease.addr == POOL + 1


def test_reboot_asks_for_the_old_address_without_discover() -> None:
    box = Box()
    lab = Lab(Server(), box)
    box.client.start(0.0, last=POOL + 2)
    lab.run(5)
    assert box.kinds() == ["3", "Probe", "Probe", "Bound"]
    msg = lab.server.seen[0]
    assert (msg.ciaddr, msg.addr(50), msg.addr(54)) == (0, POOL + 2, None)


@pytest.mark.parametrize("mute", [True, False])
def test_reboot_that_is_refused_or_not_heard_starts_over(mute: bool) -> None:
    box = Box()
    lab = Lab(Server(), box)
    lab.server.mute = mute
    box.client.start(0.0, last=inet_pton("192.168.7.7"))
    lab.run(40)
    lab.server.mute = False
    lab.run(200)
    assert box.client.lease is not None
    assert box.client.lease.addr == POOL
    assert box.kinds().count("3") == (4 if mute else 2)


def test_conflict_is_declined_and_another_address_taken_ten_seconds_later() -> None:
    box = Box()
    lab = Lab(Server(), box)
    lab.strangers.add(POOL)
    box.client.start(0.0)
    lab.run(60)
    assert box.kinds() == ["1", "3", "Probe", "4", "1", "3", "Probe", "Probe", "Bound"]
    decline = lab.server.seen[2]
    assert (decline.addr(50), decline.addr(54), decline.ciaddr) == (POOL, SERVER, 0)
    assert box.client.lease is not None
    assert box.client.lease.addr == POOL + 1


def test_conflicts_without_end_end_the_client() -> None:
    box = Box(declines=2)
    lab = Lab(Server(size=9), box)
    lab.strangers.update(range(POOL, POOL + 9))
    box.client.start(0.0)
    lab.run(600)
    assert box.client.failure == c.CONFLICTS
    assert box.kinds().count("4") == 2


def test_probing_can_be_switched_off() -> None:
    box = Box(declines=0)
    lab = Lab(Server(), box)
    lab.strangers.add(POOL)
    box.client.start(0.0)
    lab.run(20)
    assert box.kinds() == ["1", "3", "Bound"]


def test_nobody_answers() -> None:
    box = Box(timeout_s=60)
    lab = Lab(Server(), box)
    lab.server.mute = True
    box.client.start(0.0)
    lab.run(200)
    assert box.client.failure == c.NO_SERVER
    assert box.client.next_due() is None
    # 4, 8, 16 and 32 seconds apart, give or take one each.
    assert len(lab.server.seen) == 4 or len(lab.server.seen) == 5


def test_release_gives_the_address_back() -> None:
    box = Box()
    lab = Lab(Server(), box)
    box.client.start(0.0)
    lab.run(20)
    box.done.clear()
    box.client.release(lab.now)
    lab.carry(box)
    assert box.kinds() == ["7", "Lost"]
    assert not lab.server.leases
    msg = lab.server.seen[-1]
    assert (msg.ciaddr, msg.addr(50), msg.addr(54)) == (POOL, None, SERVER)


def test_only_the_named_server_is_believed() -> None:
    box = Box(server=SERVER + 7, timeout_s=30)
    lab = Lab(Server(), box)
    box.client.start(0.0)
    lab.run(100)
    assert set(box.kinds()) == {"1"}


def test_a_probe_of_another_for_the_same_address_is_a_conflict() -> None:
    box = Box()
    lab = Lab(Server(), box)
    box.client.start(0.0)
    while box.client.state != c.PROBING:
        lab.run((box.client.next_due() or 0) + 0.001)
    box.client.arp_input(arp_build(ARPOP_REQUEST, b"\2" * 6, 0, bytes(6), POOL), lab.now)
    assert box.client.state == c.INIT


def test_lease_without_end_is_never_renewed() -> None:
    box = Box()
    lab = Lab(Server(seconds=c.INFINITY), box)
    box.client.start(0.0)
    lab.run(20)
    assert box.client.state == c.BOUND
    assert box.client.next_due() is None


@given(st.binary(max_size=80), st.sampled_from([c.SELECTING, c.REQUESTING, c.RENEWING]))
def test_hostile_options_never_escape(options: bytes, state: str) -> None:
    box = Box()
    server = Server()
    lab = Lab(server, box)
    server.mute = state == c.SELECTING
    box.client.start(0.0)
    if state == c.REQUESTING:
        while box.client.state != c.SELECTING:
            lab.server.mute = True
            lab.run((box.client.next_due() or 0) + 0.001)
        offer = server.reply(server.seen[-1], d.DHCPOFFER, POOL)
        box.client.input(offer, lab.now)
    else:
        lab.run(20 if state != c.RENEWING else 19)
    if state == c.RENEWING:
        server.mute = True
        lab.run(320)
    assert box.client.state == state
    sent = [o for o in box.done if isinstance(o, c.Send)] + [
        o for o in box.client.take_output() if isinstance(o, c.Send)
    ]
    head = bytearray(sent[-1].octets[:240])
    head[0] = d.BOOTREPLY
    head[16:20] = POOL.to_bytes(4, "big")
    for kind in (d.DHCPOFFER, d.DHCPACK, d.DHCPNAK):
        tail = bytes((53, 1, kind, 54, 4)) + SERVER.to_bytes(4, "big") + options
        box.client.input(bytes(head) + tail, lab.now)
        due = box.client.next_due()
        assert due is None or due >= 0


@given(st.binary(max_size=60))
def test_hostile_arp_is_no_conflict_unless_it_claims_the_address(octets: bytes) -> None:
    box = Box()
    lab = Lab(Server(), box)
    box.client.start(0.0)
    while box.client.state != c.PROBING:
        lab.run((box.client.next_due() or 0) + 0.001)
    box.client.arp_input(octets, lab.now)
    assert box.client.state == c.PROBING or POOL.to_bytes(4, "big") in octets


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_never_two_clients_at_one_address(seed: int) -> None:
    dice = random.Random(seed)
    server = Server(size=dice.randint(1, 4), seconds=dice.choice((3, 30, 200, 900)))
    boxes = [Box(number + 1, seed + number) for number in range(4)]
    lab = Lab(server, *boxes, loss=dice.choice((0.0, 0.2, 0.5)), seed=seed)
    for box in boxes:
        box.client.start(0.0, last=POOL if dice.random() < 0.3 else 0)
    for _ in range(12):
        lab.run(lab.now + dice.random() * 400)
        event = dice.randrange(5)
        box = dice.choice(boxes)
        if event == 0:
            server.mute = not server.mute
        elif event == 1:
            box.client.release(lab.now)
            lab.carry(box)
            box.client.start(lab.now)
        elif event == 2 and box.client.lease is not None:
            last = box.client.lease.addr
            box.client.stop()
            box.client = c.DhcpClient(box.client.conf, random.Random(dice.getrandbits(32)))
            box.client.start(lab.now, last=last)
        lab.check()
