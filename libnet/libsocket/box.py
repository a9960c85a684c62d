"""Where a program is: its world, its box, the box's root, and the prefix of its stack.

IOPKT_WORLD  directory of the world         default: $XDG_STATE_HOME/iopkt or ~/.local/state/iopkt
IOPKT_BOX    name of the box                default: BoxA
IOPKT_VIEW   "ns" when /etc /var /dev /lib/dll /net /tmp already are the box's (mount namespace),
             "map" in a box where namespaces are not to be had
SOCK         prefix of the stack to talk to

WORLD/boxes/NAME/box.json   hardware            WORLD/boxes/NAME/root/   the box's own files
WORLD/boxes/NAME/slog       its system log      WORLD/boxes/NAME/run/    a file per process
WORLD/segments/NAME/        one Unix datagram socket per port
WORLD/airs/NAME/            likewise, of a radio space
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

DEFAULT_BOX: Final = "BoxA"
MAPPED: Final = ("etc", "var", "dev", "lib/dll", "net", "tmp")
_PRIVATE: Final = tuple(f"/{d}" for d in MAPPED)
# Devices of the machine itself: a box has no others, and they are the host's.
_DEVICES: Final = "null zero full random urandom tty ptmx pts shm fd stdin stdout stderr"
HOST_DEVICES: Final = frozenset(_DEVICES.split())


def world_dir(environ: Mapping[str, str]) -> str:
    """Return the directory of the world that *environ* names."""
    world = environ.get("IOPKT_WORLD")
    if world:
        return os.path.abspath(world)
    state = environ.get("XDG_STATE_HOME") or os.path.join(
        environ.get("HOME") or os.path.expanduser("~"), ".local/state"
    )
    return os.path.join(state, "iopkt")


class BoxPaths:
    """The places of one box on the host's disk.

    name   box name            world  the world's directory
    home   WORLD/boxes/NAME    root   WORLD/boxes/NAME/root
    """

    def __init__(self, world: str, name: str, *, view: str = "") -> None:
        self.world, self.name, self.view = world, name, view
        self.home = os.path.join(world, "boxes", name)
        self.root = os.path.join(self.home, "root")
        self.slog = os.path.join(self.home, "slog")
        self.run = os.path.join(self.home, "run")
        self.segments = os.path.join(world, "segments")
        self.airs = os.path.join(world, "airs")

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> BoxPaths:
        """Return the box that *environ* names."""
        return cls(
            world_dir(environ),
            environ.get("IOPKT_BOX") or DEFAULT_BOX,
            view=environ.get("IOPKT_VIEW", ""),
        )

    def file(self, path: str) -> str:
        """Return where the box's *path* lies on the host.

        Paths outside the box's six directories, relative ones, and all paths inside the box's own
        mount namespace are what they say.

        >>> BoxPaths("/w", "BoxA").file("/etc/hosts")
        '/w/boxes/BoxA/root/etc/hosts'
        """
        if self.view == "ns" or not path.startswith("/"):
            return path
        clean = os.path.normpath(path)
        if clean.startswith("/dev/") and clean.split("/")[2] in HOST_DEVICES:
            return path
        for top in _PRIVATE:
            if clean == top or clean.startswith(top + "/"):
                return self.root + clean
        return path

    def socket(self, prefix: str = "") -> str:
        """Return the host path of the stack registered at *prefix*/dev/socket."""
        prefix = prefix.rstrip("/")
        if not prefix:
            return self.file("/dev/socket")
        # A prefix such as /alt is a place in the box's name space, not on the host.
        return os.path.join(self.root, os.path.normpath(prefix).lstrip("/"), "dev/socket")
