"""Ethernet and IPv4 addresses and sockaddrs: parse, print, compare.

Inside the program an IPv4 address is a host integer (0x0a000001), a link address is `bytes`.
"""

from __future__ import annotations

from typing import Final

from libnet.record import Struct

AF_UNSPEC: Final = 0
AF_LOCAL: Final = 1
AF_INET: Final = 2
AF_ROUTE: Final = 17
AF_LINK: Final = 18
AF_INET6: Final = 24

INADDR_ANY: Final = 0
INADDR_BROADCAST: Final = 0xFFFFFFFF
INADDR_LOOPBACK: Final = 0x7F000001
INADDR_NONE: Final = 0xFFFFFFFF

ETHER_BROADCAST: Final = b"\xff" * 6


class Sockaddr(Struct):
    """struct sockaddr: the empty base of all of them; alone it means "none given"."""


class SockaddrIn(Sockaddr):
    """struct sockaddr_in: address (host integer) and port."""

    addr: int = 0
    port: int = 0


class SockaddrDl(Sockaddr):
    """struct sockaddr_dl: link-level address of interface *index*.

    type   IFT_* of the interface
    name   interface name, may be empty
    lladdr link address octets, may be empty (then it prints as link#index)
    """

    index: int = 0
    type: int = 0
    name: str = ""
    lladdr: bytes = b""


class IpMreq(Struct):
    """struct ip_mreq: group and interface address of a membership, host integers."""

    multiaddr: int
    interface: int = 0


def inet_ntoa(addr: int) -> str:
    """Return dotted text.

    >>> inet_ntoa(0x0a2a0714)
    '10.42.7.20'
    """
    return f"{addr >> 24 & 255}.{addr >> 16 & 255}.{addr >> 8 & 255}.{addr & 255}"


def inet_aton(text: str) -> int:
    """Return the address that inet_aton(3) reads: one to four parts, decimal, octal or hex.

    Raises ValueError.

    >>> hex(inet_aton("10.1")), hex(inet_aton("0xffffff00"))
    ('0xa000001', '0xffffff00')
    """
    parts = text.split(".")
    if not 1 <= len(parts) <= 4:
        raise ValueError(text)
    values = []
    for part in parts:
        if not part or not part.isascii() or not part[0].isdigit() or "_" in part:
            raise ValueError(text)
        if part[:2] in ("0x", "0X"):
            values.append(int(part, 16))
        elif part[0] == "0" and len(part) > 1:
            values.append(int(part, 8))
        else:
            values.append(int(part, 10))
    result = 0
    for value in values[:-1]:
        if value > 255:
            raise ValueError(text)
        result = result << 8 | value
    room = 8 * (5 - len(values))
    if values[-1] >= 1 << room:
        raise ValueError(text)
    return result << room | values[-1]


def inet_pton(text: str) -> int:
    """Return the address of strict dotted-quad text; ValueError otherwise."""
    parts = text.split(".")
    if len(parts) != 4 or not all(p.isascii() and p.isdigit() and len(p) < 4 for p in parts):
        raise ValueError(text)
    return inet_aton(".".join(str(int(p)) for p in parts))


def prefix_mask(length: int) -> int:
    """Return the netmask of a prefix length, 0 to 32.

    >>> hex(prefix_mask(20))
    '0xfffff000'
    """
    return (0xFFFFFFFF << (32 - length)) & 0xFFFFFFFF


def mask_prefix(mask: int) -> int | None:
    """Return the prefix length of a contiguous mask, or None.

    >>> mask_prefix(0xffffff00), mask_prefix(0xff00ff00)
    (24, None)
    """
    length = mask.bit_count()
    return length if prefix_mask(length) == mask else None


def class_mask(addr: int) -> int:
    """Return the classful netmask of *addr* (RFC 791)."""
    if addr < 0x80000000:
        return 0xFF000000
    return 0xFFFF0000 if addr < 0xC0000000 else 0xFFFFFF00


def is_multicast(addr: int) -> bool:
    """Tell whether *addr* is of class D (RFC 1112)."""
    return addr >> 28 == 0xE


def ether_ntoa(octets: bytes) -> str:
    """Return lower-case colon text.

    >>> ether_ntoa(bytes.fromhex("000c293a41b7"))
    '00:0c:29:3a:41:b7'
    """
    return octets.hex(":")


def ether_aton(text: str) -> bytes:
    """Return six octets from "0:c:29:3a:41:b7"; ValueError otherwise."""
    parts = text.split(":")
    if len(parts) != 6 or not all(1 <= len(p) <= 2 and p.isalnum() for p in parts):
        raise ValueError(text)
    try:
        return bytes(int(p, 16) for p in parts)
    except ValueError:
        raise ValueError(text) from None
