"""pf.os(5): passive fingerprints of operating systems, and their names as numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from libnet.ioctl.pf import (
    PF_OSFP_ANY,
    PF_OSFP_CLASS_SHIFT,
    PF_OSFP_DF,
    PF_OSFP_EXPANDED,
    PF_OSFP_GENERIC,
    PF_OSFP_INET6,
    PF_OSFP_LEN,
    PF_OSFP_MAX_OPTS,
    PF_OSFP_MSS_DC,
    PF_OSFP_MSS_MOD,
    PF_OSFP_NODETAIL,
    PF_OSFP_NOMATCH,
    PF_OSFP_PART_MASK,
    PF_OSFP_PSIZE_DC,
    PF_OSFP_PSIZE_MOD,
    PF_OSFP_TCPOPT_BITS,
    PF_OSFP_TCPOPT_MSS,
    PF_OSFP_TCPOPT_NOP,
    PF_OSFP_TCPOPT_SACK,
    PF_OSFP_TCPOPT_TS,
    PF_OSFP_TCPOPT_WSCALE,
    PF_OSFP_TS0,
    PF_OSFP_UNKNOWN,
    PF_OSFP_VERSION_SHIFT,
    PF_OSFP_WSCALE_DC,
    PF_OSFP_WSCALE_MOD,
    PF_OSFP_WSIZE_DC,
    PF_OSFP_WSIZE_MOD,
    PF_OSFP_WSIZE_MSS,
    PF_OSFP_WSIZE_MTU,
    PfOsfp,
)

Say = Callable[[str], None]

# How much longer an IPv6 header is than an IPv4 one.
_IP6_MORE: Final = 20
_CONNECTORS: Final = ". \t-"


class Name:
    """A class, version or subtype: its number, and the names below it, the latest used first."""

    __slots__ = ("name", "num", "sub", "sub_count")

    def __init__(self, name: str) -> None:
        self.name, self.num, self.sub_count = name, 0, 0
        self.sub: list[Name] = []


def _entry(names: list[Name], name: str) -> Name | None:
    """Return the entry of *name*, made if need be, and move it to the front."""
    if not name:
        return None
    lower = name.lower()
    for at, one in enumerate(names):
        if one.name.lower() == lower:
            del names[at]
            break
    else:
        one = Name(name[: PF_OSFP_LEN - 1])
    names.insert(0, one)
    return one


def _find(names: list[Name], name: str) -> Name | None:
    lower = name.lower()
    return next((one for one in names if one.name.lower() == lower), None)


def _by_num(names: list[Name], num: int) -> Name | None:
    return next((one for one in names if one.num == num), None)


class Fingerprints:
    """The names that are loaded, and how many fingerprints."""

    def __init__(self) -> None:
        self.classes: list[Name] = []
        self.class_count = 0
        self.count = 0

    def flush(self) -> None:
        """Forget all."""
        self.__init__()  # type: ignore[misc]

    def add(self, fp: PfOsfp) -> None:
        """Give numbers to the names of a fingerprint from a file; fill in fp.os."""
        class_ = _entry(self.classes, fp.class_nm)
        if class_ is None:
            return
        if class_.num == 0:
            self.class_count += 1
            class_.num = self.class_count
        numbers = [0, 0]
        above = class_
        for level, name in enumerate((fp.version_nm, fp.subtype_nm)):
            one = _entry(above.sub, name)
            if one is None:
                break
            if one.num == 0:
                above.sub_count += 1
                one.num = above.sub_count
            numbers[level] = one.num
            above = one
        fp.os = _pack(class_.num, numbers[0], numbers[1])
        self.count += 1

    def learn(self, fp: PfOsfp) -> None:
        """Take over the names of a fingerprint that the stack has."""
        class_ = _entry(self.classes, fp.class_nm)
        if class_ is None:
            return
        if class_.num == 0:
            class_.num = fp.os >> PF_OSFP_CLASS_SHIFT & PF_OSFP_PART_MASK
        above = class_
        numbers = (fp.os >> PF_OSFP_VERSION_SHIFT & PF_OSFP_PART_MASK, fp.os & PF_OSFP_PART_MASK)
        for number, name in zip(numbers, (fp.version_nm, fp.subtype_nm), strict=True):
            one = _entry(above.sub, name)
            if one is None:
                break
            if one.num == 0:
                one.num = number
            above = one
        self.count += 1

    def number(self, name: str) -> int:
        """Return the packed number of an operating system's name, PF_OSFP_NOMATCH if unknown."""
        if name.lower() == "unknown":
            return PF_OSFP_UNKNOWN
        class_ = _find(self.classes, name)
        if class_ is not None:
            return _pack(class_.num, 0, 0)
        first, blank, rest = name.partition(" ")
        class_ = _find(self.classes, first) if blank else None
        if class_ is None:
            return PF_OSFP_NOMATCH
        version = _find(class_.sub, rest)
        if version is not None:
            return _pack(class_.num, version.num, 0)
        for version in class_.sub:
            size = len(version.name)
            if len(rest) < size + 2 or rest[size] not in _CONNECTORS:
                continue
            if rest[:size].lower() != version.name.lower():
                continue
            subtype = _find(version.sub, rest[size + 1 :])
            if subtype is not None:
                return _pack(class_.num, version.num, subtype.num)
        return PF_OSFP_NOMATCH

    def name(self, os: int) -> str:
        """Return the name of a packed number, "nomatch" if it is not loaded."""
        if os == PF_OSFP_UNKNOWN:
            return "unknown"
        if os == PF_OSFP_ANY:
            return "any"
        class_ = _by_num(self.classes, os >> PF_OSFP_CLASS_SHIFT & PF_OSFP_PART_MASK)
        if class_ is None or os >= 1 << 30:
            return "nomatch"
        text = class_.name
        number = os >> PF_OSFP_VERSION_SHIFT & PF_OSFP_PART_MASK
        if number == 0:
            return text
        version = _by_num(class_.sub, number)
        if version is None:
            return "nomatch"
        text += " " + version.name
        number = os & PF_OSFP_PART_MASK
        if number == 0:
            return text
        subtype = _by_num(version.sub, number)
        if subtype is None:
            return "nomatch"
        dotted = "." in version.name and " " not in version.name and subtype.name[:1].isdigit()
        return text + ("." if dotted else " ") + subtype.name

    def listing(self) -> Iterator[str]:
        """Yield the lines of "pfctl -s osfp" below its header."""
        yield from _listing(self.classes, "")


def _listing(names: list[Name], prefix: str) -> Iterator[str]:
    for one in sorted(names, key=lambda n: n.name.lower()):
        text = f"{prefix}{one.name}\t"[:31]
        yield text
        yield from _listing(one.sub, text)


def _pack(class_: int, version: int, subtype: int) -> int:
    if max(class_, version, subtype) > PF_OSFP_PART_MASK:
        return PF_OSFP_NOMATCH
    return class_ << PF_OSFP_CLASS_SHIFT | version << PF_OSFP_VERSION_SHIFT | subtype


class _BadLine(Exception):
    """A line of pf.os that is left out; the text is its message."""


def parse_pf_os(text: str, filename: str, say: Say) -> Iterator[PfOsfp]:
    """Yield each fingerprint of a file twice, for IPv4 and for IPv6; bad lines are told to *say*.

    Versions and subtypes like "2.0-3" become one fingerprint each.
    """
    for lineno, line in enumerate(text.split("\n"), 1):
        line = line.partition("#")[0].strip()
        if not line:
            continue
        try:
            fp = _line(line)
        except _BadLine as exc:
            say(f"{filename}:{lineno} {exc}")
            continue
        yield from _expanded(fp)
        fp.flags |= PF_OSFP_DF | PF_OSFP_INET6
        fp.psize += _IP6_MORE
        yield from _expanded(fp)


def _line(line: str) -> PfOsfp:
    fields = [field.strip() for field in line.split(":")]
    fields += [""] * (9 - len(fields))
    window, wmod = _number(fields[0], "window size", "*ST%", 0xFFFF)
    ttl, _ = _number(fields[1], "ttl", "", 0xFF)
    df, _ = _number(fields[2], "don't fragment frag", "", 1)
    psize, pmod = _number(fields[3], "overall packet size", "%*", 8192)
    for at, name, least in (
        (4, "TCP Options", 1),
        (5, "OS class", 1),
        (8, "OS description", 2),
    ):
        if len(fields[at]) < least:
            raise _BadLine(f"too short {name}")
    fp = PfOsfp(wsize=window, ttl=ttl, psize=psize)
    _options(fields[4], fp)
    if len(fields) > 9:
        raise _BadLine("excess field")
    fp.flags |= PF_OSFP_DF if df else 0
    fp.flags |= {
        "": 0,
        "*": PF_OSFP_WSIZE_DC,
        "S": PF_OSFP_WSIZE_MSS,
        "T": PF_OSFP_WSIZE_MTU,
        "%": PF_OSFP_WSIZE_MOD,
    }[wmod]
    fp.flags |= {"": 0, "*": PF_OSFP_PSIZE_DC, "%": PF_OSFP_PSIZE_MOD}[pmod]
    class_ = fields[5]
    if class_[0] == "@":
        fp.enflags |= PF_OSFP_GENERIC
    if class_[0] == "*":
        fp.enflags |= PF_OSFP_NODETAIL
    fp.class_nm = class_.removeprefix(class_[0] if class_[0] in "@*" else "")[: PF_OSFP_LEN - 1]
    if fp.class_nm.lower() == "nomatch":
        raise _BadLine('fingerprint class "nomatch" is reserved')
    fp.version_nm, fp.subtype_nm = fields[6][: PF_OSFP_LEN - 1], fields[7][: PF_OSFP_LEN - 1]
    return fp


def _number(field: str, name: str, modifiers: str, top: int) -> tuple[int, str]:
    """Return the number and modifier of a field. Raises _BadLine."""
    if not field:
        raise _BadLine(f"empty {name}")
    modifier = ""
    if field[0] in "%ST*":
        modifier = field[0]
        if modifier not in modifiers:
            raise _BadLine(f"does not allow {modifier}' {name}")
        if modifier == "*" and len(field) > 1:
            raise _BadLine(f"long '*' {name}")
        if modifier == "%" and len(field) == 1:
            raise _BadLine(f"modulus {name} must have a value")
        if len(field) == 1:
            return 0, modifier
        field = field[1:]
    if not (field.isascii() and field.isdigit()):
        raise _BadLine(f"non-digit character in {name}")
    value = int(field[:12])
    if value > top:
        raise _BadLine(f"{name} value {value} > {top}")
    return value, modifier


def _options(text: str, fp: PfOsfp) -> None:
    """Read the TCP options field. Raises _BadLine."""
    wscale, mss = (0, "*"), (0, "*")
    packed = count = 0
    for option in text.split(",") if text != "." else ():
        if count == PF_OSFP_MAX_OPTS:
            break
        letter, value = option[:1].upper(), option[1:]
        if letter in ("N", "S") and not value:
            code = PF_OSFP_TCPOPT_NOP if letter == "N" else PF_OSFP_TCPOPT_SACK
        elif letter == "T" and value in ("", "0"):
            code = PF_OSFP_TCPOPT_TS
            fp.flags |= PF_OSFP_TS0 if value else 0
        elif letter == "W":
            code, wscale = PF_OSFP_TCPOPT_WSCALE, _sized(value, letter)
        elif letter == "M":
            code, mss = PF_OSFP_TCPOPT_MSS, _sized(value, letter)
        else:
            raise _BadLine(f"unknown option to {letter or '?'} TCP opt")
        packed = packed << PF_OSFP_TCPOPT_BITS | code
        count += 1
    fp.tcpopts, fp.optcnt, fp.wscale, fp.mss = packed, count, wscale[0], mss[0]
    fp.flags |= {"": 0, "*": PF_OSFP_WSCALE_DC, "%": PF_OSFP_WSCALE_MOD}[wscale[1]]
    fp.flags |= {"": 0, "*": PF_OSFP_MSS_DC, "%": PF_OSFP_MSS_MOD}[mss[1]]


def _sized(value: str, letter: str) -> tuple[int, str]:
    if value == "*":
        return 0, "*"
    modifier = "%" if value[:1] == "%" else ""
    digits = value[len(modifier) :]
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 9:
        bad = next((c for c in digits if not c.isdigit()), "")
        raise _BadLine(f"unknown character '{bad}' in {letter} TCP opt")
    return int(digits), modifier


def _expanded(fp: PfOsfp) -> Iterator[PfOsfp]:
    """Yield one fingerprint for each version and subtype that "1-3" or "2.0-2" covers."""
    for field in ("version_nm", "subtype_nm"):
        span = _span(getattr(fp, field))
        if span is None:
            continue
        for name in span:
            one = fp.copy()
            setattr(one, field, name)
            one.enflags |= PF_OSFP_EXPANDED
            yield from _expanded(one)
    yield fp.copy()


def _span(text: str) -> list[str] | None:
    """Return the names that "#-#" or "#.#-#.#" stands for, or None for a plain name.

    >>> _span("2.0-2"), _span("2.1-2.3"), _span("7-9"), _span("SP1")
    (None, ['2.1', '2.2', '2.3'], ['7', '8', '9'], None)
    """
    first, dash, last = text.partition("-")
    if not dash or not first or not last:
        return None
    major, dot, low = first.rpartition(".")
    major2, dot2, high = last.rpartition(".")
    if dot != dot2 or major != major2 or len(major) > 1 or (dot and not major.isdigit()):
        return None
    if not (low.isdigit() and high.isdigit() and low.isascii() and high.isascii()):
        return None
    if len(low) > 2 or len(high) > 3:
        return None
    return [f"{major}{dot}{n}" for n in range(int(low), int(high) + 1)]
