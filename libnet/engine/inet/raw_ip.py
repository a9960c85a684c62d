"""Raw sockets (NetBSD raw_ip).

A raw socket is given whole packets, header and all, exactly as they came off the wire: ip_len and
ip_off in network order, ip_len of header and payload. (NetBSD 4 hands out ip_len in host order with
the header's length taken off; here every reader sees one format, that of a capture.) What is written
with IP_HDRINCL has the same format; an identification of 0 is filled in, and so is the checksum.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from libnet.addr import Sockaddr, SockaddrIn
from libnet.engine.inet.icmp import INETCTLERR, PRC_MSGSIZE
from libnet.engine.inet.in_pcb import (
    INP_DONTFRAG,
    INP_HDRINCL,
    IPPROTO_IP,
    Inpcb,
    InpcbTable,
    output_flags,
    sin,
)
from libnet.engine.inet.ip_var import IP_HLEN, IP_RAWOUTPUT, NeedFrag
from libnet.engine.kern.mbuf import M_BCAST, M_MCAST, Mbuf
from libnet.engine.kern.socket import Socket
from libnet.errors import NetError
from libnet.ioctl.mroute import MRT_ALL
from libnet.ioctl.sysctl import PcbInfo
from libnet.wire.icmp import ICMP_UNREACH, ICMP_UNREACH_PROTOCOL
from libnet.wire.ipv4 import IP_DF, IP_MAXPACKET, IPPROTO_ICMP, IPPROTO_IGMP, MAXTTL, Ipv4

if TYPE_CHECKING:
    from libnet.engine.inet.inetstack import InetStack
    from libnet.engine.kern.sysctl import SysctlTree
    from libnet.engine.link.ifnet import Ifnet

RIPSNDQ: Final = 8192
RIPRCVQ: Final = 8192
# Protocols that hand their packets on to us after they have had them.
_KNOWN: Final = frozenset((IPPROTO_ICMP, IPPROTO_IGMP))


class Rip:
    """The raw sockets of one stack; a Usrreq for any (AF_INET, SOCK_RAW, protocol)."""

    def __init__(self, stack: InetStack) -> None:
        self.stack = stack
        self.stat = stack.stat("ip")
        self.table = InpcbTable(stack)

    def sysctl_setup(self, tree: SysctlTree) -> None:
        """Plant net.inet.raw.pcblist."""
        tree.node("net.inet.raw", 255, "Raw IPv4 sockets")
        tree.struct_node("net.inet.raw.pcblist", None, self.pcblist, "Raw IPv4 control blocks")

    def pcblist(self) -> list[PcbInfo]:
        """Return the sockets for netstat."""
        return [pcbinfo("raw", inp) for inp in self.table.pcbs]

    # -- receiving

    def input(self, m: Mbuf) -> None:
        """Give *m*, a packet for us, to every raw socket that wants it (rip_input)."""
        frm = SockaddrIn(m.src)
        heard = False
        for inp in list(self.table.pcbs):
            if inp.proto and inp.proto != m.proto:
                continue
            if inp.laddr and inp.laddr != m.dst:
                continue
            if inp.faddr and inp.faddr != m.src:
                continue
            so = inp.socket
            if so.device and (m.rcvif is None or m.rcvif.name != so.device):
                continue
            heard = True
            if not so.sbappendaddr(frm, m.data, self.table.savecontrol(inp, m)):
                self.stack.drop(m, "ip", "rawfull", "the socket's buffer is full")
        if heard or m.proto in _KNOWN:
            return
        self.stack.drop(m, "ip", "noproto", f"protocol {m.proto}")
        self.stat["delivered"] -= 1
        if not m.flags & (M_BCAST | M_MCAST):
            self.stack.icmp.error(m, ICMP_UNREACH, ICMP_UNREACH_PROTOCOL)

    def ctlinput(self, prc: str, quoted: Ipv4, _head: bytes) -> None:
        """Hear of an ICMP error about something a connected raw socket sent (rip_ctlinput)."""
        error = INETCTLERR[prc]
        if not error:
            return
        for inp in list(self.table.pcbs):
            if inp.faddr != quoted.dst or inp.laddr not in (0, quoted.src):
                continue
            if inp.proto not in (0, quoted.p):
                continue
            if prc == PRC_MSGSIZE and inp.flags & INP_HDRINCL:
                continue
            inp.socket.soerror(error)

    def purgeif(self, ifp: Ifnet) -> None:
        """Let go of an interface that goes away."""
        self.table.purgeif(ifp)

    # -- the socket's side

    def attach(self, so: Socket) -> None:
        """Make a pcb. Raises EACCES for anybody but the superuser."""
        if not so.cred.suser:
            raise NetError("EACCES")
        if not 0 <= so.protocol <= 255:
            raise NetError("EPROTONOSUPPORT")
        inp = self.table.alloc(so, MAXTTL)
        inp.proto = so.protocol
        so.snd.hiwat = max(so.snd.hiwat, RIPSNDQ)
        so.rcv.hiwat = max(so.rcv.hiwat, RIPRCVQ)

    def detach(self, so: Socket) -> None:
        """Forget the pcb."""
        if self.stack.mroute is not None:
            self.stack.mroute.detach(so)
        if so.pcb is not None:
            self.table.detach(so.pcb)

    def bind(self, so: Socket, addr: Sockaddr) -> None:
        """Take packets to one address of ours only. Raises EADDRNOTAVAIL."""
        laddr, _port = sin(addr)
        if laddr and self.stack.ip.addrs.ifwithaddr(laddr) is None:
            raise NetError("EADDRNOTAVAIL")
        so.pcb.laddr = laddr

    def connect(self, so: Socket, addr: Sockaddr) -> None:
        """Talk with one peer only."""
        so.pcb.faddr = sin(addr)[0]

    def send(self, so: Socket, data: bytes, addr: Sockaddr | None, flags: int) -> int:
        """Send one packet. Raises EISCONN, ENOTCONN, EINVAL (a bad header), and what ip_output does."""
        inp: Inpcb = so.pcb
        if addr is None:
            if not inp.faddr:
                raise NetError("ENOTCONN")
            dst = inp.faddr
        else:
            if inp.faddr:
                raise NetError("EISCONN")
            dst = sin(addr)[0]
        self._output(inp, data, dst, output_flags(so, flags))
        return len(data)

    def _output(self, inp: Inpcb, data: bytes, dst: int, flags: int) -> None:
        """Put a header on, or check the one that is there (rip_output)."""
        ip = self.stack.ip
        bound = self.table.bound(inp)
        if inp.flags & INP_HDRINCL:
            m = self._included(inp, data, dst)
            self.stat["rawout"] += 1
            opts, flags = None, flags | IP_RAWOUTPUT
        else:
            if len(data) + IP_HLEN > IP_MAXPACKET:
                raise NetError("EMSGSIZE")
            m = Mbuf(data)
            m.src, m.dst, m.proto, m.tos, m.ttl = inp.laddr, dst, inp.proto, inp.tos, inp.ttl
            opts = inp.opts
        try:
            if inp.flags & INP_DONTFRAG and not inp.flags & INP_HDRINCL:
                flags |= IP_RAWOUTPUT
                self._dontfrag(m, bound)
                opts = None
            ip.output(m, opts, flags, inp.moptions, None, bound)
        except NeedFrag as exc:
            inp.errormtu = exc.mtu
            raise

    def _dontfrag(self, m: Mbuf, bound: Ifnet | None) -> None:
        """Put a header with the DF bit before *m*."""
        m.src = m.src or self.table.selectsrc(m.dst, None)
        ip = self.stack.ip
        head = Ipv4(
            m.tos,
            IP_HLEN + len(m.data),
            ip.newid(),
            IP_DF,
            m.ttl,
            m.proto,
            0,
            m.src,
            m.dst,
            b"",
            b"",
        ).header()
        m.data = ip.with_cksum(head) + m.data
        ip.reparse(m)
        self.stat["localout"] += 1
        del bound

    def _included(self, inp: Inpcb, data: bytes, dst: int) -> Mbuf:
        """Check a packet whose header the program wrote. Raises EINVAL."""
        ip = self.stack.ip
        m = Mbuf(data)
        if not ip.reparse(m) or m.ip_len != len(data):
            raise NetError("EINVAL")
        head = bytearray(data[: m.hlen])
        if not m.ip_id:
            head[4:6] = ip.newid().to_bytes(2, "big")
        if not m.src:
            m.src = inp.laddr or self.table.selectsrc(dst, inp)
            head[12:16] = m.src.to_bytes(4, "big")
        m.data = ip.with_cksum(head) + data[m.hlen :]
        ip.reparse(m)
        return m

    def shutdown(self, so: Socket, how: int) -> None:
        """Nothing is to be told to the peer: kern.socket has closed the ways."""

    def sockaddr(self, so: Socket) -> Sockaddr:
        """getsockname(2)."""
        return SockaddrIn(so.pcb.laddr)

    def peeraddr(self, so: Socket) -> Sockaddr:
        """getpeername(2). Raises ENOTCONN."""
        if not so.pcb.faddr:
            raise NetError("ENOTCONN")
        return SockaddrIn(so.pcb.faddr)

    def getopt(self, so: Socket, level: int, name: int) -> Any:
        """getsockopt(2)."""
        if level != IPPROTO_IP:
            raise NetError("ENOPROTOOPT")
        if name in MRT_ALL and self.stack.mroute is not None:
            return self.stack.mroute.get(so, name)
        return self.table.getopt(so.pcb, name)

    def setopt(self, so: Socket, level: int, name: int, value: Any) -> None:
        """setsockopt(2)."""
        if level != IPPROTO_IP:
            raise NetError("ENOPROTOOPT")
        if name in MRT_ALL and self.stack.mroute is not None:
            self.stack.mroute.set(so, name, value)
            return
        self.table.setopt(so.pcb, name, value)


def pcbinfo(proto: str, inp: Inpcb) -> PcbInfo:
    """Return what netstat and sockstat show of *inp*."""
    so = inp.socket
    return PcbInfo(
        proto=proto,
        laddr=inp.laddr,
        lport=inp.lport,
        faddr=inp.faddr,
        fport=inp.fport,
        rcv=so.rcv.cc,
        snd=so.snd.cc,
        state=0,
        pcbaddr=id(inp) & 0xFFFFFFFF,
        uid=so.cred.uid,
        pid=so.cred.pid,
        comm=so.cred.comm,
    )
