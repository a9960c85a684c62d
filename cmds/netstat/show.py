"""What netstat asks the stack, and the order in which it shows it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from cmds._bsd import err_of
from cmds._names import Names
from libnet.addr import AF_INET, SockaddrDl, SockaddrIn, class_mask, inet_ntoa
from libnet.errors import NetError
from libnet.ioctl.sysctl import (
    CTL_NET,
    CTL_QUERY,
    NET_RT_DUMP,
    NET_RT_IFLIST,
    PF_ROUTE,
    BpfPeer,
    PcbInfo,
    SysctlNode,
)
from libnet.libsocket.ctx import Ctx

AF_LOCAL: Final = 1
AF_INET6: Final = 24
AF_ARP: Final = 28
IFF_UP: Final = 0x1

# Protocols by family: name, and the node its counters are under.
INET: Final = ("tcp", "udp", "ip", "icmp", "igmp", "carp", "ipsec", "pim")
INET6: Final = ("ip6", "icmp6", "tcp6", "udp6", "ipsec6", "pim6", "rip6")
OTHERS: Final = ("arp", "pfkey")
# Shown for -p only: the original has no counters for them.
OURS: Final = ("bridge",)
# Where these are not configured the original says nothing, even when asked for them.
_SILENT: Final = ("carp", "pim", "pim6")


def _node(proto: str) -> str:
    if proto in INET6:
        return f"net.inet6.{proto}.stats"
    if proto in OURS:
        return f"net.link.{proto}.stats"
    return "net.key.stats" if proto == "pfkey" else f"net.inet.{proto}.stats"


class Options:
    """What the command line said.

    family  AF_*, 0 for all       interval  seconds of -w, 0 for once
    fib     routing table, -1 for all       stats  how often -s was given
    """

    def __init__(self) -> None:
        self.pcbs = self.all = self.octets = self.drops = self.timer = False
        self.numeric = self.numeric_addr = self.no_llinfo = self.bare = self.verbose = False
        self.interfaces = False
        self.interface: str | None = None
        self.proto: str | None = None
        self.pcb: int | None = None
        self.family = self.interval = self.fib = self.stats = 0


class Netstat:
    """One run of the program."""

    def __init__(self, ctx: Ctx, opt: Options) -> None:
        self.ctx, self.opt = ctx, opt
        self.err = err_of(ctx)
        self.out = ctx.stdout
        self.names = Names(ctx)
        self._domain: str | None = None
        self._children: dict[tuple[int, ...], list[SysctlNode]] = {}
        try:
            self._control = ctx.control()
        except NetError as exc:
            self.err.err(exc, "socket")

    @staticmethod
    def protocol(ctx: Ctx, name: str) -> str | None:
        """Return the protocol of -p by its name or an alias of /etc/protocols, or None."""
        known = (*INET, *INET6, *OTHERS, *OURS)
        if name in known:
            return name
        table = Names(ctx).protocols
        number = table.by_name.get(name)
        official = table.by_number.get(number) if number is not None else None
        return official if official in known else None

    # -- the stack

    def mib(self, path: str) -> list[int]:
        """Return the numbers of a node. Raises ENOENT."""
        mib: list[int] = []
        for part in path.split("."):
            key = tuple(mib)
            if key not in self._children:
                self._children[key] = self._control.call("sysctl", [*mib, CTL_QUERY], None)
            found = next((n for n in self._children[key] if n.name == part), None)
            if found is None:
                raise NetError("ENOENT")
            mib.append(found.num)
        return mib

    def sysctl(self, path: str) -> Any:
        """Return the value of a node. Raises NetError."""
        return self._control.call("sysctl", self.mib(path), None)

    def sysctl_or_none(self, path: str) -> Any:
        """Return the value of a node, None where the stack has none."""
        try:
            return self.sysctl(path)
        except NetError as exc:
            if exc.symbol in ("ENOENT", "ENOTDIR", "EOPNOTSUPP"):
                return None
            self.err.err(exc, path)

    def wanted(self, path: str) -> Any:
        """Return the value of a node; a message and exit 1 where there is none."""
        try:
            return self.sysctl(path)
        except NetError as exc:
            self.err.err(exc, path)

    # -- names

    def hostname(self, addr: int) -> str | None:
        """Return the name of a host, without the domain when it is our own."""
        name = self.names.gethostbyaddr(addr)
        if name and "." in name:
            if self._domain is None:
                own = self.sysctl_or_none("kern.hostname")
                self._domain = str(own or "").partition(".")[2]
            if self._domain and name.partition(".")[2] == self._domain:
                return name.partition(".")[0]
        return name

    def inetname(self, addr: int) -> str:
        """Return an address as sockets show it."""
        if not addr:
            return "*"
        name = None
        if not self.opt.numeric_addr:
            mask = class_mask(addr)
            if not addr & ~mask:
                from libnet.text.routes import trailing_zeros_off

                name = self.names.getnetbyaddr(trailing_zeros_off(addr & mask))
            name = name or self.hostname(addr)
        return name or inet_ntoa(addr)

    def portname(self, port: int, proto: str) -> str:
        """Return a port as sockets show it."""
        if not port:
            return "*"
        name = None if self.opt.numeric else self.names.getservbyport(port, proto)
        return name or str(port)

    # -- -s, -p

    def protocol_stats(self, proto: str) -> None:
        """Print the statistics of one protocol."""
        if proto in _SILENT:
            counters = self.sysctl_or_none(_node(proto))
        else:
            counters = self.wanted(_node(proto))
        if counters is not None:
            self.print_stats(proto, counters)

    def print_stats(self, proto: str, counters: dict[str, int]) -> None:
        """Print the counters of one protocol."""
        from libnet.text.netstat import STATS, stats

        if proto not in STATS:
            self.out.write(f"{proto}: no stats routine\n")
            return
        self.out.write(stats(proto, counters, nonzero=self.opt.stats > 1))

    def protocols(self) -> None:
        """Print the sockets, with -s the statistics, of the protocols of a family."""
        family = self.opt.family
        names: list[str] = []
        if family in (0, AF_INET):
            names += self._inet_order()
        if family in (0, AF_INET6):
            names += INET6
        if family in (0, AF_ARP):
            names.append("arp")
        if family in (0, 29):
            names.append("pfkey")
        if self.opt.stats:
            # Of an interface only IPv6 keeps statistics.
            for name in () if self.opt.interfaces else names:
                counters = self.sysctl_or_none(_node(name))
                if counters is not None:
                    self.print_stats(name, counters)
            return
        self._sockets([name for name in names if name in ("tcp", "udp")])
        if family == AF_LOCAL:
            from libnet.text.netstat import UNIX_HEADER

            self.out.write(UNIX_HEADER)

    def _inet_order(self) -> list[str]:
        """Return the IPv4 protocols in the order of /etc/protocols, then those it lacks."""
        listed = [name for name in self.names.protocols.by_number.values() if name in INET]
        return [*listed, *(name for name in INET if name not in listed)]

    def _sockets(self, protos: list[str]) -> None:
        from libnet.text.netstat import PcbTable, unnamed

        opt = self.opt
        table = PcbTable(pcbs=opt.pcbs, servers=opt.all, numeric=opt.numeric_addr)
        first = True
        for proto in protos:
            pcb: PcbInfo
            for pcb in self.sysctl_or_none(f"net.inet.{proto}.pcblist") or ():
                if not opt.all and unnamed(pcb.laddr):
                    continue
                if first:
                    self.out.write(table.header())
                    first = False
                local = table.address(self.inetname(pcb.laddr), self.portname(pcb.lport, proto))
                foreign = table.address(self.inetname(pcb.faddr), self.portname(pcb.fport, proto))
                self.out.write(
                    table.row(proto, pcb.rcv, pcb.snd, local, foreign, pcb.state, pcb.pcbaddr)
                )

    def dump_pcb(self) -> None:
        """Print one control block (-P)."""
        from libnet.text.netstat import tcpcb

        proto = self.opt.proto or "tcp"
        if proto not in ("tcp", "tcp6"):
            self.out.write(f"{proto}: no PCB dump routine\n")
            return
        assert self.opt.pcb is not None
        path = "net.inet.tcp.pcb"
        try:
            addr = self.opt.pcb
            mib = [*self.mib(path), addr >> 32, addr & 0xFFFFFFFF]
            fields = self._control.call("sysctl", mib, None)
        except NetError as exc:
            self.err.err(exc, path)
        self.out.write(tcpcb(addr, fields))

    # -- -i, -w

    def _iflist(self, family: int = AF_INET) -> Iterator[Any]:
        from libnet.wire.rtsock import BadRtMessage, unpack_all

        mib = [CTL_NET, PF_ROUTE, 0, family, NET_RT_IFLIST, 0]
        try:
            yield from unpack_all(self._control.call("sysctl", mib, None))
        except NetError as exc:
            self.err.err(exc, "sysctl of interface list")
        except BadRtMessage as exc:
            self.err.errx(f"sysctl of interface list: {exc}")

    def _odrops(self, names: list[str]) -> dict[str, int]:
        """Return how many packets each send queue has dropped, which if_msghdr has no room for."""
        from libnet.ioctl.sockio import SIOCGIFDATA, IfDataReq
        from libnet.libsocket.sock import SOCK_DGRAM

        drops: dict[str, int] = {}
        try:
            sock = self.ctx.socket(AF_INET, SOCK_DGRAM)
        except NetError as exc:
            self.err.err(exc, "socket")
        for name in names:
            try:
                answer = sock.ioctl(SIOCGIFDATA, IfDataReq(name))
            except NetError as exc:
                if exc.symbol == "ENXIO":  # it has just gone
                    continue
                self.err.err(exc, f"SIOCGIFDATA: {name}")
            drops[name] = answer.data.odrops
        sock.close()
        return drops

    def _counters(self, messages: list[Any]) -> dict[str, dict[str, int]]:
        """Return the counters of each interface of a dump, in order."""
        from libnet.text.netstat import COUNTED
        from libnet.wire.rtsock import IfMsg

        found: dict[str, dict[str, int]] = {}
        for msg in messages:
            if isinstance(msg, IfMsg) and isinstance(msg.addrs.ifp, SockaddrDl):
                data = {key: getattr(msg.data, key) for key in COUNTED if key != "odrops"}
                found[msg.addrs.ifp.name] = data
        if self.opt.drops:
            for name, count in self._odrops(list(found)).items():
                found[name]["odrops"] = count
        return found

    def interfaces(self) -> None:
        """Print the table of interfaces, or with an interval the running display."""
        if self.opt.interval:
            self._sideways()
            return
        from libnet.text.netstat import IfTable

        opt = self.opt
        rows = self._ifrows()
        if opt.interface is not None and not rows:
            self.err.errx(f"{opt.interface}: unknown interface")
        table = IfTable(octets=opt.octets, drops=opt.drops, timer=opt.timer, wide=opt.verbose)
        if not (opt.stats or opt.bare):
            self.out.write(table.header())
        for row in rows:
            self.out.write(table.rows(row))

    def _ifrows(self) -> list[Any]:
        from libnet.text.netstat import IfRow
        from libnet.text.routes import RouteText
        from libnet.wire.rtsock import IfaMsg, IfMsg

        text = RouteText(
            lambda _index: "",
            nflag=self.opt.numeric,
            hosts=self.hostname,
            nets=self.names.getnetbyaddr,
        )
        messages = list(self._iflist())
        counters = self._counters(messages)
        groups: dict[str, list[int]] = {}
        if self.opt.all:
            groups = self.sysctl_or_none("net.inet.multicast") or {}
        rows: list[IfRow] = []
        row: IfRow | None = None
        for msg in messages:
            if isinstance(msg, IfMsg) and isinstance(msg.addrs.ifp, SockaddrDl):
                row = None
                name = msg.addrs.ifp.name
                if self.opt.interface in (None, name) and name in counters:
                    row = IfRow(name, bool(msg.flags & IFF_UP), msg.data.mtu, [], counters[name])
                    row.addrs.append(("<Link>", msg.addrs.ifp.lladdr.hex(":"), []))
                    rows.append(row)
            elif row is not None and isinstance(msg, IfaMsg):
                ifa, mask = msg.addrs.ifa, msg.addrs.netmask or 0
                if isinstance(ifa, SockaddrIn):
                    network = text.netname(ifa.addr & mask, mask)
                    # Memberships belong to an interface; they are listed with its first address.
                    joined = groups.pop(row.name, []) if self.opt.all else []
                    multi = [text.routename(SockaddrIn(group)) for group in joined]
                    row.addrs.append((network, text.routename(ifa), multi))
        return rows

    def _sideways(self) -> None:
        from libnet.text.netstat import Sideways

        opt = self.opt
        counters = self._counters(list(self._iflist()))
        name = opt.interface if opt.interface is not None else next(iter(counters), "")
        if name not in counters:
            self.err.errx(f"{name}: unknown interface")
        display = Sideways(name, octets=opt.octets, drops=opt.drops)
        due = self.ctx.now()
        while True:
            self.out.write(display.sample(counters))
            self.out.flush()
            due += opt.interval
            self.ctx.sleep(max(0.0, due - self.ctx.now()))
            counters = self._counters(list(self._iflist()))

    # -- the rest

    def routes(self) -> None:
        """Print the routing table, with -s its statistics."""
        opt = self.opt
        if opt.stats:
            self.print_stats("routing", self.wanted("net.route.stats"))
            return
        if opt.fib > 0:
            self.err.errx(f"FIB {opt.fib}: this stack has one routing table, 0")
        from libnet.text.routes import RouteText, routes_text
        from libnet.wire.rtsock import BadRtMessage, RtMsg, unpack_all

        index: dict[int, str] = {}
        for msg in self._iflist():
            ifp = getattr(msg.addrs, "ifp", None)
            if isinstance(ifp, SockaddrDl) and ifp.name:
                index[msg.index] = ifp.name
        mib = [CTL_NET, PF_ROUTE, 0, opt.family, NET_RT_DUMP, 0]
        text = RouteText(
            lambda number: index.get(number, ""),
            nflag=opt.numeric,
            hosts=self.hostname,
            nets=self.names.getnetbyaddr,
        )
        try:
            dump = list(unpack_all(self._control.call("sysctl", mib, None)))
        except NetError as exc:
            self.err.err(exc, "sysctl of routing table")
        except BadRtMessage as exc:
            self.err.errx(f"sysctl of routing table: {exc}")
        messages = [msg for msg in dump if isinstance(msg, RtMsg)]
        self.out.write("Routing tables\n")
        self.out.write(
            routes_text(
                messages,
                text,
                family=opt.family,
                no_llinfo=opt.no_llinfo,
                verbose=opt.verbose,
            )
        )

    def groups(self) -> None:
        """Print the tables of multicast routing, with -s its statistics."""
        if self.opt.family in (0, AF_INET):
            self._mroute()
        if self.opt.family == AF_INET6:
            self.out.write("no IPv6 multicast routing compiled into this system\n")

    def _mroute(self) -> None:
        from libnet.text.netstat import mroute

        path = "net.inet.mroute"
        if self.opt.stats:
            counters = self.sysctl_or_none(f"{path}.stats")
            if counters is not None:
                self.print_stats("multicast routing", counters)
                return
        else:
            vifs = self.sysctl_or_none(f"{path}.viftable")
            if vifs is not None:
                self.out.write(mroute(vifs, self.wanted(f"{path}.mfctable")))
                return
        self.out.write("no multicast routing compiled into this system\n")

    def mbufs(self) -> None:
        """Print the use of packet memory."""
        from libnet.text.netstat import mbufs

        self.out.write(mbufs(self.wanted("kern.mbuf.stats")))

    def queues(self) -> None:
        """Print the queues between the drivers and the protocols."""
        path = "net.inet.ip.ifq"
        if self.sysctl_or_none(f"{path}.len") is None:
            return
        length, limit, drops = (self.wanted(f"{path}.{k}") for k in ("len", "maxlen", "drops"))
        self.out.write(
            f"ipintrq:\n\tqueue length: {length}\n\tmaximum queue length: {limit}\n"
            f"\tpackets dropped: {drops}\n"
        )

    def bpf(self) -> None:
        """Print the statistics, or the open descriptors, of the packet filter device."""
        from libnet.text.netstat import BPF_HEADER, bpf_peer

        if self.opt.stats:
            self.print_stats("bpf", self.wanted("net.bpf.stats"))
            return
        peers: list[BpfPeer] = self.wanted("net.bpf.peers")
        self.out.write(BPF_HEADER)
        for peer in peers:
            if self.opt.interface in (None, peer.ifname):
                self.out.write(bpf_peer(peer))
