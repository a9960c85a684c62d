"""EAPOL (IEEE 802.1X) and EAP (RFC 3748, RFC 5216, RFC 4187)."""

from __future__ import annotations

from typing import Final

from libnet.text.dump.ndo import Ndo, bittok2str, tok2str, u2, u4

_FRAMES: Final = {
    0: "EAP packet", 1: "EAPOL start", 2: "EAPOL logoff", 3: "EAPOL key",
    4: "Encapsulated ASF alert",
}  # fmt: skip
_CODES: Final = {1: "Request", 2: "Response", 3: "Success", 4: "Failure"}
_IDENTITY, _NOTIFICATION, _NAK, _TLS, _SIM, _TTLS, _AKA, _FAST = 1, 2, 3, 13, 18, 21, 23, 43
_TYPES: Final = {
    0: "No proposed", 1: "Identity", 2: "Notification", 3: "Nak", 4: "MD5-challenge", 5: "OTP",
    6: "GTC", 13: "TLS", 18: "SIM", 21: "TTLS", 23: "AKA", 43: "FAST", 254: "Expanded types",
    255: "Experimental",
}  # fmt: skip
_TLS_FLAGS: Final = ((0x80, "L bit"), (0x40, "More fragments bit"), (0x20, "Start bit"))
_AKA_SUBTYPES: Final = {
    1: "Challenge", 2: "Auth reject", 4: "Sync failure", 5: "Identity", 10: "Start",
    11: "Challenge", 12: "Notification", 13: "Reauth", 14: "Client error",
}  # fmt: skip


def eap_print(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    """Print an EAP packet that should be *length* octets long."""
    code, size = b[o], u2(b, o + 2)
    if size != length:
        # One attribute of several: only the first has the header.
        ndo.p("EAP fragment?")
        return
    ndo.p(f"{_CODES.get(code, 'unknown')} ({code}), id {b[o + 1]}, len {size}")
    if size < 4:
        ndo.p(" (too short for EAP header)")
        return
    if o + size > len(b):
        ndo.trunc()
        return
    if code not in (1, 2):
        return
    if size < 5:
        ndo.p(" (too short for EAP request/response)")
        return
    kind = b[o + 4]
    ndo.p(f"\n\t\t Type {_TYPES.get(kind, 'unknown')} ({kind})")
    _data(ndo, b, o, size, kind)


def _data(ndo: Ndo, b: bytes, o: int, size: int, kind: int) -> None:
    p = ndo.p
    if kind == _IDENTITY:
        if size > 5:
            p(", Identity: ")
            ndo.printjnp(b, o + 5, size - 5)
    elif kind == _NOTIFICATION:
        if size < 6:
            p(" (too short for EAP Notification request/response)")
            return
        p(", Notification: ")
        ndo.printjnp(b, o + 5, size - 5)
    elif kind == _NAK:
        if size < 6:
            p(" (too short for EAP Legacy NAK request/response)")
            return
        wanted = b[o + 5 : o + size]
        p(",".join([f" {_TYPES.get(t, 'unknown')} ({t})" for t in wanted]))
    elif kind in (_TLS, _TTLS, _FAST):
        name = "FAST" if kind == _FAST else "TLS/TTLS"
        if size < 6:
            p(f" (too short for EAP {name} request/response)")
            return
        flags = b[o + 5]
        if kind != _TLS:
            p(f" {'FAST' if kind == _FAST else 'TTLS'}v{flags & 7}")
        p(f" flags [{bittok2str(_TLS_FLAGS, 'none', flags)}] 0x{flags:02x}")
        if flags & 0x80:
            if size < 10:
                p(f" (too short for EAP {name} request/response with length)")
                return
            p(f", len {u4(b, o + 6)}")
    elif kind in (_AKA, _SIM):
        if size < 6:
            p(" (too short for EAP SIM/AKA request/response)")
            return
        p(f" subtype [{tok2str(_AKA_SUBTYPES, 'unknown', b[o + 5])}] 0x{b[o + 5]:02x}")


def eapol_print(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    """Print an EAPOL frame."""
    ndo.protocol = "eap"
    if o + 4 > len(b):
        ndo.trunc()
        return
    kind, size = b[o + 1], u2(b, o + 2)
    ndo.p(f"{_FRAMES.get(kind, 'unknown')} ({kind}) v{b[o]}, len {size}")
    if not ndo.vflag:
        return
    if kind == 0:
        if size == 0:
            ndo.trunc()
            return
        ndo.p(", ")
        eap_print(ndo, b, o + 4, size)
