"""DHCP options by name: number, shape of the value, spaces; and the definitions users add.

A shape is a string of letters as in dhcp-eval(5)'s sources: I address, t text, f flag, B S L
unsigned of 8, 16 and 32 bits, b s l signed, X string or hex, d domain name, D list of domain names,
E options of a space; A at the end repeats what stands before it, a the last letter alone. RFC 2132
and its followers.
"""

from __future__ import annotations

from typing import Final

_DHCP: Final = """
1 subnet-mask I|2 time-offset l|3 routers IA|4 time-servers IA|5 ien116-name-servers IA
6 domain-name-servers IA|7 log-servers IA|8 cookie-servers IA|9 lpr-servers IA
10 impress-servers IA|11 resource-location-servers IA|12 host-name t|13 boot-size S|14 merit-dump t
15 domain-name t|16 swap-server I|17 root-path t|18 extensions-path t|19 ip-forwarding f
20 non-local-source-routing f|21 policy-filter IIA|22 max-dgram-reassembly S|23 default-ip-ttl B
24 path-mtu-aging-timeout L|25 path-mtu-plateau-table SA|26 interface-mtu S|27 all-subnets-local f
28 broadcast-address I|29 perform-mask-discovery f|30 mask-supplier f|31 router-discovery f
32 router-solicitation-address I|33 static-routes IIA|34 trailer-encapsulation f
35 arp-cache-timeout L|36 ieee802-3-encapsulation f|37 default-tcp-ttl B
38 tcp-keepalive-interval L|39 tcp-keepalive-garbage f|40 nis-domain t|41 nis-servers IA
42 ntp-servers IA|43 vendor-encapsulated-options E|44 netbios-name-servers IA
45 netbios-dd-server IA|46 netbios-node-type B|47 netbios-scope t|48 font-servers IA
49 x-display-manager IA|50 dhcp-requested-address I|51 dhcp-lease-time L|52 dhcp-option-overload B
53 dhcp-message-type B|54 dhcp-server-identifier I|55 dhcp-parameter-request-list BA
56 dhcp-message t|57 dhcp-max-message-size S|58 dhcp-renewal-time L|59 dhcp-rebinding-time L
60 vendor-class-identifier X|61 dhcp-client-identifier X|62 nwip-domain t|63 nwip-suboptions Enwip.
64 nisplus-domain t|65 nisplus-servers IA|66 tftp-server-name t|67 bootfile-name t
68 mobile-ip-home-agent IA|69 smtp-server IA|70 pop-server IA|71 nntp-server IA|72 www-server IA
73 finger-server IA|74 irc-server IA|75 streettalk-server IA
76 streettalk-directory-assistance-server IA|77 user-class t|78 slp-directory-agent fIa
79 slp-service-scope ft|81 fqdn Efqdn.|82 relay-agent-information Eagent.|85 nds-servers IA
86 nds-tree-name t|87 nds-context t|88 bcms-controller-names D|89 bcms-controller-address IA
91 client-last-transaction-time L|92 associated-ip IA|93 pxe-system-type SA|94 pxe-interface-id BBB
97 pxe-client-id BX|98 uap-servers t|99 geoconf-civic X|100 pcode t|101 tcode t
108 v6-only-preferred L|112 netinfo-server-address IA|113 netinfo-server-tag t|114 default-url t
116 auto-config B|117 name-service-search SA|118 subnet-selection I|119 domain-search Dcompressed
124 vivco X|125 vivso X|136 pana-agent IA|137 v4-lost d|138 capwap-ac-v4 IA
141 sip-ua-cs-domains Dcompressed
142 ipv4-address-andsf IA|150 tftp-server-address IA|209 loader-configfile t|210 authenticate X
210 loader-pathprefix t|211 loader-reboottime L|213 v4-access-domain d
"""
_AGENT: Final = (
    "1 circuit-id X|2 remote-id X|3 agent-id I|4 DOCSIS-device-class L|5 link-selection I"
)
_FQDN: Final = "1 no-client-update f|2 server-update f|3 encoded f|4 rcode1 B|5 rcode2 B|6 hostname t|7 domainname t|8 fqdn t"  # noqa: E501
_NWIP: Final = "5 nsq-broadcast f|6 preferred-dss IA|7 nearest-nwip-server IA|8 autoretries B|9 autoretry-secs B|10 nwip-1-1 f|11 primary-dss I"  # noqa: E501

_WIDTHS: Final = {"B": 1, "b": 1, "S": 2, "s": 2, "L": 4, "l": 4}


class OptionDef:
    """One option.

    space  name of its space        code     number in it
    name   as it is written         shape    see the module
    inner  of shape E the space of the options inside, of shape D "compressed" for a list with pointers
           (RFC 1035 4.1.4), else ""
    """

    __slots__ = ("code", "inner", "name", "shape", "space")

    def __init__(self, space: str, name: str, code: int, shape: str, inner: str = "") -> None:
        self.space, self.name, self.code, self.shape, self.inner = space, name, code, shape, inner

    def full_name(self) -> str:
        """Return the name with its space, without for the standard one."""
        return self.name if self.space == "dhcp" else f"{self.space}.{self.name}"


class Space:
    """One space of options.

    code_width, length_width  octets of a code and of a length in the encapsulated form
    """

    __slots__ = ("by_code", "by_name", "code_width", "length_width", "name")

    def __init__(self, name: str, code_width: int = 1, length_width: int = 1) -> None:
        self.name, self.code_width, self.length_width = name, code_width, length_width
        self.by_name: dict[str, OptionDef] = {}
        self.by_code: dict[int, OptionDef] = {}

    def define(self, name: str, code: int, shape: str, inner: str = "") -> OptionDef:
        """Add an option; a later definition of the number or the name wins."""
        option = OptionDef(self.name, name, code, shape, inner)
        self.by_name[name.lower()] = option
        self.by_code[code] = option
        return option

    def find(self, name: str) -> OptionDef | None:
        """Return the option called *name*; unknown-N and option-N always exist."""
        low = name.lower()
        option = self.by_name.get(low)
        if option is None and low.startswith(("unknown-", "option-")):
            number = low.partition("-")[2]
            limit = 256 ** min(self.code_width, 4)
            if number.isascii() and number.isdigit() and len(number) < 11 and int(number) < limit:
                known = self.by_code.get(int(number))
                option = OptionDef(self.name, low, int(number), "X", known.inner if known else "")
        return option

    def name_of(self, code: int) -> str:
        """Return the name of the option with that number."""
        option = self.by_code.get(code)
        return option.name if option is not None else f"unknown-{code}"


def standard_spaces() -> dict[str, Space]:
    """Return the spaces that exist before a configuration adds its own."""
    spaces: dict[str, Space] = {}
    tables = {"dhcp": _DHCP, "agent": _AGENT, "fqdn": _FQDN, "nwip": _NWIP}
    for name, table in tables.items():
        space = spaces[name] = Space(name)
        for row in table.replace("\n", "|").split("|"):
            if row:
                code, label, shape = row.split()
                head, inner = shape, ""
                if shape[0] in "ED":
                    head, inner = shape[0], shape[1:].rstrip(".")
                space.define(label, int(code), head, inner)
    return spaces


def width_of(letter: str) -> int:
    """Return how many octets a number of that shape has."""
    return _WIDTHS[letter]


def encode_number(letter: str, value: int) -> bytes | None:
    """Return the octets of a number, None when it does not fit."""
    width = _WIDTHS[letter]
    low = -(1 << (8 * width - 1)) if letter.islower() or value < 0 else 0
    high = (1 << (8 * width)) - 1
    if not low <= value <= high:
        return None
    return (value & high).to_bytes(width, "big")


def encode_domain(name: str) -> bytes | None:
    """Return a domain name in the form of RFC 1035, uncompressed; None when it is none."""
    out = bytearray()
    for label in name.rstrip(".").split("."):
        octets = label.encode("latin-1", "replace")
        if not 1 <= len(octets) <= 63:
            return None
        out += bytes((len(octets),)) + octets
    return bytes(out) + b"\0" if len(out) < 255 else None


def encapsulate(space: Space, values: dict[int, bytes], *, end: bool = False) -> bytes:
    """Return options as they stand inside another one; values too long for their length are cut."""
    out = bytearray()
    most = 256**space.length_width - 1 if space.length_width else 0
    for code, value in values.items():
        value = value[:most] if space.length_width else value
        out += code.to_bytes(space.code_width, "big")
        if space.length_width:
            out += len(value).to_bytes(space.length_width, "big")
        out += value
    if end and space.code_width == 1:
        out.append(255)
    return bytes(out)


def decapsulate(space: Space, data: bytes) -> dict[int, bytes]:
    """Return the options inside another one; what comes after a broken one is left out."""
    found: dict[int, bytes] = {}
    at, head = 0, space.code_width + space.length_width
    while at < len(data):
        if space.code_width == 1 and data[at] in (0, 255) and space.name not in ("agent",):
            if data[at] == 255:
                break
            at += 1
            continue
        if at + head > len(data):
            break
        code = int.from_bytes(data[at : at + space.code_width], "big")
        if space.length_width:
            length = int.from_bytes(data[at + space.code_width : at + head], "big")
        else:
            length = len(data) - at - head
        at += head
        if at + length > len(data):
            break
        found[code] = found.get(code, b"") + data[at : at + length]
        at += length
    return found
