"""Which addresses there are, who has them, and which one is given next.

A pool hands out in this order: addresses that nobody ever had, from the lowest on; then those that
have been free longest; then, if nothing else is left, abandoned ones. Each step costs the same in a
pool of sixteen addresses and in one of 65,536: an address has no object before somebody wants it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from heapq import heapify, heappop, heappush
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from libnet.proto.dhcpd.lease import ABANDONED, ACTIVE, FREE, Hardware, Lease

if TYPE_CHECKING:
    from libnet.conf.dhcpdconf.tree import Network, Permit, Range, Scope

MAX_SAME: Final = 64  # leases looked at for one client; a liar may own thousands
# Between the end of a lease and the moment another client may have the address: the end is a whole
# second, and the host's clock may be a second off before that is noticed.
GRACE_S: Final = 2


class Pool:
    """Addresses with one set of rules.

    scope    where its range stands: a subnet or a pool of the configuration
    permits  who may have them          bootp  ranges that dynamic BOOTP clients may be served from
    size     how many there are         active how many of them are somebody's
    """

    __slots__ = (
        *("_abandoned", "_fresh", "_free", "active", "bootp", "network", "permits", "ranges"),
        *("full", "scope", "size"),
    )

    def __init__(
        self, network: Network, scope: Scope, permits: list[Permit], *, bootp: bool
    ) -> None:
        self.network, self.scope, self.permits, self.bootp = network, scope, permits, bootp
        self.ranges: list[Range] = []
        self.size = 0
        self.active = 0
        self.full = False  # the threshold for the log has been passed
        self._fresh: list[list[int]] = []  # first, last of what nobody ever had
        self._free: OrderedDict[int, Lease] = OrderedDict()  # longest free first
        self._abandoned: OrderedDict[int, Lease] = OrderedDict()

    @property
    def declared(self) -> bool:
        """Tell whether it is a pool of the configuration, whose rules alone say who is served."""
        return self.scope.kind == "pool"

    def add(self, one: Range) -> None:
        """Add a range."""
        self.ranges.append(one)
        self._fresh.append([one.first, one.last])
        self.size += one.last - one.first + 1

    def head(self, table: Table) -> Lease | None:
        """Return the address to give next, None when there is none; abandoned ones come last."""
        for span in self._fresh:
            while span[0] <= span[1]:
                addr = span[0]
                if addr in table.by_addr or addr in table.fixed:
                    span[0] += 1  # never to be looked at again: once known, it is in a queue
                    continue
                return table.lease(addr)
        for queue in (self._free, self._abandoned):
            for lease in queue.values():
                return lease
        return None

    def requeue(self, lease: Lease) -> None:
        """Put *lease* where its state says: to the end of a queue, or into none."""
        addr = lease.addr
        self._free.pop(addr, None)
        self._abandoned.pop(addr, None)
        if lease.offered is not None or lease.reserved or lease.state == ACTIVE:
            return
        if lease.state == ABANDONED:
            self._abandoned[addr] = lease
        else:
            self._free[addr] = lease


class Table:
    """All leases: by address, client identifier and hardware address, and in order of their ends.

    fixed  addresses of host declarations; they are given to nobody else
    """

    def __init__(self, networks: Iterable[Network], fixed: Iterable[int] = ()) -> None:
        self.by_addr: dict[int, Lease] = {}
        self.fixed = frozenset(fixed)
        self.pools: dict[int, list[Pool]] = {}  # by id of the network
        self._offered: dict[object, dict[int, Lease]] = {}
        self._by_uid: dict[bytes, dict[int, Lease]] = {}
        self._by_hardware: dict[Hardware, dict[int, Lease]] = {}
        self._spans: list[tuple[int, int, Range, Pool]] = []
        self._heap: list[tuple[float, int]] = []
        for network in networks:
            self._add(network)
        self._spans.sort(key=lambda span: span[0])
        self._firsts = [span[0] for span in self._spans]
        self._reach: list[int] = []  # the last address of this span and those before it
        for _first, last, _one, _pool in self._spans:
            self._reach.append(max(last, self._reach[-1]) if self._reach else last)

    def _add(self, network: Network) -> None:
        pools = self.pools[id(network)] = []
        known: dict[tuple[int, bool], Pool] = {}
        for one in network.ranges:
            key = (id(one.pool), one.bootp)
            pool = known.get(key)
            if pool is None:
                permits = getattr(one.pool, "permits", [])
                pool = known[key] = Pool(network, one.pool, permits, bootp=one.bootp)
                pools.append(pool)
            pool.add(one)
            self._spans.append((one.first, one.last, one, pool))

    def pools_of(self, network: Network) -> list[Pool]:
        """Return the pools of a network in the order of the configuration."""
        return self.pools.get(id(network), [])

    def find(self, addr: int) -> tuple[Range, Pool] | None:
        """Return range and pool that have *addr*, None when it is not to be given."""
        at = bisect_right(self._firsts, addr) - 1
        # Ranges may overlap where a configuration is careless: the nearest that reaches so far counts.
        while at >= 0 and self._reach[at] >= addr:
            _first, last, one, pool = self._spans[at]
            if addr <= last:
                return one, pool
            at -= 1
        return None

    def lease(self, addr: int) -> Lease | None:
        """Return the lease of *addr*, free if nobody ever had it; None when it is in no range."""
        known = self.by_addr.get(addr)
        if known is not None:
            return known
        found = self.find(addr)
        if found is None:
            return None
        one, pool = found
        return Lease(addr, one.subnet, pool)

    def by_uid(self, uid: bytes) -> list[Lease]:
        """Return leases of a client identifier, those in use first, then the latest."""
        return _best(self._by_uid.get(uid))

    def by_hardware(self, hardware: Hardware) -> list[Lease]:
        """Return leases of a hardware address, those in use first, then the latest."""
        return _best(self._by_hardware.get(hardware))

    def offered_to(self, hardware: Hardware, uid: bytes | None) -> list[Lease]:
        """Return the addresses that are held for a client."""
        return _best(self._offered.get(hardware if uid is None else uid))

    def hold(self, lease: Lease, hardware: Hardware, uid: bytes | None, ends: float) -> None:
        """Keep *lease* for a client until *ends*."""
        self.let_go(lease)
        lease.offered, lease.offer_ends = (hardware, uid), ends
        self._offered.setdefault(hardware if uid is None else uid, {})[lease.addr] = lease
        self.set_state(lease, lease.state)

    def let_go(self, lease: Lease) -> None:
        """Keep *lease* for nobody any more; set_state() is to follow."""
        if lease.offered is not None:
            hardware, uid = lease.offered
            _drop(self._offered, hardware if uid is None else uid, lease.addr)
            lease.offered = None

    def assign(self, lease: Lease, hardware: Hardware | None, uid: bytes | None) -> None:
        """Say whose *lease* is."""
        if lease.hardware != hardware:
            _drop(self._by_hardware, lease.hardware, lease.addr)
            lease.hardware = hardware
        if lease.uid != uid:
            _drop(self._by_uid, lease.uid, lease.addr)
            lease.uid = uid
        if hardware is not None:
            self._by_hardware.setdefault(hardware, {})[lease.addr] = lease
        if uid is not None:
            self._by_uid.setdefault(uid, {})[lease.addr] = lease

    def set_state(self, lease: Lease, state: str) -> None:
        """Put *lease* into a state; ends, promised, offered are already what they are to be."""
        pool = lease.pool
        assert pool is not None
        self.by_addr[lease.addr] = lease
        pool.active += (state == ACTIVE) - (lease.state == ACTIVE)
        lease.state = state
        pool.requeue(lease)
        self._schedule(lease)

    def restore(self, leases: Iterable[Lease]) -> None:
        """Take leases read from the file, in any order."""
        for lease in sorted(leases, key=lambda one: one.ends):
            state, lease.state = lease.state, FREE
            self.assign(lease, lease.hardware, lease.uid)
            self.set_state(lease, state)

    def _schedule(self, lease: Lease) -> None:
        until = lease.until()
        # One entry for a lease: a renewal only makes it later, which is found out when it comes up.
        if until is not None and (lease.due is None or until < lease.due):
            lease.due = until
            heappush(self._heap, (until, lease.addr))
            if len(self._heap) > 2 * len(self.by_addr) + 1024:
                self._sweep()

    def _sweep(self) -> None:
        self._heap[:] = [entry for entry in self._heap if self.by_addr[entry[1]].due == entry[0]]
        heapify(self._heap)

    def next_due(self) -> float | None:
        """Return when due() may have something, None for never."""
        return self._heap[0][0] + GRACE_S if self._heap else None

    def due(self, now: float) -> Iterator[Lease]:
        """Yield the leases whose state is over; the caller changes it with set_state()."""
        heap = self._heap
        while heap and heap[0][0] + GRACE_S <= now:
            when, addr = heappop(heap)
            lease = self.by_addr[addr]
            if lease.due != when:
                continue  # another entry, earlier than this one, has taken its place
            lease.due = None
            until = lease.until()
            if until is None:
                continue
            if until + GRACE_S > now:
                self._schedule(lease)
                continue
            yield lease


def _best(leases: dict[int, Lease] | None) -> list[Lease]:
    if not leases:
        return []
    found = list(islice(reversed(leases.values()), MAX_SAME))
    if len(found) > 1:
        found.sort(key=lambda lease: (lease.state == ACTIVE, lease.ends), reverse=True)
    return found


def _drop(index: dict[Any, dict[int, Lease]], key: object, addr: int) -> None:
    entry = index.get(key) if key is not None else None
    if entry is not None:
        entry.pop(addr, None)
        if not entry:
            del index[key]
