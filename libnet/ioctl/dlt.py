"""Link types of captures (DLT_*) by number: short name and description, as capture tools print them."""

from __future__ import annotations

from typing import Final

DLTS: Final[dict[int, tuple[str, str]]] = {
    0: ("NULL", "BSD loopback"),
    1: ("EN10MB", "Ethernet"),
    6: ("IEEE802", "Token ring"),
    7: ("ARCNET", "BSD ARCNET"),
    8: ("SLIP", "SLIP"),
    9: ("PPP", "PPP"),
    10: ("FDDI", "FDDI"),
    11: ("ATM_RFC1483", "RFC 1483 LLC-encapsulated ATM"),
    12: ("RAW", "Raw IP"),
    15: ("SLIP_BSDOS", "BSD/OS SLIP"),
    16: ("PPP_BSDOS", "BSD/OS PPP"),
    19: ("ATM_CLIP", "Linux Classical IP over ATM"),
    50: ("PPP_SERIAL", "PPP over serial"),
    51: ("PPP_ETHER", "PPPoE"),
    99: ("SYMANTEC_FIREWALL", "Symantec Firewall"),
    104: ("C_HDLC", "Cisco HDLC"),
    105: ("IEEE802_11", "802.11"),
    107: ("FRELAY", "Frame Relay"),
    108: ("LOOP", "OpenBSD loopback"),
    109: ("ENC", "OpenBSD encapsulated IP"),
    113: ("LINUX_SLL", "Linux cooked v1"),
    114: ("LTALK", "Localtalk"),
    117: ("PFLOG", "OpenBSD pflog file"),
    119: ("PRISM_HEADER", "802.11 plus Prism header"),
    122: ("IP_OVER_FC", "RFC 2625 IP-over-Fibre Channel"),
    127: ("IEEE802_11_RADIO", "802.11 plus radiotap header"),
    129: ("ARCNET_LINUX", "Linux ARCNET"),
    138: ("APPLE_IP_OVER_IEEE1394", "Apple IP-over-IEEE 1394"),
    163: ("IEEE802_11_RADIO_AVS", "802.11 plus AVS radio information header"),
    166: ("PPP_PPPD", "PPP for pppd, with direction flag"),
    192: ("PPI", "Per-Packet Information"),
    228: ("IPV4", "Raw IPv4"),
    229: ("IPV6", "Raw IPv6"),
    246: ("PFSYNC", "Packet filter state syncing"),
    276: ("LINUX_SLL2", "Linux cooked v2"),
}
# What a capture file calls a link type whose number differs between systems.
LINKTYPE_RAW: Final = 101


def dlt_name(dlt: int) -> str:
    """Return the short name of a link type, or its number.

    >>> dlt_name(1), dlt_name(999)
    ('EN10MB', '999')
    """
    row = DLTS.get(dlt)
    return row[0] if row else str(dlt)


def dlt_description(dlt: int) -> str:
    """Return what a link type is, or "DLT n" for one that has no name here."""
    row = DLTS.get(dlt)
    return row[1] if row else f"DLT {dlt}"


def dlt_number(name: str) -> int | None:
    """Return the number of a link type by its name, in upper or lower case; None when unknown."""
    wanted = name.upper()
    for dlt, (short, _description) in DLTS.items():
        if short == wanted:
            return dlt
    return None
