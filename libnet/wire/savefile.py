"""Capture files: pcap (draft-ietf-opsawg-pcap) read and written, pcapng (draft-ietf-opsawg-pcapng) read.

pcap of both byte orders, of microseconds and nanoseconds, and of the variant with longer record heads
(magic a1b2cd34) is read; what is written is in this machine's order. The complaints are the texts that
capture tools print.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import BinaryIO, Final, NamedTuple

MAX_SNAPLEN: Final = 262144
# A few link types have packets of many megabytes.
_LARGE: Final = {231: 128 << 20, 249: 128 << 20, 279: 8 << 20}
DLT_RAW: Final = 12
LINKTYPE_RAW: Final = 101

_MICRO: Final = 0xA1B2C3D4
_NANO: Final = 0xA1B23C4D
_MODIFIED: Final = 0xA1B2CD34
_NAVTEL: Final = 0xA12B3C4D
_OLD_VERSIONS: Final = ((2, 4), (2, 3), (2, 2), (2, 1), (2, 0), (543, 0))

_SHB: Final = 0x0A0D0D0A
_IDB, _PB, _SPB, _EPB = 1, 2, 3, 6
_BYTE_ORDER: Final = 0x1A2B3C4D
_MAX_BLOCK: Final = 16 << 20
_MAX_SECTION_HEADER: Final = 1 << 20
_BILLION: Final = 1_000_000_000


class SavefileError(ValueError):
    """A file that is no capture, or goes wrong in the middle; the text is what is printed."""


class Packet(NamedTuple):
    """One packet of a capture.

    sec, nsec  when, since 1970         length  octets on the wire
    data       octets that were kept
    """

    sec: int
    nsec: int
    length: int
    data: bytes


class Reader:
    """What a capture file says of all its packets; iterate for the packets.

    dlt      link type                  snaplen  octets kept of a packet at most
    swapped  whether the file is of the other byte order than this machine's
    nano     whether its times have nanoseconds
    """

    dlt: int
    snaplen: int
    swapped: bool
    nano = False

    def __iter__(self) -> Iterator[Packet]:
        """Yield each packet. Raises SavefileError where the file goes wrong."""
        raise AssertionError("each format has its own")


def open_savefile(file: BinaryIO) -> Reader:
    """Return the reader for what *file* is. Raises SavefileError, OSError."""
    magic = file.read(4)
    if len(magic) < 4:
        raise SavefileError(
            f"truncated dump file; tried to read 4 file header bytes, only got {len(magic)}"
        )
    for order in ("little", "big"):
        number = int.from_bytes(magic, "little" if order == "little" else "big")
        if number in (_MICRO, _NANO, _MODIFIED, _NAVTEL):
            return PcapReader(file, order, number)
    if int.from_bytes(magic, "big") == _SHB:
        return PcapngReader(file)
    raise SavefileError("unknown file format")


def _native() -> str:
    return "little" if Struct("=H").pack(1)[0] else "big"


def _max_snaplen(dlt: int) -> int:
    return _LARGE.get(dlt, MAX_SNAPLEN)


class PcapReader(Reader):
    """A pcap file behind its magic number."""

    def __init__(self, file: BinaryIO, order: str, magic: int) -> None:
        """Read the file header. Raises SavefileError."""
        self._file = file
        self.swapped = order != _native()
        self.nano = magic == _NANO
        mark = "<" if order == "little" else ">"
        head = file.read(20)
        if len(head) < 20:
            raise SavefileError(
                f"truncated dump file; tried to read 24 file header bytes, only got {len(head)}"
            )
        major, minor, _zone, _sigfigs, snaplen, link = Struct(mark + "HHiIII").unpack(head)
        if major < 2:
            raise SavefileError("archaic pcap savefile format")
        if (major, minor) not in _OLD_VERSIONS:
            raise SavefileError(f"unsupported pcap savefile version {major}.{minor}")
        self.dlt = _dlt(link & 0x03FFFFFF)
        if snaplen == 0 or snaplen > 0x7FFFFFFF:
            snaplen = _max_snaplen(self.dlt)
        self.snaplen = snaplen
        # Before version 2.3 the two lengths stood the other way round; some 2.3 files have that still.
        self._old = major == 2 and minor < 3
        self._mixed = major == 2 and minor == 3
        self._record = Struct(mark + ("IIIIIHBB" if magic == _MODIFIED else "IIII"))

    def __iter__(self) -> Iterator[Packet]:
        """Yield each packet. Raises SavefileError."""
        read, unpack, size = self._file.read, self._record.unpack, self._record.size
        snaplen, unit = self.snaplen, 1 if self.nano else 1000
        largest = _max_snaplen(self.dlt)
        simple = not self._old and not self._mixed
        while True:
            head = read(size)
            if len(head) < size:
                if not head:
                    return
                raise SavefileError(
                    f"truncated dump file; tried to read {size} header bytes, only got {len(head)}"
                )
            sec, fraction, caplen, length = unpack(head)[:4]
            if not simple and (self._old or caplen > length):
                caplen, length = length, caplen
            if caplen > largest:
                what = f"snaplen of {snaplen}" if caplen > snaplen else f"maximum of {largest}"
                raise SavefileError(f"invalid packet capture length {caplen}, bigger than {what}")
            data = read(caplen)
            if len(data) < caplen:
                raise SavefileError(
                    f"truncated dump file; tried to read {caplen} captured bytes, "
                    f"only got {len(data)}"
                )
            yield Packet(sec, fraction * unit, length, data[:snaplen])


class _Interface:
    """What an Interface Description Block says about times: units a second, offset in seconds."""

    __slots__ = ("offset", "units")

    def __init__(self, units: int, offset: int) -> None:
        self.units, self.offset = units, offset


class PcapngReader(Reader):
    """A pcapng file behind its first block type. All its interfaces must be of one kind."""

    def __init__(self, file: BinaryIO) -> None:
        """Read up to the first interface. Raises SavefileError."""
        self._file = file
        self._interfaces: list[_Interface] = []
        head = file.read(8)
        if len(head) < 8:
            raise SavefileError("unknown file format")
        for mark in "<>":
            if Struct(mark + "I").unpack(head[4:])[0] == _BYTE_ORDER:
                break
        else:
            raise SavefileError("unknown file format")
        self._u16, self._u32 = Struct(mark + "H"), Struct(mark + "I")
        self._u64, self._mark = Struct(mark + "q"), mark
        self.swapped = (mark == "<") != (_native() == "little")
        (total,) = self._u32.unpack(head[:4])
        if not 28 <= total <= _MAX_SECTION_HEADER:
            raise SavefileError(
                "Section Header Block in pcapng dump file has invalid length "
                f"28 < _{total}_ < {_MAX_SECTION_HEADER} (BT_SHB_INSANE_MAX)"
            )
        self._section(head[4:] + self._read(total - 12), total, first=True)
        self.dlt = -1
        while self.dlt < 0:
            block = self._block()
            if block is None:
                raise SavefileError("the capture file has no Interface Description Blocks")
            kind, body = block
            if kind == _IDB:
                self._interface(body)
            elif kind in (_EPB, _SPB, _PB):
                raise SavefileError(
                    "the capture file has a packet block before any Interface Description Blocks"
                )

    # -- blocks

    def _read(self, size: int, *, may_end: bool = False) -> bytes:
        octets = self._file.read(size)
        if len(octets) < size and not (may_end and not octets):
            raise SavefileError(
                f"truncated pcapng dump file; tried to read {size} bytes, only got {len(octets)}"
            )
        return octets

    def _block(self) -> tuple[int, bytes] | None:
        """Return the next block's type and body; None at the end."""
        head = self._read(8, may_end=True)
        if not head:
            return None
        kind, total = self._u32.unpack(head[:4])[0], self._u32.unpack(head[4:])[0]
        if kind == _SHB:
            return kind, self._new_section(head)
        if total < 12:
            raise SavefileError(f"block in pcapng dump file has a length of {total} < 12")
        if total % 4:
            raise SavefileError(
                f"block in pcapng dump file has a length of {total} that is not a multiple of 4"
            )
        if total > _MAX_BLOCK:
            raise SavefileError(f"pcapng block size {total} > maximum {_MAX_BLOCK}")
        rest = self._read(total - 8)
        if self._u32.unpack(rest[-4:])[0] != total:
            raise SavefileError("block total length in header and trailer don't match")
        return kind, rest[:-4]

    def _new_section(self, head: bytes) -> bytes:
        magic = self._read(4)
        if self._u32.unpack(magic)[0] != _BYTE_ORDER:
            if int.from_bytes(magic, "little") == _BYTE_ORDER or (
                int.from_bytes(magic, "big") == _BYTE_ORDER
            ):
                raise SavefileError("the file has sections with different byte orders")
            raise SavefileError("the file has a section with a bad byte order magic field")
        (total,) = self._u32.unpack(head[4:])
        if not 28 <= total <= _MAX_SECTION_HEADER or total % 4:
            raise SavefileError(f"block in pcapng dump file has a length of {total} < 28")
        self._section(magic + self._read(total - 12), total, first=False)
        return b""

    def _section(self, rest: bytes, total: int, *, first: bool) -> None:
        """Begin a section: *rest* is its header from the byte order magic to the trailer."""
        major, minor = self._u16.unpack(rest[4:6])[0], self._u16.unpack(rest[6:8])[0]
        if self._u32.unpack(rest[-4:])[0] != total:
            raise SavefileError("block total length in header and trailer don't match")
        if major != 1 or minor not in (0, 2):
            if first:
                raise SavefileError(f"unsupported pcapng savefile version {major}.{minor}")
            raise SavefileError(f"unknown pcapng savefile major version number {major}")
        self._interfaces.clear()

    def _interface(self, body: bytes) -> None:
        if len(body) < 8:
            raise SavefileError(f"block of type {_IDB} in pcapng dump file is too short")
        dlt = _dlt(self._u16.unpack(body[:2])[0])
        (snaplen,) = self._u32.unpack(body[4:8])
        if self.dlt < 0:
            self.dlt = dlt
            if snaplen == 0 or snaplen > 0x7FFFFFFF:
                snaplen = _max_snaplen(dlt)
            self.snaplen = snaplen
        elif dlt != self.dlt:
            raise SavefileError(
                f"an interface has a type {dlt} different from the type of the first interface"
            )
        elif (snaplen or _max_snaplen(dlt)) != self.snaplen:
            raise SavefileError(
                f"an interface has a snapshot length {snaplen} different from the snapshot length "
                "of the first interface"
            )
        units, offset = self._times(body[8:])
        if units > 1_000_000:
            self.nano = True
        self._interfaces.append(_Interface(units, offset))

    def _times(self, options: bytes) -> tuple[int, int]:
        """Return if_tsresol as units a second, and if_tsoffset."""
        what = "Interface Description Block"
        units, offset = 1_000_000, 0
        seen: set[int] = set()
        at = 0
        while at < len(options):
            if at + 4 > len(options):
                raise SavefileError(f"block of type {_IDB} in pcapng dump file is too short")
            code, size = (self._u16.unpack_from(options, at + 2 * n)[0] for n in (0, 1))
            value = options[at + 4 : at + 4 + size]
            at += 4 + (size + 3 & ~3)
            if at > len(options):
                raise SavefileError(f"block of type {_IDB} in pcapng dump file is too short")
            if code == 0:
                if size:
                    raise SavefileError(f"{what} has opt_endofopt option with length {size} != 0")
                break
            row = {9: ("if_tsresol", 1), 14: ("if_tsoffset", 8)}.get(code)
            if row is None:
                continue
            name, wanted = row
            if size != wanted:
                raise SavefileError(f"{what} has {name} option with length {size} != {wanted}")
            if code in seen:
                raise SavefileError(f"{what} has more than one {name} option")
            seen.add(code)
            if code == 14:
                (offset,) = self._u64.unpack(value)
                continue
            power = value[0] & 0x7F
            base, most = (2, 63) if value[0] & 0x80 else (10, 19)
            if power > most:
                raise SavefileError(f"{what} {name} option resolution {base}^-{power} is too high")
            units = base**power
        return units, offset

    # -- packets

    def __iter__(self) -> Iterator[Packet]:
        """Yield each packet. Raises SavefileError."""
        epb, pb = Struct(self._mark + "IIIII"), Struct(self._mark + "HHIIII")
        while True:
            block = self._block()
            if block is None:
                return
            kind, body = block
            if kind == _EPB:
                if len(body) < 20:
                    raise SavefileError(f"block of type {kind} in pcapng dump file is too short")
                number, high, low, caplen, length = epb.unpack_from(body)
                at = 20
            elif kind == _PB:
                if len(body) < 20:
                    raise SavefileError(f"block of type {kind} in pcapng dump file is too short")
                number, _drops, high, low, caplen, length = pb.unpack_from(body)
                at = 20
            elif kind == _SPB:
                if len(body) < 4:
                    raise SavefileError(f"block of type {kind} in pcapng dump file is too short")
                (length,) = self._u32.unpack(body[:4])
                number, high, low, at = 0, 0, 0, 4
                caplen = min(length, self.snaplen)
            else:
                if kind == _IDB:
                    self._interface(body)
                continue
            if number >= len(self._interfaces):
                raise SavefileError(
                    f"a packet arrived on interface {number}, but there's no Interface Description "
                    "Block for that interface"
                )
            if caplen > self.snaplen:
                raise SavefileError(
                    f"invalid packet capture length {caplen}, bigger than snaplen of {self.snaplen}"
                )
            data = body[at : at + caplen]
            if len(data) < caplen:
                raise SavefileError(f"block of type {kind} in pcapng dump file is too short")
            where = self._interfaces[number]
            sec, part = divmod(high << 32 | low, where.units)
            nsec = part * _BILLION // where.units
            yield Packet(sec + where.offset, nsec, length, data)


def _dlt(link: int) -> int:
    """Return the link type that a file's number stands for."""
    return DLT_RAW if link == LINKTYPE_RAW else link


class Writer:
    """A pcap file of packets of link type *dlt*.

    snaplen  what the header says             nano  times with nanoseconds
    """

    def __init__(
        self, file: BinaryIO, dlt: int, *, snaplen: int = MAX_SNAPLEN, nano: bool = False
    ) -> None:
        self._write = file.write
        self._unit = 1 if nano else 1000
        self._pack = Struct("=IIII").pack
        link = LINKTYPE_RAW if dlt == DLT_RAW else dlt
        head = Struct("=IHHiIII").pack(_NANO if nano else _MICRO, 2, 4, 0, 0, snaplen, link)
        self.size = file.write(head) or len(head)

    def write(self, packet: Packet) -> None:
        """Add a packet. Raises OSError."""
        sec, nsec, length, data = packet
        head = self._pack(sec & 0xFFFFFFFF, nsec // self._unit, len(data), length)
        self._write(head)
        self._write(data)
        self.size += 16 + len(data)
