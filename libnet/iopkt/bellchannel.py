"""The second descriptor of a device whose data stay in the stack until they are asked for.

A message of no octets on it is a bell: read() has something. So a program's poll() works; the buffers,
their limits and their counts are those of the device, and a read takes a whole buffer in one round
trip. There is one bell at a time: the operation `read` takes it back.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from libnet.iopkt.channel import Reactor


class BellChannel:
    """What is between an open device and its program."""

    def __init__(self, reactor: Reactor, device: Any) -> None:
        """Make the pair. Raises OSError."""
        self.reactor, self.device = reactor, device
        self.ours, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.ours.setblocking(False)
        self._theirs.setblocking(False)
        self._rung = False
        device.upcall = self.pump

    def hand_over(self) -> int:
        """Return the program's end, which is the caller's to close."""
        return self._theirs.detach()

    def pump(self) -> None:
        """Ring, if there is a reason and the program has not been told yet."""
        if self._rung or self.ours.fileno() < 0 or not self.device.readable():
            return
        try:
            self.ours.send(b"")
        except OSError:
            return  # the program's end has gone before
        self._rung = True

    def read(self) -> None:
        """Hear that the program reads: what is left afterwards is worth another bell."""
        self._rung = False
        self.reactor.at_pass_end(self.pump)

    def close(self) -> None:
        """End."""
        self.device.upcall = None
        self.ours.close()
        self._theirs.close()
