"""What is behind the door: the interfaces of one stack, and what makes one of a radio.

Imported with the first radio (ieee80211.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from libnet.engine.ieee80211.amrr import Amrr
from libnet.engine.ieee80211.ieee80211_acl import Acl
from libnet.engine.ieee80211.ieee80211_crypto import Crypto
from libnet.engine.ieee80211.ieee80211_input import Input
from libnet.engine.ieee80211.ieee80211_ioctl import Ieee80211Ioctl
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

if TYPE_CHECKING:
    from libnet.engine.ieee80211.ieee80211 import Ieee80211
    from libnet.engine.ieee80211.radio import Radio
    from libnet.engine.kern.sysctl import SysctlTree
    from libnet.engine.link.ifnet import Ifnet


class Room:
    """The interfaces of one stack.

    ics     interfaces, in order of attachment
    ioctls  handler by ioctl name
    """

    def __init__(self, door: Ieee80211, tree: SysctlTree) -> None:
        self.door = door
        self.ics: list[Ieee80211com] = []
        self.sysctl = Ieee80211Sysctl(door, tree)
        self.ioctls = Ieee80211Ioctl(door.stack).table()

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
        ic.inp = Input(ic, self.door.ether)
        ic.taps = Taps(ic)
        ic.taps.attach(self.door.bpf)
        ic.msg = self.door.msg
        ic.fit = self.door.fit
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
