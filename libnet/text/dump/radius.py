"""RADIUS (RFC 2865, RFC 2866 and the attributes of those after them)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from libnet.text.dump.eap import eap_print
from libnet.text.dump.ndo import Ndo, Printer, bittok2str, shown, tok2str, u2, u3, u4, u8
from libnet.text.dump.ntp import ntp_time
from libnet.text.dump.numbers import VENDORS

_CODES: Final = {
    1: "Access-Request", 2: "Access-Accept", 3: "Access-Reject", 4: "Accounting-Request",
    5: "Accounting-Response", 11: "Access-Challenge", 12: "Status-Server", 13: "Status-Client",
    40: "Disconnect-Request", 41: "Disconnect-ACK", 42: "Disconnect-NAK", 43: "CoA-Request",
    44: "CoA-ACK", 45: "CoA-NAK", 255: "Reserved",
}  # fmt: skip
_HDRLEN: Final = 20
# Values with names, by attribute; the first stands for 0, None has no name.
_SERVICE: Final = (
    None, "Login", "Framed", "Callback Login", "Callback Framed", "Outbound", "Administrative",
    "NAS Prompt", "Authenticate Only", "Callback NAS Prompt", "Call Check",
    "Callback Administrative", "Voice", "Fax", "Modem Relay", "IAPP-Register", "IAPP-AP-Check",
    "Authorize Only", "Framed-Management", "Additional-Authorization",
)  # fmt: skip
_PROTOCOL: Final = (
    None, "PPP", "SLIP", "ARAP", "Gandalf proprietary", "Xylogics IPX/SLIP", "X.75 Synchronous",
    "GPRS PDP Context",
)  # fmt: skip
_PORT_TYPE: Final = (
    "Async", "Sync", "ISDN Sync", "ISDN Async V.120", "ISDN Async V.110", "Virtual", "PIAFS",
    "HDLC Clear Channel", "X.25", "X.75", "G.3 Fax", "SDSL", "ADSL-CAP", "ADSL-DMT", "ISDN-DSL",
    "Ethernet", "xDSL", "Cable", "Wireless - Other", "Wireless - IEEE 802.11", "Token-Ring",
    "FDDI", "Wireless - CDMA200", "Wireless - UMTS", "Wireless - 1X-EV", "IAPP", "FTTP",
    "Wireless - IEEE 802.16", "Wireless - IEEE 802.20", "Wireless - IEEE 802.22", "PPPoA",
    "PPPoEoA", "PPPoEoE", "PPPoEoVLAN", "PPPoEoQinQ", "xPON", "Wireless - XGP",
    "WiMAX Pre-Release 8 IWK Function", "WIMAX-WIFI-IWK", "WIMAX-SFF", "WIMAX-HA-LMA",
    "WIMAX-DHCP", "WIMAX-LBS", "WIMAX-WVS",
)  # fmt: skip
_STATUS: Final = (
    None, "Start", "Stop", "Interim-Update", "Unassigned", "Unassigned", "Unassigned",
    "Accounting-On", "Accounting-Off", "Tunnel-Start", "Tunnel-Stop", "Tunnel-Reject",
    "Tunnel-Link-Start", "Tunnel-Link-Stop", "Tunnel-Link-Reject", "Failed",
)  # fmt: skip
_CAUSE: Final = (
    None, "User Request", "Lost Carrier", "Lost Service", "Idle Timeout", "Session Timeout",
    "Admin Reset", "Admin Reboot", "Port Error", "NAS Error", "NAS Request", "NAS Reboot",
    "Port Unneeded", "Port Preempted", "Port Suspended", "Service Unavailable", "Callback",
    "User Error", "Host Request", "Supplicant Restart", "Reauthentication Failure",
    "Port Reinitialized", "Port Administratively Disabled", "Lost Power",
)  # fmt: skip
_TUNNEL: Final = (
    None, "PPTP", "L2F", "L2TP", "ATMP", "VTP", "AH", "IP-IP", "MIN-IP-IP", "ESP", "GRE", "DVS",
    "IP-in-IP Tunneling", "VLAN",
)  # fmt: skip
_MEDIUM: Final = (
    None, "IPv4", "IPv6", "NSAP", "HDLC", "BBN 1822", "802", "E.163", "E.164", "F.69", "X.121",
    "IPX", "Appletalk", "Decnet IV", "Banyan Vines", "E.164 with NSAP subaddress",
)  # fmt: skip
_VALUES: Final[dict[int, Sequence[str | None]]] = {
    6: _SERVICE,
    7: _PROTOCOL,
    10: ("None", "Send", "Listen", "Send&Listen"),
    13: ("None", "VJ TCP/IP", "IPX", "Stac-LZS"),
    15: ("Telnet", "Rlogin", "TCP Clear", "PortMaster(proprietary)", "LAT", "X.25-PAD",
         "X.25-T3POS", "Unassigned", "TCP Clear Quiet"),
    29: ("Default", "RADIUS-Request"),
    40: _STATUS,
    45: (None, "RADIUS", "Local", "Remote", "Diameter"),
    49: _CAUSE,
    57: (None, "Enabled", "Disabled"),
    61: _PORT_TYPE,
    64: _TUNNEL,
    65: _MEDIUM,
    72: (None, "Only access to dfl zone", "Use zone filter inc.", "Not used",
         "Use zone filter exc."),
    76: ("No Echo", "Echo"),
}  # fmt: skip
_TAGGED: Final = {0x31: "Tagged", 0x32: "Untagged"}
_ERRORS: Final = {
    201: "Residual Session Context Removed", 202: "Invalid EAP Packet (Ignored)",
    401: "Unsupported Attribute", 402: "Missing Attribute", 403: "NAS Identification Mismatch",
    404: "Invalid Request", 405: "Unsupported Service", 406: "Unsupported Extension",
    407: "Invalid Attribute Value", 501: "Administratively Prohibited",
    502: "Request Not Routable (Proxy)", 503: "Session Context Not Found",
    504: "Session Context Not Removable", 505: "Other Proxy Processing Error",
    506: "Resources Unavailable", 507: "Request Initiated",
    508: "Multiple Session Selection Unsupported", 509: "Location Info Required",
}  # fmt: skip
_MIP6: Final = (
    (1 << 0, "MIP6_INTEGRATED"), (1 << 1, "LOCAL_HOME_AGENT_ASSIGNMENT"),
    (1 << 40, "PMIP6_SUPPORTED"), (1 << 41, "IP4_HOA_SUPPORTED"),
    (1 << 42, "LOCAL_MAG_ROUTING_SUPPORTED"), (1 << 43, "ASSIGN_LOCAL_IP"),
    (1 << 44, "MIP4_SUPPORTED"), (1 << 45, "OPTIMIZED_IDLE_MODE_MOBILITY"),
    (1 << 46, "GTPv2_SUPPORTED"), (1 << 47, "IP4_TRANSPORT_SUPPORTED"),
    (1 << 48, "IP4_HOA_ONLY_SUPPORTED"), (1 << 49, "INTER_MAG_ROUTING_SUPPORTED"),
)  # fmt: skip
_NAMESPACES: Final = {0x30: "TADIG", 0x31: "REALM", 0x32: "E212", 0x33: "ICC"}
_LOCATION_CODES: Final = {0: "Civic", 1: "Geospatial"}
_ENTITIES: Final = {0: "User", 1: "RADIUS"}
_POLICY: Final = (
    *((1 << i, f"MBZ-{15 - i}") for i in range(15)),
    (0x8000, "Retransmission Allowed"),
)
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = (
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
)  # fmt: skip


class _Cut(Exception):
    """The value was not captured whole, or is too short."""


def _have(b: bytes, o: int, n: int) -> None:
    if o + n > len(b):
        raise _Cut


def _dotted(data: bytes) -> str:
    """Return text up to a zero, with dots for what is not printable."""
    end = data.find(0)
    if end >= 0:
        data = data[:end]
    return "".join([chr(c) if 0x20 <= c < 0x7F else "." for c in data])


def _string(ndo: Ndo, b: bytes, o: int, length: int, kind: int) -> None:
    _have(b, o, length)
    p = ndo.p
    if kind == 69:
        if length < 3:
            raise _Cut
        tag = b[o]
        p(f"Tag[{tag}] " if 0 < tag <= 0x1F else "Tag[Unused] ")
        p(f"Salt {u2(b, o + 1)} ")
        o += 3
        length -= 3
    elif kind in (66, 67, 81, 82, 90, 91):
        if b[o] <= 0x1F:
            p(f"Tag[{b[o]}] " if b[o] else "Tag[Unused] ")
            o += 1
            length -= 1
    elif kind == 58:
        p(f"{tok2str(_TAGGED, 'Unknown tag', b[o])} (0x{b[o]:02x}) ")
        o += 1
        length -= 1
    elif kind == 79:
        eap_print(ndo, b, o, length)
        return
    p(_dotted(b[o : o + length]))


def _number(ndo: Ndo, b: bytes, o: int, length: int, kind: int) -> None:
    p = ndo.p
    if length != 4:
        p(f"ERROR: length {length} != 4")
        return
    names = _VALUES.get(kind)
    value = u4(b, o)
    if names is not None:
        if kind in (64, 65):
            p(f"Tag[{b[o]}] " if b[o] else "Tag[Unused] ")
            value &= 0xFFFFFF
        name = names[value] if value < len(names) else None
        p(name or f"#{value}")
    elif kind == 23:
        p("NAS Select" if value == 0xFFFFFFFE else str(value))
    elif kind in (27, 28, 41, 46, 85):
        if value < 60:
            p(f"{value:02d} secs")
        elif value < 3600:
            p(f"{value // 60:02d}:{value % 60:02d} min")
        else:
            p(f"{value // 3600:02d}:{value % 3600 // 60:02d}:{value % 60:02d} hours")
    elif kind == 37:
        p(str(value) if value else "Unnumbered")
    elif kind == 38:
        p(str(value) if value else "NAS assigned")
    elif kind == 83:
        p(f"Tag[{b[o]}] " if b[o] else "Tag[Unused] ")
        p(str(u3(b, o + 1)))
    elif kind == 56:
        p(f"{tok2str(_TAGGED, 'Unknown tag', b[o])} (0x{b[o]:02x}) ")
        p(str(u3(b, o + 1)))
    else:
        p(str(value))


def _address(ndo: Ndo, b: bytes, o: int, length: int, kind: int) -> None:
    if length != 4:
        ndo.p(f"ERROR: length {length} != 4")
        return
    if kind in (8, 14):
        value = u4(b, o)
        if value >= 0xFFFFFFFE:
            ndo.p("User Selected" if value & 1 else "NAS Select")
            return
    ndo.p(ndo.ipaddr(b, o))


def _address6(ndo: Ndo, b: bytes, o: int, length: int, kind: int) -> None:
    if length != 16:
        ndo.p(f"ERROR: length {length} != 16")
        return
    ndo.p(ndo.ip6addr(b, o))


def _netmask6(ndo: Ndo, b: bytes, o: int, length: int, kind: int) -> None:
    if not 2 <= length <= 18:
        ndo.p(f"ERROR: length {length} not in range (2..18)")
        return
    _have(b, o, length)
    bits = b[o + 1]
    if bits > 128:
        ndo.p(f"ERROR: netmask {bits} not in range (0..128)")
        return
    ndo.p(f"{ndo.ip6addr(b[o + 2 : o + length].ljust(16, bytes(1)), 0)}/{bits}")
    if bits > 8 * (length - 2):
        ndo.p(" (inconsistent prefix length)")


def _home_prefix(ndo: Ndo, b: bytes, o: int, length: int, kind: int) -> None:
    if length != 17:
        ndo.p(f"ERROR: length {length} != 17")
        return
    _have(b, o, length)
    if b[o] > 128:
        ndo.p(f"ERROR: netmask {b[o]} not in range (0..128)")
        return
    ndo.p(f"{ndo.ip6addr(b, o + 1)}/{b[o]}")


def _operator(ndo: Ndo, b: bytes, o: int, length: int, kind: int) -> None:
    _have(b, o, length)
    if length < 2:
        ndo.p(f"ERROR: length {length} < 2")
        return
    ndo.p(f"[{tok2str(_NAMESPACES, 'unknown namespace %u', b[o])}] ")
    ndo.p(shown(b[o + 1 : o + length]))


def _location(ndo: Ndo, b: bytes, o: int, length: int, kind: int) -> None:
    _have(b, o, length)
    if length < 21:
        ndo.p(f"ERROR: length {length} < 21")
        return
    ndo.p(
        f"index {u2(b, o)}, code {tok2str(_LOCATION_CODES, 'Unknown (%u)', b[o + 2])}, "
        f"entity {tok2str(_ENTITIES, 'Unknown (%u)', b[o + 3])}, "
        f"sighting time {ntp_time(b, o + 4)}, time to live {ntp_time(b, o + 12)}, "
        f'method "{shown(b[o + 20 : o + length])}"'
    )


def _location_data(ndo: Ndo, b: bytes, o: int, length: int, kind: int) -> None:
    _have(b, o, length)
    if length < 3:
        ndo.p(f"ERROR: length {length} < 3")
        return
    ndo.p(f"index {u2(b, o)}, location")
    ndo.hex_and_ascii_print("\n\t    ", b, o + 2, length - 2)


def _policy(ndo: Ndo, b: bytes, o: int, length: int, kind: int) -> None:
    _have(b, o, length)
    if length < 10:
        ndo.p(f"ERROR: length {length} < 10")
        return
    ndo.p(f"flags [{bittok2str(_POLICY, 'none', u2(b, o))}], retention expires ")
    ndo.p(ntp_time(b, o + 2))
    if length > 10:
        ndo.p(f', note well "{shown(b[o + 10 : o + length])}"')


def _time(ndo: Ndo, b: bytes, o: int, length: int, kind: int) -> None:
    if length != 4:
        ndo.p(f"ERROR: length {length} != 4")
        return
    seconds = u4(b, o)
    year, month, day, hour, minute, second = ndo.localtime(seconds)[:6]
    # The day of the week follows from the date: the shift to local time may have changed it.
    a = (14 - month) // 12
    y, m = year + 4800 - a, month + 12 * a - 3
    julian = day + (153 * m + 2) // 5 + 365 * y + y // 4 - y // 100 + y // 400 - 32045
    ndo.p(
        f"{_DAYS[julian % 7]} {_MONTHS[month - 1]} {day:2d} "
        f"{hour:02d}:{minute:02d}:{second:02d} {year}"
    )


def _vector64(ndo: Ndo, b: bytes, o: int, length: int, kind: int) -> None:
    if length != 8:
        ndo.p(f"ERROR: length {length} != 8")
        return
    ndo.p("[")
    ndo.p(f"{bittok2str(_MIP6, '', u8(b, o))}]")


def _hex(ndo: Ndo, b: bytes, o: int, n: int) -> None:
    ndo.p(b[o : o + n].hex().upper())
    if o + n > len(b):
        ndo.longjmp()


def _strange(ndo: Ndo, b: bytes, o: int, length: int, kind: int) -> None:
    p = ndo.p
    if kind == 70:
        if length != 16:
            p(f"ERROR: length {length} != 16")
            return
        p("User_challenge (")
        _hex(ndo, b, o, 8)
        p(") User_resp(")
        _hex(ndo, b, o + 8, 8)
        p(")")
    elif kind == 71:
        if length != 14:
            p(f"ERROR: length {length} != 14")
            return
        p("User can change password" if b[o] else "User cannot change password")
        p(f", Min password length: {b[o + 1]}")
        for name, at in (("created at", 2), ("expires in", 6), ("Current Time", 10)):
            p(f", {name}: ")
            _hex(ndo, b, o + at, 4)
    elif kind == 84:
        if length < 8:
            p(f"ERROR: length {length} != 8")
            return
        _hex(ndo, b, o, 8)
    else:
        if length != 4:
            p(f"Error: length {length} != 4")
            return
        value = u4(b, o)
        p(f"Error cause {value}: {tok2str(_ERRORS, 'Error-Cause %u not known', value)}")


def _vendor(ndo: Ndo, b: bytes, o: int, length: int, kind: int) -> None:
    p = ndo.p
    if length < 4:
        raise _Cut
    vendor = u4(b, o)
    o += 4
    length -= 4
    p(f"Vendor: {VENDORS.get(vendor, 'Unknown')} ({vendor})")
    while length >= 2:
        sub, size = b[o], b[o + 1]
        head = f"\n\t    Vendor Attribute: {sub}, Length: "
        if size < 2:
            p(f"{head}{size} (bogus, must be >= 2)")
            return
        if size > length:
            p(f"{head}{size} (bogus, goes past end of vendor-specific attribute)")
            return
        o += 2
        size -= 2
        _have(b, o, size)
        value = "".join([chr(c) if 0x20 <= c < 0x7F else "." for c in b[o : o + size]])
        p(f"{head}{size}, Value: {value}")
        o += size
        length -= size + 2


_S, _N = _string, _number
# Attributes by number: name, and the printer of the value or None.
_ATTRIBUTES: Final[tuple[tuple[str, Printer | None], ...]] = (
    ("", None), ("User-Name", _S), ("User-Password", None), ("CHAP-Password", None),
    ("NAS-IP-Address", _address), ("NAS-Port", _N), ("Service-Type", _N),
    ("Framed-Protocol", _N), ("Framed-IP-Address", _address), ("Framed-IP-Netmask", _address),
    ("Framed-Routing", _N), ("Filter-Id", _S), ("Framed-MTU", _N), ("Framed-Compression", _N),
    ("Login-IP-Host", _address), ("Login-Service", _N), ("Login-TCP-Port", _N),
    ("Unassigned", None), ("Reply-Message", _S), ("Callback-Number", _S), ("Callback-Id", _S),
    ("Unassigned", None), ("Framed-Route", _S), ("Framed-IPX-Network", _N), ("State", _S),
    ("Class", _S), ("Vendor-Specific", _vendor), ("Session-Timeout", _N), ("Idle-Timeout", _N),
    ("Termination-Action", _N), ("Called-Station-Id", _S), ("Calling-Station-Id", _S),
    ("NAS-Identifier", _S), ("Proxy-State", _S), ("Login-LAT-Service", _S),
    ("Login-LAT-Node", _S), ("Login-LAT-Group", _S), ("Framed-AppleTalk-Link", _N),
    ("Framed-AppleTalk-Network", _N), ("Framed-AppleTalk-Zone", _S), ("Acct-Status-Type", _N),
    ("Acct-Delay-Time", _N), ("Acct-Input-Octets", _N), ("Acct-Output-Octets", _N),
    ("Acct-Session-Id", _S), ("Acct-Authentic", _N), ("Acct-Session-Time", _N),
    ("Acct-Input-Packets", _N), ("Acct-Output-Packets", _N), ("Acct-Terminate-Cause", _N),
    ("Acct-Multi-Session-Id", _S), ("Acct-Link-Count", _N), ("Acct-Input-Gigawords", _N),
    ("Acct-Output-Gigawords", _N), ("Unassigned", None), ("Event-Timestamp", _time),
    ("Egress-VLANID", _N), ("Ingress-Filters", _N), ("Egress-VLAN-Name", _S),
    ("User-Priority-Table", None), ("CHAP-Challenge", _S), ("NAS-Port-Type", _N),
    ("Port-Limit", _N), ("Login-LAT-Port", _S), ("Tunnel-Type", _N),
    ("Tunnel-Medium-Type", _N), ("Tunnel-Client-Endpoint", _S), ("Tunnel-Server-Endpoint", _S),
    ("Acct-Tunnel-Connection", _S), ("Tunnel-Password", _S), ("ARAP-Password", _strange),
    ("ARAP-Features", _strange), ("ARAP-Zone-Access", _N), ("ARAP-Security", _S),
    ("ARAP-Security-Data", _S), ("Password-Retry", _N), ("Prompt", _N), ("Connect-Info", _S),
    ("Configuration-Token", _S), ("EAP-Message", _S), ("Message-Authenticator", _S),
    ("Tunnel-Private-Group-ID", _S), ("Tunnel-Assignment-ID", _S), ("Tunnel-Preference", _N),
    ("ARAP-Challenge-Response", _strange), ("Acct-Interim-Interval", _N),
    ("Acct-Tunnel-Packets-Lost", _N), ("NAS-Port-Id", _S), ("Framed-Pool", _S), ("CUI", _S),
    ("Tunnel-Client-Auth-ID", _S), ("Tunnel-Server-Auth-ID", _S), ("NAS-Filter-Rule", _S),
    ("Unassigned", None), ("Originating-Line-Info", None), ("NAS-IPv6-Address", _address6),
    ("Framed-Interface-ID", None), ("Framed-IPv6-Prefix", _netmask6),
    ("Login-IPv6-Host", _address6), ("Framed-IPv6-Route", _S), ("Framed-IPv6-Pool", _S),
    ("Error-Cause", _strange), ("EAP-Key-Name", None), ("Digest-Response", _S),
    ("Digest-Realm", _S), ("Digest-Nonce", _S), ("Digest-Response-Auth", _S),
    ("Digest-Nextnonce", _S), ("Digest-Method", _S), ("Digest-URI", _S), ("Digest-Qop", _S),
    ("Digest-Algorithm", _S), ("Digest-Entity-Body-Hash", _S), ("Digest-CNonce", _S),
    ("Digest-Nonce-Count", _S), ("Digest-Username", _S), ("Digest-Opaque", _S),
    ("Digest-Auth-Param", _S), ("Digest-AKA-Auts", _S), ("Digest-Domain", _S),
    ("Digest-Stale", _S), ("Digest-HA1", _S), ("SIP-AOR", _S),
    ("Delegated-IPv6-Prefix", _netmask6), ("MIP6-Feature-Vector", _vector64),
    ("MIP6-Home-Link-Prefix", _home_prefix), ("Operator-Name", _operator),
    ("Location-Information", _location), ("Location-Data", _location_data),
    ("Basic-Location-Policy-Rules", _policy),
)  # fmt: skip


def radius_print(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    """Print a packet."""
    ndo.protocol = "radius"
    if o + _HDRLEN > len(b):
        ndo.trunc()
        return
    code, ident, size = b[o], b[o + 1], u2(b, o + 2)
    if size < _HDRLEN:
        ndo.trunc()
        return
    size = min(size, length)
    name = _CODES.get(code, "Unknown Command")
    if not ndo.vflag:
        ndo.p(f"RADIUS, {name} ({code}), id: 0x{ident:02x} length: {size}")
        return
    ndo.p(
        f"RADIUS, length: {size}\n\t{name} ({code}), id: 0x{ident:02x}, "
        f"Authenticator: {b[o + 4 : o + 20].hex()}"
    )
    if size > _HDRLEN:
        _attributes(ndo, b, o + _HDRLEN, size - _HDRLEN)


def _attributes(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    p = ndo.p
    while length > 0:
        if length < 2 or o + 2 > len(b):
            ndo.trunc()
            return
        kind, size = b[o], b[o + 1]
        name, printer = _ATTRIBUTES[kind] if kind < len(_ATTRIBUTES) else ("", None)
        p(f"\n\t  {name or 'Unknown'} Attribute ({kind}), length: {size}")
        if size < 2:
            p(" (bogus, must be >= 2)")
            return
        if size > length:
            p(" (bogus, goes past end of packet)")
            return
        p(", Value: ")
        if printer is not None and size > 2:
            try:
                printer(ndo, b, o + 2, size - 2, kind)
            except _Cut:
                ndo.trunc()
        if ndo.vflag > 1:
            ndo.unknown_data(b, o + 2, "\n\t    ", size - 2)
        o += size
        length -= size
