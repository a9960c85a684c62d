"""Worlds on disk: boxes made, described, listed and removed; their roots; their hardware.

Everything is made when it is first wanted, and each file is written whole under another name first,
so that a power cut leaves the old or the new one. Layout: see libnet.libsocket.box.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Sequence
from typing import Any, Final

from libnet.conf.hardware import (
    BadHardware,
    Nic,
    build,
    default_nics,
    parse,
    parse_nic,
)
from libnet.errors import NetError
from libnet.lab.skeleton import MODULES
from libnet.libsocket.box import DEFAULT_BOX, BoxPaths

__all__ = ["MODULES", "BadHardware", "Claim", "Hardware", "Nic", "World", "WorldError"]

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}\Z")
_STAMP: Final = ".skeleton"
MAX_DESCRIPTION: Final = 1 << 20


class WorldError(Exception):
    """Something about a world that a person must be told; the text is a whole sentence part."""


def write_file(path: str, text: str, mode: int = 0o644) -> None:
    """Write *text* to *path* so that readers see the old file or the new one. Raises OSError."""
    temporary = f"{path}.{os.getpid()}~"
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    try:
        with open(fd, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
        os.replace(temporary, path)
    except OSError:
        os.unlink(temporary)
        raise


def ensure_box(paths: BoxPaths) -> None:
    """Make the box's directories and files where they are missing; cheap when all is there.

    Raises OSError (a full disk, a directory that may not be written).
    """
    from libnet.lab.skeleton import VERSION

    stamp = os.path.join(paths.home, _STAMP)
    if _read(stamp) == VERSION:
        return
    _make_root(paths)
    write_file(stamp, VERSION)


def _read(path: str) -> str:
    """Return the start of a small file, "" if there is none."""
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read(64)
    except FileNotFoundError:
        return ""


def _make_root(paths: BoxPaths) -> None:
    from libnet.lab.skeleton import DIRS, files

    for top in (paths.home, paths.run, paths.segments):
        os.makedirs(top, mode=0o700, exist_ok=True)
    os.makedirs(paths.root, mode=0o755, exist_ok=True)
    for name, mode in DIRS:
        path = os.path.join(paths.root, name)
        if not os.path.isdir(path):
            os.makedirs(path, exist_ok=True)
            os.chmod(path, mode)  # whatever the umask
    for name, text in files().items():
        path = os.path.join(paths.root, name)
        # A file that is there is the box's own, except the modules, which are ours.
        if name.startswith("lib/dll/") or not os.path.lexists(path):
            write_file(path, text)


class Claim:
    """A NIC held by a stack. It is let go when the process ends, however it ends."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def close(self) -> None:
        """Let the NIC go."""
        if self._fd >= 0:
            os.ftruncate(self._fd, 0)
            os.close(self._fd)
            self._fd = -1


class Hardware:
    """The NICs of a box on disk, and which of them are in use."""

    @staticmethod
    def load(paths: BoxPaths) -> list[Nic]:
        """Return the NICs of the box, `attached` filled in.

        A box never described has default_nics(). Raises WorldError for a description that cannot
        be read, with its path and the reason.
        """
        path = os.path.join(paths.home, "box.json")
        try:
            with open(path, encoding="utf-8", errors="surrogateescape") as file:
                text = file.read(MAX_DESCRIPTION)
        except FileNotFoundError:
            nics = default_nics(paths.name)
        except OSError as exc:
            raise WorldError(f"{path}: {exc.strerror}") from None
        else:
            try:
                nics = parse(text, paths.name)
            except BadHardware as exc:
                raise WorldError(f"{path}: {exc}") from None
        for nic in nics:
            nic.attached = _holder(paths, nic)
        return nics

    @staticmethod
    def holder(paths: BoxPaths, nic: Nic) -> str:
        """Return the interface that holds *nic*, "" when it is free."""
        return _holder(paths, nic)

    @staticmethod
    def claim(paths: BoxPaths, nic: Nic, ifname: str) -> Claim:
        """Take *nic* for the interface *ifname* of this process. Raises EBUSY, or OSError."""
        os.makedirs(paths.run, mode=0o700, exist_ok=True)
        fd = os.open(_claim_path(paths, nic), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            raise NetError("EBUSY") from None
        os.ftruncate(fd, 0)
        os.pwrite(fd, ifname.encode(), 0)
        nic.attached = ifname
        return Claim(fd)


def _claim_path(paths: BoxPaths, nic: Nic) -> str:
    return os.path.join(paths.run, f"nic{nic.index}")


def _holder(paths: BoxPaths, nic: Nic) -> str:
    """Return the interface that holds *nic*; a file whose lock is free tells nothing."""
    try:
        fd = os.open(_claim_path(paths, nic), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return os.pread(fd, 64, 0).decode("utf-8", "replace")
    finally:
        os.close(fd)
    return ""


class StackNote:
    """What a running stack tells about itself in WORLD/boxes/NAME/run/stack-*.json.

    pid  its process      prefix  "" or "/alt"      instance  of io-pkt -i
    variant "v4", "v4-hc", "v6-hc"                  argv      as it was started
    """

    __slots__ = ("argv", "instance", "path", "pid", "prefix", "variant")

    def __init__(self, path: str, raw: dict[str, Any]) -> None:
        self.path = path
        self.pid = _int(raw.get("pid"))
        self.prefix = _str(raw.get("prefix"))
        self.instance = _int(raw.get("instance"))
        self.variant = _str(raw.get("variant"))
        argv = raw.get("argv")
        self.argv = [_str(word) for word in argv] if isinstance(argv, list) else []


def _int(value: Any) -> int:
    return value if type(value) is int and value > 0 else 0


def _str(value: Any) -> str:
    return value if isinstance(value, str) else ""


def alive(pid: int) -> bool:
    """Tell whether process *pid* exists and has not ended."""
    return started_at(pid) is not None


def started_at(pid: int) -> float | None:
    """Return when process *pid* was started, in seconds since 1970 (good to a second), or None."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read(1024).rpartition(b")")[2].split()
        if fields[0] in (b"Z", b"X"):
            return None
        with open("/proc/stat", "rb") as file:
            boot = next(line for line in file if line.startswith(b"btime "))
        return int(boot.split()[1]) + int(fields[19]) / os.sysconf("SC_CLK_TCK")
    except (OSError, IndexError, StopIteration, ValueError):
        return None


def stacks(paths: BoxPaths) -> list[StackNote]:
    """Return the stacks of the box that are running, lowest instance first.

    Notes of stacks that were killed, and files that make no sense, are passed over.
    """
    import json

    found: list[StackNote] = []
    try:
        names = os.listdir(paths.run)
    except OSError:
        return found
    for name in sorted(names):
        if not (name.startswith("stack-") and name.endswith(".json")):
            continue
        path = os.path.join(paths.run, name)
        try:
            with open(path, encoding="utf-8", errors="surrogateescape") as file:
                written = os.fstat(file.fileno()).st_mtime
                raw = json.loads(file.read(1 << 16))
        except (OSError, ValueError, RecursionError):
            continue
        if isinstance(raw, dict):
            note = StackNote(path, raw)
            born = started_at(note.pid) if note.pid else None
            # A process younger than the note only has the dead stack's number.
            if born is not None and born <= written + 2:
                found.append(note)
    found.sort(key=lambda note: (note.instance, note.prefix))
    return found


class World:
    """The directory of a world."""

    def __init__(self, path: str) -> None:
        self.path = os.path.abspath(path)

    def box(self, name: str) -> BoxPaths:
        """Return the places of the box *name*. Raises WorldError for what cannot be a name."""
        if not _NAME.match(name):
            raise WorldError(
                f"{name}: not a name for a box: letters, digits, '-' and '_', up to 63"
            )
        return BoxPaths(self.path, name)

    def names(self) -> list[str]:
        """Return the names of the boxes, sorted; the default box is always one."""
        try:
            found = {n for n in os.listdir(os.path.join(self.path, "boxes")) if _NAME.match(n)}
        except FileNotFoundError:
            found = set()
        except OSError as exc:
            raise WorldError(f"{self.path}: {exc.strerror}") from None
        return sorted(found | {DEFAULT_BOX})

    def exists(self, name: str) -> bool:
        """Tell whether the box *name* has been made."""
        return os.path.isdir(self.box(name).home)

    def described(self, name: str) -> bool:
        """Tell whether somebody said what hardware the box has."""
        return os.path.lexists(os.path.join(self.box(name).home, "box.json"))

    def add_box(self, name: str, nics: Sequence[str] = ()) -> list[Nic]:
        """Make the box *name* with *nics*, each as parse_nic() reads it; return its hardware.

        Without *nics* it gets the default hardware. Raises WorldError, BadHardware, OSError.
        """
        paths = self.box(name)
        if self.described(name):
            raise WorldError(f"{name}: there is such a box already")
        made: list[Nic] = []
        for text in nics:
            made.append(parse_nic(text, name, made))
        self.describe(name, made or default_nics(name))
        return Hardware.load(paths)

    def describe(self, name: str, nics: Sequence[Nic]) -> None:
        """Write the hardware of the box *name*."""
        paths = self.box(name)
        macs: dict[bytes, int] = {}
        for nic in nics:
            if nic.mac in macs:
                raise BadHardware(
                    f"{nic.mac.hex(':')}: NICs {macs[nic.mac]} and {nic.index} have it"
                )
            macs[nic.mac] = nic.index
        ensure_box(paths)
        write_file(os.path.join(paths.home, "box.json"), build(nics))

    def remove_box(self, name: str) -> None:
        """Remove the box's files. The caller has seen to it that nothing runs in it."""
        import shutil

        paths = self.box(name)
        if not os.path.isdir(paths.home):
            raise WorldError(f"{name}: no such box")
        shutil.rmtree(paths.home)
