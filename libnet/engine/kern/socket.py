"""Sockets and their buffers: the half of socket(2) that no protocol owns.

A datagram or raw socket has Sockbufs of records, a stream has ByteBufs. Nothing blocks here: what would
wait raises EAGAIN, and `upcall` tells of every change that could end the wait.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Protocol

from libnet.addr import Sockaddr
from libnet.engine.kern.stream import ByteBuf
from libnet.errors import NetError
from libnet.ioctl.registry import Ioctl
from libnet.ioctl.sockio import (
    FIONREAD,
    SIOCATMARK,
    SIOCGHIWAT,
    SIOCGLOWAT,
    SIOCSHIWAT,
    SIOCSLOWAT,
)
from libnet.sockdef import MSG_DONTROUTE as MSG_DONTROUTE
from libnet.sockdef import MSG_OOB as MSG_OOB
from libnet.sockdef import MSG_PEEK as MSG_PEEK
from libnet.sockdef import SHUT_RD as SHUT_RD
from libnet.sockdef import SHUT_RDWR as SHUT_RDWR
from libnet.sockdef import SHUT_WR as SHUT_WR
from libnet.sockdef import SO_ACCEPTCONN as SO_ACCEPTCONN
from libnet.sockdef import SO_BINDTODEVICE as SO_BINDTODEVICE
from libnet.sockdef import SO_BROADCAST as SO_BROADCAST
from libnet.sockdef import SO_DEBUG as SO_DEBUG
from libnet.sockdef import SO_DONTROUTE as SO_DONTROUTE
from libnet.sockdef import SO_ERROR as SO_ERROR
from libnet.sockdef import SO_KEEPALIVE as SO_KEEPALIVE
from libnet.sockdef import SO_LINGER as SO_LINGER
from libnet.sockdef import SO_OOBINLINE as SO_OOBINLINE
from libnet.sockdef import SO_RCVBUF as SO_RCVBUF
from libnet.sockdef import SO_RCVLOWAT as SO_RCVLOWAT
from libnet.sockdef import SO_REUSEADDR as SO_REUSEADDR
from libnet.sockdef import SO_REUSEPORT as SO_REUSEPORT
from libnet.sockdef import SO_SNDBUF as SO_SNDBUF
from libnet.sockdef import SO_SNDLOWAT as SO_SNDLOWAT
from libnet.sockdef import SO_TIMESTAMP as SO_TIMESTAMP
from libnet.sockdef import SO_TYPE as SO_TYPE
from libnet.sockdef import SO_USELOOPBACK as SO_USELOOPBACK
from libnet.sockdef import SOCK_DGRAM as SOCK_DGRAM
from libnet.sockdef import SOCK_RAW as SOCK_RAW
from libnet.sockdef import SOCK_STREAM as SOCK_STREAM
from libnet.sockdef import SOL_SOCKET as SOL_SOCKET

if TYPE_CHECKING:
    from libnet.engine.kern.base import StackBase


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


# Socket.state (<sys/socketvar.h>).
SS_NOFDREF: Final = 0x001  # nobody holds a descriptor for it (any more, or not yet)
SS_ISCONNECTED: Final = 0x002
SS_ISCONNECTING: Final = 0x004
SS_ISDISCONNECTING: Final = 0x008
SS_CANTSENDMORE: Final = 0x010
SS_CANTRCVMORE: Final = 0x020
SS_RCVATMARK: Final = 0x040  # the next octet follows the urgent one
SS_ISDISCONNECTED: Final = 0x800

OOB_ROOM: Final = 1024  # what urgent data may exceed the send buffer by
LINGER_MAX_S: Final = 32767
RCV_ALL: Final = 1 << 62  # recv(): as much as there is


class Cred:
    """Who holds a descriptor: user, group and process id, command name; `suser` may configure."""

    __slots__ = ("comm", "gid", "pid", "suser", "uid")

    def __init__(
        self, *, suser: bool = True, uid: int = 0, gid: int = 0, pid: int = 0, comm: str = ""
    ) -> None:
        self.suser, self.uid, self.gid, self.pid, self.comm = suser, uid, gid, pid, comm


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

    def held(self) -> list[tuple[int, bool]]:
        """Return (octets, whether it has a sender) for each record, for kern.mbuf.stats."""
        return [(len(record.data), record.frm is not None) for record in self.records]


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


class StreamUsrreq(Usrreq, Protocol):
    """What a protocol of streams does beyond that."""

    def listen(self, so: Socket) -> None:
        """listen(2)."""

    def rcvd(self, so: Socket) -> None:
        """Hear that the reader has made room (PRU_RCVD)."""

    def rcvoob(self, so: Socket, flags: int) -> bytes:
        """Return the urgent octet; EINVAL, EAGAIN."""

    def abort(self, so: Socket) -> None:
        """Break the connection off."""


class Socket:
    """struct socket.

    usrreq    the protocol's calls     pcb      the protocol's own state
    options   SO_* bits                error    symbol of a pending asynchronous error, or ""
    state     SS_* bits
    upcall    called at every change: data, room, connected, closed, an error, a connection to accept
    device    interface name of SO_BINDTODEVICE, or ""
    snd, rcv  Sockbuf, or ByteBuf of a stream

    Streams only:
    linger    seconds of SO_LINGER, None when it is off; 0 makes close() a reset
    oobmark   octets of rcv before the urgent one, 0 for none
    head      the listener whose queue this one waits in      q, qlimit  that queue, and backlog
    """

    __slots__ = (
        "__weakref__",
        "cred",
        "device",
        "domain",
        "error",
        "head",
        "linger",
        "oobmark",
        "options",
        "pcb",
        "protocol",
        "q",
        "qlimit",
        "rcv",
        "snd",
        "stack",
        "state",
        "type",
        "upcall",
        "usrreq",
    )

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
        self.usrreq: Any = usrreq
        self.cred = cred
        self.options = 0
        self.state = 0
        self.error = ""
        self.device = ""
        self.snd: Any
        self.rcv: Any
        if kind == SOCK_STREAM:
            self.snd, self.rcv = ByteBuf(9216), ByteBuf(41600)
        else:
            self.snd, self.rcv = Sockbuf(9216), Sockbuf(41600)
        self.pcb: Any = None
        self.upcall: Callable[[Socket], None] | None = None
        self.linger: int | None = None
        self.oobmark = 0
        self.head: Socket | None = None
        self.q: deque[Socket] | None = None
        self.qlimit = 0

    @property
    def cantrcv(self) -> bool:
        """Whether no more will be received."""
        return bool(self.state & SS_CANTRCVMORE)

    @property
    def cantsend(self) -> bool:
        """Whether no more may be sent."""
        return bool(self.state & SS_CANTSENDMORE)

    @property
    def qlen(self) -> int:
        """How many connections wait to be accepted."""
        return len(self.q) if self.q is not None else 0

    # -- from below

    def wakeup(self) -> None:
        """Tell who waits, now or when the segment that is being taken in is done with."""
        if self.upcall is not None:
            held = self.stack.wakeups
            if held is None:
                self.upcall(self)
            else:
                held[self] = None

    def sbappendaddr(
        self, frm: Sockaddr | None, data: bytes, control: dict[str, Any] | None = None
    ) -> bool:
        """Hand a received record to the reader; False (the caller counts it) when it is full."""
        if self.state & SS_CANTRCVMORE:
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
        self.wakeup()

    def isconnecting(self) -> None:
        """Note that a connection is being made (soisconnecting)."""
        self.state &= ~(SS_ISCONNECTED | SS_ISDISCONNECTING | SS_ISDISCONNECTED)
        self.state |= SS_ISCONNECTING

    def isconnected(self) -> None:
        """Note that it is made; one made through a listener joins its queue (soisconnected)."""
        self.state &= ~(SS_ISCONNECTING | SS_ISDISCONNECTING)
        self.state |= SS_ISCONNECTED
        head = self.head
        if head is not None and head.q is not None:
            head.q.append(self)
            head.wakeup()
        self.wakeup()

    def isdisconnecting(self) -> None:
        """Note that it is being closed both ways (soisdisconnecting)."""
        self.state &= ~SS_ISCONNECTING
        self.state |= SS_ISDISCONNECTING | SS_CANTRCVMORE | SS_CANTSENDMORE
        self.wakeup()

    def isdisconnected(self) -> None:
        """Note that there is no connection any more (soisdisconnected)."""
        self.state &= ~(SS_ISCONNECTING | SS_ISCONNECTED | SS_ISDISCONNECTING)
        self.state |= SS_CANTRCVMORE | SS_CANTSENDMORE | SS_ISDISCONNECTED
        self.wakeup()

    def cantsendmore(self) -> None:
        """Refuse to send from now on (socantsendmore)."""
        self.state |= SS_CANTSENDMORE
        self.wakeup()

    def cantrcvmore(self) -> None:
        """Tell the reader that nothing follows what is buffered (socantrcvmore)."""
        self.state |= SS_CANTRCVMORE
        self.wakeup()

    def sonewconn(self) -> Socket | None:
        """Return a socket for a connection to this listener; None when its queue is full.

        As in BSD the queue takes half as much again as was asked for.
        """
        if self.q is None or len(self.q) > 3 * self.qlimit // 2:
            return None
        so = Socket(self.stack, self.domain, self.type, self.protocol, self.usrreq, self.cred)
        so.options = self.options & ~SO_ACCEPTCONN
        so.linger, so.device = self.linger, self.device
        so.state = SS_NOFDREF
        self.usrreq.attach(so)
        so.snd.hiwat, so.snd.lowat = self.snd.hiwat, self.snd.lowat
        so.rcv.hiwat, so.rcv.lowat = self.rcv.hiwat, self.rcv.lowat
        so.head = self
        self.stack.sockets.add(so)
        return so

    # -- from above

    def readable(self) -> bool:
        """Tell whether recv() or accept() would return or raise something other than EAGAIN."""
        if self.error or self.state & SS_CANTRCVMORE or self.q:
            return True
        if self.type == SOCK_STREAM:
            return bool(self.rcv.cc >= self.rcv.lowat)
        return bool(self.rcv.records)

    def writable(self) -> bool:
        """Tell whether send() would take something or raise something other than EAGAIN."""
        if self.type != SOCK_STREAM or self.error or self.state & SS_CANTSENDMORE:
            return True
        return bool(self.state & SS_ISCONNECTED) and self.snd.space() >= self.snd.lowat

    def recv(self, flags: int = 0, n: int = RCV_ALL) -> Record:
        """Return the next record, or up to *n* octets of a stream (none of them: the peer has closed).

        Raises the pending error, EAGAIN, ENOTCONN; with MSG_OOB what the protocol does.
        """
        if self.type == SOCK_STREAM:
            return Record(None, None, self._recvstream(flags, n))
        if not self.rcv.records:
            self._pending()
            if self.state & SS_CANTRCVMORE:
                return Record(None, None, b"")
        record: Record = self.rcv.take(peek=bool(flags & MSG_PEEK))
        return record

    def _recvstream(self, flags: int, n: int) -> bytes:
        if flags & MSG_OOB:
            octet: bytes = self.usrreq.rcvoob(self, flags)
            return octet
        rcv = self.rcv
        if not rcv.cc:
            self._pending()
            if self.state & SS_CANTRCVMORE:
                return b""
            if not self.state & (SS_ISCONNECTED | SS_ISCONNECTING | SS_ISDISCONNECTING):
                raise NetError("ENOTCONN")
            raise NetError("EAGAIN")
        if n <= 0:
            return b""
        mark = self.oobmark
        if mark and n > mark:
            n = mark  # a read stops at the urgent octet
        data: bytes
        if flags & MSG_PEEK:
            data = rcv.peek(0, n)
            return data
        data = rcv.take(n)
        if mark:
            self.oobmark = mark - len(data)
            if not self.oobmark:
                self.state |= SS_RCVATMARK
        else:
            self.state &= ~SS_RCVATMARK
        self.usrreq.rcvd(self)
        return data

    def _pending(self) -> None:
        if self.error:
            symbol, self.error = self.error, ""
            raise NetError(symbol)

    def bind(self, addr: Sockaddr) -> None:
        """bind(2)."""
        self.usrreq.bind(self, addr)

    def connect(self, addr: Sockaddr) -> None:
        """connect(2); of a stream it is only begun: SS_ISCONNECTING until an upcall.

        Raises EOPNOTSUPP on a listener, EALREADY, EISCONN.
        """
        if self.type == SOCK_STREAM:
            if self.options & SO_ACCEPTCONN:
                raise NetError("EOPNOTSUPP")
            if self.state & SS_ISCONNECTING:
                raise NetError("EALREADY")
            if self.state & (SS_ISCONNECTED | SS_ISDISCONNECTING):
                raise NetError("EISCONN")
            self.error = ""
        self.usrreq.connect(self, addr)

    def listen(self, backlog: int) -> None:
        """listen(2). Raises EOPNOTSUPP, EINVAL when it is connected."""
        if self.type != SOCK_STREAM:
            raise NetError("EOPNOTSUPP")
        if self.state & (SS_ISCONNECTED | SS_ISCONNECTING | SS_ISDISCONNECTING):
            raise NetError("EINVAL")
        self.usrreq.listen(self)
        self.options |= SO_ACCEPTCONN
        if self.q is None:
            self.q = deque()
        self.qlimit = max(0, min(backlog, self.stack.somaxconn))

    def accept(self) -> Socket:
        """accept(2). Raises EINVAL, EAGAIN, ECONNABORTED when it has broken off in the queue."""
        q = self.q
        if q is None:
            raise NetError("EINVAL")
        if not q:
            self._pending()
            raise NetError("EAGAIN")
        so = q.popleft()
        so.head = None
        so.state &= ~SS_NOFDREF
        if so.pcb is None and not so.rcv.cc:
            raise NetError("ECONNABORTED")
        return so

    def send(self, data: bytes, addr: Sockaddr | None, flags: int = 0) -> int:
        """sendto(2): send a datagram, or take what a stream has room for; return octets taken.

        Raises EPIPE after shutdown, EMSGSIZE beyond the send buffer, EAGAIN from a full stream.
        """
        state = self.state
        if self.type == SOCK_STREAM:
            if state & SS_CANTSENDMORE:
                # Why the connection broke is told first, and once.
                self._pending()
                raise NetError("EPIPE")
            self._pending()
            if not state & SS_ISCONNECTED:
                raise NetError("ENOTCONN")
            if addr is not None:
                raise NetError("EISCONN")
            room = self.snd.space()
            if flags & MSG_OOB:
                room += OOB_ROOM
            if len(data) > room:
                if room <= 0:
                    raise NetError("EAGAIN")
                data = data[:room]
            taken: int = self.usrreq.send(self, data, None, flags)
            return taken
        if state & SS_CANTSENDMORE:
            raise NetError("EPIPE")
        self._pending()
        if len(data) > self.snd.hiwat:
            raise NetError("EMSGSIZE")
        taken = self.usrreq.send(self, data, addr, flags)
        return taken

    def shutdown(self, how: int) -> None:
        """shutdown(2). Raises EINVAL, ENOTCONN."""
        if how not in (SHUT_RD, SHUT_WR, SHUT_RDWR):
            raise NetError("EINVAL")
        if self.type == SOCK_STREAM and not self.state & (SS_ISCONNECTED | SS_ISCONNECTING):
            raise NetError("ENOTCONN")
        if how != SHUT_WR:
            self.state |= SS_CANTRCVMORE
            self.rcv.flush()
            self.oobmark = 0
        if how != SHUT_RD:
            self.state |= SS_CANTSENDMORE
        self.usrreq.shutdown(self, how)

    def close(self) -> None:
        """Let go of the descriptor; a stream is closed in order in the background.

        With SO_LINGER and 0 seconds it is reset. A caller that lingers waits by itself, until the
        state has SS_ISDISCONNECTED: set `upcall` again after close().
        """
        self.upcall = None
        q, self.q = self.q, None
        for so in q or ():
            so.head = None
            self.usrreq.abort(so)
        self.state |= SS_NOFDREF
        self.usrreq.detach(self)

    def getopt(self, level: int, name: int) -> Any:
        """getsockopt(2)."""
        if level != SOL_SOCKET:
            return self.usrreq.getopt(self, level, name)
        if name & _FLAGS == name and name:
            return self.options & name
        if name == SO_TYPE:
            return self.type
        if name == SO_ACCEPTCONN:
            return self.options & SO_ACCEPTCONN
        if name == SO_LINGER:
            return [int(self.linger is not None), self.linger or 0]
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
        """setsockopt(2). Raises EINVAL for a value of the wrong type or out of range.

        SO_LINGER takes [on, seconds].
        """
        if level != SOL_SOCKET:
            self.usrreq.setopt(self, level, name, value)
            return
        if name == SO_LINGER:
            if (
                type(value) not in (list, tuple)
                or len(value) != 2
                or not all(type(item) is int for item in value)
                or not 0 <= value[1] <= LINGER_MAX_S
            ):
                raise NetError("EINVAL")
            self.linger = value[1] if value[0] else None
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
        if self.type == SOCK_STREAM:
            if row is FIONREAD:
                return self.rcv.cc
            if row is SIOCATMARK:
                return int(bool(self.state & SS_RCVATMARK))
        elif row is FIONREAD:
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
