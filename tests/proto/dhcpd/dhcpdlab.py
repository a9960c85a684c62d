"""A server core with a disk, for tests: what cmds/dhcpd.py is to it, in memory and in virtual time."""

from __future__ import annotations

import random

from libnet.addr import inet_aton
from libnet.conf.dhcpdconf import parse
from libnet.conf.leases import read_leases
from libnet.proto.dhcpd.network import Circuit, attach
from libnet.proto.dhcpd.reply import Ping, Reply
from libnet.proto.dhcpd.server import Server
from libnet.wire import dhcp as d

SERVER = inet_aton("10.9.0.1")
SERVER_MAC = bytes.fromhex("020000000001")
EPOCH = 1_795_000_000

CONF = """
authoritative; ddns-update-style none; ping-check off; default-lease-time 600; max-lease-time 7200;
subnet 10.9.0.0 netmask 255.255.255.0 {{ option routers 10.9.0.1; range 10.9.0.10 10.9.0.{last}; }}
"""


class Disk:
    """A lease file: what is durable, and what a power cut may take a part of."""

    def __init__(self, text=""):
        self.text = text
        self.full = False

    def append(self, journal):
        """Add entries; tell whether they are durable."""
        if self.full:
            return False
        self.text += journal
        return True


class Lab:
    """One server that can be started again. Its time is `now`, the host's clock `wall()`."""

    def __init__(self, conf=None, *, last=13, seed=0, addrs=(SERVER,), leases="", **kw):
        self.conf = CONF.format(last=last) if conf is None else conf
        self.dice = random.Random(seed)
        self.disk = Disk(leases)
        self.now, self.jumped = 1000.0, 0.0
        self.circuits = [Circuit("wm0", SERVER_MAC, tuple(addrs))]
        self.kw = kw
        self.log = []
        self.out = []
        self.start()

    def wall(self):
        return EPOCH + self.now + self.jumped

    def start(self):
        """Start from what is on the disk."""
        config = parse(self.conf, "dhcpd.conf")
        assert not config.errors, "\n".join(map(str, config.errors))
        self.config = config
        database = read_leases(self.disk.text, "dhcpd.leases")
        ports = attach(config, self.circuits).ports
        self.server = Server(
            config, ports, self.dice, self.now, self.wall(), leases=database, **self.kw
        )
        self.rewrite()

    def rewrite(self):
        self.disk.text = "".join(self.server.snapshot())
        self.server.rewritten(True)

    def settle(self):
        """Write, then take what the server sends."""
        server = self.server
        journal = server.take_journal()
        if journal:
            server.committed(self.disk.append(journal))
        if server.wants_rewrite():
            if self.disk.full:
                server.rewritten(False)
            else:
                self.rewrite()
        self.log += [text for _severity, text in server.take_log()]
        self.out += server.take_output()
        return self.out

    def run(self, seconds=0.0):
        """Let time pass, with the server awake whenever it wants to be."""
        end = self.now + seconds
        while True:
            due = self.server.next_due()
            self.now = min(max(due, self.now), end) if due is not None else end
            self.server.run(self.now, self.wall())
            self.settle()
            if self.now >= end:
                return

    def put(self, octets, ifname="wm0", src=0):
        """Give the server octets; return what it sends."""
        self.out = []
        self.log = []
        self.server.input(octets, ifname, src, self.now, self.wall())
        return self.settle()

    def send(self, kind, mac, **kw):
        """Send a message; return the replies, parsed, as (Reply, Dhcp)."""
        out = self.put(message(kind, mac, **kw), src=kw.get("src", 0))
        return [(item, d.Dhcp.parse(item.octets)) for item in out if isinstance(item, Reply)]

    def answer(self, kind, mac, **kw):
        """Send a message; return the only reply, None without one."""
        replies = self.send(kind, mac, **kw)
        assert len(replies) <= 1
        return replies[0][1] if replies else None

    def lease(self, mac, **kw):
        """Have a client get an address; return it."""
        offer = self.answer(d.DHCPDISCOVER, mac, **kw)
        if offer is None:
            return None
        ack = self.answer(d.DHCPREQUEST, mac, wanted=offer.yiaddr, server=SERVER, **kw)
        assert ack is not None, self.log
        assert (ack.type, ack.yiaddr) == (d.DHCPACK, offer.yiaddr)
        return ack.yiaddr

    def pings(self):
        return [item for item in self.out if isinstance(item, Ping)]


def mac(number):
    """Return a client's address."""
    return b"\2\0\0\1" + number.to_bytes(2, "big")


def message(
    kind,
    client,
    *,
    uid=None,
    wanted=0,
    server=0,
    ciaddr=0,
    giaddr=0,
    flags=0,
    secs=0,
    xid=7,
    asks=None,
    options=None,
    cookie=True,
    src=0,
):
    """Return the octets of a client's message."""
    rows = {}
    if kind:
        rows[d.DHO_DHCP_MESSAGE_TYPE] = bytes((kind,))
    if uid is not None:
        rows[d.DHO_DHCP_CLIENT_IDENTIFIER] = uid
    if wanted:
        rows[d.DHO_DHCP_REQUESTED_ADDRESS] = wanted.to_bytes(4, "big")
    if server:
        rows[d.DHO_DHCP_SERVER_IDENTIFIER] = server.to_bytes(4, "big")
    if asks is not None:
        rows[d.DHO_DHCP_PARAMETER_REQUEST_LIST] = bytes(asks)
    rows.update(options or {})
    return d.Dhcp(
        d.BOOTREQUEST, 1, len(client), 0, xid, secs, flags, ciaddr, 0, 0, giaddr,
        client, b"", b"", rows, cookie,
    ).build()  # fmt: skip
