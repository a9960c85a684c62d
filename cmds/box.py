"""box: add, list, enter, run in, cut the power of and remove the boxes of a world."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import click

from cmds._bsd import program
from libnet.conf.hardware import BadHardware
from libnet.lab.world import World, WorldError, ensure_box
from libnet.libsocket.box import BoxPaths, world_dir
from libnet.libsocket.confstr import forget
from libnet.libsocket.ctx import Ctx

if TYPE_CHECKING:
    from libnet.conf.buildfile import Image

KILL_ROUNDS = 10
KILL_POLL_S = 0.01


class Fail(click.ClickException):
    """A message for the user; the exit status is 1."""


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Manage the boxes of a world: simulated hosts, each with files, hardware and stacks.",
)
def cli() -> None:
    """Hold the verbs."""


def run(argv: Sequence[str], ctx: Ctx) -> int:
    """Run one verb; return the exit status."""
    try:
        with contextlib.redirect_stdout(ctx.stdout):  # where click prints its help
            result = cli.main(args=list(argv), prog_name="box", standalone_mode=False, obj=ctx)
    except click.exceptions.NoArgsIsHelpError as exc:
        ctx.stderr.write(exc.format_message() + "\n")
        return 2
    except click.UsageError as exc:
        if exc.ctx is not None:
            ctx.stderr.write(exc.ctx.get_usage() + "\n")
        ctx.stderr.write(f"box: {exc.format_message()}\n")
        return 2
    except click.ClickException as exc:
        ctx.stderr.write(f"box: {exc.format_message()}\n")
        return 1
    except click.Abort:
        return 130
    except (WorldError, BadHardware) as exc:
        ctx.stderr.write(f"box: {exc}\n")
        return 1
    except OSError as exc:
        where = f"{exc.filename}: " if exc.filename else ""
        ctx.stderr.write(f"box: {where}{exc.strerror or exc}\n")
        return 1
    return result if type(result) is int else 0


main = program("box", run)


def world_of(ctx: Ctx) -> World:
    """Return the caller's world."""
    return World(world_dir(ctx.environ))


def box_of(ctx: Ctx, name: str) -> BoxPaths:
    """Return the places of the box *name*, made now if this is the first that is heard of it."""
    paths = world_of(ctx).box(name)
    ensure_box(paths)
    return paths


@cli.command("add", short_help="Make a box with these network cards.")
@click.argument("name")
@click.option(
    "--nic",
    "nics",
    multiple=True,
    metavar="DRIVER[:SEGMENT|:AIR][,mac=…][,irq=N][,pci=N]",
    help="A network card: the driver it needs ('*': any), what it is plugged into (lan0; a radio: air0).",
)
@click.pass_obj
def add(ctx: Ctx, name: str, nics: tuple[str, ...]) -> int:
    """Make a box. Without --nic it has one card of any wired kind on lan0."""
    world_of(ctx).add_box(name, nics)
    return 0


@cli.command("list", short_help="Show the boxes.")
@click.pass_obj
def list_(ctx: Ctx) -> int:
    """Show the boxes: their cards, and the stacks that run in them."""
    from tabulate import tabulate

    from libnet.lab.world import Hardware, stacks

    world = world_of(ctx)
    rows: list[list[str]] = []
    status = 0
    for name in world.names():
        paths = world.box(name)
        try:
            nics = " ".join(f"{nic.driver}:{nic.segment}" for nic in Hardware.load(paths))
        except WorldError as exc:
            ctx.stderr.write(f"box: {exc}\n")
            nics, status = "?", 1
        notes = stacks(paths)
        names = " ".join(
            f"io-pkt-{note.variant}{note.prefix and '@' + note.prefix}" for note in notes
        )
        rows.append([name, nics, names or "-", " ".join(str(note.pid) for note in notes) or "-"])
    ctx.stdout.write(
        tabulate(rows, headers=["name", "nics", "stacks", "pid"], disable_numparse=True) + "\n"
    )
    return status


@cli.command("env", short_help="Print shell assignments that put a shell on a box.")
@click.argument("name")
@click.pass_obj
def env(ctx: Ctx, name: str) -> int:
    """Print assignments for `eval "$(box env NAME)"`."""
    import shlex

    from libnet.lab.view import programs_dir

    paths = world_of(ctx).box(name)
    first = programs_dir()
    rest = [part for part in ctx.environ.get("PATH", "").split(":") if part and part != first]
    for key, value in (
        ("IOPKT_WORLD", paths.world),
        ("IOPKT_BOX", paths.name),
        ("PATH", ":".join([first, *rest])),
    ):
        ctx.stdout.write(f"export {key}={shlex.quote(value)}\n")
    ctx.stdout.write("unset SOCK IOPKT_VIEW\n")
    return 0


@cli.command(
    "run",
    short_help="Run a command in a box.",
    context_settings={"allow_interspersed_args": False},
)
@click.argument("name")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.pass_obj
def run_(ctx: Ctx, name: str, command: tuple[str, ...]) -> NoReturn:
    """Run COMMAND in the box, with its files; streams, signals and exit status are its own."""
    # The parser leaves the "--" of `box run NAME -- CMD` in front.
    become(ctx, box_of(ctx, name), list(command[1:] if command[0] == "--" else command))


@cli.command(
    "shell",
    short_help="Start a shell in a box.",
    context_settings={"allow_interspersed_args": False},
)
@click.argument("name")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def shell(ctx: Ctx, name: str, arguments: tuple[str, ...]) -> NoReturn:
    """Start $SHELL in the box, with ARGUMENTS."""
    words = arguments[1:] if arguments[:1] == ("--",) else arguments
    become(ctx, box_of(ctx, name), [ctx.environ.get("SHELL") or "/bin/sh", *words])


@cli.command("boot", short_help="Start a box as an image buildfile says.")
@click.argument("name")
@click.argument("file")
@click.option("-e", "--strict", is_flag=True, help="Exit with 1 if a command of the script failed.")
@click.option("-f", "--force", is_flag=True, help="Cut the box's power first.")
@click.option("-n", "--check", is_flag=True, help="Tell what is in FILE, and start nothing.")
@click.option("-v", "--verbose", is_flag=True, help="Show each command of the script.")
@click.pass_obj
def boot(
    ctx: Ctx, name: str, file: str, strict: bool, force: bool, check: bool, verbose: bool
) -> int:
    """Lay out the files of an OS image buildfile in the box, and run its start-up script.

    FILE may also be a shell script.
    """
    from libnet.conf.buildfile import BadBuildfile

    try:
        if check:
            return describe(ctx, file)
        paths = box_of(ctx, name)
        if ctx.environ.get("IOPKT_VIEW") and ctx.environ.get("IOPKT_BOX") == paths.name:
            if force:
                raise Fail(f"{name}: the power of a box cannot be cut from within")
            return boot_here(ctx, file, strict=strict, verbose=verbose)
        read_buildfile(file)  # nothing is started for a file that is none
    except BadBuildfile as exc:
        raise Fail(str(exc)) from None
    left = cut_power(ctx, paths) if force else show(running(ctx, paths))
    if left:
        raise Fail(f"{name}: still running: {left} (see box kill)")
    forget(paths)
    options = [word for word, given in (("--strict", strict), ("--verbose", verbose)) if given]
    program_ = os.path.join(programs(), "box")
    become(ctx, paths, [program_, "boot", *options, name, os.path.abspath(file)])


def programs() -> str:
    """Return the directory of our programs."""
    from libnet.lab.view import programs_dir

    return programs_dir()


def read_buildfile(file: str) -> Image:
    """Return what *file* describes; a shell script is an image that starts it.

    Raises BadBuildfile and OSError.
    """
    from libnet.conf.buildfile import INLINE, MAX_TEXT, BadBuildfile, Entry, Image, parse

    with open(file, encoding="utf-8", errors="surrogateescape") as stream:
        text = stream.read(MAX_TEXT + 1)
    name = os.path.basename(file)
    if text.startswith("#!"):
        script = f'"{os.path.abspath(file)}"\n'
        return Image(name, (Entry(".script", {"script": "+"}, INLINE, script, 1, 1),))
    image = parse(text, name)
    if not image.scripts:
        raise BadBuildfile(f"{name}: no script: no file has the attribute +script")
    return image


def boot_here(ctx: Ctx, file: str, *, strict: bool, verbose: bool) -> int:
    """Boot the box that this process is in; return the exit status."""
    from libnet.lab import view
    from libnet.lab.boot import Boot, file_sources
    from libnet.lab.bootproc import ProcessHost

    image = read_buildfile(file)
    paths = ctx.box
    environ = view.environment(paths, ctx.environ, view=paths.view == "ns")
    host = ProcessHost(paths, environ, ctx.stdout)
    try:
        started = Boot(image, host, file_sources(os.path.dirname(file)), verbose=verbose)
        started.lay_out()
        started.run()
    finally:
        host.close()
    return 1 if strict and started.failures else 0


def describe(ctx: Ctx, file: str) -> int:
    """Print the files, variables and commands of a buildfile."""
    from libnet.conf.buildfile import INLINE, parse_script

    image = read_buildfile(file)
    for key, value in image.variables().items():
        ctx.stdout.write(f"variable {key}={value}\n")
    for entry in image.entries:
        if not (entry.script or entry.boot):
            ctx.stdout.write(f"{entry.type} {entry.place}\n")
    for entry in image.scripts:
        if entry.kind != INLINE:
            ctx.stdout.write(f"script {entry.text or entry.path}\n")
            continue
        for line in parse_script(entry.text, image.name, entry.text_line):
            ctx.stdout.write(f"{line.line}: {line.text}\n")
    return 0


@cli.command("kill", short_help="Cut the power of a box.")
@click.argument("name")
@click.pass_obj
def kill(ctx: Ctx, name: str) -> int:
    """End every process of the box at once. Its files stay; it can be started again."""
    left = cut_power(ctx, existing(ctx, name))
    if left:
        raise Fail(f"{name}: still running: {left}")
    return 0


@cli.command("remove", short_help="Remove a box and its files.")
@click.argument("name")
@click.option("-f", "--force", is_flag=True, help="Cut its power first.")
@click.pass_obj
def remove(ctx: Ctx, name: str, force: bool) -> int:
    """Remove the box and all its files. Refused while something runs in it."""
    paths = existing(ctx, name)
    left = cut_power(ctx, paths) if force else show(running(ctx, paths))
    if left:
        raise Fail(f"{name}: still running: {left} (see box kill)")
    world_of(ctx).remove_box(name)
    return 0


def existing(ctx: Ctx, name: str) -> BoxPaths:
    """Return the places of a box that has been made."""
    world = world_of(ctx)
    if not world.exists(name):
        raise Fail(f"{name}: no such box")
    return world.box(name)


def running(ctx: Ctx, paths: BoxPaths) -> list[Any]:
    """Return the processes of the box, without this one and those it descends from."""
    from libnet.lab.procs import Finder, ancestors

    spared = ancestors(os.getpid())
    found = Finder(paths, dict(ctx.environ)).find()
    return [process for process in found if process.pid not in spared]


def show(processes: Sequence[Any]) -> str:
    """Return processes in one line."""
    return ", ".join(f"{process.pid} {process.name}" for process in processes)


def cut_power(ctx: Ctx, paths: BoxPaths) -> str:
    """Kill every process of the box; return those that would not go."""
    import signal

    left: list[Any] = []
    for _ in range(KILL_ROUNDS):
        left = running(ctx, paths)
        if not left:
            forget(paths)  # they were in memory
            return ""
        for process in left:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(process.pid, signal.SIGKILL)
        ctx.sleep(KILL_POLL_S)
    return show(left)


def become(ctx: Ctx, paths: BoxPaths, command: list[str]) -> NoReturn:
    """Turn this process into *command*, in the box."""
    from libnet.lab import procs, view

    cwd = os.getcwd()
    inside = ctx.environ.get("IOPKT_VIEW") == "ns" and ctx.environ.get("IOPKT_BOX") == paths.name
    if inside and world_dir(ctx.environ) == paths.world:
        execute(ctx, command, view.environment(paths, ctx.environ, view=True))
    procs.note(paths, os.getpid())
    binds = view.plan(paths, view.kept_paths(paths, cwd, command))
    ctx.stdout.flush()
    ctx.stderr.flush()
    if view.possible():
        environ = view.environment(paths, ctx.environ, view=True)
        view.enter(paths, binds)
        enter_directory(cwd)
        execute(ctx, command, environ)
    bwrap = view.find_bwrap()
    if bwrap is not None:
        environ = view.environment(paths, ctx.environ, view=True)
        argv = view.bwrap_argv(paths, binds, cwd)
        raise SystemExit(view.supervise(bwrap, argv, command, environ))
    say_once(ctx, paths)
    execute(ctx, command, view.environment(paths, ctx.environ, view=False))


def enter_directory(cwd: str) -> None:
    """Go where the caller was, or to the root if the box has no such directory."""
    try:
        os.chdir(cwd)
    except OSError:
        os.chdir("/")


def say_once(ctx: Ctx, paths: BoxPaths) -> None:
    """Tell, the first time in a world, that there is no namespace view."""
    try:
        os.close(os.open(os.path.join(paths.world, ".no-view"), os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        return
    ctx.stderr.write(
        "box: this host lets nobody make mount namespaces: only our own programs see the box's"
        f" files, which are in {paths.root}\n"
    )


def execute(ctx: Ctx, command: list[str], environ: dict[str, str]) -> NoReturn:
    """Become *command*. Exits with 127 if it is not there, 126 if it cannot be run.

    A script of sh or ksh is run by a shell that knows what the original's does.
    """
    from libnet.lab.ksh import in_box

    if "\0" not in command[0]:
        command = in_box(command)
    ctx.stdout.flush()
    ctx.stderr.flush()
    try:
        os.execvpe(command[0], command, environ)
    except OSError as exc:
        sys.stderr.write(f"box: {command[0]}: {exc.strerror}\n")
        sys.stderr.flush()
        raise SystemExit(127 if isinstance(exc, FileNotFoundError) else 126) from None
    except ValueError as exc:  # a NUL, or an empty name
        sys.stderr.write(f"box: {command[0]!r}: {exc}\n")
        raise SystemExit(127) from None
