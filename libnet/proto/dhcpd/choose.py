"""Which address a client has, may keep, or gets (the original's find_lease and allocate_lease).

A client is its identifier (option 61), or without one its hardware address. Nobody gets an address
that another client was promised, whatever either of them says.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from libnet.conf.dhcpdconf import parse
from libnet.proto.dhcpd.classes import permits
from libnet.proto.dhcpd.lease import ABANDONED, ACTIVE, Lease
from libnet.proto.dhcpd.network import subnet_of
from libnet.wire.dhcp import DHCPREQUEST

if TYPE_CHECKING:
    from libnet.conf.dhcpdconf.tree import Config, HostDecl, Network
    from libnet.conf.leases import Database
    from libnet.proto.dhcpd.pool import Pool, Table
    from libnet.proto.dhcpd.request import Request

UNAVAILABLE = "requested address not available"
INCORRECT = "requested address is incorrect"
BAD_SUBNET = "requested address on bad subnet"


class Choice(NamedTuple):
    """What was found.

    lease   the client's, or one it may have; None
    ours    the address it asked for is one of ours
    text    why it does not get that one, or ""
    others  other leases that are the client's
    """

    lease: Lease | None
    ours: bool
    text: str
    others: tuple[Lease, ...]


def adopt(config: Config, database: Database) -> int:
    """Add the host declarations that stand in a lease file; return how many there are.

    Other servers write them there for hosts that were declared while they ran. The last one of a name
    counts, and may say that the host is deleted, one of the configuration's own too.
    """
    found: dict[str, HostDecl] = {}
    for text in database.kept:
        if text.lstrip()[:4].lower() == "host":
            for host in parse(text, "").hosts:
                host.outer = config.top
                found[host.name] = host
    config.hosts = [host for host in config.hosts if host.name not in found]
    added = [host for host in found.values() if not host.deleted]
    config.hosts += added
    return len(added)


class Hosts:
    """The host declarations, by what names them."""

    def __init__(self, config: Config, lookup: Callable[[str], bytes | None] | None) -> None:
        self._lookup = lookup
        self._by_uid: dict[bytes, list[HostDecl]] = {}
        self._by_hardware: dict[tuple[int, bytes], list[HostDecl]] = {}
        self.any = bool(config.hosts)
        for host in config.hosts:
            if host.deleted:
                continue
            if host.uid is not None:
                self._by_uid.setdefault(host.uid, []).append(host)
            if host.hardware is not None:
                self._by_hardware.setdefault(host.hardware, []).append(host)

    def of(self, request: Request) -> list[HostDecl]:
        """Return the declarations that name a client, by identifier first."""
        if not self.any:
            return []
        named = self._by_uid.get(request.client_id, []) if request.client_id is not None else []
        return named or self._by_hardware.get(request.hardware, [])

    def addrs(self, host: HostDecl) -> list[int]:
        """Return the fixed addresses of a host; names are looked up each time."""
        found: list[int] = []
        for one in host.fixed:
            if isinstance(one, int):
                found.append(one)
                continue
            octets = self._lookup(one) if self._lookup is not None else None
            for at in range(0, len(octets or b"") - 3, 4):
                found.append(int.from_bytes((octets or b"")[at : at + 4], "big"))
        return found


class Chooser:
    """Finds addresses in a table."""

    def __init__(self, table: Table, hosts: Hosts) -> None:
        self._table, self._hosts = table, hosts

    def identify(self, request: Request, network: Network | None) -> Lease | None:
        """Fill in known and host of *request*; return the client's fixed address on *network*."""
        hosts = self._hosts.of(request)
        request.known = bool(hosts)
        request.host = next((host for host in hosts if not host.fixed), None)
        if network is None:
            return None
        for host in hosts:
            for addr in self._hosts.addrs(host):
                subnet = subnet_of(network, addr)
                if subnet is not None:
                    lease = Lease(addr, subnet, None)
                    lease.static, lease.host = True, host
                    lease.hardware, lease.uid = request.hardware, request.client_id
                    request.host = host
                    return lease
        return None

    def find(self, request: Request, network: Network, fixed: Lease | None, addr: int) -> Choice:
        """Find a client's lease; *addr* is the address it says it has or wants, 0 for none."""
        wants = request.message.type == DHCPREQUEST
        if fixed is not None and wants and fixed.addr != addr:
            return Choice(None, True, INCORRECT, ())
        table = self._table
        uid, hardware = request.client_id, request.hardware
        by_uid = self._first(table.offered_to(hardware, uid), request, network)
        if uid is not None:
            by_uid = self._first(table.by_uid(uid), request, network) or by_uid
        # What nobody has any more is given back to the same hardware whatever it calls itself now.
        by_hardware = self._first(table.by_hardware(hardware), request, network, any_uid=True)
        named = table.lease(addr) if addr else None
        ours, text = named is not None, ""
        if named is not None:
            named, text = self._may_have(named, request, network, wants=wants)
        if fixed is not None:
            lease: Lease | None = fixed
        else:
            lease = named or by_uid or by_hardware
        mine: list[Lease] = []
        for one in (by_uid, by_hardware):
            if one is not None and one is not lease and one not in mine and one.state == ACTIVE:
                mine.append(one)
        if lease is not None and lease.state == ABANDONED and not (lease is named and wants):
            # Somebody else was there: the client has to ask for a new one.
            return Choice(None, True, text, tuple(mine))
        return Choice(lease, ours or fixed is not None, text, tuple(mine))

    def _first(
        self, leases: list[Lease], request: Request, network: Network, *, any_uid: bool = False
    ) -> Lease | None:
        for lease in leases:
            assert lease.pool is not None
            if (
                lease.pool.network is network
                and (
                    lease.belongs_to(request.hardware, request.client_id)
                    or (any_uid and not lease.held())
                )
                and lease.addr not in self._table.fixed
                and self.permitted(lease.pool, request)
            ):
                return lease
        return None

    def _may_have(
        self, lease: Lease, request: Request, network: Network, *, wants: bool
    ) -> tuple[Lease | None, str]:
        """Return an address that was asked for if the client may have it, and why it may not."""
        pool = lease.pool
        assert pool is not None
        if pool.network is not network:
            return None, BAD_SUBNET
        mine = lease.belongs_to(request.hardware, request.client_id)
        if lease.held() and not mine:
            return None, UNAVAILABLE
        if lease.state == ABANDONED and not wants:
            return None, UNAVAILABLE
        if (lease.reserved and not mine) or lease.addr in self._table.fixed:
            return None, UNAVAILABLE
        if not self.permitted(pool, request):
            return None, UNAVAILABLE
        return lease, ""

    def permitted(self, pool: Pool, request: Request) -> bool:
        """Tell whether a client may have addresses of *pool*."""
        # Without rules of its own a range is for BOOTP clients only if it says so.
        if not request.message.type and not pool.bootp and not pool.declared:
            return False
        return not pool.permits or permits(pool.permits, request)

    def allocate(self, request: Request, network: Network) -> Lease | None:
        """Return the address to give a client that has none, None when there is none left."""
        best: Lease | None = None
        for pool in self._table.pools_of(network):
            if not self.permitted(pool, request):
                continue
            lease = pool.head(self._table)
            if lease is None:
                continue
            if best is None or (lease.state == ABANDONED, lease.ends) < (
                best.state == ABANDONED,
                best.ends,
            ):
                best = lease
        return best
