"""Python's module `socket` for code that runs inside a world in memory.

    socket = simsocket.module(box.ctx("server"))
    def serve(_out, _err):
        with socket.create_server(("", 80)) as listener:
            conn, addr = listener.accept()          # the world goes on meanwhile
            ...
        return 0
    job = box.start_job("serve", serve)

A call that blocks lets the world go on until it can return (Ctx.wait), so the code has to run where
programs do: in the caller itself, or in a job. A socket has no descriptor of the host, so select,
selectors and asyncio cannot wait for it; wait(socks, timeout) of the module does. Everything else is
as libnet.libsocket.pysocket has it, whose tables are used.
"""

from __future__ import annotations

import _socket
import errno
from collections.abc import Iterable, Sequence
from itertools import count
from types import ModuleType
from typing import Any, ClassVar, Final, NoReturn

from libnet.addr import AF_INET
from libnet.errors import NetError
from libnet.libsocket import options
from libnet.libsocket.ctx import Ctx
from libnet.libsocket.netdb import Netdb
from libnet.libsocket.pysocket import ADDRESSED, address_tuple, host_error, host_flags, sockaddr
from libnet.libsocket.resolver import Resolver
from libnet.libsocket.sock import SO_ERROR, SOCK_STREAM, SOL_SOCKET, Socket

FIRST: Final = 1 << 20  # what stands for descriptors: no host has so many


class SimSocket:
    """`_socket.socket` over a Ctx.

    ctx, netdb, parked, default  of the module: set in the subclass that module() makes
    """

    __slots__ = ("_family", "_fd", "_kind", "_listening", "_proto", "_sock", "_timeout")
    ctx: ClassVar[Ctx]
    netdb: ClassVar[Netdb]
    parked: ClassVar[dict[int, Socket]]
    numbers: ClassVar[Any]
    default: ClassVar[list[float | None]]

    def __init__(
        self, family: int = -1, type: int = -1, proto: int = -1, fileno: int | None = None
    ) -> None:
        self._fd = -1
        self._timeout = self.default[0]
        self._listening = False
        self._family = AF_INET if family == -1 else int(family)
        self._kind = SOCK_STREAM if type == -1 else int(type)
        self._proto = 0 if proto == -1 else int(proto)
        if fileno is not None:
            found = self.parked.pop(fileno, None)
            if found is None:
                raise host_error("EBADF")
            self._sock, self._fd = found, fileno
            self._kind = found.kind
            return
        if self._family != AF_INET:
            raise host_error("EAFNOSUPPORT")
        try:
            self._sock = self.ctx.socket(AF_INET, self._kind, self._proto)
        except NetError as exc:
            raise host_error(exc.symbol) from None
        self._fd = next(self.numbers)

    # The standard library's class puts its own properties over these three.

    @property
    def family(self) -> int:
        """AF_INET."""
        return self._family

    @property
    def type(self) -> int:
        """SOCK_STREAM, …."""
        return self._kind

    @property
    def proto(self) -> int:
        """The protocol's number."""
        return self._proto

    # -- the descriptor

    def fileno(self) -> int:
        """Return what stands for the descriptor, -1 when it is closed."""
        return self._fd

    def detach(self) -> int:
        """Return what stands for the descriptor; socket(fileno=) takes it."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            self.parked[fd] = self._sock
        return fd

    def close(self) -> None:
        """Close."""
        if self._fd >= 0:
            self._fd = -1
            self._sock.close()

    def __del__(self) -> None:
        if getattr(self, "_fd", -1) >= 0:
            self.close()

    # -- waiting

    def settimeout(self, value: float | None, /) -> None:
        """Set how long a call may take: None for ever, 0 not to wait."""
        if value is not None and value < 0:
            raise ValueError("Timeout value out of range")
        self._timeout = None if value is None else float(value)

    def gettimeout(self) -> float | None:
        """Return it."""
        return self._timeout

    @property
    def timeout(self) -> float | None:
        """The timeout."""
        return self._timeout

    def setblocking(self, flag: bool, /) -> None:
        """Wait for ever, or not at all."""
        self._timeout = None if flag else 0.0

    def getblocking(self) -> bool:
        """Tell whether calls wait."""
        return self._timeout != 0

    def _open(self) -> Socket:
        if self._fd < 0:
            raise host_error("EBADF")
        return self._sock

    def _call(self, op: str, *args: Any, write: bool = False) -> Any:
        """Call a method of the socket; wait and try again while it says EAGAIN."""
        sock = self._open()
        end = None if self._timeout is None else self.ctx.now() + self._timeout
        while True:
            try:
                return getattr(sock, op)(*args)
            except NetError as exc:
                if exc.symbol not in ("EAGAIN", "ECONNABORTED") or self._timeout == 0:
                    raise host_error(exc.symbol) from None
            self._wait(end, write=write)

    def _wait(self, end: float | None, *, write: bool) -> None:
        left = None if end is None else max(end - self.ctx.now(), 0.0)
        sock = self._open()
        if not self.ctx.wait([] if write else [sock], left, [sock] if write else []):
            raise TimeoutError("timed out")

    # -- names and connections

    def bind(self, address: Any, /) -> None:
        """bind(2)."""
        self._call("bind", sockaddr(self.netdb, address, "bind"))

    def listen(self, backlog: int = 128, /) -> None:
        """listen(2)."""
        self._call("listen", max(0, min(int(backlog), 0x7FFFFFFF)))
        self._listening = True

    def connect(self, address: Any, /) -> None:
        """connect(2)."""
        number = self.connect_ex(address)
        if number:
            if number == errno.EAGAIN and self._timeout:
                raise TimeoutError("timed out")
            raise host_error(errno.errorcode[number])

    def connect_ex(self, address: Any, /) -> int:
        """connect(2); return the error's number, 0 for none."""
        addr = sockaddr(self.netdb, address, "connect")
        sock = self._open()
        try:
            sock.connect(addr)
        except NetError as exc:
            if exc.symbol != "EINPROGRESS" or self._timeout == 0:
                return host_error(exc.symbol).errno or errno.EIO
            end = None if self._timeout is None else self.ctx.now() + self._timeout
            try:
                self._wait(end, write=True)
            except TimeoutError:
                return errno.EAGAIN
            return self._so_error()
        return 0

    def _so_error(self) -> int:
        try:
            symbol = str(self._open().getsockopt(SOL_SOCKET, SO_ERROR) or "")
        except NetError as exc:
            symbol = exc.symbol
        return host_error(symbol).errno or errno.EIO if symbol else 0

    def _accept(self) -> tuple[int, Any]:
        """accept(2): what stands for the descriptor, and the address."""
        if not self._listening:
            raise host_error("EINVAL")
        made, peer = self._call("accept")
        fd = next(self.numbers)
        self.parked[fd] = made
        return fd, address_tuple(peer)

    def getsockname(self) -> Any:
        """getsockname(2)."""
        return address_tuple(self._call("getsockname"))

    def getpeername(self) -> Any:
        """getpeername(2)."""
        return address_tuple(self._call("getpeername"))

    def shutdown(self, how: int, /) -> None:
        """shutdown(2)."""
        self._call("shutdown", int(how))

    # -- data

    def send(self, data: Any, flags: int = 0, /) -> int:
        """send(2)."""
        octets = bytes(memoryview(data))
        sent: int = self._call("send", octets, host_flags(flags), write=True)
        return sent

    def sendall(self, data: Any, flags: int = 0, /) -> None:
        """Send all of *data*."""
        view = memoryview(data).cast("B")
        if self._kind != SOCK_STREAM or not view:
            self.send(view, flags)
            return
        while view:
            view = view[self.send(view, flags) :]

    def sendto(self, data: Any, *args: Any) -> int:
        """sendto(2): (data, address) or (data, flags, address)."""
        if not 1 <= len(args) <= 2:
            raise TypeError(f"sendto() takes 2 or 3 arguments ({len(args) + 1} given)")
        flags, address = (0, args[0]) if len(args) == 1 else args
        if self._kind == SOCK_STREAM or address is None:
            return self.send(data, flags)
        addr = sockaddr(self.netdb, address, "sendto")
        octets = bytes(memoryview(data))
        sent: int = self._call("sendto", octets, addr, host_flags(flags), write=True)
        return sent

    def sendmsg(
        self, buffers: Iterable[Any], ancdata: Any = (), flags: int = 0, address: Any = None, /
    ) -> int:
        """sendmsg(2), without control data."""
        if list(ancdata):
            raise host_error("EINVAL")
        data = b"".join(bytes(memoryview(part)) for part in buffers)
        return self.send(data, flags) if address is None else self.sendto(data, flags, address)

    def _receive(self, size: int, flags: int) -> tuple[bytes, Any, dict[str, Any], int]:
        """Return (data, address, control, length before it was cut)."""
        if size < 0:
            raise ValueError("negative buffersize in recv")
        if self._kind != SOCK_STREAM:
            data, frm, control = self._call("recvmsg", host_flags(flags))
            return data[:size], address_tuple(frm), control, len(data)
        if not flags & _socket.MSG_WAITALL:
            got = self._call("recv", size, host_flags(flags))
            return got, None, {}, len(got)
        octets = bytearray()
        while len(octets) < size:
            part = self._call("recv", size - len(octets), host_flags(flags))
            if not part:
                break
            octets += part
        return bytes(octets), None, {}, len(octets)

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        """recv(2)."""
        return self._receive(bufsize, flags)[0]

    def recvfrom(self, bufsize: int, flags: int = 0, /) -> tuple[bytes, Any]:
        """recvfrom(2)."""
        return self._receive(bufsize, flags)[:2]

    def recvmsg(
        self, bufsize: int, ancbufsize: int = 0, flags: int = 0, /
    ) -> tuple[bytes, list[Any], int, Any]:
        """recvmsg(2)."""
        data, addr, control, full = self._receive(bufsize, flags)
        told = int(_socket.MSG_TRUNC) if full > len(data) else 0
        found = options.ancillary(control, lambda _name: 0) if control and ancbufsize else []
        return data, found, told, addr

    def recvfrom_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> tuple[int, Any]:
        """recvfrom(2) into a buffer."""
        view = memoryview(buffer).cast("B")
        if nbytes < 0:
            raise ValueError("negative buffersize in recv_into")
        if nbytes > len(view):
            raise ValueError("buffer too small for requested bytes")
        data, addr = self.recvfrom(nbytes or len(view), flags)
        view[: len(data)] = data
        return len(data), addr

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        """recv(2) into a buffer."""
        return self.recvfrom_into(buffer, nbytes, flags)[0]

    # -- options

    def setsockopt(
        self, level: int, optname: int, value: Any, optlen: int | None = None, /
    ) -> None:
        """setsockopt(2), by the host's numbers."""
        row = options.ROWS.get((int(level), int(optname)))
        if row is None:
            raise host_error("ENOPROTOOPT")
        if value is None:
            value = bytes(optlen or 0)
        elif not isinstance(value, int):
            value = bytes(memoryview(value))
        self._call("setsockopt", row[0], row[1], row[2](value))

    def getsockopt(self, level: int, optname: int, buflen: int = 0, /) -> Any:
        """getsockopt(2), by the host's numbers."""
        level, optname = int(level), int(optname)
        if (level, optname) == (int(_socket.SOL_SOCKET), int(_socket.SO_ERROR)):
            octets = options.pack_int(self._so_error())
        elif (level, optname) == (int(_socket.SOL_SOCKET), int(_socket.SO_TYPE)):
            octets = options.pack_int(self._kind)
        else:
            row = options.ROWS.get((level, optname))
            if row is None:
                raise host_error("ENOPROTOOPT")
            octets = row[3](self._call("getsockopt", row[0], row[1]))
        if buflen:
            return octets[:buflen]
        return options.unpack_int(octets)


def module(ctx: Ctx) -> ModuleType:
    """Return a module `socket` for the box of *ctx*, with one function more: wait."""
    from libnet.libsocket.pysocket import sockets

    netdb = Netdb(ctx.file, Resolver(ctx))
    default: list[float | None] = [None]
    parked: dict[int, Socket] = {}
    members = {
        "__slots__": (),
        "__module__": "_socket",
        "ctx": ctx,
        "netdb": netdb,
        "parked": parked,
        "numbers": count(FIRST),
        "default": default,
    }
    kind = type("socket", (SimSocket,), members)

    def setdefaulttimeout(timeout: float | None, /) -> None:
        default[0] = timeout

    def no_descriptor(*_args: Any) -> NoReturn:
        raise host_error("EOPNOTSUPP")

    made = ModuleType("_socket")
    made.__dict__.update(
        {name: value for name, value in vars(_socket).items() if not name.startswith("__")}
    )
    made.__dict__.update({name: getattr(netdb, name) for name in ADDRESSED})
    made.__dict__.update(
        {
            "socket": kind,
            "SocketType": kind,
            "has_ipv6": False,
            "gethostname": lambda: ctx.box.name,
            "getdefaulttimeout": lambda: default[0],
            "setdefaulttimeout": setdefaulttimeout,
            "dup": no_descriptor,
        }
    )
    above: ModuleType = sockets(made)

    def wait(
        readers: Sequence[Any], timeout: float | None = None, writers: Sequence[Any] = ()
    ) -> list[Any]:
        """Wait until one of *readers* is readable or one of *writers* writable; return those."""
        by_sock = {id(one._sock): one for one in (*readers, *writers)}
        found = ctx.wait([one._sock for one in readers], timeout, [one._sock for one in writers])
        return list(dict.fromkeys(by_sock[id(one)] for one in found))

    above.__dict__["wait"] = wait
    return above
