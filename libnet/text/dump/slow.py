"""Slow protocols: LACP and markers (IEEE 802.1AX), link OAM (IEEE 802.3 clause 57)."""

from __future__ import annotations

from typing import Final

from libnet.text.dump.ndo import Ndo, bittok2str, need, tok2str, u2, u3, u4, u8
from libnet.text.dump.numbers import OUI

_LACP, _MARKER, _OAM = 1, 2, 3
_SUBTYPES: Final = {_LACP: "LACP", _MARKER: "MARKER", _OAM: "OAM"}
_TLVS: Final = {
    (_LACP, 0): "Terminator", (_LACP, 1): "Actor Information", (_LACP, 2): "Partner Information",
    (_LACP, 3): "Collector Information", (_MARKER, 0): "Terminator",
    (_MARKER, 1): "Marker Information",
}  # fmt: skip
_STATE: Final = (
    (1, "Activity"), (2, "Timeout"), (4, "Aggregation"), (8, "Synchronization"),
    (16, "Collecting"), (32, "Distributing"), (64, "Default"), (128, "Expired"),
)  # fmt: skip
_OAM_FLAGS: Final = (
    (1, "Link Fault"), (2, "Dying Gasp"), (4, "Critical Event"), (8, "Local Evaluating"),
    (16, "Local Stable"), (32, "Remote Evaluating"), (64, "Remote Stable"),
)  # fmt: skip
_INFO, _EVENT, _LOOPBACK = 0, 1, 4
_CODES: Final = {
    _INFO: "Information", _EVENT: "Event Notification", 2: "Variable Request",
    3: "Variable Response", _LOOPBACK: "Loopback Control", 0xFE: "Vendor Private",
}  # fmt: skip
_INFOS: Final = {0: "End of TLV marker", 1: "Local", 2: "Remote", 0xFE: "Organization specific"}
_PARSER: Final = ("forwarding", "looping back", "discarding", "reserved")
_CONFIG: Final = (
    (1, "Active"), (2, "Unidirectional"), (4, "Remote-Loopback"), (8, "Link-Events"),
    (16, "Variable-Retrieval"),
)  # fmt: skip
_EVENTS: Final = {
    0: "End of TLV marker", 1: "Errored Symbol Period Event", 2: "Errored Frame Event",
    3: "Errored Frame Period Event", 4: "Errored Frame Seconds Summary Event",
    0xFE: "Organization specific",
}  # fmt: skip
_LOOPBACKS: Final = {1: "Enable OAM Remote Loopback", 2: "Disable OAM Remote Loopback"}
_INFO_LEN, _EVENT_LEN = 16, 40


def slow_print(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    """Print a frame of *length* octets behind the Ethertype."""
    ndo.protocol = "slow"
    p = ndo.p
    short = "\n\t\t packet is too short" if ndo.vflag else " (packet is too short)"
    if length < 1:
        p(short)
        return
    subtype = b[o]
    name = tok2str(_SUBTYPES, "unknown (%u)", subtype)
    if subtype in (_LACP, _MARKER):
        if length < 2:
            p(short)
            return
        if b[o + 1] != 1:
            p(f"{name} version {b[o + 1]} packet not supported")
            return
        p(f"{name}v{b[o + 1]}, length {length}")
        if ndo.vflag:
            _tlvs(ndo, b, o + 2, length - 2, subtype)
        return
    p(f"{name}, length {length}")
    if subtype != _OAM:
        ndo.unknown_data(b, o, "\n\t", length)
    elif ndo.vflag:
        _oam(ndo, b, o + 1, length - 1)


def _tlvs(ndo: Ndo, b: bytes, o: int, left: int, subtype: int) -> None:
    p = ndo.p
    while left > 0:
        if left < 2:
            p("\n\t\t packet is too short")
            return
        kind, size = b[o], b[o + 1]
        name = _TLVS.get((subtype, kind), "Unknown")
        p(f"\n\t{name} TLV (0x{kind:02x}), length {size}")
        if kind == 0:
            return
        if size < 2:
            p("\n\t    ERROR: illegal length - should be >= 2")
            return
        if left < size:
            p("\n\t\t packet is too short")
            return
        need(b, o, size)
        _tlv(ndo, b, o + 2, size - 2, subtype, kind)
        if ndo.vflag > 1:
            ndo.unknown_data(b, o + 2, "\n\t  ", size - 2)
        o += size
        left -= size


def _tlv(ndo: Ndo, b: bytes, o: int, size: int, subtype: int, kind: int) -> None:
    p = ndo.p
    want = {(_LACP, 1): 18, (_LACP, 2): 18, (_LACP, 3): 14, (_MARKER, 1): 14}.get((subtype, kind))
    if want is None:
        if ndo.vflag <= 1:
            ndo.unknown_data(b, o, "\n\t  ", size)
    elif size != want:
        p(f"\n\t    ERROR: illegal length - should be {want + 2}")
    elif want == 18:
        p(
            f"\n\t  System {ndo.etheraddr(b, o + 2)}, System Priority {u2(b, o)}, "
            f"Key {u2(b, o + 8)}, Port {u2(b, o + 12)}, Port Priority {u2(b, o + 10)}"
            f"\n\t  State Flags [{bittok2str(_STATE, 'none', b[o + 14])}]"
        )
    elif subtype == _LACP:
        p(f"\n\t  Max Delay {u2(b, o)}")
    else:
        p(
            f"\n\t  Request System {ndo.etheraddr(b, o + 2)}, Request Port {u2(b, o)}, "
            f"Request Transaction ID 0x{u4(b, o + 8):08x}"
        )


def _oam(ndo: Ndo, b: bytes, o: int, left: int) -> None:
    p = ndo.p
    if left < 3:
        p("\n\t\t packet is too short")
        return
    need(b, o, 3)
    flags, code = u2(b, o), b[o + 2]
    o += 3
    left -= 3
    p(
        f"\n\tCode {tok2str(_CODES, 'Unknown (%u)', code)} OAM PDU, "
        f"Flags [{bittok2str(_OAM_FLAGS, 'none', flags)}]"
    )
    if code == _INFO:
        _oam_tlvs(ndo, b, o, left, event=False)
    elif code == _EVENT:
        if left < 2:
            p("\n\t\t packet is too short")
            return
        p(f"\n\t  Sequence Number {u2(b, o)}")
        _oam_tlvs(ndo, b, o + 2, left - 2, event=True)
    elif code == _LOOPBACK:
        if left < 1:
            p("\n\t\t packet is too short")
            return
        p(f"\n\t  Command {_LOOPBACKS.get(b[o], 'Unknown')} ({b[o]})")
    elif ndo.vflag <= 1:
        ndo.unknown_data(b, o, "\n\t  ", left)


def _oam_tlvs(ndo: Ndo, b: bytes, o: int, left: int, *, event: bool) -> None:
    p = ndo.p
    names, what = (_EVENTS, "Link Event") if event else (_INFOS, "Information")
    while left > 0:
        if left < 2:
            p("\n\t\t packet is too short")
            return
        kind, size = b[o], b[o + 1]
        p(f"\n\t  {names.get(kind, 'Reserved')} {what} Type ({kind}), length {size}")
        if kind == 0:
            return
        if size < 2:
            p("\n\t    ERROR: illegal length - should be >= 2")
            return
        if left < size:
            p("\n\t\t packet is too short")
            return
        need(b, o, size)
        dump = True
        if kind in ((1, 2, 3, 4) if event else (1, 2)):
            want = _EVENT_LEN if event else _INFO_LEN
            if size != want:
                p(f"\n\t    ERROR: illegal length - should be {want}")
            else:
                (_event if event else _info)(ndo, b, o)
                dump = False
        if dump or ndo.vflag > 1:
            ndo.unknown_data(b, o, "\n\t  ", size)
        o += size
        left -= size


def _info(ndo: Ndo, b: bytes, o: int) -> None:
    state, oui = b[o + 5], u3(b, o + 9)
    ndo.p(
        f"\n\t    OAM-Version {b[o + 2]}, Revision {u2(b, o + 3)}"
        f"\n\t    State-Parser-Action {_PARSER[state & 3]}, "
        f"State-MUX-Action {'discarding' if state & 4 else 'forwarding'}"
        f"\n\t    OAM-Config Flags [{bittok2str(_CONFIG, 'none', b[o + 6])}], "
        f"OAM-PDU-Config max-PDU size {u2(b, o + 7) & 0x7FF}"
        f"\n\t    OUI {OUI.get(oui, 'Unknown')} (0x{oui:06x}), "
        f"Vendor-Private 0x{u4(b, o + 12):08x}"
    )


def _event(ndo: Ndo, b: bytes, o: int) -> None:
    ndo.p(
        f"\n\t    Timestamp {u2(b, o + 2) * 100} ms, Errored Window {u8(b, o + 4)}"
        f"\n\t    Errored Threshold {u8(b, o + 12)}\n\t    Errors {u8(b, o + 20)}"
        f"\n\t    Error Running Total {u8(b, o + 28)}"
        f"\n\t    Event Running Total {u4(b, o + 36)}"
    )
