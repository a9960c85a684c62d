r"""DNS messages (RFC 1035, sections 3 and 4): names, questions and records.

Parses and builds; a name is text with dots, without the last one; a dot or an octet that is not
printable within a label is \DDD. Names are built without compression, and read with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct
from typing import Final, NamedTuple

from libnet.wire import Malformed, Truncated
from libnet.wire.cksum import Octets

_HDR = Struct("!HHHHHH")
_QUESTION = Struct("!HH")
_RECORD = Struct("!HHIH")
HDRLEN: Final = _HDR.size
MAXCDNAME: Final = 255
MAXLABEL: Final = 63
MAXUDP: Final = 512

QR: Final = 0x8000
AA: Final = 0x0400
TC: Final = 0x0200
RD: Final = 0x0100
RA: Final = 0x0080
RCODE: Final = 0x000F

NOERROR: Final = 0
SERVFAIL: Final = 2
NXDOMAIN: Final = 3

C_IN: Final = 1
T_A: Final = 1
T_NS: Final = 2
T_CNAME: Final = 5
T_PTR: Final = 12


def pack_name(text: str) -> bytes:
    r"""Return the octets of a name. Raises ValueError for what cannot be one.

    >>> pack_name("a.bc"), pack_name("")
    (b'\x01a\x02bc\x00', b'\x00')
    """
    labels: list[bytearray] = [bytearray()]
    pos = 0
    while pos < len(text):
        char = text[pos]
        if char == "\\":
            digits = text[pos + 1 : pos + 4]
            if len(digits) != 3 or not (digits.isascii() and digits.isdigit()) or int(digits) > 255:
                raise ValueError(f"{text}: bad escape")
            labels[-1].append(int(digits))
            pos += 4
            continue
        if char == ".":
            labels.append(bytearray())
        elif not char.isascii():
            raise ValueError(f"{text}: not ASCII")
        else:
            labels[-1].append(ord(char))
        pos += 1
    if len(labels) > 1 and not labels[-1]:
        labels.pop()
    if labels == [bytearray()]:
        return b"\0"
    out = b""
    for label in labels:
        if not 0 < len(label) <= MAXLABEL:
            raise ValueError(f"{text}: a label is empty or too long")
        out += bytes((len(label),)) + label
    if len(out) >= MAXCDNAME:
        raise ValueError(f"{text}: too long")
    return out + b"\0"


def read_name(buf: bytes, at: int) -> tuple[str, int]:
    """Return the name at *at* of the message *buf*, and where what follows it begins.

    Raises Truncated, and Malformed for a name that is too long or leads forward.
    """
    labels: list[str] = []
    size = 1
    after = -1
    lowest = at
    while True:
        if at >= len(buf):
            raise Truncated("dns", need=at + 1, have=len(buf))
        length = buf[at]
        if length & 0xC0 == 0xC0:
            if at + 1 >= len(buf):
                raise Truncated("dns", need=at + 2, have=len(buf))
            if after < 0:
                after = at + 2
            # Only what lies before all that was read: so a name has an end.
            at = (length & 0x3F) << 8 | buf[at + 1]
            if at >= lowest:
                raise Malformed("dns", "a name leads forward")
            lowest = at
            continue
        if length & 0xC0:
            raise Malformed("dns", f"label type {length >> 6}")
        if length == 0:
            return ".".join(labels), after if after >= 0 else at + 1
        if at + 1 + length > len(buf):
            raise Truncated("dns", need=at + 1 + length, have=len(buf))
        size += length + 1
        if size > MAXCDNAME:
            raise Malformed("dns", "name too long")
        labels.append("".join(map(_shown, buf[at + 1 : at + 1 + length])))
        at += 1 + length


def _shown(octet: int) -> str:
    plain = 0x21 <= octet <= 0x7E and octet not in b".\\"
    return chr(octet) if plain else f"\\{octet:03d}"


class Question(NamedTuple):
    """What is asked."""

    name: str
    type: int
    qclass: int = C_IN

    def build(self) -> bytes:
        """Return the octets."""
        return pack_name(self.name) + _QUESTION.pack(self.type, self.qclass)


class Record(NamedTuple):
    """A resource record.

    ttl     seconds         data  as it stands in the message
    target  the name in the data of NS, CNAME and PTR, "" for other types
    """

    name: str
    type: int
    data: bytes
    target: str = ""
    ttl: int = 0
    rclass: int = C_IN

    def build(self) -> bytes:
        """Return the octets; *target* goes before *data* if there is one."""
        data = pack_name(self.target) if self.type in _NAMED else self.data
        head = _RECORD.pack(self.type, self.rclass, self.ttl, len(data))
        return pack_name(self.name) + head + data


_NAMED: Final = (T_NS, T_CNAME, T_PTR)


class Message(NamedTuple):
    """A message; authority and additional records are not read."""

    ident: int
    flags: int
    questions: tuple[Question, ...]
    answers: tuple[Record, ...] = ()

    @property
    def rcode(self) -> int:
        """Response code: NOERROR, NXDOMAIN and others."""
        return self.flags & RCODE

    @classmethod
    def parse(cls, buf: Octets) -> Message:
        """Read a message. Raises Truncated and Malformed."""
        octets = bytes(buf)
        if len(octets) < HDRLEN:
            raise Truncated("dns", need=HDRLEN, have=len(octets))
        ident, flags, asked, answered, _ns, _ar = _HDR.unpack_from(octets)
        at = HDRLEN
        questions: list[Question] = []
        for _ in range(asked):
            name, at = read_name(octets, at)
            _need(octets, at + _QUESTION.size)
            questions.append(Question(name, *_QUESTION.unpack_from(octets, at)))
            at += _QUESTION.size
        answers: list[Record] = []
        for _ in range(answered):
            name, at = read_name(octets, at)
            _need(octets, at + _RECORD.size)
            kind, rclass, ttl, length = _RECORD.unpack_from(octets, at)
            at += _RECORD.size
            _need(octets, at + length)
            target = read_name(octets, at)[0] if kind in _NAMED else ""
            data = octets[at : at + length]
            answers.append(Record(name, kind, data, target, ttl, rclass))
            at += length
        return cls(ident, flags, tuple(questions), tuple(answers))

    def build(self) -> bytes:
        """Return the octets. Raises ValueError for a name that is none."""
        head = _HDR.pack(self.ident, self.flags, len(self.questions), len(self.answers), 0, 0)
        parts: Sequence[Question | Record] = (*self.questions, *self.answers)
        return head + b"".join(part.build() for part in parts)


def _need(octets: bytes, size: int) -> None:
    if size > len(octets):
        raise Truncated("dns", need=size, have=len(octets))


def query(ident: int, name: str, kind: int) -> bytes:
    """Return a question that asks for recursion. Raises ValueError for a name that is none."""
    return Message(ident, RD, (Question(name, kind),)).build()


def reverse_name(addr: int) -> str:
    """Return the name under which an IPv4 address, host integer, is looked up.

    >>> reverse_name(0x0a000001)
    '1.0.0.10.in-addr.arpa'
    """
    return ".".join(str(octet) for octet in reversed(addr.to_bytes(4, "big"))) + ".in-addr.arpa"
