"""One packet of a client as the configuration sees it, and what is known of its sender.

The server makes a Request of each message, fills in host, known, lease, static and address as it finds
them out, and hands it to classes.match(), Resolver.resolve() and the events of a lease. Nothing here
decides anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from libnet.wire import Truncated
from libnet.wire.dhcp import (
    BOOTP_BROADCAST,
    DHO_DHCP_AGENT_OPTIONS,
    DHO_DHCP_CLIENT_IDENTIFIER,
    DHO_DHCP_PARAMETER_REQUEST_LIST,
    Dhcp,
    suboptions,
)

if TYPE_CHECKING:
    from libnet.conf.dhcpdconf.tree import ClassDecl, HostDecl

Value = bytes | int | bool | None  # what an expression comes to; None is the language's null


class LeaseView(Protocol):
    """What expressions ask of a lease.

    addr          host integer
    starts, ends  seconds since 1970
    variables     what `set` has left with the lease; events change it
    """

    @property
    def addr(self) -> int:
        """The address."""

    @property
    def starts(self) -> int:
        """When it began."""

    @property
    def ends(self) -> int:
        """When it ends."""

    @property
    def variables(self) -> dict[str, Value]:
        """The variables of the client."""


class Request:
    """One packet, and who sent it.

    message    the message, parsed          octets   the same as it came, for packet()
    ifname     interface it came in by      giaddr   relay agent, host integer, 0 without
    hardware   type and octets of the client's address
    client_id  option 61 or None
    agent      suboptions of option 82 by code, {} without; those that a lease has kept may be put here
    known      a host declaration names this client           host     that declaration, or None
    lease      the lease at hand, or None                     static   its address is a fixed one
    address    what the client is given, host integer, or None when lease tells or nothing does
    classes    the classes and subclasses it is in; match() and `add` fill them in
    now        seconds since 1970
    """

    __slots__ = (
        *("address", "agent", "classes", "client_id", "giaddr", "hardware", "host", "ifname"),
        *("known", "lease", "message", "now", "octets", "static"),
    )

    def __init__(
        self, message: Dhcp, ifname: str, now: int, octets: bytes = b"", giaddr: int | None = None
    ) -> None:
        self.message, self.ifname, self.now = message, ifname, now
        self.octets = octets
        self.giaddr = message.giaddr if giaddr is None else giaddr
        self.hardware = (message.htype, message.chaddr)
        self.client_id = message.options.get(DHO_DHCP_CLIENT_IDENTIFIER)
        self.agent: dict[int, bytes] = {}
        agent = message.options.get(DHO_DHCP_AGENT_OPTIONS)
        if agent is not None:
            try:
                self.agent = suboptions(agent)
            except Truncated:
                self.agent = {}  # as if there were none: what it says cannot be told
        self.known = False
        self.host: HostDecl | None = None
        self.lease: LeaseView | None = None
        self.static = False
        self.address: int | None = None
        self.classes: list[ClassDecl] = []

    @property
    def broadcast(self) -> bool:
        """Tell whether the client asks for broadcast replies."""
        return bool(self.message.flags & BOOTP_BROADCAST)

    @property
    def requested(self) -> bytes | None:
        """Return the option codes that the client asks for, None when it does not say."""
        return self.message.options.get(DHO_DHCP_PARAMETER_REQUEST_LIST)

    def leased_address(self) -> int | None:
        """Return the address that the client has or is about to get, a host integer."""
        if self.address is not None:
            return self.address
        return self.lease.addr if self.lease is not None else None
