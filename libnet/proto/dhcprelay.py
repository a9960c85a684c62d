"""dhcrelay(8) as a core: requests of clients to servers, replies of servers to clients.

RFC 951, 1542, 3046. A request gets the address of the interface it came in by as its giaddr, unless
another relay was first, and with `agent` an option 82 that names the interface; servers answer to
that giaddr. A reply finds its interface by the option, or by the giaddr, and loses the option.

Messages are edited where they stand: a relay passes on what it does not understand.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from libnet.addr import ether_ntoa, inet_ntoa
from libnet.record import Struct
from libnet.wire.dhcp import (
    BOOTP_BROADCAST,
    BOOTREPLY,
    BOOTREQUEST,
    COOKIE,
    DHO_DHCP_AGENT_OPTIONS,
    DHO_END,
    DHO_PAD,
    HDRLEN,
    RAI_CIRCUIT_ID,
)

INADDR_BROADCAST: Final = 0xFFFFFFFF
ETHER_BROADCAST: Final = b"\xff" * 6
MAX_HOPS: Final = 10
MAX_LENGTH: Final = 576
APPEND, REPLACE, FORWARD, DISCARD = "append", "replace", "forward", "discard"
MODES: Final = (APPEND, REPLACE, FORWARD, DISCARD)
_OPTIONS: Final = HDRLEN + len(COOKIE)


class Circuit(NamedTuple):
    """One interface: its name, Ethernet address, and addresses as host integers, first one first."""

    name: str
    mac: bytes
    addrs: tuple[int, ...]


class RelayConf(Struct):
    """What one run was asked to do.

    servers  host integers                 agent   add option 82, and take it out again
    hops     a request that passed so many relays is dropped
    length   octets a request may have with option 82 added
    mode     what to do with a request that has one already
    drop     drop replies whose option names none of our interfaces
    """

    servers: list[int]
    agent: bool = False
    hops: int = MAX_HOPS
    length: int = MAX_LENGTH
    mode: str = APPEND
    drop: bool = False


class ToServer(NamedTuple):
    """A request to send from *src* to *dst*; text is to be logged when it has been sent."""

    src: int
    dst: int
    octets: bytes
    text: str


class ToClient(NamedTuple):
    """A reply to send out of an interface in a frame to *mac*."""

    ifname: str
    src: int
    dst: int
    mac: bytes
    octets: bytes
    text: str


class Relay:
    """One run of the relay.

    dropped  how many messages were dropped, by reason
    """

    def __init__(self, conf: RelayConf, circuits: Sequence[Circuit]) -> None:
        self.conf = conf
        self._circuits = {circuit.name: circuit for circuit in circuits}
        self._by_addr = {addr: circuit for circuit in circuits for addr in circuit.addrs}
        self.dropped: dict[str, int] = {}
        self._output: list[ToServer | ToClient] = []
        self._log: list[str] = []

    def take_output(self) -> list[ToServer | ToClient]:
        """Return what is to be sent, in order."""
        output, self._output = self._output, []
        return output

    def take_log(self) -> list[str]:
        """Return lines for the log."""
        log, self._log = self._log, []
        return log

    def request_input(self, octets: bytes, ifname: str) -> None:
        """Take a message that came to the server's port by the wire of an interface."""
        circuit = self._circuits.get(ifname)
        if circuit is None or not circuit.addrs or not _sane(octets, BOOTREQUEST):
            self._drop("malformed")
            return
        giaddr = int.from_bytes(octets[24:28], "big")
        if giaddr in self._by_addr:
            self._drop("own")  # what we sent ourselves, heard again
            return
        if octets[3] >= self.conf.hops:
            self._drop("hops")
            return
        if self.conf.agent:
            marked = self._mark(octets, circuit, foreign=giaddr != 0)
            if marked is None:
                return
            octets = marked
        src = circuit.addrs[0]
        gateway = octets[24:28] if giaddr else src.to_bytes(4, "big")
        octets = octets[:3] + bytes((octets[3] + 1,)) + octets[4:24] + gateway + octets[28:]
        client = ether_ntoa(octets[28:34])
        for server in self.conf.servers:
            text = f"forwarded BOOTREQUEST for {client} to {inet_ntoa(server)}"
            self._output.append(ToServer(src, server, octets, text))

    def reply_input(self, octets: bytes) -> None:
        """Take a message that came to the server's port for an address of ours."""
        if not _sane(octets, BOOTREPLY):
            self._drop("malformed")
            return
        giaddr = int.from_bytes(octets[24:28], "big")
        circuit = self._by_addr.get(giaddr)
        if self.conf.agent:
            named, octets, present = self._unmark(octets)
            if self.conf.drop and named is None:
                self._drop("circuit" if present else "no-circuit")
                return
            circuit = named or circuit
        if circuit is None:
            self._log.append(f"packet to bogus giaddr {inet_ntoa(giaddr)}.")
            self._drop("bogus-giaddr")
            return
        yiaddr = int.from_bytes(octets[16:20], "big")
        flags = int.from_bytes(octets[10:12], "big")
        if flags & BOOTP_BROADCAST or not yiaddr or octets[1] != 1 or octets[2] != 6:
            dst, mac = INADDR_BROADCAST, ETHER_BROADCAST
        else:
            dst, mac = yiaddr, octets[28:34]
        text = f"forwarded BOOTREPLY for {ether_ntoa(octets[28:34])} to {inet_ntoa(dst)}"
        src = giaddr if giaddr in circuit.addrs else circuit.addrs[0]
        self._output.append(ToClient(circuit.name, src, dst, mac, octets, text))

    def _drop(self, why: str) -> None:
        self.dropped[why] = self.dropped.get(why, 0) + 1

    # Option 82

    def _mark(self, octets: bytes, circuit: Circuit, *, foreign: bool) -> bytes | None:
        """Return a request with our option 82; None when it is to be dropped."""
        pieces = _pieces(octets)
        if pieces is None:
            return octets  # a BOOTP request without options, or broken ones: nothing can be added
        kept = [piece for piece in pieces if piece[0] != DHO_DHCP_AGENT_OPTIONS]
        theirs = [piece for piece in pieces if piece[0] == DHO_DHCP_AGENT_OPTIONS]
        if theirs and not foreign:
            # Only a relay adds the option, and a relay leaves its giaddr (RFC 3046 2.1.1).
            self._drop("spoofed")
            return None
        before = b""
        if theirs:
            if self.conf.mode == DISCARD:
                self._drop("agent-option")
                return None
            if self.conf.mode == FORWARD:
                return octets
            if self.conf.mode == APPEND:
                before = b"".join(piece[2:] for piece in theirs)
        name = circuit.name.encode("latin-1", "replace")
        value = before + bytes((RAI_CIRCUIT_ID, len(name))) + name
        option = bytes((DHO_DHCP_AGENT_OPTIONS, len(value) & 0xFF)) + value
        made = octets[:_OPTIONS] + b"".join(kept) + option + bytes((DHO_END,))
        if len(value) > 255 or len(made) > max(self.conf.length, len(octets)):
            self._log.append("no room for the relay agent option, forwarded without it")
            return octets
        self._log.append(f"Adding {len(option)}-byte relay agent option")
        return made.ljust(len(octets), b"\0")

    def _unmark(self, octets: bytes) -> tuple[Circuit | None, bytes, bool]:
        """Return the interface a reply's option 82 names, the reply without, and if there was one."""
        pieces = _pieces(octets)
        if pieces is None:
            return None, octets, False
        theirs = [piece for piece in pieces if piece[0] == DHO_DHCP_AGENT_OPTIONS]
        if not theirs:
            return None, octets, False
        named = None
        value = b"".join(piece[2:] for piece in theirs)
        while len(value) >= 2 and len(value) >= 2 + value[1]:
            if value[0] == RAI_CIRCUIT_ID:
                # The last one is ours: relays nearer the server append behind it only if told to.
                named = self._circuits.get(value[2 : 2 + value[1]].decode("latin-1")) or named
            value = value[2 + value[1] :]
        kept = [piece for piece in pieces if piece[0] != DHO_DHCP_AGENT_OPTIONS]
        made = octets[:_OPTIONS] + b"".join(kept) + bytes((DHO_END,))
        return named, made.ljust(len(octets), b"\0"), True


def _sane(octets: bytes, op: int) -> bool:
    """Tell whether there is a whole header of that kind."""
    return len(octets) >= HDRLEN and octets[0] == op and octets[2] <= 16


def _pieces(octets: bytes) -> list[bytes] | None:
    """Return the options as they stand, up to the end; None without a cookie, or if broken."""
    if octets[HDRLEN:_OPTIONS] != COOKIE:
        return None
    found: list[bytes] = []
    at = _OPTIONS
    while at < len(octets):
        code = octets[at]
        if code == DHO_PAD:
            at += 1
            continue
        if code == DHO_END:
            return found
        if at + 2 > len(octets) or at + 2 + octets[at + 1] > len(octets):
            return None
        end = at + 2 + octets[at + 1]
        found.append(octets[at:end])
        at = end
    return found
