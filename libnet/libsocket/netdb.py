"""netdb(3) of a box, shaped as Python's socket module has it: its files, numbers, and name servers."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NoReturn

from libnet.addr import INADDR_LOOPBACK, inet_aton, inet_ntoa, inet_pton
from libnet.conf.hosts import (
    MAX_TEXT,
    Hosts,
    Protocols,
    Services,
    parse_hosts,
    parse_protocols,
    parse_services,
)
from libnet.conf.resolvconf import FILES, ResolvConf

if TYPE_CHECKING:
    from libnet.libsocket.resolver import Resolver

AI_PASSIVE: Final = int(socket.AI_PASSIVE)
AI_CANONNAME: Final = int(socket.AI_CANONNAME)
AI_NUMERICHOST: Final = int(socket.AI_NUMERICHOST)
AI_NUMERICSERV: Final = int(socket.AI_NUMERICSERV)
_TEXTS: Final = {
    socket.EAI_NONAME: "Name or service not known",
    socket.EAI_FAMILY: "ai_family not supported",
    socket.EAI_SERVICE: "Servname not supported for ai_socktype",
    socket.EAI_SOCKTYPE: "ai_socktype not supported",
    socket.EAI_FAIL: "Non-recoverable failure in name resolution",
}
_HOST_NOT_FOUND: Final = 1
_KINDS: Final = (
    (int(socket.SOCK_STREAM), socket.IPPROTO_TCP, "tcp"),
    (int(socket.SOCK_DGRAM), socket.IPPROTO_UDP, "udp"),
    (int(socket.SOCK_RAW), 0, ""),
)
# What a box knows without /etc/protocols.
_PROTOCOLS: Final = "ip 0\nicmp 1\nigmp 2\ntcp 6\nudp 17\nipv6 41\ngre 47\nesp 50\nah 51\n"


def _fail(code: int) -> NoReturn:
    raise socket.gaierror(code, _TEXTS[code])


class Netdb:
    """The tables of one box.

    file      returns where a file of the box lies on the host
    resolver  asks its name servers, or None: then a name is known from /etc/hosts or not at all
    """

    def __init__(self, file: Callable[[str], str], resolver: Resolver | None = None) -> None:
        self._file = file
        self._resolver = resolver

    def _text(self, path: str) -> str:
        # Read each time: a running server is to see what somebody has added.
        try:
            with open(self._file(path), encoding="utf-8", errors="replace") as file:
                return file.read(MAX_TEXT)
        except OSError:
            return ""

    @property
    def hosts(self) -> Hosts:
        """/etc/hosts."""
        return parse_hosts(self._text("/etc/hosts"))

    @property
    def services(self) -> Services:
        """/etc/services."""
        return parse_services(self._text("/etc/services"))

    @property
    def protocols(self) -> Protocols:
        """/etc/protocols, and after it what every box knows."""
        return parse_protocols(self._text("/etc/protocols") + "\n" + _PROTOCOLS)

    # -- addresses

    def address(self, host: str | bytes | bytearray) -> int:
        """Return the IPv4 address, host integer, that a program's (host, port) means.

        Empty is any address, <broadcast> all of them. Raises socket.gaierror.
        """
        if isinstance(host, bytes | bytearray):
            host = bytes(host).decode("idna" if not host.isascii() else "ascii", "replace")
        if not host:
            return 0
        if host in ("<broadcast>", "255.255.255.255"):
            return 0xFFFFFFFF
        addr = self.lookup(host)
        if addr is None:
            _fail(socket.EAI_NONAME)
        return addr

    def lookup(self, name: str) -> int | None:
        """Return the address of a number or a name, or None."""
        try:
            return inet_aton(name)
        except ValueError:
            plain = name.lower().removesuffix(".")
        for source, resolver, conf in self._sources():
            if source == FILES:
                addr = self.hosts.by_name.get(plain)
            else:
                addr = resolver.gethostbyname(name, conf)
            if addr is not None:
                return addr
        return INADDR_LOOPBACK if plain == "localhost" else None

    def name_of(self, addr: int) -> str | None:
        """Return the name of an address, or None."""
        for source, resolver, conf in self._sources():
            if source == FILES:
                name = self.hosts.by_addr.get(addr)
            else:
                name = resolver.gethostbyaddr(addr, conf)
            if name is not None:
                return name
        return None

    def _sources(self) -> list[tuple[str, Any, ResolvConf]]:
        """Return where to look hosts up, in order; with each who asks servers, and how."""
        resolver = self._resolver
        conf = resolver.conf() if resolver is not None else ResolvConf()
        if resolver is None or not conf.servers:
            return [(FILES, None, conf)]
        return [(source, resolver, conf) for source in resolver.sources(conf)]

    def getaddrinfo(
        self, host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
    ) -> list[tuple[int, int, int, str, tuple[str, int]]]:
        """Return what socket.getaddrinfo does; all addresses are of AF_INET."""
        if isinstance(host, bytes | bytearray):
            host = bytes(host).decode("utf-8", "replace")
        if host is not None and not isinstance(host, str):
            raise TypeError("getaddrinfo() argument 1 must be string or None")
        if host is None and port is None:
            _fail(socket.EAI_NONAME)
        if family not in (0, int(socket.AF_INET)):
            _fail(socket.EAI_NONAME if family == socket.AF_INET6 else socket.EAI_FAMILY)
        if host is None:
            addr = 0 if flags & AI_PASSIVE else INADDR_LOOPBACK
        else:
            found = _numeric(host) if flags & AI_NUMERICHOST else self.lookup(host)
            if found is None or not host:
                _fail(socket.EAI_NONAME)
            addr = found
        canon = ""
        if flags & AI_CANONNAME and host is not None:
            canon = self.name_of(addr) or host
        kinds = [
            row for row in _KINDS if type in (0, row[0]) and (proto in (0, row[1]) or not row[1])
        ]
        if not kinds:
            _fail(
                socket.EAI_SOCKTYPE
                if type not in (row[0] for row in _KINDS)
                else socket.EAI_SERVICE
            )
        rows: list[tuple[int, int, int, str, tuple[str, int]]] = []
        for kind, number, name in kinds:
            where = self._port(port, name, numeric=bool(flags & AI_NUMERICSERV))
            if where is None:
                continue
            one = (inet_ntoa(addr), where)
            family_ = socket.AF_INET
            rows.append((family_, socket.SocketKind(kind), number or proto, canon, one))
            canon = ""
        if not rows:
            _fail(socket.EAI_SERVICE)
        return rows

    def _port(self, port: Any, proto: str, *, numeric: bool) -> int | None:
        """Return the number of a service, None when the protocol has no such one."""
        if port is None:
            return 0
        if isinstance(port, int):
            return port & 0xFFFF
        if isinstance(port, bytes | bytearray):
            port = bytes(port).decode("utf-8", "replace")
        if not isinstance(port, str):
            raise OSError("Int or String expected")
        if port.isascii() and port.isdigit() and len(port) < 8:
            return int(port) & 0xFFFF
        if numeric:
            _fail(socket.EAI_NONAME)
        return self.services.by_name.get((port, proto)) if proto else None

    def getnameinfo(self, sockaddr: Any, flags: int) -> tuple[str, str]:
        """Return (host, service) of an address."""
        if not isinstance(sockaddr, tuple) or len(sockaddr) < 2:
            raise TypeError("getnameinfo() argument 1 must be tuple")
        host, port = sockaddr[0], sockaddr[1]
        addr = _numeric(host)
        if addr is None:
            _fail(socket.EAI_NONAME)
        if not 0 <= port <= 0xFFFF:
            _fail(socket.EAI_SERVICE)
        name = None if flags & socket.NI_NUMERICHOST else self.name_of(addr)
        if name is None and flags & socket.NI_NAMEREQD:
            _fail(socket.EAI_NONAME)
        service = None
        if not flags & socket.NI_NUMERICSERV:
            proto = "udp" if flags & socket.NI_DGRAM else "tcp"
            service = self.services.by_port.get((port, proto))
        return name or inet_ntoa(addr), service or str(port)

    def gethostbyname(self, name: str | bytes) -> str:
        """Return the address of a name, as text."""
        return inet_ntoa(self.address(name))

    def gethostbyname_ex(self, name: str | bytes) -> tuple[str, list[str], list[str]]:
        """Return (official name, aliases, addresses)."""
        return self._entry(self.address(name), str(name))

    def gethostbyaddr(self, name: str | bytes) -> tuple[str, list[str], list[str]]:
        """Return (official name, aliases, addresses) of an address."""
        addr = self.address(name)
        found = self.name_of(addr)
        if found is None:
            raise socket.herror(_HOST_NOT_FOUND, "Unknown host")
        return self._entry(addr, found)

    def _entry(self, addr: int, name: str) -> tuple[str, list[str], list[str]]:
        text = inet_ntoa(addr)
        for address, names in self.hosts.lines:
            if _numeric(address) == addr:
                return names[0], list(names[1:]), [text]
        return name, [], [text]

    # -- services and protocols

    def getservbyname(self, name: str, proto: str | None = None) -> int:
        """Return the port of a service."""
        table = self.services.by_name
        for one in (proto,) if proto else ("tcp", "udp"):
            if (name, one) in table:
                return table[name, one]
        raise OSError("service/proto not found")

    def getservbyport(self, port: int, proto: str | None = None) -> str:
        """Return the service of a port."""
        if not 0 <= port <= 0xFFFF:
            raise OverflowError("getservbyport: port must be 0-65535.")
        table = self.services.by_port
        for one in (proto,) if proto else ("tcp", "udp"):
            if (port, one) in table:
                return table[port, one]
        raise OSError("port/proto not found")

    def getprotobyname(self, name: str) -> int:
        """Return the number of an IP protocol."""
        number = self.protocols.by_name.get(name)
        if number is None:
            raise OSError("protocol not found")
        return number


def _numeric(text: Any) -> int | None:
    try:
        return inet_pton(text) if isinstance(text, str) else None
    except ValueError:
        return None
