"""Spanning tree: IEEE 802.1D, rapid (802.1w), multiple (802.1s) and shortest path (802.1aq)."""

from __future__ import annotations

from typing import Final

from libnet.text.dump.ndo import Ndo, bittok2str, take, tok2str, u2, u4

_VERSIONS: Final = {0: "802.1d", 2: "802.1w", 3: "802.1s", 4: "802.1aq"}
_RAPID, _MULTIPLE, _SHORTEST = 2, 3, 4
_TYPES: Final = {0: "Config", 2: "Rapid STP", 0x80: "Topology Change"}
_FLAGS: Final = (
    (0x01, "Topology change"), (0x02, "Proposal"), (0x10, "Learn"), (0x20, "Forward"),
    (0x40, "Agreement"), (0x80, "Topology change ACK"),
)  # fmt: skip
_ROLES: Final = ("Unknown", "Alternate", "Root", "Designated")
_HDRLEN: Final = 36
_MSTP_MIN: Final = 102
_VER3_LEN: Final = 36  # where it stands
_SPB_MIN: Final = 87


def _bridge_id(b: bytes, o: int) -> str:
    a = take(b, o, 8)
    return f"{a[:2].hex()}.{a[2:].hex(':')}"


def _times(b: bytes, o: int) -> str:
    age, most, hello, delay = (u2(b, o + i) / 256 for i in (27, 29, 31, 33))
    return (
        f"message-age {age:.2f}s, max-age {most:.2f}s, "
        f"hello-time {hello:.2f}s, forwarding-delay {delay:.2f}s"
    )


def _digest(b: bytes, o: int, n: int = 16) -> str:
    return take(b, o, n).hex()


def _config(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    flags = b[o + 4]
    ndo.p(f", Flags [{bittok2str(_FLAGS, 'none', flags)}]")
    ndo.p(f", bridge-id {_bridge_id(b, o + 17)}.{u2(b, o + 25):04x}, length {length}")
    if not ndo.vflag:
        return
    ndo.p(f"\n\t{_times(b, o)}")
    ndo.p(f"\n\troot-id {_bridge_id(b, o + 5)}, root-pathcost {u4(b, o + 13)}")
    if b[o + 2] == _RAPID:
        ndo.p(f", port-role {_ROLES[flags >> 2 & 3]}")


def _mstp(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    p = ndo.p
    flags = b[o + 4]
    p(f", CIST Flags [{bittok2str(_FLAGS, 'none', flags)}], length {length}")
    if not ndo.vflag:
        return
    p(f"\n\tport-role {_ROLES[flags >> 2 & 3]}, ")
    p(f"CIST root-id {_bridge_id(b, o + 5)}, CIST ext-pathcost {u4(b, o + 13)}")
    p(f"\n\tCIST regional-root-id {_bridge_id(b, o + 17)}, ")
    p(f"CIST port-id {u2(b, o + 25):04x},")
    p(f"\n\t{_times(b, o)}")
    v3len = u2(b, o + _VER3_LEN)
    p(f"\n\tv3len {v3len}, MCID Name ")
    ndo.printjnp(b, o + 39, 32)
    p(f", rev {u2(b, o + 71)},\n\t\tdigest {_digest(b, o + 73)}, ")
    p(f"CIST int-root-pathcost {u4(b, o + 89)},")
    p(f"\n\tCIST bridge-id {_bridge_id(b, o + 93)}, ")
    p(f"CIST remaining-hops {b[o + 101]}")
    at = o + 102
    for _ in range(max(0, v3len - 64) // 16):
        flags = b[at]
        p(
            f"\n\tMSTI {u2(b, at + 1) & 0xFFF}, Flags [{bittok2str(_FLAGS, 'none', flags)}], "
            f"port-role {_ROLES[flags >> 2 & 3]}"
        )
        p(f"\n\t\tMSTI regional-root-id {_bridge_id(b, at + 1)}, pathcost {u4(b, at + 9)}")
        p(
            f"\n\t\tMSTI bridge-prio {b[at + 13] >> 4}, port-prio {b[at + 14] >> 4}, "
            f"hops {b[at + 15]}"
        )
        at += 16


def _spb(ndo: Ndo, b: bytes, o: int) -> None:
    if not ndo.vflag:
        return
    p = ndo.p
    p(f"\n\tv4len {u2(b, o)}, AUXMCID Name ")
    ndo.printjnp(b, o + 3, 32)
    p(f", Rev {u2(b, o + 35)},\n\t\tdigest {_digest(b, o + 37)}")
    agreement, form, convention = b[o + 53], b[o + 55], b[o + 56]
    p(
        f"\n\tAgreement num {agreement >> 6}, Discarded Agreement num {agreement >> 4 & 3}, "
        f"Agreement valid-flag {agreement >> 3 & 1},\n\tRestricted role-flag: {agreement >> 2 & 1}, "
        f"Format id {form >> 4} cap {form}, Convention id {convention >> 4} cap {convention},"
        f"\n\tEdge count {u2(b, o + 57)}, Agreement digest {_digest(b, o + 67, 20)}"
    )


def stp_print(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    """Print a bridge protocol data unit."""
    ndo.protocol = "stp"
    if length < 4:
        ndo.invalid()
        return
    if u2(b, o):
        ndo.p(f"unknown STP version, length {length}")
        return
    version = b[o + 2]
    ndo.p(f"STP {tok2str(_VERSIONS, 'Unknown STP protocol (0x%02x)', version)}")
    if version not in _VERSIONS:
        return
    kind = b[o + 3]
    ndo.p(f", {tok2str(_TYPES, 'Unknown BPDU Type (0x%02x)', kind)}")
    if kind == 0:
        if length < _HDRLEN - 1:
            ndo.invalid()
            return
        _config(ndo, b, o, length)
    elif kind == 2 and version == _RAPID:
        if length < _HDRLEN:
            ndo.invalid()
            return
        _config(ndo, b, o, length)
    elif kind == 2 and version in (_MULTIPLE, _SHORTEST):
        if length < _MSTP_MIN or b[o + 35] != 0:
            ndo.invalid()
            return
        mstp_len = u2(b, o + _VER3_LEN) + 2
        if length < _HDRLEN + mstp_len:
            ndo.invalid()
            return
        _mstp(ndo, b, o, length)
        if version == _SHORTEST:
            spb_len = u2(b, o + _VER3_LEN + mstp_len) + 2
            if length < _HDRLEN + mstp_len + spb_len or spb_len < _SPB_MIN:
                ndo.invalid()
                return
            _spb(ndo, b, o + _HDRLEN + mstp_len)
