"""lab up and down: all that a topology file describes, and its end."""

from __future__ import annotations

import json
import os
import sys
from typing import Any, Final

import click

from cmds.lab.base import SEGMENT_NAME, LabError, segment_dir
from cmds.lab.carriers import records, run_dir, start_carrier, stop_carrier
from cmds.lab.outside import start_tap
from cmds.lab.wire import set_impairments
from libnet.libsocket.ctx import Ctx
from libnet.media.impair import Impairments

_BOX_KEYS: Final[dict[str, type]] = {"nics": list, "start": list}
_TAP_KEYS: Final[dict[str, type]] = {
    "segment": str,
    "netns": str,
    "ifname": str,
    "address": list,
    "mac": str,
    "mtu": int,
    "create": bool,
    "plain": bool,
}
_CAPTURE_KEYS: Final[dict[str, type]] = {"segment": str, "file": str}
_LISTS: Final[tuple[tuple[str, dict[str, type], tuple[str, ...]], ...]] = (
    ("tap", _TAP_KEYS, ("segment",)),
    ("capture", _CAPTURE_KEYS, ("segment", "file")),
)
_TOP_KEYS: Final[dict[str, type]] = {
    "segment": dict,
    "air": dict,
    "box": dict,
    "tap": list,
    "capture": list,
}


@click.command()
@click.argument("file")
@click.pass_obj
def up(ctx: Ctx, file: str) -> None:
    """Bring up the segments, airs, boxes, taps and captures that the TOML FILE describes."""
    from cmds.lab import airs

    conf = read_topology(file)
    note = os.path.join(run_dir(ctx), "up.json")
    if os.path.exists(note):
        raise LabError("a lab is up already; lab down ends it")
    for name, how in conf["segment"].items():
        set_impairments(segment_dir(ctx, name), how)
    for name, (properties, places) in conf["air"].items():
        airs.write(segment_dir(ctx, name, air=True), properties, places)
    from libnet.lab.world import BadHardware, World, WorldError

    world = World(ctx.box.world)
    try:
        for name, box in conf["box"].items():
            if not world.described(name):
                world.add_box(name, box.get("nics", []))
    except (WorldError, BadHardware) as exc:
        raise LabError(f"{file}: {exc}") from None
    os.makedirs(run_dir(ctx), 0o700, exist_ok=True)
    with open(note, "w", encoding="utf-8") as out:
        told = {"boxes": conf["box"], "segments": conf["segment"], "airs": conf["air"]}
        json.dump({kind: list(names) for kind, names in told.items()}, out)
    for row in conf["tap"]:
        row = {"netns": "", "ifname": "iopkt0", "address": [], **row}
        start_tap(ctx, row.pop("segment"), addresses=row.pop("address"), **row)
    for row in conf["capture"]:
        where = os.path.abspath(row["file"])
        start_carrier(
            ctx, "capture", row["segment"], "capture", file=where, snaplen=262144, count=0
        )
    for name, box in conf["box"].items():
        for line in box.get("start", []):
            result = _box(ctx, "run", name, "--", "sh", "-c", line)
            if result:
                raise LabError(f"{name}: {line}: exit status {result}; lab down undoes the rest")


@click.command()
@click.option("--remove", is_flag=True, help="Remove the boxes and their files, too.")
@click.pass_obj
def down(ctx: Ctx, remove: bool) -> None:
    """Cut the power of what the last up brought up, and unplug what it plugged in."""
    from cmds.lab import airs

    note = os.path.join(run_dir(ctx), "up.json")
    try:
        with open(note, encoding="utf-8") as file:
            told = json.load(file)
        boxes, segments = list(told["boxes"]), list(told["segments"])
        spaces = list(told.get("airs", []))
    except FileNotFoundError:
        raise LabError("no lab is up") from None
    except (ValueError, KeyError, TypeError):
        raise LabError(f"{note}: cannot be read; remove it") from None
    for name in boxes:
        _box(ctx, "kill", name)
        if remove:
            _box(ctx, "remove", name)
    for record in records(ctx):
        stop_carrier(record)
    for name in segments:
        set_impairments(segment_dir(ctx, name), Impairments())
    for name in spaces:
        airs.clear(ctx, name)
    os.unlink(note)


def _box(ctx: Ctx, *argv: str) -> int:
    """Run box(1) as a process; return its exit status."""
    import subprocess

    code = "import sys; from cmds.box import main; sys.exit(main())"
    environ = {**ctx.environ, "IOPKT_WORLD": ctx.box.world}
    ctx.stdout.flush()
    done = subprocess.run([sys.executable, "-c", code, *argv], env=environ, check=False)
    return done.returncode


def read_topology(file: str) -> dict[str, Any]:
    """Read and check a topology: {"segment": {name: Impairments}, "air", "box", "tap", "capture"}.

    "air" is {name: (AirProperties, places by label)}.

    Raises LabError: "FILE: what: why".
    """
    import tomllib

    try:
        with open(file, "rb") as source:
            raw = tomllib.load(source)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise LabError(f"{file}: {exc}") from None
    try:
        return _check_topology(raw)
    except ValueError as exc:
        raise LabError(f"{file}: {exc}") from None


def _check_topology(raw: dict[str, Any]) -> dict[str, Any]:
    from cmds.lab import airs

    _typed("", raw, _TOP_KEYS)
    conf: dict[str, Any] = {"segment": {}, "air": {}, "box": {}, "tap": [], "capture": []}
    for name, values in raw.get("segment", {}).items():
        _name(f"segment.{name}", name)
        if type(values) is not dict:
            raise ValueError(f"segment.{name}: a table is wanted")
        try:
            conf["segment"][name] = Impairments.from_dict(values)
        except (ValueError, TypeError) as exc:
            raise ValueError(f"segment.{name}: {exc}") from None
    for name, values in raw.get("air", {}).items():
        _name(f"air.{name}", name)
        if type(values) is not dict:
            raise ValueError(f"air.{name}: a table is wanted")
        try:
            conf["air"][name] = airs.from_table(values)
        except (ValueError, TypeError) as exc:
            raise ValueError(f"air.{name}: {exc}") from None
    for name, values in raw.get("box", {}).items():
        _typed(f"box.{name}", values, _BOX_KEYS)
        conf["box"][name] = values
    for kind, keys, needed in _LISTS:
        for number, values in enumerate(raw.get(kind, []), 1):
            where = f"{kind} {number}"
            if type(values) is dict and type(values.get("address")) is str:
                values["address"] = [values["address"]]
            _typed(where, values, keys)
            for key in needed:
                if key not in values:
                    raise ValueError(f"{where}: {key} is missing")
            _name(where, values["segment"])
            conf[kind].append(values)
    return conf


def _name(where: str, name: str) -> None:
    if not SEGMENT_NAME.match(name):
        raise ValueError(f"{where}: {name!r} cannot name a segment")


def _typed(where: str, values: Any, keys: dict[str, type]) -> None:
    prefix = f"{where}: " if where else ""
    if type(values) is not dict:
        raise ValueError(f"{prefix}a table is wanted")
    for key, value in values.items():
        kind = keys.get(key)
        if kind is None:
            raise ValueError(f"{prefix}{key}: no such key")
        if type(value) is not kind:
            raise ValueError(f"{prefix}{key}: wrong kind of value")
        if where and isinstance(value, list) and not all(type(item) is str for item in value):
            raise ValueError(f"{prefix}{key}: a list of texts is wanted")
