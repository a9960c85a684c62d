"""The resource manager's side of one descriptor: operations in, results or errors out.

One Proc is one open descriptor of one client. It serves the Unix socket and, called directly, the
simulator; nothing here knows which.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Protocol

from libnet.addr import Sockaddr
from libnet.engine.kern.socket import (
    MSG_OOB,
    MSG_PEEK,
    SOCK_STREAM,
    SS_ISCONNECTED,
    Cred,
    Socket,
)
from libnet.errors import NetError
from libnet.ioctl import every
from libnet.ioctl.registry import ROWS

if TYPE_CHECKING:
    from libnet.clock import Callout, Clock, Dice
    from libnet.iopkt.manager import Manager

MAX_READ: Final = 1 << 20
MAX_TOKENS: Final = 1024  # sockets between two descriptors, over the whole stack
TOKEN_S: Final = 10.0  # how long one may be there
TOKEN_BITS: Final = 128

assert every.MODULES  # loaded, so that the decoder knows all structs


class Device(Protocol):
    """An open device of the stack, such as a clone of /dev/bpf."""

    def read(self, size: int) -> bytes:
        """read(2)."""

    def write(self, data: bytes) -> int:
        """write(2)."""

    def ioctl(self, row: Any, arg: Any) -> Any:
        """ioctl(2)."""

    def readable(self) -> bool:
        """Tell whether read() has something."""

    def close(self) -> None:
        """close(2)."""


class Pipe(Protocol):
    """What carries a socket's data beside the operations; only the Unix socket has one."""

    def close(self) -> None:
        """End the socket when what was written is on its way: its last descriptor is gone."""


class File:
    """struct file: an open socket, and how many descriptors share it.

    pipe  what carries its data past the operations, or None
    """

    __slots__ = ("pipe", "refs", "so")

    def __init__(self, so: Socket) -> None:
        self.so = so
        self.refs = 1
        self.pipe: Pipe | None = None

    def release(self) -> None:
        """Give one reference back; the last one closes the socket."""
        self.refs -= 1
        if self.refs:
            return
        if self.pipe is not None:
            self.pipe.close()
        else:
            self.so.close()


class Tokens:
    """Sockets on the way to a new descriptor: accepted ones, and shared ones.

    Who knows the token of one, and is the user it was made for, may adopt it once.
    """

    def __init__(self, clock: Clock, dice: Dice) -> None:
        self._clock, self._dice = clock, dice
        self._waiting: dict[str, tuple[File, int, Callout]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def issue(self, file: File, uid: int) -> str:
        """Keep a reference to *file* for user *uid*; return the token. Raises ENFILE."""
        if len(self._waiting) >= MAX_TOKENS:
            raise NetError("ENFILE")
        token = f"{self._dice.getrandbits(TOKEN_BITS):032x}"
        callout = self._clock.after(TOKEN_S, lambda: self._expire(token))
        self._waiting[token] = file, uid, callout
        return token

    def redeem(self, token: str, uid: int) -> File:
        """Return the file, whose reference is now the caller's. Raises EBADF."""
        row = self._waiting.get(token)
        if row is None or row[1] != uid:
            raise NetError("EBADF")
        del self._waiting[token]
        row[2].stop()
        return row[0]

    def _expire(self, token: str) -> None:
        file, _uid, _callout = self._waiting.pop(token)
        file.release()


class Proc:
    """One descriptor.

    manager  whose stack it is of       cred  who holds it
    fd       returns the number that the descriptor has in the program, -1 if nobody knows
    writing  whether a device was opened for writing too
    """

    def __init__(self, manager: Manager, cred: Cred, fd: Callable[[], int] | None = None) -> None:
        self.manager = manager
        self.stack = manager.stack
        self.cred = cred
        self.fd = fd
        self.file: File | None = None
        self.device: Device | None = None
        self.writing = False

    @property
    def socket(self) -> Socket | None:
        """The open socket, or None."""
        return self.file.so if self.file is not None else None

    def serve(self, op: str, args: list[Any]) -> Any:
        """Make operation *op*. Raises NetError; EINVAL for arguments of the wrong number or type."""
        row = _OPS.get(op)
        if row is None:
            raise NetError("ENOSYS")
        kinds, func = row
        if len(args) != len(kinds):
            raise NetError("EINVAL")
        for arg, kind in zip(args, kinds, strict=True):
            if not _fits(arg, kind):
                raise NetError("EINVAL")
        try:
            return func(self, *args)
        except NetError:
            raise
        except RecursionError:
            raise NetError("EINVAL") from None

    def close(self) -> None:
        """Close what is open."""
        file, self.file = self.file, None
        if file is not None:
            self.manager.procs.pop(self, None)
            file.release()
        device, self.device = self.device, None
        if device is not None:
            device.close()

    # -- opening

    def _unopened(self) -> None:
        if self.file is not None or self.device is not None:
            raise NetError("EINVAL")

    def _open(self, file: File) -> None:
        self.file = file
        self.manager.procs[self] = None

    def op_socket(self, domain: int, kind: int, protocol: int) -> None:
        """socket(2)."""
        self._unopened()
        self._open(File(self.stack.socreate(domain, kind, protocol, self.cred)))

    def op_adopt(self, token: str) -> list[int]:
        """Open what accept or share has left: [domain, type, protocol] of the socket.

        Raises EBADF for a token that is not, no longer, or not this user's.
        """
        self._unopened()
        file = self.manager.tokens.redeem(token, self.cred.uid)
        self._open(file)
        return [file.so.domain, file.so.type, file.so.protocol]

    def op_share(self) -> str:
        """Return a token for a second descriptor of this socket, as a fork needs."""
        so = self._so()  # raises when this is no socket
        assert self.file is not None
        assert self.file.so is so
        token = self.manager.tokens.issue(self.file, self.cred.uid)
        self.file.refs += 1
        return token

    def op_open(self, path: str, writing: bool) -> None:
        """open(2) of a device: O_RDWR, or O_RDONLY unless *writing*."""
        self._unopened()
        self.device = self.manager.open_device(path, self.cred, writing)
        self.writing = writing

    def op_close(self) -> None:
        """close(2)."""
        self.close()

    # -- any descriptor

    def op_ioctl(self, name: str, arg: Any) -> Any:
        """ioctl(2) by name."""
        row = ROWS.get(name)
        if row is None:
            raise NetError("ENOTTY")
        if self.socket is not None:
            return self.socket.ioctl(row, arg)
        if self.device is not None:
            return self.device.ioctl(row, arg)
        raise NetError("EBADF")

    def op_read(self, size: int) -> bytes:
        """read(2)."""
        if not 0 <= size <= MAX_READ:
            raise NetError("EINVAL")
        if self.device is not None:
            return self.device.read(size)
        return self._so().recv(0, size).data[:size]

    def op_write(self, data: bytes) -> int:
        """write(2)."""
        if self.device is not None:
            if not self.writing:
                raise NetError("EBADF")
            return self.device.write(data)
        return self._so().send(data, None)

    def op_poll(self) -> bool:
        """Tell whether recv or read has something."""
        if self.socket is not None:
            return self.socket.readable()
        if self.device is not None:
            return self.device.readable()
        return False

    def op_pollout(self) -> bool:
        """Tell whether send or write would take something, or tell what is wrong."""
        return self.socket is None or self.socket.writable()

    # -- sockets

    def _so(self) -> Socket:
        if self.socket is None:
            raise NetError("ENOTSOCK" if self.device is not None else "EBADF")
        return self.socket

    def op_bind(self, addr: Sockaddr) -> None:
        """bind(2)."""
        self._so().bind(addr)

    def op_connect(self, addr: Sockaddr) -> None:
        """connect(2). Of a stream it only begins: EINPROGRESS, and SO_ERROR tells the end."""
        so = self._so()
        so.connect(addr)
        if so.type == SOCK_STREAM and not so.state & SS_ISCONNECTED:
            raise NetError("EINPROGRESS")

    def op_listen(self, backlog: int) -> None:
        """listen(2)."""
        self._so().listen(backlog)

    def op_accept(self) -> list[Any]:
        """accept(2), its first half: [token, peer address]. Raises EAGAIN, ENFILE."""
        so = self._so().accept()
        file = File(so)
        try:
            peer = so.usrreq.peeraddr(so)
            token = self.manager.tokens.issue(file, self.cred.uid)
        except NetError:
            file.release()
            raise
        return [token, peer]

    def op_sendto(self, data: bytes, addr: Sockaddr | None, flags: int) -> int:
        """sendto(2)."""
        return self._so().send(data, addr, flags)

    def op_recv(self, flags: int) -> list[Any]:
        """recvmsg(2): [from, control, data]."""
        record = self._so().recv(flags & (MSG_PEEK | MSG_OOB))
        return [record.frm, record.control, record.data]

    def op_recvn(self, size: int, flags: int) -> bytes:
        """recv(2) of at most *size* octets; nothing means that the peer has ended."""
        if not 0 <= size <= MAX_READ:
            raise NetError("EINVAL")
        return self._so().recv(flags & (MSG_PEEK | MSG_OOB), size).data[:size]

    def op_setsockopt(self, level: int, name: int, value: Any) -> None:
        """setsockopt(2)."""
        self._so().setopt(level, name, value)

    def op_getsockopt(self, level: int, name: int) -> Any:
        """getsockopt(2)."""
        return self._so().getopt(level, name)

    def op_getsockname(self) -> Sockaddr:
        """getsockname(2)."""
        so = self._so()
        addr: Sockaddr = so.usrreq.sockaddr(so)
        return addr

    def op_getpeername(self) -> Sockaddr:
        """getpeername(2)."""
        so = self._so()
        addr: Sockaddr = so.usrreq.peeraddr(so)
        return addr

    def op_shutdown(self, how: int) -> None:
        """shutdown(2)."""
        self._so().shutdown(how)

    # -- the whole stack

    def op_sysctl(self, mib: list[int], new: Any) -> Any:
        """sysctl(3)."""
        return self.stack.sysctl.call(mib, new, self.cred)

    def op_mount(self, type_: str, options: str, path: str) -> None:
        """Load a module (mount -T)."""
        if not self.cred.suser:
            raise NetError("EPERM")
        self.manager.mount(type_, options, path)

    def op_umount(self, path: str) -> None:
        """Take a shim driver's interface away (umount)."""
        if not self.cred.suser:
            raise NetError("EPERM")
        self.manager.umount(path)

    def op_ps(self) -> dict[str, Any]:
        """Tell about the process and its threads (pidin)."""
        return self.manager.ps()

    def op_pci(self) -> list[dict[str, Any]]:
        """Tell about the NICs (pci)."""
        return self.manager.pci()


def _fits(arg: Any, kind: Any) -> bool:
    if kind is None:
        return True
    if kind == "addr":
        return isinstance(arg, Sockaddr)
    if kind == "addr?":
        return arg is None or isinstance(arg, Sockaddr)
    if kind == "ints":
        return type(arg) is list and all(type(item) is int for item in arg)
    return type(arg) is kind


_OPS: Final[dict[str, tuple[tuple[Any, ...], Callable[..., Any]]]] = {
    "socket": ((int, int, int), Proc.op_socket),
    "open": ((str, bool), Proc.op_open),
    "close": ((), Proc.op_close),
    "ioctl": ((str, None), Proc.op_ioctl),
    "read": ((int,), Proc.op_read),
    "write": ((bytes,), Proc.op_write),
    "poll": ((), Proc.op_poll),
    "pollout": ((), Proc.op_pollout),
    "adopt": ((str,), Proc.op_adopt),
    "share": ((), Proc.op_share),
    "bind": (("addr",), Proc.op_bind),
    "connect": (("addr",), Proc.op_connect),
    "listen": ((int,), Proc.op_listen),
    "accept": ((), Proc.op_accept),
    "sendto": ((bytes, "addr?", int), Proc.op_sendto),
    "recv": ((int,), Proc.op_recv),
    "recvn": ((int, int), Proc.op_recvn),
    "setsockopt": ((int, int, None), Proc.op_setsockopt),
    "getsockopt": ((int, int), Proc.op_getsockopt),
    "getsockname": ((), Proc.op_getsockname),
    "getpeername": ((), Proc.op_getpeername),
    "shutdown": ((int,), Proc.op_shutdown),
    "sysctl": (("ints", None), Proc.op_sysctl),
    "mount": ((str, str, str), Proc.op_mount),
    "umount": ((str,), Proc.op_umount),
    "ps": ((), Proc.op_ps),
    "pci": ((), Proc.op_pci),
}
