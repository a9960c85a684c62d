"""Socket options by the numbers of this host, and by those of the stack.

A program that was written for the host says setsockopt(SOL_SOCKET, SO_REUSEADDR, 1) with the host's
numbers and the host's C values; the stack has NetBSD's numbers and takes an int, bytes or a Struct.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Callable
from typing import Any, Final

from libnet.addr import IpMreq
from libnet.libsocket import sock as bsd

SO_KEEPALIVE: Final = 0x0008
SO_LINGER: Final = 0x0080
SO_OOBINLINE: Final = 0x0100
TCP_CONGCTL: Final = 0x20

_INT: Final = struct.Struct("@i")
_LINGER: Final = struct.Struct("@ii")

Row = tuple[int, int, Callable[[Any], Any], Callable[[Any], Any]]


def _to_int(value: Any) -> int:
    """Return the int of a C int, or of the octet that some options may be."""
    if isinstance(value, int):
        return value
    raw = bytes(value)
    if len(raw) >= _INT.size:
        number: int = _INT.unpack_from(raw)[0]
        return number
    if raw:
        return raw[0]
    raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))


def _from_int(value: Any) -> bytes:
    return _INT.pack(max(-(1 << 31), min(int(value), (1 << 31) - 1)))


def _to_bool(value: Any) -> int:
    return int(bool(_to_int(value)))


def _from_bool(value: Any) -> bytes:
    return _INT.pack(int(bool(value)))


def _to_text(value: Any) -> str:
    if isinstance(value, int):
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    return bytes(value).split(b"\0")[0].decode("utf-8", "surrogateescape")


def _from_text(value: Any) -> bytes:
    return str(value).encode("utf-8", "surrogateescape") + b"\0"


def _to_bytes(value: Any) -> bytes:
    return _INT.pack(value) if isinstance(value, int) else bytes(value)


def _from_bytes(value: Any) -> bytes:
    return bytes(value or b"")


def _to_linger(value: Any) -> list[int]:
    raw = _to_bytes(value)
    if len(raw) < _LINGER.size:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    on, seconds = _LINGER.unpack_from(raw)
    return [int(bool(on)), max(0, min(seconds, 32767))]


def _from_linger(value: Any) -> bytes:
    return _LINGER.pack(*value)


def _to_address(value: Any) -> int:
    """Return the interface of IP_MULTICAST_IF: struct in_addr, ip_mreq or ip_mreqn."""
    if isinstance(value, int):
        raw = _INT.pack(value)
    else:
        raw = bytes(value)
    if len(raw) >= 12 and (index := _INT.unpack_from(raw, 8)[0]):
        return int(index)  # 0.0.0.index names an interface by its number
    place = 4 if len(raw) >= 8 else 0
    if len(raw) < 4:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    return int.from_bytes(raw[place : place + 4], "big")


def _from_address(value: Any) -> bytes:
    return int(value).to_bytes(4, "big")


def _to_mreq(value: Any) -> IpMreq:
    raw = _to_bytes(value)
    if len(raw) < 8:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    return IpMreq(int.from_bytes(raw[:4], "big"), _to_address(raw))


_NUMBER: Final = (_to_int, _from_int)
_BOOL: Final = (_to_bool, _from_bool)
_TEXT: Final = (_to_text, _from_text)
_BYTES: Final = (_to_bytes, _from_bytes)
_GROUP: Final = (_to_mreq, _from_bytes)

# level and name in the module socket; level, name of the stack; how a value goes there and back
_TABLE: Final[tuple[tuple[str, str, int, int, tuple[Any, Any]], ...]] = (
    ("SOL_SOCKET", "SO_DEBUG", bsd.SOL_SOCKET, bsd.SO_DEBUG, _BOOL),
    ("SOL_SOCKET", "SO_REUSEADDR", bsd.SOL_SOCKET, bsd.SO_REUSEADDR, _BOOL),
    ("SOL_SOCKET", "SO_REUSEPORT", bsd.SOL_SOCKET, bsd.SO_REUSEPORT, _BOOL),
    ("SOL_SOCKET", "SO_DONTROUTE", bsd.SOL_SOCKET, bsd.SO_DONTROUTE, _BOOL),
    ("SOL_SOCKET", "SO_BROADCAST", bsd.SOL_SOCKET, bsd.SO_BROADCAST, _BOOL),
    ("SOL_SOCKET", "SO_KEEPALIVE", bsd.SOL_SOCKET, SO_KEEPALIVE, _BOOL),
    ("SOL_SOCKET", "SO_OOBINLINE", bsd.SOL_SOCKET, SO_OOBINLINE, _BOOL),
    ("SOL_SOCKET", "SO_TIMESTAMP", bsd.SOL_SOCKET, bsd.SO_TIMESTAMP, _BOOL),
    ("SOL_SOCKET", "SO_SNDBUF", bsd.SOL_SOCKET, bsd.SO_SNDBUF, _NUMBER),
    ("SOL_SOCKET", "SO_RCVBUF", bsd.SOL_SOCKET, bsd.SO_RCVBUF, _NUMBER),
    ("SOL_SOCKET", "SO_SNDLOWAT", bsd.SOL_SOCKET, bsd.SO_SNDLOWAT, _NUMBER),
    ("SOL_SOCKET", "SO_RCVLOWAT", bsd.SOL_SOCKET, bsd.SO_RCVLOWAT, _NUMBER),
    ("SOL_SOCKET", "SO_LINGER", bsd.SOL_SOCKET, SO_LINGER, (_to_linger, _from_linger)),
    ("SOL_SOCKET", "SO_ACCEPTCONN", bsd.SOL_SOCKET, 0x0002, _BOOL),
    ("SOL_SOCKET", "SO_BINDTODEVICE", bsd.SOL_SOCKET, bsd.SO_BINDTODEVICE, _TEXT),
    ("IPPROTO_IP", "IP_OPTIONS", bsd.IPPROTO_IP, bsd.IP_OPTIONS, _BYTES),
    ("IPPROTO_IP", "IP_HDRINCL", bsd.IPPROTO_IP, bsd.IP_HDRINCL, _BOOL),
    ("IPPROTO_IP", "IP_TOS", bsd.IPPROTO_IP, bsd.IP_TOS, _NUMBER),
    ("IPPROTO_IP", "IP_TTL", bsd.IPPROTO_IP, bsd.IP_TTL, _NUMBER),
    ("IPPROTO_IP", "IP_RECVOPTS", bsd.IPPROTO_IP, bsd.IP_RECVOPTS, _BOOL),
    ("IPPROTO_IP", "IP_RECVTTL", bsd.IPPROTO_IP, bsd.IP_RECVTTL, _BOOL),
    ("IPPROTO_IP", "IP_PKTINFO", bsd.IPPROTO_IP, bsd.IP_RECVDSTADDR, _BOOL),
    (
        "IPPROTO_IP",
        "IP_MULTICAST_IF",
        bsd.IPPROTO_IP,
        bsd.IP_MULTICAST_IF,
        (_to_address, _from_address),
    ),
    ("IPPROTO_IP", "IP_MULTICAST_TTL", bsd.IPPROTO_IP, bsd.IP_MULTICAST_TTL, _NUMBER),
    ("IPPROTO_IP", "IP_MULTICAST_LOOP", bsd.IPPROTO_IP, bsd.IP_MULTICAST_LOOP, _BOOL),
    ("IPPROTO_IP", "IP_ADD_MEMBERSHIP", bsd.IPPROTO_IP, bsd.IP_ADD_MEMBERSHIP, _GROUP),
    ("IPPROTO_IP", "IP_DROP_MEMBERSHIP", bsd.IPPROTO_IP, bsd.IP_DROP_MEMBERSHIP, _GROUP),
    ("IPPROTO_TCP", "TCP_NODELAY", bsd.IPPROTO_TCP, 1, _BOOL),
    ("IPPROTO_TCP", "TCP_MAXSEG", bsd.IPPROTO_TCP, 2, _NUMBER),
    ("IPPROTO_TCP", "TCP_KEEPIDLE", bsd.IPPROTO_TCP, 3, _NUMBER),
    ("IPPROTO_TCP", "TCP_KEEPINTVL", bsd.IPPROTO_TCP, 5, _NUMBER),
    ("IPPROTO_TCP", "TCP_KEEPCNT", bsd.IPPROTO_TCP, 6, _NUMBER),
    ("IPPROTO_TCP", "TCP_CONGESTION", bsd.IPPROTO_TCP, TCP_CONGCTL, _TEXT),
)

# Numbers of <netinet/in.h> that the module socket of some Python versions lacks.
_LINUX: Final = {"IP_PKTINFO": 8, "IP_RECVTTL": 12, "SO_TIMESTAMP": 29, "SO_LINGER": 13}


def _rows() -> dict[tuple[int, int], Row]:
    rows: dict[tuple[int, int], Row] = {}
    for level, name, to_level, to_name, (there, back) in _TABLE:
        number = getattr(socket, name, _LINUX.get(name))
        if number is not None:
            rows[int(getattr(socket, level)), int(number)] = to_level, to_name, there, back
    return rows


ROWS: Final = _rows()


def pack_int(value: int) -> bytes:
    """Return a C int."""
    return _INT.pack(value)


def unpack_int(octets: bytes) -> int:
    """Return the C int that *octets* are, filled up with zeros."""
    number: int = _INT.unpack(octets[: _INT.size].ljust(_INT.size, b"\0"))[0]
    return number


IP_PKTINFO: Final = 8
IP_TTL: Final = 2
IP_RECVTTL: Final = 12
SO_TIMESTAMP: Final = 29


def ancillary(control: dict[str, Any], index: Callable[[str], int]) -> list[tuple[int, int, bytes]]:
    """Return what recvmsg(2) of the host would tell, for the control data of a record.

    index  returns the number of an interface's name, 0 for none
    """
    found: list[tuple[int, int, bytes]] = []
    if "timestamp" in control:
        seconds = float(control["timestamp"])
        whole = int(seconds)
        stamp = struct.pack("@ll", whole, int((seconds - whole) * 1e6))
        found.append((socket.SOL_SOCKET, SO_TIMESTAMP, stamp))
    if "dstaddr" in control:
        octets = int(control["dstaddr"]).to_bytes(4, "big")
        number = index(control["recvif"]) if control.get("recvif") else 0
        found.append((socket.IPPROTO_IP, IP_PKTINFO, _INT.pack(number) + octets + octets))
    if "ttl" in control:
        found.append((socket.IPPROTO_IP, IP_TTL, _INT.pack(control["ttl"])))
    return found
