"""How a descriptor reaches its stack: a Unix socket, or a direct call.

Both carry the operations of `libnet.rpc`; a Transport is one open descriptor.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from typing import Any, Final, Protocol

from libnet.errors import NetError, from_host
from libnet.rpc.codec import BadMessage, decode, encode
from libnet.rpc.frame import ERROR, REPLY, REQUEST, FrameReader, pack
from libnet.sunaddr import unix_address

_RECV: Final = 1 << 18


class Transport(Protocol):
    """One open descriptor of a stack."""

    def call(self, op: str, *args: Any) -> Any:
        """Make one operation; return its result. Raises NetError."""

    def recv(self, flags: int = 0) -> list[Any]:
        """Return the next message pushed on this descriptor: [from, control, data].

        Never waits: raises EAGAIN when there is none.
        """

    def fileno(self) -> int:
        """Return a host descriptor that is readable when recv() has something, or -1."""

    def close(self) -> None:
        """Let the stack forget the descriptor."""


class UnixTransport:
    """Over the Unix stream socket of an io-pkt process.

    The stack answers `socket` with a second descriptor, a sequenced-packet one, on which it pushes
    what arrives; so a program's poll() works and a packet costs no round trip.
    """

    def __init__(self, path: str) -> None:
        """Connect. Raises EAFNOSUPPORT when no stack is there, as socket() does."""
        self._seq = 0
        self._reader = FrameReader()
        self._data: socket.socket | None = None
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            address, fd = unix_address(path)
            try:
                self._sock.connect(address)
            finally:
                if fd is not None:
                    os.close(fd)
        except OSError as exc:
            self._sock.close()
            if isinstance(exc, PermissionError):
                raise NetError("EACCES") from None
            raise NetError("EAFNOSUPPORT") from None

    def call(self, op: str, *args: Any) -> Any:
        """Make one operation. A stack that dies meanwhile gives ESRCH."""
        self._seq += 1
        try:
            self._sock.sendall(pack(REQUEST, self._seq, [op, *args]))
            while True:
                octets, fds, _flags, _from = socket.recv_fds(self._sock, _RECV, 1)
                for fd in fds:
                    self._take_fd(fd)
                if not octets:
                    raise NetError("ESRCH")
                for frame in self._reader.feed(octets):
                    if frame.seq != self._seq:
                        continue
                    if frame.kind == REPLY:
                        return frame.value
                    if frame.kind == ERROR and type(frame.value) is str:
                        raise NetError(frame.value)
                    raise NetError("EIO")
        except (BrokenPipeError, ConnectionResetError):
            raise NetError("ESRCH") from None
        except NetError:
            raise
        except OSError as exc:
            raise from_host(exc) from None

    def _take_fd(self, fd: int) -> None:
        if self._data is not None:
            os.close(fd)
            return
        self._data = socket.socket(fileno=fd)
        self._data.setblocking(False)

    def recv(self, flags: int = 0) -> list[Any]:
        """Return the next pushed message."""
        if self._data is None:
            raise NetError("EOPNOTSUPP")
        try:
            octets = self._data.recv(_RECV, flags)
        except OSError as exc:
            raise from_host(exc) from None
        if not octets:
            raise NetError("ESRCH")
        try:
            message = decode(octets)
        except BadMessage:
            raise NetError("EIO") from None
        if type(message) is not list or len(message) != 3:
            raise NetError("EIO")
        return message

    def fileno(self) -> int:
        """Return the descriptor to poll."""
        return self._data.fileno() if self._data is not None else self._sock.fileno()

    def close(self) -> None:
        """Close both descriptors."""
        self._sock.close()
        if self._data is not None:
            self._data.close()


class LocalTransport:
    """Direct calls to a stack in this process.

    serve  takes (operation, arguments), returns the result or raises NetError
    codec  pass every value through the codec, as the Unix socket would (tests do)
    """

    def __init__(self, serve: Callable[[str, list[Any]], Any], *, codec: bool = False) -> None:
        self._serve = serve
        self._codec = codec

    def call(self, op: str, *args: Any) -> Any:
        """Make one operation."""
        if not self._codec:
            return self._serve(op, list(args))
        return decode(encode(self._serve(op, decode(encode(list(args))))))

    def recv(self, flags: int = 0) -> list[Any]:
        """Return the next message."""
        message: list[Any] = self.call("recv", flags)
        return message

    def fileno(self) -> int:
        """There is no host descriptor."""
        return -1

    def close(self) -> None:
        """Close the descriptor in the stack."""
        self._serve("close", [])
