"""The second descriptor of a socket: its data, past the operations.

Datagrams travel as one codec message each over a sequenced-packet pair: [from, control, data] to
the program, [data, address, flags] from it. A stream's octets travel bare over a stream pair, so
that a program's own poll, read, write, sendfile and shutdown do what they do on any socket:

    so.rcv ──► ours ═══ theirs ──► the program        the peer's FIN is a shutdown of ours
    so.snd ◄── ours ═══ theirs ◄── the program        its shutdown or last close is our FIN

The program's end must not be writable before the connection is there: waiting for that is how
programs wait for connect(). So it is plugged: the server fills the pair from the program's end,
whose send buffer it has made small, and drains it again when the connection is made or has failed.
A listener's end becomes readable instead: one octet stands for one connection ready for accept.

An error of the connection is left in the socket; the program sees its end shut and asks SO_ERROR.
"""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Protocol

from libnet.addr import Sockaddr
from libnet.engine.kern.socket import (
    SHUT_RD,
    SHUT_WR,
    SOCK_STREAM,
    SS_ISCONNECTED,
    SS_ISCONNECTING,
    SS_ISDISCONNECTED,
    SS_ISDISCONNECTING,
    Socket,
)
from libnet.errors import NetError
from libnet.rpc.codec import BadMessage, decode, encode

if TYPE_CHECKING:
    from libnet.clock import Callout, Clock
    from libnet.engine.kern.stat import Stat

PUSH_BOUND: Final = 256  # records moved for one program in one go
ROUNDS: Final = 4  # reads from one program's stream in one go
CHUNK: Final = 1 << 18  # octets read from a stream at once
LOWAT_MAX: Final = 1 << 16  # a send buffer with that much room is worth a read
PAIR_BUF: Final = 1 << 19  # octets asked of the host for each direction of a pair
MAX_MESSAGE: Final = 70_000  # the largest datagram with its address, encoded
ORPHAN_S: Final = 60.0  # how long a closed stream whose peer takes nothing is kept
_PLUG: Final = bytes(4096)


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


class Channel:
    """What both kinds share: a pair, and a pump that runs at the end of a pass.

    inode  of the program's end: how its number there is found
    gone   called when the channel is no more
    """

    def __init__(
        self, reactor: Reactor, so: Socket, stat: Stat, kind: int, gone: Callable[[Channel], None]
    ) -> None:
        """Make the pair. Raises OSError when the host has no descriptors left."""
        self.reactor, self.so, self.stat, self.gone = reactor, so, stat, gone
        self.ours, self.theirs = socket.socketpair(socket.AF_UNIX, kind)
        self.ours.setblocking(False)
        self.fd = self.ours.fileno()
        self.inode = os.fstat(self.theirs.fileno()).st_ino
        self._scheduled = False
        self._writing = False
        so.upcall = self._wakeup

    def hand_over(self) -> int:
        """Return a descriptor for the program; it is the caller's to close."""
        return os.dup(self.theirs.fileno())

    def before(self, op: str) -> None:
        """Hear of an operation before it is made."""

    def after(self, op: str, error: str) -> None:
        """Hear how it went: *error* is its symbol, or empty."""

    def close(self) -> None:
        """End the socket: its last descriptor is gone."""

    def _pump(self) -> None:
        raise AssertionError("each kind has its own")

    def _wakeup(self, _so: Socket) -> None:
        if not self._scheduled:
            self._scheduled = True
            self.reactor.at_pass_end(self._pump)

    def _want_write(self, on: bool) -> None:
        if on != self._writing:
            self._writing = on
            if on:
                self.reactor.add_writer(self.fd, self._pump)
            else:
                self.reactor.remove_writer(self.fd)

    def destroy(self) -> None:
        """Close the pair; the socket is left alone."""
        if self.ours.fileno() < 0:
            return  # its number may be another's by now
        self.gone(self)
        self.so.upcall = None
        self._want_write(False)
        self.reactor.remove_reader(self.fd)
        self.ours.close()
        self.theirs.close()


class RecordChannel(Channel):
    """Of a datagram, raw or routing socket."""

    def __init__(
        self, reactor: Reactor, so: Socket, stat: Stat, gone: Callable[[Channel], None]
    ) -> None:
        super().__init__(reactor, so, stat, socket.SOCK_SEQPACKET, gone)
        reactor.add_reader(self.fd, self._readable)

    def hand_over(self) -> int:
        """Return the program's end itself: nothing else is to be done with it."""
        fd = super().hand_over()
        self.theirs.close()
        return fd

    def before(self, op: str) -> None:
        """Send first what the program has written first."""
        self._readable()

    def close(self) -> None:
        """Send what the program has written last; close the socket."""
        self._readable()
        self.destroy()
        self.so.close()

    def _readable(self) -> None:
        so = self.so
        for _ in range(PUSH_BOUND):
            try:
                octets = self.ours.recv(MAX_MESSAGE)
            except BlockingIOError:
                return
            except OSError:
                octets = b""
            if not octets:
                self.reactor.remove_reader(self.fd)
                return
            try:
                data, addr, flags = _message(octets)
                so.send(data, addr, flags)
            except BadMessage:
                self.stat["badmessage"] += 1
            except NetError as exc:
                so.soerror(exc.symbol)

    def _pump(self) -> None:
        self._scheduled = False
        so, ours = self.so, self.ours
        if ours.fileno() < 0:
            return
        records = so.rcv.records
        for _ in range(PUSH_BOUND):
            if records:
                record = records[0]
                message: list[Any] = [record.frm, record.control, record.data]
            elif so.error:
                message = [None, {"error": so.error}, b""]
            else:
                self._want_write(False)
                return
            try:
                ours.send(encode(message))
            except BlockingIOError:
                self._want_write(True)
                return
            except OSError:
                self._want_write(False)
                so.rcv.flush()
                return
            if records:
                so.rcv.take()
            else:
                so.error = ""
        if not self._writing:
            self._wakeup(so)


def _message(octets: bytes) -> tuple[bytes, Sockaddr | None, int]:
    """Return (data, address, flags) of a datagram to send. Raises BadMessage."""
    value = decode(octets)
    if type(value) is not list or len(value) != 3:
        raise BadMessage("not a datagram")
    data, addr, flags = value
    if type(data) is not bytes or type(flags) is not int:
        raise BadMessage("not a datagram")
    if addr is not None and not isinstance(addr, Sockaddr):
        raise BadMessage("not an address")
    return data, addr, flags


class StreamChannel(Channel):
    """Of a stream socket."""

    def __init__(
        self, reactor: Reactor, so: Socket, stat: Stat, gone: Callable[[Channel], None]
    ) -> None:
        super().__init__(reactor, so, stat, socket.SOCK_STREAM, gone)
        self.ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, PAIR_BUF)
        self._plugged = 0  # octets of plug in the pair
        self._open = False
        self._connecting = False
        self._listening = False
        self._offered = 0  # octets that stand for connections
        self._orphan = False
        self._head = b""  # from the program, not yet in so.snd
        self._tail = memoryview(b"")  # out of so.rcv, not yet with the program
        self._in_done = False  # the program will write nothing more
        self._out_done = False  # the program has been told that nothing more comes
        self._paused = True  # not reading what the program writes
        self._moved = False
        self._callout: Callout | None = None
        if so.state & (SS_ISCONNECTED | SS_ISDISCONNECTING | SS_ISDISCONNECTED):
            # Accepted; it may be over already, with something to read or an error left.
            self._establish()
            self._wakeup(so)
        else:
            self._fill()

    def before(self, op: str) -> None:
        """Plug a socket that connects again; keep urgent data behind what was written before it."""
        if op == "connect" and not self._open and not self._plugged:
            self._fill()
        elif op == "sendto" and self._open and not self._in_done:
            self._readable()

    def after(self, op: str, error: str) -> None:
        """Follow what the socket has become."""
        if op == "connect" and error in ("", "EINPROGRESS"):
            self._connecting = True
            self._pump()
        elif op == "listen" and not error:
            self._listening = True
            self._pump()
        elif op == "accept":
            self._offered = max(self._offered - 1, 0)
            self._pump()

    def close(self) -> None:
        """End the stream when all that was written is in the send buffer."""
        if not self._open or self._in_done or self._aborts():
            self._finish()
            return
        self._orphan = True
        self._callout = self.reactor.clock.after(ORPHAN_S, self._check)
        if self._paused:
            self._resume()
        else:
            self._readable()

    def _aborts(self) -> bool:
        """Tell whether close() is to throw away what has not been sent (SO_LINGER, no time)."""
        return self.so.linger == 0

    def _check(self) -> None:
        """Give a closed stream up when its peer has taken nothing for a while."""
        if self._moved:
            self._moved = False
            self._callout = self.reactor.clock.after(ORPHAN_S, self._check)
            return
        self.stat["orphan"] += 1
        self._finish()

    def destroy(self) -> None:
        """Close the pair; the socket is left alone."""
        if self._callout is not None:
            self._callout.stop()
        super().destroy()

    def _finish(self) -> None:
        self.destroy()
        self.so.close()

    # -- the plug

    def _fill(self) -> None:
        """Make the program's end unwritable."""
        theirs = self.theirs
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
        while True:
            try:
                self._plugged += theirs.send(_PLUG, socket.MSG_DONTWAIT)
            except OSError:
                return

    def _unplug(self) -> None:
        """Make it writable again; what the program writes comes after the plug."""
        while self._plugged:
            try:
                got = len(self.ours.recv(self._plugged))
            except OSError:
                got = 0
            if not got:
                break
            self._plugged -= got
        self._plugged = 0
        self.theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, PAIR_BUF)

    def _establish(self) -> None:
        """Let data flow. The program alone has the other end from now on: its close is seen."""
        self._unplug()
        self._open = True
        self._connecting = False

    def hand_over(self) -> int:
        """Return a descriptor for the program."""
        fd = super().hand_over()
        if self._open:
            self.theirs.close()
        return fd

    # -- both directions

    def _pump(self) -> None:
        self._scheduled = False
        so = self.so
        if self.ours.fileno() < 0:
            return
        if not self._open:
            if self._listening:
                self._offer()
            elif so.state & SS_ISCONNECTED:
                self._establish()
                self.theirs.close()
            elif self._connecting and (so.error or not so.state & SS_ISCONNECTING):
                self._connecting = False
                self._unplug()
            if not self._open:
                return
        if so.cantsend and not self._in_done:
            self._refused("")  # reset, or timed out: what the program writes must fail as well
            if self.ours.fileno() < 0:
                return
        self._deliver()
        if self._paused and not self._in_done:
            self._resume()

    def _offer(self) -> None:
        """Show as many octets as there are connections."""
        while self._offered < self.so.qlen:
            try:
                self.ours.send(b"\0")
            except OSError:
                return
            self._offered += 1

    def _deliver(self) -> None:
        """Move octets from the receive buffer to the program."""
        so, ours = self.so, self.ours
        while not self._out_done:
            tail = self._tail
            if not tail:
                if so.rcv.cc:
                    tail = memoryview(so.recv(0, CHUNK).data)
                if not tail:
                    break
            try:
                sent = ours.send(tail)
            except BlockingIOError:
                self._tail = tail
                self._want_write(True)
                break
            except OSError:
                self._unread()
                return
            self._tail = tail[sent:]
            self._moved = True
        else:
            return
        if self._tail:
            return
        self._want_write(False)
        if so.cantrcv:
            self._out_done = True
            self._shut(socket.SHUT_WR)

    def _shut(self, how: int) -> None:
        try:
            self.ours.shutdown(how)
        except OSError:
            return  # the program has closed its end: nobody is to be told

    def _unread(self) -> None:
        """Let the socket throw away what comes: the program does not want any more."""
        self._out_done = True
        self._tail = memoryview(b"")
        self._want_write(False)
        try:
            self.so.shutdown(SHUT_RD)
        except NetError:
            return  # not connected any more

    def _room(self) -> bool:
        snd = self.so.snd
        return bool(snd.space() >= min(max(snd.hiwat >> 2, 1), LOWAT_MAX)) or not snd.cc

    def _resume(self) -> None:
        """Go on reading what the program writes, if the send buffer has room."""
        if self._room() and self._paused and not self._in_done:
            self._paused = False
            self.reactor.add_reader(self.fd, self._readable)
            self._readable()

    def _pause(self) -> None:
        self._paused = True
        self.reactor.remove_reader(self.fd)

    def _readable(self) -> None:
        """Move octets from the program to the send buffer."""
        so = self.so
        for _ in range(ROUNDS):
            data = self._head
            if not data:
                if not self._room():
                    break
                space = so.snd.space()
                try:
                    data = self.ours.recv(CHUNK if space > CHUNK else space)
                except BlockingIOError:
                    return
                except OSError:
                    data = b""
                if not data:
                    self._ended()
                    return
            try:
                taken = so.send(data, None)
            except NetError as exc:
                if exc.symbol not in ("EAGAIN", "ENOBUFS"):
                    self._refused(exc.symbol)
                    return
                taken = 0
            self._moved = True
            self._head = data[taken:] if taken < len(data) else b""
            if self._head:
                break
        else:
            return
        self._pause()

    def _ended(self) -> None:
        """Close our half, or all of what the program had closed: it writes nothing more."""
        self._in_done = True
        self._head = b""
        self._pause()
        if self._orphan:
            self._finish()
            return
        if self._aborts() and self._hung_up():
            return  # the program is closing: not a FIN but a reset is what it wants sent
        try:
            self.so.shutdown(SHUT_WR)
        except NetError:
            return  # the connection has gone before

    def _hung_up(self) -> bool:
        """Tell whether the program has closed its end, or shut it both ways."""
        poller = select.poll()
        poller.register(self.fd, 0)
        return bool(poller.poll(0))

    def _refused(self, symbol: str) -> None:
        """Let writing fail, and leave the reason to SO_ERROR: the socket takes nothing more."""
        if symbol not in ("", "EPIPE", "ENOTCONN"):
            self.so.error = symbol
        self._in_done = True
        self._head = b""
        self._pause()
        if self._orphan:
            self._finish()
        else:
            self._shut(socket.SHUT_RD)


def make_channel(
    reactor: Reactor, so: Socket, stat: Stat, gone: Callable[[Channel], None]
) -> Channel:
    """Return the channel of *so*; *gone(channel)* is called at its end. Raises OSError."""
    kind = StreamChannel if so.type == SOCK_STREAM else RecordChannel
    return kind(reactor, so, stat, gone)
