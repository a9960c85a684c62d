"""LLDP (IEEE 802.1AB) with the TLVs of 802.1, 802.3, ANSI/TIA-1057, DCBX and IANA."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from libnet.text.dump.ndo import Ndo, bittok2str, tok2str, u2, u3, u4
from libnet.text.dump.numbers import FAMILIES, OUI

_END, _CHASSIS, _PORT, _TTL, _DESCR, _NAME, _SYSTEM, _CAP, _MGMT, _PRIVATE = (
    *range(9), 127,
)  # fmt: skip
_TLVS: Final = {
    0: "End", 1: "Chassis ID", 2: "Port ID", 3: "Time to Live", 4: "Port Description",
    5: "System Name", 6: "System Description", 7: "System Capabilities",
    8: "Management Address", 127: "Organization specific",
}  # fmt: skip
_CHASSIS_SUBTYPES: Final = {
    1: "Chassis component", 2: "Interface alias", 3: "Port component", 4: "MAC address",
    5: "Network address", 6: "Interface name", 7: "Local",
}  # fmt: skip
_PORT_SUBTYPES: Final = {
    1: "Interface alias", 2: "Port component", 3: "MAC address", 4: "Network Address",
    5: "Interface Name", 6: "Agent circuit ID", 7: "Local",
}  # fmt: skip
_CAPABILITIES: Final = (
    (1, "Other"), (2, "Repeater"), (4, "Bridge"), (8, "WLAN AP"), (16, "Router"),
    (32, "Telephone"), (64, "Docsis"), (128, "Station Only"),
)  # fmt: skip
_8021: Final = {
    1: "Port VLAN Id", 2: "Port and Protocol VLAN ID", 3: "VLAN name", 4: "Protocol Identity",
    7: "Link aggregation", 8: "Congestion Notification", 9: "ETS Configuration",
    10: "ETS Recommendation", 11: "Priority Flow Control Configuration",
    12: "Application Priority", 13: "EVB", 14: "CDCP",
}  # fmt: skip
_PPVID_FLAGS: Final = ((2, "supported"), (4, "enabled"))
_8023: Final = {
    1: "MAC/PHY configuration/status", 2: "Power via MDI", 3: "Link aggregation",
    4: "Max frame size",
}  # fmt: skip
_STATUS: Final = ((1, "supported"), (2, "enabled"))
_PMD: Final = (
    (1 << 14, "10BASE-T hdx"), (1 << 13, "10BASE-T fdx"), (1 << 12, "100BASE-T4"),
    (1 << 11, "100BASE-TX hdx"), (1 << 10, "100BASE-TX fdx"), (1 << 9, "100BASE-T2 hdx"),
    (1 << 8, "100BASE-T2 fdx"), (1 << 7, "Pause for fdx links"), (1 << 6, "Asym PAUSE for fdx"),
    (1 << 5, "Sym PAUSE for fdx"), (1 << 4, "Asym and Sym PAUSE for fdx"),
    (1 << 3, "1000BASE-{X LX SX CX} hdx"), (1 << 2, "1000BASE-{X LX SX CX} fdx"),
    (1 << 1, "1000BASE-T hdx"), (1, "1000BASE-T fdx"),
)  # fmt: skip
_MAU: Final = (
    "Unknown", "AUI", "10BASE_5", "FOIRL", "10BASE2", "10BASET duplex mode unknown", "10BASEFP",
    "10BASEFB", "10BASEFL duplex mode unknown", "10BROAD36", "10BASET hdx", "10BASET fdx",
    "10BASEFL hdx", "10BASEFL fdx", "100BASET4", "100BASETX hdx", "100BASETX fdx",
    "100BASEFX hdx", "100BASEFX fdx", "100BASET2 hdx", "100BASET2 fdx", "1000BASEX hdx",
    "1000BASEX fdx", "1000BASELX hdx", "1000BASELX fdx", "1000BASESX hdx", "1000BASESX fdx",
    "1000BASECX hdx", "1000BASECX fdx", "1000BASET hdx", "1000BASET fdx", "10GBASEX",
    "10GBASELX4", "10GBASER", "10GBASEER", "10GBASELR", "10GBASESR", "10GBASEW", "10GBASEEW",
    "10GBASELW", "10GBASESW",
)  # fmt: skip
_MDI: Final = ((1, "PSE"), (2, "supported"), (4, "enabled"), (8, "can be controlled"))
_TIA: Final = {
    1: "LLDP-MED Capabilities", 2: "Network policy", 3: "Location identification",
    4: "Extended power-via-MDI", 5: "Inventory - hardware revision",
    6: "Inventory - firmware revision", 7: "Inventory - software revision",
    8: "Inventory - serial number", 9: "Inventory - manufacturer name",
    10: "Inventory - model name", 11: "Inventory - asset ID",
}  # fmt: skip
_INVENTORY: Final = {
    5: "Hardware revision", 6: "Firmware revision", 7: "Software revision", 8: "Serial number",
    9: "Manufacturer name", 10: "Model name", 11: "Asset ID",
}  # fmt: skip
_MED: Final = (
    (1, "LLDP-MED capabilities"), (2, "network policy"), (4, "location identification"),
    (8, "extended power via MDI-PSE"), (16, "extended power via MDI-PD"), (32, "Inventory"),
)  # fmt: skip
_DEVICES: Final = {
    1: "endpoint class 1", 2: "endpoint class 2", 3: "endpoint class 3",
    4: "network connectivity",
}  # fmt: skip
_APPLICATIONS: Final = {
    1: "voice", 2: "voice signaling", 3: "guest voice", 4: "guest voice signaling",
    5: "softphone voice", 6: "video conferencing", 7: "streaming video", 8: "video signaling",
}  # fmt: skip
_POLICY: Final = ((0x80, "Unknown"), (0x40, "Tagged"), (0x20, "reserved"))
_FORMATS: Final = {1: "coordinate-based LCI", 2: "civic address LCI", 3: "ECS ELIN"}
_ALTITUDES: Final = {1: "meters", 2: "floors"}
_DATUMS: Final = {
    1: "World Geodesic System 1984", 2: "North American Datum 1983 (NAVD88)",
    3: "North American Datum 1983 (MLLW)",
}  # fmt: skip
_WHATS: Final = {
    0: "location of DHCP server",
    1: "location of the network element believed to be closest to the client",
    2: "location of the client",
}
_CIVIC: Final = {
    1: "national subdivisions (state,canton,region,province,prefecture)",
    2: "county, parish, gun, district", 3: "city, township, shi",
    4: "city division, borough, city district, ward chou", 5: "neighborhood, block",
    6: "street",
}  # fmt: skip
_SOURCES: Final = {
    1: "PSE - primary power source", 2: "local - backup power source",
    3: "PSE+local - reserved",
}  # fmt: skip
_PRIORITIES: Final = {1: "critical", 2: "high", 3: "low"}
_EVB_MODES: Final = {
    0: "Not Supported", 1: "EVB Bridge", 2: "EVB Station",
    3: "Reserved for future Standardization",
}  # fmt: skip


class _Cut(Exception):
    """A TLV is not there whole, or too short."""


def _network_addr(ndo: Ndo, b: bytes, o: int, n: int) -> str:
    if n < 1:
        raise _Cut
    family = b[o]
    size, tell = {1: (4, ndo.ipaddr), 2: (16, ndo.ip6addr), 6: (6, ndo.etheraddr)}.get(
        family, (0, None)
    )
    name = FAMILIES.get(family, "Unknown")
    if tell is None:
        return f"AFI {name} ({family}), no AF printer !"
    if n - 1 < size:
        raise _Cut
    return f"AFI {name} ({family}): {tell(b, o + 1)}"


def _identity(ndo: Ndo, b: bytes, o: int, n: int, kind: int) -> bool:
    """Print a chassis or port ID; return whether it is unknown."""
    if n < 2:
        raise _Cut
    sub = b[o]
    names = _CHASSIS_SUBTYPES if kind == _CHASSIS else _PORT_SUBTYPES
    mac, network = (4, 5) if kind == _CHASSIS else (3, 4)
    ndo.p(f"\n\t  Subtype {names.get(sub, 'Unknown')} ({sub}): ")
    if sub == mac:
        if n < 7:
            raise _Cut
        ndo.p(ndo.etheraddr(b, o + 1))
    elif sub == network:
        ndo.p(_network_addr(ndo, b, o + 1, n - 1))
    elif sub in names:
        ndo.printjnp(b, o + 1, n - 1)
    else:
        return True
    return False


def _management(ndo: Ndo, b: bytes, o: int, n: int) -> None:
    if n < 1:
        raise _Cut
    size = b[o]
    o += 1
    n -= 1
    if n < size:
        raise _Cut
    ndo.p(f"\n\t  Management Address length {size}, {_network_addr(ndo, b, o, size)}")
    o += size
    n -= size
    if n < 5:
        raise _Cut
    how = {2: "Interface Index", 3: "System Port Number"}.get(b[o], "Unknown")
    ndo.p(f"\n\t  {how} Interface Numbering ({b[o]}): {u4(b, o + 1)}")
    o += 5
    n -= 5
    if n:
        size = b[o]
        if n < 1 + size:
            raise _Cut
        if size:
            ndo.p(f"\n\t  OID length {size}")
            ndo.printjnp(b, o + 1, size)


# Printers of an organization's TLV: (ndo, b, o, length), o at the OUI. They return whether it is
# to be shown in hex as well; what is too short is just left.


def _bits(ndo: Ndo, title: str, value: int) -> None:
    row = "".join([f"{value >> i & 1:<2d} " for i in range(8)])
    ndo.p(f"\n\t    {title}\n\t     Priority : 0  1  2  3  4  5  6  7\n\t     Value    : {row}")


def _table(ndo: Ndo, title: str, head: str, values: list[int]) -> None:
    row = " ".join([f"{v:<3d}" for v in values])
    ndo.p(f"\n\t    {title}")
    ndo.p(f"\n\t     {head}: 0   1   2   3   4   5   6   7")
    ndo.p(f"\n\t     {'Value'.ljust(len(head))}: {row}")


def _ets(ndo: Ndo, b: bytes, o: int) -> None:
    nibbles = [b[o + i // 2] >> (0 if i & 1 else 4) & 15 for i in range(8)]
    _table(ndo, "Priority Assignment Table", "Priority ", nibbles)
    _table(ndo, "TC Bandwidth Table", "TC%   ", [b[o + 4 + i] for i in range(8)])
    _table(ndo, "TSA Assignment Table", "Traffic Class", [b[o + 12 + i] for i in range(8)])


def _ieee8021(ndo: Ndo, b: bytes, o: int, n: int) -> bool:
    if n < 4:
        return False
    p, sub = ndo.p, b[o + 3]
    p(f"\n\t  {_8021.get(sub, 'unknown')} Subtype ({sub})")
    least = {1: 6, 2: 7, 3: 6, 4: 5, 7: 9, 8: 6, 9: 25, 10: 25, 11: 6, 12: 5, 13: 9, 14: 8}
    if sub not in least:
        return True
    if n < least[sub]:
        return False
    at = o + 4
    if sub == 1:
        p(f"\n\t    port vlan id (PVID): {u2(b, at)}")
    elif sub == 2:
        p(
            f"\n\t    port and protocol vlan id (PPVID): {u2(b, at + 1)}, "
            f"flags [{bittok2str(_PPVID_FLAGS, 'none', b[at])}] (0x{b[at]:02x})"
        )
    elif sub == 3:
        p(f"\n\t    vlan id (VID): {u2(b, at)}")
        if n >= 7 and n >= 7 + b[at + 2]:
            p("\n\t    vlan name: ")
            ndo.printjnp(b, at + 3, b[at + 2])
    elif sub == 4:
        if n >= 5 + b[at]:
            p("\n\t    protocol identity: ")
            ndo.printjnp(b, at + 1, b[at])
    elif sub == 7:
        _aggregation(ndo, b, at)
    elif sub == 8:
        _bits(ndo, "Pre-Priority CNPV Indicator", b[at])
        _bits(ndo, "Pre-Priority Ready Indicator", b[at + 1])
    elif sub == 9:
        v = b[at]
        p(f"\n\t    Willing:{v >> 7}, CBS:{v >> 6 & 2}, RES:{v >> 3 & 7}, Max TCs:{v & 7}")
        _ets(ndo, b, at + 1)
    elif sub == 10:
        p(f"\n\t    RES: {b[at]}")
        _ets(ndo, b, at + 1)
    elif sub == 11:
        v = b[at]
        p(f"\n\t    Willing: {v >> 7}, MBC: {v >> 6 & 1}, RES: {v >> 4 & 3}, PFC cap:{v & 15} ")
        _bits(ndo, "PFC Enable", b[at + 1])
    elif sub == 12:
        _application_priority(ndo, b, at, n)
    elif sub == 13:
        _evb(ndo, b, at)
    elif sub == 14:
        v = b[at]
        p(f"\n\t    Role: {v >> 7}, RES: {v >> 4 & 7}, Scomp: {v >> 3 & 1} ")
        p(f"ChnCap: {u2(b, at + 2) & 0xFFF}")
        if (n - 8) % 3 == 0:
            for i in range(0, n - 8, 3):
                v = u3(b, at + 4 + i)
                p(f"\n\t    SCID: {v >> 12}, SVID: {v & 0xFFF}")
    return False


def _application_priority(ndo: Ndo, b: bytes, at: int, n: int) -> None:
    ndo.p(f"\n\t    RES: {b[at]}")
    if n <= 5 or (n - 5) % 3:
        return
    ndo.p("\n\t    Application Priority Table")
    for i in range(0, n - 5, 3):
        v = b[at + 1 + i]
        ndo.p(
            f"\n\t      Priority: {v >> 5}, RES: {v >> 3 & 3}, Sel: {v & 7}, "
            f"Protocol ID: {u2(b, at + 2 + i)}"
        )


def _evb(ndo: Ndo, b: bytes, at: int) -> None:
    p = ndo.p
    v = b[at]
    p("\n\t    EVB Bridge Status")
    p(f"\n\t      RES: {v >> 3}, BGID: {v >> 2 & 1}, RRCAP: {v >> 1 & 1}, RRCTR: {v & 1}")
    v = b[at + 1]
    p("\n\t    EVB Station Status")
    p(f"\n\t      RES: {v >> 4}, SGID: {v >> 3 & 1}, RRREQ: {v >> 2 & 1},RRSTAT: {v & 3}")
    v = b[at + 2]
    p(f"\n\t    R: {v >> 5}, RTE: {v & 31}, ")
    v = b[at + 3]
    p(f"EVB Mode: {_EVB_MODES[v >> 6]} [{v >> 6}]")
    p(f"\n\t    ROL: {v >> 5 & 1}, RWD: {v & 31}, ")
    v = b[at + 4]
    p(f"RES: {v >> 6}, ROL: {v >> 5 & 1}, RKA: {v & 31}")


def _aggregation(ndo: Ndo, b: bytes, at: int) -> None:
    ndo.p(
        f"\n\t    aggregation status [{bittok2str(_STATUS, 'none', b[at])}], "
        f"aggregation port ID {u4(b, at + 1)}"
    )


def _ieee8023(ndo: Ndo, b: bytes, o: int, n: int) -> bool:
    if n < 4:
        return False
    p, sub = ndo.p, b[o + 3]
    p(f"\n\t  {_8023.get(sub, 'unknown')} Subtype ({sub})")
    least = {1: 9, 2: 7, 3: 9, 4: 6}
    if sub not in least:
        return True
    if n < least[sub]:
        return False
    at = o + 4
    if sub == 1:
        p(f"\n\t    autonegotiation [{bittok2str(_STATUS, 'none', b[at])}] (0x{b[at]:02x})")
        pmd, mau = u2(b, at + 1), u2(b, at + 3)
        p(f"\n\t    PMD autoneg capability [{bittok2str(_PMD, 'unknown', pmd)}] (0x{pmd:04x})")
        name = _MAU[mau] if mau < len(_MAU) else "unknown"
        p(f"\n\t    MAU type {name} (0x{mau:04x})")
    elif sub == 2:
        pair = {1: "signal", 2: "spare"}.get(b[at + 1], "unknown")
        power = f"class{b[at + 2] - 1}" if 1 <= b[at + 2] <= 5 else "unknown"
        p(
            f"\n\t    MDI power support [{bittok2str(_MDI, 'none', b[at])}], "
            f"power pair {pair}, power class {power}"
        )
    elif sub == 3:
        _aggregation(ndo, b, at)
    else:
        p(f"\n\t    MTU size {u2(b, at)}")
    return False


def _iana(ndo: Ndo, b: bytes, o: int, n: int) -> bool:
    if n < 8:
        return False
    sub = b[o + 3]
    ndo.p(f"\n\t  {'MUD-URL' if sub == 1 else 'unknown'} Subtype ({sub})")
    if sub != 1:
        return True
    ndo.p("\n\t  MUD-URL=")
    ndo.printjn(b, o + 4, n - 4)
    return False


def _tia(ndo: Ndo, b: bytes, o: int, n: int) -> bool:
    if n < 4:
        return False
    p, sub = ndo.p, b[o + 3]
    p(f"\n\t  {_TIA.get(sub, 'unknown')} Subtype ({sub})")
    if sub not in _TIA:
        return True
    if n < {1: 7, 2: 8, 3: 5, 4: 7}.get(sub, 4):
        return False
    at = o + 4
    if sub == 1:
        media = u2(b, at)
        p(f"\n\t    Media capabilities [{bittok2str(_MED, 'none', media)}] (0x{media:04x})")
        p(f"\n\t    Device type [{_DEVICES.get(b[at + 2], 'unknown')}] (0x{b[at + 2]:02x})")
    elif sub == 2:
        p(f"\n\t    Application type [{_APPLICATIONS.get(b[at], 'none')}] (0x{b[at]:02x})")
        p(f", Flags [{bittok2str(_POLICY, 'none', b[at + 1])}]")
        p(f"\n\t    Vlan id {(u2(b, at + 1) & 0x1FFE) >> 1}")
        p(f", L2 priority {(u2(b, at + 2) & 0x1FF) >> 6}")
        p(f", DSCP value {u2(b, at + 2) & 0x3F}")
    elif sub == 3:
        _location(ndo, b, o, n)
    elif sub == 4:
        v = b[at]
        # The shift binds first in the original, so only the two lowest bits count.
        p(f"\n\t    Power type [{'PD device' if v & 3 else 'PSE device'}]")
        p(f", Power source [{_SOURCES.get((v & 0x30) >> 4, 'none')}]")
        p(f"\n\t    Power priority [{_PRIORITIES.get(v & 15, 'none')}] (0x{v & 15:02x})")
        power = u2(b, at + 1)
        p(f", Power {power / 10:.1f} Watts" if power < 1024 else f", Power {power} (Reserved)")
    else:
        p(f"\n\t  {_INVENTORY[sub]} ")
        ndo.printjnp(b, at, n - 4)
    return False


def _latlon(b: bytes, o: int) -> int:
    return (b[o] & 3) << 32 | u4(b, o + 1)


def _location(ndo: Ndo, b: bytes, o: int, n: int) -> None:
    p, form = ndo.p, b[o + 4]
    p(f"\n\t    Location data format {_FORMATS.get(form, 'unknown')} (0x{form:02x})")
    if form == 1:
        if n < 21:
            return
        p(f"\n\t    Latitude resolution {b[o + 5] >> 2}, latitude value {_latlon(b, o + 5)}")
        p(f"\n\t    Longitude resolution {b[o + 10] >> 2}, longitude value {_latlon(b, o + 10)}")
        kind = b[o + 15] >> 4
        p(f"\n\t    Altitude type {_ALTITUDES.get(kind, 'unknown')} ({kind})")
        p(
            f"\n\t    Altitude resolution {u2(b, o + 15) >> 6 & 0x3F}, "
            f"altitude value 0x{u4(b, o + 16) & 0x3FFFFFFF:x}"
        )
        p(f"\n\t    Datum {_DATUMS.get(b[o + 20], 'unknown')} (0x{b[o + 20]:02x})")
    elif form == 2:
        if n < 6:
            return
        left = b[o + 5]
        if left < 3 or n < 7 + left:
            return
        p(
            f"\n\t    LCI length {left}, LCI what {_WHATS.get(b[o + 6], 'unknown')} "
            f"(0x{b[o + 6]:02x}), Country-code "
        )
        ndo.printjnp(b, o + 7, 2)
        _civic(ndo, b, o + 9, left - 3)
    elif form == 3:
        p("\n\t    ECS ELIN id ")
        ndo.printjnp(b, o + 5, n - 5)
    else:
        p("\n\t    Location ID ")
        ndo.unknown_data(b, o + 5, "\n\t      ", n - 5)


def _civic(ndo: Ndo, b: bytes, at: int, left: int) -> None:
    while left >= 2:
        kind, size = b[at], b[at + 1]
        at += 2
        left -= 2
        ndo.p(f"\n\t      CA type '{_CIVIC.get(kind, 'unknown')}' ({kind}), length {size}: ")
        if kind == 0 or size == 0 or left < size:
            return
        ndo.printjnp(b, at, size)
        at += size
        left -= size


def _dcbx(ndo: Ndo, b: bytes, o: int, n: int) -> bool:
    if n < 4:
        return False
    sub = b[o + 3]
    name = {1: "DCB Capability Exchange Protocol Rev 1",
            2: "DCB Capability Exchange Protocol Rev 1.01"}.get(sub, "unknown")  # fmt: skip
    ndo.p(f"\n\t  {name} Subtype ({sub})")
    if sub == 1:
        return True
    at, left, hexdump = o + 4, n - 4, False
    while left >= 2:
        if at + 2 > len(b):
            return hexdump
        head = u2(b, at)
        kind, size = head >> 9, head & 0x1FF
        hexdump = False
        at += 2
        left -= 2
        if not kind or not size:
            break
        least = {1: 10, 2: 17, 3: 6, 4: 4}
        if at + size > len(b) or left < size or size < least.get(kind, 0):
            return hexdump
        if kind in least:
            _dcbx_feature(ndo, b, at, kind, size)
        else:
            hexdump = True
        if ndo.vflag > 1 or hexdump:
            ndo.unknown_data(b, at, "\n\t    ", size)
        at += size
        left -= size
    return hexdump


def _dcbx_feature(ndo: Ndo, b: bytes, at: int, kind: int, size: int) -> None:
    p = ndo.p
    name = ("Control - Protocol Control", "Feature - Priority Group",
            "Feature - Priority Flow Control", "Feature - Application")[kind - 1]  # fmt: skip
    p(f"\n\t    {name} (type 0x{kind:x}, length {size})")
    p(f"\n\t      Oper_Version: {b[at]}\n\t      Max_Version: {b[at + 1]}")
    if kind == 1:
        p(f"\n\t      Sequence Number: {u4(b, at + 2)}")
        p(f"\n\t      Acknowledgement Number: {u4(b, at + 6)}")
        return
    v = b[at + 2]
    p(f"\n\t      Info block(0x{v:02X}): ")
    p(f"Enable bit: {v >> 7}, Willing bit: {v >> 6 & 1}, Error Bit: {v >> 5 & 1}")
    p(f"\n\t      SubType: {b[at + 3]}")
    if kind == 2:
        p("\n\t      Priority Allocation")
        groups = u4(b, at + 4)
        for i in range(8):
            p(f"\n\t          PgId_{i}: {groups >> (28 - 4 * i) & 15}")
        p("\n\t      Priority Group Allocation")
        for i in range(8):
            p(f"\n\t          Pg percentage[{i}]: {b[at + 8 + i]}")
        p(f"\n\t      NumTCsSupported: {b[at + 16]}")
    elif kind == 3:
        v = b[at + 4]
        p(f"\n\t      PFC Config (0x{v:02X})")
        for i in range(8):
            p(f"\n\t          Priority Bit {i}: {'Enabled' if v >> i & 1 else 'Disabled'}")
        p(f"\n\t      NumTCPFCSupported: {b[at + 5]}")
    else:
        for o in range(at + 4, at + size - 5, 6):
            p("\n\t      Application Value")
            p(f"\n\t          Application Protocol ID: 0x{u2(b, o):04x}")
            v = u3(b, o + 2)
            what = "Socket Number" if v >> 22 else "L2 EtherType"
            p(f"\n\t          SF (0x{v >> 22:x}) Application Protocol ID is {what}")
            p(f"\n\t          OUI: 0x{v & 0x3FFFFF:06x}")
            p(f"\n\t          User Priority Map: 0x{b[o + 5]:02x}")


_ORGANIZATIONS: Final[dict[int, Callable[[Ndo, bytes, int, int], bool]]] = {
    0x0080C2: _ieee8021, 0x00120F: _ieee8023, 0x00005E: _iana, 0x0012BB: _tia, 0x001B21: _dcbx,
}  # fmt: skip


def lldp_print(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    """Print an announcement."""
    ndo.protocol = "lldp"
    p = ndo.p
    p(f"LLDP, length {length}")
    left = length
    try:
        while left >= 2:
            if o + 2 > len(b):
                raise _Cut
            head = u2(b, o)
            kind, size = head >> 9, head & 0x1FF
            o += 2
            left -= 2
            if ndo.vflag:
                p(f"\n\t{_TLVS.get(kind, 'Unknown')} TLV ({kind}), length {size}")
            if not kind or not size:
                return
            if o + size > len(b) or left < size:
                raise _Cut
            hexdump = _tlv(ndo, b, o, size, kind)
            if ndo.vflag > 1 or (ndo.vflag and hexdump):
                ndo.unknown_data(b, o, "\n\t  ", size)
            o += size
            left -= size
    except _Cut:
        ndo.trunc()


def _tlv(ndo: Ndo, b: bytes, o: int, n: int, kind: int) -> bool:
    """Print a TLV's value; return whether it is to be shown in hex."""
    p = ndo.p
    if kind == _NAME:
        p(": ")
        ndo.printjnp(b, o, n)
        return False
    if not ndo.vflag:
        return False
    if kind in (_CHASSIS, _PORT):
        return _identity(ndo, b, o, n, kind)
    if kind == _TTL:
        if n < 2:
            raise _Cut
        p(f": TTL {u2(b, o)}s")
    elif kind == _DESCR:
        p(": ")
        ndo.printjnp(b, o, n)
    elif kind == _SYSTEM:
        p("\n\t  ")
        ndo.printjnp(b, o, n)
    elif kind == _CAP:
        if n < 4:
            raise _Cut
        for word, at in (("System ", o), ("Enabled", o + 2)):
            bits = u2(b, at)
            p(
                f"\n\t  {word} Capabilities [{bittok2str(_CAPABILITIES, 'none', bits)}] (0x{bits:04x})"
            )
    elif kind == _MGMT:
        _management(ndo, b, o, n)
    elif kind == _PRIVATE:
        if n < 3:
            raise _Cut
        oui = u3(b, o)
        p(f": OUI {tok2str(OUI, 'Unknown', oui)} (0x{oui:06x})")
        printer = _ORGANIZATIONS.get(oui)
        return True if printer is None else printer(ndo, b, o, n)
    else:
        return True
    return False
