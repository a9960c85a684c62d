"""The hot standby router protocol (RFC 2281)."""

from __future__ import annotations

from typing import Final

from libnet.text.dump.ndo import Ndo, relts, tok2str

_OPS: Final = {0: "hello", 1: "coup", 2: "resign"}
_STATES: Final = {0: "initial", 1: "learn", 2: "listen", 4: "speak", 8: "standby", 16: "active"}


def hsrp_print(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    """Print a message of *length* octets."""
    ndo.protocol = "hsrp"
    p = ndo.p
    p(f"HSRPv{b[o]}")
    if b[o]:
        return
    p("-")
    p(f"{tok2str(_OPS, 'unknown (%u)', b[o + 1])} {length}: ")
    p(f"state={tok2str(_STATES, 'Unknown (%u)', b[o + 2])} ")
    p(f"group={b[o + 6]} ")
    if b[o + 7]:
        p(f"[reserved={b[o + 7]}!] ")
    p(f"addr={ndo.ipaddr(b, o + 16)}")
    if ndo.vflag:
        p(f" hellotime={relts(b[o + 3])} holdtime={relts(b[o + 4])} priority={b[o + 5]}")
        p(' auth="')
        ndo.printjnp(b, o + 8, 8)
        p('"')
