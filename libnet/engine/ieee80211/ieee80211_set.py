"""What the ioctls of 802.11 interfaces and the records of WaveLAN have in common."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from libnet.engine.ieee80211.ieee80211_var import (
    AUTH_OPEN,
    AUTH_SHARED,
    CHAN_ANY,
    FRAG_MAX,
    FRAG_MIN,
    ROAMING_AUTO,
    RTM_IEEE80211_SCAN,
    RTS_MAX,
    RTS_MIN,
)
from libnet.errors import NetError
from libnet.ioctl.ifflags import IFF_RUNNING, IFF_UP
from libnet.wire.phy import channel_of

if TYPE_CHECKING:
    from libnet.engine.ieee80211.ieee80211_var import Ieee80211com
    from libnet.engine.kern.base import StackBase

_UP_RUNNING: Final = IFF_UP | IFF_RUNNING


def ic_of(stack: StackBase, name: str) -> Ieee80211com:
    """Return the state of 802.11 interface *name*. Raises ENXIO, ENOTTY for one of another kind."""
    ifp = stack.ifunit(name)
    if ifp is None:
        raise NetError("ENXIO")
    if ifp.ieee80211 is None:
        raise NetError("ENOTTY")
    ic: Ieee80211com = ifp.ieee80211
    return ic


def enetreset(ic: Ieee80211com) -> None:
    """Begin anew, unless a program has taken the choosing upon itself."""
    if ic.roaming == ROAMING_AUTO:
        ic.reset()


def find_chan(ic: Ieee80211com, number: int) -> int:
    """Return the frequency of a channel that may be used. Raises EINVAL."""
    for freq in sorted(ic.chan_active):
        if channel_of(freq) == number:
            return freq
    raise NetError("EINVAL")


def set_power(ic: Ieee80211com, *, enabled: bool, maxsleep: int | None = None) -> None:
    """Choose whether to sleep, and for how long at most (ms). Raises EINVAL for what cannot."""
    if enabled and not ic.radio.power_save:
        raise NetError("EINVAL")
    if maxsleep is not None:
        if not 0 <= maxsleep <= 0xFFFF:
            raise NetError("EINVAL")
        ic.maxsleep_ms = maxsleep
    if enabled != ic.powersave:
        ic.powersave = enabled
        enetreset(ic)


def set_channels(ic: Ieee80211com, freqs: Iterable[int]) -> None:
    """Use these channels only. Raises EINVAL for none."""
    chosen = frozenset(freqs)
    if not chosen:
        raise NetError("EINVAL")
    ic.chan_active = chosen
    if ic.des_chan not in chosen:
        ic.des_chan = CHAN_ANY
    enetreset(ic)


def set_auth(ic: Ieee80211com, mode: int) -> None:
    """Authenticate openly or by shared key: other ways need an authenticator that is not there.

    Raises EINVAL.
    """
    if mode not in (AUTH_OPEN, AUTH_SHARED):
        raise NetError("EINVAL")
    ic.authmode = mode
    enetreset(ic)


def set_rts(ic: Ieee80211com, octets: int) -> None:
    """Have RTS and CTS go before longer frames. Raises EINVAL outside 1 to 2346."""
    ic.rtsthreshold = within(octets, RTS_MIN, RTS_MAX)


def set_frag(ic: Ieee80211com, octets: int, least: int = FRAG_MIN) -> None:
    """Cut longer frames. Raises EINVAL outside *least* to 2346."""
    ic.fragthreshold = within(octets, least, FRAG_MAX)


def within(value: int, lo: int, hi: int) -> int:
    """Return *value*. Raises EINVAL outside the bounds, which are allowed."""
    if not lo <= value <= hi:
        raise NetError("EINVAL")
    return value


def scan(ic: Ieee80211com) -> None:
    """Look for networks. Raises EINVAL on an interface that is down."""
    if ic.ifp.flags & _UP_RUNNING != _UP_RUNNING:
        raise NetError("EINVAL")
    ic.begin_scan()
    if not ic.scanner.scanning:
        # An access point stays where its stations are, a monitor where it was put: what was heard there
        # is all there is, and whoever asked waits to be told.
        ic.msg(ic.ifp, RTM_IEEE80211_SCAN, b"")
