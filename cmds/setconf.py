"""setconf: set configuration strings of the box."""

from __future__ import annotations

from cmds._bsd import command, operands, program
from libnet.libsocket.confstr import full_name, set_confstr
from libnet.libsocket.ctx import Ctx

USAGE = "usage: setconf name value [name value ...]"


@command(usage=USAGE)
@operands
def run(ctx: Ctx, operands: tuple[str, ...]) -> int:
    """Set each name to its value; stop at the first that cannot be."""
    if not operands:
        return run.usage(ctx)
    if len(operands) % 2:
        ctx.stderr.write("Invalid number of arguments. Must be a multiple of 2.\n")
        return 1
    for word, value in zip(operands[::2], operands[1::2], strict=True):
        name = full_name(word)
        if name is None:
            ctx.stderr.write(f"Unrecognized variable {word}\n")
            return 1
        if not set_string(ctx, name, value):
            ctx.stderr.write(f"Unable to set {name}\n")
            return 1
    return 0


main = program("setconf", run)


def set_string(ctx: Ctx, name: str, value: str) -> bool:
    """Set one string; tell whether that was possible."""
    if not ctx.root or "\0" in value:
        return False
    if name == "_CS_HOSTNAME":
        from cmds.hostname import set_name, valid

        if not valid(value):
            return False
        try:
            return set_name(ctx, value) == 0
        except SystemExit:
            return False  # it has said why
    try:
        if ctx.box.view != "ns" and ctx.services is None:
            from libnet.lab.world import ensure_box

            ensure_box(ctx.box)
        set_confstr(ctx.box, name, value)
    except OSError:
        return False
    return True
