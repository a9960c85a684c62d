"""The Unix socket at PREFIX/dev/socket: one connection is one open descriptor.

A socket's client gets a second descriptor with the answer to `socket` or `adopt`, which carries its
data (libnet.iopkt.channel): so the client's poll() works, and data cost no round trip. So does that of
a device with the answer to `open`, when the device can tell of news (libnet.iopkt.devchannel,
libnet.iopkt.bellchannel).
"""

from __future__ import annotations

import array
import errno
import os
import socket
import struct
from typing import Final

from libnet.engine.kern.socket import Cred
from libnet.errors import NetError
from libnet.iopkt.bellchannel import BellChannel
from libnet.iopkt.channel import Channel, Reactor, make_channel
from libnet.iopkt.devchannel import DeviceChannel
from libnet.iopkt.manager import Manager
from libnet.iopkt.syscall import Proc
from libnet.rpc.frame import ERROR, REPLY, REQUEST, Frame, FrameReader, pack
from libnet.sunaddr import unix_address

_RECV: Final = 1 << 18
_BACKLOG: Final = 64
MAX_CLIENTS: Final = 4096
MAX_CHANNELS: Final = 6144  # with those of closed streams that are still being sent
MAX_UNSENT: Final = 8 << 20  # octets of answers a client may leave unread before it is cut off
ACCEPT_AGAIN_S: Final = 0.1  # how long to wait when the host has no descriptors left
_OPENING: Final = ("socket", "adopt")


class AlreadyServed(Exception):
    """A live stack answers at the path."""


class Server:
    """Listens at *path* for the stack of *manager*."""

    def __init__(self, manager: Manager, reactor: Reactor, path: str) -> None:
        """Bind. Raises AlreadyServed, OSError; a socket that a dead stack left is replaced."""
        self.manager, self.reactor, self.path = manager, reactor, path
        self.clients: set[Client] = set()
        self.channels: set[Channel] = set()
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
                self.stat["accept"] += 1
                if exc.errno in (errno.EMFILE, errno.ENFILE):
                    # The connection waits in the backlog; to look at once again would be a busy loop.
                    self.reactor.remove_reader(self._sock.fileno())
                    self.reactor.clock.after(ACCEPT_AGAIN_S, self._accept_again)
                return
            conn.setblocking(False)
            pid, uid, gid = struct.unpack(
                "3i", conn.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
            )
            if uid not in (0, os.geteuid()) or len(self.clients) >= MAX_CLIENTS:
                self.stat["refused"] += 1
                conn.close()
                continue
            cred = Cred(suser=True, uid=uid, gid=gid, pid=pid, comm=_comm(pid))
            self.clients.add(Client(self, conn, cred))

    def _accept_again(self) -> None:
        if self._sock.fileno() >= 0:
            self.reactor.add_reader(self._sock.fileno(), self._accept)

    def close(self) -> None:
        """End every client and give the path back."""
        self.reactor.remove_reader(self._sock.fileno())
        self._sock.close()
        for channel in list(self.channels):
            channel.destroy()
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
        self.proc = Proc(server.manager, cred, self._number)
        self.reader = FrameReader()
        self.unsent = bytearray()
        self.unsent_fd = -1  # goes with the next octets that can be sent
        self.device: DeviceChannel | BellChannel | None = None
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
        value = frame.value
        if (
            frame.kind != REQUEST
            or type(value) is not list
            or not value
            or type(value[0]) is not str
        ):
            self.server.stat["badmessage"] += 1
            self._write(pack(ERROR, frame.seq, "EINVAL"))
            return
        op = value[0]
        channel = self._channel()
        if channel is not None:
            channel.before(op)
        error, fd = "", -1
        try:
            if op == "read" and self.device is not None:
                self.device.read()
            result = self.proc.serve(op, value[1:])
            if op in _OPENING:
                fd = self._make_channel()
            elif op == "open":
                fd = self._device_channel()
            try:
                octets = pack(REPLY, frame.seq, result)
            except ValueError:
                octets = pack(ERROR, frame.seq, "E2BIG")
        except NetError as exc:
            error = exc.symbol
            octets = pack(ERROR, frame.seq, error)
        if channel is not None and op != "close":
            channel.after(op, error)
        self._write(octets, fd)

    def _write(self, octets: bytes, fd: int = -1) -> None:
        if fd >= 0:
            self.unsent_fd = fd  # a client is given one descriptor in its life
        waiting = bool(self.unsent)
        self.unsent += octets
        if len(self.unsent) > MAX_UNSENT:
            self.server.stat["slowclient"] += 1
            self.close()
        elif not waiting and self._send():
            self.reactor.add_writer(self.conn.fileno(), self._writable)

    def _send(self) -> bool:
        """Send what can be sent; tell whether something is left."""
        try:
            if self.unsent_fd >= 0:
                rights = array.array("i", [self.unsent_fd])
                sent = self.conn.sendmsg(
                    [self.unsent], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)]
                )
                os.close(self.unsent_fd)
                self.unsent_fd = -1
            else:
                sent = self.conn.send(self.unsent)
        except BlockingIOError:
            return True
        except OSError:
            self.close()
            return False
        del self.unsent[:sent]
        return bool(self.unsent)

    def _writable(self) -> None:
        if not self._send() and self.conn.fileno() >= 0:
            self.reactor.remove_writer(self.conn.fileno())

    # -- the second descriptor

    def _channel(self) -> Channel | None:
        file = self.proc.file
        channel = file.pipe if file is not None else None
        assert channel is None or isinstance(channel, Channel)
        return channel

    def _make_channel(self) -> int:
        """Give the socket a channel; return the program's end, -1 when it has one. Raises ENFILE."""
        file = self.proc.file
        assert file is not None
        if file.pipe is not None:
            return -1  # shared: whoever adopts it was born with the descriptor
        server = self.server
        try:
            if len(server.channels) >= MAX_CHANNELS:
                raise OSError(errno.ENFILE, "")
            channel = make_channel(self.reactor, file.so, server.stat, server.channels.discard)
        except OSError:
            self.proc.close()
            raise NetError("ENFILE") from None
        server.channels.add(channel)
        file.pipe = channel
        try:
            return channel.hand_over()
        except OSError:
            self.proc.close()
            raise NetError("ENFILE") from None

    def _device_channel(self) -> int:
        """Give a device that tells of news a channel; return the program's end or -1. Raises ENFILE."""
        device = self.proc.device
        if not hasattr(device, "upcall"):
            return -1
        try:
            kind = BellChannel if getattr(device, "bell", False) else DeviceChannel
            self.device = kind(self.reactor, device)
            self.device.pump()
            return self.device.hand_over()
        except OSError:
            self.proc.close()
            raise NetError("ENFILE") from None

    def _number(self) -> int:
        """Return the number the program has for the descriptor, -1 when it cannot be seen."""
        channel = self._channel()
        if channel is None:
            return -1
        name = f"socket:[{channel.inode}]"
        where = f"/proc/{self.proc.cred.pid}/fd"
        try:
            for entry in os.scandir(where):
                if os.readlink(entry.path) == name:
                    return int(entry.name)
        except OSError:
            return -1  # it has just gone, or may not be looked into
        return -1

    # -- the end

    def close(self) -> None:
        """Close the descriptor and the connection."""
        if self.conn.fileno() < 0:
            return
        fd = self.conn.fileno()
        self.reactor.remove_reader(fd)
        self.reactor.remove_writer(fd)
        self.conn.close()
        if self.unsent_fd >= 0:
            os.close(self.unsent_fd)
            self.unsent_fd = -1
        if self.device is not None:
            self.device.close()
            self.device = None
        self.proc.close()
        self.server.clients.discard(self)
