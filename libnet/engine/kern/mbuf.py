"""mbuf(9): a packet on its way through the stack, with what the layers have found out about it.

Data are `bytes` of the current layer: a layer that strips its header slices, one that prepends joins.
In CPython that is cheaper than any chain, since a copy of 1500 octets costs a tenth of a microsecond.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from libnet.engine.link.ifnet import Ifnet

M_BCAST: Final = 0x0100  # came as, or goes as, a link-level broadcast
M_MCAST: Final = 0x0200  # link-level multicast
M_LOOP: Final = 0x0400  # a copy that the stack sent to itself
M_CANFASTFWD: Final = 0x1000  # a flow may be made of it; pfil hooks may clear this
M_PROMISC: Final = 0x4000  # not for us, seen only because the interface is promiscuous

# Checksum work. Received: what the wire vouches for. Sent: what is still to be done.
M_CSUM_IPv4: Final = 0x01
M_CSUM_UDPv4: Final = 0x02
M_CSUM_TCPv4: Final = 0x04
M_CSUM_L4: Final = M_CSUM_UDPv4 | M_CSUM_TCPv4  # received: whatever transport it is, it is good


class Mbuf:
    """One packet.

    data        octets from the current layer's header on
    rcvif       interface it came in on, None for our own
    flags       M_* bits
    csum_flags  M_CSUM_* bits
    gso_size    payload octets per segment of a TCP super-frame, else 0
    tags        what rooms leave for each other, by name (None until one is set)

    ip_input fills: src, dst (host integers), proto, hlen (octets), tos, ttl, ip_id, ip_off (flags and
    offset as sent), ip_len (octets of the whole datagram).
    """

    __slots__ = (
        "csum_flags",
        "data",
        "dst",
        "flags",
        "gso_size",
        "hlen",
        "ip_id",
        "ip_len",
        "ip_off",
        "proto",
        "rcvif",
        "src",
        "tags",
        "tos",
        "ttl",
    )

    def __init__(
        self, data: bytes, rcvif: Ifnet | None = None, flags: int = 0, csum_flags: int = 0
    ) -> None:
        self.data = data
        self.rcvif = rcvif
        self.flags = flags
        self.csum_flags = csum_flags
        self.gso_size = 0
        self.tags: dict[str, Any] | None = None
        self.src: int
        self.dst: int
        self.proto: int
        self.hlen: int
        self.tos: int
        self.ttl: int
        self.ip_id: int
        self.ip_off: int
        self.ip_len: int

    def tag(self, name: str, value: Any) -> None:
        """Leave *value* under *name* (m_tag(9))."""
        if self.tags is None:
            self.tags = {}
        self.tags[name] = value

    def copy(self) -> Mbuf:
        """Return an Mbuf with the same data and marks; parsed fields are not carried over."""
        m = Mbuf(self.data, self.rcvif, self.flags, self.csum_flags)
        m.gso_size = self.gso_size
        m.tags = dict(self.tags) if self.tags else None
        return m
