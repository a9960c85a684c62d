"""mount: load a driver or a protocol module into the stack."""

from __future__ import annotations

import os
import re

from cmds._bsd import command, flag, operands, option, program
from cmds._handover import handover, not_ours
from libnet.errors import NetError
from libnet.libsocket.ctx import Ctx
from libnet.libsocket.sock import Descriptor

USAGE = """\
usage: mount [-abwruv] -t|-T type [-o options] special [mntpoint]
       mount -e [-t|-T type] [-o options] special [mntpoint]
       mount"""

FSTAB = "/etc/fstab"


@command(usage=USAGE)
@flag("-a", "all_")
@flag("-b", "no_fstab")
@flag("-e", "enumerate_")
@flag("-r", "read_only")
@flag("-w", "read_write")
@flag("-u", "remount")
@flag("-v", "verbose")
@option("-T", "hint")
@option("-t", "kind")
@option("-o", "options", multiple=True)
@operands
def run(
    ctx: Ctx,
    all_: bool,
    no_fstab: bool,
    enumerate_: bool,
    read_only: bool,
    read_write: bool,
    remount: bool,
    verbose: bool,
    hint: str | None,
    kind: str | None,
    options: tuple[str, ...],
    operands: tuple[str, ...],
) -> int:
    """Ask the stack, or step aside for the host's mount."""
    words = ",".join(word for word in options if word)
    type_ = hint or kind
    if type_ is None and not no_fstab and operands and not all_:
        for special, entry_type, entry_options in fstab(ctx):
            if special == operands[0]:
                type_, words = entry_type, ",".join(filter(None, (entry_options, words)))
    if all_ and (type_ is None or stack_type(type_)) and not operands:
        status = 0
        for special, entry_type, entry_options in fstab(ctx):
            if type_ in (None, entry_type):
                joined = ",".join(filter(None, (entry_options, words)))
                status |= mount(ctx, entry_type, joined, special, verbose)
        return status
    if type_ is not None and stack_type(type_):
        if not 1 <= len(operands) <= 2:
            return run.usage(ctx)
        if enumerate_ or remount:
            return failed(ctx, operands[0], type_, "ENOTSUP")
        return mount(ctx, type_, words, operands[0], verbose)
    flags = (all_, no_fstab, enumerate_, read_only, read_write, remount)
    if not operands and type_ is None and not any(flags) and not not_ours(ctx):
        ctx.stdout.write(f"{ctx.box.root} on / type box \n")
        return 0
    letters = "".join(c for c, on in zip("aberwu", flags, strict=True) if on)
    argv = [f"-{letters}"] if letters else []
    argv += ["-v"] if verbose else []
    argv += ["-t", type_] if type_ is not None else []
    argv += [part for word in options for part in ("-o", word)]
    handover(ctx, [*argv, *operands])


main = program("mount", run)


def stack_type(type_: str) -> bool:
    """Tell whether a mount type is the stack's.

    >>> [stack_type(t) for t in ("io-pkt", "io-pkt2", "io-net", "tcpip", "ext4")]
    [True, True, True, True, False]
    """
    return re.fullmatch(r"io-pkt[0-9]*|io-net|tcpip", type_) is not None


def server(ctx: Ctx, type_: str) -> Descriptor:
    """Return the way to the stack that mount type *type_* means. Raises ENODEV if it is not up."""
    number = type_.removeprefix("io-pkt") if type_.startswith("io-pkt") else ""
    try:
        if not number:
            return ctx.control()
        from libnet.lab.world import stacks

        for note in stacks(ctx.box):
            if note.instance == int(number):
                return ctx.control(note.prefix)
    except NetError as exc:
        if exc.symbol != "EAFNOSUPPORT":
            raise
    raise NetError("ENODEV")


def mount(ctx: Ctx, type_: str, options: str, special: str, verbose: bool) -> int:
    """Mount one module; return the exit status."""
    # The stack has a working directory of its own.
    relative = "/" in special and not special.startswith("/")
    path = os.path.abspath(special) if relative else special
    if verbose:
        shown = f" options {options}" if options else ""
        ctx.stdout.write(f"mount: {special} type {type_}{shown}\n")
        ctx.stdout.flush()
    try:
        with server(ctx, type_) as stack:
            stack.call("mount", type_, options, path)
    except NetError as exc:
        return failed(ctx, special, type_, exc)
    return 0


def failed(ctx: Ctx, special: str, type_: str, error: NetError | str) -> int:
    """Print the two lines of a mount that failed; the blank at the end is the original's."""
    reason = (NetError(error) if isinstance(error, str) else error).strerror
    ctx.stderr.write(f"{ctx.prog}: Can't mount {special} (type {type_})\n")
    ctx.stderr.write(f"{ctx.prog}: Possible reason: {reason} \n")
    return 1


def fstab(ctx: Ctx) -> list[tuple[str, str, str]]:
    """Return (special, type, options) of the lines of the box's /etc/fstab that are the stack's."""
    try:
        with open(ctx.file(FSTAB), encoding="utf-8", errors="replace") as file:
            lines = file.read(1 << 20).splitlines()
    except OSError:
        return []
    rows = []
    for line in lines:
        words = line.partition("#")[0].split()
        if len(words) >= 3 and stack_type(words[2]):
            rows.append((words[0], words[2], words[3] if len(words) > 3 else ""))
    return rows
