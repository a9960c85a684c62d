"""The second descriptor of a device: what read() would return, one message each, as it comes.

A device that has an `upcall` gets one. So a program's poll() works, and reading costs no round trip.
When there is nothing the program asks with the operation `read`, which tells why.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any, Final

from libnet.errors import NetError

if TYPE_CHECKING:
    from libnet.iopkt.channel import Reactor

BOUND: Final = 64  # messages moved in one go
MAX_READ: Final = 1 << 16


class DeviceChannel:
    """What is between an open device and its program."""

    def __init__(self, reactor: Reactor, device: Any) -> None:
        """Make the pair. Raises OSError."""
        self.reactor, self.device = reactor, device
        self.ours, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.ours.setblocking(False)
        self._theirs.setblocking(False)
        self._waiting = b""  # read, but the pair was full
        self._writer = False
        self._later = False
        device.upcall = self.pump

    def hand_over(self) -> int:
        """Return the program's end, which is the caller's to close."""
        return self._theirs.detach()

    def pump(self) -> None:
        """Move what there is; when the device has failed for good, let the program see the end."""
        try:
            self._pump()
        except NetError as exc:
            if exc.symbol == "ENXIO":
                self._shut()

    def _pump(self) -> int:
        """Move messages; return how many. Raises what the device says when it has none."""
        if self.ours.fileno() < 0:
            return 0
        for moved in range(BOUND):
            if not self._waiting:
                try:
                    self._waiting = self.device.read(MAX_READ)
                except NetError:
                    self._want_write(False)
                    if moved:
                        return moved
                    raise
            if not self._waiting:
                continue  # a message of no octets would look like the end
            try:
                self.ours.send(self._waiting)
            except BlockingIOError:
                self._want_write(True)
                return moved
            except OSError:
                self._shut()
                return moved
            self._waiting = b""
        if not self._later:
            self._later = True
            self.reactor.clock.after(0, self._again)
        return BOUND

    def _again(self) -> None:
        self._later = False
        self.pump()

    def read(self) -> None:
        """Serve the operation `read` of a program that has found its end empty.

        Raises EAGAIN when there is something after all: it is to look again. Otherwise what the device
        says.
        """
        self._pump()
        raise NetError("EAGAIN")

    def _want_write(self, on: bool) -> None:
        if on == self._writer or self.ours.fileno() < 0:
            return
        self._writer = on
        if on:
            self.reactor.add_writer(self.ours.fileno(), self.pump)
        else:
            self.reactor.remove_writer(self.ours.fileno())

    def _shut(self) -> None:
        self._want_write(False)
        try:
            self.ours.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # the program's end has gone before

    def close(self) -> None:
        """End."""
        self.device.upcall = None
        self._want_write(False)
        self.ours.close()
        self._theirs.close()
