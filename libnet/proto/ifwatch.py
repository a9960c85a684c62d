"""ifwatchd(8) as a core: routing messages in, the scripts to call for them out.

Events are an interface's arrival and departure, an address added or removed (that is what "up" and
"down" mean here), and a carrier found or lost.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from libnet.addr import Sockaddr, SockaddrDl, SockaddrIn, inet_ntoa
from libnet.ioctl.ifflags import IFF_UP, LINK_STATE_DOWN, LINK_STATE_UP
from libnet.wire.rtsock import (
    RTM_DELADDR,
    RTM_IFANNOUNCE,
    RTM_NEWADDR,
    AnyMsg,
    IfaMsg,
    IfanMsg,
    IfMsg,
)

ARRIVAL: Final = "arrival"
DEPARTURE: Final = "departure"
UP: Final = "up"
DOWN: Final = "down"
CARRIER: Final = "carrier"
NO_CARRIER: Final = "no_carrier"
IFAN_ARRIVAL: Final = 0
IFAN_DEPARTURE: Final = 1

# Scripts of the PPP daemon expect a terminal and its speed: they get some.
TTY: Final = "/dev/null"
SPEED: Final = "9600"


class Call(NamedTuple):
    """A script to run.

    args  interface, terminal, speed, address, and the peer's or broadcast address; "" for none
    """

    script: str
    args: tuple[str, ...]


class Watcher:
    """Watches some interfaces.

    names    of the interfaces    scripts  what to run, by event
    indices  returns the numbers of all interfaces by name
    """

    def __init__(
        self,
        names: Sequence[str],
        scripts: dict[str, str],
        indices: Callable[[], dict[str, int]],
    ) -> None:
        self.names = list(names)
        self._scripts, self._indices = scripts, indices
        self._carrier: dict[str, int] = {}
        self._calls: list[Call] = []
        self._notes: list[str] = []
        self._numbers: dict[str, int] = {}
        self.rescan()

    def rescan(self) -> None:
        """Look up the numbers of the interfaces."""
        found = self._indices()
        for name in self.names:
            self._numbers[name] = found.get(name, 0)
            self._notes.append(f'interface "{name}" has index {self._numbers[name]}')

    def take_calls(self) -> list[Call]:
        """Return the scripts to run, in order."""
        calls, self._calls = self._calls, []
        return calls

    def take_notes(self) -> list[str]:
        """Return what -v prints."""
        notes, self._notes = self._notes, []
        return notes

    def initial(self, messages: Sequence[AnyMsg]) -> None:
        """Tell what is there already, from a list of interfaces and addresses (NET_RT_IFLIST)."""
        up: dict[int, str] = {}
        for msg in messages:
            if isinstance(msg, IfMsg) and isinstance(msg.addrs.ifp, SockaddrDl):
                name = msg.addrs.ifp.name
                if name not in self.names:
                    continue
                self._call(ARRIVAL, name)
                if not msg.flags & IFF_UP:
                    continue
                up[msg.index] = name
                if msg.data.link_state == LINK_STATE_UP:
                    self._call(CARRIER, name)
                    self._carrier[name] = LINK_STATE_UP
            elif isinstance(msg, IfaMsg) and msg.index in up:
                self._address(UP, up[msg.index], msg.addrs.ifa, msg.addrs.brd)

    def input(self, msg: AnyMsg) -> None:
        """Take a message of the routing socket."""
        if isinstance(msg, IfaMsg) and msg.type in (RTM_NEWADDR, RTM_DELADDR):
            name = self._by_number(msg.index)
            if name is None:
                self._notes.append(f"ignoring change on interface #{msg.index}")
                return
            event = UP if msg.type == RTM_NEWADDR else DOWN
            self._address(event, name, msg.addrs.ifa, msg.addrs.brd)
        elif isinstance(msg, IfanMsg) and msg.type == RTM_IFANNOUNCE:
            self.rescan()
            if msg.name not in self.names:
                return
            if msg.what == IFAN_ARRIVAL:
                self._call(ARRIVAL, msg.name)
            elif msg.what == IFAN_DEPARTURE:
                self._call(DEPARTURE, msg.name)
            else:
                self._notes.append(f"unknown announce: what={msg.what}")
        elif isinstance(msg, IfMsg):
            self._link(msg)
        else:
            self._notes.append("unknown message ignored")

    def _by_number(self, number: int) -> str | None:
        return next((name for name in self.names if self._numbers[name] == number), None)

    def _link(self, msg: IfMsg) -> None:
        name = self._by_number(msg.index)
        if name is None:
            return
        state = msg.data.link_state
        if state == self._carrier.get(name):
            return
        event = _EVENTS.get(state)
        if event is None:
            self._notes.append("unknown link status ignored")
            return
        self._call(event, name)
        self._carrier[name] = state

    def _address(self, event: str, name: str, addr: Sockaddr | None, peer: Sockaddr | None) -> None:
        if isinstance(addr, SockaddrIn):
            self._call(event, name, addr, peer)

    def _call(
        self, event: str, name: str, addr: SockaddrIn | None = None, peer: Sockaddr | None = None
    ) -> None:
        script = self._scripts.get(event)
        if script is None:
            return
        first = inet_ntoa(addr.addr) if addr is not None else ""
        second = inet_ntoa(peer.addr) if isinstance(peer, SockaddrIn) else ""
        self._calls.append(Call(script, (name, TTY, SPEED, first, second)))


_EVENTS: Final = {LINK_STATE_UP: CARRIER, LINK_STATE_DOWN: NO_CARRIER}
