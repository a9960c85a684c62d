"""lab play: a transcript, run and shown as it happens."""

from __future__ import annotations

import click

from cmds.lab.base import LabError
from libnet.libsocket.ctx import Ctx


@click.command()
@click.argument("file", type=click.Path(dir_okay=False))
@click.option("--here", is_flag=True, help="In this world, instead of one made for it.")
@click.pass_obj
def play(ctx: Ctx, file: str, here: bool) -> int:
    """Run the transcript FILE and show it as it happens; stop where it differs."""
    from libnet.lab.play import Player
    from libnet.lab.transcript import BadTranscript, Mismatch, parse
    from libnet.lab.transcript import run as run_steps

    def show(text: str) -> None:
        ctx.stdout.write(text)
        ctx.stdout.flush()

    with open(file, encoding="utf-8") as text:
        try:
            steps = parse(text.read())
        except BadTranscript as exc:
            raise LabError(f"{file}:{exc}") from None
    with Player(ctx.environ, ctx.box.world if here else "") as player:
        try:
            run_steps(steps, player, show)
        except Mismatch as exc:
            raise LabError(f"{file}: {exc}") from None
    return 0
