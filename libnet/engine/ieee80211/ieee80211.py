"""The 802.11 room of one stack: its interfaces, and what makes one of a radio (NetBSD ieee80211).

    frame in:   Radio.receive -> Input.input -> _data: duplicate? fragment? cipher? -> Ethernet.input
                                             -> _management -> Proto.newstate, Nodes, Scanner
    frame out:  Ifnet.start -> Output.start -> Power.hold or send_data -> Radio.transmit

To the rest of the stack an interface is Ethernet: what is received goes up as an Ethernet frame, what
is sent comes down as one, and bridges, packet filters and captures are the wired ones. `ieee80211_var`
has the state that all modules share; `Proto` moves it.

Not supported: frames of four addresses (WDS), the old ad hoc demonstration mode, frequency hopping,
polling (PCF) and QoS sending (WME), ATIM, turbo modes, 802.11h. A station of an ad hoc network does not
sleep; protection is by RTS and CTS, never by a CTS alone. TKIP, CCMP and 802.1X have their places
(cipher table, closed ports, elements of a program's own) and come with WPA.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from libnet.engine.ieee80211.amrr import Amrr
from libnet.engine.ieee80211.ieee80211_acl import Acl
from libnet.engine.ieee80211.ieee80211_crypto import Crypto
from libnet.engine.ieee80211.ieee80211_input import Input
from libnet.engine.ieee80211.ieee80211_media import Media
from libnet.engine.ieee80211.ieee80211_node import Nodes
from libnet.engine.ieee80211.ieee80211_output import Output
from libnet.engine.ieee80211.ieee80211_power import Power
from libnet.engine.ieee80211.ieee80211_proto import Proto
from libnet.engine.ieee80211.ieee80211_scan import Scanner
from libnet.engine.ieee80211.ieee80211_sysctl import Ieee80211Sysctl
from libnet.engine.ieee80211.ieee80211_tap import Taps
from libnet.engine.ieee80211.ieee80211_var import S_INIT, Ieee80211com
from libnet.engine.ieee80211.wep import Wep
from libnet.ioctl.ifflags import LINK_STATE_DOWN
from libnet.wire.offload import complete

if TYPE_CHECKING:
    from libnet.engine.bpf.bpf import Bpf
    from libnet.engine.ieee80211.radio import Radio
    from libnet.engine.kern.base import StackBase
    from libnet.engine.kern.sysctl import SysctlTree
    from libnet.engine.link.ethernet import Ethernet
    from libnet.engine.link.ifnet import Ifnet


class Ieee80211:
    """The 802.11 half of one stack.

    ics    interfaces, in order of attachment
    msg    tells the routing sockets: (interface, RTM_IEEE80211_*, octets)
    fit    cuts and completes a frame that a bridge brings with offload marks
    """

    def __init__(
        self,
        stack: StackBase,
        ether: Ethernet,
        bpf: Bpf,
        msg: Callable[[Ifnet, int, bytes], None],
    ) -> None:
        self.stack, self.ether, self.bpf, self.msg = stack, ether, bpf, msg
        self.stat = stack.stat("ieee80211")
        self.ics: list[Ieee80211com] = []
        self.fit: Callable[[bytes], Iterable[bytes]] = lambda frame: (complete(frame),)
        self.sysctl = Ieee80211Sysctl()

    def sysctl_setup(self, tree: SysctlTree) -> None:
        """Plant net.link.ieee80211."""
        tree.node("net.link", 18, "Link layers")
        self.sysctl.plant(tree)

    def ifattach(self, ifp: Ifnet, radio: Radio) -> Ieee80211com:
        """Make *ifp*, an Ethernet interface already, one of 802.11 with *radio* (ieee80211_ifattach).

        The interface's start, init, stop, filter_changed and media are the room's from now on.
        """
        taken = {ic.vap for ic in self.ics}
        vap = next(number for number in range(len(taken) + 1) if number not in taken)
        ic = Ieee80211com(self, ifp, radio, vap)
        ic.acl = Acl(ic)
        ic.amrr = Amrr(ic)
        ic.crypto = Crypto(ic)
        ic.crypto.attach(Wep(ic))
        ic.media = Media(ic)
        ic.tables = Nodes(ic)
        ic.scanner = Scanner(ic)
        ic.power = Power(ic)
        ic.proto = Proto(ic)
        ic.out = Output(ic)
        ic.inp = Input(ic, self.ether)
        ic.taps = Taps(ic)
        ic.taps.attach(self.bpf)
        ic.msg = self.msg
        ic.fit = self.fit
        ic.media.attach()
        ic.proto.reset_bss()
        radio.receive = ic.inp.input
        radio.ready = ic.out.ready
        ifp.ieee80211 = ic
        ifp.start = ic.out.start
        ifp.init = ic.proto.init
        ifp.stop = ic.proto.stop
        ifp.filter_changed = ic.proto.set_filter
        ifp.link_state = LINK_STATE_DOWN
        self.ics.append(ic)
        self.sysctl.attach(ic)
        return ic

    def ifdetach(self, ifp: Ifnet) -> None:
        """Undo ifattach(); members of the network are told (ieee80211_ifdetach)."""
        ic: Ieee80211com = ifp.ieee80211
        ic.newstate(S_INIT)
        ic.tables.stop()
        self.sysctl.detach(ic)
        self.ics.remove(ic)
        ifp.ieee80211 = None
