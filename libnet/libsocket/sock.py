"""Descriptors as a command sees them: ioctl, read, write, and the socket calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from libnet.addr import IpMreq as IpMreq
from libnet.addr import Sockaddr
from libnet.errors import NetError
from libnet.ioctl.registry import VOID, Ioctl
from libnet.libsocket.transport import Transport
from libnet.record import Struct

SOCK_STREAM: Final = 1
SOCK_DGRAM: Final = 2
SOCK_RAW: Final = 3

SOL_SOCKET: Final = 0xFFFF
SO_DEBUG: Final = 0x0001
SO_REUSEADDR: Final = 0x0004
SO_DONTROUTE: Final = 0x0010
SO_BROADCAST: Final = 0x0020
SO_USELOOPBACK: Final = 0x0040
SO_REUSEPORT: Final = 0x0200
SO_TIMESTAMP: Final = 0x0400
SO_SNDBUF: Final = 0x1001
SO_RCVBUF: Final = 0x1002
SO_SNDLOWAT: Final = 0x1003
SO_RCVLOWAT: Final = 0x1004
SO_ERROR: Final = 0x1007
SO_TYPE: Final = 0x1008
SO_BINDTODEVICE: Final = 0x0800

IPPROTO_IP: Final = 0
IPPROTO_ICMP: Final = 1
IPPROTO_IGMP: Final = 2
IPPROTO_TCP: Final = 6
IPPROTO_UDP: Final = 17
IPPROTO_RAW: Final = 255

IP_OPTIONS: Final = 1
IP_HDRINCL: Final = 2
IP_TOS: Final = 3
IP_TTL: Final = 4
IP_RECVOPTS: Final = 5
IP_RECVDSTADDR: Final = 7
IP_MULTICAST_IF: Final = 9
IP_MULTICAST_TTL: Final = 10
IP_MULTICAST_LOOP: Final = 11
IP_ADD_MEMBERSHIP: Final = 12
IP_DROP_MEMBERSHIP: Final = 13
IP_PORTRANGE: Final = 19
IP_RECVIF: Final = 20
IP_RECVTTL: Final = 23
IP_DONTFRAG: Final = 67  # FreeBSD's number; the era's ping -D builds its own header instead

MSG_OOB: Final = 0x1
MSG_PEEK: Final = 0x2
MSG_DONTROUTE: Final = 0x4

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
