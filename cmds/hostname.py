"""hostname: print or set the box's host name."""

from __future__ import annotations

import os
import re

from cmds._bsd import command, err_of, flag, operands, program
from cmds._handover import handover, not_ours
from libnet.errors import NetError
from libnet.libsocket.confstr import HOSTNAME as FILE
from libnet.libsocket.confstr import confstr
from libnet.libsocket.ctx import Ctx

USAGE = "usage: hostname [-s] [name]"

CTL_KERN, KERN_HOSTNAME = 1, 10


@command(usage=USAGE)
@flag("-s", "short")
@operands
def run(ctx: Ctx, short: bool, operands: tuple[str, ...]) -> int:
    """Print the name, or set it."""
    if not_ours(ctx):
        handover(ctx, [*(["-s"] if short else []), *operands])
    if len(operands) > 1:
        return run.usage(ctx)
    if operands:
        return set_name(ctx, operands[0])
    name = get_name(ctx)
    ctx.stdout.write((name.partition(".")[0] if short else name) + "\n")
    return 0


main = program("hostname", run)


def get_name(ctx: Ctx) -> str:
    """Return the box's host name: what was set, else the box's own name."""
    return confstr(ctx.box, "_CS_HOSTNAME") or ctx.box.name


def valid(name: str) -> bool:
    """Tell whether *name* may be a host name: letters, digits, and hyphens within.

    >>> valid("BoxA-2"), valid("-box"), valid("a.b")
    (True, False, False)
    """
    return re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?", name) is not None


def set_name(ctx: Ctx, name: str) -> int:
    """Write the name down and tell the stacks that run; return the exit status."""
    from libnet.lab.world import ensure_box, stacks, write_file

    err = err_of(ctx)
    if not ctx.root:
        err.err("EPERM", "confstr")
    if not valid(name):
        err.err("EINVAL", name)
    try:
        if ctx.box.view != "ns":
            ensure_box(ctx.box)
        write_file(ctx.file(FILE), name + "\n")
    except OSError as exc:
        err.err(exc, FILE)
    notes = [note.prefix for note in stacks(ctx.box)]
    if not notes and os.path.exists(ctx.box.socket(ctx.environ.get("SOCK", ""))):
        notes = [ctx.environ.get("SOCK", "")]
    status = 0
    for prefix in notes:
        try:
            with ctx.control(prefix) as stack:
                stack.call("sysctl", [CTL_KERN, KERN_HOSTNAME], name)
        except NetError as exc:
            if exc.symbol != "EAFNOSUPPORT":  # it has just gone: nothing to tell
                err.warn(exc, "kern.hostname")
                status = 1
    return status
