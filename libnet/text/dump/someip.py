"""SOME/IP (AUTOSAR), as -T someip has it."""

from __future__ import annotations

from typing import Final

from libnet.text.dump.ndo import Ndo, tok2str, u2, u4

_TYPES: Final = {
    0x00: "REQUEST", 0x01: "REQUEST_NO_RETURN", 0x02: "NOTIFICATION", 0x80: "RESPONSE",
    0x81: "ERROR", 0x20: "TP_REQUEST", 0x21: "TP_REQUEST_NO_RETURN", 0x22: "TP_NOTIFICATION",
    0xA0: "TP_RESPONSE", 0xA1: "TP_ERROR",
}  # fmt: skip
_CODES: Final = {
    0: "E_OK", 1: "E_NOT_OK", 2: "E_UNKNOWN_SERVICE", 3: "E_UNKNOWN_METHOD", 4: "E_NOT_READY",
    5: "E_NOT_REACHABLE", 6: "E_TIMEOUT", 7: "E_WRONG_PROTOCOL_VERSION",
    8: "E_WRONG_INTERFACE_VERSION", 9: "E_MALFORMED_MESSAGE", 10: "E_WRONG_MESSAGE_TYPE",
    11: "E_E2E_REPEATED", 12: "E_E2E_WRONG_SEQUENCE", 13: "E_E2E", 14: "E_E2E_NOT_AVAILABLE",
    15: "E_E2E_NO_NEW_DATA",
}  # fmt: skip


def someip_print(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    """Print a message of *length* octets."""
    ndo.protocol = "someip"
    p = ndo.p
    if length < 16:
        p(f" [length {length} < 16]")
        ndo.invalid_rest(b, o, length)
        return
    p("SOMEIP")
    ident = u4(b, o)
    p(f", service {ident >> 16}, {'event' if ident & 0x8000 else 'method'} {ident & 0x7FFF}")
    size = u4(b, o + 4)
    p(f", len {size}")
    if size + 8 > length or size < 8:
        ndo.invalid_rest(b, o, length)
        return
    p(f", client {u2(b, o + 8)}, session {u2(b, o + 10)}")
    p(f", pver {b[o + 12]}")
    p(f", iver {b[o + 13]}")
    p(f", msgtype {tok2str(_TYPES, 'Unknown', b[o + 14])}")
    p(f", retcode {tok2str(_CODES, 'Unknown', b[o + 15])}\n")
