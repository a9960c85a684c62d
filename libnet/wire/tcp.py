"""TCP header and options (RFC 9293 section 3.1; options of RFC 7323, RFC 2018).

Parses and builds; keeps no state, verifies nothing that needs an address.
"""

from __future__ import annotations

from struct import Struct
from typing import Final, NamedTuple

from libnet.wire import Malformed, Truncated
from libnet.wire.cksum import Octets, in4_cksum

TH_FIN: Final = 0x01
TH_SYN: Final = 0x02
TH_RST: Final = 0x04
TH_PUSH: Final = 0x08
TH_ACK: Final = 0x10
TH_URG: Final = 0x20
TH_ECE: Final = 0x40
TH_CWR: Final = 0x80

TCPOPT_EOL: Final = 0
TCPOPT_NOP: Final = 1
TCPOPT_MAXSEG: Final = 2
TCPOPT_WINDOW: Final = 3
TCPOPT_SACK_PERMITTED: Final = 4
TCPOPT_SACK: Final = 5
TCPOPT_TIMESTAMP: Final = 8

TCP_HDR: Final = Struct("!HHIIBBHHH")
HDRLEN: Final = TCP_HDR.size
MAX_OPTLEN: Final = 40
MAX_WINSHIFT: Final = 14
TSTAMP_HDR: Final = 0x0101080A  # NOP, NOP, kind 8, length 10 (RFC 7323 appendix A)

_U16: Final = Struct("!H")
_U32X2: Final = Struct("!II")


class Options(NamedTuple):
    """What the options of one segment say; None or empty where they say nothing.

    mss      octets                     wscale  shift, as sent (above 14 counts as 14)
    sackok   SACK is permitted          sack    blocks (left, right)
    tsval, tsecr   of the timestamp option
    """

    mss: int | None = None
    wscale: int | None = None
    sackok: bool = False
    sack: tuple[tuple[int, int], ...] = ()
    tsval: int | None = None
    tsecr: int | None = None


NO_OPTIONS: Final = Options()


def parse_options(data: Octets) -> Options:
    """Read an option list; what is cut short or of a wrong length ends it (RFC 1122 4.2.2.5).

    >>> parse_options(bytes.fromhex("020405b40402"))[:3]
    (1460, None, True)
    """
    mss = wscale = tsval = tsecr = None
    sackok = False
    sack: tuple[tuple[int, int], ...] = ()
    at, end = 0, len(data)
    while at < end:
        kind = data[at]
        if kind == TCPOPT_EOL:
            break
        if kind == TCPOPT_NOP:
            at += 1
            continue
        if at + 1 >= end:
            break
        size = data[at + 1]
        if size < 2 or at + size > end:
            break
        if kind == TCPOPT_MAXSEG and size == 4:
            mss = _U16.unpack_from(data, at + 2)[0]
        elif kind == TCPOPT_WINDOW and size == 3:
            wscale = data[at + 2]
        elif kind == TCPOPT_SACK_PERMITTED and size == 2:
            sackok = True
        elif kind == TCPOPT_SACK and size > 2 and size & 7 == 2:
            sack = tuple(_U32X2.unpack_from(data, at + 2 + 8 * n) for n in range(size - 2 >> 3))
        elif kind == TCPOPT_TIMESTAMP and size == 10:
            tsval, tsecr = _U32X2.unpack_from(data, at + 2)
        at += size
    return Options(mss, wscale, sackok, sack, tsval, tsecr)


def build_options(opt: Options) -> bytes:
    """Return the octets of *opt*, padded to 4 with NOPs the way 4.4BSD lays them out.

    >>> build_options(Options(mss=1460, wscale=0)).hex()
    '020405b401030300'
    """
    out = b""
    if opt.mss is not None:
        out += bytes((TCPOPT_MAXSEG, 4)) + _U16.pack(opt.mss)
    if opt.wscale is not None:
        out += bytes((TCPOPT_NOP, TCPOPT_WINDOW, 3, opt.wscale))
    if opt.sackok:
        out += bytes((TCPOPT_SACK_PERMITTED, 2, TCPOPT_NOP, TCPOPT_NOP))
    if opt.tsval is not None:
        out += TSTAMP_HDR.to_bytes(4, "big") + _U32X2.pack(opt.tsval, opt.tsecr or 0)
    if opt.sack:
        out += bytes((TCPOPT_NOP, TCPOPT_NOP, TCPOPT_SACK, 2 + 8 * len(opt.sack)))
        out += b"".join(_U32X2.pack(*block) for block in opt.sack)
    return out


class Tcp(NamedTuple):
    """One TCP header and a view of its payload.

    sport, dport  ports                seq, ack  sequence numbers, 32 bits
    flags         TH_*                 x2        the four reserved bits
    win           window as sent       cksum     as sent        urp  urgent pointer as sent
    options       octets               payload   view into the caller's buffer
    """

    sport: int
    dport: int
    seq: int
    ack: int
    flags: int
    win: int
    cksum: int
    urp: int
    options: bytes
    payload: Octets
    x2: int = 0

    @classmethod
    def parse(cls, buf: Octets) -> Tcp:
        """Read the header at the front of *buf*, a whole segment.

        Raises Truncated if the header, or the length it declares, exceeds *buf*; Malformed if that
        length has no room for the header.
        """
        if len(buf) < HDRLEN:
            raise Truncated("tcp", need=HDRLEN, have=len(buf))
        sport, dport, seq, ack, off, flags, win, cksum, urp = TCP_HDR.unpack_from(buf)
        hlen = (off >> 4) << 2
        if hlen < HDRLEN:
            raise Malformed("tcp", f"header length {hlen}")
        if hlen > len(buf):
            raise Truncated("tcp", need=hlen, have=len(buf))
        view = memoryview(buf)
        options = bytes(view[HDRLEN:hlen])
        return cls(sport, dport, seq, ack, flags, win, cksum, urp, options, view[hlen:], off & 0x0F)

    def build(self) -> bytes:
        """Return the octets that parse() would read back as this value."""
        hlen = HDRLEN + len(self.options)
        return (
            TCP_HDR.pack(
                self.sport,
                self.dport,
                self.seq,
                self.ack,
                hlen << 2 | self.x2,
                self.flags,
                self.win,
                self.cksum,
                self.urp,
            )
            + self.options
            + bytes(self.payload)
        )


def tcp_build(
    sport: int,
    dport: int,
    seq: int,
    ack: int,
    flags: int,
    win: int,
    payload: Octets = b"",
    *,
    src: int,
    dst: int,
    options: bytes = b"",
    urp: int = 0,
) -> bytes:
    """Return a segment with its checksum under the IPv4 pseudo header of *src* and *dst*.

    options  octets; padded with EOL to a multiple of 4
    """
    options += bytes(-len(options) & 3)
    bare = Tcp(sport, dport, seq, ack, flags, win, 0, urp, options, payload).build()
    cksum = in4_cksum(src, dst, 6, bare)
    return bare[:16] + cksum.to_bytes(2, "big") + bare[18:]
