"""The log of pf: what the packet filter did, before the packet (pflog(4))."""

from __future__ import annotations

from typing import Final

from libnet.text.dump.ip import ip_print
from libnet.text.dump.ndo import Ndo, lazy, tok2str, u4

_HDRLEN: Final = 64
_MIN_HDRLEN: Final = 45
# The original has "short" under the number of "normalize", which therefore it never prints.
_REASONS: Final = {
    0: "0(match)", 1: "1(bad-offset)", 2: "2(fragment)", 4: "3(short)", 5: "5(memory)",
    6: "6(bad-timestamp)", 7: "7(congestion)", 8: "8(ip-option)", 9: "9(proto-cksum)",
    10: "10(state-mismatch)", 11: "11(state-insert)", 12: "12(state-limit)", 13: "13(src-limit)",
    14: "14(synproxy)",
}  # fmt: skip
_ACTIONS: Final = {
    0: "pass", 1: "block", 2: "scrub", 4: "nat", 5: "nonat", 6: "binat", 7: "nobinat", 8: "rdr",
    9: "nordr", 10: "synproxy-drop",
}  # fmt: skip
_DIRECTIONS: Final = {0: "in/out", 1: "in", 2: "out"}
_ip6 = lazy("ip6.ip6_print")


def _header(ndo: Ndo, b: bytes) -> None:
    ndo.protocol = "pflog"
    rule, subrule = u4(b, 36), u4(b, 40)
    if subrule == 0xFFFFFFFF:
        ndo.p(f"rule {rule}/")
    else:
        ndo.p(f"rule {rule}.")
        ndo.printjnp(b, 20, 16)
        ndo.p(f".{subrule}/")
    ndo.p(
        f"{tok2str(_REASONS, 'unkn(%u)', b[3])}: {tok2str(_ACTIONS, 'unkn(%u)', b[2])} "
        f"{tok2str(_DIRECTIONS, 'unkn(%u)', b[60])} on "
    )
    ndo.printjnp(b, 4, 16)
    ndo.p(": ")


def pflog_if_print(ndo: Ndo, b: bytes, length: int) -> None:
    """Print a logged packet (DLT_PFLOG)."""
    ndo.protocol = "pflog"
    if b[0] < _MIN_HDRLEN:
        ndo.p("[pflog: invalid header length!]")
        ndo.ll_hdr_len += b[0]
        return
    size = b[0] + 3 & ~3
    if len(b) < size or len(b) < _HDRLEN:
        ndo.trunc()
        ndo.ll_hdr_len += size
        return
    if ndo.eflag:
        _header(ndo, b)
    family = b[1]
    if family == 2:
        ip_print(ndo, b, size, length - size)
    elif family in (24, 28, 30):
        _ip6(ndo, b, size, length - size)
    else:
        if not ndo.eflag:
            _header(ndo, b)
        if not ndo.suppress_default_print:
            ndo.default_print(b, size, len(b) - size)
    ndo.ll_hdr_len += size
