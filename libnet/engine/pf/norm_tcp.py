"""scrub reassemble tcp: time to live and timestamps of a connection (pf.conf(5); RFC 7323)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from libnet.addr import AF_INET
from libnet.engine.pf.packet import Pd
from libnet.engine.pf.state import Peer, Scrub
from libnet.ioctl import pf as p
from libnet.wire.tcp import TCPOPT_EOL, TCPOPT_NOP, TCPOPT_TIMESTAMP, TH_RST, TH_SYN

if TYPE_CHECKING:
    from libnet.engine.pf.pf import Pf

# Scrub.flags
TIMESTAMP: Final = 0x1  # this side sends timestamps, and they are modulated
PAWS: Final = 0x2  # they have been echoed: they are to be checked
DATA_TS: Final = 0x4  # its data bear timestamps
DATA_NOTS: Final = 0x8

TS_MAXFREQ: Final = 1100  # ticks a second of the fastest clock that RFC 7323 allows, and a tenth
TS_MAX_IDLE_S: Final = 24 * 86400.0  # then a clock may have gone round

PFRES_TS: Final = 6
_M: Final = 0xFFFFFFFF


def _later(one: int, two: int) -> bool:
    return 0 < (one - two) & _M < 0x80000000


def init(pf: Pf, pd: Pd, peer: Peer) -> None:
    """Begin to watch one side by its first segment."""
    scrub = peer.scrub = Scrub()
    scrub.ttl = pd.ttl
    if not pd.tflags & TH_SYN:
        return
    tsval = pd.tcp_options().tsval
    if tsval is None:
        return
    scrub.flags |= TIMESTAMP
    scrub.ts_mod = pf.stack.dice.getrandbits(32)
    scrub.tsval = scrub.tsval0 = tsval
    scrub.tsecr = pd.tcp_options().tsecr or 0
    scrub.last = pf.stack.clock.now


def _where(pd: Pd) -> list[int]:
    """Return where the timestamp options are, from the TCP header on."""
    data = pd.m.data
    at, end = pd.ipoff + 20, min(pd.ipoff + pd.toff, pd.size)
    found = []
    while at + 1 < end:
        kind = data[at]
        if kind == TCPOPT_EOL:
            break
        if kind == TCPOPT_NOP:
            at += 1
            continue
        size = data[at + 1]
        if size < 2 or at + size > end:
            break
        if kind == TCPOPT_TIMESTAMP and size == 10:
            found.append(at - pd.ipoff)
        at += size
    return found


def stateful(pf: Pf, pd: Pd, src: Peer, dst: Peer) -> bool:
    """Check a segment against what both sides have shown; False, the reason noted, to drop it."""
    mine, theirs = src.scrub, dst.scrub
    now = pf.stack.clock.now
    if mine is not None:
        if pd.ttl > mine.ttl:
            mine.ttl = pd.ttl
        elif pd.ttl < mine.ttl:
            # A segment that dies before the receiver could fool only us.
            set_ttl(pd, mine.ttl)
    tsval = tsecr = 0
    got = False
    if pd.toff > 20:
        places = _where(pd)
        if len(places) > 1:
            pd.reason = PFRES_TS
            return False
        for at in places:
            got = True
            options = pd.tcp_options()
            tsval, tsecr = options.tsval or 0, options.tsecr or 0
            if tsval and mine is not None and mine.flags & TIMESTAMP:
                pd.change32(at + 2, tsval + mine.ts_mod)
            if tsecr and theirs is not None and theirs.flags & TIMESTAMP:
                tsecr = (tsecr - theirs.ts_mod) & _M
                pd.change32(at + 6, tsecr)
    if mine is not None and mine.flags & PAWS and now - mine.last > TS_MAX_IDLE_S:
        mine.flags &= ~PAWS
    if theirs is not None and theirs.flags & PAWS and now - theirs.last > TS_MAX_IDLE_S:
        theirs.flags &= ~PAWS
    both = (
        mine is not None
        and theirs is not None
        and mine.flags & TIMESTAMP
        and theirs.flags & TIMESTAMP
    )
    if both and got and mine is not None and theirs is not None and mine.flags & PAWS:
        passed = now - mine.last + pf.timeouts[p.PFTM_TS_DIFF]
        ahead = int(passed * TS_MAXFREQ)
        if (
            _later(theirs.tsecr, tsval)
            or _later(tsval, mine.tsval + ahead)
            or (
                (tsecr and theirs.flags & PAWS)
                and (_later(tsecr, theirs.tsval) or _later(theirs.tsval0, tsecr))
            )
        ):
            pd.reason = PFRES_TS
            return False
    if (
        both
        and mine is not None
        and not got
        and pd.plen > 0
        and not pd.tflags & TH_RST
        and mine.flags & (PAWS | DATA_TS) == PAWS | DATA_TS
    ):
        # Its data have had timestamps so far: somebody else sends this.
        pd.reason = PFRES_TS
        return False
    if mine is not None and mine.flags & TIMESTAMP:
        if pd.plen > 0 and not mine.flags & (DATA_TS | DATA_NOTS):
            mine.flags |= DATA_TS if got else DATA_NOTS
        if got:
            mine.last = now
            known = mine.flags & PAWS
            if not known or not _later(mine.tsval, tsval):
                mine.tsval = tsval
            if tsecr:
                if not known or not _later(mine.tsecr, tsecr):
                    mine.tsecr = tsecr
                if not known and (not mine.tsval0 or _later(mine.tsval0, tsval)):
                    mine.tsval0 = tsval
                mine.flags |= PAWS
    return True


def set_ttl(pd: Pd, ttl: int) -> None:
    """Give the packet a time to live; the header's checksum is mended."""
    buf = pd.buf()
    if pd.af == AF_INET:
        old = buf[8] << 8 | buf[9]
        buf[8] = ttl
        pd.mend_ip(old, buf[8] << 8 | buf[9])
    else:
        buf[7] = ttl
    pd.ttl = ttl
