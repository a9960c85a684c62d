"""Lending the descriptor of a TAP to the one port that talks through it.

While a segment has just one port besides the TAP's, the process that carries for the TAP is only in
the way: each packet would wake three processes instead of two. So it lends the TAP's descriptor to
that port's process, which then reads and writes the TAP itself, and takes it back as soon as the wire
is shared, recorded or impaired. Measured with `ping -f` and an echoing process: 0.015 ms an echo
with the loan, 0.08 ms without.

    lender (the TAP's process)            borrower (the other port)
      LEND  ───────────────────────────►  makes a socket of its own for the answer (role "ctl")
            ◄───────────────────────────  LEND
      the TAP and one end of a pair ───►  reads and writes the TAP

The pair is the loan: whoever closes its end, or dies, ends it. While it lasts the lender does not
read. Whoever reads a frame is the only one that does, so nothing arrives twice when it changes hands.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from libnet.media.datagram import LEND, BadDatagram, build, parse
from libnet.media.outside import OutsidePort
from libnet.media.port import Reactor, Stat

if TYPE_CHECKING:
    from libnet.media.unixseg import Peer, UnixPort

GIVE_BACK_S: Final = 1.0
_GRAM: Final = 256


class LentPort(OutsidePort):
    """The borrowed descriptor. Its losses, and what it reads, are counted by the port it serves."""

    def __init__(self, reactor: Reactor, fd: int, stat: Stat, *, vnet: bool) -> None:
        super().__init__(reactor, fd, vnet=vnet)
        self.stat = stat

    def _sent(self, octets: int) -> None:
        """Count nothing: the port has counted it as sent."""


class Lender:
    """Lends *outside* to the other port of the segment that *inside* is on, when there is just one."""

    def __init__(self, reactor: Reactor, inside: UnixPort, outside: OutsidePort) -> None:
        self._reactor, self._inside, self._outside = reactor, inside, outside
        self._offered: Peer | None = None
        self._channel: socket.socket | None = None
        inside.changed = self.review
        inside.lend = self._grant
        self.review()

    @property
    def lent(self) -> bool:
        """Whether somebody else reads the descriptor now."""
        return self._channel is not None

    def review(self) -> None:
        """Lend, or take back, as the wire is now."""
        peer = self._inside.alone_with()
        if peer is not self._offered:
            self._take_back()
            self._offered = peer
            if peer is not None:
                self._inside.control(peer, LEND)

    def _grant(self, number: int) -> None:
        """Hand the descriptor to the port *number*, which has asked for it."""
        peer = self._offered
        if peer is None or peer.number != number or self.lent or self._outside.fd < 0:
            return
        sock = self._inside.control_socket(number)
        if sock is None:
            return
        ours, theirs = socket.socketpair()
        with sock, theirs:
            try:
                # The field that other kinds use for a generation tells of virtio-net's header.
                gram = build(LEND, int(self._outside.vnet), self._inside.number)
                socket.send_fds(sock, [gram], [self._outside.fd, theirs.fileno()])
            except OSError:
                ours.close()
                return
        self._channel = ours
        self._outside.pause()
        self._reactor.add_reader(ours.fileno(), self._returned)

    def _returned(self) -> None:
        self._take_back()
        self._offered = None

    def _take_back(self) -> None:
        channel, self._channel = self._channel, None
        if channel is not None:
            self._reactor.remove_reader(channel.fileno())
            channel.close()
            self._outside.resume()

    def close(self) -> None:
        """Take back for good.

        Waits up to GIVE_BACK_S for the borrower to have closed the descriptor, so that the interface
        is gone, and its name free, when the lender has ended.
        """
        self._inside.changed = self._inside.lend = None
        if self._channel is not None:
            try:
                self._channel.shutdown(socket.SHUT_WR)
                self._channel.settimeout(GIVE_BACK_S)
                self._channel.recv(1)
            except OSError:
                self._inside.stat["loan not given back"] += 1
        self._take_back()


class Borrower:
    """The other side: asks for what *peer* has offered, and uses it for *port* until it ends.

    ended  called once, when the loan is over or was never granted
    """

    def __init__(
        self, reactor: Reactor, port: UnixPort, peer: Peer, ended: Callable[[], None]
    ) -> None:
        """Ask for the loan. Raises OSError when a socket cannot be made; then nothing is left."""
        self.peer = peer
        self._reactor, self._port, self._ended = reactor, port, ended
        self._lent: LentPort | None = None
        self._channel = -1
        self._sock: socket.socket | None
        self._sock, self._path = port.make_control_socket()
        reactor.add_reader(self._sock.fileno(), self._granted)
        port.control(peer, LEND)

    def review(self) -> None:
        """End the loan when the wire is no longer ours alone."""
        if self._port.alone_with() is not self.peer:
            self.end()

    def _granted(self) -> None:
        assert self._sock is not None
        try:
            octets, fds, _flags, _from = socket.recv_fds(
                self._sock, _GRAM, 4, socket.MSG_CMSG_CLOEXEC
            )
        except OSError:
            return  # not yet
        try:
            gram = parse(octets)
            good = gram.kind == LEND and gram.number == self.peer.number and len(fds) == 2
        except BadDatagram:
            good = False
        if not good:
            for fd in fds:
                os.close(fd)
            self._port.stat["bad loan"] += 1
            self.end()
            return
        self._forget_socket()
        self._channel = fds[1]
        self._reactor.add_reader(fds[1], self.end)
        self._lent = LentPort(self._reactor, fds[0], self._port.stat, vnet=bool(gram.generation))
        self._lent.receive = self._receive
        self._lent.broken = self.end
        self.peer.direct = self._lent

    def _receive(self, frames: Sequence[bytes]) -> None:
        port = self._port
        if port.carrier:
            port.receive(frames)
        else:
            port.stat["no carrier"] += len(frames)

    def _forget_socket(self) -> None:
        if self._sock is not None:
            self._reactor.remove_reader(self._sock.fileno())
            self._sock.close()
            self._sock = None
            try:
                os.unlink(self._path)
            except FileNotFoundError:
                return

    def end(self) -> None:
        """Give the descriptor back."""
        self._forget_socket()
        self.peer.direct = None
        if self._lent is not None:
            self._lent.close()
            self._lent = None
        if self._channel >= 0:
            self._reactor.remove_reader(self._channel)
            os.close(self._channel)
            self._channel = -1
        self._ended()
