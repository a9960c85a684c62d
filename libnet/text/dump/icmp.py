"""ICMP (RFC 792, RFC 1191, RFC 1256) and its multi-part messages (RFC 4884, RFC 4950)."""

from __future__ import annotations

from typing import Final

from libnet.text.dump.ndo import Ndo, cksum_shouldbe, lazy, tok2str, u2, u4
from libnet.wire.cksum import in_cksum

_UNREACH, _QUENCH, _REDIRECT, _ECHO, _ADVERT, _TIMXCEED, _PARAMPROB = 3, 4, 5, 8, 9, 11, 12
_TSTAMP, _TSTAMPREPLY, _MASKREPLY = 13, 14, 18
_ERRORS: Final = frozenset((_UNREACH, _QUENCH, _REDIRECT, _TIMXCEED, _PARAMPROB))
_MULTIPART: Final = frozenset((_UNREACH, _TIMXCEED, _PARAMPROB))
_EXT: Final = 136  # where extensions are, from the head of the message
_NAMES: Final = {
    0: "echo reply", 4: "source quench", 8: "echo request", 10: "router solicitation",
    13: "time stamp request", 14: "time stamp reply", 15: "information request",
    16: "information reply", 17: "address mask request",
}  # fmt: skip
_UNREACHABLE: Final = {
    0: "net %s unreachable", 1: "host %s unreachable",
    5: "%s unreachable - source route failed", 6: "net %s unreachable - unknown",
    7: "host %s unreachable - unknown", 8: "%s unreachable - source host isolated",
    9: "net %s unreachable - admin prohibited", 10: "host %s unreachable - admin prohibited",
    11: "net %s unreachable - tos prohibited", 12: "host %s unreachable - tos prohibited",
    13: "host %s unreachable - admin prohibited filter",
    14: "host %s unreachable - host precedence violation",
    15: "host %s unreachable - precedence cutoff",
}  # fmt: skip
_REDIRECTS: Final = {
    0: "redirect %s to net %s", 1: "redirect %s to host %s", 2: "redirect-tos %s to net %s",
    3: "redirect-tos %s to host %s",
}  # fmt: skip
_OBJECTS: Final = {1: "MPLS Stack Entry", 2: "Interface Identification"}
_ip = lazy("ip.ip_print")


class _Cut(Exception):
    """A field was not captured; the line ends, the packet's dump does not change."""


def icmp_print(ndo: Ndo, b: bytes, o: int, length: int, fragmented: int) -> None:
    """Print a message of *length* octets."""
    ndo.protocol = "icmp"
    kind, code = b[o], b[o + 1]
    p = ndo.p
    if kind == _ECHO or kind == 0:
        word = "request" if kind else "reply"
        text = f"echo {word}, id {u2(b, o + 4)}, seq {u2(b, o + 6)}"
    else:
        try:
            text = _text(ndo, b, o, kind, code)
        except _Cut:
            ndo.trunc()
            return
    p(f"ICMP {text}, length {length}")
    if not ndo.vflag:
        return
    if not fragmented and o + length <= len(b):
        computed = in_cksum(b[o : o + length])
        if computed:
            found = u2(b, o + 2)
            p(f" (wrong icmp cksum {found:x} (->{cksum_shouldbe(found, computed):x})!)")
    if kind in _ERRORS:
        p("\n\t")
        size = u2(b, o + 10)
        if size < 4:
            ndo.longjmp()  # the packet cannot even hold its own length
        _ip(ndo, b[: o + 8 + size], o + 8, size)
    ndo.protocol = "icmp"
    if length > _EXT and kind in _MULTIPART:
        _extensions(ndo, b, o, length)


def _dst(ndo: Ndo, b: bytes, o: int) -> str:
    """Return where the returned packet was going to."""
    return ndo.ipaddr(b, o + 24)


def _text(ndo: Ndo, b: bytes, o: int, kind: int, code: int) -> str:
    if kind == _UNREACH:
        return _unreach(ndo, b, o, code)
    if kind == _REDIRECT:
        fmt = _REDIRECTS.get(code, f"redirect-#{code} %s to %s")
        return fmt % (_dst(ndo, b, o), ndo.ipaddr(b, o + 4))
    if kind == _ADVERT:
        return _advert(ndo, b, o)
    if kind == _TIMXCEED:
        if o + 28 > len(b):
            raise _Cut
        return {0: "time exceeded in-transit", 1: "ip reassembly time exceeded"}.get(
            code, f"time exceeded-#{code}"
        )
    if kind == _PARAMPROB:
        if code:
            return f"parameter problem - code {code}"
        return f"parameter problem - octet {b[o + 4]}"
    if kind == _MASKREPLY:
        return f"address mask is 0x{u4(b, o + 8):08x}"
    if kind == _TSTAMP:
        return f"time stamp query id {u2(b, o + 4)} seq {u2(b, o + 6)}"
    if kind == _TSTAMPREPLY:
        if o + 20 > len(b):
            raise _Cut
        org, recv, xmit = (_daytime(u4(b, o + at)) for at in (8, 12, 16))
        return (
            f"time stamp reply id {u2(b, o + 4)} seq {u2(b, o + 6)}: "
            f"org {org}, recv {recv}, xmit {xmit}"
        )
    return tok2str(_NAMES, "type-#%u", kind)


def _unreach(ndo: Ndo, b: bytes, o: int, code: int) -> str:
    if code == 2:
        return f"{_dst(ndo, b, o)} protocol {b[o + 17]} unreachable"
    if code == 3:
        if o + 18 > len(b):
            raise _Cut
        proto = b[o + 17]
        port = u2(b, o + 8 + (b[o + 8] & 15) * 4 + 2)
        if proto == 6:
            return f"{_dst(ndo, b, o)} tcp port {ndo.tcpport(port)} unreachable"
        if proto == 17:
            return f"{_dst(ndo, b, o)} udp port {ndo.udpport(port)} unreachable"
        return f"{_dst(ndo, b, o)} protocol {proto} port {port} unreachable"
    if code == 4:
        mtu = u2(b, o + 6)
        text = f"{_dst(ndo, b, o)} unreachable - need to frag"
        return f"{text} (mtu {mtu})" if mtu else text
    fmt = _UNREACHABLE.get(code)
    if fmt is None:
        return f"{_dst(ndo, b, o)} unreachable - #{code}"
    return fmt % _dst(ndo, b, o)


def _advert(ndo: Ndo, b: bytes, o: int) -> str:
    if o + 8 > len(b):
        raise _Cut
    count, size, life = b[o + 4], b[o + 5], u2(b, o + 6)
    if life < 60:
        text = f"{life}"
    elif life < 3600:
        text = f"{life // 60}:{life % 60:02d}"
    else:
        text = f"{life // 3600}:{life % 3600 // 60:02d}:{life % 60:02d}"
    text = f"router advertisement lifetime {text} {count}:"
    if size != 2:
        return f"{text} [size {size}]"
    for i in range(count):
        at = o + 8 + 8 * i
        if at + 8 > len(b):
            raise _Cut
        text += f" {{{ndo.ipaddr(b, at)} {u4(b, at + 4)}}}"
    return text


def _daytime(ms: int) -> str:
    """Return milliseconds since midnight as a time of day."""
    seconds, rest = divmod(ms, 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{rest:03d}"


def _extensions(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    p = ndo.p
    if o + _EXT + 5 > len(b):
        ndo.trunc()
        return
    at, left = o + _EXT, length - _EXT
    whole = at + left <= len(b)
    # Not everybody fills the length in: a checksum that holds is taken as a sign as well.
    if b[o + 5] == 0 and whole and in_cksum(b[at : at + left]):
        return
    version = b[at] >> 4
    p(f"\n\tICMP Multi-Part extension v{version}")
    if version != 2:
        p(" packet not supported")
        return
    if whole:
        good = "in" if in_cksum(b[at : at + left]) else ""
        p(f", checksum 0x{u2(b, at + 2):04x} ({good}correct), length {left}")
    left -= 4
    at += 4
    while left > 4:
        if at + 4 > len(b):
            ndo.trunc()
            return
        size, kind, ctype = u2(b, at), b[at + 2], b[at + 3]
        at += 4
        p(
            f"\n\t  {_OBJECTS.get(kind, 'unknown')} Object ({kind}), "
            f"Class-Type: {ctype}, length {size}"
        )
        left -= 4
        if kind == 0 or size < 4:
            return
        size -= 4
        if kind == 1 and ctype == 1:
            raw = u4(b, at)
            stack = ", [S]" if raw >> 8 & 1 else ""
            p(f"\n\t    label {raw >> 12}, tc {raw >> 9 & 7}{stack}, ttl {raw & 255}")
        else:
            ndo.unknown_data(b, at, "\n\t    ", size)
        if left < size:
            return
        left -= size
        at += size
