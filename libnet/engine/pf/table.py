"""Tables of addresses: longest prefix wins (pf(4), section "tables"; RFC 4632 for the prefixes).

A table keeps one dict for each prefix length that occurs, so that a lookup costs as many dict gets as
there are different lengths, however many addresses there are. A negated entry means "not in the table":
the longest match decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Final

from libnet.addr import AF_INET, AF_INET6
from libnet.errors import NetError
from libnet.ioctl import pf as p
from libnet.ioctl.pf import PfrTable, PfrTstats

if TYPE_CHECKING:
    from libnet.ioctl.pf import PfIocTable

WIDTH: Final = {AF_INET: 32, AF_INET6: 128}
_ROOM: Final = {bits: (1 << bits) - 1 for bits in (32, 128)}
MAX_REQUEST: Final = 1 << 20  # addresses in one call

Key = tuple[int, int, int]  # family, address, prefix length


class Kentry:
    """One address of a table.

    neg    whether it is negated              packets, octets  by direction * 2 + (0 block, 1 pass)
    tzero  seconds since 1970 of the last clearing
    """

    __slots__ = ("neg", "octets", "packets", "tzero")

    def __init__(self, neg: bool, tzero: float) -> None:
        self.neg = neg
        self.tzero = tzero
        self.packets: list[int] | None = None  # made with the first packet
        self.octets: list[int] | None = None

    def count(self, at: int, size: int, packets: int) -> None:
        """Count packets of *size* octets together at direction * 2 + operation."""
        if self.packets is None or self.octets is None:
            self.packets, self.octets = [0] * 4, [0] * 4
        self.packets[at] += packets
        self.octets[at] += size

    def clear(self, now: float) -> None:
        """Zero the counters."""
        self.packets = self.octets = None
        self.tzero = now


class Prefixes:
    """Addresses of both families by prefix length, longest first."""

    __slots__ = ("_lengths", "count", "generation", "tables")

    def __init__(self) -> None:
        # family -> prefix length -> network -> entry
        self.tables: dict[int, dict[int, dict[int, Kentry]]] = {AF_INET: {}, AF_INET6: {}}
        self._lengths: dict[int, list[tuple[int, dict[int, Kentry]]]] = {}
        self.count = 0
        self.generation = 0

    def lookup(self, af: int, addr: int) -> Kentry | None:
        """Return the entry with the longest prefix that holds *addr*."""
        lengths = self._lengths.get(af)
        if lengths is None:
            lengths = self._arrange(af)
        for mask, entries in lengths:
            entry = entries.get(addr & mask)
            if entry is not None:
                return entry
        return None

    def find(self, af: int, addr: int, net: int) -> Key | None:
        """Return the key of that entry; of a network, the longest prefix that holds all of it."""
        bits = WIDTH[af]
        for length in sorted(self.tables[af], reverse=True):
            if length > net:
                continue
            network = addr & prefix(bits, length)
            if network in self.tables[af][length]:
                return af, network, length
        return None

    def _arrange(self, af: int) -> list[tuple[int, dict[int, Kentry]]]:
        bits = WIDTH[af]
        got = [
            (prefix(bits, length), entries)
            for length, entries in sorted(self.tables[af].items(), reverse=True)
        ]
        self._lengths[af] = got
        return got

    def get(self, key: Key) -> Kentry | None:
        """Return the entry of exactly that prefix."""
        entries = self.tables[key[0]].get(key[2])
        return None if entries is None else entries.get(key[1])

    def put(self, key: Key, entry: Kentry) -> None:
        """Add or replace an entry."""
        af, addr, length = key
        entries = self.tables[af].get(length)
        if entries is None:
            entries = self.tables[af][length] = {}
            self._lengths.pop(af, None)
        if addr not in entries:
            self.count += 1
        entries[addr] = entry
        self.generation += 1

    def remove(self, key: Key) -> None:
        """Take an entry away."""
        af, addr, length = key
        entries = self.tables[af][length]
        del entries[addr]
        self.count -= 1
        if not entries:
            del self.tables[af][length]
            self._lengths.pop(af, None)
        self.generation += 1

    def items(self) -> Iterator[tuple[Key, Kentry]]:
        """Yield every entry: IPv4 first, by address, then by length."""
        for af in (AF_INET, AF_INET6):
            rows = [
                (addr, length) for length, entries in self.tables[af].items() for addr in entries
            ]
            rows.sort()
            for addr, length in rows:
                yield (af, addr, length), self.tables[af][length][addr]

    def networks(self, af: int) -> list[tuple[int, int]]:
        """Return (address, mask) of the entries of a family that are not negated."""
        bits = WIDTH[af]
        return [
            (key[1], prefix(bits, key[2]))
            for key, entry in self.items()
            if key[0] == af and not entry.neg
        ]


def prefix(bits: int, length: int) -> int:
    """Return the mask of *length* in addresses of *bits*.

    >>> hex(prefix(32, 8))
    '0xff000000'
    """
    room = _ROOM[bits]
    return room << (bits - length) & room


class Ktable:
    """One table.

    flags   PFR_TFLAG_*           anchor, name
    rules   rules that refer to it            anchors  tables of that name in anchors
    root    the main table of the same name, which stands in while this one is not active
    shadow  what a transaction has prepared: flags, and addresses or None to keep them
    packets, octets   by direction * 3 + operation
    """

    __slots__ = (
        "addrs",
        "anchor",
        "anchors",
        "flags",
        "match",
        "name",
        "nomatch",
        "octets",
        "packets",
        "root",
        "rules",
        "shadow",
        "tzero",
    )

    def __init__(self, anchor: str, name: str, now: float) -> None:
        self.anchor, self.name = anchor, name
        self.flags = 0
        self.addrs = Prefixes()
        self.rules = self.anchors = 0
        self.root: Ktable | None = None
        self.shadow: tuple[int, dict[Key, bool] | None] | None = None
        self.match = self.nomatch = 0
        self.tzero = now
        self.packets, self.octets = [0] * 6, [0] * 6

    def used(self) -> Ktable | None:
        """Return the table that answers for this one, or None when neither is active."""
        kt: Ktable | None = self
        if not self.flags & p.PFR_TFLAG_ACTIVE:
            kt = self.root
        if kt is None or not kt.flags & p.PFR_TFLAG_ACTIVE:
            return None
        return kt

    def match_addr(self, af: int, addr: int) -> bool:
        """Tell whether *addr* is in the table, and count the question."""
        kt = self.used()
        if kt is None:
            return False
        entry = kt.addrs.lookup(af, addr)
        if entry is None or entry.neg:
            kt.nomatch += 1
            return False
        kt.match += 1
        return True

    def count(
        self, af: int, addr: int, size: int, out: bool, passed: bool, neg: bool, packets: int = 1
    ) -> None:
        """Count packets that a rule with this table has decided (pfr_update_stats).

        size  octets of all     neg  whether the rule names the table negated
        """
        kt = self.used()
        if kt is None:
            return
        entry = kt.addrs.lookup(af, addr)
        hit = entry is not None and not entry.neg
        operation = p.PFR_OP_PASS if passed else p.PFR_OP_BLOCK
        if hit == neg:
            # It matches no longer: the table has changed since the state was made.
            operation = p.PFR_OP_XPASS if passed else operation
            entry = None
        at = p.PFR_OP_TABLE_MAX if out else 0
        kt.packets[at + operation] += packets
        kt.octets[at + operation] += size
        if entry is not None and operation != p.PFR_OP_XPASS:
            entry.count((p.PFR_OP_ADDR_MAX if out else 0) + operation, size, packets)

    def clear_stats(self, now: float) -> None:
        """Zero the table's own counters."""
        self.packets, self.octets = [0] * 6, [0] * 6
        self.match = self.nomatch = 0
        self.tzero = now

    def header(self) -> PfrTable:
        """Return struct pfr_table."""
        return PfrTable(self.anchor, self.name, self.flags & p.PFR_TFLAG_ALLMASK)

    def tstats(self) -> PfrTstats:
        """Return struct pfr_tstats."""
        return PfrTstats(
            self.header(),
            list(self.packets),
            list(self.octets),
            self.match,
            self.nomatch,
            int(self.tzero),
            self.addrs.count,
            [self.rules, self.anchors],
        )


class Tables:
    """All tables of one pf, by (anchor path, name).

    wall    tells seconds since 1970           limits   how many tables, how many addresses
    anchor_used  tells whether an anchor of that path exists
    anchor_ref   called with (anchor path, +1 or -1) when a table comes or goes in it
    """

    def __init__(
        self,
        wall: Callable[[], float],
        limits: list[int],
        anchor_ref: Callable[[str, int], None],
        anchor_known: Callable[[str], bool],
    ) -> None:
        self.wall = wall
        self.limits = limits
        self.tables: dict[tuple[str, str], Ktable] = {}
        self.entries = 0
        self._anchor_ref = anchor_ref
        self._anchor_known = anchor_known
        self._anchors_seen: set[str] = set()

    # -- tables coming and going

    def find(self, anchor: str, name: str) -> Ktable | None:
        """Return a table."""
        return self.tables.get((anchor, name))

    def _create(self, anchor: str, name: str, *, limited: bool = True) -> Ktable:
        if limited and len(self.tables) >= self.limits[p.PF_LIMIT_TABLES]:
            raise NetError("ENOMEM")
        kt = self.tables[anchor, name] = Ktable(anchor, name, self.wall())
        if anchor:
            root = self.tables.get(("", name))
            if root is None:
                root = self.tables["", name] = Ktable("", name, self.wall())
            kt.root = root
            root.anchors += 1
            root.flags |= p.PFR_TFLAG_REFDANCHOR
            self._anchor_ref(anchor, 1)
        return kt

    def attach(self, anchor: str, name: str) -> Ktable:
        """Return the table that a rule of *anchor* names, made if need be; it is referred to."""
        kt = self.tables.get((anchor, name)) or self._create(anchor, name)
        kt.rules += 1
        self.set_flags(kt, kt.flags | p.PFR_TFLAG_REFERENCED)
        return kt

    def detach(self, kt: Ktable) -> None:
        """Undo one attach()."""
        kt.rules -= 1
        if not kt.rules:
            self.set_flags(kt, kt.flags & ~p.PFR_TFLAG_REFERENCED)

    def set_flags(self, kt: Ktable, flags: int) -> None:
        """Give *kt* new flags: one that nobody needs any longer loses its addresses, or goes."""
        if not flags & (p.PFR_TFLAG_REFERENCED | p.PFR_TFLAG_PERSIST):
            flags &= ~p.PFR_TFLAG_ACTIVE
        if not flags & p.PFR_TFLAG_ACTIVE:
            flags &= ~p.PFR_TFLAG_USRMASK
            self.entries -= kt.addrs.count
            kt.addrs = Prefixes()
        if not flags & p.PFR_TFLAG_INACTIVE:
            kt.shadow = None
        kt.flags = flags
        if not flags & p.PFR_TFLAG_ALLMASK and (kt.anchor, kt.name) in self.tables:
            del self.tables[kt.anchor, kt.name]
            root, kt.root = kt.root, None
            if root is not None:
                root.anchors -= 1
                if not root.anchors:
                    self.set_flags(root, root.flags & ~p.PFR_TFLAG_REFDANCHOR)
            if kt.anchor:
                self._anchor_ref(kt.anchor, -1)

    def selected(self, table: PfrTable, flags: int) -> list[Ktable]:
        """Return the tables of an anchor (or of all), by name. Raises ENOENT.

        An anchor that has become empty has no tables; one that never was is an error.
        """
        everywhere = flags & p.PFR_FLAG_ALLRSETS
        if table.anchor and not everywhere:
            if not self._anchor_known(table.anchor) and table.anchor not in self._anchors_seen:
                raise NetError("ENOENT")
            self._anchors_seen.add(table.anchor)
        got = [
            kt
            for kt in self.tables.values()
            if (everywhere or kt.anchor == table.anchor)
            and (not table.name or kt.name == table.name)
        ]
        got.sort(key=lambda kt: (kt.anchor, kt.name))
        return got

    # -- ioctls on tables

    def clear_tables(self, req: PfIocTable) -> int:
        """DIOCRCLRTABLES: delete the active ones; return how many."""
        ndel = 0
        for kt in self.selected(req.table, req.flags):
            if not kt.flags & p.PFR_TFLAG_ACTIVE or kt.anchor == p.PF_RESERVED_ANCHOR:
                continue
            ndel += 1
            if not req.flags & p.PFR_FLAG_DUMMY:
                self.set_flags(kt, kt.flags & ~p.PFR_TFLAG_ACTIVE)
        return ndel

    def add_tables(self, req: PfIocTable) -> int:
        """DIOCRADDTABLES: return how many were not there. Raises EINVAL, ENOMEM."""
        for table in req.tables:
            _check_table(table, p.PFR_TFLAG_USRMASK, change=True)
        nadd = 0
        for table in req.tables:
            kt = self.find(table.anchor, table.name)
            if kt is not None and kt.flags & p.PFR_TFLAG_ACTIVE:
                continue  # what is there keeps its flags
            nadd += 1
            if req.flags & p.PFR_FLAG_DUMMY:
                continue
            kt = kt or self._create(table.anchor, table.name)
            kt.clear_stats(self.wall())
            self.set_flags(kt, kt.flags | table.flags | p.PFR_TFLAG_ACTIVE)
        return nadd

    def del_tables(self, req: PfIocTable) -> int:
        """DIOCRDELTABLES: return how many were there."""
        for table in req.tables:
            _check_table(table, p.PFR_TFLAG_USRMASK, change=True)
        doomed = {}
        for table in req.tables:
            kt = self.find(table.anchor, table.name)
            if kt is not None and kt.flags & p.PFR_TFLAG_ACTIVE:
                doomed[id(kt)] = kt
        if not req.flags & p.PFR_FLAG_DUMMY:
            for kt in doomed.values():
                self.set_flags(kt, kt.flags & ~p.PFR_TFLAG_ACTIVE)
        return len(doomed)

    def clear_tstats(self, req: PfIocTable) -> int:
        """DIOCRCLRTSTATS: zero counters, of the addresses too with PFR_FLAG_ADDRSTOO."""
        nzero = 0
        now = self.wall()
        for table in req.tables:
            _check_table(table, p.PFR_TFLAG_ALLMASK)
            kt = self.find(table.anchor, table.name)
            if kt is None or not kt.flags & p.PFR_TFLAG_ACTIVE:
                continue
            nzero += 1
            if req.flags & p.PFR_FLAG_DUMMY:
                continue
            kt.clear_stats(now)
            if req.flags & p.PFR_FLAG_ADDRSTOO:
                for _key, entry in kt.addrs.items():
                    entry.clear(now)
        return nzero

    def set_tflags(self, req: PfIocTable) -> tuple[int, int]:
        """DIOCRSETTFLAGS: return how many changed and how many went. Raises EINVAL."""
        setflag, clrflag = req.setflag, req.clrflag
        if (setflag | clrflag) & ~p.PFR_TFLAG_USRMASK or setflag & clrflag:
            raise NetError("EINVAL")
        nchange = ndel = 0
        for table in req.tables:
            _check_table(table, p.PFR_TFLAG_ALLMASK, change=True)
            kt = self.find(table.anchor, table.name)
            if kt is None or not kt.flags & p.PFR_TFLAG_ACTIVE:
                continue
            flags = (kt.flags | setflag) & ~clrflag
            if flags == kt.flags:
                continue
            keep = p.PFR_TFLAG_PERSIST | p.PFR_TFLAG_REFERENCED
            if kt.flags & p.PFR_TFLAG_PERSIST and not flags & keep:
                ndel += 1
            else:
                nchange += 1
            if not req.flags & p.PFR_FLAG_DUMMY:
                self.set_flags(kt, flags)
        return nchange, ndel

    # -- ioctls on addresses

    def active(self, table: PfrTable, *, change: bool = False) -> Ktable:
        """Return an active table. Raises EINVAL, ESRCH, or EPERM to change a constant one."""
        _check_table(table, p.PFR_TFLAG_ALLMASK, change=change)
        kt = self.find(table.anchor, table.name)
        if kt is None or not kt.flags & p.PFR_TFLAG_ACTIVE:
            raise NetError("ESRCH")
        if change and kt.flags & p.PFR_TFLAG_CONST:
            raise NetError("EPERM")
        return kt

    def _room(self, more: int) -> None:
        if self.entries + more > self.limits[p.PF_LIMIT_TABLE_ENTRIES]:
            raise NetError("ENOMEM")

    def clear_addrs(self, req: PfIocTable) -> int:
        """DIOCRCLRADDRS: return how many went."""
        kt = self.active(req.table, change=True)
        ndel = kt.addrs.count
        if not req.flags & p.PFR_FLAG_DUMMY:
            self.entries -= ndel
            kt.addrs = Prefixes()
        return ndel

    def add_addrs(self, req: PfIocTable) -> None:
        """DIOCRADDADDRS: nadd, and feedback in *addrs*. Raises ENOMEM: then nothing was added."""
        kt = self.active(req.table, change=True)
        rows = _addrs(req.addrs)
        new: dict[Key, bool] = {}
        fback = []
        get = kt.addrs.get
        for af, addr, net, neg, _fb in rows:
            key = af, addr, net
            mine = new.get(key)
            if mine is not None:
                code = p.PFR_FB_CONFLICT if mine != bool(neg) else p.PFR_FB_DUPLICATE
            else:
                old = get(key)
                if old is None:
                    new[key] = bool(neg)
                    code = p.PFR_FB_ADDED
                else:
                    code = p.PFR_FB_CONFLICT if old.neg != bool(neg) else p.PFR_FB_NONE
            fback.append(code)
        self._room(len(new))
        if not req.flags & p.PFR_FLAG_DUMMY:
            self._insert(kt, new)
        req.nadd = len(new)
        _feedback(req, rows, fback)

    def _insert(self, kt: Ktable, new: dict[Key, bool]) -> None:
        now = self.wall()
        put = kt.addrs.put
        for key, neg in new.items():
            put(key, Kentry(neg, now))
        self.entries += len(new)

    def del_addrs(self, req: PfIocTable) -> None:
        """DIOCRDELADDRS: ndel, and feedback."""
        kt = self.active(req.table, change=True)
        rows = _addrs(req.addrs)
        gone: set[Key] = set()
        fback = []
        for af, addr, net, neg, _fb in rows:
            key = af, addr, net
            old = kt.addrs.get(key)
            if old is None:
                code = p.PFR_FB_NONE
            elif old.neg != bool(neg):
                code = p.PFR_FB_CONFLICT
            elif key in gone:
                code = p.PFR_FB_DUPLICATE
            else:
                gone.add(key)
                code = p.PFR_FB_DELETED
            fback.append(code)
        if not req.flags & p.PFR_FLAG_DUMMY:
            for key in gone:
                kt.addrs.remove(key)
            self.entries -= len(gone)
        req.ndel = len(gone)
        _feedback(req, rows, fback)

    def set_addrs(self, req: PfIocTable) -> None:
        """DIOCRSETADDRS: the table holds *addrs* afterwards; what stays keeps its counters."""
        kt = self.active(req.table, change=True)
        rows = _addrs(req.addrs)
        kept: set[Key] = set()
        new: dict[Key, bool] = {}
        changed: dict[Key, bool] = {}
        fback = []
        for af, addr, net, neg, _fb in rows:
            key = af, addr, net
            old = kt.addrs.get(key)
            if key in kept or key in new:
                code = p.PFR_FB_DUPLICATE
            elif old is None:
                new[key] = bool(neg)
                code = p.PFR_FB_ADDED
            else:
                kept.add(key)
                code = p.PFR_FB_NONE
                if old.neg != bool(neg):
                    changed[key] = bool(neg)
                    code = p.PFR_FB_CHANGED
            fback.append(code)
        gone = [(key, entry.neg) for key, entry in kt.addrs.items() if key not in kept]
        self._room(len(new) - len(gone))
        if not req.flags & p.PFR_FLAG_DUMMY:
            for key, _neg in gone:
                kt.addrs.remove(key)
            self.entries -= len(gone)
            now = self.wall()
            for key, neg in changed.items():
                kt.addrs.put(key, Kentry(neg, now))
            self._insert(kt, new)
        req.nadd, req.ndel, req.nchange = len(new), len(gone), len(changed)
        _feedback(req, rows, fback)
        if req.flags & p.PFR_FLAG_FEEDBACK:
            req.size2 = len(gone)
            req.addrs += b"".join(p.pack_addr(*k, int(n), p.PFR_FB_DELETED) for k, n in gone)

    def get_addrs(self, req: PfIocTable) -> None:
        """DIOCRGETADDRS."""
        kt = self.active(req.table)
        req.addrs = b"".join(p.pack_addr(*k, int(e.neg)) for k, e in kt.addrs.items())
        req.size = kt.addrs.count

    def get_astats(self, req: PfIocTable) -> None:
        """DIOCRGETASTATS, a page."""
        kt = self.active(req.table)
        req.size = kt.addrs.count
        if req.first < 0:
            raise NetError("EINVAL")
        zero = [0] * 4
        rows = list(kt.addrs.items())[req.first : req.first + p.PAGE_ASTATS]
        req.astats = b"".join(
            p.pack_astats(
                p.pack_addr(*k, int(e.neg)), e.packets or zero, e.octets or zero, int(e.tzero)
            )
            for k, e in rows
        )
        if req.flags & p.PFR_FLAG_CLSTATS:
            now = self.wall()
            for _key, entry in rows:
                entry.clear(now)

    def clear_astats(self, req: PfIocTable) -> None:
        """DIOCRCLRASTATS: nadd says how many were zeroed."""
        kt = self.active(req.table)
        rows = _addrs(req.addrs)
        now = self.wall()
        fback = []
        nzero = 0
        for af, addr, net, _neg, _fb in rows:
            entry = kt.addrs.get((af, addr, net))
            fback.append(p.PFR_FB_NONE if entry is None else p.PFR_FB_CLEARED)
            if entry is not None:
                nzero += 1
                if not req.flags & p.PFR_FLAG_DUMMY:
                    entry.clear(now)
        req.nadd = nzero
        _feedback(req, rows, fback)

    def test_addrs(self, req: PfIocTable) -> None:
        """DIOCRTSTADDRS: nadd says how many match; PFR_FLAG_REPLACE puts the entry in the place.

        Raises EINVAL for a network.
        """
        kt = self.active(req.table)
        rows = _addrs(req.addrs)
        out = []
        nmatch = 0
        for af, addr, net, neg, _fb in rows:
            if net != WIDTH[af]:
                raise NetError("EINVAL")
            key = kt.addrs.find(af, addr, net)
            entry = None if key is None else kt.addrs.get(key)
            if entry is None:
                code = p.PFR_FB_NONE
            elif entry.neg:
                code = p.PFR_FB_NOTMATCH
            else:
                code = p.PFR_FB_MATCH
                nmatch += 1
            if req.flags & p.PFR_FLAG_REPLACE:
                if entry is not None and key is not None:
                    out.append(p.pack_addr(*key, int(entry.neg), code))
                else:
                    out.append(p.pack_addr(af, 0, 0, 0, code))
            else:
                out.append(p.pack_addr(af, addr, net, neg, code))
        req.nadd = nmatch
        req.addrs = b"".join(out)

    def insert_kentry(self, kt: Ktable, af: int, addr: int) -> None:
        """Add one address from a rule's overload (pfr_insert_kentry); full: nothing happens."""
        if not kt.flags & p.PFR_TFLAG_ACTIVE and kt.root is not None:
            kt = kt.root
        key = af, addr, WIDTH[af]
        old = kt.addrs.get(key)
        if old is not None:
            old.neg = False
            return
        if self.entries >= self.limits[p.PF_LIMIT_TABLE_ENTRIES]:
            return
        kt.addrs.put(key, Kentry(False, self.wall()))
        kt.flags |= p.PFR_TFLAG_ACTIVE
        self.entries += 1

    def follow(self, kt: Ktable, keys: Iterable[Key]) -> None:
        """Have the table of an interface hold exactly *keys*; what stays keeps its counters."""
        wanted = dict.fromkeys(keys)
        gone = [key for key, _entry in kt.addrs.items() if key not in wanted]
        for key in gone:
            kt.addrs.remove(key)
        self.entries -= len(gone)
        self._insert(kt, {key: False for key in wanted if kt.addrs.get(key) is None})

    # -- transactions

    def ina_begin(self, anchor: str) -> int:
        """Forget what was prepared for *anchor*; return how many tables that were."""
        ndel = 0
        for kt in list(self.tables.values()):
            if kt.anchor == anchor and kt.flags & p.PFR_TFLAG_INACTIVE:
                self.set_flags(kt, kt.flags & ~p.PFR_TFLAG_INACTIVE)
                ndel += 1
        return ndel

    def ina_define(self, req: PfIocTable) -> None:
        """DIOCRINADEFINE: prepare a table; size2 says how many addresses. Raises EINVAL, ENOMEM."""
        _check_table(req.table, p.PFR_TFLAG_USRMASK, change=True)
        if req.size and not req.flags & p.PFR_FLAG_ADDRSTOO:
            raise NetError("EINVAL")
        rows = _addrs(req.addrs)
        new: dict[Key, bool] = {}
        for af, addr, net, neg, _fb in rows:
            new.setdefault((af, addr, net), bool(neg))
        self._room(len(new))
        table = req.table
        kt = self.find(table.anchor, table.name)
        req.nadd = 1 if kt is None or not kt.flags & p.PFR_TFLAG_ACTIVE else 0
        req.size2 = len(new)
        if req.flags & p.PFR_FLAG_DUMMY:
            return
        if kt is None:
            kt = self._create(table.anchor, table.name)
        shadow = new if req.flags & p.PFR_FLAG_ADDRSTOO else None
        kt.shadow = table.flags & p.PFR_TFLAG_USRMASK, shadow
        kt.flags |= p.PFR_TFLAG_INACTIVE

    def ina_commit(self, anchor: str) -> None:
        """Make what was prepared for *anchor* the truth; addresses that stay keep their counters."""
        for kt in list(self.tables.values()):
            if kt.anchor != anchor or not kt.flags & p.PFR_TFLAG_INACTIVE or kt.shadow is None:
                continue
            flags, addrs = kt.shadow
            now = self.wall()
            if not kt.flags & p.PFR_TFLAG_ACTIVE:
                kt.clear_stats(now)
            if addrs is not None:
                self.entries -= kt.addrs.count
                old, kt.addrs = kt.addrs, Prefixes()
                put, get = kt.addrs.put, old.get
                for key, neg in addrs.items():
                    entry = get(key)
                    if entry is None or entry.neg != neg:
                        entry = Kentry(neg, now)
                    put(key, entry)
                # Pools that walk a table notice a change by the number.
                kt.addrs.generation += old.generation + 1
                self.entries += kt.addrs.count
            kept = kt.flags & ~(p.PFR_TFLAG_USRMASK | p.PFR_TFLAG_INACTIVE)
            self.set_flags(kt, kept | flags | p.PFR_TFLAG_ACTIVE)


def _check_table(table: PfrTable, allowed: int, *, change: bool = False) -> None:
    """Check how a table is named. Raises EINVAL, also for a *change* to one that is pf's own."""
    name = table.name
    if change and table.anchor == p.PF_RESERVED_ANCHOR:
        raise NetError("EINVAL")
    if not name or len(name) >= p.PF_TABLE_NAME_SIZE or table.flags & ~allowed or "\0" in name:
        raise NetError("EINVAL")
    table.anchor = table.anchor.strip("/")
    if len(table.anchor) >= p.MAXPATHLEN:
        raise NetError("EINVAL")


def _addrs(octets: bytes) -> list[tuple[int, int, int, int, int]]:
    """Return the addresses of a call, host bits clear. Raises EINVAL."""
    if len(octets) > MAX_REQUEST * p.PFR_ADDR_SIZE:
        raise NetError("EINVAL")
    try:
        rows = p.unpack_addrs(octets)
    except ValueError:
        raise NetError("EINVAL") from None
    for af, addr, net, neg, fback in rows:
        room = WIDTH[af] - net
        if neg > 1 or fback or (room and addr & ((1 << room) - 1)):
            raise NetError("EINVAL")
    return rows


def _feedback(
    req: PfIocTable, rows: Iterable[tuple[int, int, int, int, int]], codes: list[int]
) -> None:
    if req.flags & p.PFR_FLAG_FEEDBACK:
        req.addrs = b"".join(
            p.pack_addr(af, addr, net, neg, code)
            for (af, addr, net, neg, _fb), code in zip(rows, codes, strict=True)
        )
