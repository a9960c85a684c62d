"""A stack with the rooms that routing needs and nothing above them, for tests of those rooms."""

from __future__ import annotations

from libnet.addr import AF_INET, AF_ROUTE, inet_pton, prefix_mask
from libnet.clock import Clock
from libnet.engine.kern.base import StackBase
from libnet.engine.kern.socket import SOCK_RAW, Cred, Socket
from libnet.engine.kern.sysctl import SysctlTree
from libnet.engine.link.ethernet import Ethernet
from libnet.engine.link.ifnet import Ifaddr, Ifnet
from libnet.engine.link.loop import loopattach
from libnet.engine.pfil.pfil import IF_DELADDR, IF_NEWADDR, Pfil
from libnet.engine.route.rtsock import RouteSockets
from libnet.engine.route.table import RouteTable
from libnet.errors import NetError
from libnet.ioctl.ifflags import IFF_POINTOPOINT, IFT_PPP
from libnet.libsocket.box import BoxPaths
from libnet.libsocket.ctx import Ctx
from libnet.libsocket.transport import LocalTransport
from libnet.wire.rtsock import RTF_HOST, RTF_LLINFO, unpack

EPOCH = 1_000_000_000


class RouteStack(StackBase):
    """lo0 (127.0.0.1), wm0 (10.0.0.5/24) and wm1 (10.1.0.5/16)."""

    def __init__(self) -> None:
        super().__init__(Clock(epoch=EPOCH), None)  # type: ignore[arg-type]
        self.pfil = Pfil()
        self.sysctl = SysctlTree()
        self.ether = Ethernet(self)
        self.route = RouteTable(self)
        self.rtsock = RouteSockets(self)
        self.rtsock.sysctl_setup(self.sysctl)
        self.route.rtrequest_hook[AF_INET] = self._arp
        self.hooked: list[tuple[str, str]] = []
        self.lo0 = loopattach(self, "lo0")
        self.lo0.up()
        self.wm0 = self.nic("wm0", "10.0.0.5", 24, b"\x00\x0c\x29\x3a\x41\xb7")
        self.wm1 = self.nic("wm1", "10.1.0.5", 16, b"\x00\x0c\x29\x3a\x41\xb8")
        self.addr(self.lo0, "127.0.0.1", 8, host=True)
        self.clock.run(0)

    def _arp(self, cmd: str, rt) -> None:
        # What the ARP room does to a route: mark entries that hold a link address.
        self.hooked.append((cmd, f"{rt.dst:08x}/{rt.plen}"))
        if cmd != "delete" and not rt.flags & 0x102 and hasattr(rt.gateway, "lladdr"):
            rt.flags |= RTF_LLINFO

    def nic(self, name: str, addr: str, plen: int, lladdr: bytes) -> Ifnet:
        ifp = Ifnet(self, name)
        self.ether.ifattach(ifp, lladdr)
        ifp.up()
        self.addr(ifp, addr, plen)
        return ifp

    def tunnel(self, name: str, addr: str, peer: str) -> Ifnet:
        ifp = Ifnet(self, name, type=IFT_PPP)
        ifp.flags |= IFF_POINTOPOINT
        ifp.attach()
        self.addr(ifp, addr, 32, host=True, peer=peer)
        return ifp

    def addr(
        self, ifp: Ifnet, addr: str, plen: int, *, host: bool = False, peer: str = ""
    ) -> Ifaddr:
        ifa = Ifaddr(ifp, AF_INET, inet_pton(addr), prefix_mask(plen))
        ifa.dstaddr = inet_pton(peer or addr) if host else 0
        if not host:
            ifa.broadaddr = ifa.addr | ~ifa.mask & 0xFFFFFFFF
        ifp.addrs.append(ifa)
        self.pfil.event(IF_NEWADDR, ifp, ifa)
        self.route.rtinit(ifa, "add", RTF_HOST if host else 0)
        return ifa

    def remove(self, ifa: Ifaddr) -> None:
        """Take an address away."""
        ifa.ifp.addrs.remove(ifa)
        self.route.rtinit(ifa, "delete")
        self.pfil.event(IF_DELADDR, ifa.ifp, ifa)

    def socket(self, *, root: bool = True, protocol: int = 0, pid: int = 7) -> Socket:
        cred = Cred(suser=root, pid=pid)
        so = Socket(self, AF_ROUTE, SOCK_RAW, protocol, self.rtsock, cred)
        self.rtsock.attach(so)
        return so

    def serve(self, root: bool = True):
        """Return what answers one descriptor, for a LocalTransport."""
        held: list[Socket] = []

        def serve(op: str, args):
            if op == "socket":
                held.append(self.socket(root=root))
            elif op == "sendto":
                return held[0].send(*args)
            elif op == "recv":
                record = held[0].recv(args[0])
                return [record.frm, record.control, record.data]
            elif op == "shutdown":
                held[0].shutdown(args[0])
            elif op == "sysctl":
                return self.sysctl.call(args[0], args[1], Cred(suser=root))
            elif op == "close":
                for so in held:
                    so.close()
            else:
                raise NetError("ENOSYS")
            return None

        return serve


def drain(so: Socket) -> list:
    """Return the messages that wait on a socket."""
    out = []
    while so.rcv.records:
        out.append(unpack(so.recv().data))
    return out


class Host:
    """The machine under a command: time stands still, and nothing new comes by waiting."""

    dice = None

    def __init__(self, stack: RouteStack, tired: int = 3) -> None:
        self.stack, self.tired = stack, tired

    def now(self) -> float:
        return self.stack.clock.now

    def wall(self) -> float:
        return self.stack.clock.wall()

    def sleep(self, seconds: float) -> None:
        self.stack.clock.run(self.stack.clock.now + seconds)

    def wait(self, descriptors, timeout):
        self.tired -= 1
        if not self.tired:
            raise KeyboardInterrupt  # what ends a program that watches for ever
        self.sleep(timeout or 1.0)
        return list(descriptors)


class Shell:
    """Runs a program against a RouteStack; `out`, `err` and the status come back."""

    def __init__(self, tmp_path, *, root: bool = True, stack: RouteStack | None = None) -> None:
        self.stack = stack or RouteStack()
        self.root = root
        self.box = BoxPaths(str(tmp_path), "BoxA")
        self.etc = tmp_path / "boxes" / "BoxA" / "root" / "etc"
        self.etc.mkdir(parents=True, exist_ok=True)
        self.host = Host(self.stack)
        self.dead = False

    def _connect(self, _prefix: str):
        if self.dead:
            raise NetError("EAFNOSUPPORT")
        return LocalTransport(self.stack.serve(self.root), codec=True)

    def run(self, program, line: str) -> tuple[int, str, str]:
        import io

        out, err = io.StringIO(), io.StringIO()
        ctx = Ctx(
            program.name,
            stdin=io.StringIO(),
            stdout=out,
            stderr=err,
            environ={"IOPKT_BOX": "BoxA"},
            host=self.host,
            box=self.box,
            root=self.root,
            connect=self._connect,
        )
        status = program(line.split(), ctx)
        return status, out.getvalue(), err.getvalue()
