"""ICMPv6 (RFC 4443), neighbour discovery (RFC 4861), MLD (RFC 2710, RFC 3810) and the rest."""

from __future__ import annotations

from typing import Final

from libnet.text.dump.dns import NameCut, fqdn_print
from libnet.text.dump.igmp import group_records, group_sources
from libnet.text.dump.ndo import (
    TRUNCATED,
    Ndo,
    bittok2str,
    cksum_shouldbe,
    inet_ntop6,
    lazy,
    need,
    shown,
    take,
    tok2str,
    u2,
    u4,
)
from libnet.text.dump.pseudo import nextproto_cksum

_TYPES: Final = {
    1: "destination unreachable", 2: "packet too big", 3: "time exceeded in-transit",
    4: "parameter problem", 128: "echo request", 129: "echo reply",
    130: "multicast listener query", 131: "multicast listener report",
    132: "multicast listener done", 133: "router solicitation", 134: "router advertisement",
    135: "neighbor solicitation", 136: "neighbor advertisement", 137: "redirect",
    138: "router renumbering", 141: "inverse neighbor solicitation",
    142: "inverse neighbor advertisement", 143: "multicast listener report v2",
    144: "ha discovery request", 145: "ha discovery reply", 146: "mobile router solicitation",
    147: "mobile router advertisement", 139: "who-are-you request", 140: "who-are-you reply",
    201: "mtrace message", 200: "mtrace response", 155: "RPL",
}  # fmt: skip
# The blank before the second is the original's.
_UNREACH: Final = {
    0: "unreachable route", 1: " unreachable prohibited", 2: "beyond scope",
    3: "unreachable address", 4: "unreachable port",
}  # fmt: skip
_PROBLEMS: Final = {
    0: "erroneous", 1: "next header", 2: "option", 3: "incomplete header chain",
}  # fmt: skip
_PREFIX_FLAGS: Final = ((0x80, "onlink"), (0x40, "auto"), (0x20, "router"))
_RA_FLAGS: Final = (
    (0x80, "managed"), (0x40, "other stateful"), (0x20, "home agent"), (0x02, "ipv6 only"),
)  # fmt: skip
_NA_FLAGS: Final = (
    (0x80000000, "router"), (0x40000000, "solicited"), (0x20000000, "override"),
)  # fmt: skip
_OPTIONS: Final = {
    1: "source link-address", 2: "destination link-address", 3: "prefix info",
    4: "redirected header", 5: "mtu", 25: "rdnss", 31: "dnssl", 7: "advertisement interval",
    8: "homeagent information", 24: "route info",
}  # fmt: skip
_PREFS: Final = ("medium", "high", "rsv", "low")
# Types whose printers told the length first with -v.
_LENGTH_FIRST: Final = frozenset((133, 134, 135, 136, 137, 145, 147))
_rpl = lazy("rpl.rpl_print")


class _Cut(Exception):
    """The rest of the message is not there, or makes no sense."""


def icmp6_print(ndo: Ndo, b: bytes, o: int, length: int, iph: int, fragmented: int) -> None:
    """Print a message of *length* octets; *iph* is where the IPv6 header is."""
    ndo.protocol = "icmp6"
    p = ndo.p
    if length == 0:
        p("ICMP6, length 0")
        ndo.invalid()
        return
    if ndo.vflag and not fragmented and o + length <= len(b):
        found = u2(b, o + 2)
        computed = nextproto_cksum(b, iph, o, length, 58)
        if computed:
            right = cksum_shouldbe(found, computed)
            p(f"[bad icmp6 cksum 0x{found:04x} -> 0x{right:04x}!] ")
        else:
            p("[icmp6 sum ok] ")
    kind = b[o]
    p(f"ICMP6, {tok2str(_TYPES, 'unknown icmp6 type (%u)', kind)}")
    if ndo.vflag and kind in _LENGTH_FIRST:
        p(f", length {length}")
    code = b[o + 1]
    try:
        if not _body(ndo, b, o, length, kind, code):
            return
    except _Cut:
        ndo.trunc()
        return
    if not ndo.vflag:
        p(f", length {length}")


def _body(ndo: Ndo, b: bytes, o: int, length: int, kind: int, code: int) -> bool:
    """Print what follows the type; return False if the length is not to follow."""
    p = ndo.p
    if kind == 1:
        return _unreach(ndo, b, o, length, code)
    if kind == 2:
        p(f", mtu {u4(b, o + 4)}")
    elif kind == 3:
        if code == 0:
            p(f" for {ndo.ip6addr(b, o + 32)}")
        else:
            p(" (reassembly)" if code == 1 else f", unknown code ({code})")
    elif kind == 4:
        if o + 48 > len(b):
            raise _Cut
        what = _PROBLEMS.get(code)
        p(f", {what} - octet {u4(b, o + 4)}" if what else f", code-#{code}")
    elif kind in (128, 129):
        p(f", id {u2(b, o + 4)}, seq {u2(b, o + 6)}")
    elif kind == 130:
        if length == 24:
            _mld(ndo, b, o)
        elif length >= 28:
            p(" v2")
            _mldv2_query(ndo, b, o, length)
        else:
            p(f" unknown-version (len {length}) ")
    elif kind in (131, 132):
        _mld(ndo, b, o)
    elif kind == 133:
        if ndo.vflag:
            _options(ndo, b, o + 8, length - 8)
    elif kind == 134:
        if ndo.vflag:
            _router_advert(ndo, b, o, length)
    elif kind == 135:
        p(f", who has {ndo.ip6addr(b, o + 8)}")
        if ndo.vflag:
            _options(ndo, b, o + 24, length - 24)
    elif kind == 136:
        p(f", tgt is {ndo.ip6addr(b, o + 8)}")
        if ndo.vflag:
            p(f", Flags [{bittok2str(_NA_FLAGS, 'none', u4(b, o + 4))}]")
            _options(ndo, b, o + 24, length - 24)
    elif kind == 137:
        p(f", {ndo.ip6addr(b, o + 24)}")
        p(f" to {ndo.ip6addr(b, o + 8)}")
        if ndo.vflag:
            _options(ndo, b, o + 40, length - 40)
    elif kind in (138, 139, 140):
        try:
            if kind == 138:
                _renumbering(ndo, b, o)
            else:
                _nodeinfo(ndo, b, o, length, kind)
        except (*TRUNCATED, _Cut):
            ndo.trunc()  # these two go on to the length of the packet
    elif kind == 143:
        _mldv2_report(ndo, b, o, length)
    elif kind in (144, 146):
        p(f", id 0x{u2(b, o + 4):04x}")
    elif kind == 145:
        if ndo.vflag:
            p(f", id 0x{u2(b, o + 4):04x}")
            for at in range(8, length, 16):
                p(f", {ndo.ip6addr(b, o + at)}")
    elif kind == 147:
        if ndo.vflag:
            p(f", id 0x{u2(b, o + 4):04x}")
            flags = u2(b, o + 6)
            text = bittok2str(((0x8000, "M"), (0x4000, "O")), "", flags, "")
            p(f" {text}" if text else "")
            _options(ndo, b, o + 8, length - 8)
    elif kind == 155:
        _rpl(ndo, b, o + 4, length - 4, code)
    elif kind not in (141, 142):
        p(f", length {length}")
        if ndo.vflag <= 1:
            ndo.unknown_data(b, o, "\n\t", length)
        return False
    return True


def _unreach(ndo: Ndo, b: bytes, o: int, length: int, code: int) -> bool:
    p = ndo.p
    p(f", {tok2str(_UNREACH, 'unknown unreach code (%u)', code)}")
    if code in (0, 1, 3):
        p(f" {ndo.ip6addr(b, o + 32)}")
    elif code == 2:
        p(f" {ndo.ip6addr(b, o + 32)}, source address {ndo.ip6addr(b, o + 16)}")
    elif code == 4:
        at, nh = _upper(b, o + 8)
        dst, port = ndo.ip6addr(b, o + 32), u2(b, at + 2)
        if nh == 6:
            p(f", {dst} tcp port {ndo.tcpport(port)}")
        else:
            p(f", {dst} udp port {ndo.udpport(port)}")
    elif ndo.vflag <= 1:
        ndo.unknown_data(b, o, "\n\t", length)
        return False
    return True


def _upper(b: bytes, o: int) -> tuple[int, int]:
    """Return where the UDP or TCP header of a returned packet is, and which it is."""
    n = len(b)
    if o + 7 > n:
        raise _Cut
    nh, size = b[o + 6], 40
    while o < n:
        o += size
        if nh in (17, 6):
            if o + 4 > n:
                raise _Cut
            return o, nh
        if nh in (0, 60, 43):
            if o + 2 > n:
                raise _Cut
            size = (b[o + 1] + 1) << 3
        elif nh == 44:
            if o + 4 > n or u2(b, o + 2) & 0xFFF8:
                raise _Cut
            size = 8
        elif nh == 51:
            if o + 2 > n:
                raise _Cut
            size = (b[o + 1] + 2) << 2
        else:
            raise _Cut
        nh = b[o]
    raise _Cut


def _lifetime(seconds: int) -> str:
    return "infinity" if seconds == 0xFFFFFFFF else f"{seconds}s"


def _router_advert(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    flags = b[o + 5]
    ndo.p(
        f"\n\thop limit {b[o + 4]}, Flags [{bittok2str(_RA_FLAGS, 'none', flags)}], "
        f"pref {_PREFS[flags >> 3 & 3]}, router lifetime {u2(b, o + 6)}s, "
        f"reachable time {u4(b, o + 8)}ms, retrans timer {u4(b, o + 12)}ms"
    )
    _options(ndo, b, o + 16, length - 16)


def _options(ndo: Ndo, b: bytes, start: int, resid: int) -> None:
    """Print options of neighbour discovery."""
    p, n = ndo.p, len(b)
    o = start
    while o < n:
        if o + 2 > n:
            raise _Cut
        if resid <= 0:
            return
        kind, units = b[o], b[o + 1]
        size = units << 3
        if units == 0 or o + size > n:
            raise _Cut
        p(f"\n\t  {_OPTIONS.get(kind, 'unknown')} option ({kind}), length {size} ({units}): ")
        if kind in (1, 2):
            p(b[o + 2 : o + size].hex(":"))
        elif kind == 3:
            p(
                f"{ndo.ip6addr(b, o + 16)}/{b[o + 2]}{'badlen' if units != 4 else ''}, "
                f"Flags [{bittok2str(_PREFIX_FLAGS, 'none', b[o + 3])}], "
                f"valid time {_lifetime(u4(b, o + 4))}"
            )
            p(f", pref. time {_lifetime(u4(b, o + 8))}")
        elif kind == 4:
            # From the first option on, which is not always this one: as the original has it.
            ndo.unknown_data(b, start, "\n\t    ", size)
        elif kind == 5:
            p(f" {u4(b, o + 4)}{'bad option length' if units != 1 else ''}")
        elif kind == 25:
            p(f" lifetime {u4(b, o + 4)}s,")
            for i in range((units - 1) // 2):
                p(f" addr: {ndo.ip6addr(b, o + 8 + 16 * i)}")
        elif kind == 31:
            p(f" lifetime {u4(b, o + 4)}s, domain(s):")
            at = o + 8
            while at < o + size and b[at] != 0:
                p(" ")
                try:
                    at = fqdn_print(ndo, b, at, start)
                except NameCut:
                    raise _Cut from None
        elif kind == 7:
            p(f" {u4(b, o + 4)}ms")
        elif kind == 8:
            p(f" preference {u2(b, o + 4)}, lifetime {u2(b, o + 6)}")
        elif kind == 24:
            if o + 8 > n or units > 3:
                raise _Cut
            prefix = take(b, o + 8, (units - 1) * 8).ljust(16, b"\0")
            p(f" {ndo.ip6addr(prefix, 0)}/{b[o + 2]}")
            p(f", pref={_PREFS[b[o + 3] >> 3 & 3]}")
            p(f", lifetime={_lifetime(u4(b, o + 4))}")
        elif ndo.vflag <= 1:
            ndo.unknown_data(b, o + 2, "\n\t  ", size - 2)
            return
        if ndo.vflag > 1:
            ndo.unknown_data(b, o + 2, "\n\t    ", size - 2)
        o += size
        resid -= size


def _mld(ndo: Ndo, b: bytes, o: int) -> None:
    if o + 24 <= len(b):
        ndo.p(f"max resp delay: {u2(b, o + 4)} ")
        ndo.p(f"addr: {ndo.ip6addr(b, o + 8)}")


def _mldv2_report(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    if length < 8:
        ndo.p(f" [invalid len {length}]")
        return
    group_records(ndo, b, o, length, 16, ndo.ip6addr, "v2")


def _mldv2_query(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    p = ndo.p
    code = u2(b, o + 4)
    # RFC 3810 section 5.1.3: from 32768 on it is a floating point number.
    delay = code if code < 32768 else (code & 0xFFF | 0x1000) << ((code >> 12 & 7) + 3)
    if ndo.vflag:
        p(f" [max resp delay={delay}]")
    p(f" [gaddr {ndo.ip6addr(b, o + 8)}")
    if ndo.vflag:
        if b[o + 24] & 8:
            p(" sflag")
        if b[o + 24] & 7:
            p(f" robustness={b[o + 24] & 7}")
        q = b[o + 25]
        p(f" qqi={q if q < 128 else (q & 15 | 16) << ((q >> 4 & 7) + 3)}")
    sources = u2(b, o + 26)
    if sources:
        if length < 28 + sources * 16:
            p(" [invalid number of sources]")
        elif ndo.vflag > 1:
            group_sources(ndo, b, o + 28, sources, 16, ndo.ip6addr)
        else:
            p(f", {sources} source(s)")
    p("]")


def _dnsname(ndo: Ndo, b: bytes, o: int) -> None:
    """Print an uncompressed name up to the end of the packet."""
    p, n = ndo.p, len(b)
    p(', "')
    while o < n:
        size = b[o]
        o += 1
        if size:
            if size > n - o:
                p("???")
                break
            p(shown(b[o : o + size]))
            o += size
            if o + 1 < n and b[o]:
                p(".")
        else:
            if o == n:
                p(".")
            elif not (o + 1 == n and b[o] == 0):
                p("???")
            break
    p('"')


def _named(ndo: Ndo, b: bytes, o: int) -> None:
    if b[o] == len(b) - o - 1:
        # A counted text, as a draft before RFC 4620 had it.
        if ndo.vflag:
            ndo.p(", 03 draft")
        ndo.p(f', "{shown(b[o + 1 :])}"')
    else:
        _dnsname(ndo, b, o)


_NI_FLAGS: Final = ((0x40, "a"), (0x20, "G"), (0x10, "S"), (0x08, "L"), (0x04, "C"), (0x02, "A"))


def _nodeinfo(ndo: Ndo, b: bytes, o: int, length: int, kind: int) -> None:
    """Print node information (RFC 4620)."""
    p, size = ndo.p, len(b) - o
    if kind == 139:
        if size == 12:
            p(" who-are-you request")
            return
        p(" node information query")
        if size < 16:
            raise _Cut
        p(" (")
        _ni_query(ndo, b, o, size)
        p(")")
        return
    if length > size or size < 16:
        raise _Cut
    p(" node information reply (")
    _ni_reply(ndo, b, o, size)
    p(")")


def _ni_query(ndo: Ndo, b: bytes, o: int, size: int) -> None:
    p = ndo.p
    qtype, flags = u2(b, o + 4), u2(b, o + 6)
    p(("noop", "supported qtypes", "DNS name", "node addresses")[qtype] if qtype < 4 else "unknown")
    if qtype == 1 and flags:
        p(f" [{'C' if flags & 1 else ''}]")
    if qtype == 3 and flags:
        p(f" [{bittok2str(_NI_FLAGS, '', flags, '')}]")
    if qtype < 2:
        if size != 16 and ndo.vflag:
            p(", invalid len")
        return
    if size == 16:
        p(", 03 draft")
        return
    subject = b[o + 1]
    if subject in (0, 2):
        want = 16 if subject == 0 else 4
        if size < 16 + want:
            return
        if size != 16 + want:
            if ndo.vflag:
                p(", invalid subject len")
            return
        addr = ndo.ip6addr(b, o + 16) if subject == 0 else ndo.ipaddr(b, o + 16)
        p(f", subject={addr}")
    elif subject == 1:
        p(", subject=DNS name")
        _named(ndo, b, o + 16)
    else:
        p(", unknown subject")


def _ni_reply(ndo: Ndo, b: bytes, o: int, size: int) -> None:
    p = ndo.p
    code, qtype, flags = b[o + 1], u2(b, o + 4), u2(b, o + 6)
    if code:
        if code < 3:
            p("refused" if code == 1 else "unknown")
            if size != 16 and ndo.vflag:
                p(", invalid length")
        return
    if ndo.vflag:
        p("success, ")
    if qtype == 0:
        p("noop")
        if size != 16 and ndo.vflag:
            p(", invalid length")
    elif qtype == 1:
        p("supported qtypes")
        if flags:
            p(f" [{'C' if flags & 1 else ''}]")
    elif qtype == 2:
        p("DNS name")
        _named(ndo, b, o + 20)
        if flags & 1:
            p(f" [TTL={u4(b, o + 16)}]")
    elif qtype == 3:
        p("node addresses")
        for at in range(16, size - 19, 20):
            p(f" {ndo.ip6addr(b, o + at + 4)}({u4(b, o + at)})")
        if flags:
            p(f" [{bittok2str((*_NI_FLAGS, (1, 'T')), '', flags, '')}]")
    else:
        p("unknown")


_RR_FLAGS: Final = ((0x80, "T"), (0x40, "R"), (0x20, "A"), (0x10, "S"), (0x08, "P"))
_RR_CODES: Final = {0: "command", 1: "result", 255: "sequence number reset"}
_RR_OPS: Final = {1: "add", 2: "change", 3: "setglobal"}


def _renumbering(ndo: Ndo, b: bytes, o: int) -> None:
    """Print router renumbering (RFC 2894)."""
    p = ndo.p
    if o + 16 > len(b):
        raise _Cut
    code = b[o + 1]
    p(f", {tok2str(_RR_CODES, 'code-#%u', code)}, seq={u4(b, o + 4)}")
    if ndo.vflag:
        flags = b[o + 9]
        p("[")
        if flags:
            p(bittok2str(_RR_FLAGS, "", flags, "") + ",")
        p(f"seg={b[o + 8]},maxdelay={u2(b, o + 10)}")
        if u4(b, o + 12):
            p(f"rsvd=0x{u4(b, o + 12):x}")
        p("]")
    if code != 0:
        return
    at = o + 16
    sep = "\n\t" if ndo.vflag > 1 else " "
    if at + 24 > len(b):
        raise _Cut
    p(f"{sep}match({tok2str(_RR_OPS, '#%u', b[at])}")
    if ndo.vflag:
        p(f",ord={b[at + 2]},min={b[at + 4]},max={b[at + 5]}")
    p(f",{inet_ntop6(b[at + 8 : at + 24])}/{b[at + 3]})")
    count = b[at + 1] - 3
    if count % 4:
        raise _Cut
    at += 24
    for _ in range(count // 4):
        if at + 32 > len(b):
            raise _Cut
        p(f"{sep}use(")
        if b[at + 12]:
            p(bittok2str(((0x80, "V"), (0x40, "P")), "", b[at + 12], "") + ",")
        if ndo.vflag:
            p(f"mask=0x{b[at + 2]:x},raflags=0x{b[at + 3]:x},")
            for name, where in (("vltime", 4), ("pltime", 8)):
                value = u4(b, at + where)
                p(f"{name}={'infty' if value == 0xFFFFFFFF else value},")
        need(b, at, 32)
        p(f"{inet_ntop6(b[at + 16 : at + 32])}/{b[at]}/{b[at + 1]})")
        at += 32
