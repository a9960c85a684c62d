"""Octets to frozen views and back; one header format per module."""

from __future__ import annotations


class Truncated(ValueError):
    """A buffer ended before the format said it would; tcpdump prints it as [|what]."""

    def __init__(self, what: str, *, need: int, have: int) -> None:
        super().__init__(f"[|{what}] need {need} octets, have {have}")
        self.what, self.need, self.have = what, need, have


class Malformed(ValueError):
    """A field holds a value that the format forbids."""

    def __init__(self, what: str, why: str) -> None:
        super().__init__(f"{what}: {why}")
        self.what, self.why = what, why
