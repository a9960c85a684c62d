"""A wire between processes: one Unix datagram socket per port in the segment's directory.

There is no central process. A port's socket is WORLD/segments/NAME/LABEL~NUMBER[~all|~ctl]: the label
is "BOX.NIC", the number sixteen hexadecimal digits, new at each start, so that a file left by a killed
process is never mistaken for its successor. "~all" is a recorder, which gets every frame; "~ctl" is
a tool that only asks.

- A port that comes says HELLO to all it finds and all learn of it at once; one that goes says BYE.
  One that was killed is found when its socket refuses, and its file is removed.
- A sender learns which port owns an address from what it receives and floods the rest.
- Frames of one pass leave in one datagram per receiver, through a connected socket per receiver.
  A receiver that is full never blocks the sender: up to BACKLOG_FRAMES wait, and leave when it has
  room; what comes on top is dropped and counted.
- Impairments lie in the file NAME/impair (JSON with a generation number). They are applied by the
  sender; every datagram carries the generation, so nobody keeps an old one for long.
- A cable's state lies in segments/.cable/LABEL: "down" takes the carrier away.

Everything in the directory belongs to the world's owner (0700, sockets 0600).
"""

from __future__ import annotations

import errno
import os
import select
import socket
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from libnet.clock import Dice
from libnet.media.datagram import (
    BATCH_FRAMES,
    BATCH_OCTETS,
    BYE,
    DATA,
    HELLO,
    IMPAIR,
    LEND,
    LINK,
    MARKED,
    MAX_DATAGRAM,
    MIN_FRAME,
    REPORT,
    STATS,
    BadDatagram,
    Datagram,
    build,
    build_data,
    fitting,
    parse,
)
from libnet.media.impair import Impairer, Impairments, seeded
from libnet.media.offload import fit
from libnet.media.port import (
    MAX_FRAME,
    QUEUE_FRAMES,
    TAKES_ALL,
    Reactor,
    Stat,
    ignore_link,
)
from libnet.sunaddr import unix_address

if TYPE_CHECKING:
    from libnet.media.loan import Borrower
    from libnet.media.outside import OutsidePort

DRAIN: Final = 64  # datagrams taken in one callback before others get their turn
BACKLOG_FRAMES: Final = 4096  # frames that wait for one full receiver
BACKLOG_OCTETS: Final = 1 << 20
MAX_MACS: Final = 8192
MAX_STRANGERS: Final = 256  # numbers remembered as not to be found in the directory
SNDBUF: Final = 4 << 20  # octets asked for; the host may give less
IMPAIR_FILE: Final = "impair"
CABLE_DIR: Final = ".cable"
_GONE: Final = (errno.ECONNREFUSED, errno.ENOENT, errno.ENOTCONN, errno.EPROTOTYPE, errno.EPIPE)


class BadImpairFile(ValueError):
    """The segment's impairment file cannot be read."""


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


def read_impairments(directory: str) -> tuple[Impairments, int]:
    """Return what is wrong with the segment and the generation of that knowledge.

    Raises BadImpairFile, whose text names the file and the fault.
    """
    path = os.path.join(directory, IMPAIR_FILE)
    try:
        with open(path, "rb") as file:
            text = file.read(65536)
    except FileNotFoundError:
        return Impairments(), 0
    import json

    try:
        values = json.loads(text)
        generation = values.pop("generation")
        if type(generation) is not int or generation < 0:
            raise ValueError("generation is not a number from 0")
        return Impairments.from_dict(values), generation & 0xFFFFFFFF
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as exc:
        raise BadImpairFile(f"{path}: {exc}") from None


def write_impairments(directory: str, how: Impairments) -> int:
    """Store *how* for the segment at one stroke; return its generation."""
    import json

    try:
        generation = read_impairments(directory)[1] + 1
    except BadImpairFile:
        generation = 1 + int.from_bytes(os.urandom(3), "big")  # later than any plausible one
    path = os.path.join(directory, IMPAIR_FILE)
    fresh = f"{path}.{os.getpid()}"
    try:
        with open(fresh, "w", encoding="utf-8", opener=_private) as file:
            json.dump({"generation": generation, **how.to_dict()}, file)
        os.replace(fresh, path)
    except OSError:
        _unlink(fresh)  # a full disk
        raise
    return generation


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)


def cable_file(directory: str, label: str) -> str:
    """Return where the cable state of the port *label* lies, given any segment's directory."""
    return os.path.join(os.path.dirname(os.path.abspath(directory)), CABLE_DIR, label)


def read_cable(directory: str, label: str) -> bool:
    """Tell whether the cable of *label* is plugged in."""
    try:
        with open(cable_file(directory, label), encoding="ascii", errors="replace") as file:
            return file.read(16).strip() != "down"
    except OSError:
        return True


def write_cable(directory: str, label: str, up: bool) -> None:
    """Plug in or pull the cable of *label*; the port is to be told with tell(…, LINK)."""
    path = cable_file(directory, label)
    if up:
        try:
            os.unlink(path)
        except FileNotFoundError:
            return
        return
    os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
    with open(path, "w", encoding="ascii", opener=_private) as file:
        file.write("down\n")


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
            _unlink(path)
        return None
    finally:
        if fd is not None:
            os.close(fd)
    return sock


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        return  # someone else was first, or the directory went away with it


def tell(directory: str, kind: int, *, label: str | None = None, number: int = 0) -> int:
    """Send a control datagram to every port, or to those named *label*; return how many took it."""
    told = 0
    generation = 0
    if kind == IMPAIR:
        generation = read_impairments(directory)[1]
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


def _bind(sock: socket.socket, path: str) -> None:
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
    """A tool's socket in a segment's directory, which asks ports for their counters.

    reports   number of a port: its counters, with "label" and "carrier"
    """

    def __init__(self, reactor: Reactor, directory: str) -> None:
        self.directory = directory
        self.number = int.from_bytes(os.urandom(8), "big")
        self.reports: dict[int, dict[str, Any]] = {}
        self._reactor = reactor
        self._path = os.path.join(directory, port_name("lab", self.number, "ctl"))
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        _bind(self._sock, self._path)
        reactor.add_reader(self._sock.fileno(), self._readable)

    def ask(self) -> int:
        """Ask every port; return how many took the question."""
        return tell(self.directory, STATS, number=self.number)

    def close(self) -> None:
        """Remove the socket's file."""
        self._reactor.remove_reader(self._sock.fileno())
        self._sock.close()
        _unlink(self._path)

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


class UnixPort:
    """One end of a segment between processes; a libnet.media.port.Port.

    reactor    the loop; its clock times impairments
    directory  WORLD/segments/NAME, made if it is not there
    label      "BOX.NIC", not necessarily unique
    dice       what impairments are thrown with when they bring no seed (None: seeded by the host)
    role       "" or "all": a recorder that gets every frame

    Raises OSError when the directory cannot be used; EINVAL for an impossible label. A wrong
    impairment file is counted ("bad impair file") and taken as a perfect wire.
    """

    def __init__(
        self, reactor: Reactor, directory: str, label: str, dice: Dice | None = None, role: str = ""
    ) -> None:
        self.label = label
        self.directory = directory
        self.number = int.from_bytes(os.urandom(8), "big")
        try:
            self.name = port_name(label, self.number, role)
        except ValueError as exc:
            raise OSError(errno.EINVAL, str(exc)) from None
        self.receive: Callable[[Sequence[bytes]], None] = self._nobody
        self.link: Callable[[bool], None] = ignore_link
        self.offload = True
        self.takes = TAKES_ALL
        self.stat = Stat()
        self._reactor = reactor
        self._dice: Dice = dice or seeded(self.number, label)
        self._queue: list[bytes] = []
        self._peers: dict[str, Peer] = {}
        self._by_number: dict[int, Peer] = {}
        self._others: tuple[Peer, ...] = ()  # those that frames may go to
        self._recorders: tuple[Peer, ...] = ()
        self._macs: dict[bytes, Peer] = {}
        self._strangers: set[int] = set()
        self._epoll: select.epoll | None = None
        self._full: dict[int, Peer] = {}
        self._how = Impairments()
        self._generation = 0
        self._asked = 0
        self._impairer: Impairer | None = None
        self._role = role
        self._loan: Borrower | None = None
        self.changed: Callable[[], None] | None = None  # set by a Lender
        self.lend: Callable[[int], None] | None = None  # set by a Lender
        self.closed = False

        make_segment(directory)
        self.carrier = read_cable(directory, label)
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        _bind(self._sock, os.path.join(directory, self.name))
        self._read_impairments()
        self._rescan()
        for peer in list(self._peers.values()):
            self.control(peer, HELLO)
        reactor.add_reader(self._sock.fileno(), self._readable)

    # What the NIC calls.

    def send(self, frame: bytes) -> None:
        """Queue *frame* for the end of the pass; drop it when QUEUE_FRAMES already wait."""
        queue = self._queue
        if not queue:
            self._reactor.at_pass_end(self._flush)
        elif len(queue) >= QUEUE_FRAMES:
            self.stat["queue full"] += 1
            return
        queue.append(frame)

    def send_many(self, frames: Sequence[bytes]) -> None:
        """Queue several at once."""
        queue = self._queue
        if not queue and frames:
            self._reactor.at_pass_end(self._flush)
        room = QUEUE_FRAMES - len(queue)
        if len(frames) > room:
            self.stat["queue full"] += len(frames) - room
            frames = frames[:room]
        queue.extend(frames)

    @property
    def backlog(self) -> int:
        """Frames that wait: of this pass, on a slow wire, or for a full receiver."""
        waiting = sum(len(peer.backlog) for peer in self._full.values())
        return len(self._queue) + waiting + self.slow

    @property
    def slow(self) -> bool:
        """Whether frames are under way on an impaired wire."""
        return self._impairer is not None and not self._impairer.idle

    def close(self) -> None:
        """Say BYE, unplug, and remove the socket's file."""
        if self.closed:
            return
        self._flush()
        self.closed = True
        self.carrier = False
        self._reactor.remove_reader(self._sock.fileno())
        if self._loan is not None:
            self._loan.end()
        for peer in list(self._peers.values()):
            self.control(peer, BYE)
            self.stat["unplugged"] += len(peer.backlog)
            self._forget(peer)
        if self._impairer is not None:
            self._impairer.close()
        if self._epoll is not None:
            self._reactor.remove_reader(self._epoll.fileno())
            self._epoll.close()
        self._sock.close()
        _unlink(os.path.join(self.directory, self.name))

    # Sending.

    def _flush(self) -> None:
        frames, self._queue = self._queue, []
        if not frames:
            return
        if self.closed or not self.carrier:
            self.stat["unplugged" if self.closed else "no carrier"] += len(frames)
            return
        lengths = list(map(len, frames))
        if max(lengths) > MAX_FRAME or min(lengths) < MIN_FRAME:
            frames = [f for f in frames if MIN_FRAME <= len(f) <= MAX_FRAME]
            self.stat["bad frame length"] += len(lengths) - len(frames)
            lengths = list(map(len, frames))
            if not frames:
                return
        stat = self.stat
        stat["opackets"] += len(frames)
        stat["obytes"] += sum(lengths)
        impairer = self._impairer
        if impairer is not None and (self._how.disturbs or not impairer.idle):
            impairer.send(fit(frames))
        else:
            self._carry(frames)

    def _carry(self, frames: Sequence[bytes]) -> None:
        """Send what came through the wire to whom it is for."""
        if self.closed:
            return
        others = self._others
        if self._recorders:
            whole = fit(frames)
            for peer in self._recorders:
                self._push(peer, whole)
        if len(others) == 1:
            self._push(others[0], frames)
        elif others:
            self._switch(frames, others)
        elif not self._recorders:
            self.stat["nobody there"] += len(frames)

    def _switch(self, frames: Sequence[bytes], others: tuple[Peer, ...]) -> None:
        macs = self._macs
        boxes: dict[Peer, list[bytes]] = {}
        last, outs = b"", list[list[bytes]]()
        for frame in frames:
            dst = frame[:6]
            if dst != last:
                last = dst
                to = macs.get(dst)
                if to is None:
                    outs = [boxes.setdefault(other, []) for other in others]
                elif to in others:
                    outs = [boxes.setdefault(to, [])]
                else:
                    outs = []  # across a partition
            for out in outs:
                out.append(frame)
            if len(outs) != 1:
                self.stat["flooded" if outs else "partitioned"] += 1
        for peer, mine in boxes.items():
            if mine:
                self._push(peer, mine)

    def _push(self, peer: Peer, frames: Sequence[bytes]) -> None:
        """Send *frames* to *peer*, or as many as it has room for."""
        if peer.direct is not None:
            peer.direct.send_many(frames)
        elif peer.waits:
            self._keep(peer, frames)
        elif len(frames) <= BATCH_FRAMES and sum(map(len, frames)) <= BATCH_OCTETS:
            if not self._out(peer, build_data(frames, self._generation, self.number)):
                self._keep(peer, frames)
        else:
            peer.backlog.extend(frames)
            peer.octets = sum(map(len, peer.backlog))
            self._drain(peer)
            self._bound(peer)

    def _keep(self, peer: Peer, frames: Sequence[bytes]) -> None:
        if peer.name in self._peers:
            peer.backlog.extend(frames)
            peer.octets += sum(map(len, frames))
            self._bound(peer)
        else:
            self.stat["dead port"] += len(frames)

    def _bound(self, peer: Peer) -> None:
        """Drop from the end what a full receiver may not hold."""
        backlog = peer.backlog
        dropped = max(len(backlog) - BACKLOG_FRAMES, 0)
        if dropped:
            del backlog[BACKLOG_FRAMES:]
            peer.octets = sum(map(len, backlog))
        while peer.octets > BACKLOG_OCTETS and len(backlog) > 1:
            peer.octets -= len(backlog.pop())
            dropped += 1
        if dropped:
            self.stat["receiver full"] += dropped

    def _drain(self, peer: Peer) -> None:
        """Send what waits for *peer* while it has room."""
        while peer.control:
            if not self._out(peer, peer.control[0]):
                return
            del peer.control[0]
        backlog = peer.backlog
        at = 0
        while at < len(backlog):
            batch = backlog[at : at + BATCH_FRAMES]
            del batch[fitting(batch) :]
            if not self._out(peer, build_data(batch, self._generation, self.number)):
                break
            at += len(batch)
        del backlog[:at]
        peer.octets = sum(map(len, backlog)) if backlog else 0

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

    def _sort(self) -> None:
        """Work out whom frames may go to."""
        how = self._how
        peers = [p for p in self._peers.values() if how.hears(self.label, p.label) or p.all]
        self._others = tuple(p for p in peers if not p.all)
        self._recorders = tuple(p for p in peers if p.all)
        if self._loan is not None:
            self._loan.review()
        if self.changed is not None:
            self.changed()

    # Lending and borrowing (libnet.media.loan).

    def alone_with(self) -> Peer | None:
        """Return the only other port of a wire that is neither recorded nor impaired, or None."""
        if len(self._others) != 1 or self._recorders or self._how or self._role or self.closed:
            return None
        return self._others[0]

    def make_control_socket(self) -> tuple[socket.socket, str]:
        """Return a socket beside the port's own, and its path. Raises OSError."""
        path = os.path.join(self.directory, port_name(self.label, self.number, "ctl"))
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        _bind(sock, path)
        return sock, path

    def control_socket(self, number: int) -> socket.socket | None:
        """Return a socket connected to the "~ctl" socket of *number*, or None if it has none."""
        for name, _label, its_number, role in ports(self.directory):
            if its_number == number and role == "ctl":
                return connect(self.directory, name)
        return None

    def _offered(self, number: int) -> None:
        """Borrow what the port *number* offers, when there is nobody else on the wire."""
        peer = self._by_number.get(number)
        if peer is None or peer is not self.alone_with() or self._loan is not None:
            return
        from libnet.media.loan import Borrower

        try:
            self._loan = Borrower(self._reactor, self, peer, self._loan_ended)
        except OSError:
            self.stat["loan error"] += 1

    def _loan_ended(self) -> None:
        self._loan = None

    def _forget(self, peer: Peer) -> None:
        if self._peers.pop(peer.name, None) is None:
            return
        self._by_number.pop(peer.number, None)
        self._macs = {mac: p for mac, p in self._macs.items() if p is not peer}
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
        _unlink(os.path.join(self.directory, peer.name))
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

    # Receiving.

    def _readable(self) -> None:
        frames: list[bytes] = []
        recv, stat = self._sock.recv, self.stat
        for _ in range(DRAIN):
            try:
                data = recv(MAX_DATAGRAM)
            except BlockingIOError:
                break
            except OSError:
                stat["receive error"] += 1
                break
            try:
                gram = parse(data)
            except BadDatagram as exc:
                stat[str(exc)] += 1
                continue
            kind, generation, number, some, _text = gram
            if kind in (DATA, MARKED):
                self._learn(number, some)
                frames += some
                if generation != self._generation:
                    self._new_generation(generation)
            else:
                self._controlled(gram)
                if self.closed:
                    return
        if not frames:
            return
        if not self.carrier:
            stat["no carrier"] += len(frames)
            return
        takes = self.takes
        out: Sequence[bytes] = frames if takes == TAKES_ALL else fit(frames, takes)
        stat["ipackets"] += len(out)
        stat["ibytes"] += sum(map(len, out))
        self.receive(out)

    def _learn(self, number: int, frames: list[bytes]) -> None:
        peer = self._by_number.get(number)
        if peer is None:
            peer = self._known(number)
            if peer is None:
                return
        macs = self._macs
        last = b""
        for frame in frames:
            src = frame[6:12]
            if src != last:
                last = src
                if macs.get(src) is not peer and not src[0] & 1:
                    if len(macs) >= MAX_MACS:
                        macs.clear()
                        self.stat["address table full"] += 1
                    macs[src] = peer

    def _controlled(self, gram: Datagram) -> None:
        kind = gram.kind
        if kind == HELLO:
            self._strangers.discard(gram.number)
            self._known(gram.number)
        elif kind == BYE:
            peer = self._by_number.get(gram.number)
            if peer is not None:
                self._forget(peer)
        elif kind == IMPAIR:
            self._read_impairments()
            self._sort()
        elif kind == LINK:
            up = read_cable(self.directory, self.label)
            if up != self.carrier:
                self.carrier = up
                self.link(up)
        elif kind == STATS:
            self._report(gram.number)
        elif kind == LEND:
            if self.lend is not None:
                self.lend(gram.number)
            else:
                self._offered(gram.number)
        else:
            self.stat["bad kind"] += 1

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

    def _new_generation(self, generation: int) -> None:
        """Look at the impairments again when a peer knows later ones, once for each it names."""
        later = 0 < (generation - self._generation) & 0xFFFFFFFF < 0x80000000
        if later and generation != self._asked:
            self._asked = generation
            self._read_impairments()
            self._sort()

    def _nobody(self, frames: Sequence[bytes]) -> None:
        self.stat["not attached"] += len(frames)

    def _read_impairments(self) -> None:
        try:
            self._how, self._generation = read_impairments(self.directory)
        except (BadImpairFile, OSError):
            self.stat["bad impair file"] += 1
            self._how = Impairments()
        how = self._how
        dice = self._dice if how.seed is None else seeded(how.seed, self.label)
        if self._impairer is not None:
            self._impairer.how, self._impairer.dice = how, dice
        elif how.disturbs:
            self._impairer = Impairer(self._reactor.clock, dice, how, self.stat, self._carry)
