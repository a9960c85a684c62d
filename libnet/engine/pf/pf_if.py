"""Interfaces and interface groups as pf knows them, and addresses that follow an interface (pf_if).

A rule may name an interface that is not there yet, or a group: the stem of a driver's names (`lo` for
lo0 and lo1), `all`, or `egress` for whatever has the default route.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from libnet.addr import AF_INET, AF_INET6
from libnet.engine.pf.table import WIDTH, Key, Ktable, Tables, prefix
from libnet.engine.pfil.pfil import IF_ATTACH, IF_DELADDR, IF_DETACH, IF_NEWADDR
from libnet.ioctl import pf as p
from libnet.ioctl.ifflags import IFF_BROADCAST, IFF_POINTOPOINT
from libnet.ioctl.pf import PfiKif

if TYPE_CHECKING:
    from libnet.engine.inet.inetstack import InetStack
    from libnet.engine.link.ifnet import Ifaddr, Ifnet

ALL: Final = "all"
EGRESS: Final = "egress"
SELF: Final = "self"
_WHOLE: Final = 128
# In the order in which a table's name has them.
_MODIFIERS: Final = (
    (p.PFI_AFLAG_NETWORK, ":network"),
    (p.PFI_AFLAG_BROADCAST, ":broadcast"),
    (p.PFI_AFLAG_PEER, ":peer"),
    (p.PFI_AFLAG_NOALIAS, ":0"),
)
_LINKLOCAL: Final = 0xFE80 << 112
_LINKLOCAL_MASK: Final = 0xFFC0 << 112


class Kif:
    """One interface or group.

    ifp       the interface, None for a group or one that is not there
    skip      whether pf leaves its packets alone (set skip on)
    packets, octets   family (0, 1) * 4 + out * 2 + blocked; passed IPv4 is counted in pin4
                      and its kin, and totals() adds it
    matches   the Kifs whose rules are for packets of this interface
    states, rules     how many refer to it
    """

    __slots__ = (
        "bin4",
        "bout4",
        "flags",
        "group",
        "ifp",
        "matches",
        "name",
        "octets",
        "packets",
        "pin4",
        "pout4",
        "rules",
        "skip",
        "states",
        "tzero",
    )

    def __init__(self, name: str, now: float) -> None:
        self.name = name
        self.ifp: Ifnet | None = None
        self.group = False
        self.flags = 0
        self.skip = False
        self.states = self.rules = 0
        self.clear(now)
        self.matches: frozenset[Kif] = frozenset((self,))

    def clear(self, now: float) -> None:
        """Zero the counters."""
        self.packets: list[int] = [0] * 8
        self.octets: list[int] = [0] * 8
        self.pin4 = self.bin4 = self.pout4 = self.bout4 = 0
        self.tzero = now

    def count(self, at: int, size: int) -> None:
        """Count a packet of *size* octets at family * 4 + out * 2 + blocked."""
        self.packets[at] += 1
        self.octets[at] += size

    def totals(self) -> tuple[list[int], list[int]]:
        """Return packets and octets."""
        packets, octets = list(self.packets), list(self.octets)
        packets[0] += self.pin4
        octets[0] += self.bin4
        packets[2] += self.pout4
        octets[2] += self.bout4
        return packets, octets

    def show(self) -> PfiKif:
        """Return struct pfi_kif."""
        packets, octets = self.totals()
        return PfiKif(
            self.name,
            packets,
            octets,
            int(self.tzero),
            self.flags,
            self.states,
            self.rules,
            int(self.group),
            int(self.ifp is not None),
        )


class Kifs:
    """All of them.

    by_ifp      what an interface is, for the packet path       all  where floating states are
    followers   called with each interface that comes or goes, and the event
    dynamic     what follows an interface's addresses, by the name of its table
    generation  changes whenever an interface or address does
    """

    def __init__(self, stack: InetStack, tables: Tables) -> None:
        self.stack, self.tables = stack, tables
        self.by_name: dict[str, Kif] = {}
        self.by_ifp: dict[Ifnet, Kif] = {}
        self.followers: list[Callable[[str, Ifnet], None]] = []
        self.dynamic: dict[str, DynTable] = {}
        self.generation = 0
        self._synced = -1
        self._routes = -1
        self._egress: Ifnet | None = None
        self.all = self.get(ALL)
        self.all.group = True
        for ifp in stack.ifnets.values():
            self._attach(ifp)
        stack.pfil.add_ifnet(self.hook)

    def close(self) -> None:
        """Hear of interfaces no longer."""
        self.stack.pfil.remove_ifnet(self.hook)

    def get(self, name: str) -> Kif:
        """Return the Kif called *name*, made if there is none."""
        kif = self.by_name.get(name)
        if kif is None:
            kif = self.by_name[name] = Kif(name, self.stack.clock.wall())
            kif.group = name == EGRESS
        return kif

    def unref(self, kif: Kif) -> None:
        """Forget a Kif that nothing needs."""
        if kif.ifp is None and not kif.group and not kif.rules and not kif.states and not kif.flags:
            self.by_name.pop(kif.name, None)

    def hook(self, event: str, ifp: Ifnet, _arg: Any) -> None:
        """Follow the interfaces (pfil)."""
        if event == IF_ATTACH:
            self._attach(ifp)
            self._tell(event, ifp)
        elif event == IF_DETACH:
            kif = self.by_ifp.pop(ifp, None)
            if kif is not None:
                kif.ifp = None
                kif.matches = frozenset((kif,))
            self.generation += 1
            self._tell(event, ifp)
        elif event in (IF_NEWADDR, IF_DELADDR):
            self.generation += 1

    def _tell(self, event: str, ifp: Ifnet) -> None:
        for follower in self.followers:
            follower(event, ifp)

    def _attach(self, ifp: Ifnet) -> None:
        kif = self.get(ifp.name)
        kif.ifp = ifp
        kif.group = False
        self.by_ifp[ifp] = kif
        stem = ifp.name.rstrip("0123456789")
        group = self.get(stem)
        if group.ifp is None:
            group.group = True
        self.generation += 1
        self._routes = -1
        self.set_skip()

    def set_flags(self, name: str, on: int, off: int) -> None:
        """Set and clear PFI_IFLAG_* of an interface, of a driver's all, or of all there are."""
        if name and on:
            self.get(name)
        for kif in self.by_name.values():
            if not name or kif.name == name or kif.name.rstrip("0123456789") == name:
                kif.flags = kif.flags & ~off | on
        self.set_skip()

    def set_skip(self) -> None:
        """Note which interfaces pf leaves alone."""
        for ifp, kif in self.by_ifp.items():
            group = self.get(ifp.name.rstrip("0123456789"))
            kif.skip = bool((kif.flags | group.flags | self.all.flags) & p.PFI_IFLAG_SKIP)

    def refresh(self) -> None:
        """Find out again who is in which group, if routes or interfaces have changed."""
        seen = self.stack.route.generation
        if seen == self._routes:
            return
        self._routes = seen
        default = self.stack.route.rtlookup(0)
        egress = default.ifp if default is not None and not default.dst else None
        if egress is not self._egress:
            self._egress = egress
            self.generation += 1
        for ifp, kif in self.by_ifp.items():
            names = [self.all, self.get(ifp.name.rstrip("0123456789"))]
            if ifp is egress:
                names.append(self.get(EGRESS))
            kif.matches = frozenset((kif, *names))

    def members(self, wanted: Kif) -> list[Ifnet]:
        """Return the interfaces that *wanted* stands for."""
        if wanted.ifp is not None:
            return [wanted.ifp]
        return [ifp for ifp, kif in self.by_ifp.items() if wanted in kif.matches]

    def follow(self, name: str, iflags: int, net: int) -> DynTable:
        """Return the table of an interface's addresses, made if need be (pfi_dynaddr_setup).

        Raises ENOMEM when there are too many tables.
        """
        table_name = (
            name
            + "".join(text for bit, text in _MODIFIERS if iflags & bit)
            + (f"/{net}" if net != _WHOLE else "")
        )[: p.PF_TABLE_NAME_SIZE - 1]
        kt = self.tables.attach(p.PF_RESERVED_ANCHOR, table_name)
        kt.flags |= p.PFR_TFLAG_ACTIVE
        dyn = self.dynamic.get(table_name)
        if dyn is None:
            kif = self.get(ALL if name == SELF else name)
            dyn = self.dynamic[table_name] = DynTable(kif, kt, iflags, net)
            self._synced = -1
        dyn.refs += 1
        dyn.kif.rules += 1
        return dyn

    def unfollow(self, dyn: DynTable) -> None:
        """Undo one follow()."""
        dyn.refs -= 1
        dyn.kif.rules -= 1
        if not dyn.refs:
            del self.dynamic[dyn.name]
        self.tables.detach(dyn.kt)
        self.unref(dyn.kif)

    def sync(self) -> None:
        """Bring the tables of dynamic addresses up to date, if anything has changed."""
        self.refresh()
        if self._synced != self.generation:
            self._synced = self.generation
            for dyn in self.dynamic.values():
                dyn.update(self.members(dyn.kif), self.tables)

    def named(self, name: str) -> list[Kif]:
        """Return the Kifs called *name* or in that group; all for ""."""
        if not name:
            return sorted(self.by_name.values(), key=lambda kif: kif.name)
        self.refresh()
        wanted = self.by_name.get(name)
        if wanted is None:
            return []
        return [
            wanted,
            *(k for k in self.by_ifp.values() if k is not wanted and wanted in k.matches),
        ]


class DynTable:
    """The table behind (if), (if:network) and kin, in the anchor _pf; rules that say the same share it.

    net     prefix length to cut the addresses to, 128 for whole ones
    prefixes  by family, (network, mask) of each address that the interface has
    refs    how many words of rules there are
    """

    __slots__ = ("iflags", "kif", "kt", "name", "net", "prefixes", "refs")

    def __init__(self, kif: Kif, kt: Ktable, iflags: int, net: int) -> None:
        self.kif, self.kt, self.iflags, self.net = kif, kt, iflags, net
        self.name = kt.name
        self.refs = 0
        self.prefixes: dict[int, list[tuple[int, int]]] = {AF_INET: [], AF_INET6: []}

    def update(self, ifps: list[Ifnet], tables: Tables) -> None:
        """Take over the addresses that *ifps* have at the time (pfi_table_update)."""
        keys: list[Key] = []
        for ifp in ifps:
            seen: set[int] = set()
            for ifa in ifp.addrs:
                if ifa.family not in WIDTH or self._left_out(ifp, ifa):
                    continue
                if self.iflags & p.PFI_AFLAG_NOALIAS and ifa.family in seen:
                    continue
                seen.add(ifa.family)
                keys.append(self._key(ifa))
        tables.follow(self.kt, keys)
        for af in WIDTH:
            self.prefixes[af] = self.kt.addrs.networks(af)

    def _left_out(self, ifp: Ifnet, ifa: Ifaddr) -> bool:
        flags = self.iflags
        if flags & p.PFI_AFLAG_BROADCAST and not (
            ifa.family == AF_INET and ifp.flags & IFF_BROADCAST
        ):
            return True
        if flags & p.PFI_AFLAG_PEER and not ifp.flags & IFF_POINTOPOINT:
            return True
        return (
            ifa.family == AF_INET6
            and bool(flags & (p.PFI_AFLAG_NETWORK | p.PFI_AFLAG_NOALIAS))
            and ifa.addr & _LINKLOCAL_MASK == _LINKLOCAL
        )

    def _key(self, ifa: Ifaddr) -> Key:
        bits = WIDTH[ifa.family]
        length = min(self.net, bits)
        addr = ifa.addr
        if self.iflags & p.PFI_AFLAG_NETWORK and self.net == _WHOLE:
            length = ifa.mask.bit_count()
        if self.iflags & p.PFI_AFLAG_BROADCAST:
            addr = ifa.broadaddr
        elif self.iflags & p.PFI_AFLAG_PEER:
            addr = ifa.dstaddr
        return ifa.family, addr & prefix(bits, length), length


class DynAddr:
    """(if), (if:network) and kin in a rule: the addresses that the interface has at the time.

    af  the family that the rule is for, 0 for both
    """

    __slots__ = ("af", "kifs", "table")

    def __init__(self, kifs: Kifs, name: str, iflags: int, af: int, mask: int) -> None:
        self.kifs, self.af = kifs, af
        # The mask of a rule without family is as wide as IPv6; its bits are the /len.
        net = mask.bit_count() or _WHOLE
        if af == AF_INET and net == WIDTH[AF_INET]:
            net = _WHOLE
        self.table = kifs.follow(name, iflags, net)

    def release(self) -> None:
        """Give back the interface and its table."""
        self.kifs.unfollow(self.table)

    def prefixes(self, af: int) -> list[tuple[int, int]]:
        """Return (network, mask) of each."""
        self.kifs.sync()
        return self.table.prefixes[af] if self.af in (0, af) else []

    def match(self, af: int, addr: int) -> bool:
        """Tell whether *addr* is one of them."""
        prefixes = self.prefixes(af)
        if len(prefixes) > 1:
            return self.table.kt.match_addr(af, addr)
        return bool(prefixes) and addr & prefixes[0][1] == prefixes[0][0]

    def count(self) -> int:
        """Return how many there are."""
        return len(self.prefixes(AF_INET)) + len(self.prefixes(AF_INET6))
