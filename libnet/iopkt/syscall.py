"""The resource manager's side of one descriptor: operations in, results or errors out.

One Proc is one open descriptor of one client. It serves the Unix socket and, called directly, the
simulator; nothing here knows which.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Protocol

from libnet.addr import Sockaddr
from libnet.engine.kern.socket import MSG_PEEK, Cred, Socket
from libnet.errors import NetError
from libnet.ioctl import every
from libnet.ioctl.registry import ROWS

if TYPE_CHECKING:
    from libnet.iopkt.manager import Manager

MAX_READ: Final = 1 << 20

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


class Proc:
    """One descriptor.

    manager  whose stack it is of       cred  who holds it
    """

    def __init__(self, manager: Manager, cred: Cred) -> None:
        self.manager = manager
        self.stack = manager.stack
        self.cred = cred
        self.socket: Socket | None = None
        self.device: Device | None = None

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
        so, self.socket = self.socket, None
        if so is not None:
            so.close()
        device, self.device = self.device, None
        if device is not None:
            device.close()

    # -- opening

    def _unopened(self) -> None:
        if self.socket is not None or self.device is not None:
            raise NetError("EINVAL")

    def op_socket(self, domain: int, kind: int, protocol: int) -> None:
        """socket(2)."""
        self._unopened()
        self.socket = self.stack.socreate(domain, kind, protocol, self.cred)

    def op_open(self, path: str) -> None:
        """open(2) of a device."""
        self._unopened()
        self.device = self.manager.open_device(path, self.cred)

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
        return self._so().recv().data[:size]

    def op_write(self, data: bytes) -> int:
        """write(2)."""
        if self.device is not None:
            return self.device.write(data)
        return self._so().send(data, None)

    def op_poll(self) -> bool:
        """Tell whether recv or read has something."""
        if self.socket is not None:
            return self.socket.readable()
        if self.device is not None:
            return self.device.readable()
        return False

    # -- sockets

    def _so(self) -> Socket:
        if self.socket is None:
            raise NetError("ENOTSOCK" if self.device is not None else "EBADF")
        return self.socket

    def op_bind(self, addr: Sockaddr) -> None:
        """bind(2)."""
        self._so().bind(addr)

    def op_connect(self, addr: Sockaddr) -> None:
        """connect(2)."""
        self._so().connect(addr)

    def op_sendto(self, data: bytes, addr: Sockaddr | None, flags: int) -> int:
        """sendto(2)."""
        return self._so().send(data, addr, flags)

    def op_recv(self, flags: int) -> list[Any]:
        """recvmsg(2): [from, control, data]."""
        record = self._so().recv(flags & MSG_PEEK)
        return [record.frm, record.control, record.data]

    def op_setsockopt(self, level: int, name: int, value: Any) -> None:
        """setsockopt(2)."""
        self._so().setopt(level, name, value)

    def op_getsockopt(self, level: int, name: int) -> Any:
        """getsockopt(2)."""
        return self._so().getopt(level, name)

    def op_getsockname(self) -> Sockaddr:
        """getsockname(2)."""
        so = self._so()
        return so.usrreq.sockaddr(so)

    def op_getpeername(self) -> Sockaddr:
        """getpeername(2)."""
        so = self._so()
        return so.usrreq.peeraddr(so)

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
    "open": ((str,), Proc.op_open),
    "close": ((), Proc.op_close),
    "ioctl": ((str, None), Proc.op_ioctl),
    "read": ((int,), Proc.op_read),
    "write": ((bytes,), Proc.op_write),
    "poll": ((), Proc.op_poll),
    "bind": (("addr",), Proc.op_bind),
    "connect": (("addr",), Proc.op_connect),
    "sendto": ((bytes, "addr?", int), Proc.op_sendto),
    "recv": ((int,), Proc.op_recv),
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
