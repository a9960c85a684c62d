"""Sums of service curves, and whether one stays under another (admission control of hfsc)."""

from __future__ import annotations

from collections.abc import Sequence


class Curve:
    """The sum of two-piece linear curves [m1, d, m2]: the service in d ms at m1, then at m2."""

    def __init__(self) -> None:
        self.pieces: list[tuple[float, float, float]] = []

    def add(self, curve: Sequence[int]) -> None:
        """Add one curve; one of zeros changes nothing."""
        m1, d, m2 = curve
        if (d and m1) or m2:
            self.pieces.append((m1 if d else m2, d, m2))

    def at(self, x: float) -> float:
        """Return the service up to *x*."""
        return sum(two_piece(piece, x) for piece in self.pieces)

    def slope_after(self, x: float) -> float:
        """Return the rate just after *x*."""
        return sum(m1 if x < d else m2 for m1, d, m2 in self.pieces)


def two_piece(curve: Sequence[float], x: float) -> float:
    """Return the service of one curve up to *x*.

    >>> two_piece((10, 5, 1), 7)
    52
    """
    m1, d, m2 = curve
    return x * m1 if x <= d else d * m1 + (x - d) * m2


def exceeds(total: Curve, limit: Sequence[int]) -> bool:
    """Tell whether a sum is anywhere above a limit curve.

    Both are straight between their bends, so only bends and the final slopes need a look.

    >>> total = Curve(); total.add([0, 0, 5]); exceeds(total, [0, 0, 4]), exceeds(total, [0, 0, 5])
    (True, False)
    """
    m1, d, m2 = limit
    bends = {0.0, float(d)} | {float(piece[1]) for piece in total.pieces}
    above = (m1 if d else m2, d, m2)
    if any(total.at(x) > two_piece(above, x) for x in bends):
        return True
    return total.slope_after(max(bends)) > m2
