"""Assigned numbers and their names, as tcpdump spells them (IANA, IEEE)."""

from __future__ import annotations

from typing import Final

ETHERTYPES: Final = {
    0x0800: "IPv4", 0x8847: "MPLS unicast", 0x8848: "MPLS multicast", 0x86DD: "IPv6",
    0x8100: "802.1Q", 0x9100: "802.1Q-9100", 0x88A8: "802.1Q-QinQ", 0x9200: "802.1Q-9200",
    0x88E5: "802.1AE MACsec", 0x0200: "PUP", 0x0806: "ARP", 0x8035: "Reverse ARP",
    0x0600: "NS", 0x0500: "Sprite", 0x1000: "Trail", 0x6001: "MOP DL", 0x6002: "MOP RC",
    0x6003: "DN", 0x6004: "LAT", 0x6007: "SCA", 0x6558: "TEB", 0x8038: "Lanbridge",
    0x803C: "DEC DNS", 0x803E: "DEC DTS", 0x805B: "VEXP", 0x805C: "VPROD",
    0x809B: "Appletalk", 0x80F3: "Appletalk ARP", 0x8137: "IPX", 0x880B: "PPP",
    0x8808: "MPCP", 0x8809: "Slow Protocols", 0x8863: "PPPoE D", 0x8864: "PPPoE S",
    0x888E: "EAPOL", 0x8899: "Realtek protocols", 0x886F: "MS NLB heartbeat",
    0x8870: "Jumbo", 0x894F: "NSH", 0x9000: "Loopback", 0xFEFE: "OSI", 0x00FE: "GRE-OSI",
    0xABCD: "CFM (old)", 0x8902: "CFM", 0x893A: "IEEE1905.1", 0x88CC: "LLDP", 0x88CA: "TIPC",
    0x0707: "GeoNet (old)", 0x8947: "GeoNet", 0x1111: "CALM FAST", 0x88A2: "AoE",
    0x88F7: "PTP", 0xD28B: "Arista Vendor Specific Protocol",
}  # fmt: skip

IPPROTOS: Final = {
    0: "Options", 1: "ICMP", 2: "IGMP", 4: "IPIP", 6: "TCP", 8: "EGP", 9: "IGRP", 17: "UDP",
    33: "DCCP", 41: "IPv6", 43: "Routing", 44: "Fragment", 46: "RSVP", 47: "GRE", 50: "ESP",
    51: "AH", 55: "Mobile IP", 58: "ICMPv6", 62: "Mobile IP (old)", 88: "EIGRP", 89: "OSPF",
    103: "PIM", 108: "Compressed IP", 112: "VRRP", 113: "PGM", 132: "SCTP", 135: "Mobility",
    143: "Ethernet",
}  # fmt: skip

OUI: Final = {
    0x000000: "Ethernet", 0x00000C: "Cisco", 0x00005E: "IANA",
    0x000081: "Nortel Networks SONMP", 0x0000F8: "Cisco bridged",
    0x0080C2: "Ethernet bridged", 0x00A03E: "ATM Forum", 0x00E02F: "DOCSIS Spanning Tree",
    0x080007: "Appletalk", 0x009069: "Juniper", 0x080009: "Hewlett-Packard",
    0x00120F: "IEEE 802.3 Private", 0x0012BB: "ANSI/TIA", 0x001B21: "DCBX",
    0x002320: "Nicira Networks", 0x5C16C7: "Big Switch Networks", 0xB0D2F5: "Vello Systems",
    0x002481: "HP", 0x0004EA: "HP-Labs", 0x748771: "Infoblox Inc",
    0xA42305: "Open Networking Lab", 0x00049F: "Freescale", 0x0015AD: "Netronome",
    0x001018: "Broadcom", 0x00E004: "PMC-Sierra", 0xD0F0DB: "Ericsson",
}  # fmt: skip

# Private enterprise numbers (SMI).
VENDORS: Final = {
    0: "IETF (reserved)", 5: "ACC", 9: "Cisco", 11: "Hewlett Packard", 42: "Sun Microsystems",
    61: "Merit", 74: "AT&T", 161: "Motorola", 166: "Shiva", 193: "Ericsson AB",
    255: "Cisco VPN 5000", 307: "Livingston", 311: "Microsoft", 429: "3Com", 529: "Ascend",
    1584: "Bay Networks", 1991: "Foundry", 2180: "Versanet", 2352: "Redback",
    2636: "Juniper Networks", 2637: "Aptis", 2937: "Deutsche Telekom AG",
    3054: "Ixia Communications", 3076: "Cisco VPN 3000", 3085: "CoSine Communications",
    3224: "Netscreen", 3199: "Shasta", 3309: "Nomadix", 3414: "T-Mobile",
    3561: "The Broadband Forum", 3902: "ZTE", 4329: "Siemens", 4491: "CableLabs",
    4874: "Unisphere Networks", 5263: "Cisco BBSM",
    5535: "3rd Generation Partnership Project 2 (3GPP2)", 5806: "SK Telecom",
    5925: "ipUnplugged", 5948: "Issanni Communications", 5951: "Netscaler", 6490: "T-Mobile",
    6618: "Quintum", 6728: "Interlink", 7951: "CNCTC", 8164: "Starent Networks",
    8744: "Colubris", 10415: "3GPP", 10529: "Gemtek-Systems", 10704: "Barracuda Networks",
    10923: "Ericsson AB - Packet Core Networks", 11665: "dacom", 11862: "Columbia University",
    12356: "Fortinet", 12951: "Verizon Wireless", 13745: "Plixer", 14122: "Wi-Fi Alliance",
    16787: "T-Systems Nova", 20942: "China Telecom - Guangzhou Research Institute",
    26866: "Gigamon Systems", 32622: "CACE Technologies", 35632: "ntop",
    46098: "Ericsson Canada",
}  # fmt: skip

# Address families of IANA.
FAMILIES: Final = {
    0: "Reserved", 1: "IPv4", 2: "IPv6", 3: "NSAP", 4: "HDLC", 5: "BBN 1822", 6: "802",
    7: "E.163", 8: "E.164", 9: "F.69", 10: "X.121", 11: "Novell IPX", 12: "Appletalk",
    13: "Decnet IV", 14: "Banyan Vines", 15: "E.164 with NSAP subaddress",
    196: "Layer-2 VPN", 25: "VPLS",
}  # fmt: skip

# Address families of the BSDs.
BSD_FAMILIES: Final = {
    2: "IPv4", 6: "NS", 7: "ISO", 16: "Appletalk", 23: "IPX", 24: "IPv6", 28: "IPv6", 30: "IPv6",
}  # fmt: skip

NLPIDS: Final = {
    0x00: "NULL", 0x08: "Q.933", 0x09: "LMI", 0x80: "SNAP", 0x81: "CLNP", 0x82: "ES-IS",
    0x83: "IS-IS", 0x84: "CONS", 0x85: "IDRP", 0xC1: "ISIS_SPB", 0xB1: "FRF.15",
    0xCC: "IPv4", 0xCF: "PPP", 0x8A: "X25 ES-IS", 0x8E: "IPv6",
}  # fmt: skip

# /etc/protocols, by number; "-" stands for numbers without a name.
_NAMES: Final = (
    "hopopt icmp igmp ggp ipencap st tcp cbt egp igp bbn-rcc-mon nvp-ii pup argus emcon xnet chaos "
    "udp mux dcn-meas hmp prm xns-idp trunk-1 trunk-2 leaf-1 leaf-2 rdp irtp iso-tp4 netblt mfe-nsp "
    "merit-inp dccp 3pc idpr xtp ddp idpr-cmtp tp++ il ipv6 sdrp ipv6-route ipv6-frag idrp rsvp gre "
    "dsr bna esp ah i-nlsp swipe narp mobile tlsp skip ipv6-icmp ipv6-nonxt ipv6-opts - cftp - "
    "sat-expak kryptolan rvd ippc - sat-mon visa ipcv cpnx rspf wsn pvp br-sat-mon sun-nd wb-mon "
    "wb-expak iso-ip vmtp secure-vmtp vines ttp nsfnet-igp dgp tcf eigrp ospf sprite-rpc larp mtp "
    "ax.25 ipip micp scc-sp etherip encap - gmtp ifmp pnni pim aris scps qnx a/n ipcomp snp "
    "compaq-peer ipx-in-ip vrrp pgm - l2tp ddx iatp stp srp uti smp sm ptp isis fire crtp crudp "
    "sscopmce iplt sps pipe sctp fc rsvp-e2e-ignore mobility-header udplite mpls-in-ip manet hip "
    "shim6 wesp rohc"
)
_PROTOCOLS: Final = _NAMES.split()
_HIGH: Final = {253: "exptest-253", 254: "exptest-254", 255: "reserved"}


def protoname(number: int) -> str | None:
    """Return the name of an IP protocol, or None."""
    if number < len(_PROTOCOLS):
        name = _PROTOCOLS[number]
        return None if name == "-" else name
    return _HIGH.get(number)
