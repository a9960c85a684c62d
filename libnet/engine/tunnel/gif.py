"""gif(4): IPv4 in IPv4 between two configured ends (RFC 1853, RFC 4213; NetBSD if_gif, in_gif).

link1 passes ECN between the headers; without link2 what arrives must have come the way that leads to
the other end. IPv6, inside or outside, comes with the stack that has it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from libnet.addr import SockaddrIn
from libnet.engine.kern.log import NOTICE
from libnet.engine.kern.mbuf import Mbuf
from libnet.engine.link.ifnet import Ifnet
from libnet.engine.pfil.pfil import IF_FLAGS
from libnet.engine.tunnel import ends
from libnet.errors import NetError
from libnet.ioctl.ifflags import IFF_LINK1, IFF_LINK2, IFF_RUNNING, IFF_UP, IFT_GIF
from libnet.ioctl.iftunnel import (
    SIOCDIFPHYADDR,
    SIOCGIFPDSTADDR,
    SIOCGIFPSRCADDR,
    SIOCGLIFPHYADDR,
    SIOCSIFPHYADDR,
    SIOCSLIFPHYADDR,
)
from libnet.ioctl.sockio import IfLaddrReq, IfReq

if TYPE_CHECKING:
    from libnet.engine.inet.inetstack import InetStack
    from libnet.engine.inet.ip_encap import Encap

GIF_MTU: Final = 1280
GIF_MTU_MIN, GIF_MTU_MAX = 1280, 8192
IPPROTO_IPV4: Final = 4


class Gifs:
    """The gif interfaces of one stack."""

    def __init__(self, stack: InetStack, encap: Encap) -> None:
        self.stack, self.encap = stack, encap
        self.stat = stack.stat("gif")
        self.list: dict[Ifnet, Gif] = {}
        self.depth = 0

    def create(self, name: str, _unit: int) -> Ifnet:
        """Make one (gif_clone_create)."""
        gif = Gif(self, name)
        self.list[gif.ifp] = gif
        return gif.ifp

    def destroy(self, ifp: Ifnet) -> None:
        """Take one away."""
        self.list.pop(ifp).delete_tunnel()
        ifp.detach()


class Gif:
    """One gif interface.

    src, dst  outer addresses, host integers; 0 when there are none
    """

    def __init__(self, gifs: Gifs, name: str) -> None:
        self.gifs, self.stack = gifs, gifs.stack
        self.src = self.dst = 0
        self._cookie: Any = None
        ifp = self.ifp = ends.tunnel_ifnet(gifs.stack, name, IFT_GIF, GIF_MTU)
        ifp.min_mtu, ifp.max_mtu = GIF_MTU_MIN, GIF_MTU_MAX
        ifp.output = self._output
        ifp.ioctl = self._ioctl
        ifp.attach()

    # -- configuration

    def _ioctl(self, row: Any, arg: Any) -> Any:
        """Answer the SIOC*PHYADDR family."""
        if row is SIOCSLIFPHYADDR or row is SIOCSIFPHYADDR:
            if type(arg.addr) is not type(arg.dstaddr):
                raise NetError("EINVAL")
            self._set_tunnel(ends.sin_addr(arg.addr).addr, ends.sin_addr(arg.dstaddr).addr)
            return None
        if row is SIOCDIFPHYADDR:
            self.delete_tunnel()
            return None
        if row not in (SIOCGLIFPHYADDR, SIOCGIFPSRCADDR, SIOCGIFPDSTADDR):
            raise NetError("ENOTTY")
        if not self.src:
            raise NetError("EADDRNOTAVAIL")
        if row is SIOCGLIFPHYADDR:
            return IfLaddrReq(arg.name, addr=SockaddrIn(self.src), dstaddr=SockaddrIn(self.dst))
        return IfReq(arg.name, addr=SockaddrIn(self.src if row is SIOCGIFPSRCADDR else self.dst))

    def _set_tunnel(self, src: int, dst: int) -> None:
        """Set the ends (gif_set_tunnel).

        Raises EADDRNOTAVAIL when another gif has the same two, EINVAL for 0.0.0.0.
        """
        if not src or not dst:
            raise NetError("EINVAL")
        for other in self.gifs.list.values():
            if other is not self and (other.src, other.dst) == (src, dst):
                raise NetError("EADDRNOTAVAIL")
        self.src, self.dst = src, dst
        if self._cookie is None:
            self._cookie = self.gifs.encap.attach(IPPROTO_IPV4, self._encapcheck, self._input)
        self.ifp.flags |= IFF_RUNNING
        self.stack.pfil.event(IF_FLAGS, self.ifp)

    def delete_tunnel(self) -> None:
        """Forget the ends (gif_delete_tunnel)."""
        self.src = self.dst = 0
        if self._cookie is not None:
            self.gifs.encap.detach(self._cookie)
            self._cookie = None
        self.ifp.flags &= ~IFF_RUNNING
        self.stack.pfil.event(IF_FLAGS, self.ifp)

    # -- packets

    def _output(self, m: Mbuf, _dst: int, _rt: Any) -> None:
        """Send IPv4 packet *m* through the tunnel (gif_output).

        Raises EIO when that would be a tunnel in a tunnel, ENETDOWN without ends, what ip_output does.
        """
        ifp, stack = self.ifp, self.stack
        self.gifs.depth += 1
        try:
            if self.gifs.depth > ends.MAX_NEST:
                stack.log(NOTICE, f"{ifp.name}: recursively called too many times")
                raise NetError("EIO")
            if not ifp.flags & IFF_UP or not self.src:
                raise NetError("ENETDOWN")
            ends.unicast(m)
            packet = ends.finish(stack, m)
            ends.tap_out(ifp, packet)
            tos = ends.ecn_ingress(packet[1], allowed=bool(ifp.flags & IFF_LINK1))
            ends.send_outer(
                stack,
                ifp,
                Mbuf(packet),
                tos=tos,
                ttl=stack.ip.gifttl,
                proto=IPPROTO_IPV4,
                src=self.src,
                dst=self.dst,
            )
        except NetError as exc:
            ifp.oerrors += 1
            stack.drop(m, "gif", "oerrors", f"{ifp.name}: {exc.symbol}")
            raise
        finally:
            self.gifs.depth -= 1
        ifp.opackets += 1
        ifp.obytes += len(packet)

    def _encapcheck(self, m: Mbuf) -> int:
        """Return how well *m* suits this tunnel (gif_encapcheck4)."""
        if (m.dst, m.src) != (self.src, self.dst) or not self.ifp.flags & IFF_UP:
            return 0
        if ends.martian(self.stack, m.src):
            return 0
        if not self.ifp.flags & IFF_LINK2 and m.rcvif is not None:
            rt = self.stack.route.rtalloc(m.src)
            if rt is None or rt.ifp is not m.rcvif:
                self.gifs.stat["ingress"] += 1
                return 0
        return 64

    def _input(self, m: Mbuf) -> None:
        """Take what the other end has sent (in_gif_input)."""
        packet = m.data[m.hlen :]
        if len(packet) < 20 or packet[0] >> 4 != 4:
            self.ifp.ierrors += 1
            self.stack.drop(m, "ip", "nogif", "no IPv4 packet inside")
            return
        packet = ends.ecn_egress(m.tos, packet, allowed=bool(self.ifp.flags & IFF_LINK1))
        ends.deliver(self.stack, self.ifp, packet, "gif")
