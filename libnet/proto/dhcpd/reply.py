"""Messages to clients: header fields, options, and where they go."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple

from libnet.addr import ether_ntoa, inet_ntoa
from libnet.conf.leases import NEVER
from libnet.proto.dhcpd.lease import UNSUITABLE
from libnet.proto.dhcpd.network import Port
from libnet.proto.dhcpd.request import Request
from libnet.proto.dhcpd.scope import Resolver, Settings, fit
from libnet.wire import dhcp as d

if TYPE_CHECKING:
    from libnet.conf.dhcpdconf.tree import Network, Subnet
    from libnet.proto.dhcpd.lease import Lease

INADDR_BROADCAST: Final = 0xFFFFFFFF
ETHER_BROADCAST: Final = b"\xff" * 6
MAX_MTU: Final = 1500  # octets of a packet, whatever more a client says that it takes


class Reply(NamedTuple):
    """A message to send.

    ifname   interface to send a frame by to *mac*, or "" to send a datagram in the usual way
    src      of the frame, and what the server is called there    dst, port  where to
    """

    ifname: str
    src: int
    dst: int
    port: int
    mac: bytes
    octets: bytes


class Ping(NamedTuple):
    """An ICMP echo request to send."""

    dst: int
    ident: int
    seq: int


Output = Reply | Ping


class Packet:
    """One message at hand: what it is, where it comes from, how the log calls it.

    kind     DHCP*, 0 for BOOTP          src   source address of the datagram, host integer
    network  the client's, or None       fixed its fixed address there, or None
    via      interface or relay
    """

    __slots__ = ("fixed", "kind", "message", "network", "port", "request", "src", "via")

    def __init__(self, request: Request, port: Port, src: int) -> None:
        self.request, self.port, self.src = request, port, src
        self.message = request.message
        self.kind = request.message.type
        self.network: Network | None = None
        self.fixed: Lease | None = None
        self.via = inet_ntoa(request.giaddr) if request.giaddr else port.name

    def who(self, lease: Lease | None) -> str:
        """Return hardware address, name, and the way here."""
        name = f"({lease.hostname}) " if lease is not None and lease.hostname else ""
        return f"{ether_ntoa(self.message.chaddr)} {name}via {self.via}"

    def wanted(self) -> int:
        """Return the address that the client asks for by option 50, 0 for none."""
        value = self.message.options.get(d.DHO_DHCP_REQUESTED_ADDRESS, b"")
        return int.from_bytes(value, "big") if len(value) == 4 else 0

    def client_name(self) -> str:
        """Return what the client calls itself in this message; UNSUITABLE if that upsets a log."""
        value = self.message.options.get(d.DHO_HOST_NAME, b"")
        text = value.rstrip(b"\0").decode("latin-1")
        return text if text.isascii() and text.isprintable() else UNSUITABLE


class Writer:
    """Makes replies.

    name_of    name of an address, for get-lease-hostnames
    local_port, remote_port   of the server and of clients
    broadcast  where replies go that cannot be sent to an address
    """

    def __init__(
        self,
        resolver: Resolver,
        local_port: int,
        remote_port: int,
        broadcast: int,
        name_of: Callable[[int], str | None] | None,
    ) -> None:
        self.local_port, self.remote_port, self.broadcast = local_port, remote_port, broadcast
        self._resolver, self._name_of = resolver, name_of

    def identifier(self, packet: Packet, settings: Settings) -> bytes:
        """Return what the server calls itself to this client."""
        value = settings.option(d.DHO_DHCP_SERVER_IDENTIFIER)
        if value is not None and len(value) == 4:
            return value
        return packet.port.addr.to_bytes(4, "big")

    def message(
        self,
        packet: Packet,
        settings: Settings,
        kind: int,
        subnet: Subnet,
        addr: int,
        seconds: int = 0,
    ) -> d.Dhcp:
        """Return a reply whose options are yet to be chosen, and put into *settings* what they need."""
        asked = packet.message
        server = self.identifier(packet, settings)
        if kind:
            settings.put(d.DHO_DHCP_MESSAGE_TYPE, bytes((kind,)))
            settings.put(d.DHO_DHCP_SERVER_IDENTIFIER, server)
            time = min(seconds, NEVER)
            settings.put(d.DHO_DHCP_LEASE_TIME, time.to_bytes(4, "big"))
            renew, rebind = (NEVER, NEVER) if time == NEVER else (time // 2, time * 7 // 8)
            settings.put_default(d.DHO_DHCP_RENEWAL_TIME, renew.to_bytes(4, "big"))
            settings.put_default(d.DHO_DHCP_REBINDING_TIME, rebind.to_bytes(4, "big"))
        settings.put_default(d.DHO_SUBNET_MASK, subnet.mask.to_bytes(4, "big"))
        if settings.flag("use-lease-addr-for-default-route", False):
            settings.put_default(d.DHO_ROUTERS, addr.to_bytes(4, "big"))
        selected = asked.options.get(d.DHO_SUBNET_SELECTION)
        if selected is not None:
            settings.put(d.DHO_SUBNET_SELECTION, selected)  # RFC 3011
        if settings.flag("echo-client-id", False):
            uid = asked.options.get(d.DHO_DHCP_CLIENT_IDENTIFIER)
            if uid is not None:
                settings.put(d.DHO_DHCP_CLIENT_IDENTIFIER, uid)
        following = settings.data("next-server")
        siaddr = int.from_bytes((following or b"")[:4], "big")
        flags = asked.flags & d.BOOTP_BROADCAST
        if settings.flag("always-broadcast", False):
            flags |= d.BOOTP_BROADCAST
        return d.Dhcp(
            d.BOOTREPLY,
            asked.htype,
            asked.hlen,
            asked.hops,
            asked.xid,
            asked.secs,
            flags,
            asked.ciaddr,
            addr,
            siaddr,
            asked.giaddr,
            asked.chaddr,
            (settings.data("server-name") or b"")[:63],
            (settings.data("filename") or b"")[:127],
            {},
        )

    def names(self, packet: Packet, lease: Lease, settings: Settings) -> None:
        """Give the client a name, where the configuration wants one."""
        host = packet.request.host
        if host is not None and settings.flag("use-host-decl-names", False):
            settings.put_default(d.DHO_HOST_NAME, host.name.encode("latin-1", "replace"))
        if self._name_of is not None and settings.flag("get-lease-hostnames", False):
            name = self._name_of(lease.addr)
            if name:
                settings.put_default(d.DHO_HOST_NAME, name.encode("latin-1", "replace"))

    def build(self, packet: Packet, settings: Settings, reply: d.Dhcp) -> bytes:
        """Choose the options and return the octets."""
        asked = packet.message
        if not asked.cookie and not settings.flag("always-reply-rfc1048", False):
            # A client that does not know options gets back the vendor field that it sent.
            head = reply._replace(cookie=False).build()[: d.HDRLEN]
            vendor = packet.request.octets[d.HDRLEN : d.HDRLEN + 64].ljust(64, b"\0")
            return head + vendor
        # A BOOTP client has no say in what it gets. Who puts a NUL behind its name expects them of us.
        requested = None if packet.kind else b""
        terminate = asked.options.get(d.DHO_HOST_NAME, b"").endswith(b"\0")
        options = dict(
            self._resolver.answer(
                settings, packet.request, requested=requested, terminate=terminate
            )
        )
        agent = asked.options.get(d.DHO_DHCP_AGENT_OPTIONS)
        if agent is not None and asked.giaddr:
            options[d.DHO_DHCP_AGENT_OPTIONS] = agent  # RFC 3046 2.2: unchanged, and last
        limit = d.DHCP_MTU - d.UDP_OVERHEAD
        said = asked.options.get(d.DHO_DHCP_MAX_MESSAGE_SIZE, b"")
        if len(said) == 2:
            limit = min(max(int.from_bytes(said, "big"), d.DHCP_MTU), MAX_MTU) - d.UDP_OVERHEAD
        elif not packet.kind:
            limit = d.BOOTP_MINLEN
        return fit(reply._replace(options=options), limit)

    def addressed(self, packet: Packet, kind: int, addr: int, octets: bytes, flags: int) -> Reply:
        """Say where a reply goes (RFC 2131 4.1)."""
        asked, port = packet.message, packet.port
        if asked.giaddr:
            return Reply("", port.addr, asked.giaddr, self.local_port, b"", octets)
        if asked.ciaddr and kind == d.DHCPACK:
            return Reply("", port.addr, asked.ciaddr, self.remote_port, b"", octets)
        if flags & d.BOOTP_BROADCAST or asked.htype != d.HTYPE_ETHER or asked.hlen != 6:
            dst, mac = self.broadcast, ETHER_BROADCAST
        else:
            dst, mac = addr, asked.chaddr
        return Reply(port.name, port.addr, dst, self.remote_port, mac, octets)

    def nak(self, packet: Packet, why: str) -> Reply:
        """Return what tells a client that its address is not right; an empty *why* is not sent."""
        asked, port = packet.message, packet.port
        settings = self._resolver.resolve(
            self._resolver.chain(packet.network or self._resolver.config.top), packet.request, {}
        )
        options = {
            d.DHO_DHCP_MESSAGE_TYPE: bytes((d.DHCPNAK,)),
            d.DHO_DHCP_SERVER_IDENTIFIER: self.identifier(packet, settings),
        }
        if why:
            options[d.DHO_DHCP_MESSAGE] = why.encode()
        if asked.options.get(d.DHO_DHCP_CLIENT_IDENTIFIER):
            options[d.DHO_DHCP_CLIENT_IDENTIFIER] = asked.options[d.DHO_DHCP_CLIENT_IDENTIFIER]
        agent = asked.options.get(d.DHO_DHCP_AGENT_OPTIONS)
        if agent is not None and asked.giaddr:
            options[d.DHO_DHCP_AGENT_OPTIONS] = agent
        reply = d.Dhcp(
            d.BOOTREPLY,
            asked.htype,
            asked.hlen,
            asked.hops,
            asked.xid,
            asked.secs,
            asked.flags | d.BOOTP_BROADCAST,
            0,
            0,
            0,
            asked.giaddr,
            asked.chaddr,
            b"",
            b"",
            options,
        )
        octets = fit(reply, d.DHCP_MTU - d.UDP_OVERHEAD)
        if asked.giaddr:
            return Reply("", port.addr, asked.giaddr, self.local_port, b"", octets)
        return Reply(
            port.name, port.addr, self.broadcast, self.remote_port, ETHER_BROADCAST, octets
        )
