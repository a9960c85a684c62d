"""A stack in a box in memory: the machine around its manager, and the way in for descriptors."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from libnet.conf.hardware import Nic
from libnet.conf.iopkt import CommandLine
from libnet.engine.kern.log import Record
from libnet.engine.kern.socket import Cred
from libnet.iopkt.manager import Manager
from libnet.iopkt.syscall import Proc
from libnet.media.airport import AirPort
from libnet.media.port import Port

if TYPE_CHECKING:
    from libnet.lab.memory import Box

MODULE_MARK = "# iopkt module "


class MemoryMachine:
    """A box in memory, as libnet.iopkt.manager.Machine wants it."""

    def __init__(self, box: Box) -> None:
        self._box = box
        self.clock = box.world.clock
        self.dice = box.dice
        self.cpus = 1
        self.ports: list[Port | AirPort] = []

    def find_module(self, name: str) -> str | None:
        """Look a module up as the loader does: its path, or LD_LIBRARY_PATH and /lib/dll."""
        box = self._box
        paths = [name]
        if "/" not in name:
            places = [*box.environ.get("LD_LIBRARY_PATH", "").split(":"), "/lib/dll"]
            paths = [os.path.join(place, name) for place in dict.fromkeys(places) if place]
        for path in paths:
            try:
                head = box.read(path).partition("\n")[0]
            except (OSError, ValueError):
                continue
            if head.startswith(MODULE_MARK):
                return head[len(MODULE_MARK) :].strip()
            # Somebody's own file: it bears its module's name, and the manager says what it lacks.
            return os.path.basename(path).removesuffix(".so").removesuffix(".py")
        return None

    def free_nics(self, driver: str) -> Sequence[Nic]:
        """Return the NICs of the kind that *driver* serves and nobody holds."""
        return self._box.free_nics(driver)

    def claim(self, slot: Any, ifname: str) -> Callable[[], None]:
        """Take a NIC; return what lets it go."""
        slot.attached = ifname

        def release() -> None:
            slot.attached = ""

        return release

    def plug(self, slot: Any, ifname: str, wire: str) -> Port:
        """Plug a NIC into a segment of the world."""
        port = self._box.plug(slot, ifname, wire)
        self.ports.append(port)
        return port

    def antenna(self, slot: Any, ifname: str, wire: str) -> AirPort:
        """Put a radio's antenna into an air of the world."""
        port = self._box.antenna(slot, ifname, wire)
        self.ports.append(port)
        return port

    def make_node(self, path: str) -> None:
        """Let a name such as /dev/io-net/en0 appear in the box."""
        self._box.paths.add_node(path)

    def remove_node(self, path: str) -> None:
        """Take such a name away."""
        self._box.paths.remove_node(path)


class ManagedStack:
    """A Manager and the descriptors that reach it; implements libnet.lab.memory.BoxStack."""

    def __init__(
        self,
        box: Box,
        variant: str,
        line: CommandLine,
        argv: list[str],
        console: Callable[[str], None],
    ) -> None:
        self.machine = MemoryMachine(box)

        def sink(record: Record) -> None:
            box.slog.write(record.severity, record.major, record.minor, record.text)

        self.manager = Manager(
            self.machine,
            variant,
            line,
            argv=argv,
            pid=box.pid,
            hostname=box.name,
            console=console,
            sink=sink,
        )

    @property
    def stack(self) -> Any:
        """The engine's Stack."""
        return self.manager.stack

    def connect(self, *, root: bool, prog: str) -> Callable[[str, list[Any]], Any]:
        """Return what serves one new descriptor."""
        who = 0 if root else 1000
        cred = Cred(suser=root, uid=who, gid=who, comm=prog)
        return Proc(self.manager, cred).serve

    def shutdown(self) -> None:
        """End in order."""
        self.manager.shutdown()
        self.unplug()

    def unplug(self) -> None:
        """Take the NICs off their wires."""
        for port in self.machine.ports:
            port.close()
        self.machine.ports.clear()
