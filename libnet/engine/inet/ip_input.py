"""ip_input: header checks, hooks, "is it for us", and the way up (RFC 791, RFC 1122 section 3.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from libnet.addr import AF_INET, INADDR_ANY, INADDR_BROADCAST
from libnet.engine.inet.in_var import IN_LOOPBACKNET
from libnet.engine.inet.ip_var import IP_HDR, IP_HLEN
from libnet.engine.kern.mbuf import M_CANFASTFWD, M_LOOP, M_CSUM_IPv4, Mbuf
from libnet.engine.pfil.pfil import PFIL_IN
from libnet.ioctl.ifflags import IFF_LOOPBACK, IFF_UP
from libnet.wire.icmp import ICMP_UNREACH, ICMP_UNREACH_HOST
from libnet.wire.ipv4 import IPPROTO_IGMP

if TYPE_CHECKING:
    from libnet.engine.inet.ip import Ip

_unpack = IP_HDR.unpack_from
_FRAGMENT: Final = 0x3FFF  # IP_MF and the offset


class IpInput:
    """The input half of one Ip."""

    def __init__(self, ip: Ip) -> None:
        self.ip = ip
        self.stack = ip.stack
        self.stat = ip.stat
        self.addrs = ip.addrs
        self.head = ip.head
        self.protosw = ip.stack.protosw

    def input(self, m: Mbuf) -> None:
        """Take a received packet: *m.data* from the IP header on, *m.rcvif* set."""
        stack = self.stack
        rcvif = m.rcvif
        assert rcvif is not None
        self.stat["total"] += 1
        data = m.data
        size = len(data)
        if size < IP_HLEN:
            stack.drop(m, "ip", "toosmall")
            return
        vhl, tos, length, ident, off, ttl, proto, _sum, src, dst = _unpack(data)
        hlen = IP_HLEN
        if vhl != 0x45:
            if vhl >> 4 != 4:
                stack.drop(m, "ip", "badvers", f"version {vhl >> 4}")
                return
            hlen = (vhl & 15) << 2
            if not IP_HLEN <= hlen <= size:
                stack.drop(m, "ip", "badhlen", f"header length {hlen}")
                return
        if src >> 28 == 0xE:
            # RFC 1122 3.2.1.3: a multicast source is never valid.
            stack.drop(m, "ip", "badaddr", "multicast source")
            return
        if (
            dst >> 24 == IN_LOOPBACKNET or src >> 24 == IN_LOOPBACKNET
        ) and not rcvif.flags & IFF_LOOPBACK:
            # RFC 1122 3.2.1.3: net 127 is never on a wire.
            stack.drop(m, "ip", "badaddr", "loopback address")
            return
        if (
            not m.csum_flags & M_CSUM_IPv4
            or (self.ip.do_loopback_cksum and rcvif.flags & IFF_LOOPBACK)
        ) and int.from_bytes(data[:hlen], "big") % 0xFFFF:
            stack.drop(m, "ip", "badsum")
            return
        if length < hlen:
            stack.drop(m, "ip", "badlen", f"length {length}")
            return
        if size != length:
            if size < length:
                stack.drop(m, "ip", "tooshort", f"length {length}, have {size}")
                return
            m.data = data[:length]
        m.src, m.dst, m.proto, m.hlen, m.tos, m.ttl = src, dst, proto, hlen, tos, ttl
        m.ip_id, m.ip_off, m.ip_len = ident, off, length

        srcrt = False
        head = self.head
        if head.hooks_in or head.hooks_out:
            seen, was = m.data, m
            # PfilHead.run, whose call would cost as much as a short hook does.
            for hook in head.hooks_in:
                got = hook(m, rcvif, PFIL_IN)
                if got is None:
                    return
                m = got
            if (m is not was or m.data is not seen) and not self.ip.reparse(m):
                stack.drop(m, "ip", "pfilbad", "a hook left no IP packet")
                return
            # A packet that a hook turned elsewhere must not draw a redirect.
            srcrt = m.dst != dst
            dst = m.dst
        else:
            m.flags |= M_CANFASTFWD
        if m.hlen > IP_HLEN:
            if self.ip.options.dooptions(m):
                return
            dst = m.dst

        # Is it for us?
        down = False
        mine = self.addrs.local.get(dst)
        if mine is not None:
            ip = self.ip
            strong = ip.checkinterface and not ip.forwarding and not rcvif.flags & IFF_LOOPBACK
            for ifa in mine:
                if strong and ifa.ifp is not rcvif:
                    continue
                if ifa.ifp.flags & IFF_UP:
                    self.ours(m)
                    return
                down = True
        index = rcvif.index
        addrs = self.addrs
        heard = addrs.bcasts.get(index)
        if heard is not None and (dst in heard or index in addrs.anyone):
            self.ours(m)
            return
        if dst >> 28 == 0xE:
            mforward = self.ip.mforward
            if mforward is not None and not (m.flags & M_LOOP and m.src not in self.addrs.local):
                # A looped copy of what was forwarded has been everywhere already.
                if mforward(m, rcvif):
                    stack.drop(m, "ip", "cantforward", "the multicast router does not take it")
                    return
                if m.proto == IPPROTO_IGMP:
                    self.ours(m)  # the router's program hears them all, whatever groups we are in
                    return
                if dst not in stack.igmp.groups.get(index, ()):
                    return
            if dst not in stack.igmp.groups.get(index, ()):
                stack.drop(m, "ip", "cantforward", "not a group of ours")
                return
            self.ours(m)
            return
        if dst in (INADDR_BROADCAST, INADDR_ANY):
            self.ours(m)
            return
        if not self.ip.forwarding:
            stack.drop(m, "ip", "cantforward", "not for us")
            return
        if down:
            # Forwarding it would send it round inside until its time to live is over.
            stack.drop(m, "ip", "cantforward", "our address on an interface that is down")
            stack.icmp.error(m, ICMP_UNREACH, ICMP_UNREACH_HOST)
            return
        self.ip.forward(m, srcrt)

    def ours(self, m: Mbuf) -> None:
        """Reassemble *m* if it is a fragment, and hand it to its protocol."""
        if m.ip_off & _FRAGMENT:
            whole = self.ip.reass.input(m)
            if whole is None:
                return
            m = whole
        self.stat["delivered"] += 1
        handler = self.protosw.get((AF_INET, m.proto))
        if handler is None:
            self.stack.rip.input(m)
        else:
            handler(m)
