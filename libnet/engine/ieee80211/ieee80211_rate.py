"""Rate sets: what a mode can, what two stations have in common.

A rate is an octet of a rates element: units of 500 kb/s, with BASIC where every member must know it.
Sets are lists, ascending by rate.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from libnet.engine.ieee80211.ieee80211_var import (
    M_HOSTAP,
    MODE_11A,
    MODE_11B,
    MODE_11G,
    MODE_AUTO,
    MODE_NAMES,
)
from libnet.wire.phy import BASIC, CCK_RATES, OFDM_RATES

if TYPE_CHECKING:
    from libnet.engine.ieee80211.ieee80211_var import Ieee80211com

VALUE: Final = 0x7F
SELECTORS: Final = 122  # from here on no rates: what every member can besides (802.11-2016 9.4.2.3)
_RATES: Final = {
    MODE_11A: OFDM_RATES,
    MODE_11B: CCK_RATES,
    MODE_11G: tuple(sorted(CCK_RATES + OFDM_RATES)),
}
_BASICS: Final = {
    MODE_11A: (12, 24, 48),
    MODE_11B: (2, 4),
    MODE_11G: (2, 4, 11, 22),  # 802.11b stations may join
}
_PUREG: Final = (2, 4, 11, 12, 22, 24, 48)


def mode_rates(mode: int, *, puregonly: bool = False) -> list[int]:
    """Return the rate set of a mode; that of 11g for MODE_AUTO.

    >>> mode_rates(MODE_11B)
    [130, 132, 11, 22]
    """
    if mode == MODE_AUTO:
        mode = MODE_11G
    basics = _PUREG if puregonly and mode == MODE_11G else _BASICS[mode]
    return [rate | BASIC if rate in basics else rate for rate in _RATES[mode]]


def chan2mode(ic: Ieee80211com, freq: int) -> int:
    """Return the mode that a channel is used in (ieee80211_chan2mode)."""
    if freq > 4000:
        return MODE_11A
    modes = ic.radio.modes
    if ic.des_mode == MODE_11B or MODE_NAMES[MODE_11G] not in modes:
        return MODE_11B
    # An access point without a mode of its own was given one; see Media.change.
    return ic.curmode if ic.opmode == M_HOSTAP and ic.curmode == MODE_11B else MODE_11G


def negotiate(
    offered: Iterable[int], ours: list[int], *, strict: bool = False, fixed: int = 0
) -> list[int] | None:
    """Return what of *offered* is in *ours*; None when that will not do.

    strict  as an access point sees a station: a basic rate that we do not know will not do, and which
            rates are basic is ours to say, otherwise theirs
    fixed   a rate that must be there, 0 for none

    >>> negotiate([22, 2 | BASIC, 108], [2, 4 | BASIC, 11, 22 | BASIC])
    [130, 22]
    >>> negotiate([22, 2 | BASIC], [2, 4 | BASIC, 11, 22 | BASIC], strict=True)
    [2, 150]
    >>> negotiate([108 | BASIC, 2], [2, 4], strict=True) is None
    True
    >>> negotiate([2, 255], [2, 4], strict=True)  # 255: it can 802.11n
    [2]
    """
    known = {rate & VALUE: rate for rate in ours}
    both: dict[int, int] = {}
    for rate in offered:
        value = rate & VALUE
        if value in known:
            both[value] = known[value] if strict else both.get(value, 0) | rate
        elif strict and rate & BASIC and value < SELECTORS:
            return None
    if not both or (fixed and fixed not in both):
        return None
    return [both[value] for value in sorted(both)]


def is_erp(rates: Iterable[int]) -> bool:
    """Tell whether a station with *rates* knows OFDM (ieee80211_iserp_rateset).

    >>> is_erp([2, 4, 11, 22]), is_erp([2, 4, 11, 12, 22, 24, 48])
    (False, True)
    """
    return {rate & VALUE for rate in rates}.issuperset(_PUREG)


def lowest(rates: list[int]) -> int:
    """Return the lowest basic rate, or else the lowest: what frames to groups are sent at."""
    for rate in rates:
        if rate & BASIC:
            return rate & VALUE
    return rates[0] & VALUE if rates else 2
