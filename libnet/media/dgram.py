"""A port that is a pair of Unix datagram sockets, one Ethernet frame a datagram.

As QEMU speaks on its other end (qemu(1)): `-netdev dgram,id=n,local.type=unix,local.path=REMOTE,
remote.type=unix,remote.path=LOCAL`. Either end may come first, and come again.
"""

from __future__ import annotations

import errno
import os
import socket

from libnet.media.outside import OutsidePort
from libnet.media.port import Reactor
from libnet.sunaddr import unix_address


class DgramPort(OutsidePort):
    """Bind *local*, send to *remote*.

    A socket file that nobody answers on is replaced. Raises OSError: EADDRINUSE when another
    process is bound to *local*.
    """

    def __init__(self, reactor: Reactor, local: str, remote: str) -> None:
        self.local, self.remote = local, remote
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            self._bind()
        except OSError:
            self._sock.close()
            raise
        super().__init__(reactor, os.dup(self._sock.fileno()))
        self._remote, self._remote_fd = unix_address(remote)

    def _bind(self) -> None:
        address, fd = unix_address(self.local)
        try:
            try:
                self._sock.bind(address)
            except OSError as exc:
                if exc.errno != errno.EADDRINUSE or _answers(address):
                    raise
                os.unlink(self.local)  # left by a killed process
                self._sock.bind(address)
        finally:
            if fd is not None:
                os.close(fd)

    def _write(self, parts: list[bytes]) -> None:
        try:
            self._sock.sendto(parts[-1], socket.MSG_DONTWAIT, self._remote)
        except BlockingIOError:
            self.stat["receiver full"] += 1
        except OSError as exc:
            gone = exc.errno in (errno.ENOENT, errno.ECONNREFUSED)
            self.stat["nobody there" if gone else "send error"] += 1
        else:
            self._sent(len(parts[-1]))

    def close(self) -> None:
        """Close and remove the local socket's file."""
        if self.fd < 0:
            return
        super().close()
        self._sock.close()
        if self._remote_fd is not None:
            os.close(self._remote_fd)
        try:
            os.unlink(self.local)
        except OSError:
            self.stat["unlink error"] += 1


def _answers(address: str) -> bool:
    """Tell whether a process is bound to *address*."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(address)
        except OSError as exc:
            return exc.errno != errno.ECONNREFUSED
    return True
