"""What the ports to the outside have in common: frames leave at once and always complete."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Final

from libnet.media import vnet as virtio
from libnet.media.offload import cut
from libnet.media.port import MAX_FRAME, TAKES_ALL, Port, Reactor, Stat, ignore_link

DRAIN: Final = 64  # frames taken in one callback
MIN_FRAME: Final = 14


class OutsidePort:
    """A port behind which is a host descriptor that carries one frame a read or write.

    fd      the descriptor, non-blocking; close() closes it
    vnet    whether each frame bears virtio-net's header, which carries the marks
    broken  called once when the descriptor has died for good

    `offload` is set: what is marked is written as such, or resolved here, on its way out.
    """

    def __init__(self, reactor: Reactor, fd: int, *, vnet: bool = False) -> None:
        self.vnet = vnet
        self.receive: Callable[[Sequence[bytes]], None] = self._nobody
        self.link: Callable[[bool], None] = ignore_link
        self.broken: Callable[[], None] | None = None
        self.carrier = True
        self.offload = True
        self.takes = TAKES_ALL if vnet else 0
        self.stat = Stat()
        self.fd = fd
        self._reactor = reactor
        os.set_blocking(fd, False)
        reactor.add_reader(fd, self._readable)

    def send(self, frame: bytes) -> None:
        """Write *frame* now; drop and count it when the host will not take it."""
        if self.fd < 0:
            self.stat["unplugged"] += 1
        elif self.vnet:
            for head, whole in virtio.wrap(frame):
                self._write([head, whole])
        elif type(frame) is bytes:
            self._write([frame])
        else:
            for whole in cut(frame):
                self._write([whole])

    def _write(self, parts: list[bytes]) -> None:
        try:
            os.writev(self.fd, parts)
        except BlockingIOError:
            self.stat["receiver full"] += 1
        except OSError:
            # A TAP that is down gives EIO, a datagram peer that is not there ECONNREFUSED.
            self.stat["send error"] += 1
        else:
            self._sent(len(parts[-1]))

    def _sent(self, octets: int) -> None:
        self.stat["opackets"] += 1
        self.stat["obytes"] += octets

    def send_many(self, frames: Sequence[bytes]) -> None:
        """Write several."""
        for frame in frames:
            self.send(frame)

    def pause(self) -> None:
        """Stop reading: somebody else does."""
        self._reactor.remove_reader(self.fd)

    def resume(self) -> None:
        """Read again."""
        if self.fd >= 0:
            self._reactor.add_reader(self.fd, self._readable)

    def close(self) -> None:
        """Give the descriptor back."""
        if self.fd >= 0:
            self._reactor.remove_reader(self.fd)
            os.close(self.fd)
            self.fd = -1
            self.carrier = False

    def _nobody(self, frames: Sequence[bytes]) -> None:
        self.stat["not attached"] += len(frames)

    def _readable(self) -> None:
        fd, frames = self.fd, list[bytes]()
        lost = False
        for _ in range(DRAIN):
            try:
                frame = os.read(fd, MAX_FRAME)
            except BlockingIOError:
                break
            except OSError:
                self.stat["receive error"] += 1
                lost = True
                break
            ended = not frame
            if self.vnet:
                frame = virtio.unwrap(frame)
            if len(frame) < MIN_FRAME:
                self.stat["bad frame length"] += 1
                if ended:
                    break
                continue
            frames.append(frame)
        if frames:
            stat = self.stat
            stat["ipackets"] += len(frames)
            stat["ibytes"] += sum(map(len, frames))
            self.receive(frames)
        if lost and self.fd == fd:
            self._lost()

    def _lost(self) -> None:
        """Decide what a failed read means: here, that nothing will come any more."""
        self._reactor.remove_reader(self.fd)
        self.carrier = False
        self.link(False)
        if self.broken is not None:
            broken, self.broken = self.broken, None
            broken()


class Bridge:
    """Carry every frame of one port to another and back, marks resolved where a port needs it."""

    def __init__(self, one: Port, other: Port) -> None:
        one.receive, other.receive = other.send_many, one.send_many
        self.one, self.other = one, other

    def close(self) -> None:
        """Unplug both."""
        self.one.close()
        self.other.close()
