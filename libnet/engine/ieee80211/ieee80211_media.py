"""Media words of an 802.11 interface: what can be chosen, what is in use (ieee80211_media_init)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from libnet.engine.ieee80211.ieee80211_rate import VALUE, mode_rates
from libnet.engine.ieee80211.ieee80211_var import (
    M_HOSTAP,
    M_IBSS,
    M_MONITOR,
    M_STA,
    MODE_11A,
    MODE_11B,
    MODE_11G,
    MODE_AUTO,
    MODE_NAMES,
    S_INIT,
    S_RUN,
)
from libnet.engine.link.ifmedia import Ifmedia
from libnet.errors import NetError
from libnet.ioctl.ifflags import (
    IFF_UP,
    IFM_ACTIVE,
    IFM_AUTO,
    IFM_AVALID,
    IFM_IEEE80211,
    IFM_MMASK,
    IFM_TMASK,
    LINK_STATE_UP,
)

if TYPE_CHECKING:
    from libnet.engine.ieee80211.ieee80211_var import Ieee80211com

IFM_ADHOC: Final = 0x100
IFM_HOSTAP: Final = 0x200
IFM_MONITOR: Final = 0x400
# Rate in 500 kb/s: subtype (IFM_IEEE80211_*).
SUBTYPES: Final = {
    2: 8, 4: 5, 11: 6, 22: 7, 12: 10, 18: 11, 24: 12, 36: 13, 48: 14, 72: 15, 96: 16, 108: 17,
}  # fmt: skip
_RATES: Final = {subtype: rate for rate, subtype in SUBTYPES.items()}
_MODE_WORDS: Final = {MODE_AUTO: 0, MODE_11A: 0x10000, MODE_11B: 0x20000, MODE_11G: 0x30000}
_OPMODES: Final = {M_STA: 0, M_IBSS: IFM_ADHOC, M_HOSTAP: IFM_HOSTAP, M_MONITOR: IFM_MONITOR}
# An access point must have a mode; without one asked for it takes the first that the hardware has.
_AP_MODES: Final = (MODE_11B, MODE_11G, MODE_11A)


class _Ifmedia(Ifmedia):
    """The list of one interface; a combination that the hardware has not is EINVAL."""

    def set(self, word: int) -> None:
        try:
            super().set(word)
        except NetError as why:
            raise NetError("EINVAL" if why.symbol == "ENXIO" else why.symbol) from None


class Media:
    """The media of one interface."""

    def __init__(self, ic: Ieee80211com) -> None:
        self.ic = ic

    def attach(self) -> None:
        """Fill the interface's list: per mode autoselect and each rate, then each rate in any mode."""
        ic = self.ic
        radio = ic.radio
        options = [0]
        for able, option in (
            (radio.ibss, IFM_ADHOC),
            (radio.hostap, IFM_HOSTAP),
            (radio.monitor, IFM_MONITOR),
        ):
            if able:
                options.append(option)
        words: list[int] = []
        every: list[int] = []
        for mode in (MODE_AUTO, MODE_11A, MODE_11B, MODE_11G):
            if mode != MODE_AUTO and MODE_NAMES[mode] not in radio.modes:
                continue
            base = IFM_IEEE80211 | _MODE_WORDS[mode]
            words += [base | IFM_AUTO | option for option in options]
            if mode == MODE_AUTO:
                continue
            for rate in mode_rates(mode):
                subtype = SUBTYPES[rate & VALUE]
                words += [base | subtype | option for option in options]
                if subtype not in every:
                    every.append(subtype)
        words += [IFM_IEEE80211 | subtype | option for subtype in every for option in options]
        ic.ifp.media = _Ifmedia(words, IFM_IEEE80211 | IFM_AUTO, self.change, self.status)
        top = max(_RATES[subtype] for subtype in every)
        ic.ifp.baudrate = top * 500_000

    def change(self, word: int) -> None:
        """Choose *word* (ieee80211_media_change). Raises EINVAL for what the hardware cannot be."""
        ic = self.ic
        radio = ic.radio
        mode = next((m for m, bits in _MODE_WORDS.items() if bits == word & IFM_MMASK), -1)
        opmode = next(
            (m for m, bits in _OPMODES.items() if bits and word & bits), M_STA
        )  # options exclude each other in the list
        able = {M_IBSS: radio.ibss, M_HOSTAP: radio.hostap, M_MONITOR: radio.monitor}
        if mode < 0 or not able.get(opmode, True):
            raise NetError("EINVAL")
        if mode != MODE_AUTO and MODE_NAMES[mode] not in radio.modes:
            raise NetError("EINVAL")
        rate = 0
        if word & IFM_TMASK != IFM_AUTO:
            rate = _RATES.get(word & IFM_TMASK, 0)
            candidates = [mode] if mode != MODE_AUTO else list(_AP_MODES)
            mode = next(
                (
                    m
                    for m in candidates
                    if MODE_NAMES[m] in radio.modes and rate in (r & VALUE for r in mode_rates(m))
                ),
                -1,
            )
            if not rate or mode < 0:
                raise NetError("EINVAL")
        self.setmode(mode, opmode)
        changed = (ic.opmode, ic.fixed_rate, ic.des_mode) != (opmode, rate, mode)
        if ic.opmode != opmode:
            ic.newstate(S_INIT)  # in the old mode: members are told
            ic.opmode = opmode
        ic.fixed_rate = rate
        ic.des_mode = mode
        if changed and ic.ifp.flags & IFF_UP:
            ic.reset()

    def setmode(self, mode: int, opmode: int) -> None:
        """Let only the channels of *mode* be used (ieee80211_setmode). Raises EINVAL for none."""
        ic = self.ic
        mode = self.basemode(mode, opmode)
        if mode == MODE_AUTO:
            active = ic.chan_avail
        else:
            active = tuple(f for f in ic.chan_avail if (f > 4000) == (mode == MODE_11A))
        if not active:
            raise NetError("EINVAL")
        ic.chan_active = frozenset(active)
        if ic.des_chan and ic.des_chan not in ic.chan_active:
            ic.des_chan = 0
        if ic.curchan not in ic.chan_active:
            ic.curchan = active[0]
        ic.curmode = mode

    def basemode(self, mode: int, opmode: int) -> int:
        """Return the mode to begin with where *mode* is asked for."""
        if opmode == M_HOSTAP and mode == MODE_AUTO:
            return next(m for m in _AP_MODES if MODE_NAMES[m] in self.ic.radio.modes)
        return mode

    def status(self) -> tuple[int, int]:
        """Return the status bits and the active media word (ieee80211_media_status)."""
        ic = self.ic
        bits = IFM_AVALID
        if ic.ifp.link_state == LINK_STATE_UP:
            bits |= IFM_ACTIVE
        assert ic.ifp.media is not None
        if ic.opmode == M_STA and ic.state != S_RUN:
            return bits, ic.ifp.media.cur  # nothing is in use but what was chosen
        word = IFM_IEEE80211 | _OPMODES[ic.opmode] | _MODE_WORDS[ic.curmode]
        if ic.fixed_rate:
            word |= SUBTYPES[ic.fixed_rate]
        elif ic.opmode == M_STA:
            word |= SUBTYPES.get(ic.bss.rate, IFM_AUTO)
        return bits, word
