"""UDP (RFC 768, RFC 1122 section 4.1; NetBSD udp_usrreq)."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Any, Final

from libnet.addr import INADDR_BROADCAST, Sockaddr, SockaddrIn, is_multicast
from libnet.engine.inet.icmp import INETCTLERR, PRC_HOSTDEAD, PRC_MSGSIZE, PRC_REDIRECT_HOST
from libnet.engine.inet.in_pcb import (
    INP_DONTFRAG,
    IPPROTO_IP,
    Inpcb,
    InpcbTable,
    output_flags,
    sin,
)
from libnet.engine.inet.ip_var import IP_HLEN, IP_MTUDISC, NeedFrag
from libnet.engine.inet.raw_ip import pcbinfo
from libnet.engine.kern.mbuf import M_BCAST, M_CSUM_L4, M_MCAST, M_CSUM_UDPv4, Mbuf
from libnet.engine.kern.socket import SO_REUSEADDR, SO_REUSEPORT, Socket
from libnet.errors import NetError
from libnet.ioctl.ifflags import IFF_LOOPBACK
from libnet.wire.cksum import in_cksum, pseudo_sum
from libnet.wire.icmp import ICMP_UNREACH, ICMP_UNREACH_PORT
from libnet.wire.ipv4 import IP_MAXPACKET, IPPROTO_UDP

if TYPE_CHECKING:
    from libnet.engine.inet.inetstack import InetStack
    from libnet.engine.kern.sysctl import SysctlTree
    from libnet.engine.link.ifnet import Ifnet
    from libnet.ioctl.sysctl import PcbInfo
    from libnet.wire.ipv4 import Ipv4

_HDR = Struct("!HHHH")
_unpack = _HDR.unpack_from
_pack = _HDR.pack
_HDRLEN: Final = 8


class Udp:
    """The UDP of one stack; a Usrreq.

    checksum            whether to compute checksums of what is sent (net.inet.udp.checksum)
    sendspace, recvspace  socket buffers to start with, octets
    reuseport_unicast   whether unicasts go to every socket that shares the port (tcpip option)
    """

    def __init__(self, stack: InetStack) -> None:
        self.stack = stack
        self.stat = stack.stat("udp")
        self.table = InpcbTable(stack)
        self.checksum = 1
        self.sendspace = 9216
        self.recvspace = 40 * (1024 + 16)
        self.reuseport_unicast = False

    @property
    def do_loopback_cksum(self) -> int:
        """Whether datagrams to ourselves have checksums too."""
        return int(bool(self.stack.ip.loopback_l4 & M_CSUM_UDPv4))

    @do_loopback_cksum.setter
    def do_loopback_cksum(self, on: int) -> None:
        ip = self.stack.ip
        ip.loopback_l4 = ip.loopback_l4 | M_CSUM_UDPv4 if on else ip.loopback_l4 & ~M_CSUM_UDPv4

    def sysctl_setup(self, tree: SysctlTree) -> None:
        """Plant net.inet.udp."""
        tree.node("net.inet.udp", 17, "UDPv4 related settings")
        for name, num, low, high, desc in (
            ("checksum", 1, None, None, "Compute UDP checksums"),
            ("sendspace", 2, 0, 262144, "Default UDP send buffer size"),
            ("recvspace", 3, 0, 262144, "Default UDP receive buffer size"),
            ("do_loopback_cksum", 4, None, None, "Perform UDP checksum on loopback"),
        ):
            tree.int_node(f"net.inet.udp.{name}", num, self, name, lo=low, hi=high, desc=desc)
        tree.struct_node("net.inet.udp.stats", 5, lambda: dict(self.stat), "UDP statistics")
        tree.struct_node("net.inet.udp.pcblist", None, self.pcblist, "UDP control blocks")

    def pcblist(self) -> list[PcbInfo]:
        """Return the sockets for netstat."""
        return [pcbinfo("udp", inp) for inp in self.table.pcbs]

    # -- receiving

    def input(self, m: Mbuf) -> None:
        """Take a datagram that is for us (udp_input)."""
        stack = self.stack
        self.stat["ipackets"] += 1
        data, hlen = m.data, m.hlen
        have = len(data) - hlen
        if have < _HDRLEN:
            stack.drop(m, "udp", "hdrops")
            return
        sport, dport, length, cksum = _unpack(data, hlen)
        if not _HDRLEN <= length <= have:
            stack.drop(m, "udp", "badlen", f"length {length}, have {have}")
            return
        end = hlen + length
        if cksum and self._verify(m):
            body = data[hlen:end] if end != len(data) else data[hlen:]
            if in_cksum(body, pseudo_sum(m.src, m.dst, IPPROTO_UDP, length)):
                stack.drop(m, "udp", "badsum")
                return
        payload = data[hlen + _HDRLEN : end]
        if not dport:
            stack.drop(m, "udp", "noport", "port 0")
            return
        if m.flags & (M_BCAST | M_MCAST) or m.dst >> 28 == 0xE or self._is_bcast(m):
            if not self._everybody(m, sport, dport, payload):
                stack.drop(m, "udp", "noportbcast", f"port {dport}")
            return
        table = self.table
        inp = table.connected.get((m.src, sport, m.dst, dport))
        if inp is None:
            self.stat["pcbhashmiss"] += 1
            inp = self._listener(m, dport)
            if inp is None:
                stack.drop(m, "udp", "noport", f"port {dport}")
                stack.icmp.error(m, ICMP_UNREACH, ICMP_UNREACH_PORT)
                return
            if self.reuseport_unicast:
                for other in list(table.byport.get(dport, ())):
                    if other is not inp and not other.faddr and other.laddr == inp.laddr:
                        self._sendup(other, m, sport, payload)
        self._sendup(inp, m, sport, payload)

    def _verify(self, m: Mbuf) -> bool:
        """Tell whether the checksum has to be looked at."""
        assert m.rcvif is not None
        if not m.csum_flags & M_CSUM_L4:
            return True
        return bool(m.rcvif.flags & IFF_LOOPBACK and self.do_loopback_cksum)

    def _is_bcast(self, m: Mbuf) -> bool:
        if m.dst == INADDR_BROADCAST:
            return True
        assert m.rcvif is not None
        return (
            m.dst in self.stack.ip.addrs.heard(m.rcvif) and m.dst not in self.stack.ip.addrs.local
        )

    def _listener(self, m: Mbuf, dport: int) -> Inpcb | None:
        inp = self.table.lookup_bind(m.dst, dport)
        if inp is None or not inp.socket.device:
            return inp
        for other in self.table.byport.get(dport, ()):
            if not other.faddr and other.laddr in (0, m.dst) and self._hears(other, m):
                return other
        return None

    @staticmethod
    def _hears(inp: Inpcb, m: Mbuf) -> bool:
        device = inp.socket.device
        return not device or (m.rcvif is not None and m.rcvif.name == device)

    def _everybody(self, m: Mbuf, sport: int, dport: int, payload: bytes) -> bool:
        """Give a broadcast or multicast to every socket that wants it; False when none does."""
        heard = False
        for inp in list(self.table.byport.get(dport, ())):
            if inp.laddr and inp.laddr != m.dst:
                continue  # as in BSD, who is bound to one address hears no broadcast
            if inp.faddr and (inp.faddr != m.src or inp.fport != sport):
                continue
            if not self._hears(inp, m):
                continue
            heard = True
            self._sendup(inp, m, sport, payload)
            if not inp.socket.options & (SO_REUSEADDR | SO_REUSEPORT):
                break  # it does not share
        return heard

    def _sendup(self, inp: Inpcb, m: Mbuf, sport: int, payload: bytes) -> None:
        control = self.table.savecontrol(inp, m) if inp.flags else None
        if not inp.socket.sbappendaddr(SockaddrIn(m.src, sport), payload, control):
            self.stack.drop(m, "udp", "fullsock", f"port {inp.lport}")

    def ctlinput(self, prc: str, quoted: Ipv4, head: bytes) -> None:
        """Hear of an ICMP error about a datagram of ours (udp_ctlinput)."""
        error = INETCTLERR[prc]
        if not error or prc == PRC_REDIRECT_HOST:
            return
        if prc == PRC_HOSTDEAD:
            self.table.notifyall(quoted.dst, lambda inp: inp.socket.soerror(error))
            return
        if len(head) < 4:
            return
        sport, dport = int.from_bytes(head[:2], "big"), int.from_bytes(head[2:4], "big")

        def tell(inp: Inpcb) -> None:
            if prc == PRC_MSGSIZE:
                rt = self.stack.route.rtlookup(quoted.dst)
                inp.errormtu = rt.mtu or rt.ifp.mtu if rt is not None else 0
            inp.socket.soerror(error)

        self.table.notify(quoted.dst, dport, quoted.src, sport, tell)

    def purgeif(self, event: str, ifp: Ifnet, _arg: Any) -> None:
        """Interface hook: let go of one that goes away."""
        if event == "detach":
            self.table.purgeif(ifp)

    # -- the socket's side

    def attach(self, so: Socket) -> None:
        """Make a pcb and reserve buffers."""
        so.snd.hiwat, so.rcv.hiwat = self.sendspace, self.recvspace
        self.table.alloc(so, self.stack.ip.ttl)

    def detach(self, so: Socket) -> None:
        """Forget the pcb."""
        if so.pcb is not None:
            self.table.detach(so.pcb)

    def bind(self, so: Socket, addr: Sockaddr) -> None:
        """bind(2)."""
        self.table.bind(so.pcb, addr)

    def connect(self, so: Socket, addr: Sockaddr) -> None:
        """connect(2); an address of another family (or none) disconnects."""
        inp: Inpcb = so.pcb
        if type(addr) is Sockaddr:
            self.table.disconnect(inp)
            return
        if inp.faddr:
            raise NetError("EISCONN")
        self.table.connect(inp, addr)

    def send(self, so: Socket, data: bytes, addr: Sockaddr | None, flags: int) -> int:
        """Send a datagram. Raises EISCONN, EDESTADDRREQ, EMSGSIZE, and what ip_output does."""
        inp: Inpcb = so.pcb
        table = self.table
        if addr is None:
            if not inp.faddr:
                raise NetError("EDESTADDRREQ")
            self._output(inp, data, inp.laddr, inp.faddr, inp.fport, flags)
            return len(data)
        if inp.faddr:
            raise NetError("EISCONN")
        faddr, fport = sin(addr)
        if not fport:
            raise NetError("EADDRNOTAVAIL")
        if faddr != INADDR_BROADCAST or not so.device:
            faddr = table.destination(faddr)
        laddr = inp.laddr
        if not laddr or is_multicast(laddr):
            laddr = table.selectsrc(faddr, inp)
        if not inp.lport:
            table.set(inp, lport=table.ephemeral(inp, inp.laddr))
        self._output(inp, data, laddr, faddr, fport, flags)
        return len(data)

    def _output(
        self, inp: Inpcb, data: bytes, laddr: int, faddr: int, fport: int, flags: int
    ) -> None:
        """Put the header on; the checksum's end is left to ip_output or the interface (udp_output)."""
        length = len(data) + _HDRLEN
        if length + IP_HLEN > IP_MAXPACKET:
            raise NetError("EMSGSIZE")
        if self.checksum:
            cksum = pseudo_sum(laddr, faddr, IPPROTO_UDP, length)
        else:
            cksum = 0
        m = Mbuf(_pack(inp.lport, fport, length, cksum) + data)
        if self.checksum:
            m.csum_flags = M_CSUM_UDPv4
        m.src, m.dst, m.proto, m.tos, m.ttl = laddr, faddr, IPPROTO_UDP, inp.tos, inp.ttl
        self.stat["opackets"] += 1
        out = output_flags(inp.socket, flags)
        if inp.flags & INP_DONTFRAG:
            out |= IP_MTUDISC
        bound = self.table.bound(inp) if inp.socket.device else None
        try:
            self.stack.ip.output(m, inp.opts, out, inp.moptions, None, bound)
        except NeedFrag as exc:
            inp.errormtu = exc.mtu
            raise

    def shutdown(self, so: Socket, how: int) -> None:
        """Nothing is to be told to the peer: kern.socket has closed the ways."""

    def sockaddr(self, so: Socket) -> Sockaddr:
        """getsockname(2)."""
        return SockaddrIn(so.pcb.laddr, so.pcb.lport)

    def peeraddr(self, so: Socket) -> Sockaddr:
        """getpeername(2). Raises ENOTCONN."""
        if not so.pcb.faddr:
            raise NetError("ENOTCONN")
        return SockaddrIn(so.pcb.faddr, so.pcb.fport)

    def getopt(self, so: Socket, level: int, name: int) -> Any:
        """getsockopt(2)."""
        if level != IPPROTO_IP:
            raise NetError("ENOPROTOOPT")
        return self.table.getopt(so.pcb, name)

    def setopt(self, so: Socket, level: int, name: int, value: Any) -> None:
        """setsockopt(2)."""
        if level != IPPROTO_IP:
            raise NetError("ENOPROTOOPT")
        self.table.setopt(so.pcb, name, value)
