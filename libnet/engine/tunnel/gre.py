"""gre(4): IPv4 in GRE (RFC 2784), in minimal encapsulation (RFC 2004), or in GRE over UDP.

Which one, the flags say once link0 has been touched: link0 is GRE (as a new interface is), no link0 is
minimal encapsulation, link0 and link2 are UDP. Over UDP the tunnel has a socket of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from libnet.addr import AF_INET, SockaddrIn
from libnet.engine.inet.in_pcb import IP_TTL, IPPROTO_IP
from libnet.engine.kern.log import NOTICE
from libnet.engine.kern.mbuf import Mbuf
from libnet.engine.kern.socket import SOCK_DGRAM, Cred, Socket
from libnet.engine.link.ifnet import Ifnet
from libnet.engine.pfil.pfil import IF_FLAGS
from libnet.engine.tunnel import ends
from libnet.errors import NetError
from libnet.ioctl import tunnel as t
from libnet.ioctl.ifflags import IFF_LINK0, IFF_LINK1, IFF_LINK2, IFF_RUNNING, IFF_UP, IFT_TUNNEL
from libnet.ioctl.iftunnel import (
    SIOCDIFPHYADDR,
    SIOCGIFPDSTADDR,
    SIOCGIFPSRCADDR,
    SIOCGLIFPHYADDR,
    SIOCSIFPHYADDR,
    SIOCSLIFPHYADDR,
)
from libnet.ioctl.sockio import IfLaddrReq, IfReq
from libnet.wire import Malformed, Truncated
from libnet.wire import gre as wire
from libnet.wire.cksum import in_cksum

if TYPE_CHECKING:
    from libnet.engine.inet.inetstack import InetStack
    from libnet.engine.inet.ip_encap import Encap

GREMTU: Final = 1500 - 24
GREMTU_MIN, GREMTU_MAX = 576, 65535 - 24
GRENEST: Final = 3
IPPROTO_UDP: Final = 17
IPPROTO_GRE: Final = 47
IPPROTO_MOBILE: Final = 55
_MODE: Final = IFF_LINK0 | IFF_LINK2
_MODES: Final = {
    IFF_LINK0: IPPROTO_GRE,
    0: IPPROTO_MOBILE,
    IFF_LINK0 | IFF_LINK2: IPPROTO_UDP,
}
_FLAGS: Final = {proto: flags for flags, proto in _MODES.items()}


class Gres:
    """The gre interfaces of one stack."""

    def __init__(self, stack: InetStack, encap: Encap) -> None:
        self.stack, self.encap = stack, encap
        self.stat = stack.stat("gre")
        self.list: dict[Ifnet, Gre] = {}
        self.depth = 0

    def create(self, name: str, _unit: int) -> Ifnet:
        """Make one (gre_clone_create)."""
        gre = Gre(self, name)
        self.list[gre.ifp] = gre
        return gre.ifp

    def destroy(self, ifp: Ifnet) -> None:
        """Take one away."""
        self.list.pop(ifp).clear()
        ifp.detach()


class Gre:
    """One gre interface (struct gre_softc).

    src, dst  outer ends; address 0 for none       proto  47, 55 or 17
    """

    def __init__(self, gres: Gres, name: str) -> None:
        self.gres, self.stack = gres, gres.stack
        self.src, self.dst = SockaddrIn(0), SockaddrIn(0)
        self.proto = IPPROTO_GRE
        self._seen = 0
        self._so: Socket | None = None
        self._cookie: Any = None
        ifp = self.ifp = ends.tunnel_ifnet(gres.stack, name, IFT_TUNNEL, GREMTU)
        ifp.hdrlen = 24
        ifp.min_mtu, ifp.max_mtu = GREMTU_MIN, GREMTU_MAX
        ifp.output, ifp.ioctl = self._output, self._ioctl
        ifp.filter_changed = ifp.init = self._follow
        ifp.attach()

    # -- configuration

    def _follow(self) -> None:
        """Take up the mode that the flags have come to say."""
        mode = self.ifp.flags & _MODE
        if mode == self._seen:
            return
        self._seen = mode
        if mode in _MODES and _MODES[mode] != self.proto:
            self.proto = _MODES[mode]
            self._recompute()

    def _ioctl(self, row: Any, arg: Any) -> Any:
        """Answer the SIOC*PHYADDR family and GRE[GS]*."""
        ifp = self.ifp
        self._follow()
        if row is SIOCSLIFPHYADDR or row is SIOCSIFPHYADDR:
            self._set(ends.sin_addr(arg.addr), ends.sin_addr(arg.dstaddr))
        elif row is SIOCDIFPHYADDR:
            self._set(SockaddrIn(0), SockaddrIn(0))
        elif row is t.GRESADDRS:
            self._set(ends.sin_addr(arg.addr), self.dst)
        elif row is t.GRESADDRD:
            dst = ends.sin_addr(arg.addr)
            if self.proto == IPPROTO_UDP and not dst.port:
                raise NetError("EINVAL")
            self._set(self.src, dst)
        elif row is t.GRESPROTO:
            if arg.value not in _FLAGS:
                raise NetError("EPROTONOSUPPORT")
            self.proto = arg.value
            ifp.flags = (ifp.flags & ~_MODE) | _FLAGS[arg.value]
            self._seen = ifp.flags & _MODE
            self._recompute()
        elif row in (t.GRESSOCK, t.GREDSOCK):
            # A descriptor means nothing beyond its process: the socket is always our own.
            raise NetError("EINVAL" if self.proto != IPPROTO_UDP else "EOPNOTSUPP")
        else:
            return self._get(row, arg)
        return None

    def _get(self, row: Any, arg: Any) -> Any:
        ports = self.proto == IPPROTO_UDP
        src = SockaddrIn(self.src.addr, self.src.port if ports else 0)
        dst = SockaddrIn(self.dst.addr, self.dst.port if ports else 0)
        if row is t.GREGPROTO:
            return IfReq(arg.name, self.proto)
        if row in (t.GREGADDRS, t.GREGADDRD):
            return IfReq(arg.name, addr=SockaddrIn((src if row is t.GREGADDRS else dst).addr))
        if row not in (SIOCGLIFPHYADDR, SIOCGIFPSRCADDR, SIOCGIFPDSTADDR):
            raise NetError("ENOTTY")
        if not src.addr or not dst.addr:
            raise NetError("EADDRNOTAVAIL")
        if row is SIOCGLIFPHYADDR:
            return IfLaddrReq(arg.name, addr=src, dstaddr=dst)
        return IfReq(arg.name, addr=src if row is SIOCGIFPSRCADDR else dst)

    def _set(self, src: SockaddrIn, dst: SockaddrIn) -> None:
        self.src, self.dst = SockaddrIn(src.addr, src.port), SockaddrIn(dst.addr, dst.port)
        self._recompute()

    def clear(self) -> None:
        """Forget the ends, before the interface goes."""
        self._set(SockaddrIn(0), SockaddrIn(0))

    def _recompute(self) -> None:
        """Listen for what the ends and the mode say. Raises what binding a UDP socket does."""
        if self._cookie is not None:
            self.gres.encap.detach(self._cookie)
            self._cookie = None
        if self._so is not None:
            self._so.close()
            self._so = None
        ifp = self.ifp
        ifp.flags &= ~IFF_RUNNING
        try:
            if not self.src.addr or not self.dst.addr:
                return
            if self.proto == IPPROTO_UDP:
                if not self.dst.port:
                    return  # not told yet
                self._open()
            else:
                func = self._input if self.proto == IPPROTO_GRE else self._mobile_input
                self._cookie = self.gres.encap.attach(self.proto, self._lookup, func)
            ifp.flags |= IFF_RUNNING
        finally:
            self.stack.pfil.event(IF_FLAGS, ifp)

    def _open(self) -> None:
        stack: Any = self.stack
        so: Socket = stack.socreate(AF_INET, SOCK_DGRAM, 0, Cred(comm=self.ifp.name))
        try:
            so.bind(SockaddrIn(self.src.addr, self.src.port))
            so.connect(SockaddrIn(self.dst.addr, self.dst.port))
            so.setopt(IPPROTO_IP, IP_TTL, self.stack.ip.grettl)
        except NetError:
            so.close()
            raise
        bound = so.usrreq.sockaddr(so)
        assert isinstance(bound, SockaddrIn)
        self.src = SockaddrIn(self.src.addr, bound.port)
        so.upcall = self._udp_input
        self._so = so

    # -- sending

    def _output(self, m: Mbuf, _dst: int, _rt: Any) -> None:
        """Send IPv4 packet *m* through the tunnel (gre_output).

        Raises ENETDOWN without ends, EIO too deep in tunnels, what ip_output does.
        """
        ifp, stack = self.ifp, self.stack
        self._follow()
        self.gres.depth += 1
        try:
            if self.gres.depth > GRENEST:
                stack.log(NOTICE, f"{ifp.name}: recursively called too many times")
                raise NetError("EIO")
            if not ifp.flags & IFF_UP or not ifp.flags & IFF_RUNNING:
                raise NetError("ENETDOWN")
            ends.unicast(m)
            packet = ends.finish(stack, m)
            ends.tap_out(ifp, packet)
            if self._so is not None:
                self._so.send(wire.gre_build(wire.PTYPE_IP, packet), None)
            else:
                self._wrap(packet)
        except NetError as exc:
            ifp.oerrors += 1
            stack.drop(m, "gre", "oerrors", f"{ifp.name}: {exc.symbol}")
            raise
        finally:
            self.gres.depth -= 1
        ifp.opackets += 1
        ifp.obytes += len(packet)

    def _wrap(self, packet: bytes) -> None:
        tos = packet[1]
        if self.proto == IPPROTO_GRE:
            body, ttl = wire.gre_build(wire.PTYPE_IP, packet), self.stack.ip.grettl
        else:
            # The packet keeps its own header: only the addresses and the protocol are changed.
            hlen, ttl = (packet[0] & 15) << 2, packet[8]
            if hlen != 20 or packet[6] & 0x3F or packet[7]:
                # RFC 2004 section 3: fragments cannot go this way; options would be lost.
                raise NetError("EINVAL")
            src = int.from_bytes(packet[12:16], "big")
            dst = int.from_bytes(packet[16:20], "big")
            head = wire.mobile_build(packet[9], dst, None if src == self.src.addr else src)
            body = head + packet[hlen : int.from_bytes(packet[2:4], "big")]
        ends.send_outer(
            self.stack,
            self.ifp,
            Mbuf(body),
            tos=tos,
            ttl=ttl,
            proto=self.proto,
            src=self.src.addr,
            dst=self.dst.addr,
            around=not self.ifp.flags & IFF_LINK1,
        )

    # -- receiving

    def _lookup(self, m: Mbuf) -> int:
        """Return how well *m* suits this tunnel (gre_lookup)."""
        mine = (m.dst, m.src) == (self.src.addr, self.dst.addr)
        return 64 if mine and self.ifp.flags & IFF_UP else 0

    def _input(self, m: Mbuf) -> None:
        self._gre(m, m.data[m.hlen :])

    def _gre(self, m: Mbuf, octets: bytes) -> None:
        """Unwrap a GRE packet (gre_input3)."""
        try:
            got = wire.Gre.parse(octets)
        except (Truncated, Malformed) as exc:
            self._bad(m, str(exc))
            return
        if got.ptype != wire.PTYPE_IP:
            self.ifp.noproto += 1
            self.stack.drop(m, "gre", "noproto", f"{self.ifp.name}: ethertype {got.ptype:#x}")
        elif len(got.payload) < 20:
            self._bad(m, "no packet inside")
        else:
            ends.deliver(self.stack, self.ifp, got.payload, "gre")

    def _mobile_input(self, m: Mbuf) -> None:
        """Put the packet together that minimal encapsulation took apart (gre_mobile_input)."""
        try:
            got = wire.Mobile.parse(m.data[m.hlen : m.ip_len])
        except (Truncated, Malformed) as exc:
            self._bad(m, str(exc))
            return
        head = bytearray(m.data[: m.hlen])
        head[2:4] = (m.hlen + len(got.payload)).to_bytes(2, "big")
        head[9] = got.proto
        head[10:12] = b"\0\0"
        if got.src is not None:
            head[12:16] = got.src.to_bytes(4, "big")
        head[16:20] = got.dst.to_bytes(4, "big")
        head[10:12] = in_cksum(head).to_bytes(2, "big")
        ends.deliver(self.stack, self.ifp, bytes(head) + got.payload, "gre")

    def _udp_input(self, so: Socket) -> None:
        """Take what has come to the socket."""
        while so is self._so and so.rcv.records:
            record = so.recv()
            m = Mbuf(record.data, self.ifp)
            self._gre(m, record.data)
        if so is self._so and so.error:
            so.error = ""  # an ICMP error: the other end is not there just now

    def _bad(self, m: Mbuf, why: str) -> None:
        self.ifp.ierrors += 1
        self.stack.drop(m, "gre", "ierrors", f"{self.ifp.name}: {why}")
