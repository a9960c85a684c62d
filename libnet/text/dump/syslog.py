"""The syslog protocol (RFC 3164)."""

from __future__ import annotations

from typing import Final

from libnet.text.dump.ndo import Ndo, tok2str

_SEVERITIES: Final = (
    "emergency", "alert", "critical", "error", "warning", "notice", "info", "debug",
)  # fmt: skip
_FACILITIES: Final = dict(
    enumerate((
        "kernel", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron",
        "authpriv", "ftp", "ntp", "security", "console", "cron",
        *(f"local{i}" for i in range(8)),
    ))
)  # fmt: skip
_MAX_DIGITS: Final = 3


def syslog_print(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    """Print a message."""
    ndo.protocol = "syslog"
    if b[o] != 0x3C:
        ndo.invalid()
        return
    at, priority = 1, 0
    while at <= _MAX_DIGITS and 0x30 <= b[o + at] <= 0x39:
        priority = priority * 10 + b[o + at] - 0x30
        at += 1
    if b[o + at] != 0x3E:
        ndo.invalid()
        return
    at += 1
    facility = (priority & 0x3F8) >> 3
    name = tok2str(_FACILITIES, "unknown (%u)", facility)
    severity = _SEVERITIES[priority & 7]
    if not ndo.vflag:
        ndo.p(f"SYSLOG {name}.{severity}, length: {length}")
        return
    ndo.p(
        f"SYSLOG, length: {length}\n\tFacility {name} ({facility}), "
        f"Severity {severity} ({priority & 7})\n\tMsg: "
    )
    if length > at:
        ndo.printjn(b, o + at, length - at)
    if ndo.vflag > 1:
        ndo.unknown_data(b, o, "\n\t", length)
