"""lab(1): the wires and airs of a world, what is wrong with them, and what else is plugged in."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Final

import click

from cmds._bsd import program
from cmds.lab import outside, play, record, status, topology, wire
from cmds.lab.base import LabError
from libnet.libsocket.ctx import Ctx


@click.group()
def lab() -> None:
    """Manage the segments and airs of a world and what is plugged into them."""


for _verb in (
    outside.tap,
    outside.untap,
    outside.dgram,
    outside.undgram,
    outside.radio,
    outside.unradio,
    record.capture,
    record.inject,
    wire.impair,
    wire.cable,
    wire.air_,
    wire.place,
    status.status,
    topology.up,
    topology.down,
    play.play,
):
    lab.add_command(_verb)


def run(argv: Sequence[str], ctx: Ctx) -> int:
    """Run with *argv*; return the exit status: 1 when it cannot be done, 2 for wrong usage."""
    with contextlib.redirect_stdout(ctx.stdout):  # where click writes its help
        try:
            result = lab.main(list(argv), prog_name=ctx.prog, standalone_mode=False, obj=ctx)
        except click.ClickException as exc:
            exc.show(file=ctx.stderr)
            return exc.exit_code
        except click.Abort:
            return 130
        except LabError as exc:
            ctx.stderr.write(f"{ctx.prog}: {exc}\n")
            return 1
        except OSError as exc:
            what = f"{exc.filename}: " if exc.filename else ""
            ctx.stderr.write(f"{ctx.prog}: {what}{exc.strerror or exc}\n")
            return 1
    return result if isinstance(result, int) else 0


main: Final[Callable[..., int]] = program("lab", run)
