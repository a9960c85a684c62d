"""The pcap-filter(7) language: expression in, BPF program out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from libnet.conf.pcapfilter.program import FilterError, Insn, Program

__all__ = ["NETMASK_UNKNOWN", "FilterError", "Insn", "Names", "Program", "compile"]

NETMASK_UNKNOWN = 0xFFFFFFFF
MAX_SNAPLEN = 262144


class Names(Protocol):
    """The tables that names in an expression are looked up in; None or empty where unknown."""

    def hosts(self, name: str) -> Sequence[int | bytes]:
        """Return the addresses of a host: IPv4 as host integers, IPv6 as 16 octets."""

    def network(self, name: str) -> int | None:
        """Return a network number, unshifted (127 for loopback)."""

    def port(self, name: str) -> tuple[int | None, int | None]:
        """Return the (TCP, UDP) ports of a service."""

    def protocol(self, name: str) -> int | None:
        """Return the number of an IP protocol."""

    def ether(self, name: str) -> bytes | None:
        """Return the Ethernet address of a host (ethers(5))."""


def compile(
    text: str,
    dlt: int,
    snaplen: int = MAX_SNAPLEN,
    *,
    optimize: bool = True,
    netmask: int = NETMASK_UNKNOWN,
    names: Names | None = None,
    savefile: bool = True,
) -> Program:
    """Compile an expression for packets of link type *dlt*.

    snaplen  what an accepting program returns
    netmask  of the network captured on, host integer, for `ip broadcast`
    names    tables of names; without them only numbers and well-known protocols
    savefile whether the packets come from a file, which any system may have written

    Raises FilterError with the message to print.
    """
    from libnet.conf.pcapfilter.build import build

    return build(
        text, dlt, snaplen, optimize=optimize, netmask=netmask, names=names, savefile=savefile
    )
