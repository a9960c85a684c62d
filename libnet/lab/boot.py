"""Booting a box from an OS image buildfile: its files laid out, its script run as procnto runs it.

The process manager of the original takes one command after the other and waits for each, unless `&`
ends it; a command that fails is no reason to stop. It knows waitfor, display_msg, procmgr_symlink and
reopen itself. Programs of the original that have no business in a box (drivers of disks and serial
ports, file systems, …) are taken to have been started, with a line in the system log, and the devices
they would make are taken to be there.

What the original's process manager does not know but a shell does (||, pipes, redirections) is given
to a shell.

BootHost is who runs programs: real processes (libnet.lab.bootproc) or a box in memory.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Final, Protocol

from libnet.conf.buildfile import (
    HOST,
    INLINE,
    BadBuildfile,
    Entry,
    Image,
    Line,
    is_name,
    parse_script,
)
from libnet.errors import from_host
from libnet.lab.shell import BadSyntax, expand, expand_one, parse

MAX_FILE: Final = 1 << 22
SHADOW: Final = "/var/boot"  # where files lie whose place the host's directories cover
SLOGC_PROC: Final = 0  # major code of the process manager in the system log
ERROR, INFO = 2, 5
NOT_FOUND: Final = 127

# What is accepted without being done, and what it would make in /dev (shell patterns).
IGNORED: Final[dict[str, tuple[str, ...]]] = {
    "devc-ser*": ("ser*",),
    "devc-con*": ("con*", "kbd*"),
    "devc-pty": ("pty*", "tty*"),
    "devc-usb*": ("ser*", "serusb*"),
    "dev[a-z]-*": ("*",),
    "dev[a-z][a-z]-*": ("*",),
    "fs-*": (),
    "pci-*": ("pci",),
    "io-usb*": ("usb", "io-usb*"),
    "io-hid": ("io-hid*",),
    "io-audio*": ("snd*", "pcm*", "mixer*"),
    "io-char": ("ser*",),
    "io-blk*": (),
    "io-display": ("io-display*",),
    "io-winmgr": (),
    "pipe": ("pipe",),
    "mqueue": ("mqueue*", "mq*"),
    "mq": ("mq*",),
    "random": ("random", "urandom"),
    "dumper": ("dumper*",),
    "sshd": (),
    "qconn": (),
    "pdebug": (),
    "tinit": (),
    "getty": (),
    "login": (),
    "cron": (),
    "screen": ("screen*",),
    "umass-enum*": (),
    "enum-*": (),
    "usblauncher*": (),
    "diskboot": ("hd*",),
    "seedres": (),
    "rtc": (),
    "rsrcdb*": (),
    "i2c-*": ("i2c*",),
    "spi-*": ("spi*",),
    "spi_*": ("spi*",),
    "can-*": ("can*",),
    "dev-can*": ("can*",),
    "canctl": (),
    "syslogd": ("log",),
    "syslink": (),
    "spooler": (),
    "lpr*": (),
    "phindows": (),
    "ph": (),
    "Photon": (),
    "photon": (),
    "io-graphics": (),
    "devi-*": (),
    "ntpd": (),
    "ntpdate": (),
    "ptpd*": (),
    "telnetd": (),
    "ftpd": (),
    "tftpd": (),
    "bootpd": (),
    "portmap": (),
    "rpcbind": (),
    "nfsd": (),
    "mountd": (),
    "snmpd": (),
    "named": (),
    "gns": (),
    "pps": ("pps*",),
    "qdb": ("qdb*",),
    "qaudit": (),
    "aps": (),
    "chkfsys": (),
    "chkdosfs": (),
    "chkqnx6fs": (),
    "dinit": (),
    "fdisk": (),
    "flashctl": (),
    "etfsctl": (),
    "dloader": (),
    "wdtkick": (),
    "watchdog": (),
    "kbd*": (),
    "loadkeymap": (),
    "tracelogger": (),
    "tracectrl": (),
    "coreservices*": (),
    "resource_seed": (),
    "elfldr": (),
    "inflator": (),
    "slm": (),
    "secpol*": (),
    "pathtrust": (),
    "fsevmgr": (),
    "ldd": (),
    "startup-*": (),
    "vbs*": (),
    "shutdown": (),
    "reboot": (),
}
# Old and new names of what a box has.
ALIASES: Final = {"slogger2": "slogger", "slog2info": "sloginfo"}
SHELLS: Final = ("sh", "ksh", "esh", "fesh", "uesh", "pdksh", "bash")
HOST_PATH: Final = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"
SYSTEM: Final = (
    "/proc/boot",
    "/bin",
    "/sbin",
    "/usr/bin",
    "/usr/sbin",
    "/usr/local/bin",
    "/usr/local/sbin",
    "/opt/bin",
    "/opt/sbin",
)
# Programs of the host that do nothing but work on files and texts: a script may use them.
_UTILITIES: Final = """
    [ awk basename cat chmod chown cksum cmp cp cut date dd diff dirname du echo ed egrep env expr
    false fgrep find fold getopt grep gzip gunzip head hexdump id join ln logger ls md5sum mkdir mkfifo
    mktemp mv nl nohup od paste printenv printf ps pwd python3 rm rmdir sed seq sha256sum sleep sort
    split stat strings stty tail tar tee test timeout touch tr true tty uname uniq uptime wc which
    whoami xargs zcat
"""
UTILITIES: Final = frozenset(_UTILITIES.split())
_ON_VALUED: Final = "CLRXTfnprtu"  # options of on(1) with a value


def ignored(name: str) -> tuple[str, ...] | None:
    """Return the devices of a program that a box need not have, None for any other.

    >>> ignored("pipe"), ignored("devc-ser8250"), ignored("ifconfig")
    (('pipe',), ('ser*',), None)
    """
    for pattern, devices in IGNORED.items():
        if fnmatchcase(name, pattern):
            return devices
    return None


class BootHost(Protocol):
    """Who runs the programs of a box that boots."""

    def find(self, argv: Sequence[str], path: str) -> list[str] | None:
        """Return what to run for the command *argv*, None if there is no such program.

        path  the PATH of the script
        """

    def program(self, argv: Sequence[str], environ: dict[str, str], *, background: bool) -> int:
        """Run what find() found; return its status, 0 at once for one in the background."""

    def shell(self, text: str, environ: dict[str, str], *, background: bool) -> int:
        """Run a line of shell; return its status."""

    def session(self, argv: Sequence[str], environ: dict[str, str]) -> bool:
        """Let *argv* have the terminal when the script is over; False where there is none."""

    def visible(self, path: str) -> bool:
        """Tell whether the box can have a file of its own at *path*."""

    def file(self, path: str) -> str:
        """Return where a file of the box lies on this machine."""

    def say(self, text: str) -> None:
        """Print on the console."""

    def log(self, severity: int, text: str) -> None:
        """Write to the box's system log."""

    def reopen(self, path: str) -> None:
        """Send the output of what follows to *path*; "" is the console. Raises OSError."""


class Boot:
    """One start of a box.

    failures  commands that failed, by line: "12: ifconfig: status 1"
    source    returns the text of a file of the machine that the buildfile was written on, None if it
              is not here
    """

    def __init__(self, image: Image, host: BootHost, source: Sources, *, verbose: bool) -> None:
        self.image, self.host = image, host
        self.failures: list[str] = []
        self._source = source
        self._verbose = verbose
        self._environ = image.variables()
        self._places: dict[str, str] = {}  # files of the image that lie elsewhere
        self._assumed: list[str] = []  # patterns of devices taken to be there

    # Files.

    def lay_out(self) -> None:
        """Put the files of the image into the box, and note what it has no use for."""
        unused: list[str] = []
        for entry in self.image.entries:
            if entry.script or entry.boot:
                continue
            try:
                if not self._lay(entry):
                    unused.append(entry.path)
            except (OSError, ValueError) as exc:
                why = from_host(exc).strerror if isinstance(exc, OSError) else "Invalid argument"
                self._complain(entry.line, f"{entry.place}: {why}")
        for start in range(0, len(unused), 8):
            names = " ".join(unused[start : start + 8])
            self.host.log(INFO, f"boot: of the image, without use in a box: {names}")

    def _lay(self, entry: Entry) -> bool:
        """Lay one entry out; return whether the box has it."""
        kind = entry.type
        if kind == "link":
            os_link(self.host, entry.text, self._where(entry.place))
            return True
        if kind == "dir":
            os.makedirs(self.host.file(self._where(entry.place)), exist_ok=True)
            return True
        if kind != "file":
            return False
        if entry.kind == INLINE:
            self._write(entry, entry.text)
            return True
        name = (entry.text if entry.kind == HOST else entry.path).rpartition("/")[2]
        if self.host.find([name], "") or self._module(name):
            return True
        text = self._source(entry.text if entry.kind == HOST else entry.path, entry.attrs)
        if text is None:
            return False
        self._write(entry, text)
        return True

    def _module(self, name: str) -> bool:
        return os.path.isfile(self.host.file(f"/lib/dll/{name}"))

    def _where(self, place: str) -> str:
        if self.host.visible(place):
            return place
        self._places[place] = SHADOW + place
        return SHADOW + place

    def _write(self, entry: Entry, text: str) -> None:
        path = self.host.file(self._where(entry.place))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if os.path.islink(path):
            os.unlink(path)
        with open(path, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
        perms = entry.attrs.get("perms", "0755")
        os.chmod(path, int(perms, 8) & 0o777 if re.fullmatch("[0-7]{1,4}", perms) else 0o755)

    # The script.

    def run(self) -> None:
        """Run the scripts of the image. Raises BadBuildfile when it has none."""
        scripts = self.image.scripts
        if not scripts:
            raise BadBuildfile(f"{self.image.name}: no script: no file has the attribute +script")
        for entry in scripts:
            text, line = entry.text, entry.text_line
            if entry.kind != INLINE:
                found = self._source(entry.text or entry.path, entry.attrs)
                if found is None:
                    missing = entry.text or entry.path
                    raise BadBuildfile(f"{self.image.name}:{entry.line}: {missing}: not found")
                text, line = found, 1
            for command in parse_script(text, self.image.name, line):
                self.command(command)

    def command(self, line: Line) -> None:
        """Run one line of a script; nothing that it does ends the boot."""
        if self._verbose:
            self.host.say(f"# {line.text}\n")
        try:
            items = parse(line.text)
        except BadSyntax:
            items = []
        simple = len(items) == 1 and len(items[0].steps) == 1 and len(items[0].steps[0].pipe) == 1
        if not simple or items[0].steps[0].pipe[0].redirects:
            background = line.text.endswith("&") and not line.text.endswith("&&")
            status = self.host.shell(self._shell_text(line.text), self._env(), background=False)
            if status and not background:
                self._failed(line, line.text.split()[0], status)
            return
        command = items[0].steps[0].pipe[0]
        argv = [field for word in command.words for field in expand(word, self._environ)]
        assigns = {name: expand_one(word, self._environ) for name, word in command.assigns}
        if not argv:
            self._environ.update(assigns)
            return
        own = self._environ
        self._environ = own | assigns
        try:
            self._simple(line, argv, background=items[0].background)
        except OSError as exc:
            # No memory, no process, or no file: the next command may have better luck.
            self._complain(line.line, f"{argv[0]}: {from_host(exc).strerror}")
        except ValueError:
            self._complain(line.line, f"{argv[0]}: Invalid argument")  # a NUL in a word
        finally:
            self._environ = own

    def _env(self) -> dict[str, str]:
        return dict(self._environ)

    def _shell_text(self, text: str) -> str:
        """Return a line for the shell, with the image's files where they are."""
        for place in sorted(self._places, key=len, reverse=True):
            text = re.sub(rf"(?<![\w/.-]){re.escape(place)}(?![\w.-])", self._places[place], text)
        return text

    def _simple(self, line: Line, argv: list[str], *, background: bool) -> None:
        name = argv[0].rpartition("/")[2]
        if name == "on":
            argv = without_on(argv)
        elif name == "nice":
            argv = argv[3:] if argv[1:2] == ["-n"] else argv[1:]
        while argv and "=" in argv[0] and is_name(argv[0].partition("=")[0]):
            key, _, value = argv.pop(0).partition("=")
            self._environ[key] = value
        if not argv:
            return
        name = argv[0].rpartition("/")[2]
        builtin = _BUILTINS.get(name)
        if builtin is not None and "/" not in argv[0]:
            builtin(self, line, argv)
            return
        argv = [self._places.get(word, word) for word in argv]
        argv[1:] = [self._driver(word) for word in argv[1:]]
        argv[0] = self._aliased(argv[0])
        found = self.host.find(argv, self._environ.get("PATH", ""))
        if found is None:
            self._absent(line, argv[0])
            return
        if line.attrs.get("session") == "+":
            if not self.host.session(found, self._env()):
                self.host.log(INFO, f"boot: {name}: no terminal for a session")
            return
        status = self.host.program(found, self._env(), background=background)
        if status:
            self._failed(line, name, status)

    def _aliased(self, word: str) -> str:
        head, slash, name = word.rpartition("/")
        return head + slash + ALIASES.get(name, name)

    def _driver(self, word: str) -> str:
        """Return a module of the image's own directory as the one that the box has."""
        name = word.removeprefix("/proc/boot/")
        if name == word or "/" in name or not self._module(name):
            return word
        return f"/lib/dll/{name}"

    def _absent(self, line: Line, word: str) -> None:
        name = word.rpartition("/")[2]
        devices = ignored(name)
        if devices is None:
            self.host.say(f'Unable to start "{word}" (2)\n')
            self._failed(line, name, NOT_FOUND)
            return
        self._assumed += devices
        self.host.log(INFO, f"boot: {name}: not implemented in a box, ignored")

    def _failed(self, line: Line, name: str, status: int) -> None:
        self.failures.append(f"{line.line}: {name}: status {status}")
        self.host.log(ERROR, f"boot: {self.image.name}:{line.line}: {name}: exit status {status}")

    def _complain(self, line: int, what: str) -> None:
        self.failures.append(f"{line}: {what}")
        self.host.say(f"{self.image.name}:{line}: {what}\n")
        self.host.log(ERROR, f"boot: {self.image.name}:{line}: {what}")

    # What the process manager does itself.

    def _waitfor(self, line: Line, argv: list[str]) -> None:
        if len(argv) > 1 and self._taken_for_granted(argv[1]):
            return
        # The process manager's own knows no poll time.
        found = self.host.find(["waitfor", *argv[1:3]], "")
        if found is None:
            self._complain(line.line, "waitfor: no such program")
            return
        status = self.host.program(found, self._env(), background=False)
        if status:
            self._failed(line, "waitfor", status)

    def _taken_for_granted(self, path: str) -> bool:
        """Tell whether *path* is a device of a program that was ignored."""
        top, _, device = path.strip("/").partition("/")
        first = device.partition("/")[0]
        return top == "dev" and any(fnmatchcase(first, pattern) for pattern in self._assumed)

    def _display_msg(self, _line: Line, argv: list[str]) -> None:
        self.host.say(" ".join(argv[1:]) + "\n")

    def _procmgr_symlink(self, line: Line, argv: list[str]) -> None:
        if len(argv) != 3:
            self._complain(line.line, "usage: procmgr_symlink target link")
            return
        # The process manager's directory is the root.
        os_link(self.host, argv[1], self._where(rooted(argv[2])))

    def _reopen(self, line: Line, argv: list[str]) -> None:
        path = argv[1] if len(argv) > 1 else ""
        if path.startswith("/dev/") and not os.path.isfile(self.host.file(path)):
            path = ""  # a serial line or a console: there is one console, and it stays
        try:
            self.host.reopen(path and self._where(rooted(path)))
        except OSError as exc:
            self._complain(line.line, f"reopen {path}: {from_host(exc).strerror}")


_BUILTINS: Final = {
    "waitfor": Boot._waitfor,
    "display_msg": Boot._display_msg,
    "procmgr_symlink": Boot._procmgr_symlink,
    "reopen": Boot._reopen,
}


class Sources(Protocol):
    """Finds files of the machine that a buildfile was written on."""

    def __call__(self, path: str, attrs: dict[str, str]) -> str | None:
        """Return the text of *path*, None if it is not here or no text."""


def file_sources(directory: str) -> Sources:
    """Return what looks for files beside the buildfile in *directory*, and along search=."""

    def source(path: str, attrs: dict[str, str]) -> str | None:
        for place in (".", *attrs.get("search", "").split(":")):
            if "$" in path + place:
                continue  # ${QNX_TARGET} and its kin: not on this machine
            try:
                with open(os.path.join(directory, place, path), encoding="utf-8") as file:
                    text = file.read(MAX_FILE)
            except (OSError, ValueError):
                continue
            return text
        return None

    return source


def no_sources(path: str, attrs: dict[str, str]) -> str | None:
    """Find nothing: a buildfile given as a text stands alone."""
    return None


def rooted(path: str) -> str:
    """Return *path* as seen from the root, where the process manager is.

    >>> rooted("a/../b"), rooted("//dev/x")
    ('/b', '/dev/x')
    """
    return os.path.normpath("/" + path.lstrip("/"))


def os_link(host: BootHost, target: str, place: str) -> None:
    """Make the symbolic link *place*. Raises OSError when something else is there."""
    path = host.file(place)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if os.path.islink(path):
        os.unlink(path)
    os.symlink(target, path)


def without_on(argv: Sequence[str]) -> list[str]:
    """Return what on(1) is to run.

    >>> without_on(["on", "-p", "20", "-dR1", "io-pkt-v4", "-d", "i82544"])
    ['io-pkt-v4', '-d', 'i82544']
    """
    words = list(argv[1:])
    while words and words[0].startswith("-") and words[0] != "-":
        word = words.pop(0)
        if word == "--":
            break
        at = next((i for i, char in enumerate(word) if i and char in _ON_VALUED), 0)
        if at == len(word) - 1 and at and words:
            words.pop(0)
    return words
