"""Python's `_socket` over a box: what netpy puts in place of the interpreter's own.

The standard library's socket.py is built on `_socket`; with this one beneath it, it and everything
above it (selectors, asyncio, ssl, http, socketserver, …) stay as they are. A socket of AF_INET is
one of the interpreter's sockets around the descriptor that the stack has handed us, so that reading,
writing, polling and timeouts are the host's own and cost what they cost anywhere; what concerns
addresses, options and connections is asked of the stack (libnet.rpc).

    AF_INET streams    octets pass as they are; the descriptor is writable once connected, readable
                       on a listener when accept() would return
    AF_INET datagrams  one codec message each; the first datagram to an address is sent by an
                       operation, which tells every error at once; more of them, of no greater size,
                       are only written, and an error comes back with the next call, as ICMP's do
    AF_UNIX            the host's
    other families     EAFNOSUPPORT

Threads may share a socket; after fork() both processes have it. A child that is started with the
descriptor of a stream (subprocess's stdin=) can read and write it.
"""

from __future__ import annotations

import _socket
import contextlib
import errno
import os
import select
import threading
import weakref
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar, Final, NoReturn

from libnet.addr import AF_INET, Sockaddr, SockaddrIn, inet_ntoa
from libnet.errors import NetError
from libnet.libsocket import options
from libnet.libsocket.box import BoxPaths
from libnet.libsocket.netdb import Netdb
from libnet.libsocket.sock import (
    IP_RECVDSTADDR,
    IP_RECVIF,
    IPPROTO_IP,
    SO_ERROR,
    SO_RCVBUF,
    SO_SNDBUF,
    SOCK_DGRAM,
    SOCK_STREAM,
    SOL_SOCKET,
)
from libnet.libsocket.transport import UnixTransport, message
from libnet.rpc.codec import encode

if TYPE_CHECKING:
    from libnet.libsocket.resolver import Resolver

MAX_MESSAGE: Final = 70_000
_HOST_FAMILIES: Final = frozenset(
    int(getattr(_socket, name))
    for name in ("AF_UNIX", "AF_ALG", "AF_VSOCK")
    if hasattr(_socket, name)
)
_TYPE_FLAGS: Final = _socket.SOCK_NONBLOCK | _socket.SOCK_CLOEXEC
_PEEK: Final = _socket.MSG_PEEK | _socket.MSG_DONTWAIT
_ERROR_HEAD: Final = b"l\0\0\0\3N"  # a message without sender: an error
_MSG: Final = (
    (int(_socket.MSG_OOB), 0x1),
    (int(_socket.MSG_PEEK), 0x2),
    (int(_socket.MSG_DONTROUTE), 0x4),
)
# Functions of `_socket` that a Netdb has.
ADDRESSED: Final = (
    "getaddrinfo",
    "getnameinfo",
    "gethostbyaddr",
    "gethostbyname",
    "gethostbyname_ex",
    "getprotobyname",
    "getservbyname",
    "getservbyport",
)
# States of an endpoint that is a stream.
NEW: Final = 0
CONNECTING: Final = 1
CONNECTED: Final = 2
LISTENING: Final = 3


def host_error(symbol: str) -> OSError:
    """Return the OSError, of the right subclass, that the host would raise for *symbol*.

    >>> host_error("ECONNREFUSED")
    ConnectionRefusedError(111, 'Connection refused')
    """
    if symbol == "ESRCH":
        symbol = "ENETDOWN"  # the stack has died
    elif symbol == "ENOTSUP":
        symbol = "EOPNOTSUPP"
    number = getattr(errno, symbol, errno.EIO)
    return OSError(number, os.strerror(number))


def _error(number: int) -> OSError:
    return OSError(number, os.strerror(number))


def host_flags(flags: int) -> int:
    """Return the MSG_* of the stack for those of the host."""
    return sum(bsd for host, bsd in _MSG if flags & host)


def sockaddr(netdb: Netdb, address: Any, what: str) -> SockaddrIn:
    """Return the stack's form of the (host, port) that *what*() was given.

    Raises TypeError and OverflowError as Python's sockets do, and socket.gaierror.
    """
    if not isinstance(address, tuple):
        kind = type(address).__name__
        raise TypeError(f"{what}(): AF_INET address must be tuple, not {kind}")
    if len(address) != 2:
        raise TypeError(f"{what}(): AF_INET address must be a pair (host, port)")
    host, port = address
    if not isinstance(host, str | bytes | bytearray):
        raise TypeError(f"str, bytes or bytearray expected, not {type(host).__name__}")
    if not isinstance(port, int):
        raise TypeError(f"'{type(port).__name__}' object cannot be interpreted as an integer")
    if not 0 <= port <= 0xFFFF:
        raise OverflowError(f"{what}(): port must be 0-65535.")
    return SockaddrIn(netdb.address(host), port)


def address_tuple(addr: Sockaddr | None) -> Any:
    """Return the (host, port) of an address, None for none."""
    return (inet_ntoa(addr.addr), addr.port) if isinstance(addr, SockaddrIn) else None


class Endpoint:
    """An open socket of the stack, as several Python objects may share it.

    kind, protocol  as socket() was given them       state  NEW …, of a stream
    inode           of the descriptor: who it belongs to when only its number is known
    fast, fast_size address and greatest size of the datagrams that need no answer
    """

    def __init__(self, table: Table, transport: UnixTransport, kind: int, protocol: int) -> None:
        self.table, self.transport = table, transport
        self.kind, self.protocol = kind, protocol
        self.lock = threading.Lock()
        self.state = NEW
        self.inode = 0
        self.refs = 1
        self.fast: Any = None
        self.fast_size = -1
        self.token = ""

    def rpc(self, op: str, *args: Any) -> Any:
        """Make an operation. Raises NetError."""
        with self.lock:
            return self.transport.call(op, *args)

    def call(self, op: str, *args: Any) -> Any:
        """Make an operation. Raises the host's OSError."""
        try:
            with self.lock:
                return self.transport.call(op, *args)
        except NetError as exc:
            raise host_error(exc.symbol) from None

    def release(self) -> None:
        """Give one reference back; the last one lets the stack forget the socket."""
        self.refs -= 1
        if not self.refs:
            with self.lock:
                self.transport.close()

    def __del__(self) -> None:
        self.transport.close()

    def pending(self) -> str:
        """Return and clear the socket's error."""
        try:
            return str(self.rpc("getsockopt", SOL_SOCKET, SO_ERROR) or "")
        except NetError as exc:
            return exc.symbol

    def broken(self, number: int) -> OSError:
        """Return why the connection is broken, or error *number* when nobody knows."""
        symbol = self.pending()
        return host_error(symbol) if symbol else _error(number)

    def settle(self) -> str:
        """Note how connecting has ended; return the error's symbol."""
        symbol = self.pending()
        self.state = NEW if symbol else CONNECTED
        return symbol


class Table:
    """The sockets of this process.

    parked  endpoints whose descriptor no object holds at the moment (detach, dup, accept)
    live    those with an object, by descriptor
    """

    def __init__(self, connect: Callable[[], UnixTransport], netdb: Netdb) -> None:
        self.connect = connect
        self.netdb = netdb
        self.parked: dict[int, Endpoint] = {}
        self.live: weakref.WeakValueDictionary[int, Endpoint] = weakref.WeakValueDictionary()
        self.ends: weakref.WeakSet[Endpoint] = weakref.WeakSet()
        self._forking: list[Endpoint] = []

    def open(self, kind: int, protocol: int) -> tuple[Endpoint, int]:
        """Open a socket; return it and its descriptor."""
        return self._make("socket", AF_INET, kind, protocol, kind=kind, protocol=protocol)

    def adopt(self, token: str, kind: int, protocol: int) -> tuple[Endpoint, int]:
        """Open the socket that accept has left."""
        end, fd = self._make("adopt", token, kind=kind, protocol=protocol)
        end.state = CONNECTED
        return end, fd

    def _make(self, op: str, *args: Any, kind: int, protocol: int) -> tuple[Endpoint, int]:
        try:
            transport = self.connect()
            try:
                transport.call(op, *args)
                fd = transport.take_data()
                if fd < 0:
                    raise NetError("EIO")
            except NetError:
                transport.close()
                raise
        except NetError as exc:
            raise host_error(exc.symbol) from None
        os.set_blocking(fd, True)
        end = Endpoint(self, transport, kind, protocol)
        end.inode = os.fstat(fd).st_ino
        self.ends.add(end)
        return end, fd

    def find(self, fd: int) -> Endpoint | None:
        """Return the endpoint of a descriptor, if it still is that one."""
        end = self.parked.get(fd) or self.live.get(fd)
        if end is None:
            return None
        try:
            if os.fstat(fd).st_ino == end.inode:
                return end
        except OSError:
            end = None  # closed behind our back
        self.forget(fd)
        return None

    def park(self, fd: int, end: Endpoint) -> None:
        """Keep an endpoint for whoever makes an object of its descriptor."""
        self.forget(fd)
        self.parked[fd] = end

    def forget(self, fd: int) -> None:
        """Drop a parked descriptor, whose number is another's now."""
        end = self.parked.pop(fd, None)
        if end is not None:
            end.release()

    def claim(self, fd: int) -> Endpoint | None:
        """Return the endpoint of a descriptor for a new object around it."""
        end = self.find(fd)
        if end is None:
            return None
        if self.parked.pop(fd, None) is None:
            end.refs += 1
        return end

    # -- fork: both processes go on with a connection of their own to the stack

    def before_fork(self) -> None:
        """Have the stack ready to be asked for each socket once more."""
        for end in list(self.ends):
            end.lock.acquire()
            self._forking.append(end)
            end.token = ""
            if end.refs:
                with contextlib.suppress(NetError):
                    end.token = end.transport.call("share")

    def after_fork_in_parent(self) -> None:
        """Go on."""
        forking, self._forking = self._forking, []
        for end in forking:
            end.lock.release()

    def after_fork_in_child(self) -> None:
        """Open each socket again: two processes cannot share a conversation."""
        forking, self._forking = self._forking, []
        for end in forking:
            end.lock = threading.Lock()
            end.transport.close()
            if end.token:
                with contextlib.suppress(NetError):
                    end.transport = self.connect()
                    end.transport.call("adopt", end.token)

    # -- addresses and interfaces

    def sockaddr(self, address: Any, what: str) -> SockaddrIn:
        """Return the stack's form of a program's (host, port)."""
        return sockaddr(self.netdb, address, what)

    def index(self, name: str) -> int:
        """Return the number of an interface, 0 when there is none."""
        for number, one in self.interfaces():
            if one == name:
                return number
        return 0

    def interfaces(self) -> list[tuple[int, str]]:
        """Return (number, name) of each interface of the stack."""
        from libnet.addr import SockaddrDl
        from libnet.ioctl.sysctl import CTL_NET, NET_RT_IFLIST, PF_ROUTE
        from libnet.wire.rtsock import BadRtMessage, IfMsg, unpack_all

        mib = [CTL_NET, PF_ROUTE, 0, AF_INET, NET_RT_IFLIST, 0]
        try:
            found = list(unpack_all(self.control("sysctl", mib, None)))
        except BadRtMessage:
            raise host_error("EIO") from None
        return [
            (msg.index, msg.addrs.ifp.name)
            for msg in found
            if isinstance(msg, IfMsg) and isinstance(msg.addrs.ifp, SockaddrDl)
        ]

    def control(self, op: str, *args: Any) -> Any:
        """Make a stack-wide operation."""
        try:
            transport = self.connect()
            try:
                return transport.call(op, *args)
            finally:
                transport.close()
        except NetError as exc:
            raise host_error(exc.symbol) from None


_Base: Any = _socket.socket


class BoxSocket(_socket.socket):
    """`_socket.socket` of a box; see the module's docstring.

    table  set in the subclass that module() makes
    """

    __slots__ = ("_end",)
    table: ClassVar[Table]

    def __init__(
        self, family: int = -1, type: int = -1, proto: int = -1, fileno: int | None = None
    ) -> None:
        self._end: Endpoint | None = None
        if fileno is not None:
            self._around(family, type, proto, fileno)
            return
        family = int(_socket.AF_INET) if family == -1 else int(family)
        kind = SOCK_STREAM if type == -1 else int(type)
        proto = 0 if proto == -1 else int(proto)
        if family in _HOST_FAMILIES:
            super().__init__(family, kind, proto)
            return
        if family != _socket.AF_INET:
            raise host_error("EAFNOSUPPORT")
        flags, kind = kind & _TYPE_FLAGS, kind & ~_TYPE_FLAGS
        end, fd = self.table.open(kind, proto)
        try:
            super().__init__(family, kind, proto, fd)
        except BaseException:
            os.close(fd)
            end.release()
            raise
        self._hold(fd, end)
        if flags & _socket.SOCK_NONBLOCK:
            self.settimeout(0.0)

    def _around(self, family: int, type: int, proto: int, fileno: int) -> None:
        """Make an object of a descriptor, ours or the host's."""
        end = self.table.claim(fileno) if isinstance(fileno, int) and fileno >= 0 else None
        if end is None:
            super().__init__(family, type, proto, fileno)
            return
        if family == -1:
            family = int(_socket.AF_INET)
        super().__init__(
            family, end.kind if type == -1 else type, end.protocol if proto == -1 else proto, fileno
        )
        self._hold(fileno, end)

    def _hold(self, fd: int, end: Endpoint) -> None:
        self._end = end
        self.table.live[fd] = end

    # -- the end

    def close(self) -> None:
        """Close the descriptor, then the conversation about it."""
        end, self._end = self._end, None
        if end is None:
            super().close()
            return
        fd, table = self.fileno(), self.table
        table.live.pop(fd, None)
        try:
            super().close()
        finally:
            if table.parked.get(fd) is end:
                # ssl makes its object around the descriptor first and detaches ours afterwards.
                table.forget(fd)
            end.release()

    def detach(self) -> int:
        """Return the descriptor, which is the caller's now."""
        fd = super().detach()
        end, self._end = self._end, None
        if end is not None:
            self.table.park(fd, end)
        return fd

    # -- waiting

    def _wait(self, event: int) -> bool:
        """Wait for poll *event* as long as the timeout says; False when it has not come."""
        timeout = self.gettimeout()
        poller = select.poll()
        poller.register(self.fileno(), event)
        return bool(poller.poll(None if timeout is None else timeout * 1000))

    def _now(self, event: int) -> bool:
        """Tell whether poll *event* is there."""
        poller = select.poll()
        poller.register(self.fileno(), event)
        return bool(poller.poll(0))

    def _connected(self, end: Endpoint, error: int) -> None:
        """Make sure that a stream is connected, waiting for it; else raise error *error*."""
        if end.state == CONNECTING:
            if not self._wait(select.POLLOUT):
                self._would_block()
            symbol = end.settle()
            if symbol:
                raise host_error(symbol)
        if end.state != CONNECTED:
            raise _error(error)

    def _would_block(self) -> NoReturn:
        if self.gettimeout() == 0:
            raise _error(errno.EAGAIN)
        raise TimeoutError("timed out")

    # -- names and connections

    def bind(self, address: Any, /) -> None:
        """bind(2)."""
        end = self._end
        if end is None:
            super().bind(address)
            return
        end.fast = None
        end.call("bind", self.table.sockaddr(address, "bind"))

    def connect(self, address: Any, /) -> None:
        """connect(2)."""
        end = self._end
        if end is None:
            super().connect(address)
            return
        number = self._connect(end, address, "connect")
        if number:
            raise _error(number)

    def connect_ex(self, address: Any, /) -> int:
        """connect(2); return the error's number, 0 for none."""
        end = self._end
        if end is None:
            return super().connect_ex(address)
        try:
            return self._connect(end, address, "connect_ex")
        except TimeoutError:
            return errno.EAGAIN

    def _connect(self, end: Endpoint, address: Any, what: str) -> int:
        addr = self.table.sockaddr(address, what)
        end.fast = None
        if end.state == CONNECTING:
            if not self._now(select.POLLOUT):
                return errno.EALREADY
            symbol = end.settle()
            return host_error(symbol).errno or 0 if symbol else 0
        try:
            end.rpc("connect", addr)
        except NetError as exc:
            if exc.symbol != "EINPROGRESS" or end.kind != SOCK_STREAM:
                return host_error(exc.symbol).errno or errno.EIO
            end.state = CONNECTING
            if self.gettimeout() == 0:
                return errno.EINPROGRESS
            if not self._wait(select.POLLOUT):
                raise TimeoutError("timed out") from None
            symbol = end.settle()
            return host_error(symbol).errno or errno.EIO if symbol else 0
        end.state = CONNECTED
        return 0

    def listen(self, backlog: int = 128, /) -> None:
        """listen(2)."""
        end = self._end
        if end is None:
            super().listen(backlog)
            return
        end.call("listen", max(0, min(int(backlog), 0x7FFFFFFF)))
        end.state = LISTENING

    def _accept(self) -> tuple[int, Any]:
        """accept(2): return (descriptor, address)."""
        end = self._end
        if end is None:
            found: tuple[int, Any] = _Base._accept(self)
            return found
        if end.state != LISTENING:
            raise _error(errno.EINVAL)
        while True:
            try:
                octet = super().recv(1)  # it stands for a connection
            except ConnectionResetError:
                octet = b""
            if not octet:
                raise end.broken(errno.ENETDOWN)
            try:
                token, peer = end.rpc("accept")
            except NetError as exc:
                if exc.symbol not in ("EAGAIN", "ECONNABORTED"):
                    raise host_error(exc.symbol) from None
                continue  # it has broken off, or another process was faster
            made, fd = self.table.adopt(token, end.kind, end.protocol)
            self.table.park(fd, made)
            return fd, address_tuple(peer)

    def getsockname(self) -> Any:
        """getsockname(2)."""
        end = self._end
        return super().getsockname() if end is None else address_tuple(end.call("getsockname"))

    def getpeername(self) -> Any:
        """getpeername(2)."""
        end = self._end
        return super().getpeername() if end is None else address_tuple(end.call("getpeername"))

    def shutdown(self, how: int, /) -> None:
        """shutdown(2)."""
        end = self._end
        if end is not None:
            if end.kind != SOCK_STREAM:
                end.call("shutdown", int(how))
                return
            self._connected(end, errno.ENOTCONN)
        super().shutdown(how)

    # -- sending

    def send(self, data: Any, flags: int = 0, /) -> int:
        """send(2)."""
        end = self._end
        if end is None:
            return super().send(data, flags)
        if end.kind != SOCK_STREAM:
            return self._send_record(end, data, None, flags)
        if end.state != CONNECTED:
            self._connected(end, errno.EPIPE)
        if flags & _socket.MSG_OOB:
            return self._send_urgent(end, data, flags)
        try:
            return super().send(data, flags)
        except (BrokenPipeError, ConnectionResetError):
            raise end.broken(errno.EPIPE) from None

    def sendall(self, data: Any, flags: int = 0, /) -> None:
        """Send all of *data*."""
        end = self._end
        if end is None:
            super().sendall(data, flags)
        elif end.kind != SOCK_STREAM:
            self._send_record(end, data, None, flags)
        else:
            if end.state != CONNECTED:
                self._connected(end, errno.EPIPE)
            if flags & _socket.MSG_OOB:
                view = memoryview(data).cast("B")
                while view:
                    view = view[self._send_urgent(end, view, flags) :]
                return
            try:
                super().sendall(data, flags)
            except (BrokenPipeError, ConnectionResetError):
                raise end.broken(errno.EPIPE) from None

    def _send_urgent(self, end: Endpoint, data: Any, flags: int) -> int:
        """Send by an operation: the stack takes first what was written before."""
        while True:
            try:
                sent: int = end.rpc("sendto", bytes(data), None, host_flags(flags))
                return sent
            except NetError as exc:
                if exc.symbol != "EAGAIN":
                    raise host_error(exc.symbol) from None
            if self.gettimeout() == 0 or not self._wait(select.POLLOUT):
                self._would_block()

    def sendto(self, data: Any, *args: Any) -> int:
        """sendto(2): (data, address) or (data, flags, address)."""
        end = self._end
        if end is None:
            return super().sendto(data, *args)
        if not 1 <= len(args) <= 2:
            raise TypeError(f"sendto() takes 2 or 3 arguments ({len(args) + 1} given)")
        flags, address = (0, args[0]) if len(args) == 1 else args
        if end.kind == SOCK_STREAM:
            return self.send(data, flags)
        addr = None if address is None else self.table.sockaddr(address, "sendto")
        return self._send_record(end, data, addr, flags)

    def _send_record(self, end: Endpoint, data: Any, addr: SockaddrIn | None, flags: int) -> int:
        octets = data if type(data) is bytes else bytes(memoryview(data))
        size = len(octets)
        key = (addr.addr, addr.port) if addr is not None else 0
        bits = host_flags(flags) if flags else 0
        if end.fast == key and size <= end.fast_size:
            self._late_error(end)
            super().send(encode([octets, addr, bits]), flags & _socket.MSG_DONTWAIT)
            return size
        self._late_error(end)
        sent: int = end.call("sendto", octets, addr, bits)
        if end.fast != key:
            end.fast, end.fast_size = key, -1
        end.fast_size = max(end.fast_size, size)
        return sent

    def _late_error(self, end: Endpoint) -> None:
        """Raise the error that waits at the front of what was received, as the next call must."""
        if self.gettimeout() and not self._now(select.POLLIN):
            return  # with a timeout, even a receive that must not wait would
        try:
            if super().recv(len(_ERROR_HEAD), _PEEK) != _ERROR_HEAD:
                return
        except OSError:
            return
        self._next(end, _socket.MSG_DONTWAIT)

    def sendmsg(
        self, buffers: Iterable[Any], ancdata: Any = (), flags: int = 0, address: Any = None, /
    ) -> int:
        """sendmsg(2), without control data."""
        end = self._end
        if end is None:
            return super().sendmsg(buffers, ancdata, flags, address)
        if list(ancdata):
            raise host_error("EINVAL")
        if end.kind == SOCK_STREAM and not flags & _socket.MSG_OOB:
            if end.state != CONNECTED:
                self._connected(end, errno.EPIPE)
            try:
                return super().sendmsg(buffers, (), flags)
            except (BrokenPipeError, ConnectionResetError):
                raise end.broken(errno.EPIPE) from None
        data = b"".join(bytes(memoryview(part)) for part in buffers)
        return self.send(data, flags) if address is None else self.sendto(data, flags, address)

    # -- receiving

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        """recv(2)."""
        end = self._end
        if end is None:
            return super().recv(bufsize, flags)
        if end.kind != SOCK_STREAM:
            return self._record(end, bufsize, flags)[0]
        if end.state != CONNECTED:
            self._connected(end, errno.ENOTCONN)
        if flags & _socket.MSG_OOB:
            return bytes(end.call("recvn", bufsize, host_flags(flags)))
        try:
            octets = super().recv(bufsize, flags)
        except ConnectionResetError:
            raise end.broken(errno.ECONNRESET) from None
        if not octets and bufsize:
            self._at_end(end)
        return octets

    def _at_end(self, end: Endpoint) -> None:
        """Raise what the connection died of, unless the peer has closed it in order."""
        symbol = end.pending()
        if symbol:
            raise host_error(symbol)

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        """recv(2) into a buffer."""
        end = self._end
        if end is None:
            return super().recv_into(buffer, nbytes, flags)
        if end.kind != SOCK_STREAM or flags & _socket.MSG_OOB:
            return self._into(buffer, nbytes, lambda size: self.recv(size, flags))
        if end.state != CONNECTED:
            self._connected(end, errno.ENOTCONN)
        try:
            got = super().recv_into(buffer, nbytes, flags)
        except ConnectionResetError:
            raise end.broken(errno.ECONNRESET) from None
        if not got and (nbytes or len(memoryview(buffer))):
            self._at_end(end)
        return got

    @staticmethod
    def _into(buffer: Any, nbytes: int, receive: Callable[[int], bytes]) -> int:
        view = memoryview(buffer).cast("B")
        if nbytes < 0:
            raise ValueError("negative buffersize in recv_into")
        if nbytes > len(view):
            raise ValueError("buffer too small for requested bytes")
        octets = receive(nbytes or len(view))
        view[: len(octets)] = octets
        return len(octets)

    def recvfrom(self, bufsize: int, flags: int = 0, /) -> tuple[bytes, Any]:
        """recvfrom(2)."""
        end = self._end
        if end is None:
            return super().recvfrom(bufsize, flags)
        if end.kind == SOCK_STREAM:
            return self.recv(bufsize, flags), None
        data, addr, _control, _full = self._record(end, bufsize, flags)
        return data, addr

    def recvfrom_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> tuple[int, Any]:
        """recvfrom(2) into a buffer."""
        end = self._end
        if end is None:
            return super().recvfrom_into(buffer, nbytes, flags)
        sender: list[Any] = []

        def receive(size: int) -> bytes:
            data, addr = self.recvfrom(size, flags)
            sender.append(addr)
            return data

        return self._into(buffer, nbytes, receive), sender[0]

    def recvmsg(
        self, bufsize: int, ancbufsize: int = 0, flags: int = 0, /
    ) -> tuple[bytes, list[Any], int, Any]:
        """recvmsg(2): (data, control data, flags, address)."""
        end = self._end
        if end is None:
            return super().recvmsg(bufsize, ancbufsize, flags)
        if end.kind == SOCK_STREAM:
            return self.recv(bufsize, flags), [], 0, None
        data, addr, control, full = self._record(end, bufsize, flags)
        told = int(_socket.MSG_TRUNC) if full > len(data) else 0
        found = options.ancillary(control, self.table.index) if control and ancbufsize else []
        return data, found, told, addr

    def recvmsg_into(
        self, buffers: Iterable[Any], ancbufsize: int = 0, flags: int = 0, /
    ) -> tuple[int, list[Any], int, Any]:
        """recvmsg(2) into buffers."""
        end = self._end
        if end is None:
            return super().recvmsg_into(buffers, ancbufsize, flags)
        views = [memoryview(buffer).cast("B") for buffer in buffers]
        data, found, told, addr = self.recvmsg(sum(map(len, views)), ancbufsize, flags)
        at = 0
        for view in views:
            part = data[at : at + len(view)]
            view[: len(part)] = part
            at += len(part)
        return at, found, told, addr

    def _next(self, end: Endpoint, flags: int) -> list[Any]:
        """Return the next message: [from, control, data]. Raises the error it may be."""
        octets = super().recv(MAX_MESSAGE, flags & _PEEK)
        if not octets:
            raise host_error("ENETDOWN")
        try:
            found = message(octets)
        except NetError as exc:
            raise host_error(exc.symbol) from None
        control = found[1]
        if type(control) is dict and "error" in control:
            end.fast = None
            raise host_error(control["error"])
        return found

    def _record(
        self, end: Endpoint, size: int, flags: int
    ) -> tuple[bytes, Any, dict[str, Any], int]:
        """Return (data, address, control, length before it was cut) of the next datagram."""
        if size < 0:
            raise ValueError("negative buffersize in recv")
        frm, control, data = self._next(end, flags)
        return data[:size], address_tuple(frm), control or {}, len(data)

    # -- options

    def setsockopt(
        self, level: int, optname: int, value: Any, optlen: int | None = None, /
    ) -> None:
        """setsockopt(2), by the host's numbers."""
        end = self._end
        if end is None:
            if optlen is None:
                super().setsockopt(level, optname, value)
            else:
                super().setsockopt(level, optname, value, optlen)
            return
        if value is None:
            value = bytes(optlen or 0)
        elif not isinstance(value, int):
            value = bytes(memoryview(value))
        row = options.ROWS.get((int(level), int(optname)))
        if row is None:
            self._host_option(level, optname, value)
            return
        to_level, to_name, there, _back = row
        end.fast = None
        wanted = there(value)
        try:
            end.rpc("setsockopt", to_level, to_name, wanted)
        except NetError as exc:
            if exc.symbol != "ENOBUFS" or to_name not in (SO_SNDBUF, SO_RCVBUF):
                raise host_error(exc.symbol) from None
            # The host gives what it can and says nothing; so do we.
            most = self.table.control("sysctl", [1, 58], None)
            end.call("setsockopt", to_level, to_name, most)
        if (to_level, to_name) == (IPPROTO_IP, IP_RECVDSTADDR):
            end.call("setsockopt", IPPROTO_IP, IP_RECVIF, wanted)

    def _host_option(self, level: int, optname: int, value: Any) -> None:
        """Set what the host does itself: how long a call may take. Raises ENOPROTOOPT."""
        if level == _socket.SOL_SOCKET and optname in _TIMEOUTS:
            super().setsockopt(level, optname, value)
            return
        raise host_error("ENOPROTOOPT")

    def getsockopt(self, level: int, optname: int, buflen: int = 0, /) -> Any:
        """getsockopt(2), by the host's numbers."""
        end = self._end
        if end is None:
            return super().getsockopt(level, optname, buflen)
        level, optname = int(level), int(optname)
        octets = self._option(end, level, optname)
        if not buflen:
            return options.unpack_int(octets)
        return octets[:buflen]

    def _option(self, end: Endpoint, level: int, optname: int) -> bytes:
        if level == _socket.SOL_SOCKET:
            if optname == _socket.SO_ERROR:
                return options.pack_int(self._so_error(end))
            own = {
                int(_socket.SO_TYPE): end.kind,
                int(getattr(_socket, "SO_DOMAIN", 39)): int(_socket.AF_INET),
                int(getattr(_socket, "SO_PROTOCOL", 38)): self.proto or _PROTOCOL.get(end.kind, 0),
            }
            if optname in own:
                return options.pack_int(own[optname])
            if optname in _TIMEOUTS:
                return bytes(super().getsockopt(level, optname, 16))
        row = options.ROWS.get((level, optname))
        if row is None:
            raise host_error("ENOPROTOOPT")
        return bytes(row[3](end.call("getsockopt", row[0], row[1])))

    def _so_error(self, end: Endpoint) -> int:
        if end.kind != SOCK_STREAM:
            try:
                self._late_error(end)
            except OSError as exc:
                return exc.errno or errno.EIO
        if end.state == CONNECTING:
            if not self._now(select.POLLOUT):
                return 0
            symbol = end.settle()
        else:
            symbol = end.pending()
        return host_error(symbol).errno or errno.EIO if symbol else 0


_TIMEOUTS: Final = tuple(
    int(getattr(_socket, name, number))
    for name, number in (("SO_RCVTIMEO", 20), ("SO_SNDTIMEO", 21))
)
_PROTOCOL: Final = {SOCK_STREAM: 6, SOCK_DGRAM: 17}


_FUNCTIONS: Final = (
    "close",
    "dup",
    "gethostname",
    "if_indextoname",
    "if_nameindex",
    "if_nametoindex",
    "sethostname",
)


class _Functions:
    """The functions of `_socket` that ask the box, or know of its descriptors."""

    def __init__(self, table: Table, box: BoxPaths) -> None:
        self._table, self._box = table, box

    def close(self, fd: int, /) -> None:
        """Close a socket's descriptor."""
        _socket.close(fd)
        self._table.forget(fd)

    def dup(self, fd: int, /) -> int:
        """Return another descriptor of a socket."""
        end = self._table.find(fd)
        made = _socket.dup(fd)
        if end is not None:
            end.refs += 1
            self._table.park(made, end)
        return made

    def gethostname(self) -> str:
        """Return the name of the box's host."""
        try:
            return str(self._table.control("sysctl", [1, 10], None))
        except OSError:
            return self._box.name

    def sethostname(self, name: str | bytes, /) -> None:
        """Set it."""
        text = name if isinstance(name, str) else os.fsdecode(name)
        self._table.control("sysctl", [1, 10], text)

    def if_nameindex(self) -> list[tuple[int, str]]:
        """Return (number, name) of each interface."""
        return self._table.interfaces()

    def if_nametoindex(self, name: str | bytes, /) -> int:
        """Return the number of an interface."""
        number = self._table.index(os.fsdecode(name))
        if not number:
            raise OSError("no interface with this name")
        return number

    def if_indextoname(self, index: int, /) -> str:
        """Return the name of an interface."""
        for number, name in self._table.interfaces():
            if number == index:
                return name
        raise host_error("ENXIO")


def module(
    box: BoxPaths, prefix: str = "", *, fork: bool = True, resolver: Resolver | None = None
) -> ModuleType:
    """Return the `_socket` of *box*, for the stack at *prefix*.

    fork      keep the sockets usable in children that os.fork() makes
    resolver  asks the name servers of the box; without it names are those of /etc/hosts
    """
    netdb = Netdb(box.file, resolver)
    table = Table(lambda: UnixTransport(box.socket(prefix)), netdb)
    made = ModuleType("_socket", _socket.__doc__)
    made.__dict__.update(
        {name: value for name, value in vars(_socket).items() if not name.startswith("__")}
    )
    kind = type("socket", (BoxSocket,), {"__slots__": (), "__module__": "_socket", "table": table})
    functions = _Functions(table, box)
    made.__dict__.update({name: getattr(netdb, name) for name in ADDRESSED})
    made.__dict__.update({name: getattr(functions, name) for name in _FUNCTIONS})
    made.__dict__.update({"socket": kind, "SocketType": kind, "has_ipv6": False})
    if fork:
        os.register_at_fork(
            before=table.before_fork,
            after_in_parent=table.after_fork_in_parent,
            after_in_child=table.after_fork_in_child,
        )
    return made


def sockets(made: ModuleType) -> Any:
    """Return the standard library's module `socket` on top of *made*; sys.modules stays as it is."""
    import importlib.util
    import sys

    held = {name: sys.modules.get(name) for name in ("_socket", "socket")}
    spec = importlib.util.find_spec("socket")
    assert spec is not None
    assert spec.loader is not None
    above = importlib.util.module_from_spec(spec)
    sys.modules["_socket"], sys.modules["socket"] = made, above
    try:
        spec.loader.exec_module(above)
    finally:
        for name, value in held.items():
            if value is None:
                del sys.modules[name]
            else:
                sys.modules[name] = value
    return above


def install(made: ModuleType) -> None:
    """Put *made* in place of `_socket` for all that is imported from now on.

    What has been imported already and holds the interpreter's own sockets is forgotten, but for the
    modules of this package, which need them.
    """
    import sys

    old = sys.modules.get("socket")
    stale = {id(_socket), id(_socket.socket)}
    if old is not None:
        stale |= {id(old), id(old.socket)}
    for name, value in list(sys.modules.items()):
        if name.partition(".")[0] in ("libnet", "__main__", "_socket"):
            continue
        if name == "socket" or any(id(item) in stale for item in vars(value).values()):
            del sys.modules[name]
    sys.modules["_socket"] = made
