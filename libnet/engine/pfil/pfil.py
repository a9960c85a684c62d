"""pfil(9): hook heads by address family and direction, and one for interface events.

A packet hook is called with (Mbuf, Ifnet, direction) and returns the Mbuf to go on with (the same or
another), or None when it has taken or dropped it; it may raise NetError to say why (outbound).
An interface hook is called with (event, Ifnet, argument).

Outbound hooks run in the order they were added, inbound ones in the opposite order, so that two
filters nest.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from libnet.engine.kern.mbuf import Mbuf
    from libnet.engine.link.ifnet import Ifnet

PFIL_IN: Final = 1
PFIL_OUT: Final = 2

PacketHook = Callable[["Mbuf", "Ifnet", int], "Mbuf | None"]
IfnetHook = Callable[[str, "Ifnet", Any], None]

# Events of the interface head.
IF_ATTACH: Final = "attach"
IF_DETACH: Final = "detach"
IF_FLAGS: Final = "flags"
IF_LINK: Final = "link"
IF_NEWADDR: Final = "newaddr"
IF_DELADDR: Final = "deladdr"


class PfilHead:
    """The hooks of one address family.

    hooks_in, hooks_out  in calling order; empty tuples cost the packet path one truth test
    generation           changes whenever they do
    """

    def __init__(self) -> None:
        self.hooks_in: tuple[PacketHook, ...] = ()
        self.hooks_out: tuple[PacketHook, ...] = ()
        self.generation = 0

    def add(self, hook: PacketHook, flags: int) -> None:
        """Add *hook* for PFIL_IN, PFIL_OUT or both."""
        if flags & PFIL_IN:
            self.hooks_in = (hook, *self.hooks_in)
        if flags & PFIL_OUT:
            self.hooks_out = (*self.hooks_out, hook)
        self.generation += 1

    def remove(self, hook: PacketHook, flags: int) -> None:
        """Remove *hook* from the directions in *flags*."""
        if flags & PFIL_IN:
            self.hooks_in = tuple(h for h in self.hooks_in if h is not hook)
        if flags & PFIL_OUT:
            self.hooks_out = tuple(h for h in self.hooks_out if h is not hook)
        self.generation += 1

    def run(self, m: Mbuf, ifp: Ifnet, direction: int) -> Mbuf | None:
        """Show *m* to the hooks; return what is left of it."""
        hooks = self.hooks_in if direction == PFIL_IN else self.hooks_out
        for hook in hooks:
            got = hook(m, ifp, direction)
            if got is None:
                return None
            m = got
        return m


class Pfil:
    """All heads of a stack.

    heads  PfilHead by address family     ifnet  interface hooks in calling order
    """

    def __init__(self) -> None:
        self.heads: dict[int, PfilHead] = {}
        self.ifnet: tuple[IfnetHook, ...] = ()

    def head(self, family: int) -> PfilHead:
        """Return the head of *family*, made at the first use."""
        if family not in self.heads:
            self.heads[family] = PfilHead()
        return self.heads[family]

    def add_ifnet(self, hook: IfnetHook) -> None:
        """Add an interface hook."""
        self.ifnet = (*self.ifnet, hook)

    def remove_ifnet(self, hook: IfnetHook) -> None:
        """Remove an interface hook."""
        self.ifnet = tuple(h for h in self.ifnet if h != hook)

    def event(self, event: str, ifp: Ifnet, arg: Any = None) -> None:
        """Tell the interface hooks."""
        for hook in self.ifnet:
            hook(event, ifp, arg)
