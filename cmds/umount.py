"""umount: take away an interface of a legacy driver."""

from __future__ import annotations

import os

from cmds._bsd import command, err_of, flag, operands, option, program
from cmds._handover import handover
from cmds.mount import server, stack_type
from libnet.errors import NetError
from libnet.libsocket.ctx import Ctx

USAGE = "usage: umount [-v] [-f] [-T type] path [path...]"

IO_NET = "/dev/io-net"


@command(usage=USAGE)
@flag("-f", "force")
@flag("-v", "verbose")
@option("-T", "hint")
@option("-t", "kind")
@operands
def run(
    ctx: Ctx,
    force: bool,
    verbose: bool,
    hint: str | None,
    kind: str | None,
    operands: tuple[str, ...],
) -> int:
    """Ask the stack, or step aside for the host's umount."""
    type_ = hint or kind
    if type_ is None:
        ours = [is_ours(path) for path in operands]
    else:
        ours = [stack_type(type_)] * len(operands)
    if not any(ours) and (operands or type_ is not None):
        argv = ["-f"] if force else []
        argv += ["-v"] if verbose else []
        argv += ["-t", type_] if type_ is not None else []
        handover(ctx, [*argv, *operands])
    if not operands:
        return run.usage(ctx)
    status = 0
    for path, mine in zip(operands, ours, strict=True):
        status |= umount(ctx, type_ or "io-pkt", path, verbose) if mine else foreign(ctx, path)
    return status


main = program("umount", run)


def is_ours(path: str) -> bool:
    """Tell whether *path* is an interface that the stack shows in the file system.

    >>> is_ours("/dev/io-net/en0"), is_ours("/mnt")
    (True, False)
    """
    return os.path.dirname(os.path.normpath(path)) == IO_NET


def umount(ctx: Ctx, type_: str, path: str, verbose: bool) -> int:
    """Unmount one path; return the exit status."""
    err = err_of(ctx)
    try:
        with server(ctx, type_) as stack:
            stack.call("umount", path)
    except NetError as exc:
        # Without a stack there is nothing under /dev/io-net.
        err.warn("ENOENT" if exc.symbol == "ENODEV" else exc, path)
        return 1
    if verbose:
        ctx.stdout.write(f"umount: {path}\n")
    return 0


def foreign(ctx: Ctx, path: str) -> int:
    """Refuse a path of the host among paths of the stack."""
    err_of(ctx).warnx(f"{path}: not the stack's; name it in a command of its own")
    return 1
