"""hosts(5), networks(5), services(5) and protocols(5): names and numbers, one a line.

Blank lines, comments and lines that make no sense are passed over, as the resolver does: these
files are edited by hand and one slip must not take every name away.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from libnet.addr import inet_pton

# Octets of one file that are looked at; beyond this it is not a table of names.
MAX_TEXT: Final = 1 << 20


def _fields(text: str) -> Iterator[list[str]]:
    """Yield the words of each line that has at least two, without its comment."""
    for line in text[:MAX_TEXT].splitlines():
        words = line.partition("#")[0].split()
        if len(words) > 1:
            yield words


def _number(text: str, top: int) -> int | None:
    if not (text.isascii() and text.isdigit()) or len(text) > 10:
        return None
    value = int(text)
    return value if value <= top else None


class Hosts:
    """hosts(5): the lines as (address text, names), the first name the official one.

    by_name  IPv4 address, host integer, by name in lower case; the first line with a name wins
    by_addr  official name by IPv4 address
    """

    def __init__(self) -> None:
        self.lines: list[tuple[str, tuple[str, ...]]] = []
        self.by_name: dict[str, int] = {}
        self.by_addr: dict[int, str] = {}


def parse_hosts(text: str) -> Hosts:
    """Read hosts(5).

    >>> parse_hosts("10.0.0.1 BoxA a  # one").by_name
    {'boxa': 167772161, 'a': 167772161}
    """
    hosts = Hosts()
    for address, *names in _fields(text):
        hosts.lines.append((address, tuple(names)))
        try:
            addr = inet_pton(address)
        except ValueError:
            continue  # an IPv6 line, or a slip
        hosts.by_addr.setdefault(addr, names[0])
        for name in names:
            hosts.by_name.setdefault(name.lower(), addr)
    return hosts


class Networks:
    """networks(5). Numbers are as inet_network(3) reads them: "10" is 10, "10.1" is 0x0a01."""

    def __init__(self) -> None:
        self.by_name: dict[str, int] = {}
        self.by_net: dict[int, str] = {}


def inet_network(text: str) -> int:
    """Return the network number of one to four parts (decimal, octal or hex); ValueError otherwise.

    The parts are packed to the right, so the number is not shifted to an address.

    >>> hex(inet_network("192.168.7"))
    '0xc0a807'
    """
    parts = text.split(".")
    if len(parts) > 4:
        raise ValueError(text)
    net = 0
    for part in parts:
        if not part.isascii() or not part[:1].isdigit() or "_" in part or len(part) > 11:
            raise ValueError(text)
        if part[:2] in ("0x", "0X"):
            value = int(part, 16)
        else:
            value = int(part, 8 if part[0] == "0" else 10)
        if value > 255:
            raise ValueError(text)
        net = net << 8 | value
    return net


def parse_networks(text: str) -> Networks:
    """Read networks(5).

    >>> parse_networks("loopback 127 lo").by_name
    {'loopback': 127, 'lo': 127}
    """
    networks = Networks()
    for name, number, *aliases in _fields(text):
        try:
            net = inet_network(number)
        except ValueError:
            continue
        networks.by_net.setdefault(net, name)
        for one in (name, *aliases):
            networks.by_name.setdefault(one, net)
    return networks


class Services:
    """services(5) both ways, per protocol name ("tcp", "udp")."""

    def __init__(self) -> None:
        self.by_name: dict[tuple[str, str], int] = {}
        self.by_port: dict[tuple[int, str], str] = {}


def parse_services(text: str) -> Services:
    """Read services(5).

    >>> parse_services("http 80/tcp www").by_name
    {('http', 'tcp'): 80, ('www', 'tcp'): 80}
    """
    services = Services()
    for name, where, *aliases in _fields(text):
        digits, slash, proto = where.partition("/")
        port = _number(digits, 65535)
        if port is None or not slash or not proto:
            continue
        services.by_port.setdefault((port, proto), name)
        for one in (name, *aliases):
            services.by_name.setdefault((one, proto), port)
    return services


class Protocols:
    """protocols(5) both ways."""

    def __init__(self) -> None:
        self.by_name: dict[str, int] = {}
        self.by_number: dict[int, str] = {}


def parse_protocols(text: str) -> Protocols:
    """Read protocols(5).

    >>> parse_protocols("icmp 1 ICMP").by_number
    {1: 'icmp'}
    """
    protocols = Protocols()
    for name, digits, *aliases in _fields(text):
        number = _number(digits, 255)
        if number is None:
            continue
        protocols.by_number.setdefault(number, name)
        for one in (name, *aliases):
            protocols.by_name.setdefault(one, number)
    return protocols
