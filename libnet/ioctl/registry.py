"""Rows of the ioctl table; command word as in NetBSD <sys/ioccom.h>."""

from __future__ import annotations

from typing import Final

from libnet.record import Struct

VOID: Final = 0x20000000
OUT: Final = 0x40000000
IN: Final = 0x80000000
INOUT: Final = 0xC0000000


class Ioctl:
    """One command.

    name    NetBSD's symbol, what travels in the RPC
    group   the letter
    num     the number
    dir     which way the argument travels, seen from the caller: VOID, OUT, IN, INOUT
    arg     Struct subclass, `int`, or None for VOID
    size    octets of the C argument (NetBSD 4, 32-bit), part of the word
    suser   whether only the superuser may
    man     page that documents it
    """

    __slots__ = ("arg", "dir", "group", "man", "name", "num", "size", "suser")

    def __init__(
        self,
        name: str,
        group: str,
        num: int,
        dir: int,
        arg: type[Struct] | type[int] | None,
        *,
        size: int,
        suser: bool = False,
        man: str = "netintro.4",
    ) -> None:
        self.name, self.group, self.num, self.dir = name, group, num, dir
        self.arg, self.size, self.suser, self.man = arg, size, suser, man

    @property
    def word(self) -> int:
        """The 32-bit command word.

        >>> from libnet.ioctl.sockio import SIOCSIFFLAGS
        >>> hex(SIOCSIFFLAGS.word)
        '0x80206910'
        """
        return self.dir | (self.size & 0x1FFF) << 16 | ord(self.group) << 8 | self.num

    def __repr__(self) -> str:
        return self.name


ROWS: Final[dict[str, Ioctl]] = {}


def declare(row: Ioctl) -> Ioctl:
    """Add *row* to the table; a name may appear once.

    One word may have several names where NetBSD shares it (SIOCSETVLAN is SIOCSIFGENERIC).
    """
    if row.name in ROWS:
        raise ValueError(f"{row.name} is declared twice")
    ROWS[row.name] = row
    return row
