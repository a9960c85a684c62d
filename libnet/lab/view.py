"""The view a process has inside a box: the box's root is /, the host's programs lie where they lie.

The box's own root directory becomes the root of a mount namespace. The host's top directories (/usr,
/home, /proc, …) are bound into it; its /etc and /dev stay reachable under /.host, where links in the
box's /etc and /dev point for the few files that a Linux program cannot do without. /lib is a
directory of links to the host's libraries, so that /lib/dll can be the box's although the host has
none. Nothing of the host is changed, no daemon is needed, and what a program makes in /dev appears
in the box's directory at once, for tools inside and outside.

The system calls are made here, in this process, which then becomes the command: it keeps its number,
so signals and exit status are the command's own. Where that is forbidden to us but bubblewrap is
privileged (an AppArmor profile, a set-user-ID program), bwrap does the same from the same plan.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from libnet.libsocket.box import BoxPaths

OWN: Final = ("etc", "var", "dev", "lib", "net", "tmp")  # top directories that are the box's
SKIPPED: Final = ("lost+found", ".host")
PROGRAM_DIRS: Final = ("bin", "sbin")  # links to /usr's on the host, directories of links in a box
HOST: Final = ".host"

# Of the host's /dev and /etc: what programs of the host need to find in the box's.
_DEV: Final = "null zero full random urandom tty ptmx pts shm mqueue console core net kvm fuse log"
DEV_LINKS: Final = tuple(_DEV.split())
DEV_FDS: Final = {
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
}
_ETC: Final = """
alternatives bash.bashrc ca-certificates debian_version environment gai.conf group gshadow inputrc
ld.so.cache ld.so.conf ld.so.conf.d locale.alias locale.conf localtime login.defs machine-id magic
magic.mime mime.types nanorc os-release pam.conf pam.d passwd profile profile.d python3 python3.11
python3.12 python3.13 python3.14 screenrc security shadow shells ssl subgid subuid terminfo timezone
vim vimrc wgetrc zsh
"""
ETC_LINKS: Final = tuple(_ETC.split())

CLONE_NEWNS: Final = 0x00020000
CLONE_NEWUSER: Final = 0x10000000
MS_RDONLY: Final = 1
MS_REMOUNT: Final = 32
MS_BIND: Final = 4096
MS_REC: Final = 16384
MS_SLAVE: Final = 1 << 19
MNT_DETACH: Final = 2
_PIVOT_ROOT: Final = {
    "x86_64": 155,
    "aarch64": 41,
    "riscv64": 41,
    "loongarch64": 41,
    "armv7l": 218,
    "armv6l": 218,
    "i686": 217,
    "s390x": 217,
    "ppc64le": 203,
}


class Bind(NamedTuple):
    """A directory of the host shown at a place in the box."""

    source: str
    place: str  # in the box, absolute
    read_only: bool = False


def hidden(path: str) -> bool:
    """Tell whether the box's own directories cover the host's *path*."""
    parts = os.path.abspath(path).split("/")
    return parts[1] in OWN


def _link(target: str, path: str) -> None:
    """Make *path* a link to *target*; whatever else a box has put there stays."""
    if os.path.lexists(path):
        if not os.path.islink(path) or os.readlink(path) == target:
            return
        os.unlink(path)
    os.symlink(target, path)


def _mkdir(path: str) -> None:
    if not os.path.isdir(path):
        os.makedirs(path, exist_ok=True)


def _links(paths: BoxPaths) -> None:
    """Bring the links of /dev, /etc and /lib in step with the host."""
    for name in DEV_LINKS:
        if os.path.lexists(f"/dev/{name}"):
            _link(f"/{HOST}/dev/{name}", f"{paths.root}/dev/{name}")
    for name, target in DEV_FDS.items():
        _link(target, f"{paths.root}/dev/{name}")
    for name in ETC_LINKS:
        if os.path.lexists(f"/etc/{name}"):
            _link(f"/{HOST}/etc/{name}", f"{paths.root}/etc/{name}")
    _link("/proc/self/mounts", f"{paths.root}/etc/mtab")
    # A view inside a view finds links already: where they lead is what matters.
    source = f"/{HOST}/lib" if _lib_is_own() else "/usr/lib"
    have = os.listdir("/usr/lib" if source == "/usr/lib" else "/lib")
    wanted = {name for name in have if name != "dll"}
    lib = f"{paths.root}/lib"
    present = {name for name in os.listdir(lib) if name != "dll"}
    for name in present - wanted:
        if os.path.islink(f"{lib}/{name}"):
            os.unlink(f"{lib}/{name}")
    for name in wanted:
        _link(f"{source}/{name}", f"{lib}/{name}")


def own_programs() -> dict[str, str]:
    """Return the paths of our programs by their names."""
    directory = programs_dir()
    paths = {name: f"{directory}/{name}" for name in os.listdir(directory)}
    return {name: path for name, path in paths.items() if is_ours(path)}


def _program_links(place: str, source: str, own: Mapping[str, str]) -> None:
    """Make the directory *place* of links to the programs *own*, and to the host's in *source*.

    A start-up script sets PATH as on the original, and means our ifconfig by /sbin/ifconfig. The
    boxes of a world share the directory, and may be making it at the same time.
    """
    _mkdir(place)
    present = set(os.listdir(place))
    hosts = set(os.listdir(source)) - own.keys() if source else set()
    links = {name: f"{source}/{name}" for name in hosts - present}
    # The host's are where they were; ours may have been installed elsewhere.
    for name, target in {**links, **own}.items():
        with contextlib.suppress(FileExistsError):
            _link(target, f"{place}/{name}")
    for name in present - hosts - own.keys():
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{place}/{name}")


def _lib_is_own() -> bool:
    """Tell whether the host's /lib is not /usr/lib by another name."""
    return not os.path.islink("/lib") and not os.path.isdir(f"/{HOST}/etc")


def plan(paths: BoxPaths, keep: Sequence[str]) -> list[Bind]:
    """Prepare the box's root and return what is to be bound into it, outermost first.

    keep  directories of the host that must stay visible at their own paths: the world, the
          programs' environment, the working directory
    """
    from libnet.lab.ksh import write_rc

    _links(paths)
    own = own_programs()
    _program_links(f"{paths.world}/programs/own", "", own)
    write_rc(paths.world)
    binds: list[Bind] = []
    for name in sorted(os.listdir("/")):
        if name in OWN or name in SKIPPED:
            continue
        place = f"{paths.root}/{name}"
        if name in PROGRAM_DIRS and os.path.islink(f"/{name}"):
            shared = f"{paths.world}/programs/{name}"
            _program_links(shared, f"/usr/{name}", own)
            if os.path.islink(place):
                os.unlink(place)
            _mkdir(place)
            binds.append(Bind(shared, f"/{name}"))
        elif os.path.islink(f"/{name}"):
            _link(os.readlink(f"/{name}"), place)
        elif os.path.isdir(f"/{name}"):
            _mkdir(place)
            binds.append(Bind(f"/{name}", f"/{name}"))
    nested = os.path.isdir(f"/{HOST}/etc")  # we are in a view: pass the real ones on
    for name in ("etc", "dev"):
        source = f"/{HOST}/{name}" if nested else f"/{name}"
        _mkdir(f"{paths.root}/{HOST}/{name}")
        binds.append(Bind(source, f"/{HOST}/{name}", read_only=name == "etc"))
    if _lib_is_own():
        _mkdir(f"{paths.root}/{HOST}/lib")
        binds.append(Bind("/lib", f"/{HOST}/lib"))
    done: list[str] = []
    for path in sorted({os.path.abspath(path) for path in keep}):
        if not hidden(path) or not os.path.exists(path):
            continue
        if path.count("/") < 2 and path != paths.world:
            continue  # the caller stands in /tmp: the box's own is meant
        if any(path == top or path.startswith(top + "/") for top in done):
            continue
        if path == paths.root or path.startswith(paths.root + "/"):
            continue
        if os.path.isdir(path):
            _mkdir(paths.root + path)
        else:
            _mkdir(os.path.dirname(paths.root + path))
            os.close(os.open(paths.root + path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644))
        binds.append(Bind(path, path))
        done.append(path)
    return binds


class _Libc:
    """The four system calls that Python does not have."""

    def __init__(self) -> None:
        import ctypes

        self._ctypes = ctypes
        self._libc: Any = ctypes.CDLL(None, use_errno=True)

    def _check(self, result: int, what: str) -> None:
        if result != 0:
            number = self._ctypes.get_errno()
            raise OSError(number, os.strerror(number), what)

    def unshare(self, flags: int) -> None:
        self._check(self._libc.unshare(flags), "unshare")

    def mount(self, source: str, target: str, flags: int) -> None:
        result = self._libc.mount(
            os.fsencode(source), os.fsencode(target), None, self._ctypes.c_ulong(flags), None
        )
        self._check(result, target)

    def overlay(self, lower: str, target: str) -> None:
        """Show the directories *lower*, the first one's files first, at *target*."""
        options = f"lowerdir={lower}".encode("utf-8", "surrogateescape")
        kind = b"overlay"
        result = self._libc.mount(kind, os.fsencode(target), kind, self._ctypes.c_ulong(0), options)
        self._check(result, target)

    def pivot(self, root: str) -> None:
        os.chdir(root)
        number = _PIVOT_ROOT.get(os.uname().machine)
        # "." twice: the old root lies on top of the new one, and is taken off.
        if number is not None and self._libc.syscall(number, b".", b".") == 0:
            self._check(self._libc.umount2(b".", MNT_DETACH), "/")
        else:
            os.chroot(".")  # the host runs from an initial ramdisk
        os.chdir("/")


def _map_ids(uid: int, gid: int) -> None:
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{uid} {uid} 1"),
        ("gid_map", f"{gid} {gid} 1"),
    ):
        fd = os.open(f"/proc/self/{name}", os.O_WRONLY)
        try:
            os.write(fd, text.encode())
        finally:
            os.close(fd)


def enter(paths: BoxPaths, binds: Sequence[Bind]) -> None:
    """Put this process into the view. Raises OSError; the process must then not go on.

    A failure of the first call leaves the process as it was: PermissionError or ENOSYS from
    unshare() means that the host does not allow it.
    """
    libc = _Libc()
    uid, gid = os.geteuid(), os.getegid()
    privileged = True
    try:
        libc.unshare(CLONE_NEWNS)
    except PermissionError:
        libc.unshare(CLONE_NEWUSER | CLONE_NEWNS)
        privileged = False
        _map_ids(uid, gid)
    libc.mount("none", "/", MS_REC | MS_SLAVE)  # what the host mounts later shows, not the reverse
    libc.mount(paths.root, paths.root, MS_BIND | MS_REC)
    for bind in binds:
        libc.mount(bind.source, paths.root + bind.place, MS_BIND | MS_REC)
        if bind.read_only and privileged:
            # Without privilege the host's files are safe from us anyway.
            libc.mount("none", paths.root + bind.place, MS_REMOUNT | MS_BIND | MS_RDONLY)
    _own_first(libc, paths)
    libc.pivot(paths.root)


def _own_first(libc: _Libc, paths: BoxPaths) -> None:
    """Let /usr/bin and /usr/sbin show our programs before the host's, where the kernel can do that.

    Elsewhere a script that names a program by its path in /usr gets the host's.
    """
    own = f"{paths.world}/programs/own"
    if not os.path.isdir(own) or set(own) & set(":,\\"):
        return
    for place in dict.fromkeys(os.path.realpath(f"/usr/{name}") for name in PROGRAM_DIRS):
        if place.startswith("/usr/") and place != programs_dir():
            with contextlib.suppress(OSError):
                libc.overlay(f"{own}:{place}", paths.root + place)


def possible() -> bool:
    """Tell whether enter() would be allowed, by trying in a child that ends at once.

    Some hosts let unshare() pass and forbid only what comes after it; then it is too late to turn
    back, hence the child.
    """
    libc = _Libc()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            uid, gid = os.geteuid(), os.getegid()
            try:
                libc.unshare(CLONE_NEWNS)
            except PermissionError:
                libc.unshare(CLONE_NEWUSER | CLONE_NEWNS)
                _map_ids(uid, gid)
            libc.mount("none", "/", MS_REC | MS_SLAVE)
            libc.mount("/", "/", MS_BIND | MS_REC)
            status = 0
        except OSError:
            status = 1
        finally:
            os._exit(status)
    return os.waitpid(pid, 0)[1] == 0


def bwrap_argv(paths: BoxPaths, binds: Sequence[Bind], cwd: str) -> list[str]:
    """Return the start of a bwrap command line that shows the same view."""
    argv = ["bwrap", "--bind", paths.root, "/"]
    for bind in binds:
        argv += ["--ro-bind" if bind.read_only else "--dev-bind", bind.source, bind.place]
    return [*argv, "--chdir", cwd, "--"]


def find_bwrap() -> str | None:
    """Return the path of a bwrap that works here, or None."""
    import subprocess

    path = shutil.which("bwrap")
    if path is None:
        return None
    tried = subprocess.run(
        [path, "--dev-bind", "/", "/", "true"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    return path if tried.returncode == 0 else None


def supervise(
    bwrap: str, argv: Sequence[str], command: Sequence[str], environ: Mapping[str, str]
) -> int:
    """Run *command* under bwrap; pass signals sent to us on to it; return its exit status.

    bwrap stays between us and the command and passes nothing on, but tells the command's number.
    """
    import json
    import signal

    passed = {
        signal.SIGTERM,
        signal.SIGHUP,
        signal.SIGINT,
        signal.SIGQUIT,
        signal.SIGUSR1,
        signal.SIGUSR2,
    }
    old = signal.pthread_sigmask(signal.SIG_BLOCK, passed | {signal.SIGCHLD})
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.set_inheritable(write, True)
        signal.pthread_sigmask(signal.SIG_SETMASK, old)
        try:
            os.execve(bwrap, [argv[0], "--info-fd", str(write), *argv[1:], *command], dict(environ))
        finally:
            os._exit(126)
    os.close(write)
    with open(read, "rb") as pipe:
        told = pipe.read()  # ends when bwrap has started the command, or failed
    try:
        target = int(json.loads(told)["child-pid"])
    except (ValueError, KeyError, TypeError):
        target = child
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status) % 256
        info = signal.sigwaitinfo(passed | {signal.SIGCHLD})
        # What the terminal sends goes to the command by itself.
        if info.si_signo != signal.SIGCHLD and info.si_code <= 0:
            os.kill(target, info.si_signo)


def programs_dir() -> str:
    """Return the directory of the installed programs: that of the one that runs."""
    script = sys.argv[0]
    if os.path.basename(script) and not script.endswith(".py") and os.path.isfile(script):
        # In a box it may be called by one of the links that _program_links() makes.
        return os.path.dirname(os.path.realpath(script))
    return os.path.join(sys.prefix, "bin")


def is_ours(path: str) -> bool:
    """Tell whether the file at *path* is a start script of this package."""
    try:
        with open(path, "rb") as file:
            head = file.read(512)
    except OSError:
        return False
    return head.startswith(b"#!") and b"from cmds." in head


def host_program(name: str, path: str) -> str | None:
    """Return the first program *name* on *path* that is not one of ours, or None."""
    for directory in path.split(":"):
        candidate = os.path.join(directory or ".", name)
        if os.path.isfile(candidate) and os.access(candidate, os.X_OK) and not is_ours(candidate):
            return candidate
    return None


def kept_paths(paths: BoxPaths, cwd: str, command: Sequence[str] = ()) -> list[str]:
    """Return the host's directories and files that must not disappear behind the box's own.

    A word of *command* that names something the host has and the box has not is the host's: a
    script given by its path runs, wherever it lies.
    """
    import libnet

    package = os.path.dirname(os.path.dirname(os.path.abspath(libnet.__file__)))
    kept = [paths.world, sys.prefix, sys.base_prefix, programs_dir(), package, cwd]
    for word in command:
        if not word.startswith("/") or not hidden(word) or not os.path.exists(word):
            continue
        path = os.path.abspath(word)
        own = paths.root + path
        # What an earlier run was given is left as an empty place to mount on.
        if os.path.lexists(own) and not (os.path.isfile(own) and not os.path.getsize(own)):
            continue
        above = os.path.dirname(path)
        if os.path.isdir(path):
            kept.append(path)
        elif above.count("/") >= 2 and not above.startswith(("/etc", "/dev")):
            kept.append(above)
        elif os.path.isfile(path):
            kept.append(path)
    return kept


def environment(paths: BoxPaths, environ: Mapping[str, str], *, view: bool) -> dict[str, str]:
    """Return the environment of a program in the box."""
    env = {k: v for k, v in environ.items() if k not in ("SOCK", "IOPKT_VIEW")}
    env["IOPKT_WORLD"], env["IOPKT_BOX"] = paths.world, paths.name
    first = programs_dir()
    rest = env.get("PATH") or "/usr/local/bin:/usr/bin:/bin"
    rest = ":".join(part for part in rest.split(":") if part != first)
    env["PATH"] = f"{first}:{rest}:/usr/sbin:/sbin" if "sbin" not in rest else f"{first}:{rest}"
    env["LD_LIBRARY_PATH"] = "/lib/dll"
    env["IOPKT_VIEW"] = "ns" if view else "map"
    return env
