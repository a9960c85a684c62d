"""The capture file format of libpcap (pcap-savefile(5)): reading, writing, recording a segment.

Both byte orders and both resolutions (microseconds, magic a1b2c3d4; nanoseconds, a1b23c4d) are read;
what is written is in this machine's order with microseconds. pcapng is another format and is refused
by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from struct import Struct
from typing import BinaryIO, Final, NamedTuple

from libnet.media.offload import fit

DLT_EN10MB: Final = 1
MAX_CAPLEN: Final = 262144  # libpcap's own limit for a record
_MICRO: Final = 0xA1B2C3D4
_NANO: Final = 0xA1B23C4D
_PCAPNG: Final = b"\x0a\x0d\x0d\x0a"
_HEAD: Final = "IHHiIII"
_RECORD: Final = "IIII"
_OUT_HEAD: Final = Struct("=" + _HEAD)
_OUT_RECORD: Final = Struct("=" + _RECORD)


class Packet(NamedTuple):
    """One record.

    time_s   seconds since 1970
    frame    the octets that were kept
    length   octets of the packet on the wire
    """

    time_s: float
    frame: bytes
    length: int


class PcapError(ValueError):
    """A file that is no capture, or ends or goes wrong in the middle.

    packets  those read before the fault
    """

    def __init__(self, text: str, packets: list[Packet]) -> None:
        super().__init__(text)
        self.packets = packets


class PcapReader:
    """The records of a capture file, one after the other.

    linktype  DLT_* of the file
    snaplen   octets that were kept of each packet, as the file says

    Raises PcapError when made, for a file that is no capture.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        head = file.read(24)
        if head[:4] == _PCAPNG:
            raise PcapError("a pcapng file; convert it with editcap -F pcap", [])
        for order in "<>":
            magic = int.from_bytes(head[:4], "little" if order == "<" else "big")
            if magic in (_MICRO, _NANO):
                break
        else:
            raise PcapError("not a pcap file", [])
        if len(head) < 24:
            raise PcapError("the file header is cut off", [])
        _magic, major, minor, _zone, _sigfigs, self.snaplen, link = Struct(order + _HEAD).unpack(
            head
        )
        if major != 2:
            raise PcapError(f"pcap version {major}.{minor} is not known", [])
        self.linktype = link & 0x0FFFFFFF  # above: the length of an FCS
        self._record = Struct(order + _RECORD)
        self._unit = 1e-9 if magic == _NANO else 1e-6

    def __iter__(self) -> Iterator[Packet]:
        """Yield each record. Raises PcapError (its packets are empty: the caller has them)."""
        number = 0
        while True:
            head = self._file.read(16)
            if not head:
                return
            number += 1
            if len(head) < 16:
                raise PcapError(f"record {number} is cut off", [])
            seconds, fraction, caplen, length = self._record.unpack(head)
            if caplen > MAX_CAPLEN:
                raise PcapError(f"record {number} claims {caplen} octets", [])
            frame = self._file.read(caplen)
            if len(frame) < caplen:
                raise PcapError(f"record {number} is cut off", [])
            yield Packet(seconds + fraction * self._unit, frame, length)


def load(file: BinaryIO) -> list[Packet]:
    """Return all records. Raises PcapError, which keeps those before the fault."""
    packets: list[Packet] = []
    try:
        packets.extend(PcapReader(file))
    except PcapError as exc:
        raise PcapError(str(exc), packets) from None
    return packets


class PcapWriter:
    """Write a capture file of Ethernet frames.

    snaplen  octets kept of each frame
    """

    def __init__(
        self, file: BinaryIO, *, snaplen: int = MAX_CAPLEN, linktype: int = DLT_EN10MB
    ) -> None:
        self._file = file
        self._snaplen = min(snaplen, MAX_CAPLEN) or MAX_CAPLEN
        self.count = 0
        file.write(_OUT_HEAD.pack(_MICRO, 2, 4, 0, 0, self._snaplen, linktype))

    def write(self, time_s: float, frame: bytes) -> None:
        """Add one record. *time_s* is seconds since 1970."""
        self.count += 1
        kept = frame[: self._snaplen]
        micros = round(time_s * 1_000_000)
        self._file.write(
            _OUT_RECORD.pack(
                micros // 1_000_000 & 0xFFFFFFFF, micros % 1_000_000, len(kept), len(frame)
            )
        )
        self._file.write(kept)

    def flush(self) -> None:
        """Hand to the host what is buffered."""
        self._file.flush()


class PcapRecorder:
    """Record what passes: a tap of a Segment, or the receive callback of a "~all" port.

    wall   returns seconds since 1970 (Clock.wall)
    count  stop taking after so many packets (0: never)
    done   called once when *count* is reached
    """

    def __init__(
        self,
        file: BinaryIO,
        wall: Callable[[], float],
        *,
        snaplen: int = MAX_CAPLEN,
        count: int = 0,
        done: Callable[[], None] | None = None,
        linktype: int = DLT_EN10MB,
    ) -> None:
        self.writer = PcapWriter(file, snaplen=snaplen, linktype=linktype)
        self._wall, self._limit, self._done = wall, count, done

    def receive(self, frames: Sequence[bytes]) -> None:
        """Record *frames* at this moment; marks are resolved first. Raises OSError: full disk."""
        now = self._wall()
        writer = self.writer
        for frame in fit(frames):
            if self._limit and writer.count >= self._limit:
                break
            writer.write(now, frame)
        writer.flush()
        if self._limit and writer.count >= self._limit and self._done is not None:
            done, self._done = self._done, None
            done()

    def tap(self, now: float, frames: Sequence[bytes]) -> None:
        """Record, as Segment.tap() calls it; *now* is the clock's, the file gets wall time."""
        self.receive(frames)
