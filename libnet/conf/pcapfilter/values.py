"""What an id means under the qualifiers before it: hosts, networks, ports, protocols, by name or number."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from libnet.conf.pcapfilter import hosts, protos
from libnet.conf.pcapfilter.graph import Test, and_, not_, or_
from libnet.conf.pcapfilter.lexer import parse_ipv6
from libnet.conf.pcapfilter.link import (
    DLT_EN10MB,
    DLT_FDDI,
    DLT_IEEE802,
    DLT_IP_OVER_FC,
    NOT_SET,
    WLAN_PPI,
    Link,
)
from libnet.conf.pcapfilter.program import FilterError

if TYPE_CHECKING:
    from libnet.conf.pcapfilter import Names

_SYNTAX: Final = "syntax error in filter expression"
_TRANSPORT: Final = {"tcp": 6, "udp": 17, "sctp": 132}
_LINK_NAMES: Final = {
    DLT_EN10MB: "ether",
    DLT_FDDI: "FDDI",
    DLT_IEEE802: "token ring",
    DLT_IP_OVER_FC: "Fibre Channel",
}
_RANGE: Final = re.compile(r"\s*([+-]?[0-9]{1,12})-\s*([+-]?[0-9]{1,12})")
_DECNET: Final = re.compile(r"([0-9]{1,9})\.([0-9]{1,9})")
# IP protocols that every box knows (IANA protocol-numbers), for when protocols(5) does not.
_PROTOCOLS: Final = {
    "ip": 0,
    "hopopt": 0,
    "icmp": 1,
    "igmp": 2,
    "ggp": 3,
    "ipencap": 4,
    "st": 5,
    "tcp": 6,
    "egp": 8,
    "igp": 9,
    "pup": 12,
    "udp": 17,
    "hmp": 20,
    "xns-idp": 22,
    "rdp": 27,
    "iso-tp4": 29,
    "dccp": 33,
    "xtp": 36,
    "ddp": 37,
    "idpr-cmtp": 38,
    "ipv6": 41,
    "ipv6-route": 43,
    "ipv6-frag": 44,
    "idrp": 45,
    "rsvp": 46,
    "gre": 47,
    "esp": 50,
    "ah": 51,
    "skip": 57,
    "ipv6-icmp": 58,
    "icmp6": 58,
    "ipv6-nonxt": 59,
    "ipv6-opts": 60,
    "rspf": 73,
    "vmtp": 81,
    "eigrp": 88,
    "ospf": 89,
    "ax.25": 93,
    "ipip": 94,
    "etherip": 97,
    "encap": 98,
    "pim": 103,
    "ipcomp": 108,
    "vrrp": 112,
    "l2tp": 115,
    "isis": 124,
    "sctp": 132,
    "fc": 133,
    "udplite": 136,
}


class Qual(NamedTuple):
    """What stands before an id.

    proto  protocol keyword, "" for none     dir  src, dst, or, and, addr1 …, "" for none
    kind   host, net, port, portrange, gateway, proto, protochain; "" for none; "undef" where an id
           may not stand without qualifiers
    """

    proto: str
    dir: str
    kind: str


def _dotted(text: str) -> tuple[int, int]:
    """Return the value of a dotted number of one to four parts, and its bits. Raises FilterError."""
    value = 0
    parts = text.split(".")
    for part in parts:
        if not part.isdigit() or len(part.lstrip("0")) > 3 or int(part) > 255:
            raise FilterError(f"invalid IPv4 address '{text}'")
        value = value << 8 | int(part)
    return value, 8 * len(parts)


class Values:
    """Ids of one expression; *names* has the tables, or is None."""

    def __init__(self, link: Link, names: Names | None) -> None:
        self.link, self.names = link, names

    # -- numbers

    def number(self, value: int, qual: Qual) -> Test:
        """Return the test of a bare number. Raises FilterError."""
        proto, dir, kind = qual
        match kind:
            case "" | "host" | "net":
                self._no_link(proto)
                mask = 0xFFFFFFFF
                if kind == "net" and proto != "decnet":
                    value, mask = _left(value, mask)
                return hosts.host(self.link, value, mask, proto, dir, kind or "host")
            case "port" | "portrange":
                return self._port(value, value if kind == "portrange" else None, qual)
            case "gateway":
                raise FilterError("'gateway' requires a name")
            case "proto":
                if dir:
                    raise FilterError("direction applied to 'proto'")
                return protos.proto(self.link, value, proto)
            case "protochain":
                return protos.protochain(self.link, value, proto)
            case _:
                raise FilterError(_SYNTAX)

    @staticmethod
    def _no_link(proto: str) -> None:
        if proto == "link":
            raise FilterError("illegal link layer address")

    def _port(self, low: int, high: int | None, qual: Qual) -> Test:
        transport = _TRANSPORT.get(qual.proto)
        if qual.proto and transport is None:
            raise FilterError(f"illegal qualifier of '{qual.kind}'")
        for value in (low, high):
            if value is not None and value > 65535:
                raise FilterError(f"illegal port number {value} > 65535")
        return protos.port(self.link, low, high, transport, qual.dir)

    # -- dotted addresses

    def address(self, text: str, qual: Qual) -> Test:
        """Return the test of a dotted address or network. Raises FilterError."""
        proto, dir, kind = qual
        if kind in ("port", "portrange", "proto", "protochain"):
            raise FilterError(f"'{kind}' modifier applied to ip host")
        if proto == "decnet" and kind in ("", "host", "net"):
            return hosts.decnet(self.link, _decnet(text), dir)
        value, bits = _dotted(text)
        if kind not in ("", "host", "net"):
            return self.number(value, qual)
        self._no_link(proto)
        mask = 0xFFFFFFFF << 32 - bits & 0xFFFFFFFF
        return hosts.host(self.link, value << 32 - bits, mask, proto, dir, kind or "host")

    def network(self, text: str, length: int, qual: Qual) -> Test:
        """Return the test of a network with its prefix length. Raises FilterError."""
        value, bits = _dotted(text)
        value <<= 32 - bits
        if length > 32:
            raise FilterError("mask length must be <= 32")
        mask = 0xFFFFFFFF << 32 - length & 0xFFFFFFFF
        if value & ~mask:
            raise FilterError(f'non-network bits set in "{text}/{length}"')
        return self._net(value, mask, qual)

    def masked(self, text: str, mask_text: str, qual: Qual) -> Test:
        """Return the test of a network with its mask. Raises FilterError."""
        value, bits = _dotted(text)
        value <<= 32 - bits
        mask, bits = _dotted(mask_text)
        mask <<= 32 - bits
        if value & ~mask:
            raise FilterError(f'non-network bits set in "{text} mask {mask_text}"')
        return self._net(value, mask, qual)

    def _net(self, value: int, mask: int, qual: Qual) -> Test:
        if qual.kind != "net":
            raise FilterError("Mask syntax for networks only")
        return hosts.host(self.link, value, mask, qual.proto, qual.dir, "net")

    def address6(self, text: str, length: int, qual: Qual) -> Test:
        """Return the test of an IPv6 address or, with *length* under 128, network."""
        addr = parse_ipv6(text)
        assert addr is not None
        if length > 128:
            raise FilterError("mask length must be <= 128")
        mask = ((1 << 128) - (1 << 128 - length)).to_bytes(16, "big")
        if any(a & ~m for a, m in zip(addr, mask, strict=True)):
            raise FilterError(f'non-network bits set in "{text}/{length}"')
        if qual.kind in ("", "host"):
            if length != 128:
                raise FilterError("Mask syntax for networks only")
        elif qual.kind != "net":
            raise FilterError("invalid qualifier against IPv6 address")
        return hosts.host6(self.link, addr, mask, qual.proto, qual.dir, qual.kind or "host")

    def ether(self, text: str, qual: Qual) -> Test:
        """Return the test of an Ethernet address. Raises FilterError."""
        parts = re.split(r"[:.-]", text)
        if len(parts) == 6:
            digits = "".join(part.zfill(2) for part in parts)
        else:
            digits = "".join(parts)
        return hosts.ether_host(self.link, bytes.fromhex(digits), *qual)

    def arcnet(self, text: str, qual: Qual) -> Test:
        """Return the test of an ARCnet address, "$" and hexadecimal. Raises FilterError."""
        return hosts.arcnet_host(self.link, bytes((int(text[1:], 16),)), *qual)

    # -- names

    def name(self, text: str, qual: Qual) -> Test:
        """Return the test of a name. Raises FilterError when nothing has it."""
        proto, dir, kind = qual
        match kind:
            case "net":
                number = self.names.network(text) if self.names else None
                if not number:
                    raise FilterError(f"unknown network '{text}'")
                return hosts.host(self.link, *_left(number, 0xFFFFFFFF), proto, dir, "net")
            case "" | "host":
                if proto == "link":
                    return self._ether_name(text, dir)
                if proto == "decnet":
                    raise FilterError(
                        f"decnet name support not included, '{text}' cannot be translated\n"
                    )
                return self._host_name(text, qual)
            case "port":
                return self._port_name(text, qual)
            case "portrange":
                return self._range_name(text, qual)
            case "gateway":
                return self._gateway(text, proto)
            case "proto" | "protochain":
                return self._proto_name(text, qual)
            case _:
                raise FilterError(_SYNTAX)

    def _gateway(self, text: str, proto: str) -> Test:
        """Return the test for packets that go through a gateway: its link address, another IP one."""
        if proto not in ("", "ip", "arp", "rarp"):
            raise FilterError("illegal modifier of 'gateway'")
        names = self.names
        octets = names.ether(text) if names else None
        addresses = [one for one in (names.hosts(text) if names else ()) if isinstance(one, int)]
        if octets is None:
            if addresses:
                raise FilterError(f"unknown ether host: {text}")
            raise FilterError("'gateway' not supported in this configuration")
        if not addresses:
            raise FilterError(f"unknown host '{text}'")
        through = hosts.ether(self.link, octets, "or")
        if through is None:
            raise FilterError(
                "'gateway' supported only on ethernet/FDDI/token ring/802.11/ATM LANE/Fibre Channel"
            )
        itself: Test | None = None
        for address in addresses:
            one = hosts.host(self.link, address, 0xFFFFFFFF, proto, "or", "host")
            itself = one if itself is None else or_(itself, one)
        assert itself is not None
        return and_(through, not_(itself))

    def _ether_name(self, text: str, dir: str) -> Test:
        kind = "802.11" if self.link.type in WLAN_PPI else _LINK_NAMES.get(self.link.type)
        if kind is None:
            raise FilterError(
                "only ethernet/FDDI/token ring/802.11/ATM LANE/Fibre Channel supports link-level "
                "host name"
            )
        octets = self.names.ether(text) if self.names else None
        if octets is None:
            raise FilterError(f"unknown {kind} host '{text}'")
        test = hosts.ether(self.link, octets, dir)
        assert test is not None
        return test

    def _host_name(self, text: str, qual: Qual) -> Test:
        proto, dir, kind = qual
        addresses = self.names.hosts(text) if self.names else ()
        if not addresses:
            raise FilterError(f"unknown host '{text}'")
        four = six = proto
        if self.link.linktype_at.const == NOT_SET and not proto:
            four, six = "ip", "ip6"
        test: Test | None = None
        for address in addresses:
            if isinstance(address, int):
                if four == "ip6":
                    continue
                one = hosts.host(self.link, address, 0xFFFFFFFF, four, dir, kind or "host")
            else:
                if six == "ip":
                    continue
                one = hosts.host6(self.link, address, b"\xff" * 16, six, dir, kind or "host")
            test = one if test is None else or_(test, one)
        if test is None:
            where = " for specified address family" if proto else ""
            raise FilterError(f"unknown host '{text}'{where}")
        return test

    def _service(self, text: str) -> tuple[int, int | None] | None:
        """Return the port of a service and the one transport it is of (None: any); None if unknown."""
        if text.isascii() and text.isdigit() and len(text) < 10:
            return int(text), None
        tcp, udp = self.names.port(text) if self.names else (None, None)
        if tcp is not None:
            return tcp, None if udp == tcp else 6
        return None if udp is None else (udp, 17)

    @staticmethod
    def _transport(proto: str, real: int | None, what: str) -> int | None:
        """Return the transport to test for, from the qualifier and from services(5)."""
        if not proto:
            return real
        for name in ("tcp", "udp"):
            if real == _TRANSPORT[name] and name != proto:
                raise FilterError(f"{what} is {name}")
        return _TRANSPORT[proto]

    def _port_name(self, text: str, qual: Qual) -> Test:
        if qual.proto and qual.proto not in _TRANSPORT:
            raise FilterError("illegal qualifier of 'port'")
        found = self._service(text)
        if found is None:
            raise FilterError(f"unknown port '{text}'")
        transport = self._transport(qual.proto, found[1], f"port '{text}'")
        _check_ports(found[0])
        return protos.port(self.link, found[0], None, transport, qual.dir)

    def _range_name(self, text: str, qual: Qual) -> Test:
        if qual.proto and qual.proto not in _TRANSPORT:
            raise FilterError("illegal qualifier of 'portrange'")
        match = _RANGE.match(text)
        real: int | None = None
        if match:
            low, high = int(match[1]), int(match[2])
        else:
            one, dash, two = text.partition("-")
            ends = (self._service(one), self._service(two)) if dash else (None, None)
            if ends[0] is None or ends[1] is None:
                raise FilterError(f"unknown port in range '{text}'")
            low, high = ends[0][0], ends[1][0]
            real = ends[0][1] if ends[0][1] == ends[1][1] else None
        transport = self._transport(qual.proto, real, f"port in range '{text}'")
        _check_ports(low, high)
        return protos.port(self.link, low, high, transport, qual.dir)

    def _proto_name(self, text: str, qual: Qual) -> Test:
        proto = qual.proto
        number: int | None
        match proto:
            case "" | "ip" | "ip6":
                number = self.names.protocol(text) if self.names else None
                if number is None:
                    number = _PROTOCOLS.get(text.lower())
                what = "ip proto"
            case "link":
                number = protos.ether_number(text)
                what = "ether proto"
            case "iso":
                number = protos.osi_number(text)
                what = "osi proto"
            case _:
                raise FilterError(f"unknown protocol: {text}")
        if number is None:
            raise FilterError(f"unknown {what} '{text}'")
        return self.number(number, qual)


def _left(value: int, mask: int) -> tuple[int, int]:
    """Return a network number moved to the top, and its mask: `net 10` is 10.0.0.0/8."""
    while value and not value & 0xFF000000:
        value = value << 8 & 0xFFFFFFFF
        mask = mask << 8 & 0xFFFFFFFF
    return value, mask


def _check_ports(*ports: int) -> None:
    for number in ports:
        if number < 0:
            raise FilterError(f"illegal port number {number} < 0")
        if number > 65535:
            raise FilterError(f"illegal port number {number} > 65535")


def _decnet(text: str) -> int:
    match = _DECNET.match(text)
    if match is None:
        raise FilterError(f"malformed decnet address '{text}'")
    return int(match[1]) << 10 & 0xFC00 | int(match[2]) & 0x3FF
