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
from typing import TYPE_CHECKING, Final, NamedTuple

from libnet.addr import ether_ntoa, inet_ntoa
from libnet.clock import Dice
from libnet.conf.leases import NEVER, Database
from libnet.proto.dhcpd.choose import Choice, Chooser, Hosts
from libnet.proto.dhcpd.classes import Billing, match
from libnet.proto.dhcpd.lease import ABANDONED, ACTIVE, FREE, Lease
from libnet.proto.dhcpd.network import Port, locate, subnet_of
from libnet.proto.dhcpd.pool import GRACE_S, Table
from libnet.proto.dhcpd.request import Request
from libnet.proto.dhcpd.scope import Resolver, Settings, fit
from libnet.wire import Malformed, Truncated
from libnet.wire import dhcp as d

if TYPE_CHECKING:
    from libnet.conf.dhcpdconf.tree import ClassDecl, Config, Network, Scope, Subnet
    from libnet.conf.leases import Lease as Entry

INADDR_BROADCAST: Final = 0xFFFFFFFF
ETHER_BROADCAST: Final = b"\xff" * 6
OFFER_S: Final = 120  # an offer is kept for so long
PING_AGAIN_S: Final = 60  # an address found unused is not pinged again so soon
ABANDON_S: Final = 86400
DEFAULT_LEASE_S: Final = 43200
MAX_LEASE_S: Final = 86400
MIN_LEASE_S: Final = 300
REWRITE_S: Final = 3600  # the file is written anew so often, if anything was appended
GROWN: Final = 4  # or when it holds so many times the entries that are needed
RETRY_S: Final = 10.0  # after it could not be
CLOCK_CHECK_S: Final = 10.0  # how long a jump of the host's clock may go unnoticed
MAX_PINGS: Final = 1024  # offers waiting for an echo; more are made without
MAX_LINES: Final = 10_000  # of the log, between two take_log()
DHCPLEASEQUERY: Final = 10  # RFC 4388

EMERG, ERROR, WARNING, INFO, DEBUG = 0, 2, 3, 5, 6  # severities of the system log
_SEVERITIES: Final = {"fatal": EMERG, "error": ERROR, "info": INFO, "debug": DEBUG}
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


class Reply(NamedTuple):
    """A message to send.

    ifname   interface to send a frame by to *mac*, or "" to send a datagram in the usual way
    src      of the frame, and what the server is called there    dst, port  where to
    """

    ifname: str
    src: int
    dst: int
    port: int
    mac: bytes
    octets: bytes


class Ping(NamedTuple):
    """An ICMP echo request to send."""

    dst: int
    ident: int
    seq: int


Output = Reply | Ping


class _Line:
    """A line for the log that may still change; one without text is left out."""

    __slots__ = ("severity", "text")

    def __init__(self, severity: int, text: str) -> None:
        self.severity, self.text = severity, text


class _Pending:
    """An offer that waits to hear that nobody answers for its address."""

    __slots__ = ("due", "lease", "line", "reply")

    def __init__(self, due: float, lease: Lease, reply: Reply, line: str) -> None:
        self.due, self.lease, self.reply, self.line = due, lease, reply, line


class _Held:
    """An ACK that waits for its entry to be durable."""

    __slots__ = ("before", "line", "reply")

    def __init__(self, reply: Reply, before: _Line, line: _Line) -> None:
        self.reply, self.before, self.line = reply, before, line


class _Packet:
    """One message at hand: what it is, where it comes from, how the log calls it."""

    __slots__ = ("fixed", "kind", "message", "network", "port", "request", "src", "via")

    def __init__(self, request: Request, port: Port, src: int) -> None:
        self.request, self.port, self.src = request, port, src
        self.message = request.message
        self.kind = request.message.type
        self.network: Network | None = None
        self.fixed: Lease | None = None
        self.via = inet_ntoa(request.giaddr) if request.giaddr else port.name

    def who(self, lease: Lease | None) -> str:
        """Return hardware address, name, and the way here."""
        name = f"({lease.hostname}) " if lease is not None and lease.hostname else ""
        return f"{ether_ntoa(self.message.chaddr)} {name}via {self.via}"


class Server:
    """One run of the server.

    lookup    addresses of a host name as octets, None when there are none
    name_of   name of an address, for get-lease-hostnames
    local_port, remote_port   of the server and of clients
    broadcast where replies go that cannot be sent to an address
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
        self.local_port, self.remote_port, self.broadcast = local_port, remote_port, broadcast
        self.dropped: dict[str, int] = {}
        self._ports = {port.name: port for port in ports}
        self._dice, self._name_of = dice, name_of
        self._now = now
        self._epoch = wall - now
        self._skew = 0
        self._checked = now
        self._resolver = Resolver(config, lookup)
        self._billing = Billing(config)
        self._hosts = Hosts(config, lookup)
        fixed = [addr for host in config.hosts for addr in host.fixed if isinstance(addr, int)]
        self.table = Table(config.networks, fixed)
        self._chooser = Chooser(self.table, self._hosts)
        self._strangers: list[Entry] = []  # entries of addresses that are nobody's here
        self._kept: list[str] = []  # declarations of the file that are not leases
        self._log: list[_Line] = []
        self._journal: list[str] = []
        self._output: list[Output] = []
        self._held: list[_Held] = []
        self._pings: dict[int, _Pending] = {}
        self._ident = dice.getrandbits(16)
        self._seq = 0
        self._why = ""  # the text of the next NAK; see _nak
        self._hinted = False
        self._written = now
        self._entries = 0  # appended since the file was written whole
        self._rewrite = False
        self._retry_at = now
        self._queued: list[_Held] = []
        if leases is not None:
            self._load(leases)

    # -- driven from outside

    def next_due(self) -> float | None:
        """Return when run() wants to be called; never more than CLOCK_CHECK_S away."""
        due = self._checked + CLOCK_CHECK_S
        ends = self.table.next_due()
        if ends is not None:
            due = min(due, ends - self._epoch)
        for pending in self._pings.values():
            due = min(due, pending.due)
        return due

    def run(self, now: float, wall: float) -> None:
        """Do what is due."""
        self._tick(now, wall)
        for pending in [one for one in self._pings.values() if one.due <= now]:
            self._send_offer(pending)
        self._expire()
        if self._entries and now - self._written >= REWRITE_S:
            self._rewrite = True
        if self._entries > GROWN * len(self.table.by_addr) + 1024:
            self._rewrite = True

    def take_output(self) -> list[Output]:
        """Return what is to be sent, in order. ACKs are among it once committed() has been told."""
        output, self._output = self._output, []
        return output

    def take_log(self) -> list[tuple[int, str]]:
        """Return severity and text of lines for the log."""
        lines, self._log = self._log, []
        return [(line.severity, line.text) for line in lines if line.text]

    def take_journal(self) -> str:
        """Return entries to append to the file, "" for none; committed() is to follow."""
        journal, self._journal = self._journal, []
        self._queued, self._held = self._held, []
        return "".join(journal)

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
            self._rewrite = True  # memory and file differ now

    def wants_rewrite(self) -> bool:
        """Tell whether the file should be written whole; see snapshot() and rewritten()."""
        return self._rewrite and self._now >= self._retry_at

    def snapshot(self) -> Iterator[str]:
        """Yield what the file is to say, but for its header."""
        yield from self._kept
        for entry in self._strangers:
            yield entry.text()
        for lease in self.table.by_addr.values():
            if worth_writing(lease):
                yield lease.text(self._skew)

    def count(self) -> int:
        """Return how many leases snapshot() has."""
        return sum(map(worth_writing, self.table.by_addr.values())) + len(self._strangers)

    def rewritten(self, ok: bool) -> None:
        """Say that the file has been written whole, or could not be: then again RETRY_S later."""
        if ok:
            self._rewrite = False
            self._written = self._now
            self._entries = 0
        else:
            self._retry_at = self._now + RETRY_S

    def batch(self) -> int:
        """Return how many ACKs may wait for one write (delayed-ack), 0 for any number."""
        value = self._top().number("delayed-ack", 0)
        return max(value, 0)

    # -- time

    def _calendar(self) -> float:
        return self._now + self._epoch

    def _tick(self, now: float, wall: float) -> None:
        """Move on, and see whether the host's clock has jumped."""
        self._now = max(self._now, now)
        self._checked = self._now
        skew = wall - self._calendar()
        if abs(skew - self._skew) >= 1.0:
            self._skew = round(skew)
            self._rewrite = True  # what the file says is in the time of before

    def _expire(self) -> None:
        for lease in self.table.due(self._calendar()):
            if lease.offered is not None:
                # Nobody came for it. Those that never were held go before it now.
                self.table.let_go(lease)
                lease.hostname = ""
                if lease.state == FREE:
                    lease.ends = max(lease.ends, int(lease.offer_ends))
                self.table.set_state(lease, lease.state)
                continue
            if lease.state == ACTIVE:
                self._event(lease, "expiry")
            self._free(lease)

    def _free(self, lease: Lease) -> None:
        """Give an address back to its pool, and write that down."""
        self._unbill(lease)
        self.table.let_go(lease)
        lease.promised = 0
        lease.variables.clear()
        lease.agent.clear()
        if lease.state == ABANDONED:
            self.table.assign(lease, None, None)
        self.table.set_state(lease, FREE)
        self._write(lease)

    def _write(self, lease: Lease) -> None:
        self._journal.append(lease.text(self._skew))
        self._entries += 1

    # -- the file

    def _load(self, database: Database) -> None:
        now = int(self._calendar())
        found: list[Lease] = []
        for entry in database.leases.values():
            lease = self.table.lease(entry.addr)
            if lease is None:
                if entry.state == "active" and entry.times.get("ends", 0) > now:
                    # Its range may come back with the next configuration, its client is still there.
                    self._strangers.append(entry)
                self._say(WARNING, f"lease {inet_ntoa(entry.addr)}: no subnet.")
                continue
            lease.load(entry, now)
            found.append(lease)
            if lease.billing is not None and lease.state == ACTIVE:
                one = self._billing.find(*lease.billing)
                if one is not None:
                    self._billing.add(one)
        self.table.restore(found)
        self._kept = [text.rstrip() + "\n" for text in database.kept]
        self._expire()

    # -- what comes in

    def input(self, octets: bytes, ifname: str, src: int, now: float, wall: float) -> None:
        """Take a message that came by an interface from the address *src*, host integer."""
        self._tick(now, wall)
        self._expire()
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
        if d.DHO_DHCP_MESSAGE_TYPE in message.options and message.type not in _MESSAGES:
            self._unexpected(message, port)
            return
        request = Request(message, ifname, int(self._calendar()), octets)
        packet = _Packet(request, port, src)
        packet.network = locate(self.config, request, port)
        packet.fixed = self._chooser.identify(request, packet.network)
        self._recall(request)
        lines: list[tuple[str, str]] = []
        match(self.config, request, self._resolver, lines)
        self._say_all(lines)
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
        lease = self.table.by_addr.get(request.message.ciaddr)
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
            self._say(INFO, text)
        elif message.type not in (d.DHCPOFFER, d.DHCPACK, d.DHCPNAK):
            via = inet_ntoa(message.giaddr) if message.giaddr else port.name
            client = ether_ntoa(message.chaddr)
            text = f"type {message.type} from {client} via {via}: unknown packet type"
            self._say(INFO, text)

    def echo_input(self, addr: int, ident: int, now: float, wall: float) -> None:
        """Take an ICMP echo reply from *addr*; answers to other people's pings are passed over."""
        self._tick(now, wall)
        if ident != self._ident:
            return
        pending = self._pings.pop(addr, None)
        if pending is None:
            known = self.table.lease(addr) is not None
            text = (
                f"ICMP Echo Reply for {inet_ntoa(addr)} late or spurious."
                if known
                else f"unexpected ICMP Echo Reply from {inet_ntoa(addr)}"
            )
            self._say(INFO, text)
            return
        self._abandon(pending.lease, "pinged before offer", self._top())

    # -- messages of clients

    def _discover(self, packet: _Packet) -> None:
        request, network = packet.request, packet.network
        assert network is not None
        choice = self._find(packet, packet.message.ciaddr or self._wanted(packet.message))
        lease = choice.lease
        line = f"DHCPDISCOVER from {packet.who(lease)}"
        if lease is None:
            lease = self._chooser.allocate(request, network)
            if lease is None:
                self._say(INFO, f"{line}: network {network.name}: no free leases")
                return
            if lease.state == ABANDONED:
                self._say(ERROR, f"Reclaiming abandoned lease {inet_ntoa(lease.addr)}.")
        self._answer(packet, lease, d.DHCPOFFER, line)

    def _request(self, packet: _Packet) -> None:
        message, network = packet.message, packet.network
        wanted = self._wanted(message)
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
                self._say(INFO, f"{line}: wrong network.")
                self._nak(packet, addr)
            else:
                why = "unknown subnet" if subnet is None else "not authoritative"
                self._say(INFO, f"{line}: ignored ({why}).")
            return
        if placed and subnet_of(network, addr) is None:
            if self._authoritative(packet, network):
                self._say(INFO, f"{line}: wrong network.")
                self._nak(packet, addr)
            else:
                self._say(INFO, f"{line}: ignored (not authoritative).")
            return
        if lease is None and choice.ours:
            self._say(INFO, f"{line}: lease {inet_ntoa(addr)} unavailable.")
            self._nak(packet, addr)
            return
        if lease is None:
            self._say(INFO, f"{line}: unknown lease {inet_ntoa(addr)}.")
            return
        if self._not_for_us(packet, server, lease):
            self._say(INFO, f"{line}: not our server id")
            return
        if lease.state == ABANDONED:
            text = f"Reclaiming REQUESTed abandoned IP address {inet_ntoa(addr)}."
            self._say(ERROR, text)
        self._answer(packet, lease, d.DHCPACK, line)

    def _not_for_us(self, packet: _Packet, server: bytes, lease: Lease) -> bool:
        if not server:
            return False
        settings = self._settings(packet, self._where(lease), lease)
        if not settings.flag("server-id-check", False):
            return False
        return server != self._identifier(packet, settings)

    def _decline(self, packet: _Packet) -> None:
        addr = self._wanted(packet.message)
        if not addr:
            self._drop("decline")
            return
        lease = self.table.by_addr.get(addr)
        mine = lease is not None and lease.held() and self._mine(packet, lease)
        where: Scope = self._where(lease) if lease is not None else packet.network  # type: ignore[assignment]
        settings = self._settings(packet, where, lease)
        declines = settings.param("declines", True)
        status = "not found"
        if declines == "ignore":
            return
        if declines is False:
            status = "ignored"
        elif lease is not None and mine:
            self._abandon(lease, "declined.", settings)
            status = "abandoned"
        self._say(INFO, f"DHCPDECLINE of {inet_ntoa(addr)} from {packet.who(lease)}: {status}")

    def _release(self, packet: _Packet) -> None:
        message = packet.message
        if d.DHO_DHCP_REQUESTED_ADDRESS in message.options:
            client = ether_ntoa(message.chaddr)
            self._say(INFO, f"DHCPRELEASE from {client} specified requested-address.")
        addr = message.ciaddr
        lease = self.table.by_addr.get(addr)
        if lease is not None and not self._mine(packet, lease):
            lease = None
        found = "found" if lease is not None else "not found"
        self._say(INFO, f"DHCPRELEASE of {inet_ntoa(addr)} from {packet.who(lease)} ({found})")
        if lease is not None and lease.state == ACTIVE:
            self._let_go(lease)

    def _let_go(self, lease: Lease) -> None:
        self._event(lease, "release")
        lease.ends = int(self._calendar())
        lease.hostname = ""
        self._free(lease)

    @staticmethod
    def _mine(packet: _Packet, lease: Lease) -> bool:
        """Tell whether a lease is that of the sender, or at least of its hardware."""
        if lease.belongs_to(packet.request.hardware, packet.request.client_id):
            return True
        return lease.offered is None and lease.hardware == packet.request.hardware

    def _inform(self, packet: _Packet) -> None:
        message, request = packet.message, packet.request
        addr = message.ciaddr or packet.src
        line = f"DHCPINFORM from {inet_ntoa(addr)} via {packet.via}"
        if not addr:
            self._say(INFO, f"{line}: ignored (null source address).")
            return
        near = request.giaddr or addr
        subnet = self.config.find_subnet(near)
        if subnet is None:
            what = "relay" if request.giaddr else "client"
            self._say(INFO, f"{line}: unknown subnet for {what} address {inet_ntoa(near)}")
            return
        if not self._authoritative(packet, subnet):
            self._say(INFO, f"{line}: not authoritative for subnet {inet_ntoa(subnet.net)}")
            if not self._hinted:
                self._hinted = True
                for text in _HINT:
                    self._say(INFO, text)
            return
        request.address = addr
        settings = self._settings(packet, subnet, None)
        self._say_all(settings.log)
        self._say(INFO, line)
        reply = self._message(packet, settings, d.DHCPACK, subnet, addr)
        for code in (d.DHO_DHCP_LEASE_TIME, d.DHO_DHCP_RENEWAL_TIME, d.DHO_DHCP_REBINDING_TIME):
            settings.remove(code)
        octets = self._build(packet, settings, reply._replace(ciaddr=message.ciaddr, yiaddr=0))
        text = f"DHCPACK to {inet_ntoa(addr)} ({ether_ntoa(message.chaddr)}) via {packet.via}"
        self._say(INFO, text)
        self._output.append(Reply("", packet.port.addr, addr, self.remote_port, b"", octets))

    def _bootp(self, packet: _Packet) -> None:
        request, network = packet.request, packet.network
        assert network is not None
        line = f"BOOTREQUEST from {packet.who(None)}"
        fixed = packet.fixed
        if fixed is not None:
            settings = self._settings(packet, self._where(fixed), fixed)
            self._say_all(settings.log)
            if self._forbidden(packet, settings, line):
                return
            self._say(INFO, line)
            reply = self._message(packet, settings, 0, fixed.subnet, fixed.addr)
            octets = self._build(packet, settings, reply)
            name = fixed.host.name if fixed.host is not None else "unknown"
            client = ether_ntoa(packet.message.chaddr)
            text = f"BOOTREPLY for {inet_ntoa(fixed.addr)} to {name} ({client}) via {packet.via}"
            self._say(INFO, text)
            self._output.append(self._addressed(packet, 0, fixed.addr, octets, reply.flags))
            return
        lease = self._find(packet, packet.message.ciaddr).lease
        if lease is None:
            settings = self._settings(packet, network, None)
            if self._forbidden(packet, settings, line):
                return
            lease = self._chooser.allocate(request, network)
            if lease is None:
                self._say(INFO, f"{line}: BOOTP from dynamic client and no dynamic leases")
                return
        self._answer(packet, lease, 0, line)

    # -- what the messages have in common

    def _find(self, packet: _Packet, addr: int, network: Network | None = None) -> Choice:
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
            known = self.table.by_addr.get(lease.addr)
            if known is not None and known.state == ACTIVE:
                addr_text = inet_ntoa(lease.addr)
                host = lease.host.name if lease.host is not None else ""
                self._say(ERROR, f"Dynamic and static leases present for {addr_text}.")
                self._say(ERROR, f"Remove host declaration {host} or remove {addr_text}")
                self._say(ERROR, f"from the dynamic address pool for {where.name}")
        elif (
            lease is not None
            and lease.state == ACTIVE
            and lease.uid is not None
            and any(one.uid == lease.uid for one in choice.others)
        ):
            client = ether_ntoa(packet.message.chaddr)
            self._say(ERROR, f"client {client} has duplicate leases on {where.name}")
        return choice

    def _answer(self, packet: _Packet, lease: Lease, kind: int, line: str) -> None:
        """Offer or acknowledge *lease*, or serve a BOOTP client from it (the original's ack_lease)."""
        request = packet.request
        if lease.addr in self._pings and not lease.static:
            self._say(INFO, f"{line}: already acking lease {inet_ntoa(lease.addr)}")
            return
        mine = lease.static or lease.belongs_to(request.hardware, request.client_id)
        name = self._client_name(packet, lease.hostname if mine else "")
        request.lease = lease
        request.static = lease.static
        request.address = lease.addr
        settings = self._settings(packet, self._where(lease), lease)
        self._say_all(settings.log)
        if kind == d.DHCPOFFER and self._too_soon(packet, settings, line):
            return
        if self._forbidden(packet, settings, line):
            return
        if kind == d.DHCPACK:
            self._release_others(packet, lease, settings)
        billed, one = self._bill(packet, lease)
        if not billed:
            text = "no available billing: lease limit reached in all matching classes"
            self._say(INFO, f"{line}: {text}")
            return
        seconds = self._seconds(packet, lease, settings, kind)
        if not lease.static:
            if kind == d.DHCPOFFER:
                self._hold(packet, lease, settings, name)
            else:
                self._bind(packet, lease, settings, seconds, one, name)
        reply = self._message(packet, settings, kind, lease.subnet, lease.addr, seconds)
        self._names(packet, lease, settings)
        octets = self._build(packet, settings, reply)
        out = self._addressed(packet, kind, lease.addr, octets, reply.flags)
        self._finish(packet, lease, settings, kind, (line, name), out)

    def _finish(
        self,
        packet: _Packet,
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
        before = self._say(INFO, line)
        client = ether_ntoa(packet.message.chaddr)
        shown = f"({name}) " if name else ""
        text = f"{_REPLIES[kind]} on {inet_ntoa(lease.addr)} to {client} {shown}via {packet.via}"
        if kind == d.DHCPOFFER:
            if not lease.static and self._wants_ping(lease, settings):
                wait = settings.number("ping-timeout", 1)
                due = self._now + max(wait, 0)
                self._pings[lease.addr] = _Pending(due, lease, out, text)
                self._seq = (self._seq + 1) & 0xFFFF
                self._output.append(Ping(lease.addr, self._ident, self._seq))
                return
            self._say(INFO, text)
            self._output.append(out)
        elif lease.static:
            self._say(INFO, text)
            self._output.append(out)
        else:
            self._held.append(_Held(out, before, self._say(INFO, text)))

    def _wants_ping(self, lease: Lease, settings: Settings) -> bool:
        if len(self._pings) >= MAX_PINGS or not settings.flag("ping-check", True):
            return False
        again = settings.number("ping-cltt-secs", PING_AGAIN_S)
        pinged, lease.pinged = lease.pinged, self._now
        if pinged is not None and self._now - pinged <= again:
            return False
        return not lease.cltt or self._calendar() - lease.cltt > again

    def _send_offer(self, pending: _Pending) -> None:
        lease = pending.lease
        del self._pings[lease.addr]
        self._say(INFO, pending.line)
        self._output.append(pending.reply)

    def _too_soon(self, packet: _Packet, settings: Settings, line: str) -> bool:
        least = settings.number("min-secs", 0)
        secs = packet.message.secs
        if settings.flag("check-secs-byte-order", False) and secs > 255 and not secs & 0xFF:
            secs >>= 8  # some clients count at the wrong end
        if least and secs < least:
            text = f"configured min-secs value ({least}) is greater than secs field ({secs})."
            self._say(INFO, f"{line}: {text}  message dropped.")
            return True
        return False

    def _forbidden(self, packet: _Packet, settings: Settings, line: str) -> bool:
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
                self._say(INFO, f"{line}: {why}")
                return True
        return False

    def _release_others(self, packet: _Packet, lease: Lease, settings: Settings) -> None:
        """Take back what else the client has, where the configuration wants that."""
        request = packet.request
        leases: list[Lease] = []
        if settings.flag("one-lease-per-client", False):
            leases += self.table.by_hardware(request.hardware)
            if request.client_id is not None:
                leases += self.table.by_uid(request.client_id)
            leases = [one for one in leases if one.belongs_to(request.hardware, request.client_id)]
        if request.host is not None and not settings.flag("duplicates", True):
            leases += self.table.by_hardware(request.hardware)
        for one in leases:
            if one is not lease and one.state == ACTIVE and one.addr != lease.addr:
                self._let_go(one)

    # -- a lease's life

    def _hold(self, packet: _Packet, lease: Lease, settings: Settings, name: str) -> None:
        """Keep an address for the client it is offered to."""
        request = packet.request
        if lease.state == ACTIVE:
            return  # its own
        keep = settings.number("offer-lease-time", OFFER_S)
        ends = self._calendar() + max(keep, 1)
        lease.hostname = name
        self.table.hold(lease, request.hardware, request.client_id, ends)

    def _bind(
        self,
        packet: _Packet,
        lease: Lease,
        settings: Settings,
        seconds: int,
        one: ClassDecl | None,
        name: str,
    ) -> None:
        """Make the address the client's, and write that down."""
        request, now = packet.request, int(self._calendar())
        same = lease.state == ACTIVE and lease.belongs_to(request.hardware, request.client_id)
        self.table.let_go(lease)
        uid = request.client_id
        if settings.flag("ignore-client-uids", False):
            uid = None
        self.table.assign(lease, request.hardware, uid)
        ends = NEVER if seconds >= NEVER else min(now + seconds, NEVER - 1)
        # An earlier answer may still be on its way with a later end than this one.
        lease.promised = max(ends, lease.promised if same else 0)
        lease.starts = lease.cltt = now
        lease.ends = ends
        lease.pinged = self._now
        lease.bootp = packet.kind == 0
        lease.hostname = name
        lease.host = request.host
        if ends == NEVER and settings.flag("infinite-is-reserved", False):
            lease.reserved = True
        if request.giaddr and settings.flag("stash-agent-options", True):
            lease.agent = dict(request.agent)
        self._rebill(lease, one)
        lease.variables = dict(settings.variables)
        commit = settings.events.get("commit")
        if commit:
            self._say_all(self._resolver.run(commit, request, lease.variables))
        self.table.set_state(lease, ACTIVE)
        self._threshold(lease, settings)
        self._write(lease)

    def _abandon(self, lease: Lease, why: str, settings: Settings) -> None:
        self._say(ERROR, f"Abandoning IP address {inet_ntoa(lease.addr)}: {why}")
        self._pings.pop(lease.addr, None)
        now = int(self._calendar())
        self.table.let_go(lease)
        lease.hostname = ""
        lease.promised = 0
        lease.starts = now
        lease.ends = now + settings.number("abandon-lease-time", ABANDON_S)
        self._unbill(lease)
        self.table.assign(lease, None, None)
        self.table.set_state(lease, ABANDONED)
        self._write(lease)

    def _event(self, lease: Lease, name: str) -> None:
        """Do what the configuration says is to be done when a lease ends."""
        scope = self._where(lease)
        if not any(stmt.op != "param" for one in scope.chain() for stmt in one.statements):
            return
        request = self._request_of(lease)
        settings = self._resolver.resolve(self._resolver.chain(scope, (), lease.host), request)
        body = settings.events.get(name)
        if body:
            self._say_all(self._resolver.run(body, request, lease.variables))

    def _request_of(self, lease: Lease) -> Request:
        """Return a request as the owner of a lease would send it."""
        htype, chaddr = lease.hardware or (1, b"")
        options = {} if lease.uid is None else {d.DHO_DHCP_CLIENT_IDENTIFIER: lease.uid}
        message = d.Dhcp(
            d.BOOTREQUEST,
            htype,
            len(chaddr),
            0,
            0,
            0,
            0,
            lease.addr,
            0,
            0,
            0,
            chaddr,
            b"",
            b"",
            options,
        )
        request = Request(message, "", int(self._calendar()))
        request.lease, request.host, request.known = lease, lease.host, lease.host is not None
        request.agent = dict(lease.agent)
        return request

    def _threshold(self, lease: Lease, settings: Settings) -> None:
        """Say when a pool has become fuller than the configuration likes."""
        pool = lease.pool
        high = settings.number("log-threshold-high", 0)
        if not high or pool is None or not pool.size:
            return
        low = settings.number("log-threshold-low", 0)
        used = 100 * pool.active // pool.size
        if used >= high and not pool.full:
            pool.full = True
            self._say(
                ERROR,
                f"Pool threshold exceeded; shared network: {pool.network.name};"
                f" address: {inet_ntoa(lease.addr)}; high threshold {high}%"
                f" {pool.active}/{pool.size}.",
            )
        elif pool.full and used <= min(low, high):
            pool.full = False
            self._say(
                ERROR,
                f"Pool threshold reset; shared network: {pool.network.name};"
                f" address: {inet_ntoa(lease.addr)}; low threshold {low}%"
                f" {pool.active}/{pool.size}.",
            )

    # -- limits of classes

    def _bill(self, packet: _Packet, lease: Lease) -> tuple[bool, ClassDecl | None]:
        if lease.static or not self.config.classes:
            return True, None
        held = None
        if lease.billing is not None and lease.state == ACTIVE:
            held = self._billing.find(*lease.billing)
        return self._billing.choose(packet.request.classes, held)

    def _rebill(self, lease: Lease, one: ClassDecl | None) -> None:
        if not self.config.classes:
            lease.billing = None
            return
        before = None
        if lease.billing is not None and lease.state == ACTIVE:
            before = self._billing.find(*lease.billing)
        if one is not before:
            if before is not None:
                self._billing.remove(before)
            if one is not None:
                self._billing.add(one)
        value = one.value if one is not None and one.kind == "subclass" else None
        lease.billing = None if one is None else (one.name, value)

    def _unbill(self, lease: Lease) -> None:
        if lease.billing is not None and lease.state == ACTIVE:
            one = self._billing.find(*lease.billing)
            if one is not None:
                self._billing.remove(one)
        lease.billing = None

    # -- what the configuration says

    def _top(self) -> Settings:
        message = d.Dhcp(d.BOOTREQUEST, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, b"", b"", b"", {})
        request = Request(message, "", int(self._calendar()))
        return self._resolver.resolve([self.config.top], request)

    @staticmethod
    def _where(lease: Lease) -> Scope:
        return lease.pool.scope if lease.pool is not None else lease.subnet

    def _settings(self, packet: _Packet, scope: Scope, lease: Lease | None) -> Settings:
        request = packet.request
        request.lease = lease
        chain = self._resolver.chain(scope, request.classes, request.host)
        # What a client left with the address that another one has now is not to be seen.
        fresh = lease is None or not lease.belongs_to(request.hardware, request.client_id)
        return self._resolver.resolve(chain, request, {} if fresh else None)

    def _authoritative(self, packet: _Packet, scope: Scope) -> bool:
        settings = self._resolver.resolve(self._resolver.chain(scope), packet.request, {})
        return settings.flag("authoritative", False)

    def _seconds(self, packet: _Packet, lease: Lease, settings: Settings, kind: int) -> int:
        """Return for how long the address is given; NEVER for ever."""
        if kind == 0:
            return settings.number("dynamic-bootp-lease-length", NEVER)
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
            left = lease.ends - int(self._calendar()) if lease.state == ACTIVE else 0
            seconds = min(seconds, max(least, left))
        return max(seconds, 1)

    def _identifier(self, packet: _Packet, settings: Settings) -> bytes:
        """Return what the server calls itself to this client."""
        value = settings.option(d.DHO_DHCP_SERVER_IDENTIFIER)
        if value is not None and len(value) == 4:
            return value
        return packet.port.addr.to_bytes(4, "big")

    # -- replies

    def _message(
        self,
        packet: _Packet,
        settings: Settings,
        kind: int,
        subnet: Subnet,
        addr: int,
        seconds: int = 0,
    ) -> d.Dhcp:
        """Return a reply whose options are yet to be chosen, and put into *settings* what they need."""
        asked = packet.message
        server = self._identifier(packet, settings)
        if kind:
            settings.put(d.DHO_DHCP_MESSAGE_TYPE, bytes((kind,)))
            settings.put(d.DHO_DHCP_SERVER_IDENTIFIER, server)
            time = min(seconds, NEVER)
            settings.put(d.DHO_DHCP_LEASE_TIME, time.to_bytes(4, "big"))
            renew, rebind = (NEVER, NEVER) if time == NEVER else (time // 2, time * 7 // 8)
            settings.put_default(d.DHO_DHCP_RENEWAL_TIME, renew.to_bytes(4, "big"))
            settings.put_default(d.DHO_DHCP_REBINDING_TIME, rebind.to_bytes(4, "big"))
        settings.put_default(d.DHO_SUBNET_MASK, subnet.mask.to_bytes(4, "big"))
        if settings.flag("use-lease-addr-for-default-route", False):
            settings.put(d.DHO_ROUTERS, addr.to_bytes(4, "big"))
        selected = asked.options.get(d.DHO_SUBNET_SELECTION)
        if selected is not None:
            settings.put(d.DHO_SUBNET_SELECTION, selected)  # RFC 3011
        if settings.flag("echo-client-id", False):
            uid = asked.options.get(d.DHO_DHCP_CLIENT_IDENTIFIER)
            if uid is not None:
                settings.put(d.DHO_DHCP_CLIENT_IDENTIFIER, uid)
        following = settings.data("next-server")
        siaddr = int.from_bytes((following or b"")[:4], "big")
        flags = asked.flags & d.BOOTP_BROADCAST
        if settings.flag("always-broadcast", False):
            flags |= d.BOOTP_BROADCAST
        return d.Dhcp(
            d.BOOTREPLY,
            asked.htype,
            asked.hlen,
            asked.hops,
            asked.xid,
            asked.secs,
            flags,
            asked.ciaddr,
            addr,
            siaddr,
            asked.giaddr,
            asked.chaddr,
            (settings.data("server-name") or b"")[:63],
            (settings.data("filename") or b"")[:127],
            {},
        )

    def _names(self, packet: _Packet, lease: Lease, settings: Settings) -> None:
        """Give the client a name, where the configuration wants one."""
        host = packet.request.host
        if host is not None and settings.flag("use-host-decl-names", False):
            settings.put_default(d.DHO_HOST_NAME, host.name.encode("latin-1", "replace"))
        if self._name_of is not None and settings.flag("get-lease-hostnames", False):
            name = self._name_of(lease.addr)
            if name:
                settings.put_default(d.DHO_HOST_NAME, name.encode("latin-1", "replace"))

    def _build(self, packet: _Packet, settings: Settings, reply: d.Dhcp) -> bytes:
        """Choose the options and return the octets."""
        asked = packet.message
        if not asked.cookie and not settings.flag("always-reply-rfc1048", False):
            # A client that does not know options gets back the vendor field that it sent.
            head = reply._replace(cookie=False).build()[: d.HDRLEN]
            vendor = packet.request.octets[d.HDRLEN : d.HDRLEN + 64].ljust(64, b"\0")
            return head + vendor
        options = dict(self._resolver.answer(settings, packet.request))
        agent = asked.options.get(d.DHO_DHCP_AGENT_OPTIONS)
        if agent is not None and asked.giaddr:
            options[d.DHO_DHCP_AGENT_OPTIONS] = agent  # RFC 3046 2.2: unchanged, and last
        limit = d.DHCP_MTU - d.UDP_OVERHEAD
        said = asked.options.get(d.DHO_DHCP_MAX_MESSAGE_SIZE, b"")
        if len(said) == 2:
            limit = max(int.from_bytes(said, "big"), d.DHCP_MTU) - d.UDP_OVERHEAD
        elif not packet.kind:
            limit = d.BOOTP_MINLEN
        return fit(reply._replace(options=options), limit)

    def _addressed(self, packet: _Packet, kind: int, addr: int, octets: bytes, flags: int) -> Reply:
        """Say where a reply goes (RFC 2131 4.1)."""
        asked, port = packet.message, packet.port
        if asked.giaddr:
            return Reply("", port.addr, asked.giaddr, self.local_port, b"", octets)
        if asked.ciaddr and kind == d.DHCPACK:
            return Reply("", port.addr, asked.ciaddr, self.remote_port, b"", octets)
        if flags & d.BOOTP_BROADCAST or asked.htype != d.HTYPE_ETHER or asked.hlen != 6:
            dst, mac = self.broadcast, ETHER_BROADCAST
        else:
            dst, mac = addr, asked.chaddr
        return Reply(port.name, port.addr, dst, self.remote_port, mac, octets)

    def _nak(self, packet: _Packet, addr: int) -> None:
        """Tell a client that its address is not right.

        The text is what was found out last, of this client or another one: the original keeps a single
        buffer for it, and an empty one is not sent.
        """
        asked, port = packet.message, packet.port
        settings = self._resolver.resolve(
            self._resolver.chain(packet.network or self.config.top), packet.request, {}
        )
        options = {
            d.DHO_DHCP_MESSAGE_TYPE: bytes((d.DHCPNAK,)),
            d.DHO_DHCP_SERVER_IDENTIFIER: self._identifier(packet, settings),
        }
        if self._why:
            options[d.DHO_DHCP_MESSAGE] = self._why.encode()
        if asked.options.get(d.DHO_DHCP_CLIENT_IDENTIFIER):
            options[d.DHO_DHCP_CLIENT_IDENTIFIER] = asked.options[d.DHO_DHCP_CLIENT_IDENTIFIER]
        agent = asked.options.get(d.DHO_DHCP_AGENT_OPTIONS)
        if agent is not None and asked.giaddr:
            options[d.DHO_DHCP_AGENT_OPTIONS] = agent
        reply = d.Dhcp(
            d.BOOTREPLY,
            asked.htype,
            asked.hlen,
            asked.hops,
            asked.xid,
            asked.secs,
            asked.flags | d.BOOTP_BROADCAST,
            0,
            0,
            0,
            asked.giaddr,
            asked.chaddr,
            b"",
            b"",
            options,
        )
        client = ether_ntoa(asked.chaddr)
        self._say(INFO, f"DHCPNAK on {inet_ntoa(addr)} to {client} via {packet.via}")
        octets = fit(reply, d.DHCP_MTU - d.UDP_OVERHEAD)
        if asked.giaddr:
            out = Reply("", port.addr, asked.giaddr, self.local_port, b"", octets)
        else:
            out = Reply(
                port.name, port.addr, self.broadcast, self.remote_port, ETHER_BROADCAST, octets
            )
        self._output.append(out)

    # -- small things

    @staticmethod
    def _wanted(message: d.Dhcp) -> int:
        value = message.options.get(d.DHO_DHCP_REQUESTED_ADDRESS, b"")
        return int.from_bytes(value, "big") if len(value) == 4 else 0

    @staticmethod
    def _client_name(packet: _Packet, known: str) -> str:
        """Return what the client calls itself, without what would upset a log."""
        value = packet.message.options.get(d.DHO_HOST_NAME)
        if value is None:
            return known
        text = value.rstrip(b"\0").decode("latin-1")
        return "".join(char if 32 <= ord(char) < 127 else "?" for char in text)

    def _refuse(self, packet: _Packet, lease: Lease | None, why: str) -> None:
        self._say(INFO, f"{_MESSAGES[packet.kind]} from {packet.who(lease)}: {why}")

    def _drop(self, why: str) -> None:
        self.dropped[why] = self.dropped.get(why, 0) + 1

    def _say(self, severity: int, text: str) -> _Line:
        line = _Line(severity, text)
        if len(self._log) < MAX_LINES:
            self._log.append(line)
        return line

    def _say_all(self, lines: Sequence[tuple[str, str]]) -> None:
        for priority, text in lines:
            self._say(_SEVERITIES.get(priority, INFO), text)


def worth_writing(lease: Lease) -> bool:
    """Tell whether the file needs an entry: not for an address that was only ever offered."""
    return bool(
        lease.state != FREE or lease.hardware is not None or lease.uid is not None or lease.reserved
    )


__all__ = ["GRACE_S", "Output", "Ping", "Reply", "Server", "worth_writing"]
