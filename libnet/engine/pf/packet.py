"""One packet on its way through pf: what its headers say, and changes to them (struct pf_pdesc).

Rewriting goes into a bytearray and back into the Mbuf once. Checksums are mended by difference
(RFC 1624), so that one which was wrong stays wrong and the receiver sees it.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Final

from libnet.addr import AF_INET
from libnet.engine.kern.mbuf import M_CSUM_L4, M_CSUM_IPv4, Mbuf
from libnet.wire.cksum import in_cksum, in_cksum_adjust, pseudo_sum
from libnet.wire.ipv4 import IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP
from libnet.wire.tcp import TCP_HDR, TH_ACK, TH_SYN, parse_options

if TYPE_CHECKING:
    from libnet.engine.pf.pf import Pf
    from libnet.engine.pf.pf_if import Kif
    from libnet.engine.pf.ruleset import Anchor, Rule
    from libnet.wire.tcp import Options

IPPROTO_ICMPV6: Final = 58
IPPROTO_HOPOPTS: Final = 0
IPPROTO_ROUTING: Final = 43
IPPROTO_FRAGMENT: Final = 44
IPPROTO_AH: Final = 51
IPPROTO_DSTOPTS: Final = 60
IP6_HLEN: Final = 40
MAX_EXTHDRS: Final = 16

# Where the checksum of a transport header is.
CKSUM_AT: Final = {IPPROTO_TCP: 16, IPPROTO_UDP: 6, IPPROTO_ICMP: 2, IPPROTO_ICMPV6: 2}
PSEUDO: Final = frozenset((IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMPV6))

_IP4: Final = Struct("!BBHHHBBHII")
_PORTS: Final = Struct("!HH")
_UDP: Final = Struct("!HHHH")
_ICMP: Final = Struct("!BBHHH")


class Pd:
    """One packet.

    m, ifp, kif, direction   where it is           af, src, dst, proto   who to whom
    ipoff      octet of the transport header        size  octets of the whole datagram
    plen       octets of TCP payload
    sport, dport   ports of TCP and UDP; the id of an ICMP echo in both
    seq, ack, tflags, win, toff   of TCP (toff: octets of its header)
    icmptype, icmpcode, icmpid    of ICMP
    fragment   a fragment that is still one         options  IPv4 options, or IPv6 headers like them
    reas       it passed reassembly                 scrub    the reassemble-tcp rule for it
    newtag     tag given by rules                   qid      queue
    """

    __slots__ = (
        "_buf",
        "_os",
        "_tcpopt",
        "ack",
        "af",
        "anchor",
        "anchor_rule",
        "direction",
        "dport",
        "dst",
        "fragment",
        "icmpcode",
        "icmpid",
        "icmptype",
        "ifp",
        "ipoff",
        "kif",
        "m",
        "newtag",
        "options",
        "pf",
        "plen",
        "proto",
        "qid",
        "reas",
        "reason",
        "rtableid",
        "scrub",
        "seq",
        "size",
        "socket",
        "sport",
        "src",
        "tflags",
        "toff",
        "tos",
        "ttl",
        "win",
    )  # fmt: skip

    def __init__(self, pf: Pf, m: Mbuf, kif: Kif, direction: int, af: int) -> None:
        self.pf, self.m, self.kif, self.direction, self.af = pf, m, kif, direction, af
        self.ifp = kif.ifp
        self.reason = 0
        self.anchor: Anchor | None = None
        self.anchor_rule: Rule | None = None
        self.sport = self.dport = 0
        self.seq = self.ack = self.tflags = self.win = self.toff = self.plen = 0
        self.icmptype = self.icmpcode = self.icmpid = 0
        self.reas = False
        self.scrub: Rule | None = None
        self.newtag = ""
        self.rtableid = -1
        self.qid = 0
        self.socket: tuple[int, int, int] | None = None
        self._buf: bytearray | None = None
        self._os: list[int] | None = None
        self._tcpopt: Options | None = None
        self.src = self.dst = self.proto = self.ipoff = self.size = self.tos = self.ttl = 0
        self.fragment = self.options = False
        if af == AF_INET:
            self.reread()

    # -- reading

    def reread(self) -> None:
        """Take the IPv4 fields of the Mbuf, which ip_input or reparse() has filled."""
        m = self.m
        self.src, self.dst, self.proto = m.src, m.dst, m.proto
        self.ipoff, self.size, self.tos, self.ttl = m.hlen, m.ip_len, m.tos, m.ttl
        self.fragment = bool(m.ip_off & 0x3FFF)
        self.options = m.hlen > 20

    def read6(self) -> bool:
        """Read an IPv6 header and what is between it and the transport; False when it is cut short."""
        data = self.m.data
        if len(data) < IP6_HLEN or data[0] >> 4 != 6:
            return False
        size = IP6_HLEN + int.from_bytes(data[4:6], "big")
        if size > len(data):
            return False
        self.size = size
        self.src = int.from_bytes(data[8:24], "big")
        self.dst = int.from_bytes(data[24:40], "big")
        self.tos = (data[0] & 15) << 4 | data[1] >> 4
        self.ttl = data[7]
        proto, off = data[6], IP6_HLEN
        for _ in range(MAX_EXTHDRS):
            if proto == IPPROTO_FRAGMENT:
                if off + 8 > size:
                    return False
                self.fragment = True
                self.proto, self.ipoff = data[off], off + 8
                return True
            if proto not in (IPPROTO_HOPOPTS, IPPROTO_ROUTING, IPPROTO_DSTOPTS, IPPROTO_AH):
                self.proto, self.ipoff = proto, off
                return True
            if off + 8 > size:
                return False
            self.options = self.options or proto in (IPPROTO_HOPOPTS, IPPROTO_ROUTING)
            length = (data[off + 1] + 2) * 4 if proto == IPPROTO_AH else (data[off + 1] + 1) * 8
            proto, off = data[off], off + length
            if off > size:
                return False
        return False

    def read_transport(self) -> bool:
        """Read ports, flags, types; False when the header is cut short or its length is a lie."""
        data, off, proto = self.m.data, self.ipoff, self.proto
        room = self.size - off
        if proto == IPPROTO_TCP:
            if room < 20:
                return False
            self.sport, self.dport, self.seq, self.ack, word, flags, self.win, _sum, _urp = (
                TCP_HDR.unpack_from(data, off)
            )
            self.tflags = flags
            self.toff = (word >> 4) << 2
            self.plen = max(room - self.toff, 0)
        elif proto == IPPROTO_UDP:
            if room < 8:
                return False
            self.sport, self.dport, length, _sum = _UDP.unpack_from(data, off)
            if not self.dport or not 8 <= length <= room:
                return False
        elif proto in (IPPROTO_ICMP, IPPROTO_ICMPV6):
            if room < 8:
                return False
            self.icmptype, self.icmpcode, _sum, self.icmpid, _seq = _ICMP.unpack_from(data, off)
            self.sport = self.dport = self.icmpid
        return True

    def tcp_options(self) -> Options:
        """Return the TCP options."""
        if self._tcpopt is None:
            at = self.ipoff
            end = min(at + self.toff, self.size)
            self._tcpopt = parse_options(self.m.data[at + 20 : end])
        return self._tcpopt

    def os_matches(self, wanted: int) -> bool:
        """Tell whether a SYN has the fingerprint of the operating system *wanted*."""
        if self.proto != IPPROTO_TCP or self.tflags & (TH_SYN | TH_ACK) != TH_SYN:
            return False
        if self._os is None:
            self._os = self.pf.osfp.fingerprint(self)
        return self.pf.osfp.match(self._os, wanted)

    def tag(self) -> str:
        """Return the packet's tag: what rules have given it just now, else what it brought."""
        if self.newtag:
            return self.newtag
        tags = self.m.tags
        return tags.get("pf_tag", "") if tags else ""

    def mark(self, name: str, value: object) -> None:
        """Leave *value* on the packet."""
        self.m.tag(name, value)

    def marked(self, name: str) -> object:
        """Return what mark() left, or None."""
        tags = self.m.tags
        return tags.get(name) if tags else None

    # -- changing

    def buf(self) -> bytearray:
        """Return the octets to change; commit() puts them back."""
        if self._buf is None:
            finish_cksum(self.m, self.af, self.ipoff, self.proto, fragment=self.fragment)
            self._buf = bytearray(self.m.data)
        return self._buf

    def rewriting(self) -> bool:
        """Tell whether there are changes that are not in the Mbuf yet."""
        return self._buf is not None

    def commit(self) -> None:
        """Put changed octets back into the Mbuf."""
        if self._buf is None:
            return
        m = self.m
        m.data = bytes(self._buf)
        self._buf = None
        self._tcpopt = None
        if self.af == AF_INET:
            m.src, m.dst = self.src, self.dst

    def change_addr(self, which: int, addr: int) -> None:
        """Make *addr* the source (which 0) or destination (1), checksums mended."""
        old = self.dst if which else self.src
        if old == addr:
            return
        buf = self.buf()
        if self.af == AF_INET:
            at = 16 if which else 12
            cksum = change32(buf, at, addr, buf[10] << 8 | buf[11])
            buf[10:12] = cksum.to_bytes(2, "big")
            self._l4(old, addr, 4)
        else:
            at = 24 if which else 8
            buf[at : at + 16] = addr.to_bytes(16, "big")
            self._l4(old, addr, 16)
        if which:
            self.dst = addr
        else:
            self.src = addr

    def _l4(self, old: int, new: int, size: int) -> None:
        """Mend the transport checksum after an address in its pseudo header has changed."""
        proto = self.proto
        at = CKSUM_AT.get(proto)
        if at is None or proto not in PSEUDO or (self.fragment and self._later()):
            return
        buf = self.buf()
        at += self.ipoff
        if at + 2 > len(buf):
            return
        cksum = buf[at] << 8 | buf[at + 1]
        if proto == IPPROTO_UDP and not cksum:
            return
        cksum = adjust(cksum, old.to_bytes(size, "big"), new.to_bytes(size, "big"))
        if proto == IPPROTO_UDP and not cksum:
            cksum = 0xFFFF
        buf[at : at + 2] = cksum.to_bytes(2, "big")

    def _later(self) -> bool:
        """Tell whether this is a fragment without the transport header."""
        if self.af == AF_INET:
            return bool(self.m.ip_off & 0x1FFF)
        at = self.ipoff - 8
        return bool(int.from_bytes(self.m.data[at + 2 : at + 4], "big") & 0xFFF8)

    def change16(self, at: int, value: int) -> None:
        """Set 16 bits of the transport header at any octet of it, its checksum mended."""
        self._change(at, value.to_bytes(2, "big"))

    def change32(self, at: int, value: int) -> None:
        """Set 32 bits of the transport header at any octet of it, its checksum mended."""
        self._change(at, (value & 0xFFFFFFFF).to_bytes(4, "big"))

    def _change(self, at: int, new: bytes) -> None:
        buf = self.buf()
        start, end = at & ~1, (at + len(new) + 1) & ~1
        base, stop = self.ipoff + start, self.ipoff + end
        old = bytes(buf[base:stop])
        buf[self.ipoff + at : self.ipoff + at + len(new)] = new
        self._sum(old, bytes(buf[base:stop]))

    def mend_ip(self, old: int, new: int) -> None:
        """Mend the IPv4 header's checksum after 16 bits of it changed."""
        buf = self.buf()
        cksum = in_cksum_adjust(buf[10] << 8 | buf[11], old, new)
        buf[10:12] = cksum.to_bytes(2, "big")

    def _sum(self, old: bytes, new: bytes) -> None:
        at = CKSUM_AT.get(self.proto)
        if at is None:
            return
        buf = self.buf()
        at += self.ipoff
        cksum = buf[at] << 8 | buf[at + 1]
        if self.proto == IPPROTO_UDP and not cksum:
            return
        cksum = adjust(cksum, old, new)
        if self.proto == IPPROTO_UDP and not cksum:
            cksum = 0xFFFF
        buf[at : at + 2] = cksum.to_bytes(2, "big")

    def translate(self, which: int, addr: int, port: int) -> None:
        """Give the packet another source (0) or destination (1), address and port or echo id."""
        self.change_addr(which, addr)
        proto = self.proto
        if proto in (IPPROTO_TCP, IPPROTO_UDP):
            self.change16(2 if which else 0, port)
            if which:
                self.dport = port
            else:
                self.sport = port
        elif proto in (IPPROTO_ICMP, IPPROTO_ICMPV6) and port != self.icmpid:
            self.change16(4, port)
            self.icmpid = self.sport = self.dport = port

    def cksum_ok(self) -> bool:
        """Tell whether the transport checksum is right (pf_check_proto_cksum)."""
        m, off = self.m, self.ipoff
        if m.csum_flags & M_CSUM_L4:
            return True
        body = m.data[off : self.size]
        if self.proto == IPPROTO_UDP and body[6:8] == b"\0\0":
            return True
        start = pseudo(self.af, self.src, self.dst, self.proto, len(body))
        return in_cksum(body, 0 if self.proto == IPPROTO_ICMP else start) == 0


def pseudo(af: int, src: int, dst: int, proto: int, size: int) -> int:
    """Return the sum of the pseudo header of either family (RFC 793, RFC 8200 section 8.1)."""
    if af == AF_INET:
        return pseudo_sum(src, dst, proto, size)
    value = src + dst + proto + size  # 2**16 is 1 modulo 65535, so the words sum up by themselves
    return value % 0xFFFF or 0xFFFF


def adjust(cksum: int, old: bytes, new: bytes) -> int:
    """Return *cksum* after even octets changed (RFC 1624 equation 3).

    >>> hex(adjust(0xdd2f, bytes.fromhex("5555"), bytes.fromhex("3285")))
    '0x0'
    """
    if len(old) == 2:
        return in_cksum_adjust(cksum, old[0] << 8 | old[1], new[0] << 8 | new[1])
    for at in range(0, len(old), 2):
        one, two = old[at] << 8 | old[at + 1], new[at] << 8 | new[at + 1]
        if one != two:
            cksum = in_cksum_adjust(cksum, one, two)
    return cksum


def change32(buf: bytearray, at: int, value: int, cksum: int) -> int:
    """Write 32 bits at an even octet; return what *cksum*, which covers them, becomes."""
    new = value.to_bytes(4, "big")
    cksum = adjust(cksum, bytes(buf[at : at + 4]), new)
    buf[at : at + 4] = new
    return cksum


def finish_cksum(m: Mbuf, af: int, off: int, proto: int, *, fragment: bool = False) -> None:
    """Compute what the sender or the wire left undone, so that differences can be added to it."""
    marks = m.csum_flags
    if not marks or af != AF_INET:
        return
    data = m.data
    if marks & M_CSUM_L4 and not fragment:
        at = CKSUM_AT.get(proto)
        if at is not None and proto != IPPROTO_ICMP and off + at + 2 <= len(data):
            undone = data[off + at : off + at + 2]
            if proto != IPPROTO_UDP or undone != b"\0\0":
                body = data[off : off + at] + b"\0\0" + data[off + at + 2 : m.ip_len]
                cksum = in_cksum(body, pseudo_sum(m.src, m.dst, proto, len(body)))
                if proto == IPPROTO_UDP:
                    cksum = cksum or 0xFFFF
                data = data[: off + at] + cksum.to_bytes(2, "big") + data[off + at + 2 :]
    if marks & M_CSUM_IPv4:
        head = data[:10] + b"\0\0" + data[12 : m.hlen]
        data = data[:10] + in_cksum(head).to_bytes(2, "big") + data[12:]
    m.data = data
    m.csum_flags = marks & ~(M_CSUM_L4 | M_CSUM_IPv4)


def ip4_header(src: int, dst: int, proto: int, size: int, ident: int, ttl: int, off: int) -> bytes:
    """Return an IPv4 header with its checksum; *size* is what follows it."""
    head = _IP4.pack(0x45, 0, 20 + size, ident, off, ttl, proto, 0, src, dst)
    return head[:10] + in_cksum(head).to_bytes(2, "big") + head[12:]


def ip6_header(src: int, dst: int, proto: int, size: int, hlim: int) -> bytes:
    """Return an IPv6 header; *size* is what follows it."""
    head = b"\x60\0\0\0" + size.to_bytes(2, "big") + bytes((proto, hlim))
    return head + src.to_bytes(16, "big") + dst.to_bytes(16, "big")
