"""Passive OS fingerprints: what the first SYN of a connection tells of its sender (pf.os(5))."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from libnet.addr import AF_INET
from libnet.errors import NetError
from libnet.ioctl import pf as p
from libnet.ioctl.pf import PfOsfp
from libnet.wire.tcp import (
    TCP_HDR,
    TCPOPT_EOL,
    TCPOPT_MAXSEG,
    TCPOPT_NOP,
    TCPOPT_SACK_PERMITTED,
    TCPOPT_TIMESTAMP,
    TCPOPT_WINDOW,
)

if TYPE_CHECKING:
    from libnet.engine.pf.packet import Pd

MAX_FINGERPRINTS: Final = 20_000
SMART_MSS: Final = 1460  # what a NAT device may have put in the place of the true MSS
_HEADERS: Final = 40
_IP6_MORE: Final = 20
_IP_DF: Final = 0x4000

_OPTS: Final = {
    TCPOPT_NOP: (p.PF_OSFP_TCPOPT_NOP, 1),
    TCPOPT_MAXSEG: (p.PF_OSFP_TCPOPT_MSS, 4),
    TCPOPT_WINDOW: (p.PF_OSFP_TCPOPT_WSCALE, 3),
    TCPOPT_SACK_PERMITTED: (p.PF_OSFP_TCPOPT_SACK, 2),
    TCPOPT_TIMESTAMP: (p.PF_OSFP_TCPOPT_TS, 10),
}


class Seen:
    """What one SYN shows."""

    __slots__ = ("df", "mss", "optcnt", "psize", "tcpopts", "ts0", "ttl", "wscale", "wsize")

    def __init__(self) -> None:
        self.ttl = self.psize = self.wsize = self.mss = self.wscale = self.tcpopts = self.optcnt = 0
        self.df = self.ts0 = False

    @classmethod
    def of(cls, pd: Pd) -> Seen | None:
        """Read a SYN; None when it has an option that no fingerprint knows."""
        seen = cls()
        data = pd.m.data
        seen.ttl = pd.ttl
        if pd.af == AF_INET:
            seen.psize = pd.size
            seen.df = bool(pd.m.ip_off & _IP_DF)
        else:
            seen.psize, seen.df = pd.size - _IP6_MORE, True
        seen.wsize = TCP_HDR.unpack_from(data, pd.ipoff)[6]
        at, end = pd.ipoff + 20, min(pd.ipoff + pd.toff, pd.size)
        while at < end and data[at] != TCPOPT_EOL:
            known = _OPTS.get(data[at])
            if known is None:
                return None
            code, size = known
            if at + size > end or (size > 1 and data[at + 1] != size):
                return None
            if code == p.PF_OSFP_TCPOPT_MSS:
                seen.mss = data[at + 2] << 8 | data[at + 3]
            elif code == p.PF_OSFP_TCPOPT_WSCALE:
                seen.wscale = data[at + 2]
            elif code == p.PF_OSFP_TCPOPT_TS:
                seen.ts0 = data[at + 2 : at + 6] == b"\0\0\0\0"
            seen.optcnt += 1
            if seen.optcnt > p.PF_OSFP_MAX_OPTS:
                return None
            seen.tcpopts = seen.tcpopts << p.PF_OSFP_TCPOPT_BITS | code
            at += size
        return seen


def _number(flags: int, modulo: int, dont_care: int, want: int, have: int) -> bool:
    if flags & modulo:
        return not want or have % want == 0
    return bool(flags & dont_care) or want == have


def _multiple(wsize: int, want: int, unit: int) -> bool:
    return unit > 0 and wsize == want * unit


def fits(row: PfOsfp, seen: Seen) -> bool:
    """Tell whether a fingerprint is that of *seen*."""
    flags = row.flags
    if (
        row.tcpopts != seen.tcpopts
        or row.optcnt != seen.optcnt
        or not 0 <= row.ttl - seen.ttl <= p.PF_OSFP_MAXTTL_OFFSET
        or bool(flags & p.PF_OSFP_DF) != seen.df
        or bool(flags & p.PF_OSFP_TS0) != seen.ts0
        or not _number(flags, p.PF_OSFP_MSS_MOD, p.PF_OSFP_MSS_DC, row.mss, seen.mss)
        or not _number(flags, p.PF_OSFP_WSCALE_MOD, p.PF_OSFP_WSCALE_DC, row.wscale, seen.wscale)
        or not _number(flags, p.PF_OSFP_PSIZE_MOD, p.PF_OSFP_PSIZE_DC, row.psize, seen.psize)
    ):
        return False
    if flags & p.PF_OSFP_WSIZE_DC:
        return True
    if flags & p.PF_OSFP_WSIZE_MSS:
        units = (seen.mss, SMART_MSS) if seen.mss else ()
        return any(_multiple(seen.wsize, row.wsize, unit) for unit in units)
    if flags & p.PF_OSFP_WSIZE_MTU:
        units = (seen.mss + _HEADERS, SMART_MSS + _HEADERS) if seen.mss else ()
        return any(_multiple(seen.wsize, row.wsize, unit) for unit in units)
    if flags & p.PF_OSFP_WSIZE_MOD:
        return not row.wsize or seen.wsize % row.wsize == 0
    return row.wsize == seen.wsize


class Osfp:
    """The fingerprints of one pf, in order of loading; found by their list of options."""

    def __init__(self) -> None:
        self.rows: list[PfOsfp] = []
        self._by_opts: dict[tuple[int, int], list[PfOsfp]] = {}

    def flush(self) -> None:
        """DIOCOSFPFLUSH."""
        self.rows.clear()
        self._by_opts.clear()

    def add(self, row: PfOsfp) -> None:
        """DIOCOSFPADD. Raises EEXIST for one that is there, EINVAL, ENOMEM."""
        if row.optcnt > p.PF_OSFP_MAX_OPTS or min(row.ttl, row.optcnt, row.tcpopts) < 0:
            raise NetError("EINVAL")
        if len(self.rows) >= MAX_FINGERPRINTS:
            raise NetError("ENOMEM")
        same = self._by_opts.setdefault((row.tcpopts, row.optcnt), [])
        for other in same:
            if _key(other) == _key(row) and other.os == row.os:
                raise NetError("EEXIST")
        same.append(row)
        self.rows.append(row)

    def get(self, number: int) -> PfOsfp:
        """DIOCOSFPGET. Raises EBUSY past the end."""
        if not 0 <= number < len(self.rows):
            raise NetError("EBUSY")
        row = self.rows[number].copy()
        row.getnum = number
        return row

    def fingerprint(self, pd: Pd) -> list[int]:
        """Return the systems that the sender of a SYN may be; none when it is unknown."""
        seen = Seen.of(pd)
        if seen is None:
            return []
        first: PfOsfp | None = None
        found = []
        for row in self._by_opts.get((seen.tcpopts, seen.optcnt), ()):
            if fits(row, seen) and (first is None or _key(row) == _key(first)):
                # The first print that fits decides; several systems may share it.
                first = first or row
                found.append(row.os)
        return found

    @staticmethod
    def match(systems: list[int], wanted: int) -> bool:
        """Tell whether one of *systems* is *wanted*: a class, perhaps a version, perhaps a subtype."""
        if wanted == p.PF_OSFP_ANY:
            return True
        if wanted == p.PF_OSFP_UNKNOWN:
            return not systems
        if wanted == p.PF_OSFP_NOMATCH:
            return False
        mask = 0
        for shift in (p.PF_OSFP_CLASS_SHIFT, p.PF_OSFP_VERSION_SHIFT, 0):
            if wanted >> shift & p.PF_OSFP_PART_MASK:
                mask |= p.PF_OSFP_PART_MASK << shift
        return any(system & mask == wanted & mask for system in systems)


def _key(row: PfOsfp) -> tuple[int, ...]:
    return row.wsize, row.ttl, row.flags, row.psize, row.mss, row.wscale, row.tcpopts, row.optcnt
