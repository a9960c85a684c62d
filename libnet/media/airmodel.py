"""What becomes of a radio frame on its way: path loss, signal, and the chance that it comes in damaged.

Pure. Loss follows the log-distance law (Rappaport, Wireless Communications, 4.9.1): free space up to
1 m, and beyond it 10 n log10(d) dB, n being the exponent (2 in free space, about 3 in a building).
Signal is transmit power less loss; the chance of damage is a smooth step in the signal-to-noise ratio,
at a place that depends on the rate, and grows with the length of the frame.

Not modelled: fading, antennas' directions, walls, and neighbouring 11b/g channels, which do not hear
each other at all.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

Position = tuple[float, float, float]  # metres

ORIGIN: Final[Position] = (0.0, 0.0, 0.0)
NEAREST_M: Final = 1.0  # nobody is nearer to another than this
FARTHEST_M: Final = 1e9
TXPOWER_DBM: Final = 15
_LIGHT: Final = 299_792_458.0
_REFERENCE_OCTETS: Final = 1000

# SNR in dB at which half of the frames of 1000 octets come in damaged, by rate in 500 kb/s. CCK's are
# those of its spreading gain; OFDM's rise as the sensitivities of IEEE 802.11 17.3.10.1 do.
_MIDDLE: Final = {
    2: -2.0,
    4: 1.0,
    11: 4.0,
    22: 7.0,
    12: 3.0,
    18: 4.5,
    24: 6.0,
    36: 8.5,
    48: 12.0,
    72: 16.0,
    96: 20.0,
    108: 21.5,
}
_STEEP: Final = 0.7  # dB: how wide the step is
_SURE: Final = 1e-6  # chances nearer to 0 or 1 than this are taken as such
LEAST_SNR: Final = -4.0  # dB: below it a receiver does not even find the preamble

_NUMBERS: Final = {
    "exponent": (1.0, 10.0),
    "noise": (-174.0, 0.0),
    "sense": (-174.0, 0.0),
    "capture": (0.0, 100.0),
    "loss": (0.0, 100.0),
}


class AirProperties:
    """The properties of an air.

    exponent  of the path loss                noise    floor at every receiver, dBm
    sense     carrier sense threshold, dBm    capture  dB by which one of two colliding frames wins
    loss      percent of frames that get lost besides
    seed      number to start the dice from, or None for the operating system's
    """

    __slots__ = ("capture", "exponent", "loss", "noise", "seed", "sense")

    def __init__(
        self,
        *,
        exponent: float = 3.0,
        noise: float = -95.0,
        sense: float = -92.0,
        capture: float = 10.0,
        loss: float = 0.0,
        seed: int | None = None,
    ) -> None:
        """Check the values. Raises ValueError with a sentence that names the wrong one."""
        self.exponent, self.noise, self.sense = exponent, noise, sense
        self.capture, self.loss, self.seed = capture, loss, seed
        for name, (low, high) in _NUMBERS.items():
            value = getattr(self, name)
            if type(value) not in (int, float) or not low <= value <= high:
                raise ValueError(f"{name}: {value!r} is not a number from {low:g} to {high:g}")
        if seed is not None and type(seed) is not int:
            raise ValueError(f"seed: {seed!r} is not a whole number")

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> AirProperties:
        """Read what to_dict() gave. Raises ValueError."""
        unknown = set(values) - set(cls.__slots__)
        if unknown:
            raise ValueError(f"{min(unknown)}: no such property of an air")
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """Return what differs from the default, by name."""
        plain = AirProperties()
        return {
            name: getattr(self, name)
            for name in ("exponent", "noise", "sense", "capture", "loss", "seed")
            if getattr(self, name) != getattr(plain, name)
        }


def position(values: Any) -> Position:
    """Return *values*, two or three finite numbers, as a place. Raises ValueError."""
    if not isinstance(values, list | tuple) or len(values) not in (2, 3):
        raise ValueError("a place is two or three numbers of metres")
    for value in values:
        if type(value) not in (int, float) or not abs(value) <= FARTHEST_M:
            raise ValueError(f"{value!r} is not a number of metres")
    x, y, *z = map(float, values)
    return (x, y, z[0] if z else 0.0)


def reference_loss(freq: int) -> float:
    """Return the loss in dB over the first metre at *freq* MHz: free space, Friis.

    >>> round(reference_loss(2437), 1), round(reference_loss(5180), 1)
    (40.2, 46.7)
    """
    return 20 * math.log10(4 * math.pi * NEAREST_M * freq * 1e6 / _LIGHT)


def spread_loss(one: Position, other: Position, exponent: float) -> float:
    """Return the loss in dB beyond the first metre.

    >>> round(spread_loss((0, 0, 0), (30, 40, 0), 3.0), 1)
    51.0
    """
    distance = math.dist(one, other)
    return 10 * exponent * math.log10(distance) if distance > NEAREST_M else 0.0


def _per(rate: int, octets: int, snr: float) -> float:
    middle = _MIDDLE.get(rate, _MIDDLE[108])
    power = (snr - middle) / _STEEP
    if power > 60:
        return 0.0
    whole = 1.0 / (1.0 + math.exp(max(power, -60.0)))
    # Each octet has the same chance to survive.
    chance = 1.0 - (1.0 - whole) ** (octets / _REFERENCE_OCTETS)
    if chance < _SURE:
        return 0.0
    return 1.0 if chance > 1.0 - _SURE else chance


class ErrorTable:
    """per() remembered: to the half dB, and to the power of two of the length."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[tuple[int, int, int], float] = {}

    def per(self, rate: int, octets: int, snr: float) -> float:
        """Return the chance, 0 to 1, that a frame comes in damaged.

        rate in 500 kb/s, snr in dB. Rises with rate and length, falls with snr.
        """
        key = (rate, octets.bit_length(), int(snr * 2))
        chance = self._known.get(key)
        if chance is None:
            if len(self._known) > 65536:
                self._known.clear()
            chance = self._known[key] = _per(rate, 1 << key[1], key[2] / 2)
        return chance
