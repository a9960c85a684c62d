"""What the verbs of lab(1) share: the names of segments, how trouble is told."""

from __future__ import annotations

import os
import re
from typing import Any, Final

import click

from libnet.libsocket.ctx import Ctx

SEGMENT_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,62}\Z")


class LabError(Exception):
    """What a person must be told, after "lab: "; exit status 1."""


class _SegmentName(click.ParamType):  # type: ignore[type-arg, unused-ignore]
    name = "segment"

    def convert(self, value: Any, param: Any, ctx: Any) -> str:
        """Return *value* if it can name a segment."""
        if not SEGMENT_NAME.match(value):
            self.fail(f"{value!r} cannot name a segment", param, ctx)
        return str(value)


SEGMENT: Final = click.argument("segment", type=_SegmentName())
AIR: Final = click.argument("air", type=_SegmentName())


def segment_dir(ctx: Ctx, name: str, *, air: bool = False) -> str:
    """Return where the segment, or the air, *name* lies."""
    return os.path.join(ctx.box.airs if air else ctx.box.segments, name)


def _names(directory: str) -> list[str]:
    try:
        found = os.listdir(directory)
    except FileNotFoundError:
        return []
    return sorted(name for name in found if SEGMENT_NAME.match(name))


def segments(ctx: Ctx) -> list[str]:
    """Return the names of the world's segments, sorted."""
    return _names(ctx.box.segments)


def air_names(ctx: Ctx) -> list[str]:
    """Return the names of the world's airs, sorted."""
    return _names(ctx.box.airs)


def plural(count: int, noun: str) -> str:
    """Return *count* and *noun*, which gets an s unless there is one.

    >>> plural(1, "packet"), plural(2, "packet")
    ('1 packet', '2 packets')
    """
    return f"{count} {noun}{'' if count == 1 else 's'}"
