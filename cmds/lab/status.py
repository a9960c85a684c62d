"""lab status: segments and airs, the ports on them, and what carries frames for the outside."""

from __future__ import annotations

import contextlib
import os
from typing import Any, Final

import click

from cmds.lab.base import segment_dir, segments
from cmds.lab.carriers import records
from cmds.lab.wire import words
from libnet.libsocket.ctx import Ctx

REPORT_S: Final = 0.3  # how long status waits for the counters of ports


@click.command()
@click.option("-v", "--verbose", is_flag=True, help="Ask every port for its counters.")
@click.pass_obj
def status(ctx: Ctx, verbose: bool) -> None:
    """Show segments and airs, the ports on them, and what carries frames for the outside."""
    from tabulate import tabulate

    from libnet.media.unixseg import (
        CABLE_DIR,
        BadImpairFile,
        connect,
        ports,
        read_impairments,
    )

    wires, ends = [], []
    for segment in segments(ctx):
        directory = segment_dir(ctx, segment)
        live = []
        for name, label, number, role in ports(directory):
            sock = connect(directory, name)  # a dead one is removed
            if sock is not None:
                sock.close()
                live.append((label, number, role))
        try:
            wrong = words(read_impairments(directory)[0]) or "-"
        except BadImpairFile as exc:
            wrong = str(exc)
        wires.append((segment, sum(role == "" for _l, _n, role in live), wrong))
        counters = _ask(ctx, segment, len(live)) if verbose and live else {}
        for label, number, role in live:
            row = [label, segment, {"all": "recorder", "ctl": "tool"}.get(role, "port")]
            if verbose:
                told = counters.get(number)
                row.append("no answer" if told is None else _counts(told))
            ends.append(row)
    out = ctx.stdout
    out.write(tabulate(wires, ["segment", "ports", "wrong"], disable_numparse=True) + "\n")
    if ends:
        heads = ["port", "segment", "kind", *(["counters"] if verbose else [])]
        out.write("\n" + tabulate(ends, heads, disable_numparse=True) + "\n")
    _status_airs(ctx, verbose=verbose)
    carriers = [
        (c["kind"], os.path.basename(c["segment"]), _what(c), str(c["pid"])) for c in records(ctx)
    ]
    if carriers:
        heads = ["carrier", "segment", "what", "pid"]
        out.write("\n" + tabulate(carriers, heads, disable_numparse=True) + "\n")
    with contextlib.suppress(FileNotFoundError):
        pulled = sorted(os.listdir(os.path.join(ctx.box.segments, CABLE_DIR)))
        if pulled:
            names = [":".join(label.rpartition(".")[::2]) for label in pulled]
            out.write("\ncables down: " + " ".join(names) + "\n")


def _status_airs(ctx: Ctx, *, verbose: bool) -> None:
    """Show airs and the antennas in them, if there are any."""
    from tabulate import tabulate

    if not os.path.isdir(ctx.box.airs):
        return
    from cmds.lab import airs

    spaces, ends = airs.rows(ctx)
    if not spaces:
        return
    out = ctx.stdout
    out.write(
        "\n" + tabulate(spaces, ["air", "radios", "properties"], disable_numparse=True) + "\n"
    )
    if not ends:
        return
    heads = ["port", "air", "kind", "place"]
    rows = [list(end[:4]) for end in ends]
    if verbose:
        heads.append("counters")
        asked = {
            air: _ask(ctx, air, sum(end[1] == air for end in ends), air=True)
            for air in {end[1] for end in ends}
        }
        for row, end in zip(rows, ends, strict=True):
            told = asked[end[1]].get(end[4])
            row.append("no answer" if told is None else _counts(told))
    out.write("\n" + tabulate(rows, heads, disable_numparse=True) + "\n")


def _counts(told: dict[str, Any]) -> str:
    rest = {k: v for k, v in told.items() if k not in ("label", "carrier")}
    words = [f"{name.replace(' ', '-')}={value}" for name, value in sorted(rest.items())]
    return " ".join(([] if told.get("carrier", True) else ["no-carrier"]) + words) or "-"


def _what(carrier: dict[str, Any]) -> str:
    if carrier["kind"] == "tap":
        where = f"{carrier['ifname']} in {carrier['netns'] or 'the host'}"
        return f"{where} {carrier['address']}".rstrip()
    if carrier["kind"] in ("dgram", "radio"):
        return f"{carrier['local']} to {carrier['remote']}"
    return str(carrier["file"])


def _ask(ctx: Ctx, segment: str, count: int, *, air: bool = False) -> dict[int, dict[str, Any]]:
    """Return the counters of the ports that answer, by number."""
    from libnet.loop.loop import Loop
    from libnet.media.unixseg import Asker

    loop = Loop()
    asker = Asker(loop, segment_dir(ctx, segment, air=air))
    try:
        asker.ask()
        until = loop.clock.now + REPORT_S
        while len(asker.reports) < count and loop.clock.now < until:
            loop.run_once(until - loop.clock.now)
        return asker.reports
    finally:
        asker.close()
        loop.close()
