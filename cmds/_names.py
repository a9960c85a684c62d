"""Names and numbers of hosts, networks, services and protocols, from the files of the box.

Hosts are asked of its name servers, too, if it has any (libnet.libsocket.resolver).
Addresses are host integers. A program that asks often keeps a Names; the functions below read the
file once a call.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from libnet.addr import inet_aton
from libnet.conf.hosts import (
    MAX_TEXT,
    Hosts,
    Networks,
    Protocols,
    Services,
    parse_hosts,
    parse_networks,
    parse_protocols,
    parse_services,
)
from libnet.libsocket.ctx import Ctx

if TYPE_CHECKING:
    from libnet.conf.resolvconf import ResolvConf
    from libnet.libsocket.resolver import Resolver

    Servers = tuple[Resolver, ResolvConf, tuple[str, ...]]

# What a box knows without /etc/protocols: the numbers this stack implements or prints.
_PROTOCOLS: Final = (
    "ip 0\nicmp 1\nigmp 2\ntcp 6\nudp 17\nipv6 41\ngre 47\nesp 50\nah 51\nicmp6 58\n"
)


class HostNotFound(LookupError):
    """No address, or no number, belongs to that name."""


class Names:
    """The tables of one box, each read when first asked for. An absent file is an empty table."""

    def __init__(self, ctx: Ctx) -> None:
        self._ctx = ctx
        self._hosts: Hosts | None = None
        self._networks: Networks | None = None
        self._services: Services | None = None
        self._protocols: Protocols | None = None
        self._servers: Servers | None = None
        self._asked = False

    def _read(self, path: str) -> str:
        try:
            with open(self._ctx.file(path), encoding="utf-8", errors="replace") as file:
                return file.read(MAX_TEXT)
        except OSError:
            return ""

    @property
    def hosts(self) -> Hosts:
        """/etc/hosts."""
        if self._hosts is None:
            self._hosts = parse_hosts(self._read("/etc/hosts"))
        return self._hosts

    @property
    def networks(self) -> Networks:
        """/etc/networks."""
        if self._networks is None:
            self._networks = parse_networks(self._read("/etc/networks"))
        return self._networks

    @property
    def services(self) -> Services:
        """/etc/services."""
        if self._services is None:
            self._services = parse_services(self._read("/etc/services"))
        return self._services

    @property
    def protocols(self) -> Protocols:
        """/etc/protocols, and after it what every box knows."""
        if self._protocols is None:
            self._protocols = parse_protocols(self._read("/etc/protocols") + "\n" + _PROTOCOLS)
        return self._protocols

    def gethostbyname(self, text: str) -> int:
        """Return the IPv4 address of a number (inet_aton(3) forms) or a name.

        Raises HostNotFound.
        """
        try:
            return inet_aton(text)
        except ValueError:
            pass
        name = text.lower().removesuffix(".")
        servers = self.servers()
        if servers is None:
            addr = self.hosts.by_name.get(name)
        else:
            resolver, conf, sources = servers
            for source in sources:
                if source == "files":
                    addr = self.hosts.by_name.get(name)
                else:
                    addr = resolver.gethostbyname(text, conf)
                if addr is not None:
                    return addr
            addr = None
        if addr is None:
            raise HostNotFound(text)
        return addr

    def gethostbyaddr(self, addr: int) -> str | None:
        """Return the official name of an IPv4 address, or None."""
        servers = self.servers()
        if servers is None:
            return self.hosts.by_addr.get(addr)
        resolver, conf, sources = servers
        for source in sources:
            if source == "files":
                name = self.hosts.by_addr.get(addr)
            else:
                name = resolver.gethostbyaddr(addr, conf)
            if name is not None:
                return name
        return None

    def servers(self) -> Servers | None:
        """Return who asks name servers, and how; None in a box that has no name server."""
        if not self._asked:
            self._asked = True
            lines = self._read("/etc/resolv.conf").splitlines()
            named = any(line.lstrip().startswith("nameserver") for line in lines)
            if named or os.path.exists(os.path.join(self._ctx.box.run, "confstr")):
                from libnet.libsocket.resolver import Resolver

                resolver = Resolver(self._ctx)
                conf = resolver.conf()
                if conf.servers:
                    self._servers = (resolver, conf, resolver.sources(conf))
        return self._servers

    def getnetbyname(self, text: str) -> int:
        """Return the network number of a name, unshifted (127 for loopback).

        Raises HostNotFound.
        """
        net = self.networks.by_name.get(text)
        if net is None:
            raise HostNotFound(text)
        return net

    def getnetbyaddr(self, net: int) -> str | None:
        """Return the name of a network number (trailing zero octets cut off), or None."""
        return self.networks.by_net.get(net)

    def getservbyname(self, name: str, proto: str) -> int:
        """Return the port of a service name. Raises HostNotFound."""
        port = self.services.by_name.get((name, proto))
        if port is None:
            raise HostNotFound(name)
        return port

    def getservbyport(self, port: int, proto: str) -> str | None:
        """Return the name of a port, or None."""
        return self.services.by_port.get((port, proto))

    def getprotobyname(self, name: str) -> int:
        """Return the number of an IP protocol. Raises HostNotFound."""
        number = self.protocols.by_name.get(name)
        if number is None:
            raise HostNotFound(name)
        return number

    def getprotobynumber(self, number: int) -> str | None:
        """Return the name of an IP protocol, or None."""
        return self.protocols.by_number.get(number)


def gethostbyname(ctx: Ctx, text: str) -> int:
    """Return the IPv4 address of a number or a name; raises HostNotFound."""
    return Names(ctx).gethostbyname(text)


def gethostbyaddr(ctx: Ctx, addr: int) -> str | None:
    """Return the name of an IPv4 address, or None."""
    return Names(ctx).gethostbyaddr(addr)


def getnetbyname(ctx: Ctx, text: str) -> int:
    """Return the network number of a name, unshifted; raises HostNotFound."""
    return Names(ctx).getnetbyname(text)


def getnetbyaddr(ctx: Ctx, net: int) -> str | None:
    """Return the name of a network number, or None."""
    return Names(ctx).getnetbyaddr(net)


def getservbyname(ctx: Ctx, name: str, proto: str) -> int:
    """Return the port of a service name; raises HostNotFound."""
    return Names(ctx).getservbyname(name, proto)


def getservbyport(ctx: Ctx, port: int, proto: str) -> str | None:
    """Return the name of a port, or None."""
    return Names(ctx).getservbyport(port, proto)
