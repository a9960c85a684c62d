"""What packet filters see of the air: frames as they are on it, with and without radiotap.

An interface shows Ethernet frames by its own tap (DLT_EN10MB); these are two further forms of it, fed
with every frame in and out, beacons and enciphered frames included.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from libnet.engine.ieee80211.ieee80211_var import MODE_11B, MODE_11G
from libnet.engine.link.ethernet import BPF_IN, BPF_OUT
from libnet.errors import NetError
from libnet.ioctl.bpf import DLT_IEEE802_11, DLT_IEEE802_11_RADIO
from libnet.wire import Malformed, Truncated
from libnet.wire.ieee80211 import Frame
from libnet.wire.phy import RxInfo, is_ofdm
from libnet.wire.radiotap import (
    CHAN_A,
    CHAN_B,
    CHAN_G,
    CHAN_PUREG,
    HDRLEN,
    Radiotap,
    rx_header,
    tx_header,
)

if TYPE_CHECKING:
    from libnet.engine.bpf.bpf import Bpf, BpfIf
    from libnet.engine.ieee80211.ieee80211_var import Ieee80211com

_MIN_FRAME: Final = 10
_TRIES: Final = 1


class Taps:
    """The two forms of one interface; true while somebody looks at either."""

    def __init__(self, ic: Ieee80211com) -> None:
        self.ic = ic
        self._plain: BpfIf | None = None
        self._radio: BpfIf | None = None

    def attach(self, bpf: Bpf) -> None:
        """Offer both forms (bpfattach2)."""
        ifp = self.ic.ifp
        bpf.attach(ifp, DLT_IEEE802_11_RADIO, HDRLEN, self._set_radio, self._send_radio)
        bpf.attach(ifp, DLT_IEEE802_11, _MIN_FRAME, self._set_plain, self._send)

    def _set_plain(self, tap: BpfIf | None) -> None:
        self._plain = tap

    def _set_radio(self, tap: BpfIf | None) -> None:
        self._radio = tap

    def __bool__(self) -> bool:
        return self._plain is not None or self._radio is not None

    def _chanflags(self) -> int:
        ic = self.ic
        if ic.curchan > 4000:
            return CHAN_A
        if ic.curmode == MODE_11B:
            return CHAN_B
        return CHAN_PUREG if ic.puregonly and ic.curmode == MODE_11G else CHAN_G

    def input(self, frame: bytes, info: RxInfo) -> None:
        """Show a received frame."""
        if self._plain is not None:
            self._plain.mtap(frame, BPF_IN)
        if self._radio is not None:
            self._radio.mtap(rx_header(info, self._chanflags(), frame) + frame, BPF_IN)

    def out(self, frame: bytes, rate: int) -> None:
        """Show a frame that was given to the radio."""
        ic = self.ic
        if self._plain is not None:
            self._plain.mtap(frame, BPF_OUT)
        if self._radio is not None:
            short = ic.shpreamble and rate > 2 and not is_ofdm(rate)
            head = tx_header(
                ic.curchan, rate, self._chanflags(), ic.txpower // 2, frame, shortpre=short
            )
            self._radio.mtap(head + frame, BPF_OUT)

    # -- what is written to such a tap

    def _send(self, frame: bytes) -> None:
        self._inject(frame, 0)

    def _send_radio(self, octets: bytes) -> None:
        try:
            head, frame = Radiotap.parse(octets)
        except (Truncated, Malformed):
            raise NetError("EINVAL") from None
        self._inject(frame, head.rate or 0)

    def _inject(self, frame: bytes, rate: int) -> None:
        try:
            Frame.parse(frame)
        except (Truncated, Malformed):
            raise NetError("EINVAL") from None
        if not rate:
            rate = 12 if self.ic.curchan > 4000 else 2
        if not self.ic.out.push(frame, ((rate, _TRIES),)):
            raise NetError("ENOBUFS")
