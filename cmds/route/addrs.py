"""The operands of route add, change, delete and get: keywords and addresses, to one RtMsg.

An address is read in the family that was named last, IPv4 at first. Of the families beside it this
stack has tables for none; their addresses are read and sent all the same, and the answer is its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from cmds._names import HostNotFound, Names
from libnet.addr import (
    AF_INET,
    AF_INET6,
    AF_LINK,
    AF_ROUTE,
    AF_UNSPEC,
    Sockaddr,
    SockaddrDl,
    SockaddrIn,
    class_mask,
    inet_aton,
)
from libnet.conf.hosts import inet_network
from libnet.wire.rtsock import (
    METRICS,
    RTF_BLACKHOLE,
    RTF_CLONED,
    RTF_CLONING,
    RTF_GATEWAY,
    RTF_HOST,
    RTF_LLINFO,
    RTF_PROTO1,
    RTF_PROTO2,
    RTF_REJECT,
    RTF_STATIC,
    RTF_UP,
    RTF_XRESOLVE,
    RTM_ADD,
    RTM_CHANGE,
    RTM_DELETE,
    RTM_GET,
    RtAddrs,
    RtMetrics,
    RtMsg,
    SockaddrRaw,
)

AF_ISO: Final = 7
AF_APPLETALK: Final = 16

# Keyword, and the flags it sets and clears.
FLAGS: Final = {
    "nostatic": (0, RTF_STATIC),
    "static": (RTF_STATIC, 0),
    "llinfo": (RTF_LLINFO, 0),
    "reject": (RTF_REJECT, 0),
    "blackhole": (RTF_BLACKHOLE, 0),
    "cloned": (RTF_CLONED, 0),
    "nocloned": (0, RTF_CLONED),
    "cloning": (RTF_CLONING, 0),
    "nocloning": (0, RTF_CLONING),
    "proto1": (RTF_PROTO1, 0),
    "proto2": (RTF_PROTO2, 0),
    "xresolve": (RTF_XRESOLVE, 0),
}
FAMILIES: Final = {
    "inet": AF_INET,
    "inet6": AF_INET6,
    "link": AF_LINK,
    "atalk": AF_APPLETALK,
    "osi": AF_ISO,
    "iso": AF_ISO,
    "sa": AF_ROUTE,
}
METRIC_BITS: Final = dict(METRICS)
TYPES: Final = {"add": RTM_ADD, "change": RTM_CHANGE, "delete": RTM_DELETE, "get": RTM_GET}
# The keywords that take an argument, beside the metrics.
WITH_ARGUMENT: Final = (
    "ifa",
    "ifp",
    "genmask",
    "gateway",
    "dst",
    "netmask",
    "prefixlen",
    *METRIC_BITS,
)
WITHOUT_ARGUMENT: Final = (
    *FLAGS,
    *FAMILIES,
    "iface",
    "interface",
    "lock",
    "lockrest",
    "host",
    "net",
)

_U32: Final = 0xFFFFFFFF


class UsageError(Exception):
    """A word makes no sense; `word` is printed, unless None."""

    def __init__(self, word: str | None) -> None:
        super().__init__(word)
        self.word = word


class BadValue(Exception):
    """Something to print and give up; the text is the whole message."""


def atoi(text: str) -> int:
    """Return the number at the start of *text*, 0 if there is none.

    >>> atoi("12x"), atoi(" -3"), atoi("x")
    (12, -3, 0)
    """
    body = text.lstrip(" \t\n\v\f\r")
    sign = -1 if body[:1] == "-" else 1
    digits = ""
    for c in body[1:] if body[:1] in ("+", "-") else body:
        if c not in "0123456789" or len(digits) > 18:
            break
        digits += c
    return sign * int(digits) if digits else 0


def network_of(net: int) -> tuple[int, int]:
    """Return (address, mask) of a network number as it was written, unshifted (10, 0xc0a807, …).

    >>> [hex(n) for n in network_of(0x8020)]
    ['0x80200000', '0xffff0000']
    """
    if net == 0:
        return 0, 0
    shift = 24 if net < 256 else 16 if net < 65536 else 8 if net < 16777216 else 0
    addr = net << shift
    if not shift:
        for mask in (0xFF000000, 0xFFFF0000, 0xFFFFFF00):
            if not addr & ~mask & _U32:
                return addr, mask
        return addr, _U32
    # The classes as the number of octets written down makes them.
    if shift == 24:
        mask = class_mask(addr) if net < 224 else 0xF0000000
    elif shift == 16:
        mask = 0xFFFFFF00 if 49152 <= net < 57344 else 0xFFFF0000
    else:
        mask = 0xFFFFFF00 if net < 14680064 else 0xF0000000
    return addr, mask


def hex_octets(text: str) -> bytes:
    """Return octets written in hexadecimal: one or two digits each, anything else between them.

    >>> hex_octets("a.0b:1203").hex()
    '0a0b1203'
    """
    out = bytearray()
    pending = ""
    for c in text:
        if c in "0123456789abcdefABCDEF":
            pending += c
            if len(pending) == 2:
                out.append(int(pending, 16))
                pending = ""
        elif pending:
            out.append(int(pending, 16))
            pending = ""
    if pending:
        out.append(int(pending, 16))
    return bytes(out[:250])


def link_addr(text: str) -> SockaddrDl:
    """Return link_addr(3) of "name:octets", "name", ":octets", or the index of "link#2".

    >>> link_addr("wm0:0.c.29").lladdr.hex(), link_addr("link#2").index
    ('000c29', 2)
    """
    if text.startswith("link#") and text[5:].isascii() and text[5:].isdigit():
        return SockaddrDl(int(text[5:][:5]) & 0xFFFF)
    at = 0
    while at < len(text) and text[at].isascii() and text[at].isalnum():
        at += 1
    return SockaddrDl(0, 0, text[:at][:15], hex_octets(text[at:]))


class Request:
    """What the operands of one command ask for.

    dest, gateway  as they were typed, "" when they were not
    msg()          the message to send
    """

    def __init__(
        self, command: str, names: Names, *, quiet: bool, warn: Callable[[str], None]
    ) -> None:
        self.command = command
        self.dest = self.gateway = ""
        self.ishost = False
        self.addrs = RtAddrs()
        self.rmx = RtMetrics()
        self.inits = 0
        self.flags = RTF_STATIC
        self._names, self._quiet, self._warn = names, quiet, warn
        self._af = AF_UNSPEC
        self._iface = self._forcehost = self._forcenet = False
        self._locking = self._lockrest = False

    # -- words

    def parse(self, words: Sequence[str]) -> None:
        """Read the operands. Raises UsageError, BadValue."""
        rest = list(words)
        while rest:
            word = rest.pop(0)
            if not word.startswith("-"):
                self._operand(word)
                continue
            key = word[1:]
            if key in WITH_ARGUMENT:
                if not rest:
                    raise UsageError(key)
                self._argument(key, rest.pop(0))
            elif key in WITHOUT_ARGUMENT:
                self._keyword(key)
            else:
                raise UsageError(key)
        if self._forcehost and self._forcenet:
            raise BadValue("-host and -net conflict")
        self.ishost = self._forcehost or (self.ishost and not self._forcenet)
        self.flags |= RTF_UP
        if self.ishost:
            self.flags |= RTF_HOST
        if not self._iface:
            self.flags |= RTF_GATEWAY

    def _keyword(self, key: str) -> None:
        if key in FLAGS:
            on, off = FLAGS[key]
            self.flags = (self.flags | on) & ~off
        elif key in FAMILIES:
            self._af = FAMILIES[key]
        elif key == "lock":
            self._locking = True
        elif key == "lockrest":
            self._lockrest = True
        elif key == "host":
            self._forcehost = True
        elif key == "net":
            self._forcenet = True
        else:
            self._iface = True  # iface, interface

    def _argument(self, key: str, value: str) -> None:
        if key in METRIC_BITS:
            self._metric(key, value)
        elif key == "dst":
            self.dest, self.ishost = self._destination(value)
        elif key == "prefixlen":
            self.ishost = self._prefixlen(value)
        elif key == "netmask":
            self._mask("netmask", value)
            self._forcenet = True
        elif key == "genmask":
            self._mask("genmask", value)
        elif key == "ifp":
            self.addrs.ifp = link_addr(value)
        else:
            setattr(self.addrs, key, self._address(value))

    def _operand(self, word: str) -> None:
        if self.addrs.dst is None:
            self.dest, self.ishost = self._destination(word)
        elif self.addrs.gateway is None:
            self.gateway = word
            self.addrs.gateway = self._address(word)
        else:
            self._third(word)

    def _third(self, word: str) -> None:
        """Read the third operand: a netmask, or the number that 4.2BSD wanted there."""
        number = atoi(word)
        if number == 0 and word != "default":
            if word != "0":
                raise UsageError(None)
            if not self._quiet:
                self._warn("old usage of trailing 0, assuming route to if")
            self._iface = True
        elif 0 < number < 10:
            if not self._quiet:
                self._warn("old usage of trailing digit, assuming route via gateway")
            self._iface = False
        else:
            self._mask("netmask", word)
            # A mask that came with the command is not to be forgotten because of the host part.
            self.ishost = self.ishost and self.addrs.netmask == _U32

    def _metric(self, key: str, value: str) -> None:
        bit = METRIC_BITS[key]
        self.inits |= bit
        if self._locking or self._lockrest:
            self.rmx.locks |= bit
        self._locking = False
        setattr(self.rmx, key, atoi(value) & _U32)

    # -- addresses

    def _family(self) -> int:
        if self._af == AF_UNSPEC:
            self._af = AF_INET
        return self._af

    def _destination(self, text: str) -> tuple[str, bool]:
        """Read the destination; return it as it is shown, and whether it is a host."""
        family = self._family()
        if text == "default":
            self._forcenet = True
            self.addrs.dst = SockaddrIn() if family == AF_INET else _zero(family)
            if family == AF_INET:
                self.addrs.netmask = 0
            return text, False
        if family != AF_INET:
            return text, self._foreign(text)
        head, slash, tail = text.partition("/")
        if slash:
            net = _network(head) if self._forcenet else _aton(head)
            if net is not None:
                self._network_dst(net)
                return head, self._prefixlen(tail)
        addr = None if self._forcenet else _aton(text)
        if addr is not None:
            if addr & ~class_mask(addr) & _U32:
                self.addrs.dst = SockaddrIn(addr)
                return text, True
            self._network_dst(addr)
            return text, False
        net = _network(text)
        if net is None:
            net = self._network_name(text)
        if net is not None:
            self._network_dst(net)
            return text, False
        self.addrs.dst = SockaddrIn(self._host(text))
        return text, True

    def _network_dst(self, net: int) -> None:
        addr, self.addrs.netmask = network_of(net)
        self.addrs.dst = SockaddrIn(addr)

    def _network_name(self, text: str) -> int | None:
        try:
            return self._names.getnetbyname(text) or None
        except HostNotFound:
            return None

    def _host(self, text: str) -> int:
        try:
            return self._names.gethostbyname(text)
        except HostNotFound:
            raise BadValue(f"{text}: bad value") from None

    def _foreign(self, text: str) -> bool:
        """Read a destination of another family; tell whether it is a host."""
        head, slash, tail = text.rpartition("/")
        if self._af == AF_INET6 and slash:
            self.addrs.dst = self._address(head)
            return self._prefixlen(tail)
        self.addrs.dst = self._address(text)
        return True

    def _address(self, text: str) -> Sockaddr:
        """Return any address but a destination or a mask."""
        family = self._family()
        if family == AF_INET:
            if text == "default":
                return SockaddrIn()
            return SockaddrIn(self._host(text))
        if text == "default":
            return _zero(family)
        if family == AF_LINK:
            return link_addr(text)
        if family == AF_INET6:
            return _inet6(text)
        if family == AF_APPLETALK:
            return _atalk(text)
        octets = hex_octets(text)
        if family == AF_ISO:
            return SockaddrRaw(AF_ISO, bytes((len(octets),)) + octets)
        # -sa: the family's octet, then whatever follows.
        return SockaddrRaw(octets[0], octets[1:]) if octets else Sockaddr()

    def _mask(self, which: str, text: str) -> None:
        family = self._family()
        if text == "default":
            value = 0
        elif family == AF_INET:
            value = self._host(text)
        else:
            raise BadValue(f"netmask is not supported with af {family}")
        setattr(self.addrs, which, value)

    def _prefixlen(self, text: str) -> bool:
        """Read a prefix length; tell whether it is a host's."""
        family = self._family()
        top = {AF_INET: 32, AF_INET6: 128}.get(family)
        if top is None:
            raise BadValue(f"prefixlen is not supported with af {family}")
        length = atoi(text)
        if not 0 <= length <= top:
            raise BadValue(f"{text}: bad value")
        if family == AF_INET:
            self.addrs.netmask = (_U32 << (32 - length)) & _U32
        return length == top

    # -- the message

    def msg(self, seq: int) -> RtMsg:
        """Return the message; a GET asks for the interface too."""
        if self.command == "get" and self.addrs.ifp is None:
            self.addrs.ifp = SockaddrDl()
        return RtMsg(
            TYPES[self.command],
            flags=self.flags,
            addrs=self.addrs,
            seq=seq,
            inits=self.inits,
            rmx=self.rmx,
        )


def _aton(text: str) -> int | None:
    try:
        return inet_aton(text)
    except ValueError:
        return None


def _network(text: str) -> int | None:
    try:
        return inet_network(text)
    except ValueError:
        return None


def _zero(family: int) -> Sockaddr:
    return SockaddrDl() if family == AF_LINK else SockaddrRaw(family, bytes(26))


def _inet6(text: str) -> SockaddrRaw:
    from ipaddress import AddressValueError, IPv6Address

    try:
        packed = IPv6Address(text.partition("%")[0]).packed
    except AddressValueError:
        raise BadValue(f"{text}: bad value") from None
    return SockaddrRaw(AF_INET6, bytes(6) + packed + bytes(4))


def _atalk(text: str) -> SockaddrRaw:
    net, dot, node = text.partition(".")
    if not dot or not 0 <= atoi(net) <= 65535 or not 0 <= atoi(node) <= 255:
        raise BadValue(f"bad address: {text}")
    return SockaddrRaw(AF_APPLETALK, bytes(2) + atoi(net).to_bytes(2, "big") + bytes((atoi(node),)))
