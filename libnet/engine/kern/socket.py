"""Sockets and their buffers: the half of socket(2) that no protocol owns."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Protocol

from libnet.addr import Sockaddr
from libnet.errors import NetError
from libnet.ioctl.registry import Ioctl
from libnet.ioctl.sockio import FIONREAD, SIOCGHIWAT, SIOCGLOWAT, SIOCSHIWAT, SIOCSLOWAT

if TYPE_CHECKING:
    from libnet.engine.kern.base import StackBase

SOCK_STREAM: Final = 1
SOCK_DGRAM: Final = 2
SOCK_RAW: Final = 3

SOL_SOCKET: Final = 0xFFFF
SO_DEBUG: Final = 0x0001
SO_ACCEPTCONN: Final = 0x0002
SO_REUSEADDR: Final = 0x0004
SO_KEEPALIVE: Final = 0x0008
SO_DONTROUTE: Final = 0x0010
SO_BROADCAST: Final = 0x0020
SO_USELOOPBACK: Final = 0x0040
SO_LINGER: Final = 0x0080
SO_OOBINLINE: Final = 0x0100
SO_REUSEPORT: Final = 0x0200
SO_TIMESTAMP: Final = 0x0400
SO_SNDBUF: Final = 0x1001
SO_RCVBUF: Final = 0x1002
SO_SNDLOWAT: Final = 0x1003
SO_RCVLOWAT: Final = 0x1004
SO_ERROR: Final = 0x1007
SO_TYPE: Final = 0x1008
SO_BINDTODEVICE: Final = 0x0800

_FLAGS: Final = (
    SO_DEBUG
    | SO_REUSEADDR
    | SO_KEEPALIVE
    | SO_DONTROUTE
    | SO_BROADCAST
    | SO_USELOOPBACK
    | SO_OOBINLINE
    | SO_REUSEPORT
    | SO_TIMESTAMP
)

SB_MAX: Final = 262144  # default of kern.sbmax
MSIZE: Final = 256  # what a record costs beyond its octets

MSG_PEEK: Final = 0x2
MSG_DONTROUTE: Final = 0x4

SHUT_RD: Final = 0
SHUT_WR: Final = 1
SHUT_RDWR: Final = 2


class Cred:
    """Who holds a descriptor: user id, process id, command name; `suser` may configure."""

    __slots__ = ("comm", "pid", "suser", "uid")

    def __init__(self, *, suser: bool = True, uid: int = 0, pid: int = 0, comm: str = "") -> None:
        self.suser, self.uid, self.pid, self.comm = suser, uid, pid, comm


class Record:
    """One received datagram: sender, control data by name, octets."""

    __slots__ = ("control", "data", "frm")

    def __init__(self, frm: Sockaddr | None, control: dict[str, Any] | None, data: bytes) -> None:
        self.frm, self.control, self.data = frm, control, data


class Sockbuf:
    """struct sockbuf for records.

    cc     octets of data held       mbcnt  the same with MSIZE a record, what is limited
    hiwat  most octets to hold       lowat  fewest octets that make a reader ready
    """

    __slots__ = ("cc", "hiwat", "lowat", "mbcnt", "records")

    def __init__(self, hiwat: int) -> None:
        self.hiwat = hiwat
        self.lowat = 1
        self.cc = 0
        self.mbcnt = 0
        self.records: deque[Record] = deque()

    def space(self) -> int:
        """Return how many octets of data still fit."""
        return min(self.hiwat - self.cc, 2 * self.hiwat - self.mbcnt)

    def append(self, record: Record) -> bool:
        """Add *record*; False when it does not fit."""
        size = len(record.data)
        if size > self.space():
            return False
        self.records.append(record)
        self.cc += size
        self.mbcnt += size + MSIZE
        return True

    def take(self, *, peek: bool = False) -> Record:
        """Return the oldest record; EAGAIN when there is none."""
        if not self.records:
            raise NetError("EAGAIN")
        if peek:
            return self.records[0]
        record = self.records.popleft()
        self.cc -= len(record.data)
        self.mbcnt -= len(record.data) + MSIZE
        return record

    def flush(self) -> None:
        """Forget everything."""
        self.records.clear()
        self.cc = self.mbcnt = 0


class Usrreq(Protocol):
    """What a protocol does for its sockets (struct protosw's pr_usrreq and pr_ctloutput)."""

    def attach(self, so: Socket) -> None:
        """Make a pcb and reserve buffers."""

    def detach(self, so: Socket) -> None:
        """Forget the pcb."""

    def bind(self, so: Socket, addr: Sockaddr) -> None:
        """bind(2)."""

    def connect(self, so: Socket, addr: Sockaddr) -> None:
        """connect(2)."""

    def send(self, so: Socket, data: bytes, addr: Sockaddr | None, flags: int) -> int:
        """sendto(2); return octets taken."""

    def shutdown(self, so: Socket, how: int) -> None:
        """shutdown(2)."""

    def sockaddr(self, so: Socket) -> Sockaddr:
        """getsockname(2)."""

    def peeraddr(self, so: Socket) -> Sockaddr:
        """getpeername(2)."""

    def getopt(self, so: Socket, level: int, name: int) -> Any:
        """getsockopt(2) of the protocol's levels; ENOPROTOOPT otherwise."""

    def setopt(self, so: Socket, level: int, name: int, value: Any) -> None:
        """setsockopt(2) likewise."""


class Socket:
    """struct socket.

    usrreq    the protocol's calls     pcb      the protocol's own state
    options   SO_* bits                error    symbol of a pending asynchronous error, or ""
    upcall    called when it may have become readable
    device    interface name of SO_BINDTODEVICE, or ""
    """

    def __init__(
        self,
        stack: StackBase,
        domain: int,
        kind: int,
        protocol: int,
        usrreq: Usrreq,
        cred: Cred,
    ) -> None:
        self.stack = stack
        self.domain, self.type, self.protocol = domain, kind, protocol
        self.usrreq = usrreq
        self.cred = cred
        self.options = 0
        self.error = ""
        self.device = ""
        self.snd = Sockbuf(9216)
        self.rcv = Sockbuf(41600)
        self.cantrcv = False
        self.cantsend = False
        self.pcb: Any = None
        self.upcall: Callable[[Socket], None] | None = None

    # -- from below

    def sbappendaddr(
        self, frm: Sockaddr | None, data: bytes, control: dict[str, Any] | None = None
    ) -> bool:
        """Hand a received record to the reader; False (the caller counts it) when it is full."""
        if self.cantrcv:
            return False
        if self.options & SO_TIMESTAMP:
            control = dict(control or ())
            control["timestamp"] = self.stack.clock.wall()
        if not self.rcv.append(Record(frm, control, data)):
            return False
        if self.upcall is not None:
            self.upcall(self)
        return True

    def soerror(self, symbol: str) -> None:
        """Note an asynchronous error for the next call, and wake the reader."""
        self.error = symbol
        if self.upcall is not None:
            self.upcall(self)

    # -- from above

    def readable(self) -> bool:
        """Tell whether recv() would return or raise something other than EAGAIN."""
        return bool(self.rcv.records) or bool(self.error) or self.cantrcv

    def recv(self, flags: int = 0) -> Record:
        """Return the next record. Raises the pending error, or EAGAIN."""
        if not self.rcv.records:
            self._pending()
            if self.cantrcv:
                return Record(None, None, b"")
        return self.rcv.take(peek=bool(flags & MSG_PEEK))

    def _pending(self) -> None:
        if self.error:
            symbol, self.error = self.error, ""
            raise NetError(symbol)

    def bind(self, addr: Sockaddr) -> None:
        """bind(2)."""
        self.usrreq.bind(self, addr)

    def connect(self, addr: Sockaddr) -> None:
        """connect(2)."""
        self.usrreq.connect(self, addr)

    def send(self, data: bytes, addr: Sockaddr | None, flags: int = 0) -> int:
        """sendto(2). Raises EPIPE after shutdown, EMSGSIZE beyond the send buffer."""
        if self.cantsend:
            raise NetError("EPIPE")
        self._pending()
        if len(data) > self.snd.hiwat:
            raise NetError("EMSGSIZE")
        return self.usrreq.send(self, data, addr, flags)

    def shutdown(self, how: int) -> None:
        """shutdown(2)."""
        if how not in (SHUT_RD, SHUT_WR, SHUT_RDWR):
            raise NetError("EINVAL")
        if how != SHUT_WR:
            self.cantrcv = True
            self.rcv.flush()
        if how != SHUT_RD:
            self.cantsend = True
        self.usrreq.shutdown(self, how)

    def close(self) -> None:
        """Detach from the protocol."""
        self.upcall = None
        self.usrreq.detach(self)

    def getopt(self, level: int, name: int) -> Any:
        """getsockopt(2)."""
        if level != SOL_SOCKET:
            return self.usrreq.getopt(self, level, name)
        if name & _FLAGS == name and name:
            return self.options & name
        if name == SO_TYPE:
            return self.type
        if name == SO_ERROR:
            symbol, self.error = self.error, ""
            return symbol
        if name in (SO_SNDBUF, SO_RCVBUF):
            return (self.snd if name == SO_SNDBUF else self.rcv).hiwat
        if name in (SO_SNDLOWAT, SO_RCVLOWAT):
            return (self.snd if name == SO_SNDLOWAT else self.rcv).lowat
        if name == SO_BINDTODEVICE:
            return self.device
        raise NetError("ENOPROTOOPT")

    def setopt(self, level: int, name: int, value: Any) -> None:
        """setsockopt(2). Raises EINVAL for a value of the wrong type or out of range."""
        if level != SOL_SOCKET:
            self.usrreq.setopt(self, level, name, value)
            return
        if name == SO_BINDTODEVICE:
            if type(value) is not str:
                raise NetError("EINVAL")
            if value and self.stack.ifunit(value) is None:
                raise NetError("ENXIO")
            self.device = value
            return
        if type(value) is not int:
            raise NetError("EINVAL")
        if name & _FLAGS == name and name:
            self.options = self.options | name if value else self.options & ~name
        elif name in (SO_SNDBUF, SO_RCVBUF):
            if not value > 0:
                raise NetError("EINVAL")
            if value > self.stack.sbmax:
                raise NetError("ENOBUFS")
            buf = self.snd if name == SO_SNDBUF else self.rcv
            buf.hiwat = value
            buf.lowat = min(buf.lowat, value)
        elif name in (SO_SNDLOWAT, SO_RCVLOWAT):
            buf = self.snd if name == SO_SNDLOWAT else self.rcv
            if value < 1:
                raise NetError("EINVAL")
            buf.lowat = min(value, buf.hiwat)
        else:
            raise NetError("ENOPROTOOPT")

    def ioctl(self, row: Ioctl, arg: Any) -> Any:
        """soo_ioctl: what a socket answers itself, then the stack's table."""
        if row is FIONREAD:
            return self.rcv.records[0].data.__len__() if self.rcv.records else 0
        if row is SIOCGHIWAT:
            return self.rcv.hiwat
        if row is SIOCGLOWAT:
            return self.rcv.lowat
        if row is SIOCSHIWAT:
            self.setopt(SOL_SOCKET, SO_RCVBUF, arg)
            return None
        if row is SIOCSLOWAT:
            self.setopt(SOL_SOCKET, SO_RCVLOWAT, arg)
            return None
        return self.stack.ioctl(row, arg, self.cred)
