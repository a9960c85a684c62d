"""Named counters: one for every way a packet can go."""

from __future__ import annotations


class Stat(dict[str, int]):
    """Counters of one protocol by NetBSD's field name without its prefix; missing ones are 0.

    >>> s = Stat(); s["badsum"] += 1; s["badsum"], s["toosmall"]
    (1, 0)
    """

    def __missing__(self, key: str) -> int:
        return 0
