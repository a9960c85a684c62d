"""getconf: print configuration strings of the box."""

from __future__ import annotations

from collections.abc import Sequence

from cmds._bsd import command, flag, operands, program
from cmds._handover import handover, in_process, not_ours
from libnet.libsocket.confstr import NAMES, confstr, full_name
from libnet.libsocket.ctx import Ctx

USAGE = "usage: getconf name\n       getconf -a"


@command(usage=USAGE)
@flag("-a", "every")
@operands
def run(ctx: Ctx, every: bool, operands: tuple[str, ...]) -> int:
    """Print the value of a name, or all names and values."""
    if every and not operands:
        width = max(map(len, NAMES)) + 1
        for name in NAMES:
            ctx.stdout.write(f"{name + ':':<{width}} {shown(confstr(ctx.box, name))}\n")
        return 0
    if every or len(operands) != 1:
        return run.usage(ctx)
    name_ = full_name(operands[0])
    if name_ is None:
        ctx.stderr.write(f"Unrecognized variable {operands[0]}\n")
        return 1
    ctx.stdout.write(f"{shown(confstr(ctx.box, name_))}\n")
    return 0


def _main(argv: Sequence[str], ctx: Ctx) -> int:
    # What is no string of a box, such as PAGESIZE, a script asks of the machine that it runs on.
    unknown = any(word[:1] != "-" and full_name(word) is None for word in argv)
    if not_ours(ctx) or (in_process(ctx) and argv and (unknown or argv[0] == "-v")):
        handover(ctx, argv)
    return run.run(argv, ctx)


main = program("getconf", _main)


def shown(value: str | None) -> str:
    r"""Return a value as it is printed: control characters by their escapes.

    >>> shown("a\nb\x01"), shown(None)
    ('a\\nb\\x01', 'undefined')
    """
    if value is None:
        return "undefined"
    return "".join(_ESCAPES.get(c) or (c if c.isprintable() else f"\\x{ord(c):02x}") for c in value)


_ESCAPES = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}
