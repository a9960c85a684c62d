"""DNS (RFC 1035), over UDP, over TCP, and multicast (RFC 6762); EDNS options (RFC 6891)."""

from __future__ import annotations

from typing import Final

from libnet.text.dump.ndo import Ndo, inet_ntop6, relts, shown, tok2str, u2, u4

_OPS: Final = (
    "", " inv_q", " stat", " op3", " notify", " update", " op6", " op7", " op8", " updateA",
    " updateD", " updateDA", " updateM", " updateMA", " zoneInit", " zoneRef",
)  # fmt: skip
# Where the blank is missing, it is in the original.
_RCODES: Final = (
    "", " FormErr", " ServFail", " NXDomain", " NotImp", " Refused", " YXDomain", " YXRRSet",
    " NXRRSet", " NotAuth", " NotZone", " Resp11", " Resp12", " Resp13", " Resp14", " NoChange",
    " BadVers", "Resp17", " Resp18", " Resp19", " Resp20", "Resp21", " Resp22", " BadCookie",
)  # fmt: skip
_TYPES: Final = {
    1: "A", 2: "NS", 3: "MD", 4: "MF", 5: "CNAME", 6: "SOA", 7: "MB", 8: "MG", 9: "MR",
    10: "NULL", 11: "WKS", 12: "PTR", 13: "HINFO", 14: "MINFO", 15: "MX", 16: "TXT", 17: "RP",
    18: "AFSDB", 19: "X25", 20: "ISDN", 21: "RT", 22: "NSAP", 23: "NSAP_PTR", 24: "SIG",
    25: "KEY", 26: "PX", 27: "GPOS", 28: "AAAA", 29: "LOC", 30: "NXT", 31: "EID", 32: "NIMLOC",
    33: "SRV", 34: "ATMA", 35: "NAPTR", 36: "KX", 37: "CERT", 38: "A6", 39: "DNAME", 40: "SINK",
    41: "OPT", 42: "APL", 43: "DS", 44: "SSHFP", 45: "IPSECKEY", 46: "RRSIG", 47: "NSEC",
    48: "DNSKEY", 99: "SPF", 100: "UINFO", 101: "UID", 102: "GID", 103: "UNSPEC",
    104: "UNSPECA", 249: "TKEY", 250: "TSIG", 251: "IXFR", 252: "AXFR", 253: "MAILB",
    254: "MAILA", 255: "ANY", 256: "URI",
}  # fmt: skip
_A, _NS, _CNAME, _SOA, _PTR, _MX, _TXT, _AAAA, _SRV = 1, 2, 5, 6, 12, 15, 16, 28, 33
_A6, _DNAME, _OPT, _UNSPECA, _TSIG, _URI = 38, 39, 41, 104, 250, 256
_CLASSES: Final = {1: "IN", 3: "CHAOS", 4: "HS", 255: "ANY"}
_EDNS: Final = {
    1: "LLQ", 2: "UL", 3: "NSID", 5: "DAU", 6: "DHU", 7: "N3U", 8: "ECS", 9: "EXPIRE",
    10: "COOKIE", 11: "KEEPALIVE", 12: "PADDING", 13: "CHAIN", 14: "KEY-TAG",
    16: "CLIENT-TAG", 17: "SERVER-TAG",
}  # fmt: skip
_ALGORITHMS: Final = {
    0: "DELETE", 1: "RSAMD5", 2: "DH", 3: "DS", 5: "RSASHA1", 6: "DSA-NSEC3-SHA1",
    7: "RSASHA1-NSEC3-SHA1", 8: "RSASHA256", 10: "RSASHA512", 12: "ECC-GOST",
    13: "ECDSAP256SHA256", 14: "ECDSAP384SHA384", 15: "ED25519", 16: "ED448", 252: "INDIRECT",
    253: "PRIVATEDNS", 254: "PRIVATEOID",
}  # fmt: skip
_DIGESTS: Final = {1: "SHA-1", 2: "SHA-256", 3: "GOST_R_34.11-94", 4: "SHA-384"}
_HASHES: Final = {1: "SHA-1"}
_MAXCDNAME: Final = 255
_BITLABEL: Final = 1


class _Cut(Exception):
    """A name or record ends where nothing was captured, or makes no sense."""


def _skip(b: bytes, o: int) -> int:
    """Return where the name at *o* ends. Raises _Cut."""
    n = len(b)
    while o < n:
        c = b[o]
        o += 1
        if c == 0:
            return o
        kind = c & 0xC0
        if kind == 0xC0:
            return o + 1
        if kind == 0x80 or (kind == 0x40 and (c & 0x3F != _BITLABEL or o >= n)):
            raise _Cut
        o += c if kind == 0 else 1 + ((b[o] or 256) + 7) // 8
    raise _Cut


def _labellen(ndo: Ndo, b: bytes, o: int) -> int:
    if o >= len(b):
        raise _Cut
    c = b[o]
    kind = c & 0xC0
    if kind == 0x40:
        if c & 0x3F != _BITLABEL:
            ndo.p(f"<ELT {c & 0x3F}>")
            raise _Cut
        if o + 1 >= len(b):
            raise _Cut
        return ((b[o + 1] or 256) + 7) // 8 + 1
    if kind == 0x80:
        ndo.p("<BAD LABEL TYPE>")
        raise _Cut
    return c


def _bitlabel(ndo: Ndo, b: bytes, o: int) -> None:
    """Print a label of bits (RFC 2673)."""
    bits = b[o] or 256
    whole = bits // 8
    ndo.p("\\[x")
    ndo.p(b[o + 1 : o + 1 + whole].hex())
    rest = bits % 8
    if rest > 4:
        ndo.p(f"{b[o + 1 + whole] & 0xFF << 8 - rest:02x}")
    elif rest:
        ndo.p(f"{b[o + 1 + whole] >> 4 & (0x0F << 4 - rest) & 0x0F:x}")
    ndo.p(f"/{bits}]")


def fqdn_print(ndo: Ndo, b: bytes, o: int, base: int) -> int:
    """Print the name at *o*; return where it ends.

    base  where the message starts, which pointers count from
    Raises _Cut, which a caller from elsewhere catches as NameCut.
    """
    p, n = ndo.p, len(b)
    size = _labellen(ndo, b, o)
    most = o - base if o >= base else 1 << 32
    c = b[o]
    o += 1
    if c == 0:
        p(".")
        return o
    if c & 0xC0 == 0xC0 and o >= n:
        raise _Cut
    end, compressed, chars = o + size, False, 0
    while c and o < n:
        kind = c & 0xC0
        if kind == 0xC0:
            if not compressed:
                end, compressed = o + 1, True
            target = (c << 8 | b[o]) & 0x3FFF
            # Backward only, or a name could run in circles.
            if target >= most:
                p("<BAD PTR>")
                raise _Cut
            most = target
            o = base + target
            if o >= n:
                raise _Cut
            c = b[o]
            size = _labellen(ndo, b, o)
            o += 1
            continue
        if kind == 0x40:
            _bitlabel(ndo, b, o)
        elif kind == 0x80:
            p("<BAD LABEL TYPE>")
            raise _Cut
        else:
            want = size if chars + size <= _MAXCDNAME else max(0, _MAXCDNAME - chars)
            p(shown(b[o : o + want]))
            if o + want > n:
                raise _Cut
            chars += size
        o += size
        if chars <= _MAXCDNAME:
            p(".")
        chars += 1
        if o >= n:
            raise _Cut
        c = b[o]
        size = _labellen(ndo, b, o)
        o += 1
        if not compressed:
            end += size + 1
    if chars > _MAXCDNAME:
        p("<DOMAIN NAME TOO LONG>")
    return end


NameCut = _Cut


def _question(ndo: Ndo, b: bytes, o: int, base: int, mdns: bool) -> int:
    p = ndo.p
    at = _skip(b, o)
    if at + 4 > len(b):
        raise _Cut
    p(f" {tok2str(_TYPES, 'Type%u', u2(b, at))}")
    raw = u2(b, at + 2)
    klass = raw & 0x7FFF if mdns else raw
    if klass != 1:
        p(f" {tok2str(_CLASSES, '(Class %u)', klass)}")
    if mdns:
        p(" (QU)" if raw & 0x8000 else " (QM)")
    p("? ")
    return fqdn_print(ndo, b, o, base) + 4


def _record(ndo: Ndo, b: bytes, o: int, base: int, mdns: bool) -> int:
    """Print a resource record; return where it ends."""
    p, n = ndo.p, len(b)
    if ndo.vflag:
        p(" ")
        o = fqdn_print(ndo, b, o, base)
    else:
        try:
            o = _skip(b, o)
        except _Cut:
            return n
    if o + 10 > n:
        return n
    kind, raw = u2(b, o), u2(b, o + 2)
    klass = raw & 0x7FFF if mdns else raw
    if klass != 1 and kind != _OPT:
        p(f" {tok2str(_CLASSES, '(Class %u)', klass)}")
    if mdns and raw & 0x8000:
        p(" (Cache flush)")
    if kind != _OPT and ndo.vflag > 2:
        p(f" [{relts(u4(b, o + 4))}]")
    flags, size = u2(b, o + 6), u2(b, o + 8)
    o += 10
    end = o + size
    p(f" {tok2str(_TYPES, 'Type%u', kind)}")
    if end > n:
        raise _Cut
    _rdata(ndo, b, o, end, base, kind)
    if kind == _OPT:
        p(f" UDPsize={klass}")
        if flags & 0x8000:
            p(" DO")
        if o < end:
            p(" [")
            while o < end:
                o = _edns_option(ndo, b, o)
                if o < end:
                    p(",")
            p("]")
    return end


def _have(b: bytes, o: int, n: int) -> None:
    if o + n > len(b):
        raise _Cut


def _rdata(ndo: Ndo, b: bytes, o: int, end: int, base: int, kind: int) -> None:
    p = ndo.p
    if kind == _A:
        _have(b, o, 4)
        p(" " + ".".join(map(str, b[o : o + 4])))
    elif kind in (_NS, _CNAME, _PTR, _DNAME):
        p(" ")
        fqdn_print(ndo, b, o, base)
    elif kind == _SOA:
        if ndo.vflag:
            p(" ")
            o = fqdn_print(ndo, b, o, base)
            p(" ")
            o = fqdn_print(ndo, b, o, base)
            _have(b, o, 20)
            p("".join([f" {u4(b, o + i)}" for i in range(0, 20, 4)]))
    elif kind == _MX:
        p(" ")
        _have(b, o, 2)
        fqdn_print(ndo, b, o + 2, base)
        p(f" {u2(b, o)}")
    elif kind == _TXT:
        while o < end:
            p(' "')
            _have(b, o, 1)
            size = b[o]
            p(shown(b[o + 1 : o + 1 + size]))
            _have(b, o + 1, size)
            o += 1 + size
            p('"')
    elif kind == _SRV:
        p(" ")
        _have(b, o, 6)
        fqdn_print(ndo, b, o + 6, base)
        p(f":{u2(b, o + 4)} {u2(b, o)} {u2(b, o + 2)}")
    elif kind == _AAAA:
        _have(b, o, 16)
        p(f" {inet_ntop6(b[o : o + 16])}")
    elif kind == _A6:
        _a6(ndo, b, o, base)
    elif kind == _URI:
        _have(b, o, end - o)
        p(f" {u2(b, o)} {u2(b, o + 2)} ")
        # A length below four wraps around, and the text ends with the packet.
        size = end - o - 4
        p(shown(b[o + 4 : o + 4 + size] if size >= 0 else b[o + 4 :]))
        if size < 0:
            raise _Cut
    elif kind == _UNSPECA:
        p(shown(b[o:end]))
    elif kind == _TSIG and ndo.vflag:
        p(" ")
        o = fqdn_print(ndo, b, o, base) + 6
        _have(b, o, 2)
        p(f" fudge={u2(b, o)}")
        _have(b, o + 2, 2)
        size = u2(b, o + 2)
        p(f" maclen={size}")
        o += 4 + size
        for name in ("origid", "error", "otherlen"):
            _have(b, o, 2)
            p(f" {name}={u2(b, o)}")
            o += 2


def _a6(ndo: Ndo, b: bytes, o: int, base: int) -> None:
    _have(b, o, 1)
    bits = b[o]
    if bits > 128:
        ndo.p(f" {bits}(bad plen)")
        return
    skip = bits // 8
    if bits < 128:
        if o + 1 + 16 - skip > len(b):
            ndo.longjmp()
        ndo.p(f" {bits} {inet_ntop6(bytes(skip) + b[o + 1 : o + 17 - skip])}")
    if bits > 0:
        ndo.p(" ")
        fqdn_print(ndo, b, o + 17 - skip, base)


def _edns_option(ndo: Ndo, b: bytes, o: int) -> int:
    """Print an EDNS option; return where it ends."""
    p = ndo.p
    _have(b, o, 2)
    opt = u2(b, o)
    p(tok2str(_EDNS, "Opt%u", opt))
    _have(b, o + 2, 2)
    size = u2(b, o + 2)
    o += 4
    _have(b, o, size)
    data = b[o : o + size]
    if not size:
        return o
    p(" ")
    if opt == 8:
        _client_subnet(ndo, data)
    elif opt == 10:
        if size < 8 or 8 < size < 16 or size > 40:
            ndo.invalid()
        else:
            p(f"{data[:8].hex()} {data[8:].hex()}" if size > 8 else data.hex())
    elif opt == 11:
        if size != 2:
            ndo.invalid()
        else:
            p(f"{u2(data, 0) / 10:.1f} sec")
    elif opt == 9:
        if size != 4:
            ndo.invalid()
        else:
            p(f"{u4(data, 0)} sec")
    elif opt == 12:
        p(f"({size})")
    elif opt == 14:
        if size % 2:
            ndo.invalid()
        else:
            p(" ".join([str(u2(data, i)) for i in range(0, size, 2)]))
    elif opt in (5, 6, 7):
        names = (_ALGORITHMS, _DIGESTS, _HASHES)[opt - 5]
        p(" ".join([tok2str(names, "Alg_%u", c) for c in data]))
    elif opt == 13:
        # The original takes pointers of this name from the end of the option, so none is good.
        _chain(ndo, b, o, size)
    else:
        p(data.hex())
    return o + size


def _chain(ndo: Ndo, b: bytes, o: int, size: int) -> None:
    try:
        fqdn_print(ndo, b, o, o + size)
    except _Cut:
        return


def _client_subnet(ndo: Ndo, data: bytes) -> None:
    """Print the client's subnet (RFC 7871)."""
    if len(data) < 4:
        ndo.invalid()
        return
    family, src, scope = u2(data, 0), data[2], data[3]
    bits = {1: 32, 2: 128}.get(family)
    addr = data[4:]
    if (
        bits is None
        or len(addr) > bits // 8
        or src > bits
        or scope > bits
        or (src + 7) // 8 != len(addr)
    ):
        ndo.invalid()
        return
    whole = addr.ljust(bits // 8, b"\0")
    text = ".".join(map(str, whole)) if bits == 32 else inet_ntop6(whole)
    ndo.p(f"{text}/{src}/{scope}")


def _extended_rcode(b: bytes, o: int, counts: tuple[int, int, int, int], rcode: int) -> int:
    """Return the response code with the bits that an OPT record adds."""
    n = len(b)
    try:
        for _ in range(counts[0]):
            o = _skip(b, o) + 4
            if o >= n:
                return rcode
        for _ in range(counts[1] + counts[2]):
            o = _skip(b, o) + 8
            if o + 2 > n:
                return rcode
            o += 2 + u2(b, o)
            if o >= n:
                return rcode
        for _ in range(counts[3]):
            o = _skip(b, o)
            if o + 2 > n:
                return rcode
            kind = u2(b, o)
            o += 4
            if o + 1 > n:
                return rcode
            if kind == _OPT:
                return rcode | b[o] << 4
            o += 4
            if o + 2 > n:
                return rcode
            o += 2 + u2(b, o)
            if o >= n:
                return rcode
    except _Cut:
        pass  # what was captured has no OPT record
    return rcode


def _section(ndo: Ndo, b: bytes, o: int, base: int, count: int, mdns: bool) -> int:
    """Print *count* records; return where they end. Raises _Cut if fewer are there."""
    o = _record(ndo, b, o, base, mdns)
    for _ in range(count - 1):
        if o >= len(b):
            raise _Cut
        ndo.p(",")
        o = _record(ndo, b, o, base, mdns)
    return o


def domain_print(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    """Print a message over UDP."""
    ndo.protocol = "domain"
    _message(ndo, b, o, length, mdns=False)


def mdns_print(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    """Print a message of multicast DNS."""
    ndo.protocol = "domain"
    _message(ndo, b, o, length, mdns=True)


def domain_tcp_print(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    """Print a message over TCP, behind its length."""
    ndo.protocol = "domain"
    if length < 2:
        ndo.p(f" [DNS over TCP: length {length} < 2]")
        ndo.invalid()
        return
    length -= 2
    told = u2(b, o)
    if told != length:
        ndo.p(f" [prefix length({told}) != length({length})]")
        ndo.invalid()
        return
    ndo.p(" ")
    _message(ndo, b, o + 2, length, mdns=False)


def _message(ndo: Ndo, b: bytes, o: int, length: int, *, mdns: bool) -> None:
    if length < 12:
        ndo.p(f"domain [length {length} < 12]")
        ndo.invalid()
        return
    if o + 12 > len(b):
        ndo.trunc()
        return
    flags = u2(b, o + 2)
    counts = (u2(b, o + 4), u2(b, o + 6), u2(b, o + 8), u2(b, o + 10))
    rcode = _extended_rcode(b, o + 12, counts, flags & 15)
    try:
        if flags & 0x8000:
            _response(ndo, b, o, flags, rcode, counts, mdns)
        else:
            _request(ndo, b, o, flags, counts, mdns)
    except _Cut:
        ndo.trunc()
        return
    ndo.p(f" ({length})")


def _response(
    ndo: Ndo,
    b: bytes,
    base: int,
    flags: int,
    rcode: int,
    counts: tuple[int, int, int, int],
    mdns: bool,
) -> None:
    p = ndo.p
    qd, an, ns, ar = counts
    code = _RCODES[rcode] if rcode < len(_RCODES) else f" Resp{rcode & 0xFFF}"
    p(
        f"{u2(b, base)}{_OPS[flags >> 11 & 15]}{code}{'*' if flags & 0x400 else ''}"
        f"{'' if flags & 0x80 else '-'}{'|' if flags & 0x200 else ''}{'$' if flags & 0x20 else ''}"
    )
    if qd != 1:
        p(f" [{qd}q]")
    o = base + 12
    for i in range(qd):
        if i:
            p(",")
        if ndo.vflag > 1:
            p(" q:")
            o = _question(ndo, b, o, base, mdns)
        else:
            o = _skip(b, o) + 4
    p(f" {an}/{ns}/{ar}")
    if an:
        o = _section(ndo, b, o, base, an, mdns)
    if ndo.vflag > 1:
        _ns_ar(ndo, b, o, base, ns, ar, mdns)


def _ns_ar(ndo: Ndo, b: bytes, o: int, base: int, ns: int, ar: int, mdns: bool) -> None:
    for name, count in ((" ns:", ns), (" ar:", ar)):
        if count:
            if o >= len(b):
                raise _Cut
            ndo.p(name)
            o = _section(ndo, b, o, base, count, mdns)


def _request(
    ndo: Ndo, b: bytes, base: int, flags: int, counts: tuple[int, int, int, int], mdns: bool
) -> None:
    p = ndo.p
    qd, an, ns, ar = counts
    opcode = flags >> 11 & 15
    p(f"{u2(b, base)}{_OPS[opcode]}{'+' if flags & 0x100 else ''}{'%' if flags & 0x10 else ''}")
    if flags & 0x6CF:
        p(f" [b2&3=0x{flags:x}]")
    if opcode == 1:
        if qd:
            p(f" [{qd}q]")
        if an != 1:
            p(f" [{an}a]")
    else:
        if an:
            p(f" [{an}a]")
        if qd != 1:
            p(f" [{qd}q]")
    if ns:
        p(f" [{ns}n]")
    if ar:
        p(f" [{ar}au]")
    o = base + 12
    for i in range(qd):
        if i and o >= len(b):
            raise _Cut
        o = _question(ndo, b, o, base, mdns)
    if ndo.vflag > 1:
        if an:
            o = _section(ndo, b, o, base, an, mdns)
        _ns_ar(ndo, b, o, base, ns, ar, mdns)
