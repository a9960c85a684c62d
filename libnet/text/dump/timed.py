"""The Berkeley time synchronisation protocol, timed's."""

from __future__ import annotations

from typing import Final

from libnet.text.dump.ndo import Ndo, s4, tok2str, u2

_NAMES: Final = (
    "ANY ADJTIME ACK MASTERREQ MASTERACK SETTIME MASTERUP SLAVEUP ELECTION ACCEPT REFUSE "
    "CONFLICT RESOLVE QUIT DATE DATEREQ DATEACK TRACEON TRACEOFF MSITE MSITEREQ TEST SETDATE "
    "SETDATEREQ LOOP"
)
_TYPES: Final = {number: f"TSP_{name}" for number, name in enumerate(_NAMES.split())}
_LOOP: Final = 24
_WITH_TIME: Final = (1, 5, 22, 23)
_NAME: Final = 64


def timed_print(ndo: Ndo, b: bytes, o: int, _length: int) -> None:
    """Print a message."""
    ndo.protocol = "timed"
    p = ndo.p
    kind = b[o]
    p(tok2str(_TYPES, "(tsp_type %#x)", kind))
    p(f" vers {b[o + 1]}")
    p(f" seq {u2(b, o + 2)}")
    if kind == _LOOP:
        p(f" hopcnt {b[o + 4]}")
    elif kind in _WITH_TIME:
        seconds, micros = s4(b, o + 4), s4(b, o + 8)
        if seconds < 0 < micros:
            # A correction back in time: the fraction is counted from the second before.
            seconds, micros = seconds + 1, 1000000 - micros
            p(f" time {'-' if not seconds else ''}{seconds}.{micros:06d}")
        else:
            p(f" time {seconds}.{micros:06d}")
    p(" name ")
    ndo.printjnp(b, o + 12, _NAME)
