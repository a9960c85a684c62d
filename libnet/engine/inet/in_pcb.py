"""Protocol control blocks of IPv4: who owns which address and port (NetBSD in_pcb).

One table serves one transport. A pcb is found by its four numbers in one dict get when it is
connected, else among those bound to the port, the most specific first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from libnet.addr import AF_INET, INADDR_ANY, INADDR_BROADCAST, Sockaddr, SockaddrIn, is_multicast
from libnet.engine.inet.ip_options import pcbopts
from libnet.engine.inet.ip_var import (
    IP_ALLOWBROADCAST,
    IP_MAX_MEMBERSHIPS,
    IP_ROUTETOIF,
    IpMoptions,
    IpOpts,
)
from libnet.engine.kern.socket import (
    MSG_DONTROUTE,
    SO_BROADCAST,
    SO_DONTROUTE,
    SO_REUSEADDR,
    SO_REUSEPORT,
    Socket,
)
from libnet.errors import NetError
from libnet.ioctl.ifflags import IFF_BROADCAST, IFF_LOOPBACK, IFF_MULTICAST

if TYPE_CHECKING:
    from libnet.engine.inet.inetstack import InetStack
    from libnet.engine.kern.mbuf import Mbuf
    from libnet.engine.link.ifnet import Ifaddr, Ifnet

IPPORT_RESERVED: Final = 1024

IPPROTO_IP: Final = 0
IP_OPTIONS: Final = 1
IP_HDRINCL: Final = 2
IP_TOS: Final = 3
IP_TTL: Final = 4
IP_RECVOPTS: Final = 5
IP_RECVRETOPTS: Final = 6
IP_RECVDSTADDR: Final = 7
IP_RETOPTS: Final = 8
IP_MULTICAST_IF: Final = 9
IP_MULTICAST_TTL: Final = 10
IP_MULTICAST_LOOP: Final = 11
IP_ADD_MEMBERSHIP: Final = 12
IP_DROP_MEMBERSHIP: Final = 13
IP_PORTRANGE: Final = 19
IP_RECVIF: Final = 20
IP_ERRORMTU: Final = 21
IP_RECVTTL: Final = 23
IP_DONTFRAG: Final = 67

IP_PORTRANGE_DEFAULT: Final = 0
IP_PORTRANGE_HIGH: Final = 1
IP_PORTRANGE_LOW: Final = 2

INP_RECVOPTS: Final = 0x01
INP_RECVDSTADDR: Final = 0x04
INP_HDRINCL: Final = 0x08
INP_RECVIF: Final = 0x80
INP_RECVTTL: Final = 0x100
INP_DONTFRAG: Final = 0x200

_FLAG_OPTIONS: Final = {
    IP_HDRINCL: INP_HDRINCL,
    IP_RECVOPTS: INP_RECVOPTS,
    IP_RECVDSTADDR: INP_RECVDSTADDR,
    IP_RECVIF: INP_RECVIF,
    IP_RECVTTL: INP_RECVTTL,
    IP_DONTFRAG: INP_DONTFRAG,
}


class Inpcb:
    """struct inpcb.

    laddr, lport, faddr, fport  host integers, 0 for any
    ttl, tos                    of what is sent       proto  of a raw socket
    opts, moptions              IP options and multicast options to send with
    portrange                   IP_PORTRANGE_*        ppcb   the transport's own block
    """

    __slots__ = (
        "errormtu",
        "faddr",
        "flags",
        "fport",
        "laddr",
        "lport",
        "moptions",
        "opts",
        "portrange",
        "ppcb",
        "proto",
        "socket",
        "table",
        "tos",
        "ttl",
    )

    def __init__(self, table: InpcbTable, so: Socket, ttl: int) -> None:
        self.table = table
        self.socket = so
        self.laddr = self.lport = self.faddr = self.fport = 0
        self.flags = 0
        self.ttl = ttl
        self.tos = 0
        self.proto = 0
        self.opts: IpOpts | None = None
        self.moptions: IpMoptions | None = None
        self.portrange = IP_PORTRANGE_DEFAULT
        self.errormtu = 0
        self.ppcb: Any = None


class InpcbTable:
    """The pcbs of one transport (struct inpcbtable).

    pcbs       all, newest last        byport  those with a local port
    connected  by (faddr, fport, laddr, lport)
    """

    def __init__(self, stack: InetStack) -> None:
        self.stack = stack
        self.pcbs: dict[Inpcb, None] = {}
        self.byport: dict[int, dict[Inpcb, None]] = {}
        self.connected: dict[tuple[int, int, int, int], Inpcb] = {}

    # -- life

    def alloc(self, so: Socket, ttl: int) -> Inpcb:
        """Make a pcb for *so* (in_pcballoc)."""
        inp = Inpcb(self, so, ttl)
        so.pcb = inp
        self.pcbs[inp] = None
        return inp

    def detach(self, inp: Inpcb) -> None:
        """Forget *inp* and leave its groups (in_pcbdetach)."""
        self._unhash(inp)
        self.pcbs.pop(inp, None)
        inp.socket.pcb = None
        if inp.moptions is not None:
            for group, ifp in inp.moptions.memberships:
                inm = self.stack.igmp.member(group, ifp)
                if inm is not None:
                    self.stack.igmp.in_delmulti(inm)
            inp.moptions = None

    def _hash(self, inp: Inpcb) -> None:
        if inp.lport:
            self.byport.setdefault(inp.lport, {})[inp] = None
            if inp.faddr:
                self.connected[(inp.faddr, inp.fport, inp.laddr, inp.lport)] = inp

    def _unhash(self, inp: Inpcb) -> None:
        same = self.byport.get(inp.lport)
        if same is not None and inp in same:
            del same[inp]
            if not same:
                del self.byport[inp.lport]
        key = (inp.faddr, inp.fport, inp.laddr, inp.lport)
        if self.connected.get(key) is inp:
            del self.connected[key]

    def set(
        self,
        inp: Inpcb,
        *,
        laddr: int | None = None,
        lport: int | None = None,
        faddr: int | None = None,
        fport: int | None = None,
    ) -> None:
        """Change numbers of *inp* and where it is found (in_pcbstate)."""
        self._unhash(inp)
        if laddr is not None:
            inp.laddr = laddr
        if lport is not None:
            inp.lport = lport
        if faddr is not None:
            inp.faddr = faddr
        if fport is not None:
            inp.fport = fport
        self._hash(inp)

    # -- finding

    def lookup_connect(self, faddr: int, fport: int, laddr: int, lport: int) -> Inpcb | None:
        """Return the pcb of a connection (in_pcblookup_connect)."""
        return self.connected.get((faddr, fport, laddr, lport))

    def lookup_bind(self, laddr: int, lport: int) -> Inpcb | None:
        """Return the unconnected pcb that listens to *laddr* and *lport* (in_pcblookup_bind)."""
        anyone = None
        for inp in self.byport.get(lport, ()):
            if inp.faddr:
                continue
            if inp.laddr == laddr:
                return inp
            if not inp.laddr and anyone is None:
                anyone = inp
        return anyone

    def _conflict(self, laddr: int, lport: int, *, wild: bool) -> Inpcb | None:
        """Return the pcb that binding to these would clash with most (in_pcblookup_port)."""
        best, score = None, 4
        for inp in self.byport.get(lport, ()):
            wildcards = 0
            if inp.faddr:
                wildcards += 1
            if inp.laddr:
                if not laddr:
                    wildcards += 1
                elif inp.laddr != laddr:
                    continue
            elif laddr:
                wildcards += 1
            if wildcards and not wild:
                continue
            if wildcards < score:
                best, score = inp, wildcards
        return best

    # -- binding and connecting

    def bind(self, inp: Inpcb, addr: Sockaddr) -> None:
        """bind(2) (in_pcbbind).

        Raises EINVAL if it is bound, EAFNOSUPPORT, EADDRNOTAVAIL, EACCES for a reserved port, EADDRINUSE.
        """
        so = inp.socket
        if not self.stack.ip.addrs.list:
            raise NetError("EADDRNOTAVAIL")
        if inp.lport or inp.laddr:
            raise NetError("EINVAL")
        laddr, lport = sin(addr)
        reuse = so.options & SO_REUSEPORT
        wild = not so.options & (SO_REUSEADDR | SO_REUSEPORT)
        if is_multicast(laddr):
            # Many may listen to one group if each says so, by either option.
            if so.options & SO_REUSEADDR:
                reuse = SO_REUSEADDR | SO_REUSEPORT
        elif laddr and self.stack.ip.addrs.ifwithaddr(laddr) is None and laddr != INADDR_BROADCAST:
            raise NetError("EADDRNOTAVAIL")
        if not lport:
            self.set(inp, laddr=laddr, lport=self.ephemeral(inp, laddr))
            return
        if lport < IPPORT_RESERVED and not so.cred.suser:
            raise NetError("EACCES")
        other = self._conflict(laddr, lport, wild=wild)
        if other is not None and not reuse & other.socket.options:
            raise NetError("EADDRINUSE")
        if so.cred.uid and not is_multicast(laddr):
            # Nobody takes a port over from another user.
            other = self._conflict(laddr, lport, wild=True)
            if other is not None and other.socket.cred.uid != so.cred.uid:
                raise NetError("EADDRINUSE")
        self.set(inp, laddr=laddr, lport=lport)

    def ephemeral(self, inp: Inpcb, laddr: int) -> int:
        """Return a free port of the range that the socket asked for. Raises EACCES, EAGAIN."""
        ip = self.stack.ip
        if inp.portrange == IP_PORTRANGE_LOW:
            if not inp.socket.cred.suser:
                raise NetError("EACCES")
            low, high = ip.lowportmin, ip.lowportmax
        else:
            low, high = ip.anonportmin, ip.anonportmax
        if low > high:
            low, high = high, low
        count = high - low + 1
        # RFC 6056 3.3.1: start anywhere, so that nobody can tell the next one.
        start = self.stack.dice.getrandbits(32) % count
        for step in range(count):
            port = low + (start - step) % count
            if port and self._conflict(laddr, port, wild=True) is None:
                return port
        raise NetError("EAGAIN")

    def connect(self, inp: Inpcb, addr: Sockaddr) -> None:
        """connect(2) (in_pcbconnect). Raises EAFNOSUPPORT, EADDRNOTAVAIL, EADDRINUSE, no route."""
        faddr, fport = sin(addr)
        if not fport:
            raise NetError("EADDRNOTAVAIL")
        faddr = self.destination(faddr)
        laddr = inp.laddr or self.selectsrc(faddr, inp)
        if self.lookup_connect(faddr, fport, laddr, inp.lport) is not None:
            raise NetError("EADDRINUSE")
        lport = inp.lport or self.ephemeral(inp, laddr)
        self.set(inp, laddr=laddr, lport=lport, faddr=faddr, fport=fport)

    def disconnect(self, inp: Inpcb) -> None:
        """Forget the peer (in_pcbdisconnect)."""
        self.set(inp, faddr=0, fport=0)

    def destination(self, faddr: int) -> int:
        """Return what 0.0.0.0 and 255.255.255.255 stand for: this host, our first broadcast."""
        addrs = self.stack.ip.addrs.list
        if faddr == INADDR_ANY and addrs:
            return addrs[0].addr
        if faddr == INADDR_BROADCAST:
            for ifa in addrs:
                if ifa.ifp.flags & IFF_LOOPBACK:
                    continue
                return ifa.broadaddr if ifa.ifp.flags & IFF_BROADCAST else faddr
        return faddr

    def selectsrc(self, faddr: int, inp: Inpcb | None) -> int:
        """Return the source address to reach *faddr* with (in_selectsrc). Raises EADDRNOTAVAIL.

        The route's interface gives it; among several addresses on the way, the one with the highest
        preference (SIOCSIFADDRPREF), at equal ones the route's own.
        """
        stack = self.stack
        addrs = stack.ip.addrs
        bound = self.bound(inp) if inp is not None else None
        if is_multicast(faddr) and bound is None:
            moptions = inp.moptions if inp is not None else None
            if moptions is not None and moptions.ifp is not None:
                first = addrs.first(moptions.ifp)
                if first is None:
                    raise NetError("EADDRNOTAVAIL")
                return first.addr
        ifa: Ifaddr | None = None
        if bound is not None:
            ifa = addrs.ifaof_ifpforaddr(faddr, bound)
            return ifa.addr if ifa is not None else INADDR_ANY
        if faddr in addrs.local:
            return faddr
        if inp is None or not inp.socket.options & SO_DONTROUTE:
            rt = stack.route.rtalloc(faddr)
            if rt is not None and not rt.ifp.flags & IFF_LOOPBACK:
                ifa = rt.ifa
        if ifa is None:
            ifa = addrs.ifwithladdr(faddr)
        if ifa is None and addrs.list:
            ifa = addrs.list[0]
        if ifa is None:
            raise NetError("EADDRNOTAVAIL")
        return preferred(ifa).addr

    def bound(self, inp: Inpcb) -> Ifnet | None:
        """Return the interface of SO_BINDTODEVICE. Raises ENXIO when it has gone."""
        device = inp.socket.device
        if not device:
            return None
        ifp = self.stack.ifunit(device)
        if ifp is None:
            raise NetError("ENXIO")
        return ifp

    # -- news

    def notify(
        self,
        faddr: int,
        fport: int,
        laddr: int,
        lport: int,
        func: Callable[[Inpcb], None],
    ) -> int:
        """Call *func* for the pcb of that connection; return how many there were."""
        if not faddr or not laddr:
            return 0
        found = [
            inp
            for inp in self.byport.get(lport, ())
            if inp.faddr == faddr and inp.fport == fport and inp.laddr == laddr
        ]
        for inp in found:
            func(inp)
        return len(found)

    def notifyall(self, faddr: int, func: Callable[[Inpcb], None]) -> None:
        """Call *func* for every pcb connected to *faddr* (in_pcbnotifyall)."""
        for inp in list(self.pcbs):
            if faddr and inp.faddr == faddr:
                func(inp)

    def purgeif(self, ifp: Ifnet) -> None:
        """Let go of an interface that goes away (in_pcbpurgeif)."""
        for inp in self.pcbs:
            moptions = inp.moptions
            if moptions is None:
                continue
            if moptions.ifp is ifp:
                moptions.ifp = None
            moptions.memberships = [item for item in moptions.memberships if item[1] is not ifp]

    # -- options of level IPPROTO_IP

    def setopt(self, inp: Inpcb, name: int, value: Any) -> None:
        """setsockopt(2) at level IPPROTO_IP (ip_ctloutput). Raises EINVAL, ENOPROTOOPT, …."""
        if name in (IP_OPTIONS, IP_RETOPTS):
            if type(value) is not bytes:
                raise NetError("EINVAL")
            inp.opts = pcbopts(value)
            return
        if name in (IP_ADD_MEMBERSHIP, IP_DROP_MEMBERSHIP):
            self._membership(inp, name, value)
            return
        if type(value) is not int:
            raise NetError("EINVAL")
        if name in (IP_TOS, IP_TTL):
            low = 0 if name == IP_TOS else 1
            if not low <= value <= 255:
                raise NetError("EINVAL")
            if name == IP_TOS:
                inp.tos = value
            else:
                inp.ttl = value
        elif name in _FLAG_OPTIONS:
            bit = _FLAG_OPTIONS[name]
            inp.flags = inp.flags | bit if value else inp.flags & ~bit
        elif name == IP_PORTRANGE:
            if value not in (IP_PORTRANGE_DEFAULT, IP_PORTRANGE_HIGH, IP_PORTRANGE_LOW):
                raise NetError("EINVAL")
            inp.portrange = value
        elif name in (IP_MULTICAST_IF, IP_MULTICAST_TTL, IP_MULTICAST_LOOP):
            self._multicast(inp, name, value)
        else:
            raise NetError("ENOPROTOOPT")

    def _multicast(self, inp: Inpcb, name: int, value: int) -> None:
        moptions = inp.moptions or IpMoptions()
        if name == IP_MULTICAST_TTL:
            if not 0 <= value <= 255:
                raise NetError("EINVAL")
            moptions.ttl = value
        elif name == IP_MULTICAST_LOOP:
            if value not in (0, 1):
                raise NetError("EINVAL")
            moptions.loop = value
        elif value == INADDR_ANY:
            moptions.ifp = None
        else:
            ifp = self._multicast_if(value)
            if ifp is None or not ifp.flags & IFF_MULTICAST:
                raise NetError("EADDRNOTAVAIL")
            moptions.ifp = ifp
        inp.moptions = moptions

    def _multicast_if(self, addr: int) -> Ifnet | None:
        """Return the interface that *addr* names: an address of it, or 0.0.0.index."""
        if 0 < addr < 0x01000000:
            return self.stack.ifnets.get(addr)
        found = self.stack.ip.addrs.local.get(addr)
        return found[0].ifp if found else None

    def _membership(self, inp: Inpcb, name: int, mreq: Any) -> None:
        group, interface = getattr(mreq, "multiaddr", None), getattr(mreq, "interface", None)
        if type(group) is not int or type(interface) is not int or not is_multicast(group):
            raise NetError("EINVAL")
        ifp: Ifnet | None = None
        if interface:
            ifp = self._multicast_if(interface)
            if ifp is None:
                raise NetError("EADDRNOTAVAIL")
        moptions = inp.moptions or IpMoptions()
        if name == IP_DROP_MEMBERSHIP:
            for item in moptions.memberships:
                if item[0] == group and ifp in (None, item[1]):
                    moptions.memberships.remove(item)
                    inm = self.stack.igmp.member(group, item[1])
                    if inm is not None:
                        self.stack.igmp.in_delmulti(inm)
                    return
            raise NetError("EADDRNOTAVAIL")
        if ifp is None:
            rt = self.stack.route.rtalloc(group)
            ifp = rt.ifp if rt is not None else self._any_multicast()
        if ifp is None or not ifp.flags & IFF_MULTICAST:
            raise NetError("EADDRNOTAVAIL")
        if (group, ifp) in moptions.memberships:
            raise NetError("EADDRINUSE")
        if len(moptions.memberships) >= IP_MAX_MEMBERSHIPS:
            raise NetError("ETOOMANYREFS")
        self.stack.igmp.in_addmulti(group, ifp)
        moptions.memberships.append((group, ifp))
        inp.moptions = moptions

    def _any_multicast(self) -> Ifnet | None:
        """Return the first interface with an address that can multicast, loopback last."""
        able = [a.ifp for a in self.stack.ip.addrs.list if a.ifp.flags & IFF_MULTICAST]
        outward = [ifp for ifp in able if not ifp.flags & IFF_LOOPBACK]
        found = outward or able
        return found[0] if found else None

    def getopt(self, inp: Inpcb, name: int) -> Any:
        """getsockopt(2) at level IPPROTO_IP. Raises ENOPROTOOPT."""
        if name in (IP_OPTIONS, IP_RETOPTS):
            return b"" if inp.opts is None else inp.opts.data
        if name == IP_TOS:
            return inp.tos
        if name == IP_TTL:
            return inp.ttl
        if name in _FLAG_OPTIONS:
            return int(bool(inp.flags & _FLAG_OPTIONS[name]))
        if name == IP_PORTRANGE:
            return inp.portrange
        if name == IP_ERRORMTU:
            return inp.errormtu
        moptions = inp.moptions or IpMoptions()
        if name == IP_MULTICAST_TTL:
            return moptions.ttl
        if name == IP_MULTICAST_LOOP:
            return moptions.loop
        if name == IP_MULTICAST_IF:
            first = self.stack.ip.addrs.first(moptions.ifp) if moptions.ifp is not None else None
            return first.addr if first is not None else INADDR_ANY
        raise NetError("ENOPROTOOPT")

    # -- receiving

    @staticmethod
    def savecontrol(inp: Inpcb, m: Mbuf) -> dict[str, Any] | None:
        """Return the control data that the socket asked for (ip_savecontrol)."""
        flags = inp.flags & (INP_RECVDSTADDR | INP_RECVIF | INP_RECVTTL | INP_RECVOPTS)
        if not flags:
            return None
        control: dict[str, Any] = {}
        if flags & INP_RECVDSTADDR:
            control["dstaddr"] = m.dst
        if flags & INP_RECVIF and m.rcvif is not None:
            control["recvif"] = m.rcvif.name
        if flags & INP_RECVTTL:
            control["ttl"] = m.ttl
        if flags & INP_RECVOPTS and m.hlen > 20:
            control["opts"] = m.data[20 : m.hlen]
        return control


def preferred(ifa: Ifaddr) -> Ifaddr:
    """Return the address of the same interface and net with the highest preference."""
    best = ifa
    for other in ifa.ifp.addrs:
        if (
            other.family == AF_INET
            and other.preference > best.preference
            and (other.addr ^ ifa.addr) & ifa.mask == 0
        ):
            best = other
    return best


def sin(addr: Sockaddr) -> tuple[int, int]:
    """Return (address, port) of a sockaddr_in. Raises EAFNOSUPPORT, EINVAL."""
    if not isinstance(addr, SockaddrIn):
        raise NetError("EAFNOSUPPORT")
    if not 0 <= addr.addr <= 0xFFFFFFFF or not 0 <= addr.port <= 0xFFFF:
        raise NetError("EINVAL")
    return addr.addr, addr.port


def output_flags(so: Socket, flags: int) -> int:
    """Return IP_* for what the socket's options and the call's flags say."""
    out = 0
    if so.options & SO_DONTROUTE or flags & MSG_DONTROUTE:
        out |= IP_ROUTETOIF
    if so.options & SO_BROADCAST:
        out |= IP_ALLOWBROADCAST
    return out
