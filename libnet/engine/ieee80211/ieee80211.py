"""The 802.11 room as the rest of the stack sees it: a door (NetBSD ieee80211).

Most stacks never see a radio. What is behind the door is imported with the first one; until then there
are the names of the ioctls and of the sysctl nodes, and the answers of a stack without a radio.

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
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from libnet.errors import NetError
from libnet.ioctl.sysctl import CTL_DESCRIBE, CTL_QUERY
from libnet.wire.offload import complete

if TYPE_CHECKING:
    from libnet.engine.bpf.bpf import Bpf
    from libnet.engine.ieee80211.ieee80211_room import Room
    from libnet.engine.ieee80211.ieee80211_var import Ieee80211com
    from libnet.engine.ieee80211.radio import Radio
    from libnet.engine.kern.base import StackBase
    from libnet.engine.kern.sysctl import SysctlTree
    from libnet.engine.link.ethernet import Ethernet
    from libnet.engine.link.ifnet import Ifnet

TOP: Final = "net.link.ieee80211"
IOCTLS: Final = (
    *(
        f"SIOC{way}80211{what}"
        for what in ("NWID", "NWKEY", "POWER", "AUTH", "CHANNEL", "BSSID", "")
        for way in "SG"
    ),
    "SIOCG80211STATS",
    "SIOCG80211ZSTATS",
    "SIOCSWAVELAN",
    "SIOCGWAVELAN",
)


class Ieee80211:
    """The 802.11 half of one stack.

    msg    tells the routing sockets: (interface, RTM_IEEE80211_*, octets)
    fit    cuts and completes a frame that a bridge brings with offload marks
    debug  categories of debugging that interfaces attached from now on begin with
    """

    def __init__(
        self,
        stack: StackBase,
        ether: Ethernet,
        bpf: Bpf,
        msg: Callable[[Ifnet, int, bytes], None],
    ) -> None:
        self.stack, self.ether, self.bpf, self.msg = stack, ether, bpf, msg
        self.fit: Callable[[bytes], Iterable[bytes]] = lambda frame: (complete(frame),)
        self.debug = 0
        self._tree: SysctlTree | None = None
        self._room: Room | None = None

    @property
    def room(self) -> Room:
        """What is behind the door; opens it."""
        if self._room is None:
            # Only a stack with a radio pays for importing all this.
            from libnet.engine.ieee80211.ieee80211_room import Room

            assert self._tree is not None
            self._room = Room(self, self._tree)
        return self._room

    def ifattach(self, ifp: Ifnet, radio: Radio) -> Ieee80211com:
        """Make *ifp*, an Ethernet interface already, one of 802.11 with *radio* (ieee80211_ifattach).

        The interface's start, init, stop, filter_changed and media are the room's from now on.
        """
        return self.room.ifattach(ifp, radio)

    def ifdetach(self, ifp: Ifnet) -> None:
        """Undo ifattach() (ieee80211_ifdetach)."""
        self.room.ifdetach(ifp)

    # -- what there is without a radio

    def sysctl_setup(self, tree: SysctlTree) -> None:
        """Plant net.link.ieee80211 (SYSCTL_SETUP)."""
        self._tree = tree
        tree.node("net.link", 18, "Link layers")
        tree.node(TOP, None, "IEEE 802.11 WLAN statistics and controls")
        tree.func_node(f"{TOP}.nodes", None, self._nodes, "client/peer stations")
        tree.int_node(f"{TOP}.debug", None, self, "debug", desc="control debugging printfs")

    def _nodes(self, tail: list[int], new: Any, cred: Any) -> Any:
        if len(tail) == 1 and tail[0] in (CTL_QUERY, CTL_DESCRIBE):
            return []
        return self.room.sysctl.nodes(tail, new, cred)

    def table(self) -> dict[str, Callable[[Any], Any]]:
        """Return handler by ioctl name."""
        return {name: partial(self._ioctl, name) for name in IOCTLS}

    def _ioctl(self, name: str, arg: Any) -> Any:
        """Answer for an interface. Raises ENXIO for none, ENOTTY for one without a radio."""
        ifp = self.stack.ifunit(arg.name)
        if ifp is None:
            raise NetError("ENXIO")
        if ifp.ieee80211 is None:
            raise NetError("ENOTTY")
        return self.room.ioctls[name](arg)
