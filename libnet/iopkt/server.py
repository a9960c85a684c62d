"""The Unix socket at PREFIX/dev/socket: one connection is one open descriptor.

A socket's client gets a second descriptor with the answer to `socket`: on it the stack pushes what
arrives, so the client's poll() works and a received packet costs no round trip.
"""

from __future__ import annotations

import array
import errno
import os
import socket
import struct
from collections.abc import Callable
from typing import Any, Final, Protocol

from libnet.clock import Clock
from libnet.engine.kern.socket import SOCK_STREAM, Cred, Socket
from libnet.errors import NetError
from libnet.iopkt.manager import Manager
from libnet.iopkt.syscall import Proc
from libnet.rpc.codec import encode
from libnet.rpc.frame import ERROR, REPLY, REQUEST, Frame, FrameReader, pack
from libnet.sunaddr import unix_address

_RECV: Final = 1 << 18
_BACKLOG: Final = 64
MAX_CLIENTS: Final = 4096
MAX_UNSENT: Final = 8 << 20  # octets of answers a client may leave unread before it is cut off
PUSH_BOUND: Final = 256  # records pushed to one client in one go


class Reactor(Protocol):
    """The loop, as the server sees it."""

    clock: Clock

    def add_reader(self, fd: int, callback: Callable[[], None]) -> None:
        """Call back when readable."""

    def remove_reader(self, fd: int) -> None:
        """Stop that."""

    def add_writer(self, fd: int, callback: Callable[[], None]) -> None:
        """Call back when writable."""

    def remove_writer(self, fd: int) -> None:
        """Stop that."""

    def at_pass_end(self, callback: Callable[[], None]) -> None:
        """Call back once at the end of the pass."""


class AlreadyServed(Exception):
    """A live stack answers at the path."""


class Server:
    """Listens at *path* for the stack of *manager*."""

    def __init__(self, manager: Manager, reactor: Reactor, path: str) -> None:
        """Bind. Raises AlreadyServed, OSError; a socket that a dead stack left is replaced."""
        self.manager, self.reactor, self.path = manager, reactor, path
        self.clients: set[Client] = set()
        self.stat = manager.stack.stat("rpc")
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._sock.setblocking(False)
        address, fd = unix_address(path)
        try:
            if os.path.lexists(path):
                self._replace(address)
            old = os.umask(0o177)
            try:
                self._sock.bind(address)
            finally:
                os.umask(old)
        except BaseException:
            self._sock.close()
            raise
        finally:
            if fd is not None:
                os.close(fd)
        self._inode = os.stat(path).st_ino
        self._sock.listen(_BACKLOG)
        reactor.add_reader(self._sock.fileno(), self._accept)

    def _replace(self, address: str) -> None:
        probe = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            probe.connect(address)
        except ConnectionRefusedError:
            os.unlink(address)
        except FileNotFoundError:
            return
        else:
            raise AlreadyServed(self.path)
        finally:
            probe.close()

    def _accept(self) -> None:
        for _ in range(_BACKLOG):
            try:
                conn, _addr = self._sock.accept()
            except BlockingIOError:
                return
            except OSError as exc:
                # Out of descriptors: the connection waits in the backlog until one is free.
                self.stat["accept"] += 1
                if exc.errno not in (errno.EMFILE, errno.ENFILE):
                    return
                return
            conn.setblocking(False)
            pid, uid, _gid = struct.unpack(
                "3i", conn.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
            )
            if uid not in (0, os.geteuid()) or len(self.clients) >= MAX_CLIENTS:
                self.stat["refused"] += 1
                conn.close()
                continue
            self.clients.add(
                Client(self, conn, Cred(suser=True, uid=uid, pid=pid, comm=_comm(pid)))
            )

    def close(self) -> None:
        """End every client and give the path back."""
        self.reactor.remove_reader(self._sock.fileno())
        self._sock.close()
        for client in list(self.clients):
            client.close()
        try:
            if os.stat(self.path).st_ino == self._inode:
                os.unlink(self.path)
        except FileNotFoundError:
            return  # somebody has cleaned up already


def _comm(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""


class Client:
    """One connection."""

    def __init__(self, server: Server, conn: socket.socket, cred: Cred) -> None:
        self.server, self.conn = server, conn
        self.reactor = server.reactor
        self.proc = Proc(server.manager, cred)
        self.reader = FrameReader()
        self.unsent = bytearray()
        self.data: socket.socket | None = None
        self.waiting = False  # for the data descriptor to take more
        self.scheduled = False
        self.reactor.add_reader(conn.fileno(), self._readable)

    # -- requests

    def _readable(self) -> None:
        try:
            octets = self.conn.recv(_RECV)
        except BlockingIOError:
            return
        except OSError:
            octets = b""
        if not octets:
            self.close()
            return
        for frame in self.reader.feed(octets):
            self._answer(frame)
            if self.conn.fileno() < 0:
                return

    def _answer(self, frame: Frame) -> None:
        fds: list[int] = []
        value = frame.value
        if (
            frame.kind != REQUEST
            or type(value) is not list
            or not value
            or type(value[0]) is not str
        ):
            self.server.stat["badmessage"] += 1
            self._write(pack(ERROR, frame.seq, "EINVAL"), fds)
            return
        try:
            result = self.proc.serve(value[0], value[1:])
            if value[0] == "socket":
                fds = self._data_socket()
            try:
                octets = pack(REPLY, frame.seq, result)
            except ValueError:
                octets = pack(ERROR, frame.seq, "E2BIG")
        except NetError as exc:
            octets = pack(ERROR, frame.seq, exc.symbol)
        self._write(octets, fds)
        for fd in fds:
            os.close(fd)

    def _write(self, octets: bytes, fds: list[int]) -> None:
        if not self.unsent:
            try:
                if fds:
                    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))]
                    sent = self.conn.sendmsg([octets], rights)
                else:
                    sent = self.conn.send(octets)
            except BlockingIOError:
                sent = 0
            except OSError:
                self.close()
                return
            octets = octets[sent:]
            if not octets:
                return
            self.reactor.add_writer(self.conn.fileno(), self._writable)
        self.unsent += octets
        if len(self.unsent) > MAX_UNSENT:
            self.server.stat["slowclient"] += 1
            self.close()

    def _writable(self) -> None:
        try:
            sent = self.conn.send(self.unsent)
        except BlockingIOError:
            return
        except OSError:
            self.close()
            return
        del self.unsent[:sent]
        if not self.unsent:
            self.reactor.remove_writer(self.conn.fileno())

    # -- what arrives

    def _data_socket(self) -> list[int]:
        so = self.proc.socket
        if so is None or so.type == SOCK_STREAM:
            return []
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        self.data = ours
        so.upcall = self._wakeup
        return [theirs.detach()]

    def _wakeup(self, _so: Socket) -> None:
        if not self.scheduled and not self.waiting:
            self.scheduled = True
            self.reactor.at_pass_end(self._push)

    def _push(self) -> None:
        self.scheduled = False
        so, data = self.proc.socket, self.data
        if so is None or data is None:
            return
        for _ in range(PUSH_BOUND):
            records = so.rcv.records
            if records:
                record = records[0]
                message: list[Any] = [record.frm, record.control, record.data]
            elif so.error:
                message = [None, {"error": so.error}, b""]
            else:
                self._relax()
                return
            try:
                data.send(encode(message))
            except BlockingIOError:
                if not self.waiting:
                    self.waiting = True
                    self.reactor.add_writer(data.fileno(), self._push)
                return
            except OSError:
                self._relax()
                so.rcv.flush()
                return
            if records:
                so.rcv.take()
            else:
                so.error = ""
        if not self.waiting:
            self.scheduled = True
            self.reactor.at_pass_end(self._push)

    def _relax(self) -> None:
        if self.waiting and self.data is not None:
            self.waiting = False
            self.reactor.remove_writer(self.data.fileno())

    # -- the end

    def close(self) -> None:
        """Close the descriptor and the connection."""
        if self.conn.fileno() < 0:
            return
        fd = self.conn.fileno()
        self.reactor.remove_reader(fd)
        self.reactor.remove_writer(fd)
        self.proc.close()
        if self.data is not None:
            self._relax()
            self.data.close()
            self.data = None
        self.conn.close()
        self.server.clients.discard(self)
