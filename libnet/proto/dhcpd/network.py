"""Which interface serves which network, and where a packet comes from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from libnet.addr import ether_ntoa, inet_ntoa
from libnet.wire.dhcp import DHO_SUBNET_SELECTION

if TYPE_CHECKING:
    from libnet.conf.dhcpdconf.tree import Config, Network, Subnet
    from libnet.proto.dhcpd.request import Request

RAI_LINK_SELECTION = 5  # RFC 3527


class Circuit(NamedTuple):
    """An interface of the box: its name, Ethernet address, addresses as host integers."""

    name: str
    mac: bytes
    addrs: tuple[int, ...]


class Port:
    """An interface that is served.

    addr     what the server is called on it, host integer
    network  the shared network behind it
    """

    __slots__ = ("addr", "mac", "name", "network")

    def __init__(self, circuit: Circuit, addr: int, network: Network) -> None:
        self.name, self.mac, self.addr, self.network = circuit.name, circuit.mac, addr, network

    def label(self) -> str:
        """Return how start-up lines call it, without the method."""
        return f"{self.name}/{ether_ntoa(self.mac)}/{self.network.name}"


class Attached(NamedTuple):
    """The ports, and lines to log before they are opened."""

    ports: list[Port]
    lines: list[str]


def attach(config: Config, circuits: Sequence[Circuit]) -> Attached:
    """Find the network of each interface; one without is left out, with a paragraph that says so."""
    ports: list[Port] = []
    lines: list[str] = []
    taken: dict[int, str] = {}
    for circuit in circuits:
        port = _port(config, circuit)
        if port is None:
            addr = inet_ntoa(circuit.addrs[0]) if circuit.addrs else "no IPv4 addresses"
            lines += [
                "",
                f"No subnet declaration for {circuit.name} ({addr}).",
                f"** Ignoring requests on {circuit.name}.  If this is not what",
                "   you want, please write a subnet declaration",
                "   in your dhcpd.conf file for the network segment",
                f"   to which interface {circuit.name} is attached. **",
                "",
            ]
            continue
        if id(port.network) in taken:
            lines.append(
                "Multiple interfaces match the same shared network:"
                f" {taken[id(port.network)]} {circuit.name}"
            )
        taken.setdefault(id(port.network), circuit.name)
        ports.append(port)
    return Attached(ports, lines)


def _port(config: Config, circuit: Circuit) -> Port | None:
    for addr in circuit.addrs:
        subnet = config.find_subnet(addr)
        if subnet is not None:
            return Port(circuit, addr, subnet.network)
    return None


def locate(config: Config, request: Request, port: Port | None) -> Network | None:
    """Return the network that a packet comes from, None when it cannot be told.

    A relay says so by its option 82 (RFC 3527), a client by its subnet selection (RFC 3011); else it is
    the network of the relay's own address, and without a relay that of the interface.
    """
    link = request.agent.get(RAI_LINK_SELECTION) if request.giaddr else None
    addr = link or request.message.options.get(DHO_SUBNET_SELECTION)
    if addr is not None:
        if len(addr) != 4:
            return None
        subnet = config.find_subnet(int.from_bytes(addr, "big"))
        return subnet.network if subnet is not None else None
    if request.giaddr:
        subnet = config.find_subnet(request.giaddr)
        return subnet.network if subnet is not None else None
    return port.network if port is not None else None


def subnet_of(network: Network, addr: int) -> Subnet | None:
    """Return the narrowest subnet of a shared network that has *addr*, None when it is elsewhere."""
    best: Subnet | None = None
    for subnet in network.subnets:
        if subnet.has(addr) and (best is None or subnet.mask > best.mask):
            best = subnet
    return best
