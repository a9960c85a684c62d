"""BOOTP and DHCP messages and their options (RFC 951, 1542, 2131, 2132, 3046, 3396).

Parses and builds; knows no leases. An option that came in several pieces is one value here (RFC 3396),
gathered from the options field, then `file`, then `sname` where option 52 says that they hold options
too. build() does the reverse: it cuts what is longer than 255 octets and moves into `file` and `sname`,
if they are free, what does not fit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from struct import Struct
from typing import Final, NamedTuple

from libnet.wire import Malformed, Truncated
from libnet.wire.cksum import Octets

_HDR = Struct("!BBBBIHHIIII16s64s128s")
HDRLEN: Final = _HDR.size  # 236
COOKIE: Final = b"\x63\x82\x53\x63"
BOOTP_MINLEN: Final = 300  # octets of a BOOTP message with its 64 octet vendor field
DHCP_MTU: Final = 576  # IP datagram that every client takes (option 57 may say more)
UDP_OVERHEAD: Final = 28  # octets of IP and UDP header in front of a message

BOOTPS: Final = 67
BOOTPC: Final = 68

BOOTREQUEST: Final = 1
BOOTREPLY: Final = 2
HTYPE_ETHER: Final = 1
BOOTP_BROADCAST: Final = 0x8000

DHCPDISCOVER: Final = 1
DHCPOFFER: Final = 2
DHCPREQUEST: Final = 3
DHCPDECLINE: Final = 4
DHCPACK: Final = 5
DHCPNAK: Final = 6
DHCPRELEASE: Final = 7
DHCPINFORM: Final = 8

DHO_PAD: Final = 0
DHO_SUBNET_MASK: Final = 1
DHO_ROUTERS: Final = 3
DHO_DOMAIN_NAME_SERVERS: Final = 6
DHO_HOST_NAME: Final = 12
DHO_DOMAIN_NAME: Final = 15
DHO_INTERFACE_MTU: Final = 26
DHO_BROADCAST_ADDRESS: Final = 28
DHO_STATIC_ROUTES: Final = 33
DHO_VENDOR_ENCAPSULATED_OPTIONS: Final = 43
DHO_DHCP_REQUESTED_ADDRESS: Final = 50
DHO_DHCP_LEASE_TIME: Final = 51
DHO_DHCP_OPTION_OVERLOAD: Final = 52
DHO_DHCP_MESSAGE_TYPE: Final = 53
DHO_DHCP_SERVER_IDENTIFIER: Final = 54
DHO_DHCP_PARAMETER_REQUEST_LIST: Final = 55
DHO_DHCP_MESSAGE: Final = 56
DHO_DHCP_MAX_MESSAGE_SIZE: Final = 57
DHO_DHCP_RENEWAL_TIME: Final = 58
DHO_DHCP_REBINDING_TIME: Final = 59
DHO_VENDOR_CLASS_IDENTIFIER: Final = 60
DHO_DHCP_CLIENT_IDENTIFIER: Final = 61
DHO_USER_CLASS: Final = 77
DHO_FQDN: Final = 81
DHO_DHCP_AGENT_OPTIONS: Final = 82
DHO_SUBNET_SELECTION: Final = 118
DHO_END: Final = 255

RAI_CIRCUIT_ID: Final = 1
RAI_REMOTE_ID: Final = 2
RAI_AGENT_ID: Final = 3

OVERLOAD_FILE: Final = 1
OVERLOAD_SNAME: Final = 2
_FILE_LEN: Final = 128
_SNAME_LEN: Final = 64
_MOST: Final = 255  # octets of one piece of an option
_INFINITE: Final = 1 << 16


class Dhcp(NamedTuple):
    """One message.

    op                  BOOTREQUEST or BOOTREPLY
    htype, hlen, hops   kind and octets of the hardware address, relays passed
    xid, secs, flags    as sent; BOOTP_BROADCAST in flags
    ciaddr … giaddr     host integers
    chaddr              hlen octets
    sname, file         text without what follows its first NUL; empty where they hold options
    options             value by code in order of appearance; without PAD, END and overload
    cookie              False: no DHCP, the vendor field holds something else and options is empty
    """

    op: int
    htype: int
    hlen: int
    hops: int
    xid: int
    secs: int
    flags: int
    ciaddr: int
    yiaddr: int
    siaddr: int
    giaddr: int
    chaddr: bytes
    sname: bytes
    file: bytes
    options: Mapping[int, bytes]
    cookie: bool = True

    @classmethod
    def parse(cls, buf: Octets) -> Dhcp:
        """Read the message that fills *buf*.

        Raises Truncated when the header or an option runs out of its field, Malformed for an
        operation that is neither request nor reply, a hardware address longer than its field, or an
        overload option that is none. A missing END is forgiven: many clients leave it out.
        """
        if len(buf) < HDRLEN:
            raise Truncated("bootp", need=HDRLEN, have=len(buf))
        (op, htype, hlen, hops, xid, secs, flags, ciaddr, yiaddr, siaddr, giaddr, chaddr, sname,
         file) = _HDR.unpack_from(buf)  # fmt: skip
        if op not in (BOOTREQUEST, BOOTREPLY):
            raise Malformed("bootp", f"operation {op}")
        if hlen > 16:
            raise Malformed("bootp", f"hardware address of {hlen} octets")
        rest = bytes(buf[HDRLEN:])
        cookie = rest[:4] == COOKIE
        pieces: list[tuple[int, bytes]] = []
        if cookie:
            pieces += walk(rest[4:])
            overload = _overload(pieces)
            if overload & OVERLOAD_FILE:
                pieces += walk(file)
                file = b""
            if overload & OVERLOAD_SNAME:
                pieces += walk(sname)
                sname = b""
        options: dict[int, bytes] = {}
        for code, value in pieces:
            if code != DHO_DHCP_OPTION_OVERLOAD:
                options[code] = options.get(code, b"") + value
        return cls(
            op, htype, hlen, hops, xid, secs, flags, ciaddr, yiaddr, siaddr, giaddr,
            chaddr[:hlen], sname.partition(b"\0")[0], file.partition(b"\0")[0], options, cookie,
        )  # fmt: skip

    def build(self, *, limit: int | None = None) -> bytes:
        """Return the octets that parse() would read back as this value, padded to BOOTP_MINLEN.

        limit  octets of message that the receiver takes, None for any number
        Raises Malformed when the options do not fit, or a fixed field is too long for its place.
        """
        if len(self.chaddr) > 16 or len(self.sname) > _SNAME_LEN or len(self.file) > _FILE_LEN:
            raise Malformed("bootp", "field too long")
        sname, file, tail = self.sname, self.file, b""
        if self.cookie:
            room = _INFINITE if limit is None else limit - HDRLEN - len(COOKIE)
            main, file, sname = _place(self.options, room, file, sname)
            tail = COOKIE + main
        head = _HDR.pack(
            self.op, self.htype, self.hlen, self.hops, self.xid, self.secs, self.flags,
            self.ciaddr, self.yiaddr, self.siaddr, self.giaddr, self.chaddr, sname, file,
        )  # fmt: skip
        return (head + tail).ljust(BOOTP_MINLEN, b"\0")

    @property
    def type(self) -> int:
        """DHCP*, or 0 for a BOOTP message or a type option that is not one octet."""
        value = self.options.get(DHO_DHCP_MESSAGE_TYPE, b"")
        return value[0] if len(value) == 1 else 0

    def addr(self, code: int) -> int | None:
        """Return an option that is one address, None without it. Raises Malformed."""
        value = self.options.get(code)
        return None if value is None else int.from_bytes(_sized(code, value, 4), "big")

    def addrs(self, code: int) -> list[int]:
        """Return an option that is a list of addresses, [] without it. Raises Malformed."""
        value = self.options.get(code, b"")
        if len(value) % 4:
            raise Malformed(f"option {code}", f"length {len(value)}")
        return [int.from_bytes(value[at : at + 4], "big") for at in range(0, len(value), 4)]

    def number(self, code: int, octets: int) -> int | None:
        """Return an option that is a number of so many octets, None without it. Raises Malformed."""
        value = self.options.get(code)
        return None if value is None else int.from_bytes(_sized(code, value, octets), "big")

    def text(self, code: int) -> str | None:
        """Return an option that is text, without trailing NULs; None without it.

        Octets outside ASCII are kept as backslash escapes: what a stranger sends ends up in logs.
        """
        value = self.options.get(code)
        return None if value is None else value.rstrip(b"\0").decode("ascii", "backslashreplace")


def walk(field: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield code and value of each piece in *field* up to its END. Raises Truncated."""
    at, end = 0, len(field)
    while at < end:
        code = field[at]
        at += 1
        if code == DHO_PAD:
            continue
        if code == DHO_END:
            return
        if at >= end:
            raise Truncated("dhcp", need=at + 1, have=end)
        size = field[at]
        at += 1
        if at + size > end:
            raise Truncated("dhcp", need=at + size, have=end)
        yield code, field[at : at + size]
        at += size


def suboptions(value: bytes) -> dict[int, bytes]:
    """Return the suboptions of option 82 or 43 by code; the pieces of one are joined.

    In option 82 neither 0 nor 255 is special (RFC 3046 2.0), so both are codes here. Raises Truncated.
    """
    found: dict[int, bytes] = {}
    at, end = 0, len(value)
    while at < end:
        if at + 2 > end or at + 2 + value[at + 1] > end:
            have = 2 if at + 2 > end else 2 + value[at + 1]
            raise Truncated("dhcp", need=at + have, have=end)
        size = value[at + 1]
        found[value[at]] = found.get(value[at], b"") + value[at + 2 : at + 2 + size]
        at += 2 + size
    return found


def pack_suboptions(options: Mapping[int, bytes]) -> bytes:
    """Return what suboptions() reads back, pieces of at most 255 octets."""
    return b"".join(piece for code, value in options.items() for piece in _pieces(code, value))


def pack_addrs(addrs: Iterable[int]) -> bytes:
    """Return host integers as the value of an option."""
    return b"".join(addr.to_bytes(4, "big") for addr in addrs)


def _sized(code: int, value: bytes, size: int) -> bytes:
    if len(value) != size:
        raise Malformed(f"option {code}", f"length {len(value)}")
    return value


def _overload(pieces: list[tuple[int, bytes]]) -> int:
    overload = 0
    for code, value in pieces:
        if code == DHO_DHCP_OPTION_OVERLOAD:
            if len(value) != 1 or not 1 <= value[0] <= OVERLOAD_FILE | OVERLOAD_SNAME:
                raise Malformed("dhcp", f"overload {value.hex() or 'empty'}")
            overload |= value[0]
    return overload


def _pieces(code: int, value: bytes) -> Iterator[bytes]:
    for at in range(0, len(value) or 1, _MOST):
        part = value[at : at + _MOST]
        yield bytes((code, len(part))) + part


def _place(
    options: Mapping[int, bytes], room: int, file: bytes, sname: bytes
) -> tuple[bytes, bytes, bytes]:
    """Return the options field, `file` and `sname`; overloaded only when *room* is too small.

    An option is cut (RFC 3396) so that its pieces fill one field after the other in the order in which
    a reader joins them.
    """
    flat = b"".join(piece for code, value in options.items() for piece in _pieces(code, value))
    if len(flat) + 1 <= room:
        return flat + bytes((DHO_END,)), file, sname
    fields = [room - 4]  # less END and the overload option, which must be in the first field
    overload = 0
    if not file:
        fields.append(_FILE_LEN - 1)
        overload |= OVERLOAD_FILE
    if not sname:
        fields.append(_SNAME_LEN - 1)
        overload |= OVERLOAD_SNAME
    filled = [b"" for _field in fields]
    which = 0
    for code, value in options.items():
        rest = value
        first = True
        while rest or first:
            first = False
            # A piece that cannot hold one octet more is not begun here.
            while which < len(fields) and fields[which] - len(filled[which]) < 2 + bool(rest):
                which += 1
            if which == len(fields):
                raise Malformed("dhcp", "the options do not fit")
            take = min(len(rest), _MOST, fields[which] - len(filled[which]) - 2)
            filled[which] += bytes((code, take)) + rest[:take]
            rest = rest[take:]
    main = filled[0] + bytes((DHO_DHCP_OPTION_OVERLOAD, 1, overload, DHO_END))
    ends = [part + bytes((DHO_END,)) for part in filled[1:]]
    if overload & OVERLOAD_FILE:
        file = ends.pop(0)
    if overload & OVERLOAD_SNAME:
        sname = ends.pop(0)
    return main, file, sname
