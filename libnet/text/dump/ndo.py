"""What every printer shares: options, the line being built, and how octets and names are told.

A printer is a function of (ndo, b, o, …): *b* is the packet, cut at the end of what was captured or
of what the layer below says belongs to it; *o* is where the printer's own header starts. Offsets stay
true when *b* is cut, since only its tail ever goes. Text is added with ndo.p().

Reading past the end of *b* ends the line with " [|proto]", the marker of whatever printer was at
work. That is done without tests in the way of the normal case: an index or unpack_from() past the end
raises, and print_packet() catches. Slices do not raise, so who takes one calls need() first.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any, Final, NoReturn, Protocol

from libnet.wire.cksum import in_cksum

MAXIMUM_SNAPLEN: Final = 262144
IPPROTO_TCP: Final = 6
IPPROTO_UDP: Final = 17

Tok = Mapping[int, str]
Bits = Sequence[tuple[int, str]]
Printer = Callable[..., Any]

_I = struct.Struct("!I").unpack_from
_Q = struct.Struct("!Q").unpack_from
_V4 = struct.Struct("!BBBB").unpack


class Trunc(Exception):
    """The packet ended before the printer was done."""


# What reading past the end of a packet raises, in any of its ways.
TRUNCATED: Final = (Trunc, IndexError, struct.error)


class Names(Protocol):
    """Where names come from when -n is not given; None means: print the number."""

    def host(self, addr: int) -> str | None:
        """Return the name of an IPv4 address, a host integer."""

    def host6(self, addr: bytes) -> str | None:
        """Return the name of an IPv6 address, 16 octets."""

    def ether(self, addr: bytes) -> str | None:
        """Return the name of a MAC address."""

    def port(self, port: int, proto: str) -> str | None:
        """Return the service of a "tcp" or "udp" port."""


def lazy(where: str) -> Printer:
    """Return the printer "module.function" of this room, imported when it is first used."""
    module, _, name = where.partition(".")
    found: Printer | None = None

    def printer(*args: Any, **options: Any) -> Any:
        nonlocal found
        if found is None:
            found = getattr(import_module(f"libnet.text.dump.{module}"), name)
        return found(*args, **options)

    return printer


def u1(b: bytes, o: int) -> int:
    """Return one octet."""
    return b[o]


def u2(b: bytes, o: int) -> int:
    """Return two octets, network order."""
    return b[o] << 8 | b[o + 1]


def u3(b: bytes, o: int) -> int:
    """Return three octets, network order."""
    return b[o] << 16 | b[o + 1] << 8 | b[o + 2]


def u4(b: bytes, o: int) -> int:
    """Return four octets, network order."""
    return _I(b, o)[0]  # type: ignore[no-any-return]


def u8(b: bytes, o: int) -> int:
    """Return eight octets, network order."""
    return _Q(b, o)[0]  # type: ignore[no-any-return]


def s4(b: bytes, o: int) -> int:
    """Return four octets, network order, signed."""
    value: int = _I(b, o)[0]
    return value - (1 << 32) if value & 0x80000000 else value


def le2(b: bytes, o: int) -> int:
    """Return two octets, little end first."""
    return b[o] | b[o + 1] << 8


def le4(b: bytes, o: int) -> int:
    """Return four octets, little end first."""
    return b[o] | b[o + 1] << 8 | b[o + 2] << 16 | b[o + 3] << 24


def need(b: bytes, o: int, n: int) -> None:
    """Raise Trunc unless *n* octets from *o* were captured."""
    if o + n > len(b):
        raise Trunc


def take(b: bytes, o: int, n: int) -> bytes:
    """Return *n* octets from *o*; raises Trunc."""
    if o + n > len(b):
        raise Trunc
    return b[o : o + n]


def tok2str(toks: Tok, fmt: str, value: int) -> str:
    """Return the word for *value*, or *fmt* with the number in it if it has a place for one."""
    text = toks.get(value)
    if text is not None:
        return text
    return fmt % value if "%" in fmt else fmt


def bittok2str(toks: Bits, fmt: str, value: int, sep: str = ", ") -> str:
    """Return the words of the bits in *value*; *fmt* if it has none."""
    text = sep.join([word for bit, word in toks if bit and value & bit == bit])
    if text:
        return text
    return fmt % value if "%" in fmt else fmt


def _shown(c: int) -> str:
    out = ""
    if c & 0x80:
        c &= 0x7F
        out = "M-"
    if not 0x20 <= c < 0x7F:
        c ^= 0x40
        out += "^"
    return out + chr(c)


_SHOWN: Final = tuple(_shown(c) for c in range(256))
# A byte as the character column of a dump has it, and as -A has it.
_COLUMN: Final = bytes(c if 0x20 < c < 0x7F else 0x2E for c in range(256))
_TEXT: Final = bytes(c if 0x20 <= c < 0x7F or c in (9, 10) else 0x2E for c in range(256))


def shown(data: bytes) -> str:
    """Return text of any octets: ^X for control characters, M- before those of the upper half."""
    return "".join([_SHOWN[c] for c in data])


def hexa(data: bytes) -> str:
    """Return octets in hex, run together."""
    return data.hex()


def relts(secs: int) -> str:
    """Return a number of seconds as 1w2d3h4m5s."""
    if secs < 0:
        return "-" + relts(-secs)
    if secs == 0:
        return "0s"
    out = ""
    for unit, length in (("y", 31536000), ("w", 604800), ("d", 86400), ("h", 3600), ("m", 60)):
        if secs >= length:
            out += f"{secs // length}{unit}"
            secs %= length
    return out + f"{secs}s" if secs else out


def mask2plen(mask: int) -> int:
    """Return the prefix length of an IPv4 mask, or -1 if it has holes."""
    inverse = mask ^ 0xFFFFFFFF
    return -1 if inverse & (inverse + 1) else 32 - inverse.bit_length()


def cksum_shouldbe(found: int, computed: int) -> int:
    """Return what a checksum field should have been.

    found     what stands there
    computed  in_cksum() of everything, the field included
    """
    value = found + computed
    value = (value & 0xFFFF) + (value >> 16)
    return (value & 0xFFFF) + (value >> 16)


def inet_ntop6(a: bytes) -> str:
    """Return an IPv6 address as inet_ntop(3) writes it."""
    words = struct.unpack("!8H", a)
    best, best_len, start = -1, 0, -1
    for i in range(9):
        if i < 8 and words[i] == 0:
            if start < 0:
                start = i
        elif start >= 0:
            if i - start > best_len:
                best, best_len = start, i - start
            start = -1
    if best_len < 2:
        best = -1
    if best == 0 and (best_len == 6 or (best_len == 5 and words[5] == 0xFFFF)):
        head = "::ffff:" if best_len == 5 else "::"
        return head + ".".join(map(str, a[12:]))
    if best < 0:
        return ":".join([f"{w:x}" for w in words])
    left = ":".join([f"{w:x}" for w in words[:best]])
    right = ":".join([f"{w:x}" for w in words[best + best_len :]])
    return f"{left}::{right}"


class Ndo:
    """The options of one tcpdump, its state between packets, and the line being printed.

    vflag tflag xflag Xflag Aflag qflag nflag  how often the letter was given
    packettype   what -T said: "snmp", "radius", … or ""
    names        the tables of the box, or None
    localtime    seconds since 1970 -> (year, month, day, hour, minute, second)
    nano         times have nine digits
    esp          decrypts ESP (cmds/tcpdump), or None
    """

    def __init__(self) -> None:
        self.vflag = self.tflag = self.xflag = self.Xflag = self.Aflag = 0
        self.qflag = self.nflag = 0
        self.eflag = self.Sflag = self.Kflag = self.Nflag = self.uflag = self.bflag = False
        self.fflag = self.Hflag = False
        self.localnet = self.netmask = 0
        self.number = self.nano = False
        self.packettype = ""
        self.names: Names | None = None
        self.localtime: Callable[[int], Sequence[int]] = civil
        self.esp: Any = None
        self.sigsecret: bytes | None = None
        self.suppress_default_print = False
        self.protocol = ""
        self.ll_hdr_len = 0
        self._out: list[str] = []
        self.p = self._out.append
        self._v4: dict[bytes, str] = {}
        self._v6: dict[bytes, str] = {}
        self._mac: dict[bytes, str] = {}
        self._ports: dict[tuple[int, str], str] = {}
        self._second = -1
        self._second_text = ""
        self._ref: tuple[int, int] | None = None
        self.tcp_seq: dict[bytes, list[int]] = {}
        self.memory: dict[str, Any] = {}  # what a printer keeps from one packet to the next

    def taken(self) -> str:
        """Return what was printed and forget it."""
        text = "".join(self._out)
        self._out.clear()
        return text

    # Addresses and ports.

    def ipaddr(self, b: bytes, o: int) -> str:
        """Return the IPv4 address at *o*, or its name."""
        a = b[o : o + 4]
        try:
            return self._v4[a]
        except KeyError:
            return self._new_v4(a)

    def _new_v4(self, a: bytes) -> str:
        if len(a) != 4:
            raise Trunc
        text = None
        if not self.nflag and self.names is not None:
            value = int.from_bytes(a, "big")
            if not (self.fflag and value & self.netmask != self.localnet):
                text = self._host(self.names.host(value))
        text = text or "%d.%d.%d.%d" % _V4(a)  # noqa: UP031  # the fastest there is
        if len(self._v4) >= _MAX_NAMES:
            self._v4.clear()
        self._v4[a] = text
        return text

    def _host(self, name: str | None) -> str | None:
        if name and self.Nflag:
            return name.partition(".")[0]
        return name

    def ip6addr(self, b: bytes, o: int) -> str:
        """Return the IPv6 address at *o*, or its name."""
        a = b[o : o + 16]
        try:
            return self._v6[a]
        except KeyError:
            pass
        if len(a) != 16:
            raise Trunc
        text = None
        if not self.nflag and self.names is not None:
            text = self._host(self.names.host6(a))
        text = text or inet_ntop6(a)
        if len(self._v6) >= _MAX_NAMES:
            self._v6.clear()
        self._v6[a] = text
        return text

    def etheraddr(self, b: bytes, o: int) -> str:
        """Return the MAC address at *o*, or its name."""
        a = b[o : o + 6]
        try:
            return self._mac[a]
        except KeyError:
            pass
        if len(a) != 6:
            raise Trunc
        text = None
        if not self.nflag:
            from libnet.text.dump.numbers import OUI

            if self.names is not None:
                text = self.names.ether(a)
            if text is None:
                if a == b"\xff\xff\xff\xff\xff\xff":
                    text = "Broadcast"
                else:
                    vendor = OUI.get(a[0] << 16 | a[1] << 8 | a[2], "Unknown")
                    text = f"{a.hex(':')} (oui {vendor})"
        text = text or a.hex(":")
        if len(self._mac) >= _MAX_NAMES:
            self._mac.clear()
        self._mac[a] = text
        return text

    def linkaddr(self, b: bytes, o: int, n: int) -> str:
        """Return a hardware address of *n* octets."""
        if n == 0:
            return "<empty>"
        if n == 6:
            return self.etheraddr(b, o)
        return take(b, o, n).hex(":")

    def tcpport(self, port: int) -> str:
        """Return a TCP port or its service."""
        return self._port(port, "tcp")

    def udpport(self, port: int) -> str:
        """Return a UDP port or its service."""
        return self._port(port, "udp")

    def _port(self, port: int, proto: str) -> str:
        if self.nflag or self.names is None:
            return str(port)
        text = self._ports.get((port, proto))
        if text is None:
            text = self._ports[port, proto] = self.names.port(port, proto) or str(port)
        return text

    # Text out of the packet.

    def printn(self, b: bytes, o: int, n: int) -> bool:
        """Print *n* octets as text; return whether fewer were captured."""
        self.p(shown(b[o : o + n]))
        return o + n > len(b)

    def printjn(self, b: bytes, o: int, n: int) -> None:
        """Print *n* octets as text; raises Trunc after those that are there."""
        self.p(shown(b[o : o + n]))
        need(b, o, n)

    def printjnp(self, b: bytes, o: int, n: int) -> None:
        """Print up to *n* octets as text, ending at a zero; raises Trunc."""
        data = b[o : o + n]
        end = data.find(0)
        if end >= 0:
            data = data[:end]
        self.p(shown(data))
        if end < 0:
            need(b, o, n)

    def printztn(self, b: bytes, o: int, n: int, ep: int | None = None) -> int:
        """Print a text ending with a zero, in at most *n* octets before *ep*.

        Return the octets it took with its zero, or 0 if no zero came.
        """
        stop = o + n if ep is None else min(o + n, ep)
        end = b.find(0, o, max(stop, o))
        if end < 0:
            self.p(shown(b[o : max(stop, o)]))
            if stop > len(b) and ep is None:
                raise Trunc
            return 0
        self.p(shown(b[o:end]))
        return end - o + 1

    # Complaints.

    def trunc(self) -> None:
        """Say that the packet ended, and go on."""
        self.p(f" [|{self.protocol}]")

    def invalid(self) -> None:
        """Say that what was read cannot be."""
        self.p(" (invalid)")

    def invalid_rest(self, b: bytes, o: int, n: int) -> None:
        """Say that what was read cannot be; raises Trunc if its *n* octets are not all there."""
        self.p(" (invalid)")
        if o + n > len(b):
            raise Trunc

    def longjmp(self) -> NoReturn:
        """Give the packet up: its line ends here with the marker."""
        raise Trunc

    # Dumps.

    def hex_print(self, ident: str, b: bytes, o: int, n: int, oset: int = 0) -> None:
        """Print *n* octets in hex; raises Trunc after those that are there."""
        data = b[o : o + n]
        p = self.p
        for i in range(0, len(data), 16):
            text = data[i : i + 16].hex(" ", -2)
            p(f"{ident}0x{oset + i:04x}:  {text}")
        need(b, o, n)

    def hex_and_ascii_print(self, ident: str, b: bytes, o: int, n: int, oset: int = 0) -> None:
        """Print *n* octets in hex and characters; raises Trunc after those that are there."""
        data = b[o : o + n]
        p = self.p
        for i in range(0, len(data), 16):
            line = data[i : i + 16]
            column = line.translate(_COLUMN).decode("ascii")
            p(f"{ident}0x{oset + i:04x}:  {line.hex(' ', -2):39}  {column}")
        need(b, o, n)

    def ascii_print(self, b: bytes, o: int, n: int) -> None:
        """Print *n* octets as characters (-A)."""
        data = b[o : o + n]
        self.p("\n")
        if 13 in data:
            out, last = bytearray(), len(data) - 1
            for i, c in enumerate(data):
                # A CR is dropped where a line or the packet ends, and is a dot elsewhere.
                if c != 13 or (i + 1 < last and data[i + 1] != 10):
                    out.append(c)
            data = bytes(out)
        self.p(data.translate(_TEXT).decode("ascii"))

    def default_print(self, b: bytes, o: int, n: int) -> None:
        """Print octets that no printer knows."""
        self.hex_and_ascii_print("\n\t", b, o, n)

    def unknown_data(self, b: bytes, o: int, ident: str, n: int) -> None:
        """Print in hex what of *n* octets was captured."""
        have = len(b) - o
        if have < 0:
            self.p(
                f"{ident}Dissector error: print_unknown_data called with pointer past end of packet"
            )
            return
        self.hex_print(ident, b, o, min(n, have))

    # Times.

    def ts_print(self, sec: int, frac: int) -> None:
        """Print the time at the head of a line as -t says.

        frac  microseconds, or nanoseconds with --nano
        """
        t = self.tflag
        digits = f"{frac:09d}" if self.nano else f"{frac:06d}"
        if t == 0:
            if sec != self._second:
                self._second, self._second_text = sec, self._clock(sec, dated=False)
            if sec & 0x80000000:
                self.p("[Error converting time] ")
                return
            self.p(f"{self._second_text}.{digits} ")
        elif t == 2:
            self.p("[Error converting time] " if sec & 0x80000000 else f"{sec}.{digits} ")
        elif t == 4:
            if sec & 0x80000000:
                self.p("[Error converting time] ")
                return
            if sec != self._second:
                self._second, self._second_text = sec, self._clock(sec, dated=True)
            self.p(f"{self._second_text}.{digits} ")
        elif t in (3, 5):
            self._delta_print(sec, frac)

    def _clock(self, sec: int, *, dated: bool) -> str:
        if sec & 0x80000000:
            return ""
        try:
            year, month, day, hour, minute, second = self.localtime(sec)[:6]
        except ValueError:
            return "[localtime() or gmtime() couldn't convert the date and time]"
        date = f"{year:04d}-{month:02d}-{day:02d} " if dated else ""
        return f"{date}{hour:02d}:{minute:02d}:{second:02d}"

    def _delta_print(self, sec: int, frac: int) -> None:
        now = (sec, frac)
        if self._ref is None or self._ref == (0, 0):
            self._ref = now
        unit = 1_000_000_000 if self.nano else 1_000_000
        delta = (sec - self._ref[0]) * unit + frac - self._ref[1]
        sign = "-" if delta < 0 else " "
        whole, rest = divmod(abs(delta), unit)
        digits = f"{rest:09d}" if self.nano else f"{rest:06d}"
        whole %= 86400
        clock = f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}"
        self.p(f"{sign}{clock}.{digits} ")
        if self.tflag == 3:
            self._ref = now

    def bad_cksum(self, b: bytes, o: int, n: int) -> int:
        """Return in_cksum() of *n* octets that are known to be there."""
        return in_cksum(b[o : o + n])


_MAX_NAMES: Final = 65536


def civil(seconds: int) -> tuple[int, int, int, int, int, int]:
    """Return (year, month, day, hour, minute, second) of seconds since 1970, UTC.

    >>> civil(1700000000)
    (2023, 11, 14, 22, 13, 20)
    """
    days, rest = divmod(seconds, 86400)
    # Days are counted from 1 March of year 0, so that the leap day ends a year.
    era, doe = divmod(days + 719468, 146097)
    yoe = (doe - doe // 1460 + doe // 36524 - doe // 146096) // 365
    doy = doe - (365 * yoe + yoe // 4 - yoe // 100)
    mp = (5 * doy + 2) // 153
    month = mp + 3 if mp < 10 else mp - 9
    year = yoe + era * 400 + (month <= 2)
    return (
        year, month, doy - (153 * mp + 2) // 5 + 1, rest // 3600, rest // 60 % 60, rest % 60,
    )  # fmt: skip


def pretty(year_to_second: Sequence[int]) -> str:
    """Return a date and time as 2023-11-14T22:13:20Z."""
    y, mo, d, h, mi, s = year_to_second[:6]
    return f"{y:04d}-{mo:02d}-{d:02d}T{h:02d}:{mi:02d}:{s:02d}Z"
