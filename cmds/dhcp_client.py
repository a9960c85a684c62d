"""dhcp.client: get an interface its address from a DHCP server, and keep it."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from cmds._bsd import command, err_of, flag, operands, option, program
from cmds._daemon import detach, fork
from cmds._dhcpnet import udp_payload
from cmds._names import HostNotFound, Names
from libnet.addr import (
    AF_INET,
    AF_ROUTE,
    ETHER_BROADCAST,
    SockaddrDl,
    SockaddrIn,
    class_mask,
    inet_aton,
    inet_ntoa,
)
from libnet.errors import NetError
from libnet.ioctl.ifflags import IFF_BROADCAST, IFF_LOOPBACK, IFF_UP
from libnet.ioctl.sockio import (
    SIOCAIFADDR,
    SIOCDIFADDR,
    SIOCGIFADDR,
    SIOCGIFFLAGS,
    SIOCSIFFLAGS,
    IfAliasReq,
    IfReq,
)
from libnet.ioctl.sysctl import CTL_NET
from libnet.libsocket.ctx import Ctx
from libnet.libsocket.pcap import Live, Packet, PcapError, open_live
from libnet.libsocket.sock import SO_BROADCAST, SOCK_DGRAM, SOCK_RAW, SOL_SOCKET, Socket
from libnet.proto.dhcpclient import (
    INADDR_BROADCAST,
    NO_SERVER,
    STOPPED,
    Bound,
    ClientConf,
    DhcpClient,
    Lease,
    Lost,
    Probe,
    Send,
)
from libnet.text.err import Err
from libnet.wire.ipv4 import IPPROTO_UDP, IPTOS_LOWDELAY, ip_build
from libnet.wire.rtsock import (
    NET_RT_IFLIST,
    RTF_GATEWAY,
    RTF_HOST,
    RTF_STATIC,
    RTF_UP,
    RTM_ADD,
    RTM_CHANGE,
    RTM_DELETE,
    BadRtMessage,
    IfMsg,
    RtAddrs,
    RtMsg,
    unpack_all,
)
from libnet.wire.udp import udp_build

if TYPE_CHECKING:
    from libnet.libsocket.ctx import SignalWatch

USAGE: Final = (
    "usage: dhcp.client [-abdHkmnru] [-A num] [-D ident] [-h hostname] [-I num] [-i interface]\n"
    "                   [-P port] [-p port] [-s host] [-T secs] [-t num]\n"
)
NO_INTERFACE: Final = 2
UNANSWERED: Final = 3

POLL_S: Final = 2.0
TTL: Final = 128  # of frames of our own making
DRAIN: Final = 32  # buffers read between two looks at the clock
RELEASE_S: Final = 0.5  # for the neighbour to be found that the release goes to
MAX_TEXT: Final = 1 << 16
LEASES: Final = "/var/db/dhcp.client."
RESOLV_CONF: Final = "/etc/resolv.conf"
SCRIPT: Final = "/etc/dhcp/dhcp-up"  # run when the interface has been set up
LOCAL_NODE: Final = 0  # -r: the number of this node for itself
SLOGC_TCPIP: Final = 14
WARNING, INFO, DEBUG = 3, 5, 6  # severities of the system log
_ETHERTYPE_IP: Final = b"\x08\x00"
_ETHERTYPE_ARP: Final = b"\x08\x06"


class Options(NamedTuple):
    """The command line, understood.

    alias    add the address beside others     sethost  set the box's host name
    dns      keep the name servers             resolv   path of resolv.conf
    strings  keep domain and servers in the box's strings, not in resolv.conf
    domain   keep the domain
    sport, dport  ports of client and server   debug    follow every message in the log
    """

    ifname: str
    alias: bool
    sethost: bool
    dns: bool
    domain: bool
    strings: bool
    resolv: str
    hostname: str
    sport: int
    dport: int
    debug: bool


@command(usage=USAGE)
@option("-A", "declines", default="5")
@flag("-a", "alias")
@flag("-b", "unicast")
@option("-D", "ident")
@flag("-d", "debug")
@flag("-H", "keep_host")
@option("-h", "hostname", default="")
@option("-I", "polls", default="5")
@option("-i", "ifname")
@flag("-k", "keep_domain")
@flag("-m", "strings")
@flag("-n", "no_dns")
@option("-P", "dport", default="67")
@option("-p", "sport", default="68")
@flag("-R", "unknown")
@flag("-r", "node")
@option("-s", "server")
@option("-T", "limit")
@option("-t", "minutes")
@flag("-u", "wait")
@operands
def run(ctx: Ctx, **given: Any) -> int:
    """Find the interface and serve it, in the background at once or, with -u, when it is set up."""
    err = err_of(ctx)
    if given["operands"]:
        return run.usage(ctx)
    if not ctx.root:
        err.err("EPERM", "socket")
    if given["unknown"]:
        err.errx("-R: not supported")
    strings = given["strings"]
    if given["keep_domain"] and not strings:
        err.errx("-k: goes with -m")
    conf = ClientConf(bytes(6))
    conf.declines = _number(err, "-A", given["declines"])
    conf.unicast = given["unicast"]
    conf.hostname = given["hostname"]
    if given["hostname"] and not re.fullmatch(r"[A-Za-z0-9._-]{1,255}", given["hostname"]):
        err.errx(f"-h {given['hostname']}: bad host name")
    if given["server"] is not None:
        try:
            conf.server = Names(ctx).gethostbyname(given["server"])
        except HostNotFound:
            err.errx(f"-s {given['server']}: Unknown host")
    limits = []
    if given["limit"] is not None:
        limits.append(_number(err, "-T", given["limit"], least=1))
    if given["minutes"] is not None:
        limits.append(60 * _number(err, "-t", given["minutes"], least=1))
    conf.timeout_s = min(limits, default=None)
    sport = _number(err, "-p", given["sport"], least=1, most=65535)
    dport = _number(err, "-P", given["dport"], least=1, most=65535)
    ifname, conf.mac = _interface(ctx, err, given["ifname"], _number(err, "-I", given["polls"]))
    if given["ident"] is not None:
        ident = given["ident"].encode("utf-8", "surrogateescape")
        if not 1 <= len(ident) <= 254:
            err.errx("-D: 1 to 254 octets")
        # Type 0: an identifier that is no hardware address (RFC 2132 9.14).
        conf.ident = b"\0" + ident
    else:
        conf.ident = b"\1" + conf.mac
    options = Options(
        ifname,
        given["alias"],
        not given["keep_host"],
        not given["no_dns"],
        not given["keep_domain"] if strings else not given["no_dns"],
        strings,
        f"{RESOLV_CONF}.{LOCAL_NODE}" if given["node"] else RESOLV_CONF,
        conf.hostname,
        sport,
        dport,
        given["debug"],
    )
    daemon = Daemon(ctx, options, DhcpClient(conf, ctx.host.dice))
    if given["wait"]:
        status = daemon.serve(until_bound=True)
        if status is not None:
            if status == UNANSWERED:
                err.warnx(f"{ifname}: no DHCP server answered")
            return status
    return _background(ctx, daemon)


main = program("dhcp.client", run)


def _number(err: Err, name: str, text: str, *, least: int = 0, most: int = 10**7) -> int:
    if not re.fullmatch(r"[0-9]{1,8}", text) or not least <= int(text) <= most:
        err.errx(f"{name} {text}: bad value")
    return int(text)


def _background(ctx: Ctx, daemon: Daemon) -> int:
    """Go on serving where nobody waits for us."""
    if ctx.services is not None:
        # In the simulator there is one process: the rest of the program is a job of the box.
        ctx.services.start_job(ctx.prog, lambda _out, _err: daemon.serve() or 0)
        return 0
    bound = daemon.client.lease is not None
    daemon.pause()
    if not fork(ctx):
        return 0
    detach()
    return (daemon.resume() if bound else daemon.serve()) or 0


# The interface


def _interface(ctx: Ctx, err: Err, wanted: str | None, polls: int) -> tuple[str, bytes]:
    """Return name and address of the interface, up. Exits with NO_INTERFACE when there is none."""
    why = "no interface" if wanted is None else f"{wanted}: no such interface"
    for attempt in range(max(polls, 1)):
        if attempt:
            ctx.sleep(POLL_S)
        try:
            with ctx.socket(AF_INET, SOCK_DGRAM) as sock:
                for msg in unpack_all(
                    sock.call("sysctl", [CTL_NET, AF_ROUTE, 0, 0, NET_RT_IFLIST, 0], None)
                ):
                    link = msg.addrs.ifp if isinstance(msg, IfMsg) else None
                    if isinstance(link, SockaddrDl) and _fits(sock, link, wanted):
                        flags = sock.ioctl(SIOCGIFFLAGS, IfReq(link.name)).value
                        if not flags & IFF_UP:
                            sock.ioctl(SIOCSIFFLAGS, IfReq(link.name, flags | IFF_UP))
                        return link.name, link.lladdr
        except BadRtMessage:
            err.err("EINVAL", "sysctl")
        except NetError as exc:
            # A stack or an interface that is only starting is what the polls are for.
            why = f"{wanted or 'no interface'}: {exc.strerror}"
    err.errx(why, NO_INTERFACE)


def _fits(sock: Socket, link: SockaddrDl, wanted: str | None) -> bool:
    """Tell whether this is the interface asked for, or one that has no address yet."""
    if len(link.lladdr) != 6 or (wanted is not None and link.name != wanted):
        return False
    flags = sock.ioctl(SIOCGIFFLAGS, IfReq(link.name)).value
    if flags & IFF_LOOPBACK or not flags & IFF_BROADCAST:
        return False
    return wanted is not None or not _first_addr(sock, link.name)


def _first_addr(sock: Socket, ifname: str) -> int:
    """Return the first address of an interface, 0 when it has none."""
    try:
        addr = sock.ioctl(SIOCGIFADDR, IfReq(ifname)).addr
    except NetError:
        return 0
    return addr.addr if isinstance(addr, SockaddrIn) else 0


class Daemon:
    """The client at work: frames in and out, and what it decides done to the box."""

    def __init__(self, ctx: Ctx, options: Options, client: DhcpClient) -> None:
        self.ctx, self.options, self.client = ctx, options, client
        self._pcap: Live | None = None
        self._sock: Socket | None = None  # bound to the lease's address: renewals and releases
        self._setup = Setup(ctx, options, self.log)
        self._up: Any = None  # the script that was started last

    def log(self, severity: int, text: str) -> None:
        """Write to the system log of the box."""
        slog = self.ctx.slog
        if slog is None:
            from libnet.loop.slog import SlogWriter

            slog = self.ctx.slog = SlogWriter(self.ctx.box.slog)
        slog.write(severity, SLOGC_TCPIP, 0, f"{self.ctx.prog}: {text}")

    def serve(self, *, until_bound: bool = False) -> int | None:
        """Work until told to end: return the exit status; None when the interface is set up."""
        signals = self.ctx.host.watch_signals("SIGTERM", "SIGINT", "SIGPWR")
        try:
            if self._pcap is None:
                self._pcap = self._open()
                self.client.start(self.ctx.now(), last=self._setup.last())
            status = self._loop(self._pcap, signals, until_bound)
        except PcapError as exc:
            # The interface has gone, or the stack: there is nothing left to give back.
            self.log(WARNING, str(exc))
            status = 1
        finally:
            signals.close()
        if status is not None:
            self._close()
        return status

    def pause(self) -> None:
        """Close what is open: the stack is to know the descriptors as those of the process to come."""
        self._close()

    def resume(self) -> int | None:
        """Open it again and go on."""
        try:
            self._pcap = self._open()
        except PcapError as exc:
            self.log(WARNING, str(exc))
            return 1
        if self.client.lease is not None:
            self._sock = self._bind(self.client.lease.addr)
        return self.serve()

    def _open(self) -> Live:
        pcap = open_live(self.ctx, self.options.ifname, promisc=False, timeout_ms=0, immediate=True)
        try:
            pcap.setdirection(sent=False)
            pcap.setfilter(f"arp or udp dst port {self.options.sport}")
        except PcapError:
            pcap.close()
            raise
        return pcap

    def _close(self) -> None:
        if self._pcap is not None:
            self._pcap.close()
            self._pcap = None
        self._close_socket()

    def _close_socket(self) -> None:
        if self._sock is not None:
            self._sock.close()
            self._sock = None

    def _loop(self, pcap: Live, signals: SignalWatch, until_bound: bool) -> int | None:
        client, ctx = self.client, self.ctx
        while True:
            client.run(ctx.now())
            self._act(pcap)
            if until_bound and client.lease is not None:
                return None
            if client.failure:
                self.log(WARNING, f"{self.options.ifname}: {client.failure}")
                return UNANSWERED if client.failure == NO_SERVER else 1
            if client.state == STOPPED:
                return 0
            if self._up is not None and self._up.poll() is not None:
                self._up = None
            due = client.next_due()
            waiting: list[Any] = [pcap.descriptor, signals]
            if self._sock is not None:
                waiting.append(self._sock)
            timeout = None if due is None else max(0.0, due - ctx.now())
            ready = ctx.wait(waiting, timeout)
            if signals in ready:
                self._signals(signals)
                self._act(pcap)
            if pcap.descriptor in ready:
                for _ in range(DRAIN):
                    if not pcap.dispatch(-1, self._frame, wait=False):
                        break
            if self._sock is not None and self._sock in ready:
                self._datagrams(self._sock)

    def _signals(self, signals: SignalWatch) -> None:
        for name in signals.take():
            if name == "SIGPWR":
                self.client.stop()
            else:
                self.client.release(self.ctx.now())

    # -- in

    def _frame(self, packet: Packet) -> None:
        """Take a captured frame."""
        now, data = self.ctx.now(), packet.data
        if data[12:14] == _ETHERTYPE_ARP:
            self.client.arp_input(data[14:], now)
            return
        found = udp_payload(data, self.options.sport)
        if found is not None:
            self.client.input(found[1], now)

    def _datagrams(self, sock: Socket) -> None:
        """Empty the socket: what it gets is captured as well, and taken from there."""
        for _ in range(DRAIN):
            try:
                sock.recvfrom()
            except NetError as exc:
                if exc.symbol not in ("EAGAIN", "EINTR"):
                    self.log(DEBUG, f"recvfrom: {exc.strerror}")
                return

    # -- out

    def _act(self, pcap: Live) -> None:
        """Do what the client wants done."""
        released = False
        for item in self.client.take_output():
            if isinstance(item, Send):
                self._send(pcap, item)
                released = self.client.state == STOPPED
            elif isinstance(item, Probe):
                self._inject(pcap, _ETHERTYPE_ARP, item.octets)
            elif isinstance(item, Bound):
                self._bound(item)
            else:
                if released:
                    self.ctx.sleep(RELEASE_S)
                self._lost(item)
        lines = self.client.take_log()
        if self.options.debug:
            for line in lines:
                self.log(DEBUG, f"{self.options.ifname}: {line}")

    def _inject(self, pcap: Live, etype: bytes, octets: bytes) -> None:
        try:
            pcap.inject(ETHER_BROADCAST + self.client.conf.mac + etype + octets)
        except PcapError as exc:
            # The interface is down for now: the client will say it again.
            self.log(DEBUG, f"{self.options.ifname}: {exc}")

    def _send(self, pcap: Live, item: Send) -> None:
        options = self.options
        if item.dst == INADDR_BROADCAST:
            packet = ip_build(
                udp_build(options.sport, options.dport, item.octets, src=item.src, dst=item.dst),
                src=item.src,
                dst=item.dst,
                proto=IPPROTO_UDP,
                ttl=TTL,
                tos=IPTOS_LOWDELAY,
            )
            self._inject(pcap, _ETHERTYPE_IP, packet)
        elif self._sock is not None:
            try:
                self._sock.sendto(item.octets, SockaddrIn(item.dst, options.dport))
            except NetError as exc:
                self.log(DEBUG, f"sendto {inet_ntoa(item.dst)}: {exc.strerror}")

    def _bound(self, item: Bound) -> None:
        lease = item.lease
        self._setup.remember(lease, self.ctx.now(), self.ctx.wall())
        if item.before is not None and lease.same_setup(item.before):
            return
        try:
            self._setup.apply(lease, item.before)
        except NetError as exc:
            self.log(WARNING, f"{inet_ntoa(lease.addr)}: {exc.strerror}")
            return
        self.log(INFO, f"{self.options.ifname}: {inet_ntoa(lease.addr)} configured")
        self._script()
        if self._sock is None:
            self._sock = self._bind(lease.addr)

    def _script(self) -> None:
        """Start the box's own script, if it has one; do not wait for it."""
        ctx = self.ctx
        path = ctx.file(SCRIPT)
        if not os.path.isfile(path):
            return
        try:
            if ctx.services is not None:
                with open(path, encoding="utf-8", errors="replace") as file:
                    ctx.services.spawn(file.read(MAX_TEXT))
                return
            # Only here: most boxes have no script, and the module takes its time.
            import subprocess

            self._up = subprocess.Popen(
                [path],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=dict(ctx.environ),
                start_new_session=True,
            )
        except OSError as exc:
            self.log(WARNING, f"{SCRIPT}: {exc.strerror}")

    def _bind(self, addr: int) -> Socket | None:
        try:
            sock = self.ctx.socket(AF_INET, SOCK_DGRAM)
        except NetError as exc:
            self.log(WARNING, f"socket: {exc.strerror}")
            return None
        try:
            sock.setsockopt(SOL_SOCKET, SO_BROADCAST, 1)
            sock.bind(SockaddrIn(addr, self.options.sport))
        except NetError as exc:
            # Another client has the port: renewing has to wait for T2 and its broadcasts.
            self.log(WARNING, f"bind: {exc.strerror}")
            sock.close()
            return None
        return sock

    def _lost(self, item: Lost) -> None:
        self._close_socket()
        self._setup.remove(item.lease)
        self.log(INFO, f"{self.options.ifname}: {inet_ntoa(item.lease.addr)} given up")


class Setup:
    """What a lease does to the box: address, routes, resolver, host name."""

    def __init__(self, ctx: Ctx, options: Options, log: Any) -> None:
        self._ctx, self._options, self._log = ctx, options, log

    # -- the lease, for the next start

    def _file(self) -> str:
        return self._ctx.file(LEASES + self._options.ifname)

    def last(self) -> int:
        """Return the address of the last lease if it still runs, 0 otherwise."""
        try:
            with open(self._file(), encoding="ascii", errors="replace") as file:
                words = file.read(64).split()
            addr = inet_aton(words[0])
            return addr if words[1] == "never" or float(words[1]) > self._ctx.wall() else 0
        except (OSError, ValueError, IndexError):
            return 0  # no lease, or a file that somebody cut: a new address is no loss

    def remember(self, lease: Lease, now: float, wall: float) -> None:
        """Write the lease down."""
        end = "never" if lease.end is None else str(int(wall + lease.end - now))
        self._write(LEASES + self._options.ifname, f"{inet_ntoa(lease.addr)} {end}\n")

    def _write(self, path: str, text: str) -> None:
        from libnet.lab.world import write_file

        try:
            write_file(self._ctx.file(path), text)
        except OSError as exc:
            self._log(WARNING, f"{path}: {exc.strerror}")

    # -- address and routes

    def apply(self, lease: Lease, before: Lease | None) -> None:
        """Set all that *lease* says. Raises NetError when not even the address can be set."""
        options = self._options
        mask = lease.mask or class_mask(lease.addr)
        broadcast = lease.broadcast or (lease.addr & mask) | (mask ^ 0xFFFFFFFF)
        with self._ctx.socket(AF_INET, SOCK_DGRAM) as sock:
            old = 0 if options.alias or before is not None else _first_addr(sock, options.ifname)
            if old and old != lease.addr:
                sock.ioctl(SIOCDIFADDR, IfReq(options.ifname, addr=SockaddrIn(old)))
            request = IfAliasReq(
                options.ifname, SockaddrIn(lease.addr), SockaddrIn(broadcast), SockaddrIn(mask)
            )
            sock.ioctl(SIOCAIFADDR, request)
        if before is not None:
            self._routes(RTM_DELETE, before)
        self._routes(RTM_ADD, lease)
        if options.dns or options.domain:
            self._names(lease)
        if options.sethost:
            self._hostname(options.hostname or lease.hostname)

    def remove(self, lease: Lease) -> None:
        """Take address and routes away, and forget the lease."""
        self._routes(RTM_DELETE, lease)
        try:
            with self._ctx.socket(AF_INET, SOCK_DGRAM) as sock:
                request = IfReq(self._options.ifname, addr=SockaddrIn(lease.addr))
                sock.ioctl(SIOCDIFADDR, request)
        except NetError as exc:
            self._log(DEBUG, f"{inet_ntoa(lease.addr)}: {exc.strerror}")  # somebody was faster
        try:
            os.unlink(self._file())
        except FileNotFoundError:
            return
        except OSError as exc:
            self._log(WARNING, f"{LEASES}{self._options.ifname}: {exc.strerror}")

    def _routes(self, kind: int, lease: Lease) -> None:
        """Add or delete the routes of *lease*: those of option 33 (classful), and the default one."""
        wanted = [(dst, class_mask(dst), gate) for dst, gate in lease.routes if dst and gate]
        if lease.routers:
            wanted.append((0, 0, lease.routers[0]))
        if not wanted:
            return
        try:
            with self._ctx.socket(AF_ROUTE, SOCK_RAW) as sock:
                sock.shutdown(0)
                for dst, mask, gate in wanted:
                    self._route(sock, kind, dst, mask, gate)
        except NetError as exc:
            self._log(WARNING, f"routing socket: {exc.strerror}")

    def _route(self, sock: Socket, kind: int, dst: int, mask: int, gate: int) -> None:
        flags = RTF_UP | RTF_GATEWAY | RTF_STATIC
        netmask: int | None = mask
        if dst & ~mask:
            flags |= RTF_HOST
            netmask = None
        addrs = RtAddrs(SockaddrIn(dst), SockaddrIn(gate), netmask)
        try:
            try:
                sock.send(RtMsg(kind, flags=flags, addrs=addrs).build())
            except NetError as exc:
                if kind != RTM_ADD or exc.symbol != "EEXIST":
                    raise
                sock.send(RtMsg(RTM_CHANGE, flags=flags, addrs=addrs).build())
        except NetError as exc:
            severity = DEBUG if kind == RTM_DELETE else WARNING
            self._log(severity, f"route {inet_ntoa(dst)} by {inet_ntoa(gate)}: {exc.strerror}")

    # -- names

    def _names(self, lease: Lease) -> None:
        """Keep domain and name servers where they are wanted."""
        # A stranger's text goes into a file of lines: only what can be a domain.
        domain = lease.domain if re.fullmatch(r"[A-Za-z0-9._-]{1,255}", lease.domain) else ""
        if not self._options.domain:
            domain = ""
        servers = [inet_ntoa(addr) for addr in lease.servers] if self._options.dns else []
        if self._options.strings:
            # An underscore stands for a blank and for the end of a line.
            self._string("_CS_DOMAIN", domain)
            self._string("_CS_RESOLVE", "_".join(f"nameserver_{server}" for server in servers))
        elif domain or servers:
            self._resolver(domain, servers)

    def _string(self, name: str, value: str) -> None:
        """Set one of the box's strings, unless there is nothing to set it to."""
        from cmds.setconf import set_string

        if value and not set_string(self._ctx, name, value):
            self._log(WARNING, f"Unable to set {name}")

    def _resolver(self, domain: str, servers: list[str]) -> None:
        """Put domain and name servers into resolv.conf; its other lines stay."""
        path = self._options.resolv
        try:
            with open(self._ctx.file(path), encoding="utf-8", errors="surrogateescape") as file:
                lines = file.read(MAX_TEXT).splitlines()
        except OSError:
            lines = []
        replaced = {"nameserver"} if servers else set()
        if domain:
            replaced |= {"domain", "search"}
        kept = [line for line in lines if (line.split() or [""])[0] not in replaced]
        new = [f"domain {domain}"] if domain else []
        new += [f"nameserver {server}" for server in servers]
        self._write(path, "\n".join(new + kept) + "\n")

    def _hostname(self, name: str) -> None:
        if not name:
            return
        from cmds.hostname import get_name, set_name, valid

        label = name.partition(".")[0]
        if not valid(label):
            self._log(WARNING, f"host name {name!r}: not set")
            return
        if get_name(self._ctx) != label:
            try:
                set_name(self._ctx, label)
            except SystemExit:
                self._log(WARNING, f"host name {label}: not set")
