"""The processes of a box, found in the host's /proc.

A process is of a box when its environment names the box and its world; or, in the default box of the
default world, where nothing need be set, when it runs one of our programs; or when a note in the
box's run directory names it (`box run` and the stack write one: an unprivileged process in another
user namespace cannot be looked into); or when its parent is one of these.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Final

from libnet.lab.world import stacks, started_at
from libnet.libsocket.box import DEFAULT_BOX, BoxPaths, world_dir

# Where the programs live on the original, for the name that pidin shows.
_HOMES: Final = {
    "sbin": "io-pkt-v4 io-pkt-v4-hc io-pkt-v6-hc ifconfig route mount umount",
    "usr/sbin": "arp brconfig dhcp.client dhcpcd dhcpd dhcrelay if_up ifwatchd inetd ndp pfctl slogger"
    " sysctl tcpdump traceroute wiconfig wlanctl",
    "usr/bin": "getconf hostname ksh nc netpy netstat nicinfo pci pidin ping setconf sloginfo sockstat"
    " waitfor",
}
HOMES: Final = {home: tuple(names.split()) for home, names in _HOMES.items()}
PROGRAMS: Final = {name: f"{home}/{name}" for home, names in HOMES.items() for name in names}
MAX_NOTES: Final = 64
MAX_ENVIRON: Final = 1 << 18


class Process:
    """One process of the host.

    pid, ppid  numbers          argv   its arguments
    name       "sbin/io-pkt-v4-hc", "bin/bash": the path's last two parts
    ours       the name of our program that it runs, "" for others
    """

    __slots__ = ("argv", "name", "ours", "pid", "ppid")

    def __init__(self, pid: int, ppid: int, argv: list[str]) -> None:
        self.pid, self.ppid, self.argv = pid, ppid, argv
        self.ours = our_program(argv)
        if self.ours:
            self.name = PROGRAMS.get(self.ours, f"usr/bin/{self.ours}")
            self.argv = [self.ours, *argv[argv_start(argv) :]]
        else:
            self.name = _short(pid, argv)


def argv_start(argv: list[str]) -> int:
    """Return where the program's own arguments begin in the command line of a script."""
    return 2 if len(argv) > 1 and _is_python(argv[0]) else 1


def _is_python(word: str) -> bool:
    return os.path.basename(word).startswith("python")


def our_program(argv: list[str]) -> str:
    """Return which of our programs a command line runs, or "".

    >>> our_program(["/venv/bin/python3", "/venv/bin/slogger", "-v"])
    'slogger'
    >>> our_program(["/bin/ping", "10.0.0.1"])
    ''
    """
    if len(argv) < 2 or not _is_python(argv[0]):
        return ""
    name = os.path.basename(argv[1])
    if argv[1].endswith((".py", "-c")) or "/" not in argv[1]:
        return ""
    return name if name in PROGRAMS else ""


def _short(pid: int, argv: list[str]) -> str:
    try:
        path = os.readlink(f"/proc/{pid}/exe")
    except OSError:
        path = argv[0] if argv else f"[{pid}]"
    return "/".join(path.lstrip("/").split("/")[-2:])


def _read(path: str, limit: int) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read(limit)
    except OSError:
        return None


def _words(octets: bytes) -> list[str]:
    return [word.decode("utf-8", "surrogateescape") for word in octets.split(b"\0") if word]


def _environ(pid: int) -> dict[str, str] | None:
    octets = _read(f"/proc/{pid}/environ", MAX_ENVIRON)
    if not octets:
        return None  # another user's, or out of reach, or a kernel thread
    return dict(word.partition("=")[::2] for word in _words(octets))


class Finder:
    """Looks for the processes of one box.

    environ  of the caller, which tells what the default world is
    """

    def __init__(self, paths: BoxPaths, environ: dict[str, str]) -> None:
        self._paths = paths
        plain = {k: v for k, v in environ.items() if k != "IOPKT_WORLD"}
        self._default = paths.name == DEFAULT_BOX and _same(world_dir(plain), paths.world)
        self._uid = os.getuid()

    def find(self) -> list[Process]:
        """Return the processes, by number."""
        table: dict[int, tuple[int, list[str]]] = {}
        for entry in os.listdir("/proc"):
            if entry.isdigit() and (row := _row(int(entry))) is not None:
                table[int(entry)] = row
        mine = {note.pid for note in stacks(self._paths)} | set(noted(self._paths))
        mine |= {pid for pid, (_ppid, argv) in table.items() if self._belongs(pid, argv)}
        mine &= table.keys()
        while True:  # children, and theirs; each round adds at least one
            more = {pid for pid, (ppid, _) in table.items() if ppid in mine and pid not in mine}
            if not more:
                break
            mine |= more
        return [Process(pid, *table[pid]) for pid in sorted(mine)]

    def _belongs(self, pid: int, argv: list[str]) -> bool:
        environ = _environ(pid)
        if environ is None:
            return False
        if "IOPKT_BOX" in environ or "IOPKT_WORLD" in environ:
            box = environ.get("IOPKT_BOX") or DEFAULT_BOX
            return box == self._paths.name and _same_world(pid, environ, self._paths.world)
        return self._default and our_program(argv) not in ("", "box")


def _row(pid: int) -> tuple[int, list[str]] | None:
    stat = _read(f"/proc/{pid}/stat", 1024)
    if stat is None:
        return None
    fields = stat.rpartition(b")")[2].split()
    if len(fields) < 2 or fields[0] in (b"Z", b"X"):
        return None
    return int(fields[1]), _words(_read(f"/proc/{pid}/cmdline", 1 << 16) or b"")


def _same(one: str, other: str) -> bool:
    try:
        return os.path.samefile(one, other)
    except OSError:
        return os.path.abspath(one) == os.path.abspath(other)


def _same_world(pid: int, environ: dict[str, str], world: str) -> bool:
    theirs = world_dir(environ)
    # Inside the namespace view the world may bear another name: ask through their root.
    return _same(f"/proc/{pid}/root{theirs}", world) or theirs == world


def ancestors(pid: int) -> set[int]:
    """Return *pid* and the processes it descends from."""
    found = {0}
    while pid not in found:
        found.add(pid)
        row = _row(pid)
        pid = row[0] if row is not None else 0
    return found


def note(paths: BoxPaths, pid: int) -> None:
    """Note that process *pid* is of the box. Raises OSError."""
    if len(os.listdir(paths.run)) > MAX_NOTES:
        noted(paths)  # forgets those that have ended
    fd = os.open(os.path.join(paths.run, f"p{pid}"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.close(fd)


def noted(paths: BoxPaths) -> Iterable[int]:
    """Return the noted processes that still run; forget the others."""
    try:
        names = os.listdir(paths.run)
    except OSError:
        return []
    found = []
    for name in names:
        if not (name[:1] == "p" and name[1:].isdigit()):
            continue
        path = os.path.join(paths.run, name)
        born = started_at(int(name[1:]))
        try:
            if born is not None and born <= os.stat(path).st_mtime + 2:
                found.append(int(name[1:]))
            else:
                os.unlink(path)
        except OSError:
            continue  # somebody else tidied it away
    return found
