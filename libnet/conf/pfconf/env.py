"""What parsing a pf.conf needs to know about the host: interfaces, names, files."""

from __future__ import annotations

from typing import Final, Protocol

from libnet.conf.hosts import Protocols, Services

MTU_DEFAULT: Final = 1500


class IfAddr:
    """One address of an interface.

    af     AF_INET or AF_INET6        addr   integer of that family
    bits   prefix length              bcast, peer  integers, 0 for none
    scope  interface index of a link-local address, else 0
    """

    __slots__ = ("addr", "af", "bcast", "bits", "peer", "scope")

    def __init__(
        self, af: int, addr: int, bits: int, *, bcast: int = 0, peer: int = 0, scope: int = 0
    ) -> None:
        self.af, self.addr, self.bits = af, addr, bits
        self.bcast, self.peer, self.scope = bcast, peer, scope


class Interface:
    """One interface; addresses in the order of getifaddrs(3); speed in bits per second, or 0."""

    __slots__ = ("addrs", "flags", "index", "mtu", "name", "speed")

    def __init__(
        self, name: str, *, index: int, flags: int = 0, mtu: int = MTU_DEFAULT, speed: int = 0
    ) -> None:
        self.name, self.index, self.flags, self.mtu, self.speed = name, index, flags, mtu, speed
        self.addrs: list[IfAddr] = []


class Env(Protocol):
    """The host as pf.conf sees it."""

    @property
    def services(self) -> Services:
        """Names of ports."""

    @property
    def protocols(self) -> Protocols:
        """Names of IP protocols."""

    @property
    def users(self) -> dict[str, int]:
        """Numbers of users by name."""

    @property
    def groups(self) -> dict[str, int]:
        """Numbers of groups by name."""

    @property
    def interfaces(self) -> list[Interface]:
        """All interfaces, in order."""

    def resolve(self, name: str) -> list[tuple[int, int]]:
        """Return (family, address) of a host name, in order; none if it is not known."""

    def read(self, path: str) -> str:
        """Return the text of a file ("-": standard input). Raises OSError."""

    def random(self, bits: int) -> int:
        """Return a random number of so many bits."""
