"""What the IPv4 rooms need of a Stack beyond StackBase: each other, and the routing table."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from libnet.engine.kern.base import StackBase

if TYPE_CHECKING:
    from libnet.engine.inet.arp import Arp
    from libnet.engine.inet.icmp import Icmp
    from libnet.engine.inet.igmp import Igmp
    from libnet.engine.inet.in_control import InControl
    from libnet.engine.inet.ip import Ip
    from libnet.engine.inet.ip_encap import Encap
    from libnet.engine.inet.ip_mroute import Mroute
    from libnet.engine.inet.raw_ip import Rip
    from libnet.engine.kern.mbuf import Mbuf
    from libnet.engine.link.ethernet import Ethernet
    from libnet.engine.route.table import RouteTable


class InetStack(StackBase):
    """A StackBase with the rooms of IPv4; stack.py sets these in the order they are named.

    The constructors only keep the reference to the stack, so the order matters to nobody else.
    """

    ethernet: Ethernet
    route: RouteTable
    ip: Ip
    icmp: Icmp
    igmp: Igmp
    arp: Arp
    rip: Rip
    encap: Encap
    mroute: Mroute | None
    in_control: InControl

    def netisr(self, func: Callable[[Mbuf], None], m: Mbuf) -> None:
        """Have *func(m)* called from the next pass; ipintrq holds net.inet.ip.ifq.maxlen packets."""
        ip = self.ip
        if func is ip.input and len(self._netisr) >= ip.ifq_maxlen:
            ip.ifq_drops += 1
            self.drop(m, "ip", "ifqdrops", "the input queue is full")
            return
        super().netisr(func, m)

    def netisr_len(self, func: Callable[[Mbuf], None]) -> int:
        """Return how many packets wait for *func*."""
        return sum(1 for waiting, _m in self._netisr if waiting is func)
