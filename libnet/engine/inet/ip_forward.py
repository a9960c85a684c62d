"""ip_forward: a datagram that is somebody else's (RFC 1812 section 5)."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from libnet.addr import SockaddrIn
from libnet.engine.inet.arp import LINKLOCAL
from libnet.engine.inet.in_var import in_canforward
from libnet.engine.inet.ip_var import IP_ALLOWBROADCAST, IP_FORWARDING, NeedFrag
from libnet.engine.kern.mbuf import (
    M_BCAST,
    M_CANFASTFWD,
    M_CSUM_L4,
    M_MCAST,
    M_CSUM_IPv4,
    M_CSUM_TCPv4,
    M_CSUM_UDPv4,
    Mbuf,
)
from libnet.errors import NetError
from libnet.ioctl.ifflags import IFF_LOOPBACK
from libnet.wire.cksum import in_cksum
from libnet.wire.icmp import (
    ICMP_REDIRECT,
    ICMP_REDIRECT_HOST,
    ICMP_TIMXCEED,
    ICMP_TIMXCEED_INTRANS,
    ICMP_UNREACH,
    ICMP_UNREACH_HOST,
    ICMP_UNREACH_NEEDFRAG,
    ICMP_UNREACH_NET,
)
from libnet.wire.ipv4 import IPPROTO_TCP, IPPROTO_UDP, IPTTLDEC
from libnet.wire.rtsock import RTF_DYNAMIC, RTF_GATEWAY, RTF_MODIFIED

if TYPE_CHECKING:
    from libnet.engine.inet.ip import Ip
    from libnet.engine.route.table import Rtentry

_ttl_sum = Struct("!BBH").pack
_L4_FLAG = {IPPROTO_UDP: M_CSUM_UDPv4, IPPROTO_TCP: M_CSUM_TCPv4}


class IpForward:
    """The forwarding part of one Ip."""

    def __init__(self, ip: Ip) -> None:
        self.ip = ip
        self.stack = ip.stack
        self.stat = ip.stat

    def forward(self, m: Mbuf, srcrt: bool) -> None:
        """Send *m*, parsed by ip_input, on its way; tell its source if that cannot be done.

        srcrt  whether a source route or a hook chose the destination: no redirect then
        """
        stack = self.stack
        dst = m.dst
        if m.flags & (M_BCAST | M_MCAST) or not in_canforward(dst):
            stack.drop(m, "ip", "cantforward", "no such thing crosses a router")
            return
        if LINKLOCAL in (dst >> 16, m.src >> 16):
            stack.drop(m, "ip", "cantforward", "link-local (RFC 3927 2.7)")
            return
        ttl = m.ttl
        if ttl <= IPTTLDEC:
            stack.drop(m, "ip", "ttlexceeded")
            stack.icmp.error(m, ICMP_TIMXCEED, ICMP_TIMXCEED_INTRANS)
            return
        rt = stack.route.rtalloc(dst)
        if rt is None:
            stack.drop(m, "ip", "cantforward", "no route")
            stack.icmp.error(m, ICMP_UNREACH, ICMP_UNREACH_NET)
            return
        seen = m.data
        if m.csum_flags:
            self._marks(m)
        data = m.data
        m.ttl = ttl - IPTTLDEC
        cksum = (int.from_bytes(data[10:12], "big") + 0x100) % 0xFFFF
        m.data = data[:8] + _ttl_sum(ttl - IPTTLDEC, m.proto, cksum) + data[12:]

        redirect = self._redirect(m, rt, srcrt) if rt.ifp is m.rcvif else 0
        flags = IP_FORWARDING
        if self.ip.directed_broadcast:
            flags |= IP_ALLOWBROADCAST
        try:
            self.ip.output(m, None, flags, None, rt)
        except NetError as exc:
            self._failed(self._quote(m, seen), exc)
            return
        self.stat["forward"] += 1
        if redirect:
            self.stat["redirectsent"] += 1
            quote = self._quote(m, seen)
            stack.icmp.error(quote, ICMP_REDIRECT, ICMP_REDIRECT_HOST, dest=redirect)
        elif m.flags & M_CANFASTFWD:
            self.ip.flow.create(rt, m)

    def _quote(self, m: Mbuf, seen: bytes) -> Mbuf:
        """Return the packet as it came in, for an error to quote."""
        quote = Mbuf(seen, m.rcvif, m.flags)
        quote.tags = m.tags
        self.ip.reparse(quote)
        return quote

    def _marks(self, m: Mbuf) -> None:
        """Turn what the wire vouched for into what is still to be done on output."""
        marks = m.csum_flags
        assert m.rcvif is not None
        m.csum_flags = 0
        if marks & M_CSUM_IPv4:
            head = m.data[: m.hlen]
            cksum = in_cksum(head[:10] + head[12:])
            m.data = head[:10] + cksum.to_bytes(2, "big") + m.data[12:]
        if marks & M_CSUM_L4 and not m.ip_off & 0x3FFF and not m.rcvif.flags & IFF_LOOPBACK:
            m.csum_flags = _L4_FLAG.get(m.proto, 0)

    def _redirect(self, m: Mbuf, rt: Rtentry, srcrt: bool) -> int:
        """Return the better first hop to tell the source of *m* about, or 0.

        Only a source on the same net hears of it, and not about a default route or one that a
        redirect itself has made (RFC 1812 5.2.7.2: host redirects only).
        """
        if srcrt or not self.ip.redirect or rt.flags & (RTF_DYNAMIC | RTF_MODIFIED) or not rt.dst:
            return 0
        ifa = rt.ifa
        if ifa is None or (m.src ^ ifa.addr) & ifa.mask:
            return 0
        if rt.flags & RTF_GATEWAY and isinstance(rt.gateway, SockaddrIn):
            return rt.gateway.addr
        return m.dst

    def _failed(self, quote: Mbuf, exc: NetError) -> None:
        stack = self.stack
        stack.drop(quote, "ip", "cantforward", exc.symbol)
        if exc.symbol == "ENOBUFS":
            # RFC 1812 5.3.6: a router should not send source quench.
            return
        if exc.symbol == "EMSGSIZE":
            mtu = exc.mtu if isinstance(exc, NeedFrag) else 0
            stack.icmp.error(quote, ICMP_UNREACH, ICMP_UNREACH_NEEDFRAG, mtu=mtu)
            return
        stack.icmp.error(quote, ICMP_UNREACH, ICMP_UNREACH_HOST)
