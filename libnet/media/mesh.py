"""Sockets that know each other: what segments and airs between processes have in common.

There is no central process. A port's socket is DIRECTORY/LABEL~NUMBER[~all|~ctl]: the label is
"BOX.NIC", the number sixteen hexadecimal digits, new at each start, so that a file left by a killed
process is never mistaken for its successor. "~all" is a recorder; "~ctl" is a tool that only asks.

- A port that comes says HELLO to all it finds and all learn of it at once; one that goes says BYE.
  One that was killed is found when its socket refuses, and its file is removed.
- Each receiver has a connected socket of its own, and one that is full never blocks the sender.

Everything in the directory belongs to the world's owner (0700, sockets 0600).
"""

from __future__ import annotations

import errno
import os
import select
import socket
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from libnet.media.datagram import (
    BYE,
    HELLO,
    MAX_DATAGRAM,
    REPORT,
    STATS,
    build,
    parse,
)
from libnet.media.port import Reactor, Stat
from libnet.sunaddr import unix_address

if TYPE_CHECKING:
    from libnet.media.outside import OutsidePort

DRAIN: Final = 64  # datagrams taken in one callback before others get their turn
MAX_STRANGERS: Final = 256  # numbers remembered as not to be found in the directory
MAX_CONTROL: Final = 256  # control datagrams kept for one full receiver
MAX_CONF: Final = 1 << 20
SNDBUF: Final = 4 << 20  # octets asked for; the host may give less
_GONE: Final = (errno.ECONNREFUSED, errno.ENOENT, errno.ENOTCONN, errno.EPROTOTYPE, errno.EPIPE)


def port_name(label: str, number: int, role: str = "") -> str:
    """Return the file name of a port. Raises ValueError for a label that is no file name.

    >>> port_name("BoxA.wm0", 255)
    'BoxA.wm0~00000000000000ff'
    """
    if not label.isprintable() or not label or label[0] == "." or "/" in label or "~" in label:
        raise ValueError(f"{label!r} cannot name a port")
    return f"{label}~{number:016x}" + (f"~{role}" if role else "")


def read_port_name(name: str) -> tuple[str, int, str] | None:
    """Return (label, number, role) of a port's file name, or None if it is none.

    >>> read_port_name("cap~00000000000000ff~all")
    ('cap', 255, 'all')
    """
    label, *rest = name.split("~")
    if not label or label.startswith(".") or len(rest) not in (1, 2) or len(rest[0]) != 16:
        return None
    role = rest[1] if len(rest) == 2 else ""
    if role not in ("", "all", "ctl"):
        return None
    try:
        return label, int(rest[0], 16), role
    except ValueError:
        return None


def make_segment(directory: str) -> None:
    """Make the directory of a segment, and those above it, for the owner alone."""
    try:
        os.mkdir(directory, 0o700)
    except FileExistsError:
        return
    except FileNotFoundError:
        os.makedirs(os.path.dirname(directory), 0o700, exist_ok=True)
        try:
            os.mkdir(directory, 0o700)
        except FileExistsError:
            return


def private(path: str, flags: int) -> int:
    """Open for the owner alone: open()'s opener."""
    return os.open(path, flags | os.O_CLOEXEC, 0o600)


class BadConf(ValueError):
    """A file of properties that cannot be read; the text names it and the fault."""


def read_conf(path: str) -> tuple[dict[str, Any], int]:
    """Return the properties that lie in *path*, a JSON object, and their generation.

    A file that is not there has none, of generation 0; so has one that does not say which generation
    it is. Raises BadConf.
    """
    try:
        with open(path, "rb") as file:
            text = file.read(MAX_CONF)
    except FileNotFoundError:
        return {}, 0
    import json  # most have no such file

    try:
        values = json.loads(text)
        if type(values) is not dict:
            raise ValueError("not a JSON object")
        generation = values.pop("generation", 0)
        if type(generation) is not int or generation < 0:
            raise ValueError("generation is not a number from 0")
    except (ValueError, RecursionError) as exc:
        raise BadConf(f"{path}: {exc}") from None
    return values, generation & 0xFFFFFFFF


def write_conf(path: str, values: Mapping[str, Any]) -> int:
    """Store *values* in *path* at one stroke; return their generation."""
    import json

    try:
        generation = read_conf(path)[1] + 1
    except BadConf:
        generation = 1 + int.from_bytes(os.urandom(3), "big")  # later than any plausible one
    fresh = f"{path}.{os.getpid()}"
    try:
        with open(fresh, "w", encoding="utf-8", opener=private) as file:
            json.dump({"generation": generation, **values}, file)
        os.replace(fresh, path)
    except OSError:
        unlink(fresh)  # a full disk
        raise
    return generation


def ports(directory: str) -> list[tuple[str, str, int, str]]:
    """Return (file name, label, number, role) of each socket file, live or not, by name."""
    found = []
    try:
        names = os.listdir(directory)
    except FileNotFoundError:
        return []
    for name in sorted(names):
        read = read_port_name(name)
        if read is not None:
            found.append((name, *read))
    return found


def connect(directory: str, name: str) -> socket.socket | None:
    """Return a socket connected to the port *name*, or None if it is dead (and unlink it)."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    path = os.path.join(directory, name)
    fd = None
    try:
        address, fd = unix_address(path)
        sock.connect(address)
    except OSError as exc:
        sock.close()
        if exc.errno in _GONE:
            unlink(path)
        return None
    finally:
        if fd is not None:
            os.close(fd)
    return sock


def unlink(path: str) -> None:
    """Remove a file if it can be."""
    try:
        os.unlink(path)
    except OSError:
        return  # someone else was first, or the directory went away with it


def tell(
    directory: str, kind: int, *, label: str | None = None, number: int = 0, generation: int = 0
) -> int:
    """Send a control datagram to every port, or to those named *label*; return how many took it."""
    told = 0
    for name, its_label, _number, role in ports(directory):
        if role == "ctl" or (label is not None and label != its_label):
            continue
        sock = connect(directory, name)
        if sock is None:
            continue
        with sock:
            try:
                sock.send(build(kind, generation, number))
            except OSError:
                continue  # full: it will see the generation in the next frame it gets
            told += 1
    return told


def bind(sock: socket.socket, path: str) -> None:
    """Bind *sock* to *path*, for the owner alone. Raises OSError, and closes it."""
    fd = None
    try:
        address, fd = unix_address(path)
        os.fchmod(sock.fileno(), 0o600)  # what the file gets, less the umask
        sock.bind(address)
    except OSError:
        sock.close()
        raise
    finally:
        if fd is not None:
            os.close(fd)


class Asker:
    """A tool's socket in the directory of a segment or an air, which asks ports for their counters.

    reports   number of a port: its counters, with "label" and "carrier"
    """

    def __init__(self, reactor: Reactor, directory: str) -> None:
        self.directory = directory
        self.number = int.from_bytes(os.urandom(8), "big")
        self.reports: dict[int, dict[str, Any]] = {}
        self._reactor = reactor
        self._path = os.path.join(directory, port_name("lab", self.number, "ctl"))
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        bind(self._sock, self._path)
        reactor.add_reader(self._sock.fileno(), self._readable)

    def ask(self) -> int:
        """Ask every port; return how many took the question."""
        return tell(self.directory, STATS, number=self.number)

    def close(self) -> None:
        """Remove the socket's file."""
        self._reactor.remove_reader(self._sock.fileno())
        self._sock.close()
        unlink(self._path)

    def _readable(self) -> None:
        import json

        try:
            gram = parse(self._sock.recv(MAX_DATAGRAM))
            told = json.loads(gram.text) if gram.kind == REPORT else None
        except (OSError, ValueError, RecursionError):
            return  # no answer of a port of ours
        if type(told) is dict:
            self.reports[gram.number] = told


class Peer:
    """Another port, as a sender sees it."""

    __slots__ = (
        "all",
        "backlog",
        "control",
        "direct",
        "label",
        "name",
        "number",
        "octets",
        "sock",
        "waits",
    )

    def __init__(self, name: str, label: str, number: int, role: str) -> None:
        self.name, self.label, self.number = name, label, number
        self.all = role == "all"
        self.sock: socket.socket | None = None
        self.backlog: list[bytes] = []  # frames not yet sent
        self.control: list[bytes] = []  # control datagrams not yet sent; they go first
        self.octets = 0  # those of the backlog, when it waits
        self.direct: OutsidePort | None = None  # borrowed: where its frames are written at once
        self.waits = False  # full: the epoll instance watches for room


class Mesh(ABC):
    """A socket among others of its directory.

    reactor    the loop
    directory  made if it is not there
    label      "BOX.NIC", not necessarily unique
    role       "" or "all": a recorder that gets every frame

    Raises OSError when the directory cannot be used; EINVAL for an impossible label.
    """

    carrier: bool = True

    def __init__(self, reactor: Reactor, directory: str, label: str, role: str = "") -> None:
        self.label = label
        self.directory = directory
        self.number = int.from_bytes(os.urandom(8), "big")
        try:
            self.name = port_name(label, self.number, role)
        except ValueError as exc:
            raise OSError(errno.EINVAL, str(exc)) from None
        self.stat = Stat()
        self.closed = False
        self._role = role
        self._reactor = reactor
        self._generation = 0  # of what was read
        self._asked = 0
        self._peers: dict[str, Peer] = {}
        self._by_number: dict[int, Peer] = {}
        self._strangers: set[int] = set()
        self._epoll: select.epoll | None = None
        self._full: dict[int, Peer] = {}
        make_segment(directory)
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        bind(self._sock, os.path.join(directory, self.name))

    def _enter(self) -> None:
        """Say HELLO to those who are there, and begin to receive."""
        self._rescan()
        for peer in list(self._peers.values()):
            self.control(peer, HELLO)
        self._reactor.add_reader(self._sock.fileno(), self._readable)

    def _leave(self) -> None:
        """Say BYE and remove the socket's file."""
        self.closed = True
        self._reactor.remove_reader(self._sock.fileno())
        for peer in list(self._peers.values()):
            self.control(peer, BYE)
            self.stat["unplugged"] += len(peer.backlog)
            self._forget(peer)
        if self._epoll is not None:
            self._reactor.remove_reader(self._epoll.fileno())
            self._epoll.close()
        self._sock.close()
        unlink(os.path.join(self.directory, self.name))

    # What the kinds of port do each in their way.

    @abstractmethod
    def _readable(self) -> None:
        """Take what has come."""

    @abstractmethod
    def _sort(self) -> None:
        """Take notice that peers have come, gone or changed."""

    @abstractmethod
    def _reread(self) -> None:
        """Read again what lies in the directory."""

    def _new_generation(self, generation: int) -> None:
        """Read again when a peer knows something later, once for each generation it names."""
        later = 0 < (generation - self._generation) & 0xFFFFFFFF < 0x80000000
        if later and generation != self._asked:
            self._asked = generation
            self._reread()

    # Sending.

    def _drain(self, peer: Peer) -> None:
        """Send what waits for *peer* while it has room."""
        while peer.control:
            if not self._out(peer, peer.control[0]):
                return
            del peer.control[0]

    def _out(self, peer: Peer, data: bytes) -> bool:
        """Send one datagram; return whether it is done with (False: it is to be kept, if at all)."""
        sock = peer.sock
        if sock is None:
            sock = connect(self.directory, peer.name)
            if sock is None:
                self._dead(peer)
                return False
            try:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SNDBUF)
            finally:
                peer.sock = sock
        try:
            sock.send(data)
        except BlockingIOError:
            self._wait(peer, sock)
            return False
        except OSError as exc:
            if exc.errno in _GONE or exc.errno == errno.ECONNRESET:
                self._dead(peer)
                return False
            # ENOBUFS, EMSGSIZE: this one cannot go; those after it may.
            self.stat["send error"] += 1
        return True

    def _wait(self, peer: Peer, sock: socket.socket) -> None:
        # An epoll instance is readable when one of its members is writable, so the loop need not
        # know about writing.
        if peer.waits:
            return
        if self._epoll is None:
            self._epoll = select.epoll()
            self._reactor.add_reader(self._epoll.fileno(), self._writable)
        peer.waits = True
        self._full[sock.fileno()] = peer
        self._epoll.register(sock.fileno(), select.EPOLLOUT)

    def _writable(self) -> None:
        assert self._epoll is not None
        for fd, _mask in self._epoll.poll(0, DRAIN):
            peer = self._full.pop(fd, None)
            if peer is not None:
                self._epoll.unregister(fd)
                peer.waits = False
                self._drain(peer)

    def control(self, peer: Peer, kind: int, text: bytes = b"") -> None:
        """Send *peer* a control datagram, later if it is full."""
        data = build(kind, self._generation, self.number, text)
        if not self._out(peer, data) and kind != BYE and peer.name in self._peers:
            if len(peer.control) >= MAX_CONTROL:
                self.stat["control lost"] += 1
                del peer.control[0]
            peer.control.append(data)

    # Knowing the others.

    def _rescan(self) -> None:
        """Learn of every port in the directory that is not known yet."""
        for name, label, number, role in ports(self.directory):
            if name not in self._peers and name != self.name and role != "ctl":
                self._meet(Peer(name, label, number, role))
        self._sort()

    def _meet(self, peer: Peer) -> None:
        self._peers[peer.name] = peer
        self._by_number[peer.number] = peer
        self._strangers.discard(peer.number)

    def make_control_socket(self) -> tuple[socket.socket, str]:
        """Return a socket beside the port's own, and its path. Raises OSError."""
        path = os.path.join(self.directory, port_name(self.label, self.number, "ctl"))
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        bind(sock, path)
        return sock, path

    def control_socket(self, number: int) -> socket.socket | None:
        """Return a socket connected to the "~ctl" socket of *number*, or None if it has none."""
        for name, _label, its_number, role in ports(self.directory):
            if its_number == number and role == "ctl":
                return connect(self.directory, name)
        return None

    def _forget(self, peer: Peer) -> None:
        if self._peers.pop(peer.name, None) is None:
            return
        self._by_number.pop(peer.number, None)
        if peer.sock is not None:
            if peer.waits and self._epoll is not None:
                self._full.pop(peer.sock.fileno(), None)
                self._epoll.unregister(peer.sock.fileno())
            peer.sock.close()
        self._sort()

    def _dead(self, peer: Peer) -> None:
        """Its process was killed: forget it and remove its file."""
        self.stat["dead port"] += 1 + len(peer.backlog)
        peer.backlog = []
        peer.control = []
        unlink(os.path.join(self.directory, peer.name))
        self._forget(peer)

    def _known(self, number: int) -> Peer | None:
        """Return the port with *number*, looked up in the directory if need be."""
        peer = self._by_number.get(number)
        if peer is None and number not in self._strangers:
            self._rescan()
            peer = self._by_number.get(number)
            if peer is None:
                if len(self._strangers) >= MAX_STRANGERS:
                    self._strangers.clear()
                self._strangers.add(number)
        return peer

    def _report(self, number: int) -> None:
        """Answer who asked for the counters."""
        import json

        sock = self.control_socket(number)
        if sock is None:
            return
        text = json.dumps({"label": self.label, "carrier": self.carrier, **self.stat})
        with sock:
            try:
                sock.send(build(REPORT, self._generation, self.number, text.encode()))
            except OSError:
                self.stat["send error"] += 1
