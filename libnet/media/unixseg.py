"""A wire between processes: a mesh (libnet.media.mesh) in WORLD/segments/NAME.

- A sender learns which port owns an address from what it receives and floods the rest.
- Frames of one pass leave in one datagram per receiver, through a connected socket per receiver.
  A receiver that is full never blocks the sender: up to BACKLOG_FRAMES wait, and leave when it has
  room; what comes on top is dropped and counted.
- Impairments lie in the file NAME/impair (JSON with a generation number). They are applied by the
  sender; every datagram carries the generation, so nobody keeps an old one for long.
- A cable's state lies in segments/.cable/LABEL: "down" takes the carrier away.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from libnet.clock import Dice
from libnet.media import mesh
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
    STATS,
    BadDatagram,
    Datagram,
    build_data,
    fitting,
    parse,
)
from libnet.media.impair import Impairer, Impairments, seeded
from libnet.media.mesh import DRAIN, BadConf, Mesh, private, read_conf, write_conf
from libnet.media.mesh import Asker as Asker
from libnet.media.mesh import Peer as Peer
from libnet.media.mesh import connect as connect
from libnet.media.mesh import make_segment as make_segment
from libnet.media.mesh import port_name as port_name
from libnet.media.mesh import ports as ports
from libnet.media.mesh import read_port_name as read_port_name
from libnet.media.offload import fit
from libnet.media.port import (
    MAX_FRAME,
    QUEUE_FRAMES,
    TAKES_ALL,
    Reactor,
    ignore_link,
)

if TYPE_CHECKING:
    from libnet.media.loan import Borrower

BACKLOG_FRAMES: Final = 4096  # frames that wait for one full receiver
BACKLOG_OCTETS: Final = 1 << 20
MAX_MACS: Final = 8192
IMPAIR_FILE: Final = "impair"
CABLE_DIR: Final = ".cable"


class BadImpairFile(ValueError):
    """The segment's impairment file cannot be read."""


def read_impairments(directory: str) -> tuple[Impairments, int]:
    """Return what is wrong with the segment and the generation of that knowledge.

    Raises BadImpairFile, whose text names the file and the fault.
    """
    path = os.path.join(directory, IMPAIR_FILE)
    try:
        values, generation = read_conf(path)
        return Impairments.from_dict(values), generation
    except BadConf as exc:
        raise BadImpairFile(str(exc)) from None
    except (ValueError, TypeError) as exc:
        raise BadImpairFile(f"{path}: {exc}") from None


def write_impairments(directory: str, how: Impairments) -> int:
    """Store *how* for the segment at one stroke; return its generation."""
    return write_conf(os.path.join(directory, IMPAIR_FILE), how.to_dict())


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
    with open(path, "w", encoding="ascii", opener=private) as file:
        file.write("down\n")


def tell(directory: str, kind: int, *, label: str | None = None, number: int = 0) -> int:
    """Send a control datagram to every port, or to those named *label*; return how many took it."""
    generation = read_impairments(directory)[1] if kind == IMPAIR else 0
    return mesh.tell(directory, kind, label=label, number=number, generation=generation)


class UnixPort(Mesh):
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
        super().__init__(reactor, directory, label, role)
        self.receive: Callable[[Sequence[bytes]], None] = self._nobody
        self.link: Callable[[bool], None] = ignore_link
        self.carrier = read_cable(directory, label)
        self.offload = True
        self.takes = TAKES_ALL
        self._dice: Dice = dice or seeded(self.number, label)
        self._queue: list[bytes] = []
        self._others: tuple[Peer, ...] = ()  # those that frames may go to
        self._recorders: tuple[Peer, ...] = ()
        self._macs: dict[bytes, Peer] = {}
        self._how = Impairments()
        self._impairer: Impairer | None = None
        self._loan: Borrower | None = None
        self.changed: Callable[[], None] | None = None  # set by a Lender
        self.lend: Callable[[int], None] | None = None  # set by a Lender
        self._read_impairments()
        self._enter()

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
        self.carrier = False
        if self._loan is not None:
            self._loan.end()
        self._leave()
        if self._impairer is not None:
            self._impairer.close()

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
        super()._drain(peer)
        if peer.control:
            return
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

    # Knowing the others.

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
        self._macs = {mac: p for mac, p in self._macs.items() if p is not peer}
        super()._forget(peer)

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
            self._reread()
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

    def _nobody(self, frames: Sequence[bytes]) -> None:
        self.stat["not attached"] += len(frames)

    def _reread(self) -> None:
        self._read_impairments()
        self._sort()

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
