"""The life of leases: held, given, given back, abandoned; and what the lease file is to say of it.

Nothing here is durable before the journal has been taken and written; see Server.take_journal().
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from libnet.addr import inet_ntoa
from libnet.conf.leases import NEVER, TIMES, Database
from libnet.proto.dhcpd.classes import Billing
from libnet.proto.dhcpd.lease import ABANDONED, ACTIVE, FREE, Lease
from libnet.proto.dhcpd.lines import ERROR, WARNING, Lines
from libnet.proto.dhcpd.pool import Table
from libnet.proto.dhcpd.request import Request
from libnet.proto.dhcpd.scope import Resolver, Settings
from libnet.wire import dhcp as d

if TYPE_CHECKING:
    from libnet.conf.dhcpdconf.tree import ClassDecl, Scope
    from libnet.conf.leases import Lease as Entry

OFFER_S: Final = 120  # an offer is kept for so long
ABANDON_S: Final = 86400
REWRITE_S: Final = 3600  # the file is written anew so often, if anything was appended
GROWN: Final = 4  # or when it holds so many times the entries that are needed
RETRY_S: Final = 10.0  # after it could not be
CLOCK_CHECK_S: Final = 10.0  # how long a jump of the host's clock may go unnoticed


class Keeper:
    """All leases of one server.

    table   the leases           now   monotonic seconds, as last told
    skew    seconds that the host's clock has jumped since the start
    """

    def __init__(self, resolver: Resolver, lines: Lines, now: float, wall: float) -> None:
        config = resolver.config
        fixed = [addr for host in config.hosts for addr in host.fixed if isinstance(addr, int)]
        self.table = Table(config.networks, fixed)
        self.now, self.skew = now, 0
        self._epoch = wall - now
        self._config, self._resolver, self._lines = config, resolver, lines
        self._billing = Billing(config)
        self._strangers: list[Entry] = []  # entries of addresses that are in no range here
        self._kept: list[str] = []  # declarations of the file that are not leases
        self._journal: list[str] = []
        self._entries = 0  # appended since the file was written whole
        self._written = self._retry_at = now
        self._rewrite = False

    # -- time

    def tick(self, now: float, wall: float) -> None:
        """Move on, and see whether the host's clock has jumped."""
        self.now = max(self.now, now)
        skew = wall - self.calendar()
        if abs(skew - self.skew) >= 1.0:
            jump, self.skew = round(skew) - self.skew, round(skew)
            self._strange(jump)
            self._rewrite = True  # what the file says is in the time of before

    def calendar(self) -> float:
        """Return the time on the leases' calendar, seconds since 1970."""
        return self.now + self._epoch

    def expire(self) -> None:
        """End what is over."""
        for lease in self.table.due(self.calendar()):
            if lease.offered is not None:
                # Nobody came for it. Those that never were held go before it now.
                self.table.let_go(lease)
                lease.hostname = ""
                if lease.state == FREE:
                    lease.ends = max(lease.ends, int(lease.offer_ends))
                self.table.set_state(lease, lease.state)
                continue
            if lease.state == ACTIVE:
                self.event(lease, "expiry")
            self.free(lease)

    def next_due(self) -> float:
        """Return when tick() and expire() want to be called; never more than CLOCK_CHECK_S away."""
        due = self.now + CLOCK_CHECK_S
        ends = self.table.next_due()
        return due if ends is None else min(due, ends - self._epoch)

    # -- a lease's life

    def free(self, lease: Lease) -> None:
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

    def let_go(self, lease: Lease) -> None:
        """End a lease whose client needs it no more."""
        self.event(lease, "release")
        lease.ends = int(self.calendar())
        lease.hostname = ""
        self.free(lease)

    def hold(self, lease: Lease, request: Request, settings: Settings, name: str) -> None:
        """Keep an address for the client it is offered to, which calls itself *name*."""
        lease.hostname = name
        if lease.state == ACTIVE:
            return  # its own
        keep = settings.number("offer-lease-time", OFFER_S)
        ends = self.calendar() + max(keep, 1)
        self.table.hold(lease, request.hardware, request.client_id, ends)

    def bind(
        self,
        lease: Lease,
        request: Request,
        settings: Settings,
        seconds: int,
        one: ClassDecl | None,
        name: str,
    ) -> None:
        """Make the address the client's, and write that down.

        seconds  for how long, NEVER for ever     one   class that it counts for, or None
        name     what the client calls itself
        """
        now = int(self.calendar())
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
        lease.pinged = self.now
        lease.bootp = request.message.type == 0
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
            self._lines.say_all(self._resolver.run(commit, request, lease.variables))
        self.table.set_state(lease, ACTIVE)
        self._threshold(lease, settings)
        self._write(lease)

    def abandon(self, lease: Lease, why: str, settings: Settings) -> None:
        """Give an address to nobody for a while: somebody uses it without a lease."""
        self._lines.say(ERROR, f"Abandoning IP address {inet_ntoa(lease.addr)}: {why}")
        if lease.state == ACTIVE:
            self.event(lease, "expiry")
        now = int(self.calendar())
        self.table.let_go(lease)
        lease.hostname = ""
        lease.variables.clear()
        lease.agent.clear()
        lease.promised = 0
        lease.starts = now
        lease.ends = now + settings.number("abandon-lease-time", ABANDON_S)
        self._unbill(lease)
        self.table.assign(lease, None, None)
        self.table.set_state(lease, ABANDONED)
        self._write(lease)

    def event(self, lease: Lease, name: str) -> None:
        """Do what the configuration says is to be done when a lease ends."""
        scope = where(lease)
        if not any(stmt.op != "param" for one in scope.chain() for stmt in one.statements):
            return
        request = self._request_of(lease)
        settings = self._resolver.resolve(self._resolver.chain(scope, (), lease.host), request)
        body = settings.events.get(name)
        if body:
            self._lines.say_all(self._resolver.run(body, request, lease.variables))

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
        request = Request(message, "", int(self.calendar()))
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
            self._lines.say(
                ERROR,
                f"Pool threshold exceeded; shared network: {pool.network.name};"
                f" address: {inet_ntoa(lease.addr)}; high threshold {high}%"
                f" {pool.active}/{pool.size}.",
            )
        elif pool.full and used <= min(low, high):
            pool.full = False
            self._lines.say(
                ERROR,
                f"Pool threshold reset; shared network: {pool.network.name};"
                f" address: {inet_ntoa(lease.addr)}; low threshold {low}%"
                f" {pool.active}/{pool.size}.",
            )

    # -- limits of classes

    def bill(self, lease: Lease, request: Request) -> tuple[bool, ClassDecl | None]:
        """Return whether the client may have a lease by its classes, and the one it would count for."""
        if lease.static or not self._config.classes:
            return True, None
        held = None
        if lease.billing is not None and lease.state == ACTIVE:
            held = self._billing.find(*lease.billing)
        return self._billing.choose(request.classes, held)

    def _rebill(self, lease: Lease, one: ClassDecl | None) -> None:
        if not self._config.classes:
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

    # -- the file

    def load(self, database: Database) -> None:
        """Take what the file says."""
        now = int(self.calendar())
        found: list[Lease] = []
        for entry in database.leases.values():
            lease = self.table.lease(entry.addr)
            if lease is None:
                # Its range may come back with the next configuration, its client is still there.
                self._strangers.append(entry)
                self._lines.say(WARNING, f"lease {inet_ntoa(entry.addr)}: no subnet.")
                continue
            lease.load(entry, now)
            found.append(lease)
            if lease.billing is not None and lease.state == ACTIVE:
                one = self._billing.find(*lease.billing)
                if one is not None:
                    self._billing.add(one)
        self.table.restore(found)
        self._kept = [text.rstrip() + "\n" for text in database.kept]
        self._strange(0)
        self.expire()

    def _strange(self, jump: int) -> None:
        """Forget the leases of no range that have ended; the others follow the host's clock."""
        now = int(self.calendar()) + self.skew
        for entry in self._strangers:
            for name in TIMES:
                when = entry.times.get(name, NEVER)
                if when < NEVER:
                    entry.times[name] = max(when + jump, 0)
        self._strangers = [
            entry
            for entry in self._strangers
            if entry.state == "active" and entry.times.get("ends", 0) > now
        ]

    def snapshot(self) -> Iterator[str]:
        """Yield what the file is to say, but for its header."""
        self._strange(0)
        yield from self._kept
        for entry in self._strangers:
            yield entry.text()
        for lease in self.table.by_addr.values():
            if worth_writing(lease):
                yield lease.text(self.skew)

    def count(self) -> int:
        """Return how many leases snapshot() has."""
        return sum(map(worth_writing, self.table.by_addr.values())) + len(self._strangers)

    def rewritten(self, ok: bool) -> None:
        """Say that the file has been written whole, or could not be: then again RETRY_S later."""
        if ok:
            self._rewrite = False
            self._written = self.now
            self._entries = 0
        else:
            self._retry_at = self.now + RETRY_S

    def _write(self, lease: Lease) -> None:
        self._journal.append(lease.text(self.skew))
        self._entries += 1

    def take_journal(self) -> str:
        """Return entries to append to the file."""
        journal, self._journal = self._journal, []
        return "".join(journal)

    def unwritten(self) -> None:
        """Say that entries could not be written: memory and file differ now."""
        self._rewrite = True

    def in_order(self) -> bool:
        """Tell whether the file will say what is known here once the journal is written."""
        return not self._rewrite

    def wants_rewrite(self) -> bool:
        """Tell whether the file should be written whole."""
        if self._entries and self.now - self._written >= REWRITE_S:
            self._rewrite = True
        if self._entries > GROWN * len(self.table.by_addr) + 1024:
            self._rewrite = True
        return self._rewrite and self.now >= self._retry_at


def worth_writing(lease: Lease) -> bool:
    """Tell whether the file needs an entry: not for an address that was only ever offered."""
    return bool(
        lease.state != FREE or lease.hardware is not None or lease.uid is not None or lease.reserved
    )


def where(lease: Lease) -> Scope:
    """Return the block of the configuration that an address stands in."""
    return lease.pool.scope if lease.pool is not None else lease.subnet
