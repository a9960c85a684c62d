"""PIM version 2 (RFC 7761, RFC 5015, RFC 5059) and version 1, which rides in IGMP."""

from __future__ import annotations

from typing import Final

from libnet.text.dump.ndo import Ndo, lazy, relts, tok2str, u2, u4
from libnet.text.dump.pseudo import nextproto_cksum
from libnet.wire.cksum import in_cksum

_TYPES1: Final = {
    0: "Query", 1: "Register", 2: "Register-Stop", 3: "Join/Prune", 4: "RP-reachable",
    5: "Assert", 6: "Graft", 7: "Graft-ACK",
}  # fmt: skip
_TYPES: Final = {
    0: "Hello", 1: "Register", 2: "Register Stop", 3: "Join / Prune", 4: "Bootstrap",
    5: "Assert", 6: "Graft", 7: "Graft Acknowledgement", 8: "Candidate RP Advertisement",
    9: "Prune Refresh", 10: "DF Election", 11: "ECMP Redirect",
}  # fmt: skip
_OPTIONS: Final = {
    1: "Hold Time", 2: "LAN Prune Delay", 18: "DR Priority (Old)", 19: "DR Priority",
    20: "Generation ID", 21: "State Refresh Capability", 22: "Bi-Directional Capability",
    24: "Address List", 65001: "Address List (Old)",
}  # fmt: skip
_ELECTIONS: Final = {1: "Offer", 2: "Winner", 3: "Backoff", 4: "Pass"}
_UNICAST, _GROUP, _SOURCE = range(3)
_ip = lazy("ip.ip_print")
_ip6 = lazy("ip6.ip6_print")


class _Cut(Exception):
    """The packet ends, or an address has an unknown form."""


def pim_print(ndo: Ndo, b: bytes, o: int, length: int, iph: int) -> None:
    """Print a packet; *iph* is where the IP header is."""
    ndo.protocol = "pim"
    version, kind = b[o] >> 4, b[o] & 15
    if version != 2:
        ndo.p(f"PIMv{version}, length {length}")
        return
    name = _TYPES.get(kind, "Unknown Type")
    if not ndo.vflag:
        ndo.p(f"PIMv2, {name}, length {length}")
        return
    ndo.p(f"PIMv2, length {length}\n\t{name}")
    ndo.protocol = "pimv2"
    if length < 2:
        ndo.p(f"[length {length} < 2]")
        ndo.invalid()
        return
    size = b[o + 1] & 15
    if size:
        ndo.p(", RFC2117-encoding")
    if length < 4:
        ndo.p(f"[length {length} < 4]")
        ndo.invalid()
        return
    cksum = u2(b, o + 2)
    ndo.p(f", cksum 0x{cksum:04x} ")
    ndo.p(f"({_cksum(b, o, length, iph, kind) if cksum else 'unverified'})")
    try:
        _Body(ndo, b, o + 4, length - 4, size).show(kind, b[o + 1] >> 4)
    except _Cut:
        ndo.trunc()


def _cksum(b: bytes, o: int, length: int, iph: int, kind: int) -> str:
    # RFC 7761 section 4.9: that of a register covers its first eight octets, but not all know it.
    sizes = (8, length) if kind == 1 else (length,)
    word = "unverified"
    for size in sizes:
        if o + size > len(b):
            return "unverified"
        if b[iph] >> 4 == 4:
            bad = in_cksum(b[o : o + size])
        else:
            bad = nextproto_cksum(b, iph, o, size, 103)
        word = "incorrect" if bad else "correct"
        if not bad:
            break
    return word


class _Body:
    """What follows the four octets of header, read from front to end."""

    __slots__ = ("_b", "_ndo", "_size", "at", "left")

    def __init__(self, ndo: Ndo, b: bytes, o: int, left: int, size: int) -> None:
        self._ndo, self._b, self._size = ndo, b, size
        self.at, self.left = o, left

    def _take(self, n: int) -> int:
        """Return where *n* octets are, and pass over them."""
        if self.left < n:
            raise _Cut
        at = self.at
        self.at += n
        self.left -= n
        return at

    def _need(self, n: int) -> None:
        if self.left < n:
            raise _Cut

    def _addr(self, kind: int) -> None:
        """Print an encoded address."""
        b, size, head = self._b, self._size, 0
        if size == 0:
            self._need(2)
            size = {1: 4, 2: 16}.get(b[self.at], 0)
            if size == 0 or b[self.at + 1] != 0:
                raise _Cut
            head = 2
        elif size not in (4, 16):
            raise _Cut
        extra = 0 if kind == _UNICAST else 2
        at = self.at + head
        if self.left - head < size + extra or at + size + extra > len(b):
            raise _Cut
        p = self._ndo.p
        tell = self._ndo.ipaddr if size == 4 else self._ndo.ip6addr
        p(tell(b, at + extra))
        if extra:
            flags, bits = b[at], b[at + 1]
            if bits != size * 8:
                p(f"/{bits}")
            if flags and kind == _GROUP:
                p(f"(0x{flags:02x})")
            elif flags:
                words = "".join([w for bit, w in ((4, "S"), (2, "W"), (1, "R")) if flags & bit])
                more = f"+0x{flags & 0xF8:02x}" if flags & 0xF8 else ""
                p(f"({words}{more})")
        self.at = at + extra + size
        self.left -= head + extra + size

    def show(self, kind: int, subtype: int) -> None:
        """Print the body of a packet of type *kind*."""
        if kind == 0:
            self._hello()
        elif kind == 1:
            self._register()
        elif kind == 2:
            self._ndo.p(" group=")
            self._addr(_GROUP)
            self._ndo.p(" source=")
            self._addr(_UNICAST)
        elif kind in (3, 6, 7):
            self._join_prune(kind)
        elif kind == 4:
            self._bootstrap()
        elif kind == 5:
            self._assert()
        elif kind == 8:
            self._candidate()
        elif kind == 9:
            for word, how in ((" src=", _UNICAST), (" grp=", _GROUP), (" forwarder=", _UNICAST)):
                self._ndo.p(word)
                self._addr(how)
            self._ndo.p(f" TUNR {relts(u2(self._b, self._take(2)))}")
        elif kind == 10:
            self._election(subtype)
        else:
            self._ndo.p(f" [type {kind}]")

    def _hello(self) -> None:
        ndo, b = self._ndo, self._b
        p = ndo.p
        while self.left > 0:
            self._need(4)
            kind, size = u2(b, self.at), u2(b, self.at + 2)
            p(f"\n\t  {_OPTIONS.get(kind, 'Unknown')} Option ({kind}), length {size}, Value: ")
            self._take(4)
            if self.left < size or self.at + size > len(b):
                raise _Cut
            at = self.at
            want = {1: 2, 2: 4, 20: 4, 21: 4}.get(kind, size)
            if kind in (18, 19) and size:
                want = 4
            if size != want:
                p(f"[option length {size} != {want}]")
                ndo.invalid()
                return
            if kind == 1:
                p(relts(u2(b, at)))
            elif kind == 2:
                delay = u2(b, at)
                p(
                    f"\n\t    T-bit={delay >> 15}, LAN delay {delay & 0x7FFF}ms, "
                    f"Override interval {u2(b, at + 2)}ms"
                )
            elif kind in (18, 19):
                p(str(u4(b, at)) if size else "Bi-Directional Capability (Old)")
            elif kind == 20:
                p(f"0x{u4(b, at):08x}")
            elif kind == 21:
                p(f"v{b[at]}")
                if b[at + 1]:
                    p(f", interval {relts(b[at + 1])}")
                if u2(b, at + 2):
                    p(f" ?0x{u2(b, at + 2):04x}?")
            elif kind in (24, 65001):
                if ndo.vflag > 1:
                    self._address_list(at, size)
            elif kind != 22 and ndo.vflag <= 1:
                ndo.unknown_data(b, at, "\n\t    ", size)
            if ndo.vflag > 1:
                ndo.unknown_data(b, at, "\n\t    ", size)
            self._take(size)

    def _address_list(self, at: int, size: int) -> None:
        inner = _Body(self._ndo, self._b, at, self.left, self._size)
        while inner.at < at + size:
            self._ndo.p("\n\t    ")
            inner._addr(_UNICAST)

    def _register(self) -> None:
        ndo, b = self._ndo, self._b
        at = self._take(4)
        if at + 4 > len(b):
            raise _Cut
        flags = {0x80000000: "Border", 0x40000000: "Null"}.get(u4(b, at), "none")
        ndo.p(f", Flags [ {flags} ]\n\t")
        if self.left == 0:
            raise _Cut
        version = b[self.at] >> 4
        if version == 0:
            ndo.p(f"IP-Null-header {ndo.ipaddr(b, self.at + 12)} > {ndo.ipaddr(b, self.at + 16)}")
        elif version == 4:
            _ip(ndo, b, self.at, self.left)
        elif version == 6:
            _ip6(ndo, b, self.at, self.left)
        else:
            ndo.p(f"IP ver {version}")

    def _join_prune(self, kind: int) -> None:
        b = self._b
        p = self._ndo.p
        if kind != 7:
            p(", upstream-neighbor: ")
            self._addr(_UNICAST)
        at = self._take(4)
        if at + 4 > len(b):
            raise _Cut
        groups, hold = b[at + 1], u2(b, at + 2)
        p(f"\n\t  {groups} group(s)")
        if kind != 7:
            p(f", holdtime: {'infinite' if hold == 0xFFFF else relts(hold)}")
        for i in range(groups):
            p(f"\n\t    group #{i + 1}: ")
            self._addr(_GROUP)
            at = self._take(4)
            if at + 4 > len(b):
                raise _Cut
            joins, prunes = u2(b, at), u2(b, at + 2)
            p(f", joined sources: {joins}, pruned sources: {prunes}")
            for word, count in (("joined", joins), ("pruned", prunes)):
                for j in range(count):
                    p(f"\n\t      {word} source #{j + 1}: ")
                    self._addr(_SOURCE)

    def _bootstrap(self) -> None:
        b = self._b
        p = self._ndo.p
        p(f" tag={u2(b, self._take(2)):x}")
        self._need(1)
        p(f" hashmlen={b[self.at]}")
        self._need(2)
        if self.at + 3 > len(b):
            raise _Cut
        p(f" BSRprio={b[self.at + 1]}")
        self._take(2)
        p(" BSR=")
        self._addr(_UNICAST)
        group = 0
        while self.left > 0:
            p(f" (group{group}: ")
            group += 1
            self._addr(_GROUP)
            self._need(1)
            p(f" RPcnt={b[self.at]}")
            self._need(2)
            count = b[self.at + 1]
            p(f" FRPcnt={count}")
            self._take(4)
            for j in range(count):
                if self.left <= 0:
                    break
                p(f" RP{j}=")
                self._addr(_UNICAST)
                self._need(2)
                p(",holdtime=")
                p(relts(u2(b, self.at)))
                self._need(3)
                p(f",prio={b[self.at + 2]}")
                self._take(4)
            p(")")

    def _assert(self) -> None:
        b = self._b
        p = self._ndo.p
        p(" group=")
        self._addr(_GROUP)
        p(" src=")
        self._addr(_UNICAST)
        at = self._take(8)
        if at + 8 > len(b):
            raise _Cut
        if b[at] & 0x80:
            p(" RPT")
        p(f" pref={u4(b, at) & 0x7FFFFFFF} metric={u4(b, at + 4)}")

    def _candidate(self) -> None:
        b = self._b
        p = self._ndo.p
        self._need(1)
        count = b[self.at]
        p(f" prefix-cnt={count}")
        self._need(2)
        p(f" prio={b[self.at + 1]}")
        self._need(4)
        p(" holdtime=")
        p(relts(u2(b, self.at + 2)))
        self._take(4)
        p(" RP=")
        self._addr(_UNICAST)
        for i in range(count):
            if self.left <= 0:
                break
            p(f" Group{i}=")
            self._addr(_GROUP)

    def _election(self, subtype: int) -> None:
        b = self._b
        p = self._ndo.p
        p(f"\n\t  {tok2str(_ELECTIONS, 'Unknown', subtype)}, rpa=")
        self._addr(_UNICAST)
        p(f" sender pref={u4(b, self.at)}")
        p(f" sender metric={u4(b, self.at + 4)}")
        # The length is not looked at any more, only what was captured.
        self.at += 8
        self.left = self.left - 8 & 0xFFFFFFFF
        if subtype in (3, 4):
            who = "offer" if subtype == 3 else "new winner"
            p(f"\n\t  {who} addr=")
            self._addr(_UNICAST)
            p(f" {who} pref={u4(b, self.at)}")
            p(f" {who} metric={u4(b, self.at + 4)}")
            if subtype == 3:
                p(f" interval {u2(b, self.at + 8)}ms")


def pimv1_print(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    """Print a packet of version 1, whose header is that of IGMP."""
    ndo.protocol = "pimv1"
    p = ndo.p
    kind = b[o + 1]
    p(f" {tok2str(_TYPES1, '[type %u]', kind)}")
    if kind == 0:
        if o + 9 <= len(b):
            mode = b[o + 8] >> 4
            p({0: " Dense-mode", 1: " Sparse-mode", 2: " Sparse-Dense-mode"}.get(
                mode, f" mode-{mode}"))  # fmt: skip
        if ndo.vflag:
            p(" (Hold-time ")
            p(f"{relts(u2(b, o + 10))})")
    elif kind == 1:
        if o + 28 > len(b):
            ndo.trunc()
            return
        p(f" for {ndo.ipaddr(b, o + 20)} > {ndo.ipaddr(b, o + 24)}")
    elif kind == 2:
        p(f" for {ndo.ipaddr(b, o + 8)} > {ndo.ipaddr(b, o + 12)}")
    elif kind == 4:
        if ndo.vflag:
            p(f" group {ndo.ipaddr(b, o + 8)}")
            if u4(b, o + 12) != 0xFFFFFFFF:
                p(f"/{ndo.ipaddr(b, o + 12)}")
            p(f" RP {ndo.ipaddr(b, o + 16)} hold ")
            p(relts(u2(b, o + 22)))
    elif kind == 5:
        p(f" for {ndo.ipaddr(b, o + 16)} > {ndo.ipaddr(b, o + 8)}")
        if u4(b, o + 12) != 0xFFFFFFFF:
            p(f"/{ndo.ipaddr(b, o + 12)}")
        tree = "RP-tree" if b[o + 20] & 0x80 else "SPT"
        p(f" {tree} pref {u4(b, o + 20) & 0x7FFFFFFF} metric {u4(b, o + 24)}")
    elif kind in (3, 6, 7) and ndo.vflag:
        if length < 8:
            ndo.trunc()
            return
        try:
            _join_prune1(ndo, b, o + 8, length - 8)
        except _Cut:
            ndo.trunc()
    version = b[o + 4] >> 4
    if version != 1:
        p(f" [v{version}]")


def _join_prune1(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    p = ndo.p
    if o + 30 <= len(b) and b[o + 11] == 1 and u2(b, o + 20) + u2(b, o + 22) == 1:
        # The usual case, one join or prune, fits on the line.
        p(f" RPF {ndo.ipaddr(b, o)} ")
        hold = u2(b, o + 6)
        if hold != 180:
            p(f"Hold {relts(hold)}")
        word = "Join" if u2(b, o + 20) else "Prune"
        p(f"{word} ({ndo.ipaddr(b, o + 26)}/{b[o + 25] & 0x3F}, {ndo.ipaddr(b, o + 12)}")
        if u4(b, o + 16) != 0xFFFFFFFF:
            p(f"/{ndo.ipaddr(b, o + 16)}")
        p(
            f") {'Sparse' if b[o + 24] & 1 else 'Dense'}{' WC' if b[o + 25] & 0x80 else ''} "
            f"{'RP' if b[o + 25] & 0x40 else 'SPT'}"
        )
        return
    body = _Body(ndo, b, o, length, 0)
    nl = "\n" if ndo.vflag > 1 else ""
    at = body._take(4)
    p(f"{nl} Upstream Nbr: {ndo.ipaddr(b, at)}")
    at = body._take(4)
    p(f"{nl} Hold time: ")
    p(relts(u2(b, at + 2)))
    if ndo.vflag < 2:
        return
    groups = b[body._take(4) + 3]
    for _ in range(groups):
        p(f"\n\tGroup: {ndo.ipaddr(b, body._take(4))}")
        at = body._take(4)
        if u4(b, at) != 0xFFFFFFFF:
            p(f"/{ndo.ipaddr(b, at)}")
        at = body._take(4)
        joins, prunes = u2(b, at), u2(b, at + 2)
        p(f" joined: {joins} pruned: {prunes}")
        for i in range(joins + prunes):
            at = body._take(6)
            p(
                f"\n\t{'Join ' if i < joins else 'Prune'} "
                f"{'Sparse ' if b[at] & 1 else 'Dense '}{'WC ' if b[at + 1] & 0x80 else ''}"
                f"{'RP ' if b[at + 1] & 0x40 else 'SPT '}"
                f"{ndo.ipaddr(b, at + 2)}/{b[at + 1] & 0x3F}"
            )
