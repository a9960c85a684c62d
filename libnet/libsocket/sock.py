"""Descriptors as a command sees them: ioctl, read, write, and the socket calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from libnet.addr import IpMreq as IpMreq
from libnet.addr import Sockaddr
from libnet.errors import NetError
from libnet.ioctl.registry import VOID, Ioctl
from libnet.libsocket.transport import Transport
from libnet.record import Struct
from libnet.sockdef import IP_ADD_MEMBERSHIP as IP_ADD_MEMBERSHIP
from libnet.sockdef import IP_DONTFRAG as IP_DONTFRAG
from libnet.sockdef import IP_DROP_MEMBERSHIP as IP_DROP_MEMBERSHIP
from libnet.sockdef import IP_HDRINCL as IP_HDRINCL
from libnet.sockdef import IP_MULTICAST_IF as IP_MULTICAST_IF
from libnet.sockdef import IP_MULTICAST_LOOP as IP_MULTICAST_LOOP
from libnet.sockdef import IP_MULTICAST_TTL as IP_MULTICAST_TTL
from libnet.sockdef import IP_OPTIONS as IP_OPTIONS
from libnet.sockdef import IP_PORTRANGE as IP_PORTRANGE
from libnet.sockdef import IP_RECVDSTADDR as IP_RECVDSTADDR
from libnet.sockdef import IP_RECVIF as IP_RECVIF
from libnet.sockdef import IP_RECVOPTS as IP_RECVOPTS
from libnet.sockdef import IP_RECVTTL as IP_RECVTTL
from libnet.sockdef import IP_TOS as IP_TOS
from libnet.sockdef import IP_TTL as IP_TTL
from libnet.sockdef import IPPROTO_ICMP as IPPROTO_ICMP
from libnet.sockdef import IPPROTO_IGMP as IPPROTO_IGMP
from libnet.sockdef import IPPROTO_IP as IPPROTO_IP
from libnet.sockdef import IPPROTO_RAW as IPPROTO_RAW
from libnet.sockdef import IPPROTO_TCP as IPPROTO_TCP
from libnet.sockdef import IPPROTO_UDP as IPPROTO_UDP
from libnet.sockdef import MSG_DONTROUTE as MSG_DONTROUTE
from libnet.sockdef import MSG_OOB as MSG_OOB
from libnet.sockdef import MSG_PEEK as MSG_PEEK
from libnet.sockdef import SO_BINDTODEVICE as SO_BINDTODEVICE
from libnet.sockdef import SO_BROADCAST as SO_BROADCAST
from libnet.sockdef import SO_DEBUG as SO_DEBUG
from libnet.sockdef import SO_DONTROUTE as SO_DONTROUTE
from libnet.sockdef import SO_ERROR as SO_ERROR
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

Trace = Callable[[str], None]


class Descriptor:
    """One open descriptor of a stack.

    number  what IOPKT_TRACE prints as the descriptor
    """

    def __init__(self, transport: Transport, number: int, trace: Trace | None = None) -> None:
        self.transport, self.number, self._trace = transport, number, trace

    def call(self, op: str, *args: Any) -> Any:
        """Make one operation; print it if tracing. Raises NetError."""
        if self._trace is None:
            return self.transport.call(op, *args)
        shown = ", ".join(_shown(arg) for arg in args)
        head = f"{op}({self.number}{', ' if shown else ''}{shown})"
        try:
            result = self.transport.call(op, *args)
        except NetError as exc:
            self._trace(f"{head} = -1 {exc.symbol} ({exc.strerror})")
            raise
        self._trace(f"{head} = {result if type(result) is int and op != 'ioctl' else 0}")
        return result

    def ioctl(self, row: Ioctl, arg: Any = None) -> Any:
        """Make an ioctl; return what comes back (None where nothing does). Raises NetError."""
        if self._trace is not None:
            return self._traced_ioctl(row, arg)
        return self.transport.call("ioctl", row.name, arg)

    def post_ioctl(self, row: Ioctl, arg: Any) -> None:
        """Make an ioctl of which nothing is to come back but an error, at the latest by settle()."""
        if self._trace is not None:
            self._traced_ioctl(row, arg)
        else:
            self.transport.post("ioctl", row.name, arg)

    def settle(self) -> None:
        """Wait for ioctls that were posted. Raises the first error among them."""
        self.transport.settle()

    def _traced_ioctl(self, row: Ioctl, arg: Any) -> Any:
        assert self._trace is not None
        body = "" if row.dir == VOID else f", {_shown(arg)}"
        head = f"ioctl({self.number}, {row.name}{body})"
        try:
            result = self.transport.call("ioctl", row.name, arg)
        except NetError as exc:
            self._trace(f"{head} = -1 {exc.symbol} ({exc.strerror})")
            raise
        self._trace(f"{head} = 0")
        return result

    def read(self, size: int) -> bytes:
        """Return what the device has, at most *size* octets."""
        got: bytes = self.call("read", size)
        return got

    def write(self, data: bytes) -> int:
        """Write *data*; return how much was taken."""
        taken: int = self.call("write", data)
        return taken

    def fileno(self) -> int:
        """Return a host descriptor to poll, or -1 in the simulator."""
        return self.transport.fileno()

    def close(self) -> None:
        """Close."""
        self.transport.close()

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class Socket(Descriptor):
    """A socket. Addresses are Sockaddr structs; nothing here ever waits (see Ctx.wait).

    kind   SOCK_*                   open  returns a new Transport and its number, for accept()
    """

    def __init__(
        self,
        transport: Transport,
        number: int,
        trace: Trace | None = None,
        *,
        kind: int = SOCK_DGRAM,
        open: Callable[[], tuple[Transport, int]] | None = None,
    ) -> None:
        super().__init__(transport, number, trace)
        self.kind = kind
        self._open = open

    def bind(self, addr: Sockaddr) -> None:
        """bind(2)."""
        self.call("bind", addr)

    def connect(self, addr: Sockaddr) -> None:
        """connect(2). A stream raises EINPROGRESS: it is writable, and SO_ERROR tells, when it is done."""
        self.call("connect", addr)

    def listen(self, backlog: int) -> None:
        """listen(2)."""
        self.call("listen", backlog)

    def accept(self) -> tuple[Socket, Sockaddr]:
        """accept(2); EAGAIN when no connection is complete."""
        if self._open is None:
            raise NetError("EOPNOTSUPP")
        try:
            token, peer = self.transport.accept()
            transport, number = self._open()
            try:
                transport.call("adopt", token)
            except NetError:
                transport.close()
                raise
        except NetError as exc:
            if self._trace and exc.symbol != "EAGAIN":
                self._trace(f"accept({self.number}) = -1 {exc.symbol} ({exc.strerror})")
            raise
        if self._trace:
            self._trace(f"accept({self.number}, {_shown(peer)}) = {number}")
        made = Socket(transport, number, self._trace, kind=self.kind, open=self._open)
        return made, peer

    def recv(self, size: int, flags: int = 0) -> bytes:
        """recv(2) from a stream: none at its end, EAGAIN when there is nothing yet."""
        return self.transport.read(size, flags)

    def send(self, data: bytes, flags: int = 0) -> int:
        """send(2); a stream takes what it has room for, and raises EAGAIN when that is nothing."""
        if self.kind == SOCK_STREAM:
            return self.transport.write(data, flags)
        sent: int = self.call("sendto", data, None, flags)
        return sent

    def sendto(self, data: bytes, addr: Sockaddr | None, flags: int = 0) -> int:
        """sendto(2); return the octets sent. Errors of the whole output path are raised here."""
        sent: int = self.call("sendto", data, addr, flags)
        return sent

    def recvmsg(self, flags: int = 0) -> tuple[bytes, Sockaddr | None, dict[str, Any]]:
        """Return (data, from, control) of the next record; EAGAIN when there is none.

        control  by name: "dstaddr" int, "recvif" str, "ttl" int, "timestamp" float seconds
        """
        frm, control, data = self.transport.recv(flags)
        if type(control) is dict and "error" in control:
            raise NetError(control["error"])
        return data, frm, control or {}

    def recvfrom(self, flags: int = 0) -> tuple[bytes, Sockaddr | None]:
        """Return (data, from) of the next record; EAGAIN when there is none."""
        data, frm, _control = self.recvmsg(flags)
        return data, frm

    def setsockopt(self, level: int, name: int, value: Any) -> None:
        """setsockopt(2); *value* is an int, bytes or a Struct as the option wants."""
        self.call("setsockopt", level, name, value)

    def getsockopt(self, level: int, name: int) -> Any:
        """getsockopt(2)."""
        return self.call("getsockopt", level, name)

    def getsockname(self) -> Sockaddr:
        """getsockname(2)."""
        addr: Sockaddr = self.call("getsockname")
        return addr

    def getpeername(self) -> Sockaddr:
        """getpeername(2)."""
        addr: Sockaddr = self.call("getpeername")
        return addr

    def shutdown(self, how: int) -> None:
        """shutdown(2); 0 reading, 1 writing, 2 both."""
        if self.kind == SOCK_STREAM:
            self.transport.shutdown(how)
        else:
            self.call("shutdown", how)


def _shown(arg: Any) -> str:
    if isinstance(arg, Struct):
        parts = [_shown(getattr(arg, name)) for name in arg._fields]
        return "{" + ", ".join(part for part in parts if part != "{}") + "}"
    if isinstance(arg, bytes):
        return f"{arg[:16].hex()}{'...' if len(arg) > 16 else ''}[{len(arg)}]"
    if isinstance(arg, list):
        return "[" + ", ".join(map(_shown, arg)) + "]"
    return "NULL" if arg is None else str(arg)
