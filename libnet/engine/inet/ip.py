"""IP: the knobs, the counters and the parts of one stack's IPv4."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from libnet.addr import AF_INET
from libnet.engine.inet.in_var import InAddrs
from libnet.engine.inet.ip_flow import IpflowCache
from libnet.engine.inet.ip_forward import IpForward
from libnet.engine.inet.ip_input import IpInput
from libnet.engine.inet.ip_options import IpOptions
from libnet.engine.inet.ip_output import IpOutput
from libnet.engine.inet.ip_reass import IpReass
from libnet.engine.inet.ip_var import IP_HDR, IP_HLEN
from libnet.engine.kern.stat import Stat
from libnet.wire.cksum import in_cksum
from libnet.wire.ipv4 import IPDEFTTL

if TYPE_CHECKING:
    from collections.abc import Callable

    from libnet.engine.inet.inetstack import InetStack
    from libnet.engine.kern.mbuf import Mbuf
    from libnet.engine.kern.sysctl import SysctlTree
    from libnet.engine.link.ifnet import Ifnet

_unpack = IP_HDR.unpack_from
IFQ_MAXLEN: Final = 256

# name, number, lowest, highest, description; the attribute is the name with underscores.
_NODES: Final = (
    ("forwarding", 1, None, None, "Enable forwarding of INET datagrams"),
    ("redirect", 2, None, None, "Enable sending of ICMP redirect messages"),
    ("ttl", 3, 1, 255, "Default TTL for an INET datagram"),
    ("forwsrcrt", 5, None, None, "Enable forwarding of source-routed datagrams"),
    ("directed-broadcast", 6, None, None, "Enable forwarding of broadcast datagrams"),
    ("allowsrcrt", 7, None, None, "Accept source-routed datagrams"),
    ("subnetsarelocal", 8, None, None, "Whether logical subnets are considered local"),
    ("mtudisc", 9, None, None, "Use RFC1191 Path MTU Discovery"),
    ("anonportmin", 10, 0, 65535, "Lowest ephemeral port number to assign"),
    ("anonportmax", 11, 0, 65535, "Highest ephemeral port number to assign"),
    ("mtudisctimeout", 12, 0, None, "Lifetime of a Path MTU Discovered route"),
    ("maxflows", 13, 0, None, "Number of flows for fast forwarding"),
    ("hostzerobroadcast", 14, None, None, "All zeroes address is broadcast address"),
    ("gifttl", 15, 0, 255, "Default TTL for a gif tunnel datagram"),
    ("lowportmin", 16, 0, 65535, "Lowest privileged ephemeral port number to assign"),
    ("lowportmax", 17, 0, 65535, "Highest privileged ephemeral port number to assign"),
    ("maxfragpackets", 18, -1, None, "Maximum number of fragments to retain for reassembly"),
    ("grettl", 19, 0, 255, "Default TTL for a gre tunnel datagram"),
    ("checkinterface", 20, None, None, "Enable receive side of Strong ES model from RFC1122"),
    ("random_id", 22, None, None, "Assign random ip_id values"),
    ("do_loopback_cksum", 23, None, None, "Perform IP checksum on loopback"),
)
# Those on which remembered flows depend.
_FLOWS: Final = frozenset(("forwarding", "redirect", "maxflows"))


class Ip:
    """IPv4 of one stack.

    Attributes named as the nodes of net.inet.ip are those knobs. input() and output() are the
    functions of their modules; fastforward() is for link.ethernet's slot of that name.

    fastforwarding  whether flows are made at all (tcpip option fastforward)
    mforward        slot: called with every multicast and the interface it is on while somebody routes
                    them; True when the packet is to be dropped
    loopback_l4     M_CSUM_* of the transports that do their checksum on the loopback too
    """

    def __init__(self, stack: InetStack) -> None:
        self.stack = stack
        self.stat: Stat = stack.stat("ip")
        self.addrs = InAddrs()
        self.head = stack.pfil.head(AF_INET)

        self.forwarding = 0
        self.redirect = 1
        self.ttl = IPDEFTTL
        self.forwsrcrt = 1
        self.directed_broadcast = 0
        self.allowsrcrt = 1
        self.subnetsarelocal = 1
        self.mtudisc = 1
        self.anonportmin, self.anonportmax = 49152, 65535
        self.lowportmin, self.lowportmax = 600, 1023
        self.mtudisctimeout = 600
        self.maxflows = 256
        self.hostzerobroadcast = 1
        self.gifttl = self.grettl = 30
        self.maxfragpackets = 200
        self.checkinterface = 0
        self.random_id = 0
        self.do_loopback_cksum = 0
        self.loopback_l4 = 0
        self.fastforwarding = True
        self.ifq_maxlen, self.ifq_drops = IFQ_MAXLEN, 0
        self._id = stack.dice.getrandbits(16)

        self.flow = IpflowCache(self)
        self.reass = IpReass(self)
        self.options = IpOptions(self)
        self.input = IpInput(self).input
        self.forward = IpForward(self).forward
        self.mforward: Callable[[Mbuf, Ifnet], bool] | None = None
        self.out = IpOutput(self)
        self.output = self.out.output
        self.fastforward = self.flow.fastforward

    @property
    def ifq_len(self) -> int:
        """Packets to ourselves that wait for the next pass."""
        return self.stack.netisr_len(self.input)

    def newid(self) -> int:
        """Return an identification: the next one, or with random_id an unguessable one."""
        if self.random_id:
            return self.stack.dice.getrandbits(16) or 1
        self._id = (self._id + 1) & 0xFFFF
        return self._id

    def skipids(self, count: int) -> None:
        """Leave out *count* identifications, which the pieces of one packet have taken."""
        self._id = (self._id + count) & 0xFFFF

    def iptime(self) -> int:
        """Return milliseconds since midnight UT."""
        return int(self.stack.clock.wall() * 1000) % 86400000

    @staticmethod
    def with_cksum(head: bytes | bytearray) -> bytes:
        """Return an IP header with its checksum right."""
        body = bytes(head[:10]) + b"\0\0" + bytes(head[12:])
        return body[:10] + in_cksum(body).to_bytes(2, "big") + body[12:]

    @staticmethod
    def reparse(m: Mbuf) -> bool:
        """Read the header fields of *m* again; False when there is no whole IPv4 packet."""
        data = m.data
        if len(data) < IP_HLEN:
            return False
        vhl, m.tos, m.ip_len, m.ip_id, m.ip_off, m.ttl, m.proto, _sum, m.src, m.dst = _unpack(data)
        m.hlen = (vhl & 15) << 2
        return vhl >> 4 == 4 and IP_HLEN <= m.hlen <= m.ip_len <= len(data)

    def in_localaddr(self, addr: int) -> bool:
        """Tell whether *addr* is near: on a net of ours, with subnetsarelocal on any subnet of one."""
        return self.addrs.in_localaddr(addr, subnets=bool(self.subnetsarelocal))

    # -- what is seen from outside

    def sysctl_setup(self, tree: SysctlTree) -> None:
        """Plant net.inet.ip."""
        tree.node("net.inet.ip", 0, "IPv4 related settings")
        for name, num, low, high, desc in _NODES:
            attr = name.replace("-", "_")
            tree.int_node(
                f"net.inet.ip.{name}",
                num,
                self,
                attr,
                lo=low,
                hi=high,
                desc=desc,
                changed=lambda name=name: self._changed(name),  # type: ignore[misc]
            )
        tree.node("net.inet.ip.ifq", 21, "IPv4 input queue")
        tree.int_node("net.inet.ip.ifq.len", 1, self, "ifq_len", ro=True, desc="Current length")
        tree.int_node("net.inet.ip.ifq.maxlen", 2, self, "ifq_maxlen", lo=1, desc="Longest allowed")
        tree.int_node("net.inet.ip.ifq.drops", 3, self, "ifq_drops", ro=True, desc="Packets lost")
        tree.struct_node("net.inet.ip.stats", 24, self.stats, "IPv4 statistics")

    def _changed(self, name: str) -> None:
        if name in _FLOWS:
            self.flow.invalidate_all()
        elif name == "maxfragpackets":
            self.reass.limit()
        elif name == "hostzerobroadcast":
            self.addrs.hostzero = self.hostzerobroadcast

    def stats(self) -> dict[str, int]:
        """Return the counters, what the flows have done included."""
        self.flow.fold()
        return dict(self.stat)

    def ifnet_hook(self, event: str, ifp: Any, _arg: Any) -> None:
        """Hear of interfaces: nothing that is remembered may outlive what it was made of."""
        self.flow.invalidate_all()
