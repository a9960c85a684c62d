"""The host as pfctl(8) sees it: interfaces from the stack, names from the box's /etc.

With IOPKT_PF_FIXTURE=DIR the files of that directory are the only source, for tests that compare
output with recorded one: interfaces, services, protocols, users, groups.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Final

from libnet.addr import AF_INET, AF_INET6, SockaddrDl, SockaddrIn, inet_pton, mask_prefix
from libnet.conf.hosts import (
    Hosts,
    Protocols,
    Services,
    parse_hosts,
    parse_protocols,
    parse_services,
)
from libnet.conf.pfconf.addr6 import prefix_mask, pton6
from libnet.conf.pfconf.env import MTU_DEFAULT, IfAddr, Interface
from libnet.errors import NetError
from libnet.ioctl import ifflags
from libnet.libsocket.ctx import Ctx

FIXTURE: Final = "IOPKT_PF_FIXTURE"

# Ports of the era that a box without /etc/services knows by name.
SERVICES: Final = """\
echo 7/tcp
echo 7/udp
discard 9/tcp
discard 9/udp
daytime 13/tcp
daytime 13/udp
ftp-data 20/tcp
ftp 21/tcp
ssh 22/tcp
telnet 23/tcp
smtp 25/tcp mail
time 37/tcp
time 37/udp
domain 53/tcp nameserver
domain 53/udp nameserver
bootps 67/udp
bootpc 68/udp
tftp 69/udp
gopher 70/tcp
finger 79/tcp
http 80/tcp www
http 80/udp www
kerberos 88/tcp
kerberos 88/udp
pop3 110/tcp
sunrpc 111/tcp rpcbind
sunrpc 111/udp rpcbind
auth 113/tcp ident
nntp 119/tcp
ntp 123/udp
netbios-ns 137/udp
netbios-dgm 138/udp
netbios-ssn 139/tcp
imap 143/tcp
snmp 161/udp
snmp-trap 162/udp snmptrap
bgp 179/tcp
irc 194/tcp
ldap 389/tcp
https 443/tcp
microsoft-ds 445/tcp
isakmp 500/udp
exec 512/tcp
login 513/tcp
shell 514/tcp cmd
syslog 514/udp
printer 515/tcp
router 520/udp route
ldaps 636/tcp
imaps 993/tcp
pop3s 995/tcp
socks 1080/tcp
nfsd 2049/tcp nfs
nfsd 2049/udp nfs
ipsec-nat-t 4500/udp
x11 6000/tcp
"""
# IP protocols that a box without /etc/protocols knows by name.
PROTOCOLS: Final = """\
ip 0 IP
icmp 1 ICMP
igmp 2 IGMP
ggp 3
ipencap 4
tcp 6 TCP
egp 8
igp 9
pup 12
udp 17 UDP
hmp 20
xns-idp 22
rdp 27
ipv6 41
ipv6-route 43
ipv6-frag 44
idrp 45
rsvp 46
gre 47
esp 50
ah 51
mobile 55
ipv6-icmp 58 icmp6
ipv6-nonxt 59
ipv6-opts 60
ospf 89
etherip 97
pim 103
ipcomp 108
carp 112
l2tp 115
sctp 132
pfsync 240
"""
_LOCALHOST: Final = ((AF_INET, 0x7F000001), (AF_INET6, 1))


class PfEnv:
    """Implements libnet.conf.pfconf.env.Env for one run."""

    def __init__(self, ctx: Ctx) -> None:
        self._ctx = ctx
        self.fixture = ctx.environ.get(FIXTURE) or ""
        self._services: Services | None = None
        self._protocols: Protocols | None = None
        self._users: dict[str, int] | None = None
        self._groups: dict[str, int] | None = None
        self._hosts: Hosts | None = None
        self._interfaces: list[Interface] | None = None

    def _text(self, name: str) -> str:
        """Return the text of a fixture file, or of the box's /etc; "" if there is none."""
        path = os.path.join(self.fixture, name) if self.fixture else self._ctx.file(f"/etc/{name}")
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                return file.read()
        except OSError:
            return ""

    @property
    def services(self) -> Services:
        """Names of ports."""
        if self._services is None:
            text = self._text("services")
            self._services = parse_services(text if text or self.fixture else SERVICES)
        return self._services

    @property
    def protocols(self) -> Protocols:
        """Names of IP protocols."""
        if self._protocols is None:
            text = self._text("protocols")
            self._protocols = parse_protocols(text if text or self.fixture else PROTOCOLS)
            if not self.fixture:
                self._protocols.by_name.setdefault("icmp6", 58)
        return self._protocols

    @property
    def users(self) -> dict[str, int]:
        """Numbers of users by name."""
        if self._users is None:
            self._users = self._ids("users", "passwd", {"root": 0})
        return self._users

    @property
    def groups(self) -> dict[str, int]:
        """Numbers of groups by name."""
        if self._groups is None:
            self._groups = self._ids("groups", "group", {"root": 0, "wheel": 0})
        return self._groups

    def _ids(self, fixture: str, file: str, known: dict[str, int]) -> dict[str, int]:
        found = {} if self.fixture else dict(known)
        blank = None if self.fixture else ":"
        for line in self._text(fixture if self.fixture else file).splitlines():
            words = line.partition("#")[0].split(blank)
            number = (
                words[1 if self.fixture else 2] if len(words) > (1 if self.fixture else 2) else ""
            )
            if number.isascii() and number.isdigit() and len(number) < 11:
                found[words[0]] = int(number)
        return found

    @property
    def interfaces(self) -> list[Interface]:
        """All interfaces of the stack, none when no stack runs."""
        if self._interfaces is None:
            if self.fixture:
                self._interfaces = list(fixture_interfaces(self._text("interfaces")))
            else:
                self._interfaces = _stack_interfaces(self._ctx)
        return self._interfaces

    @property
    def hosts(self) -> Hosts:
        """/etc/hosts of the box."""
        if self._hosts is None:
            self._hosts = parse_hosts("" if self.fixture else self._text("hosts"))
        return self._hosts

    def resolve(self, name: str) -> list[tuple[int, int]]:
        """Return the addresses that /etc/hosts has for a name."""
        wanted = name.lower().removesuffix(".")
        found = []
        for text, names in self.hosts.lines:
            if wanted in (one.lower() for one in names) and (row := _address(text)):
                found.append(row)
        if not found and wanted == "localhost":
            return list(_LOCALHOST)
        return found

    def read(self, path: str) -> str:
        """Return the text of a file of the box, "-" for standard input. Raises OSError."""
        if path == "-":
            buffer = getattr(self._ctx.stdin, "buffer", None)
            if buffer is None:
                return self._ctx.stdin.read()
            raw: bytes = buffer.read()
            return raw.decode("utf-8", "surrogateescape")
        with open(self._ctx.operand(path), encoding="utf-8", errors="surrogateescape") as file:
            return file.read()

    def random(self, bits: int) -> int:
        """Return a random number of so many bits."""
        return self._ctx.host.dice.getrandbits(bits)

    def hostname(self, af: int, addr: int) -> str | None:
        """Return the name of an address, or None."""
        if af == AF_INET:
            return self.hosts.by_addr.get(addr)
        for text, names in self.hosts.lines:
            if _address(text) == (af, addr):
                return names[0]
        return None


def _address(text: str) -> tuple[int, int] | None:
    try:
        return AF_INET, inet_pton(text)
    except ValueError:
        addr = pton6(text)
        return (AF_INET6, addr) if addr is not None else None


def _stack_interfaces(ctx: Ctx) -> list[Interface]:
    """Ask the stack for its interfaces and their addresses (sysctl net.route, NET_RT_IFLIST)."""
    from libnet.ioctl.sysctl import CTL_NET, NET_RT_IFLIST, PF_ROUTE
    from libnet.wire.rtsock import BadRtMessage, IfaMsg, IfMsg, unpack_all

    found: dict[int, Interface] = {}
    try:
        with ctx.control() as control:
            octets = control.call("sysctl", [CTL_NET, PF_ROUTE, 0, 0, NET_RT_IFLIST, 0], None)
        for msg in unpack_all(octets):
            if isinstance(msg, IfMsg) and isinstance(msg.addrs.ifp, SockaddrDl):
                found[msg.index] = Interface(
                    msg.addrs.ifp.name,
                    index=msg.index,
                    flags=msg.flags,
                    mtu=msg.data.mtu,
                    speed=msg.data.baudrate,
                )
            elif isinstance(msg, IfaMsg) and msg.index in found:
                _add_address(found[msg.index], msg)
    except (NetError, BadRtMessage):
        return []
    return list(found.values())


def _add_address(interface: Interface, msg: object) -> None:
    from libnet.wire.rtsock import IfaMsg

    assert isinstance(msg, IfaMsg)
    addrs = msg.addrs
    if not isinstance(addrs.ifa, SockaddrIn):
        return
    other = addrs.brd.addr if isinstance(addrs.brd, SockaddrIn) else 0
    bits = mask_prefix(addrs.netmask or 0)
    pointed = interface.flags & ifflags.IFF_POINTOPOINT
    interface.addrs.append(
        IfAddr(
            AF_INET,
            addrs.ifa.addr,
            32 if bits is None else bits,
            bcast=0 if pointed else other,
            peer=other if pointed else 0,
        )
    )


def fixture_interfaces(text: str) -> Iterator[Interface]:
    """Yield the interfaces of a fixture file.

    A line is `name FLAG,FLAG mtu` with its addresses on indented lines (`inet 127.0.0.1/8`), or
    `name mtu speed [address/prefix …]` in one.
    """
    current: Interface | None = None
    index = 0
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        if not words:
            continue
        if line[0] in " \t":
            if current is not None and len(words) > 1:
                _fixture_address(current, words[1])
            continue
        if current is not None:
            yield current
        index += 1
        current = _fixture_interface(words, index)
    if current is not None:
        yield current


def _fixture_interface(words: list[str], index: int) -> Interface:
    flags = 0
    rest = words[1:]
    speed = 0
    if rest and rest[0].isdigit():
        speed = int(rest[1]) if len(rest) > 1 and rest[1].isdigit() else 0
        loop = words[0].startswith("lo")
        flags = ifflags.IFF_LOOPBACK if loop else ifflags.IFF_BROADCAST
        mtu, addresses = int(rest[0]), rest[2:]
    else:
        for word in rest[0].split(",") if rest else ():
            flags |= int(getattr(ifflags, f"IFF_{word}", 0))
        mtu = int(rest[1]) if len(rest) > 1 and rest[1].isdigit() else MTU_DEFAULT
        addresses = []
    interface = Interface(words[0], index=index, flags=flags, mtu=mtu, speed=speed)
    for address in addresses:
        _fixture_address(interface, address)
    return interface


def _fixture_address(interface: Interface, word: str) -> None:
    text, _, length = word.partition("/")
    row = _address(text.partition("%")[0])
    if row is None:
        return
    af, addr = row
    bits = int(length) if length.isdigit() else (32 if af == AF_INET else 128)
    bcast = 0
    if af == AF_INET:
        bcast = addr | ~prefix_mask(AF_INET, bits) & 0xFFFFFFFF
    scope = interface.index if af == AF_INET6 and addr >> 118 == 0xFE80 >> 6 else 0
    interface.addrs.append(IfAddr(af, addr, bits, bcast=bcast, scope=scope))
