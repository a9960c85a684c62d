"""Logical link control (IEEE 802.2) and SNAP."""

from __future__ import annotations

from typing import Final

from libnet.text.dump import ether
from libnet.text.dump.ip import ip_print
from libnet.text.dump.ndo import Ndo, Printer, lazy, le2, tok2str, u2, u3
from libnet.text.dump.numbers import ETHERTYPES, OUI

_SAPS: Final = {
    0x00: "Null", 0xFF: "Global", 0x02: "802.1B I", 0x03: "802.1B G", 0x06: "IP", 0x04: "SNA",
    0x0E: "ProWay NM", 0x42: "STP", 0x4E: "RS511", 0x7E: "ISO8208", 0x8E: "ProWay",
    0xAA: "SNAP", 0xE0: "IPX", 0xF0: "NetBeui", 0xFE: "OSI",
}  # fmt: skip
_COMMANDS: Final = {
    0x03: "ui", 0xE3: "test", 0xAF: "xid", 0x63: "ua", 0x43: "disc", 0x0F: "dm", 0x6F: "sabme",
    0x87: "frmr",
}  # fmt: skip
_FLAGS: Final = {
    0: "Command", 1: "Response", 0x10: "Poll", 0x11: "Final", 0x100: "Poll", 0x101: "Final",
}  # fmt: skip
_SUPERVISORY: Final = {0: "Receiver Ready", 1: "Receiver not Ready", 2: "Reject"}
_CISCO_PIDS: Final = {
    0x2000: "CDP", 0x2003: "VTP", 0x2004: "DTP", 0x0111: "UDLD", 0x010B: "PVST",
    0x010C: "VLAN Bridge",
}  # fmt: skip
_BRIDGED: Final = {
    0x0001: "Ethernet + FCS", 0x0007: "Ethernet w/o FCS", 0x0002: "802.4 + FCS",
    0x0008: "802.4 w/o FCS", 0x0003: "Token Ring + FCS", 0x0009: "Token Ring w/o FCS",
    0x0004: "FDDI + FCS", 0x000A: "FDDI w/o FCS", 0x0005: "802.6 + FCS",
    0x000B: "802.6 w/o FCS", 0x000E: "BPDU",
}  # fmt: skip
_PIDS: Final = {
    0x000000: ETHERTYPES, 0x0000F8: ETHERTYPES, 0x080007: ETHERTYPES, 0x00000C: _CISCO_PIDS,
    0x0080C2: _BRIDGED,
}  # fmt: skip
_UI, _XID = 0x03, 0xAF
_CISCO: Final[dict[int, Printer]] = {
    0x2000: lazy("cdp.cdp_print"),
    0x2003: lazy("vtp.vtp_print"),
    0x2004: lazy("dtp.dtp_print"),
    0x0111: lazy("udld.udld_print"),
    0x010B: lazy("stp.stp_print"),
    0x010C: lazy("stp.stp_print"),
}
_stp = lazy("stp.stp_print")
_isoclns = lazy("isoclns.isoclns_print")


def llc_print(
    ndo: Ndo, b: bytes, o: int, length: int, src: ether.Address, dst: ether.Address
) -> int:
    """Print LLC and what it carries; return its header's octets, negative if nothing printed it."""
    ndo.protocol = "llc"
    caplen = len(b) - o
    if caplen < 3 or length < 3:
        ndo.trunc()
        ndo.default_print(b, o, caplen)
        return min(caplen, length)
    dsap_field, ssap_field, control = b[o], b[o + 1], b[o + 2]
    unnumbered = control & 3 == 3
    hdrlen = 3
    if not unnumbered:
        if caplen < 4 or length < 4:
            ndo.trunc()
            ndo.default_print(b, o, caplen)
            return min(caplen, length)
        control = le2(b, o + 2)
        hdrlen = 4
    dsap, ssap = dsap_field & 0xFE, ssap_field & 0xFE
    if ndo.eflag:
        group = "Group" if dsap_field & 1 else "Individual"
        ndo.p(
            f"LLC, dsap {_SAPS.get(dsap, 'Unknown')} (0x{dsap:02x}) {group}, "
            f"ssap {_SAPS.get(ssap, 'Unknown')} (0x{ssap:02x}) {_FLAGS[ssap_field & 1]}"
        )
        ndo.p(f", ctrl 0x{control:02x}: " if unnumbered else f", ctrl 0x{control:04x}: ")
    at, rest = o + hdrlen, length - hdrlen
    if control == _UI and ssap == dsap:
        if ssap == 0xAA:
            known = snap_print(ndo, b, at, rest, src, dst, bridge_pad=2)
            return hdrlen + 5 if known else -(hdrlen + 5)
        if ssap == 0x42:
            _stp(ndo, b, at, rest)
            return hdrlen
        if ssap == 0x06:
            ip_print(ndo, b, at, rest)
            return hdrlen
        if ssap == 0xFE:
            _isoclns(ndo, b, at, rest)
            return hdrlen
    if not ndo.eflag:
        _ends(ndo, dsap, ssap, src, dst)
    if unnumbered:
        return _unnumbered(ndo, b, at, rest, ssap_field, control)
    flags = _FLAGS.get(ssap_field & 1 | control & 0x100, "?")
    if control & 1:
        kind = _SUPERVISORY.get(control >> 2 & 3, "?")
        ndo.p(
            f"Supervisory, {kind}, rcv seq {control >> 9 & 0x7F}, Flags [{flags}], length {length}"
        )
        return hdrlen
    ndo.p(
        f"Information, send seq {control >> 1 & 0x7F}, rcv seq {control >> 9 & 0x7F}, "
        f"Flags [{flags}], length {length}"
    )
    return -hdrlen


def _ends(ndo: Ndo, dsap: int, ssap: int, src: ether.Address, dst: ether.Address) -> None:
    to = tok2str(_SAPS, "Unknown DSAP 0x%02x", dsap)
    frm = "" if ssap == dsap else tok2str(_SAPS, "Unknown SSAP 0x%02x", ssap) + " "
    if src is None or dst is None:
        ndo.p(f"{to} " if ssap == dsap else f"{frm}> {to} ")
    else:
        ndo.p(f"{ndo.etheraddr(*src)} {frm}> {ndo.etheraddr(*dst)} {to} ")


def _unnumbered(ndo: Ndo, b: bytes, at: int, rest: int, ssap_field: int, control: int) -> int:
    kind = tok2str(_COMMANDS, "%02x", control & 0xEF)
    flags = _FLAGS.get(ssap_field & 1 | control & 0x10, "?")
    ndo.p(f"Unnumbered, {kind}, Flags [{flags}], length {rest + 3}")
    if control & ~0x10 == _XID:
        if rest == 0:
            return 3
        caplen = len(b) - at
        if caplen < 1:
            ndo.trunc()
            return 3
        if b[at] == 0x81:
            if caplen < 3 or rest < 3:
                ndo.trunc()
                ndo.default_print(b, at, caplen)
            else:
                ndo.p(f": {b[at + 1]:02x} {b[at + 2]:02x}")
            return 3
    return -3


def snap_print(
    ndo: Ndo,
    b: bytes,
    o: int,
    length: int,
    src: ether.Address,
    dst: ether.Address,
    *,
    bridge_pad: int,
) -> bool:
    """Print a SNAP header and what follows it; return False if nothing could print that."""
    ndo.protocol = "snap"
    if len(b) - o < 5 or length < 5:
        ndo.trunc()
        return True
    org, kind = u3(b, o), u2(b, o + 3)
    pids = _PIDS.get(org, {})
    if ndo.eflag:
        ndo.p(
            f"oui {OUI.get(org, 'Unknown')} (0x{org:06x}), {'pid' if org else 'ethertype'} "
            f"{pids.get(kind, 'Unknown')} (0x{kind:04x}), length {length - 5}: "
        )
    o += 5
    length -= 5
    if org in (0x000000, 0x0000F8):
        if ether.ethertype_print(ndo, kind, b, o, length, src, dst):
            return True
    elif org == 0x00000C and kind in _CISCO:
        _CISCO[kind](ndo, b, o, length)
        return True
    elif org == 0x0080C2:
        if kind in (0x0001, 0x0007):
            if o + bridge_pad > len(b):
                ndo.trunc()
                return True
            ether.ether_print(ndo, b, o + bridge_pad, length - bridge_pad)
            return True
        if kind == 0x000E:
            _stp(ndo, b, o, length)
            return True
    if not ndo.eflag:
        if src is not None and dst is not None:
            ndo.p(f"{ndo.etheraddr(*src)} > {ndo.etheraddr(*dst)} ")
        what = f"{pids.get(kind, 'Unknown')} (0x{kind:04x}), length {length}: "
        if org == 0:
            ndo.p(f"SNAP, ethertype {what}")
        else:
            ndo.p(f"SNAP, oui {OUI.get(org, 'Unknown')} (0x{org:06x}), pid {what}")
    return False
