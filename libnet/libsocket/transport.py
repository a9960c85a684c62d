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
_POSTED: Final = 64  # operations on the way at a time
_BELLS: Final = 16  # of a device, taken off for one read
_OPENING: Final = ("socket", "adopt", "open")  # what may be answered with a descriptor

MSG_OOB: Final = 0x1
MSG_PEEK: Final = 0x2
SOL_SOCKET: Final = 0xFFFF
SO_ERROR: Final = 0x1007


class Transport(Protocol):
    """One open descriptor of a stack."""

    def call(self, op: str, *args: Any) -> Any:
        """Make one operation; return its result. Raises NetError."""

    def post(self, op: str, *args: Any) -> None:
        """Make one operation whose result nobody wants. A NetError may come from a later call."""

    def settle(self) -> None:
        """Wait for what was posted. Raises the first error among it."""

    def recv(self, flags: int = 0) -> list[Any]:
        """Return the next message pushed on this descriptor: [from, control, data].

        Never waits: raises EAGAIN when there is none.
        """

    def read(self, size: int, flags: int) -> bytes:
        """Return up to *size* octets of a stream; none at its end. Raises EAGAIN and its errors."""

    def write(self, data: bytes, flags: int) -> int:
        """Return how many octets of *data* a stream took. Raises EAGAIN and its errors."""

    def accept(self) -> list[Any]:
        """Return [token, peer address] of a connection. Raises EAGAIN."""

    def shutdown(self, how: int) -> None:
        """End a stream one way or both."""

    def fileno(self) -> int:
        """Return a host descriptor that is readable when recv() has something, or -1."""

    def close(self) -> None:
        """Let the stack forget the descriptor."""


class UnixTransport:
    """Over the Unix stream socket of an io-pkt process.

    The stack answers `socket` and `adopt` with a second descriptor. On that of a datagram socket it
    pushes what arrives, a message each; that of a stream carries its octets both ways. So a program's
    poll() works and data cost no round trip.
    """

    def __init__(self, path: str) -> None:
        """Connect. Raises EAFNOSUPPORT when no stack is there, as socket() does."""
        self._seq = 0
        self._posted = 0  # operations whose answers have not been read
        self._reader = FrameReader()
        self._data: socket.socket | None = None
        self._device = False  # whether _data carries what a device has
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
        if op == "read" and self._device and len(args) == 1 and type(args[0]) is int:
            return self._read_device(args[0])
        answer = self._call(op, *args)
        if op == "open":
            self._device = self._data is not None
        return answer

    def post(self, op: str, *args: Any) -> None:
        """Send one operation, and read answers only when there are many to read."""
        self._seq += 1
        self._posted += 1
        try:
            self._sock.sendall(pack(REQUEST, self._seq, [op, *args]))
        except (BrokenPipeError, ConnectionResetError):
            raise NetError("ESRCH") from None
        except OSError as exc:
            raise from_host(exc) from None
        if self._posted >= _POSTED:
            self.settle()

    def settle(self) -> None:
        """Read the answers to what was posted. Raises the first error among them."""
        error = ""
        while self._posted:
            try:
                octets = self._sock.recv(_RECV)
            except OSError as exc:
                raise from_host(exc) from None
            if not octets:
                raise NetError("ESRCH")
            for frame in self._reader.feed(octets):
                self._posted -= 1
                if frame.kind != REPLY and not error:
                    error = frame.value if type(frame.value) is str else "EIO"
        if error:
            raise NetError(error)

    def _read_device(self, size: int) -> bytes:
        """Take the next message of a device; when there is none, let the stack say why."""
        asked = False
        for _ in range(_BELLS):
            try:
                octets = self._open_data().recv(_RECV)
            except BlockingIOError:
                if asked:
                    break
            except OSError as exc:
                raise from_host(exc) from None
            else:
                if octets:
                    return octets[: max(0, size)]
            # A bell, which is a message without octets, may have come after the stack had said that
            # there is nothing: who takes it off has to ask again, or nobody ever will.
            asked = True
            try:
                got: bytes = self._call("read", size)
                return got  # a device that only rings
            except NetError as exc:
                if exc.symbol != "EAGAIN":
                    raise
        raise NetError("EAGAIN")

    def _call(self, op: str, *args: Any) -> Any:
        self._seq += 1
        sock = self._sock
        opening = op in _OPENING
        try:
            if self._posted:
                self.settle()
            sock.sendall(pack(REQUEST, self._seq, [op, *args]))
            while True:
                if opening:
                    octets, fds, _flags, _from = socket.recv_fds(
                        sock, _RECV, 1, socket.MSG_CMSG_CLOEXEC
                    )
                    for fd in fds:
                        self._take_fd(fd)
                else:
                    octets = sock.recv(_RECV)
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

    def take_data(self) -> int:
        """Return the second descriptor, which is the caller's from now on; -1 when there is none."""
        data, self._data = self._data, None
        return data.detach() if data is not None else -1

    def _open_data(self) -> socket.socket:
        if self._data is None:
            raise NetError("EOPNOTSUPP")
        return self._data

    def recv(self, flags: int = 0) -> list[Any]:
        """Return the next pushed message."""
        try:
            octets = self._open_data().recv(_RECV, flags)
        except NetError:
            raise
        except OSError as exc:
            raise from_host(exc) from None
        if not octets:
            raise NetError("ESRCH")
        return message(octets)

    def read(self, size: int, flags: int) -> bytes:
        """Return octets of the stream."""
        if flags & MSG_OOB:
            return bytes(self.call("recvn", size, flags))
        host = socket.MSG_PEEK if flags & MSG_PEEK else 0
        try:
            octets = self._open_data().recv(size, host)
        except NetError:
            raise
        except OSError as exc:
            self._broken()
            raise from_host(exc) from None
        if not octets and size:
            self._broken()
        return octets

    def write(self, data: bytes, flags: int) -> int:
        """Write octets to the stream."""
        if flags & MSG_OOB:
            taken: int = self.call("sendto", data, None, flags)
            return taken
        try:
            return self._open_data().send(data)
        except NetError:
            raise
        except OSError as exc:
            self._broken()
            raise from_host(exc) from None

    def _broken(self) -> None:
        """Raise what the connection died of, if anything."""
        symbol = self.call("getsockopt", SOL_SOCKET, SO_ERROR)
        if symbol:
            raise NetError(symbol)

    def accept(self) -> list[Any]:
        """Take the octet that stands for a connection, and the connection."""
        try:
            self._open_data().recv(1)
        except NetError:
            raise
        except OSError as exc:
            raise from_host(exc) from None
        answer = self.call("accept")
        if type(answer) is not list or len(answer) != 2 or type(answer[0]) is not str:
            raise NetError("EIO")
        return answer

    def shutdown(self, how: int) -> None:
        """Shut the stream's descriptor: the stack sees it after all that was written."""
        if not 0 <= how <= 2:
            raise NetError("EINVAL")
        try:
            self._open_data().shutdown(how)
        except NetError:
            raise
        except OSError as exc:
            raise from_host(exc) from None

    def fileno(self) -> int:
        """Return the descriptor to poll."""
        return self._data.fileno() if self._data is not None else self._sock.fileno()

    def close(self) -> None:
        """Close both descriptors."""
        # The data first: the stack then knows at once that no more of them come.
        if self._data is not None:
            self._data.close()
        self._sock.close()


def message(octets: bytes) -> list[Any]:
    """Return the [from, control, data] that a stack has pushed. Raises EIO."""
    try:
        value = decode(octets)
    except BadMessage:
        raise NetError("EIO") from None
    if type(value) is not list or len(value) != 3:
        raise NetError("EIO")
    return value


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

    def post(self, op: str, *args: Any) -> None:
        """Make one operation."""
        self.call(op, *args)

    def settle(self) -> None:
        """Nothing waits: each operation is made at once."""

    def recv(self, flags: int = 0) -> list[Any]:
        """Return the next message."""
        message: list[Any] = self.call("recv", flags)
        return message

    def read(self, size: int, flags: int) -> bytes:
        """Return octets of a stream."""
        return bytes(self.call("recvn", size, flags))

    def write(self, data: bytes, flags: int) -> int:
        """Write octets to a stream."""
        taken: int = self.call("sendto", data, None, flags)
        return taken

    def accept(self) -> list[Any]:
        """Return [token, peer address] of a connection."""
        answer: list[Any] = self.call("accept")
        return answer

    def shutdown(self, how: int) -> None:
        """End a stream one way or both."""
        self.call("shutdown", how)

    def fileno(self) -> int:
        """There is no host descriptor."""
        return -1

    def close(self) -> None:
        """Close the descriptor in the stack."""
        self._serve("close", [])
