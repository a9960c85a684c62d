"""VRRP (RFC 2338, RFC 5798) and CARP, which share an IP protocol."""

from __future__ import annotations

from typing import Final

from libnet.text.dump.ndo import Ndo, tok2str, u2, u8
from libnet.text.dump.pseudo import nextproto_cksum
from libnet.wire.cksum import in_cksum

_AUTH: Final = {0: "none", 1: "simple", 2: "ah"}


def vrrp_print(ndo: Ndo, b: bytes, o: int, length: int, iph: int, ttl: int, ver: int) -> None:
    """Print a VRRP advertisement."""
    ndo.protocol = "vrrp"
    p = ndo.p
    p("VRRP")
    version, kind = b[o] >> 4, b[o] & 15
    p(f"v{version}, {'Advertisement' if kind == 1 else f'unknown type ({kind})'}")
    if ttl != 255:
        p(f", (ttl {ttl})")
    if version not in (2, 3) or kind != 1:
        return
    p(f", vrid {b[o + 1]}, prio {b[o + 2]}")
    auth = 0
    if version == 2:
        auth = b[o + 4]
        p(f", authtype {tok2str(_AUTH, '#%d', auth)}")
        p(f", intvl {b[o + 5]}s, length {length}")
    else:
        p(f", intvl {u2(b, o + 4) & 0xFFF}cs, length {length}")
    if not ndo.vflag:
        return
    count = b[o + 3]
    if o + length <= len(b):
        if version == 2:
            bad = in_cksum(b[o : o + length])
        else:
            bad = nextproto_cksum(b, iph, o, length, 112)
        if bad:
            p(f", (bad vrrp cksum {u2(b, o + 6):x})")
    p(", addrs")
    if count > 1:
        p(f"({count})")
    p(":")
    at, sep = o + 8, " "
    for _ in range(count):
        if ver == 4:
            p(sep + ndo.ipaddr(b, at))
            at += 4
        else:
            p(sep + ndo.ip6addr(b, at))
            at += 16
        sep = ","
    if version == 2 and auth == 1:
        p(' auth "')
        ndo.printjnp(b, at, 8)
        p('"')


def carp_print(ndo: Ndo, b: bytes, o: int, length: int, ttl: int) -> None:
    """Print a CARP advertisement (-T carp)."""
    ndo.protocol = "carp"
    p = ndo.p
    version, kind = b[o] >> 4, b[o] & 15
    p(f"CARPv{version}-{'advertise' if kind == 1 else 'unknown'} {length}: ")
    if ttl != 255:
        p(f"[ttl={ttl}!] ")
    if version != 2 or kind != 1:
        return
    p(f"vhid={b[o + 1]} advbase={b[o + 5]} advskew={b[o + 2]} authlen={b[o + 3]} ")
    if ndo.vflag and o + length <= len(b) and in_cksum(b[o : o + length]):
        p(f" (bad carp cksum {u2(b, o + 6):x}!)")
    p(f"counter={u8(b, o + 8)}")
