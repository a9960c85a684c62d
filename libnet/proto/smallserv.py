"""The small services: echo, discard, chargen, daytime, time and tcpmux.

RFC 862, 863, 864, 867, 868 and 1078. Pure: octets in, octets out, the time handed in.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

LINESIZ: Final = 72
RING: Final = "".join(map(chr, range(32, 127)))
EPOCH_1900: Final = 25567 * 24 * 60 * 60  # seconds from 1900 to 1970
MAX_SERV_LEN: Final = 258  # of the name that tcpmux is asked for
# Ports that answer by themselves: between two of them a datagram would go on for ever.
BAD_PORTS: Final = frozenset((7, 9, 13, 19, 37))


def chargen_line(at: int) -> bytes:
    """Return the line of the character generator that begins at place *at* of the ring."""
    at %= len(RING)
    return (RING + RING)[at : at + LINESIZ].encode() + b"\r\n"


def daytime(wall: float) -> bytes:
    r"""Return the time as ctime(3) has it, UTC, with its line end.

    >>> daytime(0.0)
    b'Thu Jan  1 00:00:00 1970\r\n'
    """
    when = datetime.fromtimestamp(wall, UTC)
    return f"{when:%a %b} {when.day:2d} {when:%H:%M:%S %Y}\r\n".encode()


def machtime(wall: float) -> bytes:
    """Return seconds since 1900, 32 bits."""
    return ((int(wall) + EPOCH_1900) & 0xFFFFFFFF).to_bytes(4, "big")


class Stream:
    """One connection of a service.

    output   what to send                  done   close when it is sent
    started  name of the service behind tcpmux that is to have the connection, "" for none
    """

    def __init__(self, name: str, wall: float, services: Sequence[tuple[str, bool]] = ()) -> None:
        """Begin; *services* are (name, whether it is told "+Go") behind tcpmux."""
        self.name = name
        self.output = bytearray()
        self.done = False
        self.started = ""
        self._services = services
        self._line = 0
        self._asked = bytearray()
        if name == "daytime":
            self.output += daytime(wall)
            self.done = True
        elif name == "time":
            self.output += machtime(wall)
            self.done = True

    def input(self, data: bytes) -> None:
        """Take octets; none is the end of what the other side says."""
        if self.done:
            return
        if self.name == "tcpmux":
            self._mux(data)
        elif self.name == "echo":
            self.output += data
        if not data and self.name != "chargen":
            self.done = True

    def fill(self, room: int) -> None:
        """Make output, *room* octets of it, if that is what the service is for."""
        if self.name != "chargen" or self.done:
            return
        while len(self.output) < room:
            self.output += chargen_line(self._line)
            self._line += 1

    def _mux(self, data: bytes) -> None:
        self._asked += data
        asked = bytes(self._asked)
        ends = [at for at in (asked.find(end) for end in (b"\r", b"\n", b"\0")) if at >= 0]
        if not ends and data and len(asked) < MAX_SERV_LEN:
            return
        name = asked[: min(ends, default=MAX_SERV_LEN)].decode("latin-1").lower()
        if name == "help":
            names = ["help", *(one for one, _go in self._services)]
            text = "+Available services:\r\n" + "".join(f"{one}\r\n" for one in names)
            self.output += text.encode("utf-8", "replace")
            self.done = True
            return
        for one, go in self._services:
            if one.lower() == name:
                self.output += b"+Go\r\n" if go else b""
                self.started = one
                return
        self.output += b"-Service not available\r\n"
        self.done = True


class Datagrams:
    """A datagram service: remembers where its character generator is."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._line = 0

    def answer(self, data: bytes, port: int, wall: float) -> bytes | None:
        """Return the answer to *data* from *port*, None for none."""
        if port in BAD_PORTS or self.name == "discard":
            return None
        if self.name == "echo":
            return data
        if self.name == "daytime":
            return daytime(wall)
        if self.name == "time":
            return machtime(wall)
        self._line += 1
        return chargen_line(self._line - 1)
