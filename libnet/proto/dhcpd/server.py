"""dhcpd(8) as a core: the requests of clients in, replies and entries of dhcpd.leases(5) out.

    server = Server(config, ports, dice, now, wall, leases=database)
    server.input(octets, ifname, src, now, wall)   a message for the server's port
    server.echo_input(addr, ident, now, wall)      an answer to a ping
    server.run(now, wall)                          when next_due() has come
    text = server.take_journal()                   to be appended to the file and made durable, then:
    server.committed(True)                         or False, when it could not be written
    server.take_output()                           Reply and Ping, in order
    server.take_log()                              (severity, line)

No ACK is in take_output() before the entry that promises the address is durable; a client that is told
of an address can rely on it whatever happens to the server.

Time. Leases run on a calendar that begins at the host's clock and then follows `now`, which does not
jump. `skew` is what the host's clock has jumped since: entries are written in the host's time, and
after a jump all of them are, so that the file always says what the clock will say. Between the end of a
lease and the address's next owner lie GRACE_S seconds.

    free ── OFFER: held OFFER_S for one client ── REQUEST, entry durable, ACK ── active
     ^                     └ nobody came ┐         active ── RELEASE, or its end ── free
     └────────────────────────────────────         active or held ── DECLINE, ping answered ── abandoned
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from libnet.addr import ether_ntoa, inet_ntoa
from libnet.clock import Dice
from libnet.conf.leases import NEVER, Database
from libnet.proto.dhcpd.choose import Choice, Chooser, Hosts, adopt
from libnet.proto.dhcpd.classes import match
from libnet.proto.dhcpd.keeper import Keeper, where
from libnet.proto.dhcpd.lease import ABANDONED, ACTIVE, Lease
from libnet.proto.dhcpd.lines import ERROR, INFO, Line, Lines
from libnet.proto.dhcpd.network import Port, locate, subnet_of
from libnet.proto.dhcpd.reply import INADDR_BROADCAST, Output, Packet, Ping, Reply, Writer
from libnet.proto.dhcpd.request import Request
from libnet.proto.dhcpd.scope import Resolver, Settings
from libnet.wire import Malformed, Truncated
from libnet.wire import dhcp as d

if TYPE_CHECKING:
    from libnet.conf.dhcpdconf.tree import Config, Network, Scope
    from libnet.proto.dhcpd.pool import Table

PING_AGAIN_S: Final = 60  # an address found unused is not pinged again so soon
DEFAULT_LEASE_S: Final = 43200
MAX_LEASE_S: Final = 86400
MIN_LEASE_S: Final = 300
MAX_PINGS: Final = 1024  # offers waiting for an echo; more are made without
DHCPLEASEQUERY: Final = 10  # RFC 4388

_MESSAGES: Final = {
    0: "BOOTREQUEST",
    d.DHCPDISCOVER: "DHCPDISCOVER",
    d.DHCPREQUEST: "DHCPREQUEST",
    d.DHCPDECLINE: "DHCPDECLINE",
    d.DHCPRELEASE: "DHCPRELEASE",
    d.DHCPINFORM: "DHCPINFORM",
}
_REPLIES: Final = {0: "BOOTREPLY", d.DHCPOFFER: "DHCPOFFER", d.DHCPACK: "DHCPACK"}
_HINT: Final = (
    "If this DHCP server is authoritative for that subnet,",
    "please write an `authoritative;' directive either in the",
    "subnet declaration or in some scope that encloses the",
    "subnet declaration - for example, write it at the top",
    "of the dhcpd.conf file.",
)


class _Pending:
    """An offer that waits to hear that nobody answers for its address."""

    __slots__ = ("due", "lease", "line", "reply")

    def __init__(self, due: float, lease: Lease, reply: Reply, line: str) -> None:
        self.due, self.lease, self.reply, self.line = due, lease, reply, line


class _Held:
    """An ACK that waits for its entry to be durable."""

    __slots__ = ("before", "line", "reply")

    def __init__(self, reply: Reply, before: Line, line: Line) -> None:
        self.reply, self.before, self.line = reply, before, line


class Server:
    """One run of the server.

    lookup    addresses of a host name as octets, None when there are none
    name_of   name of an address, for get-lease-hostnames
    local_port, remote_port   of the server and of clients
    broadcast where replies go that cannot be sent to an address
    dynamic   how many hosts the lease file declares
    dropped   how many messages were passed over, by reason
    """

    def __init__(
        self,
        config: Config,
        ports: Sequence[Port],
        dice: Dice,
        now: float,
        wall: float,
        *,
        leases: Database | None = None,
        lookup: Callable[[str], bytes | None] | None = None,
        name_of: Callable[[int], str | None] | None = None,
        local_port: int = d.BOOTPS,
        remote_port: int = d.BOOTPC,
        broadcast: int = INADDR_BROADCAST,
    ) -> None:
        self.config = config
        self.dynamic = adopt(config, leases) if leases is not None else 0
        self.dropped: dict[str, int] = {}
        self._ports = {port.name: port for port in ports}
        self._lines = Lines()
        self._resolver = Resolver(config, lookup)
        self._keeper = Keeper(self._resolver, self._lines, now, wall)
        self._writer = Writer(self._resolver, local_port, remote_port, broadcast, name_of)
        self._hosts = Hosts(config, lookup)
        self._chooser = Chooser(self._keeper.table, self._hosts)
        self._output: list[Output] = []
        self._held: list[_Held] = []
        self._queued: list[_Held] = []  # those whose entries are being written
        self._pings: dict[int, _Pending] = {}
        self._ident = dice.getrandbits(16)
        self._seq = 0
        self._why = ""  # the text of the next NAK; see _nak
        self._hinted = False
        if leases is not None:
            self._keeper.load(leases)

    @property
    def table(self) -> Table:
        """The leases."""
        return self._keeper.table

    @property
    def local_port(self) -> int:
        """The server's port."""
        return self._writer.local_port

    # -- driven from outside

    def next_due(self) -> float:
        """Return when run() wants to be called; never more than CLOCK_CHECK_S away."""
        due = self._keeper.next_due()
        for pending in self._pings.values():
            due = min(due, pending.due)
        return due

    def run(self, now: float, wall: float) -> None:
        """Do what is due."""
        self._keeper.tick(now, wall)
        for pending in [one for one in self._pings.values() if one.due <= now]:
            self._send_offer(pending)
        self._keeper.expire()

    def take_log(self) -> list[tuple[int, str]]:
        """Return severity and text of lines for the log."""
        return self._lines.take()

    def take_journal(self) -> str:
        """Return entries to append to the file, "" for none; committed() is to follow."""
        self._queued, self._held = self._held, []
        journal = self._keeper.take_journal()
        if not journal:
            self.committed(True)  # what is promised again is on the disk already
        return journal

    def committed(self, ok: bool) -> None:
        """Say whether the entries of take_journal() are durable."""
        for held in self._queued:
            if ok:
                self._output.append(held.reply)
            else:
                held.before.text += ": database update failed"
                held.line.text = ""
        self._queued = []
        if not ok:
            self._keeper.unwritten()

    def wants_rewrite(self) -> bool:
        """Tell whether the file should be written whole; see snapshot() and rewritten()."""
        return self._keeper.wants_rewrite()

    def snapshot(self) -> Iterator[str]:
        """Yield what the file is to say, but for its header."""
        return self._keeper.snapshot()

    def count(self) -> int:
        """Return how many leases snapshot() has."""
        return self._keeper.count()

    def rewritten(self, ok: bool) -> None:
        """Say that the file has been written whole, or could not be: then again later."""
        self._keeper.rewritten(ok)

    def take_output(self) -> list[Output]:
        """Return what is to be sent, in order. ACKs are among it once committed() has been told."""
        output, self._output = self._output, []
        return output

    def batch(self) -> int:
        """Return how many ACKs may wait for one write (delayed-ack), 0 for any number."""
        value = self._top().number("delayed-ack", 0)
        return max(value, 0)

    def input(self, octets: bytes, ifname: str, src: int, now: float, wall: float) -> None:
        """Take a message that came by an interface from the address *src*, host integer."""
        self._keeper.tick(now, wall)
        self._keeper.expire()
        port = self._ports.get(ifname)
        if port is None:
            self._drop("interface")
            return
        try:
            message = d.Dhcp.parse(octets)
        except (Truncated, Malformed):
            self._drop("malformed")
            return
        if message.op != d.BOOTREQUEST:
            self._drop("reply")
            return
        kind = message.type
        if d.DHO_DHCP_MESSAGE_TYPE in message.options and (not kind or kind not in _MESSAGES):
            self._unexpected(message, port)
            return
        request = Request(message, ifname, int(self._keeper.calendar()), octets)
        packet = Packet(request, port, src)
        packet.network = locate(self.config, request, port)
        packet.fixed = self._chooser.identify(request, packet.network)
        self._recall(request)
        lines: list[tuple[str, str]] = []
        match(self.config, request, self._resolver, lines)
        self._lines.say_all(lines)
        if packet.network is None and packet.kind not in (d.DHCPREQUEST, d.DHCPINFORM):
            self._refuse(packet, None, "unknown network segment")
            return
        {
            0: self._bootp,
            d.DHCPDISCOVER: self._discover,
            d.DHCPREQUEST: self._request,
            d.DHCPDECLINE: self._decline,
            d.DHCPRELEASE: self._release,
            d.DHCPINFORM: self._inform,
        }[packet.kind](packet)

    def _recall(self, request: Request) -> None:
        """Put in what the relay said when the lease was made: renewals do not pass it (RFC 3046)."""
        if request.agent or request.giaddr or not request.message.ciaddr:
            return
        lease = self._keeper.table.by_addr.get(request.message.ciaddr)
        if (
            lease is not None
            and lease.state == ACTIVE
            and lease.belongs_to(request.hardware, request.client_id)
        ):
            request.agent = dict(lease.agent)

    def _unexpected(self, message: d.Dhcp, port: Port) -> None:
        """Pass over a message that no client sends, or that is not answered here."""
        self._drop("type")
        if message.type == DHCPLEASEQUERY:
            source = inet_ntoa(message.giaddr or message.ciaddr)
            text = f"DHCPLEASEQUERY from {source}: LEASEQUERY not allowed, query ignored"
            self._lines.say(INFO, text)
        elif message.type not in (d.DHCPOFFER, d.DHCPACK, d.DHCPNAK):
            via = inet_ntoa(message.giaddr) if message.giaddr else port.name
            client = ether_ntoa(message.chaddr)
            text = f"type {message.type} from {client} via {via}: unknown packet type"
            self._lines.say(INFO, text)

    def echo_input(self, addr: int, ident: int, now: float, wall: float) -> None:
        """Take an ICMP echo reply from *addr*; answers to other people's pings are passed over."""
        self._keeper.tick(now, wall)
        if ident != self._ident:
            return
        pending = self._pings.pop(addr, None)
        if pending is None:
            known = self._keeper.table.lease(addr) is not None
            text = (
                f"ICMP Echo Reply for {inet_ntoa(addr)} late or spurious."
                if known
                else f"unexpected ICMP Echo Reply from {inet_ntoa(addr)}"
            )
            self._lines.say(INFO, text)
            return
        self._abandon(pending.lease, "pinged before offer", self._top())

    def _discover(self, packet: Packet) -> None:
        request, network = packet.request, packet.network
        assert network is not None
        choice = self._find(packet, packet.message.ciaddr or packet.wanted())
        lease = choice.lease
        line = f"DHCPDISCOVER from {packet.who(lease)}"
        if lease is None:
            lease = self._chooser.allocate(request, network)
            if lease is None:
                self._lines.say(INFO, f"{line}: network {network.name}: no free leases")
                return
            if lease.state == ABANDONED:
                self._lines.say(ERROR, f"Reclaiming abandoned lease {inet_ntoa(lease.addr)}.")
        self._answer(packet, lease, d.DHCPOFFER, line)

    def _request(self, packet: Packet) -> None:
        message, network = packet.message, packet.network
        wanted = packet.wanted()
        addr = wanted or message.ciaddr
        subnet = self.config.find_subnet(addr) if addr else None
        choice = Choice(None, False, "", ())
        if subnet is not None:
            # The address says which network the client believes itself to be on.
            choice = self._find(packet, addr, subnet.network)
        lease = choice.lease
        if lease is not None and lease.addr != addr:
            lease = None  # some other lease of the client is no answer to what it asks for
        server = message.options.get(d.DHO_DHCP_SERVER_IDENTIFIER, b"")
        said = f" ({inet_ntoa(int.from_bytes(server, 'big'))})" if len(server) == 4 else ""
        line = f"DHCPREQUEST for {inet_ntoa(addr)}{said} from {packet.who(lease)}"
        # A client that renews may sit behind a router that is no relay: where it is cannot be told.
        placed = (message.ciaddr and packet.request.giaddr) or (wanted and not message.ciaddr)
        if network is None:
            if subnet is not None and self._authoritative(packet, subnet):
                self._lines.say(INFO, f"{line}: wrong network.")
                self._nak(packet, addr)
            else:
                why = "unknown subnet" if subnet is None else "not authoritative"
                self._lines.say(INFO, f"{line}: ignored ({why}).")
            return
        if placed and subnet_of(network, addr) is None:
            if self._authoritative(packet, network):
                self._lines.say(INFO, f"{line}: wrong network.")
                self._nak(packet, addr)
            else:
                self._lines.say(INFO, f"{line}: ignored (not authoritative).")
            return
        if lease is None and choice.ours:
            self._lines.say(INFO, f"{line}: lease {inet_ntoa(addr)} unavailable.")
            self._nak(packet, addr)
            return
        if lease is None:
            self._lines.say(INFO, f"{line}: unknown lease {inet_ntoa(addr)}.")
            return
        if self._not_for_us(packet, server, lease):
            self._lines.say(INFO, f"{line}: not our server id")
            return
        if lease.state == ABANDONED:
            text = f"Reclaiming REQUESTed abandoned IP address {inet_ntoa(addr)}."
            self._lines.say(ERROR, text)
        self._answer(packet, lease, d.DHCPACK, line)

    def _nak(self, packet: Packet, addr: int) -> None:
        """Tell a client that its address is not right.

        The text is what was found out last, of this client or another one: the original keeps a single
        buffer for it, and an empty one is not sent.
        """
        client = ether_ntoa(packet.message.chaddr)
        self._lines.say(INFO, f"DHCPNAK on {inet_ntoa(addr)} to {client} via {packet.via}")
        self._output.append(self._writer.nak(packet, self._why))

    def _abandon(self, lease: Lease, why: str, settings: Settings) -> None:
        self._pings.pop(lease.addr, None)
        self._keeper.abandon(lease, why, settings)

    def _not_for_us(self, packet: Packet, server: bytes, lease: Lease) -> bool:
        if not server:
            return False
        settings = self._settings(packet, where(lease), lease)
        if not settings.flag("server-id-check", False):
            return False
        return server != self._writer.identifier(packet, settings)

    def _decline(self, packet: Packet) -> None:
        addr = packet.wanted()
        if not addr:
            self._drop("decline")
            return
        lease = self._keeper.table.by_addr.get(addr)
        mine = lease is not None and lease.held() and self._mine(packet, lease)
        assert packet.network is not None
        scope: Scope = packet.network if lease is None else where(lease)
        settings = self._settings(packet, scope, lease)
        declines = settings.param("declines", True)
        status, client = "not found", packet.who(lease)
        if declines == "ignore":
            return
        if declines is False:
            status = "ignored"
        elif lease is not None and mine:
            self._abandon(lease, "declined.", settings)
            status = "abandoned"
        self._lines.say(INFO, f"DHCPDECLINE of {inet_ntoa(addr)} from {client}: {status}")

    def _release(self, packet: Packet) -> None:
        message = packet.message
        if d.DHO_DHCP_REQUESTED_ADDRESS in message.options:
            client = ether_ntoa(message.chaddr)
            self._lines.say(INFO, f"DHCPRELEASE from {client} specified requested-address.")
        addr = message.ciaddr
        lease = self._keeper.table.by_addr.get(addr)
        if lease is not None and not self._mine(packet, lease):
            lease = None
        found = "found" if lease is not None else "not found"
        line = f"DHCPRELEASE of {inet_ntoa(addr)} from {packet.who(lease)} ({found})"
        if lease is not None and lease.state == ACTIVE:
            self._keeper.let_go(lease)
        self._lines.say(INFO, line)

    @staticmethod
    def _mine(packet: Packet, lease: Lease) -> bool:
        """Tell whether a lease is that of the sender, or at least of its hardware."""
        if lease.belongs_to(packet.request.hardware, packet.request.client_id):
            return True
        return lease.offered is None and lease.hardware == packet.request.hardware

    def _inform(self, packet: Packet) -> None:
        message, request = packet.message, packet.request
        addr = message.ciaddr or packet.src
        line = f"DHCPINFORM from {inet_ntoa(addr)} via {packet.via}"
        if not addr:
            self._lines.say(INFO, f"{line}: ignored (null source address).")
            return
        near = request.giaddr or addr
        subnet = self.config.find_subnet(near)
        if subnet is None:
            what = "relay" if request.giaddr else "client"
            self._lines.say(INFO, f"{line}: unknown subnet for {what} address {inet_ntoa(near)}")
            return
        if addr in (subnet.net, subnet.net | (subnet.mask ^ INADDR_BROADCAST)):
            self._drop(
                "broadcast"
            )  # not a client's address: all of the subnet would hear the answer
            return
        if not self._authoritative(packet, subnet):
            self._lines.say(INFO, f"{line}: not authoritative for subnet {inet_ntoa(subnet.net)}")
            if not self._hinted:
                self._hinted = True
                for text in _HINT:
                    self._lines.say(INFO, text)
            return
        request.address = addr
        known = self._keeper.table.lease(addr)
        scope: Scope = subnet if known is None else where(known)
        settings = self._settings(packet, scope, None)
        self._lines.say_all(settings.log)
        self._lines.say(INFO, line)
        reply = self._writer.message(packet, settings, d.DHCPACK, subnet, addr)
        for code in (d.DHO_DHCP_LEASE_TIME, d.DHO_DHCP_RENEWAL_TIME, d.DHO_DHCP_REBINDING_TIME):
            settings.remove(code)
        octets = self._writer.build(
            packet, settings, reply._replace(ciaddr=message.ciaddr, yiaddr=0)
        )
        client = ether_ntoa(message.chaddr)
        text = f"DHCPACK to {inet_ntoa(addr)} ({client}) via {packet.port.name}"
        self._lines.say(INFO, text)
        self._output.append(
            Reply("", packet.port.addr, addr, self._writer.remote_port, b"", octets)
        )

    def _bootp(self, packet: Packet) -> None:
        request, network = packet.request, packet.network
        assert network is not None
        line = f"BOOTREQUEST from {packet.who(None)}"
        fixed = packet.fixed
        if fixed is not None:
            request.lease, request.static, request.address = fixed, True, fixed.addr
            settings = self._settings(packet, where(fixed), fixed)
            self._lines.say_all(settings.log)
            if self._forbidden(packet, settings, line):
                return
            self._commit_fixed(packet, settings)
            self._lines.say(INFO, line)
            reply = self._writer.message(packet, settings, 0, fixed.subnet, fixed.addr)
            if not reply.siaddr:
                # DHCP leaves the field alone then (RFC 2131 4.3.1), a BOOTP client loads from there.
                server = self._writer.identifier(packet, settings)
                reply = reply._replace(siaddr=int.from_bytes(server, "big"))
            octets = self._writer.build(packet, settings, reply)
            name = fixed.host.name if fixed.host is not None else "unknown"
            client = ether_ntoa(packet.message.chaddr)
            text = f"BOOTREPLY for {inet_ntoa(fixed.addr)} to {name} ({client}) via {packet.via}"
            self._lines.say(INFO, text)
            self._output.append(self._writer.addressed(packet, 0, fixed.addr, octets, reply.flags))
            return
        lease = self._find(packet, packet.message.ciaddr).lease
        if lease is None:
            lease = self._chooser.allocate(request, network)
            if lease is None:
                self._lines.say(INFO, f"{line}: BOOTP from dynamic client and no dynamic leases")
                return
        self._answer(packet, lease, 0, line)

    def _find(self, packet: Packet, addr: int, network: Network | None = None) -> Choice:
        """Find the client's lease on its network, or on the one that it believes itself to be on."""
        request = packet.request
        where = network or packet.network
        assert where is not None
        fixed = packet.fixed
        if where is not packet.network:
            fixed = self._chooser.identify(request, where)
        choice = self._chooser.find(request, where, fixed, addr)
        if where is not packet.network:
            packet.fixed = self._chooser.identify(request, packet.network)
        if choice.text:
            self._why = choice.text
        lease = choice.lease
        if lease is not None and lease.static:
            known = self._keeper.table.by_addr.get(lease.addr)
            if known is not None and known.state == ACTIVE:
                addr_text = inet_ntoa(lease.addr)
                host = lease.host.name if lease.host is not None else ""
                self._lines.say(ERROR, f"Dynamic and static leases present for {addr_text}.")
                self._lines.say(ERROR, f"Remove host declaration {host} or remove {addr_text}")
                self._lines.say(ERROR, f"from the dynamic address pool for {where.name}")
        elif (
            lease is not None
            and lease.state == ACTIVE
            and lease.uid is not None
            and any(one.uid == lease.uid for one in choice.others)
        ):
            client = ether_ntoa(packet.message.chaddr)
            self._lines.say(ERROR, f"client {client} has duplicate leases on {where.name}")
        return choice

    def _answer(self, packet: Packet, lease: Lease, kind: int, line: str) -> None:
        """Offer or acknowledge *lease*, or serve a BOOTP client from it (the original's ack_lease)."""
        request = packet.request
        if lease.addr in self._pings and not lease.static:
            self._lines.say(INFO, f"{line}: already acking lease {inet_ntoa(lease.addr)}")
            return
        mine = lease.static or lease.belongs_to(request.hardware, request.client_id)
        # An address of a host declaration is no lease that could have a name.
        name = "" if lease.static else packet.client_name()
        request.lease = lease
        request.static = lease.static
        request.address = lease.addr
        settings = self._settings(packet, where(lease), lease)
        self._lines.say_all(settings.log)
        if kind == d.DHCPOFFER and self._too_soon(packet, settings, line):
            return
        if self._forbidden(packet, settings, line):
            return
        if kind == d.DHCPACK:
            self._release_others(packet, lease, settings)
        billed, one = self._keeper.bill(lease, request)
        if not billed:
            text = "no available billing: lease limit reached in all matching classes"
            self._lines.say(INFO, f"{line}: {text}")
            return
        left = self._reusable(packet, lease, settings, name) if mine else None
        seconds = left or self._seconds(packet, lease, settings, kind)
        if not lease.static:
            if kind == d.DHCPOFFER:
                self._keeper.hold(lease, request, settings, name)
            elif left is None:
                self._keeper.bind(lease, request, settings, seconds, one, name)
        elif kind != d.DHCPOFFER:
            self._commit_fixed(packet, settings)
        reply = self._writer.message(packet, settings, kind, lease.subnet, lease.addr, seconds)
        self._writer.names(packet, lease, settings)
        octets = self._writer.build(packet, settings, reply)
        out = self._writer.addressed(packet, kind, lease.addr, octets, reply.flags)
        self._finish(packet, lease, settings, kind, (line, name), out)

    def _commit_fixed(self, packet: Packet, settings: Settings) -> None:
        """Do what is to be done when an address of a host declaration is given."""
        commit = settings.events.get("commit")
        if commit:
            self._lines.say_all(self._resolver.run(commit, packet.request, settings.variables))

    def _reusable(self, packet: Packet, lease: Lease, settings: Settings, name: str) -> int | None:
        """Return what is left of a lease too young to be written anew (dhcp-cache-threshold)."""
        most = settings.number("dhcp-cache-threshold", 0)
        age = int(self._keeper.calendar()) - lease.starts
        whole = lease.ends - lease.starts
        if (
            not most
            or lease.static
            or lease.state != ACTIVE
            or lease.ends >= NEVER
            or lease.hostname != name
            or (packet.request.giaddr and lease.agent != packet.request.agent)
            or not 0 <= age * 100 < most * whole
            or not self._keeper.in_order()
        ):
            return None
        text = f"reuse_lease: lease age {age} (secs) under {most}% threshold, reply with unaltered"
        self._lines.say(INFO, f"{text}, existing lease for {inet_ntoa(lease.addr)}")
        return whole - age

    def _finish(
        self,
        packet: Packet,
        lease: Lease,
        settings: Settings,
        kind: int,
        said: tuple[str, str],
        out: Reply,
    ) -> None:
        """Send a reply: at once, when nobody has answered a ping, or when it is durable.

        said  the line for the message, and the client's name
        """
        line, name = said
        before = self._lines.say(INFO, line)
        client = ether_ntoa(packet.message.chaddr)
        shown = f"({name}) " if name else ""
        text = f"{_REPLIES[kind]} on {inet_ntoa(lease.addr)} to {client} {shown}via {packet.via}"
        if kind == d.DHCPOFFER:
            if not lease.static and self._wants_ping(lease, settings):
                wait = settings.number("ping-timeout", 1)
                due = self._keeper.now + max(wait, 0)
                self._pings[lease.addr] = _Pending(due, lease, out, text)
                self._seq = (self._seq + 1) & 0xFFFF
                self._output.append(Ping(lease.addr, self._ident, self._seq))
                return
            self._lines.say(INFO, text)
            self._output.append(out)
        elif lease.static:
            self._lines.say(INFO, text)
            self._output.append(out)
        else:
            self._held.append(_Held(out, before, self._lines.say(INFO, text)))

    def _wants_ping(self, lease: Lease, settings: Settings) -> bool:
        if len(self._pings) >= MAX_PINGS or not settings.flag("ping-check", True):
            return False
        again = settings.number("ping-cltt-secs", PING_AGAIN_S)
        pinged, lease.pinged = lease.pinged, self._keeper.now
        if pinged is not None and self._keeper.now - pinged <= again:
            return False
        return not lease.cltt or self._keeper.calendar() - lease.cltt > again

    def _send_offer(self, pending: _Pending) -> None:
        lease = pending.lease
        del self._pings[lease.addr]
        self._lines.say(INFO, pending.line)
        self._output.append(pending.reply)

    def _too_soon(self, packet: Packet, settings: Settings, line: str) -> bool:
        least = settings.number("min-secs", 0)
        secs = packet.message.secs
        if settings.flag("check-secs-byte-order", False) and secs > 255 and not secs & 0xFF:
            secs >>= 8  # some clients count at the wrong end
        if least and secs < least:
            text = f"configured min-secs value ({least}) is greater than secs field ({secs})."
            self._lines.say(INFO, f"{line}: {text}  message dropped.")
            return True
        return False

    def _forbidden(self, packet: Packet, settings: Settings, line: str) -> bool:
        """Tell whether the configuration denies service, and say so unless it is to be silent."""
        request = packet.request
        rules = [
            ("boot-unknown-clients", "unknown client", not request.known),
            ("allow-known-clients", "known client", request.known),
            ("allow-bootp", "bootp disallowed", packet.kind == 0),
            ("allow-booting", "booting disallowed", request.host is not None),
        ]
        if packet.fixed is None:
            rules.append(("dynamic-bootp", "dynamic bootp disallowed", packet.kind == 0))
        for name, why, counts in rules:
            if not counts:
                continue
            value = settings.param(name, True)
            if value == "ignore":
                return True
            if value is False:
                self._lines.say(INFO, f"{line}: {why}")
                return True
        return False

    def _release_others(self, packet: Packet, lease: Lease, settings: Settings) -> None:
        """Take back what else the client has, where the configuration wants that."""
        request = packet.request
        leases: list[Lease] = []
        if settings.flag("one-lease-per-client", False):
            leases += self._keeper.table.by_hardware(request.hardware)
            if request.client_id is not None:
                leases += self._keeper.table.by_uid(request.client_id)
            leases = [one for one in leases if one.belongs_to(request.hardware, request.client_id)]
        if request.host is not None and not settings.flag("duplicates", True):
            leases += self._keeper.table.by_hardware(request.hardware)
        for one in leases:
            if one is not lease and one.state == ACTIVE and one.addr != lease.addr:
                self._keeper.let_go(one)

    def _top(self) -> Settings:
        message = d.Dhcp(d.BOOTREQUEST, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, b"", b"", b"", {})
        request = Request(message, "", int(self._keeper.calendar()))
        return self._resolver.resolve([self.config.top], request)

    def _settings(self, packet: Packet, scope: Scope, lease: Lease | None) -> Settings:
        request = packet.request
        request.lease = lease
        chain = self._resolver.chain(scope, request.classes, request.host)
        # What a client left with the address that another one has now is not to be seen.
        fresh = lease is None or not lease.belongs_to(request.hardware, request.client_id)
        return self._resolver.resolve(chain, request, {} if fresh else None)

    def _authoritative(self, packet: Packet, scope: Scope) -> bool:
        settings = self._resolver.resolve(self._resolver.chain(scope), packet.request, {})
        return settings.flag("authoritative", False)

    def _seconds(self, packet: Packet, lease: Lease, settings: Settings, kind: int) -> int:
        """Return for how long the address is given; NEVER for ever."""
        if kind == 0:
            cutoff = settings.number("dynamic-bootp-lease-cutoff", 0)
            left = cutoff - int(self._keeper.calendar()) - self._keeper.skew if cutoff else NEVER
            return max(settings.number("dynamic-bootp-lease-length", left), 1)
        asked = packet.message.options.get(d.DHO_DHCP_LEASE_TIME, b"")
        default = settings.number("default-lease-time", DEFAULT_LEASE_S)
        seconds = int.from_bytes(asked, "big") if len(asked) == 4 else default
        most = settings.number("max-lease-time", MAX_LEASE_S)
        seconds = min(seconds, most)
        least = settings.number("min-lease-time", min(MIN_LEASE_S, most))
        seconds = max(seconds, least)
        if lease.static or lease.pool is None:
            return seconds
        limit = settings.number("adaptive-lease-time-threshold", 0)
        if limit and lease.pool.active * 100 > limit * lease.pool.size:
            left = lease.ends - int(self._keeper.calendar()) if lease.state == ACTIVE else 0
            seconds = min(seconds, max(least, left))
        return max(seconds, 1)

    def _refuse(self, packet: Packet, lease: Lease | None, why: str) -> None:
        self._lines.say(INFO, f"{_MESSAGES[packet.kind]} from {packet.who(lease)}: {why}")

    def _drop(self, why: str) -> None:
        self.dropped[why] = self.dropped.get(why, 0) + 1
