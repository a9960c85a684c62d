"""What the DHCP programs do with frames and files, apart from deciding anything."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import IO, Final, NamedTuple

from libnet.addr import AF_INET, AF_ROUTE, SockaddrDl, SockaddrIn
from libnet.ioctl.ifflags import IFF_BROADCAST, IFF_LOOPBACK
from libnet.ioctl.sysctl import CTL_NET
from libnet.libsocket.ctx import Ctx
from libnet.libsocket.sock import SOCK_DGRAM
from libnet.wire import Malformed, Truncated
from libnet.wire.cksum import in4_cksum, in_cksum
from libnet.wire.ipv4 import IP_MF, IP_OFFMASK, IPPROTO_UDP, IPTOS_LOWDELAY, Ipv4, ip_build
from libnet.wire.rtsock import NET_RT_IFLIST, IfaMsg, IfMsg, unpack_all
from libnet.wire.udp import Udp, udp_build

TTL: Final = 128  # of frames of our own making
ETHERTYPE_IP: Final = b"\x08\x00"


def udp_payload(frame: bytes, port: int) -> tuple[int, bytes] | None:
    """Return source address and payload of a captured datagram for *port*; None for anything else."""
    if frame[12:14] != ETHERTYPE_IP:
        return None
    try:
        ip = Ipv4.parse(frame[14:])
        if ip.p != IPPROTO_UDP or ip.off & (IP_MF | IP_OFFMASK) or in_cksum(ip.header()):
            return None
        udp = Udp.parse(ip.payload)
    except (Truncated, Malformed):
        return None
    whole = bytes(ip.payload[: udp.length])
    if udp.dport != port or (udp.cksum and in4_cksum(ip.src, ip.dst, IPPROTO_UDP, whole)):
        return None
    return ip.src, bytes(udp.payload)


def udp_frame(mac: bytes, src: int, sport: int, dst: int, dport: int, payload: bytes) -> bytes:
    """Return a frame to *mac*; the interface puts in its own address as the sender's."""
    datagram = udp_build(sport, dport, payload, src=src, dst=dst)
    packet = ip_build(
        datagram, src=src, dst=dst, proto=IPPROTO_UDP, ttl=TTL, tos=IPTOS_LOWDELAY, ident=0
    )
    return mac + bytes(6) + ETHERTYPE_IP + packet


class Link(NamedTuple):
    """A broadcast interface: its name, link address, IFF_* flags, and IPv4 addresses."""

    name: str
    mac: bytes
    flags: int
    addrs: tuple[int, ...]


def links(ctx: Ctx) -> list[Link]:
    """Return the box's broadcast interfaces. Raises NetError, BadRtMessage."""
    names: dict[int, tuple[str, bytes, int]] = {}
    addrs: dict[int, list[int]] = {}
    with ctx.socket(AF_INET, SOCK_DGRAM) as sock:
        octets = sock.call("sysctl", [CTL_NET, AF_ROUTE, 0, 0, NET_RT_IFLIST, 0], None)
    for msg in unpack_all(octets):
        if isinstance(msg, IfMsg) and isinstance(msg.addrs.ifp, SockaddrDl):
            link = msg.addrs.ifp
            names[msg.index] = (link.name, link.lladdr, msg.flags)
        elif isinstance(msg, IfaMsg) and isinstance(msg.addrs.ifa, SockaddrIn):
            addrs.setdefault(msg.index, []).append(msg.addrs.ifa.addr)
    return [
        Link(name, mac, flags, tuple(addrs.get(index, ())))
        for index, (name, mac, flags) in names.items()
        if len(mac) == 6 and flags & IFF_BROADCAST and not flags & IFF_LOOPBACK
    ]


class LeaseFile:
    """dhcpd.leases(5) on disk. Every method raises OSError.

    path  on the host         sync  make what is written durable (dont-use-fsync turns that off)
    """

    def __init__(self, path: str, *, sync: bool = True) -> None:
        self.path, self.sync = path, sync
        self._file: IO[bytes] | None = None
        self._size = 0

    def read(self) -> str:
        """Return the whole text, octets as latin-1."""
        with open(self.path, encoding="latin-1", newline="\n") as file:
            return file.read()

    def rewrite(self, chunks: Iterable[str], stamp: int) -> None:
        """Write the file whole: a reader finds the old one or the new one, at any moment.

        stamp  goes into the name of the new file until it has its place; the old one stays as `~`
        """
        fresh = f"{self.path}.{stamp}"
        try:
            with open(fresh, "wb") as file:
                for chunk in chunks:
                    file.write(chunk.encode("latin-1", "replace"))
                file.flush()
                self._durable(file.fileno())
                size = file.tell()
            self._swap(fresh)
        except OSError:
            if os.path.exists(fresh):
                os.unlink(fresh)
            raise
        self.close()
        self._file = open(self.path, "ab", buffering=0)  # noqa: SIM115 - kept until the next rewrite
        self._size = size

    def _swap(self, fresh: str) -> None:
        backup = self.path + "~"
        if os.path.lexists(backup):
            os.unlink(backup)
        if os.path.exists(self.path):
            os.link(self.path, backup)
        os.replace(fresh, self.path)
        directory = os.open(os.path.dirname(self.path) or ".", os.O_RDONLY | os.O_DIRECTORY)
        try:
            self._durable(directory)
        finally:
            os.close(directory)

    def append(self, text: str) -> None:
        """Add entries; they are durable when this returns. If it raises, none of them is there."""
        file = self._file
        if file is None:
            raise FileNotFoundError(2, "No such file or directory", self.path)
        octets = text.encode("latin-1", "replace")
        try:
            view = memoryview(octets)
            while view:
                view = view[file.write(view) or 0 :]
            self._durable(file.fileno())
        except OSError:
            # Half an entry would make the next one unreadable.
            os.ftruncate(file.fileno(), self._size)
            raise
        self._size += len(octets)

    def _durable(self, fd: int) -> None:
        if self.sync:
            os.fsync(fd)

    def close(self) -> None:
        """Close."""
        if self._file is not None:
            self._file.close()
            self._file = None
