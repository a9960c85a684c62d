"""Random clients and faults: never are two clients bound to one address, and no lease is forgotten.

Everything runs in virtual time from a seed. IOPKT_DHCPD_SEEDS says how many seeds (1000), and
IOPKT_DHCPD_FIRST with which to begin: a failure names its seed.
"""

from __future__ import annotations

import heapq
import os
import random

import pytest

from libnet.proto.dhcpclient import (
    Bound,
    ClientConf,
    DhcpClient,
    Lost,
    Probe,
    Send,
)
from libnet.proto.dhcpd.keeper import CLOCK_CHECK_S
from libnet.proto.dhcpd.lease import ACTIVE
from libnet.proto.dhcpd.pool import GRACE_S
from libnet.proto.dhcpd.reply import Reply
from libnet.wire import dhcp as d
from libnet.wire.arp import ARPOP_REPLY, Arp, arp_build
from tests.proto.dhcpd.dhcpdlab import Lab, mac

SEEDS = int(os.environ.get("IOPKT_DHCPD_SEEDS", "1000"))
FIRST = int(os.environ.get("IOPKT_DHCPD_FIRST", "0"))
SHARDS = 20
SPAN_S = 1200.0  # of a run
DELAY_S = 1.0  # the most that a packet is late

CONF = """
authoritative; ddns-update-style none; {ping} {one}
default-lease-time {lease}; max-lease-time {lease}; min-lease-time 30;
subnet 10.8.0.0 netmask 255.255.255.0 {{ range 10.8.0.10 10.8.0.11; }}
subnet 10.9.0.0 netmask 255.255.255.0 {{ range 10.9.0.10 10.9.0.{last}; {extra} }}
"""
RELAY = 0x0A080001


class Client:
    """A box that is switched on and off; `addr` is what its interface has."""

    def __init__(self, number, dice, *, probes, ident, relay):
        self.mac, self.dice = mac(number), dice
        self.relay = relay  # address of the relay that its broadcasts pass, 0 without
        self.probes, self.ident = probes, ident
        self.core = None
        self.addr = 0
        self.lease = None
        self.remembered = (0, 0.0)

    def switch_on(self, now):
        conf = ClientConf(
            self.mac,
            ident=b"\0" + self.mac,
            unicast=self.dice.random() < 0.5,
            declines=5 if self.probes else 0,
            hostname="" if self.dice.random() < 0.5 else "c",
        )
        self.core = DhcpClient(conf, self.dice)
        addr, end = self.remembered
        self.core.start(now, last=addr if end > now else 0)

    def switch_off(self, now, *, release):
        """Release, or lose power: then the lease is remembered for the next time."""
        if release:
            self.core.release(now)
        return self.core.take_output()

    def off(self):
        self.core = None
        self.addr, self.lease = 0, None


class Run:
    """One seed."""

    def __init__(self, seed):
        self.dice = dice = random.Random(seed)
        self.seed = seed
        size = dice.randrange(2, 7)
        self.ping = dice.random() < 0.3
        extra = ""
        if dice.random() < 0.3:
            extra = f"range 10.9.0.{10 + size} 10.9.0.{10 + size};"  # a second range
        conf = CONF.format(
            ping="" if self.ping else "ping-check off;",
            one=dice.choice(
                (
                    "",
                    "one-lease-per-client on;",
                    "dhcp-cache-threshold 25;",
                    "adaptive-lease-time-threshold 50;",
                )
            ),
            lease=dice.choice((40, 90, 200, 600)),
            last=10 + size - 1,
            extra=extra,
        )
        if dice.random() < 0.2:
            conf += "host a { hardware ethernet 02:00:00:01:00:00; fixed-address 10.9.0.10; }\n"
        if dice.random() < 0.2:
            net, _brace, rest = conf.rpartition("subnet 10.9.0.0")
            conf = f"{net} shared-network both {{ subnet 10.9.0.0{rest}"
            conf += "subnet 10.9.1.0 netmask 255.255.255.0 { range 10.9.1.10 10.9.1.11; } }\n"
        self.lab = Lab(conf, seed=seed)
        self.up = True
        self.loss = dice.choice((0.0, 0.05, 0.3))
        self.again = dice.choice((0.0, 0.1, 0.3))
        probes = dice.random() < 0.3
        self.clients = [
            Client(
                n,
                dice,
                probes=probes,
                ident=dice.random() < 0.7,
                relay=dice.choice((0, 0, RELAY)),
            )
            for n in range(dice.randrange(2, 9))
        ]
        self.events = []
        self.count = 0
        self.safe_at = 0.0  # the server has not seen the clock's last jump before that
        self.bound = 0

    # -- the world

    def after(self, seconds, what, *args):
        self.count += 1
        heapq.heappush(self.events, (self.lab.now + seconds, self.count, what, args))

    def carry(self, what, *args):
        """Pass something on, late, twice, or never."""
        times = 0 if self.dice.random() < self.loss else 1
        if self.dice.random() < self.again:
            times += 1
        for _ in range(times):
            self.after(self.dice.random() * self.dice.choice((0.01, DELAY_S)), what, *args)

    def go(self):
        for client in self.clients:
            self.after(self.dice.random() * 60, self.toggle, client)
        self.after(self.dice.random() * 300, self.fault)
        self.after(self.dice.random() * 100, self.stranger)
        end = self.lab.now + SPAN_S
        while True:
            now = self.next_time(end)
            if now is None:
                return
            self.lab.now = now
            while self.events and self.events[0][0] <= now:
                _when, _count, what, args = heapq.heappop(self.events)
                what(*args)
            if self.up:
                self.lab.server.run(now, self.lab.wall())
                self.serve()
            for client in self.clients:
                if client.core is not None:
                    client.core.run(now)
                    self.act(client)
            self.check()

    def next_time(self, end):
        due = [self.events[0][0]] if self.events else []
        if self.up:
            due.append(self.lab.server.next_due())
        due += [
            when
            for client in self.clients
            if client.core is not None and (when := client.core.next_due()) is not None
        ]
        now = max(min(due, default=end), self.lab.now)
        return now if now < end else None

    # -- clients

    def toggle(self, client):
        now = self.lab.now
        if client.core is None:
            client.switch_on(now)
            self.after(self.dice.choice((30, 300, 900)) * self.dice.random(), self.toggle, client)
            return
        release = self.dice.random() < 0.4 and client.core.lease is not None
        for item in client.switch_off(now, release=release):
            if isinstance(item, Send):
                self.carry(self.to_server, self.sent(client, item), item.src)
        if release:
            client.remembered = (0, 0.0)
        client.off()
        # A message of before must not come after those of the next life.
        self.after(2 * DELAY_S + self.dice.random() * 200, self.toggle, client)

    def act(self, client):
        for item in client.core.take_output():
            if isinstance(item, Send):
                self.carry(self.to_server, self.sent(client, item), item.src)
            elif isinstance(item, Probe):
                self.probe(client, Arp.parse(item.octets))
            elif isinstance(item, Bound):
                client.addr, client.lease = item.lease.addr, item.lease
                client.remembered = (item.lease.addr, item.lease.end)
                self.bound += 1
            elif isinstance(item, Lost):
                client.addr, client.lease = 0, None
                client.remembered = (0, 0.0)

    def sent(self, client, item):
        """Return a message as the server gets it."""
        msg = d.Dhcp.parse(item.octets)
        rows = dict(msg.options)
        if not client.ident:
            del rows[d.DHO_DHCP_CLIENT_IDENTIFIER]
        if client.relay and item.dst == 0xFFFFFFFF:
            rows[d.DHO_DHCP_AGENT_OPTIONS] = b"\1\2p1"
            msg = msg._replace(giaddr=client.relay)
        return msg._replace(options=rows).build()

    def probe(self, client, arp):
        addr = int.from_bytes(arp.tpa, "big")
        for other in self.clients:
            if other is not client and other.addr == addr:
                reply = arp_build(ARPOP_REPLY, other.mac, addr, client.mac, 0)
                self.after(0.01, self.arp, client, client.core, reply)

    def arp(self, client, core, reply):
        if client.core is core:
            core.arp_input(reply, self.lab.now)

    def to_client(self, client, core, octets):
        if client.core is not None and client.core is core:
            core.input(octets, self.lab.now)
            self.act(client)

    # -- the server

    def to_server(self, octets, src):
        if not self.up:
            return
        self.lab.server.input(octets, "wm0", src, self.lab.now, self.lab.wall())
        if self.dice.random() < 0.7:
            self.serve()  # else with the next ones, or with the next deadline

    def serve(self):
        self.lab.settle()
        out, self.lab.out = self.lab.out, []
        for item in out:
            if not isinstance(item, Reply):
                for client in self.clients:
                    if client.addr == item.dst:
                        self.carry(self.echo, item.dst, item.ident)
                continue
            msg = d.Dhcp.parse(item.octets)
            for client in self.clients:
                if client.mac == msg.chaddr:
                    self.carry(self.to_client, client, client.core, item.octets)

    def echo(self, addr, ident):
        if self.up:
            self.lab.server.echo_input(addr, ident, self.lab.now, self.lab.wall())

    # -- faults

    def fault(self):
        now, dice = self.lab.now, self.dice
        what = dice.randrange(4)
        if what == 0 and self.up and now >= self.safe_at:
            self.kill()
        elif what == 1 and self.up and not self.lab.disk.full:
            self.lab.jumped += dice.choice((-7200, -3, 3, 700, 90_000))
            self.safe_at = now + CLOCK_CHECK_S + 0.5
        elif what == 2 and self.up and now >= self.safe_at:
            self.lab.disk.full = True
            self.after(dice.random() * 120, self.empty)
        elif what == 3:
            self.loss = dice.choice((0.0, 0.1, 0.5, 0.9))
        self.after(dice.random() * 200, self.fault)

    def empty(self):
        self.lab.disk.full = False

    def kill(self):
        """Cut the power, while something is being written or not."""
        journal = self.lab.server.take_journal()
        self.lab.disk.text += journal[: self.dice.randrange(len(journal) + 1)]
        self.up = False
        self.after(self.dice.choice((0.1, 5, 100)) * self.dice.random(), self.revive)

    def revive(self):
        self.lab.disk.full = False
        self.lab.start()
        self.up = True
        self.lab.out = []
        calendar = self.lab.wall()
        for client in self.clients:
            lease = client.lease
            if lease is None or lease.end <= self.lab.now:
                continue
            if lease.addr in self.lab.server.table.fixed:
                continue
            known = self.lab.server.table.by_addr.get(lease.addr)
            assert known is not None, self.seed
            assert known.state == ACTIVE, self.seed
            assert known.hardware == (1, client.mac), self.seed
            assert known.ends + GRACE_S - calendar >= lease.end - self.lab.now, self.seed

    def stranger(self):
        """Say something about an address that is somebody else's."""
        dice = self.dice
        kind = dice.choice(
            (d.DHCPDISCOVER, d.DHCPREQUEST, d.DHCPDECLINE, d.DHCPRELEASE, d.DHCPINFORM, 0)
        )
        addr = 0x0A090000 + dice.randrange(8, 20)
        rows = {d.DHO_DHCP_MESSAGE_TYPE: bytes((kind,))} if kind else {}
        if dice.random() < 0.7:
            rows[d.DHO_DHCP_REQUESTED_ADDRESS] = addr.to_bytes(4, "big")
        if dice.random() < 0.3:
            rows[d.DHO_DHCP_CLIENT_IDENTIFIER] = dice.randbytes(3)
        ciaddr = addr if dice.random() < 0.5 else 0
        giaddr = dice.choice((0, 0, 0, RELAY, 0x0A090001, 0x01020304))
        msg = d.Dhcp(
            1, 1, 6, 0, 5, 0, 0, ciaddr, 0, 0, giaddr, mac(100 + dice.randrange(2)), b"", b"", rows
        )
        self.carry(self.to_server, msg.build(), ciaddr)
        self.after(dice.random() * 100, self.stranger)

    # -- what must hold

    def check(self):
        owners = {}
        for client in self.clients:
            if client.addr:
                assert client.addr not in owners, (self.seed, self.lab.now)
                owners[client.addr] = client


@pytest.mark.parametrize("shard", range(SHARDS))
def test_never_two_clients_on_one_address(shard):
    bound = 0
    for seed in range(FIRST + shard, FIRST + SEEDS, SHARDS):
        run = Run(seed)
        run.go()
        bound += run.bound
    assert bound or SEEDS < SHARDS
