"""Kerberos: version 4 in some detail, of version 5 (RFC 4120) no more than that it is that."""

from __future__ import annotations

from typing import Final

from libnet.text.dump.ndo import Ndo, le2, shown, tok2str, u2

_TYPES: Final = {
    2: "KDC_REQUEST", 4: "KDC_REPLY", 6: "APPL_REQUEST", 8: "APPL_REQUEST_MUTUAL",
    10: "ERR_REPLY", 12: "PRIVATE", 14: "SAFE", 16: "APPL_ERR", 126: "DIE",
}  # fmt: skip
_ERRORS: Final = {
    0: "OK", 1: "NAME_EXP", 2: "SERVICE_EXP", 3: "AUTH_EXP", 4: "PKT_VER",
    5: "NAME_MAST_KEY_VER", 6: "SERV_MAST_KEY_VER", 7: "BYTE_ORDER", 8: "PRINCIPAL_UNKNOWN",
    9: "PRINCIPAL_NOT_UNIQUE", 10: "NULL_KEY",
}  # fmt: skip
# A request or a reply of version 5 starts with its application tag.
_V5: Final = (0x6A, 0x6B)
_LITTLE: Final = 0x01


def krb_print(ndo: Ndo, b: bytes, o: int, _length: int) -> None:
    """Print a message."""
    ndo.protocol = "krb"
    version = b[o]
    if version in (1, 2, 3):
        ndo.p(f" v{version}")
    elif version == 4:
        ndo.p(f" v{version}")
        _version4(ndo, b, o)
    elif version in _V5:
        ndo.p(" v5")


def _string(ndo: Ndo, b: bytes, o: int) -> int:
    """Print a text that a zero ends; return where what follows starts; raises Trunc."""
    end = b.find(0, o)
    if end < 0:
        ndo.p(shown(b[o:]))
        ndo.longjmp()
    ndo.p(shown(b[o:end]))
    return end + 1


def _principal(ndo: Ndo, b: bytes, o: int) -> int:
    """Print NAME.INSTANCE@REALM; return where what follows starts; raises Trunc."""
    o = _string(ndo, b, o)
    ndo.p(".")
    o = _string(ndo, b, o)
    ndo.p("@")
    return _string(ndo, b, o)


def _version4(ndo: Ndo, b: bytes, o: int) -> None:
    p = ndo.p
    kind = b[o + 1] & ~_LITTLE
    little = b[o + 1] & _LITTLE
    p(f" {'le' if little else 'be'} {tok2str(_TYPES, '#%u', kind)}: ")
    short = le2 if little else u2
    o += 2
    if kind == 2:
        o = _principal(ndo, b, o) + 4
        p(f" {b[o] * 5}min ")
        o = _string(ndo, b, o + 1)
        p(".")
        _string(ndo, b, o)
    elif kind == 4:
        o = _principal(ndo, b, o) + 10
        p(f" ({short(b, o)})")
    elif kind == 6:
        p(f"v{b[o]} ")
        o = _string(ndo, b, o + 1)
        p(f" ({b[o]})")
        p(f" ({b[o + 1]})")
    elif kind == 10:
        o = _principal(ndo, b, o) + 4
        p(f" {tok2str(_ERRORS, '#%u', short(b, o))} ")
        _string(ndo, b, o + 4)
    else:
        p("(unknown)")
