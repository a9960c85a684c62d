"""vlan(4): interfaces that send and receive frames with an IEEE 802.1Q tag through a parent.

A Trunk is the `vlan` slot of a parent that has any; it knows its interfaces by tag. Priority and CFI
of a tag are ignored, and sent as 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from libnet.engine.kern.mbuf import Mbuf
from libnet.engine.link.ethernet import (
    BPF_OUT,
    ETHER_HDR_LEN,
    ETHERTYPE_VLAN,
    mark,
)
from libnet.engine.link.ifnet import Ifnet
from libnet.engine.pfil.pfil import IF_DETACH, IF_FLAGS
from libnet.errors import NetError
from libnet.ioctl.ifflags import (
    DLT_NULL,
    IFF_BROADCAST,
    IFF_MULTICAST,
    IFF_PROMISC,
    IFF_RUNNING,
    IFF_SIMPLEX,
    IFF_UP,
    IFT_ETHER,
    IFT_L2VLAN,
    LINK_STATE_UNKNOWN,
)
from libnet.ioctl.ifvlan import SIOCGETVLAN, SIOCSETVLAN
from libnet.ioctl.sockio import VlanReq
from libnet.wire.frame import Frame

if TYPE_CHECKING:
    from libnet.engine.kern.base import StackBase
    from libnet.engine.link.ethernet import Ethernet

ENCAPLEN: Final = 4
MINTU: Final = 46
TAG_MAX: Final = 4095
# 802.3 wants 64 octets with FCS even after a switch has taken the tag off.
MIN_FRAME: Final = 60 + ENCAPLEN
_INHERITED: Final = IFF_UP | IFF_BROADCAST | IFF_SIMPLEX | IFF_MULTICAST


class Vlans:
    """The vlan interfaces of one stack."""

    def __init__(self, stack: StackBase, ether: Ethernet) -> None:
        self.stack, self.ether = stack, ether
        self.stat = stack.stat("vlan")
        self.list: dict[Ifnet, Vlan] = {}

    def create(self, name: str, _unit: int) -> Ifnet:
        """Make an interface that has no parent yet (vlan_clone_create)."""
        vlan = Vlan(self, name)
        self.list[vlan.ifp] = vlan
        return vlan.ifp

    def destroy(self, ifp: Ifnet) -> None:
        """Take one away."""
        self.list.pop(ifp).unconfig()
        ifp.detach()

    def ifnet_hook(self, event: str, ifp: Ifnet, _arg: Any) -> None:
        """Hear of parents: what is behind one that leaves has none any more (vlan_ifdetach)."""
        trunk = ifp.vlan
        if trunk is None:
            return
        for vlan in list(trunk.tags.values()):
            if event == IF_DETACH:
                vlan.unconfig()
            else:
                vlan.parent_changed()


class Trunk:
    """The vlans of one parent, by tag."""

    def __init__(self, vlans: Vlans) -> None:
        self.vlans = vlans
        self.tags: dict[int, Vlan] = {}

    def input(self, parent: Ifnet, frame: bytes) -> None:
        """Take a tagged frame that *parent* received (vlan_input)."""
        stack = self.vlans.stack
        if len(frame) < ETHER_HDR_LEN + ENCAPLEN:
            parent.ierrors += 1
            stack.drop(Mbuf(frame, parent), "vlan", "runt", "no room for a tag")
            return
        tag = (frame[14] << 8 | frame[15]) & TAG_MAX
        vlan = self.tags.get(tag)
        if vlan is None or not vlan.ifp.flags & IFF_UP:
            parent.noproto += 1
            why = "nobody has it" if vlan is None else f"{vlan.ifp.name} is down"
            stack.drop(Mbuf(frame, parent), "vlan", "noproto", f"tag {tag}: {why}")
            return
        plain: bytes = frame[:12] + frame[16:]
        if isinstance(frame, Frame):
            plain = mark(plain, frame.csum, frame.gso_size)
        self.vlans.ether.input(vlan.ifp, [plain])


class Vlan:
    """One vlan interface (struct ifvlan).

    parent   Ifnet, None until it is configured       tag     0 to 4095
    fudge    octets that its MTU is below the parent's
    """

    def __init__(self, vlans: Vlans, name: str) -> None:
        self.vlans = vlans
        self.parent: Ifnet | None = None
        self.tag = 0
        self.fudge = 0
        self._promisc = False
        self._multi: set[bytes] = set()
        ifp = self.ifp = Ifnet(vlans.stack, name, type=IFT_L2VLAN, mtu=0)
        ifp.flags |= IFF_BROADCAST | IFF_SIMPLEX | IFF_MULTICAST
        ifp.min_mtu, ifp.max_mtu = 1, 0  # none is right without a parent
        ifp.init, ifp.stop, ifp.start = self._init, self._stop, self._start
        ifp.ioctl, ifp.setaddr = self._ioctl, self._setaddr
        ifp.filter_changed = self._filter_changed
        ifp.attach()

    # -- configuration

    def _ioctl(self, row: Any, arg: Any) -> Any:
        """SIOCSETVLAN, SIOCGETVLAN."""
        if row is SIOCGETVLAN:
            if self.parent is None:
                return VlanReq(arg.name)
            return VlanReq(arg.name, self.parent.name, self.tag)
        if row is not SIOCSETVLAN:
            raise NetError("ENOTTY")
        if not arg.parent:
            self.unconfig()
            return None
        if not 0 <= arg.tag <= TAG_MAX:
            raise NetError("EINVAL")
        parent = self.vlans.stack.ifunit(arg.parent)
        if parent is None:
            raise NetError("ENOENT")
        self._config(parent, arg.tag)
        return None

    def _config(self, parent: Ifnet, tag: int) -> None:
        """Put the interface behind *parent* (vlan_config).

        Raises EBUSY when it has a parent, or that is a port of agr; EPROTONOSUPPORT for a parent that
        is no Ethernet; EEXIST when another interface has the tag there.
        """
        if self.parent is not None or parent.agr is not None:
            raise NetError("EBUSY")
        if parent.type != IFT_ETHER:
            raise NetError("EPROTONOSUPPORT")
        if parent.vlan is None:
            parent.vlan = Trunk(self.vlans)
        if tag in parent.vlan.tags:
            raise NetError("EEXIST")
        parent.vlan.tags[tag] = self
        self.parent, self.tag = parent, tag
        # A driver of io-net cannot send more than 1514 octets; all others have room for a tag.
        self.fudge = ENCAPLEN if parent.shim else 0
        ifp = self.ifp
        self.vlans.ether.equip(ifp, parent.lladdr)
        ifp.hdrlen = ETHER_HDR_LEN + ENCAPLEN
        ifp.mtu = ifp.max_mtu = parent.mtu - self.fudge
        ifp.min_mtu = MINTU - self.fudge
        ifp.baudrate = parent.baudrate
        ifp.flags = (parent.flags & _INHERITED) | IFF_RUNNING
        ifp.link_state = parent.link_state
        self._filter_changed()
        ifp.touch()
        self.vlans.stack.pfil.event(IF_FLAGS, ifp)

    def unconfig(self) -> None:
        """Take the interface from its parent; what is behind it loses its own (vlan_unconfig)."""
        parent, ifp = self.parent, self.ifp
        if parent is None:
            return
        if ifp.vlan is not None:
            for child in list(ifp.vlan.tags.values()):
                child.unconfig()
        if ifp.bridge is not None:
            ifp.bridge.delete(ifp.bridge.members[ifp])
        if self._promisc:
            self._promisc = False
            parent.ifpromisc(False)
        for lladdr in self._multi:
            self._delmulti(parent, lladdr)
        self._multi.clear()
        del parent.vlan.tags[self.tag]
        if not parent.vlan.tags:
            parent.vlan = None
        self.parent, self.tag, self.fudge = None, 0, 0
        ifp.type, ifp.dlt, ifp.lladdr, ifp.hdrlen = IFT_L2VLAN, DLT_NULL, b"", 0
        ifp.mtu, ifp.min_mtu, ifp.max_mtu = 0, 1, 0
        ifp.link_state = LINK_STATE_UNKNOWN
        ifp.flags &= ~IFF_RUNNING
        ifp.down()

    def parent_changed(self) -> None:
        """Follow the parent: its link, its address, an MTU that has become too small for ours."""
        parent, ifp = self.parent, self.ifp
        assert parent is not None
        ifp.lladdr = parent.lladdr
        ifp.max_mtu = parent.mtu - self.fudge
        if ifp.mtu > ifp.max_mtu and ifp.bridge is None:
            ifp.mtu = ifp.max_mtu
            self.vlans.stack.pfil.event(IF_FLAGS, ifp)
        ifp.link_state_change(parent.link_state)

    def _setaddr(self) -> None:
        if self.parent is None:
            raise NetError("EINVAL")

    def _init(self) -> None:
        if self.parent is not None:
            self.ifp.flags |= IFF_RUNNING

    def _stop(self) -> None:
        """Stop nothing: the parent goes on whatever happens here."""

    # -- filters

    def _filter_changed(self) -> None:
        """Have the parent let through what is wanted here: everything, or some groups."""
        parent, ifp = self.parent, self.ifp
        if parent is None:
            return
        want = bool(ifp.flags & IFF_PROMISC)
        if want != self._promisc:
            self._promisc = want
            parent.ifpromisc(want)
        groups = set(ifp.multi)
        for lladdr in groups - self._multi:
            parent.addmulti(lladdr)
        for lladdr in self._multi - groups:
            self._delmulti(parent, lladdr)
        self._multi = groups

    def _delmulti(self, parent: Ifnet, lladdr: bytes) -> None:
        try:
            parent.delmulti(lladdr)
        except NetError:
            self.vlans.stat["groupgone"] += 1  # the parent is being detached and has forgotten

    # -- sending

    def _start(self) -> None:
        """Tag what waits and give it to the parent (vlan_start)."""
        ifp, parent = self.ifp, self.parent
        snd = ifp.snd
        stack = self.vlans.stack
        if parent is None or not parent.flags & IFF_RUNNING:
            ifp.oerrors += len(snd)
            while snd:
                stack.drop(Mbuf(snd.popleft()), "vlan", "odown", f"{ifp.name}: no parent is up")
            return
        tag = ETHERTYPE_VLAN + self.tag.to_bytes(2, "big")
        frames: list[bytes] = []
        for frame in snd:
            if ifp.bpf is not None:
                ifp.bpf.mtap(frame, BPF_OUT)
            tagged: bytes = frame[:12] + tag + frame[12:]
            if len(tagged) < MIN_FRAME:
                tagged += bytes(MIN_FRAME - len(tagged))
            if isinstance(frame, Frame):
                tagged = mark(tagged, frame.csum, frame.gso_size)
            frames.append(tagged)
        snd.clear()
        took = parent.enqueue_many(frames)
        ifp.opackets += took
        ifp.oerrors += len(frames) - took
        parent.obytes += sum(map(len, frames[:took]))
