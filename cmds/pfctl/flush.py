"""What pfctl changes besides rules: on and off, flushing, killing, the debug level."""

from __future__ import annotations

from typing import Any

from cmds.pfctl.session import Session
from libnet.addr import AF_INET, AF_INET6
from libnet.conf.pfconf.addr6 import aton, prefix_mask, pton6
from libnet.errors import NetError
from libnet.ioctl.pf import (
    DIOCCLRIFFLAG,
    DIOCCLRSRCNODES,
    DIOCCLRSTATES,
    DIOCCLRSTATUS,
    DIOCKILLSRCNODES,
    DIOCKILLSTATES,
    DIOCOSFPFLUSH,
    DIOCSETDEBUG,
    DIOCSTART,
    DIOCSTARTALTQ,
    DIOCSTOP,
    DIOCSTOPALTQ,
    DIOCXBEGIN,
    DIOCXCOMMIT,
    PF_RULESET_ALTQ,
    PF_RULESET_BINAT,
    PF_RULESET_FILTER,
    PF_RULESET_NAT,
    PF_RULESET_RDR,
    PF_RULESET_SCRUB,
    PFI_IFLAG_SKIP,
    PfAddrWrap,
    PfIocIface,
    PfIocSrcNodeKill,
    PfIocStateKill,
    PfIocTrans,
    PfIocTransE,
)
from libnet.ioctl.registry import Ioctl

IFNAMSIZ = 16


def enable(session: Session) -> None:
    """Switch the filter on, and the queues."""
    try:
        session.ioctl(DIOCSTART)
    except NetError as exc:
        if exc.symbol == "EEXIST":
            session.fatal("pf already enabled")
        session.err.err(exc, "DIOCSTART")
    session.note("pf enabled")
    _switch_altq(session, DIOCSTARTALTQ, "EEXIST")


def disable(session: Session) -> None:
    """Switch the filter off, and the queues."""
    try:
        session.ioctl(DIOCSTOP)
    except NetError as exc:
        if exc.symbol == "ENOENT":
            session.fatal("pf not enabled")
        session.err.err(exc, "DIOCSTOP")
    session.note("pf disabled")
    _switch_altq(session, DIOCSTOPALTQ, "ENOENT")


def _switch_altq(session: Session, row: Ioctl, harmless: str) -> None:
    if not session.altq:
        return
    try:
        session.ioctl(row)
    except NetError as exc:
        if exc.symbol != harmless:
            session.err.err(exc, row.name)


def _empty(session: Session, rulesets: tuple[int, ...], anchor: str, what: str) -> None:
    """Replace rulesets by empty ones."""
    try:
        got = session.ioctl(
            DIOCXBEGIN, PfIocTrans([PfIocTransE(number, anchor) for number in rulesets])
        )
        session.ioctl(DIOCXCOMMIT, got)
    except NetError as exc:
        session.err.err(exc, what)


def clear_rules(session: Session, anchor: str) -> None:
    """Flush scrub and filter rules."""
    _empty(session, (PF_RULESET_SCRUB, PF_RULESET_FILTER), anchor, "pfctl_clear_rules")
    session.note("rules cleared")


def clear_nat(session: Session, anchor: str) -> None:
    """Flush translation rules."""
    rulesets = (PF_RULESET_NAT, PF_RULESET_BINAT, PF_RULESET_RDR)
    _empty(session, rulesets, anchor, "pfctl_clear_nat")
    session.note("nat cleared")


def clear_altq(session: Session) -> None:
    """Flush queues."""
    if session.altq:
        _empty(session, (PF_RULESET_ALTQ,), "", "pfctl_clear_altq")
        session.note("altq cleared")


def clear_states(session: Session) -> None:
    """Flush states, of one interface with -i."""
    name = _interface(session)
    got = session.must(DIOCCLRSTATES, PfIocStateKill(ifname=name))
    session.note(f"{got.af} states cleared")


def _interface(session: Session) -> str:
    name = session.opts.interface or ""
    if len(name) >= IFNAMSIZ:
        session.fatal(f"invalid interface: {name}")
    return name


def clear_sources(session: Session) -> None:
    """Flush source nodes."""
    session.must(DIOCCLRSRCNODES)
    session.note("source tracking entries cleared")


def clear_status(session: Session) -> None:
    """Zero the counters."""
    session.must(DIOCCLRSTATUS)
    session.note("pf: statistics cleared")


def clear_fingerprints(session: Session) -> None:
    """Flush fingerprints."""
    session.must(DIOCOSFPFLUSH)


def clear_interface_flags(session: Session) -> None:
    """Take back "set skip" everywhere."""
    session.must(DIOCCLRIFFLAG, PfIocIface(flags=PFI_IFLAG_SKIP))
    session.note("pf: interface flags reset")


def set_debug(session: Session, level: str, number: int) -> None:
    """Set the debug level."""
    session.must(DIOCSETDEBUG, number)
    session.note(f"debug level set to '{level}'")


# -- killing


def _targets(session: Session, word: str) -> list[tuple[int, PfAddrWrap]]:
    """Return (family, address with mask) of each address that a host or network has."""
    base, slash, length = word.partition("/")
    bits = -1
    if slash:
        if not (length.isascii() and length.isdigit()):
            session.fatal(f"prefix is invalid: {length}")
        bits = int(length[:9])
        if bits > 128:
            session.fatal(f"prefix is too large: {length}")
    found = []
    for af, addr in _getaddrinfo(session, base, numeric=bool(slash)):
        width = 32 if af == AF_INET else 128
        if bits > width:
            session.fatal(f"prefix too long for {'AF_INET' if af == AF_INET else 'AF_INET6'}")
        found.append((af, PfAddrWrap(addr=addr, mask=prefix_mask(af, width if bits < 0 else bits))))
    return found


def _getaddrinfo(session: Session, name: str, *, numeric: bool) -> list[tuple[int, int]]:
    number = aton(name)
    if number is not None:
        return [(AF_INET, number)]
    number = pton6(name) if ":" in name else None
    if number is not None:
        return [(AF_INET6, number)]
    found = [] if numeric or not name else session.env.resolve(name)
    if not found:
        session.fatal("getaddrinfo: hostname nor servname provided, or not known")
    return list(dict.fromkeys(found))


def _kill(session: Session, words: list[str], row: Ioctl, make: Any) -> tuple[int, int, int]:
    """Kill for each source, or each pair; return how many died, sources and destinations."""
    killed = sources = destinations = 0
    for af, src in _targets(session, words[0]):
        sources += 1
        if len(words) == 1:
            killed += _kill_one(session, row, make, af, src, None)
            continue
        destinations = 0
        for af2, dst in _targets(session, words[1]):
            if af2 == af:
                destinations += 1
                killed += _kill_one(session, row, make, af, src, dst)
    return killed, sources, destinations


def _kill_one(
    session: Session, row: Ioctl, make: Any, af: int, src: PfAddrWrap, dst: PfAddrWrap | None
) -> int:
    arg = make()
    arg.af = af
    arg.src.addr = src
    if dst is not None:
        arg.dst.addr = dst
    got = session.must(row, arg)
    return int(got.af)


def kill_states(session: Session, words: list[str]) -> None:
    """Kill the states of a host, or between two."""
    name = _interface(session)
    killed, sources, destinations = _kill(
        session, words, DIOCKILLSTATES, lambda: PfIocStateKill(ifname=name)
    )
    session.note(f"killed {killed} states from {sources} sources and {destinations} destinations")


def kill_sources(session: Session, words: list[str]) -> None:
    """Kill the source nodes of a host, or between two."""
    killed, sources, destinations = _kill(session, words, DIOCKILLSRCNODES, PfIocSrcNodeKill)
    session.note(
        f"killed {killed} src nodes from {sources} sources and {destinations} destinations"
    )
