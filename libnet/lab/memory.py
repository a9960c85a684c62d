"""A world in the caller's own process: boxes and wires as objects, commands as calls.

    world = World(seed=7)                       # virtual time; World(real=True) for the wall clock
    a, b = world.box("A", nic="i82544:lan0"), world.box("B", nic="i82544:lan0")
    for box, addr in ((a, "10.0.0.1"), (b, "10.0.0.2")):
        box.sh("io-pkt-v4-hc -d i82544")
        box.sh(f"ifconfig wm0 {addr}/24")
    print(a.sh("ping -c 3 10.0.0.2").out)       # three replies, no time spent

Nothing moves but when a program waits: inside Box.sh(), Job.result(), World.run(). The same seed and
the same calls give the same run, octet for octet. What a program opens by an absolute path lies in a
directory of the world's own, made when it is first touched and removed with the world.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import tempfile
import weakref
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from importlib import import_module
from typing import IO, TYPE_CHECKING, Any, Final, NamedTuple, Protocol, TextIO

from libnet.clock import Clock, Dice
from libnet.conf.hardware import DEFAULT_AIR, DEFAULT_SEGMENT, Nic, found_nic, parse_nic
from libnet.errors import NetError, from_host
from libnet.lab.builtins import BUILTINS, SLOG, Exit
from libnet.lab.shell import BadSyntax, Command, Item, Word, expand, expand_one, parse
from libnet.lab.skeleton import DIRS, files
from libnet.libsocket.box import BoxPaths
from libnet.libsocket.confstr import forget
from libnet.libsocket.ctx import Ctx
from libnet.libsocket.transport import LocalTransport, Transport
from libnet.loop.sim import (
    Interrupted,
    RealPace,
    Scheduler,
    SimHost,
    Task,
    Terminated,
    VirtualPace,
    seeded,
)

if TYPE_CHECKING:
    from libnet.media.air import Air
    from libnet.media.airport import AirPort
    from libnet.media.port import Port
    from libnet.media.segment import Segment

# setup.cfg's console_scripts (a test compares them) but for box and lab, whose world is on disk, and
# slogger, which is one of the shell's own here.
PROGRAMS: Final[dict[str, str]] = {
    "arp": "cmds.arp:main",
    "brconfig": "cmds.brconfig:main",
    "dhcp.client": "cmds.dhcp_client:main",
    "dhcpcd": "cmds.dhcpcd:main",
    "dhcpd": "cmds.dhcpd:main",
    "dhcrelay": "cmds.dhcrelay:main",
    "getconf": "cmds.getconf:main",
    "hostname": "cmds.hostname:main",
    "if_up": "cmds.if_up:main",
    "ifconfig": "cmds.ifconfig:main",
    "ifwatchd": "cmds.ifwatchd:main",
    "inetd": "cmds.inetd:main",
    "io-pkt-v4": "cmds.io_pkt:main_v4",
    "io-pkt-v4-hc": "cmds.io_pkt:main_v4_hc",
    "io-pkt-v6-hc": "cmds.io_pkt:main_v6_hc",
    "ksh": "cmds.ksh:main",
    "mount": "cmds.mount:main",
    "nc": "cmds.nc:main",
    "netpy": "cmds.netpy:main",
    "netstat": "cmds.netstat:main",
    "nicinfo": "cmds.nicinfo:main",
    "pci": "cmds.pci:main",
    "pfctl": "cmds.pfctl:main",
    "pidin": "cmds.pidin:main",
    "ping": "cmds.ping:main",
    "route": "cmds.route:main",
    "setconf": "cmds.setconf:main",
    "sloginfo": "cmds.sloginfo:main",
    "sockstat": "cmds.sockstat:main",
    "sysctl": "cmds.sysctl:main",
    "tcpdump": "cmds.tcpdump:main",
    "traceroute": "cmds.traceroute:main",
    "umount": "cmds.umount:main",
    "waitfor": "cmds.waitfor:main",
    "wiconfig": "cmds.wiconfig:main",
    "wlanctl": "cmds.wlanctl:main",
}

# Installed set-user-ID root: their raw sockets are granted to anybody.
SETUID: Final = frozenset(("ping", "traceroute"))

EPOCH: Final = 1394000000.0  # seconds since 1970 at the start of a virtual world
PATIENCE_S: Final = 86400.0  # how long a command may take before it gets a SIGINT
NOT_FOUND: Final = 127
SYNTAX: Final = 2
RAM_DISK: Final = "/dev/shm"
LOG_RECORDS: Final = 1024
_ENCODING: Final = "utf-8"
_SKELETON_DIRS: Final = dict(DIRS)
_SKELETON_FILES: Final = files()

Serve = Callable[[str, list[Any]], Any]


class Result(NamedTuple):
    """What a command line printed, and the exit status of its last command."""

    out: str
    err: str
    status: int


class BoxStack(Protocol):
    """A stack as a box in memory holds it.

    stack  the engine, for whoever looks inside
    """

    @property
    def stack(self) -> Any:
        """Return the engine's Stack."""

    def connect(self, *, root: bool, prog: str) -> Serve:
        """Return what serves the operations of one new descriptor."""

    def shutdown(self) -> None:
        """End in order."""


class Capture:
    """What a program writes, kept as octets; a text stream in front of them."""

    def __init__(self) -> None:
        self._octets = io.BytesIO()
        self.stream: TextIO = _text(self._octets)

    def octets(self) -> bytes:
        """Return what was written so far."""
        return self._octets.getvalue()

    def text(self) -> str:
        """Return it as text."""
        return self.octets().decode(_ENCODING, "surrogateescape")


def _text(raw: IO[bytes]) -> io.TextIOWrapper:
    return io.TextIOWrapper(
        raw, encoding=_ENCODING, errors="surrogateescape", newline="", write_through=True
    )


class World:
    """Boxes and segments that share a clock.

    seed       what every throw of dice in the world depends on
    real       go by the wall clock instead of jumping from deadline to deadline
    directory  where the boxes' files are kept; without it in a temporary place
    clock      seconds since the world was made
    """

    def __init__(self, *, seed: int = 0, real: bool = False, directory: str | None = None) -> None:
        self.seed = seed
        pace = RealPace() if real else VirtualPace()
        self.clock = Clock(0.0, _wall_now() if real else EPOCH)
        self.scheduler = Scheduler(self.clock, pace)
        self.boxes: dict[str, Box] = {}
        self.segments: dict[str, Segment] = {}
        self.airs: dict[str, Air] = {}
        self._remove: Callable[[], Any] | None = None
        if directory is None:
            directory = tempfile.mkdtemp(prefix="iopkt-", dir=_fast_directory())
            self._remove = weakref.finalize(self, shutil.rmtree, directory, True)
        self.directory = directory

    def __enter__(self) -> World:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Kill what still runs, and remove the temporary files."""
        for box in self.boxes.values():
            for job in list(box.jobs.values()):
                job.kill()
        for box in self.boxes.values():
            box.power_cut()
        if self._remove is not None:
            self._remove()

    @property
    def now(self) -> float:
        """Seconds since the world was made."""
        return self.scheduler.now()

    def dice(self, label: str) -> Dice:
        """Return dice for *label*: the same for the same seed, whatever else the world holds."""
        return seeded(f"{self.seed}/{label}")

    def segment(self, name: str) -> Segment:
        """Return the wire *name*, laying it first if need be."""
        segment = self.segments.get(name)
        if segment is None:
            from libnet.media.segment import Segment

            segment = Segment(name, self.clock, self.dice(f"segment/{name}"))
            self.segments[name] = segment
        return segment

    def air(self, name: str) -> Air:
        """Return the air *name*, making it first if need be."""
        air = self.airs.get(name)
        if air is None:
            from libnet.media.air import Air

            air = self.airs[name] = Air(name, self.clock, self.dice(f"air/{name}"))
        return air

    def box(self, name: str, nic: str | Sequence[str] | None = None) -> Box:
        """Return the box *name*, making it first if need be.

        nic  "DRIVER[:SEGMENT|:AIR][,mac=…][,irq=N][,pci=N]", or several; without it the box has a NIC
             on lan0, or a radio in air0, for each time a driver is loaded. Raises BadHardware, and
             ValueError when a box of that name is there and *nic* is given.
        """
        box = self.boxes.get(name)
        if box is not None:
            if nic is not None:
                raise ValueError(f"box {name} is there already")
            return box
        nics: list[Nic] | None = None
        if nic is not None:
            nics = []
            for text in (nic,) if isinstance(nic, str) else nic:
                nics.append(parse_nic(text, name, nics))
        box = self.boxes[name] = Box(self, name, nics)
        return box

    def run(self, seconds: float) -> None:
        """Let *seconds* pass."""
        end = self.scheduler.now() + seconds
        while self.scheduler.now() < end:
            self.scheduler.wait(None, end - self.scheduler.now())

    def run_until(self, condition: Callable[[], bool], timeout: float = PATIENCE_S) -> bool:
        """Let time pass until *condition()*, at most *timeout* seconds; return what it then is."""
        self.scheduler.wait(condition, timeout)
        return condition()

    def execute(self, box: str, command: str) -> tuple[str, int]:
        """Run *command* in *box*; return what it printed on both streams, and its status."""
        result = self.box(box).sh(command, merge=True)
        return result.out, result.status


def _fast_directory() -> str | None:
    """Return a file system in memory where there is one: making a directory costs a fiftieth."""
    return RAM_DISK if os.access(RAM_DISK, os.W_OK | os.X_OK) else None


def _wall_now() -> float:
    from libnet.loop.host import RealHost

    return RealHost().wall()


class MemoryPaths(BoxPaths):
    """The places of a box; what a new box has is made when it is first asked for.

    nodes  names that stacks have registered, such as /dev/socket: empty files, made likewise
    """

    def __init__(self, world: str, name: str) -> None:
        super().__init__(world, name)
        self.nodes: set[str] = set()
        self._made: set[str] = set()

    def file(self, path: str) -> str:
        """Return where *path* lies, there to be opened if the box has it."""
        host = super().file(path)
        if host not in self._made and host.startswith(self.root + "/"):
            self._made.add(host)
            self._make(host[len(self.root) + 1 :])
        return host

    def _own(self, path: str) -> str:
        """Return the box's own name of *path*, without the leading slash."""
        return os.path.normpath(path).lstrip("/")

    def text(self, path: str) -> str:
        """Return the text of a file, without making it if it is as in a new box. Raises OSError."""
        text = _SKELETON_FILES.get(self._own(path)) if path.startswith("/") else None
        if text is not None and not os.path.lexists(os.path.join(self.root, self._own(path))):
            return text
        with open(self.file(path), encoding=_ENCODING, errors="surrogateescape") as file:
            return file.read()

    def add_node(self, path: str) -> None:
        """Let the name *path* appear."""
        name = self._own(path)
        self.nodes.add(name)
        host = os.path.join(self.root, name)
        self._made -= {host, os.path.dirname(host)}

    def remove_node(self, path: str) -> None:
        """Let it vanish."""
        name = self._own(path)
        self.nodes.discard(name)
        host = os.path.join(self.root, name)
        if os.path.lexists(host):
            os.unlink(host)

    def _make(self, name: str) -> None:
        directory = name
        while directory and directory not in _SKELETON_DIRS:
            directory = os.path.dirname(directory)
        self._make_dir(directory)
        if name in _SKELETON_FILES:
            self._write(name, _SKELETON_FILES[name])
        elif name in self.nodes:
            self._write(name, "")
        elif name == directory:
            below = name + "/" if name else ""
            for other in _SKELETON_DIRS:
                if other.startswith(below):
                    self._make_dir(other)
            for other, text in (*_SKELETON_FILES.items(), *((node, "") for node in self.nodes)):
                if other.startswith(below):
                    self._write(other, text)

    def _make_dir(self, name: str) -> None:
        path = os.path.join(self.root, name)
        if not os.path.isdir(path):
            os.makedirs(path, exist_ok=True)
            os.chmod(path, _SKELETON_DIRS.get(name, 0o755))

    def _write(self, name: str, text: str) -> None:
        path = os.path.join(self.root, name)
        if not os.path.lexists(path):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding=_ENCODING) as file:
                file.write(text)


class LogBuffer:
    """The system log of a box: kept here, and written to the box's ring when somebody looks."""

    def __init__(self, box: Box) -> None:
        self._box = box
        self._waiting: deque[tuple[float, int, int, int, str]] = deque(maxlen=LOG_RECORDS)
        self.texts: deque[str] = deque(maxlen=LOG_RECORDS)

    def write(self, severity: int, major: int, minor: int, text: str) -> None:
        """Add a record."""
        when = self._box.host.wall()
        for line in text.splitlines():
            self._waiting.append((when, severity, major, minor, line))
            self.texts.append(line)

    def flush(self) -> None:
        """Bring the ring file up to date."""
        if not self._waiting:
            return
        from libnet.loop.slog import FileRing, Record

        records = [
            Record(0, when, severity, major, minor, self._box.pid, text)
            for when, severity, major, minor, text in self._waiting
        ]
        self._waiting.clear()
        FileRing(self._box.paths.slog).append(records)


class Box:
    """One simulated host of a world in memory.

    paths    where its files lie               environ  what its programs inherit
    nics     its hardware (libnet.conf.hardware.Nic); described tells whether it was listed
    stacks   running stacks by prefix          jobs     programs in the background, by number
    root     whether its commands are the superuser's
    slog     its system log; slog.texts are the newest lines
    """

    def __init__(self, world: World, name: str, nics: list[Nic] | None) -> None:
        self.world, self.name = world, name
        self.described = nics is not None
        self.nics: list[Nic] = nics or []
        self.paths = MemoryPaths(world.directory, name)
        self.dice = world.dice(f"box/{name}")
        self.host = SimHost(world.scheduler, self.dice)
        self.environ: dict[str, str] = {
            "IOPKT_BOX": name,
            "IOPKT_WORLD": world.directory,
            "LD_LIBRARY_PATH": "/lib/dll",
            "PATH": "/sbin:/usr/sbin:/bin:/usr/bin",
        }
        self.stacks: dict[str, BoxStack] = {}
        self.jobs: dict[int, Job] = {}
        self.root = True
        self.slog = LogBuffer(self)
        self.pid = 1
        self.status = 0  # of the last command line, $? of the next
        self._notes: dict[str, str] = {}
        self._last_job = 0

    # Commands.

    def sh(
        self,
        script: str,
        *,
        stdin: str | bytes = b"",
        timeout: float = PATIENCE_S,
        merge: bool = False,
    ) -> Result:
        """Run a command line, or several, as libnet.lab.shell describes.

        timeout  seconds of the world's time after which the running program gets a SIGINT, as if
                 somebody had lost patience; a minute later it is killed
        merge    let standard error go where standard output goes
        """
        task = self.world.scheduler.current
        if isinstance(stdin, str):
            stdin = stdin.encode(_ENCODING, "surrogateescape")
        out = Capture()
        err = out if merge else Capture()
        saved = task.mortal, task.alarm, task.warned
        task.mortal, task.alarm, task.warned = True, self.host.now() + timeout, False
        try:
            shell = Shell(self, stdin, out.stream, err.stream)
            self.status = shell.run(script)
        finally:
            task.mortal, task.alarm, task.warned = saved
            task.pending.clear()
        return Result(out.text(), "" if merge else err.text(), self.status)

    def spawn(self, script: str, *, stdin: str | bytes = b"") -> Job:
        """Start a command line in the background; it runs whenever the caller waits."""
        if isinstance(stdin, str):
            stdin = stdin.encode(_ENCODING, "surrogateescape")
        shell_stdin = stdin

        def body(out: TextIO, err: TextIO) -> int:
            return Shell(self, shell_stdin, out, err).run(script)

        return self.start_job(script, body)

    def boot(self, buildfile: str, name: str = "boot") -> Result:
        """Lay out the files of an OS image buildfile and run its script, as box boot does.

        name  of the buildfile, for messages
        Returns what the console shows, the commands that failed ("12: ifconfig: status 1"), and 1
        as status if there are any. Raises libnet.conf.buildfile.BadBuildfile.
        """
        from libnet.conf.buildfile import parse as parse_image
        from libnet.lab.boot import Boot, no_sources
        from libnet.lab.bootmem import MemoryHost

        host = MemoryHost(self, frozenset(PROGRAMS))
        boot = Boot(parse_image(buildfile, name), host, no_sources, verbose=False)
        boot.lay_out()
        boot.run()
        failed = "".join(f"{line}\n" for line in boot.failures)
        return Result(host.console, failed, 1 if failed else 0)

    def start_job(self, text: str, body: Callable[[TextIO, TextIO], int]) -> Job:
        """Run *body(stdout, stderr)* in the background; it returns the exit status.

        text  what to call the job
        """
        self._last_job += 1
        job = Job(self, self._last_job, text, body)
        self.jobs[job.number] = job
        return job

    def ctx(
        self,
        prog: str,
        *,
        stdin: TextIO | None = None,
        stdout: TextIO | None = None,
        stderr: TextIO | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> Ctx:
        """Return what a program of this box is given."""
        return Ctx(
            prog,
            stdin=stdin or _text(io.BytesIO()),
            stdout=stdout or Capture().stream,
            stderr=stderr or Capture().stream,
            environ=self.environ if environ is None else environ,
            host=self.host,
            box=self.paths,
            root=self.root,
            connect=lambda prefix: self.connect(prefix, prog),
            slog=self.slog,
            services=self,
        )

    # Files.

    def file(self, path: str) -> str:
        """Return where the box's *path* lies on this machine."""
        return self.paths.file(path)

    def read(self, path: str) -> str:
        """Return the text of a file of the box. Raises OSError."""
        return self.paths.text(path)

    def write(self, path: str, text: str) -> None:
        """Make, or replace, a file of the box. Raises OSError."""
        with open(self.file(path), "w", encoding=_ENCODING, errors="surrogateescape") as file:
            file.write(text)

    # Stacks.

    @property
    def stack(self) -> Any:
        """The engine's Stack at /dev/socket. Raises EAFNOSUPPORT when there is none."""
        held = self.stacks.get("")
        if held is None:
            raise NetError("EAFNOSUPPORT")
        return held.stack

    def connect(self, prefix: str, prog: str = "") -> Transport:
        """Return a new descriptor of the stack at *prefix*. Raises EAFNOSUPPORT."""
        prefix = prefix.rstrip("/")
        stack = self.stacks.get(prefix)
        if stack is None:
            raise NetError("EAFNOSUPPORT")
        serve = stack.connect(root=self.root or prog in SETUID, prog=prog)

        def guarded(op: str, args: list[Any]) -> Any:
            if self.stacks.get(prefix) is not stack:
                if op == "close":
                    return None
                raise NetError("ESRCH")  # as when the process at the other end has died
            return serve(op, args)

        return LocalTransport(guarded)

    def start_stack(self, variant: str, argv: Sequence[str], ctx: Ctx) -> int:
        """Do what io-pkt-*variant* *argv* does; return its exit status."""
        from libnet.conf.iopkt import UsageError
        from libnet.conf.iopkt import parse as parse_line
        from libnet.lab.process import USAGE, prefix_of

        prog = f"io-pkt-{variant}"
        try:
            line = parse_line(argv)
        except UsageError as exc:
            ctx.stderr.write(f"{prog}: {exc}\n{USAGE.format(prog=prog)}")
            return 1
        prefix = prefix_of(line)
        if prefix in self.stacks:
            ctx.stderr.write(f"{prog}: unable to attach {prefix}/dev/socket: Resource busy\n")
            return 1
        from libnet.lab.machine import ManagedStack

        starting = [ctx.stderr]

        def console(text: str) -> None:
            for stream in starting:
                stream.write(f"{prog}: {text}\n")

        stack = ManagedStack(self, variant, line, [prog, *argv], console)
        note = {"variant": variant, "argv": [prog, *argv], "instance": line.instance}
        self.attach(prefix, stack, note)
        stack.manager.start()
        starting.clear()  # it has let go of its terminal
        return 0

    def attach(self, prefix: str, stack: BoxStack, note: Mapping[str, Any] | None = None) -> None:
        """Put *stack* at *prefix*/dev/socket.

        note  what a note in the box's run directory tells besides; mount -T io-pktN looks there
        """
        self.stacks[prefix] = stack
        self.paths.add_node(f"{prefix}/dev/socket")  # the name is all that waitfor looks for
        if note is not None and (prefix or note.get("instance")):
            os.makedirs(self.paths.run, mode=0o700, exist_ok=True)
            path = os.path.join(self.paths.run, f"stack-memory{len(self._notes)}.json")
            with open(path, "w", encoding=_ENCODING) as file:
                json.dump({**note, "pid": os.getpid(), "prefix": prefix}, file)
            self._notes[prefix] = path

    def detach(self, prefix: str = "") -> BoxStack | None:
        """Take the stack at *prefix* away without a word to it; its descriptors give ESRCH."""
        stack = self.stacks.pop(prefix, None)
        self.paths.remove_node(f"{prefix}/dev/socket")
        note = self._notes.pop(prefix, None)
        if note is not None and os.path.lexists(note):
            os.unlink(note)
        return stack

    def stop_stack(self, prefix: str = "") -> None:
        """End the stack at *prefix* in order, as SIGTERM does. Raises EAFNOSUPPORT."""
        stack = self.stacks.get(prefix)
        if stack is None:
            raise NetError("EAFNOSUPPORT")
        stack.shutdown()
        self.detach(prefix)

    def power_cut(self) -> None:
        """Let every stack vanish; the NICs fall silent, the files remain."""
        for prefix in list(self.stacks):
            stack = self.detach(prefix)
            unplug = getattr(stack, "unplug", None)
            if unplug is not None:
                unplug()
        for nic in self.nics:
            nic.attached = ""
        self.paths.remove_node(SLOG)
        forget(self.paths)

    # Hardware, as a stack's machine wants it.

    def free_nics(self, driver: str) -> list[Nic]:
        """Return the NICs of the driver's kind that nobody holds; an undescribed box finds one."""
        if self.described:
            return [nic for nic in self.nics if not nic.attached and nic.fits(driver)]
        for nic in self.nics:
            if not nic.attached and nic.fits(driver):
                return [nic]
        nic = found_nic(self.name, driver, self.nics)
        self.nics.append(nic)
        return [nic]

    def plug(self, nic: Nic, ifname: str, wire: str = "") -> Port:
        """Plug *nic* into *wire*, or where its description says."""
        segment = wire or nic.segment or DEFAULT_SEGMENT
        return self.world.segment(segment).plug(f"{self.name}.{ifname}")

    def antenna(self, nic: Nic, ifname: str, wire: str = "") -> AirPort:
        """Put the antenna of the radio *nic* into the air *wire*, or where its description says."""
        air = wire or nic.segment or DEFAULT_AIR
        return self.world.air(air).plug(f"{self.name}.{ifname}")


class Job:
    """A command line that runs in the background.

    number  what `wait`, `kill %N` and Box.jobs know it by
    """

    def __init__(
        self, box: Box, number: int, text: str, body: Callable[[TextIO, TextIO], int]
    ) -> None:
        self.box, self.number, self.text = box, number, text
        self.status: int | None = None
        self._out, self._err = Capture(), Capture()
        self._body = body
        self._failure: BaseException | None = None
        self._task: Task = box.world.scheduler.spawn(f"{box.name} {text}", self._run)

    def _run(self) -> None:
        try:
            self.status = self._body(self._out.stream, self._err.stream)
        except BaseException as exc:  # kept for result(): a thread has nobody to tell
            self._failure = exc
            self.status = 1
        finally:
            self.box.jobs.pop(self.number, None)

    @property
    def done(self) -> bool:
        """Whether it has ended."""
        return self._task.finished

    @property
    def out(self) -> str:
        """What it has printed so far."""
        return self._out.text()

    @property
    def err(self) -> str:
        """What it has said on standard error so far."""
        return self._err.text()

    def signal(self, name: str) -> None:
        """Send it a signal such as "SIGINT"; it is seen when the caller next waits."""
        if not self.done:
            self._task.signal(name)

    def interrupt(self) -> None:
        """Press ^C."""
        self.signal("SIGINT")

    def kill(self) -> None:
        """End it at once."""
        if not self.done:
            self._task.signal("SIGKILL")
            self.box.world.scheduler.wait(lambda: self.done, 0.0)

    def result(self, timeout: float | None = None) -> Result:
        """Let the world run until it has ended; return what it printed, and its status.

        Raises TimeoutError after *timeout* seconds of the world's time, Deadlock when it waits for
        what will never happen, and whatever defect ended it.
        """
        if not self.done:
            self.box.world.scheduler.wait(lambda: self.done, timeout)
        if not self.done:
            raise TimeoutError(f"{self.text}: still running after {timeout} s")
        if self._failure is not None:
            raise self._failure
        assert self.status is not None
        return Result(self.out, self.err, self.status)


class Streams(NamedTuple):
    """The three standard streams of one command."""

    stdin: TextIO
    stdout: TextIO
    stderr: TextIO


class Shell:
    """Runs the steps of a script in a box."""

    def __init__(self, box: Box, stdin: bytes, stdout: TextIO, stderr: TextIO) -> None:
        self.box = box
        self._stdin = stdin
        self._out, self._err = stdout, stderr
        self.variables = dict(box.environ)
        self.variables["?"] = str(box.status)

    def run(self, script: str) -> int:
        """Run *script*; return the status of its last command."""
        try:
            items = parse(script)
        except BadSyntax as exc:
            self._err.write(f"sh: {exc}\n")
            return SYNTAX
        return self.run_items(items)

    def run_items(self, items: Sequence[Item]) -> int:
        """Run what parse() returned."""
        status = 0
        try:
            for item in items:
                if item.background:
                    self._background(item)
                    status = 0
                    continue
                for step in item.steps:
                    if (step.when == "&&" and status) or (step.when == "||" and not status):
                        continue
                    status = self._pipe(step.pipe)
                    self.variables["?"] = str(status)
        except Interrupted:
            return 130  # ^C ends the whole script
        except Terminated as exc:
            return exc.status
        except Exit as exc:
            return exc.status
        return status

    def _background(self, item: Item) -> None:
        """Start *item* as a job of its own, with the variables as they are now."""
        variables = dict(self.variables)

        def body(out: TextIO, err: TextIO) -> int:
            shell = Shell(self.box, b"", out, err)
            shell.variables = variables
            return shell.run_items([item._replace(background=False)])

        job = self.box.start_job(item.text, body)
        self.variables["!"] = str(job.number)
        self.variables["?"] = "0"

    def _pipe(self, pipe: Sequence[Command]) -> int:
        data = self._stdin
        self._stdin = b""
        status = 0
        for place, command in enumerate(pipe):
            capture = None if place == len(pipe) - 1 else Capture()
            stdout = self._out if capture is None else capture.stream
            status = self._command(command, Streams(_text(io.BytesIO(data)), stdout, self._err))
            if capture is not None:
                data = capture.octets()
        return status

    def _fields(self, word: Word) -> list[str]:
        return expand(word, self.variables)

    def _one(self, word: Word) -> str:
        return expand_one(word, self.variables)

    def _command(self, command: Command, streams: Streams) -> int:
        argv = [field for word in command.words for field in self._fields(word)]
        assigns = {name: self._one(word) for name, word in command.assigns}
        if not argv:
            self.variables.update(assigns)
            self.box.environ.update(assigns)
            return 0
        with ExitStack() as opened:
            try:
                streams = self._redirect(command, streams, opened)
            except OSError as exc:
                text = from_host(exc).strerror
                self._err.write(f"sh: cannot open {exc.filename}: {text}\n")
                return 1
            return self._program(argv, {**self.box.environ, **assigns}, streams)

    def _redirect(self, command: Command, streams: Streams, opened: ExitStack) -> Streams:
        stdin, stdout, stderr = streams
        for operator, word in command.redirects:
            if operator == "2>&1":
                stderr = stdout
                continue
            if operator == ">&2":
                stdout = stderr
                continue
            name = self._one(word)
            try:
                raw = open(self.box.file(name), _MODES[operator.removeprefix("2")])  # noqa: SIM115
            except OSError as exc:
                raise OSError(exc.errno, exc.strerror, name) from None
            except ValueError:
                raise OSError(22, "", name) from None  # a NUL in the name
            stream = opened.enter_context(_text(raw))
            if operator == "<":
                stdin = stream
            elif operator.startswith("2"):
                stderr = stream
            else:
                stdout = stream
        return Streams(stdin, stdout, stderr)

    def _program(self, argv: list[str], environ: dict[str, str], streams: Streams) -> int:
        name = argv[0].rsplit("/", 1)[-1]
        builtin = BUILTINS.get(name)
        if builtin is not None:
            return builtin(self, argv, streams)
        place = PROGRAMS.get(name)
        if place is None:
            streams.stderr.write(f"sh: {argv[0]}: not found\n")
            return NOT_FOUND
        self.box.slog.flush()
        module, _, attribute = place.partition(":")
        main = getattr(import_module(module), attribute)
        ctx = self.box.ctx(
            name,
            stdin=streams.stdin,
            stdout=streams.stdout,
            stderr=streams.stderr,
            environ=environ,
        )
        status: int = main(argv[1:], ctx)
        return status


_MODES: Final = {"<": "rb", ">": "wb", ">>": "ab"}
