"""What gif(4) and gre(4) have in common: outer addresses, and packets that go out inside others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from libnet.addr import SockaddrIn, is_multicast
from libnet.engine.kern.mbuf import M_BCAST, M_CSUM_L4, M_MCAST, Mbuf
from libnet.engine.link.ethernet import BPF_IN, BPF_OUT, ETHERTYPE_IP
from libnet.engine.link.ifnet import Ifnet
from libnet.errors import NetError
from libnet.ioctl.ifflags import (
    DLT_NULL,
    IFF_BROADCAST,
    IFF_MULTICAST,
    IFF_POINTOPOINT,
    IFF_UP,
)
from libnet.wire.cksum import in_cksum
from libnet.wire.rtsock import RTF_GATEWAY

if TYPE_CHECKING:
    from libnet.addr import Sockaddr
    from libnet.engine.inet.inetstack import InetStack

AF_INET_NULL: Final = (2).to_bytes(4, "little")  # before an IPv4 packet of DLT_NULL
MAX_NEST: Final = 1  # gif in gif: one that leads into itself is not followed for ever

# RFC 3168 section 9.1: the bits of the type of service that tell of congestion.
ECN_MASK: Final = 0x03
ECN_CE: Final = 0x03


def tunnel_ifnet(stack: InetStack, name: str, kind: int, mtu: int) -> Ifnet:
    """Return a point-to-point interface, not yet attached."""
    ifp = Ifnet(stack, name, type=kind, mtu=mtu)
    ifp.dlt = DLT_NULL
    ifp.flags |= IFF_POINTOPOINT | IFF_MULTICAST
    return ifp


def sin_addr(addr: Sockaddr) -> SockaddrIn:
    """Return an IPv4 address. Raises EAFNOSUPPORT, EINVAL."""
    if not isinstance(addr, SockaddrIn):
        raise NetError("EAFNOSUPPORT")
    if not 0 <= addr.addr <= 0xFFFFFFFF or not 0 <= addr.port <= 0xFFFF:
        raise NetError("EINVAL")
    return addr


def ecn_ingress(inner_tos: int, *, allowed: bool) -> int:
    """Return the outer type of service of a packet (ip_ecn_ingress)."""
    return inner_tos & ~ECN_MASK if not allowed else inner_tos


def ecn_egress(outer_tos: int, data: bytes, *, allowed: bool) -> bytes:
    """Return an IPv4 packet with the congestion that its tunnel has met (ip_ecn_egress)."""
    if not allowed or outer_tos & ECN_MASK != ECN_CE or not data[1] & ECN_MASK:
        return data
    hlen = (data[0] & 15) << 2
    head = data[:1] + bytes((data[1] | ECN_CE,)) + data[2:10] + b"\0\0" + data[12:hlen]
    return head[:10] + in_cksum(head).to_bytes(2, "big") + head[12:] + data[hlen:]


def send_outer(stack: InetStack, ifp: Ifnet, m: Mbuf, *, tos: int, ttl: int, proto: int,
               src: int, dst: int, around: bool = False) -> None:  # fmt: skip
    """Send *m.data* as a packet of *proto* from *src* to *dst*.

    around  when the route to *dst* leads into the tunnel itself, try the one of the neighbouring address
    Raises ENETUNREACH when the way to *dst* leads into the tunnel itself, and what ip_output does.
    """
    rt = stack.route.rtalloc(dst)
    if around and rt is not None and rt.ifp is ifp:
        # The inner peer has the outer address: the route that was there before leads to its net too.
        rt = stack.route.rtalloc(dst ^ 1)
        if rt is not None and not rt.flags & RTF_GATEWAY:
            rt = None
    if rt is None or rt.ifp is ifp:
        raise NetError("ENETUNREACH")
    outer = Mbuf(m.data)
    outer.src, outer.dst, outer.proto, outer.tos, outer.ttl = src, dst, proto, tos, ttl
    stack.ip.output(outer, rt=rt)


def finish(stack: InetStack, m: Mbuf) -> bytes:
    """Return an IPv4 packet that is to be wrapped, with every checksum done."""
    if m.csum_flags & M_CSUM_L4:
        stack.ip.out.delayed_cksum(m)
    return m.data


def martian(stack: InetStack, src: int) -> bool:
    """Tell whether *src* cannot be the other end of anything."""
    if is_multicast(src) or src >> 24 in (0, 127, 255):
        return True
    return any(
        ifa.ifp.flags & IFF_BROADCAST and ifa.broadaddr == src for ifa in stack.ip.addrs.list
    )


def deliver(stack: InetStack, ifp: Ifnet, packet: bytes, proto: str) -> None:
    """Have IPv4 *packet* received by *ifp*, in the next pass so that nothing recurses.

    proto  whose counters tell of a packet that finds *ifp* down
    """
    if ifp.bpf is not None:
        ifp.bpf.mtap(AF_INET_NULL + packet, BPF_IN)
    if not ifp.flags & IFF_UP:
        ifp.ierrors += 1
        stack.drop(Mbuf(packet, ifp), proto, "down", f"{ifp.name} is down")
        return
    ifp.ipackets += 1
    ifp.ibytes += len(packet)
    stack.netisr(stack.ethertypes[ETHERTYPE_IP], Mbuf(packet, ifp))


def tap_out(ifp: Ifnet, packet: bytes) -> None:
    """Show a packet that is about to be wrapped to who listens."""
    if ifp.bpf is not None:
        ifp.bpf.mtap(AF_INET_NULL + packet, BPF_OUT)


def unicast(m: Mbuf) -> None:
    """Forget that *m* was a broadcast or a multicast: its wrapping is not."""
    m.flags &= ~(M_BCAST | M_MCAST)
