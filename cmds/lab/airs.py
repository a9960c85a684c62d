"""Airs as the verbs of lab(1) see them: properties, places, recordings; loaded by those that need it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, BinaryIO

from cmds.lab.base import LabError, air_names, segment_dir
from libnet.libsocket.ctx import Ctx
from libnet.media.airmodel import AirProperties, Position, position
from libnet.media.airunix import BadAirFile, read_air, write_air
from libnet.media.mesh import connect, make_segment, port_name, ports

DEFAULT_AIR = "air0"


def read(directory: str) -> tuple[AirProperties, dict[str, Position]]:
    """Return an air's properties and places. Raises LabError."""
    try:
        how, places, _generation = read_air(directory)
    except BadAirFile as exc:
        raise LabError(str(exc)) from None
    return how, places


def write(directory: str, how: AirProperties, places: dict[str, Position]) -> None:
    """Store both and tell the radios. Raises LabError, OSError."""
    make_segment(directory)
    try:
        write_air(directory, how, places)
    except ValueError as exc:
        raise LabError(f"{directory}: {exc}") from None


def change(ctx: Ctx, air: str, changes: dict[str, Any]) -> None:
    """Change properties of *air*; what is not named stays. Raises LabError."""
    directory = segment_dir(ctx, air, air=True)
    how, places = read(directory)
    try:
        fresh = AirProperties(**{**how.to_dict(), **changes})
    except ValueError as exc:
        raise LabError(str(exc)) from None
    write(directory, fresh, places)


def clear(ctx: Ctx, air: str) -> None:
    """Give *air* the default properties and forget the places in it."""
    write(segment_dir(ctx, air, air=True), AirProperties(), {})


def reset(ctx: Ctx, air: str) -> None:
    """Give *air* the default properties; places stay, unless the file makes no sense."""
    directory = segment_dir(ctx, air, air=True)
    try:
        _how, places = read(directory)
    except LabError:
        places = {}
    write(directory, AirProperties(), places)


def from_table(values: Mapping[str, Any]) -> tuple[AirProperties, dict[str, Position]]:
    """Read an air of a topology: properties, and places as "BOX:NIC" = [x, y]. Raises ValueError."""
    rest = {name: value for name, value in values.items() if name != "places"}
    how = AirProperties.from_dict(rest)
    places = values.get("places", {})
    if not isinstance(places, dict):
        raise ValueError("places: a table is wanted")
    found = {}
    for nic, where in places.items():
        try:
            found[label_of(nic)] = position(where)
        except LabError as exc:
            raise ValueError(str(exc)) from None
        except ValueError as exc:
            raise ValueError(f"{nic}: {exc}") from None
    return how, found


def words(how: AirProperties) -> str:
    """Return the properties in a line, with units."""
    units = {"noise": " dBm", "sense": " dBm", "capture": " dB", "loss": "%"}
    every = {name: getattr(how, name) for name in ("exponent", "noise", "sense", "capture", "loss")}
    parts = [f"{name} {value:g}{units.get(name, '')}" for name, value in every.items()]
    return ", ".join(parts + ([] if how.seed is None else [f"seed {how.seed}"]))


def metres(where: Position) -> str:
    """Return a place as text.

    >>> metres((1.0, -2.5, 0.0)), metres((0.0, 0.0, 3.0))
    ('1 -2.5', '0 0 3')
    """
    x, y, z = where
    return f"{x:g} {y:g}" + (f" {z:g}" if z else "")


def live(directory: str) -> list[tuple[str, int, str]]:
    """Return (label, number, role) of the ports that answer; remove what dead ones left."""
    found = []
    for name, label, number, role in ports(directory):
        sock = connect(directory, name)
        if sock is not None:
            sock.close()
            found.append((label, number, role))
    return found


def label_of(nic: str) -> str:
    """Return the label of BOX:NIC, or of BOX.NIC as lab status prints it. Raises LabError."""
    box, mark, name = nic.partition(":") if ":" in nic else nic.rpartition(".")
    label = f"{box}.{name}"
    try:
        if not (box and mark and name):
            raise ValueError("BOX:NIC is wanted")
        port_name(label, 0)
    except ValueError as exc:
        raise LabError(f"{nic}: {exc}") from None
    return label


def air_of(ctx: Ctx, label: str) -> str:
    """Return the air that *label* is in, or has a place in; the default one for a stranger."""
    known = air_names(ctx)
    for air in known:
        if any(label == other for other, _number, _role in live(segment_dir(ctx, air, air=True))):
            return air
    for air in known:
        if label in read(segment_dir(ctx, air, air=True))[1]:
            return air
    return DEFAULT_AIR


def place(ctx: Ctx, nic: str, where: Position | None, *, air: str, remove: bool) -> str:
    """Put an antenna somewhere; with neither, return what to print. Raises LabError."""
    label = label_of(nic)
    air = air or air_of(ctx, label)
    directory = segment_dir(ctx, air, air=True)
    how, places = read(directory)
    if where is None and not remove:
        at = places.get(label)
        return f"{nic} in {air}: {metres(at) if at else 'nowhere in particular (0 0)'}\n"
    if where is None:
        places.pop(label, None)
    else:
        places[label] = where
    write(directory, how, places)
    return ""


def rows(ctx: Ctx) -> tuple[list[tuple[str, int, str]], list[tuple[str, str, str, str, int]]]:
    """Return rows for status: of airs (name, radios, properties), and of antennas.

    An antenna: label, air, kind, place, number.
    """
    spaces, ends = [], []
    for air in air_names(ctx):
        directory = segment_dir(ctx, air, air=True)
        found = live(directory)
        try:
            how, places = read(directory)
            text = words(how)
        except LabError as exc:
            text, places = str(exc), {}
        spaces.append((air, sum(role == "" for _l, _n, role in found), text))
        for label, number, role in found:
            at = places.get(label)
            kind = {"all": "recorder", "ctl": "tool"}.get(role, "radio")
            ends.append((label, air, kind, metres(at) if at else "-", number))
    return spaces, ends


def record(
    ctx: Ctx, air: str, sink: BinaryIO, *, count: int, snaplen: int, loop: Any
) -> tuple[Any, Any]:
    """Plug a recorder into *air*; return it and its port."""
    from libnet.media.airpcap import AirRecorder
    from libnet.media.airunix import UnixAirPort

    recorder = AirRecorder(sink, loop.clock.wall, snaplen=snaplen, count=count, done=loop.stop)
    recorder.writer.flush()
    port = UnixAirPort(loop, segment_dir(ctx, air, air=True), "capture", role="all")
    port.heard = recorder.heard
    return recorder, port
