"""lab impair, cable, air, place: what is wrong with wires, and how airs are."""

from __future__ import annotations

from typing import Any, Final

import click

from cmds.lab.base import AIR, SEGMENT, SEGMENT_NAME, LabError, segment_dir, segments
from libnet.libsocket.ctx import Ctx
from libnet.media.impair import Impairments

_PERCENT: Final = click.FloatRange(0, 100)
_AMOUNT: Final = click.FloatRange(0)


@click.command()
@SEGMENT
@click.option("--loss", type=_PERCENT, metavar="PCT", help="Frames that get lost.")
@click.option("--delay", type=_AMOUNT, metavar="MS", help="How long a frame takes.")
@click.option("--jitter", type=_AMOUNT, metavar="MS", help="By how much that varies.")
@click.option("--dup", type=_PERCENT, metavar="PCT", help="Frames that come twice.")
@click.option("--reorder", type=_PERCENT, metavar="PCT", help="Frames overtaken by the next.")
@click.option("--corrupt", type=_PERCENT, metavar="PCT", help="Frames with one bit wrong.")
@click.option("--rate", type=_AMOUNT, metavar="KBIT", help="Kilobits a second; 0: no limit.")
@click.option("--partition", metavar="A,B|C", help="Boxes that hear each other, in groups.")
@click.option("--seed", type=int, help="Where the dice start.")
@click.option("--clear", is_flag=True, help="Make the wire perfect.")
@click.pass_obj
def impair(ctx: Ctx, /, segment: str, clear: bool, **given: Any) -> None:
    """Change what is wrong with SEGMENT; with no options, show it."""
    from libnet.media.unixseg import BadImpairFile, read_impairments

    directory = segment_dir(ctx, segment)
    changes = {name: value for name, value in given.items() if value is not None}
    if clear:
        if changes:
            raise click.UsageError("--clear goes with nothing else")
        set_impairments(directory, Impairments())
        return
    try:
        now = read_impairments(directory)[0].to_dict()
    except BadImpairFile as exc:
        raise LabError(str(exc)) from None
    if not changes:
        ctx.stdout.write(f"{segment}: {words(Impairments(**now)) or 'nothing wrong'}\n")
        return
    try:
        how = Impairments(**{**now, **changes})
    except ValueError as exc:
        raise click.UsageError(str(exc)) from None
    set_impairments(directory, how)


def set_impairments(directory: str, how: Impairments) -> None:
    """Store *how* and tell every port of the segment."""
    from libnet.media.datagram import IMPAIR
    from libnet.media.unixseg import make_segment, tell, write_impairments

    make_segment(directory)
    write_impairments(directory, how)
    tell(directory, IMPAIR)


def words(how: Impairments) -> str:
    """Return what is wrong in a line, with units; empty when nothing is."""
    units = {"delay": "ms", "jitter": "ms", "rate": "kbit/s", "partition": "", "seed": ""}
    return ", ".join(
        f"{name} {value:g}{units.get(name, '%')}"
        if isinstance(value, float)
        else f"{name} {value}{units.get(name, '%')}"
        for name, value in how.to_dict().items()
    )


@click.command()
@click.argument("nic", metavar="BOX:NIC")
@click.argument("state", type=click.Choice(["up", "down"]))
@click.pass_obj
def cable(ctx: Ctx, nic: str, state: str) -> None:
    """Pull the cable of an interface, or plug it in."""
    from libnet.media.datagram import LINK
    from libnet.media.unixseg import port_name, tell, write_cable

    # As it is described, or as lab status prints it.
    box, mark, name = nic.partition(":") if ":" in nic else nic.rpartition(".")
    label = f"{box}.{name}"
    try:
        if not (box and mark and name):
            raise ValueError("BOX:NIC is wanted")
        port_name(label, 0)
    except ValueError as exc:
        raise click.UsageError(f"{nic}: {exc}") from None
    write_cable(segment_dir(ctx, "any"), label, state == "up")
    for segment in segments(ctx):
        tell(segment_dir(ctx, segment), LINK, label=label)


@click.command("air")
@AIR
@click.option("--exponent", type=float, metavar="N", help="Of the path loss.")
@click.option("--noise", type=float, metavar="DBM", help="The noise floor.")
@click.option("--sense", type=float, metavar="DBM", help="What a sender waits for.")
@click.option("--capture", type=float, metavar="DB", help="By which the stronger frame wins.")
@click.option("--loss", type=float, metavar="PCT", help="Frames that get lost besides.")
@click.option("--seed", type=int, help="Where the dice start.")
@click.option("--clear", is_flag=True, help="Make the air like any.")
@click.pass_obj
def air_(ctx: Ctx, /, air: str, clear: bool, **given: Any) -> None:
    """Change the properties of AIR; with no options, show them."""
    from cmds.lab import airs

    changes = {name: value for name, value in given.items() if value is not None}
    if clear and changes:
        raise click.UsageError("--clear goes with nothing else")
    if clear:
        airs.reset(ctx, air)
    elif changes:
        airs.change(ctx, air, changes)
    else:
        how, _places = airs.read(segment_dir(ctx, air, air=True))
        ctx.stdout.write(f"{air}: {airs.words(how)}\n")


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("nic", metavar="BOX:NIC")
@click.argument("metres", nargs=-1, metavar="[X Y [Z]]")
@click.option("--air", default="", help="The air; without it, the one the radio is in.")
@click.option("--clear", is_flag=True, help="Forget its place.")
@click.pass_obj
def place(ctx: Ctx, nic: str, metres: tuple[str, ...], air: str, clear: bool) -> None:
    """Put the antenna of a radio somewhere, in metres; with no place, show it."""
    from cmds.lab import airs
    from libnet.media.airmodel import position

    if air and not SEGMENT_NAME.match(air):
        raise click.UsageError(f"{air!r} cannot name an air")
    where = None
    if metres:
        if clear:
            raise click.UsageError("--clear goes with no place")
        try:
            where = position([float(word) for word in metres])
        except ValueError:
            text = " ".join(metres)
            raise click.UsageError(f"{text}: two or three numbers of metres are wanted") from None
    ctx.stdout.write(airs.place(ctx, nic, where, air=air, remove=clear))
