"""The mobility header of IPv6 (RFC 6275)."""

from __future__ import annotations

from typing import Final

from libnet.text.dump.ndo import Ndo, bittok2str, need, tok2str, u2, u4

_TYPES: Final = {
    0: "BRR", 1: "HoTI", 2: "CoTI", 3: "HoT", 4: "CoT", 5: "BU", 6: "BA", 7: "BE",
}  # fmt: skip
_LEAST: Final = (8, 16, 16, 24, 24, 12, 12, 24)
_UPDATE: Final = ((8, "A"), (4, "H"), (2, "L"), (1, "K"))
# Names of options and the octets they have to have.
_OPTIONS: Final = {2: ("refresh", 4), 3: ("altcoa", 18), 4: ("ni", 6), 5: ("auth", 12)}


def mobility_print(ndo: Ndo, b: bytes, o: int, iph: int) -> int:
    """Print a mobility header; return its length, -1 where it is cut."""
    ndo.protocol = "mobility"
    p = ndo.p
    if o + 1 >= len(b):
        ndo.trunc()
        return -1
    size = b[o + 1] + 1 << 3
    kind = b[o + 2]
    if kind < len(_LEAST) and size < _LEAST[kind]:
        p(f"(header length {size} is too small for type {kind})")
        ndo.trunc()
        return -1
    p(f"mobility: {tok2str(_TYPES, 'type-#%u', kind)}")
    hlen = 8
    if kind in (1, 2, 3, 4):
        hlen = _test(ndo, b, o, kind)
    elif kind == 5:
        p(f" seq#={u2(b, o + 6)}")
        need(b, o + 8, 2)
        bits = b[o + 8] >> 4
        if bits:
            p(f" {bittok2str(_UPDATE, 'bits-#0x%x', bits, '')}")
        p(f" lifetime={u2(b, o + 10) << 2}")
        hlen = 12
    elif kind == 6:
        p(f" status={b[o + 6]}")
        if b[o + 7] & 0x80:
            p(" K")
        p(f" seq#={u2(b, o + 8)}")
        p(f" lifetime={u2(b, o + 10) << 2}")
        hlen = 12
    elif kind == 7:
        p(f" status={b[o + 6]}")
        p(f" homeaddr {ndo.ip6addr(b, o + 8)}")
        hlen = 24
    elif kind != 0:
        p(f" len={b[o + 1]}")
        return size
    if ndo.vflag and not _options(ndo, b, o + hlen, size - hlen):
        ndo.trunc()
        return -1
    return size


def _test(ndo: Ndo, b: bytes, o: int, kind: int) -> int:
    """Print the cookie, and the token of an answer; return the header's length without options."""
    p = ndo.p
    what = "Home" if kind in (1, 3) else "Care-of"
    if kind in (3, 4):
        p(f" nonce id=0x{u2(b, o + 6):x}")
    if ndo.vflag:
        p(f" {what} Init Cookie={u4(b, o + 8):08x}:{u4(b, o + 12):08x}")
    if kind in (1, 2):
        return 16
    if ndo.vflag:
        p(f" {what} Keygen Token={u4(b, o + 16):08x}:{u4(b, o + 20):08x}")
    return 24


def _options(ndo: Ndo, b: bytes, o: int, length: int) -> bool:
    """Print options; return whether they were whole."""
    p = ndo.p
    i = 0
    while i < length:
        kind = b[o + i]
        if kind == 0:
            size = 1
        elif i + 1 < length:
            size = b[o + i + 1] + 2
        else:
            return False
        if i + size > length:
            return False
        # One octet more than the option has is looked for.
        if o + i + size >= len(b):
            return False
        name, least = _OPTIONS.get(kind, (f"sopt_type {kind}", 2))
        if kind == 0:
            p("(pad1)")
        elif kind == 1:
            p("(padn)")
        elif length - i < least:
            p(f"({name}: trunc)")
            return False
        elif kind == 2:
            p(f"(refresh: {u2(b, o + i + 2) << 2})")
        elif kind == 3:
            p(f"(alt-CoA: {ndo.ip6addr(b, o + i + 2)})")
        elif kind == 4:
            p(f"(ni: ho=0x{u2(b, o + i + 2):04x} co=0x{u2(b, o + i + 4):04x})")
        elif kind == 5:
            p("(auth)")
        else:
            p(f"(type-0x{kind:02x}: len={b[o + i + 1]})")
        i += size
    return True
