"""if_clone(9): interfaces made and taken away by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from libnet.engine.link.ifnet import Ifnet
from libnet.errors import NetError
from libnet.ioctl.ifflags import IFNAMSIZ

if TYPE_CHECKING:
    from libnet.engine.kern.base import StackBase

MAX_UNIT = 0x7FFFFFFF


class Cloner(NamedTuple):
    """One kind: name stem, what makes a unit, what takes it away."""

    stem: str
    create: Callable[[str, int], Ifnet]
    destroy: Callable[[Ifnet], None]


class Cloners:
    """The cloner table of one stack, in registration order."""

    def __init__(self, stack: StackBase) -> None:
        self._stack = stack
        self.table: dict[str, Cloner] = {}

    def attach(self, cloner: Cloner) -> None:
        """Add *cloner*. Raises EEXIST."""
        if cloner.stem in self.table:
            raise NetError("EEXIST")
        self.table[cloner.stem] = cloner

    def detach(self, stem: str) -> None:
        """Remove the cloner of *stem*."""
        self.table.pop(stem, None)

    def create(self, name: str) -> Ifnet:
        """Make interface *name*. Raises EINVAL for no such kind, EEXIST if it is there."""
        stem = name.rstrip("0123456789")
        digits = name[len(stem) :]
        cloner = self.table.get(stem)
        if cloner is None or not digits or len(name) >= IFNAMSIZ:
            raise NetError("EINVAL")
        if digits != str(int(digits)) or int(digits) > MAX_UNIT:
            raise NetError("EINVAL")
        if self._stack.ifunit(name) is not None:
            raise NetError("EEXIST")
        ifp = cloner.create(name, int(digits))
        ifp.cloned = True
        return ifp

    def destroy(self, name: str) -> None:
        """Take *name* away: a clone, or a driver's interface. Raises ENXIO, EINVAL."""
        ifp = self._stack.ifunit(name)
        if ifp is None:
            raise NetError("ENXIO")
        if ifp.detach_driver is not None:
            ifp.detach_driver()
            return
        cloner = self.table.get(name.rstrip("0123456789"))
        if cloner is None or not ifp.cloned:
            raise NetError("EINVAL")
        cloner.destroy(ifp)
