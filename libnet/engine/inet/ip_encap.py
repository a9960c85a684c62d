"""encap(9): which tunnel a packet inside a packet is for.

Several tunnels may want one IP protocol. Each says how well a packet suits it; the best gets it. A packet
that suits none goes to raw sockets, as one of a protocol that nobody here speaks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from libnet.addr import AF_INET
from libnet.engine.kern.mbuf import Mbuf

if TYPE_CHECKING:
    from libnet.engine.inet.inetstack import InetStack

Check = Callable[[Mbuf], int]
Input = Callable[[Mbuf], None]


class Encap:
    """The tunnels of one stack by IP protocol."""

    def __init__(self, stack: InetStack) -> None:
        self.stack = stack
        self._table: dict[int, list[tuple[Check, Input]]] = {}

    def attach(self, proto: int, check: Check, func: Input) -> tuple[int, Check, Input]:
        """Have *func(m)* called for packets of *proto* that suit best; return what detach() wants.

        check(m)  returns how many bits of the outer header the tunnel matches, 0 for none
        """
        if proto not in self._table:
            self.stack.protosw[AF_INET, proto] = self._input
        self._table.setdefault(proto, []).append((check, func))
        return proto, check, func

    def detach(self, cookie: tuple[int, Check, Input]) -> None:
        """Undo attach()."""
        proto, check, func = cookie
        rows = self._table[proto]
        rows.remove((check, func))
        if not rows:
            del self._table[proto]
            del self.stack.protosw[AF_INET, proto]

    def _input(self, m: Mbuf) -> None:
        best, chosen = 0, None
        for check, func in self._table[m.proto]:
            fits = check(m)
            if fits > best:
                best, chosen = fits, func
        if chosen is None:
            self.stack.rip.input(m)
        else:
            chosen(m)
