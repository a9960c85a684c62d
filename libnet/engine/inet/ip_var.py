"""What the parts of IP share: flags of ip_output, multicast options of a socket, options in flight."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Final, NamedTuple

from libnet.errors import NetError

if TYPE_CHECKING:
    from libnet.engine.link.ifnet import Ifnet

IP_HDR: Final = Struct("!BBHHHBBHII")
IP_HLEN: Final = 20

# Flags of ip_output.
IP_FORWARDING: Final = 0x1  # most of the header is somebody else's
IP_RAWOUTPUT: Final = 0x2  # the whole header is the caller's
IP_ROUTETOIF: Final = 0x10  # SO_DONTROUTE: the destination is on a net of ours
IP_ALLOWBROADCAST: Final = 0x20  # SO_BROADCAST
IP_MTUDISC: Final = 0x0400  # set DF unless the route says not to

IP_DEFAULT_MULTICAST_TTL: Final = 1
IP_DEFAULT_MULTICAST_LOOP: Final = 1
IP_MAX_MEMBERSHIPS: Final = 20


class NeedFrag(NetError):
    """EMSGSIZE of a packet that must not be cut; mtu is the octets that would have passed."""

    def __init__(self, mtu: int) -> None:
        super().__init__("EMSGSIZE")
        self.mtu = mtu

    def __reduce__(self) -> tuple[type[NetError], tuple[str]]:
        return NetError, (self.symbol,)


class IpOpts(NamedTuple):
    """Options to send: first hop of a source route (0 for none), and the option octets."""

    dst: int
    data: bytes


class IpMoptions:
    """struct ip_moptions.

    ifp          interface that multicasts leave by, None to follow the route
    ttl, loop    of multicasts that are sent
    memberships  (group, interface) joined through the socket, at most IP_MAX_MEMBERSHIPS
    """

    __slots__ = ("ifp", "loop", "memberships", "ttl")

    def __init__(self) -> None:
        self.ifp: Ifnet | None = None
        self.ttl = IP_DEFAULT_MULTICAST_TTL
        self.loop = IP_DEFAULT_MULTICAST_LOOP
        self.memberships: list[tuple[int, Ifnet]] = []
