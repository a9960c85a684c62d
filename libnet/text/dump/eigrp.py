"""Cisco's EIGRP (RFC 7868)."""

from __future__ import annotations

from typing import Final

from libnet.text.dump.ndo import TRUNCATED, Ndo, bittok2str, need, take, tok2str, u2, u3, u4

_OPCODES: Final = {1: "Update", 3: "Query", 4: "Reply", 5: "Hello", 6: "IPX SAP", 7: "Probe"}
_FLAGS: Final = (
    (1, "Init"), (2, "Conditionally Received"), (4, "Restart"), (8, "End-of-Table"),
)  # fmt: skip
_TLVS: Final = {
    0x0001: "General Parameters", 0x0002: "Authentication", 0x0003: "Sequence",
    0x0004: "Software Version", 0x0005: "Next Multicast Sequence", 0x0102: "IP Internal routes",
    0x0103: "IP External routes", 0x0202: "AppleTalk Internal routes",
    0x0203: "AppleTalk External routes", 0x0204: "AppleTalk Cable setup",
    0x0302: "IPX Internal routes", 0x0303: "IPX External routes",
}  # fmt: skip
# Octets that a TLV with its own header must at least have.
_LEAST: Final = {
    0x0001: 12, 0x0004: 8, 0x0102: 26, 0x0103: 46, 0x0202: 28, 0x0203: 44, 0x0204: 12,
}  # fmt: skip
_PROTOCOLS: Final = {
    1: "IGRP", 2: "EIGRP", 3: "Static", 4: "RIP", 5: "Hello", 6: "OSPF", 7: "IS-IS", 8: "EGP",
    9: "BGP", 10: "IDRP", 11: "Connected",
}  # fmt: skip
_HEADER: Final = 20


def eigrp_print(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    """Print a packet of *length* octets."""
    ndo.protocol = "eigrp"
    try:
        _packet(ndo, b, o, length)
    except TRUNCATED:
        ndo.trunc()


def _packet(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    p = ndo.p
    need(b, o, _HEADER)
    if b[o] != 2:
        p(f"EIGRP version {b[o]} packet not supported")
        return
    if not ndo.vflag:
        p(f"EIGRP {tok2str(_OPCODES, 'unknown (%u)', b[o + 1])}, length: {length}")
        return
    name = tok2str(_OPCODES, "unknown, type: %u", b[o + 1])
    if length < _HEADER:
        p(f"EIGRP {name}, length: {length} (too short, < {_HEADER})")
        return
    left = length - _HEADER
    p(
        f"\n\tEIGRP v{b[o]}, opcode: {name} ({b[o + 1]}), chksum: 0x{u2(b, o + 2):04x}, "
        f"Flags: [{bittok2str(_FLAGS, 'none', u4(b, o + 4))}]"
        f"\n\tseq: 0x{u4(b, o + 8):08x}, ack: 0x{u4(b, o + 12):08x}, "
        f"VRID: {u2(b, o + 16)}, AS: {u2(b, o + 18)}, length: {left}"
    )
    o += _HEADER
    while left > 0:
        need(b, o, 4)
        kind, size = u2(b, o), u2(b, o + 2)
        if not 4 <= size <= left:
            ndo.unknown_data(b, o + 4, "\n\t    ", left)
            return
        p(f"\n\t  {_TLVS.get(kind, 'Unknown')} TLV (0x{kind:04x}), length: {size}")
        need(b, o + 4, size - 4)
        least = _LEAST.get(kind, 4)
        if size < least:
            p(f" (too short, < {least})")
        else:
            _value(ndo, b, o + 4, kind, size - 4)
        if ndo.vflag > 1 or kind not in _LEAST:
            ndo.unknown_data(b, o + 4, "\n\t    ", size - 4)
        o += size
        left -= size


def _value(ndo: Ndo, b: bytes, o: int, kind: int, size: int) -> None:
    p = ndo.p
    if kind == 0x0001:
        p(
            f"\n\t    holdtime: {u2(b, o + 6)}s, k1 {b[o]}, k2 {b[o + 1]}, k3 {b[o + 2]}, "
            f"k4 {b[o + 3]}, k5 {b[o + 4]}"
        )
    elif kind == 0x0004:
        p(f"\n\t    IOS version: {b[o]}.{b[o + 1]}, EIGRP version {b[o + 2]}.{b[o + 3]}")
    elif kind == 0x0102:
        if _prefix(ndo, b, o, o + 20, size - 21):
            _metrics(ndo, b, o + 4)
    elif kind == 0x0103:
        if _prefix(ndo, b, o, o + 40, size - 41):
            _origin(ndo, ndo.ipaddr(b, o + 4), b, o + 8, u4(b, o + 16), o + 22)
            _metrics(ndo, b, o + 24)
    elif kind == 0x0204:
        p(f"\n\t    Cable-range: {u2(b, o)}-{u2(b, o + 2)}, Router-ID {u4(b, o + 4)}")
    elif kind == 0x0202:
        _cable(ndo, b, o, o + 20)
        _metrics(ndo, b, o + 4)
    elif kind == 0x0203:
        _cable(ndo, b, o, o + 36)
        _origin(ndo, str(u4(b, o + 4)), b, o + 8, u2(b, o + 18), o + 16)
        _metrics(ndo, b, o + 20)


def _prefix(ndo: Ndo, b: bytes, hop: int, o: int, left: int) -> bool:
    """Print a prefix whose length is at *o*; return False if it cannot be."""
    bits = b[o]
    if bits > 32:
        ndo.p(f"\n\t    illegal prefix length {bits}")
        return False
    addr = take(b, o + 1, (bits + 7) // 8).ljust(4, b"\0")
    ndo.p(f"\n\t    IPv4 prefix: {ndo.ipaddr(addr, 0):>15}/{bits}, nexthop: ")
    ndo.p(ndo.ipaddr(b, hop) if u4(b, hop) else "self")
    return True


def _cable(ndo: Ndo, b: bytes, hop: int, o: int) -> None:
    ndo.p(f"\n\t     Cable-Range: {u2(b, o)}-{u2(b, o + 2)}, nexthop: ")
    ndo.p(f"{u2(b, hop)}.{u2(b, hop + 2)}" if u4(b, hop) else "self")


def _origin(ndo: Ndo, router: str, b: bytes, o: int, metric: int, proto: int) -> None:
    ndo.p(
        f"\n\t      origin-router {router}, origin-as {u4(b, o)}, "
        f"origin-proto {tok2str(_PROTOCOLS, 'unknown', b[proto])}, flags [0x{b[proto + 1]:02x}], "
        f"tag 0x{u4(b, o + 4):08x}, metric {metric}"
    )


def _metrics(ndo: Ndo, b: bytes, o: int) -> None:
    ndo.p(
        f"\n\t      delay {u4(b, o) // 100} ms, bandwidth {u4(b, o + 4)} Kbps, "
        f"mtu {u3(b, o + 8)}, hop {b[o + 11]}, reliability {b[o + 12]}, load {b[o + 13]}"
    )
