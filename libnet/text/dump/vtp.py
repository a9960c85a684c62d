"""Cisco's VLAN Trunking Protocol."""

from __future__ import annotations

from typing import Final

from libnet.text.dump.ndo import Ndo, need, u2, u4

_MESSAGES: Final = {
    1: "Summary advertisement", 2: "Subset advertisement", 3: "Advertisement request",
    4: "Join message",
}  # fmt: skip
_THIRD: Final = {1: "Followers", 2: "Seq number", 3: "Rsvd", 4: "Rsvd"}
_VLAN_TYPES: Final = {1: "Ethernet", 2: "FDDI", 3: "TrCRF", 4: "FDDI-net", 5: "TrBRF"}
_VLAN_STATES: Final = {0: "Operational", 1: "Suspended"}
_TLVS: Final = {
    1: "Source-Routing Ring Number TLV", 2: "Source-Routing Bridge Number TLV",
    3: "STP type TLV", 4: "Parent VLAN TLV", 5: "Translationally bridged VLANs TLV",
    6: "Pruning TLV", 7: "Bridge Type TLV", 8: "Max ARP Hop Count TLV",
    9: "Max STE Hop Count TLV", 10: "Backup CRF Mode TLV",
}  # fmt: skip
_WORDS: Final = {
    3: {1: "SRT", 2: "SRB", 3: "Auto"}, 7: {1: "SRB"}, 10: {1: "Backup"}, 6: {1: "Enabled"},
}  # fmt: skip
_OTHERWISE: Final = {6: "Disabled", 7: "SRT", 10: "Not backup"}
_HEADER, _MAX_NAME, _VLAN, _MAX_STE = 36, 32, 12, 9


def vtp_print(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    """Print a frame of *length* octets."""
    ndo.protocol = "vtp"
    p = ndo.p
    start = o
    if length < _HEADER:
        ndo.invalid_rest(b, o, length)
        return
    need(b, o, _HEADER)
    kind = b[o + 1]
    p(
        f"VTPv{b[o]}, Message {_MESSAGES.get(kind, 'Unknown message type')} "
        f"(0x{kind:02x}), length {length}"
    )
    if not ndo.vflag:
        need(b, o, length)
        return
    size = b[o + 3]
    p("\n\tDomain name: ")
    if not 1 <= size <= _MAX_NAME:
        p(f" [invalid MgmtD Len {size}]")
        ndo.invalid_rest(b, o, length)
        return
    ndo.printjnp(b, o + 4, size)
    p(f", {_THIRD.get(kind, 'Unknown')}: {b[o + 2]}")
    at, end = o + _HEADER, o + length
    if kind == 1:
        p(f"\n\t  Config Rev {u4(b, at):x}, Updater {ndo.ipaddr(b, at + 4)}")
        p(f", Timestamp 0x{u4(b, at + 8):08x} 0x{u4(b, at + 12):08x} 0x{u4(b, at + 16):08x}")
        digest = [f"{u4(b, at + i):08x}" for i in range(20, 36, 4)]
        p(f", MD5 digest: {''.join(digest)}")
    elif kind == 2:
        p(f", Config Rev {u4(b, at):x}")
        at += 4
        while at < end:
            took = b[at]
            if took == 0:
                return
            if end - at < took:
                ndo.longjmp()
            if took < _VLAN:
                ndo.invalid_rest(b, start, length)
                return
            need(b, at, took)
            if not _vlan(ndo, b, at, took):
                need(b, at, end - at)
                return
            at += took
    elif kind == 3:
        p(f"\n\tStart value: {u4(b, at)}")


def _vlan(ndo: Ndo, b: bytes, o: int, left: int) -> bool:
    """Print what is told of a VLAN; return False if it makes no sense."""
    p = ndo.p
    name = b[o + 3]
    p(
        f"\n\tVLAN info status {_VLAN_STATES.get(b[o + 1], 'Unknown')}, "
        f"type {_VLAN_TYPES.get(b[o + 2], 'Unknown')}, VLAN-id {u2(b, o + 4)}, "
        f"MTU {u2(b, o + 6)}, SAID 0x{u4(b, o + 8):08x}, Name "
    )
    padded = name + 3 & ~3
    left -= _VLAN
    o += _VLAN
    if left < padded:
        ndo.invalid()
        return False
    ndo.printjnp(b, o, name)
    o += padded
    left -= padded
    while left > 0:
        need(b, o, 2)
        if left < 2:
            return False
        kind, size = b[o], b[o + 1] * 2
        p(f"\n\t\t{_TLVS.get(kind, 'Unknown')} (0x{kind:04x}) TLV")
        if left < size + 2:
            p(" (TLV goes past the end of the packet)")
            ndo.invalid()
            return False
        need(b, o, size + 2)
        if b[o + 1] != 1:
            p(f" (invalid TLV length {b[o + 1]} != 1)")
            ndo.invalid()
            return False
        value = u2(b, o + 2)
        if kind in _WORDS:
            p(f", {_WORDS[kind].get(value, _OTHERWISE.get(kind, 'Unknown'))} ({value})")
        elif kind == _MAX_STE:
            p(f", {value}")
        else:
            ndo.unknown_data(b, o, "\n\t\t  ", size + 2)
        o += size + 2
        left -= size + 2
    return True
