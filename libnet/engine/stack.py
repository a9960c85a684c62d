"""One box's stack: the rooms, and the tables that carry calls upward.

To learn what a box can do, read `_fill`: every table is filled there, by hand.
"""

from __future__ import annotations

from typing import Final

from libnet.addr import AF_INET, AF_ROUTE, INADDR_LOOPBACK, SockaddrIn
from libnet.clock import Clock, Dice
from libnet.engine.bpf.bpf import Bpf
from libnet.engine.bridge.bridge import Bridges
from libnet.engine.ieee80211.ieee80211 import Ieee80211
from libnet.engine.inet.arp import Arp
from libnet.engine.inet.icmp import Icmp
from libnet.engine.inet.igmp import Igmp
from libnet.engine.inet.in_control import InControl
from libnet.engine.inet.inetstack import InetStack
from libnet.engine.inet.ip import Ip
from libnet.engine.inet.ip_encap import Encap
from libnet.engine.inet.ip_mroute import Mroute
from libnet.engine.inet.raw_ip import Rip
from libnet.engine.kern.socket import SOCK_DGRAM, SOCK_RAW, SOCK_STREAM, Cred, Socket
from libnet.engine.kern.sysctl import SysctlTree, kern_nodes
from libnet.engine.link.agr import Agrs
from libnet.engine.link.ethernet import ETHERTYPE_ARP, ETHERTYPE_IP, Ethernet
from libnet.engine.link.ifclone import Cloner, Cloners
from libnet.engine.link.ifioctl import IfIoctl
from libnet.engine.link.ifnet import Ifnet
from libnet.engine.link.loop import loopattach
from libnet.engine.link.vlan import Vlans
from libnet.engine.pfil.pfil import Pfil
from libnet.engine.route.rtsock import RouteSockets
from libnet.engine.route.table import RouteTable
from libnet.engine.tcp.tcp_subr import Tcp
from libnet.engine.tunnel.gif import Gifs
from libnet.engine.tunnel.gre import Gres
from libnet.engine.tunnel.tap import Taps
from libnet.engine.tunnel.tun import Tuns
from libnet.engine.udp.udp_usrreq import Udp
from libnet.errors import NetError
from libnet.ioctl.sockio import IfAliasReq

IPPROTO_ICMP: Final = 1
IPPROTO_IGMP: Final = 2
IPPROTO_TCP: Final = 6
IPPROTO_UDP: Final = 17
IPPROTO_RAW: Final = 255

# What a module may link against, by variant: what a variant lacks is absent, not switched off.
SYMBOLS: Final[dict[str, frozenset[str]]] = {
    "v4": frozenset(),
    "v4-hc": frozenset(("ieee80211_ifattach", "ieee80211_input")),
    "v6-hc": frozenset(("ieee80211_ifattach", "ieee80211_input", "ip6_input")),
}


class Stack(InetStack):
    """A whole stack.

    variant   v4, v4-hc or v6-hc       symbols  what modules find in it
    mclbytes  cluster size, octets
    """

    def __init__(
        self, clock: Clock, dice: Dice, *, variant: str = "v4-hc", hostname: str = "localhost"
    ) -> None:
        super().__init__(clock, dice, hostname=hostname)
        self.variant = variant
        self.symbols = SYMBOLS[variant]
        self.mclbytes = 2048
        self.pfil = Pfil()
        self.sysctl = SysctlTree()
        self.ethernet = Ethernet(self)
        self.cloners = Cloners(self)
        self.bpf = Bpf(self)
        self.route = RouteTable(self)
        self.rtsock = RouteSockets(self)
        self.ip = Ip(self)
        self.icmp = Icmp(self)
        self.igmp = Igmp(self)
        self.arp = Arp(self)
        self.rip = Rip(self)
        self.tcp = Tcp(self)
        self.udp = Udp(self)
        self.in_control = InControl(self)
        # io-pkt-v4 has no bridges, no 802.11, no tunnels, and no multicast routing.
        hc = variant != "v4"
        self.encap = Encap(self)
        self.mroute = Mroute(self) if hc else None
        self.bridges = Bridges(self, self.ethernet) if hc else None
        msg = self.rtsock.ieee80211msg
        self.ieee80211 = Ieee80211(self, self.ethernet, self.bpf, msg) if hc else None
        self.vlans = Vlans(self, self.ethernet)
        self.agrs = Agrs(self, self.ethernet)
        self.gifs = Gifs(self, self.encap) if hc else None
        self.gres = Gres(self, self.encap) if hc else None
        self.tuns = Tuns(self, self.cloners)
        self.taps = Taps(self, self.cloners, self.sysctl)
        self._fill()
        self._boot()

    def _fill(self) -> None:
        self.ethertypes[ETHERTYPE_IP] = self.ip.input
        self.ethertypes[ETHERTYPE_ARP] = self.arp.input
        self.resolvers[AF_INET] = self.arp.resolve

        self.protosw[AF_INET, IPPROTO_ICMP] = self.icmp.input
        self.protosw[AF_INET, IPPROTO_IGMP] = self.igmp.input
        self.protosw[AF_INET, IPPROTO_TCP] = self.tcp.input
        self.protosw[AF_INET, IPPROTO_UDP] = self.udp.input

        self.icmp.ctlinput[IPPROTO_TCP] = self.tcp.ctlinput
        self.icmp.vouch[IPPROTO_TCP] = self.tcp.vouch
        self.icmp.ctlinput[IPPROTO_UDP] = self.udp.ctlinput

        self.usrreqs[AF_INET, SOCK_STREAM, IPPROTO_TCP] = self.tcp.usr
        self.usrreqs[AF_INET, SOCK_STREAM, 0] = self.tcp.usr
        self.usrreqs[AF_INET, SOCK_DGRAM, IPPROTO_UDP] = self.udp
        self.usrreqs[AF_INET, SOCK_DGRAM, 0] = self.udp
        self.usrreqs[AF_INET, SOCK_RAW, -1] = self.rip
        self.usrreqs[AF_ROUTE, SOCK_RAW, -1] = self.rtsock

        self.cloners.attach(Cloner("lo", self._lo_create, self._lo_destroy))
        for stem, maker in (
            ("gre", self.gres),
            ("bridge", self.bridges),
            ("vlan", self.vlans),
            ("agr", self.agrs),
            ("tun", self.tuns),
            ("tap", self.taps),
            ("gif", self.gifs),
        ):
            if maker is not None:
                self.cloners.attach(Cloner(stem, maker.create, maker.destroy))

        self.ioctls.update(IfIoctl(self, self.cloners).table())
        self.ioctls.update(self.in_control.table())
        if self.ieee80211 is not None:
            self.ioctls.update(self.ieee80211.table())
        if self.mroute is not None:
            self.ioctls.update(self.mroute.table())
            self.pfil.add_ifnet(self.mroute.ifnet_hook)

        self.pfil.add_ifnet(self.bpf.ifnet_hook)
        # What stands on an interface lets go of it before its addresses go.
        if self.bridges is not None:
            self.pfil.add_ifnet(self.bridges.ifnet_hook)
        self.pfil.add_ifnet(self.vlans.ifnet_hook)
        self.pfil.add_ifnet(self.agrs.ifnet_hook)
        self.pfil.add_ifnet(self.in_control.ifnet_hook)
        self.pfil.add_ifnet(self.tcp.purgeif)
        self.pfil.add_ifnet(self.udp.purgeif)
        self.ethernet.fastforward = self.ip.fastforward
        self.route.rtrequest_hook[AF_INET] = self.arp.rtrequest

        self.kern = kern_nodes(self, self.sysctl, sockets=lambda: list(self.sockets))
        rooms = (self.ip, self.icmp, self.igmp, self.arp, self.rip, self.tcp, self.udp, self.rtsock)
        for room in rooms:
            room.sysctl_setup(self.sysctl)
        self.taps.sysctl_setup(self.sysctl)
        if self.mroute is not None:
            self.mroute.sysctl_setup(self.sysctl)
        self.bpf.sysctl_setup(self.sysctl)
        if self.ieee80211 is not None:
            self.ieee80211.sysctl_setup(self.sysctl)
        if self.bridges is not None:
            self.bridges.sysctl_setup(self.sysctl)

    def _boot(self) -> None:
        """lo0 is up with 127.0.0.1 before anybody asks."""
        self.cloners.create("lo0")
        self.in_control.aifaddr(
            IfAliasReq(
                "lo0",
                SockaddrIn(INADDR_LOOPBACK),
                SockaddrIn(INADDR_LOOPBACK),
                SockaddrIn(0xFF000000),
            )
        )

    def _lo_create(self, name: str, _unit: int) -> Ifnet:
        return loopattach(self, name)

    def _lo_destroy(self, ifp: Ifnet) -> None:
        if ifp.name == "lo0":
            raise NetError("EPERM")
        ifp.detach()

    def socreate(self, domain: int, kind: int, protocol: int, cred: Cred) -> Socket:
        """Make a socket.

        Raises EAFNOSUPPORT, EPROTOTYPE, EPROTONOSUPPORT, or EACCES for a raw one without the right.
        """
        if not any(family == domain for family, _kind, _proto in self.usrreqs):
            raise NetError("EAFNOSUPPORT")
        usrreq = self.usrreqs.get((domain, kind, protocol)) or self.usrreqs.get((domain, kind, -1))
        if usrreq is None:
            known = any((f, k) == (domain, kind) for f, k, _p in self.usrreqs)
            raise NetError("EPROTONOSUPPORT" if known else "EPROTOTYPE")
        if kind == SOCK_RAW and domain == AF_INET and not cred.suser:
            raise NetError("EACCES")
        so = Socket(self, domain, kind, protocol, usrreq, cred)
        usrreq.attach(so)
        self.sockets.add(so)
        return so
