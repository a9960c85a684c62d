"""Media words of <net/if_media.h> in names and back (ifmedia(4)).

A media word holds a type, a subtype, type options, a mode, global options and an instance; the
masks are in `libnet.ioctl.ifflags`. Names are matched without regard to case; of several names for
one value the first is the one that is printed.
"""

from __future__ import annotations

from typing import Final

from libnet.ioctl.ifflags import (
    IFM_ACTIVE,
    IFM_AVALID,
    IFM_ETHER,
    IFM_GMASK,
    IFM_IEEE80211,
    IFM_IMASK,
    IFM_MMASK,
    IFM_NMASK,
    IFM_OMASK,
    IFM_TMASK,
)

IFM_TOKEN: Final = 0x40
IFM_FDDI: Final = 0x60
IFM_CARP: Final = 0xC0
IFM_INST_MAX: Final = 15
IFM_OPTIONS: Final = IFM_OMASK | IFM_GMASK

IFM_IEEE80211_ADHOC: Final = 0x100
IFM_IEEE80211_HOSTAP: Final = 0x200

# Each table is (value, "name name …"); a value without a type is common to all types.
Rows = tuple[tuple[int, str], ...]

TYPES: Final[Rows] = (
    (IFM_ETHER, "Ethernet ether"),
    (IFM_TOKEN, "TokenRing token"),
    (IFM_FDDI, "FDDI"),
    (IFM_IEEE80211, "IEEE802.11"),
    (IFM_CARP, "CARP"),
)

SUBTYPES: Final[Rows] = (
    (0, "autoselect auto"),
    (1, "manual"),
    (2, "none"),
    (0x23, "10baseT 10baseT/UTP UTP 10UTP 10BASE-T"),
    (0x24, "10base2 10base2/BNC BNC 10BNC"),
    (0x25, "10base5 10base5/AUI AUI 10AUI"),
    (0x26, "100baseTX 100TX 100BASE-TX"),
    (0x27, "100baseFX 100FX 100BASE-FX"),
    (0x28, "100baseT4 100T4 100BASE-T4"),
    (0x29, "100baseVG 100VG 100VG-AnyLAN"),
    (0x2A, "100baseT2 100T2 100BASE-T2"),
    (0x2B, "1000baseSX 1000SX 1000BASE-SX"),
    (0x2C, "10baseSTP STP 10STP 10BASE-STP"),
    (0x2D, "10baseFL FL 10FL 10BASE-FL"),
    (0x2E, "1000baseLX 1000LX 1000BASE-LX"),
    (0x2F, "1000baseCX 1000CX 1000BASE-CX"),
    (0x30, "1000baseT 1000T 1000BASE-T"),
    (0x31, "HomePNA1 HPNA1"),
    (0x32, "10GbaseLR 10GLR 10GBASE-LR"),
    (0x33, "10GbaseSR 10GSR 10GBASE-SR"),
    (0x34, "10GbaseCX4 10GCX4 10GBASE-CX4"),
    (0x43, "DB9/4Mbit 4STP"),
    (0x44, "DB9/16Mbit 16STP"),
    (0x45, "UTP/4Mbit 4UTP"),
    (0x46, "UTP/16Mbit 16UTP"),
    (0x63, "Single-mode SMF"),
    (0x64, "Multi-mode MMF"),
    (0x65, "UTP CDDI"),
    # Shorthands for a subtype with an option; they come after the plain names, so are never printed.
    (0x100023, "10baseT-FDX 10BASE-T-FDX"),
    (0x100026, "100baseTX-FDX 100BASE-TX-FDX"),
    (0x83, "FH1"),
    (0x84, "FH2"),
    (0x88, "DS1"),
    (0x85, "DS2"),
    (0x86, "DS5"),
    (0x87, "DS11"),
    (0x89, "DS22"),
    (0x8A, "OFDM6"),
    (0x8B, "OFDM9"),
    (0x8C, "OFDM12"),
    (0x8D, "OFDM18"),
    (0x8E, "OFDM24"),
    (0x8F, "OFDM36"),
    (0x90, "OFDM48"),
    (0x91, "OFDM54"),
    (0x92, "OFDM72"),
)

MODES: Final[Rows] = (
    (0, "autoselect auto"),
    (0x10080, "11a"),
    (0x20080, "11b"),
    (0x30080, "11g"),
    (0x40080, "fh"),
)

OPTIONS: Final[Rows] = (
    (0x00100000, "full-duplex fdx"),
    (0x00200000, "half-duplex hdx"),
    (0x00400000, "flowcontrol flow"),
    (0x01000000, "flag0"),
    (0x02000000, "flag1"),
    (0x04000000, "flag2"),
    (0x08000000, "loopback hw-loopback loop"),
    (0x120, "master"),
    (0x220, "rxpause"),
    (0x420, "txpause"),
    (0x240, "EarlyTokenRelease ETR"),
    (0x440, "SourceRouting SRCRT"),
    (0x840, "AllRoutes ALLR"),
    (0x160, "dual-attach das"),
    (0x180, "adhoc ibss"),
    (0x280, "hostap"),
    (0x480, "monitor"),
    (0x880, "turbo"),
)

_STATUS: Final = {
    IFM_ETHER: ("active", "no carrier"),
    IFM_FDDI: ("inserted", "no ring"),
    IFM_TOKEN: ("inserted", "no ring"),
    IFM_IEEE80211: ("active", "no network"),
    IFM_CARP: ("master", "backup"),
}


def ifm_type(word: int) -> int:
    """Return the type bits of a media word."""
    return word & IFM_NMASK


def ifm_inst(word: int) -> int:
    """Return the instance of a media word, 0 to 15."""
    return (word & IFM_IMASK) >> 28


def make_word(kind: int, subtype: int, options: int, instance: int) -> int:
    """Return the media word of its parts (mode left zero)."""
    return kind | subtype | options | instance << 28


def _matches(value: int, word: int) -> bool:
    return value & IFM_NMASK in (0, word & IFM_NMASK)


def _lookup(rows: Rows, kind: int, name: str) -> int | None:
    wanted = name.lower()
    for value, names in rows:
        if _matches(value, kind) and wanted in names.lower().split(" "):
            return value
    return None


def media_type_string(word: int) -> str:
    """Return the name of a media word's type.

    >>> media_type_string(0x20)
    'Ethernet'
    """
    for value, names in TYPES:
        if value == word & IFM_NMASK:
            return names.split(" ")[0]
    return "<unknown type>"


def media_subtype_string(word: int) -> str:
    """Return the name of a media word's subtype.

    >>> media_subtype_string(0x30), media_subtype_string(0x80)
    ('1000baseT', 'autoselect')
    """
    for value, names in SUBTYPES:
        if _matches(value, word) and value & IFM_TMASK == word & IFM_TMASK:
            return names.split(" ")[0]
    return "<unknown subtype>"


def media_mode_string(word: int) -> str | None:
    """Return the name of a media word's mode, None for a mode without name."""
    for value, names in MODES:
        if _matches(value, word) and value & IFM_MMASK == word & IFM_MMASK:
            return names.split(" ")[0]
    return None


def media_option_strings(word: int) -> list[str]:
    """Return the names of the options set in a media word, global ones first.

    Bits without name are passed over.
    """
    return [
        names.split(" ")[0]
        for value, names in OPTIONS
        if _matches(value, word) and word & value & IFM_OPTIONS
    ]


def media_word(word: int, separator: str = " ") -> str:
    """Return a media word as the tools print it.

    separator  what stands before the first option: " " in a status, " mediaopt " in a list

    >>> media_word(0x100030), media_word(0x20000031)
    ('1000baseT full-duplex', 'HomePNA1 instance 2')
    >>> media_word(0x00030291, " mediaopt ")
    'OFDM54 mode 11g mediaopt hostap'
    """
    text = media_subtype_string(word)
    if word & IFM_MMASK:
        mode = media_mode_string(word)
        if mode is not None:
            text += f" mode {mode}"
    options = media_option_strings(word)
    if options:
        text += separator + ",".join(options)
    if ifm_inst(word):
        text += f" instance {ifm_inst(word)}"
    return text


def media_subtype(kind: int, name: str) -> int | None:
    """Return the word of a subtype name of that type (shorthands carry options), or None.

    >>> media_subtype(0x20, "100basetx-fdx") == 0x100026
    True
    """
    return _lookup(SUBTYPES, kind, name)


def media_mode(kind: int, name: str) -> int | None:
    """Return the mode word of a name, or None."""
    return _lookup(MODES, kind, name)


class UnknownOption(ValueError):
    """A media option has no such name; the argument is the name."""


def media_options(kind: int, names: str) -> int:
    """Return the bits of comma-separated option names; empty parts count for nothing.

    Raises UnknownOption.

    >>> hex(media_options(0x20, "fdx,flow"))
    '0x500000'
    """
    bits = 0
    for name in names.split(","):
        if not name:
            continue
        value = _lookup(OPTIONS, kind, name)
        if value is None:
            raise UnknownOption(name)
        bits |= value & IFM_OPTIONS
    return bits


def media_status(word: int, status: int) -> str | None:
    """Return the text of a status word for the type in *word*; None if it is not valid.

    >>> media_status(0x20, 1), media_status(0x80, 3), media_status(0x20, 0)
    ('no carrier', 'active', None)
    """
    if not status & IFM_AVALID:
        return None
    active, inactive = _STATUS.get(word & IFM_NMASK, ("unknown", "unknown"))
    return active if status & IFM_ACTIVE else inactive
